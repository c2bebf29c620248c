/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_cache.c: what is kept and for how long (RFC 2308), what comes out, against a naive model;
 * bounded memory; and messages that are no good.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>

#include "net/dns_cache.h"
#include "tests/fake/fake_alloc.h"
#include "tests/model/naive_dns_cache.h"

#include <stdio.h>
#include <stdlib.h>

#define BLOCKS (DNS_CACHE_MIN_BYTES / 256)

static struct dns_cache cache;
static uint8_t out[DNS_CACHE_MESSAGE_BYTES];
static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static int setup(void **state)
{
    static const uint8_t secret[32] = "thirty-two bytes that are secret";

    (void)state;
    fake_alloc_free_all();
    seed = 5;
    return dns_cache_init(&cache, 0, secret, fake_alloc);
}

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

/* ---- messages ---- */

static uint8_t message[8192];
static size_t length, head;

static void begin(const char *name, uint16_t type, unsigned rcode)
{
    memset(message, 0, DNS_HDR_BYTES);
    store_be16(message + DNS_FLAGS_OFF, (uint16_t)(0x8180 | rcode));
    store_be16(message + DNS_QDCOUNT_OFF, 1);
    length = DNS_HDR_BYTES + dns_encode_name(message + DNS_HDR_BYTES, name, "");
    store_be16(message + length, type);
    store_be16(message + length + 2, DNS_CLASS_IN);
    length += 4;
    head = length;
}

/* A record of the question's name, in the section counted at count_off. */
static void add(unsigned count_off, uint16_t type, uint32_t ttl_s, size_t bytes)
{
    uint8_t *p = message + length;

    store_be16(p, 0xC000 | DNS_HDR_BYTES);
    store_be16(p + 2, type);
    store_be16(p + 4, DNS_CLASS_IN);
    store_be32(p + 6, ttl_s);
    store_be16(p + 10, (uint16_t)bytes);
    for (size_t i = 0; i < bytes; i++)
        p[12 + i] = (uint8_t)rnd(256);
    length += 12 + bytes;
    store_be16(message + count_off, (uint16_t)(load_be16(message + count_off) + 1));
}

static void add_soa(uint32_t ttl_s, uint32_t minimum_s)
{
    add(DNS_NSCOUNT_OFF, DNS_TYPE_SOA, ttl_s, 24);
    store_be32(message + length - 4, minimum_s);
}

static void add_opt(uint8_t extended_rcode)
{
    const uint8_t opt[11] = {0, 0, DNS_TYPE_OPT, 4, 0xD0, extended_rcode};

    memcpy(message + length, opt, sizeof(opt));
    length += sizeof(opt);
    message[DNS_ARCOUNT_OFF + 1]++;
}

static struct dns_question question(void)
{
    struct dns_question q;

    assert_true(dns_read_question(&q, message, length));
    return q;
}

/* In a buffer that ends where the message does. */
static void keep(unsigned flags, uint32_t now_s)
{
    struct dns_question q = question();
    uint8_t *exact = malloc(length);

    memcpy(exact, message, length);
    dns_cache_keep(&cache, exact, length, &q, flags, now_s);
    free(exact);
}

static size_t find(unsigned flags, uint32_t now_s)
{
    struct dns_question q = question();

    return dns_cache_find(&cache, message, &q, flags, out, now_s);
}

/* ---- what is kept ---- */

enum what {
    ADDRESS,
    ADDRESS_DAYS,
    SHORTEST,
    SHORTEST_BESIDE,
    ZERO,
    NEGATIVE_TTL,
    ALIAS_AND_NO_SOA,
    ALIAS_AND_SOA,
    NO_NAME,
    NO_NAME_LONG,
    NO_NAME_BY_SOA_TTL,
    NO_NAME_NO_SOA,
    NOTHING,
    REFERRAL,
    FAILURE,
    REFUSAL,
    CUT,
    EXTENDED,
    BEHIND_OPT,
    ANY,
    CHAOS,
    TRAILING,
    SHORT,
};

