/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_upstream.c: how long a server is waited for, when it is dead and probed, and which of two
 * is asked first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dns_upstream.h"
#include "tests/fake/dns_rig.h"

#define NOW_US 5000000ull

/* RFC 6298 as it is written, and its bounds as dns_upstream.h has them. */
static void test_waits(void **state)
{
    for (unsigned round = 0; round < 200; round++) {
        struct dns_upstream u;
        double srtt = 0, rttvar = 0;
        uint32_t base_us = 100 + dns_rig_random(round % 2 ? 2000000 : 60000);

        (void)state;
        dns_upstream_init(&u, 0, SERVER(0));
        assert_int_equal(dns_upstream_wait_us(&u, 0), DNS_WAIT_FIRST_US);
        for (unsigned i = 0; i < 100; i++) {
            uint32_t r_us = base_us + dns_rig_random(base_us);
            rttvar =
                i ? 0.75 * rttvar + 0.25 * (srtt > r_us ? srtt - r_us : r_us - srtt) : r_us / 2.0;
            srtt = i ? 0.875 * srtt + 0.125 * r_us : r_us;
            dns_upstream_answered(&u, r_us, false, NOW_US);
            double rto = srtt + 4 * rttvar;
            rto = rto < DNS_WAIT_MIN_US ? DNS_WAIT_MIN_US : MIN(rto, DNS_WAIT_MAX_US);
            for (unsigned times = 0; times < 4; times++) {
                double off = dns_upstream_wait_us(&u, times) / (rto * (1u << MIN(times, 2u)));
                if (off < 0.999 || off > 1.001)
                    fail_msg("round %u, answer %u: %u us instead of %.0f", round, i,
                             dns_upstream_wait_us(&u, times), rto);
            }
        }
    }
}

/* After half a minute the new counts as much as all before it. */
static void test_what_is_old_counts_less(void **state)
{
    struct dns_upstream u;

    (void)state;
    dns_upstream_init(&u, 0, SERVER(0));
    dns_upstream_answered(&u, 32000, false, NOW_US);
    dns_upstream_answered(&u, 16000, false, NOW_US + 1000000);
    assert_int_equal(u.latency_us, 30000);
    dns_upstream_answered(&u, 10000, false, NOW_US + 31000000);
    assert_int_equal(u.latency_us, 20000);
}

/* What happens: a an answer, e an error, t a question is not answered in time, T nor when asked
 * again, p a probe is not. */
static bool happen(struct dns_upstream *u, const char *what)
{
    bool change = false;

    for (; *what; what++) {
        if (*what == 'a' || *what == 'e')
            change = dns_upstream_answered(u, 20000, *what == 'e', NOW_US);
        else
            change = dns_upstream_timed_out(u, *what != 'T', *what == 'p', NOW_US);
    }
    return change;
}

static void test_states(void **state)
{
    static const struct {
        int id;
        const char *what;
        enum dns_state state;
        unsigned probe_ms; /* from now; 0: at once */
        bool change;       /* the last of it: it has died, or come back */
    } rows[] = {
        {1, "a", DNS_UP, 30000, false},
        {2, "t", DNS_SLOW, 0, false},
        {3, "tt", DNS_DEAD, 1000, true},
        {4, "tT", DNS_SLOW, 0, false}, /* of one question only the first counts */
        {5, "tat", DNS_SLOW, 0, false},
        {6, "ta", DNS_UP, 30000, false},
        {7, "ttt", DNS_DEAD, 1000, false}, /* sent before it was known */
        {8, "ttp", DNS_DEAD, 2000, false},
        {9, "ttptttp", DNS_DEAD, 4000, false},
        {10, "ttpppppp", DNS_DEAD, 60000, false},
        {11, "ttppppppppp", DNS_DEAD, 60000, false},
        {12, "ttpppa", DNS_UP, 30000, true},
        {13, "ttpppe", DNS_UP, 30000, true},
        {14, "ttpppatt", DNS_DEAD, 1000, true},
        {15, "ee", DNS_UP, 30000, false},
        {16, "eee", DNS_FAILING, 30000, false},
        {17, "eeae", DNS_UP, 30000, false},
        {18, "eeea", DNS_UP, 30000, false},
        {19, "eeett", DNS_DEAD, 1000, true},
        {20, "tp", DNS_DEAD, 1000, true},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct dns_upstream u;
        dns_upstream_init(&u, 0, SERVER(0));
        bool change = happen(&u, rows[i].what);
        uint64_t probe_us = NOW_US + rows[i].probe_ms * 1000ull;
        if (dns_upstream_state(&u) != rows[i].state || change != rows[i].change)
            fail_msg("row %d: state %d, change %d", rows[i].id, dns_upstream_state(&u), change);
        if (dns_upstream_probe_due(&u, probe_us - 1) || !dns_upstream_probe_due(&u, probe_us) ||
            dns_upstream_probe_due(&u, probe_us))
            fail_msg("row %d: probed at %d us", rows[i].id, (int)(u.probe_at_us - NOW_US));
    }
}

