/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/nat.c and its parts, a requirement at a time (the numbers are those of docs on conformance: U
 * is RFC 4787, T RFC 5382 and 7857, I RFC 5508): mappings, how long they last, TCP's sequences, who
 * may come in. Whether every byte that comes out is right is test_nat_model.c's business.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

/* ---- mappings ---- */

static void test_u1_endpoint_independent_mapping(void **state)
{
    (void)state;
    static const uint8_t protos[] = {UDP, TCP};
    for (unsigned i = 0; i < ARRAY_COUNT(protos); i++) {
        PASSES(rig_out(protos[i], A, 5000, R1, 1, TCP_SYN));
        uint16_t port = rig_outside_port();
        for (uint16_t remote = 0; remote < 50; remote++) {
            PASSES(rig_out(protos[i], A, 5000, R1 + ((be32)remote << 24), 100 + remote, TCP_SYN));
            assert_int_equal(rig_outside_port(), port);
            assert_int_equal(rig_last.src, OUTSIDE);
        }
    }
    assert_int_equal(rig_nat.counters.mappings_live, 2);
}

static void test_u3_two_hosts_one_port(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5001, R1, 53, 0));
    assert_int_equal(rig_outside_port(), 5001);
    PASSES(rig_out(UDP, B, 5001, R1, 53, 0));
    uint16_t second = rig_outside_port();
    assert_int_not_equal(second, 5001);
    assert_int_equal(second & 1, 1); /* U4 */
    assert_true(second >= 1024);     /* U3a */
    PASSES(rig_out(TCP, B, 5001, R1, 53, TCP_SYN));
    assert_int_equal(rig_outside_port(), 5001); /* another protocol, other ports */
    PASSES(rig_in(UDP, R1, 53, second, 0));
    assert_int_equal(rig_last.dst, B);
    assert_int_equal(rig_last.dport, hton16(5001));
}

static void test_zones_may_share_addresses(void **state)
{
    (void)state;
    nat_rig_make(&(struct rig_send){UDP, A, 5000, R1, 53, 0});
    PASSES(rig_send_frame(0, FLOW_OUT));
    nat_rig_make(&(struct rig_send){UDP, A, 5000, R1, 53, 0});
    PASSES(rig_send_frame(1, FLOW_OUT));
    uint16_t port = rig_outside_port();
    assert_int_not_equal(port, 5000);
    PASSES(rig_in(UDP, R1, 53, port, 0));
    assert_int_equal(rig_last_flow->zone, 1);
    PASSES(rig_in(UDP, R1, 53, 5000, 0));
    assert_int_equal(rig_last_flow->zone, 0);
}

static void test_u3_exhaustion_overloads_nothing(void **state)
{
    (void)state;
    static bool seen[65536];
    memset(seen, 0, sizeof(seen));
    fake_alloc_free_all();
    rig_restart(70000);
    /* So many hosts that none has more than its share. */
    for (uint32_t i = 0; i < 64512; i++) {
        be32 host = hton32(ntoh32(A) + 300 + i % 16000);
        PASSES(rig_out(UDP, host, (uint16_t)(1024 + i), R1, 53, 0));
        assert_false(seen[rig_outside_port()]);
        seen[rig_outside_port()] = true;
        PASSES(rig_in(UDP, R1, 53, rig_outside_port(), 0)); /* so that it makes no room */
    }
    PASSES(rig_out(UDP, B, 9, R2, 53, 0)); /* below 1024 there are some */
    REFUSED(rig_out(UDP, BE_IP4(192, 168, 8, 9), 30000, R1, 53, 0), PORTS_FULL);
    assert_int_equal(rig_nat.counters.mappings_live, 64513);
    /* What is there goes on, to new remote ends too; other protocols have ports of their own (U11).
     */
    PASSES(rig_out(UDP, hton32(ntoh32(A) + 300), 1024, R2, 54, 0));
    PASSES(rig_out(TCP, BE_IP4(192, 168, 8, 9), 30000, R1, 53, TCP_SYN));
    rig_wait_ms(200 * 1000);
    rig_wait_ms(101 * 1000); /* all at rest */
    assert_int_equal(rig_nat.counters.cut_short, 0);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    PASSES(rig_out(UDP, BE_IP4(192, 168, 8, 9), 30000, R1, 53, 0));
    assert_in_range(rig_nat.counters.cut_short, 1, 2); /* port 9 is not for such as him */
}

