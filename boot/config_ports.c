/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Ports: which one is meant, what port= says of each, and the VLANs (IEEE 802.1Q) by which ports
 * carry networks and the uplink.
 *
 * A port without vlan= and trunk= belongs to one network (or the uplink) as a whole: its untagged
 * frames do. With one of them, only VLAN IDs attach it: the ID of an access port (vlan=) and the
 * native ID of a trunk stand for its untagged frames, every other ID of a trunk for frames with
 * that tag. A claim is therefore a port and a tag, 0 being untagged, and has at most one owner.
 */
#include <stdio.h>

#include "config_resolve.h"

/* ---- which port ---- */

/* The number of the port with this name: -1 if that port was not found, -2 if no port has it. */
static int find_name(const struct resolver *r, const char *name)
{
    for (unsigned k = 0; k < r->draft->port_count; k++)
        if (strcmp(r->draft->ports[k].name, name) == 0)
            return r->port_of[k];
    return -2;
}

int resolve_find_port(const struct resolver *r, const struct draft_port_ref *port)
{
    if (port->kind == PORT_BY_NAME)
        return find_name(r, port->name);
    if (port->kind == PORT_BY_NUMBER)
        return port->number < r->count ? port->number : -1;
    for (unsigned i = 0; i < r->count; i++)
        if (memcmp(r->ports[i].mac, port->mac, MAC_BYTES) == 0)
            return (int)i;
    return -1;
}

