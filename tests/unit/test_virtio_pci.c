/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/virtio_pci*.c: which registers are believed in, and which interrupts are used. The BAR is
 * plain memory here, so registers read back what was written; behaviour on real registers is for
 * the end-to-end tests.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/virtio_pci.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_pci.h"

#define BAR       4
#define BAR_BYTES 0x4000
#define BAR_BASE  0xFE000000u
#define MSIX_CAP  0xB0

static uint8_t bar[BAR_BYTES];
static struct fake_pci_fn *fn;
static struct pci_dev pci;
static struct virtio_pci vp;

struct cap {
    uint8_t at, len, type, bar;
    uint32_t offset, length, multiplier;
};

static const struct cap good[] = {
    {0x40, 16, VIRTIO_PCI_CAP_TYPE_COMMON, BAR, 0x0000, 0x1000, 0},
    {0x50, 16, VIRTIO_PCI_CAP_TYPE_ISR, BAR, 0x1000, 0x1000, 0},
    {0x60, 16, VIRTIO_PCI_CAP_TYPE_DEVICE, BAR, 0x2000, 0x20, 0},
    {0x70, 20, VIRTIO_PCI_CAP_TYPE_NOTIFY, BAR, 0x3000, 0x1000, 4},
};

static void put_cap(const struct cap *c)
{
    if (fn->config[c->at] == 0)
        fake_pci_add_cap(fn, c->at, PCI_CAP_ID_VENDOR);
    fn->config[c->at + VIRTIO_PCI_CAP_LEN] = c->len;
    fn->config[c->at + VIRTIO_PCI_CAP_TYPE] = c->type;
    fn->config[c->at + VIRTIO_PCI_CAP_BAR] = c->bar;
    fake_pci_set32(fn, c->at + VIRTIO_PCI_CAP_OFFSET, c->offset);
    fake_pci_set32(fn, c->at + VIRTIO_PCI_CAP_LENGTH, c->length);
    if (c->len > 16)
        fake_pci_set32(fn, c->at + VIRTIO_PCI_CAP_MULTIPLIER, c->multiplier);
}

/* A device with the capabilities that QEMU gives it. */
static void make_device(unsigned vectors)
{
    fake_machine_reset();
    fake_pci_reset();
    fake_log_clear();
    memset(bar, 0, sizeof(bar));
    fn = fake_pci_add(0, 3, 0, VIRTIO_PCI_VENDOR, 0x1041, 0);
    fake_pci_set_bar(fn, BAR, BAR_BASE, BAR_BYTES, true);
    fake_machine_map(BAR_BASE, BAR_BYTES, bar);
    for (unsigned i = 0; i < ARRAY_COUNT(good); i++)
        put_cap(&good[i]);
    if (vectors > 0) {
        fake_pci_add_cap(fn, MSIX_CAP, PCI_CAP_ID_MSIX);
        fake_pci_set16(fn, MSIX_CAP + PCI_MSIX_CONTROL, (uint16_t)(vectors - 1));
        fake_pci_set32(fn, MSIX_CAP + PCI_MSIX_TABLE, 0x2800 | BAR);
    }
    fn->config[PCI_INTERRUPT_PIN] = 1;
    fn->config[PCI_INTERRUPT_LINE] = 11;
    assert_int_equal(pci_scan(&pci, 1), 1);
}

