/* SPDX-License-Identifier: MIT
 *
 * option_text: the values of options that are texts and lists; see option_text.h.
 * Neighbours: options finds the row and knows numbers; proxy, no_proxy, pin, rate and proto/rules judge what they are for.
 * Invariant: a value that may hold a credential is never quoted.
 */
#include "daemon/option_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/access.h"
#include "daemon/close_codes.h"
#include "daemon/conflate_key.h"
#include "daemon/credential.h"
#include "daemon/destination.h"
#include "daemon/idna.h"
#include "daemon/limits.h"
#include "daemon/no_proxy.h"
#include "daemon/pattern.h"
#include "daemon/pin.h"
#include "daemon/proxy.h"
#include "daemon/rate.h"
#include "proto/limits.h"
#include "proto/rules.h"
#include "proto/utf8.h"

int option_problem(char ret_problem[OPTION_TEXT_LEN], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(ret_problem, OPTION_TEXT_LEN, format, arguments);
    va_end(arguments);
    return 1;
}

/* ---- texts ---- */

/* What else but a file or a directory is there could make whoever opens it wait. 0; a positive number. */
static int path_check(const struct option_row *row, const char *path,
                      char ret_problem[OPTION_TEXT_LEN])
{
    bool is_directory = row->type == OPTION_DIRECTORY;
    struct stat is;

    if (stat(path, &is) == 0 && (is_directory ? !S_ISDIR(is.st_mode) : !S_ISREG(is.st_mode)))
        return option_problem(ret_problem, "%s: %.100s is not a %s", row->name, path,
                              is_directory ? "directory" : "regular file");
    if (access(path, is_directory ? R_OK | X_OK : R_OK) < 0)
        return option_problem(ret_problem, "%s: %.100s cannot be read: %s", row->name, path,
                              strerror(errno));
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
    return r > 0 ? option_problem(ret_problem, "%s: %s", row->name, reason) : r;
}

static int hosts_check(const struct option_row *row, struct wsp_view text,
                       char ret_problem[OPTION_TEXT_LEN])
{
    struct wsp_view item;

    if (!no_proxy_has_flaw(text, &item))
        return 0;
    return option_problem(ret_problem, "%s: \"%.*s\" is no host, address or network, as in \"%s\"",
                          row->name, item.len > 60 ? 60 : (int)item.len, (const char *)item.data,
                          "example.org, 192.0.2.0/24");
}

static int key_check(const struct option_row *row, struct wsp_view text,
                     char ret_problem[OPTION_TEXT_LEN])
{
    struct conflate_key key;

    if (conflate_key_parse(text, &key))
        return 0;
    return option_problem(ret_problem,
                          "%s: \"%.*s\" is not understood; write a JSON pointer, as in "
                          "\"/data/symbol\", or prefix:N with N from 1 to %d",
                          row->name, text.len > 60 ? 60 : (int)text.len, (const char *)text.data,
                          MAX_CONFLATE_KEY);
}

/* What goes to a server as a text message, or comes from one. It may be a credential and is never quoted. */
static int message_check(const struct option_row *row, struct wsp_view text,
                         char ret_problem[OPTION_TEXT_LEN])
{
    const char *flaw;

    if (text.len > row->max)
        return option_problem(ret_problem, "%s: a message is longer than %llu bytes", row->name,
                              (unsigned long long)row->max);
    if (!wsp_utf8_is_valid(text.data, text.len))
        return option_problem(ret_problem, "%s: a message is not UTF-8", row->name);
    flaw = row->type == OPTION_PATTERN ? pattern_flaw(text)
           : row->type == OPTION_REPLY ? reply_flaw(text)
                                       : credential_flaw(text);
    return flaw ? option_problem(ret_problem, "%s: %s", row->name, flaw) : 0;
}

static int messages_add(const struct option_row *row, struct strings *messages,
                        struct wsp_view text, char ret_problem[OPTION_TEXT_LEN])
{
    int r;

    if (messages->n_items >= MAX_GREETING)
        return option_problem(ret_problem, "%s: more than %d messages", row->name, MAX_GREETING);
    if (text.len == 0)
        return option_problem(ret_problem, "%s: a message is empty", row->name);
    r = message_check(row, text, ret_problem);
    return r == 0 ? strings_add(messages, (const char *)text.data, text.len) : r;
}

