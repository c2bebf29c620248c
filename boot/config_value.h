/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The kinds of values the configuration language knows: how each is written, read and explained.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base.h"

/* A piece of a text. */
struct span {
    const char *s;
    size_t n;
};

static inline bool span_is(struct span a, const char *word)
{
    return strlen(word) == a.n && memcmp(a.s, word, a.n) == 0;
}

/* Takes the next piece up to separator off *rest. False when nothing is left; a separator at the
 * end leaves one last empty piece. Start with rest->s not NULL. */
bool span_cut(struct span *rest, char separator, struct span *piece);

/* Number of pieces that separator cuts a into. */
unsigned span_count(struct span a, char separator);

struct value_type {
    const char *syntax; /* as it stands in a synopsis: "A/LEN" */
    const char *what;   /* "an address and prefix length, like 192.168.8.1/24" */
    /* Reads all of *text into *to. NULL, or what was expected instead, a constant; *text is then
     * narrowed to the piece that is wrong. */
    const char *(*read)(struct span *text, void *to);
    /* The i-th word it accepts, NULL after the last; NULL if it takes no words. */
    const char *(*word)(unsigned i);
    bool only_words; /* messages list them behind what */
};

extern const struct value_type value_port;      /* struct draft_port_ref */
extern const struct value_type value_nic;       /* struct draft_port_ref, not by name */
extern const struct value_type value_ports;     /* struct draft_port_refs */
extern const struct value_type value_net_name;  /* char[CONFIG_NAME_BYTES] */
extern const struct value_type value_port_name; /* char[CONFIG_NAME_BYTES] */
extern const struct value_type value_vlan;      /* uint16_t */
extern const struct value_type value_trunk;     /* struct draft_trunk */
extern const struct value_type value_lock;      /* struct draft_lock */
extern const struct value_type value_rate;      /* struct draft_rate */
extern const struct value_type value_storm;     /* uint32_t, 0: off */
extern const struct value_type value_host_name; /* char[CONFIG_DOMAIN_BYTES] */
extern const struct value_type value_domain;    /* char[CONFIG_DOMAIN_BYTES] */
extern const struct value_type value_mode;      /* uint8_t, enum net_mode */
extern const struct value_type value_mac;       /* uint8_t[MAC_BYTES] */
extern const struct value_type value_address;   /* be32 */
extern const struct value_type value_interface; /* struct draft_subnet, an address in it */
extern const struct value_type value_cidr;      /* struct draft_subnet, no bits behind the prefix */
extern const struct value_type value_servers;   /* struct draft_servers, addresses only */
extern const struct value_type value_dns;       /* struct draft_servers, or self */
extern const struct value_type value_pool;      /* struct draft_pool */
extern const struct value_type value_duration;  /* uint32_t, seconds */
extern const struct value_type value_mtu;       /* uint16_t */
extern const struct value_type value_flows;     /* uint64_t */
extern const struct value_type value_flow_limit; /* uint32_t */
extern const struct value_type value_macs;       /* uint64_t */
extern const struct value_type value_state;      /* struct config_state */
extern const struct value_type value_seed;       /* uint64_t */
extern const struct value_type value_level;      /* uint8_t, enum log_level */
extern const struct value_type value_filter;     /* uint8_t, enum config_filter */
extern const struct value_type value_panic;      /* uint8_t, 1: halt */
extern const struct value_type value_watchdog;   /* uint64_t, seconds, 0: off */
extern const struct value_type value_config;     /* uint8_t, enum config_strictness */
extern const struct value_type value_forward;    /* struct draft_forward; config_forward.c */
extern const struct value_type value_outside;    /* struct draft_subnet; config_forward.c */
extern const struct value_type value_target;     /* struct draft_target; config_forward.c */

/* Other people's spellings of a forward (config_forward.c): their whole value, commas included. */
bool forward_is_qemu(struct span text);
bool forward_is_virtualbox(struct span text);
const char *forward_read_qemu(struct span *text, void *to);
const char *forward_read_virtualbox(struct span *text, void *to);

/* Pieces other values are made of. */
bool value_read_number(struct span text, uint64_t max, uint64_t *to);
bool value_read_ip4(struct span text, be32 *to);
bool value_read_mac(struct span text, uint8_t *mac); /* one machine's: not zero, not a group's */
int value_hex_digit(char c);                         /* -1: none */
/* The name of a network or a port, into to[CONFIG_NAME_BYTES]; NULL, or what was expected. */
const char *value_read_name(struct span text, char *to);
bool value_is_host_address(be32 ip);

/* "192.168.8.1" into text[IP4_TEXT_BYTES]; returns text. */
const char *value_ip4_text(be32 ip, char *text);

/* "52:54:00:aa:bb:01" into text[MAC_TEXT_BYTES]; returns text. */
const char *value_mac_text(const uint8_t *mac, char *text);

#endif
