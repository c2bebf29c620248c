/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Walking the records of a DNS message; see dns_records.h.
 */
#include "net/wire/dns_records.h"

#define FIXED_BYTES   10 /* type, class, TTL and length, behind the name */
#define POINTER       0xC0u
#define OPTION_SUBNET 8

size_t dns_skip_name(const uint8_t *message, size_t n, size_t at)
{
    size_t end = 0; /* of the name in its place, once a pointer has been followed */
    size_t limit = at, length = 0;

    for (;;) {
        if (at >= n)
            return 0;
        uint8_t label = message[at];
        if (label >= POINTER) {
            if (n - at < 2)
                return 0;
            size_t to = load_be16(message + at) & 0x3FFFu;
            if (!end)
                end = at + 2;
            /* Only before where this part of the name began, so that there is an end to it. */
            if (to >= limit || to < DNS_HDR_BYTES)
                return 0;
            at = limit = to;
            continue;
        }
        if (label > DNS_MAX_LABEL_BYTES)
            return 0;
        at += 1u + label;
        length += 1u + label;
        if (length > DNS_MAX_NAME_BYTES)
            return 0;
        if (label == 0)
            return end ? end : at;
    }
}

void dns_records_begin(struct dns_records *r, const uint8_t *message, size_t n,
                       const struct dns_question *q)
{
    r->message = message;
    r->n = n;
    r->at = DNS_HDR_BYTES + (size_t)q->bytes;
    r->section = DNS_ANSWER;
    r->left = load_be16(message + DNS_ANCOUNT_OFF);
}

int dns_records_next(struct dns_records *r, struct dns_record *record)
{
    while (r->left == 0) {
        if (r->section == DNS_ADDITIONAL)
            return 0;
        r->section++;
        r->left = load_be16(r->message + DNS_ANCOUNT_OFF + 2 * r->section);
    }
    size_t at = dns_skip_name(r->message, r->n, r->at);
    if (!at || r->n - at < FIXED_BYTES)
        return -EBADMSG;
    const uint8_t *fixed = r->message + at;
    *record = (struct dns_record){
        .section = (enum dns_section)r->section,
        .type = load_be16(fixed),
        .class = load_be16(fixed + 2),
        .ttl_s = load_be32(fixed + 4),
        .at = r->at,
        .ttl_at = at + 4,
        .data_at = at + FIXED_BYTES,
        .data_bytes = load_be16(fixed + 8),
    };
    if (record->data_bytes > r->n - record->data_at)
        return -EBADMSG;
    r->at = record->data_at + record->data_bytes;
    r->left--;
    return 1;
}

bool dns_read_opt(struct dns_opt *opt, const uint8_t *message, const struct dns_record *record)
{
    const uint8_t *data = message + record->data_at;
    size_t left = record->data_bytes;

    /* Its name is the root, one byte. */
    if (record->type != DNS_TYPE_OPT || record->section != DNS_ADDITIONAL ||
        record->ttl_at != record->at + 5)
        return false;
    *opt = (struct dns_opt){
        .present = true,
        .dnssec_ok = record->ttl_s & 0x8000u,
        .version = (uint8_t)(record->ttl_s >> 16),
        .extended_rcode = (uint8_t)(record->ttl_s >> 24),
        .size = MAX(record->class, 512),
        .at = record->at,
        .bytes = record->data_at + record->data_bytes - record->at,
    };
    while (left > 0) {
        if (left < 4 || load_be16(data + 2) > left - 4)
            return false;
        opt->client_subnet |= load_be16(data) == OPTION_SUBNET;
        size_t bytes = 4u + load_be16(data + 2);
        data += bytes;
        left -= bytes;
    }
    return true;
}

bool dns_read_query_opt(struct dns_opt *opt, const uint8_t *query, size_t n,
                        const struct dns_question *q)
{
    struct dns_records r;
    struct dns_record record;

    *opt = dns_no_opt();
    if (load_raw16(query + DNS_ANCOUNT_OFF) || load_raw16(query + DNS_NSCOUNT_OFF))
        return false;
    dns_records_begin(&r, query, n, q);
    int more = dns_records_next(&r, &record);
    if (more == 0)
        return r.at == n;
    return more > 0 && dns_read_opt(opt, query, &record) && r.left == 0 && r.at == n;
}
