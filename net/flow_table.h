/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flows: one conversation each, both directions, found by either direction's tuple, expired by a
 * timing wheel.
 *
 * A flow has an inside end, which is a host of a network, and a remote end, which is behind the
 * uplink or (of flows that are not translated) in a network too.
 *
 * Theory of operation. Flows live in one fixed array, a cache line each, and are named by their
 * number; what only the slow path looks at is in a second array beside it (struct flow_cold). The
 * index (net/index.h) holds two references to each flow: one under the hash of the outbound tuple,
 * one under that of the inbound tuple. Every live flow is linked into one slot of a wheel of
 * half-second slots; the hot path only stamps last_ms, and when the slot comes up the flow is
 * either linked into the slot of its new deadline or expired. A change to a shorter timeout
 * re-links it at once. So a flow is expired at its deadline or within FLOW_TICK_MS after it.
 *
 * Every flow is counted in the account of its inside host (net/flow_user.h). One that can be spared
 * (TCP that is over, or whose handshake is not; one-way or ICMP) is in one of the host's lists as
 * well, the oldest first, so that it can make room for others. Its links lie where the upper halves
 * of its byte counts will be: one that carries 4 GB is no mere attempt, and leaves the list (and
 * does not come back when it is over: such are few).
 *
 * Times are milliseconds that wrap every 49 days and are compared by signed difference. A slot is a
 * power of two of milliseconds so that the wheel does not notice the wrap.
 *
 * Invariants: a live flow has exactly two index entries and one wheel link; a free one has none,
 * and protocol 0. No tuple is that of two flows, nor of both directions of one (unless its two ends
 * are the same). FLOW_SPARE is set exactly while a flow is in a list of its host's account.
 */
#ifndef NET_FLOW_TABLE_H
#define NET_FLOW_TABLE_H

#include "base.h"
#include "net/flow_user.h"
#include "net/hash.h"
#include "net/index.h"

#define FLOW_NONE         UINT32_MAX
#define FLOW_CAPACITY_MAX (1u << 24)
#define FLOW_NO_NEIGHBOR  UINT16_MAX /* what a new flow's neighbor_out and neighbor_in are */

/* Zones number where packets come from: networks are 0..15 as in struct config, and this is the
 * uplink. */
#define NETWORK_UPLINK 16

enum flow_dir { FLOW_OUT, FLOW_IN }; /* from the inside host; towards it */

/* In two groups: in the states of the first one, every packet can change the state; in the steady
 * ones only a packet with a TCP flag can, so that the hot path asks one question. */
enum flow_state {
    FLOW_FREE,
    FLOW_UDP_ONE_WAY, /* no answer yet */
    FLOW_TCP_OPENING, /* SYN seen, not yet both SYNs and both ACKs */
    FLOW_TCP_ENDING,  /* open, but an end was announced that may be a stranger's (nat_track.c) */
    FLOW_TCP_CLOSING, /* FINs both ways, or a RST */
    FLOW_UDP_STREAM,  /* both ways seen */
    FLOW_TCP_ESTABLISHED,
    FLOW_ICMP,
    FLOW_STATE_COUNT,
    FLOW_STEADY = FLOW_UDP_STREAM
};

/* One direction's key: addresses and ports as they stand in a packet going that way. ICMP echo: the
 * identifier stands in sport (requests) or dport (replies), the other is 0. Protocols without
 * ports: both are 0. zone is the network the packet came from, or NETWORK_UPLINK, so that networks
 * may use the same addresses. */
struct flow_tuple {
    be32 src, dst;
    be16 sport, dport;
    uint8_t proto, zone;
    uint16_t zero;
};
static_assert(sizeof(struct flow_tuple) == 16, "tuples are hashed and compared as words");

enum flow_flags {
    FLOW_OPENED_IN = 1 << 0,     /* its first packet was inbound */
    FLOW_HOLDS_MAPPING = 1 << 1, /* the owner's: it keeps its mapping open (nat.h) */
    FLOW_PLAIN = 1 << 2,         /* not translated: out_ip is in_ip, out_port is in_port */
    FLOW_IN_TURN = 1 << 4,       /* the owner's: its inside end is one of several (nat.h) */
    FLOW_PERMITS = 1 << 5,       /* the owner's: it has joined a permit (nat_permit.h) */
    FLOW_SPARE = 1 << 3,         /* the table's: it is in a list of its host's account */
};

/* The order of the first members lets either direction's tuple be compared in words: the outbound
 * one stands at in_ip and in_port, the inbound one (source first) at rem_ip and rem_port. */
