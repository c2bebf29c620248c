/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Filtering by address (RFC 4787, section 5; RFC 5382, REQ-3): the table of net/nat_permit.c
 * against a list, and what the translator lets in by a mapping. Network 0 filters, network 1 does
 * not. Among all other traffic it is test_nat_model.c's business.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

#define R3     BE_IP4(9, 9, 9, 9)
#define HOST_B BE_IP4(192, 168, 8, 3) /* what an initializer may have for B */

/* ---- the table ---- */

#define TABLE_ROOM     500
#define TABLE_MAPPINGS 40
#define TABLE_REMOTES  40

static uint32_t rnd(uint32_t below)
{
    static uint64_t x = 88172645463325252ull;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)((x >> 32) * below >> 32);
}

static void test_table_against_a_list(void **state)
{
    (void)state;
    static unsigned flows[TABLE_MAPPINGS][TABLE_REMOTES];
    struct nat_permits t;
    struct hash_key key;
    unsigned live = 0, full = 0;

    for (unsigned i = 0; i < 4; i++)
        key.k[i] = 0x9E3779B97F4A7C15ull * (i + 1) | 1;
    memset(flows, 0, sizeof(flows));
    size_t before = fake_alloc_bytes;
    assert_int_equal(permit_init(&t, TABLE_ROOM, &key, fake_alloc), 0);
    assert_int_equal(fake_alloc_bytes - before, permit_bytes(TABLE_ROOM));
    for (unsigned i = 0; i < 300000; i++) {
        unsigned m = rnd(TABLE_MAPPINGS), r = rnd(TABLE_REMOTES);
        be32 remote = hton32(0x08080800 + r);
        bool grow = rnd(100) < (i / 10000 % 2 ? 60u : 40u); /* now fuller, now emptier */
        if (grow) {
            bool fits = flows[m][r] || live < TABLE_ROOM;
            assert_int_equal(permit_join(&t, m, remote), fits);
            live += fits && !flows[m][r];
            flows[m][r] += fits;
            full += !fits;
        } else if (flows[m][r]) {
            permit_leave(&t, m, remote);
            live -= --flows[m][r] == 0;
        }
        assert_int_equal(t.live, live);
        assert_int_equal(t.index.used, live);
        assert_int_equal(permit_is_there(&t, m, remote), flows[m][r] > 0);
        m = rnd(TABLE_MAPPINGS);
        r = rnd(TABLE_REMOTES);
        assert_int_equal(permit_is_there(&t, m, hton32(0x08080800 + r)), flows[m][r] > 0);
    }
    assert_true(full > 1000);
}

/* ---- the translator ---- */

static int setup(void **state)
{
    (void)state;
    rig_now_ms = 0xFFFFFFFFu - 100000;
    rig_restart_filtering(1000, 1);
    return 0;
}

static enum drop_reason out_of_zone(uint8_t zone, const struct rig_send *s)
{
    nat_rig_make(s);
    return rig_send_frame(zone, FLOW_OUT);
}

/* RFC 4787, section 5: any port of an address that the host has sent to by this mapping. */
static void test_u8_address_dependent(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    PASSES(rig_in(UDP, R1, 53, 5000, 0));
    PASSES(rig_in(UDP, R1, 54, 5000, 0));
    REFUSED(rig_in(UDP, R2, 53, 5000, 0), FILTERED);
    PASSES(rig_out(UDP, A, 5001, R2, 53, 0)); /* by another mapping */
    REFUSED(rig_in(UDP, R2, 53, 5000, 0), FILTERED);
    REFUSED(rig_in(UDP, R2, 53, 5002, 0), UNSOLICITED);
    PASSES(rig_out(UDP, A, 5000, R2, 9, 0));
    PASSES(rig_in(UDP, R2, 53, 5000, 0));
    REFUSED(rig_in(UDP, R3, 53, 5000, 0), FILTERED);
    REFUSED(rig_in(TCP, R1, 53, 5000, TCP_SYN), UNSOLICITED); /* another protocol's port */

    /* The other network does not filter. */
    PASSES(out_of_zone(1, &(struct rig_send){UDP, A, 6000, R1, 53, 0}));
    PASSES(rig_in(UDP, R3, 53, 6000, 0));
}

