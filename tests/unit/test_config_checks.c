/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tokens that can be read one by one and contradict each other: every cross-check, with the message
 * that names both parties.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "tests/fake/fake_config.h"

static const struct fake_config_row rows[] = {
    /* clang-format off */
    /* ports */
    {1, 2, "uplink=2",
     "1 there is no port 2: this machine has ports 0-1\n"},
    {2, 2, "uplink=52:54:00:12:34:66",
     "1 no port has the MAC 52:54:00:12:34:66: this machine has ports 0-1\n"},
    {3, 0, "uplink=0",
     "1 there is no port 0: this machine has no port\n"},
    {4, 1, "uplink=1",
     "1 there is no port 1: this machine has port 0 only\n"},
    {5, 3, "net=a,nat,ports=1+3",
     "1 there is no port 3: this machine has ports 0-2\n"},
    {6, 3, "net=a,nat,ports=1+1",
     "1 network a names port 1 twice\n"},
    {7, 3, "net=a,nat,ports=1+52:54:00:12:34:57",
     "1 network a names port 1 twice\n"},
    {8, 3, "net=a,nat,ports=1 net=b,nat,ports=2+1",
     "19 port 1 is in network a and in network b\n"},
    {9, 3, "uplink=1 net=a,nat,ports=1+2",
     "10 port 1 is the uplink and in network a\n"},
    {10, 3, "net=a,nat net=b,hostonly",
     "11 network a and network b both lack ports=: only one can have all that are left"
     "\n"},
    {11, 3, "net=a,nat,ports=1+2 net=b,nat",
     "21 network b has no port: of this machine's 3 none is left for it\n"},
    /* given twice */
    {12, 3, "uplink=0 uplink=1",
     "10 uplink=1: this uplink= is given twice, first at command line, column 1\n"},
    {13, 3, "net=a,nat,ports=1 net=a,nat,ports=2",
     "19 net=a,nat,ports=2: this net= is given twice, first at command line, column 1"
     "\n"},
    {14, 3, "host=52:54:00:aa:bb:01,a host=52:54:00:AA:BB:01,b",
     "26 host=52:54:00:AA:BB:01,b: this host= is given twice, first at command line, c"
     "olumn 1\n"},
    {15, 3, "host=52:54:00:aa:bb:01,192.168.8.10,web fwd=tcp:80:web fwd=tcp:80:web:81",
     "56 fwd=tcp:80:web:81: this fwd= is given twice, first at command line, column 41"
     "\n"},
    /* uplink */
    {16, 2, "uplink=0,ip=203.0.113.2/24",
     "1 uplink: ip=203.0.113.2/24 needs a gateway, gw=A\n"},
    {17, 2, "uplink=0,dhcp,ip=203.0.113.2/24,gw=203.0.113.1",
     "1 uplink: dhcp and ip=203.0.113.2/24 exclude each other\n"},
    {18, 2, "uplink=0,ip=203.0.113.2/24,gw=203.0.113.2",
     "1 uplink: gw=203.0.113.2 is the uplink's own address\n"},
    {19, 2, "uplink=0,ip=203.0.113.2/24,gw=203.0.114.1",
     "1 uplink: gw=203.0.114.1 is not a host address of the uplink's subnet, 203.0.113"
     ".2/24\n"},
    {20, 2, "uplink=0,ip=203.0.113.2/24,gw=203.0.113.255",
     "1 uplink: gw=203.0.113.255 is not a host address of the uplink's subnet, 203.0.1"
     "13.2/24\n"},
    {21, 2, "uplink=0,gw=203.0.113.1",
     "1 uplink: gw= needs ip=; by DHCP the gateway comes with the lease\n"},
    {22, 2, "uplink=0,dns=9.9.9.9",
     "1 uplink: dns= needs ip=; by DHCP the servers come with the lease\n"},
    /* subnets */
    {23, 3, "net=a,nat,ports=1,ip=10.0.0.1/8 net=b,nat,ports=2,ip=10.9.0.1/24 fwd=tcp:80:10.9"
     ".0.5",
     "66 forward tcp 80: target 10.9.0.5 is in network a and in network b, whose subne"
     "ts overlap; name a host=...,net=NAME instead\n"
     "note network b, 10.9.0.1/24, overlaps network a, 10.0.0.1/8: neither can ever re"
     "ach the other\n"},
    {24, 2, "net=a,hostonly,ip=192.168.1.1/24 uplink=0,ip=192.168.1.9/24,gw=192.168.1.2",
     "1 network a, 192.168.1.1/24, overlaps the uplink, 192.168.1.9/24\n"},
    {25, 2, "uplink=0,ip=192.168.1.9/24,gw=192.168.1.1 net=a,nat,ip=192.168.1.1/24",
     "43 network a, 192.168.1.1/24, overlaps the uplink, 192.168.1.9/24\n"},
    {26, 2, "uplink=0,ip=192.168.1.9/16,gw=192.168.1.1 net=a,nat",
     "43 network a: no 192.168.x.0/24 is free from 192.168.8.0 on; give it an ip=\n"},
    /* pools */
    {27, 2, "net=a,nat,ip=10.0.0.1/24,pool=10.0.1.10-10.0.1.20",
     "1 pool 10.0.1.10-10.0.1.20 is not inside the subnet of network a, 10.0.0.1/24\n"},
    {28, 2, "net=a,nat,ip=10.0.0.1/24,pool=10.0.0.10-10.0.1.20",
     "1 pool 10.0.0.10-10.0.1.20 is not inside the subnet of network a, 10.0.0.1/24\n"},
    {29, 2, "net=a,nat,ip=10.0.0.1/24,pool=10.0.0.0-10.0.0.20",
     "1 pool 10.0.0.0-10.0.0.20 is not inside the subnet of network a, 10.0.0.1/24\n"},
    {30, 2, "net=a,nat,ip=10.0.0.1/24,pool=10.0.0.2-10.0.0.255",
     "1 pool 10.0.0.2-10.0.0.255 is not inside the subnet of network a, 10.0.0.1/24\n"},
    {31, 2, "net=a,nat,ip=10.0.0.15/24,pool=10.0.0.10-10.0.0.20",
     "1 pool 10.0.0.10-10.0.0.20 contains the router's own address in network a, 10.0."
     "0.15\n"},
    /* reservations */
    {32, 2, "host=52:54:00:aa:bb:01,192.168.9.10",
     "1 reservation 192.168.9.10 is outside every network\n"},
    {33, 2, "host=52:54:00:aa:bb:01,192.168.8.1",
     "1 reservation 192.168.8.1 is the router's own address in network lan\n"},
    {34, 2, "host=52:54:00:aa:bb:01,192.168.8.0",
     "1 reservation 192.168.8.0 is the first or last address of network lan\n"},
    {35, 2, "host=52:54:00:aa:bb:01,192.168.8.255",
     "1 reservation 192.168.8.255 is the first or last address of network lan\n"},
    {36, 2, "host=52:54:00:aa:bb:01,192.168.8.10,a host=52:54:00:aa:bb:02,192.168.8.10,b",
     "39 address 192.168.8.10 is reserved for 52:54:00:aa:bb:01 and for 52:54:00:aa:bb"
     ":02\n"},
    {37, 2, "host=52:54:00:aa:bb:01,192.168.8.10,web host=52:54:00:aa:bb:02,192.168.8.11,WEB",
     "41 name web is given to 52:54:00:aa:bb:01 and to 52:54:00:aa:bb:02\n"},
    {38, 2, "host=52:54:00:aa:bb:01,192.168.8.10,sluice",
     "1 name sluice is given to 52:54:00:aa:bb:01 and to the router (hostname=)\n"},
    {39, 2, "hostname=gate host=52:54:00:aa:bb:01,gate",
     "15 name gate is given to 52:54:00:aa:bb:01 and to the router (hostname=)\n"},
    /* forwards */
    {40, 2, "fwd=tcp:80:192.168.9.10",
     "1 forward tcp 80: target 192.168.9.10 is outside every network\n"},
    {41, 2, "fwd=tcp:80:192.168.8.1",
     "1 forward tcp 80: target 192.168.8.1 is the router's own address in network lan"
     "\n"},
    {42, 2, "fwd=tcp:80:192.168.8.255",
     "1 forward tcp 80: target 192.168.8.255 is the first or last address of network l"
     "an\n"},
    {43, 2, "fwd=tcp:80:web",
     "1 forward tcp 80: no host= is called web\n"},
    {44, 2, "fwd=tcp:80:wbe host=52:54:00:aa:bb:01,192.168.8.10,web",
     "1 forward tcp 80: no host= is called wbe; did you mean 'web'?\n"},
    {45, 2, "fwd=tcp:80:web host=52:54:00:aa:bb:01,web",
     "1 forward tcp 80: host web at command line, column 16 has no reserved address to forward to\n"},
    {46, 2, "fwd=udp:68:192.168.8.10",
     "1 forward udp 68 takes a port of the uplink that the router's DHCP client needs"
     "\n"},
    {47, 2, "fwd=both:68:192.168.8.10",
     "1 forward tcp+udp 68 takes a port of the uplink that the router's DHCP client ne"
     "eds\n"},
    {48, 2, "fwd=tcp:80:192.168.8.10 fwd=both:80:192.168.8.11",
     "25 forward tcp+udp 80 and forward tcp 80 at command line, column 1 want the same"
     " packets\n"},
    {49, 2, "fwd=tcp:80:192.168.8.10,from=10.0.0.0/8 fwd=tcp:80:192.168.8.11,from=10.1.0.0/16",
     "41 forward tcp 80 and forward tcp 80 at command line, column 1 want the same pac"
     "kets\n"},
    {50, 2, "uplink=0,ip=203.0.113.2/24,gw=203.0.113.1,dns=9.9.9.9 fwd=tcp:203.0.113.3:80:192"
     ".168.8.10",
     "55 forward tcp 80: 203.0.113.3 is not the uplink's address, 203.0.113.2 at "
     "command line, column 1\n"},
    {51, 2, "uplink=0,ip=203.0.113.2/24,gw=203.0.113.1,dns=9.9.9.9 fwd=tcp:203.0.113.2:80:192"
     ".168.8.10 fwd=tcp:80:192.168.8.10",
     "91 forward tcp 80 and forward tcp 80 at command line, column 55 want the same pa"
     "ckets\n"},
    {52, 2, "net=lab,hostonly,ip=192.168.56.1/24 fwd=tcp:80:192.168.56.10",
     "37 forward tcp 80: target 192.168.56.10 is in network lab, which is hostonly and"
     " never reaches the uplink\n"},
    {53, 2, "net=lan,nat,ports=0+1 fwd=tcp:80:192.168.8.10",
     "23 forward tcp 80 needs an uplink, and there is none\n"},
    {54, 2, "net=lab,hostonly fwd=tcp::80-:80",
     "18 forward tcp 80 names no guest, and no network that reaches the uplink has a p"
     "ool\n"},
    {55, 2, "net=lab,nat,pool=off hostfwd=tcp::80-:80",
     "22 forward tcp 80 names no guest, and no network that reaches the uplink has a p"
     "ool\n"},
    /* one cause, one message */
    {56, 2, "uplink=9 fwd=tcp:80:192.168.8.10",
     "1 there is no port 9: this machine has ports 0-1\n"},
    {57, 2, "net=lan,nta,ip=10.0.0.1/24 fwd=tcp:80:10.0.0.5 host=52:54:00:aa:bb:01,10.0.0.5",
     "9 'nta' in net=lan,nta,ip=10.0.0.1/24: expected a mode: nat, routed, hostonly, i"
     "nternal or bridge; did you mean 'nat'?\n"},
    {58, 2, "hots=52:54:00:aa:bb:01,192.168.8.10,web fwd=tcp:80:web",
     "1 hots=52:54:00:aa:bb:01,192.168.8.10,web: no such option; did you mean 'host='?"
     "\n"},
    /* clang-format on */
};

