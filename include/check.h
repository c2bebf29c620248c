/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Assertions that stay on in the shipped image: they state what our own code guarantees, never what
 * a packet, a device or a loader promises (those are checked with ordinary code and counted). The
 * condition must have no side effects.
 */
#ifndef CHECK_H
#define CHECK_H

#include "base.h"

/* Does not return: the kernel panics (kernel/panic.c), host tests abort (tests/fake/). */
NORETURN void check_failed(const char *file, int line, const char *expression);

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (UNLIKELY(!(cond)))                                                                     \
            check_failed(__FILE__, __LINE__, #cond);                                               \
    } while (0)

#endif
