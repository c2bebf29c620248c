/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/pcp_table.c: how much and for how long ports are granted, what is said about it, epoch and
 * announcements; and random requests against a list that is kept by hand.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/ip4.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/pcp_rig.h"

#include <stdio.h>

/* ---- limits ---- */

static void test_quotas(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PCP_HOST_MAX; i++)
        assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, (uint16_t)(2000 + i), 0, 86400),
                         PCP_SUCCESS);
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 3000, 0, 600), PCP_USER_EX_QUOTA);
    assert_int_equal(pcprig_got_s(), 30);
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_UDP, 3000, 0, 600), NATPMP_NO_RESOURCES);
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 2000, 0, 86400),
                     PCP_SUCCESS); /* not a new one */
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 2001, 0, 0), PCP_SUCCESS);
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 3000, 0, 86400), PCP_SUCCESS);
    for (unsigned i = 0; i < PCP_NETWORK_MAX - PCP_HOST_MAX; i++)
        assert_int_equal(
            pcprig_map(HOST(20 + i / 60), 1, IP_PROTO_TCP, (uint16_t)(2000 + i), 0, 86400), 0);
    assert_int_equal(pcprig_map(B, 1, IP_PROTO_TCP, 9, 0, 600), PCP_NO_RESOURCES);

    /* The same address in another network is another host. */
    for (unsigned i = 0; i < PCP_NETWORK_MAX; i++) {
        size_t n =
            pcprig_make_map(HOST(10 + i / 60), 1, IP_PROTO_TCP, (uint16_t)(2000 + i), 0, 86400);
        pcprig_now_us += SECOND;
        assert_int_equal(pcprig_send_as(GUEST, HOST(10 + i / 60), n), PCP_MAP_BYTES);
        assert_int_equal(pcprig_answer[PCP_RESULT_OFF], PCP_SUCCESS);
    }
    assert_int_equal(pcprig_pcp.count, PCP_ENTRIES_MAX);
    assert_int_equal(pcprig_map(B, 1, IP_PROTO_TCP, 9, 0, 600), PCP_NO_RESOURCES);
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 2000, 0, 0), PCP_SUCCESS);
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 2000, 0, 86400), PCP_SUCCESS);
}

static void test_request_rate(void **state)
{
    size_t n = pcprig_make(A, PCP_ANNOUNCE, 0);
    unsigned answered = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        answered += pcprig_send_as(LAN, A, n) != 0;
    assert_int_equal(answered, PCP_REQUESTS_BURST);
    assert_int_equal(pcprig_pcp.counters.limited, 1000 - PCP_REQUESTS_BURST);
    pcprig_make(B, PCP_ANNOUNCE, 0);
    assert_int_equal(pcprig_send_as(LAN, B, n), PCP_HDR_BYTES); /* another host is not concerned */
    pcprig_make(A, PCP_ANNOUNCE, 0);
    assert_int_equal(pcprig_send_as(GUEST, A, n), PCP_HDR_BYTES); /* nor the other A */
    for (unsigned s = 0; s < 10; s++) {
        pcprig_now_us += SECOND;
        answered = 0;
        for (unsigned i = 0; i < 100; i++)
            answered += pcprig_send_as(LAN, A, n) != 0;
        assert_int_equal(answered, PCP_REQUESTS_PER_S);
    }
    pcprig_now_us += 3600 * SECOND;
    answered = 0;
    for (unsigned i = 0; i < 1000; i++)
        answered += pcprig_send_as(LAN, A, n) != 0;
    assert_int_equal(answered, PCP_REQUESTS_BURST);
}

static void test_log_rate(void **state)
{
    (void)state;
    fake_log_clear();
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_TCP, 8080, 9090, 3600), NATPMP_SUCCESS);
    assert_string_equal(fake_log_last,
                        "pcp       lan 192.168.8.10:8080 tcp outside 9090 for 3600 s");
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_TCP, 8080, 9090, 3600), NATPMP_SUCCESS);
    assert_int_equal(fake_log_count, 1);
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_TCP, 8080, 0, 0), NATPMP_SUCCESS);
    assert_string_equal(fake_log_last, "pcp       lan 192.168.8.10:8080 tcp outside 9090 deleted");
    pcprig_now_us += 10 * SECOND - pcprig_now_us % SECOND;
    fake_log_clear();
    for (unsigned i = 0; i < 60; i++)
        pcprig_send_as(LAN, A, pcprig_make_map(A, 1, IP_PROTO_TCP, (uint16_t)(2000 + i), 0, 120));
    assert_int_equal(fake_log_count, 10);
    pcprig_now_us += SECOND;
    pcprig_send_as(LAN, A, pcprig_make_peer(A, 1, IP_PROTO_UDP, 53, 0, REMOTE, 54, 600));
    assert_true(fake_log_has("pcp       50 more lines not shown"));
    assert_string_equal(
        fake_log_last,
        "pcp       lan 192.168.8.10:53 udp outside 53 peer 198.51.100.10:54 for 600 s");
}

