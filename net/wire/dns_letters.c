/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The case of a name's letters; see dns_letters.h. Eight bytes at a time, as every question that is
 * sent on passes here a few times. Lengths of labels are below 'A'.
 */
#include "net/wire/dns_letters.h"

#define EACH(byte) ((byte)*0x0101010101010101ull)
#define CASE       0x20u /* the bit that tells small letters from capitals */

/* CASE in every byte that is a letter. No sum leaves its byte. */
static uint64_t letters_of(uint64_t word)
{
    uint64_t small = (word | EACH(CASE)) & EACH(0x7Full);
    uint64_t from_a = small + EACH(0x80ull - 'a'), behind_z = small + EACH(0x7Full - 'z');

    return ((from_a ^ behind_z) & ~word & EACH(0x80ull)) >> 2;
}

/* CASE in byte i if bit i is set. */
static uint64_t spread(uint8_t bits)
{
    uint64_t own = EACH((uint64_t)bits) & 0x8040201008040201ull; /* byte i has bit i, or nothing */

    return ((own + EACH(0x7Full)) | own) >> 2 & EACH(CASE);
}

/* The reverse. */
static uint8_t gather(uint64_t cases)
{
    return (uint8_t)(((cases >> 5) * 0x0102040810204080ull) >> 56);
}

static uint64_t load_some(const uint8_t *p, size_t n)
{
    uint64_t word = 0;

    memcpy(&word, p, n);
    return word;
}

void dns_letters_read(struct dns_letters *l, const uint8_t *name, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = n - i < 8 ? load_some(name + i, n - i) : load_raw64(name + i);
        l->capital[i / 8] = gather(letters_of(word) & ~word);
    }
}

void dns_letters_write(const struct dns_letters *l, uint8_t *name, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word = n - i < 8 ? load_some(name + i, n - i) : load_raw64(name + i);
        uint64_t letters = letters_of(word);
        word = (word | letters) & ~(letters & spread(l->capital[i / 8]));
        memcpy(name + i, &word, MIN(n - i, 8u));
    }
}

void dns_letters_small(uint8_t to[static DNS_QUESTION_ROOM], const uint8_t *question, size_t n)
{
    size_t name = n - 4, last = (n - 1) / 8 * 8;

    memset(to + last, 0, 8);
    memcpy(to, question, n);
    for (size_t i = 0; i < name; i += 8) {
        uint64_t word = load_raw64(to + i);
        word |= letters_of(word);
        memcpy(to + i, &word, 8);
    }
    memcpy(to + name, question + name, 4); /* type and class are no letters */
}

bool dns_letters_same(const uint8_t *a, const uint8_t *b, size_t n)
{
    size_t name = n - 4; /* type and class are no letters */

    for (size_t i = 0; i < name; i += 8) {
        size_t part = MIN(name - i, 8u);
        uint64_t x = load_some(a + i, part), y = load_some(b + i, part);
        if ((x | letters_of(x)) != (y | letters_of(y)))
            return false;
    }
    return memcmp(a + name, b + name, 4) == 0;
}
