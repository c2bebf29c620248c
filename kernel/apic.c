/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Local APIC (SDM vol. 3, chapter 11). Its registers are a page of memory (xAPIC), or MSRs if
 * whoever ran before us has switched to x2APIC, from which there is no way back without a reset.
 */
#include "apic.h"
#include "cpu.h"
#include "io.h"
#include "mem.h"
#include "power.h"

#define APIC_ID                 0x20 /* bits 31..24, in x2APIC all of it */
#define APIC_TPR                0x80 /* 0 lets every vector in */
#define APIC_EOI                0xB0 /* write 0 */
#define APIC_SVR                0xF0 /* spurious vector */
#define APIC_SVR_ENABLE         0x100
#define APIC_LVT_TIMER          0x320
#define APIC_LVT_TIMER_ONE_SHOT (0u << 17)
#define APIC_LVT_TIMER_DEADLINE (2u << 17)
#define APIC_LVT_LINT0          0x350
#define APIC_LVT_LINT1          0x360
#define APIC_LVT_ERROR          0x370
#define APIC_LVT_MASKED         (1u << 16)
#define APIC_LVT_NMI            (4u << 8)
#define APIC_LVT_EXTINT         (7u << 8)
#define APIC_TIMER_INITIAL      0x380
#define APIC_TIMER_CURRENT      0x390
#define APIC_TIMER_DIVIDE       0x3E0
#define APIC_TIMER_DIVIDE_16    0x3

#define APIC_PAGE_BYTES               4096
#define APIC_BASE_MASK                0x000FFFFFFFFFF000ULL
#define MSI_ADDRESS                   0xFEE00000ULL
#define MSI_ADDRESS_DESTINATION_SHIFT 12

static volatile uint8_t *page; /* NULL: x2APIC */

static uint32_t reg_read(unsigned reg)
{
    if (!page)
        return (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
    return read32(page + reg);
}

static void reg_write(unsigned reg, uint32_t value)
{
    if (!page)
        wrmsr(MSR_X2APIC + reg / 16, value);
    else
        write32(page + reg, value);
}

void apic_init(bool with_pic)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if (!(base & MSR_APIC_BASE_ENABLE)) {
        base |= MSR_APIC_BASE_ENABLE;
        wrmsr(MSR_APIC_BASE, base);
    }
    if (!(base & MSR_APIC_BASE_X2APIC)) {
        page = mem_map_device(base & APIC_BASE_MASK, APIC_PAGE_BYTES);
        if (!page)
            panic("the local APIC at 0x%llx cannot be mapped",
                  (unsigned long long)(base & APIC_BASE_MASK));
    }

    reg_write(APIC_TPR, 0);
    reg_write(APIC_LVT_TIMER, APIC_LVT_MASKED | APIC_VECTOR_TIMER);
    reg_write(APIC_LVT_ERROR, APIC_VECTOR_ERROR);
    reg_write(APIC_SVR, APIC_SVR_ENABLE | APIC_VECTOR_SPURIOUS);
    /* Entries of the table can be unmasked only once the APIC is enabled. */
    reg_write(APIC_LVT_LINT0, with_pic ? APIC_LVT_EXTINT : APIC_LVT_MASKED);
    reg_write(APIC_LVT_LINT1, APIC_LVT_NMI);
    reg_write(APIC_TIMER_DIVIDE, APIC_TIMER_DIVIDE_16);
    reg_write(APIC_TIMER_INITIAL, 0);
}

void apic_end(void)
{
    reg_write(APIC_EOI, 0);
}

uint64_t apic_msi_address(void)
{
    uint32_t id = reg_read(APIC_ID);
    uint32_t destination = page ? id >> 24 : id & 0xFF;
    return MSI_ADDRESS | (uint64_t)destination << MSI_ADDRESS_DESTINATION_SHIFT;
}

void apic_timer_use_deadline(bool deadline)
{
    uint32_t mode = deadline ? APIC_LVT_TIMER_DEADLINE : APIC_LVT_TIMER_ONE_SHOT;
    reg_write(APIC_LVT_TIMER, mode | APIC_VECTOR_TIMER);
    /* The mode must have arrived before the first write to the deadline MSR (SDM vol. 3, 11.5.4.1).
     */
    io_barrier();
}

void apic_timer_set(uint32_t count)
{
    reg_write(APIC_TIMER_INITIAL, count);
}

uint32_t apic_timer_left(void)
{
    return reg_read(APIC_TIMER_CURRENT);
}
