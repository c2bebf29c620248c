/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/host on lwIP itself, behind the real dataplane and fake NICs: the uplink's DHCP client
 * against a scripted server, ARP, ping, the services from end to end, and what is not answered.
 * lwIP can be started once a process, so the tests run in order, on one router; each leaves it in
 * service.
 *
 *     outside (port 0, 198.51.100.0/24) -- router -- lan  (port 1, 192.168.8.0/24, nat)
 *                                                 \- cell (port 2, 192.168.9.0/24, hostonly)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/host/host.h"
#include "net/host/siphash.h"
#include "net/wire/dhcp.h"
#include "net/wire/dns.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_config.h"
#include "tests/fake/fake_nic.h"
#include "tests/fake/frame_build.h"

#include <stdio.h>
#include <stdlib.h>

#define POOL_COUNT 1024
#define LAN        0
#define CELL       1
#define LAN_IP     BE_IP4(192, 168, 8, 1)
#define CELL_IP    BE_IP4(192, 168, 9, 1)
#define WAN_IP     BE_IP4(198, 51, 100, 7)
#define GATEWAY    BE_IP4(198, 51, 100, 1)
#define DNS_SERVER BE_IP4(198, 51, 100, 53)
#define HOST_IP    BE_IP4(192, 168, 8, 20)
#define ALL        0xFFFFFFFFu
#define LEASE_S    600

enum { UPLINK_PORT, LAN_PORT, CELL_PORT, PORTS };

static struct fake_config fc;
static struct fake_nic nics[PORTS];
static struct pkt_pool pool;
static struct dataplane *dp;
static struct host *host;
static uint64_t now_us = 1000000;
static uint32_t seed = 11;
static struct frame f, got;

static const uint8_t host_mac[MAC_BYTES] = {2, 0, 0, 0, 0, 0x20};
static const uint8_t gateway_mac[MAC_BYTES] = {2, 0, 0, 0, 0xAA, 0x01};
static const uint8_t all_mac[MAC_BYTES] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static uint64_t clock_us(void)
{
    return now_us;
}

static void random_bytes(void *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)rnd(256);
}

/* One turn of the loop. */
static void turn(void)
{
    dataplane_poll(dp, now_us);
    host_poll(host, now_us);
    dataplane_flush(dp);
}

static void pass_time(uint64_t us)
{
    uint64_t end_us = now_us + us;

    while (now_us < end_us) {
        uint64_t next = MIN(host_next_us(host, now_us), dataplane_next_us(dp, now_us));
        now_us = MAX(now_us + 1, MIN(next, end_us));
        turn();
    }
}

static void receive(unsigned port)
{
    assert_true(fake_nic_receive(&nics[port], f.b, f.n));
    turn();
}

/* The next frame sent on a port is in got; false if there is none. All checksums of what the router
 * sends are complete and right. */
static bool sent(unsigned port)
{
    struct pkt *p = fake_nic_sent(&nics[port]);

    if (!p)
        return false;
    assert_int_equal(p->flags & PKT_NEEDS_CSUM, 0);
    assert_int_equal(p->gso_size, 0);
    got.n = p->total_bytes;
    assert_true(pkt_copy_out(p, 0, got.b, got.n));
    pkt_free(p);
    got.l3 = ETH_HDR_BYTES;
    got.l4 = got.l3 + IP4_HDR_BYTES;
    got.payload = got.l4 + UDP_HDR_BYTES;
    bool fragment = load_raw16(got.b + 14 + IP4_FRAG_OFF) & ~IP4_FRAG_DF;
    if (load_raw16(got.b + ETH_TYPE_OFF) == ETH_TYPE_IP4 && !fragment)
        assert_true(frame_sums_right(got.b, got.n, got.l3, false));
    return true;
}

static void nothing_sent(void)
{
    for (unsigned port = 0; port < PORTS; port++)
        if (sent(port))
            fail_msg("a frame was sent on port %u", port);
}

static void drain(void)
{
    for (unsigned port = 0; port < PORTS; port++)
        while (sent(port))
            continue;
}

static bool is_udp(be16 sport, be16 dport)
{
    return load_raw16(got.b + ETH_TYPE_OFF) == ETH_TYPE_IP4 &&
           got.b[got.l3 + IP4_PROTO_OFF] == IP_PROTO_UDP &&
           (!sport || load_raw16(got.b + got.l4 + UDP_SPORT_OFF) == sport) &&
           (!dport || load_raw16(got.b + got.l4 + UDP_DPORT_OFF) == dport);
}

