/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fragments through the whole dataplane (RFC 4787 REQ-14, RFC 6864, CVE-2018-5391): in any order,
 * every way there is, put together again by their receiver; many at once; beside floods.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/ip4.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/router_rig.h"

#define PIECES    8
#define DATAGRAMS 64
#define BYTES     4096

static struct rig r;

struct piece {
    uint8_t b[1600];
    size_t n;
};

/* A receiver: what has come of each datagram. */
struct datagram {
    be32 src, dst;
    be16 id;
    uint8_t proto;
    uint8_t data[BYTES];
    uint8_t covered[BYTES];
    size_t end, got;
};

static struct datagram received[DATAGRAMS];
static unsigned received_count;

static int teardown(void **state)
{
    (void)state;
    rig_stop(&r);
    return 0;
}

/* The topology of router_rig.h; lan reaches lab, and is filtered inside. */
static int setup(void **state)
{
    static struct config c;

    (void)state;
    rig_configure(&c, RIG_FORWARDS);
    c.rule_count = 2;
    c.rules[0] =
        (struct config_rule){.action = RULE_DENY,
                             .from = {.kind = WHERE_CIDR, .prefix = 32, .ip = RIG_HOST(200)},
                             .to = {.kind = WHERE_CIDR, .prefix = 32, .ip = RIG_HOST(201)}};
    c.rules[1] = (struct config_rule){.action = RULE_ALLOW,
                                      .from = {.kind = WHERE_NET, .net = RIG_LAN},
                                      .to = {.kind = WHERE_NET, .net = RIG_LAB}};
    rig_start_config(&r, &c, 0);
    rig_appear(&r, 1, RIG_HOST(5));
    rig_appear(&r, 2, RIG_HOST(6));
    rig_appear(&r, 4, RIG_LAB_HOST(20));
    received_count = 0;
    return 0;
}

/* Cuts r.in, with this identification, into pieces of at most n payload bytes. */
static unsigned cut(struct piece *pieces, uint16_t id, size_t n)
{
    static struct frame whole;
    unsigned count = 0;

    whole = r.in;
    size_t bytes = whole.n - 34;
    for (size_t at = 0; at < bytes; at += n, count++) {
        size_t part = MIN(n, bytes - at);
        assert_true(count < PIECES);
        memcpy(r.in.b, whole.b, 34);
        memcpy(r.in.b + 34, whole.b + 34 + at, part);
        r.in.n = 34 + part;
        store_be16(r.in.b + 16, (uint16_t)(20 + part));
        store_be16(r.in.b + 18, id);
        store_be16(r.in.b + 20, (uint16_t)(at / 8 | (at + part < bytes ? 0x2000 : 0)));
        frame_fix_ip_csum(&r.in);
        memcpy(pieces[count].b, r.in.b, r.in.n);
        pieces[count].n = r.in.n;
    }
    return count;
}

static void send(const struct piece *p, unsigned port)
{
    memcpy(r.in.b, p->b, p->n);
    r.in.n = p->n;
    rig_input_raw(&r, port);
}

static struct datagram *datagram_of(const uint8_t *ip)
{
    be16 id = load_raw16(ip + 4);
    be32 src = load_raw32(ip + 12), dst = load_raw32(ip + 16);

    for (unsigned i = 0; i < received_count; i++) {
        struct datagram *d = &received[i];
        if (d->src == src && d->dst == dst && d->id == id && d->proto == ip[9])
            return d;
    }
    assert_true(received_count < DATAGRAMS);
    struct datagram *d = &received[received_count++];
    memset(d, 0, sizeof(*d));
    d->src = src;
    d->dst = dst;
    d->id = id;
    d->proto = ip[9];
    return d;
}

/* Takes what left by this port, but fragments of up to so many bytes; one that does not add
 * anything is an error. */
static void receive_but(unsigned port, size_t bytes)
{
    while (rig_output(&r, port)) {
        if (r.out.n - 34 <= bytes)
            continue;
        const uint8_t *ip = r.out.b + 14;
        size_t at = (load_be16(ip + 6) & 0x1FFFu) * 8, n = r.out.n - 34;
        struct datagram *d = datagram_of(ip);
        assert_int_equal(frame_naive_sum(ip, 20), 0xFFFF);
        assert_true(at + n <= BYTES);
        for (size_t i = at; i < at + n; i++) {
            assert_int_equal(d->covered[i], 0);
            d->covered[i] = 1;
        }
        memcpy(d->data + at, ip + 20, n);
        d->got += n;
        if (!(load_be16(ip + 6) & 0x2000))
            d->end = at + n;
    }
}

static void receive(unsigned port)
{
    receive_but(port, 0);
}

