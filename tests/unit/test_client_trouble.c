/*
 * test_client_trouble: a daemon that dies, stammers or talks nonsense, and a machine without memory.
 * Whatever happens: no crash, every WebSocket gets `error` and `close` once, and nothing stays behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/client.h"
#include "tests/harness/allocation.h"
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "proto/limits.h"

/* -- a whole conversation with a daemon that serves -- */

static void greet_and_close(const struct wsplex_event *event, void *userdata)
{
    static uint8_t data[70000];

    (void)userdata;
    wsplex_websocket_send_text(event->target, "hello", 5);
    wsplex_websocket_send_binary(event->target, data, sizeof(data));
    wsplex_websocket_close(event->target, 1000, "done");
}

static void on_reply(struct wsplex *client, int status, const char *json, size_t json_length,
                     void *userdata)
{
    (void)client;
    (void)json;
    (void)json_length;
    recorder_note(userdata, "reply %s", status < 0 ? "failed" : "came");
}

struct conversation {
    struct client_fixture f;
    struct recorder second;
    int n_errors_returned;
};

/* Asserts nothing, so that it may run while allocations fail. Returns how many rounds it took. */
static int converse(struct conversation *c)
{
    struct wsplex_websocket *websocket;
    struct client_fixture *f = &c->f;
    int n_rounds;

    c->n_errors_returned += wsplex_new(f->daemon.path, &f->client) < 0;
    if (!f->client)
        return 0;
    c->n_errors_returned +=
        wsplex_request(f->client, "status", NULL, 0, on_reply, &f->recorder) < 0;
    if (wsplex_websocket_new(f->client, FIXTURE_URL, NULL, 0, NULL, &websocket) == 0) {
        c->n_errors_returned += recorder_attach(&f->recorder, websocket) < 0;
        c->n_errors_returned +=
            wsplex_websocket_add_event_listener(websocket, "open", greet_and_close, NULL,
                                                WSPLEX_LISTENER_ONCE) < 0;
        f->websocket = websocket;
    } else {
        c->n_errors_returned++;
    }
    if (wsplex_websocket_new(f->client,
                             "wss://b\xc3\xbc"
                             "cher.example/",
                             NULL, 0, NULL, &websocket) == 0) {
        c->n_errors_returned += recorder_attach(&c->second, websocket) < 0;
        c->n_errors_returned += wsplex_websocket_close(websocket, 1000, "never") < 0;
    } else {
        c->n_errors_returned++;
    }
    for (n_rounds = 0; n_rounds < 100000 && wsplex_get_n_pending(f->client) > 0; n_rounds++) {
        fake_daemon_serve(&f->daemon);
        wsplex_dispatch(f->client);
        /* A listener that could not be added leaves it open. */
        if (n_rounds == 5000 && f->websocket)
            wsplex_websocket_close(f->websocket, 1000, NULL);
    }
    return n_rounds;
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;

    for (text = strstr(text, word); text; text = strstr(text + 1, word))
        n++;
    return n;
}

static const char story_first[] =
    "reply came\nopen echo\ntext hello\nbinary 70000\nclose clean 1000 done\n";
static const char story_second[] = "error 21\nclose unclean 1006 \n";

/* Rests of the WebSocket's story: `close` is there once and last, `error` at most once before it. */
static void assert_sound(const char *story, bool has_websocket)
{
    const char *close = strstr(story, "close ");

    ck_assert_uint_le(count(story, "error "), 1);
    ck_assert_uint_eq(count(story, "close "), has_websocket ? 1 : 0);
    if (close && strncmp(close, "close unclean", 13) == 0)
        ck_assert_uint_eq(count(story, "error "), 1);
    if (close)
        ck_assert_ptr_null(strstr(close, "text "));
}

static void conversation_init(struct conversation *c)
{
    memset(c, 0, sizeof(*c));
    fake_daemon_init(&c->f.daemon);
}

