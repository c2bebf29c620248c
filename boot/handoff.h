/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What boot/efi.c hands over: a struct boot_info of its own making. Pure.
 */
#ifndef HANDOFF_H
#define HANDOFF_H

#include "boot_info.h"

/* Copies what the struct boot_info at that address says into boot, and believes none of its counts
 * and ranges; nothing at or above limit is read. Of a bad one boot->error says so. */
void handoff_read(uint64_t info_address, uint64_t limit, struct boot_info *boot);

#endif
