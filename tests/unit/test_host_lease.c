/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/host/uplink.c: whose word the DHCP client on the uplink takes (RFC 2131, sections 3.1, 4.4.5
 * and 3.2), and what it makes of leases that are odd. The tests run in order; each leaves a lease
 * of the first server.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dataplane_internal.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/host_lab.h"

#include <stdio.h>

#define ROGUE     BE_IP4(198, 51, 100, 66)
#define OTHER_IP  BE_IP4(198, 51, 100, 99)
#define OTHER_GW  BE_IP4(198, 51, 100, 2)
#define OTHER_DNS BE_IP4(198, 51, 100, 54)
#define SECOND_US 1000000

/* What a server says; 0: as the first one does. */
struct words {
    uint8_t type;
    be32 server, ip, mask, gw, dns;
    uint32_t lease_s, t1_s, t2_s;
    bool no_server, no_gw;
};

static struct dhcp_message said; /* by the client */

static void make_words(const struct words *s)
{
    struct dhcp_writer w;
    uint8_t b[600];

    lab_make_dhcp(DHCP_BOOTREPLY, s->type, dataplane_mac(lab.dp, NETWORK_UPLINK), said.xid,
                  s->type == DHCP_TYPE_NAK ? 0
                  : s->ip                  ? s->ip
                                           : WAN_IP,
                  b, &w);
    if (!s->no_server)
        dhcp_put_ip(&w, DHCP_OPT_SERVER, s->server ? s->server : GATEWAY);
    if (s->type != DHCP_TYPE_NAK) {
        dhcp_put32(&w, DHCP_OPT_LEASE, s->lease_s ? s->lease_s : LEASE_S);
        dhcp_put_ip(&w, DHCP_OPT_MASK, s->mask ? s->mask : prefix_mask(24));
        if (!s->no_gw)
            dhcp_put_ip(&w, DHCP_OPT_ROUTER, s->gw ? s->gw : GATEWAY);
        dhcp_put_ip(&w, DHCP_OPT_DNS, s->dns ? s->dns : DNS_SERVER);
        if (s->t1_s)
            dhcp_put32(&w, DHCP_OPT_T1, s->t1_s);
        if (s->t2_s)
            dhcp_put32(&w, DHCP_OPT_T2, s->t2_s);
    }
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, s->server ? s->server : GATEWAY, ALL, BE16(67),
                 BE16(68), b, dhcp_finish(&w, b));
}

static void hear(const struct words *s)
{
    make_words(s);
    lab_receive(UPLINK_PORT);
}

#define HEAR(...) hear(&(struct words){.type = __VA_ARGS__})

/* Time passes until the client says something, at most so long; then it is in said. */
static bool speaks_within(unsigned seconds)
{
    for (unsigned s = 0; s < seconds; s++) {
        if (lab_client_says(&said))
            return true;
        lab_pass_time(SECOND_US);
    }
    return lab_client_says(&said);
}

static void expect_request(unsigned seconds)
{
    assert_true(speaks_within(seconds));
    assert_int_equal(said.type, DHCP_TYPE_REQUEST);
}

static char status[4096];

static void status_line(const char *text)
{
    size_t used = strlen(status);
    snprintf(status + used, sizeof(status) - used, "%s\n", text);
}

static bool status_has(const char *text)
{
    status[0] = 0;
    host_print_status(lab.host, status_line);
    return strstr(status, text) != NULL;
}

/* The usual lease again, from whatever there is. */
static void restore(void)
{
    host_link(lab.host, NETWORK_UPLINK, true);
    dataplane_flush(lab.dp);
    for (;;) {
        assert_true(speaks_within(70));
        if (said.type == DHCP_TYPE_DISCOVER) {
            HEAR(DHCP_TYPE_OFFER);
            continue;
        }
        HEAR(DHCP_TYPE_ACK);
        break;
    }
    assert_true(
        status_has("uplink    198.51.100.7/24 gateway 198.51.100.1 dns 198.51.100.53 (DHCP, "
                   "lease 10m)"));
    lab_drain();
    lab_pass_time(61 * SECOND_US); /* lines that are limited may be said again */
    fake_log_clear();
}

/* ---- two servers ---- */

