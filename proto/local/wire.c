/*
 * wire: the framing of the local protocol, bytes to frames and back.
 *
 * Between a stream socket and local/message; see wire.h for the contract. Invariant: a frame is
 * handed out only when its header is sound and all of its payload is there, and no more than one
 * frame is ever kept.
 *
 *   state     what the reader holds                       leaves it by
 *   magic     n_magic of its bytes were right             the last one: header; a wrong one: broken
 *   header    fewer than 12 bytes of a frame              the 12th: payload, or broken
 *   payload   a sound header, and less than its payload   the last byte: header, with an event
 *   broken    error.code                                  never
 *
 * A frame that lies in the window as a whole passes through header and payload without being kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/wire.h"

#include <assert.h>
#include <string.h>

#include "proto/local/errors.h"
#include "proto/local/message.h"

#define ALL_FLAGS (WSP_WIRE_MORE | WSP_WIRE_MUST_UNDERSTAND)

struct header {
    size_t payload_len;
    uint8_t type;
    uint8_t flags;
    uint16_t zero;
    uint32_t channel;
};

void wsp_wire_reader_init(struct wsp_wire_reader *reader)
{
    *reader = (struct wsp_wire_reader){0};
    wsp_buffer_init(&reader->partial, WSP_WIRE_MAX_FRAME);
}

void wsp_wire_reader_deinit(struct wsp_wire_reader *reader)
{
    if (reader != NULL)
        wsp_buffer_deinit(&reader->partial);
}

void wsp_wire_reader_feed(struct wsp_wire_reader *reader, struct wsp_view window)
{
    reader->window = window;
}

static int broken(struct wsp_wire_reader *reader, enum wsp_fatal code, uint8_t type,
                  uint32_t channel)
{
    reader->error = (struct wsp_wire_error){
        .code = (uint16_t)code,
        .type = type,
        .channel = channel,
    };
    reader->window = (struct wsp_view){0};
    wsp_buffer_deinit(&reader->partial);
    return WSP_BROKEN;
}

static int read_magic(struct wsp_wire_reader *reader)
{
    uint8_t byte;

    while (reader->n_magic < WSP_WIRE_MAGIC_LEN) {
        if (!wsp_view_take_u8(&reader->window, &byte))
            return WSP_MORE;
        if (byte != (uint8_t)WSP_WIRE_MAGIC[reader->n_magic])
            return broken(reader, WSP_FATAL_BAD_MAGIC, 0, 0);
        reader->n_magic++;
    }
    return 0;
}

static uint32_t load_le(const uint8_t *from, size_t len)
{
    uint32_t value = 0;

    for (size_t i = len; i > 0; i--)
        value = value << 8 | from[i - 1];
    return value;
}

static struct header load_header(const uint8_t *from)
{
    return (struct header){
        .payload_len = load_le(from, 4),
        .type = from[4],
        .flags = from[5],
        .zero = (uint16_t)load_le(from + 6, 2),
        .channel = load_le(from + 8, 4),
    };
}

/* The length comes before the order of frames: who sends garbage learns what is wrong with it. */
static int judge_header(struct wsp_wire_reader *reader, const struct header *header)
{
    enum wsp_fatal code;

    if (header->zero != 0 || (header->flags & ~ALL_FLAGS) != 0)
        code = WSP_FATAL_BAD_HEADER;
    else if (header->payload_len > WSP_MAX_LOCAL_PAYLOAD)
        code = WSP_FATAL_TOO_LONG;
    else if (!reader->has_hello && header->type != WSP_LOCAL_HELLO)
        code = WSP_FATAL_NO_HELLO;
    else if (reader->has_hello && header->type == WSP_LOCAL_HELLO)
        code = WSP_FATAL_OUT_OF_TURN;
    else
        return 0;
    return broken(reader, code, header->type, header->channel);
}

