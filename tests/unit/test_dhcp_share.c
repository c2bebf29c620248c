/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_lease.c and net/dhcp_server.c when there is not enough for all: the share of each port,
 * the order in which addresses are given up, and what is said and counted.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/lease_judge.h"

#define PORTS 0xEu /* 1, 2 and 3 */

static struct lease_table *leases(void)
{
    return &dhcp_lab.server.leases[0];
}

static void start(unsigned pool, uint32_t ports)
{
    dhcp_lab.config.nets[0].pool_last = POOL(pool - 1);
    dhcp_lab.config.nets[0].ports = ports;
    dhcp_lab_start();
}

static void pass(uint32_t seconds)
{
    dhcp_lab.now_us += seconds * 1000000ull;
}

static unsigned discover(unsigned client, unsigned port)
{
    return dhcp_lab_ask(
        (struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = client, .port = port});
}

/* Discover and request; the address, or 0. */
static be32 lease_at(unsigned client, unsigned port)
{
    if (discover(client, port) != DHCP_TYPE_OFFER)
        return 0;
    be32 ip = dhcp_lab_yiaddr();
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                            .client = client,
                                                            .port = port,
                                                            .requested = ip,
                                                            .server = ROUTER}),
                     DHCP_TYPE_ACK);
    lease_judge(leases());
    return ip;
}

/* How many of many new clients on a port get a lease. */
static unsigned flood(unsigned port)
{
    static unsigned client = 1000;
    unsigned granted = 0;

    for (unsigned i = 0; i < 250; i++)
        granted += lease_at(client++, port) != 0;
    return granted;
}

/* One port after the other takes what it can get. */
static void test_shares(void **state)
{
    static const struct {
        int id;
        unsigned pool;
        uint32_t ports;
        unsigned granted[3]; /* to ports 1, 2, 3 */
    } rows[] = {
        {1, 100, PORTS, {80, 16, 3}}, /* four fifths of 100, of 20, of 4 */
        {2, 30, PORTS, {24, 4, 1}},
        {3, 8, PORTS, {6, 1, 1}},
        {4, 3, PORTS, {2, 1, 0}},
        {5, 2, PORTS, {1, 1, 0}},
        {6, 1, PORTS, {1, 0, 0}},
        {7, 100, 1u << 1, {100, 0, 0}}, /* one port alone: nobody to protect */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start(rows[i].pool, rows[i].ports);
        for (unsigned p = 0; p < 3; p++) {
            unsigned granted = flood(p + 1);
            if (granted != rows[i].granted[p])
                fail_msg("row %d: port %u got %u", rows[i].id, p + 1, granted);
        }
    }
}

static void test_holders_and_reservations_are_not_refused(void **state)
{
    (void)state;
    dhcp_lab.config.host_count = 1;
    dhcp_lab.config.hosts[0] = (struct config_host){.net = 0, .ip = POOL(3)};
    dhcp_lab_mac_of(dhcp_lab.config.hosts[0].mac, 7);
    start(20, PORTS);
    be32 mine = lease_at(1, 1);
    assert_in_range(flood(1), 12, 16);
    assert_int_equal(discover(2, 1), 0);
    assert_int_equal(lease_at(7, 1), POOL(3));
    struct dhcp_lab_request renew = {
        .type = DHCP_TYPE_REQUEST, .client = 1, .port = 1, .ciaddr = mine};
    assert_int_equal(dhcp_lab_ask(renew), DHCP_TYPE_ACK);
    assert_int_equal(discover(1, 1), DHCP_TYPE_OFFER);
    /* From elsewhere to the port that has its share: it keeps its address. */
    be32 other = lease_at(3, 2);
    uint32_t held = leases()->held[1];
    renew.client = 3;
    renew.ciaddr = other;
    assert_int_equal(dhcp_lab_ask(renew), DHCP_TYPE_ACK);
    assert_int_equal(leases()->held[1], held + 1);
    assert_int_equal(leases()->held[2], 0);
    /* Another address instead of its own is none more. */
    for (unsigned i = 0; i < 20; i++) {
        const struct lease *l = lease_of_ip(leases(), POOL(i));
        if (l->state != LEASE_FREE || l->host != CONFIG_MAX_HOSTS)
            continue;
        renew.ciaddr = 0;
        renew.requested = l->ip;
        assert_int_equal(dhcp_lab_ask(renew), DHCP_TYPE_ACK);
        break;
    }
    lease_judge(leases());
}

