/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzzes the DNS forwarder. The input is a sequence of steps; each is a byte that chooses, a length
 * byte, and that many bytes (times two, for messages over 255):
 *
 *   bits 0..1   0, 1: a query with these bytes, by TCP if bit 4 is set; 2: an answer with these
 *               bytes to the last query asked, its id and question made right if bit 4 is set, cut
 *               (TC) if bit 5 is, by TCP if bit 6 is; 3: time passes
 *   bits 2..3   which host; of an answer, 2: its letters are of another case, 3: it is an error
 *   bit 7       no server can be asked by TCP now
 *
 * What becomes of a query is chosen by the first letter of its name.
 *
 * Judged: names of our own are not sent on; who waits and waits no more has been answered, once;
 * ports do not leak, nor what is asked by TCP; all queries end.
 */
#include "tests/fuzz/fuzz.h"

#include "net/dns_proxy_internal.h"
#include "net/wire/dns.h"
#include "tests/fake/fake_alloc.h"

#define OUTSIDE       16
#define INSIDE        3
#define INSIDE_SERVER BE_IP4(192, 168, 12, 53)

static struct dns_proxy proxy;
static struct {
    be16 port;
    uint8_t network;
    be32 server;
    size_t n;
    uint8_t bytes[DNS_QUERY_MAX_BYTES];
} last;
static bool reserved[65536];
static unsigned reserved_count, next_port, answers, fetching;
static bool by_tcp[DNS_PENDING_MAX], no_tcp;
static uint16_t last_by_tcp;

/* By the first letter, so that inputs find every way. */
static enum dns_way way_of(const char *name)
{
    static const char letters[] = "wlpdnfes";

    REQUIRE(strlen(name) < DNS_MAX_NAME_BYTES);
    for (unsigned i = 0; letters[i]; i++)
        if (name[0] == letters[i])
            return (enum dns_way)i;
    return DNS_ALL;
}

static be16 reserve_port(void *ctx)
{
    (void)ctx;
    do
        next_port = next_port % 65535 + 1;
    while (reserved[next_port]);
    reserved[next_port] = true;
    reserved_count++;
    return hton16((uint16_t)next_port);
}

static void release_port(void *ctx, be16 port)
{
    (void)ctx;
    REQUIRE(reserved[ntoh16(port)]);
    reserved[ntoh16(port)] = false;
    reserved_count--;
}

static void ask(void *ctx, be16 port, uint8_t network, be32 server, const uint8_t *bytes, size_t n)
{
    struct dns_question q;
    char name[DNS_MAX_NAME_BYTES];

    (void)ctx;
    REQUIRE(reserved[ntoh16(port)] && n <= sizeof(last.bytes));
    REQUIRE(dns_read_question(&q, bytes, n));
    dns_name_text(name, bytes, &q);
    REQUIRE(way_of(name) >= DNS_ALL); /* what is ours, and what is forbidden, is never sent */
    REQUIRE(network == OUTSIDE ? server != INSIDE_SERVER : server == INSIDE_SERVER);
    last.port = port;
    last.network = network;
    last.server = server;
    last.n = n;
    memcpy(last.bytes, bytes, n);
}

static void answer(void *ctx, const struct dns_client *to, const uint8_t *bytes, size_t n)
{
    (void)ctx;
    REQUIRE(to->network == 0 && n >= DNS_HDR_BYTES);
    REQUIRE(load_be16(bytes + DNS_FLAGS_OFF) & DNS_FLAG_RESPONSE);
    answers++;
}

static void random_bytes(void *ctx, void *to, size_t n)
{
    static uint8_t state;

    (void)ctx;
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = state++;
}

static struct dns_route route(void *ctx, uint8_t network, const char *name, uint16_t type,
                              uint64_t now_us)
{
    (void)ctx;
    (void)network;
    (void)type;
    (void)now_us;
    return (struct dns_route){.way = way_of(name),
                              .network = way_of(name) == DNS_ONE_SERVER ? INSIDE : OUTSIDE,
                              .ip = INSIDE_SERVER,
                              .zone_chars = (uint8_t)(strlen(name) / 2 * (strchr(name, '.') != 0)),
                              .host = "host",
                              .domain = "domain.example"};
}

