/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Plain flows against a list of pairs of tuples, searched from end to end: random packets of every
 * kind between hosts in several zones, some of which share addresses, with errors, time, and a
 * translator that is busy besides. The rig checks that no byte changes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/nat_rig.h"

#define CAPACITY 400
#define EVENTS   60000
#define GRE      47
#define UP       NETWORK_UPLINK

/* What a packet of one direction has. ICMP: the identifier, and 0 at the end that answers. */
struct way {
    be32 src, dst;
    uint16_t sport, dport;
    uint8_t proto, zone;
};

struct naive {
    bool live, answered, opened_in;
    struct way ways[2]; /* as its first packet went, and back */
    uint8_t to;         /* zone of its second end */
    uint32_t last_ms;
};

static struct naive flows[CAPACITY];

static const struct {
    be32 ip;
    uint8_t zone;
} hosts[] = {
    {BE_IP4(192, 168, 8, 2), 0},   {BE_IP4(192, 168, 8, 3), 0}, {BE_IP4(10, 0, 0, 5), 1},
    {BE_IP4(192, 168, 8, 2), 1},   {BE_IP4(192, 0, 2, 7), 2},   {BE_IP4(198, 51, 100, 1), UP},
    {BE_IP4(198, 51, 100, 2), UP},
};

/* ---- the model ---- */

static bool same(const struct way *a, const struct way *b)
{
    return a->src == b->src && a->dst == b->dst && a->sport == b->sport && a->dport == b->dport &&
           a->proto == b->proto && a->zone == b->zone;
}

static struct naive *find(const struct way *w, unsigned *back)
{
    for (unsigned i = 0; i < CAPACITY; i++) {
        for (*back = 0; *back < 2; ++*back)
            if (flows[i].live && same(&flows[i].ways[*back], w))
                return &flows[i];
    }
    return NULL;
}

static struct way reverse(const struct way *w, uint8_t zone)
{
    return (struct way){w->dst, w->src, w->dport, w->sport, w->proto, zone};
}

static uint32_t timeout_ms(const struct naive *f)
{
    uint8_t proto = f->ways[0].proto;
    return proto == TCP ? 240000 : proto == ICMP ? 60000 : f->answered ? 300000 : 120000;
}

static unsigned count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < CAPACITY; i++)
        n += flows[i].live;
    return n;
}

static enum drop_reason expected(const struct way *w, uint8_t to, bool reply, struct naive **f)
{
    struct way returning = reverse(w, to);
    unsigned back;

    *f = find(w, &back);
    if (*f && (w->proto != ICMP || reply == (back == 1))) {
        (*f)->answered |= back;
        (*f)->last_ms = rig_now_ms;
        return DROP_NONE;
    }
    if (reply)
        return DROP_UNSOLICITED;
    if (*f || find(&returning, &back)) /* identifier 0; or A's packets to C have their flow */
        return DROP_UNSOLICITED;
    for (unsigned i = 0; i < CAPACITY; i++) {
        if (flows[i].live)
            continue;
        *f = &flows[i];
        flows[i] = (struct naive){.live = true,
                                  .opened_in = w->zone == UP,
                                  .ways = {*w, returning},
                                  .to = to,
                                  .last_ms = rig_now_ms};
        return DROP_NONE;
    }
    fail_msg("more flows than the model has room for");
    return DROP_FLOWS_FULL;
}

/* ---- what happens ---- */

/* Hosts 0 and 3 have one address, so nobody can mean either: 3 talks with 4 only, and 0 not. */
static bool may_talk(unsigned low, unsigned high)
{
    return hosts[low].zone != hosts[high].zone &&
           (low == 3 || high == 3 ? low == 3 && high == 4 : low != 0 || high != 4);
}

static struct way any_way(uint8_t *to, bool *reply)
{
    static const uint8_t protos[] = {UDP, UDP, TCP, ICMP, ICMP, GRE};
    static const uint16_t ports[] = {0, 7, 53, 5000};
    unsigned a = rnd(ARRAY_COUNT(hosts)), b = rnd(ARRAY_COUNT(hosts));
    while (!may_talk(MIN(a, b), MAX(a, b))) {
        a = rnd(ARRAY_COUNT(hosts));
        b = rnd(ARRAY_COUNT(hosts));
    }
    struct way w = {hosts[a].ip, hosts[b].ip,  PICK(ports),
                    PICK(ports), PICK(protos), hosts[a].zone};
    *to = hosts[b].zone;
    *reply = w.proto == ICMP && rnd(2);
    if (w.proto == GRE)
        w.sport = w.dport = 0;
    if (w.proto == ICMP)
        *(*reply ? &w.sport : &w.dport) = 0;
    return w;
}

static struct rig_send packet_of(const struct way *w, bool reply)
{
    uint8_t flags = w->proto == TCP ? TCP_SYN : reply ? ICMP_ECHO_REPLY : ICMP_ECHO;
    return (struct rig_send){w->proto, w->src,   reply ? w->dport : w->sport,
                             w->dst,   w->dport, flags};
}

