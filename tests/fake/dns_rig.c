/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DNS forwarder's surroundings; see dns_rig.h.
 */
#include "tests/fake/dns_rig.h"

#include "check.h"
#include "tests/fake/fake_alloc.h"

#include <stdlib.h>

struct dns_rig rig;

uint32_t dns_rig_random(uint32_t below)
{
    rig.seed = rig.seed * 1664525u + 1013904223u;
    return (rig.seed >> 8) % below;
}

static be16 reserve_port(void *ctx)
{
    uint16_t port;

    (void)ctx;
    if (rig.ports_left == 0)
        return 0;
    do
        port = (uint16_t)(1024 + dns_rig_random(64000));
    while (rig.reserved[port]);
    rig.reserved[port] = true;
    rig.reserved_count++;
    rig.ports_left--;
    return hton16(port);
}

static void release_port(void *ctx, be16 port)
{
    (void)ctx;
    CHECK(rig.reserved[ntoh16(port)]);
    rig.reserved[ntoh16(port)] = false;
    rig.reserved_count--;
    rig.ports_left++;
}

static struct dns_sent *record(struct dns_sent *list, unsigned *count, be32 to, be16 port,
                               uint8_t network, const uint8_t *bytes, size_t n)
{
    struct dns_sent *s = &list[(*count)++ % DNS_RIG_SENT];

    CHECK(n <= sizeof(s->bytes));
    s->to = to;
    s->port = port;
    s->network = network;
    s->stream = 0;
    s->n = n;
    memcpy(s->bytes, bytes, n);
    return s;
}

static void ask(void *ctx, be16 port, uint8_t network, be32 server, const uint8_t *bytes, size_t n)
{
    (void)ctx;
    CHECK(rig.reserved[ntoh16(port)]);
    record(rig.asked, &rig.asked_count, server, port, network, bytes, n);
}

static void answer(void *ctx, const struct dns_client *to, const uint8_t *bytes, size_t n)
{
    (void)ctx;
    record(rig.answered, &rig.answered_count, to->ip, to->port, to->network, bytes, n)->stream =
        to->stream;
}

static bool fetch(void *ctx, uint16_t which, uint8_t network, be32 server, const uint8_t *bytes,
                  size_t n)
{
    (void)ctx;
    CHECK(which < DNS_PENDING_MAX && !rig.under_way[which] && rig.fetched_count < DNS_RIG_FETCHES);
    if (rig.fetches_left == 0)
        return false;
    rig.fetches_left--;
    rig.fetching++;
    rig.under_way[which] = true;
    record(rig.fetched, &rig.fetched_count, server, which, network, bytes, n);
    return true;
}

static void end_fetch(void *ctx, uint16_t which)
{
    (void)ctx;
    CHECK(rig.under_way[which]);
    rig.under_way[which] = false;
    rig.fetching--;
}

static void random_bytes(void *ctx, void *to, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)dns_rig_random(256);
}

static struct dns_route route(void *ctx, uint8_t network, const char *name, uint16_t type,
                              uint64_t now)
{
    static const struct {
        const char *name;
        struct dns_route route;
    } rows[] = {
        {"web.lan", {.way = DNS_ADDRESS, .zone_chars = 3, .ip = OWN_IP}},
        {"lan", {.way = DNS_NO_RECORD, .zone_chars = 3}},
        {"nobody.lan", {.way = DNS_NO_NAME, .zone_chars = 3}},
        {"nobody", {.way = DNS_NO_NAME}},
        {"w?b.lan", {.way = DNS_NO_NAME, .zone_chars = 3}},
        {"localhost", {.way = DNS_LOOPBACK, .zone_chars = 9}},
        {"10.8.168.192.in-addr.arpa", {.way = DNS_POINTER, .host = "web", .domain = "lan"}},
        {"11.8.168.192.in-addr.arpa", {.way = DNS_POINTER, .host = "a.b.example", .domain = ""}},
        {"allowed.example", {.way = DNS_ALL, .network = OUTSIDE, .may_lead_inside = true}},
        {"private.example", {.way = DNS_FORBIDDEN}},
        {"corp.example", {.way = DNS_ONE_SERVER, .network = INSIDE, .ip = INSIDE_SERVER}},
    };

    (void)ctx;
    (void)type;
    (void)network;
    CHECK(now == rig.now_us);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].route;
    return (struct dns_route){.way = DNS_ALL, .network = OUTSIDE};
}

static bool is_inside(void *ctx, be32 ip)
{
    (void)ctx;
    return ip == DNS_RIG_INSIDE;
}

static const struct dns_ops ops = {
    .reserve_port = reserve_port,
    .release_port = release_port,
    .ask = ask,
    .answer = answer,
    .random = random_bytes,
    .route = route,
    .is_inside = is_inside,
    .fetch = fetch,
    .end_fetch = end_fetch,
};

