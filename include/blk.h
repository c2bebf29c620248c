/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A disk: requests that are handed over, worked on by the device, and looked at again when they are
 * done. Nothing here waits; whoever needs to, at start, polls with a limit of its own.
 *
 * A request and its bytes belong to the disk from submit() until its state is no longer
 * BLK_PENDING. A disk that breaks the rules ends every request with BLK_FAILED, and reaches no
 * memory any more. So does one that is stopped, but for requests that it has not answered: they are
 * BLK_LOST, and their bytes its own for ever. For a device is not reset while it has requests: QEMU
 * waits for the host's storage then, and so does the whole machine.
 */
#ifndef BLK_H
#define BLK_H

#include "base.h"

#define BLK_MAX           8    /* disks that are looked at; further ones are left alone */
#define BLK_SERIAL_BYTES  21   /* with the final NUL */
#define BLK_SECTOR_BYTES  512  /* requests begin and end at multiples of this */
#define BLK_REQUEST_BYTES 4096 /* what every disk takes in one request */
#define BLK_REQUESTS_MAX  8    /* pending at a time; a disk may take fewer */
#define BLK_ALIGN_BYTES   4096

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH };

enum blk_state {
    BLK_IDLE,    /* the caller's, never handed over */
    BLK_PENDING, /* the disk's */
    BLK_DONE,
    BLK_FAILED,
    BLK_LOST, /* the request is the caller's, the bytes are the disk's for ever */
};

struct blk_request {
    uint8_t op;    /* enum blk_op */
    uint8_t state; /* enum blk_state */
    uint32_t n;    /* bytes; 0 for a flush */
    uint64_t at;   /* byte on the disk */
    void *bytes;   /* n of them, in memory that the device reaches (mem_alloc) */
};

struct blk {
    const struct blk_ops *ops;
    const char *location; /* "00:05.0" */
    char serial[BLK_SERIAL_BYTES];
    uint64_t bytes;         /* of the whole disk */
    uint32_t block_bytes;   /* requests must be multiples of this; BLK_SECTOR_BYTES mostly */
    uint32_t request_bytes; /* the largest request; at least BLK_REQUEST_BYTES */
    unsigned requests_max;  /* pending at a time; 1 to BLK_REQUESTS_MAX */
    bool read_only;
    bool caches;      /* a write is safe only after a flush */
    const char *dead; /* why it is not used any more; NULL while it is */
};

struct blk_ops {
    /* False: no room now, and the request stays the caller's. A request to a dead disk is taken and
     * fails at once. */
    bool (*submit)(struct blk *disk, struct blk_request *request);
    /* Takes back what is done. */
    void (*poll)(struct blk *disk);
    /* Ends its use for good, and cuts it off unless it has requests; safe in a panic. */
    void (*stop)(struct blk *disk, const char *why);
};

/* Starts the disks that a driver here knows, in the order of NICs (drivers.h), and returns how many
 * are running. One that cannot be started is logged and left out. max is at most BLK_MAX. */
typedef unsigned (*blk_probe_fn)(struct blk **disks, unsigned max);
unsigned blk_probe_all(struct blk **disks, unsigned max);

#endif
