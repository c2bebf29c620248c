/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The case of a name's letters, which means nothing to DNS (RFC 4343) and is kept by nearly every
 * server: so a question can carry a secret (draft-vixie-dnsext-dns0x20), if whoever asked gets his
 * own letters back.
 */
#ifndef NET_WIRE_DNS_LETTERS_H
#define NET_WIRE_DNS_LETTERS_H

#include "net/wire/dns.h"

#define DNS_QUESTION_ROOM ALIGN_UP(DNS_MAX_NAME_BYTES + 4, 8) /* a question, in whole words */

/* A bit for each byte of a name; set: it is a capital. */
struct dns_letters {
    uint8_t capital[(DNS_MAX_NAME_BYTES + 7) / 8];
};

/* Of the n bytes of a name as a message has it, without pointers. */
void dns_letters_read(struct dns_letters *l, const uint8_t *name, size_t n);

/* Gives the letters of the name that case; bits of bytes that are no letters do not matter. */
void dns_letters_write(const struct dns_letters *l, uint8_t *name, size_t n);

/* Writes the question, n bytes long, with the name in small letters, and zeros to the end of its
 * last word. */
void dns_letters_small(uint8_t to[static DNS_QUESTION_ROOM], const uint8_t *question, size_t n);

/* True if these are the same question, n bytes long each, but for the case of the name's letters.
 */
bool dns_letters_same(const uint8_t *a, const uint8_t *b, size_t n);

#endif
