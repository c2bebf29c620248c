/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/host/names.c: which names are answered, with what and to whom; which are asked elsewhere, and
 * where.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/flow_table.h"
#include "net/host/names.h"
#include "net/wire/dns.h"
#include "tests/fake/fake_alloc.h"

#include <stdio.h>

enum { LAN, DEV, LAB, TWIN, PLAIN, NETS };

#define AAAA     28
#define HTTPS    65
#define IP(n, h) BE_IP4(192, 168, 10 + (n), h)
#define OUTER    BE_IP4(198, 51, 100, 53)

static struct config config;
static struct dhcp_server dhcp;
static struct names names;

static void add_host(uint8_t net, be32 ip, const char *name)
{
    struct config_host *host = &config.hosts[config.host_count];

    *host = (struct config_host){.net = net, .ip = ip};
    host->mac[0] = 2;
    host->mac[5] = (uint8_t)++config.host_count;
    snprintf(host->name, sizeof(host->name), "%s", name);
}

static void add_record(const char *name, be32 ip)
{
    struct config_dnsrec *rec = &config.dnsrecs[config.dnsrec_count++];

    snprintf(rec->name, sizeof(rec->name), "%s", name);
    rec->ip = ip;
}

static void add_forward(const char *domain, be32 server, uint8_t net)
{
    struct config_dnsfwd *fwd = &config.dnsfwds[config.dnsfwd_count++];

    snprintf(fwd->domain, sizeof(fwd->domain), "%s", domain);
    fwd->server = server;
    fwd->net = net;
}

