/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 fragmentation (RFC 791, section 3.2; options as its section 3.1 says).
 *
 * A fragment may be fragmented again: its offset is the base of ours, and its more-fragments flag
 * stays on the last one.
 */
#include "net/offload.h"
#include "net/wire/csum.h"

#define FRAGMENT_MIN_MTU 68
#define IP_OPT_COPIED    0x80 /* in the option's type: it goes into every fragment */
enum ip_option { IP_OPT_END = 0, IP_OPT_NOP = 1 };

/* The header of later fragments, made from the whole one; returns its length. The parser has found
 * the options well formed. */
static uint32_t later_header(uint8_t *to, const uint8_t *ip, uint32_t hdr_bytes)
{
    uint32_t n = IP4_HDR_BYTES, at = IP4_HDR_BYTES;

    memcpy(to, ip, IP4_HDR_BYTES);
    while (at < hdr_bytes && ip[at] != IP_OPT_END) {
        uint32_t bytes = ip[at] == IP_OPT_NOP ? 1 : ip[at + 1];
        if (ip[at] & IP_OPT_COPIED) {
            memcpy(to + n, ip + at, bytes);
            n += bytes;
        }
        at += bytes;
    }
    while (n % 4 != 0)
        to[n++] = IP_OPT_END;
    to[IP4_VIHL_OFF] = (uint8_t)(0x40 | n / 4);
    return n;
}

/* What all fragments of one packet have in common. */
struct plan {
    const struct pkt *p;
    uint8_t first[IP4_MAX_HDR_BYTES], later[IP4_MAX_HDR_BYTES];
    uint32_t first_bytes, later_bytes; /* lengths of these headers */
    uint32_t payload_off, payload_bytes;
    uint32_t base_bytes; /* where the packet's own data stands in its datagram */
    be16 frag;           /* of the packet */
    uint16_t mtu;
};

/* How much payload a fragment beginning at done carries: a multiple of 8, but for the end. */
static uint32_t part_at(const struct plan *plan, uint32_t done)
{
    uint32_t room = plan->mtu - (done == 0 ? plan->first_bytes : plan->later_bytes);
    uint32_t left = plan->payload_bytes - done;

    return left <= room ? left : room & ~7u;
}

static struct pkt *fragment_one(const struct plan *plan, uint32_t done, uint32_t part)
{
    uint32_t hdr_bytes = done == 0 ? plan->first_bytes : plan->later_bytes;
    bool more = done + part < plan->payload_bytes;
    struct pkt *f = pkt_alloc(plan->p->pool);

    if (!f)
        return NULL;
    f->port = plan->p->port;
    if (!pkt_append(f, plan->p->data, ETH_HDR_BYTES) ||
        !pkt_append(f, done == 0 ? plan->first : plan->later, hdr_bytes))
        goto empty;

    size_t off = plan->payload_off + done;
    for (const struct pkt *seg = plan->p; part > 0; seg = seg->next) {
        if (off >= seg->len) {
            off -= seg->len;
            continue;
        }
        uint32_t n = MIN(part, seg->len - (uint32_t)off);
        if (!pkt_append(f, seg->data + off, n))
            goto empty;
        part -= n;
        off = 0;
    }

    uint8_t *ip = f->data + ETH_HDR_BYTES;
    be16 flags = plan->frag & (be16)~IP4_FRAG_OFFSET_MASK;
    store_be16(ip + IP4_LEN_OFF, (uint16_t)(f->total_bytes - ETH_HDR_BYTES));
    store_raw16(ip + IP4_FRAG_OFF, (be16)(flags | (more ? IP4_FRAG_MF : 0) |
                                          hton16((uint16_t)((plan->base_bytes + done) / 8))));
    store_raw16(ip + IP4_CSUM_OFF, 0);
    store_raw16(ip + IP4_CSUM_OFF, csum_of(ip, hdr_bytes));
    return f;

empty:
    pkt_free(f);
    return NULL;
}

static void make_plan(struct plan *plan, const struct pkt *p, const struct view *v, uint16_t mtu)
{
    const uint8_t *ip = p->data + v->l3_off;

    plan->p = p;
    plan->mtu = mtu;
    plan->frag = v->frag;
    plan->first_bytes = (uint32_t)v->l4_off - v->l3_off;
    memcpy(plan->first, ip, plan->first_bytes);
    plan->later_bytes = later_header(plan->later, ip, plan->first_bytes);
    plan->payload_off = v->l4_off;
    plan->payload_bytes = v->ip_bytes - plan->first_bytes;
    plan->base_bytes = ntoh16(v->frag & IP4_FRAG_OFFSET_MASK) * 8u;
}

unsigned offload_fragment(struct pkt *p, uint16_t mtu, struct pkt **out, unsigned *missing)
{
    struct plan plan;
    struct view v;
    unsigned count = 0, n = 0;

    CHECK(mtu >= FRAGMENT_MIN_MTU);
    *missing = 1;
    if (view_parse_ip4(&v, p) != DROP_NONE)
        goto done;
    make_plan(&plan, p, &v, mtu);
    for (uint32_t at = 0; count == 0 || at < plan.payload_bytes; count++)
        at += part_at(&plan, at);
    *missing = count;
    if (count > OFFLOAD_MAX_SEGMENTS)
        goto done;

    for (uint32_t at = 0; n < count; n++) {
        uint32_t part = part_at(&plan, at);
        out[n] = fragment_one(&plan, at, part);
        if (!out[n])
            break;
        at += part;
    }
    if (n == count) {
        *missing = 0;
    } else {
        while (n > 0)
            pkt_free(out[--n]);
    }
done:
    pkt_free(p);
    return n;
}
