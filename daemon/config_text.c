/* SPDX-License-Identifier: MIT
 *
 * config_text: what libconfuse 3.3 does not see, or gets wrong, is seen to before it reads a text; see config_text.h.
 * Between the files and config. Invariant: see config_text.h.
 */
#include "daemon/config_text.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/option_text.h"
#include "proto/buffer.h"

enum { PIECE_LEN = 16 * 1024 };

int config_text_load(const char *file, char **ret_text)
{
    FILE *from = fopen(file, "re");
    struct wsp_buffer text;
    uint8_t *room;
    size_t len;
    int r = 0;

    if (!from)
        return -errno;
    wsp_buffer_init(&text, MAX_CONFIG_TEXT);
    do {
        r = wsp_buffer_reserve(&text, PIECE_LEN, &room);
        if (r < 0)
            break;
        len = fread(room, 1, PIECE_LEN, from);
        wsp_buffer_commit(&text, len);
    } while (len > 0);
    if (r == 0 && ferror(from))
        r = errno != 0 ? -errno : -EIO;
    fclose(from);
    len = wsp_buffer_len(&text);
    if (r == 0 && len > 0 && memchr(wsp_buffer_peek(&text), '\0', len))
        r = EINVAL;
    if (r == 0)
        r = wsp_buffer_append_u8(&text, '\0');
    if (r == 0)
        *ret_text = strdup((const char *)wsp_buffer_peek(&text));
    wsp_buffer_deinit(&text);
    return r == 0 && !*ret_text ? -ENOMEM : r;
}

static int lines_between(const char *text, const char *end)
{
    int n = 0;

    for (; text < end; text++)
        n += *text == '\n';
    return n;
}

/* Of the quoted text that begins at text, with its quotes; 0: it does not end. */
static size_t quoted_len(const char *text)
{
    const char *end = text + 1;

    while (*end && *end != *text)
        end += *end == '\\' && end[1] ? 2 : 1;
    return *end ? (size_t)(end - text) + 1 : 0;
}

/* Of the comment that begins at text, without the end of its line; 0: it does not end. */
static size_t comment_len(const char *text)
{
    const char *end;

    if (text[0] == '#' || text[1] == '/')
        return strcspn(text, "\n");
    end = strstr(text + 2, "*/");
    return end ? (size_t)(end - text) + 2 : 0;
}

static void blank(char *text, size_t len)
{
    for (; len > 0; len--, text++)
        if (*text != '\n')
            *text = ' ';
}

/* Comments become blanks: libconfuse counts their lines more than once. As in its own grammar, # begins one everywhere, but
 * // and the other kind only where a word could begin: a URL needs no quotes. 0; the line on which something opens that
 * is never closed. */
static int comments_blank(char *text, const char **ret_what)
{
    const char *begin = text;
    bool is_in_word = false;

    while (*text) {
        bool is_comment =
            *text == '#' || (!is_in_word && *text == '/' && (text[1] == '/' || text[1] == '*'));
        bool is_quoted = *text == '"' || *text == '\'';
        size_t len = is_comment ? comment_len(text) : is_quoted ? quoted_len(text) : 1;

        if (len == 0) {
            *ret_what = is_comment ? "the comment" : "the quotation mark";
            return 1 + lines_between(begin, text);
        }
        if (is_comment)
            blank(text, len);
        is_in_word = !is_comment && !is_quoted && !strchr(" \t\r\n={}(),+", *text);
        text += len;
    }
    return 0;
}

/* libconfuse takes the end of a file for the brace that would end an endpoint. 0; the line of the brace that is never
 * closed. */
static int brace_open(const char *text)
{
    int depth = 0, line = 1, opening_line = 0;

    while (*text) {
        size_t len = *text == '"' || *text == '\'' ? quoted_len(text) : 1;

        if (*text == '{' && depth++ == 0)
            opening_line = line;
        else if (*text == '}' && depth > 0)
            depth--;
        line += lines_between(text, text + len);
        text += len;
    }
    return depth > 0 ? opening_line : 0;
}

