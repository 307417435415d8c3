/* SPDX-License-Identifier: MIT
 *
 * sending: what goes up, and in which order: what the daemon itself has to say to the server, and the
 * messages of channels, in turns.
 * Neighbours: share, in which it stands, tells it of connections; channel gives messages; upstream
 * takes the next one whenever the network can take something.
 * Invariant: on one connection nothing goes before its greeting is through, but answers to what the
 * server asks.
 *
 *  in this order                      | paced | it is counted by the budget, and
 *  a reply to the server's heartbeat  |       | never waits
 *  the greeting                       | yes   | never waits
 *  subscriptions to be said again,    | yes   | waits
 *  and nothing but a heartbeat before |       |
 *  all of them have been said         |       |
 *  the heartbeat                      |       | never waits
 *  other subscriptions, withdrawals,  | yes   | waits
 *  by turns with a message of         |       |
 *  the channels, they too in turn     |       | waits
 */
#ifndef WSPLEX_DAEMON_SENDING_H
#define WSPLEX_DAEMON_SENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/budget.h"
#include "daemon/failure.h"
#include "daemon/greeting.h"
#include "daemon/heartbeat.h"
#include "daemon/pace.h"
#include "daemon/subscriptions.h"

struct channel;
struct outgoing;
struct share;

struct sending {
    struct budget_claim claim; /* for what waits */
    struct pace pace;
    struct greeting greeting;
    struct heartbeat heartbeat;
    struct subscriptions subscriptions;
    bool is_channels_turn; /* a subscription has gone last */
    /* Something of the daemon's own could not be made: the upstream is to fail. */
    struct failure trouble;
};

/* The share's target is known. 0, -ENOMEM; sending_deinit takes it half made, and zeroed. */
int sending_init(struct share *share);
/* Between two connections: share->target says otherwise by now. 0, -ENOMEM. */
int sending_tune(struct share *share);
void sending_deinit(struct share *share);

/* The share has become OPEN: everything is said anew; or it is open no more: nothing is. Calls no op
 * but wake. */
void sending_begin(struct share *share);
void sending_end(struct share *share);

/* In TURN_CHECK: what nobody wants any more is withdrawn, and what could not be said ends the upstream. */
void sending_review(struct share *share);

/* The upstream is read no longer, or again. */
void sending_rest(struct share *share, bool is_resting);

/* A message has come. 1: it was for the daemon, and no channel is to see it; 0; -ENOMEM. */
int sending_heard(struct share *share, bool is_binary, struct wsp_view payload);

/* The channel that made the frame wants it said, or no more. 0; -ENOMEM; a cause, with the failure. */
int sending_subscribe(struct share *share, struct channel *channel, struct wsp_view on_connect,
                      struct wsp_view on_leave, struct failure *ret_failure);
void sending_unsubscribe(struct share *share, struct channel *channel, struct wsp_view on_connect);

/* The channel sends nothing any more and wants nothing; what it gave has been dropped. */
void sending_leave(struct share *share, struct channel *channel);

/* A ping, pong or Close goes up: it is counted and does not wait. */
void sending_control(struct share *share);

/* It is not the server that keeps what there is to say waiting, but the budget or the pace. When that is over the share
 * is told so (was_held_back), and it is the server's turn. */
bool sending_holds_back(const struct share *share);

/* What waited in its outbox will not be sent; the channel may go on. */
void sending_dropped(struct share *share, struct channel *channel);

#endif
