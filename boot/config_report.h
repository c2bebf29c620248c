/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Collecting messages about a configuration, and guessing what a misspelt word was meant to be.
 */
#ifndef CONFIG_REPORT_H
#define CONFIG_REPORT_H

#include "config_draft.h"
#include "config_value.h"
#include "options.h"

/* A place in a text. */
struct config_place {
    const char *source; /* NULL: nowhere */
    uint32_t line;
    uint32_t column;
};

struct config_place config_place_of(const struct config_draft *draft,
                                    const struct draft_item *item);

/* key: the option whose synopsis helps, or NULL. */
void config_report_add(struct config_report *report, enum config_family family,
                       struct config_place place, const char *key, const char *format, ...)
    PRINTF_LIKE(5, 6);

/* Turns unknown options from errors into notes (config=lenient). */
void config_report_forgive(struct config_report *report);

/* A piece of text as messages show it: cut to a length, unprintable bytes as '?'. Returns text. */
#define SHOWN_BYTES 44
const char *config_shown(struct span piece, char text[static SHOWN_BYTES]);

/* "line 3, column 7" or "column 7" into text; returns text. */
#define PLACE_BYTES 96
const char *config_place_text(struct config_place place, char text[static PLACE_BYTES]);

/* text behind a label, broken at spaces (or in front of a '[', for synopses) into as many lines as
 * it takes. */
void config_print_wrapped(const char *label, const char *text, config_line line);

/* The word nearest to what was written, if it is near enough to be a slip. */
struct suggestion {
    struct span written;
    const char *best;
    unsigned distance;
};

void config_suggest_begin(struct suggestion *s, struct span written);
void config_suggest_offer(struct suggestion *s, const char *candidate);

#endif
