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
    uint64_t bytes; /* of both */
    bool fits;      /* false: what was asked for needs more memory than there is */
};

/* free_bytes is what mem_alloc can still give, here and below. */
struct buffer_plan plan_buffers(uint64_t free_bytes, unsigned ports);

/* flows, macs: what the configuration asks for, 0 = by memory. filters: some network filters by
 * address, which takes memory for each flow (nat.h). */
struct table_plan plan_tables(uint64_t free_bytes, uint32_t flows, uint32_t macs, bool filters);

#endif
