/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lease table; see dhcp_lease.h.
 *
 * Invariants: a slot is in its bucket's chain exactly while it is OFFERED or GRANTED; no two slots
 * in the chains have the same client.
 */
#include "net/dhcp_lease.h"

#include "check.h"
#include "net/hash.h"
#include "net/wire/eth.h"

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

static void init_slots(struct lease_table *t, const struct config *config, unsigned network)
{
    uint32_t next = t->pool_count;

    for (uint32_t i = 0; i < t->slot_count; i++) {
        t->slots[i].next = LEASE_NONE;
        t->slots[i].host = CONFIG_MAX_HOSTS;
        t->slots[i].ip = hton32(ntoh32(t->first) + i);
    }
    t->never_used = t->pool_count;
    for (unsigned h = 0; h < config->host_count; h++) {
        if (config->hosts[h].net != network || !config->hosts[h].ip)
            continue;
        uint32_t index = ntoh32(config->hosts[h].ip) - ntoh32(t->first);
        if (index < t->pool_count)
            t->never_used--;
        else
            index = next++;
        t->slots[index].host = (uint16_t)h;
        t->slots[index].ip = config->hosts[h].ip;
    }
}

int lease_table_init(struct lease_table *t, const struct config *config, unsigned network,
                     const uint8_t *random, alloc_fn alloc)
{
    const struct config_net *net = &config->nets[network];
    uint32_t pool = ntoh32(net->pool_last) - ntoh32(net->pool_first) + 1, outside = 0;

    memset(t, 0, sizeof(*t));
    t->first = net->pool_first;
    t->pool_count = MIN(pool, LEASE_MAX_POOL);
    for (unsigned h = 0; h < config->host_count; h++) {
        const struct config_host *host = &config->hosts[h];
        if (host->net == network && host->ip &&
            ntoh32(host->ip) - ntoh32(t->first) >= t->pool_count)
            outside++;
    }
    t->slot_count = t->pool_count + outside;
    uint32_t buckets = bucket_count(t->slot_count);
    t->slots = alloc(sizeof(*t->slots) * t->slot_count, 8);
    t->buckets = alloc(sizeof(*t->buckets) * buckets, 8);
    if (!t->slots || !t->buckets)
        return -ENOMEM;
    t->bucket_mask = buckets - 1;
    memset(t->buckets, 0xFF, sizeof(*t->buckets) * buckets); /* LEASE_NONE */
    memcpy(t->key, random, sizeof(t->key));
    for (unsigned p = 0; p < config->port_count; p++)
        t->by_mac |= (net->ports >> p & 1) && config->ports[p].lock == LOCK_IP;
    init_slots(t, config, network);
    return 0;
}

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
                            const uint8_t *mac)
{
    /* A client identifier that equals somebody's hardware address is still another client. */
    struct lease_id who = {{t->key[0] ^ n, t->key[1] + n}};

    if (n)
        digest(&who, t, id, n);
    if (!n || t->by_mac)
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

struct lease *lease_of_ip(const struct lease_table *t, be32 ip)
{
    uint32_t index = ntoh32(ip) - ntoh32(t->first);

    if (index < t->pool_count)
        return &t->slots[index];
    for (uint32_t i = t->pool_count; i < t->slot_count; i++)
        if (t->slots[i].ip == ip)
            return &t->slots[i];
    return NULL;
}

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

/* An address for a client that has none: one never used, else one whose time is over, else one that
 * is only seen in use. */
static struct lease *choose_new(const struct lease_table *t, const uint8_t *mac, uint32_t now_s)
{
    uint32_t start = stable_hash(mac) % t->pool_count;
    struct lease *over = NULL, *seen = NULL;

    for (uint32_t i = 0; i < t->pool_count; i++) {
        struct lease *l =
            &t->slots[start + i < t->pool_count ? start + i : start + i - t->pool_count];
        if (l->host != CONFIG_MAX_HOSTS)
            continue;
        if (l->state == LEASE_FREE || (l->state == LEASE_SEEN && mac_equal(l->mac, mac)))
            return l;
        if (!over && lease_over(l, now_s))
            over = l;
        if (!seen && l->state == LEASE_SEEN)
            seen = l;
        if (over && t->never_used == 0)
            break;
    }
    return over ? over : seen;
}

struct lease *lease_choose(const struct lease_table *t, const struct lease_id *who,
                           const uint8_t *mac, unsigned host, be32 wanted, uint32_t now_s)
{
    struct lease *l;

    if (host != CONFIG_MAX_HOSTS)
        for (uint32_t i = 0; i < t->slot_count; i++)
            if (t->slots[i].host == host)
                return &t->slots[i];
    l = lease_of_client(t, who);
    if (l && lease_may_have(l, who, mac, host, now_s))
        return l;
    l = wanted ? lease_of_ip(t, wanted) : NULL;
    if (l && lease_may_have(l, who, mac, host, now_s))
        return l;
    return t->pool_count > 0 ? choose_new(t, mac, now_s) : NULL;
}

static bool in_chain(const struct lease *l)
{
    return l->state == LEASE_OFFERED || l->state == LEASE_GRANTED;
}

/* Back to LEASE_FREE, whatever it was. */
static void reset(struct lease_table *t, struct lease *l)
{
    if (l->state == LEASE_FREE)
        return;
    if (in_chain(l)) {
        uint32_t *link = &t->buckets[l->who.half[0] & t->bucket_mask];
        while (&t->slots[*link] != l) {
            CHECK(*link != LEASE_NONE);
            link = &t->slots[*link].next;
        }
        *link = l->next;
    }
    l->state = LEASE_FREE;
    l->next = LEASE_NONE;
    l->expires_s = 0;
    l->name[0] = '\0';
    memset(l->mac, 0, sizeof(l->mac));
    if (l->host == CONFIG_MAX_HOSTS)
        t->never_used++;
}

/* From LEASE_FREE to another state. */
static void leave_free(struct lease_table *t, struct lease *l, enum lease_state state,
                       uint32_t expires_s)
{
    l->state = (uint8_t)state;
    l->expires_s = expires_s;
    if (l->host == CONFIG_MAX_HOSTS)
        t->never_used--;
}

void lease_take(struct lease_table *t, struct lease *l, const struct lease_id *who,
                const uint8_t *mac, enum lease_state state, uint32_t expires_s)
{
    struct lease *old = lease_of_client(t, who);

    CHECK(state == LEASE_OFFERED || state == LEASE_GRANTED);
    if (old == l) {
        l->state = (uint8_t)state;
        l->expires_s = expires_s;
        memcpy(l->mac, mac, MAC_BYTES);
        return;
    }
    if (old)
        reset(t, old);
    reset(t, l);
    leave_free(t, l, state, expires_s);
    l->who = *who;
    memcpy(l->mac, mac, MAC_BYTES);
    uint32_t *bucket = &t->buckets[who->half[0] & t->bucket_mask];
    l->next = *bucket;
    *bucket = (uint32_t)(l - t->slots);
}

void lease_block(struct lease_table *t, struct lease *l, enum lease_state state, uint32_t until_s)
{
    CHECK(state == LEASE_DECLINED || state == LEASE_SEEN);
    reset(t, l);
    leave_free(t, l, state, until_s);
}
