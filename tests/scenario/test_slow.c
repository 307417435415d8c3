/*
 * test_slow: programs that do not keep up: at the bound and one past it, by each policy, and when a user has too much
 * queued.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage. Promise 6 of sharing of the design.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/sharing_story.h"

enum { LEN = 100 };

static uint64_t cost; /* of a message of LEN bytes */

static void setup(void)
{
    struct entry entry = {.len = LEN};

    story_begins();
    cost = entry_cost(&entry);
    stage.queue_bytes = 10 * cost;
    stage.block_timeout_ms = 1000;
}

/* Each in a turn of its own. */
static void sends_messages(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        peer_sends_bytes(peer, LEN);
        stage_turn(&stage);
    }
}

/* --- disconnect --- */

START_TEST(at_the_bound_nothing_happens_one_past_it_ends)
{
    a_and_b_share();
    program_stops_reading(&a);
    sends_messages(11); /* one that it reads, and ten behind */
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN);
    ck_assert_uint_eq(cursor_lag_beyond(&a.channel.cursor), stage.queue_bytes);
    sends_messages(1);
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED);
    ck_assert_uint_eq(a.n_cuts, 1);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES),
                      0); /* its place is given up at once */
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(slow-consumer) close(1006)");
    ck_assert_uint_eq(b.n_heard, 12);
    ck_assert_uint_eq(peer->n_pauses, 0);
}
END_TEST

START_TEST(the_end_says_how_far_behind)
{
    char expected[100];

    a_and_b_share();
    program_stops_reading(&a);
    sends_messages(12);
    snprintf(expected, sizeof(expected),
             "%llu bytes in 12 messages behind; its bound is %llu bytes or 1000000 messages",
             (unsigned long long)(12 * cost), (unsigned long long)(10 * cost));
    ck_assert_str_eq(a.channel.ending.failure.text, expected);
    ck_assert(!a.channel.ending.was_clean);
}
END_TEST

START_TEST(giant_message_alone_never_counts_as_slow)
{
    a_and_b_share();
    program_stops_reading(&a);
    peer_sends_bytes(peer, 1000 * LEN);
    stage_turn(&stage);
    sends_messages(10);
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN);
    program_reads(&a, 1);
    stage_turn(&stage);
    peer_sends_bytes(peer, 1000 * LEN); /* now it is behind by a giant that it is not reading */
    stage_turn(&stage);
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED);
}
END_TEST

START_TEST(burst_within_a_turn_harms_nobody_who_reads)
{
    a_and_b_share();
    for (int i = 0; i < 1000; i++)
        peer_sends_bytes(peer, LEN);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard, 1000);
    ck_assert_uint_eq(b.n_heard, 1000);
}
END_TEST

START_TEST(who_is_cut_before_open_was_told_hears_open_first)
{
    a_and_b_share();
    opens(&c, STAGE_SHARED);
    program_stops_reading(&c);
    sends_messages(12);
    program_reads(&c, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "open error(slow-consumer) close(1006)");
}
END_TEST

/* It asked to close and does not fetch what stands before its end; what it loses it is told. */
START_TEST(slow_one_that_had_left_fails_too)
{
    a_and_b_share();
    program_stops_reading(&a);
    sends_messages(5);
    program_closes(&a, 1000, "");
    sends_messages(6);
    ck_assert_uint_eq(a.n_cuts, 0);
    sends_messages(1);
    ck_assert_uint_eq(a.n_cuts, 1);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(slow-consumer) close(1006)");
}
END_TEST

START_TEST(private_may_choose_to_disconnect)
{
    stage.slow_consumer = SLOW_DISCONNECT;
    a_is_open(STAGE_PRIVATE);
    program_stops_reading(&a);
    sends_messages(12);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(slow-consumer) close(1006)");
    ck_assert_uint_eq(peer->close_code, 1001);
}
END_TEST

static void dies_in_wake(struct program *program)
{
    struct program *other = program->data;

    program->on_wake = NULL;
    program_deinit(other);
    program_deinit(program);
}

