/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The dataplane's way out: packets are staged by port and sent once a round; what a NIC cannot do
 * is done here in software, what it does not take is counted.
 */
#include "net/dataplane_internal.h"

void dp_count_split(struct dataplane *dp, unsigned got, unsigned missing)
{
    if (got + missing == 0)
        missing = 1;
    dp->totals.created += got + missing - 1;
    dp->totals.dropped[DROP_BUFFERS] += missing;
}

bool dp_stage_special(struct dataplane *dp, struct dp_port *port, struct pkt *p)
{
    uint32_t frame = p->gso_size ? (uint32_t)p->hdr_len + p->gso_size : p->total_bytes;

    if (frame > port->max_frame_bytes) {
        dp_drop(dp, p, DROP_TOO_BIG);
        return false;
    }
    if (!offload_fits(p, port->offloads))
        port->soft = true;
    return true;
}

static void transmit(struct dataplane *dp, struct dp_port *port, struct pkt **pkts, unsigned n)
{
    unsigned taken = port->nic->ops->tx_batch(port->nic, pkts, n);

    dp->totals.sent += taken;
    for (unsigned i = taken; UNLIKELY(i < n); i++)
        dp_drop(dp, pkts[i], DROP_TX_FULL);
}

/* Completes p's checksum in a copy of our own if p is shared. NULL: no buffer, p was dropped. */
static struct pkt *finish_csum(struct dataplane *dp, struct pkt *p)
{
    if (pkt_shared(p)) {
        struct pkt *copy = pkt_clone(p);
        if (!copy) {
            dp_drop(dp, p, DROP_BUFFERS);
            return NULL;
        }
        pkt_free(p); /* the copy takes its place in the count */
        p = copy;
    }
    offload_finish_csum(p);
    return p;
}

/* Sends n staged packets of which some are more than the NIC can do. */
static void transmit_soft(struct dataplane *dp, struct dp_port *port, struct pkt **pkts, unsigned n)
{
    struct pkt *ready[BURST_MAX];
    unsigned ready_count = 0;

    for (unsigned i = 0; i < n; i++) {
        struct pkt **pieces = &pkts[i];
        unsigned piece_count = 1;
        if (!offload_fits(pkts[i], port->offloads)) {
            if (pkts[i]->gso_size) {
                unsigned missing = 0;
                pieces = dp->cut_for_tx;
                piece_count = offload_cut(pkts[i], pieces, &missing);
                dp_count_split(dp, piece_count, missing);
            } else {
                pkts[i] = finish_csum(dp, pkts[i]);
                piece_count = pkts[i] ? 1 : 0;
            }
        }
        for (unsigned k = 0; k < piece_count; k++) {
            ready[ready_count++] = pieces[k];
            if (ready_count == BURST_MAX) {
                transmit(dp, port, ready, ready_count);
                ready_count = 0;
            }
        }
    }
    if (ready_count > 0)
        transmit(dp, port, ready, ready_count);
}

void dp_flush_port(struct dataplane *dp, unsigned out)
{
    struct dp_port *port = &dp->ports[out];
    unsigned n = port->staged;

    port->staged = 0;
    if (UNLIKELY(port->nic->dead || !port->up)) {
        port->soft = false;
        for (unsigned i = 0; i < n; i++)
            dp_drop(dp, port->stage[i], DROP_TX_DOWN);
        return;
    }
    if (UNLIKELY(port->soft)) {
        port->soft = false;
        transmit_soft(dp, port, port->stage, n);
        return;
    }
    transmit(dp, port, port->stage, n);
}

void dataplane_flush(struct dataplane *dp)
{
    for (unsigned i = 0; i < dp->port_count; i++)
        if (dp->ports[i].staged > 0)
            dp_flush_port(dp, i);
}

void dataplane_send(struct dataplane *dp, uint8_t network, struct pkt *p)
{
    CHECK(network < NETWORK_COUNT);
    dp->totals.created++;
    if (p->len < ETH_HDR_BYTES) {
        dp_drop(dp, p, DROP_ETH_SHORT);
        return;
    }
    uint8_t out = SWITCH_PORT_NONE;
    if (network == NETWORK_UPLINK)
        out = dp->uplink_port;
    else if (!mac_is_group(p->data))
        out = switch_lookup(&dp->table, p->data, network, dp->now_s);

    if (out < dp->port_count)
        dp_stage(dp, network, out, p);
    else if (network == NETWORK_UPLINK)
        dp_drop(dp, p, DROP_NO_UPLINK);
    else
        dp_flood(dp, network, SWITCH_PORT_NONE, p);
}
