/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a packet costs on the host from rx_batch to tx_batch, through dataplane_poll() in bursts of
 * 32: switched among 65,536 MACs, and translated, half of the packets out and half in, over flows
 * in random order.
 *
 *     bench_dataplane                       times everything, one line a figure
 *     bench_dataplane switch|nat|million N  moves N packets, prints nothing: for counting
 *         instructions, deterministically, with
 *         valgrind --tool=callgrind --toggle-collect=dataplane_poll bench_dataplane nat 320000
 *
 * Making the packets is neither timed nor, by --toggle-collect, counted; the fake NIC is: some
 * twenty instructions a packet's burst.
 */
#include "net/dataplane.h"
#include "net/wire/csum.h"
#include "tests/fake/fake_alloc.h"
#include "tests/bench/cycles.h"

#include <stdio.h>
#include <stdlib.h>

#define BUFFERS     256
#define FRAME_BYTES 60
#define ROUNDS      7
#define PORTS       5 /* 0 is the uplink */
#define STATIONS    65536u
#define HOSTS       250u
#define ENDPOINTS   60000u
#define ROUTER      BE_IP4(10, 0, 0, 1)
#define OUTSIDE     BE_IP4(203, 0, 113, 9)
#define GATEWAY     BE_IP4(203, 0, 113, 1)

/* A NIC that gives what it was loaded with and forgets what it sends: the packets stay ours. */
struct bench_nic {
    struct nic nic;
    struct pkt **loaded;
    unsigned count;
    uint64_t sent;
};

static struct bench_nic nics[PORTS];
static struct pkt_pool pool;
static struct pkt *packets[BUFFERS];
static struct dataplane *dp;
static struct config config;
static uint64_t now_us = 1000000;
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
    fprintf(stderr, "bench_dataplane: %s\n", what);
    exit(1);
}

static unsigned rx_batch(struct nic *nic, struct pkt **out, unsigned max)
{
    struct bench_nic *b = container_of(nic, struct bench_nic, nic);
    unsigned n = MIN(b->count, max);
    memcpy(out, b->loaded, n * sizeof(*out));
    b->count = 0;
    return n;
}

static unsigned tx_batch(struct nic *nic, struct pkt **pkts, unsigned n)
{
    (void)pkts;
    container_of(nic, struct bench_nic, nic)->sent += n;
    return n;
}

static void nothing(struct nic *nic)
{
    (void)nic;
}

static bool link_up(struct nic *nic)
{
    (void)nic;
    return true;
}

static bool arm(struct nic *nic)
{
    (void)nic;
    return false;
}

static const struct nic_ops nic_ops = {.rx_batch = rx_batch,
                                       .tx_batch = tx_batch,
                                       .tx_reclaim = nothing,
                                       .irq_arm = arm,
                                       .irq_disarm = nothing,
                                       .link_up = link_up,
                                       .stop = nothing};

static bool stack_input(void *self, uint8_t network, struct pkt *p)
{
    (void)self;
    (void)network;
    (void)p;
    die("a packet reached the stack");
    return false;
}

static void host_mac(uint8_t *mac, be32 ip)
{
    mac[0] = 0x02;
    mac[1] = 0x77;
    store_raw32(mac + 2, ip);
}

static void stack_resolve(void *self, uint8_t network, be32 ip)
{
    uint8_t mac[MAC_BYTES];
    (void)self;
    host_mac(mac, ip);
    dataplane_neighbor(dp, network, ip, mac);
}

static const struct self_ops self_ops = {.input = stack_input, .resolve = stack_resolve};

static void make_router(uint32_t flows)
{
    struct nic *list[PORTS];
    uint8_t random[64];

    for (unsigned i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)rnd(256);
    for (unsigned i = 0; i < PORTS; i++) {
        nics[i] = (struct bench_nic){.nic = {.ops = &nic_ops, .mtu = 1500, .pool = &pool}};
        nics[i].nic.mac[0] = 2;
        nics[i].nic.mac[5] = (uint8_t)i;
        list[i] = &nics[i].nic;
    }
    config = (struct config){.ok = true, .port_count = PORTS, .net_count = 1};
    config.nets[0] = (struct config_net){
        .name = "lan", .mode = NET_NAT, .prefix = 8, .ip = ROUTER, .ports = 0x1E};
    config.uplink =
        (struct config_uplink){.present = true, .prefix = 24, .ip = OUTSIDE, .gw = GATEWAY};
    pkt_pool_init(&pool, fake_alloc((size_t)BUFFERS * PKT_BUF_BYTES, CACHE_LINE_BYTES), BUFFERS);
    for (unsigned i = 0; i < BUFFERS; i++)
        packets[i] = pkt_alloc(&pool);
    struct dataplane_params params = {.config = &config,
                                      .nics = list,
                                      .pool = &pool,
                                      .flow_capacity = flows + flows / 64 + 64, /* no shares */
                                      .switch_capacity = STATIONS,
                                      .random = random,
                                      .self_ops = &self_ops,
                                      .now_us = now_us};
    dp = dataplane_create(&params, fake_alloc);
    if (!dp)
        die("no memory");
}

