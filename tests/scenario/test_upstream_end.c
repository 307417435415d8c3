/*
 * test_upstream_end: how a remote connection ends, as the table of daemon/upstream.h has it: the closing handshake in
 * every order, broken rules, lost connections, deadlines.
 *
 * Between the scripted programs of tests/harness/stage and the scripted server of tests/harness/server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/allocation.h"
#include "tests/harness/server_story.h"

static void setup(void)
{
    story_begins();
    a_is_open(STAGE_PRIVATE);
}

static void assert_ends(const char *heard)
{
    ck_assert_str_eq(program_heard(&a), heard);
    ck_assert(!server.is_connected);
    ck_assert_uint_eq(stage.shares.n_upstreams, 0);
    ck_assert_uint_eq(fake_clock_next_ms(&stage.clock), UINT64_MAX);
}

/* --- the server closes --- */

START_TEST(server_closes_and_ends_the_stream)
{
    server_sends(&server, "last");
    server_closes(&server, 4001, "enough");
    run();
    ck_assert_str_eq(server_heard(&server), "close(4001)");
    ck_assert_str_eq(program_heard(&a), "last closing");
    ck_assert(server.is_connected && !server.is_shut);
    server_hangs_up(&server);
    run();
    assert_ends("close(clean 4001 enough)");
}
END_TEST

START_TEST(close_without_a_code_is_1005_and_answered_without)
{
    server_closes(&server, 1005, "");
    run();
    ck_assert_str_eq(server_heard(&server), "close(1005)");
    server_hangs_up(&server);
    run();
    assert_ends("closing close(clean 1005)");
}
END_TEST

START_TEST(server_that_does_not_hang_up_is_left_after_the_close_timeout)
{
    server_closes(&server, 1000, "");
    run();
    wait_ms(target->close_timeout_ms - 1);
    ck_assert_str_eq(program_heard(&a), "closing");
    wait_ms(1);
    assert_ends("close(clean 1000)");
}
END_TEST

START_TEST(what_follows_a_close_is_thrown_away)
{
    server_closes(&server, 1000, "");
    server_sends(&server, "too late");
    server_says(&server, "\xff\xff\xff\xff", 4);
    run();
    server_sends(&server, "far too late");
    run();
    ck_assert_uint_eq(wsp_buffer_len(&server.to_daemon), 0);
    server_breaks(&server, ECONNRESET);
    run();
    assert_ends("closing close(clean 1000)");
}
END_TEST

START_TEST(close_and_end_at_once_are_clean)
{
    server_closes(&server, 1001, "");
    server_hangs_up(&server);
    run();
    ck_assert_str_eq(server_heard(&server), "close(1001) gone");
    assert_ends("closing close(clean 1001)");
}
END_TEST

START_TEST(answer_waits_for_the_message_under_way)
{
    server_takes(&server, 8);
    program_sends(&a, "begun already");
    program_sends(&a, "begun too, as it is in the buffer");
    run();
    server_closes(&server, 1000, "");
    run();
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server),
                     "begun already begun too, as it is in the buffer close(1000)");
    server_hangs_up(&server);
    run();
    assert_ends("closing close(clean 1000)");
}
END_TEST

/* The answer cannot be written any more; the server's word stands, and clean it is not. */
START_TEST(close_of_a_server_that_takes_no_answer)
{
    server_closes(&server, 1008, "go away");
    server.refusal = -EPIPE;
    server_hangs_up(&server);
    run();
    assert_ends("closing close(1008 go away)");
}
END_TEST

START_TEST(close_is_seen_though_a_write_has_failed)
{
    server.refusal = -EPIPE;
    program_sends(&a, "into the void");
    server_sends(&server, "first");
    server_closes(&server, 1008, "go away");
    server_breaks(&server, ECONNRESET);
    run();
    assert_ends("first closing close(1008 go away)");
}
END_TEST

/* --- the program closes --- */

START_TEST(program_closes_and_the_server_answers)
{
    program_closes(&a, 3000, "bye");
    run();
    ck_assert_str_eq(server_heard(&server), "close(3000 bye)");
    server_sends(&server, "still there");
    run();
    ck_assert_str_eq(program_heard(&a), "still there");
    server_closes(&server, 3000, "");
    run();
    ck_assert_str_eq(server_heard(&server), "");
    ck_assert_str_eq(program_heard(&a), "");
    server_hangs_up(&server);
    run();
    assert_ends("close(clean 3000)");
}
END_TEST

