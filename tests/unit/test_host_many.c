/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The router's own host with as many networks as there can be: sixteen and the uplink, fifteen of
 * them on one port, and two with the subnet of another:
 *
 *     outside (port 0) -- router -- port 1, trunk: n0 .. n13 (VLAN 100 .. 113), 10.0.i.0/24
 *                              |                   twin      (VLAN 114), 10.0.0.0/24, as n0
 *                              \- port 2:          lab       (hostonly), 10.0.15.0/24
 *
 * Hosts of n1 may open something to lab. Host number k of a network has the address .k and the
 * MAC 02:10:00:00:00:k - in every network, so the same machine may be in several.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/dns.h"
#include "tests/fake/dns_rig.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/host_lab.h"

#include <stdio.h>

#define NETS  16
#define TRUNK 1
#define LAB   15
#define OTHER 14 /* twin */

#define NET_IP(net, host) BE_IP4(10, 0, (net) == OTHER ? 0 : (net), host)

static unsigned port_of(unsigned net)
{
    return net == LAB ? 2 : TRUNK;
}

/* lab.f, made for another port, comes in from a network. */
static void receive_on(unsigned net)
{
    memcpy(lab.f.b, mac_is_group(lab.f.b) ? lab_all_mac : dataplane_mac(lab.dp, (uint8_t)net),
           MAC_BYTES);
    frame_add_tags(&lab.f, &(uint32_t){100 + net}, net != LAB);
    lab_receive(port_of(net));
}

/* The next frame sent to a network is in lab.got, without its tag; false if there is none. One for
 * another network is a failed test. */
static bool sent_on(unsigned net)
{
    struct pkt *p = fake_nic_sent(&lab.nics[port_of(net)]);

    if (!p)
        return false;
    lab.got.n = p->total_bytes;
    assert_true(pkt_copy_out(p, 0, lab.got.b, lab.got.n));
    pkt_free(p);
    if (net != LAB) {
        assert_int_equal(load_be16(lab.got.b + 12), 0x8100);
        assert_int_equal(load_be16(lab.got.b + 14), 100 + net);
        memmove(lab.got.b + 12, lab.got.b + 16, lab.got.n - 16);
        lab.got.n -= 4;
    }
    lab.got.l3 = ETH_HDR_BYTES;
    lab.got.l4 = lab.got.l3 + IP4_HDR_BYTES;
    lab.got.payload = lab.got.l4 + UDP_HDR_BYTES;
    return true;
}

static const uint8_t *mac_of(uint8_t host)
{
    static uint8_t mac[MAC_BYTES] = {2, 0x10};

    mac[5] = host;
    return mac;
}

static void ping(unsigned net, uint8_t host, be32 to)
{
    lab_make_ip(UPLINK_PORT, mac_of(host), NET_IP(net, host), to, IP_PROTO_ICMP, 20);
    lab_finish();
    receive_on(net);
}

static void greet(unsigned net, uint8_t host)
{
    lab_make_arp(mac_of(host), 1, NET_IP(net, host), NET_IP(net, 1));
    receive_on(net);
}

static void test_each_answers_for_itself(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned net = 0; net < NETS; net++) {
            greet(net, 20);
            assert_true(sent_on(net) && lab_is_arp(2));
            assert_memory_equal(lab.got.b, mac_of(20), MAC_BYTES);
            ping(net, 20, NET_IP(net, 1));
            if (!sent_on(net))
                fail_msg("network %u does not answer", net);
            assert_int_equal(lab.got.b[lab.got.l4], ICMP_ECHO_REPLY);
            assert_int_equal(lab_got_ip(IP4_SRC_OFF), NET_IP(net, 1));
            assert_memory_equal(lab.got.b, mac_of(20), MAC_BYTES);
            lab_nothing_sent();
        }
}

/* The router's address of another network is as far away as that network. */
static void test_other_networks_addresses(void **state)
{
    (void)state;
    for (unsigned from = 0; from < NETS; from++)
        for (unsigned to = 0; to < NETS; to++) {
            if (NET_IP(from, 1) == NET_IP(to, 1))
                continue;
            lab.now_us += 2000000;
            greet(from, 20);
            lab_drain();
            ping(from, 20, NET_IP(to, 1));
            while (sent_on(from))
                assert_true(lab_is_arp(1) || lab.got.b[lab.got.l4] == ICMP_UNREACHABLE);
            lab_nothing_sent();
            /* Nor does the host itself take it, whoever lets it through. */
            lab_make_ip(UPLINK_PORT, mac_of(20), NET_IP(from, 20), NET_IP(to, 1), IP_PROTO_ICMP,
                        20);
            lab_finish();
            struct pkt *p = pkt_alloc(&lab.pool);
            assert_true(pkt_append(p, lab.f.b, lab.f.n));
            host_self_ops.input(lab.host, (uint8_t)from, p);
            dataplane_flush(lab.dp);
            lab_nothing_sent();
        }
}

