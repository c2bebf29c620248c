/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_probe.c: offers that wait for ARP, who does not wait, what is found in use, and clients
 * with one identifier and two hardware addresses.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/lease_judge.h"

#define STEP_US (DHCP_PROBE_US / DHCP_PROBE_REQUESTS)

static int setup(void **state)
{
    dhcp_lab_setup(state);
    dhcp_lab.waits = true;
    dhcp_lab.probes = 0;
    return 0;
}

static unsigned discover(unsigned client, const char *id)
{
    return dhcp_lab_ask(
        (struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = client, .id = id});
}

static unsigned request(unsigned client, const char *id, be32 ip)
{
    return dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_REQUEST, .client = client, .id = id, .requested = ip, .server = ROUTER});
}

/* ARP shows a client's card at an address. */
static void seen(be32 ip, unsigned client)
{
    uint8_t mac[MAC_BYTES];

    dhcp_lab_mac_of(mac, client);
    dhcp_server_seen(&dhcp_lab.server, 0, ip, mac, dhcp_lab.now_us);
}

static void pass(uint64_t us)
{
    dhcp_lab.now_us += us;
}

/* The type of the answer that is due now, 0 for none. */
static unsigned due(void)
{
    lease_judge(&dhcp_lab.server.leases[0]);
    return dhcp_lab_poll(dhcp_lab.now_us) ? dhcp_lab_type() : 0;
}

/* The address that a discover that has to wait ends with. */
static be32 wait_for_offer(void)
{
    for (unsigned i = 0; i < 2 * DHCP_PROBE_REQUESTS * DHCP_PROBE_TRIES; i++) {
        pass(STEP_US);
        if (due()) {
            assert_int_equal(dhcp_lab_type(), DHCP_TYPE_OFFER);
            return dhcp_lab_yiaddr();
        }
    }
    fail_msg("no offer");
    return 0;
}

static be32 lease(unsigned client, const char *id)
{
    assert_int_equal(discover(client, id), 0);
    be32 ip = wait_for_offer();
    assert_int_equal(request(client, id, ip), DHCP_TYPE_ACK);
    return ip;
}

static void test_an_offer_waits_for_arp(void **state)
{
    (void)state;
    assert_int_equal(discover(1, NULL), 0);
    be32 ip = dhcp_lab.probed;
    assert_int_equal(dhcp_lab.probes, 1);
    assert_int_equal(dhcp_server_next_us(&dhcp_lab.server), dhcp_lab.now_us + STEP_US);
    pass(STEP_US - 1);
    assert_int_equal(due(), 0);
    assert_int_equal(dhcp_lab.probes, 1);
    pass(1);
    assert_int_equal(due(), 0);
    assert_int_equal(dhcp_lab.probes, 2);
    assert_int_equal(dhcp_lab.probed, ip);
    pass(STEP_US - 1);
    assert_int_equal(due(), 0);
    pass(1);
    assert_int_equal(due(), DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), ip);
    assert_int_equal(due(), 0);
    assert_int_equal(dhcp_server_next_us(&dhcp_lab.server), UINT64_MAX);
    assert_int_equal(request(1, NULL, ip), DHCP_TYPE_ACK);
    assert_int_equal(dhcp_lab.probes, DHCP_PROBE_REQUESTS);
}

