/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/index.c: filled to its declared capacity and churned there, compared with a plain array of
 * what should be in it; its invariants recounted; hostile hashes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/hash.h"
#include "net/index.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"

#include <stdlib.h>

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

static bool has(const struct index *ix, uint32_t hash, uint32_t wanted)
{
    struct index_cursor c;
    for (uint32_t ref = index_first(ix, hash, &c); ref != INDEX_END; ref = index_next(ix, &c)) {
        if (ref == wanted) {
            assert_true(index_may_have(ix, hash));
            return true;
        }
    }
    return false;
}

/* Recounts used, away and guests from the tags. */
static void assert_invariants(const struct index *ix)
{
    uint32_t *away = calloc(ix->bucket_count, sizeof(*away));
    uint32_t used = ix->stash_used;

    for (uint32_t b = 0; b < ix->bucket_count; b++) {
        for (unsigned way = 0; way < INDEX_WAYS; way++) {
            const struct index_bucket *bucket = &ix->buckets[b];
            bool guest = bucket->guests >> way & 1;
            if (bucket->tag[way] == 0) {
                assert_false(guest);
                continue;
            }
            used++;
            uint32_t other = index_other(ix, b, bucket->tag[way]);
            assert_true(other < ix->bucket_count);
            assert_int_equal(index_other(ix, other, bucket->tag[way]), b);
            if (guest)
                away[other]++;
        }
    }
    for (uint32_t i = 0; i < ix->stash_used; i++)
        away[index_home(ix, ix->stash_hash[i])]++;
    assert_int_equal(used, ix->used);
    for (uint32_t b = 0; b < ix->bucket_count; b++)
        assert_int_equal(away[b], ix->buckets[b].away);
    free(away);
}

/* Fills to capacity, then removes and adds at random; everything is found all the time. */
static void fill_and_churn(uint32_t capacity, unsigned churn)
{
    struct index ix;
    uint32_t *hash = malloc(capacity * sizeof(*hash));

    assert_int_equal(index_init(&ix, capacity, fake_alloc), 0);
    assert_int_equal(index_bytes(capacity), fake_alloc_bytes);
    for (uint32_t i = 0; i < capacity; i++) {
        hash[i] = rnd(UINT32_MAX);
        assert_int_equal(index_insert(&ix, hash[i], i), 0);
    }
    assert_int_equal(ix.used, capacity);
    assert_invariants(&ix);
    for (unsigned n = 0; n < churn; n++) {
        uint32_t i = rnd(capacity);
        assert_true(has(&ix, hash[i], i));
        assert_true(index_remove(&ix, hash[i], i));
        assert_false(has(&ix, hash[i], i));
        assert_false(index_remove(&ix, hash[i], i));
        hash[i] = rnd(UINT32_MAX);
        assert_int_equal(index_insert(&ix, hash[i], i), 0);
    }
    assert_invariants(&ix);
    for (uint32_t i = 0; i < capacity; i++)
        assert_true(has(&ix, hash[i], i));
    for (uint32_t i = 0; i < capacity; i++)
        assert_true(index_remove(&ix, hash[i], i));
    assert_int_equal(ix.used, 0);
    assert_invariants(&ix);
    free(hash);
    fake_alloc_free_all();
}

