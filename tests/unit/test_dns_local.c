/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_proxy.c: names of our own and what is said about them, with the records that let a
 * client keep it (RFC 2308), and that nothing about them is sent on.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dns_rig.h"

static void test_own_names(void **state)
{
    static const struct {
        int id;
        const char *name;
        uint16_t type;
        int records; /* -1: relayed, -2: there is no such name */
    } rows[] = {
        {1, "web.lan", DNS_TYPE_A, 1},
        {2, "web.lan", DNS_TYPE_ANY, 1},
        {3, "web.lan", 28, 0},
        {4, "web.lan", 15, 0},
        {5, "other.example", DNS_TYPE_A, -1},
        {6, "web.lan.example", DNS_TYPE_A, -1},
        {7, "", DNS_TYPE_A, -1},
        {8, "nobody.lan", DNS_TYPE_A, -2},
        {9, "nobody.lan", 28, -2},
        {10, "nobody.lan", DNS_TYPE_ANY, -2},
        {11, "lan", DNS_TYPE_SOA, 0},
        {12,
         "w\xE9"
         "b.lan",
         DNS_TYPE_A, -2}, /* no host name, but in our domain */
        {13, "w b.lan", DNS_TYPE_A, -2},
        {14, "w b.lan.example", DNS_TYPE_A, -1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct dns_client from = dns_rig_host(1);
        uint8_t b[512];
        size_t n = dns_rig_build(b, (uint16_t)i, rows[i].name, rows[i].type);
        unsigned before = rig.answered_count;
        dns_proxy_query(&rig.proxy, &from, b, n, rig.now_us);
        int records = rig.answered_count > before
                          ? load_be16(dns_rig_answered()->bytes + DNS_ANCOUNT_OFF)
                          : -1;
        if (records == 0 && dns_rig_rcode(dns_rig_answered()) == DNS_NXDOMAIN)
            records = -2;
        else if (records >= 0)
            assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_NOERROR);
        if (records != rows[i].records)
            fail_msg("row %d", rows[i].id);
        if (records == 1)
            assert_memory_equal(dns_rig_answered()->bytes + dns_rig_answered()->n - 4,
                                &(be32){OWN_IP}, 4);
    }
    /* With EDNS in the query there is EDNS in the answer. */
    struct dns_client from = dns_rig_host(1);
    uint8_t b[512];
    size_t n = dns_rig_build(b, 1, "web.lan", DNS_TYPE_A);
    const uint8_t opt[] = {0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 0};
    store_be16(b + DNS_ARCOUNT_OFF, 1);
    memcpy(b + n, opt, sizeof(opt));
    dns_proxy_query(&rig.proxy, &from, b, n + sizeof(opt), rig.now_us);
    assert_int_equal(load_be16(dns_rig_answered()->bytes + DNS_ARCOUNT_OFF), 1);
    assert_int_equal(dns_rig_answered()->n, n + 16 + sizeof(opt));
}

