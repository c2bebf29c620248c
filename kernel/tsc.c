/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Clock rates. CPUID says them exactly on newer CPUs (leaves 0x15 and 0x16, SDM vol. 3, 19.7.3) and
 * under hypervisors that offer the timing leaf 0x40000010; else both counters are measured against
 * one of known rate: the ACPI power-management timer (3.579545 MHz, round in 4.7 s), or channel 2
 * of the PIT (Intel 8254, 1.193182 MHz), which comes round in 55 ms. A small virtual machine may
 * have neither; the APIC's own timer is of known rate under KVM and QEMU.
 *
 * A measurement is two samples some milliseconds apart. Each sample reads all counters between two
 * reads of the TSC, several times, and keeps the closest: being interrupted by a host or by
 * management mode in between cannot spoil it. Two measurements must agree.
 */
#include "tsc.h"
#include "acpi_private.h"
#include "apic.h"
#include "cpu.h"
#include "io.h"

#define CPUID_TSC               0x15
#define CPUID_FREQUENCY         0x16
#define CPUID_HYPERVISOR_TIMING 0x40000010

#define PIT_HZ                     1193182
#define PIT_COMMAND                0x43
#define PIT_COMMAND_CHANNEL2_RATE  0xB4 /* low byte then high byte, mode 2, binary */
#define PIT_COMMAND_CHANNEL2_LATCH 0x80
#define PIT_CHANNEL2               0x42
#define PIT_GATE                   0x61
#define PIT_GATE_CHANNEL2          0x01
#define PIT_GATE_SPEAKER           0x02

#define PM_TIMER_HZ   3579545
#define PM_TIMER_MASK 0xFFFFFF /* 24 bits always work */

#define CPUID_HYPERVISOR 0x40000000
#define APIC_BUS_HZ      1000000000 /* of KVM (APIC_BUS_CYCLE_NS) and of QEMU's own APIC */

#define MEASURE_MS        4
#define MEASURE_ROUNDS    40
#define AGREE_PARTS       100 /* measurements that are less than this part apart are the same */
#define SAMPLE_TRIES      6
#define MEASURE_MAX_READS 200000 /* each takes a microsecond or more on any machine */
#define STUCK_MAX_READS   2000

#define TSC_HZ_MIN 10000000ULL /* what is outside is a lie or a broken counter */
#define TSC_HZ_MAX 20000000000ULL

/* A counter of known rate that counts up (reads of the PIT are negated). */
struct reference {
    const char *name;
    uint32_t (*read)(void);
    uint32_t mask;
    uint32_t hz;
};

struct sample {
    uint64_t tsc;
    uint32_t reference;
    uint32_t apic; /* counts down */
};

static uint32_t pit_read(void)
{
    out8(PIT_COMMAND, PIT_COMMAND_CHANNEL2_LATCH);
    uint32_t low = in8(PIT_CHANNEL2);
    uint32_t high = in8(PIT_CHANNEL2);
    return 0u - (high << 8 | low);
}

static void pit_start(void)
{
    uint8_t gate = in8(PIT_GATE) & (uint8_t)~PIT_GATE_SPEAKER;
    out8(PIT_GATE, gate | PIT_GATE_CHANNEL2);
    out8(PIT_COMMAND, PIT_COMMAND_CHANNEL2_RATE);
    out8(PIT_CHANNEL2, 0); /* 65536, 55 ms a round */
    out8(PIT_CHANNEL2, 0);
}

static uint32_t pm_timer_read(void)
{
    return in32(acpi_pm_timer_port());
}

static uint32_t apic_read(void)
{
    return 0u - apic_timer_left();
}

/* Is it KVM or QEMU's TCG that pretends to be this machine? */
static bool apic_rate_is_known(void)
{
    static const char *const names[] = {"KVMKVMKVM\0\0", "TCGTCGTCGTCG"};
    struct cpuid is = {0};
    char name[12];

    if (cpu_features.max_hypervisor_leaf >= CPUID_HYPERVISOR)
        is = cpuid(CPUID_HYPERVISOR, 0);
    memcpy(name, &is.ebx, 4);
    memcpy(name + 4, &is.ecx, 4);
    memcpy(name + 8, &is.edx, 4);
    return memcmp(name, names[0], sizeof(name)) == 0 || memcmp(name, names[1], sizeof(name)) == 0;
}

static bool is_running(const struct reference *ref)
{
    uint32_t first = ref->read() & ref->mask;
    for (unsigned i = 0; i < STUCK_MAX_READS; i++)
        if ((ref->read() & ref->mask) != first)
            return true;
    return false;
}

static const struct reference *find_reference(void)
{
    static const struct reference pit = {"PIT", pit_read, 0xFFFF, PIT_HZ};
    static const struct reference pm_timer = {"ACPI timer", pm_timer_read, PM_TIMER_MASK,
                                              PM_TIMER_HZ};
    static const struct reference apic = {"APIC timer", apic_read, UINT32_MAX,
                                          APIC_BUS_HZ / APIC_TIMER_DIVIDER};
    if (acpi_pm_timer_port() != 0 && is_running(&pm_timer))
        return &pm_timer;
    pit_start();
    if (is_running(&pit))
        return &pit;
    apic_timer_set(UINT32_MAX);
    return apic_rate_is_known() && is_running(&apic) ? &apic : NULL;
}

