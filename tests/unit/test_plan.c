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
#include "pkt.h"

static void everything_fits(void **state)
{
    (void)state;
    static const unsigned free_mb[] = {14, 16, 30, 62, 126, 510, 2046, 8190, 65534};
    for (size_t i = 0; i < ARRAY_COUNT(free_mb); i++) {
        for (unsigned ports = 0; ports <= 16; ports++) {
            uint64_t bytes = (uint64_t)free_mb[i] << 20;
            struct memory_plan plan = memory_plan_make(bytes, ports, 0);
            uint64_t used = (uint64_t)plan.buffers * PKT_BUF_BYTES + nat_bytes(plan.flows) +
                            plan.switch_addresses * 16u;
            assert_true(used <= bytes * 9 / 10);
            assert_true(plan.flows >= 4096);
            assert_true(plan.rx_buffers_per_port >= 32);
            assert_true(plan.rx_buffers_per_port * ports <= plan.buffers / 2);
        }
    }
}

static void figures(void **state)
{
    (void)state;
    assert_int_equal(memory_plan_make(510u << 20, 2, 0).flows, 1u << 20);
    assert_int_equal(memory_plan_make(510u << 20, 2, 5000).flows, 5000);
    assert_int_equal(memory_plan_make(510u << 20, 2, 0).rx_buffers_per_port, 256);
    assert_int_equal(memory_plan_make(510u << 20, 2, 0).switch_addresses, 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_fits),
        cmocka_unit_test(figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
