/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The split virtqueue (VIRTIO 1.2, section 2.7): its memory, and the operations that every packet
 * pays for, which are therefore inline.
 *
 * Theory of operation. All indices run freely through 16 bits and are masked when a ring is
 * accessed. The driver fills descriptors, puts the number of each chain's first into the avail ring
 * (virtq_put), and makes a burst visible with one store (virtq_publish). The device hands chains
 * back through the used ring. A queue's owner keeps its own record of which descriptors are
 * outstanding: the rings lie in memory that the device can write at any time, so nothing read from
 * there is used before it is checked, and nothing is read twice.
 *
 * Notifications either way are asked for by EVENT_IDX (section 2.7.7, 2.7.10) or by flags. An index
 * wish is left alone when it has been served: being behind, it asks for nothing until the index
 * comes around, which costs one needless notification in 65,536.
 */
#ifndef VIRTIO_RING_H
#define VIRTIO_RING_H

#include "base.h"
#include "io.h"

#define VIRTQ_MAX_SIZE 1024 /* entries; more than that only holds memory */

#define VIRTQ_DESC_NEXT     1u
#define VIRTQ_DESC_WRITE    2u /* the device writes; otherwise it reads */
#define VIRTQ_DESC_INDIRECT 4u /* address and len are those of a table of descriptors */

#define VIRTQ_AVAIL_NO_INTERRUPT 1u
#define VIRTQ_USED_NO_NOTIFY     1u

struct virtq_desc {
    uint64_t address;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};
static_assert(sizeof(struct virtq_desc) == 16, "VIRTIO 1.2, section 2.7.5");

/* A descriptor of len bytes that ends its chain and that the device reads: length, flags and next
 * in one store. */
static inline void virtq_desc_set_len(struct virtq_desc *d, uint32_t len)
{
    uint64_t word = len;
    memcpy(&d->len, &word, sizeof(word));
}

struct virtq_avail {
    uint16_t flags;
    uint16_t idx;
    uint16_t ring[]; /* size entries, then used_event */
};

struct virtq_used_elem {
    uint32_t id;
    uint32_t len;
};

struct virtq_used {
    uint16_t flags;
    uint16_t idx;
    struct virtq_used_elem ring[]; /* size entries, then avail_event */
};

struct virtq {
    struct virtq_desc *desc;
    struct virtq_avail *avail;
    struct virtq_used *used;
    uint16_t mask;       /* size - 1 */
    uint16_t next_avail; /* chains put, published or not */
    uint16_t last_used;  /* chains taken back */
    uint16_t kicked;     /* next_avail when the device was last asked whether it wants to know */
    bool event_idx;
    uint16_t size; /* entries, a power of two */
};

/* Bytes a queue needs, with its used ring aligned to used_align (4096 for legacy, section 2.7.2).
 */
size_t virtq_bytes(unsigned size, size_t used_align);

/* Lays a queue out in zeroed memory of virtq_bytes(), which is aligned to used_align, at least
 * to 16. */
void virtq_init(struct virtq *q, void *memory, unsigned size, size_t used_align, bool event_idx);

/* Chains the device has handed back since last_used. More than the queue holds is nonsense; the
 * caller looks. */
static inline unsigned virtq_used_count(const struct virtq *q)
{
    return (uint16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) - q->last_used);
}

/* The at-th used element, read once. Loops keep the ring and the mask in registers. */
static inline struct virtq_used_elem virtq_used_read(const struct virtq_used *used, unsigned mask,
                                                     unsigned at)
{
    const volatile struct virtq_used_elem *e = &used->ring[at & mask];
    return (struct virtq_used_elem){.id = e->id, .len = e->len};
}

static inline struct virtq_used_elem virtq_used_at(const struct virtq *q, uint16_t at)
{
    return virtq_used_read(q->used, q->mask, at);
}

static inline void virtq_put(struct virtq *q, uint16_t head)
{
    q->avail->ring[q->next_avail++ & q->mask] = head;
}

/* Shows the device all that was put; the stores before cannot pass this one. */
static inline void virtq_publish(struct virtq *q)
{
    __atomic_store_n(&q->avail->idx, q->next_avail, __ATOMIC_RELEASE);
}

/* The other side's last wish and its ring, as 16-bit distances (section 2.7.7.2). */
static inline bool virtq_event_passed(uint16_t event, uint16_t now, uint16_t before)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

/* After publishing: does the device ask to be told? The barrier makes sure that either the device
 * sees the new index or we see its wish. */
static inline bool virtq_kick_wanted(struct virtq *q)
{
    uint16_t before = q->kicked, now = q->next_avail;

    q->kicked = now;
    io_barrier();
    if (LIKELY(q->event_idx)) {
        const void *event = &q->used->ring[q->size];
        return virtq_event_passed(*(const volatile uint16_t *)event, now, before);
    }
    return !(*(const volatile uint16_t *)&q->used->flags & VIRTQ_USED_NO_NOTIFY);
}

/* Asks for an interrupt once after more chains are handed back (0: at the next one). Returns true
 * if that has happened already: then no interrupt may come, and the caller must look again. */
static inline bool virtq_irq_arm(struct virtq *q, uint16_t after)
{
    if (LIKELY(q->event_idx))
        *(volatile uint16_t *)&q->avail->ring[q->size] = (uint16_t)(q->last_used + after);
    else
        *(volatile uint16_t *)&q->avail->flags = 0;
    io_barrier();
    return virtq_used_count(q) > after;
}

static inline void virtq_irq_disarm(struct virtq *q)
{
    if (LIKELY(q->event_idx))
        *(volatile uint16_t *)&q->avail->ring[q->size] = (uint16_t)(q->last_used - 1);
    else
        *(volatile uint16_t *)&q->avail->flags = VIRTQ_AVAIL_NO_INTERRUPT;
}

#endif