START_TEST(close_without_a_code_has_none_on_the_wire)
{
    program_closes(&a, 0, "");
    run();
    ck_assert_str_eq(server_heard(&server), "close(1005)");
    server_closes(&server, 1005, "");
    server_hangs_up(&server);
    run();
    assert_ends("close(clean 1005)");
}
END_TEST

START_TEST(close_follows_what_was_sent)
{
    server_takes(&server, 3);
    program_sends(&a, "one");
    program_sends(&a, "two");
    program_closes(&a, 1000, "");
    run();
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server), "one two close(1000)");
    server_closes(&server, 1000, "");
    server_hangs_up(&server);
    run();
    assert_ends("close(clean 1000)");
}
END_TEST

START_TEST(both_close_at_once)
{
    server_takes(&server, 0);
    program_closes(&a, 3001, "ours");
    run();
    server_closes(&server, 3002, "theirs");
    run();
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server), "close(3001 ours)");
    server_hangs_up(&server);
    run();
    assert_ends("close(clean 3002 theirs)");
}
END_TEST

START_TEST(pings_are_answered_until_our_close_has_gone)
{
    program_closes(&a, 1000, "");
    run();
    server_sends_frame(&server, true, WSP_OPCODE_PING, "p", 1);
    run();
    ck_assert_str_eq(server_heard(&server), "close(1000)");
    server_closes(&server, 1000, "");
    server_hangs_up(&server);
    run();
    assert_ends("close(clean 1000)");
}
END_TEST

START_TEST(server_that_does_not_answer_has_the_close_timeout)
{
    program_closes(&a, 1000, "");
    run();
    wait_ms(target->close_timeout_ms - 1);
    ck_assert_str_eq(program_heard(&a), "");
    wait_ms(1);
    assert_ends("error(timeout) close(1006)");
    ck_assert_str_eq(why(&a), "the server did not answer the Close in time");
}
END_TEST

START_TEST(server_that_hangs_up_instead_of_answering)
{
    program_closes(&a, 1000, "");
    run();
    server_hangs_up(&server);
    run();
    assert_ends("error(lost) close(1006)");
    ck_assert_str_eq(why(&a), "the server ended the connection without a Close");
}
END_TEST

/* The administrator's close: nobody waits for a message that the server never takes. */
START_TEST(server_that_reads_nothing_does_not_hold_us)
{
    server_takes(&server, 8);
    program_sends(&a, "never taken whole");
    run();
    share_close(a.channel.share, 1001, wsp_view_of_string("bye"));
    run();
    ck_assert_str_eq(program_heard(&a), "closing");
    wait_ms(target->close_timeout_ms);
    assert_ends("error(timeout) close(1006)");
    ck_assert_str_eq(why(&a), "the server did not answer the Close in time");
}
END_TEST

/* Its Close may lie unread behind messages that the program has not fetched. */
START_TEST(close_timeout_rests_while_we_do_not_read)
{
    target->slow_consumer = SLOW_BLOCK;
    a.channel.slow_consumer = SLOW_BLOCK;
    a.channel.queue_bytes = 1000;
    program_stops_reading(&a);
    server_sends_bytes(&server, 5000);
    server_sends_bytes(&server, 5000);
    run();
    ck_assert_uint_eq(server.wanted, 0);
    server_closes(&server, 1000, "seen at last");
    program_closes(&a, 1000, "");
    run();
    ck_assert_str_eq(server_heard(&server), "close(1000)");
    wait_ms(target->close_timeout_ms * 2);
    ck_assert(server.is_connected);
    program_reads(&a, UINT_MAX);
    run();
    server_hangs_up(&server);
    run();
    assert_ends("[5000] [5000] close(clean 1000 seen at last)");
}
END_TEST

/* --- a rule is broken --- */

static const struct {
    const char *bytes;
    size_t len;
    const char *server_hears, *program_hears, *why;
} violations[] = {
    {"\x81\x81"
     "abcd"
     "x",
     7, "close(1002) fin", "error(protocol)", "(closed with 1002)"},
    {"\xc1\x01x", 3, "close(1002) fin", "error(protocol)", "(closed with 1002)"},
    {"\x83\x01x", 3, "close(1002) fin", "error(protocol)", "(closed with 1002)"},
    {"\x80\x01x", 3, "close(1002) fin", "error(protocol)", "(closed with 1002)"},
    {"\x88\x01x", 3, "close(1002) fin", "error(protocol)", "(closed with 1002)"},
    {"\x88\x02\x03\xed", 4, "close(1002) fin", "error(protocol)", "(closed with 1002)"},
    {"\x81\x01\xff", 3, "close(1007) fin", "error(protocol)", "(closed with 1007)"},
    {"\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff", 10, "close(1009) fin", "error(too-big)",
     "closed with 1009)"},
};

