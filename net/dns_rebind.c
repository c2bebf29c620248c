/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Answers that lead inside; see dns_rebind.h.
 */
#include "net/dns_rebind.h"

#include "net/wire/dns_records.h"

#define SVCB_IP4_HINT 4
#define SVCB_IP6_HINT 6

struct judge {
    bool (*is_ours)(void *ctx, be32 ip);
    void *ctx;
};

static bool ip4_inside(const struct judge *j, const uint8_t *at)
{
    static const struct {
        be32 ip;
        uint8_t prefix;
    } inside[] = {
        {BE_IP4(10, 0, 0, 0), 8},         {BE_IP4(172, 16, 0, 0), 12},
        {BE_IP4(192, 168, 0, 0), 16},     {BE_IP4(127, 0, 0, 0), 8},
        {BE_IP4(169, 254, 0, 0), 16},     {BE_IP4(0, 0, 0, 0), 8},
        {BE_IP4(255, 255, 255, 255), 32},
    };
    be32 ip = load_raw32(at);

    for (unsigned i = 0; i < ARRAY_COUNT(inside); i++)
        if (!((ip ^ inside[i].ip) & prefix_mask(inside[i].prefix)))
            return true;
    return j->is_ours(j->ctx, ip);
}

static bool ip6_inside(const struct judge *j, const uint8_t *at)
{
    static const uint8_t zeros[12] = {0};
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    static const uint8_t translated[12] = {0x00, 0x64, 0xFF, 0x9B}; /* RFC 6052 */

    if ((at[0] & 0xFE) == 0xFC || (at[0] == 0xFE && at[1] >= 0x80)) /* unique, link, site local */
        return true;
    if (memcmp(at, zeros, 12) == 0 || memcmp(at, mapped, 12) == 0 ||
        memcmp(at, translated, 12) == 0)
        return ip4_inside(j, at + 12); /* :: and ::1 are in 0.0.0.0/8 */
    return false;
}

static bool any_inside(const struct judge *j, const uint8_t *at, size_t n, size_t each)
{
    for (; n >= each; at += each, n -= each)
        if (each == 4 ? ip4_inside(j, at) : ip6_inside(j, at))
            return true;
    return false;
}

/* Priority, a name without compression, then parameters: key, length, value (RFC 9460,
 * section 2.2). What is malformed ends the search; so it does for those who would use it. */
static bool hints_inside(const struct judge *j, const uint8_t *data, size_t n)
{
    size_t at = 2;

    while (at < n && data[at] != 0 && data[at] <= DNS_MAX_LABEL_BYTES)
        at += 1u + data[at];
    for (at++; at + 4 <= n;) {
        unsigned key = load_be16(data + at), bytes = load_be16(data + at + 2);
        at += 4;
        if (bytes > n - at)
            return false;
        if ((key == SVCB_IP4_HINT && any_inside(j, data + at, bytes, 4)) ||
            (key == SVCB_IP6_HINT && any_inside(j, data + at, bytes, 16)))
            return true;
        at += bytes;
    }
    return false;
}

static bool record_inside(const struct judge *j, const uint8_t *message, const struct dns_record *r)
{
    const uint8_t *data = message + r->data_at;

    switch (r->type) {
    case DNS_TYPE_A:
        return any_inside(j, data, r->data_bytes, 4);
    case DNS_TYPE_AAAA:
        return any_inside(j, data, r->data_bytes, 16);
    case DNS_TYPE_SVCB:
    case DNS_TYPE_HTTPS:
        return hints_inside(j, data, r->data_bytes);
    default:
        return false;
    }
}

enum dns_rebind dns_rebind_judge(const uint8_t *message, size_t n, const struct dns_question *q,
                                 bool (*is_ours)(void *ctx, be32 ip), void *ctx)
{
    struct judge j = {is_ours, ctx};
    struct dns_records records;
    struct dns_record record;
    int more;

    dns_records_begin(&records, message, n, q);
    while ((more = dns_records_next(&records, &record)) > 0)
        if (record_inside(&j, message, &record))
            return DNS_REBIND_INSIDE;
    if (more < 0 && !(load_be16(message + DNS_FLAGS_OFF) & DNS_FLAG_TRUNCATED))
        return DNS_REBIND_UNREADABLE;
    return DNS_REBIND_NONE;
}
