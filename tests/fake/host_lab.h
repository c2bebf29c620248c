/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The router's own host (net/host) on lwIP itself, behind the real dataplane and fake NICs, for
 * tests:
 *
 *     outside (port 0, 198.51.100.0/24) -- router -- lan  (port 1, 192.168.8.0/24, nat)
 *                                                 |- cell (port 2, 192.168.9.0/24, hostonly)
 *                                                 \- twin (port 3, 192.168.8.0/24, nat)
 *
 * lan and twin have one subnet, and the router one address in both. A test may have other networks:
 * lab_start_as().
 *
 * lwIP can be started once a process: a test binary has one lab, and its tests run in order, each
 * leaving the router in service. What goes wrong in here is a failed CHECK.
 */
#ifndef HOST_LAB_H
#define HOST_LAB_H

#include "net/host/host.h"
#include "net/wire/dhcp.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"
#include "tests/fake/fake_config.h"
#include "tests/fake/fake_nic.h"
#include "tests/fake/frame_build.h"

#define POOL_COUNT 1024
#define LAN        0
#define CELL       1
#define TWIN       2
#define LAN_IP     BE_IP4(192, 168, 8, 1)
#define CELL_IP    BE_IP4(192, 168, 9, 1)
#define WAN_IP     BE_IP4(198, 51, 100, 7)
#define GATEWAY    BE_IP4(198, 51, 100, 1)
#define DNS_SERVER BE_IP4(198, 51, 100, 53)
#define HOST_IP    BE_IP4(192, 168, 8, 20)
#define ALL        0xFFFFFFFFu
#define LEASE_S    600

enum { UPLINK_PORT, LAN_PORT, CELL_PORT, TWIN_PORT, PORTS };

struct host_lab {
    struct dataplane *dp;
    struct host *host;
    uint64_t now_us;
    struct frame f;   /* being made */
    struct frame got; /* the last one sent that was looked at */
    struct pkt_pool pool;
    struct fake_config fc;
    unsigned port_count;
    struct fake_nic nics[CONFIG_MAX_PORTS];
};
extern struct host_lab lab;

extern const uint8_t lab_host_mac[MAC_BYTES], lab_gateway_mac[MAC_BYTES], lab_all_mac[MAC_BYTES];

/* Setup and teardown of the group: the router is started, and has sent its first DHCP message; at
 * the end all packets must be back. And setup of a test: what was sent before is forgotten. */
int lab_start(void **state);
int lab_start_as(unsigned ports, const char *config);
int lab_stop(void **state);
int lab_drained(void **state);

/* The uplink's DHCP exchange, for tests about something else. */
void lab_bind(void);
/* For cmocka: started as lab_start() does, and bound. */
int lab_start_bound(void **state);

/* One turn of the loop; and as many as the router asks for while time passes. */
void lab_turn(void);
void lab_pass_time(uint64_t us);

/* lab.f comes in on a port, and a turn. */
void lab_receive(unsigned port);

/* The next frame sent on a port is in lab.got; false if there is none. All checksums of what the
 * router sends are complete and right. */
bool lab_sent(unsigned port);

/* The same for the uplink, with ARP requests answered by the gateway rather than shown. */
bool lab_sent_outside(void);

void lab_nothing_sent(void);
void lab_drain(void);

/* What is in lab.got; 0 is any port. */
bool lab_is_udp(be16 sport, be16 dport);
bool lab_is_arp(unsigned op);
be32 lab_got_ip(size_t off);

/* Make lab.f: an IPv4 frame to the router's MAC on a port's network, to be completed by
 * lab_finish(); a whole UDP datagram; an ARP packet. */
void lab_make_ip(unsigned port, const uint8_t *from_mac, be32 src, be32 dst, uint8_t proto,
                 size_t payload_bytes);
void lab_finish(void);
void lab_make_udp(unsigned port, const uint8_t *from_mac, be32 src, be32 dst, be16 sport,
                  be16 dport, const void *payload, size_t n);
void lab_make_arp(const uint8_t *mac, unsigned op, be32 sender, be32 target);

/* Begins a DHCP message in b, of 600 bytes; w is where further options go. */
void lab_make_dhcp(uint8_t op, uint8_t type, const uint8_t *mac, uint32_t xid, be32 yiaddr,
                   uint8_t *b, struct dhcp_writer *w);

/* The outside's DHCP server's answer is in lab.f; not received yet. */
void lab_dhcp_answers(uint8_t type, uint32_t xid);

/* The next DHCP message of the router's client is read into m; false if there is none. */
bool lab_client_says(struct dhcp_message *m);

/* Replaces lab.f, an IPv4 frame, by one of its fragments of 1480 bytes; false when there is none at
 * that offset. full keeps the whole. */
bool lab_fragment(const struct frame *full, size_t off);

#endif
