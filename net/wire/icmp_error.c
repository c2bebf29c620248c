/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ICMP errors (RFC 792; RFC 1812, sections 4.3.2 and 5.2.7).
 *
 * The quoted packet is copied as it stands. Of one with a partial checksum that means a transport
 * checksum which is not the final one; RFC 5508 (REQ-3c) forbids those on the way to check it, and
 * the sender recognises its packet by addresses, ports and sequence number.
 */
#include "net/wire/icmp_error.h"
#include "net/wire/csum.h"

#define ERROR_TOS       0xC0 /* precedence 6, internetwork control: RFC 1812, section 4.3.2.5 */
#define ERROR_TTL       64
#define QUOTE_MAX_BYTES (ICMP_ERROR_MAX_BYTES - IP4_HDR_BYTES - ICMP_HDR_BYTES)

static_assert(ETH_HDR_BYTES + ICMP_ERROR_MAX_BYTES <= PKT_DATA_BYTES, "an error is one segment");

bool icmp_error_allowed(const struct view *v, const struct pkt *about)
{
    if (view_is_icmp_error(v) || v->fragment == FRAGMENT_LATER)
        return false;
    if (mac_is_group(about->data + ETH_DST_OFF) || ip4_is_martian(v->src))
        return false;
    return (uint8_t)v->dst < 224; /* neither multicast nor the limited broadcast */
}

struct pkt *icmp_error_build(struct pkt_pool *pool, const struct pkt *about, const struct view *v,
                             be32 router, uint8_t type, uint8_t code, uint16_t mtu)
{
    struct pkt *p = pkt_alloc(pool);
    if (!p)
        return NULL;

    uint32_t quote_bytes = MIN((uint32_t)v->ip_bytes, (uint32_t)QUOTE_MAX_BYTES);
    uint32_t icmp_bytes = ICMP_HDR_BYTES + quote_bytes;
    uint8_t *ip = p->data + ETH_HDR_BYTES, *icmp = ip + IP4_HDR_BYTES;

    memset(p->data, 0, ETH_HDR_BYTES + IP4_HDR_BYTES + ICMP_HDR_BYTES);
    bool whole = pkt_copy_out(about, v->l3_off, icmp + ICMP_HDR_BYTES, quote_bytes);
    CHECK(whole); /* the parser found ip_bytes in the packet */

    icmp[ICMP_TYPE_OFF] = type;
    icmp[ICMP_CODE_OFF] = code;
    store_be16(icmp + ICMP_MTU_OFF, mtu);
    store_raw16(icmp + ICMP_CSUM_OFF, csum_of(icmp, icmp_bytes));

    /* Don't-fragment makes the identification meaningless, so it can be 0 (RFC 6864, section 4.1).
     */
    ip[IP4_VIHL_OFF] = 0x45;
    ip[IP4_TOS_OFF] = ERROR_TOS;
    store_be16(ip + IP4_LEN_OFF, (uint16_t)(IP4_HDR_BYTES + icmp_bytes));
    store_raw16(ip + IP4_FRAG_OFF, IP4_FRAG_DF);
    ip[IP4_TTL_OFF] = ERROR_TTL;
    ip[IP4_PROTO_OFF] = IP_PROTO_ICMP;
    store_raw32(ip + IP4_SRC_OFF, router);
    store_raw32(ip + IP4_DST_OFF, v->src);
    store_raw16(ip + IP4_CSUM_OFF, csum_of(ip, IP4_HDR_BYTES));

    p->len = p->total_bytes = ETH_HDR_BYTES + IP4_HDR_BYTES + icmp_bytes;
    p->port = about->port;
    return p;
}
