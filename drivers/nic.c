/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What NIC drivers share.
 */
#include "drivers/nic_driver.h"

#include "entropy.h"
#include "log.h"

#define DEFAULT_MTU 1500

#define HEAD_BYTES_MIN 128 /* of a frame in several buffers, in the first (nic.h) */

static unsigned dead_rx_batch(struct nic *nic, struct pkt **out, unsigned max)
{
    (void)nic, (void)out, (void)max;
    return 0;
}

static unsigned dead_tx_batch(struct nic *nic, struct pkt **pkts, unsigned n)
{
    (void)nic, (void)pkts, (void)n;
    return 0;
}

static void dead_nothing(struct nic *nic)
{
    (void)nic;
}

static bool dead_false(struct nic *nic)
{
    (void)nic;
    return false;
}

/* Of a NIC that has been taken down, which is why the drivers need not ask whether it is. */
static const struct nic_ops dead_ops = {
    .rx_batch = dead_rx_batch,
    .tx_batch = dead_tx_batch,
    .tx_reclaim = dead_nothing,
    .irq_arm = dead_false,
    .irq_disarm = dead_nothing,
    .link_up = dead_false,
    .stop = dead_nothing,
};

void nic_taken_down(struct nic *nic, const char *why)
{
    if (nic->dead)
        return;
    nic->dead = why;
    nic->ops = &dead_ops;
    log_error("port at %s: device offered %s; port taken down", nic->location, why);
}

struct nic *nic_failed(struct nic *nic, const char *why)
{
    nic->dead = why;
    nic->ops = &dead_ops;
    nic->offloads = 0;
    /* A network may get its MAC here, as its first port's, but must not get its MTU. */
    nic->mtu = DEFAULT_MTU;
    nic->mtu_max = UINT16_MAX;
    nic_mac_make(nic->mac);
    return nic;
}

const char *nic_why(int error)
{
    static const struct {
        int error;
        const char *why;
    } rows[] = {
        {-ENOMEM, "too little memory"},
        {-ENXIO, "its registers are nowhere in memory"},
        {-ENOSPC, "there is no room for its registers"},
        {-ETIMEDOUT, "it does not come out of its reset"},
        {-EPROTO, "it refuses what it has offered"},
        {-ENODEV, "it offers no interface that is known here"},
        {-ENOENT, "it has too few queues"},
        {-EINVAL, "what it says about itself cannot be"},
        {-EIO, "it refuses its queues"},
    };

    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        if (rows[i].error == error)
            return rows[i].why;
    return "it does not start";
}

void nic_gather_drop(struct nic_gather *g)
{
    if (g->head)
        pkt_free(g->head);
    g->head = NULL;
}

struct pkt *nic_gather(struct nic *nic, struct nic_gather *g, struct pkt *p, bool bad, bool end)
{
    struct pkt *whole = NULL;

    g->spoilt |= bad || (p->len == 0 && !(g->head && end)) ||
                 (!g->head && !end && p->len < HEAD_BYTES_MIN) ||
                 (g->head &&
                  (g->head->segs == PKT_MAX_SEGS || g->head->total_bytes + p->len > PKT_MAX_BYTES));
    if (g->spoilt) {
        pkt_free(p);
        nic_gather_drop(g);
    } else if (p->len == 0) {
        pkt_free(p); /* there was the FCS, which the device has taken off */
    } else if (!g->head) {
        g->head = g->tail = p;
    } else {
        g->tail->next = p;
        g->tail = p;
        g->head->segs++;
        g->head->total_bytes += p->len;
    }
    if (end) {
        nic->counters.rx_bad += g->spoilt;
        g->spoilt = false;
        whole = g->head;
        g->head = NULL;
    }
    return whole;
}

bool nic_buffers_are_short(const struct pkt_pool *pool)
{
    return pool->free_count <= pool->count / 16 || pool->free_count < PKT_MAX_SEGS;
}

uint16_t nic_sum_without(uint16_t sum, uint16_t n)
{
    uint32_t v = (uint32_t)sum + (uint16_t)~n;

    return (uint16_t)((v & 0xFFFF) + (v >> 16));
}

bool nic_mac_is_usable(const uint8_t *mac)
{
    return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}

void nic_mac_make(uint8_t *mac)
{
    entropy_fill(mac, MAC_BYTES);
    mac[0] = (uint8_t)((mac[0] & ~1u) | 2u);
}
