/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See naive_nat.h.
 */
#include "tests/model/naive_internal.h"
#include "tests/model/naive_packet.h"
#include "tests/model/naive_track.h"

/* ---- laws ---- */

static unsigned pool_of(unsigned proto)
{
    return proto == 6 ? 0 : proto == 17 ? 1 : 2;
}

void naive_check(struct naive_nat *n, bool lawful, const char *law)
{
    if (!lawful && !n->error)
        n->error = law;
}

static bool port_is_free(const struct naive_nat *n, unsigned proto, unsigned port)
{
    if (port == 0 || n->reserved[pool_of(proto)][port] || n->forwarded[pool_of(proto)][port])
        return false;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->mappings[i].live && n->mappings[i].proto == proto && n->mappings[i].out_port == port)
            return false;
    return true;
}

/* ---- mappings and flows ---- */

static bool bound_here(const struct naive_nat *n, const struct naive_forward *f)
{
    return f->bind == 0 || f->bind == n->outside;
}

static struct naive_mapping *mapping_of(struct naive_nat *n, const struct naive_flow *f)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->mappings[i].live && n->mappings[i].proto == f->proto &&
            n->mappings[i].out_port == f->out_port)
            return &n->mappings[i];
    return NULL;
}

static bool uses(const struct naive_flow *f, const struct naive_mapping *m)
{
    return f->live && !f->through_forward && f->proto == m->proto && f->out_port == m->out_port;
}

static bool mapping_is_held(const struct naive_nat *n, const struct naive_mapping *m)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (uses(&n->flows[i], m) && n->flows[i].holds)
            return true;
    return false;
}

/* True if the mapping's host has a flow of its own with this address by it. */
static bool has_spoken(const struct naive_nat *n, const struct naive_mapping *m, uint32_t remote)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (uses(&n->flows[i], m) && n->flows[i].holds && n->flows[i].rem_ip == remote)
            return true;
    return false;
}

/* Returns the mapping that nothing uses now, or NULL. */
static struct naive_mapping *leave(struct naive_nat *n, struct naive_flow *f)
{
    f->live = false;
    if (f->through_forward)
        return NULL;
    struct naive_mapping *m = mapping_of(n, f);
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (uses(&n->flows[i], m))
            return NULL;
    return m;
}

static void end(struct naive_nat *n, struct naive_flow *f)
{
    struct naive_mapping *m = leave(n, f);
    if (m)
        m->live = false;
}

void naive_end_to_rest(struct naive_nat *n, struct naive_flow *f, uint32_t now_ms)
{
    bool exempt = f->proto == 1 || naive_state_of(f) == NAIVE_CLOSING;
    struct naive_mapping *m = leave(n, f);
    if (!m)
        return;
    m->resting = true;
    m->rests_since_ms = now_ms;
    if (exempt)
        m->live = m->resting = false;
}

static struct naive_flow *new_flow(struct naive_nat *n)
{
    for (unsigned i = 0; i < n->capacity; i++) {
        if (!n->flows[i].live) {
            memset(&n->flows[i], 0, sizeof(n->flows[i]));
            n->flows[i].live = true;
            return &n->flows[i];
        }
    }
    return NULL;
}

struct naive_flow *naive_find_out(struct naive_nat *n, unsigned proto, unsigned zone,
                                  uint32_t in_ip, unsigned in_port, uint32_t rem_ip,
                                  unsigned rem_port)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_flow *f = &n->flows[i];
        if (f->live && f->proto == proto && f->zone == zone && f->in_ip == in_ip &&
            f->in_port == in_port && f->rem_ip == rem_ip && (proto == 1 || f->rem_port == rem_port))
            return f;
    }
    return NULL;
}

