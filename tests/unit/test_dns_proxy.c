/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_proxy.c and net/wire/dns.c: what is relayed and how, which answers count (RFC 5452),
 * sharing, retries and limits, names of our own, and malformed messages.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/dns_letters.h"
#include "tests/fake/dns_rig.h"

#include <stdio.h>
#include <stdlib.h>

static void test_relays_bytes_unaltered(void **state)
{
    /* AD, CD and DO set, an unknown type, and an option nobody knows. */
    uint8_t b[512], back[512];
    struct dns_client from = dns_rig_host(5);
    size_t n = dns_rig_build(b, 0x1234, "ExAmPle.ORG", 65280), head = n - DNS_HDR_BYTES;

    (void)state;
    store_be16(b + DNS_FLAGS_OFF, 0x0130);
    store_be16(b + DNS_ARCOUNT_OFF, 1);
    const uint8_t opt[] = {0, 0, 41, 4, 0, 0, 0, 0x80, 0, 0, 7, 0xFD, 0xE9, 0, 3, 1, 2, 3};
    memcpy(b + n, opt, sizeof(opt));
    n += sizeof(opt);
    dns_proxy_query(&rig.proxy, &from, b, n, rig.now_us);
    assert_int_equal(rig.asked_count, 1);
    assert_int_equal(rig.asked[0].to, SERVER(0));
    assert_int_equal(rig.asked[0].n, n);
    assert_memory_equal(rig.asked[0].bytes + 2, b + 2, DNS_HDR_BYTES - 2);
    assert_true(dns_letters_same(rig.asked[0].bytes + DNS_HDR_BYTES, b + DNS_HDR_BYTES, head));
    assert_memory_equal(rig.asked[0].bytes + DNS_HDR_BYTES + head, opt, sizeof(opt));
    assert_int_not_equal(load_be16(rig.asked[0].bytes), 0x1234);

    size_t length = dns_rig_make_answer(back, &rig.asked[0]);
    assert_true(dns_proxy_answer(&rig.proxy, OUTSIDE, SERVER(0), BE16(DNS_PORT), rig.asked[0].port,
                                 back, length, rig.now_us));
    assert_int_equal(rig.answered_count, 1);
    assert_int_equal(rig.answered[0].to, from.ip);
    assert_int_equal(rig.answered[0].port, from.port);
    assert_int_equal(load_be16(rig.answered[0].bytes), 0x1234);
    memcpy(back + DNS_HDR_BYTES, b + DNS_HDR_BYTES, head); /* its own letters */
    assert_memory_equal(rig.answered[0].bytes + 2, back + 2, length - 2);
    assert_int_equal(rig.reserved_count, 0);
}

/* Each row differs from the right answer in one thing. */
static void test_only_the_right_answer_counts(void **state)
{
    static const struct {
        int id;
        int server; /* 0: the one asked */
        uint16_t sport;
        int port;   /* added to ours */
        int at;     /* byte changed, -1: none */
        uint8_t by; /* xor */
        size_t cut;
    } rows[] = {
        {1, 1, 53, 0, -1, 0, 0},                              /* another server */
        {2, 0, 54, 0, -1, 0, 0},   {3, 0, 53, 1, -1, 0, 0},   /* a port of nobody */
        {4, 0, 53, 0, 0, 1, 0},                               /* id */
        {5, 0, 53, 0, 1, 0x80, 0}, {6, 0, 53, 0, 2, 0x80, 0}, /* no response */
        {7, 0, 53, 0, 2, 0x08, 0},                            /* another opcode */
        {8, 0, 53, 0, 5, 1, 0},                               /* no question */
        {9, 0, 53, 0, 5, 3, 0},                               /* two */
        {11, 0, 53, 0, 13, 1, 0},                             /* another name */
        {12, 0, 53, 0, 26, 1, 0},                             /* another type */
        {13, 0, 53, 0, 28, 1, 0},                             /* another class */
        {14, 0, 53, 0, -1, 0, 20},                            /* cut within the question */
        {15, 0, 53, 0, -1, 0, 11}, {16, 0, 53, 0, -1, 0, 1},
    };

    (void)state;
    dns_rig_query(1, 7, "example.org");
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t b[600];
        size_t n = dns_rig_make_answer(b, &rig.asked[0]);
        if (rows[i].at >= 0)
            b[rows[i].at] ^= rows[i].by;
        if (rows[i].cut)
            n = rows[i].cut;
        uint8_t *exact = malloc(n);
        memcpy(exact, b, n);
        be16 port = hton16((uint16_t)(ntoh16(rig.asked[0].port) + rows[i].port));
        bool ours = dns_proxy_answer(&rig.proxy, OUTSIDE, SERVER(rows[i].server),
                                     hton16(rows[i].sport), port, exact, n, rig.now_us);
        free(exact);
        if (ours != (rows[i].port == 0 && rows[i].server == 0) || rig.answered_count != 0)
            fail_msg("row %d", rows[i].id);
    }
    assert_int_equal(rig.proxy.counters.forged, ARRAY_COUNT(rows) - 1);
    assert_true(dns_rig_answer(&rig.asked[0])); /* the wait went on */
    assert_int_equal(rig.answered_count, 1);
    assert_false(dns_rig_answer(&rig.asked[0])); /* and is over */
}

