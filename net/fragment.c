/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See net/fragment.h.
 *
 * Invariants: only EARLY entries hold packets; their buffers are counted in the entry and in its
 * set; a node is in the free list, in one entry's list, or in the list of those that are ready.
 */
#include "net/fragment.h"

#define NO_NODE      UINT16_MAX
#define LOOK_MS      100 /* at least, between two looks through the table */
#define SETS_PER     (FRAGMENT_SETS / FRAGMENT_REGIONS)
#define POOL_SHARE   4 /* the last quarter of the packet buffers is never held */
#define PARTY_WEIGHT 64

static_assert(FRAGMENT_HELD_ALL < NO_NODE, "nodes have 16-bit numbers");
static_assert(FRAGMENT_HELD_REGION <= UINT16_MAX, "so have buffers");

size_t fragment_bytes(void)
{
    return FRAGMENT_SETS * FRAGMENT_WAYS * sizeof(struct fragment_entry);
}

int fragment_init(struct fragment_table *t, const struct hash_key *key, struct pkt_pool *pool,
                  uint8_t strangers,
                  void (*give_up)(void *arg, struct pkt *p, enum drop_reason why), void *arg,
                  alloc_fn alloc)
{
    memset(t, 0, sizeof(*t));
    t->key = *key;
    t->pool = pool;
    t->strangers = strangers;
    t->give_up = give_up;
    t->arg = arg;
    t->ready_first = t->ready_last = NO_NODE;
    for (unsigned i = 0; i < FRAGMENT_HELD_ALL; i++)
        t->nodes[i].next = i + 1 < FRAGMENT_HELD_ALL ? (uint16_t)(i + 1) : NO_NODE;
    t->sets = alloc(fragment_bytes(), CACHE_LINE_BYTES);
    return t->sets ? 0 : -ENOMEM;
}

/* ---- entries ---- */

static bool is_from_strangers(const struct fragment_table *t, const struct fragment_key *key)
{
    return key->zone == t->strangers;
}

static unsigned set_of(const struct fragment_table *t, const struct fragment_key *key)
{
    unsigned set = hash_words(&t->key, key->src, key->zone) % SETS_PER;
    return is_from_strangers(t, key) ? SETS_PER + set : set;
}

static struct fragment_held *node_take(struct fragment_table *t, uint16_t *first)
{
    struct fragment_held *node = &t->nodes[*first];
    uint16_t number = *first;

    *first = node->next;
    node->next = t->held_free;
    t->held_free = number;
    t->held--;
    return node;
}

/* Gives up what an entry holds. */
static void drop_held(struct fragment_table *t, struct fragment_entry *e, enum drop_reason why)
{
    t->set_buffers[set_of(t, &e->key)] -= e->buffers;
    e->buffers = 0;
    while (e->held_first != NO_NODE)
        t->give_up(t->arg, node_take(t, &e->held_first)->p, why);
    e->held_last = NO_NODE;
}

static void forget(struct fragment_table *t, struct fragment_entry *e, enum drop_reason why)
{
    drop_held(t, e, why);
    e->state = FRAGMENT_FREE;
    t->live--;
}

/* How long the entry has to live; not above 0: its time is over. */
static int32_t time_left(const struct fragment_entry *e, uint32_t now_ms)
{
    int32_t limit_ms = e->state == FRAGMENT_EARLY ? FRAGMENT_WAIT_MS : FRAGMENT_KEEP_MS;
    return limit_ms - (int32_t)(now_ms - e->since_ms);
}

static bool same_key(const struct fragment_key *a, const struct fragment_key *b)
{
    return a->src == b->src && a->dst == b->dst && a->id == b->id && a->proto == b->proto &&
           a->zone == b->zone;
}

