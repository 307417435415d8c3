/*
 * test_interruptions: what a daemon that stays tells of an upstream that does not: INTERRUPTED, GAP,
 * RESUMED, UNSENT, POSITION, what is replayed, and what a channel may not do. Each in its turn, out of
 * it, and with handlers that free what they are called for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/client.h"
#include "tests/harness/allocation.h"
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <stdio.h>
#include <string.h>

static const struct wsp_epoch epoch_a = {{'a'}}, epoch_b = {{'b'}};

/* -- what the daemon says -- */

static void say_opened(struct client_fixture *f, uint64_t next_number, uint64_t live_number,
                       uint8_t denied)
{
    struct wsp_message message = {.type = WSP_LOCAL_OPENED, .channel = 1};

    message.opened.protocol = WSP_VIEW_LITERAL("p");
    message.opened.extensions = WSP_VIEW_LITERAL("x");
    message.opened.max_message = 1000;
    message.opened.epoch = epoch_a;
    message.opened.next_number = next_number;
    message.opened.live_number = live_number;
    message.opened.denied = denied;
    fake_daemon_send(&f->daemon, &message);
}

static void say_interrupted(struct client_fixture *f)
{
    struct wsp_message message = {.type = WSP_LOCAL_INTERRUPTED, .channel = 1};

    message.interrupted.cause = WSP_CAUSE_SERVER_CLOSED;
    message.interrupted.http_status = 503;
    message.interrupted.text = WSP_VIEW_LITERAL("closed with 1012");
    message.interrupted.retry_after = 7;
    fake_daemon_send(&f->daemon, &message);
}

static void say_gap(struct client_fixture *f, uint8_t reason, bool is_counted, uint64_t count,
                    const struct wsp_epoch *epoch, uint64_t next_number)
{
    struct wsp_message message = {.type = WSP_LOCAL_GAP, .channel = 1};

    message.gap.reason = reason;
    message.gap.is_counted = is_counted;
    message.gap.count = count;
    message.gap.epoch = *epoch;
    message.gap.next_number = next_number;
    fake_daemon_send(&f->daemon, &message);
}

static void say_resumed(struct client_fixture *f, const char *extensions)
{
    struct wsp_message message = {.type = WSP_LOCAL_RESUMED, .channel = 1};

    message.resumed.extensions = wsp_view_of_string(extensions);
    fake_daemon_send(&f->daemon, &message);
}

static void say_unsent(struct client_fixture *f, uint64_t messages, uint64_t bytes)
{
    struct wsp_message message = {.type = WSP_LOCAL_UNSENT, .channel = 1};

    message.unsent.messages = messages;
    message.unsent.bytes = bytes;
    fake_daemon_send(&f->daemon, &message);
}

static void say_position(struct client_fixture *f, uint64_t next_number)
{
    struct wsp_message message = {.type = WSP_LOCAL_POSITION, .channel = 1};

    message.position.next_number = next_number;
    fake_daemon_send(&f->daemon, &message);
}

static void say_sent(struct client_fixture *f, uint64_t total, uint64_t messages)
{
    struct wsp_message message = {.type = WSP_LOCAL_SENT, .channel = 1};

    message.sent.total = total;
    message.sent.messages = messages;
    fake_daemon_send(&f->daemon, &message);
}

static void say(struct client_fixture *f, const char *text)
{
    fake_daemon_send_text(&f->daemon, 1, text);
}

/* OPEN at epoch a, next_number 5, everything recorded. */
static void init(struct client_fixture *f)
{
    client_fixture_init_connecting(f);
    ck_assert_int_eq(recorder_attach_extensions(&f->recorder, f->websocket), 0);
    say_opened(f, 5, 0, 0);
    client_fixture_settle(f);
    client_fixture_assert_events(f, "open p\n");
}

static void assert_position(const struct client_fixture *f, const struct wsp_epoch *epoch,
                            uint64_t number)
{
    struct wsplex_position position;

    ck_assert_int_eq(wsplex_websocket_get_position(f->websocket, &position), 0);
    ck_assert_mem_eq(position.epoch, epoch->bytes, sizeof(epoch->bytes));
    ck_assert_uint_eq(position.number, number);
}

/* -- in turn -- */

