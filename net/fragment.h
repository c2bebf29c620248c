/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fragments of datagrams that belong to flows: only the first one carries the ports by which its
 * flow is found, so they are remembered for the others, whatever order they come in (RFC 791,
 * section 3.2; RFC 4787, REQ-14). Nothing is put together here.
 *
 * Theory of operation. A datagram is known by what all its fragments have in common as they arrive:
 * addresses, identification, protocol, network. The one who routes notes each first fragment that a
 * flow was found for; a later one gets the ports from there. One that comes before is held; with
 * the first one's note those that are held become ready, in the order they came in, and the one who
 * routes takes them out and lets them come in again. What waits for longer than FRAGMENT_WAIT_MS is
 * given up.
 *
 * Each datagram knows which of its bytes have come (fragment_ranges.h). What is covered already is
 * dropped alone: whether it is the same once more or another text under it, its receiver sees one
 * version. What overlaps in part is no network's doing, and ends the datagram: nothing more of it
 * passes (RFC 5722 for why; CVE-2018-5391). When all its bytes have come it is forgotten.
 *
 * Fairness. The table is cut into sets by source. When a set is full, who has the most datagrams in
 * it loses the oldest of them; when too many buffers are held, who holds the most does. So whoever
 * floods loses what is his own. Sources are easily forged outside, so datagrams from there of which
 * no first fragment belongs to a flow count as one party together, and the uplink has sets and
 * buffers of its own.
 *
 * Time is compared by signed differences, and fragment_tick() clears what is old long before they
 * turn over.
 */
#ifndef NET_FRAGMENT_H
#define NET_FRAGMENT_H

#include "base.h"
#include "pkt.h"
#include "verdict.h"
#include "net/fragment_ranges.h"
#include "net/hash.h"
#include "net/wire/parse.h"

#define FRAGMENT_REGIONS 2   /* from networks, from the uplink */
#define FRAGMENT_SETS    32u /* of both */
#define FRAGMENT_WAYS    16u
#define FRAGMENT_KEEP_MS 15000 /* a datagram is remembered; RFC 791's reassembly timer */
#define FRAGMENT_WAIT_MS 2000  /* fragments wait for the first one */

/* Buffers held. A datagram of 64 KB in packets of 576 bytes has 119 fragments. */
#define FRAGMENT_HELD_DATAGRAM 128u
#define FRAGMENT_HELD_SOURCE   192u
#define FRAGMENT_HELD_REGION   256u
#define FRAGMENT_HELD_ALL      (FRAGMENT_REGIONS * FRAGMENT_HELD_REGION)

struct fragment_key {
    be32 src, dst;
    be16 id;
    uint8_t proto, zone;
};

enum fragment_state {
    FRAGMENT_FREE,
    FRAGMENT_EARLY,  /* the first one is yet to come; others are held */
    FRAGMENT_KNOWN,  /* it has come */
    FRAGMENT_BROKEN, /* two of them overlapped */
};

struct fragment_entry {
    struct fragment_key key;
    uint32_t since_ms; /* in this state */
    uint8_t state;     /* enum fragment_state */
    uint8_t icmp_type;
    be16 sport, dport;
    be16 new_id;      /* the caller's, from the note */
    uint16_t buffers; /* held */
    uint16_t held_first, held_last;
    struct fragment_ranges ranges;
};

/* A packet that is held, and the caller's notes of how it came in. */
struct fragment_held {
    struct pkt *p;
    uint16_t next;
    uint8_t network;
    uint8_t how;
};

struct fragment_table {
    struct fragment_entry (*sets)[FRAGMENT_WAYS];
    struct hash_key key;
    struct pkt_pool *pool;
    /* A held packet that will not go on: takes p. */
    void (*give_up)(void *arg, struct pkt *p, enum drop_reason why);
    void *arg;
    uint8_t strangers; /* a zone */
    uint32_t live;     /* entries that are not free */
    uint32_t look_ms;  /* when there may be something for fragment_tick(), if any is live */
    uint32_t held;     /* packets, those that are ready included */
    uint16_t set_buffers[FRAGMENT_SETS];
    uint16_t held_free, ready_first, ready_last;
    struct fragment_held nodes[FRAGMENT_HELD_ALL];
    uint64_t noted, matched, missed;
    uint64_t pushed_out; /* forgotten before their time */
};

/* -ENOMEM. strangers: the zone in which sources can be forged at will. */
int fragment_init(struct fragment_table *t, const struct hash_key *key, struct pkt_pool *pool,
                  uint8_t strangers,
                  void (*give_up)(void *arg, struct pkt *p, enum drop_reason why), void *arg,
                  alloc_fn alloc);
size_t fragment_bytes(void);

/* Of the fragment p as it came in, before it is rewritten, from this zone. */
static inline struct fragment_key fragment_key(const struct pkt *p, const struct view *v,
                                               uint8_t zone)
{
    return (struct fragment_key){.src = v->src,
                                 .dst = v->dst,
                                 .id = load_raw16(p->data + v->l3_off + IP4_ID_OFF),
                                 .proto = v->proto,
                                 .zone = zone};
}

/* v is of a first fragment, and a flow was found for it. DROP_NONE: it may go on, and those that
 * waited for it are ready. Else the caller drops it: DROP_FRAGMENT_TWICE, DROP_FRAGMENT_OVERLAP.
 * new_id is kept for those who match. */
enum drop_reason fragment_note(struct fragment_table *t, const struct fragment_key *key,
                               const struct view *v, be16 new_id, uint32_t now_ms);

/* v is of a later fragment. DROP_NONE: its ports and ICMP type are filled in, and *new_id is what
 * was noted. Else: DROP_FRAGMENT if its datagram is not known, and fragment_hold() may follow;
 * DROP_FRAGMENT_TWICE, DROP_FRAGMENT_OVERLAP, DROP_FRAGMENT_FULL (in too many pieces). Once for
 * each packet. */
enum drop_reason fragment_match(struct fragment_table *t, const struct fragment_key *key,
                                struct view *v, be16 *new_id, uint32_t now_ms);

/* Takes the later fragment p, whose datagram is not known: holds it, or gives it up. */
void fragment_hold(struct fragment_table *t, const struct fragment_key *key, const struct view *v,
                   const struct fragment_held *p, uint32_t now_ms);

/* The next one that is ready, which is the caller's from now on; false: none. */
bool fragment_take(struct fragment_table *t, struct fragment_held *held);

static inline bool fragment_is_ready(const struct fragment_table *t)
{
    return t->ready_first != UINT16_MAX;
}

/* Forgets what is old; returns the number of datagrams forgotten. */
unsigned fragment_tick(struct fragment_table *t, uint32_t now_ms);

/* Milliseconds until there is something to do for it; 0 = now; UINT32_MAX = nothing. */
uint32_t fragment_next_ms(const struct fragment_table *t, uint32_t now_ms);

#endif
