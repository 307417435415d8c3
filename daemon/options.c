/* SPDX-License-Identifier: MIT
 *
 * options: the rows of daemon/options.def, and how their values are read and written.
 * Between config or open_request, who have a name and a text, and the structs that everybody else reads.
 * Invariant: whatever a row's type, its value is either a number, a text or a list, and nothing else is here per row.
 */
#include "daemon/options.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/option_text.h"
#include "daemon/quota.h"
#include "proto/limits.h"
#include "proto/websocket/deflate.h"

enum {
#define LIMIT_DEFAULT(NAME, name, limit, text) QUOTA_DEFAULT_##NAME = (limit),
    QUOTA_RESOURCES(LIMIT_DEFAULT)
#undef LIMIT_DEFAULT
};

static const struct option_row daemon_rows[] = {
#define DAEMON_OPTION(name, member, reload, type, fallback, min, max, words, help) \
    {name,                                                                         \
     OPTION_PLACE_DAEMON,                                                          \
     RELOAD_##reload,                                                              \
     OPTION_##type,                                                                \
     offsetof(struct daemon_options, member),                                      \
     fallback,                                                                     \
     min,                                                                          \
     max,                                                                          \
     words,                                                                        \
     help},
#include "daemon/options.def"
};

static const struct option_row endpoint_rows[] = {
#define ENDPOINT_OPTION(name, member, place, reload, type, fallback, min, max, words, help) \
    {name,                                                                                  \
     OPTION_##place,                                                                        \
     RELOAD_##reload,                                                                       \
     OPTION_##type,                                                                         \
     offsetof(struct endpoint_options, member),                                             \
     fallback,                                                                              \
     min,                                                                                   \
     max,                                                                                   \
     words,                                                                                 \
     help},
#include "daemon/options.def"
};

const struct option_table *daemon_options_table(void)
{
    static const struct option_table table = {daemon_rows, DAEMON_N_OPTIONS};

    return &table;
}

const struct option_table *endpoint_options_table(void)
{
    static const struct option_table table = {endpoint_rows, ENDPOINT_N_OPTIONS};

    return &table;
}

_Static_assert(DAEMON_N_OPTIONS <= 64 && ENDPOINT_N_OPTIONS <= 64, "given has 64 bits");
_Static_assert(offsetof(struct daemon_options, given) == 0, "options_given");
_Static_assert(offsetof(struct endpoint_options, given) == 0, "options_given");

enum option_kind { KIND_NUMBER, KIND_TEXT, KIND_LIST };

static enum option_kind option_kind(const struct option_row *row)
{
    switch (row->type) {
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_FILE:
    case OPTION_DIRECTORY:
    case OPTION_PROXY:
    case OPTION_HOSTS:
    case OPTION_MESSAGE:
    case OPTION_PATTERN:
    case OPTION_REPLY:
    case OPTION_KEY: return KIND_TEXT;
    case OPTION_LIST:
    case OPTION_HEADERS:
    case OPTION_PINS:
    case OPTION_MESSAGES:
    case OPTION_WORDS:
    case OPTION_RULES:
    case OPTION_RATES:
    case OPTION_USERS:
    case OPTION_GROUPS:
    case OPTION_CODES: return KIND_LIST;
    default: return KIND_NUMBER;
    }
}

static void *option_value(const struct option_row *row, void *values)
{
    return (char *)values + row->offset;
}

static bool texts_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool lists_equal(const struct strings *a, const struct strings *b)
{
    if (a->n_items != b->n_items)
        return false;
    for (size_t i = 0; i < a->n_items; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

bool option_equals(const struct option_row *row, const void *a, const void *b)
{
    const void *x = (const char *)a + row->offset, *y = (const char *)b + row->offset;

    switch (option_kind(row)) {
    case KIND_NUMBER: return *(const uint64_t *)x == *(const uint64_t *)y;
    case KIND_TEXT: return texts_equal(*(char *const *)x, *(char *const *)y);
    case KIND_LIST: break;
    }
    return lists_equal(x, y);
}

void options_init(const struct option_table *table, void *values)
{
    *(uint64_t *)values = 0;
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];
        void *value = option_value(row, values);

        switch (option_kind(row)) {
        case KIND_NUMBER: *(uint64_t *)value = row->fallback; break;
        case KIND_TEXT: *(char **)value = NULL; break;
        case KIND_LIST: memset(value, 0, sizeof(struct strings)); break;
        }
    }
}

void options_deinit(const struct option_table *table, void *values)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];
        void *value = option_value(row, values);

        if (option_kind(row) == KIND_TEXT) {
            free(*(char **)value);
            *(char **)value = NULL;
        } else if (option_kind(row) == KIND_LIST) {
            strings_deinit(value);
        }
    }
}

/* ---- names ---- */

const struct option_row *option_find(const struct option_table *table, struct wsp_view name)
{
    for (size_t i = 0; i < table->n_rows; i++)
        if (wsp_view_equals(wsp_view_of_string(table->rows[i].name), name))
            return &table->rows[i];
    return NULL;
}

