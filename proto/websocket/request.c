/*
 * request: the opening handshake (RFC 6455, section 4.2.1): a client's request, judged by a server;
 * handshake.c writes the answer.
 *
 * Between head.c, which reads HTTP, and message.c, which takes over behind the answer; see
 * handshake.h for the contract.
 *
 * Invariant: a request is given out only when every condition holds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "proto/websocket/handshake.h"

/* -- the conditions of section 4.2.1 -- */

static bool is_new_enough(const struct wsp_head *head)
{
    return wsp_head_minor(head) >= 1;
}

static bool is_get(const struct wsp_head *head)
{
    return wsp_view_equals(wsp_head_method(head), WSP_VIEW_LITERAL("GET"));
}

static bool has_host(const struct wsp_head *head)
{
    struct wsp_view value;

    return wsp_head_find_only(head, "Host", &value) && value.len > 0;
}

/* What follows the head must be frames and nothing else. */
static bool has_no_body(const struct wsp_head *head)
{
    struct wsp_view value;
    size_t index = 0;

    while (wsp_head_find(head, "Content-Length", &index, &value)) {
        if (!wsp_view_equals(value, WSP_VIEW_LITERAL("0")))
            return false;
    }
    return wsp_head_count(head, "Transfer-Encoding") == 0;
}

static bool wants_websocket(const struct wsp_head *head)
{
    return wsp_head_list_has(head, "Upgrade", "websocket");
}

static bool wants_upgrade(const struct wsp_head *head)
{
    return wsp_head_list_has(head, "Connection", "Upgrade");
}

static bool has_version(const struct wsp_head *head)
{
    struct wsp_view value;

    return wsp_head_find_only(head, "Sec-WebSocket-Version", &value) &&
           wsp_view_equals(value, WSP_VIEW_LITERAL("13"));
}

static bool is_base64_character(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Base64 of 16 bytes: 22 characters and two for filling. */
static bool has_key(const struct wsp_head *head)
{
    struct wsp_view value;

    if (!wsp_head_find_only(head, "Sec-WebSocket-Key", &value) || value.len != WSP_HANDSHAKE_KEY ||
        memcmp(value.data + WSP_HANDSHAKE_KEY - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < WSP_HANDSHAKE_KEY - 2; i++) {
        if (!is_base64_character(value.data[i]))
            return false;
    }
    return true;
}

static const struct {
    bool (*holds)(const struct wsp_head *head);
    unsigned status;
    const char *why;
} conditions[] = {
    {is_new_enough, 505, "the request is not HTTP/1.1"},
    {is_get, 405, "the method is not GET"},
    {has_host, 400, "the request has no Host field, or more than one"},
    {has_no_body, 400, "the request has a body"},
    {wants_websocket, 426, "Upgrade does not name \"websocket\""},
    {wants_upgrade, 426, "Connection does not name \"Upgrade\""},
    {has_version, 426, "Sec-WebSocket-Version is not 13"},
    {has_key, 400, "Sec-WebSocket-Key is not 16 bytes in base64"},
};

/* -- reading -- */

void wsp_request_reader_init(struct wsp_request_reader *reader, size_t max_head_bytes,
                             size_t max_head_fields)
{
    *reader = (struct wsp_request_reader){0};
    wsp_head_init(&reader->head, WSP_HEAD_REQUEST, max_head_bytes, max_head_fields);
}

void wsp_request_reader_deinit(struct wsp_request_reader *reader)
{
    if (reader == NULL)
        return;
    wsp_head_deinit(&reader->head);
}

void wsp_request_reader_feed(struct wsp_request_reader *reader, struct wsp_view input)
{
    wsp_head_feed(&reader->head, input);
}

static int refuse(struct wsp_request_reader *reader, unsigned status, const char *why)
{
    reader->status = status;
    reader->why = why;
    return WSP_BROKEN;
}

static unsigned status_for_flaw(enum wsp_head_flaw flaw)
{
    switch (flaw) {
    case WSP_HEAD_TOO_LARGE:
    case WSP_HEAD_TOO_MANY_FIELDS: return 431;
    case WSP_HEAD_BAD_VERSION: return 505;
    default: return 400;
    }
}

int wsp_request_reader_next(struct wsp_request_reader *reader,
                            struct wsp_client_request *ret_request)
{
    struct wsp_client_request request = {.head = &reader->head};
    struct wsp_view key;
    int r = wsp_head_next(&reader->head);

    if (r == WSP_BROKEN) {
        enum wsp_head_flaw flaw = wsp_head_get_flaw(&reader->head);

        return refuse(reader, status_for_flaw(flaw), wsp_head_flaw_to_string(flaw));
    }
    if (r != 0)
        return r;
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
        if (!conditions[i].holds(&reader->head))
            return refuse(reader, conditions[i].status, conditions[i].why);
    }
    request.target = wsp_head_target(&reader->head);
    wsp_head_find(&reader->head, "Host", NULL, &request.host);
    wsp_head_find(&reader->head, "Origin", NULL, &request.origin);
    wsp_head_find(&reader->head, "Sec-WebSocket-Key", NULL, &key);
    memcpy(request.key, key.data, sizeof(request.key));
    request.rest = wsp_head_rest(&reader->head);
    *ret_request = request;
    return 0;
}

bool wsp_client_request_has_protocol(const struct wsp_client_request *request,
                                     struct wsp_view protocol)
{
    struct wsp_head_list list = wsp_head_list(request->head, "Sec-WebSocket-Protocol");
    struct wsp_view element;

    while (wsp_head_list_next(&list, &element)) {
        if (wsp_view_equals(element, protocol))
            return true;
    }
    return false;
}
