/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Whether this machine has become a copy: Microsoft's "Virtual Machine Generation ID" (2012), as
 * QEMU's -device vmgenid has it (QEMU, docs/specs/vmgenid). The hypervisor keeps a GUID in memory
 * that is nobody else's, and writes another there whenever a saved machine goes on: a second time,
 * elsewhere, or from an earlier moment.
 *
 * It also raises an ACPI event, which would take an interpreter of AML to be heard; so the GUID is
 * looked at, which costs two loads.
 */
#ifndef VMGENID_H
#define VMGENID_H

#include "drivers/fw_cfg.h"

struct vmgenid {
    const volatile uint64_t *at; /* two words; NULL: this hypervisor does not tell */
    uint64_t seen[2];
};

/* Looks for the GUID, and takes it as it stands. False, with a line on the console if that is odd:
 * there is none, and vmgenid_changed() will never be true. io may be NULL. */
bool vmgenid_open(struct vmgenid *v, const struct fw_cfg_io *io);

/* True if it is not what it was when last looked at; seen is the new one. */
bool vmgenid_changed(struct vmgenid *v);

#endif
