/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What was granted to hosts that ask for ports: entries, limits, lifetimes, and what is said about
 * them; see pcp.h.
 */
#include "net/pcp.h"
#include "net/wire/ip4.h"
#include "net/wire/text.h"
#include "log.h"

#include <stdio.h>

#define LOG_LINES_PER_S  10
#define PRINT_ENTRIES    16 /* in the status */
#define ENTRY_TEXT_BYTES 112
#define LOW_PORTS        1024

/* ---- lines for people ---- */

static const char *entry_text(const struct pcp *p, const struct pcp_entry *e,
                              char text[static ENTRY_TEXT_BYTES])
{
    char ip[IP4_TEXT_BYTES], peer[IP4_TEXT_BYTES];
    int n =
        snprintf(text, ENTRY_TEXT_BYTES, "%s %s:%u %s outside %u",
                 p->config->nets[e->who.network].name, ip4_text(ip, e->who.ip), ntoh16(e->who.port),
                 e->who.proto == IP_PROTO_TCP ? "tcp" : "udp", ntoh16(e->outside));
    if (e->peer_ip)
        snprintf(text + n, ENTRY_TEXT_BYTES - (size_t)n, " peer %s:%u", ip4_text(peer, e->peer_ip),
                 ntoh16(e->peer_port));
    return text;
}

/* Hosts decide how many lines that would be. */
static bool line_allowed(struct pcp *p, uint64_t now_us)
{
    uint64_t second = now_us / 1000000;

    if (second != p->log_second) {
        if (p->log_hidden)
            log_info("pcp       %u more lines not shown", p->log_hidden);
        p->log_second = second;
        p->log_shown = p->log_hidden = 0;
    }
    if (p->log_shown == LOG_LINES_PER_S) {
        p->log_hidden++;
        return false;
    }
    p->log_shown++;
    return true;
}

static void tell(struct pcp *p, const struct pcp_entry *e, const char *what, uint64_t now_us)
{
    char text[ENTRY_TEXT_BYTES];

    if (line_allowed(p, now_us))
        log_info("pcp       %s %s", entry_text(p, e, text), what);
}

static void print_counters(const struct pcp *p, void (*line)(const char *text))
{
    const struct pcp_counters *c = &p->counters;
    uint64_t errors = 0;
    char text[160];

    for (unsigned i = 0; i < PCP_RESULT_COUNT; i++)
        errors += c->errors[i];
    snprintf(text, sizeof(text),
             "pcp       mappings %u  requests %llu  errors %llu  limited %llu  ignored %llu",
             p->count, (unsigned long long)c->requests, (unsigned long long)errors,
             (unsigned long long)c->limited, (unsigned long long)c->ignored);
    line(text);
    snprintf(text, sizeof(text), "pcp       granted %llu  renewed %llu  deleted %llu  expired %llu",
             (unsigned long long)c->granted, (unsigned long long)c->renewed,
             (unsigned long long)c->deleted, (unsigned long long)c->expired);
    line(text);
}

void pcp_print(const struct pcp *p, uint64_t now_us, void (*line)(const char *text))
{
    char text[160], entry[ENTRY_TEXT_BYTES];
    bool serves = false;

    for (unsigned i = 0; i < p->config->net_count; i++)
        serves |= pcp_serves(p->config, i);
    if (!serves)
        return;
    print_counters(p, line);
    for (unsigned i = 0; i < p->count && i < PRINT_ENTRIES; i++) {
        snprintf(text, sizeof(text), "pcp       %s for %u s", entry_text(p, &p->entries[i], entry),
                 pcp_seconds_left(&p->entries[i], now_us));
        line(text);
    }
    if (p->count > PRINT_ENTRIES) {
        snprintf(text, sizeof(text), "pcp       and %u more", p->count - PRINT_ENTRIES);
        line(text);
    }
}

/* ---- entries ---- */

uint32_t pcp_seconds_left(const struct pcp_entry *e, uint64_t now_us)
{
    return e->end_us > now_us ? (uint32_t)((e->end_us - now_us + 999999) / 1000000) : 0;
}

