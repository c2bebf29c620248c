/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The order of the leases in time, and what counts; see dhcp_lease_internal.h.
 *
 * Invariants: a slot is in the heap exactly while it is OFFERED, GRANTED, DECLINED or SEEN; it is
 * on the list of its port's offers, of what is over or of what was seen exactly while it is that
 * and reserved for nobody; vacant, left and held say of every slot what lease_enter() says of its
 * state.
 */
#include "net/dhcp_lease_internal.h"

#include "check.h"

void lease_order_init(struct lease_table *t)
{
    const struct lease_list empty = {.oldest = LEASE_NONE, .newest = LEASE_NONE};

    t->over = t->seen = empty;
    for (unsigned p = 0; p < CONFIG_MAX_PORTS; p++)
        t->offers[p] = empty;
}

/* ---- the heap ---- */

static void heap_set(struct lease_table *t, uint32_t at, uint32_t index)
{
    t->heap[at] = index;
    t->slots[index].heap_at = at;
}

static uint32_t heap_key(const struct lease_table *t, uint32_t at)
{
    return t->slots[t->heap[at]].expires_s;
}

/* Moves what is at a place to where it belongs. */
static void heap_sift(struct lease_table *t, uint32_t at)
{
    uint32_t index = t->heap[at], key = t->slots[index].expires_s;

    for (; at > 0 && heap_key(t, (at - 1) / 2) > key; at = (at - 1) / 2)
        heap_set(t, at, t->heap[(at - 1) / 2]);
    for (uint32_t child; (child = 2 * at + 1) < t->heap_count; at = child) {
        if (child + 1 < t->heap_count && heap_key(t, child + 1) < heap_key(t, child))
            child++;
        if (heap_key(t, child) >= key)
            break;
        heap_set(t, at, t->heap[child]);
    }
    heap_set(t, at, index);
}

static void heap_add(struct lease_table *t, struct lease *l)
{
    CHECK(l->heap_at == LEASE_NONE);
    heap_set(t, t->heap_count, lease_index(t, l));
    heap_sift(t, t->heap_count++);
}

static void heap_remove(struct lease_table *t, struct lease *l)
{
    uint32_t at = l->heap_at, last = t->heap[--t->heap_count];

    CHECK(at <= t->heap_count && &t->slots[t->heap[at]] == l);
    if (at < t->heap_count) {
        heap_set(t, at, last);
        heap_sift(t, at);
    }
    l->heap_at = LEASE_NONE;
}

/* ---- the lists ---- */

static struct lease_list *list_of(struct lease_table *t, const struct lease *l)
{
    if (l->host != CONFIG_MAX_HOSTS)
        return NULL;
    switch (l->state) {
    case LEASE_OFFERED:
        return &t->offers[l->port];
    case LEASE_OVER:
        return &t->over;
    case LEASE_SEEN:
        return &t->seen;
    default:
        return NULL;
    }
}

static void list_add(struct lease_table *t, struct lease_list *list, struct lease *l)
{
    uint32_t index = lease_index(t, l);

    l->older = list->newest;
    l->newer = LEASE_NONE;
    if (list->newest != LEASE_NONE)
        t->slots[list->newest].newer = index;
    else
        list->oldest = index;
    list->newest = index;
    list->count++;
}

static void list_remove(struct lease_table *t, struct lease_list *list, struct lease *l)
{
    if (l->older != LEASE_NONE)
        t->slots[l->older].newer = l->newer;
    else
        list->oldest = l->newer;
    if (l->newer != LEASE_NONE)
        t->slots[l->newer].older = l->older;
    else
        list->newest = l->older;
    l->older = l->newer = LEASE_NONE;
    list->count--;
}

/* ---- states ---- */

static void set_vacant(struct lease_table *t, const struct lease *l, bool vacant)
{
    uint32_t i = lease_index(t, l);

    if (vacant)
        t->vacant[i / 64] |= 1ull << i % 64;
    else
        t->vacant[i / 64] &= ~(1ull << i % 64);
}

static bool has_end(const struct lease *l)
{
    return l->state != LEASE_FREE && l->state != LEASE_OVER;
}

void lease_leave(struct lease_table *t, struct lease *l)
{
    struct lease_list *list = list_of(t, l);

    if (has_end(l))
        heap_remove(t, l);
    if (list)
        list_remove(t, list, l);
    if (l->host != CONFIG_MAX_HOSTS)
        return;
    if (lease_counts(l))
        t->held[l->port]--;
    else
        t->left--;
    if (l->state == LEASE_FREE)
        set_vacant(t, l, false);
}

void lease_enter(struct lease_table *t, struct lease *l, enum lease_state state, uint32_t expires_s)
{
    l->state = (uint8_t)state;
    l->expires_s = expires_s;
    lease_mark(t, l);
    struct lease_list *list = list_of(t, l);

    if (has_end(l))
        heap_add(t, l);
    if (list)
        list_add(t, list, l);
    if (l->host != CONFIG_MAX_HOSTS)
        return;
    if (lease_counts(l))
        t->held[l->port]++;
    else
        t->left++;
    if (state == LEASE_FREE)
        set_vacant(t, l, true);
}

/* Its time has come. */
static void run_out(struct lease_table *t, struct lease *l)
{
    if (l->state == LEASE_GRANTED || l->state == LEASE_OFFERED)
        lease_end(t, l);
    else
        lease_forget(t, l);
}

bool lease_sweep(struct lease_table *t, uint32_t now_s)
{
    for (unsigned i = 0; i < LEASE_SWEEP; i++) {
        struct lease *l = t->heap_count > 0 ? &t->slots[t->heap[0]] : NULL;
        if (!l || !lease_over(l, now_s))
            return false;
        run_out(t, l);
    }
    return true;
}

struct lease *lease_oldest(struct lease_table *t, uint32_t now_s)
{
    struct lease *oldest = NULL;

    if (t->over.oldest != LEASE_NONE)
        return &t->slots[t->over.oldest];
    for (unsigned p = 0; p < CONFIG_MAX_PORTS; p++) {
        if (t->offers[p].oldest == LEASE_NONE)
            continue;
        struct lease *l = &t->slots[t->offers[p].oldest];
        if (!oldest || l->expires_s < oldest->expires_s)
            oldest = l;
    }
    if (oldest && oldest->expires_s <= now_s + LEASE_OFFER_S - LEASE_OFFER_MIN_S)
        return oldest;
    return t->seen.oldest != LEASE_NONE ? &t->slots[t->seen.oldest] : NULL;
}

void lease_trim_offers(struct lease_table *t, unsigned port)
{
    struct lease_list *offers = &t->offers[port];

    if (t->shared && offers->count >= LEASE_PORT_OFFERS + t->left / 4)
        lease_forget(t, &t->slots[offers->oldest]);
}
