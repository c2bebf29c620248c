/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Forwards; see nat_forward.h, and nat.h for what they mean.
 *
 * Theory of operation. A forward is a range of ports outside and one or more hosts inside; nothing
 * in it is a flow's or a mapping's, so it costs nothing until a flow is opened. One sorted table
 * has its ranges: one row under the outside port, zone NETWORK_UPLINK and address 0, and one row
 * under each host's ports. Of a group of rows (protocol, zone, address) that begin at or below a
 * port, those that reach it are found by walking back from the last one, as far as any earlier row
 * reaches: ranges overlap only where bind= or from= tell them apart, so that is a step or two.
 *
 * The ports that forwards have taken out of the pools are noted in a bitmap of their own, because a
 * port that was the router's before stays the router's: inside a range, too.
 *
 * Invariant: a port in forward_ports is taken in the pool of its protocol, and belongs to no
 * mapping.
 */
#include "net/nat_forward.h"
#include "net/nat_mapping.h"

#define SPANS_MAX (NAT_MAX_FORWARDS * (1 + NAT_MAX_TARGETS))
#define NOT_FOUND UINT16_MAX
static_assert(NAT_MAX_FORWARDS < NOT_FOUND, "forwards are numbered by 16 bits");

/* Ports are in host order. */
struct nat_span {
    be32 ip; /* 0: outside */
    uint8_t proto, zone;
    uint16_t first, last;
    uint16_t reach; /* the highest last of this row and those of its group before it */
    uint16_t forward;
};

size_t forward_bytes(void)
{
    return SPANS_MAX * sizeof(struct nat_span);
}

int forward_init(struct nat *nat, alloc_fn alloc)
{
    nat->spans = alloc(forward_bytes(), CACHE_LINE_BYTES);
    return nat->spans ? 0 : -ENOMEM;
}

/* ---- the table ---- */

static uint64_t group_of(be32 ip, uint8_t proto, uint8_t zone)
{
    return ip | (uint64_t)proto << 32 | (uint64_t)zone << 40;
}

static bool is_before(const struct nat_span *a, const struct nat_span *b)
{
    uint64_t left = group_of(a->ip, a->proto, a->zone), right = group_of(b->ip, b->proto, b->zone);
    return left != right ? left < right : a->first < b->first;
}

/* By insertion: the rows come nearly sorted, as people write them, or are few. */
static void add_span(struct nat *nat, const struct nat_span *span)
{
    unsigned at = nat->span_count++;

    CHECK(at < SPANS_MAX);
    for (; at > 0 && is_before(span, &nat->spans[at - 1]); at--)
        nat->spans[at] = nat->spans[at - 1];
    nat->spans[at] = *span;
}

static void add_forward(struct nat *nat, unsigned i)
{
    const struct nat_forward *fwd = &nat->forwards[i];
    uint16_t count = (uint16_t)(fwd->last_port - fwd->first_port);
    struct nat_span span = {.proto = fwd->proto,
                            .zone = NETWORK_UPLINK,
                            .first = fwd->first_port,
                            .last = fwd->last_port,
                            .forward = (uint16_t)i};

    add_span(nat, &span);
    span.zone = fwd->zone;
    span.first = fwd->target_port;
    span.last = (uint16_t)(fwd->target_port + count);
    for (unsigned t = 0; t < fwd->target_count; t++) {
        span.ip = fwd->targets[t];
        add_span(nat, &span);
    }
}

static void set_reaches(struct nat *nat)
{
    for (unsigned i = 0; i < nat->span_count; i++) {
        struct nat_span *s = &nat->spans[i], *before = s - 1;
        bool same = i > 0 && group_of(before->ip, before->proto, before->zone) ==
                                 group_of(s->ip, s->proto, s->zone);
        s->reach = same ? MAX(before->reach, s->last) : s->last;
    }
}

