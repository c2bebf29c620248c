/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The fast paths (net/dataplane_fast.c, dataplane_switch.c) against the general one: the same
 * random bursts, once as they are and once with these left out, must give the same frames, counters
 * and state. The naive model here is the general path itself. See router_rig.h for the topology; in
 * half of the scenarios lab is a routed network, that lan and the outside may open to.
 *
 * Only the order of frames of different conversations may differ: it is compared for each alone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dataplane_internal.h"
#include "tests/fake/router_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define SCENARIOS  60
#define STEPS      60
#define HOSTS      6
#define SERVERS    3
#define FRAMES_MAX 8192
#define FLOWS_MAX  1024

static struct rig r;
static uint64_t seed;
static bool routed; /* lab is */

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((seed >> 33) % below);
}

/* ---- what a run leaves behind ---- */

struct sent {
    uint64_t conversation, bytes; /* hashes */
    unsigned step, port, order;
    uint32_t n, metadata;
};

struct run {
    struct sent sent[FRAMES_MAX];
    unsigned sent_count;
    struct flow flows[FLOWS_MAX];
    unsigned flow_count;
    struct dataplane_totals totals;
    uint64_t stamps; /* hash of the switch's table, the neighbors', and the rules' counters */
};

static struct run runs[2];

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *b = bytes;

    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001B3ull;
    return h;
}

static void note_sent(struct run *run, unsigned step, unsigned port, const struct pkt *p)
{
    static uint8_t b[FRAME_MAX_BYTES];
    struct sent *s = &run->sent[run->sent_count];

    assert_true(run->sent_count < FRAMES_MAX);
    assert_true(pkt_copy_out(p, 0, b, p->total_bytes));
    *s = (struct sent){.step = step, .port = port, .order = run->sent_count++, .n = p->total_bytes};
    s->bytes = hash_bytes(1, b, p->total_bytes);
    s->conversation = hash_bytes(2, b, 14);
    if (p->total_bytes >= 38 && load_raw16(b + 12) == ETH_TYPE_IP4) {
        s->conversation = hash_bytes(s->conversation, b + 23, 1);
        s->conversation = hash_bytes(s->conversation, b + 26, 12);
    }
    if (p->flags & PKT_NEEDS_CSUM)
        s->metadata = 1u | (uint32_t)p->csum_start << 1 | (uint32_t)p->gso_size << 16;
}

