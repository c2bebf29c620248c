/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Registers and descriptors of Intel's 8254x and 82571 to 82583 gigabit controllers. Sections are
 * those of the "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual"
 * (317453), and where "82574" is said, of the "Intel 82574 GbE Controller Family Datasheet"
 * (317694). All registers are 32 bits wide.
 */
#ifndef E1000_REGS_H
#define E1000_REGS_H

#include "base.h"

#define E1000_REGS_BYTES 0x20000u /* BAR 0 (section 4.1) */

/* General (section 13.4). */
#define E1000_CTRL         0x0000u /* RW, from the EEPROM at reset */
#define E1000_CTRL_LRST    (1u << 3)
#define E1000_CTRL_ASDE    (1u << 5) /* speed as the PHY found it */
#define E1000_CTRL_SLU     (1u << 6) /* set link up */
#define E1000_CTRL_ILOS    (1u << 7)
#define E1000_CTRL_FRCSPD  (1u << 11)
#define E1000_CTRL_FRCDPX  (1u << 12)
#define E1000_CTRL_RST     (1u << 26) /* clears itself */
#define E1000_CTRL_RFCE    (1u << 27) /* flow control, receive and transmit */
#define E1000_CTRL_TFCE    (1u << 28)
#define E1000_CTRL_VME     (1u << 30) /* takes VLAN tags out and puts them in */
#define E1000_CTRL_PHY_RST (1u << 31)
#define E1000_STATUS       0x0008u /* R */
#define E1000_STATUS_LU    (1u << 1)
#define E1000_EERD         0x0014u /* RW: a word of the EEPROM; of the 82541 laid out otherwise */
#define E1000_EERD_START   (1u << 0)
#define E1000_EERD_DONE    (1u << 4)
#define E1000_EERD_ADDR    8       /* the first bit of the address, */
#define E1000_EERD_DATA    16      /* and of the data */
#define E1000_FCAL         0x0028u /* flow control: address, type, timer; RW, 0 */
#define E1000_FCAH         0x002Cu
#define E1000_FCT          0x0030u
#define E1000_FCTTV        0x0170u

/* Interrupts (sections 13.4.17 to 13.4.22). */
#define E1000_ICR      0x00C0u   /* R, reading clears */
#define E1000_ITR      0x00C4u   /* RW: 256 ns between interrupts, 0 at reset */
#define E1000_IMS      0x00D0u   /* R, write-1-to-set */
#define E1000_IMC      0x00D8u   /* W: 1 clears the bit of IMS */
#define E1000_INT_TXDW (1u << 0) /* a descriptor with RS was written back */
#define E1000_INT_LSC  (1u << 2) /* link status changed */
#define E1000_INT_RXO  (1u << 6) /* receive overrun */
#define E1000_INT_RXT0 (1u << 7) /* received */

/* Receive (section 13.4.22 and after). */
#define E1000_RCTL            0x0100u /* RW, 0 */
#define E1000_RCTL_EN         (1u << 1)
#define E1000_RCTL_UPE        (1u << 3) /* unicast to anybody */
#define E1000_RCTL_MPE        (1u << 4) /* multicast to anybody */
#define E1000_RCTL_LPE        (1u << 5) /* over 1522 bytes */
#define E1000_RCTL_BAM        (1u << 15)
#define E1000_RCTL_BSIZE_2048 (0u << 16)
#define E1000_RCTL_SECRC      (1u << 26) /* strips the FCS */
#define E1000_RDTR            0x2820u    /* RW: 1.024 us of delay, 0 */
#define E1000_RADV            0x282Cu
#define E1000_RXCSUM          0x5000u /* RW */
#define E1000_RXCSUM_IPOFL    (1u << 8)
#define E1000_RXCSUM_TUOFL    (1u << 9)
#define E1000_RFCTL           0x5008u /* 82574: legacy descriptors while 0 (section 10.2.5.13) */
#define E1000_MTA             0x5200u /* 128 words of multicast hash; undefined at reset */
#define E1000_MTA_WORDS       128u
#define E1000_RAL0            0x5400u /* the MAC, as the EEPROM has it */
#define E1000_RAH0            0x5404u
#define E1000_RAH_AV          (1u << 31)

