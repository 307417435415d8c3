/*
 * test_upstream: opening, messages both ways, backpressure, as the table of daemon/upstream.h has them.
 *
 * Between the scripted programs of tests/harness/stage and the scripted server of tests/harness/server: everything of
 * the daemon between them is the real thing, but for the sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "tests/harness/allocation.h"
#include "tests/harness/server_story.h"

static struct program b;

/* --- DIALING --- */

START_TEST(open_tells_the_subprotocol)
{
    opens(&a, STAGE_PRIVATE);
    ck_assert_int_eq(strings_add(&target->protocols, "chat", 4), 0);
    ck_assert_int_eq(strings_add(&target->protocols, "superchat", 9), 0);
    server_opens(&server, "superchat");
    ck_assert_str_eq(program_heard(&a), "open(superchat)");
}
END_TEST

START_TEST(request_says_what_the_target_asks_for)
{
    opens(&a, STAGE_PRIVATE);
    ck_assert_int_eq(strings_add(&target->protocols, "chat", 4), 0);
    ck_assert_int_eq(strings_add(&target->headers, "X-Key", 5), 0);
    ck_assert_int_eq(strings_add(&target->headers, "1 2", 3), 0);
    server_is_reached(&server);
    ck_assert(request_has("GET /live?token=secret HTTP/1.1\r\n"));
    ck_assert(request_has("\r\nHost: feed.example:8443\r\n"));
    ck_assert(request_has("\r\nSec-WebSocket-Protocol: chat\r\n"));
    ck_assert(request_has("\r\nX-Key: 1 2\r\n"));
    ck_assert(request_has("\r\nAuthorization: Basic dXNlcjpwQHNz\r\n"));
    ck_assert(request_has("\r\nUser-Agent: wsplex/"));
    dies(&a);
    ck_assert_str_eq(server_heard(&server), "request gone");
}
END_TEST

START_TEST(colon_in_a_user_name_cannot_be_sent)
{
    ck_assert_int_eq(
        program_opens(&a, &stage, STAGE_UID, "ws://us%3Aer:pass@feed.example/", STAGE_PRIVATE), 0);
    server_is_reached(&server);
    ck_assert_str_eq(program_heard(&a), "error(url) close(1006)");
    ck_assert_ptr_nonnull(strstr(why(&a), "colon"));
}
END_TEST

START_TEST(unreached_server_is_told_as_the_dialer_says)
{
    opens(&a, STAGE_PRIVATE);
    server_is_not_reached(&server, WSP_CAUSE_RESOLVE, "no such name");
    ck_assert_str_eq(program_heard(&a), "error(resolve) close(1006)");
    ck_assert_str_eq(why(&a), "no such name");
}
END_TEST

START_TEST(dial_has_until_the_connect_timeout)
{
    opens(&a, STAGE_PRIVATE);
    stage_wait(&stage, target->connect_timeout_ms - 1);
    ck_assert_str_eq(program_heard(&a), "");
    stage_wait(&stage, 1);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(timeout) close(1006)");
    ck_assert_ptr_nonnull(strstr(why(&a), "ms: connecting, as scripted"));
    ck_assert_uint_eq(server.n_cancels, 1);
}
END_TEST

/* RFC 6455, section 4.1: what others take for their opening is not ours. */
START_TEST(connect_timeout_rests_while_others_go_first)
{
    uint64_t timeout_ms;

    opens(&a, STAGE_PRIVATE);
    timeout_ms = target->connect_timeout_ms;
    stage_wait(&stage, timeout_ms - 1000);
    server_rests(&server, true);
    server.waits_since_ms = clock_now_ms(&stage.clock.clock);
    stage_wait(&stage, timeout_ms - 1);
    server_rests(&server, false);
    stage_wait(&stage, 999);
    ck_assert_str_eq(program_heard(&a), "");
    stage_wait(&stage, 1);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(timeout) close(1006)");
    ck_assert_ptr_nonnull(strstr(why(&a), "not open after 30000 ms: connecting, as scripted"));
}
END_TEST

