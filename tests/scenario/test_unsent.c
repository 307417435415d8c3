/*
 * test_unsent: what programs send when a connection is lost, or while it is away: nothing goes twice, nothing is lost
 * without a word, and the totals that programs are told add up.
 *
 * Between the scripted programs and scripted servers of tests/harness/stage. Promise 8 of sharing of the design.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "tests/harness/persistent.h"
#include "tests/harness/unit.h"

static const char first[] = "first", second[] = "the second", third[] = "third",
                  other[] = "b's own";
enum {
    FIRST = sizeof(first) - 1,
    SECOND = sizeof(second) - 1,
    THIRD = sizeof(third) - 1,
    OTHER = sizeof(other) - 1,
    GIVEN = FIRST + SECOND + THIRD
};

static struct persistent *p;

static void setup(void)
{
    p = persistent_init();
}

static void teardown(void)
{
    persistent_deinit();
}

static void sends(struct program *program, const char *text)
{
    ck_assert_int_eq(program_sends(program, text), 0);
}

/* The first message of a has been written, n_written bytes of the second, and its third waits; that of b is in flight, or
 * waits as well. */
static struct upstream *amid_of_sending(size_t n_written, bool is_b_in_flight)
{
    struct upstream *peer = persistent_a_is_open(STAGE_SHARED);
    struct outgoing *outgoing;

    persistent_opens(&p->b, STAGE_SHARED);
    stage_turn(&p->stage);
    program_heard(&p->b);
    sends(&p->a, first);
    ck_assert_str_eq(peer_receives(peer), first);
    sends(&p->a, second);
    sends(&p->a, third);
    outgoing = peer_takes(peer);
    sends(&p->b, other);
    if (is_b_in_flight) {
        ck_assert_ptr_nonnull(
            peer_takes(peer)); /* a's third, or b's: both have been taken in turn */
        ck_assert_ptr_nonnull(peer_takes(peer));
    }
    if (n_written == SECOND)
        peer_writes(peer, outgoing);
    else
        peer_writes_part(peer, outgoing, n_written);
    stage_turn(&p->stage);
    ck_assert_uint_eq(p->a.sent_told, FIRST + n_written);
    return peer;
}

/* Loop test: each length that was written of a message, with the others in flight or not. */
START_TEST(what_was_not_written_whole_goes_again_whole)
{
    size_t n_written = (size_t)_i % (SECOND + 1);
    const char *texts;
    struct upstream *peer = amid_of_sending(n_written, _i > SECOND);

    persistent_cut(peer);
    ck_assert_str_eq(program_heard(&p->a), "interrupted(lost)");
    ck_assert_uint_eq(p->a.sent_told, FIRST + n_written);
    peer = persistent_again();
    peer_opens(peer, "v1");
    texts = peer_receives(peer);
    if (n_written == SECOND)
        ck_assert(strcmp(texts, "third b's own") == 0 || strcmp(texts, "b's own third") == 0);
    else
        ck_assert_msg(strcmp(texts, "the second b's own third") == 0 ||
                          strcmp(texts, "b's own the second third") == 0,
                      "%s", texts);
    stage_turn(&p->stage);
    ck_assert_uint_eq(p->a.sent_told, GIVEN);
    ck_assert_uint_eq(p->b.sent_told, OTHER);
    ck_assert_uint_eq(p->a.channel.n_sent, 3);
    ck_assert_uint_eq(p->a.channel.outbox_bytes, 0);
    ck_assert_uint_eq(p->a.channel.n_unsent, 0);
    ck_assert_uint_eq(stage_used(&p->stage, QUOTA_SENDING_BYTES), 0);
}
END_TEST

/* Loop test: the same over three connections, each of which gets a little further, or less far. */
START_TEST(what_is_told_as_sent_never_goes_back)
{
    static const size_t lengths[][3] = {{1, 5, 9}, {9, 5, 1}, {0, 9, 0}, {3, 3, 3}};
    struct upstream *peer = persistent_a_is_open(STAGE_PRIVATE);
    uint64_t most = 0;

    sends(&p->a, second);
    for (unsigned i = 0; i < 3; i++) {
        size_t n = lengths[_i][i];

        peer_writes_part(peer, peer_takes(peer), n);
        most = n > most ? n : most;
        stage_turn(&p->stage);
        ck_assert_uint_eq(p->a.sent_told, most);
        persistent_cut(peer);
        peer = persistent_again();
        peer_opens(peer, "v1");
    }
    ck_assert_str_eq(peer_receives(peer), second);
    stage_turn(&p->stage);
    ck_assert_uint_eq(p->a.sent_told, SECOND);
    ck_assert_uint_eq(p->a.channel.n_sent, 1);
}
END_TEST

