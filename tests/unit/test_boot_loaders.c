/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/pvh.c, boot/multiboot.c, boot/boot_text.c: what good loaders say, and what bad ones could.
 * The loader's memory is one mapping below 4 GB (multiboot's addresses have 32 bits) that ends at
 * an unmapped page, so that a read past what was promised is a fault.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "boot/boot_text.h"
#include "boot/multiboot.h"
#include "boot/pvh.h"

#define ARENA_BYTES 131072
#define MB          (1ULL << 20)
#define PAGE        4096

static uint8_t *arena;
static struct boot_info boot; /* large for a stack under ASan */

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
    memcpy(at, &value, bytes);
}

static int make_arena(void **state)
{
    (void)state;
    arena = mmap(NULL, ARENA_BYTES + PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    assert_ptr_not_equal(arena, MAP_FAILED);
    return mprotect(arena + ARENA_BYTES, PAGE, PROT_NONE);
}

static int clear_arena(void **state)
{
    (void)state;
    memset(arena, 0, ARENA_BYTES);
    memset(&boot, 0, sizeof(boot));
    return 0;
}

static uint64_t limit(void)
{
    return (uint64_t)(uintptr_t)arena + ARENA_BYTES;
}

/* ---- PVH ---- */

#define PVH_INFO 0
#define PVH_MAP  256
#define PVH_TEXT 65536

static void pvh_entry(unsigned i, uint64_t start, uint64_t bytes, uint32_t type)
{
    put(arena + PVH_MAP + i * 24, start, 8);
    put(arena + PVH_MAP + i * 24 + 8, bytes, 8);
    put(arena + PVH_MAP + i * 24 + 16, type, 4);
}

static void pvh_good(void)
{
    uint8_t *info = arena + PVH_INFO;
    put(info, 0x336EC578, 4);
    put(info + 4, 1, 4);
    put(info + 24, (uintptr_t)arena + PVH_TEXT, 8);
    put(info + 32, 0xF5A40, 8);
    put(info + 40, (uintptr_t)arena + PVH_MAP, 8);
    put(info + 48, 4, 4);
    pvh_entry(0, 0, 0x9FC00, 1);
    pvh_entry(1, 0xFEFFC000, 0x4000, 2);
    pvh_entry(2, MB, 15 * MB, 1);
    pvh_entry(3, 15 * MB, 2 * MB, 2); /* overlaps: reserved wins */
    strcpy((char *)arena + PVH_TEXT, "net=lan,nat log=debug");
}

static void pvh(void)
{
    pvh_read((uintptr_t)arena + PVH_INFO, limit(), &boot);
}

static void pvh_is_read(void **state)
{
    (void)state;
    pvh_good();
    pvh();
    assert_null(boot.error);
    assert_string_equal(boot.loader, "PVH");
    assert_string_equal(boot.cmdline, "net=lan,nat log=debug");
    assert_false(boot.cmdline_cut);
    assert_int_equal(boot.acpi_rsdp, 0xF5A40);
    assert_int_equal(boot.ram_count, 1);
    assert_int_equal(boot.ram[0].start, MB);
    assert_int_equal(boot.ram[0].end, 15 * MB);
}

static void pvh_lies_are_refused(void **state)
{
    const struct {
        unsigned at, bytes;
        uint64_t value;
        const char *word;
    } rows[] = {
        {0, 4, 0x12345678, "not there"},
        {4, 4, 0, "version 0"},
        {48, 4, 1025, "too long"},
        {48, 4, UINT32_MAX, "too long"},
        {40, 8, 0, "cannot be reached"},
        {40, 8, UINT64_MAX, "cannot be reached"},
        {40, 8, UINT64_MAX - 24 * 4 + 1, "cannot be reached"},
        {40, 8, 1ULL << 32, "cannot be reached"},
        {40, 8, (uint64_t)-1, "cannot be reached"},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        clear_arena(state);
        pvh_good();
        put(arena + PVH_INFO + rows[i].at, rows[i].value, rows[i].bytes);
        pvh();
        if (!boot.error || !strstr(boot.error, rows[i].word))
            fail_msg("row %u: %s", i + 1, boot.error ? boot.error : "accepted");
        assert_int_equal(boot.ram_count, 0);
    }
    clear_arena(state);
    pvh_read(0, limit(), &boot);
    assert_non_null(boot.error);
    memset(&boot, 0, sizeof(boot));
    pvh_read(limit() - 8, limit(), &boot); /* half of it would be beyond what may be read */
    assert_non_null(boot.error);
}

/* A map that ends exactly at the limit is good; one entry more is not. */
static void pvh_map_at_the_limit(void **state)
{
    (void)state;
    pvh_good();
    put(arena + PVH_INFO + 40, limit() - 4 * 24, 8);
    memcpy(arena + ARENA_BYTES - 4 * 24, arena + PVH_MAP, 4 * 24);
    pvh();
    assert_null(boot.error);
    put(arena + PVH_INFO + 48, 5, 4);
    memset(&boot, 0, sizeof(boot));
    pvh();
    assert_non_null(boot.error);
}

static void pvh_texts(void **state)
{
    /* None, and one that cannot be reached: started without. */
    const uint64_t nowhere[] = {0, limit(), UINT64_MAX};
    for (unsigned i = 0; i < ARRAY_COUNT(nowhere); i++) {
        clear_arena(state);
        pvh_good();
        put(arena + PVH_INFO + 24, nowhere[i], 8);
        pvh();
        assert_null(boot.error);
        assert_string_equal(boot.cmdline, "");
    }
    /* No NUL before the memory ends. */
    clear_arena(state);
    pvh_good();
    memset(arena + ARENA_BYTES - 100, 'x', 100);
    put(arena + PVH_INFO + 24, limit() - 100, 8);
    pvh();
    assert_int_equal(strlen(boot.cmdline), 100);
    assert_false(boot.cmdline_cut);
    /* As long as there is room for, and one longer. */
    for (unsigned extra = 0; extra < 2; extra++) {
        clear_arena(state);
        pvh_good();
        memset(arena + PVH_TEXT, 'y', BOOT_CMDLINE_MAX - 1 + extra);
        pvh();
        assert_int_equal(strlen(boot.cmdline), BOOT_CMDLINE_MAX - 1);
        assert_int_equal(boot.cmdline_cut, extra);
    }
}

/* ---- multiboot ---- */

#define MB_INFO   64
#define MB_MODULE 256
#define MB_MAP    512
#define MB_TEXT   16384

static unsigned mb_entry(unsigned at, uint32_t size, uint64_t start, uint64_t bytes, uint32_t type)
{
    put(arena + MB_MAP + at, size, 4);
    put(arena + MB_MAP + at + 4, start, 8);
    put(arena + MB_MAP + at + 12, bytes, 8);
    put(arena + MB_MAP + at + 20, type, 4);
    return at + 4 + size;
}

static void mb_good(void)
{
    put(arena + MB_INFO, 0x45, 4);
    put(arena + MB_INFO + 8, 31 * 1024, 4);
    put(arena + MB_INFO + 16, (uintptr_t)arena + MB_TEXT, 4);
    unsigned at = mb_entry(0, 20, 0, 0x9FC00, 1);
    at = mb_entry(at, 24, MB, 63 * MB, 1); /* entries may be longer than we know them */
    at = mb_entry(at, 20, 60 * MB, MB, 3);
    put(arena + MB_INFO + 44, at, 4);
    put(arena + MB_INFO + 48, (uintptr_t)arena + MB_MAP, 4);
    strcpy((char *)arena + MB_TEXT, "/boot/sluice.elf net=lan,nat");
}

static void mb(void)
{
    multiboot_read((uint32_t)(uintptr_t)arena + MB_INFO, &boot);
}

static void multiboot_is_read(void **state)
{
    (void)state;
    mb_good();
    mb();
    assert_null(boot.error);
    assert_string_equal(boot.loader, "multiboot");
    assert_string_equal(boot.cmdline, "net=lan,nat");
    assert_int_equal(boot.ram_count, 2);
    assert_int_equal(boot.ram[0].end, 60 * MB);
    assert_int_equal(boot.ram[1].start, 61 * MB);
    assert_int_equal(boot.ram[1].end, 64 * MB);
}

static void multiboot_without_a_map(void **state)
{
    mb_good();
    put(arena + MB_INFO, 0x01, 4);
    mb();
    assert_null(boot.error);
    assert_int_equal(boot.ram_count, 1);
    assert_int_equal(boot.ram[0].start, MB);
    assert_int_equal(boot.ram[0].end, 32 * MB);
    assert_string_equal(boot.cmdline, "");

    clear_arena(state);
    mb_good();
    put(arena + MB_INFO, 0x04, 4);
    mb();
    assert_non_null(boot.error);
}

static void multiboot_lies_are_refused(void **state)
{
    const struct {
        unsigned at;
        uint64_t value;
    } rows[] = {
        {MB_INFO + 44, 65537},      /* a map longer than any */
        {MB_INFO + 44, UINT32_MAX}, /* ... and over the end of memory */
        {MB_INFO + 48, 0},          /* nowhere */
        {MB_INFO + 48, 0xFFFFFFFF}, /* over the end */
        {MB_MAP, 0},                /* entries that do not advance */
        {MB_MAP, 19},               /* ... or are too short for their fields */
        {MB_MAP + 24, 3},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        clear_arena(state);
        mb_good();
        put(arena + rows[i].at, rows[i].value, 4);
        mb();
        if (!boot.error)
            fail_msg("row %u was accepted", i + 1);
    }
    memset(&boot, 0, sizeof(boot));
    multiboot_read(0, &boot);
    assert_non_null(boot.error);
    memset(&boot, 0, sizeof(boot));
    multiboot_read(0xFFFFFFF0, &boot);
    assert_non_null(boot.error);
}

/* A last entry that claims to reach beyond the map is the last; a part of one at the end is not
 * read. */
static void multiboot_map_ends(void **state)
{
    (void)state;
    mb_good();
    unsigned at = mb_entry(0, UINT32_MAX, MB, MB, 1);
    (void)at;
    put(arena + MB_INFO + 44, 24, 4);
    uint8_t *edge = arena + ARENA_BYTES - 24;
    memcpy(edge, arena + MB_MAP, 24);
    put(arena + MB_INFO + 48, (uintptr_t)edge, 4);
    mb();
    assert_null(boot.error);
    assert_int_equal(boot.ram_count, 1);

    put(edge, 21, 4); /* by one byte */
    memset(&boot, 0, sizeof(boot));
    mb();
    assert_null(boot.error);
    assert_int_equal(boot.ram_count, 1);

    memset(&boot, 0, sizeof(boot));
    put(arena + MB_INFO + 44, 23, 4);
    mb();
    assert_null(boot.error);
    assert_int_equal(boot.ram_count, 0);
}

static void mb_module(uint32_t start, uint32_t end, uint32_t count)
{
    mb_good();
    put(arena + MB_INFO, 0x4D, 4);
    put(arena + MB_INFO + 20, count, 4);
    put(arena + MB_INFO + 24, (uintptr_t)arena + MB_MODULE, 4);
    put(arena + MB_MODULE, start, 4);
    put(arena + MB_MODULE + 4, end, 4);
}

/* The file ends where readable memory does, so that a byte too many is a fault. */
static void multiboot_module_is_the_file(void **state)
{
    const uint32_t end = (uint32_t)limit();
    const struct {
        uint32_t bytes, kept;
        bool cut;
    } rows[] = {
        {0, 0, false},
        {1, 1, false},
        {19, 19, false},
        {BOOT_FILE_MAX, BOOT_FILE_MAX, false},
        {BOOT_FILE_MAX + 1, BOOT_FILE_MAX, true},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        clear_arena(state);
        for (unsigned n = 1; n <= rows[i].bytes; n++)
            arena[ARENA_BYTES - n] = (uint8_t)n;
        mb_module(end - rows[i].bytes, end, 1);
        mb();
        assert_null(boot.error);
        assert_int_equal(boot.file_bytes, rows[i].kept);
        assert_int_equal(boot.file_cut, rows[i].cut);
        assert_memory_equal(boot.file, (uint8_t *)(uintptr_t)(end - rows[i].bytes), rows[i].kept);
    }
    clear_arena(state);
    mb_module(0, 0, 1); /* an empty file, as GRUB tells it */
    mb();
    assert_null(boot.error);
    assert_int_equal(boot.file_bytes, 0);
    /* Without the flag, or with none in the list, there is no file. */
    clear_arena(state);
    mb_module(end - 19, end, 1);
    put(arena + MB_INFO, 0x45, 4);
    mb();
    assert_null(boot.error);
    assert_int_equal(boot.file_bytes, 0);
    clear_arena(state);
    mb_module(end - 19, end, 0);
    mb();
    assert_null(boot.error);
    assert_int_equal(boot.file_bytes, 0);
}

static void multiboot_module_lies_are_refused(void **state)
{
    const struct {
        unsigned at;
        uint32_t value;
        const char *word;
    } rows[] = {
        {MB_INFO + 20, 2, "more than one"},
        {MB_INFO + 20, UINT32_MAX, "more than one"},
        {MB_INFO + 24, 0, "cannot be true"},
        {MB_INFO + 24, UINT32_MAX - 8, "cannot be true"}, /* half of it would be above 4 GB */
        {MB_MODULE, 0, "cannot be true"},
        {MB_MODULE, UINT32_MAX, "cannot be true"}, /* it would end before it begins */
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        clear_arena(state);
        mb_module((uint32_t)limit() - 19, (uint32_t)limit(), 1);
        put(arena + rows[i].at, rows[i].value, 4);
        mb();
        if (!boot.error || !strstr(boot.error, rows[i].word))
            fail_msg("row %u: %s", i + 1, boot.error ? boot.error : "accepted");
        assert_int_equal(boot.file_bytes, 0);
    }
}

/* A framebuffer as the specification lays it out: behind its base, line, width and height, the bits
 * of a pixel, the type (1: each pixel has its colours), and where and how wide these are. */
static void multiboot_screens(void **state)
{
    const struct {
        uint32_t base, line_bytes, width, height;
        uint8_t bits, type;
        uint8_t colours[6];
        uint8_t pixel_bytes; /* 0: no framebuffer */
        uint32_t white;
    } rows[] = {
        {0xC0000000, 4096, 1024, 768, 32, 1, {16, 8, 8, 8, 0, 8}, 4, 0xFFFFFF},
        {0xC0000000, 4096, 1024, 768, 32, 1, {20, 10, 10, 10, 0, 10}, 4, 0x3FFFFFFF},
        {0xC0000000, 3072, 1024, 768, 24, 1, {16, 8, 8, 8, 0, 8}, 3, 0xFFFFFF},
        {0xC0000000, 2048, 1024, 768, 16, 1, {11, 5, 5, 6, 0, 5}, 2, 0xFFFF},
        {0xC0000000, 2048, 1024, 768, 15, 1, {10, 5, 5, 5, 0, 5}, 2, 0x7FFF},
        {0xC0000000, 4096, 1024, 768, 32, 0, {16, 8, 8, 8, 0, 8}, 0, 0}, /* of a palette */
        {0xB8000, 160, 80, 25, 16, 2, {0}, 0, 0},                        /* a VGA's text */
        {0xC0000000, 4096, 1024, 768, 32, 1, {25, 8, 8, 8, 0, 8}, 0, 0},
        {0xC0000000, 4096, 1024, 768, 32, 1, {16, 8, 8, 8, 255, 255}, 0, 0},
        {0xC0000000, 2048, 1024, 768, 16, 1, {16, 8, 8, 8, 0, 8}, 0, 0},
        {0xC0000000, 4096, 1024, 768, 255, 1, {16, 8, 8, 8, 0, 8}, 0, 0},
        {0xC0000000, 4096, 1024, 768, 32, 1, {0}, 0, 0},              /* all black */
        {32 * MB, 4096, 1024, 768, 32, 1, {16, 8, 8, 8, 0, 8}, 0, 0}, /* RAM */
    };
    for (unsigned i = 0; i < 2 * ARRAY_COUNT(rows); i++) {
        const unsigned row = i / 2;
        bool told = i % 2 == 0;
        clear_arena(state);
        mb_good();
        put(arena + MB_INFO, told ? 0x1045 : 0x0845, 4);
        uint8_t *at = arena + MB_INFO + 88;
        put(at, rows[row].base, 8);
        memcpy(at + 8, &rows[row].line_bytes, 12);
        memcpy(at + 20, &rows[row].bits, 8);
        mb();
        assert_null(boot.error);
        assert_true(boot.vga_possible);
        const struct boot_framebuffer *fb = &boot.framebuffer;
        bool there = told && rows[row].pixel_bytes != 0;
        if (fb->base != (there ? rows[row].base : 0))
            fail_msg("row %u is %s", row + 1, fb->base ? "accepted" : "refused");
        if (there && (fb->line_bytes != rows[row].line_bytes || fb->width != rows[row].width ||
                      fb->height != rows[row].height || fb->white != rows[row].white ||
                      fb->pixel_bytes != rows[row].pixel_bytes))
            fail_msg("row %u is read wrongly: white %x", row + 1, fb->white);
    }
}

/* ---- the image's name ---- */

static void names_are_skipped(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"/boot/sluice.elf net=a", "net=a"},
        {"build/sluice.elf", ""},
        {"  sluice.elf   net=a  x", "net=a  x"},
        {"sluice net=a", "net=a"},
        {"(cd0)/sluice net=a", "net=a"},
        {"(hd0,msdos1)/boot/router net=a", "net=a"},
        {"\\EFI\\BOOT\\BOOTX64.EFI net=a", "net=a"},
        {"boot/sluice net=a", "net=a"},
        {"fs0:\\sluice.bin net=a", "net=a"},
        {"fs0:\\EFI\\BOOT\\BOOTX64.EFI", ""},
        /* slips, which must not be taken for a name */
        {"uplink:0,ip:203.0.113.2/24 x", "uplink:0,ip:203.0.113.2/24 x"},
        {"192.168.8.1/24 x", "192.168.8.1/24 x"},
        {"lan.nat x", "lan.nat x"},
        {"net/lan,nat x", "net/lan,nat x"},
        {"/x=1 y", "/x=1 y"},
        {"( x", "( x"},
        {".elf x", ".elf x"},
        {"net=a,ip=10.0.0.1/24 x", "net=a,ip=10.0.0.1/24 x"},
        {"isolate net=a", "isolate net=a"},
        {"sluices x", "sluices x"},
        {"", ""},
        {"   ", "   "},
        {"fwd=tcp::80-:80", "fwd=tcp::80-:80"},
        {"fs0:/x y", "fs0:/x y"},
        {"fs0: y", "fs0: y"},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        boot_text_copy(&boot, rows[i][0], strlen(rows[i][0]));
        boot_text_skip_name(&boot);
        assert_string_equal(boot.cmdline, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pvh_is_read, clear_arena),
        cmocka_unit_test_setup(pvh_lies_are_refused, clear_arena),
        cmocka_unit_test_setup(pvh_map_at_the_limit, clear_arena),
        cmocka_unit_test_setup(pvh_texts, clear_arena),
        cmocka_unit_test_setup(multiboot_is_read, clear_arena),
        cmocka_unit_test_setup(multiboot_without_a_map, clear_arena),
        cmocka_unit_test_setup(multiboot_lies_are_refused, clear_arena),
        cmocka_unit_test_setup(multiboot_map_ends, clear_arena),
        cmocka_unit_test_setup(multiboot_module_is_the_file, clear_arena),
        cmocka_unit_test_setup(multiboot_module_lies_are_refused, clear_arena),
        cmocka_unit_test_setup(multiboot_screens, clear_arena),
        cmocka_unit_test_setup(names_are_skipped, clear_arena),
    };
    return cmocka_run_group_tests(tests, make_arena, NULL);
}
