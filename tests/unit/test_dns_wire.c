/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/wire/dns.c: questions with hostile lengths and pointers (RFC 1035, section 3.1 and 4.1.4; RFC
 * 9267), names as text, and answers that do not fit.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/dns.h"

#include <stdlib.h>

static const uint8_t header[DNS_HDR_BYTES] = {0x12, 0x34, 1, 0, 0, 1};

/* A message in a buffer that ends where it does, so that the sanitizer sees every byte too far. */
static uint8_t *message(const void *tail, size_t n)
{
    uint8_t *m = malloc(DNS_HDR_BYTES + n);

    memcpy(m, header, DNS_HDR_BYTES);
    memcpy(m + DNS_HDR_BYTES, tail, n);
    return m;
}

static void test_questions(void **state)
{
    static const struct {
        int id;
        bool ok;
        size_t n;
        uint8_t tail[24];
        const char *name;
    } rows[] = {
        {1, true, 5, {0, 0, 1, 0, 1}, ""},
        {2, true, 7, {1, 'a', 0, 0, 1, 0, 1}, "a"},
        {3, true, 9, {1, 'a', 1, 'B', 0, 0, 1, 0, 1}, "a.B"},
        {4, true, 9, {1, 'a', 0, 0, 1, 0, 1, 0xC0, 12}, "a"}, /* what follows is not looked at */
        {5, false, 0, {0}, NULL},
        {6, false, 1, {0}, NULL},
        {7, false, 4, {0, 0, 1, 0}, NULL},
        {8, false, 6, {0xC0, 12, 0, 1, 0, 1}, NULL}, /* a pointer to itself */
        {9, false, 8, {1, 'a', 0xC0, 12, 0, 1, 0, 1}, NULL},
        {10, false, 6, {0xC0, 99, 0, 1, 0, 1}, NULL}, /* forward */
        {11, false, 6, {64, 'a', 0, 1, 0, 1}, NULL},  /* a label over 63 */
        {12, false, 6, {0x80, 0, 0, 1, 0, 1}, NULL},
        {13, false, 7, {5, 'a', 0, 0, 1, 0, 1}, NULL}, /* a label beyond the end */
        {14, true, 7, {1, '.', 0, 0, 1, 0, 1}, "?"},   /* a dot inside a label is no host's */
        {15, true, 7, {1, 0, 0, 0, 1, 0, 1}, "?"},
        {16, true, 7, {1, 0x80, 0, 0, 1, 0, 1}, "?"},
    };
    struct dns_question q;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t *m = message(rows[i].tail, rows[i].n);
        char name[DNS_MAX_NAME_BYTES];
        if (dns_read_question(&q, m, DNS_HDR_BYTES + rows[i].n) != rows[i].ok)
            fail_msg("row %d", rows[i].id);
        if (rows[i].ok) {
            dns_name_text(name, m, &q);
            if (strcmp(name, rows[i].name) != 0)
                fail_msg("row %d: name", rows[i].id);
        }
        free(m);
    }
    /* Exactly one question. */
    for (uint8_t count = 0; count < 3; count++) {
        uint8_t *m = message("\0\0\1\0\1", 5);
        m[5] = count;
        assert_int_equal(dns_read_question(&q, m, DNS_HDR_BYTES + 5), count == 1);
        free(m);
    }
}

/* Four labels: 63, 63, 63 and last. With lengths and root, 255 bytes are the longest name. */
static size_t long_name(uint8_t *to, uint8_t last)
{
    size_t n = 0;

    for (unsigned k = 0; k < 4; k++) {
        uint8_t label = k == 3 ? last : 63;
        to[n++] = label;
        memset(to + n, 'x', label);
        n += label;
    }
    memcpy(to + n, "\0\0\1\0\1", 5);
    return n + 5;
}

static void test_longest_name(void **state)
{
    uint8_t tail[300];
    struct dns_question q;
    char *text = malloc(DNS_MAX_NAME_BYTES);

    (void)state;
    size_t n = long_name(tail, 62);
    uint8_t *m = message(tail, n);
    assert_false(dns_read_question(&q, m, DNS_HDR_BYTES + n));
    free(m);
    n = long_name(tail, 61);
    m = message(tail, n);
    assert_true(dns_read_question(&q, m, DNS_HDR_BYTES + n));
    dns_name_text(text, m, &q);
    assert_int_equal(strlen(text), 253);
    free(text);
    free(m);
}

/* Every room from none to plenty: an answer is whole or is not. */
static void test_answers_fit_or_are_not(void **state)
{
    static const uint8_t tail[] = {3, 'w', 'e', 'b',  0, 0, 1, 0, 1, 0,
                                   0, 41,  4,   0xD0, 0, 0, 0, 0, 0, 0};
    uint8_t *m = message(tail, sizeof(tail));
    size_t n = DNS_HDR_BYTES + sizeof(tail), head = DNS_HDR_BYTES + 9;
    struct dns_question q;

    (void)state;
    m[DNS_ARCOUNT_OFF + 1] = 1;
    assert_true(dns_read_question(&q, m, n));
    for (size_t room = 0; room < 96; room++) {
        uint8_t *to = malloc(room + 1);
        size_t used =
            dns_write_record(to, room, m, n, &q, DNS_TYPE_A, (const uint8_t *)"\1\2\3\4", 4, 60);
        assert_true(used <= room);
        assert_int_equal(used > 0, room >= head);
        if (room >= head + 16 + 11) {
            assert_int_equal(used, head + 16 + 11);
            assert_memory_equal(to + head + 12, "\1\2\3\4", 4);
        }
        used = dns_write_none(to, room, m, n, &q, DNS_NXDOMAIN, 3, 60);
        assert_true(used <= room);
        assert_int_equal(used > 0, room >= head);
        if (room >= head + 50 + 11)
            assert_int_equal(used, head + 50 + 11);
        used = dns_write_error(to, room, m, n, NULL, DNS_FORMERR);
        assert_int_equal(used, room >= DNS_HDR_BYTES ? DNS_HDR_BYTES : 0);
        free(to);
    }
    free(m);
}

static void test_encoded_names(void **state)
{
#define LABEL63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"
    static const struct {
        int id;
        const char *front, *domain;
        size_t n; /* 0: none */
        const char *bytes;
    } rows[] = {
        {1, "web", "lan", 9, "\3web\3lan"},
        {2, "web", "", 5, "\3web"},
        {3, "a.b", "c.example", 15, "\1a\1b\1c\7example"},
        {4, LABEL63, "", 65, NULL},
        {5, LABEL63 "x", "", 0, NULL},
        {6, "", "lan", 0, NULL},
        {7, "a..b", "", 0, NULL},
        {8, ".a", "", 0, NULL},
        {9, LABEL63 "." LABEL63 "." LABEL63, "x.example", 203, NULL},
        {10, LABEL63 "." LABEL63 "." LABEL63, LABEL63, 0, NULL},
        {11, LABEL63 "." LABEL63 "." LABEL63,
         "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg", 255, NULL},
    };
    uint8_t *to = malloc(DNS_MAX_NAME_BYTES);

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        size_t n = dns_encode_name(to, rows[i].front, rows[i].domain);
        if (n != rows[i].n || (rows[i].bytes && memcmp(to, rows[i].bytes, n) != 0))
            fail_msg("row %d", rows[i].id);
    }
    free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoded_names),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_longest_name),
        cmocka_unit_test(test_answers_fit_or_are_not),
    };
    return cmocka_run_group_tests_name("dns_wire", tests, NULL, NULL);
}
