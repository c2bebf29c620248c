/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Forwards and the dmz: where they lead, and whether two of them want the same packets.
 */
#include <stdio.h>

#include "config_resolve.h"

/* Ports from 1024 on that forwards must leave, of each protocol: the hosts' own connections get
 * theirs from there, and so do the router's. */
#define PORTS_LEFT_MIN 4096
#define PORTS_COMMON   (65536 - 1024)

#define FORWARD_BYTES 32
static const char *forward_text(const struct config_fwd *fwd, char text[static FORWARD_BYTES])
{
    static const char *const names[] = {"", "tcp", "udp", "tcp+udp"};
    int n =
        snprintf(text, FORWARD_BYTES, "forward %s %u", names[fwd->protocols & 3], fwd->first_port);
    if (fwd->last_port != fwd->first_port)
        snprintf(text + n, FORWARD_BYTES - (size_t)n, "-%u", fwd->last_port);
    return text;
}

static const char *place_text(struct resolver *r, const struct draft_item *item,
                              char text[static PLACE_BYTES])
{
    return config_place_text(config_place_of(r->draft, item), text);
}

/* ---- ports ---- */

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
            own_services[s].port < fwd->first_port || own_services[s].port > fwd->last_port)
            continue;
        if (own_services[s].only_dhcp && !r->config->uplink.dhcp)
            continue;
        resolve_conflict(r, &r->draft->fwds[i].item, "fwd",
                         "%s takes a port of the uplink that the router's %s needs",
                         forward_text(fwd, text), own_services[s].what);
    }
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
        resolve_conflict(r, &r->draft->fwds[i].item, "fwd", "%s and %s at %s want the same packets",
                         forward_text(fwd, mine), forward_text(earlier, other),
                         place_text(r, &r->draft->fwds[k].item, place));
    }
}

static bool is_forwarded(const struct config *config, uint8_t protocol, unsigned port)
{
    for (unsigned i = 0; i < config->fwd_count; i++)
        if (config->fwds[i].protocols & protocol && port >= config->fwds[i].first_port &&
            port <= config->fwds[i].last_port)
            return true;
    return false;
}

/* How many ports from 1024 on are forwarded; at most limit matters. */
static unsigned count_forwarded(const struct config *config, uint8_t protocol, unsigned limit)
{
    unsigned at_most = 0, count = 0;
    for (unsigned i = 0; i < config->fwd_count; i++)
        if (config->fwds[i].protocols & protocol)
            at_most += config->fwds[i].last_port - config->fwds[i].first_port + 1u;
    if (at_most <= limit)
        return at_most;
    for (unsigned port = 1024; port < 65536; port++)
        count += is_forwarded(config, protocol, port);
    return count;
}

static void check_ports_left(struct resolver *r)
{
    static const struct {
        uint8_t protocol;
        const char *name;
    } rows[] = {{CONFIG_TCP, "tcp"}, {CONFIG_UDP, "udp"}};
    for (unsigned i = 0; i < ARRAY_COUNT(rows) && r->config->fwd_count; i++) {
        unsigned limit = PORTS_COMMON - PORTS_LEFT_MIN;
        unsigned count = count_forwarded(r->config, rows[i].protocol, limit);
        if (count > limit)
            resolve_conflict(r, &r->draft->fwds[r->config->fwd_count - 1].item, "fwd",
                             "forwards take %u of the %u %s ports from 1024 on, and must leave %u "
                             "for connections from inside",
                             count, PORTS_COMMON, rows[i].name, PORTS_LEFT_MIN);
    }
}

/* ---- targets ---- */

/* What a target is of, for messages. */
struct target_of {
    const struct draft_item *item;
    const char *key;
    const char *text; /* "forward tcp 80" */
};

