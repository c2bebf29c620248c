/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/virtio_mmio*.c: which registers are believed in, how a queue is placed in either version,
 * configuration that does not settle, interrupts by level and by edge, and where devices are looked
 * for. The whole network driver runs over it, too.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/virtio_mmio_regs.h"
#include "drivers/virtio_net.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_virtio_mmio.h"

#include <stdlib.h>

#define POOL_COUNT 100

static struct fake_virtio device;
static struct fake_vmmio mmio;

static void make(bool legacy, bool level)
{
    fake_machine_reset();
    fake_log_clear();
    fake_virtio_init(&device, F_ALL | (legacy ? F_LAYOUT : F_V1), 64, legacy);
    fake_vmmio_init(&mmio, &device, level);
    fake_mem_low = legacy;
}

static void test_what_is_believed(void **state)
{
    static const struct {
        int id;
        uint64_t base;
        uint32_t bytes, magic, version, kind;
        int status;
    } rows[] = {
        {1, FAKE_VMMIO_BASE, FAKE_VMMIO_BYTES, VIRTIO_MMIO_MAGIC_VALUE, 2, 1, 0},
        {2, FAKE_VMMIO_BASE, FAKE_VMMIO_BYTES, VIRTIO_MMIO_MAGIC_VALUE, 1, 1, 0},
        {3, FAKE_VMMIO_BASE, FAKE_VMMIO_BYTES, VIRTIO_MMIO_MAGIC_VALUE, 0, 1, -EINVAL},
        {4, FAKE_VMMIO_BASE, FAKE_VMMIO_BYTES, VIRTIO_MMIO_MAGIC_VALUE, 3, 1, -EINVAL},
        {5, FAKE_VMMIO_BASE, FAKE_VMMIO_BYTES, UINT32_MAX, UINT32_MAX, UINT32_MAX, -EINVAL},
        {6, FAKE_VMMIO_BASE, FAKE_VMMIO_BYTES, 0, 2, 1, -EINVAL},
        {7, FAKE_VMMIO_BASE, FAKE_VMMIO_BYTES, VIRTIO_MMIO_MAGIC_VALUE, 2, 0, -ENODEV},
        {8, FAKE_VMMIO_BASE, 0x100, VIRTIO_MMIO_MAGIC_VALUE, 2, 4, 0},
        {9, FAKE_VMMIO_BASE, 0xFF, VIRTIO_MMIO_MAGIC_VALUE, 2, 1, -EINVAL},
        {10, FAKE_VMMIO_BASE, 0x201, VIRTIO_MMIO_MAGIC_VALUE, 2, 1, -EINVAL}, /* not mappable */
        {11, FAKE_VMMIO_BASE + 2, 0x100, VIRTIO_MMIO_MAGIC_VALUE, 2, 1, -EINVAL},
        {12, 0x100000, 0x200, VIRTIO_MMIO_MAGIC_VALUE, 2, 1, -EINVAL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        make(false, true);
        mmio.vm.place.base = rows[i].base;
        mmio.vm.place.bytes = rows[i].bytes;
        mmio.magic = rows[i].magic;
        mmio.version = rows[i].version;
        mmio.kind = rows[i].kind;
        int status = fake_vmmio_open(&mmio);
        /* Nothing there is no error, everything else that is wrong is said once. */
        if (status != rows[i].status || fake_log_count != (status == -EINVAL))
            fail_msg("row %d: %d, %s", rows[i].id, status, fake_log_last);
        if (status == 0 &&
            (mmio.vm.kind != rows[i].kind || mmio.vm.dev.legacy != (rows[i].version == 1) ||
             strcmp(mmio.vm.dev.location, "0xfeb00e00") != 0))
            fail_msg("row %d: kind %u at %s", rows[i].id, mmio.vm.kind, mmio.vm.dev.location);
        assert_null(device.fault);
    }
}

/* What a queue becomes of what the device says it can have. */
static void test_queue_sizes(void **state)
{
    static const struct {
        int id;
        uint32_t max;
        int status;
        uint16_t size;
    } rows[] = {
        {1, 64, 0, 64},  {2, 1024, 0, 256},       {3, 0, -ENOENT, 0},
        {4, 100, 0, 64}, {5, UINT32_MAX, 0, 256}, {6, 1, 0, 1},
    };

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_COUNT(rows); i++) {
        const unsigned row = i / 2;
        struct virtq q = {0};
        make(i % 2, true);
        mmio.queue_num_max = rows[row].max;
        assert_int_equal(fake_vmmio_open(&mmio), 0);
        assert_int_equal(virtio_begin(&mmio.vm.dev), 0);
        assert_int_equal(virtio_negotiate(&mmio.vm.dev, 0), 0);
        int status = virtio_queue_open(&mmio.vm.dev, 1, VIRTQ_MAX_SIZE, &q);
        if (status != rows[row].status || q.size != rows[row].size ||
            device.q[1].size != rows[row].size || device.q[1].desc != q.desc ||
            device.q[1].avail != q.avail || device.q[1].used != q.used)
            fail_msg("row %d: %d, size %u", rows[row].id, status, q.size);
        assert_int_equal(virtio_queue_open(&mmio.vm.dev, VIRTIO_MMIO_QUEUES_MAX, 64, &q), -ENOENT);
        assert_null(device.fault);
        virtio_stop(&mmio.vm.dev);
        assert_int_equal(mmio.queues[1].ready | mmio.queues[1].pfn, 0);
    }
}

