/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The virtio network driver (VIRTIO 1.2, section 5.1): starting a device, its link, its interrupts,
 * and its end. Packets are in virtio_net_rx.c and virtio_net_tx.c; virtio_net.h has the theory of
 * operation.
 */
#include "drivers/virtio_net.h"

#include "log.h"
#include "mem.h"
#include "drivers/nic_driver.h"

#define DEFAULT_MTU      1500
#define MTU_MIN          68
#define ETH_HEADER_BYTES 14
#define VLAN_TAG_BYTES   4
#define GONE             UINT8_MAX /* the status of a device that is not there any more */

#define WANTED_ALWAYS                                                                              \
    (VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_MRG_RXBUF | VIRTIO_F_EVENT_IDX |        \
     VIRTIO_F_INDIRECT_DESC | VIRTIO_F_ANY_LAYOUT)
#define WANTED_TX                                                                                  \
    (VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 | VIRTIO_NET_F_HOST_ECN)
#define WANTED_RX_TSO (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_ECN)

/* What we accept of what is offered: features that need another one (section 5.1.3.1) only with it.
 */
static uint64_t wanted_features(struct virtio_dev *dev)
{
    uint64_t offered = dev->ops->get_offered(dev);
    uint64_t wanted = WANTED_ALWAYS;
    uint16_t mtu;

    if (offered & VIRTIO_NET_F_CSUM)
        wanted |= WANTED_TX;
    if (!(offered & (VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6)))
        wanted &= ~VIRTIO_NET_F_HOST_ECN;
    if (offered & VIRTIO_NET_F_GUEST_CSUM) {
        wanted |= VIRTIO_NET_F_GUEST_CSUM;
        /* Without merged buffers each posted buffer would have to hold 64 KB. */
        if (offered & VIRTIO_NET_F_MRG_RXBUF)
            wanted |= WANTED_RX_TSO;
        if (!(offered & (VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6)))
            wanted &= ~VIRTIO_NET_F_GUEST_ECN;
    }
    if ((offered & VIRTIO_NET_F_CTRL_VQ) && (offered & VIRTIO_NET_F_CTRL_RX))
        wanted |= VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX;
    /* Accepting the device's MTU promises buffers for it (section 5.1.4.2). */
    if ((offered & VIRTIO_NET_F_MTU) &&
        virtio_config_read(dev, VIRTIO_NET_CONFIG_MTU, &mtu, sizeof(mtu)) && mtu >= MTU_MIN &&
        ((offered & VIRTIO_NET_F_MRG_RXBUF) ||
         mtu + ETH_HEADER_BYTES + VLAN_TAG_BYTES <= PKT_DATA_BYTES))
        wanted |= VIRTIO_NET_F_MTU;
    return wanted;
}

static void read_mac(struct virtio_net *vn)
{
    uint8_t *mac = vn->nic.mac;

    if (!virtio_has(vn->dev, VIRTIO_NET_F_MAC) ||
        !virtio_config_read(vn->dev, VIRTIO_NET_CONFIG_MAC, mac, MAC_BYTES) ||
        !nic_mac_is_usable(mac))
        nic_mac_make(mac);
}

static void read_mtu(struct virtio_net *vn)
{
    uint16_t mtu;

    vn->nic.mtu = DEFAULT_MTU;
    if (virtio_has(vn->dev, VIRTIO_NET_F_MTU) &&
        virtio_config_read(vn->dev, VIRTIO_NET_CONFIG_MTU, &mtu, sizeof(mtu)) && mtu >= MTU_MIN)
        vn->nic.mtu = mtu;
}

static uint32_t nic_offloads_of(const struct virtio_dev *dev)
{
    static const struct {
        uint64_t feature;
        uint32_t offload;
    } rows[] = {
        {VIRTIO_NET_F_CSUM, NIC_TX_CSUM},       {VIRTIO_NET_F_HOST_TSO4, NIC_TX_TSO4},
        {VIRTIO_NET_F_HOST_TSO6, NIC_TX_TSO6},  {VIRTIO_NET_F_HOST_ECN, NIC_TX_ECN},
        {VIRTIO_NET_F_GUEST_CSUM, NIC_RX_CSUM}, {VIRTIO_NET_F_GUEST_TSO4, NIC_RX_TSO},
        {VIRTIO_NET_F_GUEST_TSO6, NIC_RX_TSO},
    };
    uint32_t offloads = 0;

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        if (virtio_has(dev, rows[i].feature))
            offloads |= rows[i].offload;
    }
    return offloads;
}

static void read_link(struct virtio_net *vn)
{
    uint16_t status;

    if (!virtio_has(vn->dev, VIRTIO_NET_F_STATUS)) {
        vn->link = true;
        return;
    }
    if (virtio_config_read(vn->dev, VIRTIO_NET_CONFIG_STATUS, &status, sizeof(status)))
        vn->link = status & VIRTIO_NET_CONFIG_STATUS_LINK_UP;
}

