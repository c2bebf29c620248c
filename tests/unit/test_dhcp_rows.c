/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_reply.c and net/dhcp_server.c at the edges: times that do not divide, leases nearly
 * without end, sizes too small to be believed, options of a relay that take all room, and what an
 * INFORM is not told.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"

#include <string.h>

static uint32_t option32(uint8_t code)
{
    unsigned n;
    const uint8_t *at = dhcp_lab_option(code, &n);

    assert_true(at && n == 4);
    return load_be32(at);
}

static bool has_option(uint8_t code)
{
    unsigned n;

    return dhcp_lab_option(code, &n) != NULL;
}

static unsigned reboot(unsigned client, const char *relay, uint16_t max_size)
{
    return dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                  .client = client,
                                                  .requested = POOL(1),
                                                  .max_size = max_size,
                                                  .giaddr = relay ? POOL(50) : 0,
                                                  .relay = relay});
}

/* Half and seven eighths, rounded down; and who has such a lease keeps it until its end. */
static void test_times(void **state)
{
    static const struct {
        int id;
        uint32_t lease_s, t1_s, t2_s;
    } rows[] = {
        {1, 3600, 1800, 3150},
        {2, 20, 10, 17},
        {3, 61, 30, 53},
        {4, 127, 63, 111},
        {5, CONFIG_FOREVER - 1, (CONFIG_FOREVER - 1) / 2, 3758096382u},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab.config.nets[0].lease_s = rows[i].lease_s;
        dhcp_lab_start();
        assert_int_equal(reboot(1, NULL, 0), DHCP_TYPE_ACK);
        if (option32(DHCP_OPT_LEASE) != rows[i].lease_s || option32(DHCP_OPT_T1) != rows[i].t1_s ||
            option32(DHCP_OPT_T2) != rows[i].t2_s)
            fail_msg("row %d: %u %u %u", rows[i].id, option32(DHCP_OPT_LEASE),
                     option32(DHCP_OPT_T1), option32(DHCP_OPT_T2));
        dhcp_lab.now_us += (MIN(rows[i].lease_s, 1u << 30) - 1) * 1000000ull;
        if (reboot(2, NULL, 0) != DHCP_TYPE_NAK)
            fail_msg("row %d: the lease did not last", rows[i].id);
    }
}

static void test_an_inform_is_told_no_times(void **state)
{
    (void)state;
    assert_int_equal(dhcp_lab_ask((struct dhcp_lab_request){
                         .type = DHCP_TYPE_INFORM, .client = 1, .ciaddr = BE_IP4(192, 168, 8, 9)}),
                     DHCP_TYPE_ACK);
    assert_true(has_option(DHCP_OPT_ROUTER));
    assert_false(has_option(DHCP_OPT_LEASE));
    assert_false(has_option(DHCP_OPT_T1));
    assert_false(has_option(DHCP_OPT_T2));
}

/* A size below what every client must take says nothing (RFC 2132, section 9.10). */
static void test_a_size_that_cannot_be(void **state)
{
    (void)state;
    dhcp_lab.config.dhcpopt_count = 1;
    dhcp_lab.config.dhcpopts[0] = (struct config_dhcpopt){.code = 200, .n = 100};
    dhcp_lab_start();
    assert_int_equal(reboot(1, NULL, 300), DHCP_TYPE_ACK);
    assert_true(has_option(200) && has_option(DHCP_OPT_ROUTER));
    assert_true(dhcp_lab.reply.n <= DHCP_SAFE_BYTES);
}

/* The relay's option of most bytes comes back whole, behind all that matters; and the answer stays
 * within what the client takes. */
static void test_a_long_relay_option(void **state)
{
    char relay[256];
    unsigned n;

    (void)state;
    memset(relay, 'r', 255);
    relay[255] = '\0';
    assert_int_equal(reboot(1, relay, 0), DHCP_TYPE_ACK);
    assert_non_null(dhcp_lab_option(DHCP_OPT_RELAY, &n));
    assert_int_equal(n, 255);
    assert_true(has_option(DHCP_OPT_LEASE) && has_option(DHCP_OPT_SERVER));
    assert_true(dhcp_lab.reply.n <= DHCP_SAFE_BYTES);
}

/* Another machine of the same identifier takes another server's offer: ours to the first stands. */
static void test_a_clone_that_goes_elsewhere(void **state)
{
    (void)state;
    struct dhcp_lab_request r = {.type = DHCP_TYPE_DISCOVER, .client = 1, .id = "clone"};
    assert_int_equal(dhcp_lab_ask(r), DHCP_TYPE_OFFER);
    be32 ip = dhcp_lab_yiaddr();
    r = (struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                  .client = 2,
                                  .id = "clone",
                                  .requested = POOL(99),
                                  .server = BE_IP4(192, 168, 8, 77)};
    assert_int_equal(dhcp_lab_ask(r), 0);
    assert_int_equal(lease_known(&dhcp_lab.server.leases[0], ip)->state, LEASE_OFFERED);
    r.client = 1;
    assert_int_equal(dhcp_lab_ask(r), 0);
    assert_int_equal(lease_known(&dhcp_lab.server.leases[0], ip)->state, LEASE_FREE);
}

