/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DNS forwarder; see dns_proxy.h.
 *
 * Invariants: an entry in use is in one port chain, one question chain and the queue; an entry not
 * in use is in the free list. Its port is reserved exactly while it is in use.
 */
#include "net/dns_proxy.h"

#include "check.h"
#include "net/wire/dns.h"

#include <stdio.h>

#define NONE               0xFFFF
#define BUCKETS            512
#define CLIENT_BUCKETS     256
/* The longest that we write ourselves: head, a record with a name in it, OPT. */
#define LOCAL_ANSWER_BYTES (DNS_HDR_BYTES + DNS_MAX_NAME_BYTES + 4 + 12 + DNS_MAX_NAME_BYTES + 11)
static_assert((BUCKETS & (BUCKETS - 1)) == 0 && DNS_PENDING_MAX < NONE, "chains of 16-bit indices");

struct dns_waiter {
    struct dns_client client;
    be16 id;
};

struct dns_pending {
    uint64_t due_us, give_up_us;
    be32 server;
    be16 port, id;
    uint16_t next_port, next_question; /* next_port: also of the free list */
    uint16_t older, newer;
    uint16_t question_bucket, client_bucket;
    uint16_t n, question_bytes;
    uint8_t server_index, waiter_count;
    uint8_t network; /* where it is asked */
    bool one_server;
    struct dns_waiter waiters[DNS_WAITERS_MAX];
    uint8_t bytes[DNS_QUERY_MAX_BYTES];
};

int dns_proxy_init(struct dns_proxy *d, const struct dns_ops *ops, void *ctx, const uint8_t *random,
                   alloc_fn alloc)
{
    memset(d, 0, sizeof(*d));
    d->ops = ops;
    d->ctx = ctx;
    hash_key_init(&d->key, random);
    d->pending = alloc(sizeof(*d->pending) * DNS_PENDING_MAX, 8);
    d->by_port = alloc(sizeof(uint16_t) * BUCKETS, 8);
    d->by_question = alloc(sizeof(uint16_t) * BUCKETS, 8);
    d->per_client = alloc(sizeof(uint16_t) * CLIENT_BUCKETS, 8);
    if (!d->pending || !d->by_port || !d->by_question || !d->per_client)
        return -ENOMEM;
    memset(d->by_port, 0xFF, sizeof(uint16_t) * BUCKETS);
    memset(d->by_question, 0xFF, sizeof(uint16_t) * BUCKETS);
    d->oldest = d->newest = d->free = NONE;
    for (unsigned i = DNS_PENDING_MAX; i > 0; i--) {
        d->pending[i - 1].next_port = d->free;
        d->free = (uint16_t)(i - 1);
    }
    return 0;
}

void dns_proxy_set_servers(struct dns_proxy *d, const be32 *servers, unsigned count)
{
    d->server_count = (uint8_t)MIN(count, DNS_SERVERS_MAX);
    d->first_server = 0;
    for (unsigned i = 0; i < d->server_count; i++)
        d->servers[i] = servers[i];
}

/* ---- the chains ---- */

