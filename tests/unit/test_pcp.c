/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/pcp.c: requests for ports in NAT-PMP (RFC 6886) and PCP (RFC 6887), and what is answered;
 * well-formed or not, granted or not.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/ip4.h"
#include "tests/fake/pcp_rig.h"

/* ---- NAT-PMP ---- */

static void test_natpmp_address(void **state)
{
    (void)state;
    assert_int_equal(pcprig_natpmp(A, NATPMP_ADDRESS, 0, 0, 0), NATPMP_SUCCESS);
    assert_int_equal(pcprig_answer_bytes, NATPMP_ANSWER_ADDRESS_BYTES);
    assert_int_equal(load_raw32(pcprig_answer + NATPMP_ANSWER_ADDRESS_OFF), OUTSIDE);
    pcp_set_outside(&pcprig_pcp, 0, pcprig_now_us);
    assert_int_equal(pcprig_natpmp(A, NATPMP_ADDRESS, 0, 0, 0), NATPMP_NETWORK_FAILURE);
    assert_int_equal(pcprig_answer_bytes, NATPMP_ANSWER_ADDRESS_BYTES);
    assert_int_equal(load_raw32(pcprig_answer + NATPMP_ANSWER_ADDRESS_OFF), 0);
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_TCP, 8080, 0, 3600), NATPMP_NETWORK_FAILURE);
    assert_int_equal(pcprig_pcp.counters.errors[PCP_NETWORK_FAILURE], 2);
}

/* One after the other. */
static const struct natpmp_row {
    unsigned row;
    be32 from;
    uint8_t opcode;
    uint16_t inside, outside;
    uint32_t lifetime_s;
    unsigned result;
    uint16_t got_outside;
    uint32_t got_s;
} natpmp_rows[] = {
    {1, A, NATPMP_MAP_TCP, 8080, 9090, 3600, NATPMP_SUCCESS, 9090, 3600},
    {2, A, NATPMP_MAP_TCP, 8080, 9090, 1800, NATPMP_SUCCESS, 9090, 1800}, /* renewed */
    {3, A, NATPMP_MAP_TCP, 8080, 9999, 1800, NATPMP_SUCCESS, 9090, 1800}, /* it has one */
    {4, A, NATPMP_MAP_UDP, 8080, 9090, 3600, NATPMP_SUCCESS, 9090, 3600}, /* is another */
    {5, B, NATPMP_MAP_TCP, 8080, 9090, 3600, NATPMP_SUCCESS, 9091, 3600}, /* taken */
    {6, B, NATPMP_MAP_TCP, 5000, 0, 3600, NATPMP_SUCCESS, 5000, 3600},    /* any: its own */
    {7, B, NATPMP_MAP_TCP, 5001, FORWARD, 3600, NATPMP_SUCCESS, FORWARD + 1, 3600},
    {8, B, NATPMP_MAP_TCP, 5002, 0, 1, NATPMP_SUCCESS, 5002, 120},
    {9, B, NATPMP_MAP_TCP, 5003, 0, 119, NATPMP_SUCCESS, 5003, 120},
    {10, B, NATPMP_MAP_TCP, 5004, 0, 121, NATPMP_SUCCESS, 5004, 121},
    {11, B, NATPMP_MAP_TCP, 5005, 0, 86400, NATPMP_SUCCESS, 5005, 86400},
    {12, B, NATPMP_MAP_TCP, 5006, 0, 86401, NATPMP_SUCCESS, 5006, 86400},
    {13, B, NATPMP_MAP_TCP, 5007, 0, UINT32_MAX, NATPMP_SUCCESS, 5007, 86400},
    {14, B, NATPMP_MAP_TCP, 8081, 80, 3600, NATPMP_SUCCESS, 8081, 3600}, /* not for that port */
    {15, B, NATPMP_MAP_TCP, 1024, 1023, 3600, NATPMP_SUCCESS, 1024, 3600},
    {16, B, NATPMP_MAP_TCP, 1023, 80, 3600, NATPMP_SUCCESS, 80, 3600},
    {17, B, NATPMP_MAP_TCP, 443, 0, 3600, NATPMP_SUCCESS, 443, 3600},
    {18, B, NATPMP_MAP_TCP, 5008, 1024, 3600, NATPMP_SUCCESS, 1025, 3600}, /* row 15 */
    {19, B, NATPMP_MAP_TCP, 0, 0, 3600, NATPMP_REFUSED, 0, 0},
    {20, B, NATPMP_MAP_TCP, 0, 7000, 3600, NATPMP_REFUSED, 0, 0},
    {21, A, NATPMP_MAP_TCP, 5000, 0, 0, NATPMP_SUCCESS, 0, 0}, /* is B's: nothing to delete */
    {22, B, NATPMP_MAP_UDP, 5000, 0, 0, NATPMP_SUCCESS, 0, 0}, /* is TCP */
    {23, HOST(12), NATPMP_MAP_TCP, 1, 5000, 3600, NATPMP_SUCCESS, 5001, 3600}, /* so it is there */
    {24, B, NATPMP_MAP_TCP, 5000, 0, 0, NATPMP_SUCCESS, 0, 0},                 /* now it is not */
    {25, HOST(12), NATPMP_MAP_TCP, 2, 5000, 3600, NATPMP_SUCCESS, 5000, 3600},
    {26, A, NATPMP_MAP_TCP, 0, 0, 0, NATPMP_SUCCESS, 0, 0}, /* all of A's TCP */
    {27, B, NATPMP_MAP_TCP, 2000, 9090, 3600, NATPMP_SUCCESS, 9090, 3600},
    {28, B, NATPMP_MAP_UDP, 2000, 9090, 3600, NATPMP_SUCCESS, 9091, 3600}, /* not A's UDP */
};

