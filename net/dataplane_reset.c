/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The uplink's address changes: conversations with the old one end, and hosts that have TCP
 * connections among them are told at once, because nobody else will (net/nat_reset.c).
 *
 * Theory of operation. While outdated flows are about, everything takes the general path, which
 * asks here whether a flow may be used. A packet that meets an outdated flow ends it: a TCP segment
 * is answered by a reset, anything else begins a new conversation with the new address. The others
 * are ended step by step, so many a millisecond that neither the ring of a port nor the pool runs
 * dry. A reset that is lost all the same is made up for: what its receiver sends next is answered.
 *
 * Such answers are one small packet for one, to the station that sent it, and need no limit.
 */
#include "net/dataplane_route.h"
#include "net/wire/text.h"
#include "log.h"

#define STEP_FLOWS   64
#define STEP_US      250
#define POOL_RESERVE 4 /* of so many buffers one is left to others */

static void set_paths(struct dataplane *dp)
{
    for (unsigned n = 0; n < NETWORK_COUNT; n++)
        dp->networks[n].general = dp->networks[n].mirrors || dp->nat.sweeping;
}

void dp_reset_begin(struct dataplane *dp, be32 from)
{
    struct dp_reset *r = &dp->reset;

    if (!r->on) {
        r->from = from;
        r->ended = 0;
    }
    r->on = true;
    r->step_us = dp->now_us;
    set_paths(dp);
}

/* A flow is about to go. */
static void on_end(void *arg, struct flow *f, const struct tcp_reset *reset)
{
    struct dataplane *dp = arg;

    dp->reset.ended++;
    struct pkt *p = reset ? tcp_reset_make(dp->pool, reset) : NULL;
    if (!p)
        return;
    dp->totals.created++;
    dp->totals.resets_sent++;
    dp_send_inside(dp, f, p);
}

static void finish(struct dataplane *dp)
{
    char from[IP4_TEXT_BYTES], to[IP4_TEXT_BYTES];
    struct dp_reset *r = &dp->reset;
    be32 ip = dp->networks[NETWORK_UPLINK].ip;

    r->on = false;
    set_paths(dp);
    dp->totals.flows_moved += r->ended;
    if (r->from && ip && ip != r->from)
        log_info("uplink    address changed from %s to %s: %u connections ended",
                 ip4_text(from, r->from), ip4_text(to, ip), r->ended);
    else if (r->ended)
        log_info("uplink    address %s was lost: %u connections ended", ip4_text(from, r->from),
                 r->ended);
}

unsigned dp_reset_step(struct dataplane *dp)
{
    unsigned ended = 0;

    if (LIKELY(!dp->reset.on) || dp->now_us < dp->reset.step_us)
        return 0;
    dp->reset.step_us = dp->now_us + STEP_US;
    if (dp->pool->free_count > dp->pool->count / POOL_RESERVE)
        ended = nat_sweep(&dp->nat, STEP_FLOWS, on_end, dp);
    if (!dp->nat.sweeping)
        finish(dp);
    return 1 + ended;
}

uint64_t dp_reset_next_us(const struct dataplane *dp)
{
    return dp->reset.on ? dp->reset.step_us : UINT64_MAX;
}

bool dp_reset_outdated(struct dataplane *dp, struct dp_job *job, struct flow **f)
{
    const struct view *v = &job->nat.v;
    bool segment =
        v->proto == IP_PROTO_TCP && (v->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN;

    if (job->network == NETWORK_UPLINK || is_later_fragment(job)) {
        drop_job(dp, job, DROP_MOVED);
        return true;
    }
    dp->reset.ended++;
    nat_end(&dp->nat, *f);
    *f = NULL;
    if (!segment)
        return false;
    dp_refuse(dp, job, DROP_MOVED, 0);
    return true;
}
