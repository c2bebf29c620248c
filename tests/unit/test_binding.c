/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who may use which address (net/binding.c), against a list.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/binding.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"

static const struct hash_key key = {.k = {0x1234567, 0x89ABCDEF1, 0xFEDCBA981, 0x7654321}};
static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

static struct binding make(uint8_t network, be32 ip, uint8_t host, uint64_t until_us)
{
    return (struct binding){.until_us = until_us,
                            .ip = ip,
                            .network = network,
                            .port = 3,
                            .mac = {2, 0, 0, 0, 0, host}};
}

/* A hundred addresses on three networks come, change hands, pass and go. */
static void test_against_list(void **state)
{
    enum { ADDRESSES = 100, NETWORKS = 3 };
    static struct binding model[NETWORKS][ADDRESSES];
    struct binding_table t;
    uint64_t now_us = 1;
    unsigned found = 0;

    (void)state;
    assert_int_equal(binding_init(&t, &key, fake_alloc), 0);
    for (unsigned step = 0; step < 200000; step++) {
        uint8_t network = (uint8_t)rnd(NETWORKS);
        unsigned n = rnd(ADDRESSES);
        be32 ip = BE_IP4(10, 0, 0, n);
        struct binding *m = &model[network][n];
        switch (rnd(4)) {
        case 0:
            *m = make(network, ip, (uint8_t)rnd(256), rnd(10) ? now_us + 1 + rnd(50) : UINT64_MAX);
            assert_true(binding_set(&t, m, now_us));
            break;
        case 1:
            m->until_us = 0;
            binding_remove(&t, network, ip);
            break;
        default:
            break;
        }
        network = (uint8_t)rnd(NETWORKS);
        n = rnd(ADDRESSES);
        m = &model[network][n];
        const struct binding *b = binding_find(&t, network, BE_IP4(10, 0, 0, n), now_us);
        assert_int_equal(b != NULL, m->until_us > now_us);
        if (b)
            assert_memory_equal(b, m, sizeof(*b));
        found += b != NULL;
        now_us += rnd(3);
    }
    assert_true(found > 10000);
}

/* When it is full, only what has passed makes room; what is there stays found through all of it. */
static void test_full(void **state)
{
    struct binding_table t;
    struct binding b;

    (void)state;
    assert_int_equal(binding_init(&t, &key, fake_alloc), 0);
    for (uint32_t i = 0; i < BINDING_MAX; i++) {
        b = make(0, hton32(i), 1, i % 2 ? 1000 : UINT64_MAX);
        assert_true(binding_set(&t, &b, 1));
    }
    b = make(0, hton32(BINDING_MAX), 1, UINT64_MAX);
    assert_false(binding_set(&t, &b, 999));
    assert_null(binding_find(&t, 0, b.ip, 999));
    b = make(0, hton32(0), 2, UINT64_MAX); /* an address that is there may change hands */
    assert_true(binding_set(&t, &b, 999));
    assert_int_equal(binding_find(&t, 0, b.ip, 999)->mac[5], 2);
    for (uint32_t i = 0; i < BINDING_MAX / 2; i++) {
        b = make(0, hton32(BINDING_MAX + i), 3, UINT64_MAX);
        if (!binding_set(&t, &b, 1000))
            fail_msg("%u", i);
    }
    b = make(1, 0, 3, UINT64_MAX);
    assert_false(binding_set(&t, &b, 1000));
    for (uint32_t i = 0; i < BINDING_MAX + BINDING_MAX / 2; i++)
        assert_int_equal(binding_find(&t, 0, hton32(i), 1001) != NULL,
                         i >= BINDING_MAX || i % 2 == 0);
    for (uint32_t i = 0; i < 2 * BINDING_MAX; i++)
        binding_remove(&t, 0, hton32(i));
    assert_int_equal(t.count, 0);
}

/* One that nobody set up is empty, and nobody's business. */
static void test_none(void **state)
{
    struct binding_table t = {0};
    struct binding b = make(0, 1, 1, UINT64_MAX);

    (void)state;
    assert_true(binding_set(&t, &b, 1));
    assert_null(binding_find(&t, 0, 1, 1));
    binding_remove(&t, 0, 1);
    fake_alloc_limit = 100;
    assert_int_equal(binding_init(&t, &key, fake_alloc), -ENOMEM);
    fake_alloc_limit = SIZE_MAX;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_against_list, teardown),
        cmocka_unit_test_teardown(test_full, teardown),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests_name("binding", tests, NULL, NULL);
}
