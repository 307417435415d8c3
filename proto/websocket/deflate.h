/*
 * deflate: the payload of permessage-deflate, packed and unpacked (RFC 7692, section 7.2).
 *
 * On the way of a message the inflater stands within the reader of message.h, between the unmasked
 * payload and the UTF-8 check; the deflater between the send queue and outgoing.c.
 *
 * Invariant: nothing is held between two messages without context takeover; and what a deflater
 * remembers, the other end has been given.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_DEFLATE_H
#define WSPLEX_PROTO_WEBSOCKET_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/pull.h"

/* Bits of an LZ77 window, as section 7.1.2 has them. */
enum {
    WSP_DEFLATE_MIN_BITS = 8,
    WSP_DEFLATE_MAX_BITS = 15,
};

/* One direction of a connection: the parameters in force for whoever sends in it. */
struct wsp_deflate_mode {
    uint8_t window_bits;
    bool is_taking_over; /* a message may refer to those before it */
};

struct wsp_deflate_memory; /* zlib's */

/* -- unpacking -- */

/* Its members are private to deflate.c. */
struct wsp_inflater {
    struct wsp_deflate_mode mode;
    struct wsp_deflate_memory *memory; /* NULL: nothing to remember */
    uint8_t tail_at;                   /* bytes of the tail of section 7.2.2 that are through */
    bool is_begun;                     /* a byte of the message under way has come */
    bool is_stale;                     /* to be wiped before the next message */
    bool is_final;                     /* a block with BFINAL has ended, and nothing has followed */
};

/* Allocates nothing. */
void wsp_inflater_init(struct wsp_inflater *inflater, struct wsp_deflate_mode mode);
void wsp_inflater_deinit(struct wsp_inflater *inflater); /* takes NULL */

/*
 * Unpacks bytes from the front of input, which may be empty, into room (at least one byte).
 *
 * 0           *ret_len bytes are in room. If they fill it, there may be more to come out, with or
 *             without further input: call again. If they do not, input is used up.
 * WSP_BROKEN  no valid deflate data begins like this; what it said before is in room, as above. The
 *             caller is to let it be. (Data that refers beyond a window smaller than 15 bits may
 *             pass, where what it refers to is still in room.)
 * -ENOMEM     nothing is used up, may be repeated.
 */
int wsp_inflater_pull(struct wsp_inflater *inflater, struct wsp_view *input, uint8_t *room,
                      size_t room_len, size_t *ret_len);

/*
 * The same for what still comes out when the whole payload is through. With 0 and a room that is
 * not full the message has ended, and the next one may begin. WSP_BROKEN also when the payload ends
 * within a block.
 */
int wsp_inflater_end(struct wsp_inflater *inflater, uint8_t *room, size_t room_len,
                     size_t *ret_len);

/* Between two messages: gives back what the next one does not need. */
void wsp_inflater_rest(struct wsp_inflater *inflater);

/* Bytes that are held for zlib. */
size_t wsp_inflater_held(const struct wsp_inflater *inflater);

/* -- packing -- */

/* Of wsp_deflater_step(): the message is better sent as it is. */
enum { WSP_DEFLATE_PLAIN = 3 };

/* Its members are private to deflate.c. */
struct wsp_deflater {
    struct wsp_deflate_mode mode;
    struct wsp_deflate_memory *memory;
    struct wsp_view message; /* what is not packed yet */
    bool is_started;         /* a byte of it has gone into memory */
};

/*
 * Allocates nothing. Windows larger than 12 bits are not used, whatever mode allows: 38 KiB of
 * memory instead of 262, and messages hardly larger. With 8 bits, which raw zlib
 * cannot write, every message is better sent as it is; so it is with a deflater that is all zero.
 */
void wsp_deflater_init(struct wsp_deflater *deflater, struct wsp_deflate_mode mode);
void wsp_deflater_deinit(struct wsp_deflater *deflater); /* takes NULL */

/* Begins with message, which is borrowed until wsp_deflater_step() says that it is over. */
void wsp_deflater_begin(struct wsp_deflater *deflater, struct wsp_view message);

/*
 * Packs up to max_len bytes of the message, to the end of out (empty at the first step; its max is
 * set here).
 *
 * 0                  out is the payload of the message's one frame, which has RSV1 set. It must be
 *                    sent: the messages after it may refer to it.
 * WSP_MORE           call again.
 * WSP_DEFLATE_PLAIN  it is too small or does not shrink: out is empty again, and the message is to
 *                    be sent without RSV1.
 * -ENOMEM            the message is over, as if it had not begun.
 */
int wsp_deflater_step(struct wsp_deflater *deflater, size_t max_len, struct wsp_buffer *out);

#endif
