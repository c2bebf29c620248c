/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_server.c and net/dhcp_lease.c: every message type (RFC 2131, tables 3 to 5), where
 * answers go, what they carry, reservations, names, and addresses in use that nobody leased.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_base.h"

#include <stdio.h>

static void assert_option(uint8_t code, const void *value, unsigned length)
{
    unsigned n;
    const uint8_t *at = dhcp_lab_option(code, &n);

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

    assert_null(dhcp_lab_option(code, &n));
}

static void test_lease_carries_all_options(void **state)
{
    const be32 mask = BE_IP4(255, 255, 255, 0), broadcast = BE_IP4(192, 168, 8, 255), ip = ROUTER;
    char want[32];

    (void)state;
    dhcp_lab_lease(1);
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
    snprintf(want, sizeof(want), "192.168.8.%u", ntoh32(dhcp_lab_yiaddr()) & 255);
    assert_true(fake_log_has(want));
}

static void test_hostonly_has_no_router_and_forever_no_times(void **state)
{
    const be16 mtu = BE16(9000);

    (void)state;
    assert_int_equal(dhcp_lab_ask_on(1, (struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER}),
                     DHCP_TYPE_OFFER);
    assert_no_option(DHCP_OPT_ROUTER);
    assert_no_option(DHCP_OPT_T1);
    assert_no_option(DHCP_OPT_T2);
    assert_option32(DHCP_OPT_LEASE, UINT32_MAX);
    assert_option(DHCP_OPT_MTU, &mtu, 2);
    dhcp_lab.mtu = 1400; /* what the ports cannot send is not told */
    const be16 less = BE16(1400);
    assert_int_equal(dhcp_lab_ask_on(1, (struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER}),
                     DHCP_TYPE_OFFER);
    assert_option(DHCP_OPT_MTU, &less, 2);
    dhcp_lab.now_us += 400ull * 86400 * 1000000;
    assert_int_equal(dhcp_lab_ask_on(1, (struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER}),
                     DHCP_TYPE_OFFER);
}

/* RFC 2131, section 4.1. */
#define RELAY_IP BE_IP4(192, 168, 8, 50)

static const struct where {
    int id;
    struct dhcp_lab_request r;
    unsigned type;
    be32 to;
    be16 port;
    enum { CLIENT, EVERYONE, RELAY } mac;
} where[] = {
    {1,
     {.type = DHCP_TYPE_DISCOVER, .requested = POOL(3)},
     DHCP_TYPE_OFFER,
     POOL(3),
     BE16(68),
     CLIENT},
    {2,
     {.type = DHCP_TYPE_DISCOVER, .requested = POOL(3), .flags = DHCP_FLAG_BROADCAST},
     DHCP_TYPE_OFFER,
     ALL,
     BE16(68),
     EVERYONE},
    {3,
     {.type = DHCP_TYPE_DISCOVER,
      .requested = POOL(3),
      .giaddr = RELAY_IP,
      .flags = DHCP_FLAG_BROADCAST},
     DHCP_TYPE_OFFER,
     RELAY_IP,
     BE16(67),
     RELAY},
    {4, {.type = DHCP_TYPE_REQUEST, .ciaddr = POOL(3)}, DHCP_TYPE_ACK, POOL(3), BE16(68), CLIENT},
    {5,
     {.type = DHCP_TYPE_REQUEST, .ciaddr = POOL(3), .flags = DHCP_FLAG_BROADCAST},
     DHCP_TYPE_ACK,
     POOL(3),
     BE16(68),
     CLIENT},
    {6,
     {.type = DHCP_TYPE_REQUEST, .requested = BE_IP4(10, 0, 0, 1)},
     DHCP_TYPE_NAK,
     ALL,
     BE16(68),
     EVERYONE},
    {7,
     {.type = DHCP_TYPE_REQUEST, .ciaddr = BE_IP4(10, 0, 0, 1)},
     DHCP_TYPE_NAK,
     ALL,
     BE16(68),
     EVERYONE},
    {8,
     {.type = DHCP_TYPE_REQUEST, .requested = BE_IP4(10, 0, 0, 1), .giaddr = RELAY_IP},
     DHCP_TYPE_NAK,
     RELAY_IP,
     BE16(67),
     RELAY},
    {9,
     {.type = DHCP_TYPE_INFORM, .ciaddr = BE_IP4(192, 168, 8, 77)},
     DHCP_TYPE_ACK,
     BE_IP4(192, 168, 8, 77),
     BE16(68),
     CLIENT},
};