START_TEST(rest_goes_on_while_others_get_answers)
{
    uint64_t timeout_ms;

    opens(&a, STAGE_PRIVATE);
    timeout_ms = target->connect_timeout_ms;
    server_rests(&server, true);
    server.waits_since_ms = clock_now_ms(&stage.clock.clock);
    for (int i = 0; i < 10; i++) {
        stage_wait(&stage, timeout_ms - 1);
        server.waits_since_ms = clock_now_ms(&stage.clock.clock);
    }
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "");
    stage_wait(&stage, timeout_ms - 1);
    ck_assert_str_eq(program_heard(&a), "");
    stage_wait(&stage, 1);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(timeout) close(1006)");
    ck_assert_ptr_nonnull(strstr(why(&a), "not open after 329990 ms: connecting, as scripted"));
}
END_TEST

/* In one long turn, before the timer could fire. */
START_TEST(rest_that_begins_too_late_gives_no_time)
{
    opens(&a, STAGE_PRIVATE);
    stage.clock.now_ms += target->connect_timeout_ms + 1;
    server_rests(&server, true);
    server_rests(&server, false);
    stage_wait(&stage, 1);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(timeout) close(1006)");
}
END_TEST

static bool is_place_free(void)
{
    struct pass *pass;
    bool is_free;

    ck_assert_int_eq(gate_enter(&server.gates, "192.0.2.1:443", 0, NULL, NULL, &pass), 0);
    is_free = pass_is_granted(pass);
    pass_free(pass);
    return is_free;
}

START_TEST(place_is_held_until_the_upgrade_is_answered)
{
    opens(&a, STAGE_PRIVATE);
    server_is_reached(&server);
    ck_assert(!is_place_free());
    server_says(&server, "HTTP/1.1 101 Switching", 22);
    server_run(&server);
    ck_assert(!is_place_free());
    server_says(&server, " Protocols\r\n\r\n", 14);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(handshake) close(1006)");
    ck_assert(is_place_free());
}
END_TEST

START_TEST(place_is_free_when_open_closed_lost_or_too_late)
{
    opens(&a, STAGE_PRIVATE);
    server_opens(&server, "");
    ck_assert(is_place_free());
    dies(&a);
    server_hangs_up(&server);
    server_run(&server);

    for (int way = 0; way < 3; way++) {
        opens(&a, STAGE_PRIVATE);
        server_is_reached(&server);
        ck_assert(!is_place_free());
        if (way == 0)
            program_closes(&a, 1000, "");
        else if (way == 1)
            server_hangs_up(&server);
        else
            stage_wait(&stage, target->connect_timeout_ms);
        server_run(&server);
        ck_assert(is_place_free());
        dies(&a);
    }
}
END_TEST

START_TEST(close_while_dialing_gives_up)
{
    opens(&a, STAGE_PRIVATE);
    program_closes(&a, 1000, "");
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(cancelled) close(1006)");
    ck_assert_uint_eq(server.n_cancels, 1);
}
END_TEST

/* --- UPGRADING --- */

static void server_says_text(const char *text)
{
    server_says(&server, text, strlen(text));
}

START_TEST(frames_glued_to_the_answer_are_messages)
{
    opens(&a, STAGE_PRIVATE);
    server_is_reached(&server);
    server_accepts(&server, "");
    server_sends(&server, "one");
    server_sends(&server, "two");
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "open one two");
}
END_TEST

START_TEST(answer_may_come_byte_by_byte)
{
    struct wsp_buffer all;

    opens(&a, STAGE_PRIVATE);
    server_is_reached(&server);
    server_accepts(&server, "");
    server_sends(&server, "one");
    all = server.to_daemon;
    wsp_buffer_init(&server.to_daemon, SERVER_SCRATCH);
    while (wsp_buffer_len(&all) > 0) {
        server_says(&server, wsp_buffer_peek(&all), 1);
        wsp_buffer_consume(&all, 1);
        server_run(&server);
    }
    wsp_buffer_deinit(&all);
    ck_assert_str_eq(program_heard(&a), "open one");
}
END_TEST

