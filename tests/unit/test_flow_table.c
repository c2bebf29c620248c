/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/flow_table.c: both tuples find a flow and nothing else does; expiry at the deadline, compared
 * with a list of deadlines over random times, across the wrap of the 32-bit clock, and with small
 * budgets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/flow_table.h"
#include "net/wire/csum.h"
#include "net/wire/ip4.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"

#include <stdlib.h>

static struct flow_table t;
static struct hash_key key;

static void start(uint32_t capacity, uint32_t now_ms)
{
    uint8_t random[32];
    for (unsigned i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)rnd(256);
    hash_key_init(&key, random);
    assert_int_equal(flow_table_init(&t, capacity, &key, now_ms, fake_alloc, fake_alloc_dirty), 0);
    assert_int_equal(flow_table_bytes(capacity), fake_alloc_bytes);
    for (unsigned i = 0; i < FLOW_STATE_COUNT; i++)
        t.timeout_ms[i] = 10000 * i;
    t.timeout_ms[FLOW_TCP_ESTABLISHED] = 7440000;
}

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

static struct flow like_number(uint32_t n)
{
    return (struct flow){
        .in_ip = BE_IP4(192, 168, 8, 2) + (n & 0xFF),
        .rem_ip = BE_IP4(198, 51, 0, 0) + (n >> 16 << 16),
        .out_ip = BE_IP4(203, 0, 113, 9),
        .in_port = (be16)(n ^ 0x5555),
        .rem_port = BE16(443),
        .out_port = (be16)n,
        .proto = n & 1 ? IP_PROTO_TCP : IP_PROTO_UDP,
        .zone = (uint8_t)(n >> 4 & 3),
        .rem_zone = NETWORK_UPLINK,
    };
}

static struct flow *find(const struct flow *like, enum flow_dir dir)
{
    struct flow_tuple k = flow_tuple_of(like, dir);
    return flow_find(&t, &k, flow_hash(&t, &k), dir);
}

static void test_found_by_either_tuple_only(void **state)
{
    (void)state;
    start(100, 0);
    struct flow like = like_number(0x123456);
    struct flow *f = flow_create(&t, &like, FLOW_UDP_ONE_WAY, 5);
    assert_non_null(f);
    assert_ptr_equal(find(&like, FLOW_OUT), f);
    assert_ptr_equal(find(&like, FLOW_IN), f);

    /* One field different: not found. in_ip, in_port and zone do not matter inbound, nor out_ip,
     * out_port and rem_zone outbound. */
    for (unsigned field = 0; field < 9; field++) {
        struct flow other = like;
        other.in_ip ^= field == 0 ? 0x01000000 : 0;
        other.rem_ip ^= field == 1 ? 0x01000000 : 0;
        other.out_ip ^= field == 2 ? 0x01000000 : 0;
        other.in_port ^= field == 3 ? 1 : 0;
        other.rem_port ^= field == 4 ? 1 : 0;
        other.out_port ^= field == 5 ? 0x8000 : 0;
        other.proto ^= field == 6 ? 1 : 0;
        other.zone ^= field == 7 ? 1 : 0;
        other.rem_zone ^= field == 8 ? 1 : 0;
        bool out_same = field == 2 || field == 5 || field == 8;
        bool in_same = field == 0 || field == 3 || field == 7;
        assert_int_equal(find(&other, FLOW_OUT) == f, out_same);
        assert_int_equal(find(&other, FLOW_IN) == f, in_same);
        /* The full comparison alone must say the same, whatever the hash does. */
        struct flow_tuple out = flow_tuple_of(&other, FLOW_OUT),
                          in = flow_tuple_of(&other, FLOW_IN);
        assert_int_equal(flow_is(f, &out, FLOW_OUT), out_same);
        assert_int_equal(flow_is(f, &in, FLOW_IN), in_same);
        enum flow_dir dir;
        assert_int_equal(flow_find_either(&t, &out, flow_hash(&t, &out), &dir) == f, out_same);
        assert_true(!out_same || dir == FLOW_OUT);
        assert_int_equal(flow_find_either(&t, &in, flow_hash(&t, &in), &dir) == f, in_same);
        assert_true(!in_same || dir == FLOW_IN);
    }

    /* Either tuple taken: refused, and nothing left behind. */
    struct flow same_out = like, same_in = like;
    same_out.out_port ^= 1;
    same_in.in_port ^= 1;
    assert_null(flow_create(&t, &same_out, FLOW_UDP_ONE_WAY, 5));
    assert_null(flow_create(&t, &same_in, FLOW_UDP_ONE_WAY, 5));
    /* Its outbound tuple is the other's inbound one. */
    struct flow turned = {.in_ip = like.rem_ip,
                          .rem_ip = like.out_ip,
                          .out_ip = 1,
                          .in_port = like.rem_port,
                          .rem_port = like.out_port,
                          .proto = like.proto,
                          .zone = like.rem_zone};
    assert_null(flow_create(&t, &turned, FLOW_UDP_ONE_WAY, 5));
    assert_int_equal(t.live, 1);
    assert_int_equal(t.index.used, 2);

    flow_destroy(&t, f);
    assert_null(find(&like, FLOW_OUT));
    assert_null(find(&like, FLOW_IN));
    assert_int_equal(t.live, 0);
    assert_int_equal(t.index.used, 0);
}

