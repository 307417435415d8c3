/*
 * test_client: struct wsplex: finding the daemon, the loop, requests, and what it is to be a child.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/client.h"
#include "tests/harness/client_fixture.h"
#include "tests/harness/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- finding the daemon -- */

START_TEST(no_daemon_is_an_error_at_once_that_names_the_path)
{
    struct wsplex_websocket *websocket = NULL;
    struct wsplex *client;

    ck_assert_int_eq(wsplex_new("/nonexistent/wsplex.sock", &client), 0);
    ck_assert_str_eq(wsplex_error_text(client), "");
    ck_assert_int_eq(wsplex_connect(client), -ENOENT);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(client), "/nonexistent/wsplex.sock"));
    ck_assert_int_eq(wsplex_websocket_new(client, FIXTURE_URL, NULL, 0, NULL, &websocket), -ENOENT);
    ck_assert_ptr_null(websocket);
    ck_assert_int_eq(wsplex_request(client, "status", NULL, 0, NULL, NULL), -ENOENT);
    ck_assert_int_eq(wsplex_get_fd(client), -1);
    ck_assert_int_eq(wsplex_get_events(client), 0);
    ck_assert_int_eq(wsplex_get_timeout_ms(client), -1);
    ck_assert_uint_eq(wsplex_get_n_pending(client), 0);
    ck_assert_int_eq(wsplex_run(client), 0);
    wsplex_free(client);
}
END_TEST

START_TEST(the_environment_says_where_to_look)
{
    struct fake_daemon daemon;
    struct wsplex *client;
    char folder[128];
    char path[160];

    fake_daemon_init(&daemon);
    ck_assert_int_eq(wsplex_new(NULL, &client), 0);
    /* the user's daemon */
    snprintf(folder, sizeof(folder), "%s/wsplex", daemon.folder);
    snprintf(path, sizeof(path), "%s/wsplex.sock", folder);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(link(daemon.path, path), 0);
    unsetenv("WSPLEX_SOCKET");
    setenv("XDG_RUNTIME_DIR", daemon.folder, 1);
    ck_assert_int_eq(wsplex_connect(client), 0);
    wsplex_free(client);
    /* $WSPLEX_SOCKET alone */
    ck_assert_int_eq(wsplex_new(NULL, &client), 0);
    setenv("WSPLEX_SOCKET", "/nonexistent/1", 1);
    ck_assert_int_eq(wsplex_connect(client), -ENOENT);
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(client), "/nonexistent/1"));
    ck_assert_ptr_null(strstr(wsplex_error_text(client), "nor at"));
    setenv("WSPLEX_SOCKET", daemon.path, 1);
    ck_assert_int_eq(wsplex_connect(client), 0);
    wsplex_free(client);
    /* an empty variable is none; then the user's and the machine's are named */
    ck_assert_int_eq(wsplex_new(NULL, &client), 0);
    setenv("WSPLEX_SOCKET", "", 1);
    setenv("XDG_RUNTIME_DIR", "/nonexistent/2", 1);
    if (access("/run/wsplex/wsplex.sock", F_OK) != 0) {
        ck_assert_int_eq(wsplex_connect(client), -ENOENT);
        ck_assert_ptr_nonnull(
            strstr(wsplex_error_text(client), "/nonexistent/2/wsplex/wsplex.sock"));
        ck_assert_ptr_nonnull(strstr(wsplex_error_text(client), "/run/wsplex/wsplex.sock"));
    }
    wsplex_free(client);
    unlink(path);
    rmdir(folder);
    fake_daemon_deinit(&daemon);
}
END_TEST

START_TEST(a_path_too_long_for_a_socket)
{
    struct wsplex *client = NULL;
    char path[200];

    memset(path, 'p', sizeof(path));
    path[199] = '\0';
    ck_assert_int_eq(wsplex_new(path, &client), -ENAMETOOLONG);
    ck_assert_ptr_null(client);
    path[107] = '\0';
    ck_assert_int_eq(wsplex_new(path, &client), 0);
    wsplex_free(client);
    ck_assert_int_eq(wsplex_new(NULL, &client), 0);
    path[107] = 'p';
    setenv("WSPLEX_SOCKET", path, 1);
    ck_assert_int_eq(wsplex_connect(client), -ENAMETOOLONG);
    wsplex_free(client);
}
END_TEST

