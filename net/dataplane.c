/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One round of the dataplane (docs/architecture.md), and what the router's own host asks of it.
 * What it is made of is in dataplane_create.c, the stages in the files that dataplane_internal.h
 * lists.
 *
 * Theory of operation. A round takes a burst from each port, runs it to completion (frames are
 * switched, IPv4 for the router is routed and translated, the router's own is handed to its stack),
 * and at its end sends what was staged, one tx_batch a port. Time is read once a round. Links are
 * looked at when a sleep ended, because their interrupt ends it, and now and then while busy; a
 * look can be costly in a virtual machine.
 *
 * Timers. Whatever waits for a time (neighbors, fragments, flows, log lines) is asked for it only
 * after something may have changed the answer, and the earliest is kept (alarm_us): most rounds
 * compare it with the clock and are done. Only the general path and calls by the router's own host
 * start anything that waits; the fast paths can only put the end of a flow off. dp_stir() says that
 * such a thing may have happened, and the end of the round, or the next one, finds out.
 */
#include "net/dataplane_internal.h"

#define FLOWS_LOOK_MS   100 /* between looks at the flow table's wheel */
#define EXPIRY_BUDGET   256 /* flows a round */
#define NEIGHBOR_BUDGET 64  /* questions a round */

/* ---- a round ---- */

void dp_general_input(struct dataplane *dp, unsigned port, unsigned network, struct pkt **pkts,
                      unsigned n)
{
    dp_stir(dp);
    dp_l2_input(dp, port, network, pkts, n);
    if (dp->jobs_end != dp->jobs)
        dp_route_burst(dp, port, network);
}

static unsigned poll_port(struct dataplane *dp, unsigned i)
{
    struct nic *nic = dp->ports[i].nic;
    struct pkt *pkts[BURST_MAX];

    nic->ops->tx_reclaim(nic);
    unsigned n = nic->ops->rx_batch(nic, pkts, BURST_MAX);
    if (n == 0)
        return 0;
    dp->totals.received += n;
    if (UNLIKELY(dp->ports[i].merges))
        n = dp_merge(dp, i, pkts, n);
    if (UNLIKELY(dp->ports[i].guarded))
        dp_port_input(dp, i, pkts, n);
    else
        dp_input(dp, i, dp->ports[i].network, pkts, n);
    return n;
}

/* When the first of the timers has something to do, as things are now. */
static uint64_t first_timer_us(const struct dataplane *dp)
{
    uint32_t next_ms = MIN(neighbor_next_ms(&dp->neighbors, dp->now_ms),
                           fragment_next_ms(&dp->datagrams, dp->now_ms));
    uint32_t flows_ms = nat_next_ms(&dp->nat, dp->now_ms);

    if (dp->flows_more)
        return dp->now_us;
    if (flows_ms != UINT32_MAX) {
        /* No sooner than run_timers() would look. */
        uint32_t since_ms = dp->now_ms - dp->flows_look_ms;
        uint32_t wait_ms = since_ms < FLOWS_LOOK_MS ? FLOWS_LOOK_MS - since_ms : 0;
        next_ms = MIN(next_ms, MAX(flows_ms, wait_ms));
    }
    uint64_t next_us = MIN(dp_rules_next_us(dp), dp_reset_next_us(dp));
    return next_ms == UINT32_MAX ? next_us : MIN(next_us, dp->now_us + (uint64_t)next_ms * 1000);
}

static unsigned run_timers(struct dataplane *dp)
{
    unsigned steps = neighbor_tick(&dp->neighbors, dp->now_ms, NEIGHBOR_BUDGET);

    steps += fragment_tick(&dp->datagrams, dp->now_ms);
    steps += dp_reset_step(dp);
    dp_rules_tick(dp);
    dp_share_tick(dp);
    if (dp->flows_more || dp->now_ms - dp->flows_look_ms >= FLOWS_LOOK_MS) {
        unsigned looked_at = nat_tick(&dp->nat, dp->now_ms, EXPIRY_BUDGET);
        dp->flows_more = looked_at >= EXPIRY_BUDGET;
        dp->flows_look_ms = dp->now_ms;
        steps += looked_at;
    }
    dp->alarm_us = first_timer_us(dp);
    return steps;
}

unsigned dataplane_poll(struct dataplane *dp, uint64_t now_us)
{
    unsigned work = 0;

    dp->now_us = now_us;
    dp->now_ms = (uint32_t)(now_us / 1000);
    dp->now_s = (uint32_t)(now_us / 1000000);
    if (UNLIKELY(dp->now_s != dp->table.now_s))
        switch_tick(&dp->table, dp->now_s);
    for (unsigned i = 0; i < dp->port_count; i++)
        work += poll_port(dp, i);
    if (UNLIKELY(fragment_is_ready(&dp->datagrams)))
        dp_fragments_again(dp);
    if (dp->link_look || now_us >= dp->link_look_us)
        work += dp_look_at_links(dp);
    if (now_us >= dp->alarm_us)
        work += run_timers(dp);
    dataplane_flush(dp);
    return work;
}

uint64_t dataplane_next_us(const struct dataplane *dp, uint64_t now_us)
{
    return MAX(dp->alarm_us, now_us);
}

bool dataplane_arm(struct dataplane *dp)
{
    bool work = false;

    for (unsigned i = 0; i < dp->port_count; i++) {
        struct nic *nic = dp->ports[i].nic;
        if (!nic->dead && nic->ops->irq_arm(nic))
            work = true;
    }
    return work;
}

void dataplane_disarm(struct dataplane *dp)
{
    for (unsigned i = 0; i < dp->port_count; i++)
        dp->ports[i].nic->ops->irq_disarm(dp->ports[i].nic);
    dp->link_look = true;
}

/* ---- for net/host ---- */

bool dataplane_neighbor(struct dataplane *dp, uint8_t network, be32 ip, const uint8_t *mac)
{
    CHECK(network < NETWORK_COUNT);
    dp_stir(dp);
    return neighbor_learned(&dp->neighbors, network, ip, mac, dp->networks[network].mac,
                            dp->now_ms);
}

bool dataplane_claim(struct dataplane *dp, uint8_t network, be32 ip, const uint8_t *mac)
{
    CHECK(network < NETWORK_COUNT);
    dp_stir(dp);
    return neighbor_claimed(&dp->neighbors, network, ip, mac, dp->networks[network].mac,
                            dp->now_ms);
}

void dataplane_assume(struct dataplane *dp, uint8_t network, be32 ip, const uint8_t *mac)
{
    CHECK(network < NETWORK_COUNT);
    dp_stir(dp);
    neighbor_assume(&dp->neighbors, network, ip, mac, dp->networks[network].mac, dp->now_ms);
}

/* Says which network the uplink's subnet overlaps, if one: then neither side can be told from the
 * other, and forwarding would misroute (RFC 4787, REQ-7). */
static bool uplink_collides(const struct dataplane *dp, be32 ip, be32 mask)
{
    for (unsigned i = 0; i < dp->config->net_count; i++) {
        const struct config_net *net = &dp->config->nets[i];
        be32 common = mask & prefix_mask(net->prefix);
        if (!ip || !net->ip || ((ip ^ net->ip) & common))
            continue;
        log_error("the uplink's subnet overlaps network %s: nothing is forwarded to the uplink",
                  net->name);
        log_error("give the network another one: net=%s,%s,ip=A/LEN", net->name,
                  config_mode(net)->name);
        return true;
    }
    return false;
}

void dataplane_set_uplink(struct dataplane *dp, be32 ip, be32 mask, be32 gateway)
{
    struct dp_network *up = &dp->networks[NETWORK_UPLINK];

    if (!ip) {
        mask = IP4_BROADCAST;
        gateway = 0;
    }
    if (up->ip == ip && up->mask == mask && up->gateway == gateway)
        return;
    bool moved = up->ip != ip || up->mask != mask;
    be32 before = up->ip;
    up->ip = ip;
    up->mask = mask;
    up->gateway = gateway;
    dp_stir(dp);
    if (!moved)
        return; /* neighbors are what they were */
    dp->uplink_collides = uplink_collides(dp, ip, mask);
    /* Plain flows survive a new address at the uplink, but not that nothing may go there. */
    if (dp->uplink_collides)
        nat_close_uplink(&dp->nat, dp->now_ms);
    else
        nat_set_outside(&dp->nat, ip, dp->now_ms);
    dp_reset_begin(dp, before);
    neighbor_forget_network(&dp->neighbors, NETWORK_UPLINK);
}

const uint8_t *dataplane_mac(const struct dataplane *dp, uint8_t network)
{
    CHECK(network < NETWORK_COUNT);
    return dp->networks[network].mac;
}

uint16_t dataplane_mtu(const struct dataplane *dp, uint8_t network)
{
    CHECK(network < NETWORK_COUNT);
    return dp->networks[network].mtu;
}

static void mark_self_port(struct dataplane *dp, uint8_t proto, be16 port, bool own)
{
    uint64_t *word = &dp->self_ports[proto == IP_PROTO_UDP][port / 64];
    uint64_t bit = 1ull << (port % 64);

    CHECK(proto == IP_PROTO_TCP || proto == IP_PROTO_UDP);
    *word = own ? *word | bit : *word & ~bit;
}

be16 dataplane_reserve_port(struct dataplane *dp, uint8_t proto)
{
    be16 port = nat_reserve(&dp->nat, proto);
    if (port)
        mark_self_port(dp, proto, port, true);
    return port;
}

bool dataplane_reserve_this_port(struct dataplane *dp, uint8_t proto, be16 port)
{
    bool ours = nat_reserve_port(&dp->nat, proto, port);
    if (ours)
        mark_self_port(dp, proto, port, true);
    return ours;
}

void dataplane_release_port(struct dataplane *dp, uint8_t proto, be16 port)
{
    mark_self_port(dp, proto, port, false);
    nat_release(&dp->nat, proto, port);
}

be16 dataplane_hold_port(struct dataplane *dp, uint8_t network, uint8_t proto, be32 ip, be16 port,
                         be16 wanted, bool exact)
{
    const struct flow_tuple inside = {.src = ip, .sport = port, .proto = proto, .zone = network};
    dp_stir(dp);
    return nat_hold(&dp->nat, &inside, wanted, exact);
}

void dataplane_let_go_port(struct dataplane *dp, uint8_t network, uint8_t proto, be32 ip, be16 port)
{
    const struct flow_tuple inside = {.src = ip, .sport = port, .proto = proto, .zone = network};
    dp_stir(dp);
    nat_let_go(&dp->nat, &inside, dp->now_ms);
}
