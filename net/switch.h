/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The learning table of a switch (IEEE 802.1D, section 7): which port a MAC was last seen on, by
 * network.
 *
 * Theory of operation. Entries are 16 bytes, four to a set and a cache line, in a table of fixed
 * size. A keyed hash of (MAC, network) names two sets; an entry lives in the first if there is
 * room, else in the second, so that nearly every lookup touches one line. When both are full, an
 * entry that can live elsewhere is moved there, else the oldest of them makes room: a flood of
 * forged sources costs its own set-mates and nothing else, and static entries (the router's own)
 * never give way. The stamp is refreshed at most once a second; an entry older than the ageing time
 * does not count.
 *
 * The first eight bytes of an entry are the key, compared as one word.
 */
#ifndef NET_SWITCH_H
#define NET_SWITCH_H

#include "base.h"
#include "net/hash.h"

#define SWITCH_AGEING_S  300
#define SWITCH_PORT_NONE 0xFF /* unknown: flood */
#define SWITCH_PORT_SELF 0xFE /* the router's own MAC on this network */
#define SWITCH_NET_NONE  0xFF /* network of an empty entry; no frame is ever on it */
#define SWITCH_WAYS      4

struct switch_entry {
    uint8_t mac[MAC_BYTES];
    uint8_t network; /* SWITCH_NET_NONE = empty entry */
    uint8_t zero;
    uint32_t seen_s;
    uint8_t port;
    uint8_t is_static;
    uint16_t spare;
};
static_assert(sizeof(struct switch_entry) == 16, "four entries a cache line");
static_assert(offsetof(struct switch_entry, network) == 6 &&
                  offsetof(struct switch_entry, seen_s) == 8,
              "MAC and network are compared as one word");

struct switch_table {
    struct switch_entry *entries;
    uint32_t set_mask; /* (sets - 1) * SWITCH_SET_BYTES: a set's place, in bytes, out of a hash */
    uint32_t moves;    /* changes that may make a port somebody cached wrong: a generation for those
                          who do */
    uint64_t learned, displaced;
    struct hash_key key;
};

/* A MAC on a network as the table compares it, and the first of its sets: made once, used for
 * prefetch, lookup and learning. */
struct switch_key {
    uint64_t word;
    struct switch_entry *set;
};

/* What switch_init() asks of alloc. */
uint64_t switch_bytes(uint32_t capacity);

/* Room for about capacity addresses. -ENOMEM. */
int switch_init(struct switch_table *t, uint32_t capacity, const struct hash_key *key,
                alloc_fn alloc);

/* Pins the router's own MAC on a network; a frame claiming it as its source is never learned.
 * -ENOSPC. */
int switch_add_self(struct switch_table *t, const uint8_t *mac, uint8_t network);

/* Learns that mac (a single station's) was seen on port. False if it is the router's own: drop the
 * frame. */
bool switch_learn(struct switch_table *t, const uint8_t *mac, uint8_t network, uint8_t port,
                  uint32_t now_s);

/* The port mac is on, SWITCH_PORT_SELF, or SWITCH_PORT_NONE. */
uint8_t switch_lookup(const struct switch_table *t, const uint8_t *mac, uint8_t network,
                      uint32_t now_s);

/* The link of a port went down: what was learned there is forgotten. */
void switch_forget_port(struct switch_table *t, uint8_t port);

/* ---- the same in steps, inline, for bursts ---- */

#define SWITCH_SET_BYTES (SWITCH_WAYS * (uint32_t)sizeof(struct switch_entry))
static_assert(SWITCH_SET_BYTES == CACHE_LINE_BYTES, "a set is a cache line");

/* Entries in all, used or not. */
static inline size_t switch_entry_count(const struct switch_table *t)
{
    return ((size_t)t->set_mask + SWITCH_SET_BYTES) / sizeof(struct switch_entry);
}

static inline uint64_t switch_word(const uint8_t *mac, uint8_t network)
{
    return load_raw32(mac) | (uint64_t)load_raw16(mac + 4) << 32 | (uint64_t)network << 48;
}

/* One folded multiplication: the key is one word. The low half names the first set, the high half
 * the second. */
static inline uint64_t switch_hash(const struct switch_table *t, uint64_t word)
{
    return hash_mix(word ^ t->key.k[0], t->key.k[1]);
}

static inline struct switch_entry *switch_set(const struct switch_table *t, uint64_t hash)
{
    return (struct switch_entry *)(void *)((char *)t->entries + ((uint32_t)hash & t->set_mask));
}

static inline struct switch_key switch_key(const struct switch_table *t, uint64_t word)
{
    return (struct switch_key){.word = word, .set = switch_set(t, switch_hash(t, word))};
}

static inline void switch_prefetch(const struct switch_key *k)
{
    __builtin_prefetch(k->set);
}

/* Without a branch that depends on where in the set the entry is, which nobody could predict. */
static inline struct switch_entry *switch_find_in(struct switch_entry *set, uint64_t word)
{
    struct switch_entry *e = set;
#pragma GCC unroll 4
    for (unsigned i = 1; i < SWITCH_WAYS; i++)
        e = load_raw64(&set[i]) == word ? &set[i] : e;
    return LIKELY(load_raw64(e) == word) ? e : NULL;
}

/* The entry with this key whatever its age, or NULL. */
static inline struct switch_entry *switch_find(const struct switch_table *t,
                                               const struct switch_key *k)
{
    struct switch_entry *e = switch_find_in(k->set, k->word);
    if (UNLIKELY(!e))
        e = switch_find_in(switch_set(t, switch_hash(t, k->word) >> 32), k->word);
    return e;
}

/* The part of learning that is not worth inlining: a new address, a moved one, the router's own. e
 * is what switch_find() said. */
bool switch_learn_slow(struct switch_table *t, const struct switch_key *k, struct switch_entry *e,
                       uint8_t port, uint32_t now_s);

static inline bool switch_learn_key(struct switch_table *t, const struct switch_key *k,
                                    uint8_t port, uint32_t now_s)
{
    struct switch_entry *e = switch_find(t, k);
    if (UNLIKELY(!e || e->port != port))
        return switch_learn_slow(t, k, e, port, now_s);
    if (e->seen_s != now_s)
        e->seen_s = now_s;
    return true;
}

static inline uint8_t switch_lookup_key(const struct switch_table *t, const struct switch_key *k,
                                        uint32_t now_s)
{
    const struct switch_entry *e = switch_find(t, k);
    if (UNLIKELY(!e || (now_s - e->seen_s > SWITCH_AGEING_S && !e->is_static)))
        return SWITCH_PORT_NONE;
    return e->port;
}

#endif
