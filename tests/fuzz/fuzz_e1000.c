/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The driver of Intel's gigabit controllers, old and young, against a device that does what the
 * input says: each byte is a step of the driver, or a write of the device to a descriptor or a
 * register. Whatever happens, no memory outside is touched and no buffer is lost.
 */
#include "drivers/e1000.h"
#include "tests/fake/fake_e1000.h"
#include "tests/fuzz/fuzz_nic.h"

static struct fake_e1000 device;

static void write_descriptor(void)
{
    struct e1000 *e = e1000_of(nic);
    uint64_t written = word() | (uint64_t)word() << 32;

    switch (byte() % 4) {
    case 0: /* the next one, well-formed or nearly */
        e->rx.desc[e->rx.next % E1000_RING].written =
            fake_e1000_form(&device, (written & 0x97FF00000FFFull) | E1000_RXD_DD |
                                         (byte() % 4 ? E1000_RXD_EOP : 0));
        break;
    case 1:
        e->rx.desc[byte()].written = written;
        break;
    case 2:
        e->rx.desc[byte()].address = written;
        break;
    default:
        e->tx.desc[byte()].upper = (uint32_t)written | (byte() & 1);
    }
}

static void step(void)
{
    uint32_t what = byte() % 8;

    switch (what) {
    case 0 ... 4:
        use(what, E1000_RX_BUFFER_BYTES, PKT_CSUM_VALID, false);
        break;
    case 5:
        if (nic->dead)
            break;
        fake_e1000_set(&device, (word() % (E1000_REGS_BYTES / 4)) * 4, word() * 65537u);
        fake_e1000_set(&device, device.icr, byte());
        break;
    default:
        if (!nic->dead)
            write_descriptor();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n)
{
    static const uint16_t ids[] = {FAKE_E1000_82540EM, FAKE_E1000_82574L, FAKE_IGB_82576,
                                   FAKE_IGB_I225};

    open_input(input, n);
    uint32_t kind = byte();

    fake_e1000_init(&device, ids[kind & 3], &pool);
    struct nic_limits limits = {.pool = &pool, .rx_buffers_max = kind >> 2};
    nic = fake_e1000_start(&device, &limits);
    if (!nic || nic->dead)
        abort();
    fake_log_clear();
    while (at < end)
        step();
    fake_e1000_stop(&device, nic);
    if (pool.free_count != POOL_COUNT || fake_log_count > 1 || device.fault)
        abort();
    return 0;
}
