/* SPDX-License-Identifier: BSD-3-Clause
 *
 * TCP through the translator, by sequence numbers: RFC 5382 and RFC 7857, named after the rows of
 * the requirements (T2, T4, T5, T11), who may end a connection, and what the flow table shows of
 * it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_random.h"
#include "tests/fake/nat_rig.h"

#define PORT     5000
#define DATA     8u          /* bytes in every packet of the rig */
#define INSIDE   0xFFFFFFF0u /* initial sequence numbers: A's wraps soon */
#define OUTSIDES 7000000u
#define IN_NEXT  (INSIDE + 1) /* what each has to send next after the handshake */
#define OUT_NEXT (OUTSIDES + 1)

static enum drop_reason segment(enum flow_dir dir, uint8_t flags, uint32_t seq, uint32_t ack)
{
    struct rig_send out = {TCP, A, PORT, R1, 80, flags}, in = {TCP, R1, 80, OUTSIDE, PORT, flags};

    nat_rig_make(dir == FLOW_OUT ? &out : &in);
    store_be32(rig_frame.b + rig_frame.l4 + TCP_SEQ_OFF, seq);
    store_be32(rig_frame.b + rig_frame.l4 + TCP_ACK_OFF, ack);
    frame_fix_l4_csum(&rig_frame);
    return rig_send_frame(dir == FLOW_OUT ? 0 : NETWORK_UPLINK, dir);
}

#define OUT(flags, seq, ack) segment(FLOW_OUT, flags, seq, ack)
#define IN(flags, seq, ack)  segment(FLOW_IN, flags, seq, ack)

static struct flow *only_flow(void)
{
    assert_int_equal(rig_nat.flows.live, 1);
    return &rig_nat.flows.flows[0];
}

#define STATE_IS(name) assert_int_equal(only_flow()->state, FLOW_TCP_##name)

static void connect_them(void)
{
    rig_teardown(NULL);
    rig_setup(NULL);
    PASSES(OUT(TCP_SYN, INSIDE, 0));
    PASSES(IN(TCP_SYN | TCP_ACK, OUTSIDES, IN_NEXT));
    PASSES(OUT(TCP_ACK, IN_NEXT, OUT_NEXT));
    STATE_IS(ESTABLISHED);
    PASSES(IN(TCP_ACK, OUT_NEXT, IN_NEXT));
}

/* T2: the SYNs cross. */
static void test_t2_simultaneous_open(void **state)
{
    (void)state;
    PASSES(OUT(TCP_SYN, INSIDE, 0));
    PASSES(IN(TCP_SYN, OUTSIDES, 0));
    PASSES(OUT(TCP_SYN | TCP_ACK, INSIDE, OUT_NEXT));
    STATE_IS(OPENING);
    PASSES(IN(TCP_SYN | TCP_ACK, OUTSIDES, IN_NEXT));
    STATE_IS(ESTABLISHED);
}

/* T4: silence, and nothing is kept; the inside's own SYN goes its way. */
static void test_t4_unsolicited_syn(void **state)
{
    (void)state;
    REFUSED(IN(TCP_SYN, OUTSIDES, 0), UNSOLICITED);
    assert_int_equal(rig_nat.flows.live, 0);
    rig_wait_ms(5999);
    PASSES(OUT(TCP_SYN, INSIDE, 0));
    PASSES(IN(TCP_SYN, OUTSIDES, 0)); /* sent again: a simultaneous open */
    PASSES(OUT(TCP_SYN | TCP_ACK, INSIDE, OUT_NEXT));
    PASSES(IN(TCP_ACK, OUT_NEXT, IN_NEXT));
    STATE_IS(ESTABLISHED);
}

/* T5: 7,440 s open, 240 s on the way there and at the end. */
static void test_t5_timers(void **state)
{
    (void)state;
    PASSES(OUT(TCP_SYN, INSIDE, 0));
    rig_wait_ms(239999);
    STATE_IS(OPENING);
    rig_wait_ms(1 + FLOW_TICK_MS);
    assert_int_equal(rig_nat.flows.live, 0);

    connect_them();
    rig_wait_ms(7439999);
    STATE_IS(ESTABLISHED);
    rig_wait_ms(1 + FLOW_TICK_MS);
    assert_int_equal(rig_nat.flows.live, 0);

    connect_them();
    PASSES(IN(TCP_FIN | TCP_ACK, OUT_NEXT, IN_NEXT));
    rig_wait_ms(3600 * 1000); /* half-closed may last */
    PASSES(OUT(TCP_FIN | TCP_ACK, IN_NEXT, OUT_NEXT + DATA + 1));
    STATE_IS(CLOSING);
    rig_wait_ms(239999);
    STATE_IS(CLOSING);
    rig_wait_ms(1 + FLOW_TICK_MS);
    assert_int_equal(rig_nat.flows.live, 0);
}

