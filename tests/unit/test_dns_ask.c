/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_ask.c: which server is asked, what becomes of errors, probes, letters of random case, and
 * what happens when the servers are others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dns_proxy_internal.h"
#include "tests/fake/dns_rig.h"
#include "tests/fake/fake_base.h"

#include <stdio.h>

static const be32 servers[] = {SERVER(0), SERVER(1), SERVER(2)};
static unsigned names;

/* A question that nobody has asked before. */
static void ask_new(unsigned host)
{
    char name[32];

    snprintf(name, sizeof(name), "n%u.example", names++);
    dns_rig_query(host, (uint16_t)names, name);
}

/* The last question that went to this server; NULL: none since from. */
static const struct dns_sent *asked_of(unsigned server, unsigned from)
{
    for (unsigned i = rig.asked_count; i > from; i--)
        if (rig.asked[(i - 1) % DNS_RIG_SENT].to == SERVER(server))
            return &rig.asked[(i - 1) % DNS_RIG_SENT];
    return NULL;
}

static bool answer_code(const struct dns_sent *q, unsigned code)
{
    uint8_t b[DNS_RIG_SENT_BYTES];
    size_t n = dns_rig_make_answer(b, q);

    b[DNS_FLAGS_OFF + 1] = (uint8_t)((b[DNS_FLAGS_OFF + 1] & 0xF0) | code);
    return dns_rig_answer_with(q, b, n);
}

/* A question, answered by the server asked first after so long; which that was. */
static be32 resolve(uint64_t took_us)
{
    unsigned before = rig.asked_count;

    ask_new(1);
    const struct dns_sent *first = &rig.asked[before % DNS_RIG_SENT];
    rig.now_us += took_us;
    assert_true(dns_rig_answer(first));
    return first->to;
}

/* The fastest is asked. One that has become faster is noticed by a probe, which takes nobody's time
 * and gives nobody an answer. */
static void test_the_fastest_is_asked(void **state)
{
    static const uint64_t took_us[] = {30000, 10000, 20000};
    unsigned probes = 0;

    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 3);
    assert_int_equal(resolve(took_us[0]), SERVER(0));
    for (unsigned second = 0; second < 10; second++) {
        unsigned before = rig.asked_count;
        rig.now_us += 1000000;
        ask_new(1);
        const struct dns_sent *first = &rig.asked[before % DNS_RIG_SENT];
        for (unsigned ms = 10; ms <= 30; ms += 10) {
            rig.now_us += 10000;
            for (unsigned k = 0; k < 3; k++) {
                const struct dns_sent *q = asked_of(k, before);
                if (!q || took_us[k] != ms * 1000)
                    continue;
                unsigned answered = rig.answered_count;
                assert_true(dns_rig_answer(q));
                assert_int_equal(rig.answered_count, answered + (q == first));
                probes += q != first;
            }
        }
    }
    assert_int_equal(rig.proxy.pending_count, 0);
    assert_int_equal(probes, 2);
    assert_int_equal(resolve(took_us[1]), SERVER(1));
    /* The first has become fast, the fastest slow. */
    for (unsigned i = 0; i < 40; i++) {
        unsigned before = rig.asked_count;
        rig.now_us += 5000000;
        ask_new(1);
        rig.now_us += 5000;
        const struct dns_sent *q = asked_of(0, before);
        if (q)
            dns_rig_answer(q);
        rig.now_us += 10000;
        for (unsigned k = 1; k < 3; k++)
            if ((q = asked_of(k, before)))
                dns_rig_answer(q);
    }
    assert_int_equal(resolve(5000), SERVER(0));
}

/* The answer to a question that was sent twice does not say how long one takes. */
static void test_what_is_measured(void **state)
{
    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 1);
    ask_new(1);
    dns_rig_pass(DNS_WAIT_FIRST_US + 1000);
    assert_int_equal(rig.asked_count, 2);
    assert_true(dns_rig_answer(dns_rig_asked()));
    assert_int_equal(rig.proxy.servers[0].latency_us, 0);
    resolve(7000);
    assert_int_equal(rig.proxy.servers[0].latency_us, 7000);
}

/* Nobody waits for a dead server, but for the one whose question finds out; it is probed ever more
 * rarely, and comes back. */
