/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The router's own host on an uplink that is bridged, with a MAC that was given to it:
 *
 *     outside (port 0) --+-- router: 198.51.100.7 by DHCP, MAC 02:aa:bb:cc:dd:ee
 *     vm (port 1) -------/      |
 *                               +-- cell (port 2, 192.168.9.0/24, hostonly), lock=ip
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "tests/fake/host_lab.h"

#define VM_PORT 1
#define VM_IP   BE_IP4(198, 51, 100, 20)
#define LEASED  BE_IP4(192, 168, 9, 120)

static const uint8_t own_mac[MAC_BYTES] = {2, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE};

static void test_the_client_has_the_given_mac(void **state)
{
    struct dhcp_message m;

    (void)state;
    assert_true(lab_client_says(&m));
    assert_int_equal(m.type, DHCP_TYPE_DISCOVER);
    assert_memory_equal(m.mac, own_mac, MAC_BYTES);
    assert_memory_equal(lab.got.b + ETH_SRC_OFF, own_mac, MAC_BYTES);
    lab_drain();
    lab_pass_time(3000000); /* it asks again */
    lab_bind();
    lab_nothing_sent();
}

/* From the outside and from a machine on the bridge alike. */
static void test_it_answers_on_every_port(void **state)
{
    (void)state;
    for (unsigned port = UPLINK_PORT; port <= VM_PORT; port++) {
        const uint8_t *mac = port == VM_PORT ? lab_host_mac : lab_gateway_mac;
        be32 from = port == VM_PORT ? VM_IP : GATEWAY;
        bool arp = false, pong = false;
        lab_make_arp(mac, 1, from, WAN_IP);
        lab_receive(port);
        while (lab_sent(port))
            if (lab_is_arp(2)) {
                assert_memory_equal(lab.got.b + 22, own_mac, MAC_BYTES);
                arp = true;
            }
        assert_true(arp);
        lab_drain(); /* the request itself, on the other port */
        lab_make_ip(UPLINK_PORT, mac, from, WAN_IP, IP_PROTO_ICMP, 20);
        memcpy(lab.f.b, own_mac, MAC_BYTES);
        lab_finish();
        lab_receive(port);
        while (lab_sent(port))
            pong |= lab.got.b[lab.got.l4] == ICMP_ECHO_REPLY;
        assert_true(pong);
        lab_nothing_sent();
    }
}

static bool asks_again(unsigned port)
{
    struct dhcp_message m;

    lab.nics[port].up = false;
    lab_pass_time(600000);
    lab.nics[port].up = true;
    lab_drain();
    lab_pass_time(600000);
    return lab_client_says(&m);
}

/* A machine that comes and goes is no news about the outside. */
static void test_only_the_uplinks_link_counts(void **state)
{
    (void)state;
    assert_false(asks_again(VM_PORT));
    assert_true(asks_again(UPLINK_PORT));
}

static bool is_heard(const uint8_t *mac)
{
    bool heard = false;

    lab_make_arp(mac, 1, LEASED, CELL_IP);
    lab_receive(CELL_PORT);
    while (lab_sent(CELL_PORT))
        heard |= lab_is_arp(2);
    return heard;
}

static bool says(const uint8_t *mac, uint8_t type)
{
    struct dhcp_writer w;
    uint8_t b[600];

    lab_make_dhcp(DHCP_BOOTREQUEST, type, mac, 77, 0, b, &w);
    if (type == DHCP_TYPE_RELEASE)
        dhcp_put_ip(&w, DHCP_OPT_SERVER, CELL_IP);
    store_raw32(b + DHCP_CIADDR_OFF, LEASED); /* it rebinds: nobody waits for ARP */
    lab_make_udp(UPLINK_PORT, mac, type == DHCP_TYPE_RELEASE ? LEASED : 0,
                 type == DHCP_TYPE_RELEASE ? CELL_IP : ALL, BE16(68), BE16(67), b,
                 dhcp_finish(&w, b));
    if (type == DHCP_TYPE_RELEASE)
        memcpy(lab.f.b, dataplane_mac(lab.dp, 1), MAC_BYTES);
    lab_receive(CELL_PORT);
    return lab_sent(CELL_PORT) && lab_is_udp(BE16(67), BE16(68));
}

/* Where ports are locked to leases, a lease is what lets a host be heard, and for as long. */
static void test_a_lease_opens_a_locked_port(void **state)
{
    static const uint8_t other[MAC_BYTES] = {2, 0, 0, 0, 0, 0x66};

    (void)state;
    assert_false(is_heard(lab_host_mac));
    assert_true(says(lab_host_mac, DHCP_TYPE_REQUEST));
    assert_true(is_heard(lab_host_mac));
    assert_false(is_heard(other));
    assert_false(says(lab_host_mac, DHCP_TYPE_RELEASE));
    assert_false(is_heard(lab_host_mac));
    assert_true(says(other, DHCP_TYPE_REQUEST));
    assert_true(is_heard(other));
    assert_false(is_heard(lab_host_mac));
    lab.now_us += 13ull * 3600 * 1000000; /* a lease is 12 hours */
    lab_turn();
    lab_drain();
    assert_false(is_heard(other));
}

static int start(void **state)
{
    (void)state;
    return lab_start_as(3, "uplink=0,dhcp,mac=02:aa:bb:cc:dd:ee net=vm,bridge,ports=1 "
                           "net=cell,hostonly,ports=2,ip=192.168.9.1/24 port=2,lock=ip");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, lab_drained)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_client_has_the_given_mac),
        T(test_it_answers_on_every_port),
        T(test_only_the_uplinks_link_counts),
        T(test_a_lease_opens_a_locked_port),
    };
    return cmocka_run_group_tests_name("host_bridge", tests, start, lab_stop);
}
