/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/wire/icmp_error.c: about what an error may be sent, and that what is built is a right IPv4
 * packet with the right quote, also of packets in many segments.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/icmp_error.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"

#define POOL_COUNT 200

static struct pkt_pool pool;
static struct frame f;
static int setup(void **state)
{
    (void)state;
    fake_pool_start(&pool, POOL_COUNT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return fake_pool_stop(&pool);
}

static const struct {
    int id;
    bool allowed;
    uint8_t proto;
    struct {
        int at; /* 0 = none; from the frame's start, + 1 */
        uint8_t value;
    } patch[4];
} rows[] = {
    {1, true, 17, {{0}}},
    {2, true, 6, {{0}}},
    {3, true, 1, {{0}}},
    {4, true, 47, {{0}}},
    {5, false, 1, {{35, 3}}}, /* about an error */
    {6, false, 1, {{35, 4}}},
    {7, false, 1, {{35, 5}}},
    {8, false, 1, {{35, 11}}},
    {9, false, 1, {{35, 12}}},
    {10, true, 1, {{35, 0}}},
    {11, true, 1, {{35, 13}}},                 /* a query */
    {12, true, 17, {{21, 0x20}, {22, 0}}},     /* the first fragment */
    {13, false, 17, {{21, 0x20}, {22, 3}}},    /* a later one */
    {14, false, 17, {{21, 0x00}, {22, 0x80}}}, /* the last one */
    {15, false, 17, {{1, 0xFF}, {2, 0xFF}}},   /* group and broadcast, on the link */
    {16, false, 17, {{1, 0x01}}},
    {17, false, 17, {{31, 224}}}, /* and in IP */
    {18, false, 17, {{31, 239}}},
    {19, false, 17, {{31, 255}, {32, 255}, {33, 255}, {34, 255}}},
    {20, false, 17, {{27, 0}}}, /* sources that are no host */
    {21, false, 17, {{27, 127}}},
    {22, false, 17, {{27, 224}}},
    {23, false, 17, {{27, 240}}},
    {24, false, 17, {{27, 255}}},
    {25, true, 17, {{27, 223}}},
    {26, true, 17, {{31, 223}}},
    {27, true, 17, {{27, 1}}},
    {28, false, 1, {{35, 3}, {21, 0x20}}}, /* the first fragment of an error */
};

static void test_allowed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct frame_plan plan = {.proto = rows[i].proto, .payload_bytes = 40};
        struct view v;
        frame_make(&f, &plan);
        for (unsigned k = 0; k < ARRAY_COUNT(rows[i].patch); k++) {
            if (rows[i].patch[k].at != 0)
                f.b[rows[i].patch[k].at - 1] = rows[i].patch[k].value;
        }
        frame_fix_ip_csum(&f);
        struct pkt p = {.data = f.b, .len = (uint32_t)f.n, .total_bytes = (uint32_t)f.n};
        if (view_parse_ip4(&v, &p) != DROP_NONE)
            fail_msg("row %d does not parse", rows[i].id);
        if (icmp_error_allowed(&v, &p) != rows[i].allowed)
            fail_msg("row %d", rows[i].id);
    }
}

/* Builds an error about the frame in f, in segments as given, and checks every byte of it. */
static void check_error(uint8_t type, uint8_t code, uint16_t mtu, size_t pad, size_t head)
{
    size_t quote = MIN(f.n - 14, (size_t)(576 - 28));
    struct view v;

    memset(f.b + f.n, 0xDD, pad);
    struct pkt *about = frame_pkt(&pool, f.b, f.n + pad, head, 700, rnd);
    assert_non_null(about);
    about->port = 7;
    assert_int_equal(view_parse_ip4(&v, about), DROP_NONE);
    struct pkt *e = icmp_error_build(&pool, about, &v, BE_IP4(10, 0, 0, 1), type, code, mtu);
    assert_non_null(e);
    assert_int_equal(e->segs, 1);
    assert_int_equal(e->total_bytes, 14 + 28 + quote);
    assert_int_equal(e->len, e->total_bytes);
    assert_true(pkt_headroom(e) >= PKT_HEADROOM_BYTES);
    assert_int_equal(e->flags, 0);
    assert_int_equal(e->gso_size, 0);
    assert_int_equal(e->port, 7);

    assert_true(frame_sums_right(e->data, e->len, 14, false));
    const uint8_t *ip = e->data + 14;
    assert_int_equal(ip[0], 0x45);
    assert_int_equal(ip[1] & 0xE0, 0xC0);
    assert_true(ip[8] >= 32);
    assert_int_equal(ip[9], 1);
    assert_int_equal(load_raw32(ip + 12), BE_IP4(10, 0, 0, 1));
    assert_memory_equal(ip + 16, f.b + 14 + 12, 4);
    assert_int_equal(ip[20], type);
    assert_int_equal(ip[21], code);
    assert_int_equal(load_be16(ip + 24), 0);
    assert_int_equal(load_be16(ip + 26), mtu);
    assert_memory_equal(ip + 28, f.b + 14, quote);

    /* Our own parser takes it, and finds the flow it is about. */
    struct inner_view in;
    assert_int_equal(view_parse_ip4(&v, e), DROP_NONE);
    assert_false(icmp_error_allowed(&v, e));
    assert_int_equal(view_parse_icmp_inner(&in, &v, e), DROP_NONE);
    assert_int_equal(in.src, BE_IP4(192, 168, 8, 5));
    frame_unpoison(&pool);
    pkt_free(e);
    pkt_free(about);
    assert_int_equal(pool.free_count, POOL_COUNT);
}

static void test_built(void **state)
{
    static const size_t payloads[] = {0, 1, 26, 519, 520, 521, 547, 548, 549, 1472, 9000, 65000};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(payloads); i++) {
        for (unsigned options = 0; options <= 40; options += 20) {
            static const uint8_t nops[40] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
            struct frame_plan plan = {.proto = rnd(2) ? 6 : 17,
                                      .ip_options = nops,
                                      .ip_option_bytes = options,
                                      .payload_bytes = payloads[i]};
            frame_make(&f, &plan);
            check_error(3, 4, 1400, 0, 128);
            frame_make(&f, &plan);
            check_error(11, 0, 0, 1 + rnd(20), PKT_DATA_BYTES);
            frame_make(&f, &plan);
            check_error(3, 13, 0, rnd(2), 94 + rnd(600));
        }
    }
}

static void test_empty_pool(void **state)
{
    struct pkt *held[POOL_COUNT];
    const struct frame_plan plan = {.proto = 17, .payload_bytes = 40};
    struct view v;
    unsigned n = 0;

    (void)state;
    frame_make(&f, &plan);
    struct pkt p = {.data = f.b, .len = (uint32_t)f.n, .total_bytes = (uint32_t)f.n, .segs = 1};
    assert_int_equal(view_parse_ip4(&v, &p), DROP_NONE);
    while (pool.free_count > 0)
        held[n++] = pkt_alloc(&pool);
    assert_null(icmp_error_build(&pool, &p, &v, BE_IP4(10, 0, 0, 1), 11, 0, 0));
    assert_int_equal(pool.exhausted, 1);
    while (n > 0)
        pkt_free(held[--n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed),
        cmocka_unit_test_setup_teardown(test_built, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_pool, setup, teardown),
    };
    return cmocka_run_group_tests_name("icmp_error", tests, NULL, NULL);
}