static bool is_arp(unsigned op)
{
    return load_raw16(got.b + ETH_TYPE_OFF) == ETH_TYPE_ARP && load_be16(got.b + 20) == op;
}

static be32 got_ip(size_t off)
{
    return load_raw32(got.b + got.l3 + off);
}

/* ---- frames ---- */

static uint8_t network_of(unsigned port)
{
    return port == UPLINK_PORT ? NETWORK_UPLINK : (uint8_t)(port - 1);
}

/* An IPv4 frame to the router's MAC on a port's network. */
static void make_ip(unsigned port, const uint8_t *from_mac, be32 src, be32 dst, uint8_t proto,
                    size_t payload_bytes)
{
    frame_make(&f, &(struct frame_plan){.proto = proto, .payload_bytes = payload_bytes});
    memcpy(f.b, dst == ALL ? all_mac : dataplane_mac(dp, network_of(port)), MAC_BYTES);
    memcpy(f.b + ETH_SRC_OFF, from_mac, MAC_BYTES);
    store_raw32(f.b + f.l3 + IP4_SRC_OFF, src);
    store_raw32(f.b + f.l3 + IP4_DST_OFF, dst);
}

static void finish(void)
{
    frame_fix_lengths(&f);
    frame_fix_ip_csum(&f);
    frame_fix_l4_csum(&f);
}

static void make_udp(unsigned port, const uint8_t *from_mac, be32 src, be32 dst, be16 sport,
                     be16 dport, const void *payload, size_t n)
{
    make_ip(port, from_mac, src, dst, IP_PROTO_UDP, n);
    store_raw16(f.b + f.l4 + UDP_SPORT_OFF, sport);
    store_raw16(f.b + f.l4 + UDP_DPORT_OFF, dport);
    memcpy(f.b + f.payload, payload, n);
    finish();
}

static void make_arp(const uint8_t *mac, unsigned op, be32 sender, be32 target)
{
    const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0, (uint8_t)op};

    memset(&f, 0, 60);
    memcpy(f.b, all_mac, MAC_BYTES);
    memcpy(f.b + ETH_SRC_OFF, mac, MAC_BYTES);
    store_raw16(f.b + ETH_TYPE_OFF, ETH_TYPE_ARP);
    memcpy(f.b + 14, fixed, sizeof(fixed));
    memcpy(f.b + 22, mac, MAC_BYTES);
    store_raw32(f.b + 28, sender);
    store_raw32(f.b + 38, target);
    f.n = 60;
}

static void make_dhcp(uint8_t op, uint8_t type, const uint8_t *mac, uint32_t xid, be32 yiaddr,
                      uint8_t *b, struct dhcp_writer *w)
{
    memset(b, 0, 600);
    *w = (struct dhcp_writer){b + DHCP_OPTIONS_OFF, b + 600};
    b[DHCP_OP_OFF] = op;
    b[DHCP_HTYPE_OFF] = 1;
    b[DHCP_HLEN_OFF] = MAC_BYTES;
    store_raw32(b + DHCP_XID_OFF, xid);
    store_raw32(b + DHCP_YIADDR_OFF, yiaddr);
    memcpy(b + DHCP_CHADDR_OFF, mac, MAC_BYTES);
    store_be32(b + DHCP_COOKIE_OFF, DHCP_COOKIE);
    dhcp_put8(w, DHCP_OPT_TYPE, type);
}

/* The outside's DHCP server answers. */
static void dhcp_answers(uint8_t type, uint32_t xid)
{
    struct dhcp_writer w;
    uint8_t b[600];

    make_dhcp(DHCP_BOOTREPLY, type, dataplane_mac(dp, NETWORK_UPLINK), xid,
              type == DHCP_TYPE_NAK ? 0 : WAN_IP, b, &w);
    dhcp_put_ip(&w, DHCP_OPT_SERVER, GATEWAY);
    if (type != DHCP_TYPE_NAK) {
        dhcp_put32(&w, DHCP_OPT_LEASE, LEASE_S);
        dhcp_put_ip(&w, DHCP_OPT_MASK, prefix_mask(24));
        dhcp_put_ip(&w, DHCP_OPT_ROUTER, GATEWAY);
        dhcp_put_ip(&w, DHCP_OPT_DNS, DNS_SERVER);
    }
    make_udp(UPLINK_PORT, gateway_mac, GATEWAY, ALL, BE16(67), BE16(68), b, dhcp_finish(&w, b));
}

