/*
 * test_sharing: who meets whom on an upstream, what those who come and go see, and when it closes.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage. The promises of sharing 1, 3, 4, 5, 9
 * and 12 of the design, and the classic faults of shared sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/sharing_story.h"

/* --- who meets --- */

START_TEST(one_upstream_serves_all_that_share)
{
    a_and_b_share();
    peer_sends(peer, "one");
    peer_sends(peer, "two");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "one two");
    ck_assert_str_eq(program_heard(&b), "one two");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_UPSTREAMS), 1);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_CHANNELS), 2);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

START_TEST(private_means_an_upstream_of_its_own)
{
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_PRIVATE);
    opens(&c, STAGE_PRIVATE);
    ck_assert_uint_eq(stage.n_peers, 3);
    ck_assert_uint_eq(stage.shares.n_upstreams, 3);
}
END_TEST

START_TEST(users_do_not_meet)
{
    opens(&a, STAGE_SHARED);
    ck_assert_int_eq(program_opens(&b, &stage, STAGE_UID + 1, URL, STAGE_SHARED), 0);
    ck_assert_uint_eq(stage.n_peers, 2);
}
END_TEST

START_TEST(other_urls_do_not_meet)
{
    opens(&a, STAGE_SHARED);
    ck_assert_int_eq(program_opens(&b, &stage, STAGE_UID, URL "?x", STAGE_SHARED), 0);
    ck_assert_int_eq(
        program_opens(&c, &stage, STAGE_UID, "HTTPS://FEED.example:443/./live", STAGE_SHARED), 0);
    ck_assert_uint_eq(stage.n_peers, 2);
    ck_assert_ptr_eq(c.channel.share, a.channel.share);
}
END_TEST

START_TEST(one_more_upstream_than_allowed_is_refused)
{
    stage.quota.limits[QUOTA_UPSTREAMS] = 1;
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED); /* needs none of its own */
    ck_assert_int_eq(program_opens(&c, &stage, STAGE_UID, URL, STAGE_PRIVATE), WSP_CAUSE_QUOTA);
    ck_assert_uint_eq(stage.n_peers, 1);
}
END_TEST

START_TEST(one_more_channel_than_allowed_can_still_be_told)
{
    struct failure failure;

    stage.quota.limits[QUOTA_CHANNELS] = 1;
    opens(&a, STAGE_SHARED);
    ck_assert_int_eq(program_opens(&b, &stage, STAGE_UID, URL, STAGE_SHARED), QUOTA_EXCEEDED);
    failure_set(&failure, WSP_CAUSE_QUOTA, 0, "one channel is allowed");
    channel_fail(&b.channel, &failure);
    channel_fail(&b.channel, &failure);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "error(quota) close(1006)");
}
END_TEST

/* --- joining --- */

START_TEST(joining_an_open_upstream_is_immediate)
{
    opens(&a, STAGE_SHARED);
    peer_opens(peer, "chat");
    peer_sends(peer, "before");
    stage_turn(&stage);
    opens(&b, STAGE_SHARED);
    ck_assert_uint_eq(b.channel.first_number, 2);
    peer_sends(peer, "after");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open(chat) before after");
    ck_assert_str_eq(program_heard(&b), "open(chat) after");
}
END_TEST

START_TEST(who_joins_while_another_lags_sees_only_what_comes)
{
    a_and_b_share();
    program_stops_reading(&a);
    peer_sends(peer, "one");
    peer_sends(peer, "two");
    stage_turn(&stage);
    opens(&c, STAGE_SHARED);
    peer_sends(peer, "three");
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "one two three");
    ck_assert_str_eq(program_heard(&b), "one two three");
    ck_assert_str_eq(program_heard(&c), "open three");
}
END_TEST

START_TEST(the_same_url_twice_in_one_client_is_two_channels)
{
    a_and_b_share();
    ck_assert_uint_ne(a.channel.id, b.channel.id);
    program_closes(&a, 1000, "");
    peer_sends(peer, "still here");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1000)");
    ck_assert_str_eq(program_heard(&b), "still here");
}
END_TEST

