/*
 * fake_disk: jobs of a ledger by a clock; see fake_disk.h.
 *
 * Between daemon/bookkeeper and daemon/ledger_job.
 *
 * Invariant: see fake_disk.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/fake_disk.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>

static struct fake_disk *fake_of(struct ledger_runner *runner)
{
    return (struct fake_disk *)(void *)runner;
}

void fake_disk_runs(struct fake_disk *disk)
{
    ck_assert_ptr_nonnull(disk->job);
    if (disk->is_run)
        return;
    disk->n_synced += disk->job->is_synced || disk->job->is_all;
    if (disk->max_file > 0)
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){(rlim_t)disk->max_file, RLIM_INFINITY});
    ledger_job_run(disk->job);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    disk->is_run = true;
}

static void fire(void *owner)
{
    struct fake_disk *disk = owner;

    if (disk->is_hanging)
        return;
    fake_disk_runs(disk);
    disk->job = NULL;
    disk->runner.done(disk->runner.owner);
}

static int start(struct ledger_runner *runner, struct ledger_job *job)
{
    struct fake_disk *disk = fake_of(runner);

    ck_assert_ptr_null(disk->job);
    if (disk->refusal != 0 || disk->is_dead)
        return disk->refusal != 0 ? disk->refusal : -EIO;
    disk->job = job;
    disk->is_run = false;
    disk->n_jobs++;
    timer_start(&disk->timer, disk->delay_ms);
    return 0;
}

static bool wait_for(struct ledger_runner *runner, unsigned max_ms)
{
    struct fake_disk *disk = fake_of(runner);

    ck_assert_uint_gt(max_ms, 0);
    if (disk->is_hanging || disk->is_dead)
        return false;
    fake_disk_runs(disk);
    timer_stop(&disk->timer);
    disk->job = NULL;
    return true;
}

static void abandon(struct ledger_runner *runner)
{
    struct fake_disk *disk = fake_of(runner);

    timer_stop(&disk->timer);
    disk->job = ledger_job_free(disk->job);
}

void fake_disk_init(struct fake_disk *disk, struct clock *clock)
{
    *disk = (struct fake_disk){.runner = {.start = start, .wait = wait_for, .abandon = abandon}};
    ck_assert_int_eq(timer_init(&disk->timer, clock, fire, disk), 0);
    signal(SIGXFSZ, SIG_IGN);
}

void fake_disk_deinit(struct fake_disk *disk)
{
    ck_assert_ptr_null(disk->job);
    timer_deinit(&disk->timer);
}

void fake_disk_heals(struct fake_disk *disk)
{
    disk->is_hanging = false;
    if (disk->job != NULL)
        timer_start(&disk->timer, 0);
}
