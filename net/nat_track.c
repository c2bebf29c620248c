/* SPDX-License-Identifier: BSD-3-Clause
 *
 * States of flows; see nat_track.h.
 *
 * UDP and protocols without ports: one-way until a packet comes against the direction of the first,
 * then a stream.
 *
 * TCP:
 *     OPENING      until both SYNs and both ACKs are seen. That is the usual handshake as well as
 *                  the simultaneous open (RFC 5382, REQ-2), where the SYNs cross.
 *     ESTABLISHED  until both FINs, or a RST.
 *     ENDING       the same, while a FIN or RST waits to be proven (below).
 *     CLOSING      for the transitory timeout. A new SYN begins the next connection on the same
 *                  ports, which clients do at once.
 *
 * Who is not on the path can send what looks like a FIN or RST of the remote end, but does not see
 * what the receiver acknowledges. So a FIN or RST is believed if its sequence number is just what
 * its receiver has said it expects next, or else as soon as the receiver acknowledges just that;
 * meanwhile the flow keeps its time. It waits only if it is in the receiver's largest window; a FIN
 * elsewhere is passed on and not noticed, a RST from outside elsewhere is dropped. (One that goes
 * out would be judged by what came from outside, which may be forged, and is never dropped.) A RST
 * that comes before its receiver has acknowledged anything must itself acknowledge the receiver's
 * SYN, as must the first packet from outside that acknowledges anything. Of connections joined in
 * the middle nothing is known: what was not seen yet judges nothing.
 *
 * RFC 7857, section 2.2: a RST is passed on, and a flow whose RST is believed stays for the
 * transitory timeout, which no further RST prolongs. If packets go both ways after it, then the
 * connection lives, and is back to where it was.
 *
 * A SYN from outside that leads nowhere is dropped without a word, always (RFC 5382, REQ-4a), so
 * nothing has to be kept to be silent for six seconds, and the inside host's own SYN finds nothing
 * in its way.
 */
#include "net/nat_track.h"
#include "net/nat_mapping.h"
#include "net/wire/tcp_mss.h"

/* Bits of tcp_seen: these for what went out, shifted left by one for what came in. */
enum seen {
    SEEN_SYN = 1 << 0,
    SEEN_ACK = 1 << 2, /* acks[] is known */
    SEEN_FIN = 1 << 4, /* and believed */
    SEEN_END = 1 << 6, /* a FIN or RST that is believed when the other side acknowledges due[] */
    SEEN_END_IS_RST = 1 << 8,
    SEEN_LIFE = 1 << 10, /* since the RST */
};
/* These for both. */
enum seen_both {
    SEEN_RST = 1 << 12,    /* and believed */
    SEEN_MIDDLE = 1 << 13, /* joined in the middle: there are no SYNs to see */
};
#define BOTH(bit) ((bit)*3)

#define WINDOW_MAX    65535u /* before it is scaled */
#define SYN_MAX_BYTES 65535u /* of data that a SYN may carry, to be acknowledged or not */

/* What a segment says. */
struct segment {
    uint32_t seq, ack;
    uint32_t end; /* behind its data and FIN */
    uint8_t flags;
    bool whole;              /* not a fragment; else end is not known */
    enum flow_dir dir, back; /* its way, and its receiver's */
};

static void note(struct flow *f, unsigned seen)
{
    f->tcp_seen |= (uint16_t)seen;
}

static void forget(struct flow *f, unsigned seen)
{
    f->tcp_seen &= (uint16_t)~seen;
}