/* The kernel says EAGAIN, and poll() cannot wait for it: the client tries again by its timeout. */
START_TEST(a_daemon_whose_queue_is_full_is_tried_again)
{
    struct wsplex *others[2];
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(listen(f.daemon.listener, 0), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(wsplex_new(f.daemon.path, &others[i]), 0);
        ck_assert_int_eq(wsplex_connect(others[i]), 0);
    }
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    ck_assert_int_eq(recorder_attach(&f.recorder, f.websocket), 0);
    ck_assert_int_eq(wsplex_get_fd(f.client), -1);
    ck_assert_int_ge(wsplex_get_timeout_ms(f.client), 0);
    ck_assert_int_le(wsplex_get_timeout_ms(f.client), 10);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    for (int i = 0; i < 2; i++) {
        fake_daemon_turn(&f.daemon);
        fake_daemon_hang_up(&f.daemon);
        wsplex_free(others[i]);
    }
    for (int i = 0; i < 1000 && wsplex_websocket_ready_state(f.websocket) != WSPLEX_OPEN; i++) {
        ck_assert_int_eq(wsplex_dispatch(f.client), 0);
        fake_daemon_serve(&f.daemon);
        usleep(1000);
    }
    client_fixture_assert_events(&f, "open echo\n");
    client_fixture_deinit(&f);
}
END_TEST

/* -- the loop -- */

static void poll_and_dispatch(struct wsplex *client)
{
    struct pollfd pollfd = {.fd = wsplex_get_fd(client), .events = wsplex_get_events(client)};

    poll(&pollfd, 1, 0);
    ck_assert_int_eq(wsplex_dispatch(client), 0);
}

START_TEST(what_to_wait_for)
{
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_connect(f.client), 0);
    ck_assert_int_ge(wsplex_get_fd(f.client), 0);
    ck_assert_int_eq(wsplex_get_events(f.client), POLLIN | POLLOUT);
    ck_assert_int_gt(wsplex_get_timeout_ms(f.client), 1000);
    fake_daemon_greet(&f.daemon, f.client);
    client_fixture_settle(&f);
    ck_assert_int_eq(wsplex_get_events(f.client), POLLIN);
    ck_assert_int_eq(wsplex_get_timeout_ms(f.client), -1);
    client_fixture_deinit(&f);
}
END_TEST

static void count(const struct wsplex_event *event, void *userdata)
{
    int *n = userdata;

    (void)event;
    ++*n;
}

/* A flood is handled in parts, with a timeout of 0 between them. */
START_TEST(a_flood_leaves_the_loop_its_share)
{
    struct client_fixture f;
    int n_messages_of_turn = 0;
    int n_turns = 0;
    int n = 0;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_set_on_message(f.websocket, count, &n_messages_of_turn), 0);
    for (int i = 0; i < 3000; i++)
        fake_daemon_send_text(&f.daemon, 1, "x");
    fake_daemon_turn(&f.daemon);
    do {
        n_messages_of_turn = 0;
        ck_assert_int_eq(wsplex_dispatch(f.client), 0);
        ck_assert_int_le(n_messages_of_turn, 1000);
        n += n_messages_of_turn;
        n_turns++;
    } while (wsplex_get_timeout_ms(f.client) == 0);
    ck_assert_int_eq(n, 3000);
    ck_assert_int_ge(n_turns, 3);
    client_fixture_deinit(&f);
}
END_TEST

struct wait_log {
    int n;
    int fd;
    short events;
};

static void on_wait_change(struct wsplex *client, void *userdata)
{
    struct wait_log *log = userdata;

    log->n++;
    log->fd = wsplex_get_fd(client);
    log->events = wsplex_get_events(client);
    if (log->fd >= 0)
        ck_assert_int_ge(fcntl(log->fd, F_GETFD), 0);
}