START_TEST(slow_one_may_take_others_along_as_it_ends)
{
    a_and_b_share();
    opens(&c, STAGE_SHARED);
    stage_turn(&stage);
    program_stops_reading(&a);
    program_stops_reading(&b);
    program_stops_reading(&c);
    sends_messages(11);
    a.on_wake = dies_in_wake;
    a.data = &b;
    sends_messages(1);
    ck_assert_int_eq(c.channel.state, CHANNEL_ENDED);
}
END_TEST

/* --- block --- */

START_TEST(private_pauses_past_the_bound_and_resumes_at_half)
{
    a_is_open(STAGE_PRIVATE);
    program_stops_reading(&a);
    sends_messages(11);
    ck_assert(!peer->is_paused);
    sends_messages(1);
    ck_assert(peer->is_paused);
    program_reads(&a, 5);        /* 7 left: one to read and 6 behind */
    stage_wait(&stage, 1000000); /* nobody else waits, so there is no hurry */
    ck_assert(peer->is_paused);
    program_reads(&a, 1);
    stage_turn(&stage);
    ck_assert(!peer->is_paused);
    sends_messages(1);
    ck_assert(!peer->is_paused);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard, 13);
    ck_assert_uint_eq(peer->n_pauses, 1);
}
END_TEST

START_TEST(who_wants_no_more_blocks_no_more)
{
    a_is_open(STAGE_PRIVATE);
    program_stops_reading(&a);
    sends_messages(12);
    ck_assert(peer->is_paused);
    channel_close(&a.channel, 1000, (struct wsp_view){0}, true);
    stage_turn(&stage);
    ck_assert(!peer->is_paused);
    ck_assert(peer->is_close_asked);
}
END_TEST

/* Loop test: it is abandoned, or freed as it is. */
START_TEST(dead_client_blocks_no_more)
{
    stage.slow_consumer = SLOW_BLOCK;
    a_and_b_share();
    program_stops_reading(&a);
    sends_messages(12);
    ck_assert(peer->is_paused);
    if (_i == 0) {
        channel_abandon(&a.channel);
        ck_assert_uint_eq(a.n_gone, 1);
    }
    program_deinit(&a);
    stage_wait(&stage, 10000);
    ck_assert(!peer->is_paused);
}
END_TEST

START_TEST(shared_block_is_over_when_the_last_has_caught_up)
{
    stage.slow_consumer = SLOW_BLOCK;
    a_and_b_share();
    opens(&c, STAGE_SHARED);
    stage_turn(&stage);
    program_stops_reading(&a);
    program_stops_reading(&b);
    sends_messages(12);
    ck_assert(peer->is_paused);
    program_reads(&a, UINT_MAX);
    stage_wait(&stage, 500);
    ck_assert(peer->is_paused);
    program_reads(&b, UINT_MAX);
    stage_wait(&stage, 5000);
    ck_assert(!peer->is_paused);
    ck_assert_uint_eq(a.n_heard, 12);
    ck_assert_uint_eq(b.n_heard, 12);
    ck_assert_uint_eq(c.n_heard, 12);
    ck_assert_int_eq(b.channel.state, CHANNEL_OPEN);
}
END_TEST

START_TEST(shared_block_ends_with_block_timeout)
{
    stage.slow_consumer = SLOW_BLOCK;
    a_and_b_share();
    program_stops_reading(&a);
    sends_messages(12);
    fake_clock_advance(&stage.clock, 999);
    ck_assert(peer->is_paused);
    fake_clock_advance(&stage.clock, 1);
    ck_assert(!peer->is_paused);
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED);
    ck_assert_ptr_nonnull(
        strstr(a.channel.ending.failure.text, "blocked its upstream for 1000 ms"));
    program_reads(&a, UINT_MAX);
    sends_messages(1);
    ck_assert_str_eq(program_heard(&a), "error(slow-consumer) close(1006)");
    ck_assert_uint_eq(b.n_heard, 13);
}
END_TEST

