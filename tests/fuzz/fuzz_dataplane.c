/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzzes the whole dataplane: the input is a script of frames, bursts, answers to ARP, link changes
 * and time. After every step the sum of dataplane.h must hold, nothing may leave by a port without
 * network, no NIC may be given what it cannot send (the fake one CHECKs), and at the end every
 * buffer must be back.
 *
 * The first byte chooses among router_rig.h's topologies and offloads, and whether lab is routed
 * and there are rules about networks, the uplink and the router; the second what else the ports and
 * networks are: tagged, locked, watched, isolated, bridged, transparent, limited, filtered.
 *
 * A step is one byte that says what, one that says where, and what it needs:
 *   0..159   a frame: two bytes of length, then its bytes. Even: they are overlaid on a whole,
 *            right packet, and the IPv4 header checksum is made right (or else nothing would get
 * far) 160..191 the same as a device with offloads delivers it: four more bytes of metadata
 *   192..223 time passes, up to a minute
 *   224..239 the stack: answers or silence, room or none, frames of its own
 *   240..255 links, full transmit queues, an empty pool, the uplink's address
 */
#include "tests/fuzz/fuzz.h"

#include "tests/fake/fake_alloc.h"
#include "tests/fake/router_rig.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

struct script {
    const uint8_t *at;
    size_t left;
};

static uint32_t take(struct script *s, unsigned bytes)
{
    uint32_t v = 0;

    for (; bytes > 0; bytes--) {
        v = v << 8 | (s->left ? *s->at : 0);
        if (s->left) {
            s->at++;
            s->left--;
        }
    }
    return v;
}

static void take_bytes(struct script *s, uint8_t *to, size_t n)
{
    n = MIN(n, s->left);
    memcpy(to, s->at, n);
    s->at += n;
    s->left -= n;
}

static void make_base(struct rig *r, unsigned port, uint32_t choice)
{
    static const uint8_t protos[4] = {IP_PROTO_UDP, IP_PROTO_TCP, IP_PROTO_ICMP, 47};
    struct rig_packet k = {.src = port == 0  ? RIG_SERVER
                                  : port < 4 ? RIG_HOST(2 + (choice >> 2 & 3))
                                             : RIG_LAB_HOST(2 + (choice >> 2 & 3)),
                           .dst = port == 0 || (choice & 64) ? RIG_OUTSIDE : RIG_SERVER,
                           .proto = protos[choice & 3],
                           .sport = (uint16_t)(2000 + (choice >> 4 & 3)),
                           .dport = choice & 128 ? 8080 : (uint16_t)(2000 + (choice >> 4 & 3)),
                           .tcp_flags = choice & 256 ? TCP_SYN : TCP_ACK,
                           .may_fragment = choice & 512,
                           .payload_bytes = choice & 1024 ? 1400 : 40};
    if (choice & 2048) /* to a host of ours, */
        k.dst = choice & 4096 ? RIG_LAB_HOST(2 + (choice >> 14)) : RIG_HOST(2 + (choice >> 14));
    rig_make(r, port, &k);
    if (choice & 8192) /* by the switch */
        memcpy(r->in.b, rig_mac(k.dst), MAC_BYTES);
}

enum site {
    SITE_TAGGED = 1 << 0, /* port 1 has lan's frames tagged, port 0 the uplink's */
    SITE_LOCKED = 1 << 1, /* port 2, by address */
    SITE_WATCHED = 1 << 2,
    SITE_ISOLATED = 1 << 3,
    SITE_BRIDGED = 1 << 4, /* port 6 */
    SITE_INTERNAL = 1 << 5,
    SITE_LIMITED = 1 << 6,
    SITE_FILTERED = 1 << 7,
};

static void make_site(struct config *c, uint32_t site)
{
    struct config_net *lan = &c->nets[RIG_LAN], *lab = &c->nets[RIG_LAB];

    if (site & SITE_TAGGED) {
        lan->tag[1] = 20;
        c->uplink.vlan = 10;
    }
    if (site & SITE_LOCKED)
        c->ports[2].lock = LOCK_IP;
    c->ports[3].promisc = site & SITE_WATCHED;
    lan->isolate = site & SITE_ISOLATED;
    if ((site & SITE_BRIDGED) && c->uplink.present)
        c->nets[c->net_count++] =
            (struct config_net){.name = "bridge", .mode = NET_BRIDGE, .ports = 1 << 6};
    if ((site & SITE_INTERNAL) && c->fwd_count == 0) {
        lab->mode = NET_INTERNAL;
        lab->ip = 0;
        lab->prefix = 0;
        lab->ports |= 1 << 1; /* a trunk, if lan is tagged there; else a second network of lan's */
        if (!lan->tag[1])
            lab->ports &= ~2u;
    }
    if (site & SITE_LIMITED) {
        c->ports[4].rate_in_bps = c->ports[5].rate_out_bps = 1000000;
        c->ports[1].storm_pps = 10;
    }
    if (site & SITE_FILTERED) {
        c->rule_count = 1;
        c->rules[0] =
            (struct config_rule){.action = RULE_DENY,
                                 .from = {.kind = WHERE_CIDR, .prefix = 32, .ip = RIG_HOST(2)},
                                 .to = {.kind = WHERE_CIDR, .prefix = 32, .ip = RIG_HOST(3)}};
    }
}

