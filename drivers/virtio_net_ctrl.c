/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The control queue (VIRTIO 1.2, section 5.1.6.5), used once at start: a switch must see the frames
 * that are for others. QEMU passes all frames until a driver says otherwise, but the specification
 * does not promise that.
 */
#include "drivers/virtio_net.h"

#include "clock.h"
#include "mem.h"

#define CTRL_QUEUE_SIZE  4
#define CTRL_MAX_WAIT_US 20000
#define CTRL_STEP_US     10

struct ctrl_command {
    uint8_t class, command; /* the device reads these */
    uint8_t on;
    uint8_t ack; /* and writes this */
};

int virtio_net_ctrl_open(struct virtio_net *vn, struct virtq *q)
{
    return virtio_queue_open(vn->dev, VIRTIO_NET_QUEUE_CTRL, CTRL_QUEUE_SIZE, q);
}

bool virtio_net_ctrl_promiscuous(struct virtio_net *vn, struct virtq *q)
{
    struct ctrl_command *c = mem_alloc(sizeof(*c), sizeof(*c));

    if (!c || q->size < 3)
        return false;
    *c = (struct ctrl_command){
        .class = VIRTIO_NET_CTRL_RX, .command = VIRTIO_NET_CTRL_RX_PROMISC, .on = 1, .ack = 0xFF};
    q->desc[0] = (struct virtq_desc){
        .address = (uintptr_t)&c->class, .len = 2, .flags = VIRTQ_DESC_NEXT, .next = 1};
    q->desc[1] = (struct virtq_desc){
        .address = (uintptr_t)&c->on, .len = 1, .flags = VIRTQ_DESC_NEXT, .next = 2};
    q->desc[2] =
        (struct virtq_desc){.address = (uintptr_t)&c->ack, .len = 1, .flags = VIRTQ_DESC_WRITE};
    virtq_put(q, 0);
    virtq_publish(q);
    if (virtq_kick_wanted(q))
        vn->dev->ops->notify(vn->dev, VIRTIO_NET_QUEUE_CTRL);
    for (unsigned waited_us = 0; virtq_used_count(q) == 0; waited_us += CTRL_STEP_US) {
        if (waited_us >= CTRL_MAX_WAIT_US)
            return false;
        clock_delay_us(CTRL_STEP_US);
    }
    return *(volatile uint8_t *)&c->ack == VIRTIO_NET_CTRL_OK;
}
