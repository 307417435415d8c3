/*
 * object: the WebSocket object end to end: libwsplex as installed, a real wsplexd and real servers,
 * over the topics that a browser's own tests of the object have (constructor, send, close, events).
 *
 * test_object.py runs it, case by case. $WSPLEX_SOCKET is the daemon's; the URLs of two servers are in
 * the environment as well: one sends everything back, the other does what its path says. What the
 * second one has seen of objects that were freed is judged there. Beside tests/unit, which has every
 * state and moment with a daemon of its own, this has what takes the network.
 *
 * Invariant: nothing here waits but for a descriptor, with a deadline.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client-lib/wsplex.h"
#include "tests/harness/recorder.h"

#define N_OF(array) (int)(sizeof(array) / sizeof((array)[0]))

enum {
    DEADLINE_S = 60,
};

struct object {
    struct wsplex *client;
    struct wsplex_websocket *websocket;
    struct recorder recorder;
};

/* -- the loop -- */

static void turn(struct wsplex *client)
{
    struct pollfd pollfd = {.fd = wsplex_get_fd(client), .events = wsplex_get_events(client)};
    int timeout_ms = wsplex_get_timeout_ms(client);

    ck_assert_int_ge(poll(&pollfd, 1, timeout_ms < 0 || timeout_ms > 100 ? 100 : timeout_ms), 0);
    ck_assert_int_eq(wsplex_dispatch(client), 0);
}

static time_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

#define WAIT_FOR(client, condition)                                             \
    do {                                                                        \
        time_t end_ = now_s() + DEADLINE_S;                                     \
                                                                                \
        while (!(condition)) {                                                  \
            ck_assert_msg(now_s() < end_, "in vain waited for %s", #condition); \
            turn(client);                                                       \
        }                                                                       \
    } while (0)

/* -- objects -- */

static const char *url_of(const char *server, const char *path)
{
    static char url[1024];

    ck_assert_ptr_nonnull(getenv(server));
    snprintf(url, sizeof(url), "%s%s", getenv(server), path);
    return url;
}

/* A new client with an object that is connecting, its events recorded. */
static void object_init(struct object *object, const char *url, const char *const *protocols,
                        size_t n_protocols)
{
    memset(object, 0, sizeof(*object));
    ck_assert_int_eq(wsplex_new(NULL, &object->client), 0);
    ck_assert_int_eq(
        wsplex_websocket_new(object->client, url, protocols, n_protocols, NULL, &object->websocket),
        0);
    ck_assert_int_eq(wsplex_websocket_ready_state(object->websocket), WSPLEX_CONNECTING);
    ck_assert_int_eq(recorder_attach(&object->recorder, object->websocket), 0);
}

static void object_wait(struct object *object, enum wsplex_ready_state state)
{
    WAIT_FOR(object->client, wsplex_websocket_ready_state(object->websocket) >= state);
    ck_assert_int_eq(wsplex_websocket_ready_state(object->websocket), state);
}

static void object_init_scripted(struct object *object, const char *path)
{
    object_init(object, url_of("WSPLEX_TEST_SCRIPTED", path), NULL, 0);
}

static void object_init_echo(struct object *object)
{
    object_init(object, url_of("WSPLEX_TEST_ECHO", "/echo"), NULL, 0);
    object_wait(object, WSPLEX_OPEN);
    ck_assert_str_eq(recorder_take(&object->recorder), "open \n");
}

/* The end comes by itself, and nothing after it. */
static void object_finish(struct object *object, const char *events)
{
    object_wait(object, WSPLEX_CLOSED);
    ck_assert_int_eq(wsplex_run(object->client), 0);
    ck_assert_str_eq(recorder_take(&object->recorder), events);
    ck_assert_uint_eq(wsplex_get_n_pending(object->client), 0);
    wsplex_free(object->client);
}

/* -- constructor -- */

/* http: and https: stand for ws: and wss:. */
START_TEST(http_url_opens_a_websocket)
{
    struct object object;
    char url[1024] = "http", expected[1024];

    strcpy(expected, url_of("WSPLEX_TEST_ECHO", "/echo"));
    strcat(url, expected + strlen("ws"));
    object_init(&object, url, NULL, 0);
    ck_assert_str_eq(wsplex_websocket_url(object.websocket), expected);
    object_wait(&object, WSPLEX_OPEN);
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, WSPLEX_NO_CODE, NULL), 0);
    object_finish(&object, "open \nclose clean 1005 \n");
}
END_TEST