static void test_flows_full(void **state)
{
    (void)state;
    /* A host each, and what goes both ways makes no room. */
    for (uint16_t i = 0; i < 1000; i++) {
        be32 host = hton32(ntoh32(A) + i);
        PASSES(rig_out(UDP, host, (uint16_t)(2000 + i), R1, 53, 0));
        PASSES(rig_in(UDP, R1, 53, (uint16_t)(2000 + i), 0));
    }
    REFUSED(rig_out(UDP, BE_IP4(192, 168, 8, 1), 4000, R1, 53, 0), FLOWS_FULL);
    REFUSED(rig_out(UDP, A, 2000, R2, 53, 0), FLOWS_FULL);
    REFUSED(rig_in(UDP, R2, 53, 2000, 0), FLOWS_FULL);
    assert_int_equal(rig_nat.flows.refused, 3);
    assert_int_equal(rig_nat.counters.mappings_live, 1000); /* nothing was left behind */
    PASSES(rig_out(UDP, hton32(ntoh32(A) + 999), 2999, R1, 53, 0));
    PASSES(rig_in(UDP, R1, 53, 2999, 0));
}

/* ---- how long ---- */

static void test_u5_timeouts(void **state)
{
    (void)state;
    /* One way: 120 s. */
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    rig_wait_ms(119 * 1000);
    PASSES(rig_in(UDP, R1, 53, 5000, 0));
    /* Answered: 300 s from the last outbound packet. */
    rig_wait_ms(180 * 1000);
    PASSES(rig_in(UDP, R1, 53, 5000, 0));
    rig_wait_ms(2 * 1000);
    REFUSED(rig_in(UDP, R1, 53, 5000, 0), UNSOLICITED);

    PASSES(rig_out(UDP, A, 5002, R1, 53, 0));
    rig_wait_ms(121 * 1000);
    REFUSED(rig_in(UDP, R1, 53, 5002, 0), UNSOLICITED);

    PASSES(rig_out(ICMP, A, 77, R1, 0, ICMP_ECHO));
    rig_wait_ms(59 * 1000);
    PASSES(rig_in(ICMP, R1, 77, 0, ICMP_ECHO_REPLY));
    rig_wait_ms(2 * 1000);
    REFUSED(rig_in(ICMP, R1, 77, 0, ICMP_ECHO_REPLY), UNSOLICITED);
}

static void test_u6_only_outbound_refreshes(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    PASSES(rig_in(UDP, R1, 53, 5000, 0));
    for (unsigned i = 0; i < 10; i++) {
        rig_wait_ms(200 * 1000);
        PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    }
    for (unsigned i = 0; i < 2; i++) {
        rig_wait_ms(140 * 1000);
        PASSES(rig_in(UDP, R1, 53, 5000, 0));
    }
    rig_wait_ms(21 * 1000);
    REFUSED(rig_in(UDP, R1, 53, 5000, 0), UNSOLICITED);
}

/* A stranger may use an open mapping, but cannot keep it open, for himself or for others. */
static void test_u6_strangers_hold_nothing(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    rig_wait_ms(100 * 1000);
    PASSES(rig_in(UDP, R2, 666, 5000, 0)); /* U8 */
    rig_wait_ms(21 * 1000);
    REFUSED(rig_in(UDP, R2, 667, 5000, 0), UNSOLICITED);
    assert_true(nat_claims(&rig_nat, UDP, hton16(5000))); /* his flow is still there, */
    PASSES(rig_in(UDP, R2, 666, 5000, 0));
    rig_wait_ms(100 * 1000);
    REFUSED(rig_in(UDP, R2, 666, 5000, 0), UNSOLICITED); /* and ends in its time */
    assert_false(nat_claims(&rig_nat, UDP, hton16(5000)));

    /* Answered from the inside, it holds. */
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    rig_wait_ms(100 * 1000);
    PASSES(rig_in(UDP, R2, 666, 5000, 0));
    PASSES(rig_out(UDP, A, 5000, R2, 666, 0));
    rig_wait_ms(290 * 1000);
    PASSES(rig_in(UDP, R1, 1, 5000, 0));
}

