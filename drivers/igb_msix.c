/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Interrupts of the 82576 and younger by MSI-X (82576, section 7.3): one message for each ring, and
 * one for all else, of which the link is wanted.
 */
#include "drivers/igb.h"

enum { MSIX_RX, MSIX_TX, MSIX_OTHER, MSIX_COUNT };

static void on_ring(void *arg)
{
    struct e1000 *e = arg;

    e->nic.counters.interrupts++;
    igb_msix_disarm(e);
    e->armed = false;
}

static void on_other(void *arg)
{
    struct e1000 *e = arg;

    e->nic.counters.interrupts++;
    if (e1000_read(e, e->kind->icr) & E1000_INT_LSC)
        e->link_changed = true;
}

void igb_msix_disarm(const struct e1000 *e)
{
    e1000_write(e, IGB_EIMC, 1u << MSIX_RX | 1u << MSIX_TX);
}

void igb_msix_arm(struct e1000 *e, bool tx)
{
    e1000_write(e, IGB_EICR, 1u << MSIX_RX | 1u << MSIX_TX);
    /* Behind this read the device has forgotten, and what it wrote before that is in memory. */
    if (e1000_read(e, E1000_STATUS) == E1000_GONE)
        e->link_changed = true; /* which has the link looked at, and so the device */
    e1000_write(e, IGB_EIMS, 1u << MSIX_RX | (tx ? 1u << MSIX_TX : 0));
}

int igb_msix_attach(struct e1000 *e)
{
    int err = pci_msix_open(&e->pci);

    for (unsigned i = 0; i < MSIX_COUNT && !err; i++)
        err = pci_msix_set(&e->pci, i, i == MSIX_OTHER ? on_other : on_ring, e);
    if (err)
        return err;
    pci_msix_enable(&e->pci, true);
    /* Several messages first: what the other registers mean depends on it. */
    e1000_write(e, IGB_GPIE, IGB_GPIE_MSIX | IGB_GPIE_PBA | IGB_GPIE_NSICR);
    for (unsigned i = 0; i < MSIX_COUNT; i++)
        e1000_write(e, IGB_EITR(i), 0);
    e1000_write(e, IGB_IVAR0, IGB_IVAR0_RX(MSIX_RX) | IGB_IVAR0_TX(MSIX_TX));
    e1000_write(e, IGB_IVAR_MISC, IGB_IVAR_MISC_OF(MSIX_OTHER));
    e1000_write(e, IGB_EIMC, UINT32_MAX);
    e1000_write(e, IGB_EIAC, (1u << MSIX_COUNT) - 1);
    e1000_write(e, IGB_EIMS, 1u << MSIX_OTHER);
    return 0;
}