START_TEST(a_loop_is_told_of_each_change)
{
    struct wait_log log = {.fd = -2};
    struct client_fixture f;
    struct wsplex_websocket *websocket;

    client_fixture_init(&f);
    wsplex_set_on_wait_change(f.client, on_wait_change, &log);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &websocket), 0);
    ck_assert_int_eq(log.n, 1);
    ck_assert_int_eq(log.events, POLLIN | POLLOUT);
    fake_daemon_greet(&f.daemon, f.client);
    ck_assert_int_eq(log.events, POLLIN);
    client_fixture_expect(&f, WSP_LOCAL_OPEN);
    fake_daemon_send_opened(&f.daemon, 1, "", "");
    client_fixture_settle(&f);
    log.n = 0;
    ck_assert_int_eq(wsplex_websocket_send_text(websocket, "x", 1), 0);
    ck_assert_int_eq(log.n, 1);
    ck_assert_int_eq(log.events, POLLIN | POLLOUT);
    ck_assert_int_eq(wsplex_websocket_send_text(websocket, "x", 1), 0);
    ck_assert_int_eq(log.n, 1); /* nothing new */
    fake_daemon_hang_up(&f.daemon);
    poll_and_dispatch(f.client);
    ck_assert_int_eq(log.fd, -1);
    wsplex_set_on_wait_change(f.client, NULL, NULL);
    client_fixture_deinit(&f);
}
END_TEST

/* -- run -- */

static void send_then_close(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    ck_assert_int_eq(wsplex_websocket_send_text(event->target, "ping", 4), 0);
    ck_assert_int_eq(wsplex_websocket_close(event->target, 1000, "done"), 0);
}

START_TEST(run_ends_when_nothing_is_left)
{
    struct client_fixture f;
    pid_t pid;

    client_fixture_init(&f);
    pid = fake_daemon_serve_apart(&f.daemon);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    ck_assert_int_eq(recorder_attach(&f.recorder, f.websocket), 0);
    ck_assert_int_eq(
        wsplex_websocket_add_event_listener(f.websocket, "open", send_then_close, NULL, 0), 0);
    ck_assert_int_eq(wsplex_run(f.client), 0);
    client_fixture_assert_events(&f, "open echo\ntext ping\nclose clean 1000 done\n");
    ck_assert_uint_eq(wsplex_websocket_buffered_amount(f.websocket), 0);
    ck_assert_int_eq(wsplex_run(f.client), 0);
    fake_daemon_stop_apart(pid);
    client_fixture_deinit(&f);
}
END_TEST

static void stop(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    wsplex_stop(wsplex_websocket_client(event->target));
}

static void free_client(const struct wsplex_event *event, void *userdata)
{
    (void)userdata;
    wsplex_free(wsplex_websocket_client(event->target));
}

START_TEST(run_ends_when_it_is_stopped_or_the_client_freed)
{
    struct client_fixture f;
    pid_t pid;

    client_fixture_init(&f);
    pid = fake_daemon_serve_apart(&f.daemon);
    ck_assert_int_eq(wsplex_websocket_new(f.client, FIXTURE_URL, NULL, 0, NULL, &f.websocket), 0);
    ck_assert_int_eq(wsplex_websocket_set_on_open(f.websocket, _i == 0 ? stop : free_client, NULL),
                     0);
    ck_assert_int_eq(wsplex_run(f.client), 0);
    if (_i == 0)
        ck_assert_int_eq(wsplex_websocket_ready_state(f.websocket), WSPLEX_OPEN);
    else
        f.client = NULL;
    fake_daemon_stop_apart(pid);
    client_fixture_deinit(&f);
}
END_TEST

/* -- requests -- */

static void on_reply(struct wsplex *client, int status, const char *json, size_t json_length,
                     void *userdata)
{
    (void)client;
    ck_assert_uint_eq(strlen(json), json_length);
    recorder_note(userdata, "reply %d %s", status, json_length < 1000 ? json : "...");
}

