/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Registers of virtio over MMIO in software; see fake_virtio_mmio.h.
 */
#include "tests/fake/fake_virtio_mmio.h"

#include "drivers/virtio_mmio_regs.h"
#include "tests/fake/fake_machine.h"

static struct fake_vmmio *mmio;
static uint8_t window[FAKE_VMMIO_BYTES]; /* is never looked at */

static void fault(const char *what)
{
    if (!mmio->device->fault)
        mmio->device->fault = what;
}

static bool is_legacy(void)
{
    return mmio->version == VIRTIO_MMIO_VERSION_LEGACY;
}

/* Registers that the other version has. */
static void check_version(unsigned reg)
{
    bool legacy_only = reg == VIRTIO_MMIO_GUEST_PAGE_SIZE || reg == VIRTIO_MMIO_QUEUE_ALIGN ||
                       reg == VIRTIO_MMIO_QUEUE_PFN;
    bool modern_only = reg == VIRTIO_MMIO_QUEUE_READY || reg == VIRTIO_MMIO_GENERATION ||
                       (reg >= VIRTIO_MMIO_QUEUE_DESC && reg < VIRTIO_MMIO_QUEUE_DEVICE + 8);

    if (is_legacy() ? modern_only : legacy_only)
        fault("a register of the other version");
}

static uint32_t read_config(unsigned offset, unsigned bytes)
{
    uint32_t value = 0;

    if (!virtio_config_read(&mmio->device->dev, offset, &value, bytes))
        fault("a read behind the configuration");
    /* It changes between the bytes of one reading. */
    if (mmio->restless)
        value ^= ++mmio->generation;
    return value;
}

static uint32_t reg_read(volatile uint8_t *at, unsigned reg, unsigned bytes)
{
    struct virtio_dev *dev = &mmio->device->dev;

    if (at != window || reg + bytes > FAKE_VMMIO_BYTES || reg % bytes != 0)
        fault("a read beside the registers");
    if (reg >= VIRTIO_MMIO_CONFIG)
        return read_config(reg - VIRTIO_MMIO_CONFIG, bytes);
    if (bytes != 4)
        fault("a register is 32 bits");
    check_version(reg);
    switch (reg) {
    case VIRTIO_MMIO_MAGIC:
        return mmio->magic;
    case VIRTIO_MMIO_VERSION:
        return mmio->version;
    case VIRTIO_MMIO_DEVICE_ID:
        return mmio->kind;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return (uint32_t)(dev->ops->get_offered(dev) >> (mmio->features_sel[0] ? 32 : 0));
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        return mmio->queue_sel < FAKE_QUEUES ? mmio->queue_num_max : 0;
    case VIRTIO_MMIO_QUEUE_PFN:
        return mmio->keeps_queues ? 1 : mmio->queues[mmio->queue_sel].pfn;
    case VIRTIO_MMIO_QUEUE_READY:
        return mmio->queues[mmio->queue_sel].ready && !mmio->keeps_queues;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return mmio->interrupts;
    case VIRTIO_MMIO_STATUS:
        return dev->ops->get_status(dev);
    case VIRTIO_MMIO_GENERATION:
        return mmio->generation;
    default:
        fault("a register that cannot be read");
        return UINT32_MAX;
    }
}

static void start_queue(void)
{
    unsigned index = mmio->queue_sel;
    const uint32_t *parts = mmio->queues[index].parts;
    struct virtq q = {.size = (uint16_t)mmio->queues[index].num};

    if (mmio->keeps_queues)
        return;
    if (index >= FAKE_QUEUES || q.size == 0 || (q.size & (q.size - 1)) != 0 ||
        q.size > mmio->queue_num_max) {
        fault("a queue of a size that is not possible");
        return;
    }
    if (is_legacy()) {
        uint8_t *memory = (void *)((uintptr_t)mmio->queues[index].pfn * mmio->page_bytes);
        if (mmio->queues[index].align != 4096)
            fault("another alignment than a page");
        /* Section 2.7.2: the used ring stands on a page of its own. */
        q.desc = (void *)memory;
        q.avail = (void *)(memory + 16u * q.size);
        q.used = (void *)(memory + ALIGN_UP(16u * q.size + 2u * (3u + q.size), 4096u));
    } else {
        q.desc = (void *)(uintptr_t)((uint64_t)parts[1] << 32 | parts[0]);
        q.avail = (void *)(uintptr_t)((uint64_t)parts[3] << 32 | parts[2]);
        q.used = (void *)(uintptr_t)((uint64_t)parts[5] << 32 | parts[4]);
    }
    mmio->device->dev.ops->queue_start(&mmio->device->dev, index, &q);
}