static int by_conversation(const void *left, const void *right)
{
    const struct sent *a = left, *b = right;

    if (a->step != b->step)
        return a->step < b->step ? -1 : 1;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    if (a->conversation != b->conversation)
        return a->conversation < b->conversation ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

static int by_tuple(const void *left, const void *right)
{
    struct flow_tuple a = flow_tuple_of(left, FLOW_OUT), b = flow_tuple_of(right, FLOW_OUT);
    return memcmp(&a, &b, sizeof(a));
}

static void note_end(struct run *run)
{
    const struct dataplane *dp = r.dp;

    qsort(run->sent, run->sent_count, sizeof(run->sent[0]), by_conversation);
    run->flow_count = 0;
    for (uint32_t i = 0; i < dp->nat.flows.fresh; i++) {
        struct flow f = dp->nat.flows.flows[i];
        if (f.state == FLOW_FREE)
            continue;
        /* Where things are is no difference. */
        f.neighbor_out = f.neighbor_in = 0;
        if (f.proto != IP_PROTO_TCP)
            memset(f.acks, 0, sizeof(f.acks)); /* nobody asks */
        run->flows[run->flow_count++] = f;
    }
    qsort(run->flows, run->flow_count, sizeof(run->flows[0]), by_tuple);
    dataplane_totals(r.dp, &run->totals);
    run->stamps = hash_bytes(4, dp->rule_hits, sizeof(dp->rule_hits));
    const uint64_t *entries = (const uint64_t *)(const void *)dp->table.map.sets;
    for (size_t i = 0; i < switch_entry_count(&dp->table); i++)
        if (entries[i] != SWITCH_EMPTY)
            run->stamps += hash_bytes(3, &entries[i], sizeof(entries[i]));
    for (unsigned i = 0; i < NEIGHBOR_MAX; i++) {
        const struct neighbor *n = &dp->neighbors.entries[i];
        if (n->state != NEIGHBOR_FREE)
            run->stamps += hash_bytes(n->ip, &n->confirmed_ms, 3 * sizeof(uint32_t)) + n->state;
    }
}

/* ---- a run ---- */

/* One round; without the fast path, what came in is taken from the NICs before it would see it. */
static void step(struct run *run, unsigned number, bool fast)
{
    struct dataplane *dp = r.dp;

    dp->now_us = r.now_us;
    dp->now_ms = (uint32_t)(r.now_us / 1000);
    dp->now_s = (uint32_t)(r.now_us / 1000000);
    switch_tick(&dp->table, dp->now_s);
    for (unsigned i = 0; i < RIG_PORTS && !fast; i++) {
        struct pkt *pkts[BURST_MAX];
        unsigned n = r.nics[i].nic.ops->rx_batch(&r.nics[i].nic, pkts, BURST_MAX);
        dp->totals.received += n;
        if (n)
            dp_general_input(dp, i, dp->ports[i].network, pkts, n);
    }
    rig_step(&r);
    for (unsigned i = 0; i < RIG_PORTS; i++) {
        struct pkt *p;
        while ((p = fake_nic_sent(&r.nics[i])) != NULL) {
            note_sent(run, number, i, p);
            pkt_free(p);
        }
    }
    rig_flush(&r);
}

static be32 host(unsigned i)
{
    return i < 4 ? RIG_HOST(5 + i) : RIG_LAB_HOST(5 + i);
}

static unsigned home(unsigned i)
{
    return i < 4 ? 1 + i % 3 : i;
}

static be32 server(unsigned i)
{
    return i == 2 ? BE_IP4(203, 0, 113, 9) : RIG_SERVER + (i << 24);
}

/* Where lab is routed, each host has one more conversation: those of lan with one of lab, those of
 * lab with a server that has opened it. */
static unsigned conversations(void)
{
    return SERVERS + routed;
}

static bool opened_from_outside(unsigned h, unsigned s)
{
    return s == SERVERS && h >= 4;
}

/* A packet of a conversation, and the port it comes in by. Outside ports are what was asked for,
 * because no two hosts ask for the same. */
static unsigned conversation(struct rig_packet *k, unsigned h, unsigned s, bool tcp, bool out)
{
    uint16_t port = (uint16_t)(1000 + 10 * h + s);
    be32 remote = server(s % SERVERS), seen = routed && h >= 4 ? host(h) : RIG_OUTSIDE;
    unsigned away = 0;

    if (s == SERVERS && h < 4) {
        away = home(4 + h % 2);
        remote = host(4 + h % 2);
        seen = host(h);
    }
    *k = (struct rig_packet){.src = out ? host(h) : remote,
                             .dst = out ? remote : seen,
                             .sport = out ? port : 80,
                             .dport = out ? 80 : port,
                             .proto = tcp ? IP_PROTO_TCP : IP_PROTO_UDP,
                             .tcp_flags = TCP_ACK};
    return out ? home(h) : away;
}

static void open_all(struct run *run, bool fast)
{
    struct rig_packet k;

    for (unsigned i = 0; i < HOSTS; i++)
        rig_appear(&r, home(i), host(i));
    for (unsigned i = 0; i < HOSTS * conversations() * 2; i++) {
        unsigned h = i % HOSTS, s = i / HOSTS % conversations(), tcp = i / HOSTS / conversations();
        for (unsigned n = 0; n < 3; n++) {
            if (n > 0 && !tcp && rnd(4) == 0)
                continue; /* some UDP is never answered */
            unsigned in = conversation(&k, h, s, tcp, (n != 1) != opened_from_outside(h, s));
            k.tcp_flags = n == 0 ? TCP_SYN : n == 1 ? TCP_SYN | TCP_ACK : TCP_ACK;
            rig_input(&r, in, &k);
            step(run, 0, fast);
        }
    }
}

/* Makes of r.in something else, some of the time. */
static void spoil(void)
{
    struct frame *f = &r.in;

    if (rnd(6) == 0)
        f->b[rnd(f->n < 58 ? (uint32_t)f->n : 58)] ^= (uint8_t)(1u << rnd(8));
    if (rnd(4) == 0 && f->n > 34)
        frame_fix_ip_csum(f);
    if (rnd(30) == 0)
        f->n = 1 + rnd((uint32_t)f->n);
    else if (rnd(3) == 0)
        for (unsigned pad = rnd(40); pad > 0; pad--)
            f->b[f->n++] = (uint8_t)rnd(256);
}

static void receive(unsigned in, bool tcp)
{
    struct pkt *p = pkt_alloc(&r.pool);
    bool partial = rnd(3) == 0;

    assert_non_null(p);
    if (partial)
        frame_partial_csum(&r.in);
    if (partial && !tcp && rnd(3) == 0) /* less than there is */
        store_be16(r.in.b + r.in.l4 + 4, (uint16_t)(8 + rnd((uint32_t)(r.in.n - r.in.l4) - 7)));
    spoil();
    if (!pkt_append(p, r.in.b, r.in.n)) {
        pkt_free(p);
        return;
    }
    if (partial) {
        p->flags = PKT_NEEDS_CSUM;
        p->csum_start = (uint16_t)(34 + (rnd(12) == 0));
        p->csum_offset = (uint16_t)((tcp ? 16 : 6) + (rnd(12) == 0));
        p->gso_type = rnd(20) == 0 ? PKT_GSO_TCP6 : tcp && rnd(2) ? PKT_GSO_TCP4 : PKT_GSO_NONE;
        if (p->gso_type && rnd(10)) {
            p->gso_size = (uint16_t)(rnd(10) == 0 ? rnd(600) : 500 + rnd(1000));
            p->hdr_len = (uint16_t)rnd(100);
            p->gso_ecn = rnd(8) == 0;
        }
    }
    fake_nic_receive_pkt(&r.nics[in], p);
}

static void random_packet(uint16_t id)
{
    static const uint8_t flags[] = {TCP_SYN, TCP_FIN | TCP_ACK, TCP_RST, TCP_CWR | TCP_ACK};
    struct rig_packet k;
    bool tcp = rnd(2), out = rnd(2);
    unsigned in = conversation(&k, rnd(HOSTS), rnd(conversations()), tcp, out);

    if (rnd(25) == 0)
        k.tcp_flags = flags[rnd(ARRAY_COUNT(flags))];
    if (rnd(20) == 0)
        k.ttl = (uint8_t)(1 + rnd(2));
    k.may_fragment = rnd(2);
    k.payload_bytes = rnd(8) ? rnd(200) : rnd(5000);
    if (rnd(30) == 0)
        k.src = rnd(2) ? RIG_OUTSIDE : host(rnd(HOSTS)); /* forged */
    if (out && rnd(30) == 0)
        k.dst = RIG_OUTSIDE;
    if (out && rnd(30) == 0)
        in = in < 4 ? 1 + rnd(3) : 4 + rnd(2); /* it has moved */
    rig_make(&r, in, &k);
    store_be16(r.in.b + 18, id);
    frame_fix_ip_csum(&r.in);
    receive(in, tcp);
}

/* Between stations of a network, known and unknown, and what is not switched at all. */
static void random_frame(void)
{
    static const uint8_t odd[][MAC_BYTES] = {{255, 255, 255, 255, 255, 255},
                                             {1, 0x80, 0xC2, 0, 0, 0},
                                             {1, 0, 0x5E, 0, 0, 0xFB},
                                             {0, 0, 0, 0, 0, 0},
                                             {2, 0, 0, 0, 0, 0xE1}};
    static const uint16_t types[] = {0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8};
    unsigned from = rnd(4), to = rnd(4), in = rnd(30) ? home(from) : 1 + rnd(5);
    size_t n = rnd(30) ? 14 + rnd(200) : rnd(2) ? 1 + rnd(14) : 1500 + rnd(30);

    memset(r.in.b, (int)rnd(256), n);
    memcpy(r.in.b, rnd(12) ? rig_mac(host(to)) : odd[rnd(ARRAY_COUNT(odd))], MAC_BYTES);
    memcpy(r.in.b + 6, rnd(20) ? rig_mac(host(from)) : odd[rnd(ARRAY_COUNT(odd))], MAC_BYTES);
    store_be16(r.in.b + 12, types[rnd(12) ? 2 * rnd(2) : rnd(ARRAY_COUNT(types))]);
    r.in.n = n;
    rig_input_raw(&r, in);
}

static void start(unsigned flags, uint32_t offloads)
{
    static struct config config;

    rig_start_with(&r, flags, offloads);
    if (!routed)
        return;
    config = r.config;
    rig_stop(&r);
    config.nets[RIG_LAB].mode = NET_ROUTED;
    config.rule_count = 3;
    config.rules[0] = (struct config_rule){.action = RULE_ALLOW,
                                           .from = {.kind = WHERE_NET, .net = RIG_LAN},
                                           .to = {.kind = WHERE_NET, .net = RIG_LAB}};
    config.rules[1] = (struct config_rule){.action = RULE_ALLOW,
                                           .from = {.kind = WHERE_UPLINK},
                                           .to = {.kind = WHERE_NET, .net = RIG_LAB}};
    config.rules[2] =
        (struct config_rule){.action = RULE_REJECT,
                             .from = {.kind = WHERE_CIDR, .ip = host(0), .prefix = 32},
                             .to = {.kind = WHERE_CIDR, .ip = host(1), .prefix = 32}};
    if (rnd(2))
        config.rule_count--; /* nothing is filtered inside lan */
    rig_start_config(&r, &config, offloads);
}

static void play(struct run *run, uint64_t scenario, bool fast)
{
    uint16_t id = 0;

    seed = scenario;
    run->sent_count = 0;
    uint32_t offloads = rnd(2) ? NIC_TX_CSUM | NIC_TX_TSO4 : rnd(2) ? NIC_TX_CSUM : 0;
    start(rnd(3) ? 0 : RIG_SMALL_MTU, offloads);
    open_all(run, fast);
    for (unsigned i = 1; i <= STEPS; i++) {
        unsigned switched = rnd(3) ? rnd(5) : 5; /* fifths of the burst */
        for (unsigned n = 1 + rnd(24); n > 0; n--) {
            if (rnd(5) < switched)
                random_frame();
            else
                random_packet(id++);
        }
        r.now_us += rnd(20) ? rnd(400000) : rnd(40000000);
        step(run, i, fast);
    }
    note_end(run);
    rig_stop(&r);
}

static void compare(void)
{
    const struct run *f = &runs[1], *g = &runs[0];

    for (unsigned n = 0; n < SCENARIOS; n++) {
        play(&runs[0], n, false);
        play(&runs[1], n, true);
        for (unsigned i = 0; i < MIN(f->sent_count, g->sent_count); i++) {
            const struct sent *a = &f->sent[i], *b = &g->sent[i];
            if (a->step != b->step || a->port != b->port || a->bytes != b->bytes ||
                a->metadata != b->metadata)
                fail_msg("scenario %u, step %u, port %u: %u bytes; general: step %u, port %u, %u",
                         n, a->step, a->port, a->n, b->step, b->port, b->n);
        }
        assert_int_equal(f->sent_count, g->sent_count);
        assert_int_equal(f->flow_count, g->flow_count);
        for (unsigned i = 0; i < f->flow_count; i++)
            if (memcmp(&f->flows[i], &g->flows[i], sizeof(struct flow)) != 0)
                fail_msg("scenario %u: flow %u differs", n, i);
        for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
            if (f->totals.dropped[i] != g->totals.dropped[i])
                fail_msg("scenario %u: dropped for reason %u: %u, general %u", n, i,
                         (unsigned)f->totals.dropped[i], (unsigned)g->totals.dropped[i]);
        assert_memory_equal(&f->totals, &g->totals, sizeof(f->totals));
        assert_int_equal(f->stamps, g->stamps);
    }
}

static void test_fast_is_as_general(void **state)
{
    (void)state;
    routed = false;
    compare();
}

static void test_with_a_routed_network(void **state)
{
    (void)state;
    routed = true;
    compare();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fast_is_as_general),
                                       cmocka_unit_test(test_with_a_routed_network)};
    return cmocka_run_group_tests_name("dataplane_fast", tests, NULL, NULL);
}
