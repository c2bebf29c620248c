/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/dns_proxy.c and net/wire/dns.c: what is relayed and how, which answers count (RFC 5452),
 * sharing, retries and limits, names of our own, and malformed messages.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dns_proxy.h"
#include "net/wire/dns.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_base.h"

#include <stdlib.h>

#define SERVER(i) BE_IP4(9, 9, 9, 1 + (i))
#define OWN_IP    BE_IP4(192, 168, 8, 10)
#define OUTSIDE   16 /* networks, where servers are */
#define INSIDE    3

#define INSIDE_SERVER BE_IP4(192, 168, 12, 53)

/* One datagram the forwarder sent, to a server or to a host. */
struct sent {
    be32 to;
    be16 port; /* ours towards servers, the host's towards hosts */
    uint8_t network;
    size_t n;
    uint8_t bytes[600];
};

static struct dns_proxy proxy;
static struct sent asked[2048], answered[2048];
static unsigned asked_count, answered_count;
static bool reserved[65536];
static unsigned reserved_count, ports_left;
static uint64_t now_us;
static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static be16 reserve_port(void *ctx)
{
    uint16_t port;

    (void)ctx;
    if (ports_left == 0)
        return 0;
    do
        port = (uint16_t)(1024 + rnd(64000));
    while (reserved[port]);
    reserved[port] = true;
    reserved_count++;
    ports_left--;
    return hton16(port);
}

static void release_port(void *ctx, be16 port)
{
    (void)ctx;
    assert_true(reserved[ntoh16(port)]);
    reserved[ntoh16(port)] = false;
    reserved_count--;
    ports_left++;
}

static void record(struct sent *list, unsigned *count, be32 to, be16 port, uint8_t network,
                   const uint8_t *bytes, size_t n)
{
    struct sent *s = &list[(*count)++ % ARRAY_COUNT(asked)];

    assert_true(n <= sizeof(s->bytes));
    s->to = to;
    s->port = port;
    s->network = network;
    s->n = n;
    memcpy(s->bytes, bytes, n);
}

static void ask(void *ctx, be16 port, uint8_t network, be32 server, const uint8_t *bytes, size_t n)
{
    (void)ctx;
    assert_true(reserved[ntoh16(port)]);
    record(asked, &asked_count, server, port, network, bytes, n);
}

static void answer(void *ctx, const struct dns_client *to, const uint8_t *bytes, size_t n)
{
    (void)ctx;
    record(answered, &answered_count, to->ip, to->port, to->network, bytes, n);
}

static void random_bytes(void *ctx, void *to, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)rnd(256);
}

static struct dns_route route(void *ctx, uint8_t network, const char *name, uint16_t type,
                              uint64_t now)
{
    static const struct {
        const char *name;
        struct dns_route route;
    } rows[] = {
        {"web.lan", {DNS_ADDRESS, 0, OWN_IP}},
        {"lan", {DNS_NO_RECORD, 0, 0}},
        {"nobody.lan", {DNS_NO_NAME, 0, 0}},
        {"w?b.lan", {DNS_NO_NAME, 0, 0}},
        {"private.example", {DNS_FORBIDDEN, 0, 0}},
        {"corp.example", {DNS_ONE_SERVER, INSIDE, INSIDE_SERVER}},
    };

    (void)ctx;
    (void)type;
    (void)network;
    assert_int_equal(now, now_us);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].route;
    return (struct dns_route){DNS_ALL, OUTSIDE, 0};
}

static const struct dns_ops ops = {reserve_port, release_port, ask, answer, random_bytes, route};

static int setup(void **state)
{
    const be32 servers[] = {SERVER(0), SERVER(1)};
    uint8_t secret[32] = "a secret of thirty-two bytes...";

    (void)state;
    fake_alloc_free_all();
    assert_int_equal(dns_proxy_init(&proxy, &ops, NULL, secret, fake_alloc), 0);
    dns_proxy_set_servers(&proxy, servers, 2);
    asked_count = answered_count = reserved_count = 0;
    memset(reserved, 0, sizeof(reserved));
    ports_left = 60000;
    now_us = 5000000;
    seed = 3;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    /* A port is reserved exactly for a query under way. */
    return reserved_count == proxy.pending_count ? 0 : -1;
}

