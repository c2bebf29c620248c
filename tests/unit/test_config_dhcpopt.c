/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/config_dhcpopt.c: dhcpopt=, the bytes it comes to, and every message about it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_config.h"

#include <stdio.h>
#include <stdlib.h>

static struct fake_config f;

static void test_bytes(void **state)
{
    static const struct {
        int id;
        const char *value; /* CODE:VALUE */
        unsigned code, n;
        uint8_t bytes[24];
    } rows[] = {
        /* clang-format off */
        {1, "42:192.168.8.5", 42, 4, {192, 168, 8, 5}},
        {2, "ntp:192.168.8.5+10.0.0.1", 42, 8, {192, 168, 8, 5, 10, 0, 0, 1}},
        {3, "bootfile:pxelinux.0", 67, 10, "pxelinux.0"},
        {4, "114:https://a.example/portal:8443", 114, 29, "https://a.example/portal"},
        {5, "mtu:1400", 26, 2, {5, 120}},
        {6, "netbios-node:8", 46, 1, {8}},
        {7, "ipv6-only:4294967295", 108, 4, {255, 255, 255, 255}},
        {8, "43:0x0104AbcD", 43, 4, {1, 4, 0xAB, 0xCD}},
        {9, "ntp:0x01", 42, 1, {1}},
        {10, "200:some-text", 200, 9, "some-text"},
        {11, "200:1.2.3.4+5.6.7.8", 200, 8, {1, 2, 3, 4, 5, 6, 7, 8}},
        {12, "200:1.2.3", 200, 5, "1.2.3"},
        {13, "search:a.example+b", 119, 14, "\1a\7example\0\1b\0"},
        {14, "routes:10.0.0.0/8-192.168.8.2", 121, 6, {8, 10, 192, 168, 8, 2}},
        {15, "121:10.128.0.0/9-192.168.8.2+default", 121, 12,
         {9, 10, 128, 192, 168, 8, 2, 0, 192, 168, 8, 1}},
        {16, "121:default", 121, 5, {0, 192, 168, 8, 1}},
        {17, "121:1.2.3.4/32-10.0.0.1", 121, 9, {32, 1, 2, 3, 4, 10, 0, 0, 1}},
        {18, "121:0.0.0.0/0-192.168.8.9", 121, 5, {0, 192, 168, 8, 9}},
        /* clang-format on */
    };
    char text[128];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        snprintf(text, sizeof(text), "dhcpopt=lan:%s", rows[i].value);
        bool ok = fake_config_run(&f, 2, text);
        const struct config_dhcpopt *option = &f.config.dhcpopts[0];
        if (!ok || f.config.dhcpopt_count != 1 || option->code != rows[i].code ||
            option->n != rows[i].n ||
            memcmp(option->bytes, rows[i].bytes, MIN(rows[i].n, sizeof(rows[i].bytes))) != 0)
            fail_msg("row %d: n %u %s", rows[i].id, option->n, f.said);
    }
    assert_true(fake_config_run(&f, 2, "dhcpopt=lan:next-server:192.168.8.7"));
    assert_int_equal(f.config.dhcpopt_count, 0);
    assert_int_equal(f.config.nets[0].next_server, BE_IP4(192, 168, 8, 7));
}

