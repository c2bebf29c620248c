/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reservations: whether their addresses are ones of a network, and whether two want the same thing.
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

void resolve_check_address(struct resolver *r, const struct draft_item *item, const char *key,
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
            resolve_check_address(r, &draft->item, "host", what, host->ip, host->net);
        } else if (draft_given(&draft->item, FIELD_HOST_NET)) {
            resolve_conflict(r, &draft->item, "host",
                             "net=%s says where an address is, and this host has none", draft->net);
        }
        check_same_host(r, i);
    }
}