/* Loop test: as the first. What was told as sent, and what is told as not sent, is all that was given. */
START_TEST(what_was_not_written_whole_is_told)
{
    size_t n_written = (size_t)_i % (SECOND + 1);
    unsigned n_unsent = n_written == SECOND ? 1 : 2;
    struct upstream *peer;
    char expected[64];

    p->offline = OFFLINE_REFUSE;
    peer = amid_of_sending(n_written, _i > SECOND);
    persistent_cut(peer);
    snprintf(expected, sizeof(expected), "unsent(%u %zu) interrupted(lost)", n_unsent,
             SECOND - n_written + THIRD);
    ck_assert_str_eq(program_heard(&p->a), expected);
    snprintf(expected, sizeof(expected), "unsent(1 %d) interrupted(lost)", OTHER);
    ck_assert_str_eq(program_heard(&p->b), expected);
    ck_assert_uint_eq(p->a.sent_told + p->a.channel.n_unsent_bytes, GIVEN);
    ck_assert_uint_eq(stage_used(&p->stage, QUOTA_SENDING_BYTES), 0);

    sends(&p->a, "in vain");
    stage_turn(&p->stage);
    snprintf(expected, sizeof(expected), "unsent(%u %zu)", n_unsent + 1,
             SECOND - n_written + THIRD + strlen("in vain"));
    ck_assert_str_eq(program_heard(&p->a), expected);
    /* Credit comes back for what is not sent as for what is. */
    ck_assert_uint_eq(p->a.channel.cost_done, GIVEN + strlen("in vain") + 4 * 12);
    peer = persistent_again();
    peer_opens(peer, "v1");
    ck_assert_str_eq(peer_receives(peer), "");
    sends(&p->a, "heard");
    ck_assert_str_eq(peer_receives(peer), "heard");
}
END_TEST

/* --- who leaves --- */

START_TEST(who_leaves_has_sent_when_it_is_back_in_time)
{
    struct upstream *peer = persistent_a_is_open(STAGE_SHARED);

    persistent_opens(&p->b, STAGE_SHARED);
    sends(&p->a, second);
    peer_writes_part(peer, peer_takes(peer), 4);
    program_closes(&p->a, 1000, "done");
    persistent_cut(peer);
    ck_assert_str_eq(program_heard(&p->a), "interrupted(lost)");
    peer = persistent_again();
    peer_opens(peer, "v1");
    stage_turn(&p->stage);
    ck_assert_str_eq(peer_receives(peer), second);
    stage_turn(&p->stage);
    ck_assert_str_eq(program_heard(&p->a), "resumed close(clean 1000 done)");
}
END_TEST

START_TEST(who_leaves_does_not_wait_for_ever)
{
    struct upstream *peer = persistent_a_is_open(STAGE_SHARED);

    persistent_opens(&p->b, STAGE_SHARED);
    sends(&p->a, second);
    program_closes(&p->a, 1000, "");
    p->bits = MAX_MS;
    for (int i = 0; i < 3; i++) {
        peer_fails(stage_peer(&p->stage), WSP_CAUSE_LOST);
        stage_wait(&p->stage, (uint64_t)MIN_MS << i);
    }
    (void)peer;
    ck_assert_str_eq(program_heard(&p->a), "interrupted(lost) error(timeout) close(1006)");
    peer_opens(stage_peer(&p->stage), "v1");
    ck_assert_str_eq(peer_receives(stage_peer(&p->stage)), "");
}
END_TEST

/* Loop test: as it closes, or as its client dies. */
START_TEST(who_leaves_and_is_refused_ends_at_once)
{
    struct upstream *peer;

    p->offline = OFFLINE_REFUSE;
    peer = persistent_a_is_open(STAGE_SHARED);
    persistent_opens(&p->b, STAGE_SHARED);
    sends(&p->a, second);
    if (_i == 0)
        program_closes(&p->a, 1000, "");
    else
        channel_abandon(&p->a.channel);
    persistent_cut(peer);
    if (_i == 0)
        ck_assert_str_eq(program_heard(&p->a), "unsent(1 10) close(clean 1000)");
    else
        ck_assert_uint_eq(p->a.n_gone, 1);
    ck_assert_uint_eq(p->b.channel.share->n_unsent, 1);
}
END_TEST

/* Loop test: whoever ends while something of it is in flight takes it along at the cut. */
START_TEST(what_has_no_channel_any_more_does_not_go_again)
{
    struct upstream *peer = persistent_a_is_open(STAGE_SHARED);
    struct failure failure;

    persistent_opens(&p->b, STAGE_SHARED);
    sends(&p->a, second);
    peer_writes_part(peer, peer_takes(peer), 4);
    failure_set(&failure, WSP_CAUSE_TOO_BIG, 0, "scripted");
    channel_fail(&p->a.channel, &failure);
    if (_i == 0)
        stage_turn(&p->stage);
    persistent_cut(peer);
    peer = persistent_again();
    peer_opens(peer, "v1");
    ck_assert_str_eq(peer_receives(peer), "");
    ck_assert_uint_eq(stage_used(&p->stage, QUOTA_SENDING_BYTES), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("unsent");
    TCase *cut = unit_case(suite, "cut");
    TCase *leaving = unit_case(suite, "leaving");

    tcase_add_checked_fixture(cut, setup, teardown);
    tcase_add_checked_fixture(leaving, setup, teardown);
    tcase_add_loop_test(cut, what_was_not_written_whole_goes_again_whole, 0, 2 * (SECOND + 1));
    tcase_add_loop_test(cut, what_is_told_as_sent_never_goes_back, 0, 4);
    tcase_add_loop_test(cut, what_was_not_written_whole_is_told, 0, 2 * (SECOND + 1));
    tcase_add_test(leaving, who_leaves_has_sent_when_it_is_back_in_time);
    tcase_add_test(leaving, who_leaves_does_not_wait_for_ever);
    tcase_add_loop_test(leaving, who_leaves_and_is_refused_ends_at_once, 0, 2);
    tcase_add_loop_test(leaving, what_has_no_channel_any_more_does_not_go_again, 0, 2);
    return suite;
}
