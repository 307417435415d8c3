/*
 * test_replay: what who joins late or comes back is given, as stories: replay and then live without a hole, resuming,
 * and what is said to be missing.
 *
 * The programs of the stage count for themselves: a message whose number or epoch is not the one that they expect fails
 * the test, wherever it comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/replay_story.h"

static struct position position(const uint8_t epoch[LOG_EPOCH_LEN], uint64_t number)
{
    struct position position = {.is_given = true, .number = number};

    memcpy(position.epoch, epoch, LOG_EPOCH_LEN);
    return position;
}

static void closes(struct program *program)
{
    program_closes(program, 1000, "");
    stage_turn(&stage);
    program_deinit(program);
}

/* "open" with this after it, then numbers, those before live in parentheses. */
static const char *expected(const char *more, unsigned first, unsigned live, unsigned last)
{
    static char text[STAGE_MAX_TRANSCRIPT];
    size_t len = (size_t)snprintf(text, sizeof(text), "open%s", more);

    for (unsigned i = first; i <= last; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, i < live ? " (%u)" : " %u", i);
    return text;
}

/* --- the seam of joining --- */

enum { N = 6, KEPT = 4 };

/* Loop test over where in the stream it joins, when it is told so, and how far it has read when the rest comes. */
START_TEST(replay_then_live_at_every_point_of_the_seam)
{
    unsigned joins_after = (unsigned)_i % (N + 1), rest = (unsigned)_i / (N + 1);
    unsigned is_told_after = rest % 3, has_read = rest / 3;
    unsigned first = joins_after > KEPT ? joins_after - KEPT + 1 : 1;

    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, joins_after);
    opens(&b, STAGE_SHARED);
    program_reads(&b, has_read);
    for (unsigned i = joins_after + 1; i <= N; i++) {
        if (i - joins_after == is_told_after)
            stage_turn(&stage);
        peer_counts(peer, i, i);
    }
    stage_turn(&stage);
    program_reads(&b, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), expected("", first, joins_after + 1, N));
    ck_assert_str_eq(program_heard(&a), "1 2 3 4 5 6");
}
END_TEST

START_TEST(who_wants_less_gets_less)
{
    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, N);
    stage.replay.messages = 2;
    opens(&b, STAGE_SHARED);
    stage.replay = (struct retention){0, 0};
    opens(&c, STAGE_SHARED);
    stage_turn(&stage);
    peer_counts(peer, 7, 7);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open (5) (6) 7");
    ck_assert_str_eq(program_heard(&c), "open 7");
}
END_TEST

/* Those who waited for it to open have missed nothing, and get nothing twice. */
START_TEST(who_joined_while_connecting_has_no_replay)
{
    keep(KEPT);
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    peer_opens(peer, "");
    peer_counts(peer, 1, 2);
    opens(&c, STAGE_SHARED);
    peer_counts(peer, 3, 3);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open 1 2 3");
    ck_assert_str_eq(program_heard(&b), "open 1 2 3");
    ck_assert_str_eq(program_heard(&c), "open (1) (2) 3");
}
END_TEST

/* The last leaves, and what comes while nobody is there is kept for who comes in time. */
START_TEST(what_comes_while_it_lingers_is_kept)
{
    stage.linger_ms = 500;
    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 1);
    closes(&a);
    peer_counts(peer, 2, 5);
    stage_wait(&stage, 400);
    opens(&b, STAGE_SHARED);
    peer_counts(peer, 6, 6);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open (2) (3) (4) (5) 6");
    ck_assert(!peer->is_close_asked);
}
END_TEST

/* Who comes when it closes gets an upstream of its own, and of the old one's messages not a single one. */
START_TEST(who_comes_when_it_closes_gets_nothing_of_it)
{
    struct upstream *old, *new;

    keep(KEPT);
    old = a_is_open(STAGE_SHARED);
    peer_counts(old, 1, 3);
    stage_turn(&stage);
    peer_starts_closing(old);
    resumes(&b, &a.position);
    peer_sends(old, "late");
    peer_ends(old, true, 1000, "");
    stage_turn(&stage);
    new = stage_peer(&stage);
    ck_assert_ptr_ne(new, old);
    peer_opens(new, "");
    peer_counts(new, 1, 1);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "1 2 3 closing late close(clean 1000)");
    ck_assert_str_eq(program_heard(&b), "open gap(unknown-epoch ?) 1");
}
END_TEST