/* A query for a dotted name; its length. */
static size_t build(uint8_t *b, uint16_t id, const char *name, uint16_t type)
{
    size_t n = DNS_HDR_BYTES;

    memset(b, 0, DNS_HDR_BYTES);
    store_be16(b, id);
    store_be16(b + DNS_FLAGS_OFF, DNS_FLAG_RECURSION_DESIRED);
    store_be16(b + DNS_QDCOUNT_OFF, 1);
    while (*name) {
        size_t label = strcspn(name, ".");
        b[n++] = (uint8_t)label;
        memcpy(b + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    b[n++] = 0;
    store_be16(b + n, type);
    store_be16(b + n + 2, DNS_CLASS_IN);
    return n + 4;
}

static struct dns_client host(unsigned number)
{
    return (struct dns_client){.ip = BE_IP4(192, 168, 8, number), .port = BE16(4000 + number)};
}

static void query(unsigned number, uint16_t id, const char *name)
{
    struct dns_client from = host(number);
    uint8_t b[512];
    size_t n = build(b, id, name, DNS_TYPE_A);

    dns_proxy_query(&proxy, &from, b, n, now_us);
}

static struct sent *last_asked(void)
{
    return &asked[(asked_count - 1) % ARRAY_COUNT(asked)];
}

static struct sent *last_answered(void)
{
    return &answered[(answered_count - 1) % ARRAY_COUNT(answered)];
}

static unsigned rcode(const struct sent *s)
{
    return load_be16(s->bytes + DNS_FLAGS_OFF) & DNS_FLAG_RCODE;
}

/* The answer a server would give to what it was asked. */
static size_t build_answer(uint8_t *b, const struct sent *q)
{
    memcpy(b, q->bytes, q->n);
    store_be16(b + DNS_FLAGS_OFF, DNS_FLAG_RESPONSE | DNS_FLAG_RECURSION_DESIRED);
    store_be16(b + DNS_ANCOUNT_OFF, 1);
    memset(b + q->n, 0x5A, 16);
    return q->n + 16;
}

static bool give_answer(const struct sent *q)
{
    uint8_t b[600];
    size_t n = build_answer(b, q);

    return dns_proxy_answer(&proxy, q->network, q->to, BE16(DNS_PORT), q->port, b, n);
}

static void test_relays_bytes_unaltered(void **state)
{
    /* AD, CD and DO set, an unknown type, and an option nobody knows. */
    uint8_t b[512], back[512];
    struct dns_client from = host(5);
    size_t n = build(b, 0x1234, "ExAmPle.ORG", 65280);

    (void)state;
    store_be16(b + DNS_FLAGS_OFF, 0x0130);
    store_be16(b + DNS_ARCOUNT_OFF, 1);
    const uint8_t opt[] = {0, 0, 41, 16, 0, 0, 0, 0x80, 0, 0, 7, 0xFD, 0xE9, 0, 3, 1, 2, 3};
    memcpy(b + n, opt, sizeof(opt));
    n += sizeof(opt);
    dns_proxy_query(&proxy, &from, b, n, now_us);
    assert_int_equal(asked_count, 1);
    assert_int_equal(asked[0].to, SERVER(0));
    assert_int_equal(asked[0].n, n);
    assert_memory_equal(asked[0].bytes + 2, b + 2, n - 2);
    assert_int_not_equal(load_be16(asked[0].bytes), 0x1234);

    size_t length = build_answer(back, &asked[0]);
    assert_true(
        dns_proxy_answer(&proxy, OUTSIDE, SERVER(0), BE16(DNS_PORT), asked[0].port, back, length));
    assert_int_equal(answered_count, 1);
    assert_int_equal(answered[0].to, from.ip);
    assert_int_equal(answered[0].port, from.port);
    assert_int_equal(load_be16(answered[0].bytes), 0x1234);
    assert_memory_equal(answered[0].bytes + 2, back + 2, length - 2);
    assert_int_equal(reserved_count, 0);
}

/* Each row differs from the right answer in one thing. */
static void test_only_the_right_answer_counts(void **state)
{
    static const struct {
        int id;
        int server; /* 0: the one asked */
        uint16_t sport;
        int port;   /* added to ours */
        int at;     /* byte changed, -1: none */
        uint8_t by; /* xor */
        size_t cut;
    } rows[] = {
        {1, 1, 53, 0, -1, 0, 0},                                /* another server */
        {2, 0, 54, 0, -1, 0, 0},     {3, 0, 53, 1, -1, 0, 0},   /* a port of nobody */
        {4, 0, 53, 0, 0, 1, 0},                                 /* id */
        {5, 0, 53, 0, 1, 0x80, 0},   {6, 0, 53, 0, 2, 0x80, 0}, /* no response */
        {7, 0, 53, 0, 2, 0x08, 0},                              /* another opcode */
        {8, 0, 53, 0, 5, 1, 0},                                 /* no question */
        {9, 0, 53, 0, 5, 3, 0},                                 /* two */
        {10, 0, 53, 0, 13, 0x20, 0},                            /* letter case */
        {11, 0, 53, 0, 13, 1, 0},                               /* another name */
        {12, 0, 53, 0, 26, 1, 0},                               /* another type */
        {13, 0, 53, 0, 28, 1, 0},                               /* another class */
        {14, 0, 53, 0, -1, 0, 20},                              /* cut within the question */
        {15, 0, 53, 0, -1, 0, 11},   {16, 0, 53, 0, -1, 0, 1},
    };

    (void)state;
    query(1, 7, "example.org");
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t b[600];
        size_t n = build_answer(b, &asked[0]);
        if (rows[i].at >= 0)
            b[rows[i].at] ^= rows[i].by;
        if (rows[i].cut)
            n = rows[i].cut;
        uint8_t *exact = malloc(n);
        memcpy(exact, b, n);
        be16 port = hton16((uint16_t)(ntoh16(asked[0].port) + rows[i].port));
        bool ours = dns_proxy_answer(&proxy, OUTSIDE, SERVER(rows[i].server), hton16(rows[i].sport),
                                     port, exact, n);
        free(exact);
        if (ours != (rows[i].port == 0 && rows[i].server == 0) || answered_count != 0)
            fail_msg("row %d", rows[i].id);
    }
    assert_int_equal(proxy.counters.forged, ARRAY_COUNT(rows) - 1);
    assert_true(give_answer(&asked[0])); /* the wait went on */
    assert_int_equal(answered_count, 1);
    assert_false(give_answer(&asked[0])); /* and is over */
}

/* Forgers who know the question and the server, and guess the rest. */
static void test_forged_answers_are_refused(void **state)
{
    uint8_t b[600];
    unsigned hits = 0;

    (void)state;
    for (unsigned c = 0; c < 100; c++) {
        query(c, (uint16_t)c, "bank.example");
        query(c, (uint16_t)c, "other.example");
    }
    size_t n = build_answer(b, &asked[0]);
    for (unsigned i = 0; i < 100000; i++) {
        be16 id = (be16)rnd(65536), port = hton16((uint16_t)rnd(65536));
        for (unsigned k = 0; k < asked_count; k++)
            hits += asked[k].port == port && load_raw16(asked[k].bytes) == id;
        store_raw16(b, id);
        dns_proxy_answer(&proxy, OUTSIDE, SERVER(0), BE16(DNS_PORT), port, b, n);
    }
    assert_int_equal(hits, 0); /* the seed is such that nobody guessed right */
    assert_int_equal(answered_count, 0);
}

static void test_ids_and_ports_vary(void **state)
{
    unsigned same_id = 0, same_port = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        query(1, (uint16_t)i, "example.org");
        struct sent *s = last_asked();
        if (i > 0) {
            same_id += load_raw16(s->bytes) == load_raw16(asked[(i - 1) % 2048].bytes);
            same_port += s->port == asked[(i - 1) % 2048].port;
        }
        give_answer(s);
    }
    assert_true(same_id < 3 && same_port < 3);
}