struct flow {
    be32 in_ip, rem_ip, out_ip; /* inside host; remote host; the inside host as rem_ip sees it */
    /* ICMP echo: identifiers, and 0 at the end that answers. */
    be16 in_port, rem_port, out_port;
    uint8_t proto;
    uint8_t rem_zone;      /* where the remote host is: a network, or NETWORK_UPLINK */
    uint32_t last_ms;      /* when a packet last refreshed it */
    uint16_t l3_delta;     /* outbound checksum deltas (csum.h): addresses; what the transport */
    uint16_t l4_delta;     /* checksum covers. Inbound ones are their complements. */
    uint16_t neighbor_out; /* next hops, as neighbor.h numbers them, or FLOW_NO_NEIGHBOR */
    uint16_t neighbor_in;
    uint8_t state;      /* enum flow_state */
    uint8_t flags;      /* enum flow_flags */
    uint8_t zone;       /* the inside host's network */
    uint8_t tcp_scales; /* the owner's: TCP's window scales, out in the lower half */
    uint16_t tcp_seen;  /* the owner's notes: what was seen each way */
    uint16_t user;      /* the account of its inside host */
    be32 acks[2];       /* the owner's: TCP's last acknowledgment number each way */
    uint32_t bytes[2];  /* L3 bytes by enum flow_dir: the lower halves, see flow_bytes() */
    uint32_t packets[2];
};
static_assert(sizeof(struct flow) == CACHE_LINE_BYTES, "a flow is a cache line");

/* The rest of it. */
struct flow_cold {
    uint32_t wheel_next, wheel_prev;
    uint32_t mapping; /* the mapping it uses, or FLOW_NONE (a forwarded port, a plain flow) */
    uint32_t created_ms;
    union {
        uint32_t bytes_high[2];
        struct {
            uint32_t spare_next, spare_prev; /* FLOW_SPARE: in its list, a ring */
        };
    };
    uint32_t due[2]; /* the owner's, host order: what the other side will acknowledge */
};
static_assert(sizeof(struct flow_cold) == 32, "two to a cache line");
static_assert(offsetof(struct flow, rem_ip) == offsetof(struct flow, in_ip) + 4 &&
                  offsetof(struct flow, out_ip) == offsetof(struct flow, rem_ip) + 4 &&
                  offsetof(struct flow, rem_port) == offsetof(struct flow, in_port) + 2 &&
                  offsetof(struct flow, out_port) == offsetof(struct flow, rem_port) + 2 &&
                  offsetof(struct flow, proto) == offsetof(struct flow, out_port) + 2 &&
                  offsetof(struct flow, rem_zone) == offsetof(struct flow, proto) + 1,
              "flow_is() compares these as words");

#define FLOW_TICK_MS     512u   /* a wheel slot */
#define FLOW_WHEEL_SLOTS 16384u /* the longest timeout (7,440 s) fits in one turn */

struct flow_table {
    struct flow *flows;
    struct flow_cold *cold;
    uint32_t capacity;
    uint32_t live;
    uint32_t free_head; /* flows that were used before, linked through wheel_next */
    uint32_t fresh;     /* flows from here on were never used */
    struct index index;
    struct hash_key key;
    struct flow_users users;
    uint32_t *wheel;      /* FLOW_WHEEL_SLOTS heads, or FLOW_NONE */
    uint64_t *wheel_used; /* a bit a slot, for finding the next deadline */
    uint32_t wheel_at_ms; /* the next slot's time to be looked at */
    uint32_t timeout_ms[FLOW_STATE_COUNT];
    uint64_t created, expired, refused;
};

/* Takes its memory from alloc, and that of the flows, which need not be zeroed, from alloc_dirty
 * (both arrays); -ENOMEM, -EINVAL (capacity 0 or above FLOW_CAPACITY_MAX). now_ms is the time the
 * wheel starts at. timeout_ms is the caller's to fill afterwards. */
int flow_table_init(struct flow_table *t, uint32_t capacity, const struct hash_key *key,
                    uint32_t now_ms, alloc_fn alloc, alloc_fn alloc_dirty);
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

/* True if k is the flow's tuple of this direction; never of a free flow, which has no protocol. */
static inline bool flow_is(const struct flow *f, const struct flow_tuple *k, enum flow_dir dir)
{
    const char *flow = (const char *)f, *key = (const char *)k;
    uint64_t ips, k_ips;

    memcpy(&k_ips, key + offsetof(struct flow_tuple, src), sizeof(k_ips));
    uint32_t k_ports = load_raw32(key + offsetof(struct flow_tuple, sport));
    if (dir == FLOW_OUT) {
        memcpy(&ips, flow + offsetof(struct flow, in_ip), sizeof(ips));
        return ips == k_ips && load_raw32(flow + offsetof(struct flow, in_port)) == k_ports &&
               f->proto == k->proto && f->zone == k->zone;
    }
    memcpy(&ips, flow + offsetof(struct flow, rem_ip), sizeof(ips));
    /* Ports, protocol and zone at once; what else is in the words is shifted out. */
    uint64_t rest = load_raw64(flow + offsetof(struct flow, rem_port));
    return ips == k_ips && (rest ^ load_raw64(key + offsetof(struct flow_tuple, sport))) << 16 == 0;
}

