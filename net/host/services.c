/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The service table, and what joins the services to lwIP and to the dataplane; see services.h.
 */
#include "net/host/host_internal.h"

#include "net/wire/dns.h"
#include "net/wire/ip4.h"
#include "net/wire/text.h"

#include "lwip/etharp.h"
#include "lwip/inet_chksum.h"
#include "lwip/ip.h"
#include "lwip/raw.h"
#include "lwip/udp.h"

#include <stdio.h>

/* ---- DHCP ---- */

static bool dhcp_offered(const struct host *h, unsigned network)
{
    return dhcp_server_serves(&h->services.dhcp, network);
}

static void dhcp_handle(struct host *h, const struct service_request *r)
{
    struct dhcp_reply *reply = &h->services.reply;

    struct dhcp_from from = {.network = r->network, .port = r->ingress};

    memcpy(from.mac, r->mac, MAC_BYTES);
    if (dhcp_server_handle(&h->services.dhcp, &from, r->bytes, r->n, r->now_us, reply))
        output_udp(h, r->network, BE16(DHCP_SERVER_PORT), reply->mac, reply->to, reply->port,
                   reply->bytes, reply->n);
}

static void dhcp_bind(void *ctx, unsigned network, be32 ip, const uint8_t *mac, uint64_t until_us)
{
    struct host *h = ctx;

    h->services.unbound += !dataplane_bind(h->dp, (uint8_t)network, ip, mac, until_us);
}

/* A reservation holds from the start, on any port, whether or not its host ever asks by DHCP. */
static void bind_reservations(struct host *h)
{
    for (unsigned k = 0; k < h->config->host_count; k++) {
        const struct config_host *host = &h->config->hosts[k];
        if (host->ip)
            dhcp_bind(h, host->net, host->ip, host->mac, UINT64_MAX);
    }
}

static void dhcp_unbind(void *ctx, unsigned network, be32 ip)
{
    dataplane_unbind(((struct host *)ctx)->dp, (uint8_t)network, ip);
}

static uint16_t dhcp_mtu(void *ctx, unsigned network)
{
    return dataplane_mtu(((struct host *)ctx)->dp, (uint8_t)network);
}

static bool dhcp_talks(void *ctx, unsigned network, unsigned other)
{
    const struct names *n = &((struct host *)ctx)->services.names;

    return (n->reaches[network] >> other & 1) || (n->reaches[other] >> network & 1);
}

static void dhcp_probe(void *ctx, unsigned network, be32 ip)
{
    ip4_addr_t address = {ip};

    etharp_request(&((struct host *)ctx)->ifs[network].netif, &address);
}

/* Sends the answers that have waited. */
static unsigned dhcp_poll(struct host *h, uint64_t now_us)
{
    struct dhcp_reply *reply = &h->services.reply;
    unsigned n = 0;

    for (; dhcp_server_poll(&h->services.dhcp, now_us, reply); n++)
        output_udp(h, reply->network, BE16(DHCP_SERVER_PORT), reply->mac, reply->to, reply->port,
                   reply->bytes, reply->n);
    return n;
}

static const struct dhcp_ops dhcp_ops = {
    .bind = dhcp_bind,
    .unbind = dhcp_unbind,
    .mtu = dhcp_mtu,
    .probe = dhcp_probe,
    .talks = dhcp_talks,
};

/* ---- DNS ---- */

static bool dns_offered(const struct host *h, unsigned network)
{
    return h->config->nets[network].dns_self;
}

static void dns_handle(struct host *h, const struct service_request *r)
{
    struct dns_client from = {.ip = r->from, .port = r->port, .network = r->network};

    memcpy(from.mac, r->mac, MAC_BYTES);
    dns_proxy_query(&h->services.dns, &from, r->bytes, r->n, r->now_us);
}

static be16 dns_reserve_port(void *ctx)
{
    return dataplane_reserve_port(((struct host *)ctx)->dp, IP_PROTO_UDP);
}

static void dns_release_port(void *ctx, be16 port)
{
    dataplane_release_port(((struct host *)ctx)->dp, IP_PROTO_UDP, port);
}

static void dns_ask(void *ctx, be16 port, uint8_t network, be32 server, const uint8_t *bytes,
                    size_t n)
{
    struct host *h = ctx;
    struct netif *netif = &h->ifs[network].netif;
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)n, PBUF_RAM);
    ip_addr_t to = IPADDR4_INIT(server);

    if (!p)
        return; /* it is asked again */
    pbuf_take(p, bytes, (u16_t)n);
    /* The block is in no list of lwIP's: only its local port is used, as the datagram's source. */
    h->services.ask->local_port = ntoh16(port);
    udp_sendto_if(h->services.ask, p, &to, DNS_PORT, netif);
    pbuf_free(p);
}

static void dns_answer(void *ctx, const struct dns_client *to, const uint8_t *bytes, size_t n)
{
    if (to->stream)
        dns_tcp_answer(ctx, to, bytes, n);
    else
        output_udp(ctx, to->network, BE16(DNS_PORT), to->mac, to->ip, to->port, bytes, n);
}

