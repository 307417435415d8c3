/*
 * test_race: RFC 8305 as daemon/race.h tells it, every row of its table. Addresses are told as "6a", "4b", ...
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/race.h"
#include "tests/harness/fake_clock.h"
#include "tests/harness/unit.h"

#include <string.h>

static struct fake_clock fake;
static struct race race;
static char attempts[200];
static int n_over;

static void note_attempt(void *owner, enum race_family family, unsigned index)
{
    size_t len = strlen(attempts);

    ck_assert_ptr_eq(owner, &race);
    ck_assert_uint_lt(len + 4, sizeof(attempts));
    if (len > 0)
        attempts[len++] = ' ';
    attempts[len++] = family == RACE_IPV6 ? '6' : '4';
    attempts[len++] = (char)('a' + (char)index);
    attempts[len] = '\0';
}

static void note_over(void *owner)
{
    ck_assert_ptr_eq(owner, &race);
    n_over++;
}

static void setup(void)
{
    fake_clock_init(&fake, NULL);
    attempts[0] = '\0';
    n_over = 0;
    ck_assert_int_eq(race_init(&race, &fake.clock, note_attempt, note_over, &race), 0);
}

static void teardown(void)
{
    race_deinit(&race);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
}

START_TEST(ipv6_goes_first_and_at_once)
{
    race_answer(&race, RACE_IPV6, 1);
    ck_assert_str_eq(attempts, "6a");
    race_answer(&race, RACE_IPV4, 1);
    ck_assert_str_eq(attempts, "6a");
}
END_TEST

START_TEST(families_take_turns_every_250_ms)
{
    race_answer(&race, RACE_IPV6, 3);
    race_answer(&race, RACE_IPV4, 2);
    fake_clock_advance(&fake, 249);
    ck_assert_str_eq(attempts, "6a");
    fake_clock_advance(&fake, 1);
    ck_assert_str_eq(attempts, "6a 4a");
    fake_clock_advance(&fake, 3 * 250);
    ck_assert_str_eq(attempts, "6a 4a 6b 4b 6c");
    fake_clock_advance(&fake, 10000);
    ck_assert_str_eq(attempts, "6a 4a 6b 4b 6c");
    ck_assert_int_eq(n_over, 0);
}
END_TEST

START_TEST(ipv4_waits_50_ms_for_ipv6)
{
    race_answer(&race, RACE_IPV4, 1);
    fake_clock_advance(&fake, 49);
    ck_assert_str_eq(attempts, "");
    fake_clock_advance(&fake, 1);
    ck_assert_str_eq(attempts, "4a");
}
END_TEST

START_TEST(ipv6_within_the_resolution_delay_is_preferred)
{
    race_answer(&race, RACE_IPV4, 1);
    fake_clock_advance(&fake, 30);
    race_answer(&race, RACE_IPV6, 1);
    ck_assert_str_eq(attempts, "6a");
    fake_clock_advance(&fake, 250);
    ck_assert_str_eq(attempts, "6a 4a");
}
END_TEST

START_TEST(no_ipv6_ends_the_resolution_delay)
{
    race_answer(&race, RACE_IPV4, 2);
    fake_clock_advance(&fake, 10);
    race_answer(&race, RACE_IPV6, 0);
    ck_assert_str_eq(attempts, "4a");
    fake_clock_advance(&fake, 250);
    ck_assert_str_eq(attempts, "4a 4b");
}
END_TEST

START_TEST(known_absence_of_ipv6_costs_no_delay)
{
    race_answer(&race, RACE_IPV6, 0);
    ck_assert_int_eq(n_over, 0);
    race_answer(&race, RACE_IPV4, 1);
    ck_assert_str_eq(attempts, "4a");
}
END_TEST

START_TEST(failure_brings_the_next_at_once_and_a_whole_delay_after_it)
{
    race_answer(&race, RACE_IPV6, 2);
    race_answer(&race, RACE_IPV4, 2);
    fake_clock_advance(&fake, 200);
    race_failed(&race);
    ck_assert_str_eq(attempts, "6a 4a");
    fake_clock_advance(&fake, 249);
    ck_assert_str_eq(attempts, "6a 4a");
    fake_clock_advance(&fake, 1);
    ck_assert_str_eq(attempts, "6a 4a 6b");
}
END_TEST

START_TEST(late_ipv4_is_tried_when_its_time_has_come)
{
    race_answer(&race, RACE_IPV6, 1);
    fake_clock_advance(&fake, 100);
    race_answer(&race, RACE_IPV4, 1);
    ck_assert_str_eq(attempts, "6a");
    fake_clock_advance(&fake, 150);
    ck_assert_str_eq(attempts, "6a 4a");
}
END_TEST

START_TEST(very_late_ipv4_is_tried_at_once)
{
    race_answer(&race, RACE_IPV6, 1);
    fake_clock_advance(&fake, 400);
    race_answer(&race, RACE_IPV4, 1);
    ck_assert_str_eq(attempts, "6a 4a");
}
END_TEST

START_TEST(late_ipv6_takes_its_turn)
{
    race_answer(&race, RACE_IPV4, 3);
    fake_clock_advance(&fake, 50 + 250);
    ck_assert_str_eq(attempts, "4a 4b");
    race_answer(&race, RACE_IPV6, 1);
    fake_clock_advance(&fake, 250);
    ck_assert_str_eq(attempts, "4a 4b 6a");
}
END_TEST

START_TEST(all_failed_is_told_once)
{
    race_answer(&race, RACE_IPV6, 1);
    race_answer(&race, RACE_IPV4, 1);
    race_failed(&race);
    ck_assert_int_eq(n_over, 0);
    race_failed(&race);
    ck_assert_str_eq(attempts, "6a 4a");
    ck_assert_int_eq(n_over, 1);
    fake_clock_advance(&fake, 10000);
    ck_assert_int_eq(n_over, 1);
}
END_TEST

START_TEST(failure_of_one_family_waits_for_the_answer_of_the_other)
{
    race_answer(&race, RACE_IPV6, 1);
    race_failed(&race);
    ck_assert_int_eq(n_over, 0);
    fake_clock_advance(&fake, 1000);
    race_answer(&race, RACE_IPV4, 1);
    ck_assert_str_eq(attempts, "6a 4a");
    race_failed(&race);
    ck_assert_int_eq(n_over, 1);
}
END_TEST

START_TEST(no_address_at_all_is_over)
{
    race_answer(&race, RACE_IPV4, 0);
    ck_assert_int_eq(n_over, 0);
    race_answer(&race, RACE_IPV6, 0);
    ck_assert_int_eq(n_over, 1);
    ck_assert_str_eq(attempts, "");
}
END_TEST

START_TEST(running_attempts_keep_it_from_being_over)
{
    race_answer(&race, RACE_IPV6, 1);
    race_answer(&race, RACE_IPV4, 1);
    fake_clock_advance(&fake, 250);
    race_failed(&race);
    ck_assert_int_eq(n_over, 0);
    race_failed(&race);
    ck_assert_int_eq(n_over, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("race");
    TCase *tcase = unit_case(suite, "RFC 8305");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, ipv6_goes_first_and_at_once);
    tcase_add_test(tcase, families_take_turns_every_250_ms);
    tcase_add_test(tcase, ipv4_waits_50_ms_for_ipv6);
    tcase_add_test(tcase, ipv6_within_the_resolution_delay_is_preferred);
    tcase_add_test(tcase, no_ipv6_ends_the_resolution_delay);
    tcase_add_test(tcase, known_absence_of_ipv6_costs_no_delay);
    tcase_add_test(tcase, failure_brings_the_next_at_once_and_a_whole_delay_after_it);
    tcase_add_test(tcase, late_ipv4_is_tried_when_its_time_has_come);
    tcase_add_test(tcase, very_late_ipv4_is_tried_at_once);
    tcase_add_test(tcase, late_ipv6_takes_its_turn);
    tcase_add_test(tcase, all_failed_is_told_once);
    tcase_add_test(tcase, failure_of_one_family_waits_for_the_answer_of_the_other);
    tcase_add_test(tcase, no_address_at_all_is_over);
    tcase_add_test(tcase, running_attempts_keep_it_from_being_over);
    return suite;
}