static void test_errors(void **state)
{
    static const struct {
        int id;
        const char *text;
        const char *expected; /* part of what is said */
    } rows[] = {
        {1, "dhcpopt=lan", "expected a network, an option's number or name, and its value"},
        {2, "dhcpopt=lan:42", "expected a network, an option's number or name, and its value"},
        {3, "dhcpopt=:42:1.2.3.4", "expected a network, an option's number or name"},
        {4, "dhcpopt=lan:256:x", "expected the number of an option, or a name like ntp"},
        {5, "dhcpopt=lan:nptp:x", "expected the number of an option, or a name like ntp"},
        {6, "dhcpopt=lan:42:x", "expected addresses joined by '+', or bytes like 0x0a1b"},
        {7, "dhcpopt=lan:42:", "expected addresses joined by '+'"},
        {8, "dhcpopt=lan:200:", "expected a text, or bytes like 0x0a1b"},
        {9, "dhcpopt=lan:200:0x", "expected pairs of hex digits behind 0x"},
        {10, "dhcpopt=lan:200:0x123", "expected pairs of hex digits behind 0x"},
        {11, "dhcpopt=lan:200:0x1g", "expected pairs of hex digits behind 0x"},
        {12, "dhcpopt=lan:mtu:65536", "expected a number up to 65535"},
        {13, "dhcpopt=lan:46:256", "expected a number up to 255"},
        {14, "dhcpopt=lan:108:4294967296", "expected a number up to 4294967295"},
        {15, "dhcpopt=lan:119:a..b", "expected domains joined by '+'"},
        {16, "dhcpopt=lan:119:", "expected domains joined by '+'"},
        {17, "dhcpopt=lan:121:10.0.0.0/8", "expected routes like 10.0.0.0/8-192.168.8.2"},
        {18, "dhcpopt=lan:121:10.0.0.0/33-192.168.8.2", "expected routes like"},
        {19, "dhcpopt=lan:121:10.0.0.1/8-192.168.8.2", "without bits behind its prefix"},
        {20, "dhcpopt=lan:next-server:0.0.0.0", "expected the address of one machine"},
        {21, "dhcpopt=lam:42:1.2.3.4", "no net= is called lam; did you mean 'lan'?"},
        {22, "net=lan,nat,pool=off dhcpopt=lan:42:1.2.3.4", "serves no DHCP in network lan"},
        {23, "dhcpopt=lan:42:1.2.3.4 dhcpopt=lan:ntp:1.2.3.5", "is given twice"},
    };
    static const unsigned ours[] = {0,  1,  12, 28, 50, 51, 52, 53, 54,
                                    55, 56, 57, 58, 59, 61, 82, 255};
    char text[700];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        if (fake_config_run(&f, 2, rows[i].text) || !strstr(f.said, rows[i].expected))
            fail_msg("row %d said:\n%s", rows[i].id, f.said);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(ours); i++) {
        snprintf(text, sizeof(text), "dhcpopt=lan:%u:0x01", ours[i]);
        if (fake_config_run(&f, 2, text) || !strstr(f.said, "this one is the server's own"))
            fail_msg("option %u said:\n%s", ours[i], f.said);
    }
    /* As long as it may be, and one byte longer. */
    for (unsigned bytes = CONFIG_DHCPOPT_BYTES; bytes <= CONFIG_DHCPOPT_BYTES + 1; bytes++) {
        int n = snprintf(text, sizeof(text), "dhcpopt=lan:224:0x");
        memset(text + n, 'a', 2 * bytes);
        text[(unsigned)n + 2 * bytes] = '\0';
        assert_int_equal(fake_config_run(&f, 2, text), bytes == CONFIG_DHCPOPT_BYTES);
    }
    assert_non_null(strstr(f.said, "at most 300 bytes"));
}

/* What the start says: a line a network, by name where there is one, folded when it is long. */
static void test_summary(void **state)
{
    (void)state;
    assert_true(
        fake_config_run(&f, 3,
                        "net=lan,nat,ports=1 net=lab,hostonly,ports=2 dhcpopt=lan:ntp:1.2.3.4 "
                        "dhcpopt=lan:200:0x01 dhcpopt=lan:next-server:192.168.8.7 "
                        "dhcpopt=lan:bootfile:a dhcpopt=lan:search:b"));
    fake_config_print(&f);
    assert_non_null(strstr(f.said, "\ndhcpopt  lan        next-server 192.168.8.7  ntp  200  "
                                   "bootfile  search"));
    assert_null(strstr(f.said, "dhcpopt  lab"));
    assert_true(fake_config_run(&f, 3, "net=lan,nat,ports=1 net=lab,hostonly,ports=2"));
    fake_config_print(&f);
    assert_null(strstr(f.said, "dhcpopt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summary),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests_name("config_dhcpopt", tests, NULL, NULL);
}