static void no_such_name(struct resolver *r, const char *name, const struct draft_item *item,
                         const char *key)
{
    struct suggestion suggestion;
    config_suggest_begin(&suggestion, (struct span){name, strlen(name)});
    for (unsigned k = 0; k < r->draft->port_count; k++)
        config_suggest_offer(&suggestion, r->draft->ports[k].name);
    if (!(r->broken & BROKEN_PORT))
        resolve_conflict(r, item, key, "no port= is called %s%s%s%s", name,
                         suggestion.best ? "; did you mean '" : "",
                         suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
}

int resolve_port(struct resolver *r, const struct draft_port_ref *port,
                 const struct draft_item *item, const char *key)
{
    char mac[MAC_TEXT_BYTES], have[40];
    int found = resolve_find_port(r, port);
    if (found >= 0)
        return found;
    if (port->kind == PORT_BY_NAME) {
        if (found == -2)
            no_such_name(r, port->name, item, key);
        return -1;
    }
    if (r->count == 0)
        snprintf(have, sizeof(have), "this machine has no port");
    else if (r->count == 1)
        snprintf(have, sizeof(have), "this machine has port 0 only");
    else
        snprintf(have, sizeof(have), "this machine has ports 0-%u", r->count - 1);
    if (port->kind == PORT_BY_MAC)
        resolve_conflict(r, item, key, "no port has the MAC %s: %s", value_mac_text(port->mac, mac),
                         have);
    else
        resolve_conflict(r, item, key, "there is no port %u: %s", port->number, have);
    return -1;
}

/* ---- port= ---- */

static void check_name(struct resolver *r, unsigned k)
{
    const struct draft_port *port = &r->draft->ports[k];
    for (unsigned i = 0; i < k && port->name[0]; i++)
        if (strcmp(port->name, r->draft->ports[i].name) == 0 && r->port_of[i] >= 0)
            resolve_conflict(r, &port->item, "port", "name %s is given to port %d and to port %d",
                             port->name, r->port_of[i], r->port_of[k]);
}

static void check_vlan_options(struct resolver *r, const struct draft_port *port, int p)
{
    bool trunk = draft_given(&port->item, FIELD_PORT_TRUNK);
    if (port->vlan && trunk)
        resolve_conflict(r, &port->item, "port",
                         "port %d: vlan= (an access port) and trunk= exclude each other", p);
    if (port->native && !trunk)
        resolve_conflict(r, &port->item, "port",
                         "port %d: native=%u needs trunk=; where all frames are untagged write "
                         "vlan=%u",
                         p, port->native, port->native);
    if ((port->vlan && trunk) || (port->native && !trunk))
        r->broken |= BROKEN_PORT;
}

static void apply(struct config_port *to, const struct draft_port *port)
{
    snprintf(to->name, sizeof(to->name), "%s", port->name);
    to->lock = port->lock.kind;
    memcpy(to->lock_mac, port->lock.mac, MAC_BYTES);
    to->promisc = port->promisc;
    to->rate_in_bps = port->rate.in_bps;
    to->rate_out_bps = port->rate.out_bps;
    if (draft_given(&port->item, FIELD_PORT_STORM))
        to->storm_pps = port->storm_pps;
}

void resolve_port_settings(struct resolver *r)
{
    char place[PLACE_BYTES];
    for (unsigned p = 0; p < CONFIG_MAX_PORTS; p++)
        r->config->ports[p].storm_pps = CONFIG_STORM_PPS;
    for (unsigned k = 0; k < r->draft->port_count; k++) {
        const struct draft_port *port = &r->draft->ports[k];
        int p = resolve_port(r, &port->port, &port->item, "port");
        r->port_of[k] = (int8_t)p;
        if (p < 0) {
            r->broken |= BROKEN_PORT;
            continue;
        }
        check_name(r, k);
        check_vlan_options(r, port, p);
        if (r->settings[p]) {
            struct config_place at = config_place_of(r->draft, &r->settings[p]->item);
            resolve_conflict(r, &port->item, "port",
                             "port %d has two port=, the other at %s: say all of it in one", p,
                             config_place_text(at, place));
            continue;
        }
        r->settings[p] = port;
        apply(&r->config->ports[p], port);
    }
}

/* ---- claims ---- */

unsigned resolve_owner(const struct resolver *r, unsigned port, unsigned tag)
{
    const struct config *config = r->config;
    if (config->uplink.present && config->uplink.port == port && config->uplink.vlan == tag)
        return OWNER_UPLINK;
    for (unsigned i = 0; i < config->net_count; i++)
        if (config->nets[i].ports >> port & 1 && config->nets[i].tag[port] == tag)
            return i;
    return OWNER_NONE;
}

static bool has_vlans(const struct draft_port *port)
{
    return port && (port->vlan || draft_given(&port->item, FIELD_PORT_TRUNK));
}

bool resolve_port_used(const struct resolver *r, unsigned port)
{
    const struct config *config = r->config;
    if (config->uplink.present && config->uplink.port == port)
        return true;
    for (unsigned i = 0; i < config->net_count; i++)
        if (config->nets[i].ports >> port & 1)
            return true;
    return false;
}

bool resolve_port_left(const struct resolver *r, unsigned port)
{
    return !has_vlans(r->settings[port]) && !resolve_port_used(r, port);
}

static bool is_uplink_port(const struct resolver *r, unsigned port)
{
    return r->config->uplink.present && r->config->uplink.port == port;
}

/* The tag with which the port carries a VLAN, 0 for untagged; -1 if it does not. */
static int tag_of(const struct draft_port *port, unsigned vlan)
{
    if (port->vlan)
        return port->vlan == vlan ? 0 : -1;
    if (port->native == vlan)
        return 0;
    if (port->trunk.all)
        return (int)vlan;
    for (unsigned i = 0; i < port->trunk.count; i++)
        if (port->trunk.id[i] == vlan)
            return (int)vlan;
    return -1;
}

/* ports= of network net names port: true if that stands. */
bool resolve_claim(struct resolver *r, unsigned net, unsigned port)
{
    struct config_net *to = &r->config->nets[net];
    const struct draft_item *item = net_item(r, net);
    const struct draft_port *set = r->settings[port];
    unsigned owner = resolve_owner(r, port, 0);
    if (is_uplink_port(r, port) && config_mode(to)->joins_uplink)
        resolve_conflict(r, item, "net",
                         "port %u is the uplink: it belongs to bridge network %s by itself; leave "
                         "it out of ports=",
                         port, to->name);
    else if (owner == OWNER_UPLINK)
        resolve_conflict(r, item, "net", "port %u is the uplink and in network %s", port, to->name);
    else if (owner != OWNER_NONE)
        resolve_conflict(r, item, "net", "port %u is in network %s and in network %s", port,
                         r->config->nets[owner].name, to->name);
    else if (has_vlans(set) && !(to->vlan && tag_of(set, to->vlan) == 0)) {
        if (set->vlan)
            resolve_conflict(r, item, "net",
                             "port %u is in ports= of network %s, but all of it is VLAN %u "
                             "(port=...,vlan=%u)",
                             port, to->name, set->vlan, set->vlan);
        else
            resolve_conflict(r, item, "net",
                             "port %u is in ports= of network %s, but it is a trunk: give the "
                             "network a vlan=, and for untagged frames the trunk native=",
                             port, to->name);
    } else {
        to->ports |= 1u << port;
        return true;
    }
    return false;
}

void resolve_uplink_vlan(struct resolver *r)
{
    const struct draft_uplink *draft = &r->draft->uplink;
    struct config_uplink *uplink = &r->config->uplink;
    const struct draft_port *set = r->settings[uplink->port];
    unsigned p = uplink->port;
    uplink->vlan = draft->vlan;
    if (!has_vlans(set))
        return;
    int tag = draft->vlan ? tag_of(set, draft->vlan) : -1;
    if (tag >= 0) {
        uplink->vlan = (uint16_t)tag;
        return;
    }
    r->broken |= BROKEN_UPLINK;
    if (set->vlan && !draft->vlan)
        resolve_conflict(r, &draft->item, "uplink",
                         "uplink: all of port %u is VLAN %u (port=...,vlan=%u): write "
                         "uplink=...,vlan=%u, or drop the port's vlan=",
                         p, set->vlan, set->vlan, set->vlan);
    else if (set->vlan)
        resolve_conflict(r, &draft->item, "uplink",
                         "uplink: all of port %u is VLAN %u (port=...,vlan=%u), not VLAN %u", p,
                         set->vlan, set->vlan, draft->vlan);
    else if (!draft->vlan)
        resolve_conflict(r, &draft->item, "uplink",
                         "uplink: port %u is a trunk: which VLAN of it is the uplink? "
                         "uplink=...,vlan=ID, with native=ID in port= if it is untagged",
                         p);
    else
        resolve_conflict(r, &draft->item, "uplink",
                         "uplink: the trunk of port %u does not carry its VLAN %u", p, draft->vlan);
}

/* ---- VLANs ---- */

static unsigned net_of_vlan(const struct resolver *r, unsigned vlan)
{
    for (unsigned i = 0; i < r->config->net_count; i++)
        if (r->config->nets[i].vlan == vlan)
            return i;
    return OWNER_NONE;
}

static void nobodys_vlan(struct resolver *r, unsigned p, unsigned vlan)
{
    const struct draft_uplink *uplink = &r->draft->uplink;
    const struct draft_item *item = &r->settings[p]->item;
    if (r->broken & (BROKEN_NET | BROKEN_UPLINK))
        return;
    r->broken |= BROKEN_PORT; /* whose the port was meant to be is not known */
    if (uplink->vlan == vlan)
        resolve_conflict(r, item, "port",
                         "port %u carries VLAN %u, the uplink's on port %u; to join it here write "
                         "a net= of mode bridge with vlan=%u",
                         p, vlan, r->config->uplink.port, vlan);
    else
        resolve_conflict(r, item, "port", "port %u carries VLAN %u, and no net= has vlan=%u", p,
                         vlan, vlan);
}

/* The uplink's port carries a VLAN that is the uplink's and network n's, or a bridge network's. The
 * latter's is no news where it is the uplink's own or all VLANs were meant; all else is told. */
static void contest(struct resolver *r, unsigned p, unsigned vlan, unsigned n, bool listed)
{
    const struct config_net *net = &r->config->nets[n];
    const struct draft_item *item = &r->settings[p]->item;
    bool joins = config_mode(net)->joins_uplink;
    if (joins && (!listed || r->draft->uplink.vlan == vlan))
        return;
    r->carried |= 1u << n; /* that it may have no other port is not worth a second message */
    if (!joins)
        resolve_conflict(r, item, "port", "VLAN %u of port %u is the uplink's and network %s's",
                         vlan, p, net->name);
    else if (!(r->broken & BROKEN_UPLINK))
        resolve_conflict(r, item, "port",
                         "port %u is the uplink: it belongs to bridge network %s by itself, not by "
                         "VLAN %u",
                         p, net->name, vlan);
}

/* Port p carries a VLAN, because its ID is listed or because all are. */
static void attach(struct resolver *r, unsigned p, unsigned vlan, bool listed)
{
    unsigned n = net_of_vlan(r, vlan);
    struct config_net *net = n == OWNER_NONE ? NULL : &r->config->nets[n];
    bool uplinks = is_uplink_port(r, p) && r->draft->uplink.vlan == vlan;
    if (!net) {
        if (!uplinks)
            nobodys_vlan(r, p, vlan);
        return;
    }
    if (uplinks || (is_uplink_port(r, p) && config_mode(net)->joins_uplink)) {
        contest(r, p, vlan, n, listed);
        return;
    }
    r->carried |= 1u << n;
    int tag = tag_of(r->settings[p], vlan);
    if (resolve_owner(r, p, (unsigned)tag) != OWNER_NONE)
        return; /* told already, or its own by ports= */
    net->ports |= 1u << p;
    net->tag[p] = (uint16_t)tag;
}

static void attach_trunk(struct resolver *r, unsigned p)
{
    const struct draft_port *set = r->settings[p];
    bool any = false;
    if (set->native)
        attach(r, p, set->native, true);
    for (unsigned i = 0; i < set->trunk.count; i++)
        if (set->trunk.id[i] != set->native)
            attach(r, p, set->trunk.id[i], true);
    if (!set->trunk.all)
        return;
    for (unsigned i = 0; i < r->config->net_count; i++) {
        unsigned vlan = r->config->nets[i].vlan;
        any |= vlan != 0;
        if (vlan && net_of_vlan(r, vlan) == i)
            attach(r, p, vlan, false);
    }
    any |= is_uplink_port(r, p) && r->draft->uplink.vlan;
    if (any || r->broken & (BROKEN_NET | BROKEN_UPLINK))
        return;
    r->broken |= BROKEN_PORT;
    resolve_conflict(r, &set->item, "port",
                     "port %u is a trunk of all VLANs, and no net= has a vlan=", p);
}

static void check_carried(struct resolver *r, unsigned i)
{
    const struct config_net *net = &r->config->nets[i];
    if (!net->vlan || r->carried >> i & 1 || r->broken & BROKEN_PORT)
        return;
    if (!draft_given(net_item(r, i), FIELD_NET_PORTS))
        resolve_conflict(r, net_item(r, i), "net",
                         "network %s has no port: no port= carries its VLAN %u (port=P,vlan=%u or "
                         "port=P,trunk=...)",
                         net->name, net->vlan, net->vlan);
    else
        resolve_conflict(r, net_item(r, i), "net",
                         "VLAN %u of network %s is on no port: ports= is about untagged frames; "
                         "for tagged ones write port=P,trunk=%u",
                         net->vlan, net->name, net->vlan);
}

void resolve_vlans(struct resolver *r)
{
    for (unsigned i = 0; i < r->config->net_count; i++) {
        const struct config_net *net = &r->config->nets[i];
        unsigned first = net->vlan ? net_of_vlan(r, net->vlan) : i;
        if (first == i)
            continue;
        resolve_conflict(r, net_item(r, i), "net",
                         "VLAN %u is network %s's and network %s's: one ID, one network", net->vlan,
                         r->config->nets[first].name, net->name);
        r->carried |= 1u << i;
    }
    for (unsigned p = 0; p < r->count; p++) {
        if (!has_vlans(r->settings[p]))
            continue;
        if (r->settings[p]->vlan)
            attach(r, p, r->settings[p]->vlan, true);
        else
            attach_trunk(r, p);
    }
    for (unsigned i = 0; i < r->config->net_count; i++)
        check_carried(r, i);
}

/* ---- what a port may not be ---- */

/* Has the router given, or does it keep, any address on this port? */
static bool has_leases(const struct config *config, unsigned port)
{
    for (unsigned i = 0; i < config->net_count; i++) {
        if (!(config->nets[i].ports >> port & 1))
            continue;
        if (config->nets[i].pool_first)
            return true;
        for (unsigned h = 0; h < config->host_count; h++)
            if (config->hosts[h].net == i)
                return true;
    }
    return false;
}

static const char *first_net(const struct config *config, unsigned port)
{
    unsigned n = config_net_of_port(config, port);
    return n == CONFIG_NO_NET ? "none" : config->nets[n].name;
}

void resolve_port_checks(struct resolver *r)
{
    for (unsigned p = 0; p < r->count; p++) {
        const struct config_port *port = &r->config->ports[p];
        if (!r->settings[p])
            continue;
        const struct draft_item *item = &r->settings[p]->item;
        if (is_uplink_port(r, p) && port->lock != LOCK_OFF)
            resolve_conflict(r, item, "port",
                             "port %u has a lock= and is the uplink: it would lock the outside out",
                             p);
        else if (port->lock == LOCK_IP && !has_leases(r->config, p) && resolve_port_used(r, p) &&
                 !(r->broken & (BROKEN_HOST | BROKEN_NET)))
            resolve_conflict(r, item, "port",
                             "port %u has lock=ip, and no host of network %s gets an address from "
                             "the router, by DHCP or host=: nothing would pass",
                             p, first_net(r->config, p));
        if (is_uplink_port(r, p) && port->promisc)
            resolve_conflict(r, item, "port",
                             "port %u is promisc and the uplink: what it mirrors would leave the "
                             "house",
                             p);
    }
}
