/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_server.c among several networks: who is bound to which address (lock=ip), routes between
 * networks (RFC 3442), and networks of one subnet.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dhcp_store.h"
#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_alloc.h"

static void assert_option(uint8_t code, const void *value, unsigned length)
{
    unsigned n;
    const uint8_t *at = dhcp_lab_option(code, &n);

    if (!at || n != length || memcmp(at, value, length) != 0)
        fail_msg("option %u is missing or wrong", code);
}

static void assert_no_option(uint8_t code)
{
    unsigned n;

    assert_null(dhcp_lab_option(code, &n));
}

/* What lock=ip is told. */
static void test_bindings(void **state)
{
    struct dhcp_lab_request release = {.type = DHCP_TYPE_RELEASE, .client = 1, .server = ROUTER};
    uint8_t mac[MAC_BYTES];

    (void)state;
    dhcp_lab_mac_of(mac, 1);
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = 1}),
        DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab.binding_count, 0); /* an offer is no lease */
    be32 ip = dhcp_lab_lease(1);
    const struct dhcp_lab_binding *b = dhcp_lab_bound(0, ip);
    assert_non_null(b);
    assert_memory_equal(b->mac, mac, MAC_BYTES);
    assert_in_range(b->until_us, dhcp_lab.now_us + LEASE_S * 1000000ull,
                    dhcp_lab.now_us + (LEASE_S + LEASE_GRACE_S) * 1000000ull);
    /* Renewed, it lasts longer. */
    dhcp_lab.now_us += LEASE_S / 2 * 1000000ull;
    uint64_t before_us = b->until_us;
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 1, .ciaddr = ip}),
                     DHCP_TYPE_ACK);
    assert_int_equal(dhcp_lab_bound(0, ip)->until_us, before_us + LEASE_S / 2 * 1000000ull);
    /* Somebody else's release in its name, and a refused request, change nothing. */
    release.ciaddr = ip;
    release.forged = true;
    assert_int_equal(dhcp_lab_ask(release), 0);
    assert_non_null(dhcp_lab_bound(0, ip));
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DECLINE,
                                                            .client = 1,
                                                            .server = ROUTER,
                                                            .requested = ip,
                                                            .forged = true}),
                     0);
    assert_non_null(dhcp_lab_bound(0, ip));
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 2, .ciaddr = ip}),
                     DHCP_TYPE_NAK);
    assert_memory_equal(dhcp_lab_bound(0, ip)->mac, mac, MAC_BYTES);
    /* Its own ends it, and so does a decline. */
    release.forged = false;
    assert_int_equal(dhcp_lab_ask(release), 0);
    assert_null(dhcp_lab_bound(0, ip));
    ip = dhcp_lab_lease(1);
    assert_non_null(dhcp_lab_bound(0, ip));
    dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_DECLINE, .client = 1, .server = ROUTER, .requested = ip});
    assert_null(dhcp_lab_bound(0, ip));
}

/* An address changes its client, and a client its address. */
static void test_bindings_move(void **state)
{
    uint8_t mac[MAC_BYTES];

    (void)state;
    /* Another address, and the old one is not its any more. */
    be32 old = dhcp_lab_lease(1), other = POOL(2);
    while (other == old)
        other = hton32(ntoh32(other) + 1);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 1, .requested = other}),
                     DHCP_TYPE_ACK);
    assert_non_null(dhcp_lab_bound(0, other));
    assert_null(dhcp_lab_bound(0, old));
    /* When the lease is over another client may have it; and of a lease without end there is none.
     */
    dhcp_lab.now_us += 2 * LEASE_S * 1000000ull;
    assert_null(dhcp_lab_bound(0, other));
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 5, .requested = other}),
                     DHCP_TYPE_ACK);
    dhcp_lab_mac_of(mac, 5);
    assert_memory_equal(dhcp_lab_bound(0, other)->mac, mac, MAC_BYTES);
    assert_int_equal(
        dhcp_lab_ask_on(1, (struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                     .client = 5,
                                                     .requested = BE_IP4(192, 168, 9, 101)}),
        DHCP_TYPE_ACK);
    assert_int_equal(dhcp_lab_bound(1, BE_IP4(192, 168, 9, 101))->until_us,
                     CONFIG_FOREVER * 1000000ull); /* but UINT64_MAX is for reservations */
    assert_non_null(dhcp_lab_bound(0, other));     /* it is in two networks */
}