/* A client we do not know that asks for an address is not told that it cannot have it. */
static void test_over_share_is_silence_and_said_once(void **state)
{
    (void)state;
    start(20, PORTS);
    flood(1);
    fake_log_clear();
    uint64_t before = dhcp_lab.server.counters.over_share;
    for (unsigned c = 1; c < 10; c++) {
        assert_int_equal(discover(c, 1), 0);
        assert_int_equal(
            dhcp_lab_ask((struct dhcp_lab_request){
                .type = DHCP_TYPE_REQUEST, .client = c, .port = 1, .requested = POOL(19)}),
            lease_of_ip(leases(), POOL(19))->state == LEASE_FREE ? 0 : DHCP_TYPE_NAK);
    }
    assert_true(dhcp_lab.server.counters.over_share >= before + 9);
    assert_int_equal(fake_log_count, 0); /* flood() had the minute's line */
    pass(61);
    assert_int_equal(discover(1, 1), 0);
    assert_int_equal(discover(2, 1), 0);
    assert_int_equal(fake_log_count, 1);
    assert_true(fake_log_has("port 1 holds 16 of 20 addresses, its share"));
}

/* Declined addresses are of no use to anybody, so they count for who declined them. */
static void test_declining_does_not_help(void **state)
{
    unsigned declined = 0;

    (void)state;
    start(20, PORTS);
    for (unsigned c = 100; c < 200; c++) {
        be32 ip = lease_at(c, 1);
        if (!ip)
            continue;
        dhcp_lab_ask((struct dhcp_lab_request){
            .type = DHCP_TYPE_DECLINE, .client = c, .port = 1, .requested = ip, .server = ROUTER});
        declined++;
    }
    assert_int_equal(declined, 16);
    assert_true(lease_at(1, 2) != 0);
}

static void test_few_unanswered_offers(void **state)
{

    (void)state;
    start(100, PORTS);
    /* One over the limit, and the oldest is given up; its client may still have the address. */
    for (unsigned c = 0; c < 200; c++) {
        assert_int_equal(discover(c, 1), DHCP_TYPE_OFFER);
        lease_judge(leases());
        assert_true(leases()->offers[1].count <= LEASE_PORT_OFFERS + leases()->left / 4 + 1);
    }
    assert_int_equal(leases()->offers[1].count, 32); /* 16, and a quarter of some 67 left */
    pass(LEASE_OFFER_S);
    assert_int_equal(discover(500, 2), DHCP_TYPE_OFFER);
    assert_int_equal(leases()->offers[1].count, 0);
    assert_int_equal(leases()->left, 99);
}

/* What is given up when nothing is vacant: what has been over for longest, then the offer that has
 * waited for longest (but not at once), then what is only seen. */
