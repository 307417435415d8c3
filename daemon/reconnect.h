/* SPDX-License-Identifier: MIT
 *
 * reconnect: when a share connects, and whether it comes back: what heals, how long the next
 * attempt waits, when a connection is renewed as planned.
 * Neighbours: share asks it and does what it says; backoff has the arithmetic, target the bounds.
 * It stands in struct share.
 * Invariant: the timer runs only while there is no upstream (until the next attempt) or while the
 * share is OPEN (until the planned reconnection).
 *
 *  the upstream has ended     | of a persistent share                | otherwise
 *  in a way that heals        | comes back after a delay             | ends
 *  in a way that does not     | ends                                 | ends
 *  as it was renewed (rotate) | comes back at once                   | comes back at once
 *
 * What heals: see reconnect_heals. The delay is a new one from backoff, whose series begins anew
 * when a connection has stayed up for min-uptime, or until it was renewed; not before, or a server that accepts and then
 * hangs up would be hammered. What the server says with Retry-After comes before the delay, so that
 * all those who were told the same do not come back in the same moment.
 */
#ifndef WSPLEX_DAEMON_RECONNECT_H
#define WSPLEX_DAEMON_RECONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/backoff.h"
#include "daemon/budget.h"
#include "daemon/clock.h"

struct ending;
struct share;
struct target;

struct reconnect {
    struct timer timer;
    struct budget_claim attempt; /* waits for the budget, when the delay is over */
    struct backoff backoff;
    uint64_t due_ms;          /* when the timer runs: at what time it fires */
    uint64_t away_ms;         /* when the connection was lost, as long as it is */
    unsigned n_failed;        /* attempts in a row that have not opened it */
    unsigned n_troubles;      /* these, and the loss that they followed */
    unsigned n_interruptions; /* of its whole life */
    bool is_waiting;          /* for the next attempt: the timer runs */
    bool is_renewing;         /* the closing handshake of the planned reconnection goes on */
};

/* Allocates nothing; share_new makes the timer, for reconnect_fire. */
void reconnect_deinit(struct share *share);
void reconnect_fire(void *owner);
void reconnect_allowed(void *owner); /* by the budget */

/* The next attempt begins, or waits for its turn. 0; -ENOMEM: it could not begin. */
int reconnect_begin(struct share *share);

/* Whether a share with this target comes back after an upstream that ended so. */
bool reconnect_heals(const struct target *target, const struct ending *ending);

/* It would come back, if its upstream ended now in a way that heals. */
bool reconnect_is_wanted(const struct share *share);

/* The upstream of a share that comes back has ended, as share->ending says; was_open: it was more
 * than an attempt. Tells the channels, and starts the timer for the next attempt. */
void reconnect_interrupt(struct share *share, bool was_open);

/* The share is open, and its channels will be told so. */
void reconnect_opened(struct share *share);

/* share->target says otherwise by now when it is to be renewed. */
void reconnect_tune(struct share *share);

/* There will be no attempt. */
void reconnect_stop(struct share *share);

/* How long until the next attempt; UINT64_MAX: none waits. */
uint64_t reconnect_wait_ms(const struct share *share);

#endif
