/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The power button, which is also how a hypervisor asks a guest to end: an event of the PM1 blocks
 * (ACPI 6.4, 4.8.3.1 and 4.8.4.1), told by the system control interrupt. There may be two blocks
 * that are one register in two places.
 *
 * No other event is wanted: all are switched off, as an interrupt line that asks for what nobody
 * answers would be masked with all that shares it. Where the interrupt does not come, the register
 * says the same to whoever looks.
 */
#include "acpi_private.h"
#include "clock.h"
#include "init.h"
#include "io.h"
#include "irq.h"
#include "log.h"
#include "power.h"

#define PM1_POWER_BUTTON (1u << 8)
#define PM1_SLEEP_BUTTON (1u << 9)
#define PM1_RTC          (1u << 10)
#define PM1_WAKE         (1u << 15)
#define PM1_WAKERS       (PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC | PM1_WAKE)
#define PM1_BYTES_MIN    4
#define PM1_ABSENT       0xFFFF

#define LOOK_US 1000000 /* reading a port costs a guest some microseconds */

static struct {
    uint16_t status[2], enable[2];
    unsigned blocks; /* 0: no button */
    bool interrupts;
    bool pressed;
    uint64_t look_us;
} button;

static void add_block(uint16_t port, unsigned bytes)
{
    if (port == 0 || bytes < PM1_BYTES_MIN || in16(port) == PM1_ABSENT)
        return;
    button.status[button.blocks] = port;
    button.enable[button.blocks++] = (uint16_t)(port + bytes / 2);
}

static void write_blocks(const uint16_t *ports, uint16_t value)
{
    for (unsigned i = 0; i < button.blocks; i++)
        out16(ports[i], value);
}

static bool take_press(void)
{
    bool came = false;

    for (unsigned i = 0; i < button.blocks; i++)
        came |= (in16(button.status[i]) & PM1_POWER_BUTTON) != 0;
    if (came)
        write_blocks(button.status, PM1_POWER_BUTTON); /* writing 1 clears */
    return came;
}

static void on_interrupt(void *arg)
{
    (void)arg;
    if (take_press())
        button.pressed = true;
}

static void switch_off_general_events(const struct acpi_facts *facts)
{
    for (unsigned i = 0; i < ACPI_GPES; i++)
        for (unsigned at = facts->gpe[i].bytes / 2; facts->gpe[i].port && at < facts->gpe[i].bytes;
             at++)
            out8((uint16_t)(facts->gpe[i].port + at), 0);
}

void acpi_button_init(void)
{
    const struct acpi_facts *facts = acpi_get_facts();

    if (facts->button_by_aml || facts->reduced_hardware) {
        log_debug("acpi: the power button is a device of the AML, which is not run");
        return;
    }
    if (!acpi_enter())
        return;
    add_block(facts->pm1a_event, facts->pm1_event_bytes);
    add_block(facts->pm1b_event, facts->pm1_event_bytes);
    if (button.blocks == 0)
        return;
    switch_off_general_events(facts);
    acpi_forget_wakers();
    button.interrupts = facts->sci != 0 && irq_attach_line(facts->sci, on_interrupt, NULL) == 0;
    write_blocks(button.enable, PM1_POWER_BUTTON);
    log_debug("acpi: power button by %s %u", button.interrupts ? "line" : "looking, not by line",
              facts->sci);
}

void acpi_forget_wakers(void)
{
    write_blocks(button.status, PM1_WAKERS);
}

bool power_button_pressed(uint64_t now_us)
{
    if (!button.pressed && now_us >= button.look_us) {
        button.look_us = now_us + LOOK_US;
        button.pressed = take_press();
    }
    return button.pressed;
}

uint64_t power_button_next_us(void)
{
    return button.blocks == 0 || button.interrupts ? CLOCK_NEVER : button.look_us;
}