/* Messages that were parsed before the pause still come; b goes over its bound later than a. */
START_TEST(each_that_blocks_has_its_own_time)
{
    stage.slow_consumer = SLOW_BLOCK;
    a_and_b_share();
    program_stops_reading(&a);
    sends_messages(2);
    program_stops_reading(&b);
    sends_messages(10);
    fake_clock_advance(&stage.clock, 400);
    sends_messages(2);
    fake_clock_advance(&stage.clock, 600);
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED);
    ck_assert_int_eq(b.channel.state, CHANNEL_OPEN);
    ck_assert(peer->is_paused);
    fake_clock_advance(&stage.clock, 399);
    ck_assert(peer->is_paused);
    fake_clock_advance(&stage.clock, 1);
    ck_assert_int_eq(b.channel.state, CHANNEL_ENDED);
    ck_assert(!peer->is_paused);
}
END_TEST

START_TEST(policies_may_differ_on_one_upstream)
{
    stage.slow_consumer = SLOW_BLOCK;
    opens(&a, STAGE_SHARED);
    stage.slow_consumer = SLOW_DISCONNECT;
    stage.queue_bytes = 2 * cost;
    opens(&b, STAGE_SHARED);
    peer_opens(peer, "");
    stage_turn(&stage);
    program_stops_reading(&a);
    program_stops_reading(&b);
    sends_messages(3);
    ck_assert_int_eq(b.channel.state, CHANNEL_OPEN);
    sends_messages(1);
    ck_assert_int_eq(b.channel.state, CHANNEL_ENDED);
    ck_assert(!peer->is_paused);
    sends_messages(8);
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN);
    ck_assert(peer->is_paused);
}
END_TEST

/* Nobody is held up any more: who has yet to read what came before the end has all the time. */
START_TEST(after_the_end_nobody_blocks)
{
    stage.slow_consumer = SLOW_BLOCK;
    a_and_b_share();
    program_stops_reading(&a);
    program_stops_reading(&b);
    sends_messages(12);
    peer_ends(peer, true, 1000, "");
    program_reads(&a, UINT_MAX);
    stage_wait(&stage, 100000);
    program_reads(&b, UINT_MAX);
    stage_turn(&stage);
    ck_assert_uint_eq(b.n_heard, 12);
    ck_assert_int_eq(b.channel.ending.failure.cause, 0);
}
END_TEST

START_TEST(blocked_upstream_may_end)
{
    stage.slow_consumer = SLOW_BLOCK;
    a_and_b_share();
    program_stops_reading(&a);
    sends_messages(12);
    ck_assert(peer->is_paused);
    peer_fails(peer, WSP_CAUSE_LOST);
    stage_wait(&stage, 10000);
    ck_assert(peer->is_freed);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard, 12);
    ck_assert_ptr_nonnull(strstr(program_heard(&a), "[100] error(lost) close(1006)"));
}
END_TEST

/* --- quota --- */

START_TEST(private_pauses_when_its_owner_has_too_much_queued)
{
    stage.quota.limits[QUOTA_QUEUED_BYTES] = 3 * cost;
    a_is_open(STAGE_PRIVATE);
    program_stops_reading(&a);
    sends_messages(3);
    ck_assert(!peer->is_paused); /* at the limit */
    sends_messages(1);
    ck_assert(peer->is_paused); /* one past it */
    program_reads(&a, 1);
    stage_turn(&stage);
    ck_assert(!peer->is_paused);
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN);
}
END_TEST

START_TEST(private_that_has_read_everything_goes_on_whatever_others_do)
{
    struct upstream *first;

    stage.quota.limits[QUOTA_QUEUED_BYTES] = 3 * cost;
    a_is_open(STAGE_PRIVATE);
    first = peer;
    program_stops_reading(&a);
    sends_messages(4);
    opens(&b, STAGE_PRIVATE);
    peer_opens(peer, "");
    stage_turn(&stage);
    program_stops_reading(&b);
    sends_messages(1);
    ck_assert(peer->is_paused);
    program_reads(&b, UINT_MAX);
    stage_turn(&stage);
    ck_assert(!peer->is_paused);
    ck_assert(first->is_paused);
    sends_messages(3);
    ck_assert_uint_eq(b.n_heard, 4);
    ck_assert(!peer->is_paused);
}
END_TEST

