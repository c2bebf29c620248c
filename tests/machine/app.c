/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The application of the machine tests: it stands where the router would, says what the kernel gave
 * it, and does the one thing that do=NAME on the command line asks for, most of them fatal.
 * test_machine.py has a row for each. It is linked with the kernel alone, into machine.elf, so the
 * product needs no hooks.
 */
#include "app.h"
#include "check.h"
#include "clock.h"
#include "console.h"
#include "cpu_test.h"
#include "entropy.h"
#include "io.h"
#include "irq.h"
#include "log.h"
#include "mem.h"
#include "power.h"

#define COM1_LINE               4
#define COM1_INTERRUPT_ENABLE   0x3F9
#define COM1_TRANSMIT_INTERRUPT 2
#define LEVEL_TRIGGERED         0x4D0 /* ELCR, lines 0..7 */

typedef unsigned long long ull;

static const struct boot_info *boot;

static void write_null(void)
{
    *test_address(8) = 1;
}

static void write_text(void)
{
    *test_address((uintptr_t)app_main) = 1;
}

static void write_rodata(void)
{
    static const uint8_t constant = 1;
    *test_address((uintptr_t)&constant) = 2;
}

static void run_data(void)
{
    static uint8_t code[] = {0xC3}; /* ret */
    test_call((uintptr_t)code);
}

static void run_heap(void)
{
    uint8_t *code = mem_alloc(64, 64);
    code[0] = 0xC3;
    test_call((uintptr_t)code);
}

static void run_stack(void)
{
    uint8_t code[] = {0xC3};
    test_call((uintptr_t)code);
}

static void read_unmapped(void)
{
    log_info("%u", *test_address(0xD0000000));
}

/* Not inlined and not a tail call, so that each level has its frame. */
__attribute__((noinline)) static unsigned recurse(volatile unsigned *depth)
{
    volatile uint8_t frame[512];
    frame[0] = (uint8_t)++ * depth;
    return *depth == UINT32_MAX ? 0 : recurse(depth) + frame[0];
}

static void overflow_stack(void)
{
    volatile unsigned depth = 0;
    log_info("%u", recurse(&depth));
}

static void fail_check(void)
{
    CHECK(boot->ram_count == 0);
}

static void panic_plainly(void)
{
    panic("on purpose, %d", 42);
}

static void panic_in_handler(void *arg)
{
    (void)arg;
    panic("in a handler");
}

static void handler_panics(void)
{
    irq_attach_line(COM1_LINE, panic_in_handler, NULL);
    out8(COM1_INTERRUPT_ENABLE, COM1_TRANSMIT_INTERRUPT);
    clock_sleep_until(CLOCK_NEVER);
}

static void ignore(void *arg)
{
    (void)arg;
}

/* A level-triggered line that nobody silences. */
static void storm(void)
{
    irq_attach_line(COM1_LINE, ignore, NULL);
    out8(LEVEL_TRIGGERED, in8(LEVEL_TRIGGERED) | 1u << COM1_LINE);
    out8(COM1_INTERRUPT_ENABLE, COM1_TRANSMIT_INTERRUPT);
    clock_sleep_until(clock_now_us() + 1000000);
    log_info("survived the storm");
}

static void run_out_of_vectors(void)
{
    uint64_t address;
    uint32_t data;
    unsigned n = 0;
    while (irq_alloc_msi(ignore, NULL, &address, &data) == 0)
        n++;
    log_info("vectors %u", n);
}

/* Takes memory until there is none, and writes and reads back a word in every page of it. */
static void take_all_memory(void)
{
    const size_t piece = 1 << 20;
    uint64_t *last = NULL;
    unsigned pieces = 0;
    for (uint64_t *p; (p = mem_alloc_dirty(piece, 4096)) != NULL; last = p, pieces++) {
        for (size_t at = 0; at < piece / 8; at += 512)
            p[at] = (uintptr_t)&p[at];
        p[1] = (uintptr_t)last;
    }
    unsigned wrong = 0;
    for (uint64_t *p = last; p; p = (uint64_t *)p[1])
        for (size_t at = 0; at < piece / 8; at += 512)
            wrong += p[at] != (uintptr_t)&p[at];
    log_info("memory %u MB, %u words wrong, %llu KB left", pieces, wrong,
             (ull)(mem_available() >> 10));
}

/* What the memory allocator cleared is clear, and aligned as asked. */
static void clear_memory(void)
{
    unsigned wrong = 0;
    for (size_t bytes = 1; bytes < 20000; bytes = bytes * 3 + 1) {
        size_t align = 1u << bytes % 13;
        uint8_t *p = mem_alloc(bytes, align);
        wrong += !p || (uintptr_t)p % align != 0;
        for (size_t i = 0; p && i < bytes; i++) {
            wrong += p[i] != 0;
            p[i] = 0xFF;
        }
    }
    bool huge =
        mem_alloc(SIZE_MAX, 64) || mem_alloc(SIZE_MAX - 63, 4096) || mem_alloc(mem_total(), 64);
    log_info("clear %u wrong, huge %s", wrong, huge ? "given" : "refused");
}