/* 0, -ENOMEM, or 1: what the text is not. */
static int text_check(const struct option_row *row, struct wsp_view text,
                      char ret_problem[OPTION_TEXT_LEN])
{
    if (text.len == 0 && row->type != OPTION_HOSTS)
        return option_problem(ret_problem, "%s: the value is empty", row->name);
    if (text.len > 0 && memchr(text.data, 0, text.len))
        return option_problem(ret_problem, "%s: the value contains a zero byte", row->name);
    switch (row->type) {
    case OPTION_PROXY: return proxy_check(row, text, ret_problem);
    case OPTION_HOSTS: return hosts_check(row, text, ret_problem);
    case OPTION_KEY: return key_check(row, text, ret_problem);
    case OPTION_TEXT: return 0;
    case OPTION_MESSAGE:
    case OPTION_PATTERN:
    case OPTION_REPLY: return message_check(row, text, ret_problem);
    default: break;
    }
    if (text.data[0] != '/')
        return option_problem(
            ret_problem, "%s: \"%.*s\" is not an absolute path; it must begin with /", row->name,
            text.len > 100 ? 100 : (int)text.len, (const char *)text.data);
    return 0;
}

int option_set_text(const struct option_row *row, struct wsp_view text, char **value,
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
        return option_problem(ret_problem, "headers: a name is not one that a header can have");
    if (!wsp_header_name_is_for_user(name_text, name.len))
        return option_problem(ret_problem,
                              "headers: %.*s is written by the WebSocket handshake itself",
                              (int)name.len, name_text);
    if (!wsp_header_value_is_valid((const char *)value.data, value.len))
        return option_problem(ret_problem,
                              "headers: the value of %.*s is not one line of printable text, of at "
                              "most %d bytes and without blanks at its ends",
                              (int)name.len, name_text, WSP_MAX_HEADER_VALUE);
    if (headers->n_items >= 2 * WSP_MAX_N_HEADERS)
        return option_problem(ret_problem, "headers: there are more than %d", WSP_MAX_N_HEADERS);

    size_t sum = name.len + value.len;

    for (size_t i = 0; i < headers->n_items; i++)
        sum += strlen(headers->items[i]);
    if (sum > WSP_MAX_HEADERS)
        return option_problem(ret_problem, "headers: they are longer than %d bytes together",
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
        return option_problem(ret_problem, "headers: an item has no colon; write \"Name: value\"");

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
        return option_problem(ret_problem, "%s: the value is empty", row->name);
    do {
        if (!pin_parse(text, pin))
            return option_problem(
                ret_problem,
                "%s: \"%.*s\" is not understood; write \"sha256/\" and the SHA-256 of "
                "the public key in base64, 44 characters",
                row->name, text.len > 60 ? 60 : (int)text.len, (const char *)text.data);
        if (pins->n_items >= MAX_PINS)
            return option_problem(ret_problem, "%s: more than %d", row->name, MAX_PINS);
        r = strings_add(pins, pin, strlen(pin));
    } while (r == 0 && pin_next(&list, &text));
    return r;
}

static int rule_add(const struct option_row *row, struct strings *rules, struct wsp_view text,
                    char ret_problem[OPTION_TEXT_LEN])
{
    const char *flaw = destination_flaw(text);

    if (!flaw)
        return strings_add(rules, (const char *)text.data, text.len);
    return option_problem(ret_problem, "%s: \"%.*s\" is not understood: %s", row->name,
                          text.len > 60 ? 60 : (int)text.len, (const char *)text.data, flaw);
}

static int rate_problem(const struct option_row *row, struct wsp_view text, int problem,
                        char ret_problem[OPTION_TEXT_LEN])
{
    const char *value = (const char *)text.data;
    int len = text.len > 60 ? 60 : (int)text.len;
    bool is_send = strncmp(row->words, "message", strlen("message")) == 0;

    switch (problem) {
    case RATE_OTHER_NOUN:
        return option_problem(ret_problem, "%s: \"%.*s\" counts something else; this counts %s",
                              row->name, len, value, is_send ? "messages" : "connections");
    case RATE_BAD_COUNT:
        return option_problem(ret_problem, "%s: \"%.*s\" must count from 1 to %" PRIu64, row->name,
                              len, value, RATE_MAX_COUNT);
    case RATE_BAD_PERIOD:
        return option_problem(
            ret_problem,
            "%s: \"%.*s\" must be per at least %" PRIu64 " ms and at most %" PRIu64 " days",
            row->name, len, value, RATE_MIN_PERIOD_MS, RATE_MAX_PERIOD_MS / 86400000);
    default:
        return option_problem(ret_problem,
                              "%s: \"%.*s\" is not understood; write a number, per, and a time in "
                              "ms, s, min, h, days or weeks, as in \"%s\"",
                              row->name, len, value,
                              is_send ? "5 messages per second" : "300 connections per 5 minutes");
    }
}

/* It is kept as it is written out, so that the same rate is the same text. */
static int rates_add(const struct option_row *row, struct strings *rates, struct wsp_view text,
                     char ret_problem[OPTION_TEXT_LEN])
{
    char canonical[RATE_TEXT_LEN];
    struct rate rate;
    int r = rate_parse(text, row->words, &rate);

    if (r > 0)
        return rate_problem(row, text, r, ret_problem);
    if (rates->n_items >= MAX_RATES)
        return option_problem(ret_problem, "%s: more than %d", row->name, MAX_RATES);
    rate_format(rate, canonical);
    return strings_add(rates, canonical, strlen(canonical));
}

/* Kept with numbers, so that what was read is what holds. */
static int access_rule_add(const struct option_row *row, struct strings *rules,
                           struct wsp_view text, char ret_problem[OPTION_TEXT_LEN])
{
    char rule_text[ACCESS_TEXT_LEN];
    struct access_rule rule;

    if (!access_rule_read(text, row->type == OPTION_GROUPS ? ACCESS_GROUP : ACCESS_USER, row->words,
                          &rule, rule_text))
        return option_problem(ret_problem, "%s: %s", row->name, rule_text);
    access_rule_format(&rule, rule_text);
    return strings_add(rules, rule_text, strlen(rule_text));
}

static int codes_add(const struct option_row *row, struct strings *codes, struct wsp_view text,
                     char ret_problem[OPTION_TEXT_LEN])
{
    if (!close_codes_check(text))
        return option_problem(ret_problem,
                              "%s: \"%.*s\" is no code that a server can close with, and no range "
                              "of them, as in \"1008\" or \"4010-4014\"",
                              row->name, text.len > 60 ? 60 : (int)text.len,
                              (const char *)text.data);
    if (codes->n_items >= MAX_FINAL_CODES)
        return option_problem(ret_problem, "%s: more than %d", row->name, MAX_FINAL_CODES);
    return strings_add(codes, (const char *)text.data, text.len);
}

int option_add_item(const struct option_row *row, struct wsp_view text, struct strings *strings,
                    char ret_problem[OPTION_TEXT_LEN])
{
    const char *item = (const char *)text.data;

    if (row->type == OPTION_HEADERS)
        return headers_add_line(strings, text, ret_problem);
    if (row->type == OPTION_PINS)
        return pins_add(row, strings, text, ret_problem);
    if (row->type == OPTION_MESSAGES)
        return messages_add(row, strings, text, ret_problem);
    if (row->type == OPTION_USERS || row->type == OPTION_GROUPS)
        return access_rule_add(row, strings, text, ret_problem);
    if (row->type == OPTION_CODES)
        return codes_add(row, strings, text, ret_problem);
    if (row->type == OPTION_RULES)
        return rule_add(row, strings, text, ret_problem);
    if (row->type == OPTION_RATES)
        return rates_add(row, strings, text, ret_problem);
    if (!wsp_subprotocol_is_valid(item, text.len))
        return option_problem(ret_problem, "%s: \"%.*s\" is not a subprotocol's name", row->name,
                              text.len > 60 ? 60 : (int)text.len, item);
    for (size_t i = 0; i < strings->n_items; i++)
        if (wsp_view_equals(text, wsp_view_of_string(strings->items[i])))
            return option_problem(ret_problem, "%s: %.60s stands there twice", row->name,
                                  strings->items[i]);
    if (strings->n_items >= WSP_MAX_N_SUBPROTOCOLS)
        return option_problem(ret_problem, "%s: more than %d names", row->name,
                              WSP_MAX_N_SUBPROTOCOLS);
    return strings_add(strings, item, text.len);
}
