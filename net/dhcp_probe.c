/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Offers that wait until ARP has said whether the address is free (RFC 2131, section 2.2).
 *
 * Theory of operation. An offer that is to wait is kept as the request it answers, whole, in a
 * table, and the others are answered meanwhile. Entries are in the order of when they are due -
 * all wait for equally long, so the next to come is the last; only who is answered goes to the
 * front - and in hash chains by client and by address. The address is asked for by ARP twice; what
 * ARP brings comes by dhcp_server_seen(). Who says nothing in DHCP_PROBE_US has not got it, and the
 * request is answered. If somebody does answer, the request is decided again, a few times; in the
 * end it is better answered without certainty than not at all. Nor does anybody wait when the table
 * is full: a client looks for itself whether its address is in use (RFC 2131, section 4.4.1).
 *
 * The same wait decides who a client is that calls itself as the holder of a live lease does, from
 * another hardware address: if the holder answers, it is a clone of it, else it is the holder with
 * another card (RFC 4361, section 4).
 */
#include "net/dhcp_server_internal.h"

#include "log.h"
#include "net/wire/eth.h"
#include "net/wire/text.h"

#define NONE UINT16_MAX
static_assert(DHCP_PENDING_MAX < NONE, "an entry's number has room");

static uint32_t count_entries(uint32_t addresses)
{
    return MIN(MAX(addresses, DHCP_PENDING_MIN), DHCP_PENDING_MAX);
}

static uint32_t count_chains(uint32_t entries)
{
    uint32_t chains = DHCP_PENDING_MIN;

    while (chains < entries)
        chains *= 2;
    return chains;
}

uint64_t dhcp_probe_bytes(uint32_t addresses)
{
    uint32_t entries = count_entries(addresses);

    return entries * sizeof(struct dhcp_pending) + 2ull * count_chains(entries) * sizeof(uint16_t);
}

int dhcp_probe_init(struct dhcp_server *s, uint32_t addresses, alloc_fn alloc_dirty)
{
    struct dhcp_pending_table *t = &s->pending;

    t->size = (uint16_t)count_entries(addresses);
    uint32_t chains = count_chains(t->size);
    t->mask = (uint16_t)(chains - 1);
    t->entries = alloc_dirty(sizeof(*t->entries) * t->size, 8);
    t->by_client = alloc_dirty(sizeof(*t->by_client) * chains, 8);
    t->by_ip = alloc_dirty(sizeof(*t->by_ip) * chains, 8);
    if (!t->entries || !t->by_client || !t->by_ip)
        return -ENOMEM;
    memset(t->by_client, 0xFF, sizeof(*t->by_client) * chains); /* NONE */
    memset(t->by_ip, 0xFF, sizeof(*t->by_ip) * chains);
    t->soonest = t->latest = t->free = NONE;
    for (uint16_t i = t->size; i-- > 0; t->free = i)
        t->entries[i].later = t->free;
    return 0;
}

/* ---- the table ---- */

static struct dhcp_pending *entry(const struct dhcp_pending_table *t, uint16_t i)
{
    return i == NONE ? NULL : &t->entries[i];
}

static uint16_t number(const struct dhcp_pending_table *t, const struct dhcp_pending *p)
{
    return (uint16_t)(p - t->entries);
}

static uint16_t *chain_of_client(const struct dhcp_pending_table *t, const struct lease_id *who)
{
    return &t->by_client[who->half[0] & t->mask];
}

static uint16_t *chain_of_ip(const struct dhcp_pending_table *t, be32 ip)
{
    return &t->by_ip[ntoh32(ip) & t->mask]; /* those of a pool follow each other */
}

/* Takes it out of the order, and puts it at its end or its beginning. */
static void out_of_order(struct dhcp_pending_table *t, struct dhcp_pending *p)
{
    *(p->sooner == NONE ? &t->soonest : &t->entries[p->sooner].later) = p->later;
    *(p->later == NONE ? &t->latest : &t->entries[p->later].sooner) = p->sooner;
}

static void comes_last(struct dhcp_pending_table *t, struct dhcp_pending *p)
{
    p->sooner = t->latest;
    p->later = NONE;
    *(t->latest == NONE ? &t->soonest : &t->entries[t->latest].later) = number(t, p);
    t->latest = number(t, p);
}

