/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A random generator with fast key erasure over ChaCha20: each refill takes a new key from the
 * stream first and forgets the old one, and bytes given out are wiped, so who reads its state
 * learns nothing about the past. Pure.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include "chacha20.h"

#define RANDOM_BLOCKS     8 /* a refill */
#define RANDOM_POOL_BYTES (RANDOM_BLOCKS * CHACHA20_BLOCK_BYTES)

/* All zeros is a valid start. */
struct random {
    uint8_t key[CHACHA20_KEY_BYTES];
    uint8_t pool[RANDOM_POOL_BYTES];
    size_t left; /* unused bytes, at the end of the pool */
};

/* Stirs bytes in: everything given out later depends on them and on all that was stirred in before.
 */
void random_mix(struct random *r, const void *bytes, size_t n);

void random_fill(struct random *r, void *to, size_t n);

#endif
