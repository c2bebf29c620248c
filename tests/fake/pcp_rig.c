/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See pcp_rig.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "net/wire/ip4.h"
#include "tests/fake/fake_alloc.h"
#include "tests/fake/pcp_rig.h"

#include <stdio.h>
#include <stdlib.h>

#define HELD_MAX 2048

struct config pcprig_config;
struct pcp pcprig_pcp;
uint64_t pcprig_now_us;
uint8_t pcprig_request[PCP_MAX_BYTES + 100], pcprig_answer[PCP_MAX_BYTES];
size_t pcprig_answer_bytes;

/* The translator: who has which port, and how often. */
static struct held {
    struct pcp_inside who;
    uint16_t outside;
    unsigned count;
} held[HELD_MAX];
static unsigned held_count; /* slots used */
bool pcprig_no_room;

struct announced pcprig_announced;

static struct held *find_held(const struct pcp_inside *who)
{
    for (unsigned i = 0; i < held_count; i++)
        if (held[i].count && memcmp(&held[i].who, who, sizeof(*who)) == 0)
            return &held[i];
    return NULL;
}

static bool is_taken(uint8_t proto, uint16_t port)
{
    for (unsigned i = 0; i < held_count; i++)
        if (held[i].count && held[i].who.proto == proto && held[i].outside == port)
            return true;
    return port == FORWARD;
}

static be16 fake_hold(void *ctx, const struct pcp_inside *who, be16 wanted, bool exact)
{
    struct held *h = find_held(who);
    uint16_t port = ntoh16(wanted);

    assert_ptr_equal(ctx, &pcprig_now_us);
    assert_int_not_equal(wanted, 0);
    assert_int_not_equal(who->port, 0);
    if (h) {
        if (exact && h->outside != port)
            return 0;
        h->count++;
        return hton16(h->outside);
    }
    if (pcprig_no_room || (exact && is_taken(who->proto, port)))
        return 0;
    for (; is_taken(who->proto, port); port++)
        ;
    for (h = held; h->count; h++)
        ;
    held_count = MAX(held_count, (unsigned)(h - held) + 1);
    *h = (struct held){*who, port, 1};
    return hton16(port);
}

static void fake_let_go(void *ctx, const struct pcp_inside *who)
{
    struct held *h = find_held(who);

    assert_ptr_equal(ctx, &pcprig_now_us);
    assert_non_null(h);
    h->count--;
}

static void fake_announce(void *ctx, unsigned network, const uint8_t *bytes, size_t n)
{
    unsigned i = pcprig_announced.count[network]++;

    (void)ctx;
    if (network != LAN)
        return;
    memcpy(pcprig_announced.bytes[i & 1], bytes, n);
    pcprig_announced.n[i & 1] = n;
}

static const struct pcp_ops ops = {fake_hold, fake_let_go, fake_announce};

unsigned pcprig_holds(void)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < held_count; i++)
        sum += held[i].count;
    return sum;
}

int pcprig_start(void **state)
{
    uint8_t random[32];

    (void)state;
    for (unsigned i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 37 + 11);
    memset(&pcprig_config, 0, sizeof(pcprig_config));
    pcprig_config.net_count = 3;
    for (unsigned i = 0; i < 3; i++) {
        snprintf(pcprig_config.nets[i].name, CONFIG_NAME_BYTES, "%s",
                 i == 0   ? "lan"
                 : i == 1 ? "dark"
                          : "guest");
        pcprig_config.nets[i].pcp = i != DARK;
    }
    memset(held, 0, sizeof(held));
    memset(&pcprig_announced, 0, sizeof(pcprig_announced));
    held_count = 0;
    pcprig_no_room = false;
    pcprig_now_us = 5 * SECOND;
    assert_int_equal(pcp_init(&pcprig_pcp, &pcprig_config, &ops, &pcprig_now_us, random,
                              pcprig_now_us, fake_alloc),
                     0);
    pcp_set_outside(&pcprig_pcp, OUTSIDE, pcprig_now_us);
    return 0;
}

int pcprig_stop(void **state)
{
    (void)state;
    assert_int_equal(pcprig_holds(), pcprig_pcp.count);
    fake_alloc_free_all();
    return 0;
}

/* In a buffer of its own length, so that a read behind it is seen. Each at its own second, so that
 * no limit is reached. */
size_t pcprig_send_as(unsigned network, be32 from, size_t n)
{
    uint8_t *bytes = malloc(n ? n : 1);

    memcpy(bytes, pcprig_request, n);
    memset(pcprig_answer, 0xEE, sizeof(pcprig_answer));
    pcprig_answer_bytes =
        pcp_request(&pcprig_pcp, network, from, bytes, n, pcprig_now_us, pcprig_answer);
    free(bytes);
    return pcprig_answer_bytes;
}

size_t pcprig_ask(be32 from, size_t n)
{
    pcprig_now_us += SECOND / 4;
    return pcprig_send_as(LAN, from, n);
}