/* T11: what a RST that comes in does, by how far it is from what A has said it expects. */
static void test_t11_resets_by_number(void **state)
{
    (void)state;
    static const struct {
        uint32_t ahead;
        enum drop_reason verdict;
        enum flow_state state;
    } rows[] = {
        {0, DROP_NONE, FLOW_TCP_CLOSING},
        {1, DROP_NONE, FLOW_TCP_ENDING},
        {65535, DROP_NONE, FLOW_TCP_ENDING},
        {65536, DROP_TCP_WINDOW, FLOW_TCP_ESTABLISHED},
        {0x80000000, DROP_TCP_WINDOW, FLOW_TCP_ESTABLISHED},
        {(uint32_t)-1, DROP_TCP_WINDOW, FLOW_TCP_ESTABLISHED},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        connect_them();
        uint32_t before_ms = rig_now_ms;
        rig_wait_ms(1000);
        assert_int_equal(IN(TCP_RST, OUT_NEXT + rows[i].ahead, 0), rows[i].verdict);
        assert_int_equal(only_flow()->state, rows[i].state);
        bool believed = rows[i].state == FLOW_TCP_CLOSING;
        assert_int_equal(only_flow()->last_ms, believed ? rig_now_ms : before_ms);
        rig_wait_ms(239999);
        assert_int_equal(only_flow()->state, rows[i].state);
        rig_wait_ms(1 + FLOW_TICK_MS);
        assert_int_equal(rig_nat.flows.live, !believed);
        if (believed)
            continue;
        rig_wait_ms(before_ms + 7439999 - rig_now_ms); /* it has all its time */
        assert_int_equal(rig_nat.flows.live, 1);
    }
}

/* The same outwards, where nothing is dropped. */
static void test_t11_resets_out(void **state)
{
    (void)state;
    connect_them();
    PASSES(OUT(TCP_RST, IN_NEXT + 0x40000000, 0));
    STATE_IS(ESTABLISHED);
    PASSES(OUT(TCP_RST, IN_NEXT + 100, 0));
    STATE_IS(ENDING);
    PASSES(IN(TCP_ACK, OUT_NEXT, IN_NEXT + 100)); /* all of it has arrived */
    STATE_IS(CLOSING);
    rig_wait_ms(200 * 1000);
    PASSES(OUT(TCP_RST, IN_NEXT + 100, 0)); /* in answer to something: prolongs nothing */
    rig_wait_ms(41 * 1000);
    assert_int_equal(rig_nat.flows.live, 0);
}

/* A RST among data on its way is believed when its receiver has got there. */
static void test_t11_reset_is_proven_later(void **state)
{
    (void)state;
    for (unsigned beyond = 0; beyond < 2; beyond++) {
        connect_them();
        PASSES(IN(TCP_RST | TCP_ACK, OUT_NEXT + 16, IN_NEXT));
        PASSES(OUT(TCP_ACK, IN_NEXT, OUT_NEXT + 8));
        STATE_IS(ENDING);
        PASSES(OUT(TCP_ACK, IN_NEXT, OUT_NEXT + 16 + beyond));
        assert_int_equal(only_flow()->state, beyond ? FLOW_TCP_ESTABLISHED : FLOW_TCP_CLOSING);
    }
    connect_them();
    PASSES(IN(TCP_RST, OUT_NEXT + 16, 0));
    PASSES(IN(TCP_ACK, OUT_NEXT, IN_NEXT)); /* who was said to have reset it speaks */
    STATE_IS(ESTABLISHED);
}

static void test_t11_life_after_reset(void **state)
{
    (void)state;
    connect_them();
    PASSES(IN(TCP_RST, OUT_NEXT, 0));
    for (unsigned i = 0; i < 3; i++)
        PASSES(OUT(TCP_ACK, IN_NEXT, OUT_NEXT));
    STATE_IS(CLOSING);
    PASSES(IN(TCP_ACK, OUT_NEXT, IN_NEXT));
    STATE_IS(ESTABLISHED);
    PASSES(IN(TCP_RST, OUT_NEXT, 0));
    PASSES(OUT(TCP_SYN, 123456, 0)); /* and the next connection */
    STATE_IS(OPENING);
}