/* Forgers who know the question and the server, and guess the rest. */
static void test_forged_answers_are_refused(void **state)
{
    uint8_t b[600];
    unsigned hits = 0;

    (void)state;
    for (unsigned c = 0; c < 100; c++) {
        dns_rig_query(c, (uint16_t)c, "bank.example");
        dns_rig_query(c, (uint16_t)c, "other.example");
    }
    size_t n = dns_rig_make_answer(b, &rig.asked[0]);
    for (unsigned i = 0; i < 1000000; i++) {
        be16 id = (be16)dns_rig_random(65536), port = hton16((uint16_t)dns_rig_random(65536));
        for (unsigned k = 0; k < rig.asked_count; k++)
            hits += rig.asked[k].port == port && load_raw16(rig.asked[k].bytes) == id;
        store_raw16(b, id);
        dns_proxy_answer(&rig.proxy, OUTSIDE, SERVER(0), BE16(DNS_PORT), port, b, n, rig.now_us);
    }
    assert_int_equal(hits, 0); /* the seed is such that nobody guessed right */
    assert_int_equal(rig.answered_count, 0);
}

static void test_ids_and_ports_vary(void **state)
{
    unsigned same_id = 0, same_port = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        char name[24];
        snprintf(name, sizeof(name), "n%u.example.org", i);
        dns_rig_query(1, (uint16_t)i, name);
        const struct dns_sent *s = dns_rig_asked();
        if (i > 0) {
            same_id += load_raw16(s->bytes) == load_raw16(rig.asked[(i - 1) % 2048].bytes);
            same_port += s->port == rig.asked[(i - 1) % 2048].port;
        }
        dns_rig_answer(s);
    }
    assert_true(same_id < 3 && same_port < 3);
}

static void test_equal_queries_share(void **state)
{
    (void)state;
    dns_rig_query(1, 11, "example.org");
    dns_rig_query(1, 11, "example.org"); /* again, by the same host */
    dns_rig_query(2, 22, "example.org");
    dns_rig_query(3, 33, "example.org");
    assert_int_equal(rig.asked_count, 1);
    dns_rig_query(3, 34, "example.ORG"); /* letters mean nothing */
    assert_int_equal(rig.asked_count, 1);
    dns_rig_answer(&rig.asked[0]);
    assert_int_equal(rig.answered_count, 4);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rig.answered[i].to, dns_rig_host(i + 1).ip);
        assert_int_equal(load_be16(rig.answered[i].bytes), 11 * (i + 1));
    }
    for (unsigned i = 0; i < 4; i++)
        assert_memory_equal(rig.answered[i].bytes + DNS_HDR_BYTES,
                            i < 3 ? "\7example\3org" : "\7example\3ORG", 12);
}

/* Machines started together ask together: all get the answer, from few queries. Who is one too many
 * hears nothing, and asks again by itself. */
static void test_many_hosts_share(void **state)
{
    const unsigned most = DNS_SAME_QUESTION_MAX * DNS_WAITERS_MAX;

    (void)state;
    for (unsigned i = 0; i < most; i++)
        dns_rig_query(i, (uint16_t)i, "example.org");
    assert_int_equal(rig.asked_count, DNS_SAME_QUESTION_MAX);
    assert_int_equal(rig.answered_count, 0);
    dns_rig_query(most, (uint16_t)most, "example.org");
    assert_int_equal(rig.asked_count, DNS_SAME_QUESTION_MAX);
    assert_int_equal(rig.answered_count, 0);
    for (unsigned i = 0; i < DNS_SAME_QUESTION_MAX; i++)
        dns_rig_answer(&rig.asked[i]);
    assert_int_equal(rig.answered_count, most);
    assert_int_equal(rig.reserved_count, 0);
}