static void test_leases(void **state)
{
    struct dhcp_message m;
    struct dhcp_writer w;
    uint8_t b[600];

    (void)state;
    for (unsigned net = 0; net < NETS; net++) {
        be32 want = NET_IP(net, 120);
        lab_make_dhcp(DHCP_BOOTREQUEST, DHCP_TYPE_REQUEST, mac_of(30), 78, 0, b, &w);
        store_raw32(b + DHCP_CIADDR_OFF, want); /* it rebinds: nobody waits for ARP */
        dhcp_put(&w, DHCP_OPT_NAME, "laptop", 6);
        lab_make_udp(UPLINK_PORT, mac_of(30), 0, ALL, BE16(68), BE16(67), b, dhcp_finish(&w, b));
        receive_on(net);
        assert_true(sent_on(net) && lab_is_udp(BE16(67), BE16(68)));
        assert_true(dhcp_read(&m, lab.got.b + lab.got.payload, lab.got.n - lab.got.payload));
        assert_int_equal(m.type, DHCP_TYPE_ACK);
        assert_int_equal(m.yiaddr, want);
        assert_int_equal(m.server, NET_IP(net, 1));
        lab_nothing_sent();
    }
}

/* Asks from host 30 of a network; the rcode, and the address if there is one. */
static unsigned ask(unsigned net, const char *name, be32 *address)
{
    uint8_t b[300];
    size_t n = dns_rig_build(b, 0x0102, name, DNS_TYPE_A);

    lab_make_udp(UPLINK_PORT, mac_of(30), NET_IP(net, 120), NET_IP(net, 1), BE16(5353), BE16(53), b,
                 n);
    receive_on(net);
    *address = 0;
    if (!sent_on(net))
        return 99; /* no answer, or not yet */
    assert_true(lab_is_udp(BE16(53), BE16(5353)));
    assert_int_equal(lab_got_ip(IP4_SRC_OFF), NET_IP(net, 1));
    if (lab.got.b[lab.got.payload + DNS_ANCOUNT_OFF + 1])
        memcpy(address, lab.got.b + lab.got.n - 4, 4);
    return lab.got.b[lab.got.payload + 3] & 15;
}

static void test_names_are_of_their_network(void **state)
{
    be32 ip;

    (void)state;
    for (unsigned net = 0; net < NETS; net++) {
        assert_int_equal(ask(net, "laptop.lan", &ip), DNS_NOERROR);
        assert_int_equal(ip, NET_IP(net, 120)); /* its own network's comes first */
        assert_int_equal(ask(net, "gate", &ip), DNS_NOERROR);
        assert_int_equal(ip, NET_IP(net, 1));
        assert_int_equal(ask(net, "nas.lan", &ip), DNS_NOERROR);
        assert_int_equal(ip, BE_IP4(10, 0, 3, 9));
        /* A host of lab, which only n1 may open something to. */
        assert_int_equal(ask(net, "cell.lan", &ip),
                         net == LAB || net == 1 ? DNS_NOERROR : DNS_NXDOMAIN);
        assert_int_equal(ip, net == LAB || net == 1 ? NET_IP(LAB, 10) : 0);
        assert_int_equal(ask(net, "nobody.lan", &ip), DNS_NXDOMAIN);
        assert_int_equal(ask(net, "nobody", &ip), DNS_NXDOMAIN);
        lab_nothing_sent();
    }
    assert_int_equal(ask(LAB, "example.org", &ip), DNS_REFUSED);
    lab_nothing_sent();
}

/* ad.example is known by a host of lab: it is asked there, by those who may reach lab, and nobody
 * but it can answer. */
