/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Accounts of hosts; see net/flow_user.h.
 */
#include "net/flow_user.h"
#include "check.h"

#define NOBODY UINT8_MAX
static_assert(FLOW_USERS_MAX < UINT16_MAX, "accounts are numbered by 16 bits");

static uint32_t count_for(uint32_t flow_capacity)
{
    return MIN(flow_capacity, FLOW_USERS_MAX);
}

size_t flow_users_bytes(uint32_t flow_capacity)
{
    uint32_t count = count_for(flow_capacity);
    return (count + 1) * sizeof(struct flow_user) + count * sizeof(uint16_t);
}

static void clear(struct flow_user *user)
{
    *user = (struct flow_user){.zone = NOBODY, .oldest = {UINT32_MAX, UINT32_MAX, UINT32_MAX}};
}

int flow_users_init(struct flow_users *users, uint32_t flow_capacity, alloc_fn alloc)
{
    memset(users, 0, sizeof(*users));
    users->count = count_for(flow_capacity);
    users->fresh = 1;
    users->user = alloc((users->count + 1) * sizeof(struct flow_user), CACHE_LINE_BYTES);
    users->chains = alloc(users->count * sizeof(uint16_t), CACHE_LINE_BYTES);
    if (!users->user || !users->chains)
        return -ENOMEM;
    clear(&users->user[FLOW_USER_REST]);
    return 0;
}

static uint16_t *chain_of(const struct flow_users *users, const struct hash_key *key, uint8_t zone,
                          be32 ip)
{
    uint64_t hash = hash_words(key, ip | (uint64_t)zone << 32, 0);
    return &users->chains[hash * users->count >> 32];
}

static __attribute__((noinline)) uint16_t make(struct flow_users *users, uint16_t *chain,
                                               uint8_t zone, be32 ip)
{
    uint16_t id = users->free_head;

    if (id != 0)
        users->free_head = users->user[id].next;
    else if (users->fresh <= users->count)
        id = (uint16_t)users->fresh++;
    else
        return FLOW_USER_REST;
    struct flow_user *user = &users->user[id];
    clear(user);
    user->ip = ip;
    user->zone = zone;
    user->next = *chain;
    *chain = id;
    users->live++;
    return id;
}

uint16_t flow_user_find(struct flow_users *users, const struct hash_key *key, uint8_t zone, be32 ip)
{
    uint16_t *chain = chain_of(users, key, zone, ip);
    for (uint16_t id = *chain; id != 0; id = users->user[id].next)
        if (users->user[id].ip == ip && users->user[id].zone == zone)
            return id;
    return make(users, chain, zone, ip);
}

void flow_user_drop(struct flow_users *users, const struct hash_key *key, uint16_t id)
{
    struct flow_user *user = &users->user[id];

    if (user->zone == NOBODY || user->flows || user->ports[0] || user->ports[1] || user->ports[2])
        return;
    uint16_t *link = chain_of(users, key, user->zone, user->ip);
    while (*link != id) {
        CHECK(*link != 0);
        link = &users->user[*link].next;
    }
    *link = user->next;
    clear(user);
    user->next = users->free_head;
    users->free_head = id;
    users->live--;
}
