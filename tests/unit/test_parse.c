/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/wire/parse.c: numbered rows of frames and the reason each is refused for; then random damage,
 * where the short way and the careful way must agree and whatever is accepted must keep the
 * promises of the header. Frames lie in memory of exactly their size, so the sanitizer sees a byte
 * read too far.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* The quick way calls this in place of the careful one, so that the test sees how often it does. */
#define view_parse_any_ip4 counted_parse_any_ip4
#include "net/wire/parse.h"
#undef view_parse_any_ip4
#include "tests/fake/fake_random.h"
#include "tests/fake/frame_build.h"

#include <stdlib.h>

enum drop_reason view_parse_any_ip4(struct view *v, const struct pkt *p);

static unsigned careful_calls;

enum drop_reason counted_parse_any_ip4(struct view *v, const struct pkt *p)
{
    careful_calls++;
    return view_parse_any_ip4(v, p);
}

enum kind { TCP, UDP, ICMP, GRE };

#define MANY SIZE_MAX /* "as it is" for lengths below */
#define IP   14       /* where the IP header begins, for patches */

struct row {
    int id;
    enum drop_reason want;
    enum kind kind;
    const char *options; /* IP options */
    size_t option_bytes;
    size_t payload;
    struct {
        int at; /* 0 = no patch; counted from the frame's start; 1000 + n: n from the L4 header */
        uint8_t value;
    } patch[6];
    int len_change; /* added to the IP total length */
    size_t head;    /* bytes in the head segment; 0 = all */
    size_t pad;     /* added behind the packet */
    size_t cut;     /* taken off the end of the frame */
    bool bad_csum;  /* the IP header checksum is not made right after the patches */
    uint8_t fragment;
};

#define L4(n) (1000 + (n))
#define FRAG(v)                                                                                    \
    {IP + 6, (uint8_t)((v) >> 8)},                                                                 \
    {                                                                                              \
        IP + 7, (uint8_t)((v)&0xFF)                                                                \
    }
#define MF        0x2000
#define OPT(text) .options = text, .option_bytes = sizeof(text) - 1

