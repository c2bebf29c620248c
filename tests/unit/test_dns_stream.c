/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_stream.c: messages come out of a stream as they were put in, wherever it is cut.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dns_stream.h"
#include "tests/fake/fake_random.h"

#include <stdlib.h>

#define MOST 512

static void test_what_has_come(void **state)
{
    static const struct {
        int id;
        size_t n;
        uint8_t head[2];
        enum dns_frame frame;
        size_t length;
    } rows[] = {
        {1, 0, {0, 12}, DNS_FRAME_PART, 0},       {2, 1, {0, 0}, DNS_FRAME_PART, 0},
        {3, 2, {0, 0}, DNS_FRAME_BROKEN, 0},      {4, 2, {0, 12}, DNS_FRAME_PART, 0},
        {5, 13, {0, 12}, DNS_FRAME_PART, 0},      {6, 14, {0, 12}, DNS_FRAME_WHOLE, 12},
        {7, 500, {0, 12}, DNS_FRAME_WHOLE, 12},   {8, 2, {2, 0}, DNS_FRAME_PART, 0},
        {9, 514, {2, 0}, DNS_FRAME_WHOLE, 512},   {10, 2, {2, 1}, DNS_FRAME_BROKEN, 0},
        {11, 999, {255, 0}, DNS_FRAME_BROKEN, 0}, {12, 3, {0, 1}, DNS_FRAME_WHOLE, 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        size_t length = 0, here = MIN(rows[i].n, (size_t)2);
        uint8_t *exact = malloc(here + 1); /* the sanitizer sees every byte too far */
        memcpy(exact, rows[i].head, here);
        enum dns_frame frame = dns_frame_look(here ? exact : exact + 1, rows[i].n, MOST, &length);
        if (frame != rows[i].frame || (frame == DNS_FRAME_WHOLE && length != rows[i].length))
            fail_msg("row %d: %d, %zu", rows[i].id, frame, length);
        free(exact);
    }
}

/* As lwIP does it: the sender may fill the window, which opens by what is taken. Messages wait here
 * as long as they like. */
static void test_random_cuts(void **state)
{
    static uint8_t sent[400000];
    static struct dns_stream s;
    size_t end = 0, at = 0, window = sizeof(s.bytes), messages = 0, seen = 0;

    (void)state;
    while (end + MOST + 2 < sizeof(sent)) {
        size_t n = rnd(4) ? 1 + rnd(60) : 1 + rnd(MOST);
        store_be16(sent + end, (uint16_t)n);
        for (size_t i = 0; i < n; i++)
            sent[end + 2 + i] = (uint8_t)rnd(256);
        end += n + 2;
        messages++;
    }
    size_t expected = 0; /* where the next message begins */
    while (expected < end) {
        size_t piece = rnd(rnd(2) ? 3 : 1500), n = MIN(MIN(piece, window), end - at), length;
        const uint8_t *message;
        assert_true(dns_stream_put(&s, sent + at, n));
        at += n;
        window -= n;
        for (unsigned most = rnd(4); most > 0 || window == 0; most--) {
            enum dns_frame frame = dns_stream_next(&s, MOST, &message, &length);
            if (frame == DNS_FRAME_PART) {
                assert_true(window > 0); /* else nobody would ever go on */
                break;
            }
            assert_int_equal(frame, DNS_FRAME_WHOLE);
            assert_int_equal(length, load_be16(sent + expected));
            assert_memory_equal(message, sent + expected + 2, length);
            expected += length + 2;
            window += length + 2;
            seen++;
        }
    }
    assert_int_equal(seen, messages);
    assert_int_equal(window, sizeof(s.bytes));
}

static void test_no_room(void **state)
{
    static struct dns_stream s;
    static const uint8_t bytes[DNS_STREAM_BYTES + 1] = {0, 5};
    const uint8_t *message;
    size_t length;

    (void)state;
    assert_false(dns_stream_put(&s, bytes, DNS_STREAM_BYTES + 1));
    assert_true(dns_stream_put(&s, bytes, DNS_STREAM_BYTES));
    assert_false(dns_stream_put(&s, bytes, 1));
    assert_int_equal(dns_stream_next(&s, MOST, &message, &length), DNS_FRAME_WHOLE);
    assert_false(dns_stream_put(&s, bytes, 8));
    assert_true(dns_stream_put(&s, bytes, 7));
    /* The rest is zeros: a message of no length, now and for good. */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(dns_stream_next(&s, MOST, &message, &length), DNS_FRAME_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_come),
        cmocka_unit_test(test_random_cuts),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests_name("dns_stream", tests, NULL, NULL);
}
