/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See router_rig.h.
 */
#include "tests/fake/router_rig.h"
#include "net/dataplane_internal.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"
#include "tests/fake/fake_alloc.h"

#include <stdio.h>

/* One rig at a time: fuzzing starts thousands, and fresh memory costs more than all the rest. */
static uint8_t buffers[RIG_BUFFERS * PKT_BUF_BYTES] __attribute__((aligned(CACHE_LINE_BYTES)));

/* ---- the stack ---- */

static bool stack_input(void *self, uint8_t network, struct pkt *p)
{
    struct rig *r = self;

    CHECK(!pkt_shared(p) && !p->gso_size && !(p->flags & PKT_NEEDS_CSUM));
    if (r->stack_busy || r->delivered_count == RIG_DELIVERED) {
        pkt_free(p);
        return false;
    }
    r->delivered[r->delivered_count] = p;
    r->delivered_network[r->delivered_count++] = network;
    return true;
}

static void stack_resolve(void *self, uint8_t network, be32 ip)
{
    struct rig *r = self;

    r->questions++;
    r->asked_ip = ip;
    r->asked_network = network;
    if (!r->no_answers && ip != r->silent_ip)
        dataplane_neighbor(r->dp, network, ip, rig_mac(ip));
}

static void stack_link(void *self, uint8_t network, bool up)
{
    struct rig *r = self;

    r->link_calls++;
    r->link_network = network;
    r->link_up = up;
}

static void stack_conflict(void *self, uint8_t network, const uint8_t *mac)
{
    struct rig *r = self;

    r->conflicts++;
    r->conflict_network = network;
    memcpy(r->conflict_mac, mac, MAC_BYTES);
}

static const struct self_ops ops = {
    .input = stack_input, .resolve = stack_resolve, .link = stack_link, .conflict = stack_conflict};

/* ---- start and stop ---- */

void rig_configure(struct config *c, unsigned flags)
{
    memset(c, 0, sizeof(*c));
    c->ok = true;
    c->port_count = RIG_PORTS;
    c->net_count = 2;
    c->nets[RIG_LAN] = (struct config_net){
        .name = "lan", .mode = NET_NAT, .prefix = 24, .ports = 0x0E, .ip = RIG_ROUTER};
    c->nets[RIG_LAB] =
        (struct config_net){.name = "lab",
                            .mode = flags & RIG_LAB_HOSTONLY ? NET_HOSTONLY : NET_NAT,
                            .prefix = 24,
                            .ports = 0x30,
                            .ip = flags & RIG_LAB_MUTE ? 0 : RIG_LAB_ROUTER};
    c->uplink.present = !(flags & RIG_NO_UPLINK);
    c->uplink.dhcp = flags & RIG_DHCP;
    c->uplink.mtu = flags & RIG_SMALL_MTU ? 1400 : 0;
    if (!(flags & RIG_DHCP)) {
        c->uplink.ip = RIG_OUTSIDE;
        c->uplink.prefix = 24;
        c->uplink.gw = RIG_GATEWAY;
    }
    if (flags & RIG_FORWARDS) {
        c->fwd_count = 2;
        c->fwds[0] = (struct config_fwd){.protocols = CONFIG_TCP,
                                         .net = RIG_LAN,
                                         .targets = {RIG_HOST(10)},
                                         .first_port = 8080,
                                         .last_port = 8080,
                                         .target_count = 1,
                                         .target_port = 80};
        c->fwds[1] = (struct config_fwd){.protocols = CONFIG_UDP,
                                         .net = RIG_LAB,
                                         .targets = {RIG_LAB_HOST(20)},
                                         .first_port = 5000,
                                         .last_port = 5000,
                                         .target_count = 1,
                                         .target_port = 5001};
    }
}

void rig_start(struct rig *r, unsigned flags)
{
    rig_start_with(r, flags, 0);
}

static void start(struct rig *r, uint32_t offloads, const uint16_t *mtu, const uint16_t *mtu_max,
                  uint32_t flows)
{
    static const uint8_t random[65] =
        "sixty-four bytes that are not random at all, and known to us all";
    struct nic *nics[CONFIG_MAX_PORTS];

    r->now_us = 4294967000ull * 1000; /* the millisecond clock wraps soon */
    pkt_pool_init(&r->pool, buffers, RIG_BUFFERS);
    for (unsigned i = 0; i < r->config.port_count; i++) {
        fake_nic_init(&r->nics[i], &r->pool, (uint8_t)(0xE0 + i));
        r->nics[i].nic.offloads = offloads;
        if (mtu)
            r->nics[i].nic.mtu = mtu[i];
        if (mtu_max)
            r->nics[i].nic.mtu_max = mtu_max[i];
        nics[i] = &r->nics[i].nic;
    }
    struct dataplane_params params = {.config = &r->config,
                                      .nics = nics,
                                      .pool = &r->pool,
                                      .flow_capacity = flows,
                                      .alloc_dirty = fake_alloc_dirty,
                                      .switch_capacity = 1024,
                                      .random = random,
                                      .self_ops = &ops,
                                      .self = r,
                                      .now_us = r->now_us};
    r->dp = dataplane_create(&params, fake_alloc);
    CHECK(r->dp);
}

