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

void boot_text_skip_name(struct boot_info *boot)
{
    char *word = boot->cmdline + strspn(boot->cmdline, " ");
    size_t length = strcspn(word, " ");
    bool option = memchr(word, '=', length) != NULL;
    bool path = memchr(word, '/', length) || memchr(word, '.', length);
    bool itself = length == 6 && memcmp(word, "sluice", 6) == 0;
    if (option || !(path || itself))
        return;
    const char *rest = word + length + strspn(word + length, " ");
    memmove(boot->cmdline, rest, strlen(rest) + 1);
}
