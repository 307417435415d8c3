/*
 * output: what waits to be written to the daemon, and how it is gathered.
 *
 * On the way of a message it stands between channel, from which it takes one piece per channel and
 * round, and the socket. A batch is made of the control frames that wait and of pieces, is written
 * by one sendmsg(), and only when it is gone the next one is made; so frames are never interleaved,
 * a payload is never copied again, and no channel waits for more than one piece of each other.
 * Invariant: a control frame that was put in after a piece was taken goes behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_CLIENT_LIB_OUTPUT_H
#define WSP_CLIENT_LIB_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client-lib/chain.h"
#include "client-lib/channel.h"
#include "proto/buffer.h"
#include "proto/local/wire.h"

/* Pieces in one batch: 64 small messages, and no more than BATCH_LEN bytes when they are large. */
enum {
    WSP_OUTPUT_MAX_PIECES = 64,
    WSP_OUTPUT_BATCH_LEN = 256 * 1024,
};

struct wsp_output {
    struct wsp_buffer control; /* frames for the next batch */
    struct wsp_chain ready;    /* channels with a piece to take */
    /* the batch */
    struct wsp_buffer frames; /* its control frames */
    struct wsp_piece pieces[WSP_OUTPUT_MAX_PIECES];
    uint8_t headers[WSP_OUTPUT_MAX_PIECES][WSP_WIRE_HEADER_LEN];
    size_t n_pieces;
    size_t first;  /* the pieces before it are written */
    size_t offset; /* so much of the first one is written, header included */
};

void wsp_output_init(struct wsp_output *output);

/* Frees it with all that waits. May be called again. Channels in ready are taken out, not freed. */
void wsp_output_deinit(struct wsp_output *output);

/* Looks at the channel again, whose messages or credit have changed. */
void wsp_output_update(struct wsp_output *output, struct wsp_channel *channel);

/* The channel lets its number go; pieces of it that are in the batch are nobody's. */
void wsp_output_forget(struct wsp_output *output, const struct wsp_channel *channel);

/*
 * The batch will not be written any more: the messages in it of which the other side cannot have had
 * the last piece whole go back to the heads of their channels' queues.
 */
void wsp_output_take_back(struct wsp_output *output);

/* Something can be written now. */
bool wsp_output_is_pending(const struct wsp_output *output);

/*
 * Writes to the descriptor as much as it takes and one turn may. taken, called with context, learns
 * of each channel that a piece was taken from, and may put in control frames (behind the batch). 0,
 * also when not everything went; negative errno: -EPIPE and the like when the daemon reads no more,
 * -ENOMEM, or what taken returned.
 */
int wsp_output_write(struct wsp_output *output, int fd,
                     int (*taken)(void *context, struct wsp_channel *channel), void *context);

#endif
