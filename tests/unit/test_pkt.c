/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/pkt.c: numbered rows for the edges, and random chains compared with a flat array of bytes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "pkt.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"

#define POOL_COUNT 48

static struct pkt_pool pool;
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

static void assert_chain_is(const struct pkt *p, const uint8_t *bytes, size_t n)
{
    size_t at = 0;
    unsigned segs = 0;

    assert_int_equal(p->total_bytes, n);
    for (const struct pkt *s = p; s; s = s->next) {
        assert_true(pkt_pool_owns(&pool, s));
        assert_true(s->data >= (const uint8_t *)s + PKT_META_BYTES);
        assert_true(s->data + s->len <= (const uint8_t *)s + PKT_BUF_BYTES);
        assert_true(at + s->len <= n);
        assert_memory_equal(s->data, bytes + at, s->len);
        at += s->len;
        segs++;
    }
    assert_int_equal(at, n);
    assert_int_equal(segs, p->segs);
}

static void test_pool_gives_every_buffer_once(void **state)
{
    struct pkt *all[POOL_COUNT];

    (void)state;
    for (unsigned i = 0; i < POOL_COUNT; i++) {
        all[i] = pkt_alloc(&pool);
        assert_non_null(all[i]);
        assert_int_equal(pkt_headroom(all[i]), PKT_HEADROOM_BYTES);
        assert_int_equal(pkt_tailroom(all[i]), PKT_DATA_BYTES);
        memset(all[i]->data, (int)i, PKT_DATA_BYTES);
    }
    assert_null(pkt_alloc(&pool));
    assert_int_equal(pool.exhausted, 1);
    assert_int_equal(pool.low_mark, 0);
    for (unsigned i = 0; i < POOL_COUNT; i++) {
        assert_int_equal(all[i]->data[PKT_DATA_BYTES - 1], i);
        pkt_free(all[i]);
    }
    assert_int_equal(pool.free_count, POOL_COUNT);
}

