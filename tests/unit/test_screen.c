/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernel/screen.c against a screen that is no more than the list of its rows, and
 * kernel/framebuffer.c against one that paints pixel by pixel: random texts, all pixel formats, odd
 * lines, sizes from too small to larger than is used.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/framebuffer.h"
#include "kernel/screen.h"
#include "tests/fake/fake_random.h"

static struct screen screen;

/* ---- text: what is drawn, and what should be there ---- */

static char drawn[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];
static unsigned cells_drawn;

static void draw(unsigned row, unsigned column, const char *text, unsigned n)
{
    assert_true(n > 0 && row < screen.rows && column + n <= screen.columns);
    memcpy(&drawn[row][column], text, n);
    cells_drawn += n;
}

static bool start(unsigned rows, unsigned columns)
{
    memset(&screen, 0, sizeof(screen));
    memset(drawn, ' ', sizeof(drawn));
    cells_drawn = 0;
    return screen_start(&screen, rows, columns, draw);
}

static void say(const char *text)
{
    screen_write(&screen, text, strlen(text));
}

static void assert_rows(const char *const *want, unsigned n)
{
    char blank[SCREEN_COLUMNS_MAX];
    memset(blank, ' ', sizeof(blank));
    for (unsigned row = 0; row < screen.rows; row++) {
        size_t length = row < n ? strlen(want[row]) : 0;
        if (memcmp(drawn[row], row < n ? want[row] : "", length) != 0 ||
            memcmp(drawn[row] + length, blank, screen.columns - length) != 0)
            fail_msg("row %u is [%.*s]", row, (int)screen.columns, drawn[row]);
    }
}

static void sizes(void **state)
{
    (void)state;
    const struct {
        unsigned rows, columns, want_rows, want_columns;
    } table[] = {
        {25, 80, 25, 80},   {5, 20, 5, 20},     {4, 20, 0, 0},
        {5, 19, 0, 0},      {0, 0, 0, 0},       {100, 200, 100, 200},
        {101, 80, 100, 80}, {25, 201, 25, 200}, {UINT32_MAX, UINT32_MAX, 100, 200},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(table); i++) {
        assert_int_equal(start(table[i].rows, table[i].columns), table[i].want_rows != 0);
        assert_int_equal(screen.rows, table[i].want_rows);
        assert_int_equal(screen.columns, table[i].want_columns);
        say("a line\n");
        assert_int_equal(cells_drawn, table[i].want_rows ? 6 : 0);
    }
}

static void lines_wrap_and_go(void **state)
{
    (void)state;
    start(6, 20);
    say("first\nthe second is longer than the screen\n\n");
    assert_rows((const char *[]){"first", "the second is longer", " than the screen"}, 3);
    say("exactly twenty chars\nfifth\n"); /* all of its row, and no more */
    static const char *const full[] = {"first", "the second is longer", " than the screen",
                                       "",      "exactly twenty chars", "fifth"};
    assert_rows(full, 6);
    say(""); /* a newline at the end of the last row moves nothing yet */
    assert_rows(full, 6);
    say("6");
    assert_rows((const char *[]){"", "exactly twenty chars", "fifth", "6"}, 4);
    say("th\nx\ny\n");
    assert_rows((const char *[]){"", "exactly twenty chars", "fifth", "6th", "x", "y"}, 6);
    say("\n");
    assert_rows((const char *[]){"6th", "x", "y"}, 3);
}

static void what_stays_is_not_drawn(void **state)
{
    (void)state;
    start(10, 40);
    say("    x    y  \n");
    assert_int_equal(cells_drawn, 6);
    for (unsigned i = 0; i < 9; i++)
        say("    x    y  \n");
    cells_drawn = 0;
    say("z\n"); /* half of the rows go: all are as they were but the last five, and of one a letter
                 */
    assert_int_equal(cells_drawn, 5 * 6 + 1);
}

