/* SPDX-License-Identifier: BSD-3-Clause
 *
 * PCI configuration space in software (PCI 3.0, chapter 6): functions with BARs that can be sized
 * and moved.
 */
#ifndef FAKE_PCI_H
#define FAKE_PCI_H

#include "drivers/pci.h"

#define FAKE_PCI_MAX 40

struct fake_pci_fn {
    uint16_t bdf;
    uint8_t config[256];
    uint32_t bar_mask[6]; /* the bits of each BAR that can be written */
};

extern struct fake_pci_fn fake_pci_fns[FAKE_PCI_MAX];
extern unsigned fake_pci_count;
extern unsigned fake_pci_reads;
extern const char *fake_pci_fault; /* what was done that must not be, or NULL */
extern struct pci_access fake_pci_access;

/* No functions; an access to all 256 buses without a window. */
void fake_pci_reset(void);

/* Adds a function with this header type (PCI_HEADER_MULTI included). */
struct fake_pci_fn *fake_pci_add(unsigned bus, unsigned device, unsigned function, uint16_t vendor,
                                 uint16_t id, uint8_t header);

/* Gives it a memory BAR of bytes (a power of two) at base, 64 bits wide if wide. */
void fake_pci_set_bar(struct fake_pci_fn *fn, unsigned n, uint64_t base, uint64_t bytes, bool wide);
void fake_pci_set_io_bar(struct fake_pci_fn *fn, unsigned n, uint16_t base, uint16_t bytes);

/* Puts a capability at offset, before the others in the list. */
void fake_pci_add_cap(struct fake_pci_fn *fn, uint8_t offset, uint8_t id);

static inline void fake_pci_set16(struct fake_pci_fn *fn, unsigned offset, uint16_t v)
{
    memcpy(&fn->config[offset], &v, sizeof(v));
}

static inline void fake_pci_set32(struct fake_pci_fn *fn, unsigned offset, uint32_t v)
{
    memcpy(&fn->config[offset], &v, sizeof(v));
}

static inline uint32_t fake_pci_get32(const struct fake_pci_fn *fn, unsigned offset)
{
    return load_raw32(&fn->config[offset]);
}

#endif
