/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Offers that wait until ARP has said whether the address is free (RFC 2131, section 2.2).
 *
 * Theory of operation. An offer that is to wait is kept as the request it answers, whole, in a
 * small table, and the others are answered meanwhile. The address is asked for by ARP twice; what
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

static void ask(struct dhcp_server *s, struct dhcp_pending *p, uint64_t now_us)
{
    p->asked++;
    p->due_us = now_us + DHCP_PROBE_US / DHCP_PROBE_REQUESTS;
    s->counters.probes++;
    s->ops->probe(s->ctx, p->from.network, p->ip);
}

bool dhcp_probe_goes_on(const struct exchange *x)
{
    struct dhcp_server *s = x->s;

    for (unsigned i = 0; i < DHCP_PENDING_MAX && s->pending_count > 0; i++) {
        struct dhcp_pending *p = &s->pending[i];
        if (!p->n || p->from.network != x->from->network || !lease_id_equal(&p->who, &x->who) ||
            !mac_equal(p->bytes + DHCP_CHADDR_OFF, x->m->mac) || x->n > sizeof(p->bytes))
            continue;
        p->n = (uint16_t)x->n; /* its last word counts: it may have another xid */
        memcpy(p->bytes, x->m->bytes, x->n);
        return true;
    }
    return false;
}

bool dhcp_probe_start(const struct exchange *x, const struct lease *l, bool holder)
{
    struct dhcp_server *s = x->s;
    struct dhcp_pending *p = s->pending;

    while (p < s->pending + DHCP_PENDING_MAX && p->n)
        p++;
    if (p == s->pending + DHCP_PENDING_MAX || x->n > sizeof(p->bytes) ||
        x->tries >= DHCP_PROBE_TRIES) {
        s->counters.unprobed++;
        return false;
    }
    *p = (struct dhcp_pending){.ip = l->ip,
                               .who = x->who,
                               .from = *x->from,
                               .n = (uint16_t)x->n,
                               .tries = (uint8_t)(x->tries + 1),
                               .holder = holder,
                               .clone = x->clone};
    memcpy(p->bytes, x->m->bytes, x->n);
    s->pending_count++;
    ask(s, p, x->now_us);
    return true;
}

void dhcp_probe_seen(struct dhcp_server *s, unsigned network, struct lease *l, const uint8_t *mac,
                     uint64_t now_us)
{
    uint32_t now_s = (uint32_t)(now_us / 1000000);

    for (unsigned i = 0; i < DHCP_PENDING_MAX && s->pending_count > 0; i++) {
        struct dhcp_pending *p = &s->pending[i];
        if (!p->n || p->from.network != network || p->ip != l->ip || p->answered)
            continue;
        p->asked = DHCP_PROBE_REQUESTS;
        p->due_us = now_us;
        if (mac_equal(mac, p->bytes + DHCP_CHADDR_OFF))
            continue; /* it uses the address already */
        p->answered = true;
        if (p->holder || l->state != LEASE_OFFERED || !lease_id_equal(&l->who, &p->who))
            continue;
        s->counters.in_use++;
        lease_block(&s->leases[network], l, LEASE_SEEN, mac, now_s + LEASE_SEEN_S);
        if (now_s >= s->next_in_use_s[network]) {
            char ip_text[IP4_TEXT_BYTES], text[MAC_TEXT_BYTES];
            s->next_in_use_s[network] = now_s + 10;
            log_warn("dhcp      %s: %s is in use by %s, which did not get it here",
                     s->config->nets[network].name, ip4_text(ip_text, l->ip), mac_text(text, mac));
        }
    }
}

/* The wait is over; the type of the answer, 0 for none. */
static unsigned decide(struct exchange *x, struct dhcp_pending *p, struct lease **l)
{
    bool answered = p->answered, holder = p->holder;

    p->n = 0;
    x->s->pending_count--;
    *l = lease_of_ip(x->leases, p->ip);
    bool own = lease_id_equal(&(*l)->who, &x->who) && (*l)->state != LEASE_FREE;
    if (own && holder && lease_live(*l, x->now_s)) {
        if (answered)
            return dhcp_discover_clone(x, l);
        (*l)->active_s = 0; /* whoever it was does not use it now */
        return DHCP_TYPE_OFFER;
    }
    if (own && !holder && (*l)->state == LEASE_OFFERED) {
        (*l)->probed_s = x->now_s + 1;
        return DHCP_TYPE_OFFER;
    }
    if (lease_of_client(x->leases, &x->who) && !answered && !holder)
        return 0; /* it has asked for another one meanwhile, and got it */
    if (!answered && (*l)->state == LEASE_FREE)
        (*l)->probed_s = x->now_s + 1; /* its port had too many offers, and this one had to go */
    return dhcp_discover(x, l);
}

bool dhcp_server_poll(struct dhcp_server *s, uint64_t now_us, struct dhcp_reply *reply)
{
    for (unsigned i = 0; i < DHCP_PENDING_MAX && s->pending_count > 0; i++) {
        struct dhcp_pending *p = &s->pending[i];
        struct exchange x;
        struct lease *l = NULL;
        if (!p->n || p->due_us > now_us)
            continue;
        if (p->asked < DHCP_PROBE_REQUESTS) {
            ask(s, p, now_us);
            continue;
        }
        struct dhcp_pending done = *p;
        if (!dhcp_begin(&x, s, &done.from, done.bytes, done.n, now_us)) {
            p->n = 0; /* it was read before, so this cannot be */
            s->pending_count--;
            continue;
        }
        x.who = done.who;
        x.clone = done.clone;
        x.tries = done.tries;
        unsigned type = decide(&x, p, &l);
        if (type) {
            dhcp_answer(&x, type, l, reply);
            return true;
        }
    }
    return false;
}

uint64_t dhcp_server_next_us(const struct dhcp_server *s)
{
    uint64_t next_us = UINT64_MAX;

    for (unsigned i = 0; i < DHCP_PENDING_MAX && s->pending_count > 0; i++)
        if (s->pending[i].n)
            next_us = MIN(next_us, s->pending[i].due_us);
    return next_us;
}
