/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The uplink's address: static, or by lwIP's DHCP client.
 *
 * Theory of operation. lwIP's client does not read name servers without lwIP's resolver, and reads
 * options with less suspicion than we do; so a reply is read here first, by the reader the DHCP
 * server uses as well, and only what that accepts goes on to lwIP. Whatever lwIP then makes of it
 * is found out by looking: uplink_watch() compares the interface with what the dataplane was last
 * told, after everything that can have changed it.
 *
 * Whose word counts (RFC 2131, sections 3.1 and 4.4.5). The first server that offers is asked, and
 * from then on only it may acknowledge or refuse, while it is asked alone. When any server is asked
 * (it has not renewed the lease, or the link was down) any may acknowledge, but only the one that
 * gave the lease can end it; whoever else says no is overheard, and if nobody says yes the client
 * begins anew.
 *
 * What lwIP's client leaves to its caller: a lease runs out also while it begins anew; a server
 * that takes a lease over is the one to be asked from then on; times that make no sense.
 */
#include "net/host/host_internal.h"

#include "net/wire/eth.h"
#include "net/wire/ip4.h"
#include "net/wire/text.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/prot/dhcp.h"

#include <stdio.h>

/* The client's clock has steps of 5 s, and it renews at half of the lease. */
#define LEASE_MIN_S      10
#define IGNORED_EVERY_US 60000000u

static struct host_if *uplink_if(struct host *h)
{
    return &h->ifs[NETWORK_UPLINK];
}

void uplink_start(struct host *h)
{
    struct netif *netif = &uplink_if(h)->netif;
    const struct config_uplink *cfg = &h->config->uplink;

    netif_set_default(netif);
    netif->hostname = cfg->hostname[0] ? cfg->hostname : h->config->hostname;
    /* No mapping may get the client's port. That a forward has it already is the configuration's
     * business. */
    dataplane_reserve_this_port(h->dp, IP_PROTO_UDP, BE16(DHCP_CLIENT_PORT));
    if (!cfg->dhcp) {
        h->uplink.dns_count = MIN(cfg->dns_count, DNS_SERVERS_MAX);
        memcpy(h->uplink.dns, cfg->dns, sizeof(be32) * h->uplink.dns_count);
        uplink_watch(h);
        return;
    }
    log_info("uplink    asking for an address by DHCP");
    if (dhcp_start(netif) != ERR_OK)
        log_error("uplink    the DHCP client could not start");
}

/* ---- replies ---- */

static be32 server_of(const struct dhcp *client)
{
    return ip_2_ip4(&client->server_ip_addr)->addr;
}

/* True if a reply of this type and server is one the client waits for. An acknowledgment without a
 * server's name is taken for that of the server which was asked. */
static bool is_awaited(const struct dhcp *client, const struct dhcp_message *m)
{
    bool ack = m->type == DHCP_TYPE_ACK, nak = m->type == DHCP_TYPE_NAK;
    bool same = m->server == server_of(client);

    switch (client->state) {
    case DHCP_STATE_SELECTING:
        return m->type == DHCP_TYPE_OFFER && m->server;
    case DHCP_STATE_REQUESTING:
    case DHCP_STATE_RENEWING:
        return (ack && (same || !m->server)) || (nak && same);
    case DHCP_STATE_REBINDING:
    case DHCP_STATE_REBOOTING:
        return ack || (nak && same);
    default:
        return false;
    }
}

/* Anybody outside decides how often that would be said. */
static bool may_tell_ignored(struct host *h)
{
    uint64_t now_us = h->env.now_us();

    if (now_us < h->uplink.next_ignored_us)
        return false;
    h->uplink.next_ignored_us = now_us + IGNORED_EVERY_US;
    return true;
}

static void tell_ignored(struct host *h, const struct dhcp *client, const struct dhcp_message *m)
{
    char who[IP4_TEXT_BYTES], asked[IP4_TEXT_BYTES];
    bool asking = client->state == DHCP_STATE_REQUESTING || client->state == DHCP_STATE_RENEWING ||
                  client->state == DHCP_STATE_REBINDING || client->state == DHCP_STATE_REBOOTING;

    if (!asking || m->type == DHCP_TYPE_OFFER || !may_tell_ignored(h))
        return;
    log_warn("uplink    ignored DHCP server %s, which %s: %s was asked", ip4_text(who, m->server),
             m->type == DHCP_TYPE_NAK ? "refuses the address" : "answers too",
             ip4_text(asked, server_of(client)));
}

