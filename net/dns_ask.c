/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Asking servers: which one, for how long, and what becomes of the ones that fail; see dns_proxy.h
 * and dns_upstream.h.
 *
 * Theory of operation. An entry asks one server after the other, each for as long as that server
 * should take, best first, and begins again when it is through, until the hosts have waited for
 * DNS_GIVE_UP_US. It does so from one port with one id, so that the answer of a slow server is
 * still good after the next one was asked: whoever is to guess them must do so once, as before, and
 * the servers that know them are all believed anyway. A server that answers with an error is done
 * with; the next one is asked at once, and the last error goes to the hosts when all have made one.
 *
 * A server that is not asked because another one is faster, or because it does not answer, is
 * probed: with a question of a host, by an entry that nobody waits for. So nobody waits for a dead
 * server, an idle router asks nothing, a server is asked nothing but what it would be asked anyway,
 * and what it answers is what it would answer a host. Only its time is of interest.
 *
 * The letters of a question sent out are of random case. An answer that is right but for them comes
 * from a server that does not keep them, or from somebody who guessed all the rest. It is not
 * believed; but that server's letters are not looked at for DNS_LETTERS_LOST_US, and it is asked
 * again from another port with another id, which that somebody would have to guess again. A server
 * that goes on to keep them was not the one that lost them, and they count again.
 */
#include "net/dns_proxy_internal.h"

#include "check.h"
#include "config.h"
#include "log.h"
#include "net/wire/text.h"

#define TELL_US 60000000u /* that no server answers: at most this often */
static_assert(DNS_OWN_SERVERS_MAX >= CONFIG_MAX_DNSFWDS, "a row for each server of dnsfwd=");

static unsigned server_count(const struct dns_proxy *d, const struct dns_pending *p)
{
    return p->one_server ? 1 : d->server_count;
}

static struct dns_upstream *server_of(struct dns_proxy *d, const struct dns_pending *p, unsigned k)
{
    return p->one_server ? &d->own_servers[p->own_server] : &d->servers[k];
}

/* The row of a server that is not one of all. There is one for each that the command line can
 * name; were there more, the one asked longest ago would lose its past. */
static uint8_t own_server(struct dns_proxy *d, uint8_t network, be32 ip)
{
    unsigned oldest = 0;

    for (unsigned i = 0; i < d->own_count; i++) {
        if (d->own_servers[i].ip == ip && d->own_servers[i].network == network)
            return (uint8_t)i;
        if (d->own_servers[i].used_us < d->own_servers[oldest].used_us)
            oldest = i;
    }
    if (d->own_count < DNS_OWN_SERVERS_MAX)
        oldest = d->own_count++;
    dns_upstream_init(&d->own_servers[oldest], network, ip);
    return (uint8_t)oldest;
}

/* ---- what the console says ---- */

static void tell_dead(struct dns_proxy *d, uint64_t now_us)
{
    char list[DNS_SERVERS_MAX][IP4_TEXT_BYTES + 1] = {""};

    if (d->told_dead || now_us < d->next_dead_us || d->server_count == 0)
        return;
    for (unsigned i = 0; i < d->server_count; i++) {
        if (dns_upstream_state(&d->servers[i]) != DNS_DEAD)
            return;
        list[i][0] = ' ';
        ip4_text(list[i] + 1, d->servers[i].ip);
    }
    d->told_dead = true;
    d->dead_us = now_us;
    d->next_dead_us = now_us + TELL_US;
    log_warn("dns       no server answers:%s%s%s", list[0], list[1], list[2]);
}
static_assert(DNS_SERVERS_MAX == 3, "so many names in that line");

static void heard(struct dns_proxy *d, struct dns_upstream *u, uint32_t took_us, bool error,
                  bool listed, uint64_t now_us)
{
    char ip[IP4_TEXT_BYTES];

    dns_upstream_answered(u, took_us, error, now_us);
    if (!listed || !d->told_dead)
        return;
    d->told_dead = false;
    log_info("dns       %s answers again, after %u s", ip4_text(ip, u->ip),
             (unsigned)((now_us - d->dead_us) / 1000000));
}

/* ---- asking ---- */

