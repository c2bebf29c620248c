/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the status says of the DHCP server: its leases, the first of them one by one, and its
 * counters.
 */
#include "net/dhcp_server_internal.h"

#include "log.h"
#include "net/wire/eth.h"
#include "net/wire/text.h"

#include <stdio.h>

static void print_lease(const struct lease *l, uint32_t now_s, void (*line)(const char *text))
{
    char text[LOG_LINE_MAX], ip[IP4_TEXT_BYTES], mac[MAC_TEXT_BYTES], left[24] = "never ends";

    if (l->expires_s != CONFIG_FOREVER)
        snprintf(left, sizeof(left), "%u s left", l->expires_s - now_s);
    snprintf(text, sizeof(text), "lease     %-15s %s  %s  %s", ip4_text(ip, l->ip),
             mac_text(mac, l->mac), left, l->name);
    line(text);
}

static void print_network(const struct dhcp_server *s, unsigned network, uint32_t now_s,
                          void (*line)(const char *text))
{
    const struct lease_table *t = &s->leases[network];
    uint32_t live = 0, shown = 0;
    char text[128];

    for (uint32_t i = 0; i < t->slot_count; i++) {
        const struct lease *l = lease_slot(t, i);
        live += l && lease_live(l, now_s);
    }
    snprintf(text, sizeof(text), "dhcp      %s: %u of %u addresses leased, %u left",
             s->config->nets[network].name, live, t->slot_count, t->left);
    line(text);
    for (unsigned p = 0; t->shared && p < CONFIG_MAX_PORTS; p++) {
        if (!t->held[p])
            continue;
        snprintf(text, sizeof(text), "dhcp      %s: port %u holds %u, unanswered offers %u",
                 s->config->nets[network].name, p, t->held[p], t->offers[p].count);
        line(text);
    }
    for (uint32_t i = 0; i < t->slot_count && shown < 64; i++) {
        const struct lease *l = lease_slot(t, i);
        if (!l || !lease_live(l, now_s))
            continue;
        print_lease(l, now_s, line);
        shown++;
    }
}

void dhcp_server_print(const struct dhcp_server *s, uint64_t now_us, void (*line)(const char *text))
{
    const struct dhcp_counters *c = &s->counters;
    char text[192];

    for (unsigned i = 0; i < s->config->net_count; i++)
        if (s->leases[i].slots)
            print_network(s, i, (uint32_t)(now_us / 1000000), line);
    snprintf(
        text, sizeof(text),
        "dhcp      requests %llu  offers %llu  acks %llu  naks %llu  malformed %llu  denied %llu  "
        "refused %llu  over share %llu",
        (unsigned long long)c->requests, (unsigned long long)c->sent[DHCP_TYPE_OFFER],
        (unsigned long long)c->sent[DHCP_TYPE_ACK], (unsigned long long)c->sent[DHCP_TYPE_NAK],
        (unsigned long long)c->malformed, (unsigned long long)c->denied,
        (unsigned long long)c->exhausted, (unsigned long long)c->over_share);
    line(text);
    snprintf(text, sizeof(text),
             "dhcp      probes %llu  in use %llu  unprobed %llu  declined %llu  clones %llu  "
             "left out %llu",
             (unsigned long long)c->probes, (unsigned long long)c->in_use,
             (unsigned long long)c->unprobed, (unsigned long long)c->declined,
             (unsigned long long)c->clones, (unsigned long long)c->left_out);
    line(text);
    if (c->names_refused) {
        snprintf(text, sizeof(text), "dhcp      names that are another's %llu",
                 (unsigned long long)c->names_refused);
        line(text);
    }
}
