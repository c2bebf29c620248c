/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/config_names.c: dnsrec= and dnsfwd=, what they come to, and every message about them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_config.h"

static struct fake_config f;

#define TWO "net=lan,nat,ports=1 net=lab,hostonly,ports=2,domain=lab.example "

static void test_reading(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {1, 2, "dnsrec=nas:192.168.8.5 dnsrec=a.b.example:203.0.113.5", ""},
        {2, 2, "dnsrec=nas", "8 'nas' in dnsrec=nas: expected a name and its address, like "
         "nas:192.168.8.5 or nas.home.example:192.168.8.5\n"},
        {3, 2, "dnsrec=nas:192.168.8", "12 '192.168.8' in dnsrec=nas:192.168.8: expected an IPv4 "
         "address like 192.168.8.10\n"},
        {4, 2, "dnsrec=nas:0.0.0.0", "12 '0.0.0.0' in dnsrec=nas:0.0.0.0: expected an address of "
         "one machine, not 0.x, 127.x or 224.x and up\n"},
        {5, 2, "dnsrec=n..s:192.168.8.5", "8 'n..s' in dnsrec=n..s:192.168.8.5: expected a name of "
         "letters, digits, '-' and '_', with dots between its parts, at most 63 characters\n"},
        {6, 2, "dnsrec=1.2.3.4:192.168.8.5", "8 '1.2.3.4' in dnsrec=1.2.3.4:192.168.8.5: expected a "
         "name of letters, digits, '-' and '_', with dots between its parts, at most 63 "
         "characters\n"},
        {7, 2, "dnsrec=nas.:192.168.8.5", "8 'nas.' in dnsrec=nas.:192.168.8.5: expected a name of "
         "letters, digits, '-' and '_', with dots between its parts, at most 63 characters\n"},
        {8, 2, "dnsrec=-a:192.168.8.5", "8 '-a' in dnsrec=-a:192.168.8.5: expected a name of "
         "letters, digits, '-' and '_', with dots between its parts, at most 63 characters\n"},
        {9, 2, "dnsfwd=8.168.192.in-addr.arpa:198.51.100.1 dnsfwd=_x.example:198.51.100.1", ""},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

static void test_names_that_somebody_has(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {20, 2, "dnsrec=sluice:192.168.8.5",
         "1 name sluice is the router's own (hostname=)\n"},
        {21, 2, "hostname=gate dnsrec=Gate.lan:192.168.8.5",
         "15 name gate.lan is the router's own (hostname=)\n"},
        {22, 2, "host=52:54:00:aa:bb:01,web dnsrec=web:192.168.8.5",
         "28 name web is that of host 52:54:00:aa:bb:01\n"},
        {23, 2, "host=52:54:00:aa:bb:01,web dnsrec=web.lan:192.168.8.5",
         "28 name web.lan is that of host 52:54:00:aa:bb:01\n"},
        {24, 2, "host=52:54:00:aa:bb:01,web dnsrec=web.example:192.168.8.5", ""},
        {25, 2, "dnsrec=a:192.168.8.5 dnsrec=A:192.168.8.6",
         "22 dnsrec=A:192.168.8.6: this dnsrec= is given twice, first at command line, column 1\n"},
        {26, 2, "dnsrec=a:192.168.8.5 dnsrec=a.lan:192.168.8.6", "22 name a.lan has an address "
         "already, by dnsrec=a at command line, column 1\n"},
        {27, 2, "dnsrec=a.lan:192.168.8.5 dnsrec=a:192.168.8.6", "26 name a has an address "
         "already, by dnsrec=a.lan at command line, column 1\n"},
        {28, 2, "dnsrec=a.lan:192.168.8.5 dnsrec=a.example:192.168.8.5", ""},
        {29, 3, TWO "dnsrec=a.lab.example:192.168.9.5 dnsrec=a:192.168.9.5", "98 name a has an "
         "address already, by dnsrec=a.lab.example at command line, column 65\n"},
        {30, 2, "net=n,nat,dns=9.9.9.9 dnsrec=sluice.lan:192.168.8.5",
         "note dnsrec= and dnsfwd= have no effect: no network has dns=self\n"},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

static void test_servers(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {40, 2, "dnsfwd=corp.example", "8 'corp.example' in dnsfwd=corp.example: expected a domain "
         "and its server, like corp.example:192.168.8.53\n"},
        {41, 2, "dnsfwd=c.example:192.168.8.53 dnsfwd=d.example:198.51.100.1", ""},
        {42, 2, "dnsfwd=c.example:192.168.8.1", "1 dnsfwd c.example: server 192.168.8.1 is the "
         "router's own address in network lan: it would ask itself\n"},
        {43, 2, "dnsfwd=c.example:192.168.8.255", "1 dnsfwd c.example: server 192.168.8.255 is the "
         "first or last address of network lan\n"},
        {44, 2, "uplink=0,ip=203.0.113.2/24,gw=203.0.113.1,dns=9.9.9.9 dnsfwd=c.example:203.0.113.2",
         "55 dnsfwd c.example: server 203.0.113.2 is the uplink's own address: the router would "
         "ask itself\n"},
        {45, 1, "net=lab,hostonly dnsfwd=c.example:198.51.100.1", "18 dnsfwd c.example: server "
         "198.51.100.1 is outside every network, and the router has no uplink to ask it by\n"},
        {46, 1, "net=lab,hostonly dnsfwd=c.example:192.168.8.53", ""},
        {47, 2, "dnsfwd=c.example:198.51.100.1 dnsfwd=C.example:198.51.100.2",
         "31 dnsfwd=C.example:198.51.100.2: this dnsfwd= is given twice, first at command line, "
         "column 1\n"},
        {48, 2, "dnsfwd=c.example:198.51.100.1 dnsfwd=www.c.example:192.168.8.9", ""},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

static void test_names_that_lead_inside(void **state)
{
    static const struct fake_config_row rows[] = {
        /* clang-format off */
        {60, 2, "dnsprivate=plex.direct dnsprivate=all", ""},
        {61, 2, "dnsprivate=a..b", "12 'a..b' in dnsprivate=a..b: expected a domain, like plex.direct, "
         "or all\n"},
        {62, 2, "dnsprivate=192.168.8.0", "12 '192.168.8.0' in dnsprivate=192.168.8.0: expected a "
         "domain, like plex.direct, or all\n"},
        {63, 2, "dnsprivate=a.example dnsprivate=A.example", "22 dnsprivate=A.example: this "
         "dnsprivate= is given twice, first at command line, column 1\n"},
        /* clang-format on */
    };

    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

/* What is understood, and that a later text replaces it. */
static void test_result(void **state)
{
    const struct config *c = &f.config;

    (void)state;
    assert_true(fake_config_run(&f, 3,
                                TWO "dnsrec=Nas:192.168.8.5 dnsrec=a.b.example:203.0.113.5 "
                                    "dnsfwd=Corp.example:198.51.100.1 "
                                    "dnsprivate=Plex.direct dnsprivate=all "
                                    "dnsfwd=8.168.192.in-addr.arpa:192.168.9.53"));
    assert_int_equal(c->dnsrec_count, 2);
    assert_string_equal(c->dnsrecs[0].name, "nas");
    assert_int_equal(c->dnsrecs[0].ip, BE_IP4(192, 168, 8, 5));
    assert_string_equal(c->dnsrecs[1].name, "a.b.example");
    assert_int_equal(c->dnsfwd_count, 2);
    assert_string_equal(c->dnsfwds[0].domain, "corp.example");
    assert_int_equal(c->dnsfwds[0].server, BE_IP4(198, 51, 100, 1));
    assert_int_equal(c->dnsfwds[0].net, CONFIG_NO_NET);
    assert_int_equal(c->dnsfwds[1].net, 1);
    assert_int_equal(c->dnsprivate_count, 2);
    assert_string_equal(c->dnsprivates[0], "plex.direct");
    assert_string_equal(c->dnsprivates[1], "");
    fake_config_print(&f);
    assert_non_null(strstr(f.said, "names    2 of dnsrec=\n"
                                   "names    plex.direct may lead inside\n"
                                   "names    any name may lead inside\n"
                                   "names    corp.example -> 198.51.100.1 outside\n"
                                   "names    8.168.192.in-addr.arpa -> 192.168.9.53 lab\n"));

    /* A later text replaces the address, and adds. */
    fake_config_start(&f, 2);
    fake_config_text(&f, "one", true, "dnsrec=nas:192.168.8.5\n");
    fake_config_text(&f, "two", true, "dnsrec=nas:192.168.8.6 dnsrec=tv:192.168.8.7\n");
    assert_true(fake_config_end(&f));
    assert_int_equal(c->dnsrec_count, 2);
    assert_int_equal(c->dnsrecs[0].ip, BE_IP4(192, 168, 8, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading), cmocka_unit_test(test_names_that_somebody_has),
        cmocka_unit_test(test_servers), cmocka_unit_test(test_names_that_lead_inside),
        cmocka_unit_test(test_result),
    };
    return cmocka_run_group_tests_name("config_names", tests, NULL, NULL);
}