/* Queues that are somebody's, a reset without an end, features that are refused. */
static void test_devices_that_do_not_start(void **state)
{
    static const struct {
        int id;
        bool legacy, keeps_queues, stuck, refuses;
        int status;
    } rows[] = {
        {1, false, true, false, false, -EIO},       {2, true, true, false, false, -EIO},
        {3, false, false, true, false, -ETIMEDOUT}, {4, true, false, true, false, -ETIMEDOUT},
        {5, false, false, false, true, -EPROTO},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct virtq q;
        make(rows[i].legacy, true);
        mmio.keeps_queues = rows[i].keeps_queues;
        device.stuck_in_reset = rows[i].stuck;
        device.refuses_features = rows[i].refuses;
        assert_int_equal(fake_vmmio_open(&mmio), 0);
        int status = virtio_begin(&mmio.vm.dev);
        if (status == 0)
            status = virtio_negotiate(&mmio.vm.dev, 0);
        if (status == 0)
            status = virtio_queue_open(&mmio.vm.dev, 0, 64, &q);
        if (status != rows[i].status)
            fail_msg("row %d: %d", rows[i].id, status);
        virtio_fail(&mmio.vm.dev);
        assert_null(device.fault);
    }
}

static void test_configuration(void **state)
{
    static const struct {
        int id;
        bool restless, read;
        unsigned offset, n;
    } rows[] = {
        {1, false, true, 0, 6},    {2, false, true, 6, 2},           {3, true, false, 0, 6},
        {4, true, false, 6, 2},    {5, false, true, 24, 8},          {6, false, false, 249, 8},
        {7, false, false, 256, 1}, {8, false, false, UINT32_MAX, 2}, {9, false, false, 0, 65},
    };

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_COUNT(rows); i++) {
        const unsigned row = i / 2;
        uint8_t bytes[80];
        make(i % 2, true);
        assert_int_equal(fake_vmmio_open(&mmio), 0);
        mmio.restless = rows[row].restless;
        bool read = virtio_config_read(&mmio.vm.dev, rows[row].offset, bytes, rows[row].n);
        if (read != rows[row].read)
            fail_msg("row %d: %d", rows[row].id, read);
        if (read && memcmp(bytes, device.config + rows[row].offset, rows[row].n) != 0)
            fail_msg("row %d: other bytes", rows[row].id);
        assert_null(device.fault);
    }
}

