/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dataplane_reset.c and net/nat_reset.c: what becomes of conversations when the uplink's
 * address changes, and what their hosts are told (RFC 9293, RFC 5961). See router_rig.h for the
 * topology.
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

#define HOST       RIG_HOST(5)
#define NEW        BE_IP4(203, 0, 113, 77)
#define HOST_PORT  40000
#define SYN        TCP_SYN
#define ACK        TCP_ACK
#define OUT_SEQ    1000u       /* the inside end's first number */
#define IN_SEQ     0xFFFFFFF0u /* the remote end's, soon to wrap */
#define LEFT_OVERS 240         /* seconds */

static struct rig r;

static int setup(void **state)
{
    (void)state;
    rig_start(&r, RIG_FORWARDS);
    for (uint8_t n = 5; n < 15; n++)
        rig_appear(&r, 1, RIG_HOST(n));
    rig_flush(&r);
    fake_log_clear();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* ---- frames ---- */

struct seg {
    bool in;
    uint8_t flags;
    uint32_t seq, ack;
    size_t bytes;
};

static uint16_t outside_port;

static void make_segment(be32 inside, uint16_t port, const struct seg *s)
{
    struct rig_packet k = {.proto = IP_PROTO_TCP, .tcp_flags = s->flags, .payload_bytes = s->bytes};

    k.src = s->in ? RIG_SERVER : inside;
    k.dst = s->in ? RIG_OUTSIDE : RIG_SERVER;
    k.sport = s->in ? 443 : port;
    k.dport = s->in ? outside_port : 443;
    rig_make(&r, s->in ? 0 : 1, &k);
    store_be32(r.in.b + r.in.l4 + TCP_SEQ_OFF, s->seq);
    store_be32(r.in.b + r.in.l4 + TCP_ACK_OFF, s->ack);
    frame_fix_l4_csum(&r.in);
}

static void put_segment(const struct seg *s)
{
    make_segment(HOST, HOST_PORT, s);
    rig_input_raw(&r, s->in ? 0 : 1);
    rig_step(&r);
}

/* The same, which passes. */
static void pass_segment(const struct seg *s)
{
    put_segment(s);
    assert_true(rig_output(&r, s->in ? 1 : 0));
    if (!s->in)
        outside_port = rig_out_sport(&r);
}

static void connect(void)
{
    static const struct seg handshake[] = {
        {false, SYN, OUT_SEQ, 0, 0},
        {true, SYN | ACK, IN_SEQ, OUT_SEQ + 1, 0},
        {false, ACK, OUT_SEQ + 1, IN_SEQ + 1, 0},
        {true, ACK, IN_SEQ + 1, OUT_SEQ + 1, 100},
        {false, ACK, OUT_SEQ + 1, IN_SEQ + 101, 7},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(handshake); i++)
        pass_segment(&handshake[i]);
    rig_flush(&r);
}

static void set_address(be32 ip)
{
    dataplane_set_uplink(r.dp, ip, prefix_mask(24), RIG_GATEWAY);
}

static struct dataplane_totals totals(void)
{
    struct dataplane_totals t;
    dataplane_totals(r.dp, &t);
    return t;
}

/* The next frame to the hosts of the first port is a reset from this remote end, with these
 * numbers. */
static void expect_reset(be32 inside, uint8_t flags, uint32_t seq, uint32_t ack)
{
    assert_true(rig_output(&r, 1));
    const uint8_t *tcp = r.out.b + r.out.l4;
    assert_int_equal(r.out.n, 54);
    assert_true(frame_sums_right(r.out.b, r.out.n, 14, false));
    assert_memory_equal(r.out.b, rig_mac(inside), 6);
    assert_memory_equal(r.out.b + 6, rig_router_mac(&r, RIG_LAN), 6);
    assert_int_equal(rig_out_src(&r), RIG_SERVER);
    assert_int_equal(rig_out_dst(&r), inside);
    assert_int_equal(tcp[TCP_FLAGS_OFF], flags);
    assert_int_equal(load_be32(tcp + TCP_SEQ_OFF), seq);
    assert_int_equal(load_be32(tcp + TCP_ACK_OFF), ack);
}

static void expect_nothing(void)
{
    assert_int_equal(rig_flush(&r), 0);
}

/* ---- told by the router ---- */

static void test_established(void **state)
{
    (void)state;
    connect();
    set_address(NEW);
    rig_step(&r);
    expect_reset(HOST, TCP_RST | TCP_ACK, IN_SEQ + 101, OUT_SEQ + 1);
    assert_int_equal(rig_out_sport(&r), 443);
    assert_int_equal(rig_out_dport(&r), HOST_PORT);
    expect_nothing();
    assert_int_equal(totals().flows_live, 0);
    assert_int_equal(totals().flows_moved, 1);
    assert_int_equal(totals().resets_sent, 1);
    assert_true(fake_log_has("uplink    address changed from 203.0.113.2 to 203.0.113.77: "
                             "1 connections ended"));
    rig_pass(&r, 1000, 10);
    expect_nothing();
}

static void test_lost(void **state)
{
    (void)state;
    connect();
    set_address(0);
    rig_step(&r);
    expect_reset(HOST, TCP_RST | TCP_ACK, IN_SEQ + 101, OUT_SEQ + 1);
    assert_true(fake_log_has("uplink    address 203.0.113.2 was lost: 1 connections ended"));
    put_segment(&(struct seg){false, ACK, OUT_SEQ + 8, IN_SEQ + 101, 7});
    assert_true(rig_output(&r, 1));
    assert_int_equal(r.out.b[r.out.l4], ICMP_UNREACHABLE); /* no uplink */
    /* The same address again: what was not told that it is over goes on. */
    set_address(RIG_OUTSIDE);
    pass_segment(&(struct seg){false, ACK, OUT_SEQ + 8, IN_SEQ + 101, 7});
}

static void test_same_address(void **state)
{
    (void)state;
    connect();
    set_address(RIG_OUTSIDE);
    dataplane_set_uplink(r.dp, RIG_OUTSIDE, prefix_mask(25), RIG_GATEWAY);
    dataplane_set_uplink(r.dp, RIG_OUTSIDE, prefix_mask(25), RIG_HOST(200));
    rig_pass(&r, 100, 1);
    expect_nothing();
    assert_int_equal(totals().flows_live, 1);
    pass_segment(&(struct seg){true, ACK, IN_SEQ + 101, OUT_SEQ + 8, 1});
}

/* Of every state, what its inside end believes. */
static void test_states(void **state)
{
    static const struct {
        int id;
        unsigned count;
        struct seg segments[6];
        uint8_t flags; /* of the reset; 0: none comes */
        uint32_t seq, ack;
    } rows[] = {
        /* A SYN that waits wants to see its own number acknowledged. */
        {1, 1, {{false, SYN, OUT_SEQ, 0, 0}}, TCP_RST | ACK, 0, OUT_SEQ + 1},
        {2,
         2,
         {{false, SYN, OUT_SEQ, 0, 0}, {true, SYN | ACK, IN_SEQ, OUT_SEQ + 1, 0}},
         TCP_RST | ACK,
         IN_SEQ + 1,
         OUT_SEQ + 1},
        /* Joined in the middle. */
        {3, 1, {{false, ACK, OUT_SEQ, IN_SEQ, 10}}, TCP_RST, IN_SEQ, 0},
        {4,
         2,
         {{false, ACK, OUT_SEQ, IN_SEQ, 10}, {true, ACK, IN_SEQ, OUT_SEQ + 10, 5}},
         TCP_RST | ACK,
         IN_SEQ,
         OUT_SEQ + 10},
        /* An end that waits to be believed; and one that is on both sides. */
        {5,
         4,
         {{false, SYN, OUT_SEQ, 0, 0},
          {true, SYN | ACK, IN_SEQ, OUT_SEQ + 1, 0},
          {false, ACK, OUT_SEQ + 1, IN_SEQ + 1, 0},
          {true, ACK | TCP_FIN, IN_SEQ + 1, OUT_SEQ + 1, 9}},
         TCP_RST | ACK,
         IN_SEQ + 1,
         OUT_SEQ + 1},
        {6,
         6,
         {{false, SYN, OUT_SEQ, 0, 0},
          {true, SYN | ACK, IN_SEQ, OUT_SEQ + 1, 0},
          {false, ACK, OUT_SEQ + 1, IN_SEQ + 1, 0},
          {true, ACK | TCP_FIN, IN_SEQ + 1, OUT_SEQ + 1, 0},
          {false, ACK | TCP_FIN, OUT_SEQ + 1, IN_SEQ + 2, 0},
          {true, ACK, IN_SEQ + 2, OUT_SEQ + 2, 0}},
         0,
         0,
         0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        print_message("row %d\n", rows[i].id);
        for (unsigned s = 0; s < rows[i].count; s++)
            pass_segment(&rows[i].segments[s]);
        rig_flush(&r);
        set_address(NEW);
        rig_step(&r);
        if (rows[i].flags)
            expect_reset(HOST, rows[i].flags, rows[i].seq, rows[i].ack);
        expect_nothing();
        assert_int_equal(totals().flows_live, 0);
        set_address(RIG_OUTSIDE);
        rig_pass(&r, 1000 * LEFT_OVERS + 1000, 1000);
    }
}

/* A host that somebody outside has called, and that has not spoken yet. */
static void test_forwarded(void **state)
{
    struct rig_packet k = {.src = RIG_SERVER,
                           .dst = RIG_OUTSIDE,
                           .sport = 443,
                           .dport = 8080,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = SYN};

    (void)state;
    rig_make(&r, 0, &k);
    store_be32(r.in.b + r.in.l4 + TCP_SEQ_OFF, IN_SEQ);
    frame_fix_l4_csum(&r.in);
    rig_input_raw(&r, 0);
    rig_step(&r);
    assert_true(rig_output(&r, 1));
    set_address(NEW);
    rig_step(&r);
    expect_reset(RIG_HOST(10), TCP_RST, IN_SEQ + 1, 0);
    expect_nothing();
}

/* ---- before the router gets round to it ---- */

static void test_met_by_a_segment(void **state)
{
    (void)state;
    connect();
    set_address(NEW);
    put_segment(&(struct seg){false, ACK, OUT_SEQ + 8, IN_SEQ + 501, 30});
    expect_reset(HOST, TCP_RST, IN_SEQ + 501, 0);
    expect_nothing();
    assert_int_equal(rig_dropped(&r, DROP_MOVED), 1);
    assert_int_equal(totals().flows_live, 0);
    assert_int_equal(totals().flows_moved, 1);
}

static void test_met_by_a_reset(void **state)
{
    (void)state;
    connect();
    set_address(NEW);
    put_segment(&(struct seg){false, TCP_RST, OUT_SEQ + 8, 0, 0});
    expect_nothing(); /* resets are not answered */
    assert_int_equal(totals().flows_live, 0);
}

static void test_met_by_a_new_beginning(void **state)
{
    struct rig_packet ask = {.src = HOST, .dst = RIG_SERVER, .sport = 5353, .dport = 53};

    (void)state;
    connect();
    rig_input(&r, 1, &ask);
    rig_step(&r);
    rig_flush(&r);
    set_address(NEW);
    make_segment(HOST, HOST_PORT, &(struct seg){false, SYN, 77, 0, 0});
    rig_input_raw(&r, 1);
    rig_input(&r, 1, &ask);
    rig_step(&r);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(rig_output(&r, 0));
        assert_int_equal(rig_out_src(&r), NEW);
        assert_int_equal(rig_out_sport(&r), r.out.b[23] == IP_PROTO_UDP ? 5353 : HOST_PORT);
    }
    expect_nothing();
    assert_int_equal(totals().flows_live, 2);
    assert_int_equal(totals().flows_moved, 2);
}

/* From outside nothing comes in to the old address, and nothing is told. */
static void test_met_from_outside(void **state)
{
    (void)state;
    connect();
    set_address(NEW);
    put_segment(&(struct seg){true, ACK, IN_SEQ + 101, OUT_SEQ + 8, 9});
    assert_int_equal(rig_dropped(&r, DROP_IP_DEST), 1);
    expect_reset(HOST, TCP_RST | TCP_ACK, IN_SEQ + 101, OUT_SEQ + 1);
    expect_nothing();
}

/* ---- afterwards ---- */

static void test_left_overs(void **state)
{
    static const struct {
        int id;
        uint8_t flags;
        uint8_t reset; /* 0: none */
        uint32_t seq, ack;
    } rows[] = {
        {1, ACK, TCP_RST, IN_SEQ + 900, 0},
        {2, ACK | TCP_FIN, TCP_RST, IN_SEQ + 900, 0},
        {3, ACK | SYN, TCP_RST, IN_SEQ + 900, 0},
        {4, 0, TCP_RST | ACK, 0, OUT_SEQ + 10},
        {5, TCP_RST, 0, 0, 0},
        {6, TCP_RST | ACK, 0, 0, 0},
    };

    (void)state;
    connect();
    set_address(NEW);
    rig_pass(&r, 1000 * (LEFT_OVERS - 1), 1000);
    rig_flush(&r);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        print_message("row %d\n", rows[i].id);
        put_segment(&(struct seg){false, rows[i].flags, OUT_SEQ, IN_SEQ + 900, 10});
        if (rows[i].reset)
            expect_reset(HOST, rows[i].reset, rows[i].seq, rows[i].ack);
        expect_nothing();
        assert_int_equal(totals().flows_live, 0);
    }
    rig_pass(&r, 2000, 1000);
    pass_segment(&(struct seg){false, ACK, OUT_SEQ, IN_SEQ + 900, 10}); /* picked up again */
    assert_int_equal(rig_out_src(&r), NEW);
}

