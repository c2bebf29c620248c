/* SPDX-License-Identifier: BSD-3-Clause
 *
 * T12: outside ports that are not the inside's own, by 10^5 mappings as hosts make them (RFC 6056,
 * section 3; RFC 7857, section 9): spread evenly over all of 1024-65535, and no port says anything
 * about the next one. Seeds are fixed; NAT_PORTS_SEED tries another.
 *
 * The thresholds are five standard deviations from what chance gives, so that one seed in a million
 * fails; each test also shows that it would notice a generator that is not random.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

#define COUNT     100000u
#define ROUND     8000u /* at a time, a quarter of the ports of one parity */
#define FIRST     1024u
#define CANDIDATE 32256u /* odd ports from FIRST on */
#define CELLS     252u   /* of 128 candidates each */
#define COARSE    16u    /* cells of 2,016, for pairs */

static uint16_t ports[COUNT];

static double square(double x)
{
    return x * x;
}

/* Each is within five standard deviations of what chance makes it. */
static bool is_even(const uint16_t *p)
{
    static unsigned cells[CELLS];
    double chi = 0, expected = (double)COUNT / CELLS;

    memset(cells, 0, sizeof(cells));
    for (unsigned i = 0; i < COUNT; i++)
        cells[(p[i] - FIRST) / 256]++;
    for (unsigned i = 0; i < CELLS; i++)
        chi += square(cells[i] - expected) / expected;
    /* 251 degrees of freedom, standard deviation 22. No port is given out twice in a round, which
     * makes it more even by up to a quarter; but what counts through the ports is evener by far. */
    return chi > 251 * 0.75 - 5 * 22 && chi < 251 + 5 * 22;
}

/* Of 16 by 16 kinds of pairs that follow each other, 225 degrees of freedom. */
static bool pairs_are_even(const uint16_t *p)
{
    static unsigned cells[COARSE][COARSE];
    double chi = 0, expected = (double)(COUNT - 1) / (COARSE * COARSE);

    memset(cells, 0, sizeof(cells));
    for (unsigned i = 0; i + 1 < COUNT; i++)
        cells[(p[i] - FIRST) / 2 * COARSE / CANDIDATE]
             [(p[i + 1] - FIRST) / 2 * COARSE / CANDIDATE]++;
    for (unsigned i = 0; i < COARSE; i++)
        for (unsigned k = 0; k < COARSE; k++)
            chi += square(cells[i][k] - expected) / expected;
    return chi < 255 + 5 * 22.6;
}

/* How one port and the one so many later go together. */
static bool is_uncorrelated(const uint16_t *p, unsigned later)
{
    double mean = 0, variance = 0, covariance = 0;

    for (unsigned i = 0; i < COUNT; i++)
        mean += (double)p[i] / COUNT;
    for (unsigned i = 0; i < COUNT; i++) {
        variance += square(p[i] - mean);
        if (i + later < COUNT)
            covariance += (p[i] - mean) * (p[i + later] - mean);
    }
    double r = covariance / variance;
    return square(r) < square(5) / COUNT;
}

/* No step from one port to the next comes up more often than chance has it: each of 32,768 comes
 * three times by expectation, the most frequent about 13 times, and 20 times in one of 10^5 seeds.
 */
static bool has_no_step(const uint16_t *p)
{
    static unsigned steps[65536];
    unsigned most = 0;

    memset(steps, 0, sizeof(steps));
    for (unsigned i = 0; i + 1 < COUNT; i++) {
        unsigned n = ++steps[(uint16_t)(p[i + 1] - p[i])];
        most = MAX(most, n);
    }
    return most < 20;
}

/* 100,000 endpoints, ROUND of them at a time, that all want one port. */
static void make_mappings(uint64_t seed)
{
    struct nat_params params = {.flow_capacity = ROUND + 1,
                                .alloc_dirty = fake_alloc_dirty,
                                .random = seed,
                                .now_ms = rig_now_ms};
    unsigned n = 0;

    for (unsigned i = 0; i < 4; i++)
        params.key.k[i] = (0x9E3779B97F4A7C15ull * (i + 1) ^ seed) | 1;
    rig_restart(1); /* for its pool of packets */
    assert_int_equal(nat_init(&rig_nat, &params, fake_alloc), 0);
    rig_set_outside(OUTSIDE);
    for (unsigned round = 0; n < COUNT; round++) {
        for (unsigned i = 0; i <= ROUND && n < COUNT; i++) {
            PASSES(rig_out(UDP, hton32(0x0A000001 + round * 10000 + i), 40001, R1, 53, 0));
            uint16_t port = rig_outside_port();
            assert_true(port >= FIRST && port % 2 == 1);
            if (i > 0)
                ports[n++] = port; /* the first host has the port it wants */
            else
                assert_int_equal(port, 40001);
        }
        for (unsigned i = 0; i < 10; i++) /* they end, and whatever is kept of them does */
            rig_wait_ms(100 * 1000);
        assert_int_equal(rig_nat.counters.mappings_live, 0);
    }
}

static void test_t12_mappings_are_random(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {1, 0x123456789ABCDEF0ull};
    const char *wanted = getenv("NAT_PORTS_SEED");

    for (unsigned s = 0; s < (wanted ? 1 : ARRAY_COUNT(seeds)); s++) {
        make_mappings(wanted ? strtoull(wanted, NULL, 0) : seeds[s]);
        assert_true(is_even(ports));
        assert_true(pairs_are_even(ports));
        assert_true(has_no_step(ports));
        for (unsigned later = 1; later <= 8; later++)
            assert_true(is_uncorrelated(ports, later));
        fake_alloc_free_all();
    }
}

/* What RFC 6056 warns of, and each of these finds. */
static void test_what_is_not_random(void **state)
{
    (void)state;
    uint32_t lcg = 1;

    for (unsigned i = 0; i < COUNT; i++) /* one after the other */
        ports[i] = (uint16_t)(FIRST + 1 + 2 * (i % CANDIDATE));
    assert_false(is_even(ports) && pairs_are_even(ports));
    assert_false(has_no_step(ports));
    assert_false(is_uncorrelated(ports, 1));
    for (unsigned i = 0; i < COUNT; i++) /* by a fixed step, all over the place */
        ports[i] = (uint16_t)(FIRST + 1 + 2 * (i * 12345ull % CANDIDATE));
    assert_false(is_even(ports));
    assert_false(pairs_are_even(ports));
    assert_false(has_no_step(ports));
    for (unsigned i = 0; i < COUNT; i++) { /* of half of the range */
        lcg = lcg * 1664525 + 1013904223;
        ports[i] = (uint16_t)(32769 + 2 * ((lcg >> 8) % 16383));
    }
    assert_false(is_even(ports));
    for (unsigned i = 0; i < COUNT; i++) { /* each near the last one */
        lcg = lcg * 1664525 + 1013904223;
        unsigned from = i ? (ports[i - 1] - FIRST) / 2u : 0;
        ports[i] = (uint16_t)(FIRST + 1 + 2 * ((from + (lcg >> 8) % 8000) % CANDIDATE));
    }
    assert_false(pairs_are_even(ports));
    assert_false(is_uncorrelated(ports, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_t12_mappings_are_random),
        TEST(test_what_is_not_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
