/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Flows: creation, destruction and expiry; see net/flow_table.h for how it works.
 *
 * The wheel's lists are doubly linked by flow number. The first flow of a slot has the slot in its
 * wheel_prev, with WHEEL_HEAD set, so that a flow can be unlinked without knowing its deadline.
 */
#include "net/flow_table.h"
#include "check.h"
#include "net/wire/csum.h"
#include "net/wire/ip4.h"

#define WHEEL_HEAD  (1u << 31)
#define WHEEL_WORDS (FLOW_WHEEL_SLOTS / 64)
static_assert(FLOW_CAPACITY_MAX <= WHEEL_HEAD, "flow numbers leave the top bit free");

size_t flow_table_bytes(uint32_t capacity)
{
    return (size_t)capacity * (sizeof(struct flow) + sizeof(struct flow_cold)) +
           index_bytes(2 * capacity) + FLOW_WHEEL_SLOTS * sizeof(uint32_t) +
           WHEEL_WORDS * sizeof(uint64_t) + flow_users_bytes(capacity);
}

int flow_table_init(struct flow_table *t, uint32_t capacity, const struct hash_key *key,
                    uint32_t now_ms, alloc_fn alloc, alloc_fn alloc_dirty)
{
    memset(t, 0, sizeof(*t));
    if (capacity == 0 || capacity > FLOW_CAPACITY_MAX)
        return -EINVAL;
    t->capacity = capacity;
    t->free_head = FLOW_NONE;
    t->key = *key;
    t->wheel_at_ms = now_ms & ~(FLOW_TICK_MS - 1);
    t->flows = alloc_dirty((size_t)capacity * sizeof(struct flow), CACHE_LINE_BYTES);
    t->cold = alloc_dirty((size_t)capacity * sizeof(struct flow_cold), CACHE_LINE_BYTES);
    t->wheel = alloc(FLOW_WHEEL_SLOTS * sizeof(uint32_t), CACHE_LINE_BYTES);
    t->wheel_used = alloc(WHEEL_WORDS * sizeof(uint64_t), CACHE_LINE_BYTES);
    if (!t->flows || !t->cold || !t->wheel || !t->wheel_used)
        return -ENOMEM;
    for (unsigned i = 0; i < FLOW_WHEEL_SLOTS; i++)
        t->wheel[i] = FLOW_NONE;
    int err = flow_users_init(&t->users, capacity, alloc);
    return err ? err : index_init(&t->index, 2 * capacity, alloc);
}

/* ---- the wheel ---- */

static uint32_t wheel_slot(uint32_t ms)
{
    return ms / FLOW_TICK_MS % FLOW_WHEEL_SLOTS;
}

/* Into the slot at or just after its deadline; a deadline that is past, into the next one to be
 * looked at; one beyond the wheel, into the last, from where it is linked again. */
static inline __attribute__((always_inline)) void wheel_link(struct flow_table *t,
                                                             const struct flow *f)
{
    uint32_t deadline_ms = f->last_ms + t->timeout_ms[f->state];
    int32_t ahead_ms = (int32_t)(deadline_ms + FLOW_TICK_MS - 1 - t->wheel_at_ms);
    ahead_ms = MAX(ahead_ms, 0);
    ahead_ms = MIN(ahead_ms, (int32_t)(FLOW_TICK_MS * (FLOW_WHEEL_SLOTS - 1)));

    uint32_t slot = wheel_slot(t->wheel_at_ms + (uint32_t)ahead_ms);
    uint32_t id = flow_id(t, f);
    uint32_t next = t->wheel[slot];
    t->cold[id].wheel_next = next;
    t->cold[id].wheel_prev = WHEEL_HEAD | slot;
    if (next != FLOW_NONE)
        t->cold[next].wheel_prev = id;
    t->wheel[slot] = id;
    t->wheel_used[slot / 64] |= 1ull << slot % 64;
}

