/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/host/uplink.c and host.c: the uplink's DHCP client against a scripted server, from the first
 * message to a lost lease; and how little the router does while it idles.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "tests/fake/host_lab.h"

#include <stdio.h>

static void test_uplink_gets_its_address(void **state)
{
    struct dhcp_message m;

    (void)state;
    assert_true(lab_client_says(&m)); /* at once: host_start has sent it */
    assert_int_equal(m.type, DHCP_TYPE_DISCOVER);
    assert_memory_equal(lab.got.b, lab_all_mac, MAC_BYTES);
    assert_int_equal(m.flags, DHCP_FLAG_BROADCAST);
    assert_int_equal(m.name.n, 4);
    assert_memory_equal(m.name.at, "gate", 4);
    be32 xid = m.xid;

    fake_log_clear();
    /* Somebody else's, and hostile ones, change nothing. */
    lab_dhcp_answers(DHCP_TYPE_OFFER, xid + 1);
    lab_receive(UPLINK_PORT);
    lab_dhcp_answers(DHCP_TYPE_ACK, xid);
    lab_receive(UPLINK_PORT); /* nothing was requested yet */
    lab_dhcp_answers(DHCP_TYPE_OFFER, xid);
    lab.f.b[lab.f.payload + DHCP_YIADDR_OFF] = 127;
    lab_finish();
    lab_receive(UPLINK_PORT);
    lab_dhcp_answers(DHCP_TYPE_OFFER, xid);
    lab.f.b[lab.f.payload + DHCP_OPTIONS_OFF + 4] = 250; /* an option's length */
    lab_finish();
    lab_receive(UPLINK_PORT);
    lab_dhcp_answers(DHCP_TYPE_OFFER, xid);
    lab.f.b[lab.f.payload + DHCP_CHADDR_OFF + 5] ^= 1;
    lab_finish();
    lab_receive(UPLINK_PORT);
    assert_false(lab_client_says(&m));

    lab_dhcp_answers(DHCP_TYPE_OFFER, xid);
    lab_receive(UPLINK_PORT);
    assert_true(lab_client_says(&m));
    assert_int_equal(m.type, DHCP_TYPE_REQUEST);
    assert_int_equal(m.requested, WAN_IP);
    assert_int_equal(fake_log_count, 0);
    lab_dhcp_answers(DHCP_TYPE_ACK, m.xid);
    lab_receive(UPLINK_PORT);
    assert_string_equal(fake_log_last, "uplink    198.51.100.7/24 gateway 198.51.100.1 "
                                       "dns 198.51.100.53 (DHCP, lease 10m)");
}

static void test_renewal_is_quiet(void **state)
{
    struct dhcp_message m;

    (void)state;
    /* A fresh lease, then half of it. */
    host_link(lab.host, NETWORK_UPLINK, true);
    dataplane_flush(lab.dp);
    assert_true(lab_client_says(&m));
    lab_dhcp_answers(DHCP_TYPE_ACK, m.xid);
    lab_receive(UPLINK_PORT);
    lab_drain();
    fake_log_clear();
    bool renewed = false;
    for (unsigned s = 0; s < LEASE_S && !renewed; s += 5) {
        lab_pass_time(5000000);
        while (lab_sent_outside())
            renewed |= lab_is_udp(BE16(68), BE16(67));
        if (renewed)
            assert_in_range(s, LEASE_S / 2 - 20, LEASE_S / 2 + 20);
    }
    assert_true(renewed);
    assert_int_equal(fake_log_count, 0);
}

static void test_lost_lease_and_nak(void **state)
{
    struct dhcp_message m;
    bool discovers = false;

    (void)state;
    fake_log_clear();
    for (unsigned s = 0; s < LEASE_S + 60; s += 5) {
        lab_pass_time(5000000);
        while (lab_client_says(&m))
            discovers |= m.type == DHCP_TYPE_DISCOVER;
    }
    assert_true(fake_log_has("the address is lost"));
    assert_true(discovers);
    /* It comes back by itself. */
    do
        lab_pass_time(1000000);
    while (!lab_client_says(&m));
    lab_dhcp_answers(DHCP_TYPE_OFFER, m.xid);
    lab_receive(UPLINK_PORT);
    assert_true(lab_client_says(&m));
    lab_dhcp_answers(DHCP_TYPE_NAK, m.xid);
    lab_receive(UPLINK_PORT);
    assert_true(lab_client_says(&m));
    assert_int_equal(m.type, DHCP_TYPE_DISCOVER);
    lab_dhcp_answers(DHCP_TYPE_OFFER, m.xid);
    lab_receive(UPLINK_PORT);
    assert_true(lab_client_says(&m));
    lab_dhcp_answers(DHCP_TYPE_ACK, m.xid);
    fake_log_clear();
    lab_receive(UPLINK_PORT);
    assert_true(fake_log_has("uplink    198.51.100.7/24"));
}

static void test_idle_is_quiet(void **state)
{
    unsigned wakes = 0;

    (void)state;
    lab_pass_time(30000000); /* whatever was under way */
    lab_drain();
    uint64_t end_us = lab.now_us + 120000000;
    while (lab.now_us < end_us) {
        uint64_t next_us = host_next_us(lab.host, lab.now_us);
        assert_true(next_us > lab.now_us);
        lab.now_us = MIN(next_us, end_us);
        host_poll(lab.host, lab.now_us);
        wakes++;
    }
    assert_true(wakes <= 5); /* in two minutes */
}

static char status[4096];

static void status_line(const char *text)
{
    size_t used = strlen(status);
    snprintf(status + used, sizeof(status) - used, "%s\n", text);
}

static void test_status(void **state)
{
    (void)state;
    host_print_status(lab.host, status_line);
    assert_non_null(strstr(status, "uplink    198.51.100.7/24 gateway 198.51.100.1"));
    assert_non_null(strstr(status, "dhcp      lan: 0 of 151 addresses leased"));
    assert_non_null(strstr(status, "dns       queries 0"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, lab_drained)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uplink_gets_its_address),
        T(test_renewal_is_quiet),
        T(test_lost_lease_and_nak),
        T(test_idle_is_quiet),
        T(test_status),
    };
    return cmocka_run_group_tests_name("host_uplink", tests, lab_start, lab_stop);
}