static unsigned port_bucket(be16 port)
{
    return ntoh16(port) % BUCKETS;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Questions hash and compare without regard to case, as names do. (That the type and class are
 * taken for letters as well makes a few kinds of questions one, which does no harm here.) */
static uint16_t question_bucket(const struct dns_proxy *d, const uint8_t *question, size_t n)
{
    uint64_t h = d->key.k[0];

    for (size_t i = 0; i < n; i++)
        h = hash_mix(h ^ lower(question[i]), d->key.k[1]);
    return (uint16_t)(h % BUCKETS);
}

static bool question_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

static struct dns_pending *by_port(const struct dns_proxy *d, be16 port)
{
    uint16_t i = d->by_port[port_bucket(port)];

    while (i != NONE && d->pending[i].port != port)
        i = d->pending[i].next_port;
    return i == NONE ? NULL : &d->pending[i];
}

static uint16_t index_of(const struct dns_proxy *d, const struct dns_pending *p)
{
    return (uint16_t)(p - d->pending);
}

static void link_port(struct dns_proxy *d, struct dns_pending *p)
{
    uint16_t *head = &d->by_port[port_bucket(p->port)];

    p->next_port = *head;
    *head = index_of(d, p);
}

static void unlink_port(struct dns_proxy *d, struct dns_pending *p)
{
    uint16_t *link = &d->by_port[port_bucket(p->port)];

    while (*link != index_of(d, p)) {
        CHECK(*link != NONE);
        link = &d->pending[*link].next_port;
    }
    *link = p->next_port;
}

static void unlink_question(struct dns_proxy *d, struct dns_pending *p)
{
    uint16_t *link = &d->by_question[p->question_bucket];

    while (*link != index_of(d, p)) {
        CHECK(*link != NONE);
        link = &d->pending[*link].next_question;
    }
    *link = p->next_question;
}

static void enqueue(struct dns_proxy *d, struct dns_pending *p, uint64_t due_us)
{
    p->due_us = due_us;
    p->newer = NONE;
    p->older = d->newest;
    if (d->newest == NONE)
        d->oldest = index_of(d, p);
    else
        d->pending[d->newest].newer = index_of(d, p);
    d->newest = index_of(d, p);
}

static void dequeue(struct dns_proxy *d, struct dns_pending *p)
{
    if (p->older == NONE)
        d->oldest = p->newer;
    else
        d->pending[p->older].newer = p->newer;
    if (p->newer == NONE)
        d->newest = p->older;
    else
        d->pending[p->newer].older = p->older;
}

static void forget(struct dns_proxy *d, struct dns_pending *p)
{
    d->ops->release_port(d->ctx, p->port);
    unlink_port(d, p);
    unlink_question(d, p);
    dequeue(d, p);
    d->per_client[p->client_bucket]--;
    d->pending_count--;
    p->next_port = d->free;
    d->free = index_of(d, p);
}

/* ---- queries ---- */

static void refuse(struct dns_proxy *d, const struct dns_client *to, const uint8_t *query, size_t n,
                   const struct dns_question *q, enum dns_rcode code)
{
    uint8_t answer[DNS_HDR_BYTES + DNS_MAX_NAME_BYTES + 4 + 11];
    size_t length = dns_write_error(answer, sizeof(answer), query, n, q, code);

    if (length)
        d->ops->answer(d->ctx, to, answer, length);
}

/* What a name of our own has of the type that was asked: its length, and 0 if nothing. */
static size_t local_data(const struct dns_route *route, uint16_t asked, uint16_t *type,
                         uint8_t data[static DNS_MAX_NAME_BYTES])
{
    static const uint8_t loopback[16] = {[15] = 1};

    *type = asked;
    if (asked == DNS_TYPE_ANY)
        *type = route->way == DNS_POINTER ? DNS_TYPE_PTR : DNS_TYPE_A;
    if (route->way == DNS_POINTER)
        return *type == DNS_TYPE_PTR ? dns_encode_name(data, route->host, route->domain) : 0;
    if (route->way == DNS_LOOPBACK && *type == DNS_TYPE_AAAA) {
        memcpy(data, loopback, sizeof(loopback));
        return sizeof(loopback);
    }
    if (*type != DNS_TYPE_A || (route->way != DNS_ADDRESS && route->way != DNS_LOOPBACK))
        return 0;
    store_raw32(data, route->way == DNS_LOOPBACK ? BE_IP4(127, 0, 0, 1) : route->ip);
    return 4;
}

/* A name that nobody else is to be asked about, whatever is asked about it. */
static void answer_local(struct dns_proxy *d, const struct dns_client *from, const uint8_t *query,
                         size_t n, const struct dns_question *q, const struct dns_route *route)
{
    uint8_t answer[LOCAL_ANSWER_BYTES], data[DNS_MAX_NAME_BYTES];
    uint16_t type;
    size_t length;

    d->counters.local++;
    if (load_be16(query + DNS_FLAGS_OFF) & DNS_FLAG_OPCODE) { /* a dynamic update, mostly */
        refuse(d, from, query, n, q, DNS_NOTIMP);
        return;
    }
    if (q->class != DNS_CLASS_IN && q->class != DNS_CLASS_ANY) {
        refuse(d, from, query, n, q, DNS_REFUSED);
        return;
    }
    size_t bytes = local_data(route, q->type, &type, data);
    if (bytes)
        length = dns_write_record(answer, sizeof(answer), query, n, q, type, data, bytes,
                                  DNS_LOCAL_TTL_S);
    else
        length = dns_write_none(answer, sizeof(answer), query, n, q,
                                route->way == DNS_NO_NAME ? DNS_NXDOMAIN : DNS_NOERROR,
                                route->zone_chars, DNS_LOCAL_NONE_S);
    d->ops->answer(d->ctx, from, answer, length);
}

/* True if this client already waits for this very query, and now does if it did not. */
static bool join(struct dns_pending *p, const struct dns_client *from, be16 id)
{
    for (unsigned i = 0; i < p->waiter_count; i++) {
        const struct dns_waiter *w = &p->waiters[i];
        if (w->id == id && w->client.ip == from->ip && w->client.port == from->port &&
            w->client.network == from->network)
            return true; /* asked again out of impatience; the retries are ours to make */
    }
    if (p->waiter_count == DNS_WAITERS_MAX)
        return false;
    p->waiters[p->waiter_count].client = *from;
    p->waiters[p->waiter_count++].id = id;
    return true;
}

/* Looks among the entries under way for the same query, and joins it, or for too many with its
 * question. True: no new entry is to be made. */
static bool share(struct dns_proxy *d, const struct dns_client *from, const uint8_t *bytes,
                  size_t n, const struct dns_question *q, uint16_t bucket)
{
    unsigned alike = 0;

    for (uint16_t i = d->by_question[bucket]; i != NONE; i = d->pending[i].next_question) {
        struct dns_pending *p = &d->pending[i];
        if (p->n == n && memcmp(p->bytes + 2, bytes + 2, n - 2) == 0) {
            if (join(p, from, load_raw16(bytes + DNS_ID_OFF)))
                return true;
            alike++; /* its waiters are too many already */
        } else if (p->question_bytes == q->bytes &&
                   question_equal(p->bytes + DNS_HDR_BYTES, bytes + DNS_HDR_BYTES, q->bytes)) {
            alike++;
        }
    }
    return alike >= DNS_SAME_QUESTION_MAX;
}

/* Gives the entry a port and an id, and sends it. False if there is no port. */
static bool ask(struct dns_proxy *d, struct dns_pending *p)
{
    p->port = d->ops->reserve_port(d->ctx);
    if (!p->port)
        return false;
    d->ops->random(d->ctx, &p->id, sizeof(p->id));
    store_raw16(p->bytes + DNS_ID_OFF, p->id);
    if (!p->one_server)
        p->server = d->servers[p->server_index % d->server_count];
    link_port(d, p);
    d->counters.relayed++;
    d->ops->ask(d->ctx, p->port, p->network, p->server, p->bytes, p->n);
    return true;
}

static bool begin(struct dns_proxy *d, const struct dns_client *from, const uint8_t *bytes,
                  size_t n, const struct dns_question *q, uint16_t bucket,
                  const struct dns_route *route, uint64_t now_us)
{
    uint16_t client = (uint16_t)(hash_words(&d->key, from->ip, from->network) % CLIENT_BUCKETS);

    if (d->free == NONE || d->per_client[client] >= DNS_PENDING_PER_CLIENT)
        return false;
    struct dns_pending *p = &d->pending[d->free];
    uint16_t next_free = p->next_port;
    memcpy(p->bytes, bytes, n);
    p->n = (uint16_t)n;
    p->question_bytes = q->bytes;
    p->question_bucket = bucket;
    p->client_bucket = client;
    p->server_index = d->first_server;
    p->network = route->network;
    p->one_server = route->way == DNS_ONE_SERVER;
    p->server = route->ip;
    p->waiters[0] = (struct dns_waiter){*from, load_raw16(bytes + DNS_ID_OFF)};
    p->waiter_count = 1;
    p->give_up_us = now_us + DNS_GIVE_UP_US;
    if (!ask(d, p)) {
        p->next_port = next_free;
        return false;
    }
    d->free = next_free;
    p->next_question = d->by_question[bucket];
    d->by_question[bucket] = index_of(d, p);
    enqueue(d, p, now_us + DNS_RETRY_US);
    d->per_client[client]++;
    d->pending_count++;
    return true;
}

void dns_proxy_query(struct dns_proxy *d, const struct dns_client *from, const uint8_t *bytes,
                     size_t n, uint64_t now_us)
{
    struct dns_question q;
    char name[DNS_MAX_NAME_BYTES];

    d->counters.queries++;
    if (n < DNS_HDR_BYTES || n > DNS_QUERY_MAX_BYTES ||
        load_be16(bytes + DNS_FLAGS_OFF) & DNS_FLAG_RESPONSE) {
        d->counters.malformed++;
        return;
    }
    if (!dns_read_question(&q, bytes, n)) {
        d->counters.malformed++;
        refuse(d, from, bytes, n, NULL, DNS_FORMERR);
        return;
    }
    dns_name_text(name, bytes, &q);
    struct dns_route route = d->ops->route(d->ctx, from->network, name, q.type, now_us);
    if (route.way < DNS_FORBIDDEN) {
        answer_local(d, from, bytes, n, &q, &route);
        return;
    }
    if (route.way == DNS_FORBIDDEN) {
        d->counters.refused++;
        refuse(d, from, bytes, n, &q, DNS_REFUSED);
        return;
    }
    uint16_t bucket = question_bucket(d, bytes + DNS_HDR_BYTES, q.bytes);
    if (d->server_count > 0 || route.way == DNS_ONE_SERVER) {
        if (share(d, from, bytes, n, &q, bucket) ||
            begin(d, from, bytes, n, &q, bucket, &route, now_us))
            return;
    }
    d->counters.refused++;
    refuse(d, from, bytes, n, &q, DNS_SERVFAIL);
}

/* ---- answers ---- */

bool dns_proxy_listens(const struct dns_proxy *d, uint8_t network, be16 port)
{
    const struct dns_pending *p = by_port(d, port);

    return p && p->network == network;
}

static bool matches(const struct dns_pending *p, be16 sport, const uint8_t *bytes, size_t n)
{
    size_t head = DNS_HDR_BYTES + (size_t)p->question_bytes;
    unsigned asked = load_be16(p->bytes + DNS_FLAGS_OFF), got;

    if (sport != BE16(DNS_PORT) || n < head)
        return false;
    got = load_be16(bytes + DNS_FLAGS_OFF);
    return load_raw16(bytes + DNS_ID_OFF) == p->id && (got & DNS_FLAG_RESPONSE) &&
           (got & DNS_FLAG_OPCODE) == (asked & DNS_FLAG_OPCODE) &&
           load_be16(bytes + DNS_QDCOUNT_OFF) == 1 &&
           memcmp(bytes + DNS_HDR_BYTES, p->bytes + DNS_HDR_BYTES, p->question_bytes) == 0;
}

bool dns_proxy_answer(struct dns_proxy *d, uint8_t network, be32 server, be16 sport, be16 dport,
                      uint8_t *bytes, size_t n)
{
    struct dns_pending *p = by_port(d, dport);

    if (!p)
        return false;
    bool asked = p->network == network && p->server == server;
    if (!asked || !matches(p, sport, bytes, n)) {
        d->counters.forged++;
        return asked;
    }
    for (unsigned i = 0; i < d->server_count && !p->one_server; i++)
        if (d->servers[i] == server)
            d->first_server = (uint8_t)i;
    for (unsigned i = 0; i < p->waiter_count; i++) {
        store_raw16(bytes + DNS_ID_OFF, p->waiters[i].id);
        d->ops->answer(d->ctx, &p->waiters[i].client, bytes, n);
        d->counters.answered++;
    }
    forget(d, p);
    return true;
}

/* ---- time ---- */

static void give_up(struct dns_proxy *d, struct dns_pending *p)
{
    struct dns_question q;

    /* It was read when the query came. */
    CHECK(dns_read_question(&q, p->bytes, p->n));
    for (unsigned i = 0; i < p->waiter_count; i++) {
        store_raw16(p->bytes + DNS_ID_OFF, p->waiters[i].id);
        refuse(d, &p->waiters[i].client, p->bytes, p->n, &q, DNS_SERVFAIL);
        d->counters.timed_out++;
    }
    forget(d, p);
}

static void retry(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us)
{
    dequeue(d, p);
    enqueue(d, p, now_us + DNS_RETRY_US);
    if (p->one_server || (d->server_count == 1 && p->server == d->servers[0])) {
        /* Nobody else to ask. The same port and id leave a late answer its chance, and a forger no
         * more. */
        d->counters.relayed++;
        d->ops->ask(d->ctx, p->port, p->network, p->server, p->bytes, p->n);
        return;
    }
    be16 old = p->port;
    unlink_port(d, p);
    p->server_index++;
    if (!ask(d, p)) {
        p->port = old; /* keep waiting for the one that was asked */
        link_port(d, p);
        return;
    }
    d->ops->release_port(d->ctx, old);
}

unsigned dns_proxy_poll(struct dns_proxy *d, uint64_t now_us)
{
    unsigned steps = 0;

    while (d->oldest != NONE && d->pending[d->oldest].due_us <= now_us) {
        struct dns_pending *p = &d->pending[d->oldest];
        if (now_us >= p->give_up_us || (d->server_count == 0 && !p->one_server))
            give_up(d, p);
        else
            retry(d, p, now_us);
        steps++;
    }
    return steps;
}

uint64_t dns_proxy_next_us(const struct dns_proxy *d)
{
    return d->oldest == NONE ? UINT64_MAX : d->pending[d->oldest].due_us;
}

void dns_proxy_print(const struct dns_proxy *d, void (*line)(const char *text))
{
    const struct dns_counters *c = &d->counters;
    char text[160];

    snprintf(text, sizeof(text),
             "dns       queries %llu  local %llu  relayed %llu  answered %llu  waiting %u",
             (unsigned long long)c->queries, (unsigned long long)c->local,
             (unsigned long long)c->relayed, (unsigned long long)c->answered, d->pending_count);
    line(text);
    snprintf(text, sizeof(text),
             "dns       forged %llu  timed out %llu  refused %llu  malformed %llu",
             (unsigned long long)c->forged, (unsigned long long)c->timed_out,
             (unsigned long long)c->refused, (unsigned long long)c->malformed);
    line(text);
}
