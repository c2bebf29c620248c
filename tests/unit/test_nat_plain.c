/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Plain flows: tracked as translated ones are, between any two zones and in either direction, and
 * not one byte of a packet changes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/fragment.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

#define GRE 47
#define UP  NETWORK_UPLINK
/* A host of another network, and one of a routed network that the outside knows by its address. */
#define C   BE_IP4(10, 0, 0, 5)
#define D   BE_IP4(192, 0, 2, 7)

static enum drop_reason plain(uint8_t proto, be32 src, uint16_t sport, be32 dst, uint16_t dport,
                              uint8_t flags, uint8_t from, uint8_t to)
{
    return rig_plain(&(struct rig_send){proto, src, sport, dst, dport, flags}, from, to);
}

/* ---- bytes ---- */

/* A packet of the flow between A in zone 0 and C in zone 1 (or R1 outside and D in zone 2), with
 * this in its checksum field. */
static void send_with_csum(uint8_t proto, bool uplink, bool back, bool partial, uint16_t csum)
{
    be32 src = uplink ? R1 : A, dst = uplink ? D : C;
    uint8_t from = uplink ? UP : 0, to = uplink ? 2 : 1;
    uint8_t flags = proto == ICMP ? (back ? ICMP_ECHO_REPLY : ICMP_ECHO) : TCP_SYN;
    uint16_t sport = back && proto != ICMP ? 80 : 4000, dport = back ? 4000 : 80;

    if (back)
        nat_rig_make(&(struct rig_send){proto, dst, sport, src, dport, flags});
    else
        nat_rig_make(&(struct rig_send){proto, src, sport, dst, dport, flags});
    size_t off = proto == TCP ? 16 : proto == ICMP ? 2 : 6;
    store_be16(rig_frame.b + rig_frame.l4 + off, csum);
    struct pkt *p = rig_pkt();
    if (partial) {
        p->flags |= PKT_NEEDS_CSUM;
        p->csum_start = (uint16_t)rig_frame.l4;
        p->csum_offset = (uint16_t)off;
    }
    PASSES(back ? rig_plain_pkt(p, to, from) : rig_plain_pkt(p, from, to));
    assert_int_equal(rig_last_dir, back != uplink ? FLOW_IN : FLOW_OUT);
    rig_release(p);
}

/* Right, wrong, absent or partial: a checksum is none of our business. */
static void test_no_byte_changes(void **state)
{
    (void)state;
    static const uint8_t protos[] = {TCP, UDP, ICMP, GRE};
    static const uint16_t csums[] = {0, 1, 0x1234, 0x8000, 0xFFFE, 0xFFFF};
    for (unsigned i = 0; i < ARRAY_COUNT(protos); i++) {
        for (unsigned k = 0; k < ARRAY_COUNT(csums) * 8; k++) {
            bool partial = (k & 4) && (protos[i] == TCP || protos[i] == UDP);
            send_with_csum(protos[i], k & 1, false, partial, csums[k / 8]);
            send_with_csum(protos[i], k & 1, true, partial, csums[k / 8]);
        }
    }
    assert_int_equal(rig_nat.flows.live, 2 * ARRAY_COUNT(protos));
    assert_int_equal(rig_nat.counters.mappings_live, 0);
}

/* ---- whose flow ---- */