/* Those whose address is known to be theirs or free. */
static void test_who_does_not_wait(void **state)
{
    (void)state;
    dhcp_lab.config.host_count = 1;
    dhcp_lab.config.hosts[0] = (struct config_host){.net = 0, .ip = BE_IP4(192, 168, 8, 10)};
    dhcp_lab_mac_of(dhcp_lab.config.hosts[0].mac, 9);
    dhcp_lab_start();
    assert_int_equal(discover(9, NULL), DHCP_TYPE_OFFER); /* a reservation */
    be32 ip = lease(1, NULL);
    assert_int_equal(discover(1, NULL), DHCP_TYPE_OFFER); /* a lease */
    assert_int_equal(dhcp_lab_yiaddr(), ip);
    pass(2ull * LEASE_S * 1000000);
    assert_int_equal(discover(1, NULL), DHCP_TYPE_OFFER); /* one that is remembered */
    assert_int_equal(dhcp_lab_yiaddr(), ip);
    assert_int_equal(discover(2, NULL), 0);
    be32 other = wait_for_offer();
    assert_int_equal(discover(2, NULL), DHCP_TYPE_OFFER); /* its offer stands */
    assert_int_equal(dhcp_lab_yiaddr(), other);
    pass(LEASE_OFFER_S * 1000000ull);
    struct dhcp_lab_request wants = {.type = DHCP_TYPE_DISCOVER, .client = 3, .requested = other};
    assert_int_equal(dhcp_lab_ask(wants), DHCP_TYPE_OFFER); /* nobody was there a moment ago */
    assert_int_equal(dhcp_lab_yiaddr(), other);
    pass(LEASE_PROBED_S * 1000000ull);
    wants.client = 4;
    assert_int_equal(dhcp_lab_ask(wants), 0); /* but that is long ago */
    assert_int_equal(wait_for_offer(), other);
    seen(POOL(6), 60);
    wants.client = 60;
    wants.requested = POOL(6);
    assert_int_equal(dhcp_lab_ask(wants), DHCP_TYPE_OFFER); /* it uses it already */
}

static void test_nobody_waits_for_others(void **state)
{
    be32 ip[3];

    (void)state;
    for (unsigned c = 0; c < 3; c++) {
        assert_int_equal(discover(c, NULL), 0);
        ip[c] = dhcp_lab.probed;
        pass(1000);
    }
    assert_int_equal(request(7, NULL, POOL(7)),
                     ip[0] == POOL(7) || ip[1] == POOL(7) || ip[2] == POOL(7) ? DHCP_TYPE_NAK
                                                                              : DHCP_TYPE_ACK);
    pass(STEP_US);
    assert_int_equal(due(), 0);
    pass(STEP_US);
    for (unsigned c = 0; c < 3; c++) {
        assert_int_equal(due(), DHCP_TYPE_OFFER);
        assert_int_equal(dhcp_lab_yiaddr(), ip[c]);
    }
}

/* What answers is passed over, until there have been too many. */
static void test_found_in_use(void **state)
{
    be32 tried[DHCP_PROBE_TRIES];

    (void)state;
    assert_int_equal(discover(1, NULL), 0);
    tried[0] = dhcp_lab.probed;
    pass(1000);
    seen(tried[0], 50);
    assert_int_equal(due(), 0); /* the next is asked for at once */
    assert_true(fake_log_has("is in use by 02:00:00:00:00:32, which did not get it here"));
    assert_int_not_equal(dhcp_lab.probed, tried[0]);
    be32 ip = wait_for_offer();
    assert_int_equal(ip, dhcp_lab.probed);
    assert_int_equal(request(1, NULL, ip), DHCP_TYPE_ACK);
    assert_int_equal(dhcp_lab.server.counters.in_use, 1);
    assert_int_equal(request(2, NULL, tried[0]), DHCP_TYPE_NAK);
    /* Somebody who answers for every address delays, and no more. */
    assert_int_equal(discover(3, NULL), 0);
    for (unsigned i = 0; i < DHCP_PROBE_TRIES; i++) {
        tried[i] = dhcp_lab.probed;
        assert_int_equal(dhcp_lab.server.pending.count, 1);
        seen(tried[i], 51);
        assert_int_equal(due(), i + 1 < DHCP_PROBE_TRIES ? 0 : DHCP_TYPE_OFFER);
    }
    assert_int_equal(dhcp_lab.server.pending.count, 0);
    assert_int_equal(dhcp_lab.server.counters.unprobed, 1);
    /* Its own card does not count. */
    assert_int_equal(discover(4, NULL), 0);
    ip = dhcp_lab.probed;
    seen(ip, 4);
    assert_int_equal(due(), DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), ip);
}