static bool is_lease(struct host *h, const struct dhcp_message *m)
{
    char who[IP4_TEXT_BYTES];

    if (ip4_is_martian(m->yiaddr))
        return false;
    if (m->lease_s >= LEASE_MIN_S)
        return true;
    if (may_tell_ignored(h))
        log_warn("uplink    ignored DHCP server %s, whose lease is for %u s",
                 ip4_text(who, m->server), m->lease_s);
    return false;
}

bool uplink_check_reply(struct host *h, const uint8_t *bytes, size_t n)
{
    const struct dhcp *client = netif_dhcp_data(&uplink_if(h)->netif);
    struct dhcp_message *m = &h->uplink.reply;
    char who[IP4_TEXT_BYTES];

    h->uplink.ack_seen = false;
    if (!client || !dhcp_read(m, bytes, n) || m->op != DHCP_BOOTREPLY ||
        ntoh32(m->xid) != client->xid || !mac_equal(m->mac, uplink_if(h)->netif.hwaddr))
        return false;
    if (!is_awaited(client, m)) {
        tell_ignored(h, client, m);
        return false;
    }
    if (m->type == DHCP_TYPE_NAK) {
        log_warn("uplink    DHCP server %s refuses the address", ip4_text(who, m->server));
        return true;
    }
    if (!is_lease(h, m))
        return false;
    h->uplink.ack_seen = m->type == DHCP_TYPE_ACK;
    return true;
}

/* ---- what lwIP has made of it ---- */

/* Half of the lease and seven eighths, where the server's own times are not in that order (RFC
 * 2131, section 4.4.5); none of a lease that does not end. lwIP leaves those of the lease before.
 */
static void set_timers(struct dhcp *client, uint32_t lease_s)
{
    if (lease_s == CONFIG_FOREVER) {
        client->t0_timeout = client->t1_renew_time = client->t2_rebind_time = 0;
        return;
    }
    uint32_t ticks = client->t0_timeout, half = MAX(ticks / 2, 1u);
    if (client->t1_renew_time >= client->t2_rebind_time || client->t2_rebind_time >= ticks) {
        client->t1_timeout = client->t1_renew_time = half;
        client->t2_timeout = client->t2_rebind_time = MAX(ticks - ticks / 8, half);
    }
}

/* An address or mask that cannot be is none: all goes by the gateway then. */
static void sanitize(struct netif *netif)
{
    uint32_t hosts = ~ntoh32(netif_ip4_netmask(netif)->addr);
    be32 gw = netif_ip4_gw(netif)->addr;
    const ip4_addr_t all_ones = {BE_IP4(255, 255, 255, 255)}, none = {0};

    if (hosts == UINT32_MAX || (hosts & (hosts + 1)))
        netif_set_netmask(netif, &all_ones);
    if (gw && (ip4_is_martian(gw) || gw == netif_ip4_addr(netif)->addr))
        netif_set_gw(netif, &none);
}

/* The ACK that lwIP has just taken. True: it names other name servers. A renewal that names none
 * keeps those there are. */
static bool take_lease(struct host *h, struct dhcp *client)
{
    struct uplink *u = &h->uplink;
    be32 dns[DNS_SERVERS_MAX];
    unsigned count = 0;

    if (u->reply.server)
        ip_2_ip4(&client->server_ip_addr)->addr = u->reply.server;
    set_timers(client, u->reply.lease_s);
    sanitize(&uplink_if(h)->netif);
    for (size_t at = 0; at + 4 <= u->reply.dns.n && count < DNS_SERVERS_MAX; at += 4) {
        be32 server = load_raw32(u->reply.dns.at + at);
        if (!ip4_is_martian(server))
            dns[count++] = server;
    }
    u->lease_s = u->reply.lease_s;
    u->bound_us = h->env.now_us();
    if (count == 0 || (count == u->dns_count && memcmp(dns, u->dns, sizeof(be32) * count) == 0))
        return false;
    u->dns_count = count;
    memcpy(u->dns, dns, sizeof(be32) * count);
    return true;
}

/* "12h", "90m", "45s": the largest unit that divides it. */
static const char *duration(char text[16], uint32_t s)
{
    if (s == CONFIG_FOREVER)
        return "inf";
    if (s % 3600 == 0)
        snprintf(text, 16, "%uh", s / 3600);
    else if (s % 60 == 0)
        snprintf(text, 16, "%um", s / 60);
    else
        snprintf(text, 16, "%us", s);
    return text;
}

static int prefix_of(be32 mask)
{
    int prefix = 0;

    for (uint32_t left = ntoh32(mask); left & 0x80000000u; left <<= 1)
        prefix++;
    return prefix;
}

