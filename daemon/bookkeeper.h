/* SPDX-License-Identifier: MIT
 *
 * bookkeeper: what budgets want written down, and how far the disk is with it.
 * Neighbours: budget, which says what and waits; budgets, which knows all of them; ledger_job, the work
 * that is given to a runner, because a disk may take for ever and nobody else is to be disturbed.
 * Invariant: what is done on a budget was written down before, so that the next life of the daemon
 * finds it, however this one ends; where that life could follow a power cut (MIN_SYNCED_PERIOD_MS), it is
 * on the disk. Only what never waits is done at once, and written down as soon as the disk takes it.
 *
 * Who owns what: the loop has budgets, their lists and the timer. The runner has the job from start to
 * done, and nothing else; the loop does not look at it meanwhile. One job is under way at a time. What
 * is wanted while it is goes into the next one, together: so a slow disk is asked more rarely for more.
 *
 * At the end the daemon waits LEDGER_END_MS for a job that is under way, then as long for a last one, which
 * gives back what was reserved. A disk that does not answer is left alone with its job.
 */
#ifndef WSPLEX_DAEMON_BOOKKEEPER_H
#define WSPLEX_DAEMON_BOOKKEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/clock.h"
#include "daemon/ledger_job.h"
#include "daemon/list.h"

struct budgets;

struct bookkeeper {
    struct budgets *budgets;
    struct ledger_runner *runner;
    struct ledger_job *job; /* NULL: nothing is written down */
    struct list wanting;    /* budgets that have something for the next job */
    struct list posted;     /* budgets of which something is in the job that is under way */
    struct timer timer;     /* the next job begins; while one is under way: it takes long */
    bool is_running;        /* a job is under way */
    bool is_read;           /* what former lives have spent is known */
    bool is_all;            /* the next job has all there is to know */
    bool is_stuck;          /* people know that nothing can be written down */
    uint64_t began_ms;      /* the job that is under way */
    uint64_t took_ms;       /* the one before */
    uint64_t retry_ms;      /* after one that failed: no other before */
};

/* Keeps no books yet. 0, -ENOMEM. */
int bookkeeper_init(struct bookkeeper *keeper, struct budgets *budgets);

/* From now on it keeps them there; the runner and the clock must live as long. 0, -ENOMEM. */
int bookkeeper_begin(struct bookkeeper *keeper, const char *directory,
                     const struct ledger_clock *time, struct ledger_runner *runner);

/* Takes at most twice LEDGER_END_MS. Takes a zeroed one. */
void bookkeeper_deinit(struct bookkeeper *keeper);

/* Begins to read what former lives have spent, if it has not. */
void bookkeeper_open(struct bookkeeper *keeper);

/* The budget of that link has something to write down: budget_post is asked what it is before the next job. */
void bookkeeper_want(struct bookkeeper *keeper, struct list *link);

/* At least so long nothing can be written down; 0: it can now. */
uint64_t bookkeeper_wait_ms(const struct bookkeeper *keeper);

#endif
