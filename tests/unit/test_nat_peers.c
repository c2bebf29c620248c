/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Protocols that are translated by their addresses alone, GRE and ESP (net/nat.h): one host a peer,
 * and not a bit of what they carry is touched. Addresses and checksums among all other traffic are
 * test_nat_model.c's business.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

#define GRE 47
#define ESP 50
#define AH  51

static const uint8_t protos[] = {GRE, ESP};

/* A packet of this protocol, of which only the addresses may change. */
static enum drop_reason send(uint8_t proto, be32 src, be32 dst, uint8_t zone)
{
    static struct frame before;

    nat_rig_make(&(struct rig_send){proto, src, 0x2001, dst, 0x880B, 0});
    before = rig_frame;
    enum drop_reason why = rig_send_frame(zone, zone == NETWORK_UPLINK ? FLOW_IN : FLOW_OUT);
    assert_int_equal(rig_frame.n, before.n);
    assert_memory_equal(rig_frame.b + before.l4, before.b + before.l4, before.n - before.l4);
    return why;
}

static enum drop_reason out(uint8_t proto, be32 src, be32 dst)
{
    return send(proto, src, dst, 0);
}

static enum drop_reason in(uint8_t proto, be32 src)
{
    return send(proto, src, OUTSIDE, NETWORK_UPLINK);
}

static void test_one_host_a_peer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(protos); i++) {
        uint8_t proto = protos[i];
        REFUSED(in(proto, R1), UNSOLICITED);
        PASSES(out(proto, A, R1));
        assert_int_equal(rig_last.src, OUTSIDE);
        assert_int_equal(rig_last.dst, R1);
        assert_int_equal(rig_last_flow->state, FLOW_UDP_ONE_WAY);
        PASSES(in(proto, R1));
        assert_int_equal(rig_last.src, R1);
        assert_int_equal(rig_last.dst, A);
        assert_int_equal(rig_last_flow->state, FLOW_UDP_STREAM);

        REFUSED(out(proto, B, R1), PEER_TAKEN);
        REFUSED(in(proto, R2), UNSOLICITED);
        PASSES(out(proto, B, R2)); /* another peer */
        PASSES(in(proto, R2));
        assert_int_equal(rig_last.dst, B);
        PASSES(in(proto, R1));
        assert_int_equal(rig_last.dst, A);
        assert_false(nat_claims(&rig_nat, proto, 0));
    }
    assert_int_equal(rig_nat.flows.live, 4);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    REFUSED(out(AH, A, R1), PROTOCOL);
    REFUSED(in(AH, R1), PROTOCOL);
}

/* As UDP's: 120 s until it is answered, 300 s from the last packet that went out. Then its peer is
 * anybody's. */
static void test_how_long(void **state)
{
    (void)state;
    PASSES(out(GRE, A, R1));
    rig_wait_ms(119 * 1000);
    REFUSED(out(GRE, B, R1), PEER_TAKEN);
    rig_wait_ms(2 * 1000);
    PASSES(out(GRE, B, R1));
    rig_wait_ms(100 * 1000);
    PASSES(in(GRE, R1));
    rig_wait_ms(199 * 1000);
    PASSES(in(GRE, R1));
    rig_wait_ms(2 * 1000);
    REFUSED(in(GRE, R1), UNSOLICITED);
    PASSES(out(GRE, A, R1));
}

static void test_other_zones_and_addresses(void **state)
{
    (void)state;
    PASSES(send(ESP, A, R1, 1));
    REFUSED(out(ESP, A, R1), PEER_TAKEN); /* another host, with the same address */
    PASSES(in(ESP, R1));
    assert_int_equal(rig_last_flow->zone, 1);
    rig_set_outside(BE_IP4(203, 0, 113, 10));
    assert_int_equal(rig_nat.flows.live, 0);
    PASSES(out(ESP, A, R1));
    assert_int_equal(rig_last.src, BE_IP4(203, 0, 113, 10));
    rig_set_outside(0);
    REFUSED(out(ESP, A, R1), NO_UPLINK);
}

