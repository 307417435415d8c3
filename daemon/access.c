/* SPDX-License-Identifier: MIT
 *
 * access: who may do what; see access.h.
 * Neighbours: config reads the lists, open_request and control ask.
 * Invariant: see access.h.
 */
#include "daemon/access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/network.h"
#include "daemon/words.h"

/* ---- rights ---- */

static const struct {
    unsigned right;
    const char *word;
} rights_table[] = {
#define ACCESS_ROW(bit, NAME, word, meaning) {bit, word},
    ACCESS_RIGHTS(ACCESS_ROW)
#undef ACCESS_ROW
};

enum { N_RIGHTS = sizeof(rights_table) / sizeof(rights_table[0]) };

/* A rule that gives nothing, so that who is in the list can still have nothing. */
static const char none[] = "none";

const char *access_right_to_string(unsigned right)
{
    for (size_t i = 0; i < N_RIGHTS; i++)
        if (rights_table[i].right == right)
            return rights_table[i].word;
    return NULL;
}

bool access_is_enough(unsigned rights)
{
    return (rights & (ACCESS_OPEN | ACCESS_JOIN)) != 0 &&
           (rights & (ACCESS_SEND | ACCESS_RECEIVE)) != 0;
}

/* ---- reading a rule ---- */

/* Between the words of a rule. */
static const char blanks[] = " \t,";

/* One of words, which are separated by bars. */
static bool is_among(struct wsp_view word, const char *words)
{
    for (; *words; words += words[0] == '|') {
        size_t len = strcspn(words, "|");

        if (wsp_view_equals(word, (struct wsp_view){(const uint8_t *)words, len}))
            return true;
        words += len;
    }
    return false;
}

static unsigned right_of(struct wsp_view word)
{
    for (size_t i = 0; i < N_RIGHTS; i++)
        if (wsp_view_equals(word, wsp_view_of_string(rights_table[i].word)))
            return rights_table[i].right;
    return 0;
}

static bool read_rights(struct wsp_view text, const char *words, unsigned *ret_rights,
                        char ret_problem[ACCESS_TEXT_LEN])
{
    struct wsp_view word;
    size_t n_words = 0;
    bool is_none = false;

    *ret_rights = 0;
    for (; word_next(&text, blanks, &word); n_words++) {
        is_none = is_none || wsp_view_equals(word, wsp_view_of_string(none));
        if (!wsp_view_equals(word, wsp_view_of_string(none)) && !is_among(word, words)) {
            snprintf(ret_problem, ACCESS_TEXT_LEN, "\"%.*s\" is not one of %s|none",
                     word.len > 30 ? 30 : (int)word.len, (const char *)word.data, words);
            return false;
        }
        *ret_rights |= right_of(word);
    }
    if (n_words == 0 || (is_none && n_words > 1)) {
        snprintf(ret_problem, ACCESS_TEXT_LEN, "behind the colon stand rights, of %s, or none",
                 words);
        return false;
    }
    return true;
}

/* The number of a user or group of this machine. */
static bool find_id(const char *name, enum access_who who, uint32_t *ret_id)
{
    const struct passwd *user;
    const struct group *group;

    if (who == ACCESS_GROUP) {
        group = getgrnam(name);
        if (group)
            *ret_id = group->gr_gid;
        return group != NULL;
    }
    user = getpwnam(name);
    if (user)
        *ret_id = user->pw_uid;
    return user != NULL;
}

static bool read_who(struct wsp_view text, enum access_who who, struct access_rule *rule,
                     char ret_problem[ACCESS_TEXT_LEN])
{
    const char *kind = who == ACCESS_GROUP ? "group" : "user";
    char name[64];
    unsigned id;

    rule->who = who;
    if (who == ACCESS_USER && wsp_view_equals(text, WSP_VIEW_LITERAL("*"))) {
        rule->who = ACCESS_EVERYBODY;
        return true;
    }
    if (network_parse_number(text, UINT32_MAX - 1, &id)) {
        rule->id = id;
        return true;
    }
    if (text.len > 0 && text.len < sizeof(name) && !memchr(text.data, 0, text.len)) {
        memcpy(name, text.data, text.len);
        name[text.len] = '\0';
        if (find_id(name, who, &rule->id))
            return true;
    }
    snprintf(ret_problem, ACCESS_TEXT_LEN,
             "\"%.*s\" is not the name or the number of a %s of this machine%s",
             text.len > 40 ? 40 : (int)text.len, (const char *)text.data, kind,
             who == ACCESS_USER ? ", nor * for everybody" : "");
    return false;
}

