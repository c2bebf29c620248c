/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The learning table's slow half: new, moved, aged and forgotten addresses (IEEE 802.1D, section
 * 7.8; see switch.h).
 *
 * The sweep. Its position follows the clock: each second another 1/SWEEP_S of the table is looked
 * at, so every entry is met once in SWEEP_S. Met, it has aged and is removed, or it is at most
 * SWITCH_AGE_MAX ticks old, and will be met again before six bits cannot tell. After a longer
 * silence of the caller's the whole table is looked at: ages are those before the silence, which
 * were right, and its length. A table without stations is not looked at.
 */
#include "net/switch.h"

#define SWEEP_S         512u
#define SETS_MAX        (1u << 26)
/* See spreads(). */
#define QUOTIENT_MAX    20
#define DENOMINATOR_MAX (1u << 20)
#define MULTIPLIERS_MAX 4096
/* Of its own entries a port loses only those that were silent for a minute. */
#define QUIET_TICKS     5

#define TICK_MASK (SWITCH_LOW_MASK >> SWITCH_TICK_SHIFT)

static_assert(SWITCH_AGE_MAX + (SWEEP_S >> SWITCH_TICK_LOG2_S) + 1 <= TICK_MASK,
              "no stamp is met again too late");
static_assert(SWITCH_AGE_MAX < (TICK_MASK + 1) / 2, "see set_now()");

/* Twice as many entries as addresses: with two sets to choose from, next to none is displaced. */
static uint32_t sets_for(uint32_t capacity)
{
    uint32_t sets = 1;

    while (sets * (SWITCH_WAYS / 2) < capacity && sets < SETS_MAX)
        sets *= 2;
    return sets;
}

uint64_t switch_bytes(uint32_t capacity)
{
    return (uint64_t)sets_for(capacity) * SWITCH_SET_BYTES;
}

/* The ticks that count are a run on a circle of 64. It is no longer than half of that, so it runs
 * over 63 or over 31, not both, and in the first case turning the highest bit makes it one on a
 * line, which one comparison can test. */
static void set_now(struct switch_table *t, uint32_t now_s)
{
    uint32_t tick = now_s >> SWITCH_TICK_LOG2_S & TICK_MASK;
    uint32_t oldest = (tick - SWITCH_AGE_MAX) & TICK_MASK, half = (TICK_MASK + 1) / 2;

    t->now_s = now_s;
    t->now = tick << SWITCH_TICK_SHIFT;
    t->turn = oldest > tick ? half << SWITCH_TICK_SHIFT : 0;
    t->first = (oldest << SWITCH_TICK_SHIFT) ^ t->turn;
    t->span = SWITCH_AGE_MAX << SWITCH_TICK_SHIFT | SWITCH_PORT_MASK;
}

/* True if multiplying by k spreads ranges of addresses evenly, whichever byte of the MAC they run
 * in: the steps of such a range are multiples of a fraction of the table, and they fall into few
 * clumps only if that fraction is close to one with a small denominator. Its continued fraction
 * then has a large quotient before the denominators reach the number of sets. (The last two bytes
 * fill the table evenly by any odd k.) */
static bool spreads(uint64_t k)
{
    for (unsigned shift = SWITCH_MAC_SHIFT; shift < 48; shift += 8) {
        uint64_t a = k << shift, quotient = UINT64_MAX / a, rest = 0 - quotient * a;
        uint64_t before = 1, denominator = quotient;
        while (quotient <= QUOTIENT_MAX && rest != 0 && denominator <= DENOMINATOR_MAX) {
            uint64_t next = a % rest;
            quotient = a / rest;
            a = rest;
            rest = next;
            next = quotient * denominator + before;
            before = denominator;
            denominator = next;
        }
        if (quotient > QUOTIENT_MAX)
            return false;
    }
    return true;
}

/* One number in some sixty will do. */
static uint64_t choose_multiplier(const struct hash_key *key)
{
    uint64_t k = key->k[1];

    for (unsigned i = 0; i < MULTIPLIERS_MAX && !spreads(k); i++)
        k = hash_mix(k ^ key->k[3], key->k[2]) | 1;
    return k;
}

