/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whose a name is; see names.h.
 */
#include "net/host/names.h"

#include "net/flow_table.h"
#include "net/host/zones.h"
#include "net/rules.h"
#include "net/wire/dns.h"
#include "net/wire/text.h"

void names_init(struct names *n, const struct config *config, const struct dhcp_server *dhcp)
{
    n->config = config;
    n->dhcp = dhcp;
    for (unsigned from = 0; from < config->net_count; from++) {
        n->reaches[from] = 1u << from;
        for (unsigned to = 0; to < config->net_count; to++)
            if (reach_between(config, from, to).reach != REACH_NONE)
                n->reaches[from] |= 1u << to;
        if (reach_between(config, from, REACH_UPLINK).reach != REACH_NONE)
            n->reaches[from] |= 1u << NETWORK_UPLINK;
    }
}

static bool equal(const char *a, const char *b)
{
    return host_name_equal(a, b, strlen(b));
}

/* A domain in which this router is the one to ask. */
static bool serves_domain(const struct config_net *net)
{
    return net->ip && net->dns_self && net->domain[0];
}

static bool is_own_domain(const struct names *n, const char *domain)
{
    for (unsigned i = 0; i < n->config->net_count; i++)
        if (serves_domain(&n->config->nets[i]) && equal(n->config->nets[i].domain, domain))
            return true;
    return false;
}

/* ---- names of our own ---- */

/* True if name is own, or own has a single label and name is that with a domain of ours behind it.
 */
static bool is_own(const struct names *n, const char *own, const struct asked *a)
{
    if (host_name_equal(own, a->name, a->chars))
        return true;
    return a->label < a->chars && host_name_equal(own, a->name, a->label) &&
           is_own_domain(n, a->name + a->label + 1);
}

static be32 find_host(const struct names *n, uint8_t network, const struct asked *a,
                      uint64_t now_us)
{
    const struct config *config = n->config;

    for (unsigned k = 0; k < config->net_count; k++) {
        unsigned i = (network + k) % config->net_count; /* its own network first */
        if (!(n->reaches[network] >> i & 1) ||
            (a->label < a->chars && !equal(config->nets[i].domain, a->name + a->label + 1)))
            continue;
        be32 ip = dhcp_server_find_name(n->dhcp, i, a->name, a->label, now_us);
        if (ip)
            return ip;
    }
    return 0;
}

static be32 find_own(const struct names *n, uint8_t network, const struct asked *a, uint64_t now_us)
{
    const struct config *config = n->config;

    for (unsigned i = 0; i < config->dnsrec_count; i++)
        if (is_own(n, config->dnsrecs[i].name, a))
            return config->dnsrecs[i].ip;
    if (is_own(n, config->hostname, a))
        return config->nets[network].ip;
    return find_host(n, network, a, now_us);
}

/* ---- addresses of our own ---- */

/* The name of who has an address in a network, and if there is one, true. */
static bool name_in(const struct names *n, unsigned network, be32 ip, uint64_t now_us,
                    struct dns_route *route)
{
    const struct config *config = n->config;
    const struct config_net *net = &config->nets[network];
    const char *name = NULL;

    if (net->ip == ip)
        name = config->hostname;
    for (unsigned h = 0; h < config->host_count && !name; h++)
        if (config->hosts[h].ip == ip && config->hosts[h].net == network &&
            config->hosts[h].name[0])
            name = config->hosts[h].name;
    for (unsigned i = 0; i < config->dnsrec_count && !name; i++)
        if (config->dnsrecs[i].ip == ip)
            name = config->dnsrecs[i].name;
    if (!name)
        name = dhcp_server_name_of(n->dhcp, network, ip, now_us);
    if (!name || !name[0])
        return false;
    route->host = name;
    route->domain = strchr(name, '.') ? "" : net->domain;
    return true;
}

/* The name of an address, as far as the asker may know it: its own network's first, as two may have
 * one subnet. A dnsrec= of any address is for everybody. */
static bool find_name(const struct names *n, uint8_t network, be32 ip, uint64_t now_us,
                      struct dns_route *route)
{
    const struct config *config = n->config;

    for (unsigned k = 0; k < config->net_count; k++) {
        unsigned i = (network + k) % config->net_count;
        if ((n->reaches[network] >> i & 1) && config_net_has(&config->nets[i], ip) &&
            name_in(n, i, ip, now_us, route))
            return true;
    }
    for (unsigned i = 0; i < config->dnsrec_count; i++) {
        if (config->dnsrecs[i].ip != ip)
            continue;
        route->host = config->dnsrecs[i].name;
        route->domain = strchr(route->host, '.') ? "" : config->nets[network].domain;
        return true;
    }
    return false;
}

static bool is_pointer(const struct names *n, uint8_t network, const struct reverse *r,
                       uint64_t now_us, struct dns_route *route)
{
    if (r->octets < 4 || r->below)
        return false;
    if (r->ip == BE_IP4(127, 0, 0, 1)) {
        route->host = "localhost";
        route->domain = "";
        return true;
    }
    return find_name(n, network, r->ip, now_us, route);
}

/* The length of the reverse zone of ours that a name is in: a subnet whose prefix is no multiple of
 * 8 is as many zones of whole octets. */
static size_t reverse_zone(const struct names *n, const struct reverse *r)
{
    for (unsigned i = 0; i < n->config->net_count; i++) {
        const struct config_net *net = &n->config->nets[i];
        unsigned octets = (net->prefix + 7u) / 8u;
        if (net->dns_self && r->octets >= octets && config_net_has(net, r->ip))
            return r->chars[octets];
    }
    return 0;
}

