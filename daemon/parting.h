/* SPDX-License-Identifier: MIT
 *
 * parting: the last words of a private channel. The server has sent a Close, or broken a rule, behind messages to which
 * the channel's program may have something to say. A program that held the connection itself would have said it before
 * it came to the Close; so the daemon's Close waits for it, and not for long.
 * Neighbours: share, in whose struct it stands; channel, which says when it is done.
 * Invariant: share->is_parting exactly from a parting_begin that is true until upstream_ops.close or the end.
 *
 *  the channel                    | the Close
 *  is OPEN: it has yet to answer  | waits; what the channel sends goes
 *  is LEAVING, and sends still go | waits
 *  is LEAVING, and all has gone   | goes
 *  has ended, or was not OPEN     | goes
 *  PARTING_MS pass in which the   | goes; what the channel had still to send is dropped
 *  server has taken nothing of it |
 *  is OPEN after close-timeout    | goes, the same
 */
#ifndef WSPLEX_DAEMON_PARTING_H
#define WSPLEX_DAEMON_PARTING_H

#include <stdbool.h>

struct share;

/* In share_closing. False: there is nobody to wait for. */
bool parting_begin(struct share *share);

/* In TURN_CHECK, while it is parting. */
void parting_review(struct share *share);

/* PARTING_MS are over; the owner is a share. */
void parting_over(void *owner);

#endif
