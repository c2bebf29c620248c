/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See net/fragment_ranges.h.
 */
#include "net/fragment_ranges.h"

/* True if the fragment cannot be of a datagram that ends where the others say. */
static bool contradicts_end(const struct fragment_ranges *r, uint16_t to, bool last)
{
    if (r->end)
        return last ? to != r->end : to >= r->end;
    return last && r->count && r->r[r->count - 1].to >= to;
}

/* One range takes the place of count of them from at on, which may be none. */
static void replace(struct fragment_ranges *r, unsigned at, unsigned count, uint16_t from,
                    uint16_t to)
{
    memmove(&r->r[at + 1], &r->r[at + count], (r->count - at - count) * sizeof(r->r[0]));
    r->r[at] = (struct fragment_range){from, to};
    r->count = (uint16_t)(r->count + 1 - count);
}

enum fragment_fit fragment_ranges_add(struct fragment_ranges *r, uint16_t from, uint16_t to,
                                      bool last)
{
    unsigned at = 0, joined = 0;
    uint16_t own_end = to;

    if (contradicts_end(r, to, last))
        return FRAGMENT_OVERLAPS;
    while (at < r->count && r->r[at].to < from)
        at++;
    /* The first range that this one could touch, and then the next one. */
    if (at < r->count && r->r[at].from <= from) {
        if (to <= r->r[at].to)
            return FRAGMENT_TWICE;
        if (r->r[at].to > from)
            return FRAGMENT_OVERLAPS;
        joined = 1;
    }
    if (at + joined < r->count) {
        const struct fragment_range *next = &r->r[at + joined];
        if (next->from < to)
            return FRAGMENT_OVERLAPS;
        if (next->from == to) {
            to = next->to;
            joined++;
        }
    }
    if (joined == 0 && r->count == FRAGMENT_RANGES_MAX)
        return FRAGMENT_NO_RANGE;
    if (joined > 0)
        from = MIN(from, r->r[at].from);
    if (last)
        r->end = own_end;
    replace(r, at, joined, from, to);
    return FRAGMENT_FITS;
}
