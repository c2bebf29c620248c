/* SPDX-License-Identifier: BSD-3-Clause
 *
 * All of the translator at once: networks that filter and that do not, limits, plain flows, holds,
 * forwards that are replaced while they are used, a last resort, the router's own ports, changes of
 * the outside address, bursts whose guesses are made before anything is opened or made room for;
 * in tables so small that each step may fail half-way. What passes is the business of the tests and
 * models of each piece. Here everything that is counted is counted again after each step: flows,
 * accounts, mappings, holds, rest, permits, and who has each port. (Lists of flows that can make
 * room: test_nat_share.c.)
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/nat_mapping.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/nat_rig.h"

#include <stdlib.h>

#define GRE        47
#define STEPS      3000
#define ZONES      4u /* 0 and 2 translate, 1 as well and filters, 3 does not translate */
#define FILTERED   (1u << 1)
#define HOSTS      3u
#define HOLDS      40u
#define PORT_WORDS (65536 / 64)

static const be32 addresses[] = {0, OUTSIDE, BE_IP4(203, 0, 113, 10), BE_IP4(203, 0, 113, 11)};
static const uint16_t ports[] = {0, 80, 1000, 1001, 5000, 5001, 5353, 40000};
static const uint8_t protos[] = {TCP, TCP, UDP, UDP, ICMP, GRE};
static const uint8_t flags[] = {TCP_SYN,           TCP_SYN, TCP_ACK, TCP_SYN | TCP_ACK,
                                TCP_FIN | TCP_ACK, TCP_ACK, TCP_RST};

/* What the test knows by itself. */
static struct flow_tuple held[HOLDS];
static unsigned held_count;
static uint64_t reserved[2][PORT_WORDS]; /* the router's: TCP, UDP */
static unsigned silent;                  /* hosts of forwards that do not answer, a bit each */

static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static be32 host(unsigned zone, unsigned i)
{
    return hton32(ntoh32(BE_IP4(192, 168, 0, 2)) + (zone << 8) + i);
}

static be32 remote(void)
{
    return below(2) ? R1 : R2;
}

static uint16_t port(void)
{
    return ports[below(ARRAY_COUNT(ports))];
}

/* ---- the books ---- */

/* What is counted again: by number of flow, mapping, account, zone. */
struct books {
    uint32_t *mapping_flows, *mapping_holders, *mapping_holds;
    struct flow_user *users;
    struct flow_network networks[FLOW_USER_NETWORKS];
    uint64_t taken[NAT_POOLS][PORT_WORDS];
    uint32_t live, mappings, at_rest, permits;
};

static bool in_use(const struct nat_mapping *m)
{
    return mapping_find_outside(&rig_nat, m->proto, m->out_port) == m;
}

static bool keeps(const struct flow *f)
{
    return f->state != FLOW_FREE && f->flags & FLOW_HOLDS_MAPPING &&
           flow_cold(&rig_nat.flows, f)->mapping != FLOW_NONE;
}

static void count_flow(struct books *b, uint32_t id)
{
    struct flow_table *t = &rig_nat.flows;
    struct flow *f = &t->flows[id];
    struct flow_tuple out = flow_tuple_of(f, FLOW_OUT), in = flow_tuple_of(f, FLOW_IN);
    uint32_t mapping = t->cold[id].mapping;

    assert_ptr_equal(flow_find(t, &out, flow_hash(t, &out), FLOW_OUT), f);
    assert_ptr_equal(flow_find(t, &in, flow_hash(t, &in), FLOW_IN), f);
    b->live++;
    b->users[f->user].flows++;
    b->networks[f->zone].flows++;
    if (f->user != FLOW_USER_REST)
        assert_true(t->users.user[f->user].ip == f->in_ip &&
                    t->users.user[f->user].zone == f->zone);
    if (mapping == FLOW_NONE) {
        assert_false(f->flags & (FLOW_HOLDS_MAPPING | FLOW_PERMITS));
        return;
    }
    const struct nat_mapping *m = &rig_nat.mappings[mapping];
    assert_true(m->out_port == f->out_port && mapping_is_of(m, &out) && !mapping_rests(m));
    b->mapping_flows[mapping]++;
    b->mapping_holders[mapping] += keeps(f);
    if (!(f->flags & FLOW_PERMITS))
        return;
    assert_true(keeps(f) && (FILTERED >> f->zone & 1));
    assert_true(permit_is_there(&rig_nat.permits, mapping, f->rem_ip));
}

