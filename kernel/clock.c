/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Theory of operation. Time is the time-stamp counter, turned into microseconds by one
 * multiplication; there is no tick. To sleep, the APIC's one-shot timer is set to the deadline and
 * the CPU halts; where the CPU can, the timer compares with the TSC itself. The timer stays set
 * when something else ends a sleep: it is set anew only for another deadline, or once it has fired,
 * and stopped only for a sleep without one. It may fire before the deadline (its rate is measured,
 * its count has 32 bits, products are rounded); the caller then sleeps once more.
 *
 * A TSC that is not invariant may change its rate on old hardware; every hypervisor keeps it
 * steady.
 */
#include "clock.h"
#include "apic.h"
#include "cpu.h"
#include "init.h"
#include "irq.h"
#include "irq_private.h"
#include "log.h"
#include "power.h"
#include "tsc.h"

/* Fixed-point: microseconds per cycle times 2^43 (10 MHz and up fits), cycles per microsecond times
 * 2^24. */
#define US_SHIFT   43
#define RATE_SHIFT 24
#define US_PER_S   1000000ULL

static uint64_t tsc_at_start;
static uint64_t us_per_cycle;
static uint64_t cycles_per_us;
static uint64_t counts_per_us;
static bool deadline_mode;

static uint64_t last_us;
static uint64_t armed_us = CLOCK_NEVER; /* what the timer is set to; CLOCK_NEVER: not set */
static uint64_t fired;                  /* timer interrupts seen when armed_us was last true */

static uint64_t scale(uint64_t value, uint64_t factor, unsigned shift)
{
    return (uint64_t)((unsigned __int128)value * factor >> shift);
}

uint64_t clock_now_us(void)
{
    uint64_t now_us = scale(rdtsc() - tsc_at_start, us_per_cycle, US_SHIFT);
    /* A hypervisor may set the counter back when it restores or moves the guest. */
    last_us = MAX(now_us, last_us);
    return last_us;
}

void clock_delay_us(uint32_t us)
{
    uint64_t until = rdtsc() + scale(us, cycles_per_us, RATE_SHIFT);
    while ((int64_t)(rdtsc() - until) < 0)
        cpu_relax();
}

/* From now on, not from the start: what rounding costs grows with the distance. A deadline too far
 * for 32 bits wakes us early, which is allowed. */
static void arm(uint64_t deadline_us, uint64_t now_us)
{
    uint64_t delta_us = MIN(deadline_us - now_us, UINT32_MAX);
    if (deadline_mode) {
        wrmsr(MSR_TSC_DEADLINE, rdtsc() + scale(delta_us, cycles_per_us, RATE_SHIFT) + 1);
        return;
    }
    uint64_t count = scale(delta_us, counts_per_us, RATE_SHIFT) + 1;
    apic_timer_set((uint32_t)MIN(count, UINT32_MAX));
}

static void disarm(void)
{
    if (deadline_mode)
        wrmsr(MSR_TSC_DEADLINE, 0);
    else
        apic_timer_set(0);
    armed_us = CLOCK_NEVER;
}

void clock_sleep_until(uint64_t deadline_us)
{
    /* A timer that has fired is not set, even if that was too early. It may be an older setting's
     * that fired, which costs one needless setting or wake-up. */
    uint64_t timers = irq_get_counts().timer;
    if (timers != fired)
        armed_us = CLOCK_NEVER;
    fired = timers;
    if (deadline_us == armed_us) {
        /* Whether that has passed does not matter: what the timer says then waits to be let in. */
        irq_wait();
        return;
    }
    uint64_t now_us = clock_now_us();
    if (deadline_us <= now_us) {
        irq_let_in();
        return;
    }
    if (deadline_us == CLOCK_NEVER)
        disarm();
    else
        arm(deadline_us, now_us);
    armed_us = deadline_us;
    irq_wait();
}

void clock_init(void)
{
    struct tsc_rates rates;
    deadline_mode = cpu_features.tsc_deadline;
    if (!tsc_find_rates(!deadline_mode, &rates))
        panic(
            "no clock: neither CPUID, PIT nor ACPI timer gives the CPU's rate: give the machine a "
            "PIT (pit=on)");
    us_per_cycle = (US_PER_S << US_SHIFT) / rates.tsc_hz;
    cycles_per_us = (rates.tsc_hz << RATE_SHIFT) / US_PER_S;
    counts_per_us = (rates.apic_hz << RATE_SHIFT) / US_PER_S;
    apic_timer_use_deadline(deadline_mode);
    log_debug("clock: TSC %llu.%03llu MHz by %s%s, timer by %s",
              (unsigned long long)(rates.tsc_hz / US_PER_S),
              (unsigned long long)(rates.tsc_hz / 1000 % 1000), rates.source,
              cpu_features.tsc_invariant ? "" : " (not invariant)",
              deadline_mode ? "TSC deadline" : "APIC count");
}

void clock_start(void)
{
    tsc_at_start = rdtsc();
}
