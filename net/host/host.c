/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The router's own host: lwIP's interfaces, frames in, timers; see host.h, and host_internal.h for
 * what does what.
 *
 * Theory of operation. Every network with an address, and the uplink if the router has one there,
 * is an lwIP interface; a network without is not heard of. Frames
 * come from the dataplane, are judged by the guard, and are copied into lwIP's buffers. Everything
 * happens in calls of the one loop. host_poll() has something to do when alarm_us has come, which
 * is when a timer or a service wants it to; whatever may change that sets it to 0, and host_poll(),
 * which every round ends with, finds out anew.
 */
#include "net/host/host_internal.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "netif/ethernet.h"

#include <stdio.h>

static struct host instance;

struct host *host_instance(void)
{
    return &instance;
}

/* ---- start ---- */

static err_t init_netif(struct netif *netif)
{
    struct host_if *i = netif->state;
    uint16_t mtu = dataplane_mtu(i->host->dp, i->network);

    netif->name[0] = i->network == NETWORK_UPLINK ? 'u' : 'n';
    netif->name[1] = (char)('a' + i->network);
    netif->hwaddr_len = MAC_BYTES;
    memcpy(netif->hwaddr, dataplane_mac(i->host->dp, i->network), MAC_BYTES);
    /* lwIP's DHCP client refuses less; what is too large for the network is fragmented on the way
     * out. */
    netif->mtu = MAX(mtu, 576);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = output_link;
    return ERR_OK;
}

static void add_interface(struct host *h, uint8_t network, be32 ip, be32 mask, be32 gw)
{
    struct host_if *i = &h->ifs[network];
    ip4_addr_t address = {ip}, netmask = {mask}, gateway = {gw};

    i->host = h;
    i->network = network;
    /* It cannot fail: init_netif does not, and there are fewer interfaces than lwIP has numbers. */
    CHECK(netif_add(&i->netif, &address, &netmask, &gateway, i, init_netif, ethernet_input));
    i->used = true;
    netif_set_link_up(&i->netif);
    netif_set_up(&i->netif);
}

void host_reseed(struct host *h)
{
    h->env.random(h->isn_key, sizeof(h->isn_key));
}

int host_start(struct host *h, const struct config *config, struct dataplane *dp,
               struct pkt_pool *pool, const struct host_env *env, alloc_fn alloc)
{
    const struct config_uplink *up = &config->uplink;

    h->config = config;
    h->dp = dp;
    h->pool = pool;
    h->env = *env;
    host_reseed(h);
    lwip_init();
    timers_start(h, h->env.now_us());
    int err = services_start(h, alloc);
    if (err)
        return err;
    for (unsigned n = 0; n < config->net_count; n++)
        if (config->nets[n].ip)
            add_interface(h, (uint8_t)n, config->nets[n].ip, prefix_mask(config->nets[n].prefix),
                          0);
    err = dns_tcp_start(h);
    if (err)
        return err;
    h->started = true;
    if (up->present && !up->silent) {
        add_interface(h, NETWORK_UPLINK, up->ip, up->ip ? prefix_mask(up->prefix) : 0, up->gw);
        uplink_start(h);
    }
    dataplane_flush(dp);
    return 0;
}

/* Something is about to happen to lwIP or to a service: lwIP is brought up to date, and what it or
 * they wait for may change. */
static void wake(struct host *h)
{
    if (timers_run(h, h->env.now_us()))
        uplink_watch(h);
    h->alarm_us = 0;
}

/* ---- frames in ---- */

static struct pbuf *copy_frame(const struct pkt *p)
{
    struct pbuf *copy = pbuf_alloc(PBUF_RAW, (u16_t)p->total_bytes, PBUF_POOL);
    size_t at = 0;

    for (struct pbuf *b = copy; b; b = b->next) {
        CHECK(pkt_copy_out(p, at, b->payload, b->len));
        at += b->len;
    }
    return copy;
}

/* What ARP has shown goes to those who keep neighbors of their own; it is told again for every
 * message, as the dataplane waits for confirmations too. False: it is in doubt, and lwIP is not to
 * see it: the answer to the dataplane's question will tell. Who asked for our address is answered
 * all the same. */
static bool report_arp(struct host *h, struct host_if *i, const struct guard_result *r)
{
    uint64_t now_us = h->env.now_us();
    ip4_addr_t sender = {r->arp_sender};
    const ip4_addr_t *known_ip;
    struct eth_addr *known;

    if (!r->arp_sender)
        return true;
    if (etharp_find_addr(&i->netif, &sender, &known, &known_ip) >= 0 &&
        !mac_equal(known->addr, r->mac))
        dataplane_assume(h->dp, i->network, r->arp_sender, known->addr);
    bool believed = r->arp_answers ? dataplane_neighbor(h->dp, i->network, r->arp_sender, r->mac)
                                   : dataplane_claim(h->dp, i->network, r->arp_sender, r->mac);
    /* The DHCP server wants to know whether anybody answers, and not who is right. */
    if (i->network != NETWORK_UPLINK && (believed || r->arp_answers))
        dhcp_server_seen(&h->services.dhcp, i->network, r->arp_sender, r->mac, now_us);
    if (!believed && r->arp_asks)
        output_arp_reply(h, i, r->mac, r->arp_sender);
    return believed;
}

