/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the console shows at start: the errors and notes about the texts, and what was understood.
 * Written for people: aligned, at most LINE_MAX characters, nothing a small terminal would break.
 */
#include <stdarg.h>
#include <stdio.h>

#include "config_dhcpopt.h"
#include "config_names.h"
#include "config_report.h"
#include "config_rules.h"
#include "config_table.h"

#define LINE_MAX    100
#define LABEL       "%-9s" /* the word in front of each line */
#define LABEL_WIDTH 9

struct line {
    char text[LINE_MAX + 1];
    size_t used;
};

PRINTF_LIKE(2, 3)
static void add(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line->text + line->used, sizeof(line->text) - line->used, format, args);
    va_end(args);
    if (n > 0)
        line->used = MIN(line->used + (size_t)n, sizeof(line->text) - 1);
}

static void end_line(struct line *line, config_line out)
{
    while (line->used && line->text[line->used - 1] == ' ')
        line->text[--line->used] = 0;
    out(line->text);
    line->used = 0;
    line->text[0] = 0;
}

/* One more piece, two spaces behind what is there; what does not fit begins a new line behind
 * indent spaces. */
PRINTF_LIKE(4, 5)
static void add_piece(struct line *line, size_t indent, config_line out, const char *format, ...)
{
    char text[LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t used = line->used;
    if (used + strlen(text) > LINE_MAX) {
        end_line(line, out);
        used = 0;
    }
    if (used == 0)
        add(line, "%*s", (int)indent, "");
    add(line, "%s", text);
}

void config_print_wrapped(const char *label, const char *text, config_line out)
{
    const size_t room = LINE_MAX - LABEL_WIDTH;
    do {
        struct line line = {.used = 0};
        size_t n = strlen(text), cut;
        if (n > room) {
            for (cut = room; cut > 0 && text[cut] != ' ' && text[cut] != '['; cut--)
                ;
            n = cut ? cut : room;
        }
        add(&line, LABEL "%.*s", label, (int)n, text);
        end_line(&line, out);
        text += n;
        while (*text == ' ')
            text++;
        label = "";
    } while (*text);
}

/* ---- the report ---- */

static void print_message(const char *label, const struct config_message *message, config_line out)
{
    char place[PLACE_BYTES], text[PLACE_BYTES + CONFIG_MESSAGE_BYTES + 4];
    struct config_place at = {message->source, message->line, message->column};
    if (at.source)
        snprintf(text, sizeof(text), "%s: %s", config_place_text(at, place), message->text);
    else
        snprintf(text, sizeof(text), "%s", message->text);
    config_print_wrapped(label, text, out);
}

static void print_more(const char *what, unsigned more, config_line out)
{
    struct line line = {.used = 0};
    if (more == 0)
        return;
    add(&line, LABEL "and %u more", what, more);
    end_line(&line, out);
}

/* How each option is written that a message was about, once. */
static void print_usage(const struct config_report *report, config_line out)
{
    char text[256];
    for (unsigned i = 0; i < config_option_count; i++) {
        for (unsigned e = 0; e < report->error_count; e++) {
            if (!report->errors[e].key || strcmp(report->errors[e].key, config_options[i].key) != 0)
                continue;
            config_synopsis(&config_options[i], text, sizeof(text));
            config_print_wrapped("usage", text, out);
            break;
        }
    }
}

void config_print_report(const struct config_report *report, config_line out)
{
    struct line line = {.used = 0};
    unsigned errors = report->error_count + report->more_errors;
    for (unsigned i = 0; i < report->error_count; i++)
        print_message("error", &report->errors[i], out);
    print_more("error", report->more_errors, out);
    print_usage(report, out);
    for (unsigned i = 0; i < report->note_count; i++)
        print_message("note", &report->notes[i], out);
    print_more("note", report->more_notes, out);
    if (errors == 0)
        return;
    add(&line,
        "The configuration has %u error%s: nothing is forwarded. Correct it and start again.",
        errors, errors == 1 ? "" : "s");
    end_line(&line, out);
}

/* ---- what was understood ---- */

static void print_uplink(const struct config *config, const struct port_info *ports,
                         config_line out)
{
    const struct config_uplink *uplink = &config->uplink;
    char ip[IP4_TEXT_BYTES], gw[IP4_TEXT_BYTES], mac[MAC_TEXT_BYTES];
    struct line line = {.used = 0};
    if (!uplink->present) {
        add(&line, LABEL "none", "uplink");
        end_line(&line, out);
        return;
    }
    add(&line, LABEL "port %u  %s  ", "uplink", uplink->port,
        value_mac_text(uplink->mac_given ? uplink->mac : ports[uplink->port].mac, mac));
    if (uplink->vlan)
        add(&line, "vlan %u  ", uplink->vlan);
    if (uplink->silent)
        add(&line, "no address");
    else if (uplink->dhcp)
        add(&line, "dhcp");
    else
        add(&line, "%s/%u  gateway %s", value_ip4_text(uplink->ip, ip), uplink->prefix,
            value_ip4_text(uplink->gw, gw));
    if (uplink->mtu)
        add(&line, "  mtu %u", uplink->mtu);
    end_line(&line, out);
}

/* The address, or in a /24 or smaller, where the rest is on the same line already, its last number.
 */
static void add_pool(struct line *line, const struct config_net *net)
{
    char first[IP4_TEXT_BYTES], last[IP4_TEXT_BYTES];
    value_ip4_text(net->pool_first, first);
    value_ip4_text(net->pool_last, last);
    if (!net->pool_first)
        add(line, "dhcp off");
    else if (net->prefix < 24)
        add(line, "dhcp %s-%s", first, last);
    else
        add(line, "dhcp %s-%s", strrchr(first, '.'), strrchr(last, '.'));
}

/* "bits a second" as they are written; 0 is off. */
static const char *rate_text(uint64_t bps, char text[static 24])
{
    static const char units[] = "kmg";
    unsigned u = 0;
    if (bps == 0)
        return "off";
    for (bps /= 1000; bps % 1000 == 0 && units[u + 1]; u++)
        bps /= 1000;
    snprintf(text, 24, "%llu%c", (unsigned long long)bps, units[u]);
    return text;
}

#define PORT_INDENT (LABEL_WIDTH + 4)

/* Which networks a port carries, if it carries any tagged. */
static bool add_vlans(struct line *line, const struct config *config, unsigned p, config_line out)
{
    const struct config_uplink *uplink = &config->uplink;
    bool here = uplink->present && uplink->port == p, tagged = here && uplink->vlan;
    for (unsigned i = 0; i < config->net_count; i++)
        tagged |= config->nets[i].tag[p] != 0;
    if (!tagged)
        return false;
    if (here && uplink->vlan)
        add_piece(line, PORT_INDENT, out, "vlan %u uplink  ", uplink->vlan);
    else if (here)
        add_piece(line, PORT_INDENT, out, "untagged uplink  ");
    for (unsigned i = 0; i < config->net_count; i++) {
        const struct config_net *net = &config->nets[i];
        if (net->tag[p])
            add_piece(line, PORT_INDENT, out, "vlan %u %s  ", net->tag[p], net->name);
        else if (net->ports >> p & 1)
            add_piece(line, PORT_INDENT, out, "untagged %s  ", net->name);
    }
    return true;
}

/* A port that has a name, carries VLANs or is limited somehow; the others say nothing. */
static void print_port(const struct config *config, unsigned p, config_line out)
{
    const struct config_port *port = &config->ports[p];
    char in[24], back[24], mac[MAC_TEXT_BYTES];
    struct line line = {.used = 0};
    add(&line, LABEL "%-2u  %-10s  ", "port", p, port->name[0] ? port->name : "-");
    bool any = add_vlans(&line, config, p, out) | (port->name[0] != 0);
    if (port->lock != LOCK_OFF)
        add_piece(&line, PORT_INDENT, out, "lock %s  ",
                  port->lock == LOCK_FIRST ? "first"
                  : port->lock == LOCK_IP  ? "ip"
                                           : value_mac_text(port->lock_mac, mac));
    if (port->rate_in_bps || port->rate_out_bps)
        add_piece(&line, PORT_INDENT, out, "rate %s/%s  ", rate_text(port->rate_in_bps, in),
                  rate_text(port->rate_out_bps, back));
    if (port->storm_pps == 0)
        add_piece(&line, PORT_INDENT, out, "storm off  ");
    else if (port->storm_pps != CONFIG_STORM_PPS)
        add_piece(&line, PORT_INDENT, out, "storm %u  ", (unsigned)port->storm_pps);
    if (port->promisc)
        add_piece(&line, PORT_INDENT, out, "promisc  ");
    if (any || port->lock != LOCK_OFF || port->rate_in_bps || port->rate_out_bps ||
        port->storm_pps != CONFIG_STORM_PPS || port->promisc)
        end_line(&line, out);
}

#define NET_INDENT (LABEL_WIDTH + 41) /* under its ports */

static void print_net(const struct config *config, const struct config_net *net, config_line out)
{
    const struct net_mode_info *mode = config_mode(net);
    struct line line = {.used = 0}, pool = {.used = 0};
    char ip[IP4_TEXT_BYTES], subnet[IP4_TEXT_BYTES + 4] = "-";
    if (net->ip)
        snprintf(subnet, sizeof(subnet), "%s/%u", value_ip4_text(net->ip, ip), net->prefix);
    add(&line, LABEL "%-10s %-9s %-18s  ", "network", net->name, mode->name, subnet);
    size_t start = line.used;
    add_piece(&line, NET_INDENT, out, "%s", net->ports & (net->ports - 1) ? "ports" : "port");
    for (unsigned p = 0; p < config->port_count; p++)
        if (net->ports >> p & 1)
            add_piece(&line, NET_INDENT, out, " %u%s", p, net->tag[p] ? "t" : "");
    size_t width = line.used > start ? line.used - start : 11; /* on the next line: no matter */
    add(&line, "%*s  ", width < 11 ? (int)(11 - width) : 0, "");
    if (mode->dhcp) {
        add_pool(&pool, net);
        add_piece(&line, NET_INDENT, out, "%s  ", pool.text);
    }
    if (net->vlan)
        add_piece(&line, NET_INDENT, out, "vlan %u  ", net->vlan);
    if (net->isolate)
        add_piece(&line, NET_INDENT, out, "isolate  ");
    if (net->pcp)
        add_piece(&line, NET_INDENT, out, "pcp  ");
    if (net->filter == FILTER_ADDRESS_DEPENDENT)
        add_piece(&line, NET_INDENT, out, "filter address-dependent  ");
    if (net->flows)
        add_piece(&line, NET_INDENT, out, "flows %u  ", net->flows);
    if (net->host_flows)
        add_piece(&line, NET_INDENT, out, "hostflows %u  ", net->host_flows);
    end_line(&line, out);
}

static const char *name_of(const struct config *config, unsigned net, be32 ip)
{
    for (unsigned i = 0; i < config->host_count; i++)
        if (config->hosts[i].ip == ip && config->hosts[i].net == net && config->hosts[i].name[0])
            return config->hosts[i].name;
    return NULL;
}

#define FWD_INDENT 12

#define PORTS_BYTES 12
static const char *ports_text(unsigned first, unsigned count, char text[static PORTS_BYTES])
{
    int n = snprintf(text, PORTS_BYTES, "%u", first);
    if (count > 1)
        snprintf(text + n, PORTS_BYTES - (size_t)n, "-%u", first + count - 1);
    return text;
}

/* One host behind the arrow; ports: ":80", or nothing. */
static void add_target(struct line *line, const struct config *config, unsigned net, be32 target,
                       const char *ports, config_line out)
{
    char text[IP4_TEXT_BYTES];
    const char *name = name_of(config, net, target);
    add_piece(line, FWD_INDENT, out, "%s%s", value_ip4_text(target, text), ports);
    if (name)
        add_piece(line, FWD_INDENT, out, " (%s)", name);
}

static void print_fwd(const struct config *config, const struct config_fwd *fwd, config_line out)
{
    static const char *const names[] = {"", "tcp", "udp", "tcp+udp"};
    unsigned count = fwd->last_port - fwd->first_port + 1u;
    char text[IP4_TEXT_BYTES], ports[1 + PORTS_BYTES] = ":";
    struct line line = {.used = 0};
    add(&line, LABEL "%s ", "forward", names[fwd->protocols & 3]);
    if (fwd->bind)
        add(&line, "%s:", value_ip4_text(fwd->bind, text));
    add(&line, "%s -> ", ports_text(fwd->first_port, count, ports + 1));
    ports_text(fwd->target_port, count, ports + 1);
    for (unsigned i = 0; i < fwd->target_count; i++) {
        add_target(&line, config, fwd->net, fwd->targets[i], ports, out);
        if (i + 1 < fwd->target_count)
            add(&line, ", ");
    }
    if (fwd->target_count > 1)
        add_piece(&line, FWD_INDENT, out, " in turn");
    if (fwd->from_prefix)
        add_piece(&line, FWD_INDENT, out, "  from %s/%u only", value_ip4_text(fwd->from, text),
                  fwd->from_prefix);
    end_line(&line, out);
}

static void print_dmz(const struct config *config, config_line out)
{
    struct line line = {.used = 0};
    add(&line, LABEL "all other tcp and udp -> ", "dmz");
    add_target(&line, config, config->dmz_net, config->dmz, "", out);
    end_line(&line, out);
}

static void print_hosts(const struct config *config, config_line out)
{
    unsigned reserved = 0, named = 0, denied = 0;
    struct line line = {.used = 0};
    for (unsigned i = 0; i < config->host_count; i++) {
        reserved += config->hosts[i].ip != 0;
        named += config->hosts[i].name[0] != 0;
        denied += config->hosts[i].deny;
    }
    add(&line, LABEL "%u: %u with a reserved address, %u with a name, %u denied", "hosts",
        config->host_count, reserved, named, denied);
    end_line(&line, out);
}

#define DHCPOPT_INDENT (LABEL_WIDTH + 11) /* under what comes first */

/* What dhcpopt= lets a network's hosts be told besides, by name where there is one. */
static void print_dhcpopts(const struct config *config, unsigned net, config_line out)
{
    be32 next_server = config->nets[net].next_server;
    char ip[IP4_TEXT_BYTES], number[8];
    struct line line = {.used = 0};
    unsigned count = 0;
    add(&line, LABEL "%-10s ", "dhcpopt", config->nets[net].name);
    if (next_server)
        add_piece(&line, DHCPOPT_INDENT, out, "next-server %s  ", value_ip4_text(next_server, ip));
    for (unsigned i = 0; i < config->dhcpopt_count; i++) {
        if (config->dhcpopts[i].net != net)
            continue;
        const char *name = config_dhcpopt_name(config->dhcpopts[i].code);
        snprintf(number, sizeof(number), "%u", config->dhcpopts[i].code);
        add_piece(&line, DHCPOPT_INDENT, out, "%s  ", name ? name : number);
        count++;
    }
    if (next_server || count)
        end_line(&line, out);
}

void config_print(const struct config *config, const struct port_info *ports, unsigned count,
                  config_line out)
{
    if (!config->ok || count < config->port_count)
        return;
    for (unsigned p = 0; p < config->port_count; p++)
        print_port(config, p, out);
    print_uplink(config, ports, out);
    for (unsigned i = 0; i < config->net_count; i++)
        print_net(config, &config->nets[i], out);
    for (unsigned i = 0; i < config->net_count; i++)
        print_dhcpopts(config, i, out);
    if (config->host_count)
        print_hosts(config, out);
    for (unsigned i = 0; i < config->fwd_count; i++)
        print_fwd(config, &config->fwds[i], out);
    if (config->dmz)
        print_dmz(config, out);
    config_print_names(config, out);
    config_print_rules(config, out);
    if (config->net_count)
        config_print_reach(config, out);
}
