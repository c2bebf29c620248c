/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See random_config.h.
 */
#include "tests/fake/random_config.h"
#include "tests/fake/router_rig.h"

#include <stdio.h>

const uint16_t random_config_ids[RANDOM_CONFIG_IDS] = {0, 20, 30, 40};

const uint8_t *random_config_mac(unsigned n)
{
    static uint8_t macs[RANDOM_CONFIG_MACS][MAC_BYTES];

    memcpy(macs[n], (const uint8_t[]){2, 1, 0, 0, 7, (uint8_t)n}, MAC_BYTES);
    return macs[n];
}

unsigned naive_net_at(const struct config *c, unsigned port, unsigned id)
{
    for (unsigned n = 0; n < c->net_count; n++)
        if ((c->nets[n].ports >> port & 1) && c->nets[n].tag[port] == id)
            return c->nets[n].mode == NET_BRIDGE ? NETWORK_UPLINK : n;
    if (c->uplink.present && c->uplink.port == port && c->uplink.vlan == id)
        return NETWORK_UPLINK;
    return CONFIG_NO_NET;
}

static void random_net(struct config *c, unsigned n, uint32_t (*rnd)(uint32_t below))
{
    struct config_net *net = &c->nets[n];

    memset(net, 0, sizeof(*net));
    net->mode = (uint8_t)rnd(NET_MODE_COUNT);
    for (unsigned i = 0; net->mode == NET_BRIDGE && i < n; i++)
        if (c->nets[i].mode == NET_BRIDGE)
            net->mode = NET_INTERNAL;
    if (net->mode == NET_BRIDGE && !c->uplink.present)
        net->mode = NET_HOSTONLY;
    snprintf(net->name, sizeof(net->name), "n%u", n);
    if (net_modes[net->mode].has_address) {
        net->ip = BE_IP4(192, 168, 8 + n, 1);
        net->prefix = 24;
    }
    net->isolate = rnd(4) == 0;
    c->net_count = (uint8_t)n; /* naive_net_at() does not see it yet */
    for (unsigned p = 0; p < c->port_count; p++) {
        uint16_t id = random_config_ids[rnd(RANDOM_CONFIG_IDS)];
        if (rnd(5) < 2 || naive_net_at(c, p, id) != CONFIG_NO_NET ||
            (net->mode == NET_BRIDGE && p == c->uplink.port))
            continue;
        net->ports |= 1u << p;
        net->tag[p] = id;
    }
    c->net_count = (uint8_t)(n + 1);
}

void random_config(struct config *c, uint32_t (*rnd)(uint32_t below))
{
    bool routes = false;

    memset(c, 0, sizeof(*c));
    c->ok = true;
    c->port_count = (uint8_t)(3 + rnd(6));
    if (rnd(6)) {
        static const uint16_t vlans[] = {0, 0, 10, 20};
        c->uplink.present = true;
        c->uplink.port = (uint8_t)rnd(c->port_count);
        c->uplink.vlan = vlans[rnd(ARRAY_COUNT(vlans))];
        c->uplink.mac_given = rnd(3) == 0;
        memcpy(c->uplink.mac, (const uint8_t[]){2, 0x77, 0, 0, 0, 1}, MAC_BYTES);
    }
    for (unsigned n = 0, count = 1 + rnd(5); n < count; n++) {
        random_net(c, n, rnd);
        routes |= net_modes[c->nets[n].mode].routes_to_uplink;
    }
    c->uplink.silent = c->uplink.present && !routes && rnd(2);
    if (c->uplink.present && !c->uplink.silent) {
        c->uplink.ip = RIG_OUTSIDE;
        c->uplink.prefix = 24;
        c->uplink.gw = RIG_GATEWAY;
    }
    for (unsigned p = 0; p < c->port_count; p++) {
        struct config_port *port = &c->ports[p];
        port->promisc = rnd(8) == 0;
        port->lock = rnd(8) ? LOCK_OFF : rnd(2) ? LOCK_MAC : LOCK_FIRST;
        memcpy(port->lock_mac, random_config_mac(0), MAC_BYTES);
        port->rate_out_bps = rnd(8) ? 0 : 1000000000000ull; /* looked at, and never enough */
    }
}
