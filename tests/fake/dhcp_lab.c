/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See dhcp_lab.h.
 */
#include "tests/fake/dhcp_lab.h"
#include "check.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/fake_base.h"

#include <stdio.h>

struct dhcp_lab dhcp_lab;

static uint8_t secret[24] = "sixteen and eight more";
const uint8_t dhcp_lab_relay_mac[MAC_BYTES] = {2, 0, 0, 0, 0xEE, 0xEE};
static uint32_t seed = 7;

uint32_t dhcp_lab_rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

void dhcp_lab_mac_of(uint8_t *mac, unsigned client)
{
    const uint8_t base[MAC_BYTES] = {2, 0, 0, 0, (uint8_t)(client >> 8), (uint8_t)client};
    memcpy(mac, base, MAC_BYTES);
}

static struct dhcp_lab_binding *find_binding(unsigned network, be32 ip)
{
    for (unsigned i = 0; i < dhcp_lab.binding_count; i++)
        if (dhcp_lab.bindings[i].network == network && dhcp_lab.bindings[i].ip == ip)
            return &dhcp_lab.bindings[i];
    return NULL;
}

static void on_unbind(void *ctx, unsigned network, be32 ip)
{
    struct dhcp_lab_binding *b = find_binding(network, ip);

    CHECK(ctx == &dhcp_lab);
    if (b)
        *b = dhcp_lab.bindings[--dhcp_lab.binding_count];
}

static void on_bind(void *ctx, unsigned network, be32 ip, const uint8_t *mac, uint64_t until_us)
{
    on_unbind(ctx, network, ip);
    CHECK(until_us > dhcp_lab.now_us && dhcp_lab.binding_count < DHCP_LAB_BINDINGS);
    struct dhcp_lab_binding *b = &dhcp_lab.bindings[dhcp_lab.binding_count++];
    *b = (struct dhcp_lab_binding){.ip = ip, .network = (uint8_t)network, .until_us = until_us};
    memcpy(b->mac, mac, MAC_BYTES);
}

const struct dhcp_lab_binding *dhcp_lab_bound(unsigned network, be32 ip)
{
    const struct dhcp_lab_binding *b = find_binding(network, ip);

    return b && b->until_us > dhcp_lab.now_us ? b : NULL;
}

static uint16_t port_mtu(void *ctx, unsigned network)
{
    (void)ctx;
    (void)network;
    return dhcp_lab.mtu;
}

static bool talks(void *ctx, unsigned network, unsigned other)
{
    (void)ctx;
    CHECK(network != other);
    return dhcp_lab.talks >> network & 1;
}

static void on_probe(void *ctx, unsigned network, be32 ip)
{
    CHECK(ctx == &dhcp_lab && config_net_has(&dhcp_lab.config.nets[network], ip));
    dhcp_lab.probed = ip;
    dhcp_lab.probes++;
}

void dhcp_lab_start(void)
{
    static const struct dhcp_ops ops = {on_bind, on_unbind, port_mtu, on_probe, talks};

    fake_alloc_free_all();
    dhcp_lab.binding_count = 0;
    CHECK(dhcp_server_init(&dhcp_lab.server, &dhcp_lab.config, &ops, &dhcp_lab, secret, fake_alloc,
                           fake_alloc_dirty) == 0);
    fake_log_clear();
}

int dhcp_lab_setup(void **state)
{
    (void)state;
    memset(&dhcp_lab.config, 0, sizeof(dhcp_lab.config));
    dhcp_lab.config.ok = true;
    dhcp_lab.config.net_count = 2;
    dhcp_lab.config.nets[0] = (struct config_net){
        .name = "lan",
        .mode = NET_NAT,
        .prefix = 24,
        .dns_self = true,
        .ip = ROUTER,
        .pool_first = POOL(0),
        .pool_last = POOL(POOL_SIZE - 1),
        .lease_s = LEASE_S,
        .domain = "lan",
    };
    dhcp_lab.config.nets[1] = dhcp_lab.config.nets[0];
    dhcp_lab.config.nets[1].mode = NET_HOSTONLY;
    dhcp_lab.config.nets[1].ip = BE_IP4(192, 168, 9, 1);
    dhcp_lab.config.nets[1].pool_first = BE_IP4(192, 168, 9, 100);
    dhcp_lab.config.nets[1].pool_last = BE_IP4(192, 168, 9, 110);
    dhcp_lab.config.nets[1].lease_s = CONFIG_FOREVER;
    dhcp_lab.config.nets[1].mtu = 9000;
    snprintf(dhcp_lab.config.hostname, sizeof(dhcp_lab.config.hostname), "sluice");
    dhcp_lab.now_us = 1000000;
    dhcp_lab.mtu = 9216;
    dhcp_lab.talks = 0;
    dhcp_lab.waits = false;
    dhcp_lab_start();
    return 0;
}

int dhcp_lab_teardown(void **state)
{
    (void)state;
    fake_alloc_free_all();
    return 0;
}

