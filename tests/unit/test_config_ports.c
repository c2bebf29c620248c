/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Modes, ports and VLANs that are right: what is understood, as the console prints it behind the
 * notes, and where it goes in struct config.
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
    /* modes */
    {1, 3, "net=vmnet0,bridge,ports=1+2",
     "note port 0 only belongs to a bridge network, and the router has no address ther"
     "e; uplink=0 gives it one by DHCP\n"
     "uplink   port 0  52:54:00:12:34:56  no address\n"
     "network  vmnet0     bridge    -                   ports 1 2\n"},
    {2, 3, "net=br,bridge net=lab,internal,ports=2",
     "note port 0 only belongs to a bridge network, and the router has no address ther"
     "e; uplink=0 gives it one by DHCP\n"
     "uplink   port 0  52:54:00:12:34:56  no address\n"
     "network  br         bridge    -                   port 1\n"
     "network  lab        internal  -                   port 2\n"},
    {3, 3, "net=br,bridge,ports=1,isolate net=lan,nat",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  br         bridge    -                   port 1       isolate\n"
     "network  lan        nat       192.168.8.1/24      port 2       dhcp .100-.250\n"},
    {4, 3, "uplink=1 net=br,bridge",
     "uplink   port 1  52:54:00:12:34:57  dhcp\n"
     "network  br         bridge    -                   ports 0 2\n"},
    {5, 3, "uplink=1,ip=203.0.113.2/24,gw=203.0.113.1,dns=9.9.9.9 net=br,bridge,ports=2 net="
     "lab,hostonly",
     "uplink   port 1  52:54:00:12:34:57  203.0.113.2/24  gateway 203.0.113.1\n"
     "network  br         bridge    -                   port 2\n"
     "network  lab        hostonly  192.168.8.1/24      port 0       dhcp .100-.250\n"},
    {6, 3, "net=r,routed,ports=1 net=lab,internal,ports=2,isolate",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  r          routed    192.168.8.1/24      port 1       dhcp .100-.250\n"
     "network  lab        internal  -                   port 2       isolate\n"},
    {7, 3, "net=r,routed,ports=1,ip=10.0.0.1/24,pool=off net=h,hostonly,isolate",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  r          routed    10.0.0.1/24         port 1       dhcp off\n"
     "network  h          hostonly  192.168.8.1/24      port 2       dhcp .100-.250  i"
     "solate\n"},
    /* names, which may stand before or behind their use */
    {8, 4, "uplink=wan net=lan,nat,ports=a+b port=0,name=wan port=1,name=a port=2,name=B,rat"
     "e=20m/5m",
     "note port 3 belongs to no network: what it receives is dropped\n"
     "port     0   wan\n"
     "port     1   a\n"
     "port     2   b           rate 20m/5m\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      ports 1 2    dhcp .100-.250\n"},
    {9, 3, "port=52:54:00:12:34:58,name=Out-1 uplink=out-1,mtu=1400",
     "port     2   out-1\n"
     "uplink   port 2  52:54:00:12:34:58  dhcp  mtu 1400\n"
     "network  lan        nat       192.168.8.1/24      ports 0 1    dhcp .100-.250\n"},
    /* limits */
    {10, 2, "port=1,name=srv,lock=52:54:00:aa:bb:01,rate=8k/1500k,storm=off,promisc",
     "port     1   srv         lock 52:54:00:aa:bb:01  rate 8k/1500k  storm off  promi"
     "sc\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"},
    {11, 4, "port=1,lock=first,rate=off/400g port=2,lock=ip,rate=2500m/off,storm=77 port=3,lo"
     "ck=off,rate=off/off,storm=10000",
     "port     1   -           lock first  rate off/400g\n"
     "port     2   -           lock ip  rate 2500m/off  storm 77\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      ports 1 2 3  dhcp .100-.250\n"},
    {12, 3, "net=lab,hostonly,ports=1,pool=off,ip=10.0.0.1/24 net=b,nat port=1,lock=ip host=5"
     "2:54:00:aa:bb:01,10.0.0.5",
     "port     1   -           lock ip\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lab        hostonly  10.0.0.1/24         port 1       dhcp off\n"
     "network  b          nat       192.168.8.1/24      port 2       dhcp .100-.250\n"
     "hosts    1: 1 with a reserved address, 0 with a name, 0 denied\n"},
    /* access ports and trunks */
    {13, 3, "net=a,nat,vlan=10 net=b,hostonly,vlan=20 port=1,trunk=10+20 port=2,vlan=20",
     "port     1   -           vlan 10 a  vlan 20 b\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 1t      dhcp .100-.250  v"
     "lan 10\n"
     "network  b          hostonly  192.168.9.1/24      ports 1t 2   dhcp .100-.250  v"
     "lan 20\n"},
    {14, 3, "net=a,nat,vlan=10 net=b,hostonly,vlan=20,isolate port=1,trunk=all,native=20 port"
     "=2,vlan=10",
     "port     1   -           vlan 10 a  untagged b\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      ports 1t 2   dhcp .100-.250  v"
     "lan 10\n"
     "network  b          hostonly  192.168.9.1/24      port 1       dhcp .100-.250  v"
     "lan 20  isolate\n"},
    {15, 3, "net=a,nat,vlan=10 net=b,hostonly,vlan=20 port=1,trunk=10+20,native=20 port=2,tru"
     "nk=10,native=20",
     "port     1   -           vlan 10 a  untagged b\n"
     "port     2   -           vlan 10 a  untagged b\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      ports 1t 2t  dhcp .100-.250  v"
     "lan 10\n"
     "network  b          hostonly  192.168.9.1/24      ports 1 2    dhcp .100-.250  v"
     "lan 20\n"},
    {16, 4, "net=a,nat,vlan=10 net=b,hostonly port=1,vlan=10,name=x",
     "port     1   x\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 1       dhcp .100-.250  v"
     "lan 10\n"
     "network  b          hostonly  192.168.9.1/24      ports 2 3    dhcp .100-.250\n"},
    {17, 3, "net=a,nat,ports=1,vlan=6 net=b,nat,vlan=5 port=1,trunk=5,native=6 port=2,vlan=5",
     "port     1   -           untagged a  vlan 5 b\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 1       dhcp .100-.250  v"
     "lan 6\n"
     "network  b          nat       192.168.9.1/24      ports 1t 2   dhcp .100-.250  v"
     "lan 5\n"},
    {18, 2, "net=a,nat,ports=1,vlan=6 port=1,vlan=6",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 1       dhcp .100-.250  v"
     "lan 6\n"},
    {19, 2, "net=a,nat,vlan=1 net=b,nat,vlan=4094 port=1,trunk=1+4094",
     "port     1   -           vlan 1 a  vlan 4094 b\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 1t      dhcp .100-.250  v"
     "lan 1\n"
     "network  b          nat       192.168.9.1/24      port 1t      dhcp .100-.250  v"
     "lan 4094\n"},
    /* the uplink on a VLAN, and a router on a stick */
    {20, 1, "uplink=0,vlan=5 net=a,nat,vlan=10 net=b,hostonly,vlan=20 port=0,trunk=5+10+20",
     "port     0   -           vlan 5 uplink  vlan 10 a  vlan 20 b\n"
     "uplink   port 0  52:54:00:12:34:56  vlan 5  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 0t      dhcp .100-.250  v"
     "lan 10\n"
     "network  b          hostonly  192.168.9.1/24      port 0t      dhcp .100-.250  v"
     "lan 20\n"},
    {21, 1, "uplink=0,vlan=5 net=a,nat,vlan=10 net=b,internal,vlan=20 port=0,trunk=all",
     "port     0   -           vlan 5 uplink  vlan 10 a  vlan 20 b\n"
     "uplink   port 0  52:54:00:12:34:56  vlan 5  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 0t      dhcp .100-.250  v"
     "lan 10\n"
     "network  b          internal  -                   port 0t      vlan 20\n"},
    {22, 1, "uplink=0,vlan=5 net=a,nat,vlan=10 net=b,routed,vlan=20 port=0,trunk=10+20,native"
     "=5,name=stick",
     "port     0   stick       untagged uplink  vlan 10 a  vlan 20 b\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 0t      dhcp .100-.250  v"
     "lan 10\n"
     "network  b          routed    192.168.9.1/24      port 0t      dhcp .100-.250  v"
     "lan 20\n"},
    {23, 2, "uplink=0,mac=52:54:00:99:99:99,vlan=7",
     "port     0   -           vlan 7 uplink\n"
     "uplink   port 0  52:54:00:99:99:99  vlan 7  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"},
    {24, 2, "uplink=0,vlan=5 net=a,nat,ports=0+1",
     "port     0   -           vlan 5 uplink  untagged a\n"
     "uplink   port 0  52:54:00:12:34:56  vlan 5  dhcp\n"
     "network  a          nat       192.168.8.1/24      ports 0 1    dhcp .100-.250\n"},
    {25, 2, "uplink=0,vlan=5 port=0,vlan=5",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"},
    {26, 2, "uplink=0,vlan=5 net=a,nat,vlan=5 port=1,vlan=5",
     "port     0   -           vlan 5 uplink\n"
     "uplink   port 0  52:54:00:12:34:56  vlan 5  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 1       dhcp .100-.250  v"
     "lan 5\n"},
    {27, 2, "net=a,nat,vlan=5 net=b,nat,vlan=6 port=0,vlan=5 port=1,vlan=6",
     "note there is no uplink: network a has no way to the outside\n"
     "note there is no uplink: network b has no way to the outside\n"
     "uplink   none\n"
     "network  a          nat       192.168.8.1/24      port 0       dhcp .100-.250  v"
     "lan 5\n"
     "network  b          nat       192.168.9.1/24      port 1       dhcp .100-.250  v"
     "lan 6\n"},
    /* bridges and VLANs: the uplink's port belongs to it by itself */
    {28, 2, "uplink=0,vlan=5 net=br,bridge,vlan=5 port=0,trunk=all port=1,vlan=5",
     "port     0   -           vlan 5 uplink\n"
     "uplink   port 0  52:54:00:12:34:56  vlan 5  dhcp\n"
     "network  br         bridge    -                   port 1       vlan 5\n"},
    {29, 2, "uplink=0,vlan=5 net=br,bridge,vlan=10 net=a,nat,vlan=20 port=0,trunk=all port=1,"
     "trunk=10+20",
     "port     0   -           vlan 5 uplink  vlan 20 a\n"
     "port     1   -           vlan 10 br  vlan 20 a\n"
     "uplink   port 0  52:54:00:12:34:56  vlan 5  dhcp\n"
     "network  br         bridge    -                   port 1t      vlan 10\n"
     "network  a          nat       192.168.8.1/24      ports 0t 1t  dhcp .100-.250  v"
     "lan 20\n"},
    {30, 2, "net=br,bridge,vlan=10 port=1,trunk=10",
     "note port 0 only belongs to a bridge network, and the router has no address ther"
     "e; uplink=0 gives it one by DHCP\n"
     "port     1   -           vlan 10 br\n"
     "uplink   port 0  52:54:00:12:34:56  no address\n"
     "network  br         bridge    -                   port 1t      vlan 10\n"},
    /* one subnet twice */
    {31, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24",
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever r"
     "each the other\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       10.0.0.1/24         port 1       dhcp .100-.250\n"
     "network  b          nat       10.0.0.1/24         port 2       dhcp .100-.250\n"},
    {32, 3, "net=a,nat,ports=1,ip=10.0.0.1/24 net=b,nat,ports=2,ip=10.0.0.1/24 host=52:54:00:"
     "aa:bb:01,10.0.0.5,x,net=b host=52:54:00:aa:bb:02,10.0.0.5,y,net=a fwd=tcp:80:x f"
     "wd=tcp:81:y",
     "note network b, 10.0.0.1/24, overlaps network a, 10.0.0.1/24: neither can ever r"
     "each the other\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       10.0.0.1/24         port 1       dhcp .100-.250\n"
     "network  b          nat       10.0.0.1/24         port 2       dhcp .100-.250\n"
     "hosts    2: 2 with a reserved address, 2 with a name, 0 denied\n"
     "forward  tcp 80 -> 10.0.0.5:80 (x)\n"
     "forward  tcp 81 -> 10.0.0.5:81 (y)\n"},
    {33, 3, "net=a,routed,ports=1,ip=10.0.0.1/8 net=b,hostonly,ports=2,ip=10.9.0.1/24 fwd=tcp"
     "::80-:80",
     "note forward tcp 80 names no guest: it leads to 10.0.0.100, the first address of"
     " the pool of a\n"
     "note network b, 10.9.0.1/24, overlaps network a, 10.0.0.1/8: neither can ever re"
     "ach the other\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          routed    10.0.0.1/8          port 1       dhcp 10.0.0.100-1"
     "0.0.0.250\n"
     "network  b          hostonly  10.9.0.1/24         port 2       dhcp .100-.250\n"
     "forward  tcp 80 -> 10.0.0.100:80\n"},
    /* many */
    {34, 16, "uplink=0,vlan=5 net=a,nat,vlan=4010 net=b,hostonly,vlan=4020 port=0,trunk=all po"
     "rt=1,trunk=all port=2,trunk=all port=3,trunk=all port=4,trunk=all port=5,trunk=a"
     "ll port=6,trunk=all port=7,trunk=all port=8,trunk=all port=9,trunk=all,rate=1g/1"
     "g port=10,trunk=all port=11,trunk=all port=12,trunk=all port=13,trunk=all port=1"
     "4,trunk=all port=15,trunk=all",
     "port     0   -           vlan 5 uplink  vlan 4010 a  vlan 4020 b\n"
     "port     1   -           vlan 4010 a  vlan 4020 b\n"
     "port     2   -           vlan 4010 a  vlan 4020 b\n"
     "port     3   -           vlan 4010 a  vlan 4020 b\n"
     "port     4   -           vlan 4010 a  vlan 4020 b\n"
     "port     5   -           vlan 4010 a  vlan 4020 b\n"
     "port     6   -           vlan 4010 a  vlan 4020 b\n"
     "port     7   -           vlan 4010 a  vlan 4020 b\n"
     "port     8   -           vlan 4010 a  vlan 4020 b\n"
     "port     9   -           vlan 4010 a  vlan 4020 b  rate 1g/1g\n"
     "port     10  -           vlan 4010 a  vlan 4020 b\n"
     "port     11  -           vlan 4010 a  vlan 4020 b\n"
     "port     12  -           vlan 4010 a  vlan 4020 b\n"
     "port     13  -           vlan 4010 a  vlan 4020 b\n"
     "port     14  -           vlan 4010 a  vlan 4020 b\n"
     "port     15  -           vlan 4010 a  vlan 4020 b\n"
     "uplink   port 0  52:54:00:12:34:56  vlan 5  dhcp\n"
     "network  a          nat       192.168.8.1/24      ports 0t 1t 2t 3t 4t 5t 6t 7t "
     "8t 9t 10t 11t 12t\n"
     "                                                   13t 14t 15t  dhcp .100-.250  "
     "vlan 4010\n"
     "network  b          hostonly  192.168.9.1/24      ports 0t 1t 2t 3t 4t 5t 6t 7t "
     "8t 9t 10t 11t 12t\n"
     "                                                   13t 14t 15t  dhcp .100-.250  "
     "vlan 4020\n"},
    {35, 16, "net=a23456789012345678901234567890,nat,ip=100.100.100.100/16",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a23456789012345678901234567890 nat       100.100.100.100/16  ports 1 2 "
     "3 4 5 6 7 8 9 10 11\n"
     "                                                   12 13 14 15  dhcp 100.100.0.1"
     "00-100.100.0.250\n"},
    {40, 2, "net=lan,nat,flows=1000,hostflows=100 flows=2000",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250  flows 1000\n"
     "                                                  hostflows 100\n"},
    {36, 3, "net=lan,nat,pcp,ports=1,isolate net=b,nat",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250  isolate  pcp\n"
     "network  b          nat       192.168.9.1/24      port 2       dhcp .100-.250\n"},
    {37, 3, "net=lan,nat,ports=1,filter=address-dependent,pcp net=b,nat,filter=endpoint-independent",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250  pcp\n"
     "                                                  filter address-dependent\n"
     "network  b          nat       192.168.9.1/24      port 2       dhcp .100-.250\n"},
    /* clang-format on */
};

