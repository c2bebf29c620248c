/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See fake_config.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "fake_config.h"

#define LINE_CHARS 100 /* of a console */

void fake_config_start(struct fake_config *f, unsigned ports)
{
    static const uint8_t base[MAC_BYTES] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    config_draft_init(&f->draft, &f->report);
    f->count = ports;
    f->said[0] = 0;
    for (unsigned i = 0; i < CONFIG_MAX_PORTS; i++) {
        memcpy(f->ports[i].mac, base, MAC_BYTES);
        f->ports[i].mac[5] = (uint8_t)(base[5] + i);
    }
}

void fake_config_text(struct fake_config *f, const char *source, bool is_file, const char *text)
{
    struct config_text t = {
        .source = source, .text = text, .bytes = strlen(text), .is_file = is_file};
    config_parse(&f->draft, &t, &f->report);
}

static void append(struct fake_config *f, const char *text)
{
    size_t used = strlen(f->said);
    snprintf(f->said + used, sizeof(f->said) - used, "%s", text);
}

bool fake_config_end(struct fake_config *f)
{
    bool ok = config_resolve(&f->draft, f->ports, f->count, &f->config, &f->report);
    char place[32];
    for (unsigned i = 0; i < f->report.error_count; i++) {
        const struct config_message *m = &f->report.errors[i];
        if (m->line)
            snprintf(place, sizeof(place), "%u:%u ", m->line, m->column);
        else
            snprintf(place, sizeof(place), "%u ", m->column);
        append(f, place);
        append(f, m->text);
        append(f, "\n");
    }
    for (unsigned i = 0; i < f->report.note_count; i++) {
        append(f, "note ");
        append(f, f->report.notes[i].text);
        append(f, "\n");
    }
    return ok;
}

bool fake_config_run(struct fake_config *f, unsigned ports, const char *text)
{
    fake_config_start(f, ports);
    fake_config_text(f, "command line", false, text);
    return fake_config_end(f);
}

/* config_print() gives lines to a function without an argument of its own. */
static struct fake_config *printing;

static void print_line(const char *text)
{
    append(printing, text);
    append(printing, "\n");
}

void fake_config_print(struct fake_config *f)
{
    f->said[0] = 0;
    printing = f;
    config_print(&f->config, f->ports, f->count, print_line);
}

/* True if every line is a note. */
static bool only_notes(const char *said)
{
    while (strncmp(said, "note ", 5) == 0)
        said = strchr(said, '\n') + 1;
    return *said == 0;
}

void fake_config_check_told(struct fake_config *f, const struct fake_config_row *rows, unsigned n)
{
    for (const struct fake_config_row *row = rows; row < rows + n; row++) {
        bool ok = fake_config_run(f, row->ports, row->text);
        if (strcmp(f->said, row->expected) != 0)
            fail_msg("row %d, %s, said:\n%s", row->id, row->text, f->said);
        if (ok != only_notes(row->expected) || f->config.ok != ok)
            fail_msg("row %d, %s: ok is %d", row->id, row->text, ok);
    }
}

void fake_config_check_understood(struct fake_config *f, const struct fake_config_row *rows,
                                  unsigned n)
{
    static char all[sizeof(f->said)];

    for (const struct fake_config_row *row = rows; row < rows + n; row++) {
        if (!fake_config_run(f, row->ports, row->text) || !f->config.ok)
            fail_msg("row %d, %s, is refused:\n%s", row->id, row->text, f->said);
        memcpy(all, f->said, sizeof(all));
        fake_config_print(f);
        for (const char *line = f->said; *line; line = strchr(line, '\n') + 1)
            if (strcspn(line, "\n") > LINE_CHARS)
                fail_msg("row %d, %s, prints a long line: %s", row->id, row->text, line);
        char *reach = strstr(f->said, "reach ");
        if (reach)
            *reach = 0;
        strcat(all, f->said);
        if (strcmp(all, row->expected) != 0)
            fail_msg("row %d, %s, said:\n%s", row->id, row->text, all);
    }
}
