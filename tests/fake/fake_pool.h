/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A pool of packet buffers for as long as a test runs.
 */
#ifndef FAKE_POOL_H
#define FAKE_POOL_H

#include "pkt.h"

void fake_pool_start(struct pkt_pool *pool, uint32_t count);

/* Frees it. What a cmocka teardown returns: 0 if every buffer has come back. */
int fake_pool_stop(struct pkt_pool *pool);

#endif