static const struct row rows[] = {
    /* accepted */
    {1, DROP_NONE, TCP, .payload = 100},
    {2, DROP_NONE, UDP, .payload = 100},
    {3, DROP_NONE, UDP, .payload = 0},
    {4, DROP_NONE, TCP, .payload = 0},
    {5, DROP_NONE, ICMP, .payload = 56},
    {6, DROP_NONE, GRE, .payload = 30},
    {7, DROP_NONE, GRE, .payload = 0},
    {8, DROP_NONE, TCP, .payload = 0, .pad = 6},
    {9, DROP_NONE, UDP, .payload = 1, .pad = 17},
    {10, DROP_NONE, TCP, .payload = 1000, .head = 128},
    {11, DROP_NONE, TCP, .payload = 1000, .head = 54},
    {12, DROP_NONE, UDP, .payload = 1000, .head = 42},
    {13, DROP_NONE, UDP, .payload = 1472},
    {14, DROP_NONE, TCP, .payload = 65495, .head = 128},
    /* frame and IP header */
    {20, DROP_ETH_SHORT, TCP, .head = 13},
    {21, DROP_ETH_SHORT, TCP, .head = 13, .cut = 41},
    {22, DROP_IP_HEADER, TCP, .head = 14},
    {23, DROP_IP_HEADER, TCP, .head = 33},
    {24, DROP_IP_HEADER, TCP, .payload = 10, .cut = 1},
    {25, DROP_IP_HEADER, TCP, .patch = {{IP, 0x55}}},
    {26, DROP_IP_HEADER, TCP, .patch = {{IP, 0x65}}},
    {27, DROP_IP_HEADER, TCP, .patch = {{IP, 0x44}}},
    {28, DROP_IP_HEADER, TCP, .patch = {{IP, 0x40}}},
    {29, DROP_IP_HEADER, TCP, .patch = {{IP, 0x4F}}},
    {30, DROP_IP_HEADER, TCP, .patch = {{IP + 2, 0}, {IP + 3, 19}}},
    {31, DROP_IP_HEADER, TCP, .patch = {{IP + 2, 0}, {IP + 3, 0}}},
    {32, DROP_IP_HEADER, TCP, .patch = {{IP + 2, 0xFF}, {IP + 3, 0xFF}}},
    {33, DROP_IP_HEADER, TCP, .payload = 64, .len_change = 1},
    {34, DROP_NONE, TCP, .payload = 64, .len_change = -1},
    {35, DROP_IP_CSUM, TCP, .patch = {{IP + 8, 63}}, .bad_csum = true},
    {36, DROP_IP_CSUM, TCP, .patch = {{IP + 11, 0}}, .bad_csum = true},
    {37, DROP_IP_CSUM, UDP, .patch = {{IP + 10, 0}, {IP + 11, 0}}, .bad_csum = true},
    {38, DROP_IP_CSUM, GRE, OPT("\1\1\1\0"), .patch = {{IP + 20, 7}}, .bad_csum = true},
    {39, DROP_NONE, TCP, .patch = {{IP + 1, 0xFF}, {IP + 6, 0x80}}}, /* reserved bits pass */
    {40, DROP_NONE, TCP, .patch = {{IP + 8, 0}}},                    /* TTL is not ours to judge */
    /* options */
    {50, DROP_NONE, TCP, OPT("\1\1\1\1")},
    {51, DROP_NONE, TCP, OPT("\0\203\0\0")}, /* behind the end of the list is nothing */
    {52, DROP_NONE, UDP, OPT("\7\7\4\0\0\0\0\0")},
    {53, DROP_NONE, TCP, OPT("\x94\4\0\0")}, /* router alert */
    {54, DROP_IP_OPTIONS, TCP, OPT("\203\7\4\1\2\3\4\0")},
    {55, DROP_IP_OPTIONS, TCP, OPT("\1\211\7\4\1\2\3\4")},
    {56, DROP_IP_OPTIONS, UDP, OPT("\7\4\4\0\203\4\4\0")},
    {57, DROP_IP_OPTIONS, TCP, OPT("\7\0\0\0")},
    {58, DROP_IP_OPTIONS, TCP, OPT("\7\1\0\0")},
    {59, DROP_IP_OPTIONS, TCP, OPT("\7\5\0\0")},
    {60, DROP_IP_OPTIONS, TCP, OPT("\1\1\1\7")},
    {61, DROP_IP_OPTIONS, ICMP, OPT("\7\377\0\0")},
    {62, DROP_IP_OPTIONS, GRE, OPT("\211\3\4\0")},
    {63, DROP_NONE, TCP,
     OPT("\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1")},
    {64, DROP_IP_HEADER, TCP, OPT("\1\1\1\1"), .payload = 60, .head = 37},
    {65, DROP_IP_OPTIONS, TCP, OPT("\203\3\4\0"), .patch = {FRAG(5)}},
    /* TCP */
    {70, DROP_L4_HEADER, TCP, .patch = {{L4(12), 0x40}}},
    {71, DROP_L4_HEADER, TCP, .patch = {{L4(12), 0x00}}},
    {72, DROP_L4_HEADER, TCP, .patch = {{L4(12), 0x60}}},
    {73, DROP_NONE, TCP, .payload = 4, .patch = {{L4(12), 0x60}}},
    {74, DROP_L4_HEADER, TCP, .payload = 39, .patch = {{L4(12), 0xF0}}},
    {75, DROP_NONE, TCP, .payload = 40, .patch = {{L4(12), 0xFF}}},
    {76, DROP_L4_HEADER, TCP, .len_change = -1},
    {77, DROP_L4_HEADER, TCP, .len_change = -20},
    {78, DROP_L4_HEADER, TCP, .payload = 100, .head = 53},
    {79, DROP_L4_HEADER, TCP, .payload = 100, .head = 57, .patch = {{L4(12), 0x60}}},
    {80, DROP_NONE, TCP, .payload = 100, .head = 58, .patch = {{L4(12), 0x60}}},
    {81, DROP_L4_HEADER, TCP, .payload = 4, .len_change = -1, .patch = {{L4(12), 0x60}}},
    {82, DROP_L4_HEADER, TCP, OPT("\1\1\1\1"), .payload = 40, .head = 57},
    /* UDP */
    {90, DROP_L4_HEADER, UDP, .payload = 20, .patch = {{L4(5), 7}}},
    {91, DROP_L4_HEADER, UDP, .payload = 20, .patch = {{L4(5), 0}}},
    {92, DROP_L4_HEADER, UDP, .payload = 20, .patch = {{L4(5), 29}}},
    {93, DROP_L4_HEADER, UDP, .payload = 20, .patch = {{L4(4), 0x80}}},
    {94, DROP_NONE, UDP, .payload = 20, .patch = {{L4(5), 27}}}, /* shorter than the packet */
    {95, DROP_NONE, UDP, .payload = 20, .patch = {{L4(5), 8}}},
    {96, DROP_L4_HEADER, UDP, .len_change = -1},
    {97, DROP_L4_HEADER, UDP, .payload = 20, .head = 41},
    {98, DROP_L4_HEADER, UDP, .payload = 20, .len_change = -21},
    {99, DROP_L4_HEADER, UDP, .payload = 4, .patch = {{L4(5), 13}}},
    {100, DROP_L4_HEADER, UDP, .payload = 20, .pad = 10, .patch = {{L4(5), 29}}},
    /* ICMP */
    {110, DROP_L4_HEADER, ICMP, .len_change = -1},
    {111, DROP_L4_HEADER, ICMP, .payload = 20, .head = 41},
    {112, DROP_NONE, ICMP, .payload = 0},
    {113, DROP_NONE, ICMP, .patch = {{L4(0), 255}}},
    /* fragments */
    {120, DROP_NONE, UDP, .payload = 16, .patch = {FRAG(MF)}, .fragment = FRAGMENT_FIRST},
    {121, DROP_NONE, UDP, .payload = 16, .patch = {FRAG(MF | 1)}, .fragment = FRAGMENT_LATER},
    {122, DROP_NONE, UDP, .payload = 13, .patch = {FRAG(5)}, .fragment = FRAGMENT_LATER},
    {123, DROP_FRAGMENT, UDP, .payload = 13, .patch = {FRAG(MF)}},
    {124, DROP_FRAGMENT, UDP, .payload = 13, .patch = {FRAG(MF | 100)}},
    {144, DROP_FRAGMENT, UDP, .payload = 4, .patch = {FRAG(MF | 100)}},
    {125, DROP_FRAGMENT, UDP, .len_change = -8, .patch = {FRAG(MF)}},
    {126, DROP_FRAGMENT, UDP, .len_change = -8, .patch = {FRAG(9)}},
    /* the end of the datagram at 65,535 and one beyond: 8,184 * 8 = 65,472 */
    {127, DROP_NONE, UDP, .payload = 35, .patch = {FRAG(8184)}, .fragment = FRAGMENT_LATER},
    {128, DROP_FRAGMENT, UDP, .payload = 36, .patch = {FRAG(8184)}},
    {129, DROP_FRAGMENT, UDP, .payload = 0, .patch = {FRAG(0x1FFF)}},
    {130, DROP_FRAGMENT, TCP, .payload = 20, .patch = {FRAG(1)}},
    {131, DROP_FRAGMENT, TCP, .payload = 20, .patch = {FRAG(2)}},
    {132, DROP_NONE, TCP, .payload = 20, .patch = {FRAG(3)}, .fragment = FRAGMENT_LATER},
    {133, DROP_NONE, TCP, .payload = 4, .patch = {FRAG(MF)}, .fragment = FRAGMENT_FIRST},
    {134, DROP_FRAGMENT, TCP, .len_change = -4, .patch = {FRAG(MF)}}, /* 16 bytes of TCP */
    {135, DROP_FRAGMENT, TCP, .len_change = -12, .patch = {FRAG(MF)}},
    {136, DROP_FRAGMENT, TCP, .payload = 4, .patch = {FRAG(MF), {L4(12), 0x70}}},
    {137, DROP_L4_HEADER, TCP, .payload = 4, .patch = {FRAG(MF), {L4(12), 0x40}}},
    {138, DROP_NONE, UDP, .payload = 0, .patch = {FRAG(MF)}, .fragment = FRAGMENT_FIRST},
    {139, DROP_NONE, UDP, .payload = 16, .patch = {FRAG(MF), {L4(4), 0x10}}, /* of a longer one */
     .fragment = FRAGMENT_FIRST},
    {140, DROP_L4_HEADER, UDP, .payload = 16, .patch = {FRAG(MF), {L4(5), 7}}},
    {141, DROP_NONE, ICMP, .payload = 16, .patch = {FRAG(MF)}, .fragment = FRAGMENT_FIRST},
    {142, DROP_NONE, GRE, .payload = 1, .patch = {FRAG(1)}, .fragment = FRAGMENT_LATER},
    {143, DROP_NONE, TCP, .payload = 28, .head = 34, .patch = {FRAG(3)},
     .fragment = FRAGMENT_LATER},
};

