/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The leases of one network: who has which address until when.
 *
 * Theory of operation. Every address that can be leased - those of the pool, and the reserved ones
 * outside of it - has one slot, so that an address cannot be leased twice; slots of the pool stand
 * in the order of their addresses, and a slot's memory is first touched when its address is. A
 * client is known by a keyed 128-bit digest of its client identifier (option 61) or, without one,
 * of its hardware address, and has at most one slot; a hash chain leads from the digest to it, and
 * another from its name. A bitmap says which addresses of the pool nobody has or had.
 *
 * Whatever has an end is in a heap by the time of it; lease_sweep() takes out what is due. What it
 * has not come to yet is over all the same: lease_over() looks at the time. A lease that is over is
 * remembered: its client finds its old address unless somebody else had to be given it.
 *
 * Unless somebody keeps the leases (dhcp_store.h) nothing survives a restart, so a new client's
 * address is searched from a place that depends on its hardware address alone: the same client gets
 * the same address again. When no address is left that nobody has or had, the lease that has been
 * over for longest is forgotten, then the offer that has stood unanswered for longest, then what
 * ARP has only shown in use.
 *
 * Shares. Hardware addresses are easily made up, ports are not. So that nobody behind one port of a
 * network can lease all of its pool, a port gets another address only while four times what would
 * be left is no less than what it has (dynamic thresholds: one port alone comes to four fifths, the
 * next to four fifths of the rest), or if it has none yet. An address counts while it is offered,
 * leased or, having been declined, of no use; reservations do not count. A port has few unanswered
 * offers: the next one ends its oldest. A network with one port has nobody to protect from it.
 */
#ifndef NET_DHCP_LEASE_H
#define NET_DHCP_LEASE_H

#include "base.h"
#include "config.h"

#define LEASE_MAX_POOL       65536 /* addresses of a pool that are used */
#define LEASE_NAME_BYTES     64    /* with the final NUL: whatever can be one label of a DNS name */
#define LEASE_OFFER_S        30    /* an offer is kept for its client for this long */
#define LEASE_OFFER_MIN_S    5 /* and this long even if there is nothing else for the next client */
/* Unanswered offers a port may have: these, and a quarter of the addresses that are left. */
#define LEASE_PORT_OFFERS    16
/* An address some client found in use is left alone for this long, each further time in a row for
 * twice as long, up to a day; one that ARP shows in use without a lease for a fixed time. */
#define LEASE_DECLINED_S     600
#define LEASE_DECLINED_MAX_S 86400
#define LEASE_SEEN_S         900
#define LEASE_PROBED_S       120 /* what ARP has shown free is taken for free for this long */
#define LEASE_ACTIVE_S       120 /* and a client for active that was seen to use its address */
/* A lease is kept this much longer than its client was told: it counts from when it asked, we in
 * whole seconds. */
#define LEASE_GRACE_S        2
#define LEASE_SWEEP          64 /* slots that lease_sweep() takes out at most */
#define LEASE_NONE           UINT32_MAX

enum lease_state {
    LEASE_FREE,     /* nobody's */
    LEASE_OFFERED,  /* promised to who */
    LEASE_GRANTED,  /* who's, unless its time has come */
    LEASE_OVER,     /* was who's, and is remembered */
    LEASE_DECLINED, /* in use by somebody unknown */
    LEASE_SEEN,     /* in use by mac, which never asked for it */
};

struct lease_id {
    uint64_t half[2];
};

struct lease {
    struct lease_id who;
    be32 ip;
    uint32_t expires_s;    /* seconds since start; CONFIG_FOREVER: never */
    uint32_t next;         /* in the chain of its client's bucket */
    uint32_t probed_s;     /* when nobody had it last, by ARP, plus 1; 0: unknown */
    uint32_t active_s;     /* when mac used it last, plus 1; 0: it did not answer since */
    uint32_t next_name;    /* in the chain of its name's bucket; it is in one if it has a name */
    uint32_t heap_at;      /* its place in the heap; LEASE_NONE: it has no end to wait for */
    uint32_t newer, older; /* in the list it is on: leases that are over, what was only seen, a
                              port's offers */
    uint16_t host;         /* the reservation that owns this address, or CONFIG_MAX_HOSTS */
    uint8_t state;         /* enum lease_state */
    uint8_t port;          /* where its client was when it last took it */
    uint8_t mac[MAC_BYTES];
    uint8_t declines; /* in a row */
    char name[LEASE_NAME_BYTES];
};

struct lease_list {
    uint32_t oldest, newest; /* LEASE_NONE: it is empty */
    uint32_t count;
};