/* A queue's registers are laid out in the same way for both directions. */
#define E1000_RX_QUEUE      0x2800u
#define E1000_TX_QUEUE      0x3800u
#define E1000_QUEUE_BASE    0x00u
#define E1000_QUEUE_HIGH    0x04u /* of the base */
#define E1000_QUEUE_BYTES   0x08u /* a multiple of 128 */
#define E1000_QUEUE_HEAD    0x10u
#define E1000_QUEUE_TAIL    0x18u
#define E1000_QUEUE_CONTROL 0x28u

/* Statistics (section 13.7): 32 bits, and reading clears. */
#define E1000_CRCERRS 0x4000u
#define E1000_RXERRC  0x400Cu
#define E1000_MPC     0x4010u /* missed: no room in the device, which waits for buffers */
#define E1000_RLEC    0x4040u /* lengths that are not what the frame says */

/* Transmit (section 13.4.33 and after). */
#define E1000_TCTL         0x0400u /* RW */
#define E1000_TCTL_EN      (1u << 1)
#define E1000_TCTL_PSP     (1u << 3) /* pads short frames */
#define E1000_TCTL_CT      (0x0Fu << 4)
#define E1000_TCTL_COLD    (0x40u << 12) /* full duplex */
#define E1000_TCTL_MULR    (1u << 28)    /* 82574: several requests at a time */
#define E1000_TIPG         0x0410u
#define E1000_TIPG_COPPER  (8u | 8u << 10 | 6u << 20)
#define E1000_TIDV         0x3820u
#define E1000_TXDCTL       0x3828u
#define E1000_TXDCTL_82574 (1u << 22) /* must be 1 (82574, section 10.2.6.7) */
#define E1000_TADV         0x382Cu

/* A receive descriptor (section 3.2.3). The device writes what stands behind the address. */
struct e1000_rx_desc {
    uint64_t address;
    uint64_t written; /* length, checksum, status, errors, special, from the lowest bits */
};
static_assert(sizeof(struct e1000_rx_desc) == 16, "317453, section 3.2.3");

#define E1000_RXD_LENGTH_MASK 0xFFFFu
#define E1000_RXD_DD          (1ull << 32)    /* the device is done */
#define E1000_RXD_EOP         (1ull << 33)    /* the frame's last */
#define E1000_RXD_IXSM        (1ull << 34)    /* checksums were not looked at */
#define E1000_RXD_TCPCS       (1ull << 37)    /* the transport checksum was looked at */
#define E1000_RXD_ERR_FRAME   (0x97ull << 40) /* CE, SE, SEQ, CXE, RXE: not a good frame */
#define E1000_RXD_ERR_TCPE    (1ull << 45)    /* the transport checksum is wrong */

/* A transmit descriptor (section 3.3.6 and 3.3.7): data, or the context that data descriptors after
 * it refer to. */
struct e1000_tx_desc {
    uint64_t low;   /* data: the address; context: where checksums are */
    uint32_t cmd;   /* length, type, command */
    uint32_t upper; /* data: status and POPTS; context: status, header length, MSS */
};
static_assert(sizeof(struct e1000_tx_desc) == 16, "317453, section 3.3.3");

#define E1000_TXD_LENGTH_MASK 0xFFFFFu
#define E1000_TXD_DATA        (1u << 20) /* DTYP 1; 0 is a context */
#define E1000_TXD_EOP         (1u << 24)
#define E1000_TXD_IFCS        (1u << 25) /* adds the FCS */
#define E1000_TXD_TSE         (1u << 26) /* data, and context: segmentation */
#define E1000_TXD_RS          (1u << 27) /* report when sent */
#define E1000_TXD_DEXT        (1u << 29) /* one of these two, not a legacy descriptor */
#define E1000_TXD_CTX_TCP     (1u << 24)
#define E1000_TXD_CTX_IP4     (1u << 25)
#define E1000_TXD_STATUS_DD   (1u << 0)
#define E1000_TXD_IXSM        (1u << 8) /* POPTS: the IP header's checksum */
#define E1000_TXD_TXSM        (1u << 9) /* POPTS: the transport checksum */
#define E1000_TXD_HDRLEN(n)   ((uint32_t)(n) << 8)
#define E1000_TXD_MSS(n)      ((uint32_t)(n) << 16)

#endif