static struct fake_config f;

static void test_every_row_is_understood(void **state)
{
    (void)state;
    fake_config_check_understood(&f, rows, ARRAY_COUNT(rows));
}

static void test_values_arrive(void **state)
{
    (void)state;
    static const uint8_t mac[] = {0x52, 0x54, 0x00, 0xaa, 0xbb, 0x01};
    assert_true(fake_config_run(
        &f, 4,
        "uplink=0,vlan=7,mac=52:54:00:aa:bb:01 net=a,nat,vlan=10,isolate "
        "net=b,routed,ports=3,flows=1M,hostflows=2K "
        "port=1,name=Srv,trunk=10,lock=52:54:00:aa:bb:01,rate=20m/500k,promisc "
        "port=2,vlan=10,lock=first,storm=9 port=3,lock=ip,storm=off macs=64K flows=4M"));
    const struct config *c = &f.config;
    assert_int_equal(c->macs, 65536);
    assert_int_equal(c->flows, 4194304);
    assert_int_equal(c->nets[1].flows, 1048576);
    assert_int_equal(c->nets[1].host_flows, 2048);
    assert_int_equal(c->uplink.vlan, 7);
    assert_true(c->uplink.mac_given && !c->uplink.silent && c->uplink.dhcp);
    assert_memory_equal(c->uplink.mac, mac, MAC_BYTES);
    assert_int_equal(c->nets[0].vlan, 10);
    assert_true(c->nets[0].isolate && !c->nets[1].isolate);
    assert_int_equal(c->nets[0].ports, 1 << 1 | 1 << 2);
    assert_int_equal(c->nets[0].tag[1], 10);
    assert_int_equal(c->nets[0].tag[2], 0);
    assert_int_equal(c->nets[1].vlan, 0);
    assert_int_equal(c->nets[1].ports, 1 << 3);
    assert_string_equal(c->ports[1].name, "srv");
    assert_int_equal(c->ports[1].lock, LOCK_MAC);
    assert_memory_equal(c->ports[1].lock_mac, mac, MAC_BYTES);
    assert_true(c->ports[1].promisc && !c->ports[2].promisc);
    assert_true(c->ports[1].rate_in_bps == 20000000 && c->ports[1].rate_out_bps == 500000);
    assert_int_equal(c->ports[1].storm_pps, CONFIG_STORM_PPS);
    assert_int_equal(c->ports[2].lock, LOCK_FIRST);
    assert_int_equal(c->ports[2].storm_pps, 9);
    assert_true(c->ports[2].rate_in_bps == 0 && c->ports[2].rate_out_bps == 0);
    assert_int_equal(c->ports[3].lock, LOCK_IP);
    assert_int_equal(c->ports[3].storm_pps, 0);
    assert_int_equal(c->ports[0].lock, LOCK_OFF);
    assert_int_equal(c->ports[0].storm_pps, CONFIG_STORM_PPS);
    assert_string_equal(c->ports[0].name, "");
}

