/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time since start, and sleeping. Forbidden in net/: services are given the time as an argument.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "base.h"

#define CLOCK_NEVER UINT64_MAX

/* Microseconds since start; never goes back. */
uint64_t clock_now_us(void);

/* Busy-waits; for hardware that needs a pause, at start only. */
void clock_delay_us(uint32_t us);

/* Sleeps until an interrupt comes or until deadline_us (CLOCK_NEVER: no deadline). Interrupts are
 * on only inside this call, so nothing that arrives between the caller's last check and the sleep
 * is lost: it stays pending and ends the sleep at once. May return early. */
void clock_sleep_until(uint64_t deadline_us);

#endif
