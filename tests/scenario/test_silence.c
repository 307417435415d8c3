/*
 * test_silence: servers that say nothing, as daemon/pulse.h and the daemon's real upstream have it.
 *
 * Between the scripted programs of tests/harness/stage and the scripted server of tests/harness/server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/harness/server_story.h"

static char heard[STAGE_MAX_TRANSCRIPT], pinged[40];

/* What the server has heard, with the payload of a ping, which nobody can know, in pinged instead. */
static const char *server_heard_of_late(void)
{
    char *ping;

    snprintf(heard, sizeof(heard), "%s", server_heard(&server));
    ping = strstr(heard, "ping(");
    if (ping != NULL) {
        snprintf(pinged, sizeof(pinged), "%.8s", ping + 5);
        memmove(ping + 5, ping + 13, strlen(ping + 13) + 1);
    }
    return heard;
}

static void assert_lost(const char *why)
{
    ck_assert_str_eq(program_heard(&a), "error(lost) close(1006)");
    ck_assert_msg(strstr(a.channel.ending.failure.text, why) != NULL, "%s",
                  a.channel.ending.failure.text);
}

/* Payloads that are no text, and have no zero that would hide their end. */
static void random_of_letters(void *to, size_t len)
{
    static unsigned n;

    for (size_t i = 0; i < len; i++)
        ((char *)to)[i] = (char)('a' + n++ % 26);
}

static void setup(void)
{
    story_begins();
    server.context.random = random_of_letters;
    a_is_open(STAGE_PRIVATE);
}

START_TEST(silent_server_is_pinged_and_lost)
{
    wait_ms(target->ping_ms - 1);
    ck_assert_str_eq(server_heard_of_late(), "");
    wait_ms(1);
    ck_assert_str_eq(server_heard_of_late(), "ping()");
    wait_ms(target->pong_timeout_ms - 1);
    ck_assert_str_eq(program_heard(&a), "");
    wait_ms(1);
    assert_lost("for 20000 ms not a word after a ping either (pong-timeout)");
    ck_assert_str_eq(server_heard_of_late(), "gone");
}
END_TEST

START_TEST(pong_keeps_it_and_tells_the_round_trip)
{
    uint64_t ms = 0;

    for (int i = 0; i < 5; i++) {
        wait_ms(target->ping_ms);
        ck_assert_str_eq(server_heard_of_late(), "ping()");
        wait_ms(100 + (uint64_t)i);
        server_sends_frame(&server, true, WSP_OPCODE_PONG, pinged, 8);
        server_run(&server);
        ck_assert(upstream_round_trip(a.channel.share->upstream, &ms));
        ck_assert_uint_eq(ms, 100 + (uint64_t)i);
    }
    wait_ms(target->ping_ms - 1);
    ck_assert_str_eq(server_heard_of_late(), "");
    ck_assert_str_eq(program_heard(&a), "");
}
END_TEST

START_TEST(pong_that_nobody_asked_for_tells_no_round_trip)
{
    uint64_t ms;

    wait_ms(target->ping_ms);
    server_sends_frame(&server, true, WSP_OPCODE_PONG, "", 0);
    server_sends_frame(&server, true, WSP_OPCODE_PONG, "12345678", 8);
    server_run(&server);
    ck_assert(!upstream_round_trip(a.channel.share->upstream, &ms));
}
END_TEST

/* A part of a long message is a sign of life, though no pong can come before its end. */
START_TEST(part_of_a_frame_is_life)
{
    static const uint8_t head[] = {0x82, 126, 0x03, 0xe8};

    wait_ms(target->ping_ms);
    server_says(&server, head, sizeof(head));
    for (int i = 0; i < 10; i++) {
        wait_ms(target->pong_timeout_ms - 1);
        server_says(&server, "x", 1);
        server_run(&server);
    }
    ck_assert_str_eq(program_heard(&a), "");
}
END_TEST

