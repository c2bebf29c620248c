/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Starts the machine, part by part, and hands over to the application.
 */
#include "app.h"
#include "boot_info.h"
#include "entropy.h"
#include "init.h"
#include "power.h"

void kernel_main(const struct boot_info *boot)
{
    clock_start();
    console_init(boot);
    cpu_init();
    trap_init();
    if (boot->error)
        panic("%s", boot->error);
    mem_start(boot);
    console_start_screen();
    acpi_init(boot->acpi_rsdp);
    irq_init();
    clock_init();
    acpi_button_init();
    entropy_gather();
    console_enable_input();
    app_main(boot);
}
