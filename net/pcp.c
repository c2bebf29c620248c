/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Requests for ports, in NAT-PMP and PCP, and their answers; see pcp.h. What is granted is decided
 * in pcp_table.c.
 *
 * Which of the protocols it is, the first byte says: 0 is NAT-PMP; 2 is PCP; of any other the
 * sender is told so in PCP (RFC 6887, sections 8.3 and 9 and appendix A). A message with the
 * response bit is no request, and answers are never answered.
 */
#include "net/pcp.h"
#include "net/wire/ip4.h"

/* How long a client is told to expect the same error (RFC 6887, section 7.4). */
#define ERROR_SHORT_S 30
#define ERROR_LONG_S  1800

static const uint8_t no_nonce[PCP_NONCE_BYTES];

int pcp_init(struct pcp *p, const struct config *config, const struct pcp_ops *ops, void *ctx,
             const uint8_t *random, uint64_t now_us, alloc_fn alloc)
{
    memset(p, 0, sizeof(*p));
    p->config = config;
    p->ops = ops;
    p->ctx = ctx;
    hash_key_init(&p->key, random);
    p->epoch_us = now_us;
    p->end_us = UINT64_MAX;
    for (unsigned i = 0; i < PCP_LIMIT_SLOTS; i++)
        p->buckets[i].tokens_milli = PCP_REQUESTS_BURST * 1000;
    p->entries = alloc(PCP_ENTRIES_MAX * sizeof(struct pcp_entry), CACHE_LINE_BYTES);
    return p->entries ? 0 : -ENOMEM;
}

/* Hosts whose addresses share a slot share its tokens. */
static bool request_allowed(struct pcp *p, unsigned network, be32 from, uint64_t now_us)
{
    struct pcp_bucket *b = &p->buckets[hash_words(&p->key, from, network) % PCP_LIMIT_SLOTS];
    uint64_t now_ms = now_us / 1000, since_ms = now_ms - b->at_ms;
    uint64_t tokens = b->tokens_milli + MIN(since_ms, 1000000) * PCP_REQUESTS_PER_S;

    b->at_ms = now_ms;
    b->tokens_milli = (uint32_t)MIN(tokens, PCP_REQUESTS_BURST * 1000);
    if (b->tokens_milli < 1000)
        return false;
    b->tokens_milli -= 1000;
    return true;
}

/* ---- NAT-PMP ---- */

static enum natpmp_result natpmp_result_of(enum pcp_result result)
{
    switch (result) {
    case PCP_SUCCESS:
        return NATPMP_SUCCESS;
    case PCP_NETWORK_FAILURE:
        return NATPMP_NETWORK_FAILURE;
    case PCP_NO_RESOURCES:
    case PCP_USER_EX_QUOTA:
        return NATPMP_NO_RESOURCES;
    default:
        return NATPMP_REFUSED;
    }
}

static void natpmp_begin(struct pcp *p, uint8_t opcode, enum natpmp_result result, uint64_t now_us,
                         uint8_t *answer)
{
    memset(answer, 0, NATPMP_ANSWER_MAP_BYTES);
    answer[PCP_VERSION_OFF] = NATPMP_VERSION;
    answer[PCP_OPCODE_OFF] = opcode | PCP_RESPONSE;
    store_be16(answer + NATPMP_RESULT_OFF, (uint16_t)result);
    store_be32(answer + NATPMP_EPOCH_OFF, pcp_epoch_s(p, now_us));
}

static size_t natpmp_address(struct pcp *p, uint64_t now_us, uint8_t *answer)
{
    enum pcp_result result = p->outside ? PCP_SUCCESS : PCP_NETWORK_FAILURE;

    p->counters.errors[result] += result != PCP_SUCCESS;
    natpmp_begin(p, NATPMP_ADDRESS, natpmp_result_of(result), now_us, answer);
    store_raw32(answer + NATPMP_ANSWER_ADDRESS_OFF, p->outside);
    return NATPMP_ANSWER_ADDRESS_BYTES;
}

