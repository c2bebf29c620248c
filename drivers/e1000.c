/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The driver of Intel's gigabit controllers: which of the older chips, the start of them all
 * (317453, section 14), link, interrupts and end. Packets are in e1000_rx.c and e1000_tx.c, younger
 * chips in igb.c; e1000.h has the theory of operation.
 */
#include "drivers/igb.h"

#include "clock.h"
#include "log.h"
#include "mem.h"

#define INTEL           0x8086
#define DEFAULT_MTU     1500
#define JUMBO_MTU       9212 /* frames of 9234 bytes with a tag and FCS (82574, section 1.3) */
#define WAIT_STEP_US    10
#define RESET_MAX_US    20000
#define RESET_SETTLE_US 5000
#define EEPROM_MAX_US   2000 /* a word, bit by bit */
#define INT_RX          (E1000_INT_RXT0 | E1000_INT_RXO)

/* What differs between chips. */
#define IS_82574 (1u << 0) /* 82571 and later, PCI Express: MSI, segmentation of IPv6 */
#define NO_JUMBO (1u << 1)

static const struct nic_id chips[] = {
    {INTEL, 0x1008, "82544EI", 0},
    {INTEL, 0x100C, "82544GC", 0},
    {INTEL, 0x100D, "82544GC", 0},
    {INTEL, 0x100E, "82540EM", 0},
    {INTEL, 0x100F, "82545EM", 0},
    {INTEL, 0x1010, "82546EB", 0},
    {INTEL, 0x1013, "82541EI", 0},
    {INTEL, 0x1015, "82540EM", 0},
    {INTEL, 0x1016, "82540EP", 0},
    {INTEL, 0x1017, "82540EP", 0},
    {INTEL, 0x1026, "82545GM", 0},
    {INTEL, 0x1076, "82541GI", 0},
    {INTEL, 0x1078, "82541ER", 0},
    {INTEL, 0x1079, "82546GB", 0},
    {INTEL, 0x107C, "82541PI", 0},
    {INTEL, 0x105E, "82571EB", IS_82574},
    {INTEL, 0x107D, "82572EI", IS_82574},
    {INTEL, 0x10B9, "82572EI", IS_82574},
    {INTEL, 0x109A, "82573L", IS_82574 | NO_JUMBO},
    {INTEL, 0x10D3, "82574L", IS_82574},
    {INTEL, 0x10F6, "82574LA", IS_82574},
    {INTEL, 0x150C, "82583V", IS_82574 | NO_JUMBO},
    {0, 0, NULL, 0},
};

/* ---- link and interrupts ---- */

static bool link_up(struct nic *nic)
{
    struct e1000 *e = e1000_of(nic);

    if (UNLIKELY(e->link_changed || nic->irq != NIC_IRQ_PROVEN)) {
        e->link_changed = false; /* before the look, so that a change after it is not lost */
        uint32_t status = e1000_read(e, E1000_STATUS);
        e->link = status & E1000_STATUS_LU;
        if (status == E1000_GONE)
            e1000_die(e, "nothing but ones");
    }
    return e->link;
}

/* Message or line, which may be another device's as well. */
static void on_interrupt(void *arg)
{
    struct e1000 *e = arg;
    uint32_t cause = read32(e->regs + e->kind->icr);

    if (cause == 0)
        return;
    e->nic.counters.interrupts++;
    if (cause & E1000_INT_LSC)
        e->link_changed = true;
    write32(e->regs + e->kind->imc, ~E1000_INT_LSC);
    e->armed = false;
}

static bool irq_arm(struct nic *nic)
{
    struct e1000 *e = e1000_of(nic);
    bool tx = e->tx.clean != e->tx.next && nic_buffers_are_short(nic->pool);

    /* A line that nobody listens to must not be pulled: it may be another device's. */
    if (!e->has_irq)
        return e1000_rx_pending(e);
    /* What came while nobody slept has been seen: it must not end the sleep. */
    if (!e->has_msix && (e1000_read(e, e->kind->icr) & E1000_INT_LSC))
        e->link_changed = true;
    e->armed = true;
    if (e->has_msix)
        igb_msix_arm(e, tx);
    else
        e1000_write(e, e->kind->ims, INT_RX | (tx ? E1000_INT_TXDW : 0));
    return e1000_rx_pending(e) || e->link_changed || (tx && e1000_tx_pending(e));
}

static void irq_disarm(struct nic *nic)
{
    struct e1000 *e = e1000_of(nic);

    if (!e->armed)
        return;
    e->armed = false;
    if (e->has_msix)
        igb_msix_disarm(e);
    else
        e1000_write(e, e->kind->imc, ~E1000_INT_LSC);
}

static void irq_setup(struct e1000 *e)
{
    e->has_msix = e->kind->advanced && igb_msix_attach(e) == 0;
    bool message =
        e->has_msix || (e->kind->message && pci_msi_attach(&e->pci, on_interrupt, e) == 0);

    e->has_irq = message || pci_intx_attach(&e->pci, on_interrupt, e) == 0;
    e->nic.irq = e->has_irq ? NIC_IRQ_UNPROVEN : NIC_IRQ_NONE;
}

