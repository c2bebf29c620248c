/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Valid configurations of any kind: up to eight ports, up to five networks of every mode, VLANs,
 * bridges, isolated and watched networks, locked ports; 192.168.(8 + n).1/24 in network n.
 */
#ifndef RANDOM_CONFIG_H
#define RANDOM_CONFIG_H

#include "config.h"

#define RANDOM_CONFIG_IDS  4
#define RANDOM_CONFIG_MACS 6

/* The VLAN IDs of networks, 0 among them. */
extern const uint16_t random_config_ids[RANDOM_CONFIG_IDS];

/* MACs of stations; ports are locked to the first. */
const uint8_t *random_config_mac(unsigned n);

/* rnd(x) is below x. */
void random_config(struct config *c, uint32_t (*rnd)(uint32_t below));

/* The network of frames with this VLAN ID (0: none) on this port, or CONFIG_NO_NET; a bridge's is
 * the uplink. */
unsigned naive_net_at(const struct config *c, unsigned port, unsigned id);

#endif