static void build(struct frame *f, enum kind kind, const void *options, size_t option_bytes,
                  size_t payload)
{
    static const uint8_t protos[] = {6, 17, 1, 47};
    const struct frame_plan plan = {.proto = protos[kind],
                                    .ip_options = options,
                                    .ip_option_bytes = option_bytes,
                                    .payload_bytes = payload,
                                    .tcp_flags = 0x18};
    frame_make(f, &plan);
}

/* A packet whose head is a block of memory of exactly head bytes, and whose rest is not there at
 * all: the parser has no business in it. */
static struct pkt exact(const struct frame *f, size_t head)
{
    struct pkt p = {.len = (uint32_t)head, .total_bytes = (uint32_t)f->n, .segs = 1, .refs = 1};
    p.data = malloc(head > 0 ? head : 1);
    memcpy(p.data, f->b, head);
    return p;
}

static struct frame f;

static void row_frame(const struct row *r)
{
    build(&f, r->kind, r->options, r->option_bytes, r->payload);
    int len = (f.b[IP + 2] << 8 | f.b[IP + 3]) + r->len_change;
    f.b[IP + 2] = (uint8_t)(len >> 8);
    f.b[IP + 3] = (uint8_t)len;
    for (unsigned i = 0; i < ARRAY_COUNT(r->patch); i++) {
        int at = r->patch[i].at;
        if (at != 0)
            f.b[at >= 1000 ? (int)f.l4 + at - 1000 : at] = r->patch[i].value;
    }
    if (!r->bad_csum)
        frame_fix_ip_csum(&f);
    memset(f.b + f.n, 0xEE, r->pad);
    f.n += r->pad;
    f.n -= r->cut;
}