START_TEST(an_interruption_is_told_and_the_state_stays_open)
{
    struct client_fixture f;

    init(&f);
    say(&f, "one");
    say_interrupted(&f);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "text one\ninterrupted 38\n");
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_OPEN);
    assert_position(&f, &epoch_a, 5);
    say_gap(&f, WSP_GAP_RECONNECTED, false, 0, &epoch_b, 9);
    say_resumed(&f, "y");
    say(&f, "two");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "gap 3 unknown\nresumed y\ntext two\n");
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_OPEN);
    assert_position(&f, &epoch_b, 9);
    client_fixture_deinit(&f);
}
END_TEST

static void check_members(const struct wsplex_event *event, void *userdata)
{
    int *n_seen = userdata;

    ++*n_seen;
    ck_assert_uint_eq(event->size, sizeof(*event));
    ck_assert(event->is_trusted);
    if (strcmp(event->type, "interrupted") == 0) {
        ck_assert_int_eq(event->cause, WSPLEX_CAUSE_SERVER_CLOSED);
        ck_assert_int_eq(event->http_status, 503);
        ck_assert_str_eq(event->cause_text, "closed with 1012");
        ck_assert_uint_eq(event->retry_after, 7);
    } else if (strcmp(event->type, "gap") == 0) {
        ck_assert_int_eq(event->gap, WSPLEX_GAP_SLOW_CONSUMER);
        ck_assert(event->is_counted);
        ck_assert_uint_eq(event->count, 17);
        ck_assert_ptr_nonnull(strstr(event->cause_text, "dropped"));
        ck_assert_uint_eq(event->position.number, 21);
        ck_assert_mem_eq(event->position.epoch, epoch_a.bytes, 16);
    } else if (strcmp(event->type, "message") == 0) {
        ck_assert_uint_eq(event->position.number, 22);
        ck_assert_mem_eq(event->position.epoch, epoch_a.bytes, 16);
        ck_assert(!event->is_replayed);
    }
}

START_TEST(events_have_their_members)
{
    static const char *const types[] = {"interrupted", "gap", "message", "resumed"};
    struct client_fixture f;
    int n_seen = 0;

    init(&f);
    for (int i = 0; i < N_OF(types); i++)
        ck_assert_int_eq(
            wsplex_websocket_add_event_listener(f.websocket, types[i], check_members, &n_seen, 0),
            0);
    say_gap(&f, WSP_GAP_SLOW_CONSUMER, true, 17, &epoch_a, 22);
    say(&f, "x");
    say_interrupted(&f);
    say_resumed(&f, "");
    client_fixture_settle(&f);
    ck_assert_int_eq(n_seen, 4);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_failure_after_an_interruption_is_the_last_word)
{
    struct client_fixture f;

    init(&f);
    say_interrupted(&f);
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_TLS, 0, "not trusted");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "interrupted 38\nerror 18\nclose unclean 1006 \n");
    assert_position(&f, &epoch_a, 4);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(closing_while_interrupted_closes)
{
    struct client_fixture f;

    init(&f);
    say_interrupted(&f);
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, "done"), 0);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.code, 1000);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "done");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "interrupted 38\nclose clean 1000 done\n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- positions -- */

START_TEST(there_is_no_position_before_open)
{
    struct wsplex_position position;
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_get_position(f.websocket, &position),
                     WSPLEX_ERROR_INVALID_STATE);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(messages_are_counted_and_what_came_before_is_replayed)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(recorder_attach_extensions(&f.recorder, f.websocket), 0);
    say_opened(&f, 5, 7, 0);
    client_fixture_settle(&f);
    assert_position(&f, &epoch_a, 4);
    say(&f, "5");
    say(&f, "6");
    say(&f, "7");
    say_position(&f, 20);
    say(&f, "20");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "open p\nreplayed 5\nreplayed 6\ntext 7\ntext 20\n");
    assert_position(&f, &epoch_a, 20);
    client_fixture_deinit(&f);
}
END_TEST

static void take_position(const struct wsplex_event *event, void *userdata)
{
    struct wsplex_position position;

    ck_assert_int_eq(wsplex_websocket_get_position(event->target, &position), 0);
    ck_assert_mem_eq(&position, &event->position, sizeof(position));
    *(struct wsplex_position *)userdata = position;
}

