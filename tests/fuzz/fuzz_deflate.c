/*
 * fuzz_deflate: packed data from anybody, cut as the input says and compared with the same in one piece;
 * and the input as a message, packed, cut and unpacked.
 *
 * See chunks.h for the input. Flags: 1 is context takeover; 6 chooses among windows of 8, 9, 12 and 15
 * bits; 8 goes on with a second message after each end. Besides, the wire is judged as an answer and
 * chosen from as offers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/deflate.h"
#include "proto/websocket/offer.h"

#include "tests/fuzz/chunks.h"

#include <stdlib.h>
#include <string.h>

#define MAX_UNPACKED 100000

enum {
    FLAG_TAKEOVER = 1,
    FLAG_AGAIN = 8,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct wsp_deflate_mode mode_of(unsigned flags)
{
    static const uint8_t bits[] = {8, 9, 12, 15};

    return (struct wsp_deflate_mode){bits[flags >> 1 & 3], (flags & FLAG_TAKEOVER) != 0};
}

/* What comes out of piece, or of the end of the message, in rooms of any size. */
static int unpack(struct wsp_inflater *inflater, struct wsp_view *piece, size_t room_len,
                  struct wsp_buffer *out)
{
    size_t n;
    int r;

    do {
        uint8_t *room = malloc(room_len);

        require(room != NULL);
        n = 0;
        r = piece != NULL ? wsp_inflater_pull(inflater, piece, room, room_len, &n)
                          : wsp_inflater_end(inflater, room, room_len, &n);
        require(r == 0 || r == WSP_BROKEN);
        require(n <= room_len);
        require(wsp_buffer_append(out, room, n) == 0);
        free(room);
    } while (r == 0 && n == room_len && wsp_buffer_len(out) < MAX_UNPACKED);
    require(r != 0 || n == room_len || piece == NULL || piece->len == 0);
    return r;
}

/* Where the two runs differ in how far they came, they must not differ in what came. */
static int unpack_all(struct chunks *chunks, size_t room_len, struct wsp_buffer *out)
{
    struct wsp_inflater inflater;
    struct wsp_view piece;
    unsigned flags = chunks->flags;
    int r = 0;

    wsp_inflater_init(&inflater, mode_of(flags));
    while (r == 0 && wsp_buffer_len(out) < MAX_UNPACKED && chunks_next(chunks, &piece))
        r = unpack(&inflater, &piece, room_len, out);
    if (r == 0 && wsp_buffer_len(out) < MAX_UNPACKED)
        r = unpack(&inflater, NULL, room_len, out);
    wsp_inflater_rest(&inflater);
    if (r == 0 && wsp_buffer_len(out) < MAX_UNPACKED) {
        require((flags & FLAG_TAKEOVER) || wsp_inflater_held(&inflater) == 0);
        piece = (struct wsp_view){(const uint8_t *)"\xf2\x48\xcd\xc9\xc9\x07\x00", 7};
        if (flags & FLAG_AGAIN)
            require(unpack(&inflater, &piece, room_len, out) == 0 &&
                    unpack(&inflater, NULL, room_len, out) == 0);
    }
    wsp_inflater_deinit(&inflater);
    chunks_deinit(chunks);
    return r;
}

static void fuzz_unpacking(const uint8_t *data, size_t len)
{
    struct wsp_buffer cut, whole;
    struct chunks chunks;
    size_t least;
    int r_cut, r_whole;

    wsp_buffer_init(&cut, SIZE_MAX);
    wsp_buffer_init(&whole, SIZE_MAX);
    chunks_init(&chunks, data, len);
    r_cut = unpack_all(&chunks, (size_t)data[0] + 1, &cut);
    chunks_init(&chunks, data, len);
    chunks_join(&chunks);
    r_whole = unpack_all(&chunks, 4096, &whole);
    least = wsp_buffer_len(&cut) < wsp_buffer_len(&whole) ? wsp_buffer_len(&cut)
                                                          : wsp_buffer_len(&whole);
    require(least == 0 || memcmp(wsp_buffer_peek(&cut), wsp_buffer_peek(&whole), least) == 0);
    /* A reference beyond a small window passes where what it refers to is still in the room. */
    if (mode_of(chunks.flags).window_bits == WSP_DEFLATE_MAX_BITS &&
        wsp_buffer_len(&cut) < MAX_UNPACKED && wsp_buffer_len(&whole) < MAX_UNPACKED)
        require(r_cut == r_whole && wsp_buffer_len(&cut) == wsp_buffer_len(&whole));
    wsp_buffer_deinit(&cut);
    wsp_buffer_deinit(&whole);
}

/* Twice the same message: the second may refer to the first. */
static void fuzz_packing(unsigned flags, struct wsp_view wire, size_t step)
{
    struct wsp_deflater deflater;
    struct wsp_inflater inflater;

    wsp_deflater_init(&deflater, mode_of(flags));
    wsp_inflater_init(&inflater, mode_of(flags));
    for (int i = 0; i < 2; i++) {
        struct wsp_buffer packed, out;
        int r;

        wsp_buffer_init(&packed, 0);
        wsp_buffer_init(&out, SIZE_MAX);
        wsp_deflater_begin(&deflater, wire);
        do {
            r = wsp_deflater_step(&deflater, step, &packed);
        } while (r == WSP_MORE);
        require(r == 0 || r == WSP_DEFLATE_PLAIN);
        require((flags & FLAG_TAKEOVER) || deflater.memory == NULL);
        if (r == 0) {
            struct wsp_view piece = {wsp_buffer_peek(&packed), wsp_buffer_len(&packed)};

            require(piece.len > 0 && piece.len < wire.len);
            while (piece.len > 0)
                require(unpack(&inflater, &piece, 4096, &out) == 0);
            require(unpack(&inflater, NULL, 4096, &out) == 0);
            require(wsp_view_equals((struct wsp_view){wsp_buffer_peek(&out), wsp_buffer_len(&out)},
                                    wire));
        }
        wsp_buffer_deinit(&packed);
        wsp_buffer_deinit(&out);
    }
    wsp_inflater_deinit(&inflater);
    wsp_deflater_deinit(&deflater);
}

/* What a server chooses is what the client that offered it agrees to. */
static void fuzz_negotiation(struct wsp_view text)
{
    struct wsp_deflate_params offered = {.client_max_window_bits = WSP_DEFLATE_BITS_ANY};
    struct wsp_deflate_params answer;
    struct wsp_deflate_agreement agreement, again;
    char written[WSP_DEFLATE_TEXT_LEN];
    const char *why;

    if (wsp_deflate_judge(text, &offered, &agreement, &why) == 0 && agreement.is_on)
        require(agreement.from_server.window_bits >= 8 && agreement.from_server.window_bits <= 15 &&
                agreement.from_client.window_bits >= 8 && agreement.from_client.window_bits <= 15);
    if (!wsp_deflate_choose(text, &(struct wsp_deflate_params){0}, &answer, &agreement))
        return;
    wsp_deflate_params_write(&answer, written);
    require(wsp_deflate_judge(wsp_view_of_string(written), &offered, &again, &why) == 0);
    require(again.from_server.window_bits == agreement.from_server.window_bits &&
            again.from_server.is_taking_over == agreement.from_server.is_taking_over);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct chunks chunks;

    if (!chunks_init(&chunks, data, len))
        return 0;
    fuzz_negotiation(chunks.wire);
    fuzz_packing(chunks.flags, chunks.wire, (size_t)data[0] * 16 + 1);
    fuzz_unpacking(data, len);
    return 0;
}
