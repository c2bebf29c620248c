/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net/host/dns_tcp.c and dns_tcp_fetch.c on lwIP: who gets a connection and for how long, what
 * becomes of questions, and servers that are asked by TCP.
 *
 * Teardown of each: all connections end, nothing is kept of them, and the router sleeps again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/dataplane_internal.h"
#include "net/host/host_internal.h"
#include "net/wire/dns.h"
#include "tests/fake/fake_random.h"
#include "tests/fake/lab_tcp.h"

#include "lwip/priv/tcp_priv.h"

#define LAN_HOST(i) BE_IP4(192, 168, 8, 20 + (i))
#define LONG_BYTES  3400 /* more than lwIP takes at once */

static struct dns_tcp *tcp(void)
{
    return &lab.host->services.dns_tcp;
}

static unsigned open_count(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < DNS_TCP_MAX; i++)
        n += tcp()->conns[i].pcb != NULL;
    assert_int_equal(n, __builtin_popcount(tcp()->open));
    return n;
}

/* A question for texts, with its length before it. */
static size_t make_question(uint8_t *b, uint16_t id, const char *name)
{
    size_t n = DNS_FRAME_HDR_BYTES + DNS_HDR_BYTES;

    memset(b, 0, n);
    store_be16(b + 2, id);
    b[4] = 1;
    b[7] = 1;
    n += dns_encode_name(b + n, name, "");
    memcpy(b + n, "\0\20\0\1", 4); /* TXT */
    store_be16(b, (uint16_t)(n + 4 - DNS_FRAME_HDR_BYTES));
    return n + 4;
}

static void ask(struct tcp_end *e, uint16_t id, const char *name)
{
    uint8_t b[512];

    lab_tcp_send(e, ACK | PSH, b, make_question(b, id, name));
}

/* The next answer of e: its id. Its length goes to *n and it itself begins at *at of what came. */
static uint16_t answer(const struct tcp_end *e, size_t *at, size_t *n)
{
    assert_true(e->n >= *at + 2 + DNS_HDR_BYTES);
    *n = load_be16(e->got + *at);
    assert_true(e->n >= *at + 2 + *n);
    *at += 2 + *n;
    return load_be16(e->got + *at - *n);
}

static struct tcp_end *lan_end(unsigned host, uint16_t own)
{
    return lab_tcp_end(LAN_PORT, LAN_HOST(host), own, LAN_IP, DNS_PORT);
}

/* An open connection of a host. */
static struct tcp_end *opened(unsigned host, uint16_t own)
{
    struct tcp_end *e = lan_end(host, own);

    assert_true(lab_tcp_open(e));
    return e;
}

/* ---- hosts ---- */

/* Networks that listen, one address in two of them; and what is closed. */
static void test_where_it_listens(void **state)
{
    static const struct {
        unsigned port;
        be32 host, router;
        uint16_t to;
        bool open;
    } rows[] = {
        {LAN_PORT, LAN_HOST(0), LAN_IP, DNS_PORT, true},
        {TWIN_PORT, LAN_HOST(0), LAN_IP, DNS_PORT, true},
        {CELL_PORT, BE_IP4(192, 168, 9, 5), CELL_IP, DNS_PORT, false},
        {LAN_PORT, LAN_HOST(0), LAN_IP, 54, false},
    };
    struct tcp_end *ends[ARRAY_COUNT(rows)];

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        ends[i] = lab_tcp_end(rows[i].port, rows[i].host, 4000, rows[i].router, rows[i].to);
        if (lab_tcp_open(ends[i]) != rows[i].open || !(ends[i]->flags & RST) != rows[i].open)
            fail_msg("row %u", i);
    }
    for (unsigned i = 0; i < 2; i++) {
        size_t at = 0, n;
        ask(ends[i], (uint16_t)(7 + i), "gate.lan");
        assert_int_equal(answer(ends[i], &at, &n), 7 + i);
    }
    /* From outside and across networks nothing is heard at all. */
    struct tcp_end *outside =
        lab_tcp_end(UPLINK_PORT, BE_IP4(203, 0, 113, 9), 4000, WAN_IP, DNS_PORT);
    struct tcp_end *across = lab_tcp_end(LAN_PORT, LAN_HOST(0), 4001, CELL_IP, DNS_PORT);
    assert_false(lab_tcp_open(outside));
    assert_false(lab_tcp_open(across));
    assert_int_equal(outside->segments + across->segments, 0);
}

