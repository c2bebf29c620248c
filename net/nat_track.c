/* SPDX-License-Identifier: BSD-3-Clause
 *
 * States of flows; see nat_track.h.
 *
 * UDP and protocols without ports: one-way until a packet comes against the direction of the first,
 * then a stream.
 *
 * TCP, with SYN, ACK and FIN noted for each direction:
 *     OPENING      until both SYNs and both ACKs are seen. That is the usual handshake as well as
 * the simultaneous open (RFC 5382, REQ-2), where the SYNs cross. ESTABLISHED  until both FINs, or a
 * RST. CLOSING      for the transitory timeout. A new SYN begins the next connection on the same
 * ports, which clients do at once. After a RST, a packet that is none shows that the connection
 * lives and the RST was forged or out of place: back to where it was (RFC 6146, section 3.5.2.2,
 * state TRANS). Further RSTs do not prolong the state.
 */
#include "net/nat_track.h"
#include "net/nat_mapping.h"

/* Bits of tcp_seen: these for what went out, shifted left by one for what came in. */
enum seen { SEEN_SYN = 1 << 0, SEEN_ACK = 1 << 2, SEEN_FIN = 1 << 4 };
#define BOTH(bit) ((bit)*3)
#define SEEN_OPEN (BOTH(SEEN_SYN) | BOTH(SEEN_ACK))

static uint8_t seen_of(uint8_t tcp_flags, enum flow_dir dir)
{
    unsigned seen = (tcp_flags & TCP_SYN ? SEEN_SYN : 0) | (tcp_flags & TCP_ACK ? SEEN_ACK : 0) |
                    (tcp_flags & TCP_FIN ? SEEN_FIN : 0);
    return (uint8_t)(seen << dir);
}

enum flow_state track_first(const struct view *v, enum flow_dir dir, bool pick_up,
                            uint8_t *tcp_seen)
{
    uint8_t flags = v->tcp_flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);

    *tcp_seen = 0;
    if (v->proto == IP_PROTO_ICMP)
        return v->icmp_type == ICMP_ECHO ? FLOW_ICMP : FLOW_FREE; /* a reply begins nothing */
    if (v->proto != IP_PROTO_TCP)
        return FLOW_UDP_ONE_WAY;
    if (flags == TCP_SYN) {
        *tcp_seen = seen_of(TCP_SYN, dir);
        return FLOW_TCP_OPENING;
    }
    if (flags == TCP_ACK && pick_up) {
        *tcp_seen = (uint8_t)(BOTH(SEEN_SYN) | seen_of(TCP_ACK, dir));
        return FLOW_TCP_OPENING;
    }
    return FLOW_FREE;
}

static void track_udp(struct nat *nat, struct flow *f, enum flow_dir dir)
{
    enum flow_dir opened = f->flags & FLOW_OPENED_IN ? FLOW_IN : FLOW_OUT;
    if (dir != opened)
        flow_set_state(&nat->flows, f, FLOW_UDP_STREAM);
}

static enum flow_state tcp_state(uint8_t seen)
{
    if ((seen & BOTH(SEEN_FIN)) == BOTH(SEEN_FIN))
        return FLOW_TCP_CLOSING;
    return (seen & SEEN_OPEN) == SEEN_OPEN ? FLOW_TCP_ESTABLISHED : FLOW_TCP_OPENING;
}

static void track_tcp(struct nat *nat, struct flow *f, const struct view *v, enum flow_dir dir)
{
    if (v->tcp_flags & TCP_RST) {
        flow_set_state(&nat->flows, f, FLOW_TCP_CLOSING);
        return;
    }
    if (f->state == FLOW_TCP_CLOSING && (v->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
        f->tcp_seen = 0; /* the next connection */
    f->tcp_seen |= seen_of(v->tcp_flags, dir);
    enum flow_state state = tcp_state(f->tcp_seen);
    if (state != f->state)
        flow_set_state(&nat->flows, f, state);
}

void track_packet(struct nat *nat, struct flow *f, const struct nat_job *job, uint32_t now_ms)
{
    const struct view *v = &job->v;
    enum flow_dir dir = (enum flow_dir)job->dir;
    bool tcp = f->proto == IP_PROTO_TCP, reset = tcp && (v->tcp_flags & TCP_RST);

    if (dir == FLOW_OUT && !reset)
        mapping_hold(nat, f); /* the inside host wants it */
    if (tcp ? !(reset && f->state == FLOW_TCP_CLOSING) : dir == FLOW_OUT || (f->flags & FLOW_PLAIN))
        f->last_ms = now_ms;
    if (tcp)
        track_tcp(nat, f, v, dir);
    else
        track_udp(nat, f, dir);
}
