/*
 * test_interruptions: what channels are told of an upstream that goes and comes again, wherever they stand, and of messages
 * that are for another.
 *
 * The programs of the stage count for themselves: a message whose number or epoch is not the one that they expect fails
 * the test.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/replay_story.h"

enum { BACKOFF_MS = 10 };

static void persist(struct target *target)
{
    target->is_persistent = true;
    target->backoff_min_ms = target->backoff_max_ms = BACKOFF_MS;
}

static void setup(void)
{
    story_begins();
    stage.adjust = persist;
}

enum { N = 6 };

/* --- interruptions --- */

static void ends_for_good(uint16_t cause)
{
    struct ending ending = {.code = 1006};

    failure_set(&ending.failure, cause, 0, "scripted");
    ending.failure.is_lasting = true;
    peer_ends_as(peer, &ending);
}

static void comes_again(void)
{
    tries_again();
    peer_opens(peer, "");
}

START_TEST(who_has_caught_up_hears_each_interruption)
{
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 1);
    is_lost();
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "1 interrupted(lost)");
    comes_again();
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "resumed");
    is_lost();
    comes_again();
    peer_counts(peer, 2, 2);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "interrupted(lost) resumed 2");
    is_lost();
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "interrupted(lost)");
    tries_again();
    peer_fails(peer, WSP_CAUSE_CONNECT);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), ""); /* that is no further interruption */
    comes_again();
    peer_counts(peer, 3, 3);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "resumed 3");
}
END_TEST

/* A slow one, over several reconnections: once for each epoch from which it still gets something. */
START_TEST(who_lags_hears_of_those_between_its_messages)
{
    a_is_open(STAGE_SHARED);
    program_stops_reading(&a);
    peer_counts(peer, 1, 2);
    is_lost();
    comes_again();
    is_lost();
    comes_again();
    peer_counts(peer, 3, 3);
    for (int i = 0; i < 1000; i++) {
        is_lost();
        comes_again();
    }
    peer_counts(peer, 4, 4);
    is_lost();
    stage_turn(&stage);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a),
                     "1 2 interrupted(lost) resumed 3 interrupted(lost) resumed 4 "
                     "interrupted(lost)");
    comes_again();
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "resumed");
}
END_TEST

/* Loop test over how far it has read when the upstream goes, and whether it is told before it comes again. */
START_TEST(an_interruption_at_every_point)
{
    unsigned n_read = (unsigned)_i / 2;
    char heard[200];

    a_is_open(STAGE_SHARED);
    program_reads(&a, n_read);
    peer_counts(peer, 1, 3);
    stage_turn(&stage);
    is_lost();
    if (_i % 2 == 0)
        stage_turn(&stage);
    comes_again();
    peer_counts(peer, 4, 5);
    stage_turn(&stage);
    snprintf(heard, sizeof(heard), "%s", program_heard(&a));
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    if (heard[0] != '\0')
        strcat(heard, " ");
    strcat(heard, program_heard(&a));
    ck_assert_str_eq(heard, "1 2 3 interrupted(lost) resumed 4 5");
}
END_TEST

/* E1: 1 and 2, E2: 3, E3: none, E4: 4. */
static void after_four_epochs(struct position before[4])
{
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 2);
    stage_turn(&stage);
    for (int i = 0; i < 3; i++) {
        before[i] = a.position;
        is_lost();
        comes_again();
        if (i != 1)
            peer_counts(peer, i == 0 ? 3 : 4, i == 0 ? 3 : 4);
        stage_turn(&stage);
    }
    before[3] = a.position;
    program_heard(&a);
}

/* Loop test over positions in each epoch. */
START_TEST(a_position_of_before_a_reconnection)
{
    static const char *const heard[] = {
        "open interrupted(lost) resumed (3) interrupted(lost) resumed (4)",
        "open interrupted(lost) resumed (4)",
        /* Nothing is left of the third epoch, so it is not known any more. */
        ("open gap(unknown-epoch ?) (1) (2) interrupted(lost) resumed (3) interrupted(lost) "
         "resumed (4)"),
        "open",
    };
    struct position before[4];

    keep(N);
    after_four_epochs(before);
    ck_assert(!peer->is_close_asked);
    resumes(&b, &before[_i]);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), heard[_i]);
}
END_TEST

START_TEST(a_position_of_an_epoch_that_has_gone)
{
    struct position before[4];

    keep(2);
    after_four_epochs(before);
    resumes(&b, &before[0]);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b),
                     "open gap(unknown-epoch ?) (3) interrupted(lost) resumed (4)");
}
END_TEST

START_TEST(a_replay_over_a_reconnection)
{
    struct position before[4];

    keep(N);
    after_four_epochs(before);
    opens(&b, STAGE_SHARED);
    is_lost();
    comes_again();
    peer_counts(peer, 5, 5);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b),
                     "open (1) (2) interrupted(lost) resumed (3) "
                     "interrupted(lost) resumed (4) interrupted(lost) resumed 5");
}
END_TEST

/* Loop test: the end comes while the upstream is away, or when it is back, and the reader lags or not. */
START_TEST(end_after_an_interruption)
{
    static const char *const heard[] = {
        "1 interrupted(lost) error(tls) close(1006)",
        "1 interrupted(lost) resumed 2 error(protocol) close(1006)",
        "1 error(tls) close(1006)",
        "1 interrupted(lost) resumed 2 error(protocol) close(1006)",
    };

    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 1);
    if (_i / 2 == 1)
        program_stops_reading(&a);
    stage_turn(&stage);
    is_lost();
    if (_i % 2 == 1) {
        comes_again();
        peer_counts(peer, 2, 2);
        ends_for_good(WSP_CAUSE_PROTOCOL);
    } else {
        tries_again();
        ends_for_good(WSP_CAUSE_TLS);
    }
    stage_turn(&stage);
    program_reads(&a, UINT_MAX);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), heard[_i]);
}
END_TEST