/* Before A has acknowledged anything, what comes must answer its SYN. */
static void test_answers_to_a_syn(void **state)
{
    (void)state;
    PASSES(OUT(TCP_SYN, INSIDE, 0));
    REFUSED(IN(TCP_RST, 0, 0), TCP_WINDOW);
    REFUSED(IN(TCP_RST | TCP_ACK, 0, INSIDE), TCP_WINDOW);
    REFUSED(IN(TCP_RST | TCP_ACK, 0, IN_NEXT + 65536), TCP_WINDOW);
    rig_wait_ms(1000);
    PASSES(IN(TCP_SYN | TCP_ACK, 1, INSIDE)); /* A will answer with a RST, and waits on */
    assert_int_equal(rig_now_ms - only_flow()->last_ms, 1000);
    PASSES(OUT(TCP_RST, INSIDE, 0));
    STATE_IS(OPENING);
    PASSES(IN(TCP_SYN | TCP_ACK, OUTSIDES, IN_NEXT));
    PASSES(OUT(TCP_ACK, IN_NEXT, OUT_NEXT));
    STATE_IS(ESTABLISHED);

    rig_teardown(NULL);
    rig_setup(NULL);
    PASSES(OUT(TCP_SYN, INSIDE, 0));
    PASSES(IN(TCP_RST | TCP_ACK, 0, IN_NEXT)); /* nobody listens */
    STATE_IS(CLOSING);
}

static void test_fins_by_number(void **state)
{
    (void)state;
    static const uint32_t unnoticed[] = {65535, 0x40000000, 0x80000000, (uint32_t)-100};
    connect_them();
    PASSES(OUT(TCP_FIN | TCP_ACK, IN_NEXT, OUT_NEXT)); /* A's is true */
    for (unsigned i = 0; i < ARRAY_COUNT(unnoticed); i++) {
        PASSES(IN(TCP_FIN | TCP_ACK, OUT_NEXT + unnoticed[i], IN_NEXT));
        STATE_IS(ESTABLISHED);
    }
    PASSES(IN(TCP_FIN | TCP_ACK, OUT_NEXT + 16, IN_NEXT));
    STATE_IS(ENDING);
    PASSES(OUT(TCP_ACK, IN_NEXT + DATA + 1, OUT_NEXT + 16 + DATA + 2)); /* it was forged */
    STATE_IS(ESTABLISHED);
    PASSES(OUT(TCP_ACK, IN_NEXT + DATA + 1, OUT_NEXT));
    PASSES(IN(TCP_FIN | TCP_ACK, OUT_NEXT + 16, IN_NEXT));
    PASSES(OUT(TCP_ACK, IN_NEXT + DATA + 1, OUT_NEXT + 16 + DATA + 1));
    STATE_IS(CLOSING);
    PASSES(IN(TCP_FIN | TCP_ACK, OUT_NEXT + 16, IN_NEXT)); /* again: the answer was lost */
    STATE_IS(CLOSING);
}

/* Nothing that honest ends do looks like an end. */
static void test_honest_traffic(void **state)
{
    (void)state;
    connect_them();
    PASSES(OUT(TCP_ACK, IN_NEXT - 1, OUT_NEXT));              /* keepalive */
    PASSES(IN(TCP_ACK, OUT_NEXT, IN_NEXT));                   /* and its answer */
    PASSES(IN(TCP_ACK, OUT_NEXT + 0x3FFF0000, IN_NEXT));      /* a large window's end */
    PASSES(OUT(TCP_ACK, IN_NEXT, OUT_NEXT + 0x3FFF0000 + 8)); /* acknowledged */
    PASSES(OUT(TCP_ACK, IN_NEXT, OUT_NEXT));                  /* reordered */
    PASSES(IN(TCP_ACK, OUT_NEXT, IN_NEXT));                   /* retransmitted */
    PASSES(IN(TCP_SYN | TCP_ACK, OUTSIDES, IN_NEXT));         /* even that */
    STATE_IS(ESTABLISHED);

    /* Joined in the middle: what was not seen judges nothing. */
    rig_teardown(NULL);
    rig_setup(NULL);
    PASSES(OUT(TCP_ACK, 111, 222));
    PASSES(OUT(TCP_RST, 99, 0));
    STATE_IS(OPENING);
    PASSES(OUT(TCP_ACK, 111, 222));
    PASSES(IN(TCP_ACK, 222, 111));
    STATE_IS(ESTABLISHED);
    PASSES(IN(TCP_RST, 222 + (65535u << 14), 0));
    STATE_IS(ENDING);
    REFUSED(IN(TCP_RST, 223 + (65535u << 14), 0), TCP_WINDOW);
}

