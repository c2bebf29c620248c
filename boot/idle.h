/* SPDX-License-Identifier: BSD-3-Clause
 *
 * When to stop polling and sleep. A sleep and the interrupt that ends it cost far more than a few
 * empty polls, but polling costs the host a core; so the loop polls on for a short window after the
 * last work, and the window follows the traffic: it grows when work came soon after a sleep began,
 * and shrinks when sleeps are long, until there is none.
 */
#ifndef BOOT_IDLE_H
#define BOOT_IDLE_H

#include "base.h"

#define IDLE_WINDOW_MIN_US 4
#define IDLE_WINDOW_MAX_US 20
#define IDLE_LONG_SLEEP_US 1000

struct idle {
    uint64_t last_work_us;
    uint64_t slept_at_us;
    uint32_t window_us;
};

static inline void idle_init(struct idle *idle)
{
    *idle = (struct idle){.window_us = 0};
}

/* To be asked once a round; true when the window has passed without work. */
static inline bool idle_should_sleep(struct idle *idle, bool worked, uint64_t now_us)
{
    if (worked)
        idle->last_work_us = now_us;
    if (now_us - idle->last_work_us < idle->window_us)
        return false;
    idle->slept_at_us = now_us;
    return true;
}

static inline void idle_woke(struct idle *idle, uint64_t now_us)
{
    uint64_t slept_us = now_us - idle->slept_at_us;
    uint32_t twice_us = MAX(idle->window_us * 2, (uint32_t)IDLE_WINDOW_MIN_US);

    if (slept_us <= IDLE_WINDOW_MAX_US)
        idle->window_us = MIN(twice_us, (uint32_t)IDLE_WINDOW_MAX_US);
    else if (slept_us >= IDLE_LONG_SLEEP_US)
        idle->window_us = idle->window_us > IDLE_WINDOW_MIN_US ? idle->window_us / 2 : 0;
}

#endif
