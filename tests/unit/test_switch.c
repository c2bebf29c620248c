/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/switch.c: rows for the rules of 802.1D, floods of forged sources and other misuse against its
 * limits, and random traffic against tests/model/naive_switch.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/switch.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"
#include "tests/model/naive_switch.h"

#include <stdlib.h>

#define PORTS 16

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
    assert_int_equal(switch_init(t, capacity, &key, 0, fake_alloc), 0);
}

static uint64_t entry_at(const struct switch_table *t, size_t i)
{
    return load_raw64(t->map.sets + i * sizeof(uint64_t));
}

/* What switch.h calls invariants, but for the one about ages, which shows in the answers. */
static void check_counts(const struct switch_table *t)
{
    uint32_t counts[SWITCH_PORTS] = {0}, stations = 0;

    for (size_t i = 0; i < switch_entry_count(t); i++) {
        unsigned port = entry_at(t, i) & SWITCH_PORT_MASK;
        if (port < SWITCH_PORTS) {
            counts[port]++;
            stations++;
        }
    }
    assert_int_equal(stations, t->stations);
    for (unsigned i = 0; i < SWITCH_PORTS; i++)
        if (counts[i] != t->ports[i].count)
            fail_msg("port %u has %u entries, and believes in %u", i, counts[i], t->ports[i].count);
}

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
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
        {2, LEARN, 1, 0, 3, 15, true},
        {3, LOOK, 1, 0, 0, 15, 3},
        {4, LOOK, 1, 1, 0, 15, SWITCH_PORT_NONE}, /* known on its own network only */
        {5, LOOK, 1, 0, 0, 319, 3},               /* more than 300 s old: still counts */
        {6, LOOK, 1, 0, 0, 320, SWITCH_PORT_NONE},
        {7, LEARN, 1, 0, 3, 400, true},
        {8, LOOK, 1, 0, 0, 400, 3},
        {9, LEARN, 1, 0, 5, 401, true}, /* moved: believed at once */
        {10, LOOK, 1, 0, 0, 401, 5},
        {11, LEARN, 1, 1, 7, 401, true}, /* the same MAC on another network is another station */
        {12, LOOK, 1, 0, 0, 401, 5},
        {13, LOOK, 1, 1, 0, 401, 7},
        {14, SELF, 2, 0, 0, 402, 0},
        {15, LEARN, 2, 0, 1, 402, false}, /* never learned elsewhere */
        {16, LOOK, 2, 0, 0, 402, SWITCH_PORT_SELF},
        {17, LEARN, 2, 1, 1, 402, true}, /* on another network it is nobody of ours */
        {18, LEARN, 3, 0, 7, 402, true},
        {19, FORGET, 0, 0, 7, 402, 0},
        {20, LOOK, 3, 0, 0, 402, SWITCH_PORT_NONE},
        {21, LOOK, 1, 1, 0, 402, SWITCH_PORT_NONE},
        {22, LOOK, 1, 0, 0, 402, 5},
        {23, LEARN, 4, 30, 29, 500, true}, /* the last network and port there can be */
        {24, LOOK, 4, 30, 0, 500, 29},
        {25, LOOK, 4, 29, 0, 500, SWITCH_PORT_NONE},
        {26, LOOK, 2, 0, 0, 100000, SWITCH_PORT_SELF}, /* never ages */
        {27, LEARN, 2, 0, 1, 100001, false},
        {28, LEARN, 5, 0, 1, 100002, true}, /* a station that turns out to be the router */
        {29, SELF, 5, 0, 0, 100002, 0},
        {30, LOOK, 5, 0, 0, 100002, SWITCH_PORT_SELF},
    };
    struct switch_table t;

    (void)state;
    make(&t, 64);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        const uint8_t *mac = mac_of(rows[i].mac);
        int got = 0;
        switch_tick(&t, rows[i].now_s);
        if (rows[i].what == LEARN)
            got = switch_learn(&t, mac, rows[i].network, rows[i].port);
        else if (rows[i].what == LOOK)
            got = switch_lookup(&t, mac, rows[i].network);
        else if (rows[i].what == FORGET)
            switch_forget_port(&t, rows[i].port);
        else
            got = switch_add_self(&t, mac, rows[i].network);
        if (got != rows[i].expected)
            fail_msg("row %d: %d instead of %d", rows[i].id, got, rows[i].expected);
        check_counts(&t);
    }
}

