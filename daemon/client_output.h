/* SPDX-License-Identifier: MIT
 *
 * client_output: what a client is told, gathered into at most one write per turn.
 * Neighbours: channels with something to tell stand in the ready list and are asked, one after the
 * other, for as much as the write can take; the transport takes it.
 * Invariant: nothing is queued for a channel: after a short write a channel stands where the bytes
 * taken end. Only what cannot be made again is kept: the rest of one frame, and the client's own
 * lane.
 */
#ifndef WSPLEX_DAEMON_CLIENT_OUTPUT_H
#define WSPLEX_DAEMON_CLIENT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/list.h"
#include "daemon/turn.h"
#include "proto/buffer.h"
#include "proto/local/message.h"

struct client;
struct client_channel;
struct output;

/* A data frame of which the transport has taken a part. Its bytes are made again from the log when
 * it goes on. */
struct half_frame {
    struct client_channel *channel; /* NULL: there is none */
    size_t payload_len;
    size_t taken; /* of header and payload together, more than 0 */
    bool is_last; /* of its message */
};

struct client_output {
    struct list ready; /* client_channel.ready_link, the next to be asked first */
    unsigned n_ready;
    struct half_frame half;
    struct wsp_buffer rest; /* of a frame that cannot be made again; not together with half */
    struct wsp_buffer lane; /* HELLO, REPLY, ERROR: whole frames, the first of them perhaps begun */
    struct task write;      /* TURN_WRITE */
    struct task next;       /* TURN_NEXT: the budget left something over */
    bool is_blocked;        /* until the transport is writable */
    bool is_writing;
    bool is_out_of_memory;
    bool
        is_unheard; /* the program has stopped listening: nothing is written any more, and what it said before is read */
    /* counters */
    uint64_t n_writes, n_frames, n_bytes;
};

/* The arrays in which every client plans its write, one after the other; scratch is the loop's, and
 * at least as long as two frames. 0, -ENOMEM. */
int output_new(uint8_t *scratch, size_t scratch_len, struct output **ret_output);
struct output *output_free(struct output *output);

void client_output_init(struct client *client);
void client_output_deinit(struct client *client);

/* A frame for the client's own lane: it goes before the channels' frames. 0, -ENOMEM, -ENOBUFS: the
 * lane is full. */
int client_output_send(struct client *client, const struct wsp_message *message);

/* The same for bytes that are whole frames, or the magic. */
int client_output_send_bytes(struct client *client, struct wsp_view bytes);

/* The channel has something to tell. */
void client_output_wake(struct client_channel *channel);

/* There is something to write, if only to find that all is written. */
void client_output_schedule(struct client *client);

/* The transport is writable again. */
void client_output_unblock(struct client *client);

/* The channel loses its place in the log: what a half-written frame of it needs is kept, and a
 * message that has begun is to be aborted. */
void client_output_cut(struct client_channel *channel);

/* Nothing of the channel is to be told any more but the rest of a frame that has begun. */
void client_output_forget(struct client_channel *channel);

#endif
