/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The watchdog of the Intel 6300ESB (datasheet 300641, chapter 16), as QEMU emulates it. It counts
 * in two stages of equal length; at the end of the first it could interrupt, which is switched off,
 * at the end of the second it resets. What is written to its timers counts only behind an unlocking
 * sequence.
 */
#include "drivers/watchdog.h"

#include "io.h"

/* Configuration space. */
#define ESB_CONFIG           0x60 /* 16, RW, 0 at reset */
#define ESB_CONFIG_INT_OFF   (3u << 0)
#define ESB_CONFIG_FAST      (1u << 2) /* counts in us, not in ms */
#define ESB_CONFIG_RESET_OFF (1u << 5)
#define ESB_LOCK             0x68 /* 8, RW, 0 at reset */
#define ESB_LOCK_LOCKED      (1u << 0)
#define ESB_LOCK_ENABLE      (1u << 1)

/* Memory. */
#define ESB_BAR            0
#define ESB_BYTES          0x10
#define ESB_TIMER1         0x00 /* 32, RW: the first stage */
#define ESB_TIMER2         0x04 /* 32, RW: the second stage */
#define ESB_RELOAD         0x0C /* 16, RW */
#define ESB_RELOAD_UNLOCK1 0x80
#define ESB_RELOAD_UNLOCK2 0x86
#define ESB_RELOAD_FEED    (1u << 8)
#define ESB_RELOAD_EXPIRED (1u << 9) /* writing 1 clears */

/* The PCI clock, 33 MHz, by 2^15. */
#define ESB_TICKS_PER_S 1007u

static void write_unlocked(const struct watchdog *w, unsigned reg, uint32_t value)
{
    write16(w->regs + ESB_RELOAD, ESB_RELOAD_UNLOCK1);
    write16(w->regs + ESB_RELOAD, ESB_RELOAD_UNLOCK2);
    if (reg == ESB_RELOAD)
        write16(w->regs + reg, (uint16_t)value);
    else
        write32(w->regs + reg, value);
}

static void enable(const struct watchdog *w, bool on)
{
    pci_write(&w->pci, ESB_LOCK, 1, on ? ESB_LOCK_ENABLE : 0);
}

static const char *open_esb(struct watchdog *w)
{
    if (pci_read(&w->pci, ESB_LOCK, 1) & ESB_LOCK_LOCKED)
        return "firmware has locked it";
    if (pci_enable(&w->pci) != 0)
        return "its registers have no place";
    w->regs = pci_map_bar(&w->pci, ESB_BAR, 0, ESB_BYTES);
    return w->regs ? NULL : "its registers cannot be reached";
}

static void feed(const struct watchdog *w)
{
    write_unlocked(w, ESB_RELOAD, ESB_RELOAD_FEED | ESB_RELOAD_EXPIRED);
}

static void start(const struct watchdog *w)
{
    uint32_t stage = w->timeout_s * ESB_TICKS_PER_S / 2;

    enable(w, false);
    pci_write(&w->pci, ESB_CONFIG, 2, ESB_CONFIG_INT_OFF);
    write_unlocked(w, ESB_TIMER1, stage);
    write_unlocked(w, ESB_TIMER2, stage);
    feed(w);
    enable(w, true);
}

static void stop(const struct watchdog *w)
{
    feed(w);
    enable(w, false);
}

const struct watchdog_ops i6300esb_ops = {
    .open = open_esb, .start = start, .feed = feed, .stop = stop};
