/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/neighbor.c: an entry's life step by step, the limits on held packets and entries, and random
 * traffic over a network where stations come and go.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/neighbor.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"

#define POOL_COUNT 1024
#define IP(n)      BE_IP4(10, 0, (n) >> 8 & 255, (n)&255)

static struct neighbor_table table;
static struct pkt_pool pool;

/* What the callbacks saw. */
static unsigned asked, released, given_up, clashes;
static be32 asked_ip;
static uint8_t asked_network;
static uint32_t release_order[NEIGHBOR_HELD_MAX];
static bool answer_at_once;
static uint32_t now_ms;

static const uint8_t mac_a[MAC_BYTES] = {2, 0, 0, 0, 0, 0xA},
                     mac_b[MAC_BYTES] = {2, 0, 0, 0, 0, 0xB}, own[MAC_BYTES] = {2, 0, 0, 0, 0, 1};

static void on_resolve(void *arg, uint8_t network, be32 ip)
{
    assert_ptr_equal(arg, &pool);
    asked++;
    asked_ip = ip;
    asked_network = network;
    if (answer_at_once)
        neighbor_learned(&table, network, ip, mac_a, own, now_ms);
}

static void on_release(void *arg, struct neighbor *n, struct pkt *p)
{
    assert_ptr_equal(arg, &pool);
    assert_int_equal(n->state, NEIGHBOR_REACHABLE);
    release_order[released++ % ARRAY_COUNT(release_order)] = p->len;
    pkt_free(p);
}

static void on_give_up(void *arg, struct neighbor *n, struct pkt *p)
{
    (void)n;
    assert_ptr_equal(arg, &pool);
    given_up++;
    pkt_free(p);
}

static void on_clash(void *arg, const struct neighbor *n, const uint8_t *mac)
{
    assert_ptr_equal(arg, &pool);
    assert_int_equal(n->state, NEIGHBOR_REACHABLE);
    assert_memory_not_equal(n->hdr, mac, MAC_BYTES);
    clashes++;
}

static const struct neighbor_ops ops = {on_resolve, on_release, on_give_up, on_clash};

static int setup(void **state)
{
    static const uint8_t random[32] = "thirty-two bytes, only for tests";
    struct hash_key key;

    (void)state;
    pkt_pool_init(&pool, fake_alloc((size_t)POOL_COUNT * PKT_BUF_BYTES, CACHE_LINE_BYTES),
                  POOL_COUNT);
    hash_key_init(&key, random);
    asked = released = given_up = clashes = 0;
    answer_at_once = false;
    now_ms = 4294960000u; /* the clock wraps during the tests */
    return neighbor_init(&table, &ops, &pool, &key, fake_alloc);
}

static int teardown(void **state)
{
    (void)state;
    neighbor_forget_network(&table, 0);
    neighbor_forget_network(&table, 1);
    int leaked = (int)(POOL_COUNT - pool.free_count) + (int)table.held_total + (int)table.live;
    fake_alloc_free_all();
    return leaked;
}

static struct pkt *packet(uint32_t mark)
{
    struct pkt *p = pkt_alloc(&pool);
    p->len = p->total_bytes = mark;
    return p;
}

static struct neighbor *get(be32 ip)
{
    return neighbor_get(&table, 0, ip, now_ms);
}

static void test_resolution(void **state)
{
    (void)state;
    struct neighbor *n = get(IP(5));
    assert_false(neighbor_use(&table, n, now_ms));
    assert_int_equal(asked, 1);
    assert_int_equal(asked_ip, IP(5));
    assert_int_equal(asked_network, 0);
    neighbor_hold(&table, n, packet(1));
    neighbor_hold(&table, n, packet(2));
    assert_false(neighbor_use(&table, n, now_ms)); /* asked already */
    assert_int_equal(asked, 1);

    neighbor_learned(&table, 1, IP(5), mac_b, own, now_ms); /* another network's */
    neighbor_learned(&table, 0, IP(6), mac_b, own, now_ms); /* nobody wants to know */
    assert_int_equal(released, 0);
    neighbor_learned(&table, 0, IP(5), mac_a, own, now_ms);
    assert_int_equal(released, 2);
    assert_int_equal(release_order[0], 1); /* in the order they came */
    assert_int_equal(release_order[1], 2);
    assert_true(neighbor_use(&table, n, now_ms));
    assert_memory_equal(n->hdr, mac_a, MAC_BYTES);
    assert_memory_equal(n->hdr + ETH_SRC_OFF, own, MAC_BYTES);
    assert_int_equal(load_raw16(n->hdr + ETH_TYPE_OFF), ETH_TYPE_IP4);
    assert_int_equal(neighbor_next_ms(&table, now_ms), UINT32_MAX);

    /* By its number, as flows remember it. */
    uint16_t id = neighbor_id(&table, n);
    assert_ptr_equal(neighbor_at(&table, id, 0, IP(5)), n);
    assert_null(neighbor_at(&table, id, 1, IP(5)));
    assert_null(neighbor_at(&table, id, 0, IP(6)));
    assert_null(neighbor_at(&table, NEIGHBOR_NONE, 0, IP(5)));
    neighbor_forget_network(&table, 0);
    assert_null(neighbor_at(&table, id, 0, IP(5)));
    assert_int_equal(table.live, 0);
}

