/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The option table's rows. `make docs` writes docs/options.md from them, and a unit test fails
 * while that file says something else.
 */
#include <stdio.h>

#include "config_dhcpopt.h"
#include "config_loader.h"
#include "config_names.h"
#include "config_rules.h"
#include "config_table.h"

#define FIELD(record, member) offsetof(struct draft_##record, member)

static const struct field_row uplink_fields[] = {
    [FIELD_UPLINK_PORT] = {"port", FIELD_REQUIRED, &value_port, FIELD(uplink, port), NULL,
                           "the port towards the outside"},
    [FIELD_UPLINK_DHCP] = {"dhcp", FIELD_FLAG, NULL, FIELD(uplink, dhcp), "unless ip= is given",
                           "address, gateway and DNS servers come by DHCP"},
    [FIELD_UPLINK_IP] = {"ip", FIELD_NAMED, &value_interface, FIELD(uplink, ip), NULL,
                         "a static address; gw= must be given with it"},
    [FIELD_UPLINK_GW] = {"gw", FIELD_NAMED, &value_address, FIELD(uplink, gw), NULL,
                         "the gateway, inside the uplink's subnet; only with ip="},
    [FIELD_UPLINK_DNS] = {"dns", FIELD_NAMED, &value_servers, FIELD(uplink, dns), NULL,
                          "up to 3 DNS servers of the outside; only with ip="},
    [FIELD_UPLINK_MTU] = {"mtu", FIELD_NAMED, &value_mtu, FIELD(uplink, mtu), "the NIC's",
                          "largest IP packet, in bytes"},
    [FIELD_UPLINK_NAME] = {"name", FIELD_NAMED, &value_host_name, FIELD(uplink, name),
                           "hostname=", "the name told to the outside's DHCP server"},
    [FIELD_UPLINK_VLAN] = {"vlan", FIELD_NAMED, &value_vlan, FIELD(uplink, vlan), NULL,
                           "the uplink is this VLAN of the port; the port may carry networks too"},
    [FIELD_UPLINK_MAC] = {"mac", FIELD_NAMED, &value_mac, FIELD(uplink, mac), "the NIC's",
                          "the router's MAC there, for an outside that knows another one"},
};

static const struct field_row net_fields[] = {
    [FIELD_NET_NAME] = {"name", FIELD_REQUIRED, &value_net_name, FIELD(net, name), NULL,
                        "what the network is called in messages and other options"},
    [FIELD_NET_MODE] = {"mode", FIELD_REQUIRED, &value_mode, FIELD(net, mode), NULL,
                        "what its hosts may reach; see the table of modes"},
    [FIELD_NET_PORTS] = {"ports", FIELD_NAMED, &value_ports, FIELD(net, ports), "all that are left",
                         "the ports whose untagged frames belong to it; one network may leave it "
                         "out, and every one with vlan= that port= attaches"},
    [FIELD_NET_IP] = {"ip", FIELD_NAMED, &value_interface, FIELD(net, ip),
                      "192.168.8.1/24, or the next free 192.168.x.1/24",
                      "the router's address in it, and with it the subnet"},
    [FIELD_NET_POOL] = {"pool", FIELD_NAMED, &value_pool, FIELD(net, pool),
                        ".100-.250 of a /24, in proportion otherwise",
                        "addresses that DHCP gives out; off: no DHCP in this network"},
    [FIELD_NET_LEASE] = {"lease", FIELD_NAMED, &value_duration, FIELD(net, lease_s), "12h",
                         "how long a lease lasts"},
    [FIELD_NET_DOMAIN] = {"domain", FIELD_NAMED, &value_domain, FIELD(net, domain), "lan",
                          "the domain of its hosts' names"},
    [FIELD_NET_DNS] = {"dns", FIELD_NAMED, &value_dns, FIELD(net, dns), "self",
                       "the DNS servers its hosts are told; self: the router"},
    [FIELD_NET_MTU] = {"mtu", FIELD_NAMED, &value_mtu, FIELD(net, mtu), "the NICs'",
                       "largest IP packet, in bytes"},
    [FIELD_NET_VLAN] = {"vlan", FIELD_NAMED, &value_vlan, FIELD(net, vlan), NULL,
                        "its VLAN ID, by which port= attaches ports to it"},
    [FIELD_NET_ISOLATE] = {"isolate", FIELD_FLAG, NULL, FIELD(net, isolate), NULL,
                           "its ports reach the router (or a bridge's uplink), not each other"},
    [FIELD_NET_PCP] = {"pcp", FIELD_FLAG, NULL, FIELD(net, pcp), NULL,
                       "its hosts may ask for ports of the outside address, by NAT-PMP and PCP; "
                       "only in mode nat"},
    [FIELD_NET_FILTER] = {"filter", FIELD_NAMED, &value_filter, FIELD(net, filter),
                          "endpoint-independent",
                          "who may answer to a port outside that a host has opened by sending: "
                          "anybody, or only addresses that it has sent to; only in mode nat"},
    [FIELD_NET_FLOWS] = {"flows", FIELD_NAMED, &value_flow_limit, FIELD(net, flows),
                         "a share of what is free",
                         "flows that all its hosts together may have at a time"},
    [FIELD_NET_HOST_FLOWS] = {"hostflows", FIELD_NAMED, &value_flow_limit, FIELD(net, host_flows),
                              "a share of what is free",
                              "flows that each of its hosts may have at a time"},
};

