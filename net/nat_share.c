/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shares; see nat_share.h.
 */
#include "net/nat_share.h"
#include "net/nat_mapping.h"

#define LOOKED_AT 32 /* accounts a question */
#define WALK      32 /* half-open flows looked at for one whose end frees a port */

/* By what hosts are compared: by what is in one list (enum flow_half), or in both. */
#define WEIGHT_BOTH HALF_COUNT
static_assert(WEIGHT_BOTH + 1 == NAT_SHARE_WEIGHTS, "the heaviest by each are remembered");

/* Who wants something, and how much of it there is. */
struct want {
    struct flow_user *self;
    uint8_t zone;
    bool in;               /* a stranger wants it */
    unsigned weight;       /* by which those are compared who may have to make room */
    uint32_t room;         /* what is free */
    uint32_t has, net_has; /* what the host has, and its network */
    uint32_t max, net_max; /* what they may have, at most */
};

void share_init(struct nat *nat)
{
    for (unsigned zone = 0; zone < ARRAY_COUNT(nat->limits); zone++)
        nat->limits[zone] = (struct nat_limits){UINT32_MAX, UINT32_MAX};
}

void nat_set_limits(struct nat *nat, uint8_t zone, const struct nat_limits *limits)
{
    nat->limits[zone].flows = limits->flows ? limits->flows : UINT32_MAX;
    nat->limits[zone].host_flows = limits->host_flows ? limits->host_flows : UINT32_MAX;
    nat->limited |= 1u << zone;
}

/* ---- the heaviest ---- */

static uint32_t weigh(const uint32_t half[HALF_COUNT], unsigned weight)
{
    return weight == WEIGHT_BOTH ? half[HALF_OPENING] + half[HALF_ONE_WAY] : half[weight];
}

static void remember(struct nat *nat, uint16_t id)
{
    const struct flow_users *users = &nat->flows.users;
    const struct flow_user *user = &users->user[id];

    if (user->zone >= FLOW_USER_NETWORKS)
        return; /* free */
    for (unsigned w = 0; w < NAT_SHARE_WEIGHTS; w++) {
        uint16_t *heaviest = &nat->heaviest[user->zone][w];
        const struct flow_user *known = &users->user[*heaviest];
        if (known->zone != user->zone || weigh(known->half, w) < weigh(user->half, w))
            *heaviest = id;
    }
}

static void look_around(struct nat *nat)
{
    uint32_t fresh = nat->flows.users.fresh;

    for (unsigned i = 0; i < MIN(LOOKED_AT, fresh); i++) {
        nat->hand = (uint16_t)((nat->hand + 1u) % fresh);
        remember(nat, nat->hand);
    }
}

/* Of this network, or NULL if nobody is known who has anything half open. */
static struct flow_user *heaviest_of(const struct nat *nat, unsigned zone, unsigned weight)
{
    struct flow_user *user = &nat->flows.users.user[nat->heaviest[zone][weight]];
    return user->zone == zone && weigh(user->half, weight) > 0 ? user : NULL;
}

/* The network that has most half-open flows, and a host to answer for them. */
static unsigned heaviest_network(const struct nat *nat, unsigned own, unsigned weight)
{
    const struct flow_network *network = nat->flows.users.network;
    unsigned best = own;

    for (unsigned zone = 0; zone < FLOW_USER_NETWORKS; zone++)
        if (weigh(network[zone].half, weight) > weigh(network[best].half, weight) &&
            heaviest_of(nat, zone, weight))
            best = zone;
    return best;
}

/* ---- thresholds ---- */

static bool is_below(uint32_t has, uint64_t room)
{
    return has < NAT_SHARE * room;
}

/* True if the network as a whole may have one more. */
static bool network_may(const struct nat *nat, const struct want *w, uint64_t room)
{
    bool alone = !(nat->limited & (nat->limited - 1));
    return w->net_has < w->net_max && (alone || is_below(w->net_has, room));
}

/* What is free for the hosts of the network. */
static uint32_t network_room(const struct want *w)
{
    return w->net_has < w->net_max ? MIN(w->room, w->net_max - w->net_has) : 0;
}

static bool is_granted(const struct nat *nat, const struct want *w)
{
    return w->has < w->max && network_may(nat, w, w->room) && is_below(w->has, network_room(w));
}

/* Whose half-open flow is to make room. What is half open counts as free here: so who completes
 * its flows can have all but a share of what attempts take. */
static struct flow_user *loser(struct nat *nat, const struct want *w)
{
    const struct flow_users *users = &nat->flows.users;
    uint64_t half = weigh(users->half, w->weight);
    uint64_t net_half = weigh(users->network[w->zone].half, w->weight);
    unsigned zone = w->zone;

    if (w->in || w->has >= w->max)
        return w->self;
    look_around(nat);
    if (network_may(nat, w, w->room + half))
        zone = heaviest_network(nat, zone, w->weight);
    uint64_t room = zone == w->zone ? network_room(w) + net_half : w->room + half;
    struct flow_user *user = heaviest_of(nat, zone, w->weight);
    if (!user || !is_below(w->has, room))
        return w->self;
    return zone != w->zone || weigh(user->half, w->weight) > weigh(w->self->half, w->weight)
               ? user
               : w->self;
}

