/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CRC-32C by half bytes.
 */
#include "net/wire/crc32c.h"

#define POLYNOMIAL 0x82F63B78u /* 0x1EDC6F41, the lowest bit first */

/* Four steps of the division by the polynomial. */
#define STEP(v)  ((v) >> 1 ^ ((v)&1u ? POLYNOMIAL : 0u))
#define STEPS(v) STEP(STEP(STEP(STEP((uint32_t)(v)))))

static const uint32_t by_half[16] = {
    STEPS(0), STEPS(1), STEPS(2),  STEPS(3),  STEPS(4),  STEPS(5),  STEPS(6),  STEPS(7),
    STEPS(8), STEPS(9), STEPS(10), STEPS(11), STEPS(12), STEPS(13), STEPS(14), STEPS(15),
};

uint32_t crc32c(const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < n; i++) {
        crc ^= at[i];
        crc = crc >> 4 ^ by_half[crc & 15];
        crc = crc >> 4 ^ by_half[crc & 15];
    }
    return ~crc;
}