static struct fragment_entry *find(struct fragment_table *t, const struct fragment_key *key,
                                   uint32_t now_ms)
{
    struct fragment_entry *set = t->sets[set_of(t, key)];

    for (struct fragment_entry *e = set; e < set + FRAGMENT_WAYS; e++) {
        if (e->state == FRAGMENT_FREE || !same_key(&e->key, key))
            continue;
        if (time_left(e, now_ms) > 0)
            return e;
        forget(t, e, DROP_FRAGMENT_ALONE);
        return NULL;
    }
    return NULL;
}

static void enter_state(struct fragment_table *t, struct fragment_entry *e,
                        enum fragment_state state, uint32_t now_ms)
{
    e->state = (uint8_t)state;
    e->since_ms = now_ms;
    uint32_t over_ms = now_ms + (uint32_t)time_left(e, now_ms);
    if (t->live == 1 || (int32_t)(over_ms - t->look_ms) < 0)
        t->look_ms = over_ms;
}

/* ---- room for one more datagram ---- */

static bool same_source(const struct fragment_key *a, const struct fragment_key *b)
{
    return a->src == b->src && a->zone == b->zone;
}

static bool is_stranger(const struct fragment_table *t, const struct fragment_entry *e)
{
    return e->state != FRAGMENT_KNOWN && is_from_strangers(t, &e->key);
}

static bool same_party(const struct fragment_table *t, const struct fragment_entry *a,
                       const struct fragment_entry *b)
{
    if (is_stranger(t, a) || is_stranger(t, b))
        return is_stranger(t, a) && is_stranger(t, b);
    return same_source(&a->key, &b->key);
}

/* How many datagrams the entry's party has in the set, and then how many its source; with the one
 * that is to come. */
static unsigned weight_of(const struct fragment_table *t, const struct fragment_entry *set,
                          const struct fragment_entry *e, const struct fragment_entry *coming)
{
    unsigned party = same_party(t, e, coming), source = same_source(&e->key, &coming->key);

    for (unsigned i = 0; i < FRAGMENT_WAYS; i++) {
        party += same_party(t, e, &set[i]);
        source += same_source(&e->key, &set[i].key);
    }
    return party * PARTY_WEIGHT + source;
}

/* A new entry of this state, empty. */
static struct fragment_entry *make(struct fragment_table *t, const struct fragment_key *key,
                                   enum fragment_state state, uint32_t now_ms)
{
    const struct fragment_entry coming = {.key = *key, .state = (uint8_t)state};
    struct fragment_entry *set = t->sets[set_of(t, key)], *to = NULL;
    unsigned most = 0;

    for (struct fragment_entry *e = set; e < set + FRAGMENT_WAYS && !to; e++) {
        if (e->state != FRAGMENT_FREE && time_left(e, now_ms) <= 0)
            forget(t, e, DROP_FRAGMENT_ALONE);
        if (e->state == FRAGMENT_FREE)
            to = e;
    }
    if (!to) {
        for (struct fragment_entry *e = set; e < set + FRAGMENT_WAYS; e++) {
            unsigned weight = weight_of(t, set, e, &coming);
            if (weight < most || (weight == most && (int32_t)(e->since_ms - to->since_ms) >= 0))
                continue;
            to = e;
            most = weight;
        }
        t->pushed_out++;
        forget(t, to, DROP_FRAGMENT_FULL);
    }
    to->key = *key;
    to->held_first = to->held_last = NO_NODE;
    to->buffers = 0;
    memset(&to->ranges, 0, sizeof(to->ranges));
    t->live++;
    enter_state(t, to, state, now_ms);
    return to;
}

/* ---- what of it has come ---- */

/* Counts the fragment in, or says why not. */
static enum drop_reason cover(struct fragment_table *t, struct fragment_entry *e,
                              const struct view *v, uint32_t now_ms)
{
    uint32_t bytes = v->l3_off + (uint32_t)v->ip_bytes - v->l4_off;
    uint16_t from = ntoh16(v->frag & IP4_FRAG_OFFSET_MASK);
    uint16_t to = (uint16_t)(from + (bytes + 7) / 8);

    switch (fragment_ranges_add(&e->ranges, from, to, !(v->frag & IP4_FRAG_MF))) {
    case FRAGMENT_FITS:
        return DROP_NONE;
    case FRAGMENT_TWICE:
        return DROP_FRAGMENT_TWICE;
    case FRAGMENT_NO_RANGE:
        return DROP_FRAGMENT_FULL;
    default:
        drop_held(t, e, DROP_FRAGMENT_OVERLAP);
        enter_state(t, e, FRAGMENT_BROKEN, now_ms);
        return DROP_FRAGMENT_OVERLAP;
    }
}

