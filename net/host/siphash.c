/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SipHash-2-4; see siphash.h. Checked against the vector of the paper's appendix A.
 */
#include "net/host/siphash.h"

static uint64_t rotate(uint64_t v, unsigned by)
{
    return v << by | v >> (64 - by);
}

static void rounds(uint64_t v[4], unsigned count)
{
    while (count-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

uint64_t siphash(const uint64_t key[2], const uint8_t *bytes, size_t n)
{
    uint64_t v[4] = {key[0] ^ 0x736F6D6570736575u, key[1] ^ 0x646F72616E646F6Du,
                     key[0] ^ 0x6C7967656E657261u, key[1] ^ 0x7465646279746573u};
    size_t at = 0;
    bool last = false;

    while (!last) {
        uint64_t word = 0;
        size_t part = MIN(n - at, 8);
        last = part < 8;
        memcpy(&word, bytes + at, part);
        if (last)
            word |= (uint64_t)(n & 0xFF) << 56;
        v[3] ^= word;
        rounds(v, 2);
        v[0] ^= word;
        at += part;
    }
    v[2] ^= 0xFF;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
