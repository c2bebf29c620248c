/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See naive_nat.h.
 */
#include "tests/model/naive_nat.h"

/* ---- bytes and sums ---- */

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xFFFF);
}

static unsigned sum_of(unsigned sum, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum += i % 2 == 0 ? (unsigned)p[i] << 8 : p[i];
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return sum;
}

static unsigned pseudo(const struct naive_packet *k)
{
    uint8_t header[12];
    memcpy(header, k->ip + 12, 8);
    header[8] = 0;
    header[9] = (uint8_t)k->proto;
    put16(header + 10, (unsigned)k->l4_bytes);
    return sum_of(0, header, sizeof(header));
}

static uint8_t *csum_field(const struct naive_packet *k)
{
    return k->l4 + (k->proto == 6 ? 16 : k->proto == 17 ? 6 : 2);
}

/* What the checksum field ought to hold. */
static unsigned right_csum(const struct naive_packet *k)
{
    uint8_t *field = csum_field(k);
    unsigned held = get16(field);
    if (k->partial)
        return pseudo(k);
    put16(field, 0);
    unsigned csum = ~sum_of(k->proto == 1 ? 0 : pseudo(k), k->l4, k->l4_bytes) & 0xFFFF;
    put16(field, held);
    return csum == 0 && k->proto == 17 ? 0xFFFF : csum;
}

/* ---- frames ---- */

static struct naive_packet take_apart(uint8_t *frame, bool partial)
{
    struct naive_packet k = {.ip = frame + 14, .partial = partial};
    k.l4 = k.ip + (k.ip[0] & 15) * 4;
    k.ip_bytes = get16(k.ip + 2);
    k.l4_bytes = k.ip_bytes - (size_t)(k.l4 - k.ip);
    k.src = get32(k.ip + 12);
    k.dst = get32(k.ip + 16);
    k.proto = k.ip[9];
    if (k.proto == 1) {
        k.type = k.l4[0];
        k.sport = k.dport = get16(k.l4 + 4);
    } else {
        k.sport = get16(k.l4);
        k.dport = get16(k.l4 + 2);
        k.flags = k.proto == 6 ? k.l4[13] : 0;
    }
    return k;
}

/* Writes one endpoint, as source or as destination, and makes both checksums as right as they were:
 * a wrong one must stay wrong by the same amount, for the receiver to see. */
static void put_endpoint(struct naive_packet *k, bool as_source, uint32_t ip, unsigned port)
{
    unsigned held = get16(csum_field(k)), right = right_csum(k);
    unsigned ip_held = get16(k->ip + 10);
    put16(k->ip + 10, 0);
    bool ip_right = ip_held == (~sum_of(0, k->ip, (size_t)(k->l4 - k->ip)) & 0xFFFF);

    put32(k->ip + (as_source ? 12 : 16), ip);
    put16(k->l4 + (k->proto == 1 ? 4 : as_source ? 0 : 2), port);
    put16(k->ip + 10, ip_right ? ~sum_of(0, k->ip, (size_t)(k->l4 - k->ip)) & 0xFFFF : 0xDEAD);
    if (k->proto == 17 && held == 0 && !k->partial)
        return;
    if (held == right) {
        put16(csum_field(k), right_csum(k));
        return;
    }
    unsigned off = (held + 0xFFFF - right) % 0xFFFF;
    put16(csum_field(k), (right_csum(k) + off) % 0xFFFF);
}

/* ---- laws ---- */

static unsigned pool_of(unsigned proto)
{
    return proto == 6 ? 0 : proto == 17 ? 1 : 2;
}

static void check(struct naive_nat *n, bool lawful, const char *law)
{
    if (!lawful && !n->error)
        n->error = law;
}

static bool forward_holds(const struct naive_nat *n, unsigned proto, unsigned port)
{
    for (unsigned i = 0; i < n->forward_count; i++)
        if (n->forwards[i].proto == proto && n->forwards[i].port == port)
            return true;
    return false;
}

static bool port_is_free(const struct naive_nat *n, unsigned proto, unsigned port)
{
    if (port == 0 || n->reserved[pool_of(proto)][port] || forward_holds(n, proto, port))
        return false;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->mappings[i].live && n->mappings[i].proto == proto && n->mappings[i].out_port == port)
            return false;
    return true;
}

/* ---- mappings and flows ---- */

static bool bound_here(const struct naive_nat *n, const struct naive_forward *f)
{
    return f->bind == 0 || f->bind == n->outside;
}

static struct naive_mapping *mapping_of(struct naive_nat *n, const struct naive_flow *f)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->mappings[i].live && n->mappings[i].proto == f->proto &&
            n->mappings[i].out_port == f->out_port)
            return &n->mappings[i];
    return NULL;
}

