/* SPDX-License-Identifier: BSD-3-Clause
 *
 * VLAN tags through the whole dataplane (net/dataplane_vlan.c, dataplane_tx.c): which network a
 * frame belongs to, which tag it carries where, and what is said about it. Offload metadata and
 * routed packets are in test_dataplane_vlan_offload.c. See vlan_rig.h for the topology.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/fake/vlan_rig.h"

#include <string.h>

static struct rig *const r = &vlan_rig;
static const uint8_t broadcast[MAC_BYTES] = {255, 255, 255, 255, 255, 255};
static const uint8_t a[] = {2, 1, 0, 0, 0, 0xA}, b[] = {2, 1, 0, 0, 0, 0xB};
static const uint8_t stp[] = {1, 0x80, 0xC2, 0, 0, 0};

/* Bit p: r.in without its first `ours` tags came out by port p, with the tag of net there, and
 * nothing else did. */
static unsigned sent(unsigned net, unsigned ours)
{
    unsigned mask = 0;

    for (unsigned p = 0; p < PORTS; p++) {
        if (!rig_output(r, p))
            continue;
        mask |= 1u << p;
        assert_true(vlan_rig_tag[net][p] >= 0);
        unsigned out_tags = vlan_rig_tag[net][p] > 0 ? 1 : 0;
        assert_int_equal(r->out.n - 4 * out_tags, r->in.n - 4 * ours);
        assert_memory_equal(r->out.b, r->in.b, 12);
        if (out_tags) {
            assert_int_equal(load_be16(r->out.b + 12), 0x8100);
            assert_int_equal(load_be16(r->out.b + 14), vlan_rig_tag[net][p]);
        }
        assert_memory_equal(r->out.b + 12 + 4 * out_tags, r->in.b + 12 + 4 * ours,
                            r->in.n - 12 - 4 * ours);
        assert_int_equal(fake_nic_sent_count(&r->nics[p]), 0);
    }
    return mask;
}

struct row {
    int id;
    unsigned port;
    uint32_t tags[3];
    unsigned tag_count;
    const uint8_t *dst;
    uint16_t type;
    unsigned net, ours; /* expected: network, and how many of the tags are taken off */
    unsigned sent, heard;
    enum drop_reason dropped;
};

static void run_rows(const struct row *rows, unsigned n)
{
    for (const struct row *row = rows; row < rows + n; row++) {
        uint64_t all = rig_dropped_in_all(r), one = rig_dropped(r, row->dropped);
        vlan_rig_frame(row->dst, a, row->type, 60, row->tags, row->tag_count);
        rig_input_raw(r, row->port);
        rig_step(r);
        unsigned mask = sent(row->net, row->ours);
        if (mask != row->sent || r->delivered_count != row->heard)
            fail_msg("row %d: ports %x, heard %u", row->id, mask, r->delivered_count);
        if (row->dropped && rig_dropped(r, row->dropped) != one + 1)
            fail_msg("row %d: not dropped for the right reason", row->id);
        if (rig_dropped_in_all(r) != all + (row->dropped != 0))
            fail_msg("row %d: dropped %u", row->id, (unsigned)(rig_dropped_in_all(r) - all));
        if (row->heard) /* what the stack gets has no tag */
            assert_int_equal(load_be16(r->delivered[0]->data + 12), row->type);
        rig_flush(r);
        /* Learned nowhere else: forget a, so that rows do not depend on each other. */
        r->now_us += 400 * 1000000ull;
        rig_step(r);
    }
}

