/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory, at start only: everything the router will ever use is carved here before the first
 * packet. RAM is identity-mapped, so a pointer to it is its physical address and can be given to a
 * device.
 */
#ifndef MEM_H
#define MEM_H

#include "base.h"

/* Zeroed memory, aligned to align (a power of two), never given back; NULL if there is not enough.
 */
void *mem_alloc(size_t bytes, size_t align);

/* The same, but holding whatever was there before: for large pools whose owner writes every byte
 * before reading it. Start-up time is mostly the clearing of memory. */
void *mem_alloc_dirty(size_t bytes, size_t align);

/* Bytes that mem_alloc could still give: in all, and in the largest single piece. */
uint64_t mem_available(void);
uint64_t mem_largest(void);

/* Usable RAM the machine has, in bytes, including what the kernel itself occupies. */
uint64_t mem_total(void);

/* Maps device registers uncached; the result is used with the accessors of io.h. NULL if
 * phys..+bytes is RAM or not addressable. Mapping the same range again is fine. */
volatile void *mem_map_device(uint64_t phys, size_t bytes);

/* True if [phys, phys + bytes) does not touch RAM. */
bool mem_is_device(uint64_t phys, uint64_t bytes);

/* Maps firmware tables (ACPI) read-only; NULL if not addressable. RAM is mapped already and
 * returned as is. */
const void *mem_map_firmware(uint64_t phys, size_t bytes);

#endif
