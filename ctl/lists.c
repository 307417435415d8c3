/*
 * lists: the verbs that show what the daemon holds: status, upstreams, clients, channels, history, endpoints, show.
 *
 * Neighbours: the daemon's control room, whose JSON this prints; table.c aligns it. --json prints the reply as it is.
 * Invariant: a column is a row of one table below: what it is called, which member it shows, and how.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/table.h"
#include "ctl/text.h"

enum kind {
    KIND_TEXT,
    KIND_NUMBER,
    KIND_BYTES,    /* 1.5 MiB */
    KIND_DURATION, /* of milliseconds: 3m 20s */
    KIND_ALARM,    /* text; red if it is true */
    KIND_BUDGETS,  /* connect 3 of 300 per 5min */
};

struct column {
    const char *title;
    const char *member; /* "inner.member" looks inside the member inner */
    enum kind kind;
};

enum { MAX_COLUMNS = 13 };

/* The reply to a list verb is an array of objects with these members. */
static const struct list {
    const char *verb;
    struct column columns[MAX_COLUMNS];
} lists[] = {
    {"upstreams",
     {{"ID", "id", KIND_NUMBER},
      {"STATE", "state", KIND_TEXT},
      {"UID", "uid", KIND_NUMBER},
      {"SHARED", "shared", KIND_TEXT},
      {"CHANNELS", "channels", KIND_NUMBER},
      {"IN", "messages_in", KIND_NUMBER},
      {"BYTES IN", "bytes_in", KIND_BYTES},
      {"OUT", "messages_out", KIND_NUMBER},
      {"BYTES OUT", "bytes_out", KIND_BYTES},
      {"HELD", "held_bytes", KIND_BYTES},
      {"AGE", "age_ms", KIND_DURATION},
      {"INSECURE", "insecure_tls", KIND_ALARM},
      {"URL", "url", KIND_TEXT}}},
    {"clients",
     {{"ID", "id", KIND_NUMBER},
      {"STATE", "state", KIND_TEXT},
      {"UID", "uid", KIND_NUMBER},
      {"PID", "pid", KIND_NUMBER},
      {"CHANNELS", "channels", KIND_NUMBER},
      {"FRAMES IN", "frames_in", KIND_NUMBER},
      {"BYTES IN", "bytes_in", KIND_BYTES},
      {"FRAMES OUT", "frames_out", KIND_NUMBER},
      {"BYTES OUT", "bytes_out", KIND_BYTES},
      {"AGE", "age_ms", KIND_DURATION}}},
    {"channels",
     {{"ID", "id", KIND_NUMBER},
      {"STATE", "state", KIND_TEXT},
      {"CLIENT", "client", KIND_NUMBER},
      {"UPSTREAM", "upstream", KIND_NUMBER},
      {"UID", "uid", KIND_NUMBER},
      {"PID", "pid", KIND_NUMBER},
      {"RECEIVED", "messages_received", KIND_NUMBER},
      {"SENT", "messages_sent", KIND_NUMBER},
      {"LAG", "lag_bytes", KIND_BYTES},
      {"DROPPED", "messages_dropped", KIND_NUMBER},
      {"UNSENT", "unsent_bytes", KIND_BYTES},
      {"AGE", "age_ms", KIND_DURATION},
      {"URL", "url", KIND_TEXT}}},
    {"history",
     {{"ID", "id", KIND_NUMBER},
      {"UID", "uid", KIND_NUMBER},
      {"AGO", "ended_ms", KIND_DURATION},
      {"LASTED", "lasted_ms", KIND_DURATION},
      {"CAUSE", "cause", KIND_TEXT},
      {"STATUS", "http_status", KIND_NUMBER},
      {"URL", "url", KIND_TEXT},
      {"FAILURE", "failure", KIND_TEXT}}},
    {"endpoints",
     {{"NAME", "name", KIND_TEXT},
      {"RIGHTS", "rights", KIND_TEXT},
      {"SHARE", "options.share", KIND_TEXT},
      {"LINGER", "options.linger", KIND_TEXT},
      {"SLOW CONSUMER", "options.slow-consumer", KIND_TEXT},
      {"QUEUE", "options.queue", KIND_TEXT},
      {"INSECURE", "insecure_tls", KIND_ALARM},
      {"PROTOCOLS", "protocols", KIND_TEXT},
      {"BUDGETS", "budgets", KIND_BUDGETS},
      {"ENDED", "ended", KIND_TEXT}}},
};

/* -- one value -- */

