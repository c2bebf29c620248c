/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reservations and forwards: where they lead, and whether two of them want the same thing.
 */
#include <stdio.h>

#include "config_resolve.h"

unsigned resolve_net_of(struct resolver *r, const struct draft_item *item, const char *key,
                        const char *what, be32 address)
{
    const struct config *config = r->config;
    unsigned found = CONFIG_NO_NET;
    for (unsigned i = 0; i < config->net_count; i++) {
        if (!config_net_has(&config->nets[i], address))
            continue;
        if (found != CONFIG_NO_NET) {
            resolve_conflict(r, item, key,
                             "%s is in network %s and in network %s, whose subnets overlap; "
                             "%s",
                             what, config->nets[found].name, config->nets[i].name,
                             strcmp(key, "host") == 0 ? "add net=NAME"
                                                      : "name a host=...,net=NAME instead");
            return CONFIG_NO_NET;
        }
        found = i;
    }
    if (found == CONFIG_NO_NET && !(r->broken & BROKEN_NET))
        resolve_conflict(r, item, key, "%s is outside every network", what);
    return found;
}

/* Says what is wrong with address as one of a machine on network n; what: "reservation 1.2.3.4". */
static void check_address(struct resolver *r, const struct draft_item *item, const char *key,
                          const char *what, be32 address, unsigned n)
{
    if (n == CONFIG_NO_NET)
        return; /* told already */
    const struct config_net *net = &r->config->nets[n];
    if (address == net->ip)
        resolve_conflict(r, item, key, "%s is the router's own address in network %s", what,
                         net->name);
    else if (!is_host_in(address, net->ip, net->prefix))
        resolve_conflict(r, item, key, "%s is the first or last address of network %s", what,
                         net->name);
}

/* ---- reservations ---- */

static void check_same_host(struct resolver *r, unsigned i)
{
    const struct config_host *host = &r->config->hosts[i];
    const struct draft_item *item = &r->draft->hosts[i].item;
    char mac[MAC_TEXT_BYTES], other[MAC_TEXT_BYTES], ip[IP4_TEXT_BYTES];
    value_mac_text(host->mac, mac);
    for (unsigned k = 0; k < i; k++) {
        const struct config_host *earlier = &r->config->hosts[k];
        value_mac_text(earlier->mac, other);
        if (host->ip && host->ip == earlier->ip && host->net == earlier->net)
            resolve_conflict(r, item, "host", "address %s is reserved for %s and for %s",
                             value_ip4_text(host->ip, ip), other, mac);
        if (host->name[0] && strcmp(host->name, earlier->name) == 0)
            resolve_conflict(r, item, "host", "name %.40s is given to %s and to %s", host->name,
                             other, mac);
    }
    if (strcmp(host->name, r->config->hostname) == 0)
        resolve_conflict(r, item, "host", "name %.40s is given to %s and to the router (hostname=)",
                         host->name, mac);
}

