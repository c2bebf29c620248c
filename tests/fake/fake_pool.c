/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See fake_pool.h.
 */
#include "tests/fake/fake_pool.h"
#include "tests/fake/frame_build.h"
#include "check.h"

#include <stdlib.h>

void fake_pool_start(struct pkt_pool *pool, uint32_t count)
{
    void *memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)count * PKT_BUF_BYTES);

    CHECK(memory);
    pkt_pool_init(pool, memory, count);
}

int fake_pool_stop(struct pkt_pool *pool)
{
    bool whole = pool->free_count == pool->count;

    frame_unpoison(pool);
    free(pool->memory);
    return whole ? 0 : -1;
}