/* Who has a lease and is given a reservation elsewhere moves to it when it renews. */
static void test_a_new_reservation_moves_its_host(void **state)
{
    (void)state;
    dhcp_lab.config.host_count = 1;
    dhcp_lab.config.hosts[0] = (struct config_host){.net = 0, .ip = POOL(5)};
    dhcp_lab_mac_of(dhcp_lab.config.hosts[0].mac, 1);
    dhcp_lab_start();
    assert_int_equal(reboot(1, NULL, 0), DHCP_TYPE_NAK);
    assert_int_equal(reboot(2, NULL, 0), DHCP_TYPE_ACK);
    assert_int_equal(
        dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_DISCOVER, .client = 1}),
        DHCP_TYPE_OFFER);
    assert_int_equal(dhcp_lab_yiaddr(), POOL(5));
}

static void test_a_renewal_need_not_repeat_the_name(void **state)
{
    struct dhcp_lab_request r = {
        .type = DHCP_TYPE_REQUEST, .client = 1, .requested = POOL(1), .name = "web"};

    (void)state;
    for (unsigned i = 0; i < 2; i++, r.name = NULL) {
        assert_int_equal(dhcp_lab_ask(r), DHCP_TYPE_ACK);
        assert_string_equal(dhcp_server_name_of(&dhcp_lab.server, 0, POOL(1), dhcp_lab.now_us),
                            "web");
    }
}

/* ARP of one network, and for one address, says nothing of others that are waited for; and one
 * client may wait in two networks. */
static void test_what_waits_is_told_apart(void **state)
{
    struct dhcp_lab_request r = {.type = DHCP_TYPE_DISCOVER, .client = 1, .id = "id"};
    const uint8_t other[MAC_BYTES] = {2, 0, 0, 0, 7, 7};

    (void)state;
    dhcp_lab.config.nets[0].prefix = 20;
    dhcp_lab.config.nets[0].pool_last = BE_IP4(192, 168, 15, 254);
    dhcp_lab.config.nets[1] = dhcp_lab.config.nets[0];
    dhcp_lab_start();
    dhcp_lab.waits = true;
    assert_int_equal(dhcp_lab_ask_on(0, r), 0);
    be32 ip = dhcp_lab.probed;
    assert_int_equal(dhcp_lab_ask_on(1, r), 0);
    assert_int_equal(dhcp_lab.server.pending.count, 2);
    /* The same chain of the table, and not the same address or network. */
    dhcp_server_seen(&dhcp_lab.server, 0, ip ^ BE_IP4(0, 0, 4, 0), other, dhcp_lab.now_us);
    assert_false(dhcp_lab_poll(dhcp_lab.now_us));
    assert_int_equal(dhcp_lab.server.counters.in_use, 0);
    assert_int_equal(dhcp_server_next_us(&dhcp_lab.server),
                     dhcp_lab.now_us + DHCP_PROBE_US / DHCP_PROBE_REQUESTS);
    dhcp_server_seen(&dhcp_lab.server, 1, ip, other, dhcp_lab.now_us);
    assert_false(dhcp_lab_poll(dhcp_lab.now_us));
    assert_int_equal(dhcp_lab.server.counters.in_use, 1);
    assert_int_not_equal(dhcp_lab.probed, ip); /* network 1 asks for the next, */
    for (unsigned i = 0; i < DHCP_PROBE_REQUESTS; i++)
        dhcp_lab.now_us += DHCP_PROBE_US / DHCP_PROBE_REQUESTS,
            assert_int_equal(dhcp_lab_poll(dhcp_lab.now_us), i + 1 == DHCP_PROBE_REQUESTS);
    assert_int_equal(dhcp_lab.reply.network, 0); /* and network 0 keeps its own */
    assert_int_equal(dhcp_lab_yiaddr(), ip);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_times),
        T(test_an_inform_is_told_no_times),
        T(test_a_size_that_cannot_be),
        T(test_a_long_relay_option),
        T(test_a_clone_that_goes_elsewhere),
        T(test_a_new_reservation_moves_its_host),
        T(test_a_renewal_need_not_repeat_the_name),
        T(test_what_waits_is_told_apart),
    };
    return cmocka_run_group_tests_name("dhcp_rows", tests, NULL, NULL);
}
