/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dataplane's composition: what it is made of, and one round of it (ARCHITECTURE: "A packet's
 * journey"). The stages are in the files that dataplane_internal.h lists.
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
#include "net/rules.h"

#define FLOWS_LOOK_MS   100 /* between looks at the flow table's wheel */
#define EXPIRY_BUDGET   256 /* flows a round */
#define NEIGHBOR_BUDGET 64  /* questions a round */
#define RANDOM_BYTES    64

/* ---- creation ---- */

static uint16_t network_mtu(const struct dataplane *dp, uint32_t ports, uint16_t configured)
{
    uint16_t mtu = configured ? configured : UINT16_MAX;

    for (unsigned i = 0; i < dp->port_count; i++)
        if (ports >> i & 1)
            mtu = (uint16_t)MIN(mtu, dp->ports[i].max_frame_bytes - ETH_HDR_BYTES);
    return mtu;
}

/* Puts a network on a port, with this VLAN ID on its frames if it is not 0. */
static int attach(struct dataplane *dp, unsigned network, unsigned i, uint16_t vlan, alloc_fn alloc)
{
    struct dp_network *net = &dp->networks[network];
    struct dp_port *port = &dp->ports[i];

    net->ports |= 1u << i;
    port->networks |= 1u << network;
    if (dp->config->ports[i].promisc)
        net->mirrors |= 1u << i;
    if (vlan == 0) {
        port->network = (uint8_t)network;
        return 0;
    }
    if (!port->vlans) {
        port->vlans = alloc(VLAN_IDS, CACHE_LINE_BYTES);
        if (!port->vlans)
            return -ENOMEM;
        memset(port->vlans, CONFIG_NO_NET, VLAN_IDS);
        port->guarded = true;
    }
    port->vlans[vlan % VLAN_IDS] = (uint8_t)network;
    net->tagged |= 1u << i;
    net->tag[i] = hton16(vlan);
    return 0;
}

/* The router's MAC on a network is that of its first port, unless it is given. mtu: 0 = the ports'
 * own; hub: a port that isolated ones may reach, and that may reach them. */
static int network_finish(struct dataplane *dp, unsigned network, uint16_t mtu, uint32_t hub,
                          const uint8_t *mac)
{
    struct dp_network *net = &dp->networks[network];

    net->mtu = network_mtu(dp, net->ports, mtu);
    net->max_frame_bytes = (uint32_t)network_mtu(dp, net->ports, 0) + ETH_HDR_BYTES;
    for (unsigned i = 0; i < dp->port_count; i++) {
        uint32_t others = net->ports & ~(1u << i);
        net->others[i] = net->isolated && !(hub >> i & 1) ? others & hub : others;
    }
    if (!net->ports || !mac)
        return 0;
    memcpy(net->mac, mac, MAC_BYTES);
    net->mac_word = load_mac(net->mac);
    return switch_add_self(&dp->table, net->mac, (uint8_t)network);
}

/* A network of its own; what joins the uplink is a part of that. */
static int network_init(struct dataplane *dp, unsigned i, alloc_fn alloc)
{
    const struct config_net *from = &dp->config->nets[i];
    const struct net_mode_info *mode = config_mode(from);
    unsigned network = mode->joins_uplink ? NETWORK_UPLINK : i;
    struct dp_network *net = &dp->networks[network];
    uint32_t ports = from->ports;
    int error = 0;

    if (mode->joins_uplink)
        ports &= ~(1u << dp->config->uplink.port);
    for (unsigned p = 0; p < dp->port_count && !error; p++)
        if (ports >> p & 1)
            error = attach(dp, network, p, from->tag[p], alloc);
    net->switched = true;
    net->transparent = mode->transparent;
    net->isolated = from->isolate;
    net->filtered = rules_inside(dp->config, network);
    if (error || mode->joins_uplink)
        return error;

    net->ip = from->ip;
    net->pinned = from->ip != 0;
    net->mask = prefix_mask(from->prefix);
    net->first_host = ntoh32(net->ip & net->mask) + 1;
    net->host_count = ~ntoh32(net->mask) - 1; /* prefixes are 1..30 */
    net->to_uplink = !rules_forbidden(dp->config, i, NETWORK_UPLINK);
    net->translates = mode->translates;
    const uint8_t *mac = from->ip && ports ? dp->ports[__builtin_ctz(ports)].nic->mac : NULL;
    return network_finish(dp, i, from->mtu, 0, mac);
}

