/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/nat.c and its parts against tests/model/naive_nat.c: random traffic both ways of several
 * hosts, remote ends and protocols, with errors, time, and changes of address, forwards and
 * reserved ports. After every event the verdict, every byte that comes out, and the counts are
 * compared; the states of all flows every so often.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/nat.h"
#include "net/nat_mapping.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/random_packet.h"
#include "tests/model/naive_nat.h"
#include "tests/model/naive_packet.h"

#include <stdio.h>
#include <stdlib.h>

#define EVENTS      400000
#define CAPACITY    60
#define POOL_COUNT  32
#define KEPT        64
#define QUOTE_BYTES 200

static struct nat nat;
static struct naive_nat model;
static struct pkt_pool pool;
static uint32_t now_ms;
static unsigned event_number;

/* ---- the world (host order) ---- */

static const struct {
    uint32_t ip;
    uint8_t zone;
} hosts[] = {
    {0xC0A80802, 0},
    {0xC0A80803, 0},
    {0xC0A80802, 1},
    {0x0A000005, 1},
};
static const uint32_t outsides[] = {0xCB007109, 0xCB00710A};
static const uint32_t remotes[] = {0xC6336401, 0xC6336402, 0x08080808};
static const uint16_t host_ports[] = {0, 53, 500, 1023, 1024, 4000, 4001, 40000, 65535};
static const uint16_t remote_ports[] = {53, 443, 4001};
static struct frame frame; /* the packet as it comes */
static uint8_t expected[FRAME_MAX_BYTES], got[FRAME_MAX_BYTES];

/* What was delivered lately, for errors to quote. */
static struct kept {
    uint8_t ip[QUOTE_BYTES];
    size_t bytes;
    bool outward;
    uint8_t zone;
} kept[KEPT];
static unsigned kept_count;

static unsigned any_known_port(unsigned proto)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        const struct naive_flow *f = &model.flows[rnd(CAPACITY)];
        if (f->live && f->proto == proto)
            return f->out_port;
    }
    return PICK(host_ports);
}

/* ---- packets ---- */

static void release(struct pkt *p)
{
    pkt_free(p);
    frame_unpoison(&pool);
}

static void keep(bool outward, uint8_t zone)
{
    struct kept *k = &kept[kept_count++ % KEPT];
    k->bytes = MIN(frame.n - frame.l3, (size_t)QUOTE_BYTES);
    memcpy(k->ip, got + frame.l3, k->bytes);
    k->outward = outward;
    k->zone = zone;
}

static void explain(const char *what, enum drop_reason real, enum drop_reason naive)
{
    print_error("event %u: %s; verdicts %d, %d expected\n", event_number, what, real, naive);
    for (size_t i = 0; i < MIN(frame.n, 120u); i++)
        print_error("%zu: %02x -> %02x, %02x expected%s\n", i, frame.b[i], got[i], expected[i],
                    got[i] == expected[i] ? "" : " <--");
    fail();
}

/* A wrong checksum stays as wrong as it was, but which of the two zeros it becomes is all the same.
 */
static void allow_other_zero(enum offload offload)
{
    size_t at = frame.l4 + (frame.b[frame.l3 + 9] == 6 ? 16 : frame.b[frame.l3 + 9] == 17 ? 6 : 2);
    bool zeros = got[at] == got[at + 1] && expected[at] == expected[at + 1] &&
                 (got[at] == 0 || got[at] == 0xFF) && (expected[at] == 0 || expected[at] == 0xFF);
    bool reply_to_0 = frame.b[frame.l3 + 9] == 1 && frame.b[frame.l4] == 0 &&
                      expected[frame.l4 + 4] == 0 && expected[frame.l4 + 5] == 0 && got[at] == 0xFF;
    if ((offload == WRONG || reply_to_0) && zeros)
        expected[at] = expected[at + 1] = got[at];
}

static void compare(struct pkt *p, enum offload offload, enum drop_reason real,
                    enum drop_reason naive)
{
    assert_int_equal(p->total_bytes, frame.n);
    assert_true(pkt_copy_out(p, 0, got, frame.n));
    allow_other_zero(offload);
    if (real != naive)
        explain("verdict", real, naive);
    if (memcmp(got, expected, frame.n) != 0)
        explain("bytes", real, naive);
    if (model.error)
        explain(model.error, real, naive);
}

