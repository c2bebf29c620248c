/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How fast the time-stamp counter and the APIC timer run.
 */
#ifndef TSC_H
#define TSC_H

#include "base.h"

struct tsc_rates {
    uint64_t tsc_hz;
    uint64_t apic_hz;   /* of the APIC timer after its divider; 0 if not asked for */
    const char *source; /* for people */
};

/* Finds the rates, that of the APIC timer only if want_apic. Takes some 8 ms if they must be
 * measured. False if the machine has nothing to measure by. Needs the APIC and the ACPI tables. */
bool tsc_find_rates(bool want_apic, struct tsc_rates *rates);

#endif
