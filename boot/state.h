/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The disk that keeps what must survive a restart (state=): the leases of the DHCP server.
 *
 * The whole disk belongs to the router, and has a header of ours or is empty: nothing else is ever
 * written to. Whatever goes wrong with it, the router goes on without.
 */
#ifndef BOOT_STATE_H
#define BOOT_STATE_H

#include "base.h"
#include "blk.h"
#include "config.h"
#include "net/dhcp_store.h"

#define STATE_REQUESTS 4 /* at a time; each has a block of its own */

struct state {
    struct blk *disks[BLK_MAX];
    unsigned disk_count, number; /* the disk's, as state= counts them */
    struct blk *disk;            /* NULL: no state is kept */
    uint64_t id;
    uint8_t key[STORE_KEY_BYTES];
    uint8_t *chunk; /* what is read at start; NULL: a disk that does not answer has it */
    struct dhcp_store store;
    struct store_group *blocks; /* STATE_REQUESTS of them */
    struct blk_request requests[STATE_REQUESTS];
    unsigned pending;
    uint64_t answered_us; /* when something was done, or handed over with nothing pending */
    bool running;         /* changes are written */
    bool waiting;         /* it has not answered for long, and a line said so */
    bool failing;         /* the last write failed, and a line said so */
    bool told_unkept;
    char why[80]; /* while there is no disk, or it is not used any more: why */
};

/* Finds the disk that is meant among those of probe (blk_probe_all), and makes an empty one ours.
 * False: there is none that can be used, and unless state is off, a line says why. All waiting has
 * limits. */
bool state_open(struct state *s, const struct config_state *config, blk_probe_fn probe);

/* The memory that state_restore() will take for a server of this configuration. */
uint64_t state_bytes(const struct state *s, const struct config *config);

/* Gives the server, which was made with s->key, the leases that the disk has, and keeps them from
 * now on. Nothing if there is no disk. */
void state_restore(struct state *s, struct dhcp_server *dhcp);

/* Goes on with writing, if there is anything: to be asked in every round of the loop. */
void state_work(struct state *s, uint64_t now_us);

static inline void state_poll(struct state *s, uint64_t now_us)
{
    if (s->running && (s->pending || dhcp_store_next_us(&s->store) <= now_us))
        state_work(s, now_us);
}

/* When state_poll() has something to do; UINT64_MAX: not before a lease changes. */
uint64_t state_next_us(const struct state *s, uint64_t now_us);

void state_print(const struct state *s, uint64_t now_us, void (*line)(const char *text));

/* The last thing before the end: what has changed is on the disk when it returns, unless the disk
 * fails or takes longer than FINISH_MAX_WAIT_US; then a line says so. No lease may change
 * meanwhile. */
void state_finish(struct state *s);

/* No disk is used any more; safe in a panic. */
void state_stop(struct state *s);

#endif
