/* SPDX-License-Identifier: BSD-3-Clause
 *
 * rule= and assert=: what they are read as, and every message about them. Rows are "text on a
 * machine with N ports" -> the whole report.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/rules.h"
#include "tests/fake/fake_config.h"

static const struct fake_config_row rows[] = {
    /* clang-format off */
    /* reading */
    {1, 2, "rule",
     "1 rule: expected what to do: allow, deny or reject\n"},
    {2, 2, "rule=",
     "1 rule=: expected what to do: allow, deny or reject\n"},
    {3, 2, "rule=permit",
     "6 'permit' in rule=permit: expected what to do: allow, deny or reject\n"},
    {4, 2, "rule=allwo,from=lan",
     "6 'allwo' in rule=allwo,from=lan: expected what to do: allow, deny or reject; did you mean 'allow'?\n"},
    {5, 2, "rule=allow,frm=lan",
     "12 'frm' in rule=allow,frm=lan: expected one of the options in its usage; did you mean 'from'?\n"},
    {6, 2, "rule=allow,from",
     "12 'from' in rule=allow,from: expected a network, a host='s name, an address or range like 10.0.0.0/8, uplink or router\n"},
    {7, 2, "rule=allow,from=",
     "12 'from=' in rule=allow,from=: expected a network, a host='s name, an address or range like 10.0.0.0/8, uplink or router\n"},
    {8, 2, "rule=allow,from=10.0.0.0/33",
     "17 '10.0.0.0/33' in rule=allow,from=10.0.0.0/33: expected a network, a host='s name, an address or range like 10.0.0.0/8, uplink or router\n"},
    {9, 2, "rule=allow,from=10.0.0.1/8",
     "17 '10.0.0.1/8' in rule=allow,from=10.0.0.1/8: expected no bits behind the prefix: 203.0.113.0/24 or 203.0.113.7/32, not 203.0.113.7/24\n"},
    {10, 2, "rule=allow,from=10.0.0",
     "17 '10.0.0' in rule=allow,from=10.0.0: expected a network, a host='s name, an address or range like 10.0.0.0/8, uplink or router\n"},
    {11, 2, "rule=allow,from=-x",
     "17 '-x' in rule=allow,from=-x: expected a network, a host='s name, an address or range like 10.0.0.0/8, uplink or router\n"},
    {12, 2, "rule=allow,to=lan,to=uplink",
     "22 'uplink' in rule=allow,to=lan,to=uplink: expected this only once in a token\n"},
    {13, 2, "rule=deny,proto=tpc",
     "17 'tpc' in rule=deny,proto=tpc: expected tcp, udp, icmp, gre, esp or a protocol number from 1 to 255; did you mean 'tcp'?\n"},
    {14, 2, "rule=deny,proto=0",
     "17 '0' in rule=deny,proto=0: expected tcp, udp, icmp, gre, esp or a protocol number from 1 to 255\n"},
    {15, 2, "rule=deny,proto=256",
     "17 '256' in rule=deny,proto=256: expected tcp, udp, icmp, gre, esp or a protocol number from 1 to 255\n"},
    {16, 2, "rule=deny,proto=06",
     "17 '06' in rule=deny,proto=06: expected tcp, udp, icmp, gre, esp or a protocol number from 1 to 255\n"},
    {17, 2, "rule=deny,port=0",
     "16 '0' in rule=deny,port=0: expected a port from 1 to 65535, or a range of them like 6000-6010\n"},
    {18, 2, "rule=deny,port=65536",
     "16 '65536' in rule=deny,port=65536: expected a port from 1 to 65535, or a range of them like 6000-6010\n"},
    {19, 2, "rule=deny,port=80-",
     "16 '80-' in rule=deny,port=80-: expected a port from 1 to 65535, or a range of them like 6000-6010\n"},
    {20, 2, "rule=deny,port=90-80",
     "16 '90-80' in rule=deny,port=90-80: expected the lower port first\n"},
    {21, 2, "rule=deny,port=80-90-100",
     "16 '80-90-100' in rule=deny,port=80-90-100: expected a port from 1 to 65535, or a range of them like 6000-6010\n"},
    {22, 2, "rule=deny,log=yes",
     "11 'log=yes' in rule=deny,log=yes: expected this option alone, without '='\n"},
    {23, 2, "rule=deny lan",
     "11 lan: no such option\n"},
    {24, 2, "assert=lan",
     "8 'lan' in assert=lan: expected NAME:no:WHERE or NAME:yes:WHERE, like lab:no:uplink\n"},
    {25, 2, "assert=lan:no",
     "8 'lan:no' in assert=lan:no: expected NAME:no:WHERE or NAME:yes:WHERE, like lab:no:uplink\n"},
    {26, 2, "assert=lan:maybe:uplink",
     "12 'maybe' in assert=lan:maybe:uplink: expected no or yes\n"},
    {27, 2, "assert=:no:uplink",
     "8 '' in assert=:no:uplink: expected the name of a network, or uplink\n"},
    {28, 2, "assert=lan:no:",
     "15 '' in assert=lan:no:: expected the name of a network, uplink or router\n"},
    {29, 2, "assert=lan:no:uplink:yes",
     "8 'lan:no:uplink:yes' in assert=lan:no:uplink:yes: expected NAME:no:WHERE or NAME:yes:WHERE, like lab:no:uplink\n"},
    {30, 2, "assert=10.0.0.0:no:lan",
     "8 '10.0.0.0' in assert=10.0.0.0:no:lan: expected the name of a network, or uplink\n"},
    {31, 2, "assert",
     "1 assert: expected NAME:no:WHERE or NAME:yes:WHERE, like lab:no:uplink\n"},
    /* names */
    {32, 4, "net=lab,nat rule=allow,from=labb",
     "13 rule 1: no network and no host= is called labb; did you mean 'lab'?\n"},
    {33, 4, "net=lab,nat rule=allow,to=uplnk",
     "13 rule 1: no network and no host= is called uplnk; did you mean 'uplink'?\n"},
    {34, 4, "net=lab,nat rule=allow,to=nowhere-at-all",
     "13 rule 1: no network and no host= is called nowhere-at-all\n"},
    {35, 4, "net=lab,nat host=52:54:00:aa:bb:01,192.168.8.9,lab rule=deny,from=lab",
     "52 rule 1: lab is a network and host 52:54:00:aa:bb:01: give the host another name\n"},
    {36, 4, "net=lab,nat host=52:54:00:aa:bb:01,192.168.8.9,router rule=deny,to=router",
     "55 rule 1: router is a word of its own and host 52:54:00:aa:bb:01: give the host another name\n"},
    {37, 4, "net=lab,nat host=52:54:00:aa:bb:01,192.168.8.9,uplink rule=deny,to=uplink",
     "55 rule 1: uplink is a word of its own and host 52:54:00:aa:bb:01: give the host another name\n"},
    {38, 4, "net=lab,nat host=52:54:00:aa:bb:01,web rule=deny,to=web",
     "40 rule 1: host web has no reserved address to be known by\n"},
    {39, 4, "uplink=0 net=vm,bridge,ports=1 net=lan,nat,ports=2 rule=deny,from=vm,to=router",
     "52 rule 1: the hosts of network vm are on the uplink's own segment; write uplink, or their addresses\n"},
    {40, 4, "rule=deny,from=router,to=uplink",
     "1 rule 1: from=router: rules are about hosts; the router itself asks only for what it was told to serve\n"},
    {41, 4, "net=lna,nta rule=allow,from=lan",
     "9 'nta' in net=lna,nta: expected a mode: nat, routed, hostonly, internal or bridge; did you mean 'nat'?\n"},
    {42, 4, "hots=52:54:00:aa:bb:01,192.168.8.9,web rule=deny,from=web",
     "1 hots=52:54:00:aa:bb:01,192.168.8.9,web: no such option; did you mean 'host='?\n"},
    /* service */
    {43, 4, "rule=deny,proto=icmp,port=7",
     "1 rule 1: port= is for tcp and udp, and protocol 1 has no ports\n"},
    {44, 4, "rule=deny,proto=50,port=7",
     "1 rule 1: port= is for tcp and udp, and protocol 50 has no ports\n"},
    /* forbidden */
    {45, 4, "net=lab,hostonly rule=allow,from=lab,to=uplink",
     "18 rule 1 allow lab -> uplink: network lab is hostonly and never reaches the uplink, whatever a rule says\n"},
    {46, 4, "net=lab,hostonly rule=allow,from=uplink,to=lab",
     "18 rule 1 allow uplink -> lab: network lab is hostonly and is never reached from the uplink, whatever a rule says\n"},
    {47, 4, "net=lab,hostonly rule=allow,from=192.168.8.0/24,to=uplink",
     "18 rule 1 allow 192.168.8.0/24 -> uplink: network lab is hostonly and never reaches the uplink, whatever a rule says\n"},
    {48, 4, "net=lab,hostonly rule=reject,from=lab,to=uplink",
     ""},
    {49, 4, "rule=allow,from=uplink,to=lan",
     "1 rule 1 allow uplink -> lan: network lan is nat: from the uplink only forwards lead there; write fwd=\n"},
    {50, 4, "rule=allow,from=uplink,to=192.168.8.10",
     "1 rule 1 allow uplink -> 192.168.8.10: network lan is nat: from the uplink only forwards lead there; write fwd=\n"},
    {51, 4, "rule=allow,from=uplink,to=lan,proto=tcp,port=80 fwd=tcp:8080:192.168.8.10:80",
     ""},
    {52, 4, "rule=allow,from=uplink,to=lan,proto=udp,port=80 fwd=tcp:8080:192.168.8.10:80",
     "1 rule 1 allow uplink -> lan udp 80: network lan is nat: from the uplink only forwards lead there; write fwd=\n"},
    {53, 4, "rule=allow,from=uplink,to=lan,proto=tcp,port=8080 fwd=tcp:8080:192.168.8.10:80",
     "1 rule 1 allow uplink -> lan tcp 8080: network lan is nat: from the uplink only forwards lead there; write fwd=\n"},
    {54, 4, "rule=allow,from=uplink,to=192.168.8.11 fwd=tcp:8080:192.168.8.10:80",
     "1 rule 1 allow uplink -> 192.168.8.11: network lan is nat: from the uplink only forwards lead there; write fwd=\n"},
    {55, 4, "net=quiet,internal,ports=1 net=lan,nat,ports=2 rule=allow,from=quiet",
     "48 rule 1 allow quiet -> any: network quiet is internal: nothing is routed from or to it, whatever a rule says\n"},
    {56, 4, "net=quiet,internal,ports=1 net=lan,nat,ports=2 rule=allow,from=quiet,to=uplink",
     "48 rule 1 allow quiet -> uplink: network quiet is internal: nothing is routed from or to it, whatever a rule says\n"},
    {57, 4, "net=quiet,internal,ports=1 net=lan,nat,ports=2 rule=allow,from=lan,to=quiet",
     "48 rule 1 allow lan -> quiet: network quiet is internal: nothing is routed from or to it, whatever a rule says\n"},
    {58, 4, "net=quiet,internal,ports=1 net=lan,nat,ports=2 rule=allow,from=quiet,to=router",
     "48 rule 1 allow quiet -> router: network quiet is internal: nothing is routed from or to it, whatever a rule says\n"},
    {59, 4, "net=quiet,internal,ports=1 net=lan,nat,ports=2 rule=deny,from=10.0.0.1,to=10.0.0.2",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {60, 2, "net=lan,nat,ports=0+1 rule=allow,from=lan,to=uplink",
     "23 rule 1 allow lan -> uplink: there is no uplink\n"},
    {61, 2, "net=lan,nat,ports=0+1 rule=deny,from=lan,to=uplink",
     "note there is no uplink: network lan has no way to the outside\n"},
    {62, 2, "net=vm,bridge,ports=1 rule=allow,from=uplink,to=router",
     "23 rule 1 allow uplink -> router: the router has no address at the uplink\n"},
    {63, 3, "uplink=0 net=lan,nat,isolate rule=allow,from=192.168.8.10,to=192.168.8.11",
     "30 rule 1 allow 192.168.8.10 -> 192.168.8.11: network lan is isolated, whatever a rule says\n"},
    {64, 3, "uplink=0 net=lan,nat rule=deny,from=lan,to=lan",
     "22 rule 1 deny lan -> lan: inside one network a rule names two hosts or addresses; net=lan,...,isolate keeps all apart\n"},
    {65, 3, "uplink=0 net=lan,nat rule=deny,from=192.168.8.10,to=lan",
     "22 rule 1 deny 192.168.8.10 -> lan: inside one network a rule names two hosts or addresses; net=lan,...,isolate keeps all apart\n"},
    {66, 3, "uplink=0 net=lan,nat rule=deny,from=uplink,to=uplink",
     "22 rule 1 deny uplink -> uplink: no packet by way of the router can match it\n"},
    {67, 3, "uplink=0 net=lan,nat rule=allow,from=192.168.8.10,to=192.168.8.11",
     ""},
    {68, 3, "uplink=0 net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=allow,from=lab,to=dev rule=allow,from=lab rule=allow,to=lab",
     ""},
    /* covered */
    {69, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=deny,from=dev,to=lab rule=allow,from=dev,to=lab,proto=tcp,port=22",
     "note rule 2 allow dev -> lab tcp 22 never matches: rule 1 deny dev -> lab has it all\n"
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {70, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=deny,from=dev rule=reject,from=192.168.8.7,to=uplink,port=80",
     "note rule 2 reject 192.168.8.7 -> uplink tcp+udp 80 never matches: rule 1 deny dev -> any has it all\n"
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {71, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=deny,from=dev,proto=tcp rule=deny,from=dev,port=80",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {72, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=deny,from=dev rule=deny,from=192.168.8.7,to=192.168.8.8",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {73, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=deny,from=lab,to=uplink rule=deny,from=lab,to=uplink",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    /* asserts */
    {74, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=lab:no:uplink assert=dev:yes:uplink assert=dev:no:lab assert=lab:yes:router assert=dev:yes:dev",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {75, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=lbb:no:uplink",
     "46 assert lbb:no:uplink: no network is called lbb; did you mean 'lab'?\n"},
    {76, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=lab:no:uplnk",
     "46 assert lab:no:uplnk: no network is called uplnk; did you mean 'uplink'?\n"},
    {77, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=router:yes:lab",
     "46 assert router:yes:lab: what the router itself asks is no way for hosts; begin with a network or uplink\n"},
    {78, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=dev:no:uplink",
     "46 assert dev:no:uplink fails: mode nat reaches the uplink by default\n"},
    {79, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=dev:no:router",
     "46 assert dev:no:router fails: the router answers there by default\n"},
    {80, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=dev:no:dev",
     "46 assert dev:no:dev fails: hosts of one segment reach each other by default\n"},
    {81, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=allow,from=dev,to=lab,proto=tcp,port=22 assert=dev:no:lab",
     "91 assert dev:no:lab fails: opened by rule 1 allow dev -> lab tcp 22 at command line, column 46\n"},
    {82, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=deny,from=dev,to=uplink,proto=tcp,port=25 assert=dev:no:uplink",
     "93 assert dev:no:uplink fails: mode nat reaches the uplink by default; rule 1 deny dev -> uplink tcp 25 at command line, column 46 closes only a part\n"},
    {83, 4, "net=dev,nat,ports=1 net=lab,nat,ports=2 fwd=tcp:80:192.168.9.7 assert=uplink:no:lab",
     "64 assert uplink:no:lab fails: opened by forward 80 to 192.168.9.7 at command line, column 41\n"},
    {84, 4, "net=dev,nat,ports=1 net=lab,nat,ports=2 fwd=tcp:80:192.168.9.7 assert=dev:no:lab",
     "64 assert dev:no:lab fails: opened by forward 80 to 192.168.9.7 at command line, column 41, by way of the router's outside address\n"},
    {85, 4, "net=dev,nat,ports=1 net=lab,nat,ports=2 fwd=tcp:80:192.168.9.7 rule=deny,from=dev,to=uplink assert=dev:no:lab",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {86, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=lab:yes:uplink",
     "46 assert lab:yes:uplink fails: network lab is hostonly and never reaches the uplink, whatever a rule says\n"},
    {87, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=uplink:yes:lab",
     "46 assert uplink:yes:lab fails: network lab is hostonly and is never reached from the uplink, whatever a rule says\n"},
    {88, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=uplink:yes:dev",
     "46 assert uplink:yes:dev fails: network dev is nat: from the uplink only forwards lead there; write fwd=\n"},
    {89, 4, "net=dev,nat,ports=1 net=lab,internal,ports=2 assert=dev:yes:lab",
     "46 assert dev:yes:lab fails: network lab is internal: nothing is routed from or to it, whatever a rule says\n"},
    {90, 4, "net=dev,nat,ports=1 net=lab,internal,ports=2 assert=lab:yes:router",
     "46 assert lab:yes:router fails: network lab is internal: nothing is routed from or to it, whatever a rule says\n"},
    {91, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 assert=dev:yes:lab",
     "46 assert dev:yes:lab fails: no rule=allow opens it, and by default nothing passes\n"},
    {92, 4, "net=dev,nat,ports=1,isolate net=lab,hostonly,ports=2 assert=dev:yes:dev",
     "54 assert dev:yes:dev fails: network dev is isolated\n"},
    {93, 4, "net=dev,nat,ports=1 net=lab,hostonly,ports=2 rule=deny,from=dev,to=uplink assert=dev:yes:uplink",
     "75 assert dev:yes:uplink fails: closed by rule 1 deny dev -> uplink at command line, column 46\n"},
    {94, 2, "net=lan,nat,ports=0+1 assert=lan:yes:uplink",
     "23 assert lan:yes:uplink fails: there is no uplink\n"},
    {95, 4, "assert=uplink:yes:uplink",
     "1 assert uplink:yes:uplink fails: nothing is routed back to the uplink\n"},
    {96, 4, "uplink=0 net=vm,bridge,ports=1 net=lan,nat,ports=2 assert=vm:yes:uplink assert=vm:yes:vm assert=vm:no:lan",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {97, 4, "uplink=0 net=vm,bridge,ports=1 net=lan,nat,ports=2 assert=vm:no:uplink",
     "52 assert vm:no:uplink fails: hosts of one segment reach each other by default\n"},
    {98, 4, "uplink=0 net=vm,bridge,ports=1,isolate net=lan,nat,ports=2 assert=vm:yes:vm assert=uplink:yes:vm",
     "60 assert vm:yes:vm fails: network vm is isolated\n"},
    {99, 4, "net=vm,bridge,ports=1 net=lan,hostonly,ports=2 assert=vm:yes:router",
     "48 assert vm:yes:router fails: the router has no address at the uplink\n"},
    {100, 4, "uplink=0 net=vm,bridge,ports=1 net=lan,nat,ports=2 rule=allow,from=uplnk assert=vm:no:uplink",
     "52 rule 1: no network and no host= is called uplnk; did you mean 'uplink'?\n"},
    {101, 4, "net=dev,nat,ports=1 net=lab,nat,ports=2 fwd=tcp:80:192.168.9.7 assert=uplink:yes:lab",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {102, 4, "net=dev,nat,ports=1 net=lab,nat,ports=2 rule=deny,from=uplink,to=lab fwd=tcp:80:192.168.9.7 assert=uplink:no:lab assert=dev:no:lab",
     "note port 3 belongs to no network: what it receives is dropped\n"},
    {103, 3, "net=road,routed rule=allow,from=uplink,to=road,proto=tcp,port=80 assert=uplink:yes:road",
     ""},
    {104, 3, "net=road,routed assert=uplink:yes:road",
     "17 assert uplink:yes:road fails: no rule=allow opens it, and by default nothing passes\n"},
    {105, 3, "net=road,routed rule=allow,from=203.0.113.0/24,to=road assert=uplink:no:road",
     "56 assert uplink:no:road fails: opened by rule 1 allow 203.0.113.0/24 -> road at command line, column 17\n"},
    /* one subnet twice */
    {106, 3, "uplink=0 net=a,routed,ip=10.0.0.1/24,ports=1 net=b,routed,ip=10.0.0.1/24,ports=2",
     "46 network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24, and the uplink, which has to do with both, could not tell them apart\n"},
    {107, 3, "uplink=0 net=a,nat,ip=10.0.0.1/24,ports=1 net=b,routed,ip=10.0.0.1/24,ports=2",
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever reach the other\n"},
    {108, 4, "uplink=0 net=a,nat,ip=10.0.0.1/24,ports=1 net=b,hostonly,ip=10.0.0.1/24,ports=2 net=admin,nat,ports=3 rule=allow,from=admin",
     "43 network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24, and admin, which has to do with both, could not tell them apart\n"},
    {109, 4, "uplink=0 net=a,nat,ip=10.0.0.1/24,ports=1 net=b,hostonly,ip=10.0.0.1/24,ports=2 net=admin,nat,ports=3 rule=allow,from=admin,to=a rule=allow,from=b,to=admin",
     "43 network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24, and admin, which has to do with both, could not tell them apart\n"},
    {110, 4, "uplink=0 net=a,nat,ip=10.0.0.1/24,ports=1 net=b,hostonly,ip=10.0.0.1/24,ports=2 net=admin,nat,ports=3 rule=allow,from=admin,to=a",
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever reach the other\n"},
    {111, 4, "uplink=0 net=a,nat,ip=10.0.0.1/24,ports=1 net=b,hostonly,ip=10.0.0.1/24,ports=2 rule=alow,from=b,to=admin",
     "86 'alow' in rule=alow,from=b,to=admin: expected what to do: allow, deny or reject; did you mean 'allow'?\n"},
    {112, 2, "rule=deny,port=81-80",
     "16 '81-80' in rule=deny,port=81-80: expected the lower port first\n"},
    {113, 4, "uplink=0 net=a,nat,ip=10.0.0.1/24,ports=1 net=b,hostonly,ip=10.0.0.1/24,ports=2 net=admin,nat,ports=3 rule=allow,from=b,to=admin",
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever reach the other\n"},
    {114, 4, "uplink=0 net=v,bridge,ports=1 net=a,nat,ip=10.0.0.1/24,ports=2 net=b,nat,ip=10.0.0.1/24,ports=3",
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever reach the other\n"},
    /* ports that hosts may ask for */
    {115, 3, "net=lan,nat,ports=1,pcp net=b,nat,ports=2 assert=uplink:no:b assert=uplink:no:lan",
     "62 assert uplink:no:lan fails: net=lan,...,pcp lets its hosts open ports of their own\n"},
    {116, 3, "net=lan,nat,ports=1,pcp net=b,nat,ports=2 assert=lan:no:b assert=b:no:lan",
     "59 assert b:no:lan fails: net=lan,...,pcp lets its hosts open ports of their own, by way of the router's outside address\n"},
    {117, 3, "net=lan,nat,ports=1,pcp net=b,hostonly,ports=2 assert=b:no:lan assert=uplink:yes:lan",
     ""},
    {118, 3, "net=lan,nat,ports=1,pcp net=b,nat,ports=2 rule=deny,from=b assert=b:no:lan assert=uplink:no:lan",
     "76 assert uplink:no:lan fails: net=lan,...,pcp lets its hosts open ports of their own\n"},
    /* forwards of every kind */
    {115, 4, "uplink=0 dmz=192.168.8.10 rule=allow,from=uplink,to=192.168.8.11",
     "27 rule 1 allow uplink -> 192.168.8.11: network lan is nat: from the uplink only forwards lead there; write fwd=\n"},
    {116, 4, "uplink=0 dmz=192.168.8.10 assert=uplink:no:lan",
     "27 assert uplink:no:lan fails: opened by dmz=192.168.8.10\n"},
    {117, 4, "uplink=0 net=dev,nat,ports=1 net=lan,nat,ports=2+3 dmz=192.168.9.10 assert=dev:no:lan",
     "69 assert dev:no:lan fails: opened by dmz=192.168.9.10, by way of the router's outside address\n"},
    {118, 4, "uplink=0 fwd=tcp:80:192.168.8.9 fwd=tcp:1000-1009:192.168.8.10+192.168.8.11:2000-2009 rule=deny,from=uplink,to=192.168.8.11,port=2009 rule=allow,from=uplink,to=192.168.8.11,port=2008",
     ""},
    {119, 4, "uplink=0 fwd=tcp:1000-1009:192.168.8.10:2000 rule=allow,from=uplink,to=192.168.8.10,proto=tcp,port=2010",
     "46 rule 1 allow uplink -> 192.168.8.10 tcp 2010: network lan is nat: from the uplink only forwards lead there; write fwd=\n"},
    {120, 3, "uplink=0 net=lan,nat,pcp rule=allow,from=198.51.100.0/24,to=lan,proto=tcp rule=deny,from=uplink,to=lan",
     ""},
    {121, 3, "uplink=0 net=lan,nat,pcp assert=uplink:no:lan",
     "26 assert uplink:no:lan fails: net=lan,...,pcp lets its hosts open ports of their own\n"},
    /* forwards of which rules leave nothing, or something */
    {122, 2, "fwd=tcp:80:192.168.8.7 rule=deny,from=uplink,to=lan assert=uplink:yes:lan",
     "53 assert uplink:yes:lan fails: rules leave nothing of the forwards that lead there\n"},
    {123, 2, "fwd=both:80-81:192.168.8.7:90 rule=deny,to=192.168.8.7,port=90-91 assert=uplink:yes:lan",
     "67 assert uplink:yes:lan fails: rules leave nothing of the forwards that lead there\n"},
    {124, 2, "fwd=both:80-81:192.168.8.7:90 rule=deny,to=192.168.8.7,port=90-91 assert=uplink:no:lan",
     ""},
    {125, 2, "fwd=both:80-81:192.168.8.7:90 rule=deny,to=192.168.8.7,proto=tcp,port=90-91 assert=uplink:no:lan",
     "77 assert uplink:no:lan fails: opened by forward 80 to 192.168.8.7 at command line, column 1\n"},
    {126, 2, "fwd=tcp:80-81:192.168.8.7:90 rule=deny,to=192.168.8.7,port=90 assert=uplink:no:lan",
     "63 assert uplink:no:lan fails: opened by forward 80 to 192.168.8.7 at command line, column 1\n"},
    {127, 2, "fwd=tcp:80:192.168.8.7+192.168.8.8 rule=deny,to=192.168.8.7 assert=uplink:no:lan",
     "61 assert uplink:no:lan fails: opened by forward 80 to 192.168.8.7 at command line, column 1\n"},
    {128, 2, "fwd=tcp:80:192.168.8.7,from=198.51.100.0/24 rule=deny,from=198.51.0.0/16 assert=uplink:no:lan",
     ""},
    {129, 2, "fwd=tcp:80:192.168.8.7 rule=deny,from=198.51.0.0/16 assert=uplink:no:lan",
     "53 assert uplink:no:lan fails: opened by forward 80 to 192.168.8.7 at command line, column 1\n"},
    {130, 2, "fwd=tcp:80:192.168.8.7 rule=allow,to=192.168.8.7 rule=deny,from=uplink,to=lan assert=uplink:no:lan",
     "79 assert uplink:no:lan fails: opened by forward 80 to 192.168.8.7 at command line, column 1\n"},
    {131, 3, "uplink=0 dmz=192.168.8.7 rule=deny,from=uplink,to=192.168.8.7 assert=uplink:yes:lan",
     "63 assert uplink:yes:lan fails: rules leave nothing of the forwards that lead there\n"},
    {132, 3, "uplink=0 net=lan,nat,pcp rule=deny,from=uplink,to=lan assert=uplink:no:lan",
     ""},
    {133, 3, "uplink=0 net=lan,nat,pcp rule=deny,from=uplink,to=192.168.8.7 assert=uplink:no:lan",
     "63 assert uplink:no:lan fails: net=lan,...,pcp lets its hosts open ports of their own\n"},
    /* names as long as they may be */
    {134, 3, "uplink=0 net=a234567890123456789012345678901,nat,ports=1 net=b234567890123456789012345678901,nat,ports=2 "
     "rule=deny,from=a234567890123456789012345678901,to=uplink,proto=tcp,port=10000-20000 assert=a234567890123456789012345678901:no:uplink",
     "190 assert a234567890123456789012345678901:no:uplink fails: mode nat reaches the uplink by default; "
     "rule 1 deny a234567890123456789012345678901 -> uplink tcp 10000-20000 at command line, column 106 closes only a part\n"},
    /* clang-format on */
};

static struct fake_config f;

static void test_every_row_is_told(void **state)
{
    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

/* What was written arrives where the decision looks for it. */
static void test_rules_as_understood(void **state)
{
    (void)state;
    assert_true(fake_config_run(
        &f, 4,
        "rule=allow,from=dev,to=lab,proto=tcp,port=22,log "
        "rule=reject,from=WEB,to=router,port=6000-6010 "
        "rule=deny,from=192.168.8.77,to=uplink,proto=gre "
        "rule=deny,to=203.0.113.0/24,proto=89 rule=deny,proto=esp,from=uplink "
        "net=dev,nat,ports=1 net=lab,hostonly,ports=2 "
        "host=52:54:00:aa:bb:01,192.168.9.10,web assert=uplink:no:lab assert=dev:yes:router"));
    const struct config_rule *r = f.config.rules;
    assert_int_equal(f.config.rule_count, 5);
    assert_int_equal(r[0].action, RULE_ALLOW);
    assert_int_equal(r[0].from.kind, WHERE_NET);
    assert_int_equal(r[0].from.net, 0);
    assert_int_equal(r[0].to.net, 1);
    assert_int_equal(r[0].proto, 6);
    assert_true(r[0].ports_given && r[0].first_port == 22 && r[0].last_port == 22 && r[0].log);
    assert_int_equal(r[0].column, 1);
    assert_int_equal(r[0].line, 0);
    assert_int_equal(r[1].action, RULE_REJECT);
    assert_int_equal(r[1].from.kind, WHERE_HOST);
    assert_int_equal(r[1].from.net, 1);
    assert_int_equal(r[1].from.ip, BE_IP4(192, 168, 9, 10));
    assert_int_equal(r[1].from.mac[5], 1);
    assert_int_equal(r[1].to.kind, WHERE_ROUTER);
    assert_true(!r[1].proto && r[1].first_port == 6000 && r[1].last_port == 6010 && !r[1].log);
    assert_int_equal(r[2].from.kind, WHERE_CIDR);
    assert_int_equal(r[2].from.ip, BE_IP4(192, 168, 8, 77));
    assert_int_equal(r[2].from.prefix, 32);
    assert_int_equal(r[2].to.kind, WHERE_UPLINK);
    assert_int_equal(r[2].proto, 47);
    assert_int_equal(r[3].from.kind, WHERE_ANY);
    assert_int_equal(r[3].to.prefix, 24);
    assert_int_equal(r[3].proto, 89);
    assert_false(r[3].ports_given);
    assert_int_equal(r[4].proto, 50);
    assert_int_equal(f.config.assert_count, 2);
    assert_int_equal(f.config.asserts[0].from, REACH_UPLINK);
    assert_int_equal(f.config.asserts[0].to, 1);
    assert_false(f.config.asserts[0].yes);
    assert_int_equal(f.config.asserts[1].to, REACH_ROUTER);
    assert_true(f.config.asserts[1].yes);
}

/* Later texts override earlier ones, and the first match wins. */
static void test_rules_of_later_texts_come_first(void **state)
{
    (void)state;
    fake_config_start(&f, 4);
    fake_config_text(&f, "image", true, "rule=deny,port=1\n rule=deny,port=2");
    fake_config_text(&f, "fw_cfg", true, "rule=deny,port=3 assert=uplink:no:lan");
    fake_config_text(&f, "command line", false, "rule=deny,port=4 rule=deny,port=5");
    assert_true(fake_config_end(&f));
    assert_int_equal(f.config.rule_count, 5);
    static const uint16_t expected[] = {4, 5, 3, 1, 2};
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(f.config.rules[i].first_port, expected[i]);
    assert_int_equal(f.config.rules[4].line, 2);
    assert_int_equal(f.config.rules[4].column, 2);
    /* The number in a message is that of the decision, the place that of the text. */
    fake_config_start(&f, 4);
    fake_config_text(&f, "image", true, "rule=deny,from=nobody");
    fake_config_text(&f, "command line", false, "rule=deny,port=4");
    assert_false(fake_config_end(&f));
    assert_string_equal(f.said, "1 rule 2: no network and no host= is called nobody\n");
    assert_string_equal(f.report.errors[0].source, "image");
}

/* What cannot be relied upon is not asserted about: errors elsewhere are told once. */
static void test_one_cause_one_message(void **state)
{
    (void)state;
    assert_false(fake_config_run(&f, 4,
                                 "net=lab,nta rule=allow,from=lab,to=uplink "
                                 "assert=lab:no:uplink"));
    assert_int_equal(f.report.error_count, 1);
    assert_false(fake_config_run(&f, 4, "rule=alow,from=lan,to=uplink assert=lan:no:uplink"));
    assert_int_equal(f.report.error_count, 1);
    assert_false(fake_config_run(&f, 4,
                                 "uplink=x,vlan=0 rule=allow,from=lan,to=lab "
                                 "net=lan,nat,ports=1 net=lab,internal,ports=2"));
    assert_int_equal(f.report.error_count, 1);
    assert_false(
        fake_config_run(&f, 4, "net=lan,nat,ports=9 assert=lan:yes:uplink assert=lan:no:lan"));
    assert_int_equal(f.report.error_count, 1);
    assert_false(fake_config_run(&f, 4, "rule=deny rule=deny,from=nobody rule=deny,from=lan"));
    assert_int_equal(f.report.error_count, 1);
    assert_int_equal(f.report.note_count, 0);
    assert_false(fake_config_run(&f, 4, "assert=lan:no:uplink assert=uplink:yes:lan"));
    assert_int_equal(f.report.error_count, 2); /* but each failing assertion is told */
}

static void test_limits(void **state)
{
    (void)state;
    static char text[16384];
    size_t used = 0;
    for (unsigned i = 0; i < CONFIG_MAX_RULES; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "rule=deny,port=%u ", i + 1);
    assert_true(fake_config_run(&f, 2, text));
    assert_int_equal(f.config.rule_count, CONFIG_MAX_RULES);
    snprintf(text + used, sizeof(text) - used, "rule=deny,port=999");
    assert_false(fake_config_run(&f, 2, text));
    assert_non_null(strstr(f.said, "rule=deny,port=999: more than 256 of rule=\n"));
    used = 0;
    for (unsigned i = 0; i <= CONFIG_MAX_ASSERTS; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "assert=lan:yes:lan ");
    assert_false(fake_config_run(&f, 2, text));
    assert_non_null(strstr(f.said, "assert=lan:yes:lan: more than 64 of assert=\n"));
    assert_int_equal(f.report.error_count, 1);
}

/* Ports that hosts may ask for are ways in, too. */
static void test_the_matrix_with_pcp(void **state)
{
    (void)state;
    assert_true(fake_config_run(&f, 4,
                                "net=lan,nat,ports=1,pcp net=b,nat,ports=2,pcp "
                                "net=lab,hostonly,ports=3 fwd=tcp:81:192.168.9.10 "
                                "rule=allow,from=b,to=lan,proto=icmp uplink=0"));
    fake_config_print(&f);
    /* clang-format off */
    assert_string_equal(
        strstr(f.said, "reach "),
        "reach    from / to  lan       b         lab       uplink    router\n"
        "         lan        yes       forwards  no        yes       yes\n"
        "         b          rules+pcp yes       no        yes       yes\n"
        "         lab        no        no        yes       no        yes\n"
        "         uplink     pcp       forwards  no        -         yes\n");
    /* clang-format on */
}

/* The rules as in the log, and after them the matrix with every word it has. */
static void test_the_list_and_the_matrix(void **state)
{
    (void)state;
    assert_true(fake_config_run(
        &f, 8,
        "net=dev,nat,ports=1 net=lab,hostonly,ports=2 net=road,routed,ports=3 "
        "net=quiet,internal,ports=4 net=guests,nat,ports=5,isolate net=vmnet0,bridge,ports=6+7 "
        "rule=allow,from=dev,to=lab,proto=tcp,port=22,log rule=allow,from=uplink,to=road,port=80 "
        "rule=deny,from=guests,to=router,proto=icmp rule=allow,from=dev,to=road "
        "fwd=tcp:8080:192.168.8.10:80 fwd=tcp:81:192.168.10.10 uplink=0"));
    fake_config_print(&f);
    /* clang-format off */
    assert_string_equal(
        strstr(f.said, "rule "),
        "rule     1 allow dev -> lab tcp 22  log\n"
        "rule     2 allow uplink -> road tcp+udp 80\n"
        "rule     3 deny guests -> router icmp\n"
        "rule     4 allow dev -> road\n"
        "reach    from / to  dev       lab       road      quiet     guests    vmnet0    uplink    router\n"
        "         dev        yes       rules     yes       no        no        yes       yes       yes\n"
        "         lab        no        yes       no        no        no        no        no        yes\n"
        "         road       forwards  no        yes       no        no        yes       yes       yes\n"
        "         quiet      no        no        no        yes       no        no        no        no\n"
        "         guests     forwards  no        forwards  no        no        yes       yes       rules\n"
        "         vmnet0     forwards  no        rules+fwd no        no        yes       yes       yes\n"
        "         uplink     forwards  no        rules+fwd no        no        yes       yes       yes\n");
    /* clang-format on */
}

/* No line of them is longer than 100 characters, and no name is cut. */
static void test_the_list_is_wrapped(void **state)
{
    (void)state;
    assert_true(fake_config_run(
        &f, 3,
        "net=a234567890123456789012345678901,nat,ports=1 "
        "net=b234567890123456789012345678901,nat,ports=2 "
        "rule=allow,from=a234567890123456789012345678901,to=b234567890123456789012345678901,"
        "port=10000-20000,log "
        "dnsfwd=a23456789012345678901234567890.b2345678901234567890.example:192.168.8.53"));
    fake_config_print(&f);
    /* clang-format off */
    assert_non_null(strstr(f.said,
        "names    a23456789012345678901234567890.b2345678901234567890.example -> 192.168.8.53\n"
        "         a234567890123456789012345678901\n"
        "rule     1 allow a234567890123456789012345678901 -> b234567890123456789012345678901 tcp+udp\n"
        "         10000-20000  log\n"
        "reach "));
    /* clang-format on */
}

/* The examples of docs/rules.md are accepted as they stand there, without a note about the rules.
 */
static void test_the_manual_is_right(void **state)
{
    (void)state;
    char line[256], text[2048];
    size_t used = 0;
    unsigned examples = 0;
    bool inside = false;
    FILE *page = fopen("docs/rules.md", "r");
    if (!page)
        fail_msg("docs/rules.md is missing; run the test from the top of the tree");
    while (fgets(line, sizeof(line), page)) {
        if (strncmp(line, "```", 3) != 0) {
            if (inside)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", line);
            continue;
        }
        inside = !inside;
        if (inside) {
            used = 0;
            text[0] = 0;
            continue;
        }
        if (!strstr(text, "rule=") || strchr(text, '['))
            continue;
        examples++;
        print_message("%s", text);
        bool ok = fake_config_run(&f, 5, text);
        if (!ok || strstr(f.said, "never matches"))
            fail_msg("%s", f.said);
    }
    fclose(page);
    assert_int_equal(examples, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_told),
        cmocka_unit_test(test_rules_as_understood),
        cmocka_unit_test(test_rules_of_later_texts_come_first),
        cmocka_unit_test(test_one_cause_one_message),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_the_list_and_the_matrix),
        cmocka_unit_test(test_the_matrix_with_pcp),
        cmocka_unit_test(test_the_list_is_wrapped),
        cmocka_unit_test(test_the_manual_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
