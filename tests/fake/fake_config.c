/* SPDX-License-Identifier: BSD-3-Clause
 *
 * See fake_config.h.
 */
#include <stdio.h>

#include "fake_config.h"

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
