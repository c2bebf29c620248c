/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The modes a network can have, one row each.
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
    [NET_ROUTED] = {.name = "routed",
                    .routes_to_uplink = true,
                    .has_address = true,
                    .dhcp = true,
                    .help = "hosts reach the outside with their own addresses; the outside needs a "
                            "route to them, and a rule that lets it in"},
    [NET_HOSTONLY] = {.name = "hostonly",
                      .has_address = true,
                      .dhcp = true,
                      .help = "hosts reach each other and the router, never the uplink or another "
                              "network"},
    [NET_INTERNAL] = {.name = "internal",
                      .transparent = true,
                      .help = "a bare switch: hosts reach each other and nothing else, and the "
                              "router has no address in it"},
    [NET_BRIDGE] = {.name = "bridge",
                    .transparent = true,
                    .joins_uplink = true,
                    .help = "hosts are on the uplink's own segment, as if plugged in beside the "
                            "router"},
};
