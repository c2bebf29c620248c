/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DHCP server; see dhcp_server.h.
 *
 * Theory of operation. A request is read once into a struct dhcp_message. The function for its type
 * decides on a slot of the lease table and on an answer (offer, ack, nak or silence); one function
 * then writes the answer and one decides where it goes. Offers take a slot for a short while, acks
 * until the lease ends.
 */
#include "net/dhcp_server_internal.h"

#include "log.h"
#include "net/wire/eth.h"
#include "net/wire/text.h"

#include <stdio.h>

static uint32_t mac_slot(const uint8_t *mac)
{
    return (load_raw32(mac + 2) * 2654435761u >> 16) % (2 * CONFIG_MAX_HOSTS);
}

static unsigned find_host(const struct dhcp_server *s, const uint8_t *mac)
{
    for (uint32_t i = mac_slot(mac);; i = (i + 1) % ARRAY_COUNT(s->host_index)) {
        unsigned host = s->host_index[i];
        if (host == CONFIG_MAX_HOSTS || mac_equal(s->config->hosts[host].mac, mac))
            return host;
    }
}

int dhcp_server_init(struct dhcp_server *s, const struct config *config, const struct dhcp_ops *ops,
                     void *ctx, const uint8_t *random, alloc_fn alloc, alloc_fn alloc_dirty)
{
    memset(s, 0, sizeof(*s));
    s->config = config;
    s->ops = ops;
    s->ctx = ctx;
    for (unsigned i = 0; i < ARRAY_COUNT(s->host_index); i++)
        s->host_index[i] = CONFIG_MAX_HOSTS;
    for (unsigned h = 0; h < config->host_count; h++) {
        uint32_t i = mac_slot(config->hosts[h].mac);
        while (s->host_index[i] != CONFIG_MAX_HOSTS)
            i = (i + 1) % ARRAY_COUNT(s->host_index);
        s->host_index[i] = (uint16_t)h;
    }
    for (unsigned i = 0; i < config->net_count; i++) {
        if (!config->nets[i].pool_first || !config_mode(&config->nets[i])->dhcp)
            continue;
        int err = lease_table_init(&s->leases[i], config, i, random, alloc, alloc_dirty);
        if (err)
            return err;
    }
    return 0;
}

uint32_t dhcp_lease_time(const struct exchange *x)
{
    if (x->host != CONFIG_MAX_HOSTS && x->s->config->hosts[x->host].lease_s)
        return x->s->config->hosts[x->host].lease_s;
    return x->net->lease_s;
}

static uint32_t expiry(const struct exchange *x)
{
    uint32_t lease_s = dhcp_lease_time(x);

    if (lease_s >= CONFIG_FOREVER - LEASE_GRACE_S - x->now_s)
        return CONFIG_FOREVER;
    return x->now_s + lease_s + LEASE_GRACE_S;
}

/* The address reserved for this client in this network counts; elsewhere it is a client like
 * others. */
static unsigned reservation(const struct exchange *x)
{
    if (x->host == CONFIG_MAX_HOSTS)
        return CONFIG_MAX_HOSTS;
    const struct config_host *host = &x->s->config->hosts[x->host];
    return host->ip && host->net == x->from->network ? x->host : CONFIG_MAX_HOSTS;
}

/* ---- who holds what ---- */

static void unbind(const struct exchange *x, const struct lease *l)
{
    if (l->host == CONFIG_MAX_HOSTS)
        x->s->ops->unbind(x->s->ctx, x->from->network, l->ip);
}

/* Makes l the client's slot; another one that it had is given up. */
static void take(const struct exchange *x, struct lease *l, enum lease_state state,
                 uint32_t expires_s)
{
    const struct lease *old = lease_of_client(x->leases, &x->who);

    if (old && old != l)
        unbind(x, old);
    lease_take(x->leases, l, &x->who, x->m->mac, x->from->port, state, expires_s);
    if (state == LEASE_GRANTED && l->host == CONFIG_MAX_HOSTS)
        /* Of a lease without end, too: those are 136 years. */
        x->s->ops->bind(x->s->ctx, x->from->network, l->ip, l->mac, expires_s * 1000000ull);
}