static bool link_up(struct nic *nic)
{
    struct virtio_net *vn = virtio_net_of(nic);

    if (LIKELY(!vn->dev->config_changed && nic->irq == NIC_IRQ_PROVEN))
        return vn->link;
    vn->dev->config_changed = false; /* before the look, so that a change after it is not lost */
    unsigned status = vn->dev->ops->get_status(vn->dev);
    if (status & VIRTIO_STATUS_NEEDS_RESET) {
        virtio_net_die(vn, status == GONE ? "nothing but ones" : "its own wish to be reset");
        return false;
    }
    read_link(vn);
    return vn->link;
}

static bool irq_arm(struct nic *nic)
{
    struct virtio_net *vn = virtio_net_of(nic);
    bool work = virtq_irq_arm(&vn->rx.q, 0);

    work |= vn->rx.missing > 0 && nic->pool->free_count > 0;
    if (vn->tx.q.next_avail != vn->tx.q.last_used && nic_buffers_are_short(nic->pool)) {
        vn->tx.irq_armed = true;
        work |= virtq_irq_arm(&vn->tx.q, 0);
    }
    return work;
}

static void irq_disarm(struct nic *nic)
{
    struct virtio_net *vn = virtio_net_of(nic);

    virtq_irq_disarm(&vn->rx.q);
    if (vn->tx.irq_armed) {
        vn->tx.irq_armed = false;
        virtq_irq_disarm(&vn->tx.q);
    }
}

static void stop(struct nic *nic)
{
    virtio_stop(virtio_net_of(nic)->dev);
}

static const struct nic_ops live_ops = {
    .rx_batch = virtio_net_rx_batch,
    .tx_batch = virtio_net_tx_batch,
    .tx_reclaim = virtio_net_tx_reclaim,
    .irq_arm = irq_arm,
    .irq_disarm = irq_disarm,
    .link_up = link_up,
    .stop = stop,
};

void virtio_net_die(struct virtio_net *vn, const char *why)
{
    nic_taken_down(&vn->nic, why);
    vn->link = false;
    /* With bus mastering off nothing reaches the buffers any more, so they may go back to the pool.
     */
    virtio_stop(vn->dev);
    virtio_net_rx_release(vn);
    virtio_net_tx_release(vn);
}

/* The queues, in the order of their numbers. */
static int open_queues(struct virtio_net *vn, struct virtq *ctrl, const struct nic_limits *limits)
{
    int status = virtio_queue_open(vn->dev, VIRTIO_NET_QUEUE_RX, VIRTQ_MAX_SIZE, &vn->rx.q);
    if (status == 0)
        status = virtio_queue_open(vn->dev, VIRTIO_NET_QUEUE_TX, VIRTQ_MAX_SIZE, &vn->tx.q);
    if (status == 0 && virtio_has(vn->dev, VIRTIO_NET_F_CTRL_RX))
        status = virtio_net_ctrl_open(vn, ctrl);
    if (status == 0)
        status = virtio_net_tx_init(vn, limits);
    if (status == 0)
        status = virtio_net_rx_init(vn, limits);
    return status;
}

struct nic *virtio_net_start(struct virtio_dev *dev, const struct nic_limits *limits)
{
    struct virtio_net *vn = mem_alloc(sizeof(*vn), CACHE_LINE_BYTES);
    struct virtq ctrl;

    if (!vn)
        return NULL;
    vn->dev = dev;
    vn->nic.pool = limits->pool;
    vn->nic.driver = "virtio-net";
    memcpy(vn->nic.location, dev->location,
           MIN(strlen(dev->location), sizeof(vn->nic.location) - 1));
    dev->interrupts = &vn->nic.counters.interrupts;

    int status = virtio_begin(dev);
    if (status == 0)
        status = virtio_negotiate(dev, wanted_features(dev));
    if (status == 0)
        virtio_interrupts(dev);
    if (status == 0)
        status = open_queues(vn, &ctrl, limits);
    if (status != 0) {
        virtio_fail(dev);
        return nic_failed(&vn->nic, nic_why(status));
    }
    read_mac(vn);
    read_mtu(vn);
    vn->nic.irq = dev->has_irq ? NIC_IRQ_UNPROVEN : NIC_IRQ_NONE;
    vn->nic.offloads = nic_offloads_of(dev);
    vn->nic.ops = &live_ops;
    virtio_ready(dev);
    virtio_net_rx_flush(vn);
    read_link(vn);
    if (virtio_has(dev, VIRTIO_NET_F_CTRL_RX) && !virtio_net_ctrl_promiscuous(vn, &ctrl))
        log_warn("%s: the device does not confirm that it passes all frames", dev->location);
    return &vn->nic;
}