int switch_init(struct switch_table *t, uint32_t capacity, const struct hash_key *key,
                uint32_t now_s, alloc_fn alloc)
{
    uint32_t sets = sets_for(capacity);

    memset(t, 0, sizeof(*t));
    t->map.k0 = key->k[0];
    t->map.k1 = choose_multiplier(key);
    t->key = *key;
    t->map.shift = 64 - (unsigned)__builtin_ctzll((uint64_t)sets * SWITCH_SET_BYTES);
    t->set_count = sets;
    t->map.sets = alloc((size_t)sets * SWITCH_SET_BYTES, CACHE_LINE_BYTES);
    if (!t->map.sets)
        return -ENOMEM;
    memset(t->map.sets, 0xFF, (size_t)sets * SWITCH_SET_BYTES); /* SWITCH_EMPTY */
    set_now(t, now_s);
    t->quota = sets * (SWITCH_WAYS / 2);
    for (unsigned i = 0; i < SWITCH_PORTS; i++)
        t->ports[i] = (struct switch_port){.learn_tokens = SWITCH_LEARN_BURST,
                                           .move_tokens = SWITCH_MOVE_BURST,
                                           .tokens_s = now_s};
    return 0;
}

/* ---- entries ---- */

static unsigned entry_port(uint64_t entry)
{
    return entry & SWITCH_PORT_MASK;
}

static uint64_t entry_key(uint64_t entry)
{
    return entry & ~(uint64_t)SWITCH_LOW_MASK;
}

/* In ticks, at a time given as low bits. */
static uint32_t entry_age(uint64_t entry, uint64_t now)
{
    return (uint32_t)((now | SWITCH_PORT_MASK) - entry) >> SWITCH_TICK_SHIFT & TICK_MASK;
}

static bool is_aged(const struct switch_table *t, uint64_t entry)
{
    return entry_port(entry) < SWITCH_PORTS && entry_age(entry, t->now) > SWITCH_AGE_MAX;
}

static void entry_set(struct switch_table *t, uint64_t *e, uint64_t word, unsigned port)
{
    *e = word | switch_fresh(t, port);
    if (port < SWITCH_PORTS) {
        t->ports[port].count++;
        t->stations++;
    }
}

static void entry_free(struct switch_table *t, uint64_t *e)
{
    unsigned port = entry_port(*e);

    if (port < SWITCH_PORTS) {
        t->ports[port].count--;
        t->stations--;
    }
    *e = SWITCH_EMPTY;
}

static uint64_t *second_set(const struct switch_table *t, uint64_t word)
{
    size_t set = hash_words(&t->key, word, 0) & (t->set_count - 1);
    return (uint64_t *)(void *)(t->map.sets + set * SWITCH_SET_BYTES);
}

static uint64_t *find_in(uint64_t *set, uint64_t word)
{
    for (unsigned i = 0; i < SWITCH_WAYS; i++)
        if (entry_key(set[i]) == word)
            return &set[i];
    return NULL;
}

/* The entry with this key whatever its age, or NULL. */
static uint64_t *find(const struct switch_table *t, const struct switch_key *k)
{
    uint64_t *e = find_in(k->set, k->word);
    return e ? e : find_in(second_set(t, k->word), k->word);
}

bool switch_has_second(const struct switch_table *t, uint64_t entry)
{
    return switch_has(second_set(t, entry_key(entry)), entry);
}

unsigned switch_lookup_slow(const struct switch_table *t, uint64_t turned)
{
    uint64_t word = entry_key(turned);
    uint64_t low = switch_probe(second_set(t, word), turned) - t->first;

    if (LIKELY(low <= t->span))
        return low & SWITCH_PORT_MASK;
    struct switch_key k = switch_key(&t->map, word);
    const uint64_t *e = find(t, &k);
    return e && entry_port(*e) == SWITCH_PORT_SELF ? SWITCH_PORT_SELF : SWITCH_PORT_NONE;
}

/* ---- time ---- */

