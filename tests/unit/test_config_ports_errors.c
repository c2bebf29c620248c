/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Modes, ports and VLANs that cannot be read or contradict each other: every message, which names
 * both sides. One cause has one message.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_config.h"

static const struct fake_config_row rows[] = {
    /* clang-format off */
    /* options that make no sense in a mode */
    {1, 3, "net=lab,internal,ports=1,ip=10.0.0.1/24,pool=off,lease=1h,domain=x,dns=self,mtu="
     "1400",
     "1 network lab is internal and takes no ip=: the router has no address there; mod"
     "e hostonly gives it one\n"
     "1 network lab is internal and takes no pool=: the router serves no DHCP there; i"
     "n mode hostonly it does\n"
     "1 network lab is internal and takes no lease=: the router serves no DHCP there; "
     "in mode hostonly it does\n"
     "1 network lab is internal and takes no domain=: the router names no host there; "
     "in mode hostonly it does\n"
     "1 network lab is internal and takes no dns=: the router tells its hosts nothing;"
     " in mode hostonly it does\n"
     "1 network lab is internal and takes no mtu=: a switch limits no packets; the NIC"
     "s do\n"},
    {2, 3, "net=br,bridge,ports=1,ip=10.0.0.1/24,pool=10.0.0.5-10.0.0.9,lease=1h,domain=x,dn"
     "s=1.1.1.1,mtu=1400",
     "1 network br is bridge and takes no ip=: the router's address there is the uplin"
     "k's, uplink=PORT,ip=A/LEN,gw=A\n"
     "1 network br is bridge and takes no pool=: the outside's DHCP server serves it\n"
     "1 network br is bridge and takes no lease=: the outside's DHCP server serves it"
     "\n"
     "1 network br is bridge and takes no domain=: its hosts' names are the outside's"
     "\n"
     "1 network br is bridge and takes no dns=: the outside tells its hosts; for the r"
     "outer itself write uplink=PORT,...,dns=A\n"
     "1 network br is bridge and takes no mtu=: its MTU is the uplink's, uplink=PORT,m"
     "tu=N\n"},
    {3, 4, "net=a,bridge,ports=1 net=b,bridge,ports=2",
     "22 network a and network b are both bridge: they would be one, the uplink's segm"
     "ent; put the ports of both into one\n"},
    {4, 3, "net=br,bridge,ports=0+1",
     "1 port 0 is the uplink: it belongs to bridge network br by itself; leave it out "
     "of ports=\n"},
    {5, 3, "uplink=2 net=br,bridge,ports=2+1",
     "10 port 2 is the uplink: it belongs to bridge network br by itself; leave it out"
     " of ports=\n"},
    {6, 1, "net=br,bridge",
     "1 network br is bridge and needs an uplink to join, and there is none; write upl"
     "ink=PORT\n"},
    {7, 2, "net=br,bridge,ports=1 net=lan,nat,ports=0",
     "1 network br is bridge and needs an uplink to join, and there is none; write upl"
     "ink=PORT\n"},
    {8, 1, "uplink=0 net=br,bridge",
     "10 network br has no port: of this machine's 1 none is left for it\n"},
    {9, 2, "uplink=9 net=br,bridge,ports=1",
     "1 there is no port 9: this machine has ports 0-1\n"},
    /* which port */
    {10, 4, "uplink=wan",
     "1 no port= is called wan\n"},
    {11, 4, "uplink=wna net=a,nat,ports=1+lba port=0,name=wan port=2,name=lab",
     "1 no port= is called wna; did you mean 'wan'?\n"
     "12 no port= is called lba; did you mean 'lab'?\n"},
    {12, 4, "port=0,name=wan port=1,name=WAN",
     "17 name wan is given to port 0 and to port 1\n"},
    {13, 4, "port=0,name=wan port=52:54:00:12:34:56,lock=off",
     "17 port 0 has two port=, the other at command line, column 1: say all of it in o"
     "ne\n"},
    {14, 4, "port=9,name=wan uplink=wan net=a,nat,ports=1",
     "1 there is no port 9: this machine has ports 0-3\n"},
    {15, 4, "port=9,name=wan port=1,name=wan",
     "1 there is no port 9: this machine has ports 0-3\n"},
    {16, 4, "port=2,nmae=lab net=a,nat,ports=lab",
     "8 'nmae' in port=2,nmae=lab: expected one of the options in its usage; did you m"
     "ean 'name'?\n"},
    {17, 4, "port=1,name=a net=a,nat,ports=1+a",
     "15 network a names port 1 twice\n"},
    {18, 4, "port=1,name=a port=1,name=b",
     "15 port=1,name=b: this port= is given twice, first at command line, column 1\n"},
    /* access and trunk */
    {19, 2, "net=a,nat,vlan=5 port=1,vlan=5,trunk=5",
     "18 port 1: vlan= (an access port) and trunk= exclude each other\n"},
    {20, 2, "net=a,nat,vlan=5 port=1,native=5",
     "18 port 1: native=5 needs trunk=; where all frames are untagged write vlan=5\n"},
    /* whose VLAN */
    {21, 2, "net=a,nat,vlan=6",
     "1 network a has no port: no port= carries its VLAN 6 (port=P,vlan=6 or port=P,tr"
     "unk=...)\n"},
    {22, 2, "net=a,nat,ports=1,vlan=6",
     "1 VLAN 6 of network a is on no port: ports= is about untagged frames; for tagged"
     " ones write port=P,trunk=6\n"},
    {23, 3, "net=a,nat,vlan=6 net=b,nat,vlan=6 port=1,vlan=6",
     "18 VLAN 6 is network a's and network b's: one ID, one network\n"},
    {24, 2, "net=a,nat port=1,vlan=6",
     "11 port 1 carries VLAN 6, and no net= has vlan=6\n"},
    {25, 3, "net=a,nat,vlan=6 port=1,trunk=6,native=7",
     "18 port 1 carries VLAN 7, and no net= has vlan=7\n"},
    {26, 3, "net=a,nat,vlan=6 port=1,trunk=5+6+7",
     "18 port 1 carries VLAN 5, and no net= has vlan=5\n"
     "18 port 1 carries VLAN 7, and no net= has vlan=7\n"},
    {27, 3, "net=a,nat,vlan=6 port=1,trunk=6+7,native=7",
     "18 port 1 carries VLAN 7, and no net= has vlan=7\n"},
    {28, 2, "port=1,trunk=all",
     "1 port 1 is a trunk of all VLANs, and no net= has a vlan=\n"},
    {29, 2, "port=1,vlan=6",
     "1 port 1 carries VLAN 6, and no net= has vlan=6\n"},
    {30, 2, "net=lan,nta,vlan=6 port=1,vlan=6",
     "9 'nta' in net=lan,nta,vlan=6: expected a mode: nat, routed, hostonly, internal "
     "or bridge; did you mean 'nat'?\n"},
    {31, 2, "net=a,nat,vlan=6 port=1,valn=6",
     "25 'valn' in port=1,valn=6: expected one of the options in its usage; did you me"
     "an 'vlan'?\n"},
    {32, 2, "uplink=0,vlan=7 port=1,vlan=7",
     "17 port 1 carries VLAN 7, the uplink's on port 0; to join it here write a net= o"
     "f mode bridge with vlan=7\n"},
    /* a port that is in ports= and carries VLANs */
    {33, 3, "net=a,nat,ports=1 net=b,nat,vlan=5 port=1,vlan=5",
     "1 port 1 is in ports= of network a, but all of it is VLAN 5 (port=...,vlan=5)\n"},
    {34, 3, "net=a,nat,ports=1 net=b,nat,vlan=5 port=1,trunk=5",
     "1 port 1 is in ports= of network a, but it is a trunk: give the network a vlan=,"
     " and for untagged frames the trunk native=\n"},
    {35, 3, "net=a,nat,ports=1,vlan=6 net=b,nat,vlan=5 port=1,trunk=5+6",
     "1 port 1 is in ports= of network a, but it is a trunk: give the network a vlan=,"
     " and for untagged frames the trunk native=\n"},
    {36, 3, "net=a,nat,ports=1,vlan=6 net=b,nat,vlan=5 port=1,trunk=all,native=5",
     "1 port 1 is in ports= of network a, but it is a trunk: give the network a vlan=,"
     " and for untagged frames the trunk native=\n"},
    /* the uplink and VLANs */
    {37, 2, "uplink=0,vlan=5 net=a,nat,vlan=5 port=0,trunk=all port=1,vlan=5",
     "34 VLAN 5 of port 0 is the uplink's and network a's\n"},
    {38, 2, "uplink=0,vlan=5 net=a,nat,vlan=5 port=0,trunk=5",
     "34 VLAN 5 of port 0 is the uplink's and network a's\n"},
    {39, 2, "uplink=0,vlan=5 net=a,nat,vlan=6 port=0,trunk=6",
     "1 uplink: the trunk of port 0 does not carry its VLAN 5\n"},
    {40, 2, "uplink=0 net=a,nat,vlan=6 port=0,trunk=6",
     "1 uplink: port 0 is a trunk: which VLAN of it is the uplink? uplink=...,vlan=ID,"
     " with native=ID in port= if it is untagged\n"},
    {41, 2, "uplink=0 net=a,nat,vlan=6 port=0,vlan=6",
     "1 uplink: all of port 0 is VLAN 6 (port=...,vlan=6): write uplink=...,vlan=6, or"
     " drop the port's vlan=\n"},
    {42, 2, "uplink=0,vlan=7 net=a,nat,vlan=6 port=0,vlan=6",
     "1 uplink: all of port 0 is VLAN 6 (port=...,vlan=6), not VLAN 7\n"},
    {43, 2, "uplink=0 net=br,bridge,vlan=10 port=0,trunk=10",
     "1 uplink: port 0 is a trunk: which VLAN of it is the uplink? uplink=...,vlan=ID,"
     " with native=ID in port= if it is untagged\n"},
    {44, 2, "uplink=0,vlan=5 net=br,bridge,vlan=10 port=0,trunk=5+10 port=1,vlan=10",
     "39 port 0 is the uplink: it belongs to bridge network br by itself, not by VLAN "
     "10\n"},
    {45, 2, "uplink=0,vlan=5 net=br,bridge,vlan=10 port=0,trunk=5+10",
     "39 port 0 is the uplink: it belongs to bridge network br by itself, not by VLAN "
     "10\n"},
    {46, 2, "uplink=0,vlan=5 net=br,bridge,vlan=5 port=0,trunk=all",
     "17 network br has no port: no port= carries its VLAN 5 (port=P,vlan=5 or port=P,"
     "trunk=...)\n"},
    {47, 2, "uplink=0,vlan=5 net=br,bridge,ports=0",
     "17 port 0 is the uplink: it belongs to bridge network br by itself; leave it out"
     " of ports=\n"},
    {48, 2, "uplink=0,vlan=5 net=a,nat,ports=0 net=b,nat,ports=0",
     "35 port 0 is in network a and in network b\n"},
    /* locks and mirrors */
    {49, 2, "port=0,lock=first",
     "1 port 0 has a lock= and is the uplink: it would lock the outside out\n"},
    {50, 2, "port=0,lock=ip,promisc",
     "1 port 0 has a lock= and is the uplink: it would lock the outside out\n"
     "1 port 0 is promisc and the uplink: what it mirrors would leave the house\n"},
    {51, 1, "uplink=0,vlan=5 net=a,nat,vlan=6 port=0,trunk=all,lock=ip",
     "34 port 0 has a lock= and is the uplink: it would lock the outside out\n"},
    {52, 3, "net=lab,internal,ports=1 net=b,nat port=1,lock=ip",
     "36 port 1 has lock=ip, and no host of network lab gets an address from the route"
     "r, by DHCP or host=: nothing would pass\n"},
    {53, 3, "net=lab,hostonly,ports=1,pool=off net=b,nat port=1,lock=ip",
     "45 port 1 has lock=ip, and no host of network lab gets an address from the route"
     "r, by DHCP or host=: nothing would pass\n"},
    {54, 3, "net=br,bridge,ports=1 net=b,nat port=1,lock=ip",
     "33 port 1 has lock=ip, and no host of network br gets an address from the router"
     ", by DHCP or host=: nothing would pass\n"},
    /* one subnet twice */
    {55, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 host=52:54:00:"
     "aa:bb:01,10.0.0.5",
     "67 reservation 10.0.0.5 is in network a and in network b, whose subnets overlap;"
     " add net=NAME\n"
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever r"
     "each the other\n"},
    {56, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 host=52:54:00:"
     "aa:bb:01,10.0.0.5,x,net=a host=52:54:00:aa:bb:02,10.0.0.5,y,net=a",
     "107 address 10.0.0.5 is reserved for 52:54:00:aa:bb:01 and for 52:54:00:aa:bb:02"
     "\n"
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever r"
     "each the other\n"},
    {57, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 fwd=tcp:80:10."
     "0.0.5",
     "67 forward tcp 80: target 10.0.0.5 is in network a and in network b, whose subne"
     "ts overlap; name a host=...,net=NAME instead\n"
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever r"
     "each the other\n"},
    {58, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 host=52:54:00:"
     "aa:bb:01,10.0.0.5,x fwd=tcp:80:x",
     "67 reservation 10.0.0.5 is in network a and in network b, whose subnets overlap;"
     " add net=NAME\n"
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever r"
     "each the other\n"},
    {59, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 host=52:54:00:"
     "aa:bb:01,10.0.0.1,x,net=b",
     "67 reservation 10.0.0.1 is the router's own address in network b\n"
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever r"
     "each the other\n"},
    {60, 3, "net=a,nat host=52:54:00:aa:bb:01,10.0.0.5,x,net=a",
     "11 reservation 10.0.0.5 is outside network a\n"},
    {61, 3, "net=alpha,nat host=52:54:00:aa:bb:01,192.168.8.5,x,net=alhpa",
     "15 reservation 192.168.8.5: no net= is called alhpa; did you mean 'alpha'?\n"},
    {62, 3, "net=alpha,nat host=52:54:00:aa:bb:01,x,net=alpha",
     "15 net=alpha says where an address is, and this host has none\n"},
    /* and neither may reach the other */
    {63, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 rule=allow,fro"
     "m=a,to=b",
     "34 network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24, and rule= at command"
     " line, column 67 lets one reach the other\n"},
    {64, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 rule=allow,to="
     "b",
     "34 network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24, and rule= at command"
     " line, column 67 lets one reach the other\n"},
    {65, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,hostonly,ports=2,ip=10.0.0.1/24 host=52:5"
     "4:00:aa:bb:01,10.0.0.5,x,net=b rule=allow,from=x,to=a",
     "34 network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24, and rule= at command"
     " line, column 112 lets one reach the other\n"},
    {66, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 rule=allow,fro"
     "m=nosuch",
     "67 rule 1: no network and no host= is called nosuch\n"},
    /* values */
    {67, 4, "port=wan,lock=first",
     "6 'wan' in port=wan,lock=first: expected a port number 0-15 (NICs in PCI order) "
     "or a MAC like 52:54:00:aa:bb:01\n"},
    {68, 4, "port=1,name=12",
     "13 '12' in port=1,name=12: expected a name of letters, digits and '-', at most 3"
     "1, with a letter\n"},
    {69, 4, "port=1,name=52-54-00-12-34-56",
     "13 '52-54-00-12-34-56' in port=1,name=52-54-00-12-34-56: expected a name that no"
     "body takes for a MAC\n"},
    {70, 4, "port=1,name=525400123456",
     "13 '525400123456' in port=1,name=525400123456: expected a name that nobody takes"
     " for a MAC\n"},
    {71, 4, "port=1,name=all",
     "13 'all' in port=1,name=all: expected another name: this word has a meaning of i"
     "ts own\n"},
    {72, 2, "port=1,rate=20m",
     "13 '20m' in port=1,rate=20m: expected two rates in bits a second, IN/OUT, like 2"
     "0m/5m or off/500k\n"},
    {73, 2, "port=1,rate=20/5",
     "13 '20' in port=1,rate=20/5: expected two rates in bits a second, IN/OUT, like 2"
     "0m/5m or off/500k\n"},
    {74, 2, "port=1,rate=20m/",
     "17 '' in port=1,rate=20m/: expected two rates in bits a second, IN/OUT, like 20m"
     "/5m or off/500k\n"},
    {75, 2, "port=1,rate=20m/5m/1m",
     "17 '5m/1m' in port=1,rate=20m/5m/1m: expected two rates in bits a second, IN/OUT"
     ", like 20m/5m or off/500k\n"},
    {76, 2, "port=1,rate=off/7k",
     "17 '7k' in port=1,rate=off/7k: expected 8k to 400g bits a second, or off\n"},
    {77, 2, "port=1,rate=401g/4m",
     "13 '401g' in port=1,rate=401g/4m: expected 8k to 400g bits a second, or off\n"},
    {78, 2, "port=1,rate=99999999999g/4m",
     "13 '99999999999g' in port=1,rate=99999999999g/4m: expected 8k to 400g bits a sec"
     "ond, or off\n"},
    {79, 2, "port=1,storm=0",
     "14 '0' in port=1,storm=0: expected 1 to 10000000 frames a second, or off\n"},
    {80, 2, "port=1,storm=10000001",
     "14 '10000001' in port=1,storm=10000001: expected 1 to 10000000 frames a second, "
     "or off\n"},
    {81, 2, "port=1,storm=of",
     "14 'of' in port=1,storm=of: expected 1 to 10000000 frames a second, or off; did "
     "you mean 'off'?\n"},
    {82, 2, "port=1,lock=frist",
     "13 'frist' in port=1,lock=frist: expected the MAC of one machine, like 52:54:00:"
     "aa:bb:01, first, ip or off; did you mean 'first'?\n"},
    {83, 2, "port=1,lock=",
     "8 'lock=' in port=1,lock=: expected the MAC of one machine, like 52:54:00:aa:bb:"
     "01, first, ip or off\n"},
    {84, 2, "port=1,lock=53:54:00:aa:bb:01",
     "13 '53:54:00:aa:bb:01' in port=1,lock=53:54:00:aa:bb:01: expected the MAC of one"
     " machine, like 52:54:00:aa:bb:01, first, ip or off\n"},
    {85, 2, "port=1,vlan=0",
     "13 '0' in port=1,vlan=0: expected a VLAN ID from 1 to 4094\n"},
    {86, 2, "port=1,vlan=4095",
     "13 '4095' in port=1,vlan=4095: expected a VLAN ID from 1 to 4094\n"},
    {87, 2, "port=1,trunk=10+10",
     "17 '10' in port=1,trunk=10+10: expected each VLAN ID once\n"},
    {88, 2, "port=1,trunk=10+",
     "17 '' in port=1,trunk=10+: expected VLAN IDs from 1 to 4094 joined by '+', like "
     "10+20, or all\n"},
    {89, 2, "port=1,trunk=al",
     "14 'al' in port=1,trunk=al: expected VLAN IDs from 1 to 4094 joined by '+', like"
     " 10+20, or all; did you mean 'all'?\n"},
    {90, 2, "port=1,trunk=1+2+3+4+5+6+7+8+9+10+11+12+13+14+15+16+17+18",
     "56 '18' in port=1,trunk=1+2+3+4+5+6+7+8+9+10+11+12+...: expected at most 17 VLAN"
     " IDs; all means every one there is\n"},
    {91, 2, "port=1,promisc=1",
     "8 'promisc=1' in port=1,promisc=1: expected this option alone, without '='\n"},
    {92, 2, "uplink=0,mac=01:00:00:00:00:01",
     "14 '01:00:00:00:00:01' in uplink=0,mac=01:00:00:00:00:01: expected the MAC of on"
     "e machine, like 52:54:00:aa:bb:01\n"},
    {93, 2, "uplink=0,vlan=4095",
     "15 '4095' in uplink=0,vlan=4095: expected a VLAN ID from 1 to 4094\n"},
    {94, 2, "net=lan,nat,vlan=x",
     "18 'x' in net=lan,nat,vlan=x: expected a VLAN ID from 1 to 4094\n"},
    {95, 2, "net=lan,nat,isolate=1",
     "13 'isolate=1' in net=lan,nat,isolate=1: expected this option alone, without '='"
     "\n"},
    {96, 2, "macs=63",
     "6 '63' in macs=63: expected 64 to 1M addresses, like 1000 or 64K\n"},
    {97, 2, "macs=1048577",
     "6 '1048577' in macs=1048577: expected 64 to 1M addresses, like 1000 or 64K\n"},
    {110, 2, "net=lan,nat,flows=100,hostflows=101",
     "1 network lan: hostflows=101 for each host is more than flows=100 for all\n"},
    {111, 2, "flows=1000 net=lan,nat,flows=1001",
     "12 network lan: flows=1001 is more than flows=1000, the room for all networks\n"},
    {112, 2, "flows=1000 net=lan,nat,hostflows=1001",
     "12 network lan: hostflows=1001 is more than flows=1000, the room for all networks\n"},
    {113, 2, "net=lan,internal,hostflows=5",
     "1 network lan is internal and takes no hostflows=: a switch knows no flows; in mode nat or routed there are some\n"},
    {114, 2, "net=lan,bridge,flows=5",
     "1 network lan is bridge and takes no flows=: a switch knows no flows; in mode nat or routed there are some\n"},
    {98, 2, "net=lan,routed,pcp,ports=1",
     "1 network lan is routed and takes no pcp: only hosts in mode nat have ports of the outside address to ask for\n"},
    {99, 2, "net=lan,hostonly,pcp,ports=1",
     "1 network lan is hostonly and takes no pcp: only hosts in mode nat have ports of the outside address to ask for\n"},
    {100, 2, "net=lan,internal,pcp,ports=1",
     "1 network lan is internal and takes no pcp: only hosts in mode nat have ports of the outside address to ask for\n"},
    {101, 2, "net=lan,bridge,pcp,ports=1",
     "1 network lan is bridge and takes no pcp: only hosts in mode nat have ports of the outside address to ask for\n"},
    {102, 2, "net=lan,nat,pcp=on",
     "13 'pcp=on' in net=lan,nat,pcp=on: expected this option alone, without '='\n"},
    {103, 2, "net=lan,routed,filter=address-dependent,ports=1",
     "1 network lan is routed and takes no filter=: only hosts in mode nat have ports of the outside address to come in by\n"},
    {104, 2, "net=lan,hostonly,filter=endpoint-independent,ports=1",
     "1 network lan is hostonly and takes no filter=: only hosts in mode nat have ports of the outside address to come in by\n"},
    {105, 2, "net=lan,nat,filter=port-dependent",
     "20 'port-dependent' in net=lan,nat,filter=port-dependent: expected a kind of filtering: endpoint-independent or address-dependent\n"},
    {106, 2, "net=lan,nat,filter",
     "13 'filter' in net=lan,nat,filter: expected a kind of filtering\n"},
    /* clang-format on */
};

static struct fake_config f;

static void test_every_row_is_refused_with_its_message(void **state)
{
    (void)state;
    fake_config_check_told(&f, rows, ARRAY_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_refused_with_its_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
