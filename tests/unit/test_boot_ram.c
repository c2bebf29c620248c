/* SPDX-License-Identifier: BSD-3-Clause
 *
 * boot/boot_ram.c: numbered rows, then random additions and removals against a map of pages.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include "boot/boot_ram.h"

#define MB   (1ULL << 20)
#define PAGE 4096ULL

enum { END, ADD, REMOVE };

struct step {
    int what;
    uint64_t start, bytes;
};

struct row {
    struct step steps[6];
    struct boot_mem want[5];
};

static const struct row rows[] = {
    /* 1: plain */
    {{{ADD, 2 * MB, 2 * MB}}, {{2 * MB, 4 * MB}}},
    /* 2: below 1 MB is left out, a range across it is cut */
    {{{ADD, 0, 640 * 1024}, {ADD, 0xF0000, MB}}, {{MB, 0xF0000 + MB}}},
    /* 3: only whole pages */
    {{{ADD, 2 * MB + 1, 3 * PAGE}}, {{2 * MB + PAGE, 2 * MB + 3 * PAGE}}},
    /* 4: less than a page, and nothing */
    {{{ADD, 2 * MB + 1, PAGE}, {ADD, 3 * MB, 0}, {ADD, 4 * MB, PAGE - 1}}, {{0, 0}}},
    /* 5: out of order */
    {{{ADD, 8 * MB, MB}, {ADD, 2 * MB, MB}}, {{2 * MB, 3 * MB}, {8 * MB, 9 * MB}}},
    /* 6: touching ranges become one */
    {{{ADD, 2 * MB, MB}, {ADD, 4 * MB, MB}, {ADD, 3 * MB, MB}}, {{2 * MB, 5 * MB}}},
    /* 7: one that swallows others */
    {{{ADD, 2 * MB, MB}, {ADD, 4 * MB, MB}, {ADD, MB, 8 * MB}}, {{MB, 9 * MB}}},
    /* 8: an end beyond 64 bits, and one beyond what can be mapped */
    {{{ADD, 2 * MB, UINT64_MAX}}, {{2 * MB, BOOT_RAM_HIGHEST}}},
    {{{ADD, UINT64_MAX - PAGE, PAGE}, {ADD, BOOT_RAM_HIGHEST, MB}}, {{0, 0}}},
    /* 10: a hole in the middle, at the start, at the end, all of it */
    {{{ADD, 2 * MB, 4 * MB}, {REMOVE, 3 * MB, MB}}, {{2 * MB, 3 * MB}, {4 * MB, 6 * MB}}},
    {{{ADD, 2 * MB, 4 * MB}, {REMOVE, 0, 3 * MB}}, {{3 * MB, 6 * MB}}},
    {{{ADD, 2 * MB, 4 * MB}, {REMOVE, 5 * MB, UINT64_MAX}}, {{2 * MB, 5 * MB}}},
    {{{ADD, 2 * MB, 4 * MB}, {REMOVE, 2 * MB, 4 * MB}}, {{0, 0}}},
    /* 14: one byte costs its page */
    {{{ADD, 2 * MB, MB}, {REMOVE, 2 * MB + PAGE + 1, 1}},
     {{2 * MB, 2 * MB + PAGE}, {2 * MB + 2 * PAGE, 3 * MB}}},
    /* 15: nothing costs nothing */
    {{{ADD, 2 * MB, MB}, {REMOVE, 2 * MB + PAGE + 1, 0}}, {{2 * MB, 3 * MB}}},
    /* 16: a hole across several */
    {{{ADD, 2 * MB, MB},
      {ADD, 4 * MB, MB},
      {ADD, 6 * MB, MB},
      {REMOVE, 2 * MB + PAGE, 5 * MB - 2 * PAGE}},
     {{2 * MB, 2 * MB + PAGE}, {7 * MB - PAGE, 7 * MB}}},
};

