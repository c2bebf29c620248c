/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The DNS forwarder: relays the networks' queries to the uplink's servers as they came, byte for
 * byte, but for the id and the case of letters (RFC 5625), and makes answers hard to forge (RFC
 * 5452). Answers are kept for as long as they allow (dns_cache.h). It does not resolve by itself.
 *
 * Theory of operation. A query that is under way is a "pending" entry: it has a source port of its
 * own, reserved from the router's outside ports, a random id, and letters of random case. An answer
 * counts only if server, both ports, id and question with every letter are the query's; everything
 * else is ignored and the wait goes on (of servers that do not keep the letters: dns_ask.c). Each
 * host gets its own letters back in the question, to which the records' names point. Equal queries
 * share one entry, and few different ones with one question may be under way, for each is one more
 * chance to guess right (RFC 5452, section 5). The fastest server is asked, and the next one when
 * it takes too long (dns_upstream.h); after DNS_GIVE_UP_US, before a resolver's usual 5 s are over,
 * the client gets SERVFAIL. The entries stand in a queue by the time at which they are due.
 *
 * An answer from outside that leads to a host inside is how a web page anywhere reaches it with the
 * browser's help (rebinding): it is not passed on (dns_rebind.h). The host is told that the name
 * has no address, which ends its search, where an error would send it to another server.
 *
 * A host that asks for ever new names (it is broken, or attacks their servers with us as its tool)
 * is refused what is more than DNS_RATE_PER_S, as far as others would have to be asked: with an
 * answer that is no longer than the question. What is ours or kept costs nobody else anything.
 *
 * A host may ask by TCP as well: what it is given is never cut. Servers are asked by UDP all the
 * same, and again by TCP if the answer was cut and somebody waits for it by TCP (dns_fetch.c).
 *
 * Which names are our own, and who may ask whom for the others, is decided outside: see struct
 * dns_route. What is ours is answered here and never sent on.
 */
#ifndef NET_DNS_PROXY_H
#define NET_DNS_PROXY_H

#include "base.h"
#include "net/dns_cache.h"
#include "net/dns_upstream.h"
#include "net/hash.h"

#define DNS_PENDING_MAX        512
#define DNS_PENDING_PER_CLIENT 192  /* one host cannot take it all, */
#define DNS_PENDING_OWN        128  /* nor the server of a domain, which may be dead, */
#define DNS_PENDING_OWNS       256  /* nor all of those, */
#define DNS_PENDING_ALL        384  /* nor the servers of all the rest */
#define DNS_RATE_PER_S         1000 /* questions of one host that are sent on, and at once */
#define DNS_SAME_QUESTION_MAX  4
#define DNS_WAITERS_MAX        16 /* hosts that share one query; many start at the same moment */
#define DNS_QUERY_MAX_BYTES    512
#define DNS_DATAGRAM_MAX_BYTES 8192 /* given to a host by UDP, whatever it says it takes */
#define DNS_SERVERS_MAX        3
#define DNS_OWN_SERVERS_MAX    32 /* of domains that have one of their own */
#define DNS_GIVE_UP_US         4400000u
#define DNS_LOCAL_TTL_S        60
#define DNS_LOCAL_NONE_S       10 /* that there is no such record: a host may be about to come */

struct dns_client {
    be32 ip;
    be16 port;
    uint8_t network;
    uint8_t mac[MAC_BYTES]; /* where UDP goes */
    uint32_t stream;        /* which connection it asks by; 0: by UDP */
};

/* What becomes of a query. */
enum dns_way {
    DNS_ADDRESS,    /* a name of our own: it has the address ip, and no other record */
    DNS_LOOPBACK,   /* a name of the asker's own machine: 127.0.0.1 and ::1 */
    DNS_POINTER,    /* the name of an address of ours: it leads to host with domain behind it */
    DNS_NO_RECORD,  /* a name of our own that has no record */
    DNS_NO_NAME,    /* in a domain of our own, where there is no such name */
    DNS_FORBIDDEN,  /* its network may not ask those who know */
    DNS_ALL,        /* the servers of dns_proxy_set_servers() are asked */
    DNS_ONE_SERVER, /* the server ip is asked, and no other */
};

struct dns_route {
    enum dns_way way;
    uint8_t network;      /* DNS_ALL, DNS_ONE_SERVER: where the servers are */
    uint8_t zone_chars;   /* ours: how much of the name, from its end, is the zone; 0: the root */
    bool may_lead_inside; /* DNS_ALL: the answer may be any address */
    be32 ip;
    const char *host, *domain; /* DNS_POINTER; they hold until the next call */
};

