/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DNS forwarder; see dns_proxy.h.
 */
#include "net/dns_proxy_internal.h"

#include "check.h"
#include "log.h"
#include "net/dns_rebind.h"
#include "net/wire/dns_records.h"

#include <stdio.h>

#define TELL_US 60000000u /* a line about rebinding at most this often */
/* The longest that we write ourselves: head, a record with a name in it, OPT. */
#define LOCAL_ANSWER_BYTES                                                                         \
    (DNS_HDR_BYTES + DNS_MAX_NAME_BYTES + 4 + 12 + DNS_MAX_NAME_BYTES + DNS_OPT_BYTES)
static_assert(sizeof(((struct dns_proxy *)0)->answer) >= DNS_CACHE_MESSAGE_BYTES + DNS_OPT_BYTES,
              "an answer of the cache, and an OPT");

int dns_proxy_init(struct dns_proxy *d, const struct dns_ops *ops, void *ctx, size_t cache_bytes,
                   const uint8_t *random, alloc_fn alloc)
{
    int err;

    memset(d, 0, sizeof(*d));
    d->ops = ops;
    d->ctx = ctx;
    hash_key_init(&d->key, random);
    err = dns_pending_init(d, alloc);
    return err ? err : dns_cache_init(&d->cache, cache_bytes, random + 32, alloc);
}

