/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_fetch.c: hosts that ask by TCP, and answers that are too long for a datagram: who is told
 * to come back, which server is asked by TCP when, and what counts as its answer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dns_rig.h"

#define LONG_BYTES 3000

/* A host asks for an address, by TCP if stream is not 0. */
static void query(unsigned number, uint32_t stream, uint16_t id, const char *name)
{
    struct dns_client from = dns_rig_host(number);
    uint8_t b[512];

    from.stream = stream;
    assert_true(
        dns_proxy_query(&rig.proxy, &from, b, dns_rig_build(b, id, name, DNS_TYPE_A), rig.now_us));
}

/* The server asked last says by UDP that there is more than fits. */
static void cut(void)
{
    const struct dns_sent *q = dns_rig_asked();
    uint8_t b[DNS_RIG_SENT_BYTES];
    size_t n = dns_rig_make_answer(b, q);

    b[DNS_FLAGS_OFF] |= 2;
    assert_true(dns_rig_answer_with(q, b, n));
}

/* A whole answer of LONG_BYTES to what was asked by TCP last. */
static size_t long_answer(uint8_t b[static LONG_BYTES])
{
    size_t n = dns_rig_make_answer(b, &rig.fetched[rig.fetched_count - 1]), one = 16;

    for (; n + one <= LONG_BYTES; n += one) {
        memcpy(b + n, b + n - one, one);
        store_be16(b + DNS_ANCOUNT_OFF, (uint16_t)(load_be16(b + DNS_ANCOUNT_OFF) + 1));
    }
    return n;
}

static void test_what_came_by_tcp_is_fetched_by_tcp(void **state)
{
    uint8_t b[LONG_BYTES];

    (void)state;
    query(1, 7, 100, "long.example");
    query(2, 0, 101, "long.example"); /* the same question by UDP shares it */
    query(3, 8, 102, "long.example");
    assert_int_equal(rig.asked_count, 1);
    cut();
    /* Who asked by UDP hears at once that it is to come back. */
    assert_int_equal(rig.answered_count, 1);
    assert_int_equal(dns_rig_answered()->to, dns_rig_host(2).ip);
    assert_int_equal(dns_rig_answered()->bytes[DNS_FLAGS_OFF] & 2, 2);
    /* The server that said so is asked with the same bytes. */
    assert_int_equal(rig.fetched_count, 1);
    assert_int_equal(rig.fetched[0].to, SERVER(0));
    assert_int_equal(rig.fetched[0].network, OUTSIDE);
    assert_int_equal(rig.fetched[0].n, rig.asked[0].n);
    assert_memory_equal(rig.fetched[0].bytes, rig.asked[0].bytes, rig.asked[0].n);
    cut(); /* again: nothing more comes of it */
    assert_int_equal(rig.answered_count, 1);
    assert_int_equal(rig.fetched_count, 1);
    query(4, 0, 103, "long.example"); /* while it is fetched */

    size_t n = long_answer(b);
    dns_rig_fetched(b, n);
    assert_int_equal(rig.answered_count, 4);
    memcpy(b + DNS_HDR_BYTES, "\4long\7example", 13); /* with the hosts' letters */
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(rig.answered[i].n, n);
        assert_memory_equal(rig.answered[i].bytes + 2, b + 2, n - 2);
        assert_int_equal(load_be16(rig.answered[i].bytes), i == 1 ? 100 : 102);
        assert_int_equal(rig.answered[i].stream, i == 1 ? 7 : 8);
    }
    /* By UDP without EDNS there is room for 512. */
    assert_int_equal(load_be16(rig.answered[3].bytes), 103);
    assert_true(rig.answered[3].n < 512 && (rig.answered[3].bytes[DNS_FLAGS_OFF] & 2));
    assert_int_equal(rig.proxy.pending_count, 0);

    /* It is kept, and who comes back by TCP gets it whole. */
    query(2, 9, 104, "long.example");
    assert_int_equal(rig.asked_count, 1);
    assert_int_equal(dns_rig_answered()->n, n);
    query(2, 0, 105, "long.example");
    assert_true(dns_rig_answered()->n < 512 && (dns_rig_answered()->bytes[DNS_FLAGS_OFF] & 2));
}