static const struct event_log {
    const char *yes[8], *no[4];
} request = {
    .yes = {"\nupgrade: websocket\n", "\nconnection: Upgrade\n", "\nsec-websocket-version: 13\n",
            "\nsec-websocket-key: ", "\nsec-websocket-protocol: chat, CHAT, b.c\n",
            "\nsec-websocket-extensions: permessage-deflate", "\nhost: 127.0.0.1:"},
    .no = {"\ncookie:", "\nreferer:", "\norigin:", "\nauthorization:"},
};

static void check_request(const struct wsplex_event *event, void *userdata)
{
    int *n_requests = userdata;

    ++*n_requests;
    for (int i = 0; i < N_OF(request.yes) && request.yes[i]; i++)
        ck_assert_msg(strstr(event->data, request.yes[i]) != NULL, "no %s", request.yes[i]);
    for (int i = 0; i < N_OF(request.no); i++)
        ck_assert_msg(strstr(event->data, request.no[i]) == NULL, "there is %s", request.no[i]);
}

START_TEST(the_request_says_what_the_standard_says)
{
    static const char *const protocols[] = {"chat", "CHAT", "b.c"};
    struct object object;
    int n_requests = 0;

    object_init(&object, url_of("WSPLEX_TEST_SCRIPTED", "/request"), protocols, N_OF(protocols));
    ck_assert_int_eq(wsplex_websocket_set_on_message(object.websocket, check_request, &n_requests),
                     0);
    WAIT_FOR(object.client, n_requests > 0);
    object_finish(&object, "open CHAT\nclose clean 1000 \n");
}
END_TEST

/* The script takes what it answers from the path. */
static const struct {
    const char *protocols[3];
    const char *path;
    const char *chosen; /* NULL: the connection fails */
} answers[] = {
    {{NULL}, "/answer", ""},
    {{"a", "b", "c"}, "/answer?Sec-WebSocket-Protocol:b", "b"},
    {{"a", "A"}, "/answer?Sec-WebSocket-Protocol:A", "A"},
    {{"a"}, "/answer?sec-websocket-PROTOCOL:%20a%20", "a"},
    {{"a"}, "/answer", NULL},
    {{"a"}, "/answer?Sec-WebSocket-Protocol:", NULL},
    {{"a"}, "/answer?Sec-WebSocket-Protocol:A", NULL},
    {{"a"}, "/answer?Sec-WebSocket-Protocol:b", NULL},
    {{"a", "b"}, "/answer?Sec-WebSocket-Protocol:a,b", NULL},
    {{"a", "b"}, "/answer?Sec-WebSocket-Protocol:a&Sec-WebSocket-Protocol:b", NULL},
    {{"a"}, "/answer?Sec-WebSocket-Protocol:a&Sec-WebSocket-Protocol:a", NULL},
    {{NULL}, "/answer?Sec-WebSocket-Protocol:a", NULL},
    {{NULL}, "/answer?Sec-WebSocket-Extensions:x-unknown", NULL},
};

START_TEST(subprotocols_that_a_server_answers)
{
    const char *chosen = answers[_i].chosen;
    size_t n_protocols = 0;
    struct object object;
    char expected[64];

    while (n_protocols < 3 && answers[_i].protocols[n_protocols])
        n_protocols++;
    object_init(&object, url_of("WSPLEX_TEST_SCRIPTED", answers[_i].path), answers[_i].protocols,
                n_protocols);
    ck_assert_str_eq(wsplex_websocket_protocol(object.websocket), "");
    object_wait(&object, chosen ? WSPLEX_OPEN : WSPLEX_CLOSED);
    ck_assert_str_eq(wsplex_websocket_protocol(object.websocket), chosen ? chosen : "");
    ck_assert_str_eq(wsplex_websocket_extensions(object.websocket), "");
    if (!chosen) {
        object_finish(&object, "error 19\nclose unclean 1006 \n");
        return;
    }
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, 1000, NULL), 0);
    snprintf(expected, sizeof(expected), "open %s\nclose clean 1000 \n", chosen);
    object_finish(&object, expected);
}
END_TEST

/* Neither is followed, nor tried again. */
START_TEST(an_answer_that_is_no_websocket_fails)
{
    static const char *const paths[] = {"/redirect", "/not-found", "/hangs-up"};
    struct object object;

    object_init_scripted(&object, paths[_i]);
    object_finish(&object, "error 19\nclose unclean 1006 \n");
}
END_TEST

