/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/wire/tcp_reset.c: which segments a reset may answer, and that it is one their sender believes
 * (RFC 9293, section 3.10.7.1).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/tcp_reset.h"
#include "tests/fake/fake_pool.h"
#include "tests/fake/frame_build.h"

#define POOL_COUNT 8

static struct pkt_pool pool;

static int setup(void **state)
{
    (void)state;
    fake_pool_start(&pool, POOL_COUNT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return fake_pool_stop(&pool);
}

#define SEQ 0xFFFFFFF0u
#define ACK 0x12345678u

/* Builds the segment, with these bytes changed, and parses it. */
static struct pkt *segment(struct view *v, uint8_t proto, uint8_t flags, size_t payload,
                           const uint8_t *patch)
{
    static struct frame f;
    static const uint8_t nops[4] = {1, 1, 1, 1};
    struct frame_plan plan = {.proto = proto,
                              .tcp_flags = flags,
                              .payload_bytes = payload,
                              .tcp_options = nops,
                              .tcp_option_bytes = sizeof(nops)};

    frame_make(&f, &plan);
    if (proto == IP_PROTO_TCP) {
        store_be16(f.b + f.l4, 40000);
        store_be16(f.b + f.l4 + 2, 22);
        store_be32(f.b + f.l4 + 4, SEQ);
        store_be32(f.b + f.l4 + 8, ACK);
    }
    for (; patch && patch[0]; patch += 2)
        f.b[patch[0] - 1] = patch[1];
    frame_fix_ip_csum(&f);
    struct pkt *p = pkt_alloc(&pool);
    assert_true(pkt_append(p, f.b, f.n));
    assert_int_equal(view_parse_ip4(v, p), DROP_NONE);
    return p;
}

static void test_allowed(void **state)
{
    static const struct {
        int id;
        bool allowed;
        uint8_t proto, flags;
        uint8_t patch[9]; /* pairs: from the frame's start + 1, value; 0 ends */
    } rows[] = {
        {1, true, IP_PROTO_TCP, TCP_SYN, {0}},
        {2, true, IP_PROTO_TCP, TCP_ACK, {0}},
        {3, true, IP_PROTO_TCP, 0, {0}},
        {4, false, IP_PROTO_TCP, TCP_RST, {0}},
        {5, false, IP_PROTO_TCP, TCP_RST | TCP_ACK, {0}},
        {6, false, IP_PROTO_UDP, 0, {0}},
        {7, false, IP_PROTO_ICMP, 0, {0}},
        {8, true, IP_PROTO_TCP, TCP_SYN, {21, 0x20, 22, 0}},  /* the first fragment */
        {9, false, IP_PROTO_TCP, TCP_SYN, {21, 0x00, 22, 9}}, /* a later one */
        {10, false, IP_PROTO_TCP, TCP_SYN, {1, 0xFF}},        /* to a group */
        {11, false, IP_PROTO_TCP, TCP_SYN, {27, 224}},        /* from one */
        {12, false, IP_PROTO_TCP, TCP_SYN, {27, 127}},
        {13, false, IP_PROTO_TCP, TCP_SYN, {27, 0}},
        {14, false, IP_PROTO_TCP, TCP_SYN, {31, 224}},
        {15, false, IP_PROTO_TCP, TCP_SYN, {31, 255}},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct view v;
        struct pkt *p = segment(&v, rows[i].proto, rows[i].flags, 16, rows[i].patch);
        if (tcp_reset_allowed(&v, p) != rows[i].allowed)
            fail_msg("row %d", rows[i].id);
        pkt_free(p);
    }
}

static void test_bytes(void **state)
{
    static const struct {
        int id;
        uint8_t flags;
        size_t payload;
        uint8_t flags_back;
        uint32_t seq, ack;
    } rows[] = {
        {1, TCP_SYN, 0, TCP_RST | TCP_ACK, 0, SEQ + 1},
        {2, TCP_SYN, 30, TCP_RST | TCP_ACK, 0, SEQ + 31}, /* past the end of the numbers */
        {3, TCP_FIN, 4, TCP_RST | TCP_ACK, 0, SEQ + 5},
        {4, 0, 7, TCP_RST | TCP_ACK, 0, SEQ + 7},
        {5, TCP_ACK, 100, TCP_RST, ACK, 0},
        {6, TCP_SYN | TCP_ACK, 0, TCP_RST, ACK, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct view v;
        struct pkt *p = segment(&v, IP_PROTO_TCP, rows[i].flags, rows[i].payload, NULL);
        p->port = 5;
        struct pkt *e = tcp_reset_build(&pool, p, &v);
        assert_non_null(e);
        const uint8_t *ip = e->data + 14, *tcp = ip + 20;
        assert_int_equal(e->total_bytes, 54);
        assert_int_equal(e->port, 5);
        assert_true(frame_sums_right(e->data, e->total_bytes, 14, false));
        assert_int_equal(load_raw32(ip + 12), v.dst);
        assert_int_equal(load_raw32(ip + 16), v.src);
        assert_int_equal(load_be16(tcp), 22);
        assert_int_equal(load_be16(tcp + 2), 40000);
        assert_int_equal(load_be32(tcp + 4), rows[i].seq);
        assert_int_equal(load_be32(tcp + 8), rows[i].ack);
        assert_int_equal(tcp[12], 0x50);
        if (tcp[13] != rows[i].flags_back)
            fail_msg("row %d", rows[i].id);
        pkt_free(e);
        pkt_free(p);
    }
}

static void test_no_buffer(void **state)
{
    struct view v;
    struct pkt *held[POOL_COUNT];
    unsigned n = 0;

    (void)state;
    struct pkt *p = segment(&v, IP_PROTO_TCP, TCP_SYN, 0, NULL);
    while ((held[n] = pkt_alloc(&pool)) != NULL)
        n++;
    assert_null(tcp_reset_build(&pool, p, &v));
    while (n > 0)
        pkt_free(held[--n]);
    pkt_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_buffer, setup, teardown),
    };
    return cmocka_run_group_tests_name("tcp_reset", tests, NULL, NULL);
}
