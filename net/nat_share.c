/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shares; see nat_share.h.
 */
#include "net/nat_share.h"
#include "net/nat_mapping.h"

#define LOOKED_AT 32 /* accounts a question */
#define WALK      32 /* flows of a list looked at for one whose end frees a port */

/* By what hosts are compared: flows to spare of TCP, of other protocols, or all. */
enum weight { WEIGHT_TCP, WEIGHT_OTHERS, WEIGHT_ALL, WEIGHTS };
static_assert(WEIGHTS == NAT_SHARE_WEIGHTS, "the heaviest by each are remembered");

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

static uint32_t weigh(const uint32_t spare[SPARE_COUNT], unsigned weight)
{
    uint32_t tcp = spare[SPARE_CLOSING] + spare[SPARE_OPENING];
    return (weight != WEIGHT_OTHERS ? tcp : 0) + (weight != WEIGHT_TCP ? spare[SPARE_ONE_WAY] : 0);
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
        if (known->zone != user->zone || weigh(known->spare, w) < weigh(user->spare, w))
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

/* Of this network, or NULL if nobody is known who has anything to spare. */
static struct flow_user *heaviest_of(const struct nat *nat, unsigned zone, unsigned weight)
{
    struct flow_user *user = &nat->flows.users.user[nat->heaviest[zone][weight]];
    return user->zone == zone && weigh(user->spare, weight) > 0 ? user : NULL;
}

/* The network that has most flows to spare, and a host to answer for them. */
static unsigned heaviest_network(const struct nat *nat, unsigned own, unsigned weight)
{
    const struct flow_network *network = nat->flows.users.network;
    unsigned best = own;

    for (unsigned zone = 0; zone < FLOW_USER_NETWORKS; zone++)
        if (weigh(network[zone].spare, weight) > weigh(network[best].spare, weight) &&
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
static inline bool network_may(const struct nat *nat, const struct want *w, uint64_t room)
{
    bool alone = !(nat->limited & (nat->limited - 1));
    return w->net_has < w->net_max && (alone || is_below(w->net_has, room));
}

/* What is free for the hosts of the network. */
static uint32_t network_room(const struct want *w)
{
    return w->net_has < w->net_max ? MIN(w->room, w->net_max - w->net_has) : 0;
}

static inline bool is_granted(const struct nat *nat, const struct want *w)
{
    return w->has < w->max && network_may(nat, w, w->room) && is_below(w->has, network_room(w));
}

/* Whose flow is to make room. What can be spared counts as free here: so who completes
 * its flows can have all but a share of what attempts take. Another network has to only if it is
 * not the limit of the own one that stands in the way. */
static struct flow_user *loser(struct nat *nat, const struct want *w)
{
    const struct flow_users *users = &nat->flows.users;
    uint64_t spare = weigh(users->spare, w->weight);
    uint64_t net_spare = weigh(users->network[w->zone].spare, w->weight);
    unsigned zone = w->zone;

    if (w->in || w->has >= w->max)
        return w->self;
    look_around(nat);
    if (network_may(nat, w, w->room + spare) && is_below(w->has, w->net_max - w->net_has))
        zone = heaviest_network(nat, zone, w->weight);
    uint64_t room = zone == w->zone ? network_room(w) + net_spare : w->room + spare;
    struct flow_user *user = heaviest_of(nat, zone, w->weight);
    if (!user || !is_below(w->has, room))
        return w->self;
    return zone != w->zone || weigh(user->spare, w->weight) > weigh(w->self->spare, w->weight)
               ? user
               : w->self;
}

/* What it is that stands in the way of who wants something. */
static enum nat_limit limit_of(const struct want *w)
{
    return w->weight != WEIGHT_ALL                                           ? NAT_LIMIT_PORTS
           : w->has >= w->max                                                ? NAT_LIMIT_HOST
           : !is_below(w->has, network_room(w)) && is_below(w->has, w->room) ? NAT_LIMIT_NETWORK
                                                                             : NAT_LIMIT_FLOWS;
}

/* For the log. */
static void note_pressure(struct nat *nat, const struct want *w, const struct flow_user *user,
                          bool refused)
{
    /* FLOW_USER_REST has none. */
    uint8_t zone = user->zone < FLOW_USER_NETWORKS ? user->zone : w->zone;

    nat->counters.refused += refused;
    nat->pressure = (struct nat_pressure){
        .ip = user->ip,
        .flows = user->flows,
        .ports = (uint32_t)user->ports[0] + user->ports[1] + user->ports[2],
        .zone = zone,
        .net_flows = nat->flows.users.network[zone].flows,
        .limit = (uint8_t)limit_of(w),
        .refused = refused,
    };
}

/* Ends a flow that can be spared. The account of who wants another must not go with it. */
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
    uint32_t oldest = FLOW_NONE;

    for (unsigned spare = 0; spare < SPARE_COUNT && oldest == FLOW_NONE; spare++)
        oldest = user->oldest[spare];
    note_pressure(nat, w, user, oldest == FLOW_NONE);
    if (oldest == FLOW_NONE)
        return false;
    evict(nat, w, oldest, now_ms);
    return true;
}

/* Built twice where it is needed, so that the usual case, which is granted, has it in registers. */
static inline struct want want_flow(struct nat *nat, uint16_t user, uint8_t zone, bool in)
{
    struct flow_table *t = &nat->flows;

    return (struct want){
        .self = &t->users.user[user],
        .zone = zone,
        .in = in,
        .weight = WEIGHT_ALL,
        .room = t->capacity - t->live,
        .has = t->users.user[user].flows,
        .net_has = t->users.network[zone].flows,
        .max = nat->limits[zone].host_flows,
        .net_max = nat->limits[zone].flows,
    };
}

static __attribute__((noinline)) int share_short_flow(struct nat *nat, uint16_t user, uint8_t zone,
                                                      bool in, uint32_t now_ms,
                                                      enum drop_reason *why)
{
    struct flow_table *t = &nat->flows;
    const struct want w = want_flow(nat, user, zone, in);

    if (make_room_for_flow(nat, &w, now_ms))
        return user;
    *why = w.room == 0 ? DROP_FLOWS_FULL : DROP_SHARE;
    t->refused++;
    flow_user_drop(&t->users, &t->key, user);
    return -1;
}

int share_flow(struct nat *nat, uint8_t zone, be32 ip, bool in, uint32_t now_ms,
               enum drop_reason *why)
{
    uint16_t user = flow_user_find(&nat->flows.users, &nat->flows.key, zone, ip);
    const struct want w = want_flow(nat, user, zone, in);

    return LIKELY(is_granted(nat, &w)) ? user : share_short_flow(nat, user, zone, in, now_ms, why);
}

/* ---- ports ---- */

/* The oldest flow in this list with which a port of this protocol goes; or FLOW_NONE. */
static uint32_t oldest_in(const struct nat *nat, uint32_t first, uint8_t proto)
{
    const struct flow_table *t = &nat->flows;
    uint32_t id = first;

    for (unsigned i = 0; i < WALK && id != FLOW_NONE; i++) {
        uint32_t mapping = t->cold[id].mapping;
        if (t->flows[id].proto == proto && mapping != FLOW_NONE &&
            nat->mappings[mapping].flows == 1)
            return id;
        id = t->cold[id].spare_next;
        if (id == first)
            break;
    }
    return FLOW_NONE;
}

/* The same of all that a host can spare. */
static uint32_t oldest_alone(const struct nat *nat, const struct flow_user *user, uint8_t proto)
{
    if (proto != IP_PROTO_TCP)
        return oldest_in(nat, user->oldest[SPARE_ONE_WAY], proto);
    uint32_t closing = oldest_in(nat, user->oldest[SPARE_CLOSING], proto);
    return closing != FLOW_NONE ? closing : oldest_in(nat, user->oldest[SPARE_OPENING], proto);
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

static inline struct want want_port(struct nat *nat, uint16_t user, const struct flow_tuple *k)
{
    struct flow_users *users = &nat->flows.users;
    unsigned number = mapping_pool_number(k->proto);
    const struct port_pool *pool = &nat->pools[number];
    bool low = port_pool_is_low(ntoh16(k->sport));

    return (struct want){
        .self = &users->user[user],
        .zone = k->zone,
        .weight = k->proto == IP_PROTO_TCP ? WEIGHT_TCP : WEIGHT_OTHERS,
        .room = pool->free_count - (low ? 0 : pool->free_low) + mapping_resting(nat, k->proto, low),
        .has = users->user[user].ports[number],
        .net_has = users->network[k->zone].ports[number],
        .max = UINT32_MAX,
        .net_max = UINT32_MAX,
    };
}

static __attribute__((noinline)) bool share_short_port(struct nat *nat, uint16_t user,
                                                       const struct flow_tuple *k, uint32_t now_ms,
                                                       enum drop_reason *why)
{
    const struct want w = want_port(nat, user, k);

    if (make_room_for_port(nat, &w, k->proto, now_ms))
        return true;
    *why = w.room == 0 ? DROP_PORTS_FULL : DROP_SHARE;
    return false;
}

bool share_port(struct nat *nat, uint16_t user, const struct flow_tuple *k, uint32_t now_ms,
                enum drop_reason *why)
{
    const struct want w = want_port(nat, user, k);

    return LIKELY(is_granted(nat, &w)) || share_short_port(nat, user, k, now_ms, why);
}
