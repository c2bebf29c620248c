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

/* May this be a packet of an ICMP flow: an echo request outwards, a reply inwards? */
static enum drop_reason icmp_check(const struct view *v, enum flow_dir dir)
{
    if (v->proto != IP_PROTO_ICMP)
        return DROP_PROTOCOL;
    if (v->fragment == FRAGMENT_LATER)
        return DROP_NONE;
    if (!view_is_icmp_echo(v))
        return DROP_PROTOCOL;
    return v->icmp_type == (dir == FLOW_OUT ? ICMP_ECHO : ICMP_ECHO_REPLY) ? DROP_NONE
                                                                           : DROP_UNSOLICITED;
}

enum drop_reason nat_key(const struct nat *nat, struct nat_job *job, uint8_t zone,
                         enum flow_dir dir)
{
    const struct view *v = &job->v;
    uint32_t ports = load_raw32((const char *)v + offsetof(struct view, sport));
    static_assert(offsetof(struct view, dport) == offsetof(struct view, sport) + 2, "one load");

    if (UNLIKELY(ports == 0) && v->fragment == FRAGMENT_LATER)
        return DROP_FRAGMENT;
    if (UNLIKELY(v->proto != IP_PROTO_TCP && v->proto != IP_PROTO_UDP)) {
        enum drop_reason why = icmp_check(v, dir);
        if (why != DROP_NONE)
            return why;
        ports &= dir == FLOW_OUT ? 0x0000FFFF : 0xFFFF0000; /* sport is the lower half */
    }

    /* The tuple's two words, put together in registers for the hash. */
    uint64_t ips = v->src | (uint64_t)v->dst << 32;
    uint64_t rest = ports | (uint64_t)(v->proto | (uint32_t)zone << 8) << 32;
    memcpy(&job->key, &ips, sizeof(ips));
    memcpy((char *)&job->key + sizeof(ips), &rest, sizeof(rest));
    job->hash = hash_words(&nat->flows.key, ips, rest);
    job->dir = (uint8_t)dir;
    job->guess = FLOW_NONE;
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

/* a + b with the carry brought round. In this form compilers make an add and an add-with-carry of
 * it. */
static inline uint16_t add_round(uint16_t a, uint16_t b)
{
    uint16_t sum = (uint16_t)(a + b);
    return (uint16_t)(sum + (sum < a));
}

static inline __attribute__((always_inline)) void apply(struct nat *nat, struct flow *f,
                                                        const struct nat_job *job, uint32_t now_ms,
                                                        enum flow_dir dir)
{
    const struct view *v = &job->v;
    const struct pkt *p = job->p;
    uint16_t flip = dir == FLOW_IN ? 0xFFFF : 0;
    uint8_t *ip = p->data + v->l3_off;

    uint16_t csum = (uint16_t)~load_raw16(ip + IP4_CSUM_OFF);
    store_raw16(ip + IP4_CSUM_OFF, (uint16_t)~add_round(csum, f->l3_delta ^ flip));
    if (dir == FLOW_OUT)
        store_raw32(ip + IP4_SRC_OFF, f->out_ip);
    else
        store_raw32(ip + IP4_DST_OFF, f->in_ip);

    if (LIKELY(v->fragment != FRAGMENT_LATER)) {
        be16 port = dir == FLOW_OUT ? f->out_port : f->in_port;
        uint8_t *l4 = p->data + v->l4_off, *csum_at = l4 + f->csum_off;
        if (LIKELY(f->proto != IP_PROTO_ICMP)) /* TCP and UDP have their ports in one place */
            store_raw16(l4 + (dir == FLOW_OUT ? TCP_SPORT_OFF : TCP_DPORT_OFF), port);
        else
            store_raw16(l4 + ICMP_ID_OFF, port);
        uint16_t old = load_raw16(csum_at);
        if (UNLIKELY(p->flags & PKT_NEEDS_CSUM))
            csum = add_round(old, f->l3_delta ^ flip);
        else
            csum = (uint16_t)~add_round((uint16_t)~old, f->l4_delta ^ flip);
        if (UNLIKELY(old == 0) && v->proto == IP_PROTO_UDP)
            csum = 0;
        else if (UNLIKELY(csum == 0))
            csum = zero_csum(v, port);
        store_raw16(csum_at, csum);
    }

    f->bytes[dir] += v->ip_bytes;
    if (UNLIKELY(track_wants(f, v)))
        track_packet(nat, f, job, now_ms);
    else if (dir == FLOW_OUT || f->proto == IP_PROTO_TCP)
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