static struct flow *real_flow(const struct naive_flow *n)
{
    struct flow_tuple k = {hton32(n->rem_ip),
                           hton32(n->out_ip),
                           hton16((be16)n->rem_port),
                           hton16((be16)n->out_port),
                           (uint8_t)n->proto,
                           NETWORK_UPLINK,
                           0};
    if (n->proto == 1)
        k.sport = 0;
    return flow_find(&nat.flows, &k, flow_hash(&nat.flows, &k), FLOW_IN);
}

/* Tells the model which flows made room. */
static void tell_gone(uint64_t evicted_before)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS && nat.counters.evicted != evicted_before; i++) {
        struct naive_flow *n = &model.flows[i];
        const struct flow *f = n->live ? real_flow(n) : NULL;
        bool same = f && f->in_ip == hton32(n->in_ip) && f->in_port == hton16((be16)n->in_port) &&
                    f->zone == n->zone; /* else it is another's since */
        n->gone = n->live && !same;
    }
}

static enum drop_reason translate(struct pkt *p, uint8_t zone, struct flow **f)
{
    uint64_t evicted = nat.counters.evicted;
    struct nat_job job = {.p = p};
    assert_int_equal(view_parse_ip4(&job.v, p), DROP_NONE);
    enum drop_reason why = nat_key(&nat, &job, zone);
    *f = why == DROP_NONE ? nat_find(&nat, &job) : NULL;
    if (why == DROP_NONE && !*f)
        *f = zone == NETWORK_UPLINK ? nat_open_in(&nat, &job, now_ms, &why)
                                    : nat_open_out(&nat, &job, now_ms, &why);
    if (*f)
        why = nat_apply(&nat, *f, &job, now_ms);
    tell_gone(evicted);
    return why;
}

static void outbound(void)
{
    static const uint8_t protos[] = {6, 6, 6, 6, 17, 17, 17, 17, 1, 1, 47, 50};
    unsigned host = rnd(ARRAY_COUNT(hosts));
    struct packet_ends e = {.src = hosts[host].ip, .dst = PICK(remotes), .proto = PICK(protos)};
    e.sport = PICK(host_ports);
    e.dport = PICK(remote_ports);
    e.reply = rnd(10) == 0;
    if (rnd(6) == 0) { /* towards our own address, as for a hairpin */
        e.dst = PICK(outsides);
        e.dport = any_known_port(e.proto);
    }
    enum offload offload = random_frame(&frame, &e);
    struct pkt *p = random_pkt(&pool, &frame, offload);
    struct flow *f;
    enum drop_reason why = translate(p, hosts[host].zone, &f);
    memcpy(expected, frame.b, frame.n);
    enum drop_reason naive = naive_out(&model, expected, p->flags & PKT_NEEDS_CSUM,
                                       hosts[host].zone, now_ms, f ? ntoh16(f->out_port) : 0);
    compare(p, offload, why, naive);
    if (!why)
        keep(true, hosts[host].zone);
    release(p);
}

static void inbound(void)
{
    static const uint8_t protos[] = {6, 6, 6, 6, 17, 17, 17, 17, 1, 1, 47, 50};
    struct packet_ends e = {.src = PICK(remotes), .dst = model.outside, .proto = PICK(protos)};
    e.sport = PICK(remote_ports);
    e.dport = rnd(5) == 0 ? PICK(host_ports) : any_known_port(e.proto);
    e.reply = rnd(10) != 0;
    if (rnd(6) == 0) {
        e.src = model.outside;
        e.sport = any_known_port(e.proto);
    }
    if (rnd(20) == 0)
        e.dst = PICK(outsides);
    enum offload offload = random_frame(&frame, &e);
    struct pkt *p = random_pkt(&pool, &frame, offload);
    struct flow *f;
    enum drop_reason why = translate(p, NETWORK_UPLINK, &f);
    memcpy(expected, frame.b, frame.n);
    enum drop_reason naive = naive_in(&model, expected, p->flags & PKT_NEEDS_CSUM, now_ms);
    compare(p, offload, why, naive);
    if (!why)
        keep(false, f->zone);
    release(p);
}

/* ---- errors ---- */

/* An error about a packet that was delivered, quoting some of it, perhaps with an extension behind
 * it. */
