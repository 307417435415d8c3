/*
 * test_away: who joins, leaves or closes while the server of a persistent share is away, or one closes.
 *
 * Between the scripted programs and scripted servers of tests/harness/stage. Promise 8 of sharing of the design.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>

#include "tests/harness/persistent.h"
#include "tests/harness/unit.h"

static struct persistent *p;

static void setup(void)
{
    p = persistent_init();
}

static void teardown(void)
{
    persistent_deinit();
}

enum { LINGER_MS = 300 };

static void fails(void)
{
    peer_fails(stage_peer(&p->stage), WSP_CAUSE_CONNECT);
}

/* --- joining --- */

START_TEST(who_joins_while_it_is_away_waits)
{
    struct upstream *peer;

    persistent_cut(persistent_a_is_open(STAGE_SHARED));
    persistent_opens(&p->b, STAGE_SHARED);
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->b), "");
    ck_assert_int_eq(program_sends(&p->b, "early"), 0);
    peer = persistent_again();
    persistent_opens(&p->c, STAGE_SHARED);
    ck_assert_ptr_eq(p->c.channel.share, p->a.channel.share);
    peer_opens(peer, "v1");
    peer_sends(peer, "news");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "interrupted(lost) resumed news");
    ck_assert_str_eq(program_heard(&p->b), "open(v1) news");
    ck_assert_str_eq(program_heard(&p->c), "open(v1) news");
    ck_assert_str_eq(peer_receives(peer), "early");
}
END_TEST

/* A server may allow one connection: while the old one closes the new one waits, and whoever comes joins that. */
START_TEST(who_comes_while_it_closes_waits_for_its_end)
{
    struct upstream *old = persistent_a_is_open(STAGE_SHARED);

    share_close(p->a.channel.share, 1000, (struct wsp_view){0});
    persistent_opens(&p->b, STAGE_SHARED);
    persistent_opens(&p->c, STAGE_SHARED);
    ck_assert_ptr_ne(p->b.channel.share, p->a.channel.share);
    ck_assert_ptr_eq(p->c.channel.share, p->b.channel.share);
    stage_wait(&p->stage, 100000);
    ck_assert_uint_eq(p->stage.n_peers, 1);
    peer_ends(old, true, 1000, "");
    stage_turn(&p->stage);
    ck_assert_uint_eq(p->stage.n_peers, 2);
    peer_opens(stage_peer(&p->stage), "v1");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->b), "open(v1)");
    ck_assert_str_eq(program_heard(&p->c), "open(v1)");
}
END_TEST

/* Whoever waits for the old one's end gives up: the next still has to wait for it. */
START_TEST(who_gives_up_waiting_gives_the_place_back)
{
    struct upstream *old = persistent_a_is_open(STAGE_SHARED);

    share_close(p->a.channel.share, 1000, (struct wsp_view){0});
    persistent_opens(&p->b, STAGE_SHARED);
    program_closes(&p->b, 1000, "");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->b), "error(cancelled) close(1006)");
    persistent_opens(&p->c, STAGE_SHARED);
    stage_turn(&p->stage);
    ck_assert_uint_eq(p->stage.n_peers, 1);
    peer_ends(old, true, 1000, "");
    stage_turn(&p->stage);
    ck_assert_uint_eq(p->stage.n_peers, 2);
    ck_assert_ptr_eq(p->c.channel.share->upstream, stage_peer(&p->stage));
}
END_TEST

/* What was wrong with a connection before it says nothing of how this one ends. */
START_TEST(one_that_came_back_ends_in_order)
{
    struct upstream *peer = persistent_a_is_open(STAGE_SHARED);
    struct share *share = peer->share;

    persistent_cut(peer);
    peer = persistent_again();
    peer_opens(peer, "v1");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "interrupted(lost) resumed");
    share_close(share, 1000, (struct wsp_view){0});
    stage_turn(&p->stage);
    peer_ends(peer, true, 1000, "");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "closing close(clean 1000)");
}
END_TEST

START_TEST(the_end_of_the_daemon_while_one_waits_for_another)
{
    persistent_a_is_open(STAGE_SHARED);
    share_close(p->a.channel.share, 1000, (struct wsp_view){0});
    persistent_opens(&p->b, STAGE_SHARED);
    if (_i == 1)
        shares_drain(&p->stage.shares);
    shares_deinit(&p->stage.shares);
}
END_TEST

/* --- leaving and closing while it is away --- */

/* What there is of an upstream while it is away. */
enum away { AWAY_WAITING, AWAY_CONNECTING, AWAY_OLD_CLOSING, N_AWAY };

static struct upstream *a_is_away(enum away away, enum stage_sharing sharing)
{
    struct upstream *peer = persistent_a_is_open(sharing);

    if (away == AWAY_OLD_CLOSING) {
        peer_starts_closing(peer);
        stage_turn(&p->stage);
    } else {
        p->bits = away == AWAY_WAITING ? MIN_MS : 0;
        persistent_cut(peer);
    }
    program_heard(&p->a);
    ck_assert_int_eq(persistent_state_of(&p->a), SHARE_RECONNECTING);
    if (away == AWAY_CONNECTING)
        persistent_attempt_after(0);
    return stage_peer(&p->stage);
}

