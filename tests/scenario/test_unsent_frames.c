/*
 * test_unsent_frames: a connection is cut at every byte of the frames that the daemon writes, and made anew: what the
 * network has taken whole does not go again, and all else does.
 *
 * Between the real upstream, with a server in memory, and scripted programs. Promise 8 of sharing of the design.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "tests/harness/server_story.h"

/* A masked frame of a short message. */
enum { HEAD = 2 + 4 };

static const char first[] = "one", second[] = "and two";
enum { FIRST = sizeof(first) - 1, SECOND = sizeof(second) - 1, ALL = HEAD + FIRST + HEAD + SECOND };

static void adjust(struct target *next)
{
    next->is_persistent = true;
    next->is_deflated = false;
    next->ping_ms = 0;
}

static void nothing_random(void *to, size_t len)
{
    memset(to, 0, len);
}

static void setup(void)
{
    story_begins();
    stage.adjust = adjust;
    stage.shares.random = nothing_random;
    a_is_open(STAGE_SHARED);
    server_heard(&server);
}

/* Loop test: so many bytes are taken; then the stream ends, or breaks. */
START_TEST(what_was_taken_whole_does_not_go_again)
{
    size_t n_taken = (size_t)_i % (ALL + 1);
    bool has_first = n_taken >= HEAD + FIRST, has_second = n_taken >= ALL;

    ck_assert_int_eq(program_sends(&a, first), 0);
    ck_assert_int_eq(program_sends(&a, second), 0);
    server_takes(&server, n_taken);
    server_run(&server);
    if (_i > ALL)
        server_breaks(&server, ECONNRESET);
    else
        server_hangs_up(&server);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "interrupted(lost)");
    server_heard(&server);

    stage_wait(&stage, 0);
    server_opens(&server, "");
    ck_assert_str_eq(program_heard(&a), "resumed");
    ck_assert_str_eq(server_heard(&server), has_second ? "" : has_first ? second : "one and two");
    ck_assert_uint_eq(a.sent_told, FIRST + SECOND);
    ck_assert_uint_eq(a.channel.n_sent, 2);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("unsent_frames");
    TCase *cut = unit_case(suite, "cut");

    tcase_add_checked_fixture(cut, setup, story_ends);
    tcase_add_loop_test(cut, what_was_taken_whole_does_not_go_again, 0, 2 * (ALL + 1));
    return suite;
}
