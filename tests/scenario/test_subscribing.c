/*
 * test_subscribing: what the daemon says of its own accord, and for channels that have subscribed: the greeting,
 * subscriptions, the heartbeat, and in which order all that goes with what channels send.
 *
 * Between the scripted programs and the scripted server of tests/harness/stage. Promise 8 of sharing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "tests/harness/allocation.h"
#include "tests/harness/subscribing_story.h"

/* --- the greeting --- */

START_TEST(the_greeting_goes_before_what_channels_have_sent)
{
    stage.greeting[0] = "login";
    stage.greeting[1] = "list";
    opens(&a, STAGE_SHARED);
    program_sends(&a, "a1");
    peer_opens(peer, "");
    ck_assert_uint_gt(peer->n_wakes, 0);
    ck_assert_str_eq(receives(), "login list a1");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open");
    ck_assert_uint_eq(a.sent_told, 2); /* of its own alone */
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SENDING_BYTES), 0);
}
END_TEST

START_TEST(a_paced_greeting_holds_everything_back)
{
    unsigned n_wakes;

    stage.greeting[0] = "login";
    stage.greeting[1] = "list";
    stage.greeting_interval_ms = PACE;
    opens(&a, STAGE_SHARED);
    subscribes(&a, "+x");
    peer_opens(peer, "");
    program_sends(&a, "a1");
    ck_assert_str_eq(receives(), "login");
    stage_wait(&stage, PACE - 1);
    ck_assert_str_eq(receives(), "");
    n_wakes = peer->n_wakes;
    stage_wait(&stage, 1);
    ck_assert_uint_gt(peer->n_wakes, n_wakes);
    ck_assert_str_eq(receives(), "list");
    stage_wait(&stage, PACE);
    ck_assert_str_eq(receives(), "+x a1");
    program_sends(&a, "a2"); /* keeps to no pace */
    ck_assert_str_eq(receives(), "a2");
}
END_TEST

START_TEST(who_joins_is_not_greeted)
{
    stage.greeting[0] = "login";
    a_and_b_share();
    ck_assert_str_eq(receives(), "login");
    opens(&c, STAGE_SHARED);
    ck_assert_str_eq(receives(), "");
}
END_TEST

START_TEST(a_private_upstream_is_greeted_too)
{
    stage.greeting[0] = "login";
    a_is_open(STAGE_PRIVATE);
    ck_assert_str_eq(receives(), "login");
}
END_TEST

/* Loop test: a subscription stands before its message, or the connection is lost amid the greeting; and the server is
 * the one who takes nothing, or who is not there. */
START_TEST(who_leaves_does_not_wait_for_ever_for_what_goes_before)
{
    if (_i == 1) {
        stage.greeting[0] = "login";
        stage.greeting[1] = "list";
        stage.greeting_interval_ms = PACE;
    }
    a_and_b_share();
    if (_i == 0) {
        subscribes(&a, "+x");
        program_sends(&a, "a1");
    } else {
        ck_assert_str_eq(receives(), "login");
        peer->share->target->is_persistent = true;
        peer_fails(peer, WSP_CAUSE_LOST);
        stage_turn(&stage);
        program_heard(&a);
        program_sends(&a, "a1");
    }
    program_closes(&a, 1000, "");
    stage_wait(&stage, TARGET_DEFAULT_CLOSE_TIMEOUT_MS - 1);
    stage_turn(&stage);
    ck_assert_int_eq(a.channel.state, CHANNEL_LEAVING);
    stage_wait(&stage, 1);
    stage_turn(&stage);
    ck_assert_ptr_nonnull(strstr(program_heard(&a), "error(timeout) close(1006)"));
}
END_TEST

START_TEST(who_has_closed_amid_a_paced_greeting_still_has_its_sends_sent)
{
    stage.greeting[0] = "login";
    stage.greeting[1] = "list";
    stage.greeting_interval_ms = 4 * TARGET_DEFAULT_CLOSE_TIMEOUT_MS;
    a_and_b_share();
    ck_assert_str_eq(receives(), "login");
    program_sends(&a, "a1");
    program_closes(&a, 1000, "");
    stage_wait(&stage, stage.greeting_interval_ms);
    ck_assert_str_eq(program_heard(&a), "");
    ck_assert_str_eq(receives(), "list a1");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1000)");
}
END_TEST