static struct fake_config f;

static void test_every_contradiction_is_told(void **state)
{
    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

/* One record more than there is room for: every kind has its limit and says so. */
static void test_limits(void **state)
{
    (void)state;
    static char text[32768];
    size_t used = 0;
    for (unsigned i = 0; i <= CONFIG_MAX_NETS; i++)
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "net=n%u,nat,ports=%u ", i, i % 16);
    assert_false(fake_config_run(&f, 16, text));
    assert_non_null(strstr(f.said, "net=n16,nat,ports=0: more than 16 of net=\n"));
    used = 0;
    for (unsigned i = 0; i <= CONFIG_MAX_HOSTS; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "host=52:54:00:00:%02x:%02x,h%u ", i / 256, i % 256, i);
    assert_false(fake_config_run(&f, 2, text));
    assert_non_null(strstr(f.said, "host=52:54:00:00:01:00,h256: more than 256 of host=\n"));
    used = 0;
    for (unsigned i = 0; i <= CONFIG_MAX_FWDS; i++)
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "fwd=tcp:%u:192.168.8.9 ", i + 1);
    assert_false(fake_config_run(&f, 2, text));
    assert_non_null(strstr(f.said, "fwd=tcp:257:192.168.8.9: more than 256 of fwd=\n"));
    assert_int_equal(f.report.error_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_contradiction_is_told),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