START_TEST(join_wins_the_race_with_the_last_leave)
{
    opens(&a, STAGE_SHARED);
    peer_opens(peer, "");
    stage_turn(&stage);
    program_closes(&a, 1000, "");
    opens(&b, STAGE_SHARED); /* in the same turn */
    stage_turn(&stage);
    ck_assert_uint_eq(stage.n_peers, 1);
    ck_assert(!peer->is_close_asked);
    peer_sends(peer, "x");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open close(clean 1000)");
    ck_assert_str_eq(program_heard(&b), "open x");
}
END_TEST

/* A server may allow one connection: the new one waits for the end of the old. */
START_TEST(who_comes_when_it_closes_gets_a_new_one)
{
    struct upstream *old = a_and_b_share();

    peer_starts_closing(old);
    opens(&c, STAGE_SHARED);
    stage_turn(&stage);
    ck_assert_uint_eq(stage.n_peers, 1);
    peer_sends(old, "late");
    peer_ends(old, true, 4000, "bye");
    ck_assert_uint_eq(stage.n_peers, 1); /* nothing is started from within the old one's call */
    stage_turn(&stage);
    ck_assert_uint_eq(stage.n_peers, 2);
    peer_opens(stage_peer(&stage), "new");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "closing late close(clean 4000 bye)");
    ck_assert_str_eq(program_heard(&b), "closing late close(clean 4000 bye)");
    ck_assert_str_eq(program_heard(&c), "open(new)");
}
END_TEST

START_TEST(who_comes_when_it_has_ended_gets_a_new_one)
{
    struct upstream *old = a_and_b_share();

    program_stops_reading(&a);
    peer_sends(old, "unread");
    peer_fails(old, WSP_CAUSE_LOST);
    opens(&c, STAGE_SHARED);
    ck_assert_uint_eq(stage.n_peers, 2);
    stage_turn(&stage);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "unread error(lost) close(1006)");
}
END_TEST

/* --- leaving --- */

START_TEST(close_detaches_at_once_and_clean)
{
    a_and_b_share();
    program_closes(&a, 4321, "enough");
    program_closes(&a, 1000, "harmless");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 4321 enough)");
    program_closes(&b, 0, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "close(clean 1005)");
    ck_assert(peer->is_close_asked);
    ck_assert_uint_eq(peer->close_code, 1000);
    ck_assert_str_eq(peer->close_reason, "");
    ck_assert_uint_eq(stage.shares.n_upstreams, 1); /* nobody waited for the server */
    peer_ends(peer, true, 1000, "");
    stage_turn(&stage);
    ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    ck_assert(peer->is_freed);
}
END_TEST

START_TEST(last_leaver_is_not_told_twice)
{
    a_and_b_share();
    program_closes(&b, 1000, "");
    program_closes(&a, 3000, "mine");
    stage_turn(&stage);
    peer_fails(peer, WSP_CAUSE_LOST); /* the closing handshake fails, which is nobody's concern */
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 3000 mine)");
    ck_assert_str_eq(program_heard(&b), "close(clean 1000)");
}
END_TEST

/* After exactly that long. */
static void is_closed_after(uint64_t ms)
{
    stage_wait(&stage, ms - 1);
    ck_assert(!peer->is_close_asked);
    stage_wait(&stage, 1);
    ck_assert(peer->is_close_asked);
}

START_TEST(linger_keeps_the_upstream_for_who_comes_in_time)
{
    stage.linger_ms = 500;
    a_and_b_share();
    program_closes(&a, 1000, "");
    program_closes(&b, 1000, "");
    stage_wait(&stage, 499);
    ck_assert(!peer->is_close_asked);
    peer_sends(peer, "unheard");
    opens(&c, STAGE_SHARED);
    stage_wait(&stage, 1000);
    ck_assert(!peer->is_close_asked);
    ck_assert_str_eq(program_heard(&c), "open");
    ck_assert_uint_eq(c.channel.first_number, 2);
    program_closes(&c, 1000, "");
    stage_wait(&stage, 400);
    peer_sends(peer, "does not begin it anew");
    is_closed_after(100);
    ck_assert_uint_eq(peer->close_code, 1000);
}
END_TEST