static void test_a_dead_server(void **state)
{
    static const unsigned probe_s[] = {0, 3, 7, 13, 23, 41, 75, 137, 199};
    unsigned probes = 0;

    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 2);
    for (unsigned i = 0; i < 10; i++)
        resolve(1000);
    uint64_t begun_us = rig.now_us;
    ask_new(1); /* to the first, which has died */
    dns_rig_pass(DNS_WAIT_MIN_US);
    assert_int_equal(dns_rig_asked()->to, SERVER(1));
    assert_true(dns_rig_answer(dns_rig_asked()));
    for (unsigned second = 0; second < 260; second++) {
        unsigned before = rig.asked_count;
        assert_int_equal(resolve(1000), SERVER(1));
        if (asked_of(0, before)) {
            if (probes >= ARRAY_COUNT(probe_s) || probe_s[probes] > second ||
                probe_s[probes] + 2 < second)
                fail_msg("probe %u after %u s", probes, second);
            probes++;
        }
        dns_rig_pass(999000);
    }
    assert_int_equal(probes, ARRAY_COUNT(probe_s));
    assert_int_equal(dns_upstream_state(&rig.proxy.servers[0]), DNS_DEAD);
    assert_int_equal(rig.proxy.servers[0].timed_out, ARRAY_COUNT(probe_s) + 1);
    assert_int_equal(rig.proxy.counters.timed_out, 0);
    while (dns_upstream_state(&rig.proxy.servers[0]) == DNS_DEAD) {
        unsigned before = rig.asked_count;
        assert_int_equal(resolve(1000), SERVER(1));
        if (asked_of(0, before))
            assert_true(dns_rig_answer(asked_of(0, before)));
        dns_rig_pass(1000000);
        assert_true(rig.now_us < begun_us + 400000000);
    }
}

/* Which errors make the next server's turn, and what the host hears in the end. */
static void test_errors(void **state)
{
    enum { SILENT = 99 };
    static const struct {
        int id;
        unsigned says[3], asked, heard;
        unsigned after_ms;
    } rows[] = {
        {1, {DNS_NOERROR}, 1, DNS_NOERROR, 0},
        {2, {DNS_NXDOMAIN}, 1, DNS_NXDOMAIN, 0},
        {3, {DNS_SERVFAIL, DNS_NOERROR}, 2, DNS_NOERROR, 0},
        {4, {DNS_REFUSED, DNS_NXDOMAIN}, 2, DNS_NXDOMAIN, 0},
        {5, {DNS_NOTIMP, DNS_FORMERR, DNS_NOERROR}, 3, DNS_NOERROR, 0},
        {6, {DNS_SERVFAIL, DNS_NOTIMP, DNS_REFUSED}, 3, DNS_REFUSED, 0},
        {7, {DNS_REFUSED, DNS_REFUSED, DNS_SERVFAIL}, 3, DNS_SERVFAIL, 0},
        {8, {9}, 1, 9, 0}, /* NOTAUTH: some others do know */
        /* One that is silent is waited for once, and then it is the error. */
        {9, {DNS_REFUSED, SILENT, DNS_NOERROR}, 3, DNS_NOERROR, 500},
        {10, {DNS_REFUSED, SILENT, SILENT}, 3, DNS_REFUSED, 1000},
        {11, {SILENT, DNS_NOTIMP, DNS_REFUSED}, 3, DNS_REFUSED, 500},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        dns_rig_stop(state);
        dns_rig_start(state);
        dns_proxy_set_servers(&rig.proxy, servers, 3);
        uint64_t begun_us = rig.now_us;
        ask_new(1);
        for (unsigned k = 0; k < rig.asked_count && rig.answered_count == 0; k++) {
            assert_int_equal(rig.asked[k].to, SERVER(k));
            if (rows[i].says[k] != SILENT)
                answer_code(&rig.asked[k], rows[i].says[k]);
            else
                dns_rig_pass(500000);
        }
        if (rig.asked_count != rows[i].asked || rig.answered_count != 1 ||
            dns_rig_rcode(dns_rig_answered()) != rows[i].heard ||
            rig.now_us - begun_us != rows[i].after_ms * 1000ull || rig.proxy.pending_count)
            fail_msg("row %d: asked %u, rcode %u after %u us", rows[i].id, rig.asked_count,
                     dns_rig_rcode(dns_rig_answered()), (unsigned)(rig.now_us - begun_us));
    }
}

/* One that only makes errors is not asked first any more. */
static void test_one_that_refuses(void **state)
{
    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 2);
    resolve(0);
    for (unsigned i = 0; i < 6; i++) {
        unsigned before = rig.asked_count;
        ask_new(1);
        assert_int_equal(rig.asked_count, before + 1);
        assert_int_equal(dns_rig_asked()->to, SERVER(i < DNS_ERRORS_MAX ? 0 : 1));
        if (i < DNS_ERRORS_MAX)
            answer_code(dns_rig_asked(), DNS_REFUSED);
        assert_int_equal(dns_rig_asked()->to, SERVER(1));
        dns_rig_answer(dns_rig_asked());
    }
    assert_int_equal(dns_upstream_state(&rig.proxy.servers[0]), DNS_FAILING);
    /* A single one is asked all the same, and its error is the answer. */
    dns_proxy_set_servers(&rig.proxy, servers, 1);
    ask_new(1);
    answer_code(dns_rig_asked(), DNS_REFUSED);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_REFUSED);
    assert_int_equal(rig.proxy.pending_count, 0);
}