static int uplink_init(struct dataplane *dp, alloc_fn alloc)
{
    const struct config_uplink *from = &dp->config->uplink;

    dp->uplink_port = SWITCH_PORT_NONE;
    dp->networks[NETWORK_UPLINK].mask = IP4_BROADCAST;
    if (!from->present)
        return 0;
    dp->uplink_port = from->port;
    int error = attach(dp, NETWORK_UPLINK, from->port, from->vlan, alloc);
    if (error)
        return error;
    const uint8_t *mac = from->mac_given ? from->mac : dp->ports[from->port].nic->mac;
    return network_finish(dp, NETWORK_UPLINK, from->mtu, 1u << from->port,
                          from->silent ? NULL : mac);
}

static int networks_init(struct dataplane *dp, alloc_fn alloc)
{
    int error = 0;

    for (unsigned i = 0; i < NETWORK_COUNT; i++)
        dp->networks[i].mac_word = MAC_WORD_NONE;
    for (unsigned i = 0; i < dp->config->net_count && !error; i++)
        error = network_init(dp, i, alloc);
    if (!error)
        error = uplink_init(dp, alloc);
    /* Ports that need nothing but to be given frames say so, and networks of nothing but such. */
    for (unsigned i = 0; i < dp->port_count; i++) {
        struct dp_port *port = &dp->ports[i];
        bool watched = false;
        for (unsigned n = 0; n < NETWORK_COUNT; n++)
            watched |= (port->networks >> n & 1) && dp->networks[n].mirrors;
        if (!watched && !port->vlans && !port->rate_out.per_s)
            port->plain_max_bytes = port->max_frame_bytes;
    }
    for (unsigned n = 0; n < NETWORK_COUNT; n++) {
        struct dp_network *net = &dp->networks[n];
        net->all_plain = true;
        net->general = net->mirrors != 0;
        for (unsigned i = 0; i < dp->port_count; i++)
            net->all_plain &= !(net->ports >> i & 1) || dp->ports[i].plain_max_bytes;
    }
    return error;
}

/* The largest packet on any of a port's networks, where the configuration says one; else 0. */
static uint16_t configured_mtu(const struct config *config, unsigned port)
{
    uint16_t uplink = config->uplink.present ? config->uplink.mtu : 0, mtu = 0;

    if (uplink && config->uplink.port == port)
        mtu = uplink;
    for (unsigned i = 0; i < config->net_count; i++) {
        const struct config_net *net = &config->nets[i];
        if (net->ports >> port & 1)
            mtu = MAX(mtu, config_mode(net)->joins_uplink ? uplink : net->mtu);
    }
    return mtu;
}

static void ports_init(struct dataplane *dp, struct nic *const *nics)
{
    for (unsigned i = 0; i < dp->port_count; i++) {
        struct dp_port *port = &dp->ports[i];
        port->nic = nics[i];
        port->network = CONFIG_NO_NET;
        port->offloads = nics[i]->offloads;
        uint32_t mtu = MAX(nics[i]->mtu, MIN(configured_mtu(dp->config, i), nics[i]->mtu_max));
        port->max_frame_bytes = mtu + ETH_HDR_BYTES;
        port->up = !nics[i]->dead && nics[i]->ops->link_up(nics[i]);
        if (port->up)
            dp->ports_up |= 1u << i;
        dp_admit_init(dp, i);
    }
    dp_merge_init(dp);
}

static_assert(NAT_MAX_FORWARDS > 2 * CONFIG_MAX_FWDS, "each in two protocols, and dmz=");
static_assert(NAT_MAX_TARGETS == CONFIG_MAX_TARGETS, "as many hosts as the configuration names");

static struct nat_forward nat_forward_of(const struct config_fwd *fwd, uint8_t proto)
{
    struct nat_forward forward = {.proto = proto,
                                  .zone = fwd->net,
                                  .target_count = fwd->target_count,
                                  .first_port = fwd->first_port,
                                  .last_port = fwd->last_port,
                                  .target_port = fwd->target_port,
                                  .bind_ip = fwd->bind,
                                  .from_ip = fwd->from,
                                  .from_mask = prefix_mask(fwd->from_prefix)};
    memcpy(forward.targets, fwd->targets, sizeof(forward.targets));
    return forward;
}