struct naive_flow *naive_find_in(struct naive_nat *n, unsigned proto, uint32_t rem_ip,
                                 unsigned rem_port, uint32_t out_ip, unsigned out_port)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_flow *f = &n->flows[i];
        if (f->live && f->proto == proto && f->out_ip == out_ip && f->out_port == out_port &&
            f->rem_ip == rem_ip && (proto == 1 || f->rem_port == rem_port))
            return f;
    }
    return NULL;
}

enum naive_state naive_state_of(const struct naive_flow *f)
{
    if (f->proto == 1)
        return NAIVE_PING;
    if (f->proto != 6)
        return f->answered ? NAIVE_STREAM : NAIVE_ONE_WAY;
    if (f->rst || (f->fin[0] && f->fin[1]))
        return NAIVE_CLOSING;
    bool syns = f->joined_late || (f->syn[0] && f->syn[1]);
    if (!syns || !f->ack[0] || !f->ack[1])
        return NAIVE_OPENING;
    return f->end[0] || f->end[1] ? NAIVE_ENDING : NAIVE_OPEN;
}

static uint32_t timeout_ms(const struct naive_flow *f)
{
    static const uint32_t seconds[] = {120, 300, 240, 7440, 7440, 240, 60};
    return seconds[naive_state_of(f)] * 1000;
}

/* Closed ones first: if there was one, the other way around is as good. */
void naive_expire(struct naive_nat *n, uint32_t now_ms)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
            struct naive_flow *f = &n->flows[i];
            bool closed = naive_state_of(f) == NAIVE_CLOSING;
            if (!f->live || closed != (round == 0) ||
                (uint32_t)(now_ms - f->last_ms) < timeout_ms(f))
                continue;
            struct naive_mapping *m = mapping_of(n, f);
            naive_end_to_rest(n, f, now_ms);
            if (m && closed && m->live)
                m->unclear = true;
        }
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_mapping *m = &n->mappings[i];
        m->unclear &= m->resting && m->rests_since_ms == now_ms;
        if (m->live && m->resting && now_ms - m->rests_since_ms >= 120000)
            m->live = m->resting = false;
    }
}

unsigned naive_flow_count(const struct naive_nat *n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        count += n->flows[i].live;
    return count;
}

unsigned naive_mapping_count(const struct naive_nat *n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        count += n->mappings[i].live && !n->mappings[i].resting;
    return count;
}

unsigned naive_resting_count(const struct naive_nat *n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        count += n->mappings[i].live && n->mappings[i].resting;
    return count;
}

/* The forward that this port belongs to, if remote (NULL: anybody) may use it. */
static struct naive_forward *open_forward(struct naive_nat *n, unsigned proto, unsigned port,
                                          const uint32_t *remote)
{
    for (unsigned i = 0; i < n->forward_count; i++) {
        struct naive_forward *f = &n->forwards[i];
        if (f->proto == proto && port >= f->first && port <= f->last &&
            n->forwarded[pool_of(proto)][port] && bound_here(n, f) &&
            (!remote || ((*remote ^ f->from) & f->from_mask) == 0))
            return f;
    }
    return NULL;
}

static struct naive_forward *last_resort(struct naive_nat *n, unsigned proto)
{
    for (unsigned i = 0; i < n->forward_count; i++)
        if (n->forwards[i].proto == 0 && (proto == 6 || proto == 17) &&
            bound_here(n, &n->forwards[i]))
            return &n->forwards[i];
    return NULL;
}

static unsigned port_behind(const struct naive_forward *f, unsigned port)
{
    return port - f->first + f->target_port;
}

static bool leads_to(const struct naive_forward *fwd, const struct naive_flow *f)
{
    bool target = false;
    for (unsigned t = 0; t < fwd->target_count; t++)
        target |= fwd->targets[t] == f->in_ip;
    return target && fwd->zone == f->zone && port_behind(fwd, f->out_port) == f->in_port;
}