/* ---- letters ---- */

static void swap_letters(uint8_t *b, const char *name)
{
    for (size_t i = 0; i < strlen(name); i++)
        b[DNS_HDR_BYTES + 1 + i] ^= name[i] == '.' ? 0 : 0x20;
}

/* Every letter of a question is of either case, as often; no two are alike. */
static void test_letters_are_random(void **state)
{
    unsigned capital[16] = {0};

    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 1);
    for (unsigned i = 0; i < 1000; i++) {
        dns_rig_query(1, (uint16_t)i, "abcdefghijklm.op");
        for (unsigned k = 0; k < 16; k++)
            capital[k] += k != 13 && rig.asked[i].bytes[DNS_HDR_BYTES + 1 + k] < 'a';
        dns_rig_answer(dns_rig_asked());
        assert_memory_equal(dns_rig_answered()->bytes + DNS_HDR_BYTES, "\15abcdefghijklm\2op", 17);
        dns_cache_flush(&rig.proxy.cache);
    }
    for (unsigned k = 0; k < 16; k++)
        if (k != 13 && (capital[k] < 420 || capital[k] > 580))
            fail_msg("letter %u: %u of 1,000 capitals", k, capital[k]);
}

/* A server that does not keep the letters is asked once more, from another port with another id,
 * and believed from then on, for ten minutes. */
static void test_letters_lost(void **state)
{
    static const char name[] = "abcdefgh.example";
    uint8_t b[DNS_RIG_SENT_BYTES];

    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 1);
    for (unsigned round = 0; round < 4; round++) {
        bool known = round == 1 || round == 2;
        unsigned before = rig.asked_count, lost = (unsigned)rig.proxy.servers[0].letters_lost;
        dns_rig_query(1, 7, "Abcdefgh.example");
        const struct dns_sent *q = dns_rig_asked();
        size_t n = dns_rig_make_answer(b, q);
        swap_letters(b, name);
        assert_true(dns_rig_answer_with(q, b, n));
        assert_int_equal(rig.asked_count, before + 1 + !known);
        assert_int_equal(rig.answered_count, round + known);
        if (!known) {
            const struct dns_sent *again = dns_rig_asked();
            assert_int_equal(again->to, q->to);
            assert_int_not_equal(again->port, q->port);
            assert_int_not_equal(load_be16(again->bytes), load_be16(q->bytes));
            assert_false(dns_rig_answer_with(q, b, n)); /* to the old port: nobody is there */
            n = dns_rig_make_answer(b, again);
            swap_letters(b, name);
            assert_true(dns_rig_answer_with(again, b, n));
        }
        assert_int_equal(rig.answered_count, round + 1);
        assert_int_equal(rig.proxy.servers[0].latency_us, 1); /* also of what was asked again */
        assert_memory_equal(dns_rig_answered()->bytes + DNS_HDR_BYTES, "\10Abcdefgh\7example", 18);
        assert_int_equal(rig.proxy.servers[0].letters_lost, lost + 1 + !known);
        dns_cache_flush(&rig.proxy.cache);
        rig.now_us += round == 1 ? DNS_LETTERS_LOST_US - 2000000ull : 1000000;
        if (round == 2)
            rig.now_us += 2000000;
    }
    assert_int_equal(rig.proxy.counters.forged, 0);
    assert_int_equal(rig.reserved_count, 0);
}

/* One answer with other letters, which may be a forger's, does not help the next forger for long:
 * the server shows that it keeps them. */
static void test_letters_found_again(void **state)
{
    uint8_t b[DNS_RIG_SENT_BYTES];
    unsigned asked;
    size_t n;

    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 1);
    for (unsigned lost = 0; lost < 2; lost++) {
        dns_rig_query(1, 7, "abcdefgh.example");
        asked = rig.asked_count;
        n = dns_rig_make_answer(b, dns_rig_asked());
        swap_letters(b, "abcdefgh.example");
        assert_true(dns_rig_answer_with(dns_rig_asked(), b, n));
        assert_int_equal(rig.asked_count, asked + 1);
        assert_true(dns_rig_answer(dns_rig_asked()));
        for (unsigned i = 1; i < DNS_LETTERS_KEPT; i++) {
            assert_true(rig.proxy.servers[0].letters_lost_until_us > rig.now_us);
            dns_cache_flush(&rig.proxy.cache);
            dns_rig_query(1, 7, "1.2"); /* without letters nothing is shown */
            assert_true(dns_rig_answer(dns_rig_asked()));
            dns_rig_query(1, 7, "abcdefgh.example");
            assert_true(dns_rig_answer(dns_rig_asked()));
        }
        dns_cache_flush(&rig.proxy.cache);
    }
}

