/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The learning table of a switch (IEEE 802.1D, section 7): which port a MAC was last seen on, by
 * network.
 *
 * Theory of operation. An entry is one word: MAC, network, when it was last seen in ticks of
 * sixteen seconds, and the port. Four make a set, two sets a cache line, in a table of fixed size
 * that has room for twice the addresses it was asked for. Keyed hashes of (MAC, network) name two
 * sets; an entry lives in the first if there is room, else in the second, so that nearly every
 * lookup touches one line. When both are full, an entry that can live elsewhere is moved there. The
 * key is the upper part of the word, so whatever differs from the key by less than 2048 is its
 * entry, and the least difference in a set answers without a branch: where in its set an address
 * stands, nobody could predict.
 *
 * Time. switch_tick() tells it. An entry counts for SWITCH_AGEING_S after its station was last
 * heard, and less than a tick and a quarter longer. The stamp has six bits: a sweep, a stretch of
 * the table each second, removes what has aged before its stamp could look young again.
 *
 * Limits, so that whoever invents addresses harms himself. A port may hold half of the table. Its
 * new addresses come out of a token bucket: SWITCH_LEARN_BURST at once, then SWITCH_LEARN_PER_S, so
 * that a segment of 65,536 stations is known within two minutes. An address that is not learned is
 * flooded, no more. Whatever may make a port wrong that somebody remembers (moves) comes out of a
 * second bucket of the port that causes it, because all who remember one then look again:
 * SWITCH_MOVE_BURST at once, which neither a machine that migrates nor a failover of some thousand
 * stations uses up, then SWITCH_MOVE_PER_S, which two ports that claim one address do; the address
 * then stays where it is. When there is no room, and for a port that holds its half, the entry
 * longest unheard of the port that holds most gives way, if that is the port that learns or one
 * that holds more; of its own a port loses only what was silent for a minute. The router's
 * own addresses never give way.
 *
 * Invariants: a (MAC, network) is in the table at most once, in one of its two sets; ports[].count
 * is the number of entries with that port, stations their sum; no entry's age exceeds the 63 ticks
 * a stamp can tell.
 */
#ifndef NET_SWITCH_H
#define NET_SWITCH_H

#include "base.h"
#include "net/hash.h"

#define SWITCH_AGEING_S    300
#define SWITCH_LEARN_PER_S 512
#define SWITCH_LEARN_BURST 8192
#define SWITCH_MOVE_PER_S  64
#define SWITCH_MOVE_BURST  4096
#define SWITCH_PORT_NONE   31 /* unknown: flood */
#define SWITCH_PORT_SELF   30 /* the router's own MAC on this network */
#define SWITCH_PORTS       30 /* those of stations are below */
#define SWITCH_NETWORKS    31
#define SWITCH_WAYS        4

/* An entry, from its lowest bit: port (5), time seen (6), network (5), MAC (48). */
#define SWITCH_TICK_SHIFT    5
#define SWITCH_NETWORK_SHIFT 11
#define SWITCH_MAC_SHIFT     16
#define SWITCH_PORT_MASK     31u
#define SWITCH_LOW_MASK      2047u      /* port and time: what is not the key */
#define SWITCH_EMPTY         UINT64_MAX /* a group address on no network: nobody's key */
#define SWITCH_TICK_LOG2_S   4
#define SWITCH_AGE_MAX       (((SWITCH_AGEING_S - 1) >> SWITCH_TICK_LOG2_S) + 1) /* in ticks */

/* Where the table is and how it hashes: constant, small enough to stay in registers. */
struct switch_map {
    char *sets;
    uint64_t k0, k1; /* random, k1 odd */
    uint32_t shift;  /* what leaves of a hash as many bits as the table has bytes */
};

struct switch_port {
    uint32_t count; /* addresses held */
    uint32_t learn_tokens, move_tokens;
    uint32_t tokens_s; /* when they were counted */
    uint64_t refused, limited;
};

struct switch_table {
    struct switch_map map;
    uint32_t set_count;
    struct hash_key key; /* for second sets */
    /* The low bits of entries that count, their highest turned by turn, are first to first + span;
     * first has port 0. */
    uint64_t turn, first, span;
    uint64_t now;   /* the low bits of an entry seen now, with port 0 */
    uint32_t moves; /* changes that may make a port somebody cached wrong: a generation for those
                       who do. Ageing is none of them */
    uint32_t now_s;
    uint32_t quota;     /* entries a port may have */
    uint32_t stations;  /* entries of all ports */
    uint64_t learned;   /* new addresses */
    uint64_t displaced; /* of those, in the place of one that still counted */
    uint64_t refused;   /* new addresses not learned, by the limits */
    uint64_t moved;     /* addresses seen on another port, and believed */
    uint64_t limited;   /* and not believed, by the limits */
    struct switch_port ports[SWITCH_PORTS];
};

/* A MAC on a network as the table compares it, and the first of its sets: made once, used for
 * prefetch, lookup and learning. */
struct switch_key {
    uint64_t word;
    uint64_t *set;
};

/* Room for about capacity addresses. -ENOMEM. */
int switch_init(struct switch_table *t, uint32_t capacity, const struct hash_key *key,
                uint32_t now_s, alloc_fn alloc);

/* Bytes a table of this capacity takes. */
uint64_t switch_bytes(uint32_t capacity);

