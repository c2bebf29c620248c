/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Keeps the leases of the DHCP server on a disk. A function of (state, time): whoever owns the disk
 * asks what is to be written, and says when that is done.
 *
 * Theory of operation. The lease tables mark what changes (lease_table.changed). A while after the
 * first mark a round begins: each changed lease that is to be kept gets a record, wherever one is
 * free, and the groups (dhcp_store_format.h) whose records changed are written, each into the copy
 * that is not the last good one; then the disk is flushed. Only then do the new copies count, and
 * only then can the next round begin: so at any time one copy of each group is on the disk for
 * sure. What changes meanwhile waits for the next round, a second after the last one began.
 *
 * A write that fails leaves all groups of its round to be written again, into the same copies,
 * later and later.
 *
 * What was read at start need not be on the disk either: the router may have ended between a write
 * and its flush, and its host gone on. So before the first write the disk is flushed once.
 *
 * At start the groups are read, and what they say is given to the DHCP server, which takes what
 * still has a place in its networks. If two records speak of one address or one client - a power
 * failure came between two groups - the one that was written last counts.
 *
 * Kept are leases, and leases that are over, because their clients like to get their addresses
 * again. Offers are not, nor what ARP or a DECLINE has shown: that shows again.
 */
#ifndef NET_DHCP_STORE_H
#define NET_DHCP_STORE_H

#include "base.h"
#include "net/dhcp_server.h"
#include "net/dhcp_store_format.h"

#define STORE_SETTLE_US    50000u   /* a round begins so long after the first change, */
#define STORE_ROUND_US     1000000u /* and so long after the last round began, at least */
#define STORE_RETRY_US     5000000u /* after an error; each further time twice as long */
#define STORE_RETRY_MAX_US 300000000u

enum store_work {
    STORE_NOTHING, /* for now */
    STORE_WRITE,
    STORE_FLUSH,
};

struct store_counters {
    uint64_t rounds; /* that are safely on the disk */
    uint64_t blocks; /* written in them */
    uint64_t errors; /* writes and flushes that failed */
    uint32_t restored;
    uint32_t outside;   /* leases that have no place in the networks as they are now */
    uint32_t damaged;   /* groups, and records of them, that cannot be believed */
    uint32_t half_done; /* groups of which one copy was not whole: the other one counts */
    uint32_t unkept;    /* leases that found no room on the disk when the last round began */
};

struct dhcp_store {
    struct dhcp_server *dhcp;
    uint64_t id;
    uint32_t groups, records;
    uint32_t *owner;                      /* of each record: its network << 24 | its slot */
    uint32_t *record_of[CONFIG_MAX_NETS]; /* of each slot */
    uint32_t *round_of;                   /* of each group: when its good copy was written */
    uint64_t *second, *dirty, *written;   /* of each group a bit: its good copy is the second one;
                                             it is to be written; it is, in this round */
    uint32_t used, free_hint;             /* records with an owner; below the hint none is free */
    uint32_t round, next_group, busy;
    uint8_t phase; /* enum phase */
    bool unsure;   /* what was read at start may be in the cache of the host alone */
    bool failed;   /* something in this round */
    bool changed;  /* a lease table has marked something */
    uint32_t retry_us;
    uint64_t due_us, begun_us, done_us;
    struct store_counters counters;
};

/* For a disk of so many groups with this id; the server has been made with the header's key, and
 * has given no lease yet. -ENOMEM or 0. */
int dhcp_store_init(struct dhcp_store *s, struct dhcp_server *dhcp, uint32_t groups, uint64_t id,
                    alloc_fn alloc, alloc_fn alloc_dirty);

/* What dhcp_store_init() takes for a server of this configuration. */
uint64_t dhcp_store_bytes(const struct config *config, uint32_t groups);

/* The two copies of a group as they were read, one behind the other; each group once, before
 * anything else. */
void dhcp_store_load(struct dhcp_store *s, uint32_t group, const struct store_group *copies,
                     uint64_t now_us);

/* What is to be done now. STORE_WRITE: block has been filled in and belongs on the disk as block
 * number at. dhcp_store_done() is to be called for each when it is done, or has failed; there may
 * be several writes at a time. */
enum store_work dhcp_store_next(struct dhcp_store *s, uint64_t now_us, struct store_group *block,
                                uint32_t *at);
void dhcp_store_done(struct dhcp_store *s, bool ok, uint64_t now_us);

/* The next round waits for nothing: the end is near. */
void dhcp_store_hurry(struct dhcp_store *s);

/* When dhcp_store_next() has something, besides after dhcp_store_done(); UINT64_MAX: not before a
 * lease changes. */
uint64_t dhcp_store_next_us(const struct dhcp_store *s);

/* Leases that are to be kept, with and without room. */
static inline uint32_t dhcp_store_wanted(const struct dhcp_store *s)
{
    return s->used + s->counters.unkept;
}

#endif
