/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_server.c, net/dhcp_lease.c and net/wire/dhcp.c: every message type (RFC 2131, tables 3
 * to 5), where answers go, option parsing with hostile lengths, and random clients against a model
 * that knows who holds what.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dhcp_server.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_base.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUTER    BE_IP4(192, 168, 8, 1)
#define POOL(i)   BE_IP4(192, 168, 8, 100 + (i))
#define ALL       0xFFFFFFFFu
#define POOL_SIZE 8
#define LEASE_S   3600

static struct config config;
static struct dhcp_server server;
static struct dhcp_reply reply;
static uint64_t now_us;
static uint8_t secret[24] = "sixteen and eight more";
static const uint8_t relay_mac[MAC_BYTES] = {2, 0, 0, 0, 0xEE, 0xEE};
static uint32_t seed = 7;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void mac_of(uint8_t *mac, unsigned client)
{
    const uint8_t base[MAC_BYTES] = {2, 0, 0, 0, (uint8_t)(client >> 8), (uint8_t)client};
    memcpy(mac, base, MAC_BYTES);
}

static void start(void)
{
    fake_alloc_free_all();
    assert_int_equal(dhcp_server_init(&server, &config, secret, fake_alloc), 0);
    fake_log_clear();
}

static int setup(void **state)
{
    (void)state;
    memset(&config, 0, sizeof(config));
    config.ok = true;
    config.net_count = 2;
    config.nets[0] = (struct config_net){
        .name = "lan",
        .mode = NET_NAT,
        .prefix = 24,
        .dns_self = true,
        .ip = ROUTER,
        .pool_first = POOL(0),
        .pool_last = POOL(POOL_SIZE - 1),
        .lease_s = LEASE_S,
        .domain = "lan",
    };
    config.nets[1] = config.nets[0];
    config.nets[1].mode = NET_HOSTONLY;
    config.nets[1].ip = BE_IP4(192, 168, 9, 1);
    config.nets[1].pool_first = BE_IP4(192, 168, 9, 100);
    config.nets[1].pool_last = BE_IP4(192, 168, 9, 110);
    config.nets[1].lease_s = CONFIG_FOREVER;
    config.nets[1].mtu = 9000;
    snprintf(config.hostname, sizeof(config.hostname), "sluice");
    now_us = 1000000;
    start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

/* ---- requests ---- */

struct request {
    uint8_t type;
    unsigned client;
    be32 ciaddr, giaddr, requested, server;
    be16 flags;
    uint16_t max_size;
    const char *id, *name, *relay;
};

static size_t build(uint8_t *b, size_t room, const struct request *r)
{
    struct dhcp_writer w = {b + DHCP_OPTIONS_OFF, b + room};

    memset(b, 0, room);
    b[DHCP_OP_OFF] = DHCP_BOOTREQUEST;
    b[DHCP_HTYPE_OFF] = DHCP_HTYPE_ETHERNET;
    b[DHCP_HLEN_OFF] = MAC_BYTES;
    store_be32(b + DHCP_XID_OFF, 0xA0B0C000u + r->client);
    store_raw16(b + DHCP_FLAGS_OFF, r->flags);
    store_raw32(b + DHCP_CIADDR_OFF, r->ciaddr);
    store_raw32(b + DHCP_GIADDR_OFF, r->giaddr);
    mac_of(b + DHCP_CHADDR_OFF, r->client);
    store_be32(b + DHCP_COOKIE_OFF, DHCP_COOKIE);
    dhcp_put8(&w, DHCP_OPT_TYPE, r->type);
    if (r->requested)
        dhcp_put_ip(&w, DHCP_OPT_REQUESTED, r->requested);
    if (r->server)
        dhcp_put_ip(&w, DHCP_OPT_SERVER, r->server);
    if (r->max_size)
        dhcp_put16(&w, DHCP_OPT_MAX_SIZE, r->max_size);
    if (r->id)
        dhcp_put(&w, DHCP_OPT_CLIENT_ID, r->id, strlen(r->id));
    if (r->name)
        dhcp_put(&w, DHCP_OPT_NAME, r->name, strlen(r->name));
    if (r->relay)
        dhcp_put(&w, DHCP_OPT_RELAY, r->relay, strlen(r->relay));
    return dhcp_finish(&w, b);
}

/* The type of the answer, 0 for none. What must hold for every answer is checked here. */
static unsigned ask_on(unsigned network, struct request r)
{
    uint8_t b[1024], from[MAC_BYTES];
    struct dhcp_message m;
    size_t n = build(b, sizeof(b), &r);

    mac_of(from, r.client);
    if (!dhcp_server_handle(&server, network, b, n, r.giaddr ? relay_mac : from, now_us, &reply))
        return 0;
    assert_true(reply.n >= DHCP_MIN_BYTES && reply.n <= sizeof(reply.bytes));
    assert_int_equal(reply.bytes[DHCP_OP_OFF], DHCP_BOOTREPLY);
    assert_true(dhcp_read(&m, reply.bytes, reply.n));
    assert_memory_equal(reply.bytes + DHCP_XID_OFF, b + DHCP_XID_OFF, 4);
    assert_memory_equal(reply.bytes + DHCP_CHADDR_OFF, b + DHCP_CHADDR_OFF, DHCP_CHADDR_BYTES);
    assert_int_equal(m.giaddr, r.giaddr);
    assert_int_equal(m.server, config.nets[network].ip);
    assert_int_equal(m.client_id.n, r.id ? strlen(r.id) : 0);
    if (r.id)
        assert_memory_equal(m.client_id.at, r.id, m.client_id.n);
    return m.type;
}

static unsigned ask(struct request r)
{
    return ask_on(0, r);
}

static be32 yiaddr(void)
{
    return load_raw32(reply.bytes + DHCP_YIADDR_OFF);
}

/* The option's value, or NULL; *n its length. By a walk that shares nothing with the code under
 * test. */
static const uint8_t *option(uint8_t code, unsigned *n)
{
    const uint8_t *at = reply.bytes + DHCP_OPTIONS_OFF, *end = reply.bytes + reply.n;

    while (at < end && *at != DHCP_OPT_END) {
        if (*at == DHCP_OPT_PAD) {
            at++;
            continue;
        }
        if (*at == code) {
            *n = at[1];
            return at + 2;
        }
        at += 2 + at[1];
    }
    *n = 0;
    return NULL;
}

static void assert_option(uint8_t code, const void *value, unsigned length)
{
    unsigned n;
    const uint8_t *at = option(code, &n);

    if (!at || n != length || memcmp(at, value, length) != 0)
        fail_msg("option %u is missing or wrong", code);
}

static void assert_option32(uint8_t code, uint32_t value)
{
    be32 v = hton32(value);
    assert_option(code, &v, 4);
}

static void assert_no_option(uint8_t code)
{
    unsigned n;

    assert_null(option(code, &n));
}

/* Discover and request; the address. */
static be32 lease(unsigned client)
{
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = client}),
                     DHCP_TYPE_OFFER);
    be32 ip = yiaddr();
    assert_int_equal(
        ask((struct request){
            .type = DHCP_TYPE_REQUEST, .client = client, .requested = ip, .server = ROUTER}),
        DHCP_TYPE_ACK);
    assert_int_equal(yiaddr(), ip);
    return ip;
}

