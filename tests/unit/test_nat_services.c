/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/nat.c and its parts, as test_nat.c: forwards, the router's own ports, hairpins, ICMP errors,
 * the uplink, size.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

/* ---- forwards ---- */

static const struct nat_forward web[] = {
    {.proto = TCP,
     .zone = 0,
     .first_port = 8080,
     .last_port = 8080,
     .target_port = 80,
     .target_count = 1,
     .targets = {BE_IP4(192, 168, 8, 3)}},
    {.proto = UDP,
     .zone = 1,
     .first_port = 5353,
     .last_port = 5353,
     .target_port = 53,
     .target_count = 1,
     .targets = {BE_IP4(192, 168, 8, 2)},
     .from_ip = BE_IP4(198, 51, 100, 0),
     .from_mask = BE_IP4(255, 255, 255, 254)},
    {.proto = TCP,
     .zone = 0,
     .first_port = 25,
     .last_port = 25,
     .target_port = 25,
     .target_count = 1,
     .targets = {BE_IP4(192, 168, 8, 3)},
     .bind_ip = BE_IP4(203, 0, 113, 10)},
};

static void test_forwards(void **state)
{
    (void)state;
    assert_int_equal(nat_set_forwards(&rig_nat, web, 3), 3);
    assert_true(nat_claims(&rig_nat, TCP, BE16(8080)));
    assert_false(nat_claims(&rig_nat, UDP, BE16(8080)));

    PASSES(rig_in(TCP, R1, 1234, 8080, TCP_SYN));
    assert_int_equal(rig_last.dst, B);
    assert_int_equal(rig_last.dport, BE16(80));
    assert_int_equal(rig_last.src, R1);
    PASSES(rig_out(TCP, B, 80, R1, 1234, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_outside_port(), 8080);
    PASSES(rig_in(TCP, R1, 1234, 8080, TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);

    REFUSED(rig_in(UDP, R2, 9, 5353, 0), UNSOLICITED); /* from= */
    PASSES(rig_in(UDP, R1, 9, 5353, 0));
    assert_int_equal(rig_last_flow->zone, 1);
    REFUSED(rig_in(TCP, R1, 1234, 25, TCP_SYN), UNSOLICITED); /* bound to another address */
    assert_false(nat_claims(&rig_nat, TCP, BE16(25)));
    rig_set_outside(BE_IP4(203, 0, 113, 10));
    nat_rig_make(&(struct rig_send){TCP, R1, 1234, BE_IP4(203, 0, 113, 10), 25, TCP_SYN});
    PASSES(rig_send_frame(NETWORK_UPLINK, FLOW_IN));
}

/* The server's own packets leave by the forwarded port, to whomever (U1), and nobody else gets it.
 */
static void test_forward_is_a_mapping(void **state)
{
    (void)state;
    nat_set_forwards(&rig_nat, web, 3);
    PASSES(rig_out(TCP, B, 80, R2, 99, TCP_SYN));
    assert_int_equal(rig_outside_port(), 8080);
    PASSES(rig_in(TCP, R2, 99, 8080, TCP_SYN | TCP_ACK));
    PASSES(rig_out(TCP, A, 8080, R1, 99, TCP_SYN));
    assert_int_not_equal(rig_outside_port(), 8080);
    /* After a restart, the server's connections go on, whoever speaks first. */
    PASSES(rig_in(TCP, R1, 4444, 8080, TCP_ACK));
    PASSES(rig_out(TCP, B, 80, R1, 4445, TCP_ACK));
    assert_int_equal(rig_outside_port(), 8080);
    rig_wait_ms(300 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
    PASSES(rig_in(TCP, R1, 1234, 8080, TCP_SYN)); /* it never times out */
}

static void test_forwards_change(void **state)
{
    (void)state;
    static const struct nat_forward other[] = {
        {.proto = TCP,
         .zone = 0,
         .first_port = 8080,
         .last_port = 8080,
         .target_port = 80,
         .target_count = 1,
         .targets = {BE_IP4(192, 168, 8, 2)}},
    };
    PASSES(rig_out(TCP, A, 8080, R1, 99, TCP_SYN)); /* happens to have the port */
    nat_set_forwards(&rig_nat, web, 3);
    REFUSED(rig_in(TCP, R1, 99, 8080, TCP_SYN | TCP_ACK), UNSOLICITED);
    PASSES(rig_in(TCP, R1, 1234, 8080, TCP_SYN));
    PASSES(rig_in(UDP, R1, 9, 5353, 0));
    nat_set_forwards(&rig_nat, web, 1); /* the first stays, and its flow with it */
    assert_int_equal(rig_nat.flows.live, 1);
    nat_set_forwards(&rig_nat, other, 1);
    assert_int_equal(rig_nat.flows.live, 0);
    PASSES(rig_in(TCP, R1, 1234, 8080, TCP_SYN));
    assert_int_equal(rig_last.dst, A);
    nat_set_forwards(&rig_nat, NULL, 0);
    REFUSED(rig_in(TCP, R1, 1234, 8080, TCP_SYN), UNSOLICITED);
    assert_int_equal(rig_nat.pools[0].free_count, 65535);
    assert_int_equal(rig_nat.pools[1].free_count, 65535);
}

static void test_reserved_ports(void **state)
{
    (void)state;
    assert_true(nat_reserve_port(&rig_nat, UDP, BE16(68)));
    assert_false(nat_reserve_port(&rig_nat, UDP, BE16(68)));
    PASSES(rig_out(UDP, A, 68, R1, 67, 0)); /* port shadowing: never ours */
    assert_int_not_equal(rig_outside_port(), 68);
    assert_false(nat_claims(&rig_nat, UDP, BE16(68)));

    be16 port = nat_reserve(&rig_nat, UDP);
    assert_int_not_equal(port, 0);
    PASSES(rig_out(UDP, A, ntoh16(port), R1, 53, 0));
    assert_int_not_equal(rig_last.sport, port);
    static const struct nat_forward dhcp[] = {{.proto = UDP,
                                               .first_port = 68,
                                               .last_port = 68,
                                               .target_count = 1,
                                               .targets = {BE_IP4(192, 168, 8, 3)}}};
    assert_int_equal(nat_set_forwards(&rig_nat, dhcp, 1), 0);
    assert_false(nat_claims(&rig_nat, UDP, BE16(68)));
    nat_release(&rig_nat, UDP, BE16(68));
    assert_int_equal(nat_set_forwards(&rig_nat, dhcp, 1), 1);
}

/* ---- hairpin ---- */

/* Out and in again, as the dataplane composes it. */
static enum drop_reason hairpin(uint8_t proto, be32 src, uint16_t sport, uint16_t dport,
                                uint8_t flags)
{
    enum drop_reason why = rig_out(proto, src, sport, OUTSIDE, dport, flags);
    return why != DROP_NONE ? why : rig_send_frame(NETWORK_UPLINK, FLOW_IN);
}

static void test_u9_t8_hairpin(void **state)
{
    (void)state;
    nat_set_forwards(&rig_nat, web, 3);
    PASSES(hairpin(TCP, A, 5000, 8080, TCP_SYN));
    assert_int_equal(rig_last.src, OUTSIDE); /* REQ-9a */
    assert_int_equal(rig_last.sport, BE16(5000));
    assert_int_equal(rig_last.dst, B);
    assert_int_equal(rig_last.dport, BE16(80));
    PASSES(hairpin(TCP, B, 80, 5000, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_last.src, OUTSIDE);
    assert_int_equal(rig_last.sport, BE16(8080));
    assert_int_equal(rig_last.dst, A);
    assert_int_equal(rig_last.dport, BE16(5000));

    /* To a mapping of a neighbor, and to one's own. */
    PASSES(rig_out(UDP, B, 7000, R1, 53, 0));
    PASSES(hairpin(UDP, A, 7001, 7000, 0));
    assert_int_equal(rig_last.dst, B);
    PASSES(hairpin(UDP, B, 7000, 7000, 0));
    assert_int_equal(rig_last.dst, B);
    assert_int_equal(rig_last.src, OUTSIDE);
    REFUSED(hairpin(UDP, A, 7001, 7002, 0), UNSOLICITED);
    assert_int_equal(rig_nat.counters.hairpins, 2); /* flows; B to itself is one flow, both ways */
}

/* ---- errors ---- */

static void test_i4_i5_errors(void **state)
{
    (void)state;
    uint8_t sent[28];

    nat_rig_make(&(struct rig_send){UDP, A, 5000, R1, 53, 0});
    memcpy(sent, rig_frame.b + rig_frame.l3, sizeof(sent));
    PASSES(rig_send_frame(0, FLOW_OUT));
    rig_make_error(R2, ICMP_TIME_EXCEEDED, 0);
    PASSES(rig_send_error(NETWORK_UPLINK, FLOW_IN, false));
    assert_int_equal(rig_last.src, R2); /* traceroute must see who it was */
    assert_int_equal(rig_last.dst, A);
    assert_memory_equal(rig_frame.b + rig_frame.l4 + 8, sent, sizeof(sent));

    nat_rig_make(&(struct rig_send){UDP, R1, 53, OUTSIDE, 5000, 0});
    memcpy(sent, rig_frame.b + rig_frame.l3, sizeof(sent));
    PASSES(rig_send_frame(NETWORK_UPLINK, FLOW_IN));
    rig_make_error(A, ICMP_UNREACHABLE, ICMP_UNREACH_PORT);
    PASSES(rig_send_error(0, FLOW_OUT, false));
    assert_int_equal(rig_last.src, OUTSIDE);
    assert_int_equal(rig_last.dst, R1);
    assert_memory_equal(rig_frame.b + rig_frame.l4 + 8, sent, sizeof(sent));

    /* About nothing of ours, or not sent to the one it is about: dropped as it was. */
    nat_rig_make(&(struct rig_send){UDP, OUTSIDE, 5001, R1, 53, 0});
    rig_make_error(R2, ICMP_TIME_EXCEEDED, 0);
    REFUSED(rig_send_error(NETWORK_UPLINK, FLOW_IN, false), NO_MAPPING);
    nat_rig_make(&(struct rig_send){UDP, OUTSIDE, 5000, R1, 53, 0});
    rig_make_error(R2, ICMP_TIME_EXCEEDED, 0);
    rig_frame.b[rig_frame.l4 + 8 + 20 + 7] ^= 1;
    REFUSED(rig_send_error(NETWORK_UPLINK, FLOW_IN, false), L4_CSUM); /* I3 */
}

static void test_i6_u12_t10_errors_change_nothing(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    uint32_t stamped_ms = rig_last_flow->last_ms;
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned code = 0; code < 17; code++) {
            nat_rig_make(&(struct rig_send){UDP, OUTSIDE, 5000, R1, 53, 0});
            rig_make_error(R1, (uint8_t)type, (uint8_t)code);
            struct pkt *p = rig_pkt();
            struct view v;
            enum drop_reason why;
            enum flow_dir dir;
            assert_int_equal(view_parse_ip4(&v, p), DROP_NONE);
            if (view_is_icmp_error(&v)) /* source quench is not carried (I10) */
                assert_int_equal(!nat_icmp_error(&rig_nat, p, &v, NETWORK_UPLINK, &dir, &why),
                                 type == ICMP_SOURCE_QUENCH);
            else
                assert_int_not_equal(nat_rig_pass(p, NETWORK_UPLINK, FLOW_IN), DROP_NONE);
            rig_release(p);
        }
    }
    rig_handshake(6000);
    nat_rig_make(&(struct rig_send){TCP, OUTSIDE, 6000, R1, 80, TCP_ACK});
    rig_make_error(R1, ICMP_UNREACHABLE, ICMP_UNREACH_PROTOCOL);
    PASSES(rig_send_error(NETWORK_UPLINK, FLOW_IN, false));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);
    rig_wait_ms(119 * 1000);
    PASSES(rig_in(UDP, R1, 53, 5000, 0));
    assert_int_equal(rig_last_flow->last_ms, stamped_ms);
    assert_int_equal(rig_nat.flows.live, 2);
}

static void test_i7_hairpinned_error(void **state)
{
    (void)state;
    uint8_t sent[28];

    PASSES(rig_out(UDP, B, 7000, R1, 53, 0));
    nat_rig_make(&(struct rig_send){UDP, A, 5000, OUTSIDE, 7000, 0});
    memcpy(sent, rig_frame.b + rig_frame.l3, sizeof(sent));
    PASSES(rig_send_frame(0, FLOW_OUT));
    PASSES(rig_send_frame(NETWORK_UPLINK, FLOW_IN));
    rig_make_error(B, ICMP_UNREACHABLE, ICMP_UNREACH_PORT);
    PASSES(rig_send_error(0, FLOW_OUT, true));
    assert_int_equal(rig_last.src, OUTSIDE);
    assert_int_equal(rig_last.dst, A);
    assert_memory_equal(rig_frame.b + rig_frame.l4 + 8, sent, sizeof(sent));
}

/* ---- the uplink, fragments, size ---- */

static void test_outside_address(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    PASSES(rig_out(TCP, B, 5000, R1, 53, TCP_SYN));
    rig_set_outside(OUTSIDE); /* renewed: nothing happens */
    assert_int_equal(rig_nat.flows.live, 2);
    rig_set_outside(0);
    assert_int_equal(rig_nat.flows.live, 0);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    REFUSED(rig_out(UDP, A, 5000, R1, 53, 0), NO_UPLINK);
    rig_set_outside(BE_IP4(203, 0, 113, 10));
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    assert_int_equal(rig_last.src, BE_IP4(203, 0, 113, 10));
    REFUSED(rig_in(UDP, R1, 53, 5000, 0), UNSOLICITED); /* to the old address */
}

static void test_fragments_alone(void **state)
{
    (void)state;
    nat_rig_make(&(struct rig_send){UDP, A, 5000, R1, 53, 0});
    store_be16(rig_frame.b + rig_frame.l3 + 6, 0x2000);
    frame_fix_ip_csum(&rig_frame);
    struct pkt *p = rig_pkt();
    PASSES(nat_rig_pass(p, 0, FLOW_OUT)); /* the first one has the ports */
    assert_int_equal(rig_outside_port(), 5000);
    rig_release(p);
    nat_rig_make(&(struct rig_send){UDP, A, 5000, R1, 53, 0});
    store_be16(rig_frame.b + rig_frame.l3 + 6, 2);
    frame_fix_ip_csum(&rig_frame);
    REFUSED(rig_send_frame(0, FLOW_OUT), FRAGMENT);
}

static void test_memory(void **state)
{
    (void)state;
    fake_alloc_free_all();
    struct nat_params params = {.flow_capacity = 5000};
    assert_int_equal(nat_init(&rig_nat, &params, fake_alloc), 0);
    assert_int_equal(fake_alloc_bytes + sizeof(struct nat), nat_bytes(5000));
    fake_alloc_free_all();
    fake_alloc_limit = nat_bytes(5000) - sizeof(struct nat) - 1;
    assert_int_equal(nat_init(&rig_nat, &params, fake_alloc), -ENOMEM);
    params.flow_capacity = 0;
    assert_int_equal(nat_init(&rig_nat, &params, fake_alloc), -EINVAL);
    assert_true(nat_bytes(1000000) / 1000000 < 128);
    fake_alloc_free_all();
    rig_restart(10);
}

/* Half a million flows of a few thousand endpoints; then each finds its way back, and all end. */
static void test_many(void **state)
{
    (void)state;
    const uint32_t count = 500000;
    struct nat_job job = {.v = {.proto = UDP, .dst = R1, .dport = BE16(53)}};
    enum drop_reason why;

    fake_alloc_free_all();
    rig_restart(count / 4 * 5); /* nobody has more than its share */
    for (uint32_t i = 0; i < count; i++) {
        job.v.src = A + (i % 5 << 24);
        job.v.sport = hton16((uint16_t)(3000 + i % 5000));
        job.v.dst = R1 + (i / 5000 << 24);
        assert_int_equal(nat_key(&rig_nat, &job, 0), DROP_NONE);
        assert_null(nat_find(&rig_nat, &job));
        assert_non_null(nat_open_out(&rig_nat, &job, rig_now_ms, &why));
    }
    assert_int_equal(rig_nat.counters.mappings_live, 5000);
    for (uint32_t i = 0; i < count; i++) {
        const struct flow *f = &rig_nat.flows.flows[i];
        struct flow_tuple k = flow_tuple_of(f, FLOW_IN);
        job.v = (struct view){
            .proto = UDP, .src = k.src, .dst = k.dst, .sport = k.sport, .dport = k.dport};
        assert_int_equal(nat_key(&rig_nat, &job, NETWORK_UPLINK), DROP_NONE);
        nat_prefetch(&rig_nat, &job);
        assert_ptr_equal(nat_find(&rig_nat, &job), f);
    }
    rig_wait_ms(121 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
    assert_int_equal(rig_nat.counters.mappings_live, 0);
    assert_int_equal(rig_nat.pools[1].free_count, 65535 - 5000); /* at rest */
    rig_wait_ms(121 * 1000);
    assert_int_equal(rig_nat.pools[1].free_count, 65535);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_forwards),
        TEST(test_forward_is_a_mapping),
        TEST(test_forwards_change),
        TEST(test_reserved_ports),
        TEST(test_u9_t8_hairpin),
        TEST(test_i4_i5_errors),
        TEST(test_i6_u12_t10_errors_change_nothing),
        TEST(test_i7_hairpinned_error),
        TEST(test_outside_address),
        TEST(test_fragments_alone),
        TEST(test_memory),
        TEST(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