static struct conversation conversation;

/* -- how the bytes come -- */

static const size_t chunks[] = {1, 2, 3, 11, 12, 13, 4096, SIZE_MAX};

START_TEST(bytes_in_chunks_of_any_size)
{
    struct conversation *c = &conversation;

    conversation_init(c);
    c->f.daemon.chunk = chunks[_i];
    converse(c);
    ck_assert_int_eq(c->n_errors_returned, 0);
    client_fixture_assert_events(&c->f, story_first);
    ck_assert_str_eq(recorder_take(&c->second), story_second);
    client_fixture_deinit(&c->f);
}
END_TEST

/* Dead after each byte of what it says; 400 bytes reach beyond everything but the large message. */
START_TEST(a_daemon_that_dies_at_any_point)
{
    for (size_t n = 0; n < 400; n++) {
        struct conversation *c = &conversation;

        conversation_init(c);
        c->f.daemon.die_after = n;
        converse(c);
        ck_assert_uint_eq(wsplex_get_n_pending(c->f.client), 0);
        assert_sound(recorder_take(&c->f.recorder), true);
        ck_assert_uint_eq(count(c->f.recorder.text, "reply "), 1);
        assert_sound(recorder_take(&c->second), true);
        if (c->f.websocket && c->f.daemon.n_connections == 1)
            ck_assert_int_eq(wsplex_websocket_ready_state(c->f.websocket), WSPLEX_CLOSED);
        client_fixture_deinit(&c->f);
    }
}
END_TEST

/* -- no memory -- */

START_TEST(every_allocation_that_fails)
{
    bool has_failed = true;
    size_t n;

    for (n = 0; has_failed; n++) {
        struct conversation *c = &conversation;
        bool has_second;

        conversation_init(c);
        allocation_fail_after(n);
        converse(c);
        has_failed = allocation_disarm();
        if (c->f.client)
            ck_assert_uint_eq(wsplex_get_n_pending(c->f.client), 0);
        if (c->f.websocket)
            ck_assert_int_eq(wsplex_websocket_ready_state(c->f.websocket), WSPLEX_CLOSED);
        has_second = c->second.len > 0;
        if (c->n_errors_returned == 0) {
            assert_sound(recorder_take(&c->f.recorder), true);
            assert_sound(recorder_take(&c->second), has_second);
        }
        if (!has_failed) {
            c->f.recorder.len = strlen(c->f.recorder.text);
            client_fixture_assert_events(&c->f, story_first);
        }
        client_fixture_deinit(&c->f);
    }
    ck_assert_uint_ge(n, 20);
}
END_TEST

/* More than may open before HELLO, with options, of which one is closed and one freed as it waits. */
struct member {
    struct wsplex_websocket *websocket;
    bool is_heard;
    unsigned int n_closes;
};

static struct crowd {
    struct fake_daemon daemon;
    struct wsplex *client;
    struct member members[20];
} crowd;

static void crowd_leave(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    wsplex_websocket_close(event->target, 1000, NULL);
}

static void crowd_count(const struct wsplex_event *event, void *userdata)
{
    struct member *member = userdata;

    (void)event;
    member->n_closes++;
}

static void crowd_join(int i, const struct wsplex_options *options)
{
    struct member *member = &crowd.members[i];

    if (wsplex_websocket_new(crowd.client, i % 2 == 0 ? FIXTURE_URL : "wsplex-endpoint:feed", NULL,
                             0, options, &member->websocket) < 0)
        return;
    member->is_heard = wsplex_websocket_set_on_close(member->websocket, crowd_count, member) == 0;
    wsplex_websocket_set_on_open(member->websocket, crowd_leave, NULL);
    if (i == 18)
        wsplex_websocket_close(member->websocket, 1000, NULL);
    if (i == 19)
        member->websocket = wsplex_websocket_free(member->websocket);
}

