/*
 * test_websocket_standard: the WebSocket object at every moment of its life: what each of its
 * attributes is, what each method does in each state and in each handler (WHATWG WebSockets, "The
 * WebSocket interface", "Feedback from the protocol").
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <stdio.h>
#include <string.h>

static const char *const types[] = {"open", "message", "error", "close"};

static void listen_to_all(struct client_fixture *f, wsplex_event_handler handler, void *userdata)
{
    for (int i = 0; i < N_OF(types); i++)
        ck_assert_int_eq(
            wsplex_websocket_add_event_listener(f->websocket, types[i], handler, userdata, 0), 0);
}

/* -- attributes -- */

static void note_attributes(const struct wsplex_event *event, void *userdata)
{
    const struct wsplex_websocket *websocket = event->target;

    recorder_note(userdata, "%s: %d \"%s\" \"%s\" %llu", event->type,
                  (int)wsplex_websocket_ready_state(websocket),
                  wsplex_websocket_protocol(websocket), wsplex_websocket_extensions(websocket),
                  (unsigned long long)wsplex_websocket_buffered_amount(websocket));
}

/* The state changes before the event that tells of it, and protocol and extensions stay. */
START_TEST(attributes_within_each_event)
{
    struct recorder seen = {.len = 0};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    listen_to_all(&f, note_attributes, &seen);
    fake_daemon_send_opened(&f.daemon, 1, "chat", "permessage-deflate; server_no_context_takeover");
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "12345", 5), 0);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    fake_daemon_send_text(&f.daemon, 1, "m");
    fake_daemon_send_simple(&f.daemon, 1, WSP_LOCAL_CLOSING);
    if (_i == 1)
        fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_LOST, 0, "");
    fake_daemon_send_closed(&f.daemon, 1, _i == 0, _i == 0 ? 1000 : 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
#define IN_USE "\"chat\" \"permessage-deflate; server_no_context_takeover\""
    ck_assert_str_eq(recorder_take(&seen), _i == 0 ? "open: 1 " IN_USE " 0\n"
                                                     "message: 1 " IN_USE " 5\n"
                                                     "close: 3 " IN_USE " 5\n"
                                                   : "open: 1 " IN_USE " 0\n"
                                                     "message: 1 " IN_USE " 5\n"
                                                     "error: 3 " IN_USE " 5\n"
                                                     "close: 3 " IN_USE " 5\n");
#undef IN_USE
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(attributes_when_it_never_opens)
{
    struct recorder seen = {.len = 0};
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    listen_to_all(&f, note_attributes, &seen);
    if (_i == 1) {
        ck_assert_int_eq(wsplex_websocket_close(f.websocket, WSPLEX_NO_CODE, NULL), 0);
        client_fixture_expect(&f, WSP_LOCAL_CLOSE);
        ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSING);
        ck_assert_str_eq(recorder_take(&seen), "");
    }
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_CONNECT, 0, "");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    ck_assert_str_eq(recorder_take(&seen), "error: 3 \"\" \"\" 0\nclose: 3 \"\" \"\" 0\n");
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSED);
    client_fixture_deinit(&f);
}
END_TEST

/* -- events -- */

static void assert_no_message(const struct wsplex_event *event)
{
    ck_assert(!event->is_binary);
    ck_assert_ptr_null(event->data);
    ck_assert_uint_eq(event->length, 0);
    ck_assert_str_eq(event->origin, "");
    ck_assert_str_eq(event->last_event_id, "");
}

static void assert_no_close(const struct wsplex_event *event)
{
    ck_assert(!event->was_clean);
    ck_assert_uint_eq(event->code, 0);
    ck_assert_str_eq(event->reason, "");
    ck_assert_uint_eq(event->reason_length, 0);
}

static void assert_no_failure(const struct wsplex_event *event)
{
    ck_assert_int_eq(event->cause, 0);
    ck_assert_int_eq(event->http_status, 0);
    ck_assert_str_eq(event->cause_text, "");
}

/* A byte order mark and U+0000 are characters like others. */
#define REASON     \
    "\xef\xbb\xbf" \
    "a\0b\xe2\x82\xac"

