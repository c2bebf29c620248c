/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random configurations - every mode, VLANs, bridges, isolated and watched networks, locks - and
 * random hostile frames. A naive oracle, which reads nothing but struct config, says for each frame
 * on which ports, with which tag, it comes out and what the router hears; not a frame more or less
 * may. Routed packets carry a mark of the network they began on, and are looked for wherever they
 * must not be.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_random.h"
#include "tests/fake/random_config.h"
#include "tests/fake/router_rig.h"
#include "tests/model/naive_switch.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <stdlib.h>
#include <string.h>

#define STATIONS     RANDOM_CONFIG_MACS
#define NONE         CONFIG_NO_NET
#define EXPECTED_MAX 256
#define FRAME_BYTES  140

static struct rig r;
static struct config c;
/* ---- the oracle ---- */

static unsigned net_at(unsigned port, unsigned id)
{
    return naive_net_at(&c, port, id);
}

struct seg { /* a network as the oracle sees it */
    uint32_t ports;
    int tag[CONFIG_MAX_PORTS];
    bool transparent, isolated, switched, has_mac;
    uint8_t mac[MAC_BYTES];
};

static struct seg segs[CONFIG_MAX_NETS + 1];
static struct naive_switch *model;
static uint32_t up;
static uint8_t pinned[CONFIG_MAX_PORTS][MAC_BYTES];
static bool is_pinned[CONFIG_MAX_PORTS];

static struct expected {
    unsigned count, next;
    size_t n[EXPECTED_MAX];
    uint8_t b[EXPECTED_MAX][FRAME_BYTES + 4];
} * expected; /* of each port, and of the stack */
#define STACK CONFIG_MAX_PORTS

static void oracle_start(void)
{
    memset(segs, 0, sizeof(segs));
    memset(model, 0, sizeof(*model));
    memset(is_pinned, 0, sizeof(is_pinned));
    memset(expected, 0, (CONFIG_MAX_PORTS + 1) * sizeof(*expected));
    up = (1u << c.port_count) - 1;
    for (unsigned p = 0; p < c.port_count; p++)
        for (unsigned id = 0; id < 64; id++) {
            unsigned net = net_at(p, id);
            if (net == NONE)
                continue;
            segs[net].ports |= 1u << p;
            segs[net].tag[p] = (int)id;
        }
    for (unsigned n = 0; n < c.net_count; n++) {
        struct seg *s = &segs[c.nets[n].mode == NET_BRIDGE ? NETWORK_UPLINK : n];
        s->switched = true;
        s->isolated = c.nets[n].isolate;
        s->transparent = c.nets[n].mode == NET_BRIDGE || c.nets[n].mode == NET_INTERNAL;
        if (s != &segs[NETWORK_UPLINK] && c.nets[n].ip && s->ports) {
            s->has_mac = true;
            memcpy(s->mac, r.nics[__builtin_ctz(s->ports)].nic.mac, MAC_BYTES);
            naive_switch_add_self(model, s->mac, (uint8_t)n);
        }
    }
    struct seg *s = &segs[NETWORK_UPLINK];
    if (c.uplink.present && !c.uplink.silent) {
        s->has_mac = true;
        memcpy(s->mac, c.uplink.mac_given ? c.uplink.mac : r.nics[c.uplink.port].nic.mac,
               MAC_BYTES);
        naive_switch_add_self(model, s->mac, NETWORK_UPLINK);
    }
}

static unsigned type_of(const uint8_t *b)
{
    return load_be16(b + 12);
}

static bool is_tag(unsigned type)
{
    return type == 0x8100 || type == 0x88A8;
}

static void strip(uint8_t *b, size_t *n)
{
    memmove(b + 12, b + 16, *n - 16);
    *n -= 4;
}

static bool strip_priority(uint8_t *b, size_t *n)
{
    if (type_of(b) != 0x8100 || (load_be16(b + 14) & 0xFFF) != 0)
        return false;
    strip(b, n);
    return true;
}

static void expect(unsigned where, const uint8_t *b, size_t n)
{
    struct expected *e = &expected[where];

    assert_true(e->count < EXPECTED_MAX);
    e->n[e->count] = n;
    memcpy(e->b[e->count++], b, n);
}