static void make_error(const struct kept *k, bool to_another)
{
    static const uint8_t types[] = {3, 3, 11, 12, 4, 5};
    size_t hdr = (k->ip[0] & 15u) * 4u;
    size_t quoted = rnd(3) == 0 ? hdr + 8 : hdr + 8 + rnd((uint32_t)(k->bytes - hdr - 8 + 1));
    struct frame_plan plan = {.proto = 1};
    uint8_t type = PICK(types);

    frame_make(&frame, &plan);
    uint8_t *ip = frame.b + frame.l3, *icmp = frame.b + frame.l4;
    naive_put32(ip + 12, rnd(2) ? 0xC6120001 : PICK(remotes));
    memcpy(ip + 16, k->ip + 12, 4);
    if (to_another)
        ip[19] ^= 1;
    memset(icmp, 0, 8);
    icmp[0] = type;
    icmp[1] = (uint8_t)rnd(16);
    memcpy(icmp + 8, k->ip, quoted);
    if (k->ip[9] == 1 && rnd(8) == 0)
        icmp[8 + hdr] ^= 8; /* a request for a reply, which nobody sent */
    if ((type == 3 || type == 11 || type == 12) && rnd(4) == 0) {
        memset(icmp + 8 + quoted, 0, 128);
        quoted = MAX(ALIGN_UP(quoted, 4u), 128u);
        icmp[5] = (uint8_t)(quoted / 4);
        memcpy(icmp + 8 + quoted, "\x20\x00\x12\x34\x00\x08\x01\x01\xAB\xCD\xEF\x01", 12);
        quoted += 12;
    }
    frame.n = frame.l4 + 8 + quoted;
    frame_fix_lengths(&frame);
    frame_fix_ip_csum(&frame);
    frame_fix_l4_csum(&frame);
}

static void error(void)
{
    const struct kept *k = &kept[rnd(KEPT)];
    if (kept_count < KEPT)
        return;
    bool inward = k->outward, corrupt = rnd(10) == 0;
    make_error(k, rnd(10) == 0);
    if (corrupt)
        frame.b[frame.l4 + rnd((uint32_t)(frame.n - frame.l4))] ^= (uint8_t)(1 + rnd(255));

    struct pkt *p = random_pkt(&pool, &frame, COMPLETE);
    struct view v;
    enum drop_reason why, naive;
    enum flow_dir dir;
    assert_int_equal(view_parse_ip4(&v, p), DROP_NONE);
    uint8_t zone = inward ? NETWORK_UPLINK : k->zone;
    if (!view_is_icmp_error(&v)) { /* corrupted into something else */
        release(p);
        return;
    }
    struct flow *f = nat_icmp_error(&nat, p, &v, zone, &dir, &why);
    assert_int_equal(f == NULL, why != DROP_NONE);
    assert_true(!f || dir == (inward ? FLOW_IN : FLOW_OUT));
    memcpy(expected, frame.b, frame.n);
    bool judged_first = frame.b[frame.l4] == 4; /* by its type alone */
    naive =
        corrupt && !judged_first ? DROP_L4_CSUM : naive_error(&model, expected, k->zone, inward);
    compare(p, COMPLETE, why, naive);
    release(p);
}

/* ---- everything else that happens ---- */

static unsigned resting(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(nat.resting); i++)
        count += nat.resting[i].count;
    return count;
}

static void expire_by(uint32_t ms)
{
    now_ms += ms;
    naive_expire(&model, now_ms);
    nat_tick(&nat, now_ms, UINT32_MAX);
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_mapping *m = &model.mappings[i];
        if (m->live && m->unclear)
            m->live = m->resting =
                mapping_find_outside(&nat, (uint8_t)m->proto, hton16((be16)m->out_port)) != NULL;
    }
}

static void pass_time(void)
{
    expire_by(rnd(10) == 0 ? rnd(400000) : rnd(2) ? rnd(3000) : rnd(60000));
    /* The wheel may be late by a slot, but never early. */
    for (unsigned i = 0; i < 4 && (nat.flows.live != naive_flow_count(&model) ||
                                   resting() != naive_resting_count(&model));
         i++) {
        assert_true(nat.flows.live >= naive_flow_count(&model));
        expire_by(FLOW_TICK_MS);
    }
}

static void change_limits(void)
{
    uint8_t zone = (uint8_t)rnd(2);
    struct nat_limits limits = {rnd(2) ? 0 : 5 + rnd(40), rnd(2) ? 0 : 1 + rnd(20)};

    nat_set_limits(&nat, zone, &limits);
    model.networks[zone] = true;
    model.max_flows[zone] = limits.flows;
    model.max_host_flows[zone] = limits.host_flows;
}

static void change_outside(void)
{
    uint32_t ip = rnd(4) == 0 ? 0 : PICK(outsides);
    nat_set_outside(&nat, hton32(ip), now_ms);
    while (nat.sweeping)
        nat_sweep(&nat, 1 + rnd(50), NULL, NULL);
    naive_set_outside(&model, ip, now_ms);
}