/* More at once than a limit of ICMP errors lets through: one answer a segment. */
static void test_left_overs_are_all_answered(void **state)
{
    (void)state;
    connect();
    set_address(NEW);
    rig_pass(&r, 100, 10);
    rig_flush(&r);
    for (uint16_t i = 0; i < 200; i++) {
        make_segment(HOST, 1000 + i, &(struct seg){false, ACK, OUT_SEQ, IN_SEQ + i, 10});
        rig_input_raw(&r, 1);
        rig_step(&r);
        expect_reset(HOST, TCP_RST, IN_SEQ + i, 0);
        expect_nothing();
    }
}

/* ---- many ---- */

#define MANY 900

/* Half are TCP. A few go at each step, and the pool is never drained. */
static void test_many(void **state)
{
    unsigned told = 0, steps = 0;

    (void)state;
    for (uint16_t i = 0; i < MANY; i++) {
        struct rig_packet k = {.src = RIG_HOST(5 + i % 9),
                               .dst = RIG_SERVER,
                               .sport = 2000 + i,
                               .dport = 443,
                               .proto = i % 2 ? IP_PROTO_TCP : IP_PROTO_UDP,
                               .tcp_flags = i % 2 ? SYN : 0};
        rig_input(&r, 1, &k);
        rig_step(&r);
        assert_int_equal(rig_flush(&r), 1);
    }
    assert_int_equal(totals().flows_live, MANY);
    set_address(NEW);
    while (totals().flows_live > 0) {
        uint32_t before = totals().flows_live;
        unsigned sent = 0;
        rig_step(&r);
        assert_in_range(before - totals().flows_live, 0, 64);
        while (rig_output(&r, 1)) {
            assert_int_equal(r.out.b[r.out.l4 + TCP_FLAGS_OFF], TCP_RST | TCP_ACK);
            sent++;
        }
        assert_in_range(sent, 0, 64);
        told += sent;
        uint64_t next_us = dataplane_next_us(r.dp, r.now_us);
        if (totals().flows_live > 0)
            assert_true(next_us > r.now_us && next_us <= r.now_us + 1000);
        r.now_us = next_us;
        assert_true(++steps < 100);
    }
    rig_step(&r);
    assert_int_equal(told, MANY / 2);
    assert_true(fake_log_has(": 900 connections ended"));
    assert_int_equal(rig_flush(&r), 0);
}

