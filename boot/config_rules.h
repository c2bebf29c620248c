/* SPDX-License-Identifier: BSD-3-Clause
 *
 * rule= and assert=: who may open what, and what must or must not come of it. The decision itself
 * is net/rules.h.
 */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include "config_resolve.h"

extern const struct value_type value_action;   /* uint8_t, enum config_action */
extern const struct value_type value_where;    /* struct draft_where */
extern const struct value_type value_protocol; /* uint8_t, an IP protocol */
extern const struct value_type value_services; /* struct draft_services */
extern const struct value_type value_claim;    /* struct draft_claim */

/* The i-th rule in the order of the decision, i below draft->rule_count. */
const struct draft_rule *config_nth_rule(const struct config_draft *draft, unsigned i);

/* After the networks, the hosts and the forwards. */
void resolve_rules(struct resolver *r);

/* After the rules, and with nothing wrong so far: what contradicts itself reaches nobody. */
void resolve_asserts(struct resolver *r);

/* Why the modes let nothing through from one zone to another (net/rules.h) into text; returns text.
 * Only if rules_forbidden(). */
#define REASON_BYTES 128
const char *rule_reason(const struct config *config, unsigned from, unsigned to,
                        char text[static REASON_BYTES]);

/* True if a forward leads from one end of a way to another (REACH_), or a port that a host may ask
 * for: from the uplink to its target's network, and from any network that reaches the uplink,
 * through the router's outside address. first (may be NULL) is the number of the first such
 * forward, or what it is instead. */
#define REACH_BY_DMZ (-1)
#define REACH_BY_PCP (-2)
bool reach_by_forward(const struct config *config, unsigned from, unsigned to, int *first);

/* The rules as they were understood, and the matrix of who reaches whom. */
void config_print_rules(const struct config *config, config_line out);
void config_print_reach(const struct config *config, config_line out);

#endif