static void test_natpmp_rows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(natpmp_rows); i++) {
        const struct natpmp_row *r = &natpmp_rows[i];
        unsigned result = pcprig_natpmp(r->from, r->opcode, r->inside, r->outside, r->lifetime_s);
        uint16_t outside = load_be16(pcprig_answer + NATPMP_ANSWER_OUTSIDE_OFF);
        uint32_t s = load_be32(pcprig_answer + NATPMP_ANSWER_LIFETIME_OFF);
        if (result != r->result || outside != r->got_outside || s != r->got_s)
            fail_msg("row %u: result %u, port %u, %u s", r->row, result, outside, s);
    }
    assert_int_equal(pcprig_pcp.counters.renewed, 2);
    assert_int_equal(pcprig_pcp.counters.deleted, 2);
    assert_int_equal(pcprig_pcp.counters.granted, pcprig_pcp.count + 2);
}

static void test_natpmp_wrong(void **state)
{
    (void)state;
    /* Opcodes there are not; answers; what is cut short. */
    for (unsigned opcode = 3; opcode < 128; opcode++) {
        assert_int_equal(pcprig_natpmp(HOST(opcode), (uint8_t)opcode, 80, 80, 80),
                         NATPMP_UNSUPP_OPCODE);
        assert_int_equal(pcprig_answer_bytes, NATPMP_ERROR_BYTES);
    }
    for (unsigned opcode = 128; opcode < 256; opcode++)
        assert_int_equal(pcprig_natpmp(A, (uint8_t)opcode, 80, 80, 80), NOTHING);
    memset(pcprig_request, 0, sizeof(pcprig_request));
    assert_int_equal(pcprig_ask(A, 0), 0);
    assert_int_equal(pcprig_ask(A, 1), 0);
    for (unsigned opcode = 1; opcode <= 2; opcode++)
        for (unsigned n = 2; n < NATPMP_MAP_BYTES; n++) {
            pcprig_request[1] = (uint8_t)opcode;
            pcprig_request[9] = 1;
            assert_int_equal(pcprig_ask(A, n), 0);
        }
    assert_int_equal(pcprig_pcp.count, 0);
    assert_int_equal(pcprig_pcp.counters.ignored, 128 + 2 + 20);
}

