/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See nat_permit.h.
 */
#include "net/nat_permit.h"
#include "check.h"

#define NONE UINT32_MAX

size_t permit_bytes(uint32_t capacity)
{
    return (size_t)capacity * sizeof(struct nat_permit) + index_bytes(capacity);
}

int permit_init(struct nat_permits *t, uint32_t capacity, const struct hash_key *key,
                alloc_fn alloc)
{
    t->capacity = capacity;
    t->free = NONE;
    t->fresh = t->live = 0;
    t->key = *key;
    t->permits = alloc((size_t)capacity * sizeof(struct nat_permit), CACHE_LINE_BYTES);
    return t->permits ? index_init(&t->index, capacity, alloc) : -ENOMEM;
}

static uint32_t hash_of(const struct nat_permits *t, uint32_t mapping, be32 remote)
{
    return hash_words(&t->key, remote | (uint64_t)mapping << 32, 0);
}

static struct nat_permit *find(const struct nat_permits *t, uint32_t mapping, be32 remote)
{
    struct index_cursor c;

    for (uint32_t ref = index_first(&t->index, hash_of(t, mapping, remote), &c); ref != INDEX_END;
         ref = index_next(&t->index, &c)) {
        struct nat_permit *p = &t->permits[ref];
        if (p->mapping == mapping && p->remote == remote)
            return p;
    }
    return NULL;
}

static uint32_t take_free(struct nat_permits *t)
{
    uint32_t id = t->free;

    if (id != NONE)
        t->free = t->permits[id].mapping;
    else if (t->fresh < t->capacity)
        id = t->fresh++;
    return id;
}

static void give_free(struct nat_permits *t, uint32_t id)
{
    t->permits[id] = (struct nat_permit){.mapping = t->free};
    t->free = id;
}

bool permit_join(struct nat_permits *t, uint32_t mapping, be32 remote)
{
    struct nat_permit *p = find(t, mapping, remote);

    if (p) {
        p->flows++;
        return true;
    }
    uint32_t id = take_free(t);
    if (id == NONE)
        return false;
    if (index_insert(&t->index, hash_of(t, mapping, remote), id) != 0) {
        give_free(t, id);
        return false;
    }
    t->permits[id] = (struct nat_permit){.mapping = mapping, .remote = remote, .flows = 1};
    t->live++;
    return true;
}

void permit_leave(struct nat_permits *t, uint32_t mapping, be32 remote)
{
    struct nat_permit *p = find(t, mapping, remote);

    CHECK(p && p->flows > 0);
    if (--p->flows > 0)
        return;
    uint32_t id = (uint32_t)(p - t->permits);
    bool gone = index_remove(&t->index, hash_of(t, mapping, remote), id);
    CHECK(gone);
    give_free(t, id);
    t->live--;
}

bool permit_is_there(const struct nat_permits *t, uint32_t mapping, be32 remote)
{
    return find(t, mapping, remote) != NULL;
}