/* The next frame on the uplink that is no ARP request is in got; ARP requests are answered with the
 * gateway's MAC. */
static bool sent_outside(void)
{
    while (sent(UPLINK_PORT)) {
        if (!is_arp(1))
            return true;
        make_arp(gateway_mac, 2, load_raw32(got.b + 38), WAN_IP);
        receive(UPLINK_PORT);
    }
    return false;
}

/* The next DHCP message of the router's client is read into m; false if there is none. */
static bool client_says(struct dhcp_message *m)
{
    while (sent_outside())
        if (is_udp(BE16(68), BE16(67)))
            return dhcp_read(m, got.b + got.payload, got.n - got.payload);
    return false;
}

/* ---- start ---- */

static int start(void **state)
{
    struct nic *list[PORTS];
    uint8_t *memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)POOL_COUNT * PKT_BUF_BYTES);
    static uint8_t random[64] = {1, 2, 3};
    struct host_env env = {clock_us, random_bytes};

    (void)state;
    pkt_pool_init(&pool, memory, POOL_COUNT);
    for (uint8_t i = 0; i < PORTS; i++) {
        fake_nic_init(&nics[i], &pool, i);
        list[i] = &nics[i].nic;
    }
    if (!fake_config_run(&fc, PORTS,
                         "uplink=0,dhcp net=lan,nat,ip=192.168.8.1/24,ports=1 "
                         "net=cell,hostonly,ip=192.168.9.1/24,ports=2 hostname=gate")) {
        fprintf(stderr, "%s", fc.said);
        return -1;
    }
    dp = dataplane_create(&(struct dataplane_params){.config = &fc.config,
                                                     .nics = list,
                                                     .pool = &pool,
                                                     .flow_capacity = 1024,
                                                     .switch_capacity = 1024,
                                                     .random = random,
                                                     .self_ops = &host_self_ops,
                                                     .self = host_instance(),
                                                     .now_us = now_us},
                          fake_alloc);
    host = host_instance();
    /* Before it is started it takes frames and asks for nothing. */
    struct pkt *early = pkt_alloc(&pool);
    if (!dp || !host_self_ops.input(host, LAN, early) || host_next_us(host, now_us) != UINT64_MAX ||
        host_poll(host, now_us) != 0)
        return -1;
    host_self_ops.resolve(host, LAN, HOST_IP);
    return host_start(host, &fc.config, dp, &pool, &env, fake_alloc);
}

static int stop(void **state)
{
    uint8_t *memory = pool.memory;

    (void)state;
    for (unsigned i = 0; i < PORTS; i++)
        fake_nic_clear(&nics[i]);
    bool whole = pool.free_count == POOL_COUNT;
    free(memory);
    fake_alloc_free_all();
    return whole ? 0 : -1;
}

static int drained(void **state)
{
    (void)state;
    drain();
    return 0;
}

/* ---- tests, in order ---- */

static void test_uplink_gets_its_address(void **state)
{
    struct dhcp_message m;

    (void)state;
    assert_true(client_says(&m)); /* at once: host_start has sent it */
    assert_int_equal(m.type, DHCP_TYPE_DISCOVER);
    assert_memory_equal(got.b, all_mac, MAC_BYTES);
    assert_int_equal(m.flags, DHCP_FLAG_BROADCAST);
    assert_int_equal(m.name.n, 4);
    assert_memory_equal(m.name.at, "gate", 4);
    be32 xid = m.xid;

    fake_log_clear();
    /* Somebody else's, and hostile ones, change nothing. */
    dhcp_answers(DHCP_TYPE_OFFER, xid + 1);
    receive(UPLINK_PORT);
    dhcp_answers(DHCP_TYPE_ACK, xid);
    receive(UPLINK_PORT); /* nothing was requested yet */
    dhcp_answers(DHCP_TYPE_OFFER, xid);
    f.b[f.payload + DHCP_YIADDR_OFF] = 127;
    finish();
    receive(UPLINK_PORT);
    dhcp_answers(DHCP_TYPE_OFFER, xid);
    f.b[f.payload + DHCP_OPTIONS_OFF + 4] = 250; /* an option's length */
    finish();
    receive(UPLINK_PORT);
    dhcp_answers(DHCP_TYPE_OFFER, xid);
    f.b[f.payload + DHCP_CHADDR_OFF + 5] ^= 1;
    finish();
    receive(UPLINK_PORT);
    assert_false(client_says(&m));

    dhcp_answers(DHCP_TYPE_OFFER, xid);
    receive(UPLINK_PORT);
    assert_true(client_says(&m));
    assert_int_equal(m.type, DHCP_TYPE_REQUEST);
    assert_int_equal(m.requested, WAN_IP);
    assert_int_equal(fake_log_count, 0);
    dhcp_answers(DHCP_TYPE_ACK, m.xid);
    receive(UPLINK_PORT);
    assert_string_equal(fake_log_last, "uplink    198.51.100.7/24 gateway 198.51.100.1 "
                                       "dns 198.51.100.53 (DHCP, lease 10m)");
}

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
        make_arp(host_mac, 1, rows[i].sender, rows[i].target);
        receive(rows[i].port);
        bool answered = sent(rows[i].port);
        if (answered != rows[i].answer)
            fail_msg("row %d", rows[i].id);
        if (answered) {
            assert_true(is_arp(2));
            assert_memory_equal(got.b, host_mac, MAC_BYTES);
            assert_int_equal(load_raw32(got.b + 28), rows[i].target);
        }
        nothing_sent();
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
        make_arp(host_mac, 1, HOST_IP, LAN_IP);
        f.b[rows[i].at] = rows[i].value;
        receive(LAN_PORT);
        if (sent(LAN_PORT))
            fail_msg("row %d", rows[i].id);
    }
    for (size_t n = ETH_HDR_BYTES; n < ETH_HDR_BYTES + 28; n++) {
        make_arp(host_mac, 1, HOST_IP, LAN_IP);
        f.n = n;
        receive(LAN_PORT);
        nothing_sent();
    }
}