static void test_by_udp_nothing_is_fetched(void **state)
{
    (void)state;
    query(1, 0, 1, "long.example");
    cut();
    assert_int_equal(rig.answered_count, 1);
    assert_int_equal(dns_rig_answered()->bytes[DNS_FLAGS_OFF] & 2, 2);
    assert_int_equal(rig.fetched_count, 0);
    assert_int_equal(rig.proxy.pending_count, 0);
}

/* One connection may ask the same twice, with the same id, and is owed two answers. */
static void test_each_question_of_a_connection_is_answered(void **state)
{
    (void)state;
    query(1, 7, 1, "twice.example");
    query(1, 7, 1, "twice.example");
    query(1, 0, 1, "twice.example");
    query(1, 0, 1, "twice.example"); /* by UDP that is impatience */
    assert_int_equal(rig.asked_count, 1);
    assert_true(dns_rig_answer(dns_rig_asked()));
    assert_int_equal(rig.answered_count, 3);
}

/* What is no query has no answer, and the caller is told. */
static void test_what_is_no_query(void **state)
{
    struct dns_client from = dns_rig_host(1);
    uint8_t b[512];
    size_t n = dns_rig_build(b, 1, "a.example", DNS_TYPE_A);

    (void)state;
    assert_false(dns_proxy_query(&rig.proxy, &from, b, 11, rig.now_us));
    assert_true(dns_proxy_query(&rig.proxy, &from, b, n - 1, rig.now_us)); /* FORMERR */
    assert_int_equal(rig.answered_count, 1);
    b[DNS_FLAGS_OFF] |= 0x80;
    assert_false(dns_proxy_query(&rig.proxy, &from, b, n, rig.now_us));
    assert_int_equal(rig.answered_count, 1);
}

/* A server that cannot be reached, is silent, or answers with an error, wrongly or not in whole is
 * followed by the other, each once; then it is an error, and not later than a resolver waits. */
static void test_servers_that_fail(void **state)
{
    enum how { REFUSES, SILENT, WRONG, BUSY, ERROR, CUT };
    static const struct {
        enum how first, second;
        enum dns_rcode code;
    } rows[] = {
        {REFUSES, REFUSES, DNS_SERVFAIL}, {SILENT, REFUSES, DNS_SERVFAIL},
        {WRONG, SILENT, DNS_SERVFAIL},    {BUSY, BUSY, DNS_SERVFAIL},
        {SILENT, SILENT, DNS_SERVFAIL},   {ERROR, SILENT, DNS_REFUSED},
        {ERROR, ERROR, DNS_REFUSED},      {CUT, REFUSES, DNS_SERVFAIL},
    };
    uint8_t b[LONG_BYTES];

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        dns_rig_stop(state);
        dns_rig_start(state);
        uint64_t asked_us = rig.now_us;
        bool busy = rows[i].first == BUSY; /* none can be asked all the time */
        if (busy)
            rig.fetches_left = 0;
        query(1, 7, 9, "long.example");
        cut();
        if (busy)
            dns_rig_pass(DNS_GIVE_UP_US);
        for (unsigned k = 0; k < 2; k++) {
            enum how how = k == 0 ? rows[i].first : rows[i].second;
            if (how == BUSY)
                continue;
            assert_int_equal(rig.fetched_count, k + 1);
            assert_int_equal(rig.fetched[k].to, SERVER(k));
            assert_int_equal(rig.answered_count, 0);
            if (how == REFUSES) {
                dns_rig_fetched(NULL, 0);
            } else if (how != SILENT) {
                long_answer(b);
                b[0] ^= how == WRONG;
                b[DNS_FLAGS_OFF + 1] |= how == ERROR ? DNS_REFUSED : 0;
                b[DNS_FLAGS_OFF] |= how == CUT ? 2 : 0;
                dns_rig_fetched(b, LONG_BYTES);
            } else {
                rig.now_us = dns_proxy_next_us(&rig.proxy);
                dns_proxy_poll(&rig.proxy, rig.now_us);
            }
        }
        assert_int_equal(rig.answered_count, 1);
        assert_int_equal(dns_rig_rcode(dns_rig_answered()), rows[i].code);
        assert_int_equal(dns_rig_answered()->stream, 7);
        assert_int_equal(rig.proxy.pending_count, 0);
        assert_int_equal(rig.fetching, 0);
        assert_int_equal(rig.proxy.counters.fetches_failed, busy ? 0 : 2);
        assert_true(rig.now_us - asked_us <= 4500000);
    }
}