static void test_interrupts(void **state)
{
    static const struct {
        int id;
        bool level;
        uint32_t causes, sticky;
        unsigned acks, counted;
        uint32_t left;
        bool config;
    } rows[] = {
        {1, true, 0, 0, 0, 0, 0, false}, /* somebody else's */
        {2, true, 1, 0, 1, 1, 0, false},
        {3, true, 2, 0, 1, 1, 0, true},
        {4, true, 3, 1, 1, 1, 3, true}, /* the line stays up: it is called again */
        {5, false, 1, 0, 1, 1, 0, false},
        {6, false, 1, 2, 3, 1, 0, false},         /* there is no second edge, so it looks again */
        {7, false, 2, UINT32_MAX, 8, 1, 2, true}, /* but not for ever */
        {8, true, 0xFFFFFFF0u, 0, 0, 0, 0xFFFFFFF0u, false}, /* nothing that can be meant */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        volatile uint64_t counted = 0;
        make(false, rows[i].level);
        assert_int_equal(fake_vmmio_open(&mmio), 0);
        mmio.vm.dev.interrupts = &counted;
        virtio_interrupts(&mmio.vm.dev);
        assert_true(mmio.vm.dev.has_irq);
        mmio.sticky = rows[i].sticky;
        fake_vmmio_raise(&mmio, rows[i].causes);
        if (mmio.acks != rows[i].acks || counted != rows[i].counted ||
            mmio.interrupts != rows[i].left || mmio.vm.dev.config_changed != rows[i].config)
            fail_msg("row %d: %u acks, %llu counted, %x left", rows[i].id, mmio.acks,
                     (unsigned long long)counted, mmio.interrupts);
        assert_null(device.fault);
    }
}

/* An I/O APIC, the 8259 where there is none that has it, and none. */
static void test_where_interrupts_come_from(void **state)
{
    static const struct {
        int id;
        uint32_t gsi;
        unsigned limit;
        bool has_irq;
    } rows[] = {
        {1, FAKE_GSI_LAST, 1, true},
        {2, FAKE_GSI_LAST + 1, 1, false},
        {3, 5, 0, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        make(false, true);
        mmio.vm.place.gsi = rows[i].gsi;
        fake_irq_limit = rows[i].limit;
        assert_int_equal(fake_vmmio_open(&mmio), 0);
        virtio_interrupts(&mmio.vm.dev);
        if (mmio.vm.dev.has_irq != rows[i].has_irq)
            fail_msg("row %d", rows[i].id);
    }
}

/* The network driver, by the registers: what is received comes out, what is sent goes in. */
static void test_frames_pass(void **state)
{
    (void)state;
    for (unsigned legacy = 0; legacy < 2; legacy++) {
        static struct fake_frame frame;
        struct pkt_pool pool;
        struct pkt *out[4];
        uint16_t head;
        make(legacy, true);
        uint8_t *memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)POOL_COUNT * PKT_BUF_BYTES);
        pkt_pool_init(&pool, memory, POOL_COUNT);
        device.pool = &pool;
        struct nic_limits limits = {.pool = &pool, .rx_buffers_max = 20, .tx_buffers_max = 21};
        assert_int_equal(fake_vmmio_open(&mmio), 0);
        struct nic *nic = virtio_net_start(&mmio.vm.dev, &limits);
        if (nic->dead)
            fail_msg("%s, %s", nic->dead, device.fault ? device.fault : "");
        assert_string_equal(nic->location, "0xfeb00e00");
        assert_int_equal(device.promiscuous, 1);
        memset(frame.data, 0x5A, 100);
        memset(&frame.hdr, 0, sizeof(frame.hdr));
        frame.bytes = 100;
        assert_true(fake_virtio_receive(&device, &frame));
        unsigned n = nic->ops->rx_batch(nic, out, 4);
        if (n != 1 || device.fault)
            fail_msg("legacy %u: %s, %s", legacy, nic->dead, device.fault);
        assert_int_equal(out[0]->total_bytes, 100);
        assert_int_equal(nic->ops->tx_batch(nic, out, 1), 1);
        memset(&frame, 0, sizeof(frame));
        assert_true(fake_virtio_transmit(&device, &frame, &head));
        assert_int_equal(frame.bytes, 100);
        assert_int_equal(frame.data[99], 0x5A);
        fake_virtio_sent(&device, head);
        nic->ops->tx_reclaim(nic);

        device.config[VIRTIO_NET_CONFIG_STATUS] = 0;
        fake_vmmio_raise(&mmio, VIRTIO_MMIO_INTERRUPT_CONFIG);
        assert_false(nic->ops->link_up(nic));
        nic->ops->stop(nic);
        assert_int_equal(device.status, 0);
        virtio_net_rx_release(virtio_net_of(nic));
        assert_int_equal(pool.free_count, POOL_COUNT);
        assert_null(device.fault);
        free(memory);
    }
}

