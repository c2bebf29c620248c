/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How the memory there is gets divided: packet buffers, flows, switch addresses. Pure arithmetic,
 * tested on a host.
 */
#ifndef BOOT_PLAN_H
#define BOOT_PLAN_H

#include "base.h"

struct memory_plan {
    uint32_t buffers;             /* packet buffers in the pool */
    uint32_t rx_buffers_per_port; /* of those, what one port may hold for receiving */
    uint32_t flows;
    uint32_t switch_addresses;
};

/* free_bytes: what mem_alloc can still give; flows: what the configuration asks for, 0 = by memory.
 */
struct memory_plan memory_plan_make(uint64_t free_bytes, unsigned ports, uint32_t flows);

#endif