START_TEST(broken_rule_gets_its_code_and_1006_here)
{
    char heard[100];

    server_sends(&server, "good");
    server_says(&server, violations[_i].bytes, violations[_i].len);
    server_sends(&server, "not looked at");
    run();
    ck_assert_str_eq(server_heard(&server), violations[_i].server_hears);
    ck_assert_str_eq(program_heard(&a), "good closing");
    server_closes(&server, 1000, "too late");
    server_hangs_up(&server);
    run();
    snprintf(heard, sizeof(heard), "%s close(1006)", violations[_i].program_hears);
    assert_ends(heard);
    ck_assert_msg(strstr(why(&a), violations[_i].why) != NULL, "%s", why(&a));
}
END_TEST

START_TEST(broken_rule_and_no_end_has_the_close_timeout)
{
    server_says(&server, "\x83\x01x", 3);
    run();
    ck_assert_str_eq(program_heard(&a), "closing");
    wait_ms(target->close_timeout_ms);
    assert_ends("error(protocol) close(1006)");
}
END_TEST

/* RFC 6455, section 7.4.1, and its erratum 3227: an unexpected condition, at either end. */
START_TEST(trouble_of_our_own_is_told_with_1011)
{
    server_sends(&server, "no room for it");
    server_sends(&server, "not looked at");
    allocation_fail_after(0);
    run();
    ck_assert(allocation_disarm());
    run();
    ck_assert_str_eq(server_heard(&server), "close(1011) fin");
    ck_assert_str_eq(program_heard(&a), "closing");
    server_hangs_up(&server);
    run();
    assert_ends("error(internal) close(1006)");
}
END_TEST

START_TEST(broken_rule_in_the_closing_handshake)
{
    program_closes(&a, 1000, "");
    run();
    server_says(&server, "\x83\x01x", 3);
    run();
    ck_assert_str_eq(server_heard(&server), "close(1000) fin");
    server_hangs_up(&server);
    run();
    assert_ends("error(protocol) close(1006)");
}
END_TEST

START_TEST(close_after_a_broken_rule_waits_for_the_message_under_way)
{
    server_takes(&server, 8);
    program_sends(&a, "under way");
    run();
    server_says(&server, "\x83\x01x", 3);
    run();
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server), "under way close(1002) fin");
    server_hangs_up(&server);
    run();
    assert_ends("closing error(protocol) close(1006)");
}
END_TEST

START_TEST(message_at_the_limit_is_whole_one_past_it_is_not)
{
    struct program b;

    program_closes(&a, 1000, "");
    server_closes(&server, 1000, "");
    server_hangs_up(&server);
    run();
    ck_assert_int_eq(program_opens(&b, &stage, STAGE_UID, URL, STAGE_PRIVATE), 0);
    server_is_reached(&server);
    server_accepts(&server, "");
    server_sends_bytes(&server, b.channel.share->target->max_message);
    server_sends_bytes(&server, b.channel.share->target->max_message + 1);
    run();
    server_hangs_up(&server);
    run();
    ck_assert_str_eq(program_heard(&b), "open [16777216] closing error(too-big) close(1006)");
    program_deinit(&b);
}
END_TEST

/* --- lost --- */

START_TEST(end_of_the_stream_is_a_loss)
{
    server_sends(&server, "last");
    server_hangs_up(&server);
    run();
    assert_ends("last error(lost) close(1006)");
    ck_assert_str_eq(why(&a), "the server ended the connection without a Close");
}
END_TEST

START_TEST(end_in_the_middle_is_told_so)
{
    server_sends_frame(&server, false, WSP_OPCODE_TEXT, "half", 4);
    if (_i == 1)
        server_says(&server, "\x80", 1);
    server_hangs_up(&server);
    run();
    assert_ends("error(lost) close(1006)");
    ck_assert_str_eq(why(&a),
                     "the server ended the connection without a Close, in the middle of a message");
}
END_TEST

START_TEST(broken_stream_is_told_by_its_transport)
{
    server_breaks(&server, ECONNRESET);
    run();
    assert_ends("error(lost) close(1006)");
    ck_assert_str_eq(why(&a), "the connection failed: scripted");
}
END_TEST