/* A frame of a network on a port: with its tag, or as it is unless it would pass for another's. */
static void expect_on(unsigned port, const struct seg *s, const uint8_t *b, size_t n)
{
    uint8_t tagged[FRAME_BYTES + 4];

    if (s->tag[port] == 0) {
        for (size_t at = 12; at + 4 <= n && is_tag(load_be16(b + at)); at += 4) {
            unsigned id = load_be16(b + at + 2) & 0xFFF;
            if (id != 0 && net_at(port, id) != NONE)
                return;
            if (id != 0)
                break;
        }
        expect(port, b, n);
        return;
    }
    memcpy(tagged, b, 12);
    store_be16(tagged + 12, 0x8100);
    store_be16(tagged + 14, (uint16_t)s->tag[port]);
    memcpy(tagged + 16, b + 12, n - 12);
    expect(port, tagged, n + 4);
}

static bool admitted(unsigned port, const struct seg *s, const uint8_t *src)
{
    static const uint8_t zero[MAC_BYTES];

    if (c.ports[port].lock == LOCK_MAC)
        return memcmp(src, c.ports[port].lock_mac, MAC_BYTES) == 0;
    if (c.ports[port].lock != LOCK_FIRST)
        return true;
    if (is_pinned[port])
        return memcmp(src, pinned[port], MAC_BYTES) == 0;
    if ((src[0] & 1) || memcmp(src, zero, MAC_BYTES) == 0 ||
        (s->has_mac && memcmp(src, s->mac, MAC_BYTES) == 0))
        return true; /* nobody; dropped for it soon */
    memcpy(pinned[port], src, MAC_BYTES);
    is_pinned[port] = true;
    return true;
}

/* What may leave by which port for a frame that came in by one: bit masks. */
static uint32_t reachable(const struct seg *s, unsigned net, unsigned port)
{
    uint32_t all = s->ports & up & ~(1u << port);
    uint32_t hub = net == NETWORK_UPLINK ? 1u << c.uplink.port : 0;

    return s->isolated && !(hub >> port & 1) ? all & hub : all;
}

static uint32_t watching(const struct seg *s, unsigned port)
{
    uint32_t mask = 0;

    for (unsigned p = 0; p < c.port_count; p++)
        if (c.ports[p].promisc && p != port)
            mask |= 1u << p;
    return mask & s->ports & up;
}

static void hear(const struct seg *s, const uint8_t *b, size_t n)
{
    uint8_t own[FRAME_BYTES];

    memcpy(own, b, n);
    if (s->transparent)
        strip_priority(own, &n);
    if (type_of(own) == 0x0806)
        expect(STACK, own, n);
}

/* One frame through the router: fills in expected[]. */
static void oracle(unsigned port, const uint8_t *frame, size_t n)
{
    static const uint8_t zero[MAC_BYTES], reserved[] = {1, 0x80, 0xC2, 0, 0};
    uint32_t now_s = (uint32_t)(r.now_us / 1000000), targets = 0;
    uint8_t b[FRAME_BYTES];
    unsigned net = NONE;

    memcpy(b, frame, n);
    if (type_of(b) == 0x8100 && (load_be16(b + 14) & 0xFFF) != 0)
        net = net_at(port, load_be16(b + 14) & 0xFFF);
    if (net != NONE)
        strip(b, &n);
    else
        net = net_at(port, 0);
    if (net == NONE)
        return;
    const struct seg *s = &segs[net];
    if (!admitted(port, s, b + 6))
        return;
    if ((b[6] & 1) || memcmp(b + 6, zero, MAC_BYTES) == 0)
        return;
    if (!s->transparent) {
        strip_priority(b, &n);
        if (is_tag(type_of(b)))
            return;
    }
    if (memcmp(b, reserved, 5) == 0 && b[5] < 16)
        return;
    bool to_us = s->has_mac && memcmp(b, s->mac, MAC_BYTES) == 0;
    bool broadcast = (load_raw32(b) & load_raw16(b + 4)) == 0xFFFF && load_raw32(b) == UINT32_MAX;
    if (!s->switched) {
        if (s->has_mac && memcmp(b + 6, s->mac, MAC_BYTES) != 0 && (to_us || broadcast))
            hear(s, b, n);
        return;
    }
    if (!naive_switch_learn(model, b + 6, (uint8_t)net, (uint8_t)port, now_s))
        return;
    if (to_us) {
        hear(s, b, n);
    } else if (b[0] & 1) {
        if (broadcast && s->has_mac)
            hear(s, b, n);
        targets = reachable(s, net, port);
    } else {
        uint8_t out = naive_switch_lookup(model, b, (uint8_t)net, now_s);
        targets = reachable(s, net, port);
        if (out != NAIVE_SWITCH_NONE)
            targets &= 1u << out;
    }
    targets |= watching(s, port);
    for (unsigned p = 0; p < c.port_count; p++)
        if (targets >> p & 1)
            expect_on(p, s, b, n);
}