START_TEST(nothing_is_said_while_it_closes)
{
    stage.greeting[0] = "login";
    stage.greeting[1] = "list";
    stage.greeting_interval_ms = PACE;
    a_and_b_share();
    ck_assert_str_eq(receives(), "login");
    subscribes(&a, "+x");
    peer_starts_closing(peer);
    stage_wait(&stage, PACE);
    ck_assert_str_eq(receives(), "");
    ck_assert_uint_eq(fake_clock_next_ms(&stage.clock), UINT64_MAX);
}
END_TEST

START_TEST(no_memory_for_the_greeting_ends_the_connection)
{
    struct outgoing *outgoing;
    bool has_failed = true;

    stage.greeting[0] = "login";
    for (size_t n = 0; has_failed; n++) {
        opens(&a, STAGE_SHARED);
        peer_opens(peer, "");
        stage_turn(&stage);
        allocation_fail_after(n);
        outgoing = share_next_outgoing(peer->share);
        has_failed = allocation_disarm();
        ck_assert_int_eq(outgoing == NULL, has_failed);
        if (outgoing != NULL)
            outgoing_drop(outgoing);
        ck_assert_ptr_null(share_next_outgoing(peer->share));
        stage_turn(&stage);
        ck_assert_uint_eq(peer->failed, has_failed ? WSP_CAUSE_INTERNAL : 0);
        peer_fails(peer, WSP_CAUSE_INTERNAL);
        program_deinit(&a);
        stage_turn(&stage);
    }
}
END_TEST

START_TEST(a_credential_that_cannot_be_read_ends_the_connection)
{
    stage.greeting[0] = "hello";
    stage.greeting[1] = "login %{credential:key}";
    opens(&a, STAGE_SHARED);
    peer->share->target->credentials_dir = strdup("/nowhere");
    ck_assert_ptr_nonnull(peer->share->target->credentials_dir);
    program_sends(&a, "a1");
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "hello");
    ck_assert_str_eq(receives(), "");
    ck_assert_uint_eq(peer->failed, WSP_CAUSE_CREDENTIAL);
    peer_fails(peer, WSP_CAUSE_CREDENTIAL);
}
END_TEST

/* --- subscriptions: the turn in which they come and go --- */

START_TEST(what_was_asked_for_while_it_connects_goes_first)
{
    opens(&a, STAGE_SHARED);
    subscribes(&a, "+x");
    program_sends(&a, "a1");
    peer = stage_peer(&stage);
    ck_assert_uint_eq(peer->n_wakes, 0);
    peer_opens(peer, "");
    ck_assert_str_eq(receives(), "+x a1");
}
END_TEST

START_TEST(counted_over_channels)
{
    a_and_b_share();
    subscribes(&a, "+x");
    ck_assert_uint_eq(peer->n_wakes, 1);
    ck_assert_str_eq(receives(), "+x");
    subscribes(&b, "+x");
    subscribes(&b, "+y");
    ck_assert_str_eq(receives(), "+y");
    program_unsubscribes(&a, "+x");
    ck_assert_str_eq(receives(), "");
    program_unsubscribes(&b, "+x");
    ck_assert_str_eq(receives(), "-x");
    program_deinit(&b); /* dies */
    ck_assert_str_eq(receives(), "-y");
}
END_TEST

START_TEST(the_last_leaves_as_another_joins)
{
    a_and_b_share();
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
    program_deinit(&a);
    ck_assert_str_eq(peer_receives(peer), ""); /* not within the turn */
    subscribes(&b, "+x");
    ck_assert_str_eq(receives(), "");
    program_deinit(&b);
    opens(&c, STAGE_SHARED);
    subscribes(&c, "+x");
    ck_assert_str_eq(receives(), "");
    program_unsubscribes(&c, "+x");
    subscribes(&c, "+x");
    ck_assert_str_eq(receives(), "");
}
END_TEST

