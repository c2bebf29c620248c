/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the dataplane is made of, by the configuration: ports, networks and the uplink, the tables
 * and services, forwards and rules. All memory is taken here.
 */
#include "net/dataplane_internal.h"
#include "net/rules.h"

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
