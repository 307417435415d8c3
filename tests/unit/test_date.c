/*
 * test_date: HTTP's dates against RFC 9110, section 5.6.7, and against the C library's calendar.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/date.h"
#include "tests/harness/unit.h"

#include <string.h>
#include <time.h>

/* 2026-11-22 12:00:00 */
#define NOW INT64_C(1795348800)

static const struct {
    const char *text;
    int64_t seconds; /* -1: no date */
} rows[] = {
    /* the standard's examples */
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    /* edges */
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Thu, 31 Dec 1998 23:59:60 GMT", 915148800},
    {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
    {"Sun Nov 16 08:49:37 1994", 784975777},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
    /* two digits: up to 50 years ahead of now */
    {"Sunday, 22-Nov-26 12:00:00 GMT", NOW},
    {"Friday, 01-Jan-76 00:00:00 GMT", 3345062400},
    {"Saturday, 01-Jan-77 00:00:00 GMT", 220924800},
    {"Saturday, 01-Jan-00 00:00:00 GMT", 946684800},
    /* the weekday is not compared */
    {"Mon, 06 Nov 1994 08:49:37 GMT", 784111777},
    /* no dates */
    {"", -1},
    {"soon", -1},
    {"Sun, 06 Nov 1994 08:49:37", -1},
    {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", -1},
    {" Sun, 06 Nov 1994 08:49:37 GMT", -1},
    {"sun, 06 nov 1994 08:49:37 gmt", -1},
    {"Sun, 6 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Nov 94 08:49:37 GMT", -1},
    {"Sun, 06-Nov-1994 08:49:37 GMT", -1},
    {"Xyz, 06 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 06 Xyz 1994 08:49:37 GMT", -1},
    {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
    {"Sun, 31 Nov 1994 08:49:37 GMT", -1},
    {"Thu, 29 Feb 1900 08:49:37 GMT", -1},
    {"Sun, 29 Feb 2026 08:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
    {"Sun, 06 Nov 1994 08:60:00 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:61 GMT", -1},
    {"Sun, 06 Nov 1994 8:49:37 GMT", -1},
    {"Sun, 06 Nov 1994 08.49.37 GMT", -1},
    {"Sun, 06 Nov +994 08:49:37 GMT", -1},
    {"Sun Nov 6 08:49:37 1994", -1},
    {"Sun Nov  6 08:49:37 1994 GMT", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMTX", -1},
};

START_TEST(date_is_read)
{
    int64_t seconds = -1;

    ck_assert_int_eq(wsp_date_read(wsp_view_of_string(rows[_i].text), NOW, &seconds),
                     rows[_i].seconds >= 0);
    ck_assert_int_eq(seconds, rows[_i].seconds);
    for (size_t len = 0; rows[_i].seconds >= 0 && len < strlen(rows[_i].text); len++)
        ck_assert(
            !wsp_date_read((struct wsp_view){(const uint8_t *)rows[_i].text, len}, NOW, &seconds));
}
END_TEST

/* Days from 1600 to 3000 in steps that meet each month and each kind of year. */
START_TEST(calendar_is_the_librarys)
{
    for (int64_t expected = INT64_C(-11676096000); expected < INT64_C(32503680000);
         expected += 86400 * 13 + 3607) {
        time_t time = (time_t)expected;
        struct tm parts;
        char text[64];
        int64_t seconds = 1;

        ck_assert_ptr_nonnull(gmtime_r(&time, &parts));
        ck_assert_uint_gt(strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts), 0);
        ck_assert_msg(wsp_date_read(wsp_view_of_string(text), NOW, &seconds), "%s", text);
        ck_assert_msg(seconds == expected, "%s", text);
        strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &parts);
        ck_assert_msg(wsp_date_read(wsp_view_of_string(text), NOW, &seconds), "%s", text);
        ck_assert_msg(seconds == expected, "%s", text);
    }
}
END_TEST

/* Whatever our own clock says: a year with these two digits, at most 50 ahead. */
START_TEST(century_is_the_clocks)
{
    static const struct {
        int64_t now_s;
        int64_t seconds; /* of 1 January of a year 70 */
    } clocks[] = {
        {INT64_MIN, 0},
        {-1, 0},
        {0, 0},
        {1577836799, 0},
        {1577836800, 3155760000},
        {4102444800, 3155760000},
        {INT64_MAX, 252455616000},
    };

    for (int i = 0; i < N_OF(clocks); i++) {
        int64_t seconds;

        ck_assert(wsp_date_read(wsp_view_of_string("Friday, 01-Jan-70 00:00:00 GMT"),
                                clocks[i].now_s, &seconds));
        ck_assert_int_eq(seconds, clocks[i].seconds);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("date");
    TCase *forms = unit_case(suite, "forms");

    tcase_add_loop_test(forms, date_is_read, 0, N_OF(rows));
    tcase_add_test(forms, calendar_is_the_librarys);
    tcase_add_test(forms, century_is_the_clocks);
    return suite;
}