/* ---- tests ---- */

static void test_lease_carries_all_options(void **state)
{
    const be32 mask = BE_IP4(255, 255, 255, 0), broadcast = BE_IP4(192, 168, 8, 255), ip = ROUTER;
    char want[32];

    (void)state;
    lease(1);
    assert_option(DHCP_OPT_MASK, &mask, 4);
    assert_option(DHCP_OPT_ROUTER, &ip, 4);
    assert_option(DHCP_OPT_DNS, &ip, 4);
    assert_option(DHCP_OPT_BROADCAST, &broadcast, 4);
    assert_option(DHCP_OPT_DOMAIN, "lan", 3);
    assert_option32(DHCP_OPT_LEASE, LEASE_S);
    assert_option32(DHCP_OPT_T1, LEASE_S / 2);
    assert_option32(DHCP_OPT_T2, LEASE_S * 7 / 8);
    assert_no_option(DHCP_OPT_MTU);
    assert_no_option(DHCP_OPT_NAME);
    snprintf(want, sizeof(want), "192.168.8.%u", ntoh32(yiaddr()) & 255);
    assert_true(fake_log_has(want));
}

static void test_hostonly_has_no_router_and_forever_no_times(void **state)
{
    const be16 mtu = BE16(9000);

    (void)state;
    assert_int_equal(ask_on(1, (struct request){.type = DHCP_TYPE_DISCOVER}), DHCP_TYPE_OFFER);
    assert_no_option(DHCP_OPT_ROUTER);
    assert_no_option(DHCP_OPT_T1);
    assert_no_option(DHCP_OPT_T2);
    assert_option32(DHCP_OPT_LEASE, UINT32_MAX);
    assert_option(DHCP_OPT_MTU, &mtu, 2);
    now_us += 400ull * 86400 * 1000000;
    assert_int_equal(ask_on(1, (struct request){.type = DHCP_TYPE_DISCOVER}), DHCP_TYPE_OFFER);
}

