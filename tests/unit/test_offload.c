/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/offload.c and offload_cut.c: what is refused, row by row; and random super-packets, cut and
 * put together again by the simplest code that can, with every sum recomputed a byte at a time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/offload.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"

#define POOL_COUNT 420

static struct pkt_pool pool;
static struct frame f;
static int setup(void **state)
{
    (void)state;
    fake_pool_start(&pool, POOL_COUNT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return fake_pool_stop(&pool);
}

/* ---- offload_check ---- */

enum kind { TCP4, TCP6, UDP4, UDP6, ICMP4, GRE4 };

struct check_row {
    int id;
    bool ok;
    enum kind kind;
    size_t payload;
    uint16_t gso_size;
    uint8_t gso_type;
    bool no_csum;      /* without PKT_NEEDS_CSUM */
    int start, offset; /* errors in csum_start and csum_offset */
    uint8_t tags;
    size_t options; /* bytes of IP options */
    struct {
        int at; /* 0 = none; from the IP header + 1; 1000 + n from the transport header */
        uint8_t value;
    } patch[3];
    size_t head; /* 0 = all */
    size_t pad;
    bool bad_ip_csum;
    bool stays_gso;
};
#define L3(n) ((n) + 1)
#define L4(n) (1000 + (n))

static const struct check_row check_rows[] = {
    {1, true, TCP4, .payload = 10, .no_csum = true},
    {2, true, ICMP4, .payload = 10, .no_csum = true},
    {3, true, TCP4, .payload = 10, .no_csum = true,
     .patch = {{L3(0), 0xFF}}}, /* not our business */
    {4, true, TCP4, .payload = 10},
    {5, true, UDP4, .payload = 10},
    {6, true, TCP6, .payload = 10},
    {7, true, UDP6, .payload = 10},
    {8, true, TCP4, .payload = 10, .tags = 1},
    {9, true, UDP6, .payload = 10, .tags = 2},
    {10, false, UDP4, .payload = 10, .tags = 3},
    {11, true, TCP4, .payload = 10, .options = 12},
    {12, true, TCP4, .payload = 10, .pad = 17},
    {13, false, ICMP4, .payload = 10},
    {14, false, GRE4, .payload = 40},
    {15, false, TCP4, .start = 1},
    {16, false, TCP4, .start = -20},
    {17, false, TCP4, .offset = 1},
    {18, false, TCP4, .offset = -10},
    {19, false, UDP4, .payload = 20, .offset = 10},
    {20, false, UDP4, .start = 1000, .payload = 20},
    {21, false, TCP4, .patch = {{L3(0), 0x44}}},
    {22, false, TCP4, .patch = {{L3(0), 0x65}}},
    {23, false, TCP4, .patch = {{L3(0), 0x4F}}},
    {24, false, TCP4, .patch = {{L3(2), 0xFF}}},
    {25, false, TCP4, .patch = {{L3(2), 0}, {L3(3), 10}}},
    {26, false, TCP4, .payload = 20, .patch = {{L3(6), 0x20}}}, /* a fragment */
    {27, false, TCP4, .payload = 20, .patch = {{L3(7), 3}}},
    {28, false, TCP4, .patch = {{L4(12), 0x40}}},
    {29, false, TCP4, .patch = {{L4(12), 0x60}}},
    {30, false, UDP4, .payload = 20, .patch = {{L4(5), 27}}},
    {31, false, UDP4, .payload = 20, .patch = {{L4(5), 29}}},
    {32, false, UDP4, .payload = 20, .patch = {{L4(4), 0xFF}}},
    {33, false, TCP6, .patch = {{L3(0), 0x50}}},
    {34, false, TCP6, .patch = {{L3(4), 0}, {L3(5), 0}}},
    {35, false, TCP6, .patch = {{L3(4), 0xFF}}},
    {36, false, TCP6, .patch = {{L3(6), 58}}},
    {37, false, TCP6, .patch = {{L3(6), 44}}},
    {38, false, TCP4, .payload = 100, .head = 53},
    {39, false, TCP4, .payload = 100, .head = 33},
    {40, false, TCP4, .payload = 100, .head = 13},
    {41, true, TCP4, .payload = 100, .head = 54},
    {42, false, TCP6, .payload = 100, .head = 53},
    {43, false, TCP6, .payload = 100, .head = 73},
    {44, true, TCP6, .payload = 100, .head = 74},
    {45, false, UDP4, .payload = 100, .head = 41},
    {46, false, TCP4, .payload = 100, .tags = 1, .head = 17},
    /* super-packets */
    {60, true, TCP4, 5000, 1460, PKT_GSO_TCP4, .stays_gso = true},
    {61, true, TCP6, 5000, 1440, PKT_GSO_TCP6, .stays_gso = true},
    {62, true, TCP4, 5000, 1460, PKT_GSO_TCP4, .tags = 2, .stays_gso = true, .head = 128},
    {63, true, TCP4, 501, 500, PKT_GSO_TCP4, .stays_gso = true},
    {64, true, TCP4, 500, 500, PKT_GSO_TCP4, .tags = 0},
    {65, true, TCP4, 0, 1460, PKT_GSO_TCP4, .tags = 0},
    {66, false, TCP4, 5000, 499, PKT_GSO_TCP4, .tags = 0},
    {67, false, TCP4, 5000, 1, PKT_GSO_TCP4, .tags = 0},
    {68, false, TCP4, 5000, 0, PKT_GSO_TCP4, .tags = 0},
    {69, false, TCP4, 5000, 1460, PKT_GSO_NONE, .tags = 0},
    {70, false, TCP4, 5000, 1460, PKT_GSO_TCP6, .tags = 0},
    {71, false, TCP6, 5000, 1460, PKT_GSO_TCP4, .tags = 0},
    {72, false, TCP4, 5000, 1460, 3, .tags = 0},
    {73, false, TCP4, 5000, 1460, 0xFF, .tags = 0},
    {74, false, UDP4, 5000, 1460, PKT_GSO_TCP4, .tags = 0},
    {75, false, UDP6, 5000, 1460, PKT_GSO_TCP6, .tags = 0},
    {76, false, TCP4, 5000, 1460, PKT_GSO_TCP4, .no_csum = true},
    {77, false, TCP4, 10, 0, PKT_GSO_TCP4, .no_csum = true},
    {78, false, TCP4, 5000, 1460, PKT_GSO_TCP4, .patch = {{L4(13), 0x12}}},
    {79, false, TCP4, 5000, 1460, PKT_GSO_TCP4, .patch = {{L4(13), 0x14}}},
    {80, false, TCP4, 5000, 1460, PKT_GSO_TCP4, .bad_ip_csum = true},
    {81, true, TCP4, 10, 0, 0, .bad_ip_csum = true}, /* left to the parser */
    {82, true, TCP4, 65000, 65535, PKT_GSO_TCP4, .tags = 0},
    {83, true, TCP4, 65000, 30000, PKT_GSO_TCP4, .stays_gso = true},
    {84, true, TCP4, 5000, 1460, PKT_GSO_TCP4, .options = 40, .stays_gso = true},
    {85, true, TCP4, 1460, 1460, PKT_GSO_TCP4, .pad = 200},
};

static const uint8_t protos[] = {6, 6, 17, 17, 1, 47};

static void make(enum kind kind, size_t payload, size_t options, uint8_t tags)
{
    static const uint8_t nops[40] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const struct frame_plan plan = {.proto = protos[kind],
                                    .ip6 = kind == TCP6 || kind == UDP6,
                                    .vlan_tags = tags,
                                    .ip_options = nops,
                                    .ip_option_bytes = options,
                                    .payload_bytes = payload,
                                    .tcp_flags = 0x18};
    frame_make(&f, &plan);
}

static struct pkt *check_packet(const struct check_row *r)
{
    make(r->kind, r->payload, r->options, r->tags);
    frame_partial_csum(&f);
    for (unsigned i = 0; i < ARRAY_COUNT(r->patch); i++) {
        int at = r->patch[i].at;
        if (at != 0)
            f.b[at >= 1000 ? (int)f.l4 + at - 1000 : (int)f.l3 + at - 1] = r->patch[i].value;
    }
    frame_fix_ip_csum(&f);
    if (r->bad_ip_csum)
        f.b[f.l3 + 10] ^= 1;
    memset(f.b + f.n, 0xCC, r->pad);
    struct pkt *p = frame_pkt(&pool, f.b, f.n + r->pad, r->head ? r->head : PKT_DATA_BYTES,
                              PKT_DATA_BYTES, rnd);
    assert_non_null(p);
    p->flags = r->no_csum ? 0 : PKT_NEEDS_CSUM;
    p->csum_start = (uint16_t)((int)f.l4 + r->start);
    p->csum_offset = (uint16_t)((protos[r->kind] == 17 ? 6 : 16) + r->offset);
    p->gso_size = r->gso_size;
    p->gso_type = r->gso_type;
    return p;
}

static void test_check_rows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(check_rows); i++) {
        const struct check_row *r = &check_rows[i];
        struct pkt *p = check_packet(r);
        bool ok = offload_check(p);
        if (ok != r->ok)
            fail_msg("row %d: %d", r->id, ok);
        if (ok && !r->no_csum) {
            if (p->hdr_len != f.payload)
                fail_msg("row %d: hdr_len %u, not %zu", r->id, p->hdr_len, f.payload);
            if (p->total_bytes != f.n)
                fail_msg("row %d: %u bytes, not %zu", r->id, p->total_bytes, f.n);
            if ((p->gso_size != 0) != r->stays_gso || (p->gso_type != 0) != r->stays_gso)
                fail_msg("row %d: is it a super-packet?", r->id);
        }
        frame_unpoison(&pool);
        pkt_free(p);
    }
}