/* How many rows begin before or at this place. */
static unsigned rows_up_to(const struct nat *nat, const struct nat_span *place)
{
    unsigned low = 0, high = nat->span_count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (is_before(place, &nat->spans[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool has_ports(uint8_t proto)
{
    return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP;
}

/* True if forwards have this port of the router's address. */
static bool is_forwarded(const struct nat *nat, uint8_t proto, uint16_t port)
{
    return has_ports(proto) &&
           (nat->forward_ports[proto == IP_PROTO_UDP][port / 64] >> port % 64 & 1);
}

static bool is_in_force(const struct nat *nat, const struct nat_forward *fwd)
{
    return fwd->bind_ip == 0 || fwd->bind_ip == nat->outside_ip;
}

/* The first forward in force that has the port in this group, and that remote (NULL: anybody) may
 * use. */
static const struct nat_forward *find(const struct nat *nat, const struct nat_span *place,
                                      const be32 *remote)
{
    uint64_t group = group_of(place->ip, place->proto, place->zone);
    unsigned best = NOT_FOUND;

    if (nat->span_count == 0)
        return NULL;
    for (unsigned i = rows_up_to(nat, place); i-- > 0;) {
        const struct nat_span *s = &nat->spans[i];
        if (group_of(s->ip, s->proto, s->zone) != group || s->reach < place->first)
            break;
        const struct nat_forward *fwd = &nat->forwards[s->forward];
        uint16_t outside = (uint16_t)(place->first - s->first + fwd->first_port);
        if (s->last >= place->first && s->forward < best && is_in_force(nat, fwd) &&
            is_forwarded(nat, place->proto, outside) &&
            (!remote || ip4_in_prefix(*remote, fwd->from_ip, fwd->from_mask)))
            best = s->forward;
    }
    return best != NOT_FOUND ? &nat->forwards[best] : NULL;
}

/* ---- setting them ---- */

static void release_ports(struct nat *nat)
{
    static const uint8_t protos[] = {IP_PROTO_TCP, IP_PROTO_UDP};

    for (unsigned i = 0; i < ARRAY_COUNT(protos); i++)
        for (uint32_t port = 1; port < 65536; port++)
            if (is_forwarded(nat, protos[i], (uint16_t)port))
                port_pool_release(mapping_pool(nat, protos[i]), (uint16_t)port);
    memset(nat->forward_ports, 0, sizeof(nat->forward_ports));
}

/* Takes the ports of a forward that no other forward has; true if at least one is the forwards'. */
static bool take_ports(struct nat *nat, const struct nat_forward *fwd)
{
    uint64_t *ports = nat->forward_ports[fwd->proto == IP_PROTO_UDP];
    bool any = false;

    for (uint32_t port = fwd->first_port; port <= fwd->last_port; port++) {
        if (port_pool_take_exact(mapping_pool(nat, fwd->proto), (uint16_t)port))
            ports[port / 64] |= 1ull << port % 64;
        any |= ports[port / 64] >> port % 64 & 1;
    }
    return any;
}

bool forward_wants(const struct nat_forward *forwards, unsigned count, uint8_t proto, be16 port)
{
    for (unsigned i = 0; i < count; i++)
        if (forwards[i].proto == proto && ntoh16(port) >= forwards[i].first_port &&
            ntoh16(port) <= forwards[i].last_port)
            return true;
    return false;
}

unsigned forward_set(struct nat *nat, const struct nat_forward *forwards, unsigned count)
{
    unsigned in_force = 0;

    CHECK(count <= NAT_MAX_FORWARDS);
    if (nat->forward_count > 0)
        release_ports(nat);
    nat->forwards = forwards;
    nat->forward_count = count;
    nat->last_resort = NULL;
    nat->span_count = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct nat_forward *fwd = &forwards[i];
        CHECK(fwd->target_count > 0 && fwd->target_count <= NAT_MAX_TARGETS);
        nat->forward_turn[i] = 0;
        if (fwd->proto == 0) {
            nat->last_resort = fwd;
            in_force++;
            continue;
        }
        CHECK(fwd->first_port > 0 && fwd->first_port <= fwd->last_port &&
              fwd->last_port - fwd->first_port <= UINT16_MAX - fwd->target_port);
        add_forward(nat, i);
        in_force += take_ports(nat, fwd);
    }
    set_reaches(nat);
    return in_force;
}

/* ---- finding ---- */

const struct nat_forward *forward_find_outside(const struct nat *nat, const struct flow_tuple *k)
{
    const struct nat_span place = {
        .proto = k->proto, .zone = NETWORK_UPLINK, .first = ntoh16(k->dport)};

    return find(nat, &place, &k->src);
}

const struct nat_forward *forward_find_listed(const struct nat *nat, const struct flow_tuple *k)
{
    const struct nat_span place = {
        .ip = k->src, .proto = k->proto, .zone = k->zone, .first = ntoh16(k->sport)};

    return find(nat, &place, NULL);
}

bool forward_last_resort(const struct nat *nat, const struct flow_tuple *k,
                         struct flow_tuple *inside)
{
    const struct nat_forward *fwd = nat->last_resort;

    if (!fwd || !has_ports(k->proto) || !is_in_force(nat, fwd) ||
        !ip4_in_prefix(k->src, fwd->from_ip, fwd->from_mask))
        return false;
    *inside = (struct flow_tuple){
        .src = fwd->targets[0], .sport = k->dport, .proto = k->proto, .zone = fwd->zone};
    return true;
}

bool forward_claims(const struct nat *nat, uint8_t proto, be16 port)
{
    const struct nat_span place = {.proto = proto, .zone = NETWORK_UPLINK, .first = ntoh16(port)};
    bool free_port =
        has_ports(proto) && !port_pool_is_taken(&nat->pools[proto == IP_PROTO_UDP], ntoh16(port));

    return find(nat, &place, NULL) ||
           (free_port && nat->last_resort && is_in_force(nat, nat->last_resort));
}

bool forward_leads_to(const struct nat_forward *fwd, const struct flow *f)
{
    if (fwd->zone != f->zone || forward_in_port(fwd, f->out_port) != f->in_port)
        return false;
    for (unsigned t = 0; t < fwd->target_count; t++)
        if (fwd->targets[t] == f->in_ip)
            return true;
    return false;
}
