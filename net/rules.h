/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who may open a conversation with whom: rules, the defaults of the modes, and what no rule can
 * change. The one place that decides it. Pure functions of the configuration: asked once a flow,
 * never once a packet.
 *
 * Zones are where packets come from and go to: a network's index, NETWORK_UPLINK (flow_table.h;
 * hosts of a bridge network are there too), or ZONE_ROUTER, the router itself.
 *
 * Order of the decision:
 *   1. What the modes forbid is denied, whatever a rule says: a host-only or internal network and
 *      the uplink, either way; anything routed from or to an internal network; from the uplink to a
 *      translated network but through a forward; between the hosts of an isolated network; from the
 *      uplink back to it, but across a bridge. So is an address that is not where it claims to be:
 *      outside its network's subnet, or of one of our subnets and yet at the uplink.
 *   2. The first rule that matches. A rule without from= (to=) matches any source (destination).
 *      Between two hosts of one network only rules match that name both ends by host or CIDR, a
 *      CIDR that has an address in common with the network's subnet if it has one (on a bridge: one
 *      that is not in a subnet of ours).
 *   3. The default: within a network yes; to the uplink if the mode routes there; to the router
 *      from anywhere it has an address; forwards yes; all else no.
 *
 * Not asked, because nobody opens anything by them: ARP, DHCP, replies (to the router's own
 * questions as well), and ICMP errors. A host's way to a forward through the outside address is two
 * conversations: out to the uplink, and in from it, forwarded. The configuration is one that is ok,
 * or one that is being checked.
 */
#ifndef NET_RULES_H
#define NET_RULES_H

#include "base.h"
#include "config.h"

#define ZONE_ROUTER 17

/* The first packet of a conversation, as the inside sees it: a forwarded one with the target's
 * address and port. */
struct rule_packet {
    uint8_t from, to; /* zones */
    uint8_t proto;    /* IP protocol */
    bool forwarded;   /* from the uplink through a fwd= or dmz= */
    be32 src, dst;
    be16 dport; /* TCP, UDP */
};

struct rule_decision {
    uint8_t action; /* enum config_action */
    bool log;       /* the rule wants it said */
    int16_t rule;   /* which rule decided; -1: the modes or the default */
};

struct rule_decision rules_decide(const struct config *cfg, const struct rule_packet *k);

/* True if some rule names two ends of this network (index, or NETWORK_UPLINK for the segment of a
 * bridge): its switch then asks rules_decide() with from == to about IPv4, and rules_decide_macs()
 * about the rest. */
bool rules_inside(const struct config *cfg, unsigned net);

/* For frames that are neither IPv4 nor ARP between two stations of one network: a rule without
 * proto= and port= whose two ends are host= machines with these MACs. */
struct rule_decision rules_decide_macs(const struct config *cfg, unsigned net, const uint8_t *src,
                                       const uint8_t *dst);

/* ---- what a rule is about, for checks ---- */

/* True if the modes forbid everything between these zones, forwards aside. */
bool rules_forbidden(const struct config *cfg, unsigned from, unsigned to);

/* True if some packet between these zones may match the rule; what the modes forbid is not looked
 * at, but for what would be routed by addresses from or to a network that has none. */
bool rules_touches(const struct config *cfg, const struct config_rule *rule, unsigned from,
                   unsigned to);

/* True if every packet between these zones that matches rule b also matches rule a. */
bool rules_covers(const struct config *cfg, const struct config_rule *a,
                  const struct config_rule *b, unsigned from, unsigned to);

/* ---- reachability, from the configuration alone ---- */

enum reach {
    REACH_NONE, /* nothing can be opened */
    REACH_SOME, /* something may be: only what rules let through */
    REACH_ALL,  /* everything can */
};

struct reach_answer {
    enum reach reach;
    int16_t rule; /* the first rule that opened or narrowed the way; -1: modes and defaults alone */
};

/* What hosts at from can open to hosts at to (network index, REACH_UPLINK, REACH_ROUTER). Never
 * less than the truth: REACH_NONE is a promise, and so is REACH_ALL. Forwards are not in it. From a
 * bridge network as from the uplink. */
struct reach_answer reach_between(const struct config *cfg, unsigned from, unsigned to);

/* False only if the rules let nothing in of what a forward brings from the uplink to network net;
 * `what` has no action, and matches all of that as the target sees it. */
bool reach_forwarded(const struct config *cfg, unsigned net, const struct config_rule *what);

/* ---- for people ---- */

#define RULE_TEXT_BYTES 128

/* "rule 3 deny dev -> lab tcp 22": rule i of the configuration, counted from 1, as the list at
 * start and every log line have it. Returns text. */
const char *rules_text(const struct config *cfg, unsigned i, char text[static RULE_TEXT_BYTES]);

#endif
