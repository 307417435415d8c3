/*
 * test_heartbeat: beats, answers and requests of the server, every row of the table in daemon/heartbeat.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/heartbeat.h"
#include "daemon/limits.h"
#include "proto/local/errors.h"
#include "tests/harness/allocation.h"
#include "tests/harness/fake_clock.h"
#include "tests/harness/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { INTERVAL = 20000, TIMEOUT = 5000 };

static struct fake_clock fake;
static struct heartbeat heartbeat;
static unsigned n_wakes, n_lost;
static uint64_t n_taken, n_arriving;
static struct failure failure;
static struct heartbeat_settings settings;

static void note_wake(void *owner)
{
    ck_assert_ptr_eq(owner, &heartbeat);
    n_wakes++;
}

static void note_lost(void *owner, const struct failure *why)
{
    ck_assert_ptr_eq(owner, &heartbeat);
    failure = *why;
    n_lost++;
}

static uint64_t tell_taken(void *owner)
{
    ck_assert_ptr_eq(owner, &heartbeat);
    return n_taken;
}

static uint64_t tell_arriving(void *owner)
{
    ck_assert_ptr_eq(owner, &heartbeat);
    return n_arriving;
}

static void setup_with(const char *text, const char *answer)
{
    fake_clock_init(&fake, NULL);
    n_wakes = n_lost = 0;
    n_taken = n_arriving = 0;
    settings = (struct heartbeat_settings){.text = (char *)(uintptr_t)text,
                                           .answer = (char *)(uintptr_t)answer,
                                           .interval_ms = INTERVAL,
                                           .timeout_ms = TIMEOUT};
    ck_assert_int_eq(heartbeat_init(&heartbeat, &fake.clock, &settings, note_wake, note_lost,
                                    tell_taken, tell_arriving, &heartbeat),
                     0);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    heartbeat_open(&heartbeat);
    heartbeat_start(&heartbeat);
}

static void setup(void)
{
    setup_with("ping", "/type=pong");
}

static void teardown(void)
{
    heartbeat_deinit(&heartbeat);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
}

static void is_due(void)
{
    ck_assert_str_eq(heartbeat_next(&heartbeat), "ping");
}

static void is_written(void)
{
    is_due();
    heartbeat_said(&heartbeat);
    ck_assert_ptr_null(heartbeat_next(&heartbeat));
    heartbeat_written(&heartbeat);
}

static int hears(const char *text)
{
    return heartbeat_heard(&heartbeat, false, wsp_view_of_string(text));
}

#define PONG "{\"type\":\"pong\"}"

START_TEST(it_beats_whether_the_server_is_silent_or_not)
{
    for (unsigned i = 1; i <= 5; i++) {
        fake_clock_advance(&fake, INTERVAL - 1);
        ck_assert_ptr_null(heartbeat_next(&heartbeat));
        ck_assert_int_eq(hears("news"), 0);
        fake_clock_advance(&fake, 1);
        ck_assert_uint_eq(n_wakes, i);
        is_written();
        ck_assert_int_eq(hears(PONG), 1);
    }
    ck_assert_uint_eq(n_lost, 0);
}
END_TEST

START_TEST(the_interval_is_counted_from_the_beat_not_from_the_answer)
{
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    fake_clock_advance(&fake, TIMEOUT - 1);
    ck_assert_int_eq(hears(PONG), 1);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), INTERVAL - TIMEOUT + 1);
}
END_TEST

START_TEST(only_as_many_answers_are_kept_as_were_asked_for)
{
    ck_assert_int_eq(hears(PONG), 0);
    fake_clock_advance(&fake, INTERVAL);
    /* A program's own, which comes before ours has gone. */
    ck_assert_int_eq(hears(PONG), 0);
    is_written();
    ck_assert_int_eq(hears("ping"), 0);
    ck_assert_int_eq(heartbeat_heard(&heartbeat, true, WSP_VIEW_LITERAL(PONG)), 0);
    ck_assert_int_eq(hears(PONG), 1);
    ck_assert_int_eq(hears(PONG), 0);
}
END_TEST

START_TEST(an_answer_that_is_too_long_is_none)
{
    char text[MAX_HEARTBEAT_LEN + 2];

    snprintf(text, sizeof(text), "%-*s", MAX_HEARTBEAT_LEN + 1, PONG);
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    ck_assert_int_eq(hears(text), 0);
    text[MAX_HEARTBEAT_LEN] = '\0';
    ck_assert_int_eq(hears(text), 1);
}
END_TEST

START_TEST(no_answer_and_it_is_lost)
{
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    fake_clock_advance(&fake, TIMEOUT - 1);
    ck_assert_int_eq(hears("news"), 0);
    ck_assert_uint_eq(n_lost, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_lost, 1);
    ck_assert_uint_eq(failure.cause, WSP_CAUSE_LOST);
    ck_assert_str_eq(failure.text,
                     "the heartbeat was not answered for 5000 ms (heartbeat-timeout)");
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    ck_assert_ptr_null(heartbeat_next(&heartbeat));
}
END_TEST

