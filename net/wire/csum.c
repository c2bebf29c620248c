/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The parts of net/wire/csum.h that are too long to be inline (RFC 1071).
 *
 * Ones' complement addition does not care how wide the words are that are added, as long as every
 * carry out of the top comes back in at the bottom; so eight bytes are added at a time, and the sum
 * is folded to 16 bits only at the end.
 */
#include "net/wire/csum.h"

/* Compilers make two instructions of this: add, and add with carry. */
static inline uint64_t add_carry(uint64_t sum, uint64_t v)
{
    sum += v;
    return sum + (sum < v);
}

uint32_t csum_add(uint32_t sum, const void *p, size_t n)
{
    const uint8_t *at = p;
    uint64_t s = sum;

    for (; n >= 32; n -= 32, at += 32) {
        s = add_carry(s, load_raw64(at));
        s = add_carry(s, load_raw64(at + 8));
        s = add_carry(s, load_raw64(at + 16));
        s = add_carry(s, load_raw64(at + 24));
    }
    for (; n >= 8; n -= 8, at += 8)
        s = add_carry(s, load_raw64(at));

    uint64_t rest = 0; /* at most seven bytes, which cannot carry out of 64 bits */
    if (n & 4) {
        rest += load_raw32(at);
        at += 4;
    }
    if (n & 2) {
        rest += load_raw16(at);
        at += 2;
    }
    if (n & 1)
        rest += *at; /* the missing second byte counts as zero */
    s = add_carry(s, rest);

    /* Folded to 17 bits, so that callers may add thousands of results without a carry lost. */
    s = (s & 0xFFFFFFFFu) + (s >> 32);
    s = (s & 0xFFFFu) + (s >> 16 & 0xFFFFu) + (s >> 32);
    return (uint32_t)s;
}

uint32_t csum_pkt(const struct pkt *p, size_t offset, size_t n)
{
    uint32_t sum = 0;
    bool odd = false; /* an odd number of bytes was summed before this segment */

    CHECK(offset <= p->total_bytes && n <= p->total_bytes - offset);
    for (; n > 0; p = p->next) {
        if (offset >= p->len) {
            offset -= p->len;
            continue;
        }
        size_t part = MIN(n, p->len - offset);
        uint16_t s = csum_fold(csum_add(0, p->data + offset, part));
        /* After an odd number of bytes every byte stands in the other half of its word. */
        sum += odd ? swap16(s) : s;
        odd ^= part & 1;
        n -= part;
        offset = 0;
    }
    return sum;
}
