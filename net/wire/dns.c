/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading a DNS question, writing small answers; see dns.h.
 */
#include "net/wire/dns.h"

#include "check.h"

bool dns_read_question(struct dns_question *q, const uint8_t *message, size_t n)
{
    size_t at = DNS_HDR_BYTES;

    if (n < DNS_HDR_BYTES || load_be16(message + DNS_QDCOUNT_OFF) != 1)
        return false;
    for (;;) {
        if (at >= n || message[at] > DNS_MAX_LABEL_BYTES)
            return false;
        uint8_t label = message[at];
        at += 1u + label;
        if (at - DNS_HDR_BYTES > DNS_MAX_NAME_BYTES)
            return false;
        if (label == 0)
            break;
    }
    if (n - at < 4)
        return false;
    q->type = load_be16(message + at);
    q->class = load_be16(message + at + 2);
    q->bytes = (uint16_t)(at + 4 - DNS_HDR_BYTES);
    return true;
}

void dns_name_text(char to[static DNS_MAX_NAME_BYTES], const uint8_t *message,
                   const struct dns_question *q)
{
    const uint8_t *at = message + DNS_HDR_BYTES;
    size_t used = 0;

    /* Each label takes as much here as there, its length being the dot, and the first has none. */
    CHECK(q->bytes <= DNS_MAX_NAME_BYTES + 4);
    for (; *at != 0; at += 1 + *at) {
        if (used > 0)
            to[used++] = '.';
        for (unsigned i = 1; i <= *at; i++) {
            uint8_t c = at[i];
            to[used++] = c <= ' ' || c >= 0x7F || c == '.' ? '?' : (char)c;
        }
    }
    to[used] = '\0';
}

/* True if the query's only further record is an OPT, as resolvers send it: RFC 6891, section 6.1.1
 * wants one back. */
static bool has_opt(const uint8_t *query, size_t n, const struct dns_question *q)
{
    size_t at = DNS_HDR_BYTES + q->bytes;

    return load_raw16(query + DNS_ANCOUNT_OFF) == 0 && load_raw16(query + DNS_NSCOUNT_OFF) == 0 &&
           load_be16(query + DNS_ARCOUNT_OFF) == 1 && n >= at + 11 && query[at] == 0 &&
           load_be16(query + at + 1) == DNS_TYPE_OPT;
}

/* Header and question; the answer's length so far, or 0 if there is no room. */
static size_t write_head(uint8_t *to, size_t room, const uint8_t *query,
                         const struct dns_question *q, unsigned flags)
{
    size_t n = DNS_HDR_BYTES + (q ? q->bytes : 0u);
    unsigned kept = DNS_FLAG_OPCODE | DNS_FLAG_RECURSION_DESIRED | DNS_FLAG_CHECKING_DISABLED;

    if (room < n)
        return 0;
    memset(to, 0, DNS_HDR_BYTES);
    memcpy(to + DNS_ID_OFF, query + DNS_ID_OFF, 2);
    store_be16(to + DNS_FLAGS_OFF,
               (uint16_t)((load_be16(query + DNS_FLAGS_OFF) & kept) | DNS_FLAG_RESPONSE |
                          DNS_FLAG_RECURSION_AVAILABLE | flags));
    if (q) {
        store_be16(to + DNS_QDCOUNT_OFF, 1);
        memcpy(to + DNS_HDR_BYTES, query + DNS_HDR_BYTES, q->bytes);
    }
    return n;
}

static size_t write_opt(uint8_t *to, size_t used, size_t room)
{
    static const uint8_t opt[11] = {0, 0, DNS_TYPE_OPT, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0};

    if (room - used < sizeof(opt))
        return used;
    memcpy(to + used, opt, sizeof(opt));
    store_be16(to + DNS_ARCOUNT_OFF, 1);
    return used + sizeof(opt);
}

size_t dns_write_error(uint8_t *to, size_t room, const uint8_t *query, size_t n,
                       const struct dns_question *q, enum dns_rcode code)
{
    size_t used = write_head(to, room, query, q, code);

    return used && q && has_opt(query, n, q) ? write_opt(to, used, room) : used;
}

size_t dns_write_address(uint8_t *to, size_t room, const uint8_t *query, size_t n,
                         const struct dns_question *q, be32 ip, uint32_t ttl_s)
{
    /* The name is a pointer to the question's. */
    uint8_t record[16] = {0xC0, DNS_HDR_BYTES, 0, DNS_TYPE_A, 0, DNS_CLASS_IN};
    size_t used = write_head(to, room, query, q, DNS_FLAG_AUTHORITATIVE);

    if (used && (q->type == DNS_TYPE_A || q->type == DNS_TYPE_ANY) &&
        room - used >= sizeof(record)) {
        store_be32(record + 6, ttl_s);
        store_be16(record + 10, 4);
        store_raw32(record + 12, ip);
        memcpy(to + used, record, sizeof(record));
        store_be16(to + DNS_ANCOUNT_OFF, 1);
        used += sizeof(record);
    }
    return used && has_opt(query, n, q) ? write_opt(to, used, room) : used;
}