static void test_asking_again_and_going_on(void **state)
{
    (void)state;
    assert_int_equal(discover(1, NULL), 0);
    be32 ip = dhcp_lab.probed;
    pass(STEP_US);
    assert_int_equal(due(), 0);
    struct dhcp_lab_request again = {
        .type = DHCP_TYPE_DISCOVER, .client = 1, .flags = DHCP_FLAG_BROADCAST};
    assert_int_equal(dhcp_lab_ask(again), 0); /* one wait, and the last word counts */
    assert_int_equal(dhcp_lab.server.pending.count, 1);
    pass(STEP_US);
    assert_int_equal(due(), DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab.reply.to, ALL);
    /* A client that has gone on by then is left in peace. */
    assert_int_equal(discover(2, NULL), 0);
    ip = dhcp_lab.probed;
    assert_int_equal(request(2, NULL, ip), DHCP_TYPE_ACK);
    pass(STEP_US);
    assert_int_equal(due(), 0);
    pass(STEP_US);
    assert_int_equal(due(), 0);
    assert_int_equal(dhcp_lab.server.pending.count, 0);
}

/* There is room to wait for as many as there are addresses, within bounds. */
static void test_how_many_may_wait(void **state)
{
    static const struct {
        unsigned last, size; /* of the pool, the last address's last two bytes */
    } rows[] = {
        {8 * 256 + 50, DHCP_PENDING_MIN}, {8 * 256 + 201, 200 + 11}, {15 * 256, DHCP_PENDING_MAX}};

    (void)state;
    dhcp_lab.config.nets[0].prefix = 20;
    dhcp_lab.config.nets[0].pool_first = BE_IP4(192, 168, 8, 2);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab.config.nets[0].pool_last =
            BE_IP4(192, 168, rows[i].last / 256, rows[i].last % 256);
        dhcp_lab_start();
        assert_int_equal(dhcp_lab.server.pending.size, rows[i].size);
    }
}

static void test_a_full_table_waits_for_nobody(void **state)
{
    const unsigned clients = DHCP_PENDING_MAX + 300;
    unsigned offers = 0;

    (void)state;
    dhcp_lab.config.nets[0].prefix = 20;
    dhcp_lab.config.nets[0].pool_first = BE_IP4(192, 168, 8, 2);
    dhcp_lab.config.nets[0].pool_last = BE_IP4(192, 168, 13, 201);
    dhcp_lab.config.nets[0].ports = 3; /* whose port 0 may have fewer offers than these */
    dhcp_lab_start();
    for (unsigned c = 0; c < DHCP_PENDING_MAX; c++)
        assert_int_equal(discover(c, NULL), 0);
    for (unsigned c = DHCP_PENDING_MAX; c < clients; c++)
        assert_int_equal(discover(c, NULL), DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab.server.counters.unprobed, clients - DHCP_PENDING_MAX);
    pass(STEP_US);
    assert_int_equal(due(), 0);
    /* Those whose offer had to go for a later one, and whose address that was, wait again. */
    for (unsigned i = 0; i < DHCP_PROBE_TRIES * DHCP_PROBE_REQUESTS; i++) {
        pass(STEP_US);
        while (due())
            offers++;
        assert_true(i > 0 || offers > DHCP_PENDING_MAX / 2);
    }
    assert_int_equal(offers, DHCP_PENDING_MAX);
    assert_int_equal(dhcp_lab.server.pending.count, 0);
}

/* Whom ARP answers, what goes on and what is over are found among many, in any order. */
static void test_one_among_many_that_wait(void **state)
{
    enum { MANY = 300 };
    be32 ip[MANY];
    bool over[MANY] = {false};
    unsigned left = MANY;

    (void)state;
    dhcp_lab.config.nets[0].prefix = 20;
    dhcp_lab.config.nets[0].pool_last = BE_IP4(192, 168, 11, 255);
    dhcp_lab_start();
    for (unsigned c = 0; c < MANY; c++) {
        assert_int_equal(discover(c, NULL), 0);
        ip[c] = dhcp_lab.probed;
    }
    assert_int_equal(dhcp_lab.server.pending.count, MANY);
    for (unsigned i = 0; i < MANY / 2; i++) {
        unsigned c = dhcp_lab_rnd(MANY);
        assert_int_equal(discover(c, NULL), over[c] ? DHCP_TYPE_OFFER : 0);
        seen(ip[c], c); /* it uses the address already: nothing is left to wait for */
        assert_int_equal(due(), over[c] ? 0 : DHCP_TYPE_OFFER);
        assert_int_equal(dhcp_lab_yiaddr(), ip[c]);
        left -= !over[c];
        over[c] = true;
        assert_int_equal(dhcp_lab.server.pending.count, left);
    }
    pass(STEP_US);
    assert_int_equal(due(), 0);
    pass(STEP_US);
    for (; left > 0; left--)
        assert_int_equal(due(), DHCP_TYPE_OFFER);
    assert_int_equal(due(), 0);
    assert_int_equal(dhcp_lab.server.pending.count, 0);
    assert_int_equal(dhcp_server_next_us(&dhcp_lab.server), UINT64_MAX);
}