static void check_members(const struct wsplex_event *event, void *userdata)
{
    unsigned int *n_events = userdata;

    ++*n_events;
    ck_assert(event->is_trusted);
    ck_assert_str_eq(wsplex_websocket_url(event->target), FIXTURE_URL);
    if (strcmp(event->type, "message") != 0)
        assert_no_message(event);
    if (strcmp(event->type, "close") != 0)
        assert_no_close(event);
    else
        unit_assert_bytes(event->reason, event->reason_length + 1, REASON "\0", sizeof(REASON));
    if (strcmp(event->type, "error") != 0)
        assert_no_failure(event);
}

START_TEST(an_event_has_the_members_of_its_interface_alone)
{
    struct wsp_message closed = {.type = WSP_LOCAL_CLOSED, .channel = 1};
    unsigned int n_events = 0;
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    listen_to_all(&f, check_members, &n_events);
    fake_daemon_send_opened(&f.daemon, 1, "", "");
    fake_daemon_send_text(&f.daemon, 1, "m");
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_LOST, 0, "why");
    closed.closed.code = 1006;
    closed.closed.reason = WSP_VIEW_LITERAL(REASON);
    fake_daemon_send(&f.daemon, &closed);
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    ck_assert_uint_eq(n_events, 4);
    client_fixture_deinit(&f);
}
END_TEST

static const struct {
    const char *url, *origin;
} origins[] = {
    {"ws://example.org/a?b", "ws://example.org"},
    {"ws://example.org:80/", "ws://example.org"},
    {"ws://example.org:443/", "ws://example.org:443"},
    {"wss://example.org:443/", "wss://example.org"},
    {"http://EXAMPLE.org:8080/", "ws://example.org:8080"},
    {"https://user:password@example.org/", "wss://example.org"},
    {"wss://[::1]:9/", "wss://[::1]:9"},
    {"ws://0x7f.1/", "ws://127.0.0.1"},
};

static void note_origin(const struct wsplex_event *event, void *userdata)
{
    recorder_note(userdata, "%s", event->origin);
}

START_TEST(the_origin_of_messages_is_that_of_the_url)
{
    struct client_fixture f;
    char expected[64];

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, origins[_i].url, NULL, 0, NULL, &f.websocket),
                     0);
    ck_assert_int_eq(wsplex_websocket_set_on_message(f.websocket, note_origin, &f.recorder), 0);
    fake_daemon_greet(&f.daemon, f.client);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    fake_daemon_send_opened(&f.daemon, 1, "", "");
    fake_daemon_send_text(&f.daemon, 1, "m");
    client_fixture_settle(&f);
    snprintf(expected, sizeof(expected), "%s\n", origins[_i].origin);
    client_fixture_assert_events(&f, expected);
    client_fixture_deinit(&f);
}
END_TEST

static void check_data(const struct wsplex_event *event, void *userdata)
{
    unit_assert_bytes(event->data, event->length + 1, event->is_binary ? "\xff\0" : "t\0", 2);
    recorder_note(userdata, event->is_binary ? "binary" : "text");
}

/* In C the data of a message is a pointer and a length whatever binaryType says. */
START_TEST(binary_type_changes_nothing_about_the_data)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_set_on_message(f.websocket, check_data, &f.recorder), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            wsplex_websocket_set_binary_type(f.websocket, i == 0 ? WSPLEX_BINARY_TYPE_ARRAYBUFFER
                                                                 : WSPLEX_BINARY_TYPE_BLOB),
            0);
        fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_BINARY, "\xff", 1, false);
        fake_daemon_send_text(&f.daemon, 1, "t");
        client_fixture_settle(&f);
        client_fixture_assert_events(&f, "binary\ntext\n");
    }
    client_fixture_deinit(&f);
}
END_TEST

/* Failed: `error`, then `close`. Not failed: `close` alone, also where it is not clean. */
static const struct {
    bool is_failed, was_clean;
    uint16_t code;
    const char *expected;
} ends[] = {
    {false, true, 1000, "close clean 1000 r\n"},
    {false, true, 1005, "close clean 1005 r\n"},
    {false, true, 1015, "close clean 1015 r\n"},
    {false, true, 4999, "close clean 4999 r\n"},
    {false, false, 1006, "close unclean 1006 r\n"},
    {true, false, 1006, "error 33\nclose unclean 1006 r\n"},
};

