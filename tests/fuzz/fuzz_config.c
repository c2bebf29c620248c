/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Hostile configuration texts. The first byte is the number of ports, its high bit whether the
 * texts are files; 0xFF separates texts. Whatever is accepted must satisfy what config.h promises,
 * checked here the slow way, and whatever is printed must be printable.
 */
#include "tests/fuzz/fuzz.h"

#include "boot/config_draft.h"
#include "boot/options.h"
#include "net/flow_table.h"
#include "net/hash.h"
#include "net/rules.h"
#include "tests/model/naive_rules.h"

static struct config_draft draft;
static struct config_report report;
static struct config config;

static void check_line(const char *text)
{
    REQUIRE(strlen(text) <= 100);
    for (; *text; text++)
        REQUIRE(*text >= 0x20 && *text < 0x7f);
}

static bool is_name(const char *name, size_t room)
{
    return memchr(name, 0, room) != NULL && name[0];
}

static bool none_reaches(unsigned from, unsigned to)
{
    return reach_between(&config, from, to).reach == REACH_NONE &&
           reach_between(&config, to, from).reach == REACH_NONE;
}

static void check_addresses(const struct config_net *net)
{
    uint32_t mask = ntoh32(prefix_mask(net->prefix)), ip = ntoh32(net->ip);
    uint32_t first = ntoh32(net->pool_first), last = ntoh32(net->pool_last);
    REQUIRE((ip != 0) == config_mode(net)->has_address);
    REQUIRE((first == 0) == (last == 0));
    if (ip == 0) {
        REQUIRE(net->prefix == 0 && first == 0 && net->mtu == 0);
        return;
    }
    REQUIRE(net->prefix >= 1 && net->prefix <= 30);
    REQUIRE((ip & ~mask) != 0 && (ip | mask) != UINT32_MAX);
    REQUIRE(!config.uplink.ip || !config_net_has(net, config.uplink.ip));
    if (first) {
        REQUIRE((first & mask) == (ip & mask) && (last & mask) == (ip & mask) && first <= last);
        REQUIRE((first & ~mask) != 0 && (last | mask) != UINT32_MAX && (ip < first || ip > last));
    }
}

static void check_nets(void)
{
    unsigned bridges = 0;
    for (unsigned i = 0; i < config.net_count; i++) {
        const struct config_net *net = &config.nets[i];
        REQUIRE(is_name(net->name, sizeof(net->name)) && is_name(net->domain, sizeof(net->domain)));
        REQUIRE(net->mode < NET_MODE_COUNT && net->ports && net->ports < 1u << config.port_count);
        REQUIRE(net->lease_s >= 10 && net->dns_count <= CONFIG_MAX_DNS);
        REQUIRE(net->dns_self == (net->dns_count == 0));
        REQUIRE(net->mtu == 0 || net->mtu >= 576);
        check_addresses(net);
        for (unsigned k = 0; k < i; k++) {
            const struct config_net *other = &config.nets[k];
            if (config_net_has(net, other->ip) || config_net_has(other, net->ip))
                REQUIRE(none_reaches(i, k));
            REQUIRE(strcmp(net->name, other->name) != 0);
            REQUIRE(!net->vlan || net->vlan != other->vlan);
        }
        bridges += config_mode(net)->joins_uplink;
        if (config_mode(net)->joins_uplink)
            REQUIRE(config.uplink.present && !(net->ports >> config.uplink.port & 1));
        else if (!config_mode(net)->routes_to_uplink)
            REQUIRE(none_reaches(i, REACH_UPLINK));
        REQUIRE(!config.uplink.silent || !config_mode(net)->routes_to_uplink);
    }
    REQUIRE(bridges <= 1 && (!config.uplink.silent || bridges));
}

