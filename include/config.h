/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the router was told to be: the resolved configuration, and the table of network modes.
 *
 * struct config is plain data without pointers. boot/options.h turns boot texts into it; everyone
 * else only reads it. While config.ok is false the texts contradict themselves and nothing may be
 * forwarded.
 *
 * When ok is true, these hold and need no second check:
 *   - every port number is below port_count, and a port is the uplink or in at most one network,
 * not both;
 *   - a network with an address has a prefix of 1..30, its address is a host address of that
 * subnet, no two networks overlap, and none overlaps a static uplink;
 *   - pool_first..pool_last lies inside the subnet, without its first, last and router address;
 *   - a reservation with an address lies inside network host.net, and no two share a MAC, address
 * or name;
 *   - a forward leads to a host address of network fwd.net, whose mode reaches the uplink, and no
 * two forwards can want the same packet.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base.h"
#include "log.h"

#define CONFIG_MAX_PORTS    16
#define CONFIG_MAX_NETS     16
#define CONFIG_MAX_HOSTS    256
#define CONFIG_MAX_FWDS     256
#define CONFIG_MAX_DNS      3
#define CONFIG_NAME_BYTES   32         /* of networks, with the final NUL */
#define CONFIG_DOMAIN_BYTES 64         /* of hosts and domains, with the final NUL */
#define CONFIG_FOREVER      UINT32_MAX /* a lease of "inf" */
#define CONFIG_NO_NET       0xFF       /* no network */

enum net_mode { NET_NAT, NET_HOSTONLY, NET_MODE_COUNT };

/* One row a mode: what a network of that mode does. Code asks for a property, never for a mode. */
struct net_mode_info {
    const char *name;      /* as in net=NAME,MODE */
    bool translates;       /* its hosts appear outside with the uplink's address */
    bool routes_to_uplink; /* its hosts may open flows to the uplink, and forwards lead to them */
    bool has_address;      /* the router has an address in it and routes for it */
    bool dhcp;             /* the router serves DHCP in it unless pool=off */
    const char *help;
};

extern const struct net_mode_info net_modes[NET_MODE_COUNT]; /* net/modes.c */

struct config_uplink {
    bool present; /* the rest has meaning only if so */
    bool dhcp;    /* address, gateway and servers come by DHCP; ip, prefix, gw and dns are then 0 */
    uint8_t port;
    uint8_t prefix;
    uint8_t dns_count;
    be32 ip;
    be32 gw;
    be32 dns[CONFIG_MAX_DNS];
    uint16_t mtu;                       /* 0: the port's own */
    char hostname[CONFIG_DOMAIN_BYTES]; /* told to the outside's DHCP server */
};

struct config_net {
    char name[CONFIG_NAME_BYTES];
    uint8_t mode;   /* enum net_mode */
    uint8_t prefix; /* length, of ip */
    bool dns_self;  /* hosts are told to ask the router */
    uint8_t dns_count;
    uint32_t ports;  /* bit p: port p belongs to it */
    be32 ip;         /* the router's address; 0 if the mode has none */
    be32 pool_first; /* DHCP pool, both ends included; 0: no DHCP in this network */
    be32 pool_last;
    uint32_t lease_s; /* CONFIG_FOREVER: inf */
    be32 dns[CONFIG_MAX_DNS];
    uint16_t mtu; /* 0: the port's own */
    char domain[CONFIG_DOMAIN_BYTES];
};

struct config_host {
    uint8_t mac[MAC_BYTES];
    bool deny;        /* this host gets no lease */
    uint8_t net;      /* index of the network its address is in; CONFIG_NO_NET without an address */
    be32 ip;          /* 0: only a name */
    uint32_t lease_s; /* 0: the network's */
    char name[CONFIG_DOMAIN_BYTES]; /* "": none */
};

enum config_protocol { CONFIG_TCP = 1 << 0, CONFIG_UDP = 1 << 1 };

struct config_fwd {
    uint8_t protocols;   /* enum config_protocol, one or both */
    uint8_t net;         /* index of the network the target is in */
    uint8_t from_prefix; /* 0: from anywhere */
    be32 from;           /* outside addresses it is open to */
    be32 bind;           /* 0: every address of the uplink */
    be32 target;
    be16 port;
    be16 target_port;
};

struct config {
    bool ok;           /* false: forward nothing */
    bool panic_halt;   /* halt instead of reset */
    bool seed_given;   /* tests only */
    uint8_t log_level; /* enum log_level */
    uint8_t port_count;
    uint8_t net_count;
    uint16_t host_count;
    uint16_t fwd_count;
    uint32_t flows; /* flow table capacity; 0: from memory size */
    uint64_t seed;
    char hostname[CONFIG_DOMAIN_BYTES]; /* the router's own name */
    struct config_uplink uplink;
    struct config_net nets[CONFIG_MAX_NETS];
    struct config_host hosts[CONFIG_MAX_HOSTS];
    struct config_fwd fwds[CONFIG_MAX_FWDS];
};

/* Ends of a way through the router, for reach_allowed(): a network's index, or */
#define REACH_UPLINK 0xFE

/* True if a host at from may open a flow to a host at to. The one place that decides it: what is
 * not said here is denied. Forwards are exceptions from outside to single hosts and are not in it.
 * net/modes.c */
bool reach_allowed(const struct config *cfg, unsigned from, unsigned to);

static inline const struct net_mode_info *config_mode(const struct config_net *net)
{
    return &net_modes[net->mode];
}

/* True if address is in the network's subnet (its first and last address included). */
static inline bool config_net_has(const struct config_net *net, be32 address)
{
    return net->ip && !((net->ip ^ address) & prefix_mask(net->prefix));
}

/* Index of the network a port belongs to, or CONFIG_NO_NET. */
static inline unsigned config_net_of_port(const struct config *cfg, unsigned port)
{
    for (unsigned i = 0; i < cfg->net_count; i++)
        if (cfg->nets[i].ports >> port & 1)
            return i;
    return CONFIG_NO_NET;
}

#endif
