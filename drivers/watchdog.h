/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A device that resets the machine unless it is fed. One kind is one file and one row in
 * watchdog.c's table.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include "clock.h"
#include "drivers/pci.h"

#define WATCHDOG_FEEDS   3   /* in each timeout, so that one may be late */
#define WATCHDOG_START_S 60u /* until watchdog_ready(), at least */

struct watchdog;

struct watchdog_ops {
    /* NULL, or why this device is of no use; it has w->pci. Nothing is armed. */
    const char *(*open)(struct watchdog *w);
    void (*start)(const struct watchdog *w); /* by w->timeout_s */
    void (*feed)(const struct watchdog *w);
    void (*stop)(const struct watchdog *w); /* safe in a panic */
};

struct watchdog {
    const char *name;
    const struct watchdog_ops *ops; /* NULL: there is none, or it is stopped */
    uint32_t timeout_s;             /* what it is armed with */
    uint32_t ready_s;               /* ... from watchdog_ready() on */
    uint64_t feed_us;               /* when next */
    uint64_t fed;
    struct pci_dev pci;
    volatile uint8_t *regs; /* 6300ESB */
    uint16_t port;          /* TCO */
};

extern const struct watchdog_ops i6300esb_ops, tco_ops;

/* Finds a watchdog and arms it, with WATCHDOG_START_S if that is more, or says on the console that
 * there is none. After nic_count(). */
bool watchdog_start(struct watchdog *w, uint32_t timeout_s, uint64_t now_us);

/* The start is over: what was asked for counts. */
void watchdog_ready(struct watchdog *w, uint64_t now_us);

/* Before something that takes a while. */
void watchdog_feed(struct watchdog *w, uint64_t now_us);

/* To be called when watchdog_next_us() has come, and as often as one likes. */
void watchdog_poll(struct watchdog *w, uint64_t now_us);

static inline uint64_t watchdog_next_us(const struct watchdog *w)
{
    return w->ops ? w->feed_us : CLOCK_NEVER;
}

void watchdog_print(const struct watchdog *w, void (*line)(const char *text));

/* It resets nothing any more. */
void watchdog_stop(struct watchdog *w);

#endif