/* RFC 6455 allows pings between fragments, and some servers break on them: there is none, as there are no fragments. */
START_TEST(ping_goes_after_the_message_that_is_being_written)
{
    static char text[400000];

    memset(text, 'x', sizeof(text) - 1);
    server.window = 1000;
    ck_assert_int_eq(program_sends(&a, text), 0);
    server_run(&server);
    wait_ms(target->ping_ms);
    ck_assert_str_eq(server_heard_of_late(), "");
    /* Taken bit by bit, for longer than the deadline. */
    for (int i = 0; i < 10; i++) {
        wait_ms(target->pong_timeout_ms - 1);
        server_takes(&server, 100);
        server_run(&server);
    }
    ck_assert_str_eq(server_heard_of_late(), "");
    server_takes(&server, SIZE_MAX);
    server_run(&server);
    ck_assert_str_eq(server_heard_of_late(), "[399999] ping()");
    ck_assert_str_eq(program_heard(&a), "");
}
END_TEST

START_TEST(server_that_takes_nothing_is_lost)
{
    server.window = 0;
    wait_ms(target->ping_ms + target->pong_timeout_ms - 1);
    ck_assert_str_eq(program_heard(&a), "");
    wait_ms(1);
    assert_lost("for 20000 ms it takes nothing of what is to be sent either");
}
END_TEST

/* Promise 6 of sharing: while a slow consumer keeps us from reading, the answer may lie there unseen. */
START_TEST(deadline_rests_while_the_server_is_not_read)
{
    target->slow_consumer = SLOW_BLOCK;
    wait_ms(target->ping_ms);
    ck_assert_str_eq(server_heard_of_late(), "ping()");
    program_stops_reading(&a);
    for (int i = 0; i < 3; i++)
        server_sends_bytes(&server, target->queue_bytes / 2 + 1);
    server_run(&server);
    ck_assert_uint_ne(a.channel.share->pauses & SHARE_PAUSE_LAG, 0);
    wait_ms(10 * (target->ping_ms + target->pong_timeout_ms));
    ck_assert_str_eq(server_heard_of_late(), "");
    program_reads(&a, UINT_MAX);
    server_run(&server);
    program_heard(&a);
    wait_ms(target->ping_ms - 1);
    ck_assert_str_eq(server_heard_of_late(), "");
    ck_assert_str_eq(program_heard(&a), "");
    wait_ms(1);
    ck_assert_str_eq(server_heard_of_late(), "ping()");
    wait_ms(target->pong_timeout_ms);
    assert_lost("after a ping");
}
END_TEST

START_TEST(closing_server_is_not_pinged)
{
    program_closes(&a, 1000, "");
    server_run(&server);
    wait_ms(target->close_timeout_ms - 1);
    ck_assert_str_eq(server_heard_of_late(), "close(1000)");
    ck_assert_str_eq(program_heard(&a), "");
}
END_TEST

START_TEST(ping_that_waits_is_dropped_when_a_close_goes)
{
    server.window = 0;
    wait_ms(target->ping_ms);
    program_closes(&a, 1000, "");
    server_run(&server);
    server_takes(&server, SIZE_MAX);
    server_run(&server);
    /* The one that had been put before goes, as everything that had been put. */
    ck_assert_str_eq(server_heard_of_late(), "ping() close(1000)");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("silence");
    TCase *silence = unit_case(suite, "silence");

    tcase_add_checked_fixture(silence, setup, story_ends);
    tcase_add_test(silence, silent_server_is_pinged_and_lost);
    tcase_add_test(silence, pong_keeps_it_and_tells_the_round_trip);
    tcase_add_test(silence, pong_that_nobody_asked_for_tells_no_round_trip);
    tcase_add_test(silence, part_of_a_frame_is_life);
    tcase_add_test(silence, ping_goes_after_the_message_that_is_being_written);
    tcase_add_test(silence, server_that_takes_nothing_is_lost);
    tcase_add_test(silence, deadline_rests_while_the_server_is_not_read);
    tcase_add_test(silence, closing_server_is_not_pinged);
    tcase_add_test(silence, ping_that_waits_is_dropped_when_a_close_goes);
    return suite;
}
