/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hosts that ask by TCP (RFC 7766): connections, questions and answers.
 *
 * Theory of operation. lwIP's callbacks only take note of what came; all else happens in
 * dns_tcp_poll(), which each round ends with, so nothing is ended while lwIP works on it. A
 * connection's questions go to the forwarder as they come, up to DNS_TCP_ASKED_MAX at a time, and
 * their answers are sent in the order in which they become known. While there are answers that the
 * host does not take, its questions wait: in dns_stream, and when that is full behind a closed
 * window. Answers wait in packets of the pool.
 *
 * Nothing that a host does or leaves undone lasts: whole questions taken and answers sent count as
 * progress, pieces do not, and without progress for DNS_TCP_IDLE_US a connection ends. One host has
 * DNS_TCP_PER_HOST of them; a further one takes the place of its idle one, or is refused. Where all
 * places are taken a further host gets that of who has been idle longest, or of a host that has
 * several. Those half open are counted before they cost anything, and of too many the oldest
 * makes room: who floods us with SYNs under addresses of others costs the others a second try.
 *
 * What lingers after its end belongs to lwIP, has nothing left to send but a FIN, and makes room
 * for any other (its priority is the lowest).
 */
#include "net/host/host_internal.h"

#include "net/wire/dns.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

#include <stdio.h>

static_assert(DNS_STREAM_BYTES >= TCP_WND, "what a host may send has a place");
static_assert(DNS_TCP_MAX + DNS_TCP_HALF_OPEN_MAX + DNS_TCP_FETCHES_MAX <= MEMP_NUM_TCP_PCB,
              "each has its block");
static_assert(DNS_TCP_MAX <= 32, "a bit for each");
static_assert(DNS_QUERY_MAX_BYTES + DNS_FRAME_HDR_BYTES <= TCP_WND, "a question fits the window");

#define STREAM_INDEX_BITS 8

/* ---- an end ---- */

/* The connection is no longer lwIP's. */
static void forget(struct dns_tcp_conn *c)
{
    struct dns_tcp *t = &host_instance()->services.dns_tcp;

    t->open &= ~(1u << (c - t->conns));
    if (c->out)
        pkt_free(c->out);
    c->out = NULL;
    c->pcb = NULL;
    c->stream = 0;
}

