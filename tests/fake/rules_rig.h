/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A bench router whose rules a test writes, one call each, before it starts.
 *
 *     port 0: uplink 203.0.113.2/24, tcp 8080 -> 192.168.8.10:80
 *     ports 1 2 3: lan, nat, 192.168.8.1/24         ports 4 5: vault, internal
 *
 * Hosts 5, 6 and 10 of lan are on its three ports, and hosts 5 and 6 of vault on its two.
 */
#ifndef RULES_RIG_H
#define RULES_RIG_H

#include "tests/fake/rig_frames.h"

enum { LAN, VAULT };
#define VAULT_HOST(n) BE_IP4(10, 0, 0, n)

/* The router, and the configuration it starts with. */
extern struct rig rules_rig;
extern struct config rules_config;

/* For cmocka: the configuration above without rules, not started yet; and stopped. */
int rules_rig_setup(void **state);
int rules_rig_teardown(void **state);

void rules_rig_configure(void);
void rules_rig_start(void);

/* The next rule; and makes it one about a port of this protocol. */
struct config_rule *rule_add(uint8_t action, struct config_where from, struct config_where to);
void rule_for_port(struct config_rule *rule, uint8_t proto, uint16_t port);

/* Ends of a rule. */
extern const struct config_where where_any, where_router, where_uplink, where_lan;
struct config_where where_host(unsigned net, be32 ip);
struct config_where where_cidr(be32 ip, uint8_t prefix);

/* First packets of conversations, for a struct rig_packet. */
#define UDP(from, to, port)                                                                        \
    {                                                                                              \
        .src = from, .dst = to, .sport = 4000, .dport = port                                       \
    }
#define SYN(from, to, port)                                                                        \
    {                                                                                              \
        .src = from, .dst = to, .sport = 4000, .dport = port, .proto = IP_PROTO_TCP,               \
        .tcp_flags = TCP_SYN                                                                       \
    }
#define PING(from, to)                                                                             \
    {                                                                                              \
        .src = from, .dst = to, .sport = 4000, .proto = IP_PROTO_ICMP, .payload_bytes = 40         \
    }

#endif