static void comes_first(struct dhcp_pending_table *t, struct dhcp_pending *p)
{
    p->later = t->soonest;
    p->sooner = NONE;
    *(t->soonest == NONE ? &t->latest : &t->entries[t->soonest].sooner) = number(t, p);
    t->soonest = number(t, p);
}

/* The caller puts it into the order. NULL: the table is full. */
static struct dhcp_pending *add(struct dhcp_pending_table *t, const struct dhcp_wait *w)
{
    struct dhcp_pending *p = entry(t, t->free);

    if (!p)
        return NULL;
    t->free = p->later;
    t->count++;
    p->w = *w;
    uint16_t *client = chain_of_client(t, &w->who), *ip = chain_of_ip(t, w->ip);
    p->next_client = *client;
    p->next_ip = *ip;
    *client = *ip = number(t, p);
    return p;
}

static void end(struct dhcp_pending_table *t, struct dhcp_pending *p)
{
    uint16_t *client = chain_of_client(t, &p->w.who), *ip = chain_of_ip(t, p->w.ip);

    while (*client != number(t, p))
        client = &t->entries[*client].next_client;
    while (*ip != number(t, p))
        ip = &t->entries[*ip].next_ip;
    *client = p->next_client;
    *ip = p->next_ip;
    out_of_order(t, p);
    p->later = t->free;
    t->free = number(t, p);
    t->count--;
}

/* ---- waiting ---- */

static void ask(struct dhcp_server *s, struct dhcp_pending *p, uint64_t now_us)
{
    p->w.asked++;
    p->w.due_us = now_us + DHCP_PROBE_US / DHCP_PROBE_REQUESTS;
    comes_last(&s->pending, p); /* all wait for equally long */
    s->counters.probes++;
    s->ops->probe(s->ctx, p->w.from.network, p->w.ip);
}

bool dhcp_probe_goes_on(const struct exchange *x)
{
    struct dhcp_pending_table *t = &x->s->pending;

    if (x->n > DHCP_PENDING_BYTES)
        return false;
    for (struct dhcp_pending *p = entry(t, *chain_of_client(t, &x->who)); p;
         p = entry(t, p->next_client)) {
        if (p->w.from.network != x->from->network || !lease_id_equal(&p->w.who, &x->who) ||
            !mac_equal(p->bytes + DHCP_CHADDR_OFF, x->m->mac))
            continue;
        p->w.n = (uint16_t)x->n; /* its last word counts: it may have another xid, */
        p->w.from = *x->from;    /* and have come by a relay */
        memcpy(p->bytes, x->m->bytes, x->n);
        return true;
    }
    return false;
}

bool dhcp_probe_start(const struct exchange *x, const struct lease *l, bool holder)
{
    struct dhcp_server *s = x->s;
    const struct dhcp_wait w = {.ip = l->ip,
                                .who = x->who,
                                .from = *x->from,
                                .n = (uint16_t)x->n,
                                .tries = (uint8_t)(x->tries + 1),
                                .holder = holder};
    struct dhcp_pending *p = NULL;

    if (x->n <= sizeof(p->bytes) && x->tries < DHCP_PROBE_TRIES)
        p = add(&s->pending, &w);
    if (!p) {
        s->counters.unprobed++;
        return false;
    }
    memcpy(p->bytes, x->m->bytes, x->n);
    ask(s, p, x->now_us);
    return true;
}

static void tell_in_use(struct dhcp_server *s, unsigned network, be32 ip, const uint8_t *mac,
                        uint32_t now_s)
{
    char ip_text[IP4_TEXT_BYTES], text[MAC_TEXT_BYTES];

    s->counters.in_use++;
    if (now_s < s->next_in_use_s[network])
        return;
    s->next_in_use_s[network] = now_s + 10;
    log_warn("dhcp      %s: %s is in use by %s, which did not get it here",
             s->config->nets[network].name, ip4_text(ip_text, ip), mac_text(text, mac));
}