/* ---- PCP ---- */

static void test_versions(void **state)
{
    (void)state;
    /* RFC 6887, section 9: in our version, whatever the rest may mean. */
    for (unsigned version = 1; version < 256; version++) {
        if (version == PCP_VERSION)
            continue;
        pcprig_make_map(HOST(version), 1, 6, 80, 80, 3600);
        pcprig_request[0] = (uint8_t)version;
        for (unsigned n = 2; n <= 60; n += 29) {
            assert_int_equal(pcprig_result_of(HOST(version), n), PCP_UNSUPP_VERSION);
            assert_int_equal(pcprig_answer_bytes, PCP_HDR_BYTES);
            assert_int_equal(pcprig_got_s(), 1800);
        }
    }
    assert_int_equal(pcprig_pcp.count, 0);
    pcprig_make(A, PCP_ANNOUNCE, 0);
    pcprig_request[1] |= 0x80;
    assert_int_equal(pcprig_ask(A, PCP_HDR_BYTES), 0); /* an answer is not answered */
}

static void test_lengths(void **state)
{
    (void)state;
    for (unsigned n = 2; n <= sizeof(pcprig_request); n++) {
        size_t fixed = pcprig_make_map(HOST(n), 1, 6, (uint16_t)n, 0, 3600);
        bool good = n == fixed;
        for (size_t at = fixed; at + 4 <= n; at += 4)
            pcprig_request[at] = 0x80; /* options that may be ignored */
        good = n >= fixed && n <= PCP_MAX_BYTES && n % 4 == 0;
        unsigned result = pcprig_result_of(HOST(n), n);
        if (result != (good ? PCP_SUCCESS : PCP_MALFORMED_REQUEST))
            fail_msg("%u bytes: result %u", n, result);
        /* An error gives back what was sent. */
        assert_int_equal(pcprig_answer_bytes, good ? fixed : MIN(MAX((n + 3) & ~3u, 24u), 1100u));
        for (size_t at = MAX(n, 24u); !good && at < pcprig_answer_bytes; at++)
            assert_int_equal(pcprig_answer[at], 0); /* and nothing of what was there before */
        if (n > PCP_HDR_BYTES)
            assert_memory_equal(pcprig_answer + 24, pcprig_request + 24,
                                good ? 12 : MIN(n, 1100u) - 24);
    }
}

static void test_announce_and_opcodes(void **state)
{
    (void)state;
    assert_int_equal(pcprig_result_of(A, pcprig_make(A, PCP_ANNOUNCE, 77)), PCP_SUCCESS);
    assert_int_equal(pcprig_answer_bytes, PCP_HDR_BYTES);
    assert_int_equal(pcprig_got_s(), 0);
    for (unsigned opcode = 3; opcode < 128; opcode++)
        assert_int_equal(pcprig_result_of(A, pcprig_make(A, (uint8_t)opcode, 60)),
                         PCP_UNSUPP_OPCODE);

    /* Not for others, and not from behind another translator. */
    pcprig_make_map(A, 1, 6, 80, 80, 3600);
    assert_int_equal(pcprig_result_of(B, PCP_MAP_BYTES), PCP_ADDRESS_MISMATCH);
    pcprig_make_map(A, 1, 6, 80, 80, 3600);
    pcprig_request[PCP_CLIENT_IP_OFF] = 0x20; /* an IPv6 address that ends alike */
    assert_int_equal(pcprig_result_of(A, PCP_MAP_BYTES), PCP_ADDRESS_MISMATCH);
    pcprig_make(A, PCP_ANNOUNCE, 0);
    assert_int_equal(pcprig_result_of(B, PCP_HDR_BYTES), PCP_ADDRESS_MISMATCH);
    assert_int_equal(pcprig_pcp.count, 0);
}

