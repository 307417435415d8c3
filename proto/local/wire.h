/*
 * wire: the framing of the local protocol, bytes to frames and back.
 *
 * On the way of a message it stands between a stream socket and local/message, which knows what is
 * in a frame. Invariant: a frame is handed out only when its header is sound and all of its payload
 * is there, and no more than one frame is ever kept.
 *
 * A connection begins, in each direction, with the magic; then frame follows frame, the first of
 * them HELLO:
 *
 *     u32 payload length | u8 type | u8 flags | u16 zero | u32 channel | payload   (little-endian)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_PROTO_LOCAL_WIRE_H
#define WSP_PROTO_LOCAL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/limits.h"
#include "proto/pull.h"

/* The magic carries the major version: two that differ in it do not talk. */
#define WSP_WIRE_MAGIC "WSPLEX1\n"

enum {
    WSP_WIRE_MAGIC_LEN = sizeof(WSP_WIRE_MAGIC) - 1,
    WSP_WIRE_HEADER_LEN = 12,
    WSP_WIRE_MAX_FRAME = WSP_WIRE_HEADER_LEN + WSP_MAX_LOCAL_PAYLOAD,
};

enum wsp_wire_flags {
    WSP_WIRE_MORE = 1,            /* another frame of the same message or reply follows */
    WSP_WIRE_MUST_UNDERSTAND = 2, /* whoever does not know the type must end the connection */
};

struct wsp_wire_frame {
    uint8_t type;
    uint8_t flags;
    uint32_t channel;
    struct wsp_view payload;
};

/* What broke the stream, and the frame where it did; type and channel are 0 where there is none. */
struct wsp_wire_error {
    uint16_t code; /* enum wsp_fatal */
    uint8_t type;
    uint32_t channel;
};

/* The members are private to wire.c, except error once wsp_wire_reader_next() said WSP_BROKEN. */
struct wsp_wire_reader {
    struct wsp_wire_error error;
    struct wsp_view window;
    struct wsp_buffer partial;
    uint8_t n_magic;
    bool has_hello;
    bool is_partial_out;
};

/* A reader at the start of a connection. Allocates nothing. */
void wsp_wire_reader_init(struct wsp_wire_reader *reader);

/* Gives back what the reader holds; NULL is allowed, and so is a second call. */
void wsp_wire_reader_deinit(struct wsp_wire_reader *reader);

/*
 * Lends the reader the next bytes of the stream, by the rules of proto/pull.h, in place of what is
 * left of the window before (see wsp_wire_reader_rest()).
 */
void wsp_wire_reader_feed(struct wsp_wire_reader *reader, struct wsp_view window);

/*
 * The next frame, by the rules of proto/pull.h:
 *
 *   0            *ret_frame is set; its payload points into the window or into the reader
 *   WSP_MORE     the window is used up
 *   WSP_BROKEN   the stream breaks the protocol, and reader->error says how
 *   -ENOMEM      nothing is lost, the call may be repeated with the window still there
 *
 * A header is judged as soon as it is whole, before its payload arrives. Found here are BAD_MAGIC,
 * BAD_HEADER, TOO_LONG, NO_HELLO, and OUT_OF_TURN for a second HELLO. Memory is taken only for a
 * frame of which the window held a part, never more than that frame, and given back when the frame
 * is done with.
 */
int wsp_wire_reader_next(struct wsp_wire_reader *reader, struct wsp_wire_frame *ret_frame);

/*
 * What of the window is not used up. A caller that stops early and must give the window's memory
 * away copies this and feeds the copy when it comes back.
 */
static inline struct wsp_view wsp_wire_reader_rest(const struct wsp_wire_reader *reader)
{
    return reader->window;
}

/* Whether the magic has come: who accepts connections says nothing before. */
bool wsp_wire_reader_has_magic(const struct wsp_wire_reader *reader);

/*
 * Whether the other side may stop here: its HELLO has come, and no frame has begun. To be asked
 * after WSP_MORE.
 */
bool wsp_wire_reader_is_at_boundary(const struct wsp_wire_reader *reader);

/* Writes the header of a frame. payload_len is at most WSP_MAX_LOCAL_PAYLOAD. */
void wsp_wire_header_write(uint8_t ret_header[WSP_WIRE_HEADER_LEN], uint8_t type, uint8_t flags,
                           uint32_t channel, size_t payload_len);

/* What a data frame (TEXT, BINARY) takes of a channel's credit, in both directions. */
static inline uint64_t wsp_wire_cost(size_t payload_len)
{
    return (uint64_t)payload_len + WSP_WIRE_HEADER_LEN;
}

#endif
