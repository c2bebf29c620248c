/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A bench router with VLANs, and frames with tags.
 *
 *     port 0: uplink (VLAN 10), lan (20): a router on a stick     port 1: lan
 *     port 2: int untagged, lan (20), lab (30): a trunk           port 3: int
 *     port 5: lan (20), and nothing untagged                      port 4: lab
 *     port 6: nothing
 */
#ifndef VLAN_RIG_H
#define VLAN_RIG_H

#include "tests/fake/rig_frames.h"

enum { LAN, LAB, INT };
#define PORTS 7

extern struct rig vlan_rig;
extern const uint8_t vlan_rig_own[MAC_BYTES]; /* the router's in lan and outside */
/* The tag that each network's frames have on each port, 0: none; -1: not there. The row behind the
 * networks is the uplink. */
extern const int vlan_rig_tag[][PORTS];

/* For cmocka: the router above is started, and stopped. */
int vlan_rig_setup(void **state);
int vlan_rig_teardown(void **state);

/* The configuration above, to be changed; and the router with it. mtu: of each port; NULL: 1500. */
void vlan_rig_configure(struct config *c);
void vlan_rig_start(uint32_t offloads, const uint16_t *mtu);

/* Makes vlan_rig.in a frame of n bytes before its tags. */
void vlan_rig_frame(const uint8_t *dst, const uint8_t *src, uint16_t type, size_t n,
                    const uint32_t *tags, unsigned tag_count);

#endif
