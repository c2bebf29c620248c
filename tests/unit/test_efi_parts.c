/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/efi_map.c, efi_text.c, efi_image.c, efi_tables.c, and the kernel's side, boot/handoff.c.
 * What firmware says stands at the end of allocations of its own size, so that ASan sees a read
 * beyond it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "boot/efi_image.h"
#include "boot/efi_map.h"
#include "boot/efi_tables.h"
#include "boot/efi_text.h"
#include "boot/handoff.h"

#define MB   (1ULL << 20)
#define GB   (1ULL << 30)
#define PAGE 4096ULL
#define WB   0x8ULL

typedef unsigned long long ull;

static struct boot_info boot; /* large for a stack under ASan */

/* ---- the memory map ---- */

#define ROW_ENTRIES 4

struct map_row {
    struct {
        uint32_t type;
        uint64_t start, pages, attributes;
    } entries[ROW_ENTRIES];
    struct boot_mem want[3];
};

static const struct map_row map_rows[] = {
    /* 1-5: each type by itself: those of the loader and of boot services are ours, and free memory
     */
    {{{1, MB, 256, 0xF}, {2, 2 * MB, 256, 0xF}}, {{MB, 3 * MB}}},
    {{{3, MB, 256, 0xF}, {4, 2 * MB, 256, 0xF}}, {{MB, 3 * MB}}},
    {{{7, MB, 256, 0xF}, {0, 2 * MB, 256, 0xF}, {5, 3 * MB, 256, 0xF}, {6, 4 * MB, 256, 0xF}},
     {{MB, 2 * MB}}},
    {{{8, MB, 256, 0xF}, {9, 2 * MB, 256, 0xF}, {10, 3 * MB, 256, 0xF}, {11, 4 * MB, 256, 0xF}},
     {{0, 0}}},
    {{{12, MB, 256, 0xF}, {13, 2 * MB, 256, 0xF}, {14, 3 * MB, 256, 0xF}, {15, 4 * MB, 256, 0xF}},
     {{0, 0}}},
    /* 6: types nobody knows yet */
    {{{16, MB, 256, 0xF}, {0x70000001, 2 * MB, 256, 0xF}, {UINT32_MAX, 3 * MB, 256, 0xF}},
     {{0, 0}}},
    /* 7: memory that cannot be cached, of a purpose of its own, or that firmware goes on using */
    {{{7, MB, 256, 0x7}, {7, 2 * MB, 256, WB | 1ULL << 18}, {4, 3 * MB, 256, WB | 1ULL << 63}},
     {{0, 0}}},
    /* 8: what any entry keeps is kept, in whatever order */
    {{{10, 2 * MB, 1, 0xF}, {7, MB, 1024, 0xF}}, {{MB, 2 * MB}, {2 * MB + PAGE, 5 * MB}}},
    /* 9: below 1 MB is nobody's */
    {{{7, 0, 512, 0xF}}, {{MB, 2 * MB}}},
    /* 10: more pages than there are addresses, usable and not */
    {{{7, 4 * MB, UINT64_MAX, WB}, {0, 8 * MB, 1ULL << 52, WB}}, {{4 * MB, 8 * MB}}},
    /* 11: beyond 4 GB */
    {{{7, 4 * GB, 2048, WB}, {7, MB, 1, WB}}, {{MB, MB + PAGE}, {4 * GB, 4 * GB + 8 * MB}}},
};

static void put_map(const struct map_row *row, uint8_t *at, size_t entry_bytes)
{
    memset(at, 0xEE, ROW_ENTRIES * entry_bytes);
    for (unsigned i = 0; i < ROW_ENTRIES; i++, at += entry_bytes) {
        const uint64_t words[] = {row->entries[i].type | 0xABCDULL << 32, row->entries[i].start, 0,
                                  row->entries[i].pages, row->entries[i].attributes};
        memcpy(at, words, sizeof(words));
    }
}

