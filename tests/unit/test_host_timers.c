/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/host/timers.c: lwIP's timers are called together, late, and it makes no difference; a router
 * whose hosts are silent sleeps.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dataplane_internal.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/host_lab.h"

#define S_US 1000000ull

/* The host pings the router: true if that answers at once, false if it asks for the host's MAC. */
static bool is_known(void)
{
    lab_drain();
    lab_make_ip(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, IP_PROTO_ICMP, 20);
    lab_finish();
    lab_receive(LAN_PORT);
    assert_true(lab_sent(LAN_PORT));
    return !lab_is_arp(1);
}

static void answer(void)
{
    lab_make_arp(lab_host_mac, 2, HOST_IP, LAN_IP);
    lab_receive(LAN_PORT);
    lab_drain();
}

/* Nothing happens for so long: the loop sleeps, or is not asked at all, as when a virtual machine
 * is stopped. Returns how often it was woken. */
static unsigned silence(uint64_t s)
{
    uint64_t end_us = lab.now_us + s * S_US;
    unsigned wakes = 0;

    while (lab.now_us < end_us) {
        uint64_t host_us = host_next_us(lab.host, lab.now_us);
        uint64_t next_us = MIN(host_us, dataplane_next_us(lab.dp, lab.now_us));
        wakes += next_us > lab.now_us && next_us < end_us;
        lab.now_us = MIN(MAX(next_us, lab.now_us + 1), end_us);
        lab_turn();
    }
    return wakes;
}

static int bound(void **state)
{
    struct dhcp_message m;

    lab_drained(state);
    host_link(lab.host, NETWORK_UPLINK, true);
    dataplane_flush(lab.dp);
    while (!lab_client_says(&m))
        lab_pass_time(S_US);
    if (m.type == DHCP_TYPE_DISCOVER) {
        lab_dhcp_answers(DHCP_TYPE_OFFER, m.xid);
        lab_receive(UPLINK_PORT);
        assert_true(lab_client_says(&m));
    }
    lab_dhcp_answers(DHCP_TYPE_ACK, m.xid);
    lab_receive(UPLINK_PORT);
    lab_pass_time(10 * S_US);
    return lab_drained(state);
}

/* What ARP has told is good for two minutes, whoever slept how long. */
static void test_arp_ages_in_sleep(void **state)
{
    (void)state;
    assert_false(is_known());
    answer();
    assert_true(is_known());
    silence(60);
    assert_true(is_known());
    silence(125);
    assert_false(is_known());
    answer();
    /* What is learned after a silence is not as old as that. */
    assert_true(is_known());
    lab_pass_time(20 * S_US);
    assert_true(is_known());
}

static void test_requests_are_repeated(void **state)
{
    unsigned asked = 1;

    (void)state;
    silence(200);
    assert_false(is_known());
    for (unsigned s = 1; s <= 12; s++) {
        lab_pass_time(S_US);
        while (lab_sent(LAN_PORT))
            asked += lab_is_arp(1);
        if (s <= 4)
            assert_int_equal(asked, s + 1);
    }
    assert_in_range(asked, 5, 6);
    assert_int_equal(silence(30), 0);
}

/* From one end of the wait to the next there is nothing to wake up for. */
static void test_sleeps_until_the_renewal(void **state)
{
    struct dhcp_message m;
    uint64_t start_us = lab.now_us - 10 * S_US; /* of the lease */
    unsigned wakes = 0;

    (void)state;
    while (!lab_client_says(&m)) {
        wakes += silence(5);
        assert_true(lab.now_us - start_us < LEASE_S * S_US);
    }
    assert_int_equal(m.type, DHCP_TYPE_REQUEST);
    assert_in_range(lab.now_us - start_us, (LEASE_S / 2 - 10) * S_US, (LEASE_S / 2 + 10) * S_US);
    assert_true(wakes <= 4); /* the renewal, and what comes of it */
    lab_dhcp_answers(DHCP_TYPE_ACK, m.xid);
    lab_receive(UPLINK_PORT);
}

/* A machine that was stopped for longer than its lease finds out in its first round. */
static void test_stopped_for_too_long(void **state)
{
    (void)state;
    fake_log_clear();
    lab.now_us += 10ull * LEASE_S * S_US;
    lab_turn();
    assert_true(fake_log_has("the address is lost"));
    assert_int_equal(bound(state), 0);
    assert_true(fake_log_has("uplink    198.51.100.7/24"));
}

/* The time of a round is that of its beginning, and a frame's may be later. */
static void test_rounds_behind_frames(void **state)
{
    (void)state;
    fake_log_clear();
    for (unsigned i = 0; i < 3000; i++) {
        lab.now_us += 1000 + i % 7;
        assert_true(is_known() || i == 0);
        answer();
        host_poll(lab.host, lab.now_us - 900);
    }
    assert_int_equal(fake_log_count, 0);
}

/* Nor is it when the dataplane counts a doubt by it: two answers of a liar in one round do not make
 * up the second that the owner has. */
static void test_doubts_last_their_second(void **state)
{
    static const uint8_t liar[MAC_BYTES] = {2, 0, 0, 0, 0, 0x66};
    struct neighbor_table *t = &lab.dp->neighbors;
    struct neighbor *n;

    (void)state;
    silence(200);
    assert_false(is_known());
    n = neighbor_get(t, LAN, HOST_IP, (uint32_t)(lab.now_us / 1000));
    answer();
    assert_memory_equal(n->hdr, lab_host_mac, MAC_BYTES);
    lab_pass_time(5 * S_US);
    lab_make_arp(liar, 2, HOST_IP, LAN_IP);
    CHECK(fake_nic_receive(&lab.nics[LAN_PORT], lab.f.b, lab.f.n));
    CHECK(fake_nic_receive(&lab.nics[LAN_PORT], lab.f.b, lab.f.n));
    lab.now_us += 2000; /* the round began so long ago */
    dataplane_poll(lab.dp, lab.now_us - 2000);
    host_poll(lab.host, lab.now_us - 2000);
    assert_true(n->doubted);
    assert_memory_equal(n->hdr, lab_host_mac, MAC_BYTES);
    lab_drain();
    lab_pass_time(300000);
    assert_true(n->doubted);
    answer();
    assert_memory_equal(n->hdr, lab_host_mac, MAC_BYTES);
    assert_int_equal(t->followed, 0);
    lab_pass_time(10 * S_US);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, bound)
    const struct CMUnitTest tests[] = {
        T(test_arp_ages_in_sleep),        T(test_requests_are_repeated),
        T(test_sleeps_until_the_renewal), T(test_stopped_for_too_long),
        T(test_rounds_behind_frames),     T(test_doubts_last_their_second),
    };
    return cmocka_run_group_tests_name("host_timers", tests, lab_start, lab_stop);
}
