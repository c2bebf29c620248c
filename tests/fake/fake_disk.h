/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A disk in memory (include/blk.h) that can lose power. What is written stays in a cache until it
 * is flushed; when power fails, each sector of the cache may have got to the disk or not, and one
 * of them only in part.
 */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include "blk.h"

#define FAKE_DISK_PENDING 8

struct fake_disk {
    struct blk blk;
    uint8_t *bytes;                     /* what the disk has for sure */
    uint8_t *cache;                     /* and what a reader finds; as large */
    uint8_t *in_cache;                  /* of each sector: it is newer there */
    bool slow;                          /* done only by fake_disk_finish() */
    bool hung;                          /* never done */
    unsigned hang_at;                   /* hung from this request on, counting from 1; 0: no such */
    unsigned fail_writes, fail_flushes; /* so many of the next */
    uint64_t bad_at, bad_bytes;         /* cannot be read */
    unsigned writes, flushes;           /* done */
    bool overlaps;                      /* two pending writes of one place: never allowed */
    unsigned pending_count;
    struct blk_request *pending[FAKE_DISK_PENDING];
    struct blk_request lost[FAKE_DISK_PENDING]; /* what it was stopped without an answer to */
    unsigned lost_count;
    struct fake_disk *late; /* does at last what it lost whenever this one has done something */
};

void fake_disk_init(struct fake_disk *d, uint64_t bytes);
void fake_disk_free(struct fake_disk *d);

/* Does all that is pending. */
void fake_disk_finish(struct fake_disk *d);

/* Power goes and comes back. random(n) is below n. */
void fake_disk_cut(struct fake_disk *d, uint32_t (*random)(uint32_t n));

#endif
