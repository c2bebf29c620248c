/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The driver of VMware's vmxnet3 against a device that does what the input says: each byte is a
 * step of the driver, or a write of the device to a ring or to shared memory. Whatever happens, no
 * memory outside is touched and no buffer is lost.
 */
#include "drivers/vmxnet3.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_vmxnet3.h"

#include <stdlib.h>

#define POOL_COUNT 96

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

static struct fake_vmxnet3 device;
static struct pkt_pool pool;
static _Alignas(CACHE_LINE_BYTES) uint8_t memory[POOL_COUNT * PKT_BUF_BYTES];
static struct nic *nic;

static const uint8_t *at, *end;

static uint32_t byte(void)
{
    return at < end ? *at++ : 0;
}

static uint32_t word(void)
{
    uint32_t low = byte();
    return low | byte() << 8;
}

static void receive(void)
{
    struct pkt *out[8];
    unsigned n = nic->ops->rx_batch(nic, out, 1 + byte() % 8);

    for (unsigned i = 0; i < n; i++) {
        const struct pkt *p = out[i];
        size_t bytes = 0;
        if (p->segs == 0 || p->segs > PKT_MAX_SEGS || p->total_bytes > PKT_MAX_BYTES ||
            p->total_bytes == 0 || p->len < MIN(p->total_bytes, 128u))
            abort();
        for (const struct pkt *s = p; s; s = s->next) {
            if (!pkt_pool_owns(&pool, s) || s->len == 0 || s->len > VMXNET3_RX_BUFFER_BYTES)
                abort();
            bytes += s->len;
        }
        if (bytes != p->total_bytes || p->flags != 0 || p->gso_size != 0)
            abort();
        /* Half of them are forwarded, some with a sum to complete. */
        uint32_t what = byte();
        if ((what & 2) && p->len > 100) {
            out[i]->flags = PKT_NEEDS_CSUM;
            out[i]->csum_start = (uint16_t)(34 + (what >> 2));
            out[i]->csum_offset = what & 4 ? 6 : 16;
        }
        if ((what & 1) || nic->ops->tx_batch(nic, &out[i], 1) == 0)
            pkt_free(out[i]);
    }
}

static void lie(void)
{
    struct vmxnet3 *v = vmxnet3_of(nic);
    uint32_t low = word(), high = word();

    switch (byte() % 6) {
    case 0: /* the next buffer, well-formed or nearly */
        fake_vmxnet3_complete(&device,
                              v->rx.rings[0].next % VMXNET3_RING | VMXNET3_RCD_SOP |
                                  (low & 3 ? VMXNET3_RCD_EOP : 0),
                              high & 0xFFF);
        break;
    case 1: /* the next of the rest */
        fake_vmxnet3_complete(&device,
                              v->rx.rings[1].next % VMXNET3_RING | 1u << 16 |
                                  (low & 3 ? VMXNET3_RCD_EOP : 0),
                              high & 0xFFF);
        break;
    case 2:
        fake_vmxnet3_complete(&device, low | byte() << 16, high);
        break;
    case 3:
        fake_vmxnet3_sent(&device, low & 1 ? v->tx.clean % VMXNET3_RING : high);
        break;
    case 4:
        v->queues->rx.wants_rxprod = (uint8_t)low;
        v->queues->rx.stats[high % 10] = low;
        break;
    default:
        v->shared->events = low;
    }
}

static void step(void)
{
    switch (byte() % 8) {
    case 0:
    case 1:
        receive();
        break;
    case 2:
        nic->ops->tx_reclaim(nic);
        break;
    case 3:
        if (!nic->ops->irq_arm(nic) && (byte() & 1))
            fake_irq_raise(byte() % fake_irq_count);
        nic->ops->irq_disarm(nic);
        break;
    case 4:
        nic->ops->link_up(nic);
        break;
    default:
        if (!nic->dead)
            lie();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
    at = input;
    end = input + n;
    uint32_t kind = byte();

    pkt_pool_init(&pool, memory, POOL_COUNT);
    fake_vmxnet3_init(&device, &pool);
    device.interrupt_kind = kind & 7;
    struct nic_limits limits = {.pool = &pool, .rx_buffers_max = kind >> 3};
    nic = fake_vmxnet3_start(&device, &limits);
    if (!nic || nic->dead)
        abort();
    while (at < end)
        step();
    fake_vmxnet3_stop(&device, nic);
    if (pool.free_count != POOL_COUNT || fake_log_count > 1 || device.fault)
        abort();
    return 0;
}
