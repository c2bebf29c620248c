/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See vlan_rig.h.
 */
#include "tests/fake/vlan_rig.h"

#include <string.h>

struct rig vlan_rig;
const uint8_t vlan_rig_own[MAC_BYTES] = {2, 0, 0, 0, 0, 0xE0};

const int vlan_rig_tag[][PORTS] = {
    [LAN] = {20, 0, 20, -1, -1, 20, -1},
    [LAB] = {-1, -1, 30, -1, 0, -1, -1},
    [INT] = {-1, -1, 0, 0, -1, -1, -1},
    {10, -1, -1, -1, -1, -1, -1},
};

void vlan_rig_configure(struct config *c)
{
    memset(c, 0, sizeof(*c));
    c->ok = true;
    c->port_count = PORTS;
    c->net_count = 3;
    c->nets[LAN] = (struct config_net){.name = "lan",
                                       .mode = NET_NAT,
                                       .prefix = 24,
                                       .ports = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 5,
                                       .tag = {[0] = 20, [2] = 20, [5] = 20},
                                       .ip = RIG_ROUTER};
    c->nets[LAB] = (struct config_net){.name = "lab",
                                       .mode = NET_HOSTONLY,
                                       .prefix = 24,
                                       .ports = 1 << 2 | 1 << 4,
                                       .tag = {[2] = 30},
                                       .ip = RIG_LAB_ROUTER};
    c->nets[INT] =
        (struct config_net){.name = "int", .mode = NET_INTERNAL, .ports = 1 << 2 | 1 << 3};
    c->uplink = (struct config_uplink){
        .present = true, .vlan = 10, .ip = RIG_OUTSIDE, .prefix = 24, .gw = RIG_GATEWAY};
}

void vlan_rig_start(uint32_t offloads, const uint16_t *mtu)
{
    static struct config c;

    vlan_rig_configure(&c);
    rig_start_config_mtu(&vlan_rig, &c, offloads, mtu, NULL);
}

int vlan_rig_setup(void **state)
{
    (void)state;
    vlan_rig_start(0, NULL);
    return 0;
}

int vlan_rig_teardown(void **state)
{
    (void)state;
    rig_stop(&vlan_rig);
    return 0;
}

void vlan_rig_frame(const uint8_t *dst, const uint8_t *src, uint16_t type, size_t n,
                    const uint32_t *tags, unsigned tag_count)
{
    struct frame *f = &vlan_rig.in;

    for (size_t i = 0; i < n; i++)
        f->b[i] = (uint8_t)(i * 7);
    memcpy(f->b, dst, MAC_BYTES);
    memcpy(f->b + 6, src, MAC_BYTES);
    store_be16(f->b + 12, type);
    f->n = n;
    frame_add_tags(f, tags, tag_count);
}