static const struct option_row {
    unsigned row;
    uint8_t opcode, code;
    uint16_t bytes;
    int cut; /* bytes of the message that are missing at its end */
    unsigned twice;
    unsigned result;
} option_rows[] = {
    {1, PCP_MAP, PCP_PREFER_FAILURE, 0, 0, 0, PCP_SUCCESS},
    {2, PCP_MAP, PCP_PREFER_FAILURE, 4, 0, 0, PCP_MALFORMED_OPTION},
    {3, PCP_MAP, PCP_PREFER_FAILURE, 0, 0, 1, PCP_MALFORMED_OPTION},
    {4, PCP_PEER, PCP_PREFER_FAILURE, 0, 0, 0, PCP_MALFORMED_OPTION},
    {5, PCP_ANNOUNCE, PCP_PREFER_FAILURE, 0, 0, 0, PCP_MALFORMED_OPTION},
    {6, PCP_MAP, PCP_THIRD_PARTY, 16, 0, 0, PCP_UNSUPP_OPTION},
    {7, PCP_PEER, PCP_THIRD_PARTY, 16, 0, 0, PCP_UNSUPP_OPTION},
    {8, PCP_ANNOUNCE, PCP_THIRD_PARTY, 16, 0, 0, PCP_UNSUPP_OPTION},
    {9, PCP_MAP, PCP_FILTER, 20, 0, 0, PCP_UNSUPP_OPTION},
    {10, PCP_MAP, 4, 0, 0, 0, PCP_UNSUPP_OPTION},
    {11, PCP_MAP, 127, 7, 0, 0, PCP_UNSUPP_OPTION},
    {12, PCP_MAP, 128, 7, 0, 0, PCP_SUCCESS},
    {13, PCP_MAP, 255, 100, 0, 1, PCP_SUCCESS},
    {14, PCP_PEER, 200, 1, 0, 0, PCP_SUCCESS},
    {15, PCP_ANNOUNCE, 200, 1, 0, 0, PCP_SUCCESS},
    {16, PCP_MAP, 200, 5, 4, 0, PCP_MALFORMED_OPTION},
    {17, PCP_MAP, 200, 65535, 65536 - 4, 0, PCP_MALFORMED_OPTION},
    {18, PCP_MAP, 0, 0, 0, 0, PCP_UNSUPP_OPTION},
};

static void test_options(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(option_rows); i++) {
        const struct option_row *r = &option_rows[i];
        size_t n = r->opcode == PCP_ANNOUNCE ? pcprig_make(A, PCP_ANNOUNCE, 0)
                   : r->opcode == PCP_MAP
                       ? pcprig_make_map(A, 1, 6, (uint16_t)(3000 + i), (uint16_t)(3000 + i), 600)
                       : pcprig_make_peer(A, 1, 6, (uint16_t)(3000 + i), 0, REMOTE, 80, 600);
        unsigned before = pcprig_pcp.count;
        for (unsigned k = 0; k <= r->twice; k++)
            n = pcprig_add_option(n, r->code, r->bytes);
        unsigned result = pcprig_result_of(A, n - (size_t)r->cut);
        if (result != r->result ||
            pcprig_pcp.count != before + (result == PCP_SUCCESS && r->opcode != PCP_ANNOUNCE))
            fail_msg("row %u: result %u", r->row, result);
    }
    /* Only the one that was heeded is in the answer. */
    size_t n = pcprig_add_option(pcprig_make_map(A, 1, 6, 3000, 3000, 600), PCP_PREFER_FAILURE, 0);
    assert_int_equal(pcprig_result_of(A, pcprig_add_option(n, 130, 8)), PCP_SUCCESS);
    assert_int_equal(pcprig_answer_bytes, PCP_MAP_BYTES + 4);
    assert_int_equal(load_be32(pcprig_answer + PCP_MAP_BYTES), 0x02000000);
}

