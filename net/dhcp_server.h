/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DHCP server of the networks: RFC 2131 and 2132, client identifiers by RFC 4361, echoed by RFC
 * 6842, relay agent options by RFC 3046. A function of (state, request, time): it sends nothing
 * itself.
 *
 * The router is the authority of its networks: a client that asks for an address it cannot have is
 * told so (NAK), and a client this server does not know - it may have been restarted, and remembers
 * only what is on a disk (dhcp_store.h) - keeps an address that is free: at once if it uses it
 * (RENEWING, REBINDING), after a question by ARP if it is starting (INIT-REBOOT).
 *
 * An address that is not known to be free is asked for by ARP before it is offered; the offer comes
 * a tenth of a second later then, from dhcp_server_poll(), and nobody else waits. Known to be
 * free is what is reserved for the client, what it has or had last, and what ARP has lately shown
 * free. This is no less needed when the router has just started: then it knows of nobody who has
 * had an address of it before.
 *
 * Two machines with one client identifier (a disk that was copied, with all that is on it) are told
 * apart by their hardware addresses, once it is seen that there are two: from then on the second is
 * known by both. One machine that comes with another card (RFC 4361) is the same client, if the old
 * one is silent. A request from another hardware address than the lease's is refused while the old
 * one is known to be active; then the client begins anew, and ARP decides.
 *
 * Who holds an address is told to who locks ports by it (lock=ip): an address is bound from the ACK
 * to the end of the lease, its RELEASE or DECLINE, or until its client gets another. Reservations
 * are not told: they are bound for good.
 */
#ifndef NET_DHCP_SERVER_H
#define NET_DHCP_SERVER_H

#include "base.h"
#include "config.h"
#include "net/dhcp_lease.h"
#include "net/wire/dhcp.h"

#define DHCP_REPLY_MAX_BYTES 1472

/* An offer waits this long for ARP: a host on the segment answers in a few ms, and a router that is
 * to give the first lease within 0.4 s of its start has no more to spare. */
#define DHCP_PROBE_US       100000
#define DHCP_PROBE_REQUESTS 2 /* in that time */
#define DHCP_PROBE_TRIES    3 /* addresses; the next is offered as it is */
/* Offers that wait at a time: as many as there are addresses, within these bounds. */
#define DHCP_PENDING_MIN    64
#define DHCP_PENDING_MAX    1024
#define DHCP_PENDING_BYTES  600 /* of requests that are kept so long; others do not wait */

#define DHCP_TOLD_PER_S 16 /* new leases that are told of one by one; a console is slow */

struct dhcp_reply {
    uint8_t network;
    be32 to;                /* 255.255.255.255 for all */
    be16 port;              /* 68, or a relay's 67 */
    uint8_t mac[MAC_BYTES]; /* where the frame goes: no ARP is needed, nor could it work (RFC 2131,
                               section 4.1) */
    size_t n;
    uint8_t bytes[DHCP_REPLY_MAX_BYTES];
};

/* Where a request came from: the network, the port it came in by (it decides whose share of the
 * pool is asked for; see dhcp_lease.h) and the MAC of the frame. */
struct dhcp_from {
    uint8_t network;
    uint8_t port;
    uint8_t mac[MAC_BYTES];
};

struct dhcp_counters {
    uint64_t requests, malformed, denied;
    uint64_t left_out;      /* options of dhcpopt= that a message had no room for */
    uint64_t probes;        /* ARP requests */
    uint64_t unprobed;      /* offers that could not wait for ARP */
    uint64_t in_use;        /* addresses that ARP found in use */
    uint64_t declined;      /* and clients did */
    uint64_t clones;        /* clients of one identifier that turned out to be two */
    uint64_t exhausted;     /* not answered: no address was left */
    uint64_t over_share;    /* not answered: its port had its share */
    uint64_t names_refused; /* clients that called themselves as somebody else is called */
    uint64_t sent[DHCP_TYPE_INFORM + 1]; /* by type */
};

/* What the server needs of its surroundings. */
struct dhcp_ops {
    /* From now until until_us (UINT64_MAX: for ever), ip on the network is mac's and nobody else's.
     * Replaces what was said of ip before. */
    void (*bind)(void *ctx, unsigned network, be32 ip, const uint8_t *mac, uint64_t until_us);
    void (*unbind)(void *ctx, unsigned network, be32 ip);
    /* The largest IP packet that every port of the network can send. */
    uint16_t (*mtu)(void *ctx, unsigned network);
    /* Asks by ARP who has ip; dhcp_server_seen() is told of answers. */
    void (*probe)(void *ctx, unsigned network, be32 ip);
    /* True if hosts of the two networks have something to say to each other. */
    bool (*talks)(void *ctx, unsigned network, unsigned other);
};

