/*
 * test_reception: long messages that arrive from servers: who waits, whose turn it is, and who has had it for too long.
 *
 * Between the scripted programs and the scripted servers of tests/harness/stage; the table of daemon/reception.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <string.h>

#include "daemon/limits.h"
#include "tests/harness/stage.h"
#include "tests/harness/unit.h"

#define URL "wss://feed.example/live"

enum { N = 4, KIB = 1024, PART = MAX_UNRESERVED_LEN + 1, SCRATCH = 256 * KIB };

static struct stage stage;
static struct program programs[N];
static struct upstream *peers[N];

/* N private upstreams of one user, of whose messages two of 400 KiB have room at once. */
static void setup(void)
{
    stage_init(&stage);
    stage.quota.limits[QUOTA_QUEUED_BYTES] = 1600 * KIB;
    stage.quota.limits[QUOTA_RECEIVING_BYTES] = 1600 * KIB;
    stage.quota.limits[QUOTA_RESERVED_BYTES] = 1600 * KIB;
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(program_opens(&programs[i], &stage, STAGE_UID, URL, STAGE_PRIVATE), 0);
        peers[i] = stage_peer(&stage);
        peer_opens(peers[i], "");
    }
    stage_turn(&stage);
    for (int i = 0; i < N; i++)
        program_heard(&programs[i]);
}

static void teardown(void)
{
    for (int i = 0; i < N; i++)
        program_deinit(&programs[i]);
    for (unsigned i = 0; i < stage.n_peers; i++) {
        if (!stage.peers[i]->is_freed)
            peer_ends(stage.peers[i], true, 1000, "");
    }
    stage_turn(&stage);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), 0);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 0);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    stage_deinit(&stage);
}

/* A message of 400 KiB begins. */
static void begins(int i)
{
    peer_sends_part(peers[i], PART, 400 * KIB);
    stage_turn(&stage);
}

static void begins_with_more_unread(int i)
{
    stage.n_upstream_calls++;
    reception_holds(peers[i]->share, PART, 400 * KIB, 100);
    stage.n_upstream_calls--;
    stage_turn(&stage);
}

static void ends(int i)
{
    peer_sends_bytes(peers[i], 400 * KIB);
    peer_sends_part(peers[i], 0, 0);
    stage_turn(&stage);
}

/* Which of the upstreams are paused, a digit each. */
static const char *paused(void)
{
    static char text[N + 1];
    size_t len = 0;

    for (int i = 0; i < N; i++) {
        if (!peers[i]->is_freed && peers[i]->is_paused)
            text[len++] = (char)('0' + i);
    }
    text[len] = '\0';
    return text;
}

START_TEST(up_to_the_bound_nobody_asks)
{
    stage.quota.limits[QUOTA_RESERVED_BYTES] = 1;
    begins(0);
    ck_assert_str_eq(paused(), ""); /* has the only turn */
    peer_sends_part(peers[1], MAX_UNRESERVED_LEN, 400 * KIB);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
    ck_assert_uint_ge(stage_used(&stage, QUOTA_RECEIVING_BYTES), MAX_UNRESERVED_LEN);
    peer_sends_part(peers[1], MAX_UNRESERVED_LEN + 1, 400 * KIB);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "1");
}
END_TEST

START_TEST(with_room_for_all_nobody_waits)
{
    begins(0);
    begins(1);
    ck_assert_str_eq(paused(), "");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 800 * KIB);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), 0); /* the room covers it */
    peer_sends_part(peers[0], 300 * KIB, 400 * KIB);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), 0);
    ends(0);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 400 * KIB);
    ck_assert_str_eq(program_heard(&programs[0]), "[409600]");
}
END_TEST

START_TEST(one_more_waits_until_one_is_whole)
{
    begins(0);
    begins(1);
    begins(2);
    ck_assert_str_eq(paused(), "2");
    ck_assert_uint_eq(programs[2].channel.share->pauses, SHARE_PAUSE_TURN);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), PART);
    ends(1);
    ck_assert_str_eq(paused(), "");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), 0);
    ends(2);
    ck_assert_str_eq(program_heard(&programs[2]), "[409600]");
}
END_TEST

START_TEST(what_was_read_and_not_understood_waits_too)
{
    begins(0);
    begins(1);
    begins_with_more_unread(2);
    ck_assert_str_eq(paused(), "2");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), PART + 100);
}
END_TEST

START_TEST(first_come_first_served)
{
    begins(0);
    begins(1);
    peer_sends_part(peers[3], PART, 700 * KIB);
    stage_turn(&stage);
    begins(2); /* would have room earlier, and waits nevertheless */
    ck_assert_str_eq(paused(), "23");
    ends(0);
    ck_assert_str_eq(paused(), "23");
    ends(1);
    ck_assert_str_eq(paused(), "2");
    ends(3);
    ck_assert_str_eq(paused(), "");
}
END_TEST

