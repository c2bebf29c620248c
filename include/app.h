/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The kernel's only upward call.
 */
#ifndef APP_H
#define APP_H

#include "base.h"
#include "boot_info.h"

/* Called once, on the main stack, with the machine ready and interrupts off. Never returns. */
NORETURN void app_main(const struct boot_info *boot);

#endif
