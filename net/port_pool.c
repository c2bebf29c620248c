/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Outside ports; see net/port_pool.h.
 *
 * A random port is looked for in two ways. A few random probes, which nearly always hit in a pool
 * that is not crowded and give every free port the same chance; then a walk from a random place
 * over the bitmap, which finds the last free port with at most 16 summary words looked at. (In a
 * crowded pool the walk favours ports behind long taken stretches: RFC 6056 accepts that of its
 * algorithm 1.)
 */
#include "net/port_pool.h"
#include "check.h"

#define PROBES     8
#define WORDS      1024u
#define FIRST_WORD (PORT_POOL_FIRST / 64)

enum parity { EVEN, ODD };
static const uint64_t parity_mask[2] = {0x5555555555555555ull, 0xAAAAAAAAAAAAAAAAull};

/* ---- randomness ---- */

/* SipHash-2-4 (Aumasson and Bernstein, 2012) of one 8-byte word: who does not know the key learns
 * nothing about the next value from all earlier ones. */
static uint64_t keyed_random(struct port_pool *pool)
{
#define ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))
    uint64_t v0 = pool->key[0] ^ 0x736f6d6570736575ull, v1 = pool->key[1] ^ 0x646f72616e646f6dull;
    uint64_t v2 = pool->key[0] ^ 0x6c7967656e657261ull, v3 = pool->key[1] ^ 0x7465646279746573ull;
    const uint64_t words[2] = {pool->counter++, 8ull << 56};

    for (unsigned i = 0; i < 8; i++) {
        if (i < 4 && i % 2 == 0)
            v3 ^= words[i / 2];
        if (i == 4)
            v2 ^= 0xFF;
        v0 += v1;
        v2 += v3;
        v1 = ROTL(v1, 13) ^ v0;
        v3 = ROTL(v3, 16) ^ v2;
        v0 = ROTL(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = ROTL(v1, 17) ^ v2;
        v3 = ROTL(v3, 21) ^ v0;
        v2 = ROTL(v2, 32);
        if (i < 4 && i % 2 == 1)
            v0 ^= words[i / 2];
    }
    return v0 ^ v1 ^ v2 ^ v3;
#undef ROTL
}

/* 0..limit-1, for small limits: the bias is below limit / 2^32. */
static uint32_t random_below(struct port_pool *pool, uint32_t limit)
{
    return (uint32_t)((keyed_random(pool) & 0xFFFFFFFFu) * limit >> 32);
}

/* ---- the bitmap ---- */

static uint16_t take(struct port_pool *pool, uint32_t port)
{
    uint32_t word = port / 64, parity = port % 2;

    pool->taken[word] |= 1ull << port % 64;
    pool->free_count--;
    pool->free_low -= port < PORT_POOL_FIRST;
    if (UNLIKELY((pool->taken[word] & parity_mask[parity]) == parity_mask[parity]))
        pool->full[parity][word / 64] |= 1ull << word % 64;
    return (uint16_t)port;
}

void port_pool_reseed(struct port_pool *pool, const uint64_t seed[2])
{
    pool->key[0] = seed[0];
    pool->key[1] = seed[1];
}

void port_pool_init(struct port_pool *pool, const uint64_t seed[2])
{
    memset(pool, 0, sizeof(*pool));
    port_pool_reseed(pool, seed);
    pool->taken[0] = 1;
    pool->free_count = 65535;
    pool->free_low = PORT_POOL_FIRST - 1;
}

bool port_pool_take_exact(struct port_pool *pool, uint16_t port)
{
    if (port_pool_is_taken(pool, port))
        return false;
    take(pool, port);
    return true;
}

void port_pool_release(struct port_pool *pool, uint16_t port)
{
    uint32_t word = port / 64u;

    CHECK(port != 0 && port_pool_is_taken(pool, port));
    pool->taken[word] &= ~(1ull << port % 64);
    pool->free_count++;
    pool->free_low += port < PORT_POOL_FIRST;
    pool->full[port % 2][word / 64] &= ~(1ull << word % 64);
}

/* The first word of from..to-1 that has a free port of this parity, or to. */
static unsigned find_word(const struct port_pool *pool, unsigned from, unsigned to,
                          enum parity parity)
{
    while (from < to) {
        uint64_t open = ~pool->full[parity][from / 64] & ~0ull << from % 64;
        if (open != 0)
            return MIN((from & ~63u) + (unsigned)__builtin_ctzll(open), to);
        from = (from & ~63u) + 64;
    }
    return to;
}

/* A free port of this parity in words first..end-1, taken, or 0. */
static uint16_t take_near_random(struct port_pool *pool, unsigned first, unsigned end,
                                 enum parity parity)
{
    uint32_t port = 0;

    for (unsigned i = 0; i < PROBES; i++) {
        port = first * 64 + (random_below(pool, (end - first) * 64) & ~1u) + parity;
        if (!port_pool_is_taken(pool, (uint16_t)port))
            return take(pool, port);
    }

    /* From the last probe's port to the end of its word; the words after it; from the beginning. */
    uint64_t open = ~pool->taken[port / 64] & parity_mask[parity] & ~0ull << port % 64;
    unsigned word = port / 64;
    if (open == 0) {
        word = find_word(pool, port / 64 + 1, end, parity);
        if (word == end)
            word = find_word(pool, first, end, parity);
        if (word == end)
            return 0;
        open = ~pool->taken[word] & parity_mask[parity];
    }
    return take(pool, word * 64 + (unsigned)__builtin_ctzll(open));
}

static uint16_t take_in_range(struct port_pool *pool, unsigned first, unsigned end,
                              enum parity parity)
{
    uint16_t port = take_near_random(pool, first, end, parity);
    return port != 0 ? port : take_near_random(pool, first, end, parity == EVEN ? ODD : EVEN);
}

uint16_t port_pool_take(struct port_pool *pool, uint16_t wanted)
{
    enum parity parity = wanted & 1 ? ODD : EVEN;

    if (LIKELY(!port_pool_is_taken(pool, wanted)))
        return take(pool, wanted);
    if (port_pool_is_low(wanted)) {
        uint16_t port = take_in_range(pool, 0, FIRST_WORD, parity);
        if (port != 0)
            return port;
    }
    return take_in_range(pool, FIRST_WORD, WORDS, parity);
}

uint16_t port_pool_take_random(struct port_pool *pool)
{
    return take_in_range(pool, FIRST_WORD, WORDS, keyed_random(pool) & 1 ? ODD : EVEN);
}
