/*
 * message: whole messages out of frames (RFC 6455, sections 5.4 to 5.6, 7 and 8.1; RFC 7692, section 6.2);
 * outgoing.c is the way back.
 *
 * Between the transport's window of bytes and the upstream's log; see message.h for the contract.
 *
 * The reader's states, and what each does with the bytes of the window:
 *
 *     state     what comes                        what follows
 *     HEADER    no whole header                   staged, WSP_MORE
 *     HEADER    data frame, in its place (5.4)    DATA
 *     HEADER    control frame (5.5)               CONTROL
 *     DATA      part of the payload               assembled, WSP_MORE
 *     DATA      end of a frame that is not final  HEADER
 *     DATA      end of the final frame            HEADER, MESSAGE
 *     CONTROL   part of the payload               copied aside, WSP_MORE
 *     CONTROL   end of a ping or pong             HEADER, PING or PONG
 *     CONTROL   end of a close                    CLOSED, CLOSE
 *     DATA      more to unpack than allowed       WSP_WS_SPENT
 *     any       a broken rule                     BROKEN, WSP_BROKEN
 *     CLOSED    anything (5.5.1)                  dropped, WSP_MORE
 *     BROKEN    anything                          WSP_BROKEN
 *
 * What the payload of a data frame goes through, in this order:
 *
 *     unmask         server role                          wsp_mask()
 *     unpack         messages whose first frame has RSV1  wsp_inflater_pull(): what comes out is
 *                                                         what the next steps see, and what
 *                                                         max_message bounds, before it is stored;
 *                                                         such a message is never borrowed
 *     UTF-8 check    text                                 wsp_utf8_feed()
 *     assemble       unless the whole message is there    assembly
 *
 * Invariant: an event is given out only when every byte of it has arrived and was found good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/message.h"

#include <errno.h>
#include <string.h>

#include "proto/rules.h"
#include "proto/websocket/mask.h"

enum {
    STATE_HEADER,
    STATE_DATA,
    STATE_CONTROL,
    STATE_CLOSED,
    STATE_BROKEN,
};

/* Memory of a message that is used for the next one in the same window: a server, to whom every message
 * comes masked, is so spared an allocation for each small one. */
#define KEPT_CAPACITY 4096

/* Bytes that are unpacked at a time: what stays unused of them in a short message is little. */
#define UNPACK_ROOM 4096

/* Packed bytes that are unmasked at a time. */
#define UNMASK_ROOM 1024

/* What a packed byte comes to at most: four times a match of 258 bytes, told by a bit for its length and one for its
 * distance (RFC 1951). And packed bytes that zlib has taken, while what they come to is still to come out. */
#define MAX_INFLATION     1032
#define MAX_BYTES_IN_ZLIB 16

/* Within this file, beside the results of pull.h: the state has moved on and there is nothing to say. */
#define GO_ON 3

enum {
    CODE_PROTOCOL_ERROR = 1002,
    CODE_NO_STATUS = 1005, /* stands for an empty close frame, section 7.1.5 */
    CODE_BAD_TEXT = 1007,
    CODE_TOO_BIG = 1009,
};

/* -- the beginning and the end -- */

void wsp_ws_reader_init(struct wsp_ws_reader *reader, enum wsp_role role,
                        const struct wsp_ws_limits *limits)
{
    *reader = (struct wsp_ws_reader){.role = role, .limits = *limits};
    if (reader->limits.max_message > SIZE_MAX / 2)
        reader->limits.max_message = SIZE_MAX / 2;
    wsp_buffer_init(&reader->assembly, 0);
    reader->allowance = SIZE_MAX;
}

void wsp_ws_reader_inflate(struct wsp_ws_reader *reader, struct wsp_deflate_mode mode)
{
    reader->rsv_in_force |= WSP_RSV1;
    wsp_inflater_init(&reader->inflater, mode);
}

void wsp_ws_reader_allow(struct wsp_ws_reader *reader, size_t len)
{
    reader->allowance = len;
}

void wsp_ws_reader_deinit(struct wsp_ws_reader *reader)
{
    if (reader == NULL)
        return;
    wsp_buffer_deinit(&reader->assembly);
    wsp_inflater_deinit(&reader->inflater);
    reader->is_given = false;
}

