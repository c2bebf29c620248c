/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Everything one token can get wrong, and what the person is told: place, piece, what was expected,
 * and the nearest word where there is one. Rows are "text on a machine with N ports" -> the whole
 * report.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_config.h"

static const struct fake_config_row rows[] = {
    /* clang-format off */
    /* keys */
    {1, 2, "lgo=info",
     "1 lgo=info: no such option; did you mean 'log='?\n"},
    {2, 2, "ports=1",
     "1 ports=1: no such option; did you mean 'net=...,ports='?\n"},
    {3, 2, "quiet",
     "1 quiet: no such option\n"},
    {4, 2, "dhcp",
     "1 dhcp: no such option; did you mean 'uplink=...,dhcp'?\n"},
    {5, 2, "net",
     "1 net: expected a name of letters, digits and '-', at most 31, with a letter\n"},
    {6, 2, "net=",
     "1 net=: expected a name of letters, digits and '-', at most 31, with a letter\n"},
    {7, 2, "log=",
     "1 log=: expected a level: error, warn, info or debug\n"},
    {8, 2, "xyzzyplughxyzzyplughxyzzyplughxyzzyplughxyzzyplugh=1",
     "1 xyzzyplughxyzzyplughxyzzyplughxyzzyplugh...: no such option\n"},
    /* words */
    {9, 2, "log=inof",
     "5 'inof' in log=inof: expected a level: error, warn, info or debug; did you mean"
     " 'info'?\n"},
    {10, 2, "log=INFO",
     "5 'INFO' in log=INFO: expected a level: error, warn, info or debug; did you mean"
     " 'info'?\n"},
    {11, 2, "log=loud",
     "5 'loud' in log=loud: expected a level: error, warn, info or debug\n"},
    {12, 2, "panic=halted",
     "7 'halted' in panic=halted: expected what to do: reset or halt\n"},
    {13, 2, "config=lenent",
     "8 'lenent' in config=lenent: expected how to read: strict or lenient; did you me"
     "an 'lenient'?\n"},
    /* ports */
    {14, 2, "uplink=16",
     "8 '16' in uplink=16: expected a port number 0-15 (NICs in PCI order), a MAC like"
     " 52:54:00:aa:bb:01, or a port='s name\n"},
    {15, 2, "uplink=01",
     "8 '01' in uplink=01: expected a port number 0-15 (NICs in PCI order), a MAC like"
     " 52:54:00:aa:bb:01, or a port='s name\n"},
    {16, 2, "uplink=eth0",
     "1 no port= is called eth0\n"},
    {17, 2, "uplink=52:54:00:12:34",
     "8 '52:54:00:12:34' in uplink=52:54:00:12:34: expected a port number 0-15 (NICs i"
     "n PCI order), a MAC like 52:54:00:aa:bb:01, or a port='s name\n"},
    {18, 2, "uplink=0,dhpc",
     "10 'dhpc' in uplink=0,dhpc: expected one of the options in its usage; did you me"
     "an 'dhcp'?\n"},
    {19, 2, "uplink=0,dhcp,dhcp",
     "15 'dhcp' in uplink=0,dhcp,dhcp: expected this only once in a token\n"},
    {20, 2, "uplink=0,dhcp=1",
     "10 'dhcp=1' in uplink=0,dhcp=1: expected this option alone, without '='\n"},
    {21, 2, "uplink=0,,mtu=1500",
     "10 '' in uplink=0,,mtu=1500: expected something between the commas\n"},
    {22, 2, "uplink=0,mtu",
     "10 'mtu' in uplink=0,mtu: expected 576 to 9216 bytes\n"},
    {23, 2, "uplink=0,mtu=",
     "10 'mtu=' in uplink=0,mtu=: expected 576 to 9216 bytes\n"},
    {24, 2, "uplink=0,mtu=575",
     "14 '575' in uplink=0,mtu=575: expected 576 to 9216 bytes\n"},
    {25, 2, "uplink=0,mtu=9217",
     "14 '9217' in uplink=0,mtu=9217: expected 576 to 9216 bytes\n"},
    {26, 2, "uplink=0,mtu=1500,mtu=1400",
     "23 '1400' in uplink=0,mtu=1500,mtu=1400: expected this only once in a token\n"},
    {27, 2, "uplink=0,pool=off",
     "10 'pool' in uplink=0,pool=off: expected one of the options in its usage\n"},
    {28, 2, "net=lan,nat,ports=1+",
     "21 '' in net=lan,nat,ports=1+: expected a port number 0-15 (NICs in PCI order), "
     "a MAC like 52:54:00:aa:bb:01, or a port='s name\n"},
    {29, 2, "net=lan,nat,ports=1,2",
     "21 '2' in net=lan,nat,ports=1,2: expected one of the options in its usage\n"},
    /* names */
    {30, 2, "net=lan",
     "1 net=lan: expected a mode: nat, routed, hostonly, internal or bridge\n"},
    {31, 2, "net=lan,nta",
     "9 'nta' in net=lan,nta: expected a mode: nat, routed, hostonly, internal or brid"
     "ge; did you mean 'nat'?\n"},
    {32, 2, "net=uplink,nat",
     "5 'uplink' in net=uplink,nat: expected another name: this word has a meaning of "
     "its own\n"},
    {33, 2, "net=-a,nat",
     "5 '-a' in net=-a,nat: expected a name of letters, digits and '-', at most 31, wi"
     "th a letter\n"},
    {34, 2, "net=8,nat",
     "5 '8' in net=8,nat: expected a name of letters, digits and '-', at most 31, with"
     " a letter\n"},
    {35, 2, "net=abcdefghijklmnopqrstuvwxyzabcdef,nat",
     "5 'abcdefghijklmnopqrstuvwxyzabcdef' in net=abcdefghijklmnopqrstuvwxyzabcdef,nat"
     ": expected a name of letters, digits and '-', at most 31, with a letter\n"},
    {36, 2, "net=nat,lan",
     "9 'lan' in net=nat,lan: expected a mode: nat, routed, hostonly, internal or brid"
     "ge\n"},
    {37, 2, "net=lan,nat,domain=home..example",
     "20 'home..example' in net=lan,nat,domain=home..example: expected a domain like l"
     "an or home.example, at most 63 characters\n"},
    {38, 2, "hostname=a.b",
     "10 'a.b' in hostname=a.b: expected a name of letters, digits and '-', at most 63"
     ", with a letter\n"},
    /* addresses */
    {39, 2, "net=lan,nat,ip=192.168.8.1",
     "16 '192.168.8.1' in net=lan,nat,ip=192.168.8.1: expected an address and prefix l"
     "ength, like 192.168.8.1/24\n"},
    {40, 2, "net=lan,nat,ip=192.168.8.1/31",
     "16 '192.168.8.1/31' in net=lan,nat,ip=192.168.8.1/31: expected a prefix length f"
     "rom 1 to 30\n"},
    {41, 2, "net=lan,nat,ip=192.168.8.1/33",
     "16 '192.168.8.1/33' in net=lan,nat,ip=192.168.8.1/33: expected an address and pr"
     "efix length, like 192.168.8.1/24\n"},
    {42, 2, "net=lan,nat,ip=192.168.8.0/24",
     "16 '192.168.8.0/24' in net=lan,nat,ip=192.168.8.0/24: expected a machine's addre"
     "ss: this is the first or last of its subnet, which has a meaning\n"},
    {43, 2, "net=lan,nat,ip=192.168.8.255/24",
     "16 '192.168.8.255/24' in net=lan,nat,ip=192.168.8.255/24: expected a machine's a"
     "ddress: this is the first or last of its subnet, which has a meaning\n"},
    {44, 2, "net=lan,nat,ip=127.0.0.1/8",
     "16 '127.0.0.1/8' in net=lan,nat,ip=127.0.0.1/8: expected an address of one machi"
     "ne, not 0.x, 127.x or 224.x and up\n"},
    {45, 2, "net=lan,nat,ip=192.168.08.1/24",
     "16 '192.168.08.1/24' in net=lan,nat,ip=192.168.08.1/24: expected an address and "
     "prefix length, like 192.168.8.1/24\n"},
    {46, 2, "net=lan,nat,ip=256.1.1.1/24",
     "16 '256.1.1.1/24' in net=lan,nat,ip=256.1.1.1/24: expected an address and prefix"
     " length, like 192.168.8.1/24\n"},
    {47, 2, "net=lan,nat,ip=1.2.3/24",
     "16 '1.2.3/24' in net=lan,nat,ip=1.2.3/24: expected an address and prefix length,"
     " like 192.168.8.1/24\n"},
    {48, 2, "net=lan,nat,ip=fd00::1/64",
     "16 'fd00::1/64' in net=lan,nat,ip=fd00::1/64: expected an address and prefix len"
     "gth, like 192.168.8.1/24\n"},
    {49, 2, "net=lan,nat,dns=slef",
     "17 'slef' in net=lan,nat,dns=slef: expected self or addresses joined by '+', at "
     "most 3; did you mean 'self'?\n"},
    {50, 2, "net=lan,nat,dns=1.1.1.1+2.2.2.2+3.3.3.3+4.4.4.4",
     "41 '4.4.4.4' in net=lan,nat,dns=1.1.1.1+2.2.2.2+3.3.3.3+...: expected self or ad"
     "dresses joined by '+', at most 3\n"},
    {51, 2, "net=lan,nat,pool=192.168.8.9",
     "18 '192.168.8.9' in net=lan,nat,pool=192.168.8.9: expected a range like 192.168."
     "8.100-192.168.8.250, or off\n"},
    {52, 2, "net=lan,nat,pool=192.168.8.9-192.168.8.8",
     "18 '192.168.8.9-192.168.8.8' in net=lan,nat,pool=192.168.8.9-192.168.8.8: expect"
     "ed the lower address first\n"},
    {53, 2, "net=lan,nat,pool=of",
     "18 'of' in net=lan,nat,pool=of: expected a range like 192.168.8.100-192.168.8.25"
     "0, or off; did you mean 'off'?\n"},
    /* durations and numbers */
    {54, 2, "net=lan,nat,lease=12",
     "19 '12' in net=lan,nat,lease=12: expected a duration like 30s, 5m, 12h, 7d or in"
     "f\n"},
    {55, 2, "net=lan,nat,lease=h",
     "19 'h' in net=lan,nat,lease=h: expected a duration like 30s, 5m, 12h, 7d or inf"
     "\n"},
    {56, 2, "net=lan,nat,lease=9s",
     "19 '9s' in net=lan,nat,lease=9s: expected 10s to 366d, or inf\n"},
    {57, 2, "net=lan,nat,lease=367d",
     "19 '367d' in net=lan,nat,lease=367d: expected 10s to 366d, or inf\n"},
    {58, 2, "net=lan,nat,lease=-5m",
     "19 '-5m' in net=lan,nat,lease=-5m: expected a duration like 30s, 5m, 12h, 7d or "
     "inf\n"},
    {59, 2, "net=lan,nat,lease=99999999999999999999d",
     "19 '99999999999999999999d' in net=lan,nat,lease=99999999999999999999d: expected "
     "a duration like 30s, 5m, 12h, 7d or inf\n"},
    {59, 2, "watchdog=yes", "10 'yes' in watchdog=yes: expected on, off, or 5s to 600s\n"},
    {159, 2, "watchdog=4s", "10 '4s' in watchdog=4s: expected on, off, or 5s to 600s\n"},
    {160, 2, "watchdog=30", "10 '30' in watchdog=30: expected on, off, or 5s to 600s\n"},
    {60, 2, "flows=63",
     "7 '63' in flows=63: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {61, 2, "flows=1e6",
     "7 '1e6' in flows=1e6: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {161, 2, "flows=17M",
     "7 '17M' in flows=17M: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {162, 2, "flows=16777217",
     "7 '16777217' in flows=16777217: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {163, 2, "flows=0K",
     "7 '0K' in flows=0K: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {164, 2, "flows=4m",
     "7 '4m' in flows=4m: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {165, 2, "flows=M",
     "7 'M' in flows=M: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {166, 2, "flows=1KK",
     "7 '1KK' in flows=1KK: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {167, 2, "flows=17592186044417M",
     "7 '17592186044417M' in flows=17592186044417M: expected 64 to 16M flows, like 1000, 500K or 4M\n"},
    {168, 2, "net=lan,nat,hostflows=0",
     "23 '0' in net=lan,nat,hostflows=0: expected 1 to 16M flows, like 1000 or 500K\n"},
    {62, 2, "seed=xyz",
     "6 'xyz' in seed=xyz: expected 1 to 16 hexadecimal digits\n"},
    {63, 2, "seed=11112222333344445",
     "6 '11112222333344445' in seed=11112222333344445: expected 1 to 16 hexadecimal di"
     "gits\n"},
    /* hosts */
    {64, 2, "host=52-54-00-aa-bb-01",
     "6 '52-54-00-aa-bb-01' in host=52-54-00-aa-bb-01: expected the MAC of one machine"
     ", like 52:54:00:aa:bb:01\n"},
    {65, 2, "host=53:54:00:aa:bb:01",
     "6 '53:54:00:aa:bb:01' in host=53:54:00:aa:bb:01: expected the MAC of one machine"
     ", like 52:54:00:aa:bb:01\n"},
    {66, 2, "host=00:00:00:00:00:00",
     "6 '00:00:00:00:00:00' in host=00:00:00:00:00:00: expected the MAC of one machine"
     ", like 52:54:00:aa:bb:01\n"},
    {67, 2, "host=52:54:00:aa:bb:01,web,192.168.8.10",
     "28 '192.168.8.10' in host=52:54:00:aa:bb:01,web,192.168.8.10: expected one of th"
     "e options in its usage\n"},
    {68, 2, "host=52:54:00:aa:bb:01,192.168.8.300",
     "24 '192.168.8.300' in host=52:54:00:aa:bb:01,192.168.8.300: expected an IPv4 add"
     "ress like 192.168.8.10, or a name of letters, digits and '-', at most 63, with a"
     " letter\n"},
    {69, 2, "host=52:54:00:aa:bb:01,192.168.8.3,web,deny,deny",
     "45 'deny' in host=52:54:00:aa:bb:01,192.168.8.3,web,d...: expected this only onc"
     "e in a token\n"},
    {70, 2, "host=52:54:00:aa:bb:01,224.0.0.1",
     "24 '224.0.0.1' in host=52:54:00:aa:bb:01,224.0.0.1: expected an IPv4 address lik"
     "e 192.168.8.10, or a name of letters, digits and '-', at most 63, with a letter"
     "\n"},
    /* forwards */
    {71, 2, "fwd=tcp",
     "5 'tcp' in fwd=tcp: expected PROTO:[BIND:]PORTS:TARGET[+TARGET...][:PORTS], like "
     "tcp:8080:web:80\n"},
    {72, 2, "fwd=icmp:80:192.168.8.10",
     "5 'icmp' in fwd=icmp:80:192.168.8.10: expected tcp, udp or both\n"},
    {73, 2, "fwd=tcp:0:192.168.8.10",
     "9 '0' in fwd=tcp:0:192.168.8.10: expected a port from 1 to 65535, or a range of them "
     "like 8000-8100\n"},
    {74, 2, "fwd=tcp:65536:192.168.8.10",
     "9 '65536' in fwd=tcp:65536:192.168.8.10: expected a port from 1 to 65535, or a range "
     "of them like 8000-8100\n"},
    {75, 2, "fwd=tcp:90-80:192.168.8.10",
     "9 '90-80' in fwd=tcp:90-80:192.168.8.10: expected a port from 1 to 65535, or a range of "
     "them like 8000-8100\n"},
    {76, 2, "fwd=tcp:80:",
     "12 '' in fwd=tcp:80:: expected an IPv4 address or the NAME of a host=\n"},
    {77, 2, "fwd=tcp:80:192.168.8.10:x",
     "25 'x' in fwd=tcp:80:192.168.8.10:x: expected a port from 1 to 65535, or a range of "
     "them like 8000-8100\n"},
    {78, 2, "fwd=tcp:80:192.168.8.10:80:80:80",
     "5 'tcp:80:192.168.8.10:80:80:80' in fwd=tcp:80:192.168.8.10:80:80:80: expected P"
     "ROTO:[BIND:]PORTS:TARGET[+TARGET...][:PORTS], like tcp:8080:web:80\n"},
    {79, 2, "fwd=tcp:1.2.3:80:192.168.8.10",
     "9 '1.2.3' in fwd=tcp:1.2.3:80:192.168.8.10: expected an IPv4 address of the upli"
     "nk, or nothing\n"},
    {80, 2, "fwd=tcp:127.0.0.1:80",
     "9 '127.0.0.1' in fwd=tcp:127.0.0.1:80: expected an IPv4 address of the uplink, o"
     "r nothing\n"},
    {81, 2, "fwd=tcp:80:192.168.8.10,from=1.2.3.4/24",
     "30 '1.2.3.4/24' in fwd=tcp:80:192.168.8.10,from=1.2.3.4/24: expected no bits beh"
     "ind the prefix: 203.0.113.0/24 or 203.0.113.7/32, not 203.0.113.7/24\n"},
    {82, 2, "fwd=tcp:80:192.168.8.10,form=1.2.3.0/24",
     "25 'form' in fwd=tcp:80:192.168.8.10,form=1.2.3.0/24: expected one of the option"
     "s in its usage; did you mean 'from'?\n"},
    {83, 2, "fwd=web,tcp,,8082,192.168.8.10",
     "5 'web,tcp,,8082,192.168.8.10' in fwd=web,tcp,,8082,192.168.8.10: expected Virtu"
     "alBox's NAME,tcp|udp,[BIND],PORT,[GUEST],PORT\n"},
    {84, 2, "natpf=web,sctp,,1,,2",
     "7 'web,sctp,,1,,2' in natpf=web,sctp,,1,,2: expected VirtualBox's NAME,tcp|udp,["
     "BIND],PORT,[GUEST],PORT\n"},
    {85, 2, "hostfwd=tcp::8080",
     "9 'tcp::8080' in hostfwd=tcp::8080: expected QEMU's [tcp|udp]:[BIND]:PORT-[GUEST"
     "]:PORT\n"},
    {86, 2, "hostfwd=sctp::8080-:80",
     "9 'sctp' in hostfwd=sctp::8080-:80: expected tcp, udp, or nothing for tcp\n"},
    {87, 2, "hostfwd=tcp::8080:80:80",
     "9 'tcp::8080:80:80' in hostfwd=tcp::8080:80:80: expected QEMU's [tcp|udp]:[BIND]"
     ":PORT-[GUEST]:PORT\n"},
    /* bytes */
    {88, 2, "log=\"info\"",
     "5 log=\"info\": byte 0x22 is a quote; values are written without\n"},
    {89, 2, "net=lan,nat,domain=caf$",
     "20 'caf$' in net=lan,nat,domain=caf$: expected a domain like lan or home.example"
     ", at most 63 characters\n"},
    /* not an image's name, which is the loader's business */
    {90, 2, "uplink:0,ip:203.0.113.2/24",
     "1 uplink:0,ip:203.0.113.2/24: no such option\n"},
    {91, 2, "192.168.8.1/24 log=info",
     "1 192.168.8.1/24: no such option\n"},
    /* clang-format on */
};