/* Without a port for the second question the answer is not believed either; the wait goes on. */
static void test_letters_lost_without_a_port(void **state)
{
    uint8_t b[DNS_RIG_SENT_BYTES];

    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 1);
    rig.ports_left = 1;
    dns_rig_query(1, 7, "abc.example");
    size_t n = dns_rig_make_answer(b, dns_rig_asked());
    swap_letters(b, "abc");
    assert_true(dns_rig_answer_with(dns_rig_asked(), b, n));
    assert_int_equal(rig.answered_count, 0);
    dns_rig_pass(DNS_WAIT_FIRST_US);
    assert_int_equal(rig.asked_count, 2);
    assert_true(dns_rig_answer(dns_rig_asked()));
    assert_int_equal(rig.answered_count, 1);
}

/* What may be signed goes out as it came. */
static void test_letters_of_others(void **state)
{
    static const struct {
        int id;
        uint16_t flags;
        uint8_t extras; /* a TSIG, to our eyes some record */
        bool same;
    } rows[] = {
        {1, 0x0100, 0, false}, {2, 0x0000, 0, false}, {3, 0x2800, 0, true}, {4, 0x0100, 1, true}};
    static const uint8_t tsig[] = {1, 'k', 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0};
    uint8_t b[512];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        size_t n = dns_rig_build(b, 9, "abcdefghijklmnopqrstuvwxyz.example", DNS_TYPE_A);
        store_be16(b + DNS_FLAGS_OFF, rows[i].flags);
        b[DNS_ARCOUNT_OFF + 1] = rows[i].extras;
        memcpy(b + n, tsig, sizeof(tsig));
        n += rows[i].extras ? sizeof(tsig) : 0;
        dns_rig_ask(1, b, n);
        assert_int_equal(rig.asked_count, i + 1);
        if ((memcmp(rig.asked[i].bytes + 2, b + 2, n - 2) == 0) != rows[i].same)
            fail_msg("row %d", rows[i].id);
    }
}

/* A question of 255 bytes, all of them letters that can be. */
static void test_letters_of_a_long_name(void **state)
{
    uint8_t b[512], answer[DNS_RIG_SENT_BYTES];
    char name[255];

    (void)state;
    memset(name, 'X', sizeof(name));
    name[63] = name[127] = name[191] = '.';
    name[253] = 0;
    for (unsigned host = 1; host <= 2; host++) {
        size_t n = dns_rig_build(b, 1, name, DNS_TYPE_A);
        dns_rig_ask(host, b, n);
        name[252] = name[0] = 'x';
    }
    assert_int_equal(rig.asked_count, 1);
    size_t n = dns_rig_make_answer(answer, dns_rig_asked());
    assert_true(dns_rig_answer_with(dns_rig_asked(), answer, n));
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *question = rig.answered[i].bytes + DNS_HDR_BYTES;
        assert_int_equal(question[1], i ? 'x' : 'X');
        assert_int_equal(question[2], 'X');
        assert_int_equal(question[253], i ? 'x' : 'X');
        assert_int_equal(question[254], 0);
    }
}

/* ---- other servers ---- */

