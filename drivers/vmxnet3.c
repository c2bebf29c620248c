/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The driver of VMware's vmxnet3: start, link, events, interrupts, end. Packets are in vmxnet3_rx.c
 * and vmxnet3_tx.c; vmxnet3.h has the theory of operation.
 */
#include "drivers/vmxnet3.h"

#include "log.h"
#include "mem.h"

#define VMWARE       0x15AD
#define VMXNET3      0x07B0
#define DEFAULT_MTU  1500
#define SHARED_ALIGN 128
#define GONE         UINT32_MAX /* what a device reads as that is not there any more */
#define RX_INTERRUPT 0u         /* and the events' */

static uint32_t read_reg(const struct vmxnet3 *v, unsigned reg)
{
    return read32(v->bar1 + reg);
}

/* Stores to memory before it are visible to the device first. */
static void write_reg(const struct vmxnet3 *v, unsigned reg, uint32_t value)
{
    io_order();
    write32(v->bar1 + reg, value);
}

/* Does a command that something comes of. */
static uint32_t command(const struct vmxnet3 *v, uint32_t what)
{
    write_reg(v, VMXNET3_CMD, what);
    return read_reg(v, VMXNET3_CMD);
}

/* ---- link and events ---- */

static uint32_t events_of(const struct vmxnet3 *v)
{
    return *(const volatile uint32_t *)&v->shared->events;
}

static void read_link(struct vmxnet3 *v)
{
    uint32_t link = command(v, VMXNET3_CMD_LINK);

    v->link = link & VMXNET3_LINK_UP;
    if (link == GONE)
        vmxnet3_die(v, "nothing but ones");
}

static bool link_up(struct nic *nic)
{
    struct vmxnet3 *v = vmxnet3_of(nic);
    uint32_t events = events_of(v);

    if (UNLIKELY(events != 0)) {
        /* Before the look, so that a change after it is not lost. */
        write_reg(v, VMXNET3_ECR, events);
        if (events & (VMXNET3_EVENT_RQ | VMXNET3_EVENT_TQ)) {
            vmxnet3_die(v, "a queue that has stopped");
            return false;
        }
    }
    if (UNLIKELY((events & VMXNET3_EVENT_LINK) || nic->irq != NIC_IRQ_PROVEN))
        read_link(v);
    return v->link;
}

/* ---- interrupts ---- */

static void mask(const struct vmxnet3 *v, unsigned interrupt, bool on)
{
    io_order();
    write32(v->bar0 + VMXNET3_IMR(interrupt), on);
}

static void on_interrupt(void *arg)
{
    struct vmxnet3 *v = arg;

    v->nic.counters.interrupts++;
    if (!v->masks_itself)
        mask(v, RX_INTERRUPT, true);
    v->armed = false;
}

static void on_sent(void *arg)
{
    struct vmxnet3 *v = arg;

    v->nic.counters.interrupts++;
    if (!v->masks_itself)
        mask(v, v->tx_interrupt, true);
    v->tx_armed = false;
}

/* The line may be another device's as well. */
static void on_line(void *arg)
{
    if (read_reg(arg, VMXNET3_ICR) != 0)
        on_interrupt(arg);
}

static bool irq_arm(struct nic *nic)
{
    struct vmxnet3 *v = vmxnet3_of(nic);
    bool tx = v->tx.clean != v->tx.next && nic_buffers_are_short(nic->pool);

    if (v->has_irq) {
        v->armed = true;
        mask(v, RX_INTERRUPT, false);
        if (tx && v->tx_interrupt != RX_INTERRUPT) {
            v->tx_armed = true;
            mask(v, v->tx_interrupt, false);
        }
        io_barrier();
    }
    return vmxnet3_rx_pending(v) || events_of(v) != 0 || (tx && vmxnet3_tx_pending(v));
}

static void irq_disarm(struct nic *nic)
{
    struct vmxnet3 *v = vmxnet3_of(nic);

    if (v->armed)
        mask(v, RX_INTERRUPT, true);
    if (v->tx_armed)
        mask(v, v->tx_interrupt, true);
    v->armed = v->tx_armed = false;
}