static void rows_hold(void **state)
{
    (void)state;
    for (unsigned r = 0; r < ARRAY_COUNT(rows); r++) {
        struct boot_info boot = {0};
        for (const struct step *s = rows[r].steps; s->what != END; s++) {
            if (s->what == ADD)
                boot_ram_add(&boot, s->start, s->bytes);
            else
                boot_ram_remove(&boot, s->start, s->bytes);
        }
        unsigned want = 0;
        while (rows[r].want[want].end != 0)
            want++;
        if (boot.ram_count != want)
            fail_msg("row %u: %u ranges, not %u", r + 1, boot.ram_count, want);
        for (unsigned i = 0; i < want; i++)
            if (boot.ram[i].start != rows[r].want[i].start ||
                boot.ram[i].end != rows[r].want[i].end)
                fail_msg("row %u: range %u is %llx-%llx", r + 1, i,
                         (unsigned long long)boot.ram[i].start,
                         (unsigned long long)boot.ram[i].end);
    }
}

#define MODEL_PAGES 2048 /* 8 MB from the lowest address on */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return *state >> 33;
}

static void apply_to_model(bool *pages, bool add, uint64_t start, uint64_t bytes)
{
    for (uint64_t i = 0; i < MODEL_PAGES; i++) {
        uint64_t low = BOOT_RAM_LOWEST + i * PAGE, high = low + PAGE;
        if (add && start <= low && high <= start + bytes)
            pages[i] = true;
        if (!add && bytes > 0 && start < high && low < start + bytes)
            pages[i] = false;
    }
}

static void agrees_with_a_page_map(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (unsigned round = 0; round < 300; round++) {
        static bool pages[MODEL_PAGES];
        memset(pages, 0, sizeof(pages));
        struct boot_info boot = {0};
        for (unsigned step = 0; step < 24; step++) {
            bool add = next_random(&seed) % 3 != 0;
            uint64_t start = next_random(&seed) % (BOOT_RAM_LOWEST + MODEL_PAGES * PAGE);
            uint64_t bytes = next_random(&seed) % (step % 2 ? 40 * PAGE : MODEL_PAGES * PAGE / 4);
            bytes = MIN(bytes, BOOT_RAM_LOWEST + MODEL_PAGES * PAGE - start);
            if (next_random(&seed) % 2) {
                start &= ~(PAGE - 1);
                bytes &= ~(PAGE - 1);
            }
            if (add)
                boot_ram_add(&boot, start, bytes);
            else
                boot_ram_remove(&boot, start, bytes);
            apply_to_model(pages, add, start, bytes);

            bool got[MODEL_PAGES] = {false};
            for (unsigned i = 0; i < boot.ram_count; i++) {
                assert_true(boot.ram[i].start < boot.ram[i].end);
                if (i > 0)
                    assert_true(boot.ram[i - 1].end < boot.ram[i].start);
                for (uint64_t at = boot.ram[i].start; at < boot.ram[i].end; at += PAGE)
                    got[(at - BOOT_RAM_LOWEST) / PAGE] = true;
            }
            assert_memory_equal(got, pages, sizeof(got));
        }
    }
}

/* With more ranges than there is room for, the largest stay, sorted. */
static void keeps_the_largest(void **state)
{
    (void)state;
    struct boot_info boot = {0};
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t pages = 1 + i * 37 % 200;
        boot_ram_add(&boot, (1 + i * 73 % 200) * 16 * MB, pages * PAGE);
    }
    assert_int_equal(boot.ram_count, BOOT_MEM_MAX);
    for (unsigned i = 0; i < boot.ram_count; i++) {
        assert_true((boot.ram[i].end - boot.ram[i].start) / PAGE > 200 - BOOT_MEM_MAX);
        if (i > 0)
            assert_true(boot.ram[i - 1].end < boot.ram[i].start);
    }
    boot_ram_remove(&boot, boot.ram[10].start + 5 * PAGE, PAGE); /* would make one more */
    assert_int_equal(boot.ram_count, BOOT_MEM_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold),
        cmocka_unit_test(agrees_with_a_page_map),
        cmocka_unit_test(keeps_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