int dns_rig_start(void **state)
{
    const be32 servers[] = {SERVER(0), SERVER(1)};
    static const uint8_t secret[64] =
        "a secret of sixty-four bytes, most of which are nothing at all";

    (void)state;
    fake_alloc_free_all();
    CHECK(dns_proxy_init(&rig.proxy, &ops, NULL, DNS_CACHE_MIN_BYTES, secret, fake_alloc) == 0);
    dns_proxy_set_servers(&rig.proxy, servers, 2);
    rig.asked_count = rig.answered_count = rig.reserved_count = 0;
    rig.fetched_count = rig.fetching = 0;
    rig.fetches_left = DNS_RIG_FETCHES;
    memset(rig.under_way, 0, sizeof(rig.under_way));
    memset(rig.reserved, 0, sizeof(rig.reserved));
    rig.ports_left = 60000;
    rig.now_us = 5000000;
    rig.seed = 3;
    return 0;
}

int dns_rig_stop(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return rig.reserved_count == rig.proxy.pending_count && rig.fetching <= rig.proxy.pending_count
               ? 0
               : -1;
}

size_t dns_rig_build(uint8_t *b, uint16_t id, const char *name, uint16_t type)
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

struct dns_client dns_rig_host(unsigned number)
{
    return (struct dns_client){.ip = BE_IP4(192, 168, 8, number), .port = BE16(4000 + number)};
}

void dns_rig_ask(unsigned number, const uint8_t *b, size_t n)
{
    struct dns_client from = dns_rig_host(number);
    uint8_t *exact = malloc(n + 1); /* the sanitizer sees every byte too far */

    memcpy(exact, b, n);
    dns_proxy_query(&rig.proxy, &from, exact, n, rig.now_us);
    free(exact);
}

void dns_rig_query(unsigned number, uint16_t id, const char *name)
{
    uint8_t b[512];

    dns_rig_ask(number, b, dns_rig_build(b, id, name, DNS_TYPE_A));
}

void dns_rig_pass(uint64_t us)
{
    uint64_t end_us = rig.now_us + us;

    while (dns_proxy_next_us(&rig.proxy) <= end_us) {
        rig.now_us = MAX(rig.now_us, dns_proxy_next_us(&rig.proxy));
        dns_proxy_poll(&rig.proxy, rig.now_us);
    }
    rig.now_us = end_us;
}

const struct dns_sent *dns_rig_asked(void)
{
    return &rig.asked[(rig.asked_count - 1) % DNS_RIG_SENT];
}

const struct dns_sent *dns_rig_answered(void)
{
    return &rig.answered[(rig.answered_count - 1) % DNS_RIG_SENT];
}

unsigned dns_rig_rcode(const struct dns_sent *s)
{
    return load_be16(s->bytes + DNS_FLAGS_OFF) & DNS_FLAG_RCODE;
}

size_t dns_rig_make_answer(uint8_t *b, const struct dns_sent *q)
{
    static const uint8_t record[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
    struct dns_question question;

    CHECK(dns_read_question(&question, q->bytes, q->n));
    size_t n = DNS_HDR_BYTES + (size_t)question.bytes;
    memcpy(b, q->bytes, n);
    store_be16(b + DNS_FLAGS_OFF, DNS_FLAG_RESPONSE | DNS_FLAG_RECURSION_DESIRED |
                                      DNS_FLAG_RECURSION_AVAILABLE |
                                      (load_be16(q->bytes + DNS_FLAGS_OFF) & DNS_FLAG_OPCODE));
    store_be16(b + DNS_ANCOUNT_OFF, 1);
    store_be16(b + DNS_NSCOUNT_OFF, 0);
    store_be16(b + DNS_ARCOUNT_OFF, 0);
    memcpy(b + n, record, sizeof(record));
    return n + sizeof(record);
}

bool dns_rig_answer_with(const struct dns_sent *q, const uint8_t *b, size_t n)
{
    uint8_t *exact = malloc(n + 1);

    memcpy(exact, b, n);
    bool ours = dns_proxy_answer(&rig.proxy, q->network, q->to, BE16(DNS_PORT), q->port, exact, n,
                                 rig.now_us);
    free(exact);
    return ours;
}

bool dns_rig_answer(const struct dns_sent *q)
{
    uint8_t b[DNS_RIG_SENT_BYTES];

    return dns_rig_answer_with(q, b, dns_rig_make_answer(b, q));
}

void dns_rig_fetched(const uint8_t *b, size_t n)
{
    const struct dns_sent *q = &rig.fetched[rig.fetched_count - 1];
    uint8_t *exact = malloc(n + 1);

    if (b)
        memcpy(exact, b, n);
    end_fetch(NULL, q->port);
    dns_proxy_fetched(&rig.proxy, q->port, b ? exact : NULL, n, rig.now_us);
    free(exact);
}
