/* SPDX-License-Identifier: MIT
 *
 * slice: what of a turn of the loop one user may have. A connection reads once per turn; a user who has a thousand of
 * them, and floods, would otherwise make the others wait for a thousand reads.
 * Neighbours: quota, whose users each have one; client, upstream and control, who say what they do for whom.
 * Invariant: what waits goes on in the order in which it came, as soon as a turn has something left for its user.
 *
 *     turn            n                   n + 1                 n + 2
 *     user A     a1 a2 | a3 a4 wait   a3 a4 | a5 a1 wait    a5 a1 | ...
 *     user B     b1                   b1                    b1
 */
#ifndef WSPLEX_DAEMON_SLICE_H
#define WSPLEX_DAEMON_SLICE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/list.h"
#include "daemon/turn.h"

/* Embedded in a user. */
struct slice {
    struct turn *turn;    /* that work was last done in; NULL: none yet */
    uint64_t turn_number; /* of it */
    uint64_t work;        /* that was done in it, in bytes (limits.h) */
    struct list waiting;  /* struct slice_waiter */
    struct task next;     /* TURN_NEXT, while somebody waits */
};

/* Embedded in a connection. go is called once for each wait, first thing in a turn. */
struct slice_waiter {
    struct list link;
    void (*go)(void *owner);
    void *owner;
};

void slice_init(struct slice *slice);
void slice_deinit(struct slice *slice); /* nobody waits */

void slice_waiter_init(struct slice_waiter *waiter, void (*go)(void *owner), void *owner);
void slice_waiter_leave(struct slice_waiter *waiter); /* takes one that does not wait */

/* So much is done for the user. It may be more than is left: nobody knows before what a read brings. */
void slice_spend(struct slice *slice, struct turn *turn, uint64_t work);

/* Nothing of this turn is left for the user. */
bool slice_is_spent(const struct slice *slice, const struct turn *turn);

/* True: go on now. False: the waiter waits, behind those of the same user who do so already. */
bool slice_enter(struct slice *slice, struct turn *turn, struct slice_waiter *waiter);

/* It was in the midst of something when the slice was spent, and is the first to go on. */
void slice_wait_first(struct slice *slice, struct turn *turn, struct slice_waiter *waiter);

#endif
