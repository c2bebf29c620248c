/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Configurations that are right, among them the examples of docs/configuration.md: what is
 * understood (as the console prints it, behind the notes), the defaults, and several texts
 * together.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "boot/config_table.h"
#include "net/rules.h"
#include "tests/fake/fake_config.h"

static const struct fake_config_row rows[] = {
    /* clang-format off */
    {1, 4, "",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      ports 1 2 3  dhcp .100-.250\n"},
    {2, 1, "",
     "note one port only: it is the LAN of a host-only network; with a second NIC port"
     " 0 becomes the uplink\n"
     "uplink   none\n"
     "network  lan        hostonly  192.168.8.1/24      port 0       dhcp .100-.250\n"},
    {3, 0, "",
     "note no network port was found: give the machine a NIC\n"
     "uplink   none\n"},
    {4, 1, "log=debug",
     "note one port only: it is the LAN of a host-only network; with a second NIC port"
     " 0 becomes the uplink\n"
     "uplink   none\n"
     "network  lan        hostonly  192.168.8.1/24      port 0       dhcp .100-.250\n"},
    {5, 1, "uplink=0",
     "note the uplink takes the only port: there is no network, and nothing to route\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"},
    {6, 4, "uplink=2",
     "uplink   port 2  52:54:00:12:34:58  dhcp\n"
     "network  lan        nat       192.168.8.1/24      ports 0 1 3  dhcp .100-.250\n"},
    {7, 4, "uplink=52:54:00:12:34:58",
     "uplink   port 2  52:54:00:12:34:58  dhcp\n"
     "network  lan        nat       192.168.8.1/24      ports 0 1 3  dhcp .100-.250\n"},
    {8, 4, "uplink=0,dhcp,mtu=1400",
     "uplink   port 0  52:54:00:12:34:56  dhcp  mtu 1400\n"
     "network  lan        nat       192.168.8.1/24      ports 1 2 3  dhcp .100-.250\n"},
    {9, 4, "net=vmnet8,nat,ip=192.168.137.2/24,ports=1+2 net=vmnet1,hostonly,ip=192.168.56.1"
     "/24,ports=3",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  vmnet8     nat       192.168.137.2/24    ports 1 2    dhcp .100-.250\n"
     "network  vmnet1     hostonly  192.168.56.1/24     port 3       dhcp .100-.250\n"},
    {10, 2, "uplink=0,ip=203.0.113.2/24,gw=203.0.113.1,dns=9.9.9.9 fwd=tcp:8080:web:80 host=5"
     "2:54:00:aa:bb:01,192.168.8.10,web",
     "uplink   port 0  52:54:00:12:34:56  203.0.113.2/24  gateway 203.0.113.1\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "hosts    1: 1 with a reserved address, 1 with a name, 0 denied\n"
     "forward  tcp 8080 -> 192.168.8.10:80 (web)\n"},
    {11, 3, "net=dev,nat,ports=1 net=lab,hostonly,ports=2",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  dev        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "network  lab        hostonly  192.168.9.1/24      port 2       dhcp .100-.250\n"},
    {12, 4, "net=a,nat,ports=1 net=b,nat,ports=2,ip=192.168.8.77/24 net=c,hostonly,ports=3",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.9.1/24      port 1       dhcp .100-.250\n"
     "network  b          nat       192.168.8.77/24     port 2       dhcp .100-.250\n"
     "network  c          hostonly  192.168.10.1/24     port 3       dhcp .100-.250\n"},
    {13, 2, "uplink=0,ip=192.168.8.9/24,gw=192.168.8.1",
     "note uplink without dns=: the router cannot resolve names of the outside\n"
     "uplink   port 0  52:54:00:12:34:56  192.168.8.9/24  gateway 192.168.8.1\n"
     "network  lan        nat       192.168.9.1/24      port 1       dhcp .100-.250\n"},
    {14, 2, "net=lan,nat,ports=0+1",
     "note there is no uplink: network lan has no way to the outside\n"
     "uplink   none\n"
     "network  lan        nat       192.168.8.1/24      ports 0 1    dhcp .100-.250\n"},
    {15, 4, "net=lan,nat,ports=1",
     "note port 2 belongs to no network: what it receives is dropped\n"
     "note port 3 belongs to no network: what it receives is dropped\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"},
    {16, 2, "net=lan,hostonly,ports=0",
     "note port 1 belongs to no network: what it receives is dropped\n"
     "uplink   none\n"
     "network  lan        hostonly  192.168.8.1/24      port 0       dhcp .100-.250\n"},
    {17, 2, "net=a,nat,ip=10.0.0.1/8",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       10.0.0.1/8          port 1       dhcp 10.0.0.100-1"
     "0.0.0.250\n"},
    {18, 2, "net=a,nat,ip=10.0.0.1/30",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       10.0.0.1/30         port 1       dhcp .2-.2\n"},
    {19, 2, "net=a,nat,ip=10.0.0.2/30",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       10.0.0.2/30         port 1       dhcp .1-.1\n"},
    {20, 2, "net=a,nat,ip=10.0.0.9/28",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       10.0.0.9/28         port 1       dhcp .10-.14\n"},
    {21, 2, "net=a,nat,ip=192.168.8.120/24",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.120/24    port 1       dhcp .121-.250\n"},
    {22, 2, "net=a,nat,ip=192.168.8.240/24",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.240/24    port 1       dhcp .100-.239\n"},
    {23, 2, "net=a,nat,pool=off",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       192.168.8.1/24      port 1       dhcp off\n"},
    {24, 2, "net=a,nat,ip=172.16.0.1/20,pool=172.16.1.0-172.16.1.255",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       172.16.0.1/20       port 1       dhcp 172.16.1.0-1"
     "72.16.1.255\n"},
    {25, 2, "host=52:54:00:aa:bb:01,192.168.8.10,web host=52:54:00:aa:bb:02,deny host=52:54:0"
     "0:aa:bb:03,name3,lease=inf fwd=both:1.2.3.4:53:web fwd=udp:5000:192.168.8.20:500"
     "1,from=10.0.0.0/8",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "hosts    3: 1 with a reserved address, 2 with a name, 1 denied\n"
     "forward  tcp+udp 1.2.3.4:53 -> 192.168.8.10:53 (web)\n"
     "forward  udp 5000 -> 192.168.8.20:5001  from 10.0.0.0/8 only\n"},
    {26, 2, "fwd=tcp:22:192.168.8.10,from=10.0.0.0/8 fwd=tcp:22:192.168.8.11,from=11.0.0.0/8",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "forward  tcp 22 -> 192.168.8.10:22  from 10.0.0.0/8 only\n"
     "forward  tcp 22 -> 192.168.8.11:22  from 11.0.0.0/8 only\n"},
    {27, 2, "fwd=tcp:1.1.1.1:22:192.168.8.10 fwd=tcp:1.1.1.2:22:192.168.8.11 fwd=udp:22:192.1"
     "68.8.11",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "forward  tcp 1.1.1.1:22 -> 192.168.8.10:22\n"
     "forward  tcp 1.1.1.2:22 -> 192.168.8.11:22\n"
     "forward  udp 22 -> 192.168.8.11:22\n"},
    {28, 2, "fwd=udp:68:192.168.8.10 uplink=0,ip=203.0.113.2/24,gw=203.0.113.1,dns=9.9.9.9",
     "uplink   port 0  52:54:00:12:34:56  203.0.113.2/24  gateway 203.0.113.1\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "forward  udp 68 -> 192.168.8.10:68\n"},
    {29, 2, "hostfwd=tcp::8080-:80",
     "note forward tcp 8080 names no guest: it leads to 192.168.8.100, the first addre"
     "ss of the pool of lan\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "forward  tcp 8080 -> 192.168.8.100:80\n"},
    {30, 2, "fwd=tcp::8080-192.168.8.10:80 fwd=:1.2.3.4:81-:81",
     "note forward tcp 81 names no guest: it leads to 192.168.8.100, the first address"
     " of the pool of lan\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "forward  tcp 8080 -> 192.168.8.10:80\n"
     "forward  tcp 1.2.3.4:81 -> 192.168.8.100:81\n"},
    {31, 2, "fwd=web,tcp,,8080,192.168.8.10,80 natpf=x,UDP,0.0.0.0,53,,5353 natpf=ssh:tcp:[]:"
     "1022:[192.168.8.5]:22",
     "note forward udp 53 names no guest: it leads to 192.168.8.100, the first address"
     " of the pool of lan\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "forward  tcp 8080 -> 192.168.8.10:80\n"
     "forward  udp 53 -> 192.168.8.100:5353\n"
     "forward  tcp 1022 -> 192.168.8.5:22\n"},
    {32, 2, "host=52:54:00:aa:bb:01,192.168.8.10,web-1 fwd=tcp:80:web-1:8080",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"
     "hosts    1: 1 with a reserved address, 1 with a name, 0 denied\n"
     "forward  tcp 80 -> 192.168.8.10:8080 (web-1)\n"},
    {33, 2, "log=warn",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"},
    {34, 2, "virtio_mmio.device=512@0xfeb00e00:12 panic=halt",
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"},
    {35, 2, "seed=1F",
     "note seed= is given: every random choice can be foretold; for tests only\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      port 1       dhcp .100-.250\n"},
    {36, 3, "colour=red config=lenient",
     "note ignored: colour=red: no such option\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  lan        nat       192.168.8.1/24      ports 1 2    dhcp .100-.250\n"},
    {37, 3, "net=a,nat,ports=1,ip=10.0.0.1/15,pool=10.0.1.0-10.1.1.0"
            " net=b,nat,ports=2,ip=10.2.0.1/16,pool=10.2.0.2-10.2.255.254",
     "note of the pool of network a only the first 65536 addresses are given out\n"
     "uplink   port 0  52:54:00:12:34:56  dhcp\n"
     "network  a          nat       10.0.0.1/15         port 1       dhcp 10.0.1.0-10.1.1.0\n"
     "network  b          nat       10.2.0.1/16         port 2       dhcp 10.2.0.2-10.2.255.254\n"},
    /* clang-format on */
};

static struct fake_config f;

static void test_every_row_is_understood(void **state)
{
    (void)state;
    fake_config_check_understood(&f, rows, ARRAY_COUNT(rows));
}

/* The defaults that the console does not print. */
static void test_defaults(void **state)
{
    (void)state;
    assert_true(fake_config_run(&f, 3, ""));
    const struct config *c = &f.config;
    assert_string_equal(c->hostname, "sluice");
    assert_int_equal(c->log_level, LOG_INFO);
    assert_false(c->panic_halt);
    assert_int_equal(c->watchdog_s, 0);
    assert_false(c->seed_given);
    assert_int_equal(c->flows, 0);
    assert_true(c->uplink.present && c->uplink.dhcp);
    assert_string_equal(c->uplink.hostname, "sluice");
    assert_int_equal(c->net_count, 1);
    assert_string_equal(c->nets[0].name, "lan");
    assert_int_equal(c->nets[0].ports, 1 << 1 | 1 << 2);
    assert_int_equal(c->nets[0].ip, BE_IP4(192, 168, 8, 1));
    assert_int_equal(c->nets[0].pool_first, BE_IP4(192, 168, 8, 100));
    assert_int_equal(c->nets[0].pool_last, BE_IP4(192, 168, 8, 250));
    assert_int_equal(c->nets[0].lease_s, 12 * 3600);
    assert_string_equal(c->nets[0].domain, "lan");
    assert_true(c->nets[0].dns_self);
    assert_int_equal(c->nets[0].mtu, 0);
}

static void test_values_arrive(void **state)
{
    (void)state;
    assert_true(fake_config_run(
        &f, 3,
        "uplink=1,ip=203.0.113.2/29,gw=203.0.113.1,dns=9.9.9.9+1.1.1.1,mtu=1400,name=Up "
        "net=Dev,nat,ports=0,ip=10.1.2.3/16,pool=10.1.7.1-10.1.8.9,lease=7d,domain=Dev.Example,"
        "dns=10.1.0.9+8.8.8.8,mtu=9000 net=lab,hostonly,lease=inf,dns=self "
        "host=52:54:00:AA:bb:01,10.1.9.9,Web,lease=30s host=52:54:00:aa:bb:02,deny "
        "fwd=both:203.0.113.2:8080:WEB:80,from=198.51.100.7 "
        "log=debug panic=halt watchdog=on flows=1000000 seed=00000000deadBEEF hostname=gate"));
    const struct config *c = &f.config;
    assert_int_equal(c->uplink.port, 1);
    assert_false(c->uplink.dhcp);
    assert_int_equal(c->uplink.ip, BE_IP4(203, 0, 113, 2));
    assert_int_equal(c->uplink.prefix, 29);
    assert_int_equal(c->uplink.gw, BE_IP4(203, 0, 113, 1));
    assert_int_equal(c->uplink.dns_count, 2);
    assert_int_equal(c->uplink.dns[1], BE_IP4(1, 1, 1, 1));
    assert_int_equal(c->uplink.mtu, 1400);
    assert_string_equal(c->uplink.hostname, "up");

    assert_int_equal(c->net_count, 2);
    assert_string_equal(c->nets[0].name, "dev");
    assert_int_equal(c->nets[0].mode, NET_NAT);
    assert_int_equal(c->nets[0].ports, 1);
    assert_int_equal(c->nets[0].ip, BE_IP4(10, 1, 2, 3));
    assert_int_equal(c->nets[0].prefix, 16);
    assert_int_equal(c->nets[0].pool_first, BE_IP4(10, 1, 7, 1));
    assert_int_equal(c->nets[0].pool_last, BE_IP4(10, 1, 8, 9));
    assert_int_equal(c->nets[0].lease_s, 7 * 86400);
    assert_string_equal(c->nets[0].domain, "dev.example");
    assert_false(c->nets[0].dns_self);
    assert_int_equal(c->nets[0].dns_count, 2);
    assert_int_equal(c->nets[0].dns[0], BE_IP4(10, 1, 0, 9));
    assert_int_equal(c->nets[0].mtu, 9000);
    assert_int_equal(c->nets[1].mode, NET_HOSTONLY);
    assert_int_equal(c->nets[1].ports, 1 << 2);
    assert_int_equal(c->nets[1].lease_s, CONFIG_FOREVER);
    assert_true(c->nets[1].dns_self);

    static const uint8_t mac[] = {0x52, 0x54, 0x00, 0xaa, 0xbb, 0x01};
    assert_int_equal(c->host_count, 2);
    assert_memory_equal(c->hosts[0].mac, mac, MAC_BYTES);
    assert_int_equal(c->hosts[0].ip, BE_IP4(10, 1, 9, 9));
    assert_int_equal(c->hosts[0].net, 0);
    assert_string_equal(c->hosts[0].name, "web");
    assert_int_equal(c->hosts[0].lease_s, 30);
    assert_false(c->hosts[0].deny);
    assert_true(c->hosts[1].deny);
    assert_int_equal(c->hosts[1].net, CONFIG_NO_NET);

    assert_int_equal(c->fwd_count, 1);
    assert_int_equal(c->fwds[0].protocols, CONFIG_TCP | CONFIG_UDP);
    assert_int_equal(c->fwds[0].bind, BE_IP4(203, 0, 113, 2));
    assert_int_equal(c->fwds[0].first_port, 8080);
    assert_int_equal(c->fwds[0].targets[0], BE_IP4(10, 1, 9, 9));
    assert_int_equal(c->fwds[0].target_port, 80);
    assert_int_equal(c->fwds[0].net, 0);
    assert_int_equal(c->fwds[0].from, BE_IP4(198, 51, 100, 7));
    assert_int_equal(c->fwds[0].from_prefix, 32);

    assert_int_equal(c->log_level, LOG_DEBUG);
    assert_true(c->panic_halt);
    assert_int_equal(c->watchdog_s, 30);
    assert_int_equal(c->flows, 1000000);
    assert_true(c->seed_given);
    assert_true(c->seed == 0xdeadbeefu);
    assert_string_equal(c->hostname, "gate");
}

/* Later texts override earlier ones: single keys by key, the others by what they name. */
static void test_later_texts_override(void **state)
{
    (void)state;
    fake_config_start(&f, 4);
    fake_config_text(&f, "image", true, "log=debug uplink=1 net=a,nat,ports=0\nnet=b,nat,ports=2");
    fake_config_text(&f, "fw_cfg", true, "host=52:54:00:aa:bb:01,one fwd=tcp:80:192.168.8.7");
    fake_config_text(&f, "command line", false,
                     "log=warn uplink=3 net=a,hostonly,ports=1 host=52:54:00:aa:bb:01,two "
                     "fwd=tcp:80:192.168.9.7 net=c,nat,ports=0");
    assert_true(fake_config_end(&f));
    assert_int_equal(f.config.log_level, LOG_WARN);
    assert_int_equal(f.config.uplink.port, 3);
    assert_int_equal(f.config.net_count, 3);
    assert_string_equal(f.config.nets[0].name, "a");
    assert_int_equal(f.config.nets[0].mode, NET_HOSTONLY);
    assert_int_equal(f.config.nets[0].ports, 1 << 1);
    assert_int_equal(f.config.host_count, 1);
    assert_string_equal(f.config.hosts[0].name, "two");
    assert_int_equal(f.config.fwd_count, 1);
    assert_int_equal(f.config.fwds[0].targets[0], BE_IP4(192, 168, 9, 7));
}

static void test_a_single_key_twice_in_one_text(void **state)
{
    (void)state;
    assert_true(fake_config_run(&f, 2, "log=debug log=error"));
    assert_int_equal(f.config.log_level, LOG_ERROR);
}

static void assert_reach(unsigned from, unsigned to, enum reach reach)
{
    assert_int_equal(reach_between(&f.config, from, to).reach, reach);
}

/* The matrix is what reach_between() says, and host-only never reaches out. */
static void test_reachability(void **state)
{
    (void)state;
    assert_true(fake_config_run(&f, 4,
                                "net=dev,nat,ports=1 net=lab,hostonly,ports=2 "
                                "net=a-name-that-is-longer,nat,ports=3 "
                                "fwd=tcp:80:192.168.8.7"));
    for (unsigned from = 0; from < 3; from++) {
        for (unsigned to = 0; to < 3; to++)
            assert_reach(from, to, from == to ? REACH_ALL : REACH_NONE);
        assert_reach(from, REACH_UPLINK, from != 1 ? REACH_ALL : REACH_NONE);
        assert_reach(REACH_UPLINK, from, REACH_NONE);
    }
    fake_config_print(&f);
    /* clang-format off */
    assert_string_equal(
        strstr(f.said, "reach "),
        "reach    from / to             dev       lab       a-name-that-is-longer uplink    router\n"
        "         dev                   yes       no        no                    yes       yes\n"
        "         lab                   no        yes       no                    no        yes\n"
        "         a-name-that-is-longer forwards  no        yes                   yes       yes\n"
        "         uplink                forwards  no        no                    -         yes\n");
    /* clang-format on */
}

/* A translated network reaches the outside only where there is one. */
static void test_no_uplink_no_way_out(void **state)
{
    (void)state;
    assert_true(fake_config_run(&f, 2, "net=lan,nat,ports=0+1"));
    assert_reach(0, REACH_UPLINK, REACH_NONE);
    assert_reach(0, 0, REACH_ALL);
}

/* Sixteen networks: the matrix stays narrow, the subnets stay apart, every port has its network. */
static void test_sixteen_networks(void **state)
{
    (void)state;
    static char text[2048];
    size_t used = 0;
    for (unsigned i = 0; i < CONFIG_MAX_NETS; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "net=n%u,nat,ports=%u ", i, i);
    assert_true(fake_config_run(&f, CONFIG_MAX_PORTS, text));
    for (unsigned i = 0; i < CONFIG_MAX_NETS; i++) {
        assert_int_equal(f.config.nets[i].ip, BE_IP4(192, 168, 8 + i, 1));
        assert_int_equal(config_net_of_port(&f.config, i), i);
    }
    assert_int_equal(config_net_of_port(&f.config, 16), CONFIG_NO_NET);
    fake_config_print(&f);
    for (char *line = strtok(f.said, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= 100);
}

/* Report lines fit a console, whatever was written. */
static size_t widest;
static unsigned report_lines;

static void measure_line(const char *text)
{
    widest = MAX(widest, strlen(text));
    report_lines++;
    for (; *text; text++)
        assert_true(*text >= 0x20 && *text < 0x7f);
}

static void test_report_is_narrow(void **state)
{
    (void)state;
    static char text[4096];
    for (unsigned i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)(i % 97 == 0 ? ' ' : 1 + i % 255);
    fake_config_start(&f, 2);
    fake_config_text(&f, "a source with a rather long name that nobody would really use here", true,
                     text);
    fake_config_text(&f, "command line", false,
                     "net=abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz,nat,mtu=1,lease=2");
    assert_false(fake_config_end(&f));
    config_print_report(&f.report, measure_line);
    assert_true(report_lines > 10);
    assert_true(widest <= 100 && widest > 60);
}

/* docs/options.md is the table's; `make docs` writes it again. */
static FILE *page;
static unsigned page_line;

static void compare_line(const char *text)
{
    char line[2048];
    page_line++;
    if (!fgets(line, sizeof(line), page))
        fail_msg("docs/options.md ends before line %u; run make docs", page_line);
    line[strcspn(line, "\n")] = 0;
    if (strcmp(line, text) != 0)
        fail_msg("docs/options.md line %u is stale; run make docs\n%s\n%s", page_line, line, text);
}

static void test_reference_is_fresh(void **state)
{
    (void)state;
    page = fopen("docs/options.md", "r");
    if (!page)
        fail_msg("docs/options.md is missing; run the test from the top of the tree");
    config_print_reference(compare_line);
    assert_int_equal(fgetc(page), EOF);
    fclose(page);
}

/* A walk of the table: every row can be explained, and its own example is accepted. */
static void test_every_row_of_the_table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        char text[256];
        assert_ptr_equal(config_option(row->key), row);
        assert_true(row->help[0] && row->field_count > 0 && row->field_count <= 32);
        assert_true(row->record_bytes <= sizeof(union draft_record) && row->broken);
        for (unsigned k = 0; k < row->field_count; k++) {
            assert_true(row->fields[k].help[0] && row->fields[k].offset < row->record_bytes);
            assert_true((row->fields[k].kind == FIELD_FLAG) == (row->fields[k].type == NULL));
        }
        snprintf(text, sizeof(text), "%s%s", row->example,
                 strcmp(row->key, "fwd") == 0 ? " host=52:54:00:aa:bb:01,192.168.8.10,web" : "");
        print_message("example %s\n", text);
        assert_true(fake_config_run(&f, 4, text));
        config_synopsis(row, text, sizeof(text));
        assert_true(strlen(text) + 1 < sizeof(text));
    }
    assert_null(config_option("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_understood),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values_arrive),
        cmocka_unit_test(test_later_texts_override),
        cmocka_unit_test(test_a_single_key_twice_in_one_text),
        cmocka_unit_test(test_reachability),
        cmocka_unit_test(test_no_uplink_no_way_out),
        cmocka_unit_test(test_sixteen_networks),
        cmocka_unit_test(test_report_is_narrow),
        cmocka_unit_test(test_reference_is_fresh),
        cmocka_unit_test(test_every_row_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