/* RFC 2131, section 4.1. */
static void test_where_answers_go(void **state)
{
    const be32 relay = BE_IP4(192, 168, 8, 50), mine = POOL(3);
    uint8_t mac[MAC_BYTES], all[MAC_BYTES];
    const struct {
        int id;
        struct request r;
        unsigned type;
        be32 to;
        be16 port;
        const uint8_t *mac;
    } rows[] = {
        {1, {.type = DHCP_TYPE_DISCOVER, .requested = mine}, DHCP_TYPE_OFFER, mine, BE16(68), mac},
        {2,
         {.type = DHCP_TYPE_DISCOVER, .requested = mine, .flags = DHCP_FLAG_BROADCAST},
         DHCP_TYPE_OFFER,
         ALL,
         BE16(68),
         all},
        {3,
         {.type = DHCP_TYPE_DISCOVER,
          .requested = mine,
          .giaddr = relay,
          .flags = DHCP_FLAG_BROADCAST},
         DHCP_TYPE_OFFER,
         relay,
         BE16(67),
         relay_mac},
        {4, {.type = DHCP_TYPE_REQUEST, .ciaddr = mine}, DHCP_TYPE_ACK, mine, BE16(68), mac},
        {5,
         {.type = DHCP_TYPE_REQUEST, .ciaddr = mine, .flags = DHCP_FLAG_BROADCAST},
         DHCP_TYPE_ACK,
         mine,
         BE16(68),
         mac},
        {6,
         {.type = DHCP_TYPE_REQUEST, .requested = BE_IP4(10, 0, 0, 1)},
         DHCP_TYPE_NAK,
         ALL,
         BE16(68),
         all},
        {7,
         {.type = DHCP_TYPE_REQUEST, .ciaddr = BE_IP4(10, 0, 0, 1)},
         DHCP_TYPE_NAK,
         ALL,
         BE16(68),
         all},
        {8,
         {.type = DHCP_TYPE_REQUEST, .requested = BE_IP4(10, 0, 0, 1), .giaddr = relay},
         DHCP_TYPE_NAK,
         relay,
         BE16(67),
         relay_mac},
        {9,
         {.type = DHCP_TYPE_INFORM, .ciaddr = BE_IP4(192, 168, 8, 77)},
         DHCP_TYPE_ACK,
         BE_IP4(192, 168, 8, 77),
         BE16(68),
         mac},
    };

    (void)state;
    mac_of(mac, 0);
    memset(all, 0xFF, sizeof(all));
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        if (ask(rows[i].r) != rows[i].type || reply.to != rows[i].to ||
            reply.port != rows[i].port || memcmp(reply.mac, rows[i].mac, MAC_BYTES) != 0)
            fail_msg("row %d", rows[i].id);
        /* A relay must broadcast a NAK. */
        be16 flags = load_raw16(reply.bytes + DHCP_FLAGS_OFF);
        if (rows[i].id == 8)
            assert_int_equal(flags, DHCP_FLAG_BROADCAST);
        else
            assert_int_equal(flags, rows[i].r.flags);
    }
}

