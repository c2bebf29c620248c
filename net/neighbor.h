/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Next hops of forwarded packets: a cache over the router's own stack, which does the ARP (RFC
 * 826).
 *
 * Theory of operation. An entry is made when a packet first needs it; until it is resolved it holds
 * a few packets and the owner's resolve callback asks the stack for an ARP request, again every
 * second, at most NEIGHBOR_MAX_TRIES times. Then the entry has failed: the held packets are given
 * up, and for NEIGHBOR_FAILED_MS further packets are refused at once (so that the caller can answer
 * them with ICMP host unreachable) while the stack is still asked once a second, so that a host
 * that appears is reached at once. The stack reports what it learns with neighbor_learned(). An
 * entry in use is confirmed again before it is too old; one that no longer answers is resolved from
 * the beginning. Who has a choice of hosts asks neighbor_answers() first, which sees to it that
 * those nobody uses for their silence are still asked. Entries are numbered; flows keep the number,
 * and neighbor_at() compares the address and network to see that it is still theirs.
 *
 * Whom to believe. ARP proves nothing; but whoever has an address answers questions about it, and
 * who forges claims most often does not. So what only claims to have an address (a request, or an
 * announcement) is believed where nothing better is known, and asked about a second later if the
 * entry is used; an answer is better. What contradicts an entry that has answered puts it in doubt:
 * its MAC stays in use, and the question is asked once. If the old MAC is heard within
 * NEIGHBOR_RETRY_MS, the claim is refuted, and for as long again others are not even asked about.
 * If it is not, whoever else has answered takes over: a machine that moved, or a failover, is
 * followed in about a second. Either may have been a lie, or a question have been lost: so what was
 * contradicted is asked about every second while it is used, until its MAC has answered
 * NEIGHBOR_DISPUTED times and no other was heard. The stack must not believe what
 * neighbor_learned() and neighbor_claimed() do not; what the stack knows alone neighbor_assume()
 * brings here.
 *
 * Invariants: every entry that is not free is in one hash chain; INCOMPLETE and doubted entries are
 * in one queue, in the order of asked_ms; only INCOMPLETE ones hold packets, only REACHABLE ones
 * are doubted. The resolve callback may call neighbor_learned() at once.
 */
#ifndef NET_NEIGHBOR_H
#define NET_NEIGHBOR_H

#include "base.h"
#include "pkt.h"
#include "net/hash.h"
#include "net/wire/eth.h"

#define NEIGHBOR_NONE       0xFFFF
#define NEIGHBOR_MAX        4096
#define NEIGHBOR_HELD_MAX   16  /* packets an entry holds; the oldest gives way */
#define NEIGHBOR_HELD_ALL   256 /* packets all entries hold together */
#define NEIGHBOR_MAX_TRIES  3
#define NEIGHBOR_RETRY_MS   1000
#define NEIGHBOR_FAILED_MS  5000  /* after the last try: refuse at once */
#define NEIGHBOR_REFRESH_MS 30000 /* used and not confirmed for this long: ask again */
#define NEIGHBOR_DISPUTED   30    /* questions, once a second, after an entry was contradicted */
#define NEIGHBOR_CHECK_MS   5000  /* the same, by neighbor_answers() */
#define NEIGHBOR_SILENT_MS  500   /* no answer to the first question for this long: silent */

enum neighbor_state { NEIGHBOR_FREE, NEIGHBOR_INCOMPLETE, NEIGHBOR_REACHABLE, NEIGHBOR_FAILED };

struct neighbor {
    be32 ip;
    uint8_t network; /* 0xFF in a free entry, so that it never matches */
    uint8_t state;   /* enum neighbor_state */
    uint8_t tries;
    uint8_t held_count;
    uint8_t hdr[ETH_HDR_BYTES]; /* ready to be copied in front of an IPv4 packet; hdr[0..5] is its
                                   MAC */
    uint8_t port; /* the owner's note: where the switch has that MAC, or SWITCH_PORT_NONE */
    bool silent;  /* it was asked in vain, or its port went down, and it has not answered since */
    uint32_t port_moves; /* switch_table.moves when port was looked up */
    uint32_t confirmed_ms, used_ms, asked_ms;
    uint16_t held_first; /* in table.held, or NEIGHBOR_NONE */
    uint16_t chain;      /* next entry with this hash; next free one */
    uint16_t queue_next, queue_prev;
    bool answered;            /* by the MAC it has, to a question of ours */
    bool doubted;             /* claim says that it has ip: in the queue */
    bool claim_answered;      /* claim has answered a question of ours since */
    uint8_t claim[MAC_BYTES]; /* while doubted */
    uint8_t disputed; /* so many questions more a second apart, as another MAC was heard lately */
    uint8_t pad[2];
    uint32_t refuted_ms; /* when a claim was, last */
};
static_assert(sizeof(struct neighbor) == CACHE_LINE_BYTES, "a known next hop costs one line");

struct neighbor_held {
    struct pkt *p;
    uint16_t next;
};