/* Questions in pieces of any size, while earlier ones wait; the window never closes for good. */
static void test_questions_in_pieces(void **state)
{
    static uint8_t all[60 * 64];
    size_t bytes = 0, at = 0, n;
    struct tcp_end *e = opened(0, 4000);

    (void)state;
    for (uint16_t i = 0; i < 60; i++)
        bytes += make_question(all + bytes, i, "gate.lan");
    for (size_t sent = 0; sent < bytes; sent += n) {
        n = 1 + rnd(150);
        n = MIN(n, bytes - sent);
        lab_tcp_send(e, ACK, all + sent, n);
    }
    lab_tcp_read(e);
    for (uint16_t i = 0; i < 60; i++)
        assert_int_equal(answer(e, &at, &n), i);
    assert_int_equal(at, e->n);
    /* The same in segments as long as they come, of more than the window holds. */
    e->n = 0;
    for (size_t sent = 0; sent < bytes; sent += n) {
        n = MIN((size_t)TCP_MSS, bytes - sent);
        lab_tcp_send(e, ACK, all + sent, n);
        lab_tcp_read(e);
    }
    at = 0;
    for (uint16_t i = 0; i < 60; i++)
        assert_int_equal(answer(e, &at, &n), i);
    /* And it may say that this was all. */
    lab_tcp_send(e, ACK | FIN, NULL, 0);
    assert_true(e->flags & FIN);
    assert_int_equal(open_count(), 0);
}

/* Eight are under way; the others wait, and have their turn. */
static void test_pipeline(void **state)
{
    struct tcp_end *e = opened(0, 4000);
    char name[] = "a.outside.example";
    size_t at = 0, n;

    (void)state;
    for (uint16_t i = 0; i < 12; i++, name[0]++)
        ask(e, i, name);
    ask(e, 12, "gate.lan");
    assert_int_equal(lab.host->services.dns.pending_count, DNS_TCP_ASKED_MAX);
    assert_int_equal(e->n, 0);
    lab_pass_time(4500000); /* nobody answers: SERVFAIL, and the next eight */
    lab_tcp_take();
    lab_tcp_read(e);
    assert_int_equal(lab.host->services.dns.pending_count, 4);
    uint32_t seen = 0;
    for (unsigned i = 0; i < DNS_TCP_ASKED_MAX + 1; i++)
        seen |= 1u << answer(e, &at, &n);
    assert_int_equal(seen, 0x10FF); /* the router's own name at once, when it was its turn */
    lab_tcp_send(e, ACK | RST, NULL, 0);
    lab_pass_time(4500000); /* answers to nobody */
}

static void test_what_is_no_question(void **state)
{
    static const struct {
        uint8_t bytes[16];
        size_t n;
    } rows[] = {
        {{0, 0}, 2},          {{2, 1}, 2}, {{0xFF, 0xFF}, 2}, {{0, 12, 0, 1, 0x80, 0, 0, 1}, 14},
        {{0, 3, 1, 2, 3}, 5},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct tcp_end *e = opened(0, (uint16_t)(4000 + i));
        lab_tcp_send(e, ACK, rows[i].bytes, rows[i].n);
        if (!(e->flags & RST) || e->n > 0)
            fail_msg("row %u", i);
    }
    assert_int_equal(tcp()->counters.broken, ARRAY_COUNT(rows));
}

