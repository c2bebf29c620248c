/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fragments of datagrams that belong to flows: only the first one carries the ports by which its
 * flow is found, so they are remembered for those that follow (RFC 791, section 3.2; RFC 4787,
 * REQ-14).
 *
 * Theory of operation. The one who routes notes each first fragment that has passed, under what
 * all fragments of a datagram have in common as they arrive: addresses, identification, protocol,
 * network. A later fragment gets the ports from there. What is not found is dropped by the caller:
 * a fragment that overtakes the first one is lost.
 *
 * The table is cut into sets by source, so that a host that sends first fragments without end
 * pushes out its own and those of the few hosts in its set. Only fragments that a flow was found
 * for are noted, so the outside cannot fill it but through a mapping that is open to it.
 *
 * Invariants: at most FRAGMENT_WAYS datagrams a set; none is remembered for longer than
 * FRAGMENT_HOLD_MS.
 */
#ifndef NET_FRAGMENT_H
#define NET_FRAGMENT_H

#include "base.h"
#include "net/hash.h"
#include "net/wire/parse.h"

#define FRAGMENT_SETS    64u
#define FRAGMENT_WAYS    16u
#define FRAGMENT_HOLD_MS 30000u

struct fragment_entry {
    be32 src, dst;
    be16 id;
    uint8_t proto; /* 0: free */
    uint8_t zone;
    be16 sport, dport;
    uint8_t icmp_type;
    uint32_t noted_ms;
};

struct fragment_table {
    struct fragment_entry (*sets)[FRAGMENT_WAYS];
    struct hash_key key;
    uint64_t noted, matched, missed;
    uint64_t pushed_out; /* forgotten before their time */
};

/* -ENOMEM. */
int fragment_init(struct fragment_table *t, const struct hash_key *key, alloc_fn alloc);
size_t fragment_bytes(void);

/* v is of the first fragment p as it came in (before it is rewritten) from network zone, and a flow
 * was found for it. */
void fragment_note(struct fragment_table *t, const struct pkt *p, const struct view *v,
                   uint8_t zone, uint32_t now_ms);

/* v is of the later fragment p: fills in its ports and ICMP type. False if its datagram is not
 * known. (A datagram whose ports, or whose ICMP identifier, are all 0 is not told from one that is
 * not known.) */
bool fragment_match(struct fragment_table *t, const struct pkt *p, struct view *v, uint8_t zone,
                    uint32_t now_ms);

#endif