/* ---- time ---- */

static void test_expiry(void **state)
{
    (void)state;
    while (pcprig_pcp.announcements) {
        pcprig_now_us = pcp_next_us(&pcprig_pcp);
        assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us), 1);
    }
    assert_true(pcp_next_us(&pcprig_pcp) == UINT64_MAX);
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 1, 0, 120), PCP_SUCCESS);
    uint64_t first_us = pcprig_now_us + 120 * SECOND;
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 2, 0, 300), PCP_SUCCESS);
    uint64_t second_us = pcprig_now_us + 300 * SECOND;
    assert_true(pcp_next_us(&pcprig_pcp) == first_us);
    pcprig_now_us = first_us - 1;
    assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us), 0);
    assert_int_equal(pcprig_pcp.count, 2);
    pcprig_now_us++;
    assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us), 1);
    assert_int_equal(pcprig_pcp.count, 1);
    assert_int_equal(pcprig_holds(), 1);
    assert_true(pcp_next_us(&pcprig_pcp) == second_us);
    assert_true(fake_log_has("192.168.8.10:1 tcp outside 1 ended"));

    /* A renewal counts from when it came. */
    pcprig_now_us = second_us - SECOND;
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 2, 0, 300), PCP_SUCCESS);
    uint64_t third_us = pcprig_now_us + 300 * SECOND;
    pcprig_now_us = second_us;
    assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us), 0);
    assert_true(pcp_next_us(&pcprig_pcp) == third_us);

    /* What has ended is in nobody's way, even if nothing has polled. */
    pcprig_now_us = third_us;
    assert_int_equal(pcprig_map(A, 9, IP_PROTO_TCP, 2, 0, 300), PCP_SUCCESS);
    assert_int_equal(pcprig_pcp.counters.expired, 2);
}

/* RFC 6886, section 3.2.1: ten times, first 250 ms apart, then doubling. */
static void test_announcements(void **state)
{
    uint64_t start_us = pcprig_now_us, gap_us = 250000, at_us = 0;

    (void)state;
    assert_int_equal(pcprig_map(A, 1, IP_PROTO_TCP, 80, 80, 86400), PCP_SUCCESS);
    pcprig_now_us = start_us;
    memset(&pcprig_announced, 0, sizeof(pcprig_announced));
    pcprig_now_us += 1000 * SECOND;
    pcp_set_outside(&pcprig_pcp, OUTSIDE, pcprig_now_us); /* no news */
    pcprig_pcp.announcements = 0;
    assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us), 0);
    pcp_set_outside(&pcprig_pcp, REMOTE, pcprig_now_us);
    start_us = pcprig_now_us;
    for (unsigned i = 0; i < 10; i++) {
        assert_true(pcp_next_us(&pcprig_pcp) == start_us + at_us);
        pcprig_now_us = start_us + at_us - 1;
        assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us), 0);
        pcprig_now_us++;
        assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us), 1);
        assert_int_equal(pcprig_announced.count[LAN], 2 * (i + 1));
        assert_int_equal(pcprig_announced.n[0], NATPMP_ANSWER_ADDRESS_BYTES);
        assert_int_equal(pcprig_announced.n[1], PCP_HDR_BYTES);
        assert_int_equal(load_be32(pcprig_announced.bytes[0]), 0x00800000);
        assert_int_equal(load_be32(pcprig_announced.bytes[0] + 4), at_us / SECOND);
        assert_int_equal(load_raw32(pcprig_announced.bytes[0] + 8), REMOTE);
        assert_int_equal(load_be32(pcprig_announced.bytes[1]), 0x02800000);
        assert_int_equal(load_be32(pcprig_announced.bytes[1] + 4), 0);
        assert_int_equal(load_be32(pcprig_announced.bytes[1] + 8), at_us / SECOND);
        at_us += gap_us;
        gap_us *= 2;
    }
    assert_true(pcp_next_us(&pcprig_pcp) > start_us + 1000 * SECOND);
    assert_int_equal(pcprig_announced.count[DARK], 0);
    assert_int_equal(pcprig_announced.count[GUEST], 20);
    assert_int_equal(pcprig_pcp.count, 1); /* the port is still the host's */

    /* Lost: silence. The same again: said, but nothing is void. */
    pcp_set_outside(&pcprig_pcp, 0, pcprig_now_us);
    assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us + 999 * SECOND), 0);
    pcprig_now_us += 1000 * SECOND;
    pcp_set_outside(&pcprig_pcp, REMOTE, pcprig_now_us);
    assert_int_equal(pcp_poll(&pcprig_pcp, pcprig_now_us), 1);
    assert_int_equal(pcprig_announced.count[LAN], 22);
    assert_int_equal(load_be32(pcprig_announced.bytes[0] + 4), (pcprig_now_us - start_us) / SECOND);
}

