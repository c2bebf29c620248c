/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/fragment.c: later fragments find the ports of their first, and only theirs, for as long as
 * promised; a flood of first fragments hurts the flooder; and with the translator behind it, a
 * fragmented datagram comes out whole.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/fragment.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

static struct fragment_table table;

static int setup(void **state)
{
    static const struct hash_key key = {
        {0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1}};
    rig_setup(state);
    assert_int_equal(fragment_init(&table, &key, fake_alloc), 0);
    return 0;
}

/* Puts a fragment of datagram id into rig_frame; first has the ports. */
static void make_fragment(uint8_t proto, be32 src, be32 dst, uint16_t id, uint16_t sport,
                          bool first)
{
    nat_rig_make(&(struct rig_send){proto, src, sport, dst, 53, proto == ICMP ? ICMP_ECHO : 0});
    store_be16(rig_frame.b + rig_frame.l3 + 4, id);
    store_be16(rig_frame.b + rig_frame.l3 + 6, first ? 0x2000 : 3);
    frame_fix_ip_csum(&rig_frame);
}

static void note(uint8_t proto, be32 src, be32 dst, uint16_t id, uint16_t sport, uint8_t zone)
{
    struct view v;
    make_fragment(proto, src, dst, id, sport, true);
    struct pkt *p = rig_pkt();
    assert_int_equal(view_parse_ip4(&v, p), DROP_NONE);
    assert_int_equal(v.fragment, FRAGMENT_FIRST);
    fragment_note(&table, p, &v, zone, rig_now_ms);
    rig_release(p);
}

/* The source port that a later fragment gets, or 0. */
static uint16_t match(uint8_t proto, be32 src, be32 dst, uint16_t id, uint8_t zone)
{
    struct view v;
    make_fragment(proto, src, dst, id, 9, false);
    struct pkt *p = rig_pkt();
    assert_int_equal(view_parse_ip4(&v, p), DROP_NONE);
    assert_int_equal(v.fragment, FRAGMENT_LATER);
    bool found = fragment_match(&table, p, &v, zone, rig_now_ms);
    rig_release(p);
    return found ? ntoh16(v.sport) : 0;
}

static void test_only_its_own(void **state)
{
    (void)state;
    note(UDP, A, R1, 100, 5000, 0);
    assert_int_equal(match(UDP, A, R1, 100, 0), 5000);
    assert_int_equal(match(UDP, A, R1, 100, 0), 5000);
    assert_int_equal(match(UDP, B, R1, 100, 0), 0);
    assert_int_equal(match(UDP, A, R2, 100, 0), 0);
    assert_int_equal(match(UDP, A, R1, 101, 0), 0);
    assert_int_equal(match(ICMP, A, R1, 100, 0), 0);
    assert_int_equal(match(UDP, A, R1, 100, 1), 0);
    note(UDP, A, R1, 100, 6000, 0); /* the identification came round */
    assert_int_equal(match(UDP, A, R1, 100, 0), 6000);
    assert_int_equal(table.pushed_out, 0);
}

static void test_time(void **state)
{
    (void)state;
    rig_now_ms = 0xFFFFFFFFu - 10000; /* and across the wrap */
    note(UDP, A, R1, 100, 5000, 0);
    rig_now_ms += FRAGMENT_HOLD_MS - 1;
    assert_int_equal(match(UDP, A, R1, 100, 0), 5000);
    rig_now_ms += 1;
    assert_int_equal(match(UDP, A, R1, 100, 0), 0);
}

static void test_room_for_each(void **state)
{
    (void)state;
    for (uint16_t id = 0; id < FRAGMENT_WAYS; id++)
        note(UDP, A, R1, id, 5000 + id, 0);
    for (uint16_t id = 0; id < FRAGMENT_WAYS; id++)
        assert_int_equal(match(UDP, A, R1, id, 0), 5000 + id);
    /* One more: the oldest gives way. */
    rig_now_ms += 5;
    for (uint16_t id = 1; id < FRAGMENT_WAYS; id++)
        note(UDP, A, R1, id, 5000 + id, 0);
    note(UDP, A, R1, 1000, 7000, 0);
    assert_int_equal(match(UDP, A, R1, 0, 0), 0);
    assert_int_equal(match(UDP, A, R1, 1000, 0), 7000);
    assert_int_equal(table.pushed_out, 1);
    for (uint16_t id = 1; id < FRAGMENT_WAYS; id++)
        assert_int_equal(match(UDP, A, R1, id, 0), 5000 + id);
}

