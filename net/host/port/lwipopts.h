/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How lwIP is configured (its opt.h says what each line means). One loop, no threads, no sockets;
 * IPv4 only; what is not used is compiled out. Memory is static and small: the router must run in
 * 16 MB, and lwIP only ever carries the router's own traffic.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS          0 /* net/host/timers.c calls them */
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_STATS           0
#define LWIP_HOOK_FILENAME   "lwip_hooks.h"

/* ---- memory ---- */
#define MEM_ALIGNMENT           8
#define MEM_SIZE                (160 * 1024) /* 96 for what TCP has sent, all at once */
#define PBUF_POOL_SIZE          64
#define PBUF_POOL_BUFSIZE       1600 /* an untagged Ethernet frame in one piece */
#define MEMP_NUM_PBUF           16
#define MEMP_NUM_RAW_PCB        2
#define MEMP_NUM_UDP_PCB        8
#define MEMP_NUM_TCP_PCB        56 /* net/host/dns_tcp.h, and some that linger */
#define MEMP_NUM_TCP_PCB_LISTEN 16 /* one a network */
#define MEMP_NUM_TCP_SEG        288

/* ---- link and neighbors ---- */
#define LWIP_ARP                      1
#define ARP_TABLE_SIZE                128
#define ARP_QUEUEING                  1
#define ARP_QUEUE_LEN                 4
#define MEMP_NUM_ARP_QUEUE            16
#define ARP_MAXAGE                    120 /* seconds */
/* One address may be in use on two networks' segments at once; they are different hosts. */
#define ETHARP_TABLE_MATCH_NETIF      1
#define ETHARP_SUPPORT_STATIC_ENTRIES 1
#define LWIP_NETIF_HOSTNAME           1
#define LWIP_NETIF_TX_SINGLE_PBUF     0

/* ---- IP ---- */
#define LWIP_IPV4                         1
#define LWIP_IPV6                         0
#define IP_FORWARD                        0
#define IP_REASSEMBLY                     1
#define IP_REASS_MAXAGE                   15
#define IP_REASS_MAX_PBUFS                24
#define MEMP_NUM_REASSDATA                8
/* Fragments are made where frames leave (net/host/output.c), by the code that makes them for
 * forwarded packets too. */
#define IP_FRAG                           0
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dst) host_hook_route(src, dst)
#define LWIP_ICMP                         1
#define LWIP_BROADCAST_PING               0
#define LWIP_MULTICAST_PING               0
#define LWIP_RAW                          1 /* one, through which services receive: net/host/services.c */

/* ---- the uplink's DHCP client ---- */
#define LWIP_UDP                 1
#define LWIP_DHCP                1
#define LWIP_DHCP_DOES_ACD_CHECK 0 /* it would delay the start by seconds */
#define LWIP_ACD                 0
#define LWIP_AUTOIP              0
#define LWIP_DNS                 0
#define LWIP_DHCP_GET_NTP_SRV    0
/* Room for the longest host name; and the name servers are asked for (net/host/uplink.c reads
 * them). */
#define DHCP_OPTIONS_LEN         192
/* lwIP counts a lease in minutes, which makes short ones run out before they are renewed; in ticks
 * of five seconds, kept in 32 bits, every lease is renewed in time. */
#define DHCP_COARSE_TIMER_SECS   5
#define DHCP_TIMEOUT_SIZE_T      u32_t
#define DHCP_DEFINE_CUSTOM_TIMEOUTS
#define DHCP_TICKS(seconds)                            LWIP_MAX((seconds) / DHCP_COARSE_TIMER_SECS, 1)
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T0_LEASE(to, d)  (to) = DHCP_TICKS((d)->offered_t0_lease)
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T1_RENEW(to, d)  (to) = DHCP_TICKS((d)->offered_t1_renew)
#define DHCP_SET_TIMEOUT_FROM_OFFERED_T2_REBIND(to, d) (to) = DHCP_TICKS((d)->offered_t2_rebind)
#define DHCP_NEXT_TIMEOUT_THRESHOLD                    DHCP_TICKS(60)
#define DHCP_REQUEST_BACKOFF_SEQUENCE(tries)           ((u16_t)(((tries) < 6 ? 1 << (tries) : 60) * 1000))
#define DHCP_ADD_EXTRA_REQUEST_OPTIONS                 , 6

/* ---- TCP: DNS (net/host/dns_tcp.c) ---- */
#define LWIP_TCP           1
#define TCP_MSS            1460
#define TCP_WND            4096 /* what net/dns_stream.h has room for */
#define TCP_SND_BUF        (2 * TCP_MSS)
#define TCP_SND_QUEUELEN   8
#define TCP_OVERSIZE       0 /* a short answer takes little of the heap */
#define TCP_QUEUE_OOSEQ    0 /* nobody keeps buffers by sending with gaps */
#define TCP_LISTEN_BACKLOG 0 /* dns_tcp_admits() counts */
#define TCP_MAXRTX         4 /* a FIN that nobody acknowledges: for about a minute */
#define TCP_MSL            10000UL
#define LWIP_TCP_RTO_TIME  1000 /* RFC 6298, section 2 */
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, segment, optlen, opt1len, opt2, p)                         \
    host_hook_tcp_segment(pcb, segment)

#endif
