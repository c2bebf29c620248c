/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The answer cache; see dns_cache.h.
 *
 * Invariants: a block is in the free chain, in one entry's chain, or at never_used or behind it. An
 * entry is in one bucket's chain and in the order of use. Its message has been read to the end once
 * and is well formed; the name of its question is in small letters.
 */
#include "net/dns_cache.h"

#include "check.h"
#include "net/wire/dns_letters.h"
#include "net/wire/dns_records.h"

#define NONE        UINT32_MAX
#define BLOCK_BYTES 256u

struct entry_head {
    uint32_t next; /* in its bucket; of free blocks: the next free one */
    uint32_t newer, older;
    uint32_t stored_s, expires_s;
    uint32_t hash;
    uint16_t n;
    uint16_t flags;
};

/* The head is only in the first block of an entry. */
struct dns_cache_block {
    uint32_t rest; /* the block with what follows */
    struct entry_head head;
    uint8_t data[BLOCK_BYTES - 4 - sizeof(struct entry_head)];
};
static_assert(sizeof(struct dns_cache_block) == BLOCK_BYTES, "blocks without gaps");

#define FIRST_DATA offsetof(struct dns_cache_block, data)
#define REST_DATA  offsetof(struct dns_cache_block, head)

int dns_cache_init(struct dns_cache *c, size_t bytes, const uint8_t *random, alloc_fn alloc)
{
    uint32_t buckets = 64;

    memset(c, 0, sizeof(*c));
    hash_key_init(&c->key, random);
    c->block_count = (uint32_t)(MAX(bytes, DNS_CACHE_MIN_BYTES) / BLOCK_BYTES);
    while (buckets < c->block_count)
        buckets *= 2;
    c->blocks = alloc((size_t)c->block_count * BLOCK_BYTES, 64);
    c->buckets = alloc(sizeof(*c->buckets) * buckets, 64);
    if (!c->blocks || !c->buckets)
        return -ENOMEM;
    c->bucket_mask = buckets - 1;
    dns_cache_flush(c);
    return 0;
}

void dns_cache_flush(struct dns_cache *c)
{
    memset(c->buckets, 0xFF, sizeof(*c->buckets) * (c->bucket_mask + 1));
    c->never_used = c->entries = 0;
    c->free = c->newest = c->oldest = NONE;
}

/* ---- the key ---- */

/* The question in small letters, and its hash. */
static uint32_t read_key(const struct dns_cache *c, const uint8_t *question, size_t n,
                         unsigned flags, uint8_t to[static DNS_QUESTION_ROOM])
{
    uint64_t h = c->key.k[0] ^ flags;

    dns_letters_small(to, question, n);
    for (size_t i = 0; i < n; i += 8)
        h = hash_mix(h ^ load_raw64(to + i), c->key.k[1]);
    return (uint32_t)(h ^ (h >> 32));
}

/* Where the bytes of an entry at this offset are, and how many of them together. */
static uint8_t *bytes_at(const struct dns_cache *c, uint32_t i, size_t at, size_t *together)
{
    struct dns_cache_block *b = &c->blocks[i];
    size_t first = BLOCK_BYTES - FIRST_DATA, more = BLOCK_BYTES - REST_DATA;

    if (at < first) {
        *together = first - at;
        return b->data + at;
    }
    for (at -= first; at >= more; at -= more)
        b = &c->blocks[b->rest];
    b = &c->blocks[b->rest];
    *together = more - at;
    return (uint8_t *)b + REST_DATA + at;
}

/* memcmp() goes by bytes. */
static bool same(const uint8_t *a, const uint8_t *b, size_t n)
{
    for (; n >= 8; a += 8, b += 8, n -= 8)
        if (load_raw64(a) != load_raw64(b))
            return false;
    while (n > 0 && a[n - 1] == b[n - 1])
        n--;
    return n == 0;
}

/* True if the stored question is this one, which is in small letters. It begins in the first block,
 * but need not end there. */
static bool has_question(const struct dns_cache *c, uint32_t entry, const uint8_t *question,
                         size_t n)
{
    for (size_t i = 0, part; i < n; i += part) {
        const uint8_t *at = bytes_at(c, entry, DNS_HDR_BYTES + i, &part);
        part = MIN(part, n - i);
        if (!same(at, question + i, part))
            return false;
    }
    return true;
}

static uint32_t find(const struct dns_cache *c, uint32_t hash, const uint8_t *question, size_t n,
                     unsigned flags)
{
    uint32_t i = c->buckets[hash & c->bucket_mask];

    while (i != NONE) {
        const struct dns_cache_block *b = &c->blocks[i];
        if (b->head.hash == hash && b->head.flags == flags && b->head.n >= DNS_HDR_BYTES + n &&
            has_question(c, i, question, n))
            break;
        i = b->head.next;
    }
    return i;
}

