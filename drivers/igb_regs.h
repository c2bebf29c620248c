/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What Intel's 82576, 82580, I350, I210, I211, I225 and I226 have beyond the registers of
 * e1000_regs.h, or elsewhere. Sections are those of the "Intel 82576EB Gigabit Ethernet Controller
 * Datasheet" (82576); the younger chips have the same registers ("Intel Ethernet Controller
 * I210 Datasheet", 333016, chapter 8, and I350's, chapter 8).
 */
#ifndef IGB_REGS_H
#define IGB_REGS_H

#include "drivers/e1000_regs.h"

/* General (82576, section 8.2). */
#define IGB_CTRL_MASTER_OFF  (1u << 2) /* begins no more accesses to memory */
#define IGB_STATUS_MASTER_ON (1u << 19)
#define IGB_EECD             0x0010u
#define IGB_EECD_AUTO_RD     (1u << 9) /* R: what reset makes it read has been read */
#define IGB_CTRL_EXT         0x0018u
#define IGB_CTRL_EXT_LOADED  (1u << 28) /* tells the firmware of a driver */

#define IGB_STATUS_LAN_ID(s) ((s) >> 2 & 1u) /* which function of the chip; of an 82576 */

/* The PHY (82576, section 8.2.4), and who may use it (sections 8.16.4 and 8.16.5). */
#define IGB_MDIC                   0x0020u
#define IGB_MDIC_DATA_MASK         0xFFFFu
#define IGB_MDIC_REG(n)            ((uint32_t)(n) << 16)
#define IGB_MDIC_PHY_1             (1u << 21) /* the one inside */
#define IGB_MDIC_WRITE             (1u << 26)
#define IGB_MDIC_READ              (2u << 26)
#define IGB_MDIC_READY             (1u << 28)
#define IGB_MDIC_ERROR             (1u << 30)
#define IGB_SWSM                   0x5B50u
#define IGB_SWSM_SMBI              (1u << 0) /* reading sets it */
#define IGB_SWSM_SWESMBI           (1u << 1) /* set by us, if firmware lets us */
#define IGB_SW_FW_SYNC             0x5B5Cu
#define IGB_SW_FW_SYNC_PHY0        (1u << 1)
#define IGB_SW_FW_SYNC_FIRMWARE(b) ((b) << 16)
#define MII_CONTROL                0u /* IEEE 802.3, section 22.2.4.1 */
#define MII_CONTROL_RESTART        (1u << 9)
#define MII_CONTROL_ISOLATE        (1u << 10)
#define MII_CONTROL_POWER_DOWN     (1u << 11)
#define MII_CONTROL_NEGOTIATE      (1u << 12)

/* Interrupts (82576, section 8.8). */
#define IGC_ICR             0x1500u
#define IGC_IMS             0x1508u
#define IGC_IMC             0x150Cu
#define IGB_GPIE            0x1514u
#define IGB_GPIE_NSICR      (1u << 0) /* every read clears ICR */
#define IGB_GPIE_MSIX       (1u << 4) /* several messages */
#define IGB_GPIE_PBA        (1u << 31)
#define IGB_EIMS            0x1524u /* a bit a message; write-1-to-set */
#define IGB_EIMC            0x1528u /* W: 1 clears the bit of EIMS */
#define IGB_EIAC            0x152Cu /* which bits of EICR their message clears */
#define IGB_EICR            0x1580u /* write-1-to-clear */
#define IGB_EITR(n)         (0x1680u + 4u * (n))
#define IGB_IVAR0           0x1700u
#define IGB_IVAR0_RX(n)     ((0x80u | (n)) << 0) /* valid, and the number of the message */
#define IGB_IVAR0_TX(n)     ((0x80u | (n)) << 8)
#define IGB_IVAR_MISC       0x1740u
#define IGB_IVAR_MISC_OF(n) ((0x80u | (n)) << 8)

/* The queues that are used, in the layout of E1000_QUEUE_* (82576, sections 8.10 and 8.12). */
#define IGB_RX_QUEUE               0xC000u
#define IGB_TX_QUEUE               0xE000u
#define IGB_QUEUE_SRRCTL           0x0Cu
#define IGB_SRRCTL_KB(n)           ((uint32_t)(n) << 0)
#define IGB_SRRCTL_ONE_BUFFER      (1u << 25) /* advanced descriptors, headers not split off */
#define IGB_QUEUE_CONTROL_ON       (1u << 25)
#define IGB_QUEUE_CONTROL_FETCH(n) ((uint32_t)(n) | 1u << 8) /* below n, if one is there */
#define IGB_QUEUE_CONTROL_WRITE(n) ((uint32_t)(n) << 16)     /* back, when n are done */

#define IGB_RLPML       0x5004u /* the longest frame with RCTL.LPE; FCS and tags count */
#define IGB_RLPML_JUMBO 0x2600u
#define IGB_TCTL_CT     (0xFFu << 4)

/* The second half of an advanced receive descriptor, as it is written back (82576,
 * section 7.1.5.2).
 */
#define IGB_RXD_LENGTH_SHIFT 32
#define IGB_RXD_STATUS       0x23u       /* DD, EOP and L4I, in the order of the old ones */
#define IGB_RXD_ERRORS       0xE0000000u /* RXE, IPE and L4E, likewise */
#define IGB_RXD_ERRORS_SHIFT 24

/* Advanced transmit descriptors (82576, section 7.2.2): what is not as in an older one. */
#define IGB_TXD_DATA        (3u << 20)
#define IGB_TXD_CONTEXT     (2u << 20)
#define IGB_TXD_TSE         (1u << 31)
#define IGB_TXD_CONTEXT_1   (1u << 4) /* data, upper; and a context's own, likewise */
#define IGB_TXD_PAYLEN(n)   ((uint32_t)(n) << 14)
#define IGB_TXD_IPLEN(n)    ((uint64_t)(n) << 0)
#define IGB_TXD_MACLEN(n)   ((uint64_t)(n) << 9)
#define IGB_TXD_IP4         (1u << 10)
#define IGB_TXD_TCP         (1u << 11) /* L4T 1; 0 is UDP */
#define IGB_TXD_L4LEN(n)    ((uint32_t)(n) << 8)
#define IGB_TXD_LENGTH_MASK 0xFFFFu
#define IGB_TXD_TYPE_MASK   (0xFu << 20)
#define IGB_TXD_IPLEN_MAX   511u

#endif