/* One host: four, of which an idle one goes for a fifth, and a busy one stays. */
static void test_share_of_a_host(void **state)
{
    struct tcp_end *e[DNS_TCP_PER_HOST + 2];

    (void)state;
    for (unsigned i = 0; i <= DNS_TCP_PER_HOST; i++) {
        e[i] = opened(0, (uint16_t)(4000 + i));
        lab_pass_time(1000);
        lab_tcp_take();
    }
    assert_int_equal(open_count(), DNS_TCP_PER_HOST);
    assert_true(e[0]->flags & FIN);
    assert_int_equal(tcp()->counters.made_room, 1);
    for (unsigned i = 1; i <= DNS_TCP_PER_HOST; i++) {
        assert_false(e[i]->flags & (FIN | RST));
        ask(e[i], 1, "slow.example");
    }
    e[5] = lan_end(0, 4005);
    assert_false(lab_tcp_open(e[5]));
    assert_true(e[5]->flags & RST);
    assert_int_equal(open_count(), DNS_TCP_PER_HOST);
    assert_true(lab_tcp_open(lan_end(1, 4000))); /* another host has its own share */
}

/* All places: the idle leave for others, the oldest first; then who has several for who has none;
 * who has one and is busy stays. */
static void test_all_places_taken(void **state)
{
    struct tcp_end *first[DNS_TCP_MAX], *more;

    (void)state;
    for (unsigned i = 0; i < DNS_TCP_MAX; i++) {
        first[i] = opened(i < 3 ? 0 : i, (uint16_t)(4000 + i)); /* one host has three */
        lab_pass_time(1000);
        lab_tcp_take();
        if (i != 7)
            ask(first[i], 1, "slow.example");
    }
    assert_int_equal(open_count(), DNS_TCP_MAX);
    more = opened(40, 4000);
    ask(more, 1, "slow.example");
    assert_true(first[7]->flags & FIN); /* the idle one */
    for (unsigned i = 0; i < 2; i++) {
        more = opened(41 + i, 4000);
        ask(more, 1, "slow.example");
        assert_true(first[i]->flags & FIN); /* of those of the one that has more, the oldest */
    }
    assert_false(lab_tcp_open(lan_end(43, 4000)));
    for (unsigned i = 2; i < DNS_TCP_MAX; i++)
        assert_false(i != 7 && (first[i]->flags & (FIN | RST)));
    assert_int_equal(open_count(), DNS_TCP_MAX);
}

static unsigned half_open(void)
{
    unsigned n = 0;

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        n += pcb->state == SYN_RCVD;
    return n;
}

/* A thousand SYNs from everywhere: few are kept, the newest, and others are served. */
static void test_half_open(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct tcp_end *e = lan_end(i % 50, (uint16_t)(5000 + i));
        lab_tcp_send(e, SYN, NULL, 0);
        assert_true(half_open() <= DNS_TCP_HALF_OPEN_MAX);
        lab_tcp_reset();
    }
    assert_int_equal(half_open(), DNS_TCP_HALF_OPEN_MAX);
    opened(55, 4000);
    /* Of one host alone no more than its share. */
    lab_pass_time(30000000);
    assert_int_equal(half_open(), 0);
    for (unsigned i = 0; i < 10; i++) {
        struct tcp_end *e = lan_end(0, (uint16_t)(5000 + i));
        lab_tcp_send(e, SYN, NULL, 0);
        assert_int_equal(!!(e->flags & RST), i >= DNS_TCP_PER_HOST);
    }
    assert_int_equal(half_open(), DNS_TCP_PER_HOST);
}

/* Who says nothing, half a question bit by bit, or does not take what it asked for. */
static void test_idle(void **state)
{
    struct tcp_end *silent = opened(0, 4000), *slow = opened(1, 4000), *deaf = lan_end(2, 4000);
    uint8_t b[512];
    size_t n = make_question(b, 1, "a.name.that.takes.its.time.example");

    (void)state;
    deaf->window = 0;
    assert_true(lab_tcp_open(deaf));
    ask(deaf, 1, "gate.lan");
    for (unsigned s = 0; s < DNS_TCP_IDLE_US / 1000000; s++) {
        assert_int_equal(open_count(), 3);
        assert_true(s < n);
        lab_tcp_send(slow, ACK, b + s, 1);
        lab_pass_time(1000000);
        lab_tcp_take();
    }
    lab_pass_time(100000);
    lab_tcp_take();
    assert_int_equal(open_count(), 0);
    assert_int_equal(tcp()->counters.idle, 3);
    assert_true(silent->flags & FIN);
    assert_true(slow->flags & RST);
    assert_true(deaf->flags & RST);
    assert_true(deaf->n <= 1); /* a byte to look whether the window is open */
}