/* Removes what is aged: at the time before by the stamps, and passed more ticks. */
static void sweep(struct switch_table *t, uint32_t first, uint32_t sets, uint64_t before,
                  uint32_t passed)
{
    uint64_t *e = (uint64_t *)(void *)(t->map.sets + (size_t)first * SWITCH_SET_BYTES);
    uint64_t *end = e + (size_t)sets * SWITCH_WAYS;

    for (; e < end && t->stations > 0; e += SWITCH_WAYS) {
        if ((e[0] & e[1] & e[2] & e[3]) == SWITCH_EMPTY)
            continue;
        for (unsigned i = 0; i < SWITCH_WAYS; i++)
            if (entry_port(e[i]) < SWITCH_PORTS &&
                entry_age(e[i], before) + passed > SWITCH_AGE_MAX)
                entry_free(t, &e[i]);
    }
}

/* Where the sweep is at a second of its round. */
static uint32_t sweep_position(const struct switch_table *t, uint32_t second)
{
    return (uint32_t)((uint64_t)t->set_count * second / SWEEP_S);
}

void switch_tick(struct switch_table *t, uint32_t now_s)
{
    uint32_t was_s = t->now_s;
    uint64_t before = t->now;

    if (LIKELY(now_s == was_s))
        return;
    set_now(t, now_s);
    uint32_t passed = (now_s >> SWITCH_TICK_LOG2_S) - (was_s >> SWITCH_TICK_LOG2_S);
    if (now_s - was_s >= SWEEP_S) {
        sweep(t, 0, sweep_position(t, SWEEP_S), before, passed);
        return;
    }
    for (uint32_t s = was_s; s != now_s; s++) {
        uint32_t from = sweep_position(t, s % SWEEP_S), to = sweep_position(t, s % SWEEP_S + 1);
        sweep(t, from, to - from, before, passed);
    }
}

/* ---- limits ---- */

static struct switch_port *refill(struct switch_table *t, unsigned port)
{
    struct switch_port *p = &t->ports[port];
    uint32_t passed_s = MIN(t->now_s - p->tokens_s, (uint32_t)SWITCH_LEARN_BURST);

    p->tokens_s = t->now_s;
    p->learn_tokens =
        MIN(p->learn_tokens + passed_s * SWITCH_LEARN_PER_S, (uint32_t)SWITCH_LEARN_BURST);
    p->move_tokens =
        MIN(p->move_tokens + passed_s * SWITCH_MOVE_PER_S, (uint32_t)SWITCH_MOVE_BURST);
    return p;
}

static bool take(uint32_t *tokens)
{
    if (*tokens == 0)
        return false;
    --*tokens;
    return true;
}

static void count_refused(struct switch_table *t, struct switch_port *p)
{
    t->refused++;
    p->refused++;
}

/* ---- room ---- */

static void free_aged(struct switch_table *t, uint64_t *set)
{
    for (unsigned i = 0; i < SWITCH_WAYS; i++)
        if (is_aged(t, set[i]))
            entry_free(t, &set[i]);
}

static uint64_t *room_in_set(uint64_t *set)
{
    for (unsigned i = 0; i < SWITCH_WAYS; i++)
        if (set[i] == SWITCH_EMPTY)
            return &set[i];
    return NULL;
}

/* Moves one of a full set's entries to the other set it may live in, if that one has room. The
 * entry that is free then, or NULL. */
static uint64_t *make_room(struct switch_table *t, uint64_t *set)
{
    for (unsigned i = 0; i < SWITCH_WAYS; i++) {
        uint64_t word = entry_key(set[i]);
        uint64_t *other = switch_key(&t->map, word).set;
        if (other == set)
            other = second_set(t, word);
        if (other == set)
            continue;
        free_aged(t, other);
        uint64_t *room = room_in_set(other);
        if (!room)
            continue;
        *room = set[i];
        set[i] = SWITCH_EMPTY;
        return &set[i];
    }
    return NULL;
}

static uint64_t *free_room(struct switch_table *t, uint64_t *sets[2])
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t *e = room_in_set(sets[i]);
        if (e)
            return e;
    }
    for (unsigned i = 0; i < 2; i++) {
        uint64_t *e = make_room(t, sets[i]);
        if (e)
            return e;
    }
    return NULL;
}

