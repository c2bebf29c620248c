/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/offload_merge.c: what is put together and what is not, row by row; and bursts at random, as
 * they come out of lossy, reordering, lying networks, against a model that asks of every frame
 * whether it is the one before it with the fields changed that offload_cut() would change.
 *
 * Whatever was put together is cut again each time, and must be the frames that came.
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
#define BURST      32
#define MTU_FRAME  2048
#define BOTH       (NIC_TX_TSO4 | NIC_TX_TSO6)
#define PSH        8

/* A frame as it came, and what the NIC said about it. */
struct came {
    struct frame f;
    bool valid, in_two; /* its checksum was verified; it lies in two buffers */
};

static struct pkt_pool pool;
static struct came burst[BURST];

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

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void fix(struct frame *f)
{
    frame_fix_lengths(f);
    frame_fix_ip_csum(f);
    frame_fix_l4_csum(f);
}

/* The headers of first with this payload, as the segment that is number index and begins at done.
 */
static void make_segment(struct frame *f, const struct frame *first, unsigned index, uint32_t done,
                         const uint8_t *payload, size_t bytes, uint8_t flags)
{
    *f = *first;
    memmove(f->b + f->payload, payload, bytes);
    f->n = f->payload + bytes;
    store_be32(f->b + f->l4 + 4, load_be32(f->b + f->l4 + 4) + done);
    f->b[f->l4 + 13] = flags;
    if (!f->ip6)
        put16(f->b + f->l3 + 4, load_be16(f->b + f->l3 + 4) + index);
    fix(f);
}

/* ---- giving a burst, and looking at what came of it ---- */

static unsigned give(struct pkt **pkts, unsigned n, uint32_t types)
{
    for (unsigned i = 0; i < n; i++) {
        const struct came *c = &burst[i];
        size_t head = c->in_two ? 128 : PKT_DATA_BYTES;
        pkts[i] = frame_pkt(&pool, c->f.b, c->f.n, head, PKT_DATA_BYTES, rnd);
        assert_non_null(pkts[i]);
        pkts[i]->flags = c->valid ? PKT_CSUM_VALID : 0;
    }
    return offload_merge(pkts, n, types);
}

static void check_same(struct pkt *p, const struct came *c, unsigned number)
{
    static uint8_t bytes[FRAME_MAX_BYTES];
    size_t n = frame_flatten(p, bytes);

    if (n != c->f.n || memcmp(bytes, c->f.b, n) != 0)
        fail_msg("frame %u is another", number);
    pkt_free(p);
}

/* The frames of one packet, the first of which has this number, are what came; how many there are.
 * Frees it. */
static unsigned check_packet(struct pkt *p, unsigned number)
{
    struct pkt *out[OFFLOAD_MAX_SEGMENTS];
    unsigned missing, count;

    frame_unpoison(&pool);
    assert_int_equal(p->port, 3);
    if (!p->gso_size) {
        assert_false(p->flags & PKT_NEEDS_CSUM);
        assert_int_equal(p->flags & PKT_CSUM_VALID ? 1 : 0, burst[number].valid);
        check_same(p, &burst[number], number);
        return 1;
    }
    struct pkt before = *p;
    assert_true(offload_check(p));
    assert_int_equal(p->hdr_len, before.hdr_len);
    assert_int_equal(p->total_bytes, before.total_bytes);
    assert_int_equal(p->gso_size, before.gso_size);
    assert_int_equal(p->flags, PKT_NEEDS_CSUM);
    assert_int_equal(p->gso_ecn, 0);
    assert_true(p->segs <= PKT_MAX_SEGS && p->total_bytes <= PKT_MAX_BYTES);
    count = offload_cut(p, out, &missing);
    assert_int_equal(missing, 0);
    for (unsigned i = 0; i < count; i++)
        check_same(out[i], &burst[number + i], number + i);
    return count;
}

