/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The translator's slow path: start, forwards, opening flows, expiry; see nat.h for how it works.
 * What every packet costs is in nat_apply.c.
 */
#include "net/nat.h"
#include "net/nat_forward.h"
#include "net/nat_mapping.h"
#include "net/nat_reset.h"
#include "net/nat_share.h"
#include "net/nat_track.h"

/* Ports of a protocol that the last resort leaves free: which it takes is strangers' to say, and
 * half of all are for the hosts that speak themselves. */
#define LAST_RESORT_LEAVES 32768

/* RFC 4787, REQ-5; RFC 5382, REQ-5; RFC 5508, REQ-2 */
static const uint32_t default_timeout_ms[FLOW_STATE_COUNT] = {
    [FLOW_UDP_ONE_WAY] = 120 * 1000, [FLOW_UDP_STREAM] = 300 * 1000,
    [FLOW_TCP_OPENING] = 240 * 1000, [FLOW_TCP_ESTABLISHED] = 7440 * 1000,
    [FLOW_TCP_ENDING] = 7440 * 1000, [FLOW_TCP_CLOSING] = 240 * 1000,
    [FLOW_ICMP] = 60 * 1000,
};

size_t nat_bytes(uint32_t flow_capacity)
{
    return sizeof(struct nat) + flow_table_bytes(flow_capacity) + mapping_bytes(flow_capacity) +
           forward_bytes();
}

size_t nat_filter_bytes(uint32_t flow_capacity)
{
    return permit_bytes(flow_capacity);
}

static void pool_seed(uint64_t seed[2], unsigned pool, uint64_t random, const struct hash_key *key)
{
    seed[0] = random + pool;
    seed[1] = hash_mix(random, key->k[pool]);
}

void nat_reseed(struct nat *nat, uint64_t random, const struct hash_key *key)
{
    for (unsigned i = 0; i < ARRAY_COUNT(nat->pools); i++) {
        uint64_t seed[2];
        pool_seed(seed, i, random, key);
        port_pool_reseed(&nat->pools[i], seed);
    }
}

int nat_init(struct nat *nat, const struct nat_params *params, alloc_fn alloc)
{
    memset(nat, 0, sizeof(*nat));
    nat->key = params->key;
    int err = flow_table_init(&nat->flows, params->flow_capacity, &params->key, params->now_ms,
                              alloc, params->alloc_dirty ? params->alloc_dirty : alloc);
    if (err)
        return err;
    for (unsigned i = 0; i < FLOW_STATE_COUNT; i++)
        nat->flows.timeout_ms[i] =
            params->timeout_ms[i] ? params->timeout_ms[i] : default_timeout_ms[i];
    for (unsigned i = 0; i < ARRAY_COUNT(nat->pools); i++) {
        uint64_t seed[2];
        pool_seed(seed, i, params->random, &params->key);
        port_pool_init(&nat->pools[i], seed);
    }
    share_init(nat);
    err = mapping_init(nat, params->flow_capacity, alloc);
    nat->filtered_zones = params->filtered_zones;
    if (!err && nat->filtered_zones)
        err = permit_init(&nat->permits, params->flow_capacity, &params->key, alloc);
    return err ? err : forward_init(nat, alloc);
}

/* ---- ends of flows ---- */

struct moment {
    struct nat *nat;
    uint32_t now_ms;
};

static void flow_gone(void *arg, struct flow *f)
{
    const struct moment *moment = arg;
    mapping_leave_to_rest(moment->nat, f, moment->now_ms);
}

void nat_end(struct nat *nat, struct flow *f)
{
    mapping_leave(nat, f);
    flow_destroy(&nat->flows, f);
}

unsigned nat_tick(struct nat *nat, uint32_t now_ms, unsigned budget)
{
    struct moment moment = {nat, now_ms};

    reset_tick(nat, now_ms);
    unsigned looked_at = flow_expire(&nat->flows, now_ms, budget, flow_gone, &moment);
    return looked_at + mapping_tick(nat, now_ms, budget - looked_at);
}

uint32_t nat_next_ms(const struct nat *nat, uint32_t now_ms)
{
    return MIN(flow_next_deadline_ms(&nat->flows, now_ms), mapping_next_ms(nat, now_ms));
}

/* ---- forwards and the router's own ports ---- */

struct forward_list {
    const struct nat_forward *forwards;
    unsigned count;
};

static bool is_wanted(const struct nat_mapping *m, const void *arg)
{
    const struct forward_list *list = arg;
    return forward_wants(list->forwards, list->count, m->proto, m->out_port);
}