static void test_answer_from_within_the_question(void **state)
{
    (void)state;
    answer_at_once = true;
    struct neighbor *n = get(IP(5));
    assert_true(neighbor_use(&table, n, now_ms));
    assert_int_equal(neighbor_tick(&table, now_ms + 10000, 10), 0);
}

static void test_bad_answers(void **state)
{
    static const uint8_t group[MAC_BYTES] = {3, 0, 0, 0, 0, 1}, zero[MAC_BYTES];

    (void)state;
    struct neighbor *n = get(IP(5));
    neighbor_use(&table, n, now_ms);
    neighbor_learned(&table, 0, IP(5), group, own, now_ms);
    neighbor_learned(&table, 0, IP(5), zero, own, now_ms);
    assert_int_equal(n->state, NEIGHBOR_INCOMPLETE);
}

static void test_giving_up(void **state)
{
    (void)state;
    struct neighbor *n = get(IP(5));
    neighbor_use(&table, n, now_ms);
    neighbor_hold(&table, n, packet(1));
    for (unsigned tries = 1; tries <= NEIGHBOR_MAX_TRIES; tries++) {
        assert_int_equal(asked, tries);
        assert_int_equal(neighbor_next_ms(&table, now_ms), NEIGHBOR_RETRY_MS);
        now_ms += NEIGHBOR_RETRY_MS - 1;
        assert_int_equal(neighbor_tick(&table, now_ms, 10), 0);
        now_ms++;
        assert_int_equal(neighbor_next_ms(&table, now_ms), 0);
        assert_int_equal(neighbor_tick(&table, now_ms, 10), 1);
    }
    assert_int_equal(asked, NEIGHBOR_MAX_TRIES);
    assert_int_equal(given_up, 1);
    assert_int_equal(n->state, NEIGHBOR_FAILED);
    assert_int_equal(neighbor_next_ms(&table, now_ms), UINT32_MAX);

    /* Refused at once, but still asked for once a second. */
    asked = 0;
    for (unsigned i = 0; i < 40; i++, now_ms += 100)
        assert_false(neighbor_use(&table, n, now_ms));
    assert_int_equal(n->state, NEIGHBOR_FAILED);
    assert_in_range(asked, 3, 5);

    /* Then from the beginning. */
    now_ms += 1000;
    assert_false(neighbor_use(&table, n, now_ms));
    assert_int_equal(n->state, NEIGHBOR_INCOMPLETE);
    neighbor_learned(&table, 0, IP(5), mac_a, own, now_ms);
    assert_true(neighbor_use(&table, n, now_ms));
}

static void test_failed_host_comes_back(void **state)
{
    (void)state;
    struct neighbor *n = get(IP(5));
    neighbor_use(&table, n, now_ms);
    for (unsigned i = 0; i < NEIGHBOR_MAX_TRIES; i++)
        neighbor_tick(&table, now_ms += NEIGHBOR_RETRY_MS, 10);
    assert_int_equal(n->state, NEIGHBOR_FAILED);
    neighbor_learned(&table, 0, IP(5), mac_b, own, now_ms);
    assert_true(neighbor_use(&table, n, now_ms));
    assert_int_equal(n->tries, 0);
}

