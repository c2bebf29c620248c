/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ChaCha20 block function (RFC 8439, 2.3). Pure.
 */
#ifndef CHACHA20_H
#define CHACHA20_H

#include "base.h"

#define CHACHA20_KEY_BYTES   32
#define CHACHA20_NONCE_BYTES 12
#define CHACHA20_BLOCK_BYTES 64

void chacha20_block(uint8_t out[CHACHA20_BLOCK_BYTES], const uint8_t key[CHACHA20_KEY_BYTES],
                    uint32_t counter, const uint8_t nonce[CHACHA20_NONCE_BYTES]);

#endif