/* Flows of hosts whose outside port is to be forwarded; their mappings go with them. */
static void end_in_the_way(struct nat *nat, const struct nat_forward *forwards, unsigned count)
{
    for (uint32_t i = 0; i < nat->flows.fresh; i++) {
        struct flow *f = &nat->flows.flows[i];
        if (f->state != FLOW_FREE && flow_cold(&nat->flows, f)->mapping != FLOW_NONE &&
            forward_wants(forwards, count, f->proto, f->out_port))
            nat_end(nat, f);
    }
    mapping_end_rest(nat, is_wanted, &(struct forward_list){forwards, count});
}

/* Flows that lead through a forward that is no more, or leads elsewhere now. */
static void end_orphans(struct nat *nat)
{
    for (uint32_t i = 0; i < nat->flows.fresh; i++) {
        struct flow *f = &nat->flows.flows[i];
        if (f->state == FLOW_FREE || flow_cold(&nat->flows, f)->mapping != FLOW_NONE ||
            (f->flags & FLOW_PLAIN) || nat_goes_by_address(f->proto))
            continue;
        struct flow_tuple in = flow_tuple_of(f, FLOW_IN);
        const struct nat_forward *fwd = forward_find_outside(nat, &in);
        if (!fwd || !forward_leads_to(fwd, f))
            nat_end(nat, f);
    }
}

unsigned nat_set_forwards(struct nat *nat, const struct nat_forward *forwards, unsigned count)
{
    bool had_some = nat->forward_count > 0;

    end_in_the_way(nat, forwards, count);
    unsigned in_force = forward_set(nat, forwards, count);
    if (had_some)
        end_orphans(nat);
    return in_force;
}

/* True if it is of the host that the last resort leads to, by the port that leads there. */
static bool is_last_resorts(const struct nat *nat, const struct nat_mapping *m)
{
    const struct nat_forward *fwd = nat->last_resort;

    return fwd && (fwd->bind_ip == 0 || fwd->bind_ip == nat->outside_ip) &&
           m->in_ip == fwd->targets[0] && m->zone == fwd->zone && m->in_port == m->out_port;
}

bool nat_claims(const struct nat *nat, uint8_t proto, be16 port)
{
    if (forward_claims(nat, proto, port))
        return true;
    const struct nat_mapping *m = mapping_find_outside(nat, proto, port);
    return m && (!mapping_rests(m) || is_last_resorts(nat, m));
}

be16 nat_reserve(struct nat *nat, uint8_t proto)
{
    uint16_t port = port_pool_take_random(mapping_pool(nat, proto));

    while (port == 0 && mapping_cut_short(nat, proto, false))
        port = port_pool_take_random(mapping_pool(nat, proto));
    return hton16(port);
}

bool nat_reserve_port(struct nat *nat, uint8_t proto, be16 port)
{
    struct nat_mapping *m = mapping_find_outside(nat, proto, port);

    if (m && mapping_rests(m))
        mapping_destroy(nat, m);
    return port_pool_take_exact(mapping_pool(nat, proto), ntoh16(port));
}

void nat_release(struct nat *nat, uint8_t proto, be16 port)
{
    port_pool_release(mapping_pool(nat, proto), ntoh16(port));
}

/* ---- finding and opening flows ---- */

struct flow *nat_find_again(struct nat *nat, struct nat_job *job)
{
    enum flow_dir dir = (enum flow_dir)job->dir;
    bool echo = job->key.proto == IP_PROTO_ICMP; /* its hash may be spoilt: nat_key() */
    uint32_t hash = echo ? flow_hash(&nat->flows, &job->key) : job->hash;
    struct flow *f = flow_find_either(&nat->flows, &job->key, hash, &dir);

    if (!f || (echo && !track_echo_fits(f, job->v.icmp_type, dir)))
        return NULL;
    job->dir = (uint8_t)dir;
    return f;
}

static inline bool can_translate(uint8_t proto)
{
    return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP || proto == IP_PROTO_ICMP ||
           nat_goes_by_address(proto);
}

static inline enum drop_reason check_out(const struct view *v)
{
    if (!can_translate(v->proto))
        return DROP_PROTOCOL;
    return v->proto == IP_PROTO_ICMP && v->icmp_type != ICMP_ECHO ? DROP_UNSOLICITED : DROP_NONE;
}

enum drop_reason nat_check_out(const struct view *v)
{
    return check_out(v);
}