static void test_equal_queries_share(void **state)
{
    (void)state;
    query(1, 11, "example.org");
    query(1, 11, "example.org"); /* again, by the same host */
    query(2, 22, "example.org");
    query(3, 33, "example.org");
    assert_int_equal(asked_count, 1);
    query(3, 33, "example.ORG"); /* the same question, but not the same bytes */
    assert_int_equal(asked_count, 2);
    give_answer(&asked[0]);
    assert_int_equal(answered_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(answered[i].to, host(i + 1).ip);
        assert_int_equal(load_be16(answered[i].bytes), 11 * (i + 1));
    }
    give_answer(&asked[1]);
    assert_memory_equal(answered[3].bytes + DNS_HDR_BYTES + 8, "\3ORG", 4);
}

/* Machines started together ask together: all get the answer, from few queries. Who is one too many
 * hears nothing, and asks again by itself. */
static void test_many_hosts_share(void **state)
{
    const unsigned most = DNS_SAME_QUESTION_MAX * DNS_WAITERS_MAX;

    (void)state;
    for (unsigned i = 0; i < most; i++)
        query(i, (uint16_t)i, "example.org");
    assert_int_equal(asked_count, DNS_SAME_QUESTION_MAX);
    assert_int_equal(answered_count, 0);
    query(most, (uint16_t)most, "example.org");
    assert_int_equal(asked_count, DNS_SAME_QUESTION_MAX);
    assert_int_equal(answered_count, 0);
    for (unsigned i = 0; i < DNS_SAME_QUESTION_MAX; i++)
        give_answer(&asked[i]);
    assert_int_equal(answered_count, most);
    assert_int_equal(reserved_count, 0);
}

