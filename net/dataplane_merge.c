/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What comes in by a NIC that delivers TCP packet by packet is put together to super-packets, so
 * that the rest of its way is paid for once: for the dataplane, and for whoever it goes to.
 *
 * Within one burst only: nothing waits for what may follow. A port does so if its NIC does not by
 * itself and some NIC here can take super-packets; what goes to one that cannot is cut again.
 */
#include "net/dataplane_internal.h"

void dp_merge_init(struct dataplane *dp)
{
    uint32_t all = 0;

    for (unsigned i = 0; i < dp->port_count; i++)
        all |= dp->ports[i].offloads & (NIC_TX_TSO4 | NIC_TX_TSO6);
    for (unsigned i = 0; i < dp->port_count; i++)
        dp->ports[i].merges = (uint8_t)(dp->ports[i].offloads & NIC_RX_TSO ? 0 : all);
}

unsigned dp_merge(struct dataplane *dp, unsigned in, struct pkt **pkts, unsigned n)
{
    unsigned kept = offload_merge(pkts, n, dp->ports[in].merges);

    dp->ports[in].coalesced += n - kept;
    dp->totals.coalesced += n - kept;
    return kept;
}
