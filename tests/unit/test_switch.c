/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/switch.c: rows for the rules of 802.1D, floods of forged sources, and random traffic against
 * tests/model/naive_switch.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/switch.h"
#include "tests/model/naive_switch.h"

#include <stdlib.h>

static uint64_t seed = 88172645463325252ull;
static void *blocks[4];
static unsigned block_count;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

static void *test_alloc(size_t bytes, size_t align)
{
    void *p = aligned_alloc(align, ALIGN_UP(bytes, align));
    memset(p, 0, bytes);
    blocks[block_count++] = p;
    return p;
}

static void *no_memory(size_t bytes, size_t align)
{
    (void)bytes;
    (void)align;
    return NULL;
}

static void make(struct switch_table *t, uint32_t capacity)
{
    static const uint8_t random[32] = "thirty-two bytes, only for tests";
    struct hash_key key;

    hash_key_init(&key, random);
    assert_int_equal(switch_init(t, capacity, &key, test_alloc), 0);
}

static int teardown(void **state)
{
    (void)state;
    while (block_count > 0)
        free(blocks[--block_count]);
    return 0;
}

static const uint8_t *mac_of(uint32_t number)
{
    static uint8_t macs[8][MAC_BYTES];
    static unsigned turn;
    uint8_t *mac = macs[turn++ % 8];

    mac[0] = 0x02;
    mac[1] = 0x11;
    store_be32(mac + 2, number);
    return mac;
}

static void test_rules(void **state)
{
    enum { LEARN, LOOK, FORGET, SELF };
    static const struct {
        int id;
        int what;
        uint32_t mac;
        uint8_t network, port;
        uint32_t now_s;
        int expected; /* LOOK: port; LEARN: true or false */
    } rows[] = {
        {1, LOOK, 1, 0, 0, 0, SWITCH_PORT_NONE},
        {2, LEARN, 1, 0, 3, 10, true},
        {3, LOOK, 1, 0, 0, 10, 3},
        {4, LOOK, 1, 1, 0, 10, SWITCH_PORT_NONE}, /* known on its own network only */
        {5, LOOK, 1, 0, 0, 310, 3},               /* 300 s old: still counts */
        {6, LOOK, 1, 0, 0, 311, SWITCH_PORT_NONE},
        {7, LEARN, 1, 0, 3, 400, true},
        {8, LOOK, 1, 0, 0, 400, 3},
        {9, LEARN, 1, 0, 5, 401, true}, /* moved: believed at once */
        {10, LOOK, 1, 0, 0, 401, 5},
        {11, LEARN, 1, 1, 7, 401, true}, /* the same MAC on another network is another station */
        {12, LOOK, 1, 0, 0, 401, 5},
        {13, LOOK, 1, 1, 0, 401, 7},
        {14, SELF, 2, 0, 0, 0, 0},
        {15, LOOK, 2, 0, 0, 100000, SWITCH_PORT_SELF}, /* never ages */
        {16, LEARN, 2, 0, 1, 402, false},              /* never learned elsewhere */
        {17, LOOK, 2, 0, 0, 402, SWITCH_PORT_SELF},
        {18, LEARN, 2, 1, 1, 402, true}, /* on another network it is nobody of ours */
        {19, LEARN, 3, 0, 7, 402, true},
        {20, FORGET, 0, 0, 7, 0, 0},
        {21, LOOK, 3, 0, 0, 402, SWITCH_PORT_NONE},
        {22, LOOK, 1, 1, 0, 402, SWITCH_PORT_NONE},
        {23, LOOK, 1, 0, 0, 402, 5},
        {24, LOOK, 2, 0, 0, 402, SWITCH_PORT_SELF},
    };
    struct switch_table t;

    (void)state;
    make(&t, 64);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        const uint8_t *mac = mac_of(rows[i].mac);
        int got = 0;
        if (rows[i].what == LEARN)
            got = switch_learn(&t, mac, rows[i].network, rows[i].port, rows[i].now_s);
        else if (rows[i].what == LOOK)
            got = switch_lookup(&t, mac, rows[i].network, rows[i].now_s);
        else if (rows[i].what == FORGET)
            switch_forget_port(&t, rows[i].port);
        else
            got = switch_add_self(&t, mac, rows[i].network);
        if (got != rows[i].expected)
            fail_msg("row %d: %d instead of %d", rows[i].id, got, rows[i].expected);
    }
}

/* Whoever remembers a port asks again when moves has changed; so it must change whenever an answer
 * does. */