/* A flow that begins in the middle of a connection: the router was restarted. */
static bool is_pick_up(const struct view *v, enum flow_state state)
{
    return state == FLOW_TCP_OPENING && !(v->tcp_flags & TCP_SYN);
}

/* An outbound flow by this outside port; NULL: its remote end has one by that port already, or the
 * index has no room. */
static struct flow *create_out(struct nat *nat, const struct nat_job *job, be16 out_port,
                               uint16_t user, enum flow_state state, uint32_t now_ms)
{
    const struct flow_tuple *k = &job->key;
    struct flow like = {
        .in_ip = k->src,
        .rem_ip = k->dst,
        .out_ip = nat->outside_ip,
        .in_port = k->sport,
        .rem_port = k->dport,
        .out_port = out_port,
        .proto = k->proto,
        .user = user,
        .zone = k->zone,
        .rem_zone = NETWORK_UPLINK,
    };
    return flow_create(&nat->flows, &like, state, now_ms);
}

/* An outbound flow of a protocol that goes by addresses. */
static struct flow *open_to_peer(struct nat *nat, const struct nat_job *job, uint16_t user,
                                 enum flow_state state, uint32_t now_ms, enum drop_reason *why)
{
    struct flow *f = create_out(nat, job, 0, user, state, now_ms);

    if (!f)
        *why = DROP_PEER_TAKEN;
    return f;
}

/* An outbound flow through a mapping, made if there is none. */
static struct flow *open_mapped(struct nat *nat, const struct nat_job *job, uint16_t user,
                                enum flow_state state, uint32_t now_ms, enum drop_reason *why)
{
    const struct flow_tuple *k = &job->key;
    uint32_t hash = mapping_hash(nat, k);
    struct nat_mapping *m = mapping_find_inside(nat, k, hash);

    if ((!m || mapping_rests(m)) && !share_port(nat, user, k, now_ms, why))
        return NULL;
    if (!m)
        m = mapping_create(nat, k, hash, user, why);
    if (!m)
        return NULL;
    struct flow *f = create_out(nat, job, m->out_port, user, state, now_ms);
    if (!f) {
        mapping_unused(nat, m);
        *why = DROP_PORTS_FULL;
        return NULL;
    }
    mapping_join(nat, m, f, true);
    return f;
}

struct flow *nat_open_out(struct nat *nat, const struct nat_job *job, uint32_t now_ms,
                          enum drop_reason *why)
{
    const struct flow_tuple *k = &job->key;
    uint16_t tcp_seen;
    enum flow_state state = track_first(&job->v, FLOW_OUT, true, &tcp_seen);

    *why = job->v.fragment == FRAGMENT_LATER ? DROP_FRAGMENT : check_out(&job->v);
    if (*why == DROP_NONE)
        *why = nat->outside_ip == 0                       ? DROP_NO_UPLINK
               : reset_is_left_over(nat, &job->v, now_ms) ? DROP_MOVED
               : state == FLOW_FREE                       ? DROP_UNSOLICITED
                                                          : DROP_NONE;
    if (*why != DROP_NONE)
        return NULL;
    int user = share_flow(nat, k->zone, k->src, false, now_ms, why);
    if (user < 0)
        return NULL;

    /* A host behind a forward keeps its port; unless another such host is there already, in a
     * conversation with the same remote end. */
    const struct nat_forward *fwd = forward_find_inside(nat, k);
    struct flow *f =
        fwd ? create_out(nat, job, forward_out_port(fwd, k->sport), (uint16_t)user, state, now_ms)
            : NULL;
    if (!f)
        f = nat_goes_by_address(k->proto)
                ? open_to_peer(nat, job, (uint16_t)user, state, now_ms, why)
                : open_mapped(nat, job, (uint16_t)user, state, now_ms, why);
    if (!f) {
        flow_user_drop(&nat->flows.users, &nat->flows.key, (uint16_t)user);
        return NULL;
    }
    f->tcp_seen = tcp_seen;
    nat->counters.picked_up += is_pick_up(&job->v, state);
    return f;
}

/* A flow to an inside end, opened from outside or not translated, if its host may have one more.
 * Nobody is to make room for what cannot be. */
static struct flow *create_shared(struct nat *nat, struct flow *like, bool in,
                                  enum flow_state state, uint32_t now_ms, enum drop_reason *why)
{
    int user = flow_may_be(&nat->flows, like)
                   ? share_flow(nat, like->zone, like->in_ip, in, now_ms, why)
                   : -1;

