/*
 * test_close_codes: what a list of close codes may say, and which codes are in it.
 *
 * Between the test and daemon/close_codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/close_codes.h"
#include "tests/harness/unit.h"

static const struct {
    const char *text;
    bool is_good;
} texts[] = {
    {"1000", true},       {"1008", true},       {"4999", true},        {"4010-4014", true},
    {"3000-4999", true},  {"4010-4010", true},  {"1002-1011", true},   {"", false},
    {"100", false},       {"10000", false},     {"1005", false},       {"1006", false},
    {"1015", false},      {"999", false},       {"5000", false},       {"2000", false},
    {"4014-4010", false}, {"4010-", false},     {"-4010", false},      {"4010-401", false},
    {"4010-5000", false}, {"4010 4014", false}, {"4010--4014", false}, {" 4010", false},
    {"40a0", false},      {"+4010", false},     {"4010-40144", false}, {"4010-4014-", false},
};

START_TEST(a_code_or_a_range_of_codes)
{
    ck_assert_int_eq(close_codes_check(wsp_view_of_string(texts[_i].text)), texts[_i].is_good);
}
END_TEST

START_TEST(every_code_is_in_the_list_or_not)
{
    char first[] = "1008", second[] = "4010-4014", third[] = "3000-3000";
    char *items[] = {first, second, third};
    struct strings codes = {items, 3}, none = {0};

    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool is_in = code == 1008 || code == 3000 || (code >= 4010 && code <= 4014);

        ck_assert_int_eq(close_codes_have(&codes, code), is_in);
        ck_assert(!close_codes_have(&none, code));
    }
}
END_TEST

START_TEST(the_default_is_what_the_table_says)
{
    unsigned n = 0;

    for (const char *const *code = close_codes_default(); *code != NULL; code++, n++)
        ck_assert(close_codes_check(wsp_view_of_string(*code)));
    ck_assert_uint_eq(n, 5);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("close_codes");
    TCase *lists = unit_case(suite, "lists");

    tcase_add_loop_test(lists, a_code_or_a_range_of_codes, 0, N_OF(texts));
    tcase_add_test(lists, every_code_is_in_the_list_or_not);
    tcase_add_test(lists, the_default_is_what_the_table_says);
    return suite;
}
