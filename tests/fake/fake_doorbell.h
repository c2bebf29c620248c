/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A register that is plain memory, but has a device act as soon as it is written: for what a driver
 * does between two such writes.
 */
#ifndef FAKE_DOORBELL_H
#define FAKE_DOORBELL_H

#include "base.h"

/* From now on rung() is called after each write to this register, by the instruction's end. It may
 * access all memory. NULL: no more. There is one doorbell at a time. */
void fake_doorbell(void *reg, void (*rung)(void));

#endif
