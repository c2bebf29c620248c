/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/host/services.c and output.c: DHCP and DNS from frame to frame, long answers, next hops for
 * the dataplane, and what happens when there is no more room.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dataplane_internal.h"
#include "net/dhcp_server.h"
#include "net/wire/dns.h"
#include "tests/fake/dns_rig.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/host_lab.h"

static void test_dhcp_service(void **state)
{
    struct dhcp_message m;
    struct dhcp_writer w;
    uint8_t b[600];

    (void)state;
    lab_make_dhcp(DHCP_BOOTREQUEST, DHCP_TYPE_DISCOVER, lab_host_mac, 77, 0, b, &w);
    dhcp_put_ip(&w, DHCP_OPT_REQUESTED, BE_IP4(192, 168, 8, 120));
    lab_make_udp(LAN_PORT, lab_host_mac, 0, ALL, BE16(68), BE16(67), b, dhcp_finish(&w, b));
    lab_receive(LAN_PORT);
    for (unsigned i = 0; i < DHCP_PROBE_REQUESTS; i++) { /* is there somebody at that address? */
        assert_true(lab_sent(LAN_PORT) && lab_is_arp(1));
        assert_int_equal(load_raw32(lab.got.b + ETH_HDR_BYTES + 24), BE_IP4(192, 168, 8, 120));
        lab_pass_time(DHCP_PROBE_US / DHCP_PROBE_REQUESTS);
    }
    assert_true(lab_sent(LAN_PORT) && lab_is_udp(BE16(67), BE16(68)));
    assert_memory_equal(lab.got.b, lab_host_mac, MAC_BYTES); /* straight to it, without ARP */
    assert_memory_equal(lab.got.b + ETH_SRC_OFF, dataplane_mac(lab.dp, LAN), MAC_BYTES);
    assert_int_equal(lab_got_ip(IP4_SRC_OFF), LAN_IP);
    assert_int_equal(lab_got_ip(IP4_DST_OFF), BE_IP4(192, 168, 8, 120));
    assert_true(dhcp_read(&m, lab.got.b + lab.got.payload, lab.got.n - lab.got.payload));
    assert_int_equal(m.type, DHCP_TYPE_OFFER);

    fake_log_clear();
    lab_make_dhcp(DHCP_BOOTREQUEST, DHCP_TYPE_REQUEST, lab_host_mac, 78, 0, b, &w);
    dhcp_put_ip(&w, DHCP_OPT_REQUESTED, BE_IP4(192, 168, 8, 120));
    dhcp_put_ip(&w, DHCP_OPT_SERVER, LAN_IP);
    dhcp_put(&w, DHCP_OPT_NAME, "web", 3);
    size_t n = dhcp_finish(&w, b);
    lab_make_udp(LAN_PORT, lab_host_mac, 0, ALL, BE16(68), BE16(67), b, n);
    lab_receive(LAN_PORT);
    assert_true(lab_sent(LAN_PORT));
    assert_true(dhcp_read(&m, lab.got.b + lab.got.payload, lab.got.n - lab.got.payload));
    assert_int_equal(m.type, DHCP_TYPE_ACK);
    assert_string_equal(fake_log_last, "lease     192.168.8.120   02:00:00:00:00:20  web");

    /* A wrong UDP checksum, and the outside, get no answer. */
    lab_make_udp(LAN_PORT, lab_host_mac, 0, ALL, BE16(68), BE16(67), b, n);
    lab.f.b[lab.f.payload + 50] ^= 1;
    lab_receive(LAN_PORT);
    lab_make_udp(UPLINK_PORT, lab_host_mac, 0, ALL, BE16(68), BE16(67), b, n);
    lab_receive(UPLINK_PORT);
    lab_nothing_sent();
}

/* The dataplane remembers who had the address long ago, and does not believe another at once. Who
 * answers has it all the same, and it is offered to nobody. */
