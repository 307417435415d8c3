/*
 * test_compression: permessage-deflate between the daemon's real upstream and a scripted server (RFC 7692).
 *
 * Between the scripted programs of tests/harness/stage and the scripted server of tests/harness/server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/limits.h"
#include "tests/harness/server_story.h"

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"

/* The server answers these; NULL: none. */
static void a_is_open_with(const char *extensions)
{
    server.extensions = extensions;
    a_is_open(STAGE_PRIVATE);
}

/* --- opening --- */

START_TEST(it_is_offered_unless_the_target_says_no)
{
    opens(&a, STAGE_PRIVATE);
    target->is_deflated = _i == 0;
    server_is_reached(&server);
    ck_assert_int_eq(request_has("\r\nSec-WebSocket-Extensions: permessage-deflate; "
                                 "client_max_window_bits\r\n"),
                     _i == 0);
    ck_assert_int_eq(request_has("Sec-WebSocket-Extensions"), _i == 0);
}
END_TEST

START_TEST(the_answer_is_in_force)
{
    a_is_open_with("permessage-deflate; server_no_context_takeover");
    ck_assert_str_eq(a.channel.share->extensions, "permessage-deflate; server_no_context_takeover");
}
END_TEST

static const char *const wrong_answers[] = {
    "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; unknown",
    "permessage-deflate, permessage-deflate",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
};

START_TEST(a_wrong_answer_fails_the_connection)
{
    opens(&a, STAGE_PRIVATE);
    server_is_reached(&server);
    server.extensions = wrong_answers[_i];
    server_accepts(&server, "");
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(handshake) close(1006)");
    ck_assert_ptr_nonnull(strstr(a.channel.ending.failure.text, "RFC 7692"));
}
END_TEST

START_TEST(an_answer_to_no_offer_fails_the_connection)
{
    opens(&a, STAGE_PRIVATE);
    target->is_deflated = false;
    server_is_reached(&server);
    server.extensions = "permessage-deflate";
    server_accepts(&server, "");
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(handshake) close(1006)");
}
END_TEST

/* --- messages from the server --- */

START_TEST(messages_come_unpacked)
{
    a_is_open_with("permessage-deflate");
    server_says(&server, "\xc1\x07" HELLO "\xc1\x05\xf2\x00\x11\x00\x00\x81\x02hi", 20);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "Hello Hello hi");
}
END_TEST

/* What waits for its reader holds what it is charged for, and not the room that it was unpacked into. */
START_TEST(a_short_message_holds_no_more_than_itself)
{
    a_is_open_with("permessage-deflate");
    program_stops_reading(&a);
    server_says(&server, "\xc1\x07" HELLO "\x01\x01x\x80\x01y", 15);
    server_run(&server);
    ck_assert_ptr_null(a.channel.share->log.first->taken);
    ck_assert_ptr_null(a.channel.share->log.last->taken);
    ck_assert_uint_lt(stage_used(&stage, QUOTA_QUEUED_BYTES), 1000);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), 0);
    program_reads(&a, UINT_MAX);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "Hello xy");
}
END_TEST

START_TEST(a_compressed_message_without_agreement_is_a_broken_rule)
{
    a_is_open_with(NULL);
    server_says(&server, "\xc1\x07" HELLO, 9);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "close(1002) fin");
    server_hangs_up(&server);
    server_run(&server);
}
END_TEST

START_TEST(what_cannot_be_unpacked_is_1007)
{
    a_is_open_with("permessage-deflate");
    server_says(&server, "\xc1\x01\x06", 3);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "close(1007) fin");
    server_hangs_up(&server);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "closing error(protocol) close(1006)");
}
END_TEST

static void pack_zeros(size_t len, struct wsp_buffer *packed)
{
    uint8_t *zeros = calloc(1, len);
    struct wsp_deflater deflater;

    ck_assert_ptr_nonnull(zeros);
    wsp_deflater_init(&deflater, (struct wsp_deflate_mode){15, false});
    wsp_deflater_begin(&deflater, (struct wsp_view){zeros, len});
    ck_assert_int_eq(wsp_deflater_step(&deflater, len, packed), 0);
    wsp_deflater_deinit(&deflater);
    free(zeros);
}

