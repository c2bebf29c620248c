/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the benches share: how long a tick of the time stamp counter is.
 */
#ifndef TESTS_BENCH_CYCLES_H
#define TESTS_BENCH_CYCLES_H

#include <stdint.h>
#include <time.h>
#include <x86intrin.h>

static inline int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Measured over 50 ms. */
static inline double ns_per_cycle(void)
{
    int64_t began_ns = clock_ns(), ns;
    uint64_t began = __rdtsc();
    do {
        ns = clock_ns() - began_ns;
    } while (ns < 50 * 1000 * 1000);
    return (double)ns / (double)(__rdtsc() - began);
}

#endif
