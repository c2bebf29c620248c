/* SPDX-License-Identifier: BSD-3-Clause
 *
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed function of short messages whose values, even
 * many of them, tell nothing about the key. For what an attacker gets to see, such as initial
 * sequence numbers; tables use net/hash.h.
 */
#ifndef NET_HOST_SIPHASH_H
#define NET_HOST_SIPHASH_H

#include "base.h"

uint64_t siphash(const uint64_t key[2], const uint8_t *bytes, size_t n);

#endif
