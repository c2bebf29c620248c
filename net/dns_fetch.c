/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Answers that a server cut because they are too long for a datagram (TC), asked for again by TCP
 * (RFC 7766, section 5; RFC 5625, section 4.4).
 *
 * Theory of operation. A host that asked by UDP is given the cut answer and comes back by TCP, if
 * it wants the rest. For those who asked by TCP the query stays under way: the same bytes go to the
 * same server by TCP, and what comes is judged as an answer by UDP would be. A server that refuses,
 * answers with an error, or says nothing for FETCH_WAIT_US, is followed by the next, each once.
 * While too many are asked already, it waits for its turn.
 *
 * Invariant: fetching is true from a fetch() that returned true until dns_proxy_fetched() or
 * end_fetch().
 */
#include "net/dns_proxy_internal.h"

#include "check.h"
#include "net/wire/dns.h"

#define FETCH_WAIT_US  2000000u
#define FETCH_AGAIN_US 100000u /* when it cannot be asked now */

/* Those who wait by TCP, out of the entry; their number. */
static unsigned set_aside(struct dns_pending *p, struct dns_waiter later[static DNS_WAITERS_MAX])
{
    unsigned kept = 0, n = 0;

    for (unsigned i = 0; i < p->waiter_count; i++) {
        if (p->waiters[i].client.stream)
            later[n++] = p->waiters[i];
        else
            p->waiters[kept++] = p->waiters[i];
    }
    p->waiter_count = (uint8_t)kept;
    return n;
}

static void begin(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us)
{
    p->fetching =
        d->ops->fetch(d->ctx, (uint16_t)(p - d->pending), p->network, p->server, p->bytes, p->n);
    p->fetch_waits = !p->fetching;
    d->counters.fetches += p->fetching;
    dns_pending_due(d, p,
                    MIN(now_us + (p->fetching ? FETCH_WAIT_US : FETCH_AGAIN_US), p->give_up_us));
}

void dns_fetch_instead(struct dns_proxy *d, struct dns_pending *p, uint8_t *bytes, size_t n,
                       uint64_t now_us)
{
    struct dns_waiter later[DNS_WAITERS_MAX];
    unsigned count = set_aside(p, later);

    if (p->waiter_count > 0)
        dns_answer_take(d, p, bytes, n, now_us);
    if (count == 0) {
        dns_pending_forget(d, p);
        return;
    }
    memcpy(p->waiters, later, sizeof(later[0]) * count);
    p->waiter_count = (uint8_t)count;
    begin(d, p, now_us);
}

/* Asks the next server by TCP. False: there is none, or no time. */
static bool go_on(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us)
{
    if (now_us >= p->give_up_us || !dns_ask_other_by_tcp(d, p))
        return false;
    begin(d, p, now_us);
    return true;
}

void dns_fetch_due(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us)
{
    bool again = p->fetch_waits && p->current != DNS_NO_TRY && now_us < p->give_up_us;

    if (p->fetching) {
        d->ops->end_fetch(d->ctx, (uint16_t)(p - d->pending));
        p->fetching = false;
        d->counters.fetches_failed++;
    }
    if (again)
        begin(d, p, now_us);
    else if (!go_on(d, p, now_us))
        dns_give_up(d, p, p->failure ? p->failure : DNS_SERVFAIL);
}

void dns_proxy_fetched(struct dns_proxy *d, uint16_t which, uint8_t *bytes, size_t n,
                       uint64_t now_us)
{
    struct dns_pending *p = &d->pending[which];

    CHECK(which < DNS_PENDING_MAX && p->fetching);
    p->fetching = false;
    if (!bytes || !dns_answer_matches(p, BE16(DNS_PORT), bytes, n)) {
        d->counters.forged += bytes != NULL;
        d->counters.fetches_failed++;
        dns_fetch_due(d, p, now_us);
        return;
    }
    unsigned flags = load_be16(bytes + DNS_FLAGS_OFF);
    bool failure = dns_is_failure(flags & DNS_FLAG_RCODE);
    if (failure)
        p->failure = flags & DNS_FLAG_RCODE;
    if (failure || (flags & DNS_FLAG_TRUNCATED)) {
        d->counters.fetches_failed++;
        if (go_on(d, p, now_us))
            return;
    }
    dns_answer_take(d, p, bytes, n, now_us);
    dns_pending_forget(d, p);
}
