/*
 * test_websocket: constructor, attributes and feedback of client-lib/websocket, clause by clause of
 * the WHATWG WebSockets standard.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <stdio.h>
#include <string.h>

/* -- the constructor -- */

static const char *const bad_urls[] = {
    "",
    "example.org",
    "/path",
    "ftp://example.org/",
    "wss://",
    "wss://example.org/#x",
    "wss://a b/",
    "wss://example.org:99999/",
    "wss://[::1/",
    "wss://\xff/",
    "?test",
    "#test",
    "//example.org/",
    "mailto:example@example.org",
    "about:blank",
    "javascript:",
    "data:,x",
    "file:///x",
    "wsss://example.org/",
    "ws://",
    "ws://:80/",
    "ws://user@/",
    "ws://foo bar.com/",
    "ws://example.org:x/",
    "ws://example.org/#",
    "http://example.org/#x",
    "https://a^b/",
    "wsplex-endpoint:",
    "wsplex-endpoint:a/b",
    "wsplex-endpoint:-a",
    "ws+unix:run/x.sock",
    "ws+unix:/run/x.sock#f",
    "socks5://example.org",
};

/* No round trip: nothing is connected. A URL without a scheme is relative, and there is no base. */
START_TEST(a_bad_url_is_a_syntax_error)
{
    struct wsplex_websocket *websocket = NULL;
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, bad_urls[_i], NULL, 0, NULL, &websocket),
                     WSPLEX_ERROR_SYNTAX);
    ck_assert_ptr_null(websocket);
    ck_assert_str_ne(wsplex_error_text(f.client), "");
    ck_assert_int_eq(wsplex_get_fd(f.client), -1);
    client_fixture_deinit(&f);
}
END_TEST

static const struct {
    const char *given, *url, *origin;
} good_urls[] = {
    {"wss://example.org", "wss://example.org/", "wss://example.org"},
    {"WS://EXAMPLE.org:80/a b?c d", "ws://example.org/a%20b?c%20d", "ws://example.org"},
    {"https://example.org:8443/", "wss://example.org:8443/", "wss://example.org:8443"},
    {"http://example.org:80/", "ws://example.org/", "ws://example.org"},
    {"https://example.org:443/", "wss://example.org/", "wss://example.org"},
    {"http://example.org:443/", "ws://example.org:443/", "ws://example.org:443"},
    {" \tws://exa\nmple.org/ ", "ws://example.org/", "ws://example.org"},
    {"ws:example.org", "ws://example.org/", "ws://example.org"},
    {"ws:\\\\example.org\\a", "ws://example.org/a", "ws://example.org"},
    {"ws://u:p%40@example.org/", "ws://u:p%40@example.org/", "ws://example.org"},
    {"ws://example.org/a/./b/../c?x'y", "ws://example.org/a/c?x%27y", "ws://example.org"},
    {"ws://example.org/?\xc3\xa5", "ws://example.org/?%C3%A5", "ws://example.org"},
    {"http://[2001:db8::0:1]/", "ws://[2001:db8::1]/", "ws://[2001:db8::1]"},
    {"wss://b\xc3\xbc"
     "cher.example/",
     "wss://xn--bcher-kva.example/", "wss://xn--bcher-kva.example"},
    {"wsplex-endpoint:feed.1", "wsplex-endpoint:feed.1", "null"},
    {"ws+unix:/run/a b.sock:/p?q", "ws+unix:/run/a%20b.sock:/p?q", "null"},
    {"WSS+unix:///run/x.sock", "wss+unix:///run/x.sock", "null"},
};

START_TEST(url_and_origin_are_serialised)
{
    struct wsplex_websocket *websocket;
    struct client_fixture f;
    struct wsp_message open;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, good_urls[_i].given, NULL, 0, NULL, &websocket),
                     0);
    ck_assert_str_eq(wsplex_websocket_url(websocket), good_urls[_i].url);
    ck_assert_str_eq(wsplex_websocket_origin(websocket), good_urls[_i].origin);
    fake_daemon_greet(&f.daemon, f.client);
    open = client_fixture_expect(&f, WSP_LOCAL_OPEN);
    unit_assert_bytes(open.open.url.data, open.open.url.len, good_urls[_i].url,
                      strlen(good_urls[_i].url));
    client_fixture_deinit(&f);
}
END_TEST

