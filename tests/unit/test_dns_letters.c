/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/wire/dns_letters.c against the same done byte by byte with ctype.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/dns_letters.h"
#include "tests/fake/dns_rig.h"

#include <ctype.h>
#include <stdlib.h>

/* Bytes of a name, as exact as the sanitizer wants them; most are near letters. */
static uint8_t *random_name(size_t n)
{
    static const uint8_t near[] = "@AZ[`az{MmKk\x80\xC1\xDA\xE1\xFA";
    uint8_t *name = malloc(n);

    assert_non_null(name);
    for (size_t i = 0; i < n; i++)
        name[i] =
            dns_rig_random(3) ? near[dns_rig_random(sizeof(near))] : (uint8_t)dns_rig_random(256);
    return name;
}

static bool letter(uint8_t c)
{
    return c < 128 && isalpha(c);
}

static void test_against_ctype(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        size_t n = 5 + dns_rig_random(DNS_MAX_NAME_BYTES), name = n - 4;
        uint8_t *a = random_name(n), *b = random_name(n), *small = malloc(DNS_QUESTION_ROOM);
        struct dns_letters of_a, of_b;
        dns_letters_read(&of_a, a, name);
        dns_letters_read(&of_b, b, name);
        bool same = dns_rig_random(2);
        if (same)
            memcpy(b, a, n);
        else if (dns_rig_random(2))
            b[dns_rig_random((uint32_t)n)] = a[0];
        uint8_t *was = malloc(n);
        memcpy(was, b, n);
        dns_letters_write(&of_a, b, name);
        dns_letters_small(small, a, n);
        bool equal = true;
        for (size_t i = 0; i < n; i++) {
            bool capital = i < name && (of_a.capital[i / 8] >> i % 8 & 1);
            assert_int_equal(small[i], i < name && letter(a[i]) ? tolower(a[i]) : a[i]);
            if (i < name) {
                assert_int_equal(capital, letter(a[i]) && isupper(a[i]));
                assert_int_equal(b[i], !letter(was[i]) ? was[i]
                                       : capital       ? toupper(was[i])
                                                       : tolower(was[i]));
            } else {
                assert_int_equal(b[i], was[i]);
            }
            equal = equal && (a[i] == b[i] || (i < name && letter(a[i]) && letter(b[i]) &&
                                               tolower(a[i]) == tolower(b[i])));
        }
        for (size_t i = n; i % 8; i++)
            assert_int_equal(small[i], 0);
        assert_int_equal(dns_letters_same(a, b, n), equal);
        assert_true(!same || equal);
        free(a);
        free(b);
        free(was);
        free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_ctype)};

    return cmocka_run_group_tests_name("dns_letters", tests, NULL, NULL);
}