static void test_capacities(void **state)
{
    (void)state;
    static const struct {
        uint32_t capacity;
        unsigned churn;
    } rows[] = {
        {1, 100},       {2, 100},         {3, 1000},          {7, 1000},
        {12, 1000},     {13, 1000},       {100, 10000},       {1000, 50000},
        {4097, 100000}, {100000, 200000}, {2000000, 1000000},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        fill_and_churn(rows[i].capacity, rows[i].churn);
}

/* At full load, almost every lookup must be over after one line: that is what its speed rests on;
 * and what is not there is mostly seen from that line. */
static void test_most_stay_home(void **state)
{
    (void)state;
    struct index ix;
    uint32_t capacity = 200000, overflowing = 0, guests = 0;

    assert_int_equal(index_init(&ix, capacity, fake_alloc), 0);
    for (uint32_t i = 0; i < capacity; i++)
        assert_int_equal(index_insert(&ix, rnd(UINT32_MAX), i), 0);
    for (uint32_t b = 0; b < ix.bucket_count; b++) {
        overflowing += ix.buckets[b].away > 0;
        guests += ix.buckets[b].away;
    }
    assert_int_equal(ix.stash_used, 0);
    assert_true(overflowing * 100 < ix.bucket_count * 25);
    assert_true(guests * 100 < capacity * 10);
    uint32_t doubtful = 0;
    for (uint32_t i = 0; i < capacity; i++)
        doubtful += index_may_have(&ix, rnd(UINT32_MAX));
    assert_true(doubtful * 100 < capacity * 25);
}

/* Equal hashes are the worst there is: two buckets and the stash hold them, the next is refused,
 * and nothing is lost; removing frees the stash first to last. */
static void test_equal_hashes(void **state)
{
    (void)state;
    struct index ix;
    uint32_t hash = 0x12345678, count = 0;

    assert_int_equal(index_init(&ix, 1000, fake_alloc), 0);
    while (index_insert(&ix, hash, count) == 0)
        count++;
    assert_int_equal(count, 2 * INDEX_WAYS + INDEX_STASH);
    assert_int_equal(index_insert(&ix, hash, count), -ENOSPC);
    assert_int_equal(ix.used, count);
    assert_int_equal(index_insert_both(&ix, ~hash, hash, 98), -ENOSPC);
    assert_int_equal(index_insert_both(&ix, hash, ~hash, 98), -ENOSPC);
    assert_int_equal(ix.used, count);
    assert_false(has(&ix, hash, 98) || has(&ix, ~hash, 98));
    assert_int_equal(index_insert_both(&ix, ~hash, 1 - hash, 98), 0);
    assert_true(has(&ix, ~hash, 98) && has(&ix, 1 - hash, 98));
    assert_true(index_remove(&ix, 1 - hash, 98) && index_remove(&ix, ~hash, 98));
    assert_int_equal(index_insert(&ix, ~hash, 99), 0);
    assert_true(has(&ix, ~hash, 99));
    assert_invariants(&ix);

    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = i; j < count; j++)
            assert_true(has(&ix, hash, j));
        assert_true(index_remove(&ix, hash, i));
        assert_invariants(&ix);
        if (i >= INDEX_STASH)
            assert_int_equal(ix.stash_used, 0);
    }
    assert_int_equal(ix.used, 1);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct index ix;

    fake_alloc_limit = index_bytes(1000) - 1;
    assert_int_equal(index_init(&ix, 1000, fake_alloc), -ENOMEM);
}

/* Sequential keys, as hosts and ports are, must spread like random ones. */
static void test_hash_spreads(void **state)
{
    (void)state;
    static uint32_t count[1024];
    struct hash_key key;
    uint8_t random[32];

    for (unsigned i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)rnd(256);
    hash_key_init(&key, random);
    for (unsigned low = 0; low < 2; low++) {
        memset(count, 0, sizeof(count));
        for (uint32_t i = 0; i < 1024 * 64; i++) {
            uint32_t h = hash_words(&key, 0x0A00000100000000ull + i, 17);
            count[low ? h % 1024 : h >> 22]++;
        }
        for (unsigned i = 0; i < 1024; i++)
            assert_in_range(count[i], 64 - 48, 64 + 48); /* six standard deviations */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_capacities, teardown),
        cmocka_unit_test_teardown(test_most_stay_home, teardown),
        cmocka_unit_test_teardown(test_equal_hashes, teardown),
        cmocka_unit_test_teardown(test_no_memory, teardown),
        cmocka_unit_test(test_hash_spreads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
