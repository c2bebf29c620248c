/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See frame_build.h. Offsets are spelled out as numbers here on purpose: a wrong constant in
 * net/wire/ must not go unnoticed because the tests use it as well.
 */
#include "tests/fake/frame_build.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

static void put16(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static size_t get16(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

uint16_t frame_naive_sum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
        if (sum > 0xFFFF)
            sum -= 0xFFFF;
    }
    return (uint16_t)sum;
}

static uint16_t add(uint16_t a, uint16_t b)
{
    uint32_t sum = (uint32_t)a + b;
    return (uint16_t)(sum > 0xFFFF ? sum - 0xFFFF : sum);
}

static uint8_t proto_of(const uint8_t *ip, bool ip6)
{
    return ip6 ? ip[6] : ip[9];
}

static uint16_t pseudo(const uint8_t *ip, bool ip6, size_t bytes)
{
    uint16_t sum = ip6 ? frame_naive_sum(ip + 8, 32) : frame_naive_sum(ip + 12, 8);
    return add(add(sum, proto_of(ip, ip6)), (uint16_t)bytes);
}

static size_t csum_field(uint8_t proto)
{
    return proto == 6 ? 16 : proto == 17 ? 6 : 2;
}

void frame_add_tags(struct frame *f, const uint32_t *tags, unsigned n)
{
    memmove(f->b + 12 + 4 * n, f->b + 12, f->n - 12);
    for (unsigned i = 0; i < n; i++) {
        store_be16(f->b + 12 + 4 * i, tags[i] & FRAME_QINQ ? 0x88A8 : 0x8100);
        store_be16(f->b + 14 + 4 * i, (uint16_t)tags[i]);
    }
    f->n += 4 * n;
    f->l3 += 4 * n;
    f->l4 += 4 * n;
    f->payload += 4 * n;
}

void frame_fix_lengths(struct frame *f)
{
    uint8_t *ip = f->b + f->l3;

    if (f->ip6)
        put16(ip + 4, f->n - f->l3 - 40);
    else
        put16(ip + 2, f->n - f->l3);
    if (proto_of(ip, f->ip6) == 17)
        put16(f->b + f->l4 + 4, f->n - f->l4);
}

void frame_fix_ip_csum(struct frame *f)
{
    uint8_t *ip = f->b + f->l3;
    size_t bytes = (ip[0] & 15u) * 4u;

    if (f->ip6 || f->l3 + 20 > f->n)
        return;
    if (bytes > f->n - f->l3)
        bytes = f->n - f->l3;
    put16(ip + 10, 0);
    put16(ip + 10, (uint16_t)~frame_naive_sum(ip, bytes));
}

void frame_fix_l4_csum(struct frame *f)
{
    uint8_t proto = proto_of(f->b + f->l3, f->ip6);
    uint8_t *field = f->b + f->l4 + csum_field(proto);
    size_t bytes = f->n - f->l4;

    put16(field, 0);
    uint16_t sum = frame_naive_sum(f->b + f->l4, bytes);
    if (proto != 1)
        sum = add(sum, pseudo(f->b + f->l3, f->ip6, bytes));
    put16(field, proto == 17 && sum == 0xFFFF ? 0xFFFF : (uint16_t)~sum);
}

void frame_partial_csum(struct frame *f)
{
    uint8_t proto = proto_of(f->b + f->l3, f->ip6);
    put16(f->b + f->l4 + csum_field(proto), pseudo(f->b + f->l3, f->ip6, f->n - f->l4));
}

static void make_l3(struct frame *f, const struct frame_plan *plan)
{
    static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    static const uint8_t addresses[8] = {192, 168, 8, 5, 203, 0, 113, 9};

    memcpy(f->b, macs, sizeof(macs));
    f->n = 12;
    for (unsigned i = 0; i < plan->vlan_tags; i++, f->n += 4) {
        put16(f->b + f->n, i + 1 < plan->vlan_tags ? 0x88A8 : 0x8100);
        put16(f->b + f->n + 2, 100 + i);
    }
    put16(f->b + f->n, plan->ip6 ? 0x86DD : 0x0800);
    f->n += 2;
    f->l3 = f->n;
    uint8_t *ip = f->b + f->n;
    if (plan->ip6) {
        ip[0] = 0x60;
        ip[6] = plan->proto;
        ip[7] = 64;
        for (unsigned i = 0; i < 32; i++)
            ip[8 + i] = (uint8_t)(i % 16 == 0 ? 0xFD : i * 7);
        f->n += 40;
        return;
    }
    ip[0] = (uint8_t)(0x45 + plan->ip_option_bytes / 4);
    put16(ip + 4, 0xFFFE);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = plan->proto;
    memcpy(ip + 12, addresses, sizeof(addresses));
    if (plan->ip_option_bytes > 0)
        memcpy(ip + 20, plan->ip_options, plan->ip_option_bytes);
    f->n += 20 + plan->ip_option_bytes;
}