    if (user < 0)
        return NULL;
    like->user = (uint16_t)user;
    struct flow *f = flow_create(&nat->flows, like, state, now_ms);
    if (!f)
        flow_user_drop(&nat->flows.users, &nat->flows.key, like->user);
    return f;
}

/* An inbound flow to this endpoint inside; NULL: the same two ends have a flow already, by another
 * outside port, or *why. */
static struct flow *create_in(struct nat *nat, const struct nat_job *job, be32 in_ip, be16 in_port,
                              uint8_t zone, enum flow_state state, uint32_t now_ms,
                              enum drop_reason *why)
{
    const struct flow_tuple *k = &job->key;
    struct flow like = {
        .in_ip = in_ip,
        .rem_ip = k->src,
        .out_ip = k->dst,
        .in_port = in_port,
        .rem_port = k->sport,
        .out_port = k->dport,
        .proto = k->proto,
        .zone = zone,
        .rem_zone = NETWORK_UPLINK,
    };
    return create_shared(nat, &like, true, state, now_ms, why);
}

void nat_set_answers(struct nat *nat, nat_answers_fn answers, void *arg)
{
    nat->answers = answers;
    nat->answers_arg = arg;
}

static bool answers(const struct nat *nat, const struct nat_forward *fwd, unsigned target)
{
    return fwd->target_count == 1 || !nat->answers || nat->answers(nat->answers_arg, fwd, target);
}

bool nat_is_stranded(const struct nat *nat, const struct flow *f)
{
    struct flow_tuple in = flow_tuple_of(f, FLOW_IN);
    const struct nat_forward *fwd =
        f->packets[FLOW_OUT] == 0 ? forward_find_outside(nat, &in) : NULL;
    bool silent = false, other = false;

    for (unsigned t = 0; fwd && t < fwd->target_count; t++) {
        if (fwd->targets[t] == f->in_ip)
            silent = !answers(nat, fwd, t);
        else if (!other)
            other = answers(nat, fwd, t);
    }
    return silent && other;
}

/* The targets take turns; one that has a flow with this remote end already is passed over, and so
 * are those that do not answer, until all have been tried. */
static struct flow *open_forwarded(struct nat *nat, const struct nat_job *job,
                                   const struct nat_forward *fwd, enum flow_state state,
                                   uint32_t now_ms, enum drop_reason *why)
{
    uint8_t *turn = &nat->forward_turn[fwd - nat->forwards];
    be16 port = forward_in_port(fwd, job->key.dport);
    struct flow *f = NULL;

    for (unsigned i = 0; i < 2u * fwd->target_count && !f; i++) {
        unsigned target = *turn;
        *turn = (uint8_t)((target + 1) % fwd->target_count);
        if (i >= fwd->target_count || answers(nat, fwd, target))
            f = create_in(nat, job, fwd->targets[target], port, fwd->zone, state, now_ms, why);
    }
    if (f && fwd->target_count > 1)
        f->flags |= FLOW_IN_TURN;
    return f;
}

/* Where a new conversation from outside leads: through fwd, or through m, or through a mapping that
 * is to be made for the endpoint in inside. */
struct way_in {
    const struct nat_forward *fwd;
    struct nat_mapping *m;
    struct flow_tuple inside;
    bool last_resort; /* m, or inside, is that of the last resort */
};

/* False: nowhere, and *why. What the last resort takes in has a mapping, as if the host there had
 * spoken first, so that nobody else, and not the router, can come by the port meanwhile. If its
 * endpoint is mapped already, to another port, because somebody had this one then, it has two
 * mappings from now on: its answers leave by the port that was called, what it opens itself by the
 * first one. */
static bool find_way_in(struct nat *nat, const struct flow_tuple *k, struct way_in *way,
                        enum drop_reason *why)
{
    *why = DROP_UNSOLICITED;
    memset(way, 0, sizeof(*way));
    way->fwd = forward_find_outside(nat, k);
    if (way->fwd)
        return true;
    way->last_resort = forward_last_resort(nat, k, &way->inside);
    way->m = mapping_find_outside(nat, k->proto, k->dport);
    if (way->m) {
        way->last_resort &= mapping_is_of(way->m, &way->inside);
        if (way->last_resort || mapping_rests(way->m) || way->m->holders == 0)
            return way->last_resort;
        bool admitted = mapping_admits(nat, way->m, k->src);
        if (!admitted)
            *why = DROP_FILTERED;
        return admitted;
    }
    return way->last_resort && !port_pool_is_taken(mapping_pool(nat, k->proto), ntoh16(k->dport));
}

