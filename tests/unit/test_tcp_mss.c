/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/wire/tcp_mss.c: option lists of every shape, the checksum always compared with one computed
 * in full.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/tcp_mss.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"

#include <stdlib.h>

static struct frame f;
static void build(const void *options, size_t bytes, size_t payload)
{
    const struct frame_plan plan = {.proto = 6,
                                    .tcp_options = options,
                                    .tcp_option_bytes = bytes,
                                    .tcp_flags = 2,
                                    .payload_bytes = payload};
    frame_make(&f, &plan);
}

#define O(text) text, sizeof(text) - 1

/* 1460 is 05b4; 1452 is 05ac; 65535 is ffff. max is 1452 throughout. */
static const struct {
    int id;
    const char *options;
    size_t bytes;
    const char *after; /* NULL: unchanged */
} rows[] = {
    {1, O("\2\4\5\264"), "\2\4\5\254"},
    {2, O("\2\4\5\254"), NULL},
    {3, O("\2\4\5\253"), NULL},
    {4, O("\2\4\0\0"), NULL},
    {5, O("\2\4\377\377"), "\2\4\5\254"},
    {6, "", 0, NULL},
    {7, O("\1\1\1\1"), NULL},
    {8, O("\2\4\5\264\4\2\10\12\1\2\3\4\0\0\0\0\1\3\3\7"),
     "\2\4\5\254\4\2\10\12\1\2\3\4\0\0\0\0\1\3\3\7"},
    {9, O("\1\2\4\5\264\1\1\1"), "\1\2\4\5\254\1\1\1"}, /* the value at an odd offset */
    {10, O("\3\3\7\2\4\5\264\1"), "\3\3\7\2\4\5\254\1"},
    {11, O("\1\2\4\377\377\1\1\1"), "\1\2\4\5\254\1\1\1"},
    {12, O("\1\1\2\4\5\264\1\1"), "\1\1\2\4\5\254\1\1"},
    {13, O("\0\1\1\1\2\4\5\264"), NULL},                     /* behind the end */
    {14, O("\2\4\5\264\2\4\5\264"), "\2\4\5\254\2\4\5\254"}, /* twice */
    {15, O("\2\4\5\0\1\2\4\5\264\1\1\1"), "\2\4\5\0\1\2\4\5\254\1\1\1"},
    {16, O("\2\3\5\264"), NULL}, /* malformed from here */
    {17, O("\2\5\5\264\1\1\1\1"), NULL},
    {18, O("\2\0\5\264"), NULL},
    {19, O("\2\1\5\264"), NULL},
    {20, O("\1\1\1\2"), NULL},
    {21, O("\1\1\2\4"), NULL},
    {22, O("\1\2\4\5"), NULL},
    {23, O("\10\0\5\264\2\4\5\264"), NULL},
    {24, O("\10\1\5\264\2\4\5\264"), NULL},
    {25, O("\10\11\5\264\2\4\5\264"), NULL},
    {26, O("\2\4\5\264\10\0\0\0"), NULL}, /* nothing is done by halves */
    {27, O("\2\4\5\264\1\1\1\10"), NULL},
    {28, O("\2\4\5\264\0\10\0\0"), "\2\4\5\254\0\10\0\0"},
    {29,
     O("\2\4\5\264\2\4\5\264\2\4\5\264\2\4\5\264\2\4\5\264\2\4\5\264\2\4\5\264\2\4\5\264"
       "\2\4\5\264\2\4\5\264"),
     "\2\4\5\254\2\4\5\254\2\4\5\254\2\4\5\254\2\4\5\254\2\4\5\254\2\4\5\254\2\4\5\254"
     "\2\4\5\254\2\4\5\254"},
};

/* A packet in memory of exactly its size. */
static struct pkt exact(void)
{
    struct pkt p = {.len = (uint32_t)f.n, .total_bytes = (uint32_t)f.n, .segs = 1, .refs = 1};
    p.data = malloc(f.n);
    memcpy(p.data, f.b, f.n);
    return p;
}

static void check_row(int id, const void *after, size_t bytes, size_t payload)
{
    struct pkt p = exact();
    struct view v;

    assert_int_equal(view_parse_ip4(&v, &p), DROP_NONE);
    if (tcp_mss_clamp(&p, &v, 1452) != (after != NULL))
        fail_msg("row %d: changed or not, against expectation", id);
    if (after)
        memcpy(f.b + f.l4 + 20, after, bytes);
    frame_fix_l4_csum(&f);
    if (memcmp(p.data, f.b, f.n) != 0)
        fail_msg("row %d, payload %zu: not as with a full sum", id, payload);
    assert_false(tcp_mss_clamp(&p, &v, 1452)); /* once is enough */
    free(p.data);
}

