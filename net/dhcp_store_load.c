/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading leases from a disk; see dhcp_store.h.
 */
#include "net/dhcp_server_internal.h"
#include "net/dhcp_store_internal.h"

#define LEASE_SEEN_MAX_S 86400u

/* The network that a record is of: the one of its name, or, as networks are renamed, the only one
 * that has its address. CONFIG_NO_NET: none. */
static unsigned find_network(const struct dhcp_server *dhcp, const struct store_record *r)
{
    unsigned found = CONFIG_NO_NET, count = 0;

    for (unsigned i = 0; i < dhcp->config->net_count; i++) {
        if (!dhcp_server_serves(dhcp, i) || !config_net_has(&dhcp->config->nets[i], r->ip))
            continue;
        if (store_network(dhcp->config->nets[i].name) == r->network)
            return i;
        found = i;
        count++;
    }
    return count == 1 ? found : CONFIG_NO_NET;
}

/* The host= with this MAC, or CONFIG_MAX_HOSTS. */
static unsigned find_host(const struct config *config, const uint8_t *mac)
{
    for (unsigned h = 0; h < config->host_count; h++)
        if (memcmp(config->hosts[h].mac, mac, MAC_BYTES) == 0)
            return h;
    return CONFIG_MAX_HOSTS;
}

/* The port its client was on, if that is one of the network's still; else the first of those. */
static unsigned find_port(const struct config_net *net, const struct store_record *r)
{
    if (r->port < CONFIG_MAX_PORTS && net->ports >> r->port & 1)
        return r->port;
    return net->ports ? (unsigned)__builtin_ctz(net->ports) : 0;
}

/* What a record says, as if its client had asked for it now. */
static void grant_again(struct dhcp_server *dhcp, unsigned network, struct lease *l,
                        const struct store_record *r, uint64_t now_us)
{
    struct dhcp_from from = {.network = (uint8_t)network};
    struct exchange x = {
        .s = dhcp,
        .net = &dhcp->config->nets[network],
        .leases = &dhcp->leases[network],
        .m = &dhcp->message,
        .from = &from,
        .host = find_host(dhcp->config, r->mac),
        .now_s = (uint32_t)(now_us / 1000000),
        .now_us = now_us,
    };
    /* Rounded up: no client has more time than we believe. */
    uint32_t begin_s = x.now_s + 1;
    uint32_t expires_s =
        r->left_s >= CONFIG_FOREVER - begin_s ? CONFIG_FOREVER : begin_s + r->left_s;
    const struct lease *old = lease_of_client(x.leases, &r->who);

    if (old && old != l && old->host == CONFIG_MAX_HOSTS)
        dhcp->ops->unbind(dhcp->ctx, network, old->ip);
    memcpy(from.mac, r->mac, MAC_BYTES);
    memset(&dhcp->message, 0, sizeof(dhcp->message));
    memcpy(dhcp->message.mac, r->mac, MAC_BYTES);
    dhcp->message.name.at = (const uint8_t *)r->name;
    dhcp->message.name.n = (uint16_t)strlen(r->name);
    lease_take(x.leases, l, &r->who, r->mac, find_port(x.net, r), LEASE_GRANTED, expires_s);
    dhcp_name_lease(&x, l);
    if (r->state == STORE_OVER)
        lease_end(x.leases, l);
    else if (l->host == CONFIG_MAX_HOSTS)
        dhcp->ops->bind(dhcp->ctx, network, l->ip, l->mac, expires_s * 1000000ull);
}

/* True if a record is newer than the one that the slot has already. */
static bool is_newer(const struct dhcp_store *s, unsigned network, const struct lease *old,
                     uint32_t group, const struct store_record *r)
{
    uint32_t record = s->record_of[network][old - s->dhcp->leases[network].slots];

    if (record == STORE_NONE)
        return true;
    uint32_t round = s->round_of[record / STORE_GROUP_RECORDS];
    if (round != s->round_of[group])
        return s->round_of[group] > round;
    return r->state == STORE_GRANTED && r->left_s > old->expires_s; /* the start is the time 0 */
}

static void load_record(struct dhcp_store *s, uint32_t group, uint32_t index,
                        const struct store_record *r, uint64_t now_us)
{
    struct dhcp_server *dhcp = s->dhcp;
    unsigned network = store_record_good(r) ? find_network(dhcp, r) : CONFIG_NO_NET;

    if (network == CONFIG_NO_NET) {
        s->counters.damaged += !store_record_good(r);
        s->counters.outside += store_record_good(r);
        return;
    }
    uint32_t now_s = (uint32_t)(now_us / 1000000);
    struct lease_table *t = &dhcp->leases[network];
    struct lease *l = lease_of_ip(t, r->ip), *other = lease_of_client(t, &r->who);
    if (!l || (l->host != CONFIG_MAX_HOSTS &&
               memcmp(dhcp->config->hosts[l->host].mac, r->mac, MAC_BYTES) != 0)) {
        s->counters.outside++;
        return;
    }
    if (!is_newer(s, network, l, group, r) || (other && !is_newer(s, network, other, group, r)))
        return;
    s->counters.restored++;
    if (r->by_mac != t->by_mac) {
        /* Its client is not known by that any more; its hardware address has a claim. */
        lease_block(t, l, LEASE_SEEN, r->mac, now_s + MIN(MAX(r->left_s, 1u), LEASE_SEEN_MAX_S));
        return;
    }
    uint32_t slot = (uint32_t)(l - t->slots);
    if (s->record_of[network][slot] != STORE_NONE)
        store_take_away(s, network, slot);
    store_give(s, group * STORE_GROUP_RECORDS + index, network, slot);
    grant_again(dhcp, network, l, r, now_us);
    if (l->state == LEASE_GRANTED || l->state == LEASE_OVER)
        store_set(t->changed, slot, false); /* it is as it was read */
}

void dhcp_store_load(struct dhcp_store *s, uint32_t group, const struct store_group *copies,
                     uint64_t now_us)
{
    bool good[STORE_COPIES], blank[STORE_COPIES];

    for (unsigned i = 0; i < STORE_COPIES; i++) {
        enum store_verdict verdict = store_group_judge(&copies[i], s->id, group);
        good[i] = verdict == STORE_OURS;
        blank[i] = verdict == STORE_BLANK;
    }
    if (!good[0] && !good[1]) {
        s->counters.damaged += !blank[0] || !blank[1];
        return;
    }
    s->counters.half_done += (!good[0] && !blank[0]) || (!good[1] && !blank[1]);
    bool second = good[1] && (!good[0] || copies[1].round > copies[0].round);
    const struct store_group *copy = &copies[second];
    store_set(s->second, group, second);
    s->round_of[group] = copy->round;
    s->round = MAX(s->round, copy->round);
    s->unsure = true;
    for (uint32_t i = 0; i < STORE_GROUP_RECORDS; i++)
        if (!store_is_zero(&copy->records[i], sizeof(copy->records[i])))
            load_record(s, group, i, &copy->records[i], now_us);
}