static const struct {
    const char *names[3];
    size_t n;
    bool is_good;
} protocol_lists[] = {
    {{"chat"}, 1, true},      {{"chat", "superchat"}, 2, true}, {{"a", "A"}, 2, true},
    {{""}, 1, false},         {{"a", "a"}, 2, false},           {{"a b"}, 1, false},
    {{"a", "b,c"}, 2, false}, {{"\xc3\xa9"}, 1, false},         {{"a", "b", "a"}, 3, false},
};

START_TEST(protocols_are_tokens_and_different)
{
    struct wsplex_websocket *websocket = NULL;
    struct client_fixture f;
    struct wsp_message open;
    struct wsp_view item;
    int r;

    client_fixture_init(&f);
    r = wsplex_websocket_new(f.client, FIXTURE_URL, protocol_lists[_i].names, protocol_lists[_i].n,
                             NULL, &websocket);
    ck_assert_int_eq(r, protocol_lists[_i].is_good ? 0 : WSPLEX_ERROR_SYNTAX);
    if (r == 0) {
        fake_daemon_greet(&f.daemon, f.client);
        open = client_fixture_expect(&f, WSP_LOCAL_OPEN);
        for (size_t i = 0; i < protocol_lists[_i].n; i++) {
            ck_assert(wsp_local_list_next(&open.open.protocols, &item));
            ck_assert(wsp_view_equals(item, wsp_view_of_string(protocol_lists[_i].names[i])));
        }
        ck_assert(!wsp_local_list_next(&open.open.protocols, &item));
    }
    client_fixture_deinit(&f);
}
END_TEST

/* Any byte within a name but U+0000, which ends it. */
START_TEST(every_byte_of_a_protocol)
{
    const char token[] =
        "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";

    for (int byte = 1; byte < 256; byte++) {
        const char name[] = {'a', (char)byte, 'b', '\0'};
        const char *names[] = {"first", name};
        struct wsplex_websocket *websocket;
        struct client_fixture f;

        client_fixture_init(&f);
        ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, names, 2, NULL, &websocket),
                         strchr(token, byte) ? 0 : WSPLEX_ERROR_SYNTAX);
        client_fixture_deinit(&f);
    }
}
END_TEST

START_TEST(as_many_protocols_as_fit)
{
    char names[WSP_MAX_N_SUBPROTOCOLS + 1][8];
    const char *list[WSP_MAX_N_SUBPROTOCOLS + 1];
    struct wsplex_websocket *websocket;
    struct client_fixture f;

    for (int i = 0; i < WSP_MAX_N_SUBPROTOCOLS + 1; i++) {
        snprintf(names[i], sizeof(names[i]), "p%d", i);
        list[i] = names[i];
    }
    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, list, WSP_MAX_N_SUBPROTOCOLS + 1,
                                          NULL, &websocket),
                     WSPLEX_ERROR_SYNTAX);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), "too many"));
    ck_assert_int_eq(
        wsplex_websocket_new(f.client, FIXTURE_URL, list, WSP_MAX_N_SUBPROTOCOLS, NULL, &websocket),
        0);
    fake_daemon_greet(&f.daemon, f.client);
    ck_assert_uint_eq(
        wsp_local_list_count(client_fixture_expect(&f, WSP_LOCAL_OPEN).open.protocols),
        WSP_MAX_N_SUBPROTOCOLS);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_bad_url_comes_before_a_bad_protocol)
{
    static const char *const names[] = {"a b"};
    struct wsplex_websocket *websocket;
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, "ftp://x/", names, 1, NULL, &websocket),
                     WSPLEX_ERROR_SYNTAX);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), "scheme"));
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_new_object_is_connecting_and_empty)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CONNECTING);
    ck_assert_str_eq(wsplex_websocket_protocol(f.websocket), "");
    ck_assert_str_eq(wsplex_websocket_extensions(f.websocket), "");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    ck_assert_int_eq(wsplex_websocket_binary_type(f.websocket), WSPLEX_BINARY_TYPE_BLOB);
    ck_assert_ptr_eq(wsplex_websocket_client(f.websocket), f.client);
    client_fixture_assert_events(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(binary_type_keeps_what_it_is_set_to)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_set_binary_type(f.websocket, WSPLEX_BINARY_TYPE_ARRAYBUFFER),
                     0);
    ck_assert_int_eq(wsplex_websocket_set_binary_type(f.websocket, (enum wsplex_binary_type)7),
                     -EINVAL);
    ck_assert_int_eq(wsplex_websocket_binary_type(f.websocket), WSPLEX_BINARY_TYPE_ARRAYBUFFER);
    client_fixture_deinit(&f);
}
END_TEST

