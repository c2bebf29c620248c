/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzzes requests for ports. The input is a sequence of steps; each is a byte that chooses, a
 * length byte, and that many bytes (times five, for messages over 1,100):
 *
 *   bits 0..1   0, 1: a request with these bytes; 2: the same with version, length and client
 * address of PCP made right, opcode by bits 4..5, and from a short list of ports; 3: time passes,
 * or (bit 4) the outside address changes. bits 2..3   which host
 *
 * Judged: an answer is of the protocol and the opcode that was asked, not longer than PCP allows,
 * and names a port only where the translator gave it; nobody gets another's port; what is held is
 * what there are entries for; a lifetime is within its bounds; and all ends.
 */
#include "tests/fuzz/fuzz.h"

#include "net/pcp.h"
#include "net/wire/ip4.h"
#include "tests/fake/fake_alloc.h"

#define OUTSIDE  BE_IP4(203, 0, 113, 2)
#define HELD_MAX 512

static struct config config;
static struct pcp pcp;
static struct {
    struct pcp_inside who;
    be16 outside;
    unsigned count;
} held[HELD_MAX];
static unsigned held_slots, holds;
static be32 asking; /* the host whose request is being dealt with */

static bool same(const struct pcp_inside *a, const struct pcp_inside *b)
{
    return a->ip == b->ip && a->port == b->port && a->proto == b->proto && a->network == b->network;
}

static be16 hold(void *ctx, const struct pcp_inside *who, be16 wanted, bool exact)
{
    unsigned slot = held_slots;

    (void)ctx;
    REQUIRE(who->ip == asking && who->port && wanted && who->network == 0);
    REQUIRE(who->proto == IP_PROTO_TCP || who->proto == IP_PROTO_UDP);
    REQUIRE(ntoh16(wanted) >= 1024 || ntoh16(who->port) < 1024);
    for (unsigned i = 0; i < held_slots; i++) {
        if (held[i].count && same(&held[i].who, who)) {
            if (exact && held[i].outside != wanted)
                return 0;
            held[i].count++;
            holds++;
            return held[i].outside;
        }
        if (held[i].count && held[i].who.proto == who->proto && held[i].outside == wanted)
            return 0;
        if (!held[i].count)
            slot = i;
    }
    if (slot == HELD_MAX)
        return 0;
    held_slots = MAX(held_slots, slot + 1);
    held[slot].who = *who;
    held[slot].outside = wanted;
    held[slot].count = 1;
    holds++;
    return wanted;
}

static void let_go(void *ctx, const struct pcp_inside *who)
{
    (void)ctx;
    for (unsigned i = 0; i < held_slots; i++)
        if (held[i].count && same(&held[i].who, who)) {
            held[i].count--;
            holds--;
            return;
        }
    abort();
}

static void announce(void *ctx, unsigned network, const uint8_t *bytes, size_t n)
{
    (void)ctx;
    REQUIRE(network == 0 && pcp.outside);
    REQUIRE(n == (bytes[0] ? PCP_HDR_BYTES : NATPMP_ANSWER_ADDRESS_BYTES));
}

static bool is_held(be16 outside)
{
    for (unsigned i = 0; i < held_slots; i++)
        if (held[i].count && held[i].outside == outside && held[i].who.ip == asking)
            return true;
    return false;
}

static void judge_pcp(const uint8_t *a, size_t got)
{
    uint32_t s = load_be32(a + PCP_LIFETIME_OFF);

    REQUIRE(a[0] == PCP_VERSION && got >= PCP_HDR_BYTES && got % 4 == 0);
    REQUIRE(a[PCP_RESULT_OFF] < PCP_RESULT_COUNT && s <= PCP_LIFETIME_MAX_S);
    if (a[PCP_RESULT_OFF] == PCP_SUCCESS && (a[1] & 0x7F) != PCP_ANNOUNCE && s)
        REQUIRE(s >= PCP_LIFETIME_MIN_S && is_held(load_raw16(a + PCP_OUTSIDE_PORT_OFF)));
}

