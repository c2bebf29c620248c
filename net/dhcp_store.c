/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Writing leases to a disk; see dhcp_store.h.
 *
 * Invariants: owner and record_of say the same from both sides; a group is never in dirty and in
 * written for one change, but may be in both for two; while the phase is not IDLE, the good copies
 * (second) stay as they are.
 */
#include "net/dhcp_store_internal.h"

#include "check.h"

enum phase { PHASE_IDLE, PHASE_SECURING, PHASE_WRITING, PHASE_FLUSHING };

uint64_t dhcp_store_bytes(const struct config *config, uint32_t groups)
{
    uint64_t bytes = (uint64_t)groups * (STORE_GROUP_RECORDS + 1) * sizeof(uint32_t) +
                     3 * (groups / 64 + 1) * sizeof(uint64_t);

    for (unsigned i = 0; i < config->net_count; i++) {
        uint32_t slots = dhcp_network_bytes(config, i) ? lease_count_slots(config, i) : 0;
        if (slots > 0)
            bytes += slots * sizeof(uint32_t) + (slots / 64 + 1) * sizeof(uint64_t);
    }
    return bytes;
}

int dhcp_store_init(struct dhcp_store *s, struct dhcp_server *dhcp, uint32_t groups, uint64_t id,
                    alloc_fn alloc, alloc_fn alloc_dirty)
{
    size_t words = groups / 64 + 1;

    memset(s, 0, sizeof(*s));
    s->dhcp = dhcp;
    s->id = id;
    s->groups = groups;
    s->records = groups * STORE_GROUP_RECORDS;
    s->owner = alloc_dirty(sizeof(*s->owner) * s->records, 8);
    s->round_of = alloc(sizeof(*s->round_of) * groups, 8);
    s->second = alloc(sizeof(*s->second) * words, 8);
    s->dirty = alloc(sizeof(*s->dirty) * words, 8);
    s->written = alloc(sizeof(*s->written) * words, 8);
    if (!s->owner || !s->round_of || !s->second || !s->dirty || !s->written)
        return -ENOMEM;
    memset(s->owner, 0xFF, sizeof(*s->owner) * s->records); /* STORE_NONE */
    for (unsigned i = 0; i < CONFIG_MAX_NETS; i++) {
        struct lease_table *t = &dhcp->leases[i];
        if (!t->slots)
            continue;
        s->record_of[i] = alloc_dirty(sizeof(uint32_t) * t->slot_count, 8);
        t->changed = alloc(sizeof(uint64_t) * (t->slot_count / 64 + 1), 8);
        if (!s->record_of[i] || !t->changed) {
            t->changed = NULL;
            return -ENOMEM;
        }
        memset(s->record_of[i], 0xFF, sizeof(uint32_t) * t->slot_count);
        t->any_changed = &s->changed;
    }
    return 0;
}

/* ---- records ---- */

void store_give(struct dhcp_store *s, uint32_t record, unsigned network, uint32_t slot)
{
    CHECK(s->owner[record] == STORE_NONE && s->record_of[network][slot] == STORE_NONE);
    s->owner[record] = store_owner(network, slot);
    s->record_of[network][slot] = record;
    s->used++;
}

void store_take_away(struct dhcp_store *s, unsigned network, uint32_t slot)
{
    uint32_t record = s->record_of[network][slot];

    CHECK(s->owner[record] == store_owner(network, slot));
    s->owner[record] = STORE_NONE;
    s->record_of[network][slot] = STORE_NONE;
    s->used--;
    s->free_hint = MIN(s->free_hint, record);
    store_set(s->dirty, record / STORE_GROUP_RECORDS, true);
}

static uint32_t find_free(struct dhcp_store *s)
{
    if (s->used == s->records)
        return STORE_NONE;
    while (s->owner[s->free_hint] != STORE_NONE)
        s->free_hint++;
    return s->free_hint;
}

