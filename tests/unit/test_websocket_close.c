/*
 * test_websocket_close: close(), and freeing at any time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <string.h>

static void assert_close(struct client_fixture *f, uint16_t code, const char *reason, bool discard)
{
    struct wsp_message message = client_fixture_expect(f, WSP_LOCAL_CLOSE);

    ck_assert_uint_eq(message.channel, 1);
    ck_assert_uint_eq(message.close.code, code);
    ck_assert_uint_eq(message.close.discard, discard);
    unit_assert_bytes(message.close.reason.data, message.close.reason.len, reason, strlen(reason));
}

static const struct {
    int code;
    bool is_good;
} codes[] = {
    {WSPLEX_NO_CODE, true}, {-2, false},   {0, false},    {999, false},
    {1000, true},           {1001, false}, {1005, false}, {2999, false},
    {3000, true},           {4999, true},  {5000, false}, {65536 + 1000, false},
};

/* In every state: the arguments are looked at first. */
START_TEST(codes_are_1000_or_3000_to_4999)
{
    struct client_fixture f;
    int expected = codes[_i].is_good ? 0 : WSPLEX_ERROR_INVALID_ACCESS;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, codes[_i].code, NULL), expected);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket),
                     codes[_i].is_good ? WSPLEX_CLOSING : WSPLEX_OPEN);
    if (codes[_i].is_good)
        assert_close(&f, codes[_i].code < 0 ? 0 : (uint16_t)codes[_i].code, "", false);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, codes[_i].code, NULL), expected);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "close clean 1000 \n");
    client_fixture_deinit(&f);
}
END_TEST

static void send_thrice(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(wsplex_websocket_send_text(event->target, event->data, event->length), 0);
}

/* PROTOCOL.md, CLOSING: what handlers send to the messages before it stands before the answer. */
START_TEST(a_closing_server_is_answered_behind_what_handlers_sent)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_set_on_message(f.websocket, send_thrice, NULL), 0);
    fake_daemon_send_text(&f.daemon, 1, "last");
    fake_daemon_send_simple(&f.daemon, 1, WSP_LOCAL_CLOSING);
    for (int i = 0; i < 3; i++) {
        struct wsp_message message = client_fixture_expect(&f, WSP_LOCAL_TEXT);

        unit_assert_bytes(message.text.payload.data, message.text.payload.len, "last", 4);
    }
    assert_close(&f, 0, "", false);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 3000, "too late"), 0);
    fake_daemon_send_closed(&f.daemon, 1, true, 1001, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_deinit(&f);
}
END_TEST

/* The program was first: one CLOSE is enough. */
START_TEST(a_closing_server_that_crosses_our_close_is_not_answered)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 3000, "ours"), 0);
    fake_daemon_send_simple(&f.daemon, 1, WSP_LOCAL_CLOSING);
    assert_close(&f, 3000, "ours", false);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_reason_is_at_most_123_bytes_of_utf8)
{
    struct client_fixture f;
    char reason[125];

    memset(reason, 'r', sizeof(reason));
    reason[124] = '\0';
    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, reason), WSPLEX_ERROR_SYNTAX);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, "\xff"), WSPLEX_ERROR_NOT_UTF8);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_OPEN);
    reason[123] = '\0';
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, reason), 0);
    assert_close(&f, 1000, reason, false);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_reason_without_a_code_goes_with_1000)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, WSPLEX_NO_CODE, "bye"), 0);
    assert_close(&f, 1000, "bye", false);
    client_fixture_deinit(&f);
}
END_TEST

/* Nothing that was sent is discarded, also when it has to wait for credit. */
START_TEST(close_goes_behind_everything_sent)
{
    static uint8_t data[100000];
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, data, sizeof(data)), 0);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "last", 4), 0);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 4000, "ignored"), 0);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    client_fixture_settle(&f);
    fake_daemon_send_credit(&f.daemon, 1, 1000000);
    client_fixture_expect(&f, WSP_LOCAL_BINARY);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    assert_close(&f, 1000, "", false);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(messages_come_until_close)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    fake_daemon_send_text(&f.daemon, 1, "under way");
    assert_close(&f, 1000, "", false);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "ok");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "text under way\nclose clean 1000 ok\n");
    client_fixture_deinit(&f);
}
END_TEST

/* Standard, close(): not yet established fails it, whatever the daemon still says. */
START_TEST(in_connecting_it_fails_the_connection)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, "never"), 0);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSING);
    client_fixture_assert_events(&f, "");
    assert_close(&f, 1000, "never", true);
    if (_i == 0) {
        fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_CANCELLED, 0, "");
        fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    } else {
        /* They crossed: it was open, and left cleanly. */
        fake_daemon_send_opened(&f.daemon, 1, "p", "");
        fake_daemon_send_text(&f.daemon, 1, "greeting");
        fake_daemon_send_closed(&f.daemon, 1, true, 1000, "never");
    }
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "error 21\nclose unclean 1006 \n");
    ck_assert_str_eq(wsplex_websocket_protocol(f.websocket), "");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(before_hello_the_frames_keep_their_order)
{
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, WSPLEX_NO_CODE, NULL), 0);
    client_fixture_expect(&f, WSP_LOCAL_HELLO);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    assert_close(&f, 0, "", true);
    client_fixture_deinit(&f);
}
END_TEST

/* -- freeing -- */