/* A reservation is bound for good, by who reads the configuration; its leases say nothing of it. */
static void test_reservations_are_not_bound(void **state)
{
    uint8_t mac[MAC_BYTES];

    (void)state;
    dhcp_lab_mac_of(mac, 1);
    be32 before = dhcp_lab_lease(1);
    assert_non_null(dhcp_lab_bound(0, before));
    dhcp_lab.config.host_count = 1;
    dhcp_lab.config.hosts[0] = (struct config_host){.net = 0, .ip = POOL(6)};
    memcpy(dhcp_lab.config.hosts[0].mac, mac, MAC_BYTES);
    dhcp_lab_start();
    assert_int_equal(dhcp_lab_lease(1), POOL(6));
    assert_int_equal(dhcp_lab.binding_count, 0);
    dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_RELEASE, .client = 1, .ciaddr = POOL(6), .server = ROUTER});
    assert_int_equal(dhcp_lab.binding_count, 0);
}

/* RFC 3442: a network without a way out gets routes to those it talks to. */
static void test_routes_between_networks(void **state)
{
    static const struct {
        int id;
        uint8_t prefix;
        be32 ip;
        uint8_t routes[9];
        unsigned n;
    } rows[] = {
        {1, 24, ROUTER, {24, 192, 168, 8, 192, 168, 9, 1}, 8},
        {2, 25, BE_IP4(192, 168, 8, 129), {25, 192, 168, 8, 128, 192, 168, 9, 1}, 9},
        {3, 16, BE_IP4(172, 16, 3, 1), {16, 172, 16, 192, 168, 9, 1}, 7},
        {4, 9, BE_IP4(10, 129, 3, 1), {9, 10, 128, 192, 168, 9, 1}, 7},
        {5, 8, BE_IP4(10, 129, 3, 1), {8, 10, 192, 168, 9, 1}, 6},
    };
    struct dhcp_lab_request discover = {.type = DHCP_TYPE_DISCOVER};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab.config.nets[0].ip = rows[i].ip;
        dhcp_lab.config.nets[0].prefix = rows[i].prefix;
        dhcp_lab.talks = 0;
        assert_int_equal(dhcp_lab_ask_on(1, discover), DHCP_TYPE_OFFER);
        assert_no_option(DHCP_OPT_ROUTES);
        dhcp_lab.talks = 1u << 1;
        assert_int_equal(dhcp_lab_ask_on(1, discover), DHCP_TYPE_OFFER);
        assert_option(DHCP_OPT_ROUTES, rows[i].routes, rows[i].n);
        assert_no_option(DHCP_OPT_ROUTER);
    }
    /* An internal network has no address to have a route to; and with a way out one gateway does.
     */
    dhcp_lab.config.nets[0].ip = 0;
    assert_int_equal(dhcp_lab_ask_on(1, discover), DHCP_TYPE_OFFER);
    assert_no_option(DHCP_OPT_ROUTES);
    dhcp_lab_setup(state);
    dhcp_lab.talks = 3;
    assert_int_equal(dhcp_lab_ask(discover), DHCP_TYPE_OFFER);
    assert_no_option(DHCP_OPT_ROUTES);
}

/* Two networks of one subnet, whose router has one address: leases, names and reservations of each
 * are its own. */
