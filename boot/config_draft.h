/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The draft: what the texts said, value by value, before defaults, port numbers and cross-checks.
 * The option table (config_table.c) says which field of which token goes where in it.
 *
 * Every record begins with a struct draft_item. Which fields were given is a bit mask there, bit f
 * for row f of the record's field table; a field that was not given is zero.
 */
#ifndef CONFIG_DRAFT_H
#define CONFIG_DRAFT_H

#include "config.h"

#define CONFIG_MAX_TEXTS 8
#define DRAFT_MAX_MMIO   32
#define DRAFT_MAX_TRUNK  (CONFIG_MAX_NETS + 1) /* VLANs of a trunk: each network's, the uplink's */

struct draft_item {
    uint8_t text; /* which text it came from, from 1; 0: never given */
    uint32_t line;
    uint32_t column;
    uint32_t given; /* bit f: field f was given */
};

/* A port as it was written. */
enum draft_port_kind { PORT_BY_NUMBER, PORT_BY_MAC, PORT_BY_NAME };

struct draft_port_ref {
    uint8_t kind; /* enum draft_port_kind; what the others of it hold is 0 */
    uint8_t number;
    uint8_t mac[MAC_BYTES];
    char name[CONFIG_NAME_BYTES];
};

struct draft_port_refs {
    uint8_t count;
    struct draft_port_ref port[CONFIG_MAX_PORTS];
};

struct draft_trunk {
    bool all;
    uint8_t count;
    uint16_t id[DRAFT_MAX_TRUNK];
};

struct draft_lock {
    uint8_t kind; /* enum config_lock */
    uint8_t mac[MAC_BYTES];
};

struct draft_rate {
    uint64_t in_bps, out_bps; /* 0: off */
};

struct draft_subnet {
    be32 ip;
    uint8_t prefix;
};

struct draft_servers {
    bool self;
    uint8_t count;
    be32 ip[CONFIG_MAX_DNS];
};

struct draft_pool {
    bool off;
    be32 first, last;
};

/* The fields of each record, in the order of its table. */
enum uplink_field {
    FIELD_UPLINK_PORT,
    FIELD_UPLINK_DHCP,
    FIELD_UPLINK_IP,
    FIELD_UPLINK_GW,
    FIELD_UPLINK_DNS,
    FIELD_UPLINK_MTU,
    FIELD_UPLINK_NAME,
    FIELD_UPLINK_VLAN,
    FIELD_UPLINK_MAC,
};
enum net_field {
    FIELD_NET_NAME,
    FIELD_NET_MODE,
    FIELD_NET_PORTS,
    FIELD_NET_IP,
    FIELD_NET_POOL,
    FIELD_NET_LEASE,
    FIELD_NET_DOMAIN,
    FIELD_NET_DNS,
    FIELD_NET_MTU,
    FIELD_NET_VLAN,
    FIELD_NET_ISOLATE,
    FIELD_NET_PCP,
    FIELD_NET_FILTER,
    FIELD_NET_FLOWS,
    FIELD_NET_HOST_FLOWS,
};
enum port_field {
    FIELD_PORT_PORT,
    FIELD_PORT_NAME,
    FIELD_PORT_VLAN,
    FIELD_PORT_TRUNK,
    FIELD_PORT_NATIVE,
    FIELD_PORT_LOCK,
    FIELD_PORT_PROMISC,
    FIELD_PORT_RATE,
    FIELD_PORT_STORM,
};
enum host_field {
    FIELD_HOST_MAC,
    FIELD_HOST_IP,
    FIELD_HOST_NAME,
    FIELD_HOST_LEASE,
    FIELD_HOST_DENY,
    FIELD_HOST_NET,
};
enum fwd_field { FIELD_FWD_FORWARD, FIELD_FWD_FROM };

static inline bool draft_given(const struct draft_item *item, unsigned field)
{
    return item->given >> field & 1;
}

struct draft_uplink {
    struct draft_item item;
    struct draft_port_ref port;
    bool dhcp;
    struct draft_subnet ip;
    be32 gw;
    struct draft_servers dns;
    uint16_t mtu;
    char name[CONFIG_DOMAIN_BYTES];
    uint16_t vlan;
    uint8_t mac[MAC_BYTES];
};

struct draft_net {
    struct draft_item item;
    char name[CONFIG_NAME_BYTES];
    uint8_t mode;
    struct draft_port_refs ports;
    struct draft_subnet ip;
    struct draft_pool pool;
    uint32_t lease_s;
    char domain[CONFIG_DOMAIN_BYTES];
    struct draft_servers dns;
    uint16_t mtu;
    uint16_t vlan;
    bool isolate;
    bool pcp;
    uint8_t filter; /* enum config_filter */
    uint32_t flows, host_flows;
};

/* port= */
struct draft_port {
    struct draft_item item;
    struct draft_port_ref port; /* never by name */
    char name[CONFIG_NAME_BYTES];
    uint16_t vlan;
    struct draft_trunk trunk;
    uint16_t native;
    struct draft_lock lock;
    bool promisc;
    struct draft_rate rate;
    uint32_t storm_pps; /* 0: off */
};

struct draft_host {
    struct draft_item item;
    uint8_t mac[MAC_BYTES];
    be32 ip;
    char name[CONFIG_DOMAIN_BYTES];
    uint32_t lease_s;
    bool deny;
    char net[CONFIG_NAME_BYTES];
};