static void test_map(void **state)
{
    be32 ip;

    (void)state;
    assert_int_equal(pcprig_map(A, 7, IP_PROTO_TCP, 8080, 9090, 3600), PCP_SUCCESS);
    assert_int_equal(pcprig_answer_bytes, PCP_MAP_BYTES);
    assert_int_equal(pcprig_got_s(), 3600);
    assert_int_equal(pcprig_got_port(), 9090);
    assert_true(pcp_load_ip(pcprig_answer + PCP_OUTSIDE_IP_OFF, &ip) && ip == OUTSIDE);
    assert_memory_equal(pcprig_answer + PCP_NONCE_OFF, pcprig_request + PCP_NONCE_OFF, 18);

    /* Renewed by its nonce alone: another learns how long to wait, and changes nothing. */
    pcprig_now_us += 100 * SECOND;
    assert_int_equal(pcprig_map(A, 8, IP_PROTO_TCP, 8080, 9090, 7200), PCP_NOT_AUTHORIZED);
    assert_in_range(pcprig_got_s(), 3499, 3500);
    assert_int_equal(pcprig_map(A, 8, IP_PROTO_TCP, 8080, 0, 0), PCP_NOT_AUTHORIZED);
    assert_in_range(pcprig_got_s(), 3499, 3500);
    for (unsigned i = 0; i < PCP_NONCE_BYTES; i++) {
        pcprig_make_map(A, 7, IP_PROTO_TCP, 8080, 0, 0);
        pcprig_request[PCP_NONCE_OFF + i]++;
        assert_int_equal(pcprig_result_of(A, PCP_MAP_BYTES), PCP_NOT_AUTHORIZED);
    }
    assert_int_equal(pcprig_pcp.count, 1);
    assert_int_equal(pcprig_map(A, 7, IP_PROTO_TCP, 8080, 1111, 7200), PCP_SUCCESS);
    assert_int_equal(pcprig_got_s(), 7200);
    assert_int_equal(pcprig_got_port(), 9090);
    assert_int_equal(pcprig_map(A, 7, IP_PROTO_TCP, 8080, 1111, 120),
                     PCP_SUCCESS); /* shorter, too */
    assert_int_equal(pcprig_got_s(), 120);

    /* Bounds, and other protocols. */
    assert_int_equal(pcprig_map(A, 7, IP_PROTO_UDP, 8080, 9090, 119), PCP_SUCCESS);
    assert_int_equal(pcprig_got_s(), 120);
    assert_int_equal(pcprig_map(B, 7, IP_PROTO_UDP, 8080, 9090, 86401), PCP_SUCCESS);
    assert_int_equal(pcprig_got_s(), 86400);
    assert_int_equal(pcprig_got_port(), 9091);
    assert_int_equal(pcprig_map(A, 7, 0, 8080, 9090, 600), PCP_MALFORMED_REQUEST);
    assert_int_equal(pcprig_map(A, 7, 0, 0, 9090, 600), PCP_UNSUPP_PROTOCOL);
    for (unsigned proto = 1; proto < 256; proto++)
        if (proto != IP_PROTO_TCP && proto != IP_PROTO_UDP)
            assert_int_equal(pcprig_map(A, 7, (uint8_t)proto, 8080, 9090, 600),
                             PCP_UNSUPP_PROTOCOL);
    assert_int_equal(pcprig_map(A, 7, IP_PROTO_TCP, 0, 9090, 600), PCP_UNSUPP_PROTOCOL);
    assert_int_equal(pcprig_map(A, 7, 33, 0, 0, 0), PCP_UNSUPP_PROTOCOL);

    /* Deleted, twice. What is suggested means nothing then, and comes back (erratum 3621). */
    pcprig_make_map(A, 7, IP_PROTO_TCP, 8080, 4711, 0);
    pcp_store_ip(pcprig_request + PCP_OUTSIDE_IP_OFF, REMOTE);
    assert_int_equal(pcprig_result_of(A, PCP_MAP_BYTES), PCP_SUCCESS);
    assert_int_equal(pcprig_got_s(), 0);
    assert_memory_equal(pcprig_answer + PCP_OUTSIDE_PORT_OFF, pcprig_request + PCP_OUTSIDE_PORT_OFF,
                        2 + PCP_IP_BYTES);
    assert_int_equal(pcprig_map(A, 7, IP_PROTO_TCP, 8080, 0, 0), PCP_SUCCESS);
    assert_int_equal(pcprig_pcp.counters.deleted, 1);
    assert_int_equal(pcprig_pcp.count, 2);

    pcp_set_outside(&pcprig_pcp, 0, pcprig_now_us);
    assert_int_equal(pcprig_map(A, 7, IP_PROTO_TCP, 1, 0, 600), PCP_NETWORK_FAILURE);
    assert_int_equal(pcprig_got_s(), 30);
    assert_int_equal(pcprig_map(B, 7, IP_PROTO_UDP, 8080, 0, 0), PCP_SUCCESS);
    assert_int_equal(pcprig_pcp.count, 1);
    pcp_set_outside(&pcprig_pcp, OUTSIDE, pcprig_now_us);
    pcprig_no_room = true;
    assert_int_equal(pcprig_map(A, 7, IP_PROTO_TCP, 1, 0, 600), PCP_NO_RESOURCES);
    assert_int_equal(pcprig_got_s(), 30);
}