static void make(enum what what)
{
    begin("a.example", what == ANY ? DNS_TYPE_ANY : DNS_TYPE_A,
          what == NO_NAME || what == NO_NAME_LONG || what == NO_NAME_BY_SOA_TTL ||
                  what == NO_NAME_NO_SOA
              ? DNS_NXDOMAIN
          : what == FAILURE ? DNS_SERVFAIL
          : what == REFUSAL ? DNS_REFUSED
                            : DNS_NOERROR);
    if (what <= NEGATIVE_TTL || what >= CUT)
        add(DNS_ANCOUNT_OFF, DNS_TYPE_A,
            what == ADDRESS_DAYS   ? 1000000
            : what == ZERO         ? 0
            : what == NEGATIVE_TTL ? 0x80000001u
                                   : 300,
            4);
    if (what == SHORTEST)
        add(DNS_ANCOUNT_OFF, DNS_TYPE_A, 100, 4);
    if (what == SHORTEST_BESIDE)
        add(DNS_ARCOUNT_OFF, DNS_TYPE_A, 50, 4);
    if (what == ALIAS_AND_NO_SOA || what == ALIAS_AND_SOA)
        add(DNS_ANCOUNT_OFF, 5, 20, 2);
    if (what == REFERRAL)
        add(DNS_NSCOUNT_OFF, DNS_TYPE_NS, 300, 2);
    if (what == NO_NAME || what == NOTHING || what == ALIAS_AND_SOA)
        add_soa(900, 60);
    if (what == NO_NAME_LONG)
        add_soa(86400, 86400);
    if (what == NO_NAME_BY_SOA_TTL)
        add_soa(30, 86400);
    if (what == CUT)
        message[DNS_FLAGS_OFF] |= 2;
    if (what == EXTENDED)
        add_opt(1);
    if (what == BEHIND_OPT) {
        add_opt(0);
        add(DNS_ARCOUNT_OFF, 250, 0, 8);
    }
    if (what == CHAOS)
        message[head - 1] = 3;
    if (what == TRAILING)
        length++;
    if (what == SHORT)
        length--;
}

static void test_lifetimes(void **state)
{
    static const struct {
        enum what what;
        uint32_t ttl_s; /* 0: not kept */
    } rows[] = {
        {ADDRESS, 300},
        {ADDRESS_DAYS, 86400},
        {SHORTEST, 100},
        {SHORTEST_BESIDE, 50},
        {ZERO, 0},
        {NEGATIVE_TTL, 0},
        {ALIAS_AND_NO_SOA, 0},
        {ALIAS_AND_SOA, 20},
        {NO_NAME, 60},
        {NO_NAME_LONG, 3600},
        {NOTHING, 60},
        {NO_NAME_BY_SOA_TTL, 30},
        {NO_NAME_NO_SOA, 0},
        {REFERRAL, 0},
        {FAILURE, 2},
        {REFUSAL, 0},
        {CUT, 0},
        {EXTENDED, 0},
        {BEHIND_OPT, 0},
        {ANY, 0},
        {CHAOS, 0},
        {TRAILING, 0},
        {SHORT, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        dns_cache_flush(&cache);
        make(rows[i].what);
        keep(0, 1000);
        if ((find(0, 1000) > 0) != (rows[i].ttl_s > 0))
            fail_msg("row %u: kept or not", rows[i].what);
        if (rows[i].ttl_s == 0)
            continue;
        if (find(0, 1000 + rows[i].ttl_s - 1) != length || find(0, 1000 + rows[i].ttl_s) != 0)
            fail_msg("row %u: not for %u s", rows[i].what, rows[i].ttl_s);
        assert_int_equal(cache.entries, 0); /* what is over is gone once it was asked for */
    }
}

static void test_what_comes_out(void **state)
{
    (void)state;
    make(SHORTEST);
    add_opt(0);
    size_t bare = length - 11;
    keep(DNS_CACHE_DNSSEC_OK, 50);
    /* The OPT is gone; the TTLs are what is left, and none longer than the entry lives. */
    assert_int_equal(find(DNS_CACHE_DNSSEC_OK, 90), bare);
    assert_int_equal(load_be16(out + DNS_ARCOUNT_OFF), 0);
    assert_int_equal(load_be32(out + head + 6), 60);
    assert_int_equal(load_be32(out + head + 16 + 6), 60);
    assert_memory_equal(out + head + 12, message + head + 12, 4);
    /* In any letter case; with other bits, another type or name: not. */
    message[13] = 'A';
    assert_int_equal(find(DNS_CACHE_DNSSEC_OK, 50), bare);
    assert_int_equal(find(0, 50), 0);
    assert_int_equal(find(DNS_CACHE_DNSSEC_OK | DNS_CACHE_CHECKING_DISABLED, 50), 0);
    message[head - 3] = 28;
    assert_int_equal(find(DNS_CACHE_DNSSEC_OK, 50), 0);
    /* Types 65 and 97 differ as letters of two cases do. */
    begin("a.example", 65, 0);
    add(DNS_ANCOUNT_OFF, 65, 10, 4);
    keep(0, 50);
    message[head - 3] = 97;
    assert_int_equal(find(0, 50), 0);
    message[head - 3] = 65;
    assert_int_equal(find(0, 50), length);
    assert_int_equal(cache.hits + cache.misses, 7);
    dns_cache_flush(&cache);
    assert_int_equal(find(0, 50), 0);
}

static void numbered(unsigned number, size_t bytes)
{
    char name[32];

    snprintf(name, sizeof(name), "n%u.example", number);
    begin(name, 16, 0);
    add(DNS_ANCOUNT_OFF, 16, 1000, bytes);
}

/* Room is made of what was used longest ago, and of nothing else. */
static void test_bounded_memory(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BLOCKS; i++) {
        numbered(i, 20);
        keep(0, 1);
    }
    assert_int_equal(cache.entries, BLOCKS);
    assert_int_equal(cache.evicted, 0);
    numbered(0, 20);
    assert_true(find(0, 1) > 0); /* and is the newest now */
    numbered(9999, 1000);        /* five blocks */
    keep(0, 1);
    assert_int_equal(cache.evicted, 5);
    for (unsigned i = 0; i < BLOCKS; i++) {
        numbered(i, 20);
        if ((find(0, 1) > 0) != (i < 1 || i > 5))
            fail_msg("entry %u", i);
    }
    numbered(9999, 1000);
    size_t n = find(0, 1);
    assert_int_equal(n, length);
    /* The longest that is kept, again and again: nothing is lost of the memory. */
    for (unsigned i = 0; i < 1000; i++) {
        begin("long.example", 16, 0);
        add(DNS_ANCOUNT_OFF, 16, 1000, DNS_CACHE_MESSAGE_BYTES - head - 12);
        keep(0, 1);
        assert_int_equal(find(0, 1), DNS_CACHE_MESSAGE_BYTES);
        assert_memory_equal(out + head, message + head, 6);
        assert_memory_equal(out + head + 12, message + head + 12, length - head - 12);
    }
    begin("longer.example", 16, 0);
    add(DNS_ANCOUNT_OFF, 16, 1000, DNS_CACHE_MESSAGE_BYTES - head - 11);
    keep(0, 1);
    assert_int_equal(find(0, 1), 0);
    for (unsigned i = 0; i < 2 * BLOCKS; i++) {
        numbered(i, 20);
        keep(0, 1);
    }
    assert_int_equal(cache.entries, BLOCKS);
}