START_TEST(failed_write_is_a_loss)
{
    server_breaks(&server, EPIPE);
    program_sends(&a, "unsent");
    run();
    assert_ends("error(lost) close(1006)");
    ck_assert_uint_eq(a.channel.n_sent, 0);
}
END_TEST

START_TEST(what_was_in_flight_is_given_back)
{
    server_takes(&server, 8);
    program_sends(&a, "half of it");
    program_sends(&a, "none of it");
    run();
    server_hangs_up(&server);
    run();
    assert_ends("error(lost) close(1006)");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_SENDING_BYTES), 0);
    ck_assert_uint_eq(a.channel.n_sent_bytes, 2);
}
END_TEST

/* --- the daemon goes --- */

START_TEST(drain_closes_with_1001)
{
    shares_drain(&stage.shares);
    run();
    ck_assert_str_eq(server_heard(&server), "close(1001)");
    server_closes(&server, 1001, "");
    server_hangs_up(&server);
    run();
    assert_ends("closing close(clean 1001)");
}
END_TEST

/* Freed in each of its states, with bytes and messages in every place. */
START_TEST(free_leaves_nothing)
{
    server_takes(&server, 8);
    program_sends(&a, "half of it");
    server_sends_frame(&server, false, WSP_OPCODE_TEXT, "half", 4);
    stage_turn(&stage);
    if (_i == 1)
        program_closes(&a, 1000, "");
    if (_i == 2)
        server_closes(&server, 1000, "");
    if (_i > 0)
        run();
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("upstream_end");
    TCase *theirs = unit_case(suite, "the server closes");
    TCase *ours = unit_case(suite, "the program closes");
    TCase *broken = unit_case(suite, "a rule is broken");
    TCase *lost = unit_case(suite, "lost");
    TCase *daemon = unit_case(suite, "the daemon goes");

    tcase_add_checked_fixture(theirs, setup, story_ends);
    tcase_add_test(theirs, server_closes_and_ends_the_stream);
    tcase_add_test(theirs, close_without_a_code_is_1005_and_answered_without);
    tcase_add_test(theirs, server_that_does_not_hang_up_is_left_after_the_close_timeout);
    tcase_add_test(theirs, what_follows_a_close_is_thrown_away);
    tcase_add_test(theirs, close_and_end_at_once_are_clean);
    tcase_add_test(theirs, answer_waits_for_the_message_under_way);
    tcase_add_test(theirs, close_of_a_server_that_takes_no_answer);
    tcase_add_test(theirs, close_is_seen_though_a_write_has_failed);
    tcase_add_checked_fixture(ours, setup, story_ends);
    tcase_add_test(ours, program_closes_and_the_server_answers);
    tcase_add_test(ours, close_without_a_code_has_none_on_the_wire);
    tcase_add_test(ours, close_follows_what_was_sent);
    tcase_add_test(ours, both_close_at_once);
    tcase_add_test(ours, pings_are_answered_until_our_close_has_gone);
    tcase_add_test(ours, server_that_does_not_answer_has_the_close_timeout);
    tcase_add_test(ours, server_that_hangs_up_instead_of_answering);
    tcase_add_test(ours, server_that_reads_nothing_does_not_hold_us);
    tcase_add_test(ours, close_timeout_rests_while_we_do_not_read);
    tcase_add_checked_fixture(broken, setup, story_ends);
    tcase_add_loop_test(broken, broken_rule_gets_its_code_and_1006_here, 0,
                        sizeof(violations) / sizeof(*violations));
    tcase_add_test(broken, broken_rule_and_no_end_has_the_close_timeout);
    tcase_add_test(broken, trouble_of_our_own_is_told_with_1011);
    tcase_add_test(broken, broken_rule_in_the_closing_handshake);
    tcase_add_test(broken, close_after_a_broken_rule_waits_for_the_message_under_way);
    tcase_add_test(broken, message_at_the_limit_is_whole_one_past_it_is_not);
    tcase_add_checked_fixture(lost, setup, story_ends);
    tcase_add_test(lost, end_of_the_stream_is_a_loss);
    tcase_add_loop_test(lost, end_in_the_middle_is_told_so, 0, 2);
    tcase_add_test(lost, broken_stream_is_told_by_its_transport);
    tcase_add_test(lost, failed_write_is_a_loss);
    tcase_add_test(lost, what_was_in_flight_is_given_back);
    tcase_add_checked_fixture(daemon, setup, story_ends);
    tcase_add_test(daemon, drain_closes_with_1001);
    tcase_add_loop_test(daemon, free_leaves_nothing, 0, 3);
    return suite;
}
