/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Theory of operation. Interrupts are on only inside irq_wait and irq_let_in, which the loop enters
 * when it has nothing to do. An interrupt here is a wake-up: handlers silence their device and note
 * that there is work. Message-signalled interrupts have a vector each; legacy lines are shared and
 * come through the 8259.
 *
 * A level-triggered line whose device is not silenced would come again for ever, and the loop would
 * never run again. So the requests of one stay are counted, and a line that goes over the limit is
 * masked.
 */
#include "irq.h"
#include "apic.h"
#include "init.h"
#include "ioapic.h"
#include "irq_private.h"
#include "log.h"
#include "pic.h"
#include "trap.h"

#define MSI_VECTOR 0x40
#define MSI_COUNT  128
static_assert(MSI_VECTOR >= PIC_VECTOR + PIC_LINES, "after the legacy lines");
static_assert(MSI_VECTOR + MSI_COUNT <= APIC_VECTOR_TIMER, "before the APIC's own");

#define LINE_HANDLERS 8
#define LINE_STORM    10000 /* requests of one line in one stay */

struct handler {
    irq_handler call;
    void *arg;
};

static struct handler msi[MSI_COUNT];
static unsigned msi_count;

static struct {
    struct handler handlers[LINE_HANDLERS];
    unsigned count;
    unsigned requests; /* in this stay */
    bool storm;        /* masked for good */
} lines[PIC_LINES];
static bool have_pic;
static bool line_came;          /* in this stay */
static uint32_t storms_to_tell; /* bit per line */

static struct irq_counts counts;

void irq_init(void)
{
    have_pic = pic_init();
    apic_init(have_pic);
}

int irq_alloc_msi(irq_handler handler, void *arg, uint64_t *address, uint32_t *data)
{
    if (msi_count == MSI_COUNT)
        return -ENOSPC;
    msi[msi_count] = (struct handler){handler, arg};
    *address = apic_msi_address();
    *data = MSI_VECTOR + msi_count; /* fixed delivery, edge */
    msi_count++;
    return 0;
}

int irq_attach_line(unsigned line, irq_handler handler, void *arg)
{
    if (!have_pic)
        return ioapic_attach_line(line, handler, arg);
    if (line >= PIC_LINES)
        return -ENODEV;
    if (lines[line].count == LINE_HANDLERS)
        return -ENOSPC;
    lines[line].handlers[lines[line].count++] = (struct handler){handler, arg};
    if (!lines[line].storm)
        pic_unmask(line);
    return 0;
}

struct irq_counts irq_get_counts(void)
{
    return counts;
}

static void line_dispatch(unsigned line)
{
    if (!pic_is_genuine(line)) {
        counts.spurious++;
        return;
    }
    counts.line++;
    line_came = true;
    for (unsigned i = 0; i < lines[line].count; i++)
        lines[line].handlers[i].call(lines[line].handlers[i].arg);
    if (++lines[line].requests > LINE_STORM && !lines[line].storm) {
        lines[line].storm = true;
        storms_to_tell |= 1u << line;
        pic_mask(line);
    }
    pic_end(line);
}

/* Called by the stubs of trap_entry.S. */
void irq_dispatch(uint32_t vector)
{
    if (vector >= MSI_VECTOR && vector < MSI_VECTOR + msi_count) {
        counts.msi++;
        msi[vector - MSI_VECTOR].call(msi[vector - MSI_VECTOR].arg);
        apic_end();
    } else if (vector == APIC_VECTOR_TIMER) {
        counts.timer++;
        apic_end();
    } else if (vector >= PIC_VECTOR && vector < PIC_VECTOR + PIC_LINES) {
        line_dispatch(vector - PIC_VECTOR);
    } else if (vector == APIC_VECTOR_SPURIOUS) {
        counts.spurious++;
    } else {
        counts.spurious++;
        apic_end();
    }
}

/* After a stay: what its handlers could not say themselves. */
static void end_stay(void)
{
    ioapic_end_stay();
    if (!line_came)
        return;
    line_came = false;
    for (unsigned line = 0; line < PIC_LINES; line++) {
        lines[line].requests = 0;
        if (storms_to_tell & 1u << line)
            log_error("interrupt line %u never falls silent: masked; its ports are polled", line);
    }
    storms_to_tell = 0;
}

void irq_let_in(void)
{
    /* sti takes effect after the next instruction, so the nop is needed. */
    __asm__ volatile("sti; nop; cli" ::: "memory");
    end_stay();
}

void irq_wait(void)
{
    /* For the same reason nothing can come between sti and hlt, so no wake-up is lost. */
    __asm__ volatile("sti; hlt; cli" ::: "memory");
    end_stay();
}
