/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fragments on their way through the router (RFC 4787, REQ-14; RFC 6864): what the table of
 * net/fragment.h is asked and told, and what it gives back.
 *
 * A fragment that waited comes in again as it came: what was to be routed is routed, from its
 * network; what was to be switched is switched. It goes through everything else once more, because
 * nothing of it was done but the matching.
 */
#include "net/dataplane_route.h"

/* How a packet that is held came in. */
enum {
    HELD_SWITCHED = 1 << 0,
    HELD_GROUP = 1 << 1,
};

static void on_give_up(void *arg, struct pkt *p, enum drop_reason why)
{
    dp_drop(arg, p, why);
}

int dp_fragment_init(struct dataplane *dp, const struct hash_key *key, alloc_fn alloc)
{
    dp->ids.key = *key;
    return fragment_init(&dp->datagrams, key, dp->pool, NETWORK_UPLINK, on_give_up, dp, alloc);
}

bool dp_note_first(struct dataplane *dp, struct dp_job *job, uint8_t zone, const struct flow *f)
{
    const struct nat_job *n = &job->nat;
    struct fragment_key key = fragment_key(n->p, &n->v, zone);

    job->new_id = key.id;
    if (f && n->dir == FLOW_OUT && !(f->flags & FLOW_PLAIN))
        job->new_id = datagram_id_next(&dp->ids, f->out_ip, f->rem_ip, f->proto);
    enum drop_reason why = fragment_note(&dp->datagrams, &key, &n->v, job->new_id, dp->now_ms);
    if (why)
        drop_job(dp, job, why);
    return !why;
}

bool dp_match_later(struct dataplane *dp, struct dp_job *job, uint8_t zone)
{
    struct nat_job *n = &job->nat;
    struct fragment_key key = fragment_key(n->p, &n->v, zone);
    enum drop_reason why = fragment_match(&dp->datagrams, &key, &n->v, &job->new_id, dp->now_ms);
    struct fragment_held held = {
        .p = n->p,
        .network = job->network,
        .how = (uint8_t)((job->switched ? HELD_SWITCHED : 0) | (job->group ? HELD_GROUP : 0))};

    if (why == DROP_FRAGMENT)
        fragment_hold(&dp->datagrams, &key, &n->v, &held, dp->now_ms);
    else if (why)
        drop_job(dp, job, why);
    return !why;
}

static void come_in(struct dataplane *dp, const struct fragment_held *held)
{
    struct pkt *p = held->p;
    unsigned in = p->port;

    if (held->how & HELD_SWITCHED) {
        dp_general_input(dp, in, held->network, &p, 1);
        return;
    }
    struct dp_job *job = dp->jobs_end++;
    job->nat.p = p;
    job->network = held->network;
    job->group = held->how & HELD_GROUP;
    job->silent = false;
    dp_route_burst(dp, in, held->network);
}

void dp_fragments_again(struct dataplane *dp)
{
    struct fragment_held held;

    while (fragment_take(&dp->datagrams, &held))
        come_in(dp, &held);
}