/* Too many are asked by TCP already: a question waits for its turn, and is not taken for one that
 * the server has failed. */
static void test_waits_for_its_turn(void **state)
{
    const be32 only = SERVER(0), other = SERVER(5);
    uint8_t b[LONG_BYTES];

    (void)state;
    dns_proxy_set_servers(&rig.proxy, &only, 1);
    rig.fetches_left = 0;
    query(1, 7, 9, "long.example");
    cut();
    assert_int_equal(rig.answered_count, 0);
    dns_rig_pass(1000000);
    cut(); /* again: it waits on */
    assert_int_equal(rig.answered_count, 0);
    rig.fetches_left = 1;
    dns_rig_pass(200000);
    assert_int_equal(rig.fetched_count, 1);
    assert_int_equal(rig.fetched[0].to, SERVER(0));
    size_t n = long_answer(b);
    dns_rig_fetched(b, n);
    assert_int_equal(dns_rig_answered()->n, n);
    assert_int_equal(rig.proxy.counters.fetches, 1);

    /* Other servers come to be asked meanwhile; and there are none any more. */
    rig.fetches_left = 0;
    query(1, 7, 10, "other.example");
    cut();
    dns_proxy_set_servers(&rig.proxy, &other, 1);
    rig.fetches_left = 1;
    dns_rig_pass(200000);
    assert_int_equal(rig.fetched_count, 2);
    assert_int_equal(rig.fetched[1].to, other);
    dns_rig_fetched(NULL, 0);
    query(1, 7, 11, "none.example");
    cut();
    dns_proxy_set_servers(&rig.proxy, NULL, 0);
    dns_rig_pass(1);
    assert_int_equal(rig.answered_count, 3);
    assert_int_equal(rig.proxy.pending_count, 0);
}

/* The second server's answer counts; a network's own server has no second. */
static void test_the_next_server(void **state)
{
    uint8_t b[LONG_BYTES];

    (void)state;
    query(1, 7, 9, "long.example");
    cut();
    dns_rig_fetched(NULL, 0);
    size_t n = long_answer(b);
    dns_rig_fetched(b, n);
    assert_int_equal(dns_rig_answered()->n, n);

    query(1, 7, 10, "corp.example");
    cut();
    assert_int_equal(rig.fetched_count, 3);
    assert_int_equal(rig.fetched[2].to, INSIDE_SERVER);
    assert_int_equal(rig.fetched[2].network, INSIDE);
    dns_rig_fetched(NULL, 0);
    assert_int_equal(rig.fetched_count, 3);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
}

/* What TCP brings is judged as what UDP brings. */
static void test_no_rebinding_by_tcp(void **state)
{
    const be32 inside = DNS_RIG_INSIDE;
    uint8_t b[LONG_BYTES];

    (void)state;
    query(1, 7, 9, "evil.example");
    cut();
    size_t n = long_answer(b);
    memcpy(b + n - 4, &inside, 4);
    dns_rig_fetched(b, n);
    assert_int_equal(rig.answered_count, 1);
    assert_int_equal(load_be16(dns_rig_answered()->bytes + DNS_ANCOUNT_OFF), 0);
    assert_int_equal(rig.proxy.counters.rebinding, 1);
}

/* An answer that is cut and leads inside: who asked by UDP is told that there is no address, which
 * changes nothing in what the server is asked by TCP for the others. */