struct neighbor_ops {
    /* Ask who has ip on network. */
    void (*resolve)(void *arg, uint8_t network, be32 ip);
    /* A held packet can go: n is reachable. Takes p. */
    void (*release)(void *arg, struct neighbor *n, struct pkt *p);
    /* A held packet cannot: n failed, or it had to make room for a newer one. Takes p. */
    void (*give_up)(void *arg, struct neighbor *n, struct pkt *p);
    /* Both n's MAC and this one answer for n's address. */
    void (*clash)(void *arg, const struct neighbor *n, const uint8_t *mac);
};

struct neighbor_table {
    struct neighbor *entries; /* NEIGHBOR_MAX */
    uint16_t *heads;          /* NEIGHBOR_MAX chains */
    const struct neighbor_ops *ops;
    void *arg;
    struct hash_key key;
    uint32_t live;
    uint32_t held_total;
    uint16_t free;
    uint16_t hand; /* where the search for an entry to replace goes on */
    uint16_t queue_first, queue_last;
    uint16_t held_free;
    struct neighbor_held held[NEIGHBOR_HELD_ALL];
    uint64_t doubts;  /* claims that were asked about */
    uint64_t refuted; /* claims that were not believed: the owner was heard, or had been just now */
    uint64_t followed; /* claims that were: the owner was not heard, the claimant was */
    uint64_t clashes;  /* times that both were */
};

/* -ENOMEM. */
int neighbor_init(struct neighbor_table *t, const struct neighbor_ops *ops, void *arg,
                  const struct hash_key *key, alloc_fn alloc);

static inline uint16_t neighbor_id(const struct neighbor_table *t, const struct neighbor *n)
{
    return (uint16_t)(n - t->entries);
}

/* The entry a caller remembered by number, if it is still that neighbor's; else NULL. */
static inline struct neighbor *neighbor_at(const struct neighbor_table *t, uint16_t id,
                                           uint8_t network, be32 ip)
{
    if (id >= NEIGHBOR_MAX)
        return NULL;
    struct neighbor *n = &t->entries[id];
    return n->ip == ip && n->network == network ? n : NULL;
}

/* The entry for ip on network, made (INCOMPLETE, nobody asked yet) if there is none; NULL only if
 * every entry is busy resolving others. */
struct neighbor *neighbor_get(struct neighbor_table *t, uint8_t network, be32 ip, uint32_t now_ms);

/* Called when a packet wants to go to n. True: n->hdr may be used. False: neighbor_hold() the
 * packet, or, if n has failed, drop it. */
bool neighbor_use_slow(struct neighbor_table *t, struct neighbor *n, uint32_t now_ms);

static inline bool neighbor_use(struct neighbor_table *t, struct neighbor *n, uint32_t now_ms)
{
    if (UNLIKELY(n->state != NEIGHBOR_REACHABLE || now_ms - n->confirmed_ms > NEIGHBOR_REFRESH_MS))
        return neighbor_use_slow(t, n, now_ms);
    n->used_ms = now_ms;
    return true;
}

/* Keeps p, which belongs to the table from now on, until n (INCOMPLETE) is resolved or has failed.
 * An older packet may be given up for it; if nothing can be, p itself is. */
void neighbor_hold(struct neighbor_table *t, struct neighbor *n, struct pkt *p);

/* mac has answered a question of ours: it has ip. own_mac is ours on that network. Releases what
 * was held. False: the stack is not to believe it (yet). Not an error if nobody wanted to know. */
bool neighbor_learned(struct neighbor_table *t, uint8_t network, be32 ip, const uint8_t *mac,
                      const uint8_t *own_mac, uint32_t now_ms);

/* The same for any other way in which mac says that it has ip. */
bool neighbor_claimed(struct neighbor_table *t, uint8_t network, be32 ip, const uint8_t *mac,
                      const uint8_t *own_mac, uint32_t now_ms);

/* The stack has known for a while that mac has ip. Ignored where the table knows something. */
void neighbor_assume(struct neighbor_table *t, uint8_t network, be32 ip, const uint8_t *mac,
                     const uint8_t *own_mac, uint32_t now_ms);

/* Whether ip is worth a try, for who has a choice: false if it is known not to answer. Asks about
 * those that have not been heard of lately, at most once a second. */
bool neighbor_answers(struct neighbor_table *t, uint8_t network, be32 ip, uint32_t now_ms);

/* Whoever was last seen on this port (the owner's note) is silent until heard again. */
void neighbor_port_lost(struct neighbor_table *t, uint8_t port);

/* Forgets every entry of a network (its address changed), giving up what they hold. */
void neighbor_forget_network(struct neighbor_table *t, uint8_t network);

/* Repeats questions that are due; returns the number of entries looked at. */
unsigned neighbor_tick(struct neighbor_table *t, uint32_t now_ms, unsigned budget);

/* Milliseconds until neighbor_tick has something to do; 0 = now; UINT32_MAX = nothing. */
uint32_t neighbor_next_ms(const struct neighbor_table *t, uint32_t now_ms);

#endif