static void test_t5_timeouts(void **state)
{
    (void)state;
    rig_handshake(5000);
    rig_wait_ms(7439 * 1000);
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_ACK)); /* for TCP, either direction refreshes */
    rig_wait_ms(7439 * 1000);
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_ACK));
    rig_wait_ms(7441 * 1000);
    REFUSED(rig_in(TCP, R1, 80, 5000, TCP_ACK), UNSOLICITED);

    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_SYN));
    rig_wait_ms(239 * 1000);
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_SYN | TCP_ACK));
    rig_wait_ms(241 * 1000);
    REFUSED(rig_in(TCP, R1, 80, 5000, TCP_SYN | TCP_ACK), UNSOLICITED);
}

/* ---- TCP's sequences ---- */

static void test_t2_simultaneous_open(void **state)
{
    (void)state;
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_SYN));
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_SYN));
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_OPENING);
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);

    /* The peer's SYN arrives first, at a mapping that a rendezvous has opened. */
    PASSES(rig_out(TCP, A, 6000, R1, 80, TCP_SYN));
    PASSES(rig_in(TCP, R2, 90, 6000, TCP_SYN));
    PASSES(rig_out(TCP, A, 6000, R2, 90, TCP_SYN));
    PASSES(rig_in(TCP, R2, 90, 6000, TCP_SYN | TCP_ACK));
    PASSES(rig_out(TCP, A, 6000, R2, 90, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);
}

static void test_closing(void **state)
{
    (void)state;
    rig_handshake(5000);
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_FIN | TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED); /* half-closed may last */
    rig_wait_ms(3600 * 1000);
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_ACK));
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_FIN | TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_CLOSING);
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_CLOSING);
    rig_wait_ms(241 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
}

static void test_reuse_of_closing_ports(void **state)
{
    (void)state;
    static const uint8_t ends[] = {TCP_FIN | TCP_ACK, TCP_RST};
    for (unsigned i = 0; i < ARRAY_COUNT(ends); i++) {
        rig_handshake(5000);
        PASSES(rig_out(TCP, A, 5000, R1, 80, ends[i]));
        PASSES(rig_in(TCP, R1, 80, 5000, TCP_FIN | TCP_ACK));
        PASSES(rig_out(TCP, A, 5000, R1, 80, ends[i]));
        rig_handshake(5000);
        rig_wait_ms(3600 * 1000);
        PASSES(rig_in(TCP, R1, 80, 5000, TCP_ACK));
        assert_int_equal(rig_nat.flows.live, 1);
        PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_RST));
    }
}

/* RFC 7857, section 2: a RST is passed on and ends the flow 240 s later, unless the connection
 * shows that it lives; further RSTs prolong nothing. */
static void test_t11_reset(void **state)
{
    (void)state;
    rig_handshake(5000);
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_RST));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_CLOSING);
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_CLOSING);
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_ACK)); /* it was forged */
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);
    rig_wait_ms(3600 * 1000);
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_ACK));

    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_RST));
    rig_wait_ms(200 * 1000);
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_RST));
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_RST));
    rig_wait_ms(41 * 1000);
    REFUSED(rig_in(TCP, R1, 80, 5000, TCP_ACK), UNSOLICITED);
}

