/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_rebind.c: which addresses are inside and where an answer may hide them; and what hosts
 * are told instead of an answer that leads there (requirement N4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dns_rebind.h"
#include "tests/fake/dns_rig.h"
#include "tests/fake/fake_base.h"

#include <stdio.h>
#include <stdlib.h>

#define B(...)                                                                                     \
    sizeof((uint8_t[]){__VA_ARGS__}),                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* One record of this type with this data, behind a good one of the name's. */
struct row {
    int id;
    uint16_t type;
    bool inside;
    size_t n;
    uint8_t data[40];
};

static const struct row rows[] = {
    {1, 1, true, B(10, 0, 0, 1)},
    {2, 1, true, B(172, 16, 0, 0)},
    {3, 1, true, B(172, 31, 255, 255)},
    {4, 1, false, B(172, 32, 0, 0)},
    {5, 1, false, B(172, 15, 255, 255)},
    {6, 1, true, B(192, 168, 99, 1)},
    {7, 1, false, B(192, 169, 0, 1)},
    {8, 1, true, B(127, 0, 0, 1)},
    {9, 1, true, B(169, 254, 1, 1)},
    {10, 1, true, B(0, 0, 0, 0)},
    {11, 1, true, B(255, 255, 255, 255)},
    {12, 1, false, B(100, 64, 0, 1)}, /* the provider's, and reachable through it */
    {13, 1, false, B(8, 8, 8, 8)},
    {14, 1, true, B(9, 9, 4, 18)}, /* ours */
    {15, 1, false, B(9, 9, 4, 19)},
    {20, 28, true, B(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
    {21, 28, true, B(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
    {22, 28, true, B(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 192, 168, 8, 1)},
    {23, 28, false, B(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 8, 8, 8, 8)},
    {24, 28, true, B(0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1)},
    {25, 28, true, B(0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
    {26, 28, true, B(0xFD, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
    {27, 28, false, B(0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1)},
    {28, 28, false, B(0xFE, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
    /* HTTPS: priority 1, target ".", alpn "h2", then hints */
    {30, 65, true, B(0, 1, 0, 0, 1, 0, 3, 2, 'h', '2', 0, 4, 0, 8, 8, 8, 8, 8, 10, 0, 0, 1)},
    {31, 65, false, B(0, 1, 0, 0, 1, 0, 3, 2, 'h', '2', 0, 4, 0, 4, 8, 8, 8, 8)},
    {32, 64, true,
     B(0, 1, 1, 'a', 0, 0, 6, 0, 16, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
    {33, 65, false, B(0, 1, 0, 0, 4, 0, 9, 10, 0, 0, 1)}, /* longer than the record */
    {34, 65, false, B(0, 1, 0)},
    {35, 65, false, B(0)},
    {36, 65, false, B(0, 1, 60, 0, 4, 0, 4, 10, 0, 0, 1)}, /* a name beyond the end */
    {40, 16, false, B(10, 0, 0, 1)},                       /* text */
    {41, 1, false, B(10, 0, 0)},                           /* no address */
};

static size_t make(uint8_t *b, const struct dns_sent *asked, const struct row *row,
                   unsigned count_off)
{
    size_t n = dns_rig_make_answer(b, asked);
    const uint8_t head[12] = {0xC0, 12, 0, (uint8_t)row->type, 0, 1, 0, 0,
                              0,    60, 0, (uint8_t)row->n};

    memcpy(b + n, head, sizeof(head));
    memcpy(b + n + sizeof(head), row->data, row->n);
    b[count_off + 1]++;
    return n + sizeof(head) + row->n;
}

/* In every section; the hosts that wait are told there is no address, and it is not kept. */
static void test_what_is_inside(void **state)
{
    static const unsigned sections[] = {DNS_ANCOUNT_OFF, DNS_NSCOUNT_OFF, DNS_ARCOUNT_OFF};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        for (unsigned k = 0; k < ARRAY_COUNT(sections); k++) {
            uint8_t b[600];
            uint64_t before = rig.proxy.counters.rebinding;
            dns_cache_flush(&rig.proxy.cache);
            dns_rig_query(1, 7, "www.example");
            dns_rig_query(2, 8, "www.example");
            unsigned answered = rig.answered_count;
            size_t n = make(b, dns_rig_asked(), &rows[i], sections[k]);
            assert_true(dns_rig_answer_with(dns_rig_asked(), b, n));
            const struct dns_sent *s = dns_rig_answered();
            assert_int_equal(rig.answered_count, answered + 2);
            assert_int_equal(dns_rig_rcode(s), DNS_NOERROR);
            assert_int_equal(load_be16(s->bytes), 8);
            if ((load_be16(s->bytes + DNS_ANCOUNT_OFF) == 0) != rows[i].inside ||
                rig.proxy.counters.rebinding != before + rows[i].inside ||
                rig.proxy.cache.entries != !rows[i].inside)
                fail_msg("row %d, section %u", rows[i].id, k);
        }
}

/* Domains that may, and servers that are asked for their domain alone. */
static void test_allowed(void **state)
{
    uint8_t b[600];

    (void)state;
    dns_rig_query(1, 7, "allowed.example");
    dns_rig_answer_with(dns_rig_asked(), b, make(b, dns_rig_asked(), &rows[0], DNS_ANCOUNT_OFF));
    assert_int_equal(load_be16(dns_rig_answered()->bytes + DNS_ANCOUNT_OFF), 2);
    dns_rig_query(1, 8, "corp.example");
    dns_rig_answer_with(dns_rig_asked(), b, make(b, dns_rig_asked(), &rows[0], DNS_ANCOUNT_OFF));
    assert_int_equal(load_be16(dns_rig_answered()->bytes + DNS_ANCOUNT_OFF), 2);
    assert_int_equal(rig.proxy.counters.rebinding, 0);
}

/* What cannot be read to its end is not passed on, as others may read more in it; what says that it
 * was cut may end anywhere. */
static void test_unreadable(void **state)
{
    uint8_t b[600];

    (void)state;
    for (unsigned cut = 1; cut < 16; cut++) {
        dns_rig_query(1, 7, "www.example");
        size_t n = dns_rig_make_answer(b, dns_rig_asked()) - cut;
        dns_rig_answer_with(dns_rig_asked(), b, n);
        assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
        assert_int_equal(rig.proxy.counters.malformed, cut);
    }
    dns_rig_query(1, 8, "cut.example");
    size_t n = dns_rig_make_answer(b, dns_rig_asked()) - 5;
    b[DNS_FLAGS_OFF] |= 2;
    dns_rig_answer_with(dns_rig_asked(), b, n);
    assert_int_equal(dns_rig_answered()->n, n);
}

/* Told with the name, once a minute. */
static void test_told_at_a_bounded_rate(void **state)
{
    const be32 one = SERVER(0);
    unsigned told = 0;
    uint8_t b[600];

    (void)state;
    dns_proxy_set_servers(&rig.proxy, &one, 1);
    for (unsigned second = 0; second < 120; second++) {
        fake_log_clear();
        dns_rig_query(1, 7, "evil\n.example");
        dns_rig_answer_with(dns_rig_asked(), b,
                            make(b, dns_rig_asked(), &rows[0], DNS_ANCOUNT_OFF));
        told += fake_log_has("evil?.example leads to an address inside");
        rig.now_us += 1000000;
    }
    assert_int_equal(told, 2);
    assert_int_equal(rig.proxy.counters.rebinding, 120);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dns_rig_start, dns_rig_stop)
    const struct CMUnitTest tests[] = {
        T(test_what_is_inside),
        T(test_allowed),
        T(test_unreadable),
        T(test_told_at_a_bounded_rate),
    };
    return cmocka_run_group_tests_name("dns_rebind", tests, NULL, NULL);
}
