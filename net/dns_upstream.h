/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is known of a server that DNS questions are sent to: how long it takes, whether it answers,
 * and whether it keeps the letters of a question.
 *
 * Theory of operation. The time that a server takes is smoothed as TCP does it (RFC 6298), and an
 * answer is waited for by that measure, within DNS_WAIT_MIN_US and DNS_WAIT_MAX_US; only answers to
 * questions that were sent once are measured (Karn). What comes long after the last one weighs
 * more, for what is known is old. A server that let a question go unanswered is not the first to be
 * asked the next one. After two in a row, with no answer of it in between, it is dead: it is asked
 * when the living have not answered either, and probed, first after DNS_BACKOFF_MIN_US and then
 * after twice as long each time. Any answer brings it back.
 *
 * A server that answers, but only with errors, is no help either: after DNS_ERRORS_MAX in a row the
 * others are asked first.
 */
#ifndef NET_DNS_UPSTREAM_H
#define NET_DNS_UPSTREAM_H

#include "base.h"

#define DNS_WAIT_FIRST_US   500000u /* nothing has been measured yet */
#define DNS_WAIT_MIN_US     250000u
#define DNS_WAIT_MAX_US     1000000u
#define DNS_DEAD_AFTER      2u /* questions in a row that went unanswered */
#define DNS_ERRORS_MAX      3u
#define DNS_BACKOFF_MIN_US  1000000u
#define DNS_BACKOFF_MAX_US  60000000u
#define DNS_PROBE_WAIT_US   2000000u   /* for its answer: nobody waits for it */
#define DNS_PROBE_US        30000000u  /* the living that are not asked: has one become faster? */
#define DNS_LETTERS_LOST_US 600000000u /* for so long a server is known not to keep letters, */
#define DNS_LETTERS_KEPT    8u /* unless so many answers in a row have them as they were sent */

enum dns_state { DNS_UP, DNS_SLOW, DNS_FAILING, DNS_DEAD }; /* in this order they are asked */

struct dns_upstream {
    be32 ip;
    uint8_t network;
    uint8_t timeouts, errors;          /* in a row, */
    uint8_t letters_kept;              /* and answers that had the letters of their questions */
    uint32_t latency_us, deviation_us; /* smoothed; 0: not measured yet */
    uint32_t backoff_us;               /* of a dead one: from the last probe to the next */
    uint64_t measured_us;
    uint64_t probe_at_us;                /* 0: it has just become known */
    uint64_t letters_lost_until_us;      /* its answers may have letters of another case */
    uint64_t used_us;                    /* when it was asked last */
    uint64_t asked, answered, timed_out; /* datagrams; answers; waits that were in vain */
    uint64_t failed, letters_lost;       /* answers that were an error, that had other letters */
};

void dns_upstream_init(struct dns_upstream *u, uint8_t network, be32 ip);

enum dns_state dns_upstream_state(const struct dns_upstream *u);

/* How long its answer is waited for when it is asked once more, times before. */
uint32_t dns_upstream_wait_us(const struct dns_upstream *u, unsigned times);

/* True if a is to be asked rather than b. */
bool dns_upstream_before(const struct dns_upstream *a, const struct dns_upstream *b);

/* True if it is time to find out about one that is not asked; the next time is set then. */
bool dns_upstream_probe_due(struct dns_upstream *u, uint64_t now_us);

void dns_upstream_asked(struct dns_upstream *u, uint64_t now_us);

/* took_us 0: that cannot be told. error: it is no help. True if it was dead. */
bool dns_upstream_answered(struct dns_upstream *u, uint32_t took_us, bool error, uint64_t now_us);

/* It has not answered in time. first: of this question; probe: it was one. True if it is dead as of
 * now. */
bool dns_upstream_timed_out(struct dns_upstream *u, bool first, bool probe, uint64_t now_us);

/* One line for the status. */
void dns_upstream_print(const struct dns_upstream *u, void (*line)(const char *text));

#endif