/* What ends a lease must come from who has it: it is easily forged. A relay sends in its own name.
 */
static bool is_from_holder(const struct exchange *x, const struct lease *l)
{
    return mac_equal(l->mac, x->m->mac) && (x->m->giaddr || mac_equal(x->from->mac, x->m->mac));
}

/* ---- what to answer ---- */

/* Once a minute in each network. */
static bool may_complain(const struct exchange *x)
{
    if (x->now_s < x->s->next_complaint_s[x->from->network])
        return false;
    x->s->next_complaint_s[x->from->network] = x->now_s + 60;
    return true;
}

static void complain_exhausted(const struct exchange *x)
{
    x->s->counters.exhausted++;
    if (may_complain(x))
        log_warn("dhcp      %s: all %u addresses of the pool are in use; make pool= larger",
                 x->net->name, x->leases->pool_count);
}

/* The client's port may have no more of the pool, whose rest is for the others. */
static void complain_share(const struct exchange *x)
{
    char mac[MAC_TEXT_BYTES];

    x->s->counters.over_share++;
    if (may_complain(x))
        log_warn("dhcp      %s: port %u holds %u of %u addresses, its share, and %s gets none; "
                 "make pool= larger",
                 x->net->name, x->from->port, x->leases->held[x->from->port], x->leases->dynamic,
                 mac_text(mac, x->m->mac));
}

/* The slot of the client's reservation, or the best one. */
static struct lease *choose(const struct exchange *x)
{
    unsigned host = reservation(x);

    if (host != CONFIG_MAX_HOSTS)
        return lease_of_ip(x->leases, x->s->config->hosts[host].ip);
    return lease_choose(x->leases, &x->who, x->m->mac, x->m->requested, x->now_s);
}

/* True if the slot is in use under the client's name, but by another hardware address. */
static bool is_others(const struct exchange *x, const struct lease *l)
{
    return (l->state == LEASE_OFFERED || l->state == LEASE_GRANTED) && !lease_over(l, x->now_s) &&
           lease_id_equal(&l->who, &x->who) && !mac_equal(l->mac, x->m->mac) &&
           l->host == CONFIG_MAX_HOSTS;
}

/* True if an address need not be asked for by ARP before it is offered to the client. An address
 * reserved for it is its by right, whoever has it. */
static bool is_known_free(const struct exchange *x, const struct lease *l)
{
    bool its_own =
        l->state == LEASE_SEEN ||
        (l->state != LEASE_FREE && l->state != LEASE_DECLINED && lease_id_equal(&l->who, &x->who));

    return l->host != CONFIG_MAX_HOSTS || (its_own && mac_equal(l->mac, x->m->mac)) ||
           (l->probed_s && x->now_s - (l->probed_s - 1) < LEASE_PROBED_S);
}

static unsigned offer(struct exchange *x, struct lease **l)
{
    if (!*l) {
        complain_exhausted(x);
        return 0;
    }
    if (!lease_in_share(x->leases, *l, &x->who, x->from->port)) {
        complain_share(x);
        return 0;
    }
    bool known_free = is_known_free(x, *l);
    /* Who forges a discover in a client's name must not shorten that client's lease. */
    if (!lease_live(*l, x->now_s) || !lease_id_equal(&(*l)->who, &x->who))
        take(x, *l, LEASE_OFFERED, x->now_s + LEASE_OFFER_S);
    return known_free || !dhcp_probe_start(x, *l, false) ? DHCP_TYPE_OFFER : 0;
}