/* An entry in use is confirmed now and then, and nobody waits for it. */
static void test_refresh(void **state)
{
    (void)state;
    answer_at_once = true;
    struct neighbor *n = get(IP(5));
    neighbor_use(&table, n, now_ms);
    answer_at_once = false;
    asked = 0;
    now_ms += NEIGHBOR_REFRESH_MS;
    assert_true(neighbor_use(&table, n, now_ms));
    assert_int_equal(asked, 0);
    for (unsigned i = 1; i <= NEIGHBOR_MAX_TRIES; i++) {
        now_ms++;
        assert_true(neighbor_use(&table, n, now_ms));
        assert_true(neighbor_use(&table, n, now_ms));
        assert_int_equal(asked, i);
        now_ms += NEIGHBOR_RETRY_MS;
    }
    /* It does not answer any more: the next packet waits. */
    assert_false(neighbor_use(&table, n, now_ms));
    assert_int_equal(n->state, NEIGHBOR_INCOMPLETE);
    neighbor_hold(&table, n, packet(9));

    /* It is another machine now. */
    n->port = 3;
    neighbor_learned(&table, 0, IP(5), mac_b, own, now_ms);
    assert_int_equal(released, 1);
    assert_int_equal(n->port, 0xFF); /* what was known of the old one's port is forgotten */
    assert_memory_equal(n->hdr, mac_b, MAC_BYTES);
}

/* ---- for who has a choice ---- */

static bool answers(void)
{
    return neighbor_answers(&table, 0, IP(5), now_ms);
}

/* Nobody knows; no answer for half a second; none at all; it comes back. */
static void test_answers_of_a_new_one(void **state)
{
    (void)state;
    assert_true(answers());
    assert_int_equal(table.live, 0);
    struct neighbor *n = get(IP(5));
    now_ms += NEIGHBOR_SILENT_MS;
    assert_true(answers()); /* it was not asked yet */
    neighbor_use(&table, n, now_ms);
    now_ms += NEIGHBOR_SILENT_MS - 1;
    assert_true(answers());
    now_ms++;
    assert_false(answers());
    neighbor_learned(&table, 0, IP(5), mac_a, own, now_ms);
    assert_true(answers()); /* it was only slow */

    neighbor_forget_network(&table, 0);
    n = get(IP(5));
    neighbor_use(&table, n, now_ms);
    for (unsigned i = 0; i < NEIGHBOR_MAX_TRIES; i++) {
        neighbor_tick(&table, now_ms += NEIGHBOR_RETRY_MS, 10);
        assert_false(answers());
    }
    assert_int_equal(n->state, NEIGHBOR_FAILED);
    asked = 0;
    for (unsigned i = 0; i < 300; i++) { /* it is asked once a second, and by nobody else */
        now_ms += NEIGHBOR_RETRY_MS;
        assert_false(answers());
        assert_false(answers());
        assert_int_equal(asked, i + 1);
        assert_int_equal(n->state, NEIGHBOR_FAILED);
    }
    now_ms += NEIGHBOR_FAILED_MS;
    assert_false(neighbor_use(&table, n, now_ms)); /* somebody has no choice */
    assert_int_equal(n->state, NEIGHBOR_INCOMPLETE);
    assert_false(answers());
    neighbor_learned(&table, 0, IP(5), mac_a, own, now_ms);
    assert_true(answers());
}

/* One that did answer, and does not any more; and one whose port went down. */
static void test_answers_of_an_old_one(void **state)
{
    (void)state;
    struct neighbor *n = get(IP(5));
    neighbor_learned(&table, 0, IP(5), mac_a, own, now_ms);
    n->port = 3;
    asked = 0;
    now_ms += NEIGHBOR_CHECK_MS - 1;
    assert_true(answers());
    assert_int_equal(asked, 0);
    now_ms++;
    for (unsigned i = 1; i <= NEIGHBOR_MAX_TRIES; i++) {
        assert_true(answers());
        assert_true(answers());
        assert_int_equal(asked, i);
        now_ms += NEIGHBOR_RETRY_MS;
    }
    assert_false(answers());
    assert_int_equal(n->state, NEIGHBOR_REACHABLE); /* others find out for themselves */
    neighbor_learned(&table, 0, IP(5), mac_a, own, now_ms);
    assert_true(answers());

    neighbor_port_lost(&table, 2);
    assert_true(answers());
    neighbor_port_lost(&table, 3);
    asked = 0;
    assert_false(answers());
    assert_int_equal(asked, 1);
    neighbor_learned(&table, 0, IP(5), mac_a, own, now_ms);
    assert_true(answers());
}

