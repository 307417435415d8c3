/*
 * test_option_bounds: how much an option may hold, whoever gives it: a list as many items as its bound says, and no
 * item more; a text no longer than it may be, and no byte in it that ends it early.
 *
 * Between a test and daemon/options, as the configuration and the requests of programs use it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "daemon/options.h"
#include "proto/limits.h"
#include "tests/harness/unit.h"

#define TEXT(number)    TEXT_OF(number)
#define TEXT_OF(number) #number

static struct endpoint_options values;

static void setup(void)
{
    options_init(endpoint_options_table(), &values);
}

static void teardown(void)
{
    options_deinit(endpoint_options_table(), &values);
}

static const struct option_row *row_of(const char *name)
{
    const struct option_row *row = option_find(endpoint_options_table(), wsp_view_of_string(name));

    ck_assert_ptr_nonnull(row);
    return row;
}

/* What is wrong with the text; "" if nothing is. */
static const char *set(const char *name, struct wsp_view text)
{
    static char problem[OPTION_TEXT_LEN];
    int r = option_set(endpoint_options_table(), row_of(name), text, &values, problem);

    ck_assert_int_ge(r, 0);
    if (r == 0)
        problem[0] = '\0';
    return problem;
}

/* --- lists --- */

static const struct {
    const char *name, *before,
        *after; /* an item has four digits in between, so that none is there twice */
    size_t max;
    const char *problem;
} lists[] = {
    {"protocols", "p", "", WSP_MAX_N_SUBPROTOCOLS,
     "protocols: more than " TEXT(WSP_MAX_N_SUBPROTOCOLS) " names"},
    {"headers", "X-", ": v", WSP_MAX_N_HEADERS,
     "headers: there are more than " TEXT(WSP_MAX_N_HEADERS)},
    {"pin", "sha256/", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", MAX_PINS,
     "pin: more than " TEXT(MAX_PINS)},
    {"greeting", "", "", MAX_GREETING, "greeting: more than " TEXT(MAX_GREETING) " messages"},
    {"final-codes", "", "", MAX_FINAL_CODES, "final-codes: more than " TEXT(MAX_FINAL_CODES)},
    {"connect-rate", "1", " per day", MAX_RATES, "connect-rate: more than " TEXT(MAX_RATES)},
    {"send-rate", "1", " per day", MAX_RATES, "send-rate: more than " TEXT(MAX_RATES)},
};

START_TEST(a_list_has_an_end)
{
    char item[64];

    for (size_t i = 0; i <= lists[_i].max; i++) {
        snprintf(item, sizeof(item), "%s%04zu%s", lists[_i].before, 4000 + i, lists[_i].after);
        ck_assert_str_eq(set(lists[_i].name, wsp_view_of_string(item)),
                         i < lists[_i].max ? "" : lists[_i].problem);
    }
}
END_TEST

/* --- what an item may be --- */

static const struct {
    const char *name, *item, *problem;
} no_items[] = {
    {"final-codes", "999",
     "final-codes: \"999\" is no code that a server can close with, and no range of them, as in "
     "\"1008\" or \"4010-4014\""},
    {"final-codes", "4000-3999",
     "final-codes: \"4000-3999\" is no code that a server can close with, and no range of them, as "
     "in \"1008\" or \"4010-4014\""},
    {"protocols", "", "protocols: \"\" is not a subprotocol's name"},
    {"protocols", "a b", "protocols: \"a b\" is not a subprotocol's name"},
    {"headers", "Accept", "headers: an item has no colon; write \"Name: value\""},
    {"headers", "A b: c", "headers: a name is not one that a header can have"},
    {"headers", ": c", "headers: a name is not one that a header can have"},
    {"headers", "Upgrade: c", "headers: Upgrade is written by the WebSocket handshake itself"},
    {"headers", "A: b ",
     "headers: the value of A is not one line of printable text, of at most " TEXT(
         WSP_MAX_HEADER_VALUE) " bytes and without blanks at its ends"},
    {"headers", "A: b\r\nC: d",
     "headers: the value of A is not one line of printable text, of at most " TEXT(
         WSP_MAX_HEADER_VALUE) " bytes and without blanks at its ends"},
    {"greeting", "", "greeting: a message is empty"},
    {"greeting", "\xff", "greeting: a message is not UTF-8"},
    {"pin", "", "pin: the value is empty"},
};