START_TEST(longest_linger_of_all_that_joined_holds)
{
    stage.linger_ms = 100;
    a_and_b_share();
    stage.linger_ms = 500;
    opens(&c, STAGE_SHARED);
    program_closes(&c, 1000, "");
    program_deinit(&c);
    stage.linger_ms = 0;
    opens(&c, STAGE_SHARED);
    program_closes(&a, 1000, "");
    program_closes(&b, 1000, "");
    program_closes(&c, 1000, "");
    is_closed_after(500);
}
END_TEST

START_TEST(linger_begins_anew_with_each_last_leave)
{
    stage.linger_ms = 500;
    a_and_b_share();
    program_closes(&a, 1000, "");
    program_closes(&b, 1000, "");
    stage_wait(&stage, 300);
    opens(&c, STAGE_SHARED);
    stage_wait(&stage, 100);
    program_closes(&c, 1000, "");
    is_closed_after(500);
}
END_TEST

/* One that has left still reads what stood before its end, and lags: that is looked at in each turn with a message. */
START_TEST(linger_is_not_prolonged_by_what_still_comes)
{
    stage.linger_ms = 500;
    a_and_b_share();
    program_stops_reading(&a);
    peer_sends(peer, "unread");
    stage_turn(&stage);
    program_closes(&a, 1000, "");
    program_closes(&b, 1000, "");
    stage_wait(&stage, 400);
    peer_sends(peer, "too late for both");
    is_closed_after(100);
}
END_TEST

START_TEST(last_client_that_dies_starts_linger_too)
{
    stage.linger_ms = 500;
    a_and_b_share();
    channel_abandon(&a.channel);
    channel_abandon(&b.channel);
    channel_abandon(&b.channel);
    ck_assert_uint_eq(a.n_gone, 1);
    ck_assert_uint_eq(b.n_gone, 1);
    is_closed_after(500);
    ck_assert_uint_eq(peer->close_code, 1000);
}
END_TEST

START_TEST(messages_before_a_close_are_still_heard)
{
    a_and_b_share();
    program_stops_reading(&a);
    peer_sends(peer, "one");
    peer_sends(peer, "two");
    stage_turn(&stage);
    program_closes(&a, 1000, "");
    peer_sends(peer, "three");
    program_reads(&a, 1);
    stage_turn(&stage);
    peer_sends(peer, "four");
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "one two close(clean 1000)");
    ck_assert_str_eq(program_heard(&b), "one two three four");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

START_TEST(who_wants_no_more_gets_no_more)
{
    a_and_b_share();
    program_stops_reading(&a);
    peer_sends(peer, "one");
    stage_turn(&stage);
    channel_close(&a.channel, 1000, (struct wsp_view){0}, true);
    ck_assert_uint_eq(a.n_cuts, 1);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1000)");
    ck_assert_str_eq(program_heard(&b), "one");
}
END_TEST

START_TEST(discard_may_come_after_close)
{
    opens(&a, STAGE_PRIVATE);
    peer_opens(peer, "");
    stage_turn(&stage);
    program_stops_reading(&a);
    peer_sends(peer, "one");
    stage_turn(&stage);
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    channel_close(&a.channel, 3000, (struct wsp_view){0}, true);
    peer_sends(peer, "two");
    peer_ends(peer, true, 1000, "");
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open close(clean 1000)");
    ck_assert_uint_eq(peer->close_code, 1000);
}
END_TEST

/* --- closing while connecting (WHATWG: fail the connection) --- */