/* ---- counters, and the end ---- */

static void read_counters(struct nic *nic)
{
    static const uint16_t errors[] = {E1000_CRCERRS, E1000_RXERRC, E1000_RLEC};
    struct e1000 *e = e1000_of(nic);

    if (e1000_read(e, E1000_STATUS) == E1000_GONE)
        return;
    nic->counters.rx_missed += e1000_read(e, E1000_MPC);
    for (unsigned i = 0; i < ARRAY_COUNT(errors); i++)
        nic->counters.rx_errors += e1000_read(e, errors[i]);
}

static void stop(struct nic *nic)
{
    struct e1000 *e = e1000_of(nic);

    pci_disable(&e->pci);
    e1000_write(e, e->kind->imc, UINT32_MAX);
    e1000_write(e, E1000_RCTL, 0);
    e1000_write(e, E1000_TCTL, 0);
    if (e->kind->advanced)
        e1000_write(e, IGB_CTRL_EXT, e1000_read(e, IGB_CTRL_EXT) & ~IGB_CTRL_EXT_LOADED);
}

static const struct nic_ops live_ops = {
    .rx_batch = e1000_rx_batch,
    .tx_batch = e1000_tx_batch,
    .tx_reclaim = e1000_tx_reclaim,
    .irq_arm = irq_arm,
    .irq_disarm = irq_disarm,
    .link_up = link_up,
    .read_counters = read_counters,
    .stop = stop,
};

void e1000_die(struct e1000 *e, const char *why)
{
    stop(&e->nic);
    nic_taken_down(&e->nic, why);
    e->link = false;
    e1000_rx_release(e);
    e1000_tx_release(e);
}

/* ---- start ---- */

int e1000_wait(struct e1000 *e, unsigned reg, uint32_t mask, uint32_t value, unsigned max_us)
{
    for (unsigned waited_us = 0; waited_us < max_us; waited_us += WAIT_STEP_US) {
        clock_delay_us(WAIT_STEP_US);
        if ((e1000_read(e, reg) & mask) == value)
            return 0;
    }
    return -ETIMEDOUT;
}

/* Whoever drove it before us may have left it in any state. It is cut off from memory. */
int e1000_reset(struct e1000 *e)
{
    e1000_write(e, e->kind->imc, UINT32_MAX);
    e1000_write(e, E1000_RCTL, 0);
    e1000_write(e, E1000_TCTL, 0);
    e1000_write(e, E1000_CTRL, e1000_read(e, E1000_CTRL) | E1000_CTRL_RST);
    int err = e1000_wait(e, E1000_CTRL, E1000_CTRL_RST, 0, RESET_MAX_US);
    if (err)
        return err;
    /* It reads its EEPROM now, for 5 ms (section 14.4), and writes registers from there. */
    clock_delay_us(RESET_SETTLE_US);
    e1000_write(e, e->kind->imc, UINT32_MAX);
    e1000_read(e, e->kind->icr);
    return 0;
}

/* Bochs leaves RAL and RAH empty: its drivers read the EEPROM (sections 5.6.1 and 13.4.4). */
static bool read_eeprom_mac(struct e1000 *e)
{
    for (unsigned word = 0; word < MAC_BYTES / 2; word++) {
        e1000_write(e, E1000_EERD, E1000_EERD_START | word << E1000_EERD_ADDR);
        if (e1000_wait(e, E1000_EERD, E1000_EERD_DONE, E1000_EERD_DONE, EEPROM_MAX_US))
            return false;
        uint32_t data = e1000_read(e, E1000_EERD) >> E1000_EERD_DATA;
        e->nic.mac[2 * word] = (uint8_t)data;
        e->nic.mac[2 * word + 1] = (uint8_t)(data >> 8);
    }
    return true;
}

static void read_mac(struct e1000 *e)
{
    uint32_t low = e1000_read(e, E1000_RAL0), high = e1000_read(e, E1000_RAH0);
    bool found = high & E1000_RAH_AV;

    for (unsigned i = 0; i < MAC_BYTES; i++)
        e->nic.mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    if (!found && !e->kind->advanced && !e->kind->message)
        found = read_eeprom_mac(e);
    if (!found || !nic_mac_is_usable(e->nic.mac))
        nic_mac_make(e->nic.mac);
}

static void start_link(struct e1000 *e)
{
    uint32_t ctrl = e1000_read(e, E1000_CTRL);

    ctrl |= E1000_CTRL_SLU | (e->kind->advanced ? 0 : E1000_CTRL_ASDE);
    ctrl &= ~(E1000_CTRL_LRST | E1000_CTRL_ILOS | E1000_CTRL_FRCSPD | E1000_CTRL_FRCDPX |
              E1000_CTRL_RFCE | E1000_CTRL_TFCE | E1000_CTRL_VME | E1000_CTRL_PHY_RST);
    e1000_write(e, E1000_CTRL, ctrl);
    e1000_write(e, E1000_FCAL, 0);
    e1000_write(e, E1000_FCAH, 0);
    e1000_write(e, E1000_FCT, 0);
    e1000_write(e, E1000_FCTTV, 0);
}

