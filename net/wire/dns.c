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

/* An answer being written. */
struct writer {
    uint8_t *to;
    size_t room, used;
};

/* Header and question. False if there is no room. */
static bool put_head(struct writer *w, const uint8_t *query, const struct dns_question *q,
                     unsigned flags)
{
    unsigned kept = DNS_FLAG_OPCODE | DNS_FLAG_RECURSION_DESIRED | DNS_FLAG_CHECKING_DISABLED;
    size_t n = DNS_HDR_BYTES + (q ? q->bytes : 0u);

    if (w->room < n)
        return false;
    memset(w->to, 0, DNS_HDR_BYTES);
    memcpy(w->to + DNS_ID_OFF, query + DNS_ID_OFF, 2);
    store_be16(w->to + DNS_FLAGS_OFF,
               (uint16_t)((load_be16(query + DNS_FLAGS_OFF) & kept) | DNS_FLAG_RESPONSE |
                          DNS_FLAG_RECURSION_AVAILABLE | flags));
    if (q) {
        store_be16(w->to + DNS_QDCOUNT_OFF, 1);
        memcpy(w->to + DNS_HDR_BYTES, query + DNS_HDR_BYTES, q->bytes);
    }
    w->used = n;
    return true;
}

/* A record, its name being that at offset at of the message (0: the root). False, and nothing is
 * written, if there is no room. */
static bool put_record(struct writer *w, size_t at, uint16_t type, uint32_t ttl_s,
                       const uint8_t *data, size_t bytes)
{
    uint8_t *p = w->to + w->used;
    size_t name = at ? 2 : 1;

    if (w->room - w->used < name + 10 + bytes)
        return false;
    if (at)
        store_be16(p, (uint16_t)(0xC000u | at));
    else
        p[0] = 0;
    store_be16(p + name, type);
    store_be16(p + name + 2, DNS_CLASS_IN);
    store_be32(p + name + 4, ttl_s);
    store_be16(p + name + 8, (uint16_t)bytes);
    memcpy(p + name + 10, data, bytes);
    w->used += name + 10 + bytes;
    return true;
}

size_t dns_append_opt(uint8_t *answer, size_t n, bool dnssec_ok)
{
    /* That DNSSEC is understood is said back (RFC 3225, section 3). */
    const uint8_t opt[DNS_OPT_BYTES] = {
        0, 0, DNS_TYPE_OPT, DNS_EDNS_BYTES >> 8, DNS_EDNS_BYTES & 255, 0, 0, dnssec_ok ? 0x80 : 0};

    memcpy(answer + n, opt, sizeof(opt));
    store_be16(answer + DNS_ARCOUNT_OFF, (uint16_t)(load_be16(answer + DNS_ARCOUNT_OFF) + 1));
    return n + sizeof(opt);
}

size_t dns_truncate(uint8_t *answer, const struct dns_question *q)
{
    store_be16(answer + DNS_FLAGS_OFF,
               (uint16_t)(load_be16(answer + DNS_FLAGS_OFF) | DNS_FLAG_TRUNCATED));
    memset(answer + DNS_ANCOUNT_OFF, 0, DNS_HDR_BYTES - DNS_ANCOUNT_OFF);
    return DNS_HDR_BYTES + (size_t)q->bytes;
}

/* An OPT if the query had one. */
static void put_opt(struct writer *w, const uint8_t *query, size_t n, const struct dns_question *q)
{
    if (has_opt(query, n, q) && w->room - w->used >= DNS_OPT_BYTES)
        w->used = dns_append_opt(w->to, w->used, query[DNS_HDR_BYTES + q->bytes + 7] & 0x80);
}

size_t dns_write_error(uint8_t *to, size_t room, const uint8_t *query, size_t n,
                       const struct dns_question *q, enum dns_rcode code)
{
    struct writer w = {to, room, 0};

    if (put_head(&w, query, q, code) && q)
        put_opt(&w, query, n, q);
    return w.used;
}

size_t dns_write_record(uint8_t *to, size_t room, const uint8_t *query, size_t n,
                        const struct dns_question *q, uint16_t type, const uint8_t *data,
                        size_t bytes, uint32_t ttl_s)
{
    struct writer w = {to, room, 0};

    if (!put_head(&w, query, q, DNS_FLAG_AUTHORITATIVE))
        return 0;
    if (put_record(&w, DNS_HDR_BYTES, type, ttl_s, data, bytes))
        store_be16(to + DNS_ANCOUNT_OFF, 1);
    put_opt(&w, query, n, q);
    return w.used;
}

size_t dns_write_none(uint8_t *to, size_t room, const uint8_t *query, size_t n,
                      const struct dns_question *q, enum dns_rcode code, size_t zone_chars,
                      uint32_t ttl_s)
{
    /* Server: the zone's own name; mailbox: nobody.invalid; then serial, refresh, retry, expire and
     * minimum, as RFC 6303, section 3 has them but for the last. */
    uint8_t data[2 + 16 + 20] =
        "\0\0\6nobody\7invalid\0\0\0\0\1\0\0\x0E\x10\0\0\4\xB0\0\x09\x3A\x80";
    struct writer w = {to, room, 0};
    /* A name takes as many bytes as its text and two; the zone's first label begins at a length. */
    size_t name = q->bytes - 4u, at = zone_chars ? DNS_HDR_BYTES + name - 2 - zone_chars : 0;
    uint8_t *soa = at ? data : data + 1; /* the root is one byte */

    if (!put_head(&w, query, q, DNS_FLAG_AUTHORITATIVE | code))
        return 0;
    if (at)
        store_be16(data, (uint16_t)(0xC000u | at));
    store_be32(data + sizeof(data) - 4, ttl_s);
    if (put_record(&w, at, DNS_TYPE_SOA, ttl_s, soa, (size_t)(data + sizeof(data) - soa)))
        store_be16(to + DNS_NSCOUNT_OFF, 1);
    put_opt(&w, query, n, q);
    return w.used;
}

static size_t encode_labels(uint8_t to[static DNS_MAX_NAME_BYTES], size_t used, const char *text)
{
    while (*text) {
        size_t label = strcspn(text, ".");
        if (label == 0 || label > DNS_MAX_LABEL_BYTES || used + 1 + label >= DNS_MAX_NAME_BYTES)
            return 0;
        to[used] = (uint8_t)label;
        memcpy(to + used + 1, text, label);
        used += 1 + label;
        text += label + (text[label] == '.');
    }
    return used;
}

size_t dns_encode_name(uint8_t to[static DNS_MAX_NAME_BYTES], const char *front, const char *domain)
{
    size_t used = encode_labels(to, 0, front);

    if (used && *domain)
        used = encode_labels(to, used, domain);
    if (!used)
        return 0;
    to[used] = 0;
    return used + 1;
}
