/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/neighbor.c: whom it believes. Rows are what is heard and done, a letter each; then at random,
 * a station that answers against one that lies.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/neighbor.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"

#include <string.h>

#define IP   BE_IP4(10, 0, 0, 5)
#define PORT 3

static struct neighbor_table table;
static uint32_t now_ms;
static unsigned asked, clashes;
static uint32_t answer_due_ms; /* the random test's station answers then */
static const uint8_t own[MAC_BYTES] = {2, 0, 0, 0, 0, 1};

static void on_resolve(void *arg, uint8_t network, be32 ip)
{
    (void)arg;
    assert_int_equal(network, 0);
    assert_int_equal(ip, IP);
    asked++;
    if (!answer_due_ms)
        answer_due_ms = now_ms + rnd(300) + 1;
}

static void on_packet(void *arg, struct neighbor *n, struct pkt *p)
{
    (void)arg, (void)n, (void)p;
    fail();
}

static void on_clash(void *arg, const struct neighbor *n, const uint8_t *mac)
{
    (void)arg;
    assert_memory_not_equal(n->hdr, mac, MAC_BYTES);
    clashes++;
}

static const struct neighbor_ops ops = {on_resolve, on_packet, on_packet, on_clash};

static int setup(void **state)
{
    static const uint8_t random[32] = "thirty-two bytes, only for tests";
    struct hash_key key;

    (void)state;
    hash_key_init(&key, random);
    asked = clashes = 0;
    answer_due_ms = 0;
    now_ms = 4294960000u; /* the clock wraps during the tests */
    return neighbor_init(&table, &ops, NULL, &key, fake_alloc);
}

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

static bool hear(char mac, bool answer)
{
    const uint8_t bytes[MAC_BYTES] = {2, 0, 0, 0, 0, (uint8_t)mac};

    return (answer ? neighbor_learned : neighbor_claimed)(&table, 0, IP, bytes, own, now_ms);
}

static void pass(uint32_t ms)
{
    now_ms += ms;
    while (neighbor_tick(&table, now_ms, 1))
        continue;
}

/* u: a packet uses the entry. abc: the station with that MAC claims the address, and is believed;
 * ABC: answers; behind a '!': is not. '-': 100 ms; '_': a second; '=': 29 s;
 * '~': a second in which nobody looked. p: the link of the
 * port it is on goes down. */
static void play(int id, const char *events)
{
    for (bool believed = true; *events; events++) {
        struct neighbor *n = neighbor_get(&table, 0, IP, now_ms);
        char e = *events;
        if (e == '!') {
            believed = false;
            continue;
        }
        if (e == 'u')
            neighbor_use(&table, n, now_ms);
        else if (e >= 'a' && e <= 'c' && hear(e, false) != believed)
            fail_msg("row %d: believed or not at %s", id, events);
        else if (e >= 'A' && e <= 'C' && hear((char)(e | 0x20), true) != believed)
            fail_msg("row %d: believed or not at %s", id, events);
        else if (e == '-' || e == '_' || e == '=')
            pass(e == '-' ? 100 : e == '_' ? NEIGHBOR_RETRY_MS : NEIGHBOR_REFRESH_MS - 1000);
        else if (e == '~')
            now_ms += NEIGHBOR_RETRY_MS;
        else if (e == 'p') {
            n->port = PORT;
            neighbor_port_lost(&table, PORT);
        }
        believed = true;
    }
}

struct row {
    int id;
    const char *events;
    char mac; /* that is used; 0: none */
    unsigned asked, refuted, followed, clashes;
};

static void check_row(const struct row *row)
{
    play(row->id, row->events);
    struct neighbor *n = neighbor_get(&table, 0, IP, now_ms);
    bool known = n->state == NEIGHBOR_REACHABLE;
    if (known != (row->mac != 0) || (known && n->hdr[5] != row->mac))
        fail_msg("row %d: MAC %c", row->id, known ? n->hdr[5] : '-');
    if (asked != row->asked)
        fail_msg("row %d: asked %u times", row->id, asked);
    if (table.refuted != row->refuted || table.followed != row->followed ||
        table.clashes != row->clashes || clashes != row->clashes)
        fail_msg("row %d: refuted %u followed %u clashes %u", row->id, (unsigned)table.refuted,
                 (unsigned)table.followed, (unsigned)table.clashes);
    neighbor_forget_network(&table, 0);
    if (neighbor_next_ms(&table, now_ms) != UINT32_MAX)
        fail_msg("row %d: something is left in the queue", row->id);
}

