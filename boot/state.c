/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The disk that keeps what must survive a restart; see state.h. net/dhcp_store.h says what is
 * written and when, this file does it: at start it waits, later it only looks.
 */
#include "boot/state.h"

#include "clock.h"
#include "entropy.h"
#include "log.h"
#include "mem.h"

#include <stdio.h>

#define READ_MAX_WAIT_US   1000000 /* at start, for one request */
#define TELL_WAIT_US       5000000 /* later, before a line says so; nobody waits for it */
#define FINISH_MAX_WAIT_US 3000000 /* at the end */
#define STEP_US            10
#define LOOK_US            1000 /* while something is pending; later after an eighth of that time */
#define LOOK_MAX_US        1000000
#define FILL_MAX           2 /* blocks that are put together at a time: some ten us each */
#define CHUNK_BYTES        65536u

/* ---- at start: waiting ---- */

/* Who does not answer now may later, into the chunk. */
static bool run(struct state *s, struct blk *disk, struct blk_request *r)
{
    if (!disk->ops->submit(disk, r))
        return false;
    for (unsigned waited_us = 0; r->state == BLK_PENDING; waited_us += STEP_US) {
        if (waited_us >= READ_MAX_WAIT_US) {
            disk->ops->stop(disk, "it does not answer");
            s->chunk = NULL;
            return false;
        }
        clock_delay_us(STEP_US);
        disk->ops->poll(disk);
    }
    return r->state == BLK_DONE;
}

/* Reads n bytes, which is a multiple of a block, into s->chunk. What cannot be read becomes 0xFF,
 * which is nothing that anybody believes; returns how many blocks did. Of a disk that is dead then
 * there is nothing, and maybe no chunk. */
static unsigned read_span(struct state *s, struct blk *disk, uint64_t at, uint32_t offset,
                          uint32_t n)
{
    if (!disk->dead && n <= disk->request_bytes) {
        struct blk_request r = {.op = BLK_READ, .at = at, .n = n, .bytes = s->chunk + offset};
        if (run(s, disk, &r))
            return 0;
    }
    if (disk->dead)
        return n / STORE_BLOCK_BYTES;
    if (n > STORE_BLOCK_BYTES) {
        uint32_t half = n / STORE_BLOCK_BYTES / 2 * STORE_BLOCK_BYTES;
        return read_span(s, disk, at, offset, half) +
               read_span(s, disk, at + half, offset + half, n - half);
    }
    memset(s->chunk + offset, 0xFF, n);
    return 1;
}

static bool write_header(struct state *s, struct blk *disk, unsigned copy)
{
    struct blk_request write = {
        .op = BLK_WRITE, .at = copy * STORE_BLOCK_BYTES, .n = STORE_BLOCK_BYTES, .bytes = s->chunk};
    struct blk_request flush = {.op = BLK_FLUSH};

    return run(s, disk, &write) && run(s, disk, &flush);
}

static const char *why_not(const struct blk *disk, const char *otherwise)
{
    return disk->dead ? disk->dead : otherwise;
}

/* ---- at start: whose disk is it? ---- */

/* True if the disk is all zeros where we would write, and at its end, where some keep a copy of
 * what they have at the beginning. A format that was cut short left part of the second header. */
static bool is_blank(struct state *s, struct blk *disk, bool half_made)
{
    uint64_t used = store_bytes(store_groups(disk->bytes) * STORE_GROUP_RECORDS);
    uint64_t last = (disk->bytes / STORE_BLOCK_BYTES - 1) * STORE_BLOCK_BYTES;

    for (uint64_t at = half_made ? STORE_HEADER_BLOCKS * STORE_BLOCK_BYTES : 0; at < used;) {
        uint32_t n = (uint32_t)MIN(used - at, CHUNK_BYTES);
        read_span(s, disk, at, 0, n);
        if (disk->dead || !store_is_zero(s->chunk, n))
            return false;
        at += n;
    }
    read_span(s, disk, last, 0, STORE_BLOCK_BYTES);
    return !disk->dead && store_is_zero(s->chunk, STORE_BLOCK_BYTES);
}

/* NULL, or what is wrong. The second copy is written first, so that a disk whose first one is
 * there is made. */
static const char *make_ours(struct state *s, struct blk *disk)
{
    struct store_header *header = (void *)s->chunk;
    uint8_t random[32];

    entropy_fill(random, sizeof(random));
    store_header_make(header, random);
    s->id = header->id;
    memcpy(s->key, header->key, sizeof(s->key));
    if (!write_header(s, disk, 1) || !write_header(s, disk, 0))
        return why_not(disk, "it cannot be written to");
    log_info("state     disk at %s was empty and is ours now", disk->location);
    return NULL;
}