static void test_delete_all(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(pcprig_map(A, (uint8_t)(i / 2), IP_PROTO_TCP, (uint16_t)(100 + i), 0, 600),
                         0);
        assert_int_equal(pcprig_map(A, 0, IP_PROTO_UDP, (uint16_t)(100 + i), 0, 600), 0);
    }
    assert_int_equal(pcprig_map(B, 0, IP_PROTO_TCP, 100, 0, 600), 0);
    pcprig_make_peer(A, 0, IP_PROTO_TCP, 100, 0, REMOTE, 80, 600);
    assert_int_equal(pcprig_result_of(A, PCP_PEER_BYTES), PCP_SUCCESS);
    assert_int_equal(pcprig_map(A, 0, IP_PROTO_TCP, 0, 0, 0), PCP_SUCCESS);
    assert_int_equal(pcprig_pcp.count, 8); /* two of nonce 1, four of UDP, B, PEER */
    assert_int_equal(pcprig_map(A, 0, 0, 99, 0, 0), PCP_MALFORMED_REQUEST); /* all, or one? */
    assert_int_equal(pcprig_pcp.count, 8);
    assert_int_equal(pcprig_map(A, 0, 0, 0, 0, 0), PCP_SUCCESS);
    assert_int_equal(pcprig_pcp.count, 4);
    assert_int_equal(pcprig_map(A, 1, 0, 0, 0, 0), PCP_SUCCESS);
    assert_int_equal(pcprig_pcp.count, 2);
}

static const struct prefer_row {
    unsigned row;
    uint16_t inside, outside;
    be32 ip;
    unsigned result;
} prefer_rows[] = {
    {1, 5000, 6000, 0, PCP_SUCCESS},
    {2, 5000, 6000, OUTSIDE, PCP_SUCCESS},
    {3, 5000, 6001, 0, PCP_CANNOT_PROVIDE_EXTERNAL}, /* it has 6000 */
    {4, 5000, 0, 0, PCP_MALFORMED_OPTION},           /* prefers nothing */
    {5, 5001, 6000, 0, PCP_CANNOT_PROVIDE_EXTERNAL}, /* taken */
    {6, 5001, FORWARD, 0, PCP_CANNOT_PROVIDE_EXTERNAL},
    {7, 5001, 80, 0, PCP_CANNOT_PROVIDE_EXTERNAL},
    {8, 5001, 6002, REMOTE, PCP_CANNOT_PROVIDE_EXTERNAL},
    {9, 5001, 6002, OUTSIDE, PCP_SUCCESS},
    {10, 81, 80, OUTSIDE, PCP_SUCCESS},
};