/* Sends the loaded bursts through, and returns the cycles it took. */
static uint64_t round_trip(unsigned count)
{
    uint64_t sent = 0;

    for (unsigned i = 0; i < PORTS; i++)
        sent -= nics[i].sent;
    uint64_t began = __rdtsc();
    dataplane_poll(dp, now_us);
    uint64_t cycles = __rdtsc() - began;
    for (unsigned i = 0; i < PORTS; i++)
        sent += nics[i].sent;
    if (sent != count)
        die("packets were lost");
    now_us += 20;
    return cycles;
}

static void load(unsigned port, struct pkt **burst)
{
    nics[port].loaded = burst;
    nics[port].count = BURST_MAX;
}

/* ---- switching ---- */

static unsigned station_port(uint32_t n)
{
    return 1 + n % (PORTS - 1);
}

static void station_mac(uint8_t *mac, uint32_t n)
{
    mac[0] = 0x02;
    mac[1] = 0x11;
    store_raw32(mac + 2, n * 2654435761u);
}

/* A frame from station from to station to. */
static void write_plain(struct pkt *p, uint32_t from, uint32_t to)
{
    station_mac(p->data, to);
    station_mac(p->data + 6, from);
    store_raw16(p->data + 12, ETH_TYPE_IP4);
    p->len = p->total_bytes = FRAME_BYTES;
}

static uint64_t switch_packets(uint32_t count)
{
    uint64_t cycles = 0;

    for (uint32_t i = 0; i < count; i += BURST_MAX) {
        unsigned port = 1 + rnd(PORTS - 1);
        struct pkt **burst = &packets[i % BUFFERS];
        for (unsigned j = 0; j < BURST_MAX; j++) {
            uint32_t from = rnd(STATIONS), to = rnd(STATIONS);
            from += port - station_port(from);
            to += station_port(to) == port ? 1 : 0;
            if (to == STATIONS || station_port(to) == port)
                to = port == 1 ? 1 : 0;
            write_plain(burst[j], from % STATIONS, to);
        }
        load(port, burst);
        cycles += round_trip(BURST_MAX);
    }
    return cycles;
}

/* Every station shows itself, with a frame to one that is known. */
static void show_stations(uint64_t every_us)
{
    for (uint32_t n = 0; n < STATIONS; n++) {
        write_plain(packets[0], n, station_port(n) == 1 ? 1 : 0);
        nics[station_port(n)].loaded = packets;
        nics[station_port(n)].count = 1;
        now_us += every_us;
        dataplane_poll(dp, now_us);
        while (packets[0]->refs > 1) /* the first frames were flooded */
            pkt_free(packets[0]);
    }
}

/* First no faster than a switch learns; then once more, at the beginning of a stamp's sixteen
 * seconds. */
static void learn_stations(void)
{
    show_stations(1000);
    now_us = ALIGN_UP(now_us / 1000000, 16u) * 1000000;
    show_stations(0);
}

/* ---- translating ---- */

/* A 60-byte frame with an empty TCP segment. */
static void write_tcp(struct pkt *p, unsigned port, be32 src, be32 dst, be16 sport, be16 dport,
                      uint8_t flags)
{
    uint8_t *ip = p->data + ETH_HDR_BYTES, *tcp = ip + IP4_HDR_BYTES;

    memset(p->data, 0, FRAME_BYTES);
    memcpy(p->data, nics[port].nic.mac, MAC_BYTES);
    host_mac(p->data + ETH_SRC_OFF, port == 0 ? GATEWAY : src);
    store_raw16(p->data + ETH_TYPE_OFF, ETH_TYPE_IP4);
    ip[IP4_VIHL_OFF] = 0x45;
    store_be16(ip + IP4_LEN_OFF, IP4_HDR_BYTES + TCP_HDR_BYTES);
    ip[IP4_TTL_OFF] = 64;
    ip[IP4_PROTO_OFF] = IP_PROTO_TCP;
    store_raw32(ip + IP4_SRC_OFF, src);
    store_raw32(ip + IP4_DST_OFF, dst);
    store_raw16(ip + IP4_CSUM_OFF, csum_of(ip, IP4_HDR_BYTES));
    store_raw16(tcp + TCP_SPORT_OFF, sport);
    store_raw16(tcp + TCP_DPORT_OFF, dport);
    store_be32(tcp + TCP_ACK_OFF, 1); /* the SYNs had number 0 */
    tcp[TCP_DATAOFF_OFF] = 5 << 4;
    tcp[TCP_FLAGS_OFF] = flags;
    uint32_t sum = csum_pseudo(src, dst, IP_PROTO_TCP, TCP_HDR_BYTES);
    store_raw16(tcp + TCP_CSUM_OFF, (uint16_t)~csum_fold(csum_add(sum, tcp, TCP_HDR_BYTES)));
    p->len = p->total_bytes = FRAME_BYTES;
}

