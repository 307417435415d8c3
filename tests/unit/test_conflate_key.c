/*
 * test_conflate_key: the contract of daemon/conflate_key.h: which texts are keys, and where the key of a message is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/conflate_key.h"

#include "daemon/limits.h"
#include "tests/harness/guard.h"
#include "tests/harness/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    bool is_key;
} texts[] = {
    {"", true},
    {"/", true},
    {"/data/0/symbol", true},
    {"/a~1b~0", true},
    {"prefix:1", true},
    {"prefix:1024", true},
    {"prefix:1025", false},
    {"prefix:0", false},
    {"prefix:", false},
    {"prefix:01", false},
    {"prefix:1 ", false},
    {"prefix:-1", false},
    {"prefix", false},
    {"symbol", false},
    {"/a~2", false},
    {"/a~", false},
    {"Prefix:1", false},
    {"prefix:99999999999999999999", false},
};

START_TEST(texts_are_checked)
{
    struct conflate_key key;

    ck_assert_msg(conflate_key_parse(wsp_view_of_string(texts[_i].text), &key) == texts[_i].is_key,
                  "%s", texts[_i].text);
}
END_TEST

static const struct {
    const char *key, *message, *found; /* NULL: it has none */
} messages[] = {
    {"", "anything", ""},
    {"", "", ""},
    {"prefix:3", "tick 17", "tic"},
    {"prefix:3", "ti", "ti"},
    {"prefix:3", "", ""},
    {"/s", "{\"s\":\"BTC\",\"p\":1}", "\"BTC\""},
    {"/s", "{\"s\": 1.0 }", "1.0"},
    {"/s", "{\"s\":{\"a\":[1]}}", "{\"a\":[1]}"},
    {"/d/0/s", "{\"d\":[{\"s\":null}]}", "null"},
    {"/s", "{\"p\":1}", NULL},
    {"/s", "{\"s\":1,\"s\":2}", NULL},
    {"/s", "{\"s\":1", NULL},
    {"/s", "pong", NULL},
    {"/s", "", NULL},
    {"/", "{\"\":7}", "7"},
};

START_TEST(keys_are_found)
{
    struct wsp_view found = {NULL, 0};
    struct conflate_key key;
    struct guard guard;
    bool is_found;

    ck_assert(conflate_key_parse(wsp_view_of_string(messages[_i].key), &key));
    guard_init(&guard, messages[_i].message, strlen(messages[_i].message));
    is_found = conflate_key_find(&key, (struct wsp_view){guard.data, guard.len}, &found);
    ck_assert(is_found == (messages[_i].found != NULL));
    if (is_found)
        unit_assert_bytes(found.data, found.len, messages[_i].found, strlen(messages[_i].found));
    guard_deinit(&guard);
}
END_TEST

/* At the bound, and one past it. */
START_TEST(long_keys_are_none)
{
    char *text = malloc(MAX_CONFLATE_KEY + 32);
    struct wsp_view found;
    struct conflate_key key;

    ck_assert(conflate_key_parse(wsp_view_of_string("/s"), &key));
    for (int more = 0; more < 2; more++) {
        int len = sprintf(text, "{\"s\":\"%0*d\"}", MAX_CONFLATE_KEY - 2 + more, 0);
        struct wsp_view message = {(const uint8_t *)text, (size_t)len};

        ck_assert(conflate_key_find(&key, message, &found) == (more == 0));
    }
    free(text);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("conflate_key");
    TCase *text = unit_case(suite, "text");
    TCase *message = unit_case(suite, "message");

    tcase_add_loop_test(text, texts_are_checked, 0, N_OF(texts));
    tcase_add_loop_test(message, keys_are_found, 0, N_OF(messages));
    tcase_add_test(message, long_keys_are_none);
    return suite;
}