/* ---- the chains ---- */

static void unlink_use(struct dns_cache *c, const struct entry_head *head)
{
    if (head->newer == NONE)
        c->newest = head->older;
    else
        c->blocks[head->newer].head.older = head->older;
    if (head->older == NONE)
        c->oldest = head->newer;
    else
        c->blocks[head->older].head.newer = head->newer;
}

static void link_use(struct dns_cache *c, uint32_t i)
{
    struct entry_head *head = &c->blocks[i].head;

    head->newer = NONE;
    head->older = c->newest;
    if (c->newest == NONE)
        c->oldest = i;
    else
        c->blocks[c->newest].head.newer = i;
    c->newest = i;
}

static void drop(struct dns_cache *c, uint32_t i)
{
    struct entry_head *head = &c->blocks[i].head;
    uint32_t *link = &c->buckets[head->hash & c->bucket_mask];

    while (*link != i) {
        CHECK(*link != NONE);
        link = &c->blocks[*link].head.next;
    }
    *link = head->next;
    unlink_use(c, head);
    c->entries--;
    while (i != NONE) {
        uint32_t rest = c->blocks[i].rest;
        c->blocks[i].rest = c->free;
        c->free = i;
        i = rest;
    }
}

/* A block, for which whatever was used longest ago has to go. */
static uint32_t take_block(struct dns_cache *c)
{
    if (c->free == NONE && c->never_used < c->block_count)
        return c->never_used++;
    if (c->free == NONE) {
        CHECK(c->oldest != NONE);
        drop(c, c->oldest);
        c->evicted++;
    }
    uint32_t i = c->free;
    c->free = c->blocks[i].rest;
    return i;
}

/* ---- copies ---- */

static void copy_in(struct dns_cache *c, uint32_t i, const uint8_t *from, size_t n)
{
    size_t part = MIN(n, BLOCK_BYTES - FIRST_DATA);

    memcpy(c->blocks[i].data, from, part);
    while (n > part) {
        from += part;
        n -= part;
        c->blocks[i].rest = take_block(c);
        i = c->blocks[i].rest;
        part = MIN(n, BLOCK_BYTES - REST_DATA);
        memcpy((uint8_t *)&c->blocks[i] + REST_DATA, from, part);
    }
    c->blocks[i].rest = NONE;
}

static void copy_out(const struct dns_cache *c, uint32_t i, uint8_t *to)
{
    size_t n = c->blocks[i].head.n, part = MIN(n, BLOCK_BYTES - FIRST_DATA);

    memcpy(to, c->blocks[i].data, part);
    while (n > part) {
        to += part;
        n -= part;
        i = c->blocks[i].rest;
        part = MIN(n, BLOCK_BYTES - REST_DATA);
        memcpy(to, (const uint8_t *)&c->blocks[i] + REST_DATA, part);
    }
}

/* ---- times to live ---- */

/* Behind a name of a message that has been checked. */
static size_t behind_name(const uint8_t *message, size_t at)
{
    while (message[at] != 0 && message[at] < 0xC0)
        at += 1u + message[at];
    return at + (message[at] ? 2 : 1);
}

static void age(uint8_t *message, size_t n, const struct dns_question *q, uint32_t passed_s,
                uint32_t left_s)
{
    size_t at = DNS_HDR_BYTES + (size_t)q->bytes;

    while (at < n) {
        at = behind_name(message, at);
        uint32_t ttl_s = load_be32(message + at + 4);
        ttl_s = ttl_s > passed_s ? ttl_s - passed_s : 0;
        store_be32(message + at + 4, MIN(ttl_s, left_s));
        at += 10u + load_be16(message + at + 8);
    }
}

/* What one pass over an answer's records finds out. */
struct judged {
    uint32_t shortest_s, negative_s; /* UINT32_MAX: none */
    bool answered;                   /* a record of the type that was asked for */
    size_t n;                        /* the message without its OPT */
};

