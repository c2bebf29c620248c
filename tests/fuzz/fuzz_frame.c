/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Fuzzes everything that reads a frame or offload metadata: parser, embedded parser, ICMP errors,
 * MSS clamp, offload check, finish, cut, merge and fragment. The input is 12 bytes of instructions,
 * then the frame:
 *
 *   0      enum mode bits
 *   1      gso_type (low 4 bits), gso_ecn (bit 4)
 *   2, 3   gso_size, big-endian
 *   4, 5   csum_start, csum_offset
 *   6, 7   MTU, big-endian
 *   8      bytes in the head segment (0 = all)
 *   9      bytes in the other segments (in units of 8, + 1)
 *   10     the frame is lengthened by 256 times this
 *   11     buffers left in the pool (0 = plenty)
 *
 * Nothing here only "must not crash": whatever comes out is judged by frame_build's own arithmetic,
 * and the pool must be whole afterwards. Bytes behind each segment are poisoned.
 */
#include "tests/fuzz/fuzz.h"

#include "net/offload.h"
#include "net/wire/icmp_error.h"
#include "net/wire/tcp_mss.h"
#include "tests/fake/frame_build.h"

enum mode {
    MODE_FIX_LENGTH = 1, /* the IP length says what is there (else: as it is) */
    MODE_FIX_CSUM = 2,   /* IP header, ICMP and embedded header checksums are made right */
    MODE_NEEDS_CSUM = 4,
    MODE_META_TRUE = 8, /* csum_start and csum_offset as the headers have them */
    MODE_SHARED = 16,
};

#define CONTROL_BYTES 12
#define POOL_COUNT    400
#define MERGED        4 /* frames of a stream */

static struct pkt_pool pool;
static struct frame f;
static uint32_t seg_bytes;

static uint32_t fixed(uint32_t below)
{
    return MIN(seg_bytes, below - 1);
}

static size_t flatten(const struct pkt *p, uint8_t *to)
{
    size_t n = 0;

    for (const struct pkt *s = p; s; s = s->next) {
        memcpy(to + n, s->data, s->len);
        n += s->len;
    }
    REQUIRE(n == p->total_bytes);
    return n;
}

/* Lets inputs past the checksums that a fuzzer cannot guess. Only plain IPv4 frames are helped. */
static void help(uint8_t mode)
{
    f.l3 = 14;
    f.ip6 = false;
    if (f.n < 14 + 20 || f.b[14] >> 4 != 4)
        return;
    f.l4 = 14 + (f.b[14] & 15u) * 4u;
    if (mode & MODE_FIX_LENGTH) {
        f.b[16] = (uint8_t)((f.n - 14) >> 8);
        f.b[17] = (uint8_t)(f.n - 14);
    }
    if ((mode & MODE_FIX_CSUM) && f.l4 + 28 <= f.n && f.b[23] == 1) {
        struct frame *inner = malloc(sizeof(*inner));
        inner->ip6 = false;
        inner->l3 = 0;
        inner->n = MIN(f.n - f.l4 - 8, (size_t)60);
        memcpy(inner->b, f.b + f.l4 + 8, inner->n);
        frame_fix_ip_csum(inner);
        memcpy(f.b + f.l4 + 8, inner->b, inner->n);
        free(inner);
        frame_fix_l4_csum(&f);
    }
    if (mode & MODE_FIX_CSUM)
        frame_fix_ip_csum(&f);
}

/* The packet of the input, or NULL; in a pool that has leave buffers besides, or all. */
static struct pkt *make(const uint8_t *c, size_t payload)
{
    static uint8_t *memory;

    if (!memory)
        memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)POOL_COUNT * PKT_BUF_BYTES);
    pool.memory = memory;
    pool.count = POOL_COUNT;
    frame_unpoison(&pool);
    pkt_pool_init(&pool, memory, POOL_COUNT);

    memcpy(f.b, c + CONTROL_BYTES, payload);
    f.n = MIN(payload + 256u * c[10], (size_t)PKT_MAX_BYTES);
    memset(f.b + payload, 0x5C, f.n - payload);
    help(c[0]);
    seg_bytes = c[9] * 8u;
    size_t head = c[8] ? c[8] : PKT_DATA_BYTES;
    struct pkt *p = frame_pkt(&pool, f.b, f.n, head, 2048, fixed);
    if (!p)
        return NULL;
    p->gso_type = c[1] & 15;
    p->gso_ecn = c[1] >> 4 & 1;
    p->gso_size = load_be16(c + 2);
    p->flags = c[0] & MODE_NEEDS_CSUM ? PKT_NEEDS_CSUM : 0;
    p->csum_start = (c[0] & MODE_META_TRUE) && f.n >= 34 ? (uint16_t)f.l4 : c[4];
    p->csum_offset = (c[0] & MODE_META_TRUE) && f.n >= 34 ? (f.b[23] == 6 ? 16 : 6) : c[5];
    return p;
}

