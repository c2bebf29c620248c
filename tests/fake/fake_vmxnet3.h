/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A vmxnet3 in software (drivers/vmxnet3_regs.h says from where): a PCI function, registers that
 * act when they are touched (fake_registers.h), and the device's side of the rings. It segments and
 * sums by arithmetic of its own, checks what the driver does (a violation is kept in fault), and
 * offers completions to tests that want it to lie.
 *
 * What is written to BAR 0 (masks, producer indices) has its effect when the device looks:
 * fake_vmxnet3_settle(), which every function here begins with.
 */
#ifndef FAKE_VMXNET3_H
#define FAKE_VMXNET3_H

#include "drivers.h"
#include "drivers/vmxnet3_regs.h"
#include "tests/fake/fake_pci.h"

#define FAKE_VMXNET3_FRAMES_MAX  160
#define FAKE_VMXNET3_FRAME_BYTES 9100
#define FAKE_VMXNET3_PACKET_MAX  70000
#define FAKE_VMXNET3_SENT_MAX    256 /* packets not reported */

struct fake_vmxnet3 {
    uint8_t bar0[VMXNET3_BAR_BYTES];
    uint8_t msix[VMXNET3_INTS_MAX * PCI_MSIX_ENTRY_BYTES];
    struct fake_pci_fn *fn;
    const struct pkt_pool *pool; /* what receive buffers must lie in */
    const char *fault;           /* what the driver did wrong, or NULL */

    /* What it is; for tests to change before the start. */
    uint8_t mac[MAC_BYTES];
    uint32_t revisions, interrupt_kind, activation;
    bool gone; /* every register reads as ones */

    uint32_t last_command, shared_low, link;
    struct vmxnet3_shared *shared;
    struct vmxnet3_queues *queues; /* while it is active */
    bool was_reset;
    bool line;                                        /* the line is up */
    bool pending[2];                                  /* interrupts that wait */
    unsigned interrupts;                              /* raised */
    unsigned rx_at[2], rx_done_at, tx_at, tx_done_at; /* next entries, free-running */
    uint64_t no_buffer, rx_errors;
    unsigned sent[FAKE_VMXNET3_SENT_MAX], sent_first, sent_count; /* last descriptors */

    /* What the last transmitted packet became. */
    unsigned frame_count;
    size_t frame_bytes[FAKE_VMXNET3_FRAMES_MAX];
    uint8_t frames[FAKE_VMXNET3_FRAMES_MAX][FAKE_VMXNET3_FRAME_BYTES];
};

/* A machine with this device and nothing else: machine, PCI and log begin anew. */
void fake_vmxnet3_init(struct fake_vmxnet3 *f, const struct pkt_pool *pool);

/* Takes the capability away: PCI_CAP_ID_MSIX, or that and PCI_CAP_ID_MSI. */
void fake_vmxnet3_without(struct fake_vmxnet3 *f, uint8_t cap);

/* Has the driver start it, as nic_probe_all() does. */
struct nic *fake_vmxnet3_start(struct fake_vmxnet3 *f, const struct nic_limits *limits);

/* Has the driver stop it, if it has not done so, and what it holds freed. Ends the machine. */
void fake_vmxnet3_stop(struct fake_vmxnet3 *f, struct nic *nic);

void fake_vmxnet3_settle(struct fake_vmxnet3 *f);

/* Interrupt 0 or 1 wants to come. */
void fake_vmxnet3_cause(struct fake_vmxnet3 *f, unsigned interrupt);

bool fake_vmxnet3_masked(const struct fake_vmxnet3 *f, unsigned interrupt);

/* These events happened: VMXNET3_EVENT_*. */
void fake_vmxnet3_event(struct fake_vmxnet3 *f, uint32_t events);

void fake_vmxnet3_set_link(struct fake_vmxnet3 *f, bool up);

/* irq_arm of the driver, and what waited for it. */
bool fake_vmxnet3_arm(struct fake_vmxnet3 *f, struct nic *nic);

/* Receive descriptors of a ring that the device may use. */
unsigned fake_vmxnet3_rx_room(struct fake_vmxnet3 *f, unsigned ring);

/* Receives a frame over as many buffers as it takes, with these bits in the last one's length word.
 * False: it has too few, which it counts. */
bool fake_vmxnet3_receive(struct fake_vmxnet3 *f, const uint8_t *frame, size_t n, uint32_t bits);

/* Writes one receive completion, whatever is in it. */
void fake_vmxnet3_complete(struct fake_vmxnet3 *f, uint32_t index, uint32_t length);

/* Takes a packet from the transmit ring and makes the frames of it. False: there is none. */
bool fake_vmxnet3_transmit(struct fake_vmxnet3 *f);

/* Reports packets taken so far, up to n of them; says whether there were. */
bool fake_vmxnet3_report(struct fake_vmxnet3 *f, unsigned n);

/* Writes one transmit completion, whatever is in it. */
void fake_vmxnet3_sent(struct fake_vmxnet3 *f, uint32_t index);

#endif
