/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/host/guard.c and lwIP behind it: what is answered (ARP, ping, closed ports), and what is not,
 * on which side; see RFC 1122, section 3.3.4.2 for the strong host model.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/host/siphash.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/host_lab.h"

static void test_arp_is_answered_for_own_addresses_only(void **state)
{
    const struct {
        int id;
        unsigned port;
        be32 sender, target;
        bool answer;
    } rows[] = {
        {1, LAN_PORT, HOST_IP, LAN_IP, true},
        {2, LAN_PORT, HOST_IP, CELL_IP, false}, /* strong host model */
        {3, LAN_PORT, HOST_IP, WAN_IP, false},
        {4, CELL_PORT, BE_IP4(192, 168, 9, 5), CELL_IP, true},
        {5, CELL_PORT, BE_IP4(192, 168, 9, 5), LAN_IP, false},
        {6, UPLINK_PORT, GATEWAY, WAN_IP, true},
        {7, UPLINK_PORT, GATEWAY, LAN_IP, false},
        {8, UPLINK_PORT, HOST_IP, WAN_IP, false}, /* a sender who cannot be there */
        {9, LAN_PORT, GATEWAY, LAN_IP, false},
        {10, LAN_PORT, BE_IP4(192, 168, 8, 255), LAN_IP, false},
        {11, LAN_PORT, 0, LAN_IP, true}, /* a probe: RFC 5227 */
        {12, LAN_PORT, BE_IP4(224, 0, 0, 1), LAN_IP, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        lab_make_arp(lab_host_mac, 1, rows[i].sender, rows[i].target);
        lab_receive(rows[i].port);
        bool answered = lab_sent(rows[i].port);
        if (answered != rows[i].answer)
            fail_msg("row %d", rows[i].id);
        if (answered) {
            assert_true(lab_is_arp(2));
            assert_memory_equal(lab.got.b, lab_host_mac, MAC_BYTES);
            assert_int_equal(load_raw32(lab.got.b + 28), rows[i].target);
        }
        lab_nothing_sent();
    }
}

/* lwIP 2.2.1 would read on; here such frames do not reach it. */
static void test_malformed_arp_is_dropped(void **state)
{
    static const struct {
        int id;
        unsigned at;
        uint8_t value;
    } rows[] = {
        {1, 15, 6},  /* hardware type */ {2, 16, 0x86}, /* protocol */
        {3, 18, 16}, /* lengths */ {4, 19, 16},         {5, 21, 0}, /* operation */ {6, 21, 3},
        {7, 22, 3}, /* a group's hardware address */
        {8, 20, 1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        lab_make_arp(lab_host_mac, 1, HOST_IP, LAN_IP);
        lab.f.b[rows[i].at] = rows[i].value;
        lab_receive(LAN_PORT);
        if (lab_sent(LAN_PORT))
            fail_msg("row %d", rows[i].id);
    }
    for (size_t n = ETH_HDR_BYTES; n < ETH_HDR_BYTES + 28; n++) {
        lab_make_arp(lab_host_mac, 1, HOST_IP, LAN_IP);
        lab.f.n = n;
        lab_receive(LAN_PORT);
        lab_nothing_sent();
    }
}

static void test_own_address_is_defended(void **state)
{
    (void)state;
    lab.now_us += 20000000;
    lab_turn();
    lab_drain();
    fake_log_clear();
    for (unsigned i = 0; i < 20; i++) {
        lab_make_arp(lab_host_mac, 2, LAN_IP, LAN_IP);
        lab_receive(LAN_PORT);
    }
    assert_true(lab_sent(LAN_PORT) && lab_is_arp(1));
    assert_int_equal(load_raw32(lab.got.b + 28), LAN_IP); /* gratuitous, and only one */
    lab_nothing_sent();
    assert_int_equal(fake_log_count, 1);
    assert_true(fake_log_has("192.168.8.1 is the router's"));
}

static void test_ping(void **state)
{
    static const size_t sizes[] = {0, 8, 56, 1472, 1473, 4000};
    const be32 from = BE_IP4(192, 168, 9, 5);

    (void)state;
    lab_make_arp(lab_host_mac, 1, from, CELL_IP);
    lab_receive(CELL_PORT);
    lab_drain();
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        static uint8_t whole[5000];
        lab_make_ip(CELL_PORT, lab_host_mac, from, CELL_IP, IP_PROTO_ICMP, sizes[i]);
        lab_finish();
        static struct frame full;
        full = lab.f;
        size_t ip_payload = full.n - full.l4, answered = 0;
        /* The last fragment first. */
        for (size_t at = (ip_payload - 1) / 1480 + 1; at > 0; at--) {
            assert_true(lab_fragment(&full, (at - 1) * 1480));
            lab_receive(CELL_PORT);
        }
        while (lab_sent(CELL_PORT)) {
            size_t off = (load_be16(lab.got.b + lab.got.l3 + IP4_FRAG_OFF) & 0x1FFFu) * 8u;
            assert_true(lab.got.n <= 1514);
            assert_int_equal(lab_got_ip(IP4_DST_OFF), from);
            memcpy(whole + off, lab.got.b + lab.got.l4, lab.got.n - lab.got.l4);
            answered += lab.got.n - lab.got.l4;
        }
        assert_int_equal(answered, ip_payload);
        assert_int_equal(whole[0], ICMP_ECHO_REPLY);
        assert_memory_equal(whole + 4, full.b + full.l4 + 4, ip_payload - 4);
    }
}

/* Frames that must not be answered, handed to the host itself so that nobody else filters them. */
static void test_silence(void **state)
{
    const struct {
        int id;
        uint8_t network;
        be32 src, dst;
        uint8_t proto;
        be16 dport;
    } rows[] = {
        {1, LAN, HOST_IP, CELL_IP, IP_PROTO_ICMP, 0},
        {2, LAN, HOST_IP, WAN_IP, IP_PROTO_ICMP, 0},
        {3, LAN, HOST_IP, ALL, IP_PROTO_ICMP, 0},
        {4, LAN, HOST_IP, BE_IP4(192, 168, 8, 255), IP_PROTO_ICMP, 0},
        {5, LAN, BE_IP4(192, 168, 9, 5), LAN_IP, IP_PROTO_ICMP, 0},
        {6, LAN, GATEWAY, LAN_IP, IP_PROTO_ICMP, 0},
        {7, LAN, LAN_IP, LAN_IP, IP_PROTO_ICMP, 0},
        {8, LAN, BE_IP4(192, 168, 8, 255), LAN_IP, IP_PROTO_ICMP, 0},
        {9, NETWORK_UPLINK, GATEWAY, WAN_IP, IP_PROTO_TCP, BE16(80)},
        {10, NETWORK_UPLINK, GATEWAY, WAN_IP, IP_PROTO_UDP, BE16(53)},
        {11, NETWORK_UPLINK, GATEWAY, WAN_IP, IP_PROTO_UDP, BE16(67)},
        {12, NETWORK_UPLINK, GATEWAY, WAN_IP, IP_PROTO_UDP, BE16(9999)},
        {13, NETWORK_UPLINK, GATEWAY, LAN_IP, IP_PROTO_ICMP, 0},
        {14, NETWORK_UPLINK, HOST_IP, WAN_IP, IP_PROTO_ICMP, 0},
        {15, NETWORK_UPLINK, WAN_IP, WAN_IP, IP_PROTO_ICMP, 0},
        {16, NETWORK_UPLINK, BE_IP4(127, 0, 0, 1), WAN_IP, IP_PROTO_ICMP, 0},
        {17, NETWORK_UPLINK, GATEWAY, ALL, IP_PROTO_UDP, BE16(67)},
        {18, NETWORK_UPLINK, GATEWAY, WAN_IP, 50, 0},
        {19, LAN, HOST_IP, BE_IP4(224, 0, 0, 1), IP_PROTO_UDP, BE16(53)},
        {20, 7, HOST_IP, LAN_IP, IP_PROTO_ICMP, 0}, /* no such network */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        lab_make_ip(LAN_PORT, lab_host_mac, rows[i].src, rows[i].dst, rows[i].proto, 20);
        if (rows[i].dport)
            store_raw16(lab.f.b + lab.f.l4 + 2, rows[i].dport);
        if (rows[i].proto == IP_PROTO_TCP)
            lab.f.b[lab.f.l4 + TCP_FLAGS_OFF] = TCP_SYN;
        lab_finish();
        struct pkt *p = pkt_alloc(&lab.pool);
        assert_true(pkt_append(p, lab.f.b, lab.f.n));
        assert_true(host_self_ops.input(lab.host, rows[i].network, p));
        dataplane_flush(lab.dp);
        for (unsigned port = 0; port < PORTS; port++)
            if (lab_sent(port))
                fail_msg("row %d", rows[i].id);
    }
    /* And one that is, so that the others are known to be silent for their own reasons. */
    lab_make_ip(UPLINK_PORT, lab_gateway_mac, GATEWAY, WAN_IP, IP_PROTO_ICMP, 20);
    lab_finish();
    lab_make_arp(lab_gateway_mac, 1, GATEWAY, WAN_IP);
    lab_receive(UPLINK_PORT);
    lab_drain();
    lab_make_ip(UPLINK_PORT, lab_gateway_mac, GATEWAY, WAN_IP, IP_PROTO_ICMP, 20);
    lab_finish();
    lab_receive(UPLINK_PORT);
    assert_true(lab_sent(UPLINK_PORT));
    assert_int_equal(lab.got.b[lab.got.l4], ICMP_ECHO_REPLY);
}

/* The same address in two networks: whoever asks is answered where it is, and only there. */
static void test_networks_of_one_subnet(void **state)
{
    static const uint8_t twin_mac[MAC_BYTES] = {2, 0, 0, 0, 0, 0x77};
    static const unsigned ports[] = {LAN_PORT, TWIN_PORT};

    (void)state;
    assert_memory_not_equal(dataplane_mac(lab.dp, LAN), dataplane_mac(lab.dp, TWIN), MAC_BYTES);
    for (unsigned round = 0; round < 4; round++) {
        unsigned port = ports[round % 2];
        uint8_t network = port == TWIN_PORT ? TWIN : LAN;
        const uint8_t *mac = port == TWIN_PORT ? twin_mac : lab_host_mac;
        lab.now_us += 2000000;
        lab_make_arp(mac, 1, HOST_IP, LAN_IP);
        lab_receive(port);
        assert_true(lab_sent(port) && lab_is_arp(2));
        assert_memory_equal(lab.got.b, mac, MAC_BYTES);
        assert_memory_equal(lab.got.b + 22, dataplane_mac(lab.dp, network), MAC_BYTES);
        lab_nothing_sent();

        static const struct {
            uint8_t proto;
            be16 dport;
        } asks[] = {{IP_PROTO_ICMP, 0}, {IP_PROTO_UDP, BE16(9999)}, {IP_PROTO_TCP, BE16(81)}};
        for (unsigned i = 0; i < ARRAY_COUNT(asks); i++) {
            lab_make_ip(port, mac, HOST_IP, LAN_IP, asks[i].proto, 30);
            if (asks[i].dport)
                store_raw16(lab.f.b + lab.f.l4 + 2, asks[i].dport);
            if (asks[i].proto == IP_PROTO_TCP)
                lab.f.b[lab.f.l4 + TCP_FLAGS_OFF] = TCP_SYN;
            lab_finish();
            lab_receive(port);
            if (!lab_sent(port))
                fail_msg("round %u: no answer to %u", round, asks[i].proto);
            assert_memory_equal(lab.got.b, mac, MAC_BYTES);
            assert_memory_equal(lab.got.b + ETH_SRC_OFF, dataplane_mac(lab.dp, network), MAC_BYTES);
            assert_int_equal(lab_got_ip(IP4_SRC_OFF), LAN_IP);
            assert_int_equal(lab_got_ip(IP4_DST_OFF), HOST_IP);
            lab_nothing_sent();
        }
    }
}

/* lwIP takes fragments together by their addresses: what begins in one network must not end in
 * another. */
static void test_fragments_where_an_address_is_shared(void **state)
{
    static const unsigned ports[] = {LAN_PORT, TWIN_PORT, LAN_PORT, CELL_PORT};
    static struct frame full;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(ports); i++) {
        bool cell = ports[i] == CELL_PORT;
        be32 host = cell ? BE_IP4(192, 168, 9, 5) : HOST_IP;
        lab_make_arp(lab_host_mac, 1, host, cell ? CELL_IP : LAN_IP);
        lab_receive(ports[i]);
        lab_drain();
        lab_make_ip(ports[i], lab_host_mac, host, cell ? CELL_IP : LAN_IP, IP_PROTO_ICMP, 2000);
        lab_finish();
        full = lab.f;
        /* The first fragment in this network, the rest in all. */
        for (unsigned k = 0; k < 4; k++) {
            assert_true(lab_fragment(&full, k == 0 ? 0 : 1480));
            memcpy(lab.f.b, dataplane_mac(lab.dp, (uint8_t)(ports[k == 0 ? i : k - 1] - 1)),
                   MAC_BYTES);
            lab_receive(k == 0 ? ports[i] : ports[k - 1]);
        }
        assert_false(lab_sent(LAN_PORT));
        assert_false(lab_sent(TWIN_PORT));
        if (cell) { /* an address of its own */
            assert_true(lab_fragment(&full, 1480));
            lab_receive(CELL_PORT);
            assert_true(lab_sent(CELL_PORT));
            lab_drain();
        }
        lab_nothing_sent();
    }
}