/* Moves bytes from the window to the frame that is kept, until it has want of them. */
static int keep(struct wsp_wire_reader *reader, size_t want)
{
    size_t len = want - wsp_buffer_len(&reader->partial);
    struct wsp_view taken;
    int r;

    if (len > reader->window.len)
        len = reader->window.len;
    r = wsp_buffer_append(&reader->partial, reader->window.data, len);
    if (r < 0)
        return r;
    (void)wsp_view_take(&reader->window, len, &taken);
    return wsp_buffer_len(&reader->partial) < want ? WSP_MORE : 0;
}

static void hand_out(struct wsp_wire_reader *reader, const struct header *header,
                     const uint8_t *frame, struct wsp_wire_frame *ret_frame)
{
    reader->has_hello = true;
    *ret_frame = (struct wsp_wire_frame){
        .type = header->type,
        .flags = header->flags,
        .channel = header->channel,
        .payload = {frame + WSP_WIRE_HEADER_LEN, header->payload_len},
    };
}

static int next_from_partial(struct wsp_wire_reader *reader, struct wsp_wire_frame *ret_frame)
{
    struct header header;
    int r;

    if (wsp_buffer_len(&reader->partial) < WSP_WIRE_HEADER_LEN) {
        r = keep(reader, WSP_WIRE_HEADER_LEN);
        if (r != 0)
            return r;
    }
    header = load_header(wsp_buffer_peek(&reader->partial));
    r = judge_header(reader, &header);
    if (r != 0)
        return r;
    r = keep(reader, WSP_WIRE_HEADER_LEN + header.payload_len);
    if (r != 0)
        return r;
    hand_out(reader, &header, wsp_buffer_peek(&reader->partial), ret_frame);
    reader->is_partial_out = true;
    return 0;
}

static int next_from_window(struct wsp_wire_reader *reader, struct wsp_wire_frame *ret_frame)
{
    size_t want = WSP_WIRE_HEADER_LEN;
    struct header header;
    struct wsp_view frame;
    int r;

    if (reader->window.len == 0)
        return WSP_MORE;
    if (reader->window.len >= WSP_WIRE_HEADER_LEN) {
        header = load_header(reader->window.data);
        r = judge_header(reader, &header);
        if (r != 0)
            return r;
        want += header.payload_len;
        if (wsp_view_take(&reader->window, want, &frame)) {
            hand_out(reader, &header, frame.data, ret_frame);
            return 0;
        }
    }
    return keep(reader, want);
}

int wsp_wire_reader_next(struct wsp_wire_reader *reader, struct wsp_wire_frame *ret_frame)
{
    int r;

    if (reader->error.code != 0)
        return WSP_BROKEN;
    if (reader->is_partial_out) {
        wsp_buffer_consume(&reader->partial, wsp_buffer_len(&reader->partial));
        wsp_buffer_trim(&reader->partial);
        reader->is_partial_out = false;
    }
    r = read_magic(reader);
    if (r != 0)
        return r;
    if (wsp_buffer_len(&reader->partial) > 0)
        return next_from_partial(reader, ret_frame);
    return next_from_window(reader, ret_frame);
}

bool wsp_wire_reader_has_magic(const struct wsp_wire_reader *reader)
{
    return reader->n_magic == WSP_WIRE_MAGIC_LEN;
}

bool wsp_wire_reader_is_at_boundary(const struct wsp_wire_reader *reader)
{
    return reader->has_hello && wsp_buffer_len(&reader->partial) == 0;
}

void wsp_wire_header_write(uint8_t ret_header[WSP_WIRE_HEADER_LEN], uint8_t type, uint8_t flags,
                           uint32_t channel, size_t payload_len)
{
    assert(payload_len <= WSP_MAX_LOCAL_PAYLOAD);
    memset(ret_header, 0, WSP_WIRE_HEADER_LEN);
    for (size_t i = 0; i < 4; i++) {
        ret_header[i] = (uint8_t)(payload_len >> (8 * i));
        ret_header[8 + i] = (uint8_t)(channel >> (8 * i));
    }
    ret_header[4] = type;
    ret_header[5] = flags;
}