/* Asserts nothing, so that it may run while allocations fail. */
static void crowd_converse(void)
{
    struct wsplex_options *options = NULL;

    if (wsplex_new(crowd.daemon.path, &crowd.client) < 0)
        return;
    if (wsplex_options_new(&options) == 0) {
        wsplex_options_add_header(options, "Accept", "x");
        wsplex_options_set(options, "linger", "1s");
        wsplex_options_set(options, "linger", "2s");
    }
    for (int i = 0; i < N_OF(crowd.members); i++)
        crowd_join(i, options);
    wsplex_options_free(options);
    for (int n_rounds = 0; n_rounds < 100000 && wsplex_get_n_pending(crowd.client) > 0;
         n_rounds++) {
        fake_daemon_serve(&crowd.daemon);
        wsplex_dispatch(crowd.client);
        /* Who could not be told of `open`, or had no memory for a close then. */
        for (int i = 0; n_rounds == 1000 && i < N_OF(crowd.members); i++)
            if (crowd.members[i].websocket)
                wsplex_websocket_close(crowd.members[i].websocket, 1000, NULL);
    }
}

START_TEST(every_allocation_of_a_crowd_that_fails)
{
    bool has_failed = true;
    size_t n;

    for (n = 0; has_failed; n++) {
        memset(&crowd, 0, sizeof(crowd));
        fake_daemon_init(&crowd.daemon);
        allocation_fail_after(n);
        crowd_converse();
        has_failed = allocation_disarm();
        if (crowd.client)
            ck_assert_uint_eq(wsplex_get_n_pending(crowd.client), 0);
        for (int i = 0; i < N_OF(crowd.members); i++) {
            const struct member *member = &crowd.members[i];

            ck_assert_uint_eq(member->n_closes, member->websocket && member->is_heard ? 1 : 0);
            if (member->websocket)
                ck_assert_int_eq(wsplex_websocket_ready_state(member->websocket), WSPLEX_CLOSED);
        }
        wsplex_free(crowd.client);
        fake_daemon_deinit(&crowd.daemon);
    }
    ck_assert_uint_ge(n, 100);
}
END_TEST

/* The others on the connection do not notice. */
START_TEST(no_memory_for_a_reply_fails_the_request_alone)
{
    static uint8_t json[65000];
    struct wsp_message reply = {.type = WSP_LOCAL_REPLY, .flags = WSP_WIRE_MORE};
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_request(f.client, "status", NULL, 0, on_reply, &f.recorder), 0);
    reply.reply.id = client_fixture_expect(&f, WSP_LOCAL_REQUEST).request.id;
    memset(json, ' ', sizeof(json));
    reply.reply.json = (struct wsp_view){json, sizeof(json)};
    for (int i = 0; i < 3; i++) {
        fake_daemon_send(&f.daemon, &reply);
        fake_daemon_turn(&f.daemon);
        if (i == _i)
            allocation_fail_after(0);
        wsplex_dispatch(f.client);
        if (i == _i)
            ck_assert(allocation_disarm());
        client_fixture_assert_events(&f, "");
    }
    reply.flags = 0;
    fake_daemon_send(&f.daemon, &reply);
    fake_daemon_send_text(&f.daemon, 1, "well");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "reply failed\ntext well\n");
    client_fixture_deinit(&f);
}
END_TEST

