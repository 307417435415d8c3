/* SPDX-License-Identifier: MIT
 *
 * ledger_thread: runs the jobs of the ledger beside the loop, in the one other thread that the daemon has.
 * Neighbours: bookkeeper, through struct ledger_runner; ledger_job, which is all that the thread does;
 * loop, which an eventfd wakes when a job is over.
 * Invariant: the thread touches the desk, under its lock, and the job that lies there while it is given;
 * nothing else of the process that is not constant. No signal is delivered to it.
 *
 * It is started with the first job: a daemon without budgets has none. The daemon never forks, and all
 * descriptors are closed on exec. A thread that hangs in a job at the end is left behind, with desk and
 * job: the end of the process takes it along.
 */
#ifndef WSPLEX_DAEMON_LEDGER_THREAD_H
#define WSPLEX_DAEMON_LEDGER_THREAD_H

#include "daemon/ledger_job.h"

struct ledger_thread;
struct loop;

/* 0, -ENOMEM or another negative errno. */
int ledger_thread_new(struct loop *loop, struct ledger_thread **ret_thread);
/* No job may be under way but an abandoned one. Takes NULL; returns NULL. */
struct ledger_thread *ledger_thread_free(struct ledger_thread *thread);

/* Borrowed. */
struct ledger_runner *ledger_thread_runner(struct ledger_thread *thread);

#endif
