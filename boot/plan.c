/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See plan.h. As many buffers as full rings in both directions need, within half of the memory; up
 * to half of the rest goes to flows, a million of them at most unless asked for; what remains is
 * for the switch table and the router's own host. The leases of DHCP pools come off before that:
 * how many there are is not ours to choose.
 */
#include "boot/plan.h"
#include "pkt.h"
#include "net/dns_cache.h"
#include "net/nat.h"
#include "net/switch.h"

#define RING_ENTRIES     256u /* what virtio rings mostly have */
#define BUFFERS_PER_PORT (3 * RING_ENTRIES)
#define BUFFERS_MIN      256u
#define FLOWS_MIN        4096u
#define FLOWS_MAX        (1u << 20)
#define ADDRESSES        65536u
#define SMALL_BYTES      (16u << 20) /* below this, an eighth of the addresses */
#define DNS_CACHE_BYTES  (4u << 20)
#define DNS_CACHE_SHARE  64         /* one part in so many of a smaller memory */
#define RESERVE_BYTES    (1u << 20) /* for the router's own host and the smaller tables */

struct buffer_plan plan_buffers(uint64_t free_bytes, unsigned ports)
{
    struct buffer_plan plan;
    uint64_t wanted = (uint64_t)MAX(ports, 2u) * BUFFERS_PER_PORT;
    uint64_t affordable = free_bytes / 2 / PKT_BUF_BYTES;
    plan.buffers = (uint32_t)MAX(MIN(wanted, affordable), BUFFERS_MIN);
    /* Half of the pool is kept for what is in transmit rings and on its way. */
    plan.rx_per_port = MIN(plan.buffers / 2 / MAX(ports, 1u), RING_ENTRIES);
    return plan;
}

static uint64_t flows_bytes(uint32_t flows, bool filters)
{
    return nat_bytes(flows) + (filters ? nat_filter_bytes(flows) : 0);
}

static uint32_t flows_for(uint64_t bytes, bool filters)
{
    uint32_t flows = FLOWS_MIN;
    while (flows < FLOWS_MAX && flows_bytes(flows * 2, filters) <= bytes)
        flows *= 2;
    return flows;
}

struct table_plan plan_tables(uint64_t free_bytes, const struct table_wishes *wishes)
{
    struct table_plan plan;
    uint32_t by_memory = free_bytes >= SMALL_BYTES ? ADDRESSES : ADDRESSES / 8;
    plan.switch_addresses = wishes->macs ? wishes->macs : by_memory;
    plan.dns_cache_bytes =
        (uint32_t)MIN(MAX(free_bytes / DNS_CACHE_SHARE, DNS_CACHE_MIN_BYTES), DNS_CACHE_BYTES);
    uint64_t fixed = switch_bytes(plan.switch_addresses) + wishes->lease_bytes;
    uint64_t others = fixed + plan.dns_cache_bytes + RESERVE_BYTES;
    uint64_t left = free_bytes > others ? free_bytes - others : 0;
    plan.flows = wishes->flows ? wishes->flows : flows_for(left / 2, wishes->filters);
    uint64_t flows = flows_bytes(plan.flows, wishes->filters);
    plan.bytes = flows + fixed;
    plan.fits = flows <= left;
    return plan;
}
