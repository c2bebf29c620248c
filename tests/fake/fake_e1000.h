/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A gigabit controller of Intel's in software (317453; 317694 where it says 82574; from the 82576
 * on, drivers/igb_regs.h says what): a PCI function, a register file that is plain memory, and the
 * device's side of both rings. It segments and sums
 * as the data sheet says, by arithmetic of its own, checks what the driver does (a violation is
 * kept in fault), and offers descriptors to tests that want it to lie.
 *
 * A write to a register has its effect when the device looks: fake_e1000_settle(), which every
 * function here begins with.
 */
#ifndef FAKE_E1000_H
#define FAKE_E1000_H

#include "drivers.h"
#include "drivers/igb_regs.h"
#include "tests/fake/fake_pci.h"

#define FAKE_E1000_82540EM     0x100E
#define FAKE_E1000_82574L      0x10D3
#define FAKE_IGB_82576         0x10C9
#define FAKE_IGB_I225          0x15F3
#define FAKE_IGB_MESSAGES      5
#define FAKE_E1000_FRAMES_MAX  160
#define FAKE_E1000_FRAME_BYTES 9100
#define FAKE_E1000_PACKET_MAX  70000

/* What a context descriptor says, of either form. */
struct fake_context {
    bool known, tcp, ip4;
    size_t network, l4, csum; /* where they are */
    size_t header, mss;
    size_t payload; /* 0: the data's descriptor has it */
    size_t ip_sum_end;
};

struct fake_e1000 {
    uint8_t regs[E1000_REGS_BYTES];
    uint8_t msix_table[FAKE_IGB_MESSAGES * PCI_MSIX_ENTRY_BYTES];
    bool advanced;                                 /* an 82576 or younger */
    unsigned icr, ims_at, imc, rx_queue, tx_queue; /* where those registers are */
    struct fake_pci_fn *fn;
    const struct pkt_pool *pool; /* what receive buffers must lie in */
    const char *fault;           /* what the driver did wrong, or NULL */
    uint8_t eeprom_mac[MAC_BYTES];
    bool no_mac, stuck_in_reset;
    bool mac_by_word; /* EERD is answered */
    bool stuck_master, stuck_queue, no_eeprom, firmware_has_phy, semaphore_taken, silent_phy;
    uint16_t phy_control;
    bool was_reset;
    uint32_t ims;           /* causes that interrupt */
    uint32_t causes;        /* that wait to be read */
    uint32_t eims, eicr;    /* messages: that may be sent, and that wait */
    unsigned interrupts;    /* raised */
    unsigned rx_at, tx_at;  /* the next descriptor of each ring */
    unsigned reported_from; /* transmit descriptors before tx_at that still wait for write-back */
    struct fake_context contexts[2]; /* for checksums, for segments */

    /* What the last transmitted packet became. */
    unsigned frame_count;
    size_t frame_bytes[FAKE_E1000_FRAMES_MAX];
    uint8_t frames[FAKE_E1000_FRAMES_MAX][FAKE_E1000_FRAME_BYTES];
};

/* A machine with this device and nothing else: machine, PCI and log begin anew. */
void fake_e1000_init(struct fake_e1000 *f, uint16_t device, const struct pkt_pool *pool);

/* Has the driver start it, as nic_probe_all() does. */
struct nic *fake_e1000_start(struct fake_e1000 *f, const struct nic_limits *limits);

/* Has the driver stop it, if it has not done so, and what it holds freed. Ends the machine. */
void fake_e1000_stop(struct fake_e1000 *f, struct nic *nic);

uint32_t fake_e1000_reg(const struct fake_e1000 *f, unsigned reg);
void fake_e1000_set(struct fake_e1000 *f, unsigned reg, uint32_t value);

void fake_e1000_settle(struct fake_e1000 *f);

/* These causes came: an interrupt if one of them is let through. */
void fake_e1000_cause(struct fake_e1000 *f, uint32_t causes);

/* irq_arm of the driver, which reads the causes that wait. */
bool fake_e1000_arm(struct fake_e1000 *f, struct nic *nic);

void fake_e1000_set_link(struct fake_e1000 *f, bool up);

/* Receive descriptors that the device may use. */
unsigned fake_e1000_rx_room(struct fake_e1000 *f);

/* Receives a frame over as many buffers as it takes, with these status and error bits in the last.
 * False: it has too few, and nothing happens but the cause for it. */
bool fake_e1000_receive(struct fake_e1000 *f, const uint8_t *frame, size_t n, uint64_t bits);

/* What is written back as an 8254x would, in the form of this device. */
uint64_t fake_e1000_form(const struct fake_e1000 *f, uint64_t written);

/* Writes one receive descriptor back, whatever is in it, and goes on to the next. */
void fake_e1000_rx_write(struct fake_e1000 *f, uint64_t written);

/* Takes a packet from the transmit ring and makes the frames of it. False: there is none. */
bool fake_e1000_transmit(struct fake_e1000 *f);

/* Reports the descriptors taken so far that want it, up to n of them; says whether there were. */
bool fake_e1000_report(struct fake_e1000 *f, unsigned n);

#endif