/* The object fails, the connection does not: the daemon is told to keep the rest. */
START_TEST(no_memory_for_a_message)
{
    static uint8_t data[65536];
    struct client_fixture f;

    client_fixture_init_open(&f);
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_BINARY, data, sizeof(data), true);
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_BINARY, data, sizeof(data), true);
    fake_daemon_turn(&f.daemon);
    allocation_fail_after(0);
    wsplex_dispatch(f.client);
    ck_assert(allocation_disarm());
    client_fixture_assert_events(&f, "error -12\nclose unclean 1006 \n");
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.discard, 1);
    fake_daemon_send_data(&f.daemon, 1, WSP_LOCAL_BINARY, data, 1, false);
    fake_daemon_send_closed(&f.daemon, 1, true, 1005, "");
    client_fixture_expect(&f, WSP_LOCAL_RELEASE);
    client_fixture_assert_events(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

/* Of the extensions and of the protocol: it has never been open, and has neither. */
START_TEST(no_memory_for_open)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    fake_daemon_send_opened(&f.daemon, 1, "protocol", "extensions");
    fake_daemon_turn(&f.daemon);
    allocation_fail_after((size_t)_i);
    wsplex_dispatch(f.client);
    ck_assert(allocation_disarm());
    client_fixture_assert_events(&f, "error -12\nclose unclean 1006 \n");
    ck_assert_str_eq(wsplex_websocket_extensions(f.websocket), "");
    ck_assert_str_eq(wsplex_websocket_protocol(f.websocket), "");
    ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.discard, 1);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(no_memory_for_a_send_changes_nothing)
{
    struct client_fixture f;
    int r;

    client_fixture_init_open(&f);
    allocation_fail_after(0);
    r = wsplex_websocket_send_text(f.websocket, "x", 1);
    allocation_disarm();
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    client_fixture_settle(&f);
    client_fixture_deinit(&f);
}
END_TEST

/* The state is as before, and a second try closes it. */
START_TEST(no_memory_for_a_close_changes_nothing)
{
    struct client_fixture f;
    int r;

    if (_i == 0)
        client_fixture_init_open(&f);
    else
        client_fixture_init_connecting(&f);
    allocation_fail_after(0);
    r = wsplex_websocket_close(f.websocket, 3000, "x");
    ck_assert(allocation_disarm());
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket),
                     _i == 0 ? WSPLEX_OPEN : WSPLEX_CONNECTING);
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_websocket_close(f.websocket, 3000, "y"), 0);
    ck_assert(client_fixture_expect(&f, WSP_LOCAL_CLOSE).close.discard == (_i == 1));
    client_fixture_assert_events(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

static void count_reply(struct wsplex *client, int status, const char *json, size_t json_length,
                        void *userdata)
{
    (void)client;
    (void)status;
    (void)json;
    (void)json_length;
    ++*(int *)userdata;
}

/* Each of its allocations. */
START_TEST(no_memory_for_a_request_changes_nothing)
{
    static const char *const arguments[] = {"17"};
    struct client_fixture f;
    int n_replies = 0;
    size_t n = 0;
    int r;

    client_fixture_init_open(&f);
    do {
        allocation_fail_after(n++);
        r = wsplex_request(f.client, "show", arguments, 1, count_reply, &n_replies);
        ck_assert(allocation_disarm() == (r == -ENOMEM));
        ck_assert_uint_eq(wsplex_get_n_pending(f.client), r == 0 ? 3 : 1);
    } while (r < 0);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(n, 4);
    client_fixture_expect(&f, WSP_LOCAL_REQUEST);
    client_fixture_settle(&f);
    ck_assert_int_eq(n_replies, 0);
    client_fixture_assert_events(&f, "");
    client_fixture_deinit(&f);
}
END_TEST

/* Freeing cannot fail: the connection does, as the daemon cannot be told. */
START_TEST(no_memory_for_freeing_ends_the_connection)
{
    struct wsplex_websocket *second;
    struct client_fixture f;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &second), 0);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    allocation_fail_after(0);
    wsplex_websocket_free(second);
    ck_assert(allocation_disarm());
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "error -12\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- nonsense -- */

