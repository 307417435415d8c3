/*
 * frame: the header of one WebSocket frame, read and written (RFC 6455, section 5.2).
 *
 * Between the transport's bytes and message.c; see frame.h for the contract.
 *
 *      0                   1
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *     +-+-+-+-+-------+-+-------------+    length 0-125: itself
 *     |F|R|R|R| opcode|M| length      |    126: 16 bits follow
 *     |I|S|S|S|  (4)  |A|  (7)        |    127: 64 bits follow, the highest one 0
 *     |N|V|V|V|       |S|             |    then, if MASK, 4 bytes of key
 *     | |1|2|3|       |K|             |
 *     +-+-+-+-+-------+-+-------------+    most significant byte first
 *
 * Invariant: a header that was read is the only encoding of what it says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/websocket/frame.h"

#include <string.h>

#include "proto/limits.h"

enum {
    FINAL = 0x80,
    RSV_ALL = WSP_RSV1 | WSP_RSV2 | WSP_RSV3,
    OPCODE = 0x0f,
    MASKED = 0x80,
    LENGTH = 0x7f,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
    MAX_LENGTH_7 = 125,
};

/* What each opcode is; one without a row is reserved. */
static const struct {
    bool is_known;
    bool is_data_start;
} opcodes[OPCODE + 1] = {
    [WSP_OPCODE_CONTINUATION] = {.is_known = true},
    [WSP_OPCODE_TEXT] = {.is_known = true, .is_data_start = true},
    [WSP_OPCODE_BINARY] = {.is_known = true, .is_data_start = true},
    [WSP_OPCODE_CLOSE] = {.is_known = true},
    [WSP_OPCODE_PING] = {.is_known = true},
    [WSP_OPCODE_PONG] = {.is_known = true},
};

static size_t put_be(uint8_t *to, size_t len, uint64_t value)
{
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    return len;
}

static uint64_t get_be(const uint8_t *from, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value = value << 8 | from[i];
    return value;
}

size_t wsp_frame_header_write(uint8_t to[WSP_FRAME_MAX_HEADER],
                              const struct wsp_frame_header *header)
{
    uint8_t masked = header->is_masked ? MASKED : 0;
    size_t len = 2;

    to[0] = (uint8_t)((header->is_final ? FINAL : 0) | (header->rsv & RSV_ALL) |
                      (header->opcode & OPCODE));
    if (header->payload_len <= MAX_LENGTH_7) {
        to[1] = (uint8_t)(masked | header->payload_len);
    } else if (header->payload_len <= UINT16_MAX) {
        to[1] = masked | LENGTH_16;
        len += put_be(to + len, 2, header->payload_len);
    } else {
        to[1] = masked | LENGTH_64;
        len += put_be(to + len, 8, header->payload_len);
    }
    if (header->is_masked) {
        memcpy(to + len, header->key, WSP_FRAME_KEY);
        len += WSP_FRAME_KEY;
    }
    return len;
}

/* What the first byte alone shows to be wrong, or NULL. */
static const char *first_byte_flaw(uint8_t first, uint8_t rsv_known)
{
    unsigned opcode = first & OPCODE;
    uint8_t rsv = first & RSV_ALL;

    if (!opcodes[opcode].is_known)
        return "a frame has a reserved opcode (RFC 6455, section 5.2)";
    if (rsv & ~rsv_known)
        return "a frame has a reserved bit set that no extension in force knows "
               "(RFC 6455, section 5.2)";
    if (rsv != 0 && !opcodes[opcode].is_data_start)
        return "a reserved bit is set on a frame that begins no message (RFC 7692, section 6.1)";
    if (wsp_opcode_is_control(opcode) && !(first & FINAL))
        return "a control frame is fragmented (RFC 6455, section 5.5)";
    return NULL;
}

/* The same of the second byte, of a frame with that first one. */
static const char *second_byte_flaw(uint8_t first, uint8_t second, enum wsp_role role)
{
    bool is_masked = (second & MASKED) != 0;

    if (role == WSP_ROLE_CLIENT && is_masked)
        return "a frame of the server is masked (RFC 6455, section 5.1)";
    if (role == WSP_ROLE_SERVER && !is_masked)
        return "a frame of the client is not masked (RFC 6455, section 5.1)";
    if (wsp_opcode_is_control(first & OPCODE) && (second & LENGTH) > WSP_MAX_CONTROL_PAYLOAD)
        return "a control frame has more than 125 bytes of payload (RFC 6455, section 5.5)";
    return NULL;
}

static size_t n_length_bytes(uint8_t second)
{
    switch (second & LENGTH) {
    case LENGTH_16: return 2;
    case LENGTH_64: return 8;
    default: return 0;
    }
}

/* Reads the extended length; one that is cut off is judged by the bytes that are there. */
static int read_length(const uint8_t *from, size_t available, size_t n_bytes, uint64_t *ret_len,
                       const char **ret_why)
{
    size_t n = available < n_bytes ? available : n_bytes;
    uint64_t smallest = n_bytes == 2 ? MAX_LENGTH_7 + 1 : UINT16_MAX + 1;
    uint64_t value = get_be(from, n);

    if (n_bytes == 8 && n > 0 && from[0] & 0x80) {
        *ret_why = "a 64-bit length has its highest bit set (RFC 6455, section 5.2)";
        return WSP_BROKEN;
    }
    /* The largest value that the missing bytes could still make of it. */
    for (size_t i = n; i < n_bytes; i++)
        value = value << 8 | 0xff;
    if (value < smallest) {
        *ret_why = "a length is not in its shortest form (RFC 6455, section 5.2)";
        return WSP_BROKEN;
    }
    if (n < n_bytes)
        return WSP_MORE;
    *ret_len = value;
    return 0;
}

int wsp_frame_header_read(struct wsp_view input, enum wsp_role role, uint8_t rsv_known,
                          struct wsp_frame_header *ret_header, size_t *ret_len,
                          const char **ret_why)
{
    struct wsp_frame_header header;
    const uint8_t *bytes = input.data;
    size_t n_bytes;
    size_t len = 2;
    const char *why;

    if (input.len == 0)
        return WSP_MORE;
    why = first_byte_flaw(bytes[0], rsv_known);
    if (why == NULL && input.len > 1)
        why = second_byte_flaw(bytes[0], bytes[1], role);
    if (why != NULL) {
        *ret_why = why;
        return WSP_BROKEN;
    }
    if (input.len == 1)
        return WSP_MORE;

    header = (struct wsp_frame_header){
        .payload_len = bytes[1] & LENGTH,
        .opcode = bytes[0] & OPCODE,
        .rsv = bytes[0] & RSV_ALL,
        .is_final = (bytes[0] & FINAL) != 0,
        .is_masked = (bytes[1] & MASKED) != 0,
    };
    n_bytes = n_length_bytes(bytes[1]);
    if (n_bytes > 0) {
        int r = read_length(bytes + len, input.len - len, n_bytes, &header.payload_len, ret_why);
        if (r != 0)
            return r;
        len += n_bytes;
    }
    if (header.is_masked) {
        if (input.len - len < WSP_FRAME_KEY)
            return WSP_MORE;
        memcpy(header.key, bytes + len, WSP_FRAME_KEY);
        len += WSP_FRAME_KEY;
    }
    *ret_header = header;
    *ret_len = len;
    return 0;
}
