/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Access to device registers and I/O ports, and the barriers that order them with DMA memory.
 * x86 keeps loads in order with loads and stores with stores; only a store followed by a load of
 * something else needs a real fence (io_barrier).
 */
#ifndef IO_H
#define IO_H

#include "base.h"

static inline uint8_t in8(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline void out8(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline uint8_t read8(const volatile void *reg)
{
    return *(const volatile uint8_t *)reg;
}

static inline uint16_t read16(const volatile void *reg)
{
    return *(const volatile uint16_t *)reg;
}

static inline uint32_t read32(const volatile void *reg)
{
    return *(const volatile uint32_t *)reg;
}

static inline void write8(volatile void *reg, uint8_t v)
{
    *(volatile uint8_t *)reg = v;
}

static inline void write16(volatile void *reg, uint16_t v)
{
    *(volatile uint16_t *)reg = v;
}

static inline void write32(volatile void *reg, uint32_t v)
{
    *(volatile uint32_t *)reg = v;
}

/* Stores before it are visible before loads after it: between arming an interrupt and the last
 * look. */
static inline void io_barrier(void)
{
    __asm__ volatile("mfence" ::: "memory");
}

/* Keeps the compiler from moving memory accesses across; enough between two stores or two loads on
 * x86. */
static inline void io_order(void)
{
    __asm__ volatile("" ::: "memory");
}

#endif
