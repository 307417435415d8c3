/*
 * bare: the fan-out daemon that only copies, the floor under wsplexd's figures. It reads the server in large pieces,
 * builds the local frames of a turn once, and sends them to every client in one contiguous write each. It has no log,
 * no quota, no fairness and no mercy: a client that stops reading stops all.
 *
 *   bare SOCKET URL
 *
 * Speaks enough of the local protocol for load.c: every channel has number 1 and is attached to the one upstream.
 * When its stdin ends it prints what it did, as JSON, and ends.
 * Invariant: no allocation per message.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/remote.h"
#include "proto/local/message.h"
#include "proto/websocket/message.h"

enum {
    MAX_CLIENTS = 256,
    READ_LEN = 256 << 10,
    OUT_LEN = 512 << 10,
    MAX_MESSAGE = 16 << 20,
    CHANNEL = 1,
};

struct client {
    int fd;
    struct wsp_wire_reader reader;
    bool is_attached;
    uint64_t cost, granted; /* of what it sends */
};

static struct {
    struct remote remote;
    struct wsp_ws_reader reader;
    int listener;
    struct client clients[MAX_CLIENTS];
    unsigned n_clients;
    struct wsp_buffer up;  /* frames for the server */
    struct wsp_buffer out; /* frames for every client */
    /* counters */
    unsigned long n_messages, n_deliveries, n_reads, n_sends, n_waits;
} bare;

static uint8_t scratch[READ_LEN];

static void client_drop(unsigned index)
{
    wsp_wire_reader_deinit(&bare.clients[index].reader);
    close(bare.clients[index].fd);
    bare.clients[index] = bare.clients[--bare.n_clients];
}