static struct fake_config f;

static void test_every_row_is_refused_with_its_message(void **state)
{
    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

/* Every error of a text is told, not only the first, and what is right around them is still
 * understood. */
static void test_all_errors_at_once(void **state)
{
    (void)state;
    assert_false(
        fake_config_run(&f, 3, "uplink=0,dhpc,mtu=12 log=debug net=lan,nta,lease=5 lgo=info"));
    assert_string_equal(
        f.said, "10 'dhpc' in uplink=0,dhpc,mtu=12: expected one of the options in its usage; "
                "did you mean 'dhcp'?\n"
                "19 '12' in uplink=0,dhpc,mtu=12: expected 576 to 9216 bytes\n"
                "40 'nta' in net=lan,nta,lease=5: expected a mode: nat, routed, hostonly, "
                "internal or bridge; did you mean 'nat'?\n"
                "50 '5' in net=lan,nta,lease=5: expected a duration like 30s, 5m, 12h, 7d or "
                "inf\n"
                "52 lgo=info: no such option; did you mean 'log='?\n");
    assert_int_equal(f.config.log_level, LOG_DEBUG);
}

static void test_files_have_lines_and_comments(void **state)
{
    (void)state;
    fake_config_start(&f, 2);
    fake_config_text(&f, "sluice.cfg", true,
                     "\xEF\xBB\xBF# a comment with log=nonsense\r\n"
                     "log=debug # the rest of the line is one too: uplnik=0\r\n"
                     "\tpanic=hlat#x\n"
                     "\n"
                     "  flows=1");
    assert_false(fake_config_end(&f));
    assert_string_equal(f.said,
                        "3:8 'hlat' in panic=hlat: expected what to do: reset or halt; did you "
                        "mean 'halt'?\n"
                        "5:9 '1' in flows=1: expected 64 to 16M flows, like 1000, 500K or 4M\n");
    assert_int_equal(f.config.log_level, LOG_DEBUG);
}

/* On a command line '#' means nothing, so it cannot hide the rest. */
static void test_command_lines_have_no_comments(void **state)
{
    (void)state;
    assert_false(fake_config_run(&f, 2, "# log=debug"));
    assert_string_equal(f.said, "1 #: no such option\n");
    assert_int_equal(f.config.log_level, LOG_DEBUG);
}

static void test_control_characters_are_refused(void **state)
{
    (void)state;
    static const char text[] = "log=de\0bug panic=\x1bhalt flows=100\xe2\x80\x93 hostname=gate";
    fake_config_start(&f, 2);
    struct config_text t = {.source = "command line", .text = text, .bytes = sizeof(text) - 1};
    config_parse(&f.draft, &t, &f.report);
    assert_false(fake_config_end(&f));
    assert_string_equal(f.said,
                        "7 log=de?bug: byte 0x00 is a control character\n"
                        "18 panic=?halt: byte 0x1b is a control character\n"
                        "33 flows=100???: byte 0xe2 is not plain ASCII; pasted from a document?\n");
    assert_string_equal(f.config.hostname, "gate");
}

/* The report is bounded; what does not fit is counted, and still forbids forwarding. */
static void test_a_flood_of_errors_is_counted(void **state)
{
    (void)state;
    fake_config_start(&f, 2);
    for (unsigned i = 0; i < 100; i++)
        config_parse(
            &f.draft,
            &(struct config_text){.source = "x", .text = "log=x  no=1", .bytes = i < 8 ? 11 : 5},
            &f.report);
    assert_false(config_resolve(&f.draft, f.ports, 2, &f.config, &f.report));
    assert_int_equal(f.report.error_count, CONFIG_MAX_ERRORS);
    assert_int_equal(f.report.more_errors, 2 * CONFIG_MAX_TEXTS + 92 - CONFIG_MAX_ERRORS);
    assert_int_equal(f.report.more_unknown, 0);
}

static void test_overlong_tokens(void **state)
{
    (void)state;
    static char text[20000];
    memset(text, 'a', sizeof(text) - 1);
    memcpy(text, "hostname=", 9);
    assert_false(fake_config_run(&f, 2, text));
    assert_string_equal(f.said,
                        "10 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' in "
                        "hostname=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...: expected a name of letters, "
                        "digits and '-', at most 63, with a letter\n");
    memset(text, ',', sizeof(text) - 1);
    memcpy(text, "net=a,nat", 9);
    assert_false(fake_config_run(&f, 2, text));
    assert_true(f.report.more_errors > 10000);
}

/* A text that did not arrive whole might have said anything. */
static void test_a_cut_text_is_an_error(void **state)
{
    (void)state;
    fake_config_start(&f, 2);
    struct config_text t = {.source = "command line", .text = "log=warn", .bytes = 8, .cut = true};
    config_parse(&f.draft, &t, &f.report);
    assert_false(fake_config_end(&f));
    assert_string_equal(f.said, "1 the text is too long; only its first 8 bytes arrived\n");
}

/* config=lenient forgives unknown options wherever it stands, and nothing else. */
static void test_lenient(void **state)
{
    (void)state;
    assert_true(fake_config_run(&f, 2, "colour=red config=lenient quiet fwd=tcp:80:192.168.8.9"));
    assert_string_equal(f.said, "note ignored: colour=red: no such option\n"
                                "note ignored: quiet: no such option\n");
    assert_int_equal(f.config.fwd_count, 1);
    assert_false(fake_config_run(&f, 2, "config=lenient log=x colour=red fwd=tcp:80:10.9.9.9"));
    assert_int_equal(f.report.error_count, 2);
    assert_false(fake_config_run(&f, 2, "config=lenient config=strict colour=red"));
    static char many[64 * 7 + 32];
    for (unsigned i = 0; i < 64; i++)
        memcpy(many + 7 * i, "q=12345 ", 8);
    memcpy(many + 7 * 64, " config=lenient", 16);
    for (unsigned i = 0; i < 64; i++)
        many[7 * i + 6] = ' ';
    assert_true(fake_config_run(&f, 2, many));
    assert_int_equal(f.report.note_count + f.report.more_notes, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_refused_with_its_message),
        cmocka_unit_test(test_all_errors_at_once),
        cmocka_unit_test(test_files_have_lines_and_comments),
        cmocka_unit_test(test_command_lines_have_no_comments),
        cmocka_unit_test(test_control_characters_are_refused),
        cmocka_unit_test(test_a_flood_of_errors_is_counted),
        cmocka_unit_test(test_overlong_tokens),
        cmocka_unit_test(test_a_cut_text_is_an_error),
        cmocka_unit_test(test_lenient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
