/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See efi_text.h. Device path nodes: UEFI 2.10, 10.3.1; that of a file 10.3.5.4, which may come in
 * several pieces.
 */
#include "efi_text.h"

#define NOT_ASCII 0x80

#define NODE_BYTES      4 /* type, subtype, length of it all in 16 bits */
#define NODE_MEDIA      0x04
#define NODE_MEDIA_FILE 0x04
#define NODE_END        0x7F

static uint16_t unit_at(const uint8_t *bytes, size_t i)
{
    return (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
}

static bool is_text(uint16_t unit)
{
    return unit >= ' ' && unit <= '~';
}

bool efi_text_options(const void *options, size_t bytes, struct boot_info *boot)
{
    const uint8_t *from = options;
    size_t units = bytes / 2, n = 0;

    boot->cmdline[0] = '\0';
    boot->cmdline_cut = false;
    if (units == 0 || unit_at(from, 0) == 0)
        return true;
    if (!is_text(unit_at(from, 0)))
        return false;
    for (; n < units && unit_at(from, n) != 0; n++) {
        if (n == BOOT_CMDLINE_MAX - 1) {
            boot->cmdline_cut = true;
            break;
        }
        uint16_t unit = unit_at(from, n);
        boot->cmdline[n] = (char)(unit < 0x80 ? unit : NOT_ASCII);
    }
    boot->cmdline[n] = '\0';
    return true;
}

/* Where a path is made: what does not fit is noted. */
struct path {
    uint16_t *units;
    size_t n, room;
    bool full;
};

static void append(struct path *path, uint16_t unit)
{
    if (unit == '\\' && path->n > 0 && path->units[path->n - 1] == '\\')
        return;
    if (path->n == path->room)
        path->full = true;
    else
        path->units[path->n++] = unit;
}

bool efi_text_beside(const void *device_path, size_t limit, const char *name, uint16_t *units,
                     size_t room)
{
    const uint8_t *node = device_path;
    struct path path = {.units = units, .room = room};

    append(&path, '\\');
    for (;;) {
        size_t length = limit >= NODE_BYTES ? (size_t)unit_at(node, 1) : 0;
        if (length < NODE_BYTES || length > limit)
            return false;
        if (node[0] == NODE_END)
            break;
        if (node[0] == NODE_MEDIA && node[1] == NODE_MEDIA_FILE) {
            append(&path, '\\');
            for (size_t i = NODE_BYTES / 2; i < length / 2 && unit_at(node, i) != 0; i++)
                append(&path, unit_at(node, i));
        }
        node += length;
        limit -= length;
    }
    while (path.n > 0 && path.units[path.n - 1] != '\\')
        path.n--;
    for (; *name; name++)
        append(&path, (uint8_t)*name);
    append(&path, 0);
    return !path.full;
}
