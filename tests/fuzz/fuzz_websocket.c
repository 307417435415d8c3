/*
 * fuzz_websocket: a whole conversation, cut as the input says and compared with the same in one piece.
 *
 * See chunks.h for the input. Flags: 1 is the server's role, else the client's; 2 puts a good handshake
 * before the wire, so that the input begins with frames; 4 stops after each event and goes on in other
 * memory; 8 takes assembled messages. permessage-deflate is offered; with 2 it is in force. Every message
 * that comes is sent back through the writer, packed where that helps, and read by the other role.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/handshake.h"
#include "proto/websocket/message.h"
#include "proto/websocket/offer.h"

#include "tests/fuzz/chunks.h"

#include <stdlib.h>
#include <string.h>

#define MAX_HEAD      2048
#define MAX_FIELDS    16
#define MAX_MESSAGE   5000
#define MAX_FRAGMENTS 64

enum {
    FLAG_SERVER = 1,
    FLAG_HANDSHAKE_DONE = 2,
    FLAG_STOP = 4,
    FLAG_TAKE = 8,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct wsp_ws_limits limits = {MAX_MESSAGE, MAX_FRAGMENTS};

struct conversation {
    unsigned flags;
    struct wsp_buffer *story;
    bool is_open; /* the handshake is done */
    struct wsp_response_reader response;
    struct wsp_request_reader request;
    struct wsp_ws_reader reader;
    struct wsp_ws_reader peer;    /* reads what is sent back */
    struct wsp_deflater deflater; /* for what is sent back, if is_packing */
    bool is_packing;
    size_t n_came;
    int result;
};

static enum wsp_role role_of(const struct conversation *c)
{
    return c->flags & FLAG_SERVER ? WSP_ROLE_SERVER : WSP_ROLE_CLIENT;
}

static const struct wsp_deflate_params offer = {.client_max_window_bits = WSP_DEFLATE_BITS_ANY};

/* Both ends take the directions as agreed. */
static void begin_deflate(struct conversation *c, const struct wsp_deflate_agreement *agreement)
{
    bool is_client = role_of(c) == WSP_ROLE_CLIENT;
    struct wsp_deflate_mode in = is_client ? agreement->from_server : agreement->from_client;
    struct wsp_deflate_mode out = is_client ? agreement->from_client : agreement->from_server;

    if (!agreement->is_on)
        return;
    c->is_packing = true;
    wsp_ws_reader_inflate(&c->reader, in);
    wsp_ws_reader_inflate(&c->peer, out);
    wsp_deflater_init(&c->deflater, out);
}

static void conversation_init(struct conversation *c, unsigned flags, struct wsp_buffer *story)
{
    static const struct wsp_deflate_agreement full = {true, {15, true}, {15, true}};
    static char offered[WSP_DEFLATE_TEXT_LEN];
    struct wsp_asked asked = {.max_head_bytes = MAX_HEAD, .max_head_fields = MAX_FIELDS};

    wsp_deflate_params_write(&offer, offered);
    asked.extensions = wsp_view_of_string(offered);
    memcpy(asked.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof(asked.accept));
    *c = (struct conversation){.flags = flags, .story = story, .result = WSP_MORE};
    c->is_open = (flags & FLAG_HANDSHAKE_DONE) != 0;
    wsp_response_reader_init(&c->response, &asked);
    wsp_request_reader_init(&c->request, MAX_HEAD, MAX_FIELDS);
    wsp_ws_reader_init(&c->reader, role_of(c), &limits);
    wsp_ws_reader_init(&c->peer, role_of(c) == WSP_ROLE_CLIENT ? WSP_ROLE_SERVER : WSP_ROLE_CLIENT,
                       &limits);
    if (c->is_open)
        begin_deflate(c, &full);
}

static void conversation_deinit(struct conversation *c)
{
    wsp_response_reader_deinit(&c->response);
    wsp_request_reader_deinit(&c->request);
    wsp_ws_reader_deinit(&c->reader);
    wsp_ws_reader_deinit(&c->peer);
    wsp_deflater_deinit(&c->deflater);
}

static void write_message(struct conversation *c, const struct wsp_ws_event *event,
                          const uint8_t *key, struct wsp_buffer *out)
{
    struct wsp_ws_outgoing outgoing;
    struct wsp_buffer packed;
    uint8_t *room;
    size_t len;
    int r;

    wsp_buffer_init(&packed, 0);
    wsp_deflater_begin(&c->deflater, event->payload);
    do {
        r = wsp_deflater_step(&c->deflater, 1000, &packed);
    } while (r == WSP_MORE);
    if (r == WSP_DEFLATE_PLAIN) {
        require(wsp_ws_write_message(out, role_of(c), event->is_binary, event->payload, key) == 0);
        return;
    }
    require(r == 0);
    wsp_ws_outgoing_begin_packed(
        &outgoing, role_of(c), event->is_binary,
        (struct wsp_view){wsp_buffer_peek(&packed), wsp_buffer_len(&packed)}, key);
    len = wsp_ws_outgoing_left(&outgoing);
    require(wsp_buffer_reserve(out, len, &room) == 0);
    wsp_buffer_commit(out, wsp_ws_outgoing_fill(&outgoing, room, len));
    wsp_buffer_deinit(&packed);
}