static void test_prefer_failure(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(prefer_rows); i++) {
        const struct prefer_row *r = &prefer_rows[i];
        size_t n = pcprig_make_map(A, 1, IP_PROTO_TCP, r->inside, r->outside, 600);
        pcp_store_ip(pcprig_request + PCP_OUTSIDE_IP_OFF, r->ip);
        unsigned result = pcprig_result_of(A, pcprig_add_option(n, PCP_PREFER_FAILURE, 0));
        if (result != r->result || (r->outside && !result && pcprig_got_port() != r->outside))
            fail_msg("row %u: result %u", r->row, result);
        assert_int_equal(pcprig_got_s(), result == PCP_MALFORMED_OPTION ? 1800 : result ? 30 : 600);
    }
    assert_int_equal(pcprig_pcp.count, 3);
    /* An IPv6 address is not ours; none at all may be written as one. */
    size_t n = pcprig_make_map(A, 1, IP_PROTO_TCP, 5001, 6002, 600);
    assert_int_equal(pcprig_result_of(A, pcprig_add_option(n, PCP_PREFER_FAILURE, 0)), PCP_SUCCESS);
    n = pcprig_make_map(A, 1, IP_PROTO_TCP, 5001, 6002, 600);
    pcprig_request[PCP_OUTSIDE_IP_OFF] = 0x20;
    assert_int_equal(pcprig_result_of(A, pcprig_add_option(n, PCP_PREFER_FAILURE, 0)),
                     PCP_CANNOT_PROVIDE_EXTERNAL);
    assert_int_equal(pcprig_result_of(A, n), PCP_SUCCESS); /* without the option, no matter */
}

