/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/efi_enter.S: the kernel's file inside the loader, and the way into it.
 */
#ifndef EFI_ENTER_H
#define EFI_ENTER_H

#include "base.h"

extern const uint8_t efi_kernel[], efi_kernel_end[];

/* Whether the page tables in use have five levels. */
bool efi_five_levels(void);

/* After ExitBootServices: uses the page tables `root`, copies what was laid out at `from` to `to`,
 * and jumps there with info. All addresses but that of this function are below 4 GB. */
NORETURN void efi_enter(uint64_t root, uint64_t to, uint64_t from, uint64_t bytes, uint64_t info);

#endif
