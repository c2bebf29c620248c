/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A router that keeps its leases: boot/state.c, the DHCP server of dhcp_lab.h, and two disks that
 * fail, hang and lose power. The lab's clock and the machine's go together.
 */
#ifndef STATE_RIG_H
#define STATE_RIG_H

#include "boot/state.h"
#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_disk.h"

#define KB          1024ull
#define FIRST_GROUP (STORE_HEADER_BLOCKS * STORE_BLOCK_BYTES)

struct state_rig {
    struct fake_disk disks[2];
    unsigned disk_count; /* of them are there; 1 after the setup, and it is ours */
    struct state keeper;
    struct config_state wish; /* state=; auto after the setup */
    size_t bytes_left;        /* 0, or the memory that is left when disks are looked at */
};
extern struct state_rig state_rig;

int state_rig_setup(void **state);
int state_rig_teardown(void **state);

enum state_rig_header { HEADER_ZEROS, HEADER_DAMAGED, HEADER_OURS, HEADER_NEWER };

/* Puts a header, of an own key, into one of the first blocks. */
void state_rig_put_header(struct fake_disk *d, unsigned block, enum state_rig_header kind);

/* The router starts, from nothing but its configuration and the disks: true if it has one. */
bool state_rig_boot(void);

/* Time passes, and the disk is looked at once; or until nothing is left to be written. */
void state_rig_pass(uint64_t us);
void state_rig_settle(void);

struct lease_table *state_rig_leases(void);

/* A client asks for a lease: the address, or 0. Or for an address it had: the answer. */
be32 state_rig_lease_named(unsigned client, const char *id, const char *name);
be32 state_rig_lease(unsigned client);
unsigned state_rig_init_reboot(unsigned client, be32 ip);

#endif