void rig_start_with(struct rig *r, unsigned flags, uint32_t offloads)
{
    memset(r, 0, sizeof(*r));
    rig_configure(&r->config, flags);
    start(r, offloads, NULL, NULL, flags & RIG_TINY ? 4 : 1024);
}

void rig_start_config_mtu(struct rig *r, const struct config *config, uint32_t offloads,
                          const uint16_t *mtu, const uint16_t *mtu_max)
{
    memset(r, 0, sizeof(*r));
    r->config = *config;
    start(r, offloads, mtu, mtu_max, 1024);
}

void rig_start_config(struct rig *r, const struct config *config, uint32_t offloads)
{
    rig_start_config_mtu(r, config, offloads, NULL, NULL);
}

void rig_stop(struct rig *r)
{
    /* What neighbors hold is given up after their last try. */
    for (unsigned i = 0; i < 8; i++) {
        r->now_us += 1000000;
        rig_step(r);
    }
    rig_flush(r);
    struct dataplane_totals t;
    dataplane_totals(r->dp, &t);
    CHECK(t.held == 0);
    CHECK(r->pool.free_count == r->pool.count);
    fake_alloc_free_all();
}

/* ---- frames ---- */

const uint8_t *rig_mac(be32 ip)
{
    static uint8_t macs[4][MAC_BYTES];
    static unsigned turn;
    uint8_t *mac = macs[turn++ % 4];

    mac[0] = 0x02;
    mac[1] = 0x01;
    store_raw32(mac + 2, ip);
    return mac;
}

const uint8_t *rig_router_mac(const struct rig *r, unsigned network)
{
    const struct config *c = &r->config;
    unsigned port = network == NETWORK_UPLINK ? c->uplink.port
                                              : (unsigned)__builtin_ctz(c->nets[network].ports);

    return r->nics[port].nic.mac;
}

/* The network of untagged frames of a port; the uplink, if it is in none. */
static unsigned network_of(const struct rig *r, unsigned port)
{
    const struct config *c = &r->config;

    for (unsigned i = 0; i < c->net_count; i++)
        if (c->nets[i].ports >> port & 1 && c->nets[i].tag[port] == 0)
            return config_mode(&c->nets[i])->joins_uplink ? NETWORK_UPLINK : i;
    return NETWORK_UPLINK;
}

void rig_make(struct rig *r, unsigned port, const struct rig_packet *k)
{
    const uint8_t mss[4] = {2, 4, (uint8_t)(k->mss >> 8), (uint8_t)k->mss};
    struct frame_plan plan = {.proto = k->proto ? k->proto : IP_PROTO_UDP,
                              .payload_bytes = k->payload_bytes,
                              .tcp_flags = k->tcp_flags,
                              .tcp_options = mss,
                              .tcp_option_bytes = k->mss ? sizeof(mss) : 0};
    struct frame *f = &r->in;

    frame_make(f, &plan);
    if (k->broadcast)
        memset(f->b, 0xFF, MAC_BYTES);
    else
        memcpy(f->b, rig_router_mac(r, network_of(r, port)), MAC_BYTES);
    /* What comes from outside comes by the gateway. */
    memcpy(f->b + 6, rig_mac(network_of(r, port) == NETWORK_UPLINK ? RIG_GATEWAY : k->src),
           MAC_BYTES);
    uint8_t *ip = f->b + f->l3, *l4 = f->b + f->l4;
    store_be16(ip + 6, k->frag ? k->frag : k->may_fragment ? 0 : 0x4000);
    ip[8] = k->ttl ? k->ttl : 64;
    store_raw32(ip + 12, k->src);
    store_raw32(ip + 16, k->dst);
    if (plan.proto == IP_PROTO_ICMP) {
        l4[0] = k->icmp_type == 255 ? 0 : k->icmp_type ? k->icmp_type : 8;
        store_be16(l4 + 4, k->sport);
    } else if (plan.proto == IP_PROTO_TCP || plan.proto == IP_PROTO_UDP) {
        store_be16(l4, k->sport);
        store_be16(l4 + 2, k->dport);
    }
    if (plan.proto == IP_PROTO_TCP || plan.proto == IP_PROTO_UDP || plan.proto == IP_PROTO_ICMP)
        frame_fix_l4_csum(f);
    frame_fix_ip_csum(f);
}

