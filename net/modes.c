/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The modes a network can have, one row each, and the one function that says who may reach whom.
 */
#include "config.h"

const struct net_mode_info net_modes[NET_MODE_COUNT] = {
    [NET_NAT] = {.name = "nat",
                 .translates = true,
                 .routes_to_uplink = true,
                 .has_address = true,
                 .dhcp = true,
                 .help =
                     "hosts reach the outside with the uplink's address; the outside reaches them "
                     "only through forwards"},
    [NET_HOSTONLY] = {.name = "hostonly",
                      .has_address = true,
                      .dhcp = true,
                      .help = "hosts reach each other and the router, never the uplink or another "
                              "network"},
};

bool reach_allowed(const struct config *cfg, unsigned from, unsigned to)
{
    if (!cfg->ok || from >= cfg->net_count)
        return false; /* the outside opens nothing by itself */
    if (from == to)
        return true;
    if (to == REACH_UPLINK)
        return cfg->uplink.present && config_mode(&cfg->nets[from])->routes_to_uplink;
    return false;
}