/* Without uplink=, a port that is only there to be bridged gets no address; anything that needs one
 * gives it one. */
static void test_a_silent_uplink(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool silent;
    } cases[] = {
        {"net=br,bridge", true},
        {"net=br,bridge,ports=1 net=lab,hostonly net=x,internal,ports=2", true},
        {"net=br,bridge,ports=1 net=lan,nat", false},
        {"net=br,bridge,ports=1 net=lan,routed", false},
        {"uplink=0 net=br,bridge", false},
        {"net=lab,hostonly", false},
        {"", false},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        print_message("case %s\n", cases[i].text);
        assert_true(fake_config_run(&f, 4, cases[i].text));
        assert_true(f.config.uplink.present && f.config.uplink.port == 0);
        assert_int_equal(f.config.uplink.silent, cases[i].silent);
        assert_int_equal(f.config.uplink.dhcp, !cases[i].silent);
        assert_int_equal(f.config.macs, 0);
    }
}

/* A later text replaces what an earlier one said of the same port, whole. */
static void test_later_texts_override(void **state)
{
    (void)state;
    fake_config_start(&f, 3);
    fake_config_text(&f, "image", true, "port=1,name=a,lock=first\nport=2,name=b");
    fake_config_text(&f, "command line", false, "port=1,name=c,rate=1m/1m net=n,nat,ports=c+b");
    assert_true(fake_config_end(&f));
    assert_string_equal(f.config.ports[1].name, "c");
    assert_int_equal(f.config.ports[1].lock, LOCK_OFF);
    assert_int_equal(f.config.nets[0].ports, 1 << 1 | 1 << 2);
}

