/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/nat_forward.c: ranges of ports, several hosts in turn, and the last resort. Single ports are
 * in test_nat_services.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

#define HOST_A    BE_IP4(192, 168, 8, 2) /* what an initializer may have for A, B, OUTSIDE */
#define HOST_B    BE_IP4(192, 168, 8, 3)
#define OTHER_OUT BE_IP4(203, 0, 113, 10)

#define RANGE(p, first, last, target, ...)                                                         \
    {                                                                                              \
        .proto = (p), .first_port = (first), .last_port = (last), .target_port = (target),         \
        .target_count = 1, .targets = {HOST_B}, __VA_ARGS__                                        \
    }

/* Sends from R1 to this port; who gets it, and at which port. */
static void leads_to(uint8_t proto, uint16_t port, be32 ip, uint16_t in_port)
{
    PASSES(rig_in(proto, R1, 999, port, TCP_SYN));
    assert_int_equal(rig_last.dst, ip);
    assert_int_equal(ntoh16(rig_last.dport), in_port);
}

/* ---- ranges ---- */

static void test_ranges(void **state)
{
    (void)state;
    static const struct nat_forward forwards[] = {
        RANGE(TCP, 8000, 8100, 9000),
        RANGE(UDP, 1, 9, 65527),
        RANGE(TCP, 65535, 65535, 1),
    };
    assert_int_equal(nat_set_forwards(&rig_nat, forwards, 3), 3);
    leads_to(TCP, 8000, B, 9000);
    leads_to(TCP, 8050, B, 9050);
    leads_to(TCP, 8100, B, 9100);
    leads_to(UDP, 1, B, 65527);
    leads_to(UDP, 9, B, 65535);
    leads_to(TCP, 65535, B, 1);
    REFUSED(rig_in(TCP, R1, 999, 7999, TCP_SYN), UNSOLICITED);
    REFUSED(rig_in(TCP, R1, 999, 8101, TCP_SYN), UNSOLICITED);
    REFUSED(rig_in(UDP, R1, 999, 8000, 0), UNSOLICITED);
    REFUSED(rig_in(UDP, R1, 999, 10, 0), UNSOLICITED);

    /* And back, whoever speaks first. */
    PASSES(rig_out(TCP, B, 9050, R1, 999, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_outside_port(), 8050);
    PASSES(rig_out(TCP, B, 9100, R2, 7, TCP_SYN));
    assert_int_equal(rig_outside_port(), 8100);
    PASSES(rig_out(TCP, B, 9101, R2, 7, TCP_SYN));
    assert_int_equal(rig_outside_port(), 9101);
    PASSES(rig_out(TCP, B, 8999, R2, 7, TCP_SYN));
    assert_int_equal(rig_outside_port(), 8999);
    PASSES(rig_out(TCP, A, 8000, R2, 7, TCP_SYN)); /* nobody else gets them */
    assert_true(rig_outside_port() < 8000 || rig_outside_port() > 8100);
    assert_int_equal(rig_nat.pools[0].free_count, 65535 - 102 - 3);
    assert_int_equal(rig_nat.pools[1].free_count, 65535 - 9);
    for (uint16_t port = 7999; port <= 8101; port++)
        assert_int_equal(nat_claims(&rig_nat, TCP, hton16(port)), port >= 8000 && port <= 8100);
}

/* Ranges in one another, told apart by from= and bind=; of two that match, the first. */
static void test_overlaps(void **state)
{
    (void)state;
    static const struct nat_forward forwards[] = {
        RANGE(TCP, 100, 200, 100, .from_ip = BE_IP4(198, 51, 100, 2), .from_mask = 0xFFFFFFFF),
        RANGE(TCP, 1, 60000, 1, .bind_ip = OTHER_OUT),
        RANGE(TCP, 150, 150, 1000),
        RANGE(TCP, 120, 180, 2000),
        RANGE(TCP, 10, 20, 3000),
    };
    assert_int_equal(nat_set_forwards(&rig_nat, forwards, 5), 5);
    leads_to(TCP, 150, B, 1000);
    leads_to(TCP, 149, B, 2029);
    leads_to(TCP, 180, B, 2060);
    leads_to(TCP, 15, B, 3005);
    REFUSED(rig_in(TCP, R1, 999, 199, TCP_SYN), UNSOLICITED);
    PASSES(rig_in(TCP, R2, 999, 199, TCP_SYN));
    assert_int_equal(ntoh16(rig_last.dport), 199);
    PASSES(rig_in(TCP, R2, 999, 150, TCP_SYN));
    assert_int_equal(ntoh16(rig_last.dport), 150);
    REFUSED(rig_in(TCP, R1, 999, 50000, TCP_SYN), UNSOLICITED);
    rig_set_outside(OTHER_OUT);
    nat_rig_make(&(struct rig_send){TCP, R1, 999, OTHER_OUT, 50000, TCP_SYN});
    PASSES(rig_send_frame(NETWORK_UPLINK, FLOW_IN));
    assert_int_equal(ntoh16(rig_last.dport), 50000);
}

/* Inside a range a port may be the router's own, or a host's that must give way. */
static void test_ports_in_the_way(void **state)
{
    (void)state;
    static const struct nat_forward forwards[] = {RANGE(UDP, 5000, 5010, 5000)};
    assert_true(nat_reserve_port(&rig_nat, UDP, BE16(5005)));
    PASSES(rig_out(UDP, A, 5006, R1, 53, 0));
    PASSES(rig_out(UDP, A, 5011, R1, 53, 0));
    assert_int_equal(nat_set_forwards(&rig_nat, forwards, 1), 1);
    assert_int_equal(rig_nat.flows.live, 1);
    REFUSED(rig_in(UDP, R1, 999, 5005, 0), UNSOLICITED);
    assert_false(nat_claims(&rig_nat, UDP, BE16(5005)));
    leads_to(UDP, 5006, B, 5006);
    PASSES(rig_out(UDP, B, 5005, R2, 53, 0)); /* its own mapping then */
    assert_int_not_equal(rig_outside_port(), 5005);
    assert_false(nat_reserve_port(&rig_nat, UDP, BE16(5006)));
    nat_set_forwards(&rig_nat, NULL, 0);
    assert_int_equal(rig_nat.pools[1].free_count, 65535 - 1 - 2); /* 5005; A's and B's mappings */
    nat_release(&rig_nat, UDP, BE16(5005));
}

/* Many forwards in no order, against looking at each of them. */
static void test_many_ranges(void **state)
{
    (void)state;
    static struct nat_forward forwards[NAT_MAX_FORWARDS];
    uint32_t seed = 1;
    for (unsigned i = 0; i < NAT_MAX_FORWARDS; i++) {
        uint32_t random[4];
        for (unsigned k = 0; k < 4; k++)
            random[k] = (seed = seed * 1664525 + 1013904223) >> 12;
        uint16_t first = (uint16_t)(1 + random[0] % 60000), length = (uint16_t)(random[1] % 300);
        forwards[i] = (struct nat_forward){
            .proto = random[2] & 1 ? TCP : UDP,
            .first_port = first,
            .last_port = (uint16_t)(first + length * (random[2] & 6 ? 1 : 15)),
            .target_port = (uint16_t)(1 + random[3] % 60000),
            .target_count = NAT_MAX_TARGETS,
        };
        forwards[i].zone = random[3] & 1;
        for (unsigned t = 0; t < NAT_MAX_TARGETS; t++)
            forwards[i].targets[t] = A + ((be32)((i % 16) * 8 + t) << 24);
    }
    assert_int_equal(nat_set_forwards(&rig_nat, forwards, NAT_MAX_FORWARDS), NAT_MAX_FORWARDS);
    for (unsigned n = 0; n < 20000; n++) {
        uint16_t port = (uint16_t)(n * 17);
        uint8_t proto = n & 64 ? TCP : UDP;
        const struct nat_forward *want = NULL;
        for (unsigned i = 0; i < NAT_MAX_FORWARDS && !want; i++)
            if (forwards[i].proto == proto && forwards[i].first_port <= port &&
                forwards[i].last_port >= port)
                want = &forwards[i];
        assert_int_equal(nat_claims(&rig_nat, proto, hton16(port)), want != NULL);
        if (!want)
            continue;
        PASSES(rig_in(proto, R1 + ((be32)n << 16), 999, port, TCP_SYN));
        assert_int_equal(ntoh16(rig_last.dport), port - want->first_port + want->target_port);
        assert_int_equal(rig_last_flow->zone, want->zone);
        be32 first = want->targets[0], ip = rig_last.dst;
        assert_in_range(ntoh32(ip), ntoh32(first), ntoh32(first) + NAT_MAX_TARGETS - 1);

        /* Its answers come by its flow; what it opens itself, by the first that leads there. */
        nat_rig_make(&(struct rig_send){proto, ip, ntoh16(rig_last.dport), R2, 1, TCP_SYN});
        uint16_t in_port = ntoh16(rig_last.dport), expected = 0;
        for (unsigned i = 0; i < NAT_MAX_FORWARDS && !expected; i++)
            if (forwards[i].proto == proto && forwards[i].zone == want->zone &&
                forwards[i].targets[0] == first && in_port >= forwards[i].target_port &&
                in_port - forwards[i].target_port <= forwards[i].last_port - forwards[i].first_port)
                expected = (uint16_t)(in_port - forwards[i].target_port + forwards[i].first_port);
        PASSES(rig_send_frame(want->zone, FLOW_OUT));
        assert_int_equal(rig_outside_port(), expected);
        while (rig_nat.flows.live > 0)
            rig_wait_ms(240 * 1000);
    }
}

/* ---- several hosts ---- */

static const struct nat_forward pair[] = {
    {.proto = TCP,
     .first_port = 443,
     .last_port = 444,
     .target_port = 8443,
     .target_count = 2,
     .targets = {HOST_A, HOST_B}},
};

static void test_turns(void **state)
{
    (void)state;
    nat_set_forwards(&rig_nat, pair, 1);
    for (uint16_t i = 0; i < 10; i++) {
        PASSES(rig_in(TCP, R1, 1000 + i, 443, TCP_SYN));
        assert_int_equal(rig_last.dst, i % 2 ? B : A);
        assert_int_equal(rig_last.dport, BE16(8443));
    }
    for (uint16_t i = 0; i < 10; i++) { /* each stays where it is */
        PASSES(rig_in(TCP, R1, 1000 + i, 443, TCP_ACK));
        assert_int_equal(rig_last.dst, i % 2 ? B : A);
        PASSES(rig_out(TCP, i % 2 ? B : A, 8443, R1, 1000 + i, TCP_SYN | TCP_ACK));
        assert_int_equal(rig_outside_port(), 443);
    }
    /* What cannot begin a connection takes nobody's turn. */
    REFUSED(rig_in(TCP, R1, 5000, 443, TCP_RST), UNSOLICITED);
    PASSES(rig_in(TCP, R1, 5000, 443, TCP_SYN));
    assert_int_equal(rig_last.dst, A);
}

/* Both speak first to one and the same server: only one can have the forwarded port. */
static void test_both_speak_first(void **state)
{
    (void)state;
    nat_set_forwards(&rig_nat, pair, 1);
    PASSES(rig_out(TCP, A, 8443, R1, 53, TCP_SYN));
    assert_int_equal(rig_outside_port(), 443);
    PASSES(rig_out(TCP, B, 8443, R1, 53, TCP_SYN));
    uint16_t port = rig_outside_port();
    assert_int_not_equal(port, 443);
    PASSES(rig_out(TCP, B, 8443, R2, 53, TCP_SYN));
    assert_int_equal(rig_outside_port(), 443);
    PASSES(rig_in(TCP, R1, 53, port, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_last.dst, B);
    PASSES(rig_in(TCP, R1, 53, 443, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_last.dst, A);

    /* Whose turn it is has this flow already: the other. */
    nat_set_forwards(&rig_nat, NULL, 0);
    nat_set_forwards(&rig_nat, pair, 1);
    PASSES(rig_out(TCP, A, 8443, R1, 77, TCP_SYN));
    PASSES(rig_in(TCP, R1, 77, 444, TCP_SYN)); /* 444 leads to 8444 */
    PASSES(rig_in(TCP, R1, 78, 443, TCP_SYN));
    assert_int_equal(rig_last.dst, B);
}

static void test_hairpin_in_turn(void **state)
{
    (void)state;
    nat_set_forwards(&rig_nat, pair, 1);
    for (uint16_t i = 0; i < 4; i++) {
        be32 host = BE_IP4(192, 168, 8, 9);
        PASSES(rig_out(TCP, host, 6000 + i, OUTSIDE, 443, TCP_SYN));
        PASSES(rig_send_frame(NETWORK_UPLINK, FLOW_IN));
        be32 server = rig_last.dst;
        assert_int_equal(server, i % 2 ? B : A);
        PASSES(rig_out(TCP, server, 8443, OUTSIDE, 6000 + i, TCP_SYN | TCP_ACK));
        assert_int_equal(rig_outside_port(), 443);
        PASSES(rig_send_frame(NETWORK_UPLINK, FLOW_IN));
        assert_int_equal(rig_last.dst, host);
        assert_int_equal(rig_last.src, OUTSIDE);
    }
}

/* ---- hosts that do not answer ---- */

static bool answering[NAT_MAX_TARGETS];
static unsigned questions;

static bool fake_answers(void *arg, const struct nat_forward *fwd, unsigned target)
{
    assert_ptr_equal(arg, answering);
    assert_in_range(target, 0, fwd->target_count - 1);
    questions++;
    return answering[target];
}

static const struct nat_forward three[] = {
    {.proto = TCP,
     .first_port = 443,
     .last_port = 443,
     .target_port = 8443,
     .target_count = 3,
     .targets = {HOST_A, HOST_B, BE_IP4(192, 168, 8, 4)}},
    RANGE(UDP, 53, 53, 53),
};

/* Sends a new connection; returns which target has got it. */
static unsigned target_of_next(uint16_t sport)
{
    PASSES(rig_in(TCP, R1, sport, 443, TCP_SYN));
    return (unsigned)(ntoh32(rig_last.dst) - ntoh32(A));
}

static void test_silent_targets(void **state)
{
    static const struct {
        int id;
        bool answers[3];
        unsigned got[6]; /* by new connections, one after the other */
    } rows[] = {
        {1, {true, true, true}, {0, 1, 2, 0, 1, 2}},
        {2, {false, true, true}, {1, 2, 1, 2, 1, 2}},
        {3, {true, false, true}, {0, 2, 0, 2, 0, 2}},
        {4, {true, true, false}, {0, 1, 0, 1, 0, 1}},
        {5, {false, false, true}, {2, 2, 2, 2, 2, 2}},
        {6, {false, true, false}, {1, 1, 1, 1, 1, 1}},
        {7, {false, false, false}, {0, 1, 2, 0, 1, 2}}, /* as before: one may come back */
    };
    uint16_t sport = 1000;

    (void)state;
    nat_set_answers(&rig_nat, fake_answers, answering);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        nat_set_forwards(&rig_nat, three, 2);
        memcpy(answering, rows[i].answers, sizeof(rows[i].answers));
        for (unsigned k = 0; k < 6; k++)
            if (target_of_next(sport++) != rows[i].got[k])
                fail_msg("row %d: connection %u", rows[i].id, k);
    }
    questions = 0;
    PASSES(rig_in(UDP, R1, 999, 53, 0)); /* a forward to one host asks nobody */
    assert_int_equal(questions, 0);
    assert_false(rig_last_flow->flags & FLOW_IN_TURN);
}

/* A flow that has had no answer can leave a host that gives none, if another one would. */
static void test_stranded(void **state)
{
    static const bool all[3] = {true, true, true};

    (void)state;
    nat_set_answers(&rig_nat, fake_answers, answering);
    nat_set_forwards(&rig_nat, three, 2);
    memcpy(answering, all, sizeof(all));
    assert_int_equal(target_of_next(1000), 0);
    struct flow *f = rig_last_flow;
    assert_true(f->flags & FLOW_IN_TURN);
    assert_false(nat_is_stranded(&rig_nat, f));
    answering[1] = answering[2] = false;
    assert_false(nat_is_stranded(&rig_nat, f)); /* its own answers */
    answering[0] = false;
    assert_false(nat_is_stranded(&rig_nat, f)); /* nobody would be better */
    answering[2] = true;
    assert_true(nat_is_stranded(&rig_nat, f));
    nat_end(&rig_nat, f);
    assert_int_equal(target_of_next(1000), 2);
    assert_false(nat_is_stranded(&rig_nat, rig_last_flow));

    /* Once it has answered it stays. */
    PASSES(rig_out(TCP, three[0].targets[2], 8443, R1, 1000, TCP_SYN | TCP_ACK));
    answering[2] = false;
    answering[0] = true;
    assert_false(nat_is_stranded(&rig_nat, rig_last_flow));

    /* No forward any more that would lead it elsewhere. */
    assert_int_equal(target_of_next(1001), 0);
    f = rig_last_flow;
    answering[0] = false;
    answering[1] = true;
    assert_true(nat_is_stranded(&rig_nat, f));
    nat_set_forwards(&rig_nat, pair, 1); /* 192.168.8.4 is no target of it */
    assert_true(nat_is_stranded(&rig_nat, f));
    answering[1] = false;
    answering[2] = true;
    assert_false(nat_is_stranded(&rig_nat, f));
}

/* A host that is no target any more loses its flows, the other keeps them. */
static void test_a_target_goes(void **state)
{
    (void)state;
    static const struct nat_forward one[] = {{.proto = TCP,
                                              .first_port = 443,
                                              .last_port = 443,
                                              .target_port = 8443,
                                              .target_count = 1,
                                              .targets = {HOST_B}}};
    nat_set_forwards(&rig_nat, pair, 1);
    PASSES(rig_in(TCP, R1, 1000, 443, TCP_SYN));
    PASSES(rig_in(TCP, R1, 1001, 443, TCP_SYN));
    PASSES(rig_in(TCP, R1, 1002, 444, TCP_SYN));
    nat_set_forwards(&rig_nat, one, 1);
    assert_int_equal(rig_nat.flows.live, 1);
    PASSES(rig_in(TCP, R1, 1001, 443, TCP_ACK));
    assert_int_equal(rig_last.dst, B);
    PASSES(rig_in(TCP, R1, 1003, 443, TCP_SYN));
    assert_int_equal(rig_last.dst, B);
}

/* ---- the last resort ---- */

static const struct nat_forward resort[] = {
    RANGE(TCP, 80, 80, 80, .from_ip = BE_IP4(198, 51, 100, 2), .from_mask = 0xFFFFFFFF),
    {.target_count = 1, .targets = {HOST_A}, .zone = 1},
};

static void test_last_resort(void **state)
{
    (void)state;
    assert_int_equal(nat_set_forwards(&rig_nat, resort, 2), 2);
    assert_true(nat_reserve_port(&rig_nat, UDP, BE16(68)));
    assert_true(nat_claims(&rig_nat, TCP, BE16(22)));
    assert_false(nat_claims(&rig_nat, UDP, BE16(68)));
    assert_false(nat_claims(&rig_nat, ICMP, BE16(22)));

    leads_to(TCP, 22, A, 22);
    assert_int_equal(rig_last_flow->zone, 1);
    leads_to(UDP, 65535, A, 65535);
    leads_to(UDP, 80, A, 80);
    REFUSED(rig_in(UDP, R1, 999, 68, 0), UNSOLICITED);        /* the router's own */
    REFUSED(rig_in(UDP, R1, 999, 0, 0), UNSOLICITED);         /* no port */
    REFUSED(rig_in(TCP, R1, 999, 80, TCP_SYN), UNSOLICITED);  /* a forward's, for others */
    REFUSED(rig_in(TCP, R1, 999, 23, TCP_RST), UNSOLICITED);  /* begins nothing */
    REFUSED(rig_in(ICMP, R1, 22, 0, ICMP_ECHO), UNSOLICITED); /* pings are the router's */
    nat_rig_make(&(struct rig_send){47, R1, 1, OUTSIDE, 2, 0});
    REFUSED(rig_send_frame(NETWORK_UPLINK, FLOW_IN), UNSOLICITED); /* as is all else */

    /* Another host's mapping comes first, even one that is open to nobody new. */
    PASSES(rig_out(UDP, B, 5000, R1, 53, 0));
    leads_to(UDP, 5000, B, 5000);
    /* The other way round the port is the last resort's, as long as it is used. */
    PASSES(rig_out(TCP, B, 22, R2, 99, TCP_SYN));
    assert_int_not_equal(rig_outside_port(), 22);
    assert_false(nat_reserve_port(&rig_nat, TCP, BE16(22)));
    nat_rig_make(&(struct rig_send){TCP, A, 22, R2, 99, TCP_SYN});
    PASSES(rig_send_frame(1, FLOW_OUT));
    assert_int_equal(rig_outside_port(), 22);
    /* In the middle of a connection, too: after a restart. */
    PASSES(rig_in(TCP, R1, 4444, 2222, TCP_ACK));
    PASSES(rig_in(TCP, R2, 4444, 2222, TCP_ACK));

    rig_wait_ms(300 * 1000);
    rig_wait_ms(300 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
    assert_int_equal(rig_nat.pools[0].free_count, 65535 - 1);
    leads_to(TCP, 22, A, 22);
}

/* Mapped by another port already, because somebody else had its own then: it has both. */
static void test_last_resort_twice(void **state)
{
    (void)state;
    nat_set_forwards(&rig_nat, resort, 2);
    PASSES(rig_out(UDP, B, 5000, R1, 53, 0));
    nat_rig_make(&(struct rig_send){UDP, A, 5000, R1, 53, 0});
    PASSES(rig_send_frame(1, FLOW_OUT));
    uint16_t other = rig_outside_port();
    assert_int_not_equal(other, 5000);
    leads_to(UDP, 5000, B, 5000); /* still B's */
    rig_wait_ms(60 * 1000);
    nat_rig_make(&(struct rig_send){UDP, A, 5000, R1, 53, 0});
    PASSES(rig_send_frame(1, FLOW_OUT));
    rig_wait_ms(61 * 1000); /* B's is gone, */
    REFUSED(rig_in(UDP, R1, 999, 5000, 0), UNSOLICITED);
    for (unsigned i = 0; i < 2; i++) {
        nat_rig_make(&(struct rig_send){UDP, A, 5000, R1, 53, 0});
        PASSES(rig_send_frame(1, FLOW_OUT));
        rig_wait_ms(61 * 1000);
    }
    leads_to(UDP, 5000, A, 5000); /* and its port has rested */
}

/* By which port the last resort's host is seen that has two, and whose they are. */
static void test_last_resort_of_two(void **state)
{
    (void)state;
    const struct rig_send to_r1 = {UDP, A, 5000, R1, 53, 0}, to_r2 = {UDP, A, 5000, R2, 53, 0},
                          answer = {UDP, A, 5000, R1, 999, 0};
    nat_set_forwards(&rig_nat, resort, 2);
    PASSES(rig_out(UDP, B, 5000, R1, 53, 0));
    nat_rig_make(&to_r1);
    PASSES(rig_send_frame(1, FLOW_OUT));
    uint16_t first = rig_outside_port();
    nat_end(&rig_nat, &rig_nat.flows.flows[0]); /* B's */
    assert_int_equal(rig_nat.counters.mappings_live, 1);

    PASSES(rig_in(UDP, R1, 999, 5000, 0));
    assert_int_equal(rig_last.dst, A);
    assert_int_equal(rig_nat.counters.mappings_live, 2);
    nat_rig_make(&answer); /* leaves by the port that was called */
    PASSES(rig_send_frame(1, FLOW_OUT));
    assert_int_equal(rig_outside_port(), 5000);
    nat_rig_make(&to_r2); /* what it opens, by the one it has always had (REQ-1) */
    PASSES(rig_send_frame(1, FLOW_OUT));
    assert_int_equal(rig_outside_port(), first);

    /* One remote end by both ports would be one conversation inside: the second is refused. */
    REFUSED(rig_in(UDP, R1, 999, first, 0), UNSOLICITED);
    REFUSED(rig_in(UDP, R1, 53, 5000, 0), UNSOLICITED);
    /* Both ports are its own, and nobody else's. */
    assert_false(nat_reserve_port(&rig_nat, UDP, BE16(5000)));
    PASSES(rig_out(UDP, B, 5000, R2, 99, 0));
    assert_int_not_equal(rig_outside_port(), 5000);
    assert_int_not_equal(rig_outside_port(), first);

    /* A hold goes with the first and comes back from it. */
    const struct flow_tuple k = {.src = A, .sport = BE16(5000), .proto = UDP, .zone = 1};
    assert_int_equal(nat_hold(&rig_nat, &k, BE16(7), false), hton16(first));
    rig_wait_ms(300 * 1000);
    rig_wait_ms(300 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
    assert_int_equal(rig_nat.counters.mappings_live, 1);
    PASSES(rig_in(UDP, R1, 999, 5000, 0)); /* again the second */
    nat_let_go(&rig_nat, &k, rig_now_ms);
    assert_int_equal(rig_nat.counters.mappings_live, 1);

    /* The first is gone: now it is the one. */
    nat_rig_make(&to_r2);
    PASSES(rig_send_frame(1, FLOW_OUT));
    assert_int_equal(rig_outside_port(), 5000);
    rig_wait_ms(300 * 1000);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    rig_wait_ms(NAT_REST_MS);
    assert_int_equal(rig_nat.pools[1].free_count, 65535);
}

/* The same of many at once, so that the index has them in any order. */
static void test_last_resort_of_many(void **state)
{
    enum { COUNT = 400, FIRST = 5000 };
    static uint16_t ports[COUNT];
    (void)state;
    fake_alloc_free_all();
    rig_restart(4 * COUNT);
    nat_set_forwards(&rig_nat, resort, 2);
    for (unsigned i = 0; i < 2 * COUNT; i++) { /* B, then A */
        bool is_b = i < COUNT;
        uint16_t port = (uint16_t)(FIRST + i % COUNT);
        nat_rig_make(&(struct rig_send){UDP, is_b ? B : A, port, R1, 53, 0});
        PASSES(rig_send_frame(!is_b, FLOW_OUT));
        ports[i % COUNT] = rig_outside_port();
    }
    for (unsigned i = 0; i < COUNT; i++)
        nat_end(&rig_nat, &rig_nat.flows.flows[i]); /* B's */
    for (unsigned i = 0; i < COUNT; i++)
        leads_to(UDP, (uint16_t)(FIRST + i), A, (uint16_t)(FIRST + i));
    for (unsigned i = 0; i < COUNT; i++) {
        nat_rig_make(&(struct rig_send){UDP, A, (uint16_t)(FIRST + i), R2, 53, 0});
        PASSES(rig_send_frame(1, FLOW_OUT));
        assert_int_equal(rig_outside_port(), ports[i]);
    }
}

/* Strangers can take half of the ports and no more: the hosts go on. */
static void test_last_resort_leaves_ports(void **state)
{
    (void)state;
    fake_alloc_free_all();
    rig_restart(70000);
    nat_set_forwards(&rig_nat, resort, 2);
    unsigned passed = 0;
    for (uint32_t port = 1; port < 65536; port++) {
        enum drop_reason why = rig_in(UDP, R1, 999, (uint16_t)port, 0);
        assert_true(why == DROP_NONE || why == DROP_PORTS_FULL);
        passed += why == DROP_NONE;
    }
    assert_int_equal(passed, 65535 - 32768);
    PASSES(rig_in(UDP, R2, 999, 100, 0)); /* by a port it has, anybody */
    REFUSED(rig_in(UDP, R2, 999, 60000, 0), PORTS_FULL);
    for (uint16_t i = 0; i < 29000; i++)
        PASSES(rig_out(UDP, B, (uint16_t)(2000 + i), R1, 53, 0));
    assert_int_equal(rig_nat.counters.evicted, 0);
    rig_restart(1);
    nat_set_forwards(&rig_nat, resort, 2);
    leads_to(UDP, 7, A, 7);
    nat_rig_make(&(struct rig_send){UDP, A, 7, R1, 999, 0});
    PASSES(rig_send_frame(1, FLOW_OUT)); /* else it would make room */
    REFUSED(rig_in(UDP, R1, 999, 8, 0), FLOWS_FULL);
    assert_int_equal(rig_nat.pools[1].free_count, 65535 - 1); /* nothing left behind */
    assert_int_equal(rig_nat.counters.mappings_live, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ranges),
        TEST(test_overlaps),
        TEST(test_ports_in_the_way),
        TEST(test_many_ranges),
        TEST(test_turns),
        TEST(test_both_speak_first),
        TEST(test_hairpin_in_turn),
        TEST(test_silent_targets),
        TEST(test_stranded),
        TEST(test_a_target_goes),
        TEST(test_last_resort),
        TEST(test_last_resort_twice),
        TEST(test_last_resort_of_two),
        TEST(test_last_resort_of_many),
        TEST(test_last_resort_leaves_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
