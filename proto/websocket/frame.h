/*
 * frame: the header of one WebSocket frame, read and written (RFC 6455, section 5.2).
 *
 * On the way of a message it stands between the transport's bytes and message.h, which puts frames
 * together.
 *
 * Invariant: a header that was read is the only encoding of what it says (lengths are
 * minimal), so that writing it again gives the same bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_FRAME_H
#define WSPLEX_PROTO_WEBSOCKET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/pull.h"

/*
 * Which end of the connection we are. A client masks every frame it sends and takes no masked one;
 * a server the other way round (section 5.1).
 */
enum wsp_role {
    WSP_ROLE_CLIENT,
    WSP_ROLE_SERVER,
};

/* Section 5.2; 3-7 and 0xB-0xF are reserved and refused on reading. */
enum wsp_opcode {
    WSP_OPCODE_CONTINUATION = 0x0,
    WSP_OPCODE_TEXT = 0x1,
    WSP_OPCODE_BINARY = 0x2,
    WSP_OPCODE_CLOSE = 0x8,
    WSP_OPCODE_PING = 0x9,
    WSP_OPCODE_PONG = 0xa,
};

/* The reserved bits as they stand in the first byte of a frame. */
enum {
    WSP_RSV1 = 0x40,
    WSP_RSV2 = 0x20,
    WSP_RSV3 = 0x10,
};

enum {
    WSP_FRAME_MAX_HEADER = 14, /* 2 bytes, a 64-bit length and a masking key */
    WSP_FRAME_KEY = 4,         /* bytes of a masking key */
};

struct wsp_frame_header {
    uint64_t payload_len; /* bytes; at most 2^63 - 1 */
    uint8_t key[WSP_FRAME_KEY];
    uint8_t opcode; /* enum wsp_opcode */
    uint8_t rsv;    /* WSP_RSV1 | WSP_RSV2 | WSP_RSV3 */
    bool is_final;
    bool is_masked;
};

/*
 * Writes header to to and returns how many bytes that took (2 to WSP_FRAME_MAX_HEADER). The length
 * is written in the shortest form, as section 5.2 demands.
 */
size_t wsp_frame_header_write(uint8_t to[WSP_FRAME_MAX_HEADER],
                              const struct wsp_frame_header *header);

/*
 * Reads the frame header that input begins with, as received by an end with role.
 *
 * rsv_known are the reserved bits that an extension in force gives a meaning to; they may be set on
 * the first frame of a data message alone (RFC 7692, section 6.1). Whether a continuation is in its
 * place is not known here: message.h judges that.
 *
 * 0           *ret_header is the header and *ret_len the bytes it took.
 * WSP_MORE    input is too short and nothing in it is wrong so far.
 * WSP_BROKEN  no valid frame begins like this; *ret_why is the broken rule in one line, a constant.
 *             The close code is 1002. Told at the first byte that shows it.
 */
int wsp_frame_header_read(struct wsp_view input, enum wsp_role role, uint8_t rsv_known,
                          struct wsp_frame_header *ret_header, size_t *ret_len,
                          const char **ret_why);

static inline bool wsp_opcode_is_control(unsigned opcode)
{
    return (opcode & 0x8) != 0;
}

#endif