static void test_states_of_a_request(void **state)
{
    be32 a, b;

    (void)state;
    a = lease(1);
    b = lease(2);
    assert_int_not_equal(a, b);
    struct {
        int id;
        struct request r;
        unsigned type;
    } rows[] = {
        /* SELECTING */
        {1,
         {.type = DHCP_TYPE_REQUEST, .client = 1, .requested = a, .server = ROUTER},
         DHCP_TYPE_ACK},
        {2,
         {.type = DHCP_TYPE_REQUEST, .client = 1, .requested = b, .server = ROUTER},
         DHCP_TYPE_NAK},
        {3,
         {.type = DHCP_TYPE_REQUEST, .client = 9, .requested = POOL(9), .server = ROUTER},
         DHCP_TYPE_NAK},
        {4, {.type = DHCP_TYPE_REQUEST, .client = 1, .requested = a, .server = POOL(50)}, 0},
        /* INIT-REBOOT */
        {5, {.type = DHCP_TYPE_REQUEST, .client = 1, .requested = a}, DHCP_TYPE_ACK},
        {6, {.type = DHCP_TYPE_REQUEST, .client = 1, .requested = b}, DHCP_TYPE_NAK},
        {7,
         {.type = DHCP_TYPE_REQUEST, .client = 1, .requested = BE_IP4(10, 1, 1, 1)},
         DHCP_TYPE_NAK},
        {8, {.type = DHCP_TYPE_REQUEST, .client = 1, .requested = ROUTER}, DHCP_TYPE_NAK},
        {9, {.type = DHCP_TYPE_REQUEST, .client = 7, .requested = b}, DHCP_TYPE_NAK},
        /* RENEWING and REBINDING */
        {10, {.type = DHCP_TYPE_REQUEST, .client = 1, .ciaddr = a}, DHCP_TYPE_ACK},
        {11, {.type = DHCP_TYPE_REQUEST, .client = 1, .ciaddr = b}, DHCP_TYPE_NAK},
        {12, {.type = DHCP_TYPE_REQUEST, .client = 1}, 0},
        {13, {.type = DHCP_TYPE_INFORM, .client = 1, .ciaddr = BE_IP4(10, 0, 0, 1)}, 0},
        {14, {.type = DHCP_TYPE_OFFER, .client = 1}, 0},
        {15, {.type = DHCP_TYPE_ACK, .client = 1}, 0},
        {16, {.type = 77, .client = 1}, 0},
        {17, {.type = DHCP_TYPE_DISCOVER, .client = 1, .giaddr = BE_IP4(10, 0, 0, 1)}, 0},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        if (ask(rows[i].r) != rows[i].type)
            fail_msg("row %d", rows[i].id);
}

/* What a router that restarted must not do: take addresses away from those who have them. */
static void test_restart_keeps_addresses(void **state)
{
    be32 before[6];

    (void)state;
    for (unsigned c = 0; c < ARRAY_COUNT(before); c++)
        before[c] = lease(c);
    start();
    for (unsigned c = 0; c < 3; c++) {
        struct request r = {.type = DHCP_TYPE_REQUEST, .client = c};
        *(c % 2 ? &r.ciaddr : &r.requested) = before[c];
        assert_int_equal(ask(r), DHCP_TYPE_ACK);
        assert_int_equal(yiaddr(), before[c]);
    }
    /* A client that forgot comes to the same address again when nobody else took it meanwhile. */
    start();
    assert_int_equal(lease(0), before[0]);
}

static void test_offer_is_kept_and_runs_out(void **state)
{
    (void)state;
    assert_int_equal(
        ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = 1, .requested = POOL(4)}),
        DHCP_TYPE_OFFER);
    assert_int_equal(yiaddr(), POOL(4));
    assert_int_equal(
        ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 2, .requested = POOL(4)}),
        DHCP_TYPE_NAK);
    now_us += LEASE_OFFER_S * 1000000ull;
    assert_int_equal(
        ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 2, .requested = POOL(4)}),
        DHCP_TYPE_ACK);
    assert_int_equal(
        ask((struct request){
            .type = DHCP_TYPE_REQUEST, .client = 1, .requested = POOL(4), .server = ROUTER}),
        DHCP_TYPE_NAK);
}

/* A forged discover does not shorten the lease of the client it names. */
static void test_discover_leaves_a_lease_alone(void **state)
{
    be32 ip;

    (void)state;
    ip = lease(1);
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = 1}),
                     DHCP_TYPE_OFFER);
    assert_int_equal(yiaddr(), ip);
    now_us += 2ull * LEASE_OFFER_S * 1000000;
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 2, .requested = ip}),
                     DHCP_TYPE_NAK);
}

