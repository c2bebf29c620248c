/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A gigabit controller of Intel's in software; see fake_e1000.h.
 */
#include "tests/fake/fake_e1000.h"

#include "drivers/igb.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"

#define BAR_BASE     0xFEB80000u
#define MSI_CAP      0xD0
#define MSIX_CAP     0x70
#define MSIX_BAR     3
#define MSIX_BASE    0xFEBE0000u
#define BUFFER_BYTES 2048u

static struct fake_e1000 *waiting; /* whose driver may be waiting */

uint32_t fake_e1000_reg(const struct fake_e1000 *f, unsigned reg)
{
    return load_raw32(f->regs + reg);
}

void fake_e1000_set(struct fake_e1000 *f, unsigned reg, uint32_t value)
{
    memcpy(f->regs + reg, &value, sizeof(value));
}

static void fault(struct fake_e1000 *f, const char *what)
{
    if (!f->fault)
        f->fault = what;
}

static bool may_reach_memory(const struct fake_e1000 *f)
{
    return f->fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

/* ---- start ---- */

/* What a reset leaves in the registers that only an 82576 and younger have. */
static void reset_younger(struct fake_e1000 *f)
{
    fake_e1000_set(f, E1000_STATUS, E1000_STATUS_LU | IGB_STATUS_MASTER_ON | 0x80000780u);
    fake_e1000_set(f, IGB_CTRL_EXT, 0);
    fake_e1000_set(f, IGB_EECD, f->no_eeprom ? 0 : IGB_EECD_AUTO_RD);
    fake_e1000_set(f, IGB_EIMS, 0);
    fake_e1000_set(f, IGB_EIMC, 0);
    fake_e1000_set(f, IGB_EICR, 0);
    fake_e1000_set(f, IGB_MDIC, 0);
    fake_e1000_set(f, IGB_SWSM, f->semaphore_taken ? IGB_SWSM_SMBI : 0);
    fake_e1000_set(f, IGB_SW_FW_SYNC,
                   f->firmware_has_phy ? IGB_SW_FW_SYNC_FIRMWARE(IGB_SW_FW_SYNC_PHY0) : 0);
    f->phy_control = MII_CONTROL_POWER_DOWN | 0x40;
}

/* Registers have any value after a reset, but for those that are said to have one. */
static void reset_done(struct fake_e1000 *f)
{
    const uint8_t *m = f->eeprom_mac;

    if (may_reach_memory(f))
        fault(f, "it was let to memory before its reset");
    if (f->advanced && !f->stuck_master && (fake_e1000_reg(f, E1000_STATUS) & IGB_STATUS_MASTER_ON))
        fault(f, "it was reset while it may have been waiting for memory");
    memset(f->regs, 0xA5, sizeof(f->regs));
    fake_e1000_set(f, E1000_CTRL,
                   E1000_CTRL_LRST | E1000_CTRL_ILOS | E1000_CTRL_FRCSPD | E1000_CTRL_RFCE |
                       E1000_CTRL_VME | 0x100);
    fake_e1000_set(f, E1000_STATUS, E1000_STATUS_LU | 0x80080780u);
    fake_e1000_set(f, E1000_RCTL, 0);
    fake_e1000_set(f, E1000_TCTL, 0);
    if (f->advanced)
        reset_younger(f);
    else
        fake_e1000_set(f, E1000_TXDCTL, 0);
    fake_e1000_set(f, f->icr, 0);
    fake_e1000_set(f, f->ims_at, 0);
    fake_e1000_set(f, f->imc, 0);
    fake_e1000_set(f, E1000_RAL0, load_raw32(m));
    fake_e1000_set(f, E1000_RAH0, load_raw16(m + 4) | (f->no_mac ? 0 : E1000_RAH_AV));
    f->was_reset = true;
    f->ims = f->causes = f->eims = f->eicr = 0;
    f->rx_at = f->tx_at = f->reported_from = 0;
    memset(f->contexts, 0, sizeof(f->contexts));
}

/* The PHY's answer to what stands in MDIC. */
static void answer_mdic(struct fake_e1000 *f)
{
    uint32_t mdic = fake_e1000_reg(f, IGB_MDIC);
    uint32_t sync = fake_e1000_reg(f, IGB_SW_FW_SYNC);

    if ((mdic & IGB_MDIC_READY) || !(mdic & (IGB_MDIC_READ | IGB_MDIC_WRITE)) || f->silent_phy)
        return;
    if (sync != IGB_SW_FW_SYNC_PHY0)
        fault(f, "the PHY was used by one who had not asked");
    if (mdic & IGB_MDIC_WRITE)
        f->phy_control = (uint16_t)mdic;
    fake_e1000_set(f, IGB_MDIC, (mdic & ~IGB_MDIC_DATA_MASK) | f->phy_control | IGB_MDIC_READY);
}

/* The word of the EEPROM that EERD asks for. */
static void answer_eerd(struct fake_e1000 *f)
{
    uint32_t eerd = fake_e1000_reg(f, E1000_EERD);
    unsigned word = eerd >> E1000_EERD_ADDR;

    if (f->mac_by_word && (eerd & E1000_EERD_START) && word < MAC_BYTES / 2)
        fake_e1000_set(f, E1000_EERD,
                       (uint32_t)load_raw16(f->eeprom_mac + 2 * word) << E1000_EERD_DATA |
                           E1000_EERD_DONE);
}

static void while_waiting(void)
{
    struct fake_e1000 *f = waiting;
    uint32_t ctrl = fake_e1000_reg(f, E1000_CTRL);

    if (!f->stuck_in_reset && (ctrl & E1000_CTRL_RST)) {
        reset_done(f);
        return;
    }
    answer_eerd(f);
    if (!f->advanced)
        return;
    if ((ctrl & IGB_CTRL_MASTER_OFF) && !f->stuck_master)
        fake_e1000_set(f, E1000_STATUS, fake_e1000_reg(f, E1000_STATUS) & ~IGB_STATUS_MASTER_ON);
    if (f->stuck_queue)
        fake_e1000_set(f, f->rx_queue + E1000_QUEUE_CONTROL, 0);
    answer_mdic(f);
}

void fake_e1000_init(struct fake_e1000 *f, uint16_t device, const struct pkt_pool *pool)
{
    static const uint8_t mac[MAC_BYTES] = {0x52, 0x54, 0, 0xE1, 0, 7};

    fake_machine_reset();
    fake_pci_reset();
    fake_log_clear();
    memset(f, 0, offsetof(struct fake_e1000, frames));
    memset(f->regs, 0x5A, sizeof(f->regs));
    fake_e1000_set(f, E1000_CTRL, 0);
    f->advanced = device == FAKE_IGB_82576 || device == FAKE_IGB_I225;
    f->rx_queue = f->advanced ? IGB_RX_QUEUE : E1000_RX_QUEUE;
    f->tx_queue = f->advanced ? IGB_TX_QUEUE : E1000_TX_QUEUE;
    f->icr = device == FAKE_IGB_I225 ? IGC_ICR : E1000_ICR;
    f->ims_at = device == FAKE_IGB_I225 ? IGC_IMS : E1000_IMS;
    f->imc = device == FAKE_IGB_I225 ? IGC_IMC : E1000_IMC;
    memcpy(f->eeprom_mac, mac, MAC_BYTES);
    f->pool = pool;
    f->fn = fake_pci_add(0, 3, 0, 0x8086, device, 0);
    f->fn->config[PCI_INTERRUPT_PIN] = 1;
    f->fn->config[PCI_INTERRUPT_LINE] = 11;
    fake_pci_set_bar(f->fn, 0, BAR_BASE, E1000_REGS_BYTES, false);
    fake_machine_map(BAR_BASE, E1000_REGS_BYTES, f->regs);
    if (device != FAKE_E1000_82540EM) {
        fake_pci_add_cap(f->fn, MSI_CAP, PCI_CAP_ID_MSI);
        fake_pci_set16(f->fn, MSI_CAP + PCI_MSI_CONTROL, PCI_MSI_CONTROL_WIDE);
    }
    if (f->advanced) {
        fake_pci_add_cap(f->fn, MSIX_CAP, PCI_CAP_ID_MSIX);
        fake_pci_set16(f->fn, MSIX_CAP + PCI_MSIX_CONTROL, FAKE_IGB_MESSAGES - 1);
        fake_pci_set32(f->fn, MSIX_CAP + PCI_MSIX_TABLE, MSIX_BAR);
        fake_pci_set_bar(f->fn, MSIX_BAR, MSIX_BASE, 0x4000, false);
        fake_machine_map(MSIX_BASE, sizeof(f->msix_table), f->msix_table);
    }
    waiting = f;
    fake_clock_hook = while_waiting;
}

struct nic *fake_e1000_start(struct fake_e1000 *f, const struct nic_limits *limits)
{
    struct pci_dev pci;

    pci_scan(&pci, 1);
    const struct nic_driver *driver = f->advanced ? &igb_driver : &e1000_driver;
    for (const struct nic_id *id = driver->ids; id->name; id++) {
        if (id->device != pci.device)
            continue;
        struct nic *nic = driver->probe(&pci, id, limits);
        fake_e1000_settle(f);
        return nic;
    }
    return NULL;
}

void fake_e1000_stop(struct fake_e1000 *f, struct nic *nic)
{
    if (nic && !nic->dead) {
        nic->ops->stop(nic);
        e1000_rx_release(e1000_of(nic));
        e1000_tx_release(e1000_of(nic));
    }
    if (may_reach_memory(f) || (fake_e1000_reg(f, E1000_RCTL) & E1000_RCTL_EN) ||
        (fake_e1000_reg(f, E1000_TCTL) & E1000_TCTL_EN) ||
        (f->advanced && (fake_e1000_reg(f, IGB_CTRL_EXT) & IGB_CTRL_EXT_LOADED)))
        fault(f, "it is still on at the end");
    if (fake_pci_fault)
        fault(f, fake_pci_fault);
    fake_machine_reset();
}

/* ---- interrupts ---- */

static bool sends_messages(const struct fake_e1000 *f)
{
    return f->advanced && (fake_e1000_reg(f, IGB_GPIE) & IGB_GPIE_MSIX);
}

void fake_e1000_settle(struct fake_e1000 *f)
{
    f->ims &= ~fake_e1000_reg(f, f->imc);
    f->ims |= fake_e1000_reg(f, f->ims_at);
    fake_e1000_set(f, f->imc, 0);
    fake_e1000_set(f, f->ims_at, 0);
    if (!f->advanced)
        return;
    f->eicr &= ~fake_e1000_reg(f, IGB_EICR);
    f->eims &= ~fake_e1000_reg(f, IGB_EIMC);
    f->eims |= fake_e1000_reg(f, IGB_EIMS);
    fake_e1000_set(f, IGB_EICR, 0);
    fake_e1000_set(f, IGB_EIMC, 0);
    fake_e1000_set(f, IGB_EIMS, 0);
}

/* The message that register entry says, which is 0x80 and its number. */
static uint32_t message_of(struct fake_e1000 *f, uint32_t entry)
{
    entry &= 0xFF;
    if (!(entry & 0x80) || (entry & 0x7F) >= FAKE_IGB_MESSAGES) {
        fault(f, "a cause without a message");
        return 0;
    }
    return 1u << (entry & 0x7F);
}

static void send_messages(struct fake_e1000 *f)
{
    uint32_t control = load_raw16(f->fn->config + MSIX_CAP + PCI_MSIX_CONTROL);

    for (unsigned i = 0; i < FAKE_IGB_MESSAGES; i++) {
        const uint8_t *entry = f->msix_table + i * PCI_MSIX_ENTRY_BYTES;
        if (!(f->eicr & f->eims & 1u << i))
            continue;
        if (!(control & PCI_MSIX_CONTROL_ENABLE) ||
            (load_raw32(entry + PCI_MSIX_ENTRY_CONTROL) & PCI_MSIX_ENTRY_CONTROL_MASKED) ||
            !(fake_e1000_reg(f, IGB_EIAC) & 1u << i))
            fault(f, "a message that is masked, or remains");
        f->interrupts++;
        f->eicr &= ~(1u << i);
        fake_e1000_set(f, f->icr, f->causes);
        if (f->causes & f->ims & E1000_INT_LSC)
            f->causes = 0;
        fake_irq_raise(i);
        fake_e1000_set(f, f->icr, 0);
        fake_e1000_settle(f);
    }
}

static void interrupt(struct fake_e1000 *f)
{
    if (sends_messages(f)) {
        send_messages(f);
        return;
    }
    if (!(f->causes & f->ims))
        return;
    f->interrupts++;
    fake_e1000_set(f, f->icr, f->causes);
    f->causes = 0;                      /* reading clears */
    fake_irq_raise(fake_irq_count - 1); /* what was tried before it came to nothing */
    fake_e1000_set(f, f->icr, 0);
    fake_e1000_settle(f);
}

void fake_e1000_cause(struct fake_e1000 *f, uint32_t causes)
{
    fake_e1000_settle(f);
    f->causes |= causes;
    if (sends_messages(f)) {
        uint32_t rings = fake_e1000_reg(f, IGB_IVAR0);
        if (causes & (E1000_INT_RXT0 | E1000_INT_RXO))
            f->eicr |= message_of(f, rings);
        if (causes & E1000_INT_TXDW)
            f->eicr |= message_of(f, rings >> 8);
        if (causes & f->ims)
            f->eicr |= message_of(f, fake_e1000_reg(f, IGB_IVAR_MISC) >> 8);
    }
    interrupt(f);
}

bool fake_e1000_arm(struct fake_e1000 *f, struct nic *nic)
{
    fake_e1000_settle(f);
    fake_e1000_set(f, f->icr, f->causes);
    bool work = nic->ops->irq_arm(nic);
    f->causes = 0;
    fake_e1000_set(f, f->icr, 0);
    fake_e1000_settle(f);
    interrupt(f);
    return work;
}

void fake_e1000_set_link(struct fake_e1000 *f, bool up)
{
    uint32_t status = fake_e1000_reg(f, E1000_STATUS);

    fake_e1000_set(f, E1000_STATUS, up ? status | E1000_STATUS_LU : status & ~E1000_STATUS_LU);
    fake_e1000_cause(f, E1000_INT_LSC);
}

/* ---- receive ---- */

static struct e1000_rx_desc *rx_ring(struct fake_e1000 *f, unsigned *count)
{
    uint64_t base = fake_e1000_reg(f, f->rx_queue + E1000_QUEUE_BASE) |
                    (uint64_t)fake_e1000_reg(f, f->rx_queue + E1000_QUEUE_HIGH) << 32;
    uint32_t bytes = fake_e1000_reg(f, f->rx_queue + E1000_QUEUE_BYTES);

    if (!may_reach_memory(f) || !f->was_reset || base % 16 != 0 || bytes % 128 != 0 || bytes == 0) {
        fault(f, "a ring that is none");
        *count = 1;
        return NULL;
    }
    *count = bytes / 16;
    return (void *)(uintptr_t)base;
}

unsigned fake_e1000_rx_room(struct fake_e1000 *f)
{
    unsigned count, tail = fake_e1000_reg(f, f->rx_queue + E1000_QUEUE_TAIL);

    if (!rx_ring(f, &count) || !(fake_e1000_reg(f, E1000_RCTL) & E1000_RCTL_EN))
        return 0;
    if (f->advanced &&
        !(fake_e1000_reg(f, f->rx_queue + E1000_QUEUE_CONTROL) & IGB_QUEUE_CONTROL_ON))
        fault(f, "a receive queue that is off");
    if (tail >= count) {
        fault(f, "a receive tail outside of the ring");
        return 0;
    }
    return (tail + count - f->rx_at) % count;
}

uint64_t fake_e1000_form(const struct fake_e1000 *f, uint64_t written)
{
    uint64_t status = written >> 32 & IGB_RXD_STATUS, errors = written >> 40 & 0x60;

    if (!f->advanced)
        return written;
    if (written & E1000_RXD_IXSM)
        status &= ~(E1000_RXD_TCPCS >> 32);
    if (written & E1000_RXD_ERR_FRAME)
        errors |= 0x80; /* RXE, which is all it has for a bad frame */
    return status | errors << IGB_RXD_ERRORS_SHIFT |
           (written & E1000_RXD_LENGTH_MASK) << IGB_RXD_LENGTH_SHIFT;
}

void fake_e1000_rx_write(struct fake_e1000 *f, uint64_t written)
{
    unsigned count;
    struct e1000_rx_desc *desc = rx_ring(f, &count);

    desc[f->rx_at].written = fake_e1000_form(f, written);
    f->rx_at = (f->rx_at + 1) % count;
}

static uint8_t *rx_buffer(struct fake_e1000 *f)
{
    unsigned count;
    uintptr_t at = (uintptr_t)rx_ring(f, &count)[f->rx_at].address;
    uintptr_t pool = (uintptr_t)f->pool->memory;
    uintptr_t in_buffer = (at - pool) % PKT_BUF_BYTES;

    if (at < pool || at - pool >= (uintptr_t)f->pool->count * PKT_BUF_BYTES ||
        in_buffer < PKT_META_BYTES || in_buffer + BUFFER_BYTES > PKT_BUF_BYTES) {
        fault(f, "a receive buffer that is none");
        return NULL;
    }
    return (uint8_t *)at;
}

bool fake_e1000_receive(struct fake_e1000 *f, const uint8_t *frame, size_t n, uint64_t bits)
{
    unsigned parts = (unsigned)((MAX(n, (size_t)1) + BUFFER_BYTES - 1) / BUFFER_BYTES);

    fake_e1000_settle(f);
    if (fake_e1000_rx_room(f) < parts) {
        fake_e1000_cause(f, E1000_INT_RXO);
        return false;
    }
    for (unsigned i = 0; i < parts; i++) {
        size_t part = MIN(n - i * BUFFER_BYTES, (size_t)BUFFER_BYTES);
        uint8_t *to = rx_buffer(f);
        if (!to)
            return false;
        memcpy(to, frame + i * BUFFER_BYTES, part);
        fake_e1000_rx_write(f, part | E1000_RXD_DD | (i + 1 == parts ? bits | E1000_RXD_EOP : 0));
    }
    fake_e1000_cause(f, E1000_INT_RXT0);
    return true;
}