static void assert_goes_away(enum away away, struct upstream *peer)
{
    stage_turn(&p->stage);
    if (away == AWAY_CONNECTING)
        ck_assert(peer->is_close_asked);
    if (away != AWAY_WAITING) {
        ck_assert(!peer->is_freed);
        peer_fails(peer, WSP_CAUSE_CANCELLED);
        stage_turn(&p->stage);
    }
    ck_assert(peer->is_freed);
    stage_wait(&p->stage, 3600 * 1000);
    ck_assert_ptr_eq(stage_peer(&p->stage), peer);
}

START_TEST(the_last_leaver_of_a_shared_one_leaves_clean)
{
    struct upstream *peer = a_is_away((enum away)_i, STAGE_SHARED);

    program_closes(&p->a, 1000, "done");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "close(clean 1000 done)");
    assert_goes_away((enum away)_i, peer);
    ck_assert(list_is_empty(&p->stage.shares.all));
}
END_TEST

START_TEST(linger_holds_while_it_is_away)
{
    struct upstream *peer;

    p->stage.linger_ms = LINGER_MS;
    peer = a_is_away((enum away)_i, STAGE_SHARED);
    program_closes(&p->a, 1000, "");
    stage_wait(&p->stage, LINGER_MS - 1);
    persistent_opens(&p->b, STAGE_SHARED);
    ck_assert_int_eq(persistent_state_of(&p->b), SHARE_RECONNECTING);
    stage_wait(&p->stage, 1);
    ck_assert_int_eq(persistent_state_of(&p->b), SHARE_RECONNECTING);
    program_closes(&p->b, 1000, "");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->b), "error(cancelled) close(1006)");
    stage_wait(&p->stage, LINGER_MS);
    assert_goes_away((enum away)_i, peer);
    ck_assert(list_is_empty(&p->stage.shares.all));
}
END_TEST

START_TEST(a_private_one_ends_with_its_channel)
{
    struct upstream *peer = a_is_away((enum away)_i, STAGE_PRIVATE);

    program_closes(&p->a, 1000, "done");
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "error(cancelled) close(1006)");
    assert_goes_away((enum away)_i, peer);
}
END_TEST

START_TEST(the_administrator_closes_it)
{
    struct upstream *peer = a_is_away((enum away)_i, STAGE_SHARED);

    persistent_opens(&p->b, STAGE_SHARED);
    share_close(p->a.channel.share, 1000, (struct wsp_view){0});
    share_close(p->a.channel.share, 1000, (struct wsp_view){0});
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "error(cancelled) close(1006)");
    ck_assert_str_eq(program_heard(&p->b), "error(cancelled) close(1006)");
    assert_goes_away((enum away)_i, peer);
}
END_TEST

START_TEST(the_daemon_stops)
{
    struct upstream *peer = a_is_away((enum away)_i, STAGE_SHARED);

    shares_drain(&p->stage.shares);
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "error(shutdown) close(1006)");
    assert_goes_away((enum away)_i, peer);
    ck_assert_uint_eq(p->stage.shares.n_upstreams, 0);
}
END_TEST

START_TEST(the_daemon_ends_at_once)
{
    a_is_away((enum away)_i, STAGE_SHARED);
    ck_assert_int_eq(program_sends(&p->a, "never"), 0);
    shares_deinit(&p->stage.shares);
}
END_TEST

/* Loop test: a client that dies while its first connection is tried again, with something to send, waits for the attempt
 * that goes on, and for no other. */
START_TEST(who_is_gone_before_it_was_open_waits_for_no_further_attempt)
{
    persistent_opens(&p->a, STAGE_SHARED);
    if (_i == 1)
        persistent_opens(&p->b, STAGE_SHARED);
    ck_assert_int_eq(program_sends(&p->a, "x"), 0);
    channel_abandon(&p->a.channel);
    stage_turn(&p->stage);
    ck_assert_uint_eq(p->a.n_gone, 0);
    fails();
    stage_turn(&p->stage);
    ck_assert_uint_eq(p->a.n_gone, 1);
    if (_i == 1) {
        peer_opens(persistent_again(), "v1");
        ck_assert_str_eq(peer_receives(stage_peer(&p->stage)), "");
        program_deinit(&p->b);
    } else {
        ck_assert(list_is_empty(&p->stage.shares.all));
    }
}
END_TEST

/* A slow one stops the upstream's reading: the new connection is not read either until it has caught up. */
START_TEST(who_blocks_goes_on_blocking)
{
    struct upstream *peer;

    p->stage.queue_bytes = 100;
    peer = persistent_a_is_open(STAGE_PRIVATE);
    program_stops_reading(&p->a);
    peer_sends_bytes(peer, 10);
    peer_sends_bytes(peer, 300);
    stage_turn(&p->stage);
    ck_assert(peer->is_paused);
    persistent_cut(peer);
    peer = persistent_again();
    stage_turn(&p->stage);
    ck_assert(!peer->is_paused); /* its answer is to be read */
    peer_opens(peer, "v1");
    stage_turn(&p->stage);
    ck_assert(peer->is_paused);
    program_reads(&p->a, UINT_MAX);
    stage_turn(&p->stage);
    ck_assert(!peer->is_paused);
    ck_assert_str_eq(program_heard(&p->a), "[10] [300] interrupted(lost) resumed");
}
END_TEST