static size_t natpmp_map(struct pcp *p, unsigned network, be32 from, const uint8_t *b,
                         uint64_t now_us, uint8_t *answer)
{
    uint8_t opcode = b[PCP_OPCODE_OFF];
    const struct pcp_entry *e = NULL;
    struct pcp_wish w = {
        .who = {.ip = from,
                .port = load_raw16(b + NATPMP_INSIDE_PORT_OFF),
                .proto = opcode == NATPMP_MAP_TCP ? IP_PROTO_TCP : IP_PROTO_UDP,
                .network = (uint8_t)network},
        .nonce = no_nonce,
        .wanted = load_raw16(b + NATPMP_OUTSIDE_OFF),
        .lifetime_s = load_be32(b + NATPMP_LIFETIME_OFF),
    };
    enum pcp_result result = w.lifetime_s == 0 ? pcp_delete(p, &w, now_us, &e)
                             : w.who.port == 0 ? PCP_NOT_AUTHORIZED
                                               : pcp_grant(p, &w, now_us, &e);

    p->counters.errors[result] += result != PCP_SUCCESS;
    natpmp_begin(p, opcode, natpmp_result_of(result), now_us, answer);
    store_raw16(answer + NATPMP_ANSWER_INSIDE_OFF, w.who.port);
    if (result == PCP_SUCCESS && e) {
        store_raw16(answer + NATPMP_ANSWER_OUTSIDE_OFF, e->outside);
        store_be32(answer + NATPMP_ANSWER_LIFETIME_OFF, pcp_seconds_left(e, now_us));
    }
    return NATPMP_ANSWER_MAP_BYTES;
}

static size_t natpmp_request(struct pcp *p, unsigned network, be32 from, const uint8_t *b, size_t n,
                             uint64_t now_us, uint8_t *answer)
{
    uint8_t opcode = b[PCP_OPCODE_OFF];

    if (opcode == NATPMP_ADDRESS)
        return natpmp_address(p, now_us, answer);
    if (opcode > NATPMP_MAP_TCP) {
        p->counters.errors[PCP_UNSUPP_OPCODE]++;
        natpmp_begin(p, opcode, NATPMP_UNSUPP_OPCODE, now_us, answer);
        return NATPMP_ERROR_BYTES;
    }
    if (n < NATPMP_MAP_BYTES) { /* there is no word for that */
        p->counters.ignored++;
        return 0;
    }
    return natpmp_map(p, network, from, b, now_us, answer);
}

/* ---- PCP ---- */

/* One request under way. */
struct exchange {
    const uint8_t *b;
    size_t n;
    unsigned network;
    be32 from;
    uint64_t now_us;
    bool prefer_failure;
    size_t keep; /* of the request in the answer, if it is granted */
    const struct pcp_entry *entry;
};

static uint32_t error_lifetime_s(enum pcp_result result)
{
    switch (result) {
    case PCP_NETWORK_FAILURE:
    case PCP_NO_RESOURCES:
    case PCP_USER_EX_QUOTA:
    case PCP_CANNOT_PROVIDE_EXTERNAL:
        return ERROR_SHORT_S;
    default:
        return ERROR_LONG_S;
    }
}

/* Options of MAP and PEER, which stand behind the rest. */
static enum pcp_result read_options(struct exchange *x, uint8_t opcode, size_t at)
{
    while (at < x->n) {
        const uint8_t *option = x->b + at;
        size_t bytes = load_be16(option + PCP_OPTION_LEN_OFF);
        size_t whole = PCP_OPTION_HDR_BYTES + ((bytes + 3) & ~(size_t)3);
        if (whole > x->n - at)
            return PCP_MALFORMED_OPTION;
        if (option[0] == PCP_PREFER_FAILURE) {
            if (bytes != 0 || opcode != PCP_MAP || x->prefer_failure)
                return PCP_MALFORMED_OPTION;
            x->prefer_failure = true;
        } else if (!(option[0] & PCP_OPTION_OPTIONAL)) {
            return PCP_UNSUPP_OPTION; /* THIRD_PARTY and FILTER among them */
        }
        at += whole;
    }
    return PCP_SUCCESS;
}

