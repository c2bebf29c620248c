/* SPDX-License-Identifier: BSD-3-Clause
 *
 * PCI configuration space in software; see fake_pci.h.
 */
#include "tests/fake/fake_pci.h"

struct fake_pci_fn fake_pci_fns[FAKE_PCI_MAX];
unsigned fake_pci_count;
unsigned fake_pci_reads;
const char *fake_pci_fault;

static struct fake_pci_fn *find(unsigned bdf)
{
    for (unsigned i = 0; i < fake_pci_count; i++) {
        if (fake_pci_fns[i].bdf == bdf)
            return &fake_pci_fns[i];
    }
    return NULL;
}

static void check(unsigned offset, unsigned bytes)
{
    if (offset + bytes > 256 || offset % bytes != 0)
        fake_pci_fault = "an access that is not aligned or out of range";
}

static uint32_t fake_read(unsigned bdf, unsigned offset, unsigned bytes)
{
    uint32_t v = UINT32_MAX >> (32 - 8 * bytes);
    const struct fake_pci_fn *fn = find(bdf);

    fake_pci_reads++;
    check(offset, bytes);
    if (fn && !fake_pci_fault) {
        v = 0;
        memcpy(&v, &fn->config[offset], bytes);
    }
    return v;
}

static void fake_write(unsigned bdf, unsigned offset, unsigned bytes, uint32_t value)
{
    struct fake_pci_fn *fn = find(bdf);

    check(offset, bytes);
    if (!fn || fake_pci_fault)
        return;
    if (offset >= PCI_BAR(0) && offset < PCI_BAR(6)) {
        uint32_t mask = fn->bar_mask[(offset - PCI_BAR(0)) / 4];
        if (fn->config[PCI_COMMAND] & (PCI_COMMAND_IO | PCI_COMMAND_MEMORY))
            fake_pci_fault = "a BAR moved while it was decoded";
        fake_pci_set32(fn, offset, (value & mask) | (fake_pci_get32(fn, offset) & ~mask));
        return;
    }
    memcpy(&fn->config[offset], &value, bytes);
}

struct pci_access fake_pci_access = {
    .name = "fake", .read = fake_read, .write = fake_write, .last_bus = 255};

void fake_pci_reset(void)
{
    memset(fake_pci_fns, 0, sizeof(fake_pci_fns));
    fake_pci_count = 0;
    fake_pci_reads = 0;
    fake_pci_fault = NULL;
    fake_pci_access.last_bus = 255;
    fake_pci_access.window_start = 0;
    fake_pci_access.window_end = 0;
    pci_use(&fake_pci_access);
}

struct fake_pci_fn *fake_pci_add(unsigned bus, unsigned device, unsigned function, uint16_t vendor,
                                 uint16_t id, uint8_t header)
{
    struct fake_pci_fn *fn = &fake_pci_fns[fake_pci_count++];

    fn->bdf = (uint16_t)(bus << 8 | device << 3 | function);
    fake_pci_set16(fn, PCI_VENDOR_ID, vendor);
    fake_pci_set16(fn, PCI_DEVICE_ID, id);
    fn->config[PCI_HEADER_TYPE] = header;
    return fn;
}

void fake_pci_set_bar(struct fake_pci_fn *fn, unsigned n, uint64_t base, uint64_t bytes, bool wide)
{
    uint64_t mask = ~(bytes - 1);

    fake_pci_set32(fn, PCI_BAR(n), (uint32_t)base | (wide ? PCI_BAR_TYPE_64 : 0));
    fn->bar_mask[n] = (uint32_t)mask & ~PCI_BAR_MEMORY_FLAGS;
    if (wide) {
        fake_pci_set32(fn, PCI_BAR(n + 1), (uint32_t)(base >> 32));
        fn->bar_mask[n + 1] = (uint32_t)(mask >> 32);
    }
}

void fake_pci_set_io_bar(struct fake_pci_fn *fn, unsigned n, uint16_t base, uint16_t bytes)
{
    fake_pci_set32(fn, PCI_BAR(n), base | PCI_BAR_IO);
    fn->bar_mask[n] =
        0xFFFFu & ~(bytes - 1u) & ~PCI_BAR_IO_FLAGS; /* the upper half is wired to 0 */
}

void fake_pci_add_cap(struct fake_pci_fn *fn, uint8_t offset, uint8_t id)
{
    fn->config[PCI_STATUS] |= PCI_STATUS_CAPS;
    fn->config[offset] = id;
    fn->config[offset + 1] = fn->config[PCI_CAP_POINTER];
    fn->config[PCI_CAP_POINTER] = offset;
}