/* Loop test: the last leaves and another joins, in the same turn, in either order. */
START_TEST(join_and_last_leave_race)
{
    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 2);
    stage_turn(&stage);
    if (_i == 0)
        opens(&b, STAGE_SHARED);
    program_closes(&a, 1000, "");
    if (_i == 1)
        opens(&b, STAGE_SHARED);
    peer_counts(peer, 3, 3);
    stage_turn(&stage);
    ck_assert(!peer->is_close_asked);
    ck_assert_str_eq(program_heard(&b), "open (1) (2) 3");
}
END_TEST

/* What is sent before open is told goes up once, and its answer comes after the replay. */
START_TEST(send_in_the_join_race)
{
    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 2);
    opens(&b, STAGE_SHARED);
    sends(&b, "question");
    ck_assert_str_eq(peer_receives(peer), "question");
    peer_counts(peer, 3, 3);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open (1) (2) 3");
    ck_assert_str_eq(program_heard(&a), "1 2 3");
    ck_assert_str_eq(peer_receives(peer), "");
}
END_TEST

/* It was sent and written before the program has heard of open, and then does not hear of it any more. */
START_TEST(close_in_the_race_of_open_and_send)
{
    opens(&a, STAGE_SHARED);
    sends(&a, "early");
    peer_opens(peer, "");
    ck_assert_str_eq(peer_receives(peer), "early");
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(cancelled) close(1006)");
    ck_assert_uint_eq(a.sent_told, 0);
}
END_TEST

static void closes_itself(struct program *program, const struct entry *entry)
{
    if (entry->number == *(uint64_t *)program->data)
        program_closes(program, 1000, "");
}

/* Loop test over the message within which it leaves: what stood before its end it still gets. */
START_TEST(leave_within_a_replayed_message)
{
    uint64_t number = (uint64_t)_i;

    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 3);
    opens(&b, STAGE_SHARED);
    b.on_message = closes_itself;
    b.data = &number;
    peer_counts(peer, 4, 4);
    stage_turn(&stage);
    peer_counts(peer, 5, 5);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open (1) (2) (3) 4 close(clean 1000)");
    ck_assert_str_eq(program_heard(&a), "1 2 3 4 5");
}
END_TEST

/* Loop test: two leave within the same turn, of one message and of none; the last leaver has its own end. */
START_TEST(two_leaves)
{
    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 1);
    opens(&b, STAGE_SHARED);
    if (_i == 1)
        stage_turn(&stage);
    program_closes(&a, 3001, "a");
    if (_i == 1)
        program_closes(&b, 3002, "b");
    stage_turn(&stage);
    if (_i == 0)
        program_closes(&b, 3002, "b");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "1 close(clean 3001 a)");
    ck_assert_str_eq(program_heard(&b), "open (1) close(clean 3002 b)");
    ck_assert_uint_eq(peer->close_code, 1000);
    peer_ends(peer, true, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "");
    ck_assert_str_eq(program_heard(&b), "");
}
END_TEST

START_TEST(end_before_anything_of_the_replay_was_read)
{
    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 3);
    opens(&b, STAGE_SHARED);
    peer_fails(peer, WSP_CAUSE_LOST);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open (1) (2) (3) error(lost) close(1006)");
    ck_assert_str_eq(program_heard(&a), "1 2 3 error(lost) close(1006)");
}
END_TEST

START_TEST(close_before_the_replay_was_told)
{
    struct position old;

    keep(KEPT);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 6);
    stage_turn(&stage);
    old = position(a.position.epoch, 0);
    resumes(&b, &old);
    program_closes(&b, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "error(cancelled) close(1006)");
    opens(&c, STAGE_SHARED);
    channel_close(&c.channel, 1000, (struct wsp_view){0}, true);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "error(cancelled) close(1006)");
}
END_TEST

/* --- resuming --- */

/* Loop test over every position that the program could have had, and over what is kept. */
START_TEST(resume_at_every_number)
{
    unsigned after = (unsigned)_i % (N + 1), kept = (unsigned)_i / (N + 1);
    unsigned oldest = N - kept + 1;
    char gap[40] = "";
    struct position old;

    keep(kept);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, N);
    stage_turn(&stage);
    old = position(a.position.epoch, after);
    resumes(&b, &old);
    peer_counts(peer, N + 1, N + 2);
    stage_turn(&stage);
    if (after + 1 < oldest)
        snprintf(gap, sizeof(gap), " gap(not-kept %u)", oldest - after - 1);
    ck_assert_str_eq(program_heard(&b),
                     expected(gap, after + 1 < oldest ? oldest : after + 1, N + 1, N + 2));
}
END_TEST

