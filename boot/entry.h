/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Between the first instructions (boot/start.S, boot/entry.c): who loaded us. Also read by the
 * assembler.
 */
#ifndef BOOT_ENTRY_H
#define BOOT_ENTRY_H

#define BOOT_BY_NOBODY    0
#define BOOT_BY_PVH       1
#define BOOT_BY_MULTIBOOT 2
#define BOOT_BY_EFI       3

#endif