static void test_first_offer(void **state)
{
    (void)state;
    assert_true(lab_client_says(&said));
    HEAR(DHCP_TYPE_ACK); /* nothing was asked of anybody */
    HEAR(DHCP_TYPE_NAK);
    HEAR(DHCP_TYPE_OFFER, .no_server = true);
    assert_false(lab_client_says(&said));
    HEAR(DHCP_TYPE_OFFER);
    HEAR(DHCP_TYPE_OFFER, .server = ROGUE, .ip = OTHER_IP);
    expect_request(0);
    assert_int_equal(said.server, GATEWAY);
    assert_int_equal(said.requested, WAN_IP);
    fake_log_clear();
    HEAR(DHCP_TYPE_ACK, .server = ROGUE, .ip = OTHER_IP);
    assert_true(fake_log_has("ignored DHCP server 198.51.100.66, which answers too: 198.51.100.1 "
                             "was asked"));
    fake_log_clear();
    HEAR(DHCP_TYPE_NAK, .server = ROGUE);
    HEAR(DHCP_TYPE_NAK, .no_server = true);
    assert_int_equal(fake_log_count, 0); /* not again at once */
    assert_false(lab_client_says(&said));
    HEAR(DHCP_TYPE_ACK);
    assert_true(fake_log_has("uplink    198.51.100.7/24"));
}

static void test_bound_hears_nobody(void **state)
{
    (void)state;
    restore();
    HEAR(DHCP_TYPE_ACK, .dns = OTHER_DNS, .lease_s = 60);
    HEAR(DHCP_TYPE_ACK, .server = ROGUE, .ip = OTHER_IP);
    HEAR(DHCP_TYPE_NAK);
    HEAR(DHCP_TYPE_OFFER);
    assert_int_equal(fake_log_count, 0);
    assert_true(status_has("dns 198.51.100.53 (DHCP, lease 10m)"));
    assert_false(lab_client_says(&said));
}

static void test_renewing(void **state)
{
    (void)state;
    restore();
    expect_request(LEASE_S / 2);
    assert_int_equal(lab_got_ip(IP4_DST_OFF), GATEWAY);
    HEAR(DHCP_TYPE_NAK, .server = ROGUE);
    HEAR(DHCP_TYPE_NAK, .no_server = true);
    HEAR(DHCP_TYPE_ACK, .server = ROGUE, .dns = ROGUE);
    assert_true(fake_log_has("198.51.100.66, which refuses the address"));
    assert_int_equal(fake_log_count, 1);
    assert_true(status_has("uplink    198.51.100.7/24"));
    /* Its own server may change everything. */
    HEAR(DHCP_TYPE_ACK, .gw = OTHER_GW, .dns = OTHER_DNS, .no_server = true);
    assert_true(fake_log_has("uplink    198.51.100.7/24 gateway 198.51.100.2 dns 198.51.100.54"));
    expect_request(LEASE_S);
    HEAR(DHCP_TYPE_ACK, .ip = OTHER_IP);
    assert_true(fake_log_has("uplink    198.51.100.99/24 gateway 198.51.100.1"));
    lab_pass_time(SECOND_US);
    assert_true(fake_log_has("uplink    address changed from 198.51.100.7 to 198.51.100.99"));
}

static void test_own_server_refuses(void **state)
{
    (void)state;
    restore();
    expect_request(LEASE_S / 2);
    HEAR(DHCP_TYPE_NAK);
    assert_true(fake_log_has("uplink    DHCP server 198.51.100.1 refuses the address"));
    assert_true(fake_log_has("uplink    the address is lost"));
    assert_true(speaks_within(1));
    assert_int_equal(said.type, DHCP_TYPE_DISCOVER);
}

/* ---- a server that is gone ---- */

static void test_another_takes_over(void **state)
{
    (void)state;
    restore();
    expect_request(LEASE_S / 2);
    do
        expect_request(LEASE_S / 2);
    while (lab_got_ip(IP4_DST_OFF) != ALL);
    assert_true(fake_log_has("uplink    DHCP server 198.51.100.1 does not renew the lease: asking "
                             "any"));
    HEAR(DHCP_TYPE_NAK, .server = ROGUE);
    assert_true(status_has("uplink    198.51.100.7/24"));
    HEAR(DHCP_TYPE_ACK, .server = OTHER_GW);
    assert_false(fake_log_has("lost"));
    expect_request(LEASE_S / 2 + 20);
    assert_int_equal(lab_got_ip(IP4_DST_OFF), OTHER_GW); /* who is asked from now on */
    HEAR(DHCP_TYPE_ACK, .server = OTHER_GW);
    lab_pass_time(LEASE_S / 3 * (uint64_t)SECOND_US);
    assert_false(fake_log_has("lost"));
}

