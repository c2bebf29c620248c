/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/port_pool.c: every port given at most once, range and parity kept (RFC 4787, REQ-3 and
 * REQ-4), exhaustion exact, the choice spread evenly (RFC 6056).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/port_pool.h"
#include "tests/fake/fake_base.h"

static struct port_pool pool;
static const uint64_t seed[2] = {0x0123456789ABCDEFull, 42};

static int setup(void **state)
{
    (void)state;
    port_pool_init(&pool, seed);
    return 0;
}

static void test_wanted_is_kept(void **state)
{
    (void)state;
    static const uint16_t rows[] = {1, 53, 500, 1023, 1024, 1025, 40000, 65534, 65535};
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(port_pool_take(&pool, rows[i]), rows[i]);
        assert_true(port_pool_is_taken(&pool, rows[i]));
        assert_false(port_pool_take_exact(&pool, rows[i]));
    }
    assert_int_equal(pool.free_count, 65535 - ARRAY_COUNT(rows));
}

static void test_parity_and_range(void **state)
{
    (void)state;
    static const uint16_t rows[] = {5060, 5061, 1024, 65535, 500, 501, 1023};
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        port_pool_take(&pool, rows[i]);
        for (unsigned n = 0; n < 200; n++) {
            uint16_t got = port_pool_take(&pool, rows[i]);
            assert_int_not_equal(got, 0);
            assert_int_equal(got & 1, rows[i] & 1);
            assert_int_equal(got < 1024, rows[i] < 1024);
            if (rows[i] < 1024 && n == 100) {
                setup(NULL);
                port_pool_take(&pool, rows[i]);
            }
        }
    }
}

static void test_zero(void **state)
{
    (void)state;
    assert_false(port_pool_take_exact(&pool, 0));
    for (unsigned n = 0; n < 1000; n++)
        assert_true(port_pool_take(&pool, 0) >= 1024);
}

/* Everything can be taken, each port once, in the order range, parity, rest; then 0, at once. */
static void test_exhaustion(void **state)
{
    (void)state;
    static bool seen[65536];
    memset(seen, 0, sizeof(seen));

    for (uint32_t n = 0; n < 64512; n++) {
        uint16_t got = port_pool_take(&pool, 4001);
        assert_false(seen[got]);
        assert_true(got >= 1024);
        assert_int_equal(got & 1, n < 32256);
        seen[got] = true;
    }
    assert_int_equal(port_pool_take(&pool, 4001), 0);
    assert_int_equal(port_pool_take_random(&pool), 0);
    assert_int_equal(pool.free_count, 1023);

    for (uint32_t n = 0; n < 1023; n++) {
        uint16_t got = port_pool_take(&pool, 80);
        assert_true(got != 0 && got < 1024 && !seen[got]);
        seen[got] = true;
    }
    assert_int_equal(port_pool_take(&pool, 80), 0);
    assert_int_equal(pool.free_count, 0);

    port_pool_release(&pool, 33333);
    assert_int_equal(port_pool_take(&pool, 80), 33333); /* below 1024 none is left */
    port_pool_release(&pool, 7);
    assert_int_equal(port_pool_take_random(&pool), 0); /* never from below 1024 */
    assert_int_equal(port_pool_take(&pool, 2000), 0);
    assert_int_equal(port_pool_take(&pool, 8), 7);
}

/* The last free port is found from any start. */
static void test_last_one(void **state)
{
    (void)state;
    while (port_pool_take_random(&pool) != 0) {
    }
    for (uint32_t port = 1024; port < 65536; port += 61) {
        port_pool_release(&pool, (uint16_t)port);
        assert_int_equal(port_pool_take(&pool, (uint16_t)(port ^ 1)), port);
    }
}

static void test_spread(void **state)
{
    (void)state;
    static uint32_t count[63];
    uint16_t last = 0;
    unsigned near = 0;

    memset(count, 0, sizeof(count));
    for (unsigned n = 0; n < 63000; n++) {
        uint16_t got = port_pool_take_random(&pool);
        count[(got - 1024) / 1024]++;
        near += (uint16_t)(got - last + 16) < 32;
        last = got;
        port_pool_release(&pool, got);
    }
    double chi = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(count); i++)
        chi += ((double)count[i] - 1000) * ((double)count[i] - 1000) / 1000;
    assert_true(chi < 110); /* 62 degrees of freedom: once in 6,000 seeds */
    assert_true(near < 70); /* 31 are expected by chance */
}

static void test_seeds_differ(void **state)
{
    (void)state;
    struct port_pool other;
    const uint64_t other_seed[2] = {seed[0], seed[1] + 1};
    unsigned same = 0;

    port_pool_init(&other, other_seed);
    for (unsigned n = 0; n < 1000; n++)
        same += port_pool_take_random(&pool) == port_pool_take_random(&other);
    assert_true(same < 5);
}

/* Two that are the same, of which one gets another seed, part; neither gives a port twice. */
static void test_reseeding(void **state)
{
    (void)state;
    static bool taken[65536];
    struct port_pool other;
    const uint64_t other_seed[2] = {seed[0] + 1, seed[1]};
    unsigned same = 0;

    memset(taken, 0, sizeof(taken));
    for (unsigned n = 0; n < 5000; n++)
        taken[port_pool_take_random(&pool)] = true;
    other = pool;
    port_pool_reseed(&other, other_seed);
    for (unsigned n = 0; n < 1000; n++) {
        uint16_t port = port_pool_take_random(&pool), others = port_pool_take_random(&other);
        assert_false(taken[port] || taken[others]);
        same += port == others;
    }
    assert_true(same < 5);
    assert_int_equal(other.free_count, 65535 - 6000);
}

/* The generator against the published vector: SipHash-2-4, key 00..0f, message 00..07. */
static void test_generator_vector(void **state)
{
    (void)state;
    const uint64_t key[2] = {0x0706050403020100ull, 0x0F0E0D0C0B0A0908ull};
    port_pool_init(&pool, key);
    pool.counter = 0x0706050403020100ull;
    /* 93f5f5799a932462, of which the lower half chooses among the even ports from 1024 on. */
    assert_int_equal(port_pool_take(&pool, 0), 1024 + ((0x9a932462ull * 64512 >> 32) & ~1ull));
}

static void test_release_of_free_port(void **state)
{
    (void)state;
    jmp_buf env;
    volatile bool caught = false;

    fake_check_jump = &env;
    if (setjmp(env) == 0)
        port_pool_release(&pool, 2000);
    else
        caught = true;
    fake_check_jump = NULL;
    assert_true(caught);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_wanted_is_kept, setup),
        cmocka_unit_test_setup(test_parity_and_range, setup),
        cmocka_unit_test_setup(test_zero, setup),
        cmocka_unit_test_setup(test_exhaustion, setup),
        cmocka_unit_test_setup(test_last_one, setup),
        cmocka_unit_test_setup(test_spread, setup),
        cmocka_unit_test_setup(test_seeds_differ, setup),
        cmocka_unit_test_setup(test_reseeding, setup),
        cmocka_unit_test_setup(test_generator_vector, setup),
        cmocka_unit_test_setup(test_release_of_free_port, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