static bool is_of_host(const struct pcp_entry *e, const struct pcp_inside *who)
{
    return e->who.ip == who->ip && e->who.network == who->network;
}

static struct pcp_entry *find(struct pcp *p, const struct pcp_wish *w)
{
    for (unsigned i = 0; i < p->count; i++) {
        struct pcp_entry *e = &p->entries[i];
        if (is_of_host(e, &w->who) && e->who.port == w->who.port && e->who.proto == w->who.proto &&
            e->peer_ip == w->peer_ip && e->peer_port == w->peer_port)
            return e;
    }
    return NULL;
}

static bool has_nonce(const struct pcp_entry *e, const uint8_t *nonce)
{
    return memcmp(e->nonce, nonce, PCP_NONCE_BYTES) == 0;
}

/* The last entry takes its place. */
static void end_entry(struct pcp *p, struct pcp_entry *e, const char *how, uint64_t now_us)
{
    tell(p, e, how, now_us);
    p->ops->let_go(p->ctx, &e->who);
    *e = p->entries[--p->count];
}

/* Room for one more of this host? */
static enum pcp_result check_quota(const struct pcp *p, const struct pcp_inside *who)
{
    unsigned of_host = 0, of_network = 0;

    if (p->count == PCP_ENTRIES_MAX)
        return PCP_NO_RESOURCES;
    for (unsigned i = 0; i < p->count; i++) {
        of_host += is_of_host(&p->entries[i], who);
        of_network += p->entries[i].who.network == who->network;
    }
    return of_host >= PCP_HOST_MAX         ? PCP_USER_EX_QUOTA
           : of_network >= PCP_NETWORK_MAX ? PCP_NO_RESOURCES
                                           : PCP_SUCCESS;
}

static enum pcp_result make_entry(struct pcp *p, const struct pcp_wish *w, uint64_t now_us,
                                  const struct pcp_entry **entry)
{
    enum pcp_result result = check_quota(p, &w->who);
    be16 wanted = w->wanted;
    char how[24];

    if (result != PCP_SUCCESS)
        return result;
    /* A port for a well-known service outside only stands for one inside. */
    if (ntoh16(wanted) < LOW_PORTS && ntoh16(w->who.port) >= LOW_PORTS) {
        if (w->exact)
            return PCP_CANNOT_PROVIDE_EXTERNAL;
        wanted = 0;
    }
    be16 outside = p->ops->hold(p->ctx, &w->who, wanted ? wanted : w->who.port, w->exact);
    if (!outside)
        return w->exact ? PCP_CANNOT_PROVIDE_EXTERNAL : PCP_NO_RESOURCES;
    struct pcp_entry *e = &p->entries[p->count++];
    *e = (struct pcp_entry){.who = w->who,
                            .outside = outside,
                            .peer_ip = w->peer_ip,
                            .peer_port = w->peer_port,
                            .end_us = now_us + w->lifetime_s * 1000000ull};
    memcpy(e->nonce, w->nonce, PCP_NONCE_BYTES);
    p->end_us = MIN(p->end_us, e->end_us);
    p->counters.granted++;
    snprintf(how, sizeof(how), "for %u s", w->lifetime_s);
    tell(p, e, how, now_us);
    *entry = e;
    return PCP_SUCCESS;
}

enum pcp_result pcp_grant(struct pcp *p, const struct pcp_wish *wish, uint64_t now_us,
                          const struct pcp_entry **entry)
{
    struct pcp_wish w = *wish;

    *entry = NULL;
    if (!p->outside)
        return PCP_NETWORK_FAILURE;
    w.exact = w.exact && w.wanted;
    w.lifetime_s = MIN(MAX(w.lifetime_s, PCP_LIFETIME_MIN_S), PCP_LIFETIME_MAX_S);
    struct pcp_entry *e = find(p, &w);
    if (!e)
        return make_entry(p, &w, now_us, entry);
    *entry = e;
    if (!has_nonce(e, w.nonce))
        return PCP_NOT_AUTHORIZED;
    if (w.exact && w.wanted != e->outside)
        return PCP_CANNOT_PROVIDE_EXTERNAL;
    e->end_us = now_us + w.lifetime_s * 1000000ull;
    p->end_us = MIN(p->end_us, e->end_us);
    p->counters.renewed++;
    return PCP_SUCCESS;
}

