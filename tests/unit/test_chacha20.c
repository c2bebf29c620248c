/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernel/chacha20.c by the vectors of RFC 8439 (2.3.2 and A.1), and kernel/random.c by what it
 * promises.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include "kernel/random.h"

static void from_hex(uint8_t *to, const char *hex)
{
    for (; hex[0] && hex[1]; hex += 2) {
        char pair[3] = {hex[0], hex[1], 0};
        *to++ = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static void vectors_hold(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint32_t counter;
        const char *nonce, *block;
    } rows[] = {
        /* 2.3.2 */
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 1,
         "000000090000004a00000000",
         "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
         "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"},
        /* A.1, 1 and 2 */
        {"0000000000000000000000000000000000000000000000000000000000000000", 0,
         "000000000000000000000000",
         "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
         "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
        {"0000000000000000000000000000000000000000000000000000000000000000", 1,
         "000000000000000000000000",
         "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
         "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t key[CHACHA20_KEY_BYTES], nonce[CHACHA20_NONCE_BYTES];
        uint8_t want[CHACHA20_BLOCK_BYTES], got[CHACHA20_BLOCK_BYTES];
        from_hex(key, rows[i].key);
        from_hex(nonce, rows[i].nonce);
        from_hex(want, rows[i].block);
        chacha20_block(got, key, rows[i].counter, nonce);
        assert_memory_equal(got, want, sizeof(want));
    }
}

static bool contains(const void *where, size_t n, const uint8_t *what, size_t length)
{
    for (size_t i = 0; i + length <= n; i++)
        if (memcmp((const uint8_t *)where + i, what, length) == 0)
            return true;
    return false;
}

/* The same bytes in any portions; and what was given out is nowhere in the state any more. */
static void portions_and_erasure(void **state)
{
    (void)state;
    static const uint8_t seed[] = "seed";
    struct random a = {0}, b = {0};
    random_mix(&a, seed, sizeof(seed));
    random_mix(&b, seed, sizeof(seed));
    uint8_t whole[3000], parts[3000];
    random_fill(&a, whole, sizeof(whole));
    for (size_t at = 0, n = 1; at < sizeof(parts); at += n, n = n % 97 + 1) {
        n = MIN(n, sizeof(parts) - at);
        random_fill(&b, parts + at, n);
    }
    assert_memory_equal(whole, parts, sizeof(whole));
    for (size_t at = 0; at + 8 <= sizeof(whole); at += 8)
        assert_false(contains(&a, sizeof(a), whole + at, 8));
}

static void every_input_counts(void **state)
{
    (void)state;
    uint8_t input[100] = {0};
    uint8_t base[32], other[32];
    struct random r = {0};
    random_mix(&r, input, sizeof(input));
    random_fill(&r, base, sizeof(base));
    for (unsigned bit = 0; bit < sizeof(input) * 8; bit++) {
        input[bit / 8] ^= (uint8_t)(1u << bit % 8);
        r = (struct random){0};
        random_mix(&r, input, sizeof(input));
        random_fill(&r, other, sizeof(other));
        assert_memory_not_equal(base, other, sizeof(base));
        input[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    /* One zero byte less is another input too. */
    r = (struct random){0};
    random_mix(&r, input, sizeof(input) - 1);
    random_fill(&r, other, sizeof(other));
    assert_memory_not_equal(base, other, sizeof(base));
}

/* What is stirred in late counts at once, not only after the pool is used up. */
static void late_input_counts_at_once(void **state)
{
    (void)state;
    struct random a = {0}, b;
    uint8_t x[16], y[16];
    random_fill(&a, x, sizeof(x));
    b = a;
    random_mix(&b, "late", 4);
    random_fill(&a, x, sizeof(x));
    random_fill(&b, y, sizeof(y));
    assert_memory_not_equal(x, y, sizeof(x));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_hold),
        cmocka_unit_test(portions_and_erasure),
        cmocka_unit_test(every_input_counts),
        cmocka_unit_test(late_input_counts_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
