/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the console shows at start of who may open what: the rules as they were understood, and the
 * matrix that comes of modes, rules and forwards.
 */
#include <stdio.h>

#include "config_rules.h"
#include "net/rules.h"

#define LINE_MAX    100
#define LABEL_WIDTH 9  /* as in config_print.c */
#define CELL_MIN    10 /* "from / to" and "rules+fwd" fit */

void config_print_rules(const struct config *config, config_line out)
{
    char text[RULE_TEXT_BYTES], words[RULE_TEXT_BYTES + sizeof("  log")];
    for (unsigned i = 0; i < config->rule_count; i++) {
        snprintf(words, sizeof(words), "%s%s", rules_text(config, i, text) + strlen("rule "),
                 config->rules[i].log ? "  log" : "");
        config_print_wrapped("rule", words, out);
    }
}

/* ---- who reaches whom ---- */

/* The ends of ways: networks, the uplink, and as goal only, the router. */
static unsigned nth_end(const struct config *config, unsigned i)
{
    return i < config->net_count ? i : i == config->net_count ? REACH_UPLINK : REACH_ROUTER;
}

static const char *end_name(const struct config *config, unsigned end)
{
    if (end < config->net_count)
        return config->nets[end].name;
    return end == REACH_UPLINK ? "uplink" : "router";
}

static const char *cell_text(const struct config *config, unsigned from, unsigned to)
{
    enum reach reach = reach_between(config, from, to).reach;
    int first;
    if (reach == REACH_ALL)
        return "yes";
    if (from == REACH_UPLINK && to == REACH_UPLINK && reach == REACH_NONE)
        return "-";
    if (reach_by_forward(config, from, to, &first)) {
        if (first == REACH_BY_PCP)
            return reach == REACH_SOME ? "rules+pcp" : "pcp";
        return reach == REACH_SOME ? "rules+fwd" : "forwards";
    }
    return reach == REACH_SOME ? "rules" : "no";
}

static unsigned cell_width(const char *name)
{
    return MAX((unsigned)strlen(name) + 1, CELL_MIN);
}

struct row {
    char text[LINE_MAX + 1];
    size_t used;
};

static void add_cell(struct row *row, const char *text, unsigned width)
{
    int n =
        snprintf(row->text + row->used, sizeof(row->text) - row->used, "%-*s", (int)width, text);
    row->used = MIN(row->used + (size_t)n, sizeof(row->text) - 1);
}

static void end_row(struct row *row, config_line out)
{
    while (row->used && row->text[row->used - 1] == ' ')
        row->text[--row->used] = 0;
    out(row->text);
    row->used = 0;
}

/* Goals first .. end - 1, side by side. */
static void print_block(const struct config *config, unsigned first, unsigned end, unsigned head,
                        config_line out)
{
    struct row row = {.used = 0};
    add_cell(&row, "reach", LABEL_WIDTH);
    add_cell(&row, "from / to", head);
    for (unsigned i = first; i < end; i++) {
        const char *name = end_name(config, nth_end(config, i));
        add_cell(&row, name, cell_width(name));
    }
    end_row(&row, out);
    for (unsigned k = 0; k <= config->net_count; k++) {
        unsigned from = nth_end(config, k);
        add_cell(&row, "", LABEL_WIDTH);
        add_cell(&row, end_name(config, from), head);
        for (unsigned i = first; i < end; i++) {
            unsigned to = nth_end(config, i);
            add_cell(&row, cell_text(config, from, to), cell_width(end_name(config, to)));
        }
        end_row(&row, out);
    }
}

/* As many goals side by side as there is room for. No name is cut, for two might then look alike.
 */
void config_print_reach(const struct config *config, config_line out)
{
    const unsigned ends = config->net_count + 2u;
    unsigned head = CELL_MIN + 1, end;
    for (unsigned i = 0; i < config->net_count; i++)
        head = MAX(head, cell_width(config->nets[i].name));
    for (unsigned first = 0; first < ends; first = end) {
        unsigned used = LABEL_WIDTH + head;
        for (end = first; end < ends; end++) {
            used += cell_width(end_name(config, nth_end(config, end)));
            if (used > LINE_MAX + 1 && end > first) /* the last one's space is not printed */
                break;
        }
        print_block(config, first, end, head, out);
    }
}
