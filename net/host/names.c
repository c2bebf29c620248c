/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whose a name is; see names.h.
 */
#include "net/host/names.h"

#include "net/flow_table.h"
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

/* Length of domain if name is it or below it, else 0. */
static size_t within(const char *name, const char *domain)
{
    size_t n = strlen(domain), whole = strlen(name);

    if (n == 0 || whole < n || !equal(domain, name + whole - n))
        return 0;
    return whole == n || name[whole - n - 1] == '.' ? n : 0;
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
static bool is_own(const struct names *n, const char *own, const char *name)
{
    size_t label = strcspn(name, ".");

    if (equal(own, name))
        return true;
    return name[label] && host_name_equal(own, name, label) && is_own_domain(n, name + label + 1);
}

static be32 find_host(const struct names *n, uint8_t network, const char *name, uint64_t now_us)
{
    const struct config *config = n->config;
    size_t label = strcspn(name, ".");

    for (unsigned k = 0; k < config->net_count; k++) {
        unsigned i = (network + k) % config->net_count; /* its own network first */
        if (!(n->reaches[network] >> i & 1) ||
            (name[label] && !equal(config->nets[i].domain, name + label + 1)))
            continue;
        be32 ip = dhcp_server_find_name(n->dhcp, i, name, label, now_us);
        if (ip)
            return ip;
    }
    return 0;
}

static be32 find_own(const struct names *n, uint8_t network, const char *name, uint64_t now_us)
{
    const struct config *config = n->config;

    for (unsigned i = 0; i < config->dnsrec_count; i++)
        if (is_own(n, config->dnsrecs[i].name, name))
            return config->dnsrecs[i].ip;
    if (is_own(n, config->hostname, name))
        return config->nets[network].ip;
    return find_host(n, network, name, now_us);
}

/* True if there is a name of ours below this one, or the name is a domain of ours: it exists, then,
 * and a resolver must not be told that nothing below it does (RFC 8020). */
static bool is_above_own(const struct names *n, const char *name)
{
    for (unsigned i = 0; i < n->config->net_count; i++)
        if (serves_domain(&n->config->nets[i]) && within(n->config->nets[i].domain, name))
            return true;
    for (unsigned i = 0; i < n->config->dnsrec_count; i++)
        if (within(n->config->dnsrecs[i].name, name))
            return true;
    return false;
}

/* ---- the way ---- */

static const struct config_dnsfwd *find_forward(const struct names *n, const char *name,
                                                size_t *length)
{
    const struct config_dnsfwd *best = NULL;

    *length = 0;
    for (unsigned i = 0; i < n->config->dnsfwd_count; i++) {
        size_t bytes = within(name, n->config->dnsfwds[i].domain);
        if (bytes > *length) {
            *length = bytes;
            best = &n->config->dnsfwds[i];
        }
    }
    return best;
}

static size_t own_domain_length(const struct names *n, const char *name)
{
    size_t length = 0;

    for (unsigned i = 0; i < n->config->net_count; i++)
        if (serves_domain(&n->config->nets[i]))
            length = MAX(length, within(name, n->config->nets[i].domain));
    return length;
}

/* What resolvers ask of the outside about a name of one label: how a domain like "com" is run and
 * signed. Nobody asks that about a host. */
static bool is_about_a_domain(uint16_t type)
{
    return type == DNS_TYPE_NS || type == DNS_TYPE_SOA || type == DNS_TYPE_DS ||
           type == DNS_TYPE_DNSKEY;
}

struct dns_route names_route(const struct names *n, uint8_t network, const char *name,
                             uint16_t type, uint64_t now_us)
{
    struct dns_route route = {.way = DNS_ALL, .network = NETWORK_UPLINK};
    size_t forward_length;
    const struct config_dnsfwd *forward = find_forward(n, name, &forward_length);

    route.ip = find_own(n, network, name, now_us);
    if (route.ip) {
        route.way = DNS_ADDRESS;
        return route;
    }
    if (forward && forward_length >= own_domain_length(n, name)) {
        route.way = DNS_ONE_SERVER;
        route.ip = forward->server;
        if (forward->net != CONFIG_NO_NET)
            route.network = forward->net;
    } else if (own_domain_length(n, name) ||
               (name[0] && !strchr(name, '.') && !is_about_a_domain(type))) {
        route.way = is_above_own(n, name) ? DNS_NO_RECORD : DNS_NO_NAME;
        return route;
    }
    if (!(n->reaches[network] >> route.network & 1))
        route.way = DNS_FORBIDDEN;
    return route;
}
