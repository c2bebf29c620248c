/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Addresses and names as text; see text.h. Character tests are by value: a name means the same
 * under every locale.
 */
#include "net/wire/text.h"

#include <stdio.h>

const char *ip4_text(char text[IP4_TEXT_BYTES], be32 ip)
{
    uint32_t v = ntoh32(ip);

    snprintf(text, IP4_TEXT_BYTES, "%u.%u.%u.%u", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255);
    return text;
}

const char *mac_text(char text[MAC_TEXT_BYTES], const uint8_t *mac)
{
    snprintf(text, MAC_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return text;
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool host_name_equal(const char *text, const char *name, size_t n)
{
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!text[i] || lower((unsigned char)text[i]) != lower((unsigned char)name[i]))
            return false;
    return text[n] == '\0';
}

void host_name_clean(char *to, size_t size, const uint8_t *bytes, size_t n)
{
    /* Names that programs look up to find a proxy, a tunnel or themselves: whoever held one would
     * be trusted. */
    static const char *const refused[] = {"wpad", "isatap", "localhost"};
    size_t length = 0;

    to[0] = '\0';
    while (length < n && bytes[length] != '.' && bytes[length] != '\0')
        length++;
    if (length == 0 || length >= size || bytes[0] == '-' || bytes[length - 1] == '-')
        return;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = lower(bytes[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return;
    }
    for (unsigned i = 0; i < ARRAY_COUNT(refused); i++)
        if (host_name_equal(refused[i], (const char *)bytes, length))
            return;
    memcpy(to, bytes, length);
    to[length] = '\0';
}
