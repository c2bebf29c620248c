/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Forwards of port ranges to several hosts, and the dmz, through the whole dataplane: from outside,
 * from inside by way of the outside address, and beside what is the router's own.
 *
 *     tcp 8000-8009 -> 9000-9009 of 192.168.8.10 and .11 in turn     dmz 192.168.9.20
 *
 * See router_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_base.h"
#include "tests/fake/router_rig.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#define DMZ RIG_LAB_HOST(20)

static struct rig r;

static int start(bool isolate, bool rule)
{
    static struct config config;

    rig_configure(&config, 0);
    config.nets[RIG_LAN].isolate = isolate;
    if (rule) {
        config.rule_count = 1;
        config.rules[0] = (struct config_rule){
            .action = RULE_DENY,
            .from = {.kind = WHERE_CIDR, .ip = RIG_HOST(5), .prefix = 32},
            .to = {.kind = WHERE_CIDR, .ip = RIG_HOST(10), .prefix = 31},
        };
    }
    config.fwd_count = 1;
    config.fwds[0] = (struct config_fwd){.protocols = CONFIG_TCP,
                                         .net = RIG_LAN,
                                         .target_count = 2,
                                         .targets = {RIG_HOST(10), RIG_HOST(11)},
                                         .first_port = 8000,
                                         .last_port = 8009,
                                         .target_port = 9000};
    config.dmz = DMZ;
    config.dmz_net = RIG_LAB;
    rig_start_config(&r, &config, 0);
    rig_appear(&r, 1, RIG_HOST(10));
    rig_appear(&r, 2, RIG_HOST(11));
    rig_appear(&r, 3, RIG_HOST(5));
    rig_appear(&r, 5, DMZ);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return start(false, false);
}

static int setup_isolated(void **state)
{
    (void)state;
    return start(true, false);
}

static int setup_rule(void **state)
{
    (void)state;
    return start(false, true);
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

static struct rig_packet packet(uint8_t proto, be32 src, uint16_t sport, be32 dst, uint16_t dport,
                                uint8_t flags)
{
    return (struct rig_packet){.src = src,
                               .dst = dst,
                               .sport = sport,
                               .dport = dport,
                               .proto = proto,
                               .tcp_flags = flags,
                               .payload_bytes = 20};
}

/* One packet in, one out by that port, like this. */
static void pass(unsigned in, struct rig_packet k, unsigned out, be32 src, uint16_t sport, be32 dst,
                 uint16_t dport)
{
    rig_input(&r, in, &k);
    rig_step(&r);
    assert_true(rig_output(&r, out));
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_int_equal(rig_out_src(&r), src);
    assert_int_equal(rig_out_sport(&r), sport);
    assert_int_equal(rig_out_dst(&r), dst);
    assert_int_equal(rig_out_dport(&r), dport);
    assert_int_equal(rig_flush(&r), 0);
}

static void refused(unsigned in, struct rig_packet k, enum drop_reason reason)
{
    uint64_t before = rig_dropped(&r, reason);

    rig_input(&r, in, &k);
    rig_step(&r);
    assert_int_equal(rig_dropped(&r, reason), before + 1);
    rig_flush(&r);
}

static void test_ranges_in_turn(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 10; i++) {
        be32 host = RIG_HOST(10 + i % 2);
        unsigned port = 1 + i % 2;
        pass(0, packet(IP_PROTO_TCP, RIG_SERVER, 4000, RIG_OUTSIDE, 8000 + i, TCP_SYN), port,
             RIG_SERVER, 4000, host, 9000 + i);
        pass(port, packet(IP_PROTO_TCP, host, 9000 + i, RIG_SERVER, 4000, TCP_SYN | TCP_ACK), 0,
             RIG_OUTSIDE, 8000 + i, RIG_SERVER, 4000);
        for (unsigned k = 0; k < 3; k++) { /* by the fast path, too */
            pass(0, packet(IP_PROTO_TCP, RIG_SERVER, 4000, RIG_OUTSIDE, 8000 + i, TCP_ACK), port,
                 RIG_SERVER, 4000, host, 9000 + i);
            pass(port, packet(IP_PROTO_TCP, host, 9000 + i, RIG_SERVER, 4000, TCP_ACK), 0,
                 RIG_OUTSIDE, 8000 + i, RIG_SERVER, 4000);
        }
    }
    /* Around the range begins the dmz. */
    pass(0, packet(IP_PROTO_TCP, RIG_SERVER, 4000, RIG_OUTSIDE, 8010, TCP_SYN), 5, RIG_SERVER, 4000,
         DMZ, 8010);
    pass(0, packet(IP_PROTO_UDP, RIG_SERVER, 4000, RIG_OUTSIDE, 8000, 0), 5, RIG_SERVER, 4000, DMZ,
         8000);
}

