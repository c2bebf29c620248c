/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Asking the rules (net/rules.h) about the first packet of a conversation, and what follows: hits,
 * log lines, refusals.
 *
 * A rule with log says a line for each conversation that it lets open, and a line a minute for each
 * that it does not:
 *     rule 3 deny  lab 192.168.9.5:40000 -> dev 192.168.8.10:22 tcp
 * Whoever sends packets decides how many lines that would be, so there are at most LOG_LINES_PER_S
 * of them a second; how many more there would have been is said afterwards.
 */
#include "net/dataplane_route.h"
#include "net/wire/text.h"

#include <stdio.h>

#define LOG_LINES_PER_S     20
#define LOG_REPEAT_S        60 /* between lines about the same refused conversation */
#define END_TEXT_BYTES      (CONFIG_NAME_BYTES + IP4_TEXT_BYTES + sizeof(" :65535"))
#define PROTOCOL_TEXT_BYTES sizeof("protocol 255")

/* ---- at start ---- */

/* Whether some rule has a say in what the router itself is sent. */
static bool rules_are_about_router(const struct config *cfg)
{
    for (unsigned i = 0; i < cfg->rule_count; i++)
        for (unsigned from = 0; from <= NETWORK_UPLINK; from++)
            if ((from < cfg->net_count || from == NETWORK_UPLINK) &&
                rules_touches(cfg, &cfg->rules[i], from, ZONE_ROUTER))
                return true;
    return false;
}

void dp_rules_init(struct dataplane *dp)
{
    dp->router_rules = rules_are_about_router(dp->config);
}

/* ---- log lines ---- */

static const char *zone_name(const struct dataplane *dp, unsigned zone)
{
    if (zone < dp->config->net_count)
        return dp->config->nets[zone].name;
    return zone == NETWORK_UPLINK ? "uplink" : "router";
}

static bool has_ports(uint8_t proto)
{
    return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP;
}

static const char *end_text(char text[static END_TEXT_BYTES], const char *zone, be32 ip, bool port,
                            be16 number)
{
    char address[IP4_TEXT_BYTES];

    ip4_text(address, ip);
    if (port)
        snprintf(text, END_TEXT_BYTES, "%s %s:%u", zone, address, ntoh16(number));
    else
        snprintf(text, END_TEXT_BYTES, "%s %s", zone, address);
    return text;
}

static const char *protocol_text(char text[static PROTOCOL_TEXT_BYTES], uint8_t proto)
{
    switch (proto) {
    case IP_PROTO_TCP:
        return "tcp";
    case IP_PROTO_UDP:
        return "udp";
    case IP_PROTO_ICMP:
        return "icmp";
    default:
        snprintf(text, PROTOCOL_TEXT_BYTES, "protocol %u", proto);
        return text;
    }
}

void dp_rules_tick(struct dataplane *dp)
{
    struct rule_log *log = &dp->rule_log;

    if (log->hidden == 0 || log->second == dp->now_s)
        return;
    log_info("rules: %u more not shown", log->hidden);
    log->hidden = 0;
}

uint64_t dp_rules_next_us(const struct dataplane *dp)
{
    return dp->rule_log.hidden ? (dp->now_us / 1000000 + 1) * 1000000 : UINT64_MAX;
}

/* True if there may be one more line this second. */
static bool line_allowed(struct dataplane *dp)
{
    struct rule_log *log = &dp->rule_log;

    dp_rules_tick(dp);
    if (log->second != dp->now_s) {
        log->second = dp->now_s;
        log->shown = 0;
    }
    if (log->shown == LOG_LINES_PER_S) {
        log->hidden++;
        return false;
    }
    log->shown++;
    return true;
}

/* True if a line about these words was due a short while ago. Two that share a slot take turns. */
static bool is_repeated(struct dataplane *dp, uint64_t a, uint64_t b)
{
    uint32_t hash = hash_words(&dp->limiter.key, a, b) | 1; /* 0: none yet */
    struct rule_log_seen *seen = &dp->rule_log.seen[hash / 2 % RULE_LOG_SEEN];

    if (seen->hash == hash && dp->now_s - seen->second < LOG_REPEAT_S)
        return true;
    *seen = (struct rule_log_seen){hash, dp->now_s};
    return false;
}

static const char *const action_names[] = {
    [RULE_ALLOW] = "allow", [RULE_DENY] = "deny", [RULE_REJECT] = "reject"};

