/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See nat_rig.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/nat_rig.h"
#include "tests/fake/fake_alloc.h"

#define POOL_COUNT 8

struct nat rig_nat;
uint32_t rig_now_ms;
struct frame rig_frame;
struct view rig_last;
struct flow *rig_last_flow;
enum flow_dir rig_last_dir;

static struct pkt_pool pool;

static uint32_t no_rnd(uint32_t below)
{
    return below - 1;
}

void rig_set_outside(be32 ip)
{
    nat_set_outside(&rig_nat, ip, rig_now_ms);
    while (rig_nat.sweeping)
        nat_sweep(&rig_nat, 64, NULL, NULL);
}

void rig_restart_filtering(uint32_t capacity, uint32_t filtered_zones)
{
    struct nat_params params = {.flow_capacity = capacity,
                                .filtered_zones = filtered_zones,
                                .alloc_dirty = fake_alloc_dirty,
                                .now_ms = rig_now_ms,
                                .random = 99};
    for (unsigned i = 0; i < 4; i++)
        params.key.k[i] = 0x9E3779B97F4A7C15ull * (i + 1) | 1;
    assert_int_equal(nat_init(&rig_nat, &params, fake_alloc), 0);
    rig_set_outside(OUTSIDE);
    pkt_pool_init(&pool, fake_alloc(POOL_COUNT * PKT_BUF_BYTES, CACHE_LINE_BYTES), POOL_COUNT);
}

void rig_restart(uint32_t capacity)
{
    rig_restart_filtering(capacity, 0);
}

int rig_setup(void **state)
{
    (void)state;
    rig_now_ms = 0xFFFFFFFFu - 100000; /* the clock wraps in the first minutes */
    rig_restart(1000);
    return 0;
}

int rig_teardown(void **state)
{
    (void)state;
    bool whole = pool.free_count == POOL_COUNT;
    frame_unpoison(&pool);
    fake_alloc_free_all();
    return whole ? 0 : -1;
}

void rig_wait_ms(uint32_t ms)
{
    rig_now_ms += ms;
    nat_tick(&rig_nat, rig_now_ms, UINT32_MAX);
}

/* ---- sending ---- */

void nat_rig_make(const struct rig_send *s)
{
    bool known = s->proto == TCP || s->proto == UDP || s->proto == ICMP;
    struct frame_plan plan = {
        .proto = known ? s->proto : UDP, .payload_bytes = 8, .tcp_flags = s->flags};
    frame_make(&rig_frame, &plan);
    uint8_t *ip = rig_frame.b + rig_frame.l3, *l4 = rig_frame.b + rig_frame.l4;
    store_raw32(ip + 12, s->src);
    store_raw32(ip + 16, s->dst);
    if (s->proto == ICMP) {
        l4[0] = s->flags;
        store_be16(l4 + 4, s->sport);
    } else {
        store_be16(l4, s->sport);
        store_be16(l4 + 2, s->dport);
    }
    frame_fix_l4_csum(&rig_frame);
    ip[9] = s->proto;
    frame_fix_ip_csum(&rig_frame);
}

struct pkt *rig_pkt(void)
{
    struct pkt *p = frame_pkt(&pool, rig_frame.b, rig_frame.n, 1000, 1, no_rnd);
    assert_non_null(p);
    return p;
}

void rig_release(struct pkt *p)
{
    pkt_free(p);
    frame_unpoison(&pool);
}

static struct flow *open_flow(struct nat_job *job, int plain_to, enum drop_reason *why)
{
    if (plain_to >= 0)
        return nat_open_plain(&rig_nat, job, (uint8_t)plain_to, rig_now_ms, why);
    return job->dir == FLOW_OUT ? nat_open_out(&rig_nat, job, rig_now_ms, why)
                                : nat_open_in(&rig_nat, job, rig_now_ms, why);
}

static enum drop_reason pass(struct pkt *p, uint8_t zone, int plain_to)
{
    struct nat_job job = {.p = p};
    enum drop_reason why;

    rig_last_flow = NULL;
    why = view_parse_ip4(&job.v, p);
    if (why == DROP_NONE)
        why = nat_key(&rig_nat, &job, zone);
    if (why != DROP_NONE)
        return why;
    nat_prefetch(&rig_nat, &job);
    struct flow *f = nat_find(&rig_nat, &job);
    if (!f)
        f = open_flow(&job, plain_to, &why);
    if (!f)
        return why;
    why = nat_apply(&rig_nat, f, &job, rig_now_ms);
    if (why)
        return why;
    assert_int_equal(view_parse_ip4(&rig_last, p), DROP_NONE);
    rig_last_flow = f;
    rig_last_dir = (enum flow_dir)job.dir;
    return DROP_NONE;
}

enum drop_reason nat_rig_pass(struct pkt *p, uint8_t zone, enum flow_dir dir)
{
    enum drop_reason why = pass(p, zone, -1);
    assert_true(why != DROP_NONE || rig_last_dir == dir);
    return why;
}