struct crowd {
    struct wsplex_websocket *websockets[300];
    int n_open, n_messages, n_closed;
};

static void greet_in_open(const struct wsplex_event *event, void *userdata)
{
    struct crowd *crowd = userdata;

    crowd->n_open++;
    ck_assert_int_eq(wsplex_websocket_send_text(event->target, "hello", 5), 0);
}

static void close_in_message(const struct wsplex_event *event, void *userdata)
{
    struct crowd *crowd = userdata;

    crowd->n_messages++;
    ck_assert_str_eq(event->data, "hello");
    ck_assert_int_eq(wsplex_websocket_close(event->target, 3001, "enough"), 0);
}

static void count_close(const struct wsplex_event *event, void *userdata)
{
    struct crowd *crowd = userdata;

    crowd->n_closed++;
    ck_assert(event->was_clean);
    ck_assert_int_eq(event->code, 3001);
}

/* Each of its own, all of one client; a number more than HELLO's first 16. */
START_TEST(hundreds_at_once)
{
    struct crowd crowd = {.n_open = 0};
    struct wsplex *client;

    ck_assert_int_eq(wsplex_new(NULL, &client), 0);
    for (int i = 0; i < N_OF(crowd.websockets); i++) {
        struct wsplex_websocket **websocket = &crowd.websockets[i];

        ck_assert_int_eq(wsplex_websocket_new(client, url_of("WSPLEX_TEST_ECHO", "/echo"), NULL, 0,
                                              NULL, websocket),
                         0);
        ck_assert_int_eq(wsplex_websocket_set_on_open(*websocket, greet_in_open, &crowd), 0);
        ck_assert_int_eq(wsplex_websocket_set_on_message(*websocket, close_in_message, &crowd), 0);
        ck_assert_int_eq(wsplex_websocket_set_on_close(*websocket, count_close, &crowd), 0);
    }
    ck_assert_int_eq(wsplex_run(client), 0);
    ck_assert_int_eq(crowd.n_open, N_OF(crowd.websockets));
    ck_assert_int_eq(crowd.n_messages, N_OF(crowd.websockets));
    ck_assert_int_eq(crowd.n_closed, N_OF(crowd.websockets));
    wsplex_free(client);
}
END_TEST

/* -- messages -- */

struct expected {
    const void *data;
    size_t length;
    bool is_binary;
    int n_got;
};

static void check_echo(const struct wsplex_event *event, void *userdata)
{
    struct expected *expected = userdata;

    ck_assert(event->is_binary == expected->is_binary);
    ck_assert_uint_eq(event->length, expected->length);
    ck_assert(expected->length == 0 || memcmp(event->data, expected->data, expected->length) == 0);
    expected->n_got++;
}

static const struct {
    const char *pattern; /* repeated up to the length */
    size_t pattern_len, length;
} messages[] = {
    {"", 1, 0},
    {"Message to send", 15, 15},
    {"null", 4, 4},
    {"a\0b", 3, 3},
    {"", 1, 1}, /* U+0000 */
    {"\xc2\xa5\xc2\xa5\xc2\xa5", 6, 6},
    {"\xef\xbb\xbfx", 4, 4},    /* a byte order mark */
    {"\xf0\x90\x90\x80", 4, 4}, /* a pair of surrogates in UTF-16 */
    {"\xf0\x9f\x98\x80", 4, 65536},
    {"c", 1, 125},
    {"c", 1, 126},
    {"c", 1, 127},
    {"c", 1, 65000},
    {"c", 1, 65535},
    {"c", 1, 65536},
    {"c", 1, 65537},
    {"0123456789abcdef", 16, 1 << 20},
};

/* As text and as binary, each given back as it was. */
START_TEST(every_message_comes_back_as_it_went)
{
    struct expected expected = {.length = messages[_i / 2].length, .is_binary = _i % 2 == 1};
    char *data = malloc(expected.length + 1);
    struct object object;
    int r;

    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < expected.length; i++)
        data[i] = messages[_i / 2].pattern[i % messages[_i / 2].pattern_len];
    expected.data = data;
    object_init_echo(&object);
    ck_assert_int_eq(wsplex_websocket_set_on_message(object.websocket, check_echo, &expected), 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(object.websocket), 0);
    r = expected.is_binary ? wsplex_websocket_send_binary(object.websocket, data, expected.length)
                           : wsplex_websocket_send_text(object.websocket, data, expected.length);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(object.websocket), expected.length);
    WAIT_FOR(object.client, expected.n_got == 1);
    WAIT_FOR(object.client, wsplex_websocket_buffered_amount(object.websocket) == 0);
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, 1000, NULL), 0);
    object_finish(&object, "close clean 1000 \n");
    free(data);
}
END_TEST