static bool uses(const struct naive_flow *f, const struct naive_mapping *m)
{
    return f->live && !f->through_forward && f->proto == m->proto && f->out_port == m->out_port;
}

static bool mapping_is_held(const struct naive_nat *n, const struct naive_mapping *m)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (uses(&n->flows[i], m) && n->flows[i].holds)
            return true;
    return false;
}

static void end(struct naive_nat *n, struct naive_flow *f)
{
    f->live = false;
    if (f->through_forward)
        return;
    struct naive_mapping *m = mapping_of(n, f);
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (uses(&n->flows[i], m))
            return;
    m->live = false;
}

static struct naive_flow *new_flow(struct naive_nat *n)
{
    for (unsigned i = 0; i < n->capacity; i++) {
        if (!n->flows[i].live) {
            memset(&n->flows[i], 0, sizeof(n->flows[i]));
            n->flows[i].live = true;
            return &n->flows[i];
        }
    }
    return NULL;
}

static struct naive_flow *find_out(struct naive_nat *n, unsigned proto, unsigned zone,
                                   uint32_t in_ip, unsigned in_port, uint32_t rem_ip,
                                   unsigned rem_port)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_flow *f = &n->flows[i];
        if (f->live && f->proto == proto && f->zone == zone && f->in_ip == in_ip &&
            f->in_port == in_port && f->rem_ip == rem_ip && (proto == 1 || f->rem_port == rem_port))
            return f;
    }
    return NULL;
}

static struct naive_flow *find_in(struct naive_nat *n, unsigned proto, uint32_t rem_ip,
                                  unsigned rem_port, uint32_t out_ip, unsigned out_port)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_flow *f = &n->flows[i];
        if (f->live && f->proto == proto && f->out_ip == out_ip && f->out_port == out_port &&
            f->rem_ip == rem_ip && (proto == 1 || f->rem_port == rem_port))
            return f;
    }
    return NULL;
}

enum naive_state naive_state_of(const struct naive_flow *f)
{
    if (f->proto == 1)
        return NAIVE_PING;
    if (f->proto == 17)
        return f->answered ? NAIVE_STREAM : NAIVE_ONE_WAY;
    if (f->rst || (f->fin[0] && f->fin[1]))
        return NAIVE_CLOSING;
    return f->syn[0] && f->syn[1] && f->ack[0] && f->ack[1] ? NAIVE_OPEN : NAIVE_OPENING;
}

static uint32_t timeout_ms(const struct naive_flow *f)
{
    static const uint32_t seconds[] = {120, 300, 240, 7440, 240, 60};
    return seconds[naive_state_of(f)] * 1000;
}

void naive_expire(struct naive_nat *n, uint32_t now_ms)
{
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_flow *f = &n->flows[i];
        if (f->live && (uint32_t)(now_ms - f->last_ms) >= timeout_ms(f))
            end(n, f);
    }
}

unsigned naive_flow_count(const struct naive_nat *n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        count += n->flows[i].live;
    return count;
}

unsigned naive_mapping_count(const struct naive_nat *n)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        count += n->mappings[i].live;
    return count;
}

bool naive_claims(const struct naive_nat *n, unsigned proto, unsigned port)
{
    for (unsigned i = 0; i < n->forward_count; i++)
        if (n->forwards[i].proto == proto && n->forwards[i].port == port &&
            bound_here(n, &n->forwards[i]))
            return true;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->mappings[i].live && n->mappings[i].proto == proto && n->mappings[i].out_port == port)
            return true;
    return false;
}

void naive_set_outside(struct naive_nat *n, uint32_t ip)
{
    n->outside = ip;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++)
        if (n->flows[i].live && n->flows[i].out_ip != ip)
            end(n, &n->flows[i]);
}

static const struct naive_forward *open_forward(const struct naive_nat *n, unsigned proto,
                                                unsigned port, uint32_t remote)
{
    for (unsigned i = 0; i < n->forward_count; i++) {
        const struct naive_forward *f = &n->forwards[i];
        if (f->proto == proto && f->port == port && bound_here(n, f) &&
            ((remote ^ f->from) & f->from_mask) == 0)
            return f;
    }
    return NULL;
}

void naive_set_forwards(struct naive_nat *n, const struct naive_forward *forwards, unsigned count)
{
    memcpy(n->forwards, forwards, count * sizeof(*forwards));
    n->forward_count = count;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        struct naive_flow *f = &n->flows[i];
        if (!f->live)
            continue;
        const struct naive_forward *fwd = open_forward(n, f->proto, f->out_port, f->rem_ip);
        if (f->through_forward ? !fwd || fwd->target != f->in_ip ||
                                     fwd->target_port != f->in_port || fwd->zone != f->zone
                               : forward_holds(n, f->proto, f->out_port))
            end(n, f);
    }
}

/* ---- packets ---- */