/* Every further query with one question is one more chance for a forger. */
static void test_one_question_is_not_asked_often(void **state)
{
    uint8_t b[512];

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct dns_client from = host(i);
        size_t n = build(b, (uint16_t)i, "victim.example", DNS_TYPE_A);
        for (unsigned k = 13; k < 19; k++) /* all letter cases of "victim" */
            b[k] = (uint8_t)(b[k] ^ (i >> (k - 13) & 1 ? 0x20 : 0));
        dns_proxy_query(&proxy, &from, b, n, now_us);
    }
    assert_int_equal(asked_count, DNS_SAME_QUESTION_MAX);
    query(1, 1, "bystander.example");
    assert_int_equal(asked_count, DNS_SAME_QUESTION_MAX + 1);
}

static void test_next_server_then_servfail(void **state)
{
    (void)state;
    query(1, 7, "example.org");
    uint64_t begun_us = now_us;
    assert_int_equal(dns_proxy_next_us(&proxy), begun_us + DNS_RETRY_US);
    for (unsigned i = 1; i < 4; i++) {
        now_us = begun_us + i * (uint64_t)DNS_RETRY_US - 1;
        assert_int_equal(dns_proxy_poll(&proxy, now_us), 0);
        now_us++;
        assert_int_equal(dns_proxy_poll(&proxy, now_us), 1);
        assert_int_equal(asked_count, i + 1);
        assert_int_equal(asked[i].to, SERVER(i % 2));
        assert_int_not_equal(asked[i].port, asked[i - 1].port);
        assert_memory_equal(asked[i].bytes + 2, asked[0].bytes + 2, asked[0].n - 2);
        assert_false(give_answer(&asked[i - 1])); /* too late */
    }
    now_us = begun_us + DNS_GIVE_UP_US;
    assert_int_equal(dns_proxy_poll(&proxy, now_us), 1);
    assert_int_equal(answered_count, 1);
    assert_int_equal(rcode(&answered[0]), DNS_SERVFAIL);
    assert_int_equal(load_be16(answered[0].bytes), 7);
    assert_int_equal(proxy.pending_count, 0);
    assert_int_equal(dns_proxy_next_us(&proxy), UINT64_MAX);
}

static void test_answering_server_is_asked_first(void **state)
{
    (void)state;
    query(1, 1, "a.example");
    now_us += DNS_RETRY_US;
    dns_proxy_poll(&proxy, now_us);
    give_answer(&asked[1]);
    query(1, 2, "b.example");
    assert_int_equal(asked[2].to, SERVER(1));
}

/* With one server a late answer is as good as one in time. */
static void test_single_server_is_asked_again(void **state)
{
    const be32 one = SERVER(0);

    (void)state;
    dns_proxy_set_servers(&proxy, &one, 1);
    query(1, 1, "a.example");
    now_us += DNS_RETRY_US;
    dns_proxy_poll(&proxy, now_us);
    assert_int_equal(asked_count, 2);
    assert_int_equal(asked[1].port, asked[0].port);
    assert_memory_equal(asked[1].bytes, asked[0].bytes, asked[0].n);
    assert_true(give_answer(&asked[0]));
    assert_int_equal(answered_count, 1);
}