static void dns_random(void *ctx, void *to, size_t n)
{
    ((struct host *)ctx)->env.random(to, n);
}

static struct dns_route dns_route(void *ctx, uint8_t network, const char *name, uint16_t type,
                                  uint64_t now_us)
{
    const struct host *h = ctx;
    struct dns_route route = names_route(&h->services.names, network, name, type, now_us);

    /* Out there nobody can be asked: the forwarder has been told of no servers then. */
    if (route.way == DNS_ONE_SERVER && route.network == NETWORK_UPLINK && !uplink_usable(h))
        route.way = DNS_ALL;
    return route;
}

/* Our networks' addresses; and the router's outside, unless something is published there, when a
 * name for it is what its hosts should use as well. */
static bool dns_is_inside(void *ctx, be32 ip)
{
    const struct host *h = ctx;
    const struct config *config = h->config;
    bool published = config->fwd_count > 0 || config->dmz;

    for (unsigned i = 0; i < config->net_count; i++) {
        if (config_net_has(&config->nets[i], ip))
            return true;
        published |= config->nets[i].pcp;
    }
    return !published && h->uplink.ip && ip == h->uplink.ip;
}

static const struct dns_ops dns_ops = {
    .reserve_port = dns_reserve_port,
    .release_port = dns_release_port,
    .ask = dns_ask,
    .answer = dns_answer,
    .random = dns_random,
    .route = dns_route,
    .is_inside = dns_is_inside,
    .fetch = dns_tcp_fetch,
    .end_fetch = dns_tcp_end_fetch,
};

/* ---- NAT-PMP and PCP ---- */

static bool pcp_offered(const struct host *h, unsigned network)
{
    return pcp_serves(h->config, network);
}

static void pcp_handle(struct host *h, const struct service_request *r)
{
    uint8_t *answer = h->services.pcp_answer;
    size_t n =
        pcp_request(&h->services.pcp, r->network, r->from, r->bytes, r->n, r->now_us, answer);

    if (n)
        output_udp(h, r->network, BE16(PCP_PORT), r->mac, r->from, r->port, answer, n);
}

static be16 pcp_hold(void *ctx, const struct pcp_inside *who, be16 wanted, bool exact)
{
    return dataplane_hold_port(((struct host *)ctx)->dp, who->network, who->proto, who->ip,
                               who->port, wanted, exact);
}

static void pcp_let_go(void *ctx, const struct pcp_inside *who)
{
    dataplane_let_go_port(((struct host *)ctx)->dp, who->network, who->proto, who->ip, who->port);
}

static void pcp_announce(void *ctx, unsigned network, const uint8_t *bytes, size_t n)
{
    static const uint8_t all_systems[MAC_BYTES] = {0x01, 0x00, 0x5E, 0, 0, 1};

    output_udp(ctx, (uint8_t)network, BE16(PCP_PORT), all_systems, BE_IP4(224, 0, 0, 1),
               BE16(PCP_CLIENT_PORT), bytes, n);
}

static const struct pcp_ops pcp_ops = {
    .hold = pcp_hold,
    .let_go = pcp_let_go,
    .announce = pcp_announce,
};

/* ---- the table ---- */

static const struct service services[] = {
    {"dhcp", DHCP_SERVER_PORT, dhcp_offered, dhcp_handle},
    {"dns", DNS_PORT, dns_offered, dns_handle},
    {"pcp", PCP_PORT, pcp_offered, pcp_handle},
};

static const struct service *find(const struct host *h, unsigned network, be16 port)
{
    for (unsigned i = 0; i < ARRAY_COUNT(services); i++)
        if (hton16(services[i].port) == port && services[i].offered(h, network))
            return &services[i];
    return NULL;
}

bool services_listens(const struct host *h, unsigned network, be16 port)
{
    return find(h, network, port) != NULL;
}

/* The datagram's payload in one piece, writable; NULL if it is wrong. p begins with the IP header.
 */
static uint8_t *payload_of(struct services *s, struct pbuf *p, uint16_t header_bytes, size_t *n)
{
    uint16_t udp_bytes = (uint16_t)(p->tot_len - header_bytes);
    uint8_t udp[UDP_HDR_BYTES];

    if (p->tot_len < header_bytes + UDP_HDR_BYTES ||
        pbuf_copy_partial(p, udp, sizeof(udp), header_bytes) != sizeof(udp))
        return NULL;
    uint16_t length = load_be16(udp + UDP_LEN_OFF);
    if (length < UDP_HDR_BYTES || length > udp_bytes)
        return NULL;
    *n = length - (size_t)UDP_HDR_BYTES;
    if (*n > sizeof(s->datagram)) {
        s->too_long++;
        return NULL;
    }
    if (load_raw16(udp + UDP_CSUM_OFF) != 0) {
        uint16_t sum;
        pbuf_realloc(p, (u16_t)(header_bytes + length));
        pbuf_remove_header(p, header_bytes);
        sum = ip_chksum_pseudo(p, IP_PROTO_UDP, length, ip_current_src_addr(),
                               ip_current_dest_addr());
        pbuf_add_header_force(p, header_bytes);
        if (sum != 0) {
            s->bad_checksum++;
            return NULL;
        }
    }
    return pbuf_get_contiguous(p, s->datagram, sizeof(s->datagram), (u16_t)*n,
                               (u16_t)(header_bytes + UDP_HDR_BYTES));
}