static void test_deltas(void **state)
{
    (void)state;
    start(10, 0);
    struct flow like = like_number(77);
    struct flow *f = flow_create(&t, &like, FLOW_UDP_ONE_WAY, 0);
    assert_int_equal(f->l3_delta, csum_fold(csum_delta32(like.in_ip, like.out_ip)));
    assert_int_equal(f->l4_delta, csum_fold(csum_delta32(like.in_ip, like.out_ip) +
                                            csum_delta16(like.in_port, like.out_port)));
    like.proto = IP_PROTO_ICMP;
    f = flow_create(&t, &like, FLOW_ICMP, 0);
    assert_int_equal(f->l4_delta, csum_fold(csum_delta16(like.in_port, like.out_port)));
}

static void test_full(void **state)
{
    (void)state;
    start(1000, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        struct flow like = like_number(i);
        assert_non_null(flow_create(&t, &like, FLOW_UDP_ONE_WAY, 0));
    }
    struct flow like = like_number(1000);
    assert_null(flow_create(&t, &like, FLOW_UDP_ONE_WAY, 0));
    assert_int_equal(t.refused, 1);
    struct flow victim = like_number(500);
    flow_destroy(&t, find(&victim, FLOW_IN));
    assert_non_null(flow_create(&t, &like, FLOW_UDP_ONE_WAY, 0));
}

static void test_bad_capacity(void **state)
{
    (void)state;
    assert_int_equal(flow_table_init(&t, 0, &key, 0, fake_alloc, fake_alloc_dirty), -EINVAL);
    assert_int_equal(
        flow_table_init(&t, FLOW_CAPACITY_MAX + 1, &key, 0, fake_alloc, fake_alloc_dirty), -EINVAL);
    fake_alloc_limit = flow_table_bytes(1000) - 1;
    assert_int_equal(flow_table_init(&t, 1000, &key, 0, fake_alloc, fake_alloc_dirty), -ENOMEM);
}

static unsigned gone_count;

static void count_gone(void *arg, struct flow *f)
{
    (void)arg;
    (void)f;
    gone_count++;
}

/* Rows: a flow made at 0 in a state, refreshed at, and whether it is there when asked. */
static void test_expiry_rows(void **state)
{
    (void)state;
    static const struct {
        enum flow_state state;
        uint32_t refreshed_ms, asked_ms;
        bool there;
    } rows[] = {
        {FLOW_UDP_ONE_WAY, 0, 9999, true},
        {FLOW_UDP_ONE_WAY, 0, 10000 + FLOW_TICK_MS, false},
        {FLOW_UDP_ONE_WAY, 9000, 18999, true},
        {FLOW_UDP_ONE_WAY, 9000, 19000 + FLOW_TICK_MS, false},
        {FLOW_TCP_ESTABLISHED, 0, 7439999, true},
        {FLOW_TCP_ESTABLISHED, 0, 7440000 + FLOW_TICK_MS, false},
        {FLOW_TCP_ESTABLISHED, 7439000, 14878999, true},
        {FLOW_TCP_ESTABLISHED, 7439000, 14879000 + FLOW_TICK_MS, false},
    };
    static const uint32_t starts[] = {0,
                                      1,
                                      511,
                                      512,
                                      4123456,
                                      0xFFFFFFFF,
                                      0xFFFFFE00,
                                      (uint32_t)-10000,
                                      (uint32_t)-7440000,
                                      0x7FFFFFFF};
    for (unsigned i = 0; i < ARRAY_COUNT(rows) * ARRAY_COUNT(starts); i++) {
        uint32_t t0 = starts[i / ARRAY_COUNT(rows)];
        unsigned row = i % ARRAY_COUNT(rows);
        start(10, t0);
        struct flow like = like_number(i);
        struct flow *f = flow_create(&t, &like, rows[row].state, t0);
        flow_expire(&t, t0 + rows[row].refreshed_ms, 100, count_gone, NULL);
        f->last_ms = t0 + rows[row].refreshed_ms;
        flow_expire(&t, t0 + rows[row].asked_ms, 100, count_gone, NULL);
        assert_int_equal(find(&like, FLOW_OUT) != NULL, rows[row].there);
        fake_alloc_free_all();
    }
}

