/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Networks: their ports, addresses, pools, and the checks between them.
 */
#include <stdio.h>

#include "config_resolve.h"
#include "config_rules.h"
#include "net/rules.h"

#define DEFAULT_LEASE_S (12u * 3600u)
#define DEFAULT_THIRD_BYTE                                                                         \
    8 /* 192.168.8.0/24 is the first subnet given to a network without ip=                         \
       */

/* ---- ports ---- */

static void claim_named(struct resolver *r, unsigned net)
{
    const struct draft_net *draft = &r->draft->nets[net];
    uint32_t named = 0;
    for (unsigned i = 0; i < draft->ports.count; i++) {
        int port = resolve_port(r, &draft->ports.port[i], &draft->item, "net");
        if (port < 0)
            continue;
        if (named >> port & 1)
            resolve_conflict(r, &draft->item, "net", "network %s names port %d twice", draft->name,
                             port);
        else
            resolve_claim(r, net, (unsigned)port);
        named |= 1u << port;
    }
}

static void claim_rest(struct resolver *r, unsigned net)
{
    for (unsigned p = 0; p < r->count; p++)
        if (resolve_port_left(r, p))
            resolve_claim(r, net, p);
    if (!r->config->nets[net].ports && !(r->broken & (BROKEN_NET | BROKEN_UPLINK | BROKEN_PORT)))
        resolve_conflict(r, net_item(r, net), "net",
                         "network %s has no port: of this machine's %u none is left for it",
                         r->config->nets[net].name, r->count);
}

static void resolve_net_ports(struct resolver *r)
{
    int rest = -1;
    for (unsigned i = 0; i < r->draft->net_count; i++) {
        const struct draft_net *net = &r->draft->nets[i];
        if (draft_given(&net->item, FIELD_NET_PORTS))
            claim_named(r, i);
        else if (draft_given(&net->item, FIELD_NET_VLAN))
            continue;
        else if (rest < 0)
            rest = (int)i;
        else
            resolve_conflict(r, &net->item, "net",
                             "network %s and network %s both lack ports=: only one can have all "
                             "that are left",
                             r->draft->nets[rest].name, net->name);
    }
    resolve_vlans(r);
    if (rest >= 0)
        claim_rest(r, (unsigned)rest);
}

/* ---- addresses ---- */

static bool overlaps_net(const struct config_net *net, be32 ip, unsigned prefix)
{
    return net->ip && subnets_overlap(ip, prefix, net->ip, net->prefix);
}

static bool overlaps_uplink(const struct resolver *r, be32 ip, unsigned prefix)
{
    const struct config_uplink *uplink = &r->config->uplink;
    return uplink->ip && subnets_overlap(ip, prefix, uplink->ip, uplink->prefix);
}

static bool is_free(const struct resolver *r, be32 ip, unsigned prefix)
{
    for (unsigned i = 0; i < r->config->net_count; i++)
        if (overlaps_net(&r->config->nets[i], ip, prefix))
            return false;
    return !overlaps_uplink(r, ip, prefix);
}

static void check_uplink_overlap(struct resolver *r, unsigned i)
{
    const struct config_net *net = &r->config->nets[i];
    const struct config_uplink *uplink = &r->config->uplink;
    char a[IP4_TEXT_BYTES], b[IP4_TEXT_BYTES];
    if (overlaps_uplink(r, net->ip, net->prefix))
        resolve_conflict(r, net_item(r, i), "net", "network %s, %s/%u, overlaps the uplink, %s/%u",
                         net->name, value_ip4_text(net->ip, a), net->prefix,
                         value_ip4_text(uplink->ip, b), uplink->prefix);
}

static bool exchange_packets(const struct config *config, unsigned a, unsigned b)
{
    return reach_between(config, a, b).reach != REACH_NONE ||
           reach_between(config, b, a).reach != REACH_NONE;
}

/* A third end of ways to which the addresses of networks i and k are both known: a network, or
 * REACH_UPLINK, which sees those of networks that are not translated. CONFIG_NO_NET: none. */
static unsigned common_peer(const struct config *config, unsigned i, unsigned k)
{
    for (unsigned t = 0; t < config->net_count; t++)
        if (t != i && t != k && exchange_packets(config, t, i) && exchange_packets(config, t, k) &&
            !config_mode(&config->nets[t])->joins_uplink)
            return t;
    bool hidden =
        config_mode(&config->nets[i])->translates || config_mode(&config->nets[k])->translates;
    return !hidden && exchange_packets(config, i, REACH_UPLINK) &&
                   exchange_packets(config, k, REACH_UPLINK)
               ? REACH_UPLINK
               : CONFIG_NO_NET;
}

