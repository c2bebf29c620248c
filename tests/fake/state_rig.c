/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See state_rig.h.
 */
#include "tests/fake/state_rig.h"

#include "check.h"
#include "net/wire/crc32c.h"
#include "tests/fake/fake_machine.h"

#include <stdio.h>

struct state_rig state_rig;

static unsigned probe(struct blk **found, unsigned max)
{
    CHECK(state_rig.disk_count <= max);
    for (unsigned i = 0; i < state_rig.disk_count; i++)
        found[i] = &state_rig.disks[i].blk;
    return state_rig.disk_count;
}

struct lease_table *state_rig_leases(void)
{
    return &dhcp_lab.server.leases[0];
}

void state_rig_put_header(struct fake_disk *d, unsigned block, enum state_rig_header kind)
{
    struct store_header header;
    uint8_t random[32];

    for (unsigned i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 151 + 7); /* a key of zeros would know clients badly */
    store_header_make(&header, random);
    header.version += kind == HEADER_NEWER;
    header.crc = crc32c(&header, offsetof(struct store_header, crc));
    header.crc ^= kind == HEADER_DAMAGED;
    if (kind != HEADER_ZEROS)
        memcpy(d->cache + block * STORE_BLOCK_BYTES, &header, sizeof(header));
}

int state_rig_setup(void **state)
{
    dhcp_lab_setup(state);
    state_rig.disk_count = 1;
    fake_disk_init(&state_rig.disks[0], 64 * KB);
    fake_disk_init(&state_rig.disks[1], 64 * KB);
    state_rig_put_header(&state_rig.disks[0], 0, HEADER_OURS);
    state_rig.wish = (struct config_state){.kind = STATE_AUTO};
    state_rig.bytes_left = 0;
    return 0;
}

int state_rig_teardown(void **state)
{
    fake_disk_free(&state_rig.disks[0]);
    fake_disk_free(&state_rig.disks[1]);
    fake_machine_reset();
    return dhcp_lab_teardown(state);
}

/* The router starts, from nothing but its configuration and the disk. */
bool state_rig_boot(void)
{
    fake_machine_reset();
    fake_now_us = 300000;
    for (unsigned i = 0; i < 2; i++)
        state_rig.disks[i].blk.dead = NULL;
    dhcp_lab_start();
    if (state_rig.bytes_left)
        fake_mem_limit = state_rig.bytes_left;
    bool open = state_open(&state_rig.keeper, &state_rig.wish, probe);
    fake_mem_limit = SIZE_MAX;
    for (unsigned i = 0; open && i < CONFIG_MAX_NETS; i++)
        memcpy(dhcp_lab.server.leases[i].key, state_rig.keeper.key, sizeof(state_rig.keeper.key));
    dhcp_lab.now_us = fake_now_us;
    state_restore(&state_rig.keeper, &dhcp_lab.server);
    dhcp_lab.now_us = fake_now_us;
    return open;
}

void state_rig_pass(uint64_t us)
{
    fake_now_us = dhcp_lab.now_us += us;
    state_poll(&state_rig.keeper, fake_now_us);
}

/* Time passes until nothing is left to be written. */
void state_rig_settle(void)
{
    state_poll(&state_rig.keeper, fake_now_us);
    for (unsigned i = 0; state_next_us(&state_rig.keeper, fake_now_us) != UINT64_MAX; i++) {
        uint64_t next_us = state_next_us(&state_rig.keeper, fake_now_us);
        CHECK(i < 100000);
        state_rig_pass(next_us > fake_now_us ? next_us - fake_now_us : 0);
    }
}

be32 state_rig_lease_named(unsigned client, const char *id, const char *name)
{
    if (dhcp_lab_ask((struct dhcp_lab_request){
            .type = DHCP_TYPE_DISCOVER, .client = client, .id = id, .name = name}) !=
        DHCP_TYPE_OFFER)
        return 0;
    be32 ip = dhcp_lab_yiaddr();
    unsigned type = dhcp_lab_ask((struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST,
                                                           .client = client,
                                                           .id = id,
                                                           .name = name,
                                                           .requested = ip,
                                                           .server = ROUTER});
    fake_now_us = dhcp_lab.now_us;
    return type == DHCP_TYPE_ACK ? ip : 0;
}

be32 state_rig_lease(unsigned client)
{
    return state_rig_lease_named(client, NULL, NULL);
}

unsigned state_rig_init_reboot(unsigned client, be32 ip)
{
    return dhcp_lab_ask(
        (struct dhcp_lab_request){.type = DHCP_TYPE_REQUEST, .client = client, .requested = ip});
}
