/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/fragment.c, net/fragment_ranges.c and net/datagram_id.c: later fragments find the ports of
 * their first one, and only theirs, whichever comes first, for as long as promised; a flood costs
 * the flooder; which bytes have come is known exactly; and identifications do not repeat.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/datagram_id.h"
#include "net/fragment.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"

#define INSIDE  0
#define UPLINK  16
#define BUFFERS 2048
#define REMOTE  BE_IP4(198, 51, 100, 1)

static struct fragment_table table;
static struct pkt_pool pool;
static uint8_t buffers[BUFFERS * PKT_BUF_BYTES] __attribute__((aligned(CACHE_LINE_BYTES)));
static uint32_t now_ms;
static uint64_t given_up[DROP_REASON_COUNT];
static be16 matched_id;

static const struct hash_key key = {
    {0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1}};

static void on_give_up(void *arg, struct pkt *p, enum drop_reason why)
{
    assert_ptr_equal(arg, &pool);
    given_up[why]++;
    pkt_free(p);
}

static int setup(void **state)
{
    (void)state;
    memset(given_up, 0, sizeof(given_up));
    pkt_pool_init(&pool, buffers, BUFFERS);
    now_ms = 0xFFFFFFFFu - 10000; /* the clock wraps soon */
    return fragment_init(&table, &key, &pool, UPLINK, on_give_up, &pool, fake_alloc);
}

static int teardown(void **state)
{
    struct fragment_held held;

    (void)state;
    while (fragment_take(&table, &held))
        pkt_free(held.p);
    now_ms += FRAGMENT_KEEP_MS;
    fragment_tick(&table, now_ms);
    assert_int_equal(table.live, 0);
    assert_int_equal(table.held, 0);
    assert_int_equal(fragment_next_ms(&table, now_ms), UINT32_MAX);
    assert_int_equal(pool.free_count, pool.count);
    fake_alloc_free_all();
    return 0;
}

struct piece {
    be32 src;
    uint16_t id, from, to; /* to 0: from + 1 */
    bool last;
    uint8_t zone;
};

static struct fragment_key key_of(const struct piece *f)
{
    return (struct fragment_key){f->src, REMOTE, hton16(f->id), IP_PROTO_UDP, f->zone};
}

static struct view view_of(const struct piece *f)
{
    unsigned units = f->to ? (unsigned)(f->to - f->from) : 1;
    return (struct view){.l3_off = 14,
                         .l4_off = 34,
                         .ip_bytes = (uint16_t)(20 + 8 * units),
                         .frag = hton16((uint16_t)(f->from | (f->last ? 0 : 0x2000)))};
}

/* The first fragment, whose source port is the datagram's number. */
static enum drop_reason note(struct piece f)
{
    struct fragment_key k = key_of(&f);
    struct view v = view_of(&f);
    v.sport = f.id;
    return fragment_note(&table, &k, &v, hton16((uint16_t)(f.id ^ 0x5555)), now_ms);
}

static enum drop_reason match(struct piece f)
{
    struct fragment_key k = key_of(&f);
    struct view v = view_of(&f);
    enum drop_reason why = fragment_match(&table, &k, &v, &matched_id, now_ms);
    if (!why) {
        assert_int_equal(v.sport, f.id);
        assert_int_equal(matched_id, hton16((uint16_t)(f.id ^ 0x5555)));
    }
    return why;
}

/* As the dataplane does it. */
static enum drop_reason pass(struct piece f)
{
    struct fragment_key k = key_of(&f);
    struct view v = view_of(&f);
    enum drop_reason why = f.from == 0 ? note(f) : match(f);
    if (why != DROP_FRAGMENT)
        return why;
    struct fragment_held held = {.p = pkt_alloc(&pool)};
    assert_non_null(held.p);
    held.p->port = (uint8_t)f.from;
    fragment_hold(&table, &k, &v, &held, now_ms);
    return DROP_FRAGMENT;
}

