/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reading one text into the draft, token by token, by the option table. What one token gets wrong
 * never keeps the next from being read, so that every error is seen at once. A record enters the
 * draft whole or not at all.
 */
#include <stdio.h>

#include "config_loader.h"
#include "config_report.h"
#include "config_table.h"
#include "options.h"

/* The token being read, and all that messages about it need. */
struct reader {
    struct config_draft *draft;
    struct config_report *report;
    const struct config_text *text;
    bool lines; /* the text has several */
    uint32_t line;
    const char *line_start;
    struct span token;
    const struct option_row *row;
    unsigned errors;                       /* in this token */
    char loader_words[LOADER_WORDS_BYTES]; /* that are ignored, as far as they fit */
};

static struct config_place place_at(const struct reader *r, const char *at)
{
    return (struct config_place){r->text->source, r->lines ? r->line : 0,
                                 (uint32_t)(at - r->line_start) + 1};
}

#define EXPECTED_BYTES 160 /* an explanation put together from several */

/* "'PIECE' in TOKEN: expected EXPECTED; did you mean 'BEST'?" */
static void complain(struct reader *r, struct span piece, const char *expected, const char *best)
{
    char piece_text[SHOWN_BYTES], token_text[SHOWN_BYTES];
    bool all = piece.s == r->token.s && piece.n == r->token.n;
    config_shown(r->token, token_text);
    if (all)
        piece_text[0] = 0;
    else
        config_shown(piece, piece_text);
    config_report_add(r->report, CONFIG_BAD_VALUE, place_at(r, piece.s),
                      r->row ? r->row->key : NULL, "%s%s%s%s: expected %s%s%s%s", all ? "" : "'",
                      piece_text, all ? "" : "' in ", token_text, expected,
                      best ? "; did you mean '" : "", best ? best : "", best ? "'?" : "");
    r->errors++;
}

static void complain_value(struct reader *r, struct span piece, const struct value_type *type,
                           const char *expected)
{
    struct suggestion suggestion;
    char list[EXPECTED_BYTES];
    const char *word;
    config_suggest_begin(&suggestion, piece);
    for (unsigned i = 0; type->word && (word = type->word(i)) != NULL; i++)
        config_suggest_offer(&suggestion, word);
    if (type->only_words && expected == type->what) {
        size_t used = strlen(type->what);
        memcpy(list, type->what, used);
        for (unsigned i = 0; (word = type->word(i)) != NULL; i++) {
            const char *join = i == 0 ? ": " : type->word(i + 1) ? ", " : " or ";
            size_t join_bytes = strlen(join), word_bytes = strlen(word);
            if (used + join_bytes + word_bytes >= sizeof(list))
                break;
            memcpy(list + used, join, join_bytes);
            memcpy(list + used + join_bytes, word, word_bytes);
            used += join_bytes + word_bytes;
        }
        list[used] = 0;
        expected = list;
    }
    complain(r, piece, expected, suggestion.best);
}

/* ---- fields ---- */

static void read_field(struct reader *r, unsigned f, struct span value, void *record)
{
    const struct field_row *field = &r->row->fields[f];
    struct draft_item *item = record;
    struct span piece = value;
    if (item->given >> f & 1) {
        complain(r, value, "this only once in a token", NULL);
        return;
    }
    item->given |= 1u << f;
    if (field->kind == FIELD_FLAG) {
        *(bool *)((char *)record + field->offset) = true;
        return;
    }
    const char *expected = field->type->read(&piece, (char *)record + field->offset);
    if (expected)
        complain_value(r, piece, field->type, expected);
}

/* What the optional values from field next on look like; NULL if there are none. */
static const char *expected_optional(const struct option_row *row, unsigned next,
                                     char list[static EXPECTED_BYTES])
{
    size_t used = 0;
    for (unsigned f = next; f < row->field_count && row->fields[f].kind == FIELD_OPTIONAL; f++)
        if (used < EXPECTED_BYTES)
            used += (size_t)snprintf(list + used, EXPECTED_BYTES - used, "%s%s",
                                     used ? ", or " : "", row->fields[f].type->what);
    return used ? list : NULL;
}