/* ---- servers ---- */

/* What the router asks outside by UDP now; its answer, cut, comes. */
static void cut_outside(void)
{
    static struct frame query;
    uint8_t b[512];

    assert_true(lab_tcp_others > 0);
    query = lab_tcp_other;
    size_t n = query.n - query.payload;
    memcpy(b, query.b + query.payload, n);
    b[DNS_FLAGS_OFF] |= 0x82;
    lab_make_udp(UPLINK_PORT, lab_gateway_mac, DNS_SERVER, WAN_IP, BE16(DNS_PORT),
                 load_raw16(query.b + query.l4 + UDP_SPORT_OFF), b, n);
    lab_receive(UPLINK_PORT);
}

/* A host asks, the server says that it is too long; the server's end of what comes then. */
static struct tcp_end *fetch_begins(struct tcp_end *host, const char *name)
{
    ask(host, 77, name);
    cut_outside();
    struct dns_tcp_fetch *f = tcp()->fetches;
    while (!f->port)
        f++;
    struct tcp_end *server =
        lab_tcp_end(UPLINK_PORT, DNS_SERVER, DNS_PORT, WAN_IP, ntoh16(f->port));
    unsigned others = lab_tcp_others;
    lab_tcp_take();
    assert_int_equal(lab_tcp_others, others);
    assert_int_equal(server->flags, SYN);
    return server;
}

/* What the server was asked, as an answer of LONG_BYTES with its length. */
static size_t long_answer(const struct tcp_end *server, uint8_t *b)
{
    static const uint8_t record[] = {0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 188};
    size_t n = server->n;

    memcpy(b, server->got, n);
    b[4] |= 0x80;
    for (; n + 200 <= LONG_BYTES; n += 200) {
        memset(b + n, 187, 200);
        memcpy(b + n, record, sizeof(record));
        b[9]++;
    }
    store_be16(b, (uint16_t)(n - 2));
    return n;
}

static void test_fetch(void **state)
{
    struct tcp_end *host = opened(0, 4000), *deaf = lan_end(2, 4000), *server;
    uint8_t b[LONG_BYTES];
    size_t at = 0, n;

    (void)state;
    deaf->window = 0;
    assert_true(lab_tcp_open(deaf));
    ask(deaf, 78, "long.example");
    server = fetch_begins(host, "long.example"); /* the same for both */
    /* Others than the server are not heard, nor it from another port. */
    struct tcp_end *wrong[] = {
        lab_tcp_end(UPLINK_PORT, DNS_SERVER, 54, WAN_IP, server->peer),
        lab_tcp_end(UPLINK_PORT, GATEWAY, DNS_PORT, WAN_IP, server->peer),
        lab_tcp_end(UPLINK_PORT, DNS_SERVER, DNS_PORT, WAN_IP, (uint16_t)(server->peer ^ 1)),
    };
    for (unsigned i = 0; i < ARRAY_COUNT(wrong); i++) {
        uint64_t refused = lab.host->counters.refused;
        wrong[i]->ack = server->ack;
        lab_tcp_send(wrong[i], SYN | ACK, NULL, 0);
        assert_int_equal(wrong[i]->segments, 0);
        assert_true(i == 2 || lab.host->counters.refused == refused + 1);
    }
    lab_tcp_send(server, SYN | ACK, NULL, 0);
    assert_true(server->n > 2 && load_be16(server->got) == server->n - 2);
    size_t bytes = long_answer(server, b);
    for (size_t sent = 0; sent < bytes; sent += n) {
        assert_int_equal(host->n, 0);
        n = 1 + rnd(1400);
        n = MIN(n, bytes - sent);
        lab_tcp_send(server, ACK, b + sent, n);
    }
    assert_true(server->flags & RST);
    lab_tcp_read(host);
    assert_int_equal(answer(host, &at, &n), 77);
    assert_int_equal(n, bytes - 2);
    assert_memory_equal(host->got + 100, b + 100, bytes - 100);
    /* What the other does not take is not kept for good. */
    assert_non_null(tcp()->conns[1].out);
    /* The port is nobody's again. */
    assert_false(dp_self_owns(lab.dp, IP_PROTO_TCP, hton16(server->peer)));
}

