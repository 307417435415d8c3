/*
 * connection: see connection.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/connection.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client-lib/client.h"
#include "client-lib/frames.h"
#include "client-lib/reconnect.h"
#include "client-lib/request.h"
#include "client-lib/socket_path.h"
#include "proto/limits.h"

enum {
    /* One read. The larger it is, the fewer frames are cut by its end and copied once more. */
    SCRATCH_LEN = 128 * 1024,
    /* What one turn may do, so that a flood leaves the program's loop its share. */
    MAX_TURN_FRAMES = 512,
    MAX_TURN_READS = 4,
    /* While the daemon's queue is full: poll(2) cannot tell when it is not. */
    RETRY_MS = 10,
};

void wsp_connection_init(struct wsp_connection *connection)
{
    memset(connection, 0, sizeof(*connection));
    connection->fd = -1;
    connection->max_channels = WSP_INITIAL_CHANNELS;
    wsp_chain_init(&connection->requests);
    wsp_output_init(&connection->output);
    wsp_wire_reader_init(&connection->reader);
}

void wsp_connection_deinit(struct wsp_connection *connection)
{
    uint32_t i;

    for (i = 0; i < connection->n_slots; i++)
        wsp_channel_free(connection->channels[i]);
    free(connection->channels);
    while (!wsp_chain_is_empty(&connection->requests))
        wsp_request_free(WSP_CHAIN_ENTRY(connection->requests.next, struct wsp_request, link));
    wsp_output_deinit(&connection->output);
    wsp_wire_reader_deinit(&connection->reader);
    free(connection->scratch);
    if (connection->fd >= 0)
        close(connection->fd);
    wsp_connection_init(connection);
}

int wsp_connection_lose(struct wsplex *client, int error, const char *format, ...)
{
    struct wsp_connection *connection = &client->connection;
    va_list arguments;

    if (connection->state == WSP_CONNECTION_LOST)
        return error;
    va_start(arguments, format);
    vsnprintf(client->error_text, sizeof(client->error_text), format, arguments);
    va_end(arguments);
    connection->state = WSP_CONNECTION_LOST;
    connection->loss = error;
    return error;
}

int wsp_connection_lose_memory(struct wsplex *client)
{
    return wsp_connection_lose(client, -ENOMEM, "there is no memory for the connection to wsplexd");
}

/* --- connecting --- */

/* The connected descriptor; -EAGAIN: it is there, but its queue is full; else: it is not there. */
static int address_connect(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r;

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return fd;
    r = -errno;
    close(fd);
    return r;
}

static int connection_greet(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    struct wsp_message hello = {.type = WSP_LOCAL_HELLO};

    hello.hello.minor = WSP_LOCAL_MINOR;
    hello.hello.software = WSP_VIEW_LITERAL("libwsplex");
    if (wsp_buffer_append(&connection->output.control, WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN) < 0)
        return wsp_connection_lose_memory(client);
    return wsp_connection_control(client, &hello);
}

/* Tries one address. Once that is taken, -ENOMEM makes the connection LOST. */
static int connection_try(struct wsplex *client, const struct sockaddr_un *address)
{
    struct wsp_connection *connection = &client->connection;
    int fd = address_connect(address);

    if (fd < 0 && fd != -EAGAIN)
        return fd;
    connection->state = fd >= 0 ? WSP_CONNECTION_GREETING : WSP_CONNECTION_CONNECTING;
    connection->fd = fd >= 0 ? fd : -1;
    connection->address = *address;
    connection->retry_ms = wsp_clock_ms() + RETRY_MS;
    connection->deadline_ms = wsp_clock_ms() + WSP_MAX_GREETING_MS;
    connection->scratch = malloc(SCRATCH_LEN);
    if (!connection->scratch)
        return wsp_connection_lose_memory(client);
    return connection_greet(client);
}

int wsp_connection_ensure(struct wsplex *client)
{
    char tried[sizeof(client->error_text)] = "no wsplexd to talk to";
    size_t len = strlen(tried);
    struct sockaddr_un address;
    unsigned int n;
    int r = 0;

    if (client->connection.state == WSP_CONNECTION_LOST)
        wsp_connection_bury(client);
    if (client->connection.state != WSP_CONNECTION_ABSENT)
        return 0;
    for (n = 0; n == 0 || r == -ENOENT || r == -ECONNREFUSED; n++) {
        int found = wsp_socket_path_get(client->socket_path, n, &address);

        if (found > 0)
            break;
        r = found < 0 ? found : connection_try(client, &address);
        if (r == 0) {
            wsp_reconnect_open(client);
            return 0;
        }
        errno = -r;
        len += (size_t)snprintf(tried + len, sizeof(tried) - len, "%s %.*s: %m",
                                n == 0 ? " at" : "; nor at", (int)sizeof(address.sun_path),
                                address.sun_path);
        if (len >= sizeof(tried))
            len = sizeof(tried) - 1;
    }
    if (client->connection.state == WSP_CONNECTION_LOST)
        wsp_connection_bury(client);
    return wsp_client_error(client, r, "%s", tried);
}

