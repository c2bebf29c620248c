/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line as loaders leave it in memory. Pure.
 */
#ifndef BOOT_TEXT_H
#define BOOT_TEXT_H

#include "boot_info.h"

/* Copies at most n bytes, up to the first NUL, into boot->cmdline; a longer text is cut and said to
 * be. */
void boot_text_copy(struct boot_info *boot, const char *text, uint64_t n);

/* Some loaders put the image's name first. Drops it: a first word without '=' that has a '/' or '.'
 * in it, or is "sluice" itself; no option looks like that. */
void boot_text_skip_name(struct boot_info *boot);

#endif