static void wheel_unlink(struct flow_table *t, const struct flow *f)
{
    const struct flow_cold *cold = flow_cold(t, f);

    if (cold->wheel_next != FLOW_NONE)
        t->cold[cold->wheel_next].wheel_prev = cold->wheel_prev;
    if (!(cold->wheel_prev & WHEEL_HEAD)) {
        t->cold[cold->wheel_prev].wheel_next = cold->wheel_next;
        return;
    }
    uint32_t slot = cold->wheel_prev & ~WHEEL_HEAD;
    t->wheel[slot] = cold->wheel_next;
    if (cold->wheel_next == FLOW_NONE)
        t->wheel_used[slot / 64] &= ~(1ull << slot % 64);
}

/* Slots from wheel_at_ms to the first that is not empty. There is one: t->live is not 0. */
static uint32_t wheel_distance(const struct flow_table *t)
{
    uint32_t at = wheel_slot(t->wheel_at_ms);
    uint32_t word = at / 64;
    uint64_t bits = t->wheel_used[word] & ~0ull << at % 64;

    for (unsigned i = 0; bits == 0 && i < WHEEL_WORDS; i++) {
        word = (word + 1) % WHEEL_WORDS;
        bits = t->wheel_used[word];
    }
    CHECK(bits != 0);
    return (word * 64 + (uint32_t)__builtin_ctzll(bits) - at) % FLOW_WHEEL_SLOTS;
}

/* ---- flows that can be spared ---- */

/* The list that a flow in this state is in; SPARE_COUNT: none. */
static enum flow_spare spare_of(unsigned state)
{
    return state == FLOW_TCP_CLOSING                         ? SPARE_CLOSING
           : state == FLOW_TCP_OPENING                       ? SPARE_OPENING
           : state == FLOW_UDP_ONE_WAY || state == FLOW_ICMP ? SPARE_ONE_WAY
                                                             : SPARE_COUNT;
}

static void count_spare(struct flow_table *t, const struct flow *f, enum flow_spare spare, int more)
{
    flow_user(t, f)->spare[spare] += (uint32_t)more;
    t->users.network[f->zone].spare[spare] += (uint32_t)more;
    t->users.spare[spare] += (uint32_t)more;
}

/* Last in its list, if its state has one. */
static inline __attribute__((always_inline)) void spare_link(struct flow_table *t, struct flow *f)
{
    enum flow_spare spare = spare_of(f->state);
    struct flow_cold *cold = flow_cold(t, f);
    uint32_t id = flow_id(t, f);

    if (spare == SPARE_COUNT || cold->bytes_high[0] || cold->bytes_high[1])
        return;
    uint32_t *oldest = &flow_user(t, f)->oldest[spare];
    if (*oldest == FLOW_NONE)
        *oldest = cold->spare_prev = id;
    struct flow_cold *first = &t->cold[*oldest];
    cold->spare_next = *oldest;
    cold->spare_prev = first->spare_prev;
    t->cold[first->spare_prev].spare_next = id;
    first->spare_prev = id;
    f->flags |= FLOW_SPARE;
    count_spare(t, f, spare, 1);
}

static void spare_unlink(struct flow_table *t, struct flow *f)
{
    enum flow_spare spare = spare_of(f->state);
    struct flow_cold *cold = flow_cold(t, f);
    uint32_t id = flow_id(t, f);

    if (!(f->flags & FLOW_SPARE))
        return;
    uint32_t *oldest = &flow_user(t, f)->oldest[spare];
    if (*oldest == id)
        *oldest = cold->spare_next == id ? FLOW_NONE : cold->spare_next;
    t->cold[cold->spare_next].spare_prev = cold->spare_prev;
    t->cold[cold->spare_prev].spare_next = cold->spare_next;
    memset(cold->bytes_high, 0, sizeof(cold->bytes_high));
    f->flags &= (uint8_t)~FLOW_SPARE;
    count_spare(t, f, spare, -1);
}

/* ---- flows ---- */

struct flow_tuple flow_tuple_of(const struct flow *f, enum flow_dir dir)
{
    if (dir == FLOW_OUT)
        return (struct flow_tuple){f->in_ip, f->rem_ip, f->in_port, f->rem_port,
                                   f->proto, f->zone,   0};
    return (struct flow_tuple){f->rem_ip,   f->out_ip, f->rem_port, f->out_port, f->proto,
                               f->rem_zone, 0};
}

