/*
 * test_parting: the last words of a private channel, as the table of daemon/parting.h has it. A program that held the
 * connection itself would answer a message before it came to the Close, or the fault, behind it.
 *
 * Between the scripted programs of tests/harness/stage and the scripted server of tests/harness/server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/limits.h"
#include "tests/harness/server_story.h"

static void answer(struct program *program, const struct entry *entry)
{
    char text[100];

    snprintf(text, sizeof(text), "to %.*s", (int)entry->len, (const char *)entry->data);
    ck_assert_int_eq(program_sends(program, text), 0);
}

/* a answers each message, on an upstream of its own, or on a shared one. */
static void setup(void)
{
    story_begins();
    a_is_open(STAGE_PRIVATE);
    a.on_message = answer;
}

static void setup_shared(void)
{
    story_begins();
    a_is_open(STAGE_SHARED);
    a.on_message = answer;
}

static void assert_ends(const char *heard)
{
    server_hangs_up(&server);
    run();
    ck_assert_str_eq(program_heard(&a), heard);
    ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    ck_assert_uint_eq(fake_clock_next_ms(&stage.clock), UINT64_MAX);
}

START_TEST(what_came_before_a_close_is_answered_before_it)
{
    server_sends(&server, "one");
    server_sends(&server, "two");
    server_closes(&server, 4001, "");
    run();
    ck_assert_str_eq(server_heard(&server), "to one to two close(4001)");
    assert_ends("one two closing close(clean 4001)");
}
END_TEST

START_TEST(what_came_before_a_fault_is_answered_before_its_close)
{
    server_sends(&server, "one");
    server_says(&server, "\x83\x00", 2);
    server_sends(&server, "not any more");
    run();
    ck_assert_str_eq(server_heard(&server), "to one close(1002) fin");
    assert_ends("one closing error(protocol) close(1006)");
}
END_TEST

START_TEST(half_a_second_is_what_it_has)
{
    a.is_at_a_loss = true;
    a.on_message = NULL;
    server_sends(&server, "one");
    server_closes(&server, 1000, "");
    run();
    wait_ms(PARTING_MS - 1);
    ck_assert_str_eq(server_heard(&server), "");
    wait_ms(1);
    ck_assert_str_eq(server_heard(&server), "close(1000)");
    program_sends(&a, "too late");
    run();
    ck_assert_str_eq(server_heard(&server), "");
    assert_ends("one closing close(clean 1000)");
}
END_TEST

/* A server that closes and does not read is not waited for either. */
START_TEST(half_a_second_begins_anew_with_what_it_says)
{
    a.is_at_a_loss = true;
    server_closes(&server, 1000, "");
    run();
    wait_ms(PARTING_MS - 1);
    program_sends(&a, "in time");
    run();
    ck_assert_str_eq(server_heard(&server), "in time");
    wait_ms(PARTING_MS);
    ck_assert_str_eq(server_heard(&server), "");
    wait_ms(1);
    ck_assert_str_eq(server_heard(&server), "close(1000)");
    assert_ends("closing close(clean 1000)");
}
END_TEST

START_TEST(what_is_not_taken_in_time_is_dropped)
{
    server_takes(&server, 8);
    program_sends(&a, "begun already");
    run();
    server_sends(&server, "one");
    server_closes(&server, 1000, "");
    run();
    wait_ms(PARTING_MS);
    program_sends(&a, "never");
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server), "begun already close(1000)");
    assert_ends("one closing close(clean 1000)");
}
END_TEST

/* As long as the server takes something. */
START_TEST(a_long_answer_has_its_time)
{
    for (int i = 0; i < 20; i++)
        server_sends(&server, "something to answer");
    server_closes(&server, 1000, "");
    server_takes(&server, 0);
    run();
    for (int i = 0; i < 40; i++) {
        wait_ms(PARTING_MS - 1);
        ck_assert_msg(a.channel.state == CHANNEL_LEAVING, "%d: %s", i,
                      a.channel.ending.failure.text);
        server_takes(&server, 10);
        run();
    }
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_uint_eq(strlen(server_heard(&server)),
                      20 * strlen("to something to answer ") + strlen("close(1000)"));
    server_hangs_up(&server);
    run();
    ck_assert(a.channel.ending.was_clean);
}
END_TEST