bool access_rule_read(struct wsp_view text, enum access_who who, const char *words,
                      struct access_rule *ret_rule, char ret_problem[ACCESS_TEXT_LEN])
{
    const uint8_t *colon = text.len > 0 ? memchr(text.data, ':', text.len) : NULL;
    struct access_rule rule = {.who = who};
    struct wsp_view name, rest, rights;

    if (!colon) {
        snprintf(ret_problem, ACCESS_TEXT_LEN,
                 "an item has no colon; write \"NAME: RIGHT ...\", with rights of %s", words);
        return false;
    }
    rest = (struct wsp_view){text.data, (size_t)(colon - text.data)};
    rights = (struct wsp_view){colon + 1, text.len - rest.len - 1};
    while (rest.len > 0 && memchr(blanks, rest.data[rest.len - 1], sizeof(blanks) - 1) != NULL)
        rest.len--;
    word_next(&rest, blanks, &name);
    name.len += rest.len; /* a blank in a name is wrong, and told with it */
    if (!read_who(name, who, &rule, ret_problem) ||
        !read_rights(rights, words, &rule.rights, ret_problem))
        return false;
    *ret_rule = rule;
    return true;
}

void access_rule_format(const struct access_rule *rule, char ret_text[ACCESS_TEXT_LEN])
{
    int len = rule->who == ACCESS_EVERYBODY
                  ? snprintf(ret_text, ACCESS_TEXT_LEN, "*:")
                  : snprintf(ret_text, ACCESS_TEXT_LEN, "%u:", (unsigned)rule->id);

    for (size_t i = 0; i < N_RIGHTS; i++)
        if (rule->rights & rights_table[i].right)
            len += snprintf(ret_text + len, ACCESS_TEXT_LEN - (size_t)len, " %s",
                            rights_table[i].word);
    if (rule->rights == 0)
        snprintf(ret_text + len, ACCESS_TEXT_LEN - (size_t)len, " %s", none);
}

/* ---- lists ---- */

static int add_all(struct access *access, const struct strings *list, enum access_who who)
{
    static const char words[] = "open|join|send|receive|monitor|control";
    char problem[ACCESS_TEXT_LEN];

    for (size_t i = 0; i < list->n_items; i++)
        if (!access_rule_read(wsp_view_of_string(list->items[i]), who, words,
                              &access->rules[access->n_rules++], problem))
            return -EINVAL;
    return 0;
}

int access_add(struct access *access, const struct strings *users, const struct strings *groups)
{
    size_t n = access->n_rules + users->n_items + groups->n_items;
    struct access_rule *grown;
    int r;

    if (n == access->n_rules)
        return 0;
    grown = reallocarray(access->rules, n, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    access->rules = grown;
    r = add_all(access, users, ACCESS_USER);
    return r < 0 ? r : add_all(access, groups, ACCESS_GROUP);
}

void access_deinit(struct access *access)
{
    free(access->rules);
    *access = (struct access){0};
}

/* ---- the question ---- */

static bool is_for(const struct access_rule *rule, const struct access_peer *peer)
{
    switch (rule->who) {
    case ACCESS_EVERYBODY: return true;
    case ACCESS_USER: return peer->uid == rule->id;
    case ACCESS_GROUP: return peer->has_group(peer->context, rule->id);
    }
    return false;
}

unsigned access_rights(const struct access *access, const struct access_peer *peer)
{
    unsigned rights = 0;

    if (access->n_rules == 0)
        return ACCESS_DEFAULT;
    for (size_t i = 0; i < access->n_rules; i++)
        /* The kernel is asked for groups only where that can change something. */
        if ((access->rules[i].rights & ~rights) != 0 && is_for(&access->rules[i], peer))
            rights |= access->rules[i].rights;
    return rights;
}

bool access_lets_join(const struct access *access)
{
    for (size_t i = 0; i < access->n_rules; i++)
        if (access->rules[i].rights & ACCESS_JOIN)
            return true;
    return false;
}
