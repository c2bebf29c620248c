/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who may have one more flow, and who makes room for it: the rules of net/nat_share.h, every flow
 * counted each time.
 */
#include "tests/model/naive_internal.h"
#include "tests/model/naive_track.h"

/* Flows of this host (or, ip 0, network; or, zone -1, all); half: that are half open. */
static unsigned count_of(const struct naive_nat *n, int zone, uint32_t ip, bool half)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        const struct naive_flow *f = &n->flows[i];
        count += f->live && (zone < 0 || (int)f->zone == zone) && (ip == 0 || f->in_ip == ip) &&
                 (!half || naive_spare_of(f) < 3);
    }
    return count;
}

static bool below(unsigned has, unsigned max)
{
    return max == 0 || has < max;
}

static bool network_may(const struct naive_nat *n, unsigned zone, unsigned room)
{
    unsigned has = count_of(n, (int)zone, 0, false);
    bool alone = !n->networks[0] || !n->networks[1];
    return below(has, n->max_flows[zone]) && (alone || has < 8 * room);
}

/* The oldest flow that a host can spare: what is over, then TCP before others; NULL if there is
 * none. */
static struct naive_flow *oldest_half(struct naive_nat *n, unsigned zone, uint32_t ip)
{
    struct naive_flow *oldest = NULL;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_flow *f = &n->flows[i];
        if (f->live && f->zone == zone && f->in_ip == ip && naive_spare_of(f) < 3 &&
            (!oldest || naive_spare_of(f) < naive_spare_of(oldest) ||
             (naive_spare_of(f) == naive_spare_of(oldest) && f->stamp < oldest->stamp)))
            oldest = f;
    }
    return oldest;
}

/* The flow that the translator made room with, if it is the oldest of the host that has most half
 * open in this network; of several such hosts, any. */
static struct naive_flow *oldest_of_heaviest(struct naive_nat *n, unsigned zone, unsigned most)
{
    struct naive_flow *oldest = NULL;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        const struct naive_flow *f = &n->flows[i];
        if (!f->live || f->zone != zone || count_of(n, (int)zone, f->in_ip, true) != most)
            continue;
        oldest = oldest_half(n, zone, f->in_ip);
        if (oldest->gone)
            return oldest;
    }
    return oldest;
}

static unsigned most_half(const struct naive_nat *n, unsigned zone)
{
    unsigned most = 0;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->flows[i].live && n->flows[i].zone == zone)
            most = MAX(most, count_of(n, (int)zone, n->flows[i].in_ip, true));
    return most;
}

enum drop_reason naive_share(struct naive_nat *n, unsigned zone, uint32_t ip, bool in,
                             uint32_t now_ms)
{
    unsigned room = n->capacity - naive_flow_count(n), has = count_of(n, (int)zone, ip, false);
    unsigned left = n->max_flows[zone] ? n->max_flows[zone] : UINT16_MAX;
    unsigned net_has = count_of(n, (int)zone, 0, false), from = zone;
    left = net_has < left ? MIN(left - net_has, room) : 0;

    if (below(has, n->max_host_flows[zone]) && network_may(n, zone, room) && has < 8 * left)
        return DROP_NONE;
    unsigned half = count_of(n, -1, 0, true);
    bool limited = n->max_flows[zone] && has >= 8 * (n->max_flows[zone] - net_has);
    if (network_may(n, zone, room + half) && !limited &&
        count_of(n, !zone, 0, true) > count_of(n, (int)zone, 0, true))
        from = !zone;
    bool others = !in && below(has, n->max_host_flows[zone]) &&
                  has < 8 * (from == zone ? left + count_of(n, (int)zone, 0, true) : room + half);
    unsigned most = most_half(n, from);
    bool theirs = others && (from != zone || most > count_of(n, (int)zone, ip, true));
    struct naive_flow *f = theirs ? oldest_of_heaviest(n, from, most) : oldest_half(n, zone, ip);
    if (!f)
        return room == 0 ? DROP_FLOWS_FULL : DROP_SHARE;
    naive_check(n, f->gone, "the oldest half-open flow of who has most makes room");
    f->gone = false;
    naive_end_to_rest(n, f, now_ms);
    return DROP_NONE;
}