START_TEST(freeing_sends_what_was_sent_then_closes_without_a_code)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "last", 4), 0);
    ck_assert_ptr_null(wsplex_websocket_free(f.websocket));
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 1);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    assert_close(&f, 0, "", true);
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    fake_daemon_send_text(&f.daemon, 1, "for nobody");
    fake_daemon_send_sent(&f.daemon, 1, 4);
    fake_daemon_send_closed(&f.daemon, 1, true, 1005, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(freeing_what_is_closing_tells_that_nobody_is_left)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, "x"), 0);
    assert_close(&f, 1000, "x", false);
    wsplex_websocket_free(f.websocket);
    assert_close(&f, 1000, "x", true);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(freeing_what_is_closed_tells_nobody)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    wsplex_websocket_free(f.websocket);
    client_fixture_settle(&f);
    ck_assert_ptr_null(wsplex_websocket_free(NULL));
    client_fixture_deinit(&f);
}
END_TEST

/* -- in every handler -- */

static const char *const types[] = {"open", "message", "error", "close"};

static void act_in_handler(const struct wsplex_event *event, void *userdata)
{
    int *action = userdata;

    if (*action == 0)
        ck_assert_int_eq(wsplex_websocket_close(event->target, 1000, NULL), 0);
    else if (*action == 1)
        wsplex_websocket_free(event->target);
    else
        wsplex_free(wsplex_websocket_client(event->target));
    /* What the event points to is there until the handler returns. */
    ck_assert_uint_le(strlen(event->reason) + strlen(event->cause_text), 1000);
    if (event->length > 0)
        ck_assert_int_eq(((const char *)event->data)[0], 'h');
}

/*
 * In each of the four events: close, free the object, free the client. Then nothing more comes of an
 * object that was freed, and in any case `close` comes at most once.
 */
START_TEST(closing_and_freeing_in_every_handler)
{
    const char *type = types[_i % 4];
    int action = _i / 4;
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(f.websocket, type, act_in_handler, &action, 0), 0);
    fake_daemon_send_opened(&f.daemon, 1, "", "");
    fake_daemon_send_text(&f.daemon, 1, "hello");
    fake_daemon_send_text(&f.daemon, 1, "hello again");
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_LOST, 0, "lost");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    fake_daemon_turn(&f.daemon);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    if (action == 0)
        client_fixture_assert_events(
            &f, "open \ntext hello\ntext hello again\nerror 33\nclose unclean 1006 \n");
    else if (_i % 4 == 0)
        client_fixture_assert_events(&f, "open \n");
    else if (_i % 4 == 1)
        client_fixture_assert_events(&f, "open \ntext hello\n");
    else if (_i % 4 == 2)
        client_fixture_assert_events(&f, "open \ntext hello\ntext hello again\nerror 33\n");
    if (action == 2)
        f.client = NULL;
    client_fixture_deinit(&f);
}
END_TEST

/* The same when the daemon has gone, with several objects that go at once. */
START_TEST(closing_and_freeing_when_the_daemon_has_gone)
{
    int action = _i / 2;
    struct wsplex_websocket *second;
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &second), 0);
    ck_assert_int_eq(recorder_attach(&f.recorder, second), 0);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(
                         f.websocket, _i % 2 == 0 ? "error" : "close", act_in_handler, &action, 0),
                     0);
    fake_daemon_hang_up(&f.daemon);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    if (action == 0)
        client_fixture_assert_events(
            &f, "error -104\nclose unclean 1006 \nerror -104\nclose unclean 1006 \n");
    else if (action == 1 && _i % 2 == 0)
        client_fixture_assert_events(&f, "error -104\nerror -104\nclose unclean 1006 \n");
    else if (action == 2)
        client_fixture_assert_events(&f, _i % 2 == 0 ? "error -104\n"
                                                     : "error -104\nclose unclean 1006 \n");
    if (action == 2)
        f.client = NULL;
    client_fixture_deinit(&f);
}
END_TEST

static void free_other(const struct wsplex_event *event, void *userdata)
{
    struct wsplex_websocket **other = userdata;

    (void)event;
    *other = wsplex_websocket_free(*other);
}

START_TEST(freeing_another_that_would_be_next)
{
    struct wsplex_websocket *second;
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &second), 0);
    ck_assert_int_eq(recorder_attach(&f.recorder, second), 0);
    ck_assert_int_eq(wsplex_websocket_set_on_error(f.websocket, free_other, &second), 0);
    fake_daemon_hang_up(&f.daemon);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "close unclean 1006 \n");
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("websocket_close");
    TCase *tcase = unit_case(suite, "close");

    tcase_add_loop_test(tcase, codes_are_1000_or_3000_to_4999, 0, N_OF(codes));
    tcase_add_test(tcase, a_closing_server_is_answered_behind_what_handlers_sent);
    tcase_add_test(tcase, a_closing_server_that_crosses_our_close_is_not_answered);
    tcase_add_test(tcase, a_reason_is_at_most_123_bytes_of_utf8);
    tcase_add_test(tcase, a_reason_without_a_code_goes_with_1000);
    tcase_add_test(tcase, close_goes_behind_everything_sent);
    tcase_add_test(tcase, messages_come_until_close);
    tcase_add_loop_test(tcase, in_connecting_it_fails_the_connection, 0, 2);
    tcase_add_test(tcase, before_hello_the_frames_keep_their_order);
    tcase = unit_case(suite, "free");
    tcase_add_test(tcase, freeing_sends_what_was_sent_then_closes_without_a_code);
    tcase_add_test(tcase, freeing_what_is_closing_tells_that_nobody_is_left);
    tcase_add_test(tcase, freeing_what_is_closed_tells_nobody);
    tcase = unit_case(suite, "in handlers");
    tcase_add_loop_test(tcase, closing_and_freeing_in_every_handler, 0, 12);
    tcase_add_loop_test(tcase, closing_and_freeing_when_the_daemon_has_gone, 0, 6);
    tcase_add_test(tcase, freeing_another_that_would_be_next);
    return suite;
}