/* Every permit has just the flows that have joined it. */
static void check_permits(struct books *b)
{
    const struct nat_permits *t = &rig_nat.permits;

    for (uint32_t i = 0; i < t->fresh; i++) {
        uint32_t joined = 0;
        for (uint32_t id = 0; id < rig_nat.flows.fresh && t->permits[i].flows; id++) {
            const struct flow *f = &rig_nat.flows.flows[id];
            joined += f->state != FLOW_FREE && f->flags & FLOW_PERMITS &&
                      rig_nat.flows.cold[id].mapping == t->permits[i].mapping &&
                      f->rem_ip == t->permits[i].remote;
        }
        assert_int_equal(joined, t->permits[i].flows);
        b->permits += joined > 0;
    }
    assert_int_equal(b->permits, t->live);
    assert_int_equal(b->permits, t->index.used);
}

static void count_mapping(struct books *b, const struct nat_mapping *m)
{
    unsigned pool = mapping_pool_number(m->proto);
    uint32_t id = mapping_id(&rig_nat, m);
    uint64_t bit = 1ull << ntoh16(m->out_port) % 64;
    uint64_t *word = &b->taken[pool][ntoh16(m->out_port) / 64];

    assert_false(*word & bit);
    *word |= bit;
    if (mapping_rests(m)) {
        assert_int_equal(b->mapping_flows[id] + b->mapping_holds[id], 0);
        b->at_rest++;
        return;
    }
    b->mappings++;
    assert_true(m->flows > 0);
    assert_int_equal(m->holds, b->mapping_holds[id]);
    assert_int_equal(m->flows, b->mapping_flows[id] + m->holds);
    assert_int_equal(m->holders, b->mapping_holders[id] + m->holds);
    b->users[m->user].ports[pool]++;
    b->networks[m->zone].ports[pool]++;
}

static void check_rest(struct books *b)
{
    for (unsigned i = 0; i < ARRAY_COUNT(rig_nat.resting); i++) {
        const struct nat_resting *r = &rig_nat.resting[i];
        uint32_t before = UINT32_MAX, count = 0;
        for (uint32_t id = r->oldest; id != UINT32_MAX; id = rig_nat.mappings[id].newer) {
            const struct nat_mapping *m = &rig_nat.mappings[id];
            assert_true(mapping_rests(m) && in_use(m));
            assert_int_equal(mapping_pool_number(m->proto), i % NAT_POOLS);
            assert_int_equal(ntoh16(m->out_port) < 1024, i >= NAT_POOLS);
            assert_int_equal(m->older, before);
            if (before != UINT32_MAX)
                assert_true(
                    (int32_t)(m->rests_since_ms - rig_nat.mappings[before].rests_since_ms) >= 0);
            before = id;
            count++;
        }
        assert_int_equal(r->newest, before);
        assert_int_equal(r->count, count);
        b->at_rest -= count;
    }
    assert_int_equal(b->at_rest, 0);
}

static void check_users(struct books *b)
{
    const struct flow_users *users = &rig_nat.flows.users;
    uint32_t live = 0;

    for (uint32_t i = 0; i < users->fresh; i++) {
        const struct flow_user *u = &users->user[i];
        live += u->zone != UINT8_MAX;
        assert_int_equal(u->flows, b->users[i].flows);
        assert_memory_equal(u->ports, b->users[i].ports, sizeof(u->ports));
        /* Nobody keeps an account for nothing. */
        assert_true(u->zone == UINT8_MAX || u->flows || u->ports[0] || u->ports[1] || u->ports[2]);
    }
    assert_int_equal(live, users->live);
    for (unsigned i = 0; i < FLOW_USER_NETWORKS; i++) {
        assert_int_equal(users->network[i].flows, b->networks[i].flows);
        assert_memory_equal(users->network[i].ports, b->networks[i].ports,
                            sizeof(b->networks[i].ports));
    }
}

/* Every port that is taken is a mapping's, the forwards' or the router's, and of only one. */
static void check_ports(struct books *b)
{
    for (unsigned i = 0; i < NAT_POOLS; i++) {
        const struct port_pool *pool = &rig_nat.pools[i];
        uint32_t taken = 0, low = 0;
        b->taken[i][0] |= 1; /* port 0 is none */
        for (unsigned w = 0; w < PORT_WORDS; w++) {
            uint64_t others = i < 2 ? rig_nat.forward_ports[i][w] | reserved[i][w] : 0;
            assert_true((b->taken[i][w] & others) == 0);
            b->taken[i][w] |= others;
            taken += (uint32_t)__builtin_popcountll(b->taken[i][w]);
            low += w < PORT_POOL_FIRST / 64 ? (uint32_t)__builtin_popcountll(b->taken[i][w]) : 0;
        }
        assert_memory_equal(pool->taken, b->taken[i], sizeof(b->taken[i]));
        assert_int_equal(pool->free_count, 65536 - taken);
        assert_int_equal(pool->free_low, PORT_POOL_FIRST - low);
    }
}