/* Access ports, trunks and native networks; tags where there are none, and a second one. */
static void test_where_frames_go(void **state)
{
    static const struct row rows[] = {
        {1, 1, {0}, 0, b, 0x86DD, LAN, 0, 0x25, 0, 0},
        {2, 2, {20}, 1, b, 0x86DD, LAN, 1, 0x23, 0, 0},
        {3, 2, {30}, 1, b, 0x86DD, LAB, 1, 0x10, 0, 0},
        {4, 2, {0}, 0, b, 0x86DD, INT, 0, 0x08, 0, 0},
        {5, 5, {20}, 1, b, 0x86DD, LAN, 1, 0x07, 0, 0},
        {6, 5, {0}, 0, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN}, /* no native */
        {7, 5, {30}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {8, 5, {0}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN}, /* a priority tag is no tag */
        {9, 0, {20}, 1, b, 0x86DD, LAN, 1, 0x26, 0, 0},
        {10, 0, {0}, 0, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {11, 0, {10}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_ETH_NOT_FOR_US},
        {12, 0, {10}, 1, vlan_rig_own, 0x0806, LAN, 0, 0, 1, 0},
        {13, 0, {10}, 1, vlan_rig_own, 0x86DD, LAN, 0, 0, 0, DROP_ETH_TYPE},
        {14, 0, {20}, 1, vlan_rig_own, 0x0806, LAN, 0, 0, 1, 0},
        {15, 1, {0}, 0, vlan_rig_own, 0x0806, LAN, 0, 0, 1, 0},
        {16, 0, {20}, 1, broadcast, 0x0806, LAN, 1, 0x26, 1, 0},
        /* Tags where there are none, and a second one. */
        {17, 1, {20}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN}, /* not even its own network's */
        {18, 1, {30}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {19, 1, {FRAME_QINQ | 20}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {20, 2, {FRAME_QINQ | 20}, 1, b, 0x86DD, INT, 0, 0x08, 0, 0}, /* a service tag */
        {21, 2, {20, 30}, 2, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {22, 0, {10, 20}, 2, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {23, 0, {10, 20}, 2, vlan_rig_own, 0x0806, LAN, 0, 0, 0, DROP_VLAN},
    };

    (void)state;
    run_rows(rows, ARRAY_COUNT(rows));
}

static void test_priority_and_payload(void **state)
{
    static const struct row rows[] = {
        /* Priority tags: untagged, with a priority. */
        {24, 1, {0xE000}, 1, b, 0x86DD, LAN, 1, 0x25, 0, 0},
        {25, 1, {0}, 1, vlan_rig_own, 0x0806, LAN, 0, 0, 1, 0},
        {26, 1, {0, 0}, 2, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {27, 1, {0, 20}, 2, b, 0x86DD, LAN, 0, 0, 0, DROP_VLAN},
        {28, 2, {0xE014}, 1, b, 0x86DD, LAN, 1, 0x23, 0, 0}, /* a priority beside an ID */
        {29, 0, {10, 0}, 2, vlan_rig_own, 0x0806, LAN, 0, 0, 1, 0},
        /* In a transparent network tags are payload... */
        {30, 3, {99}, 1, b, 0x86DD, INT, 0, 0x04, 0, 0},
        {31, 3, {FRAME_QINQ | 99, 20}, 2, b, 0x86DD, INT, 0, 0x04, 0, 0},
        {32, 3, {0}, 1, b, 0x86DD, INT, 0, 0x04, 0, 0},
        {33, 2, {99}, 1, b, 0x86DD, INT, 0, 0x08, 0, 0},
        {34, 2, {4095}, 1, b, 0x86DD, INT, 0, 0x08, 0, 0},
        /* ... but not where they would name another network. */
        {35, 3, {20}, 1, b, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {36, 3, {30}, 1, broadcast, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {37, 3, {FRAME_QINQ | 30}, 1, b, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {38, 3, {0, 0x7014}, 2, b, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {39, 3, {0, FRAME_QINQ, 30}, 3, b, 0x86DD, INT, 0, 0, 0, DROP_VLAN},
        {40, 3, {0, 99, 30}, 3, b, 0x86DD, INT, 0, 0x04, 0, 0},
        {41, 3, {0}, 0, stp, 0x0027, INT, 0, 0, 0, DROP_ETH_RESERVED},
        {42, 2, {30}, 1, stp, 0x0027, LAB, 0, 0, 0, DROP_ETH_RESERVED},
        {43, 3, {99}, 1, stp, 0x0027, INT, 0, 0, 0, DROP_ETH_RESERVED},
        {44, 6, {20}, 1, b, 0x86DD, LAN, 0, 0, 0, DROP_NO_NETWORK},
    };

    (void)state;
    run_rows(rows, ARRAY_COUNT(rows));
}

/* Runs of several networks in one burst: nothing overtakes within a network, and what is known by
 * the switch's short way keeps its place. */
static void test_order(void **state)
{
    static const uint32_t lan_tag[] = {20}, lab_tag[] = {30};
    unsigned next[2] = {0, 0};

    (void)state;
    vlan_rig_frame(broadcast, b, 0x1234, 60, NULL, 0);
    rig_input_raw(r, 1); /* b in lan */
    rig_input_raw(r, 4); /* and one in lab */
    rig_step(r);
    rig_flush(r);
    for (unsigned i = 0; i < 32; i++) {
        bool lab = (i * 7 / 3) % 3 == 0;
        vlan_rig_frame(i % 5 == 4 ? broadcast : b, a, 0x1234, 60, lab ? lab_tag : lan_tag, 1);
        r->in.b[30] = (uint8_t)i;
        rig_input_raw(r, 2);
    }
    rig_step(r);
    for (unsigned lab = 0; lab < 2; lab++)
        while (rig_output(r, lab ? 4 : 1)) {
            unsigned i = r->out.b[26];
            assert_int_equal(load_be16(r->out.b + 12), 0x1234);
            assert_int_equal((i * 7 / 3) % 3 == 0, lab);
            assert_true(i >= next[lab]);
            next[lab] = i + 1;
        }
    assert_true(next[0] > 25 && next[1] > 25);
    /* And towards the trunk, by the short way. */
    rig_flush(r);
    for (unsigned i = 0; i < 32; i++) {
        vlan_rig_frame(a, b, 0x1234, 60, NULL, 0);
        r->in.b[30] = (uint8_t)i;
        rig_input_raw(r, 1);
    }
    rig_step(r);
    for (unsigned i = 0; i < 32; i++) {
        assert_true(rig_output(r, 2));
        assert_int_equal(r->out.b[34], i);
        assert_int_equal(load_be16(r->out.b + 14), 20);
    }
    assert_int_equal(rig_flush(r), 0);
    assert_int_equal(rig_dropped_in_all(r), 0);
}

/* A frame may be four bytes longer with a tag, and not a byte more. */
static void test_sizes(void **state)
{
    static const uint16_t jumbo[PORTS] = {9202, 9202, 9202, 9202, 9202, 1500, 1500};
    static const uint32_t lan_tag[] = {20}, tag99[] = {99};

    (void)state;
    for (unsigned big = 0; big < 2; big++) {
        size_t most = big ? 9216 : 1514;
        if (big) {
            rig_stop(r);
            vlan_rig_start(0, jumbo);
        }
        for (size_t n = most - 1; n <= most + 1; n++) {
            uint64_t too_big = rig_dropped(r, DROP_TOO_BIG);
            unsigned refused = n > most;
            vlan_rig_frame(b, a, 0x1234, n, NULL,
                           0); /* lan: to trunks, of which port 5 takes 1514 */
            rig_input_raw(r, 1);
            rig_step(r);
            assert_int_equal(sent(LAN, 0), refused ? 0 : big ? 0x05 : 0x25);
            vlan_rig_frame(b, a, 0x1234, n, lan_tag, 1);
            rig_input_raw(r, 2);
            rig_step(r);
            assert_int_equal(sent(LAN, 1), refused ? 0 : big ? 0x03 : 0x23);
            vlan_rig_frame(b, a, 0x1234, n, tag99,
                           1); /* int: the tag is payload, with room of its own */
            rig_input_raw(r, 3);
            rig_step(r);
            assert_int_equal(sent(INT, 0), refused ? 0 : 0x04);
            assert_int_equal(rig_dropped(r, DROP_TOO_BIG) - too_big, refused ? 7 : big ? 2 : 0);
        }
    }
    for (size_t n = 14; n < 18; n++) { /* too short for what they claim to be */
        vlan_rig_frame(b, a, 0x8100, n, NULL, 0);
        r->in.b[14] = 0;
        rig_input_raw(r, 1);
        rig_input_raw(r, 5);
        rig_input_raw(r, 3);
        rig_step(r);
        assert_int_equal(sent(INT, 0), 0x04);
    }
    assert_int_equal(rig_dropped(r, DROP_VLAN), 8);
}

/* The router's own frames get the tag of the port they leave by, and each its own when flooded. */
static void test_own_frames(void **state)
{
    (void)state;
    for (unsigned known = 0; known < 2; known++) {
        struct pkt *p = pkt_alloc(&r->pool);
        vlan_rig_frame(a, vlan_rig_own, 0x0806, 60, NULL, 0);
        assert_true(pkt_append(p, r->in.b, r->in.n));
        dataplane_send(r->dp, LAN, p);
        rig_step(r);
        assert_int_equal(sent(LAN, 0), known ? 0x20 : 0x27);
        static const uint32_t lan_tag[] = {20};
        vlan_rig_frame(vlan_rig_own, a, 0x0806, 60, lan_tag, 1);
        rig_input_raw(r, 5);
        rig_step(r);
        rig_flush(r);
    }
    struct pkt *p = pkt_alloc(&r->pool);
    vlan_rig_frame(a, vlan_rig_own, 0x0806, 60, NULL, 0);
    assert_true(pkt_append(p, r->in.b, r->in.n));
    dataplane_send(r->dp, NETWORK_UPLINK, p);
    rig_step(r);
    assert_int_equal(sent(3, 0), 0x01);
}

/* Copies for tags take buffers; where there are none, that port's frame is lost and counted. */
static void test_empty_pool(void **state)
{
    struct pkt *hog[RIG_BUFFERS];
    unsigned n = 0;

    (void)state;
    vlan_rig_frame(b, a, 0x1234, 60, NULL, 0);
    rig_input_raw(r, 1);
    while (r->pool.free_count > 1)
        hog[n++] = pkt_alloc(&r->pool);
    rig_step(r);
    while (n > 0)
        pkt_free(hog[--n]);
    assert_int_equal(rig_dropped(r, DROP_BUFFERS), 1);
    assert_int_equal(sent(LAN, 0), 0x05);
}

/* ---- links and status ---- */

static unsigned lines_seen, drops_seen;

static void test_links(void **state)
{
    (void)state;
    r->nics[0].up = false; /* lan has other ports, the uplink none */
    rig_pass(r, 1000, 100);
    assert_int_equal(r->link_calls, 1);
    assert_int_equal(r->link_network, NETWORK_UPLINK);
    assert_false(r->link_up);
    r->nics[4].up = false; /* lab still has port 2 */
    rig_pass(r, 1000, 100);
    assert_int_equal(r->link_calls, 1);
    r->nics[2].up = false;
    rig_pass(r, 1000, 100);
    assert_int_equal(r->link_calls, 2);
    assert_int_equal(r->link_network, LAB);
    r->nics[2].up = true; /* lan, lab and int */
    rig_pass(r, 1000, 100);
    assert_int_equal(r->link_calls, 5);
    assert_true(r->link_up);
}

static void check_line(const char *text)
{
    static const char *const wanted[] = {
        "port 0  up    lan.20+uplink.10 rx", "port 1  up    lan          rx",
        "port 2  up    lan.20+lab.30+int rx", "port 6  up    -            rx"};

    for (unsigned i = 0; i < ARRAY_COUNT(wanted); i++)
        lines_seen += strncmp(text, wanted[i], strlen(wanted[i])) == 0;
    drops_seen += strstr(text, "dropped vlan 1") != NULL;
}

static void check_long_line(const char *text)
{
    lines_seen += strstr(text, "lan.20+a-name-as-long-as-names-may-be-.30+... rx ") != NULL;
}

/* What does not fit is said to be missing; half a name or half an ID would be another's. */
static void test_status_of_many(void **state)
{
    static struct config c;

    (void)state;
    rig_stop(r);
    vlan_rig_configure(&c);
    strcpy(c.nets[LAB].name, "a-name-as-long-as-names-may-be-");
    strcpy(c.nets[INT].name, "a-name-as-long-as-names-may-be+");
    rig_start_config_mtu(r, &c, 0, NULL, NULL);
    lines_seen = 0;
    dataplane_print_status(r->dp, check_long_line);
    assert_int_equal(lines_seen, 1);
}

static void test_status(void **state)
{
    static const uint32_t tags[] = {77};

    (void)state;
    vlan_rig_frame(b, a, 0x1234, 60, tags, 1);
    rig_input_raw(r, 1);
    rig_step(r);
    dataplane_print_status(r->dp, check_line);
    assert_int_equal(lines_seen, 4);
    assert_int_equal(drops_seen, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, vlan_rig_setup, vlan_rig_teardown)
        TEST(test_where_frames_go), TEST(test_priority_and_payload),
        TEST(test_order),           TEST(test_sizes),
        TEST(test_own_frames),      TEST(test_empty_pool),
        TEST(test_links),           TEST(test_status),
        TEST(test_status_of_many),
    };
    return cmocka_run_group_tests_name("dataplane_vlan", tests, NULL, NULL);
}