enum drop_reason rig_plain_pkt(struct pkt *p, uint8_t from, uint8_t to)
{
    static uint8_t before[FRAME_MAX_BYTES], after[FRAME_MAX_BYTES];
    uint32_t bytes = p->total_bytes;

    assert_true(pkt_copy_out(p, 0, before, bytes));
    enum drop_reason why = pass(p, from, to);
    assert_true(pkt_copy_out(p, 0, after, bytes));
    assert_memory_equal(after, before, bytes);
    if (why == DROP_NONE) {
        assert_true(rig_last_flow->flags & FLOW_PLAIN);
        assert_int_equal(rig_last_dir == FLOW_OUT ? rig_last_flow->rem_zone : rig_last_flow->zone,
                         to);
    }
    return why;
}

enum drop_reason rig_plain_frame(uint8_t from, uint8_t to)
{
    struct pkt *p = rig_pkt();
    enum drop_reason why = rig_plain_pkt(p, from, to);
    rig_release(p);
    return why;
}

enum drop_reason rig_plain(const struct rig_send *s, uint8_t from, uint8_t to)
{
    nat_rig_make(s);
    return rig_plain_frame(from, to);
}

enum drop_reason rig_send_frame(uint8_t zone, enum flow_dir dir)
{
    struct pkt *p = rig_pkt();
    enum drop_reason why = nat_rig_pass(p, zone, dir);
    if (why == DROP_NONE) {
        assert_true(pkt_copy_out(p, 0, rig_frame.b, rig_frame.n));
        assert_true(frame_sums_right(rig_frame.b, rig_frame.n, rig_frame.l3, false));
    }
    rig_release(p);
    return why;
}

enum drop_reason rig_out(uint8_t proto, be32 src, uint16_t sport, be32 dst, uint16_t dport,
                         uint8_t flags)
{
    nat_rig_make(&(struct rig_send){proto, src, sport, dst, dport, flags});
    return rig_send_frame(0, FLOW_OUT);
}

enum drop_reason rig_in(uint8_t proto, be32 src, uint16_t sport, uint16_t dport, uint8_t flags)
{
    nat_rig_make(&(struct rig_send){proto, src, sport, OUTSIDE, dport, flags});
    return rig_send_frame(NETWORK_UPLINK, FLOW_IN);
}

uint16_t rig_outside_port(void)
{
    return ntoh16(rig_last.sport);
}

void rig_handshake(uint16_t port)
{
    PASSES(rig_out(TCP, A, port, R1, 80, TCP_SYN));
    PASSES(rig_in(TCP, R1, 80, port, TCP_SYN | TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_OPENING);
    PASSES(rig_out(TCP, A, port, R1, 80, TCP_ACK));
    assert_int_equal(rig_last_flow->state, FLOW_TCP_ESTABLISHED);
}

/* ---- ICMP errors ---- */

void rig_make_error(be32 src, uint8_t type, uint8_t code)
{
    uint8_t quoted[60];
    size_t n = MIN(rig_frame.n - rig_frame.l3, sizeof(quoted));
    struct frame_plan plan = {.proto = ICMP};

    memcpy(quoted, rig_frame.b + rig_frame.l3, n);
    frame_make(&rig_frame, &plan);
    uint8_t *ip = rig_frame.b + rig_frame.l3, *icmp = rig_frame.b + rig_frame.l4;
    store_raw32(ip + 12, src);
    memcpy(ip + 16, quoted + 12, 4);
    memset(icmp, 0, 8);
    icmp[0] = type;
    icmp[1] = code;
    memcpy(icmp + 8, quoted, n);
    rig_frame.n = rig_frame.l4 + 8 + n;
    frame_fix_lengths(&rig_frame);
    frame_fix_ip_csum(&rig_frame);
    frame_fix_l4_csum(&rig_frame);
}

enum drop_reason rig_send_error(uint8_t zone, enum flow_dir dir, bool twice)
{
    struct pkt *p = rig_pkt();
    enum drop_reason why;
    enum flow_dir goes = !dir;
    struct view v;

    assert_int_equal(view_parse_ip4(&v, p), DROP_NONE);
    rig_last_flow = nat_icmp_error(&rig_nat, p, &v, zone, &goes, &why);
    assert_true(!rig_last_flow || goes == dir);
    if (rig_last_flow && twice)
        rig_last_flow = nat_icmp_error(&rig_nat, p, &v, NETWORK_UPLINK, &goes, &why);
    assert_true(pkt_copy_out(p, 0, rig_frame.b, rig_frame.n));
    if (rig_last_flow) {
        assert_int_equal(view_parse_ip4(&rig_last, p), DROP_NONE);
        assert_true(frame_sums_right(rig_frame.b, rig_frame.n, rig_frame.l3, false));
    }
    rig_release(p);
    return why;
}
