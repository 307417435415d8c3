/*
 * fake_daemon: see fake_daemon.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/fake_daemon.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/limits.h"

/* Unlike ck_assert(), this allocates nothing when it holds. */
#define REQUIRE(condition)                                \
    do {                                                  \
        if (!(condition))                                 \
            ck_abort_msg("fake_daemon: not " #condition); \
    } while (0)

enum {
    OUT_RESERVE = 256 * 1024,
    MAX_ROUNDS = 20000,
    MAX_QUIET_ROUNDS = 20,
};

void fake_daemon_init(struct fake_daemon *daemon)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t *room;

    memset(daemon, 0, sizeof(*daemon));
    strcpy(daemon->folder, "/tmp/wsplex-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(daemon->folder));
    snprintf(daemon->path, sizeof(daemon->path), "%s/sock", daemon->folder);
    strcpy(address.sun_path, daemon->path);
    daemon->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(daemon->listener, 0);
    ck_assert_int_eq(bind(daemon->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(daemon->listener, 8), 0);
    daemon->max_message = WSP_DEFAULT_MAX_MESSAGE;
    daemon->fd = -1;
    daemon->chunk = SIZE_MAX;
    daemon->die_after = SIZE_MAX;
    wsp_wire_reader_init(&daemon->reader);
    wsp_buffer_init(&daemon->out, SIZE_MAX);
    ck_assert_int_eq(wsp_buffer_reserve(&daemon->out, OUT_RESERVE, &room), 0);
}

void fake_daemon_hang_up(struct fake_daemon *daemon)
{
    if (daemon->fd >= 0)
        close(daemon->fd);
    daemon->fd = -1;
    daemon->has_window = false;
    daemon->n_written = 0;
    wsp_wire_reader_deinit(&daemon->reader);
    wsp_wire_reader_init(&daemon->reader);
    wsp_buffer_consume(&daemon->out, wsp_buffer_len(&daemon->out));
    memset(daemon->n_sent, 0, sizeof(daemon->n_sent));
    memset(daemon->n_cost, 0, sizeof(daemon->n_cost));
}

void fake_daemon_stop_listening(struct fake_daemon *daemon)
{
    if (daemon->listener >= 0)
        close(daemon->listener);
    daemon->listener = -1;
    unlink(daemon->path);
}

void fake_daemon_deinit(struct fake_daemon *daemon)
{
    fake_daemon_hang_up(daemon);
    fake_daemon_stop_listening(daemon);
    wsp_buffer_deinit(&daemon->out);
    rmdir(daemon->folder);
}

static void write_some(struct fake_daemon *daemon)
{
    size_t len = wsp_buffer_len(&daemon->out);
    size_t left = daemon->die_after - daemon->n_written;
    ssize_t n;

    if (len > daemon->chunk)
        len = daemon->chunk;
    if (len > left)
        len = left;
    n = send(daemon->fd, wsp_buffer_peek(&daemon->out), len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
        wsp_buffer_consume(&daemon->out, (size_t)n);
        daemon->n_written += (size_t)n;
    }
    if (daemon->n_written == daemon->die_after)
        fake_daemon_hang_up(daemon);
}

void fake_daemon_turn(struct fake_daemon *daemon)
{
    if (daemon->fd < 0 && daemon->listener >= 0) {
        daemon->fd = accept4(daemon->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (daemon->fd >= 0)
            daemon->n_connections++;
        if (daemon->fd >= 0 && daemon->die_after == 0)
            fake_daemon_hang_up(daemon);
    }
    if (daemon->fd >= 0 && wsp_buffer_len(&daemon->out) > 0)
        write_some(daemon);
}

static bool fill(struct fake_daemon *daemon)
{
    ssize_t n;

    if (daemon->fd < 0)
        return false;
    n = recv(daemon->fd, daemon->in, sizeof(daemon->in), MSG_DONTWAIT);
    if (n == 0)
        fake_daemon_hang_up(daemon);
    if (n <= 0)
        return false;
    wsp_wire_reader_feed(&daemon->reader, (struct wsp_view){daemon->in, (size_t)n});
    daemon->has_window = true;
    return true;
}

bool fake_daemon_receive(struct fake_daemon *daemon, struct wsp_message *ret_message)
{
    struct wsp_wire_frame frame;
    int r = WSP_MORE;

    while (daemon->has_window || fill(daemon)) {
        r = wsp_wire_reader_next(&daemon->reader, &frame);
        if (r == 0)
            break;
        if (r == -ENOMEM)
            return false;
        REQUIRE(r == WSP_MORE);
        daemon->has_window = false;
    }
    if (r != 0)
        return false;
    REQUIRE(wsp_message_decode(&frame, WSP_SIDE_CLIENT, ret_message) == 0);
    return true;
}

struct wsp_message fake_daemon_expect(struct fake_daemon *daemon, struct wsplex *client,
                                      uint8_t type)
{
    struct wsp_message message;
    size_t i;

    for (i = 0; i < MAX_QUIET_ROUNDS; i++) {
        if (fake_daemon_receive(daemon, &message)) {
            ck_assert_str_eq(wsp_message_type_to_string(message.type),
                             wsp_message_type_to_string(type));
            return message;
        }
        ck_assert_int_eq(wsplex_dispatch(client), 0);
        fake_daemon_turn(daemon);
    }
    ck_abort_msg("no %s came", wsp_message_type_to_string(type));
}

void fake_daemon_settle(struct fake_daemon *daemon, struct wsplex *client)
{
    struct wsp_message message;
    size_t n_quiet = 0;
    size_t i;

    for (i = 0; i < MAX_ROUNDS && n_quiet < MAX_QUIET_ROUNDS; i++) {
        size_t n_before = daemon->n_written;

        fake_daemon_turn(daemon);
        n_quiet = daemon->n_written == n_before ? n_quiet + 1 : 0;
        wsplex_dispatch(client);
        if (fake_daemon_receive(daemon, &message))
            ck_abort_msg("a frame came: %s", wsp_message_type_to_string(message.type));
    }
}

void fake_daemon_send_bytes(struct fake_daemon *daemon, const void *data, size_t len)
{
    REQUIRE(wsp_buffer_append(&daemon->out, data, len) == 0);
}

void fake_daemon_send(struct fake_daemon *daemon, const struct wsp_message *message)
{
    REQUIRE(wsp_message_encode(&daemon->out, message) == 0);
}

void fake_daemon_send_hello(struct fake_daemon *daemon, uint32_t max_channels)
{
    struct wsp_message message = {.type = WSP_LOCAL_HELLO};

    message.hello.max_channels = max_channels;
    message.hello.software = WSP_VIEW_LITERAL("fake");
    fake_daemon_send_bytes(daemon, WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN);
    fake_daemon_send(daemon, &message);
}

void fake_daemon_send_opened(struct fake_daemon *daemon, uint32_t channel, const char *protocol,
                             const char *extensions)
{
    struct wsp_message message = {.type = WSP_LOCAL_OPENED, .channel = channel};

    message.opened.protocol = wsp_view_of_string(protocol);
    message.opened.extensions = wsp_view_of_string(extensions);
    message.opened.max_message = daemon->max_message;
    fake_daemon_send(daemon, &message);
}

void fake_daemon_send_data(struct fake_daemon *daemon, uint32_t channel, uint8_t type,
                           const void *data, size_t len, bool has_more)
{
    uint8_t header[WSP_WIRE_HEADER_LEN];

    wsp_wire_header_write(header, type, has_more ? WSP_WIRE_MORE : 0, channel, (uint32_t)len);
    fake_daemon_send_bytes(daemon, header, sizeof(header));
    fake_daemon_send_bytes(daemon, data, len);
}

void fake_daemon_send_text(struct fake_daemon *daemon, uint32_t channel, const char *text)
{
    fake_daemon_send_data(daemon, channel, WSP_LOCAL_TEXT, text, strlen(text), false);
}

void fake_daemon_send_credit(struct fake_daemon *daemon, uint32_t channel, uint64_t total)
{
    struct wsp_message message = {.type = WSP_LOCAL_CREDIT, .channel = channel};

    message.credit.total = total;
    fake_daemon_send(daemon, &message);
}

void fake_daemon_send_sent(struct fake_daemon *daemon, uint32_t channel, uint64_t total)
{
    struct wsp_message message = {.type = WSP_LOCAL_SENT, .channel = channel};

    message.sent.total = total;
    fake_daemon_send(daemon, &message);
}

void fake_daemon_send_failed(struct fake_daemon *daemon, uint32_t channel, uint16_t cause,
                             uint16_t http_status, const char *text)
{
    struct wsp_message message = {.type = WSP_LOCAL_FAILED, .channel = channel};

    message.failed.cause = cause;
    message.failed.http_status = http_status;
    message.failed.text = wsp_view_of_string(text);
    fake_daemon_send(daemon, &message);
}

void fake_daemon_send_refused(struct fake_daemon *daemon, uint32_t channel, uint16_t http_status,
                              uint32_t retry_after, struct wsp_view excerpt)
{
    struct wsp_message message = {.type = WSP_LOCAL_FAILED, .channel = channel};

    message.failed.cause = WSP_CAUSE_HANDSHAKE;
    message.failed.http_status = http_status;
    message.failed.retry_after = retry_after;
    message.failed.excerpt = excerpt;
    fake_daemon_send(daemon, &message);
}

void fake_daemon_send_closed(struct fake_daemon *daemon, uint32_t channel, bool was_clean,
                             uint16_t code, const char *reason)
{
    struct wsp_message message = {.type = WSP_LOCAL_CLOSED, .channel = channel};

    message.closed.was_clean = was_clean;
    message.closed.code = code;
    message.closed.reason = wsp_view_of_string(reason);
    fake_daemon_send(daemon, &message);
}

void fake_daemon_send_simple(struct fake_daemon *daemon, uint32_t channel, uint8_t type)
{
    fake_daemon_send(daemon, &(struct wsp_message){.type = type, .channel = channel});
}

void fake_daemon_greet(struct fake_daemon *daemon, struct wsplex *client)
{
    fake_daemon_expect(daemon, client, WSP_LOCAL_HELLO);
    fake_daemon_send_hello(daemon, 64);
}

/* --- serving --- */

static void serve_data(struct fake_daemon *daemon, const struct wsp_message *message)
{
    struct wsp_view payload =
        message->type == WSP_LOCAL_TEXT ? message->text.payload : message->binary.payload;
    uint64_t *n_sent = &daemon->n_sent[message->channel % 16];
    uint64_t *n_cost = &daemon->n_cost[message->channel % 16];

    *n_sent += payload.len;
    *n_cost += wsp_wire_cost(payload.len);
    fake_daemon_send_sent(daemon, message->channel, *n_sent);
    fake_daemon_send_credit(daemon, message->channel, *n_cost + WSP_INITIAL_CREDIT);
    fake_daemon_send_data(daemon, message->channel, message->type, payload.data, payload.len,
                          (message->flags & WSP_WIRE_MORE) != 0);
}

static void serve_close(struct fake_daemon *daemon, const struct wsp_message *message)
{
    uint16_t code = message->close.code;
    struct wsp_message closed = {.type = WSP_LOCAL_CLOSED, .channel = message->channel};

    closed.closed.was_clean = 1;
    closed.closed.code = code != 0 ? code : 1005;
    closed.closed.reason = message->close.reason;
    fake_daemon_send(daemon, &closed);
    daemon->n_sent[message->channel % 16] = 0;
    daemon->n_cost[message->channel % 16] = 0;
}

static void serve_request(struct fake_daemon *daemon, const struct wsp_message *message)
{
    struct wsp_message reply = {.type = WSP_LOCAL_REPLY};

    reply.reply.id = message->request.id;
    reply.flags = WSP_WIRE_MORE;
    reply.reply.json = WSP_VIEW_LITERAL("{");
    fake_daemon_send(daemon, &reply);
    reply.flags = 0;
    reply.reply.json = WSP_VIEW_LITERAL("}");
    fake_daemon_send(daemon, &reply);
}

void fake_daemon_serve(struct fake_daemon *daemon)
{
    struct wsp_message message;

    fake_daemon_turn(daemon);
    while (fake_daemon_receive(daemon, &message)) {
        switch (message.type) {
        case WSP_LOCAL_HELLO: fake_daemon_send_hello(daemon, 64); break;
        case WSP_LOCAL_OPEN: fake_daemon_send_opened(daemon, message.channel, "echo", ""); break;
        case WSP_LOCAL_TEXT:
        case WSP_LOCAL_BINARY: serve_data(daemon, &message); break;
        case WSP_LOCAL_CLOSE: serve_close(daemon, &message); break;
        case WSP_LOCAL_REQUEST: serve_request(daemon, &message); break;
        default: break;
        }
    }
    fake_daemon_turn(daemon);
}

pid_t fake_daemon_serve_apart(struct fake_daemon *daemon)
{
    pid_t pid = fork();

    REQUIRE(pid >= 0);
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (pid == 0) {
        fake_daemon_serve(daemon);
        usleep(1000);
    }
    return pid;
}

void fake_daemon_stop_apart(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