static void judge_natpmp(const uint8_t *a, size_t got)
{
    REQUIRE(a[0] == 0 && got >= NATPMP_ERROR_BYTES && got <= NATPMP_ANSWER_MAP_BYTES);
    if (got == NATPMP_ANSWER_MAP_BYTES && load_be32(a + NATPMP_ANSWER_LIFETIME_OFF))
        REQUIRE(load_be32(a + NATPMP_ANSWER_LIFETIME_OFF) >= PCP_LIFETIME_MIN_S &&
                is_held(load_raw16(a + NATPMP_ANSWER_OUTSIDE_OFF)));
}

static void request(const uint8_t *bytes, size_t n, uint64_t now_us)
{
    uint8_t *exact = malloc(n + !n), *a = malloc(PCP_MAX_BYTES);

    memcpy(exact, bytes, n);
    size_t got = pcp_request(&pcp, 0, asking, exact, n, now_us, a);
    REQUIRE(got <= PCP_MAX_BYTES);
    if (got) {
        REQUIRE(n >= 2 && !(exact[1] & 0x80) && a[1] == (exact[1] | 0x80));
        if (exact[0])
            judge_pcp(a, got);
        else
            judge_natpmp(a, got);
    }
    free(exact);
    free(a);
}

/* What is right in every request that is granted. */
static size_t made_right(uint8_t *b, size_t n, unsigned what)
{
    n = MAX(MIN(n, PCP_MAX_BYTES) & ~(size_t)3, PCP_PEER_BYTES);
    b[PCP_VERSION_OFF] = PCP_VERSION;
    b[PCP_OPCODE_OFF] = what >> 4 & 3;
    pcp_store_ip(b + PCP_CLIENT_IP_OFF, asking);
    b[PCP_PROTOCOL_OFF] = b[PCP_PROTOCOL_OFF] & 1 ? IP_PROTO_TCP : IP_PROTO_UDP;
    b[PCP_INSIDE_PORT_OFF] &= 0x84;
    b[PCP_INSIDE_PORT_OFF + 1] &= 0x03;
    memset(b + PCP_NONCE_OFF + 1, 0, PCP_NONCE_BYTES - 1);
    b[PCP_NONCE_OFF] &= 1;
    if (b[PCP_PEER_IP_OFF] & 1)
        pcp_store_ip(b + PCP_PEER_IP_OFF, BE_IP4(198, 51, 100, 10));
    return n;
}

static uint64_t step(unsigned what, const uint8_t *data, size_t n, uint64_t now_us)
{
    static uint8_t b[5 * 256 + PCP_PEER_BYTES];

    asking = BE_IP4(192, 168, 8, 10 + (what >> 2 & 3));
    memset(b, 0, sizeof(b));
    memcpy(b, data, n);
    if ((what & 3) < 2) {
        request(data, n, now_us);
    } else if ((what & 3) == 2) {
        request(b, made_right(b, n, what), now_us);
    } else if (what & 16) {
        pcp_set_outside(&pcp, n % 4 ? OUTSIDE + (uint32_t)(n % 4) : 0, now_us);
    } else {
        now_us += 1000000ull * (n < 2 ? n : load_be16(b));
        pcp_poll(&pcp, now_us);
    }
    return now_us;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pcp_ops ops = {hold, let_go, announce};
    static const uint8_t secret[32] = {1};
    uint64_t now_us = 1000000;

    config.net_count = 1;
    config.nets[0].pcp = true;
    memset(held, 0, sizeof(held));
    held_slots = holds = 0;
    fake_alloc_free_all();
    REQUIRE(pcp_init(&pcp, &config, &ops, NULL, secret, now_us, fake_alloc) == 0);
    pcp_set_outside(&pcp, OUTSIDE, now_us);
    while (size >= 2) {
        size_t n = MIN(data[1] * 5u, size - 2);
        now_us = step(data[0], data + 2, n, now_us);
        REQUIRE(holds == pcp.count && pcp.count <= 4 * PCP_HOST_MAX);
        REQUIRE(pcp.count == 0 || pcp_next_us(&pcp) <= now_us + PCP_LIFETIME_MAX_S * 1000000ull);
        data += n + 2;
        size -= n + 2;
    }
    now_us += (PCP_LIFETIME_MAX_S + 1) * 1000000ull;
    pcp_poll(&pcp, now_us);
    REQUIRE(holds == 0 && pcp.count == 0);
    fake_alloc_free_all();
    return 0;
}
