/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_server.c: whose word ends a lease (RFC 2131, sections 4.3.3 and 4.3.4), and for how long
 * an address that was declined is left alone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_base.h"

#include <stdio.h>

#define IP    POOL(3)
#define RELAY BE_IP4(192, 168, 8, 50)

static unsigned ask_for(unsigned client)
{
    return dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_REQUEST, .client = client, .requested = IP, .id = client ? "id" : NULL});
}

/* Client 1, "id", has the address; then somebody says something. */
static void test_whose_word_ends_a_lease(void **state)
{
    static const struct {
        int id;
        bool ends;
        struct dhcp_lab_request says;
    } rows[] = {
#define SAYS(t, ...) {.type = DHCP_TYPE_##t, __VA_ARGS__}
        {1, true, SAYS(RELEASE, .client = 1, .id = "id", .ciaddr = IP, .server = ROUTER)},
        {2, true, SAYS(RELEASE, .client = 1, .id = "id", .ciaddr = IP)},
        {3, false, SAYS(RELEASE, .client = 1, .id = "id", .ciaddr = IP, .server = POOL(20))},
        {4, false, SAYS(RELEASE, .client = 1, .id = "id", .ciaddr = POOL(4), .server = ROUTER)},
        {5, false, SAYS(RELEASE, .client = 1, .id = "id", .requested = IP, .server = ROUTER)},
        {6, false, SAYS(RELEASE, .client = 1, .ciaddr = IP, .server = ROUTER)},
        {7, false, SAYS(RELEASE, .client = 2, .id = "id", .ciaddr = IP, .server = ROUTER)},
        {8, false, SAYS(RELEASE, .client = 2, .ciaddr = IP, .server = ROUTER)},
        {9, false,
         SAYS(RELEASE, .client = 1, .id = "id", .ciaddr = IP, .server = ROUTER, .forged = true)},
        {10, true,
         SAYS(RELEASE, .client = 1, .id = "id", .ciaddr = IP, .server = ROUTER, .giaddr = RELAY)},
        {11, true, SAYS(DECLINE, .client = 1, .id = "id", .requested = IP, .server = ROUTER)},
        {12, false, SAYS(DECLINE, .client = 1, .id = "id", .requested = IP)},
        {13, false, SAYS(DECLINE, .client = 1, .id = "id", .requested = IP, .server = POOL(20))},
        {14, false, SAYS(DECLINE, .client = 1, .id = "id", .requested = POOL(4), .server = ROUTER)},
        {15, false, SAYS(DECLINE, .client = 1, .id = "id", .ciaddr = IP, .server = ROUTER)},
        {16, false, SAYS(DECLINE, .client = 2, .id = "id", .requested = IP, .server = ROUTER)},
        {17, false,
         SAYS(DECLINE, .client = 1, .id = "id", .requested = IP, .server = ROUTER, .forged = true)},
        {18, true,
         SAYS(DECLINE, .client = 1, .id = "id", .requested = IP, .server = ROUTER,
              .giaddr = RELAY)},
        /* Who says that it is a relay is believed on the port where the lease was given. */
        {19, false,
         SAYS(RELEASE, .client = 1, .id = "id", .ciaddr = IP, .server = ROUTER, .giaddr = RELAY,
              .port = 1)},
        {20, false,
         SAYS(DECLINE, .client = 1, .id = "id", .requested = IP, .server = ROUTER, .giaddr = RELAY,
              .port = 1)},
#undef SAYS
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab_start();
        assert_int_equal(ask_for(1), DHCP_TYPE_ACK);
        assert_int_equal(dhcp_lab_ask(rows[i].says), 0);
        bool ended = dhcp_lab_bound(0, IP) == NULL;
        if (ended != rows[i].ends)
            fail_msg("row %d: the lease %s", rows[i].id, ended ? "ended" : "did not end");
        /* What was released is anybody's; what was declined, nobody's. */
        bool free = ended && rows[i].says.type == DHCP_TYPE_RELEASE;
        if (ask_for(0) != (free ? DHCP_TYPE_ACK : DHCP_TYPE_NAK))
            fail_msg("row %d: the address is%s free", rows[i].id, free ? " not" : "");
    }
}