static void test_rows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct view v, w;
        row_frame(r);
        struct pkt p = exact(&f, r->head ? MIN(r->head, f.n) : f.n);
        memset(&v, 0xA5, sizeof(v));
        memset(&w, 0x5A, sizeof(w));
        enum drop_reason got = view_parse_ip4(&v, &p);
        if (got != r->want)
            fail_msg("row %d: reason %d, not %d", r->id, got, r->want);
        if (view_parse_any_ip4(&w, &p) != r->want)
            fail_msg("row %d: the careful way says otherwise", r->id);
        if (got == DROP_NONE && memcmp(&v, &w, sizeof(v)) != 0)
            fail_msg("row %d: the two ways disagree", r->id);
        if (got == DROP_NONE && v.fragment != r->fragment)
            fail_msg("row %d: fragment %d", r->id, v.fragment);
        free(p.data);
    }
}

static void test_fields(void **state)
{
    static const struct {
        int id;
        enum kind kind;
        bool options;
        uint16_t l4_off, ip_bytes;
        uint16_t sport, dport;
        uint8_t proto, tcp_flags, icmp_type;
    } want[] = {
        {1, TCP, false, 34, 60, 40000, 443, 6, 0x18, 0},
        {2, TCP, true, 38, 64, 40000, 443, 6, 0x18, 0},
        {3, UDP, false, 34, 48, 5353, 53, 17, 0, 0},
        {4, UDP, true, 38, 52, 5353, 53, 17, 0, 0},
        {5, ICMP, false, 34, 48, 0xBEEF, 0xBEEF, 1, 0, 8},
        {6, GRE, false, 34, 40, 0, 0, 47, 0, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(want); i++) {
        struct view v;
        build(&f, want[i].kind, "\1\1\1\1", want[i].options ? 4 : 0, 20);
        struct pkt p = exact(&f, f.n);
        assert_int_equal(view_parse_ip4(&v, &p), DROP_NONE);
        assert_int_equal(v.l3_off, 14);
        assert_int_equal(v.l4_off, want[i].l4_off);
        assert_int_equal(v.ip_bytes, want[i].ip_bytes);
        assert_int_equal(v.src, BE_IP4(192, 168, 8, 5));
        assert_int_equal(v.dst, BE_IP4(203, 0, 113, 9));
        assert_int_equal(ntoh16(v.sport), want[i].sport);
        assert_int_equal(ntoh16(v.dport), want[i].dport);
        assert_int_equal(v.proto, want[i].proto);
        assert_int_equal(v.tcp_flags, want[i].tcp_flags);
        assert_int_equal(v.icmp_type, want[i].icmp_type);
        assert_int_equal(v.ttl, 64);
        assert_int_equal(ntoh16(v.frag), 0x4000);
        assert_int_equal(v.has_options, want[i].options);
        assert_int_equal(v.icmp_inner_off, 0);
        assert_int_equal(v.fragment, FRAGMENT_NONE);
        free(p.data);
    }
}

static void test_icmp_types(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct view v;
        build(&f, ICMP, NULL, 0, 28);
        f.b[34] = (uint8_t)type;
        struct pkt p = exact(&f, f.n);
        assert_int_equal(view_parse_ip4(&v, &p), DROP_NONE);
        bool echo = type == 0 || type == 8;
        bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
        assert_int_equal(view_is_icmp_echo(&v), echo);
        assert_int_equal(view_is_icmp_error(&v), error);
        assert_int_equal(v.icmp_inner_off, error ? 42 : 0);
        assert_int_equal(ntoh16(v.sport), echo ? 0xBEEF : 0);
        assert_int_equal(ntoh16(v.dport), echo ? 0xBEEF : 0);
        free(p.data);
    }
}

