/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The cache of next hops; see neighbor.h for how it works.
 */
#include "net/neighbor.h"

#define CHAIN_MASK     (NEIGHBOR_MAX - 1)
/* Entries looked at when one must be replaced. The longest unused of them goes. */
#define REPLACE_SAMPLE 32

static_assert((NEIGHBOR_MAX & CHAIN_MASK) == 0, "chains are chosen by masking");

int neighbor_init(struct neighbor_table *t, const struct neighbor_ops *ops, void *arg,
                  const struct hash_key *key, alloc_fn alloc)
{
    memset(t, 0, sizeof(*t));
    t->entries = alloc(NEIGHBOR_MAX * sizeof(*t->entries), CACHE_LINE_BYTES);
    t->heads = alloc(NEIGHBOR_MAX * sizeof(*t->heads), CACHE_LINE_BYTES);
    if (!t->entries || !t->heads)
        return -ENOMEM;
    t->ops = ops;
    t->arg = arg;
    t->key = *key;
    t->queue_first = t->queue_last = NEIGHBOR_NONE;
    for (unsigned i = 0; i < NEIGHBOR_MAX; i++) {
        t->heads[i] = NEIGHBOR_NONE;
        t->entries[i].network = 0xFF;
        t->entries[i].chain = i + 1 < NEIGHBOR_MAX ? (uint16_t)(i + 1) : NEIGHBOR_NONE;
    }
    for (unsigned i = 0; i < NEIGHBOR_HELD_ALL; i++)
        t->held[i].next = i + 1 < NEIGHBOR_HELD_ALL ? (uint16_t)(i + 1) : NEIGHBOR_NONE;
    return 0;
}

static uint16_t *chain_of(const struct neighbor_table *t, uint8_t network, be32 ip)
{
    return &t->heads[hash_words(&t->key, ip, network) & CHAIN_MASK];
}

static struct neighbor *find(const struct neighbor_table *t, uint8_t network, be32 ip)
{
    for (uint16_t i = *chain_of(t, network, ip); i != NEIGHBOR_NONE; i = t->entries[i].chain)
        if (t->entries[i].ip == ip && t->entries[i].network == network)
            return &t->entries[i];
    return NULL;
}

/* ---- the queue of INCOMPLETE and doubted entries ---- */

static bool is_queued(const struct neighbor *n)
{
    return n->state == NEIGHBOR_INCOMPLETE || n->doubted;
}

static void queue_append(struct neighbor_table *t, struct neighbor *n)
{
    uint16_t id = neighbor_id(t, n);

    n->queue_next = NEIGHBOR_NONE;
    n->queue_prev = t->queue_last;
    if (t->queue_last == NEIGHBOR_NONE)
        t->queue_first = id;
    else
        t->entries[t->queue_last].queue_next = id;
    t->queue_last = id;
}

static void queue_remove(struct neighbor_table *t, struct neighbor *n)
{
    if (n->queue_prev == NEIGHBOR_NONE)
        t->queue_first = n->queue_next;
    else
        t->entries[n->queue_prev].queue_next = n->queue_next;
    if (n->queue_next == NEIGHBOR_NONE)
        t->queue_last = n->queue_prev;
    else
        t->entries[n->queue_next].queue_prev = n->queue_prev;
}

/* ---- held packets ---- */

static struct pkt *held_take_first(struct neighbor_table *t, struct neighbor *n)
{
    if (n->held_count == 0)
        return NULL;
    uint16_t at = n->held_first;
    struct pkt *p = t->held[at].p;
    n->held_first = t->held[at].next;
    n->held_count--;
    t->held_total--;
    t->held[at].p = NULL;
    t->held[at].next = t->held_free;
    t->held_free = at;
    return p;
}

static void give_up_held(struct neighbor_table *t, struct neighbor *n)
{
    for (struct pkt *p; (p = held_take_first(t, n)) != NULL;)
        t->ops->give_up(t->arg, n, p);
}