static void serve_lan(struct host *h, const struct service *service, const struct host_if *i,
                      struct pbuf *p, be16 sport)
{
    struct service_request r = {
        .network = i->network,
        .from = ip4_current_src_addr()->addr,
        .port = sport,
        .now_us = h->env.now_us(),
    };

    r.ingress = h->source_port;
    memcpy(r.mac, h->source_mac, MAC_BYTES);
    r.bytes = payload_of(&h->services, p, ip_current_header_tot_len(), &r.n);
    if (r.bytes)
        service->handle(h, &r);
}

/* An answer to a query of the forwarder's. False: it is not from whom was asked. */
static bool serve_answer(struct host *h, const struct host_if *i, struct pbuf *p, be16 sport,
                         be16 dport)
{
    size_t n;
    uint8_t *bytes = payload_of(&h->services, p, ip_current_header_tot_len(), &n);

    return !bytes || dns_proxy_answer(&h->services.dns, i->network, ip4_current_src_addr()->addr,
                                      sport, dport, bytes, n, h->env.now_us());
}

/* lwIP's callback for every UDP datagram; 1: it was ours, and p is freed. */
static u8_t on_datagram(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    struct host *h = arg;
    const struct host_if *i = ip_current_input_netif()->state;
    uint8_t ports[4];

    (void)pcb;
    (void)from;
    if (pbuf_copy_partial(p, ports, sizeof(ports), ip_current_header_tot_len()) != sizeof(ports))
        return 0;
    be16 sport = load_raw16(ports), dport = load_raw16(ports + 2);
    if (i->network == NETWORK_UPLINK) {
        if (dport == BE16(DHCP_CLIENT_PORT))
            return 0;
        serve_answer(h, i, p, sport, dport);
    } else if (dns_proxy_listens(&h->services.dns, i->network, dport)) {
        if (!serve_answer(h, i, p, sport, dport))
            return 0; /* to anybody else the port is as closed as the next one */
    } else {
        const struct service *service = find(h, i->network, dport);
        if (!service)
            return 0;
        serve_lan(h, service, i, p, sport);
    }
    pbuf_free(p);
    return 1;
}

int services_start(struct host *h, alloc_fn alloc)
{
    struct services *s = &h->services;
    uint8_t random[64];
    int err;

    h->env.random(random, sizeof(random));
    err = dhcp_server_init(&s->dhcp, h->config, &dhcp_ops, h,
                           h->env.lease_key ? h->env.lease_key : random, alloc, h->env.alloc_dirty);
    if (err)
        return err;
    bind_reservations(h);
    names_init(&s->names, h->config, &s->dhcp);
    h->env.random(random, sizeof(random));
    err = dns_proxy_init(&s->dns, &dns_ops, h, h->env.dns_cache_bytes, random, alloc);
    if (err)
        return err;
    h->env.random(random, sizeof(random));
    err = pcp_init(&s->pcp, h->config, &pcp_ops, h, random, h->env.now_us(), alloc);
    if (err)
        return err;
    s->raw = raw_new(IP_PROTO_UDP);
    s->ask = udp_new();
    if (!s->raw || !s->ask)
        return -ENOMEM;
    raw_recv(s->raw, on_datagram, h);
    return 0;
}

unsigned services_poll(struct host *h, uint64_t now_us)
{
    return dhcp_poll(h, now_us) + dns_proxy_poll(&h->services.dns, now_us) +
           dns_tcp_poll(h, now_us) + pcp_poll(&h->services.pcp, now_us);
}

uint64_t services_next_us(const struct host *h)
{
    uint64_t dhcp = dhcp_server_next_us(&h->services.dhcp),
             dns = dns_proxy_next_us(&h->services.dns);

    return MIN(MIN(dhcp, dns), MIN(dns_tcp_next_us(h), pcp_next_us(&h->services.pcp)));
}

void services_print(const struct host *h, uint64_t now_us, void (*line)(const char *text))
{
    char text[96];

    dhcp_server_print(&h->services.dhcp, now_us, line);
    dns_proxy_print(&h->services.dns, line);
    dns_tcp_print(h, line);
    pcp_print(&h->services.pcp, now_us, line);
    if (h->services.unbound) {
        snprintf(text, sizeof(text), "services  leases that lock=ip has no room for %llu",
                 (unsigned long long)h->services.unbound);
        line(text);
    }
    if (h->services.too_long || h->services.bad_checksum) {
        snprintf(text, sizeof(text), "services  too long %llu  bad checksum %llu",
                 (unsigned long long)h->services.too_long,
                 (unsigned long long)h->services.bad_checksum);
        line(text);
    }
}