/* The network that net= names, if the address is in it; else CONFIG_NO_NET, told. */
static unsigned find_given_net(struct resolver *r, const struct draft_host *draft, const char *what)
{
    const struct config *config = r->config;
    struct suggestion suggestion;
    config_suggest_begin(&suggestion, (struct span){draft->net, strlen(draft->net)});
    for (unsigned i = 0; i < config->net_count; i++) {
        const struct config_net *net = &config->nets[i];
        config_suggest_offer(&suggestion, net->name);
        if (strcmp(net->name, draft->net) != 0)
            continue;
        if (config_net_has(net, draft->ip))
            return i;
        resolve_conflict(r, &draft->item, "host", "%s is outside network %s", what, net->name);
        return CONFIG_NO_NET;
    }
    if (!(r->broken & BROKEN_NET))
        resolve_conflict(r, &draft->item, "host", "%s: no net= is called %s%s%s%s", what,
                         draft->net, suggestion.best ? "; did you mean '" : "",
                         suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
    return CONFIG_NO_NET;
}

void resolve_hosts(struct resolver *r)
{
    struct config *config = r->config;
    config->host_count = (uint16_t)r->draft->host_count;
    for (unsigned i = 0; i < config->host_count; i++) {
        const struct draft_host *draft = &r->draft->hosts[i];
        struct config_host *host = &config->hosts[i];
        char what[48], ip[IP4_TEXT_BYTES];
        memcpy(host->mac, draft->mac, MAC_BYTES);
        host->deny = draft->deny;
        host->ip = draft->ip;
        host->lease_s = draft->lease_s;
        host->net = CONFIG_NO_NET;
        snprintf(host->name, sizeof(host->name), "%s", draft->name);
        if (host->ip) {
            snprintf(what, sizeof(what), "reservation %s", value_ip4_text(host->ip, ip));
            host->net = (uint8_t)(draft_given(&draft->item, FIELD_HOST_NET)
                                      ? find_given_net(r, draft, what)
                                      : resolve_net_of(r, &draft->item, "host", what, host->ip));
            check_address(r, &draft->item, "host", what, host->ip, host->net);
        } else if (draft_given(&draft->item, FIELD_HOST_NET)) {
            resolve_conflict(r, &draft->item, "host",
                             "net=%s says where an address is, and this host has none", draft->net);
        }
        check_same_host(r, i);
    }
}

/* ---- forwards ---- */

#define FORWARD_BYTES 24
static const char *forward_text(const struct config_fwd *fwd, char text[static FORWARD_BYTES])
{
    static const char *const names[] = {"", "tcp", "udp", "tcp+udp"};
    snprintf(text, FORWARD_BYTES, "forward %s %u", names[fwd->protocols & 3], fwd->first_port);
    return text;
}

/* Ports of the uplink's address that the router itself listens on: one row a service. */
static const struct {
    uint8_t protocols;
    uint16_t port;
    bool only_dhcp; /* while the uplink is configured by DHCP */
    const char *what;
} own_services[] = {
    {CONFIG_UDP, 68, true, "DHCP client"},
};

static void check_own_services(struct resolver *r, unsigned i)
{
    const struct config_fwd *fwd = &r->config->fwds[i];
    char text[FORWARD_BYTES];
    for (unsigned s = 0; s < ARRAY_COUNT(own_services); s++) {
        if (!(own_services[s].protocols & fwd->protocols) ||
            own_services[s].port != fwd->first_port)
            continue;
        if (own_services[s].only_dhcp && !r->config->uplink.dhcp)
            continue;
        resolve_conflict(r, &r->draft->fwds[i].item, "fwd",
                         "%s takes a port of the uplink that the router's %s needs",
                         forward_text(fwd, text), own_services[s].what);
    }
}

static void find_named_target(struct resolver *r, unsigned i)
{
    const struct draft_fwd *draft = &r->draft->fwds[i];
    struct config_fwd *fwd = &r->config->fwds[i];
    const char *name = draft->forward.name;
    struct suggestion suggestion;
    char text[FORWARD_BYTES];
    forward_text(fwd, text);
    config_suggest_begin(&suggestion, (struct span){name, strlen(name)});
    for (unsigned h = 0; h < r->config->host_count; h++) {
        const struct config_host *host = &r->config->hosts[h];
        config_suggest_offer(&suggestion, host->name);
        if (strcmp(host->name, name) != 0)
            continue;
        fwd->targets[0] = host->ip;
        fwd->net = host->net;
        if (!host->ip)
            resolve_conflict(r, &draft->item, "host",
                             "%s: host %.40s has no reserved address to forward to", text, name);
        return;
    }
    if (!(r->broken & BROKEN_HOST))
        resolve_conflict(r, &draft->item, "fwd", "%s: no host= is called %.40s%s%.40s%s", text,
                         name, suggestion.best ? "; did you mean '" : "",
                         suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
}

/* What QEMU and VirtualBox mean by an empty guest address. */
static void find_first_lease(struct resolver *r, unsigned i)
{
    struct config_fwd *fwd = &r->config->fwds[i];
    char text[FORWARD_BYTES], ip[IP4_TEXT_BYTES];
    forward_text(fwd, text);
    for (unsigned n = 0; n < r->config->net_count; n++) {
        const struct config_net *net = &r->config->nets[n];
        if (!config_mode(net)->routes_to_uplink || !net->pool_first)
            continue;
        fwd->targets[0] = net->pool_first;
        fwd->net = (uint8_t)n;
        resolve_note(r, "%s names no guest: it leads to %s, the first address of the pool of %s",
                     text, value_ip4_text(fwd->targets[0], ip), net->name);
        return;
    }
    if (!(r->broken & BROKEN_NET))
        resolve_conflict(r, &r->draft->fwds[i].item, "fwd",
                         "%s names no guest, and no network that reaches the uplink has a pool",
                         text);
}

static void check_target(struct resolver *r, unsigned i)
{
    struct config_fwd *fwd = &r->config->fwds[i];
    const struct draft_item *item = &r->draft->fwds[i].item;
    char text[FORWARD_BYTES], ip[IP4_TEXT_BYTES], what[64];
    if (!fwd->targets[0])
        return; /* told already */
    snprintf(what, sizeof(what), "%s: target %s", forward_text(fwd, text),
             value_ip4_text(fwd->targets[0], ip));
    if (r->draft->fwds[i].forward.target == TARGET_ADDRESS)
        fwd->net = (uint8_t)resolve_net_of(r, item, "fwd", what, fwd->targets[0]);
    check_address(r, item, "fwd", what, fwd->targets[0], fwd->net);
    if (fwd->net == CONFIG_NO_NET)
        return;
    const struct config_net *net = &r->config->nets[fwd->net];
    if (!config_mode(net)->routes_to_uplink)
        resolve_conflict(r, item, "fwd",
                         "%s is in network %s, which is %s and never reaches the uplink", what,
                         net->name, config_mode(net)->name);
}

static void check_bind(struct resolver *r, unsigned i)
{
    const struct config_uplink *uplink = &r->config->uplink;
    const struct config_fwd *fwd = &r->config->fwds[i];
    const struct draft_item *item = &r->draft->fwds[i].item;
    char text[FORWARD_BYTES], bind[IP4_TEXT_BYTES], ip[IP4_TEXT_BYTES];
    forward_text(fwd, text);
    if (!uplink->present && !(r->broken & BROKEN_UPLINK))
        resolve_conflict(r, item, "fwd", "%s needs an uplink, and there is none", text);
    if (fwd->bind && uplink->ip && fwd->bind != uplink->ip)
        resolve_conflict(r, item, "fwd", "%s: %s is not the uplink's address, %s", text,
                         value_ip4_text(fwd->bind, bind), value_ip4_text(uplink->ip, ip));
}

static bool want_the_same(const struct config_fwd *a, const struct config_fwd *b)
{
    return a->protocols & b->protocols && a->first_port <= b->last_port &&
           b->first_port <= a->last_port && (!a->bind || !b->bind || a->bind == b->bind) &&
           subnets_overlap(a->from, a->from_prefix, b->from, b->from_prefix);
}

static void check_same_fwd(struct resolver *r, unsigned i)
{
    const struct config_fwd *fwd = &r->config->fwds[i];
    char mine[FORWARD_BYTES], other[FORWARD_BYTES], place[PLACE_BYTES];
    for (unsigned k = 0; k < i; k++) {
        const struct config_fwd *earlier = &r->config->fwds[k];
        if (!want_the_same(fwd, earlier))
            continue;
        struct config_place at = config_place_of(r->draft, &r->draft->fwds[k].item);
        resolve_conflict(r, &r->draft->fwds[i].item, "fwd", "%s and %s at %s want the same packets",
                         forward_text(fwd, mine), forward_text(earlier, other),
                         config_place_text(at, place));
    }
}

void resolve_fwds(struct resolver *r)
{
    r->config->fwd_count = (uint16_t)r->draft->fwd_count;
    for (unsigned i = 0; i < r->config->fwd_count; i++) {
        const struct draft_fwd *draft = &r->draft->fwds[i];
        struct config_fwd *fwd = &r->config->fwds[i];
        fwd->protocols = draft->forward.protocols;
        fwd->bind = draft->forward.bind;
        fwd->first_port = fwd->last_port = ntoh16(draft->forward.port);
        fwd->target_count = 1;
        fwd->target_port = ntoh16(draft->forward.target_port);
        fwd->targets[0] = draft->forward.ip;
        fwd->from = draft->from.ip;
        fwd->from_prefix = draft->from.prefix;
        fwd->net = CONFIG_NO_NET;
        if (draft->forward.target == TARGET_NAME)
            find_named_target(r, i);
        else if (draft->forward.target == TARGET_FIRST_LEASE)
            find_first_lease(r, i);
        check_target(r, i);
        check_bind(r, i);
        check_own_services(r, i);
        check_same_fwd(r, i);
    }
}