static void maps_are_read(void **state)
{
    (void)state;
    for (unsigned r = 0; r < ARRAY_COUNT(map_rows); r++) {
        for (size_t entry_bytes = 40; entry_bytes <= 56; entry_bytes += 8) {
            uint8_t *map = malloc(ROW_ENTRIES * entry_bytes);
            put_map(&map_rows[r], map, entry_bytes);
            boot.ram_count = 33; /* of an earlier map */
            assert_true(efi_map_read(map, ROW_ENTRIES * entry_bytes, entry_bytes, &boot));
            free(map);
            unsigned want = 0;
            while (map_rows[r].want[want].end != 0)
                want++;
            if (boot.ram_count != want)
                fail_msg("row %u: %u ranges, not %u", r + 1, boot.ram_count, want);
            for (unsigned i = 0; i < want; i++)
                if (boot.ram[i].start != map_rows[r].want[i].start ||
                    boot.ram[i].end != map_rows[r].want[i].end)
                    fail_msg("row %u: %llx-%llx", r + 1, (ull)boot.ram[i].start,
                             (ull)boot.ram[i].end);
        }
    }
}

static void odd_maps(void **state)
{
    (void)state;
    uint8_t *map = malloc(ROW_ENTRIES * 48);
    put_map(&map_rows[0], map, 48);
    const size_t refused[][2] = {{4 * 48, 0}, {4 * 48, 39}, {0, 48}, {47, 48}, {48, SIZE_MAX}};
    for (unsigned i = 0; i < ARRAY_COUNT(refused); i++)
        assert_false(efi_map_read(map, refused[i][0], refused[i][1], &boot));
    assert_int_equal(boot.ram_count, 0);
    /* A part of an entry at the end is none. */
    assert_true(efi_map_read(map, 2 * 48 - 1, 48, &boot));
    assert_int_equal(boot.ram[0].end, 2 * MB);
    free(map);
}

static void places_are_found(void **state)
{
    (void)state;
    boot.ram_count = 2;
    boot.ram[0] = (struct boot_mem){MB, 3 * MB};
    boot.ram[1] = (struct boot_mem){4 * MB, 5 * MB};
    assert_true(efi_map_has(&boot, MB, 3 * MB));
    assert_true(efi_map_has(&boot, 4 * MB, 4 * MB + PAGE));
    assert_false(efi_map_has(&boot, MB, 3 * MB + PAGE));
    assert_false(efi_map_has(&boot, MB - PAGE, 2 * MB));
    assert_false(efi_map_has(&boot, 2 * MB, 5 * MB)); /* a hole between */
    assert_false(efi_map_has(&boot, 6 * MB, 7 * MB));
}

/* ---- texts ---- */

/* ASCII as 16-bit characters at an odd address; without a NUL unless the text has one. */
static uint8_t *wide(const char *text, size_t n)
{
    uint8_t *made = malloc(2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        made[1 + 2 * i] = (uint8_t)text[i];
        made[2 + 2 * i] = 0;
    }
    return made;
}

static void options_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t units;
        bool is_text;
        const char *want;
    } rows[] = {
        {"net=lan,nat", 12, true, "net=lan,nat"}, /* with its NUL */
        {"net=lan,nat", 11, true, "net=lan,nat"}, /* and without */
        {"a\0bc", 4, true, "a"},
        {"", 0, true, ""},
        {"", 1, true, ""},
        {"\001\002net", 5, false, ""}, /* a structure */
        {"\177x", 2, false, ""},
        {"\200x", 2, false, ""},
        {"a\351\t", 3, true, "a\200\t"}, /* Latin-1's e with an accent */
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint8_t *options = wide(rows[i].text, rows[i].units);
        strcpy(boot.cmdline, "old");
        boot.cmdline_cut = true;
        if (efi_text_options(options + 1, 2 * rows[i].units, &boot) != rows[i].is_text)
            fail_msg("row %u: text or not", i + 1);
        assert_string_equal(boot.cmdline, rows[i].want);
        assert_false(boot.cmdline_cut);
        free(options);
    }
    const uint8_t chinese[] = {'a', 0, 0x2D, 0x4E, 'b', 0, 'c'}; /* and half a character */
    assert_true(efi_text_options(chinese, sizeof(chinese), &boot));
    assert_string_equal(boot.cmdline, "a\200b");
}

static void long_options_are_cut(void **state)
{
    (void)state;
    char *text = malloc(BOOT_CMDLINE_MAX);
    memset(text, 'x', BOOT_CMDLINE_MAX);
    for (unsigned extra = 0; extra < 2; extra++) {
        size_t units = BOOT_CMDLINE_MAX - 1 + extra;
        uint8_t *options = wide(text, units);
        assert_true(efi_text_options(options + 1, 2 * units, &boot));
        assert_int_equal(strlen(boot.cmdline), BOOT_CMDLINE_MAX - 1);
        assert_int_equal(boot.cmdline_cut, extra);
        free(options);
    }
    free(text);
}