/* The mapping of the last resort's endpoint to its own port, which is free. */
static struct nat_mapping *map_last_resort(struct nat *nat, const struct flow_tuple *inside,
                                           enum drop_reason *why)
{
    struct port_pool *pool = mapping_pool(nat, inside->proto);
    uint16_t port = ntoh16(inside->sport);

    if (pool->free_count + mapping_resting(nat, inside->proto, true) <= LAST_RESORT_LEAVES ||
        !port_pool_take_exact(pool, port)) {
        *why = DROP_PORTS_FULL;
        return NULL;
    }
    struct nat_mapping *m =
        mapping_create_at(nat, inside, mapping_hash(nat, inside), port, FLOW_USER_REST);
    if (!m) {
        port_pool_release(pool, port);
        *why = DROP_FLOWS_FULL;
    }
    return m;
}

static struct flow *open_way_in(struct nat *nat, const struct nat_job *job, struct way_in *way,
                                enum flow_state state, uint32_t now_ms, enum drop_reason *why)
{
    if (way->fwd)
        return open_forwarded(nat, job, way->fwd, state, now_ms, why);
    struct nat_mapping *m = way->m ? way->m : map_last_resort(nat, &way->inside, why);
    if (!m)
        return NULL;
    /* It is kept meanwhile: the flow that makes room may be its last one. */
    bool kept = !mapping_rests(m);
    m->flows += kept;
    struct flow *f = create_in(nat, job, m->in_ip, m->in_port, m->zone, state, now_ms, why);
    m->flows -= kept;
    if (f)
        mapping_join(nat, m, f, false);
    else
        mapping_unused(nat, m);
    return f;
}

struct flow *nat_open_in(struct nat *nat, const struct nat_job *job, uint32_t now_ms,
                         enum drop_reason *why)
{
    const struct flow_tuple *k = &job->key;
    struct way_in way;
    uint16_t tcp_seen;

    *why = job->v.fragment == FRAGMENT_LATER ? DROP_FRAGMENT
           : !can_translate(k->proto)        ? DROP_PROTOCOL
                                             : DROP_UNSOLICITED;
    if (*why != DROP_UNSOLICITED || k->dst != nat->outside_ip || k->proto == IP_PROTO_ICMP ||
        nat_goes_by_address(k->proto) || !find_way_in(nat, k, &way, why))
        return NULL;
    bool pick_up = way.fwd || way.last_resort;
    enum flow_state state = track_first(&job->v, FLOW_IN, pick_up, &tcp_seen);
    if (state == FLOW_FREE)
        return NULL;
    struct flow *f = open_way_in(nat, job, &way, state, now_ms, why);
    if (!f)
        return NULL;
    f->tcp_seen = tcp_seen;
    f->flags |= FLOW_OPENED_IN;
    nat->counters.picked_up += is_pick_up(&job->v, state);
    nat->counters.hairpins += k->src == nat->outside_ip;
    *why = DROP_NONE;
    return f;
}

struct flow *nat_open_plain(struct nat *nat, const struct nat_job *job, uint8_t to, uint32_t now_ms,
                            enum drop_reason *why)
{
    const struct flow_tuple *k = &job->key;
    bool in = job->dir == FLOW_IN;
    uint16_t tcp_seen;
    enum flow_state state = track_first(&job->v, (enum flow_dir)job->dir, true, &tcp_seen);

    *why = job->v.fragment == FRAGMENT_LATER ? DROP_FRAGMENT
           : state == FLOW_FREE              ? DROP_UNSOLICITED
                                             : DROP_NONE;
    if (*why != DROP_NONE)
        return NULL;
    struct flow like = {
        .in_ip = in ? k->dst : k->src,
        .rem_ip = in ? k->src : k->dst,
        .out_ip = in ? k->dst : k->src,
        .in_port = in ? k->dport : k->sport,
        .rem_port = in ? k->sport : k->dport,
        .out_port = in ? k->dport : k->sport,
        .proto = k->proto,
        .zone = in ? to : k->zone,
        .rem_zone = in ? k->zone : to,
    };
    /* If there is room: between these two there is a flow already, whose other end is in another
     * zone, or whose pings with identifier 0 go the other way. */
    *why = DROP_UNSOLICITED;
    struct flow *f = create_shared(nat, &like, in, state, now_ms, why);
    if (!f)
        return NULL;
    *why = DROP_NONE;
    f->tcp_seen = tcp_seen;
    f->flags |= FLOW_PLAIN | (in ? FLOW_OPENED_IN : 0);
    nat->counters.picked_up += is_pick_up(&job->v, state);
    return f;
}