static void test_restart_in_the_middle(void **state)
{
    (void)state;
    static const uint8_t refused[] = {TCP_RST,           TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK,
                                      TCP_SYN | TCP_ACK, TCP_SYN | TCP_FIN, 0};
    for (unsigned i = 0; i < ARRAY_COUNT(refused); i++)
        REFUSED(rig_out(TCP, A, 5000, R1, 80, refused[i]), UNSOLICITED);
    assert_int_equal(rig_nat.counters.mappings_live, 0);

    REFUSED(rig_in(TCP, R1, 80, 5000, TCP_ACK), UNSOLICITED);
    PASSES(rig_out(TCP, A, 5000, R1, 80, TCP_ACK | TCP_PSH));
    assert_int_equal(rig_outside_port(), 5000);
    assert_int_equal(rig_last_flow->state,
                     FLOW_TCP_OPENING); /* 240 s, until the other side agrees */
    PASSES(rig_in(TCP, R1, 80, 5000, TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);
    assert_int_equal(rig_nat.counters.picked_up, 1);
}

/* ---- who may come in ---- */

static void test_unsolicited(void **state)
{
    (void)state;
    REFUSED(rig_in(UDP, R1, 53, 5000, 0), UNSOLICITED);
    REFUSED(rig_in(TCP, R1, 53, 5000, TCP_SYN), UNSOLICITED);
    REFUSED(rig_in(ICMP, R1, 5, 0, ICMP_ECHO_REPLY), UNSOLICITED);
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    REFUSED(rig_in(TCP, R1, 53, 5000, TCP_SYN), UNSOLICITED); /* another protocol's port */
    nat_rig_make(&(struct rig_send){UDP, R1, 53, BE_IP4(203, 0, 113, 10), 5000, 0});
    REFUSED(rig_send_frame(NETWORK_UPLINK, FLOW_IN), UNSOLICITED); /* another address */
    rig_handshake(6000);
    REFUSED(rig_in(TCP, R2, 80, 6000, TCP_ACK), UNSOLICITED); /* only a SYN begins */
    PASSES(rig_in(TCP, R2, 80, 6000, TCP_SYN));               /* T3 */
    assert_int_equal(rig_last.dst, A);
}

static void test_i1_echo(void **state)
{
    (void)state;
    PASSES(rig_out(ICMP, A, 7, R1, 0, ICMP_ECHO));
    uint16_t id = rig_outside_port();
    PASSES(rig_out(ICMP, A, 7, R2, 0, ICMP_ECHO));
    assert_int_equal(rig_outside_port(), id); /* I2 */
    PASSES(rig_out(ICMP, B, 7, R1, 0, ICMP_ECHO));
    assert_int_not_equal(rig_outside_port(), id);
    PASSES(rig_in(ICMP, R1, id, 0, ICMP_ECHO_REPLY));
    assert_int_equal(rig_last.dst, A);
    assert_int_equal(rig_last.sport, hton16(7));
    /* Not even with the right identifier: a question from outside, an answer to nobody. */
    REFUSED(rig_in(ICMP, R1, id, 0, ICMP_ECHO), UNSOLICITED);
    REFUSED(rig_out(ICMP, A, 7, R1, 0, ICMP_ECHO_REPLY), UNSOLICITED);
    REFUSED(rig_in(ICMP, BE_IP4(9, 9, 9, 9), id, 0, ICMP_ECHO_REPLY), UNSOLICITED);
    REFUSED(rig_out(ICMP, A, 7, R1, 0, 13), PROTOCOL); /* timestamp */
    assert_true(nat_claims(&rig_nat, ICMP, hton16(id)));
    /* Identifier 0, with which requests and replies look the same. */
    PASSES(rig_out(ICMP, A, 0, R1, 0, ICMP_ECHO));
    REFUSED(rig_out(ICMP, A, 0, R1, 0, ICMP_ECHO_REPLY), UNSOLICITED);
    PASSES(rig_out(ICMP, A, 0, R1, 0, ICMP_ECHO));
    id = rig_outside_port();
    PASSES(rig_in(ICMP, R1, id, 0, ICMP_ECHO_REPLY));
    assert_int_equal(rig_last.sport, 0);
    REFUSED(rig_in(ICMP, R1, id, 0, ICMP_ECHO), UNSOLICITED);
}

static void test_other_protocols(void **state)
{
    (void)state;
    nat_rig_make(&(struct rig_send){51, A, 1, R1, 2, 0});
    REFUSED(rig_send_frame(0, FLOW_OUT), PROTOCOL);
    nat_rig_make(&(struct rig_send){51, R1, 1, OUTSIDE, 2, 0});
    REFUSED(rig_send_frame(NETWORK_UPLINK, FLOW_IN), PROTOCOL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_u1_endpoint_independent_mapping),
        TEST(test_u3_two_hosts_one_port),
        TEST(test_zones_may_share_addresses),
        TEST(test_u3_exhaustion_overloads_nothing),
        TEST(test_flows_full),
        TEST(test_u5_timeouts),
        TEST(test_u6_only_outbound_refreshes),
        TEST(test_u6_strangers_hold_nothing),
        TEST(test_t5_timeouts),
        TEST(test_t2_simultaneous_open),
        TEST(test_closing),
        TEST(test_reuse_of_closing_ports),
        TEST(test_t11_reset),
        TEST(test_restart_in_the_middle),
        TEST(test_unsolicited),
        TEST(test_i1_echo),
        TEST(test_other_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
