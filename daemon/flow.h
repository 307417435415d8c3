/* SPDX-License-Identifier: MIT
 *
 * flow: what a channel that does not keep up means for its upstream and for itself (promise 6 of
 * sharing).
 * Neighbours: share, whose log and channels it looks at; the upstream, which it pauses; quota,
 * which says when too much waits. Invariant: only cursors that lag are looked at, and an upstream
 * is read exactly when no pause is left.
 *
 *  a channel lags further than it may | disconnect  | it ends: slow-consumer, with numbers
 *                                     | drop-oldest | shedding drops
 *                                     | drop-newest | shedding drops
 *                                     | conflate    | shedding drops; it ends where that does not help
 *                                     | block       | SHARE_PAUSE_LAG until it is down to half; on a shared upstream
 *                                     |             | it ends when that takes longer than block_timeout_ms
 *  the owner has too much queued      | private     | SHARE_PAUSE_QUOTA until that is over, or all is read
 *                                     | shared      | those that lag most lose all that they wait for, or end where
 *                                     |             | their policy drops nothing, until enough has been let go
 *  a channel's own user, who is not   | shared      | the same, among his channels
 *  the owner, has too many            |             |
 *
 * SHARE_PAUSE_TURN is reception's. A message that has its turn there is read to its end, whatever
 * other reason there is to pause: it holds room that others wait for.
 */
#ifndef WSPLEX_DAEMON_FLOW_H
#define WSPLEX_DAEMON_FLOW_H

#include "daemon/share.h"

/* In TURN_CHECK: who lags too far after what has come; then tells the upstream if it is to be
 * paused or resumed. */
void flow_review(struct share *share);

/* A cursor has moved or has left the log: a pause may be over. Cheap when there is none. Takes NULL
 * for the share. */
void flow_moved(struct share *share, struct channel *channel);

/* The first block-timeout has run out; the owner is a share. */
void flow_block_over(void *owner);

/* A channel is LEAVING and waits until its sends have gone. As long as the server takes something within each
 * close_timeout_ms, or is not to be given anything yet, it may wait; otherwise it ends, with the cause timeout. */
void flow_leaving(struct share *share);

/* Such a time is over; the owner is a share. */
void flow_leaving_over(void *owner);

#endif
