/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DNS forwarder between hosts that ask at random and servers that are slow, lose datagrams,
 * die, refuse, forget letters and lie. Judged by what a host may expect, and by nothing that the
 * forwarder thinks: every question has one answer, in time, to the very question, and a true one;
 * and while one server is well, an answer that is no error.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dns_rig.h"

#include <stdio.h>

#define ROUNDS    150
#define QUESTIONS 250
#define IN_FLIGHT 4096
#define NAMES     400
#define HOSTS     20
#define END_US    4500000u /* a resolver waits for 5 s */
#define LIE       "\6\6\6\6"

struct server {
    unsigned latency_us, loss_percent, error_percent, lie_percent;
    bool dead, loses_letters;
};
static struct server world[4]; /* SERVER(0) .. SERVER(2), INSIDE_SERVER */

/* Answers on their way. */
static struct flight {
    uint64_t at_us; /* 0: free */
    be32 from;
    be16 port;
    uint8_t network;
    size_t n;
    uint8_t bytes[400];
} flights[IN_FLIGHT];

static struct question {
    uint64_t asked_us;
    size_t n; /* 0: answered */
    uint8_t bytes[300];
} questions[QUESTIONS];
static unsigned question_count, asked_seen, answered_seen;
static unsigned good, failed; /* answers in all rounds */
static uint64_t slowest_us;   /* of a round */

static void fly(const struct dns_sent *q, be32 from, const uint8_t *b, size_t n, unsigned us)
{
    unsigned i = 0;

    while (i < IN_FLIGHT && flights[i].at_us)
        i++;
    assert_true(i < IN_FLIGHT && n <= sizeof(flights[i].bytes));
    flights[i] = (struct flight){rig.now_us + us + 1, from, q->port, q->network, n, {0}};
    memcpy(flights[i].bytes, b, n);
}

/* Something that is not the answer. */
static void lie(const struct dns_sent *q, unsigned us)
{
    static const size_t places[] = {DNS_ID_OFF, DNS_ID_OFF + 1, DNS_HDR_BYTES + 2, DNS_QDCOUNT_OFF};
    uint8_t b[DNS_RIG_SENT_BYTES];
    size_t n = dns_rig_make_answer(b, q);
    unsigned how = dns_rig_random(ARRAY_COUNT(places) + 2);

    memcpy(b + n - 4, LIE, 4);
    if (how < ARRAY_COUNT(places))
        b[places[how]] ^= 1;
    else if (how == ARRAY_COUNT(places))
        n = DNS_HDR_BYTES + 3;
    fly(q, how > ARRAY_COUNT(places) ? SERVER(9) : q->to, b, n, us);
}

static void serve(const struct dns_sent *q)
{
    const struct server *s = &world[q->to == INSIDE_SERVER ? 3 : ntoh32(q->to) - ntoh32(SERVER(0))];
    unsigned us = s->latency_us + dns_rig_random(s->latency_us);
    uint8_t b[DNS_RIG_SENT_BYTES];
    size_t n = dns_rig_make_answer(b, q), head = n - 16;

    if (dns_rig_random(100) < s->lie_percent)
        lie(q, dns_rig_random(us));
    if (s->dead || dns_rig_random(100) < s->loss_percent)
        return;
    if (dns_rig_random(100) < s->error_percent)
        b[DNS_FLAGS_OFF + 1] |= dns_rig_random(2) ? DNS_REFUSED : DNS_SERVFAIL;
    for (size_t i = DNS_HDR_BYTES; s->loses_letters && i < head - 4; i++)
        b[i] |= b[i] >= 'A' ? 0x20 : 0;
    fly(q, q->to, b, n, us);
    if (dns_rig_random(20) == 0) /* twice */
        fly(q, q->to, b, n, us + dns_rig_random(1000000));
}

static void judge(const struct dns_sent *a)
{
    struct question *q = &questions[load_be16(a->bytes)];
    unsigned code = dns_rig_rcode(a);

    assert_true(load_be16(a->bytes) < question_count);
    assert_true(q->n > 0); /* and not answered already */
    assert_true(a->n >= q->n);
    assert_memory_equal(a->bytes + DNS_HDR_BYTES, q->bytes + DNS_HDR_BYTES, q->n - DNS_HDR_BYTES);
    assert_true(rig.now_us - q->asked_us <= END_US);
    if (code == DNS_NOERROR) {
        assert_int_equal(a->n, q->n + 16);
        assert_memory_equal(a->bytes + a->n - 4, "\300\0\2\1", 4);
    } else {
        assert_true(code == DNS_SERVFAIL || code == DNS_REFUSED);
    }
    good += code == DNS_NOERROR;
    failed += code != DNS_NOERROR;
    slowest_us = MAX(slowest_us, rig.now_us - q->asked_us);
    q->n = 0;
}

