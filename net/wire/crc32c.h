/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CRC-32C (RFC 3720, section 12.1), for data at rest. Not fast, as nothing asks for much of it.
 */
#ifndef NET_WIRE_CRC32C_H
#define NET_WIRE_CRC32C_H

#include "base.h"

uint32_t crc32c(const void *bytes, size_t n);

#endif