static void test_own_address_is_defended(void **state)
{
    (void)state;
    now_us += 20000000;
    turn();
    drain();
    fake_log_clear();
    for (unsigned i = 0; i < 20; i++) {
        make_arp(host_mac, 2, LAN_IP, LAN_IP);
        receive(LAN_PORT);
    }
    assert_true(sent(LAN_PORT) && is_arp(1));
    assert_int_equal(load_raw32(got.b + 28), LAN_IP); /* gratuitous, and only one */
    nothing_sent();
    assert_int_equal(fake_log_count, 1);
    assert_true(fake_log_has("192.168.8.1 is the router's"));
}

static void test_ping(void **state)
{
    static const size_t sizes[] = {0, 8, 56, 1472, 1473, 4000};
    const be32 from = HOST_IP;

    (void)state;
    make_arp(host_mac, 1, from, LAN_IP);
    receive(LAN_PORT);
    drain();
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        static uint8_t whole[5000];
        make_ip(LAN_PORT, host_mac, from, LAN_IP, IP_PROTO_ICMP, sizes[i]);
        finish();
        size_t ip_payload = f.n - f.l4, answered = 0;
        /* In fragments of at most 1480 bytes of payload, the last first. */
        static struct frame full;
        full = f;
        for (size_t at = (ip_payload - 1) / 1480 * 1480 + 1480; at > 0; at -= 1480) {
            size_t off = at - 1480, n = MIN((size_t)1480, ip_payload - off);
            memcpy(f.b + f.l4, full.b + full.l4 + off, n);
            f.n = f.l4 + n;
            store_be16(f.b + f.l3 + IP4_FRAG_OFF,
                       (uint16_t)(off / 8 | (off + n < ip_payload ? 0x2000 : 0)));
            store_be16(f.b + f.l3 + IP4_LEN_OFF, (uint16_t)(20 + n));
            frame_fix_ip_csum(&f);
            receive(LAN_PORT);
        }
        while (sent(LAN_PORT)) {
            size_t off = (load_be16(got.b + got.l3 + IP4_FRAG_OFF) & 0x1FFFu) * 8u;
            assert_true(got.n <= 1514);
            assert_int_equal(got_ip(IP4_DST_OFF), from);
            memcpy(whole + off, got.b + got.l4, got.n - got.l4);
            answered += got.n - got.l4;
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
        make_ip(LAN_PORT, host_mac, rows[i].src, rows[i].dst, rows[i].proto, 20);
        if (rows[i].dport)
            store_raw16(f.b + f.l4 + 2, rows[i].dport);
        if (rows[i].proto == IP_PROTO_TCP)
            f.b[f.l4 + TCP_FLAGS_OFF] = TCP_SYN;
        finish();
        struct pkt *p = pkt_alloc(&pool);
        assert_true(pkt_append(p, f.b, f.n));
        assert_true(host_self_ops.input(host, rows[i].network, p));
        dataplane_flush(dp);
        for (unsigned port = 0; port < PORTS; port++)
            if (sent(port))
                fail_msg("row %d", rows[i].id);
    }
    /* And one that is, so that the others are known to be silent for their own reasons. */
    make_ip(UPLINK_PORT, gateway_mac, GATEWAY, WAN_IP, IP_PROTO_ICMP, 20);
    finish();
    make_arp(gateway_mac, 1, GATEWAY, WAN_IP);
    receive(UPLINK_PORT);
    drain();
    make_ip(UPLINK_PORT, gateway_mac, GATEWAY, WAN_IP, IP_PROTO_ICMP, 20);
    finish();
    receive(UPLINK_PORT);
    assert_true(sent(UPLINK_PORT));
    assert_int_equal(got.b[got.l4], ICMP_ECHO_REPLY);
}

