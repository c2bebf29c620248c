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

/* The zone a name is in. */
struct zone zone_of(const char *name);

/* A name in in-addr.arpa, or that itself. */
struct reverse {
    be32 ip;         /* the octets that are given, the others 0 */
    unsigned octets; /* how many are given: 4 make an address */
    bool below;      /* there are labels in front of them: it is not the address's own name */
    size_t chars[5]; /* chars[k]: length of the part of the name that has k of the octets */
};

/* False if the name is not in in-addr.arpa. */
bool reverse_read(struct reverse *r, const char *name);

/* Length of the name that is this domain's or below it: the domain's length, else 0. */
size_t zone_within(const char *name, const char *domain);

#endif