/* bufferedAmount has bytes of messages, not of the wire, where a megabyte is a kilobyte there. */
START_TEST(compression_does_not_show_in_buffered_amount)
{
    static uint8_t zeros[1 << 20];
    struct expected expected = {.data = zeros, .length = sizeof(zeros), .is_binary = true};
    struct object object;

    object_init_echo(&object);
    ck_assert_str_eq(wsplex_websocket_extensions(object.websocket),
                     getenv("WSPLEX_TEST_EXTENSIONS"));
    ck_assert_int_eq(wsplex_websocket_set_on_message(object.websocket, check_echo, &expected), 0);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(wsplex_websocket_send_binary(object.websocket, zeros, sizeof(zeros)), 0);
        ck_assert_uint_eq(wsplex_websocket_buffered_amount(object.websocket),
                          (uint64_t)i * sizeof(zeros));
    }
    WAIT_FOR(object.client, wsplex_websocket_buffered_amount(object.websocket) == 0);
    WAIT_FOR(object.client, expected.n_got == 3);
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, 1000, NULL), 0);
    object_finish(&object, "close clean 1000 \n");
}
END_TEST

struct series {
    int n_sent, n_got;
    size_t fill;
};

static void send_series(const struct wsplex_event *event, void *userdata)
{
    static char text[65536];
    struct series *series = userdata;

    memset(text, 'x', sizeof(text));
    for (int i = 0; i < series->n_sent; i++) {
        int n = snprintf(text, sizeof(text), "%d", i);

        text[n] = 'x';
        ck_assert_int_eq(wsplex_websocket_send_text(event->target, text, (size_t)n + series->fill),
                         0);
    }
}

static void check_series(const struct wsplex_event *event, void *userdata)
{
    struct series *series = userdata;

    ck_assert_int_eq(atoi(event->data), series->n_got++);
    ck_assert_uint_ge(event->length, series->fill);
}

static const struct series series_of[] = {{.n_sent = 5000, .fill = 1},
                                          {.n_sent = 150, .fill = 65000}};

/* All at once, from within `open`: whole and in order, however long they take. */
START_TEST(many_are_sent_in_open)
{
    struct series series = series_of[_i];
    struct object object;

    object_init(&object, url_of("WSPLEX_TEST_ECHO", "/echo"), NULL, 0);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(object.websocket, "open", send_series, &series, 0), 0);
    ck_assert_int_eq(wsplex_websocket_set_on_message(object.websocket, check_series, &series), 0);
    WAIT_FOR(object.client, series.n_got == series.n_sent);
    WAIT_FOR(object.client, wsplex_websocket_buffered_amount(object.websocket) == 0);
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, 1000, NULL), 0);
    object_finish(&object, "open \nclose clean 1000 \n");
}
END_TEST

/* What the server sends with its answer comes after `open`, in its order. */
START_TEST(messages_that_come_with_the_answer)
{
    struct object object;

    object_init_scripted(&object, "/glued");
    object_finish(&object, "open \ntext one\nbinary 3\ntext \nbinary 0\nclose clean 1000 \n");
}
END_TEST

/* The server's pings, also within a message, are answered and not shown. */
START_TEST(pings_and_pongs_are_not_shown)
{
    struct object object;

    object_init_scripted(&object, "/pings");
    object_finish(&object, "open \ntext whole\ntext all pongs came\nclose clean 1000 \n");
}
END_TEST

/* -- close -- */

/* The script answers with 4001 and with what the Close frame had, in hexadecimal digits. */
static const struct {
    int code;
    const char *reason, *body;
} own_closes[] = {
    {WSPLEX_NO_CODE, NULL, ""},
    {WSPLEX_NO_CODE, "", ""},
    {1000, NULL, "03e8"},
    {1000, "a", "03e861"},
    {3000, "", "0bb8"},
    {4999, "\xe2\x82\xac", "1387e282ac"},
    {WSPLEX_NO_CODE, "only", "03e86f6e6c79"},
};