/* Every further query with one question is one more chance for a forger. */
static void test_one_question_is_not_asked_often(void **state)
{
    uint8_t b[512];

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct dns_client from = dns_rig_host(i);
        size_t n = dns_rig_build(b, (uint16_t)i, "victim.example", DNS_TYPE_A);
        for (unsigned k = 13; k < 19; k++) /* all letter cases of "victim" */
            b[k] = (uint8_t)(b[k] ^ (i >> (k - 13) & 1 ? 0x20 : 0));
        dns_proxy_query(&rig.proxy, &from, b, n, rig.now_us);
    }
    assert_int_equal(rig.asked_count, DNS_SAME_QUESTION_MAX);
    dns_rig_query(1, 1, "bystander.example");
    assert_int_equal(rig.asked_count, DNS_SAME_QUESTION_MAX + 1);
}

/* Every server in turn, from one port with one id, for longer each time round; the answer of any of
 * them counts; and the end comes before a resolver's 5 s are over. */
static void test_next_server_then_servfail(void **state)
{
    static const unsigned at_ms[] = {0, 500, 1000, 2000, 3000, 4400};

    for (unsigned answering = 0; answering < 2; answering++) {
        dns_rig_stop(state);
        dns_rig_start(state);
        dns_rig_query(1, 7, "example.org");
        uint64_t begun_us = rig.now_us;
        for (unsigned i = 1; i < ARRAY_COUNT(at_ms); i++) {
            assert_int_equal(rig.asked_count, i);
            assert_int_equal(rig.asked[i - 1].to, SERVER((i - 1) % 2));
            assert_int_equal(rig.asked[i - 1].port, rig.asked[0].port);
            assert_memory_equal(rig.asked[i - 1].bytes, rig.asked[0].bytes, rig.asked[0].n);
            assert_int_equal(dns_proxy_next_us(&rig.proxy), begun_us + at_ms[i] * 1000ull);
            rig.now_us = begun_us + at_ms[i] * 1000ull - 1;
            assert_int_equal(dns_proxy_poll(&rig.proxy, rig.now_us), 0);
            if (answering && i == 2) { /* the first one, late */
                assert_true(dns_rig_answer(&rig.asked[0]));
                assert_int_equal(dns_rig_rcode(&rig.answered[0]), DNS_NOERROR);
                break;
            }
            rig.now_us++;
            assert_int_equal(dns_proxy_poll(&rig.proxy, rig.now_us), 1);
        }
        assert_int_equal(rig.answered_count, 1);
        if (!answering)
            assert_int_equal(dns_rig_rcode(&rig.answered[0]), DNS_SERVFAIL);
        assert_int_equal(load_be16(rig.answered[0].bytes), 7);
        assert_int_equal(rig.proxy.counters.timed_out, answering ? 0 : 1);
        assert_int_equal(rig.proxy.pending_count, 0);
        assert_int_equal(dns_proxy_next_us(&rig.proxy), UINT64_MAX);
    }
}

static void test_answering_server_is_asked_first(void **state)
{
    (void)state;
    dns_rig_query(1, 1, "a.example");
    rig.now_us += DNS_WAIT_FIRST_US;
    dns_proxy_poll(&rig.proxy, rig.now_us);
    dns_rig_answer(&rig.asked[1]);
    dns_rig_query(1, 2, "b.example");
    assert_int_equal(rig.asked[2].to, SERVER(1));
}

/* With one server a late answer is as good as one in time. */
static void test_single_server_is_asked_again(void **state)
{
    const be32 one = SERVER(0);

    (void)state;
    dns_proxy_set_servers(&rig.proxy, &one, 1);
    dns_rig_query(1, 1, "a.example");
    rig.now_us += DNS_WAIT_FIRST_US;
    dns_proxy_poll(&rig.proxy, rig.now_us);
    assert_int_equal(rig.asked_count, 2);
    assert_int_equal(rig.asked[1].port, rig.asked[0].port);
    assert_memory_equal(rig.asked[1].bytes, rig.asked[0].bytes, rig.asked[0].n);
    assert_true(dns_rig_answer(&rig.asked[0]));
    assert_int_equal(rig.answered_count, 1);
}