static const struct field_row port_fields[] = {
    [FIELD_PORT_PORT] = {"port", FIELD_REQUIRED, &value_nic, FIELD(port, port), NULL,
                         "the port this is about"},
    [FIELD_PORT_NAME] = {"name", FIELD_NAMED, &value_port_name, FIELD(port, name), NULL,
                         "what other options may call it instead of its number or MAC"},
    [FIELD_PORT_VLAN] = {"vlan", FIELD_NAMED, &value_vlan, FIELD(port, vlan), NULL,
                         "access port: its untagged frames belong to the network with this VLAN "
                         "ID; tagged ones are not for it"},
    [FIELD_PORT_TRUNK] = {"trunk", FIELD_NAMED, &value_trunk, FIELD(port, trunk), NULL,
                          "trunk port: frames tagged with one of these VLAN IDs belong to the "
                          "network that has it; all: the IDs of every network and the uplink"},
    [FIELD_PORT_NATIVE] = {"native", FIELD_NAMED, &value_vlan, FIELD(port, native),
                           "untagged frames are dropped",
                           "only with trunk=: this VLAN travels untagged there; it need not be in "
                           "the list of trunk="},
    [FIELD_PORT_LOCK] = {"lock", FIELD_NAMED, &value_lock, FIELD(port, lock), "off",
                         "who may send from there: one MAC; the first MAC since the link came up; "
                         "ip: addresses that DHCP has given or reserves there"},
    [FIELD_PORT_PROMISC] = {"promisc", FIELD_FLAG, NULL, FIELD(port, promisc), NULL,
                            "mirror port: gets a copy of every frame of its networks"},
    [FIELD_PORT_RATE] = {"rate", FIELD_NAMED, &value_rate, FIELD(port, rate), "off/off",
                         "bits a second that come in by it (IN, what its hosts send) and go out by "
                         "it (OUT, what they receive)"},
    [FIELD_PORT_STORM] = {"storm", FIELD_NAMED, &value_storm, FIELD(port, storm_pps), "10000",
                          "frames a second coming in by it that may be flooded: broadcast, "
                          "multicast, unknown addresses"},
};
static_assert(CONFIG_STORM_PPS == 10000, "the table names the default");

static const struct field_row host_fields[] = {
    [FIELD_HOST_MAC] = {"mac", FIELD_REQUIRED, &value_mac, FIELD(host, mac), NULL,
                        "the machine, by the MAC of its NIC"},
    [FIELD_HOST_IP] = {"address", FIELD_OPTIONAL, &value_address, FIELD(host, ip), NULL,
                       "the address DHCP keeps for it; in or out of the pool"},
    [FIELD_HOST_NAME] = {"name", FIELD_OPTIONAL, &value_host_name, FIELD(host, name), NULL,
                         "its name in DNS and in other options"},
    [FIELD_HOST_LEASE] = {"lease", FIELD_NAMED, &value_duration, FIELD(host, lease_s),
                          "the network's", "how long its lease lasts"},
    [FIELD_HOST_DENY] = {"deny", FIELD_FLAG, NULL, FIELD(host, deny), NULL,
                         "this machine gets no lease at all"},
    [FIELD_HOST_NET] = {"net", FIELD_NAMED, &value_net_name, FIELD(host, net),
                        "the one its address is in",
                        "the network of its address, where several have that subnet"},
};

