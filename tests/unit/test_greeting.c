/*
 * test_greeting: what a new connection is told first, and at what pace, as daemon/greeting.h and daemon/pace.h have it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/greeting.h"
#include "tests/harness/allocation.h"
#include "tests/harness/fake_clock.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdint.h>

enum { INTERVAL = 250 };

static struct fake_clock fake;
static struct pace pace;
static struct greeting greeting;
static unsigned n_over;
static char login[] = "login", subscribe_a[] = "subscribe a", subscribe_b[] = "subscribe b";
static char *texts[] = {login, subscribe_a, subscribe_b};
static const struct strings messages = {texts, 3};
static const struct strings no_messages;

static void count_over(void *owner)
{
    ck_assert_ptr_eq(owner, &pace);
    n_over++;
}

static void setup_with(uint64_t interval_ms)
{
    fake_clock_init(&fake, NULL);
    n_over = 0;
    ck_assert_int_eq(pace_init(&pace, &fake.clock, interval_ms, count_over, &pace), 0);
    greeting_init(&greeting, &messages, &pace);
}

static void teardown(void)
{
    pace_deinit(&pace);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
}

static void says(const char *text)
{
    ck_assert_str_eq(greeting_next(&greeting), text);
    greeting_said(&greeting);
}

START_TEST(nothing_is_said_before_a_connection_is_open)
{
    setup_with(0);
    ck_assert_ptr_null(greeting_next(&greeting));
    ck_assert(!greeting_is_through(&greeting));
    teardown();
}
END_TEST

START_TEST(without_a_pace_all_goes_at_once)
{
    setup_with(0);
    greeting_begin(&greeting);
    says("login");
    says("subscribe a");
    ck_assert(!greeting_is_through(&greeting));
    says("subscribe b");
    ck_assert(greeting_is_through(&greeting));
    ck_assert_ptr_null(greeting_next(&greeting));
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    teardown();
}
END_TEST

START_TEST(with_a_pace_one_by_one)
{
    setup_with(INTERVAL);
    greeting_begin(&greeting);
    says("login");
    ck_assert_ptr_null(greeting_next(&greeting));
    fake_clock_advance(&fake, INTERVAL - 1);
    ck_assert_ptr_null(greeting_next(&greeting));
    ck_assert_uint_eq(n_over, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_over, 1);
    says("subscribe a");
    fake_clock_advance(&fake, INTERVAL);
    says("subscribe b");
    ck_assert(greeting_is_through(&greeting));
    /* What comes behind the greeting keeps to the pace as well. */
    ck_assert(!pace_is_free(&pace));
    fake_clock_advance(&fake, INTERVAL);
    ck_assert(pace_is_free(&pace));
    ck_assert_uint_eq(n_over, 3);
    teardown();
}
END_TEST

START_TEST(each_connection_is_greeted_from_the_beginning)
{
    setup_with(INTERVAL);
    greeting_begin(&greeting);
    says("login");
    greeting_end(&greeting);
    pace_forget(&pace);
    ck_assert_ptr_null(greeting_next(&greeting));
    fake_clock_advance(&fake, 10 * INTERVAL);
    ck_assert_uint_eq(n_over, 0);
    greeting_begin(&greeting);
    says("login");
    fake_clock_advance(&fake, INTERVAL);
    says("subscribe a");
    teardown();
}
END_TEST

START_TEST(no_greeting_is_through_from_the_beginning)
{
    setup_with(INTERVAL);
    greeting_init(&greeting, &no_messages, &pace);
    ck_assert(greeting_is_through(&greeting));
    greeting_begin(&greeting);
    ck_assert(greeting_is_through(&greeting));
    ck_assert_ptr_null(greeting_next(&greeting));
    teardown();
}
END_TEST

START_TEST(no_memory)
{
    fake_clock_init(&fake, NULL);
    allocation_fail_after(0);
    ck_assert_int_eq(pace_init(&pace, &fake.clock, INTERVAL, count_over, &pace), -ENOMEM);
    ck_assert(allocation_disarm());
    teardown();
    pace = (struct pace){0};
    teardown();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("greeting");
    TCase *all = unit_case(suite, "greeting");

    tcase_add_test(all, nothing_is_said_before_a_connection_is_open);
    tcase_add_test(all, without_a_pace_all_goes_at_once);
    tcase_add_test(all, with_a_pace_one_by_one);
    tcase_add_test(all, each_connection_is_greeted_from_the_beginning);
    tcase_add_test(all, no_greeting_is_through_from_the_beginning);
    tcase_add_test(all, no_memory);
    return suite;
}