/* On a port every VLAN ID, and the untagged frames, are one network's or the uplink's. */
static void check_tags(unsigned p)
{
    static uint8_t owners[4095];
    memset(owners, 0, sizeof(owners));
    if (config.uplink.present && config.uplink.port == p) {
        REQUIRE(config.uplink.vlan < sizeof(owners));
        owners[config.uplink.vlan]++;
    }
    for (unsigned i = 0; i < config.net_count; i++) {
        const struct config_net *net = &config.nets[i];
        bool here = net->ports >> p & 1;
        REQUIRE(net->vlan < sizeof(owners) && (net->tag[p] == 0 || net->tag[p] == net->vlan));
        REQUIRE(here || net->tag[p] == 0);
        REQUIRE(!here || owners[net->tag[p]]++ == 0);
    }
}

/* Can a host on this port have an address that the router gave it? */
static bool has_leases(unsigned p)
{
    for (unsigned i = 0; i < config.net_count; i++) {
        bool any = config.nets[i].pool_first;
        for (unsigned h = 0; h < config.host_count; h++)
            any |= config.hosts[h].ip && config.hosts[h].net == i;
        if (any && config.nets[i].ports >> p & 1)
            return true;
    }
    return false;
}

static void check_ports(void)
{
    static const uint8_t no_mac[MAC_BYTES];
    for (unsigned p = 0; p < CONFIG_MAX_PORTS; p++) {
        const struct config_port *port = &config.ports[p];
        bool uplink = config.uplink.present && config.uplink.port == p;
        check_tags(p);
        REQUIRE(memchr(port->name, 0, sizeof(port->name)) && port->lock <= LOCK_IP);
        for (unsigned k = 0; k < p; k++)
            REQUIRE(!port->name[0] || strcmp(port->name, config.ports[k].name) != 0);
        REQUIRE((port->lock == LOCK_MAC) == (memcmp(port->lock_mac, no_mac, MAC_BYTES) != 0));
        REQUIRE(!(port->lock_mac[0] & 1) && port->storm_pps <= 10000000);
        REQUIRE(port->rate_in_bps == 0 || port->rate_in_bps >= 8000);
        REQUIRE(port->rate_out_bps == 0 || port->rate_out_bps >= 8000);
        REQUIRE(port->rate_in_bps <= 400000000000 && port->rate_out_bps <= 400000000000);
        REQUIRE(!uplink || (port->lock == LOCK_OFF && !port->promisc));
        REQUIRE(port->lock != LOCK_IP || has_leases(p) ||
                config_net_of_port(&config, p) == CONFIG_NO_NET);
    }
    REQUIRE(config.macs == 0 || (config.macs >= 64 && config.macs <= 1048576));
}

static void check_hosts(void)
{
    for (unsigned i = 0; i < config.host_count; i++) {
        const struct config_host *host = &config.hosts[i];
        REQUIRE(memchr(host->name, 0, sizeof(host->name)));
        if (host->ip) {
            REQUIRE(host->net < config.net_count && config.nets[host->net].ip != host->ip);
            REQUIRE(config_net_has(&config.nets[host->net], host->ip));
        }
        for (unsigned k = 0; k < i; k++) {
            const struct config_host *other = &config.hosts[k];
            REQUIRE(memcmp(host->mac, other->mac, MAC_BYTES) != 0);
            REQUIRE(!host->ip || host->ip != other->ip || host->net != other->net);
            REQUIRE(!host->name[0] || strcmp(host->name, other->name) != 0);
        }
    }
}

/* Would a packet from address by protocol to address bind:port be taken by this forward? */
static bool takes(const struct config_fwd *fwd, unsigned protocol, be32 from, be32 to,
                  uint16_t port)
{
    return fwd->protocols & protocol && port >= fwd->first_port && port <= fwd->last_port &&
           (!fwd->bind || fwd->bind == to) && !((fwd->from ^ from) & prefix_mask(fwd->from_prefix));
}

