/* SPDX-License-Identifier: BSD-3-Clause
 *
 * drivers/virtio_blk.c against a disk in software that follows VIRTIO 1.2, section 5.2, strictly,
 * answers in any order, and lies.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/virtio_blk.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_virtio.h"

#include <stdlib.h>

#define DISK_BYTES 65536u
#define BASE       (VIRTIO_F_VERSION_1 | VIRTIO_BLK_F_FLUSH)

static struct fake_virtio device;
static struct blk *disk;
static uint8_t media[DISK_BYTES];
static const char *serial;
static bool holds; /* it takes requests, and answers when answer() is called */
static unsigned held_count, flushes;
static uint16_t held[64];
static uint8_t status_given;
static bool mute; /* it gives none, though it says that it is done */

static uint32_t rnd(uint32_t below)
{
    static uint32_t seed = 11;
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void *memory_of(const struct virtq_desc *d)
{
    return (void *)(uintptr_t)d->address;
}

/* Carries out the request whose chain begins at head; the bytes it wrote. What the driver does
 * wrong is a fault. */
static uint32_t carry_out(struct fake_virtio *f, uint16_t head)
{
    const struct virtq_desc *ring = f->q[0].desc, *first = &ring[head], *last, *data = NULL;
    struct virtio_blk_head request;

    f->fault = first->len == sizeof(request) && first->flags == VIRTQ_DESC_NEXT ? f->fault : "head";
    memcpy(&request, memory_of(first), sizeof(request));
    last = &ring[first->next];
    if (last->flags & VIRTQ_DESC_NEXT) {
        data = last;
        last = &ring[data->next];
    }
    if (last->flags != VIRTQ_DESC_WRITE || last->len != 1)
        f->fault = "status";
    if (!mute)
        *(uint8_t *)memory_of(last) = status_given;
    bool writes = request.type == VIRTIO_BLK_T_IN || request.type == VIRTIO_BLK_T_GET_ID;
    if (!data != (request.type == VIRTIO_BLK_T_FLUSH) ||
        (data && !(data->flags & VIRTQ_DESC_WRITE) == writes))
        f->fault = "data";
    if (status_given != VIRTIO_BLK_S_OK)
        return 1;
    if (request.type == VIRTIO_BLK_T_GET_ID && data->len == VIRTIO_BLK_ID_BYTES) {
        memcpy(memory_of(data), serial, strnlen(serial, VIRTIO_BLK_ID_BYTES));
    } else if (request.type == VIRTIO_BLK_T_FLUSH) {
        flushes++;
    } else if (request.sector * 512 + data->len > DISK_BYTES) {
        f->fault = "beyond the end";
    } else if (writes) {
        memcpy(memory_of(data), media + request.sector * 512, data->len);
    } else {
        memcpy(media + request.sector * 512, memory_of(data), data->len);
    }
    return writes ? data->len + 1 : 1;
}

static void answer(unsigned which)
{
    uint16_t head = held[which];

    held[which] = held[--held_count];
    fake_virtio_used(&device, 0, 0, head, carry_out(&device, head));
    fake_virtio_publish(&device, 0, 1);
}

static void on_notify(struct fake_virtio *f, unsigned index)
{
    uint16_t head;

    assert_int_equal(index, 0);
    while (fake_virtio_take(f, 0, &head)) {
        held[held_count++] = head;
        if (!holds)
            answer(held_count - 1);
    }
}

static void set_config(unsigned at, uint64_t value, unsigned bytes)
{
    memcpy(device.config + at, &value, bytes);
}

static void prepare(uint64_t offered, uint16_t queue, bool legacy)
{
    fake_machine_reset();
    fake_log_clear();
    fake_virtio_init(&device, offered, queue, legacy);
    device.on_notify = on_notify;
    memset(device.config, 0, sizeof(device.config));
    set_config(VIRTIO_BLK_CONFIG_CAPACITY, DISK_BYTES / 512, 8);
    serial = "leases";
    status_given = VIRTIO_BLK_S_OK;
    holds = mute = false;
    held_count = flushes = 0;
}

static void start_with(uint64_t features)
{
    prepare(BASE | features, 64, false);
    set_config(VIRTIO_BLK_CONFIG_BLK_SIZE, 4096, 4); /* if it says so */
    disk = virtio_blk_start(&device.dev);
    assert_non_null(disk);
}

static void start(void)
{
    start_with(0);
}

static int teardown(void **state)
{
    (void)state;
    fake_machine_reset();
    return 0;
}

static void test_what_it_says_of_itself(void **state)
{
    static const struct {
        int id;
        uint64_t offered;
        uint64_t capacity;
        uint32_t size_max, block;
        uint16_t queue;
        bool legacy;
        const char *refused; /* or: */
        uint64_t bytes;
        uint32_t request_bytes;
    } rows[] = {
        {1, BASE, 128, 0, 0, 64, false, NULL, 65536, 65536},
        {2, BASE, 128, 0, 0, 128, true, NULL, 65536, 65536},
        {3, BASE, 128, 0, 0, 4, false, NULL, 65536, 65536},
        {4, BASE, 128, 0, 0, 2, false, "its queue is too short", 0, 0},
        {5, BASE, 128, 0, 0, 0, false, "its queue cannot be used", 0, 0},
        {6, BASE, 0, 0, 0, 64, false, NULL, 0, 65536},
        {7, BASE, UINT64_MAX, 0, 0, 64, false, NULL, 1ull << 50, 65536},
        {8, BASE | VIRTIO_BLK_F_BLK_SIZE, 128, 0, 4096, 64, false, NULL, 65536, 65536},
        {9, BASE | VIRTIO_BLK_F_BLK_SIZE, 128, 0, 8192, 64, false, "its blocks", 0, 0},
        {10, BASE | VIRTIO_BLK_F_BLK_SIZE, 128, 0, 0, 64, false, "its blocks", 0, 0},
        {11, BASE | VIRTIO_BLK_F_BLK_SIZE, 128, 0, 1000, 64, false, "its blocks", 0, 0},
        {12, BASE | VIRTIO_BLK_F_SIZE_MAX, 128, 9999, 0, 64, false, NULL, 65536, 8192},
        {13, BASE | VIRTIO_BLK_F_SIZE_MAX, 128, 4095, 0, 64, false, "no requests of 4096", 0, 0},
        {14, BASE | VIRTIO_BLK_F_SIZE_MAX, 128, UINT32_MAX, 0, 64, false, NULL, 65536, 65536},
        {15, BASE | VIRTIO_BLK_F_RO, 128, 0, 0, 64, false, NULL, 65536, 65536},
        {16, VIRTIO_F_VERSION_1, 128, 0, 0, 64, false, NULL, 65536, 65536},
        {17, VIRTIO_BLK_F_FLUSH, 128, 0, 0, 64, false, "refuses the features", 0, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        prepare(rows[i].offered, rows[i].queue, rows[i].legacy);
        set_config(VIRTIO_BLK_CONFIG_CAPACITY, rows[i].capacity, 8);
        set_config(VIRTIO_BLK_CONFIG_SIZE_MAX, rows[i].size_max, 4);
        set_config(VIRTIO_BLK_CONFIG_BLK_SIZE, rows[i].block, 4);
        disk = virtio_blk_start(&device.dev);
        if (!disk != (rows[i].refused != NULL) || device.fault ||
            (rows[i].refused && (!fake_log_has(rows[i].refused) || device.dma_allowed)))
            fail_msg("row %d: '%s', fault %s", rows[i].id, fake_log_last, device.fault);
        if (!disk)
            continue;
        if (disk->bytes != rows[i].bytes || disk->request_bytes != rows[i].request_bytes ||
            disk->read_only != !!(rows[i].offered & VIRTIO_BLK_F_RO) ||
            disk->caches != !!(rows[i].offered & VIRTIO_BLK_F_FLUSH))
            fail_msg("row %d: %llu bytes, requests of %u", rows[i].id,
                     (unsigned long long)disk->bytes, disk->request_bytes);
        assert_string_equal(disk->serial, "leases");
    }
}

static void test_serials(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},           {"exactly-twenty-chars", "exactly-twenty-chars"},
        {"one two", "one"}, {"bad\x1B[2Jescape", "bad"},
        {"\xFF", ""},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        prepare(BASE, 64, false);
        serial = rows[i][0];
        disk = virtio_blk_start(&device.dev);
        assert_string_equal(disk->serial, rows[i][1]);
    }
    prepare(BASE, 64, false);
    status_given = VIRTIO_BLK_S_UNSUPP; /* it has none */
    disk = virtio_blk_start(&device.dev);
    assert_string_equal(disk->serial, "");
    prepare(BASE, 64, false);
    holds = true; /* it never answers: no start waits for that */
    assert_null(virtio_blk_start(&device.dev));
    assert_in_range(fake_now_us, 100000, 110000);
    assert_true(fake_log_has("does not answer"));
    assert_false(device.dma_allowed);
}