static bool client_write(struct client *client, const uint8_t *data, size_t len)
{
    while (len > 0) {
        bare.n_sends++;
        ssize_t n = send(client->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool client_tell(struct client *client, const struct wsp_message *message)
{
    struct wsp_buffer buffer;
    wsp_buffer_init(&buffer, WSP_WIRE_MAX_FRAME);
    bool is_told = wsp_message_encode(&buffer, message) == 0 &&
                   client_write(client, wsp_buffer_peek(&buffer), wsp_buffer_len(&buffer));
    wsp_buffer_deinit(&buffer);
    return is_told;
}

/* -- down -- */

static void flush_down(void)
{
    for (unsigned i = bare.n_clients; i-- > 0;) {
        struct client *client = &bare.clients[i];
        if (client->is_attached &&
            !client_write(client, wsp_buffer_peek(&bare.out), wsp_buffer_len(&bare.out)))
            client_drop(i);
    }
    wsp_buffer_consume(&bare.out, wsp_buffer_len(&bare.out));
}

static void deliver(const struct wsp_ws_event *event)
{
    struct wsp_view left = event->payload;
    bare.n_messages++;
    bare.n_deliveries += bare.n_clients;
    do {
        uint8_t *room;
        size_t len = left.len < WSP_MAX_LOCAL_PAYLOAD ? left.len : WSP_MAX_LOCAL_PAYLOAD;
        if (wsp_buffer_len(&bare.out) + WSP_WIRE_HEADER_LEN + len > OUT_LEN)
            flush_down();
        if (wsp_buffer_reserve(&bare.out, WSP_WIRE_HEADER_LEN + len, &room) != 0)
            die("memory");
        wsp_wire_header_write(room, event->is_binary ? WSP_LOCAL_BINARY : WSP_LOCAL_TEXT,
                              len < left.len ? WSP_WIRE_MORE : 0, CHANNEL, len);
        memcpy(room + WSP_WIRE_HEADER_LEN, left.data, len);
        wsp_buffer_commit(&bare.out, WSP_WIRE_HEADER_LEN + len);
        left.data += len;
        left.len -= len;
    } while (left.len > 0);
}

static void read_server(void)
{
    struct wsp_ws_event event;
    int r;
    ssize_t n = remote_read(&bare.remote, scratch, sizeof(scratch), &bare.n_reads);
    if (n <= 0)
        die("the server went away");
    wsp_ws_reader_feed(&bare.reader, (struct wsp_view){scratch, (size_t)n});
    while ((r = wsp_ws_reader_next(&bare.reader, &event)) == 0)
        if (event.type == WSP_WS_MESSAGE)
            deliver(&event);
    if (r != WSP_MORE)
        die("the server broke the protocol");
    flush_down();
}

/* -- up -- */

static void pass_up(struct client *client, const struct wsp_wire_frame *frame)
{
    static const uint8_t key[4] = {1, 2, 3, 4}; /* a floor needs no secret */
    struct wsp_ws_outgoing outgoing;
    uint8_t *room;
    size_t len = frame->payload.len + WSP_FRAME_MAX_HEADER;
    if (frame->flags & WSP_WIRE_MORE)
        die("a message longer than a frame was sent");
    if (wsp_buffer_reserve(&bare.up, len, &room) != 0)
        die("memory");
    wsp_ws_outgoing_begin(&outgoing, WSP_ROLE_CLIENT, frame->type == WSP_LOCAL_BINARY,
                          frame->payload, key);
    wsp_buffer_commit(&bare.up, wsp_ws_outgoing_fill(&outgoing, room, len));
    client->cost += wsp_wire_cost(frame->payload.len);
    if (client->granted - client->cost < WSP_INITIAL_CREDIT / 2) {
        client->granted = client->cost + WSP_INITIAL_CREDIT;
        client_tell(client, &(struct wsp_message){.type = WSP_LOCAL_CREDIT,
                                                  .channel = CHANNEL,
                                                  .credit.total = client->granted});
    }
}

static bool act(struct client *client, const struct wsp_wire_frame *frame)
{
    switch (frame->type) {
    case WSP_LOCAL_HELLO:
        return client_tell(
            client, &(struct wsp_message){.type = WSP_LOCAL_HELLO, .hello.max_channels = 16});
    case WSP_LOCAL_OPEN:
        client->is_attached = frame->channel == CHANNEL;
        client->granted = WSP_INITIAL_CREDIT;
        return client_tell(client, &(struct wsp_message){.type = WSP_LOCAL_OPENED,
                                                         .channel = frame->channel,
                                                         .opened.max_message = MAX_MESSAGE});
    case WSP_LOCAL_TEXT:
    case WSP_LOCAL_BINARY: pass_up(client, frame); return true;
    default: return true;
    }
}

static bool read_client(struct client *client)
{
    struct wsp_wire_frame frame;
    int r;
    bare.n_reads++;
    ssize_t n = recv(client->fd, scratch, sizeof(scratch), 0);
    if (n <= 0)
        return false;
    wsp_wire_reader_feed(&client->reader, (struct wsp_view){scratch, (size_t)n});
    while ((r = wsp_wire_reader_next(&client->reader, &frame)) == 0)
        if (!act(client, &frame))
            return false;
    if (wsp_buffer_len(&bare.up) > 0) {
        if (remote_write(&bare.remote, wsp_buffer_peek(&bare.up), wsp_buffer_len(&bare.up),
                         &bare.n_sends) != 0)
            die("the server went away");
        wsp_buffer_consume(&bare.up, wsp_buffer_len(&bare.up));
    }
    return r == WSP_MORE;
}

static void welcome(void)
{
    int fd = accept4(bare.listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (bare.n_clients == MAX_CLIENTS)
        die("too many clients");
    struct client *client = &bare.clients[bare.n_clients++];
    *client = (struct client){.fd = fd};
    wsp_wire_reader_init(&client->reader);
    if (!client_write(client, (const uint8_t *)WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN))
        client_drop(bare.n_clients - 1);
}

/* -- the program -- */

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        die("the socket's path is too long");
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, SOMAXCONN) != 0)
        die(path);
    return fd;
}

static void report(void)
{
    unsigned long n_calls = bare.n_reads + bare.n_sends + bare.n_waits;
    printf("{\"messages\": %lu, \"deliveries\": %lu, \"reads\": %lu, \"sends\": %lu, "
           "\"waits\": %lu, \"calls_per_delivery\": %.4f}\n",
           bare.n_messages, bare.n_deliveries, bare.n_reads, bare.n_sends, bare.n_waits,
           bare.n_deliveries ? (double)n_calls / (double)bare.n_deliveries : 0.0);
}

/* The first three are stdin, the listener and the server, then the clients in order. */
static unsigned wait_for_work(struct pollfd waits[])
{
    unsigned n_waits = 3;
    waits[0].fd = STDIN_FILENO;
    waits[1].fd = bare.listener;
    waits[2].fd = bare.remote.fd;
    for (unsigned i = 0; i < bare.n_clients; i++)
        waits[n_waits++].fd = bare.clients[i].fd;
    for (unsigned i = 0; i < n_waits; i++)
        waits[i].events = POLLIN;
    bare.n_waits++;
    if (poll(waits, n_waits, -1) < 0)
        die("poll");
    return n_waits;
}

int main(int argc, char **argv)
{
    static struct pollfd waits[MAX_CLIENTS + 3];
    const struct wsp_ws_limits limits = {.max_message = MAX_MESSAGE, .max_fragments = UINT32_MAX};
    if (argc != 3) {
        fputs("usage: bare SOCKET URL\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    wsp_buffer_init(&bare.up, OUT_LEN);
    wsp_buffer_init(&bare.out, OUT_LEN);
    wsp_ws_reader_init(&bare.reader, WSP_ROLE_CLIENT, &limits);
    remote_open(&bare.remote, argv[2]);
    bare.listener = listen_on(argv[1]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        unsigned n_waits = wait_for_work(waits);
        if (waits[0].revents)
            break;
        if (waits[2].revents)
            read_server();
        /* From the last, for a client that has gone is replaced by the last one. */
        for (unsigned i = n_waits; i-- > 3;)
            if (waits[i].revents && i - 3 < bare.n_clients &&
                bare.clients[i - 3].fd == waits[i].fd && !read_client(&bare.clients[i - 3]))
                client_drop(i - 3);
        if (waits[1].revents)
            welcome();
    }
    report();
    while (bare.n_clients > 0)
        client_drop(bare.n_clients - 1);
    wsp_ws_reader_deinit(&bare.reader);
    wsp_buffer_deinit(&bare.up);
    wsp_buffer_deinit(&bare.out);
    remote_close(&bare.remote);
    close(bare.listener);
    unlink(argv[1]);
    return 0;
}
