/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The index behind every large table: hash -> 32-bit references, in cache-line buckets of eight
 * 16-bit tags and eight references, two candidate buckets a key, bounded displacement, and a small
 * stash. Never rehashes.
 *
 * The index stores no keys: a lookup yields candidates whose tag matches, and the caller compares
 * the full key. The upper bits of the hash choose the home bucket and the lower sixteen are the
 * tag; the other bucket follows from either bucket and the tag alone, so entries can be moved
 * without their keys.
 *
 * An entry lives at home if there is room, else in its other bucket, else in the stash. Every
 * bucket counts the entries that are homed in it but live elsewhere; while that is zero, which is
 * so for four buckets in five at full load, a lookup is over after one cache line.
 *
 * Invariants: a bucket's away is the number of its entries that are not in it; bit i of its guests
 * is set exactly if way i is taken by an entry whose home is the other bucket.
 */
#ifndef NET_INDEX_H
#define NET_INDEX_H

#include "base.h"

#define INDEX_WAYS             8
#define INDEX_STASH            16
#define INDEX_MAX_LOAD_PERCENT 75

struct index_bucket {
    uint16_t tag[INDEX_WAYS]; /* 0 = empty */
    uint32_t ref[INDEX_WAYS];
    uint32_t away;
    uint8_t guests; /* bit i: way i */
    uint8_t spare[11];
} __attribute__((aligned(CACHE_LINE_BYTES)));
static_assert(sizeof(struct index_bucket) == CACHE_LINE_BYTES, "a bucket is a cache line");

struct index {
    struct index_bucket *buckets;
    uint32_t bucket_count; /* not a power of two: memory is what the capacity needs */
    uint32_t used;         /* references in it, stash included */
    uint32_t stash_used;
    uint32_t stash_hash[INDEX_STASH];
    uint32_t stash_ref[INDEX_STASH];
};

/* Room for capacity references at no more than INDEX_MAX_LOAD_PERCENT load. -ENOMEM. */
int index_init(struct index *ix, uint32_t capacity, alloc_fn alloc);
size_t index_bytes(uint32_t capacity);

/* Adds a reference under hash; duplicates are the caller's business. -ENOSPC if displacement and
 * stash fail, which keys with unpredictable hashes do not reach within the capacity. ref must not
 * be INDEX_END. */
int index_insert(struct index *ix, uint32_t hash, uint32_t ref);
/* The same under two hashes, or, on -ENOSPC, under neither. */
int index_insert_both(struct index *ix, uint32_t hash, uint32_t hash_too, uint32_t ref);

/* Removes exactly this pair; false if it is not there. */
bool index_remove(struct index *ix, uint32_t hash, uint32_t ref);

/* Lookup, inline for speed; the index must not change meanwhile:
 *     struct index_cursor c;
 *     for (uint32_t ref = index_first(ix, hash, &c); ref != INDEX_END; ref = index_next(ix, &c))
 *         if (the object ref has the key) ...
 */
#define INDEX_END UINT32_MAX
#include "net/index_lookup.h"

#endif