/* Requests that a disk cannot carry out never reach it. */
static void test_requests_that_are_not_possible(void **state)
{
    static const struct {
        int id;
        uint8_t op;
        uint64_t at;
        uint32_t n;
        uint8_t ends; /* enum blk_state */
        uint64_t features;
    } rows[] = {
        {1, BLK_READ, 0, 512, BLK_DONE, 0},
        {2, BLK_READ, 0, 511, BLK_FAILED, 0},
        {3, BLK_READ, 1, 512, BLK_FAILED, 0},
        {4, BLK_READ, DISK_BYTES - 512, 512, BLK_DONE, 0},
        {5, BLK_READ, DISK_BYTES, 512, BLK_FAILED, 0},
        {6, BLK_READ, DISK_BYTES - 512, 1024, BLK_FAILED, 0},
        {7, BLK_READ, UINT64_MAX - 511, 512, BLK_FAILED, 0},
        {8, BLK_READ, 0, 0, BLK_FAILED, 0},
        {9, BLK_FLUSH, 0, 512, BLK_FAILED, 0},
        {10, BLK_FLUSH, 0, 0, BLK_DONE, 0},
        {11, BLK_WRITE, 0, DISK_BYTES, BLK_DONE, 0},
        {12, BLK_WRITE, 0, 2 * DISK_BYTES, BLK_FAILED, 0},
        {13, BLK_WRITE, 0, 512, BLK_FAILED, VIRTIO_BLK_F_RO},
        {14, BLK_READ, 0, 512, BLK_DONE, VIRTIO_BLK_F_RO},
        {15, BLK_FLUSH, 0, 0, BLK_DONE, VIRTIO_BLK_F_RO},
        {16, BLK_READ, 4096, 512, BLK_FAILED, VIRTIO_BLK_F_BLK_SIZE},
        {17, BLK_READ, 512, 4096, BLK_FAILED, VIRTIO_BLK_F_BLK_SIZE},
        {18, BLK_READ, 8192, 4096, BLK_DONE, VIRTIO_BLK_F_BLK_SIZE}, /* in sectors all the same */
    };
    static uint8_t bytes[2 * DISK_BYTES];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start_with(rows[i].features);
        for (unsigned at = 0; at < DISK_BYTES; at++)
            media[at] = (uint8_t)(at / 512);
        memset(bytes, 0xEE, sizeof(bytes));
        struct blk_request r = {.op = rows[i].op, .at = rows[i].at, .n = rows[i].n, .bytes = bytes};
        assert_true(disk->ops->submit(disk, &r));
        disk->ops->poll(disk);
        if (r.state != rows[i].ends || device.fault || disk->dead)
            fail_msg("row %d: state %u, fault %s", rows[i].id, r.state, device.fault);
        if (r.state == BLK_DONE && r.op == BLK_READ)
            assert_memory_equal(bytes, media + r.at, r.n);
        if (rows[i].features & VIRTIO_BLK_F_RO)
            assert_int_equal(media[511], 0);
    }
}