/* Refused, closed in the middle, and silence: SERVFAIL, in time. */
static void test_fetch_fails(void **state)
{
    static const char *const names[] = {"a.example", "b.example", "c.example"};
    struct tcp_end *host = opened(0, 4000);
    size_t at = 0, n;
    uint8_t b[LONG_BYTES];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t asked_us = lab.now_us;
        struct tcp_end *server = fetch_begins(host, names[i]);
        if (i == 0) {
            lab_tcp_send(server, RST | ACK, NULL, 0);
        } else if (i == 1) {
            lab_tcp_send(server, SYN | ACK, NULL, 0);
            long_answer(server, b);
            lab_tcp_send(server, ACK | FIN, b, 1000);
        } else {
            lab_pass_time(4400000);
            lab_tcp_take();
        }
        assert_int_equal(answer(host, &at, &n), 77);
        assert_int_equal(host->got[at - n + 3] & DNS_FLAG_RCODE, DNS_SERVFAIL);
        assert_true(lab.now_us - asked_us <= 4500000);
        assert_int_equal(tcp()->fetches[0].port, 0);
        lab_tcp_read(host);
    }
}

/* The uplink's address is another now, or 0: none. */
static void set_outside(be32 ip)
{
    struct netif *netif = &lab.host->ifs[NETWORK_UPLINK].netif;
    ip4_addr_t address = {ip}, mask = {BE_IP4(255, 255, 255, 0)}, gw = {GATEWAY};

    netif_set_addr(netif, &address, &mask, &gw);
    uplink_watch(lab.host);
}

/* The address is lost: the connection with it, and the host hears that. */
static void test_fetch_ends_with_the_address(void **state)
{
    struct tcp_end *host = opened(0, 4000), *server = fetch_begins(host, "long.example");
    size_t at = 0, n;

    (void)state;
    lab_tcp_send(server, SYN | ACK, NULL, 0);
    set_outside(0);
    lab.host->alarm_us = 0;
    lab_turn();
    lab_tcp_take();
    assert_int_equal(answer(host, &at, &n), 77);
    assert_int_equal(tcp()->fetches[0].port, 0);
    set_outside(WAN_IP);
}

/* Outside, somebody gives the router the address that it has inside, and then another: inside, all
 * stays as it is. */
static void test_an_address_from_inside_outside(void **state)
{
    size_t at = 0, n;

    (void)state;
    set_outside(LAN_IP);
    set_outside(WAN_IP);
    struct tcp_end *e = opened(0, 4000);
    ask(e, 1, "gate.lan");
    assert_int_equal(answer(e, &at, &n), 1);
}

/* ---- no room, and noise ---- */

/* Without buffers to keep answers in, connections end; afterwards all is well. */
static void test_without_buffers(void **state)
{
    static struct pkt *held[POOL_COUNT];
    struct tcp_end *e = opened(0, 4000);
    unsigned n = 0;
    size_t at = 0, bytes;

    (void)state;
    while (lab.pool.free_count >= lab.pool.count / 4)
        held[n++] = pkt_alloc(&lab.pool);
    ask(e, 1, "gate.lan");
    assert_true(e->flags & RST);
    while (n > 0)
        pkt_free(held[--n]);
    e = opened(0, 4001);
    ask(e, 2, "gate.lan");
    assert_int_equal(answer(e, &at, &bytes), 2);
}

