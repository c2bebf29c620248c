/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The MMIO transport (VIRTIO 1.2, section 4.2), in both versions: the modern one, and the legacy
 * one (section 4.2.4), which is what QEMU offers unless told otherwise.
 *
 * Theory of operation. The registers are the same but for how a queue is placed, and both let the
 * driver choose its size. There is one interrupt for everything; its handler reads why it came and
 * writes that back, which lowers the line. An edge is told once: so the handler of one looks again
 * until nothing is left. There is no bus mastering to switch off: a device is cut off by taking its
 * queues back and by its reset, and what does not heed that cannot be stopped.
 */
#include "drivers/virtio_mmio.h"

#include "drivers/virtio_mmio_regs.h"
#include "io.h"
#include "irq.h"
#include "log.h"
#include "mem.h"

#include <stdio.h>

#define PAGE_SHIFT     12
#define QUEUE_SIZE_MAX 256 /* as PCI devices mostly have; QEMU offers 1024 here */
#define EDGE_LOOKS     8

static uint32_t memory_read(volatile uint8_t *at, unsigned reg, unsigned bytes)
{
    return bytes == 1 ? read8(at + reg) : bytes == 2 ? read16(at + reg) : read32(at + reg);
}

static void memory_write(volatile uint8_t *at, unsigned reg, uint32_t value)
{
    write32(at + reg, value);
}

static const struct virtio_mmio_access memory = {.read = memory_read, .write = memory_write};

static struct virtio_mmio *mmio_of(struct virtio_dev *dev)
{
    return container_of(dev, struct virtio_mmio, dev);
}

static uint32_t get(const struct virtio_mmio *vm, unsigned reg)
{
    return vm->access->read(vm->at, reg, 4);
}

static void set(const struct virtio_mmio *vm, unsigned reg, uint32_t value)
{
    vm->access->write(vm->at, reg, value);
}

static uint8_t get_status(struct virtio_dev *dev)
{
    return (uint8_t)get(mmio_of(dev), VIRTIO_MMIO_STATUS);
}

static void set_status(struct virtio_dev *dev, uint8_t status)
{
    set(mmio_of(dev), VIRTIO_MMIO_STATUS, status);
}

static uint64_t get_offered(struct virtio_dev *dev)
{
    const struct virtio_mmio *vm = mmio_of(dev);
    uint64_t offered = 0;

    for (unsigned half = dev->legacy ? 1 : 2; half-- > 0;) {
        set(vm, VIRTIO_MMIO_DEVICE_FEATURES_SEL, half);
        offered = offered << 32 | get(vm, VIRTIO_MMIO_DEVICE_FEATURES);
    }
    return offered;
}

