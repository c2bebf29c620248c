/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Contexts of the 82576 and younger (82576, section 7.2.2.2): such a chip is not told where a
 * checksum is, but how long the headers are and what they are.
 */
#include "drivers/igb.h"

#define TCP_CSUM_AT 16

struct e1000_tx_desc igb_tx_context(const struct pkt *p, unsigned network)
{
    unsigned network_bytes = p->csum_start - network;
    struct e1000_tx_desc d = {.cmd = E1000_TXD_DEXT | IGB_TXD_CONTEXT};

    CHECK(p->csum_start > network && network_bytes <= IGB_TXD_IPLEN_MAX);
    d.low = IGB_TXD_MACLEN(network) | IGB_TXD_IPLEN(network_bytes);
    if (p->csum_offset == TCP_CSUM_AT)
        d.cmd |= IGB_TXD_TCP;
    if (p->gso_type == PKT_GSO_TCP4)
        d.cmd |= IGB_TXD_IP4;
    if (p->gso_size != 0)
        d.upper = IGB_TXD_CONTEXT_1 | IGB_TXD_L4LEN(p->hdr_len - p->csum_start) |
                  E1000_TXD_MSS(p->gso_size);
    return d;
}