struct lease_table {
    struct lease *slots;
    uint64_t *touched; /* bit i: slot i has been written to */
    uint64_t *vacant;  /* bit i: address i of the pool is LEASE_FREE and reserved for nobody */
    uint32_t *buckets, *name_buckets;
    uint32_t *heap; /* slots, the one that ends first at 0 */
    uint32_t heap_count;
    uint32_t pool_count, slot_count; /* the reserved ones outside the pool come after it */
    uint32_t bucket_mask;
    uint32_t dynamic;                /* addresses of the pool that are reserved for nobody, */
    uint32_t left;                   /* and those of them that a new client could get */
    uint32_t held[CONFIG_MAX_PORTS]; /* what counts for the share of each port */
    struct lease_list over, seen, offers[CONFIG_MAX_PORTS];
    be32 first;
    /* A port of the network has lock=ip: then who calls itself as another does, with another MAC,
     * is not the other, whose address that port would let it use. */
    bool by_mac;
    bool shared; /* the network has several ports, and each its share */
    /* Who keeps the leases over a restart (dhcp_store.h) gives both; NULL: nobody does. */
    uint64_t *changed; /* bit i: slot i may be other than it was when its bit was cleared */
    bool *any_changed;
    uint64_t key[3];
};

/* Takes its memory from alloc, and that of the slots, which need not be zeroed, from alloc_dirty:
 * -ENOMEM. random: 24 bytes. */
int lease_table_init(struct lease_table *t, const struct config *config, unsigned network,
                     const uint8_t *random, alloc_fn alloc, alloc_fn alloc_dirty);

/* How many addresses a network can lease: those of its pool, and the reserved ones outside of it.
 * And what a table of so many takes. */
uint32_t lease_count_slots(const struct config *config, unsigned network);
uint64_t lease_table_bytes(uint32_t slots);

/* Lets go of what is due; true if there may be more. Every caller of the functions below calls it
 * now and then, so that the counts and the order of what is over are right. */
bool lease_sweep(struct lease_table *t, uint32_t now_s);

/* The digest of a client identifier, or with n 0 of a hardware address; clone, or by_mac: of both.
 */
struct lease_id lease_id_of(const struct lease_table *t, const uint8_t *id, size_t n,
                            const uint8_t *mac, bool clone);

struct lease *lease_of_client(const struct lease_table *t, const struct lease_id *who);
struct lease *lease_of_ip(struct lease_table *t, be32 ip);

/* The same without touching it: NULL, too, if the address has never been asked about. */
const struct lease *lease_known(const struct lease_table *t, be32 ip);

/* The client with this name (letters compare without case) whose lease lasts, or NULL. */
const struct lease *lease_of_name(const struct lease_table *t, const char *name, size_t n,
                                  uint32_t now_s);

/* Slot i, or NULL if its address has never been asked about: for those who look at all of them. */
const struct lease *lease_slot(const struct lease_table *t, uint32_t i);

/* True if this client may have this address now; host is its reservation's index or
 * CONFIG_MAX_HOSTS. */
bool lease_may_have(const struct lease *l, const struct lease_id *who, const uint8_t *mac,
                    unsigned host, uint32_t now_s);

/* True if the client's port has room in its share for l. */
bool lease_in_share(const struct lease_table *t, const struct lease *l, const struct lease_id *who,
                    unsigned port);

/* The best address for a client: its own, the one it wants (0: none), or a new one; NULL if none is
 * left. Not for clients with a reservation. */
struct lease *lease_choose(struct lease_table *t, const struct lease_id *who, const uint8_t *mac,
                           be32 wanted, uint32_t now_s);

/* Makes l, which lease_choose() gave or lease_may_have() allows, the client's only slot, in this
 * state. */
void lease_take(struct lease_table *t, struct lease *l, const struct lease_id *who,
                const uint8_t *mac, unsigned port, enum lease_state state, uint32_t expires_s);

/* Its client's name; "": none. Only of a slot that is OFFERED or GRANTED. */
void lease_set_name(struct lease_table *t, struct lease *l, const char *name);

/* What was promised or given is so no longer: an offer is forgotten, a lease remembered. */
void lease_end(struct lease_table *t, struct lease *l);

/* Nobody's any more, and not to be given away before until_s: for LEASE_DECLINED and LEASE_SEEN,
 * where mac is who was seen. A declined one goes on counting for its port. */
void lease_block(struct lease_table *t, struct lease *l, enum lease_state state, const uint8_t *mac,
                 uint32_t until_s);

static inline bool lease_over(const struct lease *l, uint32_t now_s)
{
    return l->state == LEASE_OVER || (l->expires_s != CONFIG_FOREVER && l->expires_s <= now_s);
}

static inline bool lease_live(const struct lease *l, uint32_t now_s)
{
    return l->state == LEASE_GRANTED && !lease_over(l, now_s);
}

static inline bool lease_id_equal(const struct lease_id *a, const struct lease_id *b)
{
    return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

#endif
