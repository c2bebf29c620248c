/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What may reach lwIP. A frame that passes here is well formed at every layer lwIP will look at, is
 * for an address of the interface it came in on (the strong host model of RFC 1122,
 * section 3.3.4.2) and from one that may be there; so that what lwIP 2.2.1 does not check (TCP
 * option bounds, ARP field lengths and sources) cannot be used against it.
 *
 * On the uplink the router is a host that listens to nothing: only ARP, echo requests, and answers
 * to its own DHCP and DNS queries pass (by TCP, segments of the connection that it has made), and
 * nothing else is answered, not even with an error.
 */
#include "net/host/host_internal.h"

#include "net/wire/arp.h"
#include "net/wire/parse.h"
#include "net/wire/text.h"

#include "lwip/etharp.h"

#define CONFLICT_TELL_US 10000000u /* and defend: RFC 5227, section 2.4 */

static bool on_uplink(const struct host_if *i)
{
    return i->network == NETWORK_UPLINK;
}

/* An address one station of the interface's subnet may have. */
static bool is_neighbor(const struct host_if *i, be32 ip)
{
    be32 mask = host_if_mask(i), own = host_if_ip(i);

    if (!own || ip4_is_martian(ip))
        return false;
    if (on_uplink(i) && ip == netif_ip4_gw(&i->netif)->addr)
        return true;
    /* The first and last address are nobody's, but in links of two (RFC 3021). */
    bool single = ntoh32(~mask) <= 1 || ((ip & ~mask) != 0 && (ip | mask) != 0xFFFFFFFFu);
    return !((ip ^ own) & mask) && single;
}

void guard_defend(struct host *h, struct host_if *i, const uint8_t *mac)
{
    char ip_text[IP4_TEXT_BYTES], other[MAC_TEXT_BYTES];
    uint64_t now_us = h->env.now_us();

    h->counters.conflicts++;
    if (now_us < i->next_conflict_us)
        return;
    i->next_conflict_us = now_us + CONFLICT_TELL_US;
    log_warn("address   %s is the router's, and %s uses it too: give that host another",
             ip4_text(ip_text, host_if_ip(i)), mac_text(other, mac));
    etharp_gratuitous(&i->netif);
}

static bool arp_passes(struct host *h, struct host_if *i, const struct pkt *p,
                       struct guard_result *r)
{
    const uint8_t *arp = p->data + ETH_HDR_BYTES;

    if (p->len < ETH_HDR_BYTES + ARP_BYTES)
        return false;
    be16 op = load_raw16(arp + ARP_OP_OFF);
    if (!arp_is_ethernet_ip4(arp) || (op != ARP_OP_REQUEST && op != ARP_OP_REPLY))
        return false;
    bool to_us = load_raw32(arp + ARP_TARGET_IP_OFF) == host_if_ip(i);
    r->arp = true;
    r->arp_asks = to_us && op == ARP_OP_REQUEST;
    r->arp_answers = to_us && op == ARP_OP_REPLY;
    r->mac = arp + ARP_SENDER_MAC_OFF;
    r->arp_sender = load_raw32(arp + ARP_SENDER_IP_OFF);
    if (mac_is_group(r->mac) || mac_is_zero(r->mac) || mac_equal(r->mac, i->netif.hwaddr))
        return false;
    if (r->arp_sender == 0) /* a probe (RFC 5227): answered, but nothing is learned from it */
        return op == ARP_OP_REQUEST;
    if (r->arp_sender == host_if_ip(i)) {
        guard_defend(h, i, r->mac);
        return false;
    }
    return is_neighbor(i, r->arp_sender);
}

/* Every option has a length that keeps it inside the header (RFC 9293, section 3.1). */
static bool tcp_options_hold(const uint8_t *tcp)
{
    unsigned end = (unsigned)(tcp[TCP_DATAOFF_OFF] >> 4) * 4u, at = TCP_HDR_BYTES;

    while (at < end && tcp[at] != TCP_OPT_END) {
        if (tcp[at] == TCP_OPT_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= end || tcp[at + 1] < 2 || tcp[at + 1] > end - at)
            return false;
        at += tcp[at + 1];
    }
    return true;
}

