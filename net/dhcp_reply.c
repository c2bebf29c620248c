/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a DHCP client is answered, and where the answer goes (RFC 2131, sections 4.1 and 4.3).
 */
#include "net/dhcp_server_internal.h"

#include "net/wire/eth.h"

static const struct config_dhcpopt *find_given(const struct exchange *x, uint8_t code)
{
    const struct config *config = x->s->config;

    for (unsigned i = 0; i < config->dhcpopt_count; i++)
        if (config->dhcpopts[i].net == x->from->network && config->dhcpopts[i].code == code)
            return &config->dhcpopts[i];
    return NULL;
}

/* One of the network's own options, unless dhcpopt= gives another value. */
static void put_own(struct dhcp_writer *w, const struct exchange *x, uint8_t code,
                    const void *value, size_t n)
{
    if (!find_given(x, code))
        dhcp_put(w, code, value, n);
}

/* The other networks that the client's talks to, where there is no way to the outside: then the
 * router is the gateway to those and to nothing else, as the host may have its way out on another
 * NIC (RFC 3442). */
static void put_routes(struct dhcp_writer *w, const struct exchange *x)
{
    const struct config *config = x->s->config;
    uint8_t routes[CONFIG_MAX_NETS * 9];
    size_t n = 0;

    for (unsigned i = 0; i < config->net_count; i++) {
        const struct config_net *to = &config->nets[i];
        if (i == x->from->network || !to->ip || !x->s->ops->talks(x->s->ctx, x->from->network, i))
            continue;
        be32 subnet = to->ip & prefix_mask(to->prefix);
        unsigned bytes = (to->prefix + 7u) / 8u; /* of the subnet's, as many as the prefix covers */
        routes[n++] = to->prefix;
        memcpy(routes + n, &subnet, bytes);
        store_raw32(routes + n + bytes, x->net->ip);
        n += bytes + 4;
    }
    if (n > 0)
        put_own(w, x, DHCP_OPT_ROUTES, routes, n);
}

static bool is_asked_for(const struct exchange *x, uint8_t code)
{
    const struct dhcp_value *params = &x->m->params;

    return params->at && memchr(params->at, code, params->n);
}

/* The options of dhcpopt=, first those that the client has asked for: when there is no room for
 * all, the others are left out. */
static void put_given(struct dhcp_writer *w, const struct exchange *x)
{
    const struct config *config = x->s->config;

    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < config->dhcpopt_count; i++) {
            const struct config_dhcpopt *option = &config->dhcpopts[i];
            if (option->net == x->from->network && is_asked_for(x, option->code) == (pass == 0) &&
                !dhcp_put(w, option->code, option->bytes, option->n))
                x->s->counters.left_out++;
        }
}

/* Boot ROMs look for the server and the file in the fields of BOOTP, too. A field that is used so
 * is no room for options. */
static void put_boot(struct dhcp_writer *w, const struct exchange *x, uint8_t *b)
{
    const struct config_dhcpopt *server = find_given(x, DHCP_OPT_TFTP_SERVER);
    const struct config_dhcpopt *file = find_given(x, DHCP_OPT_BOOT_FILE);

    store_raw32(b + DHCP_SIADDR_OFF, x->net->next_server);
    if (server && server->n < DHCP_SNAME_BYTES)
        memcpy(b + DHCP_SNAME_OFF, server->bytes, server->n);
    else
        w->sname = (struct dhcp_spare){.at = b + DHCP_SNAME_OFF,
                                       .end = b + DHCP_SNAME_OFF + DHCP_SNAME_BYTES};
    if (file && file->n < DHCP_FILE_BYTES)
        memcpy(b + DHCP_FILE_OFF, file->bytes, file->n);
    else
        w->file = (struct dhcp_spare){.at = b + DHCP_FILE_OFF,
                                      .end = b + DHCP_FILE_OFF + DHCP_FILE_BYTES};
}

/* What a client of the network is told, in the order of what matters most: what does not fit is
 * left out. */
static void put_network(struct dhcp_writer *w, const struct exchange *x, const struct lease *l)
{
    const struct config_net *net = x->net;

    dhcp_put_ip(w, DHCP_OPT_MASK, prefix_mask(net->prefix));
    if (config_mode(net)->routes_to_uplink)
        put_own(w, x, DHCP_OPT_ROUTER, &net->ip, 4);
    else
        put_routes(w, x);
    if (net->dns_count > 0)
        put_own(w, x, DHCP_OPT_DNS, net->dns, 4u * net->dns_count);
    else if (net->dns_self)
        put_own(w, x, DHCP_OPT_DNS, &net->ip, 4);
    dhcp_put_ip(w, DHCP_OPT_BROADCAST, net->ip | ~prefix_mask(net->prefix));
    if (net->domain[0])
        put_own(w, x, DHCP_OPT_DOMAIN, net->domain, strlen(net->domain));
    if (net->mtu && !find_given(x, DHCP_OPT_MTU))
        dhcp_put16(w, DHCP_OPT_MTU, MIN(net->mtu, x->s->ops->mtu(x->s->ctx, x->from->network)));
    if (l && x->host != CONFIG_MAX_HOSTS && x->s->config->hosts[x->host].name[0])
        dhcp_put(w, DHCP_OPT_NAME, x->s->config->hosts[x->host].name,
                 strlen(x->s->config->hosts[x->host].name));
    put_given(w, x);
}

