/* SPDX-License-Identifier: BSD-3-Clause
 *
 * QEMU's firmware configuration device: files that the one who started the machine has put there
 * (-fw_cfg name=...,file=...). QEMU, docs/specs/fw_cfg. Read once, at start; nothing is written.
 */
#ifndef FW_CFG_H
#define FW_CFG_H

#include "base.h"

/* How the device is reached: select an item, then read it from its beginning, byte by byte. Behind
 * an item's end there are zeros. */
struct fw_cfg_io {
    void (*select)(void *device, uint16_t item);
    void (*read)(void *device, void *to, size_t bytes);
    void *device;
};

struct fw_cfg_file {
    uint16_t item;
    uint32_t bytes; /* what the device says; it may be any number */
};

/* The device at its I/O ports, or NULL on a machine that is not a virtual one: there, nobody knows
 * whose the ports are. Whether it is there at all, fw_cfg_find() sees. */
const struct fw_cfg_io *fw_cfg_ports(void);

/* False if there is no such device (io may be NULL) or no such file. */
bool fw_cfg_find(const struct fw_cfg_io *io, const char *name, struct fw_cfg_file *file);

/* The file's first bytes, which are zeros from where it ends. */
void fw_cfg_read(const struct fw_cfg_io *io, const struct fw_cfg_file *file, void *to,
                 size_t bytes);

#endif
