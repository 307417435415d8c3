/*
 * test_failure: the contract of daemon/failure.h: one line for people, whatever a hostile server said.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/failure.h"
#include "proto/utf8.h"
#include "tests/harness/unit.h"

#include <string.h>

struct row {
    const char *said, *shown;
};

static const struct row rows[] = {
    {"404 Not Found", "404 Not Found"},
    {"", ""},
    {"two\r\nlines\tand a tab", "two??lines?and a tab"},
    {"\033[31mred\033[0m\007", "?[31mred?[0m?"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82"},
    {"latin \xe9 1", "latin ? 1"},
    {"overlong \xc0\xaf", "overlong ??"},
    {"cut \xe2\x82", "cut ??"},
    {"surrogate \xed\xa0\x80", "surrogate ???"},
    {"C1 \xc2\x9b 31m", "C1 ? 31m"},
    {"del \x7f", "del ?"},
    {"bidi \xe2\x80\xae gpj", "bidi ? gpj"},
    {"line\xe2\x80\xa8separator", "line?separator"},
    {"isolate \xe2\x81\xa6", "isolate ?"},
};

START_TEST(hostile_text_becomes_one_printable_line)
{
    struct failure failure;

    failure_set(&failure, 19, 404, "%s", rows[_i].said);
    ck_assert_str_eq(failure.text, rows[_i].shown);
    ck_assert_uint_eq(failure.cause, 19);
    ck_assert_uint_eq(failure.http_status, 404);
}
END_TEST

START_TEST(it_is_formatted)
{
    struct failure failure;

    failure_set(&failure, 1, 0, "%d of %s", 3, "four");
    ck_assert_str_eq(failure.text, "3 of four");
}
END_TEST

/* Loop test over how far a character of three bytes stands before the end. */
START_TEST(it_is_cut_between_characters)
{
    struct failure failure;
    char said[400];
    size_t n_before = sizeof(failure.text) - 6 + (size_t)_i;

    memset(said, 'x', sizeof(said));
    for (size_t i = n_before; i + 3 < sizeof(said) - 1; i += 3)
        memcpy(said + i, "\xe2\x82\xac", 3);
    said[sizeof(said) - 1] = '\0';
    failure_set(&failure, 1, 0, "%s", said);
    ck_assert_uint_lt(strlen(failure.text), sizeof(failure.text));
    ck_assert_uint_ge(strlen(failure.text), sizeof(failure.text) - 3);
    ck_assert(wsp_utf8_is_valid(failure.text, strlen(failure.text)));
    ck_assert_ptr_null(strchr(failure.text, '?'));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("failure");
    TCase *text = unit_case(suite, "text");

    tcase_add_loop_test(text, hostile_text_becomes_one_printable_line, 0, N_OF(rows));
    tcase_add_test(text, it_is_formatted);
    tcase_add_loop_test(text, it_is_cut_between_characters, 0, 7);
    return suite;
}