/* What is known of a server stays with it; the question under way goes to the new ones at once. */
static void test_other_servers(void **state)
{
    const be32 next[] = {SERVER(2), SERVER(1)};

    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 2);
    for (unsigned i = 0; i < 3; i++) {
        rig.now_us += 2000000;
        unsigned before = rig.asked_count;
        ask_new(1);
        rig.now_us += 10000 - i;
        for (unsigned k = 0; k < 2; k++)
            if (asked_of(k, before))
                dns_rig_answer(asked_of(k, before));
    }
    struct dns_upstream known = rig.proxy.servers[1];
    assert_true(known.latency_us > 0);
    dns_rig_query(1, 1, "waits.example");
    dns_rig_query(1, 2, "corp.example");
    struct dns_sent corp = *dns_rig_asked(), old = rig.asked[rig.asked_count - 2];
    dns_proxy_set_servers(&rig.proxy, next, 2);
    assert_memory_equal(&rig.proxy.servers[1], &known, sizeof(known));
    assert_int_equal(rig.proxy.servers[0].latency_us, 0);
    unsigned answered = rig.answered_count;
    dns_rig_answer(&old); /* nobody believes that server any more */
    assert_int_equal(rig.answered_count, answered);
    dns_rig_pass(0);
    assert_int_equal(dns_rig_asked()->to, SERVER(1)); /* the one that is known to be fast */
    assert_int_equal(rig.proxy.servers[0].timed_out + rig.proxy.servers[1].timed_out, 0);
    assert_true(dns_rig_answer(dns_rig_asked()));
    assert_int_equal(load_be16(dns_rig_answered()->bytes), 1);
    assert_true(dns_rig_answer(&corp));
    assert_int_equal(load_be16(dns_rig_answered()->bytes), 2);
    /* Without any, those under way fail at once. */
    ask_new(1);
    dns_proxy_set_servers(&rig.proxy, NULL, 0);
    dns_rig_pass(0);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
    assert_int_equal(rig.proxy.pending_count, 0);
}

/* The queue is in order whatever is made due at once. */
static void test_many_wait_for_other_servers(void **state)
{
    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 1);
    for (unsigned i = 0; i < 150; i++) {
        ask_new(i % 5);
        if (i % 3 == 0)
            dns_rig_query(i % 5, (uint16_t)(1000 + i), "corp.example");
        dns_rig_pass(i % 7 * 100);
    }
    dns_proxy_set_servers(&rig.proxy, servers + 1, 2);
    unsigned before = rig.asked_count;
    dns_rig_pass(0);
    assert_int_equal(rig.asked_count - before, 150);
    dns_rig_pass(10000000);
    assert_int_equal(rig.proxy.pending_count, 0);
    assert_int_equal(rig.answered_count, 200);
}

/* ---- the console, and the status ---- */

static void test_the_console_is_told(void **state)
{
    unsigned lines = 0;

    (void)state;
    dns_proxy_set_servers(&rig.proxy, servers, 2);
    fake_log_clear();
    ask_new(1);
    dns_rig_pass(5000000);
    assert_int_equal(fake_log_count, 0); /* it may have been the name */
    ask_new(1);
    dns_rig_pass(5000000);
    assert_true(fake_log_has("no server answers: 9.9.9.1 9.9.9.2"));
    assert_int_equal(fake_log_count, 1);
    resolve(1000);
    assert_true(fake_log_has("9.9.9.1 answers again, after "));
    assert_int_equal(fake_log_count, 2);
    /* They come and go, which is told once a minute. */
    for (unsigned second = 0; second < 120; second += 12) {
        for (unsigned i = 0; i < 2; i++) {
            ask_new(1);
            dns_rig_pass(5000000);
        }
        unsigned before = rig.asked_count;
        ask_new(1);
        rig.now_us += 1000;
        dns_rig_answer(&rig.asked[before % DNS_RIG_SENT]);
        dns_rig_pass(1999000);
    }
    lines = fake_log_count;
    assert_true(lines >= 4 && lines <= 8 && lines % 2 == 0);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_NOERROR);
}

static char text[8192];

static void add(const char *line)
{
    assert_true(strlen(line) < 110);
    strcat(strcat(text, line), "\n");
}

static void test_status(void **state)
{
    (void)state;
    text[0] = 0;
    dns_rig_query(1, 1, "corp.example");
    rig.now_us += 4000;
    dns_rig_answer(dns_rig_asked());
    resolve(12000);
    dns_proxy_print(&rig.proxy, add);
    assert_non_null(strstr(text, "\ndns       9.9.9.1         up      12 ms  asked 1  answered 1"));
    assert_non_null(strstr(text, "\ndns       9.9.9.2         up          -  asked 0"));
    assert_non_null(strstr(text, "\ndns       192.168.12.53   up       4 ms  asked 1"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dns_rig_start, dns_rig_stop)
    const struct CMUnitTest tests[] = {
        T(test_the_fastest_is_asked),
        T(test_what_is_measured),
        T(test_a_dead_server),
        T(test_errors),
        T(test_one_that_refuses),
        T(test_letters_are_random),
        T(test_letters_lost),
        T(test_letters_lost_without_a_port),
        T(test_letters_found_again),
        T(test_letters_of_others),
        T(test_letters_of_a_long_name),
        T(test_other_servers),
        T(test_many_wait_for_other_servers),
        T(test_the_console_is_told),
        T(test_status),
    };
    return cmocka_run_group_tests_name("dns_ask", tests, NULL, NULL);
}