static void make_tcp(const uint8_t *options, size_t n)
{
    frame_make(&lab.f, &(struct frame_plan){.proto = IP_PROTO_TCP,
                                            .tcp_options = options,
                                            .tcp_option_bytes = n,
                                            .tcp_flags = TCP_SYN});
    memcpy(lab.f.b, dataplane_mac(lab.dp, LAN), MAC_BYTES);
    memcpy(lab.f.b + ETH_SRC_OFF, lab_host_mac, MAC_BYTES);
    store_raw32(lab.f.b + lab.f.l3 + IP4_SRC_OFF, HOST_IP);
    store_raw32(lab.f.b + lab.f.l3 + IP4_DST_OFF, LAN_IP);
    store_be16(lab.f.b + lab.f.l4 + TCP_DPORT_OFF, 81);
    lab_finish();
}

static void test_closed_ports(void **state)
{
    static const struct {
        int id;
        bool answer;
        uint8_t options[8];
        size_t n;
    } rows[] = {
        {1, true, {2, 4, 5, 180}, 4},
        {2, true, {1, 1, 1, 0}, 4},
        {3, true, {2, 4, 5, 180, 1, 3, 3, 7}, 8},
        {4, false, {2, 0, 5, 180}, 4}, /* a length of nothing: lwIP 2.2.1 would not end */
        {5, false, {2, 1, 5, 180}, 4},
        {6, false, {1, 1, 1, 2}, 4}, /* no room for the length */
        {7, false, {1, 1, 2, 4}, 4}, /* beyond the header */
        {8, false, {2, 4, 5, 180, 3, 5, 7, 0}, 8},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        make_tcp(rows[i].options, rows[i].n);
        lab_receive(LAN_PORT);
        if (lab_sent(LAN_PORT) != rows[i].answer)
            fail_msg("row %d", rows[i].id);
        if (rows[i].answer)
            assert_int_equal(lab.got.b[lab.got.l4 + TCP_FLAGS_OFF], TCP_RST | TCP_ACK);
    }
    /* UDP: an error each, but not too many. */
    unsigned errors = 0;
    lab.now_us += 2000000;
    for (unsigned i = 0; i < 500; i++) {
        lab_make_udp(LAN_PORT, lab_host_mac, HOST_IP, LAN_IP, BE16(1000), BE16(9999), "x", 1);
        lab_receive(LAN_PORT);
        while (lab_sent(LAN_PORT)) {
            assert_int_equal(lab.got.b[lab.got.l4], ICMP_UNREACHABLE);
            assert_int_equal(lab.got.b[lab.got.l4 + 1], ICMP_UNREACH_PORT);
            errors++;
        }
    }
    assert_in_range(errors, 10, 100);
}

/* The vector of the SipHash paper, appendix A. */
static void test_siphash(void **state)
{
    uint8_t key_bytes[16], message[15];
    uint64_t key[2];

    (void)state;
    for (unsigned i = 0; i < 16; i++)
        key_bytes[i] = (uint8_t)i;
    for (unsigned i = 0; i < 15; i++)
        message[i] = (uint8_t)i;
    memcpy(key, key_bytes, sizeof(key));
    assert_true(siphash(key, message, sizeof(message)) == 0xA129CA6149BE45E5u);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, lab_drained)
    const struct CMUnitTest tests[] = {
        T(test_arp_is_answered_for_own_addresses_only),
        T(test_malformed_arp_is_dropped),
        T(test_own_address_is_defended),
        T(test_ping),
        T(test_silence),
        T(test_networks_of_one_subnet),
        T(test_fragments_where_an_address_is_shared),
        T(test_closed_ports),
        T(test_siphash),
    };
    return cmocka_run_group_tests_name("host_answers", tests, lab_start_bound, lab_stop);
}