/* Updates of our own zone, and other classes, are ours to refuse: nobody outside hears of them. */
static void test_own_names_are_never_sent_on(void **state)
{
    static const struct {
        int id;
        const char *name;
        uint16_t flags, class;
        int code; /* -1: relayed */
    } rows[] = {
        {1, "web.lan", 0x2800, DNS_CLASS_IN, DNS_NOTIMP},
        {2, "lan", 0x2800, DNS_CLASS_IN, DNS_NOTIMP},
        {3, "nobody.lan", 0, 3, DNS_REFUSED},
        {4, "web.lan", 0, 3, DNS_REFUSED},
        {5, "web.lan", 0, DNS_CLASS_ANY, DNS_NOERROR},
        {6, "web.example", 0x2800, DNS_CLASS_IN, -1},
        {7, "version.bind", 0, 3, -1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct dns_client from = dns_rig_host(1);
        uint8_t b[512];
        size_t n = dns_rig_build(b, (uint16_t)i, rows[i].name, DNS_TYPE_A);
        unsigned asked_before = rig.asked_count, before = rig.answered_count;
        store_be16(b + DNS_FLAGS_OFF, rows[i].flags);
        store_be16(b + n - 2, rows[i].class);
        dns_proxy_query(&rig.proxy, &from, b, n, rig.now_us);
        if ((rows[i].code < 0) != (rig.asked_count > asked_before) ||
            (rig.answered_count > before ? (int)dns_rig_rcode(dns_rig_answered()) : -1) !=
                rows[i].code)
            fail_msg("row %d", rows[i].id);
    }
    assert_int_equal(rig.proxy.counters.local, 5);
}

static size_t ask(uint8_t *b, const char *name, uint16_t type)
{
    size_t n = dns_rig_build(b, 77, name, type);

    dns_rig_ask(1, b, n);
    return n;
}

/* Byte for byte: what follows the question. */
static void test_bytes(void **state)
{
#define SOA_TAIL                                                                                   \
    "\6nobody\7invalid\0"                                                                          \
    "\0\0\0\1\0\0\x0E\x10\0\0\4\xB0\0\x09\x3A\x80\0\0\0\x0A"
#define LITERAL(s) s, sizeof(s) - 1
    static const struct {
        int id;
        const char *name;
        uint16_t type;
        unsigned code, answers, authorities;
        const char *bytes;
        size_t n;
    } rows[] = {
        /* an address that a name does not have: the SOA of its zone, by a pointer into the name */
        {1, "web.lan", 28, 0, 0, 1, LITERAL("\xC0\x10\0\6\0\1\0\0\0\x0A\0\x26\xC0\x10" SOA_TAIL)},
        {2, "lan", 1, 0, 0, 1, LITERAL("\xC0\x0C\0\6\0\1\0\0\0\x0A\0\x26\xC0\x0C" SOA_TAIL)},
        {3, "nobody.lan", 1, 3, 0, 1, LITERAL("\xC0\x13\0\6\0\1\0\0\0\x0A\0\x26\xC0\x13" SOA_TAIL)},
        /* in no zone of ours: the root's */
        {4, "nobody", 1, 3, 0, 1, LITERAL("\0\0\6\0\1\0\0\0\x0A\0\x25\0" SOA_TAIL)},
        {5, "localhost", 1, 0, 1, 0, LITERAL("\xC0\x0C\0\1\0\1\0\0\0\x3C\0\4\x7F\0\0\1")},
        {6, "localhost", 28, 0, 1, 0,
         LITERAL("\xC0\x0C\0\x1C\0\1\0\0\0\x3C\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1")},
        {7, "localhost", 15, 0, 0, 1, LITERAL("\xC0\x0C\0\6\0\1\0\0\0\x0A\0\x26\xC0\x0C" SOA_TAIL)},
        {8, "10.8.168.192.in-addr.arpa", 12, 0, 1, 0,
         LITERAL("\xC0\x0C\0\x0C\0\1\0\0\0\x3C\0\x09\3web\3lan\0")},
        {9, "10.8.168.192.in-addr.arpa", 255, 0, 1, 0,
         LITERAL("\xC0\x0C\0\x0C\0\1\0\0\0\x3C\0\x09\3web\3lan\0")},
        {10, "11.8.168.192.in-addr.arpa", 12, 0, 1, 0,
         LITERAL("\xC0\x0C\0\x0C\0\1\0\0\0\x3C\0\x0D\1a\1b\7example\0")},
        {11, "10.8.168.192.in-addr.arpa", 1, 0, 0, 1,
         LITERAL("\0\0\6\0\1\0\0\0\x0A\0\x25\0" SOA_TAIL)},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t b[512];
        size_t n = ask(b, rows[i].name, rows[i].type);
        const struct dns_sent *s = dns_rig_answered();
        if (s->n != n + rows[i].n || memcmp(s->bytes + n, rows[i].bytes, rows[i].n) != 0 ||
            load_be16(s->bytes + DNS_FLAGS_OFF) != (0x8580 | rows[i].code) ||
            load_be16(s->bytes + DNS_ANCOUNT_OFF) != rows[i].answers ||
            load_be16(s->bytes + DNS_NSCOUNT_OFF) != rows[i].authorities ||
            load_be16(s->bytes + DNS_ARCOUNT_OFF) != 0)
            fail_msg("row %d", rows[i].id);
    }
    assert_int_equal(rig.asked_count, 0);
    assert_int_equal(rig.proxy.counters.local, ARRAY_COUNT(rows));
}

/* That the asker understands DNSSEC is said back, and nothing else of its OPT. */
static void test_opt(void **state)
{
    static const uint8_t opt[] = {0, 0, 41, 4, 0xD0, 0, 0, 0x80, 0, 0, 3, 1, 2, 3};
    static const uint8_t back[] = {0, 0, 41, 4, 0xD0, 0, 0, 0x80, 0, 0, 0};
    uint8_t b[512];
    size_t n = dns_rig_build(b, 1, "nobody.lan", DNS_TYPE_A);

    (void)state;
    store_be16(b + DNS_ARCOUNT_OFF, 1);
    memcpy(b + n, opt, sizeof(opt));
    dns_rig_ask(1, b, n + sizeof(opt));
    const struct dns_sent *s = dns_rig_answered();
    assert_int_equal(load_be16(s->bytes + DNS_ARCOUNT_OFF), 1);
    assert_memory_equal(s->bytes + s->n - sizeof(back), back, sizeof(back));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dns_rig_start, dns_rig_stop)
    const struct CMUnitTest tests[] = {
        T(test_own_names),
        T(test_own_names_are_never_sent_on),
        T(test_bytes),
        T(test_opt),
    };
    return cmocka_run_group_tests_name("dns_local", tests, NULL, NULL);
}