/* At every phase of the stamp: counts for 300 s, not for 320, whether the clock is told each second
 * or has stood still. That takes the stamp around its circle more than once. */
static void test_ageing(void **state)
{
    struct switch_table t;

    (void)state;
    for (uint32_t born_s = 0; born_s < 1100; born_s += 7) {
        for (uint32_t step_s = 1; step_s < 2200; step_s = step_s * 3 + 1) {
            make(&t, 64);
            switch_tick(&t, born_s);
            switch_learn(&t, mac_of(1), 0, 1);
            switch_learn(&t, mac_of(2), 0, SWITCH_PORTS - 1);
            for (uint32_t age_s = 0; age_s < 2200; age_s += step_s) {
                switch_tick(&t, born_s + age_s);
                bool known = switch_lookup(&t, mac_of(1), 0) == 1;
                if (age_s <= SWITCH_AGEING_S ? !known : known && age_s >= 320)
                    fail_msg("born %u, age %u, steps of %u s", born_s, age_s, step_s);
                assert_int_equal(switch_lookup(&t, mac_of(2), 0) == SWITCH_PORTS - 1, known);
            }
            if (step_s < 1000) /* swept */
                assert_int_equal(t.ports[1].count, 0);
            check_counts(&t);
            teardown(NULL);
        }
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
    switch_learn(&t, mac_of(1), 0, 1);
    before = t.moves;
    switch_tick(&t, 20);
    switch_learn(&t, mac_of(1), 0, 1);
    assert_int_equal(t.moves, before);
    switch_learn(&t, mac_of(1), 0, 2);
    assert_int_not_equal(t.moves, before);
    before = t.moves;
    switch_forget_port(&t, 2);
    assert_int_not_equal(t.moves, before);
    before = t.moves;
    switch_learn(&t, mac_of(2), 0, 1); /* one that nobody knew changes nothing */
    assert_int_equal(t.moves, before);

    /* A station that is displaced and comes back on another port. */
    switch_learn(&t, mac_of(1), 0, 1);
    before = t.moves;
    for (uint32_t i = 100; switch_lookup(&t, mac_of(1), 0) != SWITCH_PORT_NONE; i++) {
        switch_tick(&t, i);
        switch_learn(&t, mac_of(i), 0, 1);
    }
    assert_true(t.now_s < 300); /* not by its age */
    assert_int_not_equal(t.moves, before);
    assert_true(t.displaced > 0);
    check_counts(&t);
}

static void test_own_addresses_survive_a_flood(void **state)
{
    struct switch_table t;

    (void)state;
    make(&t, 256);
    for (uint8_t network = 0; network < 16; network++)
        assert_int_equal(switch_add_self(&t, mac_of(7), network), 0);
    for (uint32_t i = 0; i < 200000; i++) {
        switch_tick(&t, i / 300);
        assert_true(switch_learn(&t, mac_of(1000 + i), (uint8_t)(i % 16), (uint8_t)(i % PORTS)));
    }
    for (uint8_t network = 0; network < 16; network++)
        assert_int_equal(switch_lookup(&t, mac_of(7), network), SWITCH_PORT_SELF);
    check_counts(&t);
}

/* A set that holds nothing but own addresses takes no more, and learning goes on around it. */
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
    assert_true(switch_learn(&t, mac_of(500), 0, 1));
    assert_int_equal(switch_lookup(&t, mac_of(500), 0), SWITCH_PORT_NONE);
    assert_int_equal(t.refused, 1);
}

/* As many addresses as were asked for fit, whatever they have in common and however they are
 * hashed. PERFORMANCE speaks of 65,536. */
static void pattern(uint8_t *mac, unsigned kind, uint32_t i)
{
    static const uint32_t factors[] = {1, 2654435761u, 256, 65537, 4096 * 3};

    memset(mac, 0, MAC_BYTES);
    if (kind < ARRAY_COUNT(factors)) {
        memcpy(mac, "\x52\x54", 2);
        store_be32(mac + 2, i * factors[kind]);
    } else if (kind == ARRAY_COUNT(factors)) { /* makers and few devices of each */
        store_be32(mac, i << 8 & 0xFEFFFFFF);
        mac[5] = (uint8_t)(i >> 16);
    } else { /* the first bytes, as if in the other order */
        store_raw32(mac + 2, i);
    }
}

