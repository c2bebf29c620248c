/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which outside ports of one protocol are taken: a bitmap with a summary word a 64 words, searched from a random
 * start (RFC 6056), keeping the inside port where it is free, and its parity and range (RFC 4787, REQ-3, REQ-4).
 */
#ifndef NET_PORT_POOL_H
#define NET_PORT_POOL_H

#include "base.h"

struct port_pool {
    uint64_t taken[1024];  /* a bit a port */
    uint64_t full[16];     /* a bit a word of taken: all its ports are taken */
    uint32_t free_count;   /* ports port_pool_take can still give */
    uint64_t random;       /* state of its generator */
};

/* All ports free but 0. seed makes the choice unpredictable. */
void port_pool_init(struct port_pool *pool, uint64_t seed);

/* Takes wanted (host order) if it is free and 1024 or above (an inside port below 1024 is mapped below 1024 when
 * possible); otherwise a random one of the same range, of the same parity if there is one. 0 if none is free. */
uint16_t port_pool_take(struct port_pool *pool, uint16_t wanted);

/* A random free one, 1024..65535; 0 if none. */
uint16_t port_pool_take_random(struct port_pool *pool);

/* Takes exactly this one; false if it is taken. */
bool port_pool_take_exact(struct port_pool *pool, uint16_t port);

void port_pool_release(struct port_pool *pool, uint16_t port);

#endif