static void put_times(struct dhcp_writer *w, uint32_t lease_s)
{
    dhcp_put32(w, DHCP_OPT_LEASE, lease_s);
    if (lease_s == CONFIG_FOREVER)
        return;
    dhcp_put32(w, DHCP_OPT_T1, lease_s / 2);
    dhcp_put32(w, DHCP_OPT_T2, lease_s / 8 * 7 + lease_s % 8 * 7 / 8);
}

static void write_reply(const struct exchange *x, unsigned type, const struct lease *l,
                        struct dhcp_reply *reply)
{
    const struct dhcp_message *m = x->m;
    uint8_t *b = reply->bytes;
    /* Option 57 counts the IP and UDP headers (RFC 2132, section 9.10). */
    size_t room = m->max_size >= DHCP_SAFE_BYTES + 28 ? m->max_size - 28u : DHCP_SAFE_BYTES;
    struct dhcp_writer w = {.at = b + DHCP_OPTIONS_OFF, .end = b + MIN(room, sizeof(reply->bytes))};

    memset(b, 0, sizeof(reply->bytes));
    b[DHCP_OP_OFF] = DHCP_BOOTREPLY;
    b[DHCP_HTYPE_OFF] = DHCP_HTYPE_ETHERNET;
    b[DHCP_HLEN_OFF] = MAC_BYTES;
    memcpy(b + DHCP_XID_OFF, m->bytes + DHCP_XID_OFF, 4);
    /* A relay must broadcast a NAK: the client may have an address of another network (RFC 2131,
     * section 4.3.2). */
    store_raw16(b + DHCP_FLAGS_OFF,
                type == DHCP_TYPE_NAK && m->giaddr ? m->flags | DHCP_FLAG_BROADCAST : m->flags);
    if (type == DHCP_TYPE_ACK)
        store_raw32(b + DHCP_CIADDR_OFF, m->ciaddr);
    if (l && type != DHCP_TYPE_NAK)
        store_raw32(b + DHCP_YIADDR_OFF, l->ip);
    store_raw32(b + DHCP_GIADDR_OFF, m->giaddr);
    memcpy(b + DHCP_CHADDR_OFF, m->bytes + DHCP_CHADDR_OFF, DHCP_CHADDR_BYTES);
    store_be32(b + DHCP_COOKIE_OFF, DHCP_COOKIE);
    if (type != DHCP_TYPE_NAK)
        put_boot(&w, x, b);

    dhcp_put8(&w, DHCP_OPT_TYPE, (uint8_t)type);
    dhcp_put_ip(&w, DHCP_OPT_SERVER, x->net->ip);
    if (l && type != DHCP_TYPE_NAK)
        put_times(&w, dhcp_lease_time(x));
    /* The relay's option comes back last (RFC 3046, section 2.2), so room for it is set aside
     * first; that of a switch that is no relay, and gives no address, too (section 2.1.1). */
    size_t relay = m->relay.at && m->relay.n <= 255 ? m->relay.n + 2u : 0;
    relay = relay + 1 < (size_t)(w.end - w.at) ? relay : 0;
    w.end -= relay;
    if (m->client_id.at && m->client_id.n <= 255)
        dhcp_put(&w, DHCP_OPT_CLIENT_ID, m->client_id.at, m->client_id.n);
    if (type != DHCP_TYPE_NAK)
        put_network(&w, x, l);
    w.end += relay;
    if (relay)
        dhcp_put(&w, DHCP_OPT_RELAY, m->relay.at, m->relay.n);
    reply->n = dhcp_finish(&w, b);
}

/* RFC 2131, section 4.1: to the relay, to an address in use, to all, or to the client's frame
 * address. */
static void route_reply(const struct exchange *x, unsigned type, struct dhcp_reply *reply)
{
    const struct dhcp_message *m = x->m;

    reply->network = x->from->network;
    reply->port = BE16(DHCP_CLIENT_PORT);
    memcpy(reply->mac, m->mac, MAC_BYTES);
    if (m->giaddr) {
        reply->port = BE16(DHCP_SERVER_PORT);
        reply->to = m->giaddr;
        memcpy(reply->mac, x->from->mac, MAC_BYTES);
    } else if (type == DHCP_TYPE_NAK || (!m->ciaddr && m->flags & DHCP_FLAG_BROADCAST)) {
        reply->to = 0xFFFFFFFFu;
        memset(reply->mac, 0xFF, MAC_BYTES);
    } else if (m->ciaddr) {
        reply->to = m->ciaddr;
    } else {
        reply->to = load_raw32(reply->bytes + DHCP_YIADDR_OFF);
    }
}

void dhcp_reply_write(const struct exchange *x, unsigned type, const struct lease *l,
                      struct dhcp_reply *reply)
{
    write_reply(x, type, l, reply);
    route_reply(x, type, reply);
}
