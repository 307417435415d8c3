/* SPDX-License-Identifier: MIT
 *
 * ledger_job: what there is to be done with the ledger's file, and by whom: all that may wait for a
 * disk, and so must not happen in the loop.
 * Neighbours: bookkeeper gives one after the other; ledger_thread runs them, in tests a clock that is
 * moved by hand; ledger does the work.
 * Invariant: a job has one owner at a time: the loop, but from start until done whoever runs it. It refers
 * to nothing of the loop's, so that it may be left behind when it never ends.
 */
#ifndef WSPLEX_DAEMON_LEDGER_JOB_H
#define WSPLEX_DAEMON_LEDGER_JOB_H

#include <stdbool.h>

#include "daemon/ledger.h"
#include "daemon/ledger_sheet.h"

enum ledger_outcome {
    LEDGER_DONE,
    LEDGER_OPENED, /* found is what stood there; nothing was written, and all is to be given now */
    LEDGER_WANTS_ALL /* nothing was written: the file must be made anew */
};

struct ledger_job {
    /* What is to be done; where the ledger is not open, that alone. */
    bool is_all;    /* the sheet is all there is to know, and takes the place of the file */
    bool is_synced; /* it has to survive a power cut */
    struct ledger_sheet sheet;

    /* What came of it: an enum ledger_outcome, or a negative errno with a problem: a sentence for
     * people. Of a job that fails nothing is in the file that was not there before; or the file is
     * made anew before anything is added. */
    int result;
    struct ledger_sheet found;
    char problem[LEDGER_PROBLEM_LEN]; /* of OPENED: why what stood there is not known; or empty */

    /* Of ledger_job_run alone. */
    char *directory;
    const struct ledger_clock *clock;
    struct ledger *ledger;
};

/* The text is copied, the clock is borrowed for ever. 0, -ENOMEM. */
int ledger_job_new(const char *directory, const struct ledger_clock *clock,
                   struct ledger_job **ret_job);
/* Closes the ledger. Takes NULL; returns NULL. */
struct ledger_job *ledger_job_free(struct ledger_job *job);

/* Does it. May take for ever; touches nothing but the job. */
void ledger_job_run(struct ledger_job *job);

/* Who runs jobs, one at a time. */
struct ledger_runner {
    /* The job is the runner's until it calls done: from the loop, and never from within start. 0; a
     * negative errno: it is not. */
    int (*start)(struct ledger_runner *runner, struct ledger_job *job);
    /* For the end, when the loop does not turn any more: true: the job is the caller's, and done is not
     * called. False: it has taken longer than that, and goes on. */
    bool (*wait)(struct ledger_runner *runner, unsigned max_ms);
    /* Nobody wants the job any more: it is freed whenever it is over. The runner starts no other. */
    void (*abandon)(struct ledger_runner *runner);

    /* Set by who starts jobs. */
    void (*done)(void *owner);
    void *owner;
};

#endif