/* Answers of all kinds to a few questions, as time passes: what is there is what the model has, and
 * what has not been pushed out is there. */
static void test_random_against_the_model(void **state)
{
    static struct naive_dns_cache model;
    static uint8_t expected[8192];
    unsigned hits = 0, wide = 0;
    uint32_t now_s = 1;

    (void)state;
    model.count = 0;
    for (unsigned step = 0; step < 60000 && model.count < NAIVE_DNS_ANSWERS - 1; step++) {
        static const uint16_t types[] = {1, 28, 65, 97, 5, 6};
        static const char *const names[] = {"a.example", "A.Example", "b.example", "b.exam.ple",
                                            ""};
        const char *name = names[rnd(4)];
        unsigned flags = rnd(3);
        begin(name, types[rnd(6)], rnd(4) ? 0 : rnd(6));
        if (rnd(8)) { /* ask */
            size_t n = naive_dns_cache_find(&model, message, head, flags, expected, now_s);
            size_t got = find(flags, now_s);
            for (size_t i = DNS_HDR_BYTES; i < head - 4 && n > 0; i++) /* the name is in small */
                expected[i] = (uint8_t)tolower(expected[i]);
            if (got != n || memcmp(out, expected, n) != 0)
                fail_msg("step %u: %zu bytes, should be %zu", step, got, n);
            hits += n > 0;
            now_s += rnd(4) ? 0 : rnd(20);
            continue;
        }
        for (unsigned i = rnd(4); i > 0; i--)
            add(DNS_ANCOUNT_OFF, rnd(2) ? load_be16(message + head - 4) : types[rnd(6)], rnd(100),
                rnd(3) ? rnd(64) : rnd(900));
        if (rnd(2))
            add_soa(rnd(100), rnd(100));
        if (!rnd(3))
            add(DNS_ARCOUNT_OFF, 1, rnd(8) ? 60 : 0xFFFFFFFF, 4);
        if (rnd(2))
            add_opt(0);
        if (!rnd(30)) /* truncated */
            message[2] |= 2;
        wide += length > 300;
        keep(flags, now_s);
        naive_dns_cache_keep(&model, message, length, head, flags, now_s);
    }
    if (hits < 1000 || wide < 1000)
        fail_msg("only %u hits and %u long messages", hits, wide);
    assert_int_equal(cache.evicted, 0);
}

/* Any bytes behind a question, in every length: kept only if they are records to the last byte. */
static void test_hostile_messages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50000; i++) {
        begin("a.example", 1, 0);
        add(DNS_ANCOUNT_OFF, 1, 60, 4);
        add(DNS_NSCOUNT_OFF, 6, 60, 30);
        for (unsigned k = rnd(6); k > 0; k--)
            message[head + rnd((uint32_t)(length - head))] = (uint8_t)rnd(256);
        for (unsigned k = rnd(3); k > 0; k--)
            message[DNS_ANCOUNT_OFF + rnd(6)] = (uint8_t)rnd(4);
        length -= rnd(20);
        keep(0, i);
        find(0, i);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_lifetimes),        T(test_what_comes_out),
        T(test_bounded_memory),   T(test_random_against_the_model),
        T(test_hostile_messages),
    };
    return cmocka_run_group_tests_name("dns_cache", tests, NULL, NULL);
}