static void test_release_and_decline(void **state)
{
    be32 ip;

    (void)state;
    ip = lease(1);
    /* Somebody else's word counts for nothing. */
    ask((struct request){.type = DHCP_TYPE_RELEASE, .client = 2, .ciaddr = ip, .server = ROUTER});
    ask((struct request){
        .type = DHCP_TYPE_DECLINE, .client = 2, .requested = ip, .server = ROUTER});
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 2, .requested = ip}),
                     DHCP_TYPE_NAK);
    assert_int_equal(ask((struct request){
                         .type = DHCP_TYPE_RELEASE, .client = 1, .ciaddr = ip, .server = ROUTER}),
                     0);
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 2, .requested = ip}),
                     DHCP_TYPE_ACK);
    fake_log_clear();
    assert_int_equal(
        ask((struct request){
            .type = DHCP_TYPE_DECLINE, .client = 2, .requested = ip, .server = ROUTER}),
        0);
    assert_true(fake_log_has("in use by another host"));
    for (unsigned c = 10; c < 10 + POOL_SIZE - 1; c++)
        assert_int_not_equal(lease(c), ip);
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = 99}), 0);
    now_us += LEASE_DECLINED_S * 1000000ull;
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = 99}),
                     DHCP_TYPE_OFFER);
}

static void test_exhausted_is_silent_and_said_once(void **state)
{
    (void)state;
    for (unsigned c = 0; c < POOL_SIZE; c++)
        lease(c);
    fake_log_clear();
    for (unsigned c = 20; c < 40; c++)
        assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = c}), 0);
    assert_int_equal(fake_log_count, 1);
    assert_int_equal(server.counters.exhausted, 20);
    now_us += (LEASE_S + LEASE_GRACE_S) * 1000000ull;
    lease(20);
}

static void test_reservations(void **state)
{
    const be32 inside = POOL(2), outside = BE_IP4(192, 168, 8, 10);

    (void)state;
    config.host_count = 4;
    config.hosts[0] = (struct config_host){.net = 0, .ip = inside, .name = "web", .lease_s = 60};
    config.hosts[1] = (struct config_host){.net = 0, .ip = outside};
    config.hosts[2] = (struct config_host){.net = CONFIG_NO_NET, .deny = true};
    config.hosts[3] = (struct config_host){.net = CONFIG_NO_NET, .name = "named"};
    for (unsigned h = 0; h < 4; h++)
        mac_of(config.hosts[h].mac, h);
    start();
    assert_int_equal(lease(0), inside);
    assert_option(DHCP_OPT_NAME, "web", 3);
    assert_option32(DHCP_OPT_LEASE, 60);
    assert_int_equal(lease(1), outside);
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = 2}), 0);
    assert_int_equal(
        ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 2, .requested = POOL(1)}), 0);
    assert_int_equal(server.counters.denied, 2);
    be32 named = lease(3);
    assert_option(DHCP_OPT_NAME, "named", 5);
    assert_int_equal(dhcp_server_find_name(&server, 0, "NAMED", 5, now_us), named);
    assert_int_equal(dhcp_server_find_name(&server, 0, "web", 3, now_us), inside);
    /* Nobody else gets a reserved address, even when its owner is away and the pool is used up. */
    now_us += 3600ull * 1000000 * 24;
    for (unsigned c = 20; c < 20 + POOL_SIZE - 1; c++)
        assert_int_not_equal(lease(c), inside);
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = 50}), 0);
    assert_int_equal(
        ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 50, .requested = inside}),
        DHCP_TYPE_NAK);
    /* Its owner is moved to it from wherever it was, and has it under any identifier. */
    assert_int_equal(
        ask((struct request){
            .type = DHCP_TYPE_REQUEST, .client = 0, .id = "rom", .requested = POOL(3)}),
        DHCP_TYPE_NAK);
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = 0, .id = "rom"}),
                     DHCP_TYPE_OFFER);
    assert_int_equal(yiaddr(), inside);
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_REQUEST,
                                          .client = 0,
                                          .id = "rom",
                                          .requested = inside,
                                          .server = ROUTER}),
                     DHCP_TYPE_ACK);
    assert_int_equal(
        ask((struct request){
            .type = DHCP_TYPE_REQUEST, .client = 0, .id = "system", .requested = inside}),
        DHCP_TYPE_ACK);
}