START_TEST(an_item_is_what_it_may_be)
{
    const struct option_row *row = row_of(no_items[_i].name);

    ck_assert_str_eq(set(row->name, wsp_view_of_string(no_items[_i].item)), no_items[_i].problem);
    ck_assert_uint_eq(option_list(row, &values)->n_items, 0);
}
END_TEST

/* --- bytes --- */

/* Names and values, and nothing between them. */
START_TEST(headers_are_so_long_together)
{
    static uint8_t line[3 + WSP_MAX_HEADER_VALUE + 1];
    const char *too_long = "headers: they are longer than " TEXT(WSP_MAX_HEADERS) " bytes together";
    struct wsp_view full = {line, sizeof(line) - 1};

    memset(line, 'v', sizeof(line));
    memcpy(line, "A: ", 3);
    ck_assert_str_eq(set("headers", (struct wsp_view){line, sizeof(line)}),
                     "headers: the value of A is not one line of printable text, of at most " TEXT(
                         WSP_MAX_HEADER_VALUE) " bytes and without blanks at its ends");
    ck_assert_str_eq(set("headers", full), "");
    ck_assert_str_eq(set("headers", full), too_long);
    full.len -= 4; /* of which the names take two, twice */
    line[0] = 'B';
    ck_assert_str_eq(set("headers", full), "");
    ck_assert_str_eq(set("headers", WSP_VIEW_LITERAL("Cd: e")), too_long);
    ck_assert_str_eq(set("headers", WSP_VIEW_LITERAL("C: e")), "");
    ck_assert_str_eq(set("headers", WSP_VIEW_LITERAL("C:")), too_long);
}
END_TEST

static const char *const messages[] = {"greeting", "heartbeat"};

START_TEST(a_message_is_so_long)
{
    const struct option_row *row = row_of(messages[_i]);
    uint8_t *text = malloc(row->max + 1);
    char problem[100];

    ck_assert_ptr_nonnull(text);
    memset(text, 'm', row->max + 1);
    snprintf(problem, sizeof(problem), "%s: a message is longer than %d bytes", row->name,
             (int)row->max);
    ck_assert_str_eq(set(row->name, (struct wsp_view){text, row->max + 1}), problem);
    ck_assert_str_eq(set(row->name, (struct wsp_view){text, row->max}), "");
    free(text);
}
END_TEST

/* A program can write one: its texts have lengths. */
START_TEST(a_zero_byte_ends_no_text)
{
    size_t n = 0;

    for (size_t i = 0; i < endpoint_options_table()->n_rows; i++) {
        const struct option_row *row = &endpoint_options_table()->rows[i];
        char expected[OPTION_TEXT_LEN];

        if (row->place != OPTION_CHANNEL && row->place != OPTION_IDENTITY)
            continue;
        snprintf(expected, sizeof(expected), "%s: ", row->name);
        ck_assert_msg(
            strncmp(set(row->name, WSP_VIEW_LITERAL("1\0")), expected, strlen(expected)) == 0,
            "%s takes a text that is cut", row->name);
        n++;
    }
    ck_assert_uint_gt(n, 10);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("option_bounds");
    TCase *items = unit_case(suite, "items");
    TCase *bytes = unit_case(suite, "bytes");

    tcase_add_checked_fixture(items, setup, teardown);
    tcase_add_checked_fixture(bytes, setup, teardown);
    tcase_add_loop_test(items, a_list_has_an_end, 0, N_OF(lists));
    tcase_add_loop_test(items, an_item_is_what_it_may_be, 0, N_OF(no_items));
    tcase_add_test(bytes, headers_are_so_long_together);
    tcase_add_loop_test(bytes, a_message_is_so_long, 0, N_OF(messages));
    tcase_add_test(bytes, a_zero_byte_ends_no_text);
    return suite;
}