static void test_either_direction(void **state)
{
    (void)state;
    PASSES(plain(UDP, A, 5000, C, 53, 0, 0, 1));
    const struct flow *f = rig_last_flow;
    PASSES(plain(UDP, C, 53, A, 5000, 0, 1, 0));
    assert_ptr_equal(rig_last_flow, f);
    assert_int_equal(rig_last_dir, FLOW_IN);
    assert_int_equal(f->state, FLOW_UDP_STREAM);
    assert_int_equal(f->bytes[FLOW_OUT], 36);
    assert_int_equal(f->bytes[FLOW_IN], 36);

    /* From the uplink: the inside end is the one it goes to. */
    PASSES(plain(TCP, R1, 4000, D, 22, TCP_SYN, UP, 2));
    assert_int_equal(rig_last_dir, FLOW_IN);
    assert_int_equal(rig_last_flow->in_ip, D);
    assert_int_equal(rig_last_flow->zone, 2);
    assert_true(rig_last_flow->flags & FLOW_OPENED_IN);
    PASSES(plain(TCP, D, 22, R1, 4000, TCP_SYN | TCP_ACK, 2, UP));
    assert_int_equal(rig_last_dir, FLOW_OUT);
    PASSES(plain(TCP, R1, 4000, D, 22, TCP_ACK, UP, 2));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);
    assert_int_equal(rig_nat.flows.live, 2);
}

/* Addresses mean nothing without the zone they are in. */
static void test_zones(void **state)
{
    (void)state;
    PASSES(plain(UDP, A, 5000, C, 53, 0, 0, 1));
    const struct flow *f = rig_last_flow;
    PASSES(plain(UDP, A, 5000, C, 53, 0, 2, 3));
    const struct flow *other = rig_last_flow;
    assert_ptr_not_equal(other, f);
    PASSES(plain(UDP, C, 53, A, 5000, 0, 1, 0));
    assert_ptr_equal(rig_last_flow, f);
    PASSES(plain(UDP, C, 53, A, 5000, 0, 3, 2));
    assert_ptr_equal(rig_last_flow, other);
    /* From where no flow expects it, and there can be none: A's packets to C have theirs. */
    REFUSED(plain(UDP, C, 53, A, 5000, 0, UP, 0), UNSOLICITED);
    assert_int_equal(rig_nat.flows.live, 2);
}

/* One host has both kinds of flow at once, by the same ports. */
static void test_beside_translation(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    PASSES(plain(UDP, A, 5000, C, 53, 0, 0, 1));
    PASSES(plain(UDP, D, 5000, R1, 53, 0, 2, UP));
    PASSES(rig_in(UDP, R1, 53, 5000, 0));
    assert_int_equal(rig_last.dst, A);
    assert_false(rig_last_flow->flags & FLOW_PLAIN);
    PASSES(plain(UDP, R1, 53, D, 5000, 0, UP, 2));
    assert_int_equal(rig_nat.flows.live, 3);
}

static void test_echo(void **state)
{
    (void)state;
    static const uint16_t ids[] = {7, 0, 0xFFFF};
    for (unsigned i = 0; i < ARRAY_COUNT(ids); i++) {
        uint16_t id = ids[i];
        PASSES(plain(ICMP, A, id, C, 0, ICMP_ECHO, 0, 1));
        const struct flow *f = rig_last_flow;
        PASSES(plain(ICMP, C, id, A, 0, ICMP_ECHO_REPLY, 1, 0));
        assert_ptr_equal(rig_last_flow, f);
        /* The other one's question is not an answer to the first one's. */
        nat_rig_make(&(struct rig_send){ICMP, C, id, A, 0, ICMP_ECHO});
        enum drop_reason why = rig_plain_frame(1, 0);
        assert_true(id == 0 ? why == DROP_UNSOLICITED : why == DROP_NONE && rig_last_flow != f);

        PASSES(plain(ICMP, R1, id, D, 0, ICMP_ECHO, UP, 2));
        f = rig_last_flow;
        PASSES(plain(ICMP, D, id, R1, 0, ICMP_ECHO_REPLY, 2, UP));
        assert_ptr_equal(rig_last_flow, f);
        assert_int_equal(rig_last_dir, FLOW_OUT);
    }
    REFUSED(plain(ICMP, A, 7, C, 0, 13, 0, 1), PROTOCOL); /* timestamp */
}

/* ---- how long ---- */