/* A disk was copied, with the client identifier on it. */
static void test_clones_get_an_address_each(void **state)
{
    (void)state;
    be32 first = lease(1, "clone");
    /* With the first one's address in its memory the second hears that it cannot be. */
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){
            .type = DHCP_TYPE_REQUEST, .client = 2, .id = "clone", .requested = first}),
        DHCP_TYPE_NAK);
    assert_int_equal(discover(2, "clone"), 0);
    assert_int_equal(dhcp_lab.probed, first);
    seen(first, 1);
    assert_int_equal(due(), 0); /* now an address of its own is looked for */
    assert_true(fake_log_has("have one client identifier"));
    be32 second = wait_for_offer();
    assert_int_not_equal(second, first);
    assert_int_equal(request(2, "clone", second), DHCP_TYPE_ACK);
    /* From now on both renew, and neither needs a probe. */
    for (unsigned i = 0; i < 3; i++) {
        pass(LEASE_S / 2 * 1000000ull);
        for (unsigned c = 1; c <= 2; c++) {
            assert_int_equal(
                dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                       .client = c,
                                                       .id = "clone",
                                                       .ciaddr = c == 1 ? first : second}),
                DHCP_TYPE_ACK);
            assert_int_equal(discover(c, "clone"), DHCP_TYPE_OFFER);
            assert_int_equal(dhcp_lab_yiaddr(), c == 1 ? first : second);
        }
    }
    assert_int_equal(dhcp_lab.server.counters.clones, 1);
}

/* Two that start at the same moment: the first has only an offer yet. */
static void test_clones_at_once(void **state)
{
    be32 ip[2];

    (void)state;
    assert_int_equal(discover(1, "clone"), 0);
    assert_int_equal(discover(2, "clone"), 0);
    for (unsigned i = 0; i < 2; i++)
        ip[i] = wait_for_offer();
    assert_int_not_equal(ip[0], ip[1]);
    assert_int_equal(request(2, "clone", ip[0]), DHCP_TYPE_NAK);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(request(1 + i, "clone", ip[i]), DHCP_TYPE_ACK);
}

/* RFC 4361: a client is its identifier, whatever card it comes with. */
static void test_another_card(void **state)
{
    (void)state;
    be32 ip = lease(1, "laptop");
    assert_int_equal(discover(2, "laptop"), 0);
    assert_int_equal(dhcp_lab.probed, ip);
    assert_int_equal(wait_for_offer(), ip); /* the old one is silent */
    assert_int_equal(request(2, "laptop", ip), DHCP_TYPE_ACK);
    /* Back again: the other one is silent now. */
    assert_int_equal(discover(1, "laptop"), 0);
    assert_int_equal(wait_for_offer(), ip);
    assert_int_equal(request(1, "laptop", ip), DHCP_TYPE_ACK);
    assert_int_equal(dhcp_lab.server.counters.clones, 0);
    /* At renewal, too, but not while the old one shows itself. */
    struct dhcp_lab_request renew = {
        .type = DHCP_TYPE_REQUEST, .client = 2, .id = "laptop", .ciaddr = ip};
    pass(LEASE_ACTIVE_S * 1000000ull);
    seen(ip, 1);
    assert_int_equal(dhcp_lab_ask(renew), DHCP_TYPE_NAK);
    pass(LEASE_ACTIVE_S * 1000000ull);
    assert_int_equal(dhcp_lab_ask(renew), DHCP_TYPE_ACK);
}

