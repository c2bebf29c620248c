/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ChaCha20 (RFC 8439, 2.1 to 2.3). Numbers are little-endian, as this machine's are.
 */
#include "chacha20.h"

#define DOUBLE_ROUNDS 10

static uint32_t rotate(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

static void quarter_round(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(uint8_t out[CHACHA20_BLOCK_BYTES], const uint8_t key[CHACHA20_KEY_BYTES],
                    uint32_t counter, const uint8_t nonce[CHACHA20_NONCE_BYTES])
{
    /* "expand 32-byte k" */
    uint32_t start[16] = {0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, [12] = counter};
    memcpy(start + 4, key, CHACHA20_KEY_BYTES);
    memcpy(start + 13, nonce, CHACHA20_NONCE_BYTES);

    uint32_t s[16];
    memcpy(s, start, sizeof(s));
    for (unsigned i = 0; i < DOUBLE_ROUNDS; i++) {
        quarter_round(s, 0, 4, 8, 12);
        quarter_round(s, 1, 5, 9, 13);
        quarter_round(s, 2, 6, 10, 14);
        quarter_round(s, 3, 7, 11, 15);
        quarter_round(s, 0, 5, 10, 15);
        quarter_round(s, 1, 6, 11, 12);
        quarter_round(s, 2, 7, 8, 13);
        quarter_round(s, 3, 4, 9, 14);
    }
    for (unsigned i = 0; i < 16; i++)
        store_raw32(out + 4 * i, s[i] + start[i]);
}
