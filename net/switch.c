/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The learning table's slow half: new, moved and forgotten addresses (IEEE 802.1D, section 7.8; see
 * switch.h).
 *
 * Invariants: a (MAC, network) is in the table at most once, in one of its two sets; moves changes
 * whenever a lookup may answer with another port than before for an address it knew, ageing
 * excepted.
 */
#include "net/switch.h"

/* Twice as many entries as addresses: with two sets to choose from, next to none is displaced. */
static uint32_t sets_for(uint32_t capacity)
{
    uint32_t sets = 1;

    while (sets * (SWITCH_WAYS / 2) < capacity && sets < 1u << 26)
        sets *= 2;
    return sets;
}

uint64_t switch_bytes(uint32_t capacity)
{
    return (uint64_t)sets_for(capacity) * SWITCH_SET_BYTES;
}

int switch_init(struct switch_table *t, uint32_t capacity, const struct hash_key *key,
                alloc_fn alloc)
{
    const uint32_t sets = sets_for(capacity);

    memset(t, 0, sizeof(*t));
    t->key = *key;
    t->set_mask = (sets - 1) * SWITCH_SET_BYTES;
    t->entries = alloc((size_t)sets * SWITCH_WAYS * sizeof(*t->entries), CACHE_LINE_BYTES);
    if (!t->entries)
        return -ENOMEM;
    for (size_t i = 0; i < (size_t)sets * SWITCH_WAYS; i++)
        t->entries[i].network = SWITCH_NET_NONE;
    return 0;
}

static bool entry_is_old(const struct switch_entry *e, uint32_t now_s)
{
    return now_s - e->seen_s > SWITCH_AGEING_S && !e->is_static;
}

static struct switch_entry *room_in_set(struct switch_entry *set, uint32_t now_s)
{
    for (unsigned i = 0; i < SWITCH_WAYS; i++)
        if (set[i].network == SWITCH_NET_NONE || entry_is_old(&set[i], now_s))
            return &set[i];
    return NULL;
}

/* Moves one of a full set's entries to the other set it may live in, if that one has room. The
 * entry that is free then, or NULL. */
static struct switch_entry *make_room(struct switch_table *t, struct switch_entry *set,
                                      uint32_t now_s)
{
    for (unsigned i = 0; i < SWITCH_WAYS; i++) {
        uint64_t hash = switch_hash(t, load_raw64(&set[i]));
        struct switch_entry *other = switch_set(t, hash);
        if (other == set)
            other = switch_set(t, hash >> 32);
        struct switch_entry *room = other == set ? NULL : room_in_set(other, now_s);
        if (!room)
            continue;
        if (room->network != SWITCH_NET_NONE)
            t->moves++;
        *room = set[i];
        set[i].network = SWITCH_NET_NONE;
        return &set[i];
    }
    return NULL;
}

/* Where a new address goes: an empty or aged-out entry of the first set, then of the second; one
 * that can be made free without loss; else the oldest of both. NULL if all are static. */
static struct switch_entry *find_room(struct switch_table *t, const struct switch_key *k,
                                      uint32_t now_s)
{
    struct switch_entry *sets[2] = {k->set, switch_set(t, switch_hash(t, k->word) >> 32)};
    struct switch_entry *oldest = NULL;

    for (unsigned i = 0; i < 2; i++) {
        struct switch_entry *e = room_in_set(sets[i], now_s);
        if (e)
            return e;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct switch_entry *e = make_room(t, sets[i], now_s);
        if (e)
            return e;
    }
    for (unsigned i = 0; i < 2 * SWITCH_WAYS; i++) {
        struct switch_entry *e = &sets[i / SWITCH_WAYS][i % SWITCH_WAYS];
        if (e->is_static)
            continue;
        if (!oldest || now_s - e->seen_s > now_s - oldest->seen_s)
            oldest = e;
    }
    return oldest;
}

static void entry_set(struct switch_entry *e, uint64_t word, uint8_t port, uint32_t now_s,
                      bool is_static)
{
    memcpy(e, &word, sizeof(word));
    e->seen_s = now_s;
    e->port = port;
    e->is_static = is_static;
}

int switch_add_self(struct switch_table *t, const uint8_t *mac, uint8_t network)
{
    struct switch_key k = switch_key(t, switch_word(mac, network));
    struct switch_entry *e = switch_find(t, &k);

    if (!e)
        e = find_room(t, &k, 0);
    if (!e)
        return -ENOSPC;
    entry_set(e, k.word, SWITCH_PORT_SELF, 0, true);
    t->moves++;
    return 0;
}

bool switch_learn_slow(struct switch_table *t, const struct switch_key *k, struct switch_entry *e,
                       uint8_t port, uint32_t now_s)
{
    if (e) {
        if (e->is_static)
            return false;
        e->port = port;
        e->seen_s = now_s;
        t->moves++;
        return true;
    }
    e = find_room(t, k, now_s);
    if (!e)
        return true; /* set full of static entries: the address stays unknown and is flooded */
    if (e->network != SWITCH_NET_NONE) {
        if (!entry_is_old(e, now_s))
            t->displaced++;
        /* The address that gives way may come back on another port without being seen to move. */
        t->moves++;
    }
    entry_set(e, k->word, port, now_s, false);
    t->learned++;
    return true;
}

bool switch_learn(struct switch_table *t, const uint8_t *mac, uint8_t network, uint8_t port,
                  uint32_t now_s)
{
    struct switch_key k = switch_key(t, switch_word(mac, network));
    return switch_learn_key(t, &k, port, now_s);
}

uint8_t switch_lookup(const struct switch_table *t, const uint8_t *mac, uint8_t network,
                      uint32_t now_s)
{
    struct switch_key k = switch_key(t, switch_word(mac, network));
    return switch_lookup_key(t, &k, now_s);
}

void switch_forget_port(struct switch_table *t, uint8_t port)
{
    for (size_t i = 0; i < switch_entry_count(t); i++) {
        struct switch_entry *e = &t->entries[i];
        if (e->network != SWITCH_NET_NONE && e->port == port && !e->is_static)
            e->network = SWITCH_NET_NONE;
    }
    t->moves++;
}