static const struct {
    const char *answer;
    unsigned status;
    const char *why;
} refusals[] = {
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nsecret", 404,
     "the server answered with status 404 instead of 101: there is nothing at this path"},
    {"HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/?secret\r\nContent-Length: 0\r\n\r\n", 302,
     "the server answered with status 302 instead of 101: redirects are not followed"},
    {"HTTP/1.1 204 \033[2J\r\n\r\n", 204, "the server answered with status 204 instead of 101"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", 101, "Connection"},
    {"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
     101, "Sec-WebSocket-Accept"},
    {"SSH-2.0-OpenSSH_9.2\r\n", 0, "the server's answer breaks the opening handshake: "},
};

START_TEST(other_answers_are_told_by_status_or_rule)
{
    opens(&a, STAGE_PRIVATE);
    server_is_reached(&server);
    server_says_text(refusals[_i].answer);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(handshake) close(1006)");
    ck_assert_msg(strstr(why(&a), refusals[_i].why) != NULL, "%s", why(&a));
    ck_assert_ptr_null(strstr(why(&a), "secret"));
    ck_assert_uint_eq(a.channel.ending.failure.http_status, refusals[_i].status);
    ck_assert_str_eq(server_heard(&server), "request gone");
}
END_TEST

START_TEST(subprotocol_that_is_not_taken_fails)
{
    opens(&a, STAGE_PRIVATE);
    ck_assert_int_eq(strings_add(&target->protocols, "chat", 4), 0);
    server_opens(&server, "");
    ck_assert_str_eq(program_heard(&a), "error(handshake) close(1006)");
    ck_assert_ptr_nonnull(strstr(why(&a), "subprotocol"));
}
END_TEST

START_TEST(end_instead_of_an_answer)
{
    opens(&a, STAGE_PRIVATE);
    server_is_reached(&server);
    server_says_text("HTTP/1.1 101 Sw");
    if (_i == 0)
        server_hangs_up(&server);
    else
        server_breaks(&server, ECONNRESET);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(handshake) close(1006)");
    ck_assert_str_eq(why(&a), _i == 0 ? "no answer to the upgrade request: the server ended the "
                                        "connection"
                                      : "no answer to the upgrade request: the connection failed: "
                                        "scripted");
}
END_TEST

START_TEST(answer_has_what_is_left_of_the_connect_timeout)
{
    opens(&a, STAGE_PRIVATE);
    stage_wait(&stage, target->connect_timeout_ms / 2);
    server_is_reached(&server);
    stage_wait(&stage, target->connect_timeout_ms / 2);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(timeout) close(1006)");
    ck_assert_ptr_nonnull(strstr(why(&a), "192.0.2.1:443 has not answered the upgrade request"));
}
END_TEST

START_TEST(close_while_upgrading_gives_up)
{
    opens(&a, STAGE_PRIVATE);
    server_is_reached(&server);
    program_closes(&a, 0, "");
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(cancelled) close(1006)");
    ck_assert_str_eq(server_heard(&server), "request gone");
}
END_TEST

START_TEST(open_stays_open)
{
    a_is_open(STAGE_PRIVATE);
    ck_assert_uint_eq(fake_clock_next_ms(&stage.clock), target->ping_ms);
    ck_assert_str_eq(upstream_opening(a.channel.share->upstream)->address, "192.0.2.1:443");
    ck_assert_str_eq(upstream_opening(a.channel.share->upstream)->tls, "");
}
END_TEST

/* --- OPEN: down --- */

START_TEST(messages_come_whole_and_in_order)
{
    a_is_open(STAGE_PRIVATE);
    server_sends(&server, "one");
    server_sends(&server, "");
    server_sends_bytes(&server, 70000);
    server_sends_frame(&server, false, WSP_OPCODE_TEXT, "fr", 2);
    server_sends_frame(&server, true, WSP_OPCODE_PONG, "unasked", 7);
    server_sends_frame(&server, false, WSP_OPCODE_CONTINUATION, "agm", 3);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "one  [70000]");
    server_sends_frame(&server, true, WSP_OPCODE_CONTINUATION, "ent", 3);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "fragment");
}
END_TEST

