/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a port lets in, before anything else looks at it: only frames from the station, or from the
 * addresses, that it is locked to; and no more than its rate. And the token buckets of the other
 * limits, rate= outwards and floods.
 *
 * lock=ip. A host may say that it has an address if the DHCP server has given it to that MAC on
 * that port, or reserves it for that MAC: as an ARP sender (RFC 826) and as an IPv4 source. Without
 * any it may look for one: DHCP from 0.0.0.0 (RFC 2131, section 4.1) and ARP probes (RFC 5227).
 * But a MAC is easily forged: while the switch knows it on another port, nobody without an address
 * speaks for it here, or he would take its owner's frames and its owner's lease. What is said to
 * the DHCP server must be about the frame's MAC, so that nobody takes or releases what is
 * another's; and nobody plays the server where the router is it. Nothing else is let in: other
 * protocols have addresses that nobody vouches for.
 */
#include "net/dataplane_internal.h"
#include "net/wire/arp.h"

#define BUCKET_MIN_BYTES  (128u * 1024) /* of rate=: two super-packets */
#define BUCKET_MIN_FRAMES 32            /* of storm_pps: ARP requests of a host that starts */
#define STORM_PARTS_OF_S  10            /* its bucket holds a tenth of a second's worth */
#define RATE_PARTS_OF_S   4 /* a quarter's: behind a tenth's, TCP was seen to reach half its rate */
#define PER_S_MAX         1000000000000ull
#define MICRO             1000000ull

#define DHCP_SERVER_PORT BE16(67)
#define DHCP_CLIENT_PORT BE16(68)
#define DHCP_CHADDR_OFF  28 /* RFC 2131, section 2 */

/* ---- token buckets ---- */

static void bucket_init(struct dp_bucket *b, uint64_t per_s, unsigned parts, uint64_t min,
                        uint64_t now_us)
{
    b->per_s = MIN(per_s, PER_S_MAX);
    b->full_micro = MAX(b->per_s / parts, min) * MICRO;
    b->tokens_micro = b->full_micro;
    b->fill_us = per_s ? b->full_micro / b->per_s + 1 : 0;
    b->at_us = now_us;
}

/* More than the bucket holds is as good as all of it: what is too large for it passes, too. */
static bool bucket_take(struct dp_bucket *b, uint32_t amount, uint64_t now_us)
{
    uint64_t micro = MIN(amount * MICRO, b->full_micro);
    uint64_t passed_us = MIN(now_us - b->at_us, b->fill_us);

    b->at_us = now_us;
    b->tokens_micro = MIN(b->tokens_micro + passed_us * b->per_s, b->full_micro);
    if (b->tokens_micro < micro)
        return false;
    b->tokens_micro -= micro;
    return true;
}

/* Of which a packet is cut after the first. Nobody has looked at the length of its headers yet. */
static uint32_t further_frames(const struct pkt *p)
{
    uint32_t payload = p->total_bytes - MIN(p->hdr_len, p->total_bytes);

    return p->gso_size && payload ? (payload - 1) / p->gso_size : 0;
}

bool dp_bucket_take_frames(struct dp_bucket *b, const struct pkt *p, uint64_t now_us)
{
    return bucket_take(b, 1 + further_frames(p), now_us);
}

bool dp_bucket_take_bytes(struct dp_bucket *b, const struct pkt *p, uint64_t now_us)
{
    return bucket_take(b, p->total_bytes + further_frames(p) * p->hdr_len, now_us);
}

/* Bits a second as bytes; a limit stays a limit however low it is. */
static uint64_t bytes_per_s(uint64_t bps)
{
    return bps ? MAX(bps / 8, 1) : 0;
}

void dp_admit_init(struct dataplane *dp, unsigned i)
{
    const struct config_port *from = &dp->config->ports[i];
    struct dp_port *port = &dp->ports[i];

    port->lock = from->lock;
    port->lock_mac = from->lock == LOCK_MAC ? load_mac(from->lock_mac) : 0;
    bucket_init(&port->rate_in, bytes_per_s(from->rate_in_bps), RATE_PARTS_OF_S, BUCKET_MIN_BYTES,
                dp->now_us);
    bucket_init(&port->rate_out, bytes_per_s(from->rate_out_bps), RATE_PARTS_OF_S, BUCKET_MIN_BYTES,
                dp->now_us);
    bucket_init(&port->storm, from->storm_pps, STORM_PARTS_OF_S, BUCKET_MIN_FRAMES, dp->now_us);
    port->guarded |= port->lock != LOCK_OFF || port->rate_in.per_s;
}

/* ---- locks ---- */

/* The first source pins the port, unless it is nobody's: that frame will be dropped for it. */
static bool is_first(const struct dataplane *dp, struct dp_port *port, unsigned network,
                     uint64_t source)
{
    if (LIKELY(source == port->lock_mac))
        return true;
    if (port->lock_mac != 0)
        return false;
    if (!(source & MAC_WORD_GROUP) && source != dp->networks[network].mac_word)
        port->lock_mac = source;
    return true;
}

/* True if the host on this port with this MAC has this address. */
static bool is_bound(const struct dataplane *dp, unsigned in, unsigned network, const uint8_t *mac,
                     be32 ip)
{
    const struct binding *b = binding_find(&dp->bindings, (uint8_t)network, ip, dp->now_us);

    return b && mac_equal(b->mac, mac) && (b->port == in || b->port == BINDING_ANY_PORT);
}

/* True if the switch knows the MAC on another port. */
static bool is_elsewhere(const struct dataplane *dp, unsigned in, unsigned network,
                         const uint8_t *mac)
{
    uint8_t port = dp_port_of(dp, network, mac);

    return port < dp->port_count && port != in;
}