static void check_books(void)
{
    const struct flow_table *t = &rig_nat.flows;
    uint32_t mappings = rig_nat.mapping_capacity;
    struct books *b = calloc(1, sizeof(*b));

    b->mapping_flows = calloc(mappings, sizeof(uint32_t));
    b->mapping_holders = calloc(mappings, sizeof(uint32_t));
    b->mapping_holds = calloc(mappings, sizeof(uint32_t));
    b->users = calloc(t->users.fresh, sizeof(*b->users));
    for (uint32_t i = 0; i < t->fresh; i++)
        if (t->flows[i].state != FLOW_FREE)
            count_flow(b, i);
    for (unsigned i = 0; i < held_count; i++) {
        const struct nat_mapping *m =
            mapping_find_inside(&rig_nat, &held[i], mapping_hash(&rig_nat, &held[i]));
        assert_non_null(m);
        b->mapping_holds[mapping_id(&rig_nat, m)]++;
    }
    for (uint32_t i = 0; i < rig_nat.mapping_fresh; i++)
        if (in_use(&rig_nat.mappings[i]))
            count_mapping(b, &rig_nat.mappings[i]);
    assert_int_equal(b->live, t->live);
    assert_int_equal(2 * b->live, t->index.used);
    assert_int_equal(b->mappings, rig_nat.counters.mappings_live);
    assert_int_equal(2 * (b->mappings + b->at_rest), rig_nat.mapping_index.used);
    assert_int_equal(held_count, rig_nat.holds);
    check_rest(b);
    check_users(b);
    check_permits(b);
    check_ports(b);
    free(b->mapping_flows);
    free(b->mapping_holders);
    free(b->mapping_holds);
    free(b->users);
    free(b);
}

/* ---- packets ---- */

/* As net/dataplane_route.c and its kin do it: a flow that is outdated or leads to a host that does
 * not answer goes first; what is opened may be turned down by a rule. */
static void pass(struct nat_job *job, int plain_to)
{
    enum drop_reason why;
    struct flow *f = nat_find(&rig_nat, job);

    if (f && (nat_is_outdated(&rig_nat, f) ||
              (f->flags & FLOW_IN_TURN && job->dir == FLOW_IN && nat_is_stranded(&rig_nat, f)))) {
        nat_end(&rig_nat, f);
        f = NULL;
    }
    if (!f) {
        f = plain_to >= 0 ? nat_open_plain(&rig_nat, job, (uint8_t)plain_to, rig_now_ms, &why)
            : job->dir == FLOW_IN ? nat_open_in(&rig_nat, job, rig_now_ms, &why)
                                  : nat_open_out(&rig_nat, job, rig_now_ms, &why);
        if (!f) {
            assert_int_not_equal(why, DROP_NONE);
            return;
        }
        assert_true(f->flags & FLOW_PLAIN || f->out_ip == rig_nat.outside_ip);
        if (below(16) == 0) {
            nat_end(&rig_nat, f);
            return;
        }
    }
    assert_false(nat_is_outdated(&rig_nat, f));
    nat_apply(&rig_nat, f, job, rig_now_ms);
}

/* Makes a packet, of one of the kinds that come from this zone; plain_to as for pass(). */
static struct pkt *make_packet(uint8_t zone, int *plain_to)
{
    struct rig_send s = {.proto = protos[below(ARRAY_COUNT(protos))],
                         .sport = port(),
                         .dport = port(),
                         .flags = flags[below(ARRAY_COUNT(flags))]};

    *plain_to = -1;
    if (zone == NETWORK_UPLINK) {
        const struct nat_mapping *m = &rig_nat.mappings[below(MAX(rig_nat.mapping_fresh, 1u))];
        s.src = below(8) ? remote() : rig_nat.outside_ip; /* a hairpin's second half */
        s.dst = below(8) ? rig_nat.outside_ip : addresses[below(ARRAY_COUNT(addresses))];
        if (below(2))
            s.dport = ntoh16(m->out_port);
        if (below(4) == 0) {
            s.dst = host(3, below(HOSTS));
            *plain_to = 3;
        }
    } else {
        s.src = host(zone, below(HOSTS));
        s.dst = remote();
        if (zone == 3)
            *plain_to = NETWORK_UPLINK;
        if (below(6) == 0) {
            *plain_to = (zone + 1) % ZONES;
            s.dst = host((unsigned)*plain_to, below(HOSTS));
        }
    }
    if (s.proto == ICMP)
        s.flags = below(4) ? ICMP_ECHO : ICMP_ECHO_REPLY;
    nat_rig_make(&s);
    return rig_pkt();
}