START_TEST(behind_a_long_message_the_answer_may_come_later)
{
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    for (int i = 0; i < 3; i++) {
        n_arriving += 20000;
        fake_clock_advance(&fake, TIMEOUT);
        ck_assert_uint_eq(n_lost, 0);
    }
    /* It does not get on any more. */
    fake_clock_advance(&fake, TIMEOUT);
    ck_assert_uint_eq(n_lost, 1);
}
END_TEST

START_TEST(a_server_that_takes_nothing_is_lost_and_one_that_takes_is_not)
{
    fake_clock_advance(&fake, INTERVAL);
    for (int i = 0; i < 3; i++) {
        n_taken += 7;
        fake_clock_advance(&fake, TIMEOUT);
    }
    heartbeat_said(&heartbeat);
    n_taken++;
    fake_clock_advance(&fake, TIMEOUT);
    ck_assert_uint_eq(n_lost, 0);
    fake_clock_advance(&fake, TIMEOUT);
    ck_assert_uint_eq(n_lost, 1);
    ck_assert_str_eq(failure.text,
                     "nothing of what is to be sent was taken, the heartbeat neither, "
                     "for 5000 ms (heartbeat-timeout)");
}
END_TEST

START_TEST(without_an_expected_answer_nothing_is_kept_and_nothing_lost)
{
    teardown();
    setup_with("ping", NULL);
    for (int i = 0; i < 5; i++) {
        fake_clock_advance(&fake, INTERVAL);
        is_written();
        ck_assert_int_eq(hears("pong"), 0);
    }
    fake_clock_advance(&fake, INTERVAL);
    fake_clock_advance(&fake, 10 * (uint64_t)INTERVAL);
    is_due();
    ck_assert_uint_eq(n_lost, 0);
    ck_assert(!heartbeat_round_trip(&heartbeat, &n_taken));
}
END_TEST

START_TEST(without_a_text_there_is_no_heartbeat)
{
    teardown();
    setup_with(NULL, NULL);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    fake_clock_advance(&fake, 10 * (uint64_t)INTERVAL);
    ck_assert_ptr_null(heartbeat_next(&heartbeat));
    ck_assert_int_eq(hears("ping"), 0);
    ck_assert_uint_eq(n_wakes, 0);
}
END_TEST

START_TEST(started_twice_it_is_one)
{
    fake_clock_advance(&fake, INTERVAL / 2);
    heartbeat_start(&heartbeat);
    fake_clock_advance(&fake, INTERVAL / 2);
    is_written();
    ck_assert_uint_eq(n_wakes, 1);
}
END_TEST

START_TEST(at_rest_it_beats_on_and_nobody_is_blamed)
{
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    heartbeat_rest(&heartbeat, true);
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    fake_clock_advance(&fake, INTERVAL);
    is_due();
    fake_clock_advance(&fake, 10 * (uint64_t)TIMEOUT);
    ck_assert_uint_eq(n_lost, 0);
    is_written();
    heartbeat_rest(&heartbeat, false);
    fake_clock_advance(&fake, TIMEOUT - 1);
    /* Three were sent: three are the daemon's. */
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(hears(PONG), 1);
    ck_assert_int_eq(hears(PONG), 0);
    fake_clock_advance(&fake, TIMEOUT);
    ck_assert_uint_eq(n_lost, 0);
}
END_TEST

START_TEST(after_a_rest_the_deadline_is_a_new_one)
{
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    fake_clock_advance(&fake, TIMEOUT - 1);
    heartbeat_rest(&heartbeat, true);
    fake_clock_advance(&fake, TIMEOUT);
    heartbeat_rest(&heartbeat, false);
    fake_clock_advance(&fake, TIMEOUT - 1);
    ck_assert_uint_eq(n_lost, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_lost, 1);
}
END_TEST

START_TEST(a_rest_while_it_waits_to_be_taken)
{
    fake_clock_advance(&fake, INTERVAL);
    heartbeat_rest(&heartbeat, true);
    fake_clock_advance(&fake, 10 * (uint64_t)TIMEOUT);
    heartbeat_said(&heartbeat);
    heartbeat_rest(&heartbeat, false);
    fake_clock_advance(&fake, TIMEOUT - 1);
    ck_assert_uint_eq(n_lost, 0);
    fake_clock_advance(&fake, 1);
    ck_assert_uint_eq(n_lost, 1);
}
END_TEST

START_TEST(a_new_connection_owes_nothing)
{
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    heartbeat_end(&heartbeat);
    /* What was asked for is still no channel's business. */
    ck_assert_int_eq(hears(PONG), 1);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    heartbeat_written(&heartbeat);
    heartbeat_open(&heartbeat);
    ck_assert_int_eq(hears(PONG), 0);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), UINT64_MAX);
    heartbeat_start(&heartbeat);
    ck_assert_uint_eq(fake_clock_next_ms(&fake), INTERVAL);
}
END_TEST