/* Nobody answers outside, or for a domain: what is asked elsewhere is asked all the same. */
static void test_silent_servers_keep_out_no_others(void **state)
{
    static const char *const names[] = {"corp.example", "a.example"};
    static const unsigned most[] = {DNS_PENDING_OWN, DNS_PENDING_ALL};
    uint8_t b[512];

    for (unsigned silent = 0; silent < 2; silent++) {
        dns_rig_stop(state);
        dns_rig_start(state);
        for (unsigned i = 0; i < 2 * DNS_PENDING_MAX; i++)
            dns_rig_ask(i % 100, b,
                        dns_rig_build(b, (uint16_t)i, names[silent], (uint16_t)(1000 + i)));
        assert_int_equal(rig.proxy.pending_count, most[silent]);
        assert_int_equal(rig.proxy.counters.refused, 2 * DNS_PENDING_MAX - most[silent]);
        dns_rig_query(101, 1, names[!silent]);
        assert_int_equal(rig.proxy.pending_count, most[silent] + 1);
        dns_rig_pass(DNS_GIVE_UP_US + 1000000);
        assert_int_equal(rig.proxy.pending_count, 0);
        unsigned asked = rig.asked_count;
        dns_rig_query(102, 1, names[silent]); /* all of their places are free again */
        assert_true(rig.asked_count > asked);
    }
}

static void test_limits(void **state)
{
    char name[] = "aaa.example";

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        dns_rig_query(1, (uint16_t)i, name);
    }
    assert_int_equal(rig.asked_count, DNS_PENDING_PER_CLIENT); /* one host does not get it all */
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
    for (unsigned i = 0; i < 1000; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        name[2] = 'z';
        dns_rig_query(2 + i % 200, (uint16_t)i, name);
    }
    assert_int_equal(rig.proxy.pending_count, DNS_PENDING_ALL);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
    rig.now_us += DNS_GIVE_UP_US * 2ull;
    while (dns_proxy_poll(&rig.proxy, rig.now_us) > 0)
        continue;
    assert_int_equal(rig.proxy.pending_count, 0);
    /* No port: refused, and nothing is lost. */
    rig.ports_left = 0;
    dns_rig_query(1, 1, "noport.example");
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
    rig.ports_left = 1;
    dns_rig_query(1, 1, "noport.example");
    assert_int_equal(rig.proxy.pending_count, 1);
    rig.now_us += DNS_WAIT_FIRST_US;
    dns_proxy_poll(&rig.proxy,
                   rig.now_us); /* no second port for the next server: the first goes on */
    assert_true(dns_rig_answer(dns_rig_asked()));
    assert_int_equal(rig.proxy.pending_count, 0);
}

/* However a host asks, what is sent on for it is bounded in every second, and others do not feel
 * it; a refusal is no longer than the question. */
static void test_rate_of_a_host(void **state)
{
    unsigned sent = 0, bystander = 0;
    char last[24] = "";
    uint64_t begun_us = rig.now_us;

    (void)state;
    for (unsigned i = 0; rig.now_us < begun_us + 10000000; i++) {
        char name[24];
        unsigned asked = rig.asked_count;
        snprintf(name, sizeof(name), "n%u.example", i);
        dns_rig_query(1, (uint16_t)i, name);
        if (rig.asked_count > asked) {
            sent++;
            dns_rig_answer(dns_rig_asked());
            memcpy(last, name, sizeof(last));
        } else {
            assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_REFUSED);
            assert_true(dns_rig_answered()->n <= DNS_HDR_BYTES + strlen(name) + 6);
        }
        if (i % 100 == 0) {
            snprintf(name, sizeof(name), "b%u.example", i);
            dns_rig_query(2, (uint16_t)i, name);
            bystander += dns_rig_answer(dns_rig_asked());
        }
        rig.now_us += dns_rig_random(400); /* 5,000 a second */
    }
    if (sent < 10900 || sent > 11001) /* a second's worth at once, and then the rate */
        fail_msg("%u sent on", sent);
    assert_true(bystander > 400);
    assert_int_equal(rig.proxy.counters.limited, rig.proxy.counters.queries - sent - bystander);
    /* What is ours or kept is answered all the same. */
    dns_rig_query(1, 1, last);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_NOERROR);
    dns_rig_query(1, 1, "web.lan");
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_NOERROR);
}