/* Longer than half of the limit: one after the other, and what goes beyond what it could reserve is charged too. */
START_TEST(one_can_always_go_on)
{
    peer_sends_part(peers[1], MAX_UNRESERVED_LEN, 4000 * KIB); /* and never more */
    for (int i = 0; i < N; i += 2) {
        peer_sends_part(peers[i], PART, 4000 * KIB);
        stage_turn(&stage);
    }
    ck_assert_str_eq(paused(), "2");
    peer_sends_part(peers[0], 3000 * KIB, 4000 * KIB);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 800 * KIB);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES),
                      2200 * KIB + MAX_UNRESERVED_LEN + PART);
    ends(0);
    ck_assert_str_eq(paused(), "");
    ends(2);
}
END_TEST

START_TEST(nothing_long_comes_in_while_too_much_waits_to_be_read)
{
    program_stops_reading(&programs[0]);
    peer_sends_bytes(peers[0], 1601 * KIB);
    begins(1);
    ck_assert_str_eq(paused(), "01");
    ck_assert_uint_eq(programs[1].channel.share->pauses, SHARE_PAUSE_TURN);
    stage_wait(&stage, 10 * RESERVED_GRACE_MS);
    ck_assert_str_eq(paused(), "01");
    program_reads(&programs[0], UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
}
END_TEST

START_TEST(a_raised_limit_is_heeded)
{
    begins(0);
    begins(1);
    begins(2);
    stage.quota.limits[QUOTA_RESERVED_BYTES] = 2400 * KIB;
    quota_limits_changed(&stage.quota);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
}
END_TEST

/* --- its own pauses --- */

START_TEST(a_turn_outlasts_other_pauses_but_no_further_message_begins)
{
    stage.queue_bytes = 100;
    program_deinit(&programs[0]);
    ck_assert_int_eq(program_opens(&programs[0], &stage, STAGE_UID, URL, STAGE_PRIVATE), 0);
    peers[0] = stage_peer(&stage);
    peer_opens(peers[0], "");
    stage_turn(&stage);
    program_heard(&programs[0]);
    program_stops_reading(&programs[0]);
    peer_sends_bytes(peers[0], 200);
    begins(0);
    peer_sends_bytes(peers[0], 400 * KIB);
    peer_sends_part(peers[0], PART, 400 * KIB); /* within what was read with the one before */
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "0");
    ck_assert_uint_eq(programs[0].channel.share->pauses, SHARE_PAUSE_LAG | SHARE_PAUSE_TURN);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 0);
    program_reads(&programs[0], UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 400 * KIB);
    program_stops_reading(&programs[0]);
    ends(0);
    peer_sends_bytes(peers[0], 200);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "0");
    program_reads(&programs[0], UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&programs[0]), "[200] [409600] [409600] [200]");
    ck_assert_str_eq(paused(), "");
}
END_TEST

/* With its turn it is read on, though its program blocks; when the message is whole it is paused. */
START_TEST(the_pause_comes_when_the_message_is_whole)
{
    begins(0);
    begins(1);
    program_stops_reading(&programs[0]);
    programs[0].channel.queue_bytes = 100;
    peer_sends_part(peers[0], 0, 0);
    peer_sends_bytes(peers[0], 200);
    peer_sends_bytes(peers[0], 200);
    begins(0); /* in the same turn as what blocks: does not ask */
    ck_assert_str_eq(paused(), "0");
    program_reads(&programs[0], UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
    program_stops_reading(&programs[0]);
    programs[0].channel.share->pauses |= SHARE_PAUSE_LAG;
    turn_schedule(&stage.turn, TURN_CHECK, &programs[0].channel.share->check);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
    ends(0);
    ck_assert_str_eq(paused(), "0");
    programs[0].channel.share->pauses = 0;
    turn_schedule(&stage.turn, TURN_CHECK, &programs[0].channel.share->check);
    program_reads(&programs[0], UINT_MAX);
}
END_TEST

/* --- ends --- */

START_TEST(who_ends_while_it_waits_lets_the_next_one_in)
{
    begins(0);
    begins(1);
    peer_sends_part(peers[2], PART, 700 * KIB);
    stage_turn(&stage);
    peer_sends_part(peers[3], PART, 10 * KIB + PART);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "23");
    ends(0);
    ck_assert_str_eq(paused(), "23");
    peer_fails(peers[2], WSP_CAUSE_LOST);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
    ck_assert_str_eq(program_heard(&programs[2]), "error(lost) close(1006)");
}
END_TEST

START_TEST(who_ends_with_its_turn_gives_it_back)
{
    begins(0);
    begins(1);
    begins(2);
    peer_fails(peers[0], WSP_CAUSE_LOST);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
    peer_sends_part(peers[1], 0, 0); /* a rule was broken: what there was is thrown away */
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 400 * KIB);
}
END_TEST