/* What a handler saves is what a later object resumes after. */
START_TEST(a_position_is_resumed_after)
{
    struct wsplex_position position, again;
    struct wsplex_options *options;
    struct wsplex_websocket *second;
    char text[WSPLEX_POSITION_SIZE];
    struct wsp_message open;
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(f.websocket, "message", take_position, &position, 0),
        0);
    say(&f, "x");
    client_fixture_settle(&f);
    wsplex_position_to_string(&position, text);
    ck_assert_str_eq(text, "61000000000000000000000000000000:5");
    ck_assert_int_eq(wsplex_position_from_string(text, &again), 0);
    ck_assert_int_eq(wsplex_options_new(&options), 0);
    wsplex_options_set_resume(options, &again);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, options, &second), 0);
    open = client_fixture_expect(&f, WSP_LOCAL_OPEN);
    ck_assert_mem_eq(open.open.resume_epoch.bytes, epoch_a.bytes, 16);
    ck_assert_uint_eq(open.open.resume_after, 5);
    wsplex_options_set_resume(options, NULL);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, options, &second), 0);
    open = client_fixture_expect(&f, WSP_LOCAL_OPEN);
    ck_assert_mem_eq(open.open.resume_epoch.bytes, (uint8_t[16]){0}, 16);
    ck_assert_uint_eq(open.open.resume_after, 0);
    wsplex_options_free(options);
    client_fixture_deinit(&f);
}
END_TEST

static const char *const no_positions[] = {
    "",
    ":",
    "5",
    "61000000000000000000000000000000",
    "61000000000000000000000000000000:",
    "61000000000000000000000000000000:-1",
    "61000000000000000000000000000000:+1",
    "61000000000000000000000000000000: 1",
    "61000000000000000000000000000000:01",
    "61000000000000000000000000000000:1 ",
    "61000000000000000000000000000000:18446744073709551616",
    "6100000000000000000000000000000:10",
    "610000000000000000000000000000000:1",
    "6x000000000000000000000000000000:1",
    "0x000000000000000000000000000000:1",
    " 1000000000000000000000000000000:1",
    "-1000000000000000000000000000000:1",
    "6A000000000000000000000000000000:1",
};

START_TEST(other_texts_are_no_position)
{
    struct wsplex_position position = {.number = 42};

    ck_assert_int_eq(wsplex_position_from_string(no_positions[_i], &position), -EINVAL);
    ck_assert_uint_eq(position.number, 42);
}
END_TEST

START_TEST(the_largest_position_fits)
{
    struct wsplex_position position, again;
    char text[WSPLEX_POSITION_SIZE];

    memset(&position, 0xff, sizeof(position));
    wsplex_position_to_string(&position, text);
    ck_assert_str_eq(text, "ffffffffffffffffffffffffffffffff:18446744073709551615");
    ck_assert_uint_eq(strlen(text) + 1, WSPLEX_POSITION_SIZE);
    ck_assert_int_eq(wsplex_position_from_string(text, &again), 0);
    ck_assert_mem_eq(&position, &again, sizeof(position));
}
END_TEST

/* -- what is sent -- */

START_TEST(what_will_not_be_sent_is_told_and_not_buffered)
{
    struct client_fixture f;

    init(&f);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "12345", 5), 0);
        client_fixture_expect(&f, WSP_LOCAL_TEXT);
    }
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "", 0), 0);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    say_sent(&f, 5, 1);
    say_interrupted(&f);
    say_unsent(&f, 1, 5);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "interrupted 38\nunsent 1 5\n");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 5);
    say_unsent(&f, 2, 5);
    say_unsent(&f, 2, 5);
    say_resumed(&f, "");
    say_sent(&f, 10, 2);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "unsent 1 0\nresumed \n");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(who_may_only_receive_is_told_so)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    say_opened(&f, 1, 0, WSP_DENIED_SEND);
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "x", 1), WSPLEX_ERROR_INVALID_STATE);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), "receive and not send"));
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, "x", 1), WSPLEX_ERROR_INVALID_STATE);
    ck_assert_int_eq(wsplex_websocket_subscribe(f.websocket, "x", NULL),
                     WSPLEX_ERROR_INVALID_STATE);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    say(&f, "one");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "open p\ntext one\n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- out of turn -- */

static void twice_interrupted(struct client_fixture *f)
{
    say_interrupted(f);
    say_interrupted(f);
}

