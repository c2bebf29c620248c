/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Host versions of what the kernel gives to drivers: mem.h, clock.h, irq.h, entropy.h and acpi.h.
 * Physical addresses are host pointers, except where a test says otherwise.
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include "acpi.h"
#include "base.h"
#include "irq.h"

/* Frees all that mem_alloc gave and forgets vectors, mappings and the time. */
void fake_machine_reset(void);

/* mem_alloc fails once this many bytes were given. SIZE_MAX after a reset. */
extern size_t fake_mem_limit;

/* mem_alloc gives memory below 4 GB, as legacy devices need it; that is not freed. False after a
 * reset. */
extern bool fake_mem_low;

/* Makes [phys, phys + bytes) device memory that is found at memory. */
void fake_machine_map(uint64_t phys, size_t bytes, void *memory);

/* Addresses below this are RAM for mem_is_device. 0 after a reset. */
extern uint64_t fake_ram_end;

extern uint64_t fake_now_us;

/* Called whenever somebody waits, if it is not NULL: what a device does meanwhile. NULL after a
 * reset. */
extern void (*fake_clock_hook)(void);

/* Vectors handed out, and calling one as the device would. */
#define FAKE_IRQ_MAX 32
extern unsigned fake_irq_count;
extern unsigned fake_irq_limit; /* irq_alloc_msi and irq_attach_line fail from here on */
void fake_irq_raise(unsigned n);
#define FAKE_GSI_LAST 47 /* of the I/O APICs */

/* Bytes that went into entropy_mix. */
extern size_t fake_entropy_bytes;

/* What acpi_find_mcfg answers; base 0 means that there is none. */
extern uint64_t fake_mcfg_base;

/* What acpi_virtio_mmio_at answers, ended by one of no bytes; NULL: none. */
extern const struct acpi_virtio_mmio *fake_virtio_mmio;

#endif