START_TEST(whatever_ends_a_channel_withdraws_what_it_held)
{
    static const struct failure failure = {.cause = WSP_CAUSE_QUOTA, .text = "cut off"};

    a_and_b_share();
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
    switch (_i) {
    case 0: program_closes(&a, 1000, ""); break;
    case 1: channel_fail(&a.channel, &failure); break;
    case 2: channel_abandon(&a.channel); break;
    case 3:
        program_stops_reading(&a);
        peer_sends_bytes(peer, 10);
        peer_sends_bytes(peer, TARGET_DEFAULT_QUEUE_BYTES + 1);
        break;
    default: break;
    }
    ck_assert_str_eq(receives(), "-x");
}
END_TEST

START_TEST(who_closes_has_sent_before_it_is_withdrawn)
{
    a_and_b_share();
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
    program_sends(&a, "a1");
    program_closes(&a, 1000, "");
    ck_assert_str_eq(receives(), "a1");
    ck_assert_str_eq(receives(), "-x");
}
END_TEST

START_TEST(nothing_is_withdrawn_where_the_upstream_closes_anyway)
{
    bool is_private = _i == 1;

    opens(&a, is_private ? STAGE_PRIVATE : STAGE_SHARED);
    peer_opens(peer, "");
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
    program_closes(&a, 1000, "");
    ck_assert_str_eq(receives(), "");
    ck_assert(peer->is_close_asked);
    peer_ends(peer, true, 1000, "");
    stage_turn(&stage);
}
END_TEST

START_TEST(with_linger_it_is_withdrawn_when_the_last_leaves)
{
    stage.linger_ms = 10000;
    a_is_open(STAGE_SHARED);
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
    program_closes(&a, 1000, "");
    ck_assert_str_eq(receives(), "-x");
    stage_wait(&stage, 5000);
    opens(&b, STAGE_SHARED);
    subscribes(&b, "+x");
    ck_assert_str_eq(receives(), "+x");
    program_deinit(&a);
    program_deinit(&b);
    ck_assert_str_eq(receives(), "-x");
    stage_wait(&stage, 10000);
    ck_assert(peer->is_close_asked);
    ck_assert_str_eq(receives(), "");
}
END_TEST

START_TEST(of_a_private_channel_they_go_too)
{
    a_is_open(STAGE_PRIVATE);
    subscribes(&a, "+x");
    subscribes(&a, "+y");
    ck_assert_str_eq(receives(), "+x +y");
    program_unsubscribes(&a, "+x");
    ck_assert_str_eq(receives(), "-x");
}
END_TEST

/* --- subscriptions: their places --- */

START_TEST(among_its_own_messages_each_has_its_place)
{
    a_and_b_share();
    program_sends(&a, "a1");
    subscribes(&a, "+x");
    program_sends(&a, "a2");
    subscribes(&a, "+y");
    program_unsubscribes(&a, "+x");
    program_sends(&a, "a3");
    /* x is asked for and given up in one turn, and so is never said. */
    ck_assert_str_eq(receives(), "a1 a2 +y a3");
    program_sends(&a, "a4");
    program_unsubscribes(&a, "+y");
    ck_assert_str_eq(receives(), "a4");
    ck_assert_str_eq(receives(), "-y");
}
END_TEST

/* Or one that changes its mind all the time would have the rate for itself. */
START_TEST(subscriptions_and_messages_take_turns)
{
    a_and_b_share();
    for (int i = 0; i < 3; i++) {
        char text[3] = {'+', (char)('1' + i)};

        subscribes(&a, text);
        text[0] = 'b';
        program_sends(&b, text);
    }
    ck_assert_str_eq(receives(), "+1 b1 +2 b2 +3 b3");
    subscribes(&a, "+4");
    program_sends(&a, "a4"); /* has nothing else to wait for than its own */
    ck_assert_str_eq(receives(), "+4 a4");
}
END_TEST

