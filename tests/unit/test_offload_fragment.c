/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/offload_fragment.c: random datagrams and fragments, fragmented and put together again by the
 * simplest code that can; the options row by row.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/offload.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"

#define POOL_COUNT 420

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

static void test_fragment_options(void **state)
{
    static const struct {
        int id;
        size_t bytes, later_bytes;
        const char *options, *later;
    } rows[] = {
        {1, 4, 0, "\1\1\1\1", ""},
        {2, 4, 4, "\x94\4\0\0", "\x94\4\0\0"},
        {3, 8, 4, "\7\4\4\0\x94\4\1\2", "\x94\4\1\2"},
        {4, 12, 8, "\x82\6abcd\7\4\4\0\1\0", "\x82\6abcd\0\0"},
        {5, 12, 4, "\1\x94\4\0\0\0\x94\4\0\0\0\0", "\x94\4\0\0"}, /* behind the end: nothing */
        {6, 12, 8, "\x85\3x\x85\3y\7\3\4\1\1\0", "\x85\3x\x85\3y\0\0"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pkt *out[OFFLOAD_MAX_SEGMENTS];
        unsigned missing;
        const struct frame_plan plan = {.proto = 17,
                                        .ip_options = (const uint8_t *)rows[i].options,
                                        .ip_option_bytes = rows[i].bytes,
                                        .payload_bytes = 1400};
        frame_make(&f, &plan);
        f.b[f.l3 + 6] = 0;
        frame_fix_ip_csum(&f);
        struct pkt *p = frame_pkt(&pool, f.b, f.n, f.n, 1, rnd);
        frame_unpoison(&pool);
        unsigned n = offload_fragment(p, 576, out, &missing);
        assert_in_range(n, 3, 4);
        for (unsigned k = 0; k < n; k++) {
            const uint8_t *ip = out[k]->data + 14;
            size_t want = k == 0 ? rows[i].bytes : rows[i].later_bytes;
            if ((ip[0] & 15u) * 4u != 20 + want ||
                memcmp(ip + 20, k == 0 ? rows[i].options : rows[i].later, want) != 0)
                fail_msg("row %d: options of fragment %u", rows[i].id, k);
            pkt_free(out[k]);
        }
    }
}

/* Every byte of the payload must come exactly once, in its place. */
static void check_fragments(struct pkt **out, unsigned n, uint16_t mtu, unsigned base, bool more)
{
    static uint8_t got[FRAME_MAX_BYTES], b[FRAME_MAX_BYTES];
    size_t end = 0, hdr = f.l4 - f.l3;

    for (unsigned i = 0; i < n; i++) {
        struct view v;
        size_t bytes = frame_flatten(out[i], b), h = (b[14] & 15u) * 4u, part = bytes - 14 - h;
        size_t at = ((size_t)(b[20] & 0x1F) << 8 | b[21]) * 8 - base * 8u;
        assert_true(bytes - 14 <= mtu);
        assert_int_equal(load_be16(b + 16), bytes - 14);
        assert_int_equal(frame_naive_sum(b + 14, h), 0xFFFF);
        assert_int_equal(at, end); /* in order, without a gap */
        assert_int_equal(!!(b[20] & 0x20), i + 1 < n || more);
        assert_int_equal(b[20] & 0xC0, f.b[20] & 0xC0);
        assert_true(i + 1 == n || (part % 8 == 0 && part > 0));
        memcpy(got + at, b + 14 + h, part);
        end = at + part;
        /* what the copied headers have in common with the packet's */
        assert_memory_equal(b, f.b, 14);
        assert_int_equal(b[15], f.b[15]);
        assert_memory_equal(b + 18, f.b + 18, 2);
        assert_memory_equal(b + 22, f.b + 22, 2);
        assert_memory_equal(b + 26, f.b + 26, 8);
        if (i == 0)
            assert_memory_equal(b + 34, f.b + 34, hdr - 20);
        assert_int_equal(out[i]->port, 3);
        assert_int_equal(out[i]->flags, 0);
        /* Our own parser would take it, but where MTU is too small for a TCP header with options.
         */
        enum drop_reason why = view_parse_ip4(&v, out[i]);
        assert_true(why == DROP_NONE || (i == 0 && why == DROP_FRAGMENT && mtu < 134));
    }
    assert_int_equal(end, f.n - f.l4);
    assert_memory_equal(got, f.b + f.l4, end);
}

static void fragment_and_check(void)
{
    /* well formed wherever it is cut off at a multiple of 4 */
    static const uint8_t options[40] = {0x94, 4, 0, 0, 7, 3, 4, 1, 0x88, 4, 5, 6, 1, 1, 1, 1};
    struct pkt *out[OFFLOAD_MAX_SEGMENTS], *hold[POOL_COUNT];
    struct frame_plan plan = {.proto = rnd(3) ? 17 : 6,
                              .ip_options = options,
                              .ip_option_bytes = rnd(3) ? 0 : rnd(11) * 4,
                              .payload_bytes = rnd(4) ? rnd(3000) : rnd(65400)};
    uint16_t mtu = (uint16_t)(rnd(3) ? 68 + rnd(1500) : 68 + rnd(9000));
    unsigned base = 0, missing = 99, held = 0;
    bool more = false, shared = rnd(4) == 0;

    frame_make(&f, &plan);
    if (rnd(3) == 0) { /* a fragment already */
        base = rnd(2) ? 0 : 3 + rnd(20);
        more = base == 0 || rnd(2);
        if (more)
            f.n -= (f.n - f.l4) % 8;
        if (f.n - f.l3 + base * 8u > 65535 || f.n - f.l4 < 40)
            return;
        if (more)
            store_be16(f.b + f.l3 + 2, (uint16_t)(f.n - f.l3));
    }
    store_be16(f.b + f.l3 + 6, (uint16_t)(base | (more ? 0x2000u : 0) | (rnd(9) ? 0 : 0x8000u)));
    frame_fix_ip_csum(&f);
    size_t pad = rnd(4) ? 0 : rnd(60);
    memset(f.b + f.n, 0xDA, pad);
    struct pkt *p = frame_pkt(&pool, f.b, f.n + pad, f.payload + rnd(1500),
                              rnd(3) ? PKT_DATA_BYTES : 700 + rnd(1000), rnd);
    assert_non_null(p);
    if (shared)
        pkt_ref(p);
    if (rnd(4) == 0) {
        unsigned leave = rnd(40);
        while (pool.free_count > leave)
            hold[held++] = pkt_alloc(&pool);
    }
    frame_unpoison(&pool);
    unsigned n = offload_fragment(p, mtu, out, &missing);
    if (n > 0) {
        assert_int_equal(missing, 0);
        check_fragments(out, n, mtu, base, more);
    } else {
        assert_true(missing > 0);
        assert_true(held > 0 || missing > OFFLOAD_MAX_SEGMENTS);
        assert_true(missing <= (f.n - f.l4) / 8 + 1);
    }
    for (unsigned i = 0; i < n; i++)
        pkt_free(out[i]);
    if (shared) {
        assert_false(pkt_shared(p));
        pkt_free(p);
    }
    while (held > 0)
        pkt_free(hold[--held]);
    assert_int_equal(pool.free_count, POOL_COUNT);
}

static void test_fragment(void **state)
{
    (void)state;
    for (int round = 0; round < 1500; round++)
        fragment_and_check();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fragment_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fragment, setup, teardown),
    };
    return cmocka_run_group_tests_name("offload_fragment", tests, NULL, NULL);
}
