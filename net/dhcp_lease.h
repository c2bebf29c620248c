/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The leases of one network: who has which address until when.
 *
 * Theory of operation. Every address that can be leased - those of the pool, and the reserved ones
 * outside of it - has one slot, so that an address cannot be leased twice; slots of the pool stand
 * in the order of their addresses. A client is known by a keyed 128-bit digest of its client
 * identifier (option 61) or, without one, of its hardware address, and has at most one slot; a hash
 * chain leads from the digest to it. Slots outlive their lease: a client that comes back finds its
 * old address unless somebody else had to be given it. Nothing ticks: a lease is over when its time
 * is, whenever somebody next looks.
 *
 * Nothing survives a restart, so a new client's address is searched from a place that depends on
 * its hardware address alone: the same client gets the same address again. What is seen in use by
 * ARP is not given to others.
 */
#ifndef NET_DHCP_LEASE_H
#define NET_DHCP_LEASE_H

#include "base.h"
#include "config.h"

#define LEASE_MAX_POOL   8192 /* addresses of a pool that are used; the memory is taken at start */
#define LEASE_NAME_BYTES 64   /* with the final NUL: whatever can be one label of a DNS name */
#define LEASE_OFFER_S    30   /* an offer is kept for its client for this long */
/* An address some client found in use is left alone for this long; one that ARP shows in use
 * without a lease likewise. */
#define LEASE_DECLINED_S 3600
#define LEASE_SEEN_S     900
/* A lease is kept this much longer than its client was told: it counts from when it asked, we in
 * whole seconds. */
#define LEASE_GRACE_S    2
#define LEASE_NONE       UINT32_MAX

enum lease_state {
    LEASE_FREE,     /* nobody's */
    LEASE_OFFERED,  /* promised to who */
    LEASE_GRANTED,  /* who's; over, but remembered, when expires_s has come */
    LEASE_DECLINED, /* in use by somebody unknown */
    LEASE_SEEN,     /* in use by mac, which never asked for it */
};

struct lease_id {
    uint64_t half[2];
};

struct lease {
    struct lease_id who;
    be32 ip;
    uint32_t expires_s; /* seconds since start; CONFIG_FOREVER: never */
    uint32_t next;      /* in the chain of its bucket */
    uint16_t host;      /* the reservation that owns this address, or CONFIG_MAX_HOSTS */
    uint8_t state;      /* enum lease_state */
    uint8_t mac[MAC_BYTES];
    char name[LEASE_NAME_BYTES];
};

struct lease_table {
    struct lease *slots;
    uint32_t *buckets;
    uint32_t pool_count, slot_count; /* the reserved ones outside the pool come after it */
    uint32_t bucket_mask;
    uint32_t never_used; /* slots of the pool that are LEASE_FREE and reserved for nobody */
    be32 first;
    /* A port of the network has lock=ip: then who calls itself as another does, with another MAC,
     * is not the other, whose address that port would let it use. */
    bool by_mac;
    uint64_t key[3];
};

/* Takes its memory from alloc: -ENOMEM. random: 24 bytes. */
int lease_table_init(struct lease_table *t, const struct config *config, unsigned network,
                     const uint8_t *random, alloc_fn alloc);

/* The digest of a client identifier, or with n 0 of a hardware address; by_mac: of both. */
struct lease_id lease_id_of(const struct lease_table *t, const uint8_t *id, size_t n,
                            const uint8_t *mac);

struct lease *lease_of_client(const struct lease_table *t, const struct lease_id *who);
struct lease *lease_of_ip(const struct lease_table *t, be32 ip);

/* True if this client may have this address now; host is its reservation's index or
 * CONFIG_MAX_HOSTS. */
bool lease_may_have(const struct lease *l, const struct lease_id *who, const uint8_t *mac,
                    unsigned host, uint32_t now_s);

/* The best address for a client: its reservation's, its own, the one it wants (0: none), or a new
 * one; NULL if none is left. */
struct lease *lease_choose(const struct lease_table *t, const struct lease_id *who,
                           const uint8_t *mac, unsigned host, be32 wanted, uint32_t now_s);

/* Makes l, which lease_choose() gave or lease_may_have() allows, the client's only slot, in this
 * state. */
void lease_take(struct lease_table *t, struct lease *l, const struct lease_id *who,
                const uint8_t *mac, enum lease_state state, uint32_t expires_s);

/* Nobody's any more, and not to be given away before until_s: for LEASE_DECLINED and LEASE_SEEN. */
void lease_block(struct lease_table *t, struct lease *l, enum lease_state state, uint32_t until_s);

static inline bool lease_over(const struct lease *l, uint32_t now_s)
{
    return l->expires_s != CONFIG_FOREVER && l->expires_s <= now_s;
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
