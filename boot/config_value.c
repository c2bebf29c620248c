/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading values. Strict on purpose: what has two readings (leading zeros, a number without its
 * unit, bits behind a prefix) is refused with what to write instead. No value holds a space, a
 * comma or '='.
 */
#include <stdio.h>

#include "config.h"
#include "config_draft.h"
#include "config_value.h"

bool span_cut(struct span *rest, char separator, struct span *piece)
{
    if (!rest->s)
        return false;
    const char *found = rest->n ? memchr(rest->s, separator, rest->n) : NULL;
    if (!found) {
        *piece = *rest;
        *rest = (struct span){NULL, 0};
        return true;
    }
    *piece = (struct span){rest->s, (size_t)(found - rest->s)};
    *rest = (struct span){found + 1, rest->n - piece->n - 1};
    return true;
}

unsigned span_count(struct span a, char separator)
{
    unsigned count = 1;
    for (size_t i = 0; i < a.n; i++)
        count += a.s[i] == separator;
    return count;
}

const char *value_ip4_text(be32 ip, char *text)
{
    uint32_t a = ntoh32(ip);
    snprintf(text, IP4_TEXT_BYTES, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
    return text;
}

const char *value_mac_text(const uint8_t *mac, char *text)
{
    snprintf(text, MAC_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return text;
}

/* Decimal without sign and without leading zeros, which some readers take for octal. */
bool value_read_number(struct span text, uint64_t max, uint64_t *to)
{
    if (text.n == 0 || text.n > 19 || (text.s[0] == '0' && text.n > 1))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.s[i] < '0' || text.s[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.s[i] - '0');
    }
    *to = value;
    return value <= max;
}

bool value_read_ip4(struct span text, be32 *to)
{
    uint32_t address = 0;
    uint64_t part;
    struct span piece;
    if (span_count(text, '.') != 4)
        return false;
    while (span_cut(&text, '.', &piece)) {
        if (!value_read_number(piece, 255, &part))
            return false;
        address = address << 8 | (uint32_t)part;
    }
    *to = hton32(address);
    return true;
}

/* An address one machine can have: not "this network", loopback, multicast or reserved (RFC 6890).
 */
bool value_is_host_address(be32 ip)
{
    uint32_t first = ntoh32(ip) >> 24;
    return first != 0 && first != 127 && first < 224;
}

int value_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool value_read_mac(struct span text, uint8_t *mac)
{
    if (text.n != MAC_TEXT_BYTES - 1)
        return false;
    for (unsigned i = 0; i < MAC_BYTES; i++) {
        int high = value_hex_digit(text.s[3 * i]);
        int low = value_hex_digit(text.s[3 * i + 1]);
        if (high < 0 || low < 0 || (i < MAC_BYTES - 1 && text.s[3 * i + 2] != ':'))
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
    }
    static const uint8_t zero[MAC_BYTES];
    return !(mac[0] & 1) && memcmp(mac, zero, MAC_BYTES) != 0;
}

/* Letters, digits and inner hyphens (RFC 1123 section 2.1), with at least one letter so that a name
 * is never taken for a number or an address. */
static bool is_label(struct span text, size_t max)
{
    bool letter = false;
    if (text.n == 0 || text.n > max || text.s[0] == '-' || text.s[text.n - 1] == '-')
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.s[i];
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alpha && c != '-' && (c < '0' || c > '9'))
            return false;
        letter |= alpha;
    }
    return letter;
}

static const char *store_name(struct span text, char *to)
{
    for (size_t i = 0; i < text.n; i++)
        to[i] = text.s[i] >= 'A' && text.s[i] <= 'Z' ? (char)(text.s[i] + 32) : text.s[i];
    to[text.n] = 0;
    return NULL;
}

const char *value_read_name(struct span text, char *to)
{
    /* Words that stand for something else wherever a network or a port can be named. */
    static const char *const reserved[] = {"uplink", "router", "any", "all", "off", "self"};
    if (!is_label(text, CONFIG_NAME_BYTES - 1))
        return value_net_name.what;
    store_name(text, to);
    for (unsigned i = 0; i < ARRAY_COUNT(reserved); i++)
        if (strcmp(to, reserved[i]) == 0)
            return "another name: this word has a meaning of its own";
    return NULL;
}