struct flow *flow_find(const struct flow_table *t, const struct flow_tuple *k, uint32_t hash,
                       enum flow_dir dir)
{
    struct index_cursor c;

    for (uint32_t ref = index_first(&t->index, hash, &c); ref != INDEX_END;
         ref = index_next(&t->index, &c)) {
        struct flow *f = &t->flows[ref];
        if (LIKELY(flow_is(f, k, dir)))
            return f;
    }
    return NULL;
}

struct flow *flow_find_listed(const struct flow_table *t, const struct flow_tuple *k, uint32_t hash,
                              enum flow_dir *dir)
{
    struct index_cursor c;

    for (uint32_t ref = index_first(&t->index, hash, &c); ref != INDEX_END;
         ref = index_next(&t->index, &c)) {
        struct flow *f = &t->flows[ref];
        if (flow_is(f, k, FLOW_OUT)) {
            *dir = FLOW_OUT;
            return f;
        }
        if (flow_is(f, k, FLOW_IN)) {
            *dir = FLOW_IN;
            return f;
        }
    }
    return NULL;
}

/* An ICMP checksum has no pseudo-header, so the addresses do not count there. */
static void set_deltas(struct flow *f)
{
    uint32_t addresses = csum_delta32(f->in_ip, f->out_ip);
    uint32_t ports = csum_delta16(f->in_port, f->out_port);
    f->l3_delta = csum_fold(addresses);
    f->l4_delta = csum_fold(f->proto == IP_PROTO_ICMP ? ports : addresses + ports);
}

static struct flow *take_free(struct flow_table *t)
{
    if (t->free_head != FLOW_NONE) {
        struct flow *f = &t->flows[t->free_head];
        t->free_head = flow_cold(t, f)->wheel_next;
        return f;
    }
    return t->fresh < t->capacity ? &t->flows[t->fresh++] : NULL;
}

static void give_free(struct flow_table *t, struct flow *f)
{
    f->state = FLOW_FREE;
    f->proto = 0; /* flow_is() must not take it for anybody's */
    flow_cold(t, f)->wheel_next = t->free_head;
    t->free_head = flow_id(t, f);
}

/* flow_hash() of the flow's tuple, put together in registers: as flow_is() compares it. */
static inline uint32_t hash_of(const struct flow_table *t, const struct flow *f, enum flow_dir dir)
{
    const be32 *ips = dir == FLOW_OUT ? &f->in_ip : &f->rem_ip;
    const be16 *ports = dir == FLOW_OUT ? &f->in_port : &f->rem_port;
    uint16_t proto_zone = (uint16_t)(f->proto | (dir == FLOW_OUT ? f->zone : f->rem_zone) << 8);

    return hash_words(&t->key, load_raw64(ips), load_raw32(ports) | (uint64_t)proto_zone << 32);
}

/* True if that tuple is some flow's already. */
static __attribute__((noinline)) bool is_listed(const struct flow_table *t, const struct flow *like,
                                                uint32_t hash, enum flow_dir dir)
{
    struct flow_tuple k = flow_tuple_of(like, dir);

    return flow_find_listed(t, &k, hash, &dir) != NULL;
}

static inline bool is_taken(const struct flow_table *t, const struct flow *like, uint32_t hash,
                            enum flow_dir dir)
{
    return index_may_have(&t->index, hash) && is_listed(t, like, hash, dir);
}

bool flow_may_be(const struct flow_table *t, const struct flow *like)
{
    return !is_taken(t, like, hash_of(t, like, FLOW_OUT), FLOW_OUT) &&
           !is_taken(t, like, hash_of(t, like, FLOW_IN), FLOW_IN);
}