START_TEST(message_larger_than_the_scratch_is_assembled_and_charged)
{
    a_is_open(STAGE_PRIVATE);
    server_sends_bytes(&server, 3 * SERVER_SCRATCH);
    stage_turn(&stage);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 3 * SERVER_SCRATCH);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "[786432]");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), 0);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 0);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
}
END_TEST

START_TEST(turn_has_a_budget_of_events)
{
    const unsigned n = 3 * MAX_EVENTS_PER_TURN;

    a_is_open(STAGE_PRIVATE);
    for (unsigned i = 0; i < n; i++)
        server_sends(&server, "x");
    stage_turn(&stage);
    ck_assert_uint_le(a.n_heard, MAX_EVENTS_PER_TURN);
    stage_turn(&stage);
    ck_assert_uint_gt(a.n_heard, 0);
    ck_assert_uint_le(a.n_heard, 2 * MAX_EVENTS_PER_TURN);
    server_run(&server);
    ck_assert_uint_eq(a.n_heard, n);
    program_heard(&a);
}
END_TEST

/* --- OPEN: up --- */

START_TEST(small_messages_go_in_one_write)
{
    a_is_open(STAGE_PRIVATE);
    server.n_writes = 0;
    program_sends(&a, "one");
    program_sends(&a, "");
    program_sends(&a, "three");
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "one  three");
    ck_assert_uint_eq(server.n_writes, 1);
    ck_assert_uint_eq(a.sent_told, 8);
    ck_assert_uint_eq(a.channel.n_sent, 3);
}
END_TEST

START_TEST(large_message_goes_in_one_frame_one_write_per_turn)
{
    const size_t len = 1000000;
    char *text = malloc(len + 1);

    a_is_open(STAGE_PRIVATE);
    memset(text, 'x', len);
    text[len] = '\0';
    server.n_writes = 0;
    program_sends(&a, text);
    for (unsigned turn = 1; turn <= 3; turn++) {
        stage_turn(&stage);
        ck_assert_uint_eq(server.n_writes, turn);
    }
    program_sends(&a, "small");
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "[1000000] small");
    ck_assert_uint_le(server.n_writes, 1 + 1000100 / MAX_WRITE_PER_TURN + 1);
    free(text);
}
END_TEST

START_TEST(many_messages_are_spread_over_turns)
{
    a_is_open(STAGE_PRIVATE);
    for (int i = 0; i < 3 * MAX_MESSAGES_PER_WRITE; i++)
        program_sends(&a, "");
    server.n_writes = 0;
    server_run(&server);
    ck_assert_uint_eq(server.n_writes, 3);
    ck_assert_uint_eq(a.channel.n_sent, 3 * MAX_MESSAGES_PER_WRITE);
    server_heard(&server);
}
END_TEST

/* A frame of 10 bytes has 6 of header: bufferedAmount falls by what the transport has taken, byte by byte. */
START_TEST(sent_is_told_exactly_for_what_was_taken)
{
    static const uint64_t sent[] = {0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 4};

    a_is_open(STAGE_PRIVATE);
    server_takes(&server, 0);
    program_sends(&a, "four");
    program_sends(&a, "five5");
    for (size_t i = 1; i < sizeof(sent) / sizeof(*sent); i++) {
        server_takes(&server, 1);
        server_run(&server);
        ck_assert_uint_eq(a.channel.n_sent_bytes, sent[i]);
        ck_assert_uint_eq(a.channel.n_sent, i >= 10);
    }
    ck_assert_uint_eq(a.channel.outbox_bytes, 5);
    server_takes(&server, SIZE_MAX);
    server_run(&server);
    ck_assert_uint_eq(a.channel.n_sent_bytes, 9);
    ck_assert_str_eq(server_heard(&server), "four five5");
}
END_TEST

START_TEST(channels_take_turns_and_never_interleave)
{
    opens(&a, STAGE_SHARED);
    opens(&b, STAGE_SHARED);
    server_opens(&server, "");
    for (int i = 0; i < 3; i++) {
        program_sends(&a, "a");
        program_sends(&b, "b");
    }
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "a b a b a b");
}
END_TEST

/* --- OPEN: pause --- */

