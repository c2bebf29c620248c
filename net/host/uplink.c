/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The uplink's address: static, or by lwIP's DHCP client.
 *
 * Theory of operation. lwIP's client does not read name servers without lwIP's resolver, and reads
 * options with less suspicion than we do; so a reply is read here first, by the reader the DHCP
 * server uses as well, and only what that accepts goes on to lwIP. Whatever lwIP then makes of it
 * is found out by looking: uplink_watch() compares the interface with what the dataplane was last
 * told, after everything that can have changed it.
 */
#include "net/host/host_internal.h"

#include "net/wire/eth.h"
#include "net/wire/ip4.h"
#include "net/wire/text.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/prot/dhcp.h"

#include <stdio.h>

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

bool uplink_check_reply(struct host *h, const uint8_t *bytes, size_t n)
{
    const struct dhcp *client = netif_dhcp_data(&uplink_if(h)->netif);
    struct dhcp_message *m = &h->uplink.reply;

    h->uplink.ack_seen = false;
    if (!client || !dhcp_read(m, bytes, n) || m->op != DHCP_BOOTREPLY ||
        ntoh32(m->xid) != client->xid || !mac_equal(m->mac, uplink_if(h)->netif.hwaddr))
        return false;
    if (m->type == DHCP_TYPE_NAK)
        return true;
    if ((m->type != DHCP_TYPE_OFFER && m->type != DHCP_TYPE_ACK) || ip4_is_martian(m->yiaddr) ||
        !m->lease_s)
        return false;
    h->uplink.ack_seen = m->type == DHCP_TYPE_ACK;
    return true;
}

/* Name servers of the ACK that lwIP has just taken. A renewal that names none keeps those there
 * are. */
static bool take_servers(struct host *h)
{
    struct uplink *u = &h->uplink;
    be32 dns[DNS_SERVERS_MAX];
    unsigned count = 0;

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

void uplink_watch(struct host *h)
{
    const struct host_if *i = uplink_if(h);
    struct uplink *u = &h->uplink;
    be32 ip, mask, gw;
    bool changed = false;

    if (!i->used)
        return;
    ip = host_if_ip(i);
    mask = ip ? host_if_mask(i) : 0;
    gw = ip ? netif_ip4_gw(&i->netif)->addr : 0;
    if (u->ack_seen) {
        u->ack_seen = false;
        if (dhcp_supplied_address(&i->netif))
            changed = take_servers(h);
    }
    changed |= ip != u->ip || mask != u->mask || gw != u->gw;
    if (!changed)
        return;
    u->ip = ip;
    u->mask = mask;
    u->gw = gw;
    tell(h);
    dataplane_set_uplink(h->dp, ip, mask, gw, h->env.now_us());
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

bool uplink_is_busy(const struct host *h)
{
    const struct dhcp *client = netif_dhcp_data(&h->ifs[NETWORK_UPLINK].netif);

    return h->ifs[NETWORK_UPLINK].used && client && client->request_timeout > 0;
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