/* Appends a node to a device path; data is text of 16-bit characters if type is a file's. */
static size_t put_node(uint8_t *at, uint8_t type, uint8_t subtype, const char *text, bool nul)
{
    size_t n = strlen(text) + nul;
    at[0] = type;
    at[1] = subtype;
    at[2] = (uint8_t)(4 + 2 * n);
    at[3] = (uint8_t)((4 + 2 * n) >> 8);
    for (size_t i = 0; i < n; i++) {
        at[4 + 2 * i] = (uint8_t)text[i];
        at[5 + 2 * i] = 0;
    }
    return 4 + 2 * n;
}

static void files_beside_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *pieces[3];
        const char *want;
    } rows[] = {
        {{"\\EFI\\BOOT\\BOOTX64.EFI"}, "\\EFI\\BOOT\\s.cfg"},
        {{"EFI\\BOOT\\BOOTX64.EFI"}, "\\EFI\\BOOT\\s.cfg"},
        {{"\\EFI\\BOOT", "BOOTX64.EFI"}, "\\EFI\\BOOT\\s.cfg"},
        {{"\\EFI\\", "\\BOOT\\", "\\BOOTX64.EFI"}, "\\EFI\\BOOT\\s.cfg"},
        {{"\\\\EFI\\\\x.efi"}, "\\EFI\\s.cfg"},
        {{"\\x.efi"}, "\\s.cfg"},
        {{"x.efi"}, "\\s.cfg"},
        {{""}, "\\s.cfg"},
        {{NULL}, "\\s.cfg"},
    };
    for (unsigned r = 0; r < ARRAY_COUNT(rows); r++) {
        uint8_t nodes[256];
        uint16_t path[32];
        size_t n = put_node(nodes, 1, 1, "a device", false);
        for (unsigned i = 0; i < 3 && rows[r].pieces[i]; i++)
            n += put_node(nodes + n, 4, 4, rows[r].pieces[i], i % 2 == 0);
        n += put_node(nodes + n, 0x7F, 0xFF, "", false);
        uint8_t *exact = malloc(n);
        memcpy(exact, nodes, n);
        size_t room = strlen(rows[r].want) + 1;
        /* Longer than the answer while it is made: what is cut off needs room too. */
        assert_true(efi_text_beside(exact, n, "s.cfg", path, ARRAY_COUNT(path)));
        for (unsigned i = 0; i < room; i++)
            if (path[i] != (uint8_t)rows[r].want[i])
                fail_msg("row %u: character %u is %c", r + 1, i, path[i]);
        assert_false(efi_text_beside(exact, n, "s.cfg", path, room - 1));
        for (size_t cut = 0; cut < n; cut++) { /* it has no end, and nothing behind is read */
            uint8_t *part = malloc(cut ? cut : 1);
            memcpy(part, nodes, cut);
            if (efi_text_beside(part, cut, "s.cfg", path, ARRAY_COUNT(path)))
                fail_msg("row %u: believed with %zu of %zu bytes", r + 1, cut, n);
            free(part);
        }
        exact[2] = 3; /* shorter than its own header */
        assert_false(efi_text_beside(exact, n, "s.cfg", path, ARRAY_COUNT(path)));
        free(exact);
    }
}

/* ---- the kernel's file ---- */

#define FILE_BYTES 1000
#define TABLE_AT   64

static uint8_t *elf;

static void put(size_t at, uint64_t value, unsigned bytes)
{
    memcpy(elf + at, &value, bytes);
}

static void put_segment(unsigned i, uint32_t type, uint64_t at, uint64_t address,
                        uint64_t file_bytes, uint64_t memory_bytes)
{
    const uint64_t words[] = {type | 5ULL << 32, at,           0xBAD, address,
                              file_bytes,        memory_bytes, PAGE};
    memcpy(elf + TABLE_AT + i * 56, words, sizeof(words));
}

static int make_elf(void **state)
{
    (void)state;
    elf = malloc(FILE_BYTES);
    memset(elf, 0, TABLE_AT);
    memset(elf + TABLE_AT, 'k', FILE_BYTES - TABLE_AT);
    memcpy(elf, "\177ELF\2\1\1", 7);
    put(16, 2, 2);
    put(18, 62, 2);
    put(32, TABLE_AT, 8);
    put(54, 56, 2);
    put(56, 3, 2);
    put_segment(0, 1, 500, MB, 100, 100);
    put_segment(1, 4, 0, 0, UINT64_MAX, 0); /* a note, which nothing is asked of */
    put_segment(2, 1, 900, MB + 2 * PAGE, 100, PAGE + 1);
    return 0;
}