/* True if the last resort leads to this mapping. */
static bool is_resorts(struct naive_nat *n, const struct naive_mapping *m)
{
    const struct naive_forward *resort = last_resort(n, m->proto);
    return resort && m->in_ip == resort->targets[0] && m->zone == resort->zone &&
           m->in_port == m->out_port;
}

bool naive_claims(struct naive_nat *n, unsigned proto, unsigned port)
{
    if (open_forward(n, proto, port, NULL) ||
        (port_is_free(n, proto, port) && last_resort(n, proto)))
        return true;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->mappings[i].live && n->mappings[i].proto == proto && n->mappings[i].out_port == port)
            return !n->mappings[i].resting || is_resorts(n, &n->mappings[i]);
    return false;
}

void naive_set_outside(struct naive_nat *n, uint32_t ip, uint32_t now_ms)
{
    if (ip != 0 && ip != n->last_outside) {
        n->moved = n->last_outside != 0;
        n->moved_ms = now_ms;
        n->last_outside = ip;
    }
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->mappings[i].resting && ip != n->outside)
            n->mappings[i].live = n->mappings[i].resting = false;
    n->outside = ip;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->flows[i].live && n->flows[i].out_ip != ip)
            end(n, &n->flows[i]);
}

void naive_set_forwards(struct naive_nat *n, const struct naive_forward *forwards, unsigned count)
{
    memcpy(n->forwards, forwards, count * sizeof(*forwards));
    n->forward_count = count;
    memset(n->forwarded, 0, sizeof(n->forwarded));
    for (unsigned i = 0; i < count; i++)
        for (unsigned port = forwards[i].first; forwards[i].proto && port <= forwards[i].last;
             port++)
            n->forwarded[pool_of(forwards[i].proto)][port] =
                !n->reserved[pool_of(forwards[i].proto)][port];
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_mapping *m = &n->mappings[i];
        if (m->resting && n->forwarded[pool_of(m->proto)][m->out_port])
            m->live = m->resting = false;
    }
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_flow *f = &n->flows[i];
        if (!f->live || naive_is_portless(f->proto))
            continue;
        const struct naive_forward *fwd = open_forward(n, f->proto, f->out_port, &f->rem_ip);
        if (f->through_forward ? !fwd || !leads_to(fwd, f)
                               : n->forwarded[pool_of(f->proto)][f->out_port])
            end(n, f);
    }
}

/* ---- opening ---- */

static bool may_begin(struct naive_flow *f, const struct naive_packet *k, bool in_the_middle)
{
    unsigned flags = k->flags & 0x17;
    if (k->proto != 6 || flags == 2)
        return true;
    if (flags != 16 || !in_the_middle)
        return false;
    f->joined_late = true;
    return true;
}

static enum drop_reason judge_choice(struct naive_nat *n, const struct naive_packet *k,
                                     unsigned chosen)
{
    unsigned wanted = k->sport;
    naive_check(n, chosen != 0, "a port was to be had");
    naive_check(n, port_is_free(n, k->proto, chosen), "U3: no port for two endpoints");
    if (wanted != 0 && port_is_free(n, k->proto, wanted))
        naive_check(n, chosen == wanted, "a free inside port is kept");
    naive_check(n, (chosen & 1) == (wanted & 1), "U4: parity is kept");
    naive_check(n, wanted == 0 || (chosen < 1024) == (wanted < 1024), "U3a: the range is kept");
    return DROP_NONE;
}

/* The outside port of a host behind a forward, or 0. */
static unsigned forward_out(struct naive_nat *n, const struct naive_packet *k, unsigned zone)
{
    for (unsigned i = 0; i < n->forward_count; i++) {
        const struct naive_forward *f = &n->forwards[i];
        unsigned port = k->sport - f->target_port + f->first;
        bool target = false;
        for (unsigned t = 0; t < f->target_count; t++)
            target |= f->targets[t] == k->src;
        if (target && f->proto == k->proto && f->zone == zone && k->sport >= f->target_port &&
            port <= f->last && bound_here(n, f) && n->forwarded[pool_of(f->proto)][port])
            return port;
    }
    return 0;
}