/* What is written for an event must be read as that event by the other side. */
static void send_back(struct conversation *c, const struct wsp_ws_event *event)
{
    static const uint8_t key[WSP_FRAME_KEY] = {0xa5, 0x5a, 0x01, 0xfe};
    struct wsp_ws_event echo;
    struct wsp_buffer out;

    wsp_buffer_init(&out, SIZE_MAX);
    switch (event->type) {
    case WSP_WS_MESSAGE: write_message(c, event, key, &out); break;
    case WSP_WS_PING:
    case WSP_WS_PONG:
        require(wsp_ws_write_control(&out, role_of(c),
                                     event->type == WSP_WS_PING ? WSP_OPCODE_PING : WSP_OPCODE_PONG,
                                     event->payload, key) == 0);
        break;
    case WSP_WS_CLOSE:
        require(wsp_ws_write_close(&out, role_of(c), event->code, event->payload, key) == 0);
        break;
    }
    wsp_ws_reader_feed(&c->peer, (struct wsp_view){wsp_buffer_peek(&out), wsp_buffer_len(&out)});
    require(wsp_ws_reader_next(&c->peer, &echo) == 0);
    require(echo.type == event->type && echo.is_binary == event->is_binary &&
            echo.code == event->code && wsp_view_equals(echo.payload, event->payload));
    wsp_buffer_deinit(&out);
}

static void tell_event(struct conversation *c, const struct wsp_ws_event *event)
{
    struct wsp_buffer taken = {0};

    require(event->payload.len <= MAX_MESSAGE);
    if (c->flags & FLAG_TAKE && event->type == WSP_WS_MESSAGE)
        require((wsp_ws_reader_take(&c->reader, &taken) == 0) == !event->is_borrowed);
    story_tell(c->story, "\n%u %u %u ", (unsigned)event->type, event->is_binary, event->code);
    story_tell_bytes(c->story, event->payload);
    send_back(c, event);
    wsp_buffer_deinit(&taken);
}

/* Moves what is left of the window to a block of its own. */
static uint8_t *move_rest(struct wsp_ws_reader *reader)
{
    struct wsp_view rest = wsp_ws_reader_rest(reader);
    uint8_t *copy = malloc(rest.len + 1);

    require(copy != NULL);
    if (rest.len > 0)
        memcpy(copy + 1, rest.data, rest.len);
    wsp_ws_reader_feed(reader, (struct wsp_view){copy + 1, rest.len});
    return copy;
}

static void read_frames(struct conversation *c, struct wsp_view piece)
{
    struct wsp_ws_event event;
    uint8_t *moved = NULL;

    wsp_ws_reader_feed(&c->reader, piece);
    while ((c->result = wsp_ws_reader_next(&c->reader, &event)) == 0) {
        tell_event(c, &event);
        if (c->flags & FLAG_STOP) {
            uint8_t *before = moved;

            moved = move_rest(&c->reader);
            free(before);
        }
        /* Unpacked, it is a page at a time, as far as the longest message. */
        require(wsp_ws_reader_held(&c->reader) <=
                (c->is_packing ? 2 * MAX_MESSAGE : 2 * c->n_came + 256));
    }
    require(c->result == WSP_MORE || c->result == WSP_BROKEN);
    free(moved);
}

static int read_handshake(struct conversation *c, struct wsp_view piece, struct wsp_view *ret_rest)
{
    struct wsp_client_request request;
    struct wsp_response response;
    int r;

    if (c->flags & FLAG_SERVER) {
        wsp_request_reader_feed(&c->request, piece);
        r = wsp_request_reader_next(&c->request, &request);
        if (r == 0)
            *ret_rest = request.rest;
        return r;
    }
    wsp_response_reader_feed(&c->response, piece);
    r = wsp_response_reader_next(&c->response, &response);
    if (r == 0 && response.verdict == WSP_VERDICT_ACCEPTED) {
        struct wsp_deflate_agreement agreement;
        const char *why;

        *ret_rest = response.rest;
        if (wsp_deflate_judge(response.extensions, &offer, &agreement, &why) != 0)
            return WSP_BROKEN;
        begin_deflate(c, &agreement);
    }
    return r == 0 && response.verdict != WSP_VERDICT_ACCEPTED ? WSP_BROKEN : r;
}

static void conversation_feed(struct conversation *c, struct wsp_view piece)
{
    c->n_came += piece.len;
    if (!c->is_open) {
        c->result = read_handshake(c, piece, &piece);
        if (c->result != 0)
            return;
        c->is_open = true;
        story_tell(c->story, "open");
    }
    read_frames(c, piece);
}

static void run(struct wsp_buffer *story, struct chunks *chunks)
{
    struct conversation c;
    struct wsp_view piece;

    conversation_init(&c, chunks->flags, story);
    while (c.result == WSP_MORE && chunks_next(chunks, &piece))
        conversation_feed(&c, piece);
    story_tell(story, "\nend %d %u %u %s", c.result, wsp_ws_reader_is_amid(&c.reader),
               wsp_ws_reader_broken_code(&c.reader),
               c.result == WSP_BROKEN && c.is_open ? wsp_ws_reader_broken_why(&c.reader) : "");
    conversation_deinit(&c);
    chunks_deinit(chunks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    chunks_compare(data, len, run);
    return 0;
}