/* once: the question will not be asked again about this conversation, because it is open. */
static void log_question(struct dataplane *dp, const struct dp_question *q, bool once)
{
    const struct rule_packet *k = &q->packet;
    char from[END_TEXT_BYTES], to[END_TEXT_BYTES], proto[PROTOCOL_TEXT_BYTES];
    bool ports = has_ports(k->proto);

    if (!q->decision.log)
        return;
    if (!once &&
        is_repeated(dp, k->src | (uint64_t)k->dst << 32,
                    (ports ? q->sport : 0) | (uint64_t)k->dport << 16 | (uint64_t)k->proto << 32 |
                        (uint64_t)k->from << 40 | (uint64_t)k->to << 48))
        return;
    if (line_allowed(dp))
        log_info("rule %d %-5s %s -> %s %s", q->decision.rule + 1, action_names[q->decision.action],
                 end_text(from, zone_name(dp, k->from), k->src, ports, q->sport),
                 end_text(to, zone_name(dp, k->to), k->dst, ports, k->dport),
                 protocol_text(proto, k->proto));
}

/* The same for a frame: rule 3 deny  lab 02:... -> 02:... type 86dd */
static void log_frame(struct dataplane *dp, const struct pkt *p, unsigned network, be16 type,
                      const struct rule_decision *d)
{
    const uint8_t *dst = p->data + ETH_DST_OFF, *src = p->data + ETH_SRC_OFF;
    char from[MAC_TEXT_BYTES], to[MAC_TEXT_BYTES];

    if (d->log && !is_repeated(dp, load_mac(src), load_mac(dst) | (uint64_t)type << 48) &&
        line_allowed(dp))
        log_info("rule %d %-5s %s %s -> %s type %04x", d->rule + 1, action_names[d->action],
                 zone_name(dp, network), mac_text(from, src), mac_text(to, dst), ntoh16(type));
}

/* ---- questions ---- */

static bool decide(const struct dataplane *dp, struct dp_question *q)
{
    q->decision = rules_decide(dp->config, &q->packet);
    return q->decision.action == RULE_ALLOW;
}

bool dp_ask(const struct dataplane *dp, struct dp_question *q, const struct dp_job *job,
            unsigned to)
{
    const struct view *v = &job->nat.v;

    q->sport = v->sport;
    q->packet = (struct rule_packet){.from = job->network,
                                     .to = (uint8_t)to,
                                     .proto = v->proto,
                                     .src = v->src,
                                     .dst = v->dst,
                                     .dport = has_ports(v->proto) ? v->dport : 0};
    return decide(dp, q);
}

bool dp_ask_forwarded(const struct dataplane *dp, struct dp_question *q, const struct flow *f)
{
    q->sport = f->rem_port;
    q->packet = (struct rule_packet){.from = NETWORK_UPLINK,
                                     .to = f->zone,
                                     .proto = f->proto,
                                     .forwarded = true,
                                     .src = f->rem_ip,
                                     .dst = f->in_ip,
                                     .dport = f->in_port};
    return decide(dp, q);
}

static void count_hit(struct dataplane *dp, const struct rule_decision *d)
{
    if (d->rule >= 0)
        dp->rule_hits[d->rule]++;
}

void dp_let_pass(struct dataplane *dp, const struct dp_question *q, bool opened)
{
    count_hit(dp, &q->decision);
    log_question(dp, q, opened);
}

void dp_turn_down(struct dataplane *dp, struct dp_job *job, const struct dp_question *q,
                  enum drop_reason otherwise)
{
    if (q->decision.rule < 0) {
        dp_refuse(dp, job, otherwise, 0);
        return;
    }
    count_hit(dp, &q->decision);
    log_question(dp, q, false);
    if (q->decision.action == RULE_REJECT)
        dp_reject(dp, job);
    else
        dp_drop(dp, job->nat.p, DROP_POLICY);
}

bool dp_frame_admitted(struct dataplane *dp, const struct pkt *p, unsigned network, be16 type)
{
    struct rule_decision d =
        rules_decide_macs(dp->config, network, p->data + ETH_SRC_OFF, p->data + ETH_DST_OFF);

    count_hit(dp, &d);
    log_frame(dp, p, network, type, &d);
    return d.action == RULE_ALLOW;
}

/* ---- to the router itself ---- */

bool dp_router_admits_asked(struct dataplane *dp, struct dp_job *job)
{
    struct view *v = &job->nat.v;
    struct dp_question q;

    /* Nobody opens anything by these (rules.h). */
    if (view_is_icmp_error(v) || is_dhcp(v, DHCP_CLIENT_PORT, DHCP_SERVER_PORT) ||
        dp_self_owns(dp, v->proto, v->dport))
        return true;
    if (!dp_ask(dp, &q, job, ZONE_ROUTER)) {
        dp_turn_down(dp, job, &q, DROP_POLICY);
        return false;
    }
    dp_let_pass(dp, &q, false);
    return true;
}
