/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the router was told to be: the resolved configuration, and the table of network modes.
 *
 * struct config is plain data without pointers. boot/options.h turns boot texts into it; everyone
 * else only reads it. While config.ok is false the texts contradict themselves and nothing may be
 * forwarded.
 *
 * When ok is true, these hold and need no second check:
 *   - every port number is below port_count; on a port, each VLAN ID and the untagged frames belong
 * to at most one network or to the uplink; there is at most one network of a mode that joins the
 * uplink, and only with an uplink;
 *   - a network with an address has a prefix of 1..30, its address is a host address of that
 * subnet; two networks overlap only if neither can reach the other (rules included), and none that
 * routes to the uplink overlaps a static uplink;
 *   - pool_first..pool_last lies inside the subnet, without its first, last and router address;
 *   - a reservation with an address lies inside network host.net, and no two share a MAC, a name
 * or, in one network, an address;
 *   - a forward leads to host addresses of network fwd.net, whose mode translates or routes to the
 * uplink, and no two forwards can want the same packet;
 *   - every rule could match something, and no rule allows what a mode forbids (net/rules.h);
 *   - every assertion holds.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base.h"
#include "log.h"

#define CONFIG_MAX_PORTS     16
#define CONFIG_MAX_NETS      16
#define CONFIG_MAX_HOSTS     256
#define CONFIG_MAX_FWDS      256
#define CONFIG_MAX_TARGETS   8 /* hosts that one forward takes in turn */
#define CONFIG_MAX_RULES     256
#define CONFIG_MAX_ASSERTS   64
#define CONFIG_MAX_DNSRECS   256
#define CONFIG_MAX_DNSFWDS   32
#define CONFIG_MAX_PRIVATES  32 /* of dnsprivate= */
#define CONFIG_MAX_DNS       3
#define CONFIG_MAX_DHCPOPTS  64
#define CONFIG_DHCPOPT_BYTES 300        /* of one option's value */
#define CONFIG_NAME_BYTES    32         /* of networks, with the final NUL */
#define CONFIG_DOMAIN_BYTES  64         /* of hosts and domains, with the final NUL */
#define CONFIG_SERIAL_BYTES  21         /* of disks, with the final NUL */
#define CONFIG_FOREVER       UINT32_MAX /* a lease of "inf" */
#define CONFIG_NO_NET        0xFF       /* no network */

enum net_mode { NET_NAT, NET_ROUTED, NET_HOSTONLY, NET_INTERNAL, NET_BRIDGE, NET_MODE_COUNT };

/* One row a mode: what a network of that mode does. Code asks for a property, never for a mode. */
struct net_mode_info {
    const char *name;      /* as in net=NAME,MODE */
    bool translates;       /* its hosts appear outside with the uplink's address */
    bool routes_to_uplink; /* its hosts may open flows to the uplink, and forwards lead to them */
    bool has_address;      /* the router has an address in it and routes for it */
    bool dhcp;             /* the router serves DHCP in it unless pool=off */
    bool transparent;      /* tagged frames pass as they are: a bare switch */
    bool joins_uplink;     /* its ports are on the uplink's own segment */
    const char *help;
};

extern const struct net_mode_info net_modes[NET_MODE_COUNT]; /* net/modes.c */

struct config_uplink {
    bool present; /* the rest has meaning only if so */
    bool dhcp;    /* address, gateway and servers come by DHCP; ip, prefix, gw and dns are then 0 */
    uint8_t port;
    uint8_t prefix;
    bool silent; /* the router has no address there: the port only belongs to a bridge network */
    uint8_t dns_count;
    be32 ip;
    be32 gw;
    be32 dns[CONFIG_MAX_DNS];
    uint16_t mtu;  /* 0: the port's own */
    uint16_t vlan; /* its frames on the port carry this VLAN ID; 0: none */
    bool mac_given;
    uint8_t mac[MAC_BYTES];             /* the router's there, if given; else the port's */
    char hostname[CONFIG_DOMAIN_BYTES]; /* told to the outside's DHCP server */
};