static bool arp_is_own(const struct dataplane *dp, unsigned in, unsigned network,
                       const struct pkt *p)
{
    const uint8_t *arp = p->data + ETH_HDR_BYTES, *source = p->data + ETH_SRC_OFF;

    if (p->len < ETH_HDR_BYTES + ARP_BYTES || !arp_is_ethernet_ip4(arp) ||
        !mac_equal(arp + ARP_SENDER_MAC_OFF, source))
        return false;
    be32 ip = load_raw32(arp + ARP_SENDER_IP_OFF);
    if (ip == 0)
        return load_raw16(arp + ARP_OP_OFF) == ARP_OP_REQUEST &&
               !is_elsewhere(dp, in, network, source);
    return is_bound(dp, in, network, source, ip);
}

/* What a datagram to the DHCP server says about whose it is. */
static bool dhcp_is_own(const struct pkt *p, uint32_t l4_off)
{
    uint32_t at = l4_off + UDP_HDR_BYTES + DHCP_CHADDR_OFF;

    return at + MAC_BYTES <= p->len && mac_equal(p->data + at, p->data + ETH_SRC_OFF);
}

static bool serves_dhcp(const struct dataplane *dp, unsigned network)
{
    return network < dp->config->net_count && dp->config->nets[network].pool_first;
}

static bool ip4_is_own(const struct dataplane *dp, unsigned in, unsigned network,
                       const struct pkt *p)
{
    const uint8_t *ip = p->data + ETH_HDR_BYTES, *source = p->data + ETH_SRC_OFF;

    if (p->len < ETH_HDR_BYTES + IP4_HDR_BYTES || ip[IP4_VIHL_OFF] >> 4 != 4 ||
        (ip[IP4_VIHL_OFF] & 15u) * 4u < IP4_HDR_BYTES)
        return false;
    uint32_t l4_off = ETH_HDR_BYTES + (ip[IP4_VIHL_OFF] & 15u) * 4u;
    bool later = load_raw16(ip + IP4_FRAG_OFF) & IP4_FRAG_OFFSET_MASK; /* it has no ports */
    be32 src = load_raw32(ip + IP4_SRC_OFF);
    be16 dport = 0;

    if (ip[IP4_PROTO_OFF] == IP_PROTO_UDP && !later && l4_off + UDP_HDR_BYTES <= p->len)
        dport = load_raw16(p->data + l4_off + UDP_DPORT_OFF);
    if (dport == DHCP_SERVER_PORT && !dhcp_is_own(p, l4_off))
        return false;
    if (dport == DHCP_CLIENT_PORT && serves_dhcp(dp, network))
        return false;
    if (src == 0)
        return dport == DHCP_SERVER_PORT &&
               load_raw16(p->data + l4_off + UDP_SPORT_OFF) == DHCP_CLIENT_PORT &&
               !is_elsewhere(dp, in, network, source);
    return is_bound(dp, in, network, source, src);
}

static bool unlocked(struct dataplane *dp, unsigned in, unsigned network, struct pkt *p)
{
    struct dp_port *port = &dp->ports[in];
    uint64_t source = load_mac(p->data + ETH_SRC_OFF);

    if (port->lock == LOCK_IP && !dp->networks[network].transparent)
        dp_vlan_strip_priority(p);
    be16 type = load_raw16(p->data + ETH_TYPE_OFF);

    switch (port->lock) {
    case LOCK_MAC:
        return source == port->lock_mac;
    case LOCK_FIRST:
        return is_first(dp, port, network, source);
    case LOCK_IP:
        if (type == ETH_TYPE_ARP)
            return arp_is_own(dp, in, network, p);
        return type == ETH_TYPE_IP4 && ip4_is_own(dp, in, network, p);
    default:
        return true;
    }
}

unsigned dp_admit(struct dataplane *dp, unsigned in, unsigned network, struct pkt **pkts,
                  unsigned n)
{
    struct dp_port *port = &dp->ports[in];
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = pkts[i];
        if (UNLIKELY(p->len < ETH_HDR_BYTES)) {
            pkts[kept++] = p; /* no frame at all; the switch says so */
        } else if (UNLIKELY(!unlocked(dp, in, network, p))) {
            port->locked++;
            dp_drop(dp, p, DROP_LOCKED);
        } else if (UNLIKELY(port->rate_in.per_s) &&
                   !dp_bucket_take_bytes(&port->rate_in, p, dp->now_us)) {
            port->over_rate_in++;
            dp_drop(dp, p, DROP_RATE);
        } else {
            pkts[kept++] = p;
        }
    }
    return kept;
}

/* ---- who has which address ---- */

bool dataplane_bind(struct dataplane *dp, uint8_t network, be32 ip, const uint8_t *mac,
                    uint64_t until_us)
{
    CHECK(network < NETWORK_COUNT);
    struct binding b = {
        .until_us = until_us, .ip = ip, .network = network, .port = BINDING_ANY_PORT};
    uint8_t port = dp_port_of(dp, network, mac);

    memcpy(b.mac, mac, MAC_BYTES);
    if (until_us == 0) {
        dataplane_unbind(dp, network, ip);
        return true;
    }
    if (until_us != UINT64_MAX && port < dp->port_count)
        b.port = port;
    return binding_set(&dp->bindings, &b, dp->now_us);
}

void dataplane_unbind(struct dataplane *dp, uint8_t network, be32 ip)
{
    binding_remove(&dp->bindings, network, ip);
}