/* ---- the link was down ---- */

static void test_link_comes_back(void **state)
{
    (void)state;
    restore();
    host_link(lab.host, NETWORK_UPLINK, false);
    host_link(lab.host, NETWORK_UPLINK, true);
    dataplane_flush(lab.dp);
    expect_request(0);
    assert_int_equal(said.requested, WAN_IP);
    assert_int_equal(said.server, 0);
    HEAR(DHCP_TYPE_NAK, .server = ROGUE);
    assert_true(status_has("uplink    198.51.100.7/24"));
    HEAR(DHCP_TYPE_ACK);
    assert_int_equal(fake_log_count, 1); /* about the rogue one */
    assert_false(speaks_within(60));
}

/* Nobody answers; the lease is kept as long as it lasts, and no longer. */
static void test_link_to_nowhere(void **state)
{
    unsigned waited = 0;

    (void)state;
    restore();
    uint64_t bound_us = lab.now_us - 61 * SECOND_US;
    host_link(lab.host, NETWORK_UPLINK, true);
    dataplane_flush(lab.dp);
    do
        assert_true(speaks_within(20));
    while (said.type == DHCP_TYPE_REQUEST && waited++ < 5);
    assert_int_equal(said.type, DHCP_TYPE_DISCOVER);
    assert_true(status_has("uplink    198.51.100.7/24"));
    lab_pass_time(bound_us + (LEASE_S - 10) * (uint64_t)SECOND_US - lab.now_us);
    assert_false(fake_log_has("lost"));
    lab_pass_time(25 * SECOND_US);
    assert_true(fake_log_has("uplink    the address is lost"));
    assert_true(speaks_within(70));
    assert_int_equal(said.type, DHCP_TYPE_DISCOVER);
}

/* Another network is at the end of the cable. */
static void test_link_to_another_network(void **state)
{
    (void)state;
    restore();
    host_link(lab.host, NETWORK_UPLINK, true);
    dataplane_flush(lab.dp);
    do
        assert_true(speaks_within(20));
    while (said.type == DHCP_TYPE_REQUEST);
    HEAR(DHCP_TYPE_OFFER, .server = ROGUE, .ip = OTHER_IP);
    expect_request(0);
    assert_int_equal(said.server, ROGUE);
    HEAR(DHCP_TYPE_ACK, .server = ROGUE, .ip = OTHER_IP);
    lab_pass_time(SECOND_US);
    assert_true(fake_log_has("address changed from 198.51.100.7 to 198.51.100.99"));
    assert_false(fake_log_has("lost"));
}

/* ---- odd leases ---- */

static void test_times(void **state)
{
    (void)state;
    restore();
    /* Too short to be renewed in time. */
    expect_request(LEASE_S / 2);
    HEAR(DHCP_TYPE_ACK, .lease_s = 9);
    assert_true(fake_log_has("ignored DHCP server 198.51.100.1, whose lease is for 9 s"));
    HEAR(DHCP_TYPE_ACK, .lease_s = 10);
    assert_true(status_has("lease 10m") == false && status_has("lease 10s"));
    expect_request(10);
    /* Renewal after the end, and rebinding before renewal. */
    HEAR(DHCP_TYPE_ACK, .t1_s = 10 * LEASE_S, .t2_s = 20 * LEASE_S);
    assert_false(speaks_within(LEASE_S / 2 - 20));
    expect_request(40);
    assert_int_equal(lab_got_ip(IP4_DST_OFF), GATEWAY);
    HEAR(DHCP_TYPE_ACK, .t1_s = LEASE_S / 2, .t2_s = LEASE_S / 4);
    expect_request(LEASE_S / 2 + 10);
    assert_int_equal(lab_got_ip(IP4_DST_OFF), GATEWAY);
    /* It does not end, although the one before did. */
    HEAR(DHCP_TYPE_ACK, .lease_s = CONFIG_FOREVER);
    assert_false(speaks_within(3 * LEASE_S));
    assert_true(status_has("(DHCP, lease inf)"));
    assert_false(fake_log_has("lost"));
}