static void check_fwds(void)
{
    for (unsigned i = 0; i < config.fwd_count; i++) {
        const struct config_fwd *fwd = &config.fwds[i];
        REQUIRE(fwd->protocols >= 1 && fwd->protocols <= 3 && fwd->first_port && fwd->target_port);
        REQUIRE(fwd->first_port <= fwd->last_port);
        REQUIRE(fwd->target_port + (fwd->last_port - fwd->first_port) <= 65535);
        REQUIRE(fwd->net < config.net_count && config.uplink.present);
        REQUIRE(fwd->target_count >= 1 && fwd->target_count <= CONFIG_MAX_TARGETS);
        for (unsigned t = 0; t < fwd->target_count; t++)
            REQUIRE(config_net_has(&config.nets[fwd->net], fwd->targets[t]) &&
                    fwd->targets[t] != config.nets[fwd->net].ip);
        REQUIRE(config_mode(&config.nets[fwd->net])->routes_to_uplink);
        for (unsigned k = 0; k < config.fwd_count; k++) {
            const struct config_fwd *other = &config.fwds[k];
            be32 to = fwd->bind ? fwd->bind : other->bind;
            for (unsigned protocol = CONFIG_TCP; k != i && protocol <= CONFIG_UDP; protocol <<= 1)
                REQUIRE(!takes(fwd, protocol, fwd->from, to, fwd->first_port) ||
                        !takes(other, protocol, fwd->from, to, fwd->first_port));
        }
    }
    if (config.dmz)
        REQUIRE(config.dmz_net < config.net_count && config.uplink.present &&
                config_mode(&config.nets[config.dmz_net])->translates &&
                config_net_has(&config.nets[config.dmz_net], config.dmz) &&
                config.dmz != config.nets[config.dmz_net].ip);
}

static void check_where(const struct config_where *w)
{
    REQUIRE(w->kind <= WHERE_HOST && w->prefix <= 32);
    if (w->kind == WHERE_NET)
        REQUIRE(w->net < config.net_count && config.nets[w->net].mode != NET_BRIDGE);
    if (w->kind == WHERE_CIDR)
        REQUIRE(!(w->ip & ~prefix_mask(w->prefix)));
    if (w->kind == WHERE_HOST)
        REQUIRE(w->net < config.net_count && config_net_has(&config.nets[w->net], w->ip));
}

static void check_rules(void)
{
    char text[RULE_TEXT_BYTES];
    REQUIRE(config.rule_count <= CONFIG_MAX_RULES && config.assert_count <= CONFIG_MAX_ASSERTS);
    for (unsigned i = 0; i < config.rule_count; i++) {
        const struct config_rule *rule = &config.rules[i];
        REQUIRE(rule->action <= RULE_REJECT && rule->from.kind != WHERE_ROUTER);
        check_where(&rule->from);
        check_where(&rule->to);
        if (rule->ports_given) {
            REQUIRE(rule->first_port && rule->first_port <= rule->last_port);
            REQUIRE(rule->proto == 0 || rule->proto == 6 || rule->proto == 17);
        }
        REQUIRE(strlen(rules_text(&config, i, text)) + 1 < sizeof(text));
    }
    for (unsigned i = 0; i < config.assert_count; i++) {
        const struct config_assert *claim = &config.asserts[i];
        bool open = reach_between(&config, claim->from, claim->to).reach != REACH_NONE;
        for (unsigned k = 0; k < config.fwd_count && claim->from == REACH_UPLINK; k++)
            open |= config.fwds[k].net == claim->to;
        open |= claim->from == REACH_UPLINK && config.dmz && config.dmz_net == claim->to;
        REQUIRE(claim->yes ? open || claim->from != REACH_UPLINK : !open);
    }
}

/* An address that means something in this configuration, or nearly. */
static be32 some_address(uint32_t random)
{
    const struct config_net *net = &config.nets[random % CONFIG_MAX_NETS];
    const struct config_rule *rule = &config.rules[random / 16 % MAX(config.rule_count, 1)];
    be32 base = random >> 28 & 1 ? net->ip : random >> 29 & 1 ? rule->from.ip : rule->to.ip;
    return base ^ (random >> 30 ? hton32(random >> 24 & 7) : 0);
}

