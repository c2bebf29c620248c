/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The health of one server; see dns_upstream.h.
 *
 * Invariant: backoff_us is 0 exactly while it is not dead.
 */
#include "net/dns_upstream.h"

#include "net/wire/text.h"

#include <stdio.h>

void dns_upstream_init(struct dns_upstream *u, uint8_t network, be32 ip)
{
    memset(u, 0, sizeof(*u));
    u->network = network;
    u->ip = ip;
}

/* RFC 6298, section 2, without bounds. */
static uint32_t timeout_us(const struct dns_upstream *u)
{
    return u->latency_us ? u->latency_us + 4 * u->deviation_us : DNS_WAIT_FIRST_US;
}

enum dns_state dns_upstream_state(const struct dns_upstream *u)
{
    if (u->timeouts >= DNS_DEAD_AFTER)
        return DNS_DEAD;
    if (u->errors >= DNS_ERRORS_MAX)
        return DNS_FAILING;
    return u->timeouts || timeout_us(u) >= DNS_WAIT_MAX_US ? DNS_SLOW : DNS_UP;
}

uint32_t dns_upstream_wait_us(const struct dns_upstream *u, unsigned times)
{
    uint32_t us = MIN(MAX(timeout_us(u), DNS_WAIT_MIN_US), DNS_WAIT_MAX_US);

    return us << MIN(times, 2u); /* RFC 6298, (5.5) */
}

bool dns_upstream_before(const struct dns_upstream *a, const struct dns_upstream *b)
{
    enum dns_state x = dns_upstream_state(a), y = dns_upstream_state(b);

    if (x != y)
        return x < y;
    return (a->latency_us ? a->latency_us : DNS_WAIT_FIRST_US) <
           (b->latency_us ? b->latency_us : DNS_WAIT_FIRST_US);
}

bool dns_upstream_probe_due(struct dns_upstream *u, uint64_t now_us)
{
    bool due = u->probe_at_us && now_us >= u->probe_at_us;

    if (!u->probe_at_us) /* not in the rush of the first questions */
        u->probe_at_us = now_us + DNS_BACKOFF_MIN_US;
    else if (due)
        u->probe_at_us =
            now_us + (u->backoff_us ? MAX(u->backoff_us, DNS_PROBE_WAIT_US) : DNS_PROBE_US);
    return due;
}

void dns_upstream_asked(struct dns_upstream *u, uint64_t now_us)
{
    u->asked++;
    u->used_us = now_us;
}

static void measure(struct dns_upstream *u, uint32_t took_us, uint64_t now_us)
{
    unsigned past = now_us - u->measured_us < DNS_PROBE_US / 2 ? 7 : 1;

    u->measured_us = now_us;
    took_us = MIN(took_us, 10 * DNS_WAIT_MAX_US);
    if (!u->latency_us) {
        u->latency_us = took_us;
        u->deviation_us = took_us / 2;
        return;
    }
    uint32_t off_us = took_us > u->latency_us ? took_us - u->latency_us : u->latency_us - took_us;
    u->deviation_us = (3 * u->deviation_us + off_us) / 4;
    u->latency_us = MAX((past * u->latency_us + took_us) / (past + 1), 1u);
}

bool dns_upstream_answered(struct dns_upstream *u, uint32_t took_us, bool error, uint64_t now_us)
{
    bool was_dead = u->backoff_us != 0;

    u->answered++;
    u->timeouts = 0;
    u->backoff_us = 0;
    u->probe_at_us = now_us + DNS_PROBE_US;
    if (error) { /* which says nothing about how long an answer takes */
        u->failed++;
        u->errors = (uint8_t)MIN(u->errors + 1u, DNS_ERRORS_MAX);
        return was_dead;
    }
    u->errors = 0;
    if (took_us)
        measure(u, took_us, now_us);
    return was_dead;
}

bool dns_upstream_timed_out(struct dns_upstream *u, bool first, bool probe, uint64_t now_us)
{
    u->timed_out++;
    if (!first)
        return false;
    u->timeouts = (uint8_t)MIN(u->timeouts + 1u, DNS_DEAD_AFTER);
    if (u->timeouts < DNS_DEAD_AFTER) {
        u->probe_at_us = now_us; /* was it an accident? */
        return false;
    }
    if (u->backoff_us && !probe) /* others were sent before it was known to be dead */
        return false;
    bool new = !u->backoff_us;
    u->backoff_us = new ? DNS_BACKOFF_MIN_US : MIN(2 * u->backoff_us, DNS_BACKOFF_MAX_US);
    u->probe_at_us = now_us + u->backoff_us;
    return new;
}

void dns_upstream_print(const struct dns_upstream *u, void (*line)(const char *text))
{
    static const char *const states[] = {"up", "slow", "fails", "dead"};
    char text[160], ip[IP4_TEXT_BYTES], latency[16] = "-";

    if (u->latency_us)
        snprintf(latency, sizeof(latency), "%u ms", (u->latency_us + 999) / 1000);
    snprintf(text, sizeof(text),
             "dns       %-15s %-5s %7s  asked %llu  answered %llu  timed out %llu  failed %llu  "
             "letters lost %llu",
             ip4_text(ip, u->ip), states[dns_upstream_state(u)], latency,
             (unsigned long long)u->asked, (unsigned long long)u->answered,
             (unsigned long long)u->timed_out, (unsigned long long)u->failed,
             (unsigned long long)u->letters_lost);
    line(text);
}