unsigned dhcp_discover_clone(struct exchange *x, struct lease **l)
{
    char mac[MAC_TEXT_BYTES], other[MAC_TEXT_BYTES];

    x->s->counters.clones++;
    log_info("dhcp      %s and %s have one client identifier; each gets an address",
             mac_text(mac, x->m->mac), mac_text(other, (*l)->mac));
    x->clone = true;
    x->who = lease_id_of(x->leases, x->m->client_id.at, x->m->client_id.n, x->m->mac, true);
    *l = choose(x);
    return offer(x, l);
}

unsigned dhcp_discover(struct exchange *x, struct lease **l)
{
    *l = choose(x);
    if (*l && is_others(x, *l)) {
        /* Two that ask at once are two. */
        if ((*l)->state == LEASE_GRANTED && dhcp_probe_start(x, *l, true))
            return 0;
        return dhcp_discover_clone(x, l);
    }
    return offer(x, l);
}

/* Whose the name is if a client cannot call itself so - it is the router's, a reservation's, one of
 * dnsrec= in its network's domain, or a domain itself - else NULL. */
static const char *owner_of(const struct exchange *x, const char *name)
{
    const struct config *config = x->s->config;
    char full[LEASE_NAME_BYTES + CONFIG_DOMAIN_BYTES];
    size_t n = strlen(name), whole;

    if (host_name_equal(config->hostname, name, n))
        return "the router's own (hostname=)";
    for (unsigned h = 0; h < config->host_count; h++)
        if (host_name_equal(config->hosts[h].name, name, n))
            return "that of a host=";
    whole = (size_t)snprintf(full, sizeof(full), "%s.%s", name, x->net->domain);
    for (unsigned i = 0; i < config->dnsrec_count; i++)
        if (host_name_equal(config->dnsrecs[i].name, name, n) ||
            host_name_equal(config->dnsrecs[i].name, full, whole))
            return "that of a dnsrec=";
    for (unsigned i = 0; i < config->dnsfwd_count; i++)
        if (host_name_equal(config->dnsfwds[i].domain, name, n) ||
            host_name_equal(config->dnsfwds[i].domain, full, whole))
            return "that of a dnsfwd=";
    for (unsigned i = 0; i < config->net_count; i++)
        if (host_name_equal(config->nets[i].domain, name, n) ||
            host_name_equal(config->nets[i].domain, full, whole))
            return "that of a domain";
    return NULL;
}

static void tell_name_refused(const struct exchange *x, const char *name, const char *whose)
{
    char mac[MAC_TEXT_BYTES];

    x->s->counters.names_refused++;
    if (x->now_s < x->s->next_name_told_s[x->from->network])
        return;
    x->s->next_name_told_s[x->from->network] = x->now_s + 60;
    log_warn("dhcp      %s: %s calls itself %s, which is %s: it has no name in DNS", x->net->name,
             mac_text(mac, x->m->mac), name, whose);
}

/* The client's name as the lease keeps it: the reservation's, else its own if nobody else has it.
 */
static void name_lease(const struct exchange *x, struct lease *l)
{
    char name[LEASE_NAME_BYTES];

    if (x->host != CONFIG_MAX_HOSTS && x->s->config->hosts[x->host].name[0]) {
        lease_set_name(x->leases, l, x->s->config->hosts[x->host].name);
        return;
    }
    if (!x->m->name.at) /* a renewal need not repeat it */
        return;
    host_name_clean(name, sizeof(name), x->m->name.at, x->m->name.n);
    if (strcmp(name, l->name) == 0)
        return;
    be32 holder = dhcp_server_find_name(x->s, x->from->network, name, strlen(name),
                                        (uint64_t)x->now_s * 1000000);
    const char *whose = owner_of(x, name);
    if (!whose && holder && holder != l->ip)
        whose = "that of another client";
    if (whose) {
        tell_name_refused(x, name, whose);
        name[0] = '\0';
    }
    lease_set_name(x->leases, l, name);
}