static void change_forwards(void)
{
    static struct nat_forward real[2][6]; /* the array stays the translator's until the next */
    static unsigned turn;
    struct naive_forward naive[6];
    static const uint16_t ports[] = {1, 80, 500, 1024, 4000, 8080, 65000};
    static const uint16_t lengths[] = {1, 1, 2, 3, 30, 500};
    unsigned count = rnd(6);

    turn ^= 1;
    for (unsigned i = 0; i < count; i++) {
        unsigned host = rnd(ARRAY_COUNT(hosts));
        naive[i] = (struct naive_forward){
            .proto = rnd(2) ? 6 : 17,
            .zone = hosts[host].zone,
            .first = PICK(ports),
            .target_port = PICK(host_ports),
            .bind = rnd(3) ? 0 : PICK(outsides),
            .target_count = 1 + rnd(2),
            .targets = {hosts[host].ip, hosts[host ^ 1].ip}, /* both are in one zone */
        };
        unsigned length = MIN(PICK(lengths), 65536u - naive[i].target_port);
        naive[i].last = naive[i].first + length - 1;
        if (rnd(3) == 0) {
            naive[i].from = PICK(remotes);
            naive[i].from_mask = 0xFFFFFF00;
        }
        real[turn][i] = (struct nat_forward){
            .proto = (uint8_t)naive[i].proto,
            .zone = (uint8_t)naive[i].zone,
            .target_count = (uint8_t)naive[i].target_count,
            .first_port = (uint16_t)naive[i].first,
            .last_port = (uint16_t)naive[i].last,
            .target_port = (uint16_t)naive[i].target_port,
            .bind_ip = hton32(naive[i].bind),
            .targets = {hton32(naive[i].targets[0]), hton32(naive[i].targets[1])},
            .from_ip = hton32(naive[i].from),
            .from_mask = hton32(naive[i].from_mask),
        };
    }
    if (rnd(2)) {
        unsigned host = rnd(ARRAY_COUNT(hosts)), i = count++;
        naive[i] = (struct naive_forward){
            .zone = hosts[host].zone, .target_count = 1, .targets = {hosts[host].ip}};
        real[turn][i] = (struct nat_forward){
            .zone = hosts[host].zone, .target_count = 1, .targets = {hton32(hosts[host].ip)}};
    }
    unsigned in_force = nat_set_forwards(&nat, real[turn], count);
    naive_set_forwards(&model, naive, count);
    for (unsigned i = 0; i < count; i++) {
        bool has_port = naive[i].proto == 0;
        for (unsigned port = naive[i].first; port <= naive[i].last && !has_port; port++)
            has_port = model.forwarded[naive[i].proto == 17][port];
        in_force -= has_port;
    }
    assert_int_equal(in_force, 0);
}

static bool answers(void *arg, const struct nat_forward *fwd, unsigned target)
{
    const struct naive_nat *n = arg;

    return !(n->silent >> ntoh32(fwd->targets[target]) % 32 & 1);
}

static void change_reserved(void)
{
    static const uint8_t protos[] = {6, 17, 1};
    static const uint16_t ports[] = {53, 1024, 4001};
    uint8_t proto = PICK(protos);
    bool *reserved = model.reserved[proto == 6 ? 0 : proto == 17 ? 1 : 2];
    uint16_t port = PICK(ports);

    if (reserved[port]) {
        nat_release(&nat, proto, hton16(port));
        reserved[port] = false;
        return;
    }
    bool taken = model.forwarded[proto == 6 ? 0 : proto == 17 ? 1 : 2][port];
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (model.mappings[i].live && model.mappings[i].proto == proto &&
            model.mappings[i].out_port == port) {
            taken |= !model.mappings[i].resting;
            model.mappings[i].live = !model.mappings[i].resting;
            model.mappings[i].resting = false;
        }
    assert_int_equal(nat_reserve_port(&nat, proto, hton16(port)), !taken);
    reserved[port] = !taken;
}

