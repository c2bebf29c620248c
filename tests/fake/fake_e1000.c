/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A gigabit controller of Intel's in software; see fake_e1000.h.
 */
#include "tests/fake/fake_e1000.h"

#include "drivers/e1000.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"

#define BAR_BASE     0xFEB80000u
#define MSI_CAP      0xD0
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

/* Registers have any value after a reset, but for those that are said to have one. */
static void reset_done(struct fake_e1000 *f)
{
    const uint8_t *m = f->eeprom_mac;

    if (may_reach_memory(f))
        fault(f, "it was let to memory before its reset");
    memset(f->regs, 0xA5, sizeof(f->regs));
    fake_e1000_set(f, E1000_CTRL,
                   E1000_CTRL_LRST | E1000_CTRL_ILOS | E1000_CTRL_FRCSPD | E1000_CTRL_RFCE |
                       E1000_CTRL_VME | 0x100);
    fake_e1000_set(f, E1000_STATUS, E1000_STATUS_LU | 0x80080780u);
    fake_e1000_set(f, E1000_ICR, 0);
    fake_e1000_set(f, E1000_IMS, 0);
    fake_e1000_set(f, E1000_IMC, 0);
    fake_e1000_set(f, E1000_RCTL, 0);
    fake_e1000_set(f, E1000_TCTL, 0);
    fake_e1000_set(f, E1000_TXDCTL, 0);
    fake_e1000_set(f, E1000_RAL0, load_raw32(m));
    fake_e1000_set(f, E1000_RAH0, load_raw16(m + 4) | (f->no_mac ? 0 : E1000_RAH_AV));
    f->was_reset = true;
    f->ims = f->causes = 0;
    f->rx_at = f->tx_at = f->reported_from = 0;
    f->csum_known = false;
}

static void while_waiting(void)
{
    if (!waiting->stuck_in_reset && (fake_e1000_reg(waiting, E1000_CTRL) & E1000_CTRL_RST))
        reset_done(waiting);
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
    memcpy(f->eeprom_mac, mac, MAC_BYTES);
    f->pool = pool;
    f->fn = fake_pci_add(0, 3, 0, 0x8086, device, 0);
    f->fn->config[PCI_INTERRUPT_PIN] = 1;
    f->fn->config[PCI_INTERRUPT_LINE] = 11;
    fake_pci_set_bar(f->fn, 0, BAR_BASE, E1000_REGS_BYTES, false);
    fake_machine_map(BAR_BASE, E1000_REGS_BYTES, f->regs);
    if (device == FAKE_E1000_82574L) {
        fake_pci_add_cap(f->fn, MSI_CAP, PCI_CAP_ID_MSI);
        fake_pci_set16(f->fn, MSI_CAP + PCI_MSI_CONTROL, PCI_MSI_CONTROL_WIDE);
    }
    waiting = f;
    fake_clock_hook = while_waiting;
}

struct nic *fake_e1000_start(struct fake_e1000 *f, const struct nic_limits *limits)
{
    struct pci_dev pci;

    pci_scan(&pci, 1);
    for (const struct nic_id *id = e1000_driver.ids; id->name; id++) {
        if (id->device != pci.device)
            continue;
        struct nic *nic = e1000_driver.probe(&pci, id, limits);
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
        (fake_e1000_reg(f, E1000_TCTL) & E1000_TCTL_EN))
        fault(f, "it is still on at the end");
    if (fake_pci_fault)
        fault(f, fake_pci_fault);
    fake_machine_reset();
}

/* ---- interrupts ---- */

void fake_e1000_settle(struct fake_e1000 *f)
{
    f->ims &= ~fake_e1000_reg(f, E1000_IMC);
    f->ims |= fake_e1000_reg(f, E1000_IMS);
    fake_e1000_set(f, E1000_IMC, 0);
    fake_e1000_set(f, E1000_IMS, 0);
}

static void interrupt(struct fake_e1000 *f)
{
    if (!(f->causes & f->ims))
        return;
    f->interrupts++;
    fake_e1000_set(f, E1000_ICR, f->causes);
    f->causes = 0; /* reading clears */
    fake_irq_raise(0);
    fake_e1000_set(f, E1000_ICR, 0);
    fake_e1000_settle(f);
}

void fake_e1000_cause(struct fake_e1000 *f, uint32_t causes)
{
    fake_e1000_settle(f);
    f->causes |= causes;
    interrupt(f);
}

bool fake_e1000_arm(struct fake_e1000 *f, struct nic *nic)
{
    fake_e1000_settle(f);
    fake_e1000_set(f, E1000_ICR, f->causes);
    bool work = nic->ops->irq_arm(nic);
    f->causes = 0;
    fake_e1000_set(f, E1000_ICR, 0);
    fake_e1000_settle(f);
    return work;
}

void fake_e1000_set_link(struct fake_e1000 *f, bool up)
{
    uint32_t status = fake_e1000_reg(f, E1000_STATUS);

    fake_e1000_set(f, E1000_STATUS, up ? status | E1000_STATUS_LU : status & ~E1000_STATUS_LU);
    fake_e1000_cause(f, E1000_INT_LSC);
}

/* ---- receive ---- */

static void *ring(struct fake_e1000 *f, unsigned low, unsigned high, unsigned len, unsigned *count)
{
    uint64_t base = fake_e1000_reg(f, low) | (uint64_t)fake_e1000_reg(f, high) << 32;
    uint32_t bytes = fake_e1000_reg(f, len);

    if (!may_reach_memory(f) || !f->was_reset || base % 16 != 0 || bytes % 128 != 0 || bytes == 0) {
        fault(f, "a ring that is none");
        *count = 1;
        return NULL;
    }
    *count = bytes / 16;
    return (void *)(uintptr_t)base;
}

static struct e1000_rx_desc *rx_ring(struct fake_e1000 *f, unsigned *count)
{
    return ring(f, E1000_RDBAL, E1000_RDBAH, E1000_RDLEN, count);
}

unsigned fake_e1000_rx_room(struct fake_e1000 *f)
{
    unsigned count, tail = fake_e1000_reg(f, E1000_RDT);

    if (!rx_ring(f, &count) || !(fake_e1000_reg(f, E1000_RCTL) & E1000_RCTL_EN))
        return 0;
    if (tail >= count) {
        fault(f, "a receive tail outside of the ring");
        return 0;
    }
    return (tail + count - f->rx_at) % count;
}

void fake_e1000_rx_write(struct fake_e1000 *f, uint64_t written)
{
    unsigned count;
    struct e1000_rx_desc *desc = rx_ring(f, &count);

    desc[f->rx_at].written = written;
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