/* Packets, by the rules and by their naive reading; and what reachability has promised of them. */
static void check_decisions(void)
{
    uint64_t random = config.rule_count + 77u;
    for (unsigned i = 0; i < 64 && config.rule_count; i++) {
        struct rule_packet k = {.proto = i % 3 == 0 ? 17 : i % 7 == 0 ? 1 : 6};
        random = hash_mix(random + i, 0x9E3779B97F4A7C15u);
        k.from = (uint8_t)(random >> 8 & 3 ? random % MAX(config.net_count, 1) : NETWORK_UPLINK);
        k.to = (uint8_t)((random >> 10) % 18);
        k.src = some_address((uint32_t)random);
        k.dst = some_address((uint32_t)(random >> 32));
        k.forwarded = (random >> 20) % 8 == 0;
        k.dport = hton16((uint16_t)(config.rules[random % config.rule_count].first_port + i % 2));
        struct rule_decision a = rules_decide(&config, &k), b = naive_decide(&config, &k);
        REQUIRE(a.action == b.action && a.rule == b.rule && a.log == b.log);
        if (k.forwarded || k.from == k.to || k.to == ZONE_ROUTER)
            continue;
        enum reach reach = reach_between(&config, k.from == NETWORK_UPLINK ? REACH_UPLINK : k.from,
                                         k.to == NETWORK_UPLINK ? REACH_UPLINK : k.to)
                               .reach;
        REQUIRE(reach != REACH_NONE || a.action != RULE_ALLOW ||
                (k.from < config.net_count && config.nets[k.from].mode == NET_BRIDGE));
    }
}

static void check_config(unsigned ports)
{
    REQUIRE(config.port_count == ports && report.error_count == 0 && report.more_errors == 0);
    REQUIRE(config.net_count <= CONFIG_MAX_NETS && config.host_count <= CONFIG_MAX_HOSTS);
    REQUIRE(config.fwd_count <= CONFIG_MAX_FWDS && config.log_level <= LOG_DEBUG);
    REQUIRE(is_name(config.hostname, sizeof(config.hostname)));
    REQUIRE(!config.uplink.present || config.uplink.port < ports);
    REQUIRE(!config.uplink.present ||
            config.uplink.dhcp + config.uplink.silent + (config.uplink.ip != 0) == 1);
    REQUIRE(!config.uplink.mac_given || !(config.uplink.mac[0] & 1));
    check_nets();
    check_ports();
    check_hosts();
    check_fwds();
    check_rules();
    check_decisions();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct port_info ports[CONFIG_MAX_PORTS] = {{{0}}};
    if (size == 0)
        return 0;
    unsigned count = (data[0] & 0x7f) % (CONFIG_MAX_PORTS + 1);
    for (unsigned i = 0; i < CONFIG_MAX_PORTS; i++)
        memcpy(ports[i].mac, (uint8_t[]){0x52, 0x54, 0, 0, 0, (uint8_t)i}, MAC_BYTES);
    const uint8_t *at = data + 1, *end = data + size;
    config_draft_init(&draft, &report);
    do {
        const uint8_t *stop = memchr(at, 0xFF, (size_t)(end - at));
        if (!stop)
            stop = end;
        /* A copy of exactly its length, so that a byte read past it is seen. */
        size_t n = (size_t)(stop - at);
        char *copy = malloc(n);
        if (n)
            memcpy(copy, at, n);
        struct config_text text = {.source = "fuzz", .text = copy, .bytes = n};
        text.is_file = data[0] & 0x80;
        config_parse(&draft, &text, &report);
        free(copy);
        at = stop + 1;
    } while (at < end);
    REQUIRE(draft.mmio_count <= DRAFT_MAX_MMIO && !(draft.mmio_count && (data[0] & 0x80)));
    for (unsigned i = 0; i < draft.mmio_count; i++) {
        const struct draft_mmio_place *place = &draft.mmio[i].place;
        REQUIRE(place->bytes >= 256 && place->bytes <= 1 << 20 && place->base % 4 == 0);
        REQUIRE(place->base + place->bytes <= 1ull << 52 && place->gsi <= 1023);
    }
    bool ok = config_resolve(&draft, ports, count, &config, &report);
    REQUIRE(ok == config.ok);
    if (ok)
        check_config(count);
    else
        REQUIRE(report.error_count + report.more_errors > 0);
    config_print_report(&report, check_line);
    config_print(&config, ports, count, check_line);
    return 0;
}
