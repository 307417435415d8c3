/*
 * test_pings: pings of the server and what becomes of them, whatever else goes on (RFC 6455, sections 5.5.2 and 5.5.3).
 *
 * Between the scripted programs of tests/harness/stage and the scripted server of tests/harness/server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "daemon/limits.h"
#include "tests/harness/server_story.h"

static void setup(void)
{
    story_begins();
    a_is_open(STAGE_PRIVATE);
}

START_TEST(ping_is_answered_with_its_payload)
{
    server_sends_frame(&server, true, WSP_OPCODE_PING, "are you there", 13);
    run();
    ck_assert_str_eq(server_heard(&server), "pong(are you there)");
    ck_assert_str_eq(program_heard(&a), "");
}
END_TEST

START_TEST(each_ping_of_many_is_answered)
{
    char expected[200] = "", text[20];

    for (int i = 0; i < 10; i++) {
        int len = snprintf(text, sizeof(text), "ping %d", i);

        server_sends_frame(&server, true, WSP_OPCODE_PING, text, (size_t)len);
        sprintf(expected + strlen(expected), "%spong(ping %d)", i == 0 ? "" : " ", i);
    }
    run();
    ck_assert_str_eq(server_heard(&server), expected);
}
END_TEST

/* RFC 6455, section 5.5.3: what a server floods us with and does not let us answer costs no more than this. */
START_TEST(of_a_flood_of_pings_the_first_and_the_newest_are_answered)
{
    enum { N_PINGS = 1000, PING_LEN = 100, N_KEPT = MAX_PONGS_LEN / (1 + PING_LEN) };
    char text[PING_LEN + 1], expected[PING_LEN + 10];

    server_takes(&server, 0);
    for (int i = 0; i < N_PINGS; i++) {
        snprintf(text, sizeof(text), "%0*d", PING_LEN, i);
        server_sends_frame(&server, true, WSP_OPCODE_PING, text, PING_LEN);
        run();
    }
    /* The first is on its way already. */
    for (int i = 0; i <= N_KEPT + 1; i++) {
        server_takes(&server, WSP_FRAME_KEY + 2 + PING_LEN);
        run();
        snprintf(expected, sizeof(expected), "pong(%0*d)", PING_LEN, i <= N_KEPT ? i : N_PINGS - 1);
        ck_assert_str_eq(server_heard(&server), expected);
    }
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server), "");
}
END_TEST

START_TEST(pong_goes_between_messages)
{
    char text[300001];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    server_takes(&server, 1000);
    program_sends(&a, text);
    program_sends(&a, "later");
    run();
    server_sends_frame(&server, true, WSP_OPCODE_PING, "p", 1);
    run();
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server), "[300000] pong(p) later");
}
END_TEST

/* What had to wait for a message goes before the next one, and in the order in which it was asked for. */
START_TEST(pongs_that_waited_go_in_order)
{
    server_takes(&server, 0);
    program_sends(&a, "first");
    program_sends(&a, "second");
    run();
    server_sends_frame(&server, true, WSP_OPCODE_PING, "1", 1);
    server_sends_frame(&server, true, WSP_OPCODE_PING, "", 0);
    run();
    server_sends_frame(&server, true, WSP_OPCODE_PING, "3", 1);
    run();
    program_sends(&a, "third");
    server_takes(&server, SIZE_MAX);
    run();
    ck_assert_str_eq(server_heard(&server), "first second pong(1) pong() pong(3) third");
}
END_TEST

START_TEST(a_ping_amid_a_message_does_not_wait_for_its_end)
{
    server_sends_frame(&server, false, WSP_OPCODE_TEXT, "be", 2);
    server_sends_frame(&server, true, WSP_OPCODE_PING, "now", 3);
    run();
    ck_assert_str_eq(server_heard(&server), "pong(now)");
    ck_assert_str_eq(program_heard(&a), "");
    server_sends_frame(&server, true, WSP_OPCODE_CONTINUATION, "gun", 3);
    run();
    ck_assert_str_eq(program_heard(&a), "begun");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("pings");
    TCase *tcase = tcase_create("pings");

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, story_ends);
    tcase_add_test(tcase, ping_is_answered_with_its_payload);
    tcase_add_test(tcase, each_ping_of_many_is_answered);
    tcase_add_test(tcase, of_a_flood_of_pings_the_first_and_the_newest_are_answered);
    tcase_add_test(tcase, pong_goes_between_messages);
    tcase_add_test(tcase, pongs_that_waited_go_in_order);
    tcase_add_test(tcase, a_ping_amid_a_message_does_not_wait_for_its_end);
    return suite;
}