/* Only the last resort's endpoint can have two: the one to its own port came later then. */
static struct naive_mapping *find_mapping(struct naive_nat *n, unsigned proto, unsigned zone,
                                          uint32_t ip, unsigned port)
{
    struct naive_mapping *found = NULL;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_mapping *m = &n->mappings[i];
        if (m->live && m->proto == proto && m->zone == zone && m->in_ip == ip &&
            m->in_port == port &&
            (!found || (m->resting == found->resting ? m->out_port != port : !m->resting)))
            found = m;
    }
    return found;
}

static void new_mapping(struct naive_nat *n, const struct naive_flow *f)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        if (!n->mappings[i].live) {
            n->mappings[i] = (struct naive_mapping){.live = true,
                                                    .proto = f->proto,
                                                    .zone = f->zone,
                                                    .in_port = f->in_port,
                                                    .out_port = f->out_port,
                                                    .in_ip = f->in_ip};
            return;
        }
    }
}

/* Gives the flow its outside port, and says whether it can have one. */
static bool map_out(struct naive_nat *n, const struct naive_packet *k, unsigned chosen,
                    struct naive_flow *like)
{
    if (naive_is_portless(k->proto)) { /* its peer has this protocol with one host at a time */
        like->through_forward = true;  /* or rather, through no mapping */
        return !naive_find_in(n, k->proto, k->dst, 0, n->outside, 0);
    }
    like->out_port = forward_out(n, k, like->zone);
    like->through_forward =
        like->out_port && !naive_find_in(n, k->proto, k->dst, k->dport, n->outside, like->out_port);
    if (like->through_forward)
        return true;
    struct naive_mapping *m = find_mapping(n, k->proto, like->zone, k->src, k->sport);
    if (m) {
        like->out_port = m->out_port;
        if (naive_find_in(n, k->proto, k->dst, k->dport, n->outside, m->out_port))
            return false;
        m->resting = false;
        return true;
    }
    judge_choice(n, k, chosen);
    like->out_port = chosen;
    new_mapping(n, like);
    return true;
}

enum drop_reason naive_out(struct naive_nat *n, uint8_t *frame, bool partial, unsigned zone,
                           uint32_t now_ms, unsigned chosen)
{
    struct naive_packet k = naive_take_apart(frame, partial);
    struct naive_flow like = {.live = true};

    if (k.proto == 1 && k.type != 8)
        return DROP_UNSOLICITED;
    struct naive_flow *f = naive_find_out(n, k.proto, zone, k.src, k.sport, k.dst, k.dport);
    if (!f) {
        if (n->outside == 0)
            return DROP_NO_UPLINK;
        if (k.proto == 6 && (k.flags & 0x12) != 2 && n->moved && now_ms - n->moved_ms < 240000)
            return DROP_MOVED;
        if (!may_begin(&like, &k, true))
            return DROP_UNSOLICITED;
        enum drop_reason shared = naive_share(n, zone, k.src, false, now_ms);
        if (shared)
            return shared;
        like.proto = k.proto;
        like.zone = zone;
        like.in_ip = k.src;
        like.in_port = k.sport;
        like.rem_ip = k.dst;
        like.rem_port = k.dport;
        like.out_ip = n->outside;
        if (!map_out(n, &k, chosen, &like))
            return naive_is_portless(k.proto) ? DROP_PEER_TAKEN : DROP_PORTS_FULL;
        f = new_flow(n);
        like.stamp = ++n->stamps;
        *f = like;
    }
    naive_check(n, chosen == f->out_port, "U1: one outside port, whatever the remote end");
    enum drop_reason why = naive_track(n, f, &k, 0, now_ms);
    if (!why)
        naive_put_endpoint(&k, true, f->out_ip, f->out_port);
    return why;
}