/* Two networks may have one subnet while no packet can go from one to the other, and nobody else
 * has to do with both: then an address means a host of the one it came from or goes to, always. */
static void check_overlap(struct resolver *r, unsigned i, unsigned k)
{
    const struct config_net *net = &r->config->nets[i], *known = &r->config->nets[k];
    struct reach_answer there = reach_between(r->config, k, i);
    struct reach_answer back = reach_between(r->config, i, k);
    struct reach_answer open = there.reach != REACH_NONE ? there : back;
    char what[160], a[IP4_TEXT_BYTES], b[IP4_TEXT_BYTES], place[PLACE_BYTES] = "";
    snprintf(what, sizeof(what), "network %s, %s/%u, overlaps network %s, %s/%u", net->name,
             value_ip4_text(net->ip, a), net->prefix, known->name, value_ip4_text(known->ip, b),
             known->prefix);
    if (r->broken & BROKEN_RULE)
        return;
    if (open.reach == REACH_NONE) {
        unsigned third = common_peer(r->config, i, k);
        if (third == CONFIG_NO_NET)
            resolve_note(r, "%s: neither can ever reach the other", what);
        else
            resolve_conflict(r, net_item(r, i), "net",
                             "%s, and %s, which has to do with both, could not tell them apart",
                             what,
                             third == REACH_UPLINK ? "the uplink" : r->config->nets[third].name);
        return;
    }
    if (open.rule >= 0)
        config_place_text(
            config_place_of(r->draft, &config_nth_rule(r->draft, (unsigned)open.rule)->item),
            place);
    resolve_conflict(r, net_item(r, i), "net", "%s, and rule= at %s lets one reach the other", what,
                     place);
}

void resolve_overlaps(struct resolver *r)
{
    const struct config *config = r->config;
    for (unsigned i = 0; i < config->net_count; i++)
        for (unsigned k = 0; config->nets[i].ip && k < i; k++)
            if (overlaps_net(&config->nets[k], config->nets[i].ip, config->nets[i].prefix))
                check_overlap(r, i, k);
}

static void choose_subnet(struct resolver *r, unsigned i)
{
    struct config_net *net = &r->config->nets[i];
    for (unsigned third = DEFAULT_THIRD_BYTE; third <= 255; third++) {
        be32 ip = BE_IP4(192, 168, third, 1);
        if (!is_free(r, ip, 24))
            continue;
        net->ip = ip;
        net->prefix = 24;
        return;
    }
    resolve_conflict(
        r, net_item(r, i), "net",
        "network %s: no 192.168.x.0/24 is free from 192.168.8.0 on; give it an ip=", net->name);
}

static void resolve_addresses(struct resolver *r)
{
    for (unsigned i = 0; i < r->draft->net_count; i++) {
        struct config_net *net = &r->config->nets[i];
        if (!draft_given(&r->draft->nets[i].item, FIELD_NET_IP) || !config_mode(net)->has_address)
            continue;
        net->ip = r->draft->nets[i].ip.ip;
        net->prefix = r->draft->nets[i].ip.prefix;
        check_uplink_overlap(r, i);
    }
    for (unsigned i = 0; i < r->config->net_count; i++)
        if (!r->config->nets[i].ip && config_mode(&r->config->nets[i])->has_address)
            choose_subnet(r, i);
}

/* ---- pools ---- */

/* .100-.250 of a /24 and of anything larger; the same share of anything smaller. Where the router's
 * own address lies inside, the longer part beside it. */
static void choose_pool(struct config_net *net)
{
    uint32_t size = net->prefix < 24 ? 256 : 1u << (32 - net->prefix);
    uint32_t base = ntoh32(net->ip & prefix_mask(net->prefix));
    uint32_t first = base + MAX(size * 100 / 256, 1u);
    uint32_t last = base + MIN(size * 250 / 256, size - 2);
    uint32_t router = ntoh32(net->ip);
    if (router >= first && router <= last) {
        if (router - first > last - router)
            last = router - 1;
        else
            first = router + 1;
    }
    net->pool_first = hton32(first);
    net->pool_last = hton32(last);
}

