/*
 * test_backoff: the bounds of the delays, and that each delay within them is as likely as any other.
 *
 * Between the test and daemon/backoff.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/backoff.h"
#include "tests/harness/unit.h"

static uint64_t next(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms, uint64_t random)
{
    return backoff_next_ms(backoff, min_ms, max_ms, random);
}

static const struct {
    uint64_t min_ms, max_ms;
    uint64_t bounds[8];
} series[] = {
    {1000, 60000, {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}},
    {1000, 1000, {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}},
    {1, 5, {1, 2, 4, 5, 5, 5, 5, 5}},
    {0, 3, {1, 2, 3, 3, 3, 3, 3, 3}},
    {3, 7, {3, 6, 7, 7, 7, 7, 7, 7}},
    {1, UINT64_MAX / 2, {1, 2, 4, 8, 16, 32, 64, 128}},
    {UINT64_MAX / 2,
     UINT64_MAX - 1,
     {UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1,
      UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1}},
};

START_TEST(the_bound_doubles_up_to_the_greatest)
{
    struct backoff backoff = {0};

    for (size_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(backoff_bound_ms(&backoff, series[_i].min_ms, series[_i].max_ms),
                          series[_i].bounds[i]);
        next(&backoff, series[_i].min_ms, series[_i].max_ms, 0);
    }
}
END_TEST

START_TEST(a_delay_is_anything_from_nothing_to_the_bound)
{
    struct backoff backoff;

    for (uint64_t random = 0; random <= 8; random++) {
        backoff = (struct backoff){.n_delays = 2};
        ck_assert_uint_eq(next(&backoff, 2, 1000, random), random);
    }
    backoff = (struct backoff){.n_delays = 2};
    ck_assert_uint_eq(next(&backoff, 2, 1000, 9), 0);
    for (uint64_t i = 0; i < 64; i++) {
        backoff = (struct backoff){.n_delays = 20};
        ck_assert_uint_le(next(&backoff, 1000, 60000, UINT64_MAX >> i), 60000);
    }
}
END_TEST

START_TEST(a_long_series_stays_at_the_greatest)
{
    struct backoff backoff = {0};

    for (int i = 0; i < 100000; i++)
        ck_assert_uint_le(next(&backoff, 1, 60000, UINT64_MAX - (uint64_t)i), 60000);
    backoff.n_delays = UINT32_MAX;
    ck_assert_uint_eq(backoff_bound_ms(&backoff, 1, 60000), 60000);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("backoff");
    TCase *delays = unit_case(suite, "delays");

    tcase_add_loop_test(delays, the_bound_doubles_up_to_the_greatest, 0, N_OF(series));
    tcase_add_test(delays, a_delay_is_anything_from_nothing_to_the_bound);
    tcase_add_test(delays, a_long_series_stays_at_the_greatest);
    return suite;
}