/* Header and payload of frames that break the protocol, sent when channel 1 is open. */
static const struct {
    const char *bytes;
    size_t len;
} nonsense[] = {
#define FRAME(bytes)             \
    {                            \
        bytes, sizeof(bytes) - 1 \
    }
    FRAME("\1\0\1\0\x20\0\0\0\1\0\0\0"),         /* 65537 bytes */
    FRAME("\0\0\0\0\x20\0\1\0\1\0\0\0"),         /* the zero */
    FRAME("\0\0\0\0\x20\x80\0\0\1\0\0\0"),       /* an unknown flag */
    FRAME("\0\0\0\0\x77\2\0\0\0\0\0\0"),         /* unknown, must be understood */
    FRAME("\0\0\0\0\x20\0\0\0\0\0\0\0"),         /* TEXT for the connection */
    FRAME("\0\0\0\0\x20\0\0\0\2\0\0\0"),         /* TEXT for a channel not in use */
    FRAME("\0\0\0\0\x20\0\0\0\xff\xff\xff\xff"), /* the same */
    FRAME("\0\0\0\0\x22\0\0\0\1\0\0\0"),         /* ABORT of nothing */
    FRAME("\0\0\0\0\x16\0\0\0\1\0\0\0"),         /* RELEASE is ours */
    FRAME("\0\0\0\0\x10\0\0\0\1\0\0\0"),         /* OPEN is ours */
    FRAME("\x1a\0\0\0\x11\0\0\0\1\0\0\0\0\0\0\0"
          "0123456789abcdef\0\0\0\0\0\0"), /* OPENED again, and cut */
    FRAME("\x24\0\0\0\x11\0\0\0\1\0\0\0\0\0\0\0"
          "0123456789abcdef\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0"),      /* OPENED again */
    FRAME("\x08\0\0\0\x23\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0"),          /* CREDIT that falls */
    FRAME("\x08\0\0\0\x24\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0"),          /* SENT of what was not */
    FRAME("\x07\0\0\0\x24\0\0\0\1\0\0\0\0\0\0\0\0\0\0"),            /* SENT cut */
    FRAME("\1\0\0\0\x20\1\0\0\1\0\0\0x\0\0\0\0\x21\0\0\0\1\0\0\0"), /* TEXT goes on as BINARY */
    FRAME("\0\0\0\0\x13\0\0\0\1\0\0\0\0\0\0\0\x13\0\0\0\1\0\0\0"),  /* CLOSING twice */
    FRAME("\6\0\0\0\x14\0\0\0\1\0\0\0\x21\0\0\0\0\0"
          "\0\0\0\0\x20\0\0\0\1\0\0\0"), /* TEXT after FAILED */
    FRAME("\6\0\0\0\x14\0\0\0\1\0\0\0\x21\0\0\0\0\0"
          "\6\0\0\0\x14\0\0\0\1\0\0\0\x21\0\0\0\0\0"),   /* FAILED twice */
    FRAME("\6\0\0\0\x14\0\0\0\1\0\0\0\0\0\0\0\0\0"),     /* FAILED of nothing */
    FRAME("\5\0\0\0\x15\0\0\0\1\0\0\0\1\xe7\3\0\0"),     /* code 999 */
    FRAME("\5\0\0\0\x15\0\0\0\1\0\0\0\1\x88\x13\0\0"),   /* code 5000 */
    FRAME("\5\0\0\0\x15\0\0\0\1\0\0\0\2\xe8\3\0\0"),     /* was_clean 2 */
    FRAME("\5\0\0\0\x15\0\0\0\1\0\0\0\1\xe8\3\1\0"),     /* reason cut */
    FRAME("\6\0\0\0\x15\0\0\0\1\0\0\0\1\xe8\3\1\0\xff"), /* reason is not UTF-8 */
    FRAME("\6\0\0\0\x31\0\0\0\0\0\0\0\1\0\0\0\0\0"),     /* REPLY to nobody */
    FRAME("\4\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0"),           /* HELLO again */
};

