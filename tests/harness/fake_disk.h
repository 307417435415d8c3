/*
 * fake_disk: runs the jobs of a ledger when the test's clock says so: a disk that is fast, slow, or hangs.
 *
 * Between daemon/bookkeeper and daemon/ledger_job, in place of daemon/ledger_thread.
 *
 * Invariant: what a job does to the file it does at one moment of the clock, and not before.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_FAKE_DISK_H
#define WSP_TESTS_HARNESS_FAKE_DISK_H

#include "daemon/clock.h"
#include "daemon/ledger_job.h"

struct fake_disk {
    struct ledger_runner runner;
    struct timer timer;
    struct ledger_job *job; /* under way; NULL: none */
    bool is_run;            /* it is done, and nobody has been told */
    uint64_t delay_ms;      /* of jobs that are started from now on */
    bool is_hanging;        /* jobs that are under way are not done */
    bool is_dead;           /* and no other is begun: the process is killed */
    int refusal;            /* a negative errno: no job can be started */
    uint64_t max_file;      /* no file becomes longer; 0: there is room */
    unsigned n_jobs, n_synced;
};

void fake_disk_init(struct fake_disk *disk, struct clock *clock);
void fake_disk_deinit(struct fake_disk *disk);

/* What is under way is done now, but whoever started it is not told yet. */
void fake_disk_runs(struct fake_disk *disk);

/* The disk answers again. */
void fake_disk_heals(struct fake_disk *disk);

#endif