/* True if the reverse name is one that names of a subnet of ours are below. */
static bool is_above_subnet(const struct names *n, const struct reverse *r)
{
    be32 mask = prefix_mask(8 * r->octets);

    for (unsigned i = 0; i < n->config->net_count && r->octets < 4; i++) {
        const struct config_net *net = &n->config->nets[i];
        if (net->ip && !((net->ip ^ r->ip) & mask & prefix_mask(net->prefix)))
            return true;
    }
    return false;
}

static bool is_above(const struct asked *a, const char *own)
{
    return name_is_within(own, strlen(own), a->name, a->chars);
}

/* True if there is a name of ours below this one, or the name is a domain of ours: it exists, then,
 * and a resolver must not be told that nothing below it does (RFC 8020). */
static bool is_above_own(const struct names *n, const struct asked *a)
{
    if (a->reverse.is)
        return !a->reverse.below && is_above_subnet(n, &a->reverse);
    for (unsigned i = 0; i < n->config->net_count; i++)
        if (serves_domain(&n->config->nets[i]) && is_above(a, n->config->nets[i].domain))
            return true;
    for (unsigned i = 0; i < n->config->dnsrec_count; i++)
        if (is_above(a, n->config->dnsrecs[i].name))
            return true;
    return false;
}

/* ---- the way ---- */

static const struct config_dnsfwd *find_forward(const struct names *n, const struct asked *a,
                                                size_t *length)
{
    const struct config_dnsfwd *best = NULL;

    *length = 0;
    for (unsigned i = 0; i < n->config->dnsfwd_count; i++) {
        size_t bytes = zone_within(a, n->config->dnsfwds[i].domain);
        if (bytes > *length) {
            *length = bytes;
            best = &n->config->dnsfwds[i];
        }
    }
    return best;
}

/* The longest zone of ours that the name is in. */
static struct zone own_zone(const struct names *n, const struct asked *a)
{
    struct zone zone = zone_of(a);

    for (unsigned i = 0; i < n->config->net_count; i++) {
        const struct config_net *net = &n->config->nets[i];
        size_t chars = serves_domain(net) ? zone_within(a, net->domain) : 0;
        if (chars > 0 && chars >= zone.chars)
            zone = (struct zone){ZONE_EMPTY, chars};
    }
    size_t chars = a->reverse.is ? reverse_zone(n, &a->reverse) : 0;
    return chars > zone.chars ? (struct zone){ZONE_EMPTY, chars} : zone;
}

/* True if it is said that names like this may lead inside. */
static bool may_lead_inside(const struct names *n, const struct asked *a)
{
    for (unsigned i = 0; i < n->config->dnsprivate_count; i++) {
        const char *domain = n->config->dnsprivates[i];
        if (!domain[0] || zone_within(a, domain))
            return true;
    }
    return false;
}

/* What resolvers ask of the outside about a name of one label: how a domain like "com" is run and
 * signed. Nobody asks that about a host. */
static bool is_about_a_domain(uint16_t type)
{
    return type == DNS_TYPE_NS || type == DNS_TYPE_SOA || type == DNS_TYPE_DS ||
           type == DNS_TYPE_DNSKEY;
}

/* True if it is asked whether a zone of zones.h is signed. It is not, and to be believed that must
 * come from who signs the zone above it. */
static bool is_about_signing(const struct asked *a, uint16_t type)
{
    return type == DNS_TYPE_DS && a->label < a->chars && zone_of(a).chars == a->chars;
}

/* A name in a zone of ours, or of a single label, that has no address. */
static enum dns_way local_way(const struct names *n, const struct asked *a, const struct zone *zone)
{
    if (zone->kind == ZONE_LOOPBACK)
        return DNS_LOOPBACK;
    if (zone->kind == ZONE_SILENT || zone->chars == a->chars || is_above_own(n, a))
        return DNS_NO_RECORD;
    return DNS_NO_NAME;
}

struct dns_route names_route(const struct names *n, uint8_t network, const char *name,
                             uint16_t type, uint64_t now_us)
{
    struct dns_route route = {.way = DNS_ALL, .network = NETWORK_UPLINK};
    const struct asked a = asked_name(name);
    struct zone zone = own_zone(n, &a);
    size_t forward_length;
    const struct config_dnsfwd *forward = find_forward(n, &a, &forward_length);

    route.zone_chars = (uint8_t)zone.chars;
    route.ip = find_own(n, network, &a, now_us);
    if (route.ip || is_pointer(n, network, &a.reverse, now_us, &route)) {
        route.way = route.ip ? DNS_ADDRESS : DNS_POINTER;
        if (!zone.chars) /* the only name we have in a zone of others is a zone by itself */
            route.zone_chars = (uint8_t)a.chars;
        return route;
    }
    if (forward && forward_length >= zone.chars) {
        route.way = DNS_ONE_SERVER;
        route.ip = forward->server;
        if (forward->net != CONFIG_NO_NET)
            route.network = forward->net;
    } else if ((zone.chars && !is_about_signing(&a, type)) ||
               (a.chars && a.label == a.chars && !is_about_a_domain(type))) {
        route.way = local_way(n, &a, &zone);
        return route;
    }
    route.may_lead_inside = may_lead_inside(n, &a);
    if (!(n->reaches[network] >> route.network & 1))
        route.way = DNS_FORBIDDEN;
    return route;
}