static int free_elf(void **state)
{
    (void)state;
    free(elf);
    return 0;
}

static void files_are_laid_out(void **state)
{
    (void)state;
    struct efi_image image;
    assert_null(efi_image_check(elf, FILE_BYTES, &image));
    assert_int_equal(image.start, MB);
    assert_int_equal(image.end, MB + 4 * PAGE);
    uint8_t *memory = malloc(4 * PAGE);
    memset(memory, 0xDD, 4 * PAGE);
    efi_image_lay_out(elf, &image, memory);
    for (size_t i = 0; i < 4 * PAGE; i++) {
        bool filled = i < 100 || (i >= 2 * PAGE && i < 2 * PAGE + 100);
        if (memory[i] != (filled ? 'k' : 0))
            fail_msg("byte %zu is %02x", i, memory[i]);
    }
    free(memory);
}

#define SEGMENT(i, field) (TABLE_AT + (i)*56 + (field))

static void bad_files_are_refused(void **state)
{
    const struct {
        size_t at;
        uint64_t value;
        unsigned bytes;
        const char *words;
    } rows[] = {
        {0, 'X', 1, "no x86-64"},
        {4, 1, 1, "no x86-64"}, /* 32 bits */
        {16, 3, 2, "no x86-64"},
        {18, 3, 2, "no x86-64"},
        {54, 55, 2, "no x86-64"},
        {56, 17, 2, "cut off"},
        {56, 0, 2, "no segments"},
        {32, FILE_BYTES - 3 * 56 + 1, 8, "cut off"},
        {32, FILE_BYTES + 1, 8, "cut off"},
        {32, UINT64_MAX, 8, "cut off"},
        {SEGMENT(0, 32), 101, 8, "cut off"}, /* more in the file than in memory */
        {SEGMENT(2, 8), 901, 8, "cut off"},
        {SEGMENT(2, 8), UINT64_MAX, 8, "cut off"},
        {SEGMENT(0, 24), MB - PAGE, 8, "where none can be"},
        {SEGMENT(0, 24), MB + 1, 8, "where none can be"},
        {SEGMENT(0, 40), 3 * PAGE, 8, "where none can be"}, /* the next lies in it */
        {SEGMENT(2, 24), GB + PAGE, 8, "where none can be"},
        {SEGMENT(2, 40), GB, 8, "where none can be"},
        {SEGMENT(2, 40), UINT64_MAX, 8, "where none can be"},
    };
    struct efi_image image;
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        free_elf(state);
        make_elf(state);
        put(rows[i].at, rows[i].value, rows[i].bytes);
        const char *wrong = efi_image_check(elf, FILE_BYTES, &image);
        if (!wrong || !strstr(wrong, rows[i].words))
            fail_msg("row %u: %s", i + 1, wrong ? wrong : "accepted");
    }
    uint8_t *stub = malloc(63);
    memcpy(stub, elf, 63);
    assert_non_null(efi_image_check(stub, 63, &image));
    free(stub);
}

/* ---- page tables ---- */

#define TABLES_AT 0x7F000000ULL

/* Where the tables lead an address to, walked as the CPU does; UINT64_MAX: nowhere. */
static uint64_t walk(const uint64_t *tables, uint64_t root, unsigned levels, uint64_t address)
{
    uint64_t at = root;
    for (unsigned shift = 12 + 9 * (levels - 1);; shift -= 9) {
        assert_true(at >= TABLES_AT && at < TABLES_AT + EFI_TABLES_PAGES * PAGE);
        uint64_t entry = tables[(at - TABLES_AT) / 8 + (address >> shift & 511)];
        if ((entry & 3) != 3)
            return UINT64_MAX;
        if (shift == 21)
            return (entry & 0x80) ? (entry & ~(2 * MB - 1)) | (address & (2 * MB - 1)) : UINT64_MAX;
        at = entry & ~(PAGE - 1);
    }
}

