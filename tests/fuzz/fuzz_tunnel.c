/*
 * fuzz_tunnel: a proxy's answers cut as the input says, compared with the same in one piece.
 *
 * See chunks.h for the input; flag 1 makes the proxy one of SOCKS5, flag 2 gives credentials.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/tunnel.h"

#include "proto/limits.h"
#include "tests/fuzz/chunks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Writes what is due, a few bytes at a time. */
static void take_output(struct wsp_tunnel *tunnel, struct wsp_buffer *said)
{
    struct wsp_view output;

    while ((output = wsp_tunnel_output(tunnel)).len > 0) {
        size_t n = output.len > 3 ? 3 : output.len;

        require(wsp_buffer_append(said, output.data, n) == 0);
        wsp_tunnel_written(tunnel, n);
    }
}

static void run(struct wsp_buffer *story, struct chunks *chunks)
{
    struct wsp_tunnel_asked asked = {
        .kind = chunks->flags & 1 ? WSP_TUNNEL_SOCKS5 : WSP_TUNNEL_HTTP,
        .host = WSP_VIEW_LITERAL("feed.example"),
        .port = 443,
        .has_credentials = (chunks->flags & 2) != 0,
        .username = WSP_VIEW_LITERAL("user"),
        .password = WSP_VIEW_LITERAL("secret"),
    };
    struct wsp_buffer said;
    struct wsp_tunnel tunnel;
    struct wsp_view piece;
    int r = WSP_MORE;

    wsp_buffer_init(&said, SIZE_MAX);
    require(wsp_tunnel_init(&tunnel, &asked) == 0);
    take_output(&tunnel, &said);
    while (r == WSP_MORE && chunks_next(chunks, &piece)) {
        wsp_tunnel_feed(&tunnel, piece);
        r = wsp_tunnel_next(&tunnel);
        require(tunnel.head.bytes.capacity <= WSP_MAX_TUNNEL_HEAD);
        require(r != WSP_MORE || wsp_tunnel_rest(&tunnel).len == 0);
        take_output(&tunnel, &said);
    }
    story_tell_bytes(story, (struct wsp_view){wsp_buffer_peek(&said), wsp_buffer_len(&said)});
    story_tell(story, "%d ", r);
    if (r == 0)
        story_tell(story, "rest %zu", wsp_tunnel_rest(&tunnel).len + chunks->wire.len);
    else if (r == WSP_BROKEN)
        story_tell(story, "%u %s %d", wsp_tunnel_answer(&tunnel), wsp_tunnel_problem(&tunnel),
                   (int)wsp_tunnel_is_about_address(&tunnel));
    else
        require(r == WSP_MORE);
    wsp_buffer_deinit(&said);
    wsp_tunnel_deinit(&tunnel);
    chunks_deinit(chunks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    chunks_compare(data, len, run);
    return 0;
}