static void test_without_servers_or_upstream(void **state)
{
    struct dns_client from = dns_rig_host(1);
    uint8_t b[512];
    size_t n = dns_rig_build(b, 9, "private.example", DNS_TYPE_A);

    (void)state;
    dns_proxy_query(&rig.proxy, &from, b, n, rig.now_us);
    assert_int_equal(dns_rig_rcode(&rig.answered[0]), DNS_REFUSED);
    dns_proxy_set_servers(&rig.proxy, NULL, 0);
    dns_rig_query(1, 9, "example.org");
    assert_int_equal(dns_rig_rcode(&rig.answered[1]), DNS_SERVFAIL);
    assert_int_equal(rig.asked_count, 0);
    /* Lost while a query is under way. */
    const be32 one = SERVER(0);
    dns_proxy_set_servers(&rig.proxy, &one, 1);
    dns_rig_query(1, 10, "example.org");
    dns_proxy_set_servers(&rig.proxy, NULL, 0);
    rig.now_us += DNS_WAIT_FIRST_US;
    dns_proxy_poll(&rig.proxy, rig.now_us);
    assert_int_equal(dns_rig_rcode(&rig.answered[2]), DNS_SERVFAIL);
}

/* A domain with a server of its own: only that one is asked, and only its answer counts. */
static void test_one_server(void **state)
{
    uint8_t b[600];

    (void)state;
    dns_rig_query(1, 7, "corp.example");
    dns_rig_query(2, 8, "corp.example"); /* shares */
    assert_int_equal(rig.asked_count, 1);
    assert_int_equal(rig.asked[0].to, INSIDE_SERVER);
    assert_int_equal(rig.asked[0].network, INSIDE);
    assert_true(dns_proxy_listens(&rig.proxy, INSIDE, rig.asked[0].port));
    assert_false(dns_proxy_listens(&rig.proxy, OUTSIDE, rig.asked[0].port));
    rig.now_us += DNS_WAIT_FIRST_US;
    dns_proxy_poll(&rig.proxy, rig.now_us);
    assert_int_equal(rig.asked_count, 2);
    assert_int_equal(rig.asked[1].to, INSIDE_SERVER);
    assert_int_equal(rig.asked[1].port, rig.asked[0].port);
    /* The uplink's servers, the right address on another network, and then the right one. */
    size_t n = dns_rig_make_answer(b, &rig.asked[0]);
    assert_false(dns_proxy_answer(&rig.proxy, OUTSIDE, SERVER(0), BE16(53), rig.asked[0].port, b, n,
                                  rig.now_us));
    assert_false(dns_proxy_answer(&rig.proxy, OUTSIDE, INSIDE_SERVER, BE16(53), rig.asked[0].port,
                                  b, n, rig.now_us));
    assert_false(dns_proxy_answer(&rig.proxy, INSIDE, SERVER(0), BE16(53), rig.asked[0].port, b, n,
                                  rig.now_us));
    assert_int_equal(rig.proxy.counters.forged, 3);
    assert_int_equal(rig.answered_count, 0);
    assert_true(dns_rig_answer(&rig.asked[0]));
    dns_cache_flush(&rig.proxy.cache);
    assert_int_equal(rig.answered_count, 2);

    /* It needs no servers of the uplink, and outlives their loss. */
    dns_rig_query(1, 9, "corp.example");
    dns_rig_query(1, 10, "example.org");
    dns_proxy_set_servers(&rig.proxy, NULL, 0);
    rig.now_us += DNS_WAIT_FIRST_US;
    dns_proxy_poll(&rig.proxy, rig.now_us);
    dns_proxy_poll(&rig.proxy, rig.now_us);
    assert_int_equal(rig.answered_count, 3); /* the other's SERVFAIL */
    assert_int_equal(load_be16(dns_rig_answered()->bytes), 10);
    assert_true(dns_rig_answer(dns_rig_asked()));
    dns_cache_flush(&rig.proxy.cache);
    assert_int_equal(load_be16(dns_rig_answered()->bytes), 9);
    dns_rig_query(1, 11, "corp.example");
    assert_int_equal(dns_rig_asked()->to, INSIDE_SERVER);
    while (rig.proxy.pending_count > 0) {
        rig.now_us = dns_proxy_next_us(&rig.proxy);
        dns_proxy_poll(&rig.proxy, rig.now_us);
    }
    assert_int_equal(load_be16(dns_rig_answered()->bytes), 11);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
    assert_int_equal(rig.proxy.pending_count, 0);

    /* Nor does its answer say anything about the others. */
    const be32 servers[] = {SERVER(0), INSIDE_SERVER};
    dns_proxy_set_servers(&rig.proxy, servers, 2);
    dns_rig_query(1, 12, "corp.example");
    dns_rig_answer(dns_rig_asked());
    dns_cache_flush(&rig.proxy.cache);
    dns_rig_query(1, 13, "example.org");
    assert_int_equal(dns_rig_asked()->to, SERVER(0));
    dns_rig_answer(dns_rig_asked());
    dns_cache_flush(&rig.proxy.cache);
}

