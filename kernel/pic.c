/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Intel 8259A (datasheet 231468): two controllers, the second on line 2 of the first. Only legacy
 * lines come through here (INTx of PCI devices without MSI, the serial port); they reach the CPU
 * through LINT0 of the local APIC in virtual-wire mode.
 */
#include "pic.h"
#include "io.h"

#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xA0
#define PIC2_DATA    0xA1

#define ICW1_INIT            0x11 /* edge as the machine wires it, cascade, ICW4 follows */
#define ICW4_8086            0x01
#define OCW2_END             0x20
#define OCW3_READ_IN_SERVICE 0x0B

#define CASCADE_LINE 2
#define ALL_MASKED   0xFF
#define PROBE        0xA5

static uint8_t mask[2] = {ALL_MASKED, ALL_MASKED};

static void write_masks(void)
{
    out8(PIC1_DATA, mask[0]);
    out8(PIC2_DATA, mask[1]);
}

bool pic_init(void)
{
    /* The mask register reads back what was written; a bus without a 8259 reads all ones. */
    out8(PIC1_DATA, PROBE);
    bool present = in8(PIC1_DATA) == PROBE;
    out8(PIC1_DATA, ALL_MASKED);
    if (!present)
        return false;

    out8(PIC1_COMMAND, ICW1_INIT);
    out8(PIC2_COMMAND, ICW1_INIT);
    out8(PIC1_DATA, PIC_VECTOR);
    out8(PIC2_DATA, PIC_VECTOR + 8);
    out8(PIC1_DATA, 1 << CASCADE_LINE);
    out8(PIC2_DATA, CASCADE_LINE);
    out8(PIC1_DATA, ICW4_8086);
    out8(PIC2_DATA, ICW4_8086);
    mask[0] = (uint8_t) ~(1 << CASCADE_LINE);
    write_masks();
    return true;
}

void pic_unmask(unsigned line)
{
    mask[line / 8] &= (uint8_t) ~(1u << line % 8);
    write_masks();
}

void pic_mask(unsigned line)
{
    mask[line / 8] |= (uint8_t)(1u << line % 8);
    write_masks();
}

bool pic_is_genuine(unsigned line)
{
    if (line % 8 != 7)
        return true;
    uint16_t command = line < 8 ? PIC1_COMMAND : PIC2_COMMAND;
    out8(command, OCW3_READ_IN_SERVICE);
    if (in8(command) & 1 << 7)
        return true;
    if (line >= 8)
        out8(PIC1_COMMAND, OCW2_END); /* the first saw a genuine request from the second */
    return false;
}

void pic_end(unsigned line)
{
    if (line >= 8)
        out8(PIC2_COMMAND, OCW2_END);
    out8(PIC1_COMMAND, OCW2_END);
}