static const struct field_row fwd_fields[] = {
    [FIELD_FWD_FORWARD] = {"forward", FIELD_REQUIRED, &value_forward, FIELD(fwd, forward), NULL,
                           "PROTO is tcp, udp or both; BIND one address of the uplink instead of "
                           "all; PORTS a port or a range like 8000-8100; TARGET an address or the "
                           "name of a host=, several take turns; the ports at the target are the "
                           "same unless given, as a range of the same length or by its first port"},
    [FIELD_FWD_FROM] = {"from", FIELD_NAMED, &value_outside, FIELD(fwd, from), "anywhere",
                        "outside addresses it is open to; hosts inside call by the uplink's"},
};

static const struct field_row dmz_fields[] = {
    {"target", FIELD_REQUIRED, &value_target, FIELD(dmz, target), NULL,
     "an address or the name of a host=, in a network of mode nat"},
};

static const struct field_row dnsrec_fields[] = {
    {"record", FIELD_REQUIRED, &value_dnsrec, FIELD(dns, value), NULL,
     "the name, with or without dots; one without is also known behind the domains of the "
     "networks"},
};

static const struct field_row dnsfwd_fields[] = {
    {"forward", FIELD_REQUIRED, &value_dnsfwd, FIELD(dns, value), NULL,
     "the domain, with all below it, and its server: outside, or a host of a network"},
};

static const struct field_row dnsprivate_fields[] = {
    {"domain", FIELD_REQUIRED, &value_dnsprivate, FIELD(dns, value), NULL,
     "the domain, with all below it; all: every name"},
};

static const struct field_row dhcpopt_fields[] = {
    {"option", FIELD_REQUIRED, &value_dhcpopt, FIELD(dhcpopt, value), NULL,
     "CODE is the option's number or a name like ntp, routes or bootfile; VALUE is addresses "
     "joined by '+', a "
     "text, a number, or bytes like 0x0a1b"},
};

static const struct field_row rule_fields[] = {
    {"action", FIELD_REQUIRED, &value_action, FIELD(rule, action), NULL,
     "deny drops without a word; reject tells the sender, by a TCP reset or an ICMP error"},
    {"from", FIELD_NAMED, &value_where, FIELD(rule, from), "anybody",
     "who begins: a network, an address or range, the name of a host=, or uplink"},
    {"to", FIELD_NAMED, &value_where, FIELD(rule, to), "anybody",
     "who is asked: as from=, or router, the router itself"},
    {"proto", FIELD_NAMED, &value_protocol, FIELD(rule, proto), "any", "the IP protocol"},
    {"port", FIELD_NAMED, &value_services, FIELD(rule, services), "any",
     "destination ports; without proto= of tcp and udp"},
    {"log", FIELD_FLAG, NULL, FIELD(rule, log), NULL, "each match is a line in the log"},
};

static const struct field_row assert_fields[] = {
    {"claim", FIELD_REQUIRED, &value_claim, offsetof(struct draft_assert, claim), NULL,
     "NAME is a network or uplink, WHERE a network, uplink or router; no: nothing can be opened "
     "that way, not even by a forward; yes: something can"},
};

static const struct field_row mmio_fields[] = {
    {"place", FIELD_REQUIRED, &value_mmio, offsetof(struct draft_mmio, place), NULL,
     "SIZE bytes (K and M are known) of registers at BASE, and the number of its interrupt; "
     "decimal, "
     "or hexadecimal behind 0x; ID means nothing"},
};

