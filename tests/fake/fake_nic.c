/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See fake_nic.h.
 */
#include "tests/fake/fake_nic.h"
#include "net/offload.h"
#include "net/wire/eth.h"

static struct fake_nic *of(struct nic *nic)
{
    return container_of(nic, struct fake_nic, nic);
}

static unsigned rx_batch(struct nic *nic, struct pkt **out, unsigned max)
{
    struct fake_nic *f = of(nic);
    unsigned n = 0;

    if (nic->dead)
        return 0;
    while (n < max && f->rx_head != f->rx_tail) {
        out[n] = f->rx[f->rx_head++ % FAKE_NIC_QUEUE];
        nic->counters.rx_bytes += out[n++]->total_bytes;
    }
    nic->counters.rx_packets += n;
    return n;
}

static unsigned tx_batch(struct nic *nic, struct pkt **pkts, unsigned n)
{
    struct fake_nic *f = of(nic);
    unsigned taken = 0;

    f->tx_batches++;
    CHECK(!nic->dead && n > 0);
    while (taken < n && f->tx_room > 0 && fake_nic_sent_count(f) < FAKE_NIC_QUEUE) {
        struct pkt *p = pkts[taken++];
        uint32_t frame = p->gso_size ? (uint32_t)p->hdr_len + p->gso_size : p->total_bytes;
        CHECK(offload_fits(p, nic->offloads));
        be16 type = load_raw16(p->data + ETH_TYPE_OFF);
        bool tagged = type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ;
        CHECK(frame <= (uint32_t)MAX(nic->mtu, nic->mtu_max) + ETH_HDR_BYTES + (tagged ? 4 : 0));
        CHECK(p->refs > 0);
        f->tx[f->tx_tail++ % FAKE_NIC_QUEUE] = p;
        f->tx_room--;
        nic->counters.tx_bytes += p->total_bytes;
    }
    nic->counters.tx_packets += taken;
    nic->counters.tx_full += n - taken;
    return taken;
}

static void tx_reclaim(struct nic *nic)
{
    of(nic)->reclaims++;
}

static bool irq_arm(struct nic *nic)
{
    struct fake_nic *f = of(nic);

    f->armed = true;
    return f->rx_head != f->rx_tail;
}

static void irq_disarm(struct nic *nic)
{
    of(nic)->armed = false;
}

static bool link_up(struct nic *nic)
{
    return of(nic)->up;
}

static void stop(struct nic *nic)
{
    (void)nic;
}

static const struct nic_ops ops = {.rx_batch = rx_batch,
                                   .tx_batch = tx_batch,
                                   .tx_reclaim = tx_reclaim,
                                   .irq_arm = irq_arm,
                                   .irq_disarm = irq_disarm,
                                   .link_up = link_up,
                                   .stop = stop};

void fake_nic_init(struct fake_nic *f, struct pkt_pool *pool, uint8_t number)
{
    memset(f, 0, sizeof(*f));
    f->nic.ops = &ops;
    f->nic.driver = "fake";
    f->nic.mtu = 1500;
    f->nic.mac[0] = 2;
    f->nic.mac[5] = number;
    f->nic.pool = pool;
    f->up = true;
    f->tx_room = UINT32_MAX;
}

void fake_nic_receive_pkt(struct fake_nic *f, struct pkt *p)
{
    CHECK(f->rx_tail - f->rx_head < FAKE_NIC_QUEUE);
    f->rx[f->rx_tail++ % FAKE_NIC_QUEUE] = p;
}

bool fake_nic_receive(struct fake_nic *f, const void *bytes, size_t n)
{
    struct pkt *p = f->rx_tail - f->rx_head < FAKE_NIC_QUEUE ? pkt_alloc(f->nic.pool) : NULL;

    if (!p)
        return false;
    if (!pkt_append(p, bytes, n)) {
        pkt_free(p);
        return false;
    }
    fake_nic_receive_pkt(f, p);
    return true;
}

struct pkt *fake_nic_sent(struct fake_nic *f)
{
    return f->tx_head == f->tx_tail ? NULL : f->tx[f->tx_head++ % FAKE_NIC_QUEUE];
}

void fake_nic_clear(struct fake_nic *f)
{
    for (struct pkt *p; (p = fake_nic_sent(f)) != NULL;)
        pkt_free(p);
    while (f->rx_head != f->rx_tail)
        pkt_free(f->rx[f->rx_head++ % FAKE_NIC_QUEUE]);
}