static void test_limits(void **state)
{
    char name[] = "aaa.example";

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        query(1, (uint16_t)i, name);
    }
    assert_int_equal(asked_count, DNS_PENDING_PER_CLIENT); /* one host does not get it all */
    assert_int_equal(rcode(last_answered()), DNS_SERVFAIL);
    for (unsigned i = 0; i < 1000; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        name[2] = 'z';
        query(2 + i % 200, (uint16_t)i, name);
    }
    assert_int_equal(proxy.pending_count, DNS_PENDING_MAX);
    assert_int_equal(rcode(last_answered()), DNS_SERVFAIL);
    now_us += DNS_GIVE_UP_US * 2ull;
    while (dns_proxy_poll(&proxy, now_us) > 0)
        continue;
    assert_int_equal(proxy.pending_count, 0);
    /* No port: refused, and nothing is lost. */
    ports_left = 0;
    query(1, 1, "noport.example");
    assert_int_equal(rcode(last_answered()), DNS_SERVFAIL);
    ports_left = 1;
    query(1, 1, "noport.example");
    assert_int_equal(proxy.pending_count, 1);
    now_us += DNS_RETRY_US;
    dns_proxy_poll(&proxy, now_us); /* no second port for the next server: the first goes on */
    assert_true(give_answer(last_asked()));
    assert_int_equal(proxy.pending_count, 0);
}

static void test_without_servers_or_upstream(void **state)
{
    struct dns_client from = host(1);
    uint8_t b[512];
    size_t n = build(b, 9, "private.example", DNS_TYPE_A);

    (void)state;
    dns_proxy_query(&proxy, &from, b, n, now_us);
    assert_int_equal(rcode(&answered[0]), DNS_REFUSED);
    dns_proxy_set_servers(&proxy, NULL, 0);
    query(1, 9, "example.org");
    assert_int_equal(rcode(&answered[1]), DNS_SERVFAIL);
    assert_int_equal(asked_count, 0);
    /* Lost while a query is under way. */
    const be32 one = SERVER(0);
    dns_proxy_set_servers(&proxy, &one, 1);
    query(1, 10, "example.org");
    dns_proxy_set_servers(&proxy, NULL, 0);
    now_us += DNS_RETRY_US;
    dns_proxy_poll(&proxy, now_us);
    assert_int_equal(rcode(&answered[2]), DNS_SERVFAIL);
}