/* Gives n frames; counts[] becomes how many frames each packet is of. Returns how many there are.
 */
static unsigned merge(unsigned n, uint32_t types, unsigned *counts)
{
    struct pkt *pkts[BURST];
    unsigned kept = give(pkts, n, types), frames = 0;

    for (unsigned i = 0; i < kept; i++) {
        counts[i] = check_packet(pkts[i], frames);
        frames += counts[i];
    }
    assert_int_equal(frames, n);
    assert_int_equal(pool.free_count, POOL_COUNT);
    return kept;
}

/* ---- rows: three frames of a connection, of which the second is changed ---- */

enum after { SUMS_FIXED, SUMS_LEFT, TCP_SUM_WRONG, IP_SUM_WRONG, TCP_ODD_ZERO, IP_ODD_ZERO };

struct row {
    int id;
    unsigned left; /* packets of the three: 1 all together, 2 the second stands apart from one */
    bool ip6;
    int at; /* of the byte changed in the second: L3(n), L4(n) or a plain offset */
    uint8_t flip;
    enum after after;
    uint8_t tags;
    int add[3]; /* payload bytes more than 1,000 */
    size_t tcp_options;
    bool valid, in_two;
    uint32_t types; /* 0: both */
};
#define L3(n) (1000 + (n))
#define L4(n) (2000 + (n))

static const struct row rows[] = {
    {1, .left = 1},
    {2, 1, .ip6 = true},
    {3, 1, .tags = 1},
    {4, 1, .tags = 2},
    {5, 3, .tags = 3},
    {6, 1, .tcp_options = 12},
    {7, 1, .ip6 = true, .tcp_options = 40},
    {8, 1, .valid = true},
    {9, 3, .types = NIC_TX_TSO6},
    {10, 3, .ip6 = true, .types = NIC_TX_TSO4},
    {11, 1, .ip6 = true, .types = NIC_TX_TSO6},
    /* sizes */
    {20, 1, .add = {0, 0, -999}},
    {21, 2, .add = {0, -1, -1}},
    {22, 2, .add = {0, 0, 1}},
    {23, 2, .add = {0, 1, 1}},
    {24, 1, .add = {-500, -500, -500}},
    {25, 3, .add = {-501, -501, -501}},
    {26, 2, .add = {0, 0, -1000}},
    {27, 3, .add = {0, -1000, 0}},
    {28, 1, .add = {2900, 2900, 2900}},
    {29, 3, .in_two = true},
    /* one byte of the second is another; 3: the third does not continue it either */
    {40, 3, .at = 0, .flip = 4},
    {41, 3, .at = 11, .flip = 1},
    {42, 3, .at = 15, .flip = 1, .tags = 1},
    {43, 3, .at = 14, .flip = 0x20, .tags = 1},
    {44, 3, .at = L3(1), .flip = 1},
    {45, 3, .at = L3(1), .flip = 4},
    {46, 3, .at = L3(4), .flip = 1},
    {47, 3, .at = L3(5), .flip = 1},
    {48, 3, .at = L3(6), .flip = 0x40},
    {49, 3, .at = L3(6), .flip = 0x80},
    {50, 3, .at = L3(6), .flip = 0x20},
    {51, 3, .at = L3(7), .flip = 1},
    {52, 3, .at = L3(8), .flip = 1},
    {53, 3, .at = L3(9), .flip = 23, .after = IP_SUM_WRONG},
    {54, 3, .at = L3(12), .flip = 1},
    {55, 3, .at = L3(19), .flip = 1},
    {56, 3, .at = L4(0), .flip = 1},
    {57, 3, .at = L4(3), .flip = 1},
    {58, 3, .at = L4(7), .flip = 1},
    {59, 3, .at = L4(4), .flip = 0x80},
    {60, 3, .at = L4(8), .flip = 1},
    {61, 3, .at = L4(11), .flip = 1},
    {62, 3, .at = L4(12), .flip = 1},
    {63, 3, .at = L4(14), .flip = 1},
    {64, 3, .at = L4(15), .flip = 1},
    {65, 3, .at = L4(18), .flip = 1},
    {66, 3, .at = L4(23), .flip = 1, .tcp_options = 12},
    {67, 3, .at = L4(31), .flip = 1, .tcp_options = 12},
    {68, 3, .ip6 = true, .at = L3(1), .flip = 1},
    {69, 3, .ip6 = true, .at = L3(3), .flip = 1},
    {70, 3, .ip6 = true, .at = L3(7), .flip = 1},
    {71, 3, .ip6 = true, .at = L3(8), .flip = 1},
    {72, 3, .ip6 = true, .at = L3(39), .flip = 1},
    {73, 3, .at = L3(2), .flip = 0x10, .after = SUMS_LEFT},
    {74, 3, .ip6 = true, .at = L3(5), .flip = 1, .after = SUMS_LEFT},
    /* flags of the second, which has ACK alone */
    {80, 2, .at = L4(13), .flip = PSH},
    {81, 3, .at = L4(13), .flip = 0x01},
    {82, 3, .at = L4(13), .flip = 0x02},
    {83, 3, .at = L4(13), .flip = 0x04},
    {84, 3, .at = L4(13), .flip = 0x10},
    {85, 3, .at = L4(13), .flip = 0x20},
    {86, 3, .at = L4(13), .flip = 0x40},
    {87, 3, .at = L4(13), .flip = 0x80},
    /* checksums of the second; the NIC's word is taken for a good one, but not about the other zero
     */
    {90, 3, .after = TCP_SUM_WRONG},
    {91, 3, .ip6 = true, .after = TCP_SUM_WRONG},
    {92, 3, .after = IP_SUM_WRONG},
    {93, 3, .after = IP_SUM_WRONG, .valid = true},
    {94, 3, .after = TCP_ODD_ZERO, .valid = true},
    {95, 3, .after = TCP_ODD_ZERO},
    {96, 3, .after = IP_ODD_ZERO},
};