static void format_bytes(double value, char *to, size_t len)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    snprintf(to, len, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void format_duration(long long ms, char *to, size_t len)
{
    long long s = ms / 1000;
    if (ms < 1000)
        snprintf(to, len, "%lldms", ms);
    else if (s < 60)
        snprintf(to, len, "%llds", s);
    else if (s < 3600)
        snprintf(to, len, "%lldm %llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(to, len, "%lldh %lldm", s / 3600, s / 60 % 60);
    else
        snprintf(to, len, "%lldd %lldh", s / 86400, s / 3600 % 24);
}

static void print_budget(FILE *to, const json_t *budget)
{
    fprintf(to, "%s %lld of %s", json_string_value(json_object_get(budget, "kind")),
            (long long)json_integer_value(json_object_get(budget, "used")),
            json_string_value(json_object_get(budget, "rate")));
}

/* "one, two"; a new string, NULL: no memory. */
static char *join(const json_t *items, enum kind kind)
{
    char *text = NULL;
    size_t len, index;
    json_t *item;
    FILE *memory = open_memstream(&text, &len);
    if (!memory)
        return NULL;
    json_array_foreach (items, index, item) {
        fputs(index ? ", " : "", memory);
        if (json_is_string(item))
            fputs(json_string_value(item), memory);
        else if (kind == KIND_BUDGETS)
            print_budget(memory, item);
        else
            json_dumpf(item, memory, JSON_ENCODE_ANY | JSON_COMPACT);
    }
    return fclose(memory) == 0 ? text : NULL;
}

static const json_t *look_up(const json_t *row, const char *member)
{
    const char *dot = strchr(member, '.');
    if (!dot)
        return json_object_get(row, member);
    const char *outer;
    json_t *value;
    json_object_foreach ((json_t *)row, outer, value)
        if (strlen(outer) == (size_t)(dot - member) && strncmp(outer, member, strlen(outer)) == 0)
            return look_up(value, dot + 1);
    return NULL;
}

/* A new string; NULL: no memory. A member that is absent or null is "-". */
static char *format_value(const json_t *value, enum kind kind)
{
    char text[64];
    if (json_is_string(value))
        return strdup(json_string_value(value)[0] ? json_string_value(value) : "-");
    if (json_is_array(value) && json_array_size(value) > 0)
        return join(value, kind);
    if (json_is_boolean(value))
        return strdup(json_is_true(value) ? "yes" : "no");
    if (json_is_integer(value) && kind == KIND_BYTES)
        format_bytes((double)json_integer_value(value), text, sizeof(text));
    else if (json_is_integer(value) && kind == KIND_DURATION)
        format_duration(json_integer_value(value), text, sizeof(text));
    else if (json_is_integer(value))
        snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
    else
        snprintf(text, sizeof(text), "-");
    return strdup(text);
}

static bool is_alarm(const json_t *value, enum kind kind)
{
    return kind == KIND_ALARM && json_is_true(value);
}

/* What the end of a member's name says about its value, and is not part of what people are shown. */
static const struct {
    const char *end;
    enum kind kind;
} ends[] = {{"_bytes", KIND_BYTES}, {"_ms", KIND_DURATION}};

/* Whether the object has a member by the first len letters of this name. */
static bool has_shortened(const json_t *object, const char *name, size_t len)
{
    const char *member;
    json_t *value;
    json_object_foreach ((json_t *)object, member, value)
        if (strlen(member) == len && strncmp(member, name, len) == 0)
            return true;
    return false;
}

/* fallback: what holds for the object that it is a member of. *ret_len is how much of the name to show: no two members
 * of an object are shown by the same name. */
static enum kind kind_of(const json_t *object, const char *member, enum kind fallback,
                         size_t *ret_len)
{
    size_t len = strlen(member);
    *ret_len = len;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t end_len = strlen(ends[i].end);
        if (len > end_len && strcmp(member + len - end_len, ends[i].end) == 0) {
            *ret_len = has_shortened(object, member, len - end_len) ? len : len - end_len;
            return ends[i].kind;
        }
    }
    if (strcmp(member, "insecure_tls") == 0)
        return KIND_ALARM;
    bool is_bytes = strncmp(member, "bytes_", 6) == 0 || strcmp(member, "max_message") == 0;
    return is_bytes ? KIND_BYTES : fallback;
}

/* -- lists -- */

static int fill(struct table *table, const struct list *list, size_t n_columns, const json_t *rows)
{
    size_t index;
    json_t *row;
    json_array_foreach (rows, index, row) {
        for (size_t i = 0; i < n_columns; i++) {
            const struct column *column = &list->columns[i];
            const json_t *value = look_up(row, column->member);
            char *text = format_value(value, column->kind);
            int r = text ? table_add(table, text, is_alarm(value, column->kind)) : -1;
            free(text);
            if (r < 0)
                return CTL_FAILED;
        }
    }
    return CTL_DONE;
}

static int print_list(const struct list *list, const json_t *rows)
{
    const char *titles[MAX_COLUMNS];
    bool is_right[MAX_COLUMNS];
    size_t n_columns = 0;
    for (; n_columns < MAX_COLUMNS && list->columns[n_columns].title; n_columns++) {
        titles[n_columns] = list->columns[n_columns].title;
        is_right[n_columns] = list->columns[n_columns].kind != KIND_TEXT &&
                              list->columns[n_columns].kind != KIND_BUDGETS &&
                              list->columns[n_columns].kind != KIND_ALARM;
    }
    struct table *table = table_new(n_columns, titles, is_right);
    int status = table ? fill(table, list, n_columns, rows) : CTL_FAILED;
    if (status == CTL_DONE)
        table_print(table, stdout, isatty(STDOUT_FILENO) == 1);
    else
        ctl_fail("out of memory");
    table_free(table);
    return status;
}

static const struct list *find_list(const char *verb)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (strcmp(lists[i].verb, verb) == 0)
            return &lists[i];
    return NULL;
}

