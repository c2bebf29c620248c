/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random bytes that an attacker cannot guess: RDSEED, RDRAND, virtio-rng and timing jitter mixed
 * into a ChaCha20 generator (RFC 8439) that overwrites its key after every use.
 */
#ifndef ENTROPY_H
#define ENTROPY_H

#include "base.h"

/* Stirs bytes from a source into the generator; more of a poor source never makes it worse. What is
 * filled later depends on them, whatever the generator had ready. */
void entropy_mix(const void *bytes, size_t n);

/* Stirs in what the machine gives at any time: RDSEED, RDRAND, timing jitter. About a millisecond.
 */
void entropy_gather(void);

/* Fills to with n random bytes. Usable as soon as app_main runs. */
void entropy_fill(void *to, size_t n);

/* For tests only (seed=): makes every later byte a function of seed. */
void entropy_seed_for_tests(uint64_t seed);

#endif