static const char *net_name_read(struct span *text, void *to)
{
    return value_read_name(*text, to);
}

const struct value_type value_net_name = {
    "NAME", "a name of letters, digits and '-', at most 31, with a letter", net_name_read, NULL,
    false};

static const char *host_name_read(struct span *text, void *to)
{
    if (!is_label(*text, CONFIG_DOMAIN_BYTES - 1))
        return value_host_name.what;
    return store_name(*text, to);
}

const struct value_type value_host_name = {
    "NAME", "a name of letters, digits and '-', at most 63, with a letter", host_name_read, NULL,
    false};

static const char *domain_read(struct span *text, void *to)
{
    struct span rest = *text, label;
    if (text->n >= CONFIG_DOMAIN_BYTES)
        return value_domain.what;
    while (span_cut(&rest, '.', &label))
        if (!is_label(label, 63))
            return value_domain.what;
    return store_name(*text, to);
}

const struct value_type value_domain = {
    "D", "a domain like lan or home.example, at most 63 characters", domain_read, NULL, false};

/* ---- words ---- */

static const char *read_word(struct span text, const struct value_type *type, void *to)
{
    const char *word;
    for (unsigned i = 0; (word = type->word(i)) != NULL; i++) {
        if (span_is(text, word)) {
            *(uint8_t *)to = (uint8_t)i;
            return NULL;
        }
    }
    return type->what;
}

