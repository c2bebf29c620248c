/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The transmitting half of the controller in software (317453, sections 3.3 to 3.5): descriptors
 * become frames, with sums and segments made a byte at a time.
 */
#include "tests/fake/fake_e1000.h"

#include "tests/fake/fake_machine.h"

#define TCP_SEQ   4
#define TCP_FLAGS 13
#define FIN_PSH   0x09

static uint8_t packet[FAKE_E1000_PACKET_MAX];

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

static size_t field(uint64_t context, unsigned shift)
{
    return context >> shift & 0xFF;
}

/* One segment: headers as they came, with what differs put in. */
static void put_segment(struct fake_e1000 *f, size_t done, size_t part, size_t total)
{
    static uint8_t segment[FAKE_E1000_PACKET_MAX];
    uint32_t command = (uint32_t)f->segment_more;
    size_t header = f->segment_more >> 40 & 0xFF, l4 = field(f->segment, 32);
    size_t network = command & E1000_TXD_CTX_IP4 ? field(f->segment, 0) : l4 - 40;
    size_t n = header + part;

    memcpy(segment, packet, header);
    memcpy(segment + header, packet + header + done, part);
    uint8_t *frame = new_frame(f, segment, n);
    if (!frame)
        return;
    uint8_t *ip = frame + network, *tcp = frame + l4, *csum = frame + field(f->segment, 40);
    if (command & E1000_TXD_CTX_IP4) {
        size_t end = field(f->segment, 16) | (f->segment >> 24 & 0xFF) << 8;
        if (load_be16(ip + 2) != 0 || load_be16(ip + 10) != 0 || end + 1 != l4)
            fault(f, "an IP header to segment with a length, a sum, or another end");
        store_be16(ip + 2, (uint16_t)(n - network));
        store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + f->frame_count - 1));
        store_be16(ip + 10, (uint16_t)~sum_bytes(ip, l4 - network));
    } else {
        if (load_be16(ip + 4) != 0)
            fault(f, "an IPv6 header to segment with a length");
        store_be16(ip + 4, (uint16_t)(n - network - 40));
    }
    store_be32(tcp + TCP_SEQ, load_be32(tcp + TCP_SEQ) + (uint32_t)done);
    if (done + part < total)
        tcp[TCP_FLAGS] &= (uint8_t)~FIN_PSH;
    uint32_t with_length = load_be16(csum) + (uint32_t)(n - l4);
    store_be16(csum, (uint16_t)((with_length & 0xFFFF) + (with_length >> 16)));
    put_sum(f, frame, n, l4, field(f->segment, 40), false);
}

static void put_segments(struct fake_e1000 *f, size_t n, uint32_t options)
{
    uint32_t command = (uint32_t)f->segment_more;
    size_t header = f->segment_more >> 40 & 0xFF, mss = f->segment_more >> 48;
    size_t total = command & E1000_TXD_LENGTH_MASK;
    bool ip4 = command & E1000_TXD_CTX_IP4;

    if (!(command & E1000_TXD_TSE) || !(command & E1000_TXD_CTX_TCP) || mss == 0 ||
        header + total != n || header < 54 ||
        options != (E1000_TXD_TXSM | (ip4 ? E1000_TXD_IXSM : 0u))) {
        fault(f, "a segment context that does not fit its packet");
        return;
    }
    for (size_t done = 0; done < total; done += mss)
        put_segment(f, done, MIN(mss, total - done), total);
}

static void put_packet(struct fake_e1000 *f, size_t n, uint32_t command, uint32_t options)
{
    if (!(command & E1000_TXD_IFCS))
        fault(f, "a frame without FCS");
    if (command & E1000_TXD_TSE) {
        put_segments(f, n, options);
        return;
    }
    uint8_t *frame = new_frame(f, packet, n);
    if (!frame || options == 0)
        return;
    if (options != E1000_TXD_TXSM || !f->csum_known) {
        fault(f, "a checksum that nobody has explained");
        return;
    }
    put_sum(f, frame, n, field(f->csum, 32), field(f->csum, 40),
            !(f->csum_more & E1000_TXD_CTX_TCP));
}

static void take_context(struct fake_e1000 *f, const struct e1000_tx_desc *d)
{
    if (d->cmd & E1000_TXD_TSE) {
        f->segment = d->low;
        f->segment_more = d->cmd | (uint64_t)d->upper << 32;
    } else {
        f->csum = d->low;
        f->csum_more = d->cmd;
        f->csum_known = true;
    }
}

/* The next descriptor of the ring, or NULL. */
static struct e1000_tx_desc *next_desc(struct fake_e1000 *f)
{
    uint64_t base = fake_e1000_reg(f, E1000_TDBAL) | (uint64_t)fake_e1000_reg(f, E1000_TDBAH) << 32;
    unsigned count = fake_e1000_reg(f, E1000_TDLEN) / 16, tail = fake_e1000_reg(f, E1000_TDT);

    if (!(fake_e1000_reg(f, E1000_TCTL) & E1000_TCTL_EN) || tail == f->tx_at)
        return NULL;
    if (tail >= count || base % 16 != 0 || !(f->fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER)) {
        fault(f, "a transmit tail outside of the ring, or no way to it");
        return NULL;
    }
    struct e1000_tx_desc *d = (struct e1000_tx_desc *)(uintptr_t)base + f->tx_at;
    f->tx_at = (f->tx_at + 1) % count;
    return d;
}

bool fake_e1000_transmit(struct fake_e1000 *f)
{
    size_t n = 0;
    bool begun = false;
    uint32_t command = 0, options = 0;

    f->frame_count = 0;
    for (;;) {
        struct e1000_tx_desc *d = next_desc(f);
        if (!d) {
            if (begun)
                fault(f, "a packet without an end");
            return false;
        }
        if (!(d->cmd & E1000_TXD_DEXT))
            fault(f, "a legacy descriptor");
        if (!(d->cmd & E1000_TXD_DATA)) {
            if (begun || (d->cmd & E1000_TXD_RS))
                fault(f, "a context in the middle of a packet, or one to report");
            take_context(f, d);
            continue;
        }
        size_t part = d->cmd & E1000_TXD_LENGTH_MASK;
        if (part == 0 || part > 16288 || n + part > sizeof(packet)) {
            fault(f, "a buffer of no bytes or too many");
            return false;
        }
        if (!begun)
            options = d->upper;
        begun = true;
        command |= d->cmd;
        memcpy(packet + n, (const void *)(uintptr_t)d->low, part);
        n += part;
        if (d->cmd & E1000_TXD_EOP)
            break;
    }
    put_packet(f, n, command, options);
    return true;
}

bool fake_e1000_report(struct fake_e1000 *f, unsigned n)
{
    uint64_t base = fake_e1000_reg(f, E1000_TDBAL) | (uint64_t)fake_e1000_reg(f, E1000_TDBAH) << 32;
    unsigned count = fake_e1000_reg(f, E1000_TDLEN) / 16;
    bool any = false;

    while (n > 0 && f->reported_from != f->tx_at) {
        struct e1000_tx_desc *d = (struct e1000_tx_desc *)(uintptr_t)base + f->reported_from;
        f->reported_from = (f->reported_from + 1) % count;
        if (!(d->cmd & E1000_TXD_RS))
            continue;
        d->upper |= E1000_TXD_STATUS_DD;
        any = true;
        n--;
    }
    if (any)
        fake_e1000_cause(f, E1000_INT_TXDW);
    return any;
}