START_TEST(round_trip_is_that_of_the_last_answer)
{
    uint64_t ms = 0;

    ck_assert(!heartbeat_round_trip(&heartbeat, &ms));
    fake_clock_advance(&fake, INTERVAL);
    is_written();
    fake_clock_advance(&fake, 30);
    hears(PONG);
    ck_assert(heartbeat_round_trip(&heartbeat, &ms));
    ck_assert_uint_eq(ms, 30);
}
END_TEST

/* --- what the server asks --- */

static void setup_asked(void)
{
    setup_with(NULL, NULL);
    settings.request = (char *)(uintptr_t) "/op=ping";
    settings.reply = (char *)(uintptr_t) "{\"op\":\"pong\",\"id\":%{/id}}";
}

START_TEST(a_request_is_replied_to_at_once)
{
    ck_assert_ptr_null(heartbeat_reply(&heartbeat));
    ck_assert_int_eq(hears("{\"op\":\"ping\",\"id\":7}"), 1);
    ck_assert_str_eq(heartbeat_reply(&heartbeat), "{\"op\":\"pong\",\"id\":7}");
    heartbeat_replied(&heartbeat);
    ck_assert_ptr_null(heartbeat_reply(&heartbeat));
    ck_assert_int_eq(hears("{\"op\":\"news\",\"id\":8}"), 0);
    ck_assert_ptr_null(heartbeat_reply(&heartbeat));
}
END_TEST

START_TEST(of_many_requests_the_newest_is_replied_to)
{
    ck_assert_int_eq(hears("{\"op\":\"ping\",\"id\":7}"), 1);
    ck_assert_int_eq(hears("{\"op\":\"ping\",\"id\":\"x\"}"), 1);
    ck_assert_str_eq(heartbeat_reply(&heartbeat), "{\"op\":\"pong\",\"id\":\"x\"}");
}
END_TEST

START_TEST(a_request_that_cannot_be_replied_to_is_a_message_like_others)
{
    ck_assert_int_eq(hears("{\"op\":\"ping\"}"), 0);
    ck_assert_ptr_null(heartbeat_reply(&heartbeat));
}
END_TEST

START_TEST(a_connection_that_closes_is_told_nothing)
{
    ck_assert_int_eq(hears("{\"op\":\"ping\",\"id\":7}"), 1);
    heartbeat_end(&heartbeat);
    ck_assert_ptr_null(heartbeat_reply(&heartbeat));
    ck_assert_int_eq(hears("{\"op\":\"ping\",\"id\":8}"), 1);
    ck_assert_ptr_null(heartbeat_reply(&heartbeat));
}
END_TEST

START_TEST(no_memory)
{
    ck_assert_int_eq(hears("{\"op\":\"ping\",\"id\":7}"), 1);
    allocation_fail_after(0);
    ck_assert_int_eq(hears("{\"op\":\"ping\",\"id\":8}"), -ENOMEM);
    ck_assert(allocation_disarm());
    teardown();
    settings.text = (char *)(uintptr_t) "ping";
    allocation_fail_after(0);
    ck_assert_int_eq(heartbeat_init(&heartbeat, &fake.clock, &settings, note_wake, note_lost,
                                    tell_taken, tell_arriving, &heartbeat),
                     -ENOMEM);
    ck_assert(allocation_disarm());
    teardown();
    heartbeat = (struct heartbeat){0};
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("heartbeat");
    TCase *beats = unit_case(suite, "beats"), *asked = unit_case(suite, "asked");

    tcase_add_checked_fixture(beats, setup, teardown);
    tcase_add_test(beats, it_beats_whether_the_server_is_silent_or_not);
    tcase_add_test(beats, the_interval_is_counted_from_the_beat_not_from_the_answer);
    tcase_add_test(beats, only_as_many_answers_are_kept_as_were_asked_for);
    tcase_add_test(beats, an_answer_that_is_too_long_is_none);
    tcase_add_test(beats, no_answer_and_it_is_lost);
    tcase_add_test(beats, behind_a_long_message_the_answer_may_come_later);
    tcase_add_test(beats, a_server_that_takes_nothing_is_lost_and_one_that_takes_is_not);
    tcase_add_test(beats, without_an_expected_answer_nothing_is_kept_and_nothing_lost);
    tcase_add_test(beats, without_a_text_there_is_no_heartbeat);
    tcase_add_test(beats, started_twice_it_is_one);
    tcase_add_test(beats, at_rest_it_beats_on_and_nobody_is_blamed);
    tcase_add_test(beats, after_a_rest_the_deadline_is_a_new_one);
    tcase_add_test(beats, a_rest_while_it_waits_to_be_taken);
    tcase_add_test(beats, a_new_connection_owes_nothing);
    tcase_add_test(beats, round_trip_is_that_of_the_last_answer);
    tcase_add_checked_fixture(asked, setup_asked, teardown);
    tcase_add_test(asked, a_request_is_replied_to_at_once);
    tcase_add_test(asked, of_many_requests_the_newest_is_replied_to);
    tcase_add_test(asked, a_request_that_cannot_be_replied_to_is_a_message_like_others);
    tcase_add_test(asked, a_connection_that_closes_is_told_nothing);
    tcase_add_test(asked, no_memory);
    return suite;
}