enum flow_state track_first(const struct view *v, enum flow_dir dir, bool pick_up,
                            uint16_t *tcp_seen)
{
    uint8_t flags = v->tcp_flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST);

    (void)dir;
    *tcp_seen = 0;
    if (v->proto == IP_PROTO_ICMP)
        return v->icmp_type == ICMP_ECHO ? FLOW_ICMP : FLOW_FREE; /* a reply begins nothing */
    if (v->proto != IP_PROTO_TCP)
        return FLOW_UDP_ONE_WAY;
    if (flags == TCP_SYN)
        return FLOW_TCP_OPENING;
    if (flags == TCP_ACK && pick_up) {
        *tcp_seen = SEEN_MIDDLE;
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

/* ---- TCP ---- */

static struct segment segment_of(const struct nat_job *job)
{
    const struct view *v = &job->v;
    const uint8_t *tcp = job->p->data + v->l4_off;
    uint32_t header_bytes = (uint32_t)(v->l4_off - v->l3_off) + (tcp[TCP_DATAOFF_OFF] & 0xF0u) / 4;
    struct segment s = {
        .seq = load_be32(tcp + TCP_SEQ_OFF),
        .ack = load_be32(tcp + TCP_ACK_OFF),
        .flags = v->tcp_flags,
        .whole = v->fragment == FRAGMENT_NONE,
        .dir = (enum flow_dir)job->dir,
        .back = job->dir == FLOW_OUT ? FLOW_IN : FLOW_OUT,
    };

    s.end = s.seq + v->ip_bytes - header_bytes + (s.flags & TCP_FIN ? 1 : 0);
    return s;
}

/* The largest window that the end which sends this way can have offered. */
static uint32_t largest_window(const struct flow *f, enum flow_dir dir)
{
    unsigned scale = f->tcp_seen & SEEN_SYN << dir ? f->tcp_scales >> 4 * dir & 15 : TCP_SCALE_MAX;
    return WINDOW_MAX << scale;
}

static uint32_t last_ack(const struct flow *f, enum flow_dir dir)
{
    return ntoh32(f->acks[dir]);
}

static void note_syn(struct flow *f, struct flow_cold *cold, const struct segment *s,
                     const struct nat_job *job)
{
    unsigned scale = tcp_window_scale(job->p->data + job->v.l4_off);

    note(f, SEEN_SYN << s->dir);
    f->tcp_scales = (uint8_t)((f->tcp_scales & ~(15u << 4 * s->dir)) | scale << 4 * s->dir);
    cold->due[s->dir] = s->seq + 1;
}

/* To be believed when the receiver acknowledges due, if it ever does. */
static void note_end(struct flow *f, struct flow_cold *cold, const struct segment *s, uint32_t due,
                     bool reset)
{
    if (!(f->tcp_seen & SEEN_ACK << s->back) && (f->tcp_seen & SEEN_SYN << s->dir))
        return; /* the SYN itself is still to be acknowledged */
    forget(f, SEEN_END_IS_RST << s->dir);
    note(f, (SEEN_END | (reset ? SEEN_END_IS_RST : 0u)) << s->dir);
    cold->due[s->dir] = due;
}

static void believe_reset(struct flow *f, uint32_t now_ms)
{
    if (f->state != FLOW_TCP_CLOSING)
        f->last_ms = now_ms;
    note(f, SEEN_RST);
    forget(f, BOTH(SEEN_END | SEEN_END_IS_RST | SEEN_LIFE));
}

static enum flow_state tcp_state(uint16_t seen)
{
    if ((seen & SEEN_RST) || (seen & BOTH(SEEN_FIN)) == BOTH(SEEN_FIN))
        return FLOW_TCP_CLOSING;
    bool syns = (seen & SEEN_MIDDLE) || (seen & BOTH(SEEN_SYN)) == BOTH(SEEN_SYN);
    if (!syns || (seen & BOTH(SEEN_ACK)) != BOTH(SEEN_ACK))
        return FLOW_TCP_OPENING;
    return seen & BOTH(SEEN_END) ? FLOW_TCP_ENDING : FLOW_TCP_ESTABLISHED;
}

static bool answers_syn(const struct flow_cold *cold, const struct segment *s)
{
    return (s->flags & TCP_ACK) && s->ack - cold->due[s->back] <= SYN_MAX_BYTES;
}

static enum drop_reason track_reset(struct flow *f, struct flow_cold *cold, const struct segment *s,
                                    uint32_t now_ms)
{
    bool fits = true, believed = false;

    if (f->tcp_seen & SEEN_ACK << s->back) {
        uint32_t ahead = s->seq - last_ack(f, s->back);
        believed = ahead == 0;
        fits = ahead <= largest_window(f, s->back);
    } else if (f->tcp_seen & SEEN_SYN << s->back) {
        believed = fits = answers_syn(cold, s);
    }
    if (believed)
        believe_reset(f, now_ms);
    else if (fits && f->state != FLOW_TCP_CLOSING)
        note_end(f, cold, s, s->seq, true);
    return fits || s->dir == FLOW_OUT ? DROP_NONE : DROP_TCP_WINDOW;
}

/* The acknowledgment, and what it proves. Only the inside can show that an end was none. */
static void track_ack(struct flow *f, struct flow_cold *cold, const struct segment *s,
                      uint32_t now_ms)
{
    int32_t beyond = (int32_t)(s->ack - cold->due[s->back]);
    uint16_t end = f->tcp_seen & (SEEN_END | SEEN_END_IS_RST) << s->back;

    f->acks[s->dir] = hton32(s->ack);
    note(f, SEEN_ACK << s->dir);
    if (!(end & SEEN_END << s->back) || beyond < 0 || (beyond > 0 && s->dir == FLOW_IN))
        return;
    forget(f, end);
    if (beyond == 0 && (end & SEEN_END_IS_RST << s->back))
        believe_reset(f, now_ms);
    else if (beyond == 0)
        note(f, SEEN_FIN << s->back);
}

static void track_fin(struct flow *f, struct flow_cold *cold, const struct segment *s)
{
    bool known = f->tcp_seen & SEEN_ACK << s->back;
    uint32_t ack = last_ack(f, s->back);

    if (known && (s->seq == ack || (s->whole && s->end == ack)))
        note(f, SEEN_FIN << s->dir);
    else if (s->whole && (!known || s->end - ack <= largest_window(f, s->back)))
        note_end(f, cold, s, s->end, false);
}

/* Packets both ways after a RST: the connection lives. */
static void track_life(struct flow *f, enum flow_dir dir)
{
    note(f, SEEN_LIFE << dir);
    if ((f->tcp_seen & BOTH(SEEN_LIFE)) == BOTH(SEEN_LIFE))
        forget(f, SEEN_RST | BOTH(SEEN_LIFE));
}

static enum drop_reason track_tcp(struct nat *nat, struct flow *f, const struct nat_job *job,
                                  uint32_t now_ms)
{
    struct flow_cold *cold = flow_cold(&nat->flows, f);
    const struct segment s = segment_of(job);
    enum drop_reason why = DROP_NONE;
    bool was_reset = f->tcp_seen & SEEN_RST;

    if (s.flags & TCP_RST) {
        why = track_reset(f, cold, &s, now_ms);
    } else {
        if (f->state == FLOW_TCP_CLOSING && (s.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
            f->tcp_seen = 0; /* the next connection */
        if (s.dir == FLOW_IN && (s.flags & TCP_ACK) && (f->tcp_seen & SEEN_SYN << FLOW_OUT) &&
            !(f->tcp_seen & SEEN_ACK << FLOW_IN) && !answers_syn(cold, &s))
            return DROP_NONE; /* a stranger, or from an earlier connection */
        f->last_ms = now_ms;
        if (f->tcp_seen & SEEN_END_IS_RST << s.dir) /* its sender lives */
            forget(f, (SEEN_END | SEEN_END_IS_RST) << s.dir);
        if ((s.flags & TCP_SYN) &&
            (f->state == FLOW_TCP_OPENING || !(f->tcp_seen & SEEN_SYN << s.dir)))
            note_syn(f, cold, &s, job);
        if (s.flags & TCP_ACK)
            track_ack(f, cold, &s, now_ms);
        if (s.flags & TCP_FIN)
            track_fin(f, cold, &s);
        if (was_reset)
            track_life(f, s.dir);
    }
    enum flow_state state = tcp_state(f->tcp_seen);
    if (state != f->state)
        flow_set_state(&nat->flows, f, state);
    return why;
}

enum drop_reason track_packet(struct nat *nat, struct flow *f, const struct nat_job *job,
                              uint32_t now_ms)
{
    const struct view *v = &job->v;
    enum flow_dir dir = (enum flow_dir)job->dir;

    if (dir == FLOW_OUT && !(f->proto == IP_PROTO_TCP && (v->tcp_flags & TCP_RST)))
        mapping_hold(nat, f); /* the inside host wants it */
    if (f->proto == IP_PROTO_TCP && v->fragment != FRAGMENT_LATER)
        return track_tcp(nat, f, job, now_ms);
    if (f->proto == IP_PROTO_TCP || dir == FLOW_OUT || (f->flags & FLOW_PLAIN))
        f->last_ms = now_ms;
    if (f->proto != IP_PROTO_TCP)
        track_udp(nat, f, dir);
    return DROP_NONE;
}

/* ---- an end that the router makes ---- */

bool track_reset_inside(const struct nat *nat, const struct flow *f, struct tcp_reset *reset)
{
    const struct flow_cold *cold = flow_cold(&nat->flows, f);
    const unsigned seen = f->tcp_seen;

    if (f->proto != IP_PROTO_TCP || f->state == FLOW_TCP_CLOSING)
        return false;
    *reset = (struct tcp_reset){.src = f->rem_ip,
                                .dst = f->in_ip,
                                .sport = f->rem_port,
                                .dport = f->in_port,
                                .flags = TCP_RST};
    if (seen & SEEN_ACK << FLOW_OUT)
        reset->seq = last_ack(f, FLOW_OUT);
    else if (seen & SEEN_SYN << FLOW_IN)
        reset->seq = cold->due[FLOW_IN];
    else if (!(seen & SEEN_SYN << FLOW_OUT))
        return false;
    if (seen & SEEN_ACK << FLOW_IN) {
        reset->ack = last_ack(f, FLOW_IN);
        reset->flags |= TCP_ACK;
    } else if (seen & SEEN_SYN << FLOW_OUT) {
        reset->ack = cold->due[FLOW_OUT];
        reset->flags |= TCP_ACK;
    }
    return true;
}
