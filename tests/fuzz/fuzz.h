/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the targets share: the function that libFuzzer calls, and the word with which they judge.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>

#define REQUIRE(cond)                                                                              \
    do {                                                                                           \
        if (!(cond))                                                                               \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

#endif
