/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests for ports from frame to frame (net/host/services.c, net/nat_hold.c): where they are
 * heard, where the answer goes, what then comes in, and announcements.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/pcp.h"
#include "tests/fake/fake_base.h"
#include "net/host/host_internal.h"
#include "tests/fake/host_lab.h"

#define ALL_SYSTEMS BE_IP4(224, 0, 0, 1)

static int start(void **state)
{
    (void)state;
    return lab_start_as(PORTS, "uplink=0,dhcp net=lan,nat,ip=192.168.8.1/24,ports=1,pcp "
                               "net=cell,hostonly,ip=192.168.9.1/24,ports=2 "
                               "net=twin,nat,ip=192.168.8.1/24,ports=3");
}

static void ask_map(unsigned port, const uint8_t *mac, be32 from, be32 to, uint32_t lifetime_s)
{
    uint8_t b[NATPMP_MAP_BYTES] = {0, NATPMP_MAP_UDP};

    store_be16(b + NATPMP_INSIDE_PORT_OFF, 7777);
    store_be16(b + NATPMP_OUTSIDE_OFF, 8888);
    store_be32(b + NATPMP_LIFETIME_OFF, lifetime_s);
    lab_make_udp(port, mac, from, to, BE16(40000), BE16(PCP_PORT), b, sizeof(b));
    lab_receive(port);
}

static uint16_t answered_port(void)
{
    const uint8_t *a = lab.got.b + lab.got.payload;

    assert_true(lab_is_udp(BE16(PCP_PORT), BE16(40000)));
    assert_memory_equal(lab.got.b, lab_host_mac, MAC_BYTES); /* straight to it, without ARP */
    assert_int_equal(lab_got_ip(IP4_SRC_OFF), LAN_IP);
    assert_int_equal(lab_got_ip(IP4_DST_OFF), HOST_IP);
    assert_int_equal(lab.got.n - lab.got.payload, NATPMP_ANSWER_MAP_BYTES);
    assert_int_equal(a[1], NATPMP_MAP_UDP | PCP_RESPONSE);
    return load_be16(a + NATPMP_RESULT_OFF) ? 0 : load_be16(a + NATPMP_ANSWER_OUTSIDE_OFF);
}

static void test_no_uplink_yet(void **state)
{
    (void)state;
    while (lab_sent(LAN_PORT))
        continue;
    ask_map(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, 120);
    assert_true(lab_sent(LAN_PORT));
    assert_int_equal(answered_port(), 0);
    assert_int_equal(load_be16(lab.got.b + lab.got.payload + NATPMP_RESULT_OFF),
                     NATPMP_NETWORK_FAILURE);
}

/* Ten times, on the network that is served and on no other; and the router wakes up for them. */
static void test_announcements(void **state)
{
    unsigned natpmp = 0, pcp = 0;

    (void)state;
    lab_bind();
    for (unsigned s = 0; s < 130; s++) {
        lab_pass_time(1000000);
        while (lab_sent(LAN_PORT)) {
            if (lab_got_ip(IP4_DST_OFF) != ALL_SYSTEMS)
                continue;
            assert_true(lab_is_udp(BE16(PCP_PORT), BE16(PCP_CLIENT_PORT)));
            assert_memory_equal(lab.got.b, "\x01\x00\x5E\x00\x00\x01", MAC_BYTES);
            const uint8_t *b = lab.got.b + lab.got.payload;
            natpmp += b[0] == NATPMP_VERSION;
            pcp += b[0] == PCP_VERSION;
            if (b[0] == NATPMP_VERSION)
                assert_int_equal(load_raw32(b + NATPMP_ANSWER_ADDRESS_OFF), WAN_IP);
        }
        for (unsigned port = CELL_PORT; port <= TWIN_PORT; port++)
            while (lab_sent(port))
                assert_int_not_equal(lab_got_ip(IP4_DST_OFF), ALL_SYSTEMS);
    }
    assert_int_equal(natpmp, 9); /* after the one that lab_bind() has seen */
    assert_int_equal(pcp, 9);
}

/* True if what comes to the outside port arrives at the host. */
static bool comes_in(void)
{
    lab_drain();
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, DNS_SERVER, WAN_IP, BE16(99), BE16(8888), "hello",
                 5);
    lab_receive(UPLINK_PORT);
    while (lab_sent(LAN_PORT)) {
        if (lab_is_udp(BE16(99), BE16(7777)))
            return lab_got_ip(IP4_DST_OFF) == HOST_IP;
        if (lab_is_arp(1)) {
            lab_make_arp(lab_host_mac, 2, HOST_IP, LAN_IP);
            lab_receive(LAN_PORT);
        }
    }
    return false;
}

static void test_from_frame_to_frame(void **state)
{
    (void)state;
    assert_false(comes_in());
    ask_map(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, 120);
    assert_true(lab_sent(LAN_PORT));
    assert_int_equal(answered_port(), 8888);
    assert_true(fake_log_has("pcp       lan 192.168.8.20:7777 udp outside 8888 for 120 s"));
    assert_true(services_next_us(lab.host) <=
                lab.now_us + 120 * 1000000ull); /* it wakes for that */
    assert_true(comes_in());
    lab_pass_time(115 * 1000000ull);
    lab_drain();
    assert_true(comes_in());
    lab_pass_time(10 * 1000000ull);
    lab_drain();
    assert_false(comes_in());
    assert_true(fake_log_has("pcp       lan 192.168.8.20:7777 udp outside 8888 ended"));
    ask_map(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, 120);
    assert_true(lab_sent(LAN_PORT));
    assert_int_equal(answered_port(), 8888);
    ask_map(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, 0);
    assert_true(lab_sent(LAN_PORT));
    assert_false(comes_in());
}

static void test_where_nobody_listens(void **state)
{
    (void)state;
    lab_drain();
    ask_map(UPLINK_PORT, lab_gateway_mac, GATEWAY, WAN_IP, 600);
    ask_map(UPLINK_PORT, lab_gateway_mac, GATEWAY, LAN_IP, 120);
    lab_nothing_sent();
    ask_map(CELL_PORT, lab_host_mac, BE_IP4(192, 168, 9, 20), CELL_IP, 600);
    while (lab_sent(CELL_PORT))
        assert_false(lab_is_udp(BE16(PCP_PORT), 0));
    ask_map(TWIN_PORT, lab_host_mac, HOST_IP, LAN_IP, 120);
    while (lab_sent(TWIN_PORT))
        assert_false(lab_is_udp(BE16(PCP_PORT), 0));
    ask_map(LAN_PORT, lab_host_mac, HOST_IP, WAN_IP, 600); /* the router's, but elsewhere */
    while (lab_sent(LAN_PORT))
        assert_false(lab_is_udp(BE16(PCP_PORT), 0));
    ask_map(LAN_PORT, lab_host_mac, GATEWAY, LAN_IP, 120); /* not an address of the network */
    lab_nothing_sent();
    assert_int_equal(lab.host->services.pcp.count, 0);
}

#define TEST(f) cmocka_unit_test_setup(f, lab_drained)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_uplink_yet), /* the DHCP client's first message is still there */
        cmocka_unit_test(test_announcements),
        TEST(test_from_frame_to_frame),
        TEST(test_where_nobody_listens),
    };
    return cmocka_run_group_tests(tests, start, lab_stop);
}
