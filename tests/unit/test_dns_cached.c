/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_proxy.c and its cache: what a host gets that asks what another has asked before, which
 * queries the cache has nothing to do with, and answers longer than a host can take.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/dns_rig.h"

#include <stdlib.h>

#define SIZE(n) (n) >> 8, (n)&255

/* A query with the flags, and behind it an OPT of these bytes. */
static size_t make(uint8_t *b, const char *name, uint16_t flags, const void *opt, size_t bytes)
{
    size_t n = dns_rig_build(b, 0x1234, name, DNS_TYPE_A);

    store_be16(b + DNS_FLAGS_OFF, flags);
    if (bytes) {
        memcpy(b + n, opt, bytes);
        b[DNS_ARCOUNT_OFF + 1] = 1;
    }
    return n + bytes;
}

/* Asks, answers if it was relayed, and says whether it was. */
static bool relayed(const uint8_t *b, size_t n)
{
    unsigned before = rig.asked_count;

    dns_rig_ask(1, b, n);
    if (rig.asked_count > before)
        dns_rig_answer(dns_rig_asked());
    return rig.asked_count > before;
}

static void test_which_queries_share_an_answer(void **state)
{
    static const uint8_t plain[] = {0, 0, 41, SIZE(1232), 0, 0, 0, 0, 0, 0};
    static const uint8_t cookie[] = {0, 0, 41, SIZE(1232), 0, 0, 0, 0, 0, 6, 0, 10, 0, 2, 1, 2};
    static const uint8_t subnet[] = {0, 0, 41, SIZE(1232), 0, 0, 0, 0, 0,
                                     8, 0, 8,  0,          4, 0, 1, 0, 0};
    static const uint8_t secure[] = {0, 0, 41, SIZE(1232), 0, 0, 0x80, 0, 0, 0};
    static const uint8_t newer[] = {0, 0, 41, SIZE(1232), 0, 1, 0, 0, 0, 0};
    static const uint8_t broken[] = {0, 0, 41, SIZE(1232), 0, 0, 0, 0, 0, 5, 0, 10, 0, 9, 1};
    static const struct {
        int id;
        uint16_t flags;
        const uint8_t *opt;
        size_t bytes;
        bool again[2]; /* whether the first and a second are relayed */
    } rows[] = {
        {1, 0x0100, NULL, 0, {true, false}},
        {2, 0x0100, plain, sizeof(plain), {false, false}}, /* what 1 brought is good for it too */
        {3, 0x0100, cookie, sizeof(cookie), {false, false}},
        {4, 0x0100, subnet, sizeof(subnet), {true, true}},
        {5, 0x0100, secure, sizeof(secure), {true, false}},
        {6, 0x0100, newer, sizeof(newer), {true, true}},
        {7, 0x0100, broken, sizeof(broken), {true, true}},
        {8, 0x0110, NULL, 0, {true, false}}, /* CD */
        {9, 0x0120, NULL, 0, {true, false}}, /* AD */
        {10, 0x0130, secure, sizeof(secure), {true, false}},
        {11, 0x0000, NULL, 0, {true, true}}, /* no recursion wanted */
        {12, 0x0140, NULL, 0, {true, true}}, /* a bit nobody knows */
        {13, 0x2100, NULL, 0, {true, true}}, /* a NOTIFY */
        {14, 0x0100, NULL, 0, {false, false}},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        for (unsigned k = 0; k < 2; k++) {
            uint8_t b[512];
            size_t n = make(b, "shared.example", rows[i].flags, rows[i].opt, rows[i].bytes);
            if (relayed(b, n) != rows[i].again[k])
                fail_msg("row %d, %u", rows[i].id, k);
        }
}

/* The answer is as if it had been asked for: id, letters, RD, an OPT if there was one, the address
 * and what is left of its time. */
static void test_a_hit(void **state)
{
    static const uint8_t opt[] = {0, 0, 41, SIZE(4096), 0, 0, 0, 0, 0, 0};
    const be32 one = SERVER(0);
    uint8_t b[512];

    (void)state;
    dns_proxy_set_servers(&rig.proxy, &one, 1);
    dns_rig_query(1, 1, "www.EXAMPLE.org");
    dns_rig_answer(dns_rig_asked());
    rig.now_us += 20000000;
    size_t n = make(b, "WWW.example.org", 0x0100, opt, sizeof(opt));
    dns_rig_ask(2, b, n);
    assert_int_equal(rig.asked_count, 1);
    assert_int_equal(rig.answered_count, 2);
    const struct dns_sent *s = dns_rig_answered();
    n -= sizeof(opt);
    assert_int_equal(s->to, dns_rig_host(2).ip);
    assert_int_equal(s->n, n + 16 + sizeof(opt));
    assert_int_equal(load_be16(s->bytes), 0x1234);
    assert_int_equal(load_be16(s->bytes + DNS_FLAGS_OFF), 0x8180);
    assert_memory_equal(s->bytes + DNS_HDR_BYTES, b + DNS_HDR_BYTES, n - DNS_HDR_BYTES);
    assert_int_equal(load_be32(s->bytes + n + 6), 40);
    assert_memory_equal(s->bytes + n + 12, "\300\0\2\1", 4);
    assert_int_equal(load_be16(s->bytes + DNS_ARCOUNT_OFF), 1);
    assert_int_equal(load_be16(s->bytes + n + 16 + 1), DNS_TYPE_OPT);
    assert_int_equal(rig.proxy.counters.answered, 2);
    assert_int_equal(rig.proxy.cache.hits, 1);
    /* Its time is over. */
    rig.now_us += 40000000;
    dns_rig_query(3, 3, "www.example.org");
    assert_int_equal(rig.asked_count, 2);
}

/* A server is told of 1,232 bytes at most, as longer datagrams come in fragments. Hosts that differ
 * in more than that share a question. */
static void test_servers_are_told_of_one_datagram(void **state)
{
    static const struct {
        int id;
        unsigned size, told;
        bool again; /* relayed after the one before it */
    } rows[] = {
        {1, 4096, 1232, true},   {2, 1232, 1232, false}, {3, 1233, 1232, false},
        {4, 65535, 1232, false}, {5, 1231, 1231, true},  {6, 512, 512, true},
    };
    uint8_t b[512];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t opt[] = {0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 0};
        unsigned before = rig.asked_count;
        store_be16(opt + DNS_OPT_SIZE_OFF, (uint16_t)rows[i].size);
        size_t n = make(b, "www.example.org", 0x0100, opt, sizeof(opt));
        dns_rig_ask((unsigned)rows[i].id, b, n);
        if (rig.asked_count - before != rows[i].again)
            fail_msg("row %d relayed %u", rows[i].id, rig.asked_count - before);
        const struct dns_sent *s = dns_rig_asked();
        size_t end = s->n - sizeof(opt) + DNS_OPT_SIZE_OFF;
        if (rows[i].again && (s->n != n || load_be16(s->bytes + end) != rows[i].told))
            fail_msg("row %d told %u", rows[i].id, load_be16(s->bytes + end));
    }
    /* A server that sends more than it was told it may: who shares the question gets what the least
     * of them can take. */
    uint8_t a[DNS_RIG_SENT_BYTES];
    size_t length = dns_rig_make_answer(a, &rig.asked[0]);
    memset(a + length, 7, 1300 - length);
    store_be16(a + length - 6, (uint16_t)(1300 - length + 4));
    dns_rig_answer_with(&rig.asked[0], a, 1300);
    assert_int_equal(rig.answered_count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_true(load_be16(rig.answered[i].bytes + DNS_FLAGS_OFF) & DNS_FLAG_TRUNCATED);
}

/* Who may not ask is told so, whatever others have asked; and so is who asks for a name of ours. */
static void test_policy_comes_first(void **state)
{
    const be32 others[] = {SERVER(0), SERVER(2)};
    const be32 same[] = {SERVER(0), SERVER(1)};

    (void)state;
    dns_rig_query(1, 1, "a.example");
    dns_rig_answer(dns_rig_asked());
    dns_rig_query(1, 2, "private.example");
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_REFUSED);
    assert_int_equal(rig.proxy.cache.misses, 1);
    dns_rig_query(1, 3, "web.lan");
    assert_int_equal(rig.proxy.cache.hits + rig.proxy.cache.misses, 1);
    /* It is empty when other servers are asked, and only then. */
    dns_proxy_set_servers(&rig.proxy, same, 2);
    dns_rig_query(1, 4, "a.example");
    assert_int_equal(rig.asked_count, 1);
    dns_proxy_set_servers(&rig.proxy, others, 2);
    dns_rig_query(1, 5, "a.example");
    assert_int_equal(rig.asked_count, 2);
}

