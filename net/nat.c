/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The translator's slow path: start, forwards, opening flows, expiry; see nat.h for how it works.
 * What every packet costs is in nat_apply.c.
 */
#include "net/nat.h"
#include "net/nat_mapping.h"
#include "net/nat_track.h"

/* RFC 4787, REQ-5; RFC 5382, REQ-5; RFC 5508, REQ-2 */
static const uint32_t default_timeout_ms[FLOW_STATE_COUNT] = {
    [FLOW_UDP_ONE_WAY] = 120 * 1000, [FLOW_UDP_STREAM] = 300 * 1000,
    [FLOW_TCP_OPENING] = 240 * 1000, [FLOW_TCP_ESTABLISHED] = 7440 * 1000,
    [FLOW_TCP_CLOSING] = 240 * 1000, [FLOW_ICMP] = 60 * 1000,
};

size_t nat_bytes(uint32_t flow_capacity)
{
    return sizeof(struct nat) + flow_table_bytes(flow_capacity) + mapping_bytes(flow_capacity);
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
        const uint64_t seed[2] = {params->random + i, hash_mix(params->random, params->key.k[i])};
        port_pool_init(&nat->pools[i], seed);
    }
    return mapping_init(nat, params->flow_capacity, alloc);
}

/* ---- ends of flows ---- */

static void flow_gone(void *arg, struct flow *f)
{
    mapping_leave(arg, f);
}

void nat_end(struct nat *nat, struct flow *f)
{
    mapping_leave(nat, f);
    flow_destroy(&nat->flows, f);
}

unsigned nat_tick(struct nat *nat, uint32_t now_ms, unsigned budget)
{
    return flow_expire(&nat->flows, now_ms, budget, flow_gone, nat);
}

void nat_set_outside(struct nat *nat, be32 ip, uint32_t now_ms)
{
    (void)now_ms;
    nat->outside_ip = ip;
    for (uint32_t i = 0; i < nat->flows.fresh; i++) {
        struct flow *f = &nat->flows.flows[i];
        if (f->state != FLOW_FREE && f->out_ip != ip && !(f->flags & FLOW_PLAIN))
            nat_end(nat, f);
    }
}

/* ---- forwards and the router's own ports ---- */

static void end_flows_of(struct nat *nat, uint32_t mapping)
{
    for (uint32_t i = 0; i < nat->flows.fresh; i++) {
        struct flow *f = &nat->flows.flows[i];
        if (f->state != FLOW_FREE && f->mapping == mapping)
            nat_end(nat, f);
    }
}

/* Flows that lead through a forward that is no more, or leads elsewhere now. */
static void end_orphans(struct nat *nat)
{
    for (uint32_t i = 0; i < nat->flows.fresh; i++) {
        struct flow *f = &nat->flows.flows[i];
        if (f->state == FLOW_FREE || f->mapping != FLOW_NONE || (f->flags & FLOW_PLAIN))
            continue;
        struct flow_tuple in = flow_tuple_of(f, FLOW_IN);
        struct nat_mapping *m = mapping_find_open(nat, &in);
        if (!m || m->in_ip != f->in_ip || m->in_port != f->in_port || m->zone != f->zone)
            nat_end(nat, f);
    }
}

unsigned nat_set_forwards(struct nat *nat, const struct nat_forward *forwards, unsigned count)
{
    unsigned in_force = 0;
    bool had_some = nat->forward_count > 0;

    CHECK(count <= NAT_MAX_FORWARDS);
    for (unsigned i = 0; i < nat->forward_count; i++)
        mapping_destroy_forward(nat, i);

    nat->forwards = forwards;
    nat->forward_count = count;
    for (unsigned i = 0; i < count; i++) {
        const struct nat_mapping *m =
            mapping_find_outside(nat, forwards[i].proto, forwards[i].port);
        if (m && m->forward == MAPPING_NO_FORWARD)
            end_flows_of(nat, mapping_id(nat, m));
        in_force += mapping_create_forward(nat, i);
    }
    if (had_some)
        end_orphans(nat);
    return in_force;
}

bool nat_claims(const struct nat *nat, uint8_t proto, be16 port)
{
    return mapping_find_outside(nat, proto, port) != NULL;
}

be16 nat_reserve(struct nat *nat, uint8_t proto)
{
    return hton16(port_pool_take_random(mapping_pool(nat, proto)));
}

