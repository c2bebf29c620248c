/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A framebuffer as a loader describes it is kept if it can be one.
 */
#ifndef BOOT_SCREEN_H
#define BOOT_SCREEN_H

#include "boot_info.h"

/* Puts fb into boot, whose RAM is known by now, unless it cannot be true: no pixels, lines shorter
 * than they are wide, RAM, nowhere. */
void boot_screen_keep(struct boot_info *boot, const struct boot_framebuffer *fb);

#endif
