/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The inline half of net/index.h: where a hash lives, lookup, and prefetching. Private to index.h
 * and index.c but for the functions that index.h announces.
 *
 * All eight tags of a bucket are compared at once with SSE2, which every x86-64 has.
 */
#ifndef NET_INDEX_LOOKUP_H
#define NET_INDEX_LOOKUP_H

#include <emmintrin.h>

#include "net/index.h"

/* Zero marks an empty way, so a hash that ends in zeros borrows another's tag. */
static inline uint16_t index_tag(uint32_t hash)
{
    uint16_t tag = (uint16_t)hash;
    return (uint16_t)(tag + (tag == 0));
}

static inline uint32_t index_home(const struct index *ix, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * ix->bucket_count >> 32);
}

/* The bucket that an entry with this tag can live in besides this one. The two add up, modulo the
 * number of buckets, to a value of the tag's; so either one leads to the other. */
static inline uint32_t index_other(const struct index *ix, uint32_t bucket, uint16_t tag)
{
    uint32_t spread = tag * 0x9E3779B1u;
    uint32_t sum = (uint32_t)((uint64_t)spread * ix->bucket_count >> 32);
    return sum >= bucket ? sum - bucket : sum + ix->bucket_count - bucket;
}

/* One bit a way. */
static inline uint32_t index_match(const struct index_bucket *b, uint16_t tag)
{
    __m128i tags = _mm_load_si128((const __m128i *)(const void *)b->tag);
    __m128i same = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(same, _mm_setzero_si128()));
}

struct index_cursor {
    const struct index_bucket *bucket;
    uint32_t matches; /* of bucket, not yet yielded */
    uint32_t hash;
    uint32_t stage; /* 0: at home; 1: in the other bucket; 2 + i: stash, before entry i */
};

static inline uint32_t index_next(const struct index *ix, struct index_cursor *c)
{
    if (UNLIKELY(c->matches == 0)) {
        if (c->stage == 0) {
            if (LIKELY(c->bucket->away == 0))
                return INDEX_END;
            uint16_t tag = index_tag(c->hash);
            c->bucket = &ix->buckets[index_other(ix, index_home(ix, c->hash), tag)];
            c->matches = index_match(c->bucket, tag);
            c->stage = 1;
        }
        if (c->matches == 0) {
            if (c->stage == 1)
                c->stage = 2;
            while (c->stage - 2 < ix->stash_used) {
                uint32_t i = c->stage++ - 2;
                if (ix->stash_hash[i] == c->hash)
                    return ix->stash_ref[i];
            }
            return INDEX_END;
        }
    }
    uint32_t way = (uint32_t)__builtin_ctz(c->matches);
    c->matches &= c->matches - 1;
    return c->bucket->ref[way];
}

static inline uint32_t index_first(const struct index *ix, uint32_t hash, struct index_cursor *c)
{
    c->hash = hash;
    c->stage = 0;
    c->bucket = &ix->buckets[index_home(ix, hash)];
    c->matches = index_match(c->bucket, index_tag(hash));
    return index_next(ix, c);
}

/* False if there is nothing under this hash, which nearly always its home tells already. */
static inline bool index_may_have(const struct index *ix, uint32_t hash)
{
    const struct index_bucket *b = &ix->buckets[index_home(ix, hash)];
    return b->away != 0 || index_match(b, index_tag(hash)) != 0;
}

/* The line that a lookup of hash will touch first. */
static inline void index_prefetch(const struct index *ix, uint32_t hash)
{
    __builtin_prefetch(&ix->buckets[index_home(ix, hash)]);
}

/* True and a reference that a lookup of hash will probably yield, for prefetching what it names.
 * Looks at the home bucket only, so that it costs next to nothing when index_prefetch went before;
 * if the reference must be elsewhere, prefetches that bucket. */
static inline bool index_guess(const struct index *ix, uint32_t hash, uint32_t *ref)
{
    const struct index_bucket *b = &ix->buckets[index_home(ix, hash)];
    uint32_t matches = index_match(b, index_tag(hash));

    if (UNLIKELY(matches == 0)) {
        if (b->away != 0)
            __builtin_prefetch(
                &ix->buckets[index_other(ix, index_home(ix, hash), index_tag(hash))]);
        return false;
    }
    *ref = b->ref[__builtin_ctz(matches)];
    return true;
}

#endif