/* A type that is one of a few words; its value is the word's index. */
#define WORD_TYPE(type, syntax_text, what_text, ...)                                               \
    static const char *type##_word(unsigned i)                                                     \
    {                                                                                              \
        static const char *const words[] = {__VA_ARGS__};                                          \
        return i < ARRAY_COUNT(words) ? words[i] : NULL;                                           \
    }                                                                                              \
    static const char *type##_read(struct span *text, void *to)                                    \
    {                                                                                              \
        return read_word(*text, &type, to);                                                        \
    }                                                                                              \
    const struct value_type type = {syntax_text, what_text, type##_read, type##_word, true};

WORD_TYPE(value_level, "LEVEL", "a level", "error", "warn", "info", "debug")
static_assert(LOG_ERROR == 0 && LOG_WARN == 1 && LOG_INFO == 2 && LOG_DEBUG == 3,
              "words are levels");

WORD_TYPE(value_panic, "reset|halt", "what to do", "reset", "halt")

WORD_TYPE(value_config, "strict|lenient", "how to read", "strict", "lenient")
static_assert(CONFIG_STRICT == 0 && CONFIG_LENIENT == 1, "words are values");

WORD_TYPE(value_filter, "endpoint-independent|address-dependent", "a kind of filtering",
          "endpoint-independent", "address-dependent")
static_assert(FILTER_ENDPOINT_INDEPENDENT == 0 && FILTER_ADDRESS_DEPENDENT == 1,
              "words are values");

static const char *mode_word(unsigned i)
{
    return i < NET_MODE_COUNT ? net_modes[i].name : NULL;
}

static const char *mode_read(struct span *text, void *to)
{
    return read_word(*text, &value_mode, to);
}

const struct value_type value_mode = {"MODE", "a mode", mode_read, mode_word, true};

/* ---- addresses ---- */

static const char *mac_read(struct span *text, void *to)
{
    return value_read_mac(*text, to) ? NULL : value_mac.what;
}

const struct value_type value_mac = {"MAC", "the MAC of one machine, like 52:54:00:aa:bb:01",
                                     mac_read, NULL, false};

static const char *const host_address = "an address of one machine, not 0.x, 127.x or 224.x and up";

static const char *address_read(struct span *text, void *to)
{
    be32 *ip = to;
    if (!value_read_ip4(*text, ip))
        return value_address.what;
    return value_is_host_address(*ip) ? NULL : host_address;
}

const struct value_type value_address = {"A", "an IPv4 address like 192.168.8.10", address_read,
                                         NULL, false};

static bool read_subnet(struct span text, struct draft_subnet *subnet)
{
    struct span address;
    uint64_t prefix = 32;
    span_cut(&text, '/', &address);
    if (!value_read_ip4(address, &subnet->ip) || (text.s && !value_read_number(text, 32, &prefix)))
        return false;
    subnet->prefix = (uint8_t)prefix;
    return true;
}

static const char *interface_read(struct span *text, void *to)
{
    struct draft_subnet *subnet = to;
    if (!memchr(text->s, '/', text->n) || !read_subnet(*text, subnet))
        return value_interface.what;
    if (!value_is_host_address(subnet->ip))
        return host_address;
    if (subnet->prefix < 1 || subnet->prefix > 30)
        return "a prefix length from 1 to 30";
    uint32_t host = ntoh32(subnet->ip & ~prefix_mask(subnet->prefix));
    if (host == 0 || host == ntoh32(~prefix_mask(subnet->prefix)))
        return "a machine's address: this is the first or last of its subnet, which has a meaning";
    return NULL;
}

const struct value_type value_interface = {
    "A/LEN", "an address and prefix length, like 192.168.8.1/24", interface_read, NULL, false};

static const char *cidr_read(struct span *text, void *to)
{
    struct draft_subnet *subnet = to;
    if (!read_subnet(*text, subnet))
        return value_cidr.what;
    if (subnet->ip & ~prefix_mask(subnet->prefix))
        return "no bits behind the prefix: 203.0.113.0/24 or 203.0.113.7/32, not 203.0.113.7/24";
    return NULL;
}

const struct value_type value_cidr = {"CIDR", "an address range like 203.0.113.0/24", cidr_read,
                                      NULL, false};

static const char *servers_read(struct span *text, void *to)
{
    struct draft_servers *servers = to;
    struct span rest = *text;
    while (span_cut(&rest, '+', text)) {
        if (servers->count == CONFIG_MAX_DNS)
            return "at most 3 servers";
        const char *wrong = address_read(text, &servers->ip[servers->count++]);
        if (wrong)
            return wrong;
    }
    return NULL;
}

const struct value_type value_servers = {"A+A", "addresses joined by '+', like 9.9.9.9+1.1.1.1",
                                         servers_read, NULL, false};

static const char *dns_word(unsigned i)
{
    return i == 0 ? "self" : NULL;
}

static const char *dns_read(struct span *text, void *to)
{
    struct draft_servers *servers = to;
    servers->self = span_is(*text, "self");
    if (servers->self)
        return NULL;
    return servers_read(text, to) ? value_dns.what : NULL;
}

const struct value_type value_dns = {"self|A+A", "self or addresses joined by '+', at most 3",
                                     dns_read, dns_word, false};

static const char *pool_word(unsigned i)
{
    return i == 0 ? "off" : NULL;
}

static const char *pool_read(struct span *text, void *to)
{
    struct draft_pool *pool = to;
    struct span last = *text, first;
    pool->off = span_is(*text, "off");
    if (pool->off)
        return NULL;
    span_cut(&last, '-', &first);
    if (!last.s || !value_read_ip4(first, &pool->first) || !value_read_ip4(last, &pool->last))
        return value_pool.what;
    if (ntoh32(pool->first) > ntoh32(pool->last))
        return "the lower address first";
    return NULL;
}

const struct value_type value_pool = {"A-A|off", "a range like 192.168.8.100-192.168.8.250, or off",
                                      pool_read, pool_word, false};

/* ---- numbers ---- */

static const char *duration_word(unsigned i)
{
    return i == 0 ? "inf" : NULL;
}

static const char *duration_read(struct span *text, void *to)
{
    static const struct {
        char unit;
        uint32_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint32_t *seconds = to;
    uint64_t number;
    if (span_is(*text, "inf")) {
        *seconds = CONFIG_FOREVER;
        return NULL;
    }
    for (unsigned i = 0; text->n && i < ARRAY_COUNT(units); i++) {
        if (text->s[text->n - 1] != units[i].unit)
            continue;
        if (!value_read_number((struct span){text->s, text->n - 1}, UINT32_MAX, &number))
            break;
        number *= units[i].seconds;
        if (number < 10 || number > 366u * 86400u)
            return "10s to 366d, or inf";
        *seconds = (uint32_t)number;
        return NULL;
    }
    return value_duration.what;
}

const struct value_type value_duration = {"DUR", "a duration like 30s, 5m, 12h, 7d or inf",
                                          duration_read, duration_word, false};

static const char *watchdog_word(unsigned i)
{
    static const char *const words[] = {"off", "on"};
    return i < ARRAY_COUNT(words) ? words[i] : NULL;
}

static const char *watchdog_read(struct span *text, void *to)
{
    uint64_t number = 0;
    bool unit = text->n && text->s[text->n - 1] == 's';
    if (span_is(*text, "on"))
        number = 30;
    else if (!span_is(*text, "off") &&
             (!unit || !value_read_number((struct span){text->s, text->n - 1}, 600, &number) ||
              number < 5))
        return value_watchdog.what;
    *(uint64_t *)to = number;
    return NULL;
}

const struct value_type value_watchdog = {"on|off|TIME", "on, off, or 5s to 600s", watchdog_read,
                                          watchdog_word, false};

static const char *mtu_read(struct span *text, void *to)
{
    uint64_t number;
    if (!value_read_number(*text, 9216, &number) || number < 576)
        return value_mtu.what;
    *(uint16_t *)to = (uint16_t)number;
    return NULL;
}

const struct value_type value_mtu = {"N", "576 to 9216 bytes", mtu_read, NULL, false};

/* How many to have room for, counted as memory is: K is 1024, M is 1048576. */
static bool read_size(struct span text, uint64_t min, uint64_t max, uint64_t *to)
{
    char unit = text.n ? text.s[text.n - 1] : '\0';
    unsigned shift = unit == 'K' ? 10 : unit == 'M' ? 20 : 0;

    text.n -= shift > 0;
    if (!value_read_number(text, max >> shift, to))
        return false;
    *to <<= shift;
    return *to >= min;
}

static const char *flows_read(struct span *text, void *to)
{
    return read_size(*text, 64, 16 << 20, to) ? NULL : value_flows.what;
}

const struct value_type value_flows = {"N", "64 to 16M flows, like 1000, 500K or 4M", flows_read,
                                       NULL, false};

static const char *flow_limit_read(struct span *text, void *to)
{
    uint64_t number;
    if (!read_size(*text, 1, 16 << 20, &number))
        return value_flow_limit.what;
    *(uint32_t *)to = (uint32_t)number;
    return NULL;
}

const struct value_type value_flow_limit = {"N", "1 to 16M flows, like 1000 or 500K",
                                            flow_limit_read, NULL, false};

static const char *macs_read(struct span *text, void *to)
{
    return read_size(*text, 64, 1 << 20, to) ? NULL : value_macs.what;
}

const struct value_type value_macs = {"N", "64 to 1M addresses, like 1000 or 64K", macs_read, NULL,
                                      false};

static const char *seed_read(struct span *text, void *to)
{
    uint64_t value = 0;
    if (text->n == 0 || text->n > 16)
        return value_seed.what;
    for (size_t i = 0; i < text->n; i++) {
        int digit = value_hex_digit(text->s[i]);
        if (digit < 0)
            return value_seed.what;
        value = value << 4 | (uint64_t)digit;
    }
    *(uint64_t *)to = value;
    return NULL;
}

const struct value_type value_seed = {"HEX", "1 to 16 hexadecimal digits", seed_read, NULL, false};

/* ---- disks ---- */

static const char *state_word(unsigned i)
{
    static const char *const words[] = {"off", "auto"};
    return i < ARRAY_COUNT(words) ? words[i] : NULL;
}
static_assert(STATE_OFF == 0 && STATE_AUTO == 1, "words are kinds");

static const char *state_read(struct span *text, void *to)
{
    struct config_state *state = to;
    uint64_t number;
    if (!read_word(*text, &value_state, &state->kind))
        return NULL;
    if (value_read_number(*text, UINT8_MAX, &number)) {
        state->kind = STATE_BY_NUMBER;
        state->number = (uint8_t)number;
        return NULL;
    }
    if (text->n == 0 || text->n >= sizeof(state->serial))
        return value_state.what;
    for (size_t i = 0; i < text->n; i++)
        if (text->s[i] <= ' ' || text->s[i] > '~')
            return value_state.what;
    state->kind = STATE_BY_SERIAL;
    memcpy(state->serial, text->s, text->n);
    return NULL;
}

const struct value_type value_state = {
    "auto|off|DISK", "auto, off, or a disk: its number, or its serial of at most 20 characters",
    state_read, state_word, false};
