/* SPDX-License-Identifier: BSD-3-Clause
 *
 * PVH: what QEMU's -kernel, microvm, Cloud Hypervisor and Xen hand over. Pure but for reading
 * physical memory.
 */
#ifndef PVH_H
#define PVH_H

#include "boot_info.h"

/* Fills boot from the start info at that physical address; boot->error says what is wrong with it.
 * limit: one past the highest address that may be read. */
void pvh_read(uint64_t info, uint64_t limit, struct boot_info *boot);

#endif