/* A frame that passed the guard. False: lwIP has no buffer. */
static bool take_frame(struct host *h, struct host_if *i, const struct pkt *p,
                       const struct guard_result *r)
{
    if (r->arp && !report_arp(h, i, r))
        return true;
    struct pbuf *copy = p->total_bytes <= UINT16_MAX ? copy_frame(p) : NULL;
    if (!copy)
        return false;
    if (r->fragment)
        h->fragments_until_us = h->env.now_us() + HOST_FRAGMENT_BUSY_US;
    memcpy(h->source_mac, p->data + ETH_SRC_OFF, MAC_BYTES);
    h->source_port = p->port;
    if (i->netif.input(copy, &i->netif) != ERR_OK)
        pbuf_free(copy);
    if (i->network == NETWORK_UPLINK)
        uplink_watch(h);
    return true;
}

static bool host_input(void *self, uint8_t network, struct pkt *p)
{
    struct host *h = self;
    struct guard_result r;
    bool room = true;

    if (!h->started || network >= HOST_IF_COUNT || !h->ifs[network].used) {
        pkt_free(p);
        return true;
    }
    struct host_if *i = &h->ifs[network];
    h->counters.frames++;
    wake(h);
    guard_frame(h, i, p, &r);
    if (r.pass && r.dhcp_reply)
        r.pass = uplink_check_reply(h, p->data + r.payload_off, r.payload_bytes);
    if (r.pass)
        room = take_frame(h, i, p, &r);
    h->counters.refused += !r.pass;
    h->counters.no_room += !room;
    pkt_free(p);
    return room;
}

/* The dataplane asks again itself, and lwIP has no part in it. */
static void host_resolve(void *self, uint8_t network, be32 ip)
{
    struct host *h = self;
    uint64_t arp_until_us = h->arp_until_us;
    ip4_addr_t address = {ip};

    if (h->started && network < HOST_IF_COUNT && h->ifs[network].used &&
        host_if_ip(&h->ifs[network]))
        etharp_request(&h->ifs[network].netif, &address);
    h->arp_until_us = arp_until_us;
}

static void on_link(void *self, uint8_t network, bool up)
{
    host_link(self, network, up);
}

static void on_conflict(void *self, uint8_t network, const uint8_t *mac)
{
    struct host *h = self;

    if (h->started && network < HOST_IF_COUNT && h->ifs[network].used)
        guard_defend(h, &h->ifs[network], mac);
}

const struct self_ops host_self_ops = {
    .input = host_input,
    .resolve = host_resolve,
    .link = on_link,
    .conflict = on_conflict,
};

/* A network's link may be one port of several, and the uplink's address outlives a short
 * interruption: so down means nothing here. */
void host_link(struct host *h, uint8_t network, bool up)
{
    if (!up || !h->started || network >= HOST_IF_COUNT || !h->ifs[network].used)
        return;
    wake(h);
    if (network == NETWORK_UPLINK)
        uplink_link_up(h);
    else
        etharp_gratuitous(&h->ifs[network].netif);
}

struct dhcp_server *host_dhcp(struct host *h)
{
    return &h->services.dhcp;
}

/* ---- time ---- */

unsigned host_poll(struct host *h, uint64_t now_us)
{
    if (!h->started || now_us < h->alarm_us)
        return 0;
    unsigned steps = timers_run(h, now_us);
    if (steps > 0)
        uplink_watch(h);
    steps += services_poll(h, now_us);
    if (steps > 0)
        dataplane_flush(h->dp);
    h->alarm_us = MIN(timers_next_us(h), services_next_us(h));
    return steps;
}

uint64_t host_next_us(struct host *h, uint64_t now_us)
{
    return h->started ? MAX(h->alarm_us, now_us) : UINT64_MAX;
}

void host_print_status(struct host *h, void (*line)(const char *text))
{
    const struct host_counters *c = &h->counters;
    char text[160];

    if (!h->started) {
        line("host      not started");
        return;
    }
    uplink_print(h, line);
    services_print(h, h->env.now_us(), line);
    snprintf(text, sizeof(text),
             "host      frames %llu  refused %llu  no room %llu  no packet %llu",
             (unsigned long long)c->frames, (unsigned long long)c->refused,
             (unsigned long long)c->no_room, (unsigned long long)c->no_packet);
    line(text);
    if (c->conflicts || c->errors_limited) {
        snprintf(text, sizeof(text), "host      address conflicts %llu  errors not sent %llu",
                 (unsigned long long)c->conflicts, (unsigned long long)c->errors_limited);
        line(text);
    }
}