static const struct spelling_row fwd_spellings[] = {
    {"hostfwd", forward_is_qemu, forward_read_qemu, "[tcp|udp]:[BIND]:PORT-[GUEST]:PORT",
     "as QEMU's -netdev user; an empty GUEST is the first address of the first pool"},
    {"natpf", forward_is_virtualbox, forward_read_virtualbox,
     "NAME,tcp|udp,[BIND],PORT,[GUEST],PORT",
     "as VirtualBox's --natpf, and the form with ':' and brackets of its --port-forward-4"},
};

#define SCALAR(member, type, default_text, help_text)                                              \
    static const struct field_row member##_fields[] = {                                            \
        {"value", FIELD_REQUIRED, &(type), SCALAR_OFFSET(member), default_text, help_text}};
#define SCALAR_OFFSET(member)                                                                      \
    (offsetof(struct config_draft, member.value) - offsetof(struct config_draft, member))

SCALAR(log, value_level, "info", "lines above this level are not printed")
SCALAR(panic, value_panic, "reset",
       "reset at once and serve again, or halt with the dump on screen")
SCALAR(watchdog, value_watchdog, "off",
       "on: after 30 s; or after so long; where no watchdog is found, a line says so")
SCALAR(hostname, value_host_name, "sluice", "the name under which DNS answers with the router")
SCALAR(flows, value_flows, "from memory size", "room for this many flows at a time")
SCALAR(macs, value_macs, "65536, fewer on a small machine",
       "room for this many MAC addresses at a time")
SCALAR(state, value_state, "off",
       "auto: the first virtio-blk disk that is ours, or else the first that is empty; or one "
       "disk, by its number from 0 in PCI order, or by its serial")
SCALAR(config, value_config, "strict",
       "lenient ignores unknown options; all else is still an error")
SCALAR(seed, value_seed, NULL, "makes every random choice a function of it: never in production")

static bool same_net(const void *a, const void *b)
{
    return strcmp(((const struct draft_net *)a)->name, ((const struct draft_net *)b)->name) == 0;
}

static bool same_port(const void *a, const void *b)
{
    const struct draft_port_ref *x = &((const struct draft_port *)a)->port;
    const struct draft_port_ref *y = &((const struct draft_port *)b)->port;
    return x->kind == y->kind && x->number == y->number && memcmp(x->mac, y->mac, MAC_BYTES) == 0;
}

static bool same_host(const void *a, const void *b)
{
    return memcmp(((const struct draft_host *)a)->mac, ((const struct draft_host *)b)->mac,
                  MAC_BYTES) == 0;
}

static bool same_fwd(const void *a, const void *b)
{
    const struct draft_fwd *x = a, *y = b;
    return x->forward.protocols == y->forward.protocols && x->forward.bind == y->forward.bind &&
           x->forward.first_port == y->forward.first_port &&
           x->forward.last_port == y->forward.last_port && x->from.ip == y->from.ip &&
           x->from.prefix == y->from.prefix;
}

static bool same_dns(const void *a, const void *b)
{
    const struct draft_dns *x = a, *y = b;
    return strcmp(x->value.name, y->value.name) == 0;
}

/* Every rule and every assertion counts. */
static bool never_same(const void *a, const void *b)
{
    (void)a;
    (void)b;
    return false;
}

#define ROW_FIELDS(rows) .fields = (rows), .field_count = ARRAY_COUNT(rows)
#define ROW_SINGLE(type, member)                                                                   \
    .record_bytes = sizeof(struct type), .offset = offsetof(struct config_draft, member)
#define ROW_ARRAY(type, member, count, limit)                                                      \
    ROW_SINGLE(type, member), .max = (limit), .count_offset = offsetof(struct config_draft, count)

