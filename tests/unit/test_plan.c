/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The memory plan holds for every size of machine and number of ports: everything it promises fits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "boot/plan.h"
#include "net/nat.h"
#include "net/switch.h"
#include "pkt.h"

static struct table_plan plan(uint64_t free_bytes, uint32_t flows, uint32_t macs, bool filters)
{
    const struct table_wishes wishes = {.flows = flows, .macs = macs, .filters = filters};

    return plan_tables(free_bytes, &wishes);
}

static void everything_fits(void **state)
{
    (void)state;
    static const unsigned free_mb[] = {14, 16, 30, 62, 126, 510, 2046, 8190, 65534};
    for (size_t i = 0; i < ARRAY_COUNT(free_mb); i++) {
        for (unsigned k = 0; k <= 33; k++) {
            unsigned ports = k / 2;
            bool filters = k % 2;
            uint64_t bytes = (uint64_t)free_mb[i] << 20;
            struct buffer_plan buffers = plan_buffers(bytes, ports);
            assert_true(buffers.rx_per_port >= 32);
            assert_true(buffers.rx_per_port * ports <= buffers.buffers / 2);
            uint64_t used = (uint64_t)buffers.buffers * PKT_BUF_BYTES;
            assert_true(used <= bytes / 2);
            struct table_plan tables = plan(bytes - used, 0, 0, filters);
            assert_true(tables.fits);
            assert_true(tables.flows >= 4096);
            uint64_t taken = nat_bytes(tables.flows) + switch_bytes(tables.switch_addresses);
            taken += filters ? nat_filter_bytes(tables.flows) : 0;
            assert_int_equal(tables.bytes, taken);
            used += taken;
            assert_true(used + tables.dns_cache_bytes + (1u << 20) <= bytes);
        }
    }
}

static void figures(void **state)
{
    (void)state;
    assert_int_equal(plan(510u << 20, 0, 0, false).flows, 1u << 20);
    assert_int_equal(plan(510u << 20, 5000, 0, false).flows, 5000);
    assert_true(plan(510u << 20, 2u << 20, 0, false).fits);
    assert_false(plan(16u << 20, 1u << 20, 0, false).fits);
    assert_int_equal(plan(254u << 20, 0, 0, false).flows, 1u << 19);
    assert_true(plan(254u << 20, 7u << 18, 0, false).fits);
    assert_false(plan(254u << 20, 7u << 18, 0, true).fits);
    assert_int_equal(plan(510u << 20, 0, 0, false).switch_addresses, 65536);
    assert_int_equal(plan(14u << 20, 0, 0, false).switch_addresses, 8192);
    assert_int_equal(plan(510u << 20, 0, 100000, false).switch_addresses, 100000);
    assert_true(plan(30u << 20, 0, 1u << 20, false).fits);
    assert_false(plan(17u << 20, 0, 1u << 20, false).fits);
    assert_int_equal(plan(510u << 20, 0, 0, false).dns_cache_bytes, 4u << 20);
    assert_int_equal(plan(64u << 20, 0, 0, false).dns_cache_bytes, 1u << 20);
    assert_int_equal(plan(2u << 20, 0, 0, false).dns_cache_bytes, 64u << 10);
    assert_int_equal(switch_bytes(1u << 20), 16u << 20);
    assert_int_equal(plan_buffers(510u << 20, 2).rx_per_port, 256);
}

/* Pools are as large as they are: flows by memory give way to them, down to the fewest there can
 * be, and no further. */
static void pools(void **state)
{
    (void)state;
    static const struct {
        int id;
        unsigned free_mb, lease_mb;
        uint32_t wanted, flows; /* flows 0: it does not fit */
    } rows[] = {
        {1, 510, 10, 0, 1u << 20},  {2, 254, 0, 0, 1u << 19},
        {3, 254, 100, 0, 1u << 19}, {4, 254, 150, 0, 1u << 18},
        {5, 30, 10, 0, 1u << 15},   {6, 30, 20, 0, 1u << 14},
        {7, 30, 27, 0, 0},          {8, 30, 31, 0, 0},
        {9, 254, 150, 7u << 17, 0}, {10, 254, 100, 7u << 17, 7u << 17},
        {11, 14, 10, 0, 1u << 12},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct table_wishes wishes = {.flows = rows[i].wanted,
                                            .lease_bytes = (uint64_t)rows[i].lease_mb << 20};
        struct table_plan got = plan_tables((uint64_t)rows[i].free_mb << 20, &wishes);
        if (got.fits != (rows[i].flows != 0) || (got.fits && got.flows != rows[i].flows))
            fail_msg("row %d: %s, %u flows", rows[i].id, got.fits ? "fits" : "does not fit",
                     got.flows);
        assert_int_equal(got.bytes, nat_bytes(got.flows) + switch_bytes(got.switch_addresses) +
                                        wishes.lease_bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_fits),
        cmocka_unit_test(figures),
        cmocka_unit_test(pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
