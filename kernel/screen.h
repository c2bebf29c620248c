/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A screen of text: rows and columns of printable ASCII, on whatever draws them. It knows no
 * hardware.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include "base.h"

/* A log line is shorter than that many columns; a larger screen is used in part. */
#define SCREEN_COLUMNS_MAX 200
#define SCREEN_ROWS_MAX    100

/* Fewer are of no use to anybody. */
#define SCREEN_COLUMNS_MIN 20
#define SCREEN_ROWS_MIN    5

/* Shows n > 0 characters, all in one row. */
typedef void (*screen_draw)(unsigned row, unsigned column, const char *text, unsigned n);

struct screen {
    screen_draw draw;
    unsigned rows, columns; /* 0: there is no screen */
    unsigned row, column;   /* where the next character goes; row may be rows, and column columns */
    bool held;              /* full is full: only the last row still changes */
    char text[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX]; /* what is shown */
};

/* A screen of rows x columns, or as much of it as is used, which shows nothing but spaces. False,
 * and no screen, if it is too small. */
bool screen_start(struct screen *screen, unsigned rows, unsigned columns, screen_draw draw);

/* Writes on: text is printable ASCII and newlines; other bytes are the drawer's affair. A line that
 * is too long goes on in the next row. */
void screen_write(struct screen *screen, const char *text, size_t n);

/* Clears the screen and keeps what is written on it from then on: what has no room in its rows
 * replaces the last one. */
void screen_hold(struct screen *screen);

#endif