static void send_reply(struct client_fixture *f, uint32_t id, uint16_t status, const char *json,
                       bool has_more)
{
    struct wsp_message message = {.type = WSP_LOCAL_REPLY, .flags = has_more ? WSP_WIRE_MORE : 0};

    message.reply.id = id;
    message.reply.status = status;
    message.reply.json = wsp_view_of_string(json);
    fake_daemon_send(&f->daemon, &message);
}

START_TEST(a_request_gets_its_reply)
{
    static const char *const arguments[] = {"17", ""};
    struct client_fixture f;
    struct wsp_message request;
    struct wsp_view item;
    uint32_t first;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_request(f.client, "show", arguments, 2, on_reply, &f.recorder), 0);
    ck_assert_int_eq(wsplex_request(f.client, "status", NULL, 0, on_reply, &f.recorder), 0);
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 3);
    fake_daemon_greet(&f.daemon, f.client);
    request = client_fixture_expect(&f, WSP_LOCAL_REQUEST);
    first = request.request.id;
    ck_assert(wsp_view_equals(request.request.verb, WSP_VIEW_LITERAL("show")));
    ck_assert_uint_eq(wsp_local_list_count(request.request.arguments), 2);
    ck_assert(wsp_local_list_next(&request.request.arguments, &item));
    ck_assert(wsp_view_equals(item, WSP_VIEW_LITERAL("17")));
    request = client_fixture_expect(&f, WSP_LOCAL_REQUEST);
    send_reply(&f, first, 0, "{\"a\":", true);
    send_reply(&f, request.request.id, 4, "{\"error\":\"no\"}", false);
    send_reply(&f, first, 0, "1}", false);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "reply 4 {\"error\":\"no\"}\nreply 0 {\"a\":1}\n");
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_request_ends_with_the_daemon)
{
    struct client_fixture f;

    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_request(f.client, "status", NULL, 0, on_reply, &f.recorder), 0);
    fake_daemon_greet(&f.daemon, f.client);
    client_fixture_expect(&f, WSP_LOCAL_REQUEST);
    if (_i == 0)
        fake_daemon_hang_up(&f.daemon);
    else
        send_reply(&f, 4711, 0, "{}", false);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, _i == 0 ? "reply -104 \n" : "reply -71 \n");
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 0);
    client_fixture_deinit(&f);
}
END_TEST

/* A daemon that never comes to its end is a broken one, and costs no more than a reply may have. */
START_TEST(a_reply_that_never_ends)
{
    static char json[WSP_MAX_LOCAL_PAYLOAD - 64];
    struct client_fixture f;
    uint32_t id;

    memset(json, ' ', sizeof(json) - 1);
    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_request(f.client, "status", NULL, 0, on_reply, &f.recorder), 0);
    fake_daemon_greet(&f.daemon, f.client);
    id = client_fixture_expect(&f, WSP_LOCAL_REQUEST).request.id;
    for (size_t len = sizeof(json) - 1; len < WSP_MAX_REPLY; len += sizeof(json) - 1) {
        send_reply(&f, id, 0, json, true);
        client_fixture_settle(&f);
    }
    client_fixture_assert_events(&f, "");
    send_reply(&f, id, 0, json, true);
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "reply -71 \n");
    ck_assert_int_eq(wsplex_get_fd(f.client), -1);
    client_fixture_deinit(&f);
}
END_TEST

START_TEST(a_request_that_is_too_long)
{
    static char argument[65536];
    const char *arguments[] = {argument};
    struct client_fixture f;

    memset(argument, 'a', sizeof(argument) - 1);
    client_fixture_init(&f);
    ck_assert_int_eq(wsplex_request(f.client, "show", arguments, 1, on_reply, &f.recorder), -E2BIG);
    argument[65000] = '\0';
    ck_assert_int_eq(wsplex_request(f.client, "show", arguments, 1, on_reply, &f.recorder), 0);
    ck_assert_uint_eq(wsplex_get_n_pending(f.client), 2);
    client_fixture_deinit(&f);
}
END_TEST

