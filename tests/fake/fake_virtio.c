/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A virtio network device in software; see fake_virtio.h.
 */
#include "tests/fake/fake_virtio.h"

#define CHAIN_MAX 64

static struct fake_virtio *fake_of(struct virtio_dev *dev)
{
    return container_of(dev, struct fake_virtio, dev);
}

static void fault(struct fake_virtio *f, const char *what)
{
    if (!f->fault)
        f->fault = what;
}

static uint8_t get_status(struct virtio_dev *dev)
{
    return fake_of(dev)->stuck_in_reset ? 0xFF : fake_of(dev)->status;
}

static void set_status(struct virtio_dev *dev, uint8_t status)
{
    struct fake_virtio *f = fake_of(dev);

    if (f->refuses_features)
        status &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    f->status = status;
    if (status == 0)
        memset(f->q, 0, sizeof(f->q));
}

static uint64_t get_offered(struct virtio_dev *dev)
{
    return fake_of(dev)->offered;
}

static void set_accepted(struct virtio_dev *dev, uint64_t features)
{
    struct fake_virtio *f = fake_of(dev);

    f->accepted = features;
    if (features & ~f->offered)
        fault(f, "accepted a feature that was not offered");
}

static uint16_t queue_max(struct virtio_dev *dev, unsigned index)
{
    return index < FAKE_QUEUES ? fake_of(dev)->queue_size : 0;
}

static int queue_start(struct virtio_dev *dev, unsigned index, const struct virtq *q)
{
    struct fake_virtio *f = fake_of(dev);

    f->q[index] = (struct fake_queue){
        .desc = q->desc, .avail = q->avail, .used = q->used, .size = q->size, .asleep = true};
    if (((uintptr_t)q->desc & 15) || ((uintptr_t)q->avail & 1) || ((uintptr_t)q->used & 3))
        fault(f, "queue parts are not aligned");
    if (f->dev.legacy && (((uintptr_t)q->desc | (uintptr_t)q->used) & 4095))
        fault(f, "legacy queue parts are not aligned");
    return 0;
}

/* The control queue answers at once; the others only wake. */
static void serve_control(struct fake_virtio *f)
{
    struct fake_queue *q = &f->q[VIRTIO_NET_QUEUE_CTRL];
    uint16_t head;

    while (fake_virtio_take(f, VIRTIO_NET_QUEUE_CTRL, &head)) {
        const uint8_t *command = (const void *)(uintptr_t)q->desc[head].address;
        const struct virtq_desc *data = &q->desc[q->desc[head].next];
        const struct virtq_desc *ack = &q->desc[data->next];
        if (command[0] == VIRTIO_NET_CTRL_RX && command[1] == VIRTIO_NET_CTRL_RX_PROMISC)
            f->promiscuous = *(const uint8_t *)(uintptr_t)data->address;
        *(uint8_t *)(uintptr_t)ack->address = VIRTIO_NET_CTRL_OK;
        fake_virtio_used(f, VIRTIO_NET_QUEUE_CTRL, 0, head, 1);
        fake_virtio_publish(f, VIRTIO_NET_QUEUE_CTRL, 1);
    }
}

static void notify(struct virtio_dev *dev, unsigned index)
{
    struct fake_virtio *f = fake_of(dev);

    if (!(f->status & VIRTIO_STATUS_DRIVER_OK))
        fault(f, "notified before DRIVER_OK");
    f->q[index].kicks++;
    f->q[index].asleep = false;
    if (index == VIRTIO_NET_QUEUE_CTRL)
        serve_control(f);
    if (f->on_notify)
        f->on_notify(f, index);
    uint16_t head;
    if (index == 0 && f->answers_entropy && fake_virtio_take(f, 0, &head)) {
        memset((void *)(uintptr_t)f->q[0].desc[head].address, 0x5A, f->q[0].desc[head].len);
        fake_virtio_used(f, 0, 0, head, f->entropy_len);
        fake_virtio_publish(f, 0, 1);
    }
}

static uint32_t config_bytes(struct virtio_dev *dev)
{
    return sizeof(fake_of(dev)->config);
}

static void config_copy(struct virtio_dev *dev, unsigned offset, void *to, unsigned n)
{
    memcpy(to, fake_of(dev)->config + offset, n);
}

static uint32_t config_generation(struct virtio_dev *dev)
{
    (void)dev;
    return 0;
}

static void let_in(struct virtio_dev *dev)
{
    fake_of(dev)->dma_allowed = true;
}

static void irq_setup(struct virtio_dev *dev)
{
    dev->has_irq = !fake_of(dev)->no_irq;
}

static void cut_off(struct virtio_dev *dev)
{
    fake_of(dev)->dma_allowed = false;
}