static int forwards_init(struct dataplane *dp, alloc_fn alloc)
{
    const struct config *cfg = dp->config;
    unsigned count = 0;

    if (cfg->fwd_count == 0 && !cfg->dmz)
        return 0;
    size_t bytes = (2u * cfg->fwd_count + 1) * sizeof(struct nat_forward);
    struct nat_forward *forwards = alloc(bytes, CACHE_LINE_BYTES);
    if (!forwards)
        return -ENOMEM;
    for (unsigned i = 0; i < cfg->fwd_count; i++) {
        const struct config_fwd *fwd = &cfg->fwds[i];
        if (fwd->protocols & CONFIG_TCP)
            forwards[count++] = nat_forward_of(fwd, IP_PROTO_TCP);
        if (fwd->protocols & CONFIG_UDP)
            forwards[count++] = nat_forward_of(fwd, IP_PROTO_UDP);
    }
    if (cfg->dmz)
        forwards[count++] =
            (struct nat_forward){.zone = cfg->dmz_net, .target_count = 1, .targets = {cfg->dmz}};
    nat_set_forwards(&dp->nat, forwards, count);
    return 0;
}

static int services_init(struct dataplane *dp, const struct dataplane_params *params,
                         alloc_fn alloc)
{
    struct nat_params nat = {.flow_capacity = params->flow_capacity,
                             .alloc_dirty = params->alloc_dirty,
                             .now_ms = dp->now_ms};
    struct hash_key key;

    for (unsigned i = 0; i < dp->config->net_count; i++)
        nat.filtered_zones |= (uint32_t)config_net_filters(&dp->config->nets[i]) << i;
    hash_key_init(&nat.key, params->random);
    hash_key_init(&key, params->random + sizeof(key.k));
    /* Seeds of generators that choose ports and cost: derived, so that none shows the keys. */
    nat.random = hash_mix(key.k[0] ^ nat.key.k[2], nat.key.k[1]);
    dp_icmp_init(&dp->limiter, &key, hash_mix(nat.key.k[0] ^ key.k[2], key.k[1]));

    int error = switch_init(&dp->table, params->switch_capacity, &key, dp->now_s, alloc);
    if (!error)
        error = neighbor_init(&dp->neighbors, &dp_neighbor_ops, dp, &key, alloc);
    if (!error)
        error = nat_init(&dp->nat, &nat, alloc);
    if (!error)
        dp_share_init(dp);
    nat_set_answers(&dp->nat, dp_target_answers, dp);
    if (!error)
        error = dp_fragment_init(dp, &key, alloc);
    if (!error)
        error = forwards_init(dp, alloc);
    for (unsigned i = 0; i < dp->port_count && !error; i++)
        if (dp->config->ports[i].lock == LOCK_IP && !dp->bindings.slots)
            error = binding_init(&dp->bindings, &key, alloc);
    return error;
}

void dataplane_reseed(struct dataplane *dp, const uint8_t *random)
{
    struct hash_key ports, ids;

    hash_key_init(&ports, random);
    hash_key_init(&ids, random + sizeof(ports.k));
    nat_reseed(&dp->nat, ports.k[3], &ports); /* which does not use this part of the key */
    dp->ids.key = ids;
    dp->limiter.random = hash_mix(ports.k[0] ^ ids.k[2], ids.k[1]) | 1;
}

struct dataplane *dataplane_create(const struct dataplane_params *params, alloc_fn alloc)
{
    const struct config *cfg = params->config;

    if (!cfg->ok)
        return NULL;
    struct dataplane *dp = alloc(sizeof(*dp), CACHE_LINE_BYTES);
    if (!dp)
        return NULL;
    memset(dp, 0, sizeof(*dp));
    dp->config = cfg;
    dp->jobs_end = dp->jobs;
    dp->self_ops = params->self_ops;
    dp->self = params->self;
    dp->pool = params->pool;
    dp->port_count = cfg->port_count;
    dp->now_us = params->now_us;
    dp->now_ms = (uint32_t)(params->now_us / 1000);
    dp->now_s = (uint32_t)(params->now_us / 1000000);
    dp->totals.flow_capacity = params->flow_capacity;
    ports_init(dp, params->nics);
    if (services_init(dp, params, alloc) || networks_init(dp, alloc))
        return NULL;

    dp_rules_init(dp);

    /* Answers for our DHCP client come to this port; no host's flow may take it. */
    dataplane_reserve_this_port(dp, IP_PROTO_UDP, BE16(68));
    if (cfg->uplink.present && !cfg->uplink.dhcp)
        dataplane_set_uplink(dp, cfg->uplink.ip, prefix_mask(cfg->uplink.prefix), cfg->uplink.gw);
    return dp;
}

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