static void test_client_id_comes_first(void **state)
{
    struct request a = {.type = DHCP_TYPE_REQUEST,
                        .client = 1,
                        .id = "\xFF"
                              "duid-a"};
    struct request b = {.type = DHCP_TYPE_REQUEST,
                        .client = 1,
                        .id = "\xFF"
                              "duid-b"};

    (void)state;
    a.requested = POOL(0);
    b.requested = POOL(0);
    assert_int_equal(ask(a), DHCP_TYPE_ACK);
    assert_int_equal(ask(b), DHCP_TYPE_NAK);
    a.client = 2; /* the same client with another card */
    assert_int_equal(ask(a), DHCP_TYPE_ACK);
}

static void test_relay_option_and_small_messages(void **state)
{
    char id[250], name[64];

    (void)state;
    memset(id, 'i', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    memset(name, 'd', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memcpy(config.nets[0].domain, name, sizeof(name));
    struct request r = {.type = DHCP_TYPE_DISCOVER,
                        .client = 1,
                        .id = id,
                        .relay = "port 7",
                        .giaddr = BE_IP4(192, 168, 8, 50)};
    assert_int_equal(ask(r), DHCP_TYPE_OFFER);
    assert_option(DHCP_OPT_RELAY, "port 7", 6);
    assert_true(reply.n <= DHCP_SAFE_BYTES);
    assert_no_option(DHCP_OPT_DOMAIN); /* it did not fit; what matters more did */
    assert_option32(DHCP_OPT_LEASE, LEASE_S);
    r.max_size = 1500;
    assert_int_equal(ask(r), DHCP_TYPE_OFFER);
    assert_option(DHCP_OPT_DOMAIN, name, 63);
    assert_option(DHCP_OPT_RELAY, "port 7", 6);
}

static void test_names(void **state)
{
    static const struct {
        int id;
        const char *name;
        const char *kept; /* NULL: no name */
    } rows[] = {
        {1, "box", "box"},     {2, "Box-2.example.org", "box-2"},
        {3, "-bad", NULL},     {4, "bad-", NULL},
        {5, "a b", NULL},      {6, "wpad", NULL},
        {7, "WPAD.lan", NULL}, {8, "sluice", NULL},
        {9, ".", NULL},        {10, "a-name-that-is-much-too-long-to-be-kept", NULL},
        {11, "\x1b[2J", NULL}, {12, "x_y", NULL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start();
        assert_int_equal(ask((struct request){.type = DHCP_TYPE_REQUEST,
                                              .client = 1,
                                              .requested = POOL(1),
                                              .name = rows[i].name}),
                         DHCP_TYPE_ACK);
        const char *kept = rows[i].kept ? rows[i].kept : rows[i].name;
        be32 ip = dhcp_server_find_name(&server, 0, kept, strlen(kept), now_us);
        if (ip != (rows[i].kept ? POOL(1) : 0))
            fail_msg("row %d", rows[i].id);
        assert_false(fake_log_has("\x1b"));
    }
    /* The first to come has a name, while its lease lasts; and only in its own network. */
    start();
    ask((struct request){
        .type = DHCP_TYPE_REQUEST, .client = 1, .requested = POOL(1), .name = "box"});
    ask((struct request){
        .type = DHCP_TYPE_REQUEST, .client = 2, .requested = POOL(2), .name = "BOX"});
    assert_int_equal(dhcp_server_find_name(&server, 0, "box", 3, now_us), POOL(1));
    assert_int_equal(dhcp_server_find_name(&server, 1, "box", 3, now_us), 0);
    now_us += (LEASE_S + LEASE_GRACE_S) * 1000000ull;
    assert_int_equal(dhcp_server_find_name(&server, 0, "box", 3, now_us), 0);
}

static void test_seen_by_arp_is_left_alone(void **state)
{
    uint8_t mac[MAC_BYTES];

    (void)state;
    mac_of(mac, 70);
    dhcp_server_seen(&server, 0, POOL(5), mac, now_us);
    for (unsigned c = 0; c < POOL_SIZE - 1; c++)
        assert_int_not_equal(lease(c), POOL(5));
    /* Rather this one than none; and its user may have it before. */
    assert_int_equal(ask((struct request){.type = DHCP_TYPE_DISCOVER, .client = 30}),
                     DHCP_TYPE_OFFER);
    assert_int_equal(yiaddr(), POOL(5));
    start();
    dhcp_server_seen(&server, 0, POOL(5), mac, now_us);
    assert_int_equal(
        ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 30, .requested = POOL(5)}),
        DHCP_TYPE_NAK);
    assert_int_equal(
        ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 70, .requested = POOL(5)}),
        DHCP_TYPE_ACK);
    /* A lease is stronger than what ARP shows. */
    mac_of(mac, 71);
    dhcp_server_seen(&server, 0, POOL(5), mac, now_us);
    assert_int_equal(
        ask((struct request){.type = DHCP_TYPE_REQUEST, .client = 70, .ciaddr = POOL(5)}),
        DHCP_TYPE_ACK);
}

