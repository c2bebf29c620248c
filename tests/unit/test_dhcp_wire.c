/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/wire/dhcp.c: options with hostile lengths, overloaded fields, options in pieces.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"

#include <stdlib.h>

static size_t raw_message(uint8_t *b, const uint8_t *options, size_t n)
{
    dhcp_lab_build(b, 512, &(struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER});
    memset(b + DHCP_OPTIONS_OFF, 0, 512 - DHCP_OPTIONS_OFF);
    memcpy(b + DHCP_OPTIONS_OFF, options, n);
    return DHCP_OPTIONS_OFF + n;
}

static void test_hostile_options(void **state)
{
    static const struct {
        int id;
        bool ok;
        size_t n;
        uint8_t options[20];
    } rows[] = {
        {1, true, 4, {53, 1, 1, 255}},
        {2, true, 3, {53, 1, 1}}, /* no end mark */
        {3, true, 0, {0}},        /* BOOTP */
        {4, true, 6, {0, 0, 53, 1, 1, 255}},
        {5, false, 1, {53}},    /* a code without a length */
        {6, false, 2, {53, 1}}, /* a value beyond the end */
        {7, false, 5, {53, 1, 1, 12, 255}},
        {8, false, 3, {53, 0, 255}},       /* too short */
        {9, false, 5, {53, 2, 1, 1, 255}}, /* too long */
        {10, false, 6, {50, 3, 1, 2, 3, 255}},
        {11, true, 7, {53, 1, 1, 255, 50, 9, 9}},  /* behind the end nothing counts */
        {12, false, 7, {53, 1, 1, 52, 1, 0, 255}}, /* overload of nothing */
        {13, false, 7, {53, 1, 1, 52, 1, 4, 255}},
        {14, false, 8, {53, 1, 1, 52, 2, 1, 1, 255}},
        {15, true, 7, {53, 1, 1, 52, 1, 3, 255}},
        {16, false, 7, {53, 1, 1, 53, 1, 1, 255}}, /* joined it is two bytes */
        {17, true, 5, {53, 1, 1, 61, 0}},
    };
    struct dhcp_message m;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t b[512];
        size_t n = raw_message(b, rows[i].options, rows[i].n);
        uint8_t *exact = malloc(n); /* so that the sanitizer sees every byte too far */
        memcpy(exact, b, n);
        if (dhcp_read(&m, exact, n) != rows[i].ok)
            fail_msg("row %d", rows[i].id);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *shorter = malloc(cut + 1);
            memcpy(shorter + 1, exact, cut);
            bool ok = dhcp_read(&m, shorter + 1, cut);
            if (cut < DHCP_OPTIONS_OFF)
                assert_false(ok);
            free(shorter);
        }
        free(exact);
    }
}

/* RFC 2131, section 4.1 and RFC 3396: file before sname, and options in pieces. */
static void test_overload_and_pieces(void **state)
{
    static const uint8_t options[] = {53, 1, 3, 52, 1, 3, 61, 2, 'a', 'b', 255};
    static const uint8_t file[] = {61, 2, 'c', 'd', 52, 1, 9, 255, 77};
    static const uint8_t sname[] = {61, 1, 'e', 12, 2, 'h', 'i'};
    struct dhcp_message m;
    uint8_t b[512];

    (void)state;
    size_t n = raw_message(b, options, sizeof(options));
    memcpy(b + DHCP_FILE_OFF, file, sizeof(file));
    memcpy(b + DHCP_SNAME_OFF, sname, sizeof(sname));
    /* The overload option inside file means nothing. */
    assert_true(dhcp_read(&m, b, n));
    assert_int_equal(m.type, DHCP_TYPE_REQUEST);
    assert_int_equal(m.client_id.n, 5);
    assert_memory_equal(m.client_id.at, "abcde", 5);
    assert_int_equal(m.name.n, 2);
    b[DHCP_OPTIONS_OFF + 5] = 2; /* sname only */
    assert_true(dhcp_read(&m, b, n));
    assert_memory_equal(m.client_id.at, "abe", m.client_id.n);
    b[DHCP_SNAME_OFF + 1] = 63; /* runs over sname, though not over the message */
    assert_false(dhcp_read(&m, b, n));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_hostile_options),
        T(test_overload_and_pieces),
    };
    return cmocka_run_group_tests_name("dhcp_wire", tests, NULL, NULL);
}
