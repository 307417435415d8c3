/*
 * server: a WebSocket server in memory, scripted by a test; see server.h.
 *
 * Between a scenario test and daemon/upstream.
 *
 * Invariant: ready is scheduled exactly while something wanted is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/server.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/crypto.h"
#include "tests/harness/allocation.h"

enum { MAX_IN_FLIGHT = 64 << 20 };

/* A dial is known by the server alone. */
struct dial {
    struct server *server;
};

static void __attribute__((format(printf, 2, 3)))
hear(struct server *server, const char *format, ...)
{
    size_t room = sizeof(server->heard) - server->heard_len;
    va_list arguments;
    int len;

    if (server->heard_len > 0)
        len = snprintf(server->heard + server->heard_len, room, " ");
    else
        len = 0;
    va_start(arguments, format);
    len +=
        vsnprintf(server->heard + server->heard_len + len, room - (size_t)len, format, arguments);
    va_end(arguments);
    ck_assert_uint_lt((size_t)len, room);
    server->heard_len += (size_t)len;
}

/* --- the transport --- */

static struct server *server_of(struct transport *transport)
{
    return LIST_ENTRY(transport, struct server, transport);
}

static unsigned server_ready_events(const struct server *server)
{
    unsigned events = 0;

    if (wsp_buffer_len(&server->to_daemon) > 0 || server->end != 0)
        events |= TRANSPORT_READABLE;
    if (server->window > 0 || server->refusal < 0)
        events |= TRANSPORT_WRITABLE;
    return events & server->wanted;
}

static void server_poke(struct server *server)
{
    if (server->is_connected && server_ready_events(server) != 0)
        turn_schedule(&server->stage->turn, TURN_NEXT, &server->ready);
    else
        task_cancel(&server->ready);
}

static void server_is_ready(void *owner)
{
    struct server *server = owner;

    server->transport.ready(server->transport.owner, server_ready_events(server));
    server_poke(server);
}

static ssize_t memory_read(struct transport *transport, void *to, size_t len)
{
    struct server *server = server_of(transport);
    size_t n = wsp_buffer_len(&server->to_daemon);

    ck_assert(server->is_connected);
    if (n == 0)
        return server->end == 0 ? -EAGAIN : server->end == 1 ? 0 : server->end;
    if (n > len)
        n = len;
    memcpy(to, wsp_buffer_peek(&server->to_daemon), n);
    wsp_buffer_consume(&server->to_daemon, n);
    return (ssize_t)n;
}

static void server_hear_frames(struct server *server, struct wsp_view bytes)
{
    struct wsp_ws_event event;
    int r;

    wsp_ws_reader_feed(&server->reader, bytes);
    while ((r = wsp_ws_reader_next(&server->reader, &event)) == 0) {
        int len = (int)event.payload.len;
        const char *text = len > 0 ? (const char *)event.payload.data : "";

        switch (event.type) {
        case WSP_WS_MESSAGE:
            if (event.is_binary || len > 100)
                hear(server, "[%d]", len);
            else
                hear(server, "%.*s", len, text);
            break;
        case WSP_WS_PING: hear(server, "ping(%.*s)", len, text); break;
        case WSP_WS_PONG: hear(server, "pong(%.*s)", len, text); break;
        case WSP_WS_CLOSE:
            hear(server, "close(%u%s%.*s)", event.code, len > 0 ? " " : "", len, text);
            break;
        }
    }
    ck_assert_msg(r == WSP_MORE, "the daemon broke a rule: %s",
                  wsp_ws_reader_broken_why(&server->reader));
}

static void server_hear_request(struct server *server, struct wsp_view bytes)
{
    int r;

    ck_assert_int_eq(wsp_buffer_append(&server->head, bytes.data, bytes.len), 0);
    wsp_request_reader_feed(&server->request, bytes);
    r = wsp_request_reader_next(&server->request, &server->asked);
    ck_assert_msg(r != WSP_BROKEN, "a bad request: %s", wsp_request_reader_why(&server->request));
    if (r == 0) {
        ck_assert_uint_eq(server->asked.rest.len, 0);
        hear(server, "request");
    }
}

static void server_hear(struct server *server, struct wsp_view bytes)
{
    allocation_suspend();
    if (server->is_upgraded)
        server_hear_frames(server, bytes);
    else
        server_hear_request(server, bytes);
    allocation_resume();
}

static ssize_t memory_write(struct transport *transport, const struct iovec *parts, int n_parts)
{
    struct server *server = server_of(transport);
    ssize_t n_taken = 0;

    ck_assert(server->is_connected && !server->is_shut);
    if (server->refusal < 0)
        return server->refusal;
    for (int i = 0; i < n_parts && server->window > 0; i++) {
        size_t n = parts[i].iov_len < server->window ? parts[i].iov_len : server->window;

        server_hear(server, (struct wsp_view){parts[i].iov_base, n});
        server->window -= server->window == SIZE_MAX ? 0 : n;
        n_taken += (ssize_t)n;
    }
    server->n_writes += n_taken > 0;
    return n_taken > 0 ? n_taken : -EAGAIN;
}