static bool messages_attach(struct vmxnet3 *v, uint32_t type)
{
    if ((type == VMXNET3_INT_AUTO || type == VMXNET3_INT_MSIX) && pci_msix_open(&v->pci) == 0 &&
        pci_msix_set(&v->pci, RX_INTERRUPT, on_interrupt, v) == 0) {
        if (pci_msix_set(&v->pci, RX_INTERRUPT + 1, on_sent, v) == 0)
            v->tx_interrupt = RX_INTERRUPT + 1;
        pci_msix_enable(&v->pci, true);
        return true;
    }
    return type != VMXNET3_INT_LINE && pci_msi_attach(&v->pci, on_interrupt, v) == 0;
}

static void irq_setup(struct vmxnet3 *v)
{
    uint32_t wanted = command(v, VMXNET3_CMD_INTERRUPTS);

    v->masks_itself = VMXNET3_INT_MASKS(wanted) == VMXNET3_MASKS_ITSELF;
    v->has_irq =
        messages_attach(v, VMXNET3_INT_TYPE(wanted)) || pci_intx_attach(&v->pci, on_line, v) == 0;
    v->nic.irq = v->has_irq ? NIC_IRQ_UNPROVEN : NIC_IRQ_NONE;
}

/* ---- counters, and the end ---- */

static void read_counters(struct nic *nic)
{
    struct vmxnet3 *v = vmxnet3_of(nic);
    const volatile uint64_t *stats = v->queues->rx.stats;

    write_reg(v, VMXNET3_CMD, VMXNET3_CMD_STATS); /* which nothing comes of but the numbers */
    uint64_t missed = stats[VMXNET3_STAT_RX_NO_BUFFER], errors = stats[VMXNET3_STAT_RX_ERROR];
    nic->counters.rx_missed += missed - v->missed;
    nic->counters.rx_errors += errors - v->errors;
    v->missed = missed;
    v->errors = errors;
}

static void stop(struct nic *nic)
{
    struct vmxnet3 *v = vmxnet3_of(nic);

    command(v, VMXNET3_CMD_QUIESCE);
    command(v, VMXNET3_CMD_RESET);
    pci_disable(&v->pci);
}

static const struct nic_ops live_ops = {
    .rx_batch = vmxnet3_rx_batch,
    .tx_batch = vmxnet3_tx_batch,
    .tx_reclaim = vmxnet3_tx_reclaim,
    .irq_arm = irq_arm,
    .irq_disarm = irq_disarm,
    .link_up = link_up,
    .read_counters = read_counters,
    .stop = stop,
};

void vmxnet3_die(struct vmxnet3 *v, const char *why)
{
    stop(&v->nic);
    nic_taken_down(&v->nic, why);
    v->link = false;
    vmxnet3_rx_release(v);
    vmxnet3_tx_release(v);
}

/* ---- start ---- */

static void read_mac(struct vmxnet3 *v)
{
    uint32_t low = command(v, VMXNET3_CMD_MAC_LOW), high = command(v, VMXNET3_CMD_MAC_HIGH);

    for (unsigned i = 0; i < MAC_BYTES; i++)
        v->nic.mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    if (!nic_mac_is_usable(v->nic.mac))
        nic_mac_make(v->nic.mac);
    write_reg(v, VMXNET3_MACL, load_raw32(v->nic.mac));
    write_reg(v, VMXNET3_MACH, load_raw16(v->nic.mac + 4));
}

static void fill_shared(struct vmxnet3 *v)
{
    struct vmxnet3_shared *s = v->shared;

    s->magic = VMXNET3_MAGIC;
    s->driver_version = 1;
    s->guest = VMXNET3_GUEST_64 | VMXNET3_GUEST_FREEBSD;
    s->revisions = s->upt_versions = VMXNET3_REVISION_1;
    s->queues = (uintptr_t)v->queues;
    s->queues_bytes = sizeof(*v->queues);
    s->mtu = VMXNET3_MTU_MAX;
    s->rx_buffers_max = PKT_MAX_SEGS;
    s->tx_queues = s->rx_queues = 1;
    s->auto_mask = v->masks_itself;
    s->interrupts = (uint8_t)(v->tx_interrupt + 1);
    s->event_interrupt = RX_INTERRUPT;
    s->interrupt_control = VMXNET3_INTS_OFF;
    /* A switch wants all frames, whoever they are for. */
    s->rx_mode = VMXNET3_RXM_UNICAST | VMXNET3_RXM_MULTICAST | VMXNET3_RXM_BROADCAST |
                 VMXNET3_RXM_ALL_MULTI | VMXNET3_RXM_PROMISC;
    memset(s->vlans, 0xFF, sizeof(s->vlans));
}

