/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/config_forward.c and config_fwds.c: port ranges, several targets, and the dmz: what they
 * come to, and every message about them. Single ports and the other programs' spellings are in
 * test_config.c, test_config_checks.c and test_config_errors.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_config.h"

static struct fake_config f;

#define HOSTS        "host=52:54:00:aa:bb:01,192.168.8.10,web host=52:54:00:aa:bb:02,192.168.8.11,web2 "
#define HOSTS_END    "82"
#define TWO          "net=lan,nat,ports=1 net=lab,hostonly,ports=2 "
#define STATIC       "uplink=0,ip=203.0.113.2/24,gw=203.0.113.1,dns=9.9.9.9 "
#define STATIC_END   "55"
#define STATIC_END_2 "91"
#define SAME_SUBNET  "net=a,nat,ip=192.168.8.1/24,ports=1 net=b,nat,ip=192.168.8.1/24,ports=2 "
#define SAME_END     "73"
#define IN_BOTH                                                                                    \
    "in network a and in network b, whose subnets overlap; name a host=...,net=NAME instead\n"     \
    "note network b, 192.168.8.1/24, overlaps network a, 192.168.8.1/24: neither can ever reach "  \
    "the other\n"
#define PORTS "a port from 1 to 65535, or a range of them like 8000-8100\n"