void neighbor_hold(struct neighbor_table *t, struct neighbor *n, struct pkt *p)
{
    CHECK(n->state == NEIGHBOR_INCOMPLETE);
    if (n->held_count == NEIGHBOR_HELD_MAX ||
        (t->held_total == NEIGHBOR_HELD_ALL && n->held_count > 0))
        t->ops->give_up(t->arg, n, held_take_first(t, n));
    if (t->held_total == NEIGHBOR_HELD_ALL) {
        t->ops->give_up(t->arg, n, p);
        return;
    }
    uint16_t at = t->held_free;
    t->held_free = t->held[at].next;
    t->held[at] = (struct neighbor_held){.p = p, .next = NEIGHBOR_NONE};
    if (n->held_count == 0) {
        n->held_first = at;
    } else {
        uint16_t last = n->held_first;
        while (t->held[last].next != NEIGHBOR_NONE)
            last = t->held[last].next;
        t->held[last].next = at;
    }
    n->held_count++;
    t->held_total++;
}

/* ---- entries ---- */

/* Takes the entry out of its chain and queue, and puts it on the free list. */
static void forget(struct neighbor_table *t, struct neighbor *n)
{
    uint16_t id = neighbor_id(t, n);
    uint16_t *link = chain_of(t, n->network, n->ip);

    if (is_queued(n))
        queue_remove(t, n);
    give_up_held(t, n);
    while (*link != id)
        link = &t->entries[*link].chain;
    *link = n->chain;
    n->state = NEIGHBOR_FREE;
    n->network = 0xFF;
    n->chain = t->free;
    t->free = id;
    t->live--;
}

/* Frees the least recently used of the next few entries, leaving alone those that are being
 * resolved. */
static bool make_room(struct neighbor_table *t, uint32_t now_ms)
{
    struct neighbor *oldest = NULL;
    unsigned looked_at = 0;

    for (unsigned i = 0; i < NEIGHBOR_MAX && looked_at < REPLACE_SAMPLE; i++) {
        struct neighbor *n = &t->entries[t->hand];
        t->hand = (uint16_t)((t->hand + 1) & CHAIN_MASK);
        if (n->state == NEIGHBOR_INCOMPLETE)
            continue;
        looked_at++;
        if (!oldest || now_ms - n->used_ms > now_ms - oldest->used_ms)
            oldest = n;
    }
    if (!oldest)
        return false;
    forget(t, oldest);
    return true;
}

struct neighbor *neighbor_get(struct neighbor_table *t, uint8_t network, be32 ip, uint32_t now_ms)
{
    struct neighbor *n = find(t, network, ip);
    if (n)
        return n;
    if (t->free == NEIGHBOR_NONE && !make_room(t, now_ms))
        return NULL;

    n = &t->entries[t->free];
    t->free = n->chain;
    t->live++;
    uint16_t *head = chain_of(t, network, ip);
    *n = (struct neighbor){.ip = ip,
                           .network = network,
                           .state = NEIGHBOR_INCOMPLETE,
                           .port = 0xFF,
                           .used_ms = now_ms,
                           .asked_ms = now_ms,
                           .refuted_ms = now_ms - NEIGHBOR_RETRY_MS,
                           .chain = *head};
    *head = neighbor_id(t, n);
    queue_append(t, n);
    return n;
}

static void ask(struct neighbor_table *t, struct neighbor *n, uint32_t now_ms)
{
    n->tries = (uint8_t)MIN(n->tries + 1, UINT8_MAX);
    n->asked_ms = now_ms;
    t->ops->resolve(t->arg, n->network, n->ip);
}

static bool was_asked_lately(const struct neighbor *n, uint32_t now_ms)
{
    return n->tries > 0 && now_ms - n->asked_ms < NEIGHBOR_RETRY_MS;
}

/* Back to the beginning: the MAC it had is no longer believed. */
static void restart(struct neighbor_table *t, struct neighbor *n, uint32_t now_ms)
{
    n->state = NEIGHBOR_INCOMPLETE;
    n->tries = 0;
    n->asked_ms = now_ms;
    queue_append(t, n);
    ask(t, n, now_ms);
}

bool neighbor_use_slow(struct neighbor_table *t, struct neighbor *n, uint32_t now_ms)
{
    bool asked_lately = was_asked_lately(n, now_ms);

    n->used_ms = now_ms;
    switch (n->state) {
    case NEIGHBOR_INCOMPLETE:
        if (n->tries == 0)
            ask(t, n, now_ms);
        break;
    case NEIGHBOR_REACHABLE: /* not confirmed for a while */
        if (asked_lately || n->doubted)
            break;
        if (n->tries >= NEIGHBOR_MAX_TRIES)
            restart(t, n, now_ms);
        else
            ask(t, n, now_ms);
        break;
    case NEIGHBOR_FAILED:
        if (now_ms - n->confirmed_ms >= NEIGHBOR_FAILED_MS)
            restart(t, n, now_ms);
        else if (!asked_lately)
            ask(t, n, now_ms);
        break;
    default:
        CHECK(false); /* a free entry is nobody's neighbor */
    }
    return n->state == NEIGHBOR_REACHABLE;
}

