/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Frames of the router's own on their way out: from lwIP, and from the services, whose UDP
 * datagrams are framed here.
 *
 * All checksums are complete: a client that cannot finish a partial one (many DHCP clients read raw
 * frames) must never see one. What is larger than the network's MTU leaves in fragments (RFC 791).
 */
#include "net/host/host_internal.h"

#include "net/wire/arp.h"
#include "net/wire/csum.h"

#include "lwip/etharp.h"
#include "lwip/pbuf.h"

#define UDP_FRAME_HDR_BYTES (ETH_HDR_BYTES + IP4_HDR_BYTES + UDP_HDR_BYTES)

static void send_frame(struct host *h, uint8_t network, struct pkt *p)
{
    uint16_t mtu = dataplane_mtu(h->dp, network);
    unsigned missing, n;

    if (p->total_bytes <= ETH_HDR_BYTES + (uint32_t)mtu ||
        load_raw16(p->data + ETH_TYPE_OFF) != ETH_TYPE_IP4) {
        dataplane_send(h->dp, network, p);
        return;
    }
    n = offload_fragment(p, mtu, h->fragments, &missing);
    h->counters.no_packet += missing;
    for (unsigned k = 0; k < n; k++)
        dataplane_send(h->dp, network, h->fragments[k]);
}

/* RFC 1812, section 4.3.2.8: errors are limited. lwIP's own are few kinds, and one window does for
 * all. */
static bool error_allowed(struct host *h, const struct pkt *p)
{
    const uint8_t *ip = p->data + ETH_HDR_BYTES;

    if (p->len < ETH_HDR_BYTES + IP4_HDR_BYTES + ICMP_HDR_BYTES ||
        load_raw16(p->data + ETH_TYPE_OFF) != ETH_TYPE_IP4 || ip[IP4_PROTO_OFF] != IP_PROTO_ICMP ||
        ip[IP4_HDR_BYTES + ICMP_TYPE_OFF] == ICMP_ECHO_REPLY)
        return true;
    uint64_t now_us = h->env.now_us();
    if (now_us - h->errors_window_us >= 1000000) {
        h->errors_window_us = now_us;
        h->errors_in_window = 0;
    }
    if (h->errors_in_window >= HOST_UNREACHABLE_PER_S) {
        h->counters.errors_limited++;
        return false;
    }
    h->errors_in_window++;
    return true;
}

/* lwIP will look at this request's entry again every second until it is answered. */
static void note_arp_request(struct host *h, const struct pkt *p)
{
    if (p->len >= ETH_HDR_BYTES + 8 && load_raw16(p->data + ETH_TYPE_OFF) == ETH_TYPE_ARP &&
        load_be16(p->data + ETH_HDR_BYTES + 6) == ARP_REQUEST)
        h->arp_until_us = h->env.now_us() + HOST_ARP_BUSY_US;
}

err_t output_link(struct netif *netif, struct pbuf *frame)
{
    struct host_if *i = netif->state;
    struct host *h = i->host;
    struct pkt *p = pkt_alloc(h->pool);

    for (const struct pbuf *b = frame; p && b; b = b->next) {
        if (!pkt_append(p, b->payload, b->len)) {
            pkt_free(p);
            p = NULL;
        }
        if (b->len == b->tot_len)
            break; /* the frame ends here, whatever is chained behind it */
    }
    if (!p) {
        h->counters.no_packet++;
        return ERR_MEM;
    }
    note_arp_request(h, p);
    if (error_allowed(h, p))
        send_frame(h, i->network, p);
    else
        pkt_free(p);
    return ERR_OK;
}

