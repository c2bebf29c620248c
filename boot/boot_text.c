/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line: bytes of a loader, which may lack the NUL or be far too long.
 */
#include "boot_text.h"

void boot_text_copy(struct boot_info *boot, const char *text, uint64_t n)
{
    size_t room = MIN(n, (uint64_t)BOOT_CMDLINE_MAX - 1);
    size_t length = 0;
    while (length < room && text[length] != '\0')
        length++;
    memcpy(boot->cmdline, text, length);
    boot->cmdline[length] = '\0';
    boot->cmdline_cut = length == room && n > room && text[length] != '\0';
}

static bool is_image_name(const char *word, size_t n)
{
    const char *file = word, *end = word + n;
    bool path = n > 0 && (*word == '/' || *word == '\\');
    /* GRUB's device in front, such as "(hd0,msdos1)". */
    const char *device_end = n > 0 && *word == '(' ? memchr(word, ')', n) : NULL;
    if (device_end) {
        path = true;
        file = device_end + 1;
    }
    /* The volume in UEFI's shell, such as "fs0:\": nothing of ours has a backslash. */
    const char *volume_end = n > 0 ? memchr(word, ':', n) : NULL;
    if (volume_end && volume_end + 1 < end && volume_end[1] == '\\') {
        path = true;
        file = volume_end + 1;
    }
    for (const char *at = file; at < end; at++) {
        if (*at == '=' || *at == ',' || *at == ':')
            return false;
        if (*at == '/' || *at == '\\')
            file = at + 1;
    }
    size_t left = (size_t)(end - file);
    bool program = left > 4 && (memcmp(end - 4, ".elf", 4) == 0 ||
                                memcmp(end - 4, ".efi", 4) == 0 || memcmp(end - 4, ".EFI", 4) == 0);
    return path || program || (left == 6 && memcmp(file, "sluice", 6) == 0);
}

void boot_text_skip_name(struct boot_info *boot)
{
    char *word = boot->cmdline + strspn(boot->cmdline, " ");
    size_t length = strcspn(word, " ");
    if (!is_image_name(word, length))
        return;
    const char *rest = word + length + strspn(word + length, " ");
    memmove(boot->cmdline, rest, strlen(rest) + 1);
}
