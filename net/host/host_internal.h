/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of net/host share. The way of a frame: host.c takes it, guard.c judges it, lwIP
 * gets a copy; what lwIP or a service sends leaves through output.c. uplink.c looks after the
 * uplink's address, services.c after the UDP services, dns_tcp.c and dns_tcp_fetch.c after DNS over
 * TCP, timers.c after lwIP's timers, hooks.c answers what lwIP asks.
 */
#ifndef NET_HOST_INTERNAL_H
#define NET_HOST_INTERNAL_H

#include "net/host/host.h"
#include "net/host/services.h"
#include "net/offload.h"
#include "net/wire/dhcp.h"

#include "lwip/netif.h"

#define HOST_IF_COUNT (NETWORK_UPLINK + 1)

#define HOST_TIMERS           5         /* of lwIP's */
#define HOST_ARP_BUSY_US      6000000u  /* an ARP request of lwIP's is repeated for this long */
#define HOST_FRAGMENT_BUSY_US 17000000u /* fragments wait for the rest for this long */

#define HOST_UNREACHABLE_PER_S 50 /* ICMP errors of lwIP's own */

struct host_if {
    struct netif netif; /* netif.state is the host_if */
    struct host *host;
    uint8_t network;
    bool used;
    uint64_t next_conflict_us; /* when a conflict on it may be told of again */
};

struct uplink {
    be32 ip, mask, gw; /* as last told to the dataplane */
    bool overlaps;     /* with one of our networks */
    unsigned dns_count;
    be32 dns[DNS_SERVERS_MAX];
    uint64_t bound_us; /* the last ACK */
    uint32_t lease_s;
    uint8_t dhcp_state;       /* of lwIP's client, when it was last looked at */
    uint64_t next_ignored_us; /* when a reply that is not believed may be told of again */
    /* What the DHCP reply that lwIP is being given says beyond what lwIP reads. */
    bool ack_seen;
    struct dhcp_message reply;
};

struct host_counters {
    uint64_t frames;         /* taken */
    uint64_t refused;        /* by the guard */
    uint64_t no_room;        /* lwIP had no buffer */
    uint64_t no_packet;      /* the pool had none for a frame of ours */
    uint64_t conflicts;      /* another station claims an address of ours */
    uint64_t errors_limited; /* ICMP errors not sent, because there were too many */
};

struct host {
    bool started;
    const struct config *config;
    struct dataplane *dp;
    struct pkt_pool *pool;
    struct host_env env;
    struct host_counters counters;
    uint64_t isn_key[2];
    uint64_t alarm_us; /* when host_poll() has something to do; 0: not known */
    uint64_t timers_done_us[HOST_TIMERS];
    uint64_t arp_until_us, fragments_until_us; /* lwIP waits for answers, for fragments */
    uint64_t errors_window_us;                 /* when counting ICMP errors began anew */
    unsigned errors_in_window;
    uint8_t source_mac[MAC_BYTES]; /* of the frame lwIP is working on, */
    uint8_t source_port;           /* and the port it came in by */
    struct uplink uplink;
    struct services services;
    struct host_if ifs[HOST_IF_COUNT];
    struct pkt *fragments[OFFLOAD_MAX_SEGMENTS];
};

/* ---- host.c ---- */

/* The one host, for lwIP's callbacks that are given nothing. */
struct host *host_instance(void);

static inline be32 host_if_ip(const struct host_if *i)
{
    return netif_ip4_addr(&i->netif)->addr;
}

static inline be32 host_if_mask(const struct host_if *i)
{
    return netif_ip4_netmask(&i->netif)->addr;
}

/* ---- timers.c ---- */

/* lwIP's timers count from now on. */
void timers_start(struct host *h, uint64_t now_us);

/* Brings lwIP up to date: to be called before anything else happens to it, too. Returns the number
 * of its timers' calls. And when they next do something (UINT64_MAX: never). */
unsigned timers_run(struct host *h, uint64_t now_us);
uint64_t timers_next_us(const struct host *h);

/* ---- guard.c ---- */

struct guard_result {
    bool pass;
    bool arp;
    bool arp_asks;    /* ARP: who has our address */
    bool arp_answers; /* ARP: us */
    bool fragment;
    bool dhcp_reply;      /* to our DHCP client */
    be32 arp_sender;      /* ARP: who speaks, 0 for a probe */
    const uint8_t *mac;   /* ARP: and its MAC, in the frame */
    uint16_t payload_off; /* UDP */
    uint16_t payload_bytes;
};

/* Judges a frame that came in on an interface. */
void guard_frame(struct host *h, struct host_if *i, const struct pkt *p, struct guard_result *r);

/* Another station uses our address: says so, and tells the others again whose it is. */
void guard_defend(struct host *h, struct host_if *i, const uint8_t *mac);

/* ---- output.c ---- */

/* netif->linkoutput. */
err_t output_link(struct netif *netif, struct pbuf *frame);

/* Answers a request for our address of the station mac, which has ip. */
void output_arp_reply(struct host *h, const struct host_if *i, const uint8_t *mac, be32 ip);

/* Sends a UDP datagram from the router's address on a LAN to a frame address that is known; no ARP.
 */
void output_udp(struct host *h, uint8_t network, be16 sport, const uint8_t *mac, be32 to,
                be16 dport, const uint8_t *bytes, size_t n);

/* ---- uplink.c ---- */

/* Adds the uplink's interface and starts its DHCP client. */
void uplink_start(struct host *h);

/* Looks into a DHCP reply before lwIP does. False: it is not to see it. */
bool uplink_check_reply(struct host *h, const uint8_t *bytes, size_t n);

/* To be called whenever lwIP may have changed the uplink's address. */
void uplink_watch(struct host *h);

/* True while the outside can be asked something: there is an address, and no confusion with a
 * network of ours. */
static inline bool uplink_usable(const struct host *h)
{
    return h->uplink.ip && !h->uplink.overlaps;
}

void uplink_link_up(struct host *h);
void uplink_print(const struct host *h, void (*line)(const char *text));

#endif
