/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Servers that are asked by TCP (RFC 7766): one question a connection.
 *
 * Theory of operation. A connection is from a port of its own, reserved and not to be foreseen as
 * that of a query by UDP is; the guard lets in only its segments. What comes is kept in packets of
 * the pool until the message is whole, as what it may lead to can be judged only then. lwIP's
 * callbacks only take note; dns_tcp_fetches_poll() hands the forwarder the end. How long a server
 * may take is the forwarder's business, which says when to stop.
 *
 * Each ends with a reset when all has come, so that nothing of it remains: a port that is free
 * again has no connection, and the guard knows no half-closed ones. lwIP itself ends those from an
 * address of the uplink's that is lost.
 */
#include "net/host/host_internal.h"

#include "net/wire/dns.h"
#include "net/wire/ip4.h"
#include "net/wire/parse.h"

#include "lwip/tcp.h"

#define POOL_KEPT 4 /* one part in so many of the pool is not for what waits here */

bool dns_tcp_append(struct host *h, struct pkt **p, const uint8_t *bytes, size_t n)
{
    if (h->pool->free_count < h->pool->count / POOL_KEPT)
        return false;
    if (!*p)
        *p = pkt_alloc(h->pool);
    return *p && pkt_append(*p, bytes, n);
}

/* ---- lwIP's callbacks ---- */

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct dns_tcp_fetch *f = arg;

    (void)err;
    if (!p) {
        f->failed = true; /* unless it is whole */
        return ERR_OK;
    }
    for (const struct pbuf *b = p; b; b = b->next)
        f->failed |= !dns_tcp_append(host_instance(), &f->in, b->payload, b->len);
    tcp_recved(pcb, p->tot_len);
    pbuf_free(p);
    return ERR_OK;
}

static void on_lost(void *arg, err_t err)
{
    struct dns_tcp_fetch *f = arg;

    (void)err;
    f->pcb = NULL;
    f->failed = true;
}

/* ---- beginning and end ---- */

static void end(struct host *h, struct dns_tcp_fetch *f)
{
    if (f->pcb) {
        tcp_arg(f->pcb, NULL);
        tcp_err(f->pcb, NULL);
        tcp_abort(f->pcb);
    }
    if (f->in)
        pkt_free(f->in);
    dataplane_release_port(h->dp, IP_PROTO_TCP, f->port);
    memset(f, 0, sizeof(*f));
}

static bool connect(struct host *h, struct dns_tcp_fetch *f, uint8_t network, be32 server,
                    const uint8_t *bytes, size_t n)
{
    struct netif *netif = &h->ifs[network].netif;
    ip_addr_t to = IPADDR4_INIT(server);
    uint8_t frame[DNS_FRAME_HDR_BYTES + DNS_QUERY_MAX_BYTES];

    f->pcb = tcp_new();
    if (!f->pcb || n > DNS_QUERY_MAX_BYTES)
        return false;
    store_be16(frame, (uint16_t)n);
    memcpy(frame + DNS_FRAME_HDR_BYTES, bytes, n);
    tcp_arg(f->pcb, f);
    tcp_recv(f->pcb, on_received);
    tcp_err(f->pcb, on_lost);
    tcp_bind_netif(f->pcb, netif);
    /* What is written before there is a connection is sent when there is. */
    return tcp_bind(f->pcb, &netif->ip_addr, ntoh16(f->port)) == ERR_OK &&
           tcp_connect(f->pcb, &to, DNS_PORT, NULL) == ERR_OK &&
           tcp_write(f->pcb, frame, (u16_t)(DNS_FRAME_HDR_BYTES + n), TCP_WRITE_FLAG_COPY) ==
               ERR_OK;
}

bool dns_tcp_fetch(void *ctx, uint16_t which, uint8_t network, be32 server, const uint8_t *bytes,
                   size_t n)
{
    struct host *h = ctx;
    struct dns_tcp_fetch *f = h->services.dns_tcp.fetches, *last = f + DNS_TCP_FETCHES_MAX;

    while (f < last && f->port)
        f++;
    if (f == last || (network == NETWORK_UPLINK && !uplink_usable(h)))
        return false;
    f->port = dataplane_reserve_port(h->dp, IP_PROTO_TCP);
    if (!f->port)
        return false;
    f->which = which;
    if (connect(h, f, network, server, bytes, n))
        return true;
    end(h, f);
    return false;
}

void dns_tcp_end_fetch(void *ctx, uint16_t which)
{
    struct host *h = ctx;

    for (unsigned i = 0; i < DNS_TCP_FETCHES_MAX; i++) {
        struct dns_tcp_fetch *f = &h->services.dns_tcp.fetches[i];
        if (f->port && f->which == which)
            end(h, f);
    }
}

/* ---- what has come ---- */

static enum dns_frame look(const struct dns_tcp_fetch *f, size_t *length)
{
    uint8_t head[DNS_FRAME_HDR_BYTES];

    if (!f->in || !pkt_copy_out(f->in, 0, head, sizeof(head)))
        return DNS_FRAME_PART;
    return dns_frame_look(head, f->in->total_bytes, UINT16_MAX, length);
}

unsigned dns_tcp_fetches_poll(struct host *h, uint64_t now_us)
{
    struct dns_tcp *t = &h->services.dns_tcp;
    unsigned steps = 0;

    for (unsigned i = 0; i < DNS_TCP_FETCHES_MAX; i++) {
        struct dns_tcp_fetch *f = &t->fetches[i];
        size_t n = 0;
        enum dns_frame frame = f->port ? look(f, &n) : DNS_FRAME_PART;
        if (frame == DNS_FRAME_PART && !f->failed)
            continue;
        uint16_t which = f->which;
        bool whole =
            frame == DNS_FRAME_WHOLE && pkt_copy_out(f->in, DNS_FRAME_HDR_BYTES, t->message, n);
        end(h, f);
        dns_proxy_fetched(&h->services.dns, which, whole ? t->message : NULL, n, now_us);
        steps++;
    }
    return steps;
}

bool dns_tcp_awaits(const struct host *h, const struct view *v)
{
    for (unsigned i = 0; i < DNS_TCP_FETCHES_MAX; i++) {
        const struct dns_tcp_fetch *f = &h->services.dns_tcp.fetches[i];
        if (f->pcb && f->port == v->dport && v->sport == BE16(DNS_PORT) &&
            f->pcb->remote_ip.addr == v->src && f->pcb->local_ip.addr == v->dst &&
            f->pcb->netif_idx == netif_get_index(&h->ifs[NETWORK_UPLINK].netif))
            return true;
    }
    return false;
}