enum draft_target_kind { TARGET_ADDRESS, TARGET_NAME, TARGET_FIRST_LEASE };

struct draft_target {
    uint8_t kind; /* enum draft_target_kind */
    be32 ip;
    char name[CONFIG_DOMAIN_BYTES];
};

struct draft_forward {
    uint8_t protocols; /* enum config_protocol */
    uint8_t target_count;
    be32 bind;
    uint16_t first_port, last_port, target_port; /* host order, as in struct config_fwd */
    struct draft_target targets[CONFIG_MAX_TARGETS];
};

struct draft_fwd {
    struct draft_item item;
    struct draft_forward forward;
    struct draft_subnet from;
};

/* dmz= */
struct draft_dmz {
    struct draft_item item;
    struct draft_target target;
};

/* dnsrec= and dnsfwd=: a name or domain, and an address; dnsprivate=: a domain. */
struct draft_named {
    char name[CONFIG_DOMAIN_BYTES];
    be32 ip;
};

struct draft_dns {
    struct draft_item item;
    struct draft_named value;
};

/* dhcpopt= */
struct draft_dhcpopt_value {
    char net[CONFIG_NAME_BYTES];
    uint8_t code;
    bool next_server; /* no option, but the field siaddr */
    uint16_t n;
    uint16_t router_at; /* where the router's own address belongs; 0: nowhere */
    uint8_t bytes[CONFIG_DHCPOPT_BYTES];
};

struct draft_dhcpopt {
    struct draft_item item;
    struct draft_dhcpopt_value value;
};

/* Whom a rule is about, as it was written. */
struct draft_where {
    uint8_t kind; /* enum config_where_kind; WHERE_NET: name is that of a network or a host */
    uint8_t prefix;
    be32 ip;
    char name[CONFIG_DOMAIN_BYTES];
};

struct draft_services {
    uint16_t first, last; /* host order; 0: not given */
};

struct draft_rule {
    struct draft_item item;
    uint8_t action; /* enum config_action */
    uint8_t proto;
    bool log;
    struct draft_services services;
    struct draft_where from, to;
};

struct draft_claim {
    bool yes;
    char from[CONFIG_DOMAIN_BYTES], to[CONFIG_DOMAIN_BYTES];
};

struct draft_assert {
    struct draft_item item;
    struct draft_claim claim;
};

/* virtio_mmio.device= */
struct draft_mmio_place {
    uint64_t base;
    uint32_t bytes;
    uint32_t gsi;
};

struct draft_mmio {
    struct draft_item item;
    struct draft_mmio_place place;
};

struct draft_state {
    struct draft_item item;
    struct config_state value;
};

struct draft_number {
    struct draft_item item;
    uint64_t value;
};

struct draft_word {
    struct draft_item item;
    uint8_t value;
};

struct draft_name {
    struct draft_item item;
    char value[CONFIG_DOMAIN_BYTES];
};

struct config_draft {
    unsigned texts;
    const char *sources[CONFIG_MAX_TEXTS];
    /* Tokens that could not be read, by kind: what they would have said is unknown, so checks that
     * would only repeat their error are left out. */
    uint32_t broken; /* enum draft_broken */
    struct draft_word log, panic, config;
    struct draft_number seed, flows, macs, watchdog;
    struct draft_name hostname;
    struct draft_state state;
    struct draft_uplink uplink;
    unsigned port_count, net_count, host_count, fwd_count;
    struct draft_port ports[CONFIG_MAX_PORTS];
    struct draft_net nets[CONFIG_MAX_NETS];
    struct draft_host hosts[CONFIG_MAX_HOSTS];
    struct draft_fwd fwds[CONFIG_MAX_FWDS];
    struct draft_dmz dmz;
    unsigned dhcpopt_count;
    struct draft_dhcpopt dhcpopts[CONFIG_MAX_DHCPOPTS];
    unsigned dnsrec_count, dnsfwd_count, dnsprivate_count;
    struct draft_dns dnsrecs[CONFIG_MAX_DNSRECS];
    struct draft_dns dnsfwds[CONFIG_MAX_DNSFWDS];
    struct draft_dns dnsprivates[CONFIG_MAX_PRIVATES];
    unsigned rule_count, assert_count;
    struct draft_rule rules[CONFIG_MAX_RULES];
    struct draft_assert asserts[CONFIG_MAX_ASSERTS];
    /* Not part of what the router is to be: the drivers are told. */
    unsigned mmio_count;
    struct draft_mmio mmio[DRAFT_MAX_MMIO];
};

enum draft_broken {
    BROKEN_OTHER = 1 << 0,
    BROKEN_UPLINK = 1 << 1,
    BROKEN_NET = 1 << 2,
    BROKEN_HOST = 1 << 3,
    BROKEN_FWD = 1 << 4,
    BROKEN_PORT = 1 << 5,
    BROKEN_RULE = 1 << 6,
    BROKEN_ALL = (1 << 7) - 1,
    BROKEN_UNKNOWN = 1 << 7, /* an option that does not exist: may have been meant as any */
};

enum config_strictness { CONFIG_STRICT, CONFIG_LENIENT };

#endif