static unsigned grant(const struct exchange *x, struct lease *l)
{
    bool renewal = lease_live(l, x->now_s) && lease_id_equal(&l->who, &x->who);
    char ip[IP4_TEXT_BYTES], mac[MAC_TEXT_BYTES];

    take(x, l, LEASE_GRANTED, expiry(x));
    l->active_s = x->now_s + 1;
    if (renewal)
        l->declines = 0; /* it is of use */
    name_lease(x, l);
    if (!renewal)
        log_info("lease     %-15s %s%s%s", ip4_text(ip, l->ip), mac_text(mac, l->mac),
                 l->name[0] ? "  " : "", l->name);
    return DHCP_TYPE_ACK;
}

/* True if the holder of a lease was lately seen to use it. */
static bool is_active(const struct exchange *x, const struct lease *l)
{
    return l->active_s && x->now_s - (l->active_s - 1) < LEASE_ACTIVE_S;
}

static unsigned request(const struct exchange *x, struct lease **l)
{
    const struct dhcp_message *m = x->m;
    be32 ip = m->ciaddr ? m->ciaddr : m->requested;
    bool selecting = m->server != 0;

    if (selecting && m->server != x->net->ip) {
        /* It took another server's offer; ours is free again. */
        *l = lease_of_client(x->leases, &x->who);
        if (*l && (*l)->state == LEASE_OFFERED && !is_others(x, *l))
            lease_end(x->leases, *l);
        return 0;
    }
    if (selecting && m->requested)
        ip = m->requested;
    if (!ip)
        return 0;
    if (!config_net_has(x->net, ip))
        return DHCP_TYPE_NAK;
    *l = lease_of_ip(x->leases, ip);
    if (!*l || !lease_may_have(*l, &x->who, m->mac, reservation(x), x->now_s))
        return DHCP_TYPE_NAK;
    /* A client with a reservation is moved to its address when it next asks. */
    if (reservation(x) != CONFIG_MAX_HOSTS && (*l)->host != reservation(x))
        return DHCP_TYPE_NAK;
    if (is_others(x, *l) && ((*l)->state == LEASE_OFFERED || is_active(x, *l)))
        return DHCP_TYPE_NAK;
    if (!lease_in_share(x->leases, *l, &x->who, x->from->port)) {
        /* Silence, not NAK: it may have had the address of us before we restarted. */
        complain_share(x);
        return 0;
    }
    return grant(x, *l);
}

static void decline(const struct exchange *x)
{
    struct lease *l = lease_of_client(x->leases, &x->who);
    char ip[IP4_TEXT_BYTES], mac[MAC_TEXT_BYTES];

    if (!l || x->m->server != x->net->ip || x->m->requested != l->ip || !is_from_holder(x, l))
        return;
    uint32_t seconds = MIN(LEASE_DECLINED_S << l->declines, LEASE_DECLINED_MAX_S);
    x->s->counters.declined++;
    if (x->now_s >= x->s->next_in_use_s[x->from->network]) {
        x->s->next_in_use_s[x->from->network] = x->now_s + 10;
        log_warn("dhcp      %s is in use by another host, says %s; not given out for %u min",
                 ip4_text(ip, l->ip), mac_text(mac, x->m->mac), seconds / 60);
    }
    unbind(x, l);
    l->declines = (uint8_t)MIN(l->declines + 1u, 8u);
    lease_block(x->leases, l, LEASE_DECLINED, x->m->mac, x->now_s + seconds);
}

/* The slot stays the client's until somebody else needs it. */
static void release(const struct exchange *x)
{
    struct lease *l = lease_of_client(x->leases, &x->who);

    if (!l || x->m->ciaddr != l->ip || x->m->server != x->net->ip || !is_from_holder(x, l))
        return;
    unbind(x, l);
    lease_end(x->leases, l);
}

/* The type to answer with, 0 for silence; *l the slot concerned for offers and acks of a lease. */
static unsigned decide(struct exchange *x, struct lease **l)
{
    *l = NULL;
    switch (x->m->type) {
    case DHCP_TYPE_DISCOVER:
        return dhcp_probe_goes_on(x) ? 0 : dhcp_discover(x, l);
    case DHCP_TYPE_REQUEST:
        return request(x, l);
    case DHCP_TYPE_DECLINE:
        decline(x);
        return 0;
    case DHCP_TYPE_RELEASE:
        release(x);
        return 0;
    case DHCP_TYPE_INFORM:
        return config_net_has(x->net, x->m->ciaddr) ? DHCP_TYPE_ACK : 0;
    default:
        return 0;
    }
}

