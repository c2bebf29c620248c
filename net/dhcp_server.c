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

static bool has_pool(const struct config_net *net)
{
    return net->pool_first && config_mode(net)->dhcp;
}

uint64_t dhcp_network_bytes(const struct config *config, unsigned network)
{
    return has_pool(&config->nets[network]) ? lease_table_bytes(lease_count_slots(config, network))
                                            : 0;
}

uint64_t dhcp_server_bytes(const struct config *config)
{
    uint32_t addresses = 0;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < config->net_count; i++) {
        bytes += dhcp_network_bytes(config, i);
        if (has_pool(&config->nets[i]))
            addresses += lease_count_slots(config, i);
    }
    return bytes + dhcp_probe_bytes(addresses);
}

int dhcp_server_init(struct dhcp_server *s, const struct config *config, const struct dhcp_ops *ops,
                     void *ctx, const uint8_t *random, alloc_fn alloc, alloc_fn alloc_dirty)
{
    uint32_t addresses = 0;

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
        if (!has_pool(&config->nets[i]))
            continue;
        int err = lease_table_init(&s->leases[i], config, i, random, alloc, alloc_dirty);
        if (err)
            return err;
        addresses += s->leases[i].slot_count;
    }
    return dhcp_probe_init(s, addresses, alloc_dirty);
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

/* What ends a lease must come from who has it: it is easily forged. A relay sends in its own name,
 * as anybody could: it is believed on the port where the lease was given. */
static bool is_from_holder(const struct exchange *x, const struct lease *l)
{
    return mac_equal(l->mac, x->m->mac) &&
           (x->m->giaddr ? l->port == x->from->port : mac_equal(x->from->mac, x->m->mac));
}

/* Makes l the client's slot; another one that it had is given up. */
static void take(const struct exchange *x, struct lease *l, enum lease_state state,
                 uint32_t expires_s)
{
    const struct lease *old = lease_of_client(x->leases, &x->who);
    unsigned port = x->from->port;

    if (old && old != l)
        unbind(x, old);
    if (old == l && lease_live(l, x->now_s) && mac_equal(l->mac, x->m->mac) &&
        !is_from_holder(x, l))
        port = l->port; /* somebody else's word does not move it */
    lease_take(x->leases, l, &x->who, x->m->mac, port, state, expires_s);
    if (state == LEASE_GRANTED && l->host == CONFIG_MAX_HOSTS)
        /* Of a lease without end, too: those are 136 years. */
        x->s->ops->bind(x->s->ctx, x->from->network, l->ip, l->mac, expires_s * 1000000ull);
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

static void tell_lease(const struct exchange *x, const struct lease *l)
{
    struct dhcp_server *s = x->s;
    char ip[IP4_TEXT_BYTES], mac[MAC_TEXT_BYTES];

    if (s->told_s != x->now_s)
        s->told = 0;
    s->told_s = x->now_s;
    if (s->told > DHCP_TOLD_PER_S)
        return;
    if (s->told++ == DHCP_TOLD_PER_S)
        log_info("lease     and others, more than can be told: the status counts them");
    else
        log_info("lease     %-15s %s%s%s", ip4_text(ip, l->ip), mac_text(mac, l->mac),
                 l->name[0] ? "  " : "", l->name);
}

static unsigned grant(const struct exchange *x, struct lease *l)
{
    bool renewal = lease_live(l, x->now_s) && lease_id_equal(&l->who, &x->who);

    take(x, l, LEASE_GRANTED, expiry(x));
    l->active_s = x->now_s + 1;
    l->probed_s = 0; /* somebody has it from now on, whatever becomes of the lease */
    if (renewal)
        l->declines = 0; /* it is of use */
    dhcp_name_lease(x, l);
    if (!renewal)
        tell_lease(x, l);
    return DHCP_TYPE_ACK;
}

/* True if the holder of a lease was lately seen to use it. */
static bool is_active(const struct exchange *x, const struct lease *l)
{
    return l->active_s && x->now_s - (l->active_s - 1) < LEASE_ACTIVE_S;
}

/* True if the client starts again with an address that is not known to be free - this server has
 * been restarted, or has forgotten the client - so that ARP is to be asked: somebody else may have
 * been given it. One that uses the address, and renews its lease, need not wait. */
static bool must_ask(const struct exchange *x, const struct lease *l)
{
    return !x->m->server && !x->m->ciaddr && !is_known_free(x, l);
}

/* What dhcp_request() says in the end. Who calls itself as the holder of a lease does takes nothing
 * from it before the holder was asked. */
static unsigned grant_or_ask(const struct exchange *x, struct lease *l)
{
    bool others = is_others(x, l);

    if (!must_ask(x, l))
        return grant(x, l);
    if (!others)
        take(x, l, LEASE_OFFERED, x->now_s + LEASE_OFFER_S);
    if (dhcp_probe_start(x, l, others))
        return 0;
    return others ? DHCP_TYPE_NAK : grant(x, l);
}

/* True if the client would give up a lease that lasts for this address, and may not be who it says.
 */
static bool forsakes_others(const struct exchange *x, const struct lease *l)
{
    const struct lease *old = lease_of_client(x->leases, &x->who);

    return old && old != l && lease_live(old, x->now_s) && !is_from_holder(x, old);
}

unsigned dhcp_request(const struct exchange *x, struct lease **l)
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
    if ((is_others(x, *l) && ((*l)->state == LEASE_OFFERED || is_active(x, *l))) ||
        forsakes_others(x, *l))
        return DHCP_TYPE_NAK;
    if (!lease_in_share(x->leases, *l, &x->who, x->from->port)) {
        /* Silence, not NAK: it may have had the address of us before we restarted. */
        complain_share(x);
        return 0;
    }
    return grant_or_ask(x, *l);
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

/* The slot stays the client's until somebody else needs it. systemd-networkd names no server,
 * though it must (RFC 2131, table 5): who sends to us means us. */
static void release(const struct exchange *x)
{
    struct lease *l = lease_of_client(x->leases, &x->who);
    bool ours = !x->m->server || x->m->server == x->net->ip;

    if (!l || x->m->ciaddr != l->ip || !ours || !is_from_holder(x, l))
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
        if (!x->m->server && !x->m->ciaddr && dhcp_probe_goes_on(x))
            return 0;
        return dhcp_request(x, l);
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
    if (!m->client_id.n || !lease_of_client(x->leases, &x->who))
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