static void memory_want(struct transport *transport, unsigned events)
{
    struct server *server = server_of(transport);

    ck_assert(server->is_connected);
    server->wanted = events;
    server_poke(server);
}

static void memory_shutdown(struct transport *transport)
{
    struct server *server = server_of(transport);

    server->is_shut = true;
    hear(server, "fin");
}

static void memory_describe(const struct transport *transport, struct failure *ret_failure)
{
    (void)transport;
    failure_set(ret_failure, WSP_CAUSE_LOST, 0, "the connection failed: scripted");
}

static void memory_free(struct transport *transport)
{
    struct server *server = server_of(transport);

    ck_assert(server->is_connected);
    server->is_connected = false;
    task_cancel(&server->ready);
    hear(server, "gone");
}

static const struct transport_ops memory_ops = {
    .read = memory_read,
    .write = memory_write,
    .want = memory_want,
    .shutdown = memory_shutdown,
    .describe = memory_describe,
    .free = memory_free,
};

/* --- the dialer --- */

static struct server *server_of_dialer(struct dialer *dialer)
{
    return LIST_ENTRY(dialer, struct server, dialer);
}

static int script_dial(struct dialer *dialer, const struct target *target, dial_done_fn done,
                       dial_rests_fn rests, void *owner, struct dial **ret_dial)
{
    struct server *server = server_of_dialer(dialer);
    struct dial *dial = malloc(sizeof(*dial));

    ck_assert_ptr_nonnull(target->url.hostname);
    if (dial == NULL)
        return -ENOMEM;
    dial->server = server;
    ck_assert_ptr_null(server->dial);
    server->dial = dial;
    server->n_dials++;
    server->done = done;
    server->rests = rests;
    server->done_owner = owner;
    *ret_dial = dial;
    return 0;
}

static void script_describe(const struct dial *dial, char *to, size_t len)
{
    ck_assert_ptr_eq(dial->server->dial, dial);
    snprintf(to, len, "connecting, as scripted");
}

static uint64_t script_waits_since(const struct dial *dial)
{
    return dial->server->waits_since_ms;
}

static void script_cancel(struct dial *dial)
{
    if (dial == NULL)
        return;
    dial->server->dial = NULL;
    dial->server->n_cancels++;
    free(dial);
}

static void dial_is_done(struct server *server, struct dial_result *result)
{
    ck_assert_ptr_nonnull(server->dial);
    free(server->dial);
    server->dial = NULL;
    snprintf(result->address, sizeof(result->address), "192.0.2.1:443");
    turn_begin(&server->stage->turn);
    server->done(server->done_owner, result);
    turn_end(&server->stage->turn);
    server_run(server);
}

void server_is_reached(struct server *server)
{
    struct dial_result result = {.transport = &server->transport};

    ck_assert(!server->is_connected);
    allocation_suspend();
    ck_assert_int_eq(gate_enter(&server->gates, "192.0.2.1:443", 0, NULL, NULL, &result.pass), 0);
    allocation_resume();
    ck_assert(pass_is_granted(result.pass));
    server->is_connected = true;
    server->is_shut = server->is_upgraded = false;
    server->wanted = 0;
    server->end = server->refusal = 0;
    server->window = SIZE_MAX;
    wsp_buffer_consume(&server->to_daemon, wsp_buffer_len(&server->to_daemon));
    wsp_buffer_consume(&server->head, wsp_buffer_len(&server->head));
    wsp_request_reader_deinit(&server->request);
    wsp_request_reader_init(&server->request, WSP_MAX_HTTP_HEAD, WSP_MAX_HTTP_N_FIELDS);
    dial_is_done(server, &result);
}

void server_is_not_reached(struct server *server, uint16_t cause, const char *text)
{
    struct dial_result result = {0};

    failure_set(&result.failure, cause, 0, "%s", text);
    dial_is_done(server, &result);
}

void server_rests(struct server *server, bool is_resting)
{
    server->rests(server->done_owner, is_resting);
}

/* --- the script --- */

static const struct wsp_ws_limits no_limits = {
    .max_message = WSP_MAX_MAX_MESSAGE,
    .max_fragments = WSP_DEFAULT_MAX_FRAGMENTS,
};

