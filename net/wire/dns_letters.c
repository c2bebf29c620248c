/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The case of a name's letters; see dns_letters.h. Lengths of labels are below 'A'.
 */
#include "net/wire/dns_letters.h"

static bool is_letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

void dns_letters_read(struct dns_letters *l, const uint8_t *name, size_t n)
{
    memset(l->capital, 0, (n + 7) / 8);
    for (size_t i = 0; i < n; i++)
        if (is_letter(name[i]) && !(name[i] & 0x20))
            l->capital[i / 8] |= (uint8_t)(1u << i % 8);
}

void dns_letters_write(const struct dns_letters *l, uint8_t *name, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_letter(name[i]))
            name[i] = (uint8_t)((name[i] | 0x20) & ~(l->capital[i / 8] >> i % 8 << 5 & 0x20));
}

bool dns_letters_same(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t name = n - 4; /* type and class are no letters */

    for (size_t i = 0; i < name; i++)
        if (a[i] != b[i] && ((a[i] ^ b[i]) != 0x20 || !is_letter(a[i])))
            return false;
    return memcmp(a + name, b + name, 4) == 0;
}