/* What a packet does to its flow. */
static void track(struct naive_flow *f, const struct naive_packet *k, unsigned way, uint32_t now_ms)
{
    enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
    bool was_closing = naive_state_of(f) == NAIVE_CLOSING;

    f->bytes[way] += k->ip_bytes;
    if (f->proto != 6) {
        f->answered |= (way == 0) == f->opened_in;
        if (way == 0) {
            f->last_ms = now_ms;
            f->holds = true;
        }
        return;
    }
    if (k->flags & RST) {
        if (!was_closing)
            f->last_ms = now_ms;
        f->rst = true;
        return;
    }
    f->last_ms = now_ms;
    f->holds |= way == 0;
    f->rst = false;
    if (was_closing && (k->flags & (SYN | ACK)) == SYN)
        for (unsigned w = 0; w < 2; w++)
            f->syn[w] = f->ack[w] = f->fin[w] = false;
    /* The acknowledgements that matter are those of a connection that is not open. */
    f->syn[way] |= (k->flags & SYN) != 0;
    f->ack[way] |= (k->flags & ACK) != 0;
    f->fin[way] |= (k->flags & FIN) != 0;
}

static bool may_begin(struct naive_flow *f, const struct naive_packet *k, bool in_the_middle)
{
    unsigned flags = k->flags & 0x17;
    if (k->proto != 6 || flags == 2)
        return true;
    if (flags != 16 || !in_the_middle)
        return false;
    f->syn[0] = f->syn[1] = true;
    return true;
}

static enum drop_reason judge_choice(struct naive_nat *n, const struct naive_packet *k,
                                     unsigned chosen)
{
    unsigned wanted = k->sport;
    check(n, chosen != 0, "a port was to be had");
    check(n, port_is_free(n, k->proto, chosen), "U3: no port for two endpoints");
    if (wanted != 0 && port_is_free(n, k->proto, wanted))
        check(n, chosen == wanted, "a free inside port is kept");
    check(n, (chosen & 1) == (wanted & 1), "U4: parity is kept");
    check(n, wanted == 0 || (chosen < 1024) == (wanted < 1024), "U3a: the range is kept");
    return DROP_NONE;
}

static unsigned map_out(struct naive_nat *n, const struct naive_packet *k, unsigned zone,
                        unsigned chosen, bool *through_forward)
{
    *through_forward = true;
    for (unsigned i = 0; i < n->forward_count; i++) {
        const struct naive_forward *f = &n->forwards[i];
        if (f->proto == k->proto && f->zone == zone && f->target == k->src &&
            f->target_port == k->sport && bound_here(n, f))
            return f->port;
    }
    *through_forward = false;
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        const struct naive_mapping *m = &n->mappings[i];
        if (m->live && m->proto == k->proto && m->zone == zone && m->in_ip == k->src &&
            m->in_port == k->sport)
            return m->out_port;
    }
    judge_choice(n, k, chosen);
    for (unsigned i = 0; i < NAIVE_MAX_FLOWS; i++) {
        if (!n->mappings[i].live) {
            n->mappings[i] = (struct naive_mapping){true, k->proto, zone, k->sport, chosen, k->src};
            return chosen;
        }
    }
    return 0;
}

enum drop_reason naive_out(struct naive_nat *n, uint8_t *frame, bool partial, unsigned zone,
                           uint32_t now_ms, unsigned chosen)
{
    struct naive_packet k = take_apart(frame, partial);
    struct naive_flow like = {.live = true};

    if (k.proto == 1 && k.type != 8)
        return DROP_UNSOLICITED;
    struct naive_flow *f = find_out(n, k.proto, zone, k.src, k.sport, k.dst, k.dport);
    if (!f) {
        if (n->outside == 0)
            return DROP_NO_UPLINK;
        if (!may_begin(&like, &k, true))
            return DROP_UNSOLICITED;
        if (naive_flow_count(n) == n->capacity)
            return DROP_FLOWS_FULL;
        like.out_port = map_out(n, &k, zone, chosen, &like.through_forward);
        if (find_in(n, k.proto, k.dst, k.dport, n->outside, like.out_port))
            return DROP_PORTS_FULL;
        like.proto = k.proto;
        like.zone = zone;
        like.in_ip = k.src;
        like.in_port = k.sport;
        like.rem_ip = k.dst;
        like.rem_port = k.dport;
        like.out_ip = n->outside;
        f = new_flow(n);
        *f = like;
    }
    check(n, chosen == f->out_port, "U1: one outside port, whatever the remote end");
    put_endpoint(&k, true, f->out_ip, f->out_port);
    track(f, &k, 0, now_ms);
    return DROP_NONE;
}

enum drop_reason naive_in(struct naive_nat *n, uint8_t *frame, bool partial, uint32_t now_ms)
{
    struct naive_packet k = take_apart(frame, partial);
    struct naive_flow like = {.live = true, .opened_in = true};

