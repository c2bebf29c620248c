/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the parts of resolving share: config_resolve.c (settings, uplink), config_ports.c (ports and
 * VLANs), config_nets.c (networks), config_hosts.c (reservations) and config_fwds.c (forwards).
 */
#ifndef CONFIG_RESOLVE_H
#define CONFIG_RESOLVE_H

#include "config_report.h"

#define OWNER_NONE   0xFF
#define OWNER_UPLINK 0xFE

struct resolver {
    const struct config_draft *draft;
    const struct port_info *ports;
    unsigned count;
    struct config *config;
    struct config_report *report;
    uint32_t broken; /* as in the draft, without what config=lenient forgives */
    const struct draft_port *settings[CONFIG_MAX_PORTS]; /* its port=, or NULL */
    int8_t port_of[CONFIG_MAX_PORTS];                    /* the port of each port=; -1: none */
    uint32_t carried; /* bit i: some port= carries the VLAN of network i */
};

/* An error about item, whose option is key. */
void resolve_conflict(struct resolver *r, const struct draft_item *item, const char *key,
                      const char *format, ...) PRINTF_LIKE(4, 5);
void resolve_note(struct resolver *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* Index of a port, or less than 0; resolve_port() says why. */
int resolve_find_port(const struct resolver *r, const struct draft_port_ref *port);
int resolve_port(struct resolver *r, const struct draft_port_ref *port,
                 const struct draft_item *item, const char *key);

/* Whose frames with this tag (0: without) on port are: index of a network, or OWNER_. */
unsigned resolve_owner(const struct resolver *r, unsigned port, unsigned tag);
bool resolve_port_used(const struct resolver *r, unsigned port); /* someone's, with some tag */
bool resolve_port_left(const struct resolver *r, unsigned port); /* nobody's, and without VLANs */

/* Puts port, untagged, into network net; false, and an error, if that contradicts something. */
bool resolve_claim(struct resolver *r, unsigned net, unsigned port);

/* In this order, resolve_uplink_vlan() from within resolving the uplink, resolve_vlans() from
 * within resolve_nets(), resolve_port_checks() when the hosts are known. */
void resolve_port_settings(struct resolver *r);
void resolve_uplink_vlan(struct resolver *r);
void resolve_vlans(struct resolver *r);
void resolve_port_checks(struct resolver *r);

void resolve_nets(struct resolver *r);
void resolve_overlaps(struct resolver *r); /* needs the rules */
void resolve_hosts(struct resolver *r);
void resolve_fwds(struct resolver *r); /* and the dmz */

/* True if the two subnets have an address in common. */
static inline bool subnets_overlap(be32 a, unsigned a_prefix, be32 b, unsigned b_prefix)
{
    return !((a ^ b) & prefix_mask(MIN(a_prefix, b_prefix)));
}

/* True if address is one a machine in the subnet can have: not its first or last. */
static inline bool is_host_in(be32 address, be32 subnet, unsigned prefix)
{
    be32 host = address & ~prefix_mask(prefix);
    return !((address ^ subnet) & prefix_mask(prefix)) && host != 0 && host != ~prefix_mask(prefix);
}

/* Index of the network that address is in. CONFIG_NO_NET, and an error that begins with what, if it
 * is in none or in several. */
unsigned resolve_net_of(struct resolver *r, const struct draft_item *item, const char *key,
                        const char *what, be32 address);

/* Says what is wrong with address as one of a machine on network n; what: "reservation 1.2.3.4". */
void resolve_check_address(struct resolver *r, const struct draft_item *item, const char *key,
                           const char *what, be32 address, unsigned n);

/* The item of network i: the draft's networks keep their index; the default one has none. */
static inline const struct draft_item *net_item(const struct resolver *r, unsigned i)
{
    static const struct draft_item none;
    return i < r->draft->net_count ? &r->draft->nets[i].item : &none;
}

#endif