const struct option_row *option_allowing(const struct option_table *table,
                                         const struct option_row *row)
{
    for (size_t i = 0; row->type == OPTION_CHOICE && i < table->n_rows; i++)
        if (table->rows[i].type == OPTION_WORDS && strcmp(table->rows[i].words, row->name) == 0)
            return &table->rows[i];
    return NULL;
}

bool option_is_list(const struct option_row *row)
{
    return option_kind(row) == KIND_LIST;
}

enum { MAX_NAME_LEN = 32 };

/* Letters of a name with what people mix up made equal: case, and - for _ . */
static char fold(uint8_t c)
{
    return c == '_' ? '-' : (char)tolower(c);
}

/* Levenshtein's distance; a neighbouring pair in the wrong order counts as two. */
static unsigned names_distance(struct wsp_view name, const char *known)
{
    unsigned row[MAX_NAME_LEN + 1];
    size_t known_len = strlen(known);

    for (unsigned j = 0; j <= known_len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= name.len; i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= known_len; j++) {
            unsigned replaced = diagonal + (fold(name.data[i - 1]) != known[j - 1]);
            unsigned added = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);

            diagonal = row[j];
            row[j] = replaced < added ? replaced : added;
        }
    }
    return row[known_len];
}

/* Whether name may have been meant for known. */
static bool is_near(struct wsp_view name, const char *known, unsigned *ret_distance)
{
    if (name.len > MAX_NAME_LEN)
        return false;
    *ret_distance = names_distance(name, known);
    /* with more, and no more than a third alike, it is another word */
    return *ret_distance < 4 && *ret_distance * 3 <= strlen(known) + 2;
}

bool option_is_near(struct wsp_view name, const char *known)
{
    unsigned distance;

    return is_near(name, known, &distance);
}

const char *option_nearest(const struct option_table *table, struct wsp_view name)
{
    const char *nearest = NULL;
    unsigned best = UINT_MAX, distance;

    for (size_t i = 0; i < table->n_rows; i++) {
        const char *known = table->rows[i].name;

        if (is_near(name, known, &distance) && distance < best) {
            best = distance;
            nearest = known;
        }
    }
    return nearest;
}

/* ---- values ---- */

struct unit {
    const char *name;
    uint64_t factor;
};

/* The largest come first, as option_format wants them. */
static const struct unit byte_units[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1024}, {"", 1}, {NULL, 0}};
static const struct unit duration_units[] = {
    {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *option_units(const struct option_row *row)
{
    return row->type == OPTION_BYTES      ? byte_units
           : row->type == OPTION_DURATION ? duration_units
                                          : no_units;
}

/* Digits, then one of the units; 0 needs none. */
static bool number_parse(struct wsp_view text, const struct unit *units, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t n_digits = 0;

    for (; n_digits < text.len && isdigit(text.data[n_digits]); n_digits++)
        if (__builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[n_digits] - '0'), &number))
            return false;
    if (n_digits == 0)
        return false;
    while (n_digits < text.len && text.data[n_digits] == ' ')
        n_digits++;

    struct wsp_view suffix = {text.data + n_digits, text.len - n_digits};

    if (number == 0 && suffix.len == 0) {
        *ret_number = 0;
        return true;
    }
    for (; units->name; units++)
        if (wsp_view_equals(suffix, wsp_view_of_string(units->name)))
            return !__builtin_mul_overflow(number, units->factor, ret_number);
    return false;
}