static void test_held_limits(void **state)
{
    (void)state;
    struct neighbor *n = get(IP(5));
    neighbor_use(&table, n, now_ms);
    for (uint32_t i = 1; i <= NEIGHBOR_HELD_MAX + 2; i++)
        neighbor_hold(&table, n, packet(i));
    assert_int_equal(given_up, 2); /* the oldest */
    neighbor_learned(&table, 0, IP(5), mac_a, own, now_ms);
    assert_int_equal(released, NEIGHBOR_HELD_MAX);
    assert_int_equal(release_order[0], 3);
    assert_int_equal(release_order[NEIGHBOR_HELD_MAX - 1], NEIGHBOR_HELD_MAX + 2);

    given_up = 0;
    for (uint32_t i = 0; i < NEIGHBOR_HELD_ALL / NEIGHBOR_HELD_MAX; i++) {
        n = get(IP(1000 + i));
        neighbor_use(&table, n, now_ms);
        for (unsigned k = 0; k < NEIGHBOR_HELD_MAX; k++)
            neighbor_hold(&table, n, packet(1));
    }
    assert_int_equal(table.held_total, NEIGHBOR_HELD_ALL);
    assert_int_equal(given_up, 0);
    n = get(IP(2000));
    neighbor_use(&table, n, now_ms);
    neighbor_hold(&table, n, packet(1)); /* has none of its own to give up */
    assert_int_equal(given_up, 1);
    assert_int_equal(table.held_total, NEIGHBOR_HELD_ALL);
}

static void test_full_table(void **state)
{
    (void)state;
    answer_at_once = true;
    for (uint32_t i = 0; i < NEIGHBOR_MAX; i++, now_ms++)
        neighbor_use(&table, get(IP(i)), now_ms);
    assert_int_equal(table.live, NEIGHBOR_MAX);
    struct neighbor *busy = get(IP(3));
    now_ms += 1000;
    neighbor_use(&table, busy, now_ms);
    for (uint32_t i = 0; i < 100; i++)
        assert_true(neighbor_use(&table, get(IP(10000 + i)), now_ms));
    assert_int_equal(table.live, NEIGHBOR_MAX);
    assert_ptr_equal(get(IP(3)), busy); /* in use: others gave way */

    /* While every entry is being resolved there is no room, and nothing is lost. */
    neighbor_forget_network(&table, 0);
    answer_at_once = false;
    for (uint32_t i = 0; i < NEIGHBOR_MAX; i++)
        assert_false(neighbor_use(&table, get(IP(i)), now_ms));
    assert_null(get(IP(20000)));
    for (unsigned i = 0; i < 4; i++)
        neighbor_tick(&table, now_ms += NEIGHBOR_RETRY_MS, NEIGHBOR_MAX);
    assert_non_null(get(IP(20000)));
}

static void test_budget(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        neighbor_use(&table, get(IP(i)), now_ms);
    asked = 0;
    now_ms += NEIGHBOR_RETRY_MS;
    assert_int_equal(neighbor_tick(&table, now_ms, 30), 30);
    assert_int_equal(neighbor_next_ms(&table, now_ms), 0);
    assert_int_equal(neighbor_tick(&table, now_ms, 100), 70);
    assert_int_equal(asked, 100);
}

/* Some stations answer, some do not, all change their minds; what goes in comes out. */
static void test_random(void **state)
{
    unsigned held = 0;
    bool alive[64] = {0};

    (void)state;
    for (unsigned step = 0; step < 200000; step++) {
        uint32_t host = rnd(64);
        now_ms += rnd(40);
        if (rnd(20) == 0)
            alive[host] = !alive[host];
        if (rnd(4) == 0 && alive[host])
            neighbor_learned(&table, (uint8_t)(host & 1), IP(host), rnd(2) ? mac_a : mac_b, own,
                             now_ms);
        struct neighbor *n = neighbor_get(&table, (uint8_t)(host & 1), IP(host), now_ms);
        answer_at_once = rnd(8) == 0;
        if (!neighbor_use(&table, n, now_ms) && n->state == NEIGHBOR_INCOMPLETE) {
            neighbor_hold(&table, n, packet(1 + host));
            held++;
        }
        answer_at_once = false;
        if (rnd(5000) == 0)
            neighbor_forget_network(&table, (uint8_t)rnd(2));
        neighbor_tick(&table, now_ms, 4);
        assert_int_equal(held, released + given_up + table.held_total);
        assert_int_equal(POOL_COUNT - pool.free_count, table.held_total);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_resolution, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_from_within_the_question, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_giving_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_host_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refresh, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_of_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers_of_an_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
    };
    return cmocka_run_group_tests_name("neighbor", tests, NULL, NULL);
}
