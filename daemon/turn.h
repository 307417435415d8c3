/* SPDX-License-Identifier: MIT
 *
 * turn: what happens at the end of each turn of the loop. While a turn runs, objects only mark what
 * they need; at its end every marked client and upstream writes once, lags are checked, and the
 * dead are buried. So one turn makes one write per connection, and nobody is freed inside a
 * callback.
 * Neighbours: the loop (or a scenario test) calls turn_end; share, client and upstream schedule
 * themselves.
 * Invariant: a task is in at most one phase, and after turn_end no phase but the next turn's has
 * one.
 */
#ifndef WSPLEX_DAEMON_TURN_H
#define WSPLEX_DAEMON_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/list.h"

/* In the order in which turn_end runs them. A task may schedule tasks of any phase; turn_end goes
 * back to the earliest one that has any, TURN_BURY last. */
enum turn_phase {
    TURN_WRITE, /* clients and upstreams: one gathered write each */
    TURN_CHECK, /* shares: who lags too far behind */
    TURN_BURY,  /* the dead are freed */
    TURN_NEXT,  /* first thing in the next turn: work that the budget left over */
    TURN_N_PHASES
};

/* Embedded in its owner. */
struct task {
    struct list link;
    void (*run)(void *owner);
    void *owner;
};

struct turn {
    struct list phases[TURN_N_PHASES];
    uint64_t number; /* of the turns that have ended */
};

void task_init(struct task *task, void (*run)(void *owner), void *owner);

/* The task will not run. */
void task_cancel(struct task *task);

void turn_init(struct turn *turn);

/* The task runs once in the phase; one that is scheduled already moves there. */
void turn_schedule(struct turn *turn, enum turn_phase phase, struct task *task);

/* True if work waits for the next turn: the loop must not sleep. */
bool turn_has_next(const struct turn *turn);

/* Runs what TURN_NEXT holds (what it schedules there again waits for the turn after). */
void turn_begin(struct turn *turn);

/* Runs TURN_WRITE and TURN_CHECK until both are empty, then TURN_BURY. */
void turn_end(struct turn *turn);

#endif