static void delete_all(struct pcp *p, const struct pcp_wish *w, uint64_t now_us)
{
    for (unsigned i = p->count; i-- > 0;) {
        struct pcp_entry *e = &p->entries[i];
        if (!is_of_host(e, &w->who) || e->peer_ip || !has_nonce(e, w->nonce) ||
            (w->who.proto && e->who.proto != w->who.proto))
            continue;
        p->counters.deleted++;
        end_entry(p, e, "deleted", now_us);
    }
}

enum pcp_result pcp_delete(struct pcp *p, const struct pcp_wish *w, uint64_t now_us,
                           const struct pcp_entry **entry)
{
    *entry = NULL;
    if (w->who.port == 0) {
        delete_all(p, w, now_us);
        return PCP_SUCCESS;
    }
    struct pcp_entry *e = find(p, w);
    if (!e)
        return PCP_SUCCESS;
    if (!has_nonce(e, w->nonce)) {
        *entry = e;
        return PCP_NOT_AUTHORIZED;
    }
    p->counters.deleted++;
    end_entry(p, e, "deleted", now_us);
    return PCP_SUCCESS;
}

/* ---- time ---- */

static unsigned expire(struct pcp *p, uint64_t now_us)
{
    unsigned steps = 0;

    if (now_us < p->end_us)
        return 0;
    p->end_us = UINT64_MAX;
    for (unsigned i = p->count; i-- > 0;) {
        struct pcp_entry *e = &p->entries[i];
        if (now_us < e->end_us) {
            p->end_us = MIN(p->end_us, e->end_us);
            continue;
        }
        p->counters.expired++;
        end_entry(p, e, "ended", now_us);
        steps++;
    }
    return steps;
}

/* In both protocols the announcement is an answer nobody asked for. */
static void announce(struct pcp *p, uint64_t now_us)
{
    uint8_t natpmp[NATPMP_ANSWER_ADDRESS_BYTES] = {0}, pcp[PCP_HDR_BYTES] = {0};
    uint32_t epoch_s = pcp_epoch_s(p, now_us);

    natpmp[PCP_OPCODE_OFF] = NATPMP_ADDRESS | PCP_RESPONSE;
    store_be32(natpmp + NATPMP_EPOCH_OFF, epoch_s);
    store_raw32(natpmp + NATPMP_ANSWER_ADDRESS_OFF, p->outside);
    pcp[PCP_VERSION_OFF] = PCP_VERSION;
    pcp[PCP_OPCODE_OFF] = PCP_ANNOUNCE | PCP_RESPONSE;
    store_be32(pcp + PCP_EPOCH_OFF, epoch_s);
    for (unsigned i = 0; i < p->config->net_count; i++) {
        if (!pcp_serves(p->config, i))
            continue;
        p->ops->announce(p->ctx, i, natpmp, sizeof(natpmp));
        p->ops->announce(p->ctx, i, pcp, sizeof(pcp));
    }
    p->announcements--;
    p->announce_us = now_us + p->announce_gap_us;
    p->announce_gap_us *= 2;
}

void pcp_set_outside(struct pcp *p, be32 ip, uint64_t now_us)
{
    if (ip == p->outside)
        return;
    p->outside = ip;
    p->announcements = ip ? PCP_ANNOUNCEMENTS : 0;
    p->announce_us = now_us;
    p->announce_gap_us = PCP_ANNOUNCE_FIRST_US;
    if (ip && ip != p->last_outside) {
        p->last_outside = ip;
        p->epoch_us = now_us;
    }
}

unsigned pcp_poll(struct pcp *p, uint64_t now_us)
{
    unsigned steps = expire(p, now_us);

    if (p->announcements && now_us >= p->announce_us) {
        announce(p, now_us);
        steps++;
    }
    return steps;
}

uint64_t pcp_next_us(const struct pcp *p)
{
    uint64_t end_us = p->count ? p->end_us : UINT64_MAX;

    return p->announcements ? MIN(end_us, p->announce_us) : end_us;
}
