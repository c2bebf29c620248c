/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See lab_tcp.h.
 */
#include "tests/fake/lab_tcp.h"

static struct tcp_end ends[LAB_TCP_ENDS];
static unsigned end_count;

struct frame lab_tcp_other;
unsigned lab_tcp_others;

void lab_tcp_reset(void)
{
    end_count = 0;
    lab_tcp_others = 0;
}

struct tcp_end *lab_tcp_end(unsigned port, be32 ip, uint16_t own, be32 peer_ip, uint16_t peer)
{
    struct tcp_end *e = &ends[end_count++];

    CHECK(end_count <= LAB_TCP_ENDS);
    memset(e, 0, sizeof(*e));
    e->port = port;
    e->ip = ip;
    e->own = own;
    e->peer_ip = peer_ip;
    e->peer = peer;
    e->window = 65535;
    e->seq = 1000;
    return e;
}

static const uint8_t *mac_of(unsigned port, be32 ip)
{
    static uint8_t mac[MAC_BYTES];

    if (port == UPLINK_PORT)
        return lab_gateway_mac;
    mac[0] = 2;
    mac[1] = (uint8_t)port;
    memcpy(mac + 2, &ip, 4);
    return mac;
}

static bool is_somebody(unsigned port, be32 ip)
{
    for (unsigned i = 0; i < end_count; i++)
        if (ends[i].port == port && ends[i].ip == ip)
            return true;
    return port == UPLINK_PORT;
}

static struct tcp_end *end_of(unsigned port, const struct frame *f)
{
    const uint8_t *tcp = f->b + f->l4;

    for (unsigned i = 0; i < end_count; i++) {
        struct tcp_end *e = &ends[i];
        if (f->b[f->l3 + IP4_PROTO_OFF] == IP_PROTO_TCP && e->port == port &&
            e->ip == load_raw32(f->b + f->l3 + IP4_DST_OFF) &&
            e->peer_ip == load_raw32(f->b + f->l3 + IP4_SRC_OFF) &&
            e->own == load_be16(tcp + TCP_DPORT_OFF) && e->peer == load_be16(tcp + TCP_SPORT_OFF))
            return e;
    }
    return NULL;
}

static void take_segment(struct tcp_end *e, const struct frame *f)
{
    const uint8_t *tcp = f->b + f->l4, *data = tcp + (size_t)(tcp[TCP_DATAOFF_OFF] >> 4) * 4;
    size_t n = f->l3 + load_be16(f->b + f->l3 + IP4_LEN_OFF) - (size_t)(data - f->b);
    uint32_t seq = load_be32(tcp + TCP_SEQ_OFF);
    unsigned flags = tcp[TCP_FLAGS_OFF];

    e->segments++;
    e->flags |= flags;
    if (flags & SYN)
        e->ack = seq + 1;
    else if (seq == e->ack) {
        CHECK(e->n + n <= LAB_TCP_GOT_BYTES);
        memcpy(e->got + e->n, data, n);
        e->n += n;
        e->ack += (uint32_t)n + (flags & FIN ? 1 : 0);
    }
}

void lab_tcp_take(void)
{
    bool any = true;

    while (any) {
        any = false;
        for (unsigned port = 0; port < lab.port_count; port++) {
            if (!lab_sent(port))
                continue;
            any = true;
            be32 wanted = load_raw32(lab.got.b + 38), asker = load_raw32(lab.got.b + 28);
            struct tcp_end *e = lab_is_arp(1) ? NULL : end_of(port, &lab.got);
            if (lab_is_arp(1) && is_somebody(port, wanted)) {
                lab_make_arp(mac_of(port, wanted), 2, wanted, asker);
                lab_receive(port);
            } else if (e) {
                take_segment(e, &lab.got);
            } else if (!lab_is_arp(1)) {
                lab_tcp_other = lab.got;
                lab_tcp_others++;
            }
        }
    }
}

void lab_tcp_send(struct tcp_end *e, unsigned flags, const void *bytes, size_t n)
{
    lab_make_ip(e->port, mac_of(e->port, e->ip), e->ip, e->peer_ip, IP_PROTO_TCP, n);
    uint8_t *tcp = lab.f.b + lab.f.l4;
    store_be16(tcp + TCP_SPORT_OFF, e->own);
    store_be16(tcp + TCP_DPORT_OFF, e->peer);
    store_be32(tcp + TCP_SEQ_OFF, e->seq);
    store_be32(tcp + TCP_ACK_OFF, flags & ACK ? e->ack : 0);
    tcp[TCP_FLAGS_OFF] = (uint8_t)flags;
    store_be16(tcp + TCP_WINDOW_OFF, e->window);
    if (n > 0)
        memcpy(lab.f.b + lab.f.payload, bytes, n);
    lab_finish();
    e->seq += (uint32_t)n + (flags & (SYN | FIN) ? 1 : 0);
    lab_receive(e->port);
    lab_tcp_take();
}

bool lab_tcp_open(struct tcp_end *e)
{
    lab_tcp_send(e, SYN, NULL, 0);
    if ((e->flags & (SYN | ACK | RST)) != (SYN | ACK))
        return false;
    lab_tcp_send(e, ACK, NULL, 0);
    return !(e->flags & RST);
}

void lab_tcp_read(struct tcp_end *e)
{
    size_t before;

    do {
        before = e->n;
        lab_tcp_send(e, ACK, NULL, 0);
    } while (e->n > before);
}