/* INIT-REBOOT of a client that the server has forgotten: who answers ARP decides. */
static void test_who_starts_again_waits(void **state)
{
    static const struct {
        int id;
        be32 ciaddr, requested;
        bool waits;
        unsigned answers; /* whose card ARP shows; 0: nobody's */
        bool again;       /* it asks twice */
        unsigned type;
    } rows[] = {
        {1, 0, POOL(3), true, 0, false, DHCP_TYPE_ACK},
        {2, 0, POOL(3), true, 1, false, DHCP_TYPE_ACK}, /* it has the address itself */
        {3, 0, POOL(3), true, 2, false, DHCP_TYPE_NAK},
        {4, 0, POOL(3), true, 0, true, DHCP_TYPE_ACK},
        {5, 0, POOL(3), true, 2, true, DHCP_TYPE_NAK},
        {6, POOL(3), 0, false, 0, false, DHCP_TYPE_ACK}, /* it uses it, and says so */
        {7, 0, POOL(POOL_SIZE), false, 0, false, DHCP_TYPE_NAK},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct dhcp_lab_request r = {.type = DHCP_TYPE_REQUEST,
                                     .client = 1,
                                     .ciaddr = rows[i].ciaddr,
                                     .requested = rows[i].requested};
        dhcp_lab_start();
        unsigned type = dhcp_lab_ask(r);
        if (rows[i].again)
            assert_int_equal(dhcp_lab_ask(r), 0);
        if (rows[i].answers)
            seen(POOL(3), rows[i].answers);
        for (unsigned k = 0; k < DHCP_PROBE_REQUESTS && !type; k++) {
            pass(rows[i].answers ? 0 : STEP_US);
            type = due();
        }
        if (type != rows[i].type || (dhcp_lab.server.counters.probes > 0) != rows[i].waits)
            fail_msg("row %d: %u after %u questions", rows[i].id, type,
                     (unsigned)dhcp_lab.server.counters.probes);
        /* What it has then is a lease like others: it is found again without a question. */
        r.requested = POOL(3);
        r.ciaddr = 0;
        if (type == DHCP_TYPE_ACK)
            assert_int_equal(dhcp_lab_ask(r), DHCP_TYPE_ACK);
        pass(STEP_US);
        assert_int_equal(due(), 0);
    }
}

/* A clone of a machine with a lease starts again with the other's address in its memory: the lease
 * stays whatever the clone says, as long as its holder is there. */
static void test_who_starts_again_as_somebody_else(void **state)
{
    static const struct {
        int id;
        unsigned answers; /* whose card ARP shows; 0: nobody's */
        bool large;       /* its request is too large to wait */
        unsigned type;
        unsigned holder; /* in the end */
    } rows[] = {
        {1, 1, false, DHCP_TYPE_NAK, 1}, {2, 3, false, DHCP_TYPE_NAK, 1},
        {3, 0, false, DHCP_TYPE_ACK, 2}, /* the old card is gone (RFC 4361) */
        {4, 2, false, DHCP_TYPE_ACK, 2}, /* and the new one has the address already */
        {5, 0, true, DHCP_TYPE_NAK, 1},
    };
    uint8_t mac[MAC_BYTES];
    char much[250];

    (void)state;
    memset(much, 'x', sizeof(much));
    much[sizeof(much) - 1] = '\0';
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab_start();
        be32 ip = lease(1, "clone");
        pass(LEASE_ACTIVE_S * 1000000ull); /* asleep, or only silent */
        struct dhcp_lab_request r = {
            .type = DHCP_TYPE_REQUEST, .client = 2, .id = "clone", .requested = ip};
        if (rows[i].large)
            r.params = r.relay = much;
        unsigned type = dhcp_lab_ask(r);
        const struct lease *l = lease_known(&dhcp_lab.server.leases[0], ip);
        dhcp_lab_mac_of(mac, 1);
        if (!type && (!lease_live(l, (uint32_t)(dhcp_lab.now_us / 1000000)) ||
                      memcmp(l->mac, mac, MAC_BYTES) != 0))
            fail_msg("row %d: the lease is over while its holder is asked", rows[i].id);
        if (rows[i].answers)
            seen(ip, rows[i].answers);
        for (unsigned k = 0; k < DHCP_PROBE_REQUESTS && !type; k++) {
            pass(rows[i].answers ? 0 : STEP_US);
            type = due();
        }
        dhcp_lab_mac_of(mac, rows[i].holder);
        if (type != rows[i].type || memcmp(l->mac, mac, MAC_BYTES) != 0 ||
            !lease_live(l, (uint32_t)(dhcp_lab.now_us / 1000000)))
            fail_msg("row %d: %u", rows[i].id, type);
    }
}

