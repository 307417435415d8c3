/*
 * deflate: the payload of permessage-deflate, packed and unpacked (RFC 7692, section 7.2).
 *
 * Between the reader of message.c and zlib, and between zlib and outgoing.c; see deflate.h for the
 * contract.
 *
 * A message on the wire lacks the end of the empty block that flushes it, 00 00 ff ff: the inflater
 * is given it after the payload, the deflater cuts it off.
 *
 * Invariant: nothing is held between two messages without context takeover; and what a deflater
 * remembers, the other end has been given.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/deflate.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

enum {
    TAIL = 4, /* the bytes of it */
    /* zlib's deflate refuses a raw window of 8 bits, and one of 9 bits reads it. */
    MIN_ZLIB_BITS = 9,
    MAX_SENT_BITS = 12,
    /* zlib's tables for a window of 12 bits take 16 KiB, and half of it for each bit less. */
    MEMORY_LEVEL_LESS = 7,
    MIN_MEMORY_LEVEL = 3,
    /* Bytes of room that deflate() is given at a time; with less than seven it flushes twice. */
    DEFLATE_ROOM = 4096,
    MIN_DEFLATE_ROOM = 16,
    /* Below it there is little to win, and the first message of a kind only grows. */
    MIN_MESSAGE = 64,
    /* What inflate() says in data_type: at the end of a block, and bits of its last byte. */
    AT_BLOCK_END = 128,
    UNUSED_BITS = 63,
};

static const uint8_t tail[TAIL] = {0x00, 0x00, 0xff, 0xff};

/* -- memory -- */

struct wsp_deflate_memory {
    z_stream stream;
    /* inflate() asks for its window in the middle of the work, where a refusal is final; so the window
     * is there from the beginning. */
    void *window;
    size_t window_len;
    size_t n_held;
};

static voidpf memory_give(voidpf opaque, uInt n_items, uInt size)
{
    struct wsp_deflate_memory *memory = opaque;
    size_t len = (size_t)n_items * size;
    void *block;

    if (memory->window != NULL && len <= memory->window_len) {
        block = memory->window;
        memory->window = NULL;
        return block;
    }
    block = malloc(len);
    if (block != NULL)
        memory->n_held += len;
    return block;
}

static void memory_take_back(voidpf opaque, voidpf block)
{
    (void)opaque;
    free(block);
}

static struct wsp_deflate_memory *memory_new(void)
{
    struct wsp_deflate_memory *memory = calloc(1, sizeof(*memory));

    if (memory == NULL)
        return NULL;
    memory->n_held = sizeof(*memory);
    memory->stream.zalloc = memory_give;
    memory->stream.zfree = memory_take_back;
    memory->stream.opaque = memory;
    return memory;
}

static struct wsp_deflate_memory *memory_free(struct wsp_deflate_memory *memory)
{
    free(memory->window);
    free(memory);
    return NULL;
}

/* zlib counts in unsigned ints. */
static uInt bounded(size_t len)
{
    return len > UINT_MAX ? UINT_MAX : (uInt)len;
}

/* -- unpacking -- */

void wsp_inflater_init(struct wsp_inflater *inflater, struct wsp_deflate_mode mode)
{
    if (mode.window_bits < MIN_ZLIB_BITS)
        mode.window_bits = MIN_ZLIB_BITS; /* older zlibs, asked for 8 bits, write with 9 */
    *inflater = (struct wsp_inflater){.mode = mode};
}

void wsp_inflater_deinit(struct wsp_inflater *inflater)
{
    if (inflater == NULL || inflater->memory == NULL)
        return;
    inflateEnd(&inflater->memory->stream);
    inflater->memory = memory_free(inflater->memory);
}

static int inflater_prepare(struct wsp_inflater *inflater)
{
    struct wsp_deflate_memory *memory;

    if (inflater->memory != NULL) {
        if (inflater->is_stale)
            inflateReset(&inflater->memory->stream);
        inflater->is_stale = false;
        return 0;
    }
    memory = memory_new();
    if (memory == NULL)
        return -ENOMEM;
    if (inflateInit2(&memory->stream, -inflater->mode.window_bits) != Z_OK)
        goto free_memory;
    memory->window_len = (size_t)1 << inflater->mode.window_bits;
    memory->window = malloc(memory->window_len);
    if (memory->window == NULL)
        goto end_inflate;
    memory->n_held += memory->window_len;
    inflater->memory = memory;
    inflater->is_stale = false;
    return 0;

end_inflate:
    inflateEnd(&memory->stream);
free_memory:
    memory_free(memory);
    return -ENOMEM;
}

