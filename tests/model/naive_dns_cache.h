/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What an answer cache may give back, by the letter of RFC 1035 and RFC 2308: a list of the answers
 * it was ever given, read with a reader of its own.
 */
#ifndef NAIVE_DNS_CACHE_H
#define NAIVE_DNS_CACHE_H

#include "base.h"

#define NAIVE_DNS_ANSWERS 4096

struct naive_dns_answer {
    uint8_t bytes[4096];
    size_t n;
    unsigned flags;
    uint32_t now_s, ttl_s; /* when it came, and for how long it holds; 0: not at all */
};

struct naive_dns_cache {
    unsigned count;
    struct naive_dns_answer answers[NAIVE_DNS_ANSWERS];
};

/* The message, its question ending at head, came. */
void naive_dns_cache_keep(struct naive_dns_cache *c, const uint8_t *bytes, size_t n, size_t head,
                          unsigned flags, uint32_t now_s);

/* Writes to to what the last answer to this question has become; 0: none holds any more. */
size_t naive_dns_cache_find(const struct naive_dns_cache *c, const uint8_t *message, size_t head,
                            unsigned flags, uint8_t *to, uint32_t now_s);

#endif
