/*
 * message: whole messages out of frames and into frames (RFC 6455, sections 5.4 to 5.6, 7 and 8.1;
 * RFC 7692, section 6).
 *
 * On the way of a message the reader stands between the transport's window of bytes and the
 * upstream's log; the writer between the send queue and the transport.
 *
 * Invariant: an event is given out only when every byte of it has arrived and was found good.
 *
 * How long views live: a window that was fed stays the caller's memory; it must stay as it is until
 * the reader has used it up (WSP_MORE) or the caller has taken wsp_ws_reader_rest() elsewhere. The
 * views of an event live until the next call of _feed, _next or _deinit, those into the window
 * (is_borrowed) as long as the window.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_MESSAGE_H
#define WSPLEX_PROTO_WEBSOCKET_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/limits.h"
#include "proto/pull.h"
#include "proto/utf8.h"
#include "proto/websocket/deflate.h"
#include "proto/websocket/frame.h"

/* -- reading -- */

enum wsp_ws_event_type {
    WSP_WS_MESSAGE, /* is_binary, payload, is_borrowed */
    WSP_WS_PING,    /* payload: answer with a pong that carries it (section 5.5.2) */
    WSP_WS_PONG,    /* payload */
    WSP_WS_CLOSE,   /* code, payload: the reason */
};

struct wsp_ws_event {
    enum wsp_ws_event_type type;
    bool is_binary;
    bool is_borrowed; /* payload is in the window; otherwise it is in the reader's memory, and
                                that of a message may be had by wsp_ws_reader_take() */
    uint16_t code;    /* of a close: as received, 1005 when there is none */
    struct wsp_view payload; /* text is valid UTF-8, reasons too */
};

struct wsp_ws_limits {
    size_t max_message;     /* bytes of a message; one more is broken with 1009 */
    uint32_t max_fragments; /* frames of a message; one more is broken with 1009 */
};

/* Everything in it is private but what the functions below give out. */
struct wsp_ws_reader {
    enum wsp_role role;
    uint8_t state;
    uint8_t rsv_in_force; /* reserved bits that an extension in force gives a meaning to */
    struct wsp_ws_limits limits;

    struct wsp_view window; /* what is not used up yet */

    uint8_t staged[WSP_FRAME_MAX_HEADER]; /* a header that was cut by the window's end */
    uint8_t n_staged;
    struct wsp_frame_header frame; /* the frame under way */
    uint64_t frame_at;             /* bytes of its payload that are through */

    uint8_t message_opcode; /* of the message under way; 0: none */
    uint32_t n_fragments;
    struct wsp_utf8 utf8;
    struct wsp_buffer assembly; /* its max is what the message under way can come to */
    bool is_given;              /* the last event is in assembly */

    struct wsp_inflater inflater;
    size_t allowance;   /* bytes that may still come out of it */
    uint64_t n_packed;  /* bytes of the message under way that went into it */
    bool is_compressed; /* the message under way */
    bool is_wet;        /* more may come out of it without anything going in */

    uint8_t control_len;
    uint8_t control[WSP_MAX_CONTROL_PAYLOAD];

    uint16_t broken_code;
    const char *broken_why;
};

/* Begins at the first byte after the handshake, as the end with role. Allocates nothing. */
void wsp_ws_reader_init(struct wsp_ws_reader *reader, enum wsp_role role,
                        const struct wsp_ws_limits *limits);
void wsp_ws_reader_deinit(struct wsp_ws_reader *reader);

/*
 * permessage-deflate is in force: messages whose first frame has RSV1 are unpacked, as the other
 * end packs them by mode. To be called before anything is fed. Allocates nothing.
 */
void wsp_ws_reader_inflate(struct wsp_ws_reader *reader, struct wsp_deflate_mode mode);

/*
 * From now on len bytes may come out of unpacking, then wsp_ws_reader_next() says WSP_WS_SPENT: a
 * small window can hold much. Without a call there is no such bound.
 */
void wsp_ws_reader_allow(struct wsp_ws_reader *reader, size_t len);

/* Of these, so many are left. */
static inline size_t wsp_ws_reader_allowed(const struct wsp_ws_reader *reader)
{
    return reader->allowance;
}

/* Lends window, in place of what is left of the one before (see wsp_ws_reader_rest()). */
void wsp_ws_reader_feed(struct wsp_ws_reader *reader, struct wsp_view window);

/* Of wsp_ws_reader_next(), beside the results of pull.h. */
enum { WSP_WS_SPENT = 4 };

/*
 * Gives the next event. The caller may stop after any event and come back later.
 *
 * 0           *ret_event.
 * WSP_MORE    the window is used up. After a close this is all that is ever said: what follows it
 *             is dropped unread (section 5.5.1).
 * WSP_BROKEN  the peer broke a rule: send wsp_ws_reader_broken_code() and fail the connection
 *             (section 7.1.7). It stays so.
 * WSP_WS_SPENT the allowance is used up; to be called again, with the same window, when there is
 *             another.
 * -ENOMEM     no room to assemble the message; may be repeated, nothing is lost.
 */
