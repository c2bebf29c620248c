/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lease table; see dhcp_lease.h. What is in which order is net/dhcp_lease_order.c's.
 *
 * Invariants: a slot is in the chain of its client's bucket exactly while it is OFFERED, GRANTED or
 * OVER, and no two slots in the chains have the same client; it is in the chain of its name's
 * bucket while it has a name. All else that follows from a slot's state - heap, lists, counts,
 * bitmap - is done by lease_enter() and undone by lease_leave(), and nowhere else.
 */
#include "net/dhcp_lease_internal.h"

#include "check.h"
#include "net/hash.h"
#include "net/wire/eth.h"
#include "net/wire/text.h"

/* A new client that has been here as a guest of ARP's finds its address again this far from where
 * its own search begins. */
#define LOOK_AROUND 8

/* A hash of the hardware address that is the same after every restart, and no secret (FNV-1a). */
static uint32_t stable_hash(const uint8_t *mac)
{
    uint32_t h = 2166136261u;

    for (unsigned i = 0; i < MAC_BYTES; i++)
        h = (h ^ mac[i]) * 16777619u;
    return h ^ (h >> 15);
}

static uint32_t bucket_count(uint32_t slots)
{
    uint32_t n = 16;

    while (n < slots)
        n *= 2;
    return n;
}

/* ---- slots ---- */

static bool is_touched(const struct lease_table *t, uint32_t i)
{
    return t->touched[i / 64] >> i % 64 & 1;
}

/* Slot i, made a free one if nobody has asked for it before. */
static struct lease *touch(struct lease_table *t, uint32_t i)
{
    struct lease *l = &t->slots[i];

    if (is_touched(t, i))
        return l;
    t->touched[i / 64] |= 1ull << i % 64;
    memset(l, 0, sizeof(*l));
    l->ip = hton32(ntoh32(t->first) + i);
    l->host = CONFIG_MAX_HOSTS;
    l->next = l->next_name = l->heap_at = l->newer = l->older = LEASE_NONE;
    return l;
}

const struct lease *lease_slot(const struct lease_table *t, uint32_t i)
{
    return is_touched(t, i) ? &t->slots[i] : NULL;
}

static void init_slots(struct lease_table *t, const struct config *config, unsigned network)
{
    uint32_t next = t->pool_count;

    for (uint32_t i = 0; i < t->pool_count; i++)
        t->vacant[i / 64] |= 1ull << i % 64;
    t->dynamic = t->pool_count;
    for (unsigned h = 0; h < config->host_count; h++) {
        if (config->hosts[h].net != network || !config->hosts[h].ip)
            continue;
        uint32_t index = ntoh32(config->hosts[h].ip) - ntoh32(t->first);
        if (index < t->pool_count) {
            t->dynamic--;
            t->vacant[index / 64] &= ~(1ull << index % 64);
        } else {
            index = next++;
        }
        struct lease *l = touch(t, index);
        l->host = (uint16_t)h;
        l->ip = config->hosts[h].ip;
    }
    t->left = t->dynamic;
}

static bool has_several_ports(const struct config_net *net)
{
    return (net->ports & (net->ports - 1)) != 0;
}

static uint32_t count_pool(const struct config_net *net)
{
    return MIN(ntoh32(net->pool_last) - ntoh32(net->pool_first) + 1, LEASE_MAX_POOL);
}

uint32_t lease_count_slots(const struct config *config, unsigned network)
{
    const struct config_net *net = &config->nets[network];
    uint32_t pool = count_pool(net), outside = 0;

    for (unsigned h = 0; h < config->host_count; h++) {
        const struct config_host *host = &config->hosts[h];
        outside +=
            host->net == network && host->ip && ntoh32(host->ip) - ntoh32(net->pool_first) >= pool;
    }
    return pool + outside;
}

uint64_t lease_table_bytes(uint32_t slots)
{
    return (uint64_t)slots * (sizeof(struct lease) + sizeof(uint32_t)) +
           2 * (slots / 64 + 1) * sizeof(uint64_t) + 2ull * bucket_count(slots) * sizeof(uint32_t);
}

int lease_table_init(struct lease_table *t, const struct config *config, unsigned network,
                     const uint8_t *random, alloc_fn alloc, alloc_fn alloc_dirty)
{
    const struct config_net *net = &config->nets[network];

    memset(t, 0, sizeof(*t));
    t->first = net->pool_first;
    t->pool_count = count_pool(net);
    t->slot_count = lease_count_slots(config, network);
    uint32_t buckets = bucket_count(t->slot_count), words = t->slot_count / 64 + 1;
    t->slots = alloc_dirty(sizeof(*t->slots) * t->slot_count, 8);
    t->heap = alloc_dirty(sizeof(*t->heap) * t->slot_count, 8);
    t->touched = alloc(sizeof(*t->touched) * words, 8);
    t->vacant = alloc(sizeof(*t->vacant) * words, 8);
    t->buckets = alloc_dirty(sizeof(*t->buckets) * buckets, 8);
    t->name_buckets = alloc_dirty(sizeof(*t->name_buckets) * buckets, 8);
    if (!t->slots || !t->heap || !t->touched || !t->vacant || !t->buckets || !t->name_buckets) {
        t->slots = NULL;
        return -ENOMEM;
    }
    t->bucket_mask = buckets - 1;
    memset(t->buckets, 0xFF, sizeof(*t->buckets) * buckets); /* LEASE_NONE */
    memset(t->name_buckets, 0xFF, sizeof(*t->name_buckets) * buckets);
    memcpy(t->key, random, sizeof(t->key));
    for (unsigned p = 0; p < config->port_count; p++)
        t->by_mac |= (net->ports >> p & 1) && config->ports[p].lock == LOCK_IP;
    t->shared = has_several_ports(net);
    lease_order_init(t);
    init_slots(t, config, network);
    return 0;
}