static bool tcp_passes(const struct pkt *p, const struct view *v)
{
    return v->fragment == FRAGMENT_NONE && tcp_options_hold(p->data + v->l4_off);
}

static bool lan_ip_passes(const struct host *h, const struct host_if *i, const struct pkt *p,
                          const struct view *v, bool broadcast)
{
    bool udp = v->proto == IP_PROTO_UDP;

    if (v->src == 0)
        return udp && v->fragment == FRAGMENT_NONE && v->dport == BE16(DHCP_SERVER_PORT) &&
               services_listens(h, i->network, v->dport);
    if (v->src == host_if_ip(i) || !is_neighbor(i, v->src))
        return false;
    if (broadcast)
        return udp;
    if (v->proto == IP_PROTO_TCP)
        return tcp_passes(p, v);
    return true;
}

static bool uplink_ip_passes(const struct host *h, const struct pkt *p, const struct view *v,
                             bool broadcast)
{
    if (v->proto == IP_PROTO_UDP && v->fragment == FRAGMENT_NONE &&
        v->dport == BE16(DHCP_CLIENT_PORT))
        return true; /* whatever its addresses: there may be none yet */
    if (broadcast || ip4_is_martian(v->src) || v->src == h->uplink.ip)
        return false;
    for (unsigned n = 0; n < h->config->net_count; n++)
        if (config_net_has(&h->config->nets[n], v->src))
            return false;
    if (v->proto == IP_PROTO_ICMP)
        return v->fragment == FRAGMENT_LATER || v->icmp_type == ICMP_ECHO;
    if (v->proto == IP_PROTO_TCP)
        return tcp_passes(p, v) && dns_tcp_awaits(h, v);
    if (v->proto != IP_PROTO_UDP)
        return false;
    return v->fragment == FRAGMENT_LATER
               ? h->services.dns.pending_count > 0
               : dns_proxy_listens(&h->services.dns, NETWORK_UPLINK, v->dport);
}

/* lwIP reassembles by addresses and id alone. Where two interfaces have one address, a fragment of
 * the one network could complete a datagram of the other. */
static bool shares_address(const struct host *h, const struct host_if *i)
{
    for (unsigned n = 0; n < HOST_IF_COUNT; n++)
        if (h->ifs[n].used && n != i->network && host_if_ip(&h->ifs[n]) == host_if_ip(i))
            return true;
    return false;
}

static bool ip_passes(struct host *h, struct host_if *i, const struct pkt *p,
                      struct guard_result *r)
{
    struct view v;

    if (view_parse_ip4(&v, p) != DROP_NONE)
        return false;
    be32 own = host_if_ip(i);
    bool broadcast = v.dst == 0xFFFFFFFFu || (own && v.dst == (own | ~host_if_mask(i)));
    r->fragment = v.fragment != FRAGMENT_NONE;
    r->dhcp_reply = on_uplink(i) && v.proto == IP_PROTO_UDP && !r->fragment &&
                    v.dport == BE16(DHCP_CLIENT_PORT);
    if (!broadcast && v.dst != own && !(r->dhcp_reply && !own))
        return false;
    if (r->fragment && shares_address(h, i))
        return false;
    if (v.proto == IP_PROTO_UDP && !r->fragment) {
        r->payload_off = (uint16_t)(v.l4_off + UDP_HDR_BYTES);
        r->payload_bytes = (uint16_t)(load_be16(p->data + v.l4_off + UDP_LEN_OFF) - UDP_HDR_BYTES);
    }
    return on_uplink(i) ? uplink_ip_passes(h, p, &v, broadcast)
                        : lan_ip_passes(h, i, p, &v, broadcast);
}

void guard_frame(struct host *h, struct host_if *i, const struct pkt *p, struct guard_result *r)
{
    memset(r, 0, sizeof(*r));
    if (p->len < ETH_HDR_BYTES || mac_is_group(p->data + ETH_SRC_OFF))
        return;
    be16 type = load_raw16(p->data + ETH_TYPE_OFF);
    if (type == ETH_TYPE_ARP)
        r->pass = arp_passes(h, i, p, r);
    else if (type == ETH_TYPE_IP4)
        r->pass = ip_passes(h, i, p, r);
}