START_TEST(the_close_frame_has_what_was_given)
{
    struct object object;
    char expected[128];

    object_init_scripted(&object, "/close-body");
    object_wait(&object, WSPLEX_OPEN);
    ck_assert_int_eq(
        wsplex_websocket_close(object.websocket, own_closes[_i].code, own_closes[_i].reason), 0);
    ck_assert_int_eq(wsplex_websocket_ready_state(object.websocket), WSPLEX_CLOSING);
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, 3456, "too late"), 0);
    snprintf(expected, sizeof(expected), "open \nclose clean 4001 %s\n", own_closes[_i].body);
    object_finish(&object, expected);
}
END_TEST

START_TEST(a_reason_of_123_bytes_arrives)
{
    struct object object;
    char reason[124], expected[256];

    memset(reason, 'r', 123);
    reason[123] = '\0';
    object_init_echo(&object);
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, 4000, reason), 0);
    snprintf(expected, sizeof(expected), "close clean 4000 %s\n", reason);
    object_finish(&object, expected);
}
END_TEST

/* `close` comes when the server has answered, and messages until then (extension). */
START_TEST(close_waits_for_the_server)
{
    struct object object, other;

    object_init_scripted(&object, "/slow-close");
    object_wait(&object, WSPLEX_OPEN);
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, 1000, NULL), 0);
    WAIT_FOR(object.client, object.recorder.len > strlen("open \n"));
    ck_assert_int_eq(wsplex_websocket_ready_state(object.websocket), WSPLEX_CLOSING);
    ck_assert_int_eq(wsplex_websocket_send_text(object.websocket, "lost", 4), 0);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(object.websocket), 4);
    ck_assert_str_eq(recorder_take(&object.recorder), "open \ntext under way\n");
    object_init_scripted(&other, "/let-go"); /* only now it answers */
    object_finish(&other, "open \nclose clean 1000 \n");
    object_wait(&object, WSPLEX_CLOSED);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(object.websocket), 4);
    object_finish(&object, "close clean 1000 \n");
}
END_TEST

/* The connection fails: for the server it just ends, before it has answered. */
START_TEST(close_while_connecting)
{
    struct object object;

    object_init_scripted(&object, "/silent");
    if (_i == 1)
        for (int i = 0; i < 3; i++)
            turn(object.client);
    ck_assert_int_eq(wsplex_websocket_close(object.websocket, 3000, "never"), 0);
    ck_assert_int_eq(wsplex_websocket_ready_state(object.websocket), WSPLEX_CLOSING);
    ck_assert_str_eq(recorder_take(&object.recorder), "");
    object_finish(&object, "error 21\nclose unclean 1006 \n");
}
END_TEST

static const struct {
    const char *path, *expected;
} server_closes[] = {
    {"/closes", "open \nclose clean 1005 \n"},
    {"/closes?1000", "open \nclose clean 1000 \n"},
    {"/closes?1001&gone", "open \nclose clean 1001 gone\n"},
    {"/closes?1011&%E2%82%AC", "open \nclose clean 1011 \xe2\x82\xac\n"},
    {"/closes?3000&x", "open \nclose clean 3000 x\n"},
    {"/closes?4999", "open \nclose clean 4999 \n"},
    {"/closes-then-sends", "open \ntext before\nclose clean 1000 \n"},
    {"/ends", "open \nerror 33\nclose unclean 1006 \n"},
    {"/resets", "open \nerror 33\nclose unclean 1006 \n"},
    {"/closes?1005", "open \nerror 32\nclose unclean 1006 \n"},
    {"/closes?999", "open \nerror 32\nclose unclean 1006 \n"},
    {"/breaks", "open \ntext before\nerror 32\nclose unclean 1006 \n"},
};

/* One `close`, with `error` before it exactly where the connection failed. */
START_TEST(the_server_ends_it)
{
    struct object object;

    object_init_scripted(&object, server_closes[_i].path);
    object_finish(&object, server_closes[_i].expected);
}
END_TEST

static const char *const types[] = {"open", "message", "error", "close"};

static void close_or_free(const struct wsplex_event *event, void *userdata)
{
    struct wsplex *client = wsplex_websocket_client(event->target);

    switch (*(int *)userdata) {
    case 0: ck_assert_int_eq(wsplex_websocket_close(event->target, 1000, NULL), 0); break;
    case 1: wsplex_websocket_free(event->target); break;
    default: wsplex_free(client); break;
    }
}