/* IPv6 extension headers before TCP: fine for a checksum, not for cutting. */
static void test_check_ip6_extensions(void **state)
{
    static const struct {
        int id;
        bool ok;
        uint8_t first, second;
        uint8_t bytes_field; /* of the second: length in units of 8, less one */
        bool gso;
    } rows[] = {
        {1, true, 0, 60, 0, false},    {2, true, 43, 60, 0, false}, {3, false, 0, 44, 0, false},
        {4, false, 0, 60, 0, true},    {5, false, 0, 51, 0, false}, {6, false, 0, 60, 1, false},
        {7, false, 0, 60, 255, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        make(TCP6, 2000, 0, 0);
        memmove(f.b + f.l4 + 16, f.b + f.l4, f.n - f.l4);
        memset(f.b + f.l4, 0, 16);
        f.b[f.l3 + 6] = rows[i].first;
        f.b[f.l4] = rows[i].second;
        f.b[f.l4 + 8] = 6;
        f.b[f.l4 + 9] = rows[i].bytes_field;
        f.n += 16;
        f.l4 += 16;
        f.b[f.l3 + 4] = (uint8_t)((f.n - f.l3 - 40) >> 8);
        f.b[f.l3 + 5] = (uint8_t)(f.n - f.l3 - 40);
        struct pkt *p = frame_pkt(&pool, f.b, f.n, 128, 2000, rnd);
        p->flags = PKT_NEEDS_CSUM;
        p->csum_start = (uint16_t)f.l4;
        p->csum_offset = 16;
        p->gso_size = rows[i].gso ? 1000 : 0;
        p->gso_type = rows[i].gso ? PKT_GSO_TCP6 : PKT_GSO_NONE;
        if (offload_check(p) != rows[i].ok)
            fail_msg("row %d", rows[i].id);
        frame_unpoison(&pool);
        pkt_free(p);
    }
}

/* ---- offload_finish_csum ---- */

static void test_finish_csum(void **state)
{
    static uint8_t bytes[FRAME_MAX_BYTES];

    (void)state;
    for (int round = 0; round < 600; round++) {
        make(rnd(4), rnd(3) ? rnd(1400) : rnd(40000), 0, (uint8_t)rnd(3));
        frame_partial_csum(&f);
        memset(f.b + f.n, 0xAB, 30);
        struct pkt *p = frame_pkt(&pool, f.b, f.n + rnd(30), 100, 1 + rnd(3900), rnd);
        if (!p)
            continue;
        p->flags = PKT_NEEDS_CSUM | PKT_CSUM_VALID;
        p->csum_start = (uint16_t)f.l4;
        p->csum_offset = f.b[f.l3 + (f.ip6 ? 6 : 9)] == 17 ? 6 : 16;
        assert_true(offload_check(p));
        offload_finish_csum(p);
        assert_int_equal(p->flags, PKT_CSUM_VALID);
        size_t n = frame_flatten(p, bytes);
        assert_true(frame_sums_right(bytes, n, f.l3, f.ip6));
        offload_finish_csum(p); /* nothing left to do */
        frame_flatten(p, f.b);
        assert_memory_equal(bytes, f.b, n);
        frame_unpoison(&pool);
        pkt_free(p);
    }
}

/* The payload's last word is chosen so that the sum comes out as 0: FFFF in UDP, 0 in TCP. */
static void test_finish_csum_zero(void **state)
{
    (void)state;
    for (enum kind kind = TCP4; kind <= UDP6; kind++) {
        make(kind, 10, 0, 0);
        size_t field = f.l4 + (protos[kind] == 17 ? 6 : 16);
        /* adding the checksum to the data makes the checksum 0 */
        uint32_t word = load_be16(f.b + f.n - 2) + (uint32_t)load_be16(f.b + field);
        store_be16(f.b + f.n - 2, (uint16_t)(word > 0xFFFF ? word - 0xFFFF : word));
        frame_partial_csum(&f);
        struct pkt *p = frame_pkt(&pool, f.b, f.n, 80, 3, rnd);
        p->flags = PKT_NEEDS_CSUM;
        p->csum_start = (uint16_t)f.l4;
        p->csum_offset = (uint16_t)(field - f.l4);
        assert_true(offload_check(p));
        offload_finish_csum(p);
        assert_int_equal(load_raw16(p->data + field), protos[kind] == 17 ? 0xFFFF : 0);
        frame_unpoison(&pool);
        pkt_free(p);
    }
}

/* ---- offload_cut ---- */

/* A random super-packet in f and as a packet; flags and urgent pointer as given. */
static struct pkt *super_packet(uint8_t flags, uint16_t urgent)
{
    static const uint8_t options[40] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    struct frame_plan plan = {.proto = 6,
                              .ip6 = rnd(2),
                              .vlan_tags = (uint8_t)rnd(3),
                              .ip_options = options,
                              .tcp_options = options,
                              .tcp_option_bytes = rnd(11) * 4,
                              .tcp_flags = flags};
    plan.ip_option_bytes = plan.ip6 || rnd(2) ? 0 : rnd(11) * 4;
    size_t headers = 60 + plan.ip_option_bytes + plan.tcp_option_bytes;
    plan.payload_bytes = rnd(3) ? 1 + rnd(9000) : 30000 + rnd((uint32_t)(35536 - headers));
    frame_make(&f, &plan);
    store_be16(f.b + f.l4 + 18, urgent);
    frame_partial_csum(&f);

    size_t pad = rnd(4) ? 0 : rnd(60);
    memset(f.b + f.n, 0xDA, pad);
    struct pkt *p = frame_pkt(&pool, f.b, f.n + pad, f.payload + rnd(100),
                              rnd(3) ? PKT_DATA_BYTES : 700 + rnd(1000), rnd);
    assert_non_null(p);
    p->flags = PKT_NEEDS_CSUM;
    p->csum_start = (uint16_t)f.l4;
    p->csum_offset = 16;
    p->gso_type = f.ip6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
    p->gso_size = (uint16_t)(rnd(8) ? 500 + rnd(1000) : 500 + rnd(20000));
    p->gso_ecn = flags >> 7;
    return p;
}

static void check_flags(const uint8_t *tcp, uint8_t flags, uint16_t urgent, size_t done, bool last)
{
    assert_int_equal(tcp[13] & 0x09, last ? flags & 0x09 : 0); /* FIN, PSH */
    assert_int_equal(tcp[13] & 0x80, done == 0 ? flags & 0x80 : 0);
    assert_int_equal(tcp[13] & 0x56, flags & 0x56);
    if (flags & 0x20) {
        assert_int_equal(!!(tcp[13] & 0x20), urgent > done);
        assert_int_equal(load_be16(tcp + 18), urgent > done ? urgent - done : 0);
    }
}

/* Checks one frame against f, and returns the payload bytes in it. */
static size_t check_frame(const struct pkt *p, unsigned index, size_t done, size_t gso_size)
{
    static uint8_t b[FRAME_MAX_BYTES];
    size_t n = frame_flatten(p, b), part = n - f.payload;
    bool last = done + part == f.n - f.payload;

    assert_int_equal(p->flags & PKT_NEEDS_CSUM, 0);
    assert_int_equal(p->gso_size, 0);
    assert_int_equal(p->port, 3);
    assert_true(pkt_headroom((struct pkt *)(uintptr_t)p) >= PKT_HEADROOM_BYTES);
    assert_true(p->len >= MIN(n, (size_t)128));
    assert_true(last ? part > 0 && part <= gso_size : part == gso_size);
    assert_true(frame_sums_right(b, n, f.l3, f.ip6));
    assert_memory_equal(b + f.payload, f.b + f.payload + done, part);
    assert_int_equal(load_be32(b + f.l4 + 4), (uint32_t)(load_be32(f.b + f.l4 + 4) + done));
    check_flags(b + f.l4, f.b[f.l4 + 13], load_be16(f.b + f.l4 + 18), done, last);

    /* All the rest of the headers is as it was. */
    if (!f.ip6)
        assert_int_equal(load_be16(b + f.l3 + 4), (uint16_t)(load_be16(f.b + f.l3 + 4) + index));
    memcpy(b + f.l3 + (f.ip6 ? 4 : 2), f.b + f.l3 + (f.ip6 ? 4 : 2), f.ip6 ? 2 : 4);
    if (!f.ip6)
        memcpy(b + f.l3 + 10, f.b + f.l3 + 10, 2);
    memcpy(b + f.l4 + 4, f.b + f.l4 + 4, 4);
    b[f.l4 + 13] = f.b[f.l4 + 13];
    memcpy(b + f.l4 + 16, f.b + f.l4 + 16, 4);
    assert_memory_equal(b, f.b, f.payload);
    return part;
}

static void cut_and_check(uint8_t flags, uint16_t urgent)
{
    struct pkt *out[OFFLOAD_MAX_SEGMENTS], *hold[POOL_COUNT];
    struct pkt *p = super_packet(flags, urgent);
    uint16_t gso_size = p->gso_size;
    unsigned missing = 99, held = 0;
    bool shared = rnd(4) == 0;

    assert_true(offload_check(p));
    if (p->gso_size == 0) {
        assert_true(f.n - f.payload <= gso_size);
        frame_unpoison(&pool);
        pkt_free(p);
        return;
    }
    if (shared)
        pkt_ref(p);
    if (rnd(4) == 0) { /* a nearly empty pool */
        unsigned leave = rnd(60);
        while (pool.free_count > leave)
            hold[held++] = pkt_alloc(&pool);
    }
    frame_unpoison(&pool); /* the pool is used from here on; p's own bytes were checked above */
    unsigned want = (unsigned)((f.n - f.payload + gso_size - 1) / gso_size);
    unsigned n = offload_cut(p, out, &missing);
    assert_int_equal(n + missing, want);
    if (held == 0)
        assert_int_equal(missing, 0);

    size_t done = 0;
    for (unsigned i = 0; i < n; i++) {
        done += check_frame(out[i], i, done, gso_size);
        pkt_free(out[i]);
    }
    if (missing == 0)
        assert_int_equal(done, f.n - f.payload);
    else
        assert_int_equal(done, (size_t)n * gso_size);
    if (shared) {
        static uint8_t b[FRAME_MAX_BYTES];
        assert_false(pkt_shared(p));
        assert_int_equal(frame_flatten(p, b), f.n);
        assert_memory_equal(b, f.b, f.n); /* not written to */
        assert_int_equal(p->gso_size, gso_size);
        pkt_free(p);
    }
    while (held > 0)
        pkt_free(hold[--held]);
    assert_int_equal(pool.free_count, POOL_COUNT);
}

static void test_cut(void **state)
{
    (void)state;
    for (int round = 0; round < 500; round++) {
        static const uint8_t flags[] = {0x10, 0x18, 0x19, 0x11, 0x90, 0x99, 0x50, 0xD9, 0x30, 0xF9};
        cut_and_check(flags[rnd(ARRAY_COUNT(flags))], (uint16_t)(rnd(2)   ? rnd(3000)
                                                                 : rnd(3) ? 0
                                                                          : 65535));
    }
}

static void test_cut_most_segments(void **state)
{
    struct pkt *out[OFFLOAD_MAX_SEGMENTS];
    unsigned missing;

    (void)state;
    make(TCP6, 65535 - 20, 0, 2);
    frame_partial_csum(&f);
    struct pkt *p = frame_pkt(&pool, f.b, f.n, 128, PKT_DATA_BYTES, rnd);
    p->flags = PKT_NEEDS_CSUM;
    p->csum_start = (uint16_t)f.l4;
    p->csum_offset = 16;
    p->gso_type = PKT_GSO_TCP6;
    p->gso_size = OFFLOAD_MIN_GSO_SIZE;
    assert_true(offload_check(p));
    frame_unpoison(&pool);
    assert_int_equal(offload_cut(p, out, &missing), 132);
    assert_int_equal(missing, 0);
    size_t done = 0;
    for (unsigned i = 0; i < 132; i++) {
        done += check_frame(out[i], i, done, OFFLOAD_MIN_GSO_SIZE);
        pkt_free(out[i]);
    }
}

/* ---- offload_fits ---- */

static void test_fits(void **state)
{
    static const struct {
        int id;
        bool fits;
        uint32_t nic;
        uint8_t flags, type, ecn;
        uint16_t size;
    } rows[] = {
        {1, true, 0, 0, 0, 0, 0},
        {2, true, 0, PKT_CSUM_VALID, 0, 0, 0},
        {3, false, 0, PKT_NEEDS_CSUM, 0, 0, 0},
        {4, true, NIC_TX_CSUM, PKT_NEEDS_CSUM, 0, 0, 0},
        {5, false, NIC_TX_CSUM, PKT_NEEDS_CSUM, PKT_GSO_TCP4, 0, 1460},
        {6, true, NIC_TX_CSUM | NIC_TX_TSO4, PKT_NEEDS_CSUM, PKT_GSO_TCP4, 0, 1460},
        {7, false, NIC_TX_CSUM | NIC_TX_TSO4, PKT_NEEDS_CSUM, PKT_GSO_TCP6, 0, 1460},
        {8, true, NIC_TX_CSUM | NIC_TX_TSO6, PKT_NEEDS_CSUM, PKT_GSO_TCP6, 0, 1460},
        {9, false, NIC_TX_CSUM | NIC_TX_TSO4, PKT_NEEDS_CSUM, PKT_GSO_TCP4, 1, 1460},
        {10, true, NIC_TX_CSUM | NIC_TX_TSO4 | NIC_TX_ECN, PKT_NEEDS_CSUM, PKT_GSO_TCP4, 1, 1460},
        {11, false, NIC_TX_TSO4 | NIC_TX_TSO6, PKT_NEEDS_CSUM, PKT_GSO_TCP4, 0, 1460},
        {12, false, NIC_RX_CSUM | NIC_RX_TSO, PKT_NEEDS_CSUM, 0, 0, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct pkt p = {.flags = rows[i].flags,
                        .gso_type = rows[i].type,
                        .gso_ecn = rows[i].ecn,
                        .gso_size = rows[i].size};
        if (offload_fits(&p, rows[i].nic) != rows[i].fits)
            fail_msg("row %d", rows[i].id);
    }
}

/* What a NIC can do that needs to find the headers itself. */
static void test_near(void **state)
{
    static const struct {
        int id;
        bool near;
        uint16_t start, offset;
        uint8_t types[8]; /* from the Ethernet header's on */
    } rows[] = {
        {1, true, 34, 16, {0x08, 0x00}},
        {2, true, 38, 16, {0x81, 0x00, 0, 5, 0x08, 0x00}},
        {3, true, 38, 16, {0x88, 0xA8, 0, 5, 0x08, 0x00}},
        {4, false, 42, 16, {0x81, 0x00, 0, 5, 0x81, 0x00}},
        {5, false, 42, 16, {0x88, 0xA8, 0, 5, 0x81, 0x00}},
        {6, false, 42, 16, {0x81, 0x00, 0, 5, 0x88, 0xA8}},
        {7, true, 247, 6, {0x86, 0xDD}}, /* behind many extension headers */
        {8, false, 248, 6, {0x86, 0xDD}},
        {9, false, 65535, 6, {0x86, 0xDD}},
    };
    static const uint32_t nic = NIC_TX_CSUM_NEAR | NIC_TX_TSO4;

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t frame[64] = {0};
        struct pkt p = {.data = frame,
                        .flags = PKT_NEEDS_CSUM,
                        .csum_start = rows[i].start,
                        .csum_offset = rows[i].offset};
        memcpy(frame + 12, rows[i].types, sizeof(rows[i].types));
        bool without_cut = offload_fits(&p, nic);
        p.gso_size = 1460;
        p.gso_type = PKT_GSO_TCP4;
        bool with_cut = offload_fits(&p, nic);
        p.gso_type = PKT_GSO_TCP6;
        if (without_cut != rows[i].near || with_cut != rows[i].near || offload_fits(&p, nic) ||
            !offload_fits(&p, NIC_TX_CSUM | NIC_TX_TSO6))
            fail_msg("row %d", rows[i].id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_check_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check_ip6_extensions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_finish_csum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_finish_csum_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_most_segments, setup, teardown),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_near),
    };
    return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
