/*
 * date: HTTP's dates; see date.h.
 *
 * Under verdict.c. Invariant: a form is matched whole or not at all.
 *
 * The forms are written as patterns, a letter for what stands there:
 *
 *     a  letters, the short name of a weekday    A  the long one
 *     d  the day, two digits                     D  the same, or a blank and one digit
 *     b  the short name of a month               t  the time, 08:49:37
 *     Y  the year, four digits                   y  its last two digits
 *
 * and everything else for itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/date.h"

#include "proto/websocket/field.h"

#define DAY_S         86400
#define DAYS_PER_YEAR 365
/* More than so far in the future means the century before (section 5.6.7). */
#define MAX_FUTURE_YEARS 50

struct date {
    unsigned year, month, day; /* from 1 */
    unsigned hour, minute, second;
    bool is_short_year;
};

static const char *const forms[] = {
    "a, d b Y t GMT", /* Sun, 06 Nov 1994 08:49:37 GMT: IMF-fixdate */
    "A, d-b-y t GMT", /* Sunday, 06-Nov-94 08:49:37 GMT: RFC 850 */
    "a b D t Y",      /* Sun Nov  6 08:49:37 1994: asctime() */
};

/* -- the parts -- */

static bool take_number(struct wsp_view *text, size_t n_digits, unsigned *ret_number)
{
    struct wsp_view digits;
    uint64_t number;

    if (!wsp_view_take(text, n_digits, &digits) || !wsp_view_read_number(digits, &number))
        return false;
    *ret_number = (unsigned)number;
    return true;
}

static bool take_name(struct wsp_view *text, const char *const *names, unsigned n_names,
                      unsigned *ret_index)
{
    for (unsigned i = 0; i < n_names; i++) {
        if (wsp_view_take_literal(text, wsp_view_of_string(names[i]))) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool take_month(struct wsp_view *text, struct date *date)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    unsigned index;

    if (!take_name(text, names, 12, &index))
        return false;
    date->month = index + 1;
    return true;
}

static bool take_weekday(struct wsp_view *text, bool is_long)
{
    static const char *const short_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const long_names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                             "Friday", "Saturday", "Sunday"};
    unsigned index;

    return take_name(text, is_long ? long_names : short_names, 7, &index);
}

static bool take_time(struct wsp_view *text, struct date *date)
{
    return take_number(text, 2, &date->hour) &&
           wsp_view_take_literal(text, WSP_VIEW_LITERAL(":")) &&
           take_number(text, 2, &date->minute) &&
           wsp_view_take_literal(text, WSP_VIEW_LITERAL(":")) &&
           take_number(text, 2, &date->second);
}

static bool take_day(struct wsp_view *text, bool may_be_blank, struct date *date)
{
    if (may_be_blank && wsp_view_take_literal(text, WSP_VIEW_LITERAL(" ")))
        return take_number(text, 1, &date->day);
    return take_number(text, 2, &date->day);
}

static bool take_part(struct wsp_view *text, char part, struct date *date)
{
    char literal[] = {part, '\0'};

    switch (part) {
    case 'a':
    case 'A': return take_weekday(text, part == 'A');
    case 'd':
    case 'D': return take_day(text, part == 'D', date);
    case 'b': return take_month(text, date);
    case 't': return take_time(text, date);
    case 'y': date->is_short_year = true; return take_number(text, 2, &date->year);
    case 'Y': return take_number(text, 4, &date->year);
    default: return wsp_view_take_literal(text, wsp_view_of_string(literal));
    }
}

static bool take_form(struct wsp_view text, const char *form, struct date *ret_date)
{
    struct date date = {0};

    for (; *form != '\0'; form++) {
        if (!take_part(&text, *form, &date))
            return false;
    }
    *ret_date = date;
    return text.len == 0;
}

/* -- the calendar -- */

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_of_month(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* From the year 0 of the calendar that we have now, whose leap years go on into the past. */
static int64_t days_before_year(unsigned year)
{
    int64_t before = (int64_t)year - 1;

    return year == 0 ? 0
                     : (int64_t)year * DAYS_PER_YEAR + before / 4 - before / 100 + before / 400 + 1;
}

static int64_t seconds_of(const struct date *date)
{
    int64_t days = days_before_year(date->year) - days_before_year(1970) + date->day - 1;

    for (unsigned month = 1; month < date->month; month++)
        days += days_of_month(date->year, month);
    return days * DAY_S + date->hour * 3600 + date->minute * 60 + date->second;
}

/* 60 is a leap second. */
static bool is_possible(const struct date *date)
{
    return date->day >= 1 && date->day <= days_of_month(date->year, date->month) &&
           date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

/* From 1970 to 9999. */
static unsigned year_of(int64_t seconds)
{
    int64_t last = days_before_year(10000) - 1;
    int64_t days = (seconds < 0 ? 0 : seconds / DAY_S) + days_before_year(1970);
    unsigned year;

    if (days > last)
        days = last;
    year = (unsigned)(days / (DAYS_PER_YEAR + 1));
    while (days_before_year(year + 1) <= days)
        year++;
    return year;
}

/* The last year with these two digits that is not too far in the future. */
static unsigned whole_year(unsigned digits, int64_t now_s)
{
    unsigned latest = year_of(now_s) + MAX_FUTURE_YEARS;

    return latest - (latest - digits) % 100;
}

bool wsp_date_read(struct wsp_view text, int64_t now_s, int64_t *ret_s)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct date date;

        if (!take_form(text, forms[i], &date))
            continue;
        if (date.is_short_year)
            date.year = whole_year(date.year, now_s);
        if (!is_possible(&date))
            return false;
        *ret_s = seconds_of(&date);
        return true;
    }
    return false;
}