void rig_input_raw(struct rig *r, unsigned port)
{
    CHECK(fake_nic_receive(&r->nics[port], r->in.b, r->in.n));
}

void rig_input(struct rig *r, unsigned port, const struct rig_packet *k)
{
    rig_make(r, port, k);
    rig_input_raw(r, port);
}

bool rig_output(struct rig *r, unsigned port)
{
    struct pkt *p = fake_nic_sent(&r->nics[port]);

    if (!p)
        return false;
    r->out.n = p->total_bytes;
    CHECK(pkt_copy_out(p, 0, r->out.b, p->total_bytes));
    r->out.l3 = 14;
    r->out.l4 = 14 + (r->out.b[14] & 15u) * 4u;
    pkt_free(p);
    return true;
}

unsigned rig_flush(struct rig *r)
{
    unsigned sent = 0;

    for (unsigned i = 0; i < r->config.port_count; i++) {
        sent += fake_nic_sent_count(&r->nics[i]);
        fake_nic_clear(&r->nics[i]);
    }
    while (r->delivered_count > 0)
        pkt_free(r->delivered[--r->delivered_count]);
    return sent;
}

/* ---- steps ---- */

/* True if a port belongs to the uplink or a network. */
static bool in_use(const struct config *c, unsigned port)
{
    return (c->uplink.present && c->uplink.port == port) ||
           config_net_of_port(c, port) != CONFIG_NO_NET;
}

/* The dataplane keeps when its timers want to run; it may not be later than they say. */
static void check_deadline(const struct rig *r)
{
    const struct dataplane *dp = r->dp;
    uint32_t now_ms = (uint32_t)(r->now_us / 1000), look_ms = 100;
    uint32_t flows_ms = flow_next_deadline_ms(&dp->nat.flows, now_ms);
    uint32_t next_ms =
        MIN(neighbor_next_ms(&dp->neighbors, now_ms), fragment_next_ms(&dp->datagrams, now_ms));

    if (flows_ms != UINT32_MAX)
        next_ms = MIN(next_ms, MAX(flows_ms, look_ms));
    if (next_ms != UINT32_MAX)
        CHECK(dataplane_next_us(dp, r->now_us) <= r->now_us + next_ms * 1000ull + 1000);
}

unsigned rig_step(struct rig *r)
{
    struct dataplane_totals t;
    unsigned work = dataplane_poll(r->dp, r->now_us);

    check_deadline(r);
    dataplane_totals(r->dp, &t);
    CHECK(dataplane_sum_holds(&t));
    for (unsigned i = 0; i < r->config.port_count; i++)
        CHECK(in_use(&r->config, i) || fake_nic_sent_count(&r->nics[i]) == 0);
    return work;
}

void rig_appear(struct rig *r, unsigned port, be32 ip)
{
    memset(r->in.b, 0, 60);
    memset(r->in.b, 0xFF, MAC_BYTES);
    memcpy(r->in.b + 6, rig_mac(ip), MAC_BYTES);
    store_be16(r->in.b + 12, 0x1234);
    r->in.n = 60;
    rig_input_raw(r, port);
    rig_step(r);
    rig_flush(r);
}

void rig_pass(struct rig *r, uint32_t ms, uint32_t ms_step)
{
    for (uint32_t at = 0; at < ms; at += ms_step) {
        r->now_us += 1000ull * MIN(ms_step, ms - at);
        rig_step(r);
    }
}

uint64_t rig_dropped(const struct rig *r, enum drop_reason reason)
{
    struct dataplane_totals t;

    dataplane_totals(r->dp, &t);
    return t.dropped[reason];
}

uint64_t rig_dropped_in_all(const struct rig *r)
{
    struct dataplane_totals t;
    uint64_t sum = 0;

    dataplane_totals(r->dp, &t);
    for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
        sum += t.dropped[i];
    return sum;
}

be32 rig_out_src(const struct rig *r)
{
    return load_raw32(r->out.b + 14 + 12);
}

be32 rig_out_dst(const struct rig *r)
{
    return load_raw32(r->out.b + 14 + 16);
}

uint16_t rig_out_sport(const struct rig *r)
{
    return load_be16(r->out.b + r->out.l4);
}

uint16_t rig_out_dport(const struct rig *r)
{
    return load_be16(r->out.b + r->out.l4 + 2);
}
