/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/flow_user.c against a list of who has how much: hosts of several networks with the same
 * addresses, more of them than there are accounts, that come, have something, and have nothing
 * again. (Who counts what in them: test_nat_share.c.)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/flow_user.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"

#define ACCOUNTS 64
#define ZONES    4u
#define HOSTS    96u /* in all: a third of them find no account when all are there */
#define EVENTS   200000

static const struct hash_key key = {{0x1234567, 0x89ABCDEF1, 0x2468ACE1, 0x13579BDF}};
static struct flow_users users;
static uint32_t has[HOSTS];     /* flows */
static uint16_t account[HOSTS]; /* while it has some */

static be32 ip_of(unsigned host)
{
    return hton32(0x0A000001 + host / ZONES);
}

static uint8_t zone_of(unsigned host)
{
    return (uint8_t)(host % ZONES);
}

static int setup(void **state)
{
    (void)state;
    memset(has, 0, sizeof(has));
    return flow_users_init(&users, ACCOUNTS, fake_alloc);
}

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

static unsigned accounts_in_use(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < HOSTS; i++)
        count += has[i] > 0 && account[i] != FLOW_USER_REST;
    return count;
}

/* The host's account is the one it has, or else a new one that nobody has. */
static void gets(unsigned host, uint16_t id)
{
    if (has[host] > 0 && account[host] != FLOW_USER_REST) {
        assert_int_equal(id, account[host]);
        return;
    }
    assert_int_equal(id == FLOW_USER_REST, accounts_in_use() == ACCOUNTS);
    if (id == FLOW_USER_REST)
        return;
    assert_in_range(id, 1, ACCOUNTS);
    assert_int_equal(users.user[id].ip, ip_of(host));
    assert_int_equal(users.user[id].zone, zone_of(host));
    assert_int_equal(users.user[id].flows, 0);
    for (unsigned i = 0; i < HOSTS; i++)
        assert_false(has[i] > 0 && account[i] == id);
}

static void take(unsigned host)
{
    uint16_t guess = (uint16_t)rnd(ACCOUNTS + 1);
    bool known = guess < users.fresh;
    uint16_t id = rnd(2) && known ? flow_user_take(&users, &key, zone_of(host), ip_of(host), guess)
                                  : flow_user_find(&users, &key, zone_of(host), ip_of(host));

    gets(host, id);
    if (has[host] > 0 && account[host] != id) /* some stay without number to their end */
        return flow_user_drop(&users, &key, id);
    if (rnd(8) == 0)
        return flow_user_drop(&users, &key, id); /* it wanted nothing */
    account[host] = id;
    has[host]++;
    users.user[id].flows++;
}

static void give_back(unsigned host)
{
    if (has[host] == 0)
        return;
    users.user[account[host]].flows--;
    has[host]--;
    for (unsigned times = 1 + rnd(2); times > 0; times--)
        flow_user_drop(&users, &key, account[host]);
}

static void test_random(void **state)
{
    (void)state;
    unsigned most = 0;
    for (unsigned event = 0; event < EVENTS; event++) {
        unsigned host = rnd(HOSTS), pace = event / 2000 % 2; /* more come; more go */
        if (rnd(3) > pace)
            take(host);
        else
            give_back(host);
        assert_int_equal(users.live, accounts_in_use());
        most = MAX(most, users.live);
    }
    assert_int_equal(most, ACCOUNTS);
}

/* What was probably its account is another network's, with a host of the same address. */
static void test_a_guess_is_of_one_network(void **state)
{
    (void)state;
    uint16_t first = flow_user_find(&users, &key, 0, ip_of(0));
    users.user[first].flows = 1;
    uint16_t second = flow_user_take(&users, &key, 1, ip_of(0), first);
    users.user[second].flows = 1;
    assert_int_not_equal(second, first);
    assert_int_equal(flow_user_take(&users, &key, 0, ip_of(0), second), first);
    assert_int_equal(flow_user_take(&users, &key, 1, ip_of(0), second), second);
    assert_int_equal(users.live, 2);
}

/* Given back twice, an account is free once. */
static void test_given_back_twice(void **state)
{
    (void)state;
    uint16_t id = flow_user_find(&users, &key, 0, ip_of(0));
    flow_user_drop(&users, &key, id);
    flow_user_drop(&users, &key, id);
    assert_int_equal(users.live, 0);
    uint16_t first = flow_user_find(&users, &key, 0, ip_of(ZONES));
    uint16_t second = flow_user_find(&users, &key, 0, ip_of(2 * ZONES));
    assert_int_not_equal(first, second);
    flow_user_drop(&users, &key, FLOW_USER_REST);
    assert_int_equal(users.live, 2);
    assert_int_equal(flow_user_find(&users, &key, 0, ip_of(ZONES)), first);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_random),
        TEST(test_a_guess_is_of_one_network),
        TEST(test_given_back_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