void dns_proxy_set_servers(struct dns_proxy *d, const be32 *servers, unsigned count)
{
    struct dns_upstream old[DNS_SERVERS_MAX];
    unsigned old_count = d->server_count;
    bool same = MIN(count, DNS_SERVERS_MAX) == old_count;

    for (unsigned i = 0; i < old_count && same; i++)
        same = servers[i] == d->servers[i].ip;
    if (same)
        return;
    memcpy(old, d->servers, sizeof(old));
    d->server_count = (uint8_t)MIN(count, DNS_SERVERS_MAX);
    for (unsigned i = 0; i < d->server_count; i++) {
        dns_upstream_init(&d->servers[i], 0, servers[i]);
        for (unsigned k = 0; k < old_count; k++)
            if (old[k].ip == servers[i])
                d->servers[i] = old[k];
    }
    dns_ask_restart(d);
    /* Elsewhere names may mean something else. */
    dns_cache_flush(&d->cache);
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

static void wait_for(struct dns_pending *p, const struct dns_client *from, const uint8_t *query)
{
    struct dns_waiter *w = &p->waiters[p->waiter_count++];

    w->client = *from;
    w->id = load_raw16(query + DNS_ID_OFF);
    dns_letters_read(&w->letters, query + DNS_HDR_BYTES, p->question_bytes - 4u);
}

/* True if this client already waits for this very query, and now does if it did not. By TCP nothing
 * is asked twice out of impatience, and each question has its answer. */
static bool join(struct dns_pending *p, const struct dns_client *from, const uint8_t *query)
{
    be16 id = load_raw16(query + DNS_ID_OFF);

    for (unsigned i = 0; i < p->waiter_count; i++) {
        const struct dns_waiter *w = &p->waiters[i];
        if (!from->stream && !w->client.stream && w->id == id && w->client.ip == from->ip &&
            w->client.port == from->port && w->client.network == from->network)
            return true; /* asked again out of impatience; the retries are ours to make */
    }
    if (p->waiter_count == DNS_WAITERS_MAX)
        return false;
    wait_for(p, from, query);
    return true;
}

/* Two queries with one question: true if they are the same but for the id, and for letters if those
 * mean nothing. */
static bool same_query(const struct dns_pending *p, const uint8_t *bytes, size_t n,
                       const struct dns_question *q)
{
    size_t head = DNS_HDR_BYTES + (p->respell ? q->bytes : 0u);

    return p->n == n && memcmp(p->bytes + 2, bytes + 2, DNS_HDR_BYTES - 2) == 0 &&
           memcmp(p->bytes + head, bytes + head, n - head) == 0;
}

/* Looks among the entries under way for the same query, and joins it, or for too many with its
 * question: then a host by UDP hears nothing, and asks again by itself. True: no new entry is to be
 * made. */
static bool share(struct dns_proxy *d, const struct dns_client *from, const uint8_t *bytes,
                  size_t n, const struct dns_question *q, uint16_t most_bytes, uint16_t bucket)
{
    unsigned alike = 0;

    for (uint16_t i = d->by_question[bucket]; i != DNS_NONE; i = d->pending[i].next_question) {
        struct dns_pending *p = &d->pending[i];
        if (p->probe || p->question_bytes != q->bytes ||
            !dns_letters_same(p->bytes + DNS_HDR_BYTES, bytes + DNS_HDR_BYTES, q->bytes))
            continue;
        if (same_query(p, bytes, n, q) && join(p, from, bytes)) {
            p->most_bytes = MIN(p->most_bytes, most_bytes);
            return true;
        }
        alike++; /* it is another query, or its waiters are too many already */
    }
    if (alike < DNS_SAME_QUESTION_MAX)
        return false;
    if (from->stream) {
        d->counters.refused++;
        refuse(d, from, bytes, n, q, DNS_SERVFAIL);
    }
    return true;
}

/* What is known of a query besides its question. */
struct shape {
    struct dns_opt opt;
    bool whole;          /* a question and at most an OPT, so that no signature covers it */
    bool known;          /* there is nothing in it whose meaning we do not know */
    uint8_t cache_flags; /* of a known one */
};

/* A query whose answer depends on nothing but its question and the flags: that may be answered from
 * the cache, and its answer kept there. */
static void read_shape(struct shape *s, const uint8_t *bytes, size_t n,
                       const struct dns_question *q)
{
    unsigned flags = load_be16(bytes + DNS_FLAGS_OFF);
    bool whole = dns_read_query_opt(&s->opt, bytes, n, q);

    s->whole = whole && !(flags & DNS_FLAG_OPCODE);
    s->known = whole && s->opt.version == 0 && !s->opt.client_subnet &&
               (flags & ~(DNS_FLAG_AUTHENTIC_DATA | DNS_FLAG_CHECKING_DISABLED)) ==
                   DNS_FLAG_RECURSION_DESIRED;
    s->cache_flags =
        (uint8_t)((s->opt.dnssec_ok ? DNS_CACHE_DNSSEC_OK : 0) |
                  (flags & DNS_FLAG_CHECKING_DISABLED ? DNS_CACHE_CHECKING_DISABLED : 0) |
                  (flags & DNS_FLAG_AUTHENTIC_DATA ? DNS_CACHE_AUTHENTIC_DATA : 0));
    if (!whole) /* who can tell what it can take */
        s->opt.size = UINT16_MAX;
}

static bool begin(struct dns_proxy *d, const struct dns_client *from, const uint8_t *bytes,
                  size_t n, const struct dns_question *q, const struct shape *shape,
                  uint16_t bucket, const struct dns_route *route, uint64_t now_us)
{
    struct dns_pending *p = dns_pending_new(d, from);

    if (!p)
        return false;
    memcpy(p->bytes, bytes, n);
    p->n = (uint16_t)n;
    p->question_bytes = q->bytes;
    p->question_bucket = bucket;
    p->most_bytes = shape->opt.size;
    p->keep = shape->known;
    p->cache_flags = shape->cache_flags;
    p->network = route->network;
    p->one_server = route->way == DNS_ONE_SERVER;
    p->may_lead_inside = p->one_server || route->may_lead_inside;
    p->server = route->ip;
    p->respell = shape->whole;
    p->waiter_count = 0;
    wait_for(p, from, bytes);
    return dns_ask_begin(d, p, from, now_us);
}

/* From the cache, as if it had just come: with this query's id and letters. */
static bool answer_cached(struct dns_proxy *d, const struct dns_client *from, const uint8_t *query,
                          const struct dns_question *q, const struct shape *shape, uint64_t now_us)
{
    uint8_t *a = d->answer;
    size_t n =
        dns_cache_find(&d->cache, query, q, shape->cache_flags, a, (uint32_t)(now_us / 1000000));

    if (n == 0)
        return false;
    memcpy(a + DNS_ID_OFF, query + DNS_ID_OFF, 2);
    memcpy(a + DNS_HDR_BYTES, query + DNS_HDR_BYTES, q->bytes);
    store_be16(a + DNS_FLAGS_OFF,
               (uint16_t)((load_be16(a + DNS_FLAGS_OFF) & ~DNS_FLAG_AUTHORITATIVE) |
                          DNS_FLAG_RECURSION_DESIRED));
    if (!from->stream && n + (shape->opt.present ? DNS_OPT_BYTES : 0) > shape->opt.size)
        n = dns_truncate(a, q);
    if (shape->opt.present)
        n = dns_append_opt(a, n, shape->opt.dnssec_ok);
    d->counters.answered++;
    d->ops->answer(d->ctx, from, a, n);
    return true;
}

/* A longer datagram would come in fragments, of which the second is forged without knowing the
 * port, the id or the letters. So servers are told of this size at most, and what is longer is
 * fetched by TCP: by the host, when it is told. */
static const uint8_t *limit_size(uint8_t *to, const uint8_t *bytes, size_t n,
                                 const struct shape *shape)
{
    if (!shape->whole || shape->opt.size <= DNS_EDNS_BYTES)
        return bytes;
    memcpy(to, bytes, n);
    store_be16(to + shape->opt.at + DNS_OPT_SIZE_OFF, DNS_EDNS_BYTES);
    return to;
}

/* One that others know the answer to. */
static void forward(struct dns_proxy *d, const struct dns_client *from, const uint8_t *bytes,
                    size_t n, const struct dns_question *q, const struct dns_route *route,
                    uint64_t now_us)
{
    struct shape shape;
    uint8_t limited[DNS_QUERY_MAX_BYTES];

    read_shape(&shape, bytes, n, q);
    if (shape.known && answer_cached(d, from, bytes, q, &shape, now_us))
        return;
    bytes = limit_size(limited, bytes, n, &shape);
    if (d->server_count > 0 || route->way == DNS_ONE_SERVER) {
        uint16_t bucket = dns_question_bucket(d, bytes + DNS_HDR_BYTES, q->bytes);
        if (share(d, from, bytes, n, q, shape.opt.size, bucket))
            return;
        if (!dns_rate_allows(d, from, now_us)) {
            d->counters.limited++;
            refuse(d, from, bytes, n, q, DNS_REFUSED);
            return;
        }
        if (begin(d, from, bytes, n, q, &shape, bucket, route, now_us))
            return;
    }
    d->counters.refused++;
    refuse(d, from, bytes, n, q, DNS_SERVFAIL);
}

bool dns_proxy_query(struct dns_proxy *d, const struct dns_client *from, const uint8_t *bytes,
                     size_t n, uint64_t now_us)
{
    struct dns_question q;
    char name[DNS_MAX_NAME_BYTES];

    d->counters.queries++;
    if (n < DNS_HDR_BYTES || n > DNS_QUERY_MAX_BYTES ||
        load_be16(bytes + DNS_FLAGS_OFF) & DNS_FLAG_RESPONSE) {
        d->counters.malformed++;
        return false;
    }
    if (!dns_read_question(&q, bytes, n)) {
        d->counters.malformed++;
        refuse(d, from, bytes, n, NULL, DNS_FORMERR);
        return true;
    }
    dns_name_text(name, bytes, &q);
    struct dns_route route = d->ops->route(d->ctx, from->network, name, q.type, now_us);
    if (route.way < DNS_FORBIDDEN) {
        answer_local(d, from, bytes, n, &q, &route);
    } else if (route.way == DNS_FORBIDDEN) {
        d->counters.refused++;
        refuse(d, from, bytes, n, &q, DNS_REFUSED);
    } else {
        forward(d, from, bytes, n, &q, &route, now_us);
    }
    return true;
}

/* ---- answers ---- */

bool dns_proxy_listens(const struct dns_proxy *d, uint8_t network, be16 port)
{
    const struct dns_pending *p = dns_pending_by_port(d, port);

    return p && p->network == network;
}

bool dns_answer_matches(const struct dns_pending *p, be16 sport, const uint8_t *bytes, size_t n)
{
    const uint8_t *question = bytes + DNS_HDR_BYTES, *ours = p->bytes + DNS_HDR_BYTES;
    size_t head = DNS_HDR_BYTES + (size_t)p->question_bytes;
    unsigned asked = load_be16(p->bytes + DNS_FLAGS_OFF), got;

    if (sport != BE16(DNS_PORT) || n < head)
        return false;
    got = load_be16(bytes + DNS_FLAGS_OFF);
    return load_raw16(bytes + DNS_ID_OFF) == p->id && (got & DNS_FLAG_RESPONSE) &&
           (got & DNS_FLAG_OPCODE) == (asked & DNS_FLAG_OPCODE) &&
           load_be16(bytes + DNS_QDCOUNT_OFF) == 1 &&
           dns_letters_same(question, ours, p->question_bytes);
}

/* Makes a message this host's: its id, its letters. */
static void address(const struct dns_waiter *w, const struct dns_pending *p, uint8_t *bytes)
{
    store_raw16(bytes + DNS_ID_OFF, w->id);
    dns_letters_write(&w->letters, bytes + DNS_HDR_BYTES, p->question_bytes - 4u);
}

/* To all who wait for it and ask by TCP, or by UDP. */
static void give_by(struct dns_proxy *d, struct dns_pending *p, bool stream, uint8_t *bytes,
                    size_t n)
{
    for (unsigned i = 0; i < p->waiter_count; i++) {
        if (!p->waiters[i].client.stream == stream)
            continue;
        address(&p->waiters[i], p, bytes);
        d->ops->answer(d->ctx, &p->waiters[i].client, bytes, n);
        d->counters.answered++;
    }
}

/* To all who wait for it. What is longer than a datagram may be, and so than an OPT, is cut to what
 * says so. */
static void give(struct dns_proxy *d, struct dns_pending *p, uint8_t *bytes, size_t n)
{
    struct dns_question q = {.bytes = p->question_bytes};
    struct dns_opt opt;

    give_by(d, p, true, bytes, n);
    if (n > MIN(p->most_bytes, DNS_DATAGRAM_MAX_BYTES)) {
        n = dns_truncate(bytes, &q);
        if (dns_read_query_opt(&opt, p->bytes, p->n, &q) && opt.present)
            n = dns_append_opt(bytes, n, opt.dnssec_ok);
    }
    give_by(d, p, false, bytes, n);
}

/* An error, or that there is no record, to all who wait. The query's own bytes stay as they are: a
 * server may yet be asked for others. */
static void give_none(struct dns_proxy *d, const struct dns_pending *p,
                      const struct dns_question *q, enum dns_rcode code)
{
    uint8_t query[DNS_QUERY_MAX_BYTES];

    memcpy(query, p->bytes, p->n);
    for (unsigned i = 0; i < p->waiter_count; i++) {
        address(&p->waiters[i], p, query);
        refuse(d, &p->waiters[i].client, query, p->n, q, code);
    }
}

static void tell_rebinding(struct dns_proxy *d, const uint8_t *bytes, const struct dns_question *q,
                           uint64_t now_us)
{
    char name[DNS_MAX_NAME_BYTES];

    d->counters.rebinding++;
    if (now_us < d->next_told_us)
        return;
    d->next_told_us = now_us + TELL_US;
    dns_name_text(name, bytes, q);
    log_warn("dns       %.60s leads to an address inside, says a server outside: not passed on "
             "(dnsprivate= allows it)",
             name);
}

void dns_answer_take(struct dns_proxy *d, struct dns_pending *p, uint8_t *bytes, size_t n,
                     uint64_t now_us)
{
    enum dns_rebind verdict = DNS_REBIND_NONE;
    struct dns_question q;

    /* The question is that of the query, which was read when it came. */
    CHECK(dns_read_question(&q, bytes, n));
    address(&p->waiters[0], p, bytes);
    if (!p->may_lead_inside)
        verdict = dns_rebind_judge(bytes, n, &q, d->ops->is_inside, d->ctx);
    if (verdict == DNS_REBIND_INSIDE) {
        tell_rebinding(d, bytes, &q, now_us);
        give_none(d, p, &q, DNS_NOERROR);
        return;
    }
    if (verdict == DNS_REBIND_UNREADABLE) {
        d->counters.malformed++;
        give_none(d, p, &q, DNS_SERVFAIL);
        return;
    }
    if (p->keep)
        dns_cache_keep(&d->cache, bytes, n, &q, p->cache_flags, (uint32_t)(now_us / 1000000));
    give(d, p, bytes, n);
}

bool dns_proxy_answer(struct dns_proxy *d, uint8_t network, be32 server, be16 sport, be16 dport,
                      uint8_t *bytes, size_t n, uint64_t now_us)
{
    struct dns_pending *p = dns_pending_by_port(d, dport);

    if (!p)
        return false;
    int k = dns_ask_whom(d, p, network, server);
    if (k >= 0 && (p->fetching || p->fetch_waits))
        return true; /* another copy of the one that was cut */
    if (k < 0 || !dns_answer_matches(p, sport, bytes, n)) {
        d->counters.forged++;
        return k >= 0;
    }
    if (memcmp(bytes + DNS_HDR_BYTES, p->bytes + DNS_HDR_BYTES, p->question_bytes) == 0)
        dns_ask_same_letters(d, p, (unsigned)k);
    else if (!dns_ask_other_letters(d, p, (unsigned)k, now_us))
        return true;
    if (!dns_ask_answered(d, p, (unsigned)k, load_be16(bytes + DNS_FLAGS_OFF) & DNS_FLAG_RCODE,
                          now_us))
        return true;
    if (load_be16(bytes + DNS_FLAGS_OFF) & DNS_FLAG_TRUNCATED) {
        dns_fetch_instead(d, p, bytes, n, now_us);
        return true;
    }
    dns_answer_take(d, p, bytes, n, now_us);
    dns_pending_forget(d, p);
    return true;
}

/* ---- time ---- */

void dns_keep_silence(struct dns_proxy *d, const struct dns_pending *p, uint64_t now_us)
{
    uint8_t answer[DNS_HDR_BYTES + DNS_MAX_NAME_BYTES + 4 + DNS_OPT_BYTES];
    struct dns_question q;

    if (!p->keep)
        return;
    CHECK(dns_read_question(&q, p->bytes, p->n));
    size_t n = dns_write_error(answer, sizeof(answer), p->bytes, p->n, &q, DNS_SERVFAIL);
    dns_cache_keep(&d->cache, answer, n, &q, p->cache_flags, (uint32_t)(now_us / 1000000));
}

void dns_give_up(struct dns_proxy *d, struct dns_pending *p, enum dns_rcode code)
{
    struct dns_question q;

    /* It was read when the query came. */
    CHECK(dns_read_question(&q, p->bytes, p->n));
    if (!p->failure)
        d->counters.timed_out += p->waiter_count;
    give_none(d, p, &q, code);
    dns_pending_forget(d, p);
}

unsigned dns_proxy_poll(struct dns_proxy *d, uint64_t now_us)
{
    struct dns_pending *p;
    unsigned steps = 0;

    while ((p = dns_pending_first(d)) && p->due_us <= now_us) {
        dns_ask_due(d, p, now_us);
        steps++;
    }
    return steps;
}

uint64_t dns_proxy_next_us(const struct dns_proxy *d)
{
    const struct dns_pending *p = dns_pending_first(d);

    return p ? p->due_us : UINT64_MAX;
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
             "dns       forged %llu  timed out %llu  refused %llu  malformed %llu  rebinding %llu  "
             "limited %llu",
             (unsigned long long)c->forged, (unsigned long long)c->timed_out,
             (unsigned long long)c->refused, (unsigned long long)c->malformed,
             (unsigned long long)c->rebinding, (unsigned long long)c->limited);
    line(text);
    snprintf(text, sizeof(text), "dns       by TCP: asked %llu  failed %llu",
             (unsigned long long)c->fetches, (unsigned long long)c->fetches_failed);
    line(text);
    snprintf(text, sizeof(text),
             "dns       cache: hits %llu  misses %llu  entries %u  evicted %llu",
             (unsigned long long)d->cache.hits, (unsigned long long)d->cache.misses,
             d->cache.entries, (unsigned long long)d->cache.evicted);
    line(text);
    for (unsigned i = 0; i < d->server_count; i++)
        dns_upstream_print(&d->servers[i], line);
    for (unsigned i = 0; i < d->own_count; i++)
        dns_upstream_print(&d->own_servers[i], line);
}
