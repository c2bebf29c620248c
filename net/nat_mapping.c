/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Mappings; see nat_mapping.h, and nat.h for what they mean.
 *
 * One index holds two references to each mapping: under the hash of its inside endpoint and under
 * that of its outside port. Every mapping that does not rest has at least one flow or hold
 * (nat_hold.c), so there can be no more of them than flows and holds, nor than ports; those that
 * rest have what is left.
 *
 * Invariants: the port of every mapping is taken in the pool of its protocol, by it alone. The
 * ports in an account are those of its host's mappings that do not rest.
 */
#include "net/nat_mapping.h"

#define NONE         UINT32_MAX
#define PORTS_IN_ALL (3u * 65535u)

uint32_t mapping_capacity(uint32_t flow_capacity)
{
    return MIN(flow_capacity + NAT_MAX_HOLDS, PORTS_IN_ALL);
}

size_t mapping_bytes(uint32_t flow_capacity)
{
    uint32_t capacity = mapping_capacity(flow_capacity);
    return capacity * sizeof(struct nat_mapping) + index_bytes(2 * capacity);
}

int mapping_init(struct nat *nat, uint32_t flow_capacity, alloc_fn alloc)
{
    nat->mapping_capacity = mapping_capacity(flow_capacity);
    nat->mapping_free = NONE;
    nat->mapping_fresh = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(nat->resting); i++)
        nat->resting[i] = (struct nat_resting){.oldest = NONE, .newest = NONE};
    nat->mappings = alloc(nat->mapping_capacity * sizeof(struct nat_mapping), CACHE_LINE_BYTES);
    if (!nat->mappings)
        return -ENOMEM;
    return index_init(&nat->mapping_index, 2 * nat->mapping_capacity, alloc);
}

/* ---- finding ---- */

static uint32_t outside_hash(const struct nat *nat, uint8_t proto, be16 port)
{
    return hash_words(&nat->key, port | (uint64_t)proto << 48, NETWORK_UPLINK);
}

/* Of two of one endpoint. */
static unsigned rank(const struct nat_mapping *m)
{
    return (mapping_rests(m) ? 0 : 2) + (m->out_port != m->in_port);
}

struct nat_mapping *mapping_find_listed(struct nat *nat, const struct flow_tuple *k, uint32_t hash)
{
    struct nat_mapping *found = NULL;
    struct index_cursor c;

    for (uint32_t ref = index_first(&nat->mapping_index, hash, &c); ref != INDEX_END;
         ref = index_next(&nat->mapping_index, &c)) {
        struct nat_mapping *m = &nat->mappings[ref];
        if (!mapping_is_of(m, k))
            continue;
        if (!found || rank(m) > rank(found))
            found = m;
    }
    return found;
}

struct nat_mapping *mapping_find_outside(const struct nat *nat, uint8_t proto, be16 port)
{
    struct index_cursor c;

    for (uint32_t ref = index_first(&nat->mapping_index, outside_hash(nat, proto, port), &c);
         ref != INDEX_END; ref = index_next(&nat->mapping_index, &c)) {
        struct nat_mapping *m = &nat->mappings[ref];
        if (m->out_port == port && m->proto == proto)
            return m;
    }
    return NULL;
}

/* ---- accounts ---- */

/* user: whose it probably is. */
static void count_port(struct nat *nat, struct nat_mapping *m, uint16_t user)
{
    struct flow_table *t = &nat->flows;
    unsigned pool = mapping_pool_number(m->proto);

    m->user = flow_user_take(&t->users, &t->key, m->zone, m->in_ip, user);
    t->users.user[m->user].ports[pool]++;
    t->users.network[m->zone].ports[pool]++;
    nat->counters.mappings_live++;
}

static void uncount_port(struct nat *nat, struct nat_mapping *m)
{
    struct flow_table *t = &nat->flows;
    unsigned pool = mapping_pool_number(m->proto);

    t->users.user[m->user].ports[pool]--;
    t->users.network[m->zone].ports[pool]--;
    flow_user_drop(&t->users, &t->key, m->user);
    m->user = MAPPING_AT_REST;
    nat->counters.mappings_live--;
}

/* ---- coming and going ---- */

static struct nat_mapping *take_free(struct nat *nat)
{
    if (nat->mapping_free != NONE) {
        struct nat_mapping *m = &nat->mappings[nat->mapping_free];
        nat->mapping_free = m->flows;
        return m;
    }
    if (nat->mapping_fresh < nat->mapping_capacity)
        return &nat->mappings[nat->mapping_fresh++];
    return NULL;
}