static const uint8_t stamps[40] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

/* The payload's first word is chosen so that the checksum is 0, and the other zero is written. */
static void write_odd_zero(struct frame *f)
{
    uint32_t word =
        load_be16(f->b + f->payload) + (uint32_t)load_be16(f->b + f->l4 + 16); /* even offset */

    put16(f->b + f->payload, word > 0xFFFF ? word - 0xFFFF : word);
    fix(f);
    assert_int_equal(load_raw16(f->b + f->l4 + 16), 0);
    put16(f->b + f->l4 + 16, 0xFFFF);
}

/* The same of the second's IP header, by a source address that all of them have. */
static void write_odd_ip_zero(void)
{
    uint8_t *csum = burst[1].f.b + burst[1].f.l3 + 10;
    uint16_t more = load_be16(csum);

    for (unsigned i = 0; i < 3; i++) {
        uint8_t *source = burst[i].f.b + burst[i].f.l3 + 12;
        uint32_t word = load_be16(source) + (uint32_t)more;
        put16(source, word > 0xFFFF ? word - 0xFFFF : word);
        fix(&burst[i].f);
    }
    assert_int_equal(load_raw16(csum), 0);
    put16(csum, 0xFFFF);
}

static void change(struct frame *f, const struct row *r)
{
    size_t at = r->at >= 2000   ? f->l4 + (size_t)r->at - 2000
                : r->at >= 1000 ? f->l3 + (size_t)r->at - 1000
                                : (size_t)r->at;
    f->b[at] ^= r->flip;
    if (r->flip && r->after != SUMS_LEFT) {
        frame_fix_ip_csum(f);
        frame_fix_l4_csum(f);
    }
    if (r->after == TCP_SUM_WRONG)
        f->b[f->n - 1] ^= 1;
    else if (r->after == IP_SUM_WRONG)
        f->b[f->l3 + 10] ^= 1;
    else if (r->after == TCP_ODD_ZERO)
        write_odd_zero(f);
    else if (r->after == IP_ODD_ZERO)
        write_odd_ip_zero();
}

