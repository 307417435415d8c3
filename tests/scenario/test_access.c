/*
 * test_access: users who may meet, users who may not, and channels that may only send or only receive.
 *
 * Between the scripted programs, of several users, and the scripted server of tests/harness/stage. Promise 9 of sharing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "proto/local/message.h"
#include "tests/harness/sharing_story.h"

enum { ALICE = 2001, BOB = 2002, CAROL = 2003 };

static int opens_as(struct program *program, uid_t uid)
{
    int r = program_opens(program, &stage, uid, URL, STAGE_SHARED);

    if (stage.n_peers > 0)
        peer = stage_peer(&stage);
    return r;
}

/* With the right to join. */
static int joins(struct program *program, uid_t uid)
{
    int r;

    stage.is_wide = true;
    r = opens_as(program, uid);
    stage.is_wide = false;
    return r;
}

static int only_joins(struct program *program, uid_t uid)
{
    int r;

    stage.may_not_open = true;
    r = joins(program, uid);
    stage.may_not_open = false;
    return r;
}

/* alice and bob are on an open upstream that is nobody's own. */
static void alice_and_bob_meet(void)
{
    unsigned n_peers = stage.n_peers;

    ck_assert_int_eq(joins(&a, ALICE), 0);
    ck_assert_int_eq(joins(&b, BOB), 0);
    ck_assert_uint_eq(stage.n_peers, n_peers + 1);
    peer_opens(peer, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "open");
    ck_assert_str_eq(program_heard(&b), "open");
}

START_TEST(users_who_may_join_meet)
{
    alice_and_bob_meet();
    program_sends(&b, "hello");
    ck_assert_str_eq(peer_receives(peer), "hello");
    peer_sends(peer, "one");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "one");
    ck_assert_str_eq(program_heard(&b), "one");
    /* The upstream and what it holds are the daemon's, each channel its user's. */
    program_stops_reading(&b);
    peer_sends_bytes(peer, 1000);
    peer_sends_bytes(peer, 1000);
    stage_turn(&stage);
    ck_assert_uint_eq(stage_used_by(&stage, STAGE_DAEMON_UID, QUOTA_UPSTREAMS), 1);
    ck_assert_uint_eq(stage_used_by(&stage, STAGE_DAEMON_UID, QUOTA_CHANNELS), 0);
    ck_assert_uint_ge(stage_used_by(&stage, STAGE_DAEMON_UID, QUOTA_QUEUED_BYTES), 1000);
    for (uid_t uid = ALICE; uid <= BOB; uid++) {
        ck_assert_uint_eq(stage_used_by(&stage, uid, QUOTA_UPSTREAMS), 0);
        ck_assert_uint_eq(stage_used_by(&stage, uid, QUOTA_CHANNELS), 1);
    }
    ck_assert_uint_eq(stage_used_by(&stage, ALICE, QUOTA_QUEUED_BYTES), 0);
    ck_assert_uint_ge(stage_used_by(&stage, BOB, QUOTA_QUEUED_BYTES), 1000);
}
END_TEST

START_TEST(it_outlives_who_opened_it)
{
    alice_and_bob_meet();
    program_closes(&a, 1000, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "close(clean 1000)");
    program_deinit(&a);
    peer_sends(peer, "one");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "one");
    ck_assert_uint_eq(stage_used_by(&stage, STAGE_DAEMON_UID, QUOTA_UPSTREAMS), 1);
    program_deinit(&b);
    stage_turn(&stage);
    ck_assert(peer->is_close_asked);
}
END_TEST

START_TEST(who_may_not_join_meets_themselves_alone)
{
    alice_and_bob_meet();
    ck_assert_int_eq(opens_as(&c, CAROL), 0);
    ck_assert_uint_eq(stage.n_peers, 2);
    ck_assert_ptr_ne(c.channel.share, a.channel.share);
    ck_assert_uint_eq(stage_used_by(&stage, CAROL, QUOTA_UPSTREAMS), 1);
    /* Nor does who had joined and may no longer. */
    program_deinit(&b);
    ck_assert_int_eq(opens_as(&b, CAROL), 0);
    ck_assert_uint_eq(stage.n_peers, 2);
    ck_assert_ptr_eq(b.channel.share, c.channel.share);
}
END_TEST

/* Its upstream is the daemon's in either case, and still it is another. */
START_TEST(the_daemons_own_user_is_no_exception)
{
    alice_and_bob_meet();
    ck_assert_int_eq(opens_as(&c, STAGE_DAEMON_UID), 0);
    ck_assert_uint_eq(stage.n_peers, 2);
    ck_assert_ptr_ne(c.channel.share, a.channel.share);
}
END_TEST

START_TEST(who_may_only_join_makes_nothing)
{
    ck_assert_int_eq(only_joins(&c, CAROL), WSP_CAUSE_ACCESS);
    ck_assert_uint_eq(stage.n_peers, 0);
    program_deinit(&c);
    /* What somebody has for himself is nothing to join. */
    ck_assert_int_eq(opens_as(&a, ALICE), 0);
    ck_assert_int_eq(only_joins(&c, CAROL), WSP_CAUSE_ACCESS);
    program_deinit(&c);
    program_deinit(&a);
    stage_turn(&stage);
    alice_and_bob_meet();
    ck_assert_int_eq(only_joins(&c, CAROL), 0);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "open");
}
END_TEST