    if (k.proto == 1 && k.type != 0)
        return DROP_UNSOLICITED;
    struct naive_flow *f = find_in(n, k.proto, k.src, k.sport, k.dst, k.dport);
    if (!f) {
        if (k.dst != n->outside || k.proto == 1)
            return DROP_UNSOLICITED;
        const struct naive_forward *fwd = open_forward(n, k.proto, k.dport, k.src);
        like.proto = k.proto;
        like.out_port = k.dport;
        const struct naive_mapping *m = fwd ? NULL : mapping_of(n, &like);
        if (!may_begin(&like, &k, fwd != NULL) || (!fwd && (!m || !mapping_is_held(n, m))))
            return DROP_UNSOLICITED;
        like.through_forward = fwd != NULL;
        like.zone = fwd ? fwd->zone : m->zone;
        like.in_ip = fwd ? fwd->target : m->in_ip;
        like.in_port = fwd ? fwd->target_port : m->in_port;
        like.rem_ip = k.src;
        like.rem_port = k.sport;
        like.out_ip = k.dst;
        like.last_ms = now_ms;
        if (naive_flow_count(n) == n->capacity)
            return DROP_FLOWS_FULL;
        if (find_out(n, k.proto, like.zone, like.in_ip, like.in_port, k.src, k.sport))
            return DROP_UNSOLICITED;
        f = new_flow(n);
        *f = like;
    }
    put_endpoint(&k, false, f->in_ip, f->in_port);
    track(f, &k, 1, now_ms);
    return DROP_NONE;
}

/* ---- errors ---- */

/* The quoted transport checksum, changed by what changed in the packet it belongs to: the quotation
 * is cut, so it cannot be computed from nothing. Word by word, old and new side by side. */
static unsigned follow(unsigned csum, const uint8_t *old, const uint8_t *new, size_t n)
{
    unsigned sum = ~csum & 0xFFFF;
    for (size_t i = 0; i < n; i += 2) {
        sum += (~get16(old + i) & 0xFFFF) + get16(new + i);
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return ~sum & 0xFFFF;
}

enum drop_reason naive_error(struct naive_nat *n, uint8_t *frame, unsigned zone, bool inward)
{
    struct naive_packet k = take_apart(frame, false), in = take_apart(k.l4 + 8 - 14, false);
    size_t quoted = k.l4_bytes - 8;
    if (k.l4[5] != 0 && quoted > k.l4[5] * 4u)
        quoted = k.l4[5] * 4u; /* behind that is an extension */
    if (quoted > in.ip_bytes)
        quoted = in.ip_bytes;
    quoted -= (size_t)(in.l4 - in.ip);
    uint8_t old[12], new[12];

    if (in.proto == 1 && in.type != (inward ? 8 : 0))
        return DROP_NO_MAPPING;
    struct naive_flow *f = inward ? find_in(n, in.proto, in.dst, in.dport, in.src, in.sport)
                                  : find_out(n, in.proto, zone, in.dst, in.dport, in.src, in.sport);
    if (!f || k.dst != in.src)
        return DROP_NO_MAPPING;

    memcpy(old, in.ip + 12, 8);
    memcpy(old + 8, in.l4, 4);
    if (in.proto == 1)
        memcpy(old + 8, in.l4 + 4, 2);
    put32(in.ip + (inward ? 12 : 16), inward ? f->in_ip : f->out_ip);
    put16(in.l4 + (in.proto == 1 ? 4 : inward ? 0 : 2), inward ? f->in_port : f->out_port);
    memcpy(new, in.ip + 12, 8);
    memcpy(new + 8, in.l4, 4);
    if (in.proto == 1)
        memcpy(new + 8, in.l4 + 4, 2);

    uint8_t *field = csum_field(&in);
    if ((size_t)(field + 2 - in.l4) <= quoted && !(in.proto == 17 && get16(field) == 0)) {
        unsigned csum = in.proto == 1 ? follow(get16(field), old + 8, new + 8, 2)
                                      : follow(get16(field), old, new, 12);
        put16(field, in.proto == 17 && csum == 0 ? 0xFFFF : csum);
    }
    put16(in.ip + 10, 0);
    put16(in.ip + 10, ~sum_of(0, in.ip, (size_t)(in.l4 - in.ip)) & 0xFFFF);

    put32(k.ip + (inward ? 16 : 12), inward ? f->in_ip : f->out_ip);
    put16(k.ip + 10, 0);
    put16(k.ip + 10, ~sum_of(0, k.ip, (size_t)(k.l4 - k.ip)) & 0xFFFF);
    put16(k.l4 + 2, 0);
    put16(k.l4 + 2, ~sum_of(0, k.l4, k.l4_bytes) & 0xFFFF);
    return DROP_NONE;
}