static void make_row(const struct row *r)
{
    static struct frame first, payload;
    const struct frame_plan plan = {.proto = 6,
                                    .ip6 = r->ip6,
                                    .vlan_tags = r->tags,
                                    .tcp_options = stamps,
                                    .tcp_option_bytes = r->tcp_options,
                                    .payload_bytes = 4000,
                                    .tcp_flags = 0x10};
    uint32_t done = 0;

    frame_make(&payload, &plan);
    first = payload;
    for (unsigned i = 0; i < 3; i++) {
        size_t bytes = (size_t)(1000 + r->add[i]);
        make_segment(&burst[i].f, &first, i, done, payload.b + payload.payload + i, bytes, 0x10);
        burst[i].valid = r->valid;
        burst[i].in_two = r->in_two;
        done += (uint32_t)bytes;
    }
    change(&burst[1].f, r);
}

static void test_rows(void **state)
{
    unsigned counts[BURST];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        make_row(&rows[i]);
        unsigned left = merge(3, rows[i].types ? rows[i].types : BOTH, counts);
        if (left != rows[i].left)
            fail_msg("row %d: %u left", rows[i].id, left);
    }
}

/* The NIC's word is taken: a wrong checksum that it calls right is made right. */
static void test_the_nic_is_believed(void **state)
{
    const struct row row = {.valid = true};
    struct pkt *pkts[3];

    (void)state;
    make_row(&row);
    burst[1].f.b[burst[1].f.l4 + 16] ^= 1;
    assert_int_equal(give(pkts, 3, BOTH), 1);
    frame_unpoison(&pool);
    pkt_free(pkts[0]);
}

/* A burst of so many frames becomes as many packets as segments and 64 KB allow; bytes behind the
 * IP packet, a partial checksum, and a packet that is one already, stand alone. */
static void test_bounds(void **state)
{
    static struct frame first;
    struct frame_plan plan = {.proto = 6, .payload_bytes = 1460, .tcp_flags = 0x18};
    unsigned counts[BURST];
    struct pkt *pkts[BURST];

    (void)state;
    assert_int_equal(offload_merge(pkts, 0, BOTH), 0);
    for (unsigned size = 1460; size < PKT_DATA_BYTES; size += 2340) {
        plan.payload_bytes = size;
        frame_make(&first, &plan);
        for (unsigned i = 0; i < BURST; i++) {
            make_segment(&burst[i].f, &first, i, i * size, first.b + first.payload, size, 0x10);
            burst[i].valid = burst[i].in_two = false;
        }
        unsigned most = MIN(PKT_MAX_SEGS, (65535 - 40) / size);
        assert_int_equal(merge(BURST, BOTH, counts), (BURST + most - 1) / most);
        assert_int_equal(counts[0], most);
    }
    for (unsigned which = 0; which < 4; which++) {
        for (unsigned i = 0; i < 2; i++) {
            struct frame *f = &burst[i].f;
            make_segment(f, &first, i, i * 600, first.b + first.payload, 600, 0x10);
            size_t head = which == 3 ? f->n : PKT_DATA_BYTES, pad = which % 3 == 0;
            pkts[i] = frame_pkt(&pool, f->b, f->n + pad, head, 1, rnd);
            pkts[i]->flags = which == 1 ? PKT_NEEDS_CSUM : PKT_CSUM_VALID;
            pkts[i]->gso_size = which == 2 ? 500 : 0;
        }
        assert_int_equal(offload_merge(pkts, 2, BOTH), 2);
        frame_unpoison(&pool);
        pkt_free(pkts[0]);
        pkt_free(pkts[1]);
    }
}