START_TEST(only_who_has_subscribed_waits_for_the_pace)
{
    stage.greeting_interval_ms = PACE;
    a_and_b_share();
    subscribes(&b, "+x");
    ck_assert_str_eq(receives(), "+x");
    subscribes(&a, "+y");
    program_sends(&a, "a1");
    program_sends(&b, "b1");
    ck_assert_str_eq(receives(), "b1");
    program_sends(&b, "b2");
    ck_assert_str_eq(receives(), "b2");
    stage_wait(&stage, PACE);
    ck_assert_str_eq(receives(), "+y a1");
}
END_TEST

START_TEST(who_has_closed_may_wait_for_its_subscription)
{
    stage.greeting_interval_ms = 4 * TARGET_DEFAULT_CLOSE_TIMEOUT_MS;
    a_and_b_share();
    subscribes(&b, "+x");
    ck_assert_str_eq(receives(), "+x");
    subscribes(&a, "+y");
    program_sends(&a, "a1");
    program_closes(&a, 1000, "");
    stage_wait(&stage, stage.greeting_interval_ms);
    ck_assert_str_eq(program_heard(&a), "");
    ck_assert_str_eq(receives(), "+y a1");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1000)");
}
END_TEST

START_TEST(withdrawals_keep_to_the_pace_and_may_be_spared_by_it)
{
    stage.greeting_interval_ms = PACE;
    a_and_b_share();
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
    program_unsubscribes(&a, "+x");
    ck_assert_str_eq(receives(), "");
    subscribes(&b, "+x");
    stage_wait(&stage, PACE);
    ck_assert_str_eq(receives(), "");
    program_unsubscribes(&b, "+x");
    ck_assert_str_eq(receives(), "-x");
}
END_TEST

/* --- subscriptions: who is refused --- */

static void is_refused(struct program *program, const char *heard)
{
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(program), heard);
}

START_TEST(another_on_leave_ends_who_gives_it)
{
    a_and_b_share();
    ck_assert_int_eq(program_subscribes(&a, "+x", "-x"), 0);
    ck_assert_int_eq(program_subscribes(&b, "+y", "-y"), 0);
    ck_assert_int_eq(program_subscribes(&b, "+x", "-X"), 0); /* for oneself one may */
    ck_assert_int_eq(program_subscribes(&b, "+y", "-Y"), 0);
    ck_assert_str_eq(receives(), "+x"); /* y went with b */
    is_refused(&b, "error(conflict) close(1006)");
}
END_TEST

START_TEST(more_than_the_quota_ends_who_asks)
{
    a_and_b_share();
    stage.quota.limits[QUOTA_SUBSCRIPTION_BYTES] = 1000;
    for (int i = 0; i < 10; i++) {
        char topic[10];

        snprintf(topic, sizeof(topic), "+%d", i);
        subscribes(&b, topic);
    }
    is_refused(&b, "error(quota) close(1006)");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SUBSCRIPTION_BYTES), 0);
    subscribes(&a, "+x");
    ck_assert_str_eq(receives(), "+x");
}
END_TEST

START_TEST(a_text_longer_than_a_message_may_be_ends_who_gives_it)
{
    static char text[WSP_DEFAULT_MAX_MESSAGE + 2];

    memset(text, 'x', sizeof(text) - 1);
    a_and_b_share();
    ck_assert_int_eq(program_subscribes(&a, text, ""), 0);
    is_refused(&a, "error(too-big) close(1006)");
    ck_assert_int_eq(program_subscribes(&b, "+x", text), 0);
    is_refused(&b, "error(too-big) close(1006)");
}
END_TEST

START_TEST(who_has_ended_asks_for_nothing)
{
    static const struct failure failure = {.cause = WSP_CAUSE_QUOTA, .text = "cut off"};

    a_and_b_share();
    channel_fail(&a.channel, &failure);
    subscribes(&a, "+x");
    program_unsubscribes(&a, "+x");
    program_sends(&b, "b1");
    program_closes(&b, 1000, "");
    subscribes(&b, "+y");
    ck_assert_str_eq(receives(), "b1");
}
END_TEST

/* --- the heartbeat --- */