static void test_dhcp_probe_of_a_doubted(void **state)
{
    static const uint8_t before[MAC_BYTES] = {2, 0, 0, 0, 0, 0x31},
                         now[MAC_BYTES] = {2, 0, 0, 0, 0, 0x32},
                         client[MAC_BYTES] = {2, 0, 0, 0, 0, 0x33};
    const be32 wanted = BE_IP4(192, 168, 8, 130);
    struct dhcp_message m;
    struct dhcp_writer w;
    uint8_t b[600];

    (void)state;
    neighbor_assume(&lab.dp->neighbors, LAN, wanted, before, dataplane_mac(lab.dp, LAN),
                    (uint32_t)(lab.now_us / 1000) - 3600000);
    lab_make_dhcp(DHCP_BOOTREQUEST, DHCP_TYPE_DISCOVER, client, 79, 0, b, &w);
    dhcp_put_ip(&w, DHCP_OPT_REQUESTED, wanted);
    lab_make_udp(LAN_PORT, client, 0, ALL, BE16(68), BE16(67), b, dhcp_finish(&w, b));
    lab_receive(LAN_PORT);
    assert_true(lab_sent(LAN_PORT) && lab_is_arp(1));
    assert_int_equal(load_raw32(lab.got.b + ETH_HDR_BYTES + 24), wanted);
    lab_make_arp(now, 2, wanted, LAN_IP);
    lab_receive(LAN_PORT);
    lab_pass_time(3 * DHCP_PROBE_US);
    do
        assert_true(lab_sent(LAN_PORT));
    while (!lab_is_udp(BE16(67), BE16(68)));
    assert_true(dhcp_read(&m, lab.got.b + lab.got.payload, lab.got.n - lab.got.payload));
    assert_int_equal(m.type, DHCP_TYPE_OFFER);
    assert_int_not_equal(m.yiaddr, wanted);
    lab_drain();
}

static void ask(unsigned port, be32 from, be32 router, uint16_t id, const char *name)
{
    uint8_t b[512];
    size_t n = dns_rig_build(b, id, name, DNS_TYPE_A);

    lab_make_udp(port, lab_host_mac, from, router, BE16(5353), BE16(53), b, n);
    lab_receive(port);
}

/* The reply to an INFORM or to a question for a name of ours; its id is in the checksum. */
static be16 checksum_of_reply(bool dhcp, be16 id)
{
    struct dhcp_writer w;
    uint8_t b[600];

    if (dhcp) {
        lab_make_dhcp(DHCP_BOOTREQUEST, DHCP_TYPE_INFORM, lab_host_mac, id, 0, b, &w);
        store_raw32(b + DHCP_CIADDR_OFF, HOST_IP);
        lab_make_udp(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, BE16(68), BE16(67), b,
                     dhcp_finish(&w, b));
        lab_receive(LAN_PORT);
    } else {
        ask(LAN_PORT, HOST_IP, LAN_IP, BE16(id), "gate.lan");
    }
    assert_true(lab_sent(LAN_PORT));
    assert_true(dhcp ? lab_is_udp(BE16(67), BE16(68)) : lab_is_udp(BE16(53), BE16(5353)));
    return load_raw16(lab.got.b + lab.got.l4 + UDP_CSUM_OFF);
}

/* A sum of zero is all ones on the wire (RFC 768), but of DHCP, whose clients read that two ways:
 * zero there, which every client takes for no checksum. */
static void test_a_checksum_of_zero(void **state)
{
    static const struct {
        int id;
        bool dhcp;
        be16 sent;
    } rows[] = {{1, true, 0}, {2, false, 0xFFFF}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        be16 plain = checksum_of_reply(rows[i].dhcp, 0);
        assert_int_not_equal(plain, 0);
        /* What the sum lacks of all ones is the checksum itself. */
        if (checksum_of_reply(rows[i].dhcp, plain) != rows[i].sent)
            fail_msg("row %d", rows[i].id);
        assert_int_not_equal(checksum_of_reply(rows[i].dhcp, (be16)~plain), rows[i].sent);
    }
}