/* ---- the reader ---- */

static size_t raw_message(uint8_t *b, const uint8_t *options, size_t n)
{
    build(b, 512, &(struct request){.type = DHCP_TYPE_DISCOVER});
    memset(b + DHCP_OPTIONS_OFF, 0, 512 - DHCP_OPTIONS_OFF);
    memcpy(b + DHCP_OPTIONS_OFF, options, n);
    return DHCP_OPTIONS_OFF + n;
}

static void test_hostile_options(void **state)
{
    static const struct {
        int id;
        bool ok;
        size_t n;
        uint8_t options[20];
    } rows[] = {
        {1, true, 4, {53, 1, 1, 255}},
        {2, true, 3, {53, 1, 1}}, /* no end mark */
        {3, true, 0, {0}},        /* BOOTP */
        {4, true, 6, {0, 0, 53, 1, 1, 255}},
        {5, false, 1, {53}},    /* a code without a length */
        {6, false, 2, {53, 1}}, /* a value beyond the end */
        {7, false, 5, {53, 1, 1, 12, 255}},
        {8, false, 3, {53, 0, 255}},       /* too short */
        {9, false, 5, {53, 2, 1, 1, 255}}, /* too long */
        {10, false, 6, {50, 3, 1, 2, 3, 255}},
        {11, true, 7, {53, 1, 1, 255, 50, 9, 9}},  /* behind the end nothing counts */
        {12, false, 7, {53, 1, 1, 52, 1, 0, 255}}, /* overload of nothing */
        {13, false, 7, {53, 1, 1, 52, 1, 4, 255}},
        {14, false, 8, {53, 1, 1, 52, 2, 1, 1, 255}},
        {15, true, 7, {53, 1, 1, 52, 1, 3, 255}},
        {16, false, 7, {53, 1, 1, 53, 1, 1, 255}}, /* joined it is two bytes */
        {17, true, 5, {53, 1, 1, 61, 0}},
    };
    struct dhcp_message m;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t b[512];
        size_t n = raw_message(b, rows[i].options, rows[i].n);
        uint8_t *exact = malloc(n); /* so that the sanitizer sees every byte too far */
        memcpy(exact, b, n);
        if (dhcp_read(&m, exact, n) != rows[i].ok)
            fail_msg("row %d", rows[i].id);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *shorter = malloc(cut + 1);
            memcpy(shorter + 1, exact, cut);
            bool ok = dhcp_read(&m, shorter + 1, cut);
            if (cut < DHCP_OPTIONS_OFF)
                assert_false(ok);
            free(shorter);
        }
        free(exact);
    }
}

/* RFC 2131, section 4.1 and RFC 3396: file before sname, and options in pieces. */
static void test_overload_and_pieces(void **state)
{
    static const uint8_t options[] = {53, 1, 3, 52, 1, 3, 61, 2, 'a', 'b', 255};
    static const uint8_t file[] = {61, 2, 'c', 'd', 52, 1, 9, 255, 77};
    static const uint8_t sname[] = {61, 1, 'e', 12, 2, 'h', 'i'};
    struct dhcp_message m;
    uint8_t b[512];

    (void)state;
    size_t n = raw_message(b, options, sizeof(options));
    memcpy(b + DHCP_FILE_OFF, file, sizeof(file));
    memcpy(b + DHCP_SNAME_OFF, sname, sizeof(sname));
    /* The overload option inside file means nothing. */
    assert_true(dhcp_read(&m, b, n));
    assert_int_equal(m.type, DHCP_TYPE_REQUEST);
    assert_int_equal(m.client_id.n, 5);
    assert_memory_equal(m.client_id.at, "abcde", 5);
    assert_int_equal(m.name.n, 2);
    b[DHCP_OPTIONS_OFF + 5] = 2; /* sname only */
    assert_true(dhcp_read(&m, b, n));
    assert_memory_equal(m.client_id.at, "abe", m.client_id.n);
    b[DHCP_SNAME_OFF + 1] = 63; /* runs over sname, though not over the message */
    assert_false(dhcp_read(&m, b, n));
}

