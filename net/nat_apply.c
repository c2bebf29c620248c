/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What every packet of a known flow goes through: the key, the rewrite, the stamp (RFC 1624, RFC
 * 3022).
 *
 * The flow holds the outbound checksum deltas, and those of the other direction are their
 * complements, so both directions are one piece of code that differs in offsets and in one
 * exclusive or. Whether a checksum is complete or partial (pkt.h) is another: a complete one is the
 * complement of a sum and takes the change of addresses and ports; a partial one is the
 * pseudo-header's sum itself and takes that of the addresses.
 */
#include "net/nat.h"
#include "net/nat_track.h"
#include "net/wire/csum.h"

/* Where a protocol keeps its checksum, and, by direction, the port (or identifier) that is
 * translated. */
static const struct l4_layout {
    uint8_t csum_off;
    uint8_t port_off[2];
    uint8_t spare;
} l4_layout[] = {
    [IP_PROTO_ICMP] = {ICMP_CSUM_OFF, {ICMP_ID_OFF, ICMP_ID_OFF}, 0},
    [IP_PROTO_TCP] = {TCP_CSUM_OFF, {TCP_SPORT_OFF, TCP_DPORT_OFF}, 0},
    [IP_PROTO_UDP] = {UDP_CSUM_OFF, {UDP_SPORT_OFF, UDP_DPORT_OFF}, 0},
};

/* An identifier is part of the tuple on the inside host's side only. */
static enum drop_reason icmp_key(struct nat_job *job, enum flow_dir dir)
{
    const struct view *v = &job->v;

    if (v->proto != IP_PROTO_ICMP)
        return DROP_PROTOCOL;
    if (v->fragment != FRAGMENT_LATER) {
        if (!view_is_icmp_echo(v))
            return DROP_PROTOCOL;
        if (v->icmp_type != (dir == FLOW_OUT ? ICMP_ECHO : ICMP_ECHO_REPLY))
            return DROP_UNSOLICITED;
    }
    if (dir == FLOW_OUT)
        job->key.dport = 0;
    else
        job->key.sport = 0;
    return DROP_NONE;
}

enum drop_reason nat_key(const struct nat *nat, struct nat_job *job, uint8_t zone,
                         enum flow_dir dir)
{
    const struct view *v = &job->v;
    struct flow_tuple *k = &job->key;

    if (UNLIKELY(v->fragment == FRAGMENT_LATER) && v->sport == 0 && v->dport == 0)
        return DROP_FRAGMENT;
    *k = (struct flow_tuple){v->src, v->dst, v->sport, v->dport, v->proto, zone, 0};
    if (UNLIKELY(v->proto != IP_PROTO_TCP && v->proto != IP_PROTO_UDP)) {
        enum drop_reason why = icmp_key(job, dir);
        if (why != DROP_NONE)
            return why;
    }
    job->dir = (uint8_t)dir;
    job->hash = flow_hash(&nat->flows, k);
    flow_prefetch_index(&nat->flows, job->hash);
    return DROP_NONE;
}

/* A checksum that came out as zero. For UDP zero means that there is none (RFC 768); and an ICMP
 * echo reply with identifier 0 may consist of nothing but zeros, whose checksum is all ones, which
 * is right for its receiver as well if it does not. Everything else has a sum that is not zero. */
static uint16_t zero_csum(const struct view *v, be16 port)
{
    bool ones = v->proto == IP_PROTO_UDP ||
                (v->proto == IP_PROTO_ICMP && v->icmp_type == ICMP_ECHO_REPLY && port == 0);
    return ones ? 0xFFFF : 0;
}

static inline void rewrite_l4(const struct flow *f, const struct nat_job *job, uint16_t flip,
                              be16 port)
{
    const struct view *v = &job->v;
    const struct l4_layout *at = &l4_layout[f->proto];
    uint8_t *l4 = job->p->data + v->l4_off;
    uint8_t *csum_at = l4 + at->csum_off;
    bool partial = job->p->flags & PKT_NEEDS_CSUM;

    uint16_t delta = (partial ? f->l3_delta : f->l4_delta) ^ flip;
    uint16_t sign = partial ? 0 : 0xFFFF;
    uint16_t old = load_raw16(csum_at);
    uint16_t csum = csum_fold((uint32_t)(uint16_t)(old ^ sign) + delta) ^ sign;

    store_raw16(l4 + at->port_off[job->dir], port);
    if (UNLIKELY(old == 0) && v->proto == IP_PROTO_UDP)
        return;
    if (UNLIKELY(csum == 0))
        csum = zero_csum(v, port);
    store_raw16(csum_at, csum);
}

void nat_apply(struct nat *nat, struct flow *f, const struct nat_job *job, uint32_t now_ms)
{
    const struct view *v = &job->v;
    uint8_t *ip = job->p->data + v->l3_off;
    bool in = job->dir == FLOW_IN;
    uint16_t flip = in ? 0xFFFF : 0;

    store_raw16(ip + IP4_CSUM_OFF, csum_apply(load_raw16(ip + IP4_CSUM_OFF), f->l3_delta ^ flip));
    store_raw32(ip + (in ? IP4_DST_OFF : IP4_SRC_OFF), in ? f->in_ip : f->out_ip);
    if (LIKELY(v->fragment != FRAGMENT_LATER))
        rewrite_l4(f, job, flip, in ? f->in_port : f->out_port);

    f->bytes[job->dir] += v->ip_bytes;
    if (UNLIKELY(track_wants(f, v)))
        track_packet(nat, f, v, (enum flow_dir)job->dir, now_ms);
    else if (!in || f->proto == IP_PROTO_TCP)
        f->last_ms = now_ms;
}