static void test_own_names(void **state)
{
    static const struct {
        int id;
        const char *name;
        uint16_t type;
        int records; /* -1: relayed, -2: there is no such name */
    } rows[] = {
        {1, "web.lan", DNS_TYPE_A, 1},
        {2, "web.lan", DNS_TYPE_ANY, 1},
        {3, "web.lan", 28, 0},
        {4, "web.lan", 15, 0},
        {5, "other.example", DNS_TYPE_A, -1},
        {6, "web.lan.example", DNS_TYPE_A, -1},
        {7, "", DNS_TYPE_A, -1},
        {8, "nobody.lan", DNS_TYPE_A, -2},
        {9, "nobody.lan", 28, -2},
        {10, "nobody.lan", DNS_TYPE_ANY, -2},
        {11, "lan", DNS_TYPE_SOA, 0},
        {12,
         "w\xE9"
         "b.lan",
         DNS_TYPE_A, -2}, /* no host name, but in our domain */
        {13, "w b.lan", DNS_TYPE_A, -2},
        {14, "w b.lan.example", DNS_TYPE_A, -1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct dns_client from = host(1);
        uint8_t b[512];
        size_t n = build(b, (uint16_t)i, rows[i].name, rows[i].type);
        unsigned before = answered_count;
        dns_proxy_query(&proxy, &from, b, n, now_us);
        int records =
            answered_count > before ? load_be16(last_answered()->bytes + DNS_ANCOUNT_OFF) : -1;
        if (records == 0 && rcode(last_answered()) == DNS_NXDOMAIN)
            records = -2;
        else if (records >= 0)
            assert_int_equal(rcode(last_answered()), DNS_NOERROR);
        if (records != rows[i].records)
            fail_msg("row %d", rows[i].id);
        if (records == 1)
            assert_memory_equal(last_answered()->bytes + last_answered()->n - 4, &(be32){OWN_IP},
                                4);
    }
    /* With EDNS in the query there is EDNS in the answer. */
    struct dns_client from = host(1);
    uint8_t b[512];
    size_t n = build(b, 1, "web.lan", DNS_TYPE_A);
    const uint8_t opt[] = {0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, 0};
    store_be16(b + DNS_ARCOUNT_OFF, 1);
    memcpy(b + n, opt, sizeof(opt));
    dns_proxy_query(&proxy, &from, b, n + sizeof(opt), now_us);
    assert_int_equal(load_be16(last_answered()->bytes + DNS_ARCOUNT_OFF), 1);
    assert_int_equal(last_answered()->n, n + 16 + sizeof(opt));
}

/* Updates of our own zone, and other classes, are ours to refuse: nobody outside hears of them. */
static void test_own_names_are_never_sent_on(void **state)
{
    static const struct {
        int id;
        const char *name;
        uint16_t flags, class;
        int code; /* -1: relayed */
    } rows[] = {
        {1, "web.lan", 0x2800, DNS_CLASS_IN, DNS_NOTIMP},
        {2, "lan", 0x2800, DNS_CLASS_IN, DNS_NOTIMP},
        {3, "nobody.lan", 0, 3, DNS_REFUSED},
        {4, "web.lan", 0, 3, DNS_REFUSED},
        {5, "web.lan", 0, DNS_CLASS_ANY, DNS_NOERROR},
        {6, "web.example", 0x2800, DNS_CLASS_IN, -1},
        {7, "version.bind", 0, 3, -1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct dns_client from = host(1);
        uint8_t b[512];
        size_t n = build(b, (uint16_t)i, rows[i].name, DNS_TYPE_A);
        unsigned asked_before = asked_count, before = answered_count;
        store_be16(b + DNS_FLAGS_OFF, rows[i].flags);
        store_be16(b + n - 2, rows[i].class);
        dns_proxy_query(&proxy, &from, b, n, now_us);
        if ((rows[i].code < 0) != (asked_count > asked_before) ||
            (answered_count > before ? (int)rcode(last_answered()) : -1) != rows[i].code)
            fail_msg("row %d", rows[i].id);
    }
    assert_int_equal(proxy.counters.local, 5);
}

/* A domain with a server of its own: only that one is asked, and only its answer counts. */
static void test_one_server(void **state)
{
    uint8_t b[600];

    (void)state;
    query(1, 7, "corp.example");
    query(2, 8, "corp.example"); /* shares */
    assert_int_equal(asked_count, 1);
    assert_int_equal(asked[0].to, INSIDE_SERVER);
    assert_int_equal(asked[0].network, INSIDE);
    assert_true(dns_proxy_listens(&proxy, INSIDE, asked[0].port));
    assert_false(dns_proxy_listens(&proxy, OUTSIDE, asked[0].port));
    now_us += DNS_RETRY_US;
    dns_proxy_poll(&proxy, now_us);
    assert_int_equal(asked_count, 2);
    assert_int_equal(asked[1].to, INSIDE_SERVER);
    assert_int_equal(asked[1].port, asked[0].port);
    /* The uplink's servers, the right address on another network, and then the right one. */
    size_t n = build_answer(b, &asked[0]);
    assert_false(dns_proxy_answer(&proxy, OUTSIDE, SERVER(0), BE16(53), asked[0].port, b, n));
    assert_false(dns_proxy_answer(&proxy, OUTSIDE, INSIDE_SERVER, BE16(53), asked[0].port, b, n));
    assert_false(dns_proxy_answer(&proxy, INSIDE, SERVER(0), BE16(53), asked[0].port, b, n));
    assert_int_equal(proxy.counters.forged, 3);
    assert_int_equal(answered_count, 0);
    assert_true(give_answer(&asked[0]));
    assert_int_equal(answered_count, 2);

    /* It needs no servers of the uplink, and outlives their loss. */
    query(1, 9, "corp.example");
    query(1, 10, "example.org");
    dns_proxy_set_servers(&proxy, NULL, 0);
    now_us += DNS_RETRY_US;
    dns_proxy_poll(&proxy, now_us);
    dns_proxy_poll(&proxy, now_us);
    assert_int_equal(answered_count, 3); /* the other's SERVFAIL */
    assert_int_equal(load_be16(last_answered()->bytes), 10);
    assert_true(give_answer(last_asked()));
    assert_int_equal(load_be16(last_answered()->bytes), 9);
    query(1, 11, "corp.example");
    assert_int_equal(last_asked()->to, INSIDE_SERVER);
    for (unsigned i = 0; i < 4; i++) {
        now_us += DNS_RETRY_US;
        dns_proxy_poll(&proxy, now_us);
    }
    assert_int_equal(load_be16(last_answered()->bytes), 11);
    assert_int_equal(rcode(last_answered()), DNS_SERVFAIL);
    assert_int_equal(proxy.pending_count, 0);

    /* Nor does its answer say anything about the others. */
    const be32 servers[] = {SERVER(0), INSIDE_SERVER};
    dns_proxy_set_servers(&proxy, servers, 2);
    query(1, 12, "corp.example");
    give_answer(last_asked());
    query(1, 13, "example.org");
    assert_int_equal(last_asked()->to, SERVER(0));
    give_answer(last_asked());
}

static void test_malformed_queries(void **state)
{
    struct dns_client from = host(1);
    uint8_t b[600];
    size_t n = build(b, 1, "a", DNS_TYPE_A);

    (void)state;
    for (size_t cut = DNS_HDR_BYTES; cut < n; cut++) {
        unsigned before = answered_count;
        dns_proxy_query(&proxy, &from, b, cut, now_us);
        assert_int_equal(answered_count, before + 1);
        assert_int_equal(rcode(last_answered()), DNS_FORMERR);
        assert_int_equal(last_answered()->n, DNS_HDR_BYTES);
    }
    /* Silence for what is no query: responses, pieces of headers, too much. */
    unsigned silent = answered_count;
    b[DNS_FLAGS_OFF] |= 0x80;
    dns_proxy_query(&proxy, &from, b, n, now_us);
    for (n = 0; n < DNS_HDR_BYTES; n++)
        dns_proxy_query(&proxy, &from, b, n, now_us);
    build(b, 1, "a", DNS_TYPE_A);
    dns_proxy_query(&proxy, &from, b, DNS_QUERY_MAX_BYTES + 1, now_us);
    assert_int_equal(answered_count, silent);
    assert_int_equal(asked_count, 0);
}

/* Anything at any time: every query is answered exactly once or shares one that is, ports do not
 * leak. */
static void test_random_traffic(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        char name[] = "aa.example";
        name[0] = (char)('a' + rnd(26));
        name[1] = (char)('a' + rnd(3));
        switch (rnd(4)) {
        case 0:
        case 1:
            query(rnd(20), (uint16_t)rnd(65536), name);
            break;
        case 2:
            if (asked_count > 0)
                give_answer(&asked[(asked_count - 1 - rnd(MIN(asked_count, 200))) % 2048]);
            break;
        default:
            now_us += rnd(200000);
            dns_proxy_poll(&proxy, now_us);
        }
        assert_int_equal(reserved_count, proxy.pending_count);
    }
    now_us += 100000000;
    while (dns_proxy_poll(&proxy, now_us) > 0)
        continue;
    assert_int_equal(proxy.pending_count, 0);
    assert_true(proxy.counters.answered > 1000 && proxy.counters.timed_out > 100);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_relays_bytes_unaltered),
        T(test_only_the_right_answer_counts),
        T(test_forged_answers_are_refused),
        T(test_ids_and_ports_vary),
        T(test_equal_queries_share),
        T(test_many_hosts_share),
        T(test_one_question_is_not_asked_often),
        T(test_next_server_then_servfail),
        T(test_answering_server_is_asked_first),
        T(test_single_server_is_asked_again),
        T(test_limits),
        T(test_without_servers_or_upstream),
        T(test_own_names),
        T(test_own_names_are_never_sent_on),
        T(test_one_server),
        T(test_malformed_queries),
        T(test_random_traffic),
    };
    return cmocka_run_group_tests_name("dns_proxy", tests, NULL, NULL);
}