START_TEST(a_frame_that_breaks_the_protocol)
{
    const char *expected = "error -71\nclose unclean 1006 \n";
    struct client_fixture f;

    client_fixture_init_open(&f);
    fake_daemon_send_bytes(&f.daemon, nonsense[_i].bytes, nonsense[_i].len);
    client_fixture_settle(&f);
    /* After FAILED its cause stays the cause. */
    if (nonsense[_i].bytes[4] == 0x14 && nonsense[_i].bytes[12] != 0)
        expected = "error 33\nclose unclean 1006 \n";
    client_fixture_assert_events(&f, expected);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), "broke the local protocol"));
    ck_assert_int_eq(f.daemon.fd, -1);
    ck_assert_int_eq(wsplex_get_fd(f.client), -1);
    client_fixture_deinit(&f);
}
END_TEST

/* Frames that a channel may get, but not before it is open. */
static const struct {
    const char *bytes;
    size_t len;
} early[] = {
    FRAME("\1\0\0\0\x20\0\0\0\1\0\0\0x"),                                  /* TEXT */
    FRAME("\1\0\0\0\x21\0\0\0\1\0\0\0x"),                                  /* BINARY */
    FRAME("\0\0\0\0\x13\0\0\0\1\0\0\0"),                                   /* CLOSING */
    FRAME("\x10\0\0\0\x24\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), /* SENT */
};

START_TEST(a_frame_before_it_is_open)
{
    struct client_fixture f;

    client_fixture_init_connecting(&f);
    fake_daemon_send_bytes(&f.daemon, early[_i].bytes, early[_i].len);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "error -71\nclose unclean 1006 \n");
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), "broke the local protocol"));
    ck_assert_int_eq(f.daemon.fd, -1);
    client_fixture_deinit(&f);
}
END_TEST

/* What must not end anything. */
START_TEST(frames_of_a_later_version_are_skipped)
{
    struct client_fixture f;

    client_fixture_init_open(&f);
    fake_daemon_send_bytes(&f.daemon, "\3\0\0\0\x77\0\0\0\1\0\0\0abc", 15);
    fake_daemon_send_bytes(&f.daemon, "\0\0\0\0\x78\0\0\0\0\0\0\0", 12);
    fake_daemon_send_text(&f.daemon, 1, "on");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "text on\n");
    client_fixture_deinit(&f);
}
END_TEST

static const char *const greetings[] = {
    "HTTP/1.1 400 Bad Request\r\n",
    "WSPLEX2\n",
    "WSPLEX1\n\0\0\0\0\x20\0\0\0\1\0\0\0",
};

START_TEST(something_that_is_no_wsplexd)
{
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    ck_assert_int_eq(recorder_attach(&f.recorder, f.websocket), 0);
    client_fixture_expect(&f, WSP_LOCAL_HELLO);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    fake_daemon_send_bytes(&f.daemon, greetings[_i], _i == 2 ? 20 : strlen(greetings[_i]));
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "error -71\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_hello_that_allows_too_little)
{
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    ck_assert_int_eq(recorder_attach(&f.recorder, f.websocket), 0);
    client_fixture_expect(&f, WSP_LOCAL_HELLO);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    fake_daemon_send_hello(&f.daemon, 15);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "error -71\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- the end -- */

static void check_text(const struct wsplex_event *event, void *userdata)
{
    ck_assert_ptr_nonnull(strstr(event->cause_text, userdata));
}

START_TEST(an_error_of_the_daemon_says_why)
{
    struct wsp_message error = {.type = WSP_LOCAL_ERROR};
    struct client_fixture f;

    client_fixture_init_open(&f);
    error.error.code = WSP_FATAL_KICKED;
    if (_i == 0)
        error.error.text = WSP_VIEW_LITERAL("kicked by root");
    ck_assert_int_eq(wsplex_websocket_add_event_listener(
                         f.websocket, "error", check_text,
                         (void *)(_i == 0 ? "kicked by root" : "connection: kicked"), 0),
                     0);
    fake_daemon_send(&f.daemon, &error);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "error -104\nclose unclean 1006 \n");
    client_fixture_deinit(&f);
}
END_TEST

/* A write fails before the reason has been read: it is still read. */
START_TEST(what_it_said_before_it_went_is_still_heard)
{
    static uint8_t data[60000];
    struct client_fixture f;

    client_fixture_init_open(&f);
    fake_daemon_send_text(&f.daemon, 1, "last words");
    fake_daemon_send_closed(&f.daemon, 1, true, 1001, "stopping");
    fake_daemon_turn(&f.daemon);
    fake_daemon_hang_up(&f.daemon);
    ck_assert_int_eq(wsplex_websocket_send_binary(f.websocket, data, sizeof(data)), 0);
    wsp_connection_write(f.client); /* as in a turn that had read before it came */
    ck_assert_int_eq(wsplex_get_events(f.client), POLLIN);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "text last words\nclose clean 1001 stopping\n");
    client_fixture_deinit(&f);
}
END_TEST