static void test_reading(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {1, 2, "fwd=tcp:8000-8100:192.168.8.10", ""},
        {2, 2, "fwd=both:1-1:192.168.8.10:65535-65535", ""},
        {3, 2, "fwd=tcp:8000-8100:192.168.8.10:9000-9100 fwd=udp:8000-8100:192.168.8.10:65435", ""},
        {4, 2, HOSTS "fwd=tcp:80-90:web+web2+192.168.8.12:8080", ""},
        {5, 2, "fwd=tcp:80:192.168.8.2+192.168.8.3+192.168.8.4+192.168.8.5+192.168.8.6+192.168.8.7"
         "+192.168.8.8+192.168.8.9", ""},
        {6, 2, "fwd=tcp:1.2.3.4:80-90:192.168.8.10:180-190", ""},
        {10, 2, "fwd=tcp:80-:192.168.8.10", "9 '80-' in fwd=tcp:80-:192.168.8.10: expected " PORTS},
        {11, 2, "fwd=tcp:-80:192.168.8.10", "9 '-80' in fwd=tcp:-80:192.168.8.10: expected " PORTS},
        {12, 2, "fwd=tcp:80-90-95:192.168.8.10",
         "9 '80-90-95' in fwd=tcp:80-90-95:192.168.8.10: expected " PORTS},
        {13, 2, "fwd=tcp:0-9:192.168.8.10", "9 '0-9' in fwd=tcp:0-9:192.168.8.10: expected " PORTS},
        {14, 2, "fwd=tcp:9-65536:192.168.8.10",
         "9 '9-65536' in fwd=tcp:9-65536:192.168.8.10: expected " PORTS},
        {15, 2, "fwd=tcp:80-90:192.168.8.10:80-91", "28 '80-91' in fwd=tcp:80-90:192.168.8.10:80-91: "
         "expected one port, the first, or a range as long as the one outside\n"},
        {16, 2, "fwd=tcp:80:192.168.8.10:80-81", "25 '80-81' in fwd=tcp:80:192.168.8.10:80-81: "
         "expected one port, the first, or a range as long as the one outside\n"},
        {17, 2, "fwd=tcp:80-90:192.168.8.10:65526", "28 '65526' in fwd=tcp:80-90:192.168.8.10:65526: "
         "expected a first port with room for as many as outside\n"},
        {18, 2, "fwd=tcp:80-90:192.168.8.10:90-80",
         "28 '90-80' in fwd=tcp:80-90:192.168.8.10:90-80: expected " PORTS},
        {19, 2, "fwd=tcp:80:192.168.8.10+", "25 '' in fwd=tcp:80:192.168.8.10+: expected an IPv4 "
         "address or the NAME of a host=\n"},
        {20, 2, "fwd=tcp:80:+192.168.8.10:81", "12 '' in fwd=tcp:80:+192.168.8.10:81: expected an "
         "IPv4 address or the NAME of a host=\n"},
        {21, 2, "fwd=tcp:80:192.168.8.10+0.0.0.0", "25 '0.0.0.0' in fwd=tcp:80:192.168.8.10+0.0.0.0: "
         "expected an IPv4 address or the NAME of a host=\n"},
        {22, 2, "fwd=tcp:80:1.1.1.1+1.1.1.2+1.1.1.3+1.1.1.4+1.1.1.5+1.1.1.6+1.1.1.7+1.1.1.8+1.1.1.9",
         "76 '1.1.1.9' in fwd=tcp:80:1.1.1.1+1.1.1.2+1.1.1.3+1.1.1...: "
         "expected at most 8 targets\n"},
        {23, 2, "hostfwd=tcp::80-90-:80", "17 '90-' in hostfwd=tcp::80-90-:80: expected an IPv4 "
         "address, or nothing\n"},
        {24, 2, "natpf=web,tcp,,80-90,,80", "16 '80-90' in natpf=web,tcp,,80-90,,80: expected one "
         "port from 1 to 65535\n"},
        {30, 2, "dmz=192.168.8.10", ""},
        {31, 2, "dmz=", "1 dmz=: expected an IPv4 address or the NAME of a host=\n"},
        {32, 2, "dmz=224.0.0.1", "5 '224.0.0.1' in dmz=224.0.0.1: expected an IPv4 address or the "
         "NAME of a host=\n"},
        {33, 2, "dmz=192.168.8.10+192.168.8.11", "5 '192.168.8.10+192.168.8.11' in "
         "dmz=192.168.8.10+192.168.8.11: expected an IPv4 address or the NAME of a host=\n"},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

static void test_ports_collide(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {1, 2, "fwd=tcp:80-90:192.168.8.10 fwd=both:90-95:192.168.8.11", "28 forward tcp+udp 90-95 and "
         "forward tcp 80-90 at command line, column 1 want the same packets\n"},
        {2, 2, "fwd=tcp:80-90:192.168.8.10 fwd=tcp:85:192.168.8.11", "28 forward tcp 85 and "
         "forward tcp 80-90 at command line, column 1 want the same packets\n"},
        {3, 2, "fwd=tcp:80-90:192.168.8.10 fwd=udp:85:192.168.8.11 fwd=tcp:91-95:192.168.8.11", ""},
        {4, 2, "fwd=tcp:80-90:192.168.8.10,from=10.0.0.0/8 fwd=tcp:85-99:192.168.8.11,from=11.0.0.0/8",
         ""},
        {5, 2, "fwd=tcp:80-90:192.168.8.10 fwd=tcp:80-90:192.168.8.11", "28 fwd=tcp:80-90:192.168.8.11: "
         "this fwd= is given twice, first at command line, column 1\n"},
        {6, 2, "fwd=udp:60-70:192.168.8.10", "1 forward udp 60-70 takes a port of the uplink that the "
         "router's DHCP client needs\n"},
        {7, 2, "fwd=udp:69-70:192.168.8.10 fwd=udp:60-67:192.168.8.10 fwd=tcp:60-70:192.168.8.10", ""},
        {8, 2, "fwd=tcp:1-61338:192.168.8.10 fwd=both:62000-62100:192.168.8.10", ""},
        {9, 2, "fwd=tcp:1-61338:192.168.8.10 fwd=both:62000-62101:192.168.8.10", "30 forwards take "
         "60417 of the 64512 tcp ports from 1024 on, and must leave 4096 for connections from inside\n"},
        {10, 2, "fwd=tcp:1024-61439:192.168.8.10", ""},
        {11, 2, "fwd=tcp:1024-61440:192.168.8.10,from=10.0.0.0/8 fwd=tcp:1-65535:192.168.8.11,from="
         "11.0.0.0/8", "49 forwards take 64512 of the 64512 tcp ports from 1024 on, and must leave "
         "4096 for connections from inside\n"},
        {12, 2, "fwd=udp:1024-65535:192.168.8.10", "1 forwards take 64512 of the 64512 udp ports from "
         "1024 on, and must leave 4096 for connections from inside\n"},
        {13, 2, "fwd=tcp:1024-61440:192.168.8.10", "1 forwards take 60417 of the 64512 tcp ports from "
         "1024 on, and must leave 4096 for connections from inside\n"},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

static void test_targets(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {20, 2, HOSTS "fwd=tcp:80:web+192.168.8.11+web2", HOSTS_END " forward tcp 80: target "
         "192.168.8.11 is named twice\n"},
        {21, 3, TWO "fwd=tcp:80-81:192.168.8.10+192.168.9.10", "46 forward tcp 80-81: target "
         "192.168.9.10 is in network lab, and 192.168.8.10 in network lan: a forward leads to one "
         "network\n46 forward tcp 80-81: target 192.168.9.10 is in network lab, which is hostonly and "
         "never reaches the uplink\n"},
        {22, 2, "fwd=tcp:80:192.168.8.10+192.168.8.1+192.168.8.255+10.9.9.9", "1 forward tcp 80: "
         "target 192.168.8.1 is the router's own address in network lan\n1 forward tcp 80: target "
         "192.168.8.255 is the first or last address of network lan\n1 forward tcp 80: target 10.9.9.9 "
         "is outside every network\n"},
        {23, 2, HOSTS "fwd=tcp:80:web+wbe", HOSTS_END " forward tcp 80: no host= is called wbe; did "
         "you mean 'web'?\n"},
        {42, 3, SAME_SUBNET "fwd=udp:5-6:192.168.8.10", SAME_END " forward udp 5-6: target 192.168.8.10 "
         "is " IN_BOTH},
        {61, 3, TWO "fwd=udp:5-9:192.168.9.10", "46 forward udp 5-9: target 192.168.9.10 is in network "
         "lab, which is hostonly and never reaches the uplink\n"},
        {62, 2, "net=lan,nat,ports=0+1 fwd=tcp:80:192.168.8.10", "23 forward tcp 80 needs an uplink, "
         "and there is none\n"},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

static void test_dmz(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {30, 2, HOSTS "dmz=web2", ""},
        {31, 2, HOSTS "dmz=wbe2", HOSTS_END " dmz: no host= is called wbe2; did you mean 'web2'?\n"},
        {32, 2, "dmz=web host=52:54:00:aa:bb:01,web", "1 dmz: host web at command line, column 9 has "
         "no reserved address to forward to\n"},
        {33, 2, "dmz=192.168.9.10", "1 dmz: target 192.168.9.10 is outside every network\n"},
        {34, 2, "dmz=192.168.8.1", "1 dmz: target 192.168.8.1 is the router's own address in network "
         "lan\n"},
        {35, 3, TWO "dmz=192.168.9.10", "46 dmz: target 192.168.9.10 is in network lab, which is "
         "hostonly and not translated\n"},
        {36, 2, "net=a,routed dmz=192.168.8.10", "14 dmz: target 192.168.8.10 is in network a, which is "
         "routed and not translated\n"},
        {37, 2, "net=lan,nat,ports=0+1 dmz=192.168.8.10", "23 dmz needs an uplink, and there is none\n"},
        {38, 2, "dmz=192.168.8.10 fwd=tcp:80:192.168.8.11", ""},
        {39, 2, "dmz=192.168.8.10 dmz=192.168.8.11", "18 dmz=192.168.8.11: this dmz= is given twice, "
         "first at command line, column 1\n"},
        {40, 2, "hots=52:54:00:aa:bb:01,192.168.8.10,web dmz=web", "1 hots=52:54:00:aa:bb:01,192.168.8.10,"
         "web: no such option; did you mean 'host='?\n"},
        {41, 3, SAME_SUBNET "dmz=192.168.8.10", SAME_END " dmz: target 192.168.8.10 is " IN_BOTH},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

static void test_outside_and_from(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {50, 2, STATIC "fwd=tcp:203.0.113.2:80:192.168.8.10 fwd=tcp:80:192.168.8.11", STATIC_END_2
         " forward tcp 80 and forward tcp 80 at command line, column 55 want the same packets\n"},
        {51, 2, "fwd=tcp:203.0.113.2:80:192.168.8.10 fwd=tcp:203.0.113.3:80:192.168.8.11", ""},
        {52, 2, STATIC "fwd=tcp:203.0.113.3:80:192.168.8.10", STATIC_END " forward tcp 80: 203.0.113.3 "
         "is not the uplink's address, 203.0.113.2 at command line, column 1\n"},
        {53, 2, STATIC "fwd=udp:68:192.168.8.10", ""}, /* no DHCP there */
        {54, 2, "fwd=both:68:192.168.8.10", "1 forward tcp+udp 68 takes a port of the uplink that the "
         "router's DHCP client needs\n"},
        {55, 2, "fwd=tcp:80:192.168.8.10,from=lan", "30 'lan' in fwd=tcp:80:192.168.8.10,from=lan: "
         "expected outside addresses like 203.0.113.0/24; names are for rule=\n"},
        {56, 2, "fwd=tcp:80:192.168.8.10,from=192.168.8.0/24", "1 forward tcp 80: from=192.168.8.0/24 "
         "is in network lan, whose hosts call from the uplink's address\n"},
        {57, 2, "fwd=tcp:80:192.168.8.10,from=192.168.8.77", "1 forward tcp 80: from=192.168.8.77/32 "
         "is in network lan, whose hosts call from the uplink's address\n"},
        {58, 2, "fwd=tcp:80:192.168.8.10,from=192.168.0.0/16", ""}, /* some of it is outside */
        {59, 2, STATIC "fwd=tcp:80:192.168.8.10,from=203.0.113.2", ""}, /* those inside alone */
        {60, 2, "fwd=tcp:80:192.168.8.10,from=10.0.0.0/8 fwd=both:79-81:192.168.8.11,from=10.9.0.0/16",
         "41 forward tcp+udp 79-81 and forward tcp 80 at command line, column 1 want the same "
         "packets\n"},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

static void test_values_arrive(void **state)
{
    const struct config *c = &f.config;

    (void)state;
    assert_true(fake_config_run(
        &f, 2,
        HOSTS "fwd=both:8000-8100:web+192.168.8.12+WEB2:9000-9100 fwd=tcp:5:web2:6 dmz=web"));
    assert_int_equal(c->fwd_count, 2);
    assert_int_equal(c->fwds[0].first_port, 8000);
    assert_int_equal(c->fwds[0].last_port, 8100);
    assert_int_equal(c->fwds[0].target_port, 9000);
    assert_int_equal(c->fwds[0].target_count, 3);
    assert_int_equal(c->fwds[0].targets[0], BE_IP4(192, 168, 8, 10));
    assert_int_equal(c->fwds[0].targets[1], BE_IP4(192, 168, 8, 12));
    assert_int_equal(c->fwds[0].targets[2], BE_IP4(192, 168, 8, 11));
    assert_int_equal(c->fwds[0].net, 0);
    assert_int_equal(c->fwds[1].last_port, 5);
    assert_int_equal(c->dmz, BE_IP4(192, 168, 8, 10));
    assert_int_equal(c->dmz_net, 0);
    fake_config_print(&f);
    assert_non_null(strstr(f.said, "forward  tcp+udp 8000-8100 -> 192.168.8.10:9000-9100 (web), "
                                   "192.168.8.12:9000-9100,\n"
                                   "            192.168.8.11:9000-9100 (web2) in turn\n"
                                   "forward  tcp 5 -> 192.168.8.11:6 (web2)\n"
                                   "dmz      all other tcp and udp -> 192.168.8.10 (web)\n"));
    assert_true(fake_config_run(&f, 2, "fwd=tcp:80:192.168.8.10"));
    assert_int_equal(c->dmz, 0);

    /* A later text replaces the forward of the same ports, and the dmz. */
    fake_config_start(&f, 2);
    fake_config_text(&f, "file", true, "fwd=tcp:80-90:192.168.8.10 dmz=192.168.8.10");
    fake_config_text(&f, "command line", false, "fwd=tcp:80-90:192.168.8.11:1 dmz=192.168.8.11");
    assert_true(fake_config_end(&f));
    assert_int_equal(c->fwd_count, 1);
    assert_int_equal(c->fwds[0].target_port, 1);
    assert_int_equal(c->dmz, BE_IP4(192, 168, 8, 11));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),          cmocka_unit_test(test_ports_collide),
        cmocka_unit_test(test_targets),          cmocka_unit_test(test_dmz),
        cmocka_unit_test(test_outside_and_from), cmocka_unit_test(test_values_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
