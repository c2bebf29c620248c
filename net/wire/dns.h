/* SPDX-License-Identifier: BSD-3-Clause
 *
 * DNS messages (RFC 1035, section 4; EDNS: RFC 6891), as far as a forwarder looks into them: the
 * header, the one question, whether there is an OPT record; and answers made by the router itself.
 */
#ifndef NET_WIRE_DNS_H
#define NET_WIRE_DNS_H

#include "base.h"

#define DNS_PORT        53
#define DNS_HDR_BYTES   12
#define DNS_ID_OFF      0
#define DNS_FLAGS_OFF   2
#define DNS_QDCOUNT_OFF 4
#define DNS_ANCOUNT_OFF 6
#define DNS_NSCOUNT_OFF 8
#define DNS_ARCOUNT_OFF 10

/* Of the flags in host order. */
#define DNS_FLAG_RESPONSE            0x8000u
#define DNS_FLAG_OPCODE              0x7800u
#define DNS_FLAG_AUTHORITATIVE       0x0400u
#define DNS_FLAG_TRUNCATED           0x0200u
#define DNS_FLAG_RECURSION_DESIRED   0x0100u
#define DNS_FLAG_RECURSION_AVAILABLE 0x0080u
#define DNS_FLAG_RESERVED            0x0040u
#define DNS_FLAG_AUTHENTIC_DATA      0x0020u
#define DNS_FLAG_CHECKING_DISABLED   0x0010u
#define DNS_FLAG_RCODE               0x000Fu

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5
};
enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_DS = 43,
    DNS_TYPE_DNSKEY = 48,
    DNS_TYPE_SVCB = 64,
    DNS_TYPE_HTTPS = 65,
    DNS_TYPE_FIRST_META = 128, /* types of questions only, to the last one, ANY (RFC 6895) */
    DNS_TYPE_ANY = 255
};
enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_ANY = 255 };

#define DNS_OPT_BYTES       11   /* without options */
#define DNS_OPT_SIZE_OFF    3    /* from its name, which is the root */
#define DNS_EDNS_BYTES      1232 /* what passes everywhere in one piece (IPv6's least MTU) */
#define DNS_MAX_NAME_BYTES  255  /* encoded, with lengths and root (RFC 1035, section 2.3.4) */
#define DNS_MAX_LABEL_BYTES 63

struct dns_question {
    uint16_t bytes; /* from the end of the header: name, type and class */
    uint16_t type, class;
};

/* Reads the question of a message that has exactly one. A compressed name is refused: there is
 * nothing before the first name that it could point to. False if it is cut short or otherwise
 * malformed. */
bool dns_read_question(struct dns_question *q, const uint8_t *message, size_t n);

/* The question's name as text without the last dot. A byte that no host name has (a dot inside a
 * label, too) is a '?', so that every name has a text, and none of ours is any of those. The root
 * is "". */
void dns_name_text(char to[static DNS_MAX_NAME_BYTES], const uint8_t *message,
                   const struct dns_question *q);

/* An answer to a query without records but with this code, as long as fits in room; its length. q
 * NULL: the question could not be read and is not repeated. */
size_t dns_write_error(uint8_t *to, size_t room, const uint8_t *query, size_t n,
                       const struct dns_question *q, enum dns_rcode code);

/* An answer with one record of this type for the name that was asked for. */
size_t dns_write_record(uint8_t *to, size_t room, const uint8_t *query, size_t n,
                        const struct dns_question *q, uint16_t type, const uint8_t *data,
                        size_t bytes, uint32_t ttl_s);

/* An answer without records, or that there is no such name (code), from who has the zone: with the
 * SOA that says how long it may be kept (RFC 2308). zone_chars: how much of the question's name as
 * text, counted from its end, is the zone's; 0 is the root. */
size_t dns_write_none(uint8_t *to, size_t room, const uint8_t *query, size_t n,
                      const struct dns_question *q, enum dns_rcode code, size_t zone_chars,
                      uint32_t ttl_s);

/* Cuts an answer to its question, and says so (TC); its length. */
size_t dns_truncate(uint8_t *answer, const struct dns_question *q);

/* Puts an OPT of ours behind an answer that has none; DNS_OPT_BYTES are free there. Its length. */
size_t dns_append_opt(uint8_t *answer, size_t n, bool dnssec_ok);

/* Writes the name that is front with domain ("": none) behind it, both as text, as a message has
 * it; its length, or 0 if there is no such name. */
size_t dns_encode_name(uint8_t to[static DNS_MAX_NAME_BYTES], const char *front,
                       const char *domain);

#endif