/* -- one object, a member a line -- */

enum { INDENT = 2 };

static void print_value(const json_t *value, enum kind kind)
{
    char *text = format_value(value, kind);
    bool is_red = is_alarm(value, kind) && isatty(STDOUT_FILENO) == 1;
    fputs(is_red ? TABLE_ALARM : "", stdout);
    if (text)
        text_print_visible(stdout, text, strlen(text));
    puts(is_red ? TABLE_ALARM_END : "");
    free(text);
}

static void print_object(const json_t *object, int indent, enum kind kind);

static bool is_of_objects(const json_t *value)
{
    return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

/* With an empty line between two of them. */
static void print_objects(const json_t *array, int indent, enum kind kind)
{
    size_t index;
    json_t *object;
    json_array_foreach (array, index, object) {
        if (index > 0)
            putchar('\n');
        print_object(object, indent, kind);
    }
}

/* The first len bytes of a member's name, as people write it. */
static void print_name(const char *member, size_t len)
{
    for (size_t i = 0; i < len; i++)
        text_print_visible(stdout, member[i] == '_' ? " " : member + i, 1);
    putchar(':');
}

static void print_object(const json_t *object, int indent, enum kind kind)
{
    const char *member;
    json_t *value;
    size_t len, widest = 0;
    json_object_foreach ((json_t *)object, member, value) {
        kind_of(object, member, kind, &len);
        if (len > widest && !json_is_object(value) && !is_of_objects(value))
            widest = len;
    }
    json_object_foreach ((json_t *)object, member, value) {
        enum kind own = kind_of(object, member, kind, &len);
        printf("%*s", indent, "");
        print_name(member, len);
        if (json_is_object(value)) {
            putchar('\n');
            print_object(value, indent + INDENT, own);
        } else if (is_of_objects(value)) {
            putchar('\n');
            print_objects(value, indent + INDENT, own);
        } else {
            printf("%*s ", (int)(widest > len ? widest - len : 0), "");
            print_value(value, own);
        }
    }
}

static int print_json(const json_t *reply)
{
    char *text = json_dumps(reply, JSON_INDENT(2));
    if (!text)
        return ctl_fail("out of memory");
    text_print_json(stdout, text);
    putchar('\n');
    free(text);
    return CTL_DONE;
}

int ctl_list(struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
    int n_arguments = verb->arguments[0] ? 1 : 0;
    json_t *reply;
    if (argc - 1 < n_arguments)
        return ctl_usage(verb, "%s is missing", verb->arguments);
    if (argc - 1 > n_arguments)
        return ctl_usage(verb, "'%s' is one word too many", argv[1 + n_arguments]);
    const char *arguments[] = {argv[n_arguments]};
    int status = ctl_request(ctl, verb->name, arguments, (size_t)n_arguments, &reply);
    if (status != CTL_DONE)
        return status;
    const struct list *list = find_list(verb->name);
    if (ctl->is_json) {
        status = print_json(reply);
    } else if (list) {
        status = print_list(list, reply);
    } else {
        print_object(reply, 0, KIND_TEXT);
    }
    json_decref(reply);
    return status;
}
