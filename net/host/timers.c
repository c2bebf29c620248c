/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lwIP's timers, without their ticking.
 *
 * Theory of operation. lwIP counts calls: of its ARP timer every second, of that of leases every
 * DHCP_COARSE_TIMER_SECS, and so on. Most calls only count. So the calls that time has made due are
 * made together: when the first of them is to do something, and before anything else happens to
 * lwIP, which then finds its tables as they would be had each call come in its time. A router whose
 * hosts are silent sleeps from one renewal of its lease to the next.
 *
 * Invariant: done_us of a row is the time of the last call that was due, whether or not it was
 * made; after timers_run() it is less than a period ago.
 */
#include "net/host/host_internal.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/dhcp.h"

#define NEVER UINT32_MAX

struct row {
    uint32_t period_us;
    /* Of calls that were missed, more change nothing, or take too long; so it is woken by then. */
    uint32_t calls_max;
    void (*call)(void);
    /* At which of the calls to come something happens: 1 is the next; NEVER. */
    uint32_t (*wanted)(const struct host *h, uint64_t done_us);
};

static uint32_t tcp_wanted(const struct host *h, uint64_t done_us)
{
    (void)h, (void)done_us;
    return tcp_active_pcbs || tcp_tw_pcbs ? 1 : NEVER;
}

/* lwIP does not show what it reassembles; nor which requests it repeats. */
static uint32_t reassembly_wanted(const struct host *h, uint64_t done_us)
{
    return done_us < h->fragments_until_us ? 1 : NEVER;
}

static uint32_t arp_wanted(const struct host *h, uint64_t done_us)
{
    return done_us < h->arp_until_us ? 1 : NEVER;
}

static const struct dhcp *client(const struct host *h)
{
    const struct host_if *uplink = &h->ifs[NETWORK_UPLINK];
    return uplink->used ? netif_dhcp_data(&uplink->netif) : NULL;
}

static uint32_t lease_wanted(const struct host *h, uint64_t done_us)
{
    const struct dhcp *dhcp = client(h);
    uint32_t first = NEVER;

    (void)done_us;
    if (!dhcp || dhcp->state == DHCP_STATE_OFF)
        return NEVER;
    if (dhcp->t0_timeout > dhcp->lease_used)
        first = dhcp->t0_timeout - dhcp->lease_used;
    if (dhcp->t1_renew_time)
        first = MIN(first, dhcp->t1_renew_time);
    if (dhcp->t2_rebind_time)
        first = MIN(first, dhcp->t2_rebind_time);
    return first;
}

static uint32_t request_wanted(const struct host *h, uint64_t done_us)
{
    const struct dhcp *dhcp = client(h);

    (void)done_us;
    return dhcp && dhcp->request_timeout ? dhcp->request_timeout : NEVER;
}

static const struct row rows[] = {
    {TCP_TMR_INTERVAL * 1000, 1, tcp_tmr, tcp_wanted},
    {IP_TMR_INTERVAL * 1000, IP_REASS_MAXAGE + 1, ip_reass_tmr, reassembly_wanted},
    {ARP_TMR_INTERVAL * 1000, ARP_MAXAGE, etharp_tmr, arp_wanted},
    {DHCP_COARSE_TIMER_SECS * 1000000, 1u << 20, dhcp_coarse_tmr, lease_wanted},
    {DHCP_FINE_TIMER_MSECS * 1000, UINT16_MAX, dhcp_fine_tmr, request_wanted},
};
static_assert(ARRAY_COUNT(rows) == HOST_TIMERS, "each has a time in struct host");

void timers_start(struct host *h, uint64_t now_us)
{
    for (unsigned i = 0; i < HOST_TIMERS; i++)
        h->timers_done_us[i] = now_us;
}

unsigned timers_run(struct host *h, uint64_t now_us)
{
    unsigned calls = 0;

    for (unsigned i = 0; i < HOST_TIMERS; i++) {
        const struct row *row = &rows[i];
        /* Below 0 if the loop's time, which is its round's, comes after a frame's. */
        int64_t passed_us = (int64_t)(now_us - h->timers_done_us[i]);
        if (passed_us < row->period_us)
            continue;
        uint64_t due = (uint64_t)passed_us / row->period_us;
        h->timers_done_us[i] += due * row->period_us;
        for (uint64_t n = MIN(due, (uint64_t)row->calls_max); n > 0; n--, calls++)
            row->call();
    }
    return calls;
}

uint64_t timers_next_us(const struct host *h)
{
    uint64_t next_us = UINT64_MAX;

    for (unsigned i = 0; i < HOST_TIMERS; i++) {
        uint32_t wanted = rows[i].wanted(h, h->timers_done_us[i]);
        if (wanted != NEVER)
            next_us = MIN(next_us, h->timers_done_us[i] + (uint64_t)MIN(wanted, rows[i].calls_max) *
                                                              rows[i].period_us);
    }
    return next_us;
}