/* ---- at random ---- */

/* One of the connections whose frames come mixed. */
struct stream {
    struct frame next; /* its headers say what is sent next */
    size_t size;
    unsigned id_step;
};

static void start_stream(struct stream *s, unsigned number)
{
    struct frame_plan plan = {.proto = rnd(12) ? 6 : 17,
                              .ip6 = rnd(3) == 0,
                              .vlan_tags = (uint8_t)(rnd(3) ? 0 : rnd(4)),
                              .ip_options = stamps,
                              .tcp_options = stamps,
                              .tcp_option_bytes = rnd(2) ? 12 : 0,
                              .payload_bytes = 1500,
                              .tcp_flags = 0x10};

    plan.ip_option_bytes = plan.ip6 || rnd(8) ? 0 : 4;
    frame_make(&s->next, &plan);
    put16(s->next.b + s->next.l4, 40000 + rnd(2) * number);
    s->size = rnd(6) ? 500 + rnd(950) : 1 + rnd(1400);
    s->id_step = rnd(6) != 0;
}

/* What a network does to a frame, now and then. */
static void disturb(struct came *c)
{
    struct frame *f = &c->f;
    size_t at = f->l3 + rnd((uint32_t)(f->payload - f->l3));

    switch (rnd(60)) {
    case 0: /* any bit of the headers, with sums right again, or not */
        f->b[at] ^= (uint8_t)(1u << rnd(8));
        if (rnd(2)) {
            frame_fix_ip_csum(f);
            if (f->b[f->l3 + (f->ip6 ? 6 : 9)] == 6)
                frame_fix_l4_csum(f);
        }
        break;
    case 1:
        f->b[f->n - 1] ^= 1;
        break;
    case 2:
        c->in_two = f->n > 200;
        break;
    case 3:
        memset(f->b + f->n, 0, 4);
        f->n += 4;
        break;
    default:
        break;
    }
}

static void next_frame(struct came *c, struct stream *s)
{
    struct frame *n = &s->next;
    size_t bytes = rnd(8) ? s->size : rnd(8) ? 1 + rnd((uint32_t)s->size) : 0;
    uint8_t flags = rnd(20) ? 0x10 : PICK(((uint8_t[]){0x18, 0x19, 0x11, 0x50, 0x90, 0x30, 0x14}));

    if (n->b[n->l3 + (n->ip6 ? 6 : 9)] == 17) {
        c->f = *n;
        c->f.n = n->payload + bytes;
        fix(&c->f);
        return;
    }
    make_segment(&c->f, n, 0, 0, n->b + n->payload, bytes, flags);
    if (rnd(20) == 0) /* one that is lost: what is next is not */
        bytes += s->size;
    if (rnd(20) == 0) /* one that comes twice */
        return;
    store_be32(n->b + n->l4 + 4, load_be32(n->b + n->l4 + 4) + (uint32_t)bytes);
    if (!n->ip6)
        put16(n->b + n->l3 + 4, load_be16(n->b + n->l3 + 4) + s->id_step);
    if (rnd(12) == 0)
        put16(n->b + n->l4 + 14, rnd(65536)); /* a new window */
}

static unsigned random_burst(struct stream *streams, unsigned count)
{
    unsigned n = 1 + rnd(BURST), which = 0;

    for (unsigned i = 0; i < n; i++) {
        struct came *c = &burst[i];
        if (rnd(6) == 0)
            which = rnd(count);
        c->in_two = false;
        next_frame(c, &streams[which]);
        const struct frame *f = &c->f;
        disturb(c);
        bool tcp = f->b[f->l3 + (f->ip6 ? 6 : 9)] == 6;
        c->valid = rnd(2) && tcp && frame_sums_right(f->b, f->n, f->l3, f->ip6);
    }
    for (unsigned i = 1; i < n; i++)
        if (rnd(16) == 0) { /* one overtakes another */
            static struct came c;
            c = burst[i];
            burst[i] = burst[i - 1];
            burst[i - 1] = c;
        }
    return n;
}