/* libconfuse tells where it has met something else. 0; the line of the equals sign behind which nothing stands. */
static int value_missing(const char *text)
{
    const char *begin = text;

    while (*text) {
        size_t len = *text == '"' || *text == '\'' ? quoted_len(text) : 1;
        const char *next = text + len + strspn(text + len, " \t\r\n");

        if (*text == '=' && (*next == '}' || *next == '\0'))
            return 1 + lines_between(begin, text);
        text += len;
    }
    return 0;
}

/* ---- the environment ---- */

/* What follows ${: a name, and perhaps what stands for it where there is none, which libconfuse knows as :-. */
static void variable_check(struct config_text_reporter *reporter, const char *text, size_t len,
                           int line)
{
    const char *dash = memmem(text, len, ":-", 2);
    char name[OPTION_TEXT_LEN / 2];
    char problem[OPTION_TEXT_LEN];

    if (dash)
        return;
    snprintf(name, sizeof(name), "%.*s", len < 64 ? (int)len : 64, text);
    if (len <= 64 && getenv(name))
        return;
    option_problem(
        problem,
        "${%s}: the environment has no such variable, so nothing would stand there; set it, "
        "or write ${%s:-} for nothing; for a secret, %%{credential:NAME}",
        name, name);
    reporter->tell(reporter, line, problem);
}

/* libconfuse puts nothing in the place of what is not there, and so could lose a secret or half a URL without a word. */
static void variables_check(struct config_text_reporter *reporter, const char *text)
{
    const char *begin = text;
    bool is_quoted = false;

    while (*text) {
        size_t name_len = text[0] == '$' && text[1] == '{' ? strcspn(text + 2, "}\"\n") : 0;

        if (*text == '\'' && !is_quoted) {
            text += quoted_len(text);
            continue;
        }
        if (*text == '"')
            is_quoted = !is_quoted;
        if (name_len > 0 && text[2 + name_len] == '}')
            variable_check(reporter, text + 2, name_len, 1 + lines_between(begin, text));
        text += *text == '\\' && text[1] ? 2 : 1;
    }
}

/* ---- all of it ---- */

static void tell_open(struct config_text_reporter *reporter, int line, const char *what)
{
    char problem[OPTION_TEXT_LEN];

    option_problem(problem, "%s that opens here is never closed", what);
    reporter->tell(reporter, line, problem);
}

bool config_text_prepare(char *text, struct config_text_reporter *reporter)
{
    const char *what;
    int line;

    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        blank(text, 3);
    if (strchr(text, '\r') && !strchr(text, '\n')) {
        reporter->tell(reporter, 1,
                       "the lines end in carriage returns alone; end them in line feeds");
        return false;
    }
    line = comments_blank(text, &what);
    if (line > 0) {
        tell_open(reporter, line, what);
        return false;
    }
    line = brace_open(text);
    if (line > 0)
        tell_open(reporter, line, "the brace {");
    variables_check(reporter, text);
    line = value_missing(text);
    if (line > 0)
        reporter->tell(reporter, line, "a value is missing behind the equals sign");
    return line == 0;
}

int config_text_empty_list(const char *text, const char *key, int line)
{
    char pattern[128];
    regmatch_t match[2];
    regex_t regex;

    for (int i = 1; i < line; i++)
        text += strcspn(text, "\n") + 1;
    snprintf(pattern, sizeof(pattern),
             "(^|[[:space:]{}])%s[[:space:]]*=[[:space:]]*[{][[:space:]]*[}]", key);
    if (regcomp(&regex, pattern, REG_EXTENDED) != 0)
        return 0;
    line = regexec(&regex, text, 2, match, 0) == 0
               ? line + lines_between(text, text + match[1].rm_eo)
               : 0;
    regfree(&regex);
    return line;
}
