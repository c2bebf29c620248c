/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names that mean the same under every configuration, and that no server outside is to be asked
 * about: those of special use (RFC 6761, 6762, 7686, 8375, 9462), and the reverse zones of
 * addresses that mean something else everywhere (RFC 6303, 7793). And names as addresses:
 * in-addr.arpa (RFC 1035, section 3.5).
 */
#ifndef NET_HOST_ZONES_H
#define NET_HOST_ZONES_H

#include "base.h"

enum zone_kind {
    ZONE_NONE,     /* an ordinary name */
    ZONE_EMPTY,    /* nothing exists in this zone but the zone itself */
    ZONE_LOOPBACK, /* this name, and all below it, are the asker's own machine */
    ZONE_SILENT,   /* all of its names exist and none has a record */
};

struct zone {
    enum zone_kind kind;
    size_t chars; /* of the zone's name, at the end of the name that was asked for */
};

/* A name in in-addr.arpa, or that itself. */
struct reverse {
    bool is;         /* otherwise the name is not there, and the rest is 0 */
    be32 ip;         /* the octets that are given, the others 0 */
    unsigned octets; /* how many are given: 4 make an address */
    bool below;      /* there are labels in front of them: it is not the address's own name */
    size_t chars[5]; /* chars[k]: length of the part of the name that has k of the octets */
};

/* A name that is asked about (borrowed), and what is looked for in it more than once. */
struct asked {
    const char *name;
    size_t chars;
    size_t label; /* length of the first label: chars if there is no other */
    struct reverse reverse;
};

struct asked asked_name(const char *name);

/* The zone a name is in. */
struct zone zone_of(const struct asked *a);

/* True if the name of so many characters is the domain of n, or below it. No name is within "". */
bool name_is_within(const char *name, size_t chars, const char *domain, size_t n);

/* The domain's length if the name is within it, else 0. */
size_t zone_within(const struct asked *a, const char *domain);

#endif