static bool is_whole(const struct datagram *d)
{
    return d->end && d->got == d->end;
}

/* The checksums are right, and the payload what rig_make() put in. */
static void check_data(const struct datagram *d, size_t payload_bytes)
{
    static struct frame f, like;
    size_t header_bytes = d->proto == IP_PROTO_UDP ? 8 : 0;

    assert_int_equal(d->end, payload_bytes + header_bytes);
    memset(f.b, 0, 34);
    f.b[14] = 0x45;
    f.n = 34 + d->end;
    f.l3 = 14;
    f.l4 = 34;
    store_be16(f.b + 16, (uint16_t)(20 + d->end));
    f.b[14 + 9] = d->proto;
    store_raw32(f.b + 14 + 12, d->src);
    store_raw32(f.b + 14 + 16, d->dst);
    memcpy(f.b + 34, d->data, d->end);
    frame_fix_ip_csum(&f);
    assert_true(frame_sums_right(f.b, f.n, 14, false));
    frame_make(&like, &(struct frame_plan){.proto = d->proto, .payload_bytes = payload_bytes});
    assert_memory_equal(f.b + 34 + header_bytes, like.b + like.payload, payload_bytes);
}

/* ---- orders ---- */

/* The ways through the router: in by a port, out by another. */
static const struct way {
    const char *name;
    unsigned in, out;
    bool switched, new_id;
    struct rig_packet k;
} ways[] = {
    {"out", 1, 0, false, true, {.src = RIG_HOST(5), .dst = RIG_SERVER, .sport = 5, .dport = 9}},
    {"in", 0, 4, false, false, {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .sport = 9, .dport = 5000}},
    {"hairpin",
     1,
     4,
     false,
     true,
     {.src = RIG_HOST(5), .dst = RIG_OUTSIDE, .sport = 6, .dport = 5000}},
    {"plain",
     1,
     4,
     false,
     false,
     {.src = RIG_HOST(5), .dst = RIG_LAB_HOST(20), .sport = 5, .dport = 9}},
    {"switched",
     1,
     2,
     true,
     false,
     {.src = RIG_HOST(5), .dst = RIG_HOST(6), .sport = 5, .dport = 9}},
    {"gre", 1, 0, false, true, {.src = RIG_HOST(5), .dst = RIG_SERVER, .proto = IP_PROTO_GRE}},
    {"gre in", 0, 1, false, false, {.src = RIG_SERVER, .dst = RIG_OUTSIDE, .proto = IP_PROTO_GRE}},
};

static void make(const struct way *way, size_t payload_bytes)
{
    struct rig_packet k = way->k;

    k.payload_bytes = payload_bytes;
    rig_make(&r, way->in, &k);
    if (way->switched)
        memcpy(r.in.b, rig_mac(k.dst), MAC_BYTES);
}

/* Of what cannot begin outside, the first packet is from inside. */
static void begin(const struct way *way)
{
    struct rig_packet k = {
        .src = RIG_HOST(5), .dst = RIG_SERVER, .proto = IP_PROTO_GRE, .payload_bytes = 8};

    if (way->k.proto != IP_PROTO_GRE)
        return;
    rig_input(&r, 1, &k);
    rig_step(&r);
    assert_int_equal(rig_flush(&r), 1);
}

