/*
 * fuzz_handshake: answers and requests cut as the input says, compared with the same in one piece.
 *
 * See chunks.h for the input. Flags: 1 is a request; 2 is an answer when subprotocols and extensions
 * were asked for; 4 makes a subprotocol needed; 8 writes a request with the input in every part, which
 * must be refused or be one that a server reads as it was meant.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/handshake.h"

#include "tests/fuzz/chunks.h"

#include <errno.h>
#include <string.h>

#define MAX_BYTES  4096
#define MAX_FIELDS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct wsp_view protocols[] = {{(const uint8_t *)"chat", 4},
                                            {(const uint8_t *)"v2", 2}};

static struct wsp_asked asked_by(unsigned flags)
{
    struct wsp_asked asked = {
        .max_head_bytes = MAX_BYTES, .max_head_fields = MAX_FIELDS, .now_s = 784111777};

    memcpy(asked.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", sizeof(asked.accept));
    if (flags & 2) {
        asked.protocols = protocols;
        asked.n_protocols = 2;
        asked.extensions = WSP_VIEW_LITERAL("permessage-deflate; client_max_window_bits, foo");
    }
    asked.is_protocol_needed = (flags & 4) != 0;
    return asked;
}

static void run_answer(struct wsp_buffer *story, struct chunks *chunks)
{
    struct wsp_asked asked = asked_by(chunks->flags);
    struct wsp_response_reader reader;
    struct wsp_response response = {0};
    struct wsp_view piece;
    int r = WSP_MORE;

    wsp_response_reader_init(&reader, &asked);
    while ((r == WSP_MORE || wsp_response_reader_wants_body(&reader)) &&
           chunks_next(chunks, &piece)) {
        wsp_response_reader_feed(&reader, piece);
        r = wsp_response_reader_next(&reader, &response);
    }
    story_tell(story, "%d ", r);
    if (r != WSP_MORE) {
        require((r == 0) == (response.verdict <= WSP_VERDICT_REFUSED));
        require(response.excerpt.len == 0 || response.verdict == WSP_VERDICT_REFUSED);
        require(response.excerpt.len <= WSP_MAX_ANSWER_EXCERPT);
        require(response.retry_after_s >= -1);
        story_tell(story, "%u %u %lld %s", (unsigned)response.verdict, response.status,
                   (long long)response.retry_after_s, response.text);
        story_tell_bytes(story, response.reason);
        story_tell_bytes(story, response.protocol);
        story_tell_bytes(story, response.extensions);
        story_tell_bytes(story, response.retry_after);
        story_tell_bytes(story, response.excerpt);
        if (response.verdict == WSP_VERDICT_ACCEPTED)
            story_tell(story, "rest %zu", response.rest.len + chunks->wire.len);
    }
    wsp_response_reader_deinit(&reader);
    chunks_deinit(chunks);
}

static void run_request(struct wsp_buffer *story, struct chunks *chunks)
{
    struct wsp_request_reader reader;
    struct wsp_client_request request = {0};
    struct wsp_view piece;
    int r = WSP_MORE;

    wsp_request_reader_init(&reader, MAX_BYTES, MAX_FIELDS);
    while (r == WSP_MORE && chunks_next(chunks, &piece)) {
        wsp_request_reader_feed(&reader, piece);
        r = wsp_request_reader_next(&reader, &request);
    }
    story_tell(story, "%d ", r);
    if (r == 0) {
        require(wsp_request_reader_status(&reader) == 0);
        story_tell_bytes(story, request.target);
        story_tell_bytes(story, request.host);
        story_tell_bytes(story, request.origin);
        story_tell(story, "%.24s rest %zu", request.key, request.rest.len + chunks->wire.len);
        wsp_client_request_has_protocol(&request, protocols[0]);
    } else if (r == WSP_BROKEN) {
        story_tell(story, "%u %s", wsp_request_reader_status(&reader),
                   wsp_request_reader_why(&reader));
    }
    wsp_request_reader_deinit(&reader);
    chunks_deinit(chunks);
}

/* The next part of the input, up to a bar. */
static struct wsp_view take_part(struct wsp_view *input)
{
    struct wsp_view part = {input->data, 0};

    while (part.len < input->len && input->data[part.len] != '|')
        part.len++;
    input->data += part.len;
    input->len -= part.len;
    if (input->len > 0) {
        input->data++;
        input->len--;
    }
    return part;
}

/* Host, Upgrade, Connection, Key and Version; the user's header; and what else was given. */
static size_t n_fields(const struct wsp_request *request)
{
    struct wsp_view name = request->headers[0].name;
    size_t n = 6;

    n += request->n_protocols > 0;
    n += request->extensions.len > 0;
    n += request->origin.len > 0 && !wsp_token_is(name, "Origin");
    n += request->has_credentials && !wsp_token_is(name, "Authorization");
    return n;
}

/* What a server reads of a request that was written must be what was asked for, field by field. */
static void check_written(const struct wsp_buffer *out, const struct wsp_request *request)
{
    struct wsp_request_reader reader;
    struct wsp_client_request read;
    struct wsp_view value;

    wsp_request_reader_init(&reader, SIZE_MAX, 100);
    wsp_request_reader_feed(&reader, (struct wsp_view){wsp_buffer_peek(out), wsp_buffer_len(out)});
    require(wsp_request_reader_next(&reader, &read) == 0);
    require(read.rest.len == 0);
    require(wsp_view_equals(read.target, request->target));
    require(wsp_view_equals(read.host, request->host));
    require(wsp_head_n_fields(read.head) == n_fields(request));
    for (size_t i = 0; i < request->n_protocols; i++)
        require(wsp_client_request_has_protocol(&read, request->protocols[i]));
    if (request->extensions.len > 0) {
        require(wsp_head_find(read.head, "Sec-WebSocket-Extensions", NULL, &value));
        require(wsp_view_equals(value, request->extensions));
    }
    wsp_request_reader_deinit(&reader);
}

static void write_request(struct wsp_view input)
{
    struct wsp_view asked_for[2];
    struct wsp_field header;
    struct wsp_request request = {.n_protocols = 2, .protocols = asked_for, .n_headers = 1};
    struct wsp_buffer out;
    int r;

    request.target = take_part(&input);
    request.host = take_part(&input);
    asked_for[0] = take_part(&input);
    asked_for[1] = take_part(&input);
    if (asked_for[1].len == 0)
        request.n_protocols = asked_for[0].len > 0;
    request.extensions = take_part(&input);
    request.origin = take_part(&input);
    request.username = take_part(&input);
    request.password = take_part(&input);
    request.has_credentials = request.username.len + request.password.len > 0;
    header.name = take_part(&input);
    header.value = take_part(&input);
    request.headers = &header;
    wsp_buffer_init(&out, SIZE_MAX);
    r = wsp_handshake_write_request(&out, &request);
    require(r == 0 || r == -EINVAL);
    if (r == 0)
        check_written(&out, &request);
    else
        require(wsp_buffer_len(&out) == 0);
    wsp_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct chunks chunks;

    if (!chunks_init(&chunks, data, len))
        return 0;
    if (chunks.flags & 8)
        write_request(chunks.wire);
    else
        chunks_compare(data, len, chunks.flags & 1 ? run_request : run_answer);
    return 0;
}