static void give_free(struct nat *nat, struct nat_mapping *m)
{
    m->flows = nat->mapping_free;
    nat->mapping_free = mapping_id(nat, m);
}

struct nat_mapping *mapping_create_at(struct nat *nat, const struct flow_tuple *k, uint32_t hash,
                                      uint16_t port, uint16_t user)
{
    be16 out_port = hton16(port);
    struct nat_mapping *m = take_free(nat);

    if (!m &&
        (mapping_cut_short(nat, IP_PROTO_UDP, true) || mapping_cut_short(nat, IP_PROTO_TCP, true)))
        m = take_free(nat);
    if (!m)
        return NULL;
    if (index_insert_both(&nat->mapping_index, hash, outside_hash(nat, k->proto, out_port),
                          mapping_id(nat, m)) != 0) {
        give_free(nat, m);
        return NULL;
    }
    *m = (struct nat_mapping){.in_ip = k->src,
                              .in_port = k->sport,
                              .out_port = out_port,
                              .proto = k->proto,
                              .zone = k->zone};
    count_port(nat, m, user);
    return m;
}

struct nat_mapping *mapping_create(struct nat *nat, const struct flow_tuple *k, uint32_t hash,
                                   uint16_t user, enum drop_reason *why)
{
    struct port_pool *pool = mapping_pool(nat, k->proto);
    uint16_t wanted = ntoh16(k->sport), port = port_pool_take(pool, wanted);
    while (port == 0 && mapping_cut_short(nat, k->proto, port_pool_is_low(wanted)))
        port = port_pool_take(pool, wanted);
    if (port == 0) {
        *why = DROP_PORTS_FULL;
        return NULL;
    }
    struct nat_mapping *m = mapping_create_at(nat, k, hash, port, user);
    if (!m) {
        port_pool_release(pool, port);
        *why = DROP_FLOWS_FULL;
    }
    return m;
}

static unsigned list_number(uint8_t proto, bool low)
{
    return mapping_pool_number(proto) + (low ? NAT_POOLS : 0);
}

/* The list that m rests in. */
static struct nat_resting *list_of(struct nat *nat, const struct nat_mapping *m)
{
    return &nat->resting[list_number(m->proto, port_pool_is_low(ntoh16(m->out_port)))];
}

/* Out of the list, without flows. */
static void leave_rest(struct nat *nat, struct nat_mapping *m)
{
    struct nat_resting *resting = list_of(nat, m);

    if (m->older == NONE)
        resting->oldest = m->newer;
    else
        nat->mappings[m->older].newer = m->newer;
    if (m->newer == NONE)
        resting->newest = m->older;
    else
        nat->mappings[m->newer].older = m->older;
    resting->count--;
    m->flows = m->holders = m->holds = 0;
}

void mapping_destroy(struct nat *nat, struct nat_mapping *m)
{
    const struct flow_tuple inside = {
        .src = m->in_ip, .sport = m->in_port, .proto = m->proto, .zone = m->zone};
    uint32_t id = mapping_id(nat, m);

    if (mapping_rests(m))
        leave_rest(nat, m);
    else
        uncount_port(nat, m);
    CHECK(m->flows == 0 && m->holders == 0);
    bool inside_gone = index_remove(&nat->mapping_index, mapping_hash(nat, &inside), id);
    bool outside_gone =
        index_remove(&nat->mapping_index, outside_hash(nat, m->proto, m->out_port), id);
    CHECK(inside_gone && outside_gone);
    port_pool_release(mapping_pool(nat, m->proto), ntoh16(m->out_port));
    give_free(nat, m);
}

void mapping_unused(struct nat *nat, struct nat_mapping *m)
{
    if (!mapping_rests(m) && m->flows == 0)
        mapping_destroy(nat, m);
}

/* ---- rest ---- */

void mapping_rest(struct nat *nat, struct nat_mapping *m, uint32_t now_ms)
{
    struct nat_resting *resting = list_of(nat, m);
    uint32_t id = mapping_id(nat, m);

    CHECK(m->flows == 0 && m->holders == 0);
    uncount_port(nat, m);
    m->rests_since_ms = now_ms;
    m->newer = NONE;
    m->older = resting->newest;
    if (m->older == NONE)
        resting->oldest = id;
    else
        nat->mappings[m->older].newer = id;
    resting->newest = id;
    resting->count++;
}

void mapping_wake(struct nat *nat, struct nat_mapping *m)
{
    leave_rest(nat, m);
    count_port(nat, m, FLOW_USER_REST);
}