/* ---- the model ---- */

static size_t ip_header_bytes(const struct frame *f)
{
    return f->ip6 ? 40 : (f->b[f->l3] & 15u) * 4u;
}

/* Whether a frame could be the first of several. Its offsets are those it was made with, which
 * disturb() may have made untrue: the sums are wrong then, or the protocol is another. */
static bool may_begin(const struct came *c)
{
    const struct frame *f = &c->f;
    const uint8_t *ip = f->b + f->l3, *tcp = f->b + f->l4;
    static struct frame again;

    if (c->in_two || f->l3 > 22 || f->b[f->l3] != (f->ip6 ? 0x60 : 0x45) ||
        f->l4 != f->l3 + ip_header_bytes(f) || ip[f->ip6 ? 6 : 9] != 6)
        return false;
    if (!f->ip6 && ((ip[6] & 0x3F) || ip[7]))
        return false;
    if (load_be16(ip + (f->ip6 ? 4 : 2)) != f->n - f->l3 - (f->ip6 ? 40u : 0u))
        return false;
    if ((tcp[12] >> 4) * 4u != f->payload - f->l4 || (tcp[13] & ~0x40) != 0x10)
        return false;
    again = *f;
    frame_fix_ip_csum(&again);
    frame_fix_l4_csum(&again);
    return f->n - f->payload >= 500 && memcmp(again.b, f->b, f->n) == 0;
}

/* Whether c is what segment number index of the super-packet would be. */
static bool is_segment(const struct came *c, const struct came *first, unsigned index,
                       uint32_t done)
{
    const struct frame *a = &first->f, *f = &c->f;
    static struct frame want;

    if (c->in_two || f->n <= a->payload || f->n > a->n || a->l4 != f->l4)
        return false;
    make_segment(&want, a, index, done, f->b + a->payload, f->n - a->payload,
                 a->b[a->l4 + 13] | (f->b[a->l4 + 13] & PSH));
    return want.n == f->n && memcmp(want.b, f->b, f->n) == 0;
}

static unsigned model(unsigned n, uint32_t types, unsigned *counts)
{
    unsigned left = 0;

    for (unsigned i = 0; i < n; i += counts[left++]) {
        const struct came *first = &burst[i];
        size_t size = first->f.n - first->f.payload;
        uint32_t done = (uint32_t)size;
        unsigned count = 1;
        bool open = may_begin(first) && (types & (first->f.ip6 ? NIC_TX_TSO6 : NIC_TX_TSO4));
        while (open && i + count < n && count < PKT_MAX_SEGS &&
               is_segment(&burst[i + count], first, count, done)) {
            const struct frame *f = &burst[i + count].f;
            done += (uint32_t)(f->n - f->payload);
            count++;
            open = f->n == first->f.n && !(f->b[f->l4 + 13] & PSH);
        }
        counts[left] = count;
    }
    return left;
}

static void test_random(void **state)
{
    static struct stream streams[3];
    unsigned merged = 0, frames = 0;

    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        unsigned counts[BURST], want[BURST], count = 1 + rnd(3);
        uint32_t types = rnd(4) ? BOTH : rnd(2) ? NIC_TX_TSO4 : NIC_TX_TSO6;
        for (unsigned i = 0; i < count; i++)
            start_stream(&streams[i], i);
        unsigned n = random_burst(streams, count);
        unsigned left = model(n, types, want), got = merge(n, types, counts);
        for (unsigned i = 0; i < MIN(left, got); i++)
            if (counts[i] != want[i])
                fail_msg("round %u, packet %u: of %u frames, not %u", round, i, counts[i], want[i]);
        assert_int_equal(left, got);
        frames += n;
        merged += n - got;
    }
    assert_in_range(merged, frames / 5, frames / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_nic_is_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