static void test_any_order(void **state)
{
    static uint8_t bytes[BLK_REQUESTS_MAX][1024], model[DISK_BYTES];
    static struct blk_request r[BLK_REQUESTS_MAX];

    (void)state;
    start();
    memcpy(model, media, sizeof(model));
    holds = true;
    memset(r, 0, sizeof(r));
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = rnd(BLK_REQUESTS_MAX);
        if (r[i].state == BLK_DONE && r[i].op == BLK_READ)
            assert_memory_equal(r[i].bytes, model + r[i].at, r[i].n);
        if (r[i].state != BLK_PENDING) {
            /* Each has a part of the disk, so that the order does not matter. */
            r[i] = (struct blk_request){.op = (uint8_t)rnd(3), .at = i * 1024, .bytes = bytes[i]};
            r[i].n = r[i].op == BLK_FLUSH ? 0 : 1024;
            memset(bytes[i], (int)rnd(256), sizeof(bytes[i]));
            if (r[i].op == BLK_WRITE)
                memcpy(model + r[i].at, bytes[i], r[i].n);
            assert_true(disk->ops->submit(disk, &r[i]));
        }
        while (held_count > 0 && rnd(2))
            answer(rnd(held_count));
        disk->ops->poll(disk);
        assert_null(device.fault);
        assert_null(disk->dead);
    }
    /* More than there are slots for are refused, and remain their owner's. */
    struct blk_request one_more = {.op = BLK_FLUSH}, all[BLK_REQUESTS_MAX] = {{0}};
    while (held_count > 0)
        answer(0);
    disk->ops->poll(disk);
    for (unsigned i = 0; i < BLK_REQUESTS_MAX; i++) {
        all[i].op = BLK_FLUSH;
        assert_true(disk->ops->submit(disk, &all[i]));
    }
    assert_false(disk->ops->submit(disk, &one_more));
    assert_int_equal(one_more.state, BLK_IDLE);
}

