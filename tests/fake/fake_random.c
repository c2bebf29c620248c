/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See fake_random.h: Marsaglia's xorshift of 64 bits, of which the upper half is used.
 */
#include "tests/fake/fake_random.h"

uint64_t rnd_state = 88172645463325252ull;

uint32_t rnd(uint32_t below)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;
    return (uint32_t)(rnd_state >> 32) % below;
}
