/* SPDX-License-Identifier: BSD-3-Clause
 *
 * An alloc_fn (base.h) for tests that keeps count, can be made to run out, and can be given back
 * all at once.
 */
#ifndef FAKE_ALLOC_H
#define FAKE_ALLOC_H

#include "base.h"

/* Zeroed and aligned; NULL once fake_alloc_limit bytes are out. */
void *fake_alloc(size_t bytes, size_t align);

/* The same with memory that is not zero: for what may not rely on it. */
void *fake_alloc_dirty(size_t bytes, size_t align);

extern size_t fake_alloc_bytes; /* given out and not freed */
extern size_t fake_alloc_limit; /* SIZE_MAX at start */

void fake_alloc_free_all(void);

#endif
