/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Running configuration texts through the parser on a host, with ports that have known MACs
 * (52:54:00:12:34:56 is port 0, ...:57 port 1 and so on), and getting everything it says as one
 * string.
 */
#ifndef FAKE_CONFIG_H
#define FAKE_CONFIG_H

#include "boot/config_draft.h"
#include "boot/options.h"

struct fake_config {
    struct config_draft draft;
    struct config_report report;
    struct config config;
    struct port_info ports[CONFIG_MAX_PORTS];
    unsigned count;
    char said[32768];
};

void fake_config_start(struct fake_config *f, unsigned ports);
void fake_config_text(struct fake_config *f, const char *source, bool is_file, const char *text);

/* Resolves, and puts into said one line a message: "COLUMN text", "LINE:COLUMN text" or "note
 * text". */
bool fake_config_end(struct fake_config *f);

/* All three for one command line. */
bool fake_config_run(struct fake_config *f, unsigned ports, const char *text);

/* Puts what config_print() prints into said instead. */
void fake_config_print(struct fake_config *f);

/* Rows for cmocka tests: a text on a machine with so many ports, and what is said about it; the row
 * where something else is said fails by its number. */
struct fake_config_row {
    int id;
    unsigned ports;
    const char *text;
    const char *expected;
};

/* Expected is the whole report. What is told any other thing than notes is refused. */
void fake_config_check_told(struct fake_config *f, const struct fake_config_row *rows, unsigned n);

/* Every text is right. Expected are the notes and, behind them, what the console prints, without
 * the reachability matrix; no line is longer than a console's. */
void fake_config_check_understood(struct fake_config *f, const struct fake_config_row *rows,
                                  unsigned n);

#endif