/* Flow number i: inside endpoints, each with its own port, which is kept; and as many remote ends
 * as it takes. So a packet of any flow can be made without touching the flow. */
static void write_flow(struct pkt *p, uint32_t i, bool out, uint8_t flags)
{
    uint32_t endpoint = i % ENDPOINTS;
    be32 host = BE_IP4(10, 0, 0, 0) + hton32(endpoint % HOSTS + 2);
    be32 remote = BE_IP4(198, 0, 0, 0) + hton32(i / ENDPOINTS + 1);
    be16 port = hton16((uint16_t)(2000 + endpoint));

    if (out)
        write_tcp(p, 1, host, remote, port, BE16(443), flags);
    else
        write_tcp(p, 0, remote, OUTSIDE, BE16(443), port, flags);
}

static uint64_t nat_burst(bool out, uint32_t first, uint32_t flows, unsigned count, uint8_t flags)
{
    static unsigned turn;
    struct pkt **burst = &packets[turn++ * BURST_MAX % BUFFERS];

    for (unsigned j = 0; j < count; j++)
        write_flow(burst[j], flows ? rnd(flows) : first + j, out, flags);
    nics[out ? 1 : 0].loaded = burst;
    nics[out ? 1 : 0].count = count;
    return round_trip(count);
}

/* Opens flows with the handshake that establishes them. Returns the cycles of the first packets. */
static uint64_t open_flows(uint32_t count)
{
    uint64_t cycles = 0;

    for (uint32_t i = 0; i < count; i += BURST_MAX) {
        unsigned n = MIN((uint32_t)BURST_MAX, count - i);
        cycles += nat_burst(true, i, 0, n, TCP_SYN);
        nat_burst(false, i, 0, n, TCP_SYN | TCP_ACK);
        nat_burst(true, i, 0, n, TCP_ACK);
    }
    return cycles;
}

static uint64_t nat_packets(uint32_t flows, uint32_t count)
{
    uint64_t cycles = 0;

    for (uint32_t i = 0; i < count; i += BURST_MAX)
        cycles += nat_burst(rnd(2), 0, flows, BURST_MAX, TCP_ACK);
    return cycles;
}

/* ---- figures ---- */

/* The best of some rounds: whatever disturbs, adds. flows 0: switching. */
static double best_ns(uint32_t flows, double scale)
{
    const uint32_t count = 320000;
    uint64_t best = UINT64_MAX;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t cycles = flows ? nat_packets(flows, count) : switch_packets(count);
        best = MIN(best, cycles);
    }
    return (double)best * scale / count;
}

static void time_everything(void)
{
    const uint32_t million = 1000000;
    double scale = ns_per_cycle();

    make_router(1000);
    learn_stations();
    printf("switch-path %u-macs %.1f ns/packet\n", STATIONS, best_ns(0, scale));
    open_flows(1000);
    printf("dataplane-nat 1000-flows %.1f ns/packet\n", best_ns(1000, scale));
    fake_alloc_free_all();
    make_router(million);
    uint64_t cycles = open_flows(million);
    printf("dataplane-open 1000000-flows %.1f ns/flow\n", (double)cycles * scale / million);
    printf("dataplane-nat 1000000-flows %.1f ns/packet\n", best_ns(million, scale));
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        time_everything();
        return 0;
    }
    uint32_t count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    if (count == 0)
        die("usage: bench_dataplane [switch|nat|million|open PACKETS]");
    bool open = strcmp(argv[1], "open") == 0;
    uint32_t flows = open ? count : strcmp(argv[1], "million") == 0 ? 1000000 : 1000;
    make_router(flows);
    if (strcmp(argv[1], "switch") == 0) {
        learn_stations();
        switch_packets(count);
        return 0;
    }
    open_flows(flows);
    if (!open)
        nat_packets(flows, count);
    return 0;
}