/* Who may come in by a port outside that a host's own packets have opened (RFC 4787, section 5). */
enum config_filter {
    FILTER_ENDPOINT_INDEPENDENT, /* anybody */
    FILTER_ADDRESS_DEPENDENT,    /* the addresses that it has sent something to by it */
};

struct config_net {
    char name[CONFIG_NAME_BYTES];
    uint8_t mode;   /* enum net_mode */
    uint8_t prefix; /* length, of ip */
    bool dns_self;  /* hosts are told to ask the router */
    bool isolate;   /* its ports reach the router (and a bridge's uplink), but not each other */
    uint8_t filter; /* enum config_filter; only where it translates */
    bool pcp;       /* its hosts may ask the router for outside ports; only where it translates */
    uint8_t dns_count;
    uint16_t vlan;                  /* vlan=: its VLAN ID, by which port= attaches ports; 0: none */
    uint32_t ports;                 /* bit p: port p belongs to it */
    uint16_t tag[CONFIG_MAX_PORTS]; /* its frames on port p carry this VLAN ID; 0: none */
    be32 ip;                        /* the router's address; 0 if the mode has none */
    be32 pool_first;                /* DHCP pool, both ends included; 0: no DHCP in this network */
    be32 pool_last;
    be32 next_server; /* of which machines boot; 0: none */
    uint32_t lease_s; /* CONFIG_FOREVER: inf */
    be32 dns[CONFIG_MAX_DNS];
    uint16_t mtu;        /* 0: the port's own */
    uint32_t flows;      /* that its hosts may have at a time, 0: what their share allows; */
    uint32_t host_flows; /* and each of them */
    char domain[CONFIG_DOMAIN_BYTES];
};

enum config_lock {
    LOCK_OFF,
    LOCK_MAC,   /* one given source MAC */
    LOCK_FIRST, /* the first source MAC seen since the link came up */
    LOCK_IP, /* ARP and IPv4 from the addresses that DHCP has given there, or reserves; no more */
};

#define CONFIG_STORM_PPS 10000 /* default of config_port.storm_pps */

struct config_port {
    char name[CONFIG_NAME_BYTES]; /* "": none */
    uint8_t lock;                 /* enum config_lock */
    uint8_t lock_mac[MAC_BYTES];
    bool promisc;         /* gets a copy of every frame of its networks */
    uint32_t storm_pps;   /* flooded frames a second that may come in by it; 0: any number */
    uint64_t rate_in_bps; /* from and to its hosts, bits a second; 0: any */
    uint64_t rate_out_bps;
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
    uint8_t protocols;    /* enum config_protocol, one or both */
    uint8_t net;          /* index of the network the targets are in */
    uint8_t from_prefix;  /* 0: from anywhere */
    uint8_t target_count; /* 1 or more: flows take turns */
    be32 from;            /* outside addresses it is open to */
    be32 bind;            /* 0: every address of the uplink */
    be32 targets[CONFIG_MAX_TARGETS];
    /* Ports, in host order: first_port..last_port outside lead to as many from target_port on. */
    uint16_t first_port, last_port, target_port;
};

/* Whom a rule is about. */
enum config_where_kind {
    WHERE_ANY,
    WHERE_NET,    /* net: hosts of that network */
    WHERE_UPLINK, /* anything outside */
    WHERE_ROUTER, /* the router itself */
    WHERE_CIDR,   /* ip, prefix: these addresses, wherever they are */
    WHERE_HOST,   /* net, ip, mac: the machine of a host= */
};

struct config_where {
    uint8_t kind; /* enum config_where_kind */
    uint8_t net;
    uint8_t prefix;
    uint8_t mac[MAC_BYTES];
    be32 ip;
};

enum config_action {
    RULE_ALLOW,
    RULE_DENY,   /* dropped without a word */
    RULE_REJECT, /* dropped, and the sender is told: TCP reset, else ICMP prohibited */
};

