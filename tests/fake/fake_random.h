/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Numbers for tests at random: in every run the same, so that what fails does so again.
 */
#ifndef FAKE_RANDOM_H
#define FAKE_RANDOM_H

#include "base.h"

/* Where the numbers stand; never 0. A test may begin elsewhere. */
extern uint64_t rnd_state;

/* A number below that one. */
uint32_t rnd(uint32_t below);

/* One of an array's. */
#define PICK(array) ((array)[rnd(ARRAY_COUNT(array))])

#endif