/* A message of so many zeros, in one packed frame, final or not. */
static void server_sends_packed_frame(size_t len, bool is_final)
{
    uint8_t header[WSP_FRAME_MAX_HEADER];
    struct wsp_buffer packed = {0};
    struct wsp_frame_header frame = {
        .opcode = WSP_OPCODE_BINARY, .rsv = WSP_RSV1, .is_final = is_final};

    pack_zeros(len, &packed);
    frame.payload_len = wsp_buffer_len(&packed);
    server_says(&server, header, wsp_frame_header_write(header, &frame));
    server_says(&server, wsp_buffer_peek(&packed), wsp_buffer_len(&packed));
    wsp_buffer_deinit(&packed);
}

static void server_sends_packed(size_t len)
{
    server_sends_packed_frame(len, true);
}

/* One read holds all of them, and a turn a budget's worth. */
START_TEST(unpacking_has_a_budget_per_turn)
{
    enum { LEN = 100 * 1000, N_MESSAGES = 40 };

    a_is_open_with("permessage-deflate");
    for (int i = 0; i < N_MESSAGES; i++)
        server_sends_packed(LEN);
    ck_assert_uint_lt(wsp_buffer_len(&server.to_daemon), MAX_READ_PER_TURN);
    for (uint64_t n_turns = 1; a.n_heard < N_MESSAGES; n_turns++) {
        stage_turn(&stage);
        ck_assert_uint_le(a.n_heard * LEN, n_turns * MAX_UNPACKED_PER_TURN);
        ck_assert_uint_le(n_turns, 10);
    }
}
END_TEST

/* The end of the message comes out of nothing that is still to be read. */
START_TEST(a_large_message_comes_over_many_turns)
{
    a_is_open_with("permessage-deflate");
    server_sends_packed(WSP_DEFAULT_MAX_MESSAGE);
    stage_turn(&stage);
    ck_assert_str_eq(program_heard(&a), "");
    ck_assert_uint_eq(wsp_buffer_len(&server.to_daemon), 0);
    server_run(&server);
    ck_assert_uint_eq(a.n_heard, 1);
}
END_TEST

/* What a frame that is known can come to is what has room set aside, not max-message. */
START_TEST(what_is_reserved_is_what_it_can_come_to)
{
    enum { LEN = 4 << 20 };

    a_is_open_with("permessage-deflate");
    server_sends_packed(LEN);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard, 0);
    ck_assert_uint_ge(stage_used(&stage, QUOTA_RESERVED_BYTES), LEN);
    ck_assert_uint_lt(stage_used(&stage, QUOTA_RESERVED_BYTES), WSP_DEFAULT_MAX_MESSAGE);
    server_run(&server);
    ck_assert_uint_eq(a.n_heard, 1);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), 0);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RECEIVING_BYTES), 0);
}
END_TEST

/* The end of its frame is not known, so neither is that of the message. */
START_TEST(a_first_fragment_reserves_the_most)
{
    a_is_open_with("permessage-deflate");
    server_sends_packed_frame(100 * 1000, false);
    server_run(&server);
    ck_assert_uint_eq(stage_used(&stage, QUOTA_RESERVED_BYTES), WSP_DEFAULT_MAX_MESSAGE);
}
END_TEST

/* As with a message that comes as it is: without room for it, it holds no more than MAX_UNRESERVED_LEN and what is read
 * at once, goes on when there is some, and nothing of what follows it is lost. */
START_TEST(unpacking_waits_for_its_turn)
{
    struct charge receiving = {0}, reserved = {0};
    struct user *user;

    a_is_open_with("permessage-deflate");
    user = stage_user(&stage, STAGE_UID);
    charge_force(&receiving, user, QUOTA_RECEIVING_BYTES,
                 user->quota->limits[QUOTA_RECEIVING_BYTES]);
    charge_force(&reserved, user, QUOTA_RESERVED_BYTES, user->quota->limits[QUOTA_RESERVED_BYTES]);
    server_sends_packed(1 << 20);
    server_says(&server, "\x81\x02hi", 4);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "");
    ck_assert_uint_eq(a.channel.share->pauses, SHARE_PAUSE_TURN);
    ck_assert_uint_gt(stage_used(&stage, QUOTA_RECEIVING_BYTES) - receiving.amount,
                      MAX_UNRESERVED_LEN);
    ck_assert_uint_le(stage_used(&stage, QUOTA_RECEIVING_BYTES) - receiving.amount,
                      4 * MAX_UNRESERVED_LEN);
    charge_release(&reserved);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "[1048576] hi");
    charge_release(&receiving);
}
END_TEST

