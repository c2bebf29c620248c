/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The half of net/index.h that changes the index.
 *
 * Insertion tries, in this order: the home bucket; the other bucket; moving one of the sixteen
 * entries in those two to its own other bucket; the stash. One step of displacement is enough: at
 * 75 percent load about one bucket in six is full, so all sixteen other buckets are full once in
 * 10^12. Entries that did land in the stash leave it as soon as a way they can use becomes free.
 */
#include "net/index.h"

static uint32_t buckets_for(uint32_t capacity)
{
    uint64_t ways =
        ((uint64_t)capacity * 100 + INDEX_MAX_LOAD_PERCENT - 1) / INDEX_MAX_LOAD_PERCENT;
    uint64_t buckets = (ways + INDEX_WAYS - 1) / INDEX_WAYS;
    return (uint32_t)MAX(buckets, 2u);
}

size_t index_bytes(uint32_t capacity)
{
    return (size_t)buckets_for(capacity) * sizeof(struct index_bucket);
}

int index_init(struct index *ix, uint32_t capacity, alloc_fn alloc)
{
    memset(ix, 0, sizeof(*ix));
    ix->bucket_count = buckets_for(capacity);
    ix->buckets = alloc(index_bytes(capacity), CACHE_LINE_BYTES);
    return ix->buckets ? 0 : -ENOMEM;
}

/* Puts the pair into a free way of the bucket. False if there is none. */
static inline bool bucket_put(struct index_bucket *b, uint16_t tag, uint32_t ref, bool guest)
{
    uint32_t empty = index_match(b, 0);
    if (empty == 0)
        return false;

    unsigned way = (unsigned)__builtin_ctz(empty);
    b->tag[way] = tag;
    b->ref[way] = ref;
    if (guest)
        b->guests |= (uint8_t)(1u << way);
    return true;
}

/* Makes room in bucket number at by moving one entry to its other bucket. */
static bool bucket_make_room(struct index *ix, uint32_t at)
{
    struct index_bucket *b = &ix->buckets[at];

    for (unsigned way = 0; way < INDEX_WAYS; way++) {
        uint16_t tag = b->tag[way];
        bool guest = b->guests >> way & 1;
        struct index_bucket *other = &ix->buckets[index_other(ix, at, tag)];
        if (other == b || !bucket_put(other, tag, b->ref[way], !guest))
            continue;
        if (guest)
            other->away--; /* it goes home */
        else
            b->away++;
        b->tag[way] = 0;
        b->guests &= (uint8_t) ~(1u << way);
        return true;
    }
    return false;
}

/* Into one of its two buckets, without moving others. */
static bool place(struct index *ix, uint32_t hash, uint32_t ref)
{
    uint16_t tag = index_tag(hash);
    uint32_t home = index_home(ix, hash);

    if (bucket_put(&ix->buckets[home], tag, ref, false))
        return true;
    uint32_t other = index_other(ix, home, tag);
    if (other == home || !bucket_put(&ix->buckets[other], tag, ref, true))
        return false;
    ix->buckets[home].away++;
    return true;
}

/* The rest of an insertion, where there is no way free at home. */
static __attribute__((noinline)) int insert_away(struct index *ix, uint32_t hash, uint32_t ref)
{
    uint32_t home = index_home(ix, hash), other = index_other(ix, home, index_tag(hash));
    bool placed = place(ix, hash, ref);

    if (!placed && (bucket_make_room(ix, home) || bucket_make_room(ix, other)))
        placed = place(ix, hash, ref);
    if (!placed) {
        if (ix->stash_used == INDEX_STASH)
            return -ENOSPC;
        ix->stash_hash[ix->stash_used] = hash;
        ix->stash_ref[ix->stash_used++] = ref;
        ix->buckets[home].away++;
    }
    ix->used++;
    return 0;
}

static inline int insert(struct index *ix, uint32_t hash, uint32_t ref)
{
    bool at_home = bucket_put(&ix->buckets[index_home(ix, hash)], index_tag(hash), ref, false);

    if (UNLIKELY(!at_home))
        return insert_away(ix, hash, ref);
    ix->used++;
    return 0;
}

int index_insert(struct index *ix, uint32_t hash, uint32_t ref)
{
    return insert(ix, hash, ref);
}

int index_insert_both(struct index *ix, uint32_t hash, uint32_t hash_too, uint32_t ref)
{
    int err = insert(ix, hash, ref);

    if (UNLIKELY(err))
        return err;
    err = insert(ix, hash_too, ref);
    if (UNLIKELY(err))
        index_remove(ix, hash, ref);
    return err;
}

static bool bucket_remove(struct index_bucket *b, uint16_t tag, uint32_t ref, bool guest)
{
    for (uint32_t m = index_match(b, tag); m != 0; m &= m - 1) {
        unsigned way = (unsigned)__builtin_ctz(m);
        if (b->ref[way] != ref || (b->guests >> way & 1) != guest)
            continue;
        b->tag[way] = 0;
        b->guests &= (uint8_t) ~(1u << way);
        return true;
    }
    return false;
}

static void stash_drop(struct index *ix, uint32_t i)
{
    uint32_t last = --ix->stash_used;
    ix->buckets[index_home(ix, ix->stash_hash[i])].away--;
    ix->stash_hash[i] = ix->stash_hash[last];
    ix->stash_ref[i] = ix->stash_ref[last];
}

static bool stash_remove(struct index *ix, uint32_t hash, uint32_t ref)
{
    for (uint32_t i = 0; i < ix->stash_used; i++) {
        if (ix->stash_hash[i] == hash && ix->stash_ref[i] == ref) {
            stash_drop(ix, i);
            return true;
        }
    }
    return false;
}

/* A way has become free: whoever in the stash can use it moves there. */
static void stash_settle(struct index *ix)
{
    for (uint32_t i = ix->stash_used; i-- > 0;) {
        if (place(ix, ix->stash_hash[i], ix->stash_ref[i]))
            stash_drop(ix, i);
    }
}

bool index_remove(struct index *ix, uint32_t hash, uint32_t ref)
{
    uint16_t tag = index_tag(hash);
    uint32_t home = index_home(ix, hash);
    struct index_bucket *b = &ix->buckets[home];

    if (!bucket_remove(b, tag, ref, false)) {
        if (b->away == 0)
            return false;
        if (bucket_remove(&ix->buckets[index_other(ix, home, tag)], tag, ref, true))
            b->away--;
        else if (!stash_remove(ix, hash, ref))
            return false;
    }
    ix->used--;
    if (UNLIKELY(ix->stash_used > 0))
        stash_settle(ix);
    return true;
}