int wsp_ws_reader_next(struct wsp_ws_reader *reader, struct wsp_ws_event *ret_event);

/*
 * What of the window is not used up. A caller that stops early and must give the window's memory
 * away copies this and feeds the copy when it comes back.
 */
static inline struct wsp_view wsp_ws_reader_rest(const struct wsp_ws_reader *reader)
{
    return reader->window;
}

/*
 * Right after a message that is not borrowed: moves its memory to *ret, which the caller gives to
 * wsp_buffer_deinit() (what *ret held before is not looked at). The event's payload then lives as
 * long as *ret does, unchanged. -ENODATA: there is no such message at hand.
 */
int wsp_ws_reader_take(struct wsp_ws_reader *reader, struct wsp_buffer *ret);

/* After WSP_WS_SPENT: is there something to go on with, though the window may be empty? */
static inline bool wsp_ws_reader_is_wet(const struct wsp_ws_reader *reader)
{
    return reader->is_wet;
}

/* Is a message begun and not ended, or a frame? Then the end of the stream loses something. */
bool wsp_ws_reader_is_amid(const struct wsp_ws_reader *reader);

/* Bytes of memory held for a message under way, for the caller's charges. */
size_t wsp_ws_reader_held(const struct wsp_ws_reader *reader);

/* What these bytes can come to until the message is whole: the length that its frames have told, or
 * what that can be unpacked to, or max_message where they have not told all of it. */
size_t wsp_ws_reader_may_hold(const struct wsp_ws_reader *reader);

/* After WSP_BROKEN: 1002, 1007 or 1009, and the rule in one line (a constant). */
static inline uint16_t wsp_ws_reader_broken_code(const struct wsp_ws_reader *reader)
{
    return reader->broken_code;
}
static inline const char *wsp_ws_reader_broken_why(const struct wsp_ws_reader *reader)
{
    return reader->broken_why;
}

/* -- writing -- */

/*
 * A client masks, so each writer takes a masking key: 4 bytes that nobody can guess, new for every
 * frame (section 5.3). In the server role key is not looked at and may be NULL.
 */

/*
 * Appends one control frame to out: WSP_OPCODE_PING, _PONG or _CLOSE.
 * -EINVAL: no control opcode, or a payload over 125 bytes. -ENOMEM and what wsp_buffer says; out is
 * then as it was.
 */
int wsp_ws_write_control(struct wsp_buffer *out, enum wsp_role role, enum wsp_opcode opcode,
                         struct wsp_view payload, const uint8_t *key);

/*
 * Appends a close frame (section 5.5.1). A code of 1005 stands for none and leaves the payload
 * empty. -EINVAL: a code that may not be sent (section 7.4), a reason over 123 bytes or not UTF-8,
 * or one with no code. Otherwise as above.
 */
int wsp_ws_write_close(struct wsp_buffer *out, enum wsp_role role, uint16_t code,
                       struct wsp_view reason, const uint8_t *key);

/*
 * A data message on its way out, in one frame, written in as many pieces as the room it gets. The
 * payload is borrowed until all is written.
 */
struct wsp_ws_outgoing {
    struct wsp_view payload; /* not yet written */
    size_t payload_at;       /* bytes written, for the mask */
    uint8_t header[WSP_FRAME_MAX_HEADER];
    uint8_t header_len;
    uint8_t header_at;
    bool is_masked;
    uint8_t key[WSP_FRAME_KEY];
};

/* payload.len is at most 2^63 - 1, as anything in memory is. Text must be valid UTF-8. */
void wsp_ws_outgoing_begin(struct wsp_ws_outgoing *outgoing, enum wsp_role role, bool is_binary,
                           struct wsp_view payload, const uint8_t *key);

/* The same for a message that wsp_deflater_step() has packed: payload is what came of it. */
void wsp_ws_outgoing_begin_packed(struct wsp_ws_outgoing *outgoing, enum wsp_role role,
                                  bool is_binary, struct wsp_view payload, const uint8_t *key);

/* Writes the next bytes of the frame to room and returns how many: all that fit, or what is
 * left. */
size_t wsp_ws_outgoing_fill(struct wsp_ws_outgoing *outgoing, uint8_t *room, size_t room_len);

/* Bytes not yet written, header included; 0 when the frame is out. */
static inline size_t wsp_ws_outgoing_left(const struct wsp_ws_outgoing *outgoing)
{
    return outgoing->payload.len + (size_t)(outgoing->header_len - outgoing->header_at);
}

/* Appends a whole data message in one frame, all or nothing: -ENOMEM, -ENOBUFS. */
int wsp_ws_write_message(struct wsp_buffer *out, enum wsp_role role, bool is_binary,
                         struct wsp_view payload, const uint8_t *key);

#endif
