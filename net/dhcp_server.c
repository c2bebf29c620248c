/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DHCP server; see dhcp_server.h.
 *
 * Theory of operation. A request is read once into a struct dhcp_message. The function for its type
 * decides on a slot of the lease table and on an answer (offer, ack, nak or silence); one function
 * then writes the answer and one decides where it goes. Offers take a slot for a short while, acks
 * until the lease ends.
 */
#include "net/dhcp_server.h"

#include "log.h"
#include "net/wire/eth.h"
#include "net/wire/text.h"

#include <stdio.h>

/* One request being answered. */
struct exchange {
    struct dhcp_server *s;
    const struct config_net *net;
    struct lease_table *leases;
    const struct dhcp_message *m;
    const uint8_t *from_mac; /* of the frame */
    struct lease_id who;
    unsigned network;
    unsigned host; /* index of its reservation, or CONFIG_MAX_HOSTS */
    uint32_t now_s;
};

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
                     void *ctx, const uint8_t *random, alloc_fn alloc)
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
        int err = lease_table_init(&s->leases[i], config, i, random, alloc);
        if (err)
            return err;
    }
    return 0;
}

static uint32_t lease_time(const struct exchange *x)
{
    if (x->host != CONFIG_MAX_HOSTS && x->s->config->hosts[x->host].lease_s)
        return x->s->config->hosts[x->host].lease_s;
    return x->net->lease_s;
}

static uint32_t expiry(const struct exchange *x)
{
    uint32_t lease_s = lease_time(x);

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
    return host->ip && host->net == x->network ? x->host : CONFIG_MAX_HOSTS;
}

/* ---- who holds what ---- */

static void unbind(const struct exchange *x, const struct lease *l)
{
    if (l->host == CONFIG_MAX_HOSTS)
        x->s->ops->unbind(x->s->ctx, x->network, l->ip);
}

/* Makes l the client's slot; another one that it had is given up. */
static void take(const struct exchange *x, struct lease *l, enum lease_state state,
                 uint32_t expires_s)
{
    const struct lease *old = lease_of_client(x->leases, &x->who);

    if (old && old != l)
        unbind(x, old);
    lease_take(x->leases, l, &x->who, x->m->mac, state, expires_s);
    if (state == LEASE_GRANTED && l->host == CONFIG_MAX_HOSTS)
        /* Of a lease without end, too: those are 136 years. */
        x->s->ops->bind(x->s->ctx, x->network, l->ip, l->mac, expires_s * 1000000ull);
}

/* What ends a lease must come from who has it: it is easily forged. A relay sends in its own name.
 */
static bool is_from_holder(const struct exchange *x, const struct lease *l)
{
    return mac_equal(l->mac, x->m->mac) && (x->m->giaddr || mac_equal(x->from_mac, x->m->mac));
}

/* ---- what to answer ---- */

static void complain_exhausted(const struct exchange *x)
{
    x->s->counters.exhausted++;
    if (x->now_s < x->s->next_complaint_s[x->network])
        return;
    x->s->next_complaint_s[x->network] = x->now_s + 60;
    log_warn("dhcp      %s: all %u addresses of the pool are in use; make pool= larger",
             x->net->name, x->leases->pool_count);
}

static unsigned discover(const struct exchange *x, struct lease **l)
{
    *l = lease_choose(x->leases, &x->who, x->m->mac, reservation(x), x->m->requested, x->now_s);
    if (!*l) {
        complain_exhausted(x);
        return 0;
    }
    /* Who forges a discover in a client's name must not shorten that client's lease. */
    if (!lease_live(*l, x->now_s) || !lease_id_equal(&(*l)->who, &x->who))
        take(x, *l, LEASE_OFFERED, x->now_s + LEASE_OFFER_S);
    return DHCP_TYPE_OFFER;
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
    if (x->now_s < x->s->next_name_told_s[x->network])
        return;
    x->s->next_name_told_s[x->network] = x->now_s + 60;
    log_warn("dhcp      %s: %s calls itself %s, which is %s: it has no name in DNS", x->net->name,
             mac_text(mac, x->m->mac), name, whose);
}

/* The client's name as the lease keeps it: the reservation's, else its own if nobody else has it.
 */
static void name_lease(const struct exchange *x, struct lease *l)
{
    char name[LEASE_NAME_BYTES];

    if (x->host != CONFIG_MAX_HOSTS && x->s->config->hosts[x->host].name[0]) {
        snprintf(l->name, sizeof(l->name), "%s", x->s->config->hosts[x->host].name);
        return;
    }
    if (!x->m->name.at) /* a renewal need not repeat it */
        return;
    host_name_clean(name, sizeof(name), x->m->name.at, x->m->name.n);
    if (strcmp(name, l->name) == 0)
        return;
    be32 holder =
        dhcp_server_find_name(x->s, x->network, name, strlen(name), (uint64_t)x->now_s * 1000000);
    const char *whose = owner_of(x, name);
    if (!whose && holder && holder != l->ip)
        whose = "that of another client";
    if (whose) {
        tell_name_refused(x, name, whose);
        name[0] = '\0';
    }
    memcpy(l->name, name, sizeof(name));
}

