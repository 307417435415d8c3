/* SPDX-License-Identifier: MIT
 *
 * reception: the message that arrives at an upstream, as long as it is not whole: what it may hold,
 * and whose turn it is. Servers decide how much they begin and never end; this is what bounds it.
 * Neighbours: inflow tells what it holds, share when a message is whole; flow pauses the upstream
 * for it, quota has the line in which it waits. It stands in struct share.
 * Invariant: what is held is charged to the share's owner: RESERVED_BYTES as far as it has a turn,
 * RECEIVING_BYTES for the rest.
 *
 *  the message holds                 | it                | the upstream
 *  at most MAX_UNRESERVED_LEN        | asks nobody       | is read
 *  more, and there is room for all   | gets its turn     | is read to the end of the message, whatever else may want
 *  of it in the owner's half         |                   | it to pause
 *  more, and there is none           | waits in the line | SHARE_PAUSE_TURN
 *  more, and the share pauses        | does not ask yet  | SHARE_PAUSE_TURN too
 *
 * A turn ends with the message or the upstream. As whoever has his turn needs nothing but his
 * server, nobody waits for somebody who waits. A server that takes too long, while somebody waits
 * for the room, fails (reception_overdue).
 *
 * While an upstream waits for its turn it is as with every pause: nothing is read, so a ping is
 * answered and a Close or the end of the connection seen when the turn has come; what the daemon
 * sends, its Close as well, goes out; and the time for the server's Close rests. A server that counts
 * on pongs may give up meanwhile, as one would in the midst of a long message.
 */
#ifndef WSPLEX_DAEMON_RECEPTION_H
#define WSPLEX_DAEMON_RECEPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/quota.h"

struct share;

struct reception {
    struct waiter waiter;   /* for reserved */
    struct charge reserved; /* RESERVED_BYTES, while it has its turn */
    struct charge held;     /* RECEIVING_BYTES */
    struct timer deadline;  /* while it has its turn */
    uint64_t since_ms;      /* when it began to wait */
    size_t message_len;     /* what it holds, where that is more than MAX_UNRESERVED_LEN; else 0 */
};

/* Allocates nothing; share_new makes the timer, for reception_overdue. */
void reception_init(struct share *share);
void reception_deinit(struct share *share);

/* How much may be read, or unpacked, at once: max, or less where the owner has so much that it could not go on. */
size_t reception_read_len(const struct share *share, size_t max);

/* What had been read is understood, for now: a message under way holds message_len bytes and can
 * come to message_max (0: there is none), unread_len more wait. These may be the rest of it and much
 * more when unpacked, so a turn is needed for them as for what is still in the network. */
void reception_holds(struct share *share, size_t message_len, size_t message_max,
                     size_t unread_len);

/* The message is whole. */
void reception_whole(struct share *share);

/* In TURN_CHECK, when it is known whether the share pauses for other reasons: asks for a turn. */
void reception_review(struct share *share);

bool reception_has_turn(const struct share *share);

/* It has had its turn for long enough; the owner is a share. */
void reception_overdue(void *owner);

/* Nothing arrives any more. */
void reception_end(struct share *share);

#endif