/*
 * Section 7.2.3.4: a block with BFINAL may be followed by others. zlib takes it for the end of all,
 * and forgets what came before when it is told to go on; so that is handed to it again.
 */
static void inflater_go_on(struct wsp_inflater *inflater)
{
    z_stream *stream = &inflater->memory->stream;
    uint8_t history[1 << WSP_DEFLATE_MAX_BITS];
    uInt len = sizeof(history);

    inflateGetDictionary(stream, history, &len);
    inflateReset(stream);
    inflateSetDictionary(stream, history, len);
    inflater->is_final = false;
}

/* Unpacks until input is used up or room is full, whatever the blocks are. */
static int inflater_run(struct wsp_inflater *inflater, struct wsp_view *input, uint8_t *room,
                        size_t room_len, size_t *ret_len)
{
    z_stream *stream = &inflater->memory->stream;
    size_t len = 0;
    int result = 0;

    do {
        uInt n_in = bounded(input->len);
        uInt n_out = bounded(room_len - len);
        int r;

        if (inflater->is_final && n_in == 0)
            break;
        if (inflater->is_final)
            inflater_go_on(inflater);
        stream->next_in = n_in > 0 ? input->data : tail;
        stream->avail_in = n_in;
        stream->next_out = room + len;
        stream->avail_out = n_out;
        r = inflate(stream, Z_SYNC_FLUSH);
        if (n_in > 0) {
            input->data += n_in - stream->avail_in;
            input->len -= n_in - stream->avail_in;
        }
        len += n_out - stream->avail_out;
        if (r == Z_STREAM_END)
            inflater->is_final = true;
        else if (r == Z_BUF_ERROR)
            break; /* nothing to do without more of either */
        else if (r != Z_OK)
            result = r == Z_MEM_ERROR ? -ENOMEM : WSP_BROKEN;
    } while (result == 0 && input->len > 0 && len < room_len);
    *ret_len = len;
    return result;
}

int wsp_inflater_pull(struct wsp_inflater *inflater, struct wsp_view *input, uint8_t *room,
                      size_t room_len, size_t *ret_len)
{
    int r;

    if (input->len == 0 && !inflater->is_begun) {
        *ret_len = 0;
        return 0;
    }
    r = inflater_prepare(inflater);
    if (r < 0)
        return r;
    inflater->is_begun = true;
    return inflater_run(inflater, input, room, room_len, ret_len);
}

static bool inflater_is_between_blocks(const struct wsp_inflater *inflater)
{
    int where = inflater->memory->stream.data_type;

    return inflater->is_final || ((where & AT_BLOCK_END) != 0 && (where & UNUSED_BITS) == 0);
}

/*
 * The tail completes the last block. A sender that ends with a BFINAL block should add an empty one
 * for it (section 7.2.3.4); one that does not, like one that sends nothing at all for the empty
 * message, has still said everything.
 */
int wsp_inflater_end(struct wsp_inflater *inflater, uint8_t *room, size_t room_len, size_t *ret_len)
{
    struct wsp_view left = {tail + inflater->tail_at, (size_t)(TAIL - inflater->tail_at)};
    size_t len = 0;
    int r = 0;

    if (inflater->is_begun && !(inflater->is_final && inflater->tail_at == 0)) {
        r = inflater_run(inflater, &left, room, room_len, &len);
        inflater->tail_at = (uint8_t)(TAIL - left.len);
        if (r == 0 && len < room_len && !inflater_is_between_blocks(inflater))
            r = WSP_BROKEN;
    }
    if (r == 0 && len < room_len) {
        inflater->is_stale = !inflater->mode.is_taking_over;
        inflater->is_begun = false;
        inflater->is_final = inflater->is_final && !inflater->is_stale;
        inflater->tail_at = 0;
    }
    *ret_len = len;
    return r;
}

void wsp_inflater_rest(struct wsp_inflater *inflater)
{
    if (!inflater->mode.is_taking_over && !inflater->is_begun)
        wsp_inflater_deinit(inflater);
}

size_t wsp_inflater_held(const struct wsp_inflater *inflater)
{
    return inflater->memory != NULL ? inflater->memory->n_held : 0;
}

