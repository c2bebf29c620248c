/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzzes the DHCP server and its option reader. The input is a sequence of requests; each begins
 * with a byte that chooses:
 *
 *   bit 7        the next two bytes are a length (big-endian, up to 1500) and a message follows as
 * it is; else 20 bytes follow that go into a message with right header and cookie: type, client,
 * requested (last byte), server is ours, flags, then 15 bytes of raw options bits 0..6    seconds
 * that pass before it; bits 5..6: the port it comes in by, too
 *
 * Judged: whatever is answered is a message the reader accepts, of the right type, for the client
 * that asked, with an address inside the pool; no address is held live by two slots; and an address
 * is bound exactly while it is leased.
 */
#include "tests/fuzz/fuzz.h"

#include "net/dhcp_server.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/lease_judge.h"

#define SHORT_BYTES 20

static struct config config;
static struct dhcp_server server;
static struct dhcp_reply reply;
static be32 probed; /* last, by ARP */

/* By the last number of the address. */
static struct {
    uint64_t until_us;
    uint8_t mac[MAC_BYTES];
} bound[256];

static void bind_address(void *ctx, unsigned network, be32 ip, const uint8_t *mac,
                         uint64_t until_us)
{
    (void)ctx;
    REQUIRE(network == 0 && config_net_has(&config.nets[0], ip));
    bound[ntoh32(ip) & 255].until_us = until_us;
    memcpy(bound[ntoh32(ip) & 255].mac, mac, MAC_BYTES);
}

static void unbind_address(void *ctx, unsigned network, be32 ip)
{
    (void)ctx;
    (void)network;
    bound[ntoh32(ip) & 255].until_us = 0;
}

static uint16_t port_mtu(void *ctx, unsigned network)
{
    (void)ctx;
    (void)network;
    return 1500;
}

static bool talks(void *ctx, unsigned network, unsigned other)
{
    (void)ctx;
    (void)network;
    (void)other;
    return false;
}

static void probe(void *ctx, unsigned network, be32 ip)
{
    (void)ctx;
    REQUIRE(network == 0 && config_net_has(&config.nets[0], ip));
    probed = ip;
}

static void start(void)
{
    static const struct dhcp_ops ops = {bind_address, unbind_address, port_mtu, probe, talks};
    static const uint8_t secret[24] = {1, 2, 3};

    config.ok = true;
    config.net_count = 1;
    config.host_count = 1;
    config.nets[0] = (struct config_net){.name = "lan",
                                         .mode = NET_NAT,
                                         .prefix = 24,
                                         .ports = 0xF,
                                         .dns_self = true,
                                         .ip = BE_IP4(192, 168, 8, 1),
                                         .pool_first = BE_IP4(192, 168, 8, 100),
                                         .pool_last = BE_IP4(192, 168, 8, 107),
                                         .lease_s = 60,
                                         .domain = "lan"};
    config.hosts[0] = (struct config_host){
        .mac = {2, 0, 0, 0, 0, 1}, .net = 0, .ip = BE_IP4(192, 168, 8, 10), .name = "web"};
    config.nets[0].next_server = BE_IP4(192, 168, 8, 7);
    config.dhcpopt_count = 3; /* one that fits, one that needs room elsewhere, one in pieces */
    config.dhcpopts[0] =
        (struct config_dhcpopt){.code = DHCP_OPT_BOOT_FILE, .n = 4, .bytes = "boot"};
    config.dhcpopts[1] = (struct config_dhcpopt){.code = 200, .n = 60, .bytes = "sixty"};
    config.dhcpopts[2] = (struct config_dhcpopt){.code = 224, .n = CONFIG_DHCPOPT_BYTES};
    fake_alloc_free_all();
    memset(bound, 0, sizeof(bound));
    REQUIRE(dhcp_server_init(&server, &config, &ops, NULL, secret, fake_alloc, fake_alloc_dirty) ==
            0);
}