static void test_where_answers_go(void **state)
{
    uint8_t mac[MAC_BYTES], all[MAC_BYTES];
    const uint8_t *const macs[] = {[CLIENT] = mac, [EVERYONE] = all, [RELAY] = dhcp_lab_relay_mac};

    (void)state;
    dhcp_lab_mac_of(mac, 0);
    memset(all, 0xFF, sizeof(all));
    for (unsigned i = 0; i < ARRAY_COUNT(where); i++) {
        const struct where *w = &where[i];
        if (dhcp_lab_ask(w->r) != w->type || dhcp_lab.reply.to != w->to ||
            dhcp_lab.reply.port != w->port ||
            memcmp(dhcp_lab.reply.mac, macs[w->mac], MAC_BYTES) != 0)
            fail_msg("row %d", w->id);
        /* A relay must broadcast a NAK. */
        be16 flags = load_raw16(dhcp_lab.reply.bytes + DHCP_FLAGS_OFF);
        assert_int_equal(flags, w->id == 8 ? DHCP_FLAG_BROADCAST : w->r.flags);
    }
}

static void test_states_of_a_request(void **state)
{
    be32 a, b;

    (void)state;
    a = dhcp_lab_lease(1);
    b = dhcp_lab_lease(2);
    assert_int_not_equal(a, b);
    struct {
        int id;
        struct dhcp_lab_request r;
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
        if (dhcp_lab_ask(rows[i].r) != rows[i].type)
            fail_msg("row %d", rows[i].id);
}

/* What a router that restarted must not do: take addresses away from those who have them. */
static void test_restart_keeps_addresses(void **state)
{
    be32 before[6];

    (void)state;
    for (unsigned c = 0; c < ARRAY_COUNT(before); c++)
        before[c] = dhcp_lab_lease(c);
    dhcp_lab_start();
    for (unsigned c = 0; c < 3; c++) {
        struct dhcp_lab_request r = {.type = DHCP_TYPE_REQUEST, .client = c};
        *(c % 2 ? &r.ciaddr : &r.requested) = before[c];
        assert_int_equal(dhcp_lab_ask(r), DHCP_TYPE_ACK);
        assert_int_equal(dhcp_lab_yiaddr(), before[c]);
    }
    /* A client that forgot comes to the same address again when nobody else took it meanwhile. */
    dhcp_lab_start();
    assert_int_equal(dhcp_lab_lease(0), before[0]);
}

static void test_offer_is_kept_and_runs_out(void **state)
{
    (void)state;
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_DISCOVER, .client = 1, .requested = POOL(4)}),
                     DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), POOL(4));
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 2, .requested = POOL(4)}),
                     DHCP_TYPE_NAK);
    dhcp_lab.now_us += LEASE_OFFER_S * 1000000ull;
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 2, .requested = POOL(4)}),
                     DHCP_TYPE_ACK);
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){
            .type = DHCP_TYPE_REQUEST, .client = 1, .requested = POOL(4), .server = ROUTER}),
        DHCP_TYPE_NAK);
}

/* A forged discover does not shorten the lease of the client it names. */
static void test_discover_leaves_a_lease_alone(void **state)
{
    be32 ip;

    (void)state;
    ip = dhcp_lab_lease(1);
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = 1}),
        DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), ip);
    dhcp_lab.now_us += 2ull * LEASE_OFFER_S * 1000000;
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 2, .requested = ip}),
                     DHCP_TYPE_NAK);
}

static void test_release_and_decline(void **state)
{
    be32 ip;

    (void)state;
    ip = dhcp_lab_lease(1);
    /* Somebody else's word counts for nothing. */
    dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_RELEASE, .client = 2, .ciaddr = ip, .server = ROUTER});
    dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_DECLINE, .client = 2, .requested = ip, .server = ROUTER});
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 2, .requested = ip}),
                     DHCP_TYPE_NAK);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_RELEASE, .client = 1, .ciaddr = ip, .server = ROUTER}),
                     0);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 2, .requested = ip}),
                     DHCP_TYPE_ACK);
    fake_log_clear();
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){
            .type = DHCP_TYPE_DECLINE, .client = 2, .requested = ip, .server = ROUTER}),
        0);
    assert_true(fake_log_has("in use by another host"));
    for (unsigned c = 10; c < 10 + POOL_SIZE - 1; c++)
        assert_int_not_equal(dhcp_lab_lease(c), ip);
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = 99}), 0);
    dhcp_lab.now_us += LEASE_DECLINED_S * 1000000ull;
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = 99}),
        DHCP_TYPE_OFFER);
}