static void make_tcp(const uint8_t *options, size_t n)
{
    frame_make(&f, &(struct frame_plan){.proto = IP_PROTO_TCP,
                                        .tcp_options = options,
                                        .tcp_option_bytes = n,
                                        .tcp_flags = TCP_SYN});
    memcpy(f.b, dataplane_mac(dp, LAN), MAC_BYTES);
    memcpy(f.b + ETH_SRC_OFF, host_mac, MAC_BYTES);
    store_raw32(f.b + f.l3 + IP4_SRC_OFF, HOST_IP);
    store_raw32(f.b + f.l3 + IP4_DST_OFF, LAN_IP);
    store_be16(f.b + f.l4 + TCP_DPORT_OFF, 81);
    finish();
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
        receive(LAN_PORT);
        if (sent(LAN_PORT) != rows[i].answer)
            fail_msg("row %d", rows[i].id);
        if (rows[i].answer)
            assert_int_equal(got.b[got.l4 + TCP_FLAGS_OFF], TCP_RST | TCP_ACK);
    }
    /* UDP: an error each, but not too many. */
    unsigned errors = 0;
    now_us += 2000000;
    for (unsigned i = 0; i < 500; i++) {
        make_udp(LAN_PORT, host_mac, HOST_IP, LAN_IP, BE16(1000), BE16(9999), "x", 1);
        receive(LAN_PORT);
        while (sent(LAN_PORT)) {
            assert_int_equal(got.b[got.l4], ICMP_UNREACHABLE);
            assert_int_equal(got.b[got.l4 + 1], ICMP_UNREACH_PORT);
            errors++;
        }
    }
    assert_in_range(errors, 10, 100);
}

static void test_dhcp_service(void **state)
{
    struct dhcp_message m;
    struct dhcp_writer w;
    uint8_t b[600];

    (void)state;
    make_dhcp(DHCP_BOOTREQUEST, DHCP_TYPE_DISCOVER, host_mac, 77, 0, b, &w);
    dhcp_put_ip(&w, DHCP_OPT_REQUESTED, BE_IP4(192, 168, 8, 120));
    make_udp(LAN_PORT, host_mac, 0, ALL, BE16(68), BE16(67), b, dhcp_finish(&w, b));
    receive(LAN_PORT);
    assert_true(sent(LAN_PORT) && is_udp(BE16(67), BE16(68)));
    assert_memory_equal(got.b, host_mac, MAC_BYTES); /* straight to it, without ARP */
    assert_memory_equal(got.b + ETH_SRC_OFF, dataplane_mac(dp, LAN), MAC_BYTES);
    assert_int_equal(got_ip(IP4_SRC_OFF), LAN_IP);
    assert_int_equal(got_ip(IP4_DST_OFF), BE_IP4(192, 168, 8, 120));
    assert_true(dhcp_read(&m, got.b + got.payload, got.n - got.payload));
    assert_int_equal(m.type, DHCP_TYPE_OFFER);

    fake_log_clear();
    make_dhcp(DHCP_BOOTREQUEST, DHCP_TYPE_REQUEST, host_mac, 78, 0, b, &w);
    dhcp_put_ip(&w, DHCP_OPT_REQUESTED, BE_IP4(192, 168, 8, 120));
    dhcp_put_ip(&w, DHCP_OPT_SERVER, LAN_IP);
    dhcp_put(&w, DHCP_OPT_NAME, "web", 3);
    size_t n = dhcp_finish(&w, b);
    make_udp(LAN_PORT, host_mac, 0, ALL, BE16(68), BE16(67), b, n);
    receive(LAN_PORT);
    assert_true(sent(LAN_PORT));
    assert_true(dhcp_read(&m, got.b + got.payload, got.n - got.payload));
    assert_int_equal(m.type, DHCP_TYPE_ACK);
    assert_string_equal(fake_log_last, "lease     192.168.8.120   02:00:00:00:00:20  web");

    /* A wrong UDP checksum, and the outside, get no answer. */
    make_udp(LAN_PORT, host_mac, 0, ALL, BE16(68), BE16(67), b, n);
    f.b[f.payload + 50] ^= 1;
    receive(LAN_PORT);
    make_udp(UPLINK_PORT, host_mac, 0, ALL, BE16(68), BE16(67), b, n);
    receive(UPLINK_PORT);
    nothing_sent();
}

