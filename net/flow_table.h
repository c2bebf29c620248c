/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flows: one conversation each, both directions, found by either direction's tuple, expired by a timing wheel.
 *
 * Theory of operation. Flows live in one fixed array, a cache line each, and are named by their number. The
 * index (net/index.h) holds two references to each flow: one under the hash of the outbound tuple, one under that
 * of the inbound tuple. Every live flow is linked into one slot of a wheel with a slot a second; the hot path
 * only stamps last_ms, and when the slot comes up the flow is either linked into the slot of its new deadline or
 * expired. A change to a shorter timeout re-links it at once.
 *
 * Invariants: a live flow has exactly two index entries and one wheel link; a free one has none.
 */
#ifndef NET_FLOW_TABLE_H
#define NET_FLOW_TABLE_H

#include "base.h"
#include "net/hash.h"
#include "net/index.h"

#define FLOW_NONE UINT32_MAX

/* Zones number where packets come from: networks are 0..15 as in struct config, and this is the uplink. */
#define NETWORK_UPLINK 16

enum flow_dir { FLOW_OUT, FLOW_IN }; /* from the inside host; towards it */

enum flow_state {
    FLOW_FREE,
    FLOW_UDP_ONE_WAY,     /* no reply yet */
    FLOW_UDP_STREAM,      /* both ways seen */
    FLOW_TCP_OPENING,     /* SYN seen, not yet both SYNs and an ACK */
    FLOW_TCP_ESTABLISHED,
    FLOW_TCP_CLOSING,     /* FINs both ways, or a RST */
    FLOW_ICMP,
    FLOW_STATE_COUNT
};

/* One direction's key: addresses and ports as they stand in a packet going that way. ICMP echo: the identifier
 * stands in sport (out) or dport (in), the other is 0. zone is the network the packet came from (NETWORK_UPLINK for
 * inbound ones), so that networks may use the same addresses. */
struct flow_tuple {
    be32 src, dst;
    be16 sport, dport;
    uint8_t proto, zone;
    uint16_t zero;
};
static_assert(sizeof(struct flow_tuple) == 16, "tuples are hashed and compared as two words");

struct flow {
    be32 in_ip, rem_ip;     /* inside host, remote host */
    be16 in_port, rem_port; /* ICMP: rem_port is 0, in_port and out_port are identifiers */
    uint8_t proto;
    uint8_t zone;           /* the inside host's network */
    be16 out_port;          /* what the remote host sees, with out_ip */
    be32 out_ip;
    uint32_t last_ms;       /* when a packet last refreshed it */
    uint32_t wheel_next, wheel_prev;
    uint16_t l3_delta;      /* outbound checksum deltas (csum.h): addresses; addresses and ports. */
    uint16_t l4_delta;      /* Inbound ones are their complements. */
    uint16_t neighbor_out;  /* next hops, as neighbor.h numbers them, or NEIGHBOR_NONE */
    uint16_t neighbor_in;
    uint32_t mapping;       /* the mapping it uses, or FLOW_NONE for a forwarded port */
    uint8_t state;          /* enum flow_state */
    uint8_t tcp_seen;       /* the owner's notes: which handshake and closing flags were seen each way */
    uint8_t flags;
    uint8_t wheel_slot_hi;  /* the table's own */
    uint64_t bytes[2];      /* L3 bytes by enum flow_dir */
};
static_assert(sizeof(struct flow) == CACHE_LINE_BYTES, "a flow is a cache line");

#define FLOW_WHEEL_SLOTS 8192u /* seconds; the longest timeout (7,440 s) fits in one turn */

struct flow_table {
    struct flow *flows;
    uint32_t capacity;
    uint32_t live;
    uint32_t free_head; /* free flows linked through wheel_next */
    struct index index;
    struct hash_key key;
    uint32_t *wheel;          /* FLOW_WHEEL_SLOTS heads */
    uint64_t *wheel_used;     /* a bit a slot, for finding the next deadline */
    uint32_t wheel_at_s;      /* the next second to be looked at */
    uint32_t timeout_ms[FLOW_STATE_COUNT];
    uint64_t created, expired, refused;
};

/* Takes its memory from alloc; -ENOMEM. now_ms is the time the wheel starts at. */
int flow_table_init(struct flow_table *t, uint32_t capacity, const struct hash_key *key,
                    uint32_t now_ms, alloc_fn alloc);
/* Bytes it will take for this capacity, everything counted. */
size_t flow_table_bytes(uint32_t capacity);

static inline uint32_t flow_hash(const struct flow_table *t, const struct flow_tuple *k)
{
    return hash_16(&t->key, k);
}

static inline void flow_prefetch_index(const struct flow_table *t, uint32_t hash)
{
    index_prefetch(&t->index, hash);
}

/* The flow with this tuple in this direction, or NULL. uplink_zone tuples (dir FLOW_IN) carry zone
 * NETWORK_UPLINK. flow_find_first is the half that touches only the index and prefetches the flow's line. */
struct flow *flow_find(struct flow_table *t, const struct flow_tuple *k, uint32_t hash,
                       enum flow_dir dir);
void flow_prefetch(const struct flow_table *t, uint32_t hash);

/* A new flow with these identities (fields in_ip .. out_ip of *like; the rest is set here: deltas, state, time);
 * NULL when full (counted in refused), or when either tuple is taken. Linked in index and wheel. */
struct flow *flow_create(struct flow_table *t, const struct flow *like, enum flow_state state,
                         uint32_t now_ms);
void flow_destroy(struct flow_table *t, struct flow *f);

static inline uint32_t flow_id(const struct flow_table *t, const struct flow *f)
{
    return (uint32_t)(f - t->flows);
}

/* Sets the state, and re-links the flow if its deadline comes earlier by that. */
void flow_set_state(struct flow_table *t, struct flow *f, enum flow_state state, uint32_t now_ms);

/* Looks at slots that have come up, at most budget flows; calls gone(arg, f) for each expired flow, then destroys
 * it. Returns the number of flows looked at; work left over is done by the next call. */
unsigned flow_expire(struct flow_table *t, uint32_t now_ms, unsigned budget,
                     void (*gone)(void *arg, struct flow *f), void *arg);

/* Milliseconds from now_ms until flow_expire has something to look at; 0 = now; UINT32_MAX = nothing. */
uint32_t flow_next_deadline_ms(const struct flow_table *t, uint32_t now_ms);

#endif