#define A                BE_IP4(192, 168, 8, 2)
#define B                BE_IP4(192, 168, 8, 3)
#define F(s, n, ...)     ((struct piece){.src = s, .id = (uint16_t)(n), __VA_ARGS__})
#define IS(call, reason) assert_int_equal(call, DROP_##reason)

static void test_only_its_own(void **state)
{
    (void)state;
    IS(note(F(A, 100, .from = 0)), NONE);
    IS(match(F(A, 100, .from = 1)), NONE);
    IS(match(F(B, 100, .from = 2)), FRAGMENT);
    IS(match(F(A, 101, .from = 2)), FRAGMENT);
    IS(match(F(A, 100, .from = 2, .zone = 1)), FRAGMENT);
    IS(match(F(A, 100, .from = 2, .zone = UPLINK)), FRAGMENT);
    IS(note(F(A, 100, .from = 0)), FRAGMENT_TWICE);
    IS(match(F(A, 100, .from = 1)), FRAGMENT_TWICE);
    IS(match(F(A, 100, .from = 2, .last = true)), NONE);
    IS(match(F(A, 100, .from = 3)), FRAGMENT); /* it was whole, and is forgotten */
    IS(note(F(A, 100, .from = 0)), NONE);      /* the identification came round */
    IS(match(F(A, 100, .from = 1, .last = true)), NONE);
    assert_int_equal(table.live, 0);
}

/* What is early waits, and comes out in the order it came in. */
static void test_early(void **state)
{
    struct fragment_held held;

    (void)state;
    for (uint16_t at = 5; at > 0; at--)
        IS(pass(F(A, 7, .from = at, .last = at == 5)), FRAGMENT);
    IS(pass(F(A, 7, .from = 3)), FRAGMENT); /* twice */
    assert_int_equal(given_up[DROP_FRAGMENT_TWICE], 1);
    assert_int_equal(table.held, 5);
    assert_false(fragment_is_ready(&table));
    IS(pass(F(A, 7, .from = 0)), NONE);
    for (uint16_t at = 5; at > 0; at--) {
        assert_true(fragment_take(&table, &held));
        assert_int_equal(held.p->port, at);
        pkt_free(held.p);
        IS(match(F(A, 7, .from = at, .last = at == 5)), NONE);
    }
    assert_false(fragment_take(&table, &held));
    assert_int_equal(table.live, 0);
}

static void test_time(void **state)
{
    (void)state;
    IS(note(F(A, 100, .from = 0)), NONE);
    assert_int_equal(fragment_next_ms(&table, now_ms), FRAGMENT_KEEP_MS);
    now_ms += FRAGMENT_KEEP_MS - 1; /* across the wrap */
    assert_int_equal(fragment_tick(&table, now_ms), 0);
    IS(match(F(A, 100, .from = 1)), NONE);
    now_ms++;
    IS(match(F(A, 100, .from = 2)), FRAGMENT);
    IS(pass(F(B, 5, .from = 1)), FRAGMENT);
    IS(note(F(A, 6, .from = 0)), NONE);
    assert_int_equal(fragment_next_ms(&table, now_ms), FRAGMENT_WAIT_MS);
    now_ms += FRAGMENT_WAIT_MS;
    assert_int_equal(fragment_next_ms(&table, now_ms), 0);
    assert_int_equal(fragment_tick(&table, now_ms), 1);
    assert_int_equal(given_up[DROP_FRAGMENT_ALONE], 1);
    assert_int_equal(fragment_next_ms(&table, now_ms), FRAGMENT_KEEP_MS - FRAGMENT_WAIT_MS);
    now_ms += FRAGMENT_KEEP_MS;
    assert_int_equal(fragment_tick(&table, now_ms), 1);
    now_ms += 0u - FRAGMENT_KEEP_MS; /* all the way round */
    IS(match(F(A, 6, .from = 1)), FRAGMENT);
}

/* Order of arrival, as from-to with ! for the last one, and what becomes of each: . passes, w
 * waits, 2 dropped for having come, o for the overlap; a small letter in upper case: so does what
 * waited.
 */
