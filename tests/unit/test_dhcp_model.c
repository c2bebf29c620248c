/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_server.c: random clients and a random clock, against a model that only knows who was
 * told what. Whatever happens, no address is given to a client while another may still be using it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"
#include "tests/fake/lease_judge.h"

#include <stdio.h>

#define CLIENTS 30

static struct model {
    be32 ip; /* of its last ACK */
    uint64_t until_us;
    be32 offered;
} model[CLIENTS];

static void check_nobody_else_has(be32 ip, unsigned client, const char *what)
{
    for (unsigned c = 0; c < CLIENTS; c++)
        if (c != client && model[c].ip == ip && model[c].until_us > dhcp_lab.now_us)
            fail_msg("%s: %08x to client %u, which client %u has", what, ntoh32(ip), client, c);
}

static void random_step(void)
{
    unsigned c = dhcp_lab_rnd(CLIENTS);
    struct model *m = &model[c];
    bool live = m->until_us > dhcp_lab.now_us;
    char id[16];
    struct dhcp_lab_request r = {
        .client = c, .type = DHCP_TYPE_REQUEST, .port = dhcp_lab_rnd(40) ? c % 3 : 3};

    snprintf(id, sizeof(id), "client %u", c);
    if (c % 3 == 0)
        r.id = id;
    switch (dhcp_lab_rnd(8)) {
    case 0:
    case 1:
        r.type = DHCP_TYPE_DISCOVER;
        r.requested = dhcp_lab_rnd(2) ? POOL(dhcp_lab_rnd(POOL_SIZE)) : 0;
        break;
    case 2:
    case 3:
        r.requested = m->offered;
        r.server = dhcp_lab_rnd(8) ? ROUTER : POOL(40);
        break;
    case 4:
        r.requested = POOL(dhcp_lab_rnd(POOL_SIZE));
        break;
    case 5:
        r.ciaddr = m->ip;
        break;
    case 6:
        r.type = dhcp_lab_rnd(8) ? DHCP_TYPE_RELEASE : DHCP_TYPE_DECLINE;
        r.ciaddr = r.requested = m->ip;
        r.server = ROUTER;
        m->until_us = 0; /* either way it uses the address no more */
        break;
    default:
        dhcp_lab.now_us += dhcp_lab_rnd(LEASE_S) * (uint64_t)(dhcp_lab_rnd(6) ? 10000 : 1000000);
        return;
    }
    unsigned type = dhcp_lab_ask(r);
    if (type == DHCP_TYPE_OFFER) {
        check_nobody_else_has(dhcp_lab_yiaddr(), c, "offer");
        if (live)
            assert_int_equal(dhcp_lab_yiaddr(), m->ip);
        m->offered = dhcp_lab_yiaddr();
    } else if (type == DHCP_TYPE_ACK) {
        check_nobody_else_has(dhcp_lab_yiaddr(), c, "ack");
        m->ip = dhcp_lab_yiaddr();
        m->until_us = dhcp_lab.now_us + LEASE_S * 1000000ull;
    } else if (r.ciaddr && live && r.type == DHCP_TYPE_REQUEST) {
        fail_msg("client %u could not renew", c);
    }
}

/* An address is bound exactly while it is leased, to who has the lease. */
static void check_bindings(void)
{
    struct lease_table *t = &dhcp_lab.server.leases[0];
    uint32_t now_s = (uint32_t)(dhcp_lab.now_us / 1000000);

    for (unsigned i = 0; i < POOL_SIZE; i++) {
        const struct lease *l = lease_of_ip(t, POOL(i));
        const struct dhcp_lab_binding *b = dhcp_lab_bound(0, POOL(i));
        assert_int_equal(b != NULL, lease_live(l, now_s));
        if (b)
            assert_memory_equal(b->mac, l->mac, MAC_BYTES);
    }
}

static void test_no_address_is_leased_twice(void **state)
{
    (void)state;
    memset(model, 0, sizeof(model));
    dhcp_lab.config.nets[0].ports = 0xF;
    dhcp_lab_start();
    for (unsigned i = 0; i < 200000; i++) {
        random_step();
        check_bindings();
        lease_judge(&dhcp_lab.server.leases[0]);
    }
    assert_true(dhcp_lab.server.counters.sent[DHCP_TYPE_ACK] > 10000);
    assert_true(dhcp_lab.server.counters.sent[DHCP_TYPE_NAK] > 1000);
    assert_true(dhcp_lab.server.counters.over_share > 1000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_no_address_is_leased_twice),
    };
    return cmocka_run_group_tests_name("dhcp_model", tests, NULL, NULL);
}
