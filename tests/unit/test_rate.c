/*
 * test_rate: the contract of daemon/rate.h: the ways in which people write a rate, and what is none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/rate.h"
#include "tests/harness/unit.h"

#define NOUNS "message|messages"

static const struct wording {
    const char *text;
    uint64_t count, period_ms;
    const char *written;
} wordings[] = {
    {"5 messages per second", 5, 1000, "5 per s"},
    {"1 message per second", 1, 1000, "1 per s"},
    {"300 per 5 minutes", 300, 300000, "300 per 5min"},
    {"300 per 5min", 300, 300000, "300 per 5min"},
    {"300per5min", 300, 300000, "300 per 5min"},
    {"1000 per day", 1000, 86400000, "1000 per day"},
    {"1000/day", 1000, 86400000, "1000 per day"},
    {"5/s", 5, 1000, "5 per s"},
    {"5 / s", 5, 1000, "5 per s"},
    {"  5  messages  /  2  sec  ", 5, 2000, "5 per 2s"},
    {"12 per 1500ms", 12, 1500, "12 per 1500ms"},
    {"7 per 100 milliseconds", 7, 100, "7 per 100ms"},
    {"9 per h", 9, 3600000, "9 per h"},
    {"9 per 24 hours", 9, 86400000, "9 per day"},
    {"9 per 60 seconds", 9, 60000, "9 per min"},
    {"9 per minute", 9, 60000, "9 per min"},
    {"2 per 2d", 2, 172800000, "2 per 2day"},
    {"3 per week", 3, 604800000, "3 per week"},
    {"3 per 2 weeks", 3, 1209600000, "3 per 2week"},
    {"1 per 100ms", 1, RATE_MIN_PERIOD_MS, "1 per 100ms"},
    {"1 per 2678400000ms", 1, RATE_MAX_PERIOD_MS, "1 per 31day"},
    {"1000000000 per 31 days", 1000000000, RATE_MAX_PERIOD_MS, "1000000000 per 31day"},
};

START_TEST(wordings_are_understood)
{
    const struct wording *wording = &wordings[_i];
    struct rate rate = {0}, again = {0};
    char text[RATE_TEXT_LEN];

    ck_assert_int_eq(rate_parse(wsp_view_of_string(wording->text), NOUNS, &rate), 0);
    ck_assert_uint_eq(rate.count, wording->count);
    ck_assert_uint_eq(rate.period_ms, wording->period_ms);
    rate_format(rate, text);
    ck_assert_str_eq(text, wording->written);
    ck_assert_int_eq(rate_parse(wsp_view_of_string(text), "", &again), 0);
    ck_assert_uint_eq(again.count, rate.count);
    ck_assert_uint_eq(again.period_ms, rate.period_ms);
}
END_TEST

static const struct flaw {
    const char *text;
    int problem;
    size_t len; /* 0: of the text */
} flaws[] = {
    {"", RATE_NOT_UNDERSTOOD, 0},
    {" ", RATE_NOT_UNDERSTOOD, 0},
    {"5", RATE_NOT_UNDERSTOOD, 0},
    {"5 messages", RATE_NOT_UNDERSTOOD, 0},
    {"five per second", RATE_NOT_UNDERSTOOD, 0},
    {"per second", RATE_NOT_UNDERSTOOD, 0},
    {"5 per", RATE_NOT_UNDERSTOOD, 0},
    {"5 per 3", RATE_NOT_UNDERSTOOD, 0},
    {"5 per fortnight", RATE_NOT_UNDERSTOOD, 0},
    {"5 per month", RATE_NOT_UNDERSTOOD, 0},
    {"5 per secondly", RATE_NOT_UNDERSTOOD, 0},
    {"5 per s and more", RATE_NOT_UNDERSTOOD, 0},
    {"5.5 per second", RATE_NOT_UNDERSTOOD, 0},
    {"-5 per second", RATE_NOT_UNDERSTOOD, 0},
    {"5 per -1s", RATE_NOT_UNDERSTOOD, 0},
    {"5//s", RATE_NOT_UNDERSTOOD, 0},
    {"5 per per s", RATE_NOT_UNDERSTOOD, 0},
    {"5 per s\n", RATE_NOT_UNDERSTOOD, 0},
    {"5 PER S", RATE_NOT_UNDERSTOOD, 0},
    {"5 connections per second", RATE_OTHER_NOUN, 0},
    {"5 mess per second", RATE_OTHER_NOUN, 0},
    {"5 messages| per second", RATE_NOT_UNDERSTOOD, 0},
    {"0 per second", RATE_BAD_COUNT, 0},
    {"1000000001 per second", RATE_BAD_COUNT, 0},
    {"99999999999999999999999999 per second", RATE_BAD_COUNT, 0},
    {"18446744073709551621 per second", RATE_BAD_COUNT, 0},
    {"5 per 99 ms", RATE_BAD_PERIOD, 0},
    {"5 per 0 s", RATE_BAD_PERIOD, 0},
    {"5 per 32 days", RATE_BAD_PERIOD, 0},
    {"5 per 18446744073709551617 weeks", RATE_BAD_PERIOD, 0},
    {"5 per s\0", RATE_NOT_UNDERSTOOD, sizeof("5 per s")},
    {"5\0 per s", RATE_NOT_UNDERSTOOD, sizeof("5  per s") - 1},
    {"5 \xc2\xa0per s", RATE_NOT_UNDERSTOOD, 0},
    {"\xd9\xa5 per s", RATE_NOT_UNDERSTOOD, 0},
    {"1 per 2678400001ms", RATE_BAD_PERIOD, 0},
    {"1 per 18446744073709551616ms", RATE_BAD_PERIOD, 0},
    {"1 per 30500568904944w", RATE_BAD_PERIOD, 0},
};

START_TEST(flaws_are_told_apart)
{
    struct rate rate = {7, 7};
    struct wsp_view text = wsp_view_of_string(flaws[_i].text);

    if (flaws[_i].len > 0)
        text.len = flaws[_i].len;
    ck_assert_int_eq(rate_parse(text, NOUNS, &rate), flaws[_i].problem);
    ck_assert_uint_eq(rate.count, 7);
    ck_assert_uint_eq(rate.period_ms, 7);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("rate");
    TCase *rates = unit_case(suite, "rates");

    tcase_add_loop_test(rates, wordings_are_understood, 0, N_OF(wordings));
    tcase_add_loop_test(rates, flaws_are_told_apart, 0, N_OF(flaws));
    return suite;
}
