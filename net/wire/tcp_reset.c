/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP resets; see tcp_reset.h.
 */
#include "net/wire/tcp_reset.h"
#include "net/wire/csum.h"

#define RESET_TTL    64
#define PACKET_BYTES (IP4_HDR_BYTES + TCP_HDR_BYTES)

bool tcp_reset_allowed(const struct view *v, const struct pkt *about)
{
    if (v->proto != IP_PROTO_TCP || v->fragment == FRAGMENT_LATER || (v->tcp_flags & TCP_RST))
        return false;
    return !mac_is_group(about->data + ETH_DST_OFF) && !ip4_is_martian(v->src) &&
           !ip4_is_martian(v->dst);
}

/* What a reset must carry to be believed: where the segment says its sender expects the next byte,
 * or, if it says nothing, an acknowledgement of all there is of it. */
static void set_numbers(struct tcp_reset *reset, const struct view *v, const uint8_t *segment)
{
    uint32_t header_bytes = (segment[TCP_DATAOFF_OFF] >> 4) * 4u;
    uint32_t data_bytes = v->ip_bytes - (uint32_t)(v->l4_off - v->l3_off) - header_bytes;

    reset->flags = TCP_RST;
    if (v->tcp_flags & TCP_ACK) {
        reset->seq = load_be32(segment + TCP_ACK_OFF);
        return;
    }
    reset->ack = load_be32(segment + TCP_SEQ_OFF) + data_bytes;
    reset->ack += (v->tcp_flags & TCP_SYN) != 0;
    reset->ack += (v->tcp_flags & TCP_FIN) != 0;
    reset->flags |= TCP_ACK;
}

static void fill_tcp(uint8_t *tcp, const struct tcp_reset *reset)
{
    store_raw16(tcp + TCP_SPORT_OFF, reset->sport);
    store_raw16(tcp + TCP_DPORT_OFF, reset->dport);
    store_be32(tcp + TCP_SEQ_OFF, reset->seq);
    store_be32(tcp + TCP_ACK_OFF, reset->ack);
    tcp[TCP_DATAOFF_OFF] = TCP_HDR_BYTES / 4 << 4;
    tcp[TCP_FLAGS_OFF] = reset->flags;
    uint32_t sum = csum_pseudo(reset->src, reset->dst, IP_PROTO_TCP, TCP_HDR_BYTES);
    store_raw16(tcp + TCP_CSUM_OFF, (uint16_t)~csum_fold(csum_add(sum, tcp, TCP_HDR_BYTES)));
}

struct pkt *tcp_reset_make(struct pkt_pool *pool, const struct tcp_reset *reset)
{
    struct pkt *p = pkt_alloc(pool);
    if (!p)
        return NULL;

    uint8_t *ip = p->data + ETH_HDR_BYTES;
    memset(p->data, 0, ETH_HDR_BYTES + PACKET_BYTES);

    /* Don't-fragment makes the identification meaningless, so it can be 0 (RFC 6864, section 4.1).
     */
    ip[IP4_VIHL_OFF] = 0x45;
    store_be16(ip + IP4_LEN_OFF, PACKET_BYTES);
    store_raw16(ip + IP4_FRAG_OFF, IP4_FRAG_DF);
    ip[IP4_TTL_OFF] = RESET_TTL;
    ip[IP4_PROTO_OFF] = IP_PROTO_TCP;
    store_raw32(ip + IP4_SRC_OFF, reset->src);
    store_raw32(ip + IP4_DST_OFF, reset->dst);
    store_raw16(ip + IP4_CSUM_OFF, csum_of(ip, IP4_HDR_BYTES));
    fill_tcp(ip + IP4_HDR_BYTES, reset);

    p->len = p->total_bytes = ETH_HDR_BYTES + PACKET_BYTES;
    return p;
}

struct pkt *tcp_reset_build(struct pkt_pool *pool, const struct pkt *about, const struct view *v)
{
    struct tcp_reset reset = {.src = v->dst, .dst = v->src, .sport = v->dport, .dport = v->sport};

    set_numbers(&reset, v, about->data + v->l4_off);
    struct pkt *p = tcp_reset_make(pool, &reset);
    if (p)
        p->port = about->port;
    return p;
}
