/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the files of the DNS forwarder share: the queries under way. dns_proxy.c decides what
 * becomes of queries and answers, dns_ask.c asks the servers, dns_fetch.c asks them by TCP,
 * dns_pending.c keeps the table.
 */
#ifndef NET_DNS_PROXY_INTERNAL_H
#define NET_DNS_PROXY_INTERNAL_H

#include "net/dns_proxy.h"
#include "net/wire/dns_letters.h"

#define DNS_NONE   0xFFFF /* no entry */
#define DNS_NO_TRY 0xFF   /* no server of an entry's */

struct dns_waiter {
    struct dns_client client;
    be16 id;
    struct dns_letters letters; /* of its question */
};

/* What an entry has had of one of the servers that it may ask. */
struct dns_try {
    uint32_t asked_us; /* last; the lower half of the clock */
    uint8_t times;
    bool late;    /* was waited for in vain */
    bool failed;  /* has answered with an error */
    bool fetched; /* has been asked by TCP */
};

struct dns_pending {
    uint64_t due_us, give_up_us;
    be32 server; /* asked last, or whose answer it is */
    be16 port, id;
    uint16_t next_port, next_question; /* next_port: also of the free list */
    uint16_t queue_at;
    uint16_t question_bucket, client_bucket;
    uint16_t n, question_bytes;
    uint16_t most_bytes; /* that the hosts can take */
    uint8_t waiter_count;
    uint8_t network; /* where it is asked */
    bool one_server;
    uint8_t own_server; /* its row then */
    uint8_t current;    /* the one of tries that is waited for */
    uint8_t failure;    /* the last error of a server */
    bool probe;         /* nobody waits for it */
    bool respell;       /* the letters sent are not the host's */
    struct dns_try tries[DNS_SERVERS_MAX];
    bool may_lead_inside;
    bool fetching;    /* it is asked by TCP now, */
    bool fetch_waits; /* or will be, as soon as it can */
    bool keep;        /* the answer goes to the cache, under these flags */
    uint8_t cache_flags;
    struct dns_waiter waiters[DNS_WAITERS_MAX];
    uint8_t bytes[DNS_QUERY_MAX_BYTES];
};

/* True if another server may know better. */
static inline bool dns_is_failure(enum dns_rcode code)
{
    return code != DNS_NOERROR && code != DNS_NXDOMAIN && code <= DNS_REFUSED;
}

/* ---- dns_pending.c ---- */

/* -ENOMEM or 0. d->key is there. */
int dns_pending_init(struct dns_proxy *d, alloc_fn alloc);

uint16_t dns_question_bucket(const struct dns_proxy *d, const uint8_t *question, size_t n);
struct dns_pending *dns_pending_by_port(const struct dns_proxy *d, be16 port);

/* Takes one question from what a host may have sent on. False: it has asked for too much. */
bool dns_rate_allows(struct dns_proxy *d, const struct dns_client *from, uint64_t now_us);

/* p->port is set. */
void dns_pending_link_port(struct dns_proxy *d, struct dns_pending *p);
void dns_pending_unlink_port(struct dns_proxy *d, struct dns_pending *p);
void dns_pending_due(struct dns_proxy *d, struct dns_pending *p, uint64_t due_us);
struct dns_pending *dns_pending_first(const struct dns_proxy *d); /* due first; NULL: none */

/* An entry for this client, not yet linked anywhere: it is in use once dns_pending_use() says so.
 * NULL: there is none, or this client has its share. */
struct dns_pending *dns_pending_new(struct dns_proxy *d, const struct dns_client *from);
void dns_pending_use(struct dns_proxy *d, struct dns_pending *p, uint64_t due_us);

/* True if its servers may have one more to answer: the silent ones of some names do not take the
 * places of all others. */
bool dns_pending_has_share(const struct dns_proxy *d, const struct dns_pending *p);

/* Takes it out of all chains; its port is released, and who is asked by TCP is told to stop. */
void dns_pending_forget(struct dns_proxy *d, struct dns_pending *p);

/* ---- dns_proxy.c ---- */

/* True if bytes, from port sport of the server that was asked, answer the query, whatever the case
 * of the name's letters. */
bool dns_answer_matches(const struct dns_pending *p, be16 sport, const uint8_t *bytes, size_t n);

/* Gives an answer that matches to all who wait. The entry stays. */
void dns_answer_take(struct dns_proxy *d, struct dns_pending *p, uint8_t *bytes, size_t n,
                     uint64_t now_us);

/* All who wait are told this error, and the entry is forgotten. */
void dns_give_up(struct dns_proxy *d, struct dns_pending *p, enum dns_rcode code);

/* That no server has answered is kept for a moment, as an answer of theirs that says so is: RFC
 * 9520, section 3.2. */
void dns_keep_silence(struct dns_proxy *d, const struct dns_pending *p, uint64_t now_us);

/* ---- dns_ask.c ---- */

/* Asks the best server, and puts the entry to use. False, and nothing is, if no port is free, or
 * too much is asked of its servers already. Set are bytes and question, network, one_server and its
 * server, respell, waiters. */
bool dns_ask_begin(struct dns_proxy *d, struct dns_pending *p, const struct dns_client *from,
                   uint64_t now_us);

/* There are other servers: those that were asked do not count any more. */
void dns_ask_restart(struct dns_proxy *d);

/* Which of the entry's servers that is; -1: it has not been asked. */
int dns_ask_whom(struct dns_proxy *d, const struct dns_pending *p, uint8_t network, be32 server);

/* That one's answer is right but for the letters' case: true if it is known to lose them. Else it
 * has been asked again, and this answer is none. */
bool dns_ask_other_letters(struct dns_proxy *d, struct dns_pending *p, unsigned k, uint64_t now_us);

/* It is right to the letter. */
void dns_ask_same_letters(struct dns_proxy *d, struct dns_pending *p, unsigned k);

/* It has answered. True: the hosts are to get it. Else others are waited for, or it was a probe and
 * the entry is no more. */
bool dns_ask_answered(struct dns_proxy *d, struct dns_pending *p, unsigned k, enum dns_rcode code,
                      uint64_t now_us);

/* Its time has come: the next server, or the end. */
void dns_ask_due(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us);

/* Makes another server the entry's, which has not been asked by TCP. False: there is none. */
bool dns_ask_other_by_tcp(struct dns_proxy *d, struct dns_pending *p);

/* ---- dns_fetch.c ---- */

/* An answer that was cut and matches: those who asked by UDP get it as it is, for the others the
 * server is asked by TCP. */
void dns_fetch_instead(struct dns_proxy *d, struct dns_pending *p, uint8_t *bytes, size_t n,
                       uint64_t now_us);

/* The time of one that is asked by TCP, or waits to be, has come: no answer has, or its turn. The
 * next server is asked so, or if there is none, that was it. */
void dns_fetch_due(struct dns_proxy *d, struct dns_pending *p, uint64_t now_us);

#endif
