/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading what is written about ports: which one, VLANs (IEEE 802.1Q: IDs 1 to 4094), locks, rates.
 * Strict like config_value.c.
 */
#include "config.h"
#include "config_draft.h"
#include "config_value.h"

/* ---- which port ---- */

static bool only_digits(struct span text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.s[i] < '0' || text.s[i] > '9')
            return false;
    return true;
}

static const char *nic_read(struct span *text, void *to)
{
    struct draft_port_ref *port = to;
    uint64_t number = 0;
    if (memchr(text->s, ':', text->n)) {
        port->kind = PORT_BY_MAC;
        return value_read_mac(*text, port->mac) ? NULL : value_nic.what;
    }
    if (!value_read_number(*text, CONFIG_MAX_PORTS - 1, &number))
        return value_nic.what;
    port->kind = PORT_BY_NUMBER;
    port->number = (uint8_t)number;
    return NULL;
}

const struct value_type value_nic = {
    "PORT", "a port number 0-15 (NICs in PCI order) or a MAC like 52:54:00:aa:bb:01", nic_read,
    NULL, false};

static const char *port_read(struct span *text, void *to)
{
    struct draft_port_ref *port = to;
    if (only_digits(*text) || memchr(text->s, ':', text->n))
        return nic_read(text, port) ? value_port.what : NULL;
    port->kind = PORT_BY_NAME;
    return value_read_name(*text, port->name) ? value_port.what : NULL;
}

const struct value_type value_port = {
    "PORT",
    "a port number 0-15 (NICs in PCI order), a MAC like 52:54:00:aa:bb:01, or a port='s name",
    port_read, NULL, false};

static const char *ports_read(struct span *text, void *to)
{
    struct draft_port_refs *ports = to;
    struct span rest = *text;
    while (span_cut(&rest, '+', text)) {
        if (ports->count == CONFIG_MAX_PORTS)
            return "at most 16 ports";
        const char *wrong = port_read(text, &ports->port[ports->count++]);
        if (wrong)
            return wrong;
    }
    return NULL;
}

const struct value_type value_ports = {"P+P...", "ports joined by '+', like 1+2", ports_read, NULL,
                                       false};

/* Six pairs of hexadecimal digits, joined by hyphens or not at all. */
static bool looks_like_mac(struct span text)
{
    size_t step = text.n == 17 ? 3 : 2;
    if (text.n != 17 && text.n != 12)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool between = step == 3 && i % 3 == 2;
        if (between ? text.s[i] != '-' : value_hex_digit(text.s[i]) < 0)
            return false;
    }
    return true;
}

static const char *port_name_read(struct span *text, void *to)
{
    if (looks_like_mac(*text))
        return "a name that nobody takes for a MAC";
    return value_read_name(*text, to);
}

const struct value_type value_port_name = {
    "NAME", "a name of letters, digits and '-', at most 31, with a letter", port_name_read, NULL,
    false};

/* ---- VLANs ---- */

static const char *vlan_read(struct span *text, void *to)
{
    uint64_t number;
    if (!value_read_number(*text, 4094, &number) || number == 0)
        return value_vlan.what;
    *(uint16_t *)to = (uint16_t)number;
    return NULL;
}

const struct value_type value_vlan = {"ID", "a VLAN ID from 1 to 4094", vlan_read, NULL, false};

static const char *trunk_word(unsigned i)
{
    return i == 0 ? "all" : NULL;
}

static const char *trunk_read(struct span *text, void *to)
{
    struct draft_trunk *trunk = to;
    struct span rest = *text;
    trunk->all = span_is(*text, "all");
    if (trunk->all)
        return NULL;
    while (span_cut(&rest, '+', text)) {
        if (trunk->count == DRAFT_MAX_TRUNK)
            return "at most 17 VLAN IDs; all means every one there is";
        uint16_t *id = &trunk->id[trunk->count++];
        if (vlan_read(text, id))
            return value_trunk.what;
        for (unsigned i = 0; i + 1 < trunk->count; i++)
            if (trunk->id[i] == *id)
                return "each VLAN ID once";
    }
    return NULL;
}

const struct value_type value_trunk = {"ID+ID...|all",
                                       "VLAN IDs from 1 to 4094 joined by '+', like 10+20, or all",
                                       trunk_read, trunk_word, false};

/* ---- locks ---- */

static const char *lock_word(unsigned i)
{
    static const char *const words[] = {[LOCK_OFF] = "off",
                                        [LOCK_MAC] = "", /* written as the MAC itself */
                                        [LOCK_FIRST] = "first",
                                        [LOCK_IP] = "ip"};
    return i < ARRAY_COUNT(words) ? words[i] : NULL;
}

static const char *lock_read(struct span *text, void *to)
{
    struct draft_lock *lock = to;
    const char *word;
    for (unsigned i = 0; text->n && (word = lock_word(i)) != NULL; i++) {
        lock->kind = (uint8_t)i;
        if (span_is(*text, word))
            return NULL;
    }
    lock->kind = LOCK_MAC;
    return value_read_mac(*text, lock->mac) ? NULL : value_lock.what;
}

const struct value_type value_lock = {"MAC|first|ip|off",
                                      "the MAC of one machine, like 52:54:00:aa:bb:01, first, ip "
                                      "or off",
                                      lock_read, lock_word, false};

/* ---- rates ---- */

#define RATE_MIN_BPS 8000ull
#define RATE_MAX_BPS 400000000000ull

static const char *one_rate(struct span text, uint64_t *bps)
{
    static const struct {
        char unit;
        uint64_t bps;
    } units[] = {{'k', 1000}, {'m', 1000000}, {'g', 1000000000}};
    uint64_t number;
    if (span_is(text, "off")) {
        *bps = 0;
        return NULL;
    }
    for (unsigned i = 0; text.n && i < ARRAY_COUNT(units); i++) {
        if (text.s[text.n - 1] != units[i].unit)
            continue;
        if (!value_read_number((struct span){text.s, text.n - 1}, RATE_MAX_BPS, &number))
            break;
        *bps = number * units[i].bps;
        return number < RATE_MAX_BPS / units[i].bps + 1 && *bps >= RATE_MIN_BPS
                   ? NULL
                   : "8k to 400g bits a second, or off";
    }
    return value_rate.what;
}

static const char *rate_read(struct span *text, void *to)
{
    struct draft_rate *rate = to;
    struct span rest = *text, piece;
    const char *wrong;
    span_cut(&rest, '/', &piece);
    if (!rest.s)
        return value_rate.what;
    *text = piece;
    if ((wrong = one_rate(piece, &rate->in_bps)))
        return wrong;
    *text = rest;
    return one_rate(rest, &rate->out_bps);
}

const struct value_type value_rate = {"IN/OUT",
                                      "two rates in bits a second, IN/OUT, like 20m/5m or off/500k",
                                      rate_read, NULL, false};

static const char *storm_word(unsigned i)
{
    return i == 0 ? "off" : NULL;
}

static const char *storm_read(struct span *text, void *to)
{
    uint64_t number = 0;
    if (!span_is(*text, "off") && (!value_read_number(*text, 10000000, &number) || number == 0))
        return value_storm.what;
    *(uint32_t *)to = (uint32_t)number;
    return NULL;
}

const struct value_type value_storm = {"N|off", "1 to 10000000 frames a second, or off", storm_read,
                                       storm_word, false};