/* What an entry holds is ready. */
static void release(struct fragment_table *t, struct fragment_entry *e)
{
    if (e->held_first == NO_NODE)
        return;
    t->set_buffers[set_of(t, &e->key)] -= e->buffers;
    e->buffers = 0;
    if (t->ready_first == NO_NODE)
        t->ready_first = e->held_first;
    else
        t->nodes[t->ready_last].next = e->held_first;
    t->ready_last = e->held_last;
    e->held_first = e->held_last = NO_NODE;
}

enum drop_reason fragment_note(struct fragment_table *t, const struct fragment_key *key,
                               const struct view *v, be16 new_id, uint32_t now_ms)
{
    struct fragment_entry *e = find(t, key, now_ms);

    if (e && e->state == FRAGMENT_BROKEN)
        return DROP_FRAGMENT_OVERLAP;
    if (e) {
        bool known = e->state == FRAGMENT_KNOWN;
        enum drop_reason why = cover(t, e, v, now_ms);
        if (why && (known || why != DROP_FRAGMENT_FULL))
            return why;
        /* Those that are ready will count themselves in. */
        memset(&e->ranges, 0, sizeof(e->ranges));
        enter_state(t, e, FRAGMENT_KNOWN, now_ms);
    } else {
        e = make(t, key, FRAGMENT_KNOWN, now_ms);
    }
    cover(t, e, v, now_ms);
    e->icmp_type = v->icmp_type;
    e->sport = v->sport;
    e->dport = v->dport;
    e->new_id = new_id;
    release(t, e);
    t->noted++;
    return DROP_NONE;
}

enum drop_reason fragment_match(struct fragment_table *t, const struct fragment_key *key,
                                struct view *v, be16 *new_id, uint32_t now_ms)
{
    struct fragment_entry *e = find(t, key, now_ms);

    if (!e || e->state == FRAGMENT_EARLY) {
        t->missed++;
        return DROP_FRAGMENT;
    }
    if (e->state == FRAGMENT_BROKEN)
        return DROP_FRAGMENT_OVERLAP;
    enum drop_reason why = cover(t, e, v, now_ms);
    if (why)
        return why;
    v->icmp_type = e->icmp_type;
    v->sport = e->sport;
    v->dport = e->dport;
    *new_id = e->new_id;
    t->matched++;
    if (fragment_ranges_whole(&e->ranges))
        forget(t, e, DROP_FRAGMENT_ALONE);
    return DROP_NONE;
}

/* ---- what is held ---- */

/* Buffers that the source holds in its set. */
static unsigned source_buffers(const struct fragment_entry *set, const struct fragment_key *key)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < FRAGMENT_WAYS; i++)
        if (set[i].state == FRAGMENT_EARLY && same_source(&set[i].key, key))
            sum += set[i].buffers;
    return sum;
}

/* The oldest datagram of the source that holds the most in the set; NULL: none holds any. */
static struct fragment_entry *heaviest(struct fragment_entry *set)
{
    struct fragment_entry *worst = NULL;
    unsigned most = 0;

    for (struct fragment_entry *e = set; e < set + FRAGMENT_WAYS; e++) {
        if (e->state != FRAGMENT_EARLY)
            continue;
        unsigned sum = source_buffers(set, &e->key);
        if (!worst || sum > most || (sum == most && (int32_t)(e->since_ms - worst->since_ms) < 0)) {
            worst = e;
            most = sum;
        }
    }
    return worst;
}

