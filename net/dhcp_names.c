/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The names that DHCP clients call themselves (option 12, RFC 2132, section 3.14), as DNS then
 * knows them. A lease carries a name only if it is nobody else's: not the router's, not one the
 * configuration gives away, not another client's while its lease lasts.
 */
#include "net/dhcp_server_internal.h"

#include "log.h"
#include "net/wire/eth.h"
#include "net/wire/text.h"

#include <stdio.h>

/* Whose the name is if a client cannot call itself so - it is the router's, a reservation's, one of
 * dnsrec= in its network's domain, or a domain itself - else NULL. */
static const char *owner_of(const struct exchange *x, const char *name)
{
    const struct config *config = x->s->config;
    char full[LEASE_NAME_BYTES + CONFIG_DOMAIN_BYTES];
    size_t n = strlen(name), whole;

    if (host_name_equal(config->hostname, name, n))
        return "the router's own (hostname=)";
    for (unsigned h = 0; h < config->host_count; h++)
        if (host_name_equal(config->hosts[h].name, name, n))
            return "that of a host=";
    whole = (size_t)snprintf(full, sizeof(full), "%s.%s", name, x->net->domain);
    for (unsigned i = 0; i < config->dnsrec_count; i++)
        if (host_name_equal(config->dnsrecs[i].name, name, n) ||
            host_name_equal(config->dnsrecs[i].name, full, whole))
            return "that of a dnsrec=";
    for (unsigned i = 0; i < config->dnsfwd_count; i++)
        if (host_name_equal(config->dnsfwds[i].domain, name, n) ||
            host_name_equal(config->dnsfwds[i].domain, full, whole))
            return "that of a dnsfwd=";
    for (unsigned i = 0; i < config->net_count; i++)
        if (host_name_equal(config->nets[i].domain, name, n) ||
            host_name_equal(config->nets[i].domain, full, whole))
            return "that of a domain";
    return NULL;
}

static void tell_name_refused(const struct exchange *x, const char *name, const char *whose)
{
    char mac[MAC_TEXT_BYTES];

    x->s->counters.names_refused++;
    if (x->now_s < x->s->next_name_told_s[x->from->network])
        return;
    x->s->next_name_told_s[x->from->network] = x->now_s + 60;
    log_warn("dhcp      %s: %s calls itself %s, which is %s: it has no name in DNS", x->net->name,
             mac_text(mac, x->m->mac), name, whose);
}

void dhcp_name_lease(const struct exchange *x, struct lease *l)
{
    char name[LEASE_NAME_BYTES];

    if (x->host != CONFIG_MAX_HOSTS && x->s->config->hosts[x->host].name[0]) {
        lease_set_name(x->leases, l, x->s->config->hosts[x->host].name);
        return;
    }
    if (!x->m->name.at) /* a renewal need not repeat it */
        return;
    host_name_clean(name, sizeof(name), x->m->name.at, x->m->name.n);
    if (strcmp(name, l->name) == 0)
        return;
    be32 holder = dhcp_server_find_name(x->s, x->from->network, name, strlen(name),
                                        (uint64_t)x->now_s * 1000000);
    const char *whose = owner_of(x, name);
    if (!whose && holder && holder != l->ip)
        whose = "that of another client";
    if (whose) {
        tell_name_refused(x, name, whose);
        name[0] = '\0';
    }
    lease_set_name(x->leases, l, name);
}

be32 dhcp_server_find_name(const struct dhcp_server *s, unsigned network, const char *name,
                           size_t n, uint64_t now_us)
{
    const struct lease_table *t = &s->leases[network];
    uint32_t now_s = (uint32_t)(now_us / 1000000);

    for (unsigned h = 0; h < s->config->host_count; h++) {
        const struct config_host *host = &s->config->hosts[h];
        if (host->ip && host->net == network && host_name_equal(host->name, name, n))
            return host->ip;
    }
    const struct lease *l = t->slots ? lease_of_name(t, name, n, now_s) : NULL;
    return l ? l->ip : 0;
}

const char *dhcp_server_name_of(const struct dhcp_server *s, unsigned network, be32 ip,
                                uint64_t now_us)
{
    const struct lease_table *t = &s->leases[network];
    const struct lease *l = t->slots ? lease_known(t, ip) : NULL;

    return l && lease_live(l, (uint32_t)(now_us / 1000000)) ? l->name : NULL;
}