static void compare(unsigned config, unsigned step)
{
    for (unsigned p = 0; p < c.port_count; p++) {
        const struct expected *e = &expected[p];
        for (unsigned i = 0; i < e->count; i++) {
            if (!rig_output(&r, p))
                fail_msg("config %u step %u: %u of %u came out by port %u", config, step, i,
                         e->count, p);
            if (r.out.n != e->n[i] || memcmp(r.out.b, e->b[i], r.out.n) != 0)
                fail_msg("config %u step %u: frame %u of port %u is another one", config, step, i,
                         p);
        }
        if (rig_output(&r, p))
            fail_msg("config %u step %u: one too many by port %u", config, step, p);
    }
    const struct expected *e = &expected[STACK];
    if (r.delivered_count != e->count)
        fail_msg("config %u step %u: heard %u, not %u", config, step, r.delivered_count, e->count);
    for (unsigned i = 0; i < e->count; i++) {
        assert_int_equal(r.delivered[i]->total_bytes, e->n[i]);
        assert_memory_equal(r.delivered[i]->data, e->b[i], e->n[i]);
    }
    for (unsigned p = 0; p <= STACK; p++)
        expected[p].count = 0;
}

/* ---- frames ---- */

static void random_mac(uint8_t *mac, bool source)
{
    static const uint8_t groups[][MAC_BYTES] = {
        {255, 255, 255, 255, 255, 255}, {255, 255, 255, 255, 255, 255}, {0x33, 0x33, 0, 0, 0, 1},
        {1, 0x80, 0xC2, 0, 0, 3},       {1, 0x80, 0xC2, 0, 0, 16},      {0}};
    if (rnd(source ? 20 : 4) > 0) {
        memcpy(mac, random_config_mac(rnd(STATIONS)), MAC_BYTES);
        return;
    }
    if (rnd(3) == 0)
        memcpy(mac, segs[rnd(2) ? NETWORK_UPLINK : rnd(c.net_count)].mac, MAC_BYTES);
    else
        memcpy(mac, groups[rnd(ARRAY_COUNT(groups))], MAC_BYTES);
}

/* Mostly the tag of a network of this port, if it has one there; else whatever comes to mind. */
static size_t random_tags(unsigned port, uint8_t *at)
{
    static const uint16_t tcis[] = {0, 0xE000, 10, 20, 20, 30, 40, 0x6014, 99, 4095};
    unsigned net = rnd(c.net_count + 1u), count = rnd(4) ? 0 : rnd(4);
    size_t n = 0;

    net = net == c.net_count ? NETWORK_UPLINK : net;
    if ((segs[net].ports >> port & 1) && segs[net].tag[port]) {
        store_be16(at, 0x8100);
        store_be16(at + 2, (uint16_t)segs[net].tag[port]);
        n = 4;
    }
    for (unsigned i = 0; i < count; i++, n += 4) {
        store_be16(at + n, rnd(10) ? 0x8100 : 0x88A8);
        store_be16(at + n + 2, tcis[rnd(ARRAY_COUNT(tcis))]);
    }
    return n;
}

static void random_frame(unsigned port)
{
    static const uint16_t types[] = {0x1234, 0x86DD, 0x0806, 0x0800};
    uint8_t *b = r.in.b;
    static uint32_t serial;

    random_mac(b, false);
    random_mac(b + 6, true);
    size_t at = 12 + random_tags(port, b + 12);
    store_be16(b + at, types[rnd(ARRAY_COUNT(types))]);
    r.in.n = 64 + rnd(60);
    memset(b + at + 2, 0, r.in.n - at - 2); /* no IPv4 that anybody would route */
    store_raw32(b + at + 10, serial++);
    rig_input_raw(&r, port);
    oracle(port, b, r.in.n);
}