static const struct virtio_transport fake_transport = {
    .get_status = get_status,
    .set_status = set_status,
    .get_offered = get_offered,
    .set_accepted = set_accepted,
    .queue_max = queue_max,
    .queue_start = queue_start,
    .notify = notify,
    .config_bytes = config_bytes,
    .config_copy = config_copy,
    .config_generation = config_generation,
    .let_in = let_in,
    .irq_setup = irq_setup,
    .cut_off = cut_off,
};

void fake_virtio_init(struct fake_virtio *f, uint64_t offered, uint16_t queue_size, bool legacy)
{
    static const uint8_t mac[MAC_BYTES] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

    memset(f, 0, sizeof(*f));
    f->dev.ops = &fake_transport;
    f->dev.location = "00:03.0";
    f->dev.legacy = legacy;
    f->offered = offered;
    f->queue_size = queue_size;
    memcpy(f->config, mac, sizeof(mac));
    f->config[VIRTIO_NET_CONFIG_STATUS] = VIRTIO_NET_CONFIG_STATUS_LINK_UP;
}

void fake_virtio_set_link(struct fake_virtio *f, bool up)
{
    f->config[VIRTIO_NET_CONFIG_STATUS] = up ? VIRTIO_NET_CONFIG_STATUS_LINK_UP : 0;
    f->dev.config_changed = true;
}

unsigned fake_virtio_pending(const struct fake_virtio *f, unsigned queue)
{
    const struct fake_queue *q = &f->q[queue];
    return (uint16_t)(q->avail->idx - q->seen);
}

static bool event_idx(const struct fake_virtio *f)
{
    return (f->accepted & VIRTIO_F_EVENT_IDX) != 0;
}

/* Says from where on the device wants to be told: at once (it sleeps), or not (it looks by itself).
 */
static void set_wish(struct fake_virtio *f, struct fake_queue *q)
{
    uint16_t *avail_event = (void *)&q->used->ring[q->size];

    if (event_idx(f))
        *avail_event = q->asleep ? q->seen : (uint16_t)(q->seen - 1);
    else
        q->used->flags = (uint16_t)(q->asleep ? 0 : VIRTQ_USED_NO_NOTIFY);
}

bool fake_virtio_take(struct fake_virtio *f, unsigned queue, uint16_t *head)
{
    struct fake_queue *q = &f->q[queue];

    if (fake_virtio_pending(f, queue) > q->size)
        fault(f, "more available than the queue holds");
    if (fake_virtio_pending(f, queue) == 0) {
        q->asleep = true;
        set_wish(f, q);
        return false;
    }
    *head = q->avail->ring[q->seen++ & (q->size - 1)];
    q->asleep = false;
    set_wish(f, q);
    if (*head >= q->size) {
        fault(f, "head out of range");
        *head = 0;
    }
    return true;
}

void fake_virtio_used(struct fake_virtio *f, unsigned queue, unsigned at, uint32_t id, uint32_t len)
{
    struct fake_queue *q = &f->q[queue];
    q->used->ring[(q->published + at) & (q->size - 1)] =
        (struct virtq_used_elem){.id = id, .len = len};
}

void fake_virtio_publish(struct fake_virtio *f, unsigned queue, unsigned count)
{
    struct fake_queue *q = &f->q[queue];
    uint16_t before = q->published, now = (uint16_t)(before + count);
    uint16_t used_event = q->avail->ring[q->size];

    q->published = now;
    q->used->idx = now;
    /* Section 2.7.10: the wish is passed when it lies in [before, now). */
    if (event_idx(f) ? (uint16_t)(used_event - before) < (uint16_t)count
                     : !(q->avail->flags & VIRTQ_AVAIL_NO_INTERRUPT))
        q->interrupts++;
    if (event_idx(f) && q->avail->flags != 0)
        fault(f, "flags used together with EVENT_IDX");
}

static unsigned header_bytes(const struct fake_virtio *f)
{
    return f->accepted & (VIRTIO_F_VERSION_1 | VIRTIO_NET_F_MRG_RXBUF) ? VIRTIO_NET_HDR_BYTES
                                                                       : VIRTIO_NET_HDR_BYTES_SHORT;
}

/* True if [at, at + n) lies inside one buffer of the pool, behind its metadata. */
static bool inside_buffer(const struct fake_virtio *f, uint64_t at, uint32_t n)
{
    uint64_t offset = at - (uintptr_t)f->pool->memory;
    return offset < (uint64_t)f->pool->count * PKT_BUF_BYTES &&
           offset % PKT_BUF_BYTES >= PKT_META_BYTES && offset % PKT_BUF_BYTES + n <= PKT_BUF_BYTES;
}