static void packet(void)
{
    bool reply;
    uint8_t to;
    struct way w = any_way(&to, &reply);
    struct naive *f;
    if (rnd(2)) { /* an answer, or more of the same, to something that is there */
        const struct naive *known = &flows[rnd(CAPACITY)];
        unsigned back = rnd(2);
        if (known->live) {
            w = known->ways[back];
            to = back ? known->ways[0].zone : known->to;
            reply = w.proto == ICMP && (back ^ (rnd(8) == 0));
            if (w.proto == ICMP && w.sport != w.dport) /* the tuple says which it is */
                reply = w.sport == 0;
        }
    }
    struct rig_send s = packet_of(&w, reply);
    enum drop_reason want = expected(&w, to, reply, &f);
    assert_int_equal(rig_plain(&s, w.zone, to), want);
    if (want != DROP_NONE)
        return;
    bool opened = same(&w, &f->ways[0]) && !reply;
    assert_int_equal(rig_last_dir, opened == f->opened_in ? FLOW_IN : FLOW_OUT);
    assert_int_equal(rig_last_flow->last_ms, f->last_ms);
    assert_int_equal((rig_last_flow->flags & FLOW_OPENED_IN) != 0, f->opened_in);
}

/* An error from a zone about a packet that may have been sent there. */
static void error(void)
{
    bool reply;
    uint8_t zone, quoted[28];
    struct way w = any_way(&zone, &reply);
    const struct naive *known = &flows[rnd(CAPACITY)];
    enum drop_reason why;
    enum flow_dir dir;
    struct view v;
    unsigned back;

    if (known->live && rnd(4)) {
        back = rnd(2);
        w = known->ways[back];
        zone = rnd(8) == 0 ? (uint8_t)rnd(3) : back ? known->ways[0].zone : known->to;
        reply = w.proto == ICMP && back;
    }
    struct rig_send s = packet_of(&w, reply);
    nat_rig_make(&s);
    memcpy(quoted, rig_frame.b + rig_frame.l3, sizeof(quoted));
    nat_rig_make(&(struct rig_send){ICMP, w.dst, 0, w.src, 0, ICMP_UNREACHABLE});
    memset(rig_frame.b + rig_frame.l4, 0, 8);
    rig_frame.b[rig_frame.l4] = ICMP_UNREACHABLE;
    memcpy(rig_frame.b + rig_frame.l4 + 8, quoted, sizeof(quoted));
    rig_frame.n = rig_frame.l4 + 8 + sizeof(quoted);
    frame_fix_lengths(&rig_frame);
    frame_fix_ip_csum(&rig_frame);
    frame_fix_l4_csum(&rig_frame);

    /* Found by the packet that would answer the quoted one. */
    struct way answer = reverse(&w, zone);
    const struct naive *f = find(&answer, &back);
    if (f && w.proto == ICMP && reply == (back == 1))
        f = NULL;
    struct pkt *p = rig_pkt();
    uint8_t after[100];
    assert_int_equal(view_parse_ip4(&v, p), DROP_NONE);
    const struct flow *got = nat_icmp_error(&rig_nat, p, &v, zone, &dir, &why);
    assert_int_equal(got != NULL, f != NULL);
    assert_int_equal(why, f ? DROP_NONE : DROP_NO_MAPPING);
    if (f)
        assert_int_equal(dir, (back == 0) == f->opened_in ? FLOW_IN : FLOW_OUT);
    assert_true(pkt_copy_out(p, 0, after, rig_frame.n));
    assert_memory_equal(after, rig_frame.b, rig_frame.n);
    rig_release(p);
}

static void expire(void)
{
    for (unsigned i = 0; i < CAPACITY; i++)
        if (flows[i].live && rig_now_ms - flows[i].last_ms >= timeout_ms(&flows[i]))
            flows[i].live = false;
}

static void pass_time(void)
{
    rig_wait_ms(rnd(20) == 0 ? rnd(200000) : rnd(4000));
    expire();
    /* The wheel may be late by a slot, but never early. */
    for (unsigned i = 0; i < 4 && rig_nat.flows.live != count(); i++) {
        assert_true(rig_nat.flows.live > count());
        rig_wait_ms(FLOW_TICK_MS);
        expire();
    }
}

/* The translated come and go beside them, and leave them alone. */
static void translate(void)
{
    static const be32 outsides[] = {OUTSIDE, 0, BE_IP4(203, 0, 113, 10)};
    static const struct nat_forward web[] = {{.proto = TCP,
                                              .first_port = 1,
                                              .last_port = 60000,
                                              .target_port = 1,
                                              .target_count = 1,
                                              .targets = {BE_IP4(192, 168, 8, 2)}}};
    rig_out(UDP, BE_IP4(192, 168, 8, 9), (uint16_t)rnd(65536), R1, 53, 0);
    nat_set_forwards(&rig_nat, web, rnd(2));
    rig_set_outside(outsides[rnd(3)]);
    rig_set_outside(0); /* no translated one is left */
    assert_int_equal(rig_nat.flows.live, count());
}

static void run(uint64_t with_seed, unsigned events)
{
    unsigned most = 0;
    rnd_state = with_seed;
    memset(flows, 0, sizeof(flows));
    for (unsigned i = 0; i < events; i++) {
        uint32_t what = rnd(100);
        if (what < 80)
            packet();
        else if (what < 90)
            error();
        else if (what < 97)
            pass_time();
        else
            translate();
        assert_int_equal(rig_nat.flows.live, count());
        most = MAX(most, count());
    }
    assert_true(events < EVENTS || (most > 60 && rig_nat.flows.expired > 1000));
}

static void test_random(void **state)
{
    (void)state;
    fake_alloc_free_all();
    rig_restart(9 * CAPACITY); /* test_nat_model.c has what happens when it is full */
    run(88172645463325252ull, EVENTS);
}

static void test_many_starts(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        fake_alloc_free_all();
        rig_restart(9 * CAPACITY);
        run(0x9E3779B97F4A7C15ull * i, 1000);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {TEST(test_random), TEST(test_many_starts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