static void try_icmp_error(const struct pkt *p, const struct view *v)
{
    static uint8_t b[FRAME_MAX_BYTES];
    struct pkt *e = icmp_error_allowed(v, p)
                        ? icmp_error_build(&pool, p, v, BE_IP4(10, 0, 0, 1), 3, 4, 1400)
                        : NULL;
    struct view w;

    if (!e)
        return;
    size_t n = flatten(e, b);
    REQUIRE(frame_sums_right(b, n, 14, false));
    REQUIRE(n <= 14 + 576);
    REQUIRE(view_parse_ip4(&w, e) == DROP_NONE && view_is_icmp_error(&w));
    REQUIRE(!icmp_error_allowed(&w, e));
    pkt_free(e);
}

/* A sum that was right before must be right afterwards, and one that was not must not become it. */
static void try_mss(struct pkt *p, const struct view *v)
{
    static uint8_t b[FRAME_MAX_BYTES];

    if (v->proto != IP_PROTO_TCP || v->fragment != FRAGMENT_NONE || p->flags)
        return;
    flatten(p, b);
    size_t n = 14u + v->ip_bytes;
    bool right = frame_sums_right(b, n, 14, false);
    if (!tcp_mss_clamp(p, v, 536))
        return;
    flatten(p, b);
    REQUIRE(frame_sums_right(b, n, 14, false) == right);
    REQUIRE(!tcp_mss_clamp(p, v, 536));
}

static void try_parse(struct pkt *p)
{
    struct view v, w;
    struct inner_view in;

    enum drop_reason why = view_parse_ip4(&v, p);
    REQUIRE(why == view_parse_any_ip4(&w, p));
    if (why != DROP_NONE)
        return;
    REQUIRE(memcmp(&v, &w, offsetof(struct view, has_options)) == 0);
    REQUIRE(v.l4_off <= p->len && v.l3_off + (uint32_t)v.ip_bytes <= p->total_bytes);
    if (view_is_icmp_error(&v) && view_parse_icmp_inner(&in, &v, p) == DROP_NONE)
        REQUIRE(in.l4_off + 8u <= p->len &&
                in.l3_off + in.bytes <= v.l3_off + (uint32_t)v.ip_bytes);
    try_icmp_error(p, &v);
    try_mss(p, &v);
}

/* Takes p. */
static void try_offload(struct pkt *p, bool shared)
{
    static uint8_t b[FRAME_MAX_BYTES], was[FRAME_MAX_BYTES];
    struct pkt *out[OFFLOAD_MAX_SEGMENTS];
    unsigned missing;

    if (!offload_check(p)) {
        pkt_free(p);
        return;
    }
    frame_unpoison(&pool);
    if (p->gso_size == 0) {
        REQUIRE(p->gso_type == PKT_GSO_NONE);
        bool partial = p->flags & PKT_NEEDS_CSUM;
        offload_finish_csum(p);
        REQUIRE(!(p->flags & PKT_NEEDS_CSUM) && (!partial || p->hdr_len <= p->total_bytes));
        pkt_free(p);
        return;
    }
    size_t n = flatten(p, was), hdr_len = p->hdr_len, done = 0;
    size_t l3 = p->csum_start - (p->gso_type == PKT_GSO_TCP6 ? 40u : 0u);
    bool ip6 = p->gso_type == PKT_GSO_TCP6;
    uint16_t gso_size = p->gso_size;
    for (size_t at = 12; !ip6; at += 4) { /* behind the tags, which offload_check has counted */
        l3 = at + 2;
        if (was[at] == 8 && was[at + 1] == 0)
            break;
    }
    if (shared)
        pkt_ref(p);
    unsigned count = offload_cut(p, out, &missing);
    REQUIRE(count + missing == (n - hdr_len + gso_size - 1) / gso_size);
    for (unsigned i = 0; i < count; i++) {
        size_t bytes = flatten(out[i], b);
        REQUIRE(frame_sums_right(b, bytes, l3, ip6));
        REQUIRE(bytes - hdr_len <= gso_size);
        REQUIRE(memcmp(b + hdr_len, was + hdr_len + done, bytes - hdr_len) == 0);
        done += bytes - hdr_len;
        pkt_free(out[i]);
    }
    REQUIRE(missing > 0 || done == n - hdr_len);
    if (shared) {
        REQUIRE(flatten(p, b) == n && memcmp(b, was, n) == 0);
        pkt_free(p);
    }
}