/* The command line's come first, in their order, then the AML's that are others. */
static void test_where_devices_are_looked_for(void **state)
{
    static uint32_t regs[VIRTIO_MMIO_MAX + 4][FAKE_VMMIO_BYTES / 4];
    static const struct acpi_virtio_mmio aml[] = {
        {0xFEB00200, 512, 24, true},
        {0xFEB00400, 512, 26, true},
        {0xFEB00500, 512, 27, true}, /* partly where another is */
        {0xFEB00000, 512, 25, true},
        {0xFEB00600, 512, 28, true}, /* empty */
        {0, 0, 0, false},
    };

    (void)state;
    fake_machine_reset();
    fake_log_clear();
    fake_machine_map(0xFEB00000, sizeof(regs), regs);
    fake_virtio_mmio = aml;
    for (unsigned i = 0; i < ARRAY_COUNT(regs); i++) {
        regs[i][VIRTIO_MMIO_MAGIC / 4] = VIRTIO_MMIO_MAGIC_VALUE;
        regs[i][VIRTIO_MMIO_VERSION / 4] = 1 + i % 2;
        regs[i][VIRTIO_MMIO_DEVICE_ID / 4] = i == 3 ? 0 : i == 2 ? 2 : 1;
    }
    /* Where none is takes no place from one. */
    virtio_mmio_add(&(struct virtio_mmio_place){.base = 0xFEB00100, .bytes = 512, .gsi = 6});
    assert_true(fake_log_has("0xfeb00100: no virtio device"));
    fake_log_clear();
    virtio_mmio_add(&(struct virtio_mmio_place){.base = 0xFEB00200, .bytes = 512, .gsi = 7});
    virtio_mmio_add(&(struct virtio_mmio_place){.base = 0xFEB00200, .bytes = 512, .gsi = 8});
    const struct virtio_mmio *first = virtio_mmio_next(1, NULL);
    assert_non_null(first);
    assert_int_equal(first->place.base, 0xFEB00200);
    assert_int_equal(first->place.gsi, 7);
    const struct virtio_mmio *second = virtio_mmio_next(1, first);
    assert_non_null(second);
    assert_int_equal(second->place.base, 0xFEB00000);
    assert_true(second->place.level);
    assert_null(virtio_mmio_next(1, second));
    const struct virtio_mmio *disk = virtio_mmio_next(2, NULL);
    assert_non_null(disk);
    assert_int_equal(disk->place.base, 0xFEB00400);
    assert_null(virtio_mmio_next(2, disk));
    assert_null(virtio_mmio_next(4, NULL));
    assert_int_equal(fake_log_count, 1);
    assert_true(fake_log_has("0xfeb00500"));
    for (unsigned i = 4; i < ARRAY_COUNT(regs); i++) /* more than there is room for */
        virtio_mmio_add(
            &(struct virtio_mmio_place){.base = 0xFEB00000 + i * FAKE_VMMIO_BYTES, .bytes = 512});
    assert_true(fake_log_has("more than 32 virtio devices: left out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_believed),
        cmocka_unit_test(test_queue_sizes),
        cmocka_unit_test(test_devices_that_do_not_start),
        cmocka_unit_test(test_configuration),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_where_interrupts_come_from),
        cmocka_unit_test(test_frames_pass),
        cmocka_unit_test(test_where_devices_are_looked_for),
    };
    return cmocka_run_group_tests_name("virtio_mmio", tests, NULL, NULL);
}
