/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dhcp_names.c: the names clients call themselves, as DNS knows them: none can be another's,
 * which is told, but not without end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dhcp_lab.h"
#include "tests/fake/fake_base.h"

#include <stdio.h>

static unsigned ask(unsigned client, be32 ip, const char *name)
{
    return dhcp_lab_ask((struct dhcp_lab_request){
        .type = DHCP_TYPE_REQUEST, .client = client, .requested = ip, .name = name});
}

static const char *name_of(be32 ip)
{
    return dhcp_server_name_of(&dhcp_lab.server, 0, ip, dhcp_lab.now_us);
}

static void configure(void)
{
    struct config *c = &dhcp_lab.config;

    snprintf(c->hostname, sizeof(c->hostname), "gate");
    snprintf(c->nets[0].domain, sizeof(c->nets[0].domain), "lan");
    snprintf(c->nets[1].domain, sizeof(c->nets[1].domain), "cell.lan");
    c->host_count = 1;
    c->hosts[0] = (struct config_host){.net = CONFIG_NO_NET, .name = "web", .mac = {2, 7}};
    c->dnsrec_count = 2;
    c->dnsrecs[0] = (struct config_dnsrec){"nas", ROUTER};
    c->dnsrecs[1] = (struct config_dnsrec){"tv.lan", ROUTER};
    c->dnsfwd_count = 2;
    c->dnsfwds[0] = (struct config_dnsfwd){"corp", ROUTER, CONFIG_NO_NET};
    c->dnsfwds[1] = (struct config_dnsfwd){"ad.lan", ROUTER, CONFIG_NO_NET};
    dhcp_lab_start();
    ask(2, POOL(2), "taken");
}

static void test_names_of_others(void **state)
{
    static const struct {
        int id;
        const char *name, *whose; /* NULL: it may have it */
    } rows[] = {
        {1, "Gate", "which is the router's own (hostname=):"},
        {2, "web", "which is that of a host=:"},
        {3, "nas", "which is that of a dnsrec=:"},
        {4, "tv", "which is that of a dnsrec=:"},
        {5, "corp", "which is that of a dnsfwd=:"},
        {6, "ad", "which is that of a dnsfwd=:"},
        {7, "lan", "which is that of a domain:"},
        {8, "cell", "which is that of a domain:"},
        {9, "TAKEN", "which is that of another client:"},
        {10, "free", NULL},
        {11, "gat", NULL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        configure();
        fake_log_clear();
        assert_int_equal(ask(1, POOL(1), rows[i].name), DHCP_TYPE_ACK); /* an address it has */
        const char *want = rows[i].whose ? "" : rows[i].name;
        if (strcmp(name_of(POOL(1)), want) != 0 ||
            fake_log_has("calls itself") != (rows[i].whose != NULL) ||
            (rows[i].whose && !fake_log_has(rows[i].whose)) ||
            dhcp_lab.server.counters.names_refused != (rows[i].whose != NULL))
            fail_msg("row %d", rows[i].id);
    }
}

/* Who keeps trying is counted, and told of once a minute. */
static void test_told_at_a_bounded_rate(void **state)
{
    unsigned told = 0;

    (void)state;
    configure();
    for (unsigned second = 0; second < 120; second++) {
        fake_log_clear();
        ask(1, POOL(1), "web");
        told += fake_log_has("calls itself web");
        dhcp_lab.now_us += 1000000;
    }
    assert_int_equal(told, 2);
    assert_int_equal(dhcp_lab.server.counters.names_refused, 120);
}

static void test_name_of_an_address(void **state)
{
    (void)state;
    configure();
    assert_string_equal(name_of(POOL(2)), "taken");
    assert_null(name_of(POOL(3)));
    assert_null(name_of(ROUTER));
    assert_null(dhcp_server_name_of(&dhcp_lab.server, 5, POOL(2), dhcp_lab.now_us));
    ask(3, POOL(3), NULL);
    assert_string_equal(name_of(POOL(3)), "");
    dhcp_lab.now_us += (LEASE_S + LEASE_GRACE_S) * 1000000ull;
    assert_null(name_of(POOL(2)));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dhcp_lab_setup, dhcp_lab_teardown)
    const struct CMUnitTest tests[] = {
        T(test_names_of_others),
        T(test_told_at_a_bounded_rate),
        T(test_name_of_an_address),
    };
    return cmocka_run_group_tests_name("dhcp_names", tests, NULL, NULL);
}
