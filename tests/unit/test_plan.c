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
            struct table_plan tables = plan_tables(bytes - used, 0, 0, filters);
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
    assert_int_equal(plan_tables(510u << 20, 0, 0, false).flows, 1u << 20);
    assert_int_equal(plan_tables(510u << 20, 5000, 0, false).flows, 5000);
    assert_true(plan_tables(510u << 20, 2u << 20, 0, false).fits);
    assert_false(plan_tables(16u << 20, 1u << 20, 0, false).fits);
    assert_int_equal(plan_tables(254u << 20, 0, 0, false).flows, 1u << 19);
    assert_true(plan_tables(254u << 20, 7u << 18, 0, false).fits);
    assert_false(plan_tables(254u << 20, 7u << 18, 0, true).fits);
    assert_int_equal(plan_tables(510u << 20, 0, 0, false).switch_addresses, 65536);
    assert_int_equal(plan_tables(14u << 20, 0, 0, false).switch_addresses, 8192);
    assert_int_equal(plan_tables(510u << 20, 0, 100000, false).switch_addresses, 100000);
    assert_true(plan_tables(30u << 20, 0, 1u << 20, false).fits);
    assert_false(plan_tables(17u << 20, 0, 1u << 20, false).fits);
    assert_int_equal(plan_tables(510u << 20, 0, 0, false).dns_cache_bytes, 4u << 20);
    assert_int_equal(plan_tables(64u << 20, 0, 0, false).dns_cache_bytes, 1u << 20);
    assert_int_equal(plan_tables(2u << 20, 0, 0, false).dns_cache_bytes, 64u << 10);
    assert_int_equal(switch_bytes(1u << 20), 16u << 20);
    assert_int_equal(plan_buffers(510u << 20, 2).rx_per_port, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_fits),
        cmocka_unit_test(figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
