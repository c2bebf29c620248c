/* SPDX-License-Identifier: BSD-3-Clause
 *
 * NICs in software by one interface; see nic_rig.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/nic_rig.h"

#include "drivers/e1000.h"
#include "drivers/vmxnet3.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_e1000.h"
#include "tests/fake/fake_machine.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/fake_vmxnet3.h"

/* ---- e1000, e1000e ---- */

static struct fake_e1000 e1000;

static struct nic *e1000_begin(uint16_t id, const struct nic_limits *limits)
{
    fake_e1000_init(&e1000, id, limits->pool);
    return fake_e1000_start(&e1000, limits);
}

static struct nic *e1000_start(const struct nic_limits *limits)
{
    return e1000_begin(FAKE_E1000_82540EM, limits);
}

static struct nic *e1000e_start(const struct nic_limits *limits)
{
    return e1000_begin(FAKE_E1000_82574L, limits);
}

static struct nic *igb_start(const struct nic_limits *limits)
{
    return e1000_begin(FAKE_IGB_82576, limits);
}

static void e1000_stop(struct nic *nic)
{
    fake_e1000_stop(&e1000, nic);
}

static const char *e1000_fault(void)
{
    return e1000.fault;
}

static bool e1000_receive(const uint8_t *frame, size_t n)
{
    return fake_e1000_receive(&e1000, frame, n, 0);
}

static unsigned e1000_rx_room(void)
{
    return fake_e1000_rx_room(&e1000);
}

static unsigned e1000_transmit(void)
{
    return fake_e1000_transmit(&e1000) ? e1000.frame_count : 0;
}

static const uint8_t *e1000_frame(unsigned number, size_t *n)
{
    *n = e1000.frame_bytes[number];
    return e1000.frames[number];
}

static void *e1000_doorbell(void)
{
    return &e1000.regs[e1000.tx_queue + E1000_QUEUE_TAIL];
}

static void e1000_report(unsigned n)
{
    fake_e1000_report(&e1000, n);
}

static bool e1000_arm(struct nic *nic)
{
    return fake_e1000_arm(&e1000, nic);
}

static unsigned e1000_interrupts(void)
{
    return e1000.interrupts;
}

/* ---- vmxnet3 ---- */

static struct fake_vmxnet3 vmxnet3;

static struct nic *vmxnet3_start(const struct nic_limits *limits)
{
    fake_vmxnet3_init(&vmxnet3, limits->pool);
    return fake_vmxnet3_start(&vmxnet3, limits);
}

static void vmxnet3_stop(struct nic *nic)
{
    fake_vmxnet3_stop(&vmxnet3, nic);
}

static const char *vmxnet3_fault(void)
{
    return vmxnet3.fault;
}

static bool vmxnet3_receive(const uint8_t *frame, size_t n)
{
    return fake_vmxnet3_receive(&vmxnet3, frame, n, 0);
}

static unsigned vmxnet3_rx_room(void)
{
    return fake_vmxnet3_rx_room(&vmxnet3, 0);
}

static unsigned vmxnet3_transmit(void)
{
    return fake_vmxnet3_transmit(&vmxnet3) ? vmxnet3.frame_count : 0;
}

static const uint8_t *vmxnet3_frame(unsigned number, size_t *n)
{
    *n = vmxnet3.frame_bytes[number];
    return vmxnet3.frames[number];
}

static void *vmxnet3_doorbell(void)
{
    return &vmxnet3.bar0[VMXNET3_TXPROD];
}

static void vmxnet3_report(unsigned n)
{
    fake_vmxnet3_report(&vmxnet3, n);
}

static bool vmxnet3_arm(struct nic *nic)
{
    return fake_vmxnet3_arm(&vmxnet3, nic);
}

static unsigned vmxnet3_interrupts(void)
{
    return vmxnet3.interrupts;
}

#define RIG(kind)                                                                                  \
    .stop = kind##_stop, .fault = kind##_fault, .receive = kind##_receive,                         \
    .rx_room = kind##_rx_room, .transmit = kind##_transmit, .frame = kind##_frame,                 \
    .doorbell = kind##_doorbell, .report = kind##_report, .arm = kind##_arm,                       \
    .interrupts = kind##_interrupts

const struct nic_rig nic_rigs[] = {
    {.name = "e1000", .buffer_bytes = E1000_RX_BUFFER_BYTES, .start = e1000_start, RIG(e1000)},
    {.name = "e1000e", .buffer_bytes = E1000_RX_BUFFER_BYTES, .start = e1000e_start, RIG(e1000)},
    {.name = "igb", .buffer_bytes = E1000_RX_BUFFER_BYTES, .start = igb_start, RIG(e1000)},
    {.name = "vmxnet3", .buffer_bytes = PKT_DATA_BYTES, .start = vmxnet3_start, RIG(vmxnet3)},
};
const unsigned nic_rig_count = ARRAY_COUNT(nic_rigs);

unsigned nic_rig_poll(struct nic *nic)
{
    struct pkt *out[32];
    unsigned n = nic->ops->rx_batch(nic, out, ARRAY_COUNT(out));

    for (unsigned i = 0; i < n; i++)
        pkt_free(out[i]);
    nic->ops->tx_reclaim(nic);
    return n;
}

unsigned nic_rig_send(struct nic *nic, struct pkt_pool *pool, unsigned n)
{
    struct pkt *burst[32];

    CHECK(n <= ARRAY_COUNT(burst));
    for (unsigned i = 0; i < n; i++) {
        burst[i] = pkt_alloc(pool);
        pkt_append(burst[i], "0123456789abcdef", 16);
    }
    unsigned taken = nic->ops->tx_batch(nic, burst, n);
    for (unsigned i = taken; i < n; i++)
        pkt_free(burst[i]);
    return taken;
}

void nic_rig_expect_given_up(struct nic *nic, struct pkt_pool *pool, const uint8_t *config)
{
    assert_non_null(nic->dead);
    assert_int_equal(fake_log_count, 1);
    assert_int_equal(pool->free_count, pool->count);
    assert_false(config[PCI_COMMAND] & PCI_COMMAND_MASTER);
    assert_false(nic->ops->link_up(nic));
    assert_int_equal(nic_rig_send(nic, pool, 1), 0);
    assert_int_equal(nic_rig_poll(nic), 0);
    assert_false(nic->ops->irq_arm(nic));
    for (unsigned i = 0; i < fake_irq_count; i++)
        fake_irq_raise(i); /* those that were on their way */
    nic->ops->irq_disarm(nic);
    nic->ops->stop(nic);
    assert_int_equal(fake_log_count, 1);
}

struct pkt *nic_rig_packet(struct pkt_pool *pool, struct frame *built,
                           const struct frame_plan *plan, uint16_t gso_size, size_t head_bytes)
{
    frame_make(built, plan);
    frame_partial_csum(built);
    head_bytes = MIN(MAX(head_bytes, built->payload), MIN(built->n, (size_t)PKT_DATA_BYTES));
    struct pkt *p = frame_pkt(pool, built->b, built->n, head_bytes, PKT_DATA_BYTES, rnd);
    p->flags = PKT_NEEDS_CSUM;
    p->csum_start = (uint16_t)built->l4;
    p->csum_offset = plan->proto == 6 ? 16 : 6;
    p->hdr_len = (uint16_t)built->payload;
    p->gso_size = gso_size;
    p->gso_type = gso_size == 0 ? PKT_GSO_NONE : plan->ip6 ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
    return p;
}
