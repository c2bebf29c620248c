/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What one DISCOVER-OFFER-REQUEST-ACK costs the DHCP server on the host: from a message to the
 * message that answers it.
 *
 *     bench_dhcp                 times everything, one line a figure
 *     bench_dhcp few|many|new N  N exchanges, prints nothing: for counting instructions with
 *                                valgrind --tool=callgrind --toggle-collect=dhcp_exchange
 *
 * few, many: of 100 and of 10,000 clients, all with leases, in random order; new: of clients that
 * have none, whose offers wait for ARP, with as many leases there as there were exchanges. Making
 * the requests is neither timed nor counted.
 */
#include "net/dhcp_server.h"
#include "tests/fake/fake_alloc.h"
#include "tests/bench/cycles.h"

#include <stdio.h>
#include <stdlib.h>

#define POOL_FIRST BE_IP4(10, 7, 0, 2)
#define POOL_LAST  BE_IP4(10, 7, 255, 254)
#define POOL_SIZE  65533
#define FEW        100
#define MANY       10000
#define ROUNDS     7
#define WAIT_US    (DHCP_PROBE_US / DHCP_PROBE_REQUESTS)

struct client_message {
    struct dhcp_from from;
    uint8_t bytes[512];
    size_t n;
};

void dhcp_exchange(struct client_message *discover, struct client_message *request);

static struct config config;
static struct dhcp_server server;
static struct dhcp_reply reply;
static uint64_t now_us = 1000000;
static uint32_t seed = 7;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)seed * below >> 32);
}

static void die(const char *what)
{
    fprintf(stderr, "bench_dhcp: %s\n", what);
    exit(1);
}

static void on_bind(void *ctx, unsigned network, be32 ip, const uint8_t *mac, uint64_t until_us)
{
    (void)ctx, (void)network, (void)ip, (void)mac, (void)until_us;
}

static void on_unbind(void *ctx, unsigned network, be32 ip)
{
    (void)ctx, (void)network, (void)ip;
}

static uint16_t port_mtu(void *ctx, unsigned network)
{
    (void)ctx, (void)network;
    return 1500;
}

static void on_probe(void *ctx, unsigned network, be32 ip)
{
    (void)ctx, (void)network, (void)ip;
}

static bool talks(void *ctx, unsigned network, unsigned other)
{
    (void)ctx, (void)network, (void)other;
    return false;
}

/* What a host of some name says, with what it wants to know: as dhclient does. */
static void write_message(struct client_message *m, unsigned type, uint32_t client)
{
    static const uint8_t wanted[] = {1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42};
    const uint8_t mac[MAC_BYTES] = {
        2, 0, 0, (uint8_t)(client >> 16), (uint8_t)(client >> 8), (uint8_t)client};
    struct dhcp_writer w = {.at = m->bytes + DHCP_OPTIONS_OFF, .end = m->bytes + sizeof(m->bytes)};
    char name[16];

    memset(m, 0, sizeof(*m));
    memcpy(m->from.mac, mac, MAC_BYTES);
    m->bytes[DHCP_OP_OFF] = DHCP_BOOTREQUEST;
    m->bytes[DHCP_HTYPE_OFF] = DHCP_HTYPE_ETHERNET;
    m->bytes[DHCP_HLEN_OFF] = MAC_BYTES;
    store_be32(m->bytes + DHCP_XID_OFF, client);
    memcpy(m->bytes + DHCP_CHADDR_OFF, mac, MAC_BYTES);
    store_be32(m->bytes + DHCP_COOKIE_OFF, DHCP_COOKIE);
    dhcp_put8(&w, DHCP_OPT_TYPE, (uint8_t)type);
    if (type == DHCP_TYPE_REQUEST) {
        dhcp_put_ip(&w, DHCP_OPT_SERVER, config.nets[0].ip);
        dhcp_put_ip(&w, DHCP_OPT_REQUESTED, 0); /* dhcp_exchange() puts the offered one here */
    }
    int n = snprintf(name, sizeof(name), "host%u", client);
    dhcp_put(&w, DHCP_OPT_NAME, name, (size_t)n);
    dhcp_put(&w, DHCP_OPT_PARAMS, wanted, sizeof(wanted));
    m->n = dhcp_finish(&w, m->bytes);
}

