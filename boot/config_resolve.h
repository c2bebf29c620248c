/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the parts of resolving share: config_resolve.c (settings, uplink, ports), config_nets.c
 * (networks) and config_hosts.c (reservations and forwards).
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
    uint32_t broken;                 /* as in the draft, without what config=lenient forgives */
    uint8_t owner[CONFIG_MAX_PORTS]; /* index of a network, or OWNER_ */
};

/* An error about item, whose option is key. */
void resolve_conflict(struct resolver *r, const struct draft_item *item, const char *key,
                      const char *format, ...) PRINTF_LIKE(4, 5);
void resolve_note(struct resolver *r, const char *format, ...) PRINTF_LIKE(2, 3);

/* Index of a port, or -1 with an error. */
int resolve_port(struct resolver *r, const struct draft_port *port, const struct draft_item *item,
                 const char *key);

void resolve_nets(struct resolver *r);
void resolve_hosts(struct resolver *r);
void resolve_fwds(struct resolver *r);

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

/* The item of network i: the draft's networks keep their index; the default one has none. */
static inline const struct draft_item *net_item(const struct resolver *r, unsigned i)
{
    static const struct draft_item none;
    return i < r->draft->net_count ? &r->draft->nets[i].item : &none;
}

#endif