/* It dies having read so much, and comes back within linger: nothing lost, nothing twice. */
START_TEST(who_comes_back_goes_on_where_it_was)
{
    unsigned n_read = (unsigned)_i;
    char rest[80];
    struct position old;

    stage.linger_ms = 500;
    keep(N);
    a_is_open(STAGE_SHARED);
    program_reads(&a, n_read);
    peer_counts(peer, 1, 3);
    stage_turn(&stage);
    old = a.position;
    ck_assert_uint_eq(old.number, n_read);
    channel_abandon(&a.channel);
    program_deinit(&a);
    peer_counts(peer, 4, 5);
    stage_wait(&stage, 100);
    resumes(&b, &old);
    peer_counts(peer, 6, 6);
    stage_turn(&stage);
    snprintf(rest, sizeof(rest), "%s", expected("", n_read + 1, 6, 6));
    ck_assert_str_eq(program_heard(&b), rest);
}
END_TEST

/* Another upstream of the same URL is another run of numbers, even where the numbers fit. */
START_TEST(resume_into_another_upstream_is_unknown)
{
    struct position old;

    keep(N);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 3);
    stage_turn(&stage);
    old = a.position;
    peer_ends(peer, true, 1000, "");
    stage_turn(&stage);
    program_deinit(&a);
    resumes(&b, &old);
    opens(&c, STAGE_SHARED);
    peer_opens(peer, "");
    peer_counts(peer, 1, 4);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open gap(unknown-epoch ?) 1 2 3 4");
    ck_assert_str_eq(program_heard(&c), "open 1 2 3 4");
    resumes(&a, &old);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open gap(unknown-epoch ?) (1) (2) (3) (4)");
}
END_TEST

START_TEST(resume_of_a_private_channel_is_unknown)
{
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 1);
    stage_turn(&stage);
    stage.resume = a.position;
    opens(&b, STAGE_PRIVATE);
    peer_opens(peer, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open gap(unknown-epoch ?)");
}
END_TEST

/* Nobody learns from a position that another user's upstream exists: what is told is as if it were not there. */
START_TEST(resume_at_another_users_position_is_unknown)
{
    keep(N);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 3);
    stage_turn(&stage);
    stage.resume = a.position;
    ck_assert_int_eq(program_opens(&b, &stage, STAGE_UID + 1, URL, STAGE_SHARED), 0);
    peer_opens(stage_peer(&stage), "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open gap(unknown-epoch ?)");
}
END_TEST

/* --- bounds --- */

START_TEST(a_replay_makes_nobody_slow)
{
    stage.queue_bytes = 4096;
    keep(N);
    a_is_open(STAGE_SHARED);
    for (int i = 0; i < N; i++) {
        peer_sends_bytes(peer, 3000);
        stage_turn(&stage);
    }
    program_heard(&a);
    opens(&b, STAGE_SHARED);
    program_reads(&b, 1);
    stage_turn(&stage);
    peer_sends_bytes(peer, 3000);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open ([3000])");
    ck_assert_int_eq(b.channel.state, CHANNEL_OPEN);
    peer_sends_bytes(peer, 3000); /* 6000 live ones are over its bound */
    stage_turn(&stage);
    program_reads(&b, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "error(slow-consumer) close(1006)");
    ck_assert_uint_eq(a.n_heard, N + 2);
}
END_TEST