/* name=value, or a flag; next is the first field by position that has not been read. */
static void read_named(struct reader *r, struct span part, unsigned next, void *record)
{
    char list[EXPECTED_BYTES];
    struct span value = part, name;
    struct suggestion suggestion;
    span_cut(&value, '=', &name);
    config_suggest_begin(&suggestion, name);
    for (unsigned f = 0; f < r->row->field_count; f++) {
        const struct field_row *field = &r->row->fields[f];
        if (field->kind != FIELD_NAMED && field->kind != FIELD_FLAG)
            continue;
        config_suggest_offer(&suggestion, field->name);
        if (!span_is(name, field->name))
            continue;
        if (field->kind == FIELD_FLAG && value.s)
            complain(r, part, "this option alone, without '='", NULL);
        else if (field->kind == FIELD_NAMED && value.n == 0)
            complain(r, part, field->type->what, NULL);
        else
            read_field(r, f, field->kind == FIELD_FLAG ? part : value, record);
        return;
    }
    if (part.n == 0)
        complain(r, part, "something between the commas", NULL);
    else if (value.s || suggestion.best || !expected_optional(r->row, next, list))
        complain(r, name, "one of the options in its usage", suggestion.best);
    else
        complain(r, part, list, NULL);
}

static bool is_flag(const struct option_row *row, struct span part)
{
    for (unsigned f = 0; f < row->field_count; f++)
        if (row->fields[f].kind == FIELD_FLAG && span_is(part, row->fields[f].name))
            return true;
    return false;
}

/* The optional field, from field first on, that takes part; field_count if none does. */
static unsigned find_optional(const struct option_row *row, unsigned first, struct span part)
{
    for (unsigned f = first; f < row->field_count && row->fields[f].kind == FIELD_OPTIONAL; f++) {
        union draft_record scratch;
        struct span piece = part;
        memset(&scratch, 0, sizeof(scratch));
        if (!row->fields[f].type->read(&piece, (char *)&scratch + row->fields[f].offset))
            return f;
    }
    return row->field_count;
}

static void read_fields(struct reader *r, struct span value, void *record)
{
    const struct option_row *row = r->row;
    struct span part;
    unsigned next = 0; /* the field that a value without a name is for */
    while (span_cut(&value, ',', &part)) {
        bool by_position = next < row->field_count && row->fields[next].kind == FIELD_REQUIRED;
        if (by_position && (memchr(part.s, '=', part.n) == NULL || row->field_count == 1)) {
            read_field(r, next++, part, record);
            continue;
        }
        unsigned f = row->field_count;
        if (!memchr(part.s, '=', part.n) && !is_flag(row, part))
            f = find_optional(row, next, part);
        if (f < row->field_count) {
            read_field(r, f, part, record);
            next = f + 1;
        } else {
            read_named(r, part, next, record);
        }
    }
    if (next < row->field_count && row->fields[next].kind == FIELD_REQUIRED && !r->errors)
        complain_value(r, r->token, row->fields[next].type, row->fields[next].type->what);
}

/* ---- tokens ---- */

static void store(struct reader *r, const union draft_record *record)
{
    const struct option_row *row = r->row;
    char *base = (char *)r->draft + row->offset;
    unsigned none = 0, *count = &none;
    char token[SHOWN_BYTES], place[PLACE_BYTES];
    void *slot = NULL;

    config_shown(r->token, token);
    if (row->max == 0) {
        slot = base;
    } else {
        count = (unsigned *)(void *)((char *)r->draft + row->count_offset);
        for (unsigned i = 0; i < *count && !slot; i++)
            if (row->same(base + i * row->record_bytes, record))
                slot = base + i * row->record_bytes;
    }
    const struct draft_item *old = slot;
    if (old && old->text == record->item.text && (row->once || row->max)) {
        config_report_add(r->report, CONFIG_CONFLICT, place_at(r, r->token.s), NULL,
                          "%s: this %s= is given twice, first at %s", token, row->key,
                          config_place_text(config_place_of(r->draft, old), place));
        r->errors++;
        return;
    }
    if (!slot && *count == row->max) {
        config_report_add(r->report, CONFIG_CONFLICT, place_at(r, r->token.s), NULL,
                          "%s: more than %u of %s=", token, row->max, row->key);
        r->errors++;
        return;
    }
    if (!slot)
        slot = base + (*count)++ * row->record_bytes;
    memcpy(slot, record, row->record_bytes);
}

