/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What lwIP asks of a compiler and a platform (its arch.h). Included only by lwIP's own headers.
 */
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <stdint.h>

#include "check.h"

/* An assertion of lwIP's is one of ours: it stays on in the image, and it panics. */
#define LWIP_PLATFORM_ASSERT(text) check_failed(__FILE__, __LINE__, text)
#define LWIP_PLATFORM_DIAG(args)                                                                   \
    do {                                                                                           \
    } while (0)

/* Random bytes for transaction ids, ports and the like come from the machine's generator. */
uint32_t host_random_word(void);
#define LWIP_RAND() host_random_word()

#endif
