/*
 * test_sending: what programs send on its way up: whole, in order, fair, and counted.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage. The promises of sharing 2 and 4 of the
 * design, as far as they are about sends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/sharing_story.h"

/* --- fairness --- */

START_TEST(senders_take_turns)
{
    all_share();
    sends(&a, "a1");
    sends(&a, "a2");
    sends(&a, "a3");
    sends(&b, "b1");
    sends(&c, "c1");
    sends(&c, "c2");
    ck_assert_str_eq(peer_receives(peer), "a1 b1 c1 a2 c2 a3");
}
END_TEST

/* A flood that never ends must not keep one message waiting for more than the others' next ones. */
START_TEST(flood_does_not_starve)
{
    struct outgoing *outgoing;
    unsigned n_before = 0;

    all_share();
    for (int i = 0; i < 1000; i++)
        sends(&a, "a");
    sends(&b, "b");
    while ((outgoing = peer_takes(peer)) != NULL && outgoing->channel != &b.channel) {
        sends(&a, "a");
        n_before++;
        peer_writes(peer, outgoing);
    }
    ck_assert_uint_le(n_before, 1);
    peer_writes(peer, outgoing);
}
END_TEST

START_TEST(taken_ones_keep_their_order_in_flight)
{
    struct outgoing *first, *second;

    all_share();
    sends(&a, "1");
    sends(&a, "2");
    sends(&a, "3");
    first = peer_takes(peer);
    second = peer_takes(peer);
    unit_assert_bytes(wsp_buffer_peek(&first->payload), 1, "1", 1);
    unit_assert_bytes(wsp_buffer_peek(&second->payload), 1, "2", 1);
    peer_writes(peer, first);
    ck_assert_str_eq(peer_receives(peer), "3");
    peer_writes(peer, second);
    ck_assert_ptr_null(peer_takes(peer));
}
END_TEST

/* --- bufferedAmount --- */

START_TEST(sent_counts_bytes_that_reached_the_network)
{
    struct outgoing *outgoing;

    a_is_open(STAGE_PRIVATE);
    sends(&a, "hello");
    sends(&a, "world!");
    ck_assert_uint_eq(a.channel.outbox_bytes, 11);
    outgoing = peer_takes(peer);
    peer_writes_part(peer, outgoing, 2);
    stage_turn(&stage);
    ck_assert_uint_eq(a.sent_told, 2);
    ck_assert_uint_eq(a.channel.cost_done, 0);
    peer_writes_part(peer, outgoing, 0);
    ck_assert_uint_eq(channel_due(&a.channel), 0);
    peer_writes(peer, outgoing);
    ck_assert_uint_eq(a.channel.outbox_bytes, 6);
    ck_assert_uint_eq(a.channel.cost_done, 5 + 12);
    ck_assert_str_eq(peer_receives(peer), "world!");
    stage_turn(&stage);
    ck_assert_uint_eq(a.sent_told, 11);
    ck_assert_uint_eq(a.channel.n_sent, 2);
    ck_assert_uint_eq(a.channel.outbox_bytes, 0);
    ck_assert_uint_eq(a.channel.share->n_out, 2);
    ck_assert_uint_eq(a.channel.share->n_out_bytes, 11);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SENDING_BYTES), 0);
}
END_TEST

START_TEST(empty_message_is_a_message)
{
    a_is_open(STAGE_PRIVATE);
    sends(&a, "");
    ck_assert_str_eq(peer_receives(peer), "");
    stage_turn(&stage);
    ck_assert_uint_eq(a.channel.n_sent, 1);
    ck_assert_uint_eq(a.channel.cost_done, 12);
}
END_TEST

START_TEST(what_an_end_overtakes_is_never_sent)
{
    a_is_open(STAGE_PRIVATE);
    sends(&a, "taken");
    sends(&a, "waiting");
    peer_takes(peer);
    peer_fails(peer, WSP_CAUSE_LOST);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(lost) close(1006)");
    ck_assert_uint_eq(a.sent_told, 0);
    ck_assert_uint_eq(a.channel.outbox_bytes, 12);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SENDING_BYTES), 0);
}
END_TEST

/* --- when it is not the time --- */

