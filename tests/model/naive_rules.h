/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules as docs/rules.md tells them, without a thought for speed or for how net/rules.c does it:
 * modes are asked by name, addresses are compared bit by bit.
 */
#ifndef NAIVE_RULES_H
#define NAIVE_RULES_H

#include "net/rules.h"

struct rule_decision naive_decide(const struct config *cfg, const struct rule_packet *k);

/* Whether this rule is about this packet, whatever the modes and other rules say. */
bool naive_matches(const struct config *cfg, const struct config_rule *rule,
                   const struct rule_packet *k);

struct rule_decision naive_decide_macs(const struct config *cfg, unsigned net, const uint8_t *src,
                                       const uint8_t *dst);

#endif