void wsp_ws_reader_feed(struct wsp_ws_reader *reader, struct wsp_view window)
{
    reader->window = window;
}

/* Nothing comes any more, so nothing is kept. */
static void stop(struct wsp_ws_reader *reader, uint8_t state)
{
    reader->state = state;
    reader->message_opcode = 0;
    reader->n_staged = 0;
    reader->is_wet = false;
    wsp_buffer_deinit(&reader->assembly);
    wsp_inflater_deinit(&reader->inflater);
}

static int break_off(struct wsp_ws_reader *reader, uint16_t code, const char *why)
{
    stop(reader, STATE_BROKEN);
    reader->broken_code = code;
    reader->broken_why = why;
    return WSP_BROKEN;
}

/* The window is used up. Memory stays only while there is a message to be gone on with. */
static int need_more(struct wsp_ws_reader *reader)
{
    if (reader->message_opcode == 0) {
        wsp_buffer_trim(&reader->assembly);
        wsp_inflater_rest(&reader->inflater);
    }
    return WSP_MORE;
}

static void use_up(struct wsp_ws_reader *reader, size_t len)
{
    if (len > 0) {
        reader->window.data += len;
        reader->window.len -= len;
    }
}

/* -- HEADER -- */

/* The longest payload that a frame may have. Of a packed message the content is bounded as it comes out. */
static uint64_t most_payload(const struct wsp_ws_reader *reader, size_t held)
{
    uint64_t most = reader->limits.max_message;

    if (!reader->is_compressed)
        return most - held;
    if (most >= UINT64_MAX / WSP_MAX_DEFLATE_EXPANSION)
        return UINT64_MAX;
    return (most + 1) * WSP_MAX_DEFLATE_EXPANSION - reader->n_packed;
}

/* Section 5.4: does a data frame stand where it may, and is there room for it? */
static int begin_data(struct wsp_ws_reader *reader)
{
    const struct wsp_frame_header *frame = &reader->frame;
    size_t held = wsp_buffer_len(&reader->assembly);

    if (frame->opcode == WSP_OPCODE_CONTINUATION) {
        if (reader->message_opcode == 0)
            return break_off(reader, CODE_PROTOCOL_ERROR,
                             "a continuation frame continues no message (RFC 6455, section 5.4)");
    } else {
        if (reader->message_opcode != 0)
            return break_off(reader, CODE_PROTOCOL_ERROR,
                             "a message begins within another one (RFC 6455, section 5.4)");
        reader->message_opcode = frame->opcode;
        reader->n_fragments = 0;
        reader->is_compressed = (frame->rsv & WSP_RSV1) != 0;
        reader->n_packed = 0;
        wsp_utf8_init(&reader->utf8);
    }
    if (reader->n_fragments == reader->limits.max_fragments)
        return break_off(reader, CODE_TOO_BIG, "a message has more frames than the limit");
    reader->n_fragments++;
    if (frame->payload_len > most_payload(reader, held))
        return break_off(reader, CODE_TOO_BIG, "a message is larger than the limit");
    /* A message whose end is known never gets more memory than it needs. */
    reader->assembly.max = frame->is_final && !reader->is_compressed
                               ? held + (size_t)frame->payload_len
                               : reader->limits.max_message;
    reader->frame_at = 0;
    reader->state = STATE_DATA;
    return GO_ON;
}

static int begin_frame(struct wsp_ws_reader *reader)
{
    if (!wsp_opcode_is_control(reader->frame.opcode))
        return begin_data(reader);
    reader->control_len = 0;
    reader->state = STATE_CONTROL;
    return GO_ON;
}

static int read_header(struct wsp_ws_reader *reader)
{
    struct wsp_view input = reader->window;
    size_t n_staged = reader->n_staged;
    const char *why;
    size_t len;
    int r;

    if (input.len == 0)
        return need_more(reader);
    if (n_staged > 0) {
        size_t n = sizeof(reader->staged) - n_staged;

        if (n > input.len)
            n = input.len;
        memcpy(reader->staged + n_staged, input.data, n);
        input = (struct wsp_view){reader->staged, n_staged + n};
    }
    r = wsp_frame_header_read(input, reader->role, reader->rsv_in_force, &reader->frame, &len,
                              &why);
    if (r == WSP_BROKEN)
        return break_off(reader, CODE_PROTOCOL_ERROR, why);
    if (r == WSP_MORE) {
        if (n_staged == 0)
            memcpy(reader->staged, input.data, input.len);
        reader->n_staged = (uint8_t)input.len;
        use_up(reader, input.len - n_staged);
        return need_more(reader);
    }
    reader->n_staged = 0;
    use_up(reader, len - n_staged);
    return begin_frame(reader);
}

