/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See fw_cfg.h. The device is recognised by its signature. Asking for it is a write to a port that
 * some other device might own, so nothing is asked on bare metal, which CPUID tells; hypervisors
 * without the device ignore ports that are nobody's and answer with ones.
 *
 * What the device says is bounded, not believed: a directory is read up to FILES_MAX, a name
 * matches only with its end, and sizes are for the caller to limit.
 */
#include "drivers/fw_cfg.h"
#include "io.h"

#define PORT_SELECT 0x510
#define PORT_DATA   0x511

#define ITEM_SIGNATURE 0x0000
#define ITEM_FILES     0x0019
#define ITEM_FIRST     0x0020 /* items of files are from here on */
#define FILES_MAX      1024

#define CPUID_1_ECX_HYPERVISOR (1u << 31)

/* One in the directory; numbers are in network byte order. */
struct fw_cfg_entry {
    uint32_t bytes;
    uint16_t item;
    uint16_t reserved;
    char name[56];
};
static_assert(sizeof(struct fw_cfg_entry) == 64, "as the device has it");

static void ports_select(void *device, uint16_t item)
{
    (void)device;
    out16(PORT_SELECT, item);
}

/* One string instruction: hypervisors take it as one exit, or nearly so. */
static void ports_read(void *device, void *to, size_t bytes)
{
    (void)device;
    __asm__ volatile("rep insb" : "+D"(to), "+c"(bytes) : "d"((uint16_t)PORT_DATA) : "memory");
}

const struct fw_cfg_io *fw_cfg_ports(void)
{
    static const struct fw_cfg_io ports = {.select = ports_select, .read = ports_read};
    uint32_t eax = 1, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ecx & CPUID_1_ECX_HYPERVISOR ? &ports : NULL;
}

bool fw_cfg_find(const struct fw_cfg_io *io, const char *name, struct fw_cfg_file *file)
{
    size_t name_bytes = strlen(name) + 1;
    char signature[4];
    uint32_t count;

    if (!io)
        return false;
    io->select(io->device, ITEM_SIGNATURE);
    io->read(io->device, signature, sizeof(signature));
    if (memcmp(signature, "QEMU", sizeof(signature)) != 0)
        return false;
    io->select(io->device, ITEM_FILES);
    io->read(io->device, &count, sizeof(count));
    count = MIN(ntoh32(count), (uint32_t)FILES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct fw_cfg_entry entry;
        io->read(io->device, &entry, sizeof(entry));
        if (name_bytes > sizeof(entry.name) || memcmp(entry.name, name, name_bytes) != 0)
            continue;
        file->item = ntoh16(entry.item);
        file->bytes = ntoh32(entry.bytes);
        return file->item >= ITEM_FIRST;
    }
    return false;
}

void fw_cfg_read(const struct fw_cfg_io *io, const struct fw_cfg_file *file, void *to, size_t bytes)
{
    io->select(io->device, file->item);
    io->read(io->device, to, bytes);
}