static void test_exhausted_is_silent_and_said_once(void **state)
{
    (void)state;
    for (unsigned c = 0; c < POOL_SIZE; c++)
        dhcp_lab_lease(c);
    fake_log_clear();
    for (unsigned c = 20; c < 40; c++)
        assert_int_equal(
            dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = c}), 0);
    assert_int_equal(fake_log_count, 1);
    assert_int_equal(dhcp_lab.server.counters.exhausted, 20);
    dhcp_lab.now_us += (LEASE_S + LEASE_GRACE_S) * 1000000ull;
    dhcp_lab_lease(20);
}

/* 63 characters, as many as one label of a DNS name can have (RFC 1035, section 2.3.4). */
#define LONGEST "a-name-of-sixty-three-characters-which-is-the-most-of-one-label"

static void test_reservations(void **state)
{
    const be32 inside = POOL(2), outside = BE_IP4(192, 168, 8, 10);

    (void)state;
    dhcp_lab.config.host_count = 4;
    dhcp_lab.config.hosts[0] =
        (struct config_host){.net = 0, .ip = inside, .name = "web", .lease_s = 60};
    dhcp_lab.config.hosts[1] = (struct config_host){.net = 0, .ip = outside};
    dhcp_lab.config.hosts[2] = (struct config_host){.net = CONFIG_NO_NET, .deny = true};
    dhcp_lab.config.hosts[3] = (struct config_host){.net = CONFIG_NO_NET, .name = LONGEST};
    for (unsigned h = 0; h < 4; h++)
        dhcp_lab_mac_of(dhcp_lab.config.hosts[h].mac, h);
    dhcp_lab_start();
    assert_int_equal(dhcp_lab_lease(0), inside);
    assert_option(DHCP_OPT_NAME, "web", 3);
    assert_option32(DHCP_OPT_LEASE, 60);
    assert_int_equal(dhcp_lab_lease(1), outside);
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = 2}), 0);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 2, .requested = POOL(1)}),
                     0);
    assert_int_equal(dhcp_lab.server.counters.denied, 2);
    be32 named = dhcp_lab_lease(3);
    assert_option(DHCP_OPT_NAME, LONGEST, 63);
    assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, 0, LONGEST, 63, dhcp_lab.now_us),
                     named);
    assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, 0, "web", 3, dhcp_lab.now_us), inside);
    /* Nobody else gets a reserved address, even when its owner is away and the pool is used up. */
    dhcp_lab.now_us += 3600ull * 1000000 * 24;
    for (unsigned c = 20; c < 20 + POOL_SIZE - 1; c++)
        assert_int_not_equal(dhcp_lab_lease(c), inside);
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = 50}), 0);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 50, .requested = inside}),
                     DHCP_TYPE_NAK);
    /* Its owner is moved to it from wherever it was, and has it under any identifier. */
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){
            .type = DHCP_TYPE_REQUEST, .client = 0, .id = "rom", .requested = POOL(3)}),
        DHCP_TYPE_NAK);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_DISCOVER, .client = 0, .id = "rom"}),
                     DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), inside);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                            .client = 0,
                                                            .id = "rom",
                                                            .requested = inside,
                                                            .server = ROUTER}),
                     DHCP_TYPE_ACK);
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){
            .type = DHCP_TYPE_REQUEST, .client = 0, .id = "system", .requested = inside}),
        DHCP_TYPE_ACK);
}

static void test_client_id_comes_first(void **state)
{
    struct dhcp_lab_request a = {.type = DHCP_TYPE_REQUEST,
                                 .client = 1,
                                 .id = "\xFF"
                                       "duid-a"};
    struct dhcp_lab_request b = {.type = DHCP_TYPE_REQUEST,
                                 .client = 1,
                                 .id = "\xFF"
                                       "duid-b"};

    (void)state;
    a.requested = POOL(0);
    b.requested = POOL(0);
    assert_int_equal(dhcp_lab_ask(a), DHCP_TYPE_ACK);
    assert_int_equal(dhcp_lab_ask(b), DHCP_TYPE_NAK);
    a.client = 2; /* the same client with another card, or another client? */
    assert_int_equal(dhcp_lab_ask(a), DHCP_TYPE_NAK);
    dhcp_lab.now_us += LEASE_ACTIVE_S * 1000000ull; /* the first has not been seen for long */
    assert_int_equal(dhcp_lab_ask(a), DHCP_TYPE_ACK);
}