static void check_pool(struct resolver *r, unsigned i)
{
    const struct config_net *net = &r->config->nets[i];
    char first[IP4_TEXT_BYTES], last[IP4_TEXT_BYTES], ip[IP4_TEXT_BYTES];
    value_ip4_text(net->pool_first, first);
    value_ip4_text(net->pool_last, last);
    value_ip4_text(net->ip, ip);
    if (!is_host_in(net->pool_first, net->ip, net->prefix) ||
        !is_host_in(net->pool_last, net->ip, net->prefix))
        resolve_conflict(r, net_item(r, i), "net",
                         "pool %s-%s is not inside the subnet of network %s, %s/%u", first, last,
                         net->name, ip, net->prefix);
    else if (ntoh32(net->ip) >= ntoh32(net->pool_first) &&
             ntoh32(net->ip) <= ntoh32(net->pool_last))
        resolve_conflict(r, net_item(r, i), "net",
                         "pool %s-%s contains the router's own address in network %s, %s", first,
                         last, net->name, ip);
}

static void resolve_pool(struct resolver *r, unsigned i)
{
    struct config_net *net = &r->config->nets[i];
    const struct draft_pool *pool = i < r->draft->net_count ? &r->draft->nets[i].pool : NULL;
    if (!net->ip || !config_mode(net)->dhcp || (pool && pool->off))
        return;
    if (!pool || !pool->first) {
        choose_pool(net);
        return;
    }
    net->pool_first = pool->first;
    net->pool_last = pool->last;
    check_pool(r, i);
}

/* ---- networks ---- */

/* What makes no sense where the router has no address of its own, and what to do instead. */
static const struct {
    uint8_t field;
    const char *option;
    const char *internal;
    const char *bridge;
} router_options[] = {
    {FIELD_NET_IP, "ip=", "the router has no address there; mode hostonly gives it one",
     "the router's address there is the uplink's, uplink=PORT,ip=A/LEN,gw=A"},
    {FIELD_NET_POOL, "pool=", "the router serves no DHCP there; in mode hostonly it does",
     "the outside's DHCP server serves it"},
    {FIELD_NET_LEASE, "lease=", "the router serves no DHCP there; in mode hostonly it does",
     "the outside's DHCP server serves it"},
    {FIELD_NET_DOMAIN, "domain=", "the router names no host there; in mode hostonly it does",
     "its hosts' names are the outside's"},
    {FIELD_NET_DNS, "dns=", "the router tells its hosts nothing; in mode hostonly it does",
     "the outside tells its hosts; for the router itself write uplink=PORT,...,dns=A"},
    {FIELD_NET_MTU, "mtu=", "a switch limits no packets; the NICs do",
     "its MTU is the uplink's, uplink=PORT,mtu=N"},
    {FIELD_NET_FLOWS, "flows=", "a switch knows no flows; in mode nat or routed there are some",
     "a switch knows no flows; in mode nat or routed there are some"},
    {FIELD_NET_HOST_FLOWS,
     "hostflows=", "a switch knows no flows; in mode nat or routed there are some",
     "a switch knows no flows; in mode nat or routed there are some"},
};

static void check_mode_options(struct resolver *r, unsigned i)
{
    const struct draft_net *net = &r->draft->nets[i];
    const struct net_mode_info *mode = &net_modes[net->mode];
    for (unsigned k = 0; k < ARRAY_COUNT(router_options) && !mode->has_address; k++)
        if (draft_given(&net->item, router_options[k].field))
            resolve_conflict(r, &net->item, "net", "network %s is %s and takes no %s: %s",
                             net->name, mode->name, router_options[k].option,
                             mode->joins_uplink ? router_options[k].bridge
                                                : router_options[k].internal);
}

static void check_flow_limits(struct resolver *r, unsigned i)
{
    const struct draft_net *net = &r->draft->nets[i];
    uint32_t room = (uint32_t)r->draft->flows.value;
    if (net->flows && net->host_flows > net->flows)
        resolve_conflict(r, &net->item, "net",
                         "network %s: hostflows=%u for each host is more than flows=%u for all",
                         net->name, net->host_flows, net->flows);
    if (room && MAX(net->flows, net->host_flows) > room)
        resolve_conflict(r, &net->item, "net",
                         "network %s: %s=%u is more than flows=%u, the room for all networks",
                         net->name, net->flows > room ? "flows" : "hostflows",
                         net->flows > room ? net->flows : net->host_flows, room);
}

