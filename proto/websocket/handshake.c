/*
 * handshake: the opening handshake (RFC 6455, section 4): the writing half; verdict.c is the judging one.
 *
 * Between who wants to connect (or to be connected to) and the transport; see handshake.h for the
 * contract.
 *
 * Invariant: what is written is judged first, so that no argument can end a line and begin another.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/handshake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/rules.h"
#include "proto/websocket/basic.h"

/* -- digests -- */

static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

void wsp_handshake_key(const uint8_t nonce[WSP_HANDSHAKE_NONCE], char ret_key[WSP_HANDSHAKE_KEY])
{
    wsp_base64_encode(nonce, WSP_HANDSHAKE_NONCE, ret_key);
}

void wsp_handshake_accept_input(const char key[WSP_HANDSHAKE_KEY],
                                char ret_input[WSP_HANDSHAKE_ACCEPT_INPUT])
{
    _Static_assert(WSP_HANDSHAKE_ACCEPT_INPUT == WSP_HANDSHAKE_KEY + sizeof(guid) - 1, "");
    memcpy(ret_input, key, WSP_HANDSHAKE_KEY);
    memcpy(ret_input + WSP_HANDSHAKE_KEY, guid, sizeof(guid) - 1);
}

void wsp_handshake_accept(const uint8_t digest[WSP_HANDSHAKE_DIGEST],
                          char ret_accept[WSP_HANDSHAKE_ACCEPT])
{
    wsp_base64_encode(digest, WSP_HANDSHAKE_DIGEST, ret_accept);
}

/* -- writing: the first failure is kept, and at the end undoes everything -- */

struct writer {
    struct wsp_buffer *out;
    size_t len_before;
    int error;
};

static struct writer writer_on(struct wsp_buffer *out)
{
    return (struct writer){.out = out, .len_before = wsp_buffer_len(out)};
}

static int writer_end(struct writer *writer)
{
    if (writer->error < 0)
        wsp_buffer_truncate(writer->out, writer->len_before);
    return writer->error;
}

static void put(struct writer *writer, struct wsp_view view)
{
    if (writer->error == 0)
        writer->error = wsp_buffer_append(writer->out, view.data, view.len);
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, wsp_view_of_string(text));
}

static void put_field(struct writer *writer, const char *name, struct wsp_view value)
{
    put_text(writer, name);
    put_text(writer, ": ");
    put(writer, value);
    put_text(writer, "\r\n");
}

static void put_field_unless_empty(struct writer *writer, const char *name, struct wsp_view value)
{
    if (value.len > 0)
        put_field(writer, name, value);
}

static void put_headers(struct writer *writer, const struct wsp_field *headers, size_t n_headers)
{
    for (size_t i = 0; i < n_headers; i++) {
        put(writer, headers[i].name);
        put_text(writer, ": ");
        put(writer, headers[i].value);
        put_text(writer, "\r\n");
    }
}

/* -- what may be written -- */

static bool is_value(struct wsp_view value)
{
    return wsp_header_value_is_valid((const char *)value.data, value.len);
}

static bool are_headers(const struct wsp_field *headers, size_t n_headers)
{
    for (size_t i = 0; i < n_headers; i++) {
        struct wsp_view name = headers[i].name;

        if (!wsp_view_is_token(name) || !is_value(headers[i].value) ||
            !wsp_header_name_is_for_user((const char *)name.data, name.len))
            return false;
    }
    return true;
}

/* One word of visible ASCII, as the request line and the Host field want it. */
static bool is_word(struct wsp_view word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] <= ' ' || word.data[i] >= 0x7f)
            return false;
    }
    return word.len > 0;
}

static bool is_protocol(struct wsp_view protocol)
{
    return wsp_subprotocol_is_valid((const char *)protocol.data, protocol.len);
}

static bool are_protocols(const struct wsp_view *protocols, size_t n_protocols)
{
    if (n_protocols > WSP_MAX_N_SUBPROTOCOLS)
        return false;
    for (size_t i = 0; i < n_protocols; i++) {
        if (!is_protocol(protocols[i]))
            return false;
        for (size_t j = 0; j < i; j++) {
            if (wsp_view_equals(protocols[i], protocols[j]))
                return false;
        }
    }
    return true;
}

static bool is_request(const struct wsp_request *request)
{
    return is_word(request->target) && request->target.data[0] == '/' && is_word(request->host) &&
           are_protocols(request->protocols, request->n_protocols) &&
           is_value(request->extensions) && is_value(request->origin) &&
           is_value(request->user_agent) &&
           (!request->has_credentials ||
            wsp_basic_is_valid(request->username, request->password)) &&
           are_headers(request->headers, request->n_headers);
}

/* -- client: the request (section 4.1) -- */

static bool has_header(const struct wsp_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        if (wsp_token_is(request->headers[i].name, name))
            return true;
    }
    return false;
}

static void put_protocols(struct writer *writer, const struct wsp_view *protocols,
                          size_t n_protocols)
{
    for (size_t i = 0; i < n_protocols; i++) {
        put_text(writer, i == 0 ? "Sec-WebSocket-Protocol: " : ", ");
        put(writer, protocols[i]);
    }
    if (n_protocols > 0)
        put_text(writer, "\r\n");
}

