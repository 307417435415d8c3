/*
 * test_ends: how an upstream's end reaches its channels, and how the daemon ends upstreams itself.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage. Promises 5 and 12 of sharing of the
 * design, and draining.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>

#include "tests/harness/sharing_story.h"

/* --- the server ends it --- */

START_TEST(every_channel_gets_code_and_reason)
{
    a_and_b_share();
    peer_sends(peer, "last");
    peer_starts_closing(peer);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "last closing");
    peer_ends(peer, true, 4242, "over and out");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 4242 over and out)");
    ck_assert_str_eq(program_heard(&b), "last closing close(clean 4242 over and out)");
    ck_assert(peer->is_freed);
    ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_UPSTREAMS), 0);
}
END_TEST

START_TEST(failure_is_error_then_1006)
{
    a_and_b_share();
    peer_fails(peer, WSP_CAUSE_PROTOCOL);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(protocol) close(1006)");
    ck_assert_str_eq(program_heard(&b), "error(protocol) close(1006)");
}
END_TEST

START_TEST(failed_opening_reaches_all_that_wait)
{
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    peer_fails(peer, WSP_CAUSE_TLS);
    opens(&c, STAGE_SHARED); /* tries anew */
    ck_assert_uint_eq(stage.n_peers, 2);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(tls) close(1006)");
    ck_assert_str_eq(program_heard(&b), "error(tls) close(1006)");
    ck_assert_str_eq(program_heard(&c), "");
}
END_TEST

START_TEST(each_fetches_what_stands_before_the_end_at_its_own_pace)
{
    a_and_b_share();
    program_stops_reading(&a);
    peer_sends(peer, "one");
    peer_sends(peer, "two");
    peer_starts_closing(peer);
    peer_ends(peer, true, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "one two closing close(clean 1000)");
    ck_assert(peer->is_freed);
    ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    program_reads(&a, 1);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "one");
    program_reads(&a, 1);
    stage_turn(&stage);
    program_reads(&a, 1);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "two closing close(clean 1000)");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

START_TEST(closing_stands_where_it_was_said)
{
    opens(&a, STAGE_PRIVATE);
    peer_opens(peer, "");
    program_stops_reading(&a);
    peer_sends(peer, "one");
    peer_starts_closing(peer);
    peer_sends(peer, "two"); /* as when it is we who started */
    peer_ends(peer, true, 1000, "");
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open one closing two close(clean 1000)");
}
END_TEST

START_TEST(end_before_open_was_told_comes_after_open)
{
    opens(&a, STAGE_SHARED);
    peer_opens(peer, "p");
    peer_sends(peer, "hello");
    peer_ends(peer, true, 1000, "short");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open(p) hello close(clean 1000 short)");
}
END_TEST

START_TEST(dead_client_of_an_ended_upstream_is_gone_at_once)
{
    a_and_b_share();
    program_stops_reading(&a);
    peer_sends(peer, "unread");
    peer_fails(peer, WSP_CAUSE_LOST);
    stage_turn(&stage);
    channel_abandon(&a.channel);
    ck_assert_uint_eq(a.n_gone, 1);
    channel_abandon(&b.channel); /* had been told its end */
    ck_assert_uint_eq(b.n_gone, 1);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

START_TEST(nothing_is_due_after_the_end)
{
    a_and_b_share();
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1000)");
    peer_sends(peer, "x");
    peer_fails(peer, WSP_CAUSE_LOST);
    program_closes(&a, 1000, "");
    channel_close(&a.channel, 1000, (struct wsp_view){0}, true);
    stage_turn(&stage);
    ck_assert_uint_eq(channel_due(&a.channel), 0);
    ck_assert_ptr_null(channel_peek(&a.channel));
    ck_assert_str_eq(program_heard(&a), "");
}
END_TEST

/* --- the daemon ends it --- */

START_TEST(drain_closes_with_1001_and_refuses_new_ones)
{
    struct upstream *shared, *private, *connecting;
    struct program d, e;

    shared = a_and_b_share();
    opens(&c, STAGE_PRIVATE);
    private = peer;
    peer_opens(private, "");
    ck_assert_int_eq(program_opens(&d, &stage, STAGE_UID, URL "2", STAGE_SHARED), 0);
    connecting = stage_peer(&stage);
    stage_turn(&stage);
    program_heard(&c);
    shares_drain(&stage.shares);
    shares_drain(&stage.shares);
    ck_assert_uint_eq(shared->close_code, 1001);
    ck_assert_uint_eq(private->close_code, 1001);
    ck_assert(connecting->is_close_asked);
    ck_assert_uint_eq(connecting->close_code, 0);
    ck_assert_int_eq(program_opens(&e, &stage, STAGE_UID, URL, STAGE_SHARED), WSP_CAUSE_SHUTDOWN);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&d), "error(shutdown) close(1006)");
    peer_ends(shared, true, 1001, "");
    peer_ends(private, true, 1001, "");
    ck_assert_uint_eq(stage.shares.n_upstreams, 1);
    peer_fails(connecting, WSP_CAUSE_CONNECT);
    ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "closing close(clean 1001)");
    ck_assert_str_eq(program_heard(&b), "closing close(clean 1001)");
    ck_assert_str_eq(program_heard(&c), "closing close(clean 1001)");
    program_deinit(&e);
    program_deinit(&d);
}
END_TEST

