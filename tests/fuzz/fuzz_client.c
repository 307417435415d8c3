/*
 * fuzz_client: what a daemon may say to the library: any bytes, in any pieces.
 *
 * The input is one of chunks.h. Flag 1: the greeting goes ahead of it. Flag 2: handlers act on what
 * comes (send, close, free, open anew), as the first byte of a message says. Without flag 2 the
 * events must not depend on how the bytes are cut. Flag 4: the client would come back, to a daemon that
 * is not there. In any case every WebSocket that is not freed is CLOSED in the end, by one `close` that
 * is its last event.
 *
 * SPDX-License-Identifier: MIT
 */
#include "client-lib/wsplex.h"
#include "tests/fuzz/chunks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/local/message.h"

enum {
    N_WEBSOCKETS = 3,
    MAX_OPENED_ANEW = 3,
    FLAG_GREETING = 1,
    FLAG_ACTS = 2,
    FLAG_RECONNECT = 4,
};

struct run {
    struct wsplex *client;
    uint64_t hash; /* of all events */
    bool acts, reconnects;
    int n_new;
    int n_open; /* objects that are neither freed nor told of their close */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void hash_add(struct run *run, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        run->hash = (run->hash ^ bytes[i]) * 0x100000001b3;
    run->hash = (run->hash ^ len) * 0x100000001b3;
}

static void open_one(struct run *run);

static void act(struct run *run, struct wsplex_websocket *websocket, uint8_t what)
{
    static const uint8_t big[100000];

    switch (what % 8) {
    case 0: wsplex_websocket_send_text(websocket, "text", 4); break;
    case 1: wsplex_websocket_send_binary(websocket, big, sizeof(big)); break;
    case 2: wsplex_websocket_close(websocket, 3000 + what, "reason"); break;
    case 3:
        if (wsplex_websocket_ready_state(websocket) != WSPLEX_CLOSED)
            run->n_open--;
        wsplex_websocket_free(websocket);
        break;
    case 4: open_one(run); break;
    case 5: wsplex_websocket_subscribe(websocket, "on", "off"); break;
    case 6: wsplex_websocket_unsubscribe(websocket, "on"); break;
    default: break;
    }
}

static void on_event(const struct wsplex_event *event, void *userdata)
{
    struct run *run = userdata;
    enum wsplex_ready_state state = wsplex_websocket_ready_state(event->target);
    bool is_last = strcmp(event->type, "close") == 0;

    require((state == WSPLEX_CLOSED) == (is_last || strcmp(event->type, "error") == 0));
    hash_add(run, event->type, strlen(event->type));
    hash_add(run, event->data, event->length);
    hash_add(run, event->reason, event->reason_length);
    hash_add(run, &event->code, sizeof(event->code));
    hash_add(run, &event->cause, sizeof(event->cause));
    hash_add(run, &event->count, sizeof(event->count));
    hash_add(run, &event->position, sizeof(event->position));
    /* Of how often it was tried in vain, chance decides. */
    if (!run->reconnects || event->cause >= 0)
        hash_add(run, event->cause_text, strlen(event->cause_text));
    if (is_last)
        run->n_open--;
    if (run->acts && event->length > 0)
        act(run, event->target, *(const uint8_t *)event->data);
    else if (run->acts && event->reason_length > 0)
        act(run, event->target, (uint8_t)event->reason[0]);
}

static void on_reply(struct wsplex *client, int status, const char *json, size_t json_length,
                     void *userdata)
{
    (void)client;
    hash_add(userdata, &status, sizeof(status));
    hash_add(userdata, json, json_length);
}

static void open_one(struct run *run)
{
    static const char *const types[] = {"interrupted", "resumed", "gap", "unsent"};
    struct wsplex_websocket *websocket;

    if (run->n_new == N_WEBSOCKETS + MAX_OPENED_ANEW)
        return;
    if (wsplex_websocket_new(run->client, "ws://localhost/", NULL, 0, NULL, &websocket) < 0)
        return;
    run->n_new++;
    run->n_open++;
    require(wsplex_websocket_set_on_open(websocket, on_event, run) == 0);
    require(wsplex_websocket_set_on_message(websocket, on_event, run) == 0);
    require(wsplex_websocket_set_on_error(websocket, on_event, run) == 0);
    require(wsplex_websocket_set_on_close(websocket, on_event, run) == 0);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        require(wsplex_websocket_add_event_listener(websocket, types[i], on_event, run, 0) == 0);
}

/* Connects the client to a socket that nobody else can find, and returns the other end of it. */
static int connect_client(struct run *run)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd;

    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/wsplex-fuzz-%d", (int)getpid());
    unlink(address.sun_path);
    require(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    require(listen(listener, 1) == 0);
    require(wsplex_new(address.sun_path, &run->client) == 0);
    require(wsplex_connect(run->client) == 0);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    require(fd >= 0);
    close(listener);
    unlink(address.sun_path);
    return fd;
}

static void turn(struct run *run, int fd)
{
    static uint8_t scratch[65536];

    require(wsplex_dispatch(run->client) == 0);
    while (recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT) > 0)
        continue;
}

static void feed(struct run *run, int fd, struct wsp_view bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            bytes.data += n;
            bytes.len -= (size_t)n;
        }
        turn(run, fd);
        if (n < 0 && wsplex_get_fd(run->client) < 0)
            return;
    }
}

static void greet(struct run *run, int fd)
{
    struct wsp_message hello = {.type = WSP_LOCAL_HELLO};
    struct wsp_buffer buffer;

    wsp_buffer_init(&buffer, 1000);
    hello.hello.max_channels = 64;
    require(wsp_buffer_append(&buffer, WSP_WIRE_MAGIC, WSP_WIRE_MAGIC_LEN) == 0);
    require(wsp_message_encode(&buffer, &hello) == 0);
    feed(run, fd, (struct wsp_view){wsp_buffer_peek(&buffer), wsp_buffer_len(&buffer)});
    wsp_buffer_deinit(&buffer);
}

static uint64_t converse(struct chunks *chunks)
{
    struct run run = {.acts = (chunks->flags & FLAG_ACTS) != 0};
    struct wsp_view piece;
    int fd = connect_client(&run);

    run.reconnects = (chunks->flags & FLAG_RECONNECT) != 0;
    require(wsplex_set_reconnect(run.client, run.reconnects ? -1 : 0, 100) == 0);
    for (int i = 0; i < N_WEBSOCKETS; i++)
        open_one(&run);
    require(wsplex_request(run.client, "status", NULL, 0, on_reply, &run) == 0);
    if (chunks->flags & FLAG_GREETING)
        greet(&run, fd);
    while (chunks_next(chunks, &piece))
        feed(&run, fd, piece);
    close(fd);
    require(wsplex_dispatch(run.client) == 0);
    require(wsplex_set_reconnect(run.client, 0, 0) == 0);
    for (int i = 0; i < 100000 && wsplex_get_n_pending(run.client) > 0; i++)
        require(wsplex_dispatch(run.client) == 0);
    require(wsplex_get_n_pending(run.client) == 0);
    require(run.n_open == 0);
    wsplex_free(run.client);
    return run.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct chunks chunks;
    uint64_t hash;
    bool acts;

    if (!chunks_init(&chunks, data, len))
        return 0;
    hash = converse(&chunks);
    acts = (chunks.flags & FLAG_ACTS) != 0;
    chunks_deinit(&chunks);
    if (acts || !chunks_init(&chunks, data, len))
        return 0;
    chunks_join(&chunks);
    require(converse(&chunks) == hash);
    chunks_deinit(&chunks);
    return 0;
}