static void test_hairpin(void **state)
{
    (void)state;
    for (uint16_t i = 0; i < 4; i++) {
        be32 host = RIG_HOST(10 + i % 2);
        unsigned port = 1 + i % 2;
        pass(3, packet(IP_PROTO_TCP, RIG_HOST(5), 5000 + i, RIG_OUTSIDE, 8009, TCP_SYN), port,
             RIG_OUTSIDE, 5000 + i, host, 9009);
        pass(port, packet(IP_PROTO_TCP, host, 9009, RIG_OUTSIDE, 5000 + i, TCP_SYN | TCP_ACK), 3,
             RIG_OUTSIDE, 8009, RIG_HOST(5), 5000 + i);
    }
    pass(3, packet(IP_PROTO_UDP, RIG_HOST(5), 5000, RIG_OUTSIDE, 53, 0), 5, RIG_OUTSIDE, 5000, DMZ,
         53);
    pass(5, packet(IP_PROTO_UDP, DMZ, 53, RIG_OUTSIDE, 5000, 0), 3, RIG_OUTSIDE, 53, RIG_HOST(5),
         5000);
}

/* ---- hosts that do not answer ---- */

static struct rig_packet syn(uint16_t sport)
{
    return packet(IP_PROTO_TCP, RIG_SERVER, sport, RIG_OUTSIDE, 8000, TCP_SYN);
}

/* A new connection is led to host 10 or 11. */
static void leads(uint16_t sport, unsigned host)
{
    pass(0, syn(sport), host - 9, RIG_SERVER, sport, RIG_HOST(host), 9000);
}

static void test_silent_target(void **state)
{
    struct rig_packet first = syn(4000);

    (void)state;
    fake_log_clear();
    r.silent_ip = RIG_HOST(10);
    rig_input(&r, 0, &first); /* nobody knows yet: it waits */
    rig_step(&r);
    assert_int_equal(rig_flush(&r), 0);
    leads(4001, 11);
    rig_pass(&r, 600, 100);
    leads(4000, 11); /* the client tries again: elsewhere */
    for (uint16_t sport = 4002; sport < 4012; sport++)
        leads(sport, 11);
    rig_pass(&r, 10000, 100);
    assert_int_equal(rig_dropped(&r, DROP_NO_NEIGHBOR), 1); /* what had waited */
    for (uint16_t sport = 4012; sport < 4022; sport++)
        leads(sport, 11);
    unsigned questions = r.questions;
    leads(4022, 11);
    assert_int_equal(r.questions, questions);
    rig_pass(&r, 1000, 100);
    leads(4023, 11);
    assert_int_equal(r.questions, questions + 1);
    assert_true(fake_log_has("forward  tcp 8000-8009: 192.168.8.10 does not answer; "
                             "others take its turns"));
    assert_int_equal(fake_log_count, 1);

    r.silent_ip = 0; /* it is back; the next caller's question finds it */
    rig_pass(&r, 1000, 100);
    leads(4024, 10);
    leads(4025, 11);
    leads(4026, 10);
    assert_true(fake_log_has("forward  tcp 8000-8009: 192.168.8.10 answers again"));
    assert_int_equal(fake_log_count, 2);
}

/* None answers: as if it were not known. */
static void test_all_silent(void **state)
{
    (void)state;
    r.no_answers = true;
    for (uint16_t sport = 4000; sport < 4002; sport++) {
        struct rig_packet k = syn(sport);
        rig_input(&r, 0, &k);
        rig_step(&r);
    }
    rig_pass(&r, 4000, 100);
    assert_int_equal(rig_dropped(&r, DROP_NO_NEIGHBOR), 2);
    struct rig_packet again = syn(4000);
    refused(0, again, DROP_NO_NEIGHBOR);
    assert_true(fake_log_has("192.168.8.11 does not answer, nor do the others") ||
                fake_log_has("192.168.8.10 does not answer, nor do the others"));
    rig_flush(&r);
    r.no_answers = false; /* one comes back, and gets those that had no answer */
    r.silent_ip = RIG_HOST(10);
    rig_pass(&r, 1000, 100);
    rig_input(&r, 0, &again);
    rig_step(&r);
    rig_flush(&r);
    leads(4000, 11);
    leads(4001, 11);
}