static void test_capacity(void **state)
{
    const uint32_t count = 16384;

    (void)state;
    for (unsigned kind = 0; kind < 7; kind++) {
        for (unsigned turn = 0; turn < 8; turn++) {
            struct switch_table t;
            struct hash_key key;
            uint8_t mac[MAC_BYTES], random[32];
            for (unsigned i = 0; i < sizeof(random); i++)
                random[i] = (uint8_t)rnd(256);
            hash_key_init(&key, random);
            assert_int_equal(switch_init(&t, count, &key, 0, fake_alloc), 0);
            for (uint32_t i = 0; i < count; i++) {
                pattern(mac, kind, kind == 5 ? i * 5 : i);
                switch_learn(&t, mac, 0, (uint8_t)(i % PORTS));
            }
            for (uint32_t i = 0; i < count; i++) {
                pattern(mac, kind, kind == 5 ? i * 5 : i);
                if (switch_lookup(&t, mac, 0) != i % PORTS)
                    fail_msg("pattern %u, address %u", kind, i);
            }
            assert_int_equal(t.displaced, 0);
            assert_int_equal(t.learned, count);
            check_counts(&t);
            teardown(NULL);
        }
    }
}

/* A million, as macs= allows, and a segment of 65,536 behind one port, each of whose stations sends
 * once a second: known within two minutes. */
static void test_large_segments(void **state)
{
    struct switch_table t;
    uint32_t now_s = 0;

    (void)state;
    make(&t, 65536);
    while (t.ports[3].count < 65536 && now_s < 200) {
        switch_tick(&t, ++now_s);
        for (uint32_t i = 0; i < 65536; i++)
            switch_learn(&t, mac_of(i), 0, 3);
    }
    assert_in_range(now_s, 60, 120);
    for (uint32_t i = 0; i < 65536; i++)
        assert_int_equal(switch_lookup(&t, mac_of(i), 0), 3);
    teardown(NULL);

    make(&t, 1u << 20);
    assert_int_equal(switch_bytes(1u << 20), switch_entry_count(&t) * sizeof(uint64_t));
    for (uint32_t i = 0; i < 1u << 20; i++) {
        switch_tick(&t, i / 8000);
        switch_learn(&t, mac_of(i), 0, (uint8_t)(i % PORTS));
    }
    for (uint32_t i = 0; i < 1u << 20; i++)
        if (switch_lookup(&t, mac_of(i), 0) != i % PORTS)
            fail_msg("address %u", i);
    assert_int_equal(t.displaced, 0);
}

static void test_no_memory(void **state)
{
    struct switch_table t;
    struct hash_key key = {{1, 1, 1, 1}};

    (void)state;
    assert_int_equal(switch_init(&t, 64, &key, 0, no_memory), -ENOMEM);
}

/* One host changes its MAC a thousand times a second for a quarter of an hour. Everybody stays
 * known, on its own port nearly so; whoever comes to the others is learned; and whoever remembers
 * ports is not sent looking by it. */
static void test_flood_of_addresses(void **state)
{
    const uint32_t capacity = 16384, hosts = 2048;
    struct switch_table t;
    uint32_t forged = 1u << 24;

    (void)state;
    make(&t, capacity);
    for (uint32_t now_s = 0; now_s < 900; now_s++) {
        switch_tick(&t, now_s);
        for (uint32_t i = now_s % 60; i < hosts; i += 60) {
            switch_learn(&t, mac_of(i), 0, 2);
            switch_learn(&t, mac_of(hosts + i), 0, 3);
            switch_learn(&t, mac_of(2 * hosts + i), 0, 1); /* the flood's own port */
        }
        for (unsigned i = 0; i < 1000 && now_s >= 60; i++)
            switch_learn(&t, mac_of(forged++), 0, 1);
        uint32_t guest = 1u << 20 | now_s; /* somebody new elsewhere */
        switch_learn(&t, mac_of(guest), 0, 4);
        assert_int_equal(switch_lookup(&t, mac_of(guest), 0), 4);
        unsigned lost = 0;
        for (uint32_t i = 0; i < 3 * hosts && now_s >= 60; i += 17) {
            unsigned port = i < hosts ? 2 : i < 2 * hosts ? 3 : 1;
            bool known = switch_lookup(&t, mac_of(i), 0) == port;
            lost += !known;
            if (!known && port != 1)
                fail_msg("host %u is forgotten after %u s", i, now_s);
        }
        assert_in_range(lost, 0, 2); /* to others, who find no room and take from who has most */
        assert_true(t.ports[1].count <= capacity);
        assert_true(t.moves <= SWITCH_MOVE_BURST + (SWITCH_MOVE_PER_S + 2) * now_s);
        check_counts(&t);
    }
    assert_int_equal(t.ports[2].refused + t.ports[3].refused + t.ports[4].refused, 0);
    assert_int_equal(t.refused, t.ports[1].refused);
    assert_int_equal(t.learned + t.refused, 840 * 1000 + 900 + 3 * hosts);
    /* A minute after it is over, its port is as good as any: who comes there is learned. */
    for (uint32_t now_s = 980; now_s < 990; now_s++) {
        switch_tick(&t, now_s);
        switch_learn(&t, mac_of(1u << 22 | now_s), 0, 1);
        assert_int_equal(switch_lookup(&t, mac_of(1u << 22 | now_s), 0), 1);
    }
}

