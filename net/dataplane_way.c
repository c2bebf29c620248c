/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The way out of the router for an IPv4 packet whose next hop is known: TTL, size, neighbor,
 * rewrite (RFC 1812, sections 5.3.1 and 5.2.7; RFC 1191).
 *
 * Everything that can refuse a packet comes before anything is rewritten, so that an ICMP error
 * quotes what its receiver has sent.
 */
#include "net/dataplane_internal.h"
#include "net/wire/tcp_mss.h"
#include "net/wire/text.h"

#include "log.h"

#define CLASH_TELL_MS 10000u

/* The way a packet will take, known to be open. */
struct way {
    struct neighbor *hop;
    bool ready;    /* the hop is resolved; else the packet is held */
    bool fragment; /* it is too big for the way and may be fragmented */
    bool renumber; /* its source is the outside address, which many have */
    uint16_t mtu;
};

/* ---- next hops ---- */

static uint8_t hop_port(struct dataplane *dp, struct neighbor *n)
{
    n->port = dp_port_of(dp, n->network, n->hdr + ETH_DST_OFF);
    n->port_moves = dp->table.moves;
    return n->port;
}

/* The switch does not know the hop's port, or its table has changed since it did. */
static void send_to_hop_slow(struct dataplane *dp, struct neighbor *n, struct pkt *p)
{
    uint8_t out = hop_port(dp, n);

    if (out < dp->port_count)
        dp_stage(dp, n->network, out, p);
    else if (out == SWITCH_PORT_NONE)
        dp_flood(dp, n->network, p);
    else
        dp_drop(dp, p, DROP_NO_NEIGHBOR); /* somebody claims to have our own MAC */
}

static inline void send_to_hop(struct dataplane *dp, struct neighbor *n, struct pkt *p)
{
    memcpy(p->data, n->hdr, ETH_HDR_BYTES);
    if (LIKELY(n->port < SWITCH_PORT_SELF && n->port_moves == dp->table.moves))
        dp_stage(dp, n->network, n->port, p);
    else
        send_to_hop_slow(dp, n, p);
}

static void on_resolve(void *arg, uint8_t network, be32 ip)
{
    struct dataplane *dp = arg;
    dp->self_ops->resolve(dp->self, network, ip);
}

static void on_release(void *arg, struct neighbor *n, struct pkt *p)
{
    send_to_hop(arg, n, p);
}

/* The packet is translated already; its sender is told when it tries again. */
static void on_give_up(void *arg, struct neighbor *n, struct pkt *p)
{
    (void)n;
    dp_drop(arg, p, DROP_NO_NEIGHBOR);
}

static void on_clash(void *arg, const struct neighbor *n, const uint8_t *mac)
{
    struct dataplane *dp = arg;
    char ip_text[IP4_TEXT_BYTES], one[MAC_TEXT_BYTES], other[MAC_TEXT_BYTES];

    if (dp->clash_told && dp->now_ms - dp->clash_told_ms < CLASH_TELL_MS)
        return;
    dp->clash_told = true;
    dp->clash_told_ms = dp->now_ms;
    log_warn("address   %s is claimed by %s and %s: give one of them another",
             ip4_text(ip_text, n->ip), mac_text(one, n->hdr + ETH_DST_OFF), mac_text(other, mac));
}

const struct neighbor_ops dp_neighbor_ops = {
    .resolve = on_resolve, .release = on_release, .give_up = on_give_up, .clash = on_clash};

/* ---- the way out ---- */

/* Finds out whether the job's packet can go to hop on network, remembering the neighbor's number in
 * *memory. False: the packet was refused. */
static bool way_find(struct dataplane *dp, struct dp_job *job, unsigned network, be32 hop,
                     uint16_t *memory, struct way *way)
{
    const struct view *v = &job->nat.v;
    const struct pkt *p = job->nat.p;
    uint32_t bytes = p->gso_size ? p->hdr_len - ETH_HDR_BYTES + (uint32_t)p->gso_size : v->ip_bytes;

    if (UNLIKELY(v->ttl <= 1)) {
        dp_refuse(dp, job, DROP_TTL, 0);
        return false;
    }
    way->mtu = dp->networks[network].mtu;
    way->fragment = way->renumber = false;
    if (UNLIKELY(bytes > way->mtu)) {
        if (v->frag & IP4_FRAG_DF) {
            dp_refuse(dp, job, DROP_TOO_BIG, way->mtu);
            return false;
        }
        way->fragment = true;
    }
    struct neighbor *n = neighbor_at(&dp->neighbors, *memory, (uint8_t)network, hop);
    if (UNLIKELY(!n)) {
        n = neighbor_get(&dp->neighbors, (uint8_t)network, hop, dp->now_ms);
        if (!n) {
            dp_refuse(dp, job, DROP_NO_NEIGHBOR, 0);
            return false;
        }
        *memory = neighbor_id(&dp->neighbors, n);
    }
    way->ready = neighbor_use(&dp->neighbors, n, dp->now_ms);
    if (UNLIKELY(!way->ready && n->state == NEIGHBOR_FAILED)) {
        dp_refuse(dp, job, DROP_NO_NEIGHBOR, 0);
        return false;
    }
    way->hop = n;
    return true;
}