static void test_u14_orders(void **state)
{
    static const struct {
        int id;
        const char *order; /* of four; | is a new burst */
        unsigned whole, twice, alone;
    } rows[] = {
        {1, "0123", 1, 0, 0},      {2, "3210", 1, 0, 0},     {3, "2031", 1, 0, 0},
        {4, "1302", 1, 0, 0},      {5, "3|2|1|0", 1, 0, 0},  {6, "1|0|3|2", 1, 0, 0},
        {7, "00112233", 1, 3, 1},  {8, "33221100", 1, 4, 0}, {9, "3|3|0|0|1|1|2", 1, 3, 0},
        {10, "01230123", 2, 0, 0}, {11, "123", 0, 0, 3},     {12, "1230|123", 1, 0, 3},
    };
    struct piece pieces[PIECES];

    (void)state;
    for (unsigned w = 0; w < ARRAY_COUNT(ways); w++) {
        for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
            rig_appear(&r, 1, RIG_HOST(5)); /* the switch forgets */
            rig_appear(&r, 2, RIG_HOST(6));
            rig_appear(&r, 4, RIG_LAB_HOST(20));
            uint64_t twice = rig_dropped(&r, DROP_FRAGMENT_TWICE);
            uint64_t alone = rig_dropped(&r, DROP_FRAGMENT_ALONE), all = rig_dropped_in_all(&r);
            unsigned whole = 0;
            begin(&ways[w]);
            received_count = 0;
            make(&ways[w], 3000);
            assert_int_equal(cut(pieces, (uint16_t)rows[i].id, 800), 4);
            for (const char *c = rows[i].order; *c; c++) {
                if (*c != '|')
                    send(&pieces[*c - '0'], ways[w].in);
                if (*c == '|' || (rows[i].id == 10 && c == rows[i].order + 3)) {
                    rig_step(&r);
                    receive(ways[w].out);
                    for (unsigned k = 0; rows[i].id == 10 && k < received_count; k++) {
                        whole += is_whole(&received[k]); /* the next one may look the same */
                        check_data(&received[k], 3000);
                    }
                    received_count = rows[i].id == 10 ? 0 : received_count;
                }
            }
            rig_step(&r);
            receive(ways[w].out);
            for (unsigned k = 0; k < received_count; k++) {
                whole += is_whole(&received[k]);
                if (is_whole(&received[k]))
                    check_data(&received[k], 3000);
                if (ways[w].new_id == (received[k].id == hton16((uint16_t)rows[i].id)))
                    fail_msg("%s %d: identification", ways[w].name, rows[i].id);
            }
            rig_pass(&r, 20000, 100);
            for (unsigned k = 0; k < RIG_PORTS; k++)
                if (fake_nic_sent_count(&r.nics[k]))
                    fail_msg("%s %d: %u left by port %u", ways[w].name, rows[i].id,
                             fake_nic_sent_count(&r.nics[k]), k);
            twice = rig_dropped(&r, DROP_FRAGMENT_TWICE) - twice;
            alone = rig_dropped(&r, DROP_FRAGMENT_ALONE) - alone;
            all = rig_dropped_in_all(&r) - all;
            if (whole != rows[i].whole || twice != rows[i].twice || alone != rows[i].alone ||
                all != twice + alone)
                fail_msg("%s %d: %u whole, %u twice, %u alone", ways[w].name, rows[i].id, whole,
                         (unsigned)twice, (unsigned)alone);
        }
    }
}

/* What overlaps in part ends its datagram, and neither it nor anything behind it passes. */
static void test_overlap(void **state)
{
    struct piece a[PIECES], b[PIECES];

    (void)state;
    for (unsigned w = 0; w < ARRAY_COUNT(ways); w++) {
        for (unsigned early = 0; early < 2; early++) {
            uint64_t before = rig_dropped(&r, DROP_FRAGMENT_OVERLAP);
            uint16_t id = (uint16_t)(100 + early);
            begin(&ways[w]);
            make(&ways[w], 3000);
            cut(a, id, 800);
            make(&ways[w], 3000);
            cut(b, id, 600);
            if (!early)
                send(&a[0], ways[w].in);
            send(early ? &a[1] : &b[1], ways[w].in);
            send(early ? &b[1] : &a[1], ways[w].in);
            if (early)
                send(&a[0], ways[w].in);
            send(&a[2], ways[w].in);
            send(&a[3], ways[w].in);
            rig_step(&r);
            assert_int_equal(rig_flush(&r), early ? 0 : 1);
            assert_int_equal(rig_dropped(&r, DROP_FRAGMENT_OVERLAP) - before, early ? 5 : 4);
        }
    }
}

/* ---- identifications ---- */

/* R6: two hosts, one identification, one server. */
static void test_r6_same_identification(void **state)
{
    struct piece a[PIECES], b[PIECES];
    struct rig_packet k = ways[0].k;

    (void)state;
    make(&ways[0], 3000);
    cut(a, 4711, 800);
    k.src = RIG_HOST(6);
    k.payload_bytes = 2600;
    rig_make(&r, 2, &k);
    cut(b, 4711, 800);
    for (unsigned i = 4; i-- > 0;) {
        send(&a[i], 1);
        send(&b[i], 2);
        rig_step(&r);
    }
    receive(0);
    assert_int_equal(received_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(is_whole(&received[i]));
        check_data(&received[i], received[i].end - 8);
    }
    rig_stop(&r);

    /* The router cuts them itself; what needs no cutting keeps its own. */
    rig_start(&r, RIG_SMALL_MTU | RIG_FORWARDS);
    received_count = 0;
    for (uint8_t host = 5; host < 8; host++) {
        k = (struct rig_packet){.src = RIG_HOST(host),
                                .dst = RIG_SERVER,
                                .sport = 5,
                                .dport = 9,
                                .may_fragment = true,
                                .payload_bytes = host < 7 ? 1420 : 100};
        rig_make(&r, 1, &k);
        store_be16(r.in.b + 18, 4711);
        frame_fix_ip_csum(&r.in);
        rig_input_raw(&r, 1);
        rig_step(&r);
    }
    receive(0);
    assert_int_equal(received_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(is_whole(&received[i]));
        check_data(&received[i], i < 2 ? 1420 : 100);
        assert_int_equal(received[i].id == BE16(4711), i == 2);
    }
}

