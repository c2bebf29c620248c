/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See random_packet.h.
 */
#include "tests/fake/random_packet.h"
#include "check.h"
#include "net/wire/ip4.h"
#include "tests/fake/fake_random.h"
#include "tests/model/naive_packet.h"

static const uint8_t tcp_flags[] = {TCP_SYN,
                                    TCP_SYN,
                                    TCP_SYN | TCP_ACK,
                                    TCP_SYN | TCP_ACK,
                                    TCP_ACK,
                                    TCP_ACK,
                                    TCP_ACK | TCP_PSH,
                                    TCP_FIN | TCP_ACK,
                                    TCP_FIN | TCP_ACK,
                                    TCP_RST,
                                    TCP_RST | TCP_ACK,
                                    TCP_SYN | TCP_FIN,
                                    0};

/* So few that what fits is met often; the ends of windows of some scales are among them. */
static const uint32_t sequence[] = {UINT32_MAX, UINT32_MAX,  UINT32_MAX,
                                    UINT32_MAX, 0,           0,
                                    0,          1,           2,
                                    40,         3000,        65534,
                                    65535,      65536,       65535u * 2 - 1,
                                    65535u * 2, 65535u << 7, 65535u << 14,
                                    0x80000000};

enum offload random_frame(struct frame *f, const struct packet_ends *e)
{
    static const uint8_t options[8] = {7, 7, 4, 0, 0, 0, 0, 0}; /* record route */
    enum offload offload = (enum offload)rnd(OFFLOADS);
    bool portless = naive_is_portless(e->proto);
    struct frame_plan plan = {.proto = portless ? 17 : (uint8_t)e->proto, .payload_bytes = rnd(60)};

    if (offload == SUPER && (e->proto != IP_PROTO_TCP || rnd(8) != 0))
        offload = PARTIAL;
    if ((offload == PARTIAL && e->proto == IP_PROTO_ICMP) ||
        (offload == NO_CSUM && e->proto != IP_PROTO_UDP) || portless)
        offload = COMPLETE;
    if (offload == SUPER)
        plan.payload_bytes = 3000 + rnd(9000);
    if (rnd(8) == 0) {
        plan.ip_options = options;
        plan.ip_option_bytes = sizeof(options);
    }
    plan.tcp_flags = PICK(tcp_flags);
    uint8_t scale[4] = {3, 3, (uint8_t)rnd(18), 1};
    if (rnd(2)) {
        plan.tcp_options = scale;
        plan.tcp_option_bytes = sizeof(scale);
    }
    if (offload != SUPER && rnd(2))
        plan.payload_bytes = 0;
    frame_make(f, &plan);

    uint8_t *ip = f->b + f->l3, *l4 = f->b + f->l4;
    naive_put32(ip + 12, e->src);
    naive_put32(ip + 16, e->dst);
    if (portless) {
        ip[9] = (uint8_t)e->proto;
        frame_fix_ip_csum(f);
        return offload;
    }
    if (e->proto == IP_PROTO_ICMP) {
        l4[0] = e->reply ? 0 : 8;
        naive_put16(l4 + 4, e->reply ? e->dport : e->sport);
        if (rnd(4) == 0) {
            naive_put16(l4 + 6, 0);
            memset(l4 + 8, 0, f->n - f->payload); /* with identifier 0: nothing but zeros */
        }
    } else {
        naive_put16(l4, e->sport);
        naive_put16(l4 + 2, e->dport);
        if (e->proto == IP_PROTO_TCP) {
            naive_put32(l4 + 4, PICK(sequence));
            naive_put32(l4 + 8, PICK(sequence) + 1);
        }
    }
    frame_fix_ip_csum(f);
    frame_fix_l4_csum(f);
    uint8_t *csum = l4 + (e->proto == 6 ? 16 : e->proto == 17 ? 6 : 2);
    if (offload == PARTIAL || offload == SUPER)
        frame_partial_csum(f);
    if (offload == WRONG) {
        naive_put16(csum, rnd(65536));
        if (e->proto == 17 && csum[0] == 0 && csum[1] == 0)
            offload = NO_CSUM;
    }
    if (offload == NO_CSUM)
        naive_put16(csum, 0);
    return offload;
}

struct pkt *random_pkt(struct pkt_pool *pool, const struct frame *f, enum offload offload)
{
    struct pkt *p = frame_pkt(pool, f->b, f->n, 128 + rnd(2000), 3000, rnd);
    CHECK(p);
    if (offload == VERIFIED)
        p->flags = PKT_CSUM_VALID;
    if (offload == PARTIAL || offload == SUPER) {
        p->flags = PKT_NEEDS_CSUM;
        p->csum_start = (uint16_t)f->l4;
        p->csum_offset = f->b[f->l3 + 9] == 6 ? 16 : 6;
    }
    if (offload == SUPER) {
        p->gso_type = PKT_GSO_TCP4;
        p->gso_size = 1448;
        p->hdr_len = (uint16_t)f->payload;
    }
    return p;
}