/* ---- what is heard ---- */

static void set_mac(struct neighbor *n, const uint8_t *mac, const uint8_t *own_mac)
{
    memcpy(n->hdr + ETH_DST_OFF, mac, MAC_BYTES);
    memcpy(n->hdr + ETH_SRC_OFF, own_mac, MAC_BYTES);
    store_raw16(n->hdr + ETH_TYPE_OFF, ETH_TYPE_IP4);
    n->port = 0xFF;
    n->answered = false;
}

static void end_doubt(struct neighbor_table *t, struct neighbor *n)
{
    queue_remove(t, n);
    n->doubted = n->claim_answered = false;
}

/* When an entry was confirmed that is to be asked about NEIGHBOR_RETRY_MS from now, if it is used.
 */
static uint32_t soon(uint32_t now_ms)
{
    return now_ms - NEIGHBOR_REFRESH_MS + NEIGHBOR_RETRY_MS;
}

/* The MAC of a reachable entry was heard. A mere claim is as good as an answer from a MAC that has
 * answered before. */
static void confirm(struct neighbor *n, bool answer, uint32_t now_ms)
{
    n->answered |= answer;
    if (!n->answered)
        return;
    if (answer && n->tries > 0 && n->disputed > 0)
        n->disputed--;
    n->silent = false;
    n->tries = 0;
    n->confirmed_ms = n->disputed ? soon(now_ms) : now_ms;
}

static void clash(struct neighbor_table *t, const struct neighbor *n, const uint8_t *mac)
{
    t->clashes++;
    t->ops->clash(t->arg, n, mac);
}

/* Another MAC than that of n, which is reachable. */
static void contradict(struct neighbor_table *t, struct neighbor *n, const uint8_t *mac,
                       bool answer, uint32_t now_ms)
{
    n->disputed = NEIGHBOR_DISPUTED;
    if (!n->doubted && now_ms - n->refuted_ms < NEIGHBOR_RETRY_MS) {
        t->refuted++;
        if (answer) /* to the same question as the owner */
            clash(t, n, mac);
        return;
    }
    if (n->doubted) {
        if (answer)
            memcpy(n->claim, mac, MAC_BYTES);
        n->claim_answered |= answer;
        return;
    }
    memcpy(n->claim, mac, MAC_BYTES);
    n->doubted = true;
    queue_append(t, n);
    t->doubts++;
    ask(t, n, now_ms);
}

static void refute(struct neighbor_table *t, struct neighbor *n, uint32_t now_ms)
{
    bool both = n->claim_answered;

    end_doubt(t, n);
    n->refuted_ms = now_ms;
    t->refuted++;
    if (both)
        clash(t, n, n->claim);
}

/* False: the stack is not to believe it. */
static bool heard(struct neighbor_table *t, uint8_t network, be32 ip, const uint8_t *mac,
                  const uint8_t *own_mac, bool answer, uint32_t now_ms)
{
    struct neighbor *n = find(t, network, ip);

    if (mac_is_group(mac) || mac_is_zero(mac))
        return false;
    if (!n)
        return true;
    bool same = mac_equal(n->hdr + ETH_DST_OFF, mac);
    if (n->state == NEIGHBOR_REACHABLE && same) {
        if (n->doubted)
            refute(t, n, now_ms);
        confirm(n, answer, now_ms);
        return true;
    }
    if (n->state == NEIGHBOR_REACHABLE && !n->silent && (n->answered || !answer)) {
        contradict(t, n, mac, answer, now_ms);
        return false;
    }
    if (n->doubted)
        end_doubt(t, n);
    if (n->state == NEIGHBOR_INCOMPLETE)
        queue_remove(t, n);
    set_mac(n, mac, own_mac);
    n->state = NEIGHBOR_REACHABLE;
    n->answered = answer;
    n->silent = false;
    n->tries = 0;
    n->confirmed_ms = answer && !n->disputed ? now_ms : soon(now_ms);
    for (struct pkt *p; (p = held_take_first(t, n)) != NULL;)
        t->ops->release(t->arg, n, p);
    return true;
}