/* Whose offer had to go for others of its port, and whose address somebody else was offered while
 * it waited, gets another one. */
static void test_an_offer_that_had_to_go(void **state)
{
    struct dhcp_lab_request wants = {.type = DHCP_TYPE_DISCOVER, .client = 1, .requested = POOL(3)};

    (void)state;
    dhcp_lab.config.nets[0].pool_last = POOL(99);
    dhcp_lab.config.nets[0].ports = 3;
    dhcp_lab_start();
    assert_int_equal(dhcp_lab_ask(wants), 0);
    for (unsigned c = 10; lease_known(&dhcp_lab.server.leases[0], POOL(3))->state != LEASE_FREE;
         c++)
        assert_int_equal(discover(c, NULL), 0);
    wants.client = 2;
    wants.port = 1;
    assert_int_equal(dhcp_lab_ask(wants), 0);
    unsigned offered = 0, others = 0;
    for (unsigned k = 0; k < 2 * DHCP_PROBE_REQUESTS; k++) {
        pass(STEP_US);
        while (due()) {
            bool second = dhcp_lab.reply.mac[MAC_BYTES - 1] == 2;
            offered += dhcp_lab_yiaddr() == POOL(3) && second;
            others += dhcp_lab_yiaddr() == POOL(3) && !second;
        }
    }
    assert_int_equal(offered, 1);
    assert_int_equal(others, 0);
}

/* What ARP showed free before somebody was given it says nothing of later. */
static void test_who_had_it_is_asked_for(void **state)
{
    (void)state;
    be32 ip = lease(1, NULL);
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_RELEASE, .client = 1, .ciaddr = ip}),
                     0);
    struct dhcp_lab_request wants = {.type = DHCP_TYPE_DISCOVER, .client = 2, .requested = ip};
    assert_int_equal(dhcp_lab_ask(wants), 0);
    seen(ip, 1);
    assert_int_equal(due(), 0);
    assert_int_not_equal(wait_for_offer(), ip);
}

/* A request that comes twice, itself and by a relay, is answered as the last one came. */
static void test_it_came_by_a_relay_too(void **state)
{
    struct dhcp_lab_request r = {.type = DHCP_TYPE_DISCOVER, .client = 1};

    (void)state;
    for (unsigned relayed_first = 0; relayed_first < 2; relayed_first++) {
        r.client++;
        for (unsigned k = 0; k < 2; k++) {
            r.giaddr = k == relayed_first ? 0 : POOL(20);
            assert_int_equal(dhcp_lab_ask(r), 0);
        }
        wait_for_offer();
        uint8_t mac[MAC_BYTES];
        dhcp_lab_mac_of(mac, r.client);
        assert_memory_equal(dhcp_lab.reply.mac, relayed_first ? mac : dhcp_lab_relay_mac,
                            MAC_BYTES);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_an_offer_waits_for_arp),
        T(test_who_does_not_wait),
        T(test_nobody_waits_for_others),
        T(test_found_in_use),
        T(test_asking_again_and_going_on),
        T(test_how_many_may_wait),
        T(test_a_full_table_waits_for_nobody),
        T(test_one_among_many_that_wait),
        T(test_clones_get_an_address_each),
        T(test_clones_at_once),
        T(test_another_card),
        T(test_who_starts_again_waits),
        T(test_who_starts_again_as_somebody_else),
        T(test_an_offer_that_had_to_go),
        T(test_who_had_it_is_asked_for),
        T(test_it_came_by_a_relay_too),
    };
    return cmocka_run_group_tests_name("dhcp_probe", tests, NULL, NULL);
}