static size_t make_query(uint8_t *b, uint16_t id, const char *label)
{
    size_t n = DNS_HDR_BYTES, length = strlen(label);

    memset(b, 0, DNS_HDR_BYTES);
    store_be16(b, id);
    b[2] = 1;
    b[5] = 1;
    b[n++] = (uint8_t)length;
    memcpy(b + n, label, length);
    n += length;
    memcpy(b + n, "\3lan\0\0\1\0\1", 9);
    return n + 9;
}

static void ask(unsigned port, be32 from, be32 router, uint16_t id, const char *label)
{
    uint8_t b[512];
    size_t n = make_query(b, id, label);

    make_udp(port, host_mac, from, router, BE16(5353), BE16(53), b, n);
    receive(port);
}

static void test_dns_service(void **state)
{
    const be32 address = BE_IP4(192, 168, 8, 120), router = LAN_IP;

    (void)state;
    /* Names of our own: the lease just given, and the router. */
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "web");
    assert_true(sent(LAN_PORT) && is_udp(BE16(53), BE16(5353)));
    assert_memory_equal(got.b + got.n - 4, &address, 4);
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "gate");
    assert_true(sent(LAN_PORT));
    assert_memory_equal(got.b + got.n - 4, &router, 4);

    /* Others go to the uplink's server, from an unforeseeable port. */
    ask(LAN_PORT, HOST_IP, LAN_IP, 0x4242, "elsewhere");
    do
        assert_true(sent_outside());
    while (!is_udp(0, BE16(53)));
    assert_int_equal(got_ip(IP4_SRC_OFF), WAN_IP);
    assert_int_equal(got_ip(IP4_DST_OFF), DNS_SERVER);
    static struct frame query;
    query = got;
    be16 port = load_raw16(query.b + query.l4 + UDP_SPORT_OFF);
    uint8_t answer[512];
    size_t n = query.n - query.payload;
    memcpy(answer, query.b + query.payload, n);
    answer[2] |= 0x80;

    /* To another port, from another server, with another id: no answer, and no ICMP that tells
     * which ports are open. */
    make_udp(UPLINK_PORT, gateway_mac, DNS_SERVER, WAN_IP, BE16(53), (be16)(port ^ 1), answer, n);
    receive(UPLINK_PORT);
    make_udp(UPLINK_PORT, gateway_mac, GATEWAY, WAN_IP, BE16(53), port, answer, n);
    receive(UPLINK_PORT);
    answer[0] ^= 1;
    make_udp(UPLINK_PORT, gateway_mac, DNS_SERVER, WAN_IP, BE16(53), port, answer, n);
    receive(UPLINK_PORT);
    nothing_sent();
    answer[0] ^= 1;
    make_udp(UPLINK_PORT, gateway_mac, DNS_SERVER, WAN_IP, BE16(53), port, answer, n);
    receive(UPLINK_PORT);
    assert_true(sent(LAN_PORT) && is_udp(BE16(53), BE16(5353)));
    assert_int_equal(load_be16(got.b + got.payload), 0x4242);
    assert_memory_equal(got.b, host_mac, MAC_BYTES);
    /* The port is closed again. */
    make_udp(UPLINK_PORT, gateway_mac, DNS_SERVER, WAN_IP, BE16(53), port, answer, n);
    receive(UPLINK_PORT);
    nothing_sent();

    /* A host-only network learns nothing from outside. */
    ask(CELL_PORT, BE_IP4(192, 168, 9, 5), CELL_IP, 1, "elsewhere");
    assert_true(sent(CELL_PORT));
    assert_int_equal(got.b[got.payload + 3] & 15, DNS_REFUSED);
    nothing_sent();
}