START_TEST(close_while_connecting_fails_only_that_channel)
{
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(cancelled) close(1006)");
    ck_assert(!peer->is_close_asked);
    peer_opens(peer, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open");
}
END_TEST

START_TEST(last_close_while_connecting_gives_up)
{
    stage.linger_ms = 500;
    opens(&a, STAGE_SHARED);
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    ck_assert(peer->is_close_asked);
    ck_assert_uint_eq(peer->close_code, 0);
    opens(&b, STAGE_SHARED); /* what is given up is not joinable */
    stage_turn(&stage);
    ck_assert_uint_eq(stage.n_peers, 1);
    peer_fails(peer, WSP_CAUSE_CONNECT);
    stage_turn(&stage);
    ck_assert_uint_eq(stage.n_peers, 2);
    ck_assert_str_eq(program_heard(&a), "error(cancelled) close(1006)");
    ck_assert_str_eq(program_heard(&b), "");
}
END_TEST

/* The daemon's OPENED and the program's close() may cross; for the program it had not opened. */
START_TEST(close_before_open_was_told_is_close_while_connecting)
{
    opens(&a, STAGE_SHARED);
    peer_opens(peer, "");
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(cancelled) close(1006)");
    ck_assert_uint_eq(peer->close_code, 1000);
}
END_TEST

/* --- a program that does things in the middle of being told --- */

static void closes_in_wake(struct program *program)
{
    program->on_wake = NULL;
    program_closes(program, 1000, "");
}

static void dies_in_wake(struct program *program)
{
    program->on_wake = NULL;
    channel_abandon(&program->channel);
}

static void takes_the_other_along(struct program *program)
{
    struct program *other = program->data;

    program->on_wake = NULL;
    program_deinit(other);
    program_deinit(program);
}

static void joins_again(struct program *program)
{
    program->on_wake = NULL;
    opens(program->data, STAGE_SHARED);
}

START_TEST(leave_within_the_wake_of_a_message)
{
    a_and_b_share();
    a.on_wake = closes_in_wake;
    b.on_wake = dies_in_wake;
    peer_sends(peer, "one");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "one close(clean 1000)");
    ck_assert_uint_eq(b.n_gone, 1);
    ck_assert(peer->is_close_asked);
}
END_TEST

/* Loop test over who is woken first, and by what. */
START_TEST(freed_within_the_wake)
{
    struct program *first = _i % 2 == 0 ? &a : &b;

    a_and_b_share();
    opens(&c, STAGE_SHARED);
    stage_turn(&stage);
    program_heard(&c);
    first->on_wake = takes_the_other_along;
    first->data = first == &a ? &b : &a;
    if (_i / 2 == 0)
        peer_sends(peer, "x");
    else if (_i / 2 == 1)
        peer_starts_closing(peer);
    else
        peer_fails(peer, WSP_CAUSE_LOST);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), _i / 2 == 0   ? "x"
                                        : _i / 2 == 1 ? "closing"
                                                      : "error(lost) close(1006)");
}
END_TEST

START_TEST(freed_within_the_wake_of_open)
{
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    a.on_wake = takes_the_other_along;
    a.data = &b;
    peer_opens(peer, "");
    stage_turn(&stage);
    ck_assert(peer->is_close_asked);
}
END_TEST

START_TEST(join_within_the_wake)
{
    a_and_b_share();
    a.on_wake = joins_again;
    a.data = &c;
    peer_sends(peer, "one");
    peer_sends(peer, "two");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "one two");
    ck_assert_str_eq(program_heard(&c), "open two");
}
END_TEST

START_TEST(join_within_the_wake_of_open)
{
    opens(&a, STAGE_SHARED);
    a.on_wake = joins_again;
    a.data = &c;
    peer_opens(peer, "");
    peer_sends(peer, "x");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open x");
    ck_assert_str_eq(program_heard(&c), "open x");
}
END_TEST

/* --- fan-out --- */