static void random_link(void)
{
    unsigned p = rnd(c.port_count);

    if ((up >> p & 1) && rnd(4))
        return; /* links are up more often than not */
    r.nics[p].up = !r.nics[p].up;
    up ^= 1u << p;
    if (!(up >> p & 1)) {
        naive_switch_forget_port(model, (uint8_t)p);
        is_pinned[p] = false;
    }
    r.now_us += 300000;
    rig_step(&r);
}

/* Bursts from several ports: what comes out by each is exactly what should, in order. */
static void test_switched(void **state)
{
    unsigned long sent = 0, heard = 0;

    (void)state;
    for (unsigned config = 0; config < 300; config++) {
        random_config(&c, rnd);
        rig_start_config(&r, &c, 0);
        oracle_start();
        for (unsigned step = 0; step < 300; step++) {
            for (unsigned p = 0; p < c.port_count; p++)
                if ((up >> p & 1) && rnd(3) == 0)
                    for (unsigned i = 1 + rnd(rnd(10) ? 3 : 12); i > 0; i--)
                        random_frame(p);
            rig_step(&r);
            for (unsigned p = 0; p < c.port_count; p++)
                sent += expected[p].count;
            heard += expected[STACK].count;
            compare(config, step);
            rig_flush(&r);
            r.now_us += rnd(20) ? rnd(100000) : rnd(200000000);
            if (rnd(50) == 0)
                random_link();
        }
        rig_stop(&r);
    }
    assert_true(sent > 100000 && heard > 2000);
}

/* ---- routed ---- */

#define MARK       "MARK"
#define MARK_BYTES 8

static be32 random_address(unsigned net)
{
    switch (rnd(10)) {
    case 0:
        return RIG_OUTSIDE;
    case 1:
        return BE_IP4(192, 168, 8 + rnd(c.net_count), rnd(2) ? 1 : 255);
    case 2:
        return rnd(2) ? BE_IP4(255, 255, 255, 255) : BE_IP4(224, 0, 0, 251);
    case 3:
    case 4:
    case 5:
        return BE_IP4(192, 168, 8 + rnd(c.net_count), 10 + rnd(STATIONS));
    case 6:
        return net == NETWORK_UPLINK ? RIG_OUTSIDE : BE_IP4(192, 168, 8 + net, 10 + rnd(STATIONS));
    default:
        return BE_IP4(198, 51, 100, 1 + rnd(3));
    }
}

/* Hostile or honest, in a frame of this network on this port, with forged tags now and then. */
static void random_packet(unsigned port, unsigned net)
{
    static const uint8_t protos[] = {IP_PROTO_UDP, IP_PROTO_UDP, IP_PROTO_TCP, IP_PROTO_ICMP, 47};
    const struct seg *s = &segs[net];
    struct rig_packet k = {
        .src = rnd(8) ? net == NETWORK_UPLINK ? BE_IP4(198, 51, 100, 1 + rnd(3))
                                              : BE_IP4(192, 168, 8 + net, 10 + rnd(STATIONS))
                      : random_address(net),
        .dst = random_address(net),
        .sport = (uint16_t)(1024 + rnd(4)),
        .dport = (uint16_t)(1024 + rnd(4)),
        .proto = protos[rnd(ARRAY_COUNT(protos))],
        .tcp_flags = (uint8_t)(rnd(2) ? TCP_SYN : rnd(32)),
        .frag = (uint16_t)(rnd(20) ? 0 : rnd(65536)),
        .payload_bytes = MARK_BYTES + rnd(60),
    };
    uint8_t tag[16];
    size_t tag_bytes = 0;

    rig_make(&r, port, &k);
    memcpy(r.in.b + r.in.payload, MARK, 4);
    memset(r.in.b + r.in.payload + 4, 'a' + (int)net, 4);
    if (k.proto != 47)
        frame_fix_l4_csum(&r.in);
    random_mac(r.in.b, false);
    if (s->has_mac && rnd(4))
        memcpy(r.in.b, s->mac, MAC_BYTES);
    random_mac(r.in.b + 6, true);
    if (s->tag[port]) {
        store_be16(tag, 0x8100);
        store_be16(tag + 2, (uint16_t)s->tag[port]);
        tag_bytes = 4;
    }
    /* Further tags must not be this port's, else the frame is of another network than it says. */
    if (rnd(8) == 0 && (tag_bytes || rnd(2))) {
        store_be16(tag + tag_bytes, 0x8100);
        store_be16(tag + tag_bytes + 2, tag_bytes ? random_config_ids[rnd(RANDOM_CONFIG_IDS)] : 0);
        tag_bytes += 4;
    }
    memmove(r.in.b + 12 + tag_bytes, r.in.b + 12, r.in.n - 12);
    memcpy(r.in.b + 12, tag, tag_bytes);
    r.in.n += tag_bytes;
    rig_input_raw(&r, port);
}

