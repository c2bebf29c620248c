/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtio block device (VIRTIO 1.2, section 5.2); see virtio_blk.h.
 *
 * Theory of operation. There are a few slots, each with three descriptors of its own that never
 * change their place: the request's head, its data (which a flush has none of) and the status byte.
 * A slot's number is also the number of its first descriptor, divided by three, so the device hands
 * back a slot by handing back a chain. Requests may end in any order. The device is polled: it is
 * asked for no interrupts, as a disk that keeps leases has time.
 *
 * Whatever the device writes is looked at once and checked: a chain that is not pending, or more of
 * them than there are, ends its use.
 */
#include "drivers/virtio_blk.h"

#include "clock.h"
#include "log.h"
#include "mem.h"

#define SLOT_DESCS      3
#define QUEUE_SIZE      32 /* of a modern device; a power of two that has room for every slot */
#define SEGMENT_BYTES   65536u
#define DEV_MAX_BYTES   (1ull << 50)
#define ID_MAX_WAIT_US  100000
#define ID_STEP_US      10
#define BLOCK_MAX_BYTES 4096u

static_assert(QUEUE_SIZE >= BLK_REQUESTS_MAX * SLOT_DESCS, "every slot has its descriptors");

static struct virtio_blk *blk_of(struct blk *disk)
{
    return container_of(disk, struct virtio_blk, blk);
}

/* Returns how many there were. */
static unsigned end_requests(struct virtio_blk *vb, enum blk_state state)
{
    unsigned n = 0;

    for (unsigned i = 0; i < vb->blk.requests_max; i++) {
        if (!vb->requests[i])
            continue;
        vb->requests[i]->state = (uint8_t)state;
        vb->requests[i] = NULL;
        n++;
    }
    return n;
}

/* The device breaks the rules. */
static void die(struct virtio_blk *vb, const char *why)
{
    vb->blk.dead = why;
    virtio_stop(vb->dev); /* before the requests are their owners' again */
    end_requests(vb, BLK_FAILED);
}

static void stop(struct blk *disk, const char *why)
{
    struct virtio_blk *vb = blk_of(disk);

    if (disk->dead)
        return;
    disk->dead = why;
    if (end_requests(vb, BLK_LOST) == 0)
        virtio_stop(vb->dev);
}

/* Puts a request into a slot and tells the device. */
static void start_request(struct virtio_blk *vb, unsigned slot, uint32_t type, uint64_t sector,
                          void *bytes, uint32_t n)
{
    struct virtio_blk_slot *s = &vb->slots[slot];
    uint16_t first = (uint16_t)(slot * SLOT_DESCS), at = first;
    bool device_writes = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;

    s->head = (struct virtio_blk_head){.type = type, .sector = sector};
    s->status = 0xFF; /* no status there is */
    vb->q.desc[at] = (struct virtq_desc){.address = (uintptr_t)&s->head,
                                         .len = sizeof(s->head),
                                         .flags = VIRTQ_DESC_NEXT,
                                         .next = (uint16_t)(at + 1)};
    at++;
    if (n > 0) {
        vb->q.desc[at] = (struct virtq_desc){
            .address = (uintptr_t)bytes,
            .len = n,
            .flags = (uint16_t)(VIRTQ_DESC_NEXT | (device_writes ? VIRTQ_DESC_WRITE : 0)),
            .next = (uint16_t)(at + 1)};
        at++;
    }
    vb->q.desc[at] = (struct virtq_desc){
        .address = (uintptr_t)&s->status, .len = sizeof(s->status), .flags = VIRTQ_DESC_WRITE};
    virtq_put(&vb->q, first);
    virtq_publish(&vb->q);
    if (virtq_kick_wanted(&vb->q))
        vb->dev->ops->notify(vb->dev, VIRTIO_BLK_QUEUE);
}

static bool is_possible(const struct blk *disk, const struct blk_request *r)
{
    if (r->op == BLK_FLUSH)
        return r->n == 0;
    return r->n > 0 && r->n <= disk->request_bytes && (r->n | r->at) % disk->block_bytes == 0 &&
           r->at <= disk->bytes && r->n <= disk->bytes - r->at &&
           !(r->op == BLK_WRITE && disk->read_only);
}

static bool submit(struct blk *disk, struct blk_request *r)
{
    static const uint32_t types[] = {
        [BLK_READ] = VIRTIO_BLK_T_IN,
        [BLK_WRITE] = VIRTIO_BLK_T_OUT,
        [BLK_FLUSH] = VIRTIO_BLK_T_FLUSH,
    };
    struct virtio_blk *vb = blk_of(disk);
    unsigned slot = 0;

    if (disk->dead || !is_possible(disk, r)) {
        r->state = BLK_FAILED;
        return true;
    }
    if (r->op == BLK_FLUSH && !disk->caches) {
        r->state = BLK_DONE; /* what is written is safe as it is (section 5.2.6.2) */
        return true;
    }
    while (slot < vb->blk.requests_max && vb->requests[slot])
        slot++;
    if (slot == vb->blk.requests_max)
        return false;
    vb->requests[slot] = r;
    r->state = BLK_PENDING;
    start_request(vb, slot, types[r->op], r->at / BLK_SECTOR_BYTES, r->bytes, r->n);
    return true;
}

/* Takes back one chain; the slot, or -1 if the device hands back what it has not got. */
static int take_back(struct virtio_blk *vb)
{
    uint32_t id = virtq_used_at(&vb->q, vb->q.last_used++).id;

    if (id % SLOT_DESCS != 0 || id / SLOT_DESCS >= vb->blk.requests_max ||
        !vb->requests[id / SLOT_DESCS])
        return -1;
    return (int)(id / SLOT_DESCS);
}

