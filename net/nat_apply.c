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

/* What stands for the ports of a packet that has none. Of ICMP only echoes have a flow. */
static enum drop_reason key_ports(const struct view *v, uint32_t *ports)
{
    if (v->proto != IP_PROTO_ICMP) {
        *ports = 0;
        return v->proto != 0 ? DROP_NONE : DROP_PROTOCOL; /* 0 marks what is free */
    }
    if (*ports == 0 && v->fragment == FRAGMENT_LATER)
        return DROP_FRAGMENT;
    if (!view_is_icmp_echo(v))
        return DROP_PROTOCOL;
    *ports &= v->icmp_type == ICMP_ECHO ? 0x0000FFFF : 0xFFFF0000; /* sport is the lower half */
    return DROP_NONE;
}

enum drop_reason nat_key(const struct nat *nat, struct nat_job *job, uint8_t zone)
{
    const struct view *v = &job->v;
    uint32_t ports = load_raw32((const char *)v + offsetof(struct view, sport));
    static_assert(offsetof(struct view, dport) == offsetof(struct view, sport) + 2, "one load");

    if (UNLIKELY(v->proto != IP_PROTO_TCP && v->proto != IP_PROTO_UDP)) {
        enum drop_reason why = key_ports(v, &ports);
        if (why != DROP_NONE)
            return why;
    } else if (UNLIKELY(ports == 0) && v->fragment == FRAGMENT_LATER) {
        return DROP_FRAGMENT;
    }

    /* The tuple's two words, put together in registers for the hash. */
    uint64_t ips = v->src | (uint64_t)v->dst << 32;
    uint64_t rest = ports | (uint64_t)(v->proto | (uint32_t)zone << 8) << 32;
    memcpy(&job->key, &ips, sizeof(ips));
    memcpy((char *)&job->key + sizeof(ips), &rest, sizeof(rest));
    job->hash = hash_words(&nat->flows.key, ips, rest);
    job->dir = zone == NETWORK_UPLINK ? FLOW_IN : FLOW_OUT;
    job->guess = FLOW_NONE;
    flow_prefetch_index(&nat->flows, job->hash);
    return DROP_NONE;
}

/* A checksum that came out as zero: an ICMP echo reply with identifier 0 may consist of nothing but
 * zeros, whose checksum is all ones, which is right for its receiver as well if it does not.
 * Everything else has a sum that is not zero. */
static inline uint16_t zero_csum(const struct view *v, be16 id)
{
    return v->icmp_type == ICMP_ECHO_REPLY && id == 0 ? 0xFFFF : 0;
}

static inline __attribute__((always_inline)) void apply(struct nat *nat, struct flow *f,
                                                        const struct nat_job *job, uint32_t now_ms,
                                                        enum flow_dir dir)
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
        } else if (f->proto == IP_PROTO_UDP) {
            store_raw16(l4 + (dir == FLOW_OUT ? UDP_SPORT_OFF : UDP_DPORT_OFF), port);
            rewrite_csum(f, l4 + UDP_CSUM_OFF, p->flags & PKT_NEEDS_CSUM, dir, 0xFFFF);
        } else if (!(f->flags & FLOW_PLAIN)) {
            store_raw16(l4 + ICMP_ID_OFF, port);
            rewrite_csum(f, l4 + ICMP_CSUM_OFF, false, dir, zero_csum(v, port));
        }
    }

    f->bytes[dir] += v->ip_bytes;
    if (UNLIKELY(track_wants(f, v)))
        track_packet(nat, f, job, now_ms);
    else if (dir == FLOW_OUT || f->proto == IP_PROTO_TCP || (f->flags & FLOW_PLAIN))
        f->last_ms = now_ms;
}

/* Twice the same code, so that in each the offsets and signs are constants. */
void nat_apply(struct nat *nat, struct flow *f, const struct nat_job *job, uint32_t now_ms)
{
    if (job->dir == FLOW_OUT)
        apply(nat, f, job, now_ms, FLOW_OUT);
    else
        apply(nat, f, job, now_ms, FLOW_IN);
}
