/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The vocabulary every file shares: fixed-width types, network-order types, small helpers.
 * Nothing here has state and nothing here depends on the machine.
 */
#ifndef BASE_H
#define BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef static_assert
#define static_assert _Static_assert
#endif

/* Values in network byte order as they stand in memory. Every address and port in Sluice is kept in
 * this form; convert with ntoh/hton only to do arithmetic or to print. */
typedef uint16_t be16;
typedef uint32_t be32;

#define ARRAY_COUNT(a)         (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)              ((a) < (b) ? (a) : (b))
#define MAX(a, b)              ((a) > (b) ? (a) : (b))
#define ALIGN_UP(n, a)         (((n) + (a)-1) & ~((a)-1))
#define LIKELY(x)              __builtin_expect(!!(x), 1)
#define UNLIKELY(x)            __builtin_expect(!!(x), 0)
#define PACKED                 __attribute__((packed))
#define NORETURN               __attribute__((noreturn))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define CACHE_LINE_BYTES       64

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline uint16_t swap16(uint16_t v)
{
    return __builtin_bswap16(v);
}

static inline uint32_t swap32(uint32_t v)
{
    return __builtin_bswap32(v);
}

static inline uint16_t ntoh16(be16 v)
{
    return swap16(v);
}

static inline uint32_t ntoh32(be32 v)
{
    return swap32(v);
}

static inline be16 hton16(uint16_t v)
{
    return swap16(v);
}

static inline be32 hton32(uint32_t v)
{
    return swap32(v);
}

/* An IPv4 address from its four numbers, in network order: BE_IP4(192, 168, 8, 1). */
#define BE_IP4(a, b, c, d)                                                                         \
    ((be32)((uint32_t)(a) | ((uint32_t)(b) << 8) | ((uint32_t)(c) << 16) | ((uint32_t)(d) << 24)))
#define BE16(v) ((be16)(((v)&0xFFu) << 8 | ((v) >> 8 & 0xFFu)))

/* The netmask, in network order, of a prefix length 0..32. */
static inline be32 prefix_mask(unsigned prefix)
{
    return prefix == 0 ? 0 : hton32(0xFFFFFFFFu << (32u - prefix));
}

/* Unaligned loads and stores. "raw" keeps the byte order found in memory (so a network field gives
 * a be16/be32); "be" converts to the machine's order. The builtins are spelled out because a
 * freestanding compiler takes memcpy for any function and would call it. */
static inline uint16_t load_raw16(const void *p)
{
    uint16_t v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t load_raw32(const void *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t load_raw64(const void *p)
{
    uint64_t v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
}

static inline void store_raw16(void *p, uint16_t v)
{
    __builtin_memcpy(p, &v, sizeof(v));
}

static inline void store_raw32(void *p, uint32_t v)
{
    __builtin_memcpy(p, &v, sizeof(v));
}

static inline uint16_t load_be16(const void *p)
{
    return ntoh16(load_raw16(p));
}

static inline uint32_t load_be32(const void *p)
{
    return ntoh32(load_raw32(p));
}

static inline void store_be16(void *p, uint16_t v)
{
    store_raw16(p, hton16(v));
}

static inline void store_be32(void *p, uint32_t v)
{
    store_raw32(p, hton32(v));
}

/* Where start-up code takes its memory from: zeroed, aligned to align (a power of two), never given
 * back; NULL if there is not enough. mem_alloc in the image, a test's own on a host. */
typedef void *(*alloc_fn)(size_t bytes, size_t align);

#define MAC_BYTES      6
/* Room for "aa:bb:cc:dd:ee:ff" and for "255.255.255.255", with the final NUL. */
#define MAC_TEXT_BYTES 18
#define IP4_TEXT_BYTES 16

#endif