static bool judge(struct judged *j, const uint8_t *message, size_t n, const struct dns_question *q)
{
    struct dns_records r;
    struct dns_record record;
    struct dns_opt opt = dns_no_opt();
    int more;

    *j = (struct judged){.shortest_s = UINT32_MAX, .negative_s = UINT32_MAX, .n = n};
    dns_records_begin(&r, message, n, q);
    while ((more = dns_records_next(&r, &record)) > 0) {
        if (opt.present) /* what stands behind it may be a signature of the whole message */
            return false;
        if (record.type == DNS_TYPE_OPT) {
            if (!dns_read_opt(&opt, message, &record) || opt.version || opt.extended_rcode)
                return false;
            j->n = opt.at;
            continue;
        }
        uint32_t ttl_s = record.ttl_s >> 31 ? 0 : record.ttl_s; /* RFC 2181, section 8 */
        j->shortest_s = MIN(j->shortest_s, ttl_s);
        j->answered |= record.section == DNS_ANSWER && record.type == q->type;
        if (record.section == DNS_AUTHORITY && record.type == DNS_TYPE_SOA &&
            record.data_bytes >= 22) {
            uint32_t minimum_s = load_be32(message + record.data_at + record.data_bytes - 4);
            j->negative_s = MIN(ttl_s, minimum_s);
        }
    }
    return more == 0 && r.at == n;
}

/* For how long the answer may be kept; 0: not at all. */
static uint32_t lifetime(struct judged *j, const uint8_t *message, size_t n,
                         const struct dns_question *q)
{
    unsigned flags = load_be16(message + DNS_FLAGS_OFF), code = flags & DNS_FLAG_RCODE;

    if ((flags & (DNS_FLAG_TRUNCATED | DNS_FLAG_OPCODE)) || q->class != DNS_CLASS_IN ||
        q->type >= DNS_TYPE_FIRST_META || q->type == DNS_TYPE_OPT || !judge(j, message, n, q))
        return 0;
    if (code == DNS_SERVFAIL)
        return DNS_CACHE_FAILURE_S;
    if (code == DNS_NOERROR && j->answered)
        return MIN(j->shortest_s, DNS_CACHE_MAX_TTL_S);
    if ((code != DNS_NOERROR && code != DNS_NXDOMAIN) || j->negative_s == UINT32_MAX)
        return 0;
    return MIN(MIN(j->shortest_s, j->negative_s), DNS_CACHE_MAX_NEGATIVE_S);
}

/* ---- in and out ---- */

size_t dns_cache_find(struct dns_cache *c, const uint8_t *message, const struct dns_question *q,
                      unsigned flags, uint8_t *to, uint32_t now_s)
{
    uint8_t question[DNS_QUESTION_ROOM];
    uint32_t hash = read_key(c, message + DNS_HDR_BYTES, q->bytes, flags, question);
    uint32_t i = find(c, hash, question, q->bytes, flags);

    if (i != NONE && c->blocks[i].head.expires_s <= now_s) {
        drop(c, i);
        i = NONE;
    }
    if (i == NONE) {
        c->misses++;
        return 0;
    }
    const struct entry_head *head = &c->blocks[i].head;
    c->hits++;
    if (c->newest != i) {
        unlink_use(c, head);
        link_use(c, i);
    }
    copy_out(c, i, to);
    age(to, head->n, q, now_s - head->stored_s, head->expires_s - now_s);
    return head->n;
}

void dns_cache_keep(struct dns_cache *c, const uint8_t *message, size_t n,
                    const struct dns_question *q, unsigned flags, uint32_t now_s)
{
    uint8_t question[DNS_QUESTION_ROOM];
    struct judged j;
    uint32_t ttl_s = n <= DNS_CACHE_MESSAGE_BYTES ? lifetime(&j, message, n, q) : 0;

    if (ttl_s == 0)
        return;
    uint32_t hash = read_key(c, message + DNS_HDR_BYTES, q->bytes, flags, question);
    uint32_t i = find(c, hash, question, q->bytes, flags);
    if (i != NONE) {
        bool failure = (load_be16(message + DNS_FLAGS_OFF) & DNS_FLAG_RCODE) == DNS_SERVFAIL;
        if (failure && c->blocks[i].head.expires_s > now_s)
            return;
        drop(c, i);
    }
    /* First the bytes, as room may have to be made for them, then into the chains. */
    i = take_block(c);
    copy_in(c, i, message, j.n);
    for (size_t at = 0, part; at < q->bytes; at += part) {
        uint8_t *to = bytes_at(c, i, DNS_HDR_BYTES + at, &part);
        part = MIN(part, q->bytes - at);
        memcpy(to, question + at, part);
    }
    if (j.n != n) { /* the OPT has gone */
        uint8_t *count = c->blocks[i].data + DNS_ARCOUNT_OFF;
        store_be16(count, (uint16_t)(load_be16(count) - 1));
    }
    uint32_t *bucket = &c->buckets[hash & c->bucket_mask];
    c->blocks[i].head = (struct entry_head){
        .next = *bucket,
        .stored_s = now_s,
        .expires_s = now_s + ttl_s,
        .hash = hash,
        .n = (uint16_t)j.n,
        .flags = (uint16_t)flags,
    };
    *bucket = i;
    link_use(c, i);
    c->entries++;
}
