/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMP errors about packets of flows (RFC 5508, section 4). Errors about plain flows pass as they
 * are; this is about the others:
 *
 * An error quotes the packet it is about as its sender saw it arrive, translated. Whoever sent that
 * packet must find in the quotation what he sent: the endpoint on our side is put back, in the
 * embedded IP header and in the embedded transport header, with the embedded checksums corrected
 * where they are quoted. The outer checksum covers all of that: it is updated by what each changed
 * word contributes, so extensions (RFC 4884) and cut quotations need no thought.
 */
#include "net/nat.h"
#include "net/nat_track.h"
#include "net/wire/csum.h"

/* Stores a 16-bit word (32-bit: two) in the message, and adds the change to *delta. */
static void put16(uint8_t *at, uint16_t value, uint32_t *delta)
{
    *delta += csum_delta16(load_raw16(at), value);
    store_raw16(at, value);
}

static void put32(uint8_t *at, uint32_t value, uint32_t *delta)
{
    *delta += csum_delta32(load_raw32(at), value);
    store_raw32(at, value);
}

/* The flow whose packet is quoted, and which way the error goes. The quoted packet went the other
 * way, so it is found with the quoted ends exchanged. */
static struct flow *find_quoted(struct nat *nat, const struct inner_view *in, const uint8_t *inner,
                                uint8_t zone, enum flow_dir *dir)
{
    struct flow_tuple k = {in->dst, in->src, in->dport, in->sport, in->proto, zone, 0};
    uint8_t answer = 0;

    if (in->proto == IP_PROTO_ICMP) {
        answer = inner[ICMP_TYPE_OFF] == ICMP_ECHO ? ICMP_ECHO_REPLY : ICMP_ECHO;
        if (answer == ICMP_ECHO)
            k.dport = 0;
        else
            k.sport = 0;
    }
    struct flow *f = flow_find_either(&nat->flows, &k, flow_hash(&nat->flows, &k), dir);
    return f && in->proto == IP_PROTO_ICMP && !track_echo_fits(f, answer, *dir) ? NULL : f;
}

/* Corrects the embedded transport checksum, if it is there and in use, for a change of what it
 * covers. */
static void fix_inner_csum(uint8_t *at, uint8_t proto, uint16_t covered, uint32_t *delta)
{
    uint16_t old = load_raw16(at);
    if (proto == IP_PROTO_UDP && old == 0)
        return;
    uint16_t csum = csum_apply(old, covered);
    if (proto == IP_PROTO_UDP && csum == 0)
        csum = 0xFFFF;
    put16(at, csum, delta);
}

/* Puts ip and port into the quoted packet, as its source (the error goes in) or destination (it
 * goes out). covered is what that changes in the sum of the embedded transport checksum. Returns
 * the change of the whole message. */
static uint32_t revert_inner(uint8_t *data, const struct inner_view *in, enum flow_dir dir, be32 ip,
                             be16 port, uint16_t l3, uint16_t covered)
{
    static const uint8_t csum_off[] = {[IP_PROTO_ICMP] = ICMP_CSUM_OFF,
                                       [IP_PROTO_TCP] = TCP_CSUM_OFF,
                                       [IP_PROTO_UDP] = UDP_CSUM_OFF};
    uint8_t *inner_ip = data + in->l3_off, *l4 = data + in->l4_off;
    unsigned port_off = in->proto == IP_PROTO_ICMP ? ICMP_ID_OFF
                        : dir == FLOW_IN           ? TCP_SPORT_OFF
                                                   : TCP_DPORT_OFF;
    uint32_t delta = 0;

    put32(inner_ip + (dir == FLOW_IN ? IP4_SRC_OFF : IP4_DST_OFF), ip, &delta);
    put16(inner_ip + IP4_CSUM_OFF, csum_apply(load_raw16(inner_ip + IP4_CSUM_OFF), l3), &delta);
    if (!nat_goes_by_address(in->proto))
        put16(l4 + port_off, port, &delta);
    if (in->csum_present)
        fix_inner_csum(l4 + csum_off[in->proto], in->proto, covered, &delta);
    return delta;
}

struct flow *nat_icmp_error(struct nat *nat, struct pkt *p, const struct view *v, uint8_t zone,
                            enum flow_dir *dir, enum drop_reason *why)
{
    uint8_t *ip = p->data + v->l3_off;
    struct inner_view in;

    /* Nobody heeds source quench any more, and a translator should not carry it (RFC 5508, REQ-10;
     * RFC 6633). */
    *why = v->icmp_type == ICMP_SOURCE_QUENCH ? DROP_NO_MAPPING : view_parse_icmp_inner(&in, v, p);
    if (*why != DROP_NONE)
        return NULL;
    /* An error is sent to whom it is about, and by whoever on the way (RFC 4787, REQ-12: no filter
     * on that). */
    struct flow *f = find_quoted(nat, &in, p->data + in.l4_off, zone, dir);
    if (!f || load_raw32(ip + IP4_DST_OFF) != in.src ||
        (nat->sweeping && nat_is_outdated(nat, f))) {
        *why = DROP_NO_MAPPING;
        return NULL;
    }
    if (f->flags & FLOW_PLAIN)
        return f;

    /* Towards the inside, the outside endpoint becomes the inside one; and the reverse. */
    bool inward = *dir == FLOW_IN;
    uint16_t flip = inward ? 0xFFFF : 0;
    uint32_t delta =
        revert_inner(p->data, &in, *dir, inward ? f->in_ip : f->out_ip,
                     inward ? f->in_port : f->out_port, f->l3_delta ^ flip, f->l4_delta ^ flip);

    uint8_t *icmp = p->data + v->l4_off;
    store_raw16(icmp + ICMP_CSUM_OFF,
                csum_apply(load_raw16(icmp + ICMP_CSUM_OFF), csum_fold(delta)));

    uint8_t *outer_ip = ip + (inward ? IP4_DST_OFF : IP4_SRC_OFF);
    uint32_t outer_delta = 0;
    put32(outer_ip, inward ? f->in_ip : f->out_ip, &outer_delta);
    store_raw16(ip + IP4_CSUM_OFF,
                csum_apply(load_raw16(ip + IP4_CSUM_OFF), csum_fold(outer_delta)));
    nat->counters.icmp_errors_translated++;
    return f;
}