static const struct net_mode_info *mode_of(unsigned net)
{
    return net == NETWORK_UPLINK ? NULL : &net_modes[c.nets[net].mode];
}

/* Without rules. Translated networks may meet at the outside address (RFC 4787, REQ-9). */
static bool may_be_on(unsigned mark, unsigned net)
{
    if (mark == net)
        return true;
    if (mark != NETWORK_UPLINK && net != NETWORK_UPLINK && mode_of(mark)->routes_to_uplink &&
        mode_of(net)->routes_to_uplink)
        return load_raw32(r.out.b + r.out.l3 + 12) == RIG_OUTSIDE;
    if (net == NETWORK_UPLINK)
        return mode_of(mark)->routes_to_uplink;
    return mark == NETWORK_UPLINK && mode_of(net)->routes_to_uplink;
}

/* The network whose frame r.out is, as a station on this port's cable would see it. */
static unsigned net_of_output(unsigned port)
{
    size_t at = 12;

    while (at + 4 <= r.out.n && is_tag(load_be16(r.out.b + at))) {
        unsigned id = load_be16(r.out.b + at + 2) & 0xFFF;
        if (id != 0 && net_at(port, id) != NONE)
            return net_at(port, id);
        if (id != 0)
            break;
        at += 4;
    }
    return net_at(port, 0);
}

static unsigned check_marks(void)
{
    unsigned crossed = 0;

    for (unsigned p = 0; p < c.port_count; p++)
        while (rig_output(&r, p)) {
            unsigned net = net_of_output(p);
            r.out.l3 = net != NONE && segs[net].tag[p] ? 18 : 14;
            if (net == NONE)
                fail_msg("port %u: a frame of no network", p);
            for (size_t i = 14; i + MARK_BYTES <= r.out.n; i++) {
                if (memcmp(r.out.b + i, MARK, 4) != 0 || r.out.b[i + 4] != r.out.b[i + 7])
                    continue;
                unsigned mark = r.out.b[i + 4] - (unsigned)'a';
                if (mark <= NETWORK_UPLINK && !may_be_on(mark, net))
                    fail_msg("port %u: a packet of network %u on network %u", p, mark, net);
                crossed += mark != net;
                break;
            }
        }
    return crossed;
}

static void test_routed(void **state)
{
    unsigned crossed = 0;

    (void)state;
    for (unsigned config = 0; config < 150; config++) {
        random_config(&c, rnd);
        rig_start_config(&r, &c, 0);
        oracle_start();
        for (unsigned step = 0; step < 300; step++) {
            for (unsigned i = rnd(8); i > 0; i--) {
                unsigned net = rnd(3) ? rnd(c.net_count) : NETWORK_UPLINK;
                unsigned port = rnd(c.port_count);
                if (segs[net].ports >> port & 1)
                    random_packet(port, net);
            }
            rig_step(&r);
            crossed += check_marks();
            rig_flush(&r);
            r.now_us += rnd(20) ? rnd(5000) : rnd(3000000);
        }
        rig_stop(&r);
    }
    assert_true(crossed > 2000);
}

static int group_setup(void **state)
{
    (void)state;
    model = calloc(1, sizeof(*model));
    expected = calloc(CONFIG_MAX_PORTS + 1, sizeof(*expected));
    return !model || !expected;
}

static int group_teardown(void **state)
{
    (void)state;
    free(model);
    free(expected);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_switched),
        cmocka_unit_test(test_routed),
    };
    return cmocka_run_group_tests_name("dataplane_segments", tests, group_setup, group_teardown);
}