START_TEST(sends_before_open_wait_for_it)
{
    unsigned n_wakes;

    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    opens(&c, STAGE_SHARED);
    sends(&a, "a1");
    sends(&b, "b1");
    sends(&a, "a2");
    program_closes(&b, 1000, "");
    ck_assert_ptr_null(peer_takes(peer));
    n_wakes = peer->n_wakes;
    peer_opens(peer, "");
    ck_assert_uint_gt(peer->n_wakes, n_wakes);
    sends(&c, "c1");
    stage_turn(&stage);
    ck_assert_str_eq(peer_receives(peer), "a1 c1 a2");
    ck_assert_str_eq(program_heard(&a), "open");
    ck_assert_str_eq(program_heard(&b), "error(cancelled) close(1006)");
}
END_TEST

START_TEST(sends_before_open_of_a_dead_client_still_go)
{
    opens(&a, STAGE_PRIVATE);
    sends(&a, "fire");
    sends(&a, "forget");
    channel_abandon(&a.channel);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_gone, 0);
    ck_assert(!peer->is_close_asked);
    peer_opens(peer, "");
    peer_sends(peer, "unheard");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    ck_assert_str_eq(peer_receives(peer), "fire forget");
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_gone, 1);
    ck_assert_uint_eq(peer->close_code, 1001);
}
END_TEST

START_TEST(sends_before_an_open_that_fails_are_dropped)
{
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    sends(&a, "fire");
    sends(&b, "forget");
    channel_abandon(&b.channel);
    peer_fails(stage_peer(&stage), WSP_CAUSE_CONNECT);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(connect) close(1006)");
    ck_assert_uint_eq(b.n_gone, 1);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SENDING_BYTES), 0);
}
END_TEST

START_TEST(send_after_close_goes_nowhere)
{
    a_is_open(STAGE_PRIVATE);
    sends(&a, "before");
    program_closes(&a, 1000, "");
    sends(&a, "after");
    ck_assert_str_eq(peer_receives(peer), "before");
    stage_turn(&stage);
    sends(&a, "after");
    ck_assert_str_eq(peer_receives(peer), "");
    peer_ends(peer, true, 1000, "");
    sends(&a, "after");
    stage_turn(&stage);
    sends(&a, "after");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SENDING_BYTES), 0);
    ck_assert_uint_eq(a.sent_told, 6);
}
END_TEST

START_TEST(nothing_goes_once_the_server_closes)
{
    all_share();
    sends(&a, "waits");
    peer_starts_closing(peer);
    ck_assert_ptr_null(peer_takes(peer));
    sends(&a, "goes nowhere");
    peer_ends(peer, true, 1001, "bye");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "closing close(clean 1001 bye)");
}
END_TEST

/* --- close lets one's own sends go first --- */

START_TEST(shared_close_waits_for_its_own_sends_only)
{
    struct outgoing *of_a, *of_b;

    all_share();
    sends(&a, "a1");
    sends(&a, "a2");
    sends(&b, "b1");
    program_closes(&a, 3000, "done");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "");
    of_a = peer_takes(peer);
    of_b = peer_takes(peer);
    ck_assert_ptr_eq(of_b->channel, &b.channel);
    peer_writes(peer, of_a);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "");
    of_a = peer_takes(peer);
    peer_writes(peer, of_a);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 3000 done)");
    ck_assert_uint_eq(a.sent_told, 4);
    peer_writes(peer, of_b);
}
END_TEST

START_TEST(private_close_waits_for_sends_then_for_the_server)
{
    a_is_open(STAGE_PRIVATE);
    sends(&a, "last words");
    program_closes(&a, 4000, "because");
    stage_turn(&stage);
    ck_assert(!peer->is_close_asked);
    ck_assert_int_eq(a.channel.state, CHANNEL_LEAVING);
    ck_assert_str_eq(peer_receives(peer), "last words");
    stage_turn(&stage);
    ck_assert(peer->is_close_asked);
    ck_assert_uint_eq(peer->close_code, 4000);
    ck_assert_str_eq(peer->close_reason, "because");
    ck_assert_int_eq(a.channel.state, CHANNEL_CLOSING);
    peer_sends(peer, "in between");
    peer_ends(peer, true, 4001, "server's");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "in between close(clean 4001 server's)");
}
END_TEST

