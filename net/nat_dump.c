/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The flows, for people to read; see nat.h.
 */
#include "net/nat.h"

static const char *const state_names[FLOW_STATE_COUNT] = {
    [FLOW_FREE] = "free",
    [FLOW_UDP_ONE_WAY] = "one-way",
    [FLOW_TCP_OPENING] = "opening",
    [FLOW_TCP_ENDING] = "ending",
    [FLOW_TCP_CLOSING] = "closing",
    [FLOW_UDP_STREAM] = "stream",
    [FLOW_TCP_ESTABLISHED] = "established",
    [FLOW_ICMP] = "ping",
};

static struct nat_flow_info info_of(const struct nat *nat, const struct flow *f, uint32_t now_ms)
{
    const struct flow_table *t = &nat->flows;
    uint32_t idle_ms = now_ms - f->last_ms, timeout_ms = t->timeout_ms[f->state];

    return (struct nat_flow_info){
        .in_ip = f->in_ip,
        .out_ip = f->out_ip,
        .rem_ip = f->rem_ip,
        .in_port = f->in_port,
        .out_port = f->out_port,
        .rem_port = f->rem_port,
        .proto = f->proto,
        .zone = f->zone,
        .rem_zone = f->rem_zone,
        .plain = f->flags & FLOW_PLAIN,
        .opened_in = f->flags & FLOW_OPENED_IN,
        .state = state_names[f->state],
        .age_ms = now_ms - flow_cold(t, f)->created_ms,
        .idle_ms = idle_ms,
        .left_ms = idle_ms < timeout_ms ? timeout_ms - idle_ms : 0,
        .packets = {f->packets[FLOW_OUT], f->packets[FLOW_IN]},
        .bytes = {flow_bytes(t, f, FLOW_OUT), flow_bytes(t, f, FLOW_IN)},
    };
}

uint32_t nat_flow_dump(const struct nat *nat, uint32_t from, uint32_t now_ms,
                       bool (*each)(void *arg, const struct nat_flow_info *info), void *arg)
{
    for (uint32_t i = from; i < nat->flows.fresh; i++) {
        const struct flow *f = &nat->flows.flows[i];
        if (f->state == FLOW_FREE)
            continue;
        struct nat_flow_info info = info_of(nat, f, now_ms);
        if (!each(arg, &info))
            return i + 1;
    }
    return FLOW_NONE;
}