/* ---- status ---- */

static unsigned lines;
static char said[40][160];

static void keep_line(const char *text)
{
    snprintf(said[lines++ % 40], 160, "%s", text);
}

static void test_status(void **state)
{
    (void)state;
    pcprig_natpmp(A, NATPMP_MAP_TCP, 8080, 9090, 3600);
    pcprig_natpmp(A, NATPMP_MAP_TCP, 0, 9090, 3600);
    pcprig_natpmp(A, 200, 0, 0, 0);
    pcp_print(&pcprig_pcp, pcprig_now_us, keep_line);
    assert_int_equal(lines, 3);
    assert_string_equal(said[0],
                        "pcp       mappings 1  requests 2  errors 1  limited 0  ignored 1");
    assert_string_equal(said[1], "pcp       granted 1  renewed 0  deleted 0  expired 0");
    assert_string_equal(said[2], "pcp       lan 192.168.8.10:8080 tcp outside 9090 for 3600 s");
    for (unsigned i = 0; i < 30; i++)
        pcprig_natpmp(A, NATPMP_MAP_UDP, (uint16_t)(2000 + i), 0, 3600);
    lines = 0;
    pcp_print(&pcprig_pcp, pcprig_now_us, keep_line);
    assert_int_equal(lines, 2 + 16 + 1);
    assert_string_equal(said[18], "pcp       and 15 more");
    pcprig_config.nets[LAN].pcp = pcprig_config.nets[GUEST].pcp = false;
    lines = 0;
    pcp_print(&pcprig_pcp, pcprig_now_us, keep_line);
    assert_int_equal(lines, 0);
}

/* ---- random requests against a list kept by hand ---- */

#define KEPT_MAX 256
static struct kept {
    be32 ip;
    uint8_t proto, nonce;
    uint16_t inside, peer_port; /* peer_port 0: MAP */
    uint64_t end_us;
} kept[KEPT_MAX];
static unsigned kept_count;
static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void model_expire(void)
{
    for (unsigned i = kept_count; i-- > 0;)
        if (kept[i].end_us <= pcprig_now_us)
            kept[i] = kept[--kept_count];
}

static unsigned model(const struct kept *like, uint32_t s, uint32_t *left_s)
{
    model_expire();
    *left_s = 0;
    for (unsigned i = 0; i < kept_count; i++) {
        struct kept *k = &kept[i];
        if (k->ip != like->ip || k->proto != like->proto || k->inside != like->inside ||
            k->peer_port != like->peer_port)
            continue;
        *left_s = (uint32_t)((k->end_us - pcprig_now_us + SECOND - 1) / SECOND);
        if (k->nonce != like->nonce)
            return PCP_NOT_AUTHORIZED;
        *left_s = s ? MIN(MAX(s, 120u), 86400u) : 0;
        k->end_us = pcprig_now_us + *left_s * SECOND;
        model_expire();
        return PCP_SUCCESS;
    }
    if (s == 0)
        return PCP_SUCCESS;
    *left_s = MIN(MAX(s, 120u), 86400u);
    kept[kept_count] = *like;
    kept[kept_count++].end_us = pcprig_now_us + *left_s * SECOND;
    return PCP_SUCCESS;
}

static void test_random(void **state)
{
    (void)state;
    kept_count = 0;
    for (seed = 1; pcprig_now_us < 3000000 * SECOND;) {
        struct kept like = {.ip = HOST(10 + rnd(3)),
                            .proto = rnd(2) ? IP_PROTO_TCP : IP_PROTO_UDP,
                            .nonce = (uint8_t)rnd(2),
                            .inside = (uint16_t)(5000 + rnd(6)),
                            .peer_port = (uint16_t)(rnd(3) ? 0 : 80 + rnd(2))};
        uint32_t s = rnd(3) ? rnd(500) : 0, left_s;
        size_t n = like.peer_port ? pcprig_make_peer(like.ip, like.nonce, like.proto, like.inside,
                                                     0, REMOTE, like.peer_port, s)
                                  : pcprig_make_map(like.ip, like.nonce, like.proto, like.inside,
                                                    (uint16_t)(6000 + rnd(4)), s);
        pcprig_now_us += rnd(40) * SECOND + rnd(1000);
        unsigned result = pcprig_result_of(like.ip, n), expected = model(&like, s, &left_s);
        if (result != expected || pcprig_got_s() != left_s || pcprig_pcp.count != kept_count ||
            pcprig_holds() != kept_count)
            fail_msg("at %llu us: result %u for %u, %u s for %u, %u entries for %u",
                     (unsigned long long)pcprig_now_us, result, expected, pcprig_got_s(), left_s,
                     pcprig_pcp.count, kept_count);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, pcprig_start, pcprig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_quotas),        TEST(test_request_rate), TEST(test_log_rate), TEST(test_expiry),
        TEST(test_announcements), TEST(test_status),       TEST(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