static struct sample take_sample(const struct reference *ref)
{
    struct sample best = {0};
    uint64_t best_width = UINT64_MAX;
    for (unsigned i = 0; i < SAMPLE_TRIES; i++) {
        uint64_t before = rdtsc();
        uint32_t reference = ref->read() & ref->mask;
        uint32_t apic = apic_timer_left();
        uint64_t width = rdtsc() - before;
        if (width < best_width) {
            best = (struct sample){before + width / 2, reference, apic};
            best_width = width;
        }
    }
    return best;
}

static bool measure_once(const struct reference *ref, struct tsc_rates *rates)
{
    uint32_t wanted = ref->hz / 1000 * MEASURE_MS;

    apic_timer_set(UINT32_MAX);
    struct sample first = take_sample(ref);
    for (unsigned i = 0; i < MEASURE_MAX_READS; i++)
        if (((ref->read() - first.reference) & ref->mask) >= wanted)
            break;
    struct sample last = take_sample(ref);
    apic_timer_set(0);

    uint32_t elapsed = (last.reference - first.reference) & ref->mask;
    if (elapsed < wanted)
        return false;
    rates->tsc_hz = (last.tsc - first.tsc) * ref->hz / elapsed;
    rates->apic_hz = (uint64_t)(first.apic - last.apic) * ref->hz / elapsed;
    return true;
}

/* A host that stops us for longer than the reference takes to come round makes time look shorter
 * than it was, and so the rates higher, never lower: the lowest is right as soon as another agrees
 * with it. If none does, on a host that busy, it is the best there is. */
static bool measure(struct tsc_rates *rates, bool want_tsc)
{
    const struct reference *ref = find_reference();
    struct tsc_rates lowest = {.tsc_hz = UINT64_MAX}, once;
    bool agreed = false;

    if (!ref)
        return false;
    for (unsigned i = 0; i < MEASURE_ROUNDS && !agreed; i++) {
        if (!measure_once(ref, &once))
            continue;
        uint64_t low = MIN(once.tsc_hz, lowest.tsc_hz), high = MAX(once.tsc_hz, lowest.tsc_hz);
        agreed = high - low <= low / AGREE_PARTS;
        if (once.tsc_hz == low)
            lowest = once;
    }
    if (lowest.tsc_hz == UINT64_MAX)
        return false;
    if (want_tsc) {
        rates->tsc_hz = lowest.tsc_hz;
        rates->source = ref->name;
    }
    rates->apic_hz = lowest.apic_hz;
    return true;
}

/* What CPUID and hypervisors say; zeros where they say nothing. */
static void ask_cpuid(struct tsc_rates *rates)
{
    if (cpu_features.max_hypervisor_leaf >= CPUID_HYPERVISOR_TIMING &&
        cpu_features.max_hypervisor_leaf <= CPUID_HYPERVISOR_TIMING + 0xFFFF) {
        struct cpuid timing = cpuid(CPUID_HYPERVISOR_TIMING, 0);
        rates->tsc_hz = timing.eax * 1000ULL;
        rates->apic_hz = timing.ebx * 1000ULL / APIC_TIMER_DIVIDER;
        rates->source = "hypervisor";
    }
    if (rates->tsc_hz == 0 && cpu_features.max_leaf >= CPUID_TSC) {
        struct cpuid ratio = cpuid(CPUID_TSC, 0);
        if (ratio.eax == 0 || ratio.ebx == 0)
            return;
        rates->source = "CPUID";
        if (ratio.ecx != 0) {
            rates->tsc_hz = (uint64_t)ratio.ecx * ratio.ebx / ratio.eax;
            rates->apic_hz = ratio.ecx / APIC_TIMER_DIVIDER;
        } else if (cpu_features.max_leaf >= CPUID_FREQUENCY) {
            /* The crystal is not named; where this leaf exists the TSC runs at the base frequency.
             */
            rates->tsc_hz = (cpuid(CPUID_FREQUENCY, 0).eax & 0xFFFF) * 1000000ULL;
        }
    }
}

bool tsc_find_rates(bool want_apic, struct tsc_rates *rates)
{
    *rates = (struct tsc_rates){0};
    ask_cpuid(rates);
    bool have_tsc = rates->tsc_hz >= TSC_HZ_MIN && rates->tsc_hz <= TSC_HZ_MAX;
    if (!have_tsc || (want_apic && rates->apic_hz == 0)) {
        if (!measure(rates, !have_tsc))
            return false;
    }
    return rates->tsc_hz >= TSC_HZ_MIN && rates->tsc_hz <= TSC_HZ_MAX &&
           (!want_apic || rates->apic_hz != 0);
}