#define REQUESTED_OFF (DHCP_OPTIONS_OFF + 3 + 6 + 2)

/* The exchange itself; an offer that waits is asked for until it comes. */
__attribute__((noinline)) void dhcp_exchange(struct client_message *discover,
                                             struct client_message *request)
{
    bool offered =
        dhcp_server_handle(&server, &discover->from, discover->bytes, discover->n, now_us, &reply);
    for (unsigned i = 0; !offered && i < DHCP_PROBE_REQUESTS; i++) {
        now_us += WAIT_US;
        offered = dhcp_server_poll(&server, now_us, &reply);
    }
    if (!offered)
        die("no offer");
    memcpy(request->bytes + REQUESTED_OFF, reply.bytes + DHCP_YIADDR_OFF, 4);
    if (!dhcp_server_handle(&server, &request->from, request->bytes, request->n, now_us, &reply) ||
        reply.bytes[DHCP_OPTIONS_OFF + 2] != DHCP_TYPE_ACK)
        die("no ack");
}

static uint64_t exchange(uint32_t client)
{
    struct client_message discover, request;

    write_message(&discover, DHCP_TYPE_DISCOVER, client);
    write_message(&request, DHCP_TYPE_REQUEST, client);
    uint64_t began = __rdtsc();
    dhcp_exchange(&discover, &request);
    return __rdtsc() - began;
}

/* A server that has given leases to the clients 0 to n - 1. */
static void start(uint32_t n)
{
    static const struct dhcp_ops ops = {on_bind, on_unbind, port_mtu, on_probe, talks};
    static const uint8_t random[24] = "bytes like any of these";

    config.ok = true;
    config.net_count = 1;
    config.nets[0] = (struct config_net){.name = "lan",
                                         .mode = NET_NAT,
                                         .prefix = 16,
                                         .dns_self = true,
                                         .ip = BE_IP4(10, 7, 0, 1),
                                         .pool_first = POOL_FIRST,
                                         .pool_last = POOL_LAST,
                                         .lease_s = CONFIG_FOREVER,
                                         .domain = "lan"};
    fake_alloc_free_all();
    if (dhcp_server_init(&server, &config, &ops, NULL, random, fake_alloc, fake_alloc_dirty) != 0)
        die("no memory");
    for (uint32_t c = 0; c < n; c++)
        exchange(c);
}

static uint64_t exchanges(uint32_t clients, uint32_t count)
{
    uint64_t cycles = 0;

    for (uint32_t i = 0; i < count; i++)
        cycles += exchange(rnd(clients));
    return cycles;
}

/* The best of some rounds: whatever disturbs, adds. */
static double best_ns(uint32_t clients, double scale)
{
    uint64_t best = UINT64_MAX;

    start(clients);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t cycles = exchanges(clients, MANY);
        best = MIN(best, cycles);
    }
    return (double)best * scale / MANY;
}

int main(int argc, char **argv)
{
    uint32_t count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;

    if (argc == 1) {
        double scale = ns_per_cycle();
        printf("dhcp-exchange 100-leases %.0f ns/exchange\n", best_ns(FEW, scale));
        printf("dhcp-exchange 10000-leases %.0f ns/exchange\n", best_ns(MANY, scale));
    } else if (count == 0 || count > POOL_SIZE) {
        die("usage: bench_dhcp [few|many|new EXCHANGES]");
    } else if (strcmp(argv[1], "new") == 0) {
        start(count);
    } else {
        uint32_t clients = strcmp(argv[1], "many") == 0 ? MANY : FEW;
        start(clients);
        exchanges(clients, count);
    }
    fake_alloc_free_all();
    return 0;
}
