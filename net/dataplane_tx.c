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

/* Whether the port can and may send p, with or without a tag of ours in front. */
static enum drop_reason check_way_out(struct dp_port *port, const struct pkt *p, bool tag,
                                      uint64_t now_us)
{
    uint32_t frame = p->gso_size ? (uint32_t)p->hdr_len + p->gso_size : p->total_bytes;
    be16 type = load_raw16(p->data + ETH_TYPE_OFF);
    bool tagged = tag || type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ;

    /* One tag is not counted (IEEE 802.3, section 3.2.7). */
    if (frame + (tag ? VLAN_TAG_BYTES : 0) > port->max_frame_bytes + (tagged ? VLAN_TAG_BYTES : 0))
        return DROP_TOO_BIG;
    if (!tag && tagged && dp_vlan_forged(port, p))
        return DROP_VLAN;
    if (port->rate_out.per_s && !dp_bucket_take_bytes(&port->rate_out, p, now_us)) {
        port->over_rate_out++;
        return DROP_RATE;
    }
    return DROP_NONE;
}

struct pkt *dp_forward_special(struct dataplane *dp, unsigned network, unsigned out, struct pkt *p)
{
    const struct dp_network *net = &dp->networks[network];
    struct dp_port *port = &dp->ports[out];
    bool tag = net->tagged >> out & 1;
    enum drop_reason reason = check_way_out(port, p, tag, dp->now_us);

    if (reason) {
        dp_drop(dp, p, reason);
        return NULL;
    }
    if (tag)
        p = dp_vlan_insert(dp, p, net->tag[out]);
    if (p && !offload_fits(p, port->offloads))
        port->soft = true;
    return p;
}

void dp_stage_special(struct dataplane *dp, unsigned network, unsigned out, struct pkt *p)
{
    uint32_t mirrors = dp->networks[network].mirrors & dp->ports_up & ~(1u << out);

    if (mirrors)
        dp_spread(dp, network, mirrors, p);
    dp_forward(dp, network, out, p);
}

void dp_spread(struct dataplane *dp, unsigned network, uint32_t ports, struct pkt *p)
{
    for (; ports; ports &= ports - 1) {
        pkt_ref(p);
        dp->totals.created++;
        dp_forward(dp, network, (unsigned)__builtin_ctz(ports), p);
    }
}

/* The last port gets p itself, which it can tag in place if the others have sent theirs. */
void dp_send_to(struct dataplane *dp, unsigned network, uint32_t ports, struct pkt *p)
{
    dp_spread(dp, network, ports & (ports - 1), p);
    dp_forward(dp, network, (unsigned)__builtin_ctz(ports), p);
}

static void transmit(struct dataplane *dp, struct dp_port *port, struct pkt **pkts, unsigned n)
{
    unsigned taken = port->nic->ops->tx_batch(port->nic, pkts, n);

    dp->totals.sent += taken;
    for (unsigned i = taken; UNLIKELY(i < n); i++)
        dp_drop(dp, pkts[i], DROP_TX_FULL);
}

struct pkt *dp_unshare(struct dataplane *dp, struct pkt *p)
{
    struct pkt *copy = pkt_clone(p);

    if (copy)
        pkt_free(p); /* the copy takes its place in the count */
    else
        dp_drop(dp, p, DROP_BUFFERS);
    return copy;
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
                pkts[i] = dp_own(dp, pkts[i]);
                if (pkts[i])
                    offload_finish_csum(pkts[i]);
                else
                    piece_count = 0;
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
    dp_stir(dp); /* what is staged now waits for a flush */
    dp->totals.created++;
    if (p->len < ETH_HDR_BYTES) {
        dp_drop(dp, p, DROP_ETH_SHORT);
        return;
    }
    if (!dp->networks[network].ports) {
        dp_drop(dp, p, network == NETWORK_UPLINK ? DROP_NO_UPLINK : DROP_UNKNOWN_FLOOD);
        return;
    }
    uint8_t out = dp_port_of(dp, network, p->data);
    if (out < dp->port_count)
        dp_stage(dp, network, out, p);
    else
        dp_flood(dp, network, p);
}
