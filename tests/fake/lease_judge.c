/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See lease_judge.h.
 */
#include "tests/fake/lease_judge.h"

#include "check.h"

struct tally {
    uint32_t left, dynamic, chained, in_heap, over, seen, named;
    uint32_t held[CONFIG_MAX_PORTS], offers[CONFIG_MAX_PORTS];
};

static bool is_vacant(const struct lease_table *t, uint32_t i)
{
    return t->vacant[i / 64] >> i % 64 & 1;
}

static void count_dynamic(struct tally *n, const struct lease *l)
{
    bool held =
        l->state == LEASE_OFFERED || l->state == LEASE_GRANTED || l->state == LEASE_DECLINED;

    n->dynamic++;
    n->left += !held;
    n->held[l->port] += held;
    n->offers[l->port] += l->state == LEASE_OFFERED;
    n->over += l->state == LEASE_OVER;
    n->seen += l->state == LEASE_SEEN;
}

static void count_slot(struct lease_table *t, uint32_t i, struct tally *n)
{
    const struct lease *l = lease_slot(t, i);

    if (!l) { /* never asked about */
        CHECK(i < t->pool_count && is_vacant(t, i));
        n->dynamic++;
        n->left++;
        return;
    }
    bool chained = l->state == LEASE_OFFERED || l->state == LEASE_GRANTED || l->state == LEASE_OVER;
    bool ends = l->state != LEASE_FREE && l->state != LEASE_OVER;
    CHECK(lease_of_ip(t, l->ip) == l);
    CHECK(!chained || lease_of_client(t, &l->who) == l);
    CHECK(chained || !l->name[0]);
    CHECK(ends == (l->heap_at != LEASE_NONE) && (!ends || t->heap[l->heap_at] == i));
    CHECK(i >= t->pool_count ||
          is_vacant(t, i) == (l->state == LEASE_FREE && l->host == CONFIG_MAX_HOSTS));
    n->chained += chained;
    n->in_heap += ends;
    n->named += l->name[0] != '\0';
    if (l->host == CONFIG_MAX_HOSTS)
        count_dynamic(n, l);
    else
        CHECK(l->state != LEASE_OVER);
}

static uint32_t list_length(const struct lease_table *t, const struct lease_list *list)
{
    uint32_t n = 0, before = LEASE_NONE;

    for (uint32_t i = list->oldest; i != LEASE_NONE; i = t->slots[i].newer) {
        CHECK(t->slots[i].older == before);
        before = i;
        n++;
    }
    CHECK(list->newest == before && list->count == n);
    return n;
}

void lease_judge(struct lease_table *t)
{
    struct tally n = {0};
    uint32_t chained = 0, named = 0;

    for (uint32_t i = 0; i < t->slot_count; i++)
        count_slot(t, i, &n);
    for (uint32_t b = 0; b <= t->bucket_mask; b++) {
        for (uint32_t i = t->buckets[b]; i != LEASE_NONE; i = t->slots[i].next)
            chained++;
        for (uint32_t i = t->name_buckets[b]; i != LEASE_NONE; i = t->slots[i].next_name)
            named++;
    }
    for (uint32_t i = 1; i < t->heap_count; i++)
        CHECK(t->slots[t->heap[(i - 1) / 2]].expires_s <= t->slots[t->heap[i]].expires_s);
    CHECK(n.chained == chained && n.named == named && n.in_heap == t->heap_count);
    CHECK(n.left == t->left && n.dynamic == t->dynamic);
    CHECK(n.over == list_length(t, &t->over) && n.seen == list_length(t, &t->seen));
    for (unsigned p = 0; p < CONFIG_MAX_PORTS; p++)
        CHECK(n.held[p] == t->held[p] && n.offers[p] == list_length(t, &t->offers[p]));
}
