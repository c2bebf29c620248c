/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A vmxnet3 in software; see fake_vmxnet3.h.
 */
#include "tests/fake/fake_vmxnet3.h"

#include "drivers/vmxnet3.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_registers.h"

#define BAR0_BASE 0xFEB80000u
#define BAR1_BASE 0xFEB81000u
#define MSIX_BASE 0xFEB82000u
#define MSI_CAP   0x84
#define MSIX_CAP  0x9C
#define TYPE_BODY VMXNET3_RXD_BODY

static void fault(struct fake_vmxnet3 *f, const char *what)
{
    if (!f->fault)
        f->fault = what;
}

static bool may_reach_memory(const struct fake_vmxnet3 *f)
{
    return f->fn->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

static uint32_t bar0(const struct fake_vmxnet3 *f, unsigned reg)
{
    return load_raw32(f->bar0 + reg);
}

static void set_mask(struct fake_vmxnet3 *f, unsigned interrupt, bool on)
{
    f->bar0[VMXNET3_IMR(interrupt)] = on;
}

bool fake_vmxnet3_masked(const struct fake_vmxnet3 *f, unsigned interrupt)
{
    return bar0(f, VMXNET3_IMR(interrupt)) & 1;
}

/* ---- commands ---- */

static bool is_ring(uint64_t address, uint32_t count)
{
    return address != 0 && address % 512 == 0 && count != 0 && count % 32 == 0 && count <= 4096;
}

static const char *find_mistake(const struct fake_vmxnet3 *f)
{
    const struct vmxnet3_shared *s = f->shared;
    const struct vmxnet3_queues *q = (const void *)(uintptr_t)s->queues;

    if (!may_reach_memory(f) || !f->was_reset || (uintptr_t)s % 8 != 0)
        return "activated without a reset, or a way to memory";
    if (s->magic != VMXNET3_MAGIC || s->mtu < 60 || s->mtu > VMXNET3_MTU_MAX || s->tx_queues != 1 ||
        s->rx_queues != 1 || s->queues_bytes != sizeof(*q) || s->queues % 128 != 0 ||
        !(s->revisions & 1) || !(s->upt_versions & 1) || s->features != 0)
        return "shared memory that cannot be";
    if (s->interrupts == 0 || s->event_interrupt >= s->interrupts ||
        q->tx.interrupt >= s->interrupts || q->rx.interrupt >= s->interrupts ||
        s->auto_mask != (VMXNET3_INT_MASKS(f->interrupt_kind) == VMXNET3_MASKS_ITSELF))
        return "interrupts that cannot be";
    if (!is_ring(q->tx.ring, q->tx.ring_count) ||
        !is_ring(q->tx.completions, q->tx.completions_count) ||
        !is_ring(q->rx.rings[0], q->rx.ring_counts[0]) ||
        !is_ring(q->rx.rings[1], q->rx.ring_counts[1]) ||
        !is_ring(q->rx.completions, q->rx.completions_count) ||
        q->tx.completions_count < q->tx.ring_count ||
        q->rx.completions_count < q->rx.ring_counts[0] + q->rx.ring_counts[1])
        return "a ring that is none";
    return NULL;
}

static void reset(struct fake_vmxnet3 *f)
{
    if (may_reach_memory(f) && !f->was_reset)
        fault(f, "it was let to memory before its reset");
    memset(f->bar0, 0, sizeof(f->bar0));
    f->was_reset = true;
    f->queues = NULL;
    f->line = f->pending[0] = f->pending[1] = false;
    memset(f->rx_at, 0, sizeof(f->rx_at));
    f->rx_done_at = f->tx_at = f->tx_done_at = f->sent_first = f->sent_count = 0;
}

static uint32_t activate(struct fake_vmxnet3 *f)
{
    const char *mistake = f->shared ? find_mistake(f) : "no shared memory";

    if (mistake)
        fault(f, mistake);
    if (f->activation != 0 || mistake)
        return 1;
    f->queues = (void *)(uintptr_t)f->shared->queues;
    return 0;
}

static void write_stats(struct fake_vmxnet3 *f)
{
    if (!f->queues)
        return;
    f->queues->rx.stats[VMXNET3_STAT_RX_NO_BUFFER] = f->no_buffer;
    f->queues->rx.stats[VMXNET3_STAT_RX_ERROR] = f->rx_errors;
}

static void do_command(struct fake_vmxnet3 *f, uint32_t command)
{
    f->last_command = command;
    if (command == VMXNET3_CMD_RESET)
        reset(f);
    else if (command == VMXNET3_CMD_QUIESCE)
        f->queues = NULL;
    else if (command == VMXNET3_CMD_STATS)
        write_stats(f);
}

static uint32_t command_result(struct fake_vmxnet3 *f)
{
    switch (f->last_command) {
    case VMXNET3_CMD_ACTIVATE:
        return activate(f);
    case VMXNET3_CMD_RESET:
    case VMXNET3_CMD_QUIESCE:
        return 0;
    case VMXNET3_CMD_LINK:
        return f->link;
    case VMXNET3_CMD_MAC_LOW:
        return load_raw32(f->mac);
    case VMXNET3_CMD_MAC_HIGH:
        return load_raw16(f->mac + 4);
    case VMXNET3_CMD_INTERRUPTS:
        return f->interrupt_kind;
    default:
        fault(f, "a command that nothing comes of");
        return 0;
    }
}

static uint32_t read_bar1(void *device, unsigned reg)
{
    struct fake_vmxnet3 *f = device;
    bool line = f->line;

    if (f->gone)
        return UINT32_MAX;
    switch (reg) {
    case VMXNET3_VRRS:
    case VMXNET3_UVRS:
        return f->revisions;
    case VMXNET3_CMD:
        return command_result(f);
    case VMXNET3_ICR:
        f->line = false;
        if (line && f->queues && f->shared->auto_mask)
            set_mask(f, 0, true);
        return line;
    default:
        fault(f, "a register that is not there to be read");
        return 0;
    }
}

static void write_bar1(void *device, unsigned reg, uint32_t value)
{
    struct fake_vmxnet3 *f = device;

    switch (reg) {
    case VMXNET3_VRRS:
    case VMXNET3_UVRS:
        if (value != VMXNET3_REVISION_1)
            fault(f, "another revision");
        break;
    case VMXNET3_DSAL:
        f->shared_low = value;
        f->shared = NULL;
        break;
    case VMXNET3_DSAH:
        f->shared = (void *)(uintptr_t)((uint64_t)value << 32 | f->shared_low);
        break;
    case VMXNET3_CMD:
        do_command(f, value);
        break;
    case VMXNET3_ECR:
        f->shared->events &= ~value;
        break;
    case VMXNET3_MACL:
    case VMXNET3_MACH:
        break;
    default:
        fault(f, "a register that is not there to be written");
    }
}

/* ---- the machine ---- */

void fake_vmxnet3_init(struct fake_vmxnet3 *f, const struct pkt_pool *pool)
{
    static const uint8_t mac[MAC_BYTES] = {0x52, 0x54, 0, 0xE3, 0, 7};

    fake_machine_reset();
    fake_pci_reset();
    fake_log_clear();
    memset(f, 0, offsetof(struct fake_vmxnet3, frames));
    memcpy(f->mac, mac, MAC_BYTES);
    f->pool = pool;
    f->revisions = 0x0F;
    f->link = 10000u << 16 | VMXNET3_LINK_UP;
    f->fn = fake_pci_add(0, 3, 0, 0x15AD, 0x07B0, 0);
    f->fn->config[PCI_INTERRUPT_PIN] = 1;
    f->fn->config[PCI_INTERRUPT_LINE] = 11;
    fake_pci_set_bar(f->fn, 0, BAR0_BASE, VMXNET3_BAR_BYTES, false);
    fake_pci_set_bar(f->fn, 1, BAR1_BASE, VMXNET3_BAR_BYTES, false);
    fake_pci_set_bar(f->fn, 2, MSIX_BASE, 0x1000, false);
    fake_machine_map(BAR0_BASE, VMXNET3_BAR_BYTES, f->bar0);
    fake_machine_map(BAR1_BASE, VMXNET3_BAR_BYTES, fake_registers(read_bar1, write_bar1, f));
    fake_machine_map(MSIX_BASE, sizeof(f->msix), f->msix);
    fake_pci_add_cap(f->fn, MSI_CAP, PCI_CAP_ID_MSI);
    fake_pci_set16(f->fn, MSI_CAP + PCI_MSI_CONTROL, PCI_MSI_CONTROL_WIDE);
    fake_pci_add_cap(f->fn, MSIX_CAP, PCI_CAP_ID_MSIX);
    fake_pci_set16(f->fn, MSIX_CAP + PCI_MSIX_CONTROL, VMXNET3_INTS_MAX - 1);
    fake_pci_set32(f->fn, MSIX_CAP + PCI_MSIX_TABLE, 2);
}

void fake_vmxnet3_without(struct fake_vmxnet3 *f, uint8_t cap)
{
    f->fn->config[MSIX_CAP] = PCI_CAP_ID_VENDOR;
    if (cap == PCI_CAP_ID_MSI)
        f->fn->config[MSI_CAP] = PCI_CAP_ID_VENDOR;
}

struct nic *fake_vmxnet3_start(struct fake_vmxnet3 *f, const struct nic_limits *limits)
{
    struct pci_dev pci;

    pci_scan(&pci, 1);
    struct nic *nic = vmxnet3_driver.probe(&pci, vmxnet3_driver.ids, limits);
    fake_vmxnet3_settle(f);
    return nic;
}

void fake_vmxnet3_stop(struct fake_vmxnet3 *f, struct nic *nic)
{
    if (nic && !nic->dead) {
        nic->ops->stop(nic);
        vmxnet3_rx_release(vmxnet3_of(nic));
        vmxnet3_tx_release(vmxnet3_of(nic));
    }
    if (may_reach_memory(f) || f->queues)
        fault(f, "it is still on at the end");
    if (fake_pci_fault)
        fault(f, fake_pci_fault);
    fake_machine_reset();
}

/* ---- interrupts ---- */

static bool has_control(const struct fake_vmxnet3 *f, uint8_t id, unsigned at, uint16_t bit)
{
    return f->fn->config[at] == id && (load_raw16(&f->fn->config[at + 2]) & bit);
}

static void raise(struct fake_vmxnet3 *f, unsigned interrupt)
{
    bool msix = has_control(f, PCI_CAP_ID_MSIX, MSIX_CAP, PCI_MSIX_CONTROL_ENABLE);
    bool msi = has_control(f, PCI_CAP_ID_MSI, MSI_CAP, PCI_MSI_CONTROL_ENABLE);

    f->pending[interrupt] = false;
    f->interrupts++;
    f->line = !msix && !msi;
    if (!f->line && f->shared->auto_mask)
        set_mask(f, interrupt, true);
    if (msix && (f->msix[interrupt * PCI_MSIX_ENTRY_BYTES + PCI_MSIX_ENTRY_CONTROL] & 1))
        fault(f, "an interrupt whose message is masked");
    fake_irq_raise(interrupt);
    if (f->queues && !fake_vmxnet3_masked(f, interrupt))
        fault(f, "an interrupt that is not masked after it");
}

void fake_vmxnet3_settle(struct fake_vmxnet3 *f)
{
    if (!f->queues || (f->shared->interrupt_control & VMXNET3_INTS_OFF))
        return;
    for (unsigned i = 0; i < ARRAY_COUNT(f->pending); i++)
        if (f->pending[i] && !fake_vmxnet3_masked(f, i))
            raise(f, i);
}

void fake_vmxnet3_cause(struct fake_vmxnet3 *f, unsigned interrupt)
{
    fake_vmxnet3_settle(f);
    f->pending[interrupt] = true;
    fake_vmxnet3_settle(f);
}

void fake_vmxnet3_event(struct fake_vmxnet3 *f, uint32_t events)
{
    f->shared->events |= events;
    fake_vmxnet3_cause(f, f->shared->event_interrupt);
}

void fake_vmxnet3_set_link(struct fake_vmxnet3 *f, bool up)
{
    f->link = up ? 10000u << 16 | VMXNET3_LINK_UP : 0;
    fake_vmxnet3_event(f, VMXNET3_EVENT_LINK);
}

bool fake_vmxnet3_arm(struct fake_vmxnet3 *f, struct nic *nic)
{
    bool work = nic->ops->irq_arm(nic);

    fake_vmxnet3_settle(f);
    return work;
}

/* ---- receive ---- */

/* The next descriptor of a ring if it is the device's, else NULL. */
static struct vmxnet3_rx_desc *rx_desc(struct fake_vmxnet3 *f, unsigned ring, unsigned ahead)
{
    uint32_t count = f->queues->rx.ring_counts[ring];
    unsigned at = f->rx_at[ring] + ahead;
    struct vmxnet3_rx_desc *d =
        (struct vmxnet3_rx_desc *)(uintptr_t)f->queues->rx.rings[ring] + at % count;
    uint32_t generation = at / count % 2 ? 0 : VMXNET3_RXD_GEN;

    return (d->length & VMXNET3_RXD_GEN) == generation ? d : NULL;
}

unsigned fake_vmxnet3_rx_room(struct fake_vmxnet3 *f, unsigned ring)
{
    unsigned n = 0;

    if (!f->queues)
        return 0;
    while (n < f->queues->rx.ring_counts[ring] && rx_desc(f, ring, n))
        n++;
    return n;
}

static uint8_t *buffer_of(struct fake_vmxnet3 *f, const struct vmxnet3_rx_desc *d, unsigned ring)
{
    uintptr_t at = (uintptr_t)d->address, pool = (uintptr_t)f->pool->memory;
    uintptr_t in_buffer = (at - pool) % PKT_BUF_BYTES;
    uint32_t bytes = d->length & 0x3FFF;

    if (at < pool || at - pool >= (uintptr_t)f->pool->count * PKT_BUF_BYTES ||
        in_buffer < PKT_META_BYTES || in_buffer + bytes > PKT_BUF_BYTES || bytes < 2048 ||
        (d->length & TYPE_BODY) != (ring == 0 ? 0 : TYPE_BODY)) {
        fault(f, "a receive buffer that is none");
        return NULL;
    }
    return (uint8_t *)at;
}

void fake_vmxnet3_complete(struct fake_vmxnet3 *f, uint32_t index, uint32_t length)
{
    uint32_t count = f->queues->rx.completions_count;
    struct vmxnet3_completion *done =
        (struct vmxnet3_completion *)(uintptr_t)f->queues->rx.completions + f->rx_done_at % count;

    done->index = index;
    done->length = length;
    done->generation = (f->rx_done_at / count % 2 ? 0 : VMXNET3_CD_GEN) | 3u << 24;
    f->rx_done_at++;
}

bool fake_vmxnet3_receive(struct fake_vmxnet3 *f, const uint8_t *frame, size_t n, uint32_t bits)
{
    size_t done = 0;

    fake_vmxnet3_settle(f);
    if (!f->queues)
        return false;
    unsigned bodies = (unsigned)((MAX(n, (size_t)1) - 1) / VMXNET3_RX_BUFFER_BYTES);
    if (fake_vmxnet3_rx_room(f, 0) < 1 || fake_vmxnet3_rx_room(f, 1) < bodies) {
        f->no_buffer++;
        return false;
    }
    for (unsigned part = 0; part <= bodies; part++) {
        unsigned ring = part == 0 ? 0 : 1;
        struct vmxnet3_rx_desc *d = rx_desc(f, ring, 0);
        size_t bytes = MIN(n - done, (size_t)(d->length & 0x3FFF));
        uint8_t *to = buffer_of(f, d, ring);
        if (!to)
            return false;
        memcpy(to, frame + done, bytes);
        done += bytes;
        uint32_t index = f->rx_at[ring]++ % f->queues->rx.ring_counts[ring] | ring << 16;
        fake_vmxnet3_complete(
            f, index | (part == 0 ? VMXNET3_RCD_SOP : 0) | (part == bodies ? VMXNET3_RCD_EOP : 0),
            (uint32_t)bytes | (part == bodies ? bits : 0));
    }
    fake_vmxnet3_cause(f, f->queues->rx.interrupt);
    return true;
}
