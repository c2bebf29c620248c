/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A packet: one buffer, or a chain of buffers for a super-packet, with its offload metadata; and
 * the pool that all packets come from.
 *
 * Ownership. A packet has one owner at a time: the driver while it is posted for receive or queued
 * for transmit, the dataplane in between. Passing it on passes ownership. Flooding shares one
 * packet between several transmit queues: pkt_ref() adds an owner, each owner calls pkt_free()
 * once, the last one gives the buffers back. A shared packet (pkt_shared()) must not be written to,
 * metadata included.
 *
 * The head carries the metadata; in the segments after it only next, data and len have meaning.
 *
 * Offload metadata follows virtio 1.2, section 5.1.6: with PKT_NEEDS_CSUM the 16 bits at csum_start
 * + csum_offset hold the uncomplemented pseudo-header sum, and whoever sends the packet on a wire
 * completes it; with gso_size set the packet is longer than a frame may be, and whoever sends it
 * cuts it into segments of gso_size payload bytes. All offsets count from the head's data.
 */
#ifndef PKT_H
#define PKT_H

#include "base.h"
#include "check.h"

#define PKT_META_BYTES     128
#define PKT_HEADROOM_BYTES 64 /* before data in a fresh packet: device headers, VLAN tags */
/* 65 cache lines a buffer: an odd count spreads the headers of a burst over the cache's sets, which
 * 4096 would put into the same few. */
#define PKT_BUF_BYTES      4160
#define PKT_DATA_BYTES     (PKT_BUF_BYTES - PKT_META_BYTES - PKT_HEADROOM_BYTES)
#define PKT_MAX_SEGS       20 /* in one chain; 18 hold 64 KB and a header */
#define PKT_MAX_BYTES                                                                              \
    65558u /* an IPv4 packet of 65,535 bytes behind an Ethernet header and two tags, rounded up */

enum pkt_flags {
    PKT_NEEDS_CSUM = 1 << 0, /* transport checksum is partial; csum_start, csum_offset are set */
    PKT_CSUM_VALID = 1 << 1, /* the device has verified the transport checksum */
};

enum pkt_gso { PKT_GSO_NONE, PKT_GSO_TCP4, PKT_GSO_TCP6 };

struct pkt {
    struct pkt *next; /* the next segment of this packet, or NULL; the free list, while free */
    struct pkt_pool *pool;
    uint8_t *data;        /* first byte of this segment */
    uint32_t len;         /* bytes in this segment */
    uint32_t total_bytes; /* head: bytes in all segments */
    uint16_t segs;        /* head: number of segments, 1 or more */
    uint16_t refs;        /* head: owners; 1 but for flooded packets */
    uint8_t port;         /* head: index of the port it came in by */
    uint8_t flags;        /* head: enum pkt_flags */
    uint8_t gso_type;     /* head: enum pkt_gso */
    uint8_t gso_ecn;      /* head: the first segment carries CWR (virtio GSO_ECN) */
    uint16_t gso_size;    /* head: payload bytes a segment; 0 = not a super-packet */
    uint16_t hdr_len;     /* head: Ethernet to transport header, for super-packets */
    uint16_t csum_start;  /* head: where summing begins */
    uint16_t csum_offset; /* head: from csum_start to the checksum field */
};
static_assert(sizeof(struct pkt) <= PKT_META_BYTES, "pkt metadata fits before the headroom");

struct pkt_pool {
    struct pkt *free;
    uint32_t free_count;
    uint32_t count;     /* buffers in all */
    uint64_t exhausted; /* times an allocation failed */
    uint32_t low_mark;  /* lowest free_count seen */
    uint8_t *memory;    /* count * PKT_BUF_BYTES, cache-line aligned */
};

/* Carves count buffers out of memory (count * PKT_BUF_BYTES bytes, aligned to a cache line, owned
 * by the pool from now on). */
void pkt_pool_init(struct pkt_pool *pool, void *memory, uint32_t count);

