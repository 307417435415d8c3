/*
 * test_spending: the contract of daemon/spending.h, against a list of all that was ever spent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/spending.h"
#include "tests/harness/allocation.h"
#include "tests/harness/unit.h"

#include <stdlib.h>

enum { MAX_SPENT = 200000, HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

static struct spending spending;

/* All of it, in order. */
static struct {
    uint64_t at_ms, n;
} spent[MAX_SPENT];
static size_t n_spent;

static void setup(void)
{
    ck_assert_int_eq(spending_init(&spending), 0);
    n_spent = 0;
}

static void teardown(void)
{
    spending_deinit(&spending);
}

static void add(uint64_t at_ms, uint64_t n, uint64_t keep_ms)
{
    spending_add(&spending, at_ms, n, keep_ms);
    spent[n_spent].at_ms = at_ms;
    spent[n_spent++].n = n;
}

/* What was really spent after that time. */
static uint64_t after(uint64_t since_ms)
{
    uint64_t n = 0;

    for (size_t i = n_spent; i > 0 && spent[i - 1].at_ms > since_ms; i--)
        n += spent[i - 1].n;
    return n;
}

START_TEST(nothing_was_spent)
{
    ck_assert_uint_eq(spending_after(&spending, 0), 0);
    ck_assert_uint_eq(spending_when(&spending, 0), 0);
    ck_assert_uint_eq(spending_last(&spending), 0);
    spending_thin(&spending, DAY_MS, HOUR_MS, SPENDING_GRAIN);
    ck_assert_uint_eq(spending_after(&spending, 0), 0);
}
END_TEST

START_TEST(few_are_told_exactly)
{
    for (uint64_t i = 1; i <= 7; i++)
        add(i * 1000, i, DAY_MS);
    for (uint64_t since = 0; since <= 8000; since += 500)
        ck_assert_uint_eq(spending_after(&spending, since), after(since));
    ck_assert_uint_eq(spending_last(&spending), 7000);
    /* After 7000 nothing, after 6000 seven, after 5000 thirteen. */
    ck_assert_uint_eq(spending_when(&spending, 0), 7000);
    ck_assert_uint_eq(spending_when(&spending, 6), 7000);
    ck_assert_uint_eq(spending_when(&spending, 7), 6000);
    ck_assert_uint_eq(spending_when(&spending, 12), 6000);
    ck_assert_uint_eq(spending_when(&spending, 13), 5000);
    ck_assert_uint_eq(spending_when(&spending, 27), 1000);
    ck_assert_uint_eq(spending_when(&spending, 28), 0);
}
END_TEST

START_TEST(the_past_is_not_changed)
{
    add(5000, 1, DAY_MS);
    spending_add(&spending, 3000, 2, DAY_MS);
    ck_assert_uint_eq(spending_after(&spending, 4999), 3);
    ck_assert_uint_eq(spending_after(&spending, 5000), 0);
}
END_TEST

START_TEST(what_is_too_old_goes)
{
    for (uint64_t i = 1; i <= 100; i++)
        add(i * 1000, 1, DAY_MS);
    spending_thin(&spending, 100000, 10000, SPENDING_GRAIN);
    ck_assert_uint_eq(spending_after(&spending, 90000), 10);
    ck_assert_uint_le(spending.n_steps, 10);
    spending_thin(&spending, 200000, 10000, SPENDING_GRAIN);
    ck_assert_uint_eq(spending.n_steps, 0);
    ck_assert_uint_eq(spending_after(&spending, 0), 0);
    add(300000, 4, DAY_MS);
    ck_assert_uint_eq(spending_after(&spending, 299999), 4);
}
END_TEST

static uint64_t random_below(uint64_t n)
{
    return (uint64_t)random() % n;
}

/* Whatever is asked for at a time: never less than what was spent, and never more than what was spent in a period that
 * is longer by its grain. */
static void check(uint64_t now_ms, uint64_t keep_ms)
{
    for (int i = 0; i < 40; i++) {
        uint64_t age = i < 20 ? random_below(keep_ms) : UINT64_C(1) << (i - 20);
        uint64_t grain = (age >> (SPENDING_GRAIN - 1)) + 1;
        uint64_t told;

        if (age > keep_ms || age + grain >= now_ms)
            continue;
        told = spending_after(&spending, now_ms - age);
        ck_assert_msg(told >= after(now_ms - age), "less than was spent in %ju ms", (uintmax_t)age);
        ck_assert_msg(told <= after(now_ms - age - grain), "more than was spent in %ju ms",
                      (uintmax_t)(age + grain));
    }
}

/* Loop test over seeds and paces: from some in each millisecond to some in a day. */
START_TEST(never_too_early_and_hardly_too_late)
{
    uint64_t now_ms = 100 * (uint64_t)DAY_MS;
    uint64_t longest = UINT64_C(1) << (2 * (_i % 13));

    srandom((unsigned)_i);
    for (int i = 0; i < 20000; i++) {
        bool is_lull = random_below(1000) == 0;

        now_ms += is_lull ? random_below(HOUR_MS) : random_below(longest + 1);
        add(now_ms, 1 + random_below(3), 31 * (uint64_t)DAY_MS);
        ck_assert_uint_le(spending.n_steps, 1024);
        if (i % 512 == 0)
            check(now_ms + random_below(1000), 31 * (uint64_t)DAY_MS);
    }
}
END_TEST

/* The two questions are one: after the time that is told no more than n were spent, and before it more. */
START_TEST(when_and_after_agree)
{
    uint64_t now_ms = DAY_MS;

    srandom((unsigned)_i);
    for (int i = 0; i < 3000; i++) {
        uint64_t n = random_below(200), when;

        now_ms += random_below(300);
        add(now_ms, 1 + random_below(5), HOUR_MS);
        when = spending_when(&spending, n);
        ck_assert_uint_le(spending_after(&spending, when), n);
        if (when > 0)
            ck_assert_uint_gt(spending_after(&spending, when - 1), n);
    }
}
END_TEST

START_TEST(no_memory_makes_it_coarser)
{
    uint64_t now_ms = DAY_MS;

    for (int i = 0; i < 1000; i++) {
        allocation_fail_after(0);
        now_ms += 1000;
        add(now_ms, 1, HOUR_MS);
        allocation_disarm();
        ck_assert_uint_ge(spending_after(&spending, now_ms - 60000), after(now_ms - 60000));
    }
    ck_assert_uint_eq(spending.capacity, 8);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("spending");
    TCase *steps = unit_case(suite, "steps");

    tcase_add_checked_fixture(steps, setup, teardown);
    tcase_set_timeout(steps, 60);
    tcase_add_test(steps, nothing_was_spent);
    tcase_add_test(steps, few_are_told_exactly);
    tcase_add_test(steps, the_past_is_not_changed);
    tcase_add_test(steps, what_is_too_old_goes);
    tcase_add_loop_test(steps, never_too_early_and_hardly_too_late, 0, 26);
    tcase_add_loop_test(steps, when_and_after_agree, 0, 8);
    tcase_add_test(steps, no_memory_makes_it_coarser);
    return suite;
}
