/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The option table for people: as docs/options.md (Markdown), and as the console's help text.
 */
#include <stdarg.h>
#include <stdio.h>

#include "config_table.h"
#include "options.h"

#define ROW_BYTES 512

PRINTF_LIKE(2, 3)
static void put(config_line out, const char *format, ...)
{
    char text[ROW_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    out(text);
}

/* text as a cell of a Markdown table: '|' would end the cell. Returns cell. */
static const char *cell_text(const char *text, char cell[static ROW_BYTES / 2])
{
    size_t used = 0;
    for (; *text && used + 3 < ROW_BYTES / 2; text++) {
        if (*text == '|')
            cell[used++] = '\\';
        cell[used++] = *text;
    }
    cell[used] = 0;
    return cell;
}

/* How a field is written: "ports=P+P...", "NAME", "deny". */
static const char *field_text(const struct field_row *field, char cell[static ROW_BYTES / 2])
{
    char text[96];
    if (field->kind == FIELD_FLAG)
        snprintf(text, sizeof(text), "%s", field->name);
    else if (field->kind == FIELD_NAMED)
        snprintf(text, sizeof(text), "%s=%s", field->name, field->type->syntax);
    else
        snprintf(text, sizeof(text), "%s", field->type->syntax);
    return cell_text(text, cell);
}

/* What a value looks like, with all its words where it is one of a few. */
static const char *value_text(const struct value_type *type, char cell[static ROW_BYTES / 2])
{
    char text[ROW_BYTES / 2];
    const char *word;
    if (!type)
        return "written alone";
    size_t used = (size_t)snprintf(text, sizeof(text), "%s", type->what);
    for (unsigned i = 0; type->only_words && (word = type->word(i)) && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : ": ", word);
    return cell_text(text, cell);
}

static void print_fields(const struct option_row *row, config_line out)
{
    char written[ROW_BYTES / 2], value[ROW_BYTES / 2], defaults[ROW_BYTES / 2];
    put(out, "| part | value | default | meaning |");
    put(out, "| --- | --- | --- | --- |");
    for (unsigned f = 0; f < row->field_count; f++) {
        const struct field_row *field = &row->fields[f];
        const char *missing =
            field->kind == FIELD_REQUIRED && row->field_count > 1 ? "must be there" : "-";
        put(out, "| `%s` | %s | %s | %s |", field_text(field, written),
            value_text(field->type, value),
            cell_text(field->defaults ? field->defaults : missing, defaults), field->help);
    }
}

static void print_option(const struct option_row *row, config_line out)
{
    char synopsis[256];
    config_synopsis(row, synopsis, sizeof(synopsis));
    put(out, "## %s=", row->key);
    put(out, "%s", "");
    put(out, "%s", row->help);
    put(out, "%s", "");
    put(out, "```");
    put(out, "%s", synopsis);
    put(out, "```");
    put(out, "%s", "");
    print_fields(row, out);
    put(out, "%s", "");
    for (unsigned s = 0; s < row->spelling_count; s++) {
        const struct spelling_row *spelling = &row->spellings[s];
        put(out, "Also `%s=%s`: %s. The value is accepted behind `%s=` too.", spelling->key,
            spelling->syntax, spelling->help, row->key);
        put(out, "%s", "");
    }
    put(out, "Example: `%s`", row->example);
    put(out, "%s", "");
}

void config_print_reference(config_line out)
{
    put(out, "# Options");
    put(out, "%s", "");
    put(out, "<!-- Written by `make docs` from boot/config_table.c; change the table, not this "
             "page. -->");
    put(out, "%s", "");
    put(out,
        "Every key of the boot configuration language. How it works as a whole, with examples and");
    put(out, "what to do about each kind of error: [configuration.md](configuration.md).");
    put(out, "%s", "");
    for (unsigned i = 0; i < config_option_count; i++)
        print_option(&config_options[i], out);
    put(out, "## Modes of a network");
    put(out, "%s", "");
    put(out, "| MODE | translated | reaches the uplink | router has an address | DHCP | meaning |");
    put(out, "| --- | --- | --- | --- | --- | --- |");
    for (unsigned i = 0; i < NET_MODE_COUNT; i++) {
        const struct net_mode_info *mode = &net_modes[i];
        put(out, "| `%s` | %s | %s | %s | %s | %s |", mode->name, mode->translates ? "yes" : "no",
            mode->routes_to_uplink ? "yes" : "no", mode->has_address ? "yes" : "no",
            mode->dhcp ? "yes" : "no", mode->help);
    }
}

void config_print_help(config_line out)
{
    char synopsis[256];
    for (unsigned i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        config_synopsis(row, synopsis, sizeof(synopsis));
        put(out, "%s", synopsis);
        put(out, "    %s", row->help);
        for (unsigned f = 0; f < row->field_count; f++) {
            const struct field_row *field = &row->fields[f];
            char written[ROW_BYTES / 2];
            put(out, "    %-12s %s%s%s%s",
                field->kind == FIELD_NAMED || field->kind == FIELD_FLAG ? field->name
                : field->kind == FIELD_REQUIRED && row->field_count == 1
                    ? field->type->syntax
                    : field_text(field, written),
                field->help, field->defaults ? " (default: " : "",
                field->defaults ? field->defaults : "", field->defaults ? ")" : "");
        }
    }
}