START_TEST(error_precedes_close_exactly_when_the_connection_failed)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    if (_i % 2 == 1) {
        ck_assert_int_eq(wsplex_websocket_close(f.websocket, 3000, "mine"), 0);
        client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    }
    if (ends[_i / 2].is_failed)
        fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_LOST, 0, "");
    fake_daemon_send_closed(&f.daemon, 1, ends[_i / 2].was_clean, ends[_i / 2].code, "r");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, ends[_i / 2].expected);
    client_fixture_deinit(&f);
}
END_TEST

/* Whatever is done with it, and whatever becomes of the daemon. */
START_TEST(no_event_comes_after_close)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "close clean 1000 \n");
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "x", 1), 0);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    client_fixture_settle(&f);
    fake_daemon_hang_up(&f.daemon);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "");
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSED);
    client_fixture_deinit(&f);
}
END_TEST

/* -- close() -- */

static const int codes[] = {WSPLEX_NO_CODE, 0,    1,    999,  1000, 1001, 1005, 1006,
                            1015,           2999, 3000, 3001, 4998, 4999, 5000, 65535,
                            65536,          -2,   1100, 2000, 66536 /* 1000, cut to 16 bits */};

/* Its code: 3000, so that an accepted one in a later call would show. */
static void bring_into_state(struct client_fixture *f, enum wsplex_ready_state state)
{
    if (state == WSPLEX_CONNECTING) {
        client_fixture_init_connecting(f);
        return;
    }
    client_fixture_init_open(f);
    if (state >= WSPLEX_CLOSING) {
        ck_assert_int_eq(wsplex_websocket_close(f->websocket, 3000, NULL), 0);
        ck_assert_uint_eq(client_fixture_expect(f, WSP_LOCAL_CLOSE).close.code, 3000);
    }
    if (state == WSPLEX_CLOSED) {
        fake_daemon_send_closed(&f->daemon, 1, true, 3000, "");
        client_fixture_expect(f, WSP_LOCAL_RELEASE);
        client_fixture_assert_events(f, "close clean 3000 \n");
    }
}

/* The code is looked at before the state; where it is refused, nothing has changed. */
START_TEST(codes_of_close_in_every_state)
{
    enum wsplex_ready_state state = (enum wsplex_ready_state)(_i % 4);
    int code = codes[_i / 4];
    bool is_good = code == WSPLEX_NO_CODE || code == 1000 || (code >= 3000 && code <= 4999);
    struct client_fixture f;

    bring_into_state(&f, state);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, code, NULL),
                     is_good ? 0 : WSPLEX_ERROR_INVALID_ACCESS);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket),
                     is_good && state < WSPLEX_CLOSING ? WSPLEX_CLOSING : state);
    if (is_good && state < WSPLEX_CLOSING)
        ck_assert_int_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.code,
                         code == WSPLEX_NO_CODE ? 0 : code);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

/* text n times, then more. */
static const struct {
    const char *text;
    size_t n;
    const char *more;
    bool is_good;
} reasons[] = {
    {"r", 123, "", true},
    {"r", 124, "", false},
    {"\xc3\xa9", 61, "", true},            /* 122 bytes */
    {"\xc3\xa9", 61, "r", true},           /* 123 */
    {"\xc3\xa9", 62, "", false},           /* 124 bytes, 62 characters */
    {"\xe2\x82\xac", 41, "", true},        /* 123 */
    {"\xe2\x82\xac", 41, "r", false},      /* 124 */
    {"\xf0\x9f\x98\x80", 30, "rrr", true}, /* 123 */
    {"\xf0\x9f\x98\x80", 31, "", false},   /* 124 */
    {"r", 70000, "", false},
};

/* In bytes, not characters; with a code and without, and in every state. */
START_TEST(reasons_of_close_in_every_state)
{
    static char reason[70001];
    enum wsplex_ready_state state = (enum wsplex_ready_state)(_i % 4);
    int row = _i / 4;
    struct wsp_message message;
    struct client_fixture f;

    reason[0] = '\0';
    for (size_t i = 0, len = strlen(reasons[row].text); i < reasons[row].n; i++)
        memcpy(reason + i * len, reasons[row].text, len + 1);
    strcat(reason, reasons[row].more);
    bring_into_state(&f, state);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, WSPLEX_NO_CODE, reason),
                     reasons[row].is_good ? 0 : WSPLEX_ERROR_SYNTAX);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 4000, reason),
                     reasons[row].is_good ? 0 : WSPLEX_ERROR_SYNTAX);
    /* The code is looked at before the reason. */
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 5000, reason),
                     WSPLEX_ERROR_INVALID_ACCESS);
    if (reasons[row].is_good && state < WSPLEX_CLOSING) {
        message = client_fixture_expect(&f, WSP_LOCAL_CLOSE);
        ck_assert_uint_eq(message.close.code, 1000);
        unit_assert_bytes(message.close.reason.data, message.close.reason.len, reason,
                          strlen(reason));
    } else {
        ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), state);
    }
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* "" is no reason, and without a code there is no body. */
START_TEST(an_empty_reason_is_none)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, WSPLEX_NO_CODE, ""), 0);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.code, 0);
    client_fixture_deinit(&f);
}
END_TEST