/* -- options -- */

START_TEST(options_stand_in_the_open_frame)
{
    static const char *const expected[] = {"A", "1", "A", "2"};
    struct wsplex_options *options;
    struct wsplex_websocket *websocket;
    struct client_fixture f;
    struct wsp_message open;
    struct wsp_view item;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_options_new(&options), 0);
    ck_assert_int_eq(wsplex_options_set_sharing(options, WSPLEX_SHARING_SHARED), 0);
    ck_assert_int_eq(wsplex_options_set_sharing(options, (enum wsplex_sharing)3), -EINVAL);
    ck_assert_int_eq(wsplex_options_add_header(options, "A", "1"), 0);
    ck_assert_int_eq(wsplex_options_add_header(options, "A", "2"), 0);
    ck_assert_int_eq(wsplex_options_set(options, "linger", "1s"), 0);
    ck_assert_int_eq(wsplex_options_set(options, "linger", "5s"), 0);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, options, &websocket), 0);
    ck_assert_ptr_null(wsplex_options_free(options));
    fake_daemon_greet(&f.daemon, f.client);
    open = client_fixture_expect(&f, WSP_LOCAL_OPEN);
    ck_assert_uint_eq(open.open.sharing, WSP_SHARING_SHARED);
    ck_assert_uint_eq(wsp_local_list_count(open.open.headers), 4);
    for (size_t i = 0; wsp_local_list_next(&open.open.headers, &item); i++)
        ck_assert(wsp_view_equals(item, wsp_view_of_string(expected[i])));
    ck_assert_uint_eq(wsp_local_list_count(open.open.options), 2);
    ck_assert(wsp_local_list_next(&open.open.options, &item));
    ck_assert(wsp_view_equals(item, WSP_VIEW_LITERAL("linger")));
    ck_assert(wsp_local_list_next(&open.open.options, &item));
    ck_assert(wsp_view_equals(item, WSP_VIEW_LITERAL("5s")));
    client_fixture_deinit(&f);
}
END_TEST

static const struct {
    const char *name, *value;
} bad_headers[] = {
    {"", "x"},   {"A b", "x"}, {"A", "x\r\nB: y"}, {"Host", "x"}, {"sec-websocket-key", "x"},
    {"A", " x"},
};

START_TEST(bad_headers_are_refused)
{
    struct wsplex_options *options;

    ck_assert_int_eq(wsplex_options_new(&options), 0);
    ck_assert_int_eq(
        wsplex_options_add_header(options, bad_headers[_i].name, bad_headers[_i].value), -EINVAL);
    ck_assert_int_eq(wsplex_options_set(options, "", "x"), -EINVAL);
    wsplex_options_free(options);
}
END_TEST