/* The promises of parse.h, in other words than the parser's. */
static void assert_promises(const struct view *v, const struct pkt *p)
{
    const uint8_t *b = p->data;
    size_t hdr = (b[14] & 15u) * 4u, total = (size_t)b[16] << 8 | b[17];
    size_t offset = ((size_t)(b[20] & 0x1F) << 8 | b[21]) * 8;

    assert_int_equal(b[14] >> 4, 4);
    assert_int_equal(v->ip_bytes, total);
    assert_int_equal(v->l4_off, 14 + hdr);
    assert_true(hdr >= 20 && hdr <= total && total + 14 <= p->total_bytes && 14 + hdr <= p->len);
    assert_int_equal(frame_naive_sum(b + 14, hdr), 0xFFFF);
    assert_true(offset + total <= 65535);
    if (offset > 0)
        return;
    size_t room = MIN(total - hdr, p->len - 14 - hdr);
    const uint8_t *l4 = b + v->l4_off;
    if (v->proto == 6)
        assert_true(room >= 20 && l4[12] >> 4 >= 5 && room >= (l4[12] >> 4) * 4u);
    if (v->proto == 17) {
        size_t udp = (size_t)l4[4] << 8 | l4[5];
        assert_true(room >= 8 && udp >= 8 && ((b[20] & 0x20) || udp <= total - hdr));
    }
    if (v->proto == 1)
        assert_true(room >= 8);
}