bool dhcp_begin(struct exchange *x, struct dhcp_server *s, const struct dhcp_from *from,
                const uint8_t *bytes, size_t n, uint64_t now_us)
{
    struct dhcp_message *m = &s->message;

    /* Only relays of the network itself are served: the pool is for its subnet. */
    if (!dhcp_read(m, bytes, n) || m->op != DHCP_BOOTREQUEST || !m->type ||
        (m->giaddr && !config_net_has(&s->config->nets[from->network], m->giaddr))) {
        s->counters.malformed++;
        return false;
    }
    *x = (struct exchange){
        .s = s,
        .net = &s->config->nets[from->network],
        .leases = &s->leases[from->network],
        .m = m,
        .n = n,
        .from = from,
        .host = find_host(s, m->mac),
        .now_s = (uint32_t)(now_us / 1000000),
        .now_us = now_us,
    };
    if (x->host != CONFIG_MAX_HOSTS && s->config->hosts[x->host].deny) {
        s->counters.denied++;
        return false;
    }
    lease_sweep(x->leases, x->now_s);
    x->who = lease_id_of(x->leases, m->client_id.at, m->client_id.n, m->mac, true);
    x->clone = m->client_id.n && lease_of_client(x->leases, &x->who);
    if (!x->clone)
        x->who = lease_id_of(x->leases, m->client_id.at, m->client_id.n, m->mac, false);
    return true;
}

void dhcp_answer(const struct exchange *x, unsigned type, const struct lease *l,
                 struct dhcp_reply *reply)
{
    x->s->counters.sent[type]++;
    dhcp_reply_write(x, type, l, reply);
}

bool dhcp_server_handle(struct dhcp_server *s, const struct dhcp_from *from, const uint8_t *bytes,
                        size_t n, uint64_t now_us, struct dhcp_reply *reply)
{
    struct exchange x;
    struct lease *l;

    s->counters.requests++;
    if (!dhcp_begin(&x, s, from, bytes, n, now_us))
        return false;
    unsigned type = decide(&x, &l);
    if (type)
        dhcp_answer(&x, type, l, reply);
    return type != 0;
}

void dhcp_server_seen(struct dhcp_server *s, unsigned network, be32 ip, const uint8_t *mac,
                      uint64_t now_us)
{
    struct lease_table *t = &s->leases[network];
    uint32_t now_s = (uint32_t)(now_us / 1000000);
    struct lease *l = t->slots ? lease_of_ip(t, ip) : NULL;

    if (!l || l->host != CONFIG_MAX_HOSTS)
        return;
    dhcp_probe_seen(s, network, l, mac, now_us);
    if (l->state == LEASE_GRANTED && mac_equal(l->mac, mac))
        l->active_s = now_s + 1;
    /* What is promised or given stays so: ARP is easily forged. A client whose lease is over and
     * who uses its address on keeps its claim, and so does nobody else. */
    if ((l->state != LEASE_FREE && !lease_over(l, now_s)) ||
        ((l->state == LEASE_GRANTED || l->state == LEASE_OVER) && mac_equal(l->mac, mac)))
        return;
    lease_block(t, l, LEASE_SEEN, mac, now_s + LEASE_SEEN_S);
}

be32 dhcp_server_find_name(const struct dhcp_server *s, unsigned network, const char *name,
                           size_t n, uint64_t now_us)
{
    const struct lease_table *t = &s->leases[network];
    uint32_t now_s = (uint32_t)(now_us / 1000000);

    for (unsigned h = 0; h < s->config->host_count; h++) {
        const struct config_host *host = &s->config->hosts[h];
        if (host->ip && host->net == network && host_name_equal(host->name, name, n))
            return host->ip;
    }
    const struct lease *l = t->slots ? lease_of_name(t, name, n, now_s) : NULL;
    return l ? l->ip : 0;
}