START_TEST(close_without_a_code_has_none_on_the_wire)
{
    a_is_open(STAGE_PRIVATE);
    program_closes(&a, 0, "");
    stage_turn(&stage);
    ck_assert(peer->is_close_asked);
    ck_assert_uint_eq(peer->close_code, 0);
    peer_ends(peer, true, 1005, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1005)");
}
END_TEST

START_TEST(server_that_closes_first_overtakes_a_close_that_waits)
{
    a_is_open(STAGE_PRIVATE);
    sends(&a, "never goes");
    program_closes(&a, 3000, "");
    peer_starts_closing(peer);
    stage_turn(&stage);
    ck_assert(!peer->is_close_asked);
    peer_ends(peer, true, 1001, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1001)"); /* it asked itself: no CLOSING */
}
END_TEST

/* --- a server that takes nothing --- */

/* Loop test: shared and private, the client there and gone. */
START_TEST(who_leaves_does_not_wait_for_ever)
{
    bool is_private = _i & 1, is_dead = _i & 2;

    if (is_private)
        a_is_open(STAGE_PRIVATE);
    else
        all_share();
    sends(&a, "stuck");
    peer_takes(peer);
    sends(&a, "behind it");
    if (is_dead)
        channel_abandon(&a.channel);
    else
        program_closes(&a, 1000, "");
    stage_wait(&stage, TARGET_DEFAULT_CLOSE_TIMEOUT_MS - 1);
    stage_turn(&stage);
    ck_assert_int_eq(a.channel.state, CHANNEL_LEAVING);
    stage_wait(&stage, 1);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), is_dead ? "" : "error(timeout) close(1006)");
    ck_assert_uint_eq(a.n_gone, is_dead);
    ck_assert_int_eq(peer->is_close_asked, is_private);
    if (!is_private) {
        sends(&b, "goes on");
        ck_assert_str_eq(peer_receives(peer), "goes on");
    }
}
END_TEST

START_TEST(who_leaves_waits_while_the_server_takes_something)
{
    struct outgoing *outgoing;

    a_is_open(STAGE_PRIVATE);
    sends(&a, "slow");
    outgoing = peer_takes(peer);
    program_closes(&a, 1000, "");
    for (size_t i = 0; i < 3; i++) {
        stage_wait(&stage, TARGET_DEFAULT_CLOSE_TIMEOUT_MS - 1);
        peer_writes_part(peer, outgoing, 1);
        stage_wait(&stage, 1);
        stage_turn(&stage);
        ck_assert_int_eq(a.channel.state, CHANNEL_LEAVING);
    }
    peer_writes(peer, outgoing);
    stage_turn(&stage);
    ck_assert_uint_eq(peer->close_code, 1000);
    peer_ends(peer, true, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1000)");
}
END_TEST

/* --- clients that vanish --- */

START_TEST(whole_messages_of_a_dead_client_still_go)
{
    all_share();
    sends(&a, "a1");
    sends(&a, "a2");
    channel_abandon(&a.channel);
    peer_sends(peer, "for the living");
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_gone, 0);
    ck_assert_str_eq(peer_receives(peer), "a1 a2");
    ck_assert_uint_eq(a.n_gone, 1);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "");
    ck_assert_str_eq(program_heard(&b), "for the living");
}
END_TEST

START_TEST(dead_client_of_a_private_upstream_closes_it_with_1001)
{
    a_is_open(STAGE_PRIVATE);
    sends(&a, "a1");
    channel_abandon(&a.channel);
    stage_turn(&stage);
    ck_assert(!peer->is_close_asked);
    ck_assert_str_eq(peer_receives(peer), "a1");
    ck_assert_uint_eq(a.n_gone, 0);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_gone, 1);
    ck_assert_uint_eq(peer->close_code, 1001);
    program_deinit(&a);
    peer_ends(peer, true, 1001, "");
    stage_turn(&stage);
    ck_assert(peer->is_freed);
}
END_TEST