static void test_random_damage(void **state)
{
    unsigned accepted = 0;

    (void)state;
    for (int round = 0; round < 60000; round++) {
        static const uint8_t options[12] = {7, 7, 4, 0, 0, 0, 0, 1, 0x44, 4, 5, 0};
        build(&f, rnd(4), options, rnd(4) * 4, rnd(3) ? rnd(80) : rnd(1400));
        for (unsigned n = rnd(4); n > 0; n--)
            f.b[14 + rnd(60)] = (uint8_t)(rnd(2) ? rnd(256) : f.b[14 + rnd(60)] ^ 1u << rnd(8));
        if (rnd(8))
            frame_fix_ip_csum(&f);
        f.n += rnd(3) ? 0 : rnd(20);
        f.n -= rnd(4) ? 0 : rnd((uint32_t)f.n);
        struct pkt p = exact(&f, rnd(3) ? f.n : rnd((uint32_t)f.n + 1));
        struct view v, w;
        memset(&v, 0xA5, sizeof(v));
        memset(&w, 0x5A, sizeof(w));
        enum drop_reason quick = view_parse_ip4(&v, &p), careful = view_parse_any_ip4(&w, &p);
        assert_int_equal(quick, careful);
        if (quick == DROP_NONE) {
            assert_memory_equal(&v, &w, sizeof(v));
            assert_promises(&v, &p);
            accepted++;
        }
        free(p.data);
    }
    assert_in_range(accepted, 10000, 50000); /* neither way was left out */
}

/* Common packets never take the careful way, whatever carries their header sum makes. */
static void test_quick_way_is_taken(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct view v;
        build(&f, rnd(2) ? TCP : UDP, NULL, 0, 12 + rnd(100));
        for (int at = 12; at < 20; at++) /* addresses */
            f.b[IP + at] = (uint8_t)(rnd(4) ? rnd(256) : 0xFF);
        for (int at = 4; at < 6; at++) /* identification */
            f.b[IP + at] = (uint8_t)(rnd(2) ? rnd(256) : 0xFF);
        frame_fix_ip_csum(&f);
        struct pkt p = exact(&f, f.n);
        careful_calls = 0;
        assert_int_equal(view_parse_ip4(&v, &p), DROP_NONE);
        assert_int_equal(careful_calls, 0);
        free(p.data);
    }
}

/* ICMP errors: a frame, its IP packet quoted in an error about it. */
struct inner_row {
    int id;
    enum drop_reason want;
    enum kind kind;
    const char *options; /* of the embedded packet */
    size_t option_bytes;
    size_t quoted; /* bytes of the embedded packet, counted from its transport header */
    struct {
        int at; /* 0 = none; from the embedded IP header + 1; 1000 + n: from its transport header */
        uint8_t value;
    } patch[4];
    uint8_t type;     /* of the error; 0 = 3 */
    uint8_t words;    /* RFC 4884 length */
    size_t extension; /* bytes behind the quote */
    size_t head;
    enum { OK, BAD_OUTER, BAD_INNER } sums;
    size_t bytes; /* expected in->bytes; 0 = all that is quoted */
    bool no_csum; /* expected: !csum_present */
    uint8_t frag_outer;
};
#define INNER(n) ((n) + 1)

