/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The boot configuration language: from texts to struct config (config.h). docs/configuration.md is
 * its manual, docs/options.md its reference, generated from the option table (config_table.c).
 *
 *   - config_draft_init(), once;
 *   - config_parse() for each text, in order: later ones override earlier ones;
 *   - config_resolve(): defaults, port numbers, cross-checks;
 *   - config_print_report(): what is wrong, and what was decided without being told;
 *   - config_print(): what the router understood.
 *
 * Nothing here allocates, logs, or keeps state of its own; texts are hostile until parsed. The
 * draft is the caller's (config_draft.h), and needs tens of kilobytes: keep it off the stack.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "config.h"

struct config_draft;

/* One text, anywhere in memory; it is not kept. */
struct config_text {
    const char *source; /* what messages call it: "command line"; must outlive the report */
    const char *text;   /* need not end in NUL */
    size_t bytes;
    bool is_file; /* '#' begins a comment, and messages give lines as well as columns */
    bool cut;     /* the loader gave more than there was room for: an error */
};

#define CONFIG_MESSAGE_BYTES 320
#define CONFIG_MAX_ERRORS    32
#define CONFIG_MAX_NOTES     16

enum config_family {
    CONFIG_BAD_KEY,   /* ignored by config=lenient */
    CONFIG_BAD_VALUE, /* a token or a part of it cannot be read */
    CONFIG_CONFLICT,  /* each token can be read, but together they make no sense */
    CONFIG_NOTE,      /* nothing wrong: what the router decided by itself */
};

struct config_message {
    uint8_t family;     /* enum config_family */
    const char *source; /* NULL: about no place in a text */
    uint32_t line;      /* from 1; 0: the text has only one */
    uint32_t column;    /* from 1, in bytes */
    const char *key;    /* the option concerned, for its synopsis, or NULL */
    char text[CONFIG_MESSAGE_BYTES];
};

/* Bounded: what does not fit is counted. */
struct config_report {
    unsigned error_count;
    unsigned more_errors;
    unsigned more_unknown; /* how many of more_errors are CONFIG_BAD_KEY */
    unsigned note_count;
    unsigned more_notes;
    struct config_message errors[CONFIG_MAX_ERRORS];
    struct config_message notes[CONFIG_MAX_NOTES];
};

/* What resolving needs to know of a NIC, in port order. */
struct port_info {
    uint8_t mac[MAC_BYTES];
};

void config_draft_init(struct config_draft *draft, struct config_report *report);

/* Reads one text into the draft. Every error goes into the report, and the rest is still read. */
void config_parse(struct config_draft *draft, const struct config_text *text,
                  struct config_report *report);

/* Applies the defaults, turns names into numbers and checks everything against everything. True,
 * and config->ok, if neither this nor any config_parse() before it found an error. On false config
 * still holds what could be understood (log level, panic, host name ...), and nothing may be
 * forwarded. count is at most CONFIG_MAX_PORTS. */
bool config_resolve(struct config_draft *draft, const struct port_info *ports, unsigned count,
                    struct config *config, struct config_report *report);

/* Lines for people, at most 100 characters each. */
typedef void (*config_line)(const char *text);
void config_print_report(const struct config_report *report, config_line line);
void config_print(const struct config *config, const struct port_info *ports, unsigned count,
                  config_line line);

/* The option table as docs/options.md (Markdown), and as help text, line by line. */
void config_print_reference(config_line line);
void config_print_help(config_line line);

#endif
