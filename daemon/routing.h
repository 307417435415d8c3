/* SPDX-License-Identifier: MIT
 *
 * routing: replies to the one who asked. On the way up the id of a request becomes one that no other
 * request of this connection has; on the way down the reply that bears it goes to its asker alone, with
 * the id that he gave. Every other byte of both stays as it was.
 * Neighbours: sending asks it about each message of a channel, share about each that has come; log
 * delivers to one.
 * Invariant: a route is found by its id, from the moment its request is taken to be sent until
 * its reply has come or is waited for no longer; it knows its channel exactly as long as that is in the
 * share.
 *
 *  goes up      | object with the member once, a string of at most MAX_ROUTED_ID bytes, a number or   | rewritten
 *               | null; and with "method", or with neither "result" nor "error"                        |
 *               | anything else: binary, notifications, answers to the server, batches, other ids      | as it is
 *  comes down   | object with the member once, an id that was given out, and no "method"; the asker is | his alone
 *               | there; has gone                                                                      | counted, dropped
 *               | too long with its own id (max-message)                                               | it fails
 *               | anything else: binary, notifications, the server's requests, batches, unknown ids    | for all
 *
 *  a route      | request taken                | its reply, however | unsent, or interrupted once it was  | asker leaves
 *               |                              |                    | written, or timeout after that      |
 *               | made; UNWRITTEN, then WAITING | gone              | gone                                | without asker
 */
#ifndef WSPLEX_DAEMON_ROUTING_H
#define WSPLEX_DAEMON_ROUTING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/list.h"
#include "proto/buffer.h"

struct channel;
struct outgoing;
struct share;

/* What a target says of it. */
struct routing_settings {
    bool is_on;
    char *member;         /* the id's name; NULL: "id" */
    uint64_t timeout_ms;  /* for the reply, once the request has gone */
    uint64_t max_pending; /* requests of one channel that wait for theirs; its next message waits */
};

/* A channel's part. */
struct asker {
    struct list routes;
    uint64_t n_routes;
    bool is_full; /* its next message waits until it has fewer */
};

struct routing {
    const struct routing_settings *settings; /* NULL: nothing is routed */
    struct list *buckets;                    /* struct route, found by id */
    struct list waiting;                     /* those whose request has gone, the oldest first */
    struct list forsaken;                    /* of these, those whose asker has gone too */
    unsigned n_routes;
    uint32_t next_id;
    /* Channels, by their sender_link, whose next message waits: for their own replies, or for anybody's. */
    struct list full, crowded;
    struct timer timer;
    /* counters: replies that reached their asker, and those whose asker had gone; requests whose reply
     * is waited for no longer */
    uint64_t n_routed, n_dropped, n_timed_out;
};

void asker_init(struct asker *asker);

/* The share's target is known. A private share routes nothing. 0, -ENOMEM; routing_deinit takes it half
 * made, and zeroed. */
int routing_init(struct share *share);
void routing_deinit(struct share *share); /* nothing is in flight any more */

/* The message, the first in its channel's outbox, is to be sent: gives it another id if it is a request. False: it has
 * to wait, and the channel is among the senders no longer; it will be again. Calls no op. */
bool routing_ask(struct share *share, struct channel *channel, struct outgoing *outgoing);

/* A message has come. 1: it was a reply, and has been dealt with; 0: it is for all; -ENOMEM. */
int routing_answer(struct share *share, bool is_binary, struct wsp_view payload);

/* A message with a route has been written whole, or will not be. It has none after this. */
void routing_written(struct outgoing *outgoing);
void routing_unsent(struct outgoing *outgoing);

/* The connection is over: no reply will come to what was written. What was not, and is sent again on the
 * next connection, keeps its route. */
void routing_interrupted(struct share *share);

/* The channel leaves the share. */
void routing_leave(struct share *share, struct channel *channel);

#endif