/* What others of the same user have brought in this turn leaves nothing of it; and what comes out counts for the next. */
START_TEST(what_is_unpacked_is_of_the_users_slice)
{
    enum { LEN = 100 * 1000 };
    struct slice *slice;

    a_is_open_with("permessage-deflate");
    slice = &stage_user(&stage, STAGE_UID)->slice;
    server_sends_packed(LEN);
    slice_spend(slice, &stage.turn, MAX_WORK_PER_TURN);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard, 0);
    ck_assert_uint_gt(wsp_buffer_len(&server.to_daemon), 0);
    stage_turn(&stage);
    ck_assert_uint_eq(a.n_heard, 1);
    ck_assert_uint_ge(slice->work, LEN);
    ck_assert_uint_lt(slice->work, 2 * LEN);
}
END_TEST

/* The same for what waits since an earlier turn. */
START_TEST(what_waits_is_of_the_users_slice)
{
    enum { LEN = 3 * MAX_UNPACKED_PER_TURN };
    struct slice *slice;

    a_is_open_with("permessage-deflate");
    slice = &stage_user(&stage, STAGE_UID)->slice;
    server_sends_packed(LEN);
    stage_turn(&stage);
    ck_assert_uint_eq(wsp_buffer_len(&server.to_daemon), 0);
    for (int i = 0; i < 10; i++) {
        slice_spend(slice, &stage.turn, MAX_WORK_PER_TURN);
        stage_turn(&stage);
    }
    ck_assert_uint_eq(a.n_heard, 0);
    server_run(&server);
    ck_assert_uint_eq(a.n_heard, 1);
}
END_TEST

START_TEST(a_bomb_ends_at_the_limit)
{
    a_is_open_with("permessage-deflate");
    server_sends_packed(WSP_DEFAULT_MAX_MESSAGE + 1);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "close(1009) fin");
    server_hangs_up(&server);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "closing error(too-big) close(1006)");
}
END_TEST

/* --- messages to the server --- */

static char *text_of(size_t len)
{
    char *text = malloc(len + 1);

    ck_assert_ptr_nonnull(text);
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

/* 1000 bytes leave in less than 100, and count as 1000 when the last of these has left. */
START_TEST(messages_leave_packed_and_count_in_full)
{
    char *text = text_of(1000);

    a_is_open_with("permessage-deflate");
    server_takes(&server, 5);
    ck_assert_int_eq(program_sends(&a, text), 0);
    server_run(&server);
    ck_assert_uint_eq(a.channel.share->n_out_bytes, 0);
    server_takes(&server, 95);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "[1000]");
    ck_assert_uint_eq(a.channel.share->n_out_bytes, 1000);
    ck_assert_uint_eq(a.channel.share->n_out, 1);
    free(text);
}
END_TEST

/* Without agreement, and with a window that zlib cannot write: as they are. */
START_TEST(messages_leave_as_they_are)
{
    static const char *const extensions[] = {NULL, "permessage-deflate; client_max_window_bits=8"};
    char *text = text_of(1000);

    a_is_open_with(extensions[_i]);
    server_takes(&server, 1000);
    ck_assert_int_eq(program_sends(&a, text), 0);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "");
    server_takes(&server, 8);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "[1000]");
    free(text);
}
END_TEST

/* What a program counts is what it gave, also where the server gets another id than that; to the byte at its end. */
START_TEST(a_message_with_another_id_counts_as_it_was)
{
    static const char text[] = "{\"id\":1,\"method\":\"m\",\"params\":[1,2,3,4,5,6,7]}";
    const uint64_t len = sizeof(text) - 1;
    uint64_t half;

    stage.routing = (struct routing_settings){.is_on = true, .timeout_ms = 1000, .max_pending = 1};
    opens(&a, STAGE_SHARED);
    server.extensions = _i == 0 ? NULL : "permessage-deflate";
    server_opens(&server, "");
    ck_assert_str_eq(program_heard(&a), "open");
    server_takes(&server, 40);
    ck_assert_int_eq(program_sends(&a, text), 0);
    server_run(&server);
    half = a.channel.share->n_out_bytes;
    ck_assert_uint_lt(half, len);
    ck_assert_uint_eq(a.channel.outbox_bytes, len - half);
    server_takes(&server, 100);
    server_run(&server);
    ck_assert_ptr_nonnull(strstr(server_heard(&server), ",\"params\":[1,2,3,4,5,6,7]}"));
    ck_assert_uint_eq(a.channel.share->n_out_bytes, len);
    ck_assert_uint_eq(a.channel.outbox_bytes, 0);
    ck_assert_uint_eq(a.channel.share->n_out, 1);
}
END_TEST