static void test_shorter_state_is_sooner(void **state)
{
    (void)state;
    start(10, 0);
    struct flow like = like_number(3);
    struct flow *f = flow_create(&t, &like, FLOW_TCP_ESTABLISHED, 0);
    f->last_ms = 1000;
    flow_set_state(&t, f, FLOW_TCP_CLOSING);
    uint32_t deadline_ms = 1000 + t.timeout_ms[FLOW_TCP_CLOSING];
    assert_in_range(flow_next_deadline_ms(&t, 1000), deadline_ms - 1000,
                    deadline_ms - 1000 + FLOW_TICK_MS);
    flow_expire(&t, deadline_ms - 1, 100, count_gone, NULL);
    assert_int_equal(t.live, 1);
    flow_expire(&t, deadline_ms + FLOW_TICK_MS, 100, count_gone, NULL);
    assert_int_equal(t.live, 0);
}

static void test_idle_wheel(void **state)
{
    (void)state;
    start(10, 0);
    assert_int_equal(flow_next_deadline_ms(&t, 0), UINT32_MAX);
    /* Forty days later nobody has turned the wheel; the first flow must not be late for it. */
    uint32_t now_ms = 40u * 86400 * 1000;
    struct flow like = like_number(3);
    flow_create(&t, &like, FLOW_UDP_ONE_WAY, now_ms);
    assert_in_range(flow_next_deadline_ms(&t, now_ms), 10000, 10000 + FLOW_TICK_MS);
    flow_expire(&t, now_ms + 10000 + FLOW_TICK_MS, 1, count_gone, NULL);
    assert_int_equal(t.live, 0);
}

/* A flow with an early deadline that comes after the wheel has looked at a late one. */
static void test_early_after_late(void **state)
{
    (void)state;
    start(10, 0);
    struct flow late = like_number(3), early = like_number(4);
    flow_create(&t, &late, FLOW_TCP_ESTABLISHED, 0);
    flow_expire(&t, 5000, 100, count_gone, NULL);
    flow_create(&t, &early, FLOW_UDP_ONE_WAY, 5000);
    flow_expire(&t, 15000 + FLOW_TICK_MS, 100, count_gone, NULL);
    assert_null(find(&early, FLOW_OUT));
    assert_non_null(find(&late, FLOW_OUT));
}

/* ---- random events against a list of deadlines ---- */

#define MODEL 3000

static struct model_flow {
    bool live;
    struct flow like;
    struct flow *f;
    uint32_t deadline_ms;
} model[MODEL];
static uint32_t model_now_ms;

static void model_gone(void *arg, struct flow *f)
{
    unsigned *count = arg;
    for (unsigned i = 0; i < MODEL; i++) {
        if (model[i].live && model[i].f == f) {
            assert_true((int32_t)(model_now_ms - model[i].deadline_ms) >= 0);
            model[i].live = false;
            ++*count;
            return;
        }
    }
    fail();
}

static void model_event(unsigned i, uint32_t now_ms)
{
    static const enum flow_state states[] = {FLOW_UDP_ONE_WAY, FLOW_TCP_OPENING, FLOW_UDP_STREAM,
                                             FLOW_TCP_ESTABLISHED, FLOW_ICMP};
    struct model_flow *m = &model[i];
    enum flow_state state = PICK(states);

    if (!m->live) {
        m->like = like_number(i * 7919);
        m->f = flow_create(&t, &m->like, state, now_ms);
        assert_non_null(m->f);
        m->live = true;
    } else if (rnd(4) == 0) {
        flow_destroy(&t, m->f);
        m->live = false;
        return;
    } else {
        m->f->last_ms = now_ms;
        if (rnd(2))
            flow_set_state(&t, m->f, state);
    }
    m->deadline_ms = now_ms + t.timeout_ms[m->f->state];
}