static void test_dns_service(void **state)
{
    const be32 address = BE_IP4(192, 168, 8, 120), router = LAN_IP;

    (void)state;
    /* Names of our own: the lease just given, and the router. */
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "web");
    assert_true(lab_sent(LAN_PORT) && lab_is_udp(BE16(53), BE16(5353)));
    assert_memory_equal(lab.got.b + lab.got.n - 4, &address, 4);
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "gate.lan");
    assert_true(lab_sent(LAN_PORT));
    assert_memory_equal(lab.got.b + lab.got.n - 4, &router, 4);

    /* What is ours and is not known goes nowhere. */
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "nobody.lan");
    assert_true(lab_sent(LAN_PORT));
    assert_int_equal(lab.got.b[lab.got.payload + 3] & 15, DNS_NXDOMAIN);
    lab_nothing_sent();

    /* Others go to the uplink's server, from an unforeseeable port. */
    ask(LAN_PORT, HOST_IP, LAN_IP, 0x4242, "elsewhere.example");
    do
        assert_true(lab_sent_outside());
    while (!lab_is_udp(0, BE16(53)));
    assert_int_equal(lab_got_ip(IP4_SRC_OFF), WAN_IP);
    assert_int_equal(lab_got_ip(IP4_DST_OFF), DNS_SERVER);
    static struct frame query;
    query = lab.got;
    be16 port = load_raw16(query.b + query.l4 + UDP_SPORT_OFF);
    uint8_t answer[512];
    size_t n = query.n - query.payload;
    memcpy(answer, query.b + query.payload, n);
    answer[2] |= 0x80;

    /* To another port, from another server, with another id: no answer, and no ICMP that tells
     * which ports are open. */
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, DNS_SERVER, WAN_IP, BE16(53), (be16)(port ^ 1),
                 answer, n);
    lab_receive(UPLINK_PORT);
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, GATEWAY, WAN_IP, BE16(53), port, answer, n);
    lab_receive(UPLINK_PORT);
    answer[0] ^= 1;
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, DNS_SERVER, WAN_IP, BE16(53), port, answer, n);
    lab_receive(UPLINK_PORT);
    lab_nothing_sent();
    answer[0] ^= 1;
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, DNS_SERVER, WAN_IP, BE16(53), port, answer, n);
    lab_receive(UPLINK_PORT);
    assert_true(lab_sent(LAN_PORT) && lab_is_udp(BE16(53), BE16(5353)));
    assert_int_equal(load_be16(lab.got.b + lab.got.payload), 0x4242);
    assert_memory_equal(lab.got.b, lab_host_mac, MAC_BYTES);
    /* The port is closed again. */
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, DNS_SERVER, WAN_IP, BE16(53), port, answer, n);
    lab_receive(UPLINK_PORT);
    lab_nothing_sent();

    /* A host-only network learns nothing from outside. */
    ask(CELL_PORT, BE_IP4(192, 168, 9, 5), CELL_IP, 1, "elsewhere.example");
    assert_true(lab_sent(CELL_PORT));
    assert_int_equal(lab.got.b[lab.got.payload + 3] & 15, DNS_REFUSED);
    lab_nothing_sent();
}

/* Answers of several fragments, and longer than the LAN's MTU. */
static void test_long_dns_answer(void **state)
{
    (void)state;
    static const uint8_t opt[] = {0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0}; /* takes 4,096 bytes */
    uint8_t b[512];
    size_t length = dns_rig_build(b, 7, "long.example", DNS_TYPE_A);
    memcpy(b + length, opt, sizeof(opt));
    b[DNS_ARCOUNT_OFF + 1] = 1;
    lab_make_udp(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, BE16(5353), BE16(53), b,
                 length + sizeof(opt));
    lab_receive(LAN_PORT);
    do
        assert_true(lab_sent_outside());
    while (!lab_is_udp(0, BE16(53)));
    static uint8_t answer[3000];
    memset(answer, 0x33, sizeof(answer));
    memcpy(answer, lab.got.b + lab.got.payload, lab.got.n - lab.got.payload);
    answer[2] |= 0x80;
    be16 port = load_raw16(lab.got.b + lab.got.l4 + UDP_SPORT_OFF);
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, DNS_SERVER, WAN_IP, BE16(53), port, answer,
                 sizeof(answer));
    static struct frame full;
    full = lab.f;
    for (size_t off = 0; lab_fragment(&full, off); off += 1480) {
        struct pkt *p = pkt_alloc(&lab.pool);
        assert_true(pkt_append(p, lab.f.b, lab.f.n));
        assert_true(host_self_ops.input(lab.host, NETWORK_UPLINK, p));
    }
    dataplane_flush(lab.dp);
    unsigned frames = 0;
    size_t bytes = 0;
    while (lab_sent(LAN_PORT)) {
        frames++;
        bytes += lab.got.n - lab.got.l4;
    }
    assert_int_equal(frames, 3);
    assert_int_equal(bytes, UDP_HDR_BYTES + sizeof(answer));
}

