/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dnsrec=, dnsfwd= and dnsprivate=: reading them, and whether they contradict other names, the
 * networks or the uplink.
 *
 * A dnsfwd= server may be outside or a host of one of our networks: the router asks from its own
 * address there. It cannot be the router itself, which would ask itself for ever, nor an address
 * that two networks have.
 */
#include <stdio.h>

#include "config_names.h"

/* ---- reading ---- */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Labels of letters, digits, '_' and inner hyphens, and a letter in the last one, so that it is no
 * address. Reverse zones (8.168.192.in-addr.arpa) are domains like others. */
static bool read_name(struct span text, char *to)
{
    struct span label;
    bool letter = false;
    if (text.n >= CONFIG_DOMAIN_BYTES)
        return false;
    for (size_t i = 0; i < text.n; i++)
        to[i] = lower(text.s[i]);
    to[text.n] = 0;
    text.s = to;
    while (span_cut(&text, '.', &label)) {
        if (label.n == 0 || label.s[0] == '-' || label.s[label.n - 1] == '-')
            return false;
        letter = false;
        for (size_t i = 0; i < label.n; i++) {
            if (!is_name_byte(label.s[i]))
                return false;
            letter |= label.s[i] >= 'a' && label.s[i] <= 'z';
        }
    }
    return letter;
}

static const char *named_read(struct span *text, const struct value_type *type, void *to)
{
    struct draft_named *named = to;
    struct span address = *text, name;
    span_cut(&address, ':', &name);
    if (!address.s)
        return type->what;
    if (!read_name(name, named->name)) {
        *text = name;
        return "a name of letters, digits, '-' and '_', with dots between its parts, at most 63 "
               "characters";
    }
    *text = address;
    return value_address.read(text, &named->ip);
}

static const char *dnsrec_read(struct span *text, void *to)
{
    return named_read(text, &value_dnsrec, to);
}

static const char *dnsfwd_read(struct span *text, void *to)
{
    return named_read(text, &value_dnsfwd, to);
}

static const char *dnsprivate_read(struct span *text, void *to)
{
    return read_name(*text, ((struct draft_named *)to)->name) ? NULL : value_dnsprivate.what;
}

const struct value_type value_dnsrec = {
    "NAME:A", "a name and its address, like nas:192.168.8.5 or nas.home.example:192.168.8.5",
    dnsrec_read, NULL, false};

const struct value_type value_dnsfwd = {"DOMAIN:A",
                                        "a domain and its server, like corp.example:192.168.8.53",
                                        dnsfwd_read, NULL, false};

const struct value_type value_dnsprivate = {"DOMAIN|all", "a domain, like plex.direct, or all",
                                            dnsprivate_read, NULL, false};

/* ---- names ---- */

/* A domain in which the router is the one to ask. */
static bool is_own_domain(const struct config *config, const char *domain)
{
    for (unsigned i = 0; i < config->net_count; i++) {
        const struct config_net *net = &config->nets[i];
        if (net->ip && net->dns_self && domain[0] && strcmp(net->domain, domain) == 0)
            return true;
    }
    return false;
}

/* True if whoever asks for one of the two may mean the other: they are equal, or one is the other's
 * single label with a domain of ours behind it. */
static bool same_name(const struct config *config, const char *a, const char *b)
{
    size_t n = strcspn(a, "."), m = strcspn(b, ".");
    if (n != m || memcmp(a, b, n) != 0)
        return false;
    if (a[n] && b[m])
        return strcmp(a + n, b + m) == 0;
    return a[n] == b[m] || is_own_domain(config, a[n] ? a + n + 1 : b + m + 1);
}

static void check_name(struct resolver *r, unsigned i)
{
    const struct config *config = r->config;
    const struct draft_item *item = &r->draft->dnsrecs[i].item;
    const char *name = config->dnsrecs[i].name;
    char mac[MAC_TEXT_BYTES], place[PLACE_BYTES];
    if (same_name(config, name, config->hostname))
        resolve_conflict(r, item, "dnsrec", "name %.60s is the router's own (hostname=)", name);
    for (unsigned h = 0; h < config->host_count; h++)
        if (config->hosts[h].name[0] && same_name(config, name, config->hosts[h].name))
            resolve_conflict(r, item, "dnsrec", "name %.60s is that of host %s", name,
                             value_mac_text(config->hosts[h].mac, mac));
    for (unsigned k = 0; k < i; k++) {
        if (!same_name(config, name, config->dnsrecs[k].name))
            continue;
        struct config_place at = config_place_of(r->draft, &r->draft->dnsrecs[k].item);
        resolve_conflict(r, item, "dnsrec",
                         "name %.60s has an address already, by dnsrec=%.60s "
                         "at %s",
                         name, config->dnsrecs[k].name, config_place_text(at, place));
    }
}

/* ---- servers ---- */

/* The network server is in, or CONFIG_NO_NET; a second one in *other. */
static unsigned find_server(const struct config *config, be32 server, unsigned *other)
{
    unsigned found = CONFIG_NO_NET;
    *other = CONFIG_NO_NET;
    for (unsigned i = config->net_count; i > 0; i--) {
        if (!config_net_has(&config->nets[i - 1], server))
            continue;
        *other = found;
        found = i - 1;
    }
    return found;
}