/* ---- random clients against a model ---- */

#define CLIENTS 30

static struct model {
    be32 ip; /* of its last ACK */
    uint64_t until_us;
    be32 offered;
} model[CLIENTS];

static void check_nobody_else_has(be32 ip, unsigned client, const char *what)
{
    for (unsigned c = 0; c < CLIENTS; c++)
        if (c != client && model[c].ip == ip && model[c].until_us > now_us)
            fail_msg("%s: %08x to client %u, which client %u has", what, ntoh32(ip), client, c);
}

static void random_step(void)
{
    unsigned c = rnd(CLIENTS);
    struct model *m = &model[c];
    bool live = m->until_us > now_us;
    char id[16];
    struct request r = {.client = c, .type = DHCP_TYPE_REQUEST};

    snprintf(id, sizeof(id), "client %u", c);
    if (c % 3 == 0)
        r.id = id;
    switch (rnd(8)) {
    case 0:
    case 1:
        r.type = DHCP_TYPE_DISCOVER;
        r.requested = rnd(2) ? POOL(rnd(POOL_SIZE)) : 0;
        break;
    case 2:
    case 3:
        r.requested = m->offered;
        r.server = rnd(8) ? ROUTER : POOL(40);
        break;
    case 4:
        r.requested = POOL(rnd(POOL_SIZE));
        break;
    case 5:
        r.ciaddr = m->ip;
        break;
    case 6:
        r.type = rnd(8) ? DHCP_TYPE_RELEASE : DHCP_TYPE_DECLINE;
        r.ciaddr = r.requested = m->ip;
        r.server = ROUTER;
        m->until_us = 0; /* either way it uses the address no more */
        break;
    default:
        now_us += rnd(LEASE_S) * (uint64_t)(rnd(6) ? 10000 : 1000000);
        return;
    }
    unsigned type = ask(r);
    if (type == DHCP_TYPE_OFFER) {
        check_nobody_else_has(yiaddr(), c, "offer");
        if (live)
            assert_int_equal(yiaddr(), m->ip);
        m->offered = yiaddr();
    } else if (type == DHCP_TYPE_ACK) {
        check_nobody_else_has(yiaddr(), c, "ack");
        m->ip = yiaddr();
        m->until_us = now_us + LEASE_S * 1000000ull;
    } else if (r.ciaddr && live && r.type == DHCP_TYPE_REQUEST) {
        fail_msg("client %u could not renew", c);
    }
}

static void test_no_address_is_leased_twice(void **state)
{
    (void)state;
    memset(model, 0, sizeof(model));
    for (unsigned i = 0; i < 200000; i++)
        random_step();
    assert_true(server.counters.sent[DHCP_TYPE_ACK] > 10000);
    assert_true(server.counters.sent[DHCP_TYPE_NAK] > 1000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_lease_carries_all_options),
        T(test_hostonly_has_no_router_and_forever_no_times),
        T(test_where_answers_go),
        T(test_states_of_a_request),
        T(test_restart_keeps_addresses),
        T(test_offer_is_kept_and_runs_out),
        T(test_discover_leaves_a_lease_alone),
        T(test_release_and_decline),
        T(test_exhausted_is_silent_and_said_once),
        T(test_reservations),
        T(test_client_id_comes_first),
        T(test_relay_option_and_small_messages),
        T(test_names),
        T(test_seen_by_arp_is_left_alone),
        T(test_hostile_options),
        T(test_overload_and_pieces),
        T(test_no_address_is_leased_twice),
    };
    return cmocka_run_group_tests_name("dhcp_server", tests, NULL, NULL);
}