static void test_pool_owns(void **state)
{
    static const struct {
        int id;
        intptr_t offset;
        bool owned;
    } rows[] = {
        {1, 0, true},
        {2, PKT_BUF_BYTES, true},
        {3, (intptr_t)PKT_BUF_BYTES * (POOL_COUNT - 1), true},
        {4, (intptr_t)PKT_BUF_BYTES * POOL_COUNT, false},
        {5, -(intptr_t)PKT_BUF_BYTES, false},
        {6, 1, false},
        {7, PKT_META_BYTES, false},
        {8, PKT_BUF_BYTES - 1, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct pkt *p = (const void *)((uintptr_t)pool.memory + (uintptr_t)rows[i].offset);
        if (pkt_pool_owns(&pool, p) != rows[i].owned)
            fail_msg("row %d", rows[i].id);
    }
    assert_false(pkt_pool_owns(&pool, NULL));
}

static void test_references(void **state)
{
    struct pkt *p = pkt_alloc(&pool);

    (void)state;
    pkt_ref(p);
    pkt_ref(p);
    assert_true(pkt_shared(p));
    pkt_free(p);
    pkt_free(p);
    assert_false(pkt_shared(p));
    assert_int_equal(pool.free_count, POOL_COUNT - 1);
    pkt_free(p);
}

static void test_append_limits(void **state)
{
    static uint8_t bytes[(PKT_MAX_SEGS + 1) * PKT_DATA_BYTES];
    static const struct {
        int id;
        size_t first, second;
        bool fits;
        unsigned segs; /* afterwards */
    } rows[] = {
        {1, 0, 0, true, 1},
        {2, 0, PKT_DATA_BYTES, true, 1},
        {3, 1, PKT_DATA_BYTES, true, 2},
        {4, PKT_DATA_BYTES, 0, true, 1},
        {5, PKT_DATA_BYTES, 1, true, 2},
        {6, 0, (size_t)PKT_MAX_SEGS * PKT_DATA_BYTES, true, PKT_MAX_SEGS},
        {7, 0, (size_t)PKT_MAX_SEGS * PKT_DATA_BYTES + 1, false, 1},
        {8, (size_t)PKT_MAX_SEGS * PKT_DATA_BYTES - 1, 1, true, PKT_MAX_SEGS},
        {9, (size_t)PKT_MAX_SEGS * PKT_DATA_BYTES - 1, 2, false, PKT_MAX_SEGS},
        {10, 10, SIZE_MAX, false, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rnd(256);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pkt *p = pkt_alloc(&pool);
        assert_true(pkt_append(p, bytes, rows[i].first));
        bool fits = pkt_append(p, bytes + rows[i].first, rows[i].second);
        if (fits != rows[i].fits || p->segs != rows[i].segs)
            fail_msg("row %d", rows[i].id);
        assert_chain_is(p, bytes, rows[i].first + (fits ? rows[i].second : 0));
        pkt_free(p);
    }
}

static void test_empty_pool_changes_nothing(void **state)
{
    struct pkt *held[POOL_COUNT];
    uint8_t bytes[PKT_DATA_BYTES + 1];
    struct pkt *p = pkt_alloc(&pool);
    unsigned n = 0;

    (void)state;
    memset(bytes, 7, sizeof(bytes));
    assert_true(pkt_append(p, bytes, 100));
    while (pool.free_count > 0)
        held[n++] = pkt_alloc(&pool);
    assert_false(pkt_append(p, bytes, sizeof(bytes)));
    assert_null(pkt_clone(p));
    assert_int_equal(pool.exhausted, 2);
    assert_chain_is(p, bytes, 100);
    while (n > 0)
        pkt_free(held[--n]);
    pkt_free(p);
}

static void test_clone_keeps_metadata_and_headroom(void **state)
{
    uint8_t bytes[6000];
    struct pkt *p = pkt_alloc(&pool);

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)rnd(256);
    p->data -= 14;
    assert_true(pkt_append(p, bytes, sizeof(bytes)));
    p->port = 3;
    p->flags = PKT_NEEDS_CSUM;
    p->gso_type = PKT_GSO_TCP6;
    p->gso_ecn = 1;
    p->gso_size = 1440;
    p->hdr_len = 74;
    p->csum_start = 54;
    p->csum_offset = 16;
    pkt_ref(p);
    struct pkt *copy = pkt_clone(p);
    assert_non_null(copy);
    assert_false(pkt_shared(copy));
    memset(p->data, 0, p->len);
    assert_chain_is(copy, bytes, sizeof(bytes));
    assert_int_equal(pkt_headroom(copy), PKT_HEADROOM_BYTES - 14);
    assert_int_equal(copy->port, 3);
    assert_int_equal(copy->flags, PKT_NEEDS_CSUM);
    assert_int_equal(copy->gso_type, PKT_GSO_TCP6);
    assert_int_equal(copy->gso_ecn, 1);
    assert_int_equal(copy->gso_size, 1440);
    assert_int_equal(copy->hdr_len, 74);
    assert_int_equal(copy->csum_start, 54);
    assert_int_equal(copy->csum_offset, 16);
    pkt_free(copy);
    pkt_free(p);
    pkt_free(p);
}

/* Writing to a packet that somebody else also owns is a bug of ours, and is caught. */
static void test_shared_is_not_written(void **state)
{
    struct pkt *volatile p = pkt_alloc(&pool);
    volatile int caught = 0;
    jmp_buf env;

    (void)state;
    assert_true(pkt_append(p, "0123456789", 10));
    pkt_ref(p);
    fake_check_jump = &env;
    if (setjmp(env) == 0)
        pkt_copy_in(p, 0, "x", 1);
    else
        caught++;
    if (setjmp(env) == 0)
        pkt_append(p, "x", 1);
    else
        caught++;
    if (setjmp(env) == 0)
        pkt_trim(p, 1);
    else
        caught++;
    fake_check_jump = NULL;
    assert_int_equal(caught, 3);
    pkt_free(p);
    pkt_free(p);
}

/* A chain with segments of random lengths, empty ones among them, as a driver or the dataplane
 * might build. */
static struct pkt *random_chain(uint8_t *model, size_t *n)
{
    struct pkt *head = NULL, **link = &head;
    unsigned segs = 1 + rnd(6);

    *n = 0;
    for (unsigned i = 0; i < segs; i++) {
        struct pkt *s = pkt_alloc(&pool);
        s->data = pkt_buf_start(s) + rnd(PKT_HEADROOM_BYTES + 1);
        s->len = rnd(4) ? rnd((uint32_t)pkt_tailroom(s) + 1) : rnd(3);
        if (i > 0)
            s->refs = (uint16_t)rnd(3); /* means nothing here */
        for (uint32_t b = 0; b < s->len; b++)
            model[(*n)++] = s->data[b] = (uint8_t)rnd(256);
        *link = s;
        link = &s->next;
    }
    head->total_bytes = (uint32_t)*n;
    head->segs = (uint16_t)segs;
    return head;
}

static void test_against_flat_bytes(void **state)
{
    static uint8_t model[PKT_MAX_SEGS * PKT_BUF_BYTES], bytes[sizeof(model)];

    (void)state;
    for (int round = 0; round < 400; round++) {
        size_t n;
        struct pkt *p = random_chain(model, &n);
        for (int step = 0; step < 8; step++) {
            size_t offset = rnd((uint32_t)n + 20), count = rnd(6000);
            bool inside = offset + count <= n;
            for (size_t i = 0; i < count; i++)
                bytes[i] = (uint8_t)rnd(256);
            switch (rnd(5)) {
            case 0:
                assert_int_equal(pkt_copy_out(p, offset, bytes, count), inside);
                if (inside)
                    assert_memory_equal(bytes, model + offset, count);
                break;
            case 1:
                assert_int_equal(pkt_copy_in(p, offset, bytes, count), inside);
                if (inside)
                    memcpy(model + offset, bytes, count);
                break;
            case 2:
                if (n + count < sizeof(model) - PKT_BUF_BYTES && pkt_append(p, bytes, count)) {
                    memcpy(model + n, bytes, count);
                    n += count;
                }
                break;
            case 3:
                pkt_trim(p, offset);
                n = MIN(n, offset);
                break;
            default:
                if (pool.free_count >= p->segs) {
                    struct pkt *copy = pkt_clone(p);
                    pkt_free(p);
                    p = copy;
                }
            }
            assert_chain_is(p, model, n);
        }
        pkt_free(p);
        assert_int_equal(pool.free_count, POOL_COUNT);
    }
    struct pkt *p = random_chain(model, &(size_t){0});
    assert_false(pkt_copy_out(p, SIZE_MAX, bytes, 2));
    assert_false(pkt_copy_out(p, 1, bytes, SIZE_MAX));
    pkt_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pool_gives_every_buffer_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pool_owns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_references, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_pool_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clone_keeps_metadata_and_headroom, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shared_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_against_flat_bytes, setup, teardown),
    };
    return cmocka_run_group_tests_name("pkt", tests, NULL, NULL);
}