static void test_networks_of_one_subnet(void **state)
{
    struct config *c = &dhcp_lab.config;
    struct dhcp_lab_request ask = {.type = DHCP_TYPE_REQUEST, .requested = POOL(3), .name = "twin"};

    (void)state;
    c->nets[1] = c->nets[0];
    c->host_count = 2;
    c->hosts[0] = (struct config_host){.net = 0, .ip = POOL(6), .name = "web"};
    c->hosts[1] = (struct config_host){.net = 1, .ip = POOL(6), .name = "www"};
    dhcp_lab_mac_of(c->hosts[0].mac, 10);
    dhcp_lab_mac_of(c->hosts[1].mac, 11);
    dhcp_lab_start();
    for (unsigned net = 0; net < 2; net++) {
        ask.client = net + 1;
        assert_int_equal(dhcp_lab_ask_on(net, ask), DHCP_TYPE_ACK);
        assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, net, "twin", 4, dhcp_lab.now_us),
                         POOL(3));
        ask.client = 3;
        assert_int_equal(dhcp_lab_ask_on(net, ask), DHCP_TYPE_NAK);
    }
    assert_int_not_equal(dhcp_lab_bound(0, POOL(3))->mac[5], dhcp_lab_bound(1, POOL(3))->mac[5]);
    /* A release in one is none in the other. */
    dhcp_lab_ask_on(
        1, (struct dhcp_lab_request){
               .type = DHCP_TYPE_RELEASE, .client = 2, .ciaddr = POOL(3), .server = ROUTER});
    assert_null(dhcp_lab_bound(1, POOL(3)));
    assert_non_null(dhcp_lab_bound(0, POOL(3)));
    assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, 1, "twin", 4, dhcp_lab.now_us), 0);
    /* Reservations of one address, one in each; elsewhere their machines are guests. */
    for (unsigned net = 0; net < 2; net++)
        for (unsigned host = 0; host < 2; host++) {
            struct dhcp_lab_request r = {
                .type = DHCP_TYPE_REQUEST, .client = 10 + host, .requested = POOL(6)};
            assert_int_equal(dhcp_lab_ask_on(net, r), net == host ? DHCP_TYPE_ACK : DHCP_TYPE_NAK);
        }
    assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, 0, "www", 3, dhcp_lab.now_us), 0);
    assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, 1, "www", 3, dhcp_lab.now_us),
                     POOL(6));
    /* And a machine may be a host in both. */
    ask.client = 20;
    ask.name = NULL;
    for (unsigned net = 0; net < 2; net++) {
        ask.requested = POOL(4 + net);
        assert_int_equal(dhcp_lab_ask_on(net, ask), DHCP_TYPE_ACK);
    }
    assert_non_null(dhcp_lab_bound(0, POOL(4)));
    assert_non_null(dhcp_lab_bound(1, POOL(5)));
}

/* What the memory plan is told is what is taken, with whatever pools and reservations. */
static void test_memory_is_known_before(void **state)
{
    static const unsigned pools[] = {1, 8, 63, 64, 200, 1000, 20000, 65533};
    static const uint32_t groups[] = {7, 64, STORE_MAX_GROUPS}; /* of a disk that keeps them */
    static struct dhcp_store store;

    (void)state;
    dhcp_lab.config.nets[0].prefix = 16;
    dhcp_lab.config.nets[0].pool_first = BE_IP4(192, 168, 0, 2);
    for (size_t i = 0; i < ARRAY_COUNT(pools); i++) {
        dhcp_lab.config.nets[0].pool_last =
            hton32(ntoh32(dhcp_lab.config.nets[0].pool_first) + pools[i] - 1);
        dhcp_lab.config.host_count = (uint16_t)i;
        for (unsigned h = 0; h < i; h++) /* some in the pool, some out of it, some nowhere */
            dhcp_lab.config.hosts[h] =
                (struct config_host){.net = (uint8_t)(h % 2),
                                     .ip = h == 4 ? 0 : BE_IP4(192, 168, 9 * (h % 2), 50 + h),
                                     .mac = {2, (uint8_t)h}};
        dhcp_lab_start();
        assert_int_equal(dhcp_server_bytes(&dhcp_lab.config), fake_alloc_bytes);
        for (size_t g = 0; g < ARRAY_COUNT(groups); g++) {
            size_t before = fake_alloc_bytes;
            assert_int_equal(dhcp_store_init(&store, &dhcp_lab.server, groups[g], 1, fake_alloc,
                                             fake_alloc_dirty),
                             0);
            assert_int_equal(dhcp_store_bytes(&dhcp_lab.config, groups[g]),
                             fake_alloc_bytes - before);
        }
    }
    dhcp_lab.config.nets[1].pool_first = 0;
    assert_int_equal(dhcp_network_bytes(&dhcp_lab.config, 1), 0);
    dhcp_lab.config.nets[0].mode = NET_BRIDGE; /* it has no DHCP, whatever pool= says */
    assert_int_equal(dhcp_network_bytes(&dhcp_lab.config, 0), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_bindings),
        T(test_bindings_move),
        T(test_reservations_are_not_bound),
        T(test_routes_between_networks),
        T(test_networks_of_one_subnet),
        T(test_memory_is_known_before),
    };
    return cmocka_run_group_tests_name("dhcp_networks", tests, NULL, NULL);
}
