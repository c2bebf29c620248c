/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See random.h. Blocks for output and for stirring have different nonces, so that no block is ever
 * both.
 */
#include "random.h"

static const uint8_t nonce_output[CHACHA20_NONCE_BYTES] = "output";
static const uint8_t nonce_stir[CHACHA20_NONCE_BYTES] = "stir";

/* Half a block of input at a time: xor it into the key and let the cipher spread it over the next.
 * The number of the block goes in as the counter, the length of a short one into its last byte. */
void random_mix(struct random *r, const void *bytes, size_t n)
{
    const uint8_t *from = bytes;
    uint32_t counter = 0;
    while (n > 0) {
        size_t part = MIN(n, (size_t)CHACHA20_KEY_BYTES - 1);
        for (size_t i = 0; i < part; i++)
            r->key[i] ^= from[i];
        r->key[CHACHA20_KEY_BYTES - 1] ^= (uint8_t)part;
        uint8_t block[CHACHA20_BLOCK_BYTES];
        chacha20_block(block, r->key, counter++, nonce_stir);
        memcpy(r->key, block, CHACHA20_KEY_BYTES);
        from += part;
        n -= part;
    }
    r->left = 0; /* the rest of the pool does not know of them yet */
}

static void refill(struct random *r)
{
    for (uint32_t i = 0; i < RANDOM_BLOCKS; i++)
        chacha20_block(r->pool + i * CHACHA20_BLOCK_BYTES, r->key, i, nonce_output);
    memcpy(r->key, r->pool, CHACHA20_KEY_BYTES);
    memset(r->pool, 0, CHACHA20_KEY_BYTES);
    r->left = RANDOM_POOL_BYTES - CHACHA20_KEY_BYTES;
}

void random_fill(struct random *r, void *to, size_t n)
{
    uint8_t *at = to;
    while (n > 0) {
        if (r->left == 0)
            refill(r);
        size_t part = MIN(n, r->left);
        uint8_t *from = r->pool + RANDOM_POOL_BYTES - r->left;
        memcpy(at, from, part);
        memset(from, 0, part);
        r->left -= part;
        at += part;
        n -= part;
    }
}
