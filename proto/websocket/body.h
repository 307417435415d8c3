/*
 * body: the body of an HTTP/1.1 answer, as far as somebody wants to look at it (RFC 9112, sections 6
 * and 7).
 *
 * On the way of a connection it stands behind head.h, whose fields say how the body is framed, and
 * before verdict.c, which keeps the first bytes of an answer that refuses.
 *
 * Invariant: what comes out does not depend on how the bytes were cut, and nothing of it is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSPLEX_PROTO_WEBSOCKET_BODY_H
#define WSPLEX_PROTO_WEBSOCKET_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"
#include "proto/websocket/head.h"

/* Private but to the functions below. */
struct wsp_body {
    int state;
    uint64_t left; /* bytes of the body, or of the chunk, that are announced and have not come */
};

/*
 * Begins the body of the final answer whose whole head this is. The body is over at once
 *
 * - when the answer has none: status 204 and 304, a length of 0;
 * - when its framing cannot be trusted: several lengths that differ or one that is no number, a
 *   transfer coding in HTTP/1.0 (section 6.3, item 5; section 6.1);
 * - when what would come is not the text itself: a content coding, a transfer coding but chunked.
 */
void wsp_body_init(struct wsp_body *body, const struct wsp_head *head);

/*
 * Takes bytes of the body off the front of input. True: *ret_piece is the next run of it, not
 * empty, within input. False: input is used up, or the body is over (what follows is not looked
 * at). A chunk's size that is none ends the body; its extensions and the trailer are skipped.
 */
bool wsp_body_next(struct wsp_body *body, struct wsp_view *input, struct wsp_view *ret_piece);

/* Nothing more will come of it, whatever is fed. */
bool wsp_body_is_over(const struct wsp_body *body);

#endif
