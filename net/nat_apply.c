/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What every packet of a known flow goes through: the key, the rewrite, the stamp (RFC 1624, RFC
 * 3022).
 *
 * Packets that need nothing but the rewrite do not even come here: net/dataplane_fast.c.
 */
#include "net/nat.h"
#include "net/nat_rewrite.h"
#include "net/nat_track.h"
#include "net/wire/csum.h"

/* The tuple's two words, put together in registers for the hash. */
static inline void set_key(const struct nat *nat, struct nat_job *job, uint8_t zone, uint32_t ports)
{
    const struct view *v = &job->v;
    uint64_t ips = v->src | (uint64_t)v->dst << 32;
    uint64_t rest = ports | (uint64_t)(v->proto | (uint32_t)zone << 8) << 32;

    static_assert(FLOW_OUT == 0 && FLOW_IN == 1, "a division makes one of the other");
    memcpy(&job->key, &ips, sizeof(ips));
    memcpy((char *)&job->key + sizeof(ips), &rest, sizeof(rest));
    job->dir = zone / NETWORK_UPLINK;
    job->hash = hash_words(&nat->flows.key, ips, rest);
    job->guess = FLOW_NONE;
    flow_prefetch_index(&nat->flows, job->hash);
}

/* The key of a packet whose ports are not all there is to it: an echo, another ICMP message,
 * another protocol, a fragment. */
static __attribute__((noinline)) enum drop_reason
odd_key(const struct nat *nat, struct nat_job *job, uint8_t zone, uint32_t ports)
{
    const struct view *v = &job->v;
    bool icmp = v->proto == IP_PROTO_ICMP;
    bool needs_first = icmp || v->proto == IP_PROTO_TCP || v->proto == IP_PROTO_UDP;

    if (v->fragment == FRAGMENT_LATER && needs_first && ports == 0)
        return DROP_FRAGMENT;
    if (v->proto == 0 || (icmp && !view_is_icmp_echo(v))) /* 0 marks what is free */
        return DROP_PROTOCOL;
    if (icmp && v->icmp_type == ICMP_ECHO)
        ports &= 0x0000FFFF; /* sport is the lower half */
    else if (icmp)
        ports &= 0xFFFF0000;
    set_key(nat, job, zone, ports);
    /* With identifier 0, requests and replies have one tuple. nat_find_again() tells them apart, so
     * whatever is guessed has to be wrong. */
    if (icmp && ports == 0)
        job->hash = ~job->hash;
    return DROP_NONE;
}

enum drop_reason nat_key(const struct nat *nat, struct nat_job *job, uint8_t zone)
{
    uint32_t ports = load_raw32((const char *)&job->v + offsetof(struct view, sport));
    static_assert(offsetof(struct view, dport) == offsetof(struct view, sport) + 2, "one load");

    if (UNLIKELY(ports == 0 || job->v.proto == IP_PROTO_ICMP))
        return odd_key(nat, job, zone, ports);
    set_key(nat, job, zone, ports);
    return DROP_NONE;
}

/* A checksum that came out as zero: an ICMP echo reply with identifier 0 may consist of nothing but
 * zeros, whose checksum is all ones, which is right for its receiver as well if it does not.
 * Everything else has a sum that is not zero. */
static inline uint16_t zero_csum(const struct view *v, be16 id)
{
    return v->icmp_type == ICMP_ECHO_REPLY && id == 0 ? 0xFFFF : 0;
}

/* steady: the flow's state does not depend on the packet, and the TCP header's acknowledgment is to
 * be noted here. (Whether there is one is not asked: on an open connection all segments have it.)
 */
static inline __attribute__((always_inline)) void
apply(struct nat *nat, struct flow *f, const struct nat_job *job, enum flow_dir dir, bool steady)
{
    const struct view *v = &job->v;
    const struct pkt *p = job->p;

    rewrite_ip(f, p->data + v->l3_off, dir, 0);
    if (LIKELY(v->fragment != FRAGMENT_LATER)) {
        be16 port = dir == FLOW_OUT ? f->out_port : f->in_port;
        uint8_t *l4 = p->data + v->l4_off;
        if (LIKELY(f->proto == IP_PROTO_TCP)) {
            store_raw16(l4 + (dir == FLOW_OUT ? TCP_SPORT_OFF : TCP_DPORT_OFF), port);
            rewrite_csum(f, l4 + TCP_CSUM_OFF, p->flags & PKT_NEEDS_CSUM, dir, 0);
            if (steady)
                f->acks[dir] = load_raw32(l4 + TCP_ACK_OFF);
        } else if (f->proto == IP_PROTO_UDP) {
            store_raw16(l4 + (dir == FLOW_OUT ? UDP_SPORT_OFF : UDP_DPORT_OFF), port);
            rewrite_csum(f, l4 + UDP_CSUM_OFF, p->flags & PKT_NEEDS_CSUM, dir, 0xFFFF);
        } else if (f->proto == IP_PROTO_ICMP && !(f->flags & FLOW_PLAIN)) {
            store_raw16(l4 + ICMP_ID_OFF, port);
            rewrite_csum(f, l4 + ICMP_CSUM_OFF, false, dir, zero_csum(v, port));
        }
    }
    flow_count(&nat->flows, f, dir, v->ip_bytes);
}

/* A packet that may change the flow's state, or may not pass. */
static __attribute__((noinline)) enum drop_reason
apply_tracked(struct nat *nat, struct flow *f, const struct nat_job *job, uint32_t now_ms)
{
    enum drop_reason why = track_packet(nat, f, job, now_ms);

    if (why)
        return why;
    if (job->dir == FLOW_OUT)
        apply(nat, f, job, FLOW_OUT, false);
    else
        apply(nat, f, job, FLOW_IN, false);
    return DROP_NONE;
}

/* Many times the same code, so that in each the offsets and signs are constants. */
enum drop_reason nat_apply(struct nat *nat, struct flow *f, const struct nat_job *job,
                           uint32_t now_ms)
{
    if (UNLIKELY(track_wants(f, &job->v)))
        return apply_tracked(nat, f, job, now_ms);
    if (job->dir == FLOW_OUT || f->proto == IP_PROTO_TCP || (f->flags & FLOW_PLAIN))
        f->last_ms = now_ms;
    if (job->dir == FLOW_OUT)
        apply(nat, f, job, FLOW_OUT, true);
    else
        apply(nat, f, job, FLOW_IN, true);
    return DROP_NONE;
}