/* Answers of several fragments, and longer than the LAN's MTU. */
static void test_long_dns_answer(void **state)
{
    (void)state;
    ask(LAN_PORT, HOST_IP, LAN_IP, 7, "long");
    do
        assert_true(sent_outside());
    while (!is_udp(0, BE16(53)));
    static uint8_t answer[3000];
    memset(answer, 0x33, sizeof(answer));
    memcpy(answer, got.b + got.payload, got.n - got.payload);
    answer[2] |= 0x80;
    be16 port = load_raw16(got.b + got.l4 + UDP_SPORT_OFF);
    make_udp(UPLINK_PORT, gateway_mac, DNS_SERVER, WAN_IP, BE16(53), port, answer, sizeof(answer));
    static struct frame full;
    full = f;
    size_t ip_payload = f.n - f.l4;
    for (size_t off = 0; off < ip_payload; off += 1480) {
        size_t n = MIN((size_t)1480, ip_payload - off);
        memcpy(f.b + f.l4, full.b + full.l4 + off, n);
        f.n = f.l4 + n;
        store_be16(f.b + f.l3 + IP4_FRAG_OFF,
                   (uint16_t)(off / 8 | (off + n < ip_payload ? 0x2000 : 0)));
        store_be16(f.b + f.l3 + IP4_LEN_OFF, (uint16_t)(20 + n));
        frame_fix_ip_csum(&f);
        struct pkt *p = pkt_alloc(&pool);
        assert_true(pkt_append(p, f.b, f.n));
        assert_true(host_self_ops.input(host, NETWORK_UPLINK, p));
    }
    dataplane_flush(dp);
    unsigned frames = 0;
    size_t bytes = 0;
    while (sent(LAN_PORT)) {
        frames++;
        bytes += got.n - got.l4;
    }
    assert_int_equal(frames, 3);
    assert_int_equal(bytes, UDP_HDR_BYTES + sizeof(answer));
}

static void test_resolve_and_neighbors(void **state)
{
    struct dataplane_totals totals;

    (void)state;
    /* A flow to the outside needs the gateway; the router asks, and the answer lets it go. */
    now_us += 200000000;
    turn();
    drain();
    make_arp(host_mac, 1, HOST_IP, LAN_IP);
    receive(LAN_PORT);
    drain();
    make_udp(LAN_PORT, host_mac, HOST_IP, BE_IP4(203, 0, 113, 9), BE16(4000), BE16(4000), "hello",
             5);
    receive(LAN_PORT);
    bool out = false;
    while (sent_outside())
        out |= is_udp(0, BE16(4000)) && got_ip(IP4_SRC_OFF) == WAN_IP;
    assert_true(out);
    host_self_ops.resolve(host, LAN, BE_IP4(192, 168, 8, 44));
    dataplane_flush(dp);
    assert_true(sent(LAN_PORT) && is_arp(1));
    assert_int_equal(load_raw32(got.b + 38), BE_IP4(192, 168, 8, 44));
    dataplane_totals(dp, &totals);
    assert_true(dataplane_sum_holds(&totals));
}

static void test_renewal_is_quiet(void **state)
{
    struct dhcp_message m;

    (void)state;
    /* A fresh lease, then half of it. */
    host_link(host, NETWORK_UPLINK, true);
    dataplane_flush(dp);
    assert_true(client_says(&m));
    dhcp_answers(DHCP_TYPE_ACK, m.xid);
    receive(UPLINK_PORT);
    drain();
    fake_log_clear();
    bool renewed = false;
    for (unsigned s = 0; s < LEASE_S && !renewed; s += 5) {
        pass_time(5000000);
        while (sent_outside())
            renewed |= is_udp(BE16(68), BE16(67));
        if (renewed)
            assert_in_range(s, LEASE_S / 2 - 20, LEASE_S / 2 + 20);
    }
    assert_true(renewed);
    assert_int_equal(fake_log_count, 0);
}

static void test_lost_lease_and_nak(void **state)
{
    struct dhcp_message m;
    bool discovers = false;

    (void)state;
    fake_log_clear();
    for (unsigned s = 0; s < LEASE_S + 60; s += 5) {
        pass_time(5000000);
        while (client_says(&m))
            discovers |= m.type == DHCP_TYPE_DISCOVER;
    }
    assert_true(fake_log_has("the address is lost"));
    assert_true(discovers);
    /* It comes back by itself. */
    do
        pass_time(1000000);
    while (!client_says(&m));
    dhcp_answers(DHCP_TYPE_OFFER, m.xid);
    receive(UPLINK_PORT);
    assert_true(client_says(&m));
    dhcp_answers(DHCP_TYPE_NAK, m.xid);
    receive(UPLINK_PORT);
    assert_true(client_says(&m));
    assert_int_equal(m.type, DHCP_TYPE_DISCOVER);
    dhcp_answers(DHCP_TYPE_OFFER, m.xid);
    receive(UPLINK_PORT);
    assert_true(client_says(&m));
    dhcp_answers(DHCP_TYPE_ACK, m.xid);
    fake_log_clear();
    receive(UPLINK_PORT);
    assert_true(fake_log_has("uplink    198.51.100.7/24"));
}