static void a_blocks(void)
{
    stage.slow_consumer = SLOW_BLOCK;
    stage.queue_bytes = 1000;
    stage.block_timeout_ms = 1000000;
    a_is_open(STAGE_PRIVATE);
    program_stops_reading(&a);
}

START_TEST(paused_upstream_is_not_read)
{
    a_blocks();
    for (int i = 0; i < 20; i++) {
        server_sends_bytes(&server, 500);
        server_run(&server);
    }
    ck_assert_uint_eq(server.wanted & TRANSPORT_READABLE, 0);
    ck_assert_uint_gt(wsp_buffer_len(&server.to_daemon), 4000);
    program_reads(&a, UINT_MAX);
    server_run(&server);
    ck_assert_uint_eq(a.n_heard, 20);
    ck_assert_uint_ne(server.wanted & TRANSPORT_READABLE, 0);
    program_heard(&a);
}
END_TEST

/* All of it is in one read, but no more than a turn's events become messages before the pause. */
START_TEST(what_was_read_before_the_pause_waits_and_comes_in_order)
{
    const unsigned n = 2 * MAX_EVENTS_PER_TURN;
    char text[20];

    a_blocks();
    for (unsigned i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "%u", i);
        server_sends(&server, text);
    }
    server_run(&server);
    ck_assert_uint_eq(wsp_buffer_len(&server.to_daemon), 0);
    ck_assert_uint_eq(a.channel.share->n_in, MAX_EVENTS_PER_TURN);
    ck_assert_uint_eq(server.wanted, 0);
    for (unsigned i = 0; i < n; i++) {
        program_reads(&a, 1);
        server_run(&server);
        snprintf(text, sizeof(text), "%u", i);
        ck_assert_str_eq(program_heard(&a), text);
    }
    ck_assert_uint_eq(stage_used(&stage, QUOTA_QUEUED_BYTES), 0);
    ck_assert_uint_eq(server.wanted, TRANSPORT_READABLE);
}
END_TEST

/* Somebody else has all the room: what waits, and how it goes on when its turn has come. */
START_TEST(message_that_waits_for_its_turn_is_not_read)
{
    const size_t len = 2 * SERVER_SCRATCH;
    struct charge others = {0};

    a_is_open(STAGE_PRIVATE);
    charge_force(&others, a.channel.user, QUOTA_RESERVED_BYTES,
                 stage.quota.limits[QUOTA_RESERVED_BYTES]);
    server_sends_bytes(&server, 10000); /* short ones never wait */
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "[10000]");
    server_sends_bytes(&server, len);
    server_sends_frame(&server, true, WSP_OPCODE_PING, "p", 1);
    server_run(&server);
    ck_assert_uint_eq(server.wanted & TRANSPORT_READABLE, 0);
    ck_assert_uint_le(stage_used(&stage, QUOTA_RECEIVING_BYTES),
                      MAX_UNRESERVED_LEN + MAX_READ_CROWDED);
    program_sends(&a, "up");
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "up");
    program_closes(&a, 1000, "");
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "close(1000)");
    stage_wait(&stage, 10 * target->close_timeout_ms); /* its Close may lie there unseen */
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "");
    charge_release(&others);
    server_closes(&server, 1000, "");
    server_hangs_up(&server);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "[524288] close(clean 1000)");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 0);
}
END_TEST

START_TEST(upstream_that_is_failed_ends_at_once)
{
    struct failure failure;

    a_is_open(STAGE_PRIVATE);
    server_sends_frame(&server, false, WSP_OPCODE_BINARY, server.scratch, SERVER_SCRATCH);
    server_run(&server);
    ck_assert(reception_has_turn(a.channel.share));
    failure_set(&failure, WSP_CAUSE_TIMEOUT, 0, "it took too long");
    for (int i = 0; i < 2; i++)
        upstream_remote_ops()->break_off(a.channel.share->upstream, &failure);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(timeout) close(1006)");
    ck_assert_str_eq(why(&a), "it took too long");
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 0);
}
END_TEST

START_TEST(paused_upstream_still_writes)
{
    a_blocks();
    server_sends_bytes(&server, 5000);
    server_sends_bytes(&server, 5000);
    server_run(&server);
    program_sends(&a, "up");
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "up");
}
END_TEST

