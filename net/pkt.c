/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The parts of the packet contract (include/pkt.h) that are too long to be inline.
 *
 * Invariants: total_bytes of a head is the sum of len over its chain, segs is the length of the
 * chain, and every segment lies wholly inside its buffer. Functions that need several buffers look
 * at the pool's free count first, so they either do all of their work or none of it and have
 * nothing to unwind.
 */
#include "pkt.h"

void pkt_pool_init(struct pkt_pool *pool, void *memory, uint32_t count)
{
    CHECK(((uintptr_t)memory & (CACHE_LINE_BYTES - 1)) == 0);
    memset(pool, 0, sizeof(*pool));
    pool->memory = memory;
    pool->count = count;
    pool->free_count = count;
    pool->low_mark = count;
    /* Linked from the last to the first, so that the first allocations come from the lowest
     * addresses. */
    for (uint32_t i = count; i > 0; i--) {
        struct pkt *p = (void *)(pool->memory + (size_t)(i - 1) * PKT_BUF_BYTES);
        memset(p, 0, sizeof(*p));
        p->pool = pool;
        p->next = pool->free;
        pool->free = p;
    }
}

bool pkt_pool_owns(const struct pkt_pool *pool, const struct pkt *p)
{
    uintptr_t offset = (uintptr_t)p - (uintptr_t)pool->memory;
    return (uintptr_t)p >= (uintptr_t)pool->memory &&
           offset < (uintptr_t)pool->count * PKT_BUF_BYTES && offset % PKT_BUF_BYTES == 0;
}

/* Offsets are compared without adding to them, so that no argument can wrap around. */
static bool range_inside(const struct pkt *p, size_t offset, size_t n)
{
    return offset <= p->total_bytes && n <= p->total_bytes - offset;
}

bool pkt_copy_out(const struct pkt *p, size_t offset, void *to, size_t n)
{
    uint8_t *at = to;

    if (!range_inside(p, offset, n))
        return false;
    for (; n > 0; p = p->next) {
        if (offset >= p->len) {
            offset -= p->len;
            continue;
        }
        size_t part = MIN(n, p->len - offset);
        memcpy(at, p->data + offset, part);
        at += part;
        n -= part;
        offset = 0;
    }
    return true;
}

bool pkt_copy_in(struct pkt *p, size_t offset, const void *from, size_t n)
{
    const uint8_t *at = from;

    if (!range_inside(p, offset, n))
        return false;
    CHECK(!pkt_shared(p));
    for (; n > 0; p = p->next) {
        if (offset >= p->len) {
            offset -= p->len;
            continue;
        }
        size_t part = MIN(n, p->len - offset);
        memcpy(p->data + offset, at, part);
        at += part;
        n -= part;
        offset = 0;
    }
    return true;
}

/* True if count more buffers are there; a refusal counts as a failed allocation. */
static bool pool_has(struct pkt_pool *pool, size_t count)
{
    if (pool->free_count >= count)
        return true;
    pool->exhausted++;
    return false;
}

bool pkt_append(struct pkt *p, const void *from, size_t n)
{
    const uint8_t *at = from;
    struct pkt *tail = p;

    CHECK(!pkt_shared(p));
    while (tail->next)
        tail = tail->next;

    size_t room = pkt_tailroom(tail);
    size_t extra = n > room ? n - room : 0;
    if (extra > (size_t)PKT_MAX_SEGS * PKT_DATA_BYTES)
        return false;
    size_t segments = (extra + PKT_DATA_BYTES - 1) / PKT_DATA_BYTES;
    if (segments > PKT_MAX_SEGS || p->segs + segments > PKT_MAX_SEGS ||
        !pool_has(p->pool, segments))
        return false;

    p->total_bytes += (uint32_t)n;
    p->segs = (uint16_t)(p->segs + segments);
    for (;;) {
        size_t part = MIN(n, pkt_tailroom(tail));
        if (part > 0)
            memcpy(tail->data + tail->len, at, part);
        tail->len += (uint32_t)part;
        at += part;
        n -= part;
        if (n == 0)
            return true;
        tail->next = pkt_alloc(p->pool);
        tail = tail->next;
    }
}

void pkt_trim(struct pkt *p, size_t n)
{
    struct pkt *seg = p;
    size_t left = n;

    if (n >= p->total_bytes)
        return;
    CHECK(!pkt_shared(p));
    p->total_bytes = (uint32_t)n;
    p->segs = 1;
    while (left > seg->len) {
        left -= seg->len;
        seg = seg->next;
        p->segs++;
    }
    seg->len = (uint32_t)left;
    if (seg->next) {
        struct pkt *rest = seg->next;
        seg->next = NULL;
        /* Only a head's refs count, and this segment may never have been one since it was
         * allocated. */
        rest->refs = 1;
        pkt_free(rest);
    }
}

struct pkt *pkt_clone(const struct pkt *p)
{
    struct pkt *head = NULL, **link = &head;

    if (!pool_has(p->pool, p->segs))
        return NULL;
    for (const struct pkt *seg = p; seg; seg = seg->next) {
        struct pkt *copy = pkt_alloc(p->pool);
        copy->data = (uint8_t *)copy + (seg->data - (const uint8_t *)seg);
        copy->len = seg->len;
        memcpy(copy->data, seg->data, seg->len);
        *link = copy;
        link = &copy->next;
    }
    head->total_bytes = p->total_bytes;
    head->segs = p->segs;
    head->port = p->port;
    head->flags = p->flags;
    head->gso_type = p->gso_type;
    head->gso_ecn = p->gso_ecn;
    head->gso_size = p->gso_size;
    head->hdr_len = p->hdr_len;
    head->csum_start = p->csum_start;
    head->csum_offset = p->csum_offset;
    return head;
}