/* True if the slot's address is to be found again; an offer is not worth a record, but no reason
 * to lose one: its client may have had the address before. */
static bool is_kept(const struct lease *l, bool has_record)
{
    return l && (l->state == LEASE_GRANTED || l->state == LEASE_OVER ||
                 (l->state == LEASE_OFFERED && has_record));
}

/* A slot that has changed. False: it found no room, and is to be looked at again. */
static bool assign(struct dhcp_store *s, unsigned network, uint32_t slot)
{
    uint32_t record = s->record_of[network][slot];
    bool has_record = record != STORE_NONE;

    if (!is_kept(lease_slot(&s->dhcp->leases[network], slot), has_record)) {
        if (has_record)
            store_take_away(s, network, slot);
        return true;
    }
    if (!has_record) {
        record = find_free(s);
        if (record == STORE_NONE)
            return false;
        store_give(s, record, network, slot);
    }
    store_set(s->dirty, record / STORE_GROUP_RECORDS, true);
    return true;
}

/* Looks at all slots that are marked. What is given up makes room for what is new, so slots that
 * found none are looked at a second time. */
static void collect(struct dhcp_store *s)
{
    s->changed = false;
    for (unsigned pass = 0; pass < 2; pass++) {
        s->counters.unkept = 0;
        for (unsigned i = 0; i < CONFIG_MAX_NETS; i++) {
            struct lease_table *t = &s->dhcp->leases[i];
            for (uint32_t w = 0; t->changed && w < t->slot_count / 64 + 1; w++) {
                uint64_t left = t->changed[w], none = 0;
                for (; left; left &= left - 1) {
                    unsigned bit = (unsigned)__builtin_ctzll(left);
                    if (!assign(s, i, w * 64 + bit)) {
                        none |= 1ull << bit;
                        s->counters.unkept++;
                    }
                }
                t->changed[w] = none;
            }
        }
        if (s->counters.unkept == 0)
            return;
    }
}

static uint32_t left_s(const struct lease *l, uint32_t now_s)
{
    if (!lease_live(l, now_s))
        return 0;
    return l->expires_s == CONFIG_FOREVER ? CONFIG_FOREVER : l->expires_s - now_s;
}

static void fill_record(const struct dhcp_store *s, struct store_record *record, uint32_t owner,
                        uint32_t now_s)
{
    unsigned network = owner >> 24;
    const struct lease_table *t = &s->dhcp->leases[network];
    const struct lease *l = lease_slot(t, owner & 0xFFFFFF);

    if (!is_kept(l, true))
        return; /* it has changed since the round began; the next one gives its record up */
    *record = (struct store_record){
        .who = l->who,
        .ip = l->ip,
        .network = store_network(s->dhcp->config->nets[network].name),
        .left_s = left_s(l, now_s),
        .state = lease_live(l, now_s) ? STORE_GRANTED : STORE_OVER,
        .by_mac = t->by_mac,
        .port = l->port,
    };
    memcpy(record->mac, l->mac, MAC_BYTES);
    memcpy(record->name, l->name, strlen(l->name));
}

static void fill_group(const struct dhcp_store *s, struct store_group *block, uint32_t group,
                       uint32_t now_s)
{
    memset(block, 0, sizeof(*block));
    for (unsigned i = 0; i < STORE_GROUP_RECORDS; i++) {
        uint32_t owner = s->owner[group * STORE_GROUP_RECORDS + i];
        if (owner != STORE_NONE)
            fill_record(s, &block->records[i], owner, now_s);
    }
    store_group_seal(block, s->id, group, s->round);
}

/* ---- rounds ---- */

/* The first group from s->next_group on that is to be written, or STORE_NONE. */
static uint32_t find_dirty(const struct dhcp_store *s)
{
    for (uint32_t w = s->next_group / 64; w < s->groups / 64 + 1; w++) {
        uint64_t bits = s->dirty[w];
        if (w == s->next_group / 64)
            bits &= ~0ull << s->next_group % 64;
        if (bits)
            return w * 64 + (uint32_t)__builtin_ctzll(bits);
    }
    return STORE_NONE;
}