static int activate(struct vmxnet3 *v)
{
    pci_enable_dma(&v->pci);
    write_reg(v, VMXNET3_DSAL, (uint32_t)(uintptr_t)v->shared);
    write_reg(v, VMXNET3_DSAH, (uint32_t)((uintptr_t)v->shared >> 32));
    if (command(v, VMXNET3_CMD_ACTIVATE) != 0)
        return -EIO;
    mask(v, RX_INTERRUPT, true);
    mask(v, v->tx_interrupt, true);
    *(volatile uint32_t *)&v->shared->interrupt_control = 0;
    vmxnet3_rx_tell(v);
    write_reg(v, VMXNET3_CMD, VMXNET3_CMD_VLAN_FILTERS);
    write_reg(v, VMXNET3_CMD, VMXNET3_CMD_RX_MODE);
    return 0;
}

static int start(struct vmxnet3 *v, const struct nic_limits *limits)
{
    uint32_t revisions = read_reg(v, VMXNET3_VRRS) & read_reg(v, VMXNET3_UVRS);

    if (!(revisions & VMXNET3_REVISION_1))
        return -ENODEV;
    write_reg(v, VMXNET3_VRRS, VMXNET3_REVISION_1);
    write_reg(v, VMXNET3_UVRS, VMXNET3_REVISION_1);
    /* Whoever drove it before us may have left it running. It is cut off from memory. */
    command(v, VMXNET3_CMD_RESET);
    v->shared = mem_alloc(sizeof(*v->shared), SHARED_ALIGN);
    v->queues = mem_alloc(sizeof(*v->queues), SHARED_ALIGN);
    if (!v->shared || !v->queues)
        return -ENOMEM;
    read_mac(v);
    irq_setup(v);
    int err = vmxnet3_rx_init(v, limits);
    if (!err)
        err = vmxnet3_tx_init(v, limits);
    if (err)
        return err;
    fill_shared(v);
    vmxnet3_rx_fill(v);
    err = activate(v);
    if (!err)
        v->link = command(v, VMXNET3_CMD_LINK) & VMXNET3_LINK_UP;
    return err;
}

static struct nic *probe(struct pci_dev *pci, const struct nic_id *id,
                         const struct nic_limits *limits)
{
    struct vmxnet3 *v = mem_alloc(sizeof(*v), CACHE_LINE_BYTES);

    if (!v)
        return NULL;
    v->pci = *pci;
    v->nic.ops = &live_ops;
    v->nic.driver = id->name;
    v->nic.pool = limits->pool;
    v->nic.mtu = DEFAULT_MTU;
    v->nic.mtu_max = VMXNET3_MTU_MAX;
    v->nic.offloads = NIC_TX_CSUM_NEAR | NIC_TX_TSO4 | NIC_TX_TSO6;
    memcpy(v->nic.location, pci->location, sizeof(v->nic.location));
    int err = pci_enable(&v->pci);
    if (!err) {
        v->bar0 = pci_map_bar(&v->pci, 0, 0, VMXNET3_BAR_BYTES);
        v->bar1 = pci_map_bar(&v->pci, 1, 0, VMXNET3_BAR_BYTES);
        err = v->bar0 && v->bar1 ? start(v, limits) : -ENXIO;
    }
    if (err) {
        if (v->bar1)
            stop(&v->nic);
        pci_disable(&v->pci);
        vmxnet3_rx_release(v);
        return nic_failed(&v->nic, nic_why(err));
    }
    return &v->nic;
}

static const struct nic_id ids[] = {{VMWARE, VMXNET3, "vmxnet3", 0}, {0, 0, NULL, 0}};

const struct nic_driver vmxnet3_driver = {.ids = ids, .probe = probe};