/* --- memory --- */

/* Each allocation of a whole conversation fails once: whatever comes of it, nothing is left and nobody falls. */
START_TEST(no_memory_ends_the_connection_at_most)
{
    for (size_t n = 0;; n++) {
        bool has_failed;
        int r;

        allocation_fail_after(n);
        r = program_opens(&a, &stage, STAGE_UID, URL, STAGE_PRIVATE);
        if (r == 0 && server.dial != NULL) {
            server_is_reached(&server);
            if (server.is_connected) {
                server_accepts(&server, "");
                server_sends(&server, "down");
                server_sends_frame(&server, false, WSP_OPCODE_TEXT, "pie", 3);
                server_sends_frame(&server, true, WSP_OPCODE_CONTINUATION, "ces", 3);
                server_run(&server);
                if (a.channel.state == CHANNEL_OPEN)
                    program_sends(&a, "up");
                server_run(&server);
            }
        }
        has_failed = allocation_disarm();
        server_run(&server);
        if (!has_failed)
            ck_assert_str_eq(program_heard(&a), "open down pieces");
        program_deinit(&a);
        server_run(&server);
        if (server.is_connected) {
            server_hangs_up(&server);
            server_run(&server);
        }
        server_heard(&server);
        if (!has_failed)
            break;
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("upstream");
    TCase *opening = story_case(suite, "opening");
    TCase *down = story_case(suite, "down");
    TCase *up = story_case(suite, "up");
    TCase *memory = story_case(suite, "memory");

    tcase_add_test(opening, open_tells_the_subprotocol);
    tcase_add_test(opening, request_says_what_the_target_asks_for);
    tcase_add_test(opening, colon_in_a_user_name_cannot_be_sent);
    tcase_add_test(opening, unreached_server_is_told_as_the_dialer_says);
    tcase_add_test(opening, dial_has_until_the_connect_timeout);
    tcase_add_test(opening, close_while_dialing_gives_up);
    tcase_add_test(opening, connect_timeout_rests_while_others_go_first);
    tcase_add_test(opening, rest_goes_on_while_others_get_answers);
    tcase_add_test(opening, rest_that_begins_too_late_gives_no_time);
    tcase_add_test(opening, place_is_held_until_the_upgrade_is_answered);
    tcase_add_test(opening, place_is_free_when_open_closed_lost_or_too_late);
    tcase_add_test(opening, frames_glued_to_the_answer_are_messages);
    tcase_add_test(opening, answer_may_come_byte_by_byte);
    tcase_add_loop_test(opening, other_answers_are_told_by_status_or_rule, 0,
                        sizeof(refusals) / sizeof(*refusals));
    tcase_add_test(opening, subprotocol_that_is_not_taken_fails);
    tcase_add_loop_test(opening, end_instead_of_an_answer, 0, 2);
    tcase_add_test(opening, answer_has_what_is_left_of_the_connect_timeout);
    tcase_add_test(opening, close_while_upgrading_gives_up);
    tcase_add_test(opening, open_stays_open);
    tcase_add_test(down, messages_come_whole_and_in_order);
    tcase_add_test(down, message_larger_than_the_scratch_is_assembled_and_charged);
    tcase_add_test(down, turn_has_a_budget_of_events);
    tcase_add_test(down, paused_upstream_is_not_read);
    tcase_add_test(down, what_was_read_before_the_pause_waits_and_comes_in_order);
    tcase_add_test(down, message_that_waits_for_its_turn_is_not_read);
    tcase_add_test(down, upstream_that_is_failed_ends_at_once);
    tcase_add_test(down, paused_upstream_still_writes);
    tcase_add_test(up, small_messages_go_in_one_write);
    tcase_add_test(up, large_message_goes_in_one_frame_one_write_per_turn);
    tcase_add_test(up, many_messages_are_spread_over_turns);
    tcase_add_test(up, sent_is_told_exactly_for_what_was_taken);
    tcase_add_test(up, channels_take_turns_and_never_interleave);
    tcase_add_test(memory, no_memory_ends_the_connection_at_most);
    return suite;
}
