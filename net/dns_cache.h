/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Answers of servers, kept for as long as they allow: RFC 1035, section 7.4 and RFC 2308.
 *
 * Theory of operation. An entry is a whole message as it came, but for its OPT, known by its
 * question (without regard to case) and by those bits of the query that change the answer. It lives
 * as long as the shortest TTL of its records; that there is no such name or record, as long as the
 * SOA says; a failure, a moment (RFC 9520, section 3.2), so that its question is not asked of dead
 * servers by every host. What comes out of the cache has the TTLs that are left.
 *
 * The memory is cut into blocks. An entry is a chain of them, most often of one; the entries stand
 * in the order of their last use, and where room is wanted the one used longest ago goes. Nothing
 * ticks: what is over is found out when it is asked for.
 *
 * Whether a host may hear an answer is decided before the cache is looked into, as all who may ask
 * about a name are answered by the same servers.
 */
#ifndef NET_DNS_CACHE_H
#define NET_DNS_CACHE_H

#include "base.h"
#include "net/hash.h"
#include "net/wire/dns.h"

#define DNS_CACHE_MIN_BYTES      (64u << 10)
#define DNS_CACHE_MESSAGE_BYTES  4096u /* longer ones are not kept */
#define DNS_CACHE_MAX_TTL_S      86400u
#define DNS_CACHE_MAX_NEGATIVE_S 3600u
#define DNS_CACHE_FAILURE_S      2u

/* Bits of the query that are part of the key. */
#define DNS_CACHE_DNSSEC_OK         1u
#define DNS_CACHE_CHECKING_DISABLED 2u
#define DNS_CACHE_AUTHENTIC_DATA    4u

struct dns_cache_block;

struct dns_cache {
    struct hash_key key;
    struct dns_cache_block *blocks;
    uint32_t *buckets;
    uint32_t block_count, bucket_mask;
    uint32_t never_used;     /* blocks from here on */
    uint32_t free;           /* chain */
    uint32_t newest, oldest; /* by last use */
    uint32_t entries;
    uint64_t hits, misses, evicted;
};

/* Takes about that many bytes (DNS_CACHE_MIN_BYTES at least) from alloc: -ENOMEM. random: 32 bytes.
 */
int dns_cache_init(struct dns_cache *c, size_t bytes, const uint8_t *random, alloc_fn alloc);

/* Copies the answer to the question q of message, without OPT and with the TTLs that are left, to
 * to, which has room for DNS_CACHE_MESSAGE_BYTES; its length, or 0. Its id is that of the
 * query that was sent for it; the name of its question is in small letters. */
size_t dns_cache_find(struct dns_cache *c, const uint8_t *message, const struct dns_question *q,
                      unsigned flags, uint8_t *to, uint32_t now_s);

/* Keeps the answer of a server, if it can be kept: well formed to its last byte, not truncated, and
 * with a time to live. Replaces an earlier one, but a failure none that still holds. */
void dns_cache_keep(struct dns_cache *c, const uint8_t *message, size_t n,
                    const struct dns_question *q, unsigned flags, uint32_t now_s);

/* Forgets everything. */
void dns_cache_flush(struct dns_cache *c);

#endif