static void open_again(const struct wsplex_event *event, void *userdata)
{
    struct client_fixture *f = userdata;

    ck_assert_int_eq(wsplex_websocket_new(wsplex_websocket_client(event->target), FIXTURE_URL, NULL,
                                          0, NULL, &f->websocket),
                     f->daemon.listener >= 0 ? 0 : -ENOENT);
}

/* The same client connects anew for the next object. */
START_TEST(a_handler_may_open_again)
{
    struct client_fixture f;
    struct wsplex_websocket *first;

    client_fixture_init_open(&f);
    first = f.websocket;
    ck_assert_int_eq(wsplex_websocket_set_on_close(first, open_again, &f), 0);
    if (_i == 1)
        fake_daemon_stop_listening(&f.daemon);
    fake_daemon_hang_up(&f.daemon);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "error -104\n");
    wsplex_websocket_free(first);
    if (_i == 0) {
        fake_daemon_greet(&f.daemon, f.client);
        ck_assert_uint_eq(client_fixture_expect(&f, WSP_LOCAL_OPEN).channel, 1);
        ck_assert_uint_eq(f.daemon.n_connections, 2);
    }
    client_fixture_deinit(&f);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("client_trouble");
    TCase *tcase = unit_case(suite, "bytes");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, bytes_in_chunks_of_any_size, 0, N_OF(chunks));
    tcase_add_test(tcase, a_daemon_that_dies_at_any_point);
    tcase = unit_case(suite, "memory");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_allocation_that_fails);
    tcase_add_test(tcase, every_allocation_of_a_crowd_that_fails);
    tcase_add_loop_test(tcase, no_memory_for_a_reply_fails_the_request_alone, 0, 2);
    tcase_add_test(tcase, no_memory_for_a_message);
    tcase_add_loop_test(tcase, no_memory_for_open, 0, 2);
    tcase_add_test(tcase, no_memory_for_a_send_changes_nothing);
    tcase_add_loop_test(tcase, no_memory_for_a_close_changes_nothing, 0, 2);
    tcase_add_test(tcase, no_memory_for_a_request_changes_nothing);
    tcase_add_test(tcase, no_memory_for_freeing_ends_the_connection);
    tcase = unit_case(suite, "nonsense");
    tcase_add_loop_test(tcase, a_frame_that_breaks_the_protocol, 0, N_OF(nonsense));
    tcase_add_loop_test(tcase, a_frame_before_it_is_open, 0, N_OF(early));
    tcase_add_test(tcase, frames_of_a_later_version_are_skipped);
    tcase_add_loop_test(tcase, something_that_is_no_wsplexd, 0, N_OF(greetings));
    tcase_add_test(tcase, a_hello_that_allows_too_little);
    tcase = unit_case(suite, "the end");
    tcase_add_loop_test(tcase, an_error_of_the_daemon_says_why, 0, 2);
    tcase_add_test(tcase, what_it_said_before_it_went_is_still_heard);
    tcase_add_loop_test(tcase, a_handler_may_open_again, 0, 2);
    return suite;
}
