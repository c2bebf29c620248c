/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/wire/csum.c and csum.h: against a sum of bytes one at a time, and updates against full sums.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/csum.h"
#include "tests/fake/fake_random.h"

#include <stdlib.h>

/* The definition of RFC 1071 in the slowest way there is: big-endian words, one carry at a time.
 * The result is the value a field holds, in network order read as a number. */
static uint16_t naive_sum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
        if (sum > 0xFFFF)
            sum -= 0xFFFF;
    }
    return (uint16_t)sum;
}

static void fill(uint8_t *p, size_t n)
{
    unsigned kind = rnd(4); /* all ones and all zeros make the most and the fewest carries */

    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(kind == 0 ? 0xFF : kind == 1 ? (rnd(8) ? 0 : 1) : rnd(256));
}

static void test_known_sums(void **state)
{
    static const struct {
        int id;
        size_t n;
        uint8_t bytes[24];
        uint16_t csum; /* as csum_of, read as big-endian */
    } rows[] = {
        {1, 0, {0}, 0xFFFF},
        {2, 1, {0x01}, 0xFEFF},
        {3, 2, {0xFF, 0xFF}, 0x0000},
        {4, 4, {0xFF, 0xFF, 0xFF, 0xFF}, 0x0000},
        {5, 3, {0x12, 0x34, 0x56}, 0x97CB},
        /* the example of RFC 1071, section 3: the sum is ddf2 */
        {6, 8, {0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7}, 0x220D},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        if (ntoh16(csum_of(rows[i].bytes, rows[i].n)) != rows[i].csum)
            fail_msg("row %d: %04x", rows[i].id, ntoh16(csum_of(rows[i].bytes, rows[i].n)));
    }
}

static void test_every_length_and_alignment(void **state)
{
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        for (size_t align = 0; align < 9; align++) {
            uint8_t *block = malloc(align + n + 1); /* the sanitizer watches both ends */
            fill(block, align + n);
            assert_int_equal(ntoh16(csum_fold(csum_add(0, block + align, n))),
                             naive_sum(block + align, n));
            free(block);
        }
    }
}

static void test_long_and_running(void **state)
{
    static uint8_t block[70000];

    (void)state;
    for (int round = 0; round < 60; round++) {
        size_t n = rnd(sizeof(block)), cut = rnd((uint32_t)n + 1) & ~1u;
        fill(block, n);
        uint32_t sum = csum_add(csum_add(0, block, cut), block + cut, n - cut);
        assert_int_equal(ntoh16(csum_fold(sum)), naive_sum(block, n));
    }
    memset(block, 0xFF, sizeof(block));
    assert_int_equal(csum_fold(csum_add(UINT32_MAX, block, sizeof(block))), 0xFFFF);
    assert_true(csum_add(UINT32_MAX, block, sizeof(block)) < 0x30000);
}

/* Chains of segments of every parity, also empty ones. */
static void test_packets(void **state)
{
    struct pkt segs[6];
    uint8_t flat[6 * 100];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = 0;
        unsigned count = 1 + rnd(6);
        fill(flat, sizeof(flat));
        memset(segs, 0, sizeof(segs));
        for (unsigned i = 0; i < count; i++) {
            segs[i].data = flat + n;
            segs[i].len = rnd(3) ? rnd(100) : rnd(3);
            segs[i].next = i + 1 < count ? &segs[i + 1] : NULL;
            n += segs[i].len;
        }
        segs[0].total_bytes = (uint32_t)n;
        size_t offset = rnd((uint32_t)n + 1), part = rnd((uint32_t)(n - offset) + 1);
        assert_int_equal(ntoh16(csum_fold(csum_pkt(segs, offset, part))),
                         naive_sum(flat + offset, part));
    }
}

/* A header with a checksum, changed and updated, must equal the header summed anew; with the sums
 * that RFC 1624 is about (the rest sums to 0000 or FFFF, words change to and from those). */
static void test_update_equals_full(void **state)
{
    static const uint16_t edge[] = {0x0000, 0xFFFF, 0x0001, 0xFFFE, 0x8000, 0x7FFF, 0x00FF, 0xFF00};
    uint16_t w[10];

    (void)state;
    for (int round = 0; round < 300000; round++) {
        for (unsigned i = 0; i < ARRAY_COUNT(w); i++)
            w[i] = rnd(3) ? edge[rnd(ARRAY_COUNT(edge))] : (uint16_t)rnd(65536);
        w[0] = 0x0045; /* as in an IPv4 header: the words are never all zero */
        w[5] = 0;
        w[5] = csum_of(w, sizeof(w));
        uint32_t from, to;
        uint16_t to16 = rnd(2) ? edge[rnd(ARRAY_COUNT(edge))] : (uint16_t)rnd(65536);
        memcpy(&from, &w[6], sizeof(from));
        to = (uint32_t)edge[rnd(8)] << 16 | (rnd(2) ? edge[rnd(8)] : (uint16_t)rnd(65536));
        uint16_t delta = csum_fold(csum_delta32(from, to) + csum_delta16(w[9], to16));
        uint16_t updated = csum_apply(w[5], delta);
        uint16_t back = csum_apply(updated, (uint16_t)~delta), before = w[5];
        memcpy(&w[6], &to, sizeof(to));
        w[9] = to16;
        w[5] = 0;
        if (updated != csum_of(w, sizeof(w)))
            fail_msg("updated %04x, full %04x", updated, csum_of(w, sizeof(w)));
        if (back != before)
            fail_msg("there and back: %04x, not %04x", back, before);
    }
}

/* Every field value with every edge of a 16-bit change: the result verifies if the old one did. */
static void test_apply_exhaustive(void **state)
{
    static const uint16_t edge[] = {0x0000, 0x0001, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x5555};

    (void)state;
    for (uint32_t field = 0; field <= 0xFFFF; field++) {
        for (unsigned i = 0; i < ARRAY_COUNT(edge); i++) {
            for (unsigned j = 0; j < ARRAY_COUNT(edge); j++) {
                uint16_t delta = csum_fold(csum_delta16(edge[i], edge[j]));
                uint16_t after = csum_apply((uint16_t)field, delta);
                /* rest of the packet so that field + edge[i] + rest = 0 (mod FFFF) */
                uint32_t rest = (0xFFFFu * 2 - field - edge[i]) % 0xFFFFu;
                assert_int_equal((after + edge[j] + rest) % 0xFFFFu, 0);
                uint16_t partial = csum_apply_partial((uint16_t)field, delta);
                assert_int_equal(partial % 0xFFFFu,
                                 (field + 0xFFFFu - edge[i] + edge[j]) % 0xFFFFu);
            }
        }
    }
}

static void test_pseudo_header(void **state)
{
    uint8_t pseudo[12];

    (void)state;
    for (int round = 0; round < 10000; round++) {
        fill(pseudo, sizeof(pseudo));
        pseudo[8] = 0;
        uint32_t sum = csum_pseudo(load_raw32(pseudo), load_raw32(pseudo + 4), pseudo[9],
                                   load_be16(pseudo + 10));
        assert_int_equal(ntoh16(csum_fold(sum)), naive_sum(pseudo, sizeof(pseudo)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_sums),
        cmocka_unit_test(test_every_length_and_alignment),
        cmocka_unit_test(test_long_and_running),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_update_equals_full),
        cmocka_unit_test(test_apply_exhaustive),
        cmocka_unit_test(test_pseudo_header),
    };
    return cmocka_run_group_tests_name("csum", tests, NULL, NULL);
}