const struct option_row config_options[] = {
    {.key = "uplink",
     .help = "The port towards the outside. Without it port 0 is the uplink, by DHCP, unless it is "
             "the only port or a net= names it.",
     .example = "uplink=0,ip=203.0.113.2/24,gw=203.0.113.1,dns=9.9.9.9",
     .once = true,
     .broken = BROKEN_UPLINK,
     ROW_FIELDS(uplink_fields),
     ROW_SINGLE(draft_uplink, uplink)},
    {.key = "net",
     .help =
         "A network; may be repeated. Without any, all ports but the uplink form lan, mode nat.",
     .example = "net=vmnet1,hostonly,ip=192.168.56.1/24,ports=3",
     .broken = BROKEN_NET,
     .same = same_net,
     ROW_FIELDS(net_fields),
     ROW_ARRAY(draft_net, nets, net_count, CONFIG_MAX_NETS)},
    {.key = "port",
     .help = "A port's name, VLANs and limits; may be repeated, once a port. Not needed for a port "
             "that only belongs to one network.",
     .example = "port=2,name=srv,lock=first,rate=100m/20m",
     .broken = BROKEN_PORT,
     .same = same_port,
     ROW_FIELDS(port_fields),
     ROW_ARRAY(draft_port, ports, port_count, CONFIG_MAX_PORTS)},
    {.key = "host",
     .help = "A machine: its reserved address and its name; may be repeated.",
     .example = "host=52:54:00:aa:bb:01,192.168.8.10,web",
     .broken = BROKEN_HOST,
     .same = same_host,
     ROW_FIELDS(host_fields),
     ROW_ARRAY(draft_host, hosts, host_count, CONFIG_MAX_HOSTS)},
    {.key = "fwd",
     .help =
         "A forward from ports of the uplink to a host, or to several in turn; may be repeated.",
     .example = "fwd=tcp:8080:web:80,from=198.51.100.0/24",
     .broken = BROKEN_FWD,
     .same = same_fwd,
     .spellings = fwd_spellings,
     .spelling_count = ARRAY_COUNT(fwd_spellings),
     ROW_FIELDS(fwd_fields),
     ROW_ARRAY(draft_fwd, fwds, fwd_count, CONFIG_MAX_FWDS)},
    {.key = "dmz",
     .help = "The host that gets what comes from outside by TCP and UDP and is nobody else's: no "
             "forward's, no answer, not the router's own.",
     .example = "dmz=192.168.8.10",
     .once = true,
     .broken = BROKEN_FWD,
     ROW_FIELDS(dmz_fields),
     ROW_SINGLE(draft_dmz, dmz)},
    {.key = "rule",
     .help = "Who may open what: the first rule that matches decides, of a later text before an "
             "earlier one. It cannot open what a mode forbids. See docs/rules.md.",
     .example = "rule=deny,from=lan,to=uplink,proto=tcp,port=25,log",
     .broken = BROKEN_RULE,
     .same = never_same,
     ROW_FIELDS(rule_fields),
     ROW_ARRAY(draft_rule, rules, rule_count, CONFIG_MAX_RULES)},
    {.key = "assert",
     .help = "What must or must not be reachable: if it is not so, nothing is forwarded.",
     .example = "assert=uplink:no:lan",
     .broken = BROKEN_OTHER,
     .same = never_same,
     ROW_FIELDS(assert_fields),
     ROW_ARRAY(draft_assert, asserts, assert_count, CONFIG_MAX_ASSERTS)},
    {.key = "dhcpopt",
     .help =
         "An option that DHCP gives the hosts of a network, besides or instead of what it gives "
         "them by itself; may be repeated.",
     .example = "dhcpopt=lan:ntp:192.168.8.5",
     .broken = BROKEN_OTHER,
     .same = dhcpopt_same,
     ROW_FIELDS(dhcpopt_fields),
     ROW_ARRAY(draft_dhcpopt, dhcpopts, dhcpopt_count, CONFIG_MAX_DHCPOPTS)},
    {.key = "dnsrec",
     .help = "A name of our own, answered by DNS in every network with dns=self; may be repeated.",
     .example = "dnsrec=nas.home.example:192.168.8.5",
     .broken = BROKEN_OTHER,
     .same = same_dns,
     ROW_FIELDS(dnsrec_fields),
     ROW_ARRAY(draft_dns, dnsrecs, dnsrec_count, CONFIG_MAX_DNSRECS)},
    {.key = "dnsfwd",
     .help = "A domain that is asked of a server of its own instead of the uplink's, for networks "
             "that may reach that server; may be repeated, the longest domain holds.",
     .example = "dnsfwd=corp.example:192.168.8.53",
     .broken = BROKEN_OTHER,
     .same = same_dns,
     ROW_FIELDS(dnsfwd_fields),
     ROW_ARRAY(draft_dns, dnsfwds, dnsfwd_count, CONFIG_MAX_DNSFWDS)},
    {.key = "dnsprivate",
     .help = "A domain whose names may lead to private addresses, to the networks' own, or to the "
             "router's outside; answers from outside that do are not passed on otherwise. May be "
             "repeated.",
     .example = "dnsprivate=plex.direct",
     .broken = BROKEN_OTHER,
     .same = same_dns,
     ROW_FIELDS(dnsprivate_fields),
     ROW_ARRAY(draft_dns, dnsprivates, dnsprivate_count, CONFIG_MAX_PRIVATES)},
    {.key = "state",
     .help = "The disk that keeps the leases over a restart. All of it belongs to the router; a "
             "disk that is neither empty nor the router's own is left alone.",
     .example = "state=auto",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(state_fields),
     ROW_SINGLE(draft_state, state)},
    {.key = "virtio_mmio.device",
     .help =
         "Where a virtio device is on a machine without PCI. QEMU's microvm and Firecracker add "
         "it to the command line by themselves, once a device, and only there it may stand.",
     .example = "virtio_mmio.device=512@0xfeb00e00:12",
     .broken = BROKEN_OTHER,
     .by_loader = true,
     .same = never_same,
     ROW_FIELDS(mmio_fields),
     ROW_ARRAY(draft_mmio, mmio, mmio_count, DRAFT_MAX_MMIO)},
    {.key = "hostname",
     .help = "The router's own name.",
     .example = "hostname=gate",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(hostname_fields),
     ROW_SINGLE(draft_name, hostname)},
    {.key = "log",
     .help = "How much the console says.",
     .example = "log=debug",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(log_fields),
     ROW_SINGLE(draft_word, log)},
    {.key = "panic",
     .help = "What happens after an assertion or a trap.",
     .example = "panic=halt",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(panic_fields),
     ROW_SINGLE(draft_word, panic)},
    {.key = "watchdog",
     .help =
         "A device that resets the machine when the router has stopped looping: Intel's 6300ESB "
         "(QEMU's i6300esb), or the TCO of Intel's chipsets from ICH9 to the 8 series.",
     .example = "watchdog=on",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(watchdog_fields),
     ROW_SINGLE(draft_number, watchdog)},
    {.key = "flows",
     .help = "Capacity of the flow table.",
     .example = "flows=4M",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(flows_fields),
     ROW_SINGLE(draft_number, flows)},
    {.key = "macs",
     .help = "Capacity of the switch: addresses learned, of all networks together.",
     .example = "macs=1048576",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(macs_fields),
     ROW_SINGLE(draft_number, macs)},
    {.key = "config",
     .help = "What to do about options this version does not know.",
     .example = "config=lenient",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(config_fields),
     ROW_SINGLE(draft_word, config)},
    {.key = "seed",
     .help = "For tests only.",
     .example = "seed=1f",
     .broken = BROKEN_OTHER,
     ROW_FIELDS(seed_fields),
     ROW_SINGLE(draft_number, seed)},
};
const unsigned config_option_count = ARRAY_COUNT(config_options);

const struct option_row *config_option(const char *key)
{
    for (unsigned i = 0; i < config_option_count; i++)
        if (strcmp(config_options[i].key, key) == 0)
            return &config_options[i];
    return NULL;
}

void config_synopsis(const struct option_row *row, char *text, size_t n)
{
    size_t used = (size_t)snprintf(text, n, "%s=", row->key);
    for (unsigned i = 0; i < row->field_count && used < n; i++) {
        const struct field_row *field = &row->fields[i];
        const char *comma = i == 0 ? "" : ",";
        const char *syntax = field->type ? field->type->syntax : "";
        if (field->kind == FIELD_REQUIRED)
            used += (size_t)snprintf(text + used, n - used, "%s%s", comma, syntax);
        else if (field->kind == FIELD_OPTIONAL)
            used += (size_t)snprintf(text + used, n - used, "[,%s]", syntax);
        else if (field->kind == FIELD_FLAG)
            used += (size_t)snprintf(text + used, n - used, "[,%s]", field->name);
        else
            used += (size_t)snprintf(text + used, n - used, "[,%s=%s]", field->name, syntax);
    }
}
