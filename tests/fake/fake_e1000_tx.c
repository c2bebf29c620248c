/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The transmitting half of the controller in software (317453, sections 3.3 to 3.5; 82576, section
 * 7.2): descriptors become frames, with sums and segments made a byte at a time.
 */
#include "tests/fake/fake_e1000.h"

#include "tests/fake/fake_machine.h"

#define TCP_SEQ      4
#define TCP_FLAGS    13
#define FIN_PSH      0x09
#define OPTIONS      (E1000_TXD_IXSM | E1000_TXD_TXSM)
#define PAYLEN_SHIFT 14
#define IPV6_BYTES   40

enum { CSUM, SEGMENT };

static uint8_t packet[FAKE_E1000_PACKET_MAX];

/* A packet as it is gathered from its descriptors. */
struct gathered {
    size_t n;
    bool begun, segment, fcs;
    uint32_t upper; /* of the first */
};

static void fault(struct fake_e1000 *f, const char *what)
{
    if (!f->fault)
        f->fault = what;
}

static uint32_t sum_bytes(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (uint32_t)p[i] << (i % 2 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return sum;
}

/* The sum from start on, with what the field holds, into the field. */
static void put_sum(struct fake_e1000 *f, uint8_t *frame, size_t n, size_t start, size_t at,
                    bool udp)
{
    if (start >= n || at + 2 > n) {
        fault(f, "a checksum outside of the frame");
        return;
    }
    uint16_t sum = (uint16_t)~sum_bytes(frame + start, n - start);
    store_be16(frame + at, udp && sum == 0 ? 0xFFFF : sum);
}

static uint8_t *new_frame(struct fake_e1000 *f, const uint8_t *bytes, size_t n)
{
    if (n > FAKE_E1000_FRAME_BYTES || f->frame_count == FAKE_E1000_FRAMES_MAX) {
        fault(f, "a frame too long, or too many");
        return NULL;
    }
    memcpy(f->frames[f->frame_count], bytes, n);
    f->frame_bytes[f->frame_count] = n;
    return f->frames[f->frame_count++];
}

/* One segment: headers as they came, with what differs put in. */
static void put_segment(struct fake_e1000 *f, size_t done, size_t part, size_t total)
{
    static uint8_t segment[FAKE_E1000_PACKET_MAX];
    const struct fake_context *c = &f->contexts[SEGMENT];
    size_t n = c->header + part;

    memcpy(segment, packet, c->header);
    memcpy(segment + c->header, packet + c->header + done, part);
    uint8_t *frame = new_frame(f, segment, n);
    if (!frame)
        return;
    uint8_t *ip = frame + c->network, *tcp = frame + c->l4, *csum = frame + c->csum;
    if (c->ip4) {
        if (load_be16(ip + 2) != 0 || load_be16(ip + 10) != 0 || c->ip_sum_end + 1 != c->l4)
            fault(f, "an IP header to segment with a length, a sum, or another end");
        store_be16(ip + 2, (uint16_t)(n - c->network));
        store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + f->frame_count - 1));
        store_be16(ip + 10, (uint16_t)~sum_bytes(ip, c->l4 - c->network));
    } else {
        if (load_be16(ip + 4) != 0)
            fault(f, "an IPv6 header to segment with a length");
        store_be16(ip + 4, (uint16_t)(n - c->network - IPV6_BYTES));
    }
    store_be32(tcp + TCP_SEQ, load_be32(tcp + TCP_SEQ) + (uint32_t)done);
    if (done + part < total)
        tcp[TCP_FLAGS] &= (uint8_t)~FIN_PSH;
    uint32_t with_length = load_be16(csum) + (uint32_t)(n - c->l4);
    store_be16(csum, (uint16_t)((with_length & 0xFFFF) + (with_length >> 16)));
    put_sum(f, frame, n, c->l4, c->csum, false);
}