/* ---- by client, address and name ---- */

static void digest(struct lease_id *who, const struct lease_table *t, const uint8_t *at,
                   size_t left)
{
    while (left > 0) {
        uint64_t word = 0;
        size_t part = MIN(left, sizeof(word));
        memcpy(&word, at, part);
        who->half[0] = hash_mix(who->half[0] ^ word, t->key[1] | 1);
        who->half[1] = hash_mix(who->half[1] ^ word, t->key[2] | 1);
        at += part;
        left -= part;
    }
}

struct lease_id lease_id_of(const struct lease_table *t, const uint8_t *id, size_t n,
                            const uint8_t *mac, bool clone)
{
    /* A client identifier that equals somebody's hardware address is still another client. */
    struct lease_id who = {{t->key[0] ^ n, t->key[1] + n}};

    if (n)
        digest(&who, t, id, n);
    if (!n || t->by_mac || clone)
        digest(&who, t, mac, MAC_BYTES);
    return who;
}

struct lease *lease_of_client(const struct lease_table *t, const struct lease_id *who)
{
    uint32_t i = t->buckets[who->half[0] & t->bucket_mask];

    while (i != LEASE_NONE && !lease_id_equal(&t->slots[i].who, who))
        i = t->slots[i].next;
    return i == LEASE_NONE ? NULL : &t->slots[i];
}

/* The slot of an address, or LEASE_NONE. Outside of the pool there are as few as reservations. */
static uint32_t find_ip(const struct lease_table *t, be32 ip)
{
    uint32_t index = ntoh32(ip) - ntoh32(t->first);

    if (index < t->pool_count)
        return index;
    for (index = t->pool_count; index < t->slot_count; index++)
        if (t->slots[index].ip == ip)
            return index;
    return LEASE_NONE;
}

struct lease *lease_of_ip(struct lease_table *t, be32 ip)
{
    uint32_t i = find_ip(t, ip);

    return i != LEASE_NONE ? touch(t, i) : NULL;
}

const struct lease *lease_known(const struct lease_table *t, be32 ip)
{
    uint32_t i = find_ip(t, ip);

    return i != LEASE_NONE ? lease_slot(t, i) : NULL;
}

static uint32_t *name_bucket(const struct lease_table *t, const char *name, size_t n)
{
    uint64_t h = t->key[0];

    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)name[i];
        h = hash_mix(h ^ (c >= 'A' && c <= 'Z' ? c + 32u : c), t->key[2] | 1);
    }
    return &t->name_buckets[h & t->bucket_mask];
}

const struct lease *lease_of_name(const struct lease_table *t, const char *name, size_t n,
                                  uint32_t now_s)
{
    uint32_t i = *name_bucket(t, name, n);

    while (i != LEASE_NONE &&
           !(lease_live(&t->slots[i], now_s) && host_name_equal(t->slots[i].name, name, n)))
        i = t->slots[i].next_name;
    return i == LEASE_NONE ? NULL : &t->slots[i];
}

void lease_set_name(struct lease_table *t, struct lease *l, const char *name)
{
    if (l->name[0]) {
        uint32_t *link = name_bucket(t, l->name, strlen(l->name));
        while (&t->slots[*link] != l) {
            CHECK(*link != LEASE_NONE);
            link = &t->slots[*link].next_name;
        }
        *link = l->next_name;
        l->next_name = LEASE_NONE;
    }
    size_t n = strlen(name);
    CHECK(n < sizeof(l->name));
    memcpy(l->name, name, n + 1);
    if (n) {
        uint32_t *bucket = name_bucket(t, name, n);
        l->next_name = *bucket;
        *bucket = lease_index(t, l);
    }
    lease_mark(t, l);
}

/* ---- who may have what ---- */

bool lease_may_have(const struct lease *l, const struct lease_id *who, const uint8_t *mac,
                    unsigned host, uint32_t now_s)
{
    /* A reservation is by hardware address: its owner has it under whatever identifier it calls
     * itself (a boot ROM and the system it loads use different ones), and whoever else may be using
     * it. */
    if (l->host != CONFIG_MAX_HOSTS)
        return l->host == host;
    switch (l->state) {
    case LEASE_OFFERED:
    case LEASE_GRANTED:
        return lease_id_equal(&l->who, who) || lease_over(l, now_s);
    case LEASE_DECLINED:
        return lease_over(l, now_s);
    case LEASE_SEEN:
        return mac_equal(l->mac, mac) || lease_over(l, now_s);
    default:
        return true;
    }
}