static void test_random_times(void **state)
{
    (void)state;
    unsigned expired = 0, live;

    model_now_ms = 0xFFFFFFFFu - 4000000u; /* the wrap comes on the way */
    start(MODEL, model_now_ms);
    t.timeout_ms[FLOW_TCP_ESTABLISHED] = 744000;
    memset(model, 0, sizeof(model));
    for (unsigned step = 0; step < 30000; step++) {
        model_now_ms += rnd(20) == 0 ? rnd(60000) : rnd(400);
        for (unsigned n = rnd(12); n > 0; n--)
            model_event(rnd(MODEL), model_now_ms);
        bool all = rnd(4) == 0;
        flow_expire(&t, model_now_ms, all ? UINT32_MAX : rnd(5), model_gone, &expired);
        if (!all)
            continue;
        live = 0;
        for (unsigned i = 0; i < MODEL; i++) {
            if (!model[i].live)
                continue;
            live++;
            assert_true((int32_t)(model_now_ms - model[i].deadline_ms) < (int32_t)FLOW_TICK_MS);
            if (step % 100 == 0) {
                assert_ptr_equal(find(&model[i].like, FLOW_OUT), model[i].f);
                assert_ptr_equal(find(&model[i].like, FLOW_IN), model[i].f);
            }
        }
        assert_int_equal(live, t.live);
        assert_int_equal(t.index.used, 2 * live);
    }
    assert_true(expired > 10000);
    assert_int_equal(t.expired, expired);
}

/* Sleeping exactly as long as flow_next_deadline_ms says must expire everything, and promptly. */
static void test_sleeping_by_the_deadline(void **state)
{
    (void)state;
    uint32_t now_ms = 0xFFFF0000u;
    unsigned wakes = 0;

    start(1000, now_ms);
    for (uint32_t i = 0; i < 1000; i++) {
        struct flow like = like_number(i);
        flow_create(&t, &like, i % 2 ? FLOW_TCP_ESTABLISHED : FLOW_ICMP, now_ms + i * 10);
    }
    gone_count = 0;
    now_ms += 10000;
    while (t.live > 0) {
        uint32_t sleep_ms = flow_next_deadline_ms(&t, now_ms);
        assert_int_not_equal(sleep_ms, UINT32_MAX);
        now_ms += sleep_ms;
        flow_expire(&t, now_ms, UINT32_MAX, count_gone, NULL);
        assert_true(++wakes < 100);
    }
    assert_int_equal(gone_count, 1000);
    assert_int_equal(flow_next_deadline_ms(&t, now_ms), UINT32_MAX);
}

/* The capacity that is declared is there, with churn at the limit, and each flow costs what was
 * promised. */
static void test_a_million(void **state)
{
    (void)state;
    const uint32_t capacity = 1000000;

    start(capacity, 0);
    for (uint32_t i = 0; i < capacity; i++) {
        struct flow like = like_number(i * 2654435761u);
        assert_non_null(flow_create(&t, &like, FLOW_UDP_ONE_WAY, i));
    }
    for (uint32_t i = 0; i < 300000; i++) {
        struct flow old = like_number(i * 2654435761u),
                    new = like_number((i + capacity) * 2654435761u);
        struct flow *f = find(&old, i & 1 ? FLOW_IN : FLOW_OUT);
        assert_non_null(f);
        flow_destroy(&t, f);
        assert_non_null(flow_create(&t, &new, FLOW_UDP_ONE_WAY, i));
    }
    assert_int_equal(t.refused, 0);
    assert_int_equal(t.live, capacity);
    assert_true(flow_table_bytes(capacity) / capacity < 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_found_by_either_tuple_only, teardown),
        cmocka_unit_test_teardown(test_deltas, teardown),
        cmocka_unit_test_teardown(test_full, teardown),
        cmocka_unit_test_teardown(test_bad_capacity, teardown),
        cmocka_unit_test_teardown(test_expiry_rows, teardown),
        cmocka_unit_test_teardown(test_shorter_state_is_sooner, teardown),
        cmocka_unit_test_teardown(test_idle_wheel, teardown),
        cmocka_unit_test_teardown(test_early_after_late, teardown),
        cmocka_unit_test_teardown(test_random_times, teardown),
        cmocka_unit_test_teardown(test_sleeping_by_the_deadline, teardown),
        cmocka_unit_test_teardown(test_a_million, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