START_TEST(drain_does_not_wait_for_linger)
{
    stage.linger_ms = 10000;
    a_and_b_share();
    program_closes(&a, 1000, "");
    program_closes(&b, 1000, "");
    stage_turn(&stage);
    shares_drain(&stage.shares);
    ck_assert_uint_eq(peer->close_code, 1001);
    stage_wait(&stage, 20000);
    peer_ends(peer, true, 1001, "");
}
END_TEST

START_TEST(close_by_request_carries_its_code)
{
    a_and_b_share();
    share_close(peer->share, 3001, WSP_VIEW_LITERAL("maintenance"));
    share_close(peer->share, 3002, WSP_VIEW_LITERAL("harmless"));
    ck_assert_uint_eq(peer->close_code, 3001);
    ck_assert_str_eq(peer->close_reason, "maintenance");
    peer_starts_closing(peer);
    peer_ends(peer, true, 3001, "maintenance");
    share_close(a.channel.share, 1000, (struct wsp_view){0});
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "closing close(clean 3001 maintenance)");
}
END_TEST

START_TEST(close_by_request_while_connecting)
{
    opens(&a, STAGE_PRIVATE);
    share_close(a.channel.share, 3001, (struct wsp_view){0});
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(cancelled) close(1006)");
    ck_assert_uint_eq(peer->close_code, 0);
}
END_TEST

/* An upstream that had opened, in the same turn in which it was given up, must not come back to life. */
START_TEST(open_after_giving_up_is_too_late)
{
    opens(&a, STAGE_SHARED);
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    peer_opens(peer, "");
    opens(&b, STAGE_SHARED);
    ck_assert_ptr_ne(b.channel.share, a.channel.share);
    ck_assert_str_eq(program_heard(&b), "");
    peer_fails(peer, WSP_CAUSE_CANCELLED);
    stage_turn(&stage);
    ck_assert_uint_eq(stage.n_peers, 2);
}
END_TEST

START_TEST(each_change_of_state_is_told_once)
{
    a_and_b_share();
    ck_assert_uint_eq(stage.n_changes, 2);
    peer_starts_closing(peer);
    peer_starts_closing(peer);
    ck_assert_uint_eq(stage.n_changes, 3);
    peer_ends(peer, true, 1000, "");
    ck_assert_uint_eq(stage.n_changes, 4);
}
END_TEST

START_TEST(the_end_of_the_daemon_leaves_nothing)
{
    a_and_b_share();
    program_stops_reading(&a);
    peer_sends(peer, "unread");
    ck_assert_int_eq(program_sends(&b, "in flight"), 0);
    ck_assert_int_eq(program_sends(&b, "waits"), 0);
    peer_takes(peer);
    opens(&c, STAGE_PRIVATE);
    shares_deinit(&stage.shares);
    ck_assert(peer->is_freed);
    ck_assert_ptr_null(a.channel.share);
    ck_assert_int_eq(c.channel.state, CHANNEL_ENDED);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ends");
    TCase *servers = story_case(suite, "servers");
    TCase *ours = story_case(suite, "ours");

    tcase_add_test(servers, every_channel_gets_code_and_reason);
    tcase_add_test(servers, failure_is_error_then_1006);
    tcase_add_test(servers, failed_opening_reaches_all_that_wait);
    tcase_add_test(servers, each_fetches_what_stands_before_the_end_at_its_own_pace);
    tcase_add_test(servers, closing_stands_where_it_was_said);
    tcase_add_test(servers, end_before_open_was_told_comes_after_open);
    tcase_add_test(servers, dead_client_of_an_ended_upstream_is_gone_at_once);
    tcase_add_test(servers, nothing_is_due_after_the_end);
    tcase_add_test(ours, drain_closes_with_1001_and_refuses_new_ones);
    tcase_add_test(ours, drain_does_not_wait_for_linger);
    tcase_add_test(ours, close_by_request_carries_its_code);
    tcase_add_test(ours, close_by_request_while_connecting);
    tcase_add_test(ours, open_after_giving_up_is_too_late);
    tcase_add_test(ours, each_change_of_state_is_told_once);
    tcase_add_test(ours, the_end_of_the_daemon_leaves_nothing);
    return suite;
}
