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

/* Some loaders put the image's name first. Drops it: a first word that is an absolute path (in
 * GRUB's or UEFI's words too), ends in
 * ".elf" or ".efi", or is the file "sluice". Nothing less counts as a name: a slip like
 * "ip:1.2.3.4" has to stay, so that it is told of. */
void boot_text_skip_name(struct boot_info *boot);

#endif