static void test_rows(void **state)
{
    static const struct row rows[] = {
        {1, "uA", 'a', 1, 0, 0, 0},
        /* A claim against what has answered: the question is asked, nothing else happens. */
        {2, "uA!b", 'a', 2, 0, 0, 0},
        {3, "uA!b!b!c!b", 'a', 2, 0, 0, 0},
        {4, "uA!b-A_u", 'a', 2, 1, 0, 0},
        {5, "uA!b-a_u", 'a', 2, 1, 0, 0}, /* heard in any way */
        {6, "uA!b!B---------u", 'a', 2, 0, 0, 0},
        /* The owner is silent: who has answered takes over, and is asked again for the stack. */
        {7, "uA!b!B_", 'b', 3, 0, 1, 0},
        {8, "uA!b!B_B_u", 'b', 3, 0, 1, 0},
        {9, "uA!b!c!C_", 'c', 3, 0, 1, 0},
        {10, "uA!b!B!C_", 'c', 3, 0, 1, 0},
        {11, "uA!b!B!c_", 'b', 3, 0, 1, 0},
        /* Nobody answers: the entry is an old one. */
        {12, "uA!b_", 'a', 2, 0, 0, 0},
        {13, "uA!b_u", 'a', 3, 0, 0, 0},
        {14, "uA!b_u_u_u", 0, 5, 0, 0, 0},
        {15, "uA!b_u_u_uB", 'b', 5, 0, 0, 0},
        /* What came before the question is no answer to it. */
        {16, "uA!B_", 'a', 2, 0, 0, 0},
        {17, "uA!B!B_", 'b', 3, 0, 1, 0},
        /* After a claim that was refuted there is quiet for a second. */
        {18, "uA!b-A!b!b!c", 'a', 2, 4, 0, 0},
        {19, "uA!b-A---------!b", 'a', 2, 2, 0, 0},
        {20, "uA!b-A----------!b", 'a', 3, 1, 0, 0},
        {21, "uA!b-A_!b-A_!b-A", 'a', 4, 3, 0, 0},
        /* Both answer. */
        {22, "uA!b-!BA_u", 'a', 2, 1, 0, 1},
        {23, "uA!b-A!B_u", 'a', 2, 2, 0, 1},
        {24, "uA!b-!BA!B_u", 'a', 2, 2, 0, 2},
        /* A claim where nothing is known is believed, and asked about a second later. */
        {25, "ub", 'b', 1, 0, 0, 0},
        {26, "ub---------u", 'b', 1, 0, 0, 0},
        {27, "ub_-u", 'b', 2, 0, 0, 0},
        {28, "ub_-uB=u", 'b', 2, 0, 0, 0},
        {29, "ub-b-b_-u", 'b', 2, 0, 0, 0}, /* saying it again is no answer */
        {30, "ubA", 'a', 1, 0, 0, 0},
        {31, "ub!a", 'b', 2, 0, 0, 0},
        {32, "ub!aA", 'a', 2, 0, 0, 0},
        {33, "ub!a-B_", 'b', 2, 1, 0, 0},
        /* From who has answered, a claim is as good as an answer. */
        {34, "uA=a=u", 'a', 1, 0, 0, 0},
        {35, "uA=_-u", 'a', 2, 0, 0, 0},
        /* Of who is known to be silent nothing is known. */
        {36, "uApb", 'b', 1, 0, 0, 0},
        {37, "uApbA", 'a', 1, 0, 0, 0},
        {38, "uApa!b", 'a', 2, 0, 0, 0},
        /* In doubt for a second nobody asks twice, whatever the entry's age. */
        {39, "uA=_-!buuu-u", 'a', 2, 0, 0, 0},
        {40, "uA=_-!b~u", 'a', 2, 0, 0, 0},
        {41, "uA!b!c!b_", 'a', 2, 0, 0, 0}, /* saying it again is no answer here either */
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        setup(state);
        check_row(&rows[i]);
        teardown(state);
    }
}

static void test_the_stack_knows(void **state)
{
    const uint8_t a[MAC_BYTES] = {2, 0, 0, 0, 0, 'a'}, b[MAC_BYTES] = {2, 0, 0, 0, 0, 'b'};

    (void)state;
    assert_true(hear('b', true)); /* nobody wants to know */
    assert_int_equal(table.live, 0);
    neighbor_assume(&table, 0, IP, a, own, now_ms);
    neighbor_assume(&table, 0, IP, b, own, now_ms); /* too late */
    assert_false(hear('b', true));
    assert_int_equal(asked, 1);
    assert_memory_equal(neighbor_get(&table, 0, IP, now_ms)->hdr, a, MAC_BYTES);
}

/* The station answers each question within 300 ms. While it keeps its MAC, and has answered once,
 * no lie is ever used; when it has a new one, it is found within three seconds of the last lie. */
static void test_random(void **state)
{
    char station = 'a';
    uint32_t moved_ms = now_ms, lied_ms = now_ms;
    bool known = false;

    (void)state;
    for (unsigned step = 0; step < 300000; step++) {
        bool lying = step % 1000 < 600;
        pass(rnd(20) + 1);
        if (rnd(1000) == 0) {
            station = station == 'a' ? 'b' : 'a';
            moved_ms = now_ms;
            known = false;
            if (rnd(2))
                hear(station, false);
        }
        if (lying && rnd(3) == 0) {
            hear('c', rnd(2));
            lied_ms = now_ms;
        }
        if (answer_due_ms && (int32_t)(now_ms - answer_due_ms) >= 0) {
            answer_due_ms = 0;
            hear(station, true);
        }
        struct neighbor *n = neighbor_get(&table, 0, IP, now_ms);
        neighbor_use(&table, n, now_ms);
        bool right = n->state == NEIGHBOR_REACHABLE && n->hdr[5] == station;
        assert_true(right || !known);
        /* Not in a second in which it had the other MAC, and has answered with that. */
        known |= right && n->answered && now_ms - moved_ms > 2000;
        if (now_ms - lied_ms > 3000 && now_ms - moved_ms > NEIGHBOR_REFRESH_MS + 6000)
            assert_true(right);
    }
    assert_true(table.followed > 20 && table.refuted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test_setup_teardown(test_the_stack_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
    };
    return cmocka_run_group_tests_name("neighbor_claims", tests, NULL, NULL);
}
