/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The CPU: instructions that C has no words for, and what CPUID says. Names and bits: Intel SDM
 * volumes 3 and 4, AMD APM volume 2.
 */
#ifndef CPU_H
#define CPU_H

#include "base.h"

#define CR0_WP   (1u << 16)
#define CR4_MCE  (1u << 6)
#define CR4_UMIP (1u << 11)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)

#define MSR_APIC_BASE        0x1B
#define MSR_APIC_BASE_X2APIC (1u << 10)
#define MSR_APIC_BASE_ENABLE (1u << 11)
#define MSR_PAT              0x277                 /* page attribute table: 8 entries of a byte */
#define MSR_PAT_WC_AT_1      0x0007010600070106ULL /* as from reset, but entries 1 and 5 */
#define MSR_TSC_DEADLINE     0x6E0
#define MSR_X2APIC           0x800 /* register at offset n of the page is MSR 0x800 + n / 16 */
#define MSR_EFER             0xC0000080
#define MSR_EFER_NXE         (1u << 11)
#define MSR_FS_BASE          0xC0000100

#define CPU_CODE_SELECTOR 0x08
#define CPU_DATA_SELECTOR 0x10
#define CPU_TSS_SELECTOR  0x18

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

/* What this CPU can do, as far as the kernel cares; filled by cpu_init. */
struct cpu_features {
    uint32_t max_leaf;
    uint32_t max_hypervisor_leaf; /* 0 if there is no hypervisor or it has no leaves */
    uint8_t physical_bits;        /* of an address */
    bool nx, large_1gb, smep, smap, umip, machine_check, pat;
    bool rdrand, rdseed;
    bool tsc_deadline, tsc_invariant;
};
extern struct cpu_features cpu_features;

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static inline uint64_t read_cr0(void)
{
    uint64_t v;
    __asm__ volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}

static inline uint64_t read_cr2(void)
{
    uint64_t v;
    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

static inline uint64_t read_cr3(void)
{
    uint64_t v;
    __asm__ volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}

static inline void write_cr3(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}

static inline uint64_t read_cr4(void)
{
    uint64_t v;
    __asm__ volatile("mov %%cr4, %0" : "=r"(v));
    return v;
}

static inline void write_cr4(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr4" ::"r"(v) : "memory");
}

static inline void invlpg(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}

static inline void interrupts_off(void)
{
    __asm__ volatile("cli" ::: "memory");
}

/* Stops for good. An NMI ends a hlt, hence the loop. */
NORETURN static inline void cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" ::: "memory");
}

#endif
