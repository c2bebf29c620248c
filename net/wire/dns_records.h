/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The records of a DNS message behind its question (RFC 1035, section 4.1.3), one after the other.
 * Names are followed as RFC 9267 asks: pointers lead only backwards, and a name has at most 255
 * bytes, so that no message makes the reader go round.
 */
#ifndef NET_WIRE_DNS_RECORDS_H
#define NET_WIRE_DNS_RECORDS_H

#include "net/wire/dns.h"

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

struct dns_record {
    enum dns_section section;
    uint16_t type, class;
    uint32_t ttl_s;
    size_t at;     /* offset of its name */
    size_t ttl_at; /* of its TTL */
    size_t data_at, data_bytes;
};

struct dns_records {
    const uint8_t *message;
    size_t n, at;
    unsigned section;
    uint16_t left; /* in this section */
};

/* The message must stay while it is read; its question has been read. */
void dns_records_begin(struct dns_records *r, const uint8_t *message, size_t n,
                       const struct dns_question *q);

/* The next record: 1; 0 after the last; -EBADMSG if it is cut short or its name is malformed. */
int dns_records_next(struct dns_records *r, struct dns_record *record);

/* Offset behind the name at offset at, or 0 if it is malformed. */
size_t dns_skip_name(const uint8_t *message, size_t n, size_t at);

/* The OPT of a query or answer (RFC 6891, section 6.1). */
struct dns_opt {
    bool present;
    bool dnssec_ok;
    bool client_subnet; /* RFC 7871: what is answered holds for some only */
    uint8_t version, extended_rcode;
    uint16_t size;    /* what the sender can take by UDP; 512 without an OPT */
    size_t at, bytes; /* the record's place */
};

/* Without an OPT. */
static inline struct dns_opt dns_no_opt(void)
{
    return (struct dns_opt){.size = 512};
}

/* Reads a record that is an OPT. False if it is none as RFC 6891 has them, or its options do not
 * fit in it. */
bool dns_read_opt(struct dns_opt *opt, const uint8_t *message, const struct dns_record *record);

/* True if a query is nothing but a question and perhaps an OPT, which is then read. */
bool dns_read_query_opt(struct dns_opt *opt, const uint8_t *query, size_t n,
                        const struct dns_question *q);

#endif
