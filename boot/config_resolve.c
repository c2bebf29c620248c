/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From the draft to struct config: settings, the uplink, and in which order the rest. It matters:
 * a part is checked only against parts that are settled already, so that each contradiction is told
 * once.
 */
#include <stdarg.h>
#include <stdio.h>

#include "config_dhcpopt.h"
#include "config_names.h"
#include "config_resolve.h"
#include "config_rules.h"
#include "net/dhcp_lease.h"

static void say(struct resolver *r, enum config_family family, struct config_place place,
                const char *key, const char *format, va_list args)
{
    char text[CONFIG_MESSAGE_BYTES];
    vsnprintf(text, sizeof(text), format, args);
    config_report_add(r->report, family, place, key, "%s", text);
}

void resolve_conflict(struct resolver *r, const struct draft_item *item, const char *key,
                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(r, CONFIG_CONFLICT, config_place_of(r->draft, item), key, format, args);
    va_end(args);
}

void resolve_note(struct resolver *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(r, CONFIG_NOTE, (struct config_place){NULL, 0, 0}, NULL, format, args);
    va_end(args);
}

static void resolve_settings(struct resolver *r)
{
    const struct config_draft *draft = r->draft;
    struct config *config = r->config;
    config->log_level = draft->log.item.text ? draft->log.value : LOG_INFO;
    config->panic_halt = draft->panic.value != 0;
    config->seed_given = draft->seed.item.text != 0;
    config->seed = draft->seed.value;
    config->flows = (uint32_t)draft->flows.value;
    config->watchdog_s = (uint32_t)draft->watchdog.value;
    config->macs = (uint32_t)draft->macs.value;
    config->state = draft->state.value;
    snprintf(config->hostname, sizeof(config->hostname), "%s",
             draft->hostname.item.text ? draft->hostname.value : "sluice");
    if (config->seed_given)
        resolve_note(r, "seed= is given: every random choice can be foretold; for tests only");
}

static void resolve_static_uplink(struct resolver *r)
{
    const struct draft_uplink *draft = &r->draft->uplink;
    struct config_uplink *uplink = &r->config->uplink;
    char gw[IP4_TEXT_BYTES], ip[IP4_TEXT_BYTES];
    uplink->ip = draft->ip.ip;
    uplink->prefix = draft->ip.prefix;
    uplink->gw = draft->gw;
    uplink->dns_count = draft->dns.count;
    memcpy(uplink->dns, draft->dns.ip, sizeof(uplink->dns));
    value_ip4_text(uplink->ip, ip);
    value_ip4_text(uplink->gw, gw);
    if (draft->dhcp)
        resolve_conflict(r, &draft->item, "uplink", "uplink: dhcp and ip=%s/%u exclude each other",
                         ip, uplink->prefix);
    if (!draft_given(&draft->item, FIELD_UPLINK_GW))
        resolve_conflict(r, &draft->item, "uplink", "uplink: ip=%s/%u needs a gateway, gw=A", ip,
                         uplink->prefix);
    else if (uplink->gw == uplink->ip)
        resolve_conflict(r, &draft->item, "uplink", "uplink: gw=%s is the uplink's own address",
                         gw);
    else if (!is_host_in(uplink->gw, uplink->ip, uplink->prefix))
        resolve_conflict(r, &draft->item, "uplink",
                         "uplink: gw=%s is not a host address of the uplink's subnet, %s/%u", gw,
                         ip, uplink->prefix);
}

static void resolve_given_uplink(struct resolver *r)
{
    const struct draft_uplink *draft = &r->draft->uplink;
    struct config_uplink *uplink = &r->config->uplink;
    int port = resolve_port(r, &draft->port, &draft->item, "uplink");
    if (port < 0) {
        r->broken |= BROKEN_UPLINK;
        return;
    }
    uplink->present = true;
    uplink->port = (uint8_t)port;
    uplink->mtu = draft->mtu;
    uplink->mac_given = draft_given(&draft->item, FIELD_UPLINK_MAC);
    memcpy(uplink->mac, draft->mac, MAC_BYTES);
    resolve_uplink_vlan(r);
    if (draft_given(&draft->item, FIELD_UPLINK_IP)) {
        resolve_static_uplink(r);
        return;
    }
    uplink->dhcp = true;
    if (draft_given(&draft->item, FIELD_UPLINK_GW))
        resolve_conflict(r, &draft->item, "uplink",
                         "uplink: gw= needs ip=; by DHCP the gateway comes with the lease");
    if (draft_given(&draft->item, FIELD_UPLINK_DNS))
        resolve_conflict(r, &draft->item, "uplink",
                         "uplink: dns= needs ip=; by DHCP the servers come with the lease");
}