/* True if a round has begun. */
static bool begin(struct dhcp_store *s, uint64_t now_us)
{
    if (!s->changed)
        return false;
    if (!s->due_us)
        s->due_us = MAX(now_us + STORE_SETTLE_US, s->begun_us + STORE_ROUND_US);
    if (now_us < s->due_us)
        return false;
    s->due_us = 0;
    collect(s);
    s->next_group = 0;
    if (find_dirty(s) == STORE_NONE)
        return false;
    s->begun_us = now_us;
    s->phase = s->unsure ? PHASE_SECURING : PHASE_WRITING;
    s->failed = false;
    s->round++;
    return true;
}

/* Nothing of the round counts. */
static void give_up(struct dhcp_store *s, uint64_t now_us)
{
    for (uint32_t w = 0; w < s->groups / 64 + 1; w++) {
        s->dirty[w] |= s->written[w];
        s->written[w] = 0;
    }
    s->retry_us = s->retry_us ? MIN(s->retry_us * 2, STORE_RETRY_MAX_US) : STORE_RETRY_US;
    s->due_us = now_us + s->retry_us;
    s->changed = true;
    s->phase = PHASE_IDLE;
}

/* All of the round is on the disk. */
static void settle(struct dhcp_store *s, uint64_t now_us)
{
    for (uint32_t w = 0; w < s->groups / 64 + 1; w++) {
        for (uint64_t left = s->written[w]; left; left &= left - 1) {
            s->round_of[w * 64 + (uint32_t)__builtin_ctzll(left)] = s->round;
            s->counters.blocks++;
        }
        s->second[w] ^= s->written[w];
        s->written[w] = 0;
    }
    s->counters.rounds++;
    s->retry_us = 0;
    s->done_us = now_us;
    s->phase = PHASE_IDLE;
}

enum store_work dhcp_store_next(struct dhcp_store *s, uint64_t now_us, struct store_group *block,
                                uint32_t *at)
{
    if (s->phase == PHASE_IDLE && !begin(s, now_us))
        return STORE_NOTHING;
    if (s->phase == PHASE_FLUSHING || s->failed)
        return STORE_NOTHING;
    if (s->phase == PHASE_SECURING) {
        if (s->busy > 0)
            return STORE_NOTHING;
        s->busy++;
        return STORE_FLUSH;
    }
    uint32_t group = find_dirty(s);
    if (group != STORE_NONE) {
        store_set(s->dirty, group, false);
        store_set(s->written, group, true);
        s->next_group = group;
        s->busy++;
        fill_group(s, block, group, (uint32_t)(now_us / 1000000));
        *at = store_block_of(group, !store_bit(s->second, group));
        return STORE_WRITE;
    }
    if (s->busy > 0)
        return STORE_NOTHING;
    s->phase = PHASE_FLUSHING;
    s->busy++;
    return STORE_FLUSH;
}

void dhcp_store_done(struct dhcp_store *s, bool ok, uint64_t now_us)
{
    CHECK(s->busy > 0 && s->phase != PHASE_IDLE);
    s->busy--;
    if (!ok) {
        s->failed = true;
        s->counters.errors++;
    }
    if (s->failed && s->busy == 0) {
        give_up(s, now_us);
    } else if (s->phase == PHASE_SECURING) {
        s->unsure = false;
        s->phase = PHASE_WRITING;
    } else if (s->phase == PHASE_FLUSHING) {
        settle(s, now_us);
    }
}

void dhcp_store_hurry(struct dhcp_store *s)
{
    s->due_us = 1; /* long ago */
}

uint64_t dhcp_store_next_us(const struct dhcp_store *s)
{
    return s->phase == PHASE_IDLE && s->changed ? s->due_us : UINT64_MAX;
}
