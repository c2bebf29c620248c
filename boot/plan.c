/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See plan.h. A quarter of the memory goes to flows, up to a million of them; as many buffers as
 * full rings in both directions need, within half of the memory; the rest stays free for rings,
 * tables and the router's own host.
 */
#include "boot/plan.h"
#include "pkt.h"
#include "net/nat.h"

#define RING_ENTRIES     256u /* what virtio rings mostly have */
#define BUFFERS_PER_PORT (3 * RING_ENTRIES)
#define BUFFERS_MIN      256u
#define FLOWS_MIN        4096u
#define FLOWS_MAX        (1u << 20)
#define ADDRESSES        65536u

static uint32_t flows_for(uint64_t bytes)
{
    uint32_t flows = FLOWS_MIN;
    while (flows < FLOWS_MAX && nat_bytes(flows * 2) <= bytes)
        flows *= 2;
    return flows;
}

struct memory_plan memory_plan_make(uint64_t free_bytes, unsigned ports, uint32_t flows)
{
    struct memory_plan plan;
    uint64_t wanted = (uint64_t)MAX(ports, 2u) * BUFFERS_PER_PORT;
    uint64_t affordable = free_bytes / 2 / PKT_BUF_BYTES;
    plan.buffers = (uint32_t)MAX(MIN(wanted, affordable), BUFFERS_MIN);
    /* Half of the pool is kept for what is in transmit rings and on its way. */
    plan.rx_buffers_per_port = MIN(plan.buffers / 2 / MAX(ports, 1u), RING_ENTRIES);
    plan.flows = flows ? flows : flows_for(free_bytes / 4);
    plan.switch_addresses = free_bytes >= (32u << 20) ? ADDRESSES : ADDRESSES / 8;
    return plan;
}