static void a_held_screen_keeps_its_first_rows(void **state)
{
    (void)state;
    start(5, 20);
    say("1\n2\n3\n4\n5\nhalf a li");
    cells_drawn = 0;
    memset(drawn, '#', sizeof(drawn)); /* as if a draw had not ended */
    screen_hold(&screen);
    assert_int_equal(cells_drawn, 5 * 20);
    assert_rows(NULL, 0);
    say("panic\na\nb\nc\nd\n");
    assert_rows((const char *[]){"panic", "a", "b", "c", "d"}, 5);
    say("e\nlonger than its row is\n");
    assert_rows((const char *[]){"panic", "a", "b", "c", "is"}, 5);
    say("halted\n");
    assert_rows((const char *[]){"panic", "a", "b", "c", "halted"}, 5);
}

/* The naive one: a row for each line that was ever begun, all kept. */
static char rows[20000][SCREEN_COLUMNS_MAX];
static unsigned last, first; /* the row written to, and the topmost shown */

static void naive_write(const char *text, size_t n, unsigned *column)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\n' && *column == screen.columns) {
            last++;
            *column = 0;
        }
        if (last - first == screen.rows)
            first += screen.rows - screen.rows / 2;
        if (text[i] == '\n') {
            last++;
            *column = 0;
        } else {
            rows[last][(*column)++] = text[i];
        }
    }
}

static void random_texts(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        assert_true(start(5 + rnd(60), 20 + rnd(150)));
        memset(rows, ' ', sizeof(rows[0]) * 2000);
        unsigned column = 0;
        last = first = 0;
        while (last < 300) {
            char text[300];
            unsigned n = rnd(sizeof(text));
            for (unsigned i = 0; i < n; i++)
                text[i] = rnd(30) ? (char)(' ' + rnd(4)) : '\n';
            screen_write(&screen, text, n);
            naive_write(text, n, &column);
            for (unsigned row = 0; row < screen.rows; row++)
                if (memcmp(drawn[row], rows[first + row], screen.columns) != 0)
                    fail_msg("round %u, row %u: [%.*s]", round, row, (int)screen.columns,
                             drawn[row]);
        }
    }
}

/* ---- pixels ---- */

#define BEFORE 0x5A /* what is in a framebuffer, and stays where there is no pixel */

static uint8_t *memory;
static size_t memory_bytes;

static struct boot_framebuffer make(uint32_t width, uint32_t height, unsigned pixel_bytes,
                                    uint32_t gap, uint32_t white)
{
    uint32_t line_bytes = width * pixel_bytes + gap;
    free(memory);
    memory_bytes = (size_t)line_bytes * height;
    memory = malloc(memory_bytes);
    memset(memory, BEFORE, memory_bytes);
    memset(&screen, 0, sizeof(screen));
    return (struct boot_framebuffer){.base = (uintptr_t)memory,
                                     .line_bytes = line_bytes,
                                     .width = width,
                                     .height = height,
                                     .white = white,
                                     .pixel_bytes = (uint8_t)pixel_bytes};
}

static bool is_lit(const struct boot_framebuffer *fb, uint32_t x, uint32_t y)
{
    unsigned scale = MIN(MAX(fb->height / 800, 1u), 8u);
    unsigned row = y / (16 * scale), column = x / (8 * scale);
    if (row >= screen.rows || column >= screen.columns)
        return false;
    uint8_t c = (uint8_t)screen.text[row][column];
    if (c < ' ' || c > '~')
        c = '?';
    return framebuffer_font[c - ' '][y / scale % 16] >> (7 - x / scale % 8) & 1;
}

static void assert_painted(const struct boot_framebuffer *fb)
{
    for (uint32_t y = 0; y < fb->height; y++) {
        const uint8_t *line = memory + (size_t)y * fb->line_bytes;
        for (uint32_t x = 0; x < fb->width; x++) {
            uint32_t pixel = 0;
            memcpy(&pixel, line + x * fb->pixel_bytes, fb->pixel_bytes);
            if (pixel != (is_lit(fb, x, y) ? fb->white : 0))
                fail_msg("%u x %u, %u bytes: pixel %u, %u is %x", fb->width, fb->height,
                         fb->pixel_bytes, x, y, pixel);
        }
        for (uint32_t at = fb->width * fb->pixel_bytes; at < fb->line_bytes; at++)
            if (line[at] != BEFORE)
                fail_msg("written behind line %u", y);
    }
}