static void connection_retry(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    int64_t now_ms = wsp_clock_ms();
    int fd;

    if (now_ms < connection->retry_ms)
        return;
    fd = address_connect(&connection->address);
    if (fd >= 0) {
        connection->fd = fd;
        connection->state = WSP_CONNECTION_GREETING;
        return;
    }
    connection->retry_ms = now_ms + RETRY_MS;
    if (fd == -EAGAIN && now_ms < connection->deadline_ms)
        return;
    errno = fd == -EAGAIN ? ETIMEDOUT : -fd;
    wsp_connection_lose(client, -errno, "wsplexd at %s does not take the connection: %m",
                        connection->address.sun_path);
}

/* --- losing --- */

void wsp_connection_bury(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    int loss = connection->loss;
    int fd = connection->fd;

    wsp_connection_disown_all(client, loss, client->error_text);
    while (!wsp_chain_is_empty(&connection->requests)) {
        struct wsp_request *request =
            WSP_CHAIN_ENTRY(connection->requests.next, struct wsp_request, link);

        request->status = loss;
        wsp_chain_append(&client->unanswered, &request->link);
    }
    connection->fd = -1;
    wsp_connection_deinit(connection);
    if (fd >= 0) {
        wsp_client_tell_wait(client);
        close(fd);
    }
}

/* --- bytes --- */

int wsp_connection_control(struct wsplex *client, const struct wsp_message *message)
{
    int r = wsp_message_encode(&client->connection.output.control, message);

    if (r == -ENOMEM || r == -ENOBUFS)
        return wsp_connection_lose_memory(client);
    return r;
}

bool wsp_connection_is_pending(const struct wsp_connection *connection)
{
    if (connection->state == WSP_CONNECTION_LOST || connection->is_write_closed)
        return false;
    return connection->n_leaving > 0 || wsp_output_is_pending(&connection->output);
}

/* One recv() into the scratch, and the reader has a window. False when there is nothing to handle. */
static bool connection_fill(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    ssize_t n;

    do
        n = recv(connection->fd, connection->scratch, SCRATCH_LEN, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        connection->is_read_out = true;
        return false;
    }
    if (n == 0)
        wsp_connection_lose(client, -ECONNRESET, "wsplexd closed the connection");
    else if (n < 0)
        wsp_connection_lose(client, -ECONNRESET, "the connection to wsplexd broke: %m");
    if (n <= 0)
        return false;
    connection->is_read_out = (size_t)n < SCRATCH_LEN;
    wsp_wire_reader_feed(&connection->reader, (struct wsp_view){connection->scratch, (size_t)n});
    connection->has_window = true;
    return true;
}

/* One frame of the window, if a whole one is left in it. */
static void connection_handle(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    struct wsp_wire_frame frame;
    int r = wsp_wire_reader_next(&connection->reader, &frame);

    if (r == WSP_MORE) {
        connection->has_window = false;
        return;
    }
    if (r == 0)
        r = wsp_frame_handle(client, &frame);
    else if (r == WSP_BROKEN)
        r = connection->reader.error.code;
    if (r < 0)
        wsp_connection_lose_memory(client);
    else if (r > 0)
        wsp_connection_lose(client, -EPROTO, "wsplexd broke the local protocol: %s",
                            wsp_fatal_to_string((unsigned int)r));
    connection->is_loss_final |= r > 0;
}

static bool connection_is_up(const struct wsplex *client)
{
    return client->connection.state == WSP_CONNECTION_GREETING ||
           client->connection.state == WSP_CONNECTION_READY;
}

void wsp_connection_read(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    unsigned int n_frames = 0;
    unsigned int n_reads = 0;

    if (connection->state == WSP_CONNECTION_CONNECTING)
        connection_retry(client);
    connection->is_read_out = false;
    while (!wsp_client_is_over(client) && connection_is_up(client)) {
        if (connection->has_window && n_frames++ < MAX_TURN_FRAMES)
            connection_handle(client);
        else if (connection->has_window || connection->is_read_out || n_reads++ == MAX_TURN_READS)
            break;
        else
            connection_fill(client);
    }
    if (connection->state == WSP_CONNECTION_GREETING && wsp_clock_ms() >= connection->deadline_ms)
        wsp_connection_lose(client, -ETIMEDOUT, "wsplexd at %s does not greet",
                            connection->address.sun_path);
}

void wsp_connection_get_wait(const struct wsp_connection *connection, struct wsp_wait *wait)
{
    switch (connection->state) {
    case WSP_CONNECTION_ABSENT: return;
    case WSP_CONNECTION_LOST: wait->deadline_ms = 0; return;
    case WSP_CONNECTION_CONNECTING: wait->deadline_ms = connection->retry_ms; return;
    case WSP_CONNECTION_GREETING: wait->deadline_ms = connection->deadline_ms; break;
    case WSP_CONNECTION_READY: break;
    }
    wait->fd = connection->fd;
    wait->events = POLLIN;
    if (!connection->is_write_closed && wsp_output_is_pending(&connection->output))
        wait->events |= POLLOUT;
    if (connection->has_window)
        wait->deadline_ms = 0;
}

static int connection_taken(void *context, struct wsp_channel *channel)
{
    return wsp_connection_flush_close(context, channel);
}

void wsp_connection_write(struct wsplex *client)
{
    struct wsp_connection *connection = &client->connection;
    int r;

    if (wsp_client_is_over(client) || !connection_is_up(client) || connection->is_write_closed)
        return;
    r = wsp_output_write(&connection->output, connection->fd, connection_taken, client);
    if (r == -ENOMEM)
        wsp_connection_lose_memory(client);
    else if (r < 0)
        connection->is_write_closed = true; /* why, is yet to be read */
}