/* Makes room for so many buffers of e's. False: e itself is what would have to go. */
static bool make_room(struct fragment_table *t, const struct fragment_entry *e, unsigned buffers)
{
    unsigned own = set_of(t, &e->key), region = own / SETS_PER * SETS_PER;

    for (;;) {
        unsigned all = 0, worst = own;
        for (unsigned i = region; i < region + SETS_PER; i++) {
            all += t->set_buffers[i];
            if (t->set_buffers[i] > t->set_buffers[worst])
                worst = i;
        }
        unsigned source = source_buffers(t->sets[own], &e->key) + buffers;
        bool low = t->pool->free_count < t->pool->count / POOL_SHARE;
        if (source <= FRAGMENT_HELD_SOURCE && all + buffers <= FRAGMENT_HELD_REGION && !low)
            return true;
        if (source > FRAGMENT_HELD_SOURCE)
            worst = own;
        struct fragment_entry *victim = heaviest(t->sets[worst]);
        if (!victim || victim == e)
            return false;
        t->pushed_out++;
        forget(t, victim, DROP_FRAGMENT_FULL);
    }
}

static void append(struct fragment_table *t, struct fragment_entry *e,
                   const struct fragment_held *held)
{
    uint16_t number = t->held_free;

    t->held_free = t->nodes[number].next;
    t->nodes[number] = *held;
    t->nodes[number].next = NO_NODE;
    if (e->held_first == NO_NODE)
        e->held_first = number;
    else
        t->nodes[e->held_last].next = number;
    e->held_last = number;
    t->held++;
}

void fragment_hold(struct fragment_table *t, const struct fragment_key *key, const struct view *v,
                   const struct fragment_held *held, uint32_t now_ms)
{
    struct fragment_entry *e = find(t, key, now_ms);
    unsigned buffers = held->p->segs;

    if (!e)
        e = make(t, key, FRAGMENT_EARLY, now_ms);
    enum drop_reason why = DROP_FRAGMENT_FULL;
    if (t->held_free != NO_NODE && e->buffers + buffers <= FRAGMENT_HELD_DATAGRAM &&
        make_room(t, e, buffers))
        why = cover(t, e, v, now_ms);
    if (why) {
        if (e->state == FRAGMENT_EARLY && e->held_first == NO_NODE)
            forget(t, e, why);
        t->give_up(t->arg, held->p, why);
        return;
    }
    append(t, e, held);
    e->buffers = (uint16_t)(e->buffers + buffers);
    t->set_buffers[set_of(t, key)] += (uint16_t)buffers;
}

bool fragment_take(struct fragment_table *t, struct fragment_held *held)
{
    if (!fragment_is_ready(t))
        return false;
    *held = *node_take(t, &t->ready_first);
    return true;
}

/* ---- time ---- */

unsigned fragment_tick(struct fragment_table *t, uint32_t now_ms)
{
    int32_t next_ms = FRAGMENT_KEEP_MS;
    unsigned forgotten = 0;

    if (t->live == 0 || (int32_t)(now_ms - t->look_ms) < 0)
        return 0;
    for (unsigned i = 0; i < FRAGMENT_SETS * FRAGMENT_WAYS; i++) {
        struct fragment_entry *e = &t->sets[i / FRAGMENT_WAYS][i % FRAGMENT_WAYS];
        if (e->state == FRAGMENT_FREE)
            continue;
        int32_t left_ms = time_left(e, now_ms);
        if (left_ms > 0) {
            next_ms = MIN(next_ms, left_ms);
            continue;
        }
        forget(t, e, DROP_FRAGMENT_ALONE);
        forgotten++;
    }
    t->look_ms = now_ms + (uint32_t)MAX(next_ms, LOOK_MS);
    return forgotten;
}

uint32_t fragment_next_ms(const struct fragment_table *t, uint32_t now_ms)
{
    int32_t wait_ms = (int32_t)(t->look_ms - now_ms);

    if (t->live == 0)
        return UINT32_MAX;
    return wait_ms > 0 ? (uint32_t)wait_ms : 0;
}