/* --- joining while it is away --- */

/* Loop test over whether it joins before or after the attempt that succeeds, and what it wants. */
START_TEST(who_joins_while_it_is_away_gets_what_is_kept)
{
    static const char *const heard[] = {
        "open (1) (2) interrupted(lost) resumed 3",
        "open (2) interrupted(lost) resumed 3",
        "open interrupted(lost) resumed 3",
        "open gap(unknown-epoch ?) (1) (2) interrupted(lost) resumed 3",
        "open 3",
    };
    struct position at;

    keep(N);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 2);
    stage_turn(&stage);
    at = a.position;
    is_lost();
    stage_turn(&stage);
    at.number = _i % 5 == 3 ? 3 : (uint64_t)_i % 5;
    if (_i % 5 == 4)
        stage.replay.messages = 0;
    if (_i / 5 == 1) {
        tries_again();
    }
    if (_i % 5 == 0 || _i % 5 == 4)
        opens(&b, STAGE_SHARED);
    else
        resumes(&b, &at);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "");
    if (_i / 5 == 1)
        peer_opens(peer, "");
    else
        comes_again();
    peer_counts(peer, 3, 3);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), heard[_i % 5]);
    ck_assert_str_eq(program_heard(&a), "1 2 interrupted(lost) resumed 3");
}
END_TEST

/* An upstream that nobody uses is kept by its anchor or linger, comes and goes, and what it heard is there for who comes
 * back: of each connection what is left, with the interruptions between. */
START_TEST(who_comes_back_after_interruptions_without_him)
{
    struct position at;

    stage.linger_ms = 1000000;
    keep(N);
    a_is_open(STAGE_SHARED);
    peer_counts(peer, 1, 2);
    stage_turn(&stage);
    at = a.position;
    program_deinit(&a);
    peer_counts(peer, 3, 3);
    is_lost();
    comes_again();
    peer_counts(peer, 4, 4);
    stage_turn(&stage);
    resumes(&b, &at);
    peer_counts(peer, 5, 5);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open (3) interrupted(lost) resumed (4) 5");
    at.number = 4; /* of the second connection, said of the first */
    resumes(&c, &at);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&c), "open gap(unknown-epoch ?) (1) (2) (3) interrupted(lost) "
                                        "resumed (4) (5)");
}
END_TEST

/* --- for one alone --- */

/* A reply for it alone. */
static void answers(struct program *program, const char *text)
{
    struct wsp_buffer payload;

    wsp_buffer_init(&payload, 100);
    ck_assert_int_eq(wsp_buffer_append(&payload, text, strlen(text)), 0);
    ck_assert_int_eq(log_append_only(&peer->share->log, &program->channel.cursor, false, &payload),
                     0);
}

/* Loop test over who reads when. */
START_TEST(others_pass_over_an_answer)
{
    keep(N);
    a_is_open(STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open");
    if (_i & 1)
        program_stops_reading(&a);
    if (_i & 2)
        program_stops_reading(&b);
    peer_counts(peer, 1, 1);
    answers(&a, "for a");
    answers(&b, "for b");
    answers(&b, "for b too");
    peer_counts(peer, 5, 5);
    answers(&a, "for a again");
    stage_turn(&stage);
    opens(&c, STAGE_SHARED);
    stage_turn(&stage);
    program_reads(&a, UINT_MAX);
    program_reads(&b, UINT_MAX);
    peer_counts(peer, 7, 7);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "1 for a 5 for a again 7");
    ck_assert_str_eq(program_heard(&b), "1 for b for b too 5 7");
    ck_assert_str_eq(program_heard(&c), "open (1) (5) 7");
}
END_TEST

/* Who resumes behind an answer that was another's gets what was for all, and is told of no loss. */
START_TEST(resume_over_an_answer_to_another)
{
    struct position old;

    keep(N);
    a_is_open(STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    peer_counts(peer, 1, 1);
    stage_turn(&stage);
    old = b.position;
    program_deinit(&b);
    answers(&a, "for a");
    peer_counts(peer, 3, 3);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "1 for a 3");
    resumes(&b, &old);
    peer_counts(peer, 4, 4);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&b), "open (3) 4");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("interruptions");
    TCase *interruptions = unit_case(suite, "interruptions");
    TCase *away = unit_case(suite, "away");
    TCase *only = unit_case(suite, "only");

    tcase_add_checked_fixture(interruptions, setup, story_ends);
    tcase_add_checked_fixture(only, setup, story_ends);
    tcase_add_test(interruptions, who_has_caught_up_hears_each_interruption);
    tcase_add_test(interruptions, who_lags_hears_of_those_between_its_messages);
    tcase_add_loop_test(interruptions, an_interruption_at_every_point, 0, 8);
    tcase_add_loop_test(interruptions, a_position_of_before_a_reconnection, 0, 4);
    tcase_add_test(interruptions, a_position_of_an_epoch_that_has_gone);
    tcase_add_test(interruptions, a_replay_over_a_reconnection);
    tcase_add_loop_test(interruptions, end_after_an_interruption, 0, 4);
    tcase_add_checked_fixture(away, setup, story_ends);
    tcase_add_loop_test(away, who_joins_while_it_is_away_gets_what_is_kept, 0, 10);
    tcase_add_test(away, who_comes_back_after_interruptions_without_him);
    tcase_add_loop_test(only, others_pass_over_an_answer, 0, 4);
    tcase_add_test(only, resume_over_an_answer_to_another);
    return suite;
}
