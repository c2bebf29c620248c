/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which hosts of a forward with several are worth a new flow: those that are not known to be silent
 * (neighbor_answers()). What is found out is said, once each time it changes:
 *     forward  tcp 8080: 192.168.8.11 does not answer; others take its turns
 *     forward  tcp 8080: 192.168.8.11 answers again
 *
 * It is found out, and said, when somebody calls: for hosts that nobody calls, nobody is asked. How
 * often hosts come and go is theirs to decide, so there are only so many lines a second, and what
 * has not been said is noticed by the next call.
 */
#include "net/dataplane_internal.h"
#include "net/wire/text.h"

#include <stdio.h>

#define LINES_PER_S 4

static_assert(NAT_MAX_TARGETS <= 8, "struct target_log has a bit for each");

static bool line_allowed(struct dataplane *dp)
{
    struct target_log *log = &dp->target_log;

    if (log->second != dp->now_s) {
        log->second = dp->now_s;
        log->shown = 0;
    }
    return log->shown++ < LINES_PER_S;
}

static void say(struct dataplane *dp, const struct nat_forward *fwd, unsigned target, bool answers)
{
    uint8_t *silent = &dp->target_log.silent[fwd - dp->nat.forwards];
    uint8_t all = (uint8_t)((1u << fwd->target_count) - 1);
    char ip[IP4_TEXT_BYTES], ports[sizeof("65535-65535")];

    if (!line_allowed(dp))
        return;
    *silent ^= (uint8_t)(1u << target);
    snprintf(ports, sizeof(ports), "%u", fwd->first_port);
    if (fwd->last_port > fwd->first_port)
        snprintf(ports, sizeof(ports), "%u-%u", fwd->first_port, fwd->last_port);
    log_info("forward  %s %s: %s %s", fwd->proto == IP_PROTO_TCP ? "tcp" : "udp", ports,
             ip4_text(ip, fwd->targets[target]),
             answers          ? "answers again"
             : *silent == all ? "does not answer, nor do the others"
                              : "does not answer; others take its turns");
}

bool dp_target_answers(void *arg, const struct nat_forward *fwd, unsigned target)
{
    struct dataplane *dp = arg;
    uint8_t silent = dp->target_log.silent[fwd - dp->nat.forwards];
    bool answers = neighbor_answers(&dp->neighbors, fwd->zone, fwd->targets[target], dp->now_ms);

    if (answers == (silent >> target & 1))
        say(dp, fwd, target, answers);
    return answers;
}