static void pixels(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        unsigned pixel_bytes;
        uint32_t gap, white;
        unsigned rows, columns;
    } table[] = {
        {640, 480, 4, 0, 0x00FFFFFF, 30, 80},
        {643, 489, 4, 7, 0xFFFFFF00, 30, 80}, /* pixels beside and below the last character */
        {640, 480, 3, 1, 0x00FFFFFF, 30, 80},
        {641, 481, 2, 3, 0x0000FFFF, 30, 80},
        {640, 480, 2, 0, 0x00007FFF, 30, 80},
        {160, 80, 4, 0, 1, 5, 20}, /* the smallest */
        {1920, 40, 4, 0, 1, 0, 0},
        {159, 480, 4, 0, 1, 0, 0},
        {80, 25, 4, 0, 1, 0, 0},
        {1, 1, 2, 0, 1, 0, 0},
        {170, 1599, 4, 0, 0xFFFFFF, 99, 21}, /* the last that is not scaled */
        {328, 1600, 4, 4, 0xFFFFFF, 50, 20}, /* twice */
        {340, 1601, 3, 5, 0xFFFFFF, 50, 21},
        {333, 2160, 2, 1, 0xFFFF, 67, 20},
        {480, 2400, 4, 0, 0xFFFFFF, 50, 20},  /* three times */
        {1281, 7300, 3, 0, 0xFFFFFF, 57, 20}, /* eight times, and never more */
        {1700, 100, 4, 0, 0xFFFFFF, 6, 200},  /* wider than is used */
    };
    for (unsigned i = 0; i < ARRAY_COUNT(table); i++) {
        struct boot_framebuffer fb = make(table[i].width, table[i].height, table[i].pixel_bytes,
                                          table[i].gap, table[i].white);
        assert_int_equal(framebuffer_start(&screen, &fb), table[i].rows != 0);
        assert_int_equal(screen.rows, table[i].rows);
        assert_int_equal(screen.columns, table[i].columns);
        if (table[i].rows == 0) { /* and nothing was touched */
            for (size_t at = 0; at < memory_bytes; at++)
                assert_int_equal(memory[at], BEFORE);
            continue;
        }
        assert_painted(&fb);
        for (unsigned n = 0; n < 3 * screen.rows * screen.columns; n++) {
            char c = rnd(40) ? (char)rnd(256) : '\n';
            screen_write(&screen, &c, 1);
        }
        assert_painted(&fb);
    }
    free(memory);
    memory = NULL;
}

/* Letters are neither blank nor each other, and stand in the upper case's and lower case's places.
 */
static void font(void **state)
{
    (void)state;
    for (unsigned i = 1; i < ARRAY_COUNT(framebuffer_font); i++)
        for (unsigned k = 0; k < i; k++)
            assert_memory_not_equal(framebuffer_font[i], framebuffer_font[k],
                                    FRAMEBUFFER_GLYPH_HEIGHT);
    static const uint8_t blank[FRAMEBUFFER_GLYPH_HEIGHT];
    assert_memory_equal(framebuffer_font[0], blank, sizeof(blank));
    /* In any font: an underscore is one bar, low; a hyphen one in the middle. */
    const struct {
        char c;
        unsigned from, to;
    } bars[] = {{'_', 11, 15}, {'-', 6, 10}};
    for (unsigned i = 0; i < ARRAY_COUNT(bars); i++)
        for (unsigned y = 0; y < FRAMEBUFFER_GLYPH_HEIGHT; y++)
            if (framebuffer_font[bars[i].c - ' '][y] != 0)
                assert_in_range(y, bars[i].from, bars[i].to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(lines_wrap_and_go),
        cmocka_unit_test(what_stays_is_not_drawn),
        cmocka_unit_test(a_held_screen_keeps_its_first_rows),
        cmocka_unit_test(random_texts),
        cmocka_unit_test(pixels),
        cmocka_unit_test(font),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
