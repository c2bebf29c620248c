/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What kernel/mem.c offers the page tables only.
 */
#ifndef RAM_H
#define RAM_H

#include "base.h"

/* A zeroed page from the lowest memory, which is mapped from the first instruction on; NULL if none
 * is left. */
void *ram_take_page(void);

#endif