static void test_good_device(void **state)
{
    (void)state;
    make_device(3);
    assert_int_equal(virtio_pci_open(&vp, &pci), 0);
    assert_false(vp.dev.legacy);
    assert_false(fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER); /* not before the reset */
    vp.dev.ops->let_in(&vp.dev);
    assert_true(fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER);

    static _Alignas(4096) uint8_t memory[8192];
    struct virtq q;
    virtq_init(&q, memory, 64, 64, true);
    vp.dev.ops->irq_setup(&vp.dev);
    store_raw16(bar + VIRTIO_PCI_COMMON_QUEUE_NOTIFY_OFF, 3);
    assert_int_equal(vp.dev.ops->queue_start(&vp.dev, 1, &q), 0);
    assert_int_equal(load_raw16(bar + VIRTIO_PCI_COMMON_QUEUE_SELECT), 1);
    assert_int_equal(load_raw16(bar + VIRTIO_PCI_COMMON_QUEUE_SIZE), 64);
    assert_int_equal(load_raw16(bar + VIRTIO_PCI_COMMON_QUEUE_VECTOR), 1);
    assert_int_equal(load_raw16(bar + VIRTIO_PCI_COMMON_QUEUE_ENABLE), 1);
    uint64_t desc;
    memcpy(&desc, bar + VIRTIO_PCI_COMMON_QUEUE_DESC, sizeof(desc));
    assert_int_equal(desc, (uintptr_t)memory);
    vp.dev.ops->notify(&vp.dev, 1);
    assert_int_equal(load_raw16(bar + 0x3000 + 3 * 4), 1);

    /* A queue whose doorbell would lie outside of the block. */
    store_raw16(bar + VIRTIO_PCI_COMMON_QUEUE_NOTIFY_OFF, 0x400);
    assert_int_equal(vp.dev.ops->queue_start(&vp.dev, 1, &q), -EINVAL);
    assert_int_equal(vp.dev.ops->queue_start(&vp.dev, VIRTIO_PCI_QUEUES_MAX, &q), -EINVAL);

    /* The device's configuration ends where the capability says. */
    uint16_t v;
    store_raw16(bar + 0x2000 + 0x1E, 0x1234);
    assert_true(virtio_config_read(&vp.dev, 0x1E, &v, 2));
    assert_int_equal(v, 0x1234);
    assert_false(virtio_config_read(&vp.dev, 0x1F, &v, 2));
    assert_false(virtio_config_read(&vp.dev, 0xFFFFFFFFu, &v, 2));
    assert_null(fake_pci_fault);
}

/* One capability replaced by a lie: no transport, and a line that says so. */
static void test_lying_capabilities(void **state)
{
    static const struct {
        int id;
        struct cap cap;
        bool usable;
    } rows[] = {
        {1, {0x40, 16, VIRTIO_PCI_CAP_TYPE_COMMON, BAR, 0x3FC8, 0x38, 0}, true}, /* just inside */
        {2, {0x40, 16, VIRTIO_PCI_CAP_TYPE_COMMON, BAR, 0x3FD0, 0x38, 0}, false},
        {3, {0x40, 16, VIRTIO_PCI_CAP_TYPE_COMMON, BAR, 0, 0x37, 0}, false},
        {4, {0x40, 16, VIRTIO_PCI_CAP_TYPE_COMMON, BAR, 0xFFFFFFF0u, 0x38, 0}, false},
        {5, {0x40, 16, VIRTIO_PCI_CAP_TYPE_COMMON, 5, 0, 0x1000, 0}, false}, /* no such BAR */
        {6, {0x40, 16, VIRTIO_PCI_CAP_TYPE_COMMON, 200, 0, 0x1000, 0}, false},
        {7, {0x40, 15, VIRTIO_PCI_CAP_TYPE_COMMON, BAR, 0, 0x1000, 0}, false},
        {8, {0x50, 16, VIRTIO_PCI_CAP_TYPE_ISR, BAR, 0x4000, 1, 0}, false},
        {9, {0x50, 16, VIRTIO_PCI_CAP_TYPE_ISR, BAR, 0x1000, 0, 0}, false},
        {10, {0x70, 16, VIRTIO_PCI_CAP_TYPE_NOTIFY, BAR, 0x3000, 0x1000, 4}, false},
        {11, {0x70, 20, VIRTIO_PCI_CAP_TYPE_NOTIFY, BAR, 0x3000, 1, 4}, false},
        {12, {0x70, 20, VIRTIO_PCI_CAP_TYPE_NOTIFY, BAR, 0x3000, 0x1001, 4}, false},
        {13, {0x70, 20, VIRTIO_PCI_CAP_TYPE_NOTIFY, BAR, 0x3000, 0x1000, 0xFFFFFFFFu}, true},
        {14, {0x60, 16, VIRTIO_PCI_CAP_TYPE_DEVICE, BAR, 0x4000, 0x20, 0}, true}, /* none, then */
        {15, {0x60, 16, 77, BAR, 0x4000, 0x20, 0}, true},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        make_device(3);
        put_cap(&rows[i].cap);
        bool usable = virtio_pci_open(&vp, &pci) == 0;
        if (usable != rows[i].usable || fake_log_count != !usable)
            fail_msg("row %d: %s", rows[i].id, fake_log_last);
        uint16_t v;
        if (usable && i >= 13)
            assert_false(virtio_config_read(&vp.dev, 0, &v, 2));
        assert_null(fake_pci_fault);
    }
}

