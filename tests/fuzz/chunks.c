/*
 * chunks: an input that says itself how it is cut; see chunks.h.
 *
 * Between libFuzzer's bytes and a codec.
 *
 * Invariant: each piece is a block of its own of exactly its length, and the one before is gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/chunks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool chunks_init(struct chunks *chunks, const uint8_t *data, size_t len)
{
    struct wsp_view input = {data, len};
    uint8_t first;

    *chunks = (struct chunks){0};
    if (!wsp_view_take_u8(&input, &first) || !wsp_view_take(&input, first & 0x0f, &chunks->sizes))
        return false;
    chunks->flags = first >> 4;
    chunks->wire = input;
    return true;
}

void chunks_join(struct chunks *chunks)
{
    chunks->sizes.len = 0;
}

bool chunks_next(struct chunks *chunks, struct wsp_view *ret_piece)
{
    size_t len = chunks->wire.len;
    struct wsp_view piece;

    free(chunks->piece);
    chunks->piece = NULL;
    if (len == 0)
        return false;
    if (chunks->sizes.len > 0) {
        size_t size = chunks->sizes.data[chunks->n_given++ % chunks->sizes.len] + (size_t)1;

        if (size < len)
            len = size;
    }
    require(wsp_view_take(&chunks->wire, len, &piece));
    chunks->piece = malloc(len);
    require(chunks->piece != NULL);
    memcpy(chunks->piece, piece.data, len);
    *ret_piece = (struct wsp_view){chunks->piece, len};
    return true;
}

void chunks_deinit(struct chunks *chunks)
{
    free(chunks->piece);
    chunks->piece = NULL;
}

void story_tell(struct wsp_buffer *story, const char *format, ...)
{
    char text[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    require(len >= 0 && (size_t)len < sizeof(text));
    require(wsp_buffer_append(story, text, (size_t)len) == 0);
}

void story_tell_bytes(struct wsp_buffer *story, struct wsp_view bytes)
{
    story_tell(story, "%zu:", bytes.len);
    require(wsp_buffer_append(story, bytes.data, bytes.len) == 0);
}

void chunks_compare(const uint8_t *data, size_t len,
                    void (*run)(struct wsp_buffer *story, struct chunks *chunks))
{
    struct wsp_buffer cut;
    struct wsp_buffer whole;
    struct chunks chunks;

    if (!chunks_init(&chunks, data, len))
        return;
    wsp_buffer_init(&cut, SIZE_MAX);
    wsp_buffer_init(&whole, SIZE_MAX);
    run(&cut, &chunks);
    chunks_init(&chunks, data, len);
    chunks_join(&chunks);
    run(&whole, &chunks);
    require(wsp_view_equals((struct wsp_view){wsp_buffer_peek(&cut), wsp_buffer_len(&cut)},
                            (struct wsp_view){wsp_buffer_peek(&whole), wsp_buffer_len(&whole)}));
    wsp_buffer_deinit(&cut);
    wsp_buffer_deinit(&whole);
}

void require(bool holds)
{
    if (!holds)
        abort();
}