static bool is_inside(void *ctx, be32 ip)
{
    (void)ctx;
    return ip == INSIDE_SERVER;
}

static bool fetch(void *ctx, uint16_t which, uint8_t network, be32 server, const uint8_t *bytes,
                  size_t n)
{
    if (no_tcp)
        return false;
    REQUIRE(which < DNS_PENDING_MAX && !by_tcp[which]);
    ask(ctx, last.port, network, server, bytes, n);
    by_tcp[which] = true;
    last_by_tcp = which;
    fetching++;
    return true;
}

static void end_fetch(void *ctx, uint16_t which)
{
    (void)ctx;
    REQUIRE(by_tcp[which]);
    by_tcp[which] = false;
    fetching--;
}

static unsigned waiting(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < proxy.queued; i++)
        n += proxy.pending[proxy.queue[i]].waiter_count;
    return n;
}

static void give_answer(const uint8_t *bytes, size_t n, unsigned how, uint64_t now_us)
{
    uint8_t *exact = malloc(n + last.n + 1);

    memcpy(exact, bytes, n);
    if ((how & 16) && last.n) {
        memcpy(exact, last.bytes, last.n);
        exact[DNS_FLAGS_OFF] |= how & 32 ? 0x82 : 0x80;
        if (how & 8)
            exact[DNS_FLAGS_OFF + 1] = DNS_SERVFAIL;
        for (size_t i = DNS_HDR_BYTES; (how & 4) && i < last.n - 4; i++)
            exact[i] ^= exact[i] >= 'A' ? 0x20 : 0;
        memcpy(exact + last.n, bytes, n);
        n += last.n;
    }
    unsigned before = answers + waiting();
    if (!(how & 64)) {
        dns_proxy_answer(&proxy, last.network, last.server, BE16(DNS_PORT), last.port, exact, n,
                         now_us);
    } else if (by_tcp[last_by_tcp]) {
        end_fetch(NULL, last_by_tcp);
        dns_proxy_fetched(&proxy, last_by_tcp, n % 5 ? exact : NULL, n, now_us);
    }
    REQUIRE(answers + waiting() == before);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dns_ops ops = {reserve_port, release_port, ask,   answer,   random_bytes,
                                       route,        is_inside,    fetch, end_fetch};
    static const uint8_t secret[64] = {1};
    static const be32 servers[] = {BE_IP4(9, 9, 9, 9), BE_IP4(8, 8, 8, 8)};
    uint64_t now_us = 0;

    fake_alloc_free_all();
    REQUIRE(dns_proxy_init(&proxy, &ops, NULL, DNS_CACHE_MIN_BYTES, secret, fake_alloc) == 0);
    dns_proxy_set_servers(&proxy, servers, 2);
    last.n = 0;
    while (size >= 2) {
        unsigned what = data[0];
        size_t n = MIN(data[1] * 2u, size - 2);
        struct dns_client from = {.ip = BE_IP4(192, 168, 8, 10 + (what >> 2 & 3)), .port = 99};
        from.stream = what & 16 ? 1 + (what >> 5 & 1) : 0;
        no_tcp = what & 128;
        if ((what & 3) < 2) {
            uint8_t *exact = malloc(n + 1);
            memcpy(exact, data + 2, n);
            dns_proxy_query(&proxy, &from, exact, n, now_us);
            free(exact);
        } else if ((what & 3) == 2) {
            give_answer(data + 2, n, what, now_us);
        } else {
            unsigned before = answers + waiting();
            now_us += n * 50000;
            dns_proxy_poll(&proxy, now_us);
            REQUIRE(answers + waiting() == before);
        }
        REQUIRE(reserved_count == proxy.pending_count && fetching <= proxy.pending_count);
        data += n + 2;
        size -= n + 2;
    }
    now_us += 10ull * DNS_GIVE_UP_US;
    while (dns_proxy_poll(&proxy, now_us) > 0)
        continue;
    REQUIRE(reserved_count == 0 && proxy.pending_count == 0 && fetching == 0);
    fake_alloc_free_all();
    return 0;
}