/* Several packets that come at once: all have been guessed at before the first is let through. */
static void burst(void)
{
    uint8_t zone = below(3) == 0 ? NETWORK_UPLINK : (uint8_t)below(ZONES);
    unsigned count = 1 + below(4), n = 0;
    struct nat_job jobs[4];
    int plain_to[4];

    for (unsigned i = 0; i < count; i++) {
        struct nat_job *job = &jobs[n];
        *job = (struct nat_job){.p = make_packet(zone, &plain_to[n])};
        assert_int_equal(view_parse_ip4(&job->v, job->p), DROP_NONE);
        assert_int_equal(nat_key(&rig_nat, job, zone), DROP_NONE);
        n++;
    }
    for (unsigned i = 0; i < n; i++)
        nat_prefetch(&rig_nat, &jobs[i]);
    for (unsigned i = 0; i < n; i++) {
        if (rig_nat.closed && plain_to[i] == NETWORK_UPLINK)
            plain_to[i] = 2;
        if (!(rig_nat.closed && zone == NETWORK_UPLINK))
            pass(&jobs[i], plain_to[i]);
        rig_release(jobs[i].p);
    }
}

/* ---- everything else ---- */

static void change_holds(void)
{
    unsigned zone = below(3), i = below(HOLDS);
    struct flow_tuple k = {.src = host(zone, below(HOSTS)),
                           .sport = hton16(port()),
                           .proto = below(2) ? TCP : UDP,
                           .zone = (uint8_t)zone};

    if (i < held_count) {
        k = held[i];
        held[i] = held[--held_count];
        nat_let_go(&rig_nat, &k, rig_now_ms);
    } else if (nat_hold(&rig_nat, &k, hton16(port()), below(2))) {
        held[held_count++] = k;
    }
}

static void change_reserved(void)
{
    unsigned i = below(2);
    uint8_t proto = i ? UDP : TCP;
    uint16_t p = port();
    uint64_t *word = &reserved[i][p / 64], bit = 1ull << p % 64;

    if (*word & bit) {
        nat_release(&rig_nat, proto, hton16(p));
        *word &= ~bit;
    } else if (nat_reserve_port(&rig_nat, proto, hton16(p))) {
        *word |= bit;
    }
}

/* Forwards by these ports, which overlap in part, and last resorts. */
static const struct nat_forward forwards[] = {
    {TCP,
     0,
     3,
     5000,
     5001,
     80,
     0,
     0,
     0,
     {BE_IP4(192, 168, 0, 2), BE_IP4(192, 168, 0, 3), BE_IP4(192, 168, 0, 4)}},
    {UDP, 1, 2, 5353, 5353, 5353, 0, 0, 0, {BE_IP4(192, 168, 1, 2), BE_IP4(192, 168, 1, 3)}},
    {0, 2, 1, 0, 0, 0, 0, 0, 0, {BE_IP4(192, 168, 2, 2)}},
    {TCP,
     2,
     1,
     1000,
     1000,
     1000,
     OUTSIDE,
     R1,
     BE_IP4(255, 255, 255, 255),
     {BE_IP4(192, 168, 2, 2)}},
    {UDP, 0, 1, 1000, 1001, 5000, 0, 0, 0, {BE_IP4(192, 168, 0, 4)}},
};

static bool target_answers(void *arg, const struct nat_forward *fwd, unsigned target)
{
    (void)arg;
    return !(silent >> (fwd->zone * NAT_MAX_TARGETS + target) & 1);
}

static void change_forwards(void)
{
    unsigned first = below(ARRAY_COUNT(forwards)), count = below(ARRAY_COUNT(forwards) + 1 - first);

    nat_set_forwards(&rig_nat, &forwards[first], count);
}

static void change_address(void)
{
    if (below(6) == 0)
        nat_close_uplink(&rig_nat, rig_now_ms);
    else
        nat_set_outside(&rig_nat, addresses[below(ARRAY_COUNT(addresses))], rig_now_ms);
}

