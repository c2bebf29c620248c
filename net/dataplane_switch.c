/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The switch's fast path: plain frames between stations that the table knows, in bursts that only
 * switch (IEEE 802.1D, section 7.7).
 *
 * Theory of operation. A source that is in the table, on this port and seen in this tick, is
 * one that learning would change nothing about; it is also neither a group address nor our own, for
 * those are never learned. A destination that is in the table on another port of the network, and
 * not aged, is where the frame goes. Every other frame, and one that needs more of the NIC than to
 * be sent, is left as it came to the general path (dataplane_l2.c), in order: runs of such frames
 * are handed to it before the next fast one is sent.
 */
#include "net/dataplane_internal.h"

/* Of tags and ARP, which the general path looks into, IPv4 and IPv6 are told in one comparison: as
 * they are in memory, those are between these two. What else is there is the general path's too. */
#define TYPES_MIN (ETH_TYPE_IP4 + 1u)
#define TYPES_MAX (ETH_TYPE_IP6 - 1u)
static_assert(ETH_TYPE_VLAN >= TYPES_MIN && ETH_TYPE_VLAN <= TYPES_MAX &&
                  ETH_TYPE_QINQ >= TYPES_MIN && ETH_TYPE_QINQ <= TYPES_MAX &&
                  ETH_TYPE_ARP >= TYPES_MIN && ETH_TYPE_ARP <= TYPES_MAX,
              "one comparison finds tags and ARP");

/* An entry that is in no table: its network does not exist, nor its port. */
#define NO_STATION (SWITCH_EMPTY - 1)

/* from has the entry that the source has if it may pass without a look: of this port and tick. to
 * is turned. */
struct quick {
    struct switch_key from, to;
};

/* What does not change in a burst, where nothing writes to it, so that it stays in registers. */
struct context {
    struct switch_map from, to;
    uint64_t from_bits, to_bits;
    uint32_t max_frame_bytes;
};

/* Takes the frame's addresses as keys, and asks for their lines of the table. For the general path:
 * a source that is in no table, since its network does not exist. */
static inline void look(const struct context *c, struct pkt *p, struct quick *quick)
{
    /* Too short or too long, in one comparison; a whole header is in the first segment (nic.h). */
    if (UNLIKELY(p->total_bytes - ETH_HDR_BYTES > c->max_frame_bytes - ETH_HDR_BYTES ||
                 !pkt_plain(p))) {
        quick->from = (struct switch_key){NO_STATION, (uint64_t *)(void *)c->from.sets};
        return;
    }
    uint64_t head = load_raw64(p->data), tail = load_raw64(p->data + ETH_SRC_OFF);
    if (UNLIKELY((uint16_t)(load_raw16(p->data + ETH_TYPE_OFF) - TYPES_MIN) <=
                 TYPES_MAX - TYPES_MIN)) {
        quick->from = (struct switch_key){NO_STATION, (uint64_t *)(void *)c->from.sets};
        return;
    }
    quick->from = switch_key(&c->from, switch_word(tail, c->from_bits));
    quick->to = switch_key(&c->to, switch_word(head, c->to_bits));
    switch_prefetch(&quick->from);
    switch_prefetch(&quick->to);
}

static_assert(CONFIG_MAX_PORTS <= SWITCH_PORT_SELF, "no port has the number of these");

/* Compiled once for networks all of whose ports only send, and once for the rest. */
#define INLINE static inline __attribute__((always_inline))

/* False: nothing was done, and the frame is for the general path. */
INLINE bool send(struct dataplane *dp, unsigned network, uint32_t others, const struct quick *quick,
                 struct pkt *p, const bool all_plain)
{
    if (UNLIKELY(!switch_has(quick->from.set, quick->from.word)) &&
        !switch_has_second(&dp->table, quick->from.word))
        return false;
    /* No network has the ports SWITCH_PORT_SELF and _NONE. */
    unsigned out = switch_lookup_turned(&dp->table, &quick->to);
    if (UNLIKELY(!(others >> out & 1)))
        return false;
    if (all_plain)
        dp_stage_plain(dp, out, p);
    else
        dp_forward(dp, network, out, p);
    return true;
}

INLINE void switch_burst(struct dataplane *dp, unsigned in, unsigned network, struct pkt **pkts,
                         unsigned n, const bool all_plain)
{
    const struct dp_network *net = &dp->networks[network];
    uint64_t fresh = switch_fresh(&dp->table, in), turn = dp->table.turn;
    uint32_t others = net->others[in];
    struct context c = {.from = switch_map_with(&dp->table.map, fresh),
                        .to = switch_map_with(&dp->table.map, turn),
                        .from_bits = switch_network_bits(network) | fresh,
                        .to_bits = switch_network_bits(network) | turn,
                        .max_frame_bytes = net->max_frame_bytes};
    struct quick quick[BURST_MAX];
    struct pkt **end = pkts + n;
    struct quick *q = quick;

    for (struct pkt *const *p = pkts; p < end; p++)
        look(&c, *p, q++);
    q = quick;
    while (pkts < end) {
        if (LIKELY(send(dp, network, others, q, *pkts, all_plain))) {
            q++;
            pkts++;
            continue;
        }
        /* This one, and those behind it of which it is known already. */
        unsigned count = 1;
        while (pkts + count < end && q[count].from.word == NO_STATION)
            count++;
        dp_general_input(dp, in, network, pkts, count);
        q += count;
        pkts += count;
    }
}

void dp_switch_burst(struct dataplane *dp, unsigned in, unsigned network, struct pkt **pkts,
                     unsigned n)
{
    if (LIKELY(dp->networks[network].all_plain))
        switch_burst(dp, in, network, pkts, n, true);
    else
        switch_burst(dp, in, network, pkts, n, false);
}
