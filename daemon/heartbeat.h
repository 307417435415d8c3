/* SPDX-License-Identifier: MIT
 *
 * heartbeat: what servers want to hear of their clients beyond the pings of the WebSocket protocol:
 * a text that is sent again and again, with an answer that must come, and answers to the texts with
 * which the server itself asks.
 * Neighbours: sending takes what is due and shows what comes, clock below; the target has the texts.
 * Invariant: at most one heartbeat is on its way from here to the network, and the answers that are
 * kept from the channels are never more than the heartbeats that were sent.
 *
 * Unlike a ping of the protocol it is due whether the server is silent or not, and no other word of
 * the server counts for the answer: what has to be found out is whether the server that answers
 * still does. Only a long message that is arriving puts the deadline off, as the answer stands
 * behind it.
 */
#ifndef WSPLEX_DAEMON_HEARTBEAT_H
#define WSPLEX_DAEMON_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/failure.h"
#include "daemon/target.h"
#include "proto/buffer.h"

enum heartbeat_state {
    HEARTBEAT_STOPPED,
    HEARTBEAT_QUIET,
    HEARTBEAT_DUE,
    HEARTBEAT_TAKEN,
    HEARTBEAT_WAITING
};

/*  state   | event                                | next    | what happens
 *  STOPPED | started                              | QUIET   | the interval begins
 *  QUIET   | the interval is over                 | DUE     | wake
 *  DUE     | the upstream has taken it            | TAKEN   |
 *  TAKEN   | it has reached the network           | WAITING | deadline; QUIET if no answer is expected, or at rest
 *  WAITING | the answer, none missing any more    | QUIET   | what is left of the interval
 *          | deadline                             | STOPPED | lost; anew while a long message is arriving
 *  DUE, TAKEN | deadline, if an answer is expected | STOPPED | lost; anew while anything is taken
 *  WAITING | rest: the server is not read         | QUIET   | it hears of us all the same
 *  QUIET   | no longer, answers are missing       | WAITING | deadline
 *  any     | ended                                | STOPPED |
 */
struct heartbeat {
    struct clock *clock;
    const struct heartbeat_settings *settings;
    /* Both from the clock: something is due; no answer has come, or nothing is taken. */
    void (*wake)(void *owner);
    void (*lost)(void *owner, const struct failure *failure);
    /* Bytes that the network has taken, ever; bytes of a long message that is arriving, 0: there is none. */
    uint64_t (*taken)(void *owner);
    uint64_t (*arriving)(void *owner);
    void *owner;
    struct timer timer;
    enum heartbeat_state state;
    bool is_open, is_resting;
    uint64_t sent_ms;      /* the last one, or when it began */
    uint64_t mark;         /* taken or arriving, when the deadline began */
    unsigned n_unanswered; /* that have been sent */
    char *reply; /* to the newest word of the server that asks for one; NULL: none is due */
    bool has_round_trip;
    uint64_t round_trip_ms; /* of the last answer */
};

/* A heartbeat that is STOPPED. settings is borrowed for as long as it lives. 0, -ENOMEM. */
int heartbeat_init(struct heartbeat *heartbeat, struct clock *clock,
                   const struct heartbeat_settings *settings, void (*wake)(void *owner),
                   void (*lost)(void *owner, const struct failure *failure),
                   uint64_t (*taken)(void *owner), uint64_t (*arriving)(void *owner), void *owner);
/* While it is STOPPED: settings say something else now. 0, -ENOMEM. */
int heartbeat_tune(struct heartbeat *heartbeat);
void heartbeat_deinit(struct heartbeat *heartbeat); /* takes a zeroed one */

/* A connection is open: what the server asks is answered. It has been greeted: the heart beats. It closes: nothing is
 * said any more, but answers that come are still the daemon's. */
void heartbeat_open(struct heartbeat *heartbeat);
void heartbeat_start(struct heartbeat *heartbeat);
void heartbeat_end(struct heartbeat *heartbeat);

/* The server is not read for now, or is again. */
void heartbeat_rest(struct heartbeat *heartbeat, bool is_resting);

/* A reply that is due; NULL: none. It holds words of the server, and nothing in it is to be expanded. */
const char *heartbeat_reply(const struct heartbeat *heartbeat);
void heartbeat_replied(struct heartbeat *heartbeat); /* it has been taken, and is gone */

/* The text, if it is due; NULL: it is not. */
const char *heartbeat_next(const struct heartbeat *heartbeat);
void heartbeat_said(struct heartbeat *heartbeat);    /* the upstream has taken it */
void heartbeat_written(struct heartbeat *heartbeat); /* it has reached the network */

/* A message has come. 1: it was meant for the daemon, and no channel is to see it; 0: it was not;
 * -ENOMEM. A reply may be due after it: the caller wakes the upstream. */
int heartbeat_heard(struct heartbeat *heartbeat, bool is_binary, struct wsp_view payload);

/* Of the last answer; false: none has come yet. */
bool heartbeat_round_trip(const struct heartbeat *heartbeat, uint64_t *ret_ms);

#endif