static int setup(void **state)
{
    static const uint8_t secret[24] = {1};

    (void)state;
    fake_alloc_free_all();
    memset(&config, 0, sizeof(config));
    config.ok = true;
    config.uplink.present = true;
    config.net_count = NETS;
    for (uint8_t i = 0; i < NETS; i++) {
        config.nets[i] = (struct config_net){.mode = i == LAB ? NET_HOSTONLY : NET_NAT,
                                             .prefix = 24,
                                             .dns_self = i != PLAIN,
                                             .ip = IP(i == TWIN ? LAN : i, 1),
                                             .domain = "lan"};
        snprintf(config.nets[i].name, sizeof(config.nets[i].name), "n%u", i);
    }
    snprintf(config.nets[DEV].domain, sizeof(config.nets[DEV].domain), "dev.example");
    snprintf(config.nets[PLAIN].domain, sizeof(config.nets[PLAIN].domain), "plain.example");
    config.nets[LAN].pool_first = IP(LAN, 100);
    config.nets[LAN].pool_last = IP(LAN, 199);
    snprintf(config.hostname, sizeof(config.hostname), "gate");
    add_host(LAN, IP(LAN, 10), "web");
    add_host(DEV, IP(DEV, 10), "build");
    add_host(LAB, IP(LAB, 10), "cell");
    add_host(TWIN, IP(LAN, 10), "mirror");
    add_host(PLAIN, IP(PLAIN, 10), "old");
    add_record("nas", IP(LAN, 5));
    add_record("a.b.lan", IP(LAN, 6));
    add_record("www.shop.example", IP(DEV, 7));
    add_forward("corp.example", OUTER, CONFIG_NO_NET);
    add_forward("ad.corp.example", IP(LAB, 53), LAB);
    add_forward("inner.dev.example", IP(DEV, 53), DEV);
    assert_int_equal(
        dhcp_server_init(&dhcp, &config, NULL, NULL, secret, fake_alloc, fake_alloc_dirty), 0);
    /* Who may open something to whom is another's business; here LAN sees DEV, and that is all. */
    names_init(&names, &config, &dhcp);
    for (unsigned i = 0; i < NETS; i++)
        names.reaches[i] = 1u << i | (i == LAB ? 0 : 1u << NETWORK_UPLINK);
    names.reaches[LAN] |= 1u << DEV;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

struct route_row {
    int id;
    uint8_t network;
    const char *name;
    enum dns_way way;
    be32 ip;
    uint8_t at; /* where servers are */
};

static void check_routes(const struct route_row *rows, unsigned n)
{
    for (const struct route_row *row = rows; row < rows + n; row++) {
        struct dns_route r = names_route(&names, row->network, row->name, DNS_TYPE_A, 1);
        bool asks = r.way == DNS_ALL || r.way == DNS_ONE_SERVER;
        if (r.way != row->way || (asks && r.network != row->at) ||
            ((r.way == DNS_ADDRESS || r.way == DNS_ONE_SERVER) && r.ip != row->ip))
            fail_msg("row %d: %d", row->id, r.way);
    }
}

static void test_hosts_and_the_router(void **state)
{
    static const struct route_row rows[] = {
        /* hosts, by their label and in their domain, in any case */
        {1, LAN, "web", DNS_ADDRESS, IP(LAN, 10), 0},
        {2, LAN, "WEB.Lan", DNS_ADDRESS, IP(LAN, 10), 0},
        {3, LAN, "web.dev.example", DNS_NO_NAME, 0, 0},
        {4, LAN, "x.web.lan", DNS_NO_NAME, 0, 0},
        {5, LAN, "web.lan.example", DNS_ALL, 0, NETWORK_UPLINK},
        {6, LAN, "we", DNS_NO_NAME, 0, 0},
        {7, LAN, "webb.lan", DNS_NO_NAME, 0, 0},
        /* of networks that can be reached, and of no others */
        {10, LAN, "build.dev.example", DNS_ADDRESS, IP(DEV, 10), 0},
        {11, LAN, "build", DNS_ADDRESS, IP(DEV, 10), 0},
        {12, LAN, "build.lan", DNS_NO_NAME, 0, 0},
        {13, DEV, "web", DNS_NO_NAME, 0, 0},
        {14, DEV, "web.lan", DNS_NO_NAME, 0, 0},
        {15, LAN, "cell.lan", DNS_NO_NAME, 0, 0},
        {16, LAB, "cell.lan", DNS_ADDRESS, IP(LAB, 10), 0},
        {17, LAB, "web.lan", DNS_NO_NAME, 0, 0},
        /* networks of one subnet */
        {20, TWIN, "mirror.lan", DNS_ADDRESS, IP(LAN, 10), 0},
        {21, TWIN, "web.lan", DNS_NO_NAME, 0, 0},
        {22, LAN, "mirror.lan", DNS_NO_NAME, 0, 0},
        /* the router, which has another address everywhere */
        {30, LAN, "gate", DNS_ADDRESS, IP(LAN, 1), 0},
        {31, LAN, "gate.lan", DNS_ADDRESS, IP(LAN, 1), 0},
        {32, DEV, "gate.lan", DNS_ADDRESS, IP(DEV, 1), 0},
        {33, DEV, "gate.dev.example", DNS_ADDRESS, IP(DEV, 1), 0},
        {34, DEV, "gate.example", DNS_ALL, 0, NETWORK_UPLINK},
        {35, LAB, "gate", DNS_ADDRESS, IP(LAB, 1), 0},
    };

    (void)state;
    check_routes(rows, ARRAY_COUNT(rows));
}

static void test_records_and_domains(void **state)
{
    static const struct route_row rows[] = {
        /* records, for everybody */
        {40, LAN, "nas", DNS_ADDRESS, IP(LAN, 5), 0},
        {41, LAB, "nas.lan", DNS_ADDRESS, IP(LAN, 5), 0},
        {42, LAB, "nas.dev.example", DNS_ADDRESS, IP(LAN, 5), 0},
        {43, DEV, "nas.example", DNS_ALL, 0, NETWORK_UPLINK},
        {44, LAB, "www.SHOP.example", DNS_ADDRESS, IP(DEV, 7), 0},
        {45, LAN, "shop.example", DNS_ALL, 0, NETWORK_UPLINK},
        {46, LAN, "x.www.shop.example", DNS_ALL, 0, NETWORK_UPLINK},
        {47, LAN, "www.shop.example.lan", DNS_NO_NAME, 0, 0},
        {48, LAN, "a.b.lan", DNS_ADDRESS, IP(LAN, 6), 0},
        {49, LAN, "b.lan", DNS_NO_RECORD, 0, 0}, /* exists, for a.b.lan is below it */
        {50, LAN, "c.b.lan", DNS_NO_NAME, 0, 0},
        /* domains */
        {60, LAN, "lan", DNS_NO_RECORD, 0, 0},
        {61, LAN, "dev.example", DNS_NO_RECORD, 0, 0},
        {62, LAN, "xdev.example", DNS_ALL, 0, NETWORK_UPLINK},
        {63, LAN, "example", DNS_NO_RECORD, 0, 0},
        {64, LAN, "", DNS_ALL, 0, NETWORK_UPLINK},
        {65, LAN, "plain.example", DNS_ALL, 0, NETWORK_UPLINK}, /* its hosts ask others */
        {66, LAN, "old.plain.example", DNS_ALL, 0, NETWORK_UPLINK},
        {67, LAB, "example.org", DNS_FORBIDDEN, 0, 0},
        {68, LAB, "", DNS_FORBIDDEN, 0, 0},
        {69, LAB, "nobody", DNS_NO_NAME, 0, 0},
        {70, LAN, ".", DNS_ALL, 0, NETWORK_UPLINK}, /* no name has this text */
        /* domains with a server of their own: the longest holds */
        {80, LAN, "corp.example", DNS_ONE_SERVER, OUTER, NETWORK_UPLINK},
        {81, LAN, "Www.Corp.Example", DNS_ONE_SERVER, OUTER, NETWORK_UPLINK},
        {82, LAN, "xcorp.example", DNS_ALL, 0, NETWORK_UPLINK},
        {83, LAB, "www.corp.example", DNS_FORBIDDEN, 0, 0},
        {84, LAN, "dc.ad.corp.example", DNS_FORBIDDEN, 0, 0}, /* LAN cannot reach LAB */
        {85, LAB, "dc.ad.corp.example", DNS_ONE_SERVER, IP(LAB, 53), LAB},
        {86, LAN, "x.inner.dev.example", DNS_ONE_SERVER, IP(DEV, 53), DEV},
        {87, DEV, "inner.dev.example", DNS_ONE_SERVER, IP(DEV, 53), DEV},
        {88, TWIN, "inner.dev.example", DNS_FORBIDDEN, 0, 0},
        {89, DEV, "outer.dev.example", DNS_NO_NAME, 0, 0},
    };

    (void)state;
    check_routes(rows, ARRAY_COUNT(rows));
}

/* Reverse names: of whom the asker may know, by the name that answers forward; the rest of what is
 * private, or ours, is nobody's. */
struct reverse_row {
    int id;
    uint8_t network;
    const char *name;
    enum dns_way way;
    const char *host, *domain;
    unsigned zone; /* of an answer of ours */
};
#define R(a)    a ".10.168.192.in-addr.arpa" /* LAN, and TWIN */
#define D(a)    a ".11.168.192.in-addr.arpa" /* DEV */
#define PRIVATE 20                           /* "168.192.in-addr.arpa" */

static void check_reverse(const struct reverse_row *rows, unsigned n)
{
    add_record("outer.example", BE_IP4(203, 0, 113, 9));
    add_record("nine.example", BE_IP4(9, 9, 9, 9));
    config.net_count = NETS + 1;
    config.nets[NETS] = (struct config_net){
        .mode = NET_ROUTED, .prefix = 28, .dns_self = true, .ip = BE_IP4(9, 9, 4, 18)};
    for (const struct reverse_row *row = rows; row < rows + n; row++) {
        struct dns_route r = names_route(&names, row->network, row->name, DNS_TYPE_PTR, 1);
        if (r.way != row->way || (row->zone && r.zone_chars != row->zone))
            fail_msg("row %d: way %d, zone %u", row->id, r.way, r.zone_chars);
        if (r.way == DNS_POINTER &&
            (strcmp(r.host, row->host) != 0 || strcmp(r.domain, row->domain) != 0))
            fail_msg("row %d: %s, %s", row->id, r.host, r.domain);
    }
}

static void test_reverse(void **state)
{
    static const struct reverse_row rows[] = {
        {1, LAN, R("10"), DNS_POINTER, "web", "lan", PRIVATE + 3},
        {2, TWIN, R("10"), DNS_POINTER, "mirror", "lan", PRIVATE + 3},
        {3, DEV, R("10"), DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        {4, LAN, D("10"), DNS_POINTER, "build", "dev.example", PRIVATE + 3},
        {5, LAB, D("10"), DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        {6, LAN, "10.12.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        {7, LAB, "10.12.168.192.IN-Addr.Arpa", DNS_POINTER, "cell", "lan", PRIVATE + 3},
        /* the router, in networks that can be reached */
        {10, LAN, R("1"), DNS_POINTER, "gate", "lan", PRIVATE + 3},
        {11, LAN, D("1"), DNS_POINTER, "gate", "dev.example", PRIVATE + 3},
        {12, DEV, R("1"), DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        /* records: with a domain of their own or their network's, for everybody */
        {20, LAN, R("5"), DNS_POINTER, "nas", "lan", PRIVATE + 3},
        {21, DEV, R("5"), DNS_POINTER, "nas", "dev.example", PRIVATE + 3},
        {22, LAN, R("6"), DNS_POINTER, "a.b.lan", "", PRIVATE + 3},
        {23, LAB, D("7"), DNS_POINTER, "www.shop.example", "", PRIVATE + 3},
        {24, LAN, "9.113.0.203.in-addr.arpa", DNS_POINTER, "outer.example", "", 22},
        {25, LAN, "9.9.9.9.in-addr.arpa", DNS_POINTER, "nine.example", "", 20},
        /* a subnet of ours that is not private, and one that asks others */
        {70, LAN, "3.100.51.198.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 23},
        {71, LAN, "17.4.9.9.in-addr.arpa", DNS_NO_RECORD, NULL, NULL, 21},
        {72, LAN, "32.4.9.9.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {73, LAN, "4.9.9.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {74, LAN, "10.14.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE},
        {75, PLAIN, "10.14.168.192.in-addr.arpa", DNS_POINTER, "old", "plain.example", PRIVATE},
    };

    (void)state;
    check_reverse(rows, ARRAY_COUNT(rows));
}

static void test_reverse_of_nobody(void **state)
{
    static const struct reverse_row rows[] = {
        {30, LAN, R("77"), DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        {31, LAN, "7.99.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE},
        {32, LAN, "1.0.0.10.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 15},
        {33, LAN, "1.0.16.172.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 19},
        {34, LAN, "1.0.31.172.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 19},
        {35, LAN, "1.0.32.172.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {36, LAN, "1.0.15.172.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {37, LAN, "9.9.254.169.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 20},
        {38, LAN, "1.0.0.127.in-addr.arpa", DNS_POINTER, "localhost", "", 16},
        {39, LAN, "2.0.0.127.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 16},
        {40, LAN, "1.2.3.0.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 14},
        {41, LAN, "255.255.255.255.in-addr.arpa", DNS_NO_RECORD, NULL, NULL, 28},
        {42, LAN, "254.255.255.255.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {43, LAN, "1.0.64.100.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 19},
        {44, LAN, "1.0.128.100.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {45, LAN, "8.8.8.8.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {46, LAB, "8.8.8.8.in-addr.arpa", DNS_FORBIDDEN, NULL, NULL, 0},
        {47, LAB, "1.0.0.10.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 15},
    };

    (void)state;
    check_reverse(rows, ARRAY_COUNT(rows));
}

static void test_reverse_above_and_below(void **state)
{
    static const struct reverse_row rows[] = {
        /* above and below addresses */
        {50, LAN, "10.168.192.in-addr.arpa", DNS_NO_RECORD, NULL, NULL, PRIVATE + 3},
        {51, LAN, "168.192.in-addr.arpa", DNS_NO_RECORD, NULL, NULL, PRIVATE},
        {52, LAN, "192.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {53, LAN, "in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {54, LAN, "99.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE},
        {55, LAN, "10.in-addr.arpa", DNS_NO_RECORD, NULL, NULL, 15},
        {56, LAN, "x.10.10.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        {57, LAN, "b._dns-sd._udp.0.10.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        {58, LAN, "b._dns-sd._udp.0.0.0.10.in-addr.arpa", DNS_NO_NAME, NULL, NULL, 15},
        {59, LAN, "lb._dns-sd._udp.10.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        /* no octets: still inside what is ours, or not */
        {60, LAN, "010.10.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        {61, LAN, "256.10.168.192.in-addr.arpa", DNS_NO_NAME, NULL, NULL, PRIVATE + 3},
        {62, LAN, "1.0.0.010.in-addr.arpa", DNS_ALL, NULL, NULL, 0},
        {63, LAN, "10.10.168.192.in-addr.arpa.example", DNS_ALL, NULL, NULL, 0},
        {64, LAN, "10.10.168.192.xin-addr.arpa", DNS_ALL, NULL, NULL, 0},
        /* IPv6 */
        {80, LAN, "1.0.0.d.f.ip6.arpa", DNS_NO_NAME, NULL, NULL, 12},
        {81, LAN, "b.e.f.ip6.arpa", DNS_NO_RECORD, NULL, NULL, 14},
        {82, LAN, "f.e.f.ip6.arpa", DNS_ALL, NULL, NULL, 0},
        {83, LAN, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
         DNS_NO_RECORD, NULL, NULL, 72},
        {84, LAN, "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
         DNS_ALL, NULL, NULL, 0},
    };

    (void)state;
    check_reverse(rows, ARRAY_COUNT(rows));
}

static enum dns_way way_of(uint8_t network, const char *name, uint16_t type)
{
    return names_route(&names, network, name, type, 1).way;
}

struct way_row {
    int id;
    uint8_t network;
    const char *name;
    uint16_t type;
    enum dns_way way;
};

static void check_ways(const struct way_row *rows, unsigned n)
{
    for (const struct way_row *row = rows; row < rows + n; row++)
        if (way_of(row->network, row->name, row->type) != row->way)
            fail_msg("row %d: way %d", row->id, way_of(row->network, row->name, row->type));
}

/* A client by DHCP: its name both ways while its lease lasts. */
static void test_reverse_of_a_lease(void **state)
{
    static const uint8_t mac[MAC_BYTES] = {2, 9};
    struct lease_table *t = &dhcp.leases[LAN];

    (void)state;
    assert_non_null(t->slots);
    struct lease_id who = lease_id_of(t, NULL, 0, mac, false);
    struct lease *l = lease_of_ip(t, IP(LAN, 120));
    lease_take(t, l, &who, mac, 1, LEASE_GRANTED, 100);
    struct dns_route r = names_route(&names, LAN, R("120"), DNS_TYPE_PTR, 1);
    assert_int_equal(r.way, DNS_NO_NAME); /* it calls itself nothing */
    lease_set_name(t, l, "phone");
    r = names_route(&names, LAN, R("120"), DNS_TYPE_PTR, 99999999);
    assert_int_equal(r.way, DNS_POINTER);
    assert_string_equal(r.host, "phone");
    assert_string_equal(r.domain, "lan");
    assert_int_equal(way_of(DEV, R("120"), DNS_TYPE_PTR), DNS_NO_NAME);
    assert_int_equal(names_route(&names, LAN, R("120"), DNS_TYPE_PTR, 100000000).way, DNS_NO_NAME);
}

/* Domains with a server of their own, reverse: the longest zone holds, here too. */
static void test_forward_of_reverse(void **state)
{
    (void)state;
    add_forward("168.192.in-addr.arpa", OUTER, CONFIG_NO_NET);
    assert_int_equal(way_of(LAN, "7.99.168.192.in-addr.arpa", DNS_TYPE_PTR), DNS_ONE_SERVER);
    assert_int_equal(way_of(LAN, R("77"), DNS_TYPE_PTR), DNS_NO_NAME);
    add_forward("10.168.192.in-addr.arpa", IP(LAN, 53), LAN);
    assert_int_equal(way_of(LAN, R("77"), DNS_TYPE_PTR), DNS_ONE_SERVER);
    assert_int_equal(way_of(LAN, R("10"), DNS_TYPE_PTR), DNS_POINTER);
    assert_int_equal(way_of(DEV, R("77"), DNS_TYPE_PTR), DNS_FORBIDDEN);
    add_forward("in-addr.arpa", OUTER, CONFIG_NO_NET);
    assert_int_equal(way_of(LAN, "1.0.0.10.in-addr.arpa", DNS_TYPE_PTR), DNS_NO_NAME);
    assert_int_equal(way_of(LAN, "8.8.8.8.in-addr.arpa", DNS_TYPE_PTR), DNS_ONE_SERVER);
}

static void test_special_use(void **state)
{
    static const struct way_row rows[] = {
        {1, LAN, "localhost", DNS_TYPE_A, DNS_LOOPBACK},
        {2, LAB, "x.LocalHost", DNS_TYPE_AAAA, DNS_LOOPBACK},
        {3, LAN, "localhost.lan", DNS_TYPE_A, DNS_NO_NAME},
        {4, LAN, "notlocalhost.example", DNS_TYPE_A, DNS_ALL},
        {5, LAN, "x.invalid", DNS_TYPE_A, DNS_NO_NAME},
        {6, LAN, "www.test", DNS_TYPE_A, DNS_NO_NAME},
        {7, LAN, "printer.local", DNS_TYPE_A, DNS_NO_NAME},
        {8, LAN, "_ipp._tcp.local", DNS_TYPE_PTR, DNS_NO_NAME},
        {9, LAN, "abc.onion", DNS_TYPE_A, DNS_NO_NAME},
        {10, LAN, "x.home.arpa", DNS_TYPE_A, DNS_NO_NAME},
        {11, LAN, "home.arpa", DNS_TYPE_A, DNS_NO_RECORD},
        {12, LAN, "home.arpa", DNS_TYPE_DS, DNS_ALL}, /* whether it is signed, its parent knows */
        {13, LAB, "home.arpa", DNS_TYPE_DS, DNS_FORBIDDEN},
        {14, LAN, "x.home.arpa", DNS_TYPE_DS, DNS_NO_NAME},
        {15, LAN, "10.in-addr.arpa", DNS_TYPE_DS, DNS_ALL},
        {16, LAN, "1.10.in-addr.arpa", DNS_TYPE_DS, DNS_NO_NAME},
        {17, LAN, "_dns.resolver.arpa", 64, DNS_NO_RECORD},
        {18, LAN, "resolver.arpa", DNS_TYPE_A, DNS_NO_RECORD},
        {19, LAN, "local", DNS_TYPE_SOA, DNS_NO_RECORD}, /* which is how mDNS responders probe */
        {20, LAN, "local", DNS_TYPE_DS, DNS_NO_RECORD},
        {21, LAN, "xlocal", DNS_TYPE_NS, DNS_ALL},
        {22, LAN, "arpa", DNS_TYPE_NS, DNS_ALL},
        {23, LAN, "use-application-dns.net", DNS_TYPE_A, DNS_ALL},
    };

    (void)state;
    check_ways(rows, ARRAY_COUNT(rows));
    /* Unless it is said who knows them. */
    add_forward("test", OUTER, CONFIG_NO_NET);
    assert_int_equal(way_of(LAN, "www.test", DNS_TYPE_A), DNS_ONE_SERVER);
    snprintf(config.nets[LAN].domain, sizeof(config.nets[LAN].domain), "home.arpa");
    assert_int_equal(way_of(LAN, "web.home.arpa", DNS_TYPE_A), DNS_ADDRESS);
    assert_int_equal(way_of(LAN, "x.home.arpa", DNS_TYPE_A), DNS_NO_NAME);
}

/* A domain of ours that also has a server: what we do not know is asked there. */
static void test_forward_of_an_own_domain(void **state)
{
    (void)state;
    add_forward("lan", OUTER, CONFIG_NO_NET);
    assert_int_equal(way_of(LAN, "web.lan", DNS_TYPE_A), DNS_ADDRESS);
    assert_int_equal(way_of(LAN, "nobody.lan", DNS_TYPE_A), DNS_ONE_SERVER);
    assert_int_equal(way_of(LAN, "lan", DNS_TYPE_A), DNS_ONE_SERVER);
    assert_int_equal(way_of(LAB, "nobody.lan", DNS_TYPE_A), DNS_FORBIDDEN);
    assert_int_equal(way_of(LAN, "x.dev.example", DNS_TYPE_A), DNS_NO_NAME);
    /* But not in a domain of ours below it. */
    add_forward("example", OUTER, CONFIG_NO_NET);
    assert_int_equal(way_of(LAN, "x.dev.example", DNS_TYPE_A), DNS_NO_NAME);
    assert_int_equal(way_of(LAN, "x.example", DNS_TYPE_A), DNS_ONE_SERVER);
}

static void test_types(void **state)
{
    static const struct way_row rows[] = {
        {1, LAN, "nobody", AAAA, DNS_NO_NAME},
        {2, LAN, "nobody", HTTPS, DNS_NO_NAME},
        {3, LAN, "nobody", DNS_TYPE_ANY, DNS_NO_NAME},
        {4, LAN, "com", DNS_TYPE_NS, DNS_ALL},
        {5, LAN, "com", DNS_TYPE_DS, DNS_ALL},
        {6, LAN, "com", DNS_TYPE_DNSKEY, DNS_ALL},
        {7, LAN, "com", DNS_TYPE_SOA, DNS_ALL},
        {8, LAN, "lan", DNS_TYPE_DS, DNS_NO_RECORD},
        {9, LAN, "web", DNS_TYPE_DS, DNS_ADDRESS},
        {10, LAN, "nobody.lan", DNS_TYPE_NS, DNS_NO_NAME},
        {11, LAN, "web.lan", AAAA, DNS_ADDRESS}, /* that it has none is for others to write */
    };

    (void)state;
    check_ways(rows, ARRAY_COUNT(rows));
}

/* What names_init() makes of the modes. */
static void test_reach(void **state)
{
    (void)state;
    names_init(&names, &config, &dhcp);
    assert_int_equal(names.reaches[LAN], 1u << LAN | 1u << NETWORK_UPLINK);
    assert_int_equal(names.reaches[LAB], 1u << LAB);
    config.uplink.present = false;
    names_init(&names, &config, &dhcp);
    assert_int_equal(names.reaches[LAN], 1u << LAN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_hosts_and_the_router),
        T(test_records_and_domains),
        T(test_forward_of_an_own_domain),
        T(test_types),
        T(test_reach),
        T(test_reverse),
        T(test_reverse_of_nobody),
        T(test_reverse_above_and_below),
        T(test_reverse_of_a_lease),
        T(test_forward_of_reverse),
        T(test_special_use),
    };
    return cmocka_run_group_tests_name("host_names", tests, NULL, NULL);
}