/* For the log. */
static void note_pressure(struct nat *nat, const struct want *w, const struct flow_user *user,
                          bool refused)
{
    nat->counters.refused += refused;
    nat->pressure = (struct nat_pressure){
        .ip = user->ip,
        .flows = user->flows,
        .ports = (uint32_t)user->ports[0] + user->ports[1] + user->ports[2],
        .zone = user->zone,
        .for_ports = w->weight != WEIGHT_BOTH,
        .refused = refused,
    };
}

/* Ends a half-open flow. The account of who wants another must not go with it. */
static void evict(struct nat *nat, const struct want *w, uint32_t id, uint32_t now_ms)
{
    struct flow *f = &nat->flows.flows[id];

    w->self->flows++;
    mapping_leave_to_rest(nat, f, now_ms);
    flow_destroy(&nat->flows, f);
    w->self->flows--;
    nat->counters.evicted++;
}

/* ---- flows ---- */

static bool make_room_for_flow(struct nat *nat, const struct want *w, uint32_t now_ms)
{
    struct flow_user *user = loser(nat, w);
    uint32_t oldest = user->oldest[HALF_OPENING];

    if (oldest == FLOW_NONE)
        oldest = user->oldest[HALF_ONE_WAY];
    note_pressure(nat, w, user, oldest == FLOW_NONE);
    if (oldest == FLOW_NONE)
        return false;
    evict(nat, w, oldest, now_ms);
    return true;
}

int share_flow(struct nat *nat, uint8_t zone, be32 ip, bool in, uint32_t now_ms,
               enum drop_reason *why)
{
    struct flow_table *t = &nat->flows;
    uint16_t id = flow_user_take(&t->users, &t->key, zone, ip, FLOW_USER_REST);
    const struct want w = {
        .self = &t->users.user[id],
        .zone = zone,
        .in = in,
        .weight = WEIGHT_BOTH,
        .room = t->capacity - t->live,
        .has = t->users.user[id].flows,
        .net_has = t->users.network[zone].flows,
        .max = nat->limits[zone].host_flows,
        .net_max = nat->limits[zone].flows,
    };

    if (LIKELY(is_granted(nat, &w)) || make_room_for_flow(nat, &w, now_ms))
        return id;
    *why = w.room == 0 ? DROP_FLOWS_FULL : DROP_SHARE;
    t->refused++;
    flow_user_drop(&t->users, &t->key, id);
    return -1;
}

/* ---- ports ---- */

/* The oldest of a host's half-open flows with which a port of this protocol goes; or FLOW_NONE. */
static uint32_t oldest_alone(const struct nat *nat, const struct flow_user *user, uint8_t proto)
{
    const struct flow_table *t = &nat->flows;
    uint32_t first = user->oldest[proto == IP_PROTO_TCP ? HALF_OPENING : HALF_ONE_WAY], id = first;

    for (unsigned i = 0; i < WALK && id != FLOW_NONE; i++) {
        uint32_t mapping = t->cold[id].mapping;
        if (t->flows[id].proto == proto && mapping != FLOW_NONE &&
            nat->mappings[mapping].flows == 1)
            return id;
        id = t->cold[id].half_next;
        if (id == first)
            break;
    }
    return FLOW_NONE;
}

static bool make_room_for_port(struct nat *nat, const struct want *w, uint8_t proto,
                               uint32_t now_ms)
{
    struct flow_user *user = loser(nat, w);
    uint32_t oldest = oldest_alone(nat, user, proto);

    if (oldest == FLOW_NONE) {
        user = w->self;
        oldest = oldest_alone(nat, user, proto);
    }
    note_pressure(nat, w, user, oldest == FLOW_NONE);
    if (oldest == FLOW_NONE)
        return false;
    evict(nat, w, oldest, now_ms);
    return true;
}

bool share_port(struct nat *nat, uint16_t user, const struct flow_tuple *k, uint32_t now_ms,
                enum drop_reason *why)
{
    struct flow_users *users = &nat->flows.users;
    unsigned number = mapping_pool_number(k->proto);
    const struct port_pool *pool = &nat->pools[number];
    bool low = k->sport != 0 && ntoh16(k->sport) < PORT_POOL_FIRST;
    const struct want w = {
        .self = &users->user[user],
        .zone = k->zone,
        .weight = k->proto == IP_PROTO_TCP ? HALF_OPENING : HALF_ONE_WAY,
        .room = pool->free_count - (low ? 0 : pool->free_low) + nat->resting[number].count,
        .has = users->user[user].ports[number],
        .net_has = users->network[k->zone].ports[number],
        .max = UINT32_MAX,
        .net_max = UINT32_MAX,
    };

    if (LIKELY(is_granted(nat, &w)) || make_room_for_port(nat, &w, k->proto, now_ms))
        return true;
    *why = w.room == 0 ? DROP_PORTS_FULL : DROP_SHARE;
    return false;
}