static void describe(const struct host *h, char *text, size_t size)
{
    const struct uplink *u = &h->uplink;
    char ip[IP4_TEXT_BYTES], lease[16];
    int n = snprintf(text, size, "uplink    %s/%d", ip4_text(ip, u->ip), prefix_of(u->mask));

    n += snprintf(text + n, size - (size_t)n, " gateway %s", u->gw ? ip4_text(ip, u->gw) : "none");
    for (unsigned i = 0; i < u->dns_count; i++)
        n += snprintf(text + n, size - (size_t)n, "%s%s", i ? " " : " dns ",
                      ip4_text(ip, u->dns[i]));
    if (h->config->uplink.dhcp)
        snprintf(text + n, size - (size_t)n, " (DHCP, lease %s)", duration(lease, u->lease_s));
    else
        snprintf(text + n, size - (size_t)n, " (static)");
}

static bool overlaps(const struct host *h, be32 ip, be32 mask)
{
    for (unsigned i = 0; i < h->config->net_count; i++) {
        const struct config_net *net = &h->config->nets[i];
        if (net->ip && !((ip ^ net->ip) & mask & prefix_mask(net->prefix)))
            return true;
    }
    return false;
}

static void tell(struct host *h)
{
    struct uplink *u = &h->uplink;
    char text[LOG_LINE_MAX];

    /* The dataplane says what it does about an overlap. */
    u->overlaps = u->ip && overlaps(h, u->ip, u->mask);
    dns_proxy_set_servers(&h->services.dns, u->dns, uplink_usable(h) ? u->dns_count : 0);
    pcp_set_outside(&h->services.pcp, uplink_usable(h) ? u->ip : 0, h->env.now_us());
    if (u->ip) {
        describe(h, text, sizeof(text));
        log_info("%s", text);
    } else {
        log_warn("uplink    the address is lost");
    }
}

/* Says what people should know of, takes what lwIP has taken, and ends a lease that is over while
 * lwIP is busy with something else. True: there are other name servers. */
static bool watch_client(struct host *h, struct dhcp *client)
{
    struct netif *netif = &uplink_if(h)->netif;
    struct uplink *u = &h->uplink;
    bool changed = false, taken = u->ack_seen && client->state == DHCP_STATE_BOUND;
    char server[IP4_TEXT_BYTES];

    u->ack_seen = false;
    if (taken)
        changed = take_lease(h, client);
    if (client->state == DHCP_STATE_REBINDING && u->dhcp_state != DHCP_STATE_REBINDING)
        log_warn("uplink    DHCP server %s does not renew the lease: asking any",
                 ip4_text(server, server_of(client)));
    u->dhcp_state = client->state;
    if (u->ip && !dhcp_supplied_address(netif) && u->lease_s != CONFIG_FOREVER &&
        h->env.now_us() - u->bound_us >= u->lease_s * 1000000ull)
        netif_set_addr(netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
    return changed;
}

void uplink_watch(struct host *h)
{
    const struct host_if *i = uplink_if(h);
    struct dhcp *client = netif_dhcp_data(&i->netif);
    struct uplink *u = &h->uplink;
    be32 ip, mask, gw;
    bool changed = false;

    if (!i->used)
        return;
    if (client)
        changed = watch_client(h, client);
    ip = host_if_ip(i);
    mask = ip ? host_if_mask(i) : 0;
    gw = ip ? netif_ip4_gw(&i->netif)->addr : 0;
    changed |= ip != u->ip || mask != u->mask || gw != u->gw;
    if (!changed)
        return;
    u->ip = ip;
    u->mask = mask;
    u->gw = gw;
    tell(h);
    dataplane_set_uplink(h->dp, ip, mask, gw);
}

void uplink_link_up(struct host *h)
{
    struct netif *netif = &uplink_if(h)->netif;

    /* A bound client asks for its address again, one that is not starts over at once. */
    if (netif_dhcp_data(netif))
        dhcp_network_changed_link_up(netif);
    else
        etharp_gratuitous(netif);
}

void uplink_print(const struct host *h, void (*line)(const char *text))
{
    const struct uplink *u = &h->uplink;
    char text[LOG_LINE_MAX];

    if (!h->ifs[NETWORK_UPLINK].used) {
        line(h->config->uplink.present ? "uplink    switch only" : "uplink    none");
        return;
    }
    if (!u->ip) {
        line("uplink    no address yet");
        return;
    }
    describe(h, text, sizeof(text));
    line(text);
    if (h->config->uplink.dhcp && u->lease_s != CONFIG_FOREVER) {
        uint64_t held_s = (h->env.now_us() - u->bound_us) / 1000000;
        snprintf(text, sizeof(text), "uplink    lease ends in %llu s",
                 (unsigned long long)(held_s < u->lease_s ? u->lease_s - held_s : 0));
        line(text);
    }
}
