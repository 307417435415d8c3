/* SPDX-License-Identifier: MIT
 *
 * options: the table of daemon/options.def as structs, and the one parser of their values, whoever
 * gives them: a configuration file, the command line, or a program that opens a WebSocket.
 * Neighbours: config reads files into them, open_request reads an OPEN into them.
 * Invariant: a value that was set is within the bounds of its row.
 */
#ifndef WSPLEX_DAEMON_OPTIONS_H
#define WSPLEX_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/target.h"
#include "proto/buffer.h"

enum option_type {
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_FILE,
    OPTION_DIRECTORY,
    OPTION_PROXY,
    OPTION_HOSTS,
    OPTION_FLAG,
    OPTION_COUNT,
    OPTION_BYTES,
    OPTION_DURATION,
    OPTION_MODE,
    OPTION_GROUP,
    OPTION_CHOICE,
    OPTION_LIST,
    OPTION_HEADERS,
    OPTION_PINS,
    OPTION_WORDS,
    OPTION_MESSAGE,
    OPTION_MESSAGES,
    OPTION_PATTERN,
    OPTION_REPLY,
    OPTION_RULES,
    OPTION_RATES,
    OPTION_KEY,
    OPTION_USERS,
    OPTION_GROUPS,
    OPTION_CODES,
};

/* Since when a value holds that a reload has changed; see options.def. */
enum option_reload { RELOAD_START, RELOAD_NOW, RELOAD_NEXT, RELOAD_OPEN, RELOAD_ANEW };

enum option_place { OPTION_PLACE_DAEMON, OPTION_IDENTITY, OPTION_CHANNEL, OPTION_ENDPOINT };

#define OPTION_C_TEXT      char * /* NULL: not given */
#define OPTION_C_PATH      char *
#define OPTION_C_FILE      char *
#define OPTION_C_DIRECTORY char *
#define OPTION_C_PROXY     char *
#define OPTION_C_HOSTS     char *
#define OPTION_C_FLAG      uint64_t
#define OPTION_C_COUNT     uint64_t
#define OPTION_C_BYTES     uint64_t
#define OPTION_C_DURATION  uint64_t
#define OPTION_C_MODE      uint64_t
#define OPTION_C_GROUP     uint64_t
#define OPTION_C_CHOICE    uint64_t
#define OPTION_C_LIST      struct strings
#define OPTION_C_HEADERS   struct strings /* name and value alternate */
#define OPTION_C_PINS      struct strings
#define OPTION_C_WORDS     struct strings
#define OPTION_C_MESSAGE   char *
#define OPTION_C_MESSAGES  struct strings
#define OPTION_C_PATTERN   char *
#define OPTION_C_REPLY     char *
#define OPTION_C_RULES     struct strings
#define OPTION_C_RATES     struct strings /* as rate_format writes them */
#define OPTION_C_KEY       char *
#define OPTION_C_USERS     struct strings
#define OPTION_C_GROUPS    struct strings
#define OPTION_C_CODES     struct strings

/* Of a GROUP: none is given. */
#define OPTION_NO_GROUP UINT64_MAX

/* The values of the whole daemon, and of one endpoint or OPEN. given has a bit for each row that
 * was set. */
struct daemon_options {
    uint64_t given;
#define DAEMON_OPTION(name, member, reload, type, fallback, min, max, words, help) \
    OPTION_C_##type member;
#include "daemon/options.def"
};

struct endpoint_options {
    uint64_t given;
#define ENDPOINT_OPTION(name, member, place, reload, type, fallback, min, max, words, help) \
    OPTION_C_##type member;
#include "daemon/options.def"
};

/* Positions in the tables, for option_is_given. */
enum daemon_option_row {
#define DAEMON_OPTION(name, member, reload, type, fallback, min, max, words, help) \
    DAEMON_OPTION_##member,
#include "daemon/options.def"
    DAEMON_N_OPTIONS
};

enum endpoint_option_row {
#define ENDPOINT_OPTION(name, member, place, reload, type, fallback, min, max, words, help) \
    ENDPOINT_OPTION_##member,
#include "daemon/options.def"
    ENDPOINT_N_OPTIONS
};

struct option_row {
    const char *name;
    enum option_place place;
    enum option_reload reload;
    enum option_type type;
    size_t offset; /* of its value in its struct */
    uint64_t fallback, min, max;
    const char *words;
    const char *help;
};

struct option_table {
    const struct option_row *rows;
    size_t n_rows;
};

const struct option_table *daemon_options_table(void);
const struct option_table *endpoint_options_table(void);

/* Every value at its default. */
void options_init(const struct option_table *table, void *values);

/* Frees the texts and lists of values, which may be all zero. */
void options_deinit(const struct option_table *table, void *values);

static inline bool option_is_given(uint64_t given, unsigned row)
{
    return (given >> row & 1) != 0;
}

/* The row of that name, or NULL. */
const struct option_row *option_find(const struct option_table *table, struct wsp_view name);

/* The name that was probably meant by one that is not there, or NULL. */
const char *option_nearest(const struct option_table *table, struct wsp_view name);

/* Whether the other word was probably meant. */
bool option_is_near(struct wsp_view name, const char *known);

/* The row that lists which words of this CHOICE a program may choose of an endpoint, or NULL: none, as of any other
 * type. */
const struct option_row *option_allowing(const struct option_table *table,
                                         const struct option_row *row);

/* Its values are lists, given item by item. */
bool option_is_list(const struct option_row *row);

/* Long enough for any problem and any value in text. */
enum { OPTION_TEXT_LEN = 240 };

/* Sets a value from its text; a LIST or HEADERS gets one more item, PINS as many as the text has. 0; -ENOMEM; a positive number
 * when the text is no such value: ret_problem then says, beginning with the option's name, what is
 * wrong and what would be right. It quotes the value only where that cannot hold a credential. */
int option_set(const struct option_table *table, const struct option_row *row, struct wsp_view text,
               void *values, char ret_problem[OPTION_TEXT_LEN]);

/* Whether two structs of values have the same value of a row. */
bool option_equals(const struct option_row *row, const void *a, const void *b);

/* The value of a row whose values are numbers; false for texts and lists. */
bool option_number(const struct option_row *row, const void *values, uint64_t *ret_number);

/* Overwrites such a value; of a row whose values are numbers. */
void option_set_number(const struct option_row *row, void *values, uint64_t number);

/* The value of a row whose values are lists. */
const struct strings *option_list(const struct option_row *row, const void *values);

/* A number of that row as it would be written in a file ("30s", "1MiB", "disconnect", "yes"). */
void option_format(const struct option_row *row, uint64_t number, char ret_text[OPTION_TEXT_LEN]);

#endif
