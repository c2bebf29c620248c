/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the fuzzers of drivers share: bytes of the input choose the steps, and a driver may be given
 * anything by its device, but must keep include/nic.h in what it hands on.
 */
#ifndef FUZZ_NIC_H
#define FUZZ_NIC_H

#include "tests/fuzz/fuzz.h"
#include "nic.h"
#include "tests/fake/fake_base.h"
#include "tests/fake/fake_machine.h"

#define POOL_COUNT 96

static struct pkt_pool pool;
static _Alignas(CACHE_LINE_BYTES) uint8_t memory[POOL_COUNT * PKT_BUF_BYTES];
static struct nic *nic;

static const uint8_t *at, *end; /* of the input, what has not been read; zeros follow */

static inline uint32_t byte(void)
{
    return at < end ? *at++ : 0;
}

static inline uint32_t word(void)
{
    uint32_t low = byte();
    return low | byte() << 8;
}

/* The first step of each input. */
static inline void open_input(const uint8_t *input, size_t n)
{
    at = input;
    end = input + n;
    fake_log_clear();
    pkt_pool_init(&pool, memory, POOL_COUNT);
}

/* buffer_bytes is the most of a segment, flags and gso what the driver may say of a packet. */
static inline void judge(const struct pkt *p, size_t buffer_bytes, uint32_t flags, bool gso)
{
    size_t bytes = 0;

    REQUIRE(p->segs > 0 && p->segs <= PKT_MAX_SEGS);
    REQUIRE(p->total_bytes > 0 && p->total_bytes <= PKT_MAX_BYTES);
    REQUIRE(p->len >= MIN(p->total_bytes, 128u));
    for (const struct pkt *s = p; s; s = s->next) {
        REQUIRE(pkt_pool_owns(&pool, s) && s->len > 0 && s->len <= buffer_bytes);
        REQUIRE(s->data >= (const uint8_t *)s + PKT_META_BYTES &&
                s->data + s->len <= (const uint8_t *)s + PKT_BUF_BYTES);
        bytes += s->len;
    }
    REQUIRE(bytes == p->total_bytes && (p->flags & ~flags) == 0);
    REQUIRE(!(p->flags & PKT_NEEDS_CSUM) || p->csum_start + p->csum_offset + 2u <= p->len);
    REQUIRE((p->gso_type != PKT_GSO_NONE) == (p->gso_size != 0) && (gso || p->gso_size == 0));
}

/* Takes packets and judges them; half of them are forwarded, some with a sum to complete. */
static inline void receive(size_t buffer_bytes, uint32_t flags, bool gso)
{
    struct pkt *out[8];
    unsigned n = nic->ops->rx_batch(nic, out, 1 + byte() % 8);

    for (unsigned i = 0; i < n; i++) {
        judge(out[i], buffer_bytes, flags, gso);
        uint32_t what = byte();
        if ((what & 2) && out[i]->len > 100 && (nic->offloads & NIC_TX_CSUM)) {
            out[i]->flags = PKT_NEEDS_CSUM;
            out[i]->csum_start = (uint16_t)(34 + (what >> 2));
            out[i]->csum_offset = what & 4 ? 6 : 16;
        }
        if ((what & 1) || nic->ops->tx_batch(nic, &out[i], 1) == 0)
            pkt_free(out[i]);
    }
}

/* What the router does with a NIC; receive() is twice as frequent as the others. what is below 5.
 */
static inline void use(uint32_t what, size_t buffer_bytes, uint32_t flags, bool gso)
{
    switch (what) {
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
        receive(buffer_bytes, flags, gso);
    }
}

#endif
