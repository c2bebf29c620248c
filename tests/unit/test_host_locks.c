/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lock=ip from the DHCP server to the ports: who has which address, and who cannot take it.
 *
 *     outside (port 0) -- router -- lan: ports 1 and 2, both lock=ip
 *
 * .20 is reserved for lab_host_mac; victim gets a lease on port 1, thief is on port 2.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "net/dhcp_server.h"
#include "tests/fake/host_lab.h"

enum { VICTIM_PORT = 1, THIEF_PORT, LOCK_PORTS };
#define VICTIM_IP BE_IP4(192, 168, 8, 120)

static const uint8_t victim[MAC_BYTES] = {2, 0x10, 0, 0, 0, 1};
static const uint8_t thief[MAC_BYTES] = {2, 0x10, 0, 0, 0, 2};

/* True if the router answers an ARP request with this sender. */
static bool arp_passes(unsigned port, const uint8_t *mac, be32 ip)
{
    lab_make_arp(mac, 1, ip, LAN_IP);
    lab_receive(port);
    bool answered = false;
    while (lab_sent(port))
        answered |= lab_is_arp(2);
    lab_drain();
    return answered;
}

/* The type of the answer to a DHCP request, 0 for none. id: what the client calls itself. */
static unsigned dhcp_asks(unsigned port, const uint8_t *mac, uint8_t type, be32 ip, const char *id)
{
    struct dhcp_message m = {0};
    struct dhcp_writer w;
    uint8_t b[600];
    unsigned answer = 0;

    lab_make_dhcp(DHCP_BOOTREQUEST, type, mac, 78, 0, b, &w);
    dhcp_put_ip(&w, DHCP_OPT_REQUESTED, ip);
    if (type == DHCP_TYPE_DECLINE)
        dhcp_put_ip(&w, DHCP_OPT_SERVER, LAN_IP);
    dhcp_put(&w, DHCP_OPT_CLIENT_ID, id, strlen(id));
    lab_make_udp(port, mac, 0, ALL, BE16(68), BE16(67), b, dhcp_finish(&w, b));
    lab_receive(port);
    for (unsigned i = 0; i < DHCP_PROBE_REQUESTS; i++)
        lab_pass_time(DHCP_PROBE_US / DHCP_PROBE_REQUESTS); /* ARP may have to be asked first */
    while (lab_sent(port))
        if (lab_is_udp(BE16(67), BE16(68)) &&
            dhcp_read(&m, lab.got.b + lab.got.payload, lab.got.n - lab.got.payload))
            answer = m.type;
    lab_drain();
    return answer;
}

static void test_reservation(void **state)
{
    (void)state;
    assert_true(arp_passes(VICTIM_PORT, lab_host_mac, HOST_IP));
    assert_true(arp_passes(THIEF_PORT, lab_host_mac, HOST_IP));
    assert_false(arp_passes(THIEF_PORT, thief, HOST_IP));
    assert_false(arp_passes(THIEF_PORT, lab_host_mac, VICTIM_IP));
}

static void assert_victim_has_it(void)
{
    assert_false(arp_passes(THIEF_PORT, thief, VICTIM_IP));
    assert_false(arp_passes(THIEF_PORT, victim, VICTIM_IP));
    assert_true(arp_passes(VICTIM_PORT, victim, VICTIM_IP));
}

/* By the victim's client identifier, which its broadcasts tell everybody; by its MAC; by ending its
 * lease first. */
static void test_theft(void **state)
{
    (void)state;
    assert_int_equal(dhcp_asks(VICTIM_PORT, victim, DHCP_TYPE_REQUEST, VICTIM_IP, "\377me"),
                     DHCP_TYPE_ACK);
    assert_victim_has_it();
    assert_int_equal(dhcp_asks(THIEF_PORT, thief, DHCP_TYPE_REQUEST, VICTIM_IP, "\377me"),
                     DHCP_TYPE_NAK);
    assert_victim_has_it();
    assert_int_equal(dhcp_asks(THIEF_PORT, victim, DHCP_TYPE_REQUEST, VICTIM_IP, "\377me"), 0);
    assert_victim_has_it();
    assert_int_equal(dhcp_asks(THIEF_PORT, victim, DHCP_TYPE_DECLINE, VICTIM_IP, "\377me"), 0);
    assert_int_equal(dhcp_asks(THIEF_PORT, thief, DHCP_TYPE_DECLINE, VICTIM_IP, "\377me"), 0);
    assert_victim_has_it();
    assert_int_equal(dhcp_asks(THIEF_PORT, thief, DHCP_TYPE_REQUEST, VICTIM_IP, "\377thief"),
                     DHCP_TYPE_NAK);
    /* Two that call themselves the same are two. */
    assert_int_equal(
        dhcp_asks(THIEF_PORT, thief, DHCP_TYPE_REQUEST, BE_IP4(192, 168, 8, 121), "\377me"),
        DHCP_TYPE_ACK);
    assert_victim_has_it();
    assert_int_equal(dhcp_asks(VICTIM_PORT, victim, DHCP_TYPE_REQUEST, VICTIM_IP, "\377me"),
                     DHCP_TYPE_ACK);
}

static int start(void **state)
{
    (void)state;
    return lab_start_as(LOCK_PORTS, "uplink=0,ip=198.51.100.7/24,gw=198.51.100.1 "
                                    "net=lan,nat,ip=192.168.8.1/24,ports=1+2 "
                                    "port=1,lock=ip port=2,lock=ip "
                                    "host=02:00:00:00:00:20,192.168.8.20,web");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reservation, lab_drained),
        cmocka_unit_test_setup(test_theft, lab_drained),
    };
    return cmocka_run_group_tests_name("host_locks", tests, start, lab_stop);
}