static void test_order_of_giving_up(void **state)
{
    struct dhcp_lab_request release = {.type = DHCP_TYPE_RELEASE, .server = ROUTER};
    uint8_t mac[MAC_BYTES];
    be32 ip[4];

    (void)state;
    start(6, 1u << 1);
    for (unsigned c = 0; c < 4; c++)
        ip[c] = lease_at(c, 1);
    static const unsigned order[] = {2, 0, 3};
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        release.client = order[i];
        release.ciaddr = ip[order[i]];
        release.port = 1;
        dhcp_lab_ask(release);
    }
    be32 seen = 0;
    for (unsigned i = 0; i < 6 && !seen; i++)
        if (lease_of_ip(leases(), POOL(i))->state == LEASE_FREE)
            seen = POOL(i);
    dhcp_lab_mac_of(mac, 77);
    dhcp_server_seen(&dhcp_lab.server, 0, seen, mac, dhcp_lab.now_us);
    assert_int_equal(discover(10, 1), DHCP_TYPE_OFFER); /* the one left */
    be32 offered = dhcp_lab_yiaddr();
    pass(1);
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++)
        assert_int_equal(lease_at(20 + i, 1), ip[order[i]]);
    /* The offer is too young, the one seen is not wanted: but there is no other. */
    assert_int_equal(discover(30, 1), DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), seen);
    assert_int_equal(discover(31, 1), 0);
    pass(LEASE_OFFER_MIN_S - 1);
    assert_int_equal(discover(32, 1), DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), offered);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                            .client = 10,
                                                            .port = 1,
                                                            .requested = offered,
                                                            .server = ROUTER}),
                     DHCP_TYPE_NAK);
    lease_judge(leases());
}

/* Who was away for long finds its address while others need not have it. */
static void test_over_is_remembered(void **state)
{
    (void)state;
    start(20, PORTS);
    be32 mine = lease_at(1, 1);
    pass(3 * LEASE_S);
    for (unsigned c = 100; c < 110; c++)
        assert_int_not_equal(lease_at(c, 2), mine);
    assert_int_equal(lease_at(1, 1), mine);
}

/* A /16: every address once, found again by client and address; and when all end at once, no call
 * does more than its part of the work. */
static void test_a_pool_of_65534(void **state)
{
    static const uint8_t random[25] = "as good as random, or so?";
    static struct lease_table t;
    struct config *config = &dhcp_lab.config;
    uint8_t mac[MAC_BYTES] = {2};
    const uint32_t count = 65534;

    (void)state;
    config->nets[0].ip = BE_IP4(10, 0, 0, 1);
    config->nets[0].prefix = 15;
    config->nets[0].pool_first = BE_IP4(10, 0, 0, 2);
    config->nets[0].pool_last = hton32(ntoh32(BE_IP4(10, 0, 0, 2)) + count - 1);
    assert_int_equal(lease_table_init(&t, config, 0, random, fake_alloc, fake_alloc_dirty), 0);
    for (uint32_t c = 0; c < count; c++) {
        store_be32(mac + 2, c * 2654435761u);
        struct lease_id who = lease_id_of(&t, NULL, 0, mac, false);
        struct lease *l = lease_choose(&t, &who, mac, 0, 1);
        assert_true(l && l->state == LEASE_FREE);
        lease_take(&t, l, &who, mac, 1, LEASE_GRANTED, 1000);
        assert_ptr_equal(lease_of_client(&t, &who), l);
    }
    assert_int_equal(t.left, 0);
    struct lease_id who = lease_id_of(&t, (const uint8_t *)"x", 1, mac, false);
    assert_null(lease_choose(&t, &who, mac, 0, 1));
    lease_judge(&t);
    assert_false(lease_sweep(&t, 999));
    for (uint32_t swept = 0; swept + LEASE_SWEEP <= count; swept += LEASE_SWEEP) {
        assert_true(lease_sweep(&t, 1000));
        assert_int_equal(t.over.count, swept + LEASE_SWEEP);
    }
    assert_false(lease_sweep(&t, 1000));
    assert_int_equal(t.left, count);
    lease_judge(&t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_shares),
        T(test_holders_and_reservations_are_not_refused),
        T(test_over_share_is_silence_and_said_once),
        T(test_declining_does_not_help),
        T(test_few_unanswered_offers),
        T(test_order_of_giving_up),
        T(test_over_is_remembered),
        T(test_a_pool_of_65534),
    };
    return cmocka_run_group_tests_name("dhcp_share", tests, NULL, NULL);
}
