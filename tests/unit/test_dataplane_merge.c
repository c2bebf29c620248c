/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bursts of TCP through the whole dataplane (net/dataplane_merge.c): which ports put them together,
 * how they come out, translated and switched, and that every frame is accounted for. What belongs
 * together is test_offload_merge.c's. See router_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/rig_frames.h"
#include "net/dataplane_internal.h"
#include "net/wire/eth.h"
#include "net/wire/ip4.h"

#include <stdio.h>

#define FRAMES  10
#define PAYLOAD 1460
#define TSO     (NIC_TX_CSUM | NIC_TX_TSO4)

static struct rig r;
static char status[4096];

static void keep_line(const char *text)
{
    size_t n = strlen(status);
    snprintf(status + n, sizeof(status) - n, "%s\n", text);
}

/* A connection's SYN, and then a burst of its segments; switched: to a host of its network. */
static void burst(bool switched)
{
    struct rig_packet k = {.src = RIG_HOST(5),
                           .dst = RIG_SERVER,
                           .sport = 1,
                           .dport = 2,
                           .proto = IP_PROTO_TCP,
                           .tcp_flags = TCP_SYN};

    if (!switched) {
        rig_input(&r, 1, &k);
        rig_step(&r);
        assert_int_equal(rig_flush(&r), 1);
    }
    k.tcp_flags = TCP_ACK;
    k.payload_bytes = PAYLOAD;
    for (unsigned i = 0; i < FRAMES; i++) {
        rig_make(&r, 1, &k);
        if (switched)
            memcpy(r.in.b, rig_mac(RIG_HOST(6)), MAC_BYTES);
        store_be32(r.in.b + 38, load_be32(r.in.b + 38) + i * PAYLOAD);
        store_be16(r.in.b + 18, (uint16_t)(1000 + i));
        frame_fix_ip_csum(&r.in);
        frame_fix_l4_csum(&r.in);
        rig_input_raw(&r, 1);
    }
    rig_step(&r);
}

/* What leaves by this port is the burst, as so many packets of these frames. */
static void check_output(unsigned port, unsigned packets)
{
    unsigned per_packet = FRAMES / packets;

    assert_int_equal(fake_nic_sent_count(&r.nics[port]), packets);
    for (unsigned i = 0; i < packets; i++) {
        struct pkt *p = fake_nic_sent(&r.nics[port]);
        assert_int_equal(p->gso_size, per_packet > 1 ? PAYLOAD : 0);
        assert_int_equal(p->total_bytes, 54 + per_packet * PAYLOAD);
        assert_int_equal(p->flags & PKT_NEEDS_CSUM ? 1 : 0, per_packet > 1);
        assert_int_equal(load_be16(p->data + 18), 1000 + i * per_packet);
        pkt_free(p);
    }
    assert_int_equal(rig_flush(&r), 0);
}

static void test_who_puts_together(void **state)
{
    static const struct {
        int id;
        uint32_t in, out, others; /* offloads of the ports */
        unsigned packets;         /* that come out */
    } rows[] = {
        {1, TSO, TSO, TSO, 1},
        {2, TSO | NIC_RX_TSO, TSO, TSO, FRAMES},
        {3, 0, TSO, 0, 1},
        {4, 0, 0, 0, FRAMES},
        {5, TSO, 0, 0, FRAMES}, /* put together, and cut */
        {6, 0, 0, NIC_TX_CSUM | NIC_TX_TSO6, FRAMES},
    };
    struct dataplane_totals t;

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_COUNT(rows); i++) {
        unsigned row = i / 2, out = i % 2 ? 2 : 0;
        rig_start(&r, 0);
        for (unsigned port = 0; port < r.config.port_count; port++) {
            uint32_t offloads = port == 1     ? rows[row].in
                                : port == out ? rows[row].out
                                              : rows[row].others;
            r.nics[port].nic.offloads = offloads;
            r.dp->ports[port].offloads = offloads;
        }
        dp_merge_init(r.dp);
        uint32_t all = rows[row].in | rows[row].out | rows[row].others;
        assert_int_equal(r.dp->ports[1].merges,
                         rows[row].in & NIC_RX_TSO ? 0 : all & (NIC_TX_TSO4 | NIC_TX_TSO6));
        if (out == 2)
            rig_appear(&r, 2, RIG_HOST(6));
        rig_flush(&r);
        burst(out == 2);
        check_output(out, rows[row].packets);
        dataplane_totals(r.dp, &t);
        bool merged = row != 1 && row != 3 && row != 5;
        assert_int_equal(t.coalesced, merged ? FRAMES - 1 : 0);
        assert_true(dataplane_sum_holds(&t));
        status[0] = 0;
        dataplane_print_status(r.dp, keep_line);
        assert_int_equal(strstr(status, " coalesced 9") != NULL, merged);
        rig_stop(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_who_puts_together)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
