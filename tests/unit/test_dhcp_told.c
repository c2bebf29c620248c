/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DHCP server: what the console is told, and how often; a thousand hosts that start at once
 * must not keep the router busy with writing.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_base.h"

#include <stdio.h>

static void lease(unsigned client)
{
    const struct dhcp_lab_request r = {.type = DHCP_TYPE_REQUEST,
                                       .client = client,
                                       .ciaddr = BE_IP4(192, 168, 8, 2) + hton32(client)};

    assert_int_equal(dhcp_lab_ask(r), DHCP_TYPE_ACK);
}

static void test_new_leases_are_told_but_not_without_end(void **state)
{
    (void)state;
    dhcp_lab.config.nets[0].pool_first = BE_IP4(192, 168, 8, 2);
    dhcp_lab_start();
    for (unsigned c = 0; c < 40; c++)
        lease(c);
    assert_int_equal(fake_log_count, DHCP_TOLD_PER_S + 1);
    assert_string_equal(fake_log_last,
                        "lease     and others, more than can be told: the status counts them");
    assert_true(fake_log_has("192.168.8.17    02:00:00:00:00:0f"));
    assert_false(fake_log_has("192.168.8.18 "));
    dhcp_lab.now_us += 1000000;
    fake_log_clear();
    lease(1); /* a renewal is no news */
    assert_int_equal(fake_log_count, 0);
    for (unsigned c = 40; c < 50; c++)
        lease(c);
    assert_int_equal(fake_log_count, 10);
    assert_string_equal(fake_log_last, "lease     192.168.8.51    02:00:00:00:00:31");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_new_leases_are_told_but_not_without_end),
    };
    return cmocka_run_group_tests_name("dhcp_told", tests, NULL, NULL);
}