static void test_peer(void **state)
{
    be32 ip;

    (void)state;
    size_t n = pcprig_make_peer(A, 1, IP_PROTO_UDP, 5000, 0, REMOTE, 53, 600);
    assert_int_equal(pcprig_result_of(A, n), PCP_SUCCESS);
    assert_int_equal(pcprig_answer_bytes, PCP_PEER_BYTES);
    assert_int_equal(pcprig_got_port(), 5000);
    assert_int_equal(pcprig_got_s(), 600);
    assert_true(pcp_load_ip(pcprig_answer + PCP_OUTSIDE_IP_OFF, &ip) && ip == OUTSIDE);
    assert_memory_equal(pcprig_answer + PCP_PEER_PORT_OFF, pcprig_request + PCP_PEER_PORT_OFF, 20);

    /* Another remote end, and all of them, by the same port. */
    n = pcprig_make_peer(A, 2, IP_PROTO_UDP, 5000, 0, REMOTE, 54, 600);
    assert_int_equal(pcprig_result_of(A, n), PCP_SUCCESS);
    assert_int_equal(pcprig_map(A, 3, IP_PROTO_UDP, 5000, 7777, 600), PCP_SUCCESS);
    assert_int_equal(pcprig_got_port(), 5000);
    assert_int_equal(pcprig_pcp.count, 3);
    assert_int_equal(pcprig_holds(), 3);

    /* What is suggested must be so, without an option that says it. */
    n = pcprig_make_peer(A, 1, IP_PROTO_UDP, 5000, 5001, REMOTE, 53, 600);
    assert_int_equal(pcprig_result_of(A, n), PCP_CANNOT_PROVIDE_EXTERNAL);
    n = pcprig_make_peer(A, 1, IP_PROTO_UDP, 5000, 5001, REMOTE, 55, 600);
    assert_int_equal(pcprig_result_of(A, n), PCP_CANNOT_PROVIDE_EXTERNAL);
    n = pcprig_make_peer(A, 1, IP_PROTO_UDP, 5000, 5000, REMOTE, 53, 600);
    pcp_store_ip(pcprig_request + PCP_OUTSIDE_IP_OFF, REMOTE);
    assert_int_equal(pcprig_result_of(A, n), PCP_CANNOT_PROVIDE_EXTERNAL);

    /* Nonces; and the end of one is not that of the others. */
    n = pcprig_make_peer(A, 2, IP_PROTO_UDP, 5000, 0, REMOTE, 53, 600);
    assert_int_equal(pcprig_result_of(A, n), PCP_NOT_AUTHORIZED);
    n = pcprig_make_peer(A, 1, IP_PROTO_UDP, 5000, 0, REMOTE, 53, 0);
    assert_int_equal(pcprig_result_of(A, n), PCP_SUCCESS);
    assert_int_equal(pcprig_pcp.count, 2);

    static const struct {
        uint8_t proto;
        uint16_t inside;
        be32 peer;
        uint16_t peer_port;
        unsigned result;
    } rows[] = {
        {0, 5000, REMOTE, 53, PCP_MALFORMED_REQUEST},
        {IP_PROTO_UDP, 0, REMOTE, 53, PCP_MALFORMED_REQUEST},
        {IP_PROTO_UDP, 5000, REMOTE, 0, PCP_MALFORMED_REQUEST},
        {IP_PROTO_UDP, 5000, 0, 53, PCP_MALFORMED_REQUEST},
        {33, 5000, REMOTE, 53, PCP_UNSUPP_PROTOCOL},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        for (uint32_t s = 0; s <= 600; s += 600) {
            n = pcprig_make_peer(A, 1, rows[i].proto, rows[i].inside, 0, rows[i].peer,
                                 rows[i].peer_port, s);
            assert_int_equal(pcprig_result_of(A, n), rows[i].result);
        }
    n = pcprig_make_peer(A, 1, IP_PROTO_UDP, 5000, 0, REMOTE, 53, 600);
    pcprig_request[PCP_PEER_IP_OFF] = 0x20;
    assert_int_equal(pcprig_result_of(A, n), PCP_MALFORMED_REQUEST);
    pcprig_make_peer(A, 1, IP_PROTO_UDP, 5000, 0, REMOTE, 53, 600);
    assert_int_equal(pcprig_result_of(A, PCP_PEER_BYTES - 4), PCP_MALFORMED_REQUEST);
    assert_int_equal(pcprig_pcp.count, 2);
}

/* The protocols share what there is; NAT-PMP has the nonce zero. */
static void test_protocols_together(void **state)
{
    (void)state;
    assert_int_equal(pcprig_map(A, 9, IP_PROTO_TCP, 80, 80, 600), PCP_SUCCESS);
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_TCP, 80, 80, 600), NATPMP_REFUSED);
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_TCP, 80, 0, 0), NATPMP_REFUSED);
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_TCP, 0, 0, 0), NATPMP_SUCCESS);
    assert_int_equal(pcprig_pcp.count, 1);
    assert_int_equal(pcprig_natpmp(A, NATPMP_MAP_TCP, 81, 81, 600), NATPMP_SUCCESS);
    assert_int_equal(pcprig_map(A, 9, IP_PROTO_TCP, 81, 81, 600), PCP_NOT_AUTHORIZED);
    assert_int_equal(pcprig_map(A, 0, IP_PROTO_TCP, 81, 81, 900), PCP_SUCCESS);
    assert_int_equal(pcprig_pcp.count, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, pcprig_start, pcprig_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_natpmp_address), TEST(test_natpmp_rows), TEST(test_natpmp_wrong),
        TEST(test_versions),       TEST(test_lengths),     TEST(test_announce_and_opcodes),
        TEST(test_options),        TEST(test_map),         TEST(test_delete_all),
        TEST(test_prefer_failure), TEST(test_peer),        TEST(test_protocols_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
