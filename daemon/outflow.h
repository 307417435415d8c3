/* SPDX-License-Identifier: MIT
 *
 * outflow: what an upstream has to write, as bytes: whole messages of its share, one frame each,
 * between them pongs and pings, and at last the Close frame. Knows which bytes belong to which message, and
 * so tells each when it has left.
 * Neighbours: share gives messages, proto/websocket makes frames, upstream writes the bytes to its
 * transport.
 * Invariant: bytes leave in the order in which they were put; nothing follows a Close frame.
 */
#ifndef WSPLEX_DAEMON_OUTFLOW_H
#define WSPLEX_DAEMON_OUTFLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/pulse.h"
#include "daemon/share.h"
#include "proto/buffer.h"
#include "proto/limits.h"
#include "proto/websocket/message.h"

struct outflow {
    void (*random)(void *to, size_t len);
    struct wsp_buffer bytes;  /* at most MAX_WRITE_PER_TURN */
    struct wsp_buffer marks;  /* struct mark, one per piece of a message that is in bytes */
    uint64_t n_taken;         /* bytes, ever */
    struct outgoing *current; /* not whole in bytes yet, the rest of it in frame */
    struct wsp_ws_outgoing frame;
    struct wsp_deflater deflater; /* all zero: packs nothing */
    struct wsp_buffer packed;     /* the current message, where that is smaller than itself */
    struct charge charge;         /* SENDING_BYTES, of packed */
    uint64_t n_told;              /* bytes of the current message that its marks stand for */
    bool is_packing;              /* its frame has not begun */
    struct wsp_buffer pongs;      /* those that wait: length and payload of each */
    uint8_t pong[WSP_MAX_CONTROL_PAYLOAD];
    uint8_t pong_len;
    uint8_t ping[PULSE_PAYLOAD];
    uint64_t ping_end; /* of the last ping that was put, in the count of n_taken */
    uint8_t close_reason[WSP_MAX_CLOSE_REASON];
    uint8_t close_reason_len;
    uint16_t close_code;
    bool has_pong;  /* behind pongs, which had no room for it: always the newest */
    bool has_ping;  /* waits for the end of the current message */
    bool has_close; /* waits for the end of the current message; then it is all that is still put */
    bool
        is_close_held; /* set by the upstream: until it no longer is, messages still go before the Close */
    bool is_closed; /* the Close frame has been put */
};

/* Allocates nothing. random gives masking keys. */
void outflow_init(struct outflow *outflow, void (*random)(void *to, size_t len));
void outflow_deinit(
    struct outflow *outflow); /* drops what is in flight; takes one that was deinited */

/* Messages are compressed from now on, where that makes them smaller. */
void outflow_deflate(struct outflow *outflow, struct wsp_deflate_mode mode);

/* A pong with this payload (at most 125 bytes), after the message that is being written. MAX_PONGS_LEN of them wait, and
 * of those that come when so many do only the newest (RFC 6455, section 5.5.3): so a flood of pings costs nothing. */
void outflow_pong(struct outflow *outflow, struct wsp_view payload);

/* A ping with this payload (PULSE_PAYLOAD bytes), after the message that is being written, if any:
 * it is never between the frames of one. Takes the place of one that still waits. */
void outflow_ping(struct outflow *outflow, struct wsp_view payload);

/* A ping waits, or is in the bytes that have not been taken. */
bool outflow_has_ping(const struct outflow *outflow);

/* The Close frame after the message that is being written, if any; 1005: without a code. Only the
 * first counts. */
void outflow_close(struct outflow *outflow, uint16_t code, struct wsp_view reason);

/* Puts what there is until the buffer is full. 0: nothing more waits, or all waits for the share to
 * wake the upstream; 1: the buffer or the turn's share of messages or of packing is full; -ENOMEM; -EINVAL for a
 * close that cannot be sent. */
int outflow_fill(struct outflow *outflow, struct share *share);

/* What is to be written next, all of it. */
struct wsp_view outflow_peek(const struct outflow *outflow);

/* The transport has taken so many bytes of it: tells the messages to which they belong. */
void outflow_taken(struct outflow *outflow, size_t len);

/* The Close frame, and so everything, has been taken. */
bool outflow_is_over(const struct outflow *outflow);

#endif
