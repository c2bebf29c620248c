/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See naive_packet.h.
 */
#include "tests/model/naive_packet.h"

/* ---- bytes and sums ---- */

unsigned naive_get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)naive_get16(p) << 16 | naive_get16(p + 2);
}

void naive_put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void naive_put32(uint8_t *p, uint32_t v)
{
    naive_put16(p, v >> 16);
    naive_put16(p + 2, v & 0xFFFF);
}

unsigned naive_sum(unsigned sum, const uint8_t *p, size_t n)
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
    naive_put16(header + 10, (unsigned)k->l4_bytes);
    return naive_sum(0, header, sizeof(header));
}

uint8_t *naive_csum_field(const struct naive_packet *k)
{
    return k->l4 + (k->proto == 6 ? 16 : k->proto == 17 ? 6 : 2);
}

/* What the checksum field ought to hold. */
static unsigned right_csum(const struct naive_packet *k)
{
    uint8_t *field = naive_csum_field(k);
    unsigned held = naive_get16(field);
    if (k->partial)
        return pseudo(k);
    naive_put16(field, 0);
    unsigned csum = ~naive_sum(k->proto == 1 ? 0 : pseudo(k), k->l4, k->l4_bytes) & 0xFFFF;
    naive_put16(field, held);
    return csum == 0 && k->proto == 17 ? 0xFFFF : csum;
}

/* ---- frames ---- */

bool naive_is_portless(unsigned proto)
{
    return proto == 47 || proto == 50;
}

struct naive_packet naive_take_apart(uint8_t *frame, bool partial)
{
    struct naive_packet k = {.ip = frame + 14, .partial = partial};
    k.l4 = k.ip + (k.ip[0] & 15) * 4;
    k.ip_bytes = naive_get16(k.ip + 2);
    k.l4_bytes = k.ip_bytes - (size_t)(k.l4 - k.ip);
    k.src = get32(k.ip + 12);
    k.dst = get32(k.ip + 16);
    k.proto = k.ip[9];
    if (k.proto == 1) {
        k.type = k.l4[0];
        k.sport = k.dport = naive_get16(k.l4 + 4);
    } else if (!naive_is_portless(k.proto)) {
        k.sport = naive_get16(k.l4);
        k.dport = naive_get16(k.l4 + 2);
    }
    if (k.proto == 6) {
        k.flags = k.l4[13];
        k.seq = get32(k.l4 + 4);
        k.ack = get32(k.l4 + 8);
        k.data_bytes = (uint32_t)(k.l4_bytes - (k.l4[12] >> 4) * 4u);
        if (k.l4[12] >> 4 > 5 && k.l4[20] == 3)
            k.scale = k.l4[22] < 14 ? k.l4[22] : 14;
    }
    return k;
}

void naive_put_endpoint(struct naive_packet *k, bool as_source, uint32_t ip, unsigned port)
{
    bool l4 = !naive_is_portless(k->proto);
    unsigned held = l4 ? naive_get16(naive_csum_field(k)) : 0, right = l4 ? right_csum(k) : 0;
    unsigned ip_held = naive_get16(k->ip + 10);
    naive_put16(k->ip + 10, 0);
    bool ip_right = ip_held == (~naive_sum(0, k->ip, (size_t)(k->l4 - k->ip)) & 0xFFFF);

    naive_put32(k->ip + (as_source ? 12 : 16), ip);
    if (l4)
        naive_put16(k->l4 + (k->proto == 1 ? 4 : as_source ? 0 : 2), port);
    naive_put16(k->ip + 10,
                ip_right ? ~naive_sum(0, k->ip, (size_t)(k->l4 - k->ip)) & 0xFFFF : 0xDEAD);
    if (!l4 || (k->proto == 17 && held == 0 && !k->partial))
        return;
    if (held == right) {
        naive_put16(naive_csum_field(k), right_csum(k));
        return;
    }
    unsigned off = (held + 0xFFFF - right) % 0xFFFF;
    naive_put16(naive_csum_field(k), (right_csum(k) + off) % 0xFFFF);
}

unsigned naive_follow(unsigned csum, const uint8_t *old, const uint8_t *new, size_t n)
{
    unsigned sum = ~csum & 0xFFFF;
    for (size_t i = 0; i < n; i += 2) {
        sum += (~naive_get16(old + i) & 0xFFFF) + naive_get16(new + i);
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return ~sum & 0xFFFF;
}