START_TEST(too_many_headers_and_too_much_for_a_frame)
{
    static char value[16001];
    struct wsplex_options *options;
    struct wsplex_websocket *websocket = NULL;
    struct client_fixture f;

    memset(value, 'x', sizeof(value) - 1);
    ck_assert_int_eq(wsplex_options_new(&options), 0);
    for (int i = 0; i < WSP_MAX_N_HEADERS; i++)
        ck_assert_int_eq(wsplex_options_add_header(options, "A", "1"), 0);
    ck_assert_int_eq(wsplex_options_add_header(options, "A", "1"), -E2BIG);
    ck_assert_int_eq(wsplex_options_set(options, "a", value), 0);
    ck_assert_int_eq(wsplex_options_set(options, "b", value), 0);
    ck_assert_int_eq(wsplex_options_set(options, "c", value), 0);
    ck_assert_int_eq(wsplex_options_set(options, "d", value), 0);
    ck_assert_int_eq(wsplex_options_set(options, "e", value), -E2BIG);
    client_fixture_init(&f);
    ck_assert_int_eq(
        wsplex_websocket_new(f.client, FIXTURE_URL "?" FIXTURE_URL, NULL, 0, options, &websocket),
        0);
    ck_assert_int_eq(wsplex_options_set(options, "e", "x"), 0);
    value[1600] = '\0';
    ck_assert_int_eq(wsplex_options_set(options, "e", value), -E2BIG);
    value[1400] = '\0';
    ck_assert_int_eq(wsplex_options_set(options, "e", value), 0);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, options, &websocket),
                     -E2BIG);
    wsplex_options_free(options);
    client_fixture_deinit(&f);
}
END_TEST

/* -- feedback from the protocol -- */

START_TEST(established_changes_state_then_fires_open)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_OPEN);
    ck_assert_str_eq(wsplex_websocket_protocol(f.websocket), "p");
    ck_assert_str_eq(wsplex_websocket_extensions(f.websocket), "x");
    client_fixture_deinit(&f);
}
END_TEST

static void check_message(const struct wsplex_event *event, void *userdata)
{
    int *n = userdata;

    ++*n;
    ck_assert_uint_eq(event->size, sizeof(*event));
    ck_assert_str_eq(event->type, "message");
    ck_assert(event->is_trusted);
    ck_assert_str_eq(event->origin, "wss://example.org");
    ck_assert_str_eq(event->last_event_id, "");
    ck_assert_str_eq(event->reason, "");
    ck_assert_str_eq(event->cause_text, "");
    ck_assert(!event->is_binary);
    unit_assert_bytes(event->data, event->length + 1, "a\0b\0", 4);
}

START_TEST(a_message_event_has_data_and_origin)
{
    struct client_fixture f;
    int n = 0;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_set_on_message(f.websocket, check_message, &n), 0);
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_TEXT, "a\0b", 3, false);
    client_fixture_settle(&f);
    ck_assert_int_eq(n, 1);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(messages_come_whole_and_in_order)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    fake_daemon_send_text(&f.daemon, 1, "one");
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_TEXT, "t", 1, true);
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_TEXT, "", 0, true);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "text one\n");
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_TEXT, "wo", 2, false);
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_BINARY, "", 0, false);
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_BINARY, "xx", 2, true);
    fake_daemon_send_simple(&f.daemon, 1, WSP_LOCAL_ABORT);
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_BINARY, "y", 1, false);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "text two\nbinary 0\nbinary 1\n");
    client_fixture_deinit(&f);
}
END_TEST

/* Handshake lengths around every boundary of the frames, and one message above the limit. */
START_TEST(a_message_may_be_as_long_as_opened_says)
{
    static const size_t lengths[] = {65535, 65536, 65537, 200000, 200001};
    static uint8_t data[65536];
    struct client_fixture f;
    char expected[64];

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    ck_assert_int_eq(recorder_attach(&f.recorder, f.websocket), 0);
    client_fixture_expect(&f, WSP_LOCAL_HELLO);
    fake_daemon_send_hello(&f.daemon, 16);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    f.daemon.max_message = 200000;
    fake_daemon_send_opened(&f.daemon, 1, "", "");
    for (size_t left = lengths[_i]; left > 0;) {
        size_t len = left < sizeof(data) ? left : sizeof(data);

        left -= len;
        fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_BINARY, data, len, left > 0);
    }
    client_fixture_settle(&f);
    snprintf(expected, sizeof(expected), "open \nbinary %zu\n", lengths[_i]);
    client_fixture_assert_events(
        &f, lengths[_i] <= 200000 ? expected : "open \nerror -71\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_closing_server_makes_it_closing_then_closed)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    fake_daemon_send_simple(&f.daemon, 1, WSP_LOCAL_CLOSING);
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSING);
    fake_daemon_send_text(&f.daemon, 1, "last");
    fake_daemon_send_closed(&f.daemon, 1, true, 4000, "bye");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_CLOSED);
    client_fixture_assert_events(&f, "text last\nclose clean 4000 bye\n");
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