START_TEST(dead_client_that_had_asked_to_close_closes_as_it_asked)
{
    a_is_open(STAGE_PRIVATE);
    sends(&a, "a1");
    program_closes(&a, 3000, "x");
    channel_abandon(&a.channel);
    ck_assert_str_eq(peer_receives(peer), "a1");
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_gone, 1);
    ck_assert_uint_eq(peer->close_code, 3000);
    ck_assert_str_eq(peer->close_reason, "x");
}
END_TEST

/* Loop test: the upstream ends in each way while a dead client's message waits. */
START_TEST(dead_client_goes_when_its_upstream_does)
{
    all_share();
    sends(&a, "in flight");
    sends(&a, "waits");
    peer_takes(peer);
    channel_abandon(&a.channel);
    if (_i == 0)
        peer_starts_closing(peer);
    else if (_i == 1)
        peer_fails(peer, WSP_CAUSE_LOST);
    else
        share_close(a.channel.share, 1000, (struct wsp_view){0});
    ck_assert_uint_eq(a.n_gone, 1);
}
END_TEST

START_TEST(what_is_in_flight_survives_its_channel)
{
    struct outgoing *outgoing;

    all_share();
    sends(&a, "in flight");
    sends(&a, "dropped");
    outgoing = peer_takes(peer);
    program_deinit(&a);
    ck_assert_ptr_null(outgoing->channel);
    peer_writes(peer, outgoing);
    ck_assert_uint_eq(peer->share->n_out_bytes, 9);
    ck_assert_ptr_null(peer_takes(peer));
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SENDING_BYTES), 0);
}
END_TEST

START_TEST(failed_channel_sends_no_more)
{
    struct failure failure;
    struct outgoing *outgoing;

    all_share();
    sends(&a, "in flight");
    sends(&a, "dropped");
    outgoing = peer_takes(peer);
    failure_set(&failure, WSP_CAUSE_TOO_BIG, 0, "17 MiB");
    channel_fail(&a.channel, &failure);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "error(too-big) close(1006)");
    peer_writes(peer, outgoing);
    ck_assert_ptr_null(peer_takes(peer));
    peer_sends(peer, "x");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "");
    ck_assert_str_eq(program_heard(&b), "x");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("sending");
    TCase *fair = story_case(suite, "fair");
    TCase *counted = story_case(suite, "counted");
    TCase *closing = story_case(suite, "closing");
    TCase *vanished = story_case(suite, "vanished");

    tcase_add_test(fair, senders_take_turns);
    tcase_add_test(fair, flood_does_not_starve);
    tcase_add_test(fair, taken_ones_keep_their_order_in_flight);
    tcase_add_test(counted, sent_counts_bytes_that_reached_the_network);
    tcase_add_test(counted, empty_message_is_a_message);
    tcase_add_test(counted, what_an_end_overtakes_is_never_sent);
    tcase_add_test(counted, sends_before_open_wait_for_it);
    tcase_add_test(counted, sends_before_open_of_a_dead_client_still_go);
    tcase_add_test(counted, sends_before_an_open_that_fails_are_dropped);
    tcase_add_test(counted, send_after_close_goes_nowhere);
    tcase_add_test(closing, nothing_goes_once_the_server_closes);
    tcase_add_test(closing, shared_close_waits_for_its_own_sends_only);
    tcase_add_test(closing, private_close_waits_for_sends_then_for_the_server);
    tcase_add_test(closing, close_without_a_code_has_none_on_the_wire);
    tcase_add_test(closing, server_that_closes_first_overtakes_a_close_that_waits);
    tcase_add_test(vanished, whole_messages_of_a_dead_client_still_go);
    tcase_add_test(vanished, dead_client_of_a_private_upstream_closes_it_with_1001);
    tcase_add_test(vanished, dead_client_that_had_asked_to_close_closes_as_it_asked);
    tcase_add_loop_test(closing, who_leaves_does_not_wait_for_ever, 0, 4);
    tcase_add_test(closing, who_leaves_waits_while_the_server_takes_something);
    tcase_add_loop_test(vanished, dead_client_goes_when_its_upstream_does, 0, 3);
    tcase_add_test(vanished, what_is_in_flight_survives_its_channel);
    tcase_add_test(vanished, failed_channel_sends_no_more);
    return suite;
}
