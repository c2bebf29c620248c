/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The ways a run ends. Each way is tried in turn until the machine is gone.
 */
#include "power.h"
#include "acpi_private.h"
#include "clock.h"
#include "console_private.h"
#include "cpu.h"
#include "io.h"
#include "power_private.h"

#define RESET_CONTROL          0xCF9 /* Intel's chipsets since the PIIX */
#define RESET_CONTROL_SYSTEM   0x02
#define RESET_CONTROL_GO       0x04
#define KEYBOARD_COMMAND       0x64
#define KEYBOARD_COMMAND_RESET 0xFE
#define DEBUG_EXIT             0xF4 /* QEMU's isa-debug-exit, as tests place it */
#define EFFECT_WAIT_US         20000

static void (*stop)(bool comes_back);

void power_at_exit(void (*stop_devices)(bool comes_back))
{
    stop = stop_devices;
}

void power_stop_devices(bool comes_back)
{
    void (*call)(bool) = stop;
    stop = NULL;
    if (call)
        call(comes_back);
}

void power_debug_exit(uint8_t code)
{
    out8(DEBUG_EXIT, code);
}

void power_off(void)
{
    interrupts_off();
    console_drain();
    power_stop_devices(false);
    acpi_try_power_off();
    power_debug_exit(0);
    cpu_halt();
}

void power_reset(void)
{
    interrupts_off();
    console_drain();
    power_stop_devices(true);
    acpi_try_reset();
    out8(RESET_CONTROL, RESET_CONTROL_SYSTEM);
    out8(RESET_CONTROL, RESET_CONTROL_SYSTEM | RESET_CONTROL_GO);
    clock_delay_us(EFFECT_WAIT_US);
    out8(KEYBOARD_COMMAND, KEYBOARD_COMMAND_RESET);
    clock_delay_us(EFFECT_WAIT_US);

    /* Without an interrupt table the next exception is a triple fault, which resets the CPU. */
    static const struct PACKED {
        uint16_t limit;
        uint64_t base;
    } no_table = {0, 0};
    __asm__ volatile("lidt %0; int3" ::"m"(no_table));
    cpu_halt();
}