/* The list of capabilities goes in a circle that lacks one. */
static void test_capabilities_in_a_circle(void **state)
{
    (void)state;
    make_device(3);
    fn->config[0x60 + 1] = 0x70; /* 0x70, 0x60, 0x70, ...: never to the common block */
    fake_pci_reads = 0;
    assert_int_not_equal(virtio_pci_open(&vp, &pci), 0);
    assert_true(fake_pci_reads < 2000);
}

static void test_legacy_ports(void **state)
{
    static const struct {
        int id;
        uint16_t base, bytes;
        bool usable;
    } rows[] = {{1, 0xC000, 0x20, true},
                {2, 0xC000, 0x10, false},
                {3, 0xFFE0, 0x20, true},
                {4, 0, 0x20, false}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        make_device(0);
        fn->config[PCI_STATUS] = 0; /* no capabilities */
        fake_pci_set_io_bar(fn, 0, rows[i].base, rows[i].bytes);
        bool usable = virtio_pci_open(&vp, &pci) == 0;
        if (usable != rows[i].usable || (usable && !vp.dev.legacy))
            fail_msg("row %d", rows[i].id);
    }
}

static void test_interrupts(void **state)
{
    static const struct {
        int id;
        unsigned vectors;   /* of the device */
        unsigned available; /* of the machine */
        bool has_irq, msix;
        uint16_t queue, config;
        unsigned used;
    } rows[] = {
        {1, 3, 10, true, true, 1, 0, 2},
        {2, 2, 10, true, true, 1, 0, 2},
        {3, 1, 10, true, true, 0, 0, 1},
        {4, 3, 1, true, true, 1, VIRTIO_PCI_NO_VECTOR, 1},
        {5, 0, 10, true, false, VIRTIO_PCI_NO_VECTOR, VIRTIO_PCI_NO_VECTOR, 1}, /* INTx */
        {6, 0, 0, false, false, VIRTIO_PCI_NO_VECTOR, VIRTIO_PCI_NO_VECTOR, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        make_device(rows[i].vectors);
        fake_irq_limit = rows[i].available;
        assert_int_equal(virtio_pci_open(&vp, &pci), 0);
        vp.dev.ops->irq_setup(&vp.dev);
        if (vp.dev.has_irq != rows[i].has_irq || vp.msix != rows[i].msix ||
            vp.queue_vector != rows[i].queue || vp.config_vector != rows[i].config ||
            fake_irq_count != rows[i].used)
            fail_msg("row %d", rows[i].id);
        assert_int_equal(load_raw16(bar + VIRTIO_PCI_COMMON_CONFIG_VECTOR),
                         rows[i].msix ? rows[i].config : 0);
    }
}

static void test_what_handlers_do(void **state)
{
    volatile uint64_t interrupts = 0;

    (void)state;
    make_device(3);
    assert_int_equal(virtio_pci_open(&vp, &pci), 0);
    vp.dev.interrupts = &interrupts;
    vp.dev.ops->irq_setup(&vp.dev);
    fake_irq_raise(0); /* the queues' */
    assert_int_equal(interrupts, 1);
    assert_false(vp.dev.config_changed);
    fake_irq_raise(1);
    assert_int_equal(interrupts, 2);
    assert_true(vp.dev.config_changed);

    make_device(0); /* INTx: the ISR register says what it was */
    interrupts = 0;
    assert_int_equal(virtio_pci_open(&vp, &pci), 0);
    vp.dev.interrupts = &interrupts;
    vp.dev.ops->irq_setup(&vp.dev);
    fake_irq_raise(0);
    assert_int_equal(interrupts, 0); /* somebody else on the line */
    bar[0x1000] = 1;
    fake_irq_raise(0);
    assert_int_equal(interrupts, 1);
    assert_false(vp.dev.config_changed);
    bar[0x1000] = VIRTIO_PCI_ISR_CONFIG;
    fake_irq_raise(0);
    assert_true(vp.dev.config_changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_device),
        cmocka_unit_test(test_lying_capabilities),
        cmocka_unit_test(test_capabilities_in_a_circle),
        cmocka_unit_test(test_legacy_ports),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_what_handlers_do),
    };
    return cmocka_run_group_tests_name("virtio_pci", tests, NULL, NULL);
}
