/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A keyed hash of short fixed-size keys for the lookup tables: two rounds of folded 64x64->128-bit
 * multiplication with secret keys drawn at start. It is not a cryptographic hash; the secret keys
 * are what keeps an attacker who never sees a hash value from choosing keys that collide.
 */
#ifndef NET_HASH_H
#define NET_HASH_H

#include "base.h"

struct hash_key {
    uint64_t k[4]; /* random; k[1] and k[2] are made odd by hash_key_init */
};

/* Takes 32 random bytes. */
static inline void hash_key_init(struct hash_key *key, const uint8_t random[32])
{
    memcpy(key->k, random, sizeof(key->k));
    key->k[1] |= 1;
    key->k[2] |= 1;
}

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of two words. */
static inline uint32_t hash_words(const struct hash_key *key, uint64_t a, uint64_t b)
{
    uint64_t h = hash_mix(a ^ key->k[0], b ^ key->k[1]);
    h = hash_mix(h ^ key->k[2], key->k[3] ^ a);
    return (uint32_t)h; /* each of its bits is one of the upper half of a product, too */
}

/* Of 16 bytes at p. */
static inline uint32_t hash_16(const struct hash_key *key, const void *p)
{
    uint64_t words[2];
    memcpy(words, p, sizeof(words));
    return hash_words(key, words[0], words[1]);
}

#endif