static void test_relay_option_and_small_messages(void **state)
{
    char id[250], name[64];

    (void)state;
    memset(id, 'i', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    memset(name, 'd', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memcpy(dhcp_lab.config.nets[0].domain, name, sizeof(name));
    struct dhcp_lab_request r = {.type = DHCP_TYPE_DISCOVER,
                                 .client = 1,
                                 .id = id,
                                 .relay = "port 7",
                                 .giaddr = BE_IP4(192, 168, 8, 50)};
    assert_int_equal(dhcp_lab_ask(r), DHCP_TYPE_OFFER);
    assert_option(DHCP_OPT_RELAY, "port 7", 6);
    assert_true(dhcp_lab.reply.n <= DHCP_SAFE_BYTES);
    assert_no_option(DHCP_OPT_DOMAIN); /* it did not fit; what matters more did */
    assert_option32(DHCP_OPT_LEASE, LEASE_S);
    r.max_size = 1500;
    assert_int_equal(dhcp_lab_ask(r), DHCP_TYPE_OFFER);
    assert_option(DHCP_OPT_DOMAIN, name, 63);
    assert_option(DHCP_OPT_RELAY, "port 7", 6);
    r.giaddr = 0; /* a switch between the client and us adds the option, and takes it away again */
    assert_int_equal(dhcp_lab_ask(r), DHCP_TYPE_OFFER);
    assert_option(DHCP_OPT_RELAY, "port 7", 6);
}

static void test_names(void **state)
{
    static const struct {
        int id;
        const char *name;
        const char *kept; /* NULL: no name */
    } rows[] = {
        {1, "box", "box"},       {2, "Box-2.example.org", "box-2"},
        {3, "-bad", NULL},       {4, "bad-", NULL},
        {5, "a b", NULL},        {6, "wpad", NULL},
        {7, "WPAD.lan", NULL},   {8, "sluice", NULL},
        {9, ".", NULL},          {10, LONGEST, LONGEST},
        {11, "\x1b[2J", NULL},   {12, "x_y", NULL},
        {13, LONGEST "x", NULL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab_start();
        assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                                .client = 1,
                                                                .requested = POOL(1),
                                                                .name = rows[i].name}),
                         DHCP_TYPE_ACK);
        const char *kept = rows[i].kept ? rows[i].kept : rows[i].name;
        be32 ip = dhcp_server_find_name(&dhcp_lab.server, 0, kept, strlen(kept), dhcp_lab.now_us);
        if (ip != (rows[i].kept ? POOL(1) : 0))
            fail_msg("row %d", rows[i].id);
        assert_false(fake_log_has("\x1b"));
    }
    /* The first to come has a name, while its lease lasts; and only in its own network. */
    dhcp_lab_start();
    dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_REQUEST, .client = 1, .requested = POOL(1), .name = "box"});
    dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_REQUEST, .client = 2, .requested = POOL(2), .name = "BOX"});
    assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, 0, "box", 3, dhcp_lab.now_us),
                     POOL(1));
    assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, 1, "box", 3, dhcp_lab.now_us), 0);
    dhcp_lab.now_us += (LEASE_S + LEASE_GRACE_S) * 1000000ull;
    assert_int_equal(dhcp_server_find_name(&dhcp_lab.server, 0, "box", 3, dhcp_lab.now_us), 0);
}

static void test_seen_by_arp_is_left_alone(void **state)
{
    uint8_t mac[MAC_BYTES];

    (void)state;
    dhcp_lab_mac_of(mac, 70);
    dhcp_server_seen(&dhcp_lab.server, 0, POOL(5), mac, dhcp_lab.now_us);
    for (unsigned c = 0; c < POOL_SIZE - 1; c++)
        assert_int_not_equal(dhcp_lab_lease(c), POOL(5));
    /* Rather this one than none; and its user may have it before. */
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = 30}),
        DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), POOL(5));
    dhcp_lab_start();
    dhcp_server_seen(&dhcp_lab.server, 0, POOL(5), mac, dhcp_lab.now_us);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 30, .requested = POOL(5)}),
                     DHCP_TYPE_NAK);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 70, .requested = POOL(5)}),
                     DHCP_TYPE_ACK);
    /* A lease is stronger than what ARP shows. */
    dhcp_lab_mac_of(mac, 71);
    dhcp_server_seen(&dhcp_lab.server, 0, POOL(5), mac, dhcp_lab.now_us);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_REQUEST, .client = 70, .ciaddr = POOL(5)}),
                     DHCP_TYPE_ACK);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
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
    };
    return cmocka_run_group_tests_name("dhcp_server", tests, NULL, NULL);
}
