/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How the memory there is gets divided: packet buffers first, because the NICs fill their rings
 * from them, then flows and switch addresses out of what is left. Pure arithmetic, tested on a
 * host.
 */
#ifndef BOOT_PLAN_H
#define BOOT_PLAN_H

#include "base.h"

struct buffer_plan {
    uint32_t buffers;     /* packet buffers in the pool */
    uint32_t rx_per_port; /* of those, what one port may hold for receiving */
};

struct table_plan {
    uint32_t flows;
    uint32_t switch_addresses;
    uint32_t dns_cache_bytes;
    uint64_t bytes; /* of flows, switch addresses and leases */
    bool fits;      /* false: what was asked for needs more memory than there is */
};

/* free_bytes is what mem_alloc can still give, here and below. */
struct buffer_plan plan_buffers(uint64_t free_bytes, unsigned ports);

/* What the configuration asks for. */
struct table_wishes {
    uint32_t flows, macs; /* 0: by memory */
    bool filters; /* some network filters by address, which takes memory for each flow (nat.h) */
    uint64_t lease_bytes; /* of the DHCP server and its disk; pools are as large as they are */
};

struct table_plan plan_tables(uint64_t free_bytes, const struct table_wishes *wishes);

#endif
