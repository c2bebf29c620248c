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
 *      translated network but through a forward.
 *   2. The first rule that matches. A rule without from= (to=) matches any source (destination).
 *      Between two hosts of one network only rules match that name both ends by host or CIDR.
 *   3. The default: within a network yes (no between ports of an isolated one, which is the
 *      switch's to see to); to the uplink if the mode routes there; to the router from anywhere it
 *      has an address; forwards yes; all else no.
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

/* True if some rule names two ends of this network: its switch then asks rules_decide() with from
 * == to about IPv4, and rules_decide_macs() about the rest. */
bool rules_inside(const struct config *cfg, unsigned net);

/* For frames that are neither IPv4 nor ARP between two stations of one network: a rule without
 * proto= and port= whose two ends are host= machines with these MACs. */
struct rule_decision rules_decide_macs(const struct config *cfg, unsigned net, const uint8_t *src,
                                       const uint8_t *dst);

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

#endif