static void test_moves_tells_of_every_change(void **state)
{
    struct switch_table t;
    uint32_t before;

    (void)state;
    make(&t, 8);
    switch_learn(&t, mac_of(1), 0, 1, 1);
    before = t.moves;
    switch_learn(&t, mac_of(1), 0, 1, 2);
    assert_int_equal(t.moves, before);
    switch_learn(&t, mac_of(1), 0, 2, 2);
    assert_int_not_equal(t.moves, before);
    before = t.moves;
    switch_forget_port(&t, 2);
    assert_int_not_equal(t.moves, before);

    /* A station that is displaced and comes back on another port. */
    switch_learn(&t, mac_of(1), 0, 1, 3);
    before = t.moves;
    for (uint32_t i = 100; switch_lookup(&t, mac_of(1), 0, 3) != SWITCH_PORT_NONE; i++)
        switch_learn(&t, mac_of(i), 0, 4, 4);
    assert_int_not_equal(t.moves, before);
    assert_true(t.displaced > 0);
}

static void test_own_addresses_survive_a_flood(void **state)
{
    struct switch_table t;

    (void)state;
    make(&t, 256);
    for (uint8_t network = 0; network < 16; network++)
        assert_int_equal(switch_add_self(&t, mac_of(7), network), 0);
    for (uint32_t i = 0; i < 100000; i++)
        assert_true(switch_learn(&t, mac_of(1000 + i), (uint8_t)(i % 16), 1, i / 1000));
    for (uint8_t network = 0; network < 16; network++)
        assert_int_equal(switch_lookup(&t, mac_of(7), network, 100), SWITCH_PORT_SELF);
    /* The newest is always known. */
    assert_int_equal(switch_lookup(&t, mac_of(1000 + 99999), 99999 % 16, 100), 1);
}

/* A set that holds nothing but static entries takes no more, and learning goes on around it. */
static void test_table_full_of_own_addresses(void **state)
{
    struct switch_table t;
    unsigned added = 0;

    (void)state;
    make(&t, 1);
    while (switch_add_self(&t, mac_of(added), 0) == 0)
        added++;
    assert_int_equal(added, SWITCH_WAYS);
    assert_int_equal(switch_add_self(&t, mac_of(0), 0), 0); /* known already */
    assert_true(switch_learn(&t, mac_of(500), 0, 1, 0));
    assert_int_equal(switch_lookup(&t, mac_of(500), 0, 0), SWITCH_PORT_NONE);
}

/* As many addresses as were asked for fit: PERFORMANCE speaks of 65,536. */
static void test_capacity(void **state)
{
    struct switch_table t;

    (void)state;
    make(&t, 65536);
    for (uint32_t i = 0; i < 65536; i++)
        switch_learn(&t, mac_of(i * 2654435761u), 0, (uint8_t)(i % 16), 1);
    for (uint32_t i = 0; i < 65536; i++)
        if (switch_lookup(&t, mac_of(i * 2654435761u), 0, 1) != i % 16)
            fail_msg("address %u", i);
    assert_int_equal(t.displaced, 0);
    assert_int_equal(t.learned, 65536);
}

static void test_no_memory(void **state)
{
    struct switch_table t;
    struct hash_key key = {{1, 1, 1, 1}};

    (void)state;
    assert_int_equal(switch_init(&t, 64, &key, no_memory), -ENOMEM);
}

static void test_against_model(void **state)
{
    struct switch_table t;
    struct naive_switch *model = calloc(1, sizeof(*model));
    uint32_t now_s = 0;

    (void)state;
    make(&t, 4096);
    for (uint32_t step = 0; step < 200000; step++) {
        const uint8_t *mac = mac_of(rnd(300));
        uint8_t network = (uint8_t)rnd(3), port = (uint8_t)rnd(6);
        if (rnd(50) == 0)
            now_s += rnd(60);
        switch (rnd(8)) {
        case 0:
        case 1:
        case 2:
            assert_int_equal(switch_learn(&t, mac, network, port, now_s),
                             naive_switch_learn(model, mac, network, port, now_s));
            break;
        case 3:
            if (rnd(500) == 0) {
                switch_forget_port(&t, port);
                naive_switch_forget_port(model, port);
            }
            break;
        case 4:
            if (rnd(5000) == 0) {
                switch_add_self(&t, mac, network);
                naive_switch_add_self(model, mac, network);
            }
            break;
        default:
            assert_int_equal(switch_lookup(&t, mac, network, now_s),
                             naive_switch_lookup(model, mac, network, now_s));
        }
    }
    assert_int_equal(t.displaced, 0);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_rules, teardown),
        cmocka_unit_test_teardown(test_moves_tells_of_every_change, teardown),
        cmocka_unit_test_teardown(test_own_addresses_survive_a_flood, teardown),
        cmocka_unit_test_teardown(test_table_full_of_own_addresses, teardown),
        cmocka_unit_test_teardown(test_capacity, teardown),
        cmocka_unit_test_teardown(test_no_memory, teardown),
        cmocka_unit_test_teardown(test_against_model, teardown),
    };
    return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