static void frame_step(struct rig *r, struct script *s, uint8_t what, unsigned port)
{
    uint32_t choice = take(s, 2);

    if (what % 2 == 0) {
        make_base(r, port, choice);
        size_t at = take(s, 1) % r->in.n, n = take(s, 1) % 32;
        take_bytes(s, r->in.b + at, n);
        if (what % 4 == 0)
            frame_fix_ip_csum(&r->in);
        if ((choice & 2048) == 0 && r->config.uplink.vlan && port < 2)
            frame_add_tags(&r->in, &(uint32_t){port == 0 ? 10 : 20}, 1);
    } else {
        r->in.n = choice % 1600;
        memset(r->in.b, 0, r->in.n);
        take_bytes(s, r->in.b, MIN(r->in.n, (size_t)64));
    }
    struct pkt *p = r->in.n ? pkt_alloc(&r->pool) : NULL;
    if (!p)
        return;
    if (!pkt_append(p, r->in.b, r->in.n)) {
        pkt_free(p);
        return;
    }
    if (what >= 160) {
        uint32_t meta = take(s, 4);
        p->flags = meta & 1 ? PKT_NEEDS_CSUM : 0;
        p->csum_start = meta & 2 ? (r->in.b[12] == 0x81 ? 38 : 34) : (uint16_t)(meta >> 24);
        p->csum_offset = meta & 4 ? 16 : meta & 8 ? 6 : (uint16_t)(meta >> 16 & 31);
        p->gso_type = meta & 16 ? PKT_GSO_TCP4 : (uint8_t)(meta >> 5 & 3) % 3;
        p->gso_size = meta & 128 ? (uint16_t)(meta >> 8) % 1600 : 0;
        p->gso_ecn = meta >> 23 & 1;
    }
    fake_nic_receive_pkt(&r->nics[port], p);
}

static void stack_step(struct rig *r, struct script *s, unsigned port)
{
    uint32_t choice = take(s, 1);

    r->no_answers = choice & 1;
    r->stack_busy = choice & 2;
    r->silent_ip = choice & 4 ? RIG_GATEWAY : 0;
    if (choice & 8)
        dataplane_neighbor(r->dp, NETWORK_UPLINK, RIG_GATEWAY, rig_mac(RIG_GATEWAY));
    if (choice & 16) {
        uint8_t network = port == 0 ? NETWORK_UPLINK : port < 4 ? RIG_LAN : RIG_LAB;
        struct pkt *p = pkt_alloc(&r->pool);
        uint8_t bytes[64] = {0};
        take_bytes(s, bytes, choice & 32 ? 6 : 64);
        if (p && pkt_append(p, bytes, choice >> 6 ? 60 : 64))
            dataplane_send(r->dp, network, p);
    }
}

static void machine_step(struct rig *r, struct script *s, unsigned port)
{
    uint32_t choice = take(s, 1);

    r->nics[port].up = choice & 1;
    r->nics[port].tx_room = choice & 2 ? UINT32_MAX : choice >> 4;
    if (choice & 4)
        dataplane_disarm(r->dp);
    if (choice & 8)
        dataplane_set_uplink(r->dp,
                             choice & 16   ? 0
                             : choice & 32 ? RIG_HOST(77)
                                           : RIG_OUTSIDE,
                             prefix_mask(24), choice & 64 ? 0 : RIG_GATEWAY);
}

static void add_rule(struct config *c, uint8_t action, struct config_where from,
                     struct config_where to)
{
    c->rules[c->rule_count++] =
        (struct config_rule){.action = action, .log = true, .from = from, .to = to};
}

static void make_rules(struct config *c)
{
    const struct config_where uplink = {.kind = WHERE_UPLINK}, router = {.kind = WHERE_ROUTER};
    const struct config_where lan = {.kind = WHERE_NET, .net = RIG_LAN};
    const struct config_where lab = {.kind = WHERE_NET, .net = RIG_LAB};
    const struct config_where hosts = {.kind = WHERE_CIDR, .ip = RIG_LAB_HOST(4), .prefix = 31};

    if (c->nets[RIG_LAB].mode != NET_INTERNAL)
        c->nets[RIG_LAB].mode = NET_ROUTED;
    add_rule(c, RULE_REJECT, uplink, hosts);
    add_rule(c, RULE_ALLOW, uplink, lab);
    add_rule(c, RULE_REJECT, hosts, lan);
    add_rule(c, RULE_ALLOW, lan, lab);
    add_rule(c, RULE_DENY, lab, router);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rig r;
    struct script s = {data, size};
    uint32_t setup = take(&s, 1);

    static struct config c;
    rig_configure(&c, setup & 15);
    make_site(&c, take(&s, 1));
    if (setup & 128)
        make_rules(&c);
    rig_start_config(&r, &c, (setup >> 4) & (NIC_TX_CSUM | NIC_TX_TSO4 | NIC_TX_ECN));
    for (uint8_t i = 2; i < 5; i++)
        dataplane_bind(r.dp, RIG_LAN, RIG_HOST(i), rig_mac(RIG_HOST(i)),
                       i == 2 ? UINT64_MAX : r.now_us + 60000000);
    while (s.left > 0) {
        uint8_t what = (uint8_t)take(&s, 1);
        unsigned port = take(&s, 1) % RIG_PORTS;
        if (what < 192)
            frame_step(&r, &s, what, port);
        else if (what < 224)
            r.now_us += take(&s, 2) * 1000ull;
        else if (what < 240)
            stack_step(&r, &s, port);
        else
            machine_step(&r, &s, port);
        if (what % 3 != 0 || r.nics[port].rx_tail - r.nics[port].rx_head > 60)
            rig_step(&r);
        if (what % 8 == 0 || r.pool.free_count < RIG_BUFFERS / 4)
            rig_flush(&r);
    }
    while (rig_step(&r) > 0)
        ;
    for (unsigned i = 0; i < RIG_PORTS; i++) {
        r.nics[i].up = true;
        r.nics[i].tx_room = UINT32_MAX;
    }
    rig_stop(&r);
    return 0;
}