static void put_segments(struct fake_e1000 *f, const struct gathered *g)
{
    const struct fake_context *c = &f->contexts[SEGMENT];
    size_t total = f->advanced ? g->upper >> PAYLEN_SHIFT : c->payload;

    if (!c->known || !c->tcp || c->mss == 0 || c->header + total != g->n || c->header < 54 ||
        (g->upper & OPTIONS) != (E1000_TXD_TXSM | (c->ip4 ? E1000_TXD_IXSM : 0u)) ||
        (f->advanced && !(g->upper & IGB_TXD_CONTEXT_1))) {
        fault(f, "a segment context that does not fit its packet");
        return;
    }
    for (size_t done = 0; done < total; done += c->mss)
        put_segment(f, done, MIN(c->mss, total - done), total);
}

static void put_packet(struct fake_e1000 *f, const struct gathered *g)
{
    const struct fake_context *c = &f->contexts[CSUM];

    if (!g->fcs)
        fault(f, "a frame without FCS");
    if (g->segment) {
        put_segments(f, g);
        return;
    }
    if (f->advanced && (g->upper >> PAYLEN_SHIFT != g->n || (g->upper & IGB_TXD_CONTEXT_1)))
        fault(f, "a frame of another length, or context");
    uint8_t *frame = new_frame(f, packet, g->n);
    if (!frame || (g->upper & OPTIONS) == 0)
        return;
    if ((g->upper & OPTIONS) != E1000_TXD_TXSM || !c->known) {
        fault(f, "a checksum that nobody has explained");
        return;
    }
    put_sum(f, frame, g->n, c->l4, c->csum, !c->tcp);
}

static void take_old_context(struct fake_e1000 *f, const struct e1000_tx_desc *d)
{
    bool ip4 = d->cmd & E1000_TXD_CTX_IP4;
    size_t l4 = d->low >> 32 & 0xFF;

    f->contexts[d->cmd & E1000_TXD_TSE ? SEGMENT : CSUM] =
        (struct fake_context){.known = true,
                              .tcp = d->cmd & E1000_TXD_CTX_TCP,
                              .ip4 = ip4,
                              .network = ip4 ? d->low & 0xFF : l4 - IPV6_BYTES,
                              .l4 = l4,
                              .csum = d->low >> 40 & 0xFF,
                              .header = d->upper >> 8 & 0xFF,
                              .mss = d->upper >> 16,
                              .payload = d->cmd & E1000_TXD_LENGTH_MASK,
                              .ip_sum_end = d->low >> 16 & 0xFFFF};
}

static void take_context(struct fake_e1000 *f, const struct e1000_tx_desc *d)
{
    if (!f->advanced) {
        take_old_context(f, d);
        return;
    }
    size_t network = d->low >> 9 & 0x7F, l4 = network + (d->low & 0x1FF);
    bool tcp = d->cmd & IGB_TXD_TCP;
    if ((d->cmd & 0xFFFFu & ~(IGB_TXD_TCP | IGB_TXD_IP4)) != 0 || d->low >> 16 != 0 ||
        (d->upper & 0x8F) != 0)
        fault(f, "a context with bits that are not used");
    f->contexts[d->upper & IGB_TXD_CONTEXT_1 ? SEGMENT : CSUM] =
        (struct fake_context){.known = true,
                              .tcp = tcp,
                              .ip4 = d->cmd & IGB_TXD_IP4,
                              .network = network,
                              .l4 = l4,
                              .csum = l4 + (tcp ? 16 : 6),
                              .header = l4 + (d->upper >> 8 & 0xFF),
                              .mss = d->upper >> 16,
                              .ip_sum_end = l4 - 1};
}

/* The next descriptor of the ring, or NULL. */
static struct e1000_tx_desc *next_desc(struct fake_e1000 *f)
{
    unsigned queue = f->tx_queue, tail = fake_e1000_reg(f, queue + E1000_QUEUE_TAIL);
    uint64_t base = fake_e1000_reg(f, queue + E1000_QUEUE_BASE) |
                    (uint64_t)fake_e1000_reg(f, queue + E1000_QUEUE_HIGH) << 32;
    unsigned count = fake_e1000_reg(f, queue + E1000_QUEUE_BYTES) / 16;