/* A deflater would remember it; and nothing of it is left where it was written from. */
START_TEST(a_secret_is_not_packed)
{
    char *text = text_of(1000);

    a_is_open_with("permessage-deflate");
    server_takes(&server, 1000);
    ck_assert_int_eq(program_sends(&a, text), 0);
    wsp_buffer_keep_secret(&LIST_ENTRY(a.channel.outbox.next, struct outgoing, link)->payload);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "");
    server_takes(&server, 8);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "[1000]");
    free(text);
}
END_TEST

/* A message that is packed over many turns lets a pong pass, and its frame is one. */
START_TEST(packing_has_a_budget_per_turn)
{
    char *text = text_of(4 * MAX_PACKED_PER_TURN);
    uint64_t unpacked;

    a_is_open_with("permessage-deflate");
    ck_assert_int_eq(program_sends(&a, text), 0);
    unpacked = stage_used(&stage, QUOTA_SENDING_BYTES);
    server_says(&server, "\x89\x01p", 3);
    for (int i = 0; i < 3; i++)
        stage_turn(&stage);
    ck_assert_str_eq(server_heard(&server), "pong(p)");
    /* What it is packed to is held beside it. */
    ck_assert_uint_gt(stage_used(&stage, QUOTA_SENDING_BYTES), unpacked);
    server_run(&server);
    ck_assert_str_eq(server_heard(&server), "[1048576]");
    ck_assert_uint_eq(a.channel.share->n_out_bytes, 1048576);
    free(text);
}
END_TEST

/* The connection ends while a message is being packed: nothing is left. */
START_TEST(an_end_while_packing_drops_the_message)
{
    char *text = text_of(4 * MAX_PACKED_PER_TURN);

    a_is_open_with("permessage-deflate");
    ck_assert_int_eq(program_sends(&a, text), 0);
    stage_turn(&stage);
    server_hangs_up(&server);
    server_run(&server);
    ck_assert_str_eq(program_heard(&a), "error(lost) close(1006)");
    free(text);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("compression");
    TCase *opening = story_case(suite, "opening");
    TCase *in = story_case(suite, "in");
    TCase *out = story_case(suite, "out");

    tcase_add_loop_test(opening, it_is_offered_unless_the_target_says_no, 0, 2);
    tcase_add_test(opening, the_answer_is_in_force);
    tcase_add_loop_test(opening, a_wrong_answer_fails_the_connection, 0, N_OF(wrong_answers));
    tcase_add_test(opening, an_answer_to_no_offer_fails_the_connection);
    tcase_add_test(in, messages_come_unpacked);
    tcase_add_test(in, a_short_message_holds_no_more_than_itself);
    tcase_add_test(in, a_compressed_message_without_agreement_is_a_broken_rule);
    tcase_add_test(in, what_cannot_be_unpacked_is_1007);
    tcase_add_test(in, unpacking_has_a_budget_per_turn);
    tcase_add_test(in, a_large_message_comes_over_many_turns);
    tcase_add_test(in, what_is_reserved_is_what_it_can_come_to);
    tcase_add_test(in, a_first_fragment_reserves_the_most);
    tcase_add_test(in, unpacking_waits_for_its_turn);
    tcase_add_test(in, what_is_unpacked_is_of_the_users_slice);
    tcase_add_test(in, what_waits_is_of_the_users_slice);
    tcase_add_test(in, a_bomb_ends_at_the_limit);
    tcase_add_test(out, messages_leave_packed_and_count_in_full);
    tcase_add_loop_test(out, messages_leave_as_they_are, 0, 2);
    tcase_add_loop_test(out, a_message_with_another_id_counts_as_it_was, 0, 2);
    tcase_add_test(out, a_secret_is_not_packed);
    tcase_add_test(out, packing_has_a_budget_per_turn);
    tcase_add_test(out, an_end_while_packing_drops_the_message);
    return suite;
}
