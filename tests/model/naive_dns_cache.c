/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The naive answer cache; see naive_dns_cache.h. Its messages are those of the test: well formed,
 * with names that are a pointer or labels, and an OPT, if any, at the end.
 */
#include "tests/model/naive_dns_cache.h"

#include <ctype.h>

static unsigned get16(const uint8_t *p)
{
    return p[0] * 256u + p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) * 65536u + get16(p + 2);
}

static size_t skip_name(const uint8_t *m, size_t at)
{
    while (m[at] != 0 && m[at] < 192)
        at += m[at] + 1u;
    return m[at] == 0 ? at + 1 : at + 2;
}

static uint32_t hold(const struct naive_dns_answer *a, size_t head)
{
    const uint8_t *m = a->bytes;
    unsigned rcode = m[3] & 15, answers = get16(m + 6), authorities = get16(m + 8);
    unsigned records = answers + authorities + get16(m + 10), asked = get16(m + head - 4);
    uint32_t least = 0x7FFFFFFF, soa = 0x7FFFFFFF;
    bool has_soa = false, has_answer = false;
    size_t at = head;

    for (unsigned i = 0; i < records; i++) {
        at = skip_name(m, at);
        unsigned type = get16(m + at), bytes = get16(m + at + 8);
        uint32_t ttl = get32(m + at + 4);
        if (ttl >= 0x80000000u)
            ttl = 0;
        if (type != 41 && ttl < least)
            least = ttl;
        if (i < answers && type == asked)
            has_answer = true;
        if (i >= answers && i < answers + authorities && type == 6) {
            has_soa = true;
            soa = get32(m + at + 10 + bytes - 4);
        }
        at += 10 + bytes;
    }
    if (m[2] & 2)
        return 0;
    if (rcode == 2)
        return 2;
    if (rcode == 0 && has_answer)
        return least > 86400 ? 86400 : least;
    if ((rcode != 0 && rcode != 3) || !has_soa)
        return 0;
    if (soa > least)
        soa = least;
    return soa > 3600 ? 3600 : soa;
}

void naive_dns_cache_keep(struct naive_dns_cache *c, const uint8_t *bytes, size_t n, size_t head,
                          unsigned flags, uint32_t now_s)
{
    struct naive_dns_answer *a = &c->answers[c->count];

    memcpy(a->bytes, bytes, n);
    a->n = n;
    a->flags = flags;
    a->now_s = now_s;
    a->ttl_s = hold(a, head);
    c->count += a->ttl_s > 0;
}

static bool same_question(const uint8_t *a, const uint8_t *b, size_t head)
{
    for (size_t i = 12; i < head; i++)
        if (i < head - 4 ? tolower(a[i]) != tolower(b[i]) : a[i] != b[i])
            return false;
    return true;
}

size_t naive_dns_cache_find(const struct naive_dns_cache *c, const uint8_t *message, size_t head,
                            unsigned flags, uint8_t *to, uint32_t now_s)
{
    const struct naive_dns_answer *a = NULL;
    size_t at = head;

    for (unsigned i = c->count; i > 0 && !a; i--)
        if (c->answers[i - 1].flags == flags &&
            same_question(c->answers[i - 1].bytes, message, head))
            a = &c->answers[i - 1];
    if (!a || now_s - a->now_s >= a->ttl_s)
        return 0;
    memcpy(to, a->bytes, a->n);
    while (at < a->n) {
        size_t record = at;
        at = skip_name(to, at);
        if (get16(to + at) == 41) { /* goes, and is the last */
            to[11]--;
            return record;
        }
        uint32_t ttl = get32(to + at + 4), passed = now_s - a->now_s;
        ttl = ttl >= passed ? ttl - passed : 0;
        if (ttl > a->ttl_s - passed)
            ttl = a->ttl_s - passed;
        for (unsigned i = 0; i < 4; i++)
            to[at + 4 + i] = (uint8_t)(ttl >> (24 - 8 * i));
        at += 10 + get16(to + at + 8);
    }
    return a->n;
}