static void test_addresses(void **state)
{
    static const struct {
        int id;
        be32 mask, gw;
        const char *line;
    } rows[] = {
        {1, 0, BE_IP4(10, 0, 0, 1), "uplink    198.51.100.7/24 gateway 10.0.0.1"},
        {2, ALL, BE_IP4(10, 0, 0, 1), "uplink    198.51.100.7/32 gateway 10.0.0.1"},
        {3, 0, BE_IP4(127, 0, 0, 1), "uplink    198.51.100.7/24 gateway none"},
        {4, 0, BE_IP4(224, 0, 0, 1), "uplink    198.51.100.7/24 gateway none"},
        {5, 0, WAN_IP, "uplink    198.51.100.7/24 gateway none"},
        {6, BE_IP4(255, 0, 255, 0), 0, "uplink    198.51.100.7/32 gateway 198.51.100.1"},
        {7, BE_IP4(0, 0, 0, 255), 0, "uplink    198.51.100.7/32 gateway 198.51.100.1"},
        {8, BE_IP4(255, 255, 255, 252), 0, "uplink    198.51.100.7/30 gateway 198.51.100.1"},
    };

    (void)state;
    restore();
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        print_message("row %d\n", rows[i].id);
        host_link(lab.host, NETWORK_UPLINK, true);
        dataplane_flush(lab.dp);
        expect_request(5);
        HEAR(DHCP_TYPE_ACK, .mask = rows[i].mask, .gw = rows[i].gw);
        assert_true(status_has(rows[i].line));
    }
    host_link(lab.host, NETWORK_UPLINK, true);
    dataplane_flush(lab.dp);
    expect_request(5);
    HEAR(DHCP_TYPE_ACK, .no_gw = true);
    assert_true(status_has("gateway none"));
}

/* The clock is ahead of the round in which the new address comes. What is left over of
 * conversations with the old one is answered all the same, for as long as it may come. */
static void test_another_address_late_in_a_round(void **state)
{
    (void)state;
    restore();
    expect_request(LEASE_S);
    make_words(&(struct words){.type = DHCP_TYPE_ACK, .ip = OTHER_IP});
    CHECK(fake_nic_receive(&lab.nics[UPLINK_PORT], lab.f.b, lab.f.n));
    lab.now_us += SECOND_US;
    dataplane_poll(lab.dp, lab.now_us - 2000);
    host_poll(lab.host, lab.now_us - 2000);
    assert_true(status_has("uplink    198.51.100.99/24"));
    assert_true(lab.dp->nat.moved);
    lab_pass_time(SECOND_US);
    assert_true(lab.dp->nat.moved);
}

/* Nothing is heard for the better part of a year: the lease is renewed at half of it, once. */
static void test_a_lease_of_years(void **state)
{
    const uint64_t day_us = 86400ull * SECOND_US, half_us = 200 * day_us;
    uint64_t bound_us;

    (void)state;
    restore();
    expect_request(LEASE_S);
    HEAR(DHCP_TYPE_ACK, .lease_s = 400 * 86400);
    bound_us = lab.now_us;
    lab_drain();
    lab_pass_time(half_us - 10 * (uint64_t)SECOND_US);
    assert_false(lab_client_says(&said));
    expect_request(20);
    assert_in_range(lab.now_us - bound_us, half_us - 10 * (uint64_t)SECOND_US,
                    half_us + 10 * (uint64_t)SECOND_US);
    HEAR(DHCP_TYPE_ACK);
}

/* A lease in one of our own networks is no way out; another one is. */
static void test_collision(void **state)
{
    (void)state;
    restore();
    expect_request(LEASE_S / 2);
    HEAR(DHCP_TYPE_ACK, .ip = BE_IP4(192, 168, 8, 77), .gw = BE_IP4(192, 168, 8, 254));
    assert_true(fake_log_has("the uplink's subnet overlaps network lan"));
    fake_log_clear();
    expect_request(LEASE_S / 2 + 20);
    HEAR(DHCP_TYPE_ACK);
    assert_true(fake_log_has("uplink    198.51.100.7/24"));
    assert_false(fake_log_has("overlaps"));
}

int main(void)
{
#define T(f) cmocka_unit_test(f)
    const struct CMUnitTest tests[] = {
        T(test_first_offer),
        T(test_bound_hears_nobody),
        T(test_renewing),
        T(test_own_server_refuses),
        T(test_another_takes_over),
        T(test_link_comes_back),
        T(test_link_to_nowhere),
        T(test_link_to_another_network),
        T(test_times),
        T(test_a_lease_of_years),
        T(test_another_address_late_in_a_round),
        T(test_addresses),
        T(test_collision),
    };
    return cmocka_run_group_tests_name("host_lease", tests, lab_start, lab_stop);
}
