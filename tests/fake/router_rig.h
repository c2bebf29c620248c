/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A whole dataplane on a bench: fake NICs around it, a stack that notes what it is given, and
 * stations whose MACs follow from their addresses. After every step the sum of dataplane.h is
 * checked.
 *
 *              port 0 = uplink 203.0.113.2/24, gateway .1          (nothing: port 6)
 *                                  |
 *     lan, nat, 192.168.8.1/24 = ports 1 2 3      lab = ports 4 5, 192.168.9.1/24
 */
#ifndef ROUTER_RIG_H
#define ROUTER_RIG_H

#include "net/dataplane.h"
#include "tests/fake/fake_nic.h"
#include "tests/fake/frame_build.h"

#define RIG_PORTS       7 /* of the topology above */
#define RIG_BUFFERS     512
#define RIG_DELIVERED   64
#define RIG_LAN         0
#define RIG_LAB         1
#define RIG_OUTSIDE     BE_IP4(203, 0, 113, 2)
#define RIG_GATEWAY     BE_IP4(203, 0, 113, 1)
#define RIG_SERVER      BE_IP4(198, 51, 100, 7)
#define RIG_ROUTER      BE_IP4(192, 168, 8, 1)
#define RIG_LAB_ROUTER  BE_IP4(192, 168, 9, 1)
#define RIG_HOST(n)     BE_IP4(192, 168, 8, n)
#define RIG_LAB_HOST(n) BE_IP4(192, 168, 9, n)

struct rig {
    struct config config;
    struct fake_nic nics[CONFIG_MAX_PORTS]; /* config.port_count of them are there */
    struct pkt_pool pool;
    struct dataplane *dp;
    uint64_t now_us;

    /* The stack. */
    struct pkt *delivered[RIG_DELIVERED];
    uint8_t delivered_network[RIG_DELIVERED];
    unsigned delivered_count;
    bool stack_busy; /* it refuses what it is given */
    bool no_answers; /* nobody answers ARP */
    be32 silent_ip;  /* this one does not */
    unsigned questions;
    be32 asked_ip;
    uint8_t asked_network;
    unsigned link_calls;
    uint8_t link_network;
    bool link_up;
    unsigned conflicts;
    uint8_t conflict_network, conflict_mac[MAC_BYTES];

    struct frame in;  /* what rig_make() made */
    struct frame out; /* what rig_output() took */
};

struct rig_packet {
    be32 src, dst;
    uint16_t sport, dport; /* echo: sport is the identifier */
    uint8_t proto;         /* default: UDP */
    uint8_t ttl;           /* default: 64 */
    uint8_t tcp_flags;
    uint8_t icmp_type; /* default: 8, echo request; 255: 0, echo reply */
    uint16_t mss;      /* SYN with this option */
    uint16_t frag;     /* flags and offset field; default: DF */
    bool may_fragment; /* DF clear */
    bool broadcast;    /* in a broadcast frame */
    size_t payload_bytes;
};

enum rig_flags {
    RIG_DHCP = 1 << 0,         /* the uplink has no address yet */
    RIG_LAB_HOSTONLY = 1 << 1, /* else nat */
    RIG_FORWARDS = 1 << 2,     /* tcp 8080 -> 192.168.8.10:80, udp 5000 -> 192.168.9.20:5001 */
    RIG_NO_UPLINK = 1 << 3,
    RIG_TINY = 1 << 4,      /* 4 flows */
    RIG_SMALL_MTU = 1 << 5, /* the uplink's is 1400 */
    RIG_LAB_MUTE = 1 << 6,  /* the router has no address in lab */
};

void rig_start(struct rig *r, unsigned flags);
/* The same with these offloads (enum nic_offloads) on every port. */
void rig_start_with(struct rig *r, unsigned flags, uint32_t offloads);

/* The configuration of the topology above, to be changed. */
void rig_configure(struct config *c, unsigned flags);
/* Any configuration (copied), instead of the topology above. mtu: of each port, and what its NIC
 * takes if it is told to; NULL: 1500, and no more. */
void rig_start_config(struct rig *r, const struct config *config, uint32_t offloads);
void rig_start_config_mtu(struct rig *r, const struct config *config, uint32_t offloads,
                          const uint16_t *mtu, const uint16_t *mtu_max);

/* CHECKs that every buffer has come back. */
void rig_stop(struct rig *r);

/* The MAC of the station with this address; the router's own on a network. */
const uint8_t *rig_mac(be32 ip);
const uint8_t *rig_router_mac(const struct rig *r, unsigned network);

/* Builds r->in, from the station that has src to the router's MAC on the port's network. */
void rig_make(struct rig *r, unsigned port, const struct rig_packet *k);
/* Builds it, and lets it come in by port. */
void rig_input(struct rig *r, unsigned port, const struct rig_packet *k);
/* Lets r->in come in by port, as it stands. */
void rig_input_raw(struct rig *r, unsigned port);

/* Makes the switch learn that the station with this address is on port, as its first ARP request
 * would. */
void rig_appear(struct rig *r, unsigned port, be32 ip);

/* One poll at the present time; CHECKs the sum, and that no frame left by a port without network.
 */
unsigned rig_step(struct rig *r);
/* Time passes, with a poll every ms_step. */
void rig_pass(struct rig *r, uint32_t ms, uint32_t ms_step);

/* The next frame sent by this port, flat, into r->out (l3, l4 set for IPv4), with its offload
 * metadata gone. False: none. */
bool rig_output(struct rig *r, unsigned port);
/* Frees everything sent and delivered; returns how many frames had been sent. */
unsigned rig_flush(struct rig *r);

uint64_t rig_dropped(const struct rig *r, enum drop_reason reason);
uint64_t rig_dropped_in_all(const struct rig *r);

/* Fields of r->out. */
be32 rig_out_src(const struct rig *r);
be32 rig_out_dst(const struct rig *r);
uint16_t rig_out_sport(const struct rig *r);
uint16_t rig_out_dport(const struct rig *r);

#endif