static void test_rebinding_for_some(void **state)
{
    const be32 inside = DNS_RIG_INSIDE;
    uint8_t b[LONG_BYTES];

    (void)state;
    query(1, 7, 100, "evil.example");
    query(2, 0, 101, "EVIL.example");
    size_t n = dns_rig_make_answer(b, dns_rig_asked());
    memcpy(b + n - 4, &inside, 4);
    b[DNS_FLAGS_OFF] |= 2;
    assert_true(dns_rig_answer_with(dns_rig_asked(), b, n));
    assert_int_equal(rig.answered_count, 1);
    assert_int_equal(load_be16(dns_rig_answered()->bytes), 101);
    assert_int_equal(load_be16(dns_rig_answered()->bytes + DNS_ANCOUNT_OFF), 0);
    assert_int_equal(rig.fetched_count, 1);
    assert_memory_equal(rig.fetched[0].bytes, rig.asked[0].bytes, rig.asked[0].n);
    n = long_answer(b);
    dns_rig_fetched(b, n);
    assert_int_equal(rig.answered_count, 2);
    assert_int_equal(load_be16(dns_rig_answered()->bytes), 100);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_NOERROR);
}

/* More than may wait for one question: by UDP the host asks again, by TCP it is told at once, as
 * its connection waits for an answer to each question. */
static void test_too_many_of_one_question(void **state)
{
    const unsigned most = DNS_SAME_QUESTION_MAX * DNS_WAITERS_MAX;

    (void)state;
    for (unsigned i = 0; i < most; i++)
        query(1 + i, 7 + i, 1, "one.example");
    query(100, 0, 2, "one.example");
    assert_int_equal(rig.answered_count, 0);
    query(100, 500, 2, "one.example");
    assert_int_equal(rig.answered_count, 1);
    assert_int_equal(dns_rig_answered()->stream, 500);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
    assert_int_equal(rig.proxy.counters.refused, 1);
    assert_int_equal(rig.asked_count, DNS_SAME_QUESTION_MAX);
}

/* By UDP a host that takes any length gets no longer datagram than the router makes. */
static void test_datagrams_have_an_end(void **state)
{
    static const uint8_t opt[] = {0, 0, 41, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0};
    static uint8_t big[DNS_DATAGRAM_MAX_BYTES + 1];
    uint8_t b[512];
    size_t n = dns_rig_build(b, 5, "huge.example", DNS_TYPE_A);

    (void)state;
    memcpy(b + n, opt, sizeof(opt));
    b[DNS_ARCOUNT_OFF + 1] = 1;
    dns_rig_ask(1, b, n + sizeof(opt));
    assert_int_equal(rig.asked_count, 1);
    dns_rig_make_answer(big, dns_rig_asked());
    dns_proxy_answer(&rig.proxy, OUTSIDE, SERVER(0), BE16(DNS_PORT), dns_rig_asked()->port, big,
                     sizeof(big), rig.now_us);
    /* Who knows EDNS is answered by somebody who does (RFC 6891, section 6.1.1). */
    assert_int_equal(dns_rig_answered()->n, n + sizeof(opt));
    assert_int_equal(dns_rig_answered()->bytes[DNS_FLAGS_OFF] & 2, 2);
    assert_int_equal(dns_rig_answered()->bytes[DNS_ARCOUNT_OFF + 1], 1);
    assert_int_equal(dns_rig_answered()->bytes[n + 2], DNS_TYPE_OPT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dns_rig_start, dns_rig_stop)
    const struct CMUnitTest tests[] = {
        T(test_what_came_by_tcp_is_fetched_by_tcp),
        T(test_by_udp_nothing_is_fetched),
        T(test_each_question_of_a_connection_is_answered),
        T(test_what_is_no_query),
        T(test_servers_that_fail),
        T(test_the_next_server),
        T(test_waits_for_its_turn),
        T(test_no_rebinding_by_tcp),
        T(test_rebinding_for_some),
        T(test_too_many_of_one_question),
        T(test_datagrams_have_an_end),
    };
    return cmocka_run_group_tests_name("dns_fetch", tests, NULL, NULL);
}