/* A stranger who knows addresses and ports, but sees nothing of the connection. */
static void test_a_million_forged_ends(void **state)
{
    (void)state;
    static const uint8_t forged[] = {TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, TCP_FIN};
    uint32_t out = IN_NEXT, in = OUT_NEXT;
    uint8_t whole[100];
    unsigned dropped = 0;

    connect_them();
    nat_rig_make(&(struct rig_send){TCP, R1, 80, OUTSIDE, PORT, 0});
    memcpy(whole, rig_frame.b, rig_frame.n);
    struct pkt *p = rig_pkt();
    for (unsigned i = 0; i < 1000000; i++) {
        uint32_t seq = rnd(UINT32_MAX);
        if (seq == in)
            continue; /* one in 4,294,967,296 is lucky */
        memcpy(p->data, whole, p->len);
        store_be32(p->data + rig_frame.l4 + TCP_SEQ_OFF, seq);
        store_be32(p->data + rig_frame.l4 + TCP_ACK_OFF, rnd(UINT32_MAX));
        p->data[rig_frame.l4 + TCP_FLAGS_OFF] = PICK(forged);
        dropped += nat_rig_pass(p, NETWORK_UPLINK, FLOW_IN) == DROP_TCP_WINDOW;
        assert_true(only_flow()->state == FLOW_TCP_ESTABLISHED ||
                    only_flow()->state == FLOW_TCP_ENDING);
        if (i % 1000 == 0) { /* the stream */
            PASSES(IN(TCP_ACK, in, out));
            in += DATA;
            PASSES(OUT(TCP_ACK, out, in));
            out += DATA;
        }
    }
    rig_release(p);
    assert_true(dropped > 490000);
    /* The answers do not come, and it still has all its time. */
    rig_wait_ms(7439999);
    PASSES(IN(TCP_ACK, in, out));
    PASSES(OUT(TCP_ACK, out, in + 65535));
    STATE_IS(ESTABLISHED);
}

/* ---- what is shown ---- */

static struct nat_flow_info shown[3];
static unsigned shown_count;

static bool show(void *arg, const struct nat_flow_info *info)
{
    shown[shown_count++] = *info;
    return shown_count < *(unsigned *)arg;
}

static void test_dump(void **state)
{
    (void)state;
    unsigned max = 3;
    connect_them();
    rig_wait_ms(5000);
    PASSES(rig_out(UDP, B, 4000, R2, 53, 0));
    rig_wait_ms(500);
    PASSES(IN(TCP_ACK, OUT_NEXT, IN_NEXT));
    rig_wait_ms(300);
    shown_count = 0;
    assert_int_equal(nat_flow_dump(&rig_nat, 0, rig_now_ms, show, &max), FLOW_NONE);
    assert_int_equal(shown_count, 2);
    const struct nat_flow_info *s = &shown[0];
    assert_true(s->in_ip == A && s->in_port == BE16(PORT) && s->out_ip == OUTSIDE &&
                s->out_port == BE16(PORT) && s->rem_ip == R1 && s->rem_port == BE16(80));
    assert_true(s->proto == TCP && s->zone == 0 && s->rem_zone == NETWORK_UPLINK && !s->plain);
    assert_string_equal(s->state, "established");
    assert_int_equal(s->age_ms, 5800);
    assert_int_equal(s->idle_ms, 300);
    assert_int_equal(s->left_ms, 7440000 - 300);
    assert_true(s->packets[FLOW_OUT] == 2 && s->packets[FLOW_IN] == 3);
    assert_true(s->bytes[FLOW_OUT] == 2 * 48 && s->bytes[FLOW_IN] == 3 * 48);
    assert_string_equal(shown[1].state, "one-way");
    assert_int_equal(shown[1].left_ms, 120000 - 800);

    /* One at a time. */
    shown_count = 0;
    max = 1;
    uint32_t next = nat_flow_dump(&rig_nat, 0, rig_now_ms, show, &max);
    max = 2;
    next = nat_flow_dump(&rig_nat, next, rig_now_ms, show, &max);
    assert_true(shown_count == 2 && shown[1].proto == UDP);
    assert_int_equal(nat_flow_dump(&rig_nat, next, rig_now_ms, show, &max), FLOW_NONE);
}

static void test_totals_over_4_gb(void **state)
{
    (void)state;
    unsigned max = 3;
    connect_them();
    for (unsigned i = 0; i < 200000; i++)
        flow_count(&rig_nat.flows, only_flow(), FLOW_IN, 65535);
    shown_count = 0;
    nat_flow_dump(&rig_nat, 0, rig_now_ms, show, &max);
    assert_true(shown[0].bytes[FLOW_IN] == 2 * 48 + 200000ull * 65535);
    assert_int_equal(shown[0].packets[FLOW_IN], 200002);
    assert_int_equal(shown[0].bytes[FLOW_OUT], 2 * 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_t2_simultaneous_open, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_t4_unsolicited_syn, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_t5_timers, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_t11_resets_by_number, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_t11_resets_out, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_t11_reset_is_proven_later, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_t11_life_after_reset, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_answers_to_a_syn, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_fins_by_number, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_honest_traffic, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_a_million_forged_ends, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_dump, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_totals_over_4_gb, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