/* -- DATA -- */

/* Section 8.1: a wrong byte ends it at once, whatever would follow. */
static int check_text(struct wsp_ws_reader *reader, struct wsp_view piece)
{
    if (reader->message_opcode != WSP_OPCODE_TEXT)
        return 0;
    if (wsp_utf8_feed(&reader->utf8, piece.data, piece.len) < piece.len)
        return break_off(reader, CODE_BAD_TEXT,
                         "a text message is not valid UTF-8 (RFC 6455, section 8.1)");
    return 0;
}

static int end_message(struct wsp_ws_reader *reader, struct wsp_view payload, bool is_borrowed,
                       struct wsp_ws_event *ret_event)
{
    bool is_binary = reader->message_opcode == WSP_OPCODE_BINARY;

    if (!is_binary && !wsp_utf8_is_complete(&reader->utf8))
        return break_off(reader, CODE_BAD_TEXT,
                         "a text message ends within a character (RFC 6455, section 8.1)");
    reader->message_opcode = 0;
    reader->state = STATE_HEADER;
    reader->is_given = !is_borrowed;
    *ret_event = (struct wsp_ws_event){
        .type = WSP_WS_MESSAGE,
        .is_binary = is_binary,
        .is_borrowed = is_borrowed,
        .payload = payload,
    };
    return 0;
}

/* The message is there as a whole: no byte of it is moved. */
static int lend_message(struct wsp_ws_reader *reader, struct wsp_ws_event *ret_event)
{
    struct wsp_view payload = {reader->window.data, (size_t)reader->frame.payload_len};
    int r = check_text(reader, payload);

    if (r != 0)
        return r;
    use_up(reader, payload.len);
    return end_message(reader, payload, true, ret_event);
}

/* Takes the next bytes of the frame's payload into the assembly. */
static int take_piece(struct wsp_ws_reader *reader, size_t len)
{
    struct wsp_view piece = {reader->window.data, len};
    uint8_t *room;
    int r = wsp_buffer_reserve(&reader->assembly, len, &room);

    if (r < 0)
        return r;
    if (reader->frame.is_masked)
        wsp_mask(room, piece.data, len, reader->frame.key, (size_t)reader->frame_at);
    else
        memcpy(room, piece.data, len);
    r = check_text(reader, (struct wsp_view){room, len});
    if (r != 0)
        return r;
    wsp_buffer_commit(&reader->assembly, len);
    use_up(reader, len);
    reader->frame_at += len;
    return 0;
}

/* Room for what comes out: in the assembly, and where that is full for one byte that shows it. */
static int find_room(struct wsp_ws_reader *reader, uint8_t *spare, uint8_t **ret_room,
                     size_t *ret_len)
{
    size_t len = reader->limits.max_message - wsp_buffer_len(&reader->assembly);

    *ret_len = 1;
    *ret_room = spare;
    if (len == 0)
        return 0;
    if (len > UNPACK_ROOM)
        len = UNPACK_ROOM;
    if (len > reader->allowance)
        len = reader->allowance;
    *ret_len = len;
    return wsp_buffer_reserve(&reader->assembly, len, ret_room);
}