/* One that closes is no more there to join; one that connects is. */
START_TEST(who_may_only_join_and_an_upstream_that_comes_or_goes)
{
    ck_assert_int_eq(joins(&a, ALICE), 0);
    ck_assert_int_eq(only_joins(&b, BOB), 0);
    peer_opens(peer, "");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open");
    peer_starts_closing(peer);
    stage_turn(&stage);
    ck_assert_int_eq(only_joins(&c, CAROL), WSP_CAUSE_ACCESS);
    program_deinit(&c);
    peer_ends(peer, true, 1000, "");
    stage_turn(&stage);
    ck_assert_int_eq(only_joins(&c, CAROL), WSP_CAUSE_ACCESS);
    ck_assert_uint_eq(stage.n_peers, 1);
}
END_TEST

START_TEST(a_users_quota_of_upstreams_is_nothing_to_those_who_join)
{
    stage.quota.limits[QUOTA_UPSTREAMS] = 1;
    ck_assert_int_eq(opens_as(&a, ALICE), 0);
    ck_assert_int_eq(joins(&b, ALICE), 0);
    ck_assert_int_eq(joins(&c, BOB), 0);
    ck_assert_uint_eq(stage.n_peers, 2);
}
END_TEST

/* --- only sending --- */

static int joins_to_send(struct program *program, uid_t uid)
{
    int r;

    stage.denied = WSP_DENIED_RECEIVE;
    r = joins(program, uid);
    stage.denied = 0;
    return r;
}

START_TEST(who_may_only_send_hears_nothing_but_the_end)
{
    alice_and_bob_meet();
    stage.replay.messages = stage.retention.messages = 10;
    stage.replay.bytes = stage.retention.bytes = 1 << 20;
    ck_assert_int_eq(joins_to_send(&c, CAROL), 0);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "open");
    for (unsigned i = 0; i < 100; i++) {
        peer_sends(peer, "x");
        program_sends(&c, "y");
        stage_turn(&stage);
        ck_assert_str_eq(peer_receives(peer), "y");
        ck_assert_str_eq(program_heard(&c), "");
        ck_assert_str_eq(program_heard(&a), "x");
    }
    ck_assert_uint_eq(channel_lag_messages(&c.channel), 0);
    ck_assert_uint_eq(stage_used_by(&stage, CAROL, QUOTA_QUEUED_BYTES), 0);
    peer_ends(peer, true, 4000, "bye");
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "close(clean 4000 bye)");
}
END_TEST

/* Alone on its upstream, with messages of any size. */
START_TEST(what_nobody_may_receive_is_not_held)
{
    ck_assert_int_eq(joins_to_send(&c, CAROL), 0);
    peer_opens(peer, "");
    stage_turn(&stage);
    for (unsigned i = 0; i < 10; i++)
        peer_sends_bytes(peer, 100000);
    ck_assert_uint_eq(stage_used_by(&stage, STAGE_DAEMON_UID, QUOTA_QUEUED_BYTES), 0);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "open");
}
END_TEST

START_TEST(who_may_only_send_is_told_of_interruptions)
{
    alice_and_bob_meet();
    ck_assert_int_eq(joins_to_send(&c, CAROL), 0);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "open");
    for (unsigned round = 0; round < 3; round++) {
        peer->share->target->is_persistent = true;
        peer_sends(peer, "x");
        is_lost();
        stage_turn(&stage);
        ck_assert_str_eq(program_heard(&c), "interrupted(lost)");
        tries_again();
        peer_opens(peer, "");
        peer_sends(peer, "y");
        stage_turn(&stage);
        ck_assert_str_eq(program_heard(&c), "resumed");
        ck_assert_str_eq(program_heard(&a), "x interrupted(lost) resumed y");
    }
    program_sends(&c, "still");
    ck_assert_str_eq(peer_receives(peer), "still");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("access");
    TCase *meeting = story_case(suite, "meeting");
    TCase *sending = story_case(suite, "sending");

    tcase_add_test(meeting, users_who_may_join_meet);
    tcase_add_test(meeting, it_outlives_who_opened_it);
    tcase_add_test(meeting, who_may_not_join_meets_themselves_alone);
    tcase_add_test(meeting, the_daemons_own_user_is_no_exception);
    tcase_add_test(meeting, who_may_only_join_makes_nothing);
    tcase_add_test(meeting, who_may_only_join_and_an_upstream_that_comes_or_goes);
    tcase_add_test(meeting, a_users_quota_of_upstreams_is_nothing_to_those_who_join);
    tcase_add_test(sending, who_may_only_send_hears_nothing_but_the_end);
    tcase_add_test(sending, what_nobody_may_receive_is_not_held);
    tcase_add_test(sending, who_may_only_send_is_told_of_interruptions);
    return suite;
}