static void test_overlaps(void **state)
{
    static const struct {
        int id;
        struct {
            uint16_t from, to;
            bool last;
            enum drop_reason why;
        } f[5];
        unsigned given_up;
    } rows[] = {
        {1, {{0, 4, 0, 0}, {2, 6, 0, DROP_FRAGMENT_OVERLAP}, {6, 8, 1, DROP_FRAGMENT_OVERLAP}}, 0},
        {2, {{0, 4, 0, 0}, {6, 8, 0, 0}, {4, 7, 0, DROP_FRAGMENT_OVERLAP}}, 0},
        {3, {{0, 4, 0, 0}, {6, 8, 0, 0}, {5, 9, 1, DROP_FRAGMENT_OVERLAP}}, 0},
        {4, {{0, 4, 0, 0}, {4, 8, 0, 0}, {5, 7, 0, DROP_FRAGMENT_TWICE}, {8, 9, 1, 0}}, 0},
        {5, {{0, 4, 0, 0}, {4, 8, 1, 0}}, 0},
        {6, {{0, 4, 0, 0}, {6, 8, 1, 0}, {8, 9, 0, DROP_FRAGMENT_OVERLAP}}, 0},
        {7, {{0, 4, 0, 0}, {6, 8, 1, 0}, {4, 8, 0, DROP_FRAGMENT_OVERLAP}}, 0},
        {8, {{0, 4, 0, 0}, {8, 9, 0, 0}, {6, 8, 1, DROP_FRAGMENT_OVERLAP}}, 0},
        {9, {{0, 4, 0, 0}, {6, 8, 1, 0}, {4, 5, 1, DROP_FRAGMENT_OVERLAP}}, 0},
        {10, {{0, 4, 0, 0}, {4, 8, 0, 0}, {6, 8, 1, DROP_FRAGMENT_OVERLAP}}, 0},
        /* Among those that wait, and with the first one. */
        {11,
         {{4, 8, 0, DROP_FRAGMENT}, {6, 9, 0, DROP_FRAGMENT}, {0, 4, 0, DROP_FRAGMENT_OVERLAP}},
         2},
        {12,
         {{4, 8, 0, DROP_FRAGMENT},
          {8, 9, 1, DROP_FRAGMENT},
          {0, 5, 0, DROP_FRAGMENT_OVERLAP},
          {9, 10, 0, DROP_FRAGMENT_OVERLAP}},
         2},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t before = given_up[DROP_FRAGMENT_OVERLAP];
        for (unsigned k = 0; k < 5 && rows[i].f[k].to; k++) {
            enum drop_reason why = pass(F(A, (uint16_t)rows[i].id, .from = rows[i].f[k].from,
                                          .to = rows[i].f[k].to, .last = rows[i].f[k].last));
            if (why != rows[i].f[k].why)
                fail_msg("row %d.%u: reason %u", rows[i].id, k, why);
        }
        if (given_up[DROP_FRAGMENT_OVERLAP] - before != rows[i].given_up)
            fail_msg("row %d: others given up", rows[i].id);
    }
}