static const struct inner_row inner_rows[] = {
    {1, DROP_NONE, TCP, .quoted = 8, .no_csum = true},
    {2, DROP_NONE, TCP, .quoted = 17, .no_csum = true},
    {3, DROP_NONE, TCP, .quoted = 18},
    {4, DROP_NONE, TCP, .quoted = 40},
    {5, DROP_NONE, UDP, .quoted = 8},
    {6, DROP_NONE, ICMP, .quoted = 8},
    {7, DROP_L4_HEADER, TCP, .quoted = 7},
    {8, DROP_L4_HEADER, UDP, .quoted = 0},
    {9, DROP_NONE, UDP, OPT("\1\1\1\1"), .quoted = 8},
    {10, DROP_NONE, TCP, OPT("\203\7\4\1\2\3\4\0"), .quoted = 20}, /* skipped, not judged */
    {11, DROP_L4_CSUM, UDP, .quoted = 20, .sums = BAD_OUTER},
    {12, DROP_L4_CSUM, UDP, .quoted = 20, .sums = BAD_INNER},
    {13, DROP_L4_HEADER, TCP, .quoted = 20, .patch = {{INNER(0), 0x65}}},
    {14, DROP_L4_HEADER, TCP, .quoted = 20, .patch = {{INNER(0), 0x44}}},
    {15, DROP_L4_HEADER, TCP, .quoted = 20, .patch = {{INNER(0), 0x4F}}},
    {16, DROP_L4_HEADER, TCP, .quoted = 20, .patch = {{INNER(2), 0}, {INNER(3), 27}}},
    {17, DROP_NONE, TCP, .quoted = 20, .patch = {{INNER(2), 0}, {INNER(3), 28}}, .bytes = 28,
     .no_csum = true},
    {18, DROP_NONE, TCP, .quoted = 20, .patch = {{INNER(2), 0xFF}, {INNER(3), 0xFF}}},
    {19, DROP_FRAGMENT, UDP, .quoted = 20, .patch = {{INNER(7), 1}}},
    {20, DROP_FRAGMENT, UDP, .quoted = 20, .patch = {{INNER(6), 0x3F}}},
    {21, DROP_NONE, UDP, .quoted = 20, .patch = {{INNER(6), 0x20}}}, /* a first fragment */
    {22, DROP_NONE, GRE, .quoted = 8, .no_csum = true},
    {23, DROP_PROTOCOL, ICMP, .quoted = 20, .patch = {{L4(0), 3}}},
    {24, DROP_NONE, ICMP, .quoted = 20, .patch = {{L4(0), 0}}},
    {25, DROP_NONE, TCP, .quoted = 20, .patch = {{L4(16), 0}}}, /* its checksum is not ours */
    {26, DROP_NONE, UDP, .quoted = 20, .type = 11},
    {27, DROP_NONE, UDP, .quoted = 20, .type = 4},
    {28, DROP_NONE, UDP, .quoted = 20, .type = 5},
    {29, DROP_NONE, UDP, .quoted = 20, .type = 12},
    {30, DROP_L4_HEADER, UDP, .quoted = 20, .type = 8},
    {31, DROP_NONE, UDP, .quoted = 108, .words = 32, .extension = 16, .bytes = 128},
    {32, DROP_NONE, UDP, .quoted = 108, .words = 200, .extension = 16},
    {33, DROP_L4_HEADER, UDP, .quoted = 108, .words = 6},
    {34, DROP_NONE, TCP, .quoted = 40, .words = 9, .type = 11, .bytes = 36, .no_csum = true},
    {35, DROP_NONE, TCP, .quoted = 40, .words = 9, .type = 5}, /* not for this type */
    {36, DROP_NONE, TCP, .quoted = 800, .head = 128},
    {37, DROP_NONE, TCP, .quoted = 800, .head = 79, .no_csum = true},
    {38, DROP_NONE, TCP, .quoted = 800, .head = 80},
    {39, DROP_L4_HEADER, TCP, .quoted = 800, .head = 69},
    {40, DROP_L4_HEADER, TCP, .quoted = 800, .head = 61},
    {41, DROP_L4_HEADER, TCP, .quoted = 800, .head = 42},
    {42, DROP_FRAGMENT, UDP, .quoted = 20, .frag_outer = 0x20},
};

static struct frame inner, outer;

static void build_error(const struct inner_row *r)
{
    build(&inner, r->kind, r->options, r->option_bytes, 1000);
    uint8_t *ip = inner.b + 14;
    for (unsigned i = 0; i < ARRAY_COUNT(r->patch); i++) {
        int at = r->patch[i].at;
        if (at != 0)
            ip[at >= 1000 ? (int)(inner.l4 - 14) + at - 1000 : at - 1] = r->patch[i].value;
    }
    frame_fix_ip_csum(&inner);
    if (r->sums == BAD_INNER)
        ip[10] ^= 1;
    build(&outer, ICMP, NULL, 0, 0);
    outer.b[34] = r->type ? r->type : 3;
    outer.b[39] = r->words;
    memcpy(outer.b + 42, ip, 20 + r->option_bytes + r->quoted);
    outer.n = 42 + 20 + r->option_bytes + r->quoted;
    memset(outer.b + outer.n, 0xE7, r->extension);
    outer.n += r->extension;
    outer.b[20] = r->frag_outer;
    while (r->frag_outer && (outer.n - 34) % 8 != 0)
        outer.b[outer.n++] = 0;
    frame_fix_lengths(&outer);
    frame_fix_ip_csum(&outer);
    frame_fix_l4_csum(&outer);
    if (r->sums == BAD_OUTER)
        outer.b[outer.n - 1] ^= 0x10;
    outer.b[outer.n++] = 0x77; /* padding, which no sum covers */
}