    if (!(fake_e1000_reg(f, E1000_TCTL) & E1000_TCTL_EN) || tail == f->tx_at)
        return NULL;
    if (tail >= count || base % 16 != 0 || !(f->fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER) ||
        (f->advanced && !(fake_e1000_reg(f, queue + E1000_QUEUE_CONTROL) & IGB_QUEUE_CONTROL_ON))) {
        fault(f, "a transmit tail outside of the ring, or no way to it");
        return NULL;
    }
    struct e1000_tx_desc *d = (struct e1000_tx_desc *)(uintptr_t)base + f->tx_at;
    f->tx_at = (f->tx_at + 1) % count;
    return d;
}

/* Adds what a descriptor of data says. False: nothing that could be sent. */
static bool gather(struct fake_e1000 *f, struct gathered *g, const struct e1000_tx_desc *d)
{
    size_t part = d->cmd & (f->advanced ? IGB_TXD_LENGTH_MASK : E1000_TXD_LENGTH_MASK);

    if (part == 0 || part > 16288 || g->n + part > sizeof(packet)) {
        fault(f, "a buffer of no bytes or too many");
        return false;
    }
    if (f->advanced && (d->cmd & (0xFu << 16)) != 0)
        fault(f, "data with bits that are not used");
    if (!g->begun)
        g->upper = d->upper;
    g->begun = true;
    g->segment |= (d->cmd & (f->advanced ? IGB_TXD_TSE : E1000_TXD_TSE)) != 0;
    g->fcs |= (d->cmd & E1000_TXD_IFCS) != 0;
    memcpy(packet + g->n, (const void *)(uintptr_t)d->low, part);
    g->n += part;
    return true;
}

bool fake_e1000_transmit(struct fake_e1000 *f)
{
    uint32_t type = f->advanced ? IGB_TXD_TYPE_MASK : E1000_TXD_DATA;
    uint32_t data = f->advanced ? IGB_TXD_DATA : E1000_TXD_DATA;
    uint32_t context = f->advanced ? IGB_TXD_CONTEXT : 0;
    struct gathered g = {0};

    f->frame_count = 0;
    for (;;) {
        struct e1000_tx_desc *d = next_desc(f);
        if (!d) {
            if (g.begun)
                fault(f, "a packet without an end");
            return false;
        }
        if (!(d->cmd & E1000_TXD_DEXT))
            fault(f, "a legacy descriptor");
        if ((d->cmd & type) == context) {
            if (g.begun || (d->cmd & E1000_TXD_RS))
                fault(f, "a context in the middle of a packet, or one to report");
            take_context(f, d);
            continue;
        }
        if ((d->cmd & type) != data)
            fault(f, "a descriptor of another type");
        if (!gather(f, &g, d))
            return false;
        if (d->cmd & E1000_TXD_EOP)
            break;
    }
    put_packet(f, &g);
    return true;
}

bool fake_e1000_report(struct fake_e1000 *f, unsigned n)
{
    uint64_t base = fake_e1000_reg(f, f->tx_queue + E1000_QUEUE_BASE) |
                    (uint64_t)fake_e1000_reg(f, f->tx_queue + E1000_QUEUE_HIGH) << 32;
    unsigned count = fake_e1000_reg(f, f->tx_queue + E1000_QUEUE_BYTES) / 16;
    bool any = false;

    while (n > 0 && f->reported_from != f->tx_at) {
        struct e1000_tx_desc *d = (struct e1000_tx_desc *)(uintptr_t)base + f->reported_from;
        f->reported_from = (f->reported_from + 1) % count;
        if (!(d->cmd & E1000_TXD_RS))
            continue;
        d->upper = f->advanced ? E1000_TXD_STATUS_DD : d->upper | E1000_TXD_STATUS_DD;
        any = true;
        n--;
    }
    if (any)
        fake_e1000_cause(f, E1000_INT_TXDW);
    return any;
}