/* A table of bits says the same. */
static void test_ranges_model(void **state)
{
    (void)state;
    for (unsigned run = 0; run < 20000; run++) {
        struct fragment_ranges r = {0};
        uint8_t covered[64] = {0};
        unsigned end = 0, runs = 0;
        for (unsigned n = 0; n < 40; n++) {
            unsigned from = rnd(60), to = from + 1 + rnd(run % 4 ? 2 : 8), there = 0, top = 0;
            bool last = rnd(12) == 0;
            to = MIN(to, 64u);
            for (unsigned i = from; i < to; i++)
                there += covered[i];
            for (unsigned i = 0; i < 64; i++)
                top = covered[i] ? i + 1 : top;
            bool wrong = end ? (last ? to != end : to >= end) : last && top >= to;
            enum fragment_fit want = wrong                ? FRAGMENT_OVERLAPS
                                     : there == to - from ? FRAGMENT_TWICE
                                     : there > 0          ? FRAGMENT_OVERLAPS
                                                          : FRAGMENT_FITS;
            assert_int_equal(fragment_ranges_add(&r, (uint16_t)from, (uint16_t)to, last), want);
            if (want != FRAGMENT_FITS)
                continue;
            memset(covered + from, 1, to - from);
            end = last ? to : end;
            runs = 0;
            for (unsigned i = 0; i < 64; i++)
                runs += covered[i] && (i == 0 || !covered[i - 1]);
            assert_int_equal(r.count, runs);
            assert_int_equal(fragment_ranges_whole(&r),
                             end && runs == 1 && covered[0] && covered[end - 1]);
        }
    }
    struct fragment_ranges r = {0};
    for (uint16_t i = 0; i < FRAGMENT_RANGES_MAX; i++)
        assert_int_equal(fragment_ranges_add(&r, (uint16_t)(2 * i), (uint16_t)(2 * i + 1), false),
                         FRAGMENT_FITS);
    assert_int_equal(fragment_ranges_add(&r, 100, 101, false), FRAGMENT_NO_RANGE);
    assert_int_equal(fragment_ranges_add(&r, 1, 2, false), FRAGMENT_FITS);
    assert_int_equal(fragment_ranges_add(&r, 100, 101, true), FRAGMENT_FITS);
}

/* RFC 4787 REQ-14: 10^6 fragments of every kind from one host cost no other anything. */
static void test_u14_flood_costs_others_nothing(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        for (uint32_t host = 10; host < 110; host++) {
            IS(note(F(BE_IP4(10, 0, 0, 0) + (host << 24), 1, .from = 0)), NONE);
            if (host < 14) /* four that wait, in buffers enough */
                for (uint16_t at = 1; at < 20; at++)
                    IS(pass(F(BE_IP4(10, 0, 0, 0) + (host << 24), 2, .from = at)), FRAGMENT);
        }
        for (uint32_t n = 0; n < 333334; n++) {
            uint16_t id = (uint16_t)(100 + n % 60000);
            bool first = kind == 0 || (kind == 2 && n % 2);
            pass(F(A, id, .from = first ? 0 : (uint16_t)(1 + n % 3000)));
            assert_true(pool.free_count >= BUFFERS - FRAGMENT_HELD_ALL);
            struct fragment_held held;
            while (fragment_take(&table, &held))
                pkt_free(held.p);
        }
        for (uint32_t host = 10; host < 110; host++)
            IS(match(F(BE_IP4(10, 0, 0, 0) + (host << 24), 1, .from = 1, .last = true)), NONE);
        struct fragment_held held;
        for (uint32_t host = 10; host < 14; host++) {
            IS(note(F(BE_IP4(10, 0, 0, 0) + (host << 24), 2, .from = 0)), NONE);
            for (uint16_t at = 1; at < 20; at++) {
                assert_true(fragment_take(&table, &held));
                pkt_free(held.p);
                IS(match(F(BE_IP4(10, 0, 0, 0) + (host << 24), 2, .from = at, .last = at == 19)),
                   NONE);
            }
        }
    }
}

/* From outside, forged sources without number cost only each other: neither those whose datagrams
 * belong to flows, nor anybody inside. */
static void test_u14_strangers(void **state)
{
    struct fragment_held held;

    (void)state;
    for (uint32_t n = 0; n < 100; n++)
        IS(note(F(BE_IP4(9, 0, 0, 0) + (n << 24), 1, .zone = UPLINK)), NONE);
    for (uint16_t at = 1; at < 100; at++)
        IS(pass(F(A, 2, .from = at)), FRAGMENT);
    for (uint32_t n = 0; n < 300000; n++)
        pass(F(rnd(UINT32_MAX), (uint16_t)rnd(65536), .from = (uint16_t)(1 + rnd(8000)),
               .zone = UPLINK));
    for (uint32_t n = 0; n < 100; n++)
        IS(match(F(BE_IP4(9, 0, 0, 0) + (n << 24), 1, .from = 1, .zone = UPLINK)), NONE);
    IS(note(F(A, 2, .from = 0)), NONE);
    for (uint16_t at = 1; at < 100; at++) {
        assert_true(fragment_take(&table, &held));
        assert_int_equal(held.p->port, at);
        pkt_free(held.p);
    }
    assert_true(given_up[DROP_FRAGMENT_FULL] > 299000);
}