static void tables_map_what_is_needed(void **state)
{
    (void)state;
    static const uint64_t codes[] = {
        0x1000,   3 * GB + 123,      4 * GB,           5 * GB + 0x345678, 511 * GB + 64,
        512 * GB, 777 * GB + 3 * MB, (1ULL << 47) - 64};
    uint64_t *tables = aligned_alloc(PAGE, EFI_TABLES_PAGES * PAGE);
    for (unsigned c = 0; c < ARRAY_COUNT(codes); c++) {
        for (unsigned levels = 4; levels <= 5; levels++) {
            memset(tables, 0xFF, EFI_TABLES_PAGES * PAGE);
            uint64_t root = efi_tables_fill(tables, TABLES_AT, codes[c], levels == 5);
            for (uint64_t at = 0; at < 4 * GB; at += 2 * MB)
                if (walk(tables, root, levels, at + at / (64 * MB)) != at + at / (64 * MB))
                    fail_msg("code %u: %llx is not mapped", c + 1, (ull)at);
            assert_int_equal(walk(tables, root, levels, codes[c]), codes[c]);
            assert_int_equal(walk(tables, root, levels, codes[c] ^ 8 * GB),
                             UINT64_MAX); /* and no more than that */
        }
    }
    free(tables);
}

/* ---- what the kernel believes ---- */

#define LIMIT (1ULL << 47) /* where this program's memory ends */

static struct boot_info handed;

static int clear_handed(void **state)
{
    (void)state;
    memset(&boot, 0, sizeof(boot));
    memset(&handed, 0, sizeof(handed));
    handed.ram_count = 2;
    handed.ram[0] = (struct boot_mem){8 * MB, 16 * MB};
    handed.ram[1] = (struct boot_mem){MB, 2 * MB};
    handed.acpi_rsdp = 0x123450;
    handed.framebuffer = (struct boot_framebuffer){3 * GB, 4096, 1024, 768, 0xFFFFFF, 4};
    strcpy(handed.cmdline, "fs0:\\sluice.efi log=debug");
    handed.file_bytes = 5;
    memcpy(handed.file, "a\n#b\n", 5);
    handed.loader = handed.error = (const char *)1;
    return 0;
}

static void read_handed(void)
{
    memset(&boot, 0, sizeof(boot));
    handoff_read((uintptr_t)&handed, LIMIT, &boot);
}

static void handed_is_copied(void **state)
{
    (void)state;
    read_handed();
    assert_null(boot.error);
    assert_string_equal(boot.loader, "UEFI");
    assert_int_equal(boot.ram_count, 2);
    assert_int_equal(boot.ram[0].start, MB); /* sorted by now */
    assert_int_equal(boot.ram[1].end, 16 * MB);
    assert_int_equal(boot.acpi_rsdp, 0x123450);
    assert_int_equal(boot.framebuffer.base, 3 * GB);
    assert_int_equal(boot.framebuffer.white, 0xFFFFFF);
    assert_string_equal(boot.cmdline, "log=debug");
    assert_int_equal(boot.file_bytes, 5);
    assert_memory_equal(boot.file, "a\n#b\n", 5);
    handed.file_bytes = BOOT_FILE_MAX;
    memset(handed.cmdline, 'x', sizeof(handed.cmdline)); /* no NUL */
    read_handed();
    assert_null(boot.error);
    assert_int_equal(strlen(boot.cmdline), BOOT_CMDLINE_MAX - 1);
    assert_true(boot.cmdline_cut);
    handed.cmdline[0] = '\0';
    handed.cmdline_cut = true;
    read_handed();
    assert_true(boot.cmdline_cut);
}

static void handed_lies_are_refused(void **state)
{
    (void)state;
    const uint64_t nowhere[] = {0, UINT64_MAX, LIMIT, LIMIT - sizeof(handed) + 8,
                                (uintptr_t)&handed + 1};
    for (unsigned i = 0; i < ARRAY_COUNT(nowhere); i++) {
        memset(&boot, 0, sizeof(boot));
        handoff_read(nowhere[i], LIMIT, &boot);
        assert_non_null(boot.error);
    }
    memset(&boot, 0, sizeof(boot));
    handoff_read((uintptr_t)&handed, sizeof(handed) - 1, &boot);
    assert_non_null(boot.error);
    handed.ram_count = BOOT_MEM_MAX + 1;
    read_handed();
    assert_non_null(boot.error);
    clear_handed(state);
    handed.file_bytes = BOOT_FILE_MAX + 1;
    read_handed();
    assert_non_null(boot.error);
    /* Ranges: backwards, empty, overlapping, without end. */
    clear_handed(state);
    handed.ram_count = 4;
    handed.ram[0] = (struct boot_mem){16 * MB, 8 * MB};
    handed.ram[1] = (struct boot_mem){8 * MB, 8 * MB};
    handed.ram[2] = (struct boot_mem){2 * MB, 5 * MB};
    handed.ram[3] = (struct boot_mem){4 * MB, 6 * MB};
    read_handed();
    assert_int_equal(boot.ram_count, 1);
    assert_int_equal(boot.ram[0].start, 2 * MB);
    assert_int_equal(boot.ram[0].end, 6 * MB);
}