struct config_rule {
    uint8_t action; /* enum config_action */
    uint8_t proto;  /* IP protocol; 0: any */
    bool log;
    bool ports_given;               /* then TCP and UDP only, to these ports */
    uint16_t first_port, last_port; /* host order */
    struct config_where from, to;
    uint16_t column, line; /* where it stands in its text; line 0: the text has one line */
};

/* "Hosts at from can (yes) or cannot open anything to where", checked at start. */
struct config_assert {
    bool yes;
    uint8_t from, to; /* network index, REACH_UPLINK or REACH_ROUTER */
};

/* dnsrec=NAME:A */
struct config_dnsrec {
    char name[CONFIG_DOMAIN_BYTES];
    be32 ip;
};

/* dnsfwd=DOMAIN:A: names of this domain and below are asked there. */
struct config_dnsfwd {
    char domain[CONFIG_DOMAIN_BYTES];
    be32 server;
    uint8_t net; /* index of the network the server is in; CONFIG_NO_NET: outside */
};

/* dhcpopt=NET:CODE:VALUE */
struct config_dhcpopt {
    uint8_t net;  /* index; it has a pool */
    uint8_t code; /* none of those that the server decides itself */
    uint16_t n;
    uint8_t bytes[CONFIG_DHCPOPT_BYTES]; /* as they are sent */
};

/* Which disk keeps the leases. */
enum config_state_kind { STATE_OFF, STATE_AUTO, STATE_BY_NUMBER, STATE_BY_SERIAL };

struct config_state {
    uint8_t kind; /* enum config_state_kind */
    uint8_t number;
    char serial[CONFIG_SERIAL_BYTES];
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
    uint16_t rule_count;
    uint16_t assert_count;
    uint16_t dnsrec_count;
    uint16_t dnsfwd_count;
    uint16_t dhcpopt_count;
    uint16_t dnsprivate_count;
    uint32_t flows;      /* flow table capacity; 0: from memory size */
    uint32_t watchdog_s; /* 0: off */
    uint32_t macs;       /* switch table capacity; 0: 65,536, fewer on small machines */
    be32 dmz;            /* where what is not otherwise forwarded goes; 0: nowhere */
    uint8_t dmz_net;
    uint64_t seed;
    char hostname[CONFIG_DOMAIN_BYTES]; /* the router's own name */
    struct config_state state;
    struct config_uplink uplink;
    struct config_port ports[CONFIG_MAX_PORTS];
    struct config_net nets[CONFIG_MAX_NETS];
    struct config_host hosts[CONFIG_MAX_HOSTS];
    struct config_fwd fwds[CONFIG_MAX_FWDS];
    struct config_rule rules[CONFIG_MAX_RULES];
    struct config_assert asserts[CONFIG_MAX_ASSERTS];
    struct config_dnsrec dnsrecs[CONFIG_MAX_DNSRECS];
    struct config_dnsfwd dnsfwds[CONFIG_MAX_DNSFWDS];
    struct config_dhcpopt dhcpopts[CONFIG_MAX_DHCPOPTS];
    /* dnsprivate=: domains whose names may lead to addresses inside; "": all. */
    char dnsprivates[CONFIG_MAX_PRIVATES][CONFIG_DOMAIN_BYTES];
};

/* Ends of a way through the router: a network's index, or */
#define REACH_UPLINK 0xFE
#define REACH_ROUTER 0xFD

static inline const struct net_mode_info *config_mode(const struct config_net *net)
{
    return &net_modes[net->mode];
}

/* True if address is in the network's subnet (its first and last address included). */
static inline bool config_net_has(const struct config_net *net, be32 address)
{
    return net->ip && !((net->ip ^ address) & prefix_mask(net->prefix));
}

static inline bool config_net_filters(const struct config_net *net)
{
    return net->filter != FILTER_ENDPOINT_INDEPENDENT;
}

/* Index of the first network that has the port, tagged or not, or CONFIG_NO_NET. */
static inline unsigned config_net_of_port(const struct config *cfg, unsigned port)
{
    for (unsigned i = 0; i < cfg->net_count; i++)
        if (cfg->nets[i].ports >> port & 1)
            return i;
    return CONFIG_NO_NET;
}

#endif