unsigned pcprig_natpmp(be32 from, uint8_t opcode, uint16_t inside, uint16_t outside, uint32_t s)
{
    memset(pcprig_request, 0, NATPMP_MAP_BYTES);
    pcprig_request[1] = opcode;
    store_be16(pcprig_request + NATPMP_INSIDE_PORT_OFF, inside);
    store_be16(pcprig_request + NATPMP_OUTSIDE_OFF, outside);
    store_be32(pcprig_request + NATPMP_LIFETIME_OFF, s);
    if (!pcprig_ask(from, opcode ? NATPMP_MAP_BYTES : NATPMP_ADDRESS_BYTES))
        return NOTHING;
    assert_int_equal(pcprig_answer[0], 0);
    assert_int_equal(pcprig_answer[1], opcode | 0x80);
    assert_int_equal(load_be32(pcprig_answer + NATPMP_EPOCH_OFF),
                     (pcprig_now_us - 5 * SECOND) / SECOND);
    if (opcode == 1 || opcode == 2) {
        assert_int_equal(pcprig_answer_bytes, NATPMP_ANSWER_MAP_BYTES);
        assert_int_equal(load_be16(pcprig_answer + NATPMP_ANSWER_INSIDE_OFF), inside);
    }
    return load_be16(pcprig_answer + NATPMP_RESULT_OFF);
}

size_t pcprig_make(be32 from, uint8_t opcode, uint32_t lifetime_s)
{
    memset(pcprig_request, 0, sizeof(pcprig_request));
    pcprig_request[0] = PCP_VERSION;
    pcprig_request[1] = opcode;
    store_be32(pcprig_request + PCP_LIFETIME_OFF, lifetime_s);
    pcp_store_ip(pcprig_request + PCP_CLIENT_IP_OFF, from);
    return PCP_HDR_BYTES;
}

size_t pcprig_make_map(be32 from, uint8_t nonce, uint8_t proto, uint16_t inside, uint16_t outside,
                       uint32_t lifetime_s)
{
    pcprig_make(from, PCP_MAP, lifetime_s);
    memset(pcprig_request + PCP_NONCE_OFF, nonce, PCP_NONCE_BYTES);
    pcprig_request[PCP_PROTOCOL_OFF] = proto;
    store_be16(pcprig_request + PCP_INSIDE_PORT_OFF, inside);
    store_be16(pcprig_request + PCP_OUTSIDE_PORT_OFF, outside);
    return PCP_MAP_BYTES;
}

size_t pcprig_make_peer(be32 from, uint8_t nonce, uint8_t proto, uint16_t inside, uint16_t outside,
                        be32 peer, uint16_t peer_port, uint32_t lifetime_s)
{
    pcprig_make_map(from, nonce, proto, inside, outside, lifetime_s);
    pcprig_request[1] = PCP_PEER;
    store_be16(pcprig_request + PCP_PEER_PORT_OFF, peer_port);
    pcp_store_ip(pcprig_request + PCP_PEER_IP_OFF, peer);
    return PCP_PEER_BYTES;
}

size_t pcprig_add_option(size_t n, uint8_t code, uint16_t bytes)
{
    pcprig_request[n] = code;
    store_be16(pcprig_request + n + PCP_OPTION_LEN_OFF, bytes);
    return n + 4 + ((bytes + 3u) & ~3u);
}

/* Sends it and looks at what every answer has. */
unsigned pcprig_result_of(be32 from, size_t n)
{
    if (!pcprig_ask(from, n))
        return NOTHING;
    assert_in_range(pcprig_answer_bytes, PCP_HDR_BYTES, PCP_MAX_BYTES);
    assert_int_equal(pcprig_answer_bytes % 4, 0);
    assert_int_equal(pcprig_answer[0], PCP_VERSION);
    assert_int_equal(pcprig_answer[1], pcprig_request[1] | 0x80);
    assert_int_equal(pcprig_answer[2], 0);
    assert_int_equal(load_be32(pcprig_answer + PCP_EPOCH_OFF),
                     (pcprig_now_us - pcprig_pcp.epoch_us) / SECOND);
    for (unsigned i = 12; i < PCP_HDR_BYTES; i++)
        assert_int_equal(pcprig_answer[i], 0);
    return pcprig_answer[PCP_RESULT_OFF];
}

uint32_t pcprig_got_s(void)
{
    return load_be32(pcprig_answer + PCP_LIFETIME_OFF);
}

unsigned pcprig_got_port(void)
{
    return load_be16(pcprig_answer + PCP_OUTSIDE_PORT_OFF);
}

unsigned pcprig_map(be32 from, uint8_t nonce, uint8_t proto, uint16_t inside, uint16_t outside,
                    uint32_t lifetime_s)
{
    return pcprig_result_of(from, pcprig_make_map(from, nonce, proto, inside, outside, lifetime_s));
}