static void framebuffers_are_checked(void **state)
{
    (void)state;
    static const struct {
        struct boot_framebuffer fb;
        bool good;
    } rows[] = {
        {{3 * GB, 4096, 1024, 768, 0xFFFFFF, 4}, true},
        {{3 * GB, 4096, 1024, 768, 0xFFFFFFFF, 4}, true},
        {{900 * GB, 8192, 1024, 768, 1, 4}, true},
        {{3 * GB, 3072, 1024, 768, 0xFFFFFF, 3}, true},
        {{3 * GB, 2048, 1024, 768, 0xFFFF, 2}, true},
        {{3 * GB, 3071, 1024, 768, 0xFFFFFF, 3}, false},
        {{3 * GB, 2047, 1024, 768, 0xFFFF, 2}, false},
        {{3 * GB, 1024, 1024, 768, 0xFF, 1}, false}, /* of a palette */
        {{3 * GB, 8192, 1024, 768, 0xFFFFFF, 5}, false},
        {{3 * GB, 4096, 1024, 768, 0xFFFFFF, 0}, false},
        {{3 * GB, 4096, 1024, 768, 0, 4}, false}, /* all black */
        {{3 * GB, 4096, 1024, 768, 0x1000000, 3}, false},
        {{3 * GB, 4096, 1024, 768, 0x10000, 2}, false},
        {{0, 4096, 1024, 768, 0xFFFFFF, 4}, false},
        {{3 * GB, 4095, 1024, 768, 0xFFFFFF, 4}, false}, /* lines shorter than they are wide */
        {{3 * GB, 4096, 0, 768, 0xFFFFFF, 4}, false},
        {{3 * GB, 4096, 1024, 0, 0xFFFFFF, 4}, false},
        {{3 * GB, UINT32_MAX, 32769, 768, 0xFFFFFF, 4}, false},
        {{3 * GB, UINT32_MAX, 1024, 32769, 0xFFFFFF, 4}, false},
        {{3 * GB, 131072, 32768, 32768, 0xFFFFFF, 4}, true},
        {{3 * GB, 131073, 1024, 768, 0xFFFFFF, 4}, false}, /* would map what is no screen */
        {{LIMIT - MB, 4096, 1024, 768, 0xFFFFFF, 4}, false},
        {{UINT64_MAX - PAGE, 4096, 1024, 768, 0xFFFFFF, 4}, false},
        {{8 * MB - 4096 * 768, 4096, 1024, 768, 0xFFFFFF, 4}, true}, /* ends where RAM begins */
        {{8 * MB - 4096 * 768 + PAGE, 4096, 1024, 768, 0xFFFFFF, 4}, false}, /* in RAM */
        {{16 * MB - PAGE, 4096, 1024, 768, 0xFFFFFF, 4}, false},
        {{16 * MB, 4096, 1024, 768, 0xFFFFFF, 4}, true},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        handed.framebuffer = rows[i].fb;
        read_handed();
        assert_null(boot.error);
        if ((boot.framebuffer.base != 0) != rows[i].good)
            fail_msg("row %u is %s", i + 1, rows[i].good ? "refused" : "accepted");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_read),
        cmocka_unit_test(odd_maps),
        cmocka_unit_test(places_are_found),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(long_options_are_cut),
        cmocka_unit_test(files_beside_are_named),
        cmocka_unit_test_setup_teardown(files_are_laid_out, make_elf, free_elf),
        cmocka_unit_test_setup_teardown(bad_files_are_refused, make_elf, free_elf),
        cmocka_unit_test(tables_map_what_is_needed),
        cmocka_unit_test_setup(handed_is_copied, clear_handed),
        cmocka_unit_test_setup(handed_lies_are_refused, clear_handed),
        cmocka_unit_test_setup(framebuffers_are_checked, clear_handed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