static void write_queue(unsigned reg, uint32_t value)
{
    if (mmio->queue_sel >= VIRTIO_MMIO_QUEUES_MAX) {
        fault("no such queue");
        return;
    }
    switch (reg) {
    case VIRTIO_MMIO_QUEUE_NUM:
        mmio->queues[mmio->queue_sel].num = value;
        break;
    case VIRTIO_MMIO_QUEUE_ALIGN:
        mmio->queues[mmio->queue_sel].align = value;
        break;
    case VIRTIO_MMIO_QUEUE_PFN:
        mmio->queues[mmio->queue_sel].pfn = value;
        if (value)
            start_queue();
        break;
    case VIRTIO_MMIO_QUEUE_READY:
        mmio->queues[mmio->queue_sel].ready = value;
        if (value)
            start_queue();
        break;
    default: {
        unsigned part = (reg - VIRTIO_MMIO_QUEUE_DESC) / 0x10, half = reg % 0x10 / 4;
        if (reg < VIRTIO_MMIO_QUEUE_DESC || part > 2 || half > 1)
            fault("a register that cannot be written");
        else
            mmio->queues[mmio->queue_sel].parts[2 * part + half] = value;
    }
    }
}

static void write_status(uint32_t value)
{
    struct virtio_dev *dev = &mmio->device->dev;

    if (value == 0) {
        memset(mmio->queues, 0, sizeof(mmio->queues));
        mmio->interrupts = 0;
        mmio->page_bytes = 0;
    }
    dev->ops->set_status(dev, (uint8_t)value);
}

static void acknowledge(uint32_t value)
{
    if (value & ~mmio->interrupts)
        fault("an interrupt acknowledged that was not there");
    mmio->interrupts &= ~value;
    mmio->acks++;
    if (mmio->sticky) {
        mmio->sticky--;
        mmio->interrupts |= value;
    }
}

static void reg_write(volatile uint8_t *at, unsigned reg, uint32_t value)
{
    struct virtio_dev *dev = &mmio->device->dev;

    if (at != window || reg >= VIRTIO_MMIO_CONFIG || reg % 4 != 0)
        fault("a write beside the registers");
    check_version(reg);
    switch (reg) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        mmio->features_sel[reg == VIRTIO_MMIO_DRIVER_FEATURES_SEL] = value;
        if (value > 1 || (value == 1 && is_legacy()))
            fault("features that are not there");
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        mmio->accepted[mmio->features_sel[1] & 1] = value;
        dev->ops->set_accepted(dev, (uint64_t)mmio->accepted[1] << 32 | mmio->accepted[0]);
        break;
    case VIRTIO_MMIO_GUEST_PAGE_SIZE:
        mmio->page_bytes = value;
        break;
    case VIRTIO_MMIO_QUEUE_SEL:
        mmio->queue_sel = value;
        break;
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        if (value < FAKE_QUEUES)
            dev->ops->notify(dev, value);
        else
            fault("no such queue");
        break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        acknowledge(value);
        break;
    case VIRTIO_MMIO_STATUS:
        write_status(value);
        break;
    default:
        write_queue(reg, value);
    }
}

static const struct virtio_mmio_access access = {.read = reg_read, .write = reg_write};

void fake_vmmio_init(struct fake_vmmio *m, struct fake_virtio *device, bool level)
{
    memset(m, 0, sizeof(*m));
    mmio = m;
    m->device = device;
    m->magic = VIRTIO_MMIO_MAGIC_VALUE;
    m->version = device->dev.legacy ? VIRTIO_MMIO_VERSION_LEGACY : VIRTIO_MMIO_VERSION_MODERN;
    m->kind = 1;
    m->queue_num_max = device->queue_size;
    m->vm.place = (struct virtio_mmio_place){
        .base = FAKE_VMMIO_BASE, .bytes = FAKE_VMMIO_BYTES, .gsi = FAKE_VMMIO_GSI, .level = level};
    fake_machine_map(FAKE_VMMIO_BASE, FAKE_VMMIO_BYTES, window);
}

int fake_vmmio_open(struct fake_vmmio *m)
{
    struct virtio_mmio_place place = m->vm.place;

    return virtio_mmio_open(&m->vm, &place, &access);
}

struct virtio_dev *fake_vmmio_front(struct fake_vmmio *m, struct fake_virtio *device)
{
    fake_vmmio_init(m, device, true);
    fake_mem_low = device->dev.legacy;
    return fake_vmmio_open(m) == 0 ? &m->vm.dev : NULL;
}

void fake_vmmio_raise(struct fake_vmmio *m, uint32_t causes)
{
    m->interrupts |= causes;
    fake_irq_raise(0);
}