/* Another port, and another id and letters. False, and nothing is changed, if no port is free. */
static bool draw(struct dns_proxy *d, struct dns_pending *p)
{
    size_t name = p->question_bytes - 4u;
    struct {
        be16 id;
        struct dns_letters letters;
    } random;
    be16 port = d->ops->reserve_port(d->ctx);

    if (!port)
        return false;
    p->port = port;
    d->ops->random(d->ctx, &random, sizeof(random.id) + (p->respell ? (name + 7) / 8 : 0));
    p->id = random.id;
    store_raw16(p->bytes + DNS_ID_OFF, p->id);
    if (p->respell)
        dns_letters_write(&random.letters, p->bytes + DNS_HDR_BYTES, name);
    return true;
}

/* When it is due if no answer comes. */
static uint64_t ask(struct dns_proxy *d, struct dns_pending *p, unsigned k, uint64_t now_us)
{
    struct dns_upstream *u = server_of(d, p, k);
    struct dns_try *t = &p->tries[k];
    uint64_t due_us = now_us + dns_upstream_wait_us(u, t->times);

    t->times = (uint8_t)MIN(t->times + 1u, UINT8_MAX);
    t->asked_us = (uint32_t)now_us;
    p->current = (uint8_t)k;
    p->server = u->ip;
    dns_upstream_asked(u, now_us);
    d->counters.relayed++;
    d->ops->ask(d->ctx, p->port, p->network, p->server, p->bytes, p->n);
    return p->probe ? p->give_up_us : MIN(due_us, p->give_up_us);
}

/* The server to ask next: one asked least often, and of these the best. DNS_NO_TRY: there is none.
 */
static unsigned choose(struct dns_proxy *d, const struct dns_pending *p)
{
    unsigned best = DNS_NO_TRY;

    for (unsigned k = 0; k < server_count(d, p); k++) {
        if (best == DNS_NO_TRY || p->tries[k].times < p->tries[best].times ||
            (p->tries[k].times == p->tries[best].times &&
             dns_upstream_before(server_of(d, p, k), server_of(d, p, best))))
            best = k;
    }
    return best;
}

/* Asks one of the others the same, if it is time to. */
static void probe(struct dns_proxy *d, const struct dns_pending *like,
                  const struct dns_client *from, uint64_t now_us)
{
    for (unsigned k = 0; k < d->server_count; k++) {
        if (k == like->current || !dns_upstream_probe_due(&d->servers[k], now_us))
            continue;
        struct dns_pending *p =
            d->pending_count < DNS_PENDING_MAX / 2 ? dns_pending_new(d, from) : NULL;
        if (!p)
            return;
        uint16_t client = p->client_bucket, next = p->next_port;
        *p = *like;
        p->client_bucket = client;
        p->next_port = next;
        p->waiter_count = 0;
        p->probe = true;
        p->give_up_us = now_us + DNS_PROBE_WAIT_US;
        memset(p->tries, 0, sizeof(p->tries));
        if (draw(d, p))
            dns_pending_use(d, p, ask(d, p, k, now_us));
        return;
    }
}

bool dns_ask_begin(struct dns_proxy *d, struct dns_pending *p, const struct dns_client *from,
                   uint64_t now_us)
{
    p->probe = false;
    p->failure = DNS_NOERROR;
    p->give_up_us = now_us + DNS_GIVE_UP_US;
    memset(p->tries, 0, sizeof(p->tries));
    if (p->one_server)
        p->own_server = own_server(d, p->network, p->server);
    if (!dns_pending_has_share(d, p) || !draw(d, p))
        return false;
    dns_pending_use(d, p, ask(d, p, choose(d, p), now_us));
    if (!p->one_server)
        probe(d, p, from, now_us);
    return true;
}

void dns_ask_restart(struct dns_proxy *d)
{
    /* Upwards: what makes room for one that moves up has been here already. */
    for (unsigned i = 0; i < d->queued; i++) {
        struct dns_pending *p = &d->pending[d->queue[i]];
        if (p->one_server)
            continue;
        memset(p->tries, 0, sizeof(p->tries));
        p->current = DNS_NO_TRY;
        p->failure = DNS_NOERROR;
        dns_pending_due(d, p, 0);
    }
}

/* ---- answers ---- */

int dns_ask_whom(struct dns_proxy *d, const struct dns_pending *p, uint8_t network, be32 server)
{
    if (p->network != network)
        return -1;
    for (unsigned k = 0; k < server_count(d, p); k++)
        if (p->tries[k].times > 0 && server_of(d, p, k)->ip == server)
            return (int)k;
    return -1;
}