bool lease_in_share(const struct lease_table *t, const struct lease *l, const struct lease_id *who,
                    unsigned port)
{
    const struct lease *old = lease_of_client(t, who);

    if (!t->shared || l->host != CONFIG_MAX_HOSTS)
        return true;
    if (old && lease_counts(old) && (old == l || old->port == port))
        return true; /* it keeps its address, or gives it up for this one */
    return t->held[port] == 0 || t->held[port] + 1 <= 4 * (MAX(t->left, 1u) - 1);
}

/* The first vacant address from start on, and around; LEASE_NONE if there is none. */
static uint32_t find_vacant(const struct lease_table *t, uint32_t start)
{
    uint32_t words = (t->pool_count + 63) / 64, at = start / 64;
    uint64_t word = t->vacant[at] & (~0ull << start % 64);

    for (uint32_t i = 0; i <= words; i++) {
        if (word)
            return at * 64 + (uint32_t)__builtin_ctzll(word);
        at = at + 1 < words ? at + 1 : 0;
        word = t->vacant[at];
    }
    return LEASE_NONE;
}

/* An address for a client that has none. */
static struct lease *choose_new(struct lease_table *t, const uint8_t *mac, uint32_t now_s)
{
    uint32_t start = stable_hash(mac) % t->pool_count;

    for (uint32_t i = 0; i < MIN(LOOK_AROUND, t->pool_count); i++) {
        uint32_t at = (start + i) % t->pool_count;
        const struct lease *l = lease_slot(t, at);
        if (t->vacant[at / 64] >> at % 64 & 1)
            break;
        if (l && l->state == LEASE_SEEN && mac_equal(l->mac, mac))
            return &t->slots[at];
    }
    start = find_vacant(t, start);
    return start != LEASE_NONE ? touch(t, start) : lease_oldest(t, now_s);
}

struct lease *lease_choose(struct lease_table *t, const struct lease_id *who, const uint8_t *mac,
                           be32 wanted, uint32_t now_s)
{
    struct lease *l = lease_of_client(t, who);

    if (l && lease_may_have(l, who, mac, CONFIG_MAX_HOSTS, now_s))
        return l;
    l = wanted ? lease_of_ip(t, wanted) : NULL;
    if (l && lease_may_have(l, who, mac, CONFIG_MAX_HOSTS, now_s))
        return l;
    return choose_new(t, mac, now_s);
}

/* ---- changes ---- */

static bool in_chain(const struct lease *l)
{
    return l->state == LEASE_OFFERED || l->state == LEASE_GRANTED || l->state == LEASE_OVER;
}

/* Back to LEASE_FREE, whatever it was. */
void lease_forget(struct lease_table *t, struct lease *l)
{
    if (in_chain(l)) {
        uint32_t *link = &t->buckets[l->who.half[0] & t->bucket_mask];
        while (&t->slots[*link] != l) {
            CHECK(*link != LEASE_NONE);
            link = &t->slots[*link].next;
        }
        *link = l->next;
    }
    lease_set_name(t, l, "");
    lease_leave(t, l);
    l->next = LEASE_NONE;
    memset(l->mac, 0, sizeof(l->mac));
    lease_enter(t, l, LEASE_FREE, 0);
}

void lease_take(struct lease_table *t, struct lease *l, const struct lease_id *who,
                const uint8_t *mac, unsigned port, enum lease_state state, uint32_t expires_s)
{
    struct lease *old = lease_of_client(t, who);

    CHECK(state == LEASE_OFFERED || state == LEASE_GRANTED);
    if (old != l) {
        if (old)
            lease_forget(t, old);
        lease_forget(t, l);
        l->who = *who;
        uint32_t *bucket = &t->buckets[who->half[0] & t->bucket_mask];
        l->next = *bucket;
        *bucket = lease_index(t, l);
    }
    lease_leave(t, l);
    memcpy(l->mac, mac, MAC_BYTES);
    l->port = (uint8_t)port;
    if (state == LEASE_OFFERED)
        lease_trim_offers(t, port);
    lease_enter(t, l, state, expires_s);
}

void lease_end(struct lease_table *t, struct lease *l)
{
    if (l->state == LEASE_OFFERED || (l->state == LEASE_GRANTED && l->host != CONFIG_MAX_HOSTS)) {
        lease_forget(t, l);
    } else if (l->state == LEASE_GRANTED) {
        lease_leave(t, l);
        lease_enter(t, l, LEASE_OVER, l->expires_s);
    }
}

void lease_block(struct lease_table *t, struct lease *l, enum lease_state state, const uint8_t *mac,
                 uint32_t until_s)
{
    CHECK(state == LEASE_DECLINED || state == LEASE_SEEN);
    lease_forget(t, l);
    lease_leave(t, l);
    memcpy(l->mac, mac, MAC_BYTES);
    l->probed_s = 0;
    lease_enter(t, l, state, until_s);
}