/* Several ports flood at once, more than the table has room for: who is quiet loses nothing. */
static void test_floods_from_everywhere(void **state)
{
    const uint32_t hosts = 100;
    struct switch_table t;

    (void)state;
    make(&t, 1024);
    for (uint32_t now_s = 0; now_s < 600; now_s++) {
        switch_tick(&t, now_s);
        for (uint32_t i = 0; i < hosts && now_s % 30 == 0; i++)
            switch_learn(&t, mac_of(i), 0, 0);
        for (uint32_t i = 0; i < 2000; i++)
            switch_learn(&t, mac_of(1u << 24 | (now_s * 2000 + i)), 0, (uint8_t)(1 + i % 15));
        for (uint32_t i = 0; i < hosts; i++)
            if (switch_lookup(&t, mac_of(i), 0) != 0)
                fail_msg("host %u is forgotten after %u s", i, now_s);
        check_counts(&t);
    }
    assert_int_equal(t.ports[0].refused, 0);
    assert_true(t.displaced > 0 && t.refused > 0);
}

/* When there is no room, it is made by who has most, though others have been silent longer. */
static void test_who_gives_way(void **state)
{
    struct switch_table t;
    uint32_t next = 0;

    (void)state;
    make(&t, 64);
    while (t.ports[2].count < 40)
        switch_learn(&t, mac_of(next++), 0, 2);
    switch_tick(&t, 100);
    for (unsigned i = 0; i < 1000; i++)
        switch_learn(&t, mac_of(next++), 0, 1);
    assert_int_equal(t.ports[1].count, 64);
    switch_tick(&t, 150);
    for (unsigned i = 0; i < 38; i++)
        switch_learn(&t, mac_of(next++), 0, 3);
    assert_in_range(t.displaced, 10, 20);
    assert_true(t.ports[2].count >= 38); /* in some sets there was nobody else */
    check_counts(&t);
}

/* A failover moves thousands of addresses at once. Two ports that claim the same one do not move it
 * back and forth for ever; and a port that is full takes none from others. */
static void test_moves_are_limited(void **state)
{
    struct switch_table t;

    (void)state;
    make(&t, 8192);
    for (uint32_t i = 0; i < SWITCH_MOVE_BURST; i++)
        switch_learn(&t, mac_of(i), 0, 1);
    switch_tick(&t, 1);
    for (uint32_t i = 0; i < SWITCH_MOVE_BURST; i++)
        switch_learn(&t, mac_of(i), 0, 2);
    for (uint32_t i = 0; i < SWITCH_MOVE_BURST; i++)
        assert_int_equal(switch_lookup(&t, mac_of(i), 0), 2);
    assert_int_equal(t.moved, SWITCH_MOVE_BURST);
    assert_int_equal(t.limited, 0);
    check_counts(&t);

    for (uint32_t now_s = 2; now_s < 200; now_s++) {
        uint64_t moved = t.moved, limited = t.limited;
        uint32_t moves = t.moves;
        switch_tick(&t, now_s);
        for (unsigned i = 0; i < 1000; i++)
            assert_true(switch_learn(&t, mac_of(7), 0, (uint8_t)(3 + i % 2)));
        unsigned port = switch_lookup(&t, mac_of(7), 0);
        assert_true(port == 3 || port == 4);
        assert_true(t.moves - moves == t.moved - moved);
        if (now_s > 20) {
            assert_in_range(t.moved - moved, 64, 2 * SWITCH_MOVE_PER_S + 1);
            assert_true(t.limited > limited);
        }
    }
    assert_int_equal(t.limited, t.ports[3].limited + t.ports[4].limited);
    assert_int_equal(t.ports[3].count + t.ports[4].count, 1);
    teardown(NULL);

    make(&t, 64);
    for (uint32_t i = 0; i < 64; i++)
        switch_learn(&t, mac_of(i), 0, 1);
    switch_learn(&t, mac_of(100), 0, 2);
    assert_int_equal(t.ports[1].count, 64);
    switch_learn(&t, mac_of(100), 0, 1);
    assert_int_equal(switch_lookup(&t, mac_of(100), 0), 2);
    assert_int_equal(t.ports[1].limited, 1);
}

