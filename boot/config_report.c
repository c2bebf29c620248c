/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Messages about a configuration. The report is bounded and its texts are: what a hostile text
 * repeats a thousand times costs a counter.
 */
#include <stdarg.h>
#include <stdio.h>

#include "config_report.h"
#include "config_table.h"

struct config_place config_place_of(const struct config_draft *draft, const struct draft_item *item)
{
    if (item->text == 0)
        return (struct config_place){NULL, 0, 0};
    return (struct config_place){draft->sources[item->text - 1], item->line, item->column};
}

static struct config_message *take_slot(struct config_report *report, enum config_family family)
{
    if (family == CONFIG_NOTE) {
        if (report->note_count < CONFIG_MAX_NOTES)
            return &report->notes[report->note_count++];
        report->more_notes++;
        return NULL;
    }
    if (report->error_count < CONFIG_MAX_ERRORS)
        return &report->errors[report->error_count++];
    report->more_errors++;
    report->more_unknown += family == CONFIG_BAD_KEY;
    return NULL;
}

void config_report_add(struct config_report *report, enum config_family family,
                       struct config_place place, const char *key, const char *format, ...)
{
    struct config_message *message = take_slot(report, family);
    if (!message)
        return;
    message->family = (uint8_t)family;
    message->source = place.source;
    message->line = place.line;
    message->column = place.column;
    message->key = key;
    va_list args;
    va_start(args, format);
    vsnprintf(message->text, sizeof(message->text), format, args);
    va_end(args);
}

void config_report_forgive(struct config_report *report)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < report->error_count; i++) {
        const struct config_message message = report->errors[i];
        struct config_place place = {message.source, message.line, message.column};
        if (message.family != CONFIG_BAD_KEY)
            report->errors[kept++] = message;
        else
            config_report_add(report, CONFIG_NOTE, place, message.key, "ignored: %.300s",
                              message.text);
    }
    report->error_count = kept;
    report->more_errors -= report->more_unknown;
    report->more_notes += report->more_unknown;
    report->more_unknown = 0;
}

const char *config_shown(struct span piece, char text[static SHOWN_BYTES])
{
    size_t n = MIN(piece.n, (size_t)SHOWN_BYTES - 1);
    for (size_t i = 0; i < n; i++)
        text[i] = piece.s[i] > 0x20 && piece.s[i] < 0x7f ? piece.s[i] : '?';
    text[n] = 0;
    if (n < piece.n)
        memcpy(text + n - 3, "...", 3);
    return text;
}

const char *config_place_text(struct config_place place, char text[static PLACE_BYTES])
{
    if (!place.source)
        snprintf(text, PLACE_BYTES, "defaults");
    else if (place.line)
        snprintf(text, PLACE_BYTES, "%.48s, line %u, column %u", place.source, (unsigned)place.line,
                 (unsigned)place.column);
    else
        snprintf(text, PLACE_BYTES, "%.48s, column %u", place.source, (unsigned)place.column);
    return text;
}

/* ---- did you mean ---- */

#define WORD_MAX 24

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b (optimal string
 * alignment), both at most WORD_MAX long. */
static unsigned edit_distance(struct span a, struct span b)
{
    unsigned char cost[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b.n; j++)
        cost[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned char *row = cost[i % 3], *above = cost[(i + 2) % 3], *over = cost[(i + 1) % 3];
        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned best = MIN(row[j - 1], above[j]) + 1u;
            best = MIN(best, above[j - 1] + (a.s[i - 1] != b.s[j - 1] ? 1u : 0u));
            if (i > 1 && j > 1 && a.s[i - 1] == b.s[j - 2] && a.s[i - 2] == b.s[j - 1])
                best = MIN(best, over[j - 2] + 1u);
            row[j] = (unsigned char)best;
        }
    }
    return cost[a.n % 3][b.n];
}

void config_suggest_begin(struct suggestion *s, struct span written)
{
    *s = (struct suggestion){written, NULL, UINT32_MAX};
}

void config_suggest_offer(struct suggestion *s, const char *candidate)
{
    char lower[WORD_MAX];
    struct span word = {candidate, strlen(candidate)};
    if (s->written.n == 0 || s->written.n > WORD_MAX || word.n == 0 || word.n > WORD_MAX)
        return;
    for (size_t i = 0; i < s->written.n; i++) {
        char c = s->written.s[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    unsigned distance = edit_distance((struct span){lower, s->written.n}, word);
    /* A third of the word may be wrong: "nta" is nat, but "dns" is not "net". */
    unsigned allowed = word.n <= 4 ? 1 : 2;
    if (distance <= allowed && distance < s->distance) {
        s->best = candidate;
        s->distance = distance;
    }
}
