/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The transmitting half of the vmxnet3 in software: descriptors become frames, with sums and
 * segments made a byte at a time.
 */
#include "tests/fake/fake_vmxnet3.h"

#include "tests/fake/fake_machine.h"
#include "tests/fake/frame_build.h"

#define TCP_SEQ      4
#define TCP_FLAGS    13
#define TCP_CSUM     16
#define FIN_PSH      0x09
#define TSO_DESC_MAX 24 /* of a packet to cut */

static uint8_t packet[FAKE_VMXNET3_PACKET_MAX];

static void fault(struct fake_vmxnet3 *f, const char *what)
{
    if (!f->fault)
        f->fault = what;
}

static uint8_t *new_frame(struct fake_vmxnet3 *f, size_t n)
{
    if (n > FAKE_VMXNET3_FRAME_BYTES || f->frame_count == FAKE_VMXNET3_FRAMES_MAX) {
        fault(f, "a frame too long, or too many");
        return NULL;
    }
    f->frame_bytes[f->frame_count] = n;
    return f->frames[f->frame_count++];
}

/* The sum from start on, with what the field holds, into the field. */
static void put_sum(struct fake_vmxnet3 *f, uint8_t *frame, size_t n, size_t start, size_t at)
{
    if (start >= n || at + 2 > n) {
        fault(f, "a checksum outside of the frame");
        return;
    }
    uint16_t sum = (uint16_t)~frame_naive_sum(frame + start, n - start);
    store_be16(frame + at, at - start == TCP_CSUM || sum != 0 ? sum : 0xFFFF);
}

/* One segment: headers as they came, with what differs put in. */
static void put_segment(struct fake_vmxnet3 *f, size_t header, size_t done, size_t part, bool last)
{
    size_t n = header + part;
    uint8_t *frame = new_frame(f, n);
    if (!frame)
        return;
    memcpy(frame, packet, header);
    memcpy(frame + header, packet + header + done, part);

    size_t l3 = load_be16(frame + 12) == 0x8100 ? 18 : 14;
    bool ip6 = frame[l3] >> 4 == 6;
    size_t l4 = l3 + (ip6 ? 40u : (frame[l3] & 15u) * 4u);
    uint8_t *tcp = frame + l4;
    if (l4 + (tcp[12] >> 4) * 4u != header) {
        fault(f, "headers that end elsewhere");
        return;
    }
    if (ip6) {
        store_be16(frame + l3 + 4, (uint16_t)(n - l4));
    } else {
        store_be16(frame + l3 + 2, (uint16_t)(n - l3));
        store_be16(frame + l3 + 4, (uint16_t)(load_be16(frame + l3 + 4) + f->frame_count - 1));
        store_be16(frame + l3 + 10, 0);
        store_be16(frame + l3 + 10, (uint16_t)~frame_naive_sum(frame + l3, l4 - l3));
    }
    store_be32(tcp + TCP_SEQ, load_be32(tcp + TCP_SEQ) + (uint32_t)done);
    if (!last)
        tcp[TCP_FLAGS] &= (uint8_t)~FIN_PSH;
    uint32_t with_length = load_be16(tcp + TCP_CSUM) + (uint32_t)(n - l4);
    store_be16(tcp + TCP_CSUM, (uint16_t)((with_length & 0xFFFF) + (with_length >> 16)));
    put_sum(f, frame, n, l4, l4 + TCP_CSUM);
}

static void put_packet(struct fake_vmxnet3 *f, size_t n, uint32_t length, uint32_t flags)
{
    size_t place = length >> 18, header = flags & 0x3FF;

    if ((flags & VMXNET3_TXD_TSO) == VMXNET3_TXD_TSO) {
        if (place == 0 || header < 54 || header >= n) {
            fault(f, "segments that cannot be");
            return;
        }
        for (size_t done = 0; header + done < n; done += place)
            put_segment(f, header, done, MIN(place, n - header - done), header + done + place >= n);
        return;
    }
    uint8_t *frame = new_frame(f, n);
    if (!frame)
        return;
    memcpy(frame, packet, n);
    if (flags & VMXNET3_TXD_CSUM)
        put_sum(f, frame, n, header, place);
    else if (place != 0 || header != 0)
        fault(f, "a place for no sum");
}