static void test_timeouts(void **state)
{
    (void)state;
    static const uint8_t protos[] = {UDP, GRE};
    for (unsigned i = 0; i < ARRAY_COUNT(protos); i++) {
        PASSES(plain(protos[i], A, 5000, C, 53, 0, 0, 1));
        assert_int_equal(rig_last_flow->state, FLOW_UDP_ONE_WAY);
        rig_wait_ms(121 * 1000);
        assert_int_equal(rig_nat.flows.live, 0);
        PASSES(plain(protos[i], A, 5000, C, 53, 0, 0, 1));
        rig_wait_ms(100 * 1000);
        /* There is no mapping that an answer could hold open, so it may refresh. */
        for (unsigned k = 0; k < 5; k++) {
            PASSES(plain(protos[i], C, 53, A, 5000, 0, 1, 0));
            assert_int_equal(rig_last_dir, FLOW_IN);
            rig_wait_ms(299 * 1000);
        }
        rig_wait_ms(2 * 1000);
        assert_int_equal(rig_nat.flows.live, 0);
    }
    /* One way, from outside. */
    PASSES(plain(UDP, R1, 5000, D, 514, 0, UP, 2));
    rig_wait_ms(100 * 1000);
    PASSES(plain(UDP, R1, 5000, D, 514, 0, UP, 2));
    rig_wait_ms(100 * 1000);
    assert_int_equal(rig_nat.flows.live, 1);
    rig_wait_ms(21 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
    PASSES(plain(ICMP, A, 7, C, 0, ICMP_ECHO, 0, 1));
    rig_wait_ms(59 * 1000);
    PASSES(plain(ICMP, C, 7, A, 0, ICMP_ECHO_REPLY, 1, 0));
    rig_wait_ms(61 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
}

static void test_tcp(void **state)
{
    (void)state;
    static const uint8_t refused[] = {TCP_RST, TCP_FIN | TCP_ACK, TCP_SYN | TCP_ACK, 0};
    for (unsigned i = 0; i < ARRAY_COUNT(refused); i++) {
        REFUSED(plain(TCP, A, 4000, C, 22, refused[i], 0, 1), UNSOLICITED);
        REFUSED(plain(TCP, R1, 4000, D, 22, refused[i], UP, 2), UNSOLICITED);
    }
    PASSES(plain(TCP, A, 4000, C, 22, TCP_SYN, 0, 1));
    PASSES(plain(TCP, C, 22, A, 4000, TCP_SYN | TCP_ACK, 1, 0));
    PASSES(plain(TCP, A, 4000, C, 22, TCP_ACK, 0, 1));
    rig_wait_ms(7439 * 1000);
    PASSES(plain(TCP, C, 22, A, 4000, TCP_ACK, 1, 0));
    assert_int_equal(rig_last_dir, FLOW_IN);
    PASSES(plain(TCP, A, 4000, C, 22, TCP_FIN | TCP_ACK, 0, 1));
    PASSES(plain(TCP, C, 22, A, 4000, TCP_FIN | TCP_ACK, 1, 0));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_CLOSING);
    rig_wait_ms(241 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
    PASSES(plain(TCP, A, 4000, C, 22, TCP_ACK, 0, 1)); /* the router was restarted */
    assert_int_equal(rig_nat.counters.picked_up, 1);
}

/* ---- what does not begin one, and what does not end one ---- */

static void test_refused(void **state)
{
    (void)state;
    fake_alloc_free_all();
    rig_restart(1);
    REFUSED(plain(0, A, 1, C, 2, 0, 0, 1), PROTOCOL); /* protocol 0 */
    PASSES(plain(UDP, A, 5000, C, 53, 0, 0, 1));
    PASSES(plain(UDP, C, 53, A, 5000, 0, 1, 0)); /* now it does not make room */
    REFUSED(plain(UDP, A, 5001, C, 53, 0, 0, 1), FLOWS_FULL);
    REFUSED(plain(UDP, R1, 5001, D, 53, 0, UP, 2), FLOWS_FULL);
    assert_int_equal(rig_nat.flows.refused, 2);
}

static void test_uplink_and_forwards_change(void **state)
{
    (void)state;
    static const struct nat_forward web[] = {{.proto = TCP,
                                              .first_port = 8080,
                                              .last_port = 8080,
                                              .target_port = 80,
                                              .target_count = 1,
                                              .targets = {BE_IP4(192, 168, 8, 2)}}};
    PASSES(plain(TCP, A, 80, C, 22, TCP_SYN, 0, 1));
    PASSES(plain(TCP, R1, 4000, D, 80, TCP_SYN, UP, 2));
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    rig_set_outside(BE_IP4(203, 0, 113, 10));
    assert_int_equal(rig_nat.flows.live, 2);
    nat_set_forwards(&rig_nat, web, 1);
    nat_set_forwards(&rig_nat, NULL, 0);
    assert_int_equal(rig_nat.flows.live, 2);
    rig_set_outside(0);
    PASSES(plain(TCP, C, 22, A, 80, TCP_SYN | TCP_ACK, 1, 0));
    PASSES(plain(TCP, D, 80, R1, 4000, TCP_SYN | TCP_ACK, 2, UP));
    PASSES(plain(UDP, D, 5000, R1, 53, 0, 2, UP));
}

/* ---- errors ---- */

/* An error about the packet in the frame, which was sent from src. */
static enum drop_reason send_error(be32 router, uint8_t zone, enum flow_dir *dir)
{
    enum drop_reason why;
    struct view v;

    rig_make_error(router, ICMP_UNREACHABLE, ICMP_UNREACH_FRAG_NEEDED);
    struct pkt *p = rig_pkt();
    uint8_t after[200];
    assert_int_equal(view_parse_ip4(&v, p), DROP_NONE);
    rig_last_flow = nat_icmp_error(&rig_nat, p, &v, zone, dir, &why);
    assert_true(pkt_copy_out(p, 0, after, rig_frame.n));
    assert_memory_equal(after, rig_frame.b, rig_frame.n);
    rig_release(p);
    return why;
}

static void test_errors(void **state)
{
    (void)state;
    static const uint8_t protos[] = {UDP, TCP, GRE, ICMP};
    enum flow_dir dir;
    for (unsigned i = 0; i < ARRAY_COUNT(protos); i++) {
        uint8_t proto = protos[i], flags = proto == ICMP ? ICMP_ECHO : TCP_SYN;
        uint16_t far_port = proto == ICMP ? 5000 : 53;
        uint8_t answer = proto == ICMP ? ICMP_ECHO_REPLY : TCP_SYN | TCP_ACK;
        PASSES(plain(proto, A, 5000, C, 53, flags, 0, 1));
        PASSES(send_error(C, 1, &dir));
        assert_int_equal(dir, FLOW_IN);
        assert_int_equal(rig_last_flow->in_ip, A);
        PASSES(plain(proto, C, far_port, A, 5000, answer, 1, 0));
        PASSES(send_error(A, 0, &dir));
        assert_int_equal(dir, FLOW_OUT);
        assert_int_equal(rig_last_flow->rem_zone, 1);

        PASSES(plain(proto, R1, 5000, D, 53, flags, UP, 2));
        PASSES(send_error(D, 2, &dir));
        assert_int_equal(dir, FLOW_OUT);
        PASSES(plain(proto, D, far_port, R1, 5000, answer, 2, UP));
        PASSES(send_error(R2, UP, &dir)); /* a router on the way */
        assert_int_equal(dir, FLOW_IN);

        /* From where the packet did not go, or about one that was not sent. */
        nat_rig_make(&(struct rig_send){proto, D, far_port, R1, 5000, answer});
        REFUSED(send_error(R2, 1, &dir), NO_MAPPING);
        nat_rig_make(&(struct rig_send){proto, D, far_port, R2, 5000, answer});
        REFUSED(send_error(R2, UP, &dir), NO_MAPPING);
    }
    assert_int_equal(rig_nat.counters.icmp_errors_translated, 0);
    /* The other's question of the same number was never asked, nor answered. */
    PASSES(plain(ICMP, A, 0, C, 0, ICMP_ECHO, 0, 1));
    nat_rig_make(&(struct rig_send){ICMP, C, 0, A, 0, ICMP_ECHO});
    REFUSED(send_error(A, 0, &dir), NO_MAPPING);
}

/* ---- fragments ---- */

static struct fragment_table datagrams;

/* Takes the fragment in the frame from zone to zone, as the dataplane does it. */
static enum drop_reason send_fragment(uint16_t at, uint8_t from, uint8_t to)
{
    store_be16(rig_frame.b + rig_frame.l3 + 4, 77);
    store_be16(rig_frame.b + rig_frame.l3 + 6, at ? at : 0x2000);
    frame_fix_ip_csum(&rig_frame);
    struct pkt *p = rig_pkt();
    struct nat_job job = {.p = p};
    enum drop_reason why;
    assert_int_equal(view_parse_ip4(&job.v, p), DROP_NONE);
    struct fragment_key key = fragment_key(p, &job.v, from);
    be16 new_id;
    why = at ? fragment_match(&datagrams, &key, &job.v, &new_id, rig_now_ms) : DROP_NONE;
    if (!why)
        why = nat_key(&rig_nat, &job, from);
    struct flow *f = why ? NULL : nat_find(&rig_nat, &job);
    if (!why && !f)
        f = nat_open_plain(&rig_nat, &job, to, rig_now_ms, &why);
    if (f) {
        if (!at)
            PASSES(fragment_note(&datagrams, &key, &job.v, 0, rig_now_ms));
        nat_apply(&rig_nat, f, &job, rig_now_ms);
        uint8_t after[200];
        assert_true(pkt_copy_out(p, 0, after, rig_frame.n));
        assert_memory_equal(after, rig_frame.b, rig_frame.n);
    }
    rig_last_flow = f;
    rig_release(p);
    return why;
}

static void test_fragments(void **state)
{
    (void)state;
    static const struct hash_key key = {{1, 3, 5, 7}};
    static const uint8_t protos[] = {UDP, ICMP, GRE};
    assert_int_equal(fragment_init(&datagrams, &key, NULL, UP, NULL, NULL, fake_alloc), 0);
    for (unsigned i = 0; i < ARRAY_COUNT(protos); i++) {
        uint8_t proto = protos[i];
        /* A question into the routed network, in pieces, and its answer. */
        for (unsigned back = 0; back < 2; back++) {
            be32 src = back ? D : R1, dst = back ? R1 : D;
            uint8_t from = back ? 2 : UP, to = back ? UP : 2;
            uint8_t type = back ? ICMP_ECHO_REPLY : ICMP_ECHO;
            uint16_t sport = back && proto != ICMP ? 53 : 5000, dport = back ? 5000 : 53;
            nat_rig_make(&(struct rig_send){proto, src, sport, dst, dport, type});
            REFUSED(send_fragment(3, from, to), FRAGMENT);
            nat_rig_make(&(struct rig_send){proto, src, sport, dst, dport, type});
            PASSES(send_fragment(0, from, to));
            const struct flow *f = rig_last_flow;
            nat_rig_make(&(struct rig_send){proto, src, 0xDEAD, dst, 0xBEEF, 0xAA});
            PASSES(send_fragment(3, from, to));
            assert_ptr_equal(rig_last_flow, f);
            REFUSED(send_fragment(3, from == 2 ? 3 : 1, to), FRAGMENT); /* from elsewhere */
        }
    }
    assert_int_equal(rig_nat.flows.live, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_no_byte_changes),
        TEST(test_either_direction),
        TEST(test_zones),
        TEST(test_beside_translation),
        TEST(test_echo),
        TEST(test_timeouts),
        TEST(test_tcp),
        TEST(test_refused),
        TEST(test_uplink_and_forwards_change),
        TEST(test_errors),
        TEST(test_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
