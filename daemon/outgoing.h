/* SPDX-License-Identifier: MIT
 *
 * outgoing: messages on their way up: in their channel's outbox, then in flight with the upstream
 * that has taken them, until they are written; or back in the outbox when the connection is lost.
 * Neighbours: channel gives them, share chooses the next one, upstream writes it.
 * Invariant: what was written whole is never written again; what was not is never dropped without a
 * word to a program that is still there.
 */
#ifndef WSPLEX_DAEMON_OUTGOING_H
#define WSPLEX_DAEMON_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/list.h"
#include "daemon/quota.h"
#include "proto/buffer.h"

struct channel;
struct route;
struct share;

/* A whole message on its way up: in its channel's outbox, then with the upstream that has taken it,
 * until done. */
struct outgoing {
    /* In channel->outbox, or in channel->in_flight; the upstream keeps its own order. */
    struct list link;
    struct share *share;     /* whose upstream writes it; NULL before */
    struct channel *channel; /* NULL once the channel has gone: what is in flight still goes */
    struct charge charge;    /* SENDING_BYTES */
    struct wsp_buffer payload;
    uint64_t cost;      /* credit that its local frames took */
    uint64_t n_written; /* bytes of it that have reached the network, over this connection; */
    uint64_t n_told;    /* and over the one that got furthest: its channel has been told of these */
    uint64_t number;    /* of the channel's messages, the first has 1 */
    size_t given_len;   /* of the payload as the program gave it: what n_written and n_told count */
    struct route *route; /* of a request whose id is another than the program's (routing.h) */
    bool is_binary;
    bool is_unrouted;  /* routing has looked at it, and found no request: it looks once; */
    bool is_request;   /* or found one, which may have to wait for its place */
    bool is_heartbeat; /* the daemon's; its channel is NULL */
};

/* A whole message goes up; payload and charge (both assembly's) are taken, also on failure, and
 * left empty. Text has been checked. In CONNECTING it waits for OPEN, as proto/PROTOCOL.md lets
 * clients pipeline; in any state after OPEN it goes nowhere, as the standard says. 0, -ENOMEM. */
int channel_send_take(struct channel *channel, bool is_binary, struct wsp_buffer *payload,
                      uint64_t cost, struct charge *charge);

/* A message that the daemon itself has for the server of a share: text, whose payload is taken (and left
 * empty), also on failure. It is the upstream's as those of channels. 0, -ENOMEM. */
int outgoing_new(struct share *share, struct wsp_buffer *payload, struct outgoing **ret_outgoing);

/* What a message in an outbox costs in quota beside its payload. */
uint64_t outgoing_overhead(void);

/* --- for upstream --- */

/* Len more payload bytes of the message have reached the network; the message is done
 * (it is freed). */
void outgoing_written(struct outgoing *outgoing, size_t len);
void outgoing_done(struct outgoing *outgoing);

/* At the upstream's end, before share_ended: it has not been written whole. It is its channel's again, from share_ended on, or
 * freed when it has none. */
void outgoing_drop(struct outgoing *outgoing);

/* --- for share and channel --- */

/* Something of it has not reached the network. */
bool channel_has_sends(const struct channel *channel);

/* What the upstream has not taken is not sent; what it has taken goes on without the channel. */
void channel_drop_outbox(struct channel *channel);
void channel_orphan_sends(struct channel *channel);

/* Its share's upstream has ended: what was in flight is in the outbox again, in its old place, to go whole over the next
 * connection; freed where the channel has ended. Calls no op. */
void channel_take_sends_back(struct channel *channel);

/* What waits in the outbox is told to the program as not sent, instead of waiting for the next connection. A channel that
 * is LEAVING ends when that was all; one that has never been open keeps it. Ends in an op. */
void channel_refuse_sends(struct channel *channel);

#endif