/* The port, and whether it must be this one. PREFER_FAILURE needs something to insist on. */
static enum pcp_result read_suggestion(const struct pcp *p, const struct exchange *x,
                                       struct pcp_wish *w)
{
    static const uint8_t none[PCP_IP_BYTES];
    const uint8_t *at = x->b + PCP_OUTSIDE_IP_OFF;
    be32 ip;
    bool is_ip4 = pcp_load_ip(at, &ip),
         any = memcmp(at, none, sizeof(none)) == 0 || (is_ip4 && ip == 0);

    w->wanted = load_raw16(x->b + PCP_OUTSIDE_PORT_OFF);
    w->exact = w->peer_ip || x->prefer_failure;
    if (x->prefer_failure && any && w->wanted == 0)
        return PCP_MALFORMED_OPTION;
    return !w->exact || any || !p->outside || (is_ip4 && ip == p->outside)
               ? PCP_SUCCESS
               : PCP_CANNOT_PROVIDE_EXTERNAL;
}

static enum pcp_result check_map(const struct pcp_wish *w)
{
    bool all = w->who.port == 0 || w->who.proto == 0;

    if (w->who.proto == 0 && w->who.port != 0)
        return PCP_MALFORMED_REQUEST;
    if (w->who.proto != 0 && w->who.proto != IP_PROTO_TCP && w->who.proto != IP_PROTO_UDP)
        return PCP_UNSUPP_PROTOCOL;
    return all && w->lifetime_s != 0 ? PCP_UNSUPP_PROTOCOL : PCP_SUCCESS;
}

static enum pcp_result check_peer(const struct exchange *x, struct pcp_wish *w)
{
    w->peer_port = load_raw16(x->b + PCP_PEER_PORT_OFF);
    if (!pcp_load_ip(x->b + PCP_PEER_IP_OFF, &w->peer_ip) || w->peer_ip == 0 || w->peer_port == 0 ||
        w->who.port == 0 || w->who.proto == 0)
        return PCP_MALFORMED_REQUEST;
    return w->who.proto == IP_PROTO_TCP || w->who.proto == IP_PROTO_UDP ? PCP_SUCCESS
                                                                        : PCP_UNSUPP_PROTOCOL;
}

static enum pcp_result map_or_peer(struct pcp *p, struct exchange *x, uint8_t opcode)
{
    size_t fixed = opcode == PCP_MAP ? PCP_MAP_BYTES : PCP_PEER_BYTES;
    struct pcp_wish w = {0};
    enum pcp_result result;

    if (x->n < fixed)
        return PCP_MALFORMED_REQUEST;
    result = read_options(x, opcode, fixed);
    if (result != PCP_SUCCESS)
        return result;
    w.who = (struct pcp_inside){.ip = x->from,
                                .port = load_raw16(x->b + PCP_INSIDE_PORT_OFF),
                                .proto = x->b[PCP_PROTOCOL_OFF],
                                .network = (uint8_t)x->network};
    w.nonce = x->b + PCP_NONCE_OFF;
    w.lifetime_s = load_be32(x->b + PCP_LIFETIME_OFF);
    result = opcode == PCP_MAP ? check_map(&w) : check_peer(x, &w);
    if (result != PCP_SUCCESS)
        return result;
    x->keep = fixed;
    if (w.lifetime_s == 0)
        return pcp_delete(p, &w, x->now_us, &x->entry);
    result = read_suggestion(p, x, &w);
    return result != PCP_SUCCESS ? result : pcp_grant(p, &w, x->now_us, &x->entry);
}

static enum pcp_result decide(struct pcp *p, struct exchange *x)
{
    uint8_t opcode = x->b[PCP_OPCODE_OFF];
    be32 ip;

