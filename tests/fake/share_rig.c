/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/share_rig.h"

#include "net/nat_mapping.h"
#include "tests/fake/fake_alloc.h"

#include <stdlib.h>

void share_start(uint32_t capacity)
{
    fake_alloc_free_all();
    rig_restart(capacity);
}

enum drop_reason share_out(uint8_t zone, uint8_t proto, be32 src, uint16_t port, be32 to)
{
    nat_rig_make(&(struct rig_send){.proto = proto,
                                    .src = src,
                                    .sport = port,
                                    .dst = to,
                                    .dport = proto == ICMP ? 0 : 80,
                                    .flags = proto == TCP ? TCP_SYN : ICMP_ECHO});
    return rig_send_frame(zone, FLOW_OUT);
}

enum drop_reason share_talk(uint8_t zone, be32 src, uint16_t port, be32 to)
{
    enum drop_reason why = share_out(zone, UDP, src, port, to);
    if (why == DROP_NONE)
        PASSES(rig_in(UDP, to, 80, rig_outside_port(), 0));
    return why;
}

struct flow_user *share_account(be32 ip)
{
    struct flow_users *users = &rig_nat.flows.users;
    for (uint32_t i = 1; i < users->fresh; i++)
        if (users->user[i].zone != UINT8_MAX && users->user[i].ip == ip)
            return &users->user[i];
    return &users->user[FLOW_USER_REST];
}

/* ---- the books ---- */

static void check_list(unsigned id, enum flow_spare spare)
{
    const struct flow_table *t = &rig_nat.flows;
    const struct flow_user *user = &t->users.user[id];
    uint32_t first = user->oldest[spare], at = first, count = 0;

    assert_int_equal(first == FLOW_NONE, user->spare[spare] == 0);
    while (at != FLOW_NONE) {
        const struct flow *f = &t->flows[at];
        uint32_t next = t->cold[at].spare_next;
        assert_int_equal(f->user, id);
        assert_true(f->flags & FLOW_SPARE);
        assert_int_equal(f->state == FLOW_TCP_CLOSING, spare == SPARE_CLOSING);
        assert_int_equal(f->state == FLOW_TCP_OPENING, spare == SPARE_OPENING);
        assert_int_equal(t->cold[next].spare_prev, at);
        if (next != first && spare != SPARE_CLOSING)
            assert_true((int32_t)(t->cold[next].created_ms - t->cold[at].created_ms) >= 0);
        count++;
        if (next == first)
            break;
        at = next;
    }
    assert_int_equal(count, user->spare[spare]);
}

void share_check_books(void)
{
    const struct flow_table *t = &rig_nat.flows;
    uint32_t accounts = t->users.fresh, live = 0, hosts = 0, spare = 0, mappings = 0;
    struct flow_network *networks = calloc(FLOW_USER_NETWORKS, sizeof(*networks));
    struct flow_user *again = calloc(accounts, sizeof(*again));
    bool *seen = calloc(rig_nat.mapping_capacity, sizeof(*seen));

    for (uint32_t i = 0; i < t->fresh; i++) {
        const struct flow *f = &t->flows[i];
        if (f->state == FLOW_FREE)
            continue;
        uint32_t mapping = t->cold[i].mapping;
        live++;
        again[f->user].flows++;
        networks[f->zone].flows++;
        spare += (f->flags & FLOW_SPARE) != 0;
        if (f->user != FLOW_USER_REST)
            assert_true(t->users.user[f->user].ip == f->in_ip &&
                        t->users.user[f->user].zone == f->zone);
        if (mapping == FLOW_NONE || seen[mapping])
            continue;
        seen[mapping] = true;
        mappings++;
        again[rig_nat.mappings[mapping].user].ports[mapping_pool_number(f->proto)]++;
        networks[f->zone].ports[mapping_pool_number(f->proto)]++;
    }
    for (uint32_t i = 0; i < accounts; i++) {
        const struct flow_user *user = &t->users.user[i];
        assert_int_equal(user->flows, again[i].flows);
        assert_memory_equal(user->ports, again[i].ports, sizeof(user->ports));
        check_list(i, SPARE_CLOSING);
        check_list(i, SPARE_OPENING);
        check_list(i, SPARE_ONE_WAY);
        spare -=
            user->spare[SPARE_CLOSING] + user->spare[SPARE_OPENING] + user->spare[SPARE_ONE_WAY];
        hosts += user->zone != UINT8_MAX;
    }
    for (unsigned i = 0; i < FLOW_USER_NETWORKS; i++) {
        assert_int_equal(t->users.network[i].flows, networks[i].flows);
        assert_memory_equal(t->users.network[i].ports, networks[i].ports,
                            sizeof(networks[i].ports));
    }
    assert_int_equal(spare, 0);
    assert_int_equal(hosts, t->users.live);
    assert_int_equal(live, t->live);
    assert_int_equal(mappings, rig_nat.counters.mappings_live);
    free(networks);
    free(again);
    free(seen);
}

int share_teardown(void **state)
{
    share_check_books();
    rig_wait_ms(7441 * 1000); /* all that there is ends, and rests */
    rig_wait_ms(FLOW_TICK_MS);
    rig_wait_ms(NAT_REST_MS);
    assert_int_equal(rig_nat.flows.live, 0);
    assert_int_equal(rig_nat.flows.users.live, 0);
    share_check_books();
    for (unsigned i = 0; i < 2 && rig_nat.forward_count == 0; i++)
        assert_int_equal(rig_nat.pools[i].free_count, 65535);
    return rig_teardown(state);
}