/* -- packing -- */

void wsp_deflater_init(struct wsp_deflater *deflater, struct wsp_deflate_mode mode)
{
    if (mode.window_bits > MAX_SENT_BITS)
        mode.window_bits = MAX_SENT_BITS;
    *deflater = (struct wsp_deflater){.mode = mode};
}

void wsp_deflater_deinit(struct wsp_deflater *deflater)
{
    if (deflater == NULL || deflater->memory == NULL)
        return;
    deflateEnd(&deflater->memory->stream);
    deflater->memory = memory_free(deflater->memory);
}

void wsp_deflater_begin(struct wsp_deflater *deflater, struct wsp_view message)
{
    deflater->message = message;
    deflater->is_started = false;
}

static int deflater_prepare(struct wsp_deflater *deflater)
{
    struct wsp_deflate_memory *memory;
    int level = deflater->mode.window_bits - MEMORY_LEVEL_LESS;

    if (deflater->memory != NULL)
        return 0;
    memory = memory_new();
    if (memory == NULL)
        return -ENOMEM;
    if (deflateInit2(
            &memory->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -deflater->mode.window_bits,
            level < MIN_MEMORY_LEVEL ? MIN_MEMORY_LEVEL : level, Z_DEFAULT_STRATEGY) != Z_OK) {
        memory_free(memory);
        return -ENOMEM;
    }
    deflater->memory = memory;
    return 0;
}

/* The message will not be sent in this form, so nothing may refer to it. */
static int deflater_give_up(struct wsp_deflater *deflater, struct wsp_buffer *out, int result)
{
    if (deflater->memory != NULL && deflater->is_started && deflater->mode.is_taking_over)
        deflateReset(&deflater->memory->stream);
    if (!deflater->mode.is_taking_over)
        wsp_deflater_deinit(deflater);
    wsp_buffer_truncate(out, 0);
    wsp_buffer_trim(out);
    return result;
}

/* One call of deflate(); what it says about a full room is not looked at, as avail_out tells it. */
static int deflater_run(struct wsp_deflater *deflater, size_t len, int flush,
                        struct wsp_buffer *out)
{
    z_stream *stream = &deflater->memory->stream;

    stream->next_in = deflater->message.data;
    stream->avail_in = (uInt)len;
    do {
        size_t left = out->max - wsp_buffer_len(out);
        size_t room_len = left < DEFLATE_ROOM ? left : DEFLATE_ROOM;
        uint8_t *room;
        int r;

        if (room_len < MIN_DEFLATE_ROOM)
            return -ENOBUFS;
        r = wsp_buffer_reserve(out, room_len, &room);
        if (r < 0)
            return r;
        stream->next_out = room;
        stream->avail_out = (uInt)room_len;
        deflate(stream, flush);
        wsp_buffer_commit(out, room_len - stream->avail_out);
    } while (stream->avail_out == 0);
    deflater->message.data += len;
    deflater->message.len -= len;
    return 0;
}

int wsp_deflater_step(struct wsp_deflater *deflater, size_t max_len, struct wsp_buffer *out)
{
    size_t len = bounded(deflater->message.len < max_len ? deflater->message.len : max_len);
    bool is_last = len == deflater->message.len;
    int r;

    if (!deflater->is_started) {
        if (deflater->message.len < MIN_MESSAGE || deflater->mode.window_bits < MIN_ZLIB_BITS)
            return WSP_DEFLATE_PLAIN;
        r = deflater_prepare(deflater);
        if (r < 0)
            return r;
        /* More than the message itself is not worth sending. */
        out->max = deflater->message.len + MIN_DEFLATE_ROOM;
        deflater->is_started = true;
    }
    r = deflater_run(deflater, len, is_last ? Z_SYNC_FLUSH : Z_NO_FLUSH, out);
    if (r < 0)
        return deflater_give_up(deflater, out, r == -ENOBUFS ? WSP_DEFLATE_PLAIN : r);
    if (!is_last)
        return WSP_MORE;
    wsp_buffer_truncate(out, wsp_buffer_len(out) - TAIL);
    if (wsp_buffer_len(out) + MIN_DEFLATE_ROOM >= out->max)
        return deflater_give_up(deflater, out, WSP_DEFLATE_PLAIN);
    if (!deflater->mode.is_taking_over)
        wsp_deflater_deinit(deflater);
    return 0;
}
