/*
 * outgoing: messages and control frames on their way out (RFC 6455, sections 5.5 and 5.6; RFC 7692, section
 * 6.1); message.c is the way in.
 *
 * Between the send queue and the transport; see message.h for the contract.
 *
 * Invariant: what is written is one frame and final; RSV1 is set on packed messages, and no other reserved
 * bit on anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "proto/rules.h"
#include "proto/websocket/mask.h"
#include "proto/websocket/message.h"

/* Stands for a close frame without payload (section 7.1.5). */
#define CODE_NO_STATUS 1005

static void begin(struct wsp_ws_outgoing *outgoing, enum wsp_role role, enum wsp_opcode opcode,
                  uint8_t rsv, struct wsp_view payload, const uint8_t *key)
{
    struct wsp_frame_header header = {
        .payload_len = payload.len,
        .opcode = (uint8_t)opcode,
        .rsv = rsv,
        .is_final = true,
        .is_masked = role == WSP_ROLE_CLIENT,
    };

    *outgoing = (struct wsp_ws_outgoing){.payload = payload, .is_masked = header.is_masked};
    if (header.is_masked) {
        memcpy(header.key, key, sizeof(header.key));
        memcpy(outgoing->key, key, sizeof(outgoing->key));
    }
    outgoing->header_len = (uint8_t)wsp_frame_header_write(outgoing->header, &header);
}

void wsp_ws_outgoing_begin(struct wsp_ws_outgoing *outgoing, enum wsp_role role, bool is_binary,
                           struct wsp_view payload, const uint8_t *key)
{
    begin(outgoing, role, is_binary ? WSP_OPCODE_BINARY : WSP_OPCODE_TEXT, 0, payload, key);
}

void wsp_ws_outgoing_begin_packed(struct wsp_ws_outgoing *outgoing, enum wsp_role role,
                                  bool is_binary, struct wsp_view payload, const uint8_t *key)
{
    begin(outgoing, role, is_binary ? WSP_OPCODE_BINARY : WSP_OPCODE_TEXT, WSP_RSV1, payload, key);
}

static size_t fill_header(struct wsp_ws_outgoing *outgoing, uint8_t *room, size_t room_len)
{
    size_t len = (size_t)(outgoing->header_len - outgoing->header_at);

    if (len > room_len)
        len = room_len;
    if (len > 0)
        memcpy(room, outgoing->header + outgoing->header_at, len);
    outgoing->header_at = (uint8_t)(outgoing->header_at + len);
    return len;
}

static size_t fill_payload(struct wsp_ws_outgoing *outgoing, uint8_t *room, size_t room_len)
{
    struct wsp_view piece = outgoing->payload;

    if (piece.len > room_len)
        piece.len = room_len;
    if (piece.len == 0)
        return 0;
    if (outgoing->is_masked)
        wsp_mask(room, piece.data, piece.len, outgoing->key, outgoing->payload_at);
    else
        memcpy(room, piece.data, piece.len);
    outgoing->payload_at += piece.len;
    outgoing->payload.data += piece.len;
    outgoing->payload.len -= piece.len;
    return piece.len;
}

size_t wsp_ws_outgoing_fill(struct wsp_ws_outgoing *outgoing, uint8_t *room, size_t room_len)
{
    size_t len = fill_header(outgoing, room, room_len);

    return len + fill_payload(outgoing, room + len, room_len - len);
}

static int append_all(struct wsp_buffer *out, struct wsp_ws_outgoing *outgoing)
{
    size_t len = wsp_ws_outgoing_left(outgoing);
    uint8_t *room;
    int r = wsp_buffer_reserve(out, len, &room);

    if (r < 0)
        return r;
    wsp_buffer_commit(out, wsp_ws_outgoing_fill(outgoing, room, len));
    return 0;
}

int wsp_ws_write_message(struct wsp_buffer *out, enum wsp_role role, bool is_binary,
                         struct wsp_view payload, const uint8_t *key)
{
    struct wsp_ws_outgoing outgoing;

    wsp_ws_outgoing_begin(&outgoing, role, is_binary, payload, key);
    return append_all(out, &outgoing);
}

int wsp_ws_write_control(struct wsp_buffer *out, enum wsp_role role, enum wsp_opcode opcode,
                         struct wsp_view payload, const uint8_t *key)
{
    struct wsp_ws_outgoing outgoing;

    if ((opcode != WSP_OPCODE_PING && opcode != WSP_OPCODE_PONG && opcode != WSP_OPCODE_CLOSE) ||
        payload.len > WSP_MAX_CONTROL_PAYLOAD)
        return -EINVAL;
    begin(&outgoing, role, opcode, 0, payload, key);
    return append_all(out, &outgoing);
}

int wsp_ws_write_close(struct wsp_buffer *out, enum wsp_role role, uint16_t code,
                       struct wsp_view reason, const uint8_t *key)
{
    uint8_t payload[WSP_MAX_CONTROL_PAYLOAD];
    struct wsp_view view = {payload, 2 + reason.len};

    if (code == CODE_NO_STATUS) {
        if (reason.len > 0)
            return -EINVAL;
        return wsp_ws_write_control(out, role, WSP_OPCODE_CLOSE, reason, key);
    }
    if (!wsp_close_code_is_valid_on_wire(code) ||
        !wsp_close_reason_is_valid(reason.data, reason.len))
        return -EINVAL;
    payload[0] = (uint8_t)(code >> 8);
    payload[1] = (uint8_t)code;
    if (reason.len > 0)
        memcpy(payload + 2, reason.data, reason.len);
    return wsp_ws_write_control(out, role, WSP_OPCODE_CLOSE, view, key);
}