static void find_named_target(struct resolver *r, const struct target_of *of, const char *name,
                              be32 *ip, uint8_t *net)
{
    struct suggestion suggestion;
    char place[PLACE_BYTES];
    config_suggest_begin(&suggestion, (struct span){name, strlen(name)});
    for (unsigned h = 0; h < r->config->host_count; h++) {
        const struct config_host *host = &r->config->hosts[h];
        config_suggest_offer(&suggestion, host->name);
        if (strcmp(host->name, name) != 0)
            continue;
        *ip = host->ip;
        *net = host->net;
        if (!host->ip)
            resolve_conflict(r, of->item, "host",
                             "%s: host %.40s at %s has no reserved address to forward to", of->text,
                             name, place_text(r, &r->draft->hosts[h].item, place));
        return;
    }
    if (!(r->broken & BROKEN_HOST))
        resolve_conflict(r, of->item, of->key, "%s: no host= is called %.40s%s%.40s%s", of->text,
                         name, suggestion.best ? "; did you mean '" : "",
                         suggestion.best ? suggestion.best : "", suggestion.best ? "'?" : "");
}

/* What QEMU and VirtualBox mean by an empty guest address. */
static void find_first_lease(struct resolver *r, const struct target_of *of, be32 *ip, uint8_t *net)
{
    char text[IP4_TEXT_BYTES];
    for (unsigned n = 0; n < r->config->net_count; n++) {
        const struct config_net *found = &r->config->nets[n];
        if (!config_mode(found)->routes_to_uplink || !found->pool_first)
            continue;
        *ip = found->pool_first;
        *net = (uint8_t)n;
        resolve_note(r, "%s names no guest: it leads to %s, the first address of the pool of %s",
                     of->text, value_ip4_text(*ip, text), found->name);
        return;
    }
    if (!(r->broken & BROKEN_NET))
        resolve_conflict(r, of->item, of->key,
                         "%s names no guest, and no network that reaches the uplink has a pool",
                         of->text);
}

/* Its address and network; 0 and CONFIG_NO_NET with an error, what: "forward tcp 80: target
 * 192.168.8.10". */
#define TARGET_BYTES 64
static void find_target(struct resolver *r, const struct target_of *of,
                        const struct draft_target *target, be32 *ip, uint8_t *net,
                        char what[static TARGET_BYTES])
{
    char text[IP4_TEXT_BYTES];
    *ip = target->ip;
    *net = CONFIG_NO_NET;
    if (target->kind == TARGET_NAME)
        find_named_target(r, of, target->name, ip, net);
    else if (target->kind == TARGET_FIRST_LEASE)
        find_first_lease(r, of, ip, net);
    if (!*ip)
        return; /* told already */
    snprintf(what, TARGET_BYTES, "%s: target %s", of->text, value_ip4_text(*ip, text));
    if (target->kind == TARGET_ADDRESS)
        *net = (uint8_t)resolve_net_of(r, of->item, of->key, what, *ip);
    resolve_check_address(r, of->item, of->key, what, *ip, *net);
}

/* Of several targets, each is another host of one network. */
static void check_among(struct resolver *r, const struct target_of *of,
                        const struct config_fwd *fwd, unsigned t, uint8_t net, const char *what)
{
    char ip[IP4_TEXT_BYTES];
    for (unsigned k = 0; k < t; k++)
        if (fwd->targets[k] == fwd->targets[t])
            resolve_conflict(r, of->item, of->key, "%s is named twice", what);
    if (t > 0 && fwd->net != CONFIG_NO_NET && net != CONFIG_NO_NET && net != fwd->net)
        resolve_conflict(
            r, of->item, of->key,
            "%s is in network %s, and %s in network %s: a forward leads to one network", what,
            r->config->nets[net].name, value_ip4_text(fwd->targets[0], ip),
            r->config->nets[fwd->net].name);
}

static void resolve_targets(struct resolver *r, unsigned i)
{
    struct config_fwd *fwd = &r->config->fwds[i];
    const struct draft_fwd *draft = &r->draft->fwds[i];
    char text[FORWARD_BYTES], what[TARGET_BYTES];
    struct target_of of = {&draft->item, "fwd", forward_text(fwd, text)};
    fwd->net = CONFIG_NO_NET;
    fwd->target_count = draft->forward.target_count;
    for (unsigned t = 0; t < fwd->target_count; t++) {
        uint8_t net;
        find_target(r, &of, &draft->forward.targets[t], &fwd->targets[t], &net, what);
        if (!fwd->targets[t])
            continue;
        check_among(r, &of, fwd, t, net, what);
        if (t == 0)
            fwd->net = net;
        if (net != CONFIG_NO_NET && !config_mode(&r->config->nets[net])->routes_to_uplink)
            resolve_conflict(r, of.item, of.key,
                             "%s is in network %s, which is %s and never reaches the uplink", what,
                             r->config->nets[net].name, config_mode(&r->config->nets[net])->name);
    }
}