/* Forwards come and go, the last resort among them; these flows are nothing of theirs. */
static void test_forwards_are_not_for_them(void **state)
{
    (void)state;
    static const struct nat_forward forwards[] = {
        {.target_count = 1, .targets = {BE_IP4(192, 168, 8, 3)}},
        {.proto = TCP,
         .first_port = 80,
         .last_port = 80,
         .target_port = 80,
         .target_count = 1,
         .targets = {BE_IP4(192, 168, 8, 3)}}};
    nat_set_forwards(&rig_nat, forwards, 2);
    REFUSED(in(GRE, R1), UNSOLICITED);
    PASSES(out(GRE, A, R1));
    nat_set_forwards(&rig_nat, forwards, 1);
    nat_set_forwards(&rig_nat, NULL, 0);
    assert_int_equal(rig_nat.flows.live, 1);
    PASSES(in(GRE, R1));
}

static void test_full(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 889; i++) { /* a host's share; and answered, they make no room */
        PASSES(out(GRE, A, R1 + ((be32)i << 16)));
        PASSES(in(GRE, R1 + ((be32)i << 16)));
    }
    REFUSED(out(GRE, A, BE_IP4(9, 9, 9, 9)), SHARE);
    REFUSED(out(ESP, A, R1), SHARE);
    PASSES(out(GRE, A, R1));
}

/* Fewer bytes than a port, or none. */
static void test_next_to_nothing(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 4; bytes++) {
        for (unsigned way = 0; way < 2; way++) {
            nat_rig_make(&(struct rig_send){GRE, way ? R1 : A, 0, way ? OUTSIDE : R1, 0, 0});
            rig_frame.n = rig_frame.l4 + bytes;
            frame_fix_lengths(&rig_frame);
            frame_fix_ip_csum(&rig_frame);
            PASSES(rig_send_frame(way ? NETWORK_UPLINK : 0, way ? FLOW_IN : FLOW_OUT));
            assert_int_equal(way ? rig_last.dst : rig_last.src, way ? A : OUTSIDE);
        }
    }
}

/* ICMP errors, both ways: the quoted addresses are put back, and nothing behind them. */
static void test_errors(void **state)
{
    (void)state;
    uint8_t quoted[16];
    for (unsigned way = 0; way < 2; way++) {
        PASSES(out(GRE, A, R1));
        if (way)
            PASSES(in(GRE, R1));
        memcpy(quoted, rig_frame.b + rig_frame.l4, sizeof(quoted));
        rig_make_error(way ? A : R2, 3, 4);
        PASSES(rig_send_error(way ? 0 : NETWORK_UPLINK, way ? FLOW_OUT : FLOW_IN, false));
        const uint8_t *ip = rig_frame.b + rig_frame.l3, *inner = rig_frame.b + rig_frame.l4 + 8;
        assert_int_equal(load_raw32(ip + 12), way ? OUTSIDE : R2);
        assert_int_equal(load_raw32(ip + 16), way ? R1 : A);
        assert_int_equal(load_raw32(inner + 12), way ? R1 : A);
        assert_int_equal(load_raw32(inner + 16), way ? OUTSIDE : R1);
        assert_memory_equal(inner + 20, quoted, sizeof(quoted));
    }
    nat_rig_make(&(struct rig_send){GRE, OUTSIDE, 1, R2, 2, 0});
    rig_make_error(R2, 3, 4);
    REFUSED(rig_send_error(NETWORK_UPLINK, FLOW_IN, false), NO_MAPPING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_host_a_peer),
        TEST(test_how_long),
        TEST(test_other_zones_and_addresses),
        TEST(test_forwards_are_not_for_them),
        TEST(test_full),
        TEST(test_next_to_nothing),
        TEST(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