static void check_inside(struct resolver *r, const struct draft_item *item, const char *what,
                         be32 server, unsigned n, unsigned other)
{
    const struct config_net *net = &r->config->nets[n];
    if (other != CONFIG_NO_NET)
        resolve_conflict(r, item, "dnsfwd",
                         "%s is in network %s and in network %s: the router "
                         "cannot tell whom to ask",
                         what, net->name, r->config->nets[other].name);
    else if (server == net->ip)
        resolve_conflict(r, item, "dnsfwd",
                         "%s is the router's own address in network %s: it "
                         "would ask itself",
                         what, net->name);
    else if (!is_host_in(server, net->ip, net->prefix))
        resolve_conflict(r, item, "dnsfwd", "%s is the first or last address of network %s", what,
                         net->name);
}

static void check_outside(struct resolver *r, const struct draft_item *item, const char *what,
                          be32 server)
{
    const struct config_uplink *uplink = &r->config->uplink;
    if (!uplink->present || uplink->silent) {
        if (!(r->broken & (BROKEN_UPLINK | BROKEN_NET)))
            resolve_conflict(r, item, "dnsfwd",
                             "%s is outside every network, and the router has "
                             "no uplink to ask it by",
                             what);
    } else if (server == uplink->ip) {
        resolve_conflict(r, item, "dnsfwd",
                         "%s is the uplink's own address: the router would ask "
                         "itself",
                         what);
    }
}

static void resolve_server(struct resolver *r, unsigned i)
{
    struct config_dnsfwd *fwd = &r->config->dnsfwds[i];
    const struct draft_item *item = &r->draft->dnsfwds[i].item;
    char what[CONFIG_DOMAIN_BYTES + 40], ip[IP4_TEXT_BYTES];
    unsigned other, net = find_server(r->config, fwd->server, &other);
    fwd->net = (uint8_t)net;
    snprintf(what, sizeof(what), "dnsfwd %s: server %s", fwd->domain,
             value_ip4_text(fwd->server, ip));
    if (net == CONFIG_NO_NET)
        check_outside(r, item, what, fwd->server);
    else
        check_inside(r, item, what, fwd->server, net, other);
}

void resolve_names(struct resolver *r)
{
    struct config *config = r->config;
    bool asked = false;
    config->dnsrec_count = (uint16_t)r->draft->dnsrec_count;
    for (unsigned i = 0; i < config->dnsrec_count; i++) {
        const struct draft_named *named = &r->draft->dnsrecs[i].value;
        memcpy(config->dnsrecs[i].name, named->name, CONFIG_DOMAIN_BYTES);
        config->dnsrecs[i].ip = named->ip;
        check_name(r, i);
    }
    config->dnsfwd_count = (uint16_t)r->draft->dnsfwd_count;
    for (unsigned i = 0; i < config->dnsfwd_count; i++) {
        const struct draft_named *named = &r->draft->dnsfwds[i].value;
        memcpy(config->dnsfwds[i].domain, named->name, CONFIG_DOMAIN_BYTES);
        config->dnsfwds[i].server = named->ip;
        resolve_server(r, i);
    }
    config->dnsprivate_count = (uint16_t)r->draft->dnsprivate_count;
    for (unsigned i = 0; i < config->dnsprivate_count; i++) {
        const char *name = r->draft->dnsprivates[i].value.name;
        if (strcmp(name, "all") != 0)
            memcpy(config->dnsprivates[i], name, CONFIG_DOMAIN_BYTES);
    }
    for (unsigned i = 0; i < config->net_count; i++)
        asked |= config->nets[i].ip && config->nets[i].dns_self;
    if (!asked && (config->dnsrec_count || config->dnsfwd_count) && !(r->broken & BROKEN_NET))
        resolve_note(r, "dnsrec= and dnsfwd= have no effect: no network has dns=self");
}

/* ---- what was understood ---- */

void config_print_names(const struct config *config, config_line out)
{
    char text[CONFIG_DOMAIN_BYTES + 80], ip[IP4_TEXT_BYTES];
    if (config->dnsrec_count) {
        snprintf(text, sizeof(text), "%-9s%u of dnsrec=", "names", config->dnsrec_count);
        out(text);
    }
    for (unsigned i = 0; i < config->dnsprivate_count; i++) {
        snprintf(text, sizeof(text), "%s may lead inside",
                 config->dnsprivates[i][0] ? config->dnsprivates[i] : "any name");
        config_print_wrapped("names", text, out);
    }
    for (unsigned i = 0; i < config->dnsfwd_count; i++) {
        const struct config_dnsfwd *fwd = &config->dnsfwds[i];
        snprintf(text, sizeof(text), "%s -> %s %s", fwd->domain, value_ip4_text(fwd->server, ip),
                 fwd->net == CONFIG_NO_NET ? "outside" : config->nets[fwd->net].name);
        config_print_wrapped("names", text, out);
    }
}