/* ---- many ---- */

/* Datagrams of many hosts and ways, all with few identifications, all shuffled. */
static void test_u14_shuffled(void **state)
{
    static struct piece pieces[24 * PIECES];
    static unsigned in[24 * PIECES];

    (void)state;
    for (unsigned run = 0; run < 150; run++) {
        unsigned count = 0, datagrams = 0;
        received_count = 0;
        for (uint8_t host = 10; host < 22; host++, datagrams += 2) {
            struct rig_packet k = {.src = RIG_HOST(host),
                                   .dst = RIG_SERVER,
                                   .sport = 7,
                                   .dport = 9,
                                   .payload_bytes = 1400 + rnd(2500)};
            for (unsigned way = 0; way < 2; way++) {
                rig_make(&r, way ? 0 : 1, &k);
                unsigned n = cut(&pieces[count], (uint16_t)(run % 3), 8 * (65 + rnd(100)));
                while (n-- > 0)
                    in[count++] = way ? 0 : 1;
                k.src = BE_IP4(198, 51, 100, host); /* and in through the forward */
                k.dst = RIG_OUTSIDE;
                k.dport = 5000;
            }
        }
        for (unsigned i = count; i-- > 0;) {
            unsigned k = rnd(i + 1), port = in[k];
            struct piece p = pieces[k];
            pieces[k] = pieces[i];
            in[k] = in[i];
            send(&p, port);
            if (rnd(4) == 0)
                rig_step(&r);
        }
        rig_step(&r);
        receive(0);
        receive(4);
        assert_int_equal(received_count, datagrams);
        for (unsigned i = 0; i < received_count; i++) {
            assert_true(is_whole(&received[i]));
            check_data(&received[i], received[i].end - 8);
        }
    }
    assert_int_equal(rig_dropped_in_all(&r), 0);
}

/* 10^6 fragments, first ones and early ones, from a host and from forged sources outside, beside
 * a stream of fragmented datagrams that all arrive. */
static void test_u14_flood(void **state)
{
    struct piece stream[PIECES], first[PIECES], forged[PIECES];
    struct rig_packet k = ways[0].k;

    (void)state;
    k.src = RIG_HOST(66);
    k.payload_bytes = 24;
    rig_make(&r, 3, &k);
    cut(first, 0, 16);
    k.src = BE_IP4(1, 2, 3, 4);
    k.dst = RIG_OUTSIDE;
    rig_make(&r, 0, &k);
    cut(forged, 0, 16);
    uint32_t low = r.pool.free_count;
    for (unsigned n = 0; n < 1000000; n++) {
        struct piece *p = n % 4 == 3 ? &forged[1] : &first[n % 2];
        store_be16(p->b + 18, (uint16_t)(n / 4));
        if (n % 4 == 3)
            store_raw32(p->b + 26, BE_IP4(50, 0, 0, 1) + rnd(1u << 24) * 256);
        store_be16(p->b + 24, 0);
        store_be16(p->b + 24, (uint16_t)~frame_naive_sum(p->b + 14, 20));
        send(p, n % 4 == 3 ? 0 : 3);
        if (n % 16)
            continue;
        if (n % 4096 == 0) {
            make(&ways[0], 2000);
            cut(stream, (uint16_t)n, 600);
            received_count = 0;
        }
        if (n % 1024 == 0)
            send(&stream[3 - n % 4096 / 1024], 1);
        rig_step(&r);
        r.now_us += 50;
        receive_but(0, 16);
        rig_flush(&r);
        if (n % 4096 == 3072) {
            assert_int_equal(received_count, 1);
            assert_true(is_whole(&received[0]));
            check_data(&received[0], 2000);
        }
        low = MIN(low, r.pool.free_count);
    }
    assert_int_equal(r.pool.exhausted, 0);
    assert_int_equal(rig_dropped(&r, DROP_BUFFERS), 0);
    rig_flush(&r);
    rig_pass(&r, 3000, 100);
    struct dataplane_totals t;
    dataplane_totals(r.dp, &t);
    assert_int_equal(t.held, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_u14_orders),   TEST(test_overlap),   TEST(test_r6_same_identification),
        TEST(test_u14_shuffled), TEST(test_u14_flood),
    };
    return cmocka_run_group_tests_name("dataplane_fragment", tests, NULL, NULL);
}
