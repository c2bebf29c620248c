/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See naive_track.h.
 */
#include "tests/model/naive_track.h"

/* The connection is over, as far as anybody can tell. */
static void reset(struct naive_flow *f, uint32_t now_ms)
{
    if (naive_state_of(f) != NAIVE_CLOSING)
        f->last_ms = now_ms;
    f->rst = true;
    for (unsigned w = 0; w < 2; w++) {
        f->end[w] = NAIVE_NO_END;
        f->life[w] = false;
    }
}

static uint32_t window(const struct naive_flow *f, unsigned way)
{
    return 65535u << (f->syn[way] ? f->scale[way] : 14);
}

/* True if the packet can be the answer to the SYN that went the other way. */
static bool answers_syn(const struct naive_flow *f, const struct naive_packet *k, unsigned way)
{
    return (k->flags & ACK) && k->ack - f->due[!way] <= 65535;
}

static void announce(struct naive_flow *f, unsigned way, uint32_t due, bool rst)
{
    if (f->syn[way] && !f->ack[!way])
        return;
    f->due[way] = due;
    f->end[way] = rst ? NAIVE_RST : NAIVE_FIN;
}

static enum drop_reason track_reset(struct naive_flow *f, const struct naive_packet *k,
                                    unsigned way, uint32_t now_ms)
{
    bool sure = false, possible = true;

    if (f->ack[!way]) {
        sure = k->seq == f->ack_no[!way];
        possible = k->seq - f->ack_no[!way] <= window(f, !way);
    } else if (f->syn[!way]) {
        sure = possible = answers_syn(f, k, way);
    }
    if (sure)
        reset(f, now_ms);
    else if (possible && naive_state_of(f) != NAIVE_CLOSING)
        announce(f, way, k->seq, true);
    return possible || way == 0 ? DROP_NONE : DROP_TCP_WINDOW;
}

static void note_ack(struct naive_flow *f, const struct naive_packet *k, unsigned way,
                     uint32_t now_ms)
{
    int32_t beyond = (int32_t)(k->ack - f->due[!way]);
    int end = f->end[!way];

    f->ack[way] = true;
    f->ack_no[way] = k->ack;
    if (end == NAIVE_NO_END || beyond < 0 || (beyond > 0 && way == 1))
        return;
    f->end[!way] = NAIVE_NO_END;
    if (beyond == 0 && end == NAIVE_RST)
        reset(f, now_ms);
    if (beyond == 0 && end == NAIVE_FIN)
        f->fin[!way] = true;
}

static void note_fin(struct naive_flow *f, const struct naive_packet *k, unsigned way)
{
    uint32_t end = k->seq + k->data_bytes + 1;

    if (f->ack[!way] && (k->seq == f->ack_no[!way] || end == f->ack_no[!way]))
        f->fin[way] = true;
    else if (!f->ack[!way] || end - f->ack_no[!way] <= window(f, !way))
        announce(f, way, end, false);
}

static void track_tcp(struct naive_flow *f, const struct naive_packet *k, unsigned way,
                      uint32_t now_ms)
{
    enum naive_state before = naive_state_of(f);
    bool was_reset = f->rst;

    if (before == NAIVE_CLOSING && (k->flags & (SYN | ACK)) == SYN) {
        for (unsigned w = 0; w < 2; w++) {
            f->syn[w] = f->ack[w] = f->fin[w] = f->life[w] = false;
            f->end[w] = NAIVE_NO_END;
        }
        f->rst = f->joined_late = false;
    }
    if (way == 1 && (k->flags & ACK) && f->syn[0] && !f->ack[1] && !answers_syn(f, k, way))
        return;
    f->last_ms = now_ms;
    if (f->end[way] == NAIVE_RST)
        f->end[way] = NAIVE_NO_END;
    if ((k->flags & SYN) && (before == NAIVE_OPENING || !f->syn[way])) {
        f->syn[way] = true;
        f->scale[way] = k->scale;
        f->due[way] = k->seq + 1;
    }
    if (k->flags & ACK)
        note_ack(f, k, way, now_ms);
    else if (before == NAIVE_OPEN && !(k->flags & (SYN | FIN)))
        f->ack_no[way] = k->ack; /* open connections have no such segments, so nobody looks */
    if (k->flags & FIN)
        note_fin(f, k, way);
    if (was_reset)
        f->life[way] = true;
    if (f->life[0] && f->life[1])
        f->rst = f->life[0] = f->life[1] = false;
}

unsigned naive_spare_of(const struct naive_flow *f)
{
    enum naive_state state = naive_state_of(f);
    return state == NAIVE_CLOSING                          ? 0
           : state == NAIVE_OPENING                        ? 1
           : state == NAIVE_ONE_WAY || state == NAIVE_PING ? 2
                                                           : 3;
}

static enum drop_reason track_any(struct naive_flow *f, const struct naive_packet *k, unsigned way,
                                  uint32_t now_ms)
{
    if (f->proto == 6 && (k->flags & RST)) {
        enum drop_reason why = track_reset(f, k, way, now_ms);
        if (why)
            return why;
    } else if (f->proto == 6) {
        f->holds |= way == 0;
        track_tcp(f, k, way, now_ms);
    } else {
        f->answered |= (way == 0) == f->opened_in;
        if (way == 0) {
            f->last_ms = now_ms;
            f->holds = true;
        }
    }
    f->bytes[way] += k->ip_bytes;
    f->packets[way]++;
    return DROP_NONE;
}

enum drop_reason naive_track(struct naive_nat *n, struct naive_flow *f,
                             const struct naive_packet *k, unsigned way, uint32_t now_ms)
{
    unsigned before = naive_spare_of(f);
    enum drop_reason why = track_any(f, k, way, now_ms);
    if (naive_spare_of(f) != before)
        f->stamp = ++n->stamps;
    return why;
}
