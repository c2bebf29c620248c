/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What kernel/mem.c offers the page tables and the console only.
 */
#ifndef RAM_H
#define RAM_H

#include "base.h"

/* A zeroed page from the lowest memory, which is mapped from the first instruction on; NULL if none
 * is left. */
void *ram_take_page(void);

/* Maps a framebuffer for writing. -EINVAL if [phys, phys + bytes) is RAM or not addressable,
 * -ENOMEM. */
int ram_map_framebuffer(uint64_t phys, uint64_t bytes);

#endif
