/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the driver of Intel's gigabit controllers does differently from the 82576 on; see e1000.h.
 */
#ifndef IGB_H
#define IGB_H

#include "drivers/e1000.h"
#include "drivers/igb_regs.h"

/* Has the device send messages (MSI-X), all of them off but the link's. 0, or a negative error: it
 * does not, and nothing has changed. */
int igb_msix_attach(struct e1000 *e);

/* Has it send one when something is received, and if tx, when something has been sent, but not
 * for what came before. What came until the call returned is in the rings. */
void igb_msix_arm(struct e1000 *e, bool tx);
void igb_msix_disarm(const struct e1000 *e);

/* Has an 82576's PHY negotiate. 0; or -ETIMEDOUT, -EBUSY or -EIO, and it is as it was. */
int igb_phy_restart(struct e1000 *e);

/* What a younger chip writes back for a receive descriptor, as an older one does. */
static inline uint64_t igb_rx_written(uint64_t written)
{
    return (written >> IGB_RXD_LENGTH_SHIFT & E1000_RXD_LENGTH_MASK) |
           (written & IGB_RXD_STATUS) << 32 |
           (written & IGB_RXD_ERRORS) >> IGB_RXD_ERRORS_SHIFT << 40;
}

/* The context for p, whose network header begins at network: of a checksum to complete, or of a
 * super-packet. The device keeps one of each. */
struct e1000_tx_desc igb_tx_context(const struct pkt *p, unsigned network);

#endif