/* Takes what the header says, and makes a copy of it whole again that is not. */
static const char *open_ours(struct state *s, struct blk *disk, const enum store_verdict *verdicts)
{
    unsigned good = verdicts[0] == STORE_OURS ? 0 : 1;
    const struct store_header *header = (const void *)(s->chunk + good * STORE_BLOCK_BYTES);

    s->id = header->id;
    memcpy(s->key, header->key, sizeof(s->key));
    memmove(s->chunk, header, sizeof(*header));
    if (verdicts[!good] != STORE_OURS && !write_header(s, disk, !good))
        return why_not(disk, "it cannot be written to");
    return NULL;
}

/* NULL if the disk is ours, or could be made so; else why not. only_ours: an empty one is none. */
static const char *take(struct state *s, struct blk *disk, bool only_ours)
{
    enum store_verdict verdicts[STORE_HEADER_BLOCKS];

    if (disk->dead)
        return disk->dead;
    if (!s->chunk)
        s->chunk = mem_alloc(CHUNK_BYTES, BLK_ALIGN_BYTES);
    if (!s->chunk || !s->blocks)
        return "there is no memory for it";
    if (store_groups(disk->bytes) == 0)
        return "it is smaller than 64 KB";
    if (read_span(s, disk, 0, 0, STORE_HEADER_BLOCKS * STORE_BLOCK_BYTES) == STORE_HEADER_BLOCKS)
        return why_not(disk, "its first blocks cannot be read");
    for (unsigned i = 0; i < STORE_HEADER_BLOCKS; i++)
        verdicts[i] = store_header_judge((const void *)(s->chunk + i * STORE_BLOCK_BYTES));
    if (verdicts[0] == STORE_NEWER || verdicts[1] == STORE_NEWER)
        return "a newer Sluice wrote it";
    bool ours = verdicts[0] == STORE_OURS || verdicts[1] == STORE_OURS;
    if (disk->read_only)
        return "it is read-only";
    if (ours)
        return open_ours(s, disk, verdicts);
    if (only_ours)
        return "it is empty";
    bool half_made = verdicts[0] == STORE_BLANK && verdicts[1] == STORE_DAMAGED;
    if ((verdicts[0] == STORE_BLANK || half_made) && is_blank(s, disk, half_made))
        return make_ours(s, disk);
    if (verdicts[0] == STORE_DAMAGED || verdicts[1] == STORE_DAMAGED)
        return why_not(disk, "it is ours, but its header is damaged; left alone");
    return why_not(disk, "something else is on it; left alone");
}

/* ---- at start: which disk is it? ---- */

static bool is_meant(const struct state *s, const struct config_state *config, unsigned i)
{
    if (config->kind == STATE_BY_NUMBER)
        return i == config->number;
    if (config->kind == STATE_BY_SERIAL)
        return strcmp(s->disks[i]->serial, config->serial) == 0;
    return true;
}

static void tell_none(struct state *s, const struct config_state *config)
{
    char which[48] = "virtio-blk disk";

    if (config->kind == STATE_BY_NUMBER)
        snprintf(which, sizeof(which), "disk %u", config->number);
    else if (config->kind == STATE_BY_SERIAL)
        snprintf(which, sizeof(which), "disk with the serial %s", config->serial);
    snprintf(s->why, sizeof(s->why), "there is no %s", which);
    log_error("state     %s (%u disks found): leases will not survive a restart", s->why,
              s->disk_count);
}

static bool choose(struct state *s, const struct config_state *config)
{
    const char *wrong = NULL;

    /* One that is ours comes before one that is empty. */
    for (unsigned pass = config->kind == STATE_AUTO ? 0 : 1; pass < 2; pass++)
        for (unsigned i = 0; i < s->disk_count; i++) {
            if (!is_meant(s, config, i))
                continue;
            wrong = take(s, s->disks[i], pass == 0);
            if (!wrong) {
                s->disk = s->disks[i];
                s->number = i;
                return true;
            }
            if (pass == 0)
                continue;
            snprintf(s->why, sizeof(s->why), "disk %u at %s: %s", i, s->disks[i]->location, wrong);
            log_error("state     %s; leases will not survive a restart: give an empty disk "
                      "(truncate -s 1M FILE)",
                      s->why);
        }
    if (!wrong)
        tell_none(s, config);
    return false;
}

