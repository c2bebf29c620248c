/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What translating a packet costs on the host: parse, key, find and rewrite, in bursts of 32 with
 * prefetching, as the dataplane does it, half of the bursts out and half in, over flows in random
 * order.
 *
 *     bench_nat                    times everything, one line a figure
 *     bench_nat hot|million|open N translates N packets (opens N flows), prints nothing: for
 * counting instructions, deterministically, with valgrind --tool=callgrind
 * --toggle-collect=nat_burst bench_nat hot 32000
 *
 * Making the packets is neither timed nor, by --toggle-collect, counted.
 */
#include "net/nat.h"
#include "net/wire/csum.h"
#include "tests/fake/fake_alloc.h"
#include "tests/bench/cycles.h"

#include <stdio.h>
#include <stdlib.h>

#define BURST       32
#define BUFFERS     256
#define FRAME_BYTES 60
#define ROUNDS      7

void nat_burst(struct nat *nat, struct nat_job *jobs, unsigned n, enum flow_dir dir,
               uint32_t now_ms);
void nat_open_burst(struct nat *nat, struct nat_job *jobs, unsigned n, uint32_t now_ms);

static struct nat nat;
static struct pkt_pool pool;
static struct pkt *packets[BUFFERS];
static uint64_t seed = 88172645463325252ull;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 32) * below >> 32);
}

static void die(const char *what)
{
    fprintf(stderr, "bench_nat: %s\n", what);
    exit(1);
}

/* The path itself. A burst comes from one port, so it all goes one way. */
__attribute__((noinline)) void nat_burst(struct nat *n, struct nat_job *jobs, unsigned count,
                                         enum flow_dir dir, uint32_t now_ms)
{
    uint8_t zone = dir == FLOW_OUT ? 0 : NETWORK_UPLINK;
    for (unsigned i = 0; i < count; i++) {
        if (view_parse_ip4(&jobs[i].v, jobs[i].p) != DROP_NONE)
            die("parse");
        if (nat_key(n, &jobs[i], zone) != DROP_NONE)
            die("key");
    }
    for (unsigned i = 0; i < count; i++)
        nat_prefetch(n, &jobs[i]);
    for (unsigned i = 0; i < count; i++) {
        struct flow *f = nat_find(n, &jobs[i]);
        if (!f)
            die("find");
        nat_apply(n, f, &jobs[i], now_ms);
    }
}

__attribute__((noinline)) void nat_open_burst(struct nat *n, struct nat_job *jobs, unsigned count,
                                              uint32_t now_ms)
{
    for (unsigned i = 0; i < count; i++) {
        enum drop_reason why;
        if (view_parse_ip4(&jobs[i].v, jobs[i].p) != DROP_NONE ||
            nat_key(n, &jobs[i], 0) != DROP_NONE || nat_find(n, &jobs[i]))
            die("new packet");
        struct flow *f = nat_open_out(n, &jobs[i], now_ms, &why);
        if (!f)
            die("open");
        nat_apply(n, f, &jobs[i], now_ms);
    }
}

/* A 60-byte frame with an empty TCP segment. */
static void write_frame(struct pkt *p, const struct flow_tuple *k, uint8_t flags)
{
    uint8_t *ip = p->data + ETH_HDR_BYTES, *tcp = ip + IP4_HDR_BYTES;

    memset(p->data, 0, FRAME_BYTES);
    store_raw16(p->data + ETH_TYPE_OFF, ETH_TYPE_IP4);
    ip[IP4_VIHL_OFF] = 0x45;
    store_be16(ip + IP4_LEN_OFF, IP4_HDR_BYTES + TCP_HDR_BYTES);
    ip[IP4_TTL_OFF] = 64;
    ip[IP4_PROTO_OFF] = IP_PROTO_TCP;
    store_raw32(ip + IP4_SRC_OFF, k->src);
    store_raw32(ip + IP4_DST_OFF, k->dst);
    store_raw16(ip + IP4_CSUM_OFF, csum_of(ip, IP4_HDR_BYTES));
    store_raw16(tcp + TCP_SPORT_OFF, k->sport);
    store_raw16(tcp + TCP_DPORT_OFF, k->dport);
    tcp[TCP_DATAOFF_OFF] = 5 << 4;
    tcp[TCP_FLAGS_OFF] = flags;
    uint32_t sum = csum_pseudo(k->src, k->dst, IP_PROTO_TCP, TCP_HDR_BYTES);
    store_raw16(tcp + TCP_CSUM_OFF, (uint16_t)~csum_fold(csum_add(sum, tcp, TCP_HDR_BYTES)));
    p->len = p->total_bytes = FRAME_BYTES;
}

#define OUTSIDE BE_IP4(203, 0, 113, 9)

