/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the dataplane counts, for people and for tests: "name value" pairs on short lines. Counters
 * that are 0 for nearly everybody are left out while they are.
 */
#include "net/dataplane_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define NETWORKS_MAX 64 /* characters of a port's line about its networks, with a NUL */

static const char *const reason_names[DROP_REASON_COUNT] = {[DROP_NONE] = "none",
#define X(name, text, help) [DROP_##name] = text,
                                                            DROP_REASONS(X)
#undef X
};

void dataplane_totals(const struct dataplane *dp, struct dataplane_totals *totals)
{
    *totals = dp->totals;
    totals->held = dp->neighbors.held_total + dp->datagrams.held;
    for (unsigned i = 0; i < dp->port_count; i++)
        totals->held += dp->ports[i].staged;
    totals->flows_live = dp->nat.flows.live;
    totals->neighbors = dp->neighbors.live;
}

static uint64_t dropped_in_all(const struct dataplane_totals *totals)
{
    uint64_t sum = 0;

    for (unsigned i = 1; i < DROP_REASON_COUNT; i++)
        sum += totals->dropped[i];
    return sum;
}

bool dataplane_sum_holds(const struct dataplane_totals *totals)
{
    return totals->received + totals->created == totals->sent + totals->consumed +
                                                     dropped_in_all(totals) + totals->coalesced +
                                                     totals->held;
}

static const char *network_name(const struct dataplane *dp, unsigned network)
{
    return network == NETWORK_UPLINK ? "uplink" : dp->config->nets[network].name;
}

/* Appends to a text in size bytes what still fits. */
__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *format,
                                                      ...)
{
    size_t n = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + n, size - n, format, args);
    va_end(args);
}

/* "lan", "uplink.7", or of a trunk "lan+dev.20+lab.30": networks, with the VLAN IDs they have here.
 * "+..." stands for those there is no room for.
 */
static void name_networks(const struct dataplane *dp, unsigned port, char *names, size_t size)
{
    static const char more[] = "+...";

    names[0] = 0;
    for (unsigned n = 0; n < NETWORK_COUNT; n++) {
        const struct dp_network *net = &dp->networks[n];
        char one[CONFIG_NAME_BYTES + 8] = "";
        if (!(dp->ports[port].networks >> n & 1))
            continue;
        add(one, sizeof(one), "%s%s", names[0] ? "+" : "", network_name(dp, n));
        if (net->tagged >> port & 1)
            add(one, sizeof(one), ".%u", ntoh16(net->tag[port]));
        bool fits = strlen(names) + strlen(one) + sizeof(more) <= size;
        add(names, size, "%s", fits ? one : more);
        if (!fits)
            return;
    }
    if (!names[0])
        add(names, size, "-");
}

static void print_port(const struct dataplane *dp, unsigned i, void (*line)(const char *text))
{
    const struct dp_port *port = &dp->ports[i];
    const struct nic_counters *c = &port->nic->counters;
    char text[LOG_LINE_MAX], networks[NETWORKS_MAX];

    if (port->nic->ops->read_counters)
        port->nic->ops->read_counters(port->nic);
    name_networks(dp, i, networks, sizeof(networks));
    snprintf(text, sizeof(text), "port %-2u %-5s %-12s rx %" PRIu64 " tx %" PRIu64, i,
             port->nic->dead ? "dead"
             : port->up      ? "up"
                             : "down",
             networks, c->rx_packets, c->tx_packets);
    const struct {
        const char *name;
        uint64_t value;
    } rare[] = {{"coalesced", port->coalesced},
                {"rx-bad", c->rx_bad},
                {"no-buffer", c->rx_no_buffer},
                {"missed", c->rx_missed},
                {"rx-errors", c->rx_errors},
                {"no-interrupt", port->nic->irq == NIC_IRQ_NONE && !port->nic->dead},
                {"tx-full", c->tx_full},
                {"locked", port->locked},
                {"storm", port->stormed},
                {"rate-in", port->over_rate_in},
                {"rate-out", port->over_rate_out}};

    for (unsigned k = 0; k < ARRAY_COUNT(rare); k++)
        if (rare[k].value)
            add(text, sizeof(text), " %s %" PRIu64, rare[k].name, rare[k].value);
    if (dp->config->ports[i].name[0])
        add(text, sizeof(text), " name %s", dp->config->ports[i].name);
    line(text);
}

void dataplane_print_status(const struct dataplane *dp, void (*line)(const char *text))
{
    struct dataplane_totals t;
    char text[LOG_LINE_MAX];

    dataplane_totals(dp, &t);
    for (unsigned i = 0; i < dp->port_count; i++)
        print_port(dp, i, line);
    snprintf(text, sizeof(text),
             "packets received %" PRIu64 " created %" PRIu64 " sent %" PRIu64 " consumed %" PRIu64
             " held %" PRIu64 " dropped %" PRIu64 "%s",
             t.received, t.created, t.sent, t.consumed, t.held, dropped_in_all(&t),
             dataplane_sum_holds(&t) ? "" : " SUM WRONG");
    line(text);
    for (unsigned i = 1; i < DROP_REASON_COUNT; i++) {
        if (!t.dropped[i])
            continue;
        snprintf(text, sizeof(text), "dropped %s %" PRIu64, reason_names[i], t.dropped[i]);
        line(text);
    }
    snprintf(text, sizeof(text), "icmp-errors sent %" PRIu64 " limited %" PRIu64,
             t.icmp_errors_sent, t.icmp_errors_limited);
    line(text);
    if (t.resets_sent) {
        snprintf(text, sizeof(text), "tcp-resets sent %" PRIu64, t.resets_sent);
        line(text);
    }
    if (t.flows_moved) {
        snprintf(text, sizeof(text), "flows ended with an old uplink address %" PRIu64,
                 t.flows_moved);
        line(text);
    }
    for (unsigned i = 0; i < dp->config->rule_count; i++) {
        if (!dp->rule_hits[i])
            continue;
        snprintf(text, sizeof(text), "rule %u hits %" PRIu64, i + 1, dp->rule_hits[i]);
        line(text);
    }
    snprintf(text, sizeof(text),
             "flows %u of %u created %" PRIu64 " expired %" PRIu64 " refused %" PRIu64,
             t.flows_live, t.flow_capacity, dp->nat.flows.created, dp->nat.flows.expired,
             dp->nat.flows.refused);
    line(text);
    dp_share_print(dp, line);
    snprintf(text, sizeof(text),
             "neighbors %u switch learned %" PRIu64 " displaced %" PRIu64 " refused %" PRIu64
             " moved %" PRIu64 " limited %" PRIu64,
             t.neighbors, dp->table.learned, dp->table.displaced, dp->table.refused,
             dp->table.moved, dp->table.limited);
    line(text);
    const struct neighbor_table *n = &dp->neighbors;
    if (n->doubts) {
        snprintf(text, sizeof(text),
                 "arp doubted %" PRIu64 " refuted %" PRIu64 " followed %" PRIu64
                 " clashes %" PRIu64,
                 n->doubts, n->refuted, n->followed, n->clashes);
        line(text);
    }
    snprintf(text, sizeof(text), "buffers free %u of %u lowest %u exhausted %" PRIu64,
             dp->pool->free_count, dp->pool->count, dp->pool->low_mark, dp->pool->exhausted);
    line(text);
}