/* It is now_s, for all below. A call that comes after less than a second costs nothing. */
void switch_tick(struct switch_table *t, uint32_t now_s);

/* Pins the router's own MAC on a network; a frame claiming it as its source is never learned.
 * -ENOSPC. */
int switch_add_self(struct switch_table *t, const uint8_t *mac, uint8_t network);

/* mac (a single station's, not 0) was seen on port: learns it, within the limits. False if it is
 * the router's own: drop the frame. */
bool switch_learn(struct switch_table *t, const uint8_t *mac, uint8_t network, uint8_t port);

/* The port mac is on, SWITCH_PORT_SELF, or SWITCH_PORT_NONE. */
uint8_t switch_lookup(const struct switch_table *t, const uint8_t *mac, uint8_t network);

/* The link of a port went down: what was learned there is forgotten. */
void switch_forget_port(struct switch_table *t, uint8_t port);

/* ---- the same in steps, inline, for bursts ---- */

#define SWITCH_SET_BYTES (SWITCH_WAYS * (uint32_t)sizeof(uint64_t))
static_assert(CACHE_LINE_BYTES % SWITCH_SET_BYTES == 0, "no set is in two cache lines");

/* Entries in all, used or not. */
static inline size_t switch_entry_count(const struct switch_table *t)
{
    return (size_t)t->set_count * SWITCH_WAYS;
}

/* What a network is in a key. */
static inline uint64_t switch_network_bits(unsigned network)
{
    return (uint64_t)network << SWITCH_NETWORK_SHIFT;
}

/* A key out of eight bytes as they are in a frame, of which the first six are the MAC. */
static inline uint64_t switch_word(uint64_t mac, uint64_t network_bits)
{
    return mac << SWITCH_MAC_SHIFT | network_bits;
}

/* The same out of six bytes. */
static inline uint64_t switch_word_of(const uint8_t *mac, unsigned network)
{
    return switch_word(load_raw32(mac) | (uint64_t)load_raw16(mac + 4) << 32,
                       switch_network_bits(network));
}

/* One multiplication, by a random number that has been chosen to spread ranges of addresses. The
 * second set comes of a better hash. */
static inline struct switch_key switch_key(const struct switch_map *map, uint64_t word)
{
    uint64_t place = (word ^ map->k0) * map->k1 >> map->shift & ~(uint64_t)(SWITCH_SET_BYTES - 1);
    return (struct switch_key){.word = word, .set = (uint64_t *)(void *)(map->sets + place)};
}

static inline void switch_prefetch(const struct switch_key *k)
{
    __builtin_prefetch(k->set);
}

/* The same for keys that have low bits already. */
static inline struct switch_map switch_map_with(const struct switch_map *map, uint64_t low)
{
    struct switch_map with = *map;
    with.k0 ^= low;
    return with;
}

/* The entry of a station on this port that has been seen in this tick, but for the key. */
static inline uint64_t switch_fresh(const struct switch_table *t, unsigned port)
{
    return t->now | port;
}

/* True if the set has this very entry. */
static inline bool switch_has(const uint64_t *set, uint64_t entry)
{
    bool has = (set[0] == entry) | (set[1] == entry) | (set[2] == entry) | (set[3] == entry);
    __asm__("" : "+r"(has)); /* or compilers make branches of it */
    return has;
}

/* switch_has() for the second set of an entry. */
bool switch_has_second(const struct switch_table *t, uint64_t entry);

/* True if learning that k is on this port would change nothing. */
static inline bool switch_knows(const struct switch_table *t, const struct switch_key *k,
                                unsigned port)
{
    uint64_t entry = k->word | switch_fresh(t, port);
    return LIKELY(switch_has(k->set, entry)) || switch_has_second(t, entry);
}

/* The part of learning that is not worth inlining: anything but a station seen again in the same
 * tick. */
bool switch_learn_slow(struct switch_table *t, const struct switch_key *k, uint8_t port);

static inline bool switch_learn_key(struct switch_table *t, const struct switch_key *k,
                                    uint8_t port)
{
    if (LIKELY(switch_has(k->set, k->word | switch_fresh(t, port))))
        return true;
    return switch_learn_slow(t, k, port);
}

/* The least difference from word in a set: the low bits of the entry with this key, if it is there.
 */
static inline uint64_t switch_probe(const uint64_t *set, uint64_t word)
{
    uint64_t least = set[0] ^ word;
#pragma GCC unroll 4
    for (unsigned i = 1; i < SWITCH_WAYS; i++)
        least = MIN(least, set[i] ^ word);
    return least;
}

/* For what is not in its first set, or has aged, or is the router's own, which do not age. */
unsigned switch_lookup_slow(const struct switch_table *t, uint64_t turned);

/* turned has the key's word, and the table's turn as its low bits. */
static inline unsigned switch_lookup_turned(const struct switch_table *t,
                                            const struct switch_key *turned)
{
    uint64_t low = switch_probe(turned->set, turned->word) - t->first;
    if (UNLIKELY(low > t->span))
        return switch_lookup_slow(t, turned->word);
    return low & SWITCH_PORT_MASK;
}

static inline uint8_t switch_lookup_key(const struct switch_table *t, const struct switch_key *k)
{
    struct switch_key turned = {.word = k->word ^ t->turn, .set = k->set};
    return (uint8_t)switch_lookup_turned(t, &turned);
}

#endif