/* Forged answers are not kept either. */
static void test_only_what_matches_is_kept(void **state)
{
    uint8_t b[DNS_RIG_SENT_BYTES];

    (void)state;
    dns_rig_query(1, 1, "a.example");
    size_t n = dns_rig_make_answer(b, &rig.asked[0]);
    b[0] ^= 1;
    dns_rig_answer_with(&rig.asked[0], b, n);
    assert_int_equal(rig.proxy.cache.entries, 0);
    b[0] ^= 1;
    dns_rig_answer_with(&rig.asked[0], b, n);
    assert_int_equal(rig.proxy.cache.entries, 1);
}

/* No answer is longer than its host can take: it is told to ask by TCP. */
static void test_long_answers(void **state)
{
    static const struct {
        int id;
        unsigned size; /* 0: no OPT */
        size_t bytes;  /* of the whole answer, without OPT */
        bool cut;
    } rows[] = {
        {1, 0, 512, false},   {2, 0, 513, true},      {3, 512, 501, false},  {4, 512, 502, true},
        {5, 100, 501, false}, {6, 1232, 1221, false}, {7, 1232, 1222, true}, {8, 4096, 2000, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t opt[] = {0, 0, 41, (uint8_t)(rows[i].size >> 8), (uint8_t)rows[i].size, 0, 0, 0,
                         0, 0, 0};
        uint8_t b[512], a[DNS_RIG_SENT_BYTES];
        char name[] = "a.example";
        name[0] = (char)('a' + i);
        size_t with_opt = rows[i].size ? sizeof(opt) : 0;
        size_t n = make(b, name, 0x0100, opt, with_opt), head = n - with_opt;
        dns_rig_ask(1, b, n);
        size_t length = dns_rig_make_answer(a, dns_rig_asked());
        memset(a + length, 7, rows[i].bytes - length); /* all in one record, of a size to fit */
        store_be16(a + length - 6, (uint16_t)(rows[i].bytes - length + 4));
        if (with_opt) {
            memcpy(a + rows[i].bytes, opt, sizeof(opt));
            a[DNS_ARCOUNT_OFF + 1] = 1;
        }
        dns_rig_answer_with(dns_rig_asked(), a, rows[i].bytes + with_opt);
        for (unsigned again = 0; again < 2; again++) { /* the second from the cache */
            const struct dns_sent *s = dns_rig_answered();
            bool cut = load_be16(s->bytes + DNS_FLAGS_OFF) & DNS_FLAG_TRUNCATED;
            if (cut != rows[i].cut)
                fail_msg("row %d: cut %d", rows[i].id, cut);
            if (cut)
                assert_true(s->n <= head + sizeof(opt) && !load_be16(s->bytes + DNS_ANCOUNT_OFF));
            else
                assert_int_equal(s->n, rows[i].bytes + with_opt);
            assert_memory_equal(s->bytes + DNS_HDR_BYTES, b + DNS_HDR_BYTES, head - DNS_HDR_BYTES);
            dns_rig_ask(1, b, n);
        }
        assert_int_equal(rig.asked_count, i + 1);
    }
}

/* That no server has answered is known for a moment (RFC 9520, section 3.2): nobody is asked again,
 * and the host need not wait again. A new server may be asked at once. */
static void test_silence_is_kept(void **state)
{
    const be32 other = SERVER(1);
    uint8_t b[512];

    (void)state;
    dns_rig_query(1, 1, "silent.example");
    dns_rig_pass(DNS_GIVE_UP_US);
    assert_int_equal(rig.answered_count, 1);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
    unsigned asked = rig.asked_count;
    dns_rig_query(2, 2, "SILENT.example");
    assert_int_equal(rig.asked_count, asked);
    assert_int_equal(rig.answered_count, 2);
    assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
    assert_int_equal(load_be16(dns_rig_answered()->bytes), 2);
    assert_memory_equal(dns_rig_answered()->bytes + DNS_HDR_BYTES + 1, "SILENT", 6);
    dns_rig_pass((DNS_CACHE_FAILURE_S + 1) * 1000000u);
    dns_rig_query(1, 3, "silent.example");
    assert_true(rig.asked_count > asked);
    dns_rig_pass(DNS_GIVE_UP_US);
    asked = rig.asked_count;
    dns_proxy_set_servers(&rig.proxy, &other, 1);
    dns_rig_query(1, 4, "silent.example");
    assert_true(rig.asked_count > asked);

    /* It says nothing of other queries, and one that is not known is not kept. */
    dns_rig_pass(DNS_GIVE_UP_US);
    asked = rig.asked_count;
    size_t n = dns_rig_build(b, 5, "silent.example", DNS_TYPE_A);
    b[DNS_FLAGS_OFF] = 0; /* no recursion desired */
    dns_rig_ask(1, b, n);
    assert_int_equal(rig.asked_count, ++asked);
    dns_rig_pass(DNS_GIVE_UP_US);
    asked = rig.asked_count;
    dns_rig_ask(1, b, n);
    assert_int_equal(rig.asked_count, ++asked);
}

/* A failure takes the place of no answer that still holds: one that came to another query with the
 * same question meanwhile. */
static void test_failures_displace_nothing(void **state)
{
    static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
    uint8_t b[512], answer[DNS_RIG_SENT_BYTES];

    for (unsigned silent = 0; silent < 2; silent++) {
        dns_rig_stop(state);
        dns_rig_start(state);
        size_t n = dns_rig_build(b, 1, "two.example", DNS_TYPE_A);
        dns_rig_ask(1, b, n);
        memcpy(b + n, opt, sizeof(opt));
        b[DNS_ARCOUNT_OFF + 1] = 1;
        dns_rig_ask(2, b, n + sizeof(opt));
        assert_true(dns_rig_answer(&rig.asked[0]));
        for (unsigned s = 0; s < 2 && !silent; s++) {
            const struct dns_sent *q = dns_rig_asked();
            n = dns_rig_make_answer(answer, q);
            answer[DNS_FLAGS_OFF + 1] |= DNS_SERVFAIL;
            assert_true(dns_rig_answer_with(q, answer, n));
        }
        if (silent)
            dns_rig_pass(DNS_GIVE_UP_US);
        assert_int_equal(rig.answered_count, 2);
        assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_SERVFAIL);
        dns_rig_query(3, 3, "two.example");
        assert_int_equal(rig.answered_count, 3);
        assert_int_equal(dns_rig_rcode(dns_rig_answered()), DNS_NOERROR);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, dns_rig_start, dns_rig_stop)
    const struct CMUnitTest tests[] = {
        T(test_which_queries_share_an_answer),
        T(test_a_hit),
        T(test_policy_comes_first),
        T(test_only_what_matches_is_kept),
        T(test_long_answers),
        T(test_silence_is_kept),
        T(test_failures_displace_nothing),
        T(test_servers_are_told_of_one_datagram),
    };
    return cmocka_run_group_tests_name("dns_cached", tests, NULL, NULL);
}