static void check_uplink(struct resolver *r, const struct target_of *of)
{
    if (!r->config->uplink.present && !(r->broken & BROKEN_UPLINK))
        resolve_conflict(r, of->item, of->key, "%s needs an uplink, and there is none", of->text);
}

static void check_bind(struct resolver *r, unsigned i)
{
    const struct config_uplink *uplink = &r->config->uplink;
    const struct config_fwd *fwd = &r->config->fwds[i];
    char text[FORWARD_BYTES], bind[IP4_TEXT_BYTES], ip[IP4_TEXT_BYTES], place[PLACE_BYTES];
    struct target_of of = {&r->draft->fwds[i].item, "fwd", forward_text(fwd, text)};
    check_uplink(r, &of);
    if (fwd->bind && uplink->ip && fwd->bind != uplink->ip)
        resolve_conflict(r, of.item, of.key, "%s: %s is not the uplink's address, %s at %s", text,
                         value_ip4_text(fwd->bind, bind), value_ip4_text(uplink->ip, ip),
                         place_text(r, &r->draft->uplink.item, place));
}

/* Nobody calls from there: hosts inside that call the outside address are seen with it. */
static void check_from(struct resolver *r, unsigned i)
{
    const struct config_fwd *fwd = &r->config->fwds[i];
    char text[FORWARD_BYTES], from[IP4_TEXT_BYTES];
    for (unsigned n = 0; n < r->config->net_count; n++) {
        const struct config_net *net = &r->config->nets[n];
        if (fwd->from_prefix >= net->prefix && config_net_has(net, fwd->from))
            resolve_conflict(r, &r->draft->fwds[i].item, "fwd",
                             "%s: from=%s/%u is in network %s, whose hosts call from the uplink's "
                             "address",
                             forward_text(fwd, text), value_ip4_text(fwd->from, from),
                             fwd->from_prefix, net->name);
    }
}

static void resolve_dmz(struct resolver *r)
{
    struct config *config = r->config;
    struct target_of of = {&r->draft->dmz.item, "dmz", "dmz"};
    char what[TARGET_BYTES];
    config->dmz_net = CONFIG_NO_NET;
    if (!r->draft->dmz.item.text)
        return;
    find_target(r, &of, &r->draft->dmz.target, &config->dmz, &config->dmz_net, what);
    check_uplink(r, &of);
    if (config->dmz_net == CONFIG_NO_NET)
        return;
    const struct config_net *net = &config->nets[config->dmz_net];
    if (!config_mode(net)->translates)
        resolve_conflict(r, of.item, of.key, "%s is in network %s, which is %s and not translated",
                         what, net->name, config_mode(net)->name);
}

void resolve_fwds(struct resolver *r)
{
    r->config->fwd_count = (uint16_t)r->draft->fwd_count;
    for (unsigned i = 0; i < r->config->fwd_count; i++) {
        const struct draft_fwd *draft = &r->draft->fwds[i];
        struct config_fwd *fwd = &r->config->fwds[i];
        fwd->protocols = draft->forward.protocols;
        fwd->bind = draft->forward.bind;
        fwd->first_port = draft->forward.first_port;
        fwd->last_port = draft->forward.last_port;
        fwd->target_port = draft->forward.target_port;
        fwd->from = draft->from.ip;
        fwd->from_prefix = draft->from.prefix;
        resolve_targets(r, i);
        check_bind(r, i);
        check_from(r, i);
        check_own_services(r, i);
        check_same_fwd(r, i);
    }
    check_ports_left(r);
    resolve_dmz(r);
}
