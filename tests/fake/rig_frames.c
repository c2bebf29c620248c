/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See rig_frames.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/rig_frames.h"
#include "net/wire/ip4.h"

#include <string.h>

void rig_raw(struct rig *r, unsigned port, const uint8_t *dst, const uint8_t *src, uint16_t type,
             size_t n)
{
    memset(r->in.b, 0x5A, n);
    memcpy(r->in.b, dst, MAC_BYTES);
    memcpy(r->in.b + 6, src, MAC_BYTES);
    store_be16(r->in.b + 12, type);
    r->in.n = n;
    rig_input_raw(r, port);
}

unsigned rig_ports_sent(struct rig *r)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < r->config.port_count; i++) {
        assert_true(fake_nic_sent_count(&r->nics[i]) <= 1);
        if (rig_output(r, i))
            mask |= 1u << i;
    }
    return mask;
}

unsigned rig_ask(struct rig *r, unsigned port, const uint8_t *dst, const uint8_t *src,
                 uint16_t type)
{
    rig_raw(r, port, dst, src, type, 60);
    rig_step(r);
    return rig_ports_sent(r);
}

void rig_run_rows(struct rig *r, const struct rig_row *rows, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t all = rig_dropped_in_all(r), one = rig_dropped(r, rows[i].dropped);
        unsigned sent = rig_ask(r, rows[i].port, rows[i].dst, rows[i].src, rows[i].type);
        if (sent != rows[i].sent || r->delivered_count != rows[i].heard)
            fail_msg("row %d: ports %x, heard %u", rows[i].id, sent, r->delivered_count);
        if (rows[i].dropped && rig_dropped(r, rows[i].dropped) != one + 1)
            fail_msg("row %d: not dropped for the right reason", rows[i].id);
        if (rig_dropped_in_all(r) != all + (rows[i].dropped != 0))
            fail_msg("row %d: dropped %u", rows[i].id, (unsigned)(rig_dropped_in_all(r) - all));
        rig_flush(r);
    }
}

char rig_outcome_raw(struct rig *r, unsigned port)
{
    char by = '.';

    rig_input_raw(r, port);
    rig_step(r);
    if (r->delivered_count)
        by = 's';
    for (unsigned i = 0; i < r->config.port_count; i++)
        if (rig_output(r, i))
            by = by != '.' ? '2' : i == port ? 'e' : (char)('0' + i);
    if (rig_flush(r) > 0)
        by = '2';
    return by;
}

char rig_outcome(struct rig *r, unsigned port, const struct rig_packet *k)
{
    rig_make(r, port, k);
    return rig_outcome_raw(r, port);
}

char rig_switched(struct rig *r, unsigned port, const struct rig_packet *k)
{
    rig_make(r, port, k);
    memcpy(r->in.b, rig_mac(k->dst), MAC_BYTES);
    memcpy(r->in.b + 6, rig_mac(k->src), MAC_BYTES);
    return rig_outcome_raw(r, port);
}

void rig_input_partial(struct rig *r, unsigned port, uint16_t gso_size)
{
    struct pkt *p = pkt_alloc(&r->pool);
    uint8_t proto = r->in.b[r->in.l3 + 9];

    frame_partial_csum(&r->in);
    assert_true(pkt_append(p, r->in.b, r->in.n));
    p->flags = PKT_NEEDS_CSUM;
    p->csum_start = (uint16_t)r->in.l4;
    p->csum_offset = proto == IP_PROTO_TCP ? 16 : 6;
    p->gso_size = gso_size;
    p->gso_type = gso_size ? PKT_GSO_TCP4 : PKT_GSO_NONE;
    fake_nic_receive_pkt(&r->nics[port], p);
    rig_step(r);
}