START_TEST(one_heartbeat_however_many_channels)
{
    with_heartbeat("pong");
    a_and_b_share();
    for (int i = 0; i < 3; i++) {
        stage_wait(&stage, BEAT - 1);
        ck_assert_str_eq(receives(), "");
        stage_wait(&stage, 1);
        ck_assert_str_eq(receives(), "ping");
        peer_sends(peer, "news");
        peer_sends(peer, "pong");
        peer_sends(peer, "pong");
        stage_turn(&stage);
        /* The second one is nobody's answer. */
        ck_assert_str_eq(program_heard(&a), "news pong");
        ck_assert_str_eq(program_heard(&b), "news pong");
    }
}
END_TEST

START_TEST(an_answer_is_no_message_of_the_log)
{
    with_heartbeat("pong");
    a_and_b_share();
    stage_wait(&stage, BEAT);
    ck_assert_str_eq(receives(), "ping");
    peer_sends(peer, "pong");
    ck_assert_uint_eq(peer->share->log.next_number, 1);
    ck_assert_uint_eq(peer->share->n_in, 1);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

START_TEST(none_before_the_greeting_is_through)
{
    with_heartbeat("pong");
    stage.greeting[0] = "login";
    stage.greeting[1] = "list";
    stage.greeting_interval_ms = 2 * BEAT;
    a_and_b_share();
    ck_assert_str_eq(receives(), "login");
    stage_wait(&stage, 2 * BEAT);
    ck_assert_str_eq(receives(), "list");
    stage_wait(&stage, BEAT);
    ck_assert_str_eq(receives(), "ping");
}
END_TEST

START_TEST(it_does_not_wait_for_paced_subscriptions)
{
    with_heartbeat(NULL);
    stage.greeting_interval_ms = 10 * BEAT;
    a_and_b_share();
    subscribes(&a, "+x");
    subscribes(&a, "+y");
    ck_assert_str_eq(receives(), "+x");
    stage_wait(&stage, BEAT);
    ck_assert_str_eq(receives(), "ping");
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_lost)
{
    with_heartbeat("pong");
    a_and_b_share();
    stage_wait(&stage, BEAT);
    ck_assert_str_eq(receives(), "ping");
    peer_sends(peer, "news");
    stage_wait(&stage, PATIENCE - 1);
    ck_assert_uint_eq(peer->failed, 0);
    stage_wait(&stage, 1);
    ck_assert_uint_eq(peer->failed, WSP_CAUSE_LOST);
    peer_fails(peer, WSP_CAUSE_LOST);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "news error(lost) close(1006)");
}
END_TEST

START_TEST(a_long_message_may_come_before_the_answer)
{
    with_heartbeat("pong");
    a_and_b_share();
    stage_wait(&stage, BEAT);
    ck_assert_str_eq(receives(), "ping");
    for (size_t len = 20000; len < 100000; len += 20000) {
        peer_sends_part(peer, len, 1 << 20);
        stage_wait(&stage, PATIENCE);
        ck_assert_uint_eq(peer->failed, 0);
    }
    peer_sends_part(peer, 0, 0);
    stage_wait(&stage, PATIENCE);
    ck_assert_uint_eq(peer->failed, WSP_CAUSE_LOST);
}
END_TEST

/* While a slow channel keeps the server from being read, what it answers lies unseen. */
START_TEST(at_rest_nobody_is_blamed)
{
    with_heartbeat("pong");
    stage.queue_bytes = 100;
    a_is_open(STAGE_PRIVATE);
    program_stops_reading(&a);
    stage_wait(&stage, BEAT);
    ck_assert_str_eq(receives(), "ping");
    peer_sends_bytes(peer, 10);
    peer_sends_bytes(peer, 1000);
    stage_wait(&stage, 3 * PATIENCE);
    ck_assert(peer->is_paused);
    ck_assert_uint_eq(peer->failed, 0);
    program_reads(&a, 2);
    stage_turn(&stage);
    ck_assert(!peer->is_paused);
    peer_sends(peer, "pong");
    stage_wait(&stage, PATIENCE);
    ck_assert_uint_eq(peer->failed, 0);
}
END_TEST

