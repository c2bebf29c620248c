/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Intel's 82576, 82580, I350, I210, I211 ("igb") and I225, I226 ("igc"): which chips, and what of
 * their start differs from an 82574's (82576, section 4.5). e1000.h has the theory of operation.
 *
 * The NVM is left alone, and so is the PHY but for an 82576's: the device sets both up by itself as
 * it comes out of reset, and its firmware may be using them. One pair of queues is used, which is
 * the only one that a reset leaves in use.
 */
#include "drivers/igb.h"

#include "clock.h"
#include "log.h"

#define INTEL             0x8086
#define MTU_MAX           9212 /* what the 82574 takes, which is less than any of these can */
#define MASTER_OFF_MAX_US 100000
#define AUTO_RD_MAX_US    10000
#define QUEUE_MAX_US      20000
#define FETCH_BELOW       8
#define BUFFER_KB         (E1000_RX_BUFFER_BYTES / 1024)

/* What differs between chips. */
#define IGC   (1u << 0) /* as others name its driver */
#define TRIED (1u << 1) /* one of these has been driven, if only in QEMU */
#define PHY   (1u << 2) /* is told to negotiate */

static const struct nic_id chips[] = {
    {INTEL, 0x10C9, "82576", TRIED | PHY},
    {INTEL, 0x10E6, "82576 (fiber)", 0},
    {INTEL, 0x10E7, "82576 (SerDes)", 0},
    {INTEL, 0x10E8, "82576 (quad)", PHY},
    {INTEL, 0x1526, "82576 (quad, ET2)", PHY},
    {INTEL, 0x150A, "82576NS", PHY},
    {INTEL, 0x150E, "82580", 0},
    {INTEL, 0x150F, "82580 (fiber)", 0},
    {INTEL, 0x1510, "82580 (SerDes)", 0},
    {INTEL, 0x1511, "82580 (SGMII)", 0},
    {INTEL, 0x1516, "82580 (dual)", 0},
    {INTEL, 0x1521, "I350", 0},
    {INTEL, 0x1522, "I350 (fiber)", 0},
    {INTEL, 0x1523, "I350 (SerDes)", 0},
    {INTEL, 0x1524, "I350 (SGMII)", 0},
    {INTEL, 0x1533, "I210", 0},
    {INTEL, 0x1536, "I210 (fiber)", 0},
    {INTEL, 0x1537, "I210 (SerDes)", 0},
    {INTEL, 0x1538, "I210 (SGMII)", 0},
    {INTEL, 0x157B, "I210 (no flash)", 0},
    {INTEL, 0x157C, "I210 (SerDes, no flash)", 0},
    {INTEL, 0x1539, "I211", 0},
    {INTEL, 0x15F2, "I225-LM", IGC},
    {INTEL, 0x15F3, "I225-V", IGC},
    {INTEL, 0x15F8, "I225-I", IGC},
    {INTEL, 0x0D9F, "I225-IT", IGC},
    {INTEL, 0x3100, "I225-K", IGC},
    {INTEL, 0x125B, "I226-LM", IGC},
    {INTEL, 0x125C, "I226-V", IGC},
    {INTEL, 0x125D, "I226-IT", IGC},
    {0, 0, NULL, 0},
};

static void queue_off(const struct e1000 *e, unsigned queue)
{
    e1000_write(e, queue + E1000_QUEUE_CONTROL, 0);
}

/* A queue's tail may not be written before the device says that it is on (section 4.5.9.1). */
static int queue_on(struct e1000 *e, unsigned queue)
{
    unsigned reg = queue + E1000_QUEUE_CONTROL;

    e1000_write(e, reg,
                IGB_QUEUE_CONTROL_FETCH(FETCH_BELOW) | IGB_QUEUE_CONTROL_WRITE(1) |
                    IGB_QUEUE_CONTROL_ON);
    return e1000_wait(e, reg, IGB_QUEUE_CONTROL_ON, IGB_QUEUE_CONTROL_ON, QUEUE_MAX_US);
}

