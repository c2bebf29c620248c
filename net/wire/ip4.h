/* SPDX-License-Identifier: BSD-3-Clause
 *
 * IPv4 (RFC 791), TCP (RFC 9293), UDP (RFC 768) and ICMP (RFC 792) layouts as offsets from the
 * start of each header, and the address classes a router must know (RFC 1122, 1812, 6890).
 */
#ifndef NET_WIRE_IP4_H
#define NET_WIRE_IP4_H

#include "base.h"

#define IP4_HDR_BYTES        20
#define IP4_MAX_HDR_BYTES    60
#define IP4_VIHL_OFF         0
#define IP4_TOS_OFF          1
#define IP4_LEN_OFF          2
#define IP4_ID_OFF           4
#define IP4_FRAG_OFF         6
#define IP4_FRAG_DF          BE16(0x4000)
#define IP4_FRAG_MF          BE16(0x2000)
#define IP4_FRAG_OFFSET_MASK BE16(0x1FFF) /* units of 8 bytes */
#define IP4_TTL_OFF          8
#define IP4_PROTO_OFF        9
#define IP4_CSUM_OFF         10
#define IP4_SRC_OFF          12
#define IP4_DST_OFF          16

enum ip_proto {
    IP_PROTO_ICMP = 1,
    IP_PROTO_TCP = 6,
    IP_PROTO_UDP = 17,
    IP_PROTO_GRE = 47, /* RFC 2784 */
    IP_PROTO_ESP = 50, /* RFC 4303 */
};

#define UDP_HDR_BYTES 8
#define UDP_SPORT_OFF 0
#define UDP_DPORT_OFF 2
#define UDP_LEN_OFF   4
#define UDP_CSUM_OFF  6

#define TCP_HDR_BYTES   20
#define TCP_SPORT_OFF   0
#define TCP_DPORT_OFF   2
#define TCP_SEQ_OFF     4
#define TCP_ACK_OFF     8
#define TCP_DATAOFF_OFF 12
#define TCP_FLAGS_OFF   13
#define TCP_WINDOW_OFF  14
#define TCP_CSUM_OFF    16
enum tcp_flags { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16, TCP_CWR = 128 };
enum tcp_option { TCP_OPT_END = 0, TCP_OPT_NOP = 1, TCP_OPT_MSS = 2, TCP_OPT_SCALE = 3 };

#define ICMP_HDR_BYTES 8
#define ICMP_TYPE_OFF  0
#define ICMP_CODE_OFF  1
#define ICMP_CSUM_OFF  2
#define ICMP_ID_OFF    4 /* echo */
#define ICMP_SEQ_OFF   6 /* echo */
#define ICMP_MTU_OFF   6 /* fragmentation needed: next-hop MTU (RFC 1191) */
enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_SOURCE_QUENCH = 4,
    ICMP_REDIRECT = 5,
    ICMP_ECHO = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER = 12,
};
enum icmp_unreachable_code {
    ICMP_UNREACH_NET = 0,
    ICMP_UNREACH_HOST = 1,
    ICMP_UNREACH_PROTOCOL = 2,
    ICMP_UNREACH_PORT = 3,
    ICMP_UNREACH_FRAG_NEEDED = 4,
    ICMP_UNREACH_ADMIN = 13,
};

/* Never a legal source on a wire, and never to be forwarded to: 0/8, 127/8, 224/4 and 240/4 (which
 * holds the limited broadcast). ip is in network order. */
static inline bool ip4_is_martian(be32 ip)
{
    uint8_t first = (uint8_t)(ip & 0xFF);
    return first == 0 || first == 127 || first >= 224;
}

static inline bool ip4_in_prefix(be32 ip, be32 net, be32 mask)
{
    return ((ip ^ net) & mask) == 0;
}

#endif