void output_arp_reply(struct host *h, const struct host_if *i, const uint8_t *mac, be32 ip)
{
    uint8_t frame[ETH_HDR_BYTES + ARP_BYTES] = {0}, *arp = frame + ETH_HDR_BYTES;
    struct pkt *p = pkt_alloc(h->pool);

    memcpy(frame + ETH_DST_OFF, mac, MAC_BYTES);
    memcpy(frame + ETH_SRC_OFF, i->netif.hwaddr, MAC_BYTES);
    store_raw16(frame + ETH_TYPE_OFF, ETH_TYPE_ARP);
    memcpy(arp + ARP_TYPES_OFF, arp_ethernet_ip4, sizeof(arp_ethernet_ip4));
    store_raw16(arp + ARP_OP_OFF, ARP_OP_REPLY);
    memcpy(arp + ARP_SENDER_MAC_OFF, i->netif.hwaddr, MAC_BYTES);
    store_raw32(arp + ARP_SENDER_IP_OFF, host_if_ip(i));
    memcpy(arp + ARP_TARGET_MAC_OFF, mac, MAC_BYTES);
    store_raw32(arp + ARP_TARGET_IP_OFF, ip);
    if (p && pkt_append(p, frame, sizeof(frame))) {
        dataplane_send(h->dp, i->network, p);
        return;
    }
    h->counters.no_packet++;
    if (p)
        pkt_free(p);
}

/* Fills in the headers in front of n bytes of payload, and the UDP checksum over the whole packet.
 */
static void write_headers(struct host *h, struct pkt *p, const struct host_if *i, be16 sport,
                          const uint8_t *mac, be32 to, be16 dport, size_t n)
{
    uint8_t *eth = p->data, *ip = eth + ETH_HDR_BYTES, *udp = ip + IP4_HDR_BYTES;
    uint16_t udp_bytes = (uint16_t)(UDP_HDR_BYTES + n), id;
    be32 from = host_if_ip(i);

    memcpy(eth + ETH_DST_OFF, mac, MAC_BYTES);
    memcpy(eth + ETH_SRC_OFF, i->netif.hwaddr, MAC_BYTES);
    store_raw16(eth + ETH_TYPE_OFF, ETH_TYPE_IP4);
    /* Only what may be fragmented needs an id (RFC 6864, section 4.1), and one nobody can guess. */
    h->env.random(&id, sizeof(id));
    ip[IP4_VIHL_OFF] = 0x45;
    ip[IP4_TOS_OFF] = 0;
    store_be16(ip + IP4_LEN_OFF, (uint16_t)(IP4_HDR_BYTES + udp_bytes));
    store_raw16(ip + IP4_ID_OFF, id);
    store_raw16(ip + IP4_FRAG_OFF, 0);
    ip[IP4_TTL_OFF] = 64;
    ip[IP4_PROTO_OFF] = IP_PROTO_UDP;
    store_raw16(ip + IP4_CSUM_OFF, 0);
    store_raw32(ip + IP4_SRC_OFF, from);
    store_raw32(ip + IP4_DST_OFF, to);
    store_raw16(ip + IP4_CSUM_OFF, csum_of(ip, IP4_HDR_BYTES));
    store_raw16(udp + UDP_SPORT_OFF, sport);
    store_raw16(udp + UDP_DPORT_OFF, dport);
    store_be16(udp + UDP_LEN_OFF, udp_bytes);
    store_raw16(udp + UDP_CSUM_OFF, 0);
    uint32_t sum = csum_pseudo(from, to, IP_PROTO_UDP, udp_bytes) +
                   csum_fold(csum_pkt(p, ETH_HDR_BYTES + IP4_HDR_BYTES, udp_bytes));
    uint16_t csum = (uint16_t)~csum_fold(sum);
    /* A sum of zero is sent as all ones (RFC 768); dhcpcd 9 takes that for a wrong one, whose
     * sender repeats it. So DHCP has no checksum then, which is what zero says. */
    if (csum == 0 && sport != BE16(DHCP_SERVER_PORT))
        csum = 0xFFFF;
    store_raw16(udp + UDP_CSUM_OFF, csum);
}

void output_udp(struct host *h, uint8_t network, be16 sport, const uint8_t *mac, be32 to,
                be16 dport, const uint8_t *bytes, size_t n)
{
    static const uint8_t headers[UDP_FRAME_HDR_BYTES];
    const struct host_if *i = &h->ifs[network];
    struct pkt *p = pkt_alloc(h->pool);

    CHECK(n <= UINT16_MAX - IP4_HDR_BYTES - UDP_HDR_BYTES);
    if (!p || !pkt_append(p, headers, sizeof(headers)) || !pkt_append(p, bytes, n)) {
        h->counters.no_packet++;
        if (p)
            pkt_free(p);
        return;
    }
    write_headers(h, p, i, sport, mac, to, dport, n);
    send_frame(h, network, p);
}