/* True if p is the start of one of the pool's buffers: for checking what a device hands back. */
bool pkt_pool_owns(const struct pkt_pool *pool, const struct pkt *p);

static inline uint8_t *pkt_buf_start(struct pkt *p)
{
    return (uint8_t *)p + PKT_META_BYTES;
}

static inline size_t pkt_headroom(struct pkt *p)
{
    return (size_t)(p->data - pkt_buf_start(p));
}

static inline size_t pkt_tailroom(struct pkt *p)
{
    return (size_t)((uint8_t *)p + PKT_BUF_BYTES - (p->data + p->len));
}

/* Makes p an empty one-segment packet with one owner, the full headroom and no metadata. For the
 * one who owns p alone and holds no further segments of it. */
static inline void pkt_reset(struct pkt *p)
{
    p->next = NULL;
    p->data = pkt_buf_start(p) + PKT_HEADROOM_BYTES;
    p->len = 0;
    p->total_bytes = 0;
    /* Up to here and from here: eight bytes each, which compilers write at once. */
    p->segs = 1;
    p->refs = 1;
    p->port = 0;
    p->flags = 0;
    p->gso_type = PKT_GSO_NONE;
    p->gso_ecn = 0;
    p->gso_size = 0;
}

/* An empty one-segment packet with the full headroom and no metadata, owned by the caller, or NULL
 * (counted in exhausted) when the pool is empty. */
static inline struct pkt *pkt_alloc(struct pkt_pool *pool)
{
    struct pkt *p = pool->free;
    if (UNLIKELY(!p)) {
        pool->exhausted++;
        return NULL;
    }
    pool->free = p->next;
    pool->free_count--;
    if (pool->free_count < pool->low_mark)
        pool->low_mark = pool->free_count;
    pkt_reset(p);
    return p;
}

/* Gives up one ownership; the last one returns every segment to the pool. */
static inline void pkt_free(struct pkt *p)
{
    if (UNLIKELY(p->refs > 1)) {
        p->refs--;
        return;
    }
    struct pkt_pool *pool = p->pool;
    struct pkt *last = p;
    uint32_t count = 1;
    for (; UNLIKELY(last->next != NULL); last = last->next)
        count++;
    last->next = pool->free;
    pool->free = p;
    pool->free_count += count;
}

/* True if there is nothing about p that a NIC without offloads could not send: neither a partial
 * checksum nor a size to cut it into. In one look at flags .. hdr_len. */
static inline bool pkt_plain(const struct pkt *p)
{
    static_assert(offsetof(struct pkt, flags) == offsetof(struct pkt, port) + 1 &&
                      offsetof(struct pkt, gso_size) == offsetof(struct pkt, port) + 4,
                  "these are looked at as one word");
    uint64_t word = load_raw64((const uint8_t *)p + offsetof(struct pkt, port));
    return !(word & ((uint64_t)PKT_NEEDS_CSUM << 8 | (uint64_t)0xFFFF << 32));
}

static inline void pkt_ref(struct pkt *p)
{
    p->refs++;
}

static inline bool pkt_shared(const struct pkt *p)
{
    return p->refs > 1;
}

/* Copies n bytes from offset on, across segments. False if the packet is shorter than that. */
bool pkt_copy_out(const struct pkt *p, size_t offset, void *to, size_t n);

/* Writes n bytes at offset, across segments. False (nothing written) if the packet is shorter than
 * that. */
bool pkt_copy_in(struct pkt *p, size_t offset, const void *from, size_t n);

/* Appends n bytes, adding segments from the pool as needed. False if the pool is empty or the chain
 * would pass PKT_MAX_SEGS; the packet then has its old length. */
bool pkt_append(struct pkt *p, const void *from, size_t n);

/* Shortens the packet to n bytes, freeing segments that become empty (the head always stays). */
void pkt_trim(struct pkt *p, size_t n);

/* A private copy with the same bytes and metadata, owned by the caller, or NULL if the pool is
 * empty. */
struct pkt *pkt_clone(const struct pkt *p);

#endif