/* A port that some net= names, or whose port= gives it VLANs, is not the uplink unless uplink= says
 * so. A bridge network is no reason: it may name the uplink by mistake, and is told so then. */
static bool spoken_for(const struct resolver *r, unsigned port)
{
    for (unsigned i = 0; i < r->draft->net_count; i++) {
        const struct draft_port_refs *ports = &r->draft->nets[i].ports;
        for (unsigned p = 0; p < ports->count; p++)
            if (resolve_find_port(r, &ports->port[p]) == (int)port &&
                !net_modes[r->draft->nets[i].mode].joins_uplink)
                return true;
    }
    const struct draft_port *set = r->settings[port];
    return set && (set->vlan || draft_given(&set->item, FIELD_PORT_TRUNK));
}

/* Without uplink=, is the port only there for a bridge network? Then the router needs no address
 * there, and does not ask for one. */
static bool only_bridged(const struct resolver *r)
{
    bool bridged = false;
    for (unsigned i = 0; i < r->draft->net_count; i++) {
        const struct net_mode_info *mode = &net_modes[r->draft->nets[i].mode];
        bridged |= mode->joins_uplink;
        if (mode->routes_to_uplink)
            return false;
    }
    return bridged;
}

static void resolve_uplink(struct resolver *r)
{
    struct config_uplink *uplink = &r->config->uplink;
    if (r->draft->uplink.item.text) {
        resolve_given_uplink(r);
    } else if (r->count >= 2 && !(r->broken & BROKEN_UPLINK) && !spoken_for(r, 0)) {
        uplink->present = true;
        uplink->port = 0;
        uplink->silent = only_bridged(r);
        uplink->dhcp = !uplink->silent;
    }
    snprintf(uplink->hostname, sizeof(uplink->hostname), "%s",
             draft_given(&r->draft->uplink.item, FIELD_UPLINK_NAME) ? r->draft->uplink.name
                                                                    : r->config->hostname);
}

/* What is allowed but may surprise. */
static void note_oddities(struct resolver *r)
{
    const struct config_uplink *uplink = &r->config->uplink;
    for (unsigned i = 0; i < r->count; i++)
        if (!resolve_port_used(r, i))
            resolve_note(r, "port %u belongs to no network: what it receives is dropped", i);
    if (r->count == 0)
        resolve_note(r, "no network port was found: give the machine a NIC");
    for (unsigned i = 0; i < r->config->net_count; i++) {
        const struct config_net *net = &r->config->nets[i];
        if (net->pool_first && ntoh32(net->pool_last) - ntoh32(net->pool_first) >= LEASE_MAX_POOL)
            resolve_note(r, "of the pool of network %s only the first %u addresses are given out",
                         net->name, LEASE_MAX_POOL);
    }
    if (uplink->silent)
        resolve_note(r,
                     "port %u only belongs to a bridge network, and the router has no address "
                     "there; uplink=%u gives it one by DHCP",
                     uplink->port, uplink->port);
    else if (uplink->present && !uplink->dhcp && uplink->dns_count == 0)
        resolve_note(r, "uplink without dns=: the router cannot resolve names of the outside");
    if (uplink->present)
        return;
    for (unsigned i = 0; i < r->config->net_count; i++)
        if (config_mode(&r->config->nets[i])->routes_to_uplink)
            resolve_note(r, "there is no uplink: network %s has no way to the outside",
                         r->config->nets[i].name);
}

bool config_resolve(struct config_draft *draft, const struct port_info *ports, unsigned count,
                    struct config *config, struct config_report *report)
{
    struct resolver r = {.draft = draft,
                         .ports = ports,
                         .count = MIN(count, CONFIG_MAX_PORTS),
                         .config = config,
                         .report = report,
                         .broken = draft->broken};
    memset(config, 0, sizeof(*config));
    config->port_count = (uint8_t)r.count;
    if (draft->config.value == CONFIG_LENIENT) {
        config_report_forgive(report);
        r.broken &= ~(uint32_t)BROKEN_UNKNOWN;
    }
    if (r.broken & BROKEN_UNKNOWN)
        r.broken |= BROKEN_ALL;
    resolve_settings(&r);
    resolve_port_settings(&r);
    resolve_uplink(&r);
    resolve_nets(&r);
    resolve_hosts(&r);
    resolve_names(&r);
    resolve_dhcpopts(&r);
    resolve_port_checks(&r);
    resolve_fwds(&r);
    resolve_rules(&r);
    resolve_overlaps(&r);
    resolve_asserts(&r);
    config->ok = report->error_count == 0 && report->more_errors == 0;
    if (config->ok)
        note_oddities(&r);
    return config->ok;
}