/* What may have any value after a reset, of all chips. */
static void clear_registers(struct e1000 *e)
{
    for (unsigned i = 0; i < E1000_MTA_WORDS; i++)
        e1000_write(e, E1000_MTA + 4 * i, 0);
    e1000_write(e, E1000_RXCSUM, E1000_RXCSUM_IPOFL | E1000_RXCSUM_TUOFL);
    read_counters(&e->nic); /* whatever was counted before us */
    memset(&e->nic.counters, 0, sizeof(e->nic.counters));
}

/* A switch wants all frames, whoever they are for. */
void e1000_rx_open(struct e1000 *e)
{
    e1000_write(e, E1000_RCTL,
                E1000_RCTL_EN | E1000_RCTL_UPE | E1000_RCTL_MPE | E1000_RCTL_BAM | E1000_RCTL_LPE |
                    E1000_RCTL_BSIZE_2048 | E1000_RCTL_SECRC);
}

static int begin(struct e1000 *e)
{
    bool is_82574 = e->kind->message;

    e1000_write(e, E1000_ITR, 0);
    e1000_write(e, E1000_RDTR, 0);
    e1000_write(e, E1000_RADV, 0);
    if (is_82574) {
        e1000_write(e, E1000_RFCTL, 0);
        e1000_write(e, E1000_TXDCTL, e1000_read(e, E1000_TXDCTL) | E1000_TXDCTL_82574);
    }
    e1000_write(e, E1000_TIPG, E1000_TIPG_COPPER);
    pci_enable_dma(&e->pci);
    e1000_write(e, E1000_TCTL,
                E1000_TCTL_EN | E1000_TCTL_PSP | E1000_TCTL_CT | E1000_TCTL_COLD |
                    (is_82574 ? E1000_TCTL_MULR : 0));
    e1000_rx_open(e);
    e1000_rx_start(e);
    return 0;
}

static int start(struct e1000 *e, const struct nic_limits *limits)
{
    int err = e->kind->reset(e);

    if (err)
        return err;
    read_mac(e);
    start_link(e);
    err = e1000_rx_init(e, limits);
    if (!err)
        err = e1000_tx_init(e, limits);
    if (err)
        return err;
    irq_setup(e);
    clear_registers(e);
    err = e->kind->begin(e);
    if (err)
        return err;
    if (e->has_irq)
        e1000_write(e, e->kind->ims, E1000_INT_LSC);
    e->link = e1000_read(e, E1000_STATUS) & E1000_STATUS_LU;
    return 0;
}

struct nic *e1000_probe(struct pci_dev *pci, const struct nic_limits *limits,
                        const struct e1000_kind *kind, uint16_t mtu_max)
{
    struct e1000 *e = mem_alloc(sizeof(*e), CACHE_LINE_BYTES);

    if (!e)
        return NULL;
    e->pci = *pci;
    e->kind = kind;
    e->nic.ops = &live_ops;
    e->nic.driver = kind->driver;
    e->nic.pool = limits->pool;
    e->nic.mtu = DEFAULT_MTU;
    e->nic.mtu_max = mtu_max;
    e->nic.offloads = kind->offloads;
    memcpy(e->nic.location, pci->location, sizeof(e->nic.location));
    int err = pci_enable(&e->pci);
    if (!err) {
        e->regs = pci_map_bar(&e->pci, 0, 0, E1000_REGS_BYTES);
        err = e->regs ? start(e, limits) : -ENXIO;
    }
    if (err) {
        pci_disable(&e->pci);
        return nic_failed(&e->nic, nic_why(err));
    }
    return &e->nic;
}

#define OLDER(name, more, pcie)                                                                    \
    {                                                                                              \
        .driver = (name), .offloads = NIC_TX_CSUM_NEAR | NIC_TX_TSO4 | NIC_RX_CSUM | (more),       \
        .icr = E1000_ICR, .ims = E1000_IMS, .imc = E1000_IMC, .rx_queue = E1000_RX_QUEUE,          \
        .tx_queue = E1000_TX_QUEUE, .message = (pcie), .reset = e1000_reset, .begin = begin        \
    }

static const struct e1000_kind kind_8254x = OLDER("e1000", 0, false),
                               kind_82574 = OLDER("e1000e", NIC_TX_TSO6, true);

static struct nic *probe(struct pci_dev *pci, const struct nic_id *chip,
                         const struct nic_limits *limits)
{
    return e1000_probe(pci, limits, chip->variant & IS_82574 ? &kind_82574 : &kind_8254x,
                       chip->variant & NO_JUMBO ? DEFAULT_MTU : JUMBO_MTU);
}

const struct nic_driver e1000_driver = {.ids = chips, .probe = probe};