/* The most there can be: 16 networks and the uplink on every one of 16 trunks, one more ID than
 * networks in a list. */
static void test_every_network_on_every_port(void **state)
{
    (void)state;
    static char text[4096];
    size_t used = (size_t)snprintf(text, sizeof(text), "uplink=0,vlan=99 ");
    for (unsigned i = 0; i < CONFIG_MAX_NETS; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "net=n%u,hostonly,vlan=%u ", i,
                                 100 + i);
    for (unsigned p = 0; p < CONFIG_MAX_PORTS; p++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "port=%u,trunk=", p);
        for (unsigned i = 0; i < CONFIG_MAX_NETS; i++)
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used, "%s%u", i ? "+" : "", 100 + i);
        used += (size_t)snprintf(text + used, sizeof(text) - used, p ? " " : "+99 ");
    }
    assert_true(fake_config_run(&f, CONFIG_MAX_PORTS, text));
    assert_int_equal(f.config.uplink.vlan, 99);
    for (unsigned i = 0; i < CONFIG_MAX_NETS; i++) {
        assert_int_equal(f.config.nets[i].ports, 0xFFFF);
        for (unsigned p = 0; p < CONFIG_MAX_PORTS; p++)
            assert_int_equal(f.config.nets[i].tag[p], 100 + i);
    }
    fake_config_print(&f);
    for (char *line = strtok(f.said, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 100);
    assert_false(fake_config_run(&f, 2, strcat(text, "port=52:54:00:12:34:56,lock=off")));
    assert_non_null(strstr(f.said, "more than 16 of port="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_understood),
        cmocka_unit_test(test_values_arrive),
        cmocka_unit_test(test_a_silent_uplink),
        cmocka_unit_test(test_later_texts_override),
        cmocka_unit_test(test_every_network_on_every_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