/* The limits of one datagram, one source, all. */
static void test_limits(void **state)
{
    (void)state;
    for (uint16_t at = 1; at < 200; at++)
        pass(F(A, 1, .from = at));
    assert_int_equal(table.held, FRAGMENT_HELD_DATAGRAM);
    assert_int_equal(given_up[DROP_FRAGMENT_FULL], 199 - FRAGMENT_HELD_DATAGRAM);
    for (uint16_t at = 1; at <= 64; at++)
        pass(F(A, 2, .from = at));
    assert_int_equal(table.held, FRAGMENT_HELD_SOURCE);
    now_ms++;
    pass(F(A, 3, .from = 1)); /* the oldest of the host's gives way */
    assert_int_equal(table.held, 65);
    for (uint32_t n = 0; n < 40; n++)
        for (uint16_t at = 1; at < 12; at++)
            pass(F(BE_IP4(10, 0, 0, 0) + (n << 24), 1, .from = at));
    assert_true(table.held <= FRAGMENT_HELD_REGION);
    assert_true(table.held > FRAGMENT_HELD_REGION - 65);
    while (pool.free_count > BUFFERS / 4) /* somebody else needs them */
        assert_non_null(pkt_alloc(&pool));
    uint32_t before = pool.free_count;
    for (uint32_t n = 0; n < 40; n++) {
        struct piece f = F(BE_IP4(10, 0, 1, 0) + (n << 24), 1, .from = 1);
        pass(f);
        assert_true(pool.free_count >= before - 1);
    }
    now_ms += FRAGMENT_WAIT_MS;
    fragment_tick(&table, now_ms);
    setup(NULL); /* with all buffers */
}

/* R6, RFC 6864: to one destination no identification comes twice in 65,535, and not in order. */
static void test_r6_ids(void **state)
{
    static struct datagram_ids ids;
    static uint8_t seen[65536];
    unsigned in_order = 0;
    be16 before = 0;

    (void)state;
    ids.key = key;
    for (unsigned n = 0; n < 65535; n++) {
        be16 id = datagram_id_next(&ids, A, REMOTE, IP_PROTO_UDP);
        datagram_id_next(&ids, A, B, IP_PROTO_UDP); /* another, which may share the counter */
        assert_int_not_equal(id, 0);
        seen[id]++;
        in_order += ntoh16(id) == ntoh16(before) + 1;
        before = id;
    }
    for (unsigned n = 1; n < 65536; n++)
        assert_int_equal(seen[n], 1);
    assert_true(in_order < 20);
    assert_int_not_equal(datagram_id_next(&ids, A, REMOTE, IP_PROTO_UDP),
                         datagram_id_next(&ids, B, REMOTE, IP_PROTO_UDP));
    uint8_t ip[20] = {0x45, 0, 1, 2, 0xAB, 0xCD, 0x20, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    store_raw16(ip + 10, csum_of(ip, 20));
    datagram_set_id(ip, BE16(0x1234));
    assert_int_equal(csum_fold(csum_add(0, ip, 20)), 0xFFFF);
    assert_int_equal(ip[4] << 8 | ip[5], 0x1234);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_only_its_own),  TEST(test_early),
        TEST(test_time),          TEST(test_overlaps),
        TEST(test_ranges_model),  TEST(test_u14_flood_costs_others_nothing),
        TEST(test_u14_strangers), TEST(test_limits),
        TEST(test_r6_ids),
    };
    return cmocka_run_group_tests_name("fragment", tests, NULL, NULL);
}