static void on_swept(void *arg, struct flow *f, const struct tcp_reset *reset)
{
    (void)arg;
    assert_true(nat_is_outdated(&rig_nat, f));
    assert_true(!reset || (f->proto == TCP && reset->dst == f->in_ip));
}

static void step(void)
{
    switch (below(64)) {
    case 0:
        change_forwards();
        break;
    case 1:
        change_address();
        break;
    case 2:
    case 3:
        rig_wait_ms(below(3) ? below(2000) : below(250000));
        break;
    case 4:
    case 5:
        change_reserved();
        break;
    case 6:
        silent = below(2) ? 0 : below(1u << 16);
        break;
    case 7 ... 12:
        change_holds();
        break;
    case 13 ... 16:
        nat_sweep(&rig_nat, 1 + below(3), on_swept, NULL);
        break;
    default:
        burst();
    }
}

/* ---- the tests ---- */

static void start(uint32_t capacity, uint64_t seed)
{
    fake_alloc_free_all();
    memset(reserved, 0, sizeof(reserved));
    held_count = 0;
    silent = 0;
    random_state = seed * 0x9E3779B97F4A7C15ull | 1;
    rig_restart_filtering(capacity, FILTERED);
    nat_set_answers(&rig_nat, target_answers, NULL);
    for (unsigned zone = 0; zone < ZONES; zone++)
        nat_set_limits(&rig_nat, (uint8_t)zone, &(struct nat_limits){0, zone == 2 ? 5 : 0});
}

static void stress(void)
{
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        check_books();
    }
    /* And all of it ends. */
    while (held_count > 0) {
        held_count--;
        nat_let_go(&rig_nat, &held[held_count], rig_now_ms);
    }
    rig_wait_ms(7450 * 1000);
    rig_wait_ms(NAT_REST_MS);
    check_books();
    assert_int_equal(rig_nat.flows.live + rig_nat.counters.mappings_live, 0);
    assert_int_equal(rig_nat.mapping_index.used + rig_nat.flows.users.live, 0);
}

/* More than one for whoever has the time. */
static unsigned seeds(void)
{
    const char *more = getenv("TOGETHER_SEEDS");
    return more ? (unsigned)atoi(more) : 1;
}

static void test_together(void **state)
{
    static const uint32_t capacities[] = {7, 12, 30, 100};

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(capacities); i++)
        for (unsigned seed = 1; seed <= seeds(); seed++) {
            start(capacities[i], seed + i * 1000003);
            stress();
        }
}

/* Indexes that are too small: any step may find no room. */
static void test_no_room(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= seeds(); seed++) {
        start(60, seed + 77);
        assert_int_equal(index_init(&rig_nat.flows.index, 1, fake_alloc), 0);
        assert_int_equal(index_init(&rig_nat.mapping_index, 1, fake_alloc), 0);
        if (seed % 2)
            assert_int_equal(index_init(&rig_nat.permits.index, 1, fake_alloc), 0);
        stress();
    }
}

/* Ports that rest are no reason to refuse who has asked for one. */
static void test_hold_while_all_rest(void **state)
{
    struct flow_tuple k = {.src = host(0, 1), .sport = hton16(5000), .proto = UDP};

    (void)state;
    fake_alloc_free_all();
    rig_restart(70000);
    for (uint32_t p = 1; p < 65536; p++) {
        struct flow_tuple other = {.src = host(0, 0), .sport = hton16((uint16_t)p), .proto = UDP};
        assert_int_equal(nat_hold(&rig_nat, &other, other.sport, true), other.sport);
        nat_let_go(&rig_nat, &other, rig_now_ms);
    }
    assert_int_equal(rig_nat.pools[1].free_count, 0);
    assert_int_equal(nat_hold(&rig_nat, &k, k.sport, true), 0); /* just that one is another's */
    assert_int_not_equal(nat_hold(&rig_nat, &k, k.sport, false), 0);
    assert_true(rig_nat.counters.cut_short > 0);
}

/* The host reads its clock later than the round that the translator is in. */
static void test_moved_in_the_future(void **state)
{
    (void)state;
    fake_alloc_free_all();
    rig_restart(10);
    nat_set_outside(&rig_nat, BE_IP4(203, 0, 113, 10), rig_now_ms + 2);
    nat_tick(&rig_nat, rig_now_ms, 100);
    REFUSED(rig_out(TCP, A, 5000, R1, 80, TCP_ACK), MOVED);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hold_while_all_rest, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_moved_in_the_future, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_together, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_room, rig_setup, rig_teardown),
    };

    return cmocka_run_group_tests_name("nat_together", tests, NULL, NULL);
}
