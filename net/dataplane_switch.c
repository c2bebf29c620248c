/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The switch's fast path: plain frames between stations that the table knows, in bursts that only
 * switch (IEEE 802.1D, section 7.7).
 *
 * Theory of operation. A source that is in the table, on this port and seen this second, is one
 * that learning would change nothing about; it is also neither a group address nor our own, for
 * those are never learned. A destination that is in the table on another port of the network, and
 * not aged, is where the frame goes. Every other frame, and one that needs more of the NIC than to
 * be sent, is left as it came to the general path (dataplane_l2.c), in order: runs of such frames
 * are handed to it before the next fast one is sent.
 */
#include "net/dataplane_internal.h"

/* EtherTypes 80xx, 81xx, 88xx and 89xx, VLAN tags among them, but not IPv4, ARP or IPv6. */
#define TYPE_MASK   0x00F6u
#define TYPE_TAGGED 0x0080u
static_assert((ETH_TYPE_VLAN & TYPE_MASK) == TYPE_TAGGED &&
                  (ETH_TYPE_QINQ & TYPE_MASK) == TYPE_TAGGED &&
                  (ETH_TYPE_IP6 & TYPE_MASK) != TYPE_TAGGED,
              "one comparison finds all tags");

struct quick {
    struct switch_key from, to;
};

/* Which source entry may pass without a look: that of this port and second, not pinned. */
static inline uint64_t fresh_entry(unsigned port, uint32_t now_s)
{
    struct switch_entry e = {.seen_s = now_s, .port = (uint8_t)port};
    return load_raw64((const uint8_t *)&e + offsetof(struct switch_entry, seen_s));
}

/* Takes the frame's addresses as keys, and asks for their lines of the table. For the general path:
 * a source that is in no table, since its network does not exist. */
static inline void look(const struct switch_table *table, uint64_t network_bits,
                        uint32_t max_frame_bytes, struct pkt *p, struct quick *quick)
{
    /* Too short or too long, in one comparison; a whole header is in the first segment (nic.h). */
    if (UNLIKELY(p->total_bytes - ETH_HDR_BYTES > max_frame_bytes - ETH_HDR_BYTES ||
                 !pkt_plain(p))) {
        quick->from = (struct switch_key){.word = UINT64_MAX, .set = table->entries};
        return;
    }
    uint64_t head = load_raw64(p->data), tail = load_raw64(p->data + ETH_SRC_OFF);
    if (UNLIKELY((tail >> 48 & TYPE_MASK) == TYPE_TAGGED)) {
        quick->from = (struct switch_key){.word = UINT64_MAX, .set = table->entries};
        return;
    }
    quick->from = switch_key(table, (tail & MAC_WORD_MASK) | network_bits);
    quick->to = switch_key(table, (head & MAC_WORD_MASK) | network_bits);
    switch_prefetch(&quick->from);
    switch_prefetch(&quick->to);
}

static_assert(CONFIG_MAX_PORTS <= (SWITCH_PORT_SELF & 31), "no port has the number of these bits");

/* Compiled once for networks all of whose ports only send, and once for the rest. */
#define INLINE static inline __attribute__((always_inline))

/* False: nothing was done, and the frame is for the general path. */
INLINE bool send(struct dataplane *dp, unsigned network, uint32_t others, uint64_t fresh,
                 const struct quick *quick, struct pkt *p, const bool all_plain)
{
    const struct switch_entry *from = switch_find(&dp->table, &quick->from);
    if (UNLIKELY(!from) || UNLIKELY(load_raw64((const uint8_t *)from +
                                               offsetof(struct switch_entry, seen_s)) != fresh))
        return false;
    /* SWITCH_PORT_SELF and _NONE, cut to five bits, are ports that no network has. */
    unsigned out = switch_lookup_key(&dp->table, &quick->to, dp->now_s) & 31;
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
    uint64_t network_bits = (uint64_t)network << 48;
    uint64_t fresh = fresh_entry(in, dp->now_s);
    uint32_t others = net->others[in];
    /* Where the table is and how it hashes, in a copy that nothing here writes to, so that it stays
     * in registers. */
    struct switch_table table = dp->table;
    struct quick quick[BURST_MAX];
    struct pkt **end = pkts + n;
    struct quick *q = quick;

    for (struct pkt *const *p = pkts; p < end; p++)
        look(&table, network_bits, net->max_frame_bytes, *p, q++);
    q = quick;
    while (pkts < end) {
        if (LIKELY(send(dp, network, others, fresh, q, *pkts, all_plain))) {
            q++;
            pkts++;
            continue;
        }
        /* This one, and those behind it of which it is known already. */
        unsigned count = 1;
        while (pkts + count < end && q[count].from.word == UINT64_MAX)
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