static void test_a_server_inside(void **state)
{
    static struct frame query;
    uint8_t answer[300];
    be32 ip;

    (void)state;
    assert_int_equal(ask(0, "dc.ad.example", &ip), DNS_REFUSED);
    assert_int_equal(ask(1, "dc.ad.example", &ip), 99);
    assert_true(sent_on(LAB) && lab_is_arp(1));
    lab_make_arp(mac_of(53), 2, NET_IP(LAB, 53), NET_IP(LAB, 1));
    receive_on(LAB);
    assert_true(sent_on(LAB) && lab_is_udp(0, BE16(53)));
    assert_int_equal(lab_got_ip(IP4_SRC_OFF), NET_IP(LAB, 1));
    assert_int_equal(lab_got_ip(IP4_DST_OFF), NET_IP(LAB, 53));
    lab_nothing_sent();
    query = lab.got;
    be16 port = load_raw16(query.b + query.l4 + UDP_SPORT_OFF);
    size_t n = query.n - query.payload;
    memcpy(answer, query.b + query.payload, n);
    answer[2] |= 0x80;

    /* Others are told what they would be told of any closed port. */
    const struct {
        unsigned net;
        uint8_t host, at;
    } others[] = {{LAB, 30, 120}, {0, 53, 53}};
    for (unsigned i = 0; i < ARRAY_COUNT(others); i++) {
        unsigned net = others[i].net;
        be32 from = NET_IP(net, others[i].at);
        lab.now_us += 1100000;
        lab_make_arp(mac_of(others[i].host), 1, from, NET_IP(net, 1));
        receive_on(net);
        lab_drain();
        lab_make_udp(UPLINK_PORT, mac_of(others[i].host), from, NET_IP(net, 1), BE16(53), port,
                     answer, n);
        receive_on(net);
        assert_true(sent_on(net));
        assert_int_equal(lab.got.b[lab.got.l3 + IP4_PROTO_OFF], IP_PROTO_ICMP);
        assert_int_equal(lab.got.b[lab.got.l4], ICMP_UNREACHABLE);
        lab_nothing_sent();
    }
    lab_make_udp(UPLINK_PORT, mac_of(53), NET_IP(LAB, 53), NET_IP(LAB, 1), BE16(53), port, answer,
                 n);
    receive_on(LAB);
    assert_true(sent_on(1) && lab_is_udp(BE16(53), BE16(5353)));
    assert_int_equal(load_be16(lab.got.b + lab.got.payload), 0x0102);
    lab_nothing_sent();
}

/* Of 253 hosts in each network all are known to the dataplane, however few lwIP remembers. */
static void test_many_neighbors(void **state)
{
    struct dataplane_totals totals;

    (void)state;
    for (unsigned net = 0; net < NETS; net++)
        for (unsigned host = 2; host < 255; host++) {
            lab.now_us += 1000; /* a port may flood only so much */
            greet(net, (uint8_t)host);
            bool told = false;
            while (sent_on(net)) /* an answer from before may have waited for the MAC */
                told |= lab_is_arp(2);
            if (!told)
                fail_msg("network %u does not answer host %u", net, host);
        }
    dataplane_totals(lab.dp, &totals);
    assert_true(dataplane_sum_holds(&totals));
    for (unsigned net = 0; net < NETS; net++) {
        ping(net, 20, NET_IP(net, 1));
        bool answered = false;
        for (unsigned i = 0; i < 3 && !answered; i++) {
            assert_true(sent_on(net));
            answered = !lab_is_arp(1);
            if (!answered) /* it had to forget it */
                greet(net, 20);
        }
        assert_true(answered);
        lab_drain();
    }
}

static int start(void **state)
{
    char text[2000], *at = text, *end = text + sizeof(text);

    (void)state;
    at += snprintf(at, (size_t)(end - at),
                   "uplink=0,ip=198.51.100.7/24,gw=198.51.100.1 hostname=gate ");
    for (unsigned net = 0; net < OTHER; net++)
        at += snprintf(at, (size_t)(end - at), "net=n%u,nat,vlan=%u,ip=10.0.%u.1/24 ", net,
                       100 + net, net);
    snprintf(at, (size_t)(end - at),
             "net=twin,nat,vlan=114,ip=10.0.0.1/24 net=lab,hostonly,ports=2,ip=10.0.15.1/24 "
             "port=1,trunk=all rule=allow,from=n1,to=lab host=02:10:00:00:00:0a,10.0.15.10,cell "
             "dnsrec=nas:10.0.3.9 dnsfwd=ad.example:10.0.15.53");
    return lab_start_as(3, text);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, lab_drained)
    const struct CMUnitTest tests[] = {
        T(test_each_answers_for_itself),
        T(test_other_networks_addresses),
        T(test_leases),
        T(test_names_are_of_their_network),
        T(test_a_server_inside),
        T(test_many_neighbors),
    };
    return cmocka_run_group_tests_name("host_many", tests, start, lab_stop);
}