bool mapping_cut_short(struct nat *nat, uint8_t proto, bool low)
{
    uint32_t oldest = low ? nat->resting[list_number(proto, true)].oldest : NONE;

    if (oldest == NONE)
        oldest = nat->resting[list_number(proto, false)].oldest;
    if (oldest == NONE)
        return false;
    mapping_destroy(nat, &nat->mappings[oldest]);
    nat->counters.cut_short++;
    return true;
}

unsigned mapping_tick(struct nat *nat, uint32_t now_ms, unsigned budget)
{
    unsigned ended = 0;

    for (unsigned i = 0; i < ARRAY_COUNT(nat->resting); i++)
        for (uint32_t id = nat->resting[i].oldest; id != NONE && ended < budget; ended++) {
            if ((int32_t)(now_ms - nat->mappings[id].rests_since_ms) < NAT_REST_MS)
                break;
            mapping_destroy(nat, &nat->mappings[id]);
            id = nat->resting[i].oldest;
        }
    return ended;
}

uint32_t mapping_next_ms(const struct nat *nat, uint32_t now_ms)
{
    uint32_t next_ms = UINT32_MAX;

    for (unsigned i = 0; i < ARRAY_COUNT(nat->resting); i++) {
        uint32_t id = nat->resting[i].oldest;
        if (id == NONE)
            continue;
        uint32_t rested_ms = now_ms - nat->mappings[id].rests_since_ms;
        next_ms = MIN(next_ms, rested_ms < NAT_REST_MS ? NAT_REST_MS - rested_ms : 0);
    }
    return next_ms;
}

void mapping_end_rest(struct nat *nat, bool (*wanted)(const struct nat_mapping *m, const void *arg),
                      const void *arg)
{
    for (unsigned i = 0; i < ARRAY_COUNT(nat->resting); i++)
        for (uint32_t id = nat->resting[i].oldest, newer; id != NONE; id = newer) {
            struct nat_mapping *m = &nat->mappings[id];
            newer = m->newer;
            if (wanted(m, arg))
                mapping_destroy(nat, m);
        }
}

/* ---- flows ---- */

static bool is_filtered(const struct nat *nat, uint8_t zone)
{
    return nat->filtered_zones >> zone & 1;
}

bool mapping_admits(const struct nat *nat, const struct nat_mapping *m, be32 remote)
{
    return !is_filtered(nat, m->zone) || m->holds > 0 ||
           permit_is_there(&nat->permits, mapping_id(nat, m), remote);
}

static inline void hold(struct nat *nat, struct flow *f, uint32_t mapping)
{
    f->flags |= FLOW_HOLDS_MAPPING;
    nat->mappings[mapping].holders++;
    if (is_filtered(nat, f->zone) && permit_join(&nat->permits, mapping, f->rem_ip))
        f->flags |= FLOW_PERMITS;
}

void mapping_join(struct nat *nat, struct nat_mapping *m, struct flow *f, bool holds)
{
    uint32_t id = mapping_id(nat, m);

    if (mapping_rests(m))
        mapping_wake(nat, m);
    flow_cold(&nat->flows, f)->mapping = id;
    m->flows++;
    if (holds)
        hold(nat, f, id);
}

void mapping_hold_first(struct nat *nat, struct flow *f)
{
    uint32_t mapping = flow_cold(&nat->flows, f)->mapping;

    if (mapping != FLOW_NONE)
        hold(nat, f, mapping);
}

/* The mapping that f was the last to use, or NULL. */
static struct nat_mapping *leave(struct nat *nat, struct flow *f)
{
    uint32_t *mapping = &flow_cold(&nat->flows, f)->mapping;

    if (*mapping == FLOW_NONE)
        return NULL;
    struct nat_mapping *m = &nat->mappings[*mapping];
    if (f->flags & FLOW_HOLDS_MAPPING)
        m->holders--;
    if (f->flags & FLOW_PERMITS)
        permit_leave(&nat->permits, *mapping, f->rem_ip);
    *mapping = FLOW_NONE;
    return --m->flows == 0 ? m : NULL;
}

void mapping_leave(struct nat *nat, struct flow *f)
{
    struct nat_mapping *m = leave(nat, f);

    if (m)
        mapping_destroy(nat, m);
}

void mapping_leave_to_rest(struct nat *nat, struct flow *f, uint32_t now_ms)
{
    bool exempt = f->state == FLOW_TCP_CLOSING || f->proto == IP_PROTO_ICMP;
    struct nat_mapping *m = leave(nat, f);

    if (m && exempt)
        mapping_destroy(nat, m);
    else if (m)
        mapping_rest(nat, m, now_ms);
}