/* --- time --- */

enum { TIME_MS = RESERVED_GRACE_MS + 400 * KIB * 1000LL / MIN_RESERVED_RATE };

START_TEST(who_never_ends_fails_when_another_has_waited_for_it)
{
    begins(0);
    stage_wait(&stage, 100 * TIME_MS); /* nobody waits: it may */
    ck_assert_uint_eq(peers[0]->failed, 0);
    begins(1);
    begins(2);
    stage_wait(&stage, TIME_MS - 1);
    ck_assert_uint_eq(peers[0]->failed, 0);
    ck_assert_str_eq(paused(), "2");
    stage_wait(&stage, 1);
    ck_assert_uint_eq(peers[0]->failed, WSP_CAUSE_TIMEOUT);
    ck_assert_uint_eq(peers[1]->failed, WSP_CAUSE_TIMEOUT);
    peer_fails(peers[0], WSP_CAUSE_TIMEOUT);
    stage_turn(&stage);
    ck_assert_str_eq(paused(), "");
    ends(2);
}
END_TEST

START_TEST(a_turn_that_was_just_given_is_not_cut_short)
{
    begins(0);
    begins(1);
    begins(2);
    begins(3);
    stage_wait(&stage, TIME_MS / 2);
    ends(0); /* now it is the turn of 2 */
    stage_wait(&stage, TIME_MS - TIME_MS / 2);
    ck_assert_uint_eq(peers[1]->failed, WSP_CAUSE_TIMEOUT);
    ck_assert_uint_eq(peers[2]->failed, 0);
    stage_wait(&stage, TIME_MS / 2);
    ck_assert_uint_eq(peers[2]->failed, WSP_CAUSE_TIMEOUT);
}
END_TEST

START_TEST(a_longer_message_has_more_time)
{
    peer_sends_part(peers[0], PART, 800 * KIB);
    stage_turn(&stage);
    begins(1);
    stage_wait(&stage, TIME_MS);
    ck_assert_uint_eq(peers[0]->failed, 0);
    stage_wait(&stage, 400 * KIB * 1000LL / MIN_RESERVED_RATE + 1);
    ck_assert_uint_eq(peers[0]->failed, WSP_CAUSE_TIMEOUT);
}
END_TEST

/* --- how much is read --- */

START_TEST(little_is_read_where_it_is_crowded)
{
    const struct share *with_turn = programs[0].channel.share;
    const struct share *without = programs[3].channel.share;

    begins(0);
    ck_assert_uint_eq(reception_read_len(without, SCRATCH), SCRATCH);
    begins(1); /* half of the limit, exactly */
    ck_assert_uint_eq(reception_read_len(without, SCRATCH), SCRATCH);
    peer_sends_part(peers[2], 1, 1);
    ck_assert_uint_eq(reception_read_len(without, SCRATCH), MAX_READ_CROWDED);
    ck_assert_uint_eq(reception_read_len(without, 10), 10);
    ck_assert_uint_eq(reception_read_len(with_turn, SCRATCH), SCRATCH);
    ends(0);
    ck_assert_uint_eq(reception_read_len(without, SCRATCH), SCRATCH);
    program_stops_reading(&programs[2]);
    peer_sends_bytes(peers[2], 1600 * KIB);
    ck_assert_uint_eq(reception_read_len(without, SCRATCH), MAX_READ_CROWDED);
    program_reads(&programs[2], UINT_MAX);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("reception");
    TCase *turns = unit_case(suite, "turns");

    tcase_add_checked_fixture(turns, setup, teardown);
    tcase_add_test(turns, up_to_the_bound_nobody_asks);
    tcase_add_test(turns, with_room_for_all_nobody_waits);
    tcase_add_test(turns, one_more_waits_until_one_is_whole);
    tcase_add_test(turns, what_was_read_and_not_understood_waits_too);
    tcase_add_test(turns, first_come_first_served);
    tcase_add_test(turns, one_can_always_go_on);
    tcase_add_test(turns, nothing_long_comes_in_while_too_much_waits_to_be_read);
    tcase_add_test(turns, a_raised_limit_is_heeded);
    tcase_add_test(turns, a_turn_outlasts_other_pauses_but_no_further_message_begins);
    tcase_add_test(turns, the_pause_comes_when_the_message_is_whole);
    tcase_add_test(turns, who_ends_while_it_waits_lets_the_next_one_in);
    tcase_add_test(turns, who_ends_with_its_turn_gives_it_back);
    tcase_add_test(turns, who_never_ends_fails_when_another_has_waited_for_it);
    tcase_add_test(turns, a_turn_that_was_just_given_is_not_cut_short);
    tcase_add_test(turns, a_longer_message_has_more_time);
    tcase_add_test(turns, little_is_read_where_it_is_crowded);
    return suite;
}