/*
 * Within each event of a connection that breaks down: close, free the object, free the client. What
 * had come already comes nonetheless where it was only closed.
 */
START_TEST(close_and_free_in_every_handler)
{
    static const char *const whole[] = {"open \n", "text before\n", "error 32\n",
                                        "close unclean 1006 \n"};
    int action = _i / N_OF(types), type = _i % N_OF(types);
    struct object object;
    char expected[128] = "";

    object_init_scripted(&object, "/breaks");
    /* Behind the recorder's handler, so the event itself is recorded. */
    ck_assert_int_eq(wsplex_websocket_add_event_listener(object.websocket, types[type],
                                                         close_or_free, &action, 0),
                     0);
    ck_assert_int_eq(wsplex_run(object.client), 0);
    if (action == 0)
        ck_assert_int_eq(wsplex_websocket_ready_state(object.websocket), WSPLEX_CLOSED);
    for (int i = 0; i < N_OF(types) && (action == 0 || i <= type); i++)
        strcat(expected, whole[i]);
    ck_assert_str_eq(recorder_take(&object.recorder), expected);
    if (action < 2)
        wsplex_free(object.client);
}
END_TEST

/* -- what a server sees of objects that go; test_object.py judges it -- */

START_TEST(a_freed_object_closes_without_a_code)
{
    struct object object;

    object_init_scripted(&object, "/record/freed");
    object_wait(&object, WSPLEX_OPEN);
    ck_assert_int_eq(wsplex_websocket_send_text(object.websocket, "sent before", 11), 0);
    wsplex_websocket_free(object.websocket);
    ck_assert_int_eq(wsplex_run(object.client), 0);
    wsplex_free(object.client);
}
END_TEST

START_TEST(a_freed_client_goes_away)
{
    struct object object;

    object_init_scripted(&object, "/record/client-freed");
    object_wait(&object, WSPLEX_OPEN);
    wsplex_free(object.client);
}
END_TEST

START_TEST(an_object_freed_while_connecting_fails)
{
    struct object object;

    object_init_scripted(&object, "/silent");
    turn(object.client);
    wsplex_websocket_free(object.websocket);
    ck_assert_int_eq(wsplex_run(object.client), 0);
    wsplex_free(object.client);
}
END_TEST

/* -- all of them -- */

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 2 * DEADLINE_S);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static Suite *object_suite(void)
{
    Suite *suite = suite_create("object");
    TCase *tcase = add_case(suite, "constructor");

    tcase_add_test(tcase, http_url_opens_a_websocket);
    tcase_add_test(tcase, the_request_says_what_the_standard_says);
    tcase_add_loop_test(tcase, subprotocols_that_a_server_answers, 0, N_OF(answers));
    tcase_add_loop_test(tcase, an_answer_that_is_no_websocket_fails, 0, 3);
    tcase_add_test(tcase, hundreds_at_once);
    tcase = add_case(suite, "messages");
    tcase_add_loop_test(tcase, every_message_comes_back_as_it_went, 0, 2 * N_OF(messages));
    tcase_add_test(tcase, compression_does_not_show_in_buffered_amount);
    tcase_add_loop_test(tcase, many_are_sent_in_open, 0, N_OF(series_of));
    tcase_add_test(tcase, messages_that_come_with_the_answer);
    tcase_add_test(tcase, pings_and_pongs_are_not_shown);
    tcase = add_case(suite, "close");
    tcase_add_loop_test(tcase, the_close_frame_has_what_was_given, 0, N_OF(own_closes));
    tcase_add_test(tcase, a_reason_of_123_bytes_arrives);
    tcase_add_test(tcase, close_waits_for_the_server);
    tcase_add_loop_test(tcase, close_while_connecting, 0, 2);
    tcase_add_loop_test(tcase, the_server_ends_it, 0, N_OF(server_closes));
    tcase_add_loop_test(tcase, close_and_free_in_every_handler, 0, 3 * N_OF(types));
    tcase = add_case(suite, "gone");
    tcase_add_test(tcase, a_freed_object_closes_without_a_code);
    tcase_add_test(tcase, a_freed_client_goes_away);
    tcase_add_test(tcase, an_object_freed_while_connecting_fails);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(object_suite());
    int n_failed;

    srunner_set_fork_status(runner, CK_FORK);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