bool dns_ask_other_letters(struct dns_proxy *d, struct dns_pending *p, unsigned k, uint64_t now_us)
{
    struct dns_upstream *u = server_of(d, p, k);
    be16 old = p->port;

    u->letters_lost++;
    u->letters_kept = 0;
    if (now_us < u->letters_lost_until_us)
        return true;
    u->letters_lost_until_us = now_us + DNS_LETTERS_LOST_US;
    dns_pending_unlink_port(d, p);
    if (draw(d, p)) {
        d->ops->release_port(d->ctx, old);
        p->tries[k].times = 0; /* the earlier ones are nobody's any more */
        dns_pending_due(d, p, ask(d, p, k, now_us));
    } /* else it is asked again when it is due, and believed then */
    dns_pending_link_port(d, p);
    return false;
}

void dns_ask_same_letters(struct dns_proxy *d, struct dns_pending *p, unsigned k)
{
    struct dns_upstream *u = server_of(d, p, k);
    const uint8_t *name = p->bytes + DNS_HDR_BYTES, *end = name + p->question_bytes - 4;

    if (!u->letters_lost_until_us || !p->respell)
        return;
    while (name < end && (*name < 'A' || *name > 'Z'))
        name++;
    if (name < end && ++u->letters_kept >= DNS_LETTERS_KEPT)
        u->letters_lost_until_us = u->letters_kept = 0;
}

/* An entry that a server has failed: true if there is another to wait for, which is asked if it has
 * not been yet. */
static bool goes_on(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us)
{
    unsigned k = choose(d, p);

    if (p->tries[k].times == 0) {
        dns_pending_due(d, p, ask(d, p, k, now_us));
        return true;
    }
    for (k = 0; k < server_count(d, p); k++)
        if (!p->tries[k].failed && !p->tries[k].late)
            return true;
    return false;
}

bool dns_ask_answered(struct dns_proxy *d, struct dns_pending *p, unsigned k, enum dns_rcode code,
                      uint64_t now_us)
{
    struct dns_try *t = &p->tries[k];
    uint32_t took_us = t->times == 1 ? MAX((uint32_t)now_us - t->asked_us, 1u) : 0;

    /* Malformed questions are the host's fault. */
    heard(d, server_of(d, p, k), took_us, code == DNS_SERVFAIL || code == DNS_REFUSED,
          !p->one_server, now_us);
    if (p->probe) {
        dns_pending_forget(d, p);
        return false;
    }
    if (dns_is_failure(code)) {
        t->failed = true;
        p->failure = (uint8_t)code;
        if (goes_on(d, p, now_us))
            return false;
    }
    p->current = (uint8_t)k;
    p->server = server_of(d, p, k)->ip;
    return true;
}

bool dns_ask_other_by_tcp(struct dns_proxy *d, struct dns_pending *p)
{
    unsigned best = DNS_NO_TRY;

    if (p->current != DNS_NO_TRY)
        p->tries[p->current].fetched = true;
    for (unsigned k = 0; k < server_count(d, p); k++)
        if (!p->tries[k].fetched &&
            (best == DNS_NO_TRY || dns_upstream_before(server_of(d, p, k), server_of(d, p, best))))
            best = k;
    if (best == DNS_NO_TRY)
        return false;
    p->current = (uint8_t)best;
    p->server = server_of(d, p, best)->ip;
    return true;
}

/* ---- time ---- */

void dns_ask_due(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us)
{
    struct dns_try *t = p->current == DNS_NO_TRY ? NULL : &p->tries[p->current];

    if (p->fetching || p->fetch_waits) {
        dns_fetch_due(d, p, now_us);
        return;
    }
    if (t && !t->failed) {
        dns_upstream_timed_out(server_of(d, p, p->current), !t->late, p->probe, now_us);
        t->late = true;
        if (!p->one_server)
            tell_dead(d, now_us);
    }
    if (p->probe) {
        dns_pending_forget(d, p);
        return;
    }
    unsigned k = choose(d, p);
    /* After an error the others get one chance: their answer might have been the same. */
    if (k != DNS_NO_TRY && now_us < p->give_up_us && !(p->failure && p->tries[k].times > 0)) {
        dns_pending_due(d, p, ask(d, p, k, now_us));
        return;
    }
    if (k != DNS_NO_TRY && !p->failure)
        dns_keep_silence(d, p, now_us);
    dns_give_up(d, p, p->failure ? p->failure : DNS_SERVFAIL);
}