/* --- without channels --- */

static unsigned n_ended;
static uint16_t ended_with;

static void anchor_ended(struct anchor *anchor, const struct ending *ending)
{
    ck_assert_ptr_null(anchor->share);
    n_ended++;
    ended_with = ending->failure.cause;
}

static struct anchor anchor = {.ended = anchor_ended};

static void anchored(void)
{
    struct failure failure;
    struct user *user;

    n_ended = 0;
    ck_assert_int_eq(quota_user_ref(&p->stage.quota, STAGE_UID, &user), 0);
    ck_assert_int_eq(shares_anchor(&p->stage.shares,
                                   stage_target(&p->stage, STAGE_UID, PERSISTENT_URL), user,
                                   &anchor, &failure),
                     0);
    user_unref(user);
}

START_TEST(an_anchor_keeps_it_without_channels)
{
    struct upstream *peer;

    anchored();
    peer = stage_peer(&p->stage);
    peer_opens(peer, "v1");
    stage_wait(&p->stage, 3600 * 1000);
    persistent_opens(&p->a, STAGE_SHARED);
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "open(v1)");
    program_deinit(&p->a);
    stage_wait(&p->stage, 3600 * 1000);
    ck_assert(!peer->is_close_asked);
    persistent_cut(peer);
    peer_opens(persistent_again(), "v1");
    anchor_let_go(&anchor);
    stage_turn(&p->stage);
    ck_assert(stage_peer(&p->stage)->is_close_asked);
    ck_assert_uint_eq(n_ended, 0);
}
END_TEST

START_TEST(an_anchor_is_told_of_the_end)
{
    anchored();
    peer_fails(stage_peer(&p->stage), WSP_CAUSE_ACCESS);
    stage_turn(&p->stage);
    ck_assert_uint_eq(n_ended, 1);
    ck_assert_uint_eq(ended_with, WSP_CAUSE_ACCESS);
    anchor_let_go(&anchor);
    anchored();
    shares_deinit(&p->stage.shares);
    ck_assert_ptr_null(anchor.share);
    ck_assert_uint_eq(n_ended, 0);
}
END_TEST

START_TEST(an_anchor_joins_what_stands)
{
    persistent_a_is_open(STAGE_SHARED);
    anchored();
    ck_assert_ptr_eq(anchor.share, p->a.channel.share);
    ck_assert_uint_eq(p->stage.n_peers, 1);
    program_deinit(&p->a);
    stage_turn(&p->stage);
    ck_assert(!stage_peer(&p->stage)->is_close_asked);
    share_close(anchor.share, 1000, (struct wsp_view){0});
    peer_ends(stage_peer(&p->stage), true, 1000, "");
    stage_turn(&p->stage);
    ck_assert_uint_eq(n_ended, 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("away");
    TCase *joining = unit_case(suite, "joining");
    TCase *leaving = unit_case(suite, "leaving");
    TCase *anchors = unit_case(suite, "anchors");
    TCase *cases[] = {joining, leaving, anchors};

    for (size_t i = 0; i < N_OF(cases); i++)
        tcase_add_checked_fixture(cases[i], setup, teardown);
    tcase_add_test(joining, who_joins_while_it_is_away_waits);
    tcase_add_test(joining, who_comes_while_it_closes_waits_for_its_end);
    tcase_add_test(joining, who_gives_up_waiting_gives_the_place_back);
    tcase_add_test(leaving, one_that_came_back_ends_in_order);
    tcase_add_loop_test(joining, the_end_of_the_daemon_while_one_waits_for_another, 0, 2);
    tcase_add_loop_test(leaving, the_last_leaver_of_a_shared_one_leaves_clean, 0, N_AWAY);
    tcase_add_loop_test(leaving, linger_holds_while_it_is_away, 0, N_AWAY);
    tcase_add_loop_test(leaving, a_private_one_ends_with_its_channel, 0, N_AWAY);
    tcase_add_loop_test(leaving, the_administrator_closes_it, 0, N_AWAY);
    tcase_add_loop_test(leaving, the_daemon_stops, 0, N_AWAY);
    tcase_add_loop_test(leaving, the_daemon_ends_at_once, 0, N_AWAY);
    tcase_add_loop_test(leaving, who_is_gone_before_it_was_open_waits_for_no_further_attempt, 0, 2);
    tcase_add_test(leaving, who_blocks_goes_on_blocking);
    tcase_add_test(anchors, an_anchor_keeps_it_without_channels);
    tcase_add_test(anchors, an_anchor_is_told_of_the_end);
    tcase_add_test(anchors, an_anchor_joins_what_stands);
    return suite;
}
