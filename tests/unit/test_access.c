/*
 * test_access: who may do what: what a rule says, what is none, and what several give together.
 *
 * Invariant: nobody has a right that no rule gives; each row is asked for itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/access.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/allocation.h"
#include "tests/harness/strings_of.h"
#include "tests/harness/unit.h"

static const char all[] = "open|join|send|receive|monitor|control";
static const char few[] = "open|send|receive";

/* ---- what a rule says ---- */

static const struct {
    enum access_who who;
    const char *text;
    struct access_rule rule;
    const char *written;
} rules[] = {
    {ACCESS_USER, "0: open", {ACCESS_USER, 0, ACCESS_OPEN}, "0: open"},
    {ACCESS_USER, "root: open", {ACCESS_USER, 0, ACCESS_OPEN}, "0: open"},
    {ACCESS_USER, "root:open", {ACCESS_USER, 0, ACCESS_OPEN}, "0: open"},
    {ACCESS_USER, "  root \t:\t open ", {ACCESS_USER, 0, ACCESS_OPEN}, "0: open"},
    {ACCESS_USER, "7: none", {ACCESS_USER, 7, 0}, "7: none"},
    {ACCESS_USER,
     "7: send join, open",
     {ACCESS_USER, 7, ACCESS_OPEN | ACCESS_JOIN | ACCESS_SEND},
     "7: open join send"},
    {ACCESS_USER, "7: send send", {ACCESS_USER, 7, ACCESS_SEND}, "7: send"},
    {ACCESS_USER,
     "4294967294: receive monitor control",
     {ACCESS_USER, 4294967294, ACCESS_RECEIVE | ACCESS_MONITOR | ACCESS_CONTROL},
     "4294967294: receive monitor control"},
    {ACCESS_USER, "*: receive", {ACCESS_EVERYBODY, 0, ACCESS_RECEIVE}, "*: receive"},
    {ACCESS_GROUP, "root: join", {ACCESS_GROUP, 0, ACCESS_JOIN}, "0: join"},
    {ACCESS_GROUP, "100: join", {ACCESS_GROUP, 100, ACCESS_JOIN}, "100: join"},
};

START_TEST(a_rule_says_who_may_what)
{
    const struct access_rule *rule = &rules[_i].rule;
    struct access_rule read;
    char text[ACCESS_TEXT_LEN];

    ck_assert_msg(
        access_rule_read(wsp_view_of_string(rules[_i].text), rules[_i].who, all, &read, text),
        "%s: %s", rules[_i].text, text);
    ck_assert(read.who == rule->who && read.id == rule->id && read.rights == rule->rights);
    access_rule_format(&read, text);
    ck_assert_str_eq(text, rules[_i].written);
    /* What is written out is read as the same. */
    ck_assert(access_rule_read(wsp_view_of_string(text), rules[_i].who, all, &read, text));
    ck_assert(read.who == rule->who && read.id == rule->id && read.rights == rule->rights);
}
END_TEST

static const struct {
    enum access_who who;
    const char *words, *text, *problem;
} flawed[] = {
    {ACCESS_USER, all, "", "no colon"},
    {ACCESS_USER, all, "root", "no colon"},
    {ACCESS_USER, all, "root open", "no colon"},
    {ACCESS_USER, all, "root:", "behind the colon stand rights"},
    {ACCESS_USER, all, "root:  ", "behind the colon stand rights"},
    {ACCESS_USER, all, "root: none open", "behind the colon stand rights"},
    {ACCESS_USER, all, "root: none none", "behind the colon stand rights"},
    {ACCESS_USER, all, "root: opens", "\"opens\" is not one of open|join|send|receive|monitor|"},
    {ACCESS_USER, all, "root: Open", "is not one of"},
    {ACCESS_USER, all, "root: open|join", "is not one of"},
    {ACCESS_USER, few, "root: join", "\"join\" is not one of open|send|receive|none"},
    {ACCESS_USER, all, ": open", "is not the name or the number of a user"},
    {ACCESS_USER, all, "nobody-has-it: open", "\"nobody-has-it\" is not the name or the number"},
    {ACCESS_USER, all, "my self: open", "\"my self\" is not the name"},
    {ACCESS_USER, all, "-1: open", "is not the name"},
    {ACCESS_USER, all, "4294967295: open", "is not the name"},
    {ACCESS_USER, all, "4294967296: open", "is not the name"},
    {ACCESS_USER, all, "18446744073709551616: open", "is not the name"},
    {ACCESS_USER, all, "**: open", "is not the name"},
    {ACCESS_GROUP, all, "*: open", "is not the name or the number of a group"},
    {ACCESS_USER, all, "0: open: join", "is not one of"},
    {ACCESS_USER, all,
     "0123456789012345678901234567890123456789012345678901234567890123456789: open",
     "is not the name"},
};

START_TEST(what_is_no_rule)
{
    struct access_rule rule = {.id = 4711};
    char problem[ACCESS_TEXT_LEN];

    ck_assert_msg(!access_rule_read(wsp_view_of_string(flawed[_i].text), flawed[_i].who,
                                    flawed[_i].words, &rule, problem),
                  "\"%s\" was taken for a rule", flawed[_i].text);
    ck_assert_msg(strstr(problem, flawed[_i].problem) != NULL, "\"%s\": %s", flawed[_i].text,
                  problem);
    ck_assert_uint_eq(rule.id, 4711);
}
END_TEST