/* T3: the same for TCP; and a mapping is still endpoint-independent. */
static void test_t3_address_dependent(void **state)
{
    (void)state;
    rig_handshake(5000);
    REFUSED(rig_in(TCP, R2, 80, 5000, TCP_SYN), FILTERED);
    PASSES(rig_in(TCP, R1, 81, 5000, TCP_SYN));
    /* Simultaneous open with a peer behind another translator: both have sent. */
    PASSES(rig_out(TCP, A, 5000, R2, 90, TCP_SYN));
    assert_int_equal(rig_outside_port(), 5000);
    PASSES(rig_in(TCP, R2, 90, 5000, TCP_SYN));
    PASSES(rig_out(TCP, A, 5000, R2, 90, TCP_SYN | TCP_ACK));
    PASSES(rig_in(TCP, R2, 90, 5000, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);
}

/* As long as the host's own interest in the address lasts, and no longer. */
static void test_u6_permits_end(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    PASSES(rig_out(UDP, A, 5000, R1, 54, 0)); /* two flows, one permit */
    PASSES(rig_out(UDP, A, 5000, R2, 53, 0));
    assert_int_equal(rig_nat.permits.live, 2);
    rig_wait_ms(100 * 1000);
    PASSES(rig_out(UDP, A, 5000, R2, 53, 0));
    PASSES(rig_out(UDP, A, 5000, R1, 54, 0));
    rig_wait_ms(100 * 1000);
    PASSES(rig_in(UDP, R1, 55, 5000, 0)); /* the second one still holds it */
    rig_wait_ms(21 * 1000);
    assert_int_equal(rig_nat.permits.live, 0);

    /* A stranger's flow holds nothing until the host answers. */
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    rig_wait_ms(60 * 1000);
    PASSES(rig_out(UDP, A, 5000, R2, 53, 0));
    PASSES(rig_in(UDP, R1, 666, 5000, 0));
    rig_wait_ms(61 * 1000);
    assert_int_equal(rig_nat.permits.live, 1);
    REFUSED(rig_in(UDP, R1, 667, 5000, 0), FILTERED);
    PASSES(rig_in(UDP, R1, 666, 5000, 0)); /* the flow that he has */
    PASSES(rig_out(UDP, A, 5000, R1, 666, 0));
    PASSES(rig_in(UDP, R1, 667, 5000, 0));
    rig_set_outside(0);
    assert_int_equal(rig_nat.permits.live, 0);
}

/* Out and in again, as the dataplane composes it: the remote address is our own. */
static enum drop_reason hairpin(be32 src, uint16_t sport, uint16_t dport)
{
    enum drop_reason why = rig_out(UDP, src, sport, OUTSIDE, dport, 0);
    return why != DROP_NONE ? why : rig_send_frame(NETWORK_UPLINK, FLOW_IN);
}

/* RFC 4787, REQ-9: two hosts reach each other by their outside ports, as they would two outside. */
static void test_u9_hairpin(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    PASSES(rig_out(UDP, B, 6000, R1, 53, 0));
    REFUSED(hairpin(A, 5000, 6000), FILTERED); /* B has sent nothing there */
    PASSES(hairpin(B, 6000, 5000));            /* A has */
    assert_int_equal(rig_last.src, OUTSIDE);
    assert_int_equal(rig_last.sport, BE16(6000));
    assert_int_equal(rig_last.dst, A);
    PASSES(hairpin(A, 5000, 6000));
    assert_int_equal(rig_last.src, OUTSIDE);
    assert_int_equal(rig_last.sport, BE16(5000));
    assert_int_equal(rig_last.dst, B);
    /* Any port of that address, which is all hosts here. */
    PASSES(hairpin(BE_IP4(192, 168, 8, 9), 7000, 5000));
    /* To oneself: whoever sends it has sent to that address. */
    PASSES(rig_out(UDP, A, 5100, R1, 53, 0));
    PASSES(hairpin(A, 5100, 5100));
    assert_int_equal(rig_last.dst, A);
}

/* What was opened to everybody is: forwards, the last resort, what a host has asked for. */
static void test_what_is_not_filtered(void **state)
{
    (void)state;
    static const struct nat_forward forwards[] = {{.proto = UDP,
                                                   .first_port = 80,
                                                   .last_port = 80,
                                                   .target_port = 80,
                                                   .target_count = 1,
                                                   .targets = {HOST_B}},
                                                  {.target_count = 1, .targets = {HOST_B}}};
    const struct flow_tuple asked = {.src = A, .sport = BE16(5000), .proto = UDP};

    nat_set_forwards(&rig_nat, forwards, 2);
    PASSES(rig_in(UDP, R1, 9, 80, 0));
    PASSES(rig_out(UDP, B, 80, R1, 9, 0));
    PASSES(rig_in(UDP, R2, 9, 80, 0));
    PASSES(rig_in(UDP, R1, 9, 4444, 0));
    PASSES(rig_out(UDP, B, 4444, R1, 9, 0));
    PASSES(rig_in(UDP, R2, 9, 4444, 0));

    assert_int_equal(nat_hold(&rig_nat, &asked, BE16(5000), true), BE16(5000));
    PASSES(rig_in(UDP, R2, 9, 5000, 0));
    PASSES(rig_out(UDP, A, 5000, R1, 9, 0));
    PASSES(rig_in(UDP, R3, 9, 5000, 0));
    assert_int_equal(nat_hold(&rig_nat, &asked, BE16(5000), true), BE16(5000));
    nat_let_go(&rig_nat, &asked, rig_now_ms);
    PASSES(rig_in(UDP, R3, 10, 5000, 0));
    nat_let_go(&rig_nat, &asked, rig_now_ms); /* from now on it is like any other */
    REFUSED(rig_in(UDP, R3, 11, 5000, 0), FILTERED);
    PASSES(rig_in(UDP, R1, 11, 5000, 0));
}

/* ICMP errors come from whoever is on the way (RFC 4787, REQ-12). */
static void test_errors_are_not_filtered(void **state)
{
    (void)state;
    PASSES(rig_out(UDP, A, 5000, R1, 53, 0));
    rig_make_error(R3, ICMP_TIME_EXCEEDED, 0);
    PASSES(rig_send_error(NETWORK_UPLINK, FLOW_IN, false));
    assert_int_equal(rig_last.dst, A);
}

/* Every flow may have a permit of its own; without filtering there is no table. */
static void test_memory(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 888; i++) /* a host's share */
        PASSES(rig_out(UDP, A, 5000, R3 + (i << 16), 53, 0));
    assert_int_equal(rig_nat.permits.live, 888);
    assert_int_equal(rig_nat.counters.evicted, 0);
    rig_wait_ms(121 * 1000);
    assert_int_equal(rig_nat.permits.live, 0);
    assert_int_equal(rig_nat.permits.index.used, 0);

    fake_alloc_free_all();
    size_t before = fake_alloc_bytes;
    rig_restart(1000);
    size_t plain = fake_alloc_bytes - before;
    assert_null(rig_nat.permits.permits);
    before = fake_alloc_bytes;
    rig_restart_filtering(1000, 1);
    assert_int_equal(fake_alloc_bytes - before - plain, nat_filter_bytes(1000));
    assert_true(nat_filter_bytes(1000000) / 1000000 <= 24);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_table_against_a_list),
        TEST(test_u8_address_dependent),
        TEST(test_t3_address_dependent),
        TEST(test_u6_permits_end),
        TEST(test_u9_hairpin),
        TEST(test_what_is_not_filtered),
        TEST(test_errors_are_not_filtered),
        TEST(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