static size_t short_message(uint8_t *b, const uint8_t *d)
{
    const uint8_t options[] = {DHCP_OPT_TYPE, 1, d[0],    DHCP_OPT_REQUESTED, 4, 192,
                               168,           8, d[2],    DHCP_OPT_SERVER,    4, 192,
                               168,           8, d[3] & 1};
    size_t n = DHCP_OPTIONS_OFF;

    memset(b, 0, DHCP_OPTIONS_OFF);
    b[DHCP_OP_OFF] = DHCP_BOOTREQUEST;
    b[DHCP_HTYPE_OFF] = DHCP_HTYPE_ETHERNET;
    b[DHCP_HLEN_OFF] = MAC_BYTES;
    b[DHCP_CHADDR_OFF] = 2;
    b[DHCP_CHADDR_OFF + 5] = d[1];
    b[DHCP_FLAGS_OFF] = d[4];
    if (d[3] & 2)
        memcpy(b + DHCP_CIADDR_OFF, options + 5, 4);
    if (d[3] & 4)
        memcpy(b + DHCP_GIADDR_OFF, (const uint8_t[]){192, 168, 8, 50}, 4);
    store_be32(b + DHCP_COOKIE_OFF, DHCP_COOKIE);
    /* Without the server or the requested address, if the flags say so. */
    size_t used = d[3] & 8 ? 3 : d[3] & 16 ? 9 : sizeof(options);
    memcpy(b + n, options, used);
    memcpy(b + n + used, d + 5, SHORT_BYTES - 5);
    return n + used + SHORT_BYTES - 5;
}

/* request: NULL for an answer that had to wait. */
static void judge_reply(const uint8_t *request)
{
    struct dhcp_message m;

    REQUIRE(reply.n >= DHCP_MIN_BYTES && reply.n <= sizeof(reply.bytes));
    REQUIRE(dhcp_read(&m, reply.bytes, reply.n));
    REQUIRE(m.op == DHCP_BOOTREPLY && m.server == config.nets[0].ip);
    REQUIRE(m.type == DHCP_TYPE_OFFER || m.type == DHCP_TYPE_ACK || m.type == DHCP_TYPE_NAK);
    REQUIRE(!request || memcmp(reply.bytes + DHCP_XID_OFF, request + DHCP_XID_OFF, 4) == 0);
    REQUIRE(!request || memcmp(m.mac, request + DHCP_CHADDR_OFF, MAC_BYTES) == 0);
    if (m.yiaddr) {
        uint32_t last = ntoh32(m.yiaddr) & 255;
        REQUIRE(config_net_has(&config.nets[0], m.yiaddr));
        REQUIRE(last == 10 || (last >= 100 && last <= 107));
    }
    REQUIRE(m.type != DHCP_TYPE_NAK || !m.yiaddr);
}

static void judge_bindings(const struct lease_table *t, uint64_t now_us)
{
    for (uint32_t i = 0; i < t->slot_count; i++) {
        const struct lease *l = lease_slot(t, i);
        bool live = l && lease_live(l, (uint32_t)(now_us / 1000000));
        if (!l || l->host != CONFIG_MAX_HOSTS)
            continue;
        unsigned last = ntoh32(l->ip) & 255;
        REQUIRE(live == (bound[last].until_us > now_us));
        REQUIRE(!live || memcmp(bound[last].mac, l->mac, MAC_BYTES) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dhcp_from from = {.mac = {2, 0, 0, 0, 0, 0xEE}};
    uint64_t now_us = 0;
    uint8_t made[512];

    start();
    for (unsigned step = 0; size > SHORT_BYTES && step < 64; step++) {
        /* Under way to then, what waits becomes due. */
        uint64_t then_us = now_us + (data[0] & 127) * 1000000ull;
        for (uint64_t next; (next = dhcp_server_next_us(&server)) <= then_us;) {
            now_us = MAX(now_us, next);
            if (dhcp_server_poll(&server, now_us, &reply))
                judge_reply(NULL);
        }
        now_us = then_us;
        bool whole = data[0] & 128;
        from.port = data[0] >> 5 & 3;
        data++;
        size--;
        const uint8_t *from_data = data;
        size_t n = SHORT_BYTES, taken = SHORT_BYTES;
        if (whole) {
            n = MIN(load_be16(data) % 1501u, size - 2);
            taken = n + 2;
            from_data = data + 2;
        } else {
            n = short_message(made, data);
            from_data = made;
        }
        uint8_t *exact = malloc(n + 1);
        memcpy(exact, from_data, n);
        if (dhcp_server_handle(&server, &from, exact, n, now_us, &reply))
            judge_reply(exact);
        if (!whole && (data[4] & 1)) {
            const uint8_t other[MAC_BYTES] = {2, 0, 0, 0, 0, data[1] ^ (data[4] >> 1 & 3)};
            dhcp_server_seen(&server, 0, probed, other, now_us);
        }
        lease_judge(&server.leases[0]);
        judge_bindings(&server.leases[0], now_us);
        free(exact);
        data += taken;
        size -= taken;
    }
    fake_alloc_free_all();
    return 0;
}