static const struct spelling_row *find_spelling(const struct option_row *row, struct span key)
{
    for (unsigned i = 0; i < row->spelling_count; i++)
        if (span_is(key, row->spellings[i].key))
            return &row->spellings[i];
    return NULL;
}

static void unknown_key(struct reader *r, struct span key)
{
    struct suggestion suggestion;
    char token[SHOWN_BYTES], owner[64] = "";
    config_suggest_begin(&suggestion, key);
    for (unsigned i = 0; i < config_option_count; i++) {
        const struct option_row *row = &config_options[i];
        config_suggest_offer(&suggestion, row->key);
        for (unsigned s = 0; s < row->spelling_count; s++)
            config_suggest_offer(&suggestion, row->spellings[s].key);
        /* "net=lan,nat ports=1": a space where a comma belongs. */
        for (unsigned f = 0; f < row->field_count && !owner[0]; f++) {
            enum field_kind kind = row->fields[f].kind;
            if ((kind == FIELD_NAMED || kind == FIELD_FLAG) && span_is(key, row->fields[f].name))
                snprintf(owner, sizeof(owner), "%s=...,%s%s", row->key, row->fields[f].name,
                         kind == FIELD_NAMED ? "=" : "");
        }
    }
    if (!owner[0] && suggestion.best)
        snprintf(owner, sizeof(owner), "%s=", suggestion.best);
    config_report_add(r->report, CONFIG_BAD_KEY, place_at(r, key.s), NULL,
                      "%s: no such option%s%s%s", config_shown(r->token, token),
                      owner[0] ? "; did you mean '" : "", owner, owner[0] ? "'?" : "");
    r->errors++;
}

/* Spaces and newlines are gone by now; what else cannot be printed is refused, and so are quotes,
 * which a shell would have taken away. */
static bool has_bad_byte(struct reader *r)
{
    for (size_t i = 0; i < r->token.n; i++) {
        unsigned char c = (unsigned char)r->token.s[i];
        const char *what = c == '"' || c == '\'' ? "a quote; values are written without" : NULL;
        char token[SHOWN_BYTES];
        if (c < 0x20 || c == 0x7f)
            what = "a control character";
        if (c >= 0x80)
            what = "not plain ASCII; pasted from a document?";
        if (!what)
            continue;
        config_report_add(r->report, CONFIG_BAD_VALUE, place_at(r, r->token.s + i), NULL,
                          "%s: byte 0x%02x is %s", config_shown(r->token, token), c, what);
        return true;
    }
    return false;
}

static void read_value(struct reader *r, struct span value, const struct spelling_row *spelling,
                       union draft_record *record)
{
    const struct option_row *row = r->row;
    for (unsigned i = 0; !spelling && i < row->spelling_count; i++)
        if (row->spellings[i].is(value))
            spelling = &row->spellings[i];
    if (!spelling) {
        read_fields(r, value, record);
        return;
    }
    struct span piece = value;
    const char *expected = spelling->read(&piece, (char *)record + row->fields[0].offset);
    record->item.given = 1;
    if (expected)
        complain(r, piece, expected, NULL);
}

static void complain_empty(struct reader *r, const struct spelling_row *spelling)
{
    const struct value_type *type = r->row->fields[0].type;
    if (spelling)
        complain(r, r->token, spelling->syntax, NULL);
    else
        complain_value(r, r->token, type, type->what);
}

