/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DNS forwarder's table of queries under way; see dns_proxy.h.
 *
 * Invariants: an entry in use is in one port chain, one question chain and the queue; an entry not
 * in use is in the free list. Its port is reserved exactly while it is in use.
 */
#include "net/dns_proxy_internal.h"

#include "check.h"

#define BUCKETS        512
#define CLIENT_BUCKETS 256
#define RATE_BUCKETS   2048
#define QUESTION_US    (1000000u / DNS_RATE_PER_S)
static_assert((BUCKETS & (BUCKETS - 1)) == 0 && DNS_PENDING_MAX < DNS_NONE,
              "chains of 16-bit indices");

/* When the host's questions would all have been sent, had they been sent evenly: at most a second
 * ahead of now. Hosts whose hashes meet share one; who would choose whom to meet cannot know. */
struct dns_bucket {
    uint64_t even_us;
};

bool dns_rate_allows(struct dns_proxy *d, const struct dns_client *from, uint64_t now_us)
{
    uint32_t i = hash_words(&d->key, from->ip, from->network | 0x100u) % RATE_BUCKETS;
    uint64_t even_us = MAX(d->rates[i].even_us, now_us) + QUESTION_US;

    if (even_us > now_us + 1000000)
        return false;
    d->rates[i].even_us = even_us;
    return true;
}

int dns_pending_init(struct dns_proxy *d, alloc_fn alloc)
{
    d->pending = alloc(sizeof(*d->pending) * DNS_PENDING_MAX, 8);
    d->by_port = alloc(sizeof(uint16_t) * BUCKETS, 8);
    d->by_question = alloc(sizeof(uint16_t) * BUCKETS, 8);
    d->per_client = alloc(sizeof(uint16_t) * CLIENT_BUCKETS, 8);
    d->rates = alloc(sizeof(*d->rates) * RATE_BUCKETS, 8);
    d->queue = alloc(sizeof(uint16_t) * DNS_PENDING_MAX, 8);
    if (!d->pending || !d->by_port || !d->by_question || !d->per_client || !d->rates || !d->queue)
        return -ENOMEM;
    memset(d->by_port, 0xFF, sizeof(uint16_t) * BUCKETS);
    memset(d->by_question, 0xFF, sizeof(uint16_t) * BUCKETS);
    d->free = DNS_NONE;
    for (unsigned i = DNS_PENDING_MAX; i > 0; i--) {
        d->pending[i - 1].next_port = d->free;
        d->free = (uint16_t)(i - 1);
    }
    return 0;
}

static unsigned port_bucket(be16 port)
{
    return ntoh16(port) % BUCKETS;
}

/* Questions hash without regard to case, as names do. */
uint16_t dns_question_bucket(const struct dns_proxy *d, const uint8_t *question, size_t n)
{
    uint64_t h = d->key.k[0];
    uint8_t small[DNS_QUESTION_ROOM];

    dns_letters_small(small, question, n);
    for (size_t i = 0; i < n; i += 8)
        h = hash_mix(h ^ load_raw64(small + i), d->key.k[1]);
    return (uint16_t)(h % BUCKETS);
}

struct dns_pending *dns_pending_by_port(const struct dns_proxy *d, be16 port)
{
    uint16_t i = d->by_port[port_bucket(port)];

    while (i != DNS_NONE && d->pending[i].port != port)
        i = d->pending[i].next_port;
    return i == DNS_NONE ? NULL : &d->pending[i];
}

static uint16_t index_of(const struct dns_proxy *d, const struct dns_pending *p)
{
    return (uint16_t)(p - d->pending);
}

void dns_pending_link_port(struct dns_proxy *d, struct dns_pending *p)
{
    uint16_t *head = &d->by_port[port_bucket(p->port)];

    p->next_port = *head;
    *head = index_of(d, p);
}

void dns_pending_unlink_port(struct dns_proxy *d, struct dns_pending *p)
{
    uint16_t *link = &d->by_port[port_bucket(p->port)];

    while (*link != index_of(d, p)) {
        CHECK(*link != DNS_NONE);
        link = &d->pending[*link].next_port;
    }
    *link = p->next_port;
}