/* What the forwarder needs of its surroundings. Bytes are borrowed for the call. */
struct dns_ops {
    be16 (*reserve_port)(void *ctx); /* 0: none is free */
    void (*release_port)(void *ctx, be16 port);
    void (*ask)(void *ctx, be16 port, uint8_t network, be32 server, const uint8_t *bytes, size_t n);
    void (*answer)(void *ctx, const struct dns_client *to, const uint8_t *bytes, size_t n);
    void (*random)(void *ctx, void *to, size_t n);
    /* The way of a query of this type by a host of network. All queries that are sent on for a name
     * have the same servers, whoever asks. */
    struct dns_route (*route)(void *ctx, uint8_t network, const char *name, uint16_t type,
                              uint64_t now_us);
    /* True if a server outside has no business to lead a host there: it is an address of a network
     * of ours, or the router's own. */
    bool (*is_inside)(void *ctx, be32 ip);
    /* Asks a server by TCP: dns_proxy_fetched() is called once, later, unless end_fetch is before.
     * False: it cannot be asked now. */
    bool (*fetch)(void *ctx, uint16_t which, uint8_t network, be32 server, const uint8_t *bytes,
                  size_t n);
    void (*end_fetch)(void *ctx, uint16_t which);
};

struct dns_counters {
    uint64_t rebinding; /* answers from outside that lead inside, and were not passed on */
    uint64_t queries;   /* from hosts */
    uint64_t local;     /* answered by ourselves, be it that there is no such name */
    uint64_t relayed;   /* datagrams sent to servers, retries included */
    uint64_t answered;  /* answers given on to hosts */
    uint64_t forged;    /* came to one of our ports and did not match */
    uint64_t timed_out; /* hosts told SERVFAIL because no server answered */
    uint64_t refused;   /* hosts told so: they may not ask there, no server, or no room */
    uint64_t limited;   /* hosts told REFUSED because they ask for too much */
    uint64_t malformed;
    uint64_t fetches, fetches_failed; /* servers asked by TCP; and no answer came of it */
};

struct dns_pending;
struct dns_bucket;

struct dns_proxy {
    const struct dns_ops *ops;
    void *ctx;
    struct dns_counters counters;
    struct hash_key key;
    struct dns_pending *pending;
    uint16_t *by_port, *by_question; /* heads of chains */
    uint16_t *per_client;
    struct dns_bucket *rates; /* by host */
    uint16_t *queue;          /* entries by the time at which they are due: a heap */
    uint16_t queued;
    uint16_t free; /* list of pending entries */
    uint16_t pending_count;
    uint16_t own_pending_count, own_pending[DNS_OWN_SERVERS_MAX]; /* of those: DNS_ONE_SERVER */
    uint8_t server_count;
    uint8_t own_count;
    bool told_dead; /* the console knows that no server answers */
    struct dns_upstream servers[DNS_SERVERS_MAX];
    struct dns_upstream own_servers[DNS_OWN_SERVERS_MAX]; /* DNS_ONE_SERVER */
    uint64_t dead_us, next_dead_us;                       /* when it was told, and may be again */
    uint64_t next_told_us;                                /* that an answer led inside */
    struct dns_cache cache;
    uint8_t answer[DNS_CACHE_MESSAGE_BYTES + DNS_OPT_BYTES]; /* one from the cache */
};

/* Takes its memory from alloc, about cache_bytes of it for the cache: -ENOMEM. random: 64 bytes. */
int dns_proxy_init(struct dns_proxy *d, const struct dns_ops *ops, void *ctx, size_t cache_bytes,
                   const uint8_t *random, alloc_fn alloc);

/* The servers to ask from now on; none: queries are answered with SERVFAIL. What is known of those
 * that stay is kept. If they are others than before, the cache is empty. */
void dns_proxy_set_servers(struct dns_proxy *d, const be32 *servers, unsigned count);

/* What came to port 53. False if it was no query and will not be answered; else it is, once. (One
 * by UDP that is the same as another under way shares its answer.) */
bool dns_proxy_query(struct dns_proxy *d, const struct dns_client *from, const uint8_t *bytes,
                     size_t n, uint64_t now_us);

/* A UDP payload that came to the router's address on a network. False if no query of ours waits
 * there for an answer of this server. The head of bytes is written to. */
bool dns_proxy_answer(struct dns_proxy *d, uint8_t network, be32 server, be16 sport, be16 dport,
                      uint8_t *bytes, size_t n, uint64_t now_us);

/* A server that was asked by TCP has answered; bytes NULL: it has not, and will not. The head of
 * bytes is written to. */
void dns_proxy_fetched(struct dns_proxy *d, uint16_t which, uint8_t *bytes, size_t n,
                       uint64_t now_us);

/* True if a query of ours waits on that port for an answer from that network. */
bool dns_proxy_listens(const struct dns_proxy *d, uint8_t network, be16 port);

/* Retries and gives up what is due; the number of such steps. And when that is next (UINT64_MAX:
 * never). */
unsigned dns_proxy_poll(struct dns_proxy *d, uint64_t now_us);
uint64_t dns_proxy_next_us(const struct dns_proxy *d);

void dns_proxy_print(const struct dns_proxy *d, void (*line)(const char *text));

#endif