static uint8_t status_of(const struct virtio_blk *vb, unsigned slot)
{
    return *(const volatile uint8_t *)&vb->slots[slot].status;
}

static void poll(struct blk *disk)
{
    struct virtio_blk *vb = blk_of(disk);

    if (disk->dead)
        return;
    unsigned n = virtq_used_count(&vb->q);
    for (unsigned i = 0; i < n; i++) {
        int slot = take_back(vb);
        if (slot < 0) {
            die(vb, "the device handed back a request that it was not given");
            return;
        }
        struct blk_request *r = vb->requests[slot];
        vb->requests[slot] = NULL;
        r->state = status_of(vb, (unsigned)slot) == VIRTIO_BLK_S_OK ? BLK_DONE : BLK_FAILED;
    }
}

static const struct blk_ops virtio_blk_ops = {.submit = submit, .poll = poll, .stop = stop};

/* The name that the disk was given (QEMU: serial=), or "". */
static void read_serial(struct virtio_blk *vb)
{
    struct blk_request id = {.op = BLK_READ, .state = BLK_PENDING};
    uint8_t *text = mem_alloc(VIRTIO_BLK_ID_BYTES, CACHE_LINE_BYTES);

    if (!text)
        return;
    vb->requests[0] = &id;
    start_request(vb, 0, VIRTIO_BLK_T_GET_ID, 0, text, VIRTIO_BLK_ID_BYTES);
    for (unsigned waited_us = 0; id.state == BLK_PENDING; waited_us += ID_STEP_US) {
        if (waited_us >= ID_MAX_WAIT_US) {
            stop(&vb->blk, "the device does not answer");
            return;
        }
        clock_delay_us(ID_STEP_US);
        poll(&vb->blk);
    }
    for (unsigned i = 0; id.state == BLK_DONE && i < VIRTIO_BLK_ID_BYTES; i++) {
        uint8_t c = *(const volatile uint8_t *)&text[i];
        if (c <= ' ' || c >= 0x7F)
            break;
        vb->blk.serial[i] = (char)c;
    }
}

/* What the device says of itself. NULL, or why it cannot be used. */
static const char *read_config(struct virtio_blk *vb)
{
    struct virtio_dev *dev = vb->dev;
    struct blk *disk = &vb->blk;
    uint64_t sectors;
    uint32_t segment;

    if (!virtio_config_read(dev, VIRTIO_BLK_CONFIG_CAPACITY, &sectors, sizeof(sectors)))
        return "it does not say how large it is";
    disk->bytes = MIN(sectors, DEV_MAX_BYTES / BLK_SECTOR_BYTES) * BLK_SECTOR_BYTES;
    disk->block_bytes = BLK_SECTOR_BYTES;
    if (virtio_has(dev, VIRTIO_BLK_F_BLK_SIZE) &&
        !virtio_config_read(dev, VIRTIO_BLK_CONFIG_BLK_SIZE, &disk->block_bytes,
                            sizeof(disk->block_bytes)))
        return "it does not say how large its blocks are";
    if (disk->block_bytes < BLK_SECTOR_BYTES || disk->block_bytes > BLOCK_MAX_BYTES ||
        (disk->block_bytes & (disk->block_bytes - 1)) != 0)
        return "its blocks are not of 512 to 4096 bytes";
    disk->request_bytes = SEGMENT_BYTES;
    if (virtio_has(dev, VIRTIO_BLK_F_SIZE_MAX)) {
        if (!virtio_config_read(dev, VIRTIO_BLK_CONFIG_SIZE_MAX, &segment, sizeof(segment)) ||
            segment < BLK_REQUEST_BYTES)
            return "it takes no requests of 4096 bytes";
        disk->request_bytes = MIN(SEGMENT_BYTES, segment - segment % BLK_REQUEST_BYTES);
    }
    disk->read_only = virtio_has(dev, VIRTIO_BLK_F_RO);
    disk->caches = virtio_has(dev, VIRTIO_BLK_F_FLUSH);
    return NULL;
}

static const char *start_device(struct virtio_blk *vb)
{
    const char *wrong;

    if (virtio_begin(vb->dev) != 0)
        return "it does not reset";
    if (virtio_negotiate(vb->dev, VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_RO | VIRTIO_BLK_F_BLK_SIZE |
                                      VIRTIO_BLK_F_FLUSH) != 0)
        return "it refuses the features that are needed";
    wrong = read_config(vb);
    if (wrong)
        return wrong;
    if (virtio_queue_open(vb->dev, VIRTIO_BLK_QUEUE, QUEUE_SIZE, &vb->q) != 0)
        return "its queue cannot be used";
    vb->blk.requests_max = MIN((unsigned)BLK_REQUESTS_MAX, vb->q.size / (unsigned)SLOT_DESCS);
    if (vb->blk.requests_max == 0)
        return "its queue is too short";
    return NULL;
}

struct blk *virtio_blk_start(struct virtio_dev *dev)
{
    struct virtio_blk *vb = mem_alloc(sizeof(*vb), CACHE_LINE_BYTES);
    struct virtio_blk_slot *slots = mem_alloc(sizeof(*slots) * BLK_REQUESTS_MAX, CACHE_LINE_BYTES);

    if (!vb || !slots) {
        log_error("%s: no memory for a disk", dev->location);
        return NULL;
    }
    vb->dev = dev;
    vb->slots = slots;
    vb->blk.ops = &virtio_blk_ops;
    vb->blk.location = dev->location;
    const char *wrong = start_device(vb);
    if (!wrong) {
        virtio_ready(dev);
        read_serial(vb);
        wrong = vb->blk.dead;
    }
    if (wrong) {
        log_error("%s: this disk cannot be used: %s", dev->location, wrong);
        virtio_fail(dev);
        return NULL;
    }
    return &vb->blk;
}