static void test_resolve_and_neighbors(void **state)
{
    struct dataplane_totals totals;

    (void)state;
    /* A flow to the outside needs the gateway; the router asks, and the answer lets it go. */
    lab.now_us += 200000000;
    lab_turn();
    lab_drain();
    lab_make_arp(lab_host_mac, 1, HOST_IP, LAN_IP);
    lab_receive(LAN_PORT);
    lab_drain();
    lab_make_udp(LAN_PORT, lab_host_mac, HOST_IP, BE_IP4(203, 0, 113, 9), BE16(4000), BE16(4000),
                 "hello", 5);
    lab_receive(LAN_PORT);
    bool out = false;
    while (lab_sent_outside())
        out |= lab_is_udp(0, BE16(4000)) && lab_got_ip(IP4_SRC_OFF) == WAN_IP;
    assert_true(out);
    host_self_ops.resolve(lab.host, LAN, BE_IP4(192, 168, 8, 44));
    dataplane_flush(lab.dp);
    assert_true(lab_sent(LAN_PORT) && lab_is_arp(1));
    assert_int_equal(load_raw32(lab.got.b + 38), BE_IP4(192, 168, 8, 44));
    dataplane_totals(lab.dp, &totals);
    assert_true(dataplane_sum_holds(&totals));
}

/* Any number of frames while the pool is empty, or lwIP's: refused, counted, and afterwards all is
 * well. */
static void test_exhaustion(void **state)
{
    static struct pkt *held[POOL_COUNT];
    unsigned n = 0, refused = 0;

    (void)state;
    lab_drain();
    /* Fragments that never become whole fill what lwIP has for them, and no more. */
    for (unsigned i = 0; i < 300; i++) {
        lab_make_ip(CELL_PORT, lab_host_mac, BE_IP4(192, 168, 9, 5), CELL_IP, IP_PROTO_UDP, 1000);
        lab_finish();
        store_be16(lab.f.b + lab.f.l3 + IP4_ID_OFF, (uint16_t)i);
        store_be16(lab.f.b + lab.f.l3 + IP4_FRAG_OFF, (uint16_t)(0x2000 | (i % 2 ? 125 : 0)));
        store_be16(lab.f.b + lab.f.l3 + IP4_LEN_OFF, (uint16_t)(20 + 1000));
        lab.f.n = lab.f.l4 + 1000;
        frame_fix_ip_csum(&lab.f);
        struct pkt *p = pkt_alloc(&lab.pool);
        assert_true(pkt_append(p, lab.f.b, lab.f.n));
        refused += !host_self_ops.input(lab.host, CELL, p);
    }
    lab_make_ip(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, IP_PROTO_ICMP, 56);
    lab_finish();
    assert_int_equal(refused, 0); /* they did not take the last buffers */
    lab_receive(LAN_PORT);
    bool answered = false;
    while (lab_sent(LAN_PORT))
        answered |= lab.got.b[lab.got.l4] == ICMP_ECHO_REPLY;
    assert_true(answered);

    struct pkt *ping = pkt_alloc(&lab.pool);
    lab_make_ip(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, IP_PROTO_ICMP, 56);
    lab_finish();
    assert_true(pkt_append(ping, lab.f.b, lab.f.n));
    while (lab.pool.free_count > 0)
        held[n++] = pkt_alloc(&lab.pool);
    host_self_ops.input(lab.host, LAN, ping); /* frees one, which the answer gets */
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "web"); /* cannot even be received */
    while (n > 0)
        pkt_free(held[--n]);
    dataplane_flush(lab.dp);
    lab_drain();
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "web");
    assert_true(lab_sent(LAN_PORT));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, lab_drained)
    const struct CMUnitTest tests[] = {
        T(test_dhcp_service), T(test_dhcp_probe_of_a_doubted), T(test_a_checksum_of_zero),
        T(test_dns_service),  T(test_long_dns_answer),         T(test_resolve_and_neighbors),
        T(test_exhaustion),
    };
    return cmocka_run_group_tests_name("host_services", tests, lab_start_bound, lab_stop);
}