    if (x->b[PCP_VERSION_OFF] != PCP_VERSION)
        return PCP_UNSUPP_VERSION;
    if (x->n < PCP_HDR_BYTES || x->n > PCP_MAX_BYTES || x->n % 4 != 0)
        return PCP_MALFORMED_REQUEST;
    if (!pcp_load_ip(x->b + PCP_CLIENT_IP_OFF, &ip) || ip != x->from)
        return PCP_ADDRESS_MISMATCH; /* there is another translator on the way */
    if (opcode == PCP_ANNOUNCE) {
        x->keep = PCP_HDR_BYTES;
        return read_options(x, opcode, PCP_HDR_BYTES);
    }
    return opcode == PCP_MAP || opcode == PCP_PEER ? map_or_peer(p, x, opcode) : PCP_UNSUPP_OPCODE;
}

/* The request, as far as it goes, is where an answer begins. An error gives all of it back. */
static size_t echo(const struct exchange *x, enum pcp_result result, uint8_t *answer)
{
    size_t n = result == PCP_SUCCESS          ? x->keep
               : result == PCP_UNSUPP_VERSION ? PCP_HDR_BYTES /* who knows what the rest is */
                                              : MIN(MAX(x->n, PCP_HDR_BYTES), PCP_MAX_BYTES);
    size_t copied = MIN(x->n, n);

    n = (n + 3) & ~(size_t)3;
    memcpy(answer, x->b, copied);
    memset(answer + copied, 0, n - copied);
    memset(answer + PCP_OPCODE_OFF + 1, 0, PCP_HDR_BYTES - PCP_OPCODE_OFF - 1);
    return n;
}

static size_t pcp_answer(struct pcp *p, const struct exchange *x, enum pcp_result result,
                         uint8_t *answer)
{
    uint32_t lifetime_s = result != PCP_SUCCESS ? error_lifetime_s(result) : 0;
    size_t n = echo(x, result, answer);

    if (x->entry && (result == PCP_SUCCESS || result == PCP_NOT_AUTHORIZED))
        lifetime_s = pcp_seconds_left(x->entry, x->now_us);
    answer[PCP_VERSION_OFF] = PCP_VERSION;
    answer[PCP_OPCODE_OFF] |= PCP_RESPONSE;
    answer[PCP_RESULT_OFF] = (uint8_t)result;
    store_be32(answer + PCP_LIFETIME_OFF, lifetime_s);
    store_be32(answer + PCP_EPOCH_OFF, pcp_epoch_s(p, x->now_us));
    if (result != PCP_SUCCESS || !x->entry)
        return n;
    store_raw16(answer + PCP_OUTSIDE_PORT_OFF, x->entry->outside);
    pcp_store_ip(answer + PCP_OUTSIDE_IP_OFF, p->outside);
    if (x->prefer_failure) { /* an option that was heeded is in the answer too */
        memset(answer + n, 0, PCP_OPTION_HDR_BYTES);
        answer[n] = PCP_PREFER_FAILURE;
        n += PCP_OPTION_HDR_BYTES;
    }
    return n;
}

/* ---- both ---- */

size_t pcp_request(struct pcp *p, unsigned network, be32 from, const uint8_t *bytes, size_t n,
                   uint64_t now_us, uint8_t answer[static PCP_MAX_BYTES])
{
    if (n < 2 || bytes[PCP_OPCODE_OFF] & PCP_RESPONSE) {
        p->counters.ignored++;
        return 0;
    }
    if (!request_allowed(p, network, from, now_us)) {
        p->counters.limited++;
        return 0;
    }
    p->counters.requests++;
    pcp_poll(p, now_us); /* what has ended is in nobody's way */
    if (bytes[PCP_VERSION_OFF] == NATPMP_VERSION)
        return natpmp_request(p, network, from, bytes, n, now_us, answer);
    struct exchange x = {.b = bytes, .n = n, .network = network, .from = from, .now_us = now_us};
    enum pcp_result result = decide(p, &x);
    p->counters.errors[result] += result != PCP_SUCCESS;
    return pcp_answer(p, &x, result, answer);
}