static void resumed_of_nothing(struct client_fixture *f)
{
    say_resumed(f, "");
}

static void message_while_interrupted(struct client_fixture *f)
{
    say_interrupted(f);
    say(f, "x");
}

static void begin_message(struct client_fixture *f)
{
    fake_daemon_send_data(&f->daemon, 1, WSP_LOCAL_TEXT, "x", 1, true);
}

static void gap_within_a_message(struct client_fixture *f)
{
    begin_message(f);
    say_gap(f, 1, true, 1, &epoch_a, 9);
}

static void interrupted_within_a_message(struct client_fixture *f)
{
    begin_message(f);
    say_interrupted(f);
}

static void position_within_a_message(struct client_fixture *f)
{
    begin_message(f);
    say_position(f, 9);
}

static void interrupted_while_closing(struct client_fixture *f)
{
    fake_daemon_send_simple(&f->daemon, 1, WSP_LOCAL_CLOSING);
    say_interrupted(f);
}

static void resumed_while_closing(struct client_fixture *f)
{
    say_interrupted(f);
    fake_daemon_send_simple(&f->daemon, 1, WSP_LOCAL_CLOSING);
    say_resumed(f, "");
}

static void unsent_of_what_was_not_given(struct client_fixture *f)
{
    say_unsent(f, 1, 0);
}

static void unsent_bytes_of_what_was_not_given(struct client_fixture *f)
{
    say_unsent(f, 0, 1);
}

static void sent_messages_of_what_was_not_given(struct client_fixture *f)
{
    say_sent(f, 0, 1);
}

static void interrupted_after_failed(struct client_fixture *f)
{
    fake_daemon_send_failed(&f->daemon, 1, WSP_CAUSE_LOST, 0, "");
    say_interrupted(f);
}

static void gap_cut(struct client_fixture *f)
{
    fake_daemon_send_bytes(&f->daemon, "\5\0\0\0\x25\0\0\0\1\0\0\0\1\1\0\0\0", 17);
}

static void (*const out_of_turn[])(struct client_fixture *f) = {
    twice_interrupted,
    resumed_of_nothing,
    message_while_interrupted,
    gap_within_a_message,
    interrupted_within_a_message,
    position_within_a_message,
    interrupted_while_closing,
    resumed_while_closing,
    unsent_of_what_was_not_given,
    unsent_bytes_of_what_was_not_given,
    sent_messages_of_what_was_not_given,
    interrupted_after_failed,
    gap_cut,
};

static const char *last_line_but_one(const char *story)
{
    static char lines[3][100];
    int n = 0;

    while (*story) {
        size_t len = strcspn(story, "\n");

        memcpy(lines[0], lines[1], sizeof(lines[0]));
        snprintf(lines[1], sizeof(lines[1]), "%.*s", (int)len, story);
        story += len + 1;
        n++;
    }
    return n > 1 ? lines[0] : "";
}

START_TEST(a_frame_out_of_turn_ends_the_connection)
{
    const char *line;
    struct client_fixture f;

    init(&f);
    out_of_turn[_i](&f);
    while (wsplex_get_n_pending(f.client) > 0) {
        struct wsp_message message;

        fake_daemon_turn(&f.daemon);
        wsplex_dispatch(f.client);
        fake_daemon_receive(&f.daemon, &message); /* a CLOSE that answers CLOSING */
    }
    line = last_line_but_one(recorder_take(&f.recorder));
    ck_assert_str_eq(line, out_of_turn[_i] == interrupted_after_failed ? "error 33" : "error -71");
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), "broke the local protocol"));
    client_fixture_deinit(&f);
}
END_TEST

static const uint8_t before_opened[] = {WSP_LOCAL_RESUMED, WSP_LOCAL_UNSENT, WSP_LOCAL_POSITION};

START_TEST(none_of_them_comes_before_opened)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    fake_daemon_send_simple(&f.daemon, 1, before_opened[_i]);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "error -71\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(neither_gap_nor_interrupted_comes_before_opened)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    if (_i == 0)
        say_gap(&f, 1, true, 1, &epoch_a, 1);
    else
        say_interrupted(&f);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "error -71\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- handlers that free -- */

static const char *const freeing[] = {"interrupted", "gap", "resumed", "unsent"};

