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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/idna.h"
#include "daemon/limits.h"
#include "daemon/no_proxy.h"
#include "daemon/pin.h"
#include "daemon/proxy.h"
#include "daemon/quota.h"
#include "proto/limits.h"
#include "proto/rules.h"
#include "proto/websocket/deflate.h"

enum {
#define LIMIT_DEFAULT(NAME, name, limit, text) QUOTA_DEFAULT_##NAME = (limit),
    QUOTA_RESOURCES(LIMIT_DEFAULT)
#undef LIMIT_DEFAULT
};

static const struct option_row daemon_rows[] = {
#define DAEMON_OPTION(name, member, type, fallback, min, max, words, help) \
    {name,          OPTION_PLACE_DAEMON,                                   \
     OPTION_##type, offsetof(struct daemon_options, member),               \
     fallback,      min,                                                   \
     max,           words,                                                 \
     help},
#include "daemon/options.def"
};

static const struct option_row endpoint_rows[] = {
#define ENDPOINT_OPTION(name, member, place, type, fallback, min, max, words, help) \
    {                                                                               \
        name,          OPTION_##place,                                              \
        OPTION_##type, offsetof(struct endpoint_options, member),                   \
        fallback,      min,                                                         \
        max,           words,                                                       \
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
    case OPTION_HOSTS: return KIND_TEXT;
    case OPTION_LIST:
    case OPTION_HEADERS:
    case OPTION_PINS: return KIND_LIST;
    default: return KIND_NUMBER;
    }
}

