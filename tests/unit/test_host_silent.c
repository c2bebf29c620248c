/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The router's own host where it has no address: a bridge without an uplink of its own, and an
 * internal network, beside a host-only one:
 *
 *     outside (port 0) --\
 *     port 1 ------------+-- vm    (bridge, no uplink=: a switch)
 *     port 2, port 3 ------- den   (internal)
 *     port 4 ---- router --- cell  (hostonly, 192.168.9.0/24)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "tests/fake/host_lab.h"

#include <stdio.h>

enum { OUTSIDE_PORT, VM_PORT, DEN_PORT, DEN2_PORT, HOSTONLY_PORT, SILENT_PORTS };

#define HOSTONLY_NET 2
#define STRANGER     BE_IP4(192, 168, 9, 5)

static char status[4096];

static void status_line(const char *text)
{
    size_t used = strlen(status);
    snprintf(status + used, sizeof(status) - used, "%s\n", text);
}

/* True if a frame of the router's own is among what is sent; all is taken. */
static bool router_speaks(void)
{
    bool own = false;

    for (unsigned port = 0; port < lab.port_count; port++)
        while (lab_sent(port))
            for (unsigned nic = 0; nic < lab.port_count; nic++)
                own |= mac_equal(lab.got.b + ETH_SRC_OFF, lab.nics[nic].nic.mac);
    return own;
}

static void test_nothing_is_said_at_start(void **state)
{
    (void)state;
    while (lab_sent(HOSTONLY_PORT)) /* a gratuitous ARP is fine there */
        continue;
    assert_false(router_speaks());
    lab_pass_time(30000000); /* in which a DHCP client would have asked often */
    assert_false(router_speaks());
}

/* Whatever is asked by whomever: only the host-only network gets answers. */
static void test_only_where_there_is_an_address(void **state)
{
    (void)state;
    for (unsigned port = 0; port < SILENT_PORTS; port++) {
        struct dhcp_writer w;
        uint8_t b[600];
        bool answers = port == HOSTONLY_PORT;
        const uint8_t *nic = lab.nics[port].nic.mac;

        lab.now_us += 2000000;
        lab_make_arp(lab_host_mac, 1, STRANGER, CELL_IP);
        lab_receive(port);
        if (router_speaks() != answers)
            fail_msg("ARP on port %u", port);
        lab_make_ip(LAN_PORT, lab_host_mac, STRANGER, CELL_IP, IP_PROTO_ICMP, 20);
        lab_finish();
        memcpy(lab.f.b, nic, MAC_BYTES);
        lab_receive(port);
        if (router_speaks() != answers)
            fail_msg("ping on port %u", port);
        lab_make_dhcp(DHCP_BOOTREQUEST, DHCP_TYPE_DISCOVER, lab_host_mac, 77, 0, b, &w);
        lab_make_udp(LAN_PORT, lab_host_mac, 0, ALL, BE16(68), BE16(67), b, dhcp_finish(&w, b));
        lab_receive(port);
        if (router_speaks() != answers)
            fail_msg("DHCP on port %u", port);
        /* Nor does the host take what it should never be given. */
        for (uint8_t network = 0; network <= NETWORK_UPLINK; network++) {
            if (network == HOSTONLY_NET)
                continue;
            lab_make_arp(lab_host_mac, 1, STRANGER, CELL_IP);
            struct pkt *p = pkt_alloc(&lab.pool);
            assert_true(pkt_append(p, lab.f.b, lab.f.n));
            assert_true(host_self_ops.input(lab.host, network, p));
            host_self_ops.resolve(lab.host, network, STRANGER);
            host_self_ops.link(lab.host, network, true);
            dataplane_flush(lab.dp);
            assert_false(router_speaks());
        }
    }
}

static void test_status(void **state)
{
    (void)state;
    host_print_status(lab.host, status_line);
    assert_non_null(strstr(status, "uplink    switch only\n"));
    assert_non_null(strstr(status, "dhcp      cell: "));
    assert_null(strstr(status, "den:"));
    assert_null(strstr(status, "vm:"));
}

static int start(void **state)
{
    (void)state;
    return lab_start_as(SILENT_PORTS, "net=vm,bridge,ports=1 net=den,internal,ports=2+3 "
                                      "net=cell,hostonly,ip=192.168.9.1/24,ports=4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_said_at_start),
        cmocka_unit_test(test_only_where_there_is_an_address),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests_name("host_silent", tests, start, lab_stop);
}