/* A further change meanwhile, and back: whoever still has a flow of the address there is keeps it.
 */
static void test_there_and_back(void **state)
{
    (void)state;
    connect();
    set_address(NEW);
    set_address(RIG_OUTSIDE);
    rig_pass(&r, 100, 1);
    expect_nothing();
    assert_int_equal(totals().flows_live, 1);
    pass_segment(&(struct seg){true, ACK, IN_SEQ + 101, OUT_SEQ + 8, 1});
    assert_int_equal(totals().flows_moved, 0);
}

/* Nobody has the inside end's address any more: the reset waits for its MAC in vain. */
static void test_host_is_gone(void **state)
{
    (void)state;
    r.silent_ip = HOST;
    pass_segment(&(struct seg){false, SYN, OUT_SEQ, 0, 0});
    set_address(NEW);
    rig_step(&r);
    assert_int_equal(totals().held, 1);
    assert_int_equal(r.asked_ip, HOST);
    rig_pass(&r, 10000, 100);
    assert_int_equal(rig_dropped(&r, DROP_NO_NEIGHBOR), 1);
    expect_nothing();
    assert_int_equal(totals().held, 0);
    assert_int_equal(totals().flows_live, 0);
}

/* ---- flows that are not translated ---- */

static void test_plain(void **state)
{
    static struct config config;
    struct rig_packet k = {.src = HOST,
                           .dst = RIG_SERVER,
                           .sport = HOST_PORT,
                           .dport = 443,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = SYN};

    (void)state;
    rig_stop(&r);
    rig_configure(&config, 0);
    config.nets[RIG_LAN].mode = NET_ROUTED;
    rig_start_config(&r, &config, 0);
    rig_appear(&r, 1, HOST);
    rig_flush(&r);
    rig_input(&r, 1, &k);
    rig_step(&r);
    assert_int_equal(rig_flush(&r), 1);
    set_address(NEW);
    set_address(0);
    set_address(NEW);
    rig_pass(&r, 100, 1);
    expect_nothing();
    assert_int_equal(totals().flows_live, 1);
    /* The uplink's subnet is the network's own: nothing goes there any more. */
    set_address(RIG_HOST(99));
    rig_step(&r);
    expect_reset(HOST, TCP_RST | TCP_ACK, 0, load_be32(r.in.b + r.in.l4 + TCP_SEQ_OFF) + 1);
    expect_nothing();
    assert_int_equal(totals().flows_live, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_established),
        T(test_lost),
        T(test_same_address),
        T(test_states),
        T(test_forwarded),
        T(test_met_by_a_segment),
        T(test_met_by_a_reset),
        T(test_met_by_a_new_beginning),
        T(test_met_from_outside),
        T(test_left_overs),
        T(test_left_overs_are_all_answered),
        T(test_many),
        T(test_there_and_back),
        T(test_host_is_gone),
        T(test_plain),
    };
    return cmocka_run_group_tests_name("dataplane_reset", tests, NULL, NULL);
}