static void copy_net(struct resolver *r, unsigned i)
{
    const struct draft_net *draft = &r->draft->nets[i];
    struct config_net *net = &r->config->nets[i];
    snprintf(net->name, sizeof(net->name), "%s", draft->name);
    net->mode = draft->mode;
    if (draft_given(&draft->item, FIELD_NET_LEASE))
        net->lease_s = draft->lease_s;
    if (draft_given(&draft->item, FIELD_NET_DOMAIN))
        snprintf(net->domain, sizeof(net->domain), "%s", draft->domain);
    if (draft_given(&draft->item, FIELD_NET_DNS)) {
        net->dns_self = draft->dns.self;
        net->dns_count = draft->dns.count;
        memcpy(net->dns, draft->dns.ip, sizeof(net->dns));
    }
    net->mtu = draft->mtu;
    net->vlan = draft->vlan;
    net->isolate = draft->isolate;
    net->pcp = draft->pcp;
    net->filter = draft->filter;
    net->flows = draft->flows;
    net->host_flows = draft->host_flows;
    check_mode_options(r, i);
    check_flow_limits(r, i);
    if (net->pcp && !config_mode(net)->translates)
        resolve_conflict(r, &draft->item, "net",
                         "network %s is %s and takes no pcp: only hosts in mode nat have ports of "
                         "the outside address to ask for",
                         net->name, config_mode(net)->name);
    if (draft_given(&draft->item, FIELD_NET_FILTER) && !config_mode(net)->translates)
        resolve_conflict(r, &draft->item, "net",
                         "network %s is %s and takes no filter=: only hosts in mode nat have ports "
                         "of the outside address to come in by",
                         net->name, config_mode(net)->name);
}

/* A bridge network is the uplink's segment: there is one of those, if any. */
static void check_bridges(struct resolver *r)
{
    const struct config_net *first = NULL;
    for (unsigned i = 0; i < r->config->net_count; i++) {
        const struct config_net *net = &r->config->nets[i];
        if (!config_mode(net)->joins_uplink)
            continue;
        if (first)
            resolve_conflict(r, net_item(r, i), "net",
                             "network %s and network %s are both bridge: they would be one, the "
                             "uplink's segment; put the ports of both into one",
                             first->name, net->name);
        else if (!r->config->uplink.present && !(r->broken & BROKEN_UPLINK))
            resolve_conflict(r, net_item(r, i), "net",
                             "network %s is bridge and needs an uplink to join, and there is none; "
                             "write uplink=PORT",
                             net->name);
        if (!first)
            first = net;
    }
}

/* No net= at all: every port but the uplink is network lan. */
static void add_default_net(struct resolver *r)
{
    bool left = false;
    for (unsigned p = 0; p < r->count; p++)
        left |= resolve_port_left(r, p);
    if (r->broken & (BROKEN_NET | BROKEN_UPLINK | BROKEN_PORT)) {
        r->broken |= BROKEN_NET; /* which ports would be its own is not known */
        return;
    }
    if (r->count == 0)
        return;
    if (!left) {
        resolve_note(r,
                     "the uplink takes the only port: there is no network, and nothing to route");
        return;
    }
    struct config_net *net = &r->config->nets[r->config->net_count++];
    snprintf(net->name, sizeof(net->name), "lan");
    net->mode = NET_NAT;
    if (!r->config->uplink.present) {
        net->mode = NET_HOSTONLY;
        resolve_note(r, "one port only: it is the LAN of a host-only network; with a second NIC "
                        "port 0 becomes the uplink");
    }
    claim_rest(r, 0);
}

void resolve_nets(struct resolver *r)
{
    struct config *config = r->config;
    for (unsigned i = 0; i < CONFIG_MAX_NETS; i++) {
        struct config_net *net = &config->nets[i];
        net->lease_s = DEFAULT_LEASE_S;
        net->dns_self = true;
        snprintf(net->domain, sizeof(net->domain), "lan");
    }
    config->net_count = (uint8_t)r->draft->net_count;
    for (unsigned i = 0; i < config->net_count; i++)
        copy_net(r, i);
    if (config->net_count) {
        resolve_net_ports(r);
    } else {
        resolve_vlans(r);
        add_default_net(r);
    }
    check_bridges(r);
    resolve_addresses(r);
    for (unsigned i = 0; i < config->net_count; i++)
        resolve_pool(r, i);
}
