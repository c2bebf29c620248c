/* SPDX-License-Identifier: BSD-3-Clause
 *
 * I/O APICs (Intel 82093AA, 290566): where they are and which global interrupts their pins are, the
 * MADT says (ACPI 6.4, 5.2.12.3); without one there is one at its address of old.
 *
 * Theory of operation. A pin is given a vector of the message-signalled kind, so that its interrupt
 * comes and ends as a message does; the end of one that is level-triggered is told to the I/O APIC
 * by the CPU's. Handlers of one pin are all called. Controllers are looked for when the first pin
 * is wanted: most machines need none. A level-triggered pin that never falls silent is masked, as
 * kernel/irq.c does with the lines of the 8259.
 */
#include "ioapic.h"
#include "acpi_private.h"
#include "io.h"
#include "log.h"
#include "mem.h"

#define IOAPIC_ADDRESS 0xFEC00000u /* where there is no MADT */
#define IOAPIC_BYTES   32

#define IOAPIC_SELECT           0x00
#define IOAPIC_WINDOW           0x10
#define IOAPIC_VERSION          0x01 /* selected: bits 7..0, and the last pin in bits 23..16 */
#define IOAPIC_PIN              0x10 /* selected: two for each pin */
#define IOAPIC_PIN_ACTIVE_LOW   (1u << 13)
#define IOAPIC_PIN_LEVEL        (1u << 15)
#define IOAPIC_PIN_MASKED       (1u << 16)
#define IOAPIC_PIN_DESTINATION  24 /* of the second: the CPU */
#define IOAPIC_PINS_MAX         240
#define MSI_ADDRESS_DESTINATION 12
#define PINS_MAX                32
#define PIN_HANDLERS            8
#define PIN_STORM               10000 /* requests of one pin in one stay */

struct ioapic {
    volatile uint8_t *at;
    uint32_t gsi_base, pins;
};

struct pin {
    const struct ioapic *ioapic;
    uint32_t gsi;
    uint32_t entry; /* the first of its two registers */
    unsigned count, requests;
    bool storm, to_tell;
    struct {
        irq_handler call;
        void *arg;
    } handlers[PIN_HANDLERS];
};

static bool looked; /* for controllers */
static struct ioapic ioapics[ACPI_IOAPICS_MAX];
static unsigned ioapic_count;
static struct pin pins[PINS_MAX];
static unsigned pin_count;
static volatile bool pin_came; /* in this stay */

static uint32_t reg_read(const struct ioapic *ioapic, uint32_t reg)
{
    write32(ioapic->at + IOAPIC_SELECT, reg);
    return read32(ioapic->at + IOAPIC_WINDOW);
}

static void reg_write(const struct ioapic *ioapic, uint32_t reg, uint32_t value)
{
    write32(ioapic->at + IOAPIC_SELECT, reg);
    write32(ioapic->at + IOAPIC_WINDOW, value);
}

/* Where nothing answers, a bus reads all ones or zero. */
static void open_one(uint32_t address, uint32_t gsi_base)
{
    struct ioapic *ioapic = &ioapics[ioapic_count];

    ioapic->at = mem_map_device(address, IOAPIC_BYTES);
    if (!ioapic->at)
        return;
    uint32_t version = reg_read(ioapic, IOAPIC_VERSION);
    ioapic->pins = (version >> 16 & 0xFF) + 1;
    if (version == 0 || ioapic->pins > IOAPIC_PINS_MAX)
        return;
    ioapic->gsi_base = gsi_base;
    for (uint32_t i = 0; i < ioapic->pins; i++)
        reg_write(ioapic, IOAPIC_PIN + 2 * i, IOAPIC_PIN_MASKED);
    ioapic_count++;
    log_debug("ioapic: at 0x%x, interrupts %u to %u", address, gsi_base,
              gsi_base + ioapic->pins - 1);
}

static const struct ioapic *find(uint32_t gsi)
{
    const struct acpi_facts *facts = acpi_get_facts();

    if (!looked) {
        looked = true;
        for (unsigned i = 0; i < facts->ioapic_count; i++)
            open_one(facts->ioapics[i].address, facts->ioapics[i].gsi_base);
        if (facts->ioapic_count == 0)
            open_one(IOAPIC_ADDRESS, 0);
    }
    for (unsigned i = 0; i < ioapic_count; i++)
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].pins)
            return &ioapics[i];
    return NULL;
}

static void on_pin(void *arg)
{
    struct pin *pin = arg;

    pin_came = true;
    for (unsigned i = 0; i < pin->count; i++)
        pin->handlers[i].call(pin->handlers[i].arg);
    if (++pin->requests > PIN_STORM && !pin->storm) {
        pin->storm = true;
        pin->to_tell = true;
        reg_write(pin->ioapic, pin->entry, IOAPIC_PIN_MASKED);
    }
}

static struct pin *pin_of(uint32_t gsi)
{
    for (unsigned i = 0; i < pin_count; i++)
        if (pins[i].gsi == gsi)
            return &pins[i];
    return NULL;
}

/* The first who asks decides how the pin is read; firmware tells everybody the same. */
static int attach(uint32_t gsi, uint32_t how, irq_handler handler, void *arg)
{
    struct pin *pin = pin_of(gsi);
    uint64_t address;
    uint32_t data;

    if (pin) {
        if (pin->count == PIN_HANDLERS)
            return -ENOSPC;
        pin->handlers[pin->count].call = handler;
        pin->handlers[pin->count++].arg = arg;
        return 0;
    }
    const struct ioapic *ioapic = find(gsi);
    if (!ioapic)
        return -ENODEV;
    if (pin_count == PINS_MAX)
        return -ENOSPC;
    pin = &pins[pin_count];
    int status = irq_alloc_msi(on_pin, pin, &address, &data);
    if (status != 0)
        return status;
    pin->ioapic = ioapic;
    pin->gsi = gsi;
    pin->entry = IOAPIC_PIN + 2 * (gsi - ioapic->gsi_base);
    pin->handlers[pin->count].call = handler;
    pin->handlers[pin->count++].arg = arg;
    pin_count++;
    uint32_t cpu = (uint32_t)(address >> MSI_ADDRESS_DESTINATION) & 0xFF;
    reg_write(ioapic, pin->entry + 1, cpu << IOAPIC_PIN_DESTINATION);
    reg_write(ioapic, pin->entry, data | how);
    return 0;
}

int irq_attach_gsi(uint32_t gsi, bool level, irq_handler handler, void *arg)
{
    return attach(gsi, level ? IOAPIC_PIN_LEVEL : 0, handler, arg);
}

int ioapic_attach_line(unsigned line, irq_handler handler, void *arg)
{
    if (line >= ACPI_LINES)
        return -ENODEV;
    const struct acpi_line *as = &acpi_get_facts()->lines[line];
    return attach(as->gsi,
                  (as->level ? IOAPIC_PIN_LEVEL : 0) | (as->active_low ? IOAPIC_PIN_ACTIVE_LOW : 0),
                  handler, arg);
}

void ioapic_end_stay(void)
{
    if (!pin_came)
        return;
    pin_came = false;
    for (unsigned i = 0; i < pin_count; i++) {
        pins[i].requests = 0;
        if (pins[i].to_tell)
            log_error("interrupt %u never falls silent: masked; its ports are polled", pins[i].gsi);
        pins[i].to_tell = false;
    }
}
