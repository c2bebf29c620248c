/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the router says about packets it does not forward: which reason has an ICMP error, to whom
 * it goes, and how often (RFC 1812, sections 4.3.2 and 5.2.7); and what a rule's reject says, which
 * for TCP is a reset.
 *
 * Theory of operation. Errors are limited by token buckets, one for each destination (hashed into a
 * few slots; who shares one shares its rate) and one for all. What an error costs is random:
 * whoever sees whether a global limit was used up learns whether the router sent errors to somebody
 * else, and that is enough to find the port of an outstanding DNS query (SAD DNS, CVE-2020-25705).
 *
 * Unsolicited packets from outside are never answered, unless a rule rejects them. A packet of a
 * flow is, where the path needs to know: its TTL ran out, or it is too big.
 */
#include "net/dataplane_internal.h"
#include "net/wire/icmp_error.h"
#include "net/wire/tcp_reset.h"

/* Tokens a second are milli-tokens a millisecond. */
#define LIMIT_ALL_PER_S         500
#define LIMIT_ALL_BURST         100
#define LIMIT_DESTINATION_PER_S 20
#define LIMIT_DESTINATION_BURST 24
#define TOKEN_MILLI             1000
#define LIMIT_MAX_ELAPSED_MS    60000

struct error_row {
    bool sent, sent_outside;
    uint8_t type, code;
};

static const struct error_row errors[DROP_REASON_COUNT] = {
    [DROP_TTL] = {true, true, ICMP_TIME_EXCEEDED, 0},
    [DROP_TOO_BIG] = {true, true, ICMP_UNREACHABLE, ICMP_UNREACH_FRAG_NEEDED},
    [DROP_PROTOCOL] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_PROTOCOL},
    [DROP_POLICY] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_ADMIN},
    [DROP_FLOWS_FULL] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_ADMIN},
    [DROP_PEER_TAKEN] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_ADMIN},
    [DROP_PORTS_FULL] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_ADMIN},
    [DROP_SHARE] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_ADMIN},
    [DROP_NO_ROUTE] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_NET},
    [DROP_NO_UPLINK] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_NET},
    [DROP_NO_NEIGHBOR] = {true, false, ICMP_UNREACHABLE, ICMP_UNREACH_HOST},
};

void dp_icmp_init(struct icmp_limiter *limiter, const struct hash_key *key, uint64_t random)
{
    limiter->key = *key;
    limiter->random = random | 1;
    limiter->all.tokens_milli = LIMIT_ALL_BURST * TOKEN_MILLI;
    for (unsigned i = 0; i < ICMP_LIMIT_SLOTS; i++)
        limiter->by_destination[i].tokens_milli = LIMIT_DESTINATION_BURST * TOKEN_MILLI;
}

static void refill(struct icmp_bucket *b, uint32_t now_ms, uint32_t per_s, uint32_t burst)
{
    uint32_t elapsed_ms = MIN(now_ms - b->at_ms, (uint32_t)LIMIT_MAX_ELAPSED_MS);

    b->at_ms = now_ms;
    b->tokens_milli = MIN(b->tokens_milli + elapsed_ms * per_s, burst * TOKEN_MILLI);
}

/* xorshift64: what it decides is not worth more, and it cannot be observed directly. */
static uint32_t next_random(struct icmp_limiter *limiter)
{
    uint64_t x = limiter->random;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    limiter->random = x;
    return (uint32_t)(x >> 32);
}

static bool limiter_allows(struct icmp_limiter *limiter, be32 destination, uint32_t now_ms)
{
    uint32_t slot = hash_words(&limiter->key, destination, 0) % ICMP_LIMIT_SLOTS;
    struct icmp_bucket *own = &limiter->by_destination[slot], *all = &limiter->all;
    uint32_t cost = TOKEN_MILLI + next_random(limiter) % TOKEN_MILLI;

    refill(own, now_ms, LIMIT_DESTINATION_PER_S, LIMIT_DESTINATION_BURST);
    refill(all, now_ms, LIMIT_ALL_PER_S, LIMIT_ALL_BURST);
    if (own->tokens_milli < TOKEN_MILLI || all->tokens_milli < cost)
        return false;
    own->tokens_milli -= TOKEN_MILLI;
    all->tokens_milli -= cost;
    return true;
}

/* True if one more answer may go to whom sent the job's packet; counted if not. */
static bool may_answer(struct dataplane *dp, const struct dp_job *job)
{
    bool may = limiter_allows(&dp->limiter, job->nat.v.src, dp->now_ms);

    dp->totals.icmp_errors_limited += !may;
    return may;
}

/* Sends the answer back the way the packet came: to the MAC it came from, from the one it was for,
 * through the port it came by. */
static void send_back(struct dataplane *dp, const struct dp_job *job, struct pkt *answer)
{
    const struct pkt *about = job->nat.p;

    memcpy(answer->data + ETH_DST_OFF, about->data + ETH_SRC_OFF, MAC_BYTES);
    memcpy(answer->data + ETH_SRC_OFF, about->data + ETH_DST_OFF, MAC_BYTES);
    store_raw16(answer->data + ETH_TYPE_OFF, ETH_TYPE_IP4);
    dp->totals.created++;
    dp_stage(dp, job->network, about->port, answer);
}

static void send_error(struct dataplane *dp, const struct dp_job *job, be32 from,
                       const struct error_row *row, uint16_t mtu)
{
    const struct view *v = &job->nat.v;

    if (!from || !icmp_error_allowed(v, job->nat.p) || !may_answer(dp, job))
        return;
    struct pkt *e = icmp_error_build(dp->pool, job->nat.p, v, from, row->type, row->code, mtu);
    if (!e)
        return;
    dp->totals.icmp_errors_sent++;
    send_back(dp, job, e);
}

static void send_reset(struct dataplane *dp, const struct dp_job *job, bool limited)
{
    if (!tcp_reset_allowed(&job->nat.v, job->nat.p) || (limited && !may_answer(dp, job)))
        return;
    struct pkt *e = tcp_reset_build(dp->pool, job->nat.p, &job->nat.v);
    if (!e)
        return;
    dp->totals.resets_sent++;
    send_back(dp, job, e);
}

void dp_refuse(struct dataplane *dp, struct dp_job *job, enum drop_reason reason, uint16_t mtu)
{
    const struct error_row *row = &errors[reason];

    if (row->sent && !job->silent && (job->network != NETWORK_UPLINK || row->sent_outside))
        send_error(dp, job, dp->networks[job->network].ip, row, mtu);
    if (reason == DROP_MOVED && !job->silent && job->network != NETWORK_UPLINK)
        send_reset(dp, job, false);
    dp_drop(dp, job->nat.p, reason);
}

/* Where the router has no address, it speaks for whom the packet was for. */
void dp_reject(struct dataplane *dp, struct dp_job *job)
{
    const struct view *v = &job->nat.v;
    be32 own = dp->networks[job->network].ip;

    if (!job->silent && v->proto == IP_PROTO_TCP)
        send_reset(dp, job, true);
    else if (!job->silent)
        send_error(dp, job, own ? own : v->dst, &errors[DROP_POLICY], 0);
    dp_drop(dp, job->nat.p, DROP_POLICY);
}
