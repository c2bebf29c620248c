/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The uplink's address changes; see nat.h.
 *
 * Theory of operation. From the moment of the change a translated flow of the old address is
 * outdated: it is still found, but whoever finds it must not use it. There may be millions, so they
 * are ended a few at a time, by a hand that walks once over the array of flows; it need not go
 * beyond those there were at the change. A further change sends it back to the beginning, and what
 * is outdated is judged by the address there is then.
 *
 * The inside end of a TCP connection is told by a reset. It is believed if it is in sequence (RFC
 * 5961, section 3), and the last acknowledgment of that end says what is. Where more data was on
 * its way in, the acknowledgment of that is still to come, finds no flow, and is answered. So for a
 * while after the change no connection is picked up in the middle: what has no flow then is left
 * over from the old address. A connection of the new one cannot have lost its flow within the
 * shortest timeout that a flow of TCP has.
 */
#include "net/nat_reset.h"
#include "net/nat_mapping.h"
#include "net/nat_track.h"

/* Looking at a free flow costs this little of what ending one does. */
#define LOOKS_PER_END 16

static void begin_sweep(struct nat *nat)
{
    nat->sweep_at = 0;
    nat->sweep_end = nat->flows.fresh;
    nat->sweeping = nat->flows.live > 0;
}

static bool is_any(const struct nat_mapping *m, const void *arg)
{
    (void)m;
    (void)arg;
    return true;
}

void nat_set_outside(struct nat *nat, be32 ip, uint32_t now_ms)
{
    nat->closed = false;
    if (ip == nat->outside_ip)
        return;
    nat->outside_ip = ip;
    mapping_end_rest(nat, is_any, NULL);
    if (ip && ip != nat->last_outside) {
        nat->moved = nat->last_outside != 0;
        nat->moved_ms = now_ms;
        nat->last_outside = ip;
    }
    begin_sweep(nat);
}

void nat_close_uplink(struct nat *nat, uint32_t now_ms)
{
    nat_set_outside(nat, 0, now_ms);
    nat->closed = true;
    begin_sweep(nat);
}

unsigned nat_sweep(struct nat *nat, unsigned budget,
                   void (*each)(void *arg, struct flow *f, const struct tcp_reset *reset),
                   void *arg)
{
    uint64_t looks = (uint64_t)budget * LOOKS_PER_END;
    unsigned ended = 0;

    for (; ended < budget && looks > 0 && nat->sweep_at < nat->sweep_end; looks--) {
        struct flow *f = &nat->flows.flows[nat->sweep_at++];
        struct tcp_reset reset;
        if (f->state == FLOW_FREE || !nat_is_outdated(nat, f))
            continue;
        bool told = track_reset_inside(nat, f, &reset);
        if (each)
            each(arg, f, told ? &reset : NULL);
        nat_end(nat, f);
        ended++;
    }
    nat->sweeping = nat->sweep_at < nat->sweep_end;
    return ended;
}

/* Who set the address may have read the clock later than whoever asks. */
static bool is_new(const struct nat *nat, uint32_t now_ms)
{
    int32_t since_ms = (int32_t)(now_ms - nat->moved_ms);
    return nat->moved && since_ms < (int32_t)nat->flows.timeout_ms[FLOW_TCP_CLOSING];
}

bool reset_is_left_over(const struct nat *nat, const struct view *v, uint32_t now_ms)
{
    return is_new(nat, now_ms) && v->proto == IP_PROTO_TCP &&
           (v->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN;
}

void reset_tick(struct nat *nat, uint32_t now_ms)
{
    nat->moved = is_new(nat, now_ms);
}
