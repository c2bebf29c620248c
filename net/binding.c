/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See binding.h.
 */
#include "net/binding.h"

#define SLOTS         (2u * BINDING_MAX)
#define SLOT_MASK     (SLOTS - 1)
#define SEARCH_BUDGET 256 /* slots looked at for one whose time has passed */
static_assert((SLOTS & SLOT_MASK) == 0, "slots are masked");

int binding_init(struct binding_table *t, const struct hash_key *key, alloc_fn alloc)
{
    memset(t, 0, sizeof(*t));
    t->key = *key;
    t->slots = alloc(SLOTS * sizeof(*t->slots), CACHE_LINE_BYTES);
    if (!t->slots)
        return -ENOMEM;
    memset(t->slots, 0, SLOTS * sizeof(*t->slots));
    return 0;
}

static uint32_t home(const struct binding_table *t, uint8_t network, be32 ip)
{
    return hash_words(&t->key, ip, network) & SLOT_MASK;
}

/* The address's slot, or the empty one where its search ends. */
static struct binding *slot_of(const struct binding_table *t, uint8_t network, be32 ip)
{
    uint32_t at = home(t, network, ip);

    while (t->slots[at].until_us && (t->slots[at].ip != ip || t->slots[at].network != network))
        at = (at + 1) & SLOT_MASK;
    return &t->slots[at];
}

/* Empties a slot, and moves up what had to probe past it. */
static void empty_slot(struct binding_table *t, uint32_t gap)
{
    uint32_t at = gap;

    for (;;) {
        at = (at + 1) & SLOT_MASK;
        const struct binding *b = &t->slots[at];
        if (!b->until_us)
            break;
        uint32_t probed = (at - home(t, b->network, b->ip)) & SLOT_MASK;
        if (probed < ((at - gap) & SLOT_MASK))
            continue; /* it does not reach back to the gap */
        t->slots[gap] = *b;
        gap = at;
    }
    t->slots[gap].until_us = 0;
    t->count--;
}

static bool make_room(struct binding_table *t, uint64_t now_us)
{
    for (unsigned i = 0; i < SEARCH_BUDGET && t->count >= BINDING_MAX; i++) {
        uint32_t at = t->hand;
        if (t->slots[at].until_us && t->slots[at].until_us <= now_us)
            empty_slot(t, at);
        else
            t->hand = (at + 1) & SLOT_MASK;
    }
    return t->count < BINDING_MAX;
}

bool binding_set(struct binding_table *t, const struct binding *b, uint64_t now_us)
{
    if (!t->slots)
        return true;
    struct binding *slot = slot_of(t, b->network, b->ip);
    if (!slot->until_us) {
        if (!make_room(t, now_us))
            return false;
        slot = slot_of(t, b->network, b->ip); /* making room moves others */
        t->count++;
    }
    *slot = *b;
    return true;
}

void binding_remove(struct binding_table *t, uint8_t network, be32 ip)
{
    struct binding *slot = t->slots ? slot_of(t, network, ip) : NULL;

    if (slot && slot->until_us)
        empty_slot(t, (uint32_t)(slot - t->slots));
}

const struct binding *binding_find(const struct binding_table *t, uint8_t network, be32 ip,
                                   uint64_t now_us)
{
    const struct binding *slot = t->slots ? slot_of(t, network, ip) : NULL;

    return slot && slot->until_us > now_us ? slot : NULL;
}
