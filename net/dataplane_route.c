/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bursts of IPv4 packets for the router's MAC.
 *
 * Theory of operation. A burst goes through in passes. dp_prepare_*() parses each packet, deals at
 * once with what is not a plain packet of a flow (the router's own, ICMP errors, hairpins,
 * refusals) and computes the others' keys, which asks for the lines of the index; the next pass
 * asks for the flows' lines; the last one finds the flows and sends the packets on. A known flow
 * has been admitted when it was opened: policy, forwards and address classes are looked at only
 * when there is none.
 */
#include "net/dataplane_route.h"

/* Parses and cuts off what Ethernet has padded. */
static inline bool parse_job(struct dataplane *dp, struct dp_job *job)
{
    struct pkt *p = job->nat.p;
    enum drop_reason reason = view_parse_ip4(&job->nat.v, p);

    if (UNLIKELY(reason)) {
        dp_drop(dp, p, reason);
        return false;
    }
    uint32_t frame_bytes = ETH_HDR_BYTES + (uint32_t)job->nat.v.ip_bytes;
    if (LIKELY(frame_bytes <= p->len && !p->next))
        p->len = p->total_bytes = frame_bytes;
    else if (frame_bytes < p->total_bytes)
        pkt_trim(p, frame_bytes);
    return true;
}

static inline void route_burst(struct dataplane *dp, unsigned in, const bool from_uplink)
{
    struct dp_job *ready[BURST_MAX];
    unsigned n = 0;

    for (struct dp_job *job = dp->jobs; job < dp->jobs_end; job++) {
        job->nat.p->port = (uint8_t)in; /* where an error about it will go */
        if (parse_job(dp, job) && (from_uplink ? dp_prepare_in(dp, job) : dp_prepare_out(dp, job)))
            ready[n++] = job;
    }
    dp->jobs_end = dp->jobs;
    for (unsigned i = 0; i < n; i++)
        if (!is_later_fragment(ready[i]))
            nat_prefetch(&dp->nat, &ready[i]->nat);
    for (unsigned i = 0; i < n; i++)
        from_uplink ? dp_forward_in(dp, ready[i]) : dp_forward_out(dp, ready[i]);
}

void dp_route_burst(struct dataplane *dp, unsigned in, unsigned network)
{
    if (network == NETWORK_UPLINK)
        route_burst(dp, in, true);
    else
        route_burst(dp, in, false);
}