/* One that has answered before, and dies: connections that it has, stay. */
static void test_target_dies(void **state)
{
    (void)state;
    leads(4000, 10);
    leads(4001, 11);
    pass(1, packet(IP_PROTO_TCP, RIG_HOST(10), 9000, RIG_SERVER, 4000, TCP_SYN | TCP_ACK), 0,
         RIG_OUTSIDE, 8000, RIG_SERVER, 4000);
    r.silent_ip = RIG_HOST(10);
    for (unsigned i = 0; i < 11; i++) { /* somebody calls once a second */
        struct rig_packet k = syn((uint16_t)(4002 + i));
        rig_input(&r, 0, &k);
        rig_step(&r);
        rig_flush(&r);
        rig_pass(&r, 1000, 1000);
    }
    for (uint16_t sport = 5000; sport < 5006; sport++)
        leads(sport, 11);
    pass(0, packet(IP_PROTO_TCP, RIG_SERVER, 4000, RIG_OUTSIDE, 8000, TCP_ACK), 1, RIG_SERVER, 4000,
         RIG_HOST(10), 9000);
}

static void test_target_unplugged(void **state)
{
    (void)state;
    leads(4000, 10);
    leads(4001, 11);
    leads(4002, 10);
    r.nics[1].up = false;
    r.silent_ip = RIG_HOST(10);
    rig_pass(&r, 300, 100);
    for (uint16_t sport = 5000; sport < 5006; sport++)
        leads(sport, 11);
    leads(4002, 11); /* it had no answer yet */
    r.nics[1].up = true;
    r.silent_ip = 0;
    rig_pass(&r, 1000, 100);
    rig_appear(&r, 1, RIG_HOST(10));
    leads(5006, 10);
    leads(5007, 11);
}

static void test_silent_target_hairpin(void **state)
{
    struct rig_packet k = packet(IP_PROTO_TCP, RIG_HOST(5), 5000, RIG_OUTSIDE, 8009, TCP_SYN);

    (void)state;
    r.silent_ip = RIG_HOST(10);
    rig_input(&r, 3, &k);
    rig_step(&r);
    assert_int_equal(rig_flush(&r), 0);
    rig_pass(&r, 600, 100);
    pass(3, k, 2, RIG_OUTSIDE, 5000, RIG_HOST(11), 9009);
    pass(2, packet(IP_PROTO_TCP, RIG_HOST(11), 9009, RIG_OUTSIDE, 5000, TCP_SYN | TCP_ACK), 3,
         RIG_OUTSIDE, 8009, RIG_HOST(5), 5000);
}

/* Not more than a few lines a second, however many hosts come and go; what could not be said is
 * said by and by. */
static void test_lines_are_bounded(void **state)
{
    static struct config config;

    (void)state;
    rig_stop(&r);
    rig_configure(&config, 0);
    config.fwd_count = 1;
    config.fwds[0] = (struct config_fwd){.protocols = CONFIG_TCP,
                                         .net = RIG_LAN,
                                         .target_count = CONFIG_MAX_TARGETS,
                                         .first_port = 8000,
                                         .last_port = 8000,
                                         .target_port = 9000};
    for (unsigned t = 0; t < CONFIG_MAX_TARGETS; t++)
        config.fwds[0].targets[t] = RIG_HOST(20 + t);
    rig_start_config(&r, &config, 0);
    r.no_answers = true;
    for (uint16_t i = 0; i < CONFIG_MAX_TARGETS; i++) {
        struct rig_packet k = syn(4000 + i);
        rig_input(&r, 0, &k);
        rig_step(&r);
    }
    rig_pass(&r, 3500, 100);
    fake_log_clear();
    for (unsigned seconds = 0; seconds < 4; seconds++) {
        unsigned before = fake_log_count;
        for (uint16_t i = 0; i < 20; i++) {
            struct rig_packet k = syn(5000 + i);
            rig_input(&r, 0, &k);
            rig_step(&r);
        }
        assert_in_range(fake_log_count - before, 0, 4);
        rig_flush(&r);
        rig_pass(&r, 1000, 1000);
    }
    assert_int_equal(fake_log_count, CONFIG_MAX_TARGETS);
}

/* A port that host 10 has opened by itself, from its neighbour 5 by way of the outside address. */
static struct rig_packet to_the_open_port(void)
{
    pass(1, packet(IP_PROTO_UDP, RIG_HOST(10), 7000, RIG_SERVER, 7, 0), 0, RIG_OUTSIDE, 7000,
         RIG_SERVER, 7);
    return packet(IP_PROTO_UDP, RIG_HOST(5), 5000, RIG_OUTSIDE, 7000, 0);
}

static void test_neighbours_meet_outside(void **state)
{
    (void)state;
    pass(3, to_the_open_port(), 1, RIG_OUTSIDE, 5000, RIG_HOST(10), 7000);
}

/* Isolated ones do not, but by what is published. */
static void test_isolated_neighbours(void **state)
{
    (void)state;
    refused(3, to_the_open_port(), DROP_POLICY);
    pass(3, packet(IP_PROTO_TCP, RIG_HOST(5), 5000, RIG_OUTSIDE, 8009, TCP_SYN), 1, RIG_OUTSIDE,
         5000, RIG_HOST(10), 9009);
}

