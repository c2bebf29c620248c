/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The watchdog of Intel's chipsets, their TCO timer (ICH9 datasheet 316972, sections 13.1, 13.9 and
 * 10.1.75). It is part of the LPC bridge: its registers lie 0x60 behind the ACPI ports, and whether
 * it resets is a bit among the chipset's own registers. It resets when it has run out twice, so
 * each time is half of the timeout.
 *
 * A board may have wired NO_REBOOT to one, and then it cannot be cleared. QEMU has that wire, too
 * (ICH9-LPC.noreboot), but shows a cleared bit nevertheless.
 */
#include "drivers/watchdog.h"

#include "io.h"
#include "mem.h"

/* Configuration space of the LPC bridge. */
#define LPC_ACPI_BASE         0x40 /* 32, RW */
#define LPC_ACPI_BASE_MASK    0xFF80u
#define LPC_ACPI_CONTROL      0x44 /* 8, RW */
#define LPC_ACPI_CONTROL_ON   (1u << 7)
#define LPC_CHIPSET_BASE      0xF0 /* 32, RW */
#define LPC_CHIPSET_BASE_ON   (1u << 0)
#define LPC_CHIPSET_BASE_MASK 0xFFFFC000u

/* Chipset registers. */
#define CHIPSET_CONTROL           0x3410 /* 32, RW: GCS */
#define CHIPSET_CONTROL_NO_REBOOT (1u << 5)

/* Ports behind the ACPI base. */
#define TCO_BASE           0x60
#define TCO_RELOAD         0x00 /* 16, RW: any write starts the time anew */
#define TCO_STATUS1        0x04 /* 16, write 1 to clear */
#define TCO_STATUS1_RAN    (1u << 3)
#define TCO_STATUS2        0x06 /* 16, write 1 to clear */
#define TCO_STATUS2_SECOND (1u << 1)
#define TCO_CONTROL1       0x08 /* 16, RW */
#define TCO_CONTROL1_HALT  (1u << 11)
#define TCO_CONTROL1_LOCK  (1u << 12)
#define TCO_TIMER          0x12 /* 16, RW: 10 bits, in ticks of 0.6 s, 4 at least */
#define TCO_TIMER_MIN      4u
#define TCO_TIMER_MAX      0x3FFu
#define TICKS_PER_3S       5u

static const char *open_tco(struct watchdog *w)
{
    uint32_t base = pci_read(&w->pci, LPC_ACPI_BASE, 4) & LPC_ACPI_BASE_MASK;
    uint32_t chipset = pci_read(&w->pci, LPC_CHIPSET_BASE, 4);

    if (base == 0 || !(pci_read(&w->pci, LPC_ACPI_CONTROL, 1) & LPC_ACPI_CONTROL_ON))
        return "firmware has given it no ports";
    w->port = (uint16_t)(base + TCO_BASE);
    if (in16((uint16_t)(w->port + TCO_CONTROL1)) & TCO_CONTROL1_LOCK)
        return "firmware has locked it";
    w->regs = chipset & LPC_CHIPSET_BASE_ON
                  ? mem_map_device((chipset & LPC_CHIPSET_BASE_MASK) + CHIPSET_CONTROL, 4)
                  : NULL;
    if (!w->regs)
        return "the chipset's registers cannot be reached";
    write32(w->regs, read32(w->regs) & ~CHIPSET_CONTROL_NO_REBOOT);
    if (read32(w->regs) & CHIPSET_CONTROL_NO_REBOOT)
        return "the board keeps it from resetting";
    return NULL;
}

static void halt(const struct watchdog *w, bool on)
{
    uint16_t port = (uint16_t)(w->port + TCO_CONTROL1), keep = in16(port);

    keep &= (uint16_t)~TCO_CONTROL1_HALT;
    out16(port, on ? keep | TCO_CONTROL1_HALT : keep);
}

/* Having run out once is forgotten, too. */
static void feed(const struct watchdog *w)
{
    out16((uint16_t)(w->port + TCO_RELOAD), 1);
    out16((uint16_t)(w->port + TCO_STATUS1), TCO_STATUS1_RAN);
}

static void start(const struct watchdog *w)
{
    uint32_t ticks = w->timeout_s * TICKS_PER_3S / 3 / 2;

    halt(w, true);
    out16((uint16_t)(w->port + TCO_TIMER), (uint16_t)MIN(MAX(ticks, TCO_TIMER_MIN), TCO_TIMER_MAX));
    out16((uint16_t)(w->port + TCO_STATUS2), TCO_STATUS2_SECOND);
    feed(w);
    halt(w, false);
    feed(w);
}

static void stop(const struct watchdog *w)
{
    halt(w, true);
}

const struct watchdog_ops tco_ops = {.open = open_tco, .start = start, .feed = feed, .stop = stop};