/* U14: of a hundred hosts, a flood from one may touch those of its set, and no more. */
static void test_u14_flood_costs_others_nothing(void **state)
{
    (void)state;
    unsigned hurt = 0;
    for (uint32_t host = 10; host < 110; host++)
        note(UDP, BE_IP4(10, 0, 0, 0) + (host << 24), R1, 1, (uint16_t)host, 0);
    for (uint32_t n = 0; n < 20000; n++)
        note(UDP, A, R1 + (n << 24), (uint16_t)n, 5000, 0);
    for (uint32_t host = 10; host < 110; host++)
        hurt += match(UDP, BE_IP4(10, 0, 0, 0) + (host << 24), R1, 1, 0) != host;
    assert_true(hurt < 6);
    assert_true(table.pushed_out > 19000);
}

/* A later fragment through the translator. */
static enum drop_reason pass_later(uint8_t zone)
{
    struct pkt *p = rig_pkt();
    struct nat_job job = {.p = p};
    assert_int_equal(view_parse_ip4(&job.v, p), DROP_NONE);
    enum drop_reason why =
        fragment_match(&table, p, &job.v, zone, rig_now_ms) ? DROP_NONE : DROP_FRAGMENT;
    if (why == DROP_NONE)
        why = nat_key(&rig_nat, &job, zone);
    if (why == DROP_NONE) {
        struct flow *f = nat_find(&rig_nat, &job);
        assert_non_null(f);
        nat_apply(&rig_nat, f, &job, rig_now_ms);
        assert_true(pkt_copy_out(p, 0, rig_frame.b, rig_frame.n));
    }
    rig_release(p);
    return why;
}

static void test_through_the_translator(void **state)
{
    (void)state;
    static const uint8_t protos[] = {UDP, ICMP};
    for (unsigned i = 0; i < ARRAY_COUNT(protos); i++) {
        uint8_t proto = protos[i], payload[16];
        make_fragment(proto, A, R1, 7, 5000, false);
        REFUSED(pass_later(0), FRAGMENT); /* before the first */

        note(proto, A, R1, 7, 5000, 0);
        PASSES(rig_send_frame(0, FLOW_OUT));
        make_fragment(proto, A, R1, 7, 9, false);
        memcpy(payload, rig_frame.b + rig_frame.l4, sizeof(payload));
        PASSES(pass_later(0));
        assert_int_equal(load_raw32(rig_frame.b + rig_frame.l3 + 12), OUTSIDE);
        assert_memory_equal(rig_frame.b + rig_frame.l4, payload, sizeof(payload));
        assert_int_equal(frame_naive_sum(rig_frame.b + rig_frame.l3, 20), 0xFFFF);

        /* And back. */
        nat_rig_make(&(struct rig_send){proto, R1, proto == ICMP ? 5000 : 53, OUTSIDE, 5000,
                                        ICMP_ECHO_REPLY});
        store_be16(rig_frame.b + rig_frame.l3 + 6, 0x2000);
        frame_fix_ip_csum(&rig_frame);
        struct pkt *p = rig_pkt();
        struct view v;
        assert_int_equal(view_parse_ip4(&v, p), DROP_NONE);
        fragment_note(&table, p, &v, NETWORK_UPLINK, rig_now_ms);
        PASSES(nat_rig_pass(p, NETWORK_UPLINK, FLOW_IN));
        assert_int_equal(rig_last.dst, A);
        rig_release(p);
        store_be16(rig_frame.b + rig_frame.l3 + 6, 3);
        frame_fix_ip_csum(&rig_frame);
        PASSES(pass_later(NETWORK_UPLINK));
        assert_int_equal(load_raw32(rig_frame.b + rig_frame.l3 + 16), A);
        assert_int_equal(frame_naive_sum(rig_frame.b + rig_frame.l3, 20), 0xFFFF);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_only_its_own),           TEST(test_time),
        TEST(test_room_for_each),          TEST(test_u14_flood_costs_others_nothing),
        TEST(test_through_the_translator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