/* The next descriptor before the producer index; it has to be the device's. */
static const struct vmxnet3_tx_desc *next_desc(struct fake_vmxnet3 *f)
{
    uint32_t count = f->queues->tx.ring_count, told = load_raw32(f->bar0 + VMXNET3_TXPROD);
    unsigned at = f->tx_at;
    const struct vmxnet3_tx_desc *d =
        (const struct vmxnet3_tx_desc *)(uintptr_t)f->queues->tx.ring + at % count;
    bool given = (d->length & VMXNET3_TXD_GEN) == (at / count % 2 ? 0 : VMXNET3_TXD_GEN);

    if (told >= count || given != (told != at % count)) {
        fault(f, "a producer index that contradicts the ring");
        return NULL;
    }
    if (!given)
        return NULL;
    f->tx_at++;
    return d;
}

bool fake_vmxnet3_transmit(struct fake_vmxnet3 *f)
{
    const struct vmxnet3_tx_desc *d;
    size_t n = 0, head_bytes = 0;
    uint8_t *head = NULL;
    uint32_t length = 0, flags = 0;
    unsigned descs = 0;

    fake_vmxnet3_settle(f);
    f->frame_count = 0;
    if (!f->queues)
        return false;
    do {
        d = next_desc(f);
        if (!d) {
            if (descs > 0)
                fault(f, "a packet without an end");
            return false;
        }
        size_t part = d->length & 0x3FFF;
        if (part == 0 || n + part > sizeof(packet)) {
            fault(f, "a buffer of no bytes or too many");
            return false;
        }
        if (descs++ == 0) {
            length = d->length;
            flags = d->flags;
            head = (uint8_t *)(uintptr_t)d->address;
            head_bytes = part;
        }
        memcpy(packet + n, (const void *)(uintptr_t)d->address, part);
        n += part;
    } while (!(d->flags & VMXNET3_TXD_EOP));
    bool tso = (flags & VMXNET3_TXD_TSO) == VMXNET3_TXD_TSO;
    if (descs > (tso ? TSO_DESC_MAX : VMXNET3_TXD_MAX) || !(d->flags & VMXNET3_TXD_CQ))
        fault(f, "a packet of too many descriptors, or not to be reported");
    put_packet(f, n, length, flags);
    if (!tso && f->frame_count == 1)
        memcpy(head, f->frames[0], MIN(head_bytes, n)); /* QEMU completes sums in place */
    f->sent[(f->sent_first + f->sent_count++) % FAKE_VMXNET3_SENT_MAX] =
        (f->tx_at - 1) % f->queues->tx.ring_count;
    return true;
}

void fake_vmxnet3_sent(struct fake_vmxnet3 *f, uint32_t index)
{
    uint32_t count = f->queues->tx.completions_count;
    struct vmxnet3_completion *done =
        (struct vmxnet3_completion *)(uintptr_t)f->queues->tx.completions + f->tx_done_at % count;

    done->index = index;
    done->generation = f->tx_done_at++ / count % 2 ? 0 : VMXNET3_CD_GEN;
}

/* One completion may stand for those before it. */
bool fake_vmxnet3_report(struct fake_vmxnet3 *f, unsigned n)
{
    unsigned reported = MIN(n, f->sent_count);

    for (unsigned i = 0; i < reported; i++) {
        unsigned last = f->sent[f->sent_first++ % FAKE_VMXNET3_SENT_MAX];
        f->sent_count--;
        if (i + 1 == reported || last % 3 != 0)
            fake_vmxnet3_sent(f, last);
    }
    if (reported > 0)
        fake_vmxnet3_cause(f, f->queues->tx.interrupt);
    return reported > 0;
}
