/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Puts the one CPU in order: what it can do, the segment table and task state of long mode (whose
 * only use is to name the stacks of traps), the protections it offers, and the block that %fs
 * points at.
 */
#include "cpu.h"
#include "init.h"
#include "stacks.h"

/* CPUID bits: leaf 1 ecx and edx, leaf 7 ebx and ecx, leaf 0x80000001 edx, leaf 0x80000007 edx. */
#define CPUID_1_ECX_TSC_DEADLINE     (1u << 24)
#define CPUID_1_ECX_RDRAND           (1u << 30)
#define CPUID_1_ECX_HYPERVISOR       (1u << 31)
#define CPUID_1_EDX_MCE              (1u << 7)
#define CPUID_1_EDX_PAT              (1u << 16)
#define CPUID_7_EBX_SMEP             (1u << 7)
#define CPUID_7_EBX_RDSEED           (1u << 18)
#define CPUID_7_EBX_SMAP             (1u << 20)
#define CPUID_7_ECX_UMIP             (1u << 2)
#define CPUID_EXT1_EDX_NX            (1u << 20)
#define CPUID_EXT1_EDX_1GB           (1u << 26)
#define CPUID_EXT7_EDX_TSC_INVARIANT (1u << 8)

#define DEFAULT_PHYSICAL_BITS 36

struct cpu_features cpu_features;

/* Task state segment in long mode (SDM vol. 3, 7.7). */
struct PACKED tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
};
static_assert(sizeof(struct tss) == 104, "the CPU's layout");

struct PACKED table_register {
    uint16_t limit;
    uint64_t base;
};

/* Null, code, data, and the task state's two entries, in the order of the selectors of cpu.h. */
static uint64_t gdt[5] = {0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0, 0};
static struct tss tss;

/* musl as Debian builds it reads its stack canary at %fs:0x28 (the ABI of x86-64 thread control
 * blocks); there is one thread, this is its block. Its other field in use is the pointer to itself.
 */
#define TCB_CANARY 5
static uint64_t thread_block[16];

static void find_features(void)
{
    struct cpu_features *f = &cpu_features;
    f->max_leaf = cpuid(0, 0).eax;
    uint32_t max_extended = cpuid(0x80000000, 0).eax;

    struct cpuid basic = cpuid(1, 0);
    f->tsc_deadline = basic.ecx & CPUID_1_ECX_TSC_DEADLINE;
    f->rdrand = basic.ecx & CPUID_1_ECX_RDRAND;
    f->machine_check = basic.edx & CPUID_1_EDX_MCE;
    f->pat = basic.edx & CPUID_1_EDX_PAT;
    if (basic.ecx & CPUID_1_ECX_HYPERVISOR)
        f->max_hypervisor_leaf = cpuid(0x40000000, 0).eax;
    if (f->max_leaf >= 7) {
        struct cpuid structured = cpuid(7, 0);
        f->smep = structured.ebx & CPUID_7_EBX_SMEP;
        f->smap = structured.ebx & CPUID_7_EBX_SMAP;
        f->rdseed = structured.ebx & CPUID_7_EBX_RDSEED;
        f->umip = structured.ecx & CPUID_7_ECX_UMIP;
    }
    uint32_t extended = cpuid(0x80000001, 0).edx;
    f->nx = extended & CPUID_EXT1_EDX_NX;
    f->large_1gb = extended & CPUID_EXT1_EDX_1GB;
    if (max_extended >= 0x80000007)
        f->tsc_invariant = cpuid(0x80000007, 0).edx & CPUID_EXT7_EDX_TSC_INVARIANT;
    f->physical_bits = DEFAULT_PHYSICAL_BITS;
    if (max_extended >= 0x80000008)
        f->physical_bits = cpuid(0x80000008, 0).eax & 0xFF;
}

static void load_segments(void)
{
    for (unsigned ist = 1; ist < STACK_COUNT; ist++)
        tss.ist[ist - 1] = stack_get((enum stack_ist)ist).high;
    tss.io_map = sizeof(tss);

    uint64_t base = (uint64_t)&tss;
    gdt[CPU_TSS_SELECTOR / 8] =
        (sizeof(tss) - 1) | (base & 0xFFFFFF) << 16 | 0x89ULL << 40 | (base >> 24 & 0xFF) << 56;
    gdt[CPU_TSS_SELECTOR / 8 + 1] = base >> 32;

    /* The selectors are those of the boot's table, but the CPU's copies are reloaded all the same:
     * what is in memory and what is in use should not differ. */
    struct table_register reg = {sizeof(gdt) - 1, (uint64_t)gdt};
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1: movl %2, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\t"
                     "ltr %w3"
                     :
                     : "m"(reg), "i"(CPU_CODE_SELECTOR), "i"(CPU_DATA_SELECTOR),
                       "r"(CPU_TSS_SELECTOR)
                     : "rax", "memory");
}

void cpu_init(void)
{
    find_features();
    load_segments();

    uint64_t cr4 = read_cr4();
    cr4 |= cpu_features.smep ? CR4_SMEP : 0;
    cr4 |= cpu_features.smap ? CR4_SMAP : 0;
    cr4 |= cpu_features.umip ? CR4_UMIP : 0;
    /* Without it a machine check is a reset that says nothing. */
    cr4 |= cpu_features.machine_check ? CR4_MCE : 0;
    write_cr4(cr4);
    /* Entry 1, write-through from reset, is in no page table yet, so nothing has to be flushed. */
    if (cpu_features.pat)
        wrmsr(MSR_PAT, MSR_PAT_WC_AT_1);

    thread_block[0] = (uint64_t)thread_block;
    /* A zero byte first, so that no string function can write the whole canary. */
    thread_block[TCB_CANARY] = (rdtsc() * 0x9E3779B97F4A7C15ULL) << 8;
    wrmsr(MSR_FS_BASE, (uint64_t)thread_block);
}
