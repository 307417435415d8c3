/*
 * test_ledger_line: the contract of daemon/ledger_line.h: what is a line, each bound, and one past it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/ledger_line.h"
#include "tests/harness/unit.h"

#include <stdio.h>
#include <string.h>

#define WHEN "2026-11-22T14:31:49.123Z"

static const struct row {
    const char *text;
    int type; /* of struct ledger_line; -1: none */
    size_t len;
} rows[] = {
    {WHEN " endpoint quotes connect 1", LEDGER_SPENT, 0},
    {WHEN " uid 1000 feed.example send 16", LEDGER_SPENT, 0},
    {WHEN " uid 1000 * send 18446744073709551615", LEDGER_SPENT, 0},
    {WHEN " unknown", LEDGER_UNKNOWN, 0},
    {WHEN " a send 0", LEDGER_SPENT, 0},
    {"#", LEDGER_COMMENT, 0},
    {"# \0 and more", LEDGER_COMMENT, 12},
    {"1970-01-01T00:00:00.000Z unknown", LEDGER_UNKNOWN, 0},
    {"9999-12-31T23:59:59.999Z unknown", LEDGER_UNKNOWN, 0},
    {"2024-02-29T00:00:00.000Z unknown", LEDGER_UNKNOWN, 0},

    {"", -1, 0},
    {" ", -1, 0},
    {WHEN, -1, 0},
    {WHEN " ", -1, 0},
    {WHEN " unknow", -1, 0},
    {WHEN " unknown ", -1, 0},
    {WHEN "  unknown", -1, 0},
    {WHEN "\tunknown", -1, 0},
    {" " WHEN " unknown", -1, 0},
    {WHEN " unknown\0", -1, sizeof(WHEN " unknown")},
    {WHEN " endpoint quotes connect", -1, 0},
    {WHEN " endpoint quotes connect ", -1, 0},
    {WHEN " endpoint quotes connect 1 ", -1, 0},
    {WHEN " endpoint quotes connect  1", -1, 0},
    {WHEN " endpoint quotes connect 01", -1, 0},
    {WHEN " endpoint quotes connect +1", -1, 0},
    {WHEN " endpoint quotes connect -1", -1, 0},
    {WHEN " endpoint quotes connect 1x", -1, 0},
    {WHEN " endpoint quotes connect 18446744073709551616", -1, 0},
    {WHEN " endpoint quotes connect 99999999999999999999999999", -1, 0},
    {WHEN " endpoint quotes connec 1", -1, 0},
    {WHEN " endpoint quotes Connect 1", -1, 0},
    {WHEN " connect 1", -1, 0},
    {WHEN "  connect 1", -1, 0},
    {WHEN " endpoint  quotes connect 1", -1, 0},
    {WHEN "  endpoint quotes connect 1", -1, 0},
    {WHEN " endpoint quotes  connect 1", -1, 0},
    {WHEN " endpoint qu\0tes connect 1", -1, sizeof(WHEN " endpoint quotes connect 1") - 1},
    {WHEN " endpoint qu\x7ftes connect 1", -1, 0},
    {WHEN " endpoint qu\xc3\xb6tes connect 1", -1, 0},
    {"1969-12-31T23:59:59.999Z unknown", -1, 0},
    {"10000-01-01T00:00:00.000Z unknown", -1, 0},
    {"0000-00-00T00:00:00.000Z unknown", -1, 0},
    {"2023-02-29T00:00:00.000Z unknown", -1, 0},
    {"2026-13-01T00:00:00.000Z unknown", -1, 0},
    {"2026-11-22T24:00:00.000Z unknown", -1, 0},
    {"2026-11-22T23:59:60.000Z unknown", -1, 0},
    {"2026-11-22T14:31:49,123Z unknown", -1, 0},
    {"2026-11-22 14:31:49.123Z unknown", -1, 0},
    {"2026-11-22T14:31:49.123z unknown", -1, 0},
};

/* Loop test; what is a line is written as it was read. */
START_TEST(lines)
{
    const struct row *row = &rows[_i];
    struct wsp_view text = {(const uint8_t *)row->text,
                            row->len > 0 ? row->len : strlen(row->text)};
    struct ledger_line line = {.count = 77};
    char again[LEDGER_LINE_LEN];

    if (row->type < 0) {
        ck_assert_int_gt(ledger_line_parse(text, &line), 0);
        ck_assert_uint_eq(line.count, 77);
        return;
    }
    ck_assert_int_eq(ledger_line_parse(text, &line), 0);
    ck_assert_int_eq((int)line.type, row->type);
    if (line.type == LEDGER_COMMENT)
        return;
    ck_assert_uint_eq(ledger_line_format(&line, again), text.len + 1);
    ck_assert_mem_eq(again, text.data, text.len);
}
END_TEST