START_TEST(a_zero_byte_is_no_end_of_a_name)
{
    static const uint8_t text[] = "root\0x: open";
    struct access_rule rule;
    char problem[ACCESS_TEXT_LEN];

    ck_assert(!access_rule_read((struct wsp_view){text, sizeof(text) - 1}, ACCESS_USER, all, &rule,
                                problem));
}
END_TEST

/* ---- what they give together ---- */

/* Groups up to the first 0. */
static unsigned n_asked;
static bool has_group(const void *context, gid_t group)
{
    const gid_t *groups = context;

    n_asked++;
    for (; *groups; groups++)
        if (*groups == group)
            return true;
    return false;
}

enum { O = ACCESS_OPEN, J = ACCESS_JOIN, S = ACCESS_SEND, R = ACCESS_RECEIVE };

static const struct {
    const char *users, *groups;
    uid_t uid;
    gid_t in[4];
    unsigned rights;
} questions[] = {
    {"", "", 7, {0}, O | S | R},
    {"7: open", "", 7, {0}, O},
    {"7: open", "", 8, {0}, 0},
    {"7: open", "", 8, {7}, 0},
    {"", "7: open", 7, {0}, 0},
    {"", "7: open", 8, {9, 7}, O},
    {"*: receive;7: open", "", 7, {0}, O | R},
    {"*: receive;7: open", "", 8, {0}, R},
    {"7: none", "", 7, {0}, 0},
    {"7: none", "", 8, {0}, 0},
    {"7: none;*: open", "", 7, {0}, O},
    {"7: open;7: join", "9: send;10: receive", 7, {9}, O | J | S},
    {"7: open;7: join", "9: send;10: receive", 7, {10, 9}, O | J | S | R},
    {"*: open join send receive", "", 65534, {0}, O | J | S | R},
};

START_TEST(rights_add_up)
{
    struct strings users = strings_of(questions[_i].users),
                   groups = strings_of(questions[_i].groups);
    struct access_peer peer = {questions[_i].uid, has_group, questions[_i].in};
    struct access access = {0};

    ck_assert_int_eq(access_add(&access, &users, &groups), 0);
    ck_assert_uint_eq(access_rights(&access, &peer), questions[_i].rights);
    access_deinit(&access);
    strings_deinit(&users);
    strings_deinit(&groups);
}
END_TEST

/* The kernel is asked for a peer's groups only where the answer matters. */
START_TEST(groups_are_not_asked_for_in_vain)
{
    static const gid_t in[] = {0};
    struct strings users = strings_of("*: open send"),
                   groups = strings_of("9: open;10: send;11: join");
    struct access access = {0};

    ck_assert_int_eq(access_add(&access, &users, &groups), 0);
    n_asked = 0;
    ck_assert_uint_eq(access_rights(&access, &(struct access_peer){7, has_group, in}), O | S);
    ck_assert_uint_eq(n_asked, 1);
    access_deinit(&access);
    strings_deinit(&users);
    strings_deinit(&groups);
}
END_TEST

START_TEST(what_is_enough_to_open_anything)
{
    ck_assert(access_is_enough(ACCESS_DEFAULT));
    ck_assert(access_is_enough(O | S));
    ck_assert(access_is_enough(J | R));
    ck_assert(!access_is_enough(O | J));
    ck_assert(!access_is_enough(S | R));
    ck_assert(!access_is_enough(ACCESS_MONITOR | ACCESS_CONTROL | S | R));
    ck_assert(!access_is_enough(0));
}
END_TEST

START_TEST(each_right_has_its_word)
{
    char words[128] = "";

    for (unsigned right = 1; access_right_to_string(right); right <<= 1) {
        strcat(words, right > 1 ? "|" : "");
        strcat(words, access_right_to_string(right));
    }
    ck_assert_str_eq(words, all);
}
END_TEST

START_TEST(every_failing_allocation)
{
    struct strings users = strings_of("7: open"), groups = strings_of("8: join");
    struct access access = {0};

    allocation_fail_after(0);
    ck_assert_int_eq(access_add(&access, &users, &groups), -ENOMEM);
    ck_assert(allocation_disarm());
    access_deinit(&access);
    strings_deinit(&users);
    strings_deinit(&groups);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("access");
    TCase *text = unit_case(suite, "text");
    TCase *rights = unit_case(suite, "rights");

    tcase_add_loop_test(text, a_rule_says_who_may_what, 0, N_OF(rules));
    tcase_add_loop_test(text, what_is_no_rule, 0, N_OF(flawed));
    tcase_add_test(text, a_zero_byte_is_no_end_of_a_name);
    tcase_add_loop_test(rights, rights_add_up, 0, N_OF(questions));
    tcase_add_test(rights, groups_are_not_asked_for_in_vain);
    tcase_add_test(rights, what_is_enough_to_open_anything);
    tcase_add_test(rights, each_right_has_its_word);
    tcase_add_test(rights, every_failing_allocation);
    return suite;
}