START_TEST(of_a_shared_one_those_that_lag_most_end)
{
    stage.quota.limits[QUOTA_QUEUED_BYTES] = 3 * cost;
    a_and_b_share();
    opens(&c, STAGE_SHARED);
    stage_turn(&stage);
    program_stops_reading(&a);
    sends_messages(1);
    program_stops_reading(&b);
    sends_messages(2);
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN); /* at the limit */
    sends_messages(1);
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED); /* one past it */
    ck_assert_ptr_nonnull(strstr(a.channel.ending.failure.text, "in 4 messages behind, when user"));
    ck_assert_int_eq(b.channel.state, CHANNEL_OPEN);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 3 * cost);
    ck_assert_uint_eq(c.n_heard, 4);
    ck_assert(!peer->is_paused);
}
END_TEST

START_TEST(nobody_ends_for_the_message_that_it_is_reading)
{
    stage.quota.limits[QUOTA_QUEUED_BYTES] = cost / 2;
    a_and_b_share();
    program_stops_reading(&a);
    sends_messages(1);
    ck_assert_int_eq(a.channel.state, CHANNEL_OPEN);
    sends_messages(1);
    ck_assert_int_eq(a.channel.state, CHANNEL_ENDED);
    ck_assert_uint_eq(b.n_heard, 2);
}
END_TEST

START_TEST(slow_readers_fail_no_send)
{
    stage.quota.limits[QUOTA_QUEUED_BYTES] = 3 * cost;
    a_is_open(STAGE_PRIVATE);
    program_stops_reading(&a);
    sends_messages(4);
    ck_assert_int_eq(program_sends(&a, "still goes"), 0);
    ck_assert_str_eq(peer_receives(peer), "still goes");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("slow");
    TCase *disconnect = unit_case(suite, "disconnect");
    TCase *block = unit_case(suite, "block");
    TCase *quota = unit_case(suite, "quota");

    tcase_add_checked_fixture(disconnect, setup, story_ends);
    tcase_add_checked_fixture(block, setup, story_ends);
    tcase_add_checked_fixture(quota, setup, story_ends);
    tcase_add_test(disconnect, at_the_bound_nothing_happens_one_past_it_ends);
    tcase_add_test(disconnect, the_end_says_how_far_behind);
    tcase_add_test(disconnect, giant_message_alone_never_counts_as_slow);
    tcase_add_test(disconnect, burst_within_a_turn_harms_nobody_who_reads);
    tcase_add_test(disconnect, who_is_cut_before_open_was_told_hears_open_first);
    tcase_add_test(disconnect, slow_one_that_had_left_fails_too);
    tcase_add_test(disconnect, private_may_choose_to_disconnect);
    tcase_add_test(disconnect, slow_one_may_take_others_along_as_it_ends);
    tcase_add_test(block, private_pauses_past_the_bound_and_resumes_at_half);
    tcase_add_test(block, who_wants_no_more_blocks_no_more);
    tcase_add_loop_test(block, dead_client_blocks_no_more, 0, 2);
    tcase_add_test(block, shared_block_is_over_when_the_last_has_caught_up);
    tcase_add_test(block, shared_block_ends_with_block_timeout);
    tcase_add_test(block, each_that_blocks_has_its_own_time);
    tcase_add_test(block, policies_may_differ_on_one_upstream);
    tcase_add_test(block, after_the_end_nobody_blocks);
    tcase_add_test(block, blocked_upstream_may_end);
    tcase_add_test(quota, private_pauses_when_its_owner_has_too_much_queued);
    tcase_add_test(quota, private_that_has_read_everything_goes_on_whatever_others_do);
    tcase_add_test(quota, of_a_shared_one_those_that_lag_most_end);
    tcase_add_test(quota, nobody_ends_for_the_message_that_it_is_reading);
    tcase_add_test(quota, slow_readers_fail_no_send);
    return suite;
}