/* A discover whose offer waits for ARP. */
struct dhcp_pending {
    struct dhcp_wait {
        uint64_t due_us;
        struct lease_id who;
        struct dhcp_from from;
        be32 ip;       /* the address that is asked for */
        uint16_t n;    /* bytes of the message */
        uint8_t asked; /* ARP requests */
        uint8_t tries; /* addresses */
        bool holder;   /* ip is another client's: does it answer? */
        bool answered;
    } w;
    uint16_t later, sooner;        /* in the order of due_us; later, too, of those that are free */
    uint16_t next_client, next_ip; /* in the chains of who and ip */
    uint8_t bytes[DHCP_PENDING_BYTES];
};

/* All of them. 0xFFFF is none, of its numbers. */
struct dhcp_pending_table {
    struct dhcp_pending *entries;
    uint16_t *by_client, *by_ip; /* the beginnings of chains, mask + 1 of each */
    uint16_t mask;
    uint16_t size, count;
    uint16_t free, soonest, latest;
};

struct dhcp_server {
    const struct config *config; /* the caller's, constant */
    const struct dhcp_ops *ops;
    void *ctx;
    struct dhcp_counters counters;
    uint16_t host_index[2 * CONFIG_MAX_HOSTS];  /* reservations by hardware address;
                                                   CONFIG_MAX_HOSTS: empty */
    struct lease_table leases[CONFIG_MAX_NETS]; /* slots NULL: no DHCP in that network */
    uint32_t next_complaint_s[CONFIG_MAX_NETS]; /* about a used-up pool or share */
    uint32_t next_name_told_s[CONFIG_MAX_NETS]; /* that a client called itself as somebody else */
    uint32_t next_in_use_s[CONFIG_MAX_NETS];    /* about an address in use */
    uint32_t told_s;                            /* the second in which so many leases were told */
    uint32_t told;
    struct dhcp_message message;
    struct dhcp_pending_table pending;
};

/* Memory for the leases of every network with a pool, from alloc_dirty what need not be zeroed.
 * random: 24 bytes. -ENOMEM or 0. */
int dhcp_server_init(struct dhcp_server *s, const struct config *config, const struct dhcp_ops *ops,
                     void *ctx, const uint8_t *random, alloc_fn alloc, alloc_fn alloc_dirty);

/* What dhcp_server_init() takes, and the leases of one network, if it has any. */
uint64_t dhcp_server_bytes(const struct config *config);
uint64_t dhcp_network_bytes(const struct config *config, unsigned network);

static inline bool dhcp_server_serves(const struct dhcp_server *s, unsigned network)
{
    return s->leases[network].slots != NULL;
}

/* A UDP payload that came to port 67 on a network that is served. True: reply is to be sent, from
 * the router's address, port 67. */
bool dhcp_server_handle(struct dhcp_server *s, const struct dhcp_from *from, const uint8_t *bytes,
                        size_t n, uint64_t now_us, struct dhcp_reply *reply);

/* Answers what has waited for long enough: true, as often as there is a reply to be sent. And when
 * it wants to be called again; UINT64_MAX: never. */
bool dhcp_server_poll(struct dhcp_server *s, uint64_t now_us, struct dhcp_reply *reply);
uint64_t dhcp_server_next_us(const struct dhcp_server *s);

/* ARP has shown ip in use by mac: it is not given to others as long as there is another address. */
void dhcp_server_seen(struct dhcp_server *s, unsigned network, be32 ip, const uint8_t *mac,
                      uint64_t now_us);

/* The address a client of the network with this name has, or is reserved for it; 0 if there is
 * none. Letters compare without case. */
be32 dhcp_server_find_name(const struct dhcp_server *s, unsigned network, const char *name,
                           size_t n, uint64_t now_us);

/* What the client that has this address now calls itself: until the next request; "" if it has no
 * name, NULL if nobody has the address. */
const char *dhcp_server_name_of(const struct dhcp_server *s, unsigned network, be32 ip,
                                uint64_t now_us);

/* Lines for people. */
void dhcp_server_print(const struct dhcp_server *s, uint64_t now_us,
                       void (*line)(const char *text));

#endif