/* The time is over at once, because the test turns the clock's hand. */
START_TEST(a_daemon_that_does_not_greet_is_given_up)
{
    struct wsplex *others[2] = {NULL, NULL};
    struct client_fixture f;

    client_fixture_init(&f);
    if (_i == 1) { /* does not even accept */
        ck_assert_int_eq(listen(f.daemon.listener, 0), 0);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(wsplex_new(f.daemon.path, &others[i]), 0);
            ck_assert_int_eq(wsplex_connect(others[i]), 0);
        }
    }
    ck_assert_int_eq(wsplex_request(f.client, "status", NULL, 0, on_reply, &f.recorder), 0);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "");
    f.client->connection.deadline_ms = 1;
    f.client->connection.retry_ms = 1;
    ck_assert_int_eq(wsplex_get_timeout_ms(f.client), 0);
    ck_assert_int_eq(wsplex_dispatch(f.client), 0);
    client_fixture_assert_events(&f, "reply -110 \n");
    ck_assert_ptr_nonnull(strstr(wsplex_error_text(f.client), f.daemon.path));
    wsplex_free(others[0]);
    wsplex_free(others[1]);
    client_fixture_deinit(&f);
}
END_TEST

/* -- fork -- */

static int use_as_child(struct client_fixture *f)
{
    struct wsplex_websocket *websocket;
    struct wsplex_event event = {.size = sizeof(event), .type = "x"};
    int n_bad = 0;

    n_bad += wsplex_get_fd(f->client) != -1;
    n_bad += wsplex_get_events(f->client) != 0;
    n_bad += wsplex_get_timeout_ms(f->client) != -1;
    n_bad += wsplex_get_n_pending(f->client) != 0;
    n_bad += wsplex_websocket_ready_state(f->websocket) != WSPLEX_CLOSED;
    n_bad += wsplex_connect(f->client) != -ECHILD;
    n_bad += wsplex_dispatch(f->client) != -ECHILD;
    n_bad += wsplex_run(f->client) != -ECHILD;
    n_bad += wsplex_request(f->client, "x", NULL, 0, NULL, NULL) != -ECHILD;
    n_bad += wsplex_websocket_new(f->client, FIXTURE_URL, NULL, 0, NULL, &websocket) != -ECHILD;
    n_bad += wsplex_websocket_send_text(f->websocket, "x", 1) != -ECHILD;
    n_bad += wsplex_websocket_send_binary(f->websocket, "x", 1) != -ECHILD;
    n_bad += wsplex_websocket_close(f->websocket, 1000, NULL) != -ECHILD;
    n_bad += wsplex_websocket_set_on_open(f->websocket, NULL, NULL) != -ECHILD;
    n_bad += wsplex_websocket_add_event_listener(f->websocket, "x", stop, NULL, 0) != -ECHILD;
    n_bad += wsplex_websocket_dispatch_event(f->websocket, &event) != -ECHILD;
    wsplex_websocket_free(f->websocket);
    wsplex_free(f->client);
    return n_bad;
}

/* And the parent goes on as if nothing had been. */
START_TEST(a_child_sees_a_closed_client)
{
    struct client_fixture f;
    int status = -1;
    pid_t pid;

    client_fixture_init_open(&f);
    pid = fork();
    if (pid == 0)
        _exit(use_as_child(&f));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(wsplex_websocket_send_text(f.websocket, "x", 1), 0);
    client_fixture_expect(&f, WSP_LOCAL_TEXT);
    fake_daemon_send_text(&f.daemon, 1, "y");
    client_fixture_settle(&f);
    client_fixture_assert_events(&f, "text y\n");
    client_fixture_deinit(&f);
}
END_TEST

static pid_t handler_pid;
static int n_messages;

static void fork_in_handler(const struct wsplex_event *event, void *userdata)
{
    (void)event;
    (void)userdata;
    if (n_messages++ == 0)
        handler_pid = fork();
}