/* Unpacks input, or what follows the payload's end where that is NULL, as far as one room goes. */
static int unpack(struct wsp_ws_reader *reader, struct wsp_view *input)
{
    uint8_t spare, *room;
    size_t room_len, len = 0;
    int r;

    if (reader->allowance == 0) {
        reader->is_wet = true;
        return WSP_WS_SPENT;
    }
    r = find_room(reader, &spare, &room, &room_len);
    if (r < 0)
        return r;
    r = input != NULL ? wsp_inflater_pull(&reader->inflater, input, room, room_len, &len)
                      : wsp_inflater_end(&reader->inflater, room, room_len, &len);
    if (r < 0)
        return r;
    if (room == &spare && len > 0)
        return break_off(reader, CODE_TOO_BIG, "a message is larger than the limit");
    /* What came out comes before what could not be unpacked, however the input was cut. */
    if (check_text(reader, (struct wsp_view){room, len}) != 0)
        return WSP_BROKEN;
    if (r == WSP_BROKEN)
        return break_off(reader, CODE_BAD_TEXT,
                         "a compressed message cannot be unpacked (RFC 7692, section 7.2.2)");
    if (room != &spare)
        wsp_buffer_commit(&reader->assembly, len);
    reader->allowance -= len;
    reader->is_wet = len == room_len;
    return 0;
}

/* Unpacks the next bytes of the frame's payload, none of which need be there. */
static int unpack_piece(struct wsp_ws_reader *reader, size_t len)
{
    uint8_t plain[UNMASK_ROOM];
    struct wsp_view piece = {reader->window.data, len};
    int r;

    if (reader->frame.is_masked && len > 0) {
        if (piece.len > sizeof(plain))
            piece.len = sizeof(plain);
        wsp_mask(plain, piece.data, piece.len, reader->frame.key, (size_t)reader->frame_at);
        piece.data = plain;
        len = piece.len;
    }
    r = unpack(reader, &piece);
    if (r != 0)
        return r;
    len -= piece.len;
    use_up(reader, len);
    reader->frame_at += len;
    reader->n_packed += len;
    return 0;
}

static int read_packed(struct wsp_ws_reader *reader, struct wsp_ws_event *ret_event)
{
    const struct wsp_frame_header *frame = &reader->frame;
    struct wsp_view payload;
    int r;

    while (reader->frame_at < frame->payload_len || reader->is_wet) {
        uint64_t missing = frame->payload_len - reader->frame_at;
        size_t len = missing < reader->window.len ? (size_t)missing : reader->window.len;

        if (len == 0 && !reader->is_wet)
            return need_more(reader);
        r = unpack_piece(reader, len);
        if (r != 0)
            return r;
    }
    if (!frame->is_final) {
        reader->state = STATE_HEADER;
        return GO_ON;
    }
    do {
        r = unpack(reader, NULL);
        if (r != 0)
            return r;
    } while (reader->is_wet);
    payload.data = wsp_buffer_peek(&reader->assembly);
    payload.len = wsp_buffer_len(&reader->assembly);
    return end_message(reader, payload, false, ret_event);
}

static int read_data(struct wsp_ws_reader *reader, struct wsp_ws_event *ret_event)
{
    const struct wsp_frame_header *frame = &reader->frame;
    uint64_t missing = frame->payload_len - reader->frame_at;
    size_t len = missing < reader->window.len ? (size_t)missing : reader->window.len;

    if (frame->is_final && !frame->is_masked && len == frame->payload_len &&
        reader->n_fragments == 1)
        return lend_message(reader, ret_event);
    if (len > 0) {
        int r = take_piece(reader, len);

        if (r != 0)
            return r;
    }
    if (len < missing)
        return need_more(reader);
    if (frame->is_final) {
        struct wsp_view payload = {wsp_buffer_peek(&reader->assembly),
                                   wsp_buffer_len(&reader->assembly)};

        return end_message(reader, payload, false, ret_event);
    }
    reader->state = STATE_HEADER;
    return GO_ON;
}

/* -- CONTROL -- */

/* Sections 5.5.1, 7.1.5, 7.1.6 and 7.4. */
static int end_close(struct wsp_ws_reader *reader, struct wsp_ws_event *event)
{
    struct wsp_view reason = event->payload;
    uint16_t code = CODE_NO_STATUS;

    if (reason.len == 1)
        return break_off(reader, CODE_PROTOCOL_ERROR,
                         "a close frame has a payload of one byte (RFC 6455, section 5.5.1)");
    if (reason.len > 0) {
        wsp_view_take_u16be(&reason, &code);
        if (!wsp_close_code_is_valid_on_wire(code))
            return break_off(
                reader, CODE_PROTOCOL_ERROR,
                "a close frame has a code that may not be sent (RFC 6455, section 7.4)");
    }
    if (!wsp_utf8_is_valid(reason.data, reason.len))
        return break_off(reader, CODE_BAD_TEXT,
                         "the reason of a close is not valid UTF-8 (RFC 6455, section 5.5.1)");
    event->type = WSP_WS_CLOSE;
    event->code = code;
    event->payload = reason;
    stop(reader, STATE_CLOSED);
    return 0;
}

