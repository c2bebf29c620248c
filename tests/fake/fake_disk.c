/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A disk in memory; see fake_disk.h.
 */
#include "tests/fake/fake_disk.h"

#include "check.h"

#include <stdlib.h>

static struct fake_disk *disk_of(struct blk *disk)
{
    return container_of(disk, struct fake_disk, blk);
}

static void write_cache(struct fake_disk *d, const struct blk_request *r)
{
    memcpy(d->cache + r->at, r->bytes, r->n);
    memset(d->in_cache + r->at / BLK_SECTOR_BYTES, 1, r->n / BLK_SECTOR_BYTES);
    d->writes++;
}

static void flush(struct fake_disk *d)
{
    memcpy(d->bytes, d->cache, d->blk.bytes);
    memset(d->in_cache, 0, d->blk.bytes / BLK_SECTOR_BYTES);
    d->flushes++;
}

static bool work(struct fake_disk *d, const struct blk_request *r)
{
    switch (r->op) {
    case BLK_READ:
        if (r->at < d->bad_at + d->bad_bytes && d->bad_at < r->at + r->n)
            return false;
        memcpy(r->bytes, d->cache + r->at, r->n);
        return true;
    case BLK_WRITE:
        if (d->fail_writes) {
            d->fail_writes--;
            memset(d->cache + r->at, 0x99, r->n / 2); /* who knows */
            return false;
        }
        write_cache(d, r);
        return true;
    default:
        if (d->fail_flushes) {
            d->fail_flushes--;
            return false;
        }
        flush(d);
        return true;
    }
}

static void answer_late(struct fake_disk *d)
{
    for (unsigned i = 0; i < d->lost_count; i++)
        work(d, &d->lost[i]);
}

void fake_disk_finish(struct fake_disk *d)
{
    for (unsigned i = 0; i < d->pending_count; i++)
        d->pending[i]->state = work(d, d->pending[i]) ? BLK_DONE : BLK_FAILED;
    if (d->pending_count > 0 && d->late)
        answer_late(d->late);
    d->pending_count = 0;
}

static bool submit(struct blk *disk, struct blk_request *r)
{
    struct fake_disk *d = disk_of(disk);

    if (disk->dead) {
        r->state = BLK_FAILED;
        return true;
    }
    CHECK(r->op == BLK_FLUSH ||
          (r->n > 0 && r->n <= disk->request_bytes && r->at + r->n <= disk->bytes &&
           r->at % disk->block_bytes == 0 && r->n % disk->block_bytes == 0));
    CHECK(r->op != BLK_WRITE || !disk->read_only);
    if (d->hang_at && --d->hang_at == 0)
        d->hung = true;
    if (d->pending_count == d->blk.requests_max)
        return false;
    for (unsigned i = 0; i < d->pending_count; i++)
        d->overlaps |=
            r->op == BLK_FLUSH || d->pending[i]->op == BLK_FLUSH || d->pending[i]->at == r->at;
    r->state = BLK_PENDING;
    d->pending[d->pending_count++] = r;
    return true;
}

static void poll(struct blk *disk)
{
    struct fake_disk *d = disk_of(disk);

    if (!d->slow && !d->hung)
        fake_disk_finish(d);
}

static void stop(struct blk *disk, const char *why)
{
    struct fake_disk *d = disk_of(disk);

    if (disk->dead)
        return;
    disk->dead = why;
    for (unsigned i = 0; i < d->pending_count; i++) {
        d->lost[i] = *d->pending[i];
        d->pending[i]->state = BLK_LOST;
    }
    d->lost_count = d->pending_count;
    d->pending_count = 0;
}

static const struct blk_ops ops = {.submit = submit, .poll = poll, .stop = stop};

void fake_disk_init(struct fake_disk *d, uint64_t bytes)
{
    *d = (struct fake_disk){.blk = {.ops = &ops,
                                    .location = "00:05.0",
                                    .bytes = bytes,
                                    .block_bytes = BLK_SECTOR_BYTES,
                                    .request_bytes = 65536,
                                    .requests_max = FAKE_DISK_PENDING,
                                    .caches = true},
                            .bytes = calloc(1, bytes),
                            .cache = calloc(1, bytes),
                            .in_cache = calloc(1, bytes / BLK_SECTOR_BYTES + 1)};
}

void fake_disk_free(struct fake_disk *d)
{
    free(d->bytes);
    free(d->cache);
    free(d->in_cache);
}

void fake_disk_cut(struct fake_disk *d, uint32_t (*random)(uint32_t n))
{
    uint64_t sectors = d->blk.bytes / BLK_SECTOR_BYTES;

    /* What was under way may have been done or not. */
    for (unsigned i = 0; i < d->pending_count; i++)
        if (random(2) && d->pending[i]->op == BLK_WRITE)
            write_cache(d, d->pending[i]);
    d->pending_count = 0;
    bool torn = false;
    for (uint64_t i = 0; i < sectors; i++) {
        if (!d->in_cache[i])
            continue;
        uint32_t n = random(2) ? BLK_SECTOR_BYTES : 0;
        if (!torn && random(8) == 0) {
            n = random(random(2) ? 64 : BLK_SECTOR_BYTES); /* what matters is often at the front */
            torn = true;
        }
        memcpy(d->bytes + i * BLK_SECTOR_BYTES, d->cache + i * BLK_SECTOR_BYTES, n);
    }
    memcpy(d->cache, d->bytes, d->blk.bytes);
    memset(d->in_cache, 0, sectors);
    d->blk.dead = NULL;
}