struct flow *flow_create(struct flow_table *t, const struct flow *like, enum flow_state state,
                         uint32_t now_ms)
{
    uint32_t out_hash = hash_of(t, like, FLOW_OUT), in_hash = hash_of(t, like, FLOW_IN);

    if (is_taken(t, like, out_hash, FLOW_OUT) || is_taken(t, like, in_hash, FLOW_IN))
        return NULL;
    struct flow *f = take_free(t);
    if (!f) {
        t->refused++;
        return NULL;
    }
    uint32_t id = flow_id(t, f);
    if (index_insert_both(&t->index, out_hash, in_hash, id) != 0) {
        give_free(t, f);
        t->refused++;
        return NULL;
    }

    *f = *like;
    f->user = flow_user_take(&t->users, &t->key, like->zone, like->in_ip, like->user);
    flow_user(t, f)->flows++;
    t->users.network[f->zone].flows++;
    set_deltas(f);
    f->last_ms = now_ms;
    f->neighbor_out = f->neighbor_in = FLOW_NO_NEIGHBOR;
    f->state = (uint8_t)state;
    t->cold[id] = (struct flow_cold){.mapping = FLOW_NONE, .created_ms = now_ms};
    if (t->live++ == 0) /* an empty wheel may have stood still for long */
        t->wheel_at_ms = now_ms & ~(FLOW_TICK_MS - 1);
    t->created++;
    wheel_link(t, f);
    spare_link(t, f);
    return f;
}

void flow_destroy(struct flow_table *t, struct flow *f)
{
    uint32_t id = flow_id(t, f);

    CHECK(f->state != FLOW_FREE);
    bool out_gone = index_remove(&t->index, hash_of(t, f, FLOW_OUT), id);
    bool in_gone = index_remove(&t->index, hash_of(t, f, FLOW_IN), id);
    CHECK(out_gone && in_gone);
    wheel_unlink(t, f);
    spare_unlink(t, f);
    flow_user(t, f)->flows--;
    t->users.network[f->zone].flows--;
    flow_user_drop(&t->users, &t->key, f->user);
    t->live--;
    give_free(t, f);
}

void flow_carry(struct flow_table *t, struct flow *f, enum flow_dir dir)
{
    spare_unlink(t, f);
    flow_cold(t, f)->bytes_high[dir]++;
}

void flow_set_state(struct flow_table *t, struct flow *f, enum flow_state state)
{
    bool sooner = t->timeout_ms[state] < t->timeout_ms[f->state];

    if (spare_of(state) != spare_of(f->state)) {
        spare_unlink(t, f);
        f->state = (uint8_t)state;
        spare_link(t, f);
    }
    f->state = (uint8_t)state;
    if (sooner) {
        wheel_unlink(t, f);
        wheel_link(t, f);
    }
}

unsigned flow_expire(struct flow_table *t, uint32_t now_ms, unsigned budget,
                     void (*gone)(void *arg, struct flow *f), void *arg)
{
    unsigned looked_at = 0;

    while (t->live > 0 && looked_at < budget) {
        uint32_t next_ms = t->wheel_at_ms + wheel_distance(t) * FLOW_TICK_MS;
        if ((int32_t)(now_ms - next_ms) < 0) {
            /* Not to next_ms: a flow that comes meanwhile may have an earlier deadline. */
            if ((int32_t)(now_ms - t->wheel_at_ms) > 0)
                t->wheel_at_ms = now_ms & ~(FLOW_TICK_MS - 1);
            break;
        }
        t->wheel_at_ms = next_ms;
        struct flow *f = &t->flows[t->wheel[wheel_slot(t->wheel_at_ms)]];
        looked_at++;
        if ((int32_t)(now_ms - f->last_ms - t->timeout_ms[f->state]) >= 0) {
            gone(arg, f);
            flow_destroy(t, f);
            t->expired++;
            continue;
        }
        wheel_unlink(t, f);
        wheel_link(t, f);
    }
    return looked_at;
}

uint32_t flow_next_deadline_ms(const struct flow_table *t, uint32_t now_ms)
{
    if (t->live == 0)
        return UINT32_MAX;
    int32_t in_ms = (int32_t)(t->wheel_at_ms + wheel_distance(t) * FLOW_TICK_MS - now_ms);
    return in_ms > 0 ? (uint32_t)in_ms : 0;
}
