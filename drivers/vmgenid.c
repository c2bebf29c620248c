/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See vmgenid.h. Where the GUID lies, the firmware has decided, and has written into a file of
 * fw_cfg; firmware that did not know how to has left 0 there. The address is believed only if it is
 * as the specification wants it: aligned to 8 bytes, outside the memory that is ours.
 */
#include "drivers/vmgenid.h"

#include "log.h"
#include "mem.h"

#define ADDRESS_FILE "etc/vmgenid_addr" /* of the GUID itself: 8 bytes, little-endian */

static void look(const struct vmgenid *v, uint64_t guid[2])
{
    guid[0] = v->at[0];
    guid[1] = v->at[1];
}

bool vmgenid_open(struct vmgenid *v, const struct fw_cfg_io *io)
{
    struct fw_cfg_file file;
    uint64_t address = 0;

    v->at = NULL;
    if (!fw_cfg_find(io, ADDRESS_FILE, &file))
        return false;
    if (file.bytes == sizeof(address))
        fw_cfg_read(io, &file, &address, sizeof(address));
    if (address % sizeof(v->at[0]) == 0 && mem_is_device(address, sizeof(v->seen)))
        v->at = mem_map_firmware(address, sizeof(v->seen));
    if (!v->at) {
        log_warn("vmgenid: no GUID at 0x%llx: copies of this machine will not know that they are",
                 (unsigned long long)address);
        return false;
    }
    look(v, v->seen);
    return true;
}

bool vmgenid_changed(struct vmgenid *v)
{
    uint64_t guid[2];

    if (!v->at)
        return false;
    look(v, guid);
    if (memcmp(guid, v->seen, sizeof(guid)) == 0)
        return false;
    memcpy(v->seen, guid, sizeof(guid));
    return true;
}