/* What has been asked of memory is waited for first, lest its answer come to another life (section
 * 5.2.3.3). A device that will not say so, or has nothing to read its settings from, is reset all
 * the same: there is nothing better to do with it. */
static int reset(struct e1000 *e)
{
    e1000_write(e, E1000_CTRL, e1000_read(e, E1000_CTRL) | IGB_CTRL_MASTER_OFF);
    e1000_wait(e, E1000_STATUS, IGB_STATUS_MASTER_ON, 0, MASTER_OFF_MAX_US);
    int err = e1000_reset(e);
    if (err)
        return err;
    e1000_wait(e, IGB_EECD, IGB_EECD_AUTO_RD, IGB_EECD_AUTO_RD, AUTO_RD_MAX_US);
    e1000_write(e, E1000_CTRL, e1000_read(e, E1000_CTRL) & ~IGB_CTRL_MASTER_OFF);
    e1000_write(e, IGB_GPIE, IGB_GPIE_NSICR);
    queue_off(e, IGB_RX_QUEUE);
    queue_off(e, IGB_TX_QUEUE);
    return 0;
}

static int begin(struct e1000 *e)
{
    e1000_write(e, IGB_CTRL_EXT, e1000_read(e, IGB_CTRL_EXT) | IGB_CTRL_EXT_LOADED);
    e1000_write(e, IGB_RLPML, IGB_RLPML_JUMBO);
    e1000_write(e, IGB_RX_QUEUE + IGB_QUEUE_SRRCTL,
                IGB_SRRCTL_KB(BUFFER_KB) | IGB_SRRCTL_ONE_BUFFER);
    pci_enable_dma(&e->pci);
    int err = queue_on(e, IGB_TX_QUEUE);
    if (err)
        return err;
    uint32_t tctl = e1000_read(e, E1000_TCTL) & ~IGB_TCTL_CT;
    e1000_write(e, E1000_TCTL, tctl | E1000_TCTL_EN | E1000_TCTL_PSP | E1000_TCTL_CT);
    e1000_rx_open(e);
    err = queue_on(e, IGB_RX_QUEUE);
    if (err)
        return err;
    e1000_rx_start(e);
    return 0;
}

/* An I225 has the registers of interrupts in their new place only, and QEMU's 82576 in the old one
 * only; the others have them in both. */
#define YOUNGER(name, icr_at, ims_at, imc_at)                                                      \
    {                                                                                              \
        .driver = (name), .offloads = NIC_TX_CSUM_NEAR | NIC_TX_TSO4 | NIC_TX_TSO6 | NIC_RX_CSUM,  \
        .icr = (icr_at), .ims = (ims_at), .imc = (imc_at), .rx_queue = IGB_RX_QUEUE,               \
        .tx_queue = IGB_TX_QUEUE, .message = true, .advanced = true, .reset = reset,               \
        .begin = begin                                                                             \
    }

static const struct e1000_kind igb = YOUNGER("igb", E1000_ICR, E1000_IMS, E1000_IMC),
                               igc = YOUNGER("igc", IGC_ICR, IGC_IMS, IGC_IMC);

static struct nic *probe(struct pci_dev *pci, const struct nic_id *chip,
                         const struct nic_limits *limits)
{
    struct nic *nic = e1000_probe(pci, limits, chip->variant & IGC ? &igc : &igb, MTU_MAX);

    if (!nic || nic->dead)
        return nic;
    if (chip->variant & PHY) {
        int err = igb_phy_restart(e1000_of(nic));
        if (err)
            log_warn("%s: the PHY was not to be had (error %d); the link is as it was left",
                     pci->location, -err);
    }
    if (!(chip->variant & TRIED))
        log_warn("%s: the driver of the %s is experimental: it was written from the data sheet",
                 pci->location, chip->name);
    return nic;
}

const struct nic_driver igb_driver = {.ids = chips, .probe = probe};