/* The child comes back out of the handler, and must not go on with the parent's messages. */
START_TEST(a_handler_that_forks)
{
    struct client_fixture f;
    int status = -1;

    client_fixture_init_open(&f);
    ck_assert_int_eq(wsplex_websocket_set_on_message(f.websocket, fork_in_handler, NULL), 0);
    fake_daemon_send_text(&f.daemon, 1, "one");
    fake_daemon_send_text(&f.daemon, 1, "two");
    fake_daemon_turn(&f.daemon);
    wsplex_dispatch(f.client);
    if (handler_pid == 0)
        _exit(n_messages);
    ck_assert_int_eq(waitpid(handler_pid, &status, 0), handler_pid);
    ck_assert_int_eq(WEXITSTATUS(status), 1);
    ck_assert_int_eq(n_messages, 2);
    client_fixture_deinit(&f);
}
END_TEST

/* -- texts -- */

START_TEST(every_error_has_a_text)
{
    static const int errors[] = {
        WSPLEX_ERROR_SYNTAX,
        WSPLEX_ERROR_INVALID_ACCESS,
        WSPLEX_ERROR_INVALID_STATE,
        WSPLEX_ERROR_NOT_UTF8,
        WSPLEX_ERROR_TOO_LARGE,
        WSPLEX_ERROR_FORKED,
        WSPLEX_ERROR_NESTED,
        -ENOMEM,
        -ENOENT,
        -EACCES,
        -ENAMETOOLONG,
        -ECONNRESET,
        -EPROTO,
        -ETIMEDOUT,
        -E2BIG,
        -EMFILE,
        -ENOSYS,
        -ENFILE,
    };

    for (size_t i = 0; i < N_OF(errors); i++) {
        ck_assert_str_ne(wsplex_strerror(errors[i]), wsplex_strerror(-12345));
        ck_assert_str_eq(wsplex_strerror(errors[i]), wsplex_strerror(-errors[i]));
    }
    ck_assert_ptr_nonnull(strstr(wsplex_strerror(WSPLEX_ERROR_SYNTAX), "SyntaxError"));
    ck_assert_ptr_nonnull(
        strstr(wsplex_strerror(WSPLEX_ERROR_INVALID_ACCESS), "InvalidAccessError"));
    ck_assert_ptr_nonnull(strstr(wsplex_strerror(WSPLEX_ERROR_INVALID_STATE), "InvalidStateError"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("client");
    TCase *tcase = unit_case(suite, "connecting");

    tcase_add_test(tcase, no_daemon_is_an_error_at_once_that_names_the_path);
    tcase_add_test(tcase, the_environment_says_where_to_look);
    tcase_add_test(tcase, a_path_too_long_for_a_socket);
    tcase_add_test(tcase, a_daemon_whose_queue_is_full_is_tried_again);
    tcase = unit_case(suite, "loop");
    tcase_add_test(tcase, what_to_wait_for);
    tcase_add_test(tcase, a_flood_leaves_the_loop_its_share);
    tcase_add_test(tcase, a_loop_is_told_of_each_change);
    tcase = unit_case(suite, "run");
    tcase_add_test(tcase, run_ends_when_nothing_is_left);
    tcase_add_loop_test(tcase, run_ends_when_it_is_stopped_or_the_client_freed, 0, 2);
    tcase = unit_case(suite, "requests");
    tcase_add_test(tcase, a_request_gets_its_reply);
    tcase_add_loop_test(tcase, a_request_ends_with_the_daemon, 0, 2);
    tcase_add_test(tcase, a_reply_that_never_ends);
    tcase_add_test(tcase, a_request_that_is_too_long);
    tcase_add_loop_test(tcase, a_daemon_that_does_not_greet_is_given_up, 0, 2);
    tcase = unit_case(suite, "fork");
    tcase_add_test(tcase, a_child_sees_a_closed_client);
    tcase_add_test(tcase, a_handler_that_forks);
    tcase = unit_case(suite, "texts");
    tcase_add_test(tcase, every_error_has_a_text);
    return suite;
}