void frame_make(struct frame *f, const struct frame_plan *plan)
{
    memset(f->b, 0, 256);
    f->ip6 = plan->ip6;
    make_l3(f, plan);
    f->l4 = f->n;
    uint8_t *l4 = f->b + f->l4;
    switch (plan->proto) {
    case 6:
        put16(l4, 40000);
        put16(l4 + 2, 443);
        put16(l4 + 4, 0xFFFF); /* the sequence number will wrap */
        /* A connection on which nothing is ever sent but its SYNs: all else is next to them. */
        put16(l4 + 6, plan->tcp_flags & 2 ? 0xFE00 : 0xFE01);
        put16(l4 + 8, 0xFFFF);
        put16(l4 + 10, 0xFE01);
        l4[12] = (uint8_t)((5 + plan->tcp_option_bytes / 4) << 4);
        l4[13] = plan->tcp_flags;
        put16(l4 + 14, 1000);
        if (plan->tcp_option_bytes > 0)
            memcpy(l4 + 20, plan->tcp_options, plan->tcp_option_bytes);
        f->n += 20 + plan->tcp_option_bytes;
        break;
    case 17:
        put16(l4, 5353);
        put16(l4 + 2, 53);
        f->n += 8;
        break;
    case 1:
        l4[0] = 8;
        put16(l4 + 4, 0xBEEF);
        put16(l4 + 6, 7);
        f->n += 8;
        break;
    default:
        break;
    }
    f->payload = f->n;
    for (size_t i = 0; i < plan->payload_bytes; i++)
        f->b[f->n++] = (uint8_t)(i * 31 + (i >> 8) * 17 + 5);
    frame_fix_lengths(f);
    frame_fix_ip_csum(f);
    if (plan->proto == 6 || plan->proto == 17 || plan->proto == 1)
        frame_fix_l4_csum(f);
}

bool frame_sums_right(const uint8_t *b, size_t n, size_t l3, bool ip6)
{
    const uint8_t *ip = b + l3;
    size_t hdr = ip6 ? 40 : (ip[0] & 15u) * 4u;
    size_t bytes = n - l3 - hdr;
    uint8_t proto = proto_of(ip, ip6);

    if (ip6 ? get16(ip + 4) != bytes : get16(ip + 2) != n - l3)
        return false;
    if (!ip6 && frame_naive_sum(ip, hdr) != 0xFFFF)
        return false;
    if (proto != 1 && proto != 6 && proto != 17)
        return true;
    if (proto == 17 && get16(ip + hdr + 6) == 0)
        return false;
    uint16_t sum = frame_naive_sum(ip + hdr, bytes);
    if (proto != 1)
        sum = add(sum, pseudo(ip, ip6, bytes));
    return sum == 0xFFFF;
}

struct pkt *frame_pkt(struct pkt_pool *pool, const uint8_t *b, size_t n, size_t head_bytes,
                      size_t seg_max, uint32_t (*rnd)(uint32_t below))
{
    struct pkt *head = NULL, **link = &head;
    size_t at = 0;
    unsigned segs = 0;

    do {
        struct pkt *s = pkt_alloc(pool);
        if (!s) {
            frame_unpoison(pool);
            if (head)
                pkt_free(head); /* the whole chain */
            return NULL;
        }
        size_t part = segs == 0 ? head_bytes : 1 + rnd((uint32_t)seg_max);
        part = MIN(part, MIN(n - at, (size_t)PKT_DATA_BYTES));
        ASAN_UNPOISON_MEMORY_REGION(s, PKT_BUF_BYTES);
        memcpy(s->data, b + at, part);
        s->len = (uint32_t)part;
        uint8_t *end = s->data + part;
        ASAN_POISON_MEMORY_REGION(end, (size_t)((uint8_t *)s + PKT_BUF_BYTES - end));
        at += part;
        segs++;
        *link = s;
        link = &s->next;
    } while (at < n);
    head->segs = (uint16_t)segs;
    head->total_bytes = (uint32_t)n;
    head->port = 3;
    return head;
}

size_t frame_flatten(const struct pkt *p, uint8_t *to)
{
    size_t n = 0;

    for (const struct pkt *s = p; s; s = s->next) {
        memcpy(to + n, s->data, s->len);
        n += s->len;
    }
    CHECK(n == p->total_bytes);
    return n;
}

void frame_unpoison(struct pkt_pool *pool)
{
    ASAN_UNPOISON_MEMORY_REGION(pool->memory, (size_t)pool->count * PKT_BUF_BYTES);
}