static void test_without_a_cache_a_flush_is_nothing(void **state)
{
    (void)state;
    prepare(VIRTIO_F_VERSION_1, 64, false);
    disk = virtio_blk_start(&device.dev);
    struct blk_request r = {.op = BLK_FLUSH};
    assert_true(disk->ops->submit(disk, &r));
    assert_int_equal(r.state, BLK_DONE);
    assert_int_equal(flushes, 0);
}

static void test_lies(void **state)
{
    static const struct {
        int id;
        uint8_t status;     /* of an honest answer; or: */
        uint32_t id_given;  /* a used entry with this, */
        unsigned published; /* published so many times */
        bool dead, mute;
    } rows[] = {
        {1, VIRTIO_BLK_S_IOERR, 0, 0, false, false},
        {2, VIRTIO_BLK_S_UNSUPP, 0, 0, false, false},
        {3, 0xFF, 0, 0, false, false},
        {4, 77, 0, 0, false, false},
        {5, 0, 1, 1, true, false}, /* inside a chain */
        {6, 0, 3, 1, true, false}, /* a slot with nothing in it */
        {7, 0, 3 * BLK_REQUESTS_MAX, 1, true, false},
        {8, 0, UINT32_MAX, 1, true, false},
        {9, 0, 0, 2, true, false}, /* twice */
        {10, 0, 0, 1000, true, false},
        {11, 0, 0, 65535, true, false},
        {12, 0, 0, 0, false, true}, /* done, it says, and leaves the status as it was */
    };
    static uint8_t bytes[4096];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start();
        holds = true;
        struct blk_request r = {.op = BLK_WRITE, .n = 4096, .bytes = bytes}, next = r;
        assert_true(disk->ops->submit(disk, &r));
        fake_log_clear();
        if (rows[i].published) {
            for (unsigned k = 0; k < MIN(rows[i].published, 8u); k++)
                fake_virtio_used(&device, 0, k, rows[i].id_given, 1);
            fake_virtio_publish(&device, 0, rows[i].published);
        } else {
            status_given = rows[i].status;
            mute = rows[i].mute;
            answer(0);
        }
        disk->ops->poll(disk);
        bool failed = r.state == BLK_FAILED || (rows[i].id_given == 0 && rows[i].published);
        if (!failed || r.state == BLK_PENDING || (disk->dead != NULL) != rows[i].dead ||
            device.dma_allowed == rows[i].dead)
            fail_msg("row %d: state %u, %s", rows[i].id, r.state, disk->dead);
        /* A dead disk takes everything and does nothing. */
        assert_true(disk->ops->submit(disk, &next));
        assert_int_equal(next.state, rows[i].dead ? BLK_FAILED : BLK_PENDING);
        disk->ops->poll(disk);
        disk->ops->stop(disk, "the end");
        assert_int_equal(next.state, rows[i].dead ? BLK_FAILED : BLK_LOST);
    }
}

/* A device that has requests is not reset, and what it says of them later is not listened to. */
static void test_the_end(void **state)
{
    static uint8_t bytes[4096];

    (void)state;
    for (unsigned pending = 0; pending < 3; pending++) {
        struct blk_request r[2];
        start();
        holds = true;
        for (unsigned i = 0; i < pending; i++) {
            r[i] = (struct blk_request){.op = BLK_WRITE, .n = 4096, .bytes = bytes};
            assert_true(disk->ops->submit(disk, &r[i]));
        }
        disk->ops->stop(disk, "the end");
        assert_string_equal(disk->dead, "the end");
        assert_int_equal(device.dma_allowed, pending > 0);
        for (unsigned i = 0; i < pending; i++)
            answer(i);
        disk->ops->poll(disk);
        for (unsigned i = 0; i < pending; i++)
            assert_int_equal(r[i].state, BLK_LOST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_it_says_of_itself, teardown),
        cmocka_unit_test_teardown(test_serials, teardown),
        cmocka_unit_test_teardown(test_requests_that_are_not_possible, teardown),
        cmocka_unit_test_teardown(test_any_order, teardown),
        cmocka_unit_test_teardown(test_without_a_cache_a_flush_is_nothing, teardown),
        cmocka_unit_test_teardown(test_lies, teardown),
        cmocka_unit_test_teardown(test_the_end, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