static void unlink_question(struct dns_proxy *d, struct dns_pending *p)
{
    uint16_t *link = &d->by_question[p->question_bucket];

    while (*link != index_of(d, p)) {
        CHECK(*link != DNS_NONE);
        link = &d->pending[*link].next_question;
    }
    *link = p->next_question;
}

/* ---- the queue: a heap, what is due first at its top ---- */

static void put(struct dns_proxy *d, unsigned at, uint16_t i)
{
    d->queue[at] = i;
    d->pending[i].queue_at = (uint16_t)at;
}

/* Finds the place of entry i, for which there is room at. */
static void sift(struct dns_proxy *d, unsigned at, uint16_t i)
{
    uint64_t due_us = d->pending[i].due_us;

    while (at > 0 && d->pending[d->queue[(at - 1) / 2]].due_us > due_us) {
        put(d, at, d->queue[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (unsigned child; (child = 2 * at + 1) < d->queued; at = child) {
        if (child + 1 < d->queued &&
            d->pending[d->queue[child + 1]].due_us < d->pending[d->queue[child]].due_us)
            child++;
        if (d->pending[d->queue[child]].due_us >= due_us)
            break;
        put(d, at, d->queue[child]);
    }
    put(d, at, i);
}

static void enqueue(struct dns_proxy *d, struct dns_pending *p, uint64_t due_us)
{
    p->due_us = due_us;
    sift(d, d->queued++, index_of(d, p));
}

static void dequeue(struct dns_proxy *d, const struct dns_pending *p)
{
    CHECK(d->queue[p->queue_at] == index_of(d, p));
    uint16_t last = d->queue[--d->queued];
    if (last != index_of(d, p))
        sift(d, p->queue_at, last);
}

void dns_pending_due(struct dns_proxy *d, struct dns_pending *p, uint64_t due_us)
{
    p->due_us = due_us;
    sift(d, p->queue_at, index_of(d, p));
}

struct dns_pending *dns_pending_first(const struct dns_proxy *d)
{
    return d->queued ? &d->pending[d->queue[0]] : NULL;
}

/* One more or less, for all that have a share. */
static void count(struct dns_proxy *d, const struct dns_pending *p, int by)
{
    d->pending_count = (uint16_t)(d->pending_count + by);
    d->per_client[p->client_bucket] = (uint16_t)(d->per_client[p->client_bucket] + by);
    if (p->one_server) {
        d->own_pending_count = (uint16_t)(d->own_pending_count + by);
        d->own_pending[p->own_server] = (uint16_t)(d->own_pending[p->own_server] + by);
    }
}

bool dns_pending_has_share(const struct dns_proxy *d, const struct dns_pending *p)
{
    if (!p->one_server)
        return d->pending_count - d->own_pending_count < DNS_PENDING_ALL;
    return d->own_pending[p->own_server] < DNS_PENDING_OWN &&
           d->own_pending_count < DNS_PENDING_OWNS;
}

struct dns_pending *dns_pending_new(struct dns_proxy *d, const struct dns_client *from)
{
    uint16_t client = (uint16_t)(hash_words(&d->key, from->ip, from->network) % CLIENT_BUCKETS);

    if (d->free == DNS_NONE || d->per_client[client] >= DNS_PENDING_PER_CLIENT)
        return NULL;
    d->pending[d->free].client_bucket = client;
    return &d->pending[d->free];
}

void dns_pending_use(struct dns_proxy *d, struct dns_pending *p, uint64_t due_us)
{
    uint16_t *head = &d->by_question[p->question_bucket];

    CHECK(d->free == index_of(d, p));
    d->free = p->next_port;
    dns_pending_link_port(d, p);
    p->next_question = *head;
    *head = index_of(d, p);
    enqueue(d, p, due_us);
    count(d, p, 1);
}

void dns_pending_forget(struct dns_proxy *d, struct dns_pending *p)
{
    if (p->fetching)
        d->ops->end_fetch(d->ctx, index_of(d, p));
    p->fetching = p->fetch_waits = false;
    d->ops->release_port(d->ctx, p->port);
    dns_pending_unlink_port(d, p);
    unlink_question(d, p);
    dequeue(d, p);
    count(d, p, -1);
    p->next_port = d->free;
    d->free = index_of(d, p);
}