/* Registers and RAM must not be taken for each other. */
static void map_devices(void)
{
    uint64_t ram = boot->ram[0].start;
    log_info("apic %s, ram %s, low %s, beyond %s, wrap %s",
             mem_map_device(0xFEE00000, 4096) ? "mapped" : "refused",
             mem_map_device(ram, 4096) ? "mapped" : "refused",
             mem_map_device(0x8000, 16) ? "mapped" : "refused",
             mem_map_device(1ULL << 60, 16) ? "mapped" : "refused",
             mem_map_device(0xFEE00000, SIZE_MAX) ? "mapped" : "refused");
}

static void sleep_well(void)
{
    for (unsigned i = 0; i < 5; i++) {
        uint64_t start_us = clock_now_us();
        clock_sleep_until(start_us + 20000);
        log_info("slept %llu us", (ull)(clock_now_us() - start_us));
    }
    uint64_t start_us = clock_now_us();
    for (unsigned i = 0; i < 100; i++)
        clock_sleep_until(start_us);
    log_info("past deadlines %llu us", (ull)(clock_now_us() - start_us));
}

/* To a deadline that a 32-bit timer does not reach in one go, as the loop does it: again and again
 * until it has passed. */
static void sleep_long(void)
{
    uint64_t start_us = clock_now_us(), deadline_us = start_us + 200000000;
    while (clock_now_us() < deadline_us)
        clock_sleep_until(deadline_us);
    log_info("slept %llu us", (ull)(clock_now_us() - start_us));
}

static void echo(void)
{
    log_info("type");
    for (;;) {
        for (int byte; (byte = console_read()) >= 0;) {
            log_info("key %c", byte);
            if (byte == 'q')
                return;
        }
        clock_sleep_until(CLOCK_NEVER);
    }
}

/* More than the buffers of a reader that has stopped reading hold. */
static void talk(void)
{
    for (unsigned i = 0; i < 20000; i++)
        log_info(
            "line %u of much that nobody reads, and of what is long enough to fill its buffers", i);
}

static void sleep_for_ever(void)
{
    log_info("sleeping");
    for (;;)
        clock_sleep_until(CLOCK_NEVER);
}

/* More lines than a screen has rows, some longer than these. */
static void fill_screen(void)
{
    static const char ruler[] = "----+----1----+----2----+----3----+----4----+----5----+----6";
    for (unsigned i = 0; i < 120; i++)
        log_info("line %u %s%.*s", i, i % 3 == 0 ? ruler : "", (int)(i % 60), ruler);
    log_info("not for terminals: \033[2J \t \x80");
    sleep_for_ever();
}

static void seeded(void)
{
    uint32_t a, b;
    entropy_fill(&a, sizeof(a));
    entropy_seed_for_tests(7);
    entropy_fill(&b, sizeof(b));
    log_info("random %08x seeded %08x", a, b);
}

static const struct {
    const char *name;
    void (*run)(void);
} deeds[] = {
    {"null", write_null},
    {"text", write_text},
    {"rodata", write_rodata},
    {"data", run_data},
    {"heap", run_heap},
    {"stackcode", run_stack},
    {"unmapped", read_unmapped},
    {"overflow", overflow_stack},
    {"check", fail_check},
    {"panic", panic_plainly},
    {"handler", handler_panics},
    {"double", test_double_fault},
    {"opcode", test_bad_opcode},
    {"divide", test_divide_by_zero},
    {"storm", storm},
    {"vectors", run_out_of_vectors},
    {"memory", take_all_memory},
    {"clear", clear_memory},
    {"devices", map_devices},
    {"sleep", sleep_well},
    {"long", sleep_long},
    {"echo", echo},
    {"talk", talk},
    {"fill", fill_screen},
    {"seed", seeded},
    {"idle", sleep_for_ever},
    {"reset", power_reset},
};

void app_main(const struct boot_info *info)
{
    boot = info;
    log_info("loader %s", boot->loader);
    log_info("cmdline [%s]", boot->cmdline);
    for (unsigned i = 0; i < boot->ram_count; i++)
        log_info("ram %llx-%llx", (ull)boot->ram[i].start, (ull)boot->ram[i].end);
    log_info("total %llu KB", (ull)(mem_total() >> 10));
    const struct boot_framebuffer *fb = &boot->framebuffer;
    if (fb->base != 0)
        log_info("framebuffer %llx, %u x %u, lines of %u bytes, pixels of %u, white %x",
                 (ull)fb->base, fb->width, fb->height, fb->line_bytes, fb->pixel_bytes, fb->white);
    panic_set_halt(strstr(boot->cmdline, "panic=halt") != NULL);

    const char *wish = strstr(boot->cmdline, "do=");
    for (unsigned i = 0; wish && i < ARRAY_COUNT(deeds); i++) {
        size_t length = strlen(deeds[i].name);
        if (strncmp(wish + 3, deeds[i].name, length) == 0 && strcspn(wish + 3, " ") == length)
            deeds[i].run();
    }
    log_info("end");
    power_off();
}
