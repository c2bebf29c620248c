/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where the linker (linker.ld) put the parts of the image. Only the addresses mean something.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include "base.h"

extern const uint8_t image_start[], image_end[];
extern const uint8_t text_start[], text_end[];
extern const uint8_t rodata_start[], data_start[];
extern const uint8_t symbols_start[], symbols_end[];

#endif