const char *dhcp_server_name_of(const struct dhcp_server *s, unsigned network, be32 ip,
                                uint64_t now_us)
{
    const struct lease_table *t = &s->leases[network];
    const struct lease *l = t->slots ? lease_known(t, ip) : NULL;

    return l && lease_live(l, (uint32_t)(now_us / 1000000)) ? l->name : NULL;
}

static void print_lease(const struct lease *l, uint32_t now_s, void (*line)(const char *text))
{
    char text[LOG_LINE_MAX], ip[IP4_TEXT_BYTES], mac[MAC_TEXT_BYTES], left[24] = "never ends";

    if (l->expires_s != CONFIG_FOREVER)
        snprintf(left, sizeof(left), "%u s left", l->expires_s - now_s);
    snprintf(text, sizeof(text), "lease     %-15s %s  %s  %s", ip4_text(ip, l->ip),
             mac_text(mac, l->mac), left, l->name);
    line(text);
}

static void print_network(const struct dhcp_server *s, unsigned network, uint32_t now_s,
                          void (*line)(const char *text))
{
    const struct lease_table *t = &s->leases[network];
    uint32_t live = 0, shown = 0;
    char text[128];

    for (uint32_t i = 0; i < t->slot_count; i++) {
        const struct lease *l = lease_slot(t, i);
        live += l && lease_live(l, now_s);
    }
    snprintf(text, sizeof(text), "dhcp      %s: %u of %u addresses leased, %u left",
             s->config->nets[network].name, live, t->slot_count, t->left);
    line(text);
    for (unsigned p = 0; t->shared && p < CONFIG_MAX_PORTS; p++) {
        if (!t->held[p])
            continue;
        snprintf(text, sizeof(text), "dhcp      %s: port %u holds %u, unanswered offers %u",
                 s->config->nets[network].name, p, t->held[p], t->offers[p].count);
        line(text);
    }
    for (uint32_t i = 0; i < t->slot_count && shown < 64; i++) {
        const struct lease *l = lease_slot(t, i);
        if (!l || !lease_live(l, now_s))
            continue;
        print_lease(l, now_s, line);
        shown++;
    }
}

void dhcp_server_print(const struct dhcp_server *s, uint64_t now_us, void (*line)(const char *text))
{
    const struct dhcp_counters *c = &s->counters;
    char text[192];

    for (unsigned i = 0; i < s->config->net_count; i++)
        if (s->leases[i].slots)
            print_network(s, i, (uint32_t)(now_us / 1000000), line);
    snprintf(
        text, sizeof(text),
        "dhcp      requests %llu  offers %llu  acks %llu  naks %llu  malformed %llu  denied %llu  "
        "refused %llu  over share %llu",
        (unsigned long long)c->requests, (unsigned long long)c->sent[DHCP_TYPE_OFFER],
        (unsigned long long)c->sent[DHCP_TYPE_ACK], (unsigned long long)c->sent[DHCP_TYPE_NAK],
        (unsigned long long)c->malformed, (unsigned long long)c->denied,
        (unsigned long long)c->exhausted, (unsigned long long)c->over_share);
    line(text);
    snprintf(text, sizeof(text),
             "dhcp      probes %llu  in use %llu  unprobed %llu  declined %llu  clones %llu  "
             "left out %llu",
             (unsigned long long)c->probes, (unsigned long long)c->in_use,
             (unsigned long long)c->unprobed, (unsigned long long)c->declined,
             (unsigned long long)c->clones, (unsigned long long)c->left_out);
    line(text);
    if (c->names_refused) {
        snprintf(text, sizeof(text), "dhcp      names that are another's %llu",
                 (unsigned long long)c->names_refused);
        line(text);
    }
}