static unsigned grant(const struct exchange *x, struct lease *l)
{
    bool renewal = lease_live(l, x->now_s) && lease_id_equal(&l->who, &x->who);
    char ip[IP4_TEXT_BYTES], mac[MAC_TEXT_BYTES];

    take(x, l, LEASE_GRANTED, expiry(x));
    name_lease(x, l);
    if (!renewal)
        log_info("lease     %-15s %s%s%s", ip4_text(ip, l->ip), mac_text(mac, l->mac),
                 l->name[0] ? "  " : "", l->name);
    return DHCP_TYPE_ACK;
}

static unsigned request(const struct exchange *x, struct lease **l)
{
    const struct dhcp_message *m = x->m;
    be32 ip = m->ciaddr ? m->ciaddr : m->requested;
    bool selecting = m->server != 0;

    if (selecting && m->server != x->net->ip) {
        /* It took another server's offer; ours is free again. */
        *l = lease_of_client(x->leases, &x->who);
        if (*l && (*l)->state == LEASE_OFFERED)
            (*l)->expires_s = x->now_s;
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
    return grant(x, *l);
}

static void decline(const struct exchange *x)
{
    struct lease *l = lease_of_client(x->leases, &x->who);
    char ip[IP4_TEXT_BYTES], mac[MAC_TEXT_BYTES];

    if (!l || x->m->server != x->net->ip || x->m->requested != l->ip || !is_from_holder(x, l))
        return;
    log_warn("dhcp      %s is in use by another host, says %s; not given out for an hour",
             ip4_text(ip, l->ip), mac_text(mac, x->m->mac));
    unbind(x, l);
    lease_block(x->leases, l, LEASE_DECLINED, x->now_s + LEASE_DECLINED_S);
}

/* The slot stays the client's until somebody else needs it. */
static void release(const struct exchange *x)
{
    struct lease *l = lease_of_client(x->leases, &x->who);

    if (!l || x->m->ciaddr != l->ip || x->m->server != x->net->ip || !is_from_holder(x, l))
        return;
    l->expires_s = x->now_s;
    unbind(x, l);
}

/* The type to answer with, 0 for silence; *l the slot concerned for offers and acks of a lease. */
static unsigned decide(const struct exchange *x, struct lease **l)
{
    *l = NULL;
    switch (x->m->type) {
    case DHCP_TYPE_DISCOVER:
        return discover(x, l);
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

/* ---- the answer ---- */

/* The other networks that the client's talks to, where there is no way to the outside: then the
 * router is the gateway to those and to nothing else, as the host may have its way out on another
 * NIC (RFC 3442). */
static void put_routes(struct dhcp_writer *w, const struct exchange *x)
{
    const struct config *config = x->s->config;
    uint8_t routes[CONFIG_MAX_NETS * 9];
    size_t n = 0;

    for (unsigned i = 0; i < config->net_count; i++) {
        const struct config_net *to = &config->nets[i];
        if (i == x->network || !to->ip || !x->s->ops->talks(x->s->ctx, x->network, i))
            continue;
        be32 subnet = to->ip & prefix_mask(to->prefix);
        unsigned bytes = (to->prefix + 7u) / 8u; /* of the subnet's, as many as the prefix covers */
        routes[n++] = to->prefix;
        memcpy(routes + n, &subnet, bytes);
        store_raw32(routes + n + bytes, x->net->ip);
        n += bytes + 4;
    }
    if (n > 0)
        dhcp_put(w, DHCP_OPT_ROUTES, routes, n);
}

/* What a client of the network is told, in the order of what matters most: what does not fit is
 * left out. */
static void put_network(struct dhcp_writer *w, const struct exchange *x, const struct lease *l)
{
    const struct config_net *net = x->net;

    dhcp_put_ip(w, DHCP_OPT_MASK, prefix_mask(net->prefix));
    if (config_mode(net)->routes_to_uplink)
        dhcp_put_ip(w, DHCP_OPT_ROUTER, net->ip);
    else
        put_routes(w, x);
    if (net->dns_count > 0)
        dhcp_put(w, DHCP_OPT_DNS, net->dns, 4u * net->dns_count);
    else if (net->dns_self)
        dhcp_put_ip(w, DHCP_OPT_DNS, net->ip);
    dhcp_put_ip(w, DHCP_OPT_BROADCAST, net->ip | ~prefix_mask(net->prefix));
    if (net->domain[0])
        dhcp_put(w, DHCP_OPT_DOMAIN, net->domain, strlen(net->domain));
    if (net->mtu)
        dhcp_put16(w, DHCP_OPT_MTU, MIN(net->mtu, x->s->ops->mtu(x->s->ctx, x->network)));
    if (l && x->host != CONFIG_MAX_HOSTS && x->s->config->hosts[x->host].name[0])
        dhcp_put(w, DHCP_OPT_NAME, x->s->config->hosts[x->host].name,
                 strlen(x->s->config->hosts[x->host].name));
}

static void put_times(struct dhcp_writer *w, uint32_t lease_s)
{
    dhcp_put32(w, DHCP_OPT_LEASE, lease_s);
    if (lease_s == CONFIG_FOREVER)
        return;
    dhcp_put32(w, DHCP_OPT_T1, lease_s / 2);
    dhcp_put32(w, DHCP_OPT_T2, lease_s / 8 * 7 + lease_s % 8 * 7 / 8);
}

static void write_reply(const struct exchange *x, unsigned type, const struct lease *l,
                        struct dhcp_reply *reply)
{
    const struct dhcp_message *m = x->m;
    uint8_t *b = reply->bytes;
    /* Option 57 counts the IP and UDP headers (RFC 2132, section 9.10). */
    size_t room = m->max_size >= DHCP_SAFE_BYTES + 28 ? m->max_size - 28u : DHCP_SAFE_BYTES;
    struct dhcp_writer w = {b + DHCP_OPTIONS_OFF, b + MIN(room, sizeof(reply->bytes))};

    memset(b, 0, sizeof(reply->bytes));
    b[DHCP_OP_OFF] = DHCP_BOOTREPLY;
    b[DHCP_HTYPE_OFF] = DHCP_HTYPE_ETHERNET;
    b[DHCP_HLEN_OFF] = MAC_BYTES;
    memcpy(b + DHCP_XID_OFF, m->bytes + DHCP_XID_OFF, 4);
    /* A relay must broadcast a NAK: the client may have an address of another network (RFC 2131,
     * section 4.3.2). */
    store_raw16(b + DHCP_FLAGS_OFF,
                type == DHCP_TYPE_NAK && m->giaddr ? m->flags | DHCP_FLAG_BROADCAST : m->flags);
    if (type == DHCP_TYPE_ACK)
        store_raw32(b + DHCP_CIADDR_OFF, m->ciaddr);
    if (l && type != DHCP_TYPE_NAK)
        store_raw32(b + DHCP_YIADDR_OFF, l->ip);
    store_raw32(b + DHCP_GIADDR_OFF, m->giaddr);
    memcpy(b + DHCP_CHADDR_OFF, m->bytes + DHCP_CHADDR_OFF, DHCP_CHADDR_BYTES);
    store_be32(b + DHCP_COOKIE_OFF, DHCP_COOKIE);

    dhcp_put8(&w, DHCP_OPT_TYPE, (uint8_t)type);
    dhcp_put_ip(&w, DHCP_OPT_SERVER, x->net->ip);
    if (l && type != DHCP_TYPE_NAK)
        put_times(&w, lease_time(x));
    /* The relay's option comes back last (RFC 3046, section 2.2), so room for it is set aside
     * first. */
    size_t relay = m->giaddr && m->relay.at && m->relay.n <= 255 ? m->relay.n + 2u : 0;
    relay = relay + 1 < (size_t)(w.end - w.at) ? relay : 0;
    w.end -= relay;
    if (m->client_id.at && m->client_id.n <= 255)
        dhcp_put(&w, DHCP_OPT_CLIENT_ID, m->client_id.at, m->client_id.n);
    if (type != DHCP_TYPE_NAK)
        put_network(&w, x, l);
    w.end += relay;
    if (relay)
        dhcp_put(&w, DHCP_OPT_RELAY, m->relay.at, m->relay.n);
    reply->n = dhcp_finish(&w, b);
}

/* RFC 2131, section 4.1: to the relay, to an address in use, to all, or to the client's frame
 * address. */
static void route_reply(const struct exchange *x, unsigned type, const uint8_t *from_mac,
                        struct dhcp_reply *reply)
{
    const struct dhcp_message *m = x->m;

    reply->port = BE16(DHCP_CLIENT_PORT);
    memcpy(reply->mac, m->mac, MAC_BYTES);
    if (m->giaddr) {
        reply->port = BE16(DHCP_SERVER_PORT);
        reply->to = m->giaddr;
        memcpy(reply->mac, from_mac, MAC_BYTES);
    } else if (type == DHCP_TYPE_NAK || (!m->ciaddr && m->flags & DHCP_FLAG_BROADCAST)) {
        reply->to = 0xFFFFFFFFu;
        memset(reply->mac, 0xFF, MAC_BYTES);
    } else if (m->ciaddr) {
        reply->to = m->ciaddr;
    } else {
        reply->to = load_raw32(reply->bytes + DHCP_YIADDR_OFF);
    }
}

bool dhcp_server_handle(struct dhcp_server *s, unsigned network, const uint8_t *bytes, size_t n,
                        const uint8_t *from_mac, uint64_t now_us, struct dhcp_reply *reply)
{
    struct dhcp_message *m = &s->message;
    struct lease *l;

    s->counters.requests++;
    /* Only relays of the network itself are served: the pool is for its subnet. */
    if (!dhcp_read(m, bytes, n) || m->op != DHCP_BOOTREQUEST || !m->type ||
        (m->giaddr && !config_net_has(&s->config->nets[network], m->giaddr))) {
        s->counters.malformed++;
        return false;
    }
    struct exchange x = {
        .s = s,
        .net = &s->config->nets[network],
        .leases = &s->leases[network],
        .m = m,
        .from_mac = from_mac,
        .network = network,
        .host = find_host(s, m->mac),
        .now_s = (uint32_t)(now_us / 1000000),
    };
    if (x.host != CONFIG_MAX_HOSTS && s->config->hosts[x.host].deny) {
        s->counters.denied++;
        return false;
    }
    x.who = lease_id_of(x.leases, m->client_id.at, m->client_id.n, m->mac);
    unsigned type = decide(&x, &l);
    if (!type)
        return false;
    s->counters.sent[type]++;
    write_reply(&x, type, l, reply);
    route_reply(&x, type, from_mac, reply);
    return true;
}

void dhcp_server_seen(struct dhcp_server *s, unsigned network, be32 ip, const uint8_t *mac,
                      uint64_t now_us)
{
    struct lease_table *t = &s->leases[network];
    uint32_t now_s = (uint32_t)(now_us / 1000000);
    struct lease *l = t->slots ? lease_of_ip(t, ip) : NULL;

    /* What is promised or given stays so: ARP is easily forged. */
    if (!l || l->host != CONFIG_MAX_HOSTS || (l->state != LEASE_FREE && !lease_over(l, now_s)))
        return;
    /* A client whose lease is over and who uses its address on keeps its claim, and so does nobody
     * else. */
    if (l->state == LEASE_GRANTED && mac_equal(l->mac, mac))
        return;
    lease_block(t, l, LEASE_SEEN, now_s + LEASE_SEEN_S);
    memcpy(l->mac, mac, MAC_BYTES);
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
    for (uint32_t i = 0; i < t->slot_count; i++)
        if (lease_live(&t->slots[i], now_s) && host_name_equal(t->slots[i].name, name, n))
            return t->slots[i].ip;
    return 0;
}

const char *dhcp_server_name_of(const struct dhcp_server *s, unsigned network, be32 ip,
                                uint64_t now_us)
{
    const struct lease_table *t = &s->leases[network];
    const struct lease *l = t->slots ? lease_of_ip(t, ip) : NULL;

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

void dhcp_server_print(const struct dhcp_server *s, uint64_t now_us, void (*line)(const char *text))
{
    uint32_t now_s = (uint32_t)(now_us / 1000000);
    char text[128];

    for (unsigned i = 0; i < s->config->net_count; i++) {
        const struct lease_table *t = &s->leases[i];
        uint32_t live = 0;
        if (!t->slots)
            continue;
        for (uint32_t k = 0; k < t->slot_count; k++)
            live += lease_live(&t->slots[k], now_s);
        snprintf(text, sizeof(text), "dhcp      %s: %u of %u addresses leased",
                 s->config->nets[i].name, live, t->slot_count);
        line(text);
        for (uint32_t k = 0, shown = 0; k < t->slot_count && shown < 64; k++) {
            if (!lease_live(&t->slots[k], now_s))
                continue;
            print_lease(&t->slots[k], now_s, line);
            shown++;
        }
    }
    const struct dhcp_counters *c = &s->counters;
    snprintf(
        text, sizeof(text),
        "dhcp      requests %llu  offers %llu  acks %llu  naks %llu  malformed %llu  denied %llu  "
        "refused %llu",
        (unsigned long long)c->requests, (unsigned long long)c->sent[DHCP_TYPE_OFFER],
        (unsigned long long)c->sent[DHCP_TYPE_ACK], (unsigned long long)c->sent[DHCP_TYPE_NAK],
        (unsigned long long)c->malformed, (unsigned long long)c->denied,
        (unsigned long long)c->exhausted);
    line(text);
    if (c->names_refused) {
        snprintf(text, sizeof(text), "dhcp      names that are another's %llu",
                 (unsigned long long)c->names_refused);
        line(text);
    }
}