static int end_control(struct wsp_ws_reader *reader, struct wsp_view payload, bool is_borrowed,
                       struct wsp_ws_event *ret_event)
{
    struct wsp_ws_event event = {.payload = payload, .is_borrowed = is_borrowed};

    reader->state = STATE_HEADER;
    if (reader->frame.opcode == WSP_OPCODE_CLOSE) {
        int r = end_close(reader, &event);

        if (r != 0)
            return r;
    } else {
        event.type = reader->frame.opcode == WSP_OPCODE_PING ? WSP_WS_PING : WSP_WS_PONG;
    }
    *ret_event = event;
    return 0;
}

static int read_control(struct wsp_ws_reader *reader, struct wsp_ws_event *ret_event)
{
    size_t missing = (size_t)reader->frame.payload_len - reader->control_len;
    size_t len = missing < reader->window.len ? missing : reader->window.len;
    struct wsp_view piece = {reader->window.data, len};

    use_up(reader, len);
    if (!reader->frame.is_masked && len == reader->frame.payload_len)
        return end_control(reader, piece, true, ret_event);
    if (reader->frame.is_masked)
        wsp_mask(reader->control + reader->control_len, piece.data, len, reader->frame.key,
                 reader->control_len);
    else if (len > 0)
        memcpy(reader->control + reader->control_len, piece.data, len);
    reader->control_len = (uint8_t)(reader->control_len + len);
    if (len < missing)
        return need_more(reader);
    return end_control(reader, (struct wsp_view){reader->control, reader->control_len}, false,
                       ret_event);
}

/* -- reading -- */

/* The message that was given out and not taken. A large one must not stay behind a small one. */
static void let_go(struct wsp_ws_reader *reader)
{
    if (!reader->is_given)
        return;
    reader->is_given = false;
    if (reader->assembly.capacity > KEPT_CAPACITY)
        wsp_buffer_deinit(&reader->assembly);
    else
        wsp_buffer_truncate(&reader->assembly, 0);
}

int wsp_ws_reader_next(struct wsp_ws_reader *reader, struct wsp_ws_event *ret_event)
{
    let_go(reader);
    for (;;) {
        int r = GO_ON;

        switch (reader->state) {
        case STATE_HEADER: r = read_header(reader); break;
        case STATE_DATA:
            r = reader->is_compressed ? read_packed(reader, ret_event)
                                      : read_data(reader, ret_event);
            break;
        case STATE_CONTROL: r = read_control(reader, ret_event); break;
        case STATE_CLOSED: use_up(reader, reader->window.len); return WSP_MORE;
        default: return WSP_BROKEN;
        }
        if (r != GO_ON)
            return r;
    }
}

int wsp_ws_reader_take(struct wsp_ws_reader *reader, struct wsp_buffer *ret)
{
    if (!reader->is_given)
        return -ENODATA;
    *ret = reader->assembly;
    wsp_buffer_init(&reader->assembly, 0);
    reader->is_given = false;
    return 0;
}

bool wsp_ws_reader_is_amid(const struct wsp_ws_reader *reader)
{
    return reader->message_opcode != 0 || reader->n_staged > 0 || reader->state == STATE_CONTROL;
}

size_t wsp_ws_reader_held(const struct wsp_ws_reader *reader)
{
    return reader->assembly.capacity;
}

size_t wsp_ws_reader_may_hold(const struct wsp_ws_reader *reader)
{
    size_t most = reader->assembly.max;
    uint64_t missing = reader->frame.payload_len - reader->frame_at + MAX_BYTES_IN_ZLIB;
    uint64_t len;

    if (!reader->is_compressed || !reader->frame.is_final || reader->state != STATE_DATA ||
        missing > most / MAX_INFLATION)
        return most;
    len = wsp_buffer_len(&reader->assembly) + missing * MAX_INFLATION;
    /* A buffer doubles. */
    return len > most / 2 ? most : (size_t)(2 * len);
}