/* Which entry of the two sets gives way to one of this port: see switch.h. NULL: none. */
static uint64_t *victim(const struct switch_table *t, uint64_t *sets[2], unsigned port)
{
    uint32_t own = port < SWITCH_PORTS ? t->ports[port].count : 0, best_count = 0, best_age = 0;
    uint64_t *best = NULL;

    for (unsigned i = 0; i < 2 * SWITCH_WAYS; i++) {
        uint64_t *e = &sets[i / SWITCH_WAYS][i % SWITCH_WAYS];
        unsigned its = entry_port(*e);
        if (its >= SWITCH_PORTS)
            continue;
        uint32_t count = t->ports[its].count, age = entry_age(*e, t->now);
        if (its == port ? age < QUIET_TICKS : count <= own || own >= t->quota)
            continue;
        if (!best || count > best_count || (count == best_count && age > best_age)) {
            best = e;
            best_count = count;
            best_age = age;
        }
    }
    return best;
}

/* ---- learning ---- */

int switch_add_self(struct switch_table *t, const uint8_t *mac, uint8_t network)
{
    struct switch_key k = switch_key(&t->map, switch_word_of(mac, network));
    uint64_t *sets[2] = {k.set, second_set(t, k.word)};
    uint64_t *e = find(t, &k);

    if (!e)
        e = free_room(t, sets);
    if (!e)
        e = victim(t, sets, SWITCH_PORT_SELF);
    if (!e)
        return -ENOSPC;
    entry_free(t, e);
    entry_set(t, e, k.word, SWITCH_PORT_SELF);
    t->moves++;
    return 0;
}

/* An address of another port, or of this one in another tick. False if it is the router's own. */
static bool seen_again(struct switch_table *t, uint64_t *e, unsigned port)
{
    unsigned was = entry_port(*e);

    if (was == SWITCH_PORT_SELF)
        return false;
    if (was != port) {
        struct switch_port *p = refill(t, port);
        if (p->count >= t->quota || !take(&p->move_tokens)) {
            t->limited++;
            p->limited++;
            return true;
        }
        t->moved++;
        t->moves++;
    }
    uint64_t word = entry_key(*e);
    entry_free(t, e);
    entry_set(t, e, word, port);
    return true;
}

static void learn_new(struct switch_table *t, const struct switch_key *k, unsigned port)
{
    uint64_t *sets[2] = {k->set, second_set(t, k->word)};
    struct switch_port *p = refill(t, port);

    if (!take(&p->learn_tokens)) {
        count_refused(t, p);
        return;
    }
    free_aged(t, sets[0]);
    free_aged(t, sets[1]);
    uint64_t *e = p->count < t->quota ? free_room(t, sets) : NULL;
    if (!e) {
        e = victim(t, sets, port);
        if (!e || !take(&p->move_tokens)) {
            count_refused(t, p);
            return;
        }
        /* The address that gives way may come back on another port without being seen to move. */
        t->displaced++;
        t->moves++;
        entry_free(t, e);
    }
    entry_set(t, e, k->word, port);
    t->learned++;
}

bool switch_learn_slow(struct switch_table *t, const struct switch_key *k, uint8_t port)
{
    if (switch_has_second(t, k->word | switch_fresh(t, port)))
        return true;
    uint64_t *e = find(t, k);
    if (e && is_aged(t, *e)) {
        entry_free(t, e);
        e = NULL;
    }
    if (e)
        return seen_again(t, e, port);
    learn_new(t, k, port);
    return true;
}

bool switch_learn(struct switch_table *t, const uint8_t *mac, uint8_t network, uint8_t port)
{
    struct switch_key k = switch_key(&t->map, switch_word_of(mac, network));
    return switch_learn_key(t, &k, port);
}

uint8_t switch_lookup(const struct switch_table *t, const uint8_t *mac, uint8_t network)
{
    struct switch_key k = switch_key(&t->map, switch_word_of(mac, network));
    return switch_lookup_key(t, &k);
}

void switch_forget_port(struct switch_table *t, uint8_t port)
{
    uint64_t *e = (uint64_t *)(void *)t->map.sets;

    for (size_t i = 0; i < switch_entry_count(t) && t->ports[port].count > 0; i++)
        if (entry_port(e[i]) == port)
            entry_free(t, &e[i]);
    t->moves++;
}