bool neighbor_learned(struct neighbor_table *t, uint8_t network, be32 ip, const uint8_t *mac,
                      const uint8_t *own_mac, uint32_t now_ms)
{
    return heard(t, network, ip, mac, own_mac, true, now_ms);
}

bool neighbor_claimed(struct neighbor_table *t, uint8_t network, be32 ip, const uint8_t *mac,
                      const uint8_t *own_mac, uint32_t now_ms)
{
    return heard(t, network, ip, mac, own_mac, false, now_ms);
}

void neighbor_assume(struct neighbor_table *t, uint8_t network, be32 ip, const uint8_t *mac,
                     const uint8_t *own_mac, uint32_t now_ms)
{
    if (!find(t, network, ip) && neighbor_get(t, network, ip, now_ms))
        neighbor_learned(t, network, ip, mac, own_mac, now_ms);
}

/* The owner was not heard in time. If nobody was, the entry is what one is that has not been
 * confirmed for long. Who takes over is asked once more, as the stack has not heard of him. */
static void settle(struct neighbor_table *t, struct neighbor *n, uint32_t now_ms)
{
    uint8_t own_mac[MAC_BYTES];
    bool follow = n->claim_answered;

    end_doubt(t, n);
    if (!follow) {
        n->confirmed_ms = now_ms - NEIGHBOR_REFRESH_MS - 1;
        return;
    }
    memcpy(own_mac, n->hdr + ETH_SRC_OFF, MAC_BYTES);
    set_mac(n, n->claim, own_mac);
    confirm(n, true, now_ms);
    t->followed++;
    ask(t, n, now_ms);
}

bool neighbor_answers(struct neighbor_table *t, uint8_t network, be32 ip, uint32_t now_ms)
{
    struct neighbor *n = find(t, network, ip);

    if (!n)
        return true;
    if (n->state == NEIGHBOR_INCOMPLETE) /* the tick asks */
        return !n->silent && (n->tries == 0 || now_ms - n->asked_ms < NEIGHBOR_SILENT_MS);
    bool old = now_ms - n->confirmed_ms >= NEIGHBOR_CHECK_MS;
    if ((old || n->silent) && !n->doubted && !was_asked_lately(n, now_ms)) {
        n->silent |= n->tries >= NEIGHBOR_MAX_TRIES;
        ask(t, n, now_ms);
    }
    return !n->silent;
}

void neighbor_port_lost(struct neighbor_table *t, uint8_t port)
{
    for (unsigned i = 0; i < NEIGHBOR_MAX; i++)
        if (t->entries[i].state == NEIGHBOR_REACHABLE && t->entries[i].port == port)
            t->entries[i].silent = true;
}

void neighbor_forget_network(struct neighbor_table *t, uint8_t network)
{
    for (unsigned i = 0; i < NEIGHBOR_MAX; i++)
        if (t->entries[i].state != NEIGHBOR_FREE && t->entries[i].network == network)
            forget(t, &t->entries[i]);
}

unsigned neighbor_tick(struct neighbor_table *t, uint32_t now_ms, unsigned budget)
{
    unsigned done = 0;

    while (done < budget && t->queue_first != NEIGHBOR_NONE) {
        struct neighbor *n = &t->entries[t->queue_first];
        if (now_ms - n->asked_ms < NEIGHBOR_RETRY_MS)
            break;
        done++;
        if (n->doubted) {
            settle(t, n, now_ms);
            continue;
        }
        queue_remove(t, n);
        n->silent |= n->tries > 0;
        if (n->tries >= NEIGHBOR_MAX_TRIES) {
            n->state = NEIGHBOR_FAILED;
            n->confirmed_ms = now_ms; /* when it failed */
            give_up_held(t, n);
        } else {
            queue_append(t, n);
            ask(t, n, now_ms);
        }
    }
    return done;
}

uint32_t neighbor_next_ms(const struct neighbor_table *t, uint32_t now_ms)
{
    if (t->queue_first == NEIGHBOR_NONE)
        return UINT32_MAX;
    uint32_t waited_ms = now_ms - t->entries[t->queue_first].asked_ms;
    return waited_ms >= NEIGHBOR_RETRY_MS ? 0 : NEIGHBOR_RETRY_MS - waited_ms;
}