void server_init(struct server *server, struct stage *stage)
{
    memset(server, 0, offsetof(struct server, scratch));
    memset(&server->done, 0, sizeof(*server) - offsetof(struct server, done));
    server->stage = stage;
    server->dialer =
        (struct dialer){script_dial, script_describe, script_waits_since, script_cancel};
    server->context = (struct upstream_context){
        .clock = &stage->clock.clock,
        .turn = &stage->turn,
        .dialer = &server->dialer,
        .scratch = server->scratch,
        .scratch_len = sizeof(server->scratch),
        .random = crypto_random,
        .sha1 = crypto_sha1,
    };
    gates_init(&server->gates, &stage->clock.clock, &stage->turn);
    server->transport.ops = &memory_ops;
    task_init(&server->ready, server_is_ready, server);
    wsp_buffer_init(&server->to_daemon, MAX_IN_FLIGHT);
    wsp_buffer_init(&server->head, WSP_MAX_HTTP_HEAD);
    wsp_ws_reader_init(&server->reader, WSP_ROLE_SERVER, &no_limits);
    stage->shares.ops = upstream_remote_ops();
    stage->shares.ops_context = &server->context;
}

void server_deinit(struct server *server)
{
    ck_assert_ptr_null(server->gates.tree);
    gates_deinit(&server->gates);
    ck_assert_msg(!server->is_connected, "the daemon still holds the transport");
    ck_assert_ptr_null(server->dial);
    wsp_buffer_deinit(&server->to_daemon);
    wsp_buffer_deinit(&server->head);
    wsp_request_reader_deinit(&server->request);
    wsp_ws_reader_deinit(&server->reader);
}

void server_run(struct server *server)
{
    do
        stage_turn(server->stage);
    while (turn_has_next(&server->stage->turn));
}

void server_says(struct server *server, const void *bytes, size_t len)
{
    allocation_suspend();
    ck_assert_int_eq(wsp_buffer_append(&server->to_daemon, bytes, len), 0);
    allocation_resume();
    server_poke(server);
}

void server_accepts(struct server *server, const char *protocol)
{
    static const struct wsp_deflate_params offered = {.client_max_window_bits =
                                                          WSP_DEFLATE_BITS_ANY};
    char input[WSP_HANDSHAKE_ACCEPT_INPUT], accept[WSP_HANDSHAKE_ACCEPT];
    struct wsp_deflate_agreement agreement;
    const char *why;
    uint8_t digest[WSP_HANDSHAKE_DIGEST];

    allocation_suspend();
    wsp_handshake_accept_input(server->asked.key, input);
    ck_assert_int_eq(crypto_sha1(input, sizeof(input), digest), 0);
    wsp_handshake_accept(digest, accept);
    ck_assert_int_eq(wsp_handshake_write_accept(&server->to_daemon, accept,
                                                wsp_view_of_string(protocol),
                                                wsp_view_of_string(server->extensions), NULL, 0),
                     0);
    allocation_resume();
    server->is_upgraded = true;
    wsp_ws_reader_deinit(&server->reader);
    wsp_ws_reader_init(&server->reader, WSP_ROLE_SERVER, &no_limits);
    if (wsp_deflate_judge(wsp_view_of_string(server->extensions), &offered, &agreement, &why) ==
            0 &&
        agreement.is_on)
        wsp_ws_reader_inflate(&server->reader, agreement.from_client);
    server_poke(server);
}

void server_sends_frame(struct server *server, bool is_final, enum wsp_opcode opcode,
                        const void *payload, size_t len)
{
    struct wsp_frame_header header = {
        .payload_len = len, .opcode = (uint8_t)opcode, .is_final = is_final};
    uint8_t bytes[WSP_FRAME_MAX_HEADER];

    server_says(server, bytes, wsp_frame_header_write(bytes, &header));
    server_says(server, payload, len);
}

void server_sends(struct server *server, const char *text)
{
    server_sends_frame(server, true, WSP_OPCODE_TEXT, text, strlen(text));
}

void server_sends_bytes(struct server *server, size_t len)
{
    uint8_t *bytes = calloc(1, len + 1);

    ck_assert_ptr_nonnull(bytes);
    server_sends_frame(server, true, WSP_OPCODE_BINARY, bytes, len);
    free(bytes);
}

void server_closes(struct server *server, uint16_t code, const char *reason)
{
    ck_assert_int_eq(wsp_ws_write_close(&server->to_daemon, WSP_ROLE_SERVER, code,
                                        wsp_view_of_string(reason), NULL),
                     0);
    server_poke(server);
}

void server_hangs_up(struct server *server)
{
    server->end = 1;
    server_poke(server);
}

void server_breaks(struct server *server, int error)
{
    server->end = server->refusal = -error;
    server_poke(server);
}

void server_takes(struct server *server, size_t len)
{
    server->window = len;
    server_poke(server);
}

void server_opens(struct server *server, const char *protocol)
{
    server_is_reached(server);
    ck_assert_str_eq(server_heard(server), "request");
    server_accepts(server, protocol);
    server_run(server);
}

const char *server_heard(struct server *server)
{
    static char heard[STAGE_MAX_TRANSCRIPT];

    memcpy(heard, server->heard, server->heard_len + 1);
    server->heard_len = 0;
    server->heard[0] = '\0';
    return heard;
}
