/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finding the watchdog and feeding it. The table's order is that of preference: a device of its own
 * was put there on purpose, a chipset's is always there.
 *
 * The start has a time of its own: it waits for disks that may hang, and a router that is reset
 * before it could give them up would be reset for ever.
 */
#include "drivers/watchdog.h"

#include "log.h"

#include <stdio.h>

#define VENDOR_INTEL 0x8086
#define US_PER_S     1000000ull

/* Device ids first..last. Of the chipsets, only those whose TCO is found through the LPC bridge. */
static const struct watchdog_kind {
    uint16_t first, last;
    const char *name;
    const struct watchdog_ops *ops;
} kinds[] = {
    {0x25AB, 0x25AB, "i6300esb", &i6300esb_ops},
    {0x2912, 0x2919, "tco", &tco_ops}, /* ICH9, QEMU's q35 */
    {0x3A14, 0x3A1A, "tco", &tco_ops}, /* ICH10 */
    {0x3B00, 0x3B1F, "tco", &tco_ops}, /* 5 series */
    {0x1C40, 0x1C5F, "tco", &tco_ops}, /* 6 series */
    {0x1E40, 0x1E5F, "tco", &tco_ops}, /* 7 series */
    {0x8C40, 0x8C5F, "tco", &tco_ops}, /* 8 series */
    {0x9C40, 0x9C47, "tco", &tco_ops}, /* 8 series, mobile */
};

/* True if the device is of this kind and can be used. */
static bool take(struct watchdog *w, const struct watchdog_kind *kind, const struct pci_dev *pci)
{
    if (pci->vendor != VENDOR_INTEL || pci->device < kind->first || pci->device > kind->last)
        return false;
    w->pci = *pci;
    const char *wrong = kind->ops->open(w);
    if (wrong) {
        log_warn("watchdog  %s at %s is of no use: %s", kind->name, pci->location, wrong);
        return false;
    }
    w->name = kind->name;
    w->ops = kind->ops;
    return true;
}

static void arm(struct watchdog *w, uint32_t timeout_s, uint64_t now_us)
{
    w->timeout_s = timeout_s;
    w->feed_us = now_us + timeout_s * US_PER_S / WATCHDOG_FEEDS;
    w->ops->start(w);
}

bool watchdog_start(struct watchdog *w, uint32_t timeout_s, uint64_t now_us)
{
    struct pci_dev devices[PCI_DEVS_MAX];
    unsigned found = pci_scan(devices, PCI_DEVS_MAX);

    *w = (struct watchdog){.ready_s = timeout_s};
    for (unsigned k = 0; k < ARRAY_COUNT(kinds) && !w->ops; k++)
        for (unsigned i = 0; i < found && !w->ops; i++)
            take(w, &kinds[k], &devices[i]);
    if (!w->ops) {
        log_warn("watchdog  none is armed: give the machine an Intel 6300ESB (QEMU's i6300esb), or "
                 "one whose chipset has a TCO (ICH9 to 8 series, QEMU's q35)");
        return false;
    }
    arm(w, MAX(timeout_s, WATCHDOG_START_S), now_us);
    log_info("watchdog  %s at %s  resets what does not loop for %u s", w->name, w->pci.location,
             timeout_s);
    return true;
}

void watchdog_ready(struct watchdog *w, uint64_t now_us)
{
    if (w->ops)
        arm(w, w->ready_s, now_us);
}

void watchdog_feed(struct watchdog *w, uint64_t now_us)
{
    if (!w->ops)
        return;
    w->feed_us = now_us + w->timeout_s * US_PER_S / WATCHDOG_FEEDS;
    w->ops->feed(w);
    w->fed++;
}

void watchdog_poll(struct watchdog *w, uint64_t now_us)
{
    if (now_us >= w->feed_us)
        watchdog_feed(w, now_us);
}

void watchdog_print(const struct watchdog *w, void (*line)(const char *text))
{
    char text[64];

    if (!w->ops)
        return;
    snprintf(text, sizeof(text), "watchdog  %s  %u s  fed %llu times", w->name, w->timeout_s,
             (unsigned long long)w->fed);
    line(text);
}

void watchdog_stop(struct watchdog *w)
{
    if (w->ops)
        w->ops->stop(w);
    w->ops = NULL;
}
