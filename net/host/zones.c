/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names of special use, and reverse names; see zones.h.
 */
#include "net/host/zones.h"

#include "net/wire/text.h"

#define TEN_ZEROS     "0.0.0.0.0.0.0.0.0.0."
#define NIBBLES_ZEROS "0." TEN_ZEROS TEN_ZEROS TEN_ZEROS "ip6.arpa" /* 31 of them */
#define REVERSE       "in-addr.arpa"
#define REVERSE_CHARS (sizeof(REVERSE) - 1)
#define NAME(text)    text, sizeof(text) - 1
#define ARPA_BEGINS   5 /* in names[] */

static const struct {
    const char *name;
    uint8_t chars;
    enum zone_kind kind;
} names[] = {
    {NAME("localhost"), ZONE_LOOPBACK}, /* RFC 6761, section 6.3 */
    {NAME("invalid"), ZONE_EMPTY},      /* section 6.4 */
    {NAME("test"), ZONE_EMPTY},         /* section 6.2 */
    {NAME("local"), ZONE_EMPTY}, /* RFC 6762, section 22.1: asked by multicast or not at all */
    {NAME("onion"), ZONE_EMPTY}, /* RFC 7686, section 2 */
    /* From here on, what is below arpa; see zone_of(). */
    {NAME("home.arpa"), ZONE_EMPTY},      /* RFC 8375, section 4 */
    {NAME("resolver.arpa"), ZONE_SILENT}, /* RFC 9462, section 4: there is no encrypted way to us */
    {NAME("0." NIBBLES_ZEROS), ZONE_EMPTY}, /* RFC 6303, sections 4.3 to 4.6: ::, ::1, */
    {NAME("1." NIBBLES_ZEROS), ZONE_EMPTY},
    {NAME("c.f.ip6.arpa"), ZONE_EMPTY}, /* unique local, */
    {NAME("d.f.ip6.arpa"), ZONE_EMPTY},
    {NAME("8.e.f.ip6.arpa"), ZONE_EMPTY}, /* link-local, */
    {NAME("9.e.f.ip6.arpa"), ZONE_EMPTY},
    {NAME("a.e.f.ip6.arpa"), ZONE_EMPTY},
    {NAME("b.e.f.ip6.arpa"), ZONE_EMPTY},
    {NAME("8.b.d.0.1.0.0.2.ip6.arpa"), ZONE_EMPTY}, /* documentation */
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

/* Most names are in none of the zones, and that is seen from where a dot would have to be. */
bool name_is_within(const char *name, size_t whole, const char *domain, size_t n)
{
    if (n == 0 || whole < n || (whole > n && name[whole - n - 1] != '.'))
        return false;
    return host_name_equal(domain, name + whole - n, n);
}

size_t zone_within(const struct asked *a, const char *domain)
{
    size_t n = strlen(domain);

    return name_is_within(a->name, a->chars, domain, n) ? n : 0;
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

static void reverse_read(struct reverse *r, const char *name, size_t whole)
{
    size_t left = whole - REVERSE_CHARS; /* with the dot at its end */
    uint32_t value, ip = 0;

    if (!name_is_within(name, whole, REVERSE, REVERSE_CHARS))
        return;
    r->is = true;
    r->chars[0] = REVERSE_CHARS;
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
}

struct asked asked_name(const char *name)
{
    struct asked a = {.name = name, .chars = strlen(name), .label = strcspn(name, ".")};

    reverse_read(&a.reverse, name, a.chars);
    return a;
}

static struct zone reverse_zone(const struct reverse *r)
{
    for (unsigned i = 0; i < ARRAY_COUNT(subnets) && r->is; i++) {
        unsigned octets = (subnets[i].prefix + 7u) / 8u;
        if (r->octets >= octets && !((r->ip ^ subnets[i].ip) & prefix_mask(subnets[i].prefix)))
            return (struct zone){ZONE_EMPTY, r->chars[octets]};
    }
    return (struct zone){ZONE_NONE, 0};
}

struct zone zone_of(const struct asked *a)
{
    bool arpa = name_is_within(a->name, a->chars, NAME("arpa"));

    for (unsigned i = arpa ? ARPA_BEGINS : 0; i < (arpa ? ARRAY_COUNT(names) : ARPA_BEGINS); i++)
        if (name_is_within(a->name, a->chars, names[i].name, names[i].chars))
            return (struct zone){names[i].kind, names[i].chars};
    return reverse_zone(&a->reverse);
}
