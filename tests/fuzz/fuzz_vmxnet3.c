/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The driver of VMware's vmxnet3 against a device that does what the input says: each byte is a
 * step of the driver, or a write of the device to a ring or to shared memory. Whatever happens, no
 * memory outside is touched and no buffer is lost.
 */
#include "drivers/vmxnet3.h"
#include "tests/fake/fake_vmxnet3.h"
#include "tests/fuzz/fuzz_nic.h"

static struct fake_vmxnet3 device;

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
    uint32_t what = byte() % 8;

    if (what < 5)
        use(what, VMXNET3_RX_BUFFER_BYTES, 0, false);
    else if (!nic->dead)
        lie();
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
    open_input(input, n);
    uint32_t kind = byte();

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