static void test_rows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (size_t payload = 0; payload < 4; payload++) {
            build(rows[i].options, rows[i].bytes, payload);
            check_row(rows[i].id, rows[i].after, rows[i].bytes, payload);
        }
    }
}

/* With a partial checksum the field is the pseudo-header's sum, which no option is part of. */
static void test_partial(void **state)
{
    (void)state;
    for (unsigned odd = 0; odd < 2; odd++) {
        build(odd ? "\1\2\4\5\264\1\1\1" : "\2\4\5\264\1\1\1\1", 8, 0);
        frame_partial_csum(&f);
        uint16_t field = load_raw16(f.b + f.l4 + 16);
        struct pkt p = exact();
        struct view v;
        p.flags = PKT_NEEDS_CSUM;
        assert_int_equal(view_parse_ip4(&v, &p), DROP_NONE);
        assert_true(tcp_mss_clamp(&p, &v, 1400));
        assert_int_equal(load_raw16(p.data + f.l4 + 16), field);
        assert_int_equal(load_be16(p.data + f.l4 + 22 + odd), 1400);
        free(p.data);
    }
}

/* Random lists, well formed and not, random limits; a second walk written differently says what
 * must have happened. */
static bool model_clamp(uint8_t *tcp, size_t hdr, uint16_t max)
{
    uint8_t copy[60];
    bool changed = false;

    memcpy(copy, tcp, hdr);
    for (size_t i = 20; i < hdr;) {
        uint8_t kind = copy[i], len = 1;
        if (kind == 0)
            break;
        if (kind != 1) {
            if (i + 1 >= hdr || (len = copy[i + 1]) < 2 || i + len > hdr)
                return false;
            if (kind == 2 && len != 4)
                return false;
            if (kind == 2 && (copy[i + 2] << 8 | copy[i + 3]) > max) {
                copy[i + 2] = (uint8_t)(max >> 8);
                copy[i + 3] = (uint8_t)max;
                changed = true;
            }
        }
        i += len;
    }
    if (changed)
        memcpy(tcp, copy, hdr);
    return changed;
}

static void test_random(void **state)
{
    unsigned changes = 0, total = 40000;

    (void)state;
    for (unsigned round = 0; round < total; round++) {
        uint8_t options[40];
        size_t bytes = rnd(11) * 4, at = 0;
        while (at < bytes) {
            static const char *const parts[] = {"\1",     "\2\4\5\264", "\4\2",
                                                "\3\3\7", "\0",         "\2\3\1"};
            static const uint8_t sizes[] = {1, 4, 2, 3, 1, 3};
            unsigned k = rnd(20) ? rnd(4) : rnd(6);
            for (unsigned i = 0; i < sizes[k] && at < bytes; i++)
                options[at++] = (uint8_t)parts[k][i];
        }
        for (unsigned i = 0; i < bytes; i++)
            options[i] = (uint8_t)(rnd(60) ? options[i] : rnd(256));
        build(options, bytes, rnd(5));
        if (rnd(2))
            store_raw16(f.b + f.l4 + 16, (uint16_t)rnd(65536)); /* a wrong sum stays as wrong */
        else
            frame_fix_l4_csum(&f);
        uint16_t max = (uint16_t)(rnd(3) ? 1400 + rnd(100) : rnd(65536));
        uint16_t before = load_be16(f.b + f.l4 + 16);
        frame_fix_l4_csum(&f);
        uint32_t off_by = (before + 0xFFFFu - load_be16(f.b + f.l4 + 16)) % 0xFFFFu;
        store_be16(f.b + f.l4 + 16, before);

        struct pkt p = exact();
        struct view v;
        assert_int_equal(view_parse_ip4(&v, &p), DROP_NONE);
        bool changed = tcp_mss_clamp(&p, &v, max);
        assert_int_equal(changed, model_clamp(f.b + f.l4, 20 + bytes, max));
        uint16_t after = load_be16(p.data + f.l4 + 16);
        frame_fix_l4_csum(&f);
        assert_int_equal((after + 0xFFFFu - load_be16(f.b + f.l4 + 16)) % 0xFFFFu, off_by);
        store_be16(f.b + f.l4 + 16, after);
        assert_memory_equal(p.data, f.b, f.n);
        changes += changed;
        free(p.data);
    }
    assert_in_range(changes, total / 10, total - total / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests_name("tcp_mss", tests, NULL, NULL);
}