static void put_credentials(struct writer *writer, const struct wsp_request *request)
{
    put_text(writer, "Authorization: ");
    if (writer->error == 0)
        writer->error = wsp_basic_append(writer->out, request->username, request->password);
    put_text(writer, "\r\n");
}

int wsp_handshake_write_request(struct wsp_buffer *out, const struct wsp_request *request)
{
    struct writer writer = writer_on(out);
    char key[WSP_HANDSHAKE_KEY];

    if (!is_request(request))
        return -EINVAL;
    wsp_handshake_key(request->nonce, key);
    put_text(&writer, "GET ");
    put(&writer, request->target);
    put_text(&writer, " HTTP/1.1\r\n");
    put_field(&writer, "Host", request->host);
    put_text(&writer, "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    put_field(&writer, "Sec-WebSocket-Key", (struct wsp_view){(const uint8_t *)key, sizeof(key)});
    put_text(&writer, "Sec-WebSocket-Version: 13\r\n");
    put_protocols(&writer, request->protocols, request->n_protocols);
    put_field_unless_empty(&writer, "Sec-WebSocket-Extensions", request->extensions);
    if (!has_header(request, "Origin"))
        put_field_unless_empty(&writer, "Origin", request->origin);
    if (!has_header(request, "User-Agent"))
        put_field_unless_empty(&writer, "User-Agent", request->user_agent);
    if (request->has_credentials && !has_header(request, "Authorization"))
        put_credentials(&writer, request);
    put_headers(&writer, request->headers, request->n_headers);
    put_text(&writer, "\r\n");
    return writer_end(&writer);
}

/* -- server: the answer (section 4.2.2) -- */

int wsp_handshake_write_accept(struct wsp_buffer *out, const char accept[WSP_HANDSHAKE_ACCEPT],
                               struct wsp_view protocol, struct wsp_view extensions,
                               const struct wsp_field *headers, size_t n_headers)
{
    struct writer writer = writer_on(out);

    if ((protocol.len > 0 && !is_protocol(protocol)) || !is_value(extensions) ||
        !are_headers(headers, n_headers))
        return -EINVAL;
    put_text(&writer, "HTTP/1.1 101 Switching Protocols\r\n"
                      "Upgrade: websocket\r\nConnection: Upgrade\r\n");
    put_field(&writer, "Sec-WebSocket-Accept",
              (struct wsp_view){(const uint8_t *)accept, WSP_HANDSHAKE_ACCEPT});
    put_field_unless_empty(&writer, "Sec-WebSocket-Protocol", protocol);
    put_field_unless_empty(&writer, "Sec-WebSocket-Extensions", extensions);
    put_headers(&writer, headers, n_headers);
    put_text(&writer, "\r\n");
    return writer_end(&writer);
}

/* What a refusal says: its phrase, and the fields that HTTP wants with that status. */
static const struct {
    unsigned status;
    const char *phrase;
    const char *fields;
} refusals[] = {
    {301, "Moved Permanently", ""},
    {302, "Found", ""},
    {307, "Temporary Redirect", ""},
    {308, "Permanent Redirect", ""},
    {400, "Bad Request", ""},
    {401, "Unauthorized", ""},
    {403, "Forbidden", ""},
    {404, "Not Found", ""},
    {405, "Method Not Allowed", "Allow: GET\r\n"},
    {426, "Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"},
    {429, "Too Many Requests", ""},
    {431, "Request Header Fields Too Large", ""},
    {500, "Internal Server Error", ""},
    {503, "Service Unavailable", ""},
    {505, "HTTP Version Not Supported", ""},
};

int wsp_handshake_write_refusal(struct wsp_buffer *out, unsigned status, struct wsp_view body,
                                const struct wsp_field *headers, size_t n_headers)
{
    struct writer writer = writer_on(out);
    const char *phrase = "";
    const char *fields = "";
    char line[64];

    /* 1xx is no final answer, 204 and 304 have no body and so no end that we could tell of. */
    if (status < 200 || status > 999 || status == 204 || status == 304 ||
        !are_headers(headers, n_headers))
        return -EINVAL;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (refusals[i].status == status) {
            phrase = refusals[i].phrase;
            fields = refusals[i].fields;
        }
    }
    snprintf(line, sizeof(line), "HTTP/1.1 %u ", status);
    put_text(&writer, line);
    put_text(&writer, phrase);
    /* Upgrade is a hop-by-hop field, so Connection names it (RFC 9110, section 7.8). */
    put_text(&writer,
             status == 426 ? "\r\nConnection: Upgrade, close\r\n" : "\r\nConnection: close\r\n");
    put_text(&writer, fields);
    snprintf(line, sizeof(line), "Content-Length: %zu\r\n", body.len);
    put_text(&writer, line);
    put_text(&writer, "Content-Type: text/plain; charset=utf-8\r\n");
    put_headers(&writer, headers, n_headers);
    put_text(&writer, "\r\n");
    put(&writer, body);
    return writer_end(&writer);
}