static void test_inner_rows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(inner_rows); i++) {
        const struct inner_row *r = &inner_rows[i];
        struct inner_view in;
        struct view v;
        build_error(r);
        size_t head = r->head ? r->head : outer.n;
        struct pkt p = exact(&outer, head);
        struct pkt rest = {.data = outer.b + head, .len = (uint32_t)(outer.n - head)};
        p.next = &rest; /* the sum runs over all of it */
        assert_int_equal(view_parse_ip4(&v, &p), DROP_NONE);
        memset(&in, 0xA5, sizeof(in));
        enum drop_reason got = view_parse_icmp_inner(&in, &v, &p);
        if (got != r->want)
            fail_msg("inner row %d: reason %d, not %d", r->id, got, r->want);
        if (got == DROP_NONE) {
            size_t bytes = r->bytes ? r->bytes : outer.n - 1 - 42;
            if (in.bytes != bytes)
                fail_msg("inner row %d: %u bytes, not %zu", r->id, in.bytes, bytes);
            if (in.csum_present == r->no_csum)
                fail_msg("inner row %d: checksum present: %d", r->id, in.csum_present);
            assert_int_equal(in.l3_off, 42);
            assert_int_equal(in.l4_off, 62 + r->option_bytes);
            assert_int_equal(in.src, BE_IP4(192, 168, 8, 5));
            assert_int_equal(in.dst, BE_IP4(203, 0, 113, 9));
            assert_int_equal(in.proto, outer.b[42 + 9]);
            static const uint16_t sports[] = {[TCP] = 40000, [UDP] = 5353, [ICMP] = 0xBEEF};
            static const uint16_t dports[] = {[TCP] = 443, [UDP] = 53, [ICMP] = 0xBEEF};
            assert_int_equal(ntoh16(in.sport), r->kind == GRE ? 0 : sports[r->kind]);
            assert_int_equal(ntoh16(in.dport), r->kind == GRE ? 0 : dports[r->kind]);
        }
        free(p.data);
    }
}

static void test_inner_random(void **state)
{
    unsigned accepted = 0;

    (void)state;
    for (int round = 0; round < 30000; round++) {
        struct inner_row r = {.kind = rnd(3), .quoted = 8 + rnd(80), .words = (uint8_t)rnd(3)};
        struct inner_view in;
        struct view v;
        r.words = r.words == 1 ? (uint8_t)rnd(40) : 0;
        build_error(&r);
        for (unsigned n = rnd(4); n > 0; n--)
            outer.b[34 + rnd(40)] = (uint8_t)rnd(256);
        if (rnd(4)) {
            memcpy(inner.b + 14, outer.b + 42, 60);
            frame_fix_ip_csum(&inner);
            memcpy(outer.b + 42, inner.b + 14, 20);
            outer.n--;
            frame_fix_l4_csum(&outer);
        }
        struct pkt p = exact(&outer, outer.n);
        if (view_parse_ip4(&v, &p) == DROP_NONE &&
            view_parse_icmp_inner(&in, &v, &p) == DROP_NONE) {
            accepted++;
            assert_true(in.l4_off + 8u <= p.len && in.l4_off + 8 <= in.l3_off + in.bytes);
            assert_true(in.l3_off + in.bytes <= 14 + v.ip_bytes);
            if (in.csum_present)
                assert_true(in.l4_off + (in.proto == 6    ? 18
                                         : in.proto == 17 ? 8
                                                          : 4) <=
                            in.l3_off + in.bytes);
            bool known = in.proto == 1 || in.proto == 6 || in.proto == 17;
            assert_true(known || (!in.sport && !in.dport && !in.csum_present));
        }
        free(p.data);
    }
    assert_in_range(accepted, 5000, 29000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_icmp_types),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_quick_way_is_taken),
        cmocka_unit_test(test_inner_rows),
        cmocka_unit_test(test_inner_random),
    };
    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