/* The states in their order, and within one the times; what was never asked is in the middle. */
static void test_order(void **state)
{
    static const struct {
        const char *what;
        uint32_t took_us;
    } order[] = {{"", 9000},  {"", 10000}, {"", 0},     {"", 600000}, {"", 3000000},
                 {"t", 9000}, {"t", 3000}, {"eee", 10}, {"tt", 10},   {"tt", 400}};
    struct dns_upstream u[ARRAY_COUNT(order)];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        dns_upstream_init(&u[i], 0, SERVER(0));
        if (order[i].took_us)
            dns_upstream_answered(&u[i], order[i].took_us, false, NOW_US);
        happen(&u[i], order[i].what);
    }
    assert_int_equal(dns_upstream_state(&u[4]), DNS_SLOW);
    dns_upstream_answered(&u[3], 600000, false, NOW_US); /* steady: not slow, only far */
    for (unsigned i = 0; i < 20; i++)
        dns_upstream_answered(&u[3], 600000, false, NOW_US);
    assert_int_equal(dns_upstream_state(&u[3]), DNS_UP);
    for (unsigned a = 0; a < ARRAY_COUNT(order); a++)
        for (unsigned b = 0; b < ARRAY_COUNT(order); b++) {
            bool slow = a >= 4 && a <= 6 && b >= 4 && b <= 6; /* by their times: 3, 9, 3000 ms */
            bool before = slow ? order[a].took_us < order[b].took_us : a < b;
            if (dns_upstream_before(&u[a], &u[b]) != before)
                fail_msg("%u before %u: %d", a, b, !before);
        }
}

/* One that has just become known is probed a second after the first question, not with it. */
static void test_first_probe(void **state)
{
    struct dns_upstream u;

    (void)state;
    dns_upstream_init(&u, 0, SERVER(0));
    assert_false(dns_upstream_probe_due(&u, NOW_US));
    assert_false(dns_upstream_probe_due(&u, NOW_US + 999999));
    assert_true(dns_upstream_probe_due(&u, NOW_US + 1000000));
    assert_false(dns_upstream_probe_due(&u, NOW_US + 30999999));
    assert_true(dns_upstream_probe_due(&u, NOW_US + 31000000));
}

static char printed[160];

static void print(const char *text)
{
    assert_true(strlen(text) < sizeof(printed));
    strcpy(printed, text);
}

static void test_status(void **state)
{
    struct dns_upstream u;

    (void)state;
    dns_upstream_init(&u, 0, SERVER(0));
    dns_upstream_print(&u, print);
    assert_string_equal(printed, "dns       9.9.9.1         up          -  asked 0  answered 0  "
                                 "timed out 0  failed 0  letters lost 0");
    dns_upstream_asked(&u, NOW_US);
    dns_upstream_asked(&u, NOW_US);
    dns_upstream_answered(&u, 12345, false, NOW_US);
    happen(&u, "tT");
    dns_upstream_print(&u, print);
    assert_string_equal(printed, "dns       9.9.9.1         slow    13 ms  asked 2  answered 1  "
                                 "timed out 2  failed 0  letters lost 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),       cmocka_unit_test(test_what_is_old_counts_less),
        cmocka_unit_test(test_states),      cmocka_unit_test(test_order),
        cmocka_unit_test(test_first_probe), cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests_name("dns_upstream", tests, NULL, NULL);
}
