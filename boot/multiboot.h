/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Multiboot 1: what GRUB and older loaders hand over. Pure but for reading physical memory.
 */
#ifndef MULTIBOOT_H
#define MULTIBOOT_H

#include "boot_info.h"

/* Fills boot from the information at that physical address; boot->error says what is wrong with it.
 */
void multiboot_read(uint32_t info, struct boot_info *boot);

#endif