START_TEST(what_is_kept_is_bounded)
{
    stage.retention = stage.replay = (struct retention){1000000, 10000};
    a_is_open(STAGE_SHARED);
    for (int i = 0; i < 100; i++) {
        peer_sends_bytes(peer, 900);
        stage_turn(&stage);
        ck_assert_uint_le(stage_used(&stage, QUOTA_QUEUED_BYTES), 10000);
    }
    ck_assert_uint_ge(stage_used(&stage, QUOTA_QUEUED_BYTES), 9000);
    peer_sends_bytes(peer, 20000); /* more than all that is kept together */
    stage_turn(&stage);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

/* Who lags is not cut off for the sake of what is only kept. */
START_TEST(what_is_kept_gives_way_before_anybody_suffers)
{
    stage.quota.limits[QUOTA_QUEUED_BYTES] = 10000;
    stage.retention = stage.replay = (struct retention){1000000, 1 << 20};
    opens(&a, STAGE_SHARED);
    peer_opens(peer, "");
    for (int i = 0; i < 20; i++) {
        peer_sends_bytes(peer, 900);
        stage_turn(&stage);
    }
    ck_assert_uint_eq(a.n_heard, 20);
    program_stops_reading(&a);
    for (int i = 0; i < 5; i++) {
        peer_sends_bytes(peer, 900);
        stage_turn(&stage);
        ck_assert_uint_le(stage_used(&stage, QUOTA_QUEUED_BYTES), 10000);
    }
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard, 25);
    ck_assert(!a.is_ended);
}
END_TEST

START_TEST(where_nobody_can_join_nothing_is_kept)
{
    keep(N);
    opens(&b, STAGE_PRIVATE);
    peer_opens(peer, "");
    peer_counts(peer, 1, 3);
    stage_turn(&stage);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 3);
    stage_turn(&stage);
    program_stops_reading(&a);
    peer_counts(peer, 4, 4);
    ck_assert_uint_gt(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    peer_ends(peer, true, 1000, "");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), entry_cost(a.channel.cursor.at));
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "1 2 3 4 close(clean 1000)");
}
END_TEST

/* Nor for the sake of what another upstream of the same user keeps. */
START_TEST(what_another_upstream_keeps_gives_way_too)
{
    struct upstream *other;

    stage.quota.limits[QUOTA_QUEUED_BYTES] = 10000;
    stage.retention = stage.replay = (struct retention){1000000, 1 << 20};
    ck_assert_int_eq(program_opens(&b, &stage, STAGE_UID, "ws://other.test/", STAGE_SHARED), 0);
    other = stage_peer(&stage);
    peer_opens(other, "");
    a_is_open(STAGE_SHARED);
    for (int i = 0; i < 9; i++) {
        peer_sends_bytes(other, 900);
        stage_turn(&stage);
    }
    program_stops_reading(&a);
    for (int i = 0; i < 9; i++) {
        peer_sends_bytes(peer, 900);
        stage_turn(&stage);
        ck_assert_uint_le(stage_used(&stage, QUOTA_QUEUED_BYTES), 10000);
    }
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard, 9);
    ck_assert(!a.is_ended && !b.is_ended);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("replay");
    TCase *joining = story_case(suite, "joining");
    TCase *resuming = story_case(suite, "resuming");
    TCase *bounds = story_case(suite, "bounds");

    tcase_add_loop_test(joining, replay_then_live_at_every_point_of_the_seam, 0, (N + 1) * 3 * 4);
    tcase_add_test(joining, who_wants_less_gets_less);
    tcase_add_test(joining, who_joined_while_connecting_has_no_replay);
    tcase_add_test(joining, what_comes_while_it_lingers_is_kept);
    tcase_add_test(joining, who_comes_when_it_closes_gets_nothing_of_it);
    tcase_add_loop_test(joining, join_and_last_leave_race, 0, 2);
    tcase_add_test(joining, send_in_the_join_race);
    tcase_add_test(joining, close_in_the_race_of_open_and_send);
    tcase_add_loop_test(joining, leave_within_a_replayed_message, 1, 5);
    tcase_add_loop_test(joining, two_leaves, 0, 2);
    tcase_add_test(joining, end_before_anything_of_the_replay_was_read);
    tcase_add_test(joining, close_before_the_replay_was_told);
    tcase_add_loop_test(resuming, resume_at_every_number, 0, (N + 1) * (N + 1));
    tcase_add_loop_test(resuming, who_comes_back_goes_on_where_it_was, 0, 4);
    tcase_add_test(resuming, resume_into_another_upstream_is_unknown);
    tcase_add_test(resuming, resume_of_a_private_channel_is_unknown);
    tcase_add_test(resuming, resume_at_another_users_position_is_unknown);
    tcase_add_test(bounds, a_replay_makes_nobody_slow);
    tcase_add_test(bounds, what_is_kept_is_bounded);
    tcase_add_test(bounds, what_is_kept_gives_way_before_anybody_suffers);
    tcase_add_test(bounds, where_nobody_can_join_nothing_is_kept);
    tcase_add_test(bounds, what_another_upstream_keeps_gives_way_too);
    return suite;
}
