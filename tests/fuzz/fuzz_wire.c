/*
 * fuzz_wire: a stream of local frames, read in one window and in windows of any size.
 *
 * The first byte of the input says whether magic and a HELLO are put before the stream (odd: yes),
 * the next eight are the lengths of the windows in turn, and the rest is the stream. Both ways must
 * give the same frames and the same end, and the frames written again must be the stream.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/local/message.h"
#include "proto/local/wire.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_LENGTHS = 8,
    MAX_STREAM = 4 * WSP_WIRE_MAX_FRAME,
};

/* What came of a stream. */
struct outcome {
    struct wsp_buffer frames; /* written again */
    int end;
    struct wsp_wire_error error;
    bool is_at_boundary;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The window is a block of its own, so that a byte too many or too late is seen by ASan. */
static void read_window(struct wsp_wire_reader *reader, const uint8_t *data, size_t len,
                        struct outcome *outcome)
{
    uint8_t *window = malloc(len == 0 ? 1 : len);
    struct wsp_wire_frame frame;
    uint8_t header[WSP_WIRE_HEADER_LEN];

    require(window != NULL);
    memcpy(window, data, len);
    wsp_wire_reader_feed(reader, (struct wsp_view){window, len});
    while ((outcome->end = wsp_wire_reader_next(reader, &frame)) == 0) {
        wsp_wire_header_write(header, frame.type, frame.flags, frame.channel, frame.payload.len);
        require(wsp_buffer_append(&outcome->frames, header, sizeof(header)) == 0);
        require(wsp_buffer_append(&outcome->frames, frame.payload.data, frame.payload.len) == 0);
    }
    require(outcome->end == WSP_MORE || outcome->end == WSP_BROKEN);
    require(reader->partial.capacity <= WSP_WIRE_MAX_FRAME);
    memset(window, 0xee, len);
    free(window);
}

static void read_stream(struct wsp_view stream, const uint8_t lengths[N_LENGTHS],
                        struct outcome *ret_outcome)
{
    struct wsp_wire_reader reader;

    *ret_outcome = (struct outcome){.end = WSP_MORE};
    wsp_buffer_init(&ret_outcome->frames, MAX_STREAM);
    wsp_wire_reader_init(&reader);
    for (size_t i = 0; stream.len > 0 && ret_outcome->end == WSP_MORE; i++) {
        size_t want = lengths == NULL ? stream.len : lengths[i % N_LENGTHS] + (size_t)1;
        struct wsp_view window;

        require(wsp_view_take(&stream, want < stream.len ? want : stream.len, &window));
        read_window(&reader, window.data, window.len, ret_outcome);
    }
    ret_outcome->error = reader.error;
    ret_outcome->is_at_boundary = wsp_wire_reader_is_at_boundary(&reader);
    wsp_wire_reader_deinit(&reader);
}

static void compare(struct wsp_view stream, const struct outcome *one, const struct outcome *many)
{
    struct wsp_view frames = {wsp_buffer_peek(&one->frames), wsp_buffer_len(&one->frames)};
    struct wsp_view again = {wsp_buffer_peek(&many->frames), wsp_buffer_len(&many->frames)};
    struct wsp_view original;

    require(wsp_view_equals(frames, again));
    require(one->end == many->end);
    require(one->error.code == many->error.code && one->error.type == many->error.type &&
            one->error.channel == many->error.channel);
    require((one->error.code != 0) == (one->end == WSP_BROKEN));
    require(one->is_at_boundary == many->is_at_boundary);
    if (frames.len == 0)
        return;
    require(wsp_view_take(&stream, WSP_WIRE_MAGIC_LEN, &original));
    require(wsp_view_take(&stream, frames.len, &original));
    require(wsp_view_equals(frames, original));
    if (one->end == WSP_MORE)
        require(one->is_at_boundary == (stream.len == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    /* The zero that ends the literal is the last byte of the header. */
    static const uint8_t start[] = WSP_WIRE_MAGIC "\0\0\0\0\1\0\0\0\0\0\0";
    struct wsp_buffer stream;
    struct wsp_view bytes;
    struct outcome one;
    struct outcome many;

    if (len < 1 + N_LENGTHS || len > MAX_STREAM - sizeof(start))
        return 0;
    wsp_buffer_init(&stream, MAX_STREAM);
    if ((data[0] & 1) != 0)
        require(wsp_buffer_append(&stream, start, sizeof(start)) == 0);
    require(wsp_buffer_append(&stream, data + 1 + N_LENGTHS, len - 1 - N_LENGTHS) == 0);
    bytes = (struct wsp_view){wsp_buffer_peek(&stream), wsp_buffer_len(&stream)};
    read_stream(bytes, NULL, &one);
    read_stream(bytes, data + 1, &many);
    compare(bytes, &one, &many);
    wsp_buffer_deinit(&one.frames);
    wsp_buffer_deinit(&many.frames);
    wsp_buffer_deinit(&stream);
    return 0;
}