static uint32_t open_another(struct client_fixture *f, struct wsplex_websocket **ret_websocket)
{
    ck_assert_int_eq(wsplex_websocket_new(f->client, FIXTURE_URL, NULL, 0, NULL, ret_websocket), 0);
    return client_fixture_expect(f, WSP_LOCAL_OPEN).channel;
}

/* The lowest number that is free: not one that is in use between those that are free. */
START_TEST(numbers_are_given_again)
{
    struct wsplex_websocket *second, *other;
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_uint_eq(open_another(&f, &second), 2);
    ck_assert_uint_eq(open_another(&f, &other), 3);
    ck_assert_uint_eq(open_another(&f, &other), 4);
    ck_assert_int_eq(wsplex_websocket_close(second, 1000, NULL), 0);
    client_fixture_expect(&f, WSP_LOCAL_CLOSE);
    /* As long as the daemon has not let it go, it is not free. */
    ck_assert_uint_eq(open_another(&f, &other), 5);
    fake_daemon_send_closed(&f.daemon, 2, false, 1006, "");
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_RELEASE).channel, 2);
    ck_assert_uint_eq(open_another(&f, &other), 2);
    ck_assert_uint_eq(open_another(&f, &other), 6);
    client_fixture_deinit(&f);
}
END_TEST

static void check_error(const struct wsplex_event *event, void *userdata)
{
    int *n = userdata;

    ++*n;
    ck_assert_int_eq(wsplex_websocket_ready_state(event->target), WSPLEX_CLOSED);
    ck_assert_int_eq(event->cause, WSPLEX_CAUSE_HANDSHAKE);
    ck_assert_int_eq(event->http_status, 404);
    ck_assert_str_eq(event->cause_text, "the server answered 404");
}

START_TEST(a_failure_fires_error_then_close)
{
    struct client_fixture f;
    int n = 0;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(wsplex_websocket_add_event_listener(f.websocket, "error", check_error, &n, 0),
                     0);
    fake_daemon_send_failed(&f.daemon, 1, WSP_CAUSE_HANDSHAKE, 404, "the server answered 404");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "");
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "error 19\nclose unclean 1006 \n");
    ck_assert_int_eq(n, 1);
    client_fixture_deinit(&f);
}
END_TEST

static void check_refusal(const struct wsplex_event *event, void *userdata)
{
    int *n = userdata;

    ++*n;
    ck_assert_int_eq(event->http_status, 503);
    ck_assert_uint_eq(event->retry_after, 30);
    unit_assert_bytes(event->excerpt, event->excerpt_length + 1, "bu\0sy", 6);
    ck_assert_str_ne(event->cause_text, "");
}

static void check_no_excerpt(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    ck_assert_uint_eq(event->retry_after, 0);
    ck_assert_str_eq(event->excerpt, "");
    ck_assert_uint_eq(event->excerpt_length, 0);
}

START_TEST(error_has_what_a_refusing_server_said)
{
    struct client_fixture f;
    int n = 0;

    client_fixture_init_connecting(&f);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(f.websocket, "error", check_refusal, &n, 0), 0);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(f.websocket, "close", check_no_excerpt, NULL, 0), 0);
    fake_daemon_send_refused(&f.daemon, 1, 503, 30, WSP_VIEW_LITERAL("bu\0sy"));
    fake_daemon_send_closed(&f.daemon, 1, false, 1006, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "error 19\nclose unclean 1006 \n");
    ck_assert_int_eq(n, 1);
    client_fixture_deinit(&f);
}
END_TEST