/* Client 1, "id", has the address, and another host asks for one as if it were client 1. */
static void test_whose_word_moves_a_lease(void **state)
{
    static const struct {
        int id;
        struct dhcp_lab_request says;
        unsigned type;
        bool moves;
    } rows[] = {
#define ASKS(...) {.type = DHCP_TYPE_REQUEST, .id = "id", __VA_ARGS__}
        {1, ASKS(.client = 1, .requested = POOL(4)), DHCP_TYPE_ACK, true},
        {2, ASKS(.client = 1, .requested = POOL(4), .forged = true), DHCP_TYPE_NAK, false},
        {3, ASKS(.client = 1, .ciaddr = POOL(4), .forged = true), DHCP_TYPE_NAK, false},
        {4, ASKS(.client = 1, .requested = POOL(4), .server = ROUTER, .forged = true),
         DHCP_TYPE_NAK, false},
        {5, ASKS(.client = 1, .requested = POOL(4), .giaddr = RELAY), DHCP_TYPE_ACK, true},
        {6, ASKS(.client = 1, .requested = POOL(4), .giaddr = RELAY, .port = 1), DHCP_TYPE_NAK,
         false},
        {7, ASKS(.client = 2, .requested = POOL(4)), DHCP_TYPE_NAK, false},
        {8, ASKS(.client = 2, .ciaddr = POOL(4)), DHCP_TYPE_NAK, false},
        {11, ASKS(.client = 2, .requested = POOL(4), .port = 2), DHCP_TYPE_ACK, true},
        /* A renewal that is forged gives no right to end the lease. */
        {9, ASKS(.client = 1, .ciaddr = IP, .giaddr = RELAY, .port = 1), DHCP_TYPE_ACK, false},
        {10, ASKS(.client = 1, .ciaddr = IP, .forged = true, .port = 1), DHCP_TYPE_ACK, false},
#undef ASKS
    };
    struct dhcp_lab_request releases = {.type = DHCP_TYPE_RELEASE,
                                        .client = 1,
                                        .id = "id",
                                        .ciaddr = IP,
                                        .giaddr = RELAY,
                                        .port = 1};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        dhcp_lab_start();
        assert_int_equal(ask_for(1), DHCP_TYPE_ACK);
        if (rows[i].says.port == 2) /* its lease is over by then */
            dhcp_lab.now_us += (LEASE_S + LEASE_GRACE_S) * 1000000ull;
        unsigned type = dhcp_lab_ask(rows[i].says);
        if (type != rows[i].type || (dhcp_lab_bound(0, IP) == NULL) != rows[i].moves)
            fail_msg("row %d: %u", rows[i].id, type);
        dhcp_lab_ask(releases);
        if ((dhcp_lab_bound(0, IP) == NULL) != rows[i].moves)
            fail_msg("row %d: released by another host", rows[i].id);
    }
}

/* Each time in a row for twice as long, up to a day. */
static void test_a_declined_address_rests(void **state)
{
    uint32_t rest_s = LEASE_DECLINED_S;
    char told[64];

    (void)state;
    dhcp_lab_start();
    for (unsigned i = 0; i < 10; i++, rest_s = MIN(2 * rest_s, LEASE_DECLINED_MAX_S)) {
        assert_int_equal(ask_for(0), DHCP_TYPE_ACK);
        assert_int_equal(
            dhcp_lab_ask((struct dhcp_lab_request){
                .type = DHCP_TYPE_DECLINE, .client = 0, .requested = IP, .server = ROUTER}),
            0);
        snprintf(told, sizeof(told), "not given out for %u min", rest_s / 60);
        assert_true(fake_log_has(told));
        fake_log_clear();
        dhcp_lab.now_us += (rest_s - 1) * 1000000ull;
        assert_int_equal(ask_for(0), DHCP_TYPE_NAK);
        dhcp_lab.now_us += 1000000;
    }
    assert_int_equal(rest_s, LEASE_DECLINED_MAX_S);
    assert_int_equal(dhcp_lab.server.counters.declined, 10);
    /* Who renews what it has shows that it is of use after all. */
    assert_int_equal(ask_for(0), DHCP_TYPE_ACK);
    assert_int_equal(ask_for(0), DHCP_TYPE_ACK);
    dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_DECLINE, .client = 0, .requested = IP, .server = ROUTER});
    assert_true(fake_log_has("not given out for 10 min"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_whose_word_ends_a_lease),
        T(test_whose_word_moves_a_lease),
        T(test_a_declined_address_rests),
    };
    return cmocka_run_group_tests_name("dhcp_end", tests, NULL, NULL);
}