bool state_open(struct state *s, const struct config_state *config, blk_probe_fn probe)
{
    memset(s, 0, sizeof(*s));
    if (config->kind == STATE_OFF)
        return false;
    s->disk_count = probe(s->disks, BLK_MAX);
    s->blocks = mem_alloc(STATE_REQUESTS * STORE_BLOCK_BYTES, BLK_ALIGN_BYTES);
    bool found = choose(s, config);
    for (unsigned i = 0; i < s->disk_count; i++)
        if (s->disks[i] != s->disk)
            s->disks[i]->ops->stop(s->disks[i], "not used");
    return found;
}

uint64_t state_bytes(const struct state *s, const struct config *config)
{
    return s->disk ? dhcp_store_bytes(config, store_groups(s->disk->bytes)) : 0;
}

/* ---- at start: what it keeps ---- */

static void load(struct state *s)
{
    uint32_t groups = s->store.groups, at_once = CHUNK_BYTES / STORE_BLOCK_BYTES / STORE_COPIES;
    unsigned unread = 0;

    for (uint32_t group = 0; group < groups; group += at_once) {
        uint32_t n = MIN(at_once, groups - group) * STORE_COPIES;
        unread += read_span(s, s->disk, (uint64_t)store_block_of(group, 0) * STORE_BLOCK_BYTES, 0,
                            n * STORE_BLOCK_BYTES);
        if (s->disk->dead)
            return;
        for (uint32_t i = 0; i < n / STORE_COPIES; i++)
            dhcp_store_load(&s->store, group + i,
                            (const void *)(s->chunk + i * STORE_COPIES * STORE_BLOCK_BYTES),
                            clock_now_us());
    }
    if (unread > 0)
        log_error("state     %u blocks of disk %u cannot be read: look after the host's storage",
                  unread, s->number);
}

static uint32_t addresses(const struct dhcp_server *dhcp)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < CONFIG_MAX_NETS; i++)
        n += dhcp->leases[i].slots ? dhcp->leases[i].slot_count : 0;
    return n;
}

static void tell_restored(const struct state *s)
{
    const struct store_counters *c = &s->store.counters;
    uint32_t slots = addresses(s->store.dhcp);

    log_info("state     disk %u at %s%s%s  %u leases restored, room for %u", s->number,
             s->disk->location, s->disk->serial[0] ? " " : "", s->disk->serial, c->restored,
             s->store.records);
    if (c->outside)
        log_warn("state     %u leases have no place in the networks as they are now: forgotten",
                 c->outside);
    if (c->damaged)
        log_warn("state     %u leases or groups of leases were damaged: forgotten", c->damaged);
    if (slots > s->store.records)
        log_info("state     to keep all %u addresses of the pools the disk must have %llu KB",
                 slots, (unsigned long long)(store_bytes(slots) >> 10));
}

/* The disk is of no more use. */
static void lose(struct state *s)
{
    s->running = false;
    snprintf(s->why, sizeof(s->why), "disk %u is not used any more: %s", s->number, s->disk->dead);
    log_error("state     %s; what changes from now on will not survive a restart", s->why);
}

void state_restore(struct state *s, struct dhcp_server *dhcp)
{
    if (!s->disk)
        return;
    if (dhcp_store_init(&s->store, dhcp, store_groups(s->disk->bytes), s->id, mem_alloc,
                        mem_alloc_dirty) != 0) {
        snprintf(s->why, sizeof(s->why), "too little memory for a disk of %llu KB",
                 (unsigned long long)(s->disk->bytes >> 10));
        log_error("state     %s: leases will not survive a restart", s->why);
        state_stop(s);
        return;
    }
    load(s);
    tell_restored(s);
    s->running = true;
    if (s->disk->dead)
        lose(s);
}

/* ---- later: looking ---- */

static void finish(struct state *s, struct blk_request *r, uint64_t now_us)
{
    bool ok = r->state == BLK_DONE;
    uint64_t rounds = s->store.counters.rounds;

    if (s->waiting)
        log_info("state     disk %u answers again", s->number);
    s->waiting = false;
    r->state = BLK_IDLE;
    s->pending--;
    s->answered_us = now_us;
    dhcp_store_done(&s->store, ok, now_us);
    if (!ok && !s->failing && !s->disk->dead)
        log_error("state     disk %u refuses to be written: it is tried again; look after the "
                  "host's storage (is it full?)",
                  s->number);
    if (s->failing && rounds != s->store.counters.rounds)
        log_info("state     disk %u can be written again", s->number);
    s->failing = !ok || (s->failing && rounds == s->store.counters.rounds);
}