static bool mode_parse(struct wsp_view text, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text.len < 3 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '7')
            return false;
        number = number * 8 + (uint64_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

static bool word_parse(struct wsp_view text, const char *words, uint64_t *ret_number)
{
    for (uint64_t i = 0; *words; i++) {
        size_t len = strcspn(words, "|");

        if (wsp_view_equals(text, (struct wsp_view){(const uint8_t *)words, len})) {
            *ret_number = i;
            return true;
        }
        words += len + (words[len] == '|');
    }
    return false;
}

static bool group_parse(struct wsp_view text, uint64_t *ret_number)
{
    char name[64];
    const struct group *group;

    if (number_parse(text, no_units, ret_number))
        return *ret_number < (gid_t)-1;
    if (text.len >= sizeof(name))
        return false;
    memcpy(name, text.data, text.len);
    name[text.len] = '\0';
    group = getgrnam(name);
    if (!group)
        return false;
    *ret_number = group->gr_gid;
    return true;
}

static const char *const flag_words = "no|yes";

static bool option_parse_number(const struct option_row *row, struct wsp_view text,
                                uint64_t *ret_number)
{
    switch (row->type) {
    case OPTION_FLAG: return word_parse(text, flag_words, ret_number);
    case OPTION_MODE: return mode_parse(text, ret_number);
    case OPTION_GROUP: return group_parse(text, ret_number);
    case OPTION_CHOICE: return word_parse(text, row->words, ret_number);
    default: return number_parse(text, option_units(row), ret_number);
    }
}

/* What would be right, for the end of an error text. */
static const char *option_expects(const struct option_row *row)
{
    switch (row->type) {
    case OPTION_FLAG: return "write yes or no";
    case OPTION_COUNT: return "write a whole number";
    case OPTION_BYTES: return "write a number of bytes, KiB, MiB or GiB, as in 4MiB";
    case OPTION_DURATION: return "write a number with ms, s, min or h, as in 30s";
    case OPTION_MODE: return "write three octal digits, as in 0660";
    case OPTION_GROUP: return "write the name or the number of a group of this machine";
    default: return row->words;
    }
}

static int option_read_number(const struct option_row *row, struct wsp_view text, uint64_t *value,
                              char ret_problem[OPTION_TEXT_LEN])
{
    uint64_t number = 0;
    char bound[OPTION_TEXT_LEN];
    int quoted_len = text.len > 40 ? 40 : (int)text.len;

    if (!option_parse_number(row, text, &number)) {
        if (row->type == OPTION_CHOICE)
            return option_problem(ret_problem, "%s: \"%.*s\" is not one of %s", row->name,
                                  quoted_len, (const char *)text.data, row->words);
        return option_problem(ret_problem, "%s: \"%.*s\" is not understood; %s", row->name,
                              quoted_len, (const char *)text.data, option_expects(row));
    }
    if (row->max > 0 && number < row->min) {
        option_format(row, row->min, bound);
        return option_problem(ret_problem, "%s: %.*s is too small; the least is %s", row->name,
                              quoted_len, (const char *)text.data, bound);
    }
    if (row->max > 0 && number > row->max) {
        option_format(row, row->max, bound);
        return option_problem(ret_problem, "%s: %.*s is too large; the most is %s", row->name,
                              quoted_len, (const char *)text.data, bound);
    }
    *value = number;
    return 0;
}

/* One more word of the CHOICE that the row is about. */
static int option_add_word(const struct option_table *table, const struct option_row *row,
                           struct wsp_view text, struct strings *words,
                           char ret_problem[OPTION_TEXT_LEN])
{
    const struct option_row *choice = option_find(table, wsp_view_of_string(row->words));
    const char *known = choice != NULL ? choice->words : "";
    uint64_t number;

    if (!word_parse(text, known, &number))
        return option_problem(ret_problem, "%s: \"%.*s\" is not one of %s", row->name,
                              text.len > 40 ? 40 : (int)text.len, (const char *)text.data, known);
    return strings_add(words, (const char *)text.data, text.len);
}

int option_set(const struct option_table *table, const struct option_row *row, struct wsp_view text,
               void *values, char ret_problem[OPTION_TEXT_LEN])
{
    void *value = option_value(row, values);
    int r = -EINVAL;

    switch (option_kind(row)) {
    case KIND_NUMBER: r = option_read_number(row, text, value, ret_problem); break;
    case KIND_TEXT: r = option_set_text(row, text, value, ret_problem); break;
    case KIND_LIST:
        r = row->type == OPTION_WORDS ? option_add_word(table, row, text, value, ret_problem)
                                      : option_add_item(row, text, value, ret_problem);
        break;
    }
    if (r == 0)
        *(uint64_t *)values |= UINT64_C(1) << (row - table->rows);
    return r;
}

bool option_number(const struct option_row *row, const void *values, uint64_t *ret_number)
{
    if (option_kind(row) != KIND_NUMBER)
        return false;
    memcpy(ret_number, (const char *)values + row->offset, sizeof(*ret_number));
    return true;
}

void option_set_number(const struct option_row *row, void *values, uint64_t number)
{
    memcpy((char *)values + row->offset, &number, sizeof(number));
}

const struct strings *option_list(const struct option_row *row, const void *values)
{
    return (const struct strings *)(const void *)((const char *)values + row->offset);
}

static void word_format(const char *words, uint64_t index, char ret_text[OPTION_TEXT_LEN])
{
    for (; index > 0; index--)
        words += strcspn(words, "|") + 1;
    snprintf(ret_text, OPTION_TEXT_LEN, "%.*s", (int)strcspn(words, "|"), words);
}

void option_format(const struct option_row *row, uint64_t number, char ret_text[OPTION_TEXT_LEN])
{
    switch (row->type) {
    case OPTION_FLAG: word_format(flag_words, number, ret_text); return;
    case OPTION_CHOICE: word_format(row->words, number, ret_text); return;
    case OPTION_GROUP:
        if (number == OPTION_NO_GROUP)
            snprintf(ret_text, OPTION_TEXT_LEN, "none");
        else
            snprintf(ret_text, OPTION_TEXT_LEN, "%" PRIu64, number);
        return;
    case OPTION_MODE: snprintf(ret_text, OPTION_TEXT_LEN, "%04" PRIo64, number); return;
    default: break;
    }

    const struct unit *unit = option_units(row);

    while (unit[1].name && (number == 0 || number % unit->factor != 0))
        unit++;
    snprintf(ret_text, OPTION_TEXT_LEN, "%" PRIu64 "%s", number / unit->factor,
             number == 0 ? "" : unit->name);
}
