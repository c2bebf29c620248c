/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The CPU's local APIC: it takes message-signalled interrupts, passes the legacy lines on, and has
 * the timer.
 */
#ifndef APIC_H
#define APIC_H

#include "base.h"

#define APIC_VECTOR_TIMER    0xF0
#define APIC_VECTOR_ERROR    0xF1
#define APIC_VECTOR_SPURIOUS 0xFF

/* Enables it, the timer masked. with_pic: the legacy controller's requests come in on LINT0. */
void apic_init(bool with_pic);

/* End of interrupt, for every vector but the spurious one and those of the legacy lines. */
void apic_end(void);

/* Where a device writes to raise an interrupt on this CPU (SDM vol. 3, 11.11). */
uint64_t apic_msi_address(void);

/* One-shot timer, counting the bus clock down by apic_timer_set, or the time-stamp counter to a
 * deadline. */
#define APIC_TIMER_DIVIDER 16
void apic_timer_use_deadline(bool deadline);
void apic_timer_set(uint32_t count); /* 0 stops it */
uint32_t apic_timer_left(void);

#endif
