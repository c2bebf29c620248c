/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See fake_alloc.h.
 */
#include "tests/fake/fake_alloc.h"
#include "check.h"

#include <stdlib.h>

#define KEPT 256

size_t fake_alloc_bytes;
size_t fake_alloc_limit = SIZE_MAX;

static void *kept[KEPT];
static unsigned kept_count;

void *fake_alloc(size_t bytes, size_t align)
{
    CHECK(kept_count < KEPT);
    if (bytes > fake_alloc_limit - fake_alloc_bytes)
        return NULL;
    size_t rounded = ALIGN_UP(bytes, align);
    void *p = aligned_alloc(align, rounded);
    CHECK(p);
    memset(p, 0, rounded);
    kept[kept_count++] = p;
    fake_alloc_bytes += bytes;
    return p;
}

void *fake_alloc_dirty(size_t bytes, size_t align)
{
    void *p = fake_alloc(bytes, align);
    if (p)
        memset(p, 0xA5, bytes);
    return p;
}

void fake_alloc_free_all(void)
{
    while (kept_count > 0)
        free(kept[--kept_count]);
    fake_alloc_bytes = 0;
    fake_alloc_limit = SIZE_MAX;
}
