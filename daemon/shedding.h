/* SPDX-License-Identifier: MIT
 *
 * shedding: how far a channel may fall behind, and what one that falls further behind loses (promise
 * 6 of sharing). Nothing is lost without being counted where it would have stood.
 * Neighbours: flow asks at the end of a turn and does what is left to do; backlog holds what is
 * kept.
 * Invariant: what a channel has to read beyond its first message, and beyond what it was given when
 * it joined, is within its bounds (queue_bytes, queue_messages) at the end of each turn, or flow
 * ends or blocks it.
 *
 *  policy       at its bound
 *  disconnect   it ends
 *  block        the upstream waits for it
 *  drop-oldest  its cursor moves on, past as many messages as it takes
 *  drop-newest  what it has moves into its backlog, and what comes is dropped until it has read half
 *  conflate     the same, but what comes replaces what is there of the same key, until it has read
 *               all. Where the newest of each key are too much together, the oldest messages that
 *               have no key are dropped, and when there is none of these it ends
 *
 * In none of them is a message dropped that has begun. A channel that is ENDED keeps what stands
 * before its end, which grows no more.
 *
 * Who is charged: what a log holds, backlogs included, counts as queued bytes of its owner, once. A
 * user who reads another's log (an endpoint that is shared wider than by one user) is charged what
 * each of his channels lags behind with; and every user what the items of his backlogs are
 * themselves. When a user has more than he may, those of his channels end (or lose all they may)
 * that lag most, so nobody uses up what belongs to others.
 */
#ifndef WSPLEX_DAEMON_SHEDDING_H
#define WSPLEX_DAEMON_SHEDDING_H

#include <stdbool.h>

#include "daemon/channel.h"

/* It lags further than it may; it is down to half of that. */
bool shedding_is_over(const struct channel *channel);
bool shedding_is_half(const struct channel *channel);

/* Of a channel that may lag; by its policy where that is one that drops. 0; SHEDDING_FAILED: the
 * channel cannot be kept within its bounds; -ENOMEM. */
enum { SHEDDING_FAILED = 1 };
int shedding_review(struct channel *channel);

/* Everything is dropped but what has begun, where its policy drops without asking for keys. False:
 * nothing was. */
bool shedding_all(struct channel *channel);

/* What it lags has changed: so has what its user is charged. */
void shedding_recharge(struct channel *channel);

#endif