/* Flow number i: 60,000 inside endpoints, each with its own port, which is kept; and as many remote
 * ends as it takes. So a packet of any flow can be made without touching the flow, which would warm
 * it up. */
static struct flow_tuple tuple_number(uint32_t i, enum flow_dir dir)
{
    uint32_t endpoint = i % 60000;
    be32 in_ip = BE_IP4(10, 0, 0, 0) + hton32(endpoint % 1000 + 2);
    be32 rem_ip = BE_IP4(198, 0, 0, 0) + hton32(i / 60000 + 1);
    be16 in_port = hton16((uint16_t)(2000 + endpoint));

    if (dir == FLOW_OUT)
        return (struct flow_tuple){in_ip, rem_ip, in_port, BE16(443), IP_PROTO_TCP, 0, 0};
    return (struct flow_tuple){rem_ip,       OUTSIDE,        BE16(443), in_port,
                               IP_PROTO_TCP, NETWORK_UPLINK, 0};
}

static void make_nat(uint32_t capacity)
{
    /* A little more, so that nobody has all of his share. */
    struct nat_params params = {.flow_capacity = capacity + capacity / 64 + 64, .random = 42};
    for (unsigned i = 0; i < 4; i++)
        params.key.k[i] = (uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX) | 1;
    if (nat_init(&nat, &params, fake_alloc) != 0)
        die("no memory");
    nat_set_outside(&nat, OUTSIDE, 0);
    uint8_t *memory = fake_alloc((size_t)BUFFERS * PKT_BUF_BYTES, CACHE_LINE_BYTES);
    pkt_pool_init(&pool, memory, BUFFERS);
    for (unsigned i = 0; i < BUFFERS; i++)
        packets[i] = pkt_alloc(&pool);
}

static uint64_t open_flows(uint32_t count)
{
    uint64_t cycles = 0;
    for (uint32_t i = 0; i < count; i += BURST) {
        struct nat_job jobs[BURST];
        unsigned n = MIN((uint32_t)BURST, count - i);
        for (unsigned j = 0; j < n; j++) {
            struct flow_tuple k = tuple_number(i + j, FLOW_OUT);
            jobs[j].p = packets[(i + j) % BUFFERS];
            write_frame(jobs[j].p, &k, TCP_SYN);
        }
        uint64_t began = __rdtsc();
        nat_open_burst(&nat, jobs, n, 0);
        cycles += __rdtsc() - began;
    }
    return cycles;
}

static void establish(void)
{
    for (uint32_t i = 0; i < nat.flows.fresh; i++)
        flow_set_state(&nat.flows, &nat.flows.flows[i], FLOW_TCP_ESTABLISHED);
}

/* Cycles spent in translating count packets. */
static uint64_t translate(uint32_t flows, uint32_t count)
{
    uint64_t cycles = 0;
    for (uint32_t i = 0; i < count; i += BURST) {
        struct nat_job jobs[BURST];
        enum flow_dir dir = rnd(2) ? FLOW_OUT : FLOW_IN;
        for (unsigned j = 0; j < BURST; j++) {
            struct flow_tuple k = tuple_number(rnd(flows), dir);
            jobs[j].p = packets[(i + j) % BUFFERS];
            write_frame(jobs[j].p, &k, TCP_ACK);
        }
        uint64_t began = __rdtsc();
        nat_burst(&nat, jobs, BURST, dir, i);
        cycles += __rdtsc() - began;
    }
    return cycles;
}

/* The best of some rounds: whatever disturbs, adds. */
static double best_ns(uint32_t flows, double scale)
{
    const uint32_t count = 320000;
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t cycles = translate(flows, count);
        best = MIN(best, cycles);
    }
    return (double)best * scale / count;
}

static void time_everything(void)
{
    const uint32_t million = 1000000;
    double scale = ns_per_cycle();

    make_nat(1000);
    open_flows(1000);
    establish();
    printf("nat-path 1000-flows %.1f ns/packet\n", best_ns(1000, scale));
    fake_alloc_free_all();

    make_nat(million);
    uint64_t cycles = open_flows(million);
    establish();
    printf("nat-path 1000000-flows %.1f ns/packet\n", best_ns(million, scale));
    printf("nat-open 1000000-flows %.1f ns/flow\n", (double)cycles * scale / million);
    printf("nat-memory 1000000-flows %.1f bytes/flow\n", (double)nat_bytes(million) / million);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        time_everything();
        return 0;
    }
    uint32_t count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    if (count == 0)
        die("usage: bench_nat [hot|million|open PACKETS]");
    bool open = strcmp(argv[1], "open") == 0;
    uint32_t flows = open ? count : strcmp(argv[1], "million") == 0 ? 1000000 : 1000;
    make_nat(flows);
    open_flows(flows);
    if (!open) {
        establish();
        translate(flows, count);
    }
    return 0;
}