/* -- channel numbers -- */

START_TEST(a_number_is_used_again_after_release)
{
    struct wsplex_websocket *second, *third;
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &second), 0);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_OPEN).channel, 2);
    fake_daemon_send_closed(&f.daemon, 1, true, 1000, "");
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_RELEASE).channel, 1);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &third), 0);
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_OPEN).channel, 1);
    client_fixture_deinit(&f);
}
END_TEST

/* 16 OPENs go ahead of HELLO; the rest wait, and those above the daemon's limit fail. */
START_TEST(more_than_hello_allows_fail_the_latest)
{
    struct wsplex_websocket *websockets[22];
    struct client_fixture f;
    struct wsplex_websocket *one_more;

    client_fixture_init(&f);
    for (int i = 0; i < 22; i++) {
        ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &websockets[i]),
                         0);
        ck_assert_int_eq(recorder_attach(&f.recorder, websockets[i]), 0);
    }
    client_fixture_expect(&f, WSP_LOCAL_HELLO);
    for (unsigned int i = 0; i < 16; i++)
        ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_OPEN).channel, i + 1);
    client_fixture_settle(&f);
    fake_daemon_send_hello(&f.daemon, 20);
    for (unsigned int i = 16; i < 20; i++)
        ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_OPEN).channel, i + 1);
    client_fixture_settle(&f);
    client_fixture_assert_events(
        &f, "error -24\nclose unclean 1006 \nerror -24\nclose unclean 1006 \n");
    ck_assert_int_eq(wsplex_websocket_ready_state(websockets[19]), WSPLEX_CONNECTING);
    ck_assert_int_eq(wsplex_websocket_ready_state(websockets[20]), WSPLEX_CLOSED);
    ck_assert_int_eq(wsplex_websocket_ready_state(websockets[21]), WSPLEX_CLOSED);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &one_more),
                     -EMFILE);
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("websocket");
    TCase *tcase = unit_case(suite, "constructor");

    tcase_add_loop_test(tcase, a_bad_url_is_a_syntax_error, 0, N_OF(bad_urls));
    tcase_add_loop_test(tcase, url_and_origin_are_serialised, 0, N_OF(good_urls));
    tcase_add_loop_test(tcase, protocols_are_tokens_and_different, 0, N_OF(protocol_lists));
    tcase_add_test(tcase, every_byte_of_a_protocol);
    tcase_add_test(tcase, as_many_protocols_as_fit);
    tcase_add_test(tcase, a_bad_url_comes_before_a_bad_protocol);
    tcase_add_test(tcase, a_new_object_is_connecting_and_empty);
    tcase_add_test(tcase, binary_type_keeps_what_it_is_set_to);
    tcase = unit_case(suite, "options");
    tcase_add_test(tcase, options_stand_in_the_open_frame);
    tcase_add_loop_test(tcase, bad_headers_are_refused, 0, N_OF(bad_headers));
    tcase_add_test(tcase, too_many_headers_and_too_much_for_a_frame);
    tcase = unit_case(suite, "feedback");
    tcase_add_test(tcase, established_changes_state_then_fires_open);
    tcase_add_test(tcase, a_message_event_has_data_and_origin);
    tcase_add_test(tcase, messages_come_whole_and_in_order);
    tcase_add_loop_test(tcase, a_message_may_be_as_long_as_opened_says, 0, 5);
    tcase_add_test(tcase, a_closing_server_makes_it_closing_then_closed);
    tcase_add_test(tcase, numbers_are_given_again);
    tcase_add_test(tcase, a_failure_fires_error_then_close);
    tcase_add_test(tcase, error_has_what_a_refusing_server_said);
    tcase = unit_case(suite, "channel numbers");
    tcase_add_test(tcase, a_number_is_used_again_after_release);
    tcase_add_test(tcase, more_than_hello_allows_fail_the_latest);
    return suite;
}