/* Both have begun to close: the event has the server's code and reason, as the standard says. */
START_TEST(closes_that_cross)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    if (_i == 0) {
        fake_daemon_send_simple(&f.daemon, 1, WSP_LOCAL_CLOSING);
        ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.code, 0);
    }
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 4000, "mine"), 0);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSING);
    if (_i == 1) {
        fake_daemon_send_simple(&f.daemon, 1, WSP_LOCAL_CLOSING);
        client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    }
    fake_daemon_send_closed(&f.daemon, 1, true, 4001, "theirs");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "close clean 4001 theirs\n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- send() and bufferedAmount -- */

static const struct {
    const char *text;
    size_t len;
} texts[] = {
    {"", 0},
    {"a", 1},
    {"\0", 1},
    {"\xc2\xa5", 2},
    {"\xe2\x82\xac\xe2\x82\xac", 6},
    {"\xf0\x9f\x98\x80", 4},
    {"\xef\xbb\xbf"
     "bom",
     6},
};

START_TEST(buffered_amount_counts_bytes_of_utf8)
{
    struct client_fixture f;
    struct wsp_message message;
    uint64_t expected = 0;

    client_fixture_init_open(&f);
    for (int i = 0; i < N_OF(texts); i++) {
        ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, texts[i].text, texts[i].len), 0);
        expected += texts[i].len;
        ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), expected);
    }
    for (int i = 0; i < N_OF(texts); i++) {
        message = client_fixture_expect(&f, WSP_LOCAL_TEXT);
        unit_assert_bytes(message.text.payload.data, message.text.payload.len, texts[i].text,
                          texts[i].len);
    }
    client_fixture_deinit(&f);
}
END_TEST

/* What is written while the program runs shows when it has come back to its loop. */
START_TEST(buffered_amount_falls_only_as_events_are_dispatched)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "1234", 4), 0);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    fake_daemon_send_sent(&f.daemon, 1, 4);
    fake_daemon_turn(&f.daemon);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "56", 2), 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 6);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 2);
    client_fixture_deinit(&f);
}
END_TEST

/* What was sent before close() still goes and is taken off; what comes after it never is. */
START_TEST(buffered_amount_in_closing_and_closed)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "12345", 5), 0);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 1000, NULL), 0);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "678", 3), 0);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, NULL, 0), 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 8);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    fake_daemon_send_sent(&f.daemon, 1, 5);
    client_fixture_settle(&f);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 3);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    for (uint64_t n = 3; n < 20; n += 2) {
        ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), n);
        ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, "90", 2), 0);
        client_fixture_settle(&f);
    }
    client_fixture_deinit(&f);
}
END_TEST

static void send_one(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    ck_assert_int_eq(wsplex_websocket_send_text(event->target, "from it", 7), 0);
}

/* In open and message handlers it goes; in those of error and close it only counts. */
START_TEST(send_in_every_handler)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f.websocket, types[_i], send_one, NULL, 0),
                     0);
    fake_daemon_send_opened(&f.daemon, 1, "", "");
    fake_daemon_send_text(&f.daemon, 1, "m");
    if (_i < 2)
        client_fixture_expect(&f, WSP_LOCAL_TEXT);
    else
        client_fixture_settle(&f);
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_LOST, 0, "");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 7);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* -- handlers that change handlers -- */

static void note_name(const struct wsplex_event *event, void *userdata)
{
    struct client_fixture *f = userdata;

    recorder_note(&f->recorder, "%s handler", event->type);
}

static void replace_later(const struct wsplex_event *event, void *userdata)
{
    ck_assert_int_eq(wsplex_websocket_set_on_message(event->target, note_name, userdata), 0);
}

