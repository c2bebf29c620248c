/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The option table: one row an option, one row a field of an option. The parser, the help text and
 * docs/options.md all read it, so adding an option is adding rows (and a place in the draft).
 *
 * A token is key=value[,value]...[,field=value]...[,flag]. Values without a name come first, in the
 * order of the table: all FIELD_REQUIRED, then as many FIELD_OPTIONAL as are there.
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include "config_draft.h"
#include "config_value.h"

enum field_kind {
    FIELD_REQUIRED, /* by position, must be there */
    FIELD_OPTIONAL, /* by position, may be missing */
    FIELD_NAMED,    /* name=value */
    FIELD_FLAG,     /* name alone; sets a bool */
};

struct field_row {
    const char *name; /* by position: what the documentation calls it */
    enum field_kind kind;
    const struct value_type *type; /* NULL for flags */
    size_t offset;                 /* in the record */
    const char *defaults;          /* what holds when it is missing; NULL: nothing */
    const char *help;
};

/* Another program's spelling of the same option. */
struct spelling_row {
    const char *key;              /* a key of its own, besides the option's */
    bool (*is)(struct span text); /* under the option's key: is this value meant so? */
    const char *(*read)(struct span *text, void *to); /* reads the whole value into field 0 */
    const char *syntax;
    const char *help;
};

struct option_row {
    const char *key;
    const char *help;
    const char *example;
    const struct field_row *fields;
    unsigned field_count;
    const struct spelling_row *spellings;
    unsigned spelling_count;
    size_t record_bytes;
    size_t offset;       /* of the record in struct config_draft, or of the array of records */
    unsigned max;        /* records in the array; 0: a single record, and the later text wins */
    size_t count_offset; /* of the array's unsigned count */
    bool by_loader;      /* only on a command line */
    bool once;           /* single, and giving it twice in one text is a mistake */
    uint32_t broken;     /* enum draft_broken */
    /* Array: true if both name the same thing, so that a later text replaces the earlier. */
    bool (*same)(const void *a, const void *b);
};

extern const struct option_row config_options[];
extern const unsigned config_option_count;

/* The largest record, for reading one before it is known to be right. */
union draft_record {
    struct draft_item item;
    struct draft_word word;
    struct draft_number number;
    struct draft_name name;
    struct draft_state state;
    struct draft_uplink uplink;
    struct draft_net net;
    struct draft_port port;
    struct draft_host host;
    struct draft_fwd fwd;
    struct draft_dmz dmz;
    struct draft_dns dns;
    struct draft_dhcpopt dhcpopt;
    struct draft_rule rule;
    struct draft_assert assertion;
    struct draft_mmio mmio;
};

/* Writes key=VALUE[,...] into text (cut to n bytes, NUL included). */
void config_synopsis(const struct option_row *row, char *text, size_t n);

/* The row of a key (not of another spelling's key), or NULL. */
const struct option_row *config_option(const char *key);

#endif