/* False: there is nothing to do, or no room to do it. */
static bool hand_over(struct state *s, unsigned i, uint64_t now_us)
{
    struct blk_request *r = &s->requests[i];
    uint32_t block = 0;
    enum store_work work = dhcp_store_next(&s->store, now_us, &s->blocks[i], &block);

    if (work == STORE_NOTHING)
        return false;
    *r = (struct blk_request){.op = BLK_FLUSH};
    if (work == STORE_WRITE)
        *r = (struct blk_request){.op = BLK_WRITE,
                                  .at = (uint64_t)block * STORE_BLOCK_BYTES,
                                  .n = STORE_BLOCK_BYTES,
                                  .bytes = &s->blocks[i]};
    if (s->pending++ == 0)
        s->answered_us = now_us;
    if (!s->disk->ops->submit(s->disk, r))
        r->state = BLK_FAILED;
    return true;
}

static void tell_unkept(struct state *s)
{
    uint32_t unkept = s->store.counters.unkept;

    if (unkept && !s->told_unkept)
        log_error("state     the disk has room for %u leases, %u more are not kept: make it %llu "
                  "KB or more",
                  s->store.records, unkept,
                  (unsigned long long)(store_bytes(dhcp_store_wanted(&s->store)) >> 10));
    s->told_unkept = unkept != 0;
}

void state_work(struct state *s, uint64_t now_us)
{
    unsigned filled = 0;

    s->disk->ops->poll(s->disk);
    if (s->pending && !s->waiting && now_us - s->answered_us >= TELL_WAIT_US) {
        s->waiting = true;
        log_error("state     disk %u does not answer: what changes is not on it until it does; "
                  "look after the host's storage",
                  s->number);
    }
    for (unsigned i = 0; i < STATE_REQUESTS; i++) {
        struct blk_request *r = &s->requests[i];
        if (r->state == BLK_DONE || r->state == BLK_FAILED)
            finish(s, r, now_us);
    }
    if (s->disk->dead) {
        lose(s);
        return;
    }
    for (unsigned i = 0;
         i < MIN((unsigned)STATE_REQUESTS, s->disk->requests_max) && filled < FILL_MAX; i++)
        if (s->requests[i].state == BLK_IDLE) {
            if (!hand_over(s, i, now_us))
                break;
            filled++;
        }
    tell_unkept(s);
}

uint64_t state_next_us(const struct state *s, uint64_t now_us)
{
    if (!s->running)
        return UINT64_MAX;
    if (s->pending)
        return now_us + MIN(MAX((now_us - s->answered_us) / 8, LOOK_US), LOOK_MAX_US);
    return dhcp_store_next_us(&s->store);
}

void state_finish(struct state *s)
{
    uint64_t start_us = clock_now_us(), now_us = start_us;

    /* What has changed during a round that was under way is the next one's. */
    for (unsigned round = 0; round < 2 && s->running; round++) {
        dhcp_store_hurry(&s->store);
        for (state_work(s, now_us); s->running && s->pending; state_work(s, now_us)) {
            if (now_us - start_us >= FINISH_MAX_WAIT_US) {
                log_error("state     disk %u does not answer: what changed last is not on it",
                          s->number);
                return;
            }
            clock_delay_us(STEP_US);
            now_us = clock_now_us();
        }
    }
}

void state_print(const struct state *s, uint64_t now_us, void (*line)(const char *text))
{
    const struct store_counters *c = &s->store.counters;
    char text[LOG_LINE_MAX], last[32] = "none yet";

    if (!s->running) {
        if (s->why[0]) {
            snprintf(text, sizeof(text), "state     none: %s", s->why);
            line(text);
        }
        return;
    }
    if (c->rounds)
        snprintf(last, sizeof(last), "%llu s ago",
                 (unsigned long long)((now_us - s->store.done_us) / 1000000));
    snprintf(text, sizeof(text),
             "state     disk %u  leases %u of %u  restored %u  writes %llu  blocks %llu  last %s  "
             "errors %llu  no room %u",
             s->number, s->store.used, s->store.records, c->restored, (unsigned long long)c->rounds,
             (unsigned long long)c->blocks, last, (unsigned long long)c->errors, c->unkept);
    line(text);
    if (!s->waiting)
        return;
    snprintf(text, sizeof(text), "state     disk %u has not answered for %llu s", s->number,
             (unsigned long long)((now_us - s->answered_us) / 1000000));
    line(text);
}

void state_stop(struct state *s)
{
    for (unsigned i = 0; i < s->disk_count; i++)
        s->disks[i]->ops->stop(s->disks[i], "stopped");
    s->running = false;
    s->disk = NULL;
}