static void compare_states(void)
{
    static const enum flow_state states[] = {
        [NAIVE_ONE_WAY] = FLOW_UDP_ONE_WAY, [NAIVE_STREAM] = FLOW_UDP_STREAM,
        [NAIVE_OPENING] = FLOW_TCP_OPENING, [NAIVE_OPEN] = FLOW_TCP_ESTABLISHED,
        [NAIVE_ENDING] = FLOW_TCP_ENDING,   [NAIVE_CLOSING] = FLOW_TCP_CLOSING,
        [NAIVE_PING] = FLOW_ICMP,
    };
    unsigned ports_taken = 0;

    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        const struct naive_flow *n = &model.flows[i];
        if (!n->live)
            continue;
        const struct flow *f = real_flow(n);
        assert_non_null(f);
        assert_int_equal(f->state, states[naive_state_of(n)]);
        assert_int_equal(f->last_ms, n->last_ms);
        assert_int_equal(flow_bytes(&nat.flows, f, FLOW_OUT), n->bytes[0]);
        assert_int_equal(flow_bytes(&nat.flows, f, FLOW_IN), n->bytes[1]);
        assert_int_equal(f->packets[FLOW_OUT], n->packets[0]);
        assert_int_equal(f->packets[FLOW_IN], n->packets[1]);
        assert_int_equal(flow_cold(&nat.flows, f)->mapping == FLOW_NONE, n->through_forward);
    }
    for (unsigned p = 0; p < 3; p++)
        ports_taken += 65535 - nat.pools[p].free_count;
    for (unsigned p = 0; p < 3; p++)
        for (unsigned port = 0; port < 65536; port++)
            ports_taken -= model.reserved[p][port] || model.forwarded[p][port];
    assert_int_equal(ports_taken, naive_mapping_count(&model) + naive_resting_count(&model));
}

static void start(uint64_t with_seed)
{
    struct nat_params params = {.flow_capacity = CAPACITY, .alloc_dirty = fake_alloc_dirty};

    rnd_state = with_seed;
    event_number = 0;
    kept_count = 0;
    now_ms = 0xFFFFFFFFu - rnd(3600u * 1000 * 24);
    params.now_ms = now_ms;
    params.filtered_zones = rnd(4);
    params.random = (uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX);
    for (unsigned i = 0; i < 4; i++)
        params.key.k[i] = (uint64_t)rnd(UINT32_MAX) << 32 | rnd(UINT32_MAX) | 1;
    assert_int_equal(nat_init(&nat, &params, fake_alloc), 0);
    memset(&model, 0, sizeof(model));
    model.capacity = CAPACITY;
    nat_set_answers(&nat, answers, &model);
    model.filtered_zones = params.filtered_zones;
}

static void run(uint64_t with_seed, unsigned events)
{
    start(with_seed);
    for (; event_number < events; event_number++) {
        uint32_t what = rnd(1000);
        if (what < 400)
            outbound();
        else if (what < 800)
            inbound();
        else if (what < 930)
            error();
        else if (what < 984)
            pass_time();
        else if (what < 985)
            change_limits();
        else if (what < 988)
            change_reserved();
        else if (what < 990)
            model.silent = rnd(3) ? rnd(UINT32_MAX) : 0;
        else if (what < 995)
            change_forwards();
        else if (event_number < 100 || rnd(4) == 0)
            change_outside();
        assert_int_equal(nat.flows.live, naive_flow_count(&model));
        assert_int_equal(nat.counters.mappings_live, naive_mapping_count(&model));
        assert_int_equal(resting(), naive_resting_count(&model));
        for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
            assert_false(model.flows[i].gone);
        uint8_t proto = rnd(2) ? 6 : 17;
        uint16_t port = (uint16_t)any_known_port(proto);
        assert_int_equal(nat_claims(&nat, proto, hton16(port)), naive_claims(&model, proto, port));
        if (event_number % 64 == 0)
            compare_states();
    }
}

static int setup(void **state)
{
    (void)state;
    uint8_t *memory = fake_alloc((size_t)POOL_COUNT * PKT_BUF_BYTES, CACHE_LINE_BYTES);
    pkt_pool_init(&pool, memory, POOL_COUNT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bool whole = pool.free_count == POOL_COUNT;
    fake_alloc_free_all();
    return whole ? 0 : -1;
}

static void test_random_traffic(void **state)
{
    (void)state;
    const char *wanted = getenv("NAT_MODEL_SEED");
    run(wanted ? strtoull(wanted, NULL, 0) : 88172645463325252ull, EVENTS);

    /* It was worth the name. */
    assert_true(nat.flows.created > 5000);
    assert_true(nat.flows.expired > 1000);
    assert_true(nat.flows.refused > 50);
    assert_true(nat.counters.evicted > 1000);
    assert_true(nat.counters.icmp_errors_translated > 1000);
    assert_true(nat.counters.hairpins > 100);
    assert_true(nat.counters.picked_up > 100);
}

/* Fresh starts, so that early states are met more than once. */
static void test_many_starts(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 40; i++) {
        run(0x9E3779B97F4A7C15ull * i, 1500);
        fake_alloc_free_all();
        setup(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_traffic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_starts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