/* Segments of all kinds, at random, by few ends on both sides; whatever comes of it, limits hold.
 */
static void test_noise(void **state)
{
    static const uint8_t kinds[] = {SYN, ACK,       ACK,       ACK,       ACK | PSH, FIN | ACK,
                                    RST, RST | ACK, SYN | ACK, SYN | FIN, 0,         0xFF};
    uint8_t b[1400];
    struct tcp_end *e[12];

    (void)state;
    for (unsigned i = 0; i < 12; i++)
        e[i] = lan_end(i % 5, (uint16_t)(4000 + i));
    for (unsigned round = 0; round < 20000; round++) {
        struct tcp_end *one = e[rnd(12)];
        size_t n = 0;
        one->n = 0;
        if (rnd(3) == 0)
            n = make_question(b, (uint16_t)round, rnd(2) ? "gate.lan" : "a.outside.example");
        if (rnd(20) == 0)
            b[rnd(40)] ^= (uint8_t)(1u << rnd(8));
        if (n > 0 && rnd(4) == 0)
            n = rnd((uint32_t)n);
        if (rnd(30) == 0)
            one->ack += rnd(2) ? rnd(0x40000000) : 1 - rnd(3);
        if (rnd(30) == 0)
            one->seq += rnd(2) ? rnd(0x40000000) : 1 - rnd(3);
        one->window = rnd(10) ? 65535 : (uint16_t)rnd(65536);
        if (rnd(8) == 0) {
            one->own = (uint16_t)(4000 + rnd(2000));
            lab_tcp_open(one);
        }
        lab_tcp_send(one, rnd(3) ? ACK : kinds[rnd(ARRAY_COUNT(kinds))], b, n);
        if (rnd(10) == 0)
            lab_pass_time(rnd(3000000));
        assert_true(open_count() <= DNS_TCP_MAX && half_open() <= DNS_TCP_HALF_OPEN_MAX);
    }
    assert_true(tcp()->counters.questions > 1000);
}

/* ---- start and end ---- */

static int start(void **state)
{
    (void)state;
    return lab_start_as(PORTS, "uplink=0,ip=198.51.100.7/24,gw=198.51.100.1,dns=198.51.100.53 "
                               "net=lan,nat,ip=192.168.8.1/24,ports=1 "
                               "net=cell,hostonly,ip=192.168.9.1/24,ports=2,dns=192.168.9.9 "
                               "net=twin,nat,ip=192.168.8.1/24,ports=3 hostname=gate");
}

static uint32_t buffers;

static int fresh(void **state)
{
    lab_tcp_reset();
    memset(&tcp()->counters, 0, sizeof(tcp()->counters));
    lab_drained(state);
    buffers = lab.pool.free_count;
    return 0;
}

static int over(void **state)
{
    (void)state;
    lab_pass_time(150000000); /* lwIP's longest retransmissions */
    lab_tcp_take();
    for (unsigned i = 0; i < DNS_TCP_FETCHES_MAX; i++)
        if (tcp()->fetches[i].port)
            return -1;
    bool nothing = open_count() == 0 && !tcp_active_pcbs && !tcp_tw_pcbs;
    return nothing && lab.pool.free_count == buffers ? 0 : -1;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, over)
    const struct CMUnitTest tests[] = {
        T(test_where_it_listens),
        T(test_questions_in_pieces),
        T(test_pipeline),
        T(test_what_is_no_question),
        T(test_share_of_a_host),
        T(test_all_places_taken),
        T(test_half_open),
        T(test_idle),
        T(test_fetch),
        T(test_fetch_fails),
        T(test_fetch_ends_with_the_address),
        T(test_an_address_from_inside_outside),
        T(test_without_buffers),
        T(test_noise),
    };
    return cmocka_run_group_tests_name("host_dns_tcp", tests, start, lab_stop);
}
