/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names of special use, and reverse names; see zones.h.
 */
#include "net/host/zones.h"

#include "net/wire/text.h"

#define TEN_ZEROS     "0.0.0.0.0.0.0.0.0.0."
#define NIBBLES_ZEROS "0." TEN_ZEROS TEN_ZEROS TEN_ZEROS "ip6.arpa" /* 31 of them */

static const struct {
    const char *name;
    enum zone_kind kind;
} names[] = {
    {"localhost", ZONE_LOOPBACK},     /* RFC 6761, section 6.3 */
    {"invalid", ZONE_EMPTY},          /* section 6.4 */
    {"test", ZONE_EMPTY},             /* section 6.2 */
    {"local", ZONE_EMPTY},            /* RFC 6762, section 22.1: asked by multicast or not at all */
    {"onion", ZONE_EMPTY},            /* RFC 7686, section 2 */
    {"home.arpa", ZONE_EMPTY},        /* RFC 8375, section 4 */
    {"resolver.arpa", ZONE_SILENT},   /* RFC 9462, section 4: there is no encrypted way to us */
    {"0." NIBBLES_ZEROS, ZONE_EMPTY}, /* RFC 6303, sections 4.3 to 4.6: ::, ::1, */
    {"1." NIBBLES_ZEROS, ZONE_EMPTY},
    {"c.f.ip6.arpa", ZONE_EMPTY}, /* unique local, */
    {"d.f.ip6.arpa", ZONE_EMPTY},
    {"8.e.f.ip6.arpa", ZONE_EMPTY}, /* link-local, */
    {"9.e.f.ip6.arpa", ZONE_EMPTY},
    {"a.e.f.ip6.arpa", ZONE_EMPTY},
    {"b.e.f.ip6.arpa", ZONE_EMPTY},
    {"8.b.d.0.1.0.0.2.ip6.arpa", ZONE_EMPTY}, /* documentation */
};

/* A prefix that is no multiple of 8 is as many zones of whole octets. */
static const struct {
    be32 ip;
    uint8_t prefix;
} subnets[] = {
    {BE_IP4(10, 0, 0, 0), 8},         {BE_IP4(172, 16, 0, 0), 12},   {BE_IP4(192, 168, 0, 0), 16},
    {BE_IP4(0, 0, 0, 0), 8},          {BE_IP4(127, 0, 0, 0), 8},     {BE_IP4(169, 254, 0, 0), 16},
    {BE_IP4(192, 0, 2, 0), 24},       {BE_IP4(198, 51, 100, 0), 24}, {BE_IP4(203, 0, 113, 0), 24},
    {BE_IP4(255, 255, 255, 255), 32}, {BE_IP4(100, 64, 0, 0), 10}, /* RFC 7793 */
};

size_t zone_within(const char *name, const char *domain)
{
    size_t n = strlen(domain), whole = strlen(name);

    if (n == 0 || whole < n || !host_name_equal(domain, name + whole - n, n))
        return 0;
    return whole == n || name[whole - n - 1] == '.' ? n : 0;
}

/* A label that is an octet as reverse names write it: no letters, no leading zeros. */
static bool read_octet(const char *label, size_t n, uint32_t *value)
{
    *value = 0;
    if (n == 0 || n > 3 || (n > 1 && label[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (label[i] < '0' || label[i] > '9')
            return false;
        *value = *value * 10 + (uint32_t)(label[i] - '0');
    }
    return *value <= 255;
}

bool reverse_read(struct reverse *r, const char *name)
{
    size_t whole = strlen(name), left = zone_within(name, "in-addr.arpa");
    uint32_t value, ip = 0;

    memset(r, 0, sizeof(*r));
    if (!left)
        return false;
    r->chars[0] = left;
    left = whole - left; /* of the name, with the dot at its end */
    while (left > 0 && r->octets < 4) {
        size_t end = left - 1, begin = end;
        while (begin > 0 && name[begin - 1] != '.')
            begin--;
        if (!read_octet(name + begin, end - begin, &value))
            break;
        ip |= value << (24 - 8 * r->octets++);
        r->chars[r->octets] = whole - begin;
        left = begin;
    }
    r->below = left > 0;
    r->ip = hton32(ip);
    return true;
}

static struct zone reverse_zone(const char *name)
{
    struct reverse r;

    if (!reverse_read(&r, name))
        return (struct zone){ZONE_NONE, 0};
    for (unsigned i = 0; i < ARRAY_COUNT(subnets); i++) {
        unsigned octets = (subnets[i].prefix + 7u) / 8u;
        if (r.octets >= octets && !((r.ip ^ subnets[i].ip) & prefix_mask(subnets[i].prefix)))
            return (struct zone){ZONE_EMPTY, r.chars[octets]};
    }
    return (struct zone){ZONE_NONE, 0};
}

struct zone zone_of(const char *name)
{
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        size_t chars = zone_within(name, names[i].name);
        if (chars)
            return (struct zone){names[i].kind, chars};
    }
    return reverse_zone(name);
}