static void say_everything(struct client_fixture *f)
{
    say_interrupted(f);
    say_unsent(f, 1, 1);
    say_gap(f, WSP_GAP_RECONNECTED, false, 0, &epoch_b, 1);
    say_resumed(f, "");
    say(f, "x");
}

static const char *const everything[] = {
    "interrupted 38\nfreed in interrupted\n",
    "interrupted 38\nunsent 1 1\ngap 3 unknown\nfreed in gap\n",
    "interrupted 38\nunsent 1 1\ngap 3 unknown\nresumed \nfreed in resumed\n",
    "interrupted 38\nunsent 1 1\nfreed in unsent\n",
};

START_TEST(a_handler_frees_its_object)
{
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "x", 1), 0);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(
                         f.websocket, freeing[_i], client_fixture_free_websocket, &f.recorder, 0),
                     0);
    say_everything(&f);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.discard, 1);
    client_fixture_assert_events(&f, everything[_i]);
    fake_daemon_send_closed(&f.daemon, 1, true, 1005, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_handler_frees_its_client)
{
    struct client_fixture f;

    init(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "x", 1), 0);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f.websocket, freeing[_i],
                                                         client_fixture_free_client, &f, 0),
                     0);
    say_everything(&f);
    while (f.client) {
        fake_daemon_turn(&f.daemon);
        wsplex_dispatch(f.client);
    }
    client_fixture_assert_events(&f, everything[_i]);
    client_fixture_deinit(&f);
}
END_TEST

/* -- no memory -- */

/* The text of an interruption: it is told without. */
START_TEST(no_memory_for_the_text_of_an_interruption)
{
    struct client_fixture f;

    init(&f);
    say_interrupted(&f);
    fake_daemon_turn(&f.daemon);
    allocation_fail_after(0);
    wsplex_dispatch(f.client);
    ck_assert(allocation_disarm());
    client_fixture_assert_events(&f, "interrupted 38\n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(no_memory_for_the_extensions_of_resumed)
{
    struct client_fixture f;

    init(&f);
    say_interrupted(&f);
    client_fixture_settle(&f);
    say_resumed(&f, "y");
    fake_daemon_turn(&f.daemon);
    allocation_fail_after(0);
    wsplex_dispatch(f.client);
    ck_assert(allocation_disarm());
    client_fixture_assert_events(&f, "interrupted 38\nerror -12\nclose unclean 1006 \n");
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("interruptions");
    TCase *turn = unit_case(suite, "turn");
    TCase *positions = unit_case(suite, "positions");
    TCase *sending = unit_case(suite, "sending");
    TCase *wrong = unit_case(suite, "wrong");
    TCase *freed = unit_case(suite, "freed");
    TCase *memory = unit_case(suite, "memory");

    tcase_add_test(turn, an_interruption_is_told_and_the_state_stays_open);
    tcase_add_test(turn, events_have_their_members);
    tcase_add_test(turn, a_failure_after_an_interruption_is_the_last_word);
    tcase_add_test(turn, closing_while_interrupted_closes);
    tcase_add_test(positions, there_is_no_position_before_open);
    tcase_add_test(positions, messages_are_counted_and_what_came_before_is_replayed);
    tcase_add_test(positions, a_position_is_resumed_after);
    tcase_add_loop_test(positions, other_texts_are_no_position, 0, N_OF(no_positions));
    tcase_add_test(positions, the_largest_position_fits);
    tcase_add_test(sending, what_will_not_be_sent_is_told_and_not_buffered);
    tcase_add_test(sending, who_may_only_receive_is_told_so);
    tcase_add_loop_test(wrong, a_frame_out_of_turn_ends_the_connection, 0, N_OF(out_of_turn));
    tcase_add_loop_test(wrong, none_of_them_comes_before_opened, 0, N_OF(before_opened));
    tcase_add_loop_test(wrong, neither_gap_nor_interrupted_comes_before_opened, 0, 2);
    tcase_add_loop_test(freed, a_handler_frees_its_object, 0, N_OF(freeing));
    tcase_add_loop_test(freed, a_handler_frees_its_client, 0, N_OF(freeing));
    tcase_add_test(memory, no_memory_for_the_text_of_an_interruption);
    tcase_add_test(memory, no_memory_for_the_extensions_of_resumed);
    return suite;
}
