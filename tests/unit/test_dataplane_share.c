/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dataplane_share.c: what people are told about hosts at the end of their share, and how often.
 * See router_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dataplane_internal.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/router_rig.h"

#include <stdio.h>

static struct rig r;

static void come(unsigned port, const struct rig_packet *k)
{
    rig_input(&r, port, k);
    rig_step(&r);
}

/* A new conversation of a host with the server; answered: both ways. */
static void talk(unsigned port, be32 host, uint16_t sport, bool answered)
{
    come(port, &(struct rig_packet){.src = host, .dst = RIG_SERVER, .sport = sport, .dport = 53});
    if (answered && rig_output(&r, 0))
        come(0,
             &(struct rig_packet){
                 .src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 53, .dport = rig_out_sport(&r)});
    rig_flush(&r);
}

static void start(unsigned flags, struct nat_limits lan)
{
    struct config config;

    rig_configure(&config, flags);
    config.nets[RIG_LAN].flows = lan.flows;
    config.nets[RIG_LAN].host_flows = lan.host_flows;
    rig_start_config(&r, &config, 0);
    rig_appear(&r, 1, RIG_HOST(10));
    rig_appear(&r, 4, RIG_LAB_HOST(20));
    rig_flush(&r);
    fake_log_clear();
}

/* Leaves this many outside ports of UDP to the hosts. */
static void leave_ports(unsigned count)
{
    for (uint32_t port = 1024; port < 65536 - count; port++)
        assert_true(nat_reserve_port(&r.dp->nat, IP_PROTO_UDP, hton16((uint16_t)port)));
}

#define ROOM_IS_MADE "its oldest closed or half-open ones make room"

static void test_line(void **state)
{
    (void)state;
    static const struct {
        struct nat_limits lan;
        unsigned ports; /* that are left; 0: all */
        unsigned count; /* of conversations */
        bool answered;
        const char *line;
    } rows[] = {
        {{.host_flows = 3},
         0,
         4,
         false,
         "lan 192.168.8.10 has 3 flows of 4 there, 3 ports; at the limit hostflows= of the "
         "network " ROOM_IS_MADE "; 1 ended, 0 refused"},
        {{.host_flows = 3},
         0,
         4,
         true,
         "lan 192.168.8.10 has 3 flows of 4 there, 3 ports; at the limit hostflows= of the network "
         "new ones are refused; 0 ended, 1 refused"},
        {{.flows = 10},
         0,
         9,
         false,
         "lan 192.168.8.10 has 8 flows of 9 there, 8 ports; at the limit flows= of the "
         "network " ROOM_IS_MADE "; 1 ended, 0 refused"},
        {{0},
         0,
         911,
         false,
         "lan 192.168.8.10 has 910 flows of 911 there, 910 ports; at the share of the router's "
         "flows " ROOM_IS_MADE "; 1 ended, 0 refused"},
        {{0},
         10,
         9,
         false,
         "lan 192.168.8.10 has 8 flows of 9 there, 8 ports; at the share of outside "
         "ports " ROOM_IS_MADE "; 1 ended, 0 refused"},
    };
    for (unsigned row = 0; row < ARRAY_COUNT(rows); row++) {
        start(0, rows[row].lan);
        if (rows[row].ports)
            leave_ports(rows[row].ports);
        talk(1, RIG_HOST(11), 30000, true);
        for (unsigned i = 0; i < rows[row].count; i++) {
            assert_int_equal(fake_log_count, 0);
            talk(1, RIG_HOST(10), (uint16_t)(40000 + i), rows[row].answered);
        }
        assert_int_equal(fake_log_count, 1);
        assert_int_equal(fake_log_last_level, LOG_WARN);
        assert_string_equal(fake_log_last, rows[row].line);
        rig_stop(&r);
    }
}

static char status[LOG_LINE_MAX];

static void keep_status(const char *text)
{
    snprintf(status, sizeof(status), "%s", text);
}

/* Of one flood there is a line at its beginning, and one every ten seconds; and the status page has
 * it in all. */
static void test_pace(void **state)
{
    (void)state;
    start(0, (struct nat_limits){.host_flows = 3});
    unsigned last = 0;
    for (unsigned i = 0; i < 195; i++) { /* a conversation every 100 ms */
        unsigned before = fake_log_count;
        talk(1, RIG_HOST(10), (uint16_t)(40000 + i), false);
        if (fake_log_count > before) {
            char counts[40];
            snprintf(counts, sizeof(counts), " make room; %u ended, 0 refused",
                     before ? i - last : 1);
            assert_true(fake_log_has(counts));
            if (before > 0)
                assert_in_range(i - last, 91, 100); /* by the clock's seconds */
            last = i;
        }
        rig_pass(&r, 100, 100);
    }
    assert_int_equal(fake_log_count, 2);
    dp_share_print(r.dp, keep_status);
    assert_string_equal(status,
                        "shares hosts 1 evicted 192 refused 0 ports-resting 192 cut-short 0");
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_pace)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