static void test_malformed_queries(void **state)
{
    struct dns_client from = dns_rig_host(1);
    uint8_t b[600];
    size_t n = dns_rig_build(b, 1, "a", DNS_TYPE_A);

    (void)state;
    for (size_t cut = DNS_HDR_BYTES; cut < n; cut++) {
        unsigned before = rig.answered_count;
        dns_proxy_query(&rig.proxy, &from, b, cut, rig.now_us);
        assert_int_equal(rig.answered_count, before + 1);
        assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_FORMERR);
        assert_int_equal(dns_rig_answered()->n, DNS_HDR_BYTES);
    }
    /* Silence for what is no query: responses, pieces of headers, too much. */
    unsigned silent = rig.answered_count;
    b[DNS_FLAGS_OFF] |= 0x80;
    dns_proxy_query(&rig.proxy, &from, b, n, rig.now_us);
    for (n = 0; n < DNS_HDR_BYTES; n++)
        dns_proxy_query(&rig.proxy, &from, b, n, rig.now_us);
    dns_rig_build(b, 1, "a", DNS_TYPE_A);
    dns_proxy_query(&rig.proxy, &from, b, DNS_QUERY_MAX_BYTES + 1, rig.now_us);
    assert_int_equal(rig.answered_count, silent);
    assert_int_equal(rig.asked_count, 0);
}

/* Anything at any time: every query is answered exactly once or shares one that is, ports do not
 * leak. */
static void test_random_traffic(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        char name[] = "aa.example";
        name[0] = (char)('a' + dns_rig_random(26));
        name[1] = (char)('a' + dns_rig_random(3));
        switch (dns_rig_random(4)) {
        case 0:
        case 1:
            dns_rig_query(dns_rig_random(20), (uint16_t)dns_rig_random(65536), name);
            break;
        case 2:
            if (rig.asked_count > 0)
                dns_rig_answer(
                    &rig.asked[(rig.asked_count - 1 - dns_rig_random(MIN(rig.asked_count, 200))) %
                               2048]);
            break;
        default:
            rig.now_us += dns_rig_random(200000);
            dns_proxy_poll(&rig.proxy, rig.now_us);
        }
        assert_int_equal(rig.reserved_count, rig.proxy.pending_count);
    }
    rig.now_us += 100000000;
    while (dns_proxy_poll(&rig.proxy, rig.now_us) > 0)
        continue;
    assert_int_equal(rig.proxy.pending_count, 0);
    assert_true(rig.proxy.counters.answered > 1000 && rig.proxy.counters.timed_out > 100);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dns_rig_start, dns_rig_stop)
    const struct CMUnitTest tests[] = {
        T(test_relays_bytes_unaltered),
        T(test_only_the_right_answer_counts),
        T(test_forged_answers_are_refused),
        T(test_ids_and_ports_vary),
        T(test_equal_queries_share),
        T(test_many_hosts_share),
        T(test_one_question_is_not_asked_often),
        T(test_next_server_then_servfail),
        T(test_answering_server_is_asked_first),
        T(test_single_server_is_asked_again),
        T(test_limits),
        T(test_silent_servers_keep_out_no_others),
        T(test_rate_of_a_host),
        T(test_without_servers_or_upstream),
        T(test_one_server),
        T(test_malformed_queries),
        T(test_random_traffic),
    };
    return cmocka_run_group_tests_name("dns_proxy", tests, NULL, NULL);
}