void dhcp_probe_seen(struct dhcp_server *s, unsigned network, struct lease *l, const uint8_t *mac,
                     uint64_t now_us)
{
    struct dhcp_pending_table *t = &s->pending;
    uint32_t now_s = (uint32_t)(now_us / 1000000);

    for (struct dhcp_pending *p = entry(t, *chain_of_ip(t, l->ip)); p; p = entry(t, p->next_ip)) {
        if (p->w.from.network != network || p->w.ip != l->ip || p->w.answered)
            continue;
        p->w.asked = DHCP_PROBE_REQUESTS;
        p->w.due_us = now_us;
        out_of_order(t, p);
        comes_first(t, p);
        if (mac_equal(mac, p->bytes + DHCP_CHADDR_OFF))
            continue; /* it uses the address already */
        p->w.answered = true;
        if (p->w.holder || l->state != LEASE_OFFERED || !lease_id_equal(&l->who, &p->w.who))
            continue;
        lease_block(&s->leases[network], l, LEASE_SEEN, mac, now_s + LEASE_SEEN_S);
        tell_in_use(s, network, l->ip, mac, now_s);
    }
}

/* ---- the wait is over ---- */

/* The type of the answer, 0 for none. */
static unsigned decide(struct exchange *x, const struct dhcp_wait *w, struct lease **l)
{
    *l = lease_of_ip(x->leases, w->ip);
    bool own = lease_id_equal(&(*l)->who, &x->who) && (*l)->state != LEASE_FREE;
    if (x->m->type == DHCP_TYPE_REQUEST) {
        if (w->holder && w->answered)
            return DHCP_TYPE_NAK;
        if (own && (w->holder || (*l)->state == LEASE_OFFERED))
            (*l)->probed_s = x->now_s + 1;
        return dhcp_request(x, l); /* who answered has it by now, if anybody did */
    }
    if (own && w->holder && lease_live(*l, x->now_s)) {
        if (w->answered)
            return dhcp_discover_clone(x, l);
        (*l)->active_s = 0; /* whoever it was does not use it now */
        return DHCP_TYPE_OFFER;
    }
    if (own && !w->holder && (*l)->state == LEASE_OFFERED) {
        (*l)->probed_s = x->now_s + 1;
        return DHCP_TYPE_OFFER;
    }
    if (lease_of_client(x->leases, &x->who) && !w->answered && !w->holder)
        return 0; /* it has asked for another one meanwhile, and got it */
    if (!w->answered && (*l)->state == LEASE_FREE)
        (*l)->probed_s = x->now_s + 1; /* its port had too many offers, and this one had to go */
    return dhcp_discover(x, l);
}

/* What is waited for is over: what is to be said of it now. False: nothing. */
static bool conclude(struct dhcp_server *s, struct dhcp_pending *p, uint64_t now_us,
                     struct dhcp_reply *reply)
{
    struct exchange x;
    struct lease *l = NULL;
    const struct dhcp_wait w = p->w;
    uint8_t bytes[DHCP_PENDING_BYTES]; /* as it may have to wait again, for another address */

    memcpy(bytes, p->bytes, w.n);
    end(&s->pending, p);
    if (!dhcp_begin(&x, s, &w.from, bytes, w.n, now_us))
        return false; /* it was read before, so this cannot be */
    x.who = w.who;
    x.tries = w.tries;
    unsigned type = decide(&x, &w, &l);
    if (type)
        dhcp_answer(&x, type, l, reply);
    return type != 0;
}

bool dhcp_server_poll(struct dhcp_server *s, uint64_t now_us, struct dhcp_reply *reply)
{
    struct dhcp_pending_table *t = &s->pending;

    while (t->count > 0 && t->entries[t->soonest].w.due_us <= now_us) {
        struct dhcp_pending *p = &t->entries[t->soonest];
        if (p->w.asked < DHCP_PROBE_REQUESTS) {
            out_of_order(t, p);
            ask(s, p, now_us);
        } else if (conclude(s, p, now_us, reply)) {
            return true;
        }
    }
    return false;
}

uint64_t dhcp_server_next_us(const struct dhcp_server *s)
{
    const struct dhcp_pending_table *t = &s->pending;

    return t->count > 0 ? t->entries[t->soonest].w.due_us : UINT64_MAX;
}