/* Takes p. */
static void try_fragment(struct pkt *p, uint16_t mtu)
{
    struct pkt *out[OFFLOAD_MAX_SEGMENTS];
    struct view v;
    unsigned missing;
    uint32_t bytes = 0, want = 0;

    if (view_parse_ip4(&v, p) == DROP_NONE)
        want = v.ip_bytes - ((uint32_t)v.l4_off - v.l3_off);
    frame_unpoison(&pool);
    unsigned n = offload_fragment(p, mtu, out, &missing);
    REQUIRE((n == 0) != (missing == 0));
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *ip = out[i]->data + 14;
        uint32_t hdr = (ip[0] & 15u) * 4u;
        REQUIRE(out[i]->total_bytes <= mtu + 14u && frame_naive_sum(ip, hdr) == 0xFFFF);
        REQUIRE(load_be16(ip + 2) == out[i]->total_bytes - 14);
        bytes += out[i]->total_bytes - 14 - hdr;
        pkt_free(out[i]);
    }
    REQUIRE(n == 0 || bytes == want);
}

/* The frame of the input and those that follow it in a stream, of which one has a byte changed: put
 * together and cut again, they are what they were. */
static void try_merge(const uint8_t *c)
{
    static struct frame frames[MERGED];
    static uint8_t b[FRAME_MAX_BYTES];
    struct pkt *pkts[MERGED], *out[OFFLOAD_MAX_SEGMENTS];
    unsigned n = 0, done = 0, missing;

    for (; n < MERGED && f.n <= PKT_DATA_BYTES; n++) {
        frames[n] = f;
        if (f.n >= f.l4 + 20 && f.b[23] == 6) {
            uint32_t bytes = (uint32_t)(f.n - f.l4 - (f.b[f.l4 + 12] >> 4) * 4u);
            frame_fix_l4_csum(&frames[n]);
            store_be32(f.b + f.l4 + 4, load_be32(f.b + f.l4 + 4) + bytes);
            store_be16(f.b + 18, (uint16_t)(load_be16(f.b + 18) + 1));
            frame_fix_ip_csum(&f);
        }
        if (n == c[7] % MERGED)
            frames[n].b[c[5]] ^= c[6];
        pkts[n] = frame_pkt(&pool, frames[n].b, f.n, c[8] ? c[8] : PKT_DATA_BYTES, 2048, fixed);
        if (!pkts[n])
            break; /* cut into too many buffers */
    }
    unsigned kept = offload_merge(pkts, n, NIC_TX_TSO4 | NIC_TX_TSO6);
    frame_unpoison(&pool);
    for (unsigned i = 0; i < kept; i++) {
        unsigned count = 1;
        out[0] = pkts[i];
        REQUIRE(offload_check(pkts[i]));
        if (pkts[i]->gso_size)
            count = offload_cut(pkts[i], out, &missing);
        for (unsigned k = 0; k < count; k++, done++) {
            REQUIRE(done < n && flatten(out[k], b) == f.n);
            REQUIRE(memcmp(b, frames[done].b, f.n) == 0);
            pkt_free(out[k]);
        }
    }
    REQUIRE(done == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CONTROL_BYTES || size > CONTROL_BYTES + 4096)
        return 0;
    uint16_t mtu = load_be16(data + 6);
    for (int round = 0; round < 4; round++) {
        struct pkt *p = make(data, size - CONTROL_BYTES), *held = NULL;
        if (!p)
            return 0;
        while (data[11] && pool.free_count > data[11]) {
            struct pkt *one = pkt_alloc(&pool);
            one->next = held;
            held = one;
        }
        if (round == 0) {
            try_parse(p);
            frame_unpoison(&pool);
            pkt_free(p);
        } else if (round == 1) {
            try_offload(p, data[0] & MODE_SHARED);
        } else if (round == 2) {
            frame_unpoison(&pool);
            pkt_free(p);
            if (!held)
                try_merge(data);
        } else {
            p->flags = 0;
            p->gso_size = 0;
            try_fragment(p, MAX(mtu, 68));
        }
        frame_unpoison(&pool);
        if (held)
            pkt_free(held);
        REQUIRE(pool.free_count == POOL_COUNT);
    }
    return 0;
}