static void test_idle_is_quiet(void **state)
{
    unsigned wakes = 0;

    (void)state;
    pass_time(30000000); /* whatever was under way */
    drain();
    uint64_t end_us = now_us + 120000000;
    while (now_us < end_us) {
        uint64_t next_us = host_next_us(host, now_us);
        assert_true(next_us > now_us);
        now_us = MIN(next_us, end_us);
        host_poll(host, now_us);
        wakes++;
    }
    assert_true(wakes < 40); /* in two minutes */
}

/* Any number of frames while the pool is empty, or lwIP's: refused, counted, and afterwards all is
 * well. */
static void test_exhaustion(void **state)
{
    static struct pkt *held[POOL_COUNT];
    unsigned n = 0, refused = 0;

    (void)state;
    drain();
    /* Fragments that never become whole fill what lwIP has for them, and no more. */
    for (unsigned i = 0; i < 300; i++) {
        make_ip(LAN_PORT, host_mac, HOST_IP, LAN_IP, IP_PROTO_UDP, 1000);
        finish();
        store_be16(f.b + f.l3 + IP4_ID_OFF, (uint16_t)i);
        store_be16(f.b + f.l3 + IP4_FRAG_OFF, (uint16_t)(0x2000 | (i % 2 ? 125 : 0)));
        store_be16(f.b + f.l3 + IP4_LEN_OFF, (uint16_t)(20 + 1000));
        f.n = f.l4 + 1000;
        frame_fix_ip_csum(&f);
        struct pkt *p = pkt_alloc(&pool);
        assert_true(pkt_append(p, f.b, f.n));
        refused += !host_self_ops.input(host, LAN, p);
    }
    make_ip(LAN_PORT, host_mac, HOST_IP, LAN_IP, IP_PROTO_ICMP, 56);
    finish();
    assert_int_equal(refused, 0); /* they did not take the last buffers */
    receive(LAN_PORT);
    bool answered = false;
    while (sent(LAN_PORT))
        answered |= got.b[got.l4] == ICMP_ECHO_REPLY;
    assert_true(answered);

    struct pkt *ping = pkt_alloc(&pool);
    make_ip(LAN_PORT, host_mac, HOST_IP, LAN_IP, IP_PROTO_ICMP, 56);
    finish();
    assert_true(pkt_append(ping, f.b, f.n));
    while (pool.free_count > 0)
        held[n++] = pkt_alloc(&pool);
    host_self_ops.input(host, LAN, ping);     /* frees one, which the answer gets */
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "web"); /* cannot even be received */
    while (n > 0)
        pkt_free(held[--n]);
    dataplane_flush(dp);
    drain();
    ask(LAN_PORT, HOST_IP, LAN_IP, 1, "web");
    assert_true(sent(LAN_PORT));
}

static char status[4096];

static void status_line(const char *text)
{
    size_t used = strlen(status);
    snprintf(status + used, sizeof(status) - used, "%s\n", text);
}

static void test_status(void **state)
{
    (void)state;
    host_print_status(host, status_line);
    assert_non_null(strstr(status, "uplink    198.51.100.7/24 gateway 198.51.100.1"));
    assert_non_null(strstr(status, "192.168.8.120   02:00:00:00:00:20"));
    assert_non_null(strstr(status, "dns       queries"));
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
#define T(f) cmocka_unit_test_setup(f, drained)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uplink_gets_its_address),
        T(test_arp_is_answered_for_own_addresses_only),
        T(test_malformed_arp_is_dropped),
        T(test_own_address_is_defended),
        T(test_ping),
        T(test_silence),
        T(test_closed_ports),
        T(test_dhcp_service),
        T(test_dns_service),
        T(test_long_dns_answer),
        T(test_resolve_and_neighbors),
        T(test_renewal_is_quiet),
        T(test_lost_lease_and_nak),
        T(test_idle_is_quiet),
        T(test_exhaustion),
        T(test_status),
        T(test_siphash),
    };
    return cmocka_run_group_tests_name("host", tests, start, stop);
}