START_TEST(a_thousand_channels_hold_a_message_once)
{
    enum { N = 1000, N_MESSAGES = 50 };
    struct program *crowd = calloc(N, sizeof(*crowd));
    char text[16];

    ck_assert_ptr_nonnull(crowd);
    for (int i = 0; i < N; i++)
        opens(&crowd[i], STAGE_SHARED);
    peer_opens(peer, "");
    stage_turn(&stage);
    for (int i = 0; i < N; i++)
        crowd[i].n_wakes = 0;
    peer_sends(peer, "first");
    ck_assert_uint_le(stage_used(&stage, QUOTA_QUEUED_BYTES), 5 + 256);
    for (int i = 1; i < N_MESSAGES; i++) {
        snprintf(text, sizeof(text), "m%d", i);
        peer_sends(peer, text);
    }
    for (int i = 0; i < N; i++)
        ck_assert_uint_eq(crowd[i].n_wakes, 1); /* caught up once, woken once */
    stage_turn(&stage);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    for (int i = 0; i < N; i++) {
        const char *heard = program_heard(&crowd[i]);

        ck_assert_uint_eq(crowd[i].n_heard, N_MESSAGES);
        ck_assert_ptr_nonnull(strstr(heard, "open first m1 m2 m3 "));
        program_deinit(&crowd[i]);
    }
    ck_assert_uint_eq(stage.n_peers, 1);
    free(crowd);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sharing");
    TCase *meeting = story_case(suite, "meeting");
    TCase *joining = story_case(suite, "joining");
    TCase *leaving = story_case(suite, "leaving");
    TCase *wakes = story_case(suite, "wakes");

    tcase_add_test(meeting, one_upstream_serves_all_that_share);
    tcase_add_test(meeting, private_means_an_upstream_of_its_own);
    tcase_add_test(meeting, users_do_not_meet);
    tcase_add_test(meeting, other_urls_do_not_meet);
    tcase_add_test(meeting, one_more_upstream_than_allowed_is_refused);
    tcase_add_test(meeting, one_more_channel_than_allowed_can_still_be_told);
    tcase_add_test(meeting, a_thousand_channels_hold_a_message_once);
    tcase_add_test(joining, joining_an_open_upstream_is_immediate);
    tcase_add_test(joining, who_joins_while_another_lags_sees_only_what_comes);
    tcase_add_test(joining, the_same_url_twice_in_one_client_is_two_channels);
    tcase_add_test(joining, join_wins_the_race_with_the_last_leave);
    tcase_add_test(joining, who_comes_when_it_closes_gets_a_new_one);
    tcase_add_test(joining, who_comes_when_it_has_ended_gets_a_new_one);
    tcase_add_test(leaving, close_detaches_at_once_and_clean);
    tcase_add_test(leaving, last_leaver_is_not_told_twice);
    tcase_add_test(leaving, linger_keeps_the_upstream_for_who_comes_in_time);
    tcase_add_test(leaving, longest_linger_of_all_that_joined_holds);
    tcase_add_test(leaving, linger_begins_anew_with_each_last_leave);
    tcase_add_test(leaving, linger_is_not_prolonged_by_what_still_comes);
    tcase_add_test(leaving, last_client_that_dies_starts_linger_too);
    tcase_add_test(leaving, messages_before_a_close_are_still_heard);
    tcase_add_test(leaving, who_wants_no_more_gets_no_more);
    tcase_add_test(leaving, discard_may_come_after_close);
    tcase_add_test(leaving, close_while_connecting_fails_only_that_channel);
    tcase_add_test(leaving, last_close_while_connecting_gives_up);
    tcase_add_test(leaving, close_before_open_was_told_is_close_while_connecting);
    tcase_add_test(wakes, leave_within_the_wake_of_a_message);
    tcase_add_loop_test(wakes, freed_within_the_wake, 0, 6);
    tcase_add_test(wakes, freed_within_the_wake_of_open);
    tcase_add_test(wakes, join_within_the_wake);
    tcase_add_test(wakes, join_within_the_wake_of_open);
    return suite;
}
