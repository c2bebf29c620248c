/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which bytes of a datagram its fragments have covered so far, exactly (RFC 791, section 3.2; RFC
 * 1858 for why overlaps matter).
 *
 * Ranges that touch become one, so fragments in order, or in reverse, need a single one, and a
 * shuffled datagram of 64 KB in Ethernet frames (45 fragments) at most 23. Invariants: ranges are
 * in order, apart from each other, and not empty.
 */
#ifndef NET_FRAGMENT_RANGES_H
#define NET_FRAGMENT_RANGES_H

#include "base.h"

#define FRAGMENT_RANGES_MAX 32

/* In units of 8 bytes, which is what offsets count in; from is in it, to is behind it. */
struct fragment_range {
    uint16_t from, to;
};

struct fragment_ranges {
    uint16_t count;
    uint16_t end; /* of the datagram; 0: its last fragment is yet to come */
    struct fragment_range r[FRAGMENT_RANGES_MAX];
};

enum fragment_fit {
    FRAGMENT_FITS,     /* covers what nothing has covered, and is counted in */
    FRAGMENT_TWICE,    /* all of it is covered already */
    FRAGMENT_OVERLAPS, /* a part of it is, or it contradicts where the datagram ends */
    FRAGMENT_NO_RANGE, /* it would need one range more than there are */
};

/* from < to. last: no more fragments follow. What does not fit changes nothing. */
enum fragment_fit fragment_ranges_add(struct fragment_ranges *r, uint16_t from, uint16_t to,
                                      bool last);

/* True if the datagram is whole. */
static inline bool fragment_ranges_whole(const struct fragment_ranges *r)
{
    return r->count == 1 && r->r[0].from == 0 && r->end == r->r[0].to;
}

#endif
