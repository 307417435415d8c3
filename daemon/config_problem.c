/* SPDX-License-Identifier: MIT
 *
 * config_problem: libconfuse tells neither what was meant nor where a key could stand.
 * Between config and those who write its files. Invariant: see config_problem.h.
 */
#include "daemon/config_problem.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Their texts, up to the name that stands in them, if one does, and what a person is told instead. */
static const struct {
    const char *theirs;
    const char *ours; /* behind the name and a colon, where theirs ends with a quotation mark */
} texts[] = {
    {"found duplicate title '", "an endpoint of this name stands in this file already"},
    {"missing title for section '", "a name is missing; write endpoint \"name\" { }"},
    {"missing opening brace for section '", "a brace is missing; write endpoint \"name\" { }"},
    {"missing equal sign after option '", "an equals sign is missing; write key = value"},
    {"attempt to append to non-list option '", "only a list can be added to; write = for +="},
    {"unexpected token", "this cannot stand here; write key = value, a list as {a, b}, and between "
                         "quotes what is more than letters and digits"},
    {"unterminated string constant", "what begins with a quotation mark must end with another"},
    {"unexpected closing brace", "nothing is open that the brace } could close; leave it out"},
    {"premature end of file", "the file ends in the middle of a setting; write key = value, and "
                              "end what begins with a quotation mark with another"},
};

static const char unknown[] = "no such option '";

/* A text that stands where a key should may be a secret; then its line must do. */
static bool is_like_a_key(struct wsp_view text)
{
    enum { MAX_SHOWN = 32 };

    for (size_t i = 0; i < text.len; i++)
        if ((text.data[i] < 'a' || text.data[i] > 'z') && text.data[i] != '-')
            return false;
    return text.len <= MAX_SHOWN;
}

/* NULL: it is just not known. */
static const char *known_mistake(struct wsp_view key, bool is_root)
{
    const struct option_table *there = is_root ? endpoint_options_table() : daemon_options_table();

    if (wsp_view_equals(key, WSP_VIEW_LITERAL("endpoint")))
        return is_root ? "a name is missing; write endpoint \"name\" { }"
                       : "it cannot stand in another endpoint; close that one with } before";
    if (wsp_view_equals(key, WSP_VIEW_LITERAL("include")) ||
        wsp_view_equals(key, WSP_VIEW_LITERAL("@include")))
        return "no file includes another; conf.d/*.conf beside the main file are read by "
               "themselves";
    if (option_find(there, key))
        return is_root ? "only an endpoint has this key; write it inside endpoint \"name\" { }"
                       : "an endpoint has no such key; write it outside of the braces";
    return NULL;
}

static void tell_unknown_key(struct wsp_view key, bool is_root, char *ret_problem)
{
    const struct option_table *here = is_root ? daemon_options_table() : endpoint_options_table();
    bool has_colon = key.len > 1 && key.data[key.len - 1] == ':';
    const char *mistake, *nearest;

    key.len -= has_colon;
    mistake = has_colon && option_find(here, key) ? "an equals sign is missing; write key = value"
                                                  : known_mistake(key, is_root);
    nearest = option_nearest(here, key);
    if (!nearest && is_root && option_is_near(key, "endpoint"))
        nearest = "endpoint \"name\" { }";
    if (mistake || nearest)
        snprintf(ret_problem, OPTION_TEXT_LEN, "%.*s: %s%s%s", (int)key.len, (const char *)key.data,
                 mistake ? mistake : "there is no such key; did you mean ", mistake ? "" : nearest,
                 mistake ? "" : "?");
    else if (is_like_a_key(key))
        snprintf(ret_problem, OPTION_TEXT_LEN, "%.*s: there is no such key %s", (int)key.len,
                 (const char *)key.data, is_root ? "outside of an endpoint" : "in an endpoint");
    else
        snprintf(ret_problem, OPTION_TEXT_LEN,
                 "what stands here is no key %s; write key = value, and a value with blanks "
                 "between quotation marks",
                 is_root ? "outside of an endpoint" : "of an endpoint");
}

void config_problem(const char *theirs, bool is_root, const char *before,
                    char ret_problem[OPTION_TEXT_LEN])
{
    if (strncmp(theirs, unknown, sizeof(unknown) - 1) == 0) {
        const char *name = theirs + sizeof(unknown) - 1;
        struct wsp_view key = {(const uint8_t *)name, strcspn(name, "'")};

        tell_unknown_key(key, is_root, ret_problem);
        return;
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t len = strlen(texts[i].theirs);

        if (strncmp(theirs, texts[i].theirs, len) != 0)
            continue;

        int name_len = theirs[len - 1] == '\'' ? (int)strcspn(theirs + len, "'") : 0;

        if (name_len == 0 && before)
            snprintf(ret_problem, OPTION_TEXT_LEN, "behind %s: %s", before, texts[i].ours);
        else
            snprintf(ret_problem, OPTION_TEXT_LEN, "%.*s%s%s", name_len, theirs + len,
                     name_len > 0 ? ": " : "", texts[i].ours);
        return;
    }
    snprintf(ret_problem, OPTION_TEXT_LEN, "%s", theirs);
}