/* What the forwarder has sent. */
static void look(void)
{
    for (; asked_seen != rig.asked_count; asked_seen++)
        serve(&rig.asked[asked_seen % DNS_RIG_SENT]);
    for (; answered_seen != rig.answered_count; answered_seen++)
        judge(&rig.answered[answered_seen % DNS_RIG_SENT]);
}

static struct flight *first_flight(void)
{
    struct flight *first = NULL;

    for (unsigned i = 0; i < IN_FLIGHT; i++)
        if (flights[i].at_us && (!first || flights[i].at_us < first->at_us))
            first = &flights[i];
    return first;
}

static void pass(uint64_t us)
{
    uint64_t end_us = rig.now_us + us;

    for (;;) {
        struct flight *f = first_flight();
        uint64_t due_us = dns_proxy_next_us(&rig.proxy);
        uint64_t next_us = MIN(f ? f->at_us : UINT64_MAX, due_us);
        if (next_us > end_us)
            break;
        rig.now_us = MAX(rig.now_us, next_us);
        if (next_us == due_us) {
            assert_true(dns_proxy_poll(&rig.proxy, rig.now_us) > 0);
        } else {
            f->at_us = 0;
            dns_proxy_answer(&rig.proxy, f->network, f->from, BE16(DNS_PORT), f->port, f->bytes,
                             f->n, rig.now_us);
        }
        look();
    }
    rig.now_us = end_us;
}

static void host_asks(unsigned round)
{
    struct question *q = &questions[question_count];
    char name[40];

    if (dns_rig_random(10) == 0)
        snprintf(name, sizeof(name), "corp.example");
    else
        snprintf(name, sizeof(name), "r%u-name%u.example", round, dns_rig_random(NAMES));
    q->n = dns_rig_build(q->bytes, (uint16_t)question_count, name, DNS_TYPE_A);
    for (size_t i = DNS_HDR_BYTES; i < q->n - 4; i++) /* some have ideas of their own */
        if (q->bytes[i] >= 'a' && dns_rig_random(8) == 0)
            q->bytes[i] ^= 0x20;
    q->asked_us = rig.now_us;
    dns_rig_ask(question_count++ % HOSTS, q->bytes, q->n);
    look();
}

static void make_world(bool one_is_well)
{
    static const unsigned latencies_us[] = {200, 8000, 40000, 200000, 400000, 900000};

    for (unsigned i = 0; i < ARRAY_COUNT(world); i++)
        world[i] = (struct server){
            .latency_us = latencies_us[dns_rig_random(ARRAY_COUNT(latencies_us))],
            .loss_percent = dns_rig_random(2) ? dns_rig_random(60) : 0,
            .error_percent = dns_rig_random(4) ? 0 : dns_rig_random(101),
            .lie_percent = dns_rig_random(3) ? 0 : 50,
            .dead = dns_rig_random(3) == 0,
            .loses_letters = dns_rig_random(4) == 0,
        };
    if (one_is_well)
        for (unsigned i = 2; i < 4; i++)
            world[i] = (struct server){.latency_us = 20000, .loses_letters = dns_rig_random(2)};
}

static void test_hosts_get_what_they_may_expect(void **state)
{
    static const be32 servers[] = {SERVER(0), SERVER(1), SERVER(2), SERVER(0), SERVER(1)};

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        bool well = round % 3 == 0;
        unsigned failed_before = failed;
        make_world(well);
        dns_proxy_set_servers(&rig.proxy, servers, 3);
        question_count = 0;
        slowest_us = 0;
        while (question_count < QUESTIONS) {
            host_asks(round);
            if (dns_rig_random(4) == 0)
                pass(dns_rig_random(400000));
            if (dns_rig_random(60) == 0 && !well)
                make_world(false);
            if (dns_rig_random(100) == 0 && !well)
                dns_proxy_set_servers(&rig.proxy, servers + dns_rig_random(3),
                                      1 + dns_rig_random(3));
        }
        pass(10000000);
        for (unsigned i = 0; i < QUESTIONS; i++)
            if (questions[i].n)
                fail_msg("round %u: question %u has no answer", round, i);
        assert_int_equal(rig.proxy.pending_count, 0);
        assert_int_equal(rig.reserved_count, 0);
        if (well && (failed > failed_before || slowest_us > 2200000))
            fail_msg("round %u: %u failed, slowest %u us", round, failed - failed_before,
                     (unsigned)slowest_us);
    }
    assert_true(good > 20000 && failed > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hosts_get_what_they_may_expect, dns_rig_start,
                                        dns_rig_stop),
    };
    return cmocka_run_group_tests_name("dns_world", tests, NULL, NULL);
}