START_TEST(who_never_stops_has_the_close_timeout)
{
    uint64_t passed_ms = 0;

    a.is_at_a_loss = true;
    server_closes(&server, 1000, "");
    run();
    while (a.channel.state == CHANNEL_OPEN) {
        ck_assert_int_eq(program_sends(&a, "and another thing"), 0);
        run();
        ck_assert_str_eq(server_heard(&server), "and another thing");
        wait_ms(100);
        passed_ms += 100;
    }
    ck_assert_uint_ge(passed_ms, a.channel.share->target->close_timeout_ms);
    ck_assert_uint_le(passed_ms, a.channel.share->target->close_timeout_ms + PARTING_MS);
    ck_assert_str_eq(server_heard(&server), "close(1000)");
    assert_ends("closing close(clean 1000)");
}
END_TEST

START_TEST(the_end_of_the_stream_waits_for_nobody)
{
    a.is_at_a_loss = true;
    server_closes(&server, 1001, "");
    server_hangs_up(&server);
    run();
    ck_assert_str_eq(server_heard(&server), "close(1001) gone");
    assert_ends("closing close(clean 1001)");
}
END_TEST

START_TEST(a_close_of_its_own_ends_the_parting)
{
    a.is_at_a_loss = true;
    server_closes(&server, 4001, "theirs");
    run();
    ck_assert_str_eq(server_heard(&server), "");
    program_closes(&a, 3000, "ours");
    run();
    ck_assert_str_eq(server_heard(&server), "close(4001)");
    assert_ends("closing close(clean 4001 theirs)");
}
END_TEST

START_TEST(who_dies_meanwhile_is_not_waited_for)
{
    a.is_at_a_loss = true;
    server_sends(&server, "one");
    server_closes(&server, 1000, "");
    run();
    channel_abandon(&a.channel);
    run();
    ck_assert_str_eq(server_heard(&server), "to one close(1000)");
    server_hangs_up(&server);
    run();
    ck_assert_uint_eq(a.n_gone, 1);
    ck_assert_uint_eq(fake_clock_next_ms(&stage.clock), UINT64_MAX);
}
END_TEST

START_TEST(who_is_cut_off_meanwhile_is_not_waited_for)
{
    struct failure failure;

    a.is_at_a_loss = true;
    server_closes(&server, 1000, "");
    run();
    failure_set(&failure, WSP_CAUSE_TOO_BIG, 0, "of the test");
    channel_fail(&a.channel, &failure);
    run();
    ck_assert_str_eq(server_heard(&server), "close(1000)");
    assert_ends("closing error(too-big) close(1006)");
}
END_TEST

/* It had closed already when the server did: its messages go no more, as they wait behind nobody. */
START_TEST(who_was_leaving_has_had_his_say)
{
    server_takes(&server, 0);
    program_sends(&a, "behind a server that takes nothing");
    run();
    program_closes(&a, 1000, "");
    server_closes(&server, 1001, "");
    run();
    ck_assert_int_eq(a.channel.state, CHANNEL_CLOSING);
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server), "behind a server that takes nothing close(1001)");
    assert_ends("close(clean 1001)");
}
END_TEST

START_TEST(a_shared_upstream_waits_for_nobody)
{
    a.is_at_a_loss = true;
    server_sends(&server, "one");
    server_closes(&server, 1000, "");
    run();
    ck_assert_str_eq(server_heard(&server), "close(1000)");
    assert_ends("one closing close(clean 1000)");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("parting");
    TCase *own = unit_case(suite, "own"), *shared = unit_case(suite, "shared");

    tcase_add_checked_fixture(own, setup, story_ends);
    tcase_add_test(own, what_came_before_a_close_is_answered_before_it);
    tcase_add_test(own, what_came_before_a_fault_is_answered_before_its_close);
    tcase_add_test(own, half_a_second_is_what_it_has);
    tcase_add_test(own, half_a_second_begins_anew_with_what_it_says);
    tcase_add_test(own, what_is_not_taken_in_time_is_dropped);
    tcase_add_test(own, a_long_answer_has_its_time);
    tcase_add_test(own, who_never_stops_has_the_close_timeout);
    tcase_add_test(own, the_end_of_the_stream_waits_for_nobody);
    tcase_add_test(own, a_close_of_its_own_ends_the_parting);
    tcase_add_test(own, who_dies_meanwhile_is_not_waited_for);
    tcase_add_test(own, who_is_cut_off_meanwhile_is_not_waited_for);
    tcase_add_test(own, who_was_leaving_has_had_his_say);
    tcase_add_checked_fixture(shared, setup_shared, story_ends);
    tcase_add_test(shared, a_shared_upstream_waits_for_nobody);
    return suite;
}