static void take_away_and_set(const struct wsplex_event *event, void *userdata)
{
    ck_assert_int_eq(wsplex_websocket_set_on_message(event->target, NULL, NULL), 0);
    replace_later(event, userdata);
}

/*
 * By a listener before its turn: one that is replaced is called as the new one (HTML: the attribute
 * is read when its turn has come); one that is set anew has a new place, after the event.
 */
START_TEST(handlers_that_change_within_the_event)
{
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(
                         f.websocket, "message", _i == 1 ? take_away_and_set : replace_later, &f,
                         WSPLEX_LISTENER_ONCE),
                     0);
    if (_i < 2)
        ck_assert_int_eq(wsplex_websocket_set_on_message(f.websocket, recorder_handle, &f.recorder),
                         0);
    fake_daemon_greet(&f.daemon, f.client);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    fake_daemon_send_opened(&f.daemon, 1, "", "");
    fake_daemon_send_text(&f.daemon, 1, "m");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, _i == 0 ? "message handler\n" : "");
    fake_daemon_send_text(&f.daemon, 1, "m");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "message handler\n");
    client_fixture_deinit(&f);
}
END_TEST

static void open_another(const struct wsplex_event *event, void *userdata)
{
    struct client_fixture *f = userdata;
    struct wsplex_websocket *another;

    ck_assert_int_eq(wsplex_websocket_new(wsplex_websocket_client(event->target), FIXTURE_URL, NULL,
                                          0, NULL, &another),
                     0);
    ck_assert_int_eq(wsplex_websocket_ready_state(another), WSPLEX_CONNECTING);
    ck_assert_int_eq(recorder_attach(&f->recorder, another), 0);
}

/* The new object is one of its own, and its events come later. */
START_TEST(another_is_opened_in_every_handler)
{
    uint32_t number = _i < 2 ? 2 : 1;
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f.websocket, types[_i], open_another, &f,
                                                         WSPLEX_LISTENER_ONCE),
                     0);
    fake_daemon_send_opened(&f.daemon, 1, "one", "");
    fake_daemon_send_text(&f.daemon, 1, "m");
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_LOST, 0, "");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    fake_daemon_turn(&f.daemon);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "open one\ntext m\nerror 33\nclose unclean 1006 \n");
    /* With `error` and `close` the number is free by then, and is taken at once. */
    if (number == 2)
        ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_OPEN).channel, number);
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    if (number == 1)
        ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_OPEN).channel, number);
    fake_daemon_send_opened(&f.daemon, number, "two", "");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "open two\n");
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("websocket_standard");
    TCase *tcase = unit_case(suite, "attributes");

    tcase_add_loop_test(tcase, attributes_within_each_event, 0, 2);
    tcase_add_loop_test(tcase, attributes_when_it_never_opens, 0, 2);
    tcase = unit_case(suite, "events");
    tcase_add_test(tcase, an_event_has_the_members_of_its_interface_alone);
    tcase_add_loop_test(tcase, the_origin_of_messages_is_that_of_the_url, 0, N_OF(origins));
    tcase_add_test(tcase, binary_type_changes_nothing_about_the_data);
    tcase_add_loop_test(tcase, error_precedes_close_exactly_when_the_connection_failed, 0,
                        2 * N_OF(ends));
    tcase_add_test(tcase, no_event_comes_after_close);
    tcase = unit_case(suite, "close");
    tcase_add_loop_test(tcase, codes_of_close_in_every_state, 0, 4 * N_OF(codes));
    tcase_add_loop_test(tcase, reasons_of_close_in_every_state, 0, 4 * N_OF(reasons));
    tcase_add_test(tcase, an_empty_reason_is_none);
    tcase_add_loop_test(tcase, closes_that_cross, 0, 2);
    tcase = unit_case(suite, "send");
    tcase_add_test(tcase, buffered_amount_counts_bytes_of_utf8);
    tcase_add_test(tcase, buffered_amount_falls_only_as_events_are_dispatched);
    tcase_add_test(tcase, buffered_amount_in_closing_and_closed);
    tcase_add_loop_test(tcase, send_in_every_handler, 0, N_OF(types));
    tcase = unit_case(suite, "handlers");
    tcase_add_loop_test(tcase, handlers_that_change_within_the_event, 0, 3);
    tcase_add_loop_test(tcase, another_is_opened_in_every_handler, 0, N_OF(types));
    return suite;
}