/* The longest owner, and one byte more; the longest line of all is shorter than a line may be. */
START_TEST(owners_have_a_bound)
{
    char text[2 * LEDGER_LINE_LEN], owner[LEDGER_OWNER_LEN + 1];
    struct ledger_line line;

    for (size_t len = LEDGER_OWNER_LEN - 1; len <= LEDGER_OWNER_LEN; len++) {
        memset(owner, 'x', len);
        owner[len] = '\0';
        snprintf(text, sizeof(text), WHEN " %s connect 18446744073709551615", owner);
        ck_assert_int_eq(ledger_line_parse(wsp_view_of_string(text), &line) == 0,
                         len < LEDGER_OWNER_LEN);
    }
    ck_assert_uint_lt(strlen(text), LEDGER_LINE_LEN);
}
END_TEST

/* A clock beyond all lines is written as the last second that there is. */
START_TEST(times_have_a_bound)
{
    struct ledger_line line = {.type = LEDGER_UNKNOWN, .wall_ms = UINT64_C(253402300800000)};
    char text[LEDGER_LINE_LEN];

    ledger_line_format(&line, text);
    ck_assert_str_eq(text, "9999-12-31T23:59:59.000Z unknown\n");
    line.wall_ms = INT64_MAX;
    ledger_line_format(&line, text);
    ck_assert_str_eq(text, "9999-12-31T23:59:59.807Z unknown\n");
}
END_TEST

static const struct head_row {
    const char *text;
    bool is_head;
    size_t len;
} heads[] = {
    {"wsplex-ledger 1 7f0c5b3e-9f4e-4a0b-8a6e-3c1d6c2a9d11 1763790000000", true, 0},
    {"wsplex-ledger 1 0 0", true, 0},
    {"wsplex-ledger 1 0 250000000000000", true, 0},
    {"wsplex-ledger 2 whatever comes", true, 0},
    {"wsplex-ledger 18446744073709551615", true, 0},
    {"wsplex-ledger 1 0 250000000000001", false, 0},
    {"wsplex-ledger 1 0 18446744073709551615", false, 0},
    {"wsplex-ledger 1 0 18446744073709551616", false, 0},
    {"wsplex-ledger 18446744073709551616", false, 0},
    {"wsplex-ledger 1 0 -1", false, 0},
    {"wsplex-ledger 1 0 01", false, 0},
    {"wsplex-ledger 01 0 1", false, 0},
    {"wsplex-ledger 1 0", false, 0},
    {"wsplex-ledger 1", false, 0},
    {"wsplex-ledger 1 ", false, 0},
    {"wsplex-ledger 1  1", false, 0},
    {"wsplex-ledger 1 0 1 1", false, 0},
    {"wsplex-ledger 1 0 1 ", false, 0},
    {"wsplex-ledger 1 g 1", false, 0},
    {"wsplex-ledger 1 0 1\0", false, sizeof("wsplex-ledger 1 0 1")},
    {"wsplex-ledger 1 0000000000000000000000000000000000000 1", false, 0},
    {"wsplex-ledger 1 000000000000000000000000000000000000 1", true, 0},
    {"wsplex-ledger ", false, 0},
    {"wsplex-ledger", false, 0},
    {"Wsplex-ledger 1 0 1", false, 0},
    {"", false, 0},
};

START_TEST(first_lines)
{
    const struct head_row *row = &heads[_i];
    struct wsp_view text = {(const uint8_t *)row->text,
                            row->len > 0 ? row->len : strlen(row->text)};
    struct ledger_head head;
    char again[LEDGER_LINE_LEN];

    ck_assert_int_eq(ledger_head_parse(text, &head) == 0, row->is_head);
    if (!row->is_head || head.version != LEDGER_VERSION)
        return;
    ck_assert_uint_eq(ledger_head_format(&head, again), text.len + 1);
    ck_assert_mem_eq(again, text.data, text.len);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ledger_line");
    TCase *text = unit_case(suite, "text");

    tcase_add_loop_test(text, lines, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(text, owners_have_a_bound);
    tcase_add_test(text, times_have_a_bound);
    tcase_add_loop_test(text, first_lines, 0, (int)(sizeof(heads) / sizeof(heads[0])));
    return suite;
}