START_TEST(what_the_server_asks_is_answered_before_all_else)
{
    stage.heartbeat =
        (struct heartbeat_settings){.request = (char *)(uintptr_t) "/op=ping",
                                    .reply = (char *)(uintptr_t) "{\"op\":\"pong\",\"id\":%{/id}}"};
    stage.greeting[0] = "login";
    a_and_b_share();
    program_sends(&a, "a1");
    peer_sends(peer, "{\"op\":\"ping\",\"id\":1}");
    ck_assert_str_eq(receives(), "{\"op\":\"pong\",\"id\":1} login a1");
    ck_assert_str_eq(program_heard(&a), "");
    peer->n_wakes = 0;
    peer_sends(peer, "{\"op\":\"ping\",\"id\":2}");
    ck_assert_uint_eq(peer->n_wakes, 1);
    ck_assert_str_eq(receives(), "{\"op\":\"pong\",\"id\":2}");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("subscribing");
    TCase *greeting = story_case(suite, "greeting"), *turns = story_case(suite, "turns");
    TCase *places = story_case(suite, "places"), *refused = story_case(suite, "refused");
    TCase *heartbeat = story_case(suite, "heartbeat");

    tcase_add_test(greeting, the_greeting_goes_before_what_channels_have_sent);
    tcase_add_test(greeting, a_paced_greeting_holds_everything_back);
    tcase_add_test(greeting, who_joins_is_not_greeted);
    tcase_add_test(greeting, a_private_upstream_is_greeted_too);
    tcase_add_test(greeting, who_has_closed_amid_a_paced_greeting_still_has_its_sends_sent);
    tcase_add_loop_test(greeting, who_leaves_does_not_wait_for_ever_for_what_goes_before, 0, 2);
    tcase_add_test(greeting, nothing_is_said_while_it_closes);
    tcase_add_test(greeting, no_memory_for_the_greeting_ends_the_connection);
    tcase_add_test(greeting, a_credential_that_cannot_be_read_ends_the_connection);
    tcase_add_test(turns, what_was_asked_for_while_it_connects_goes_first);
    tcase_add_test(turns, counted_over_channels);
    tcase_add_test(turns, the_last_leaves_as_another_joins);
    tcase_add_loop_test(turns, whatever_ends_a_channel_withdraws_what_it_held, 0, 4);
    tcase_add_test(turns, who_closes_has_sent_before_it_is_withdrawn);
    tcase_add_loop_test(turns, nothing_is_withdrawn_where_the_upstream_closes_anyway, 0, 2);
    tcase_add_test(turns, with_linger_it_is_withdrawn_when_the_last_leaves);
    tcase_add_test(turns, of_a_private_channel_they_go_too);
    tcase_add_test(places, among_its_own_messages_each_has_its_place);
    tcase_add_test(places, subscriptions_and_messages_take_turns);
    tcase_add_test(places, only_who_has_subscribed_waits_for_the_pace);
    tcase_add_test(places, who_has_closed_may_wait_for_its_subscription);
    tcase_add_test(places, withdrawals_keep_to_the_pace_and_may_be_spared_by_it);
    tcase_add_test(refused, another_on_leave_ends_who_gives_it);
    tcase_add_test(refused, more_than_the_quota_ends_who_asks);
    tcase_add_test(refused, a_text_longer_than_a_message_may_be_ends_who_gives_it);
    tcase_add_test(refused, who_has_ended_asks_for_nothing);
    tcase_add_test(heartbeat, one_heartbeat_however_many_channels);
    tcase_add_test(heartbeat, an_answer_is_no_message_of_the_log);
    tcase_add_test(heartbeat, none_before_the_greeting_is_through);
    tcase_add_test(heartbeat, it_does_not_wait_for_paced_subscriptions);
    tcase_add_test(heartbeat, a_server_that_does_not_answer_is_lost);
    tcase_add_test(heartbeat, a_long_message_may_come_before_the_answer);
    tcase_add_test(heartbeat, at_rest_nobody_is_blamed);
    tcase_add_test(heartbeat, what_the_server_asks_is_answered_before_all_else);
    return suite;
}