/* With a FIN if the host has taken all that there was to say, else with a reset. */
static void end(struct dns_tcp_conn *c)
{
    struct tcp_pcb *pcb = c->pcb;
    bool all_said = !c->out && pcb->snd_queuelen == 0 && !c->broken;

    forget(c);
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_setprio(pcb, TCP_PRIO_MIN);
    if (!all_said || tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
}

static bool is_idle(const struct dns_tcp_conn *c)
{
    return c->asked == 0 && !c->out;
}

/* ---- a beginning ---- */

static unsigned open_of(const struct dns_tcp *t, uint8_t network, be32 ip)
{
    unsigned n = 0;

    for (unsigned i = 0; i < DNS_TCP_MAX; i++)
        n += t->conns[i].pcb && t->conns[i].network == network && t->conns[i].ip == ip;
    return n;
}

/* True if a is to go rather than b. */
static bool goes_before(const struct dns_tcp_conn *a, const struct dns_tcp_conn *b)
{
    if (!b || is_idle(a) != is_idle(b))
        return !b || is_idle(a);
    return a->progress_us < b->progress_us;
}

/* Ends an idle connection of a host for another of its own. False: there is none. */
static bool replace_own(struct dns_tcp *t, uint8_t network, be32 ip)
{
    struct dns_tcp_conn *oldest = NULL;

    for (unsigned i = 0; i < DNS_TCP_MAX; i++) {
        struct dns_tcp_conn *c = &t->conns[i];
        if (c->pcb && c->network == network && c->ip == ip && is_idle(c) && goes_before(c, oldest))
            oldest = c;
    }
    if (!oldest)
        return false;
    t->counters.made_room++;
    end(oldest);
    return true;
}

/* A place for one more connection of a host. NULL: nobody can be asked to leave. */
static struct dns_tcp_conn *make_room(struct dns_tcp *t, uint8_t network, be32 ip)
{
    unsigned has = open_of(t, network, ip);
    struct dns_tcp_conn *leaves = NULL;

    for (unsigned i = 0; i < DNS_TCP_MAX; i++) {
        struct dns_tcp_conn *c = &t->conns[i];
        if (!c->pcb)
            return c;
        if ((is_idle(c) || open_of(t, c->network, c->ip) > has + 1) && goes_before(c, leaves))
            leaves = c;
    }
    if (leaves) {
        t->counters.made_room++;
        end(leaves);
    }
    return leaves;
}

bool dns_tcp_admits(struct host *h, const struct tcp_hdr *syn)
{
    struct dns_tcp *t = &h->services.dns_tcp;
    struct netif *in = ip_current_input_netif();
    const struct host_if *i = in->state;
    be32 from = ip4_current_src_addr()->addr;
    struct tcp_pcb *oldest = NULL;
    unsigned half_open = 0, own = open_of(t, i->network, from);

    if ((TCPH_FLAGS(syn) & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return true;
    /* New ones stand in front of old ones that are as old in lwIP's ticks. */
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        if (pcb->state != SYN_RCVD)
            continue;
        half_open++;
        own += pcb->netif_idx == netif_get_index(in) && pcb->remote_ip.addr == from;
        if (!oldest || tcp_ticks - pcb->tmr >= tcp_ticks - oldest->tmr)
            oldest = pcb;
    }
    if (own >= DNS_TCP_PER_HOST && !replace_own(t, i->network, from)) {
        t->counters.refused++;
        tcp_rst_netif(in, 0, syn->seqno + 1, ip_current_dest_addr(), ip_current_src_addr(),
                      syn->dest, syn->src);
        return false;
    }
    if (half_open >= DNS_TCP_HALF_OPEN_MAX) {
        t->counters.refused++;
        tcp_abandon(oldest, 0);
    }
    return true;
}

/* ---- lwIP's callbacks ---- */

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct dns_tcp_conn *c = arg;

    (void)pcb, (void)err;
    if (!p) {
        c->said_all = true;
        return ERR_OK;
    }
    for (const struct pbuf *b = p; b; b = b->next)
        c->broken |= !dns_stream_put(&c->in, b->payload, b->len);
    pbuf_free(p);
    return ERR_OK;
}

static void on_lost(void *arg, err_t err)
{
    (void)err;
    forget(arg);
}

static err_t on_accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    const struct host_if *i = arg;
    struct dns_tcp *t = &i->host->services.dns_tcp;

    if (err != ERR_OK || !pcb) /* lwIP has no block for it; the host tries again */
        return ERR_MEM;
    struct dns_tcp_conn *c = make_room(t, i->network, pcb->remote_ip.addr);
    if (!c) {
        t->counters.refused++;
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    t->counters.opened++;
    t->open |= 1u << (c - t->conns);
    memset(c, 0, offsetof(struct dns_tcp_conn, in));
    c->in.n = c->in.taken = 0;
    c->pcb = pcb;
    c->stream = ++t->opened << STREAM_INDEX_BITS | (uint32_t)(c - t->conns + 1);
    c->network = i->network;
    c->ip = pcb->remote_ip.addr;
    c->progress_us = i->host->env.now_us();
    tcp_nagle_disable(pcb);
    tcp_arg(pcb, c);
    tcp_recv(pcb, on_received);
    tcp_err(pcb, on_lost);
    return ERR_OK;
}

/* Networks may have one address; so each listens by itself, on its interface alone: there at any
 * address, as the guard lets in but one, and as lwIP would change that of the listener when another
 * interface that has the same one gets a new one. lwIP would see a conflict between them, which is
 * avoided by telling it the port when it has looked for one. */
static int listen_on(struct host_if *i)
{
    struct tcp_pcb *pcb = tcp_new();

    if (!pcb || tcp_bind(pcb, IP4_ADDR_ANY, 0) != ERR_OK)
        return -ENOMEM;
    pcb->local_port = DNS_PORT;
    tcp_bind_netif(pcb, &i->netif);
    pcb = tcp_listen(pcb);
    if (!pcb)
        return -ENOMEM;
    tcp_arg(pcb, i);
    tcp_accept(pcb, on_accepted);
    return 0;
}

int dns_tcp_start(struct host *h)
{
    for (unsigned n = 0; n < h->config->net_count; n++)
        if (h->ifs[n].used && h->config->nets[n].dns_self && listen_on(&h->ifs[n]))
            return -ENOMEM;
    return 0;
}

/* ---- answers ---- */

void dns_tcp_answer(struct host *h, const struct dns_client *to, const uint8_t *bytes, size_t n)
{
    unsigned index = (to->stream & ((1u << STREAM_INDEX_BITS) - 1)) - 1;
    struct dns_tcp_conn *c = &h->services.dns_tcp.conns[index];
    uint8_t head[DNS_FRAME_HDR_BYTES];

    if (index >= DNS_TCP_MAX || c->stream != to->stream)
        return;
    CHECK(c->asked > 0);
    c->asked--;
    store_be16(head, (uint16_t)n);
    c->broken |=
        !dns_tcp_append(h, &c->out, head, sizeof(head)) || !dns_tcp_append(h, &c->out, bytes, n);
}

/* The bytes of p at an offset that are in one piece. */
static const uint8_t *piece(const struct pkt *p, size_t at, size_t *n)
{
    while (at >= p->len) {
        at -= p->len;
        p = p->next;
    }
    *n = p->len - at;
    return p->data + at;
}

/* Gives lwIP as much as it takes. True if that was something. */
static bool push(struct dns_tcp_conn *c, uint64_t now_us)
{
    uint32_t before = c->out_at;

    while (c->out && c->out_at < c->out->total_bytes) {
        size_t n;
        const uint8_t *bytes = piece(c->out, c->out_at, &n);
        n = MIN(n, (size_t)tcp_sndbuf(c->pcb));
        if (n == 0 || tcp_write(c->pcb, bytes, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        c->out_at += (uint32_t)n;
    }
    bool moved = c->out_at != before;
    if (moved)
        tcp_output(c->pcb);
    if (c->out && c->out_at == c->out->total_bytes) {
        pkt_free(c->out);
        c->out = NULL;
        c->out_at = 0;
        c->progress_us = now_us;
    }
    return moved;
}

/* ---- questions ---- */

/* Asks the next question that is there. False: there is none, or it has to wait. */
static bool ask(struct host *h, struct dns_tcp_conn *c, uint64_t now_us)
{
    struct dns_client from = {
        .ip = c->ip, .port = hton16(c->pcb->remote_port), .network = c->network};
    const uint8_t *message;
    size_t n;

    if (c->out || c->asked >= DNS_TCP_ASKED_MAX || c->broken)
        return false;
    enum dns_frame frame = dns_stream_next(&c->in, DNS_QUERY_MAX_BYTES, &message, &n);
    c->broken = frame == DNS_FRAME_BROKEN;
    if (frame != DNS_FRAME_WHOLE)
        return false;
    from.stream = c->stream;
    h->services.dns_tcp.counters.questions++;
    c->progress_us = now_us;
    c->asked++;
    /* What is no question has no answer, and nobody who sends it is understood. */
    c->broken = !dns_proxy_query(&h->services.dns, &from, message, n, now_us) || c->broken;
    tcp_recved(c->pcb, (u16_t)(n + DNS_FRAME_HDR_BYTES));
    return true;
}

/* One connection: true if it has moved. */
static bool serve(struct host *h, struct dns_tcp_conn *c, uint64_t now_us)
{
    struct dns_tcp_counters *count = &h->services.dns_tcp.counters;
    bool moved = push(c, now_us);

    while (ask(h, c, now_us)) {
        moved = true;
        push(c, now_us);
    }
    bool late = now_us >= c->progress_us + DNS_TCP_IDLE_US;
    bool done = c->said_all && is_idle(c) && c->pcb->snd_queuelen == 0;
    if (!c->broken && !late && !done)
        return moved;
    count->broken += c->broken;
    count->idle += !c->broken && !done;
    end(c);
    return true;
}

unsigned dns_tcp_poll(struct host *h, uint64_t now_us)
{
    struct dns_tcp *t = &h->services.dns_tcp;
    unsigned steps = dns_tcp_fetches_poll(h, now_us);

    for (uint32_t left = t->open; left; left &= left - 1)
        steps += serve(h, &t->conns[__builtin_ctz(left)], now_us);
    return steps;
}

uint64_t dns_tcp_next_us(const struct host *h)
{
    const struct dns_tcp *t = &h->services.dns_tcp;
    uint64_t next_us = UINT64_MAX;

    for (uint32_t left = t->open; left; left &= left - 1)
        next_us = MIN(next_us, t->conns[__builtin_ctz(left)].progress_us + DNS_TCP_IDLE_US);
    return next_us;
}

void dns_tcp_print(const struct host *h, void (*line)(const char *text))
{
    const struct dns_tcp *t = &h->services.dns_tcp;
    const struct dns_tcp_counters *c = &t->counters;
    char text[160];

    snprintf(text, sizeof(text),
             "dns tcp   open %u  opened %llu  questions %llu  refused %llu  made room %llu  "
             "idle %llu  broken %llu",
             (unsigned)__builtin_popcount(t->open), (unsigned long long)c->opened,
             (unsigned long long)c->questions, (unsigned long long)c->refused,
             (unsigned long long)c->made_room, (unsigned long long)c->idle,
             (unsigned long long)c->broken);
    line(text);
}
