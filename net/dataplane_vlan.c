/* SPDX-License-Identifier: BSD-3-Clause
 *
 * VLAN tags in and out (IEEE 802.1Q, sections 6.9 and 9), for the ports that have any.
 *
 * Theory of operation. Inside the dataplane a frame has no tag of ours: its network is known beside
 * it. A port that carries a network's frames tagged has a table from VLAN ID to network; a burst
 * from it loses its tags here and goes on in runs of one network, in order. On the way out
 * dp_forward_special() puts the tag of the network back, into the headroom. A tag that is not in
 * the table is payload where the port's untagged frames belong to a transparent network, and a
 * reason to drop the frame everywhere else (dataplane_l2.c sees to that).
 *
 * Such payload must not become ours on the way: a frame of a transparent network that leaves
 * untagged by a port where its own tag names another network would jump to that one. That is what
 * dp_vlan_forged() finds.
 */
#include "net/dataplane_internal.h"

#define TCI_OFF          (ETH_TYPE_OFF + 2)
#define TCI_ID_MASK      0x0FFFu
#define TAGGED_HDR_BYTES (ETH_HDR_BYTES + VLAN_TAG_BYTES)
#define TAGS_LOOKED_AT   8 /* priority tags in front of the one that counts */

static inline uint16_t tag_id(const uint8_t *tag)
{
    return load_be16(tag + 2) & TCI_ID_MASK;
}

static inline bool is_tag(be16 type)
{
    return type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ;
}

/* Moves the addresses by four bytes; what counts from the frame's start moves along. */
static inline void move_start(struct pkt *p, int bytes)
{
    uint8_t *from = p->data;
    uint64_t dst = load_raw64(from);
    uint32_t rest = load_raw32(from + 8);

    p->data += bytes;
    memcpy(p->data, &dst, sizeof(dst));
    memcpy(p->data + 8, &rest, sizeof(rest));
    p->len -= (uint32_t)bytes;
    p->total_bytes -= (uint32_t)bytes;
    p->hdr_len = (uint16_t)(p->hdr_len - bytes);
    p->csum_start = (uint16_t)(p->csum_start - bytes);
}

static inline bool has_priority_tag(const struct pkt *p)
{
    return load_raw16(p->data + ETH_TYPE_OFF) == ETH_TYPE_VLAN && p->len >= TAGGED_HDR_BYTES &&
           tag_id(p->data + ETH_TYPE_OFF) == 0;
}

bool dp_vlan_strip_priority(struct pkt *p)
{
    if (!has_priority_tag(p))
        return false;
    move_start(p, VLAN_TAG_BYTES);
    return true;
}

be16 dp_vlan_inner_type(const struct pkt *p)
{
    return load_raw16(p->data + ETH_TYPE_OFF + (has_priority_tag(p) ? VLAN_TAG_BYTES : 0));
}

struct pkt *dp_vlan_insert(struct dataplane *dp, struct pkt *p, be16 id)
{
    p = dp_own(dp, p);
    if (!p)
        return NULL;
    CHECK(pkt_headroom(p) >= VLAN_TAG_BYTES);
    move_start(p, -VLAN_TAG_BYTES);
    store_raw16(p->data + ETH_TYPE_OFF, ETH_TYPE_VLAN);
    store_raw16(p->data + TCI_OFF, id);
    return p;
}

bool dp_vlan_forged(const struct dp_port *port, const struct pkt *p)
{
    uint32_t at = ETH_TYPE_OFF;

    if (!port->vlans)
        return false;
    for (unsigned i = 0; i < TAGS_LOOKED_AT; i++, at += VLAN_TAG_BYTES) {
        if (at + 2 > p->len || !is_tag(load_raw16(p->data + at)))
            return false;
        if (at + VLAN_TAG_BYTES > p->len)
            return false; /* cut short: nobody's */
        uint16_t id = tag_id(p->data + at);
        if (id != 0)
            return port->vlans[id] != CONFIG_NO_NET;
    }
    return true; /* nobody means well with so many */
}

/* The frame's network, without its tag if that was ours; CONFIG_NO_NET: it has none here. */
static unsigned take_tag(const struct dp_port *port, struct pkt *p)
{
    if (LIKELY(p->len >= TAGGED_HDR_BYTES) && load_raw16(p->data + ETH_TYPE_OFF) == ETH_TYPE_VLAN) {
        uint16_t id = tag_id(p->data + ETH_TYPE_OFF);
        if (id != 0 && port->vlans && port->vlans[id] != CONFIG_NO_NET) {
            move_start(p, VLAN_TAG_BYTES);
            return port->vlans[id];
        }
    }
    return port->network;
}

static void pass_run(struct dataplane *dp, unsigned in, unsigned network, struct pkt **pkts,
                     unsigned n)
{
    n = dp_admit(dp, in, network, pkts, n);
    if (n > 0)
        dp_input(dp, in, network, pkts, n);
}

void dp_port_input(struct dataplane *dp, unsigned in, struct pkt **pkts, unsigned n)
{
    const struct dp_port *port = &dp->ports[in];
    unsigned run = CONFIG_NO_NET, count = 0;

    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = pkts[i];
        unsigned network = take_tag(port, p);
        if (UNLIKELY(network == CONFIG_NO_NET)) {
            dp_drop(dp, p, port->vlans ? DROP_VLAN : DROP_NO_NETWORK);
            continue;
        }
        if (network != run && count > 0) {
            pass_run(dp, in, run, pkts, count);
            count = 0;
        }
        run = network;
        pkts[count++] = p;
    }
    if (count > 0)
        pass_run(dp, in, run, pkts, count);
}