/* Where the packet of a new flow leads: through a forward, a mapping, or as a last resort. */
static bool map_in(struct naive_nat *n, const struct naive_packet *k, struct naive_flow *like)
{
    const struct naive_forward *resort = last_resort(n, k->proto);
    const struct naive_mapping *m = mapping_of(n, like);

    like->forward = open_forward(n, k->proto, k->dport, &k->src);
    if (like->forward) {
        like->through_forward = true;
        like->zone = like->forward->zone;
        like->in_port = port_behind(like->forward, k->dport);
        return may_begin(like, k, true);
    }
    bool to_resort = resort && k->dport != 0;
    if (m)
        to_resort = to_resort && m->in_ip == resort->targets[0] && m->in_port == k->dport &&
                    m->zone == resort->zone;
    else
        to_resort = to_resort && port_is_free(n, k->proto, k->dport);
    if (!to_resort && (!m || m->resting || !mapping_is_held(n, m)))
        return false;
    like->filtered = !to_resort && (n->filtered_zones >> m->zone & 1) && !has_spoken(n, m, k->src);
    if (like->filtered)
        return false;
    like->zone = m ? m->zone : resort->zone;
    like->in_ip = m ? m->in_ip : resort->targets[0];
    like->in_port = m ? m->in_port : k->dport;
    return may_begin(like, k, to_resort);
}

/* Whose turn it is: of several targets, the next that answers, may have a flow more, and has no
 * such flow; if there is none, one that does not answer. */
static bool choose_target(struct naive_nat *n, const struct naive_packet *k,
                          struct naive_flow *like, uint32_t now_ms, enum drop_reason *why)
{
    unsigned tries = like->forward ? like->forward->target_count : 1;

    *why = DROP_UNSOLICITED;
    for (unsigned t = 0; t < (like->forward ? 2 * tries : 1); t++) {
        if (like->forward)
            like->in_ip = like->forward->targets[like->forward->turn++ % tries];
        if (tries > 1 && t < tries && n->silent >> like->in_ip % 32 & 1)
            continue;
        if (naive_find_out(n, k->proto, like->zone, like->in_ip, like->in_port, k->src, k->sport))
            continue;
        enum drop_reason shared = naive_share(n, like->zone, like->in_ip, true, now_ms);
        if (!shared)
            return true;
        *why = shared;
    }
    return false;
}

enum drop_reason naive_in(struct naive_nat *n, uint8_t *frame, bool partial, uint32_t now_ms)
{
    struct naive_packet k = naive_take_apart(frame, partial);
    struct naive_flow like = {.live = true, .opened_in = true};

    if (k.proto == 1 && k.type != 0)
        return DROP_UNSOLICITED;
    struct naive_flow *f = naive_find_in(n, k.proto, k.src, k.sport, k.dst, k.dport);
    if (!f) {
        if (k.dst != n->outside || k.proto == 1 || naive_is_portless(k.proto))
            return DROP_UNSOLICITED;
        like.proto = k.proto;
        like.out_port = k.dport;
        if (!map_in(n, &k, &like))
            return like.filtered ? DROP_FILTERED : DROP_UNSOLICITED;
        like.rem_ip = k.src;
        like.rem_port = k.sport;
        like.out_ip = k.dst;
        like.last_ms = now_ms;
        enum drop_reason refused;
        if (!choose_target(n, &k, &like, now_ms, &refused))
            return refused;
        struct naive_mapping *m = mapping_of(n, &like);
        if (m) /* else it is new, or what made room was the last to use it */
            m->resting = false;
        else if (!like.forward)
            new_mapping(n, &like);
        f = new_flow(n);
        like.stamp = ++n->stamps;
        *f = like;
    }
    enum drop_reason why = naive_track(n, f, &k, 1, now_ms);
    if (!why)
        naive_put_endpoint(&k, false, f->in_ip, f->in_port);
    return why;
}
