/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Theory of operation. Drawing is what costs: a screen is memory behind a bus, slow to write and
 * slower to read. So it is never read; what it shows is kept here, and of a row only that part is
 * drawn which changes. Nor does every line at the bottom move all others: the upper half goes at
 * once, and there is room for as many lines again. A line thus costs its own characters and two
 * rows.
 *
 * Rows are made free when something is written into them, not before, so that a newline at the end
 * of the last row does not cost half of what is shown.
 */
#include "screen.h"

static const char spaces[SCREEN_COLUMNS_MAX] = {[0 ... SCREEN_COLUMNS_MAX - 1] = ' '};

/* Shows text in place of what is there; the parts in front and behind that stay are not drawn. */
static void put(struct screen *screen, unsigned row, unsigned column, const char *text, unsigned n)
{
    char *shown = &screen->text[row][column];
    while (n > 0 && shown[n - 1] == text[n - 1])
        n--;
    for (; n > 0 && *shown == *text; n--) {
        shown++;
        text++;
        column++;
    }
    if (n == 0)
        return;
    memcpy(shown, text, n);
    screen->draw(row, column, shown, n);
}

static void free_rows(struct screen *screen)
{
    unsigned moved = screen->held ? 0 : screen->rows - screen->rows / 2;
    unsigned kept = screen->held ? screen->rows - 1 : screen->rows / 2;
    for (unsigned row = 0; moved > 0 && row < kept; row++)
        put(screen, row, 0, screen->text[row + moved], screen->columns);
    for (unsigned row = kept; row < screen->rows; row++)
        put(screen, row, 0, spaces, screen->columns);
    screen->row = kept;
}

bool screen_start(struct screen *screen, unsigned rows, unsigned columns, screen_draw draw)
{
    if (rows < SCREEN_ROWS_MIN || columns < SCREEN_COLUMNS_MIN)
        return false;
    screen->draw = draw;
    screen->rows = MIN(rows, (unsigned)SCREEN_ROWS_MAX);
    screen->columns = MIN(columns, (unsigned)SCREEN_COLUMNS_MAX);
    screen->row = screen->column = 0;
    screen->held = false;
    memset(screen->text, ' ', sizeof(screen->text));
    return true;
}

void screen_write(struct screen *screen, const char *text, size_t n)
{
    if (screen->rows == 0)
        return;
    for (const char *end = text + n; text < end;) {
        if (screen->row == screen->rows)
            free_rows(screen);
        if (*text == '\n' || screen->column == screen->columns) {
            text += *text == '\n';
            screen->row++;
            screen->column = 0;
            continue;
        }
        unsigned run = 0, room = screen->columns - screen->column;
        while (run < room && text + run < end && text[run] != '\n')
            run++;
        put(screen, screen->row, screen->column, text, run);
        screen->column += run;
        text += run;
    }
}

/* All is drawn anew, since what came in between may have been a draw that did not end. */
void screen_hold(struct screen *screen)
{
    memset(screen->text, ' ', sizeof(screen->text));
    for (unsigned row = 0; row < screen->rows; row++)
        screen->draw(row, 0, screen->text[row], screen->columns);
    screen->row = screen->column = 0;
    screen->held = true;
}