static void send_or_hold(struct dataplane *dp, const struct way *way, struct pkt *p)
{
    if (way->ready)
        send_to_hop(dp, way->hop, p);
    else
        neighbor_hold(&dp->neighbors, way->hop, p);
}

/* Gives p an identification that no other datagram from the outside address has had lately, if it
 * is not a fragment, which has its datagram's (RFC 6864, section 5.3.1). */
static void renumber(struct dataplane *dp, struct pkt *p)
{
    uint8_t *ip = p->data + ETH_HDR_BYTES;

    if (load_raw16(ip + IP4_FRAG_OFF) & (IP4_FRAG_MF | IP4_FRAG_OFFSET_MASK))
        return;
    datagram_set_id(ip, datagram_id_next(&dp->ids, load_raw32(ip + IP4_SRC_OFF),
                                         load_raw32(ip + IP4_DST_OFF), ip[IP4_PROTO_OFF]));
}

/* Sends p in fragments; a super-packet is cut into its segments first. */
static void send_fragments(struct dataplane *dp, const struct way *way, struct pkt *p)
{
    struct pkt **pieces = &p;
    unsigned piece_count = 1, missing = 0;

    if (p->gso_size) {
        pieces = dp->cut_for_way;
        piece_count = offload_cut(p, pieces, &missing);
        dp_count_split(dp, piece_count, missing);
    } else if (p->flags & PKT_NEEDS_CSUM) {
        offload_finish_csum(p);
    }
    for (unsigned i = 0; i < piece_count; i++) {
        if (way->renumber)
            renumber(dp, pieces[i]);
        unsigned n = offload_fragment(pieces[i], way->mtu, dp->fragments, &missing);
        dp_count_split(dp, n, missing);
        for (unsigned k = 0; k < n; k++)
            send_or_hold(dp, way, dp->fragments[k]);
    }
}

/* RFC 1624 for a word that becomes 0x0100 less: the checksum becomes that much more, with the carry
 * brought round, and is never FFFF. */
static inline void decrement_ttl(uint8_t *ip)
{
    uint32_t csum = load_raw16(ip + IP4_CSUM_OFF) + (uint32_t)BE16(0x0100);

    ip[IP4_TTL_OFF]--;
    store_raw16(ip + IP4_CSUM_OFF, (uint16_t)(csum + (csum >= 0xFFFF)));
}

static void way_send(struct dataplane *dp, struct dp_job *job, const struct way *way)
{
    struct pkt *p = job->nat.p;

    decrement_ttl(p->data + job->nat.v.l3_off);
    if (LIKELY(way->ready && !way->fragment))
        send_to_hop(dp, way->hop, p);
    else if (way->fragment)
        send_fragments(dp, way, p);
    else
        neighbor_hold(&dp->neighbors, way->hop, p);
}

/* True if packets of the flow in this direction leave with the outside address as their source. */
static bool from_outside_address(const struct flow *f, enum flow_dir dir)
{
    return !(f->flags & FLOW_PLAIN) && (dir == FLOW_OUT || f->rem_ip == f->out_ip);
}

void dp_send_translated(struct dataplane *dp, struct dp_job *job, struct flow *f, unsigned to,
                        be32 hop)
{
    uint16_t *memory = job->nat.dir == FLOW_OUT ? &f->neighbor_out : &f->neighbor_in;
    struct way way;

    if (!way_find(dp, job, to, hop, memory, &way))
        return;
    enum drop_reason why = nat_apply(&dp->nat, f, &job->nat, dp->now_ms);
    if (UNLIKELY(why)) {
        dp_drop(dp, job->nat.p, why);
        return;
    }
    if (UNLIKELY(way.fragment || job->nat.v.fragment != FRAGMENT_NONE)) {
        way.renumber = from_outside_address(f, (enum flow_dir)job->nat.dir);
        if (way.renumber && job->nat.v.fragment != FRAGMENT_NONE)
            datagram_set_id(job->nat.p->data + job->nat.v.l3_off, job->new_id);
    }
    if (job->nat.v.tcp_flags & TCP_SYN) {
        unsigned mtu = MIN(dp->networks[to].mtu, dp->networks[job->network].mtu);
        tcp_mss_clamp(job->nat.p, &job->nat.v, (uint16_t)(mtu - IP4_HDR_BYTES - TCP_HDR_BYTES));
    }
    way_send(dp, job, &way);
}

void dp_send_routed(struct dataplane *dp, struct dp_job *job, unsigned to, be32 hop)
{
    uint16_t memory = NEIGHBOR_NONE;
    struct way way;

    if (way_find(dp, job, to, hop, &memory, &way))
        way_send(dp, job, &way);
}

void dp_send_inside(struct dataplane *dp, struct flow *f, struct pkt *p)
{
    struct neighbor *n = neighbor_at(&dp->neighbors, f->neighbor_in, f->zone, f->in_ip);

    if (!n)
        n = neighbor_get(&dp->neighbors, f->zone, f->in_ip, dp->now_ms);
    if (n && neighbor_use(&dp->neighbors, n, dp->now_ms))
        send_to_hop(dp, n, p);
    else if (n && n->state != NEIGHBOR_FAILED)
        neighbor_hold(&dp->neighbors, n, p);
    else
        dp_drop(dp, p, DROP_NO_NEIGHBOR);
}