static void set_accepted(struct virtio_dev *dev, uint64_t features)
{
    const struct virtio_mmio *vm = mmio_of(dev);

    for (unsigned half = dev->legacy ? 1 : 2; half-- > 0;) {
        set(vm, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        set(vm, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
    }
}

/* The driver may have any smaller size, so it is a power of two. */
static uint16_t queue_max(struct virtio_dev *dev, unsigned index)
{
    set(mmio_of(dev), VIRTIO_MMIO_QUEUE_SEL, index);
    uint32_t size = MIN(get(mmio_of(dev), VIRTIO_MMIO_QUEUE_NUM_MAX), (uint32_t)QUEUE_SIZE_MAX);
    if (size == 0)
        return 0;
    return (uint16_t)(1u << (31 - __builtin_clz(size)));
}

static void set_address(const struct virtio_mmio *vm, unsigned reg, const volatile void *part)
{
    uint64_t address = (uintptr_t)part;

    set(vm, reg, (uint32_t)address);
    set(vm, reg + 4, (uint32_t)(address >> 32));
}

static int queue_start(struct virtio_dev *dev, unsigned index, const struct virtq *q)
{
    const struct virtio_mmio *vm = mmio_of(dev);
    unsigned ready = dev->legacy ? VIRTIO_MMIO_QUEUE_PFN : VIRTIO_MMIO_QUEUE_READY;
    uint64_t pfn = (uintptr_t)q->desc >> PAGE_SHIFT;

    set(vm, VIRTIO_MMIO_QUEUE_SEL, index);
    if (get(vm, ready) != 0)
        return -EIO; /* it is somebody's, even after a reset */
    set(vm, VIRTIO_MMIO_QUEUE_NUM, q->size);
    if (dev->legacy) {
        if (pfn > UINT32_MAX)
            return -EINVAL;
        set(vm, VIRTIO_MMIO_QUEUE_ALIGN, 1u << PAGE_SHIFT);
        set(vm, ready, (uint32_t)pfn);
        return 0;
    }
    set_address(vm, VIRTIO_MMIO_QUEUE_DESC, q->desc);
    set_address(vm, VIRTIO_MMIO_QUEUE_DRIVER, q->avail);
    set_address(vm, VIRTIO_MMIO_QUEUE_DEVICE, q->used);
    set(vm, ready, 1);
    return get(vm, ready) == 1 ? 0 : -EIO;
}

static void notify(struct virtio_dev *dev, unsigned index)
{
    set(mmio_of(dev), VIRTIO_MMIO_QUEUE_NOTIFY, index);
}

static uint32_t config_bytes(struct virtio_dev *dev)
{
    return mmio_of(dev)->place.bytes - VIRTIO_MMIO_CONFIG;
}

static void config_copy(struct virtio_dev *dev, unsigned offset, void *to, unsigned n)
{
    const struct virtio_mmio *vm = mmio_of(dev);
    uint8_t *bytes = to;

    if (n == 2)
        store_raw16(to, (uint16_t)vm->access->read(vm->at, VIRTIO_MMIO_CONFIG + offset, 2));
    else
        for (unsigned i = 0; i < n; i++)
            bytes[i] = (uint8_t)vm->access->read(vm->at, VIRTIO_MMIO_CONFIG + offset + i, 1);
}

static uint32_t config_generation(struct virtio_dev *dev)
{
    return get(mmio_of(dev), VIRTIO_MMIO_GENERATION);
}

static void let_in(struct virtio_dev *dev)
{
    if (dev->legacy)
        set(mmio_of(dev), VIRTIO_MMIO_GUEST_PAGE_SIZE, 1u << PAGE_SHIFT);
}

static void on_interrupt(void *arg)
{
    struct virtio_mmio *vm = arg;
    uint32_t all = 0;

    for (unsigned looks = vm->place.level ? 1 : EDGE_LOOKS; looks > 0; looks--) {
        uint32_t why = get(vm, VIRTIO_MMIO_INTERRUPT_STATUS) &
                       (VIRTIO_MMIO_INTERRUPT_QUEUE | VIRTIO_MMIO_INTERRUPT_CONFIG);
        if (why == 0)
            break;
        set(vm, VIRTIO_MMIO_INTERRUPT_ACK, why);
        all |= why;
    }
    if (all == 0)
        return; /* another device on the same line */
    if (vm->dev.interrupts)
        (*vm->dev.interrupts)++;
    if (all & VIRTIO_MMIO_INTERRUPT_CONFIG)
        vm->dev.config_changed = true;
}

/* Without an I/O APIC, the first 16 are lines of the 8259. */
static void irq_setup(struct virtio_dev *dev)
{
    struct virtio_mmio *vm = mmio_of(dev);

    dev->has_irq = irq_attach_gsi(vm->place.gsi, vm->place.level, on_interrupt, vm) == 0 ||
                   irq_attach_line(vm->place.gsi, on_interrupt, vm) == 0;
}

static void cut_off(struct virtio_dev *dev)
{
    const struct virtio_mmio *vm = mmio_of(dev);

    for (unsigned i = 0; i < VIRTIO_MMIO_QUEUES_MAX; i++) {
        set(vm, VIRTIO_MMIO_QUEUE_SEL, i);
        set(vm, dev->legacy ? VIRTIO_MMIO_QUEUE_PFN : VIRTIO_MMIO_QUEUE_READY, 0);
    }
}

static const struct virtio_transport transport = {
    .get_status = get_status,
    .set_status = set_status,
    .get_offered = get_offered,
    .set_accepted = set_accepted,
    .queue_max = queue_max,
    .queue_start = queue_start,
    .notify = notify,
    .config_bytes = config_bytes,
    .config_copy = config_copy,
    .config_generation = config_generation,
    .let_in = let_in,
    .irq_setup = irq_setup,
    .cut_off = cut_off,
};

int virtio_mmio_open(struct virtio_mmio *vm, const struct virtio_mmio_place *place,
                     const struct virtio_mmio_access *access)
{
    memset(vm, 0, sizeof(*vm));
    vm->place = *place;
    vm->access = access ? access : &memory;
    vm->dev.ops = &transport;
    vm->dev.location = vm->location;
    snprintf(vm->location, sizeof(vm->location), "0x%08llx", (unsigned long long)place->base);
    if (place->bytes >= VIRTIO_MMIO_BYTES_MIN && place->base % sizeof(uint32_t) == 0)
        vm->at = mem_map_device(place->base, place->bytes);
    if (!vm->at) {
        log_error("%s: a virtio device cannot be there: it is RAM, crooked, out of reach or too "
                  "small",
                  vm->location);
        return -EINVAL;
    }
    uint32_t magic = get(vm, VIRTIO_MMIO_MAGIC), version = get(vm, VIRTIO_MMIO_VERSION);
    if (magic != VIRTIO_MMIO_MAGIC_VALUE ||
        (version != VIRTIO_MMIO_VERSION_LEGACY && version != VIRTIO_MMIO_VERSION_MODERN)) {
        log_error("%s: no virtio device (magic 0x%x, version %u)", vm->location, magic, version);
        return -EINVAL;
    }
    vm->dev.legacy = version == VIRTIO_MMIO_VERSION_LEGACY;
    vm->kind = get(vm, VIRTIO_MMIO_DEVICE_ID);
    return vm->kind != 0 ? 0 : -ENODEV;
}