/* New addresses come at the rate, after the burst. */
static void test_learning_is_limited(void **state)
{
    struct switch_table t;
    uint32_t next = 0;

    (void)state;
    make(&t, 65536);
    for (unsigned i = 0; i < 10000; i++)
        assert_true(switch_learn(&t, mac_of(next++), 0, 1));
    assert_int_equal(t.learned, SWITCH_LEARN_BURST);
    assert_int_equal(t.refused, 10000 - SWITCH_LEARN_BURST);
    assert_int_equal(switch_lookup(&t, mac_of(9999), 0), SWITCH_PORT_NONE);
    switch_learn(&t, mac_of(5), 0, 1); /* one that is known costs nothing */
    assert_int_equal(t.refused, 10000 - SWITCH_LEARN_BURST);
    switch_learn(&t, mac_of(1u << 24), 0, 2); /* nor does it another port */
    assert_int_equal(switch_lookup(&t, mac_of(1u << 24), 0), 2);
    for (uint32_t now_s = 1; now_s < 5; now_s++) {
        uint64_t learned = t.learned;
        switch_tick(&t, now_s);
        for (unsigned i = 0; i < 1000; i++)
            switch_learn(&t, mac_of(next++), 0, 1);
        assert_int_equal(t.learned - learned, SWITCH_LEARN_PER_S);
    }
    /* No more is saved up than the burst. */
    uint64_t learned = t.learned;
    switch_tick(&t, 100);
    for (unsigned i = 0; i < 20000; i++)
        switch_learn(&t, mac_of(next++), 0, 1);
    assert_int_equal(t.learned - learned, SWITCH_LEARN_BURST);
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
            now_s += rnd(rnd(100) == 0 ? 2000 : 60);
        switch_tick(&t, now_s);
        switch (rnd(8)) {
        case 0:
        case 1:
        case 2:
            assert_int_equal(switch_learn(&t, mac, network, port),
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
            assert_int_equal(switch_lookup(&t, mac, network),
                             naive_switch_lookup(model, mac, network, now_s));
        }
        if (step % 500 == 0) {
            check_counts(&t);
            for (uint8_t i = 0; i < 6; i++) /* the sweep is no more than its round behind */
                assert_in_range(t.ports[i].count, naive_switch_count(model, i, now_s),
                                naive_switch_count(model, i, MAX(now_s, 528) - 528) + 900);
        }
    }
    switch_tick(&t, now_s + 1000);
    for (unsigned i = 0; i < SWITCH_PORTS; i++)
        assert_int_equal(t.ports[i].count, 0);
    assert_int_equal(t.displaced + t.refused + t.limited, 0);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_rules, teardown),
        cmocka_unit_test_teardown(test_ageing, teardown),
        cmocka_unit_test_teardown(test_moves_tells_of_every_change, teardown),
        cmocka_unit_test_teardown(test_own_addresses_survive_a_flood, teardown),
        cmocka_unit_test_teardown(test_table_full_of_own_addresses, teardown),
        cmocka_unit_test_teardown(test_capacity, teardown),
        cmocka_unit_test_teardown(test_large_segments, teardown),
        cmocka_unit_test_teardown(test_no_memory, teardown),
        cmocka_unit_test_teardown(test_flood_of_addresses, teardown),
        cmocka_unit_test_teardown(test_floods_from_everywhere, teardown),
        cmocka_unit_test_teardown(test_who_gives_way, teardown),
        cmocka_unit_test_teardown(test_moves_are_limited, teardown),
        cmocka_unit_test_teardown(test_learning_is_limited, teardown),
        cmocka_unit_test_teardown(test_against_model, teardown),
    };
    return cmocka_run_group_tests_name("switch", tests, NULL, NULL);
}