/* Writes up to n bytes into a chain, skipping its first skip bytes. Returns the bytes written. */
static uint32_t chain_write(struct fake_virtio *f, struct fake_queue *q, uint16_t id, uint32_t skip,
                            const uint8_t *from, size_t n)
{
    uint32_t written = 0;

    for (unsigned links = 0; links < CHAIN_MAX; links++) {
        const struct virtq_desc *d = &q->desc[id];
        if (!(d->flags & VIRTQ_DESC_WRITE) || !inside_buffer(f, d->address, d->len) || d->len == 0)
            fault(f, "a receive descriptor outside the pool");
        if (f->fault)
            return written;
        if (skip < d->len) {
            uint32_t part = (uint32_t)MIN(n, d->len - skip);
            memcpy((uint8_t *)(uintptr_t)d->address + skip, from, part);
            from += part;
            n -= part;
            written += part;
            skip = 0;
        } else {
            skip -= d->len;
        }
        if (!(d->flags & VIRTQ_DESC_NEXT) || n == 0)
            break;
        id = d->next;
    }
    return written;
}

bool fake_virtio_receive(struct fake_virtio *f, const struct fake_frame *frame)
{
    struct fake_queue *q = &f->q[VIRTIO_NET_QUEUE_RX];
    bool merge = (f->accepted & VIRTIO_NET_F_MRG_RXBUF) != 0;
    struct virtio_net_hdr hdr = frame->hdr;
    unsigned header = header_bytes(f), parts = 0;
    uint16_t seen = q->seen, first = 0, head;
    size_t at = 0;

    while (at < frame->bytes && (parts == 0 || merge)) {
        if (!fake_virtio_take(f, VIRTIO_NET_QUEUE_RX, &head)) {
            /* Gives back what it took, and wants to be told of the next one. */
            q->seen = seen;
            q->asleep = true;
            if (event_idx(f))
                *(uint16_t *)(void *)&q->used->ring[q->size] = q->avail->idx;
            return false;
        }
        uint32_t skip = parts == 0 ? header : 0;
        if (parts == 0)
            first = head;
        uint32_t n = chain_write(f, q, head, skip, frame->data + at, frame->bytes - at);
        fake_virtio_used(f, VIRTIO_NET_QUEUE_RX, parts++, head, n + skip);
        at += n;
        if (f->fault || n == 0)
            return true;
    }
    if (at < frame->bytes)
        fault(f, "a receive buffer too small for the frame");
    hdr.num_buffers = merge ? (uint16_t)parts : 0xBEEF; /* QEMU leaves it unset without merging */
    chain_write(f, q, first, 0, (const uint8_t *)&hdr, header);
    fake_virtio_publish(f, VIRTIO_NET_QUEUE_RX, parts);
    return true;
}

bool fake_virtio_transmit(struct fake_virtio *f, struct fake_frame *frame, uint16_t *head)
{
    struct fake_queue *q = &f->q[VIRTIO_NET_QUEUE_TX];
    static uint8_t all[FAKE_FRAME_MAX + VIRTIO_NET_HDR_BYTES];
    unsigned header = header_bytes(f);
    size_t n = 0;

    if (!fake_virtio_take(f, VIRTIO_NET_QUEUE_TX, head))
        return false;
    uint16_t id = *head;
    const struct virtq_desc *ring = q->desc;
    unsigned entries = q->size;
    if (ring[id].flags & VIRTQ_DESC_INDIRECT) {
        entries = ring[id].len / (unsigned)sizeof(struct virtq_desc);
        if (!(f->accepted & VIRTIO_F_INDIRECT_DESC) || ring[id].flags != VIRTQ_DESC_INDIRECT ||
            ring[id].len % sizeof(struct virtq_desc) != 0 || entries > q->size)
            fault(f, "a table that is not allowed");
        ring = (const void *)(uintptr_t)ring[id].address;
        id = 0;
    }
    for (unsigned links = 0;; links++) {
        const struct virtq_desc *d = &ring[id];
        if (id >= entries || links == CHAIN_MAX || d->len == 0 ||
            (d->flags & (VIRTQ_DESC_WRITE | VIRTQ_DESC_INDIRECT)) || n + d->len > sizeof(all)) {
            fault(f, "a transmit chain that is too long, empty or written to");
            break;
        }
        if (links == 0 && f->dev.legacy && !(f->accepted & VIRTIO_F_ANY_LAYOUT) && d->len != header)
            fault(f, "the header shares its descriptor without ANY_LAYOUT");
        memcpy(all + n, (const void *)(uintptr_t)d->address, d->len);
        n += d->len;
        if (!(d->flags & VIRTQ_DESC_NEXT))
            break;
        id = d->next;
    }
    if (n < header) {
        fault(f, "a transmit chain shorter than its header");
        return true;
    }
    memset(&frame->hdr, 0, sizeof(frame->hdr));
    memcpy(&frame->hdr, all, header);
    frame->bytes = n - header;
    memcpy(frame->data, all + header, frame->bytes);
    return true;
}

void fake_virtio_sent(struct fake_virtio *f, uint16_t head)
{
    fake_virtio_used(f, VIRTIO_NET_QUEUE_TX, 0, head, 0);
    fake_virtio_publish(f, VIRTIO_NET_QUEUE_TX, 1);
}