/* True if the token is no business of ours. */
static bool is_for_linux(struct reader *r)
{
    enum loader_word is = r->text->is_file ? LOADER_NONE : loader_word_of(r->token);
    size_t used = strlen(r->loader_words);
    char token[SHOWN_BYTES];

    if (is == LOADER_PANIC)
        config_report_add(r->report, CONFIG_NOTE, place_at(r, r->token.s), "panic",
                          "%s is meant for Linux, and ignored; say panic=reset or panic=halt",
                          config_shown(r->token, token));
    if (is == LOADER_LINUX)
        snprintf(r->loader_words + used, sizeof(r->loader_words) - used, " %s",
                 config_shown(r->token, token));
    return is != LOADER_NONE;
}

static void read_token(struct reader *r)
{
    union draft_record record;
    struct span value = r->token, key;
    const struct spelling_row *spelling = NULL;

    r->row = NULL;
    r->errors = 0;
    if (has_bad_byte(r)) {
        r->draft->broken |= BROKEN_ALL;
        return;
    }
    if (is_for_linux(r))
        return;
    span_cut(&value, '=', &key);
    for (unsigned i = 0; i < config_option_count && !r->row; i++) {
        spelling = find_spelling(&config_options[i], key);
        if (spelling || span_is(key, config_options[i].key))
            r->row = &config_options[i];
    }
    if (!r->row) {
        unknown_key(r, key);
        r->draft->broken |= BROKEN_UNKNOWN;
        return;
    }
    memset(&record, 0, sizeof(record));
    record.item.text = (uint8_t)r->draft->texts;
    record.item.line = place_at(r, r->token.s).line;
    record.item.column = place_at(r, r->token.s).column;
    if (r->row->by_loader && r->text->is_file)
        complain(r, r->token, "this only on the command line, from whoever starts the machine",
                 NULL);
    else if (value.n == 0)
        complain_empty(r, spelling);
    else
        read_value(r, value, spelling, &record);
    if (r->errors == 0)
        store(r, &record);
    if (r->errors)
        r->draft->broken |= r->row->broken;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void config_draft_init(struct config_draft *draft, struct config_report *report)
{
    memset(draft, 0, sizeof(*draft));
    memset(report, 0, sizeof(*report));
}

void config_parse(struct config_draft *draft, const struct config_text *text,
                  struct config_report *report)
{
    struct reader r = {.draft = draft, .report = report, .text = text, .line = 1};
    const char *s = text->text, *end = text->text + text->bytes;

    if (draft->texts == CONFIG_MAX_TEXTS) {
        config_report_add(report, CONFIG_BAD_VALUE, (struct config_place){text->source, 0, 1}, NULL,
                          "more than %d configuration texts", CONFIG_MAX_TEXTS);
        return;
    }
    draft->sources[draft->texts++] = text->source;
    if (text->cut)
        config_report_add(report, CONFIG_BAD_VALUE, (struct config_place){text->source, 0, 1}, NULL,
                          "the text is too long; only its first %lu bytes arrived",
                          (unsigned long)text->bytes);
    if (text->bytes == 0)
        return;
    if (text->is_file && text->bytes >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0)
        s += 3; /* a byte order mark, as some editors leave */
    r.line_start = s;
    r.lines = memchr(s, '\n', (size_t)(end - s)) != NULL;
    while (s < end) {
        if (is_space(*s)) {
            if (*s++ == '\n') {
                r.line++;
                r.line_start = s;
            }
            continue;
        }
        if (text->is_file && *s == '#') {
            while (s < end && *s != '\n')
                s++;
            continue;
        }
        const char *start = s;
        while (s < end && !is_space(*s) && !(text->is_file && *s == '#'))
            s++;
        r.token = (struct span){start, (size_t)(s - start)};
        read_token(&r);
    }
    if (r.loader_words[0])
        config_report_add(report, CONFIG_NOTE, (struct config_place){NULL, 0, 0}, NULL,
                          "meant for Linux, and ignored:%s", r.loader_words);
}