/* The flow with this tuple in this direction, or NULL. */
struct flow *flow_find(const struct flow_table *t, const struct flow_tuple *k, uint32_t hash,
                       enum flow_dir dir);

/* The flow with this tuple in either direction, and which it is; or NULL, *dir as it was. (What
 * comes from the uplink can only be inbound, what comes from a network can be either.)
 * flow_find_listed() is for who has looked at the index already: flow_prefetch(). */
struct flow *flow_find_listed(const struct flow_table *t, const struct flow_tuple *k, uint32_t hash,
                              enum flow_dir *dir);

static inline struct flow *flow_find_either(const struct flow_table *t, const struct flow_tuple *k,
                                            uint32_t hash, enum flow_dir *dir)
{
    return index_may_have(&t->index, hash) ? flow_find_listed(t, k, hash, dir) : NULL;
}

/* The half of flow_find that touches only the index, and prefetches the flow's line. For bursts,
 * after flow_prefetch_index. Returns the number of the flow that flow_is() should be asked about
 * first, or FLOW_NONE; it may be used as long as the table lives, whatever happens to that flow. */
static inline uint32_t flow_prefetch(const struct flow_table *t, uint32_t hash)
{
    uint32_t ref;
    if (UNLIKELY(!index_guess(&t->index, hash, &ref)))
        return FLOW_NONE;
    __builtin_prefetch(&t->flows[ref], 1);
    return ref;
}

/* The tuple that packets of this flow carry in this direction. */
struct flow_tuple flow_tuple_of(const struct flow *f, enum flow_dir dir);

/* A new flow with these identities (addresses, ports, protocol and zones of *like, whose user may
 * be a guess or 0; all the rest of it is 0, and set here: deltas, state, time); NULL when full
 * (counted in refused), or when either tuple is taken. Linked in index and wheel. */
struct flow *flow_create(struct flow_table *t, const struct flow *like, enum flow_state state,
                         uint32_t now_ms);
/* False if either tuple is taken. */
bool flow_may_be(const struct flow_table *t, const struct flow *like);
void flow_destroy(struct flow_table *t, struct flow *f);

static inline uint32_t flow_id(const struct flow_table *t, const struct flow *f)
{
    return (uint32_t)(f - t->flows);
}

static inline struct flow_cold *flow_cold(const struct flow_table *t, const struct flow *f)
{
    return &t->cold[flow_id(t, f)];
}

/* The rest of flow_count(), once in 4 GB. */
void flow_carry(struct flow_table *t, struct flow *f, enum flow_dir dir);

/* Counts a packet. */
static inline void flow_count(struct flow_table *t, struct flow *f, enum flow_dir dir,
                              uint32_t bytes)
{
    f->packets[dir]++;
    if (UNLIKELY(__builtin_add_overflow(f->bytes[dir], bytes, &f->bytes[dir])))
        flow_carry(t, f, dir);
}

static inline uint64_t flow_bytes(const struct flow_table *t, const struct flow *f,
                                  enum flow_dir dir)
{
    uint32_t high = f->flags & FLOW_SPARE ? 0 : flow_cold(t, f)->bytes_high[dir];
    return (uint64_t)high << 32 | f->bytes[dir];
}

/* The host's account. */
static inline struct flow_user *flow_user(struct flow_table *t, const struct flow *f)
{
    return &t->users.user[f->user];
}

/* Sets the state, and re-links the flow if its deadline comes earlier by that. Refreshes nothing:
 * the deadline counts from last_ms. */
void flow_set_state(struct flow_table *t, struct flow *f, enum flow_state state);

/* Looks at slots that have come up, at most budget flows; calls gone(arg, f) for each expired flow,
 * then destroys it. Returns the number of flows looked at; work left over is done by the next call.
 */
unsigned flow_expire(struct flow_table *t, uint32_t now_ms, unsigned budget,
                     void (*gone)(void *arg, struct flow *f), void *arg);

/* Milliseconds from now_ms until flow_expire has something to look at; 0 = now; UINT32_MAX =
 * nothing. */
uint32_t flow_next_deadline_ms(const struct flow_table *t, uint32_t now_ms);

#endif
