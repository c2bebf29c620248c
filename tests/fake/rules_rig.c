/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See rules_rig.h.
 */
#include "tests/fake/rules_rig.h"
#include "tests/fake/fake_base.h"

#include <string.h>

struct rig rules_rig;
struct config rules_config;

const struct config_where where_any = {.kind = WHERE_ANY};
const struct config_where where_router = {.kind = WHERE_ROUTER};
const struct config_where where_uplink = {.kind = WHERE_UPLINK};
const struct config_where where_lan = {.kind = WHERE_NET, .net = LAN};

void rules_rig_configure(void)
{
    struct config *c = &rules_config;

    memset(c, 0, sizeof(*c));
    c->ok = true;
    c->port_count = 7;
    c->net_count = 2;
    c->uplink =
        (struct config_uplink){.present = true, .ip = RIG_OUTSIDE, .prefix = 24, .gw = RIG_GATEWAY};
    c->nets[LAN] = (struct config_net){
        .name = "lan", .mode = NET_NAT, .prefix = 24, .ports = 0x0E, .ip = RIG_ROUTER};
    c->nets[VAULT] = (struct config_net){.name = "vault", .mode = NET_INTERNAL, .ports = 0x30};
    c->fwd_count = 1;
    c->fwds[0] = (struct config_fwd){.protocols = CONFIG_TCP,
                                     .net = LAN,
                                     .targets = {RIG_HOST(10)},
                                     .target_count = 1,
                                     .first_port = 8080,
                                     .last_port = 8080,
                                     .target_port = 80};
}

struct config_where where_host(unsigned net, be32 ip)
{
    struct config_where w = {.kind = WHERE_HOST, .net = (uint8_t)net, .ip = ip};
    memcpy(w.mac, rig_mac(ip), MAC_BYTES);
    return w;
}

struct config_where where_cidr(be32 ip, uint8_t prefix)
{
    return (struct config_where){.kind = WHERE_CIDR, .ip = ip, .prefix = prefix};
}

struct config_rule *rule_add(uint8_t action, struct config_where from, struct config_where to)
{
    struct config_rule *rule = &rules_config.rules[rules_config.rule_count++];
    *rule = (struct config_rule){.action = action, .from = from, .to = to};
    return rule;
}

void rule_for_port(struct config_rule *rule, uint8_t proto, uint16_t port)
{
    rule->proto = proto;
    rule->ports_given = true;
    rule->first_port = rule->last_port = port;
}

void rules_rig_start(void)
{
    fake_log_clear();
    rig_start_config(&rules_rig, &rules_config, 0);
    rig_appear(&rules_rig, 1, RIG_HOST(5));
    rig_appear(&rules_rig, 2, RIG_HOST(6));
    rig_appear(&rules_rig, 3, RIG_HOST(10));
    rig_appear(&rules_rig, 4, VAULT_HOST(5));
    rig_appear(&rules_rig, 5, VAULT_HOST(6));
    rig_flush(&rules_rig);
}

int rules_rig_setup(void **state)
{
    (void)state;
    rules_rig_configure();
    return 0;
}

int rules_rig_teardown(void **state)
{
    (void)state;
    rig_stop(&rules_rig);
    return 0;
}