/* And what a rule inside the network denies, it denies by the outside address as well. */
static void test_ruled_neighbours(void **state)
{
    (void)state;
    refused(3, to_the_open_port(), DROP_POLICY);
    refused(3, packet(IP_PROTO_TCP, RIG_HOST(5), 5000, RIG_OUTSIDE, 8009, TCP_SYN), DROP_POLICY);
    pass(5, packet(IP_PROTO_TCP, DMZ, 6000, RIG_OUTSIDE, 8009, TCP_SYN), 2, RIG_OUTSIDE, 6000,
         RIG_HOST(11), 9009);
}

static void test_dmz(void **state)
{
    (void)state;
    pass(0, packet(IP_PROTO_TCP, RIG_SERVER, 4000, RIG_OUTSIDE, 22, TCP_SYN), 5, RIG_SERVER, 4000,
         DMZ, 22);
    pass(5, packet(IP_PROTO_TCP, DMZ, 22, RIG_SERVER, 4000, TCP_SYN | TCP_ACK), 0, RIG_OUTSIDE, 22,
         RIG_SERVER, 4000);
    pass(0, packet(IP_PROTO_TCP, RIG_SERVER, 4000, RIG_OUTSIDE, 22, TCP_ACK), 5, RIG_SERVER, 4000,
         DMZ, 22);

    /* What a host inside has opened is its own, to whoever answers. */
    pass(3, packet(IP_PROTO_UDP, RIG_HOST(5), 6000, RIG_SERVER, 7, 0), 0, RIG_OUTSIDE, 6000,
         RIG_SERVER, 7);
    pass(0, packet(IP_PROTO_UDP, RIG_SERVER, 7, RIG_OUTSIDE, 6000, 0), 3, RIG_SERVER, 7,
         RIG_HOST(5), 6000);
    pass(0, packet(IP_PROTO_UDP, RIG_GATEWAY, 7, RIG_OUTSIDE, 6000, 0), 3, RIG_GATEWAY, 7,
         RIG_HOST(5), 6000);

    /* Protocols without ports, and pings, are not the dmz's. */
    refused(0, packet(47, RIG_SERVER, 0, RIG_OUTSIDE, 0, 0), DROP_UNSOLICITED);
    refused(0, packet(51, RIG_SERVER, 0, RIG_OUTSIDE, 0, 0), DROP_PROTOCOL);
    struct rig_packet ping = packet(IP_PROTO_ICMP, RIG_SERVER, 9, RIG_OUTSIDE, 0, 0);
    rig_input(&r, 0, &ping);
    rig_step(&r);
    assert_int_equal(r.delivered_count, 1);
    rig_flush(&r);
    /* Nor is what has a source that the outside cannot have. */
    refused(0, packet(IP_PROTO_TCP, RIG_HOST(5), 4000, RIG_OUTSIDE, 23, TCP_SYN), DROP_IP_SOURCE);
}

/* The router's own sockets come first, and nobody can get between them and their answers. */
static void test_the_routers_own(void **state)
{
    (void)state;
    assert_true(dataplane_reserve_this_port(r.dp, IP_PROTO_UDP, BE16(7777)));
    struct rig_packet answer = packet(IP_PROTO_UDP, RIG_SERVER, 53, RIG_OUTSIDE, 7777, 0);
    rig_input(&r, 0, &answer);
    rig_step(&r);
    assert_int_equal(r.delivered_count, 1);
    rig_flush(&r);
    refused(3, packet(IP_PROTO_UDP, RIG_HOST(5), 6000, RIG_OUTSIDE, 7777, 0), DROP_HAIRPIN);
    /* What the dmz has taken in is not to be had. */
    pass(0, packet(IP_PROTO_UDP, RIG_SERVER, 53, RIG_OUTSIDE, 7778, 0), 5, RIG_SERVER, 53, DMZ,
         7778);
    assert_false(dataplane_reserve_this_port(r.dp, IP_PROTO_UDP, BE16(7778)));
    assert_false(dataplane_reserve_this_port(r.dp, IP_PROTO_TCP, BE16(8005)));
    rig_pass(&r, 130 * 1000, 1000);
    assert_true(dataplane_reserve_this_port(r.dp, IP_PROTO_UDP, BE16(7778)));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ranges_in_turn),
        TEST(test_hairpin),
        TEST(test_silent_target),
        TEST(test_all_silent),
        TEST(test_target_dies),
        TEST(test_target_unplugged),
        TEST(test_silent_target_hairpin),
        TEST(test_lines_are_bounded),
        TEST(test_neighbours_meet_outside),
        cmocka_unit_test_setup_teardown(test_isolated_neighbours, setup_isolated, teardown),
        cmocka_unit_test_setup_teardown(test_ruled_neighbours, setup_rule, teardown),
        TEST(test_dmz),
        TEST(test_the_routers_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