static void *option_value(const struct option_row *row, void *values)
{
    return (char *)values + row->offset;
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

const char *option_nearest(const struct option_table *table, struct wsp_view name)
{
    const char *nearest = NULL;
    unsigned best = 4; /* with more, and no more than a third alike, it is another word */

    if (name.len > MAX_NAME_LEN)
        return NULL;
    for (size_t i = 0; i < table->n_rows; i++) {
        const char *known = table->rows[i].name;
        unsigned distance = names_distance(name, known);

        if (distance < best && distance * 3 <= strlen(known) + 2) {
            best = distance;
            nearest = known;
        }
    }
    return nearest;
}

/* ---- values ---- */

static int problem(char ret_problem[OPTION_TEXT_LEN], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int problem(char ret_problem[OPTION_TEXT_LEN], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(ret_problem, OPTION_TEXT_LEN, format, arguments);
    va_end(arguments);
    return 1;
}

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

static int option_set_number(const struct option_row *row, struct wsp_view text, uint64_t *value,
                             char ret_problem[OPTION_TEXT_LEN])
{
    uint64_t number = 0;
    char bound[OPTION_TEXT_LEN];
    int quoted_len = text.len > 40 ? 40 : (int)text.len;

    if (!option_parse_number(row, text, &number)) {
        if (row->type == OPTION_CHOICE)
            return problem(ret_problem, "%s: \"%.*s\" is not one of %s", row->name, quoted_len,
                           (const char *)text.data, row->words);
        return problem(ret_problem, "%s: \"%.*s\" is not understood; %s", row->name, quoted_len,
                       (const char *)text.data, option_expects(row));
    }
    if (row->max > 0 && number < row->min) {
        option_format(row, row->min, bound);
        return problem(ret_problem, "%s: %.*s is too small; the least is %s", row->name, quoted_len,
                       (const char *)text.data, bound);
    }
    if (row->max > 0 && number > row->max) {
        option_format(row, row->max, bound);
        return problem(ret_problem, "%s: %.*s is too large; the most is %s", row->name, quoted_len,
                       (const char *)text.data, bound);
    }
    *value = number;
    return 0;
}

/* What else but a file or a directory is there could make whoever opens it wait. 0; a positive number. */
static int path_check(const struct option_row *row, const char *path,
                      char ret_problem[OPTION_TEXT_LEN])
{
    bool is_directory = row->type == OPTION_DIRECTORY;
    struct stat is;

    if (access(path, is_directory ? R_OK | X_OK : R_OK) < 0 || stat(path, &is) < 0)
        return problem(ret_problem, "%s: %.100s cannot be read: %s", row->name, path,
                       strerror(errno));
    if (is_directory ? !S_ISDIR(is.st_mode) : !S_ISREG(is.st_mode))
        return problem(ret_problem, "%s: %.100s is not a %s", row->name, path,
                       is_directory ? "directory" : "regular file");
    return 0;
}

/* A proxy's URL may hold a password and is never quoted. */
static int proxy_check(const struct option_row *row, struct wsp_view text,
                       char ret_problem[OPTION_TEXT_LEN])
{
    const char *reason;
    struct proxy *proxy;
    int r = proxy_new(text, idna_to_ascii, &proxy, &reason);

    if (r == 0)
        proxy_free(proxy);
    return r > 0 ? problem(ret_problem, "%s: %s", row->name, reason) : r;
}

static int hosts_check(const struct option_row *row, struct wsp_view text,
                       char ret_problem[OPTION_TEXT_LEN])
{
    struct wsp_view item;

    if (!no_proxy_has_flaw(text, &item))
        return 0;
    return problem(ret_problem, "%s: \"%.*s\" is no host, address or network, as in \"%s\"",
                   row->name, item.len > 60 ? 60 : (int)item.len, (const char *)item.data,
                   "example.org, 192.0.2.0/24");
}

/* 0, -ENOMEM, or 1: what the text is not. */
static int text_check(const struct option_row *row, struct wsp_view text,
                      char ret_problem[OPTION_TEXT_LEN])
{
    if (text.len == 0 && row->type != OPTION_HOSTS)
        return problem(ret_problem, "%s: the value is empty", row->name);
    if (text.len > 0 && memchr(text.data, 0, text.len))
        return problem(ret_problem, "%s: the value contains a zero byte", row->name);
    switch (row->type) {
    case OPTION_PROXY: return proxy_check(row, text, ret_problem);
    case OPTION_HOSTS: return hosts_check(row, text, ret_problem);
    case OPTION_TEXT: return 0;
    default: break;
    }
    if (text.data[0] != '/')
        return problem(ret_problem, "%s: \"%.*s\" is not an absolute path; it must begin with /",
                       row->name, text.len > 100 ? 100 : (int)text.len, (const char *)text.data);
    return 0;
}

static int option_set_text(const struct option_row *row, struct wsp_view text, char **value,
                           char ret_problem[OPTION_TEXT_LEN])
{
    int r = text_check(row, text, ret_problem);

    if (r != 0)
        return r;

    char *copy = wsp_view_to_string(text);

    if (!copy)
        return -ENOMEM;
    if ((row->type == OPTION_FILE || row->type == OPTION_DIRECTORY) &&
        path_check(row, copy, ret_problem) != 0) {
        free(copy);
        return 1;
    }
    free(*value);
    *value = copy;
    return 0;
}

int headers_add(struct strings *headers, struct wsp_view name, struct wsp_view value,
                char ret_problem[OPTION_TEXT_LEN])
{
    const char *name_text = (const char *)name.data;
    int r;

    if (!wsp_header_name_is_valid(name_text, name.len))
        return problem(ret_problem, "headers: a name is not one that a header can have");
    if (!wsp_header_name_is_for_user(name_text, name.len))
        return problem(ret_problem, "headers: %.*s is written by the WebSocket handshake itself",
                       (int)name.len, name_text);
    if (!wsp_header_value_is_valid((const char *)value.data, value.len))
        return problem(ret_problem, "headers: the value of %.*s is not printable text of one line",
                       (int)name.len, name_text);
    if (headers->n_items >= 2 * WSP_MAX_N_HEADERS)
        return problem(ret_problem, "headers: there are more than %d", WSP_MAX_N_HEADERS);

    size_t sum = name.len + value.len;

    for (size_t i = 0; i < headers->n_items; i++)
        sum += strlen(headers->items[i]);
    if (sum > WSP_MAX_HEADERS)
        return problem(ret_problem, "headers: they are longer than %d bytes together",
                       WSP_MAX_HEADERS);
    r = strings_add(headers, name_text, name.len);
    return r < 0 ? r : strings_add(headers, (const char *)value.data, value.len);
}

/* One "Name: value". The value may be a credential and is never quoted. */
static int headers_add_line(struct strings *headers, struct wsp_view line,
                            char ret_problem[OPTION_TEXT_LEN])
{
    const uint8_t *colon = line.len ? memchr(line.data, ':', line.len) : NULL;

    if (!colon)
        return problem(ret_problem, "headers: an item has no colon; write \"Name: value\"");

    size_t name_len = (size_t)(colon - line.data);
    struct wsp_view name = {line.data, name_len};
    struct wsp_view value = {colon + 1, line.len - name_len - 1};

    for (; value.len > 0 && (*value.data == ' ' || *value.data == '\t'); value.len--)
        value.data++;
    return headers_add(headers, name, value, ret_problem);
}

/* Programs have one text for all of theirs. */
static int pins_add(const struct option_row *row, struct strings *pins, struct wsp_view list,
                    char ret_problem[OPTION_TEXT_LEN])
{
    struct wsp_view text = {0};
    char pin[PIN_LEN + 1];
    int r = 0;

    if (!pin_next(&list, &text))
        return problem(ret_problem, "%s: the value is empty", row->name);
    do {
        if (!pin_parse(text, pin))
            return problem(ret_problem,
                           "%s: \"%.*s\" is not understood; write \"sha256/\" and the SHA-256 of "
                           "the public key in base64, 44 characters",
                           row->name, text.len > 60 ? 60 : (int)text.len, (const char *)text.data);
        if (pins->n_items >= MAX_PINS)
            return problem(ret_problem, "%s: more than %d", row->name, MAX_PINS);
        r = strings_add(pins, pin, strlen(pin));
    } while (r == 0 && pin_next(&list, &text));
    return r;
}

static int option_add_item(const struct option_row *row, struct wsp_view text,
                           struct strings *strings, char ret_problem[OPTION_TEXT_LEN])
{
    const char *item = (const char *)text.data;

    if (row->type == OPTION_HEADERS)
        return headers_add_line(strings, text, ret_problem);
    if (row->type == OPTION_PINS)
        return pins_add(row, strings, text, ret_problem);
    if (!wsp_subprotocol_is_valid(item, text.len))
        return problem(ret_problem, "%s: \"%.*s\" is not a subprotocol's name", row->name,
                       text.len > 60 ? 60 : (int)text.len, item);
    for (size_t i = 0; i < strings->n_items; i++)
        if (wsp_view_equals(text, wsp_view_of_string(strings->items[i])))
            return problem(ret_problem, "%s: %.60s stands there twice", row->name,
                           strings->items[i]);
    if (strings->n_items >= WSP_MAX_N_SUBPROTOCOLS)
        return problem(ret_problem, "%s: more than %d names", row->name, WSP_MAX_N_SUBPROTOCOLS);
    return strings_add(strings, item, text.len);
}

int option_set(const struct option_table *table, const struct option_row *row, struct wsp_view text,
               void *values, char ret_problem[OPTION_TEXT_LEN])
{
    void *value = option_value(row, values);
    int r = -EINVAL;

    switch (option_kind(row)) {
    case KIND_NUMBER: r = option_set_number(row, text, value, ret_problem); break;
    case KIND_TEXT: r = option_set_text(row, text, value, ret_problem); break;
    case KIND_LIST: r = option_add_item(row, text, value, ret_problem); break;
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
