/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which outside ports of one protocol are taken: a bitmap with summary words, searched from a
 * random start (RFC 6056, section 3.3.1), keeping the inside port where it is free, and its parity
 * and range (RFC 4787, REQ-3, REQ-4). No port is ever given to two takers (REQ-3b).
 *
 * Ports are in host order here.
 */
#ifndef NET_PORT_POOL_H
#define NET_PORT_POOL_H

#include "base.h"

#define PORT_POOL_FIRST 1024u /* of the range that random ports come from */

struct port_pool {
    uint64_t taken[1024]; /* a bit a port */
    uint64_t
        full[2][16]; /* by parity: a bit a word of taken, all its ports of that parity are taken */
    uint32_t free_count; /* ports of 1..65535 that are not taken */
    uint32_t free_low;   /* of them below PORT_POOL_FIRST, which only who wants such a one gets */
    uint64_t key[2];     /* of its generator: a keyed permutation of a counter */
    uint64_t counter;
};

/* All ports free but 0. seed is secret and random: it makes the choice unpredictable. */
void port_pool_init(struct port_pool *pool, const uint64_t seed[2]);

/* Chooses by another seed from now on; what is taken stays taken. */
void port_pool_reseed(struct port_pool *pool, const uint64_t seed[2]);

/* Takes wanted if it is free. Otherwise a random one of the same range (below 1024, or 1024 and
 * above) and of the same parity; if there is none, of the other parity; and for wanted below 1024
 * at last one above. 0 if none is free. An identifier wanted as 0 gets a random one. */
uint16_t port_pool_take(struct port_pool *pool, uint16_t wanted);

/* A random free one, 1024..65535; 0 if none. */
uint16_t port_pool_take_random(struct port_pool *pool);

/* Takes exactly this one; false if it is taken (0 always is). */
bool port_pool_take_exact(struct port_pool *pool, uint16_t port);

/* Gives back a port that was taken. */
void port_pool_release(struct port_pool *pool, uint16_t port);

/* True of a port that only who wants such a one gets. */
static inline bool port_pool_is_low(uint16_t port)
{
    return port != 0 && port < PORT_POOL_FIRST;
}

static inline bool port_pool_is_taken(const struct port_pool *pool, uint16_t port)
{
    return pool->taken[port / 64] >> port % 64 & 1;
}

#endif