size_t dhcp_lab_build(uint8_t *b, size_t room, const struct dhcp_lab_request *r)
{
    struct dhcp_writer w = {.at = b + DHCP_OPTIONS_OFF, .end = b + room};

    memset(b, 0, room);
    b[DHCP_OP_OFF] = DHCP_BOOTREQUEST;
    b[DHCP_HTYPE_OFF] = DHCP_HTYPE_ETHERNET;
    b[DHCP_HLEN_OFF] = MAC_BYTES;
    store_be32(b + DHCP_XID_OFF, 0xA0B0C000u + r->client);
    store_raw16(b + DHCP_FLAGS_OFF, r->flags);
    store_raw32(b + DHCP_CIADDR_OFF, r->ciaddr);
    store_raw32(b + DHCP_GIADDR_OFF, r->giaddr);
    dhcp_lab_mac_of(b + DHCP_CHADDR_OFF, r->client);
    store_be32(b + DHCP_COOKIE_OFF, DHCP_COOKIE);
    dhcp_put8(&w, DHCP_OPT_TYPE, r->type);
    if (r->requested)
        dhcp_put_ip(&w, DHCP_OPT_REQUESTED, r->requested);
    if (r->server)
        dhcp_put_ip(&w, DHCP_OPT_SERVER, r->server);
    if (r->max_size)
        dhcp_put16(&w, DHCP_OPT_MAX_SIZE, r->max_size);
    if (r->id)
        dhcp_put(&w, DHCP_OPT_CLIENT_ID, r->id, strlen(r->id));
    if (r->name)
        dhcp_put(&w, DHCP_OPT_NAME, r->name, strlen(r->name));
    if (r->params)
        dhcp_put(&w, DHCP_OPT_PARAMS, r->params, strlen(r->params));
    if (r->relay)
        dhcp_put(&w, DHCP_OPT_RELAY, r->relay, strlen(r->relay));
    return dhcp_finish(&w, b);
}

bool dhcp_lab_poll(uint64_t now_us)
{
    return dhcp_server_poll(&dhcp_lab.server, now_us, &dhcp_lab.reply);
}

/* What the server answers in the end. Unless the test is about waiting, nobody is at the address it
 * has asked ARP for, and time passes until that is known. */
static bool handle(const struct dhcp_from *from, const uint8_t *b, size_t n)
{
    if (dhcp_server_handle(&dhcp_lab.server, from, b, n, dhcp_lab.now_us, &dhcp_lab.reply))
        return true;
    for (unsigned i = 1; i <= DHCP_PROBE_REQUESTS && !dhcp_lab.waits; i++)
        if (dhcp_lab.server.pending.count > 0) {
            dhcp_lab.now_us += DHCP_PROBE_US / DHCP_PROBE_REQUESTS;
            if (dhcp_lab_poll(dhcp_lab.now_us))
                return true;
        }
    return false;
}

unsigned dhcp_lab_type(void)
{
    struct dhcp_message m;

    CHECK(dhcp_read(&m, dhcp_lab.reply.bytes, dhcp_lab.reply.n));
    return m.type;
}

unsigned dhcp_lab_ask_on(unsigned network, struct dhcp_lab_request r)
{
    struct dhcp_from from = {.network = (uint8_t)network, .port = (uint8_t)r.port};
    uint8_t b[1024];
    struct dhcp_message m;
    size_t n = dhcp_lab_build(b, sizeof(b), &r);

    dhcp_lab_mac_of(from.mac, r.client);
    if (r.giaddr || r.forged)
        memcpy(from.mac, dhcp_lab_relay_mac, MAC_BYTES);
    if (!handle(&from, b, n))
        return 0;
    const struct dhcp_reply *a = &dhcp_lab.reply;
    CHECK(a->n >= DHCP_MIN_BYTES && a->n <= sizeof(a->bytes));
    CHECK(a->bytes[DHCP_OP_OFF] == DHCP_BOOTREPLY);
    CHECK(dhcp_read(&m, a->bytes, a->n));
    CHECK(memcmp(a->bytes + DHCP_XID_OFF, b + DHCP_XID_OFF, 4) == 0);
    CHECK(memcmp(a->bytes + DHCP_CHADDR_OFF, b + DHCP_CHADDR_OFF, DHCP_CHADDR_BYTES) == 0);
    CHECK(m.giaddr == r.giaddr && m.server == dhcp_lab.config.nets[network].ip);
    CHECK(m.client_id.n == (r.id ? strlen(r.id) : 0));
    CHECK(!r.id || memcmp(m.client_id.at, r.id, m.client_id.n) == 0);
    return m.type;
}

unsigned dhcp_lab_ask(struct dhcp_lab_request r)
{
    return dhcp_lab_ask_on(0, r);
}

be32 dhcp_lab_yiaddr(void)
{
    return load_raw32(dhcp_lab.reply.bytes + DHCP_YIADDR_OFF);
}

be32 dhcp_lab_lease(unsigned client)
{
    struct dhcp_lab_request r = {.type = DHCP_TYPE_DISCOVER, .client = client};

    CHECK(dhcp_lab_ask(r) == DHCP_TYPE_OFFER);
    r.type = DHCP_TYPE_REQUEST;
    r.requested = dhcp_lab_yiaddr();
    r.server = ROUTER;
    CHECK(dhcp_lab_ask(r) == DHCP_TYPE_ACK);
    CHECK(dhcp_lab_yiaddr() == r.requested);
    return r.requested;
}

/* The option's value, or NULL; *n its length. By a walk that shares nothing with the code under
 * test. */
const uint8_t *dhcp_lab_option(uint8_t code, unsigned *n)
{
    const uint8_t *at = dhcp_lab.reply.bytes + DHCP_OPTIONS_OFF,
                  *end = dhcp_lab.reply.bytes + dhcp_lab.reply.n;

    while (at < end && *at != DHCP_OPT_END) {
        if (*at == DHCP_OPT_PAD) {
            at++;
            continue;
        }
        if (*at == code) {
            *n = at[1];
            return at + 2;
        }
        at += 2 + at[1];
    }
    *n = 0;
    return NULL;
}