bool nat_reserve_port(struct nat *nat, uint8_t proto, be16 port)
{
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

static bool can_translate(uint8_t proto)
{
    return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP || proto == IP_PROTO_ICMP;
}

enum drop_reason nat_check_out(const struct view *v)
{
    if (!can_translate(v->proto))
        return DROP_PROTOCOL;
    return v->proto == IP_PROTO_ICMP && v->icmp_type != ICMP_ECHO ? DROP_UNSOLICITED : DROP_NONE;
}

struct flow *nat_open_out(struct nat *nat, const struct nat_job *job, uint32_t now_ms,
                          enum drop_reason *why)
{
    const struct flow_tuple *k = &job->key;
    uint8_t tcp_seen;
    enum flow_state state = track_first(&job->v, FLOW_OUT, true, &tcp_seen);

    *why = job->v.fragment == FRAGMENT_LATER ? DROP_FRAGMENT : nat_check_out(&job->v);
    if (*why == DROP_NONE)
        *why = nat->outside_ip == 0                     ? DROP_NO_UPLINK
               : state == FLOW_FREE                     ? DROP_UNSOLICITED
               : nat->flows.live == nat->flows.capacity ? DROP_FLOWS_FULL
                                                        : DROP_NONE;
    if (*why != DROP_NONE) {
        nat->flows.refused += *why == DROP_FLOWS_FULL;
        return NULL;
    }

    struct nat_mapping *m = mapping_find_inside(nat, k);
    if (!m)
        m = mapping_create(nat, k, why);
    if (!m)
        return NULL;
    struct flow like = {
        .in_ip = k->src,
        .rem_ip = k->dst,
        .out_ip = nat->outside_ip,
        .in_port = k->sport,
        .rem_port = k->dport,
        .out_port = m->out_port,
        .proto = k->proto,
        .zone = k->zone,
        .rem_zone = NETWORK_UPLINK,
    };
    struct flow *f = flow_create(&nat->flows, &like, state, now_ms);
    if (!f) {
        /* Only if two forwards to one target are used by one remote end, or the index had no room.
         */
        if (m->forward == MAPPING_NO_FORWARD && m->flows == 0)
            mapping_destroy(nat, m);
        *why = DROP_PORTS_FULL;
        return NULL;
    }
    f->tcp_seen = tcp_seen;
    nat->counters.picked_up += state == FLOW_TCP_OPENING && !(job->v.tcp_flags & TCP_SYN);
    mapping_join(nat, m, f, true);
    return f;
}

struct flow *nat_open_in(struct nat *nat, const struct nat_job *job, uint32_t now_ms,
                         enum drop_reason *why)
{
    const struct flow_tuple *k = &job->key;
    uint8_t tcp_seen;

    *why = job->v.fragment == FRAGMENT_LATER ? DROP_FRAGMENT
           : !can_translate(k->proto)        ? DROP_PROTOCOL
                                             : DROP_UNSOLICITED;
    if (*why != DROP_UNSOLICITED || k->dst != nat->outside_ip || k->proto == IP_PROTO_ICMP)
        return NULL;
    struct nat_mapping *m = mapping_find_open(nat, k);
    if (!m)
        return NULL;
    bool is_forward = m->forward != MAPPING_NO_FORWARD;
    enum flow_state state = track_first(&job->v, FLOW_IN, is_forward, &tcp_seen);
    if (state == FLOW_FREE)
        return NULL;

    struct flow like = {
        .in_ip = m->in_ip,
        .rem_ip = k->src,
        .out_ip = k->dst,
        .in_port = m->in_port,
        .rem_port = k->sport,
        .out_port = k->dport,
        .proto = k->proto,
        .zone = m->zone,
        .rem_zone = NETWORK_UPLINK,
    };
    struct flow *f = flow_create(&nat->flows, &like, state, now_ms);
    if (!f) {
        /* Not full: the same two ends already have a flow, by another outside port. */
        if (nat->flows.live == nat->flows.capacity)
            *why = DROP_FLOWS_FULL;
        return NULL;
    }
    f->tcp_seen = tcp_seen;
    f->flags |= FLOW_OPENED_IN;
    nat->counters.picked_up += state == FLOW_TCP_OPENING && !(job->v.tcp_flags & TCP_SYN);
    nat->counters.hairpins += k->src == nat->outside_ip;
    mapping_join(nat, m, f, false);
    *why = DROP_NONE;
    return f;
}

struct flow *nat_open_plain(struct nat *nat, const struct nat_job *job, uint8_t to, uint32_t now_ms,
                            enum drop_reason *why)
{
    const struct flow_tuple *k = &job->key;
    bool in = job->dir == FLOW_IN;
    uint8_t tcp_seen;
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
    struct flow *f = flow_create(&nat->flows, &like, state, now_ms);
    if (!f) {
        /* Not full: between these two there is a flow already, whose other end is in another zone,
         * or whose pings with identifier 0 go the other way. */
        *why = nat->flows.live == nat->flows.capacity ? DROP_FLOWS_FULL : DROP_UNSOLICITED;
        return NULL;
    }
    f->tcp_seen = tcp_seen;
    f->flags = FLOW_PLAIN | (in ? FLOW_OPENED_IN : 0);
    nat->counters.picked_up += state == FLOW_TCP_OPENING && !(job->v.tcp_flags & TCP_SYN);
    return f;
}
