/* SPDX-License-Identifier: MIT
 *
 * bookkeeper: jobs for the ledger, one after the other; see bookkeeper.h.
 * Between budget and ledger_job. Invariant: see bookkeeper.h.
 *
 *  state    | event                      | next    | what happens
 *  resting  | a budget wants             | due     | the timer is started, so that the rest of the turn joins
 *  due      | timer                      | running | the job is given away; nothing to write: resting
 *           | it cannot be started       | due     | in LEDGER_RETRY_MS
 *  running  | timer                      | running | people are told
 *           | opened, or it wants all    | due     | at once, with all there is to know
 *           | done                       | resting | each budget of the job is told; due: if one wants more
 *           | failed                     | due     | in LEDGER_RETRY_MS, with the same budgets
 */
#include "daemon/bookkeeper.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/budgets.h"
#include "daemon/limits.h"

static void timer_fire(void *owner);
static void job_done(void *owner);

int bookkeeper_init(struct bookkeeper *keeper, struct budgets *budgets)
{
    *keeper = (struct bookkeeper){.budgets = budgets};
    list_init(&keeper->wanting);
    list_init(&keeper->posted);
    return timer_init(&keeper->timer, budgets->clock, timer_fire, keeper);
}

int bookkeeper_begin(struct bookkeeper *keeper, const char *directory,
                     const struct ledger_clock *time, struct ledger_runner *runner)
{
    keeper->runner = runner;
    runner->done = job_done;
    runner->owner = keeper;
    return ledger_job_new(directory, time, &keeper->job);
}

static struct budget *budget_of(struct list *node)
{
    return LIST_ENTRY(node, struct budget, book_link);
}

static void tell(const struct bookkeeper *keeper, enum budget_news news, const char *text)
{
    if (keeper->budgets->report != NULL)
        keeper->budgets->report(keeper->budgets, news, text);
}

/* ---- when ---- */

static void schedule(struct bookkeeper *keeper)
{
    uint64_t now_ms = budgets_now(keeper->budgets);

    if (!keeper->is_running)
        timer_start(&keeper->timer, now_ms < keeper->retry_ms ? keeper->retry_ms - now_ms : 0);
}

void bookkeeper_open(struct bookkeeper *keeper)
{
    if (keeper->job != NULL && !keeper->is_read)
        schedule(keeper);
}

void bookkeeper_want(struct bookkeeper *keeper, struct list *link)
{
    if (list_is_linked(link))
        return;
    list_append(&keeper->wanting, link);
    schedule(keeper);
}

uint64_t bookkeeper_wait_ms(const struct bookkeeper *keeper)
{
    uint64_t now_ms = budgets_now(keeper->budgets);

    if (!keeper->is_stuck)
        return 0;
    return now_ms < keeper->retry_ms ? keeper->retry_ms - now_ms : LEDGER_RETRY_MS;
}

/* ---- trouble ---- */

static void stuck(struct bookkeeper *keeper, const char *problem)
{
    if (!keeper->is_stuck)
        tell(keeper, BUDGET_STUCK, problem);
    keeper->is_stuck = true;
}

static void works(struct bookkeeper *keeper)
{
    if (keeper->is_stuck)
        tell(keeper, BUDGET_WORKS, keeper->budgets->directory);
    keeper->is_stuck = false;
}

static void takes_long(struct bookkeeper *keeper)
{
    char text[LEDGER_PROBLEM_LEN];

    snprintf(text, sizeof(text), "the state directory %s: the disk has not answered for %d s",
             keeper->budgets->directory, LEDGER_SLOW_MS / 1000);
    stuck(keeper, text);
}

/* What was in the job is still to be written, before what came later. */
static void take_back(struct bookkeeper *keeper)
{
    list_splice(&keeper->posted, &keeper->wanting);
    list_splice(&keeper->wanting, &keeper->posted);
    schedule(keeper);
}

static void failed(struct bookkeeper *keeper, const char *problem)
{
    keeper->retry_ms = budgets_now(keeper->budgets) + LEDGER_RETRY_MS;
    stuck(keeper, problem);
    take_back(keeper);
}

/* ---- jobs ---- */

static void job_clear(struct ledger_job *job)
{
    ledger_sheet_deinit(&job->sheet);
    ledger_sheet_init(&job->sheet);
    ledger_sheet_deinit(&job->found);
    ledger_sheet_init(&job->found);
    job->is_all = false;
    job->is_synced = false;
}

/* False: there is nothing to write. */
static bool job_fill(struct bookkeeper *keeper)
{
    struct ledger_job *job = keeper->job;
    struct list wanting, *node;

    job_clear(job);
    if (!keeper->is_read)
        return true;
    job->is_all = keeper->is_all;
    if (job->is_all)
        budgets_write_all(keeper->budgets, job);
    list_init(&wanting);
    list_splice(&wanting, &keeper->wanting);
    while ((node = list_take_first(&wanting)) != NULL)
        if (budget_post(budget_of(node), keeper->took_ms, job))
            list_append(&keeper->posted, node);
    return job->is_all || job->sheet.n_items > 0 || job->sheet.error < 0;
}

static void begin(struct bookkeeper *keeper)
{
    char problem[LEDGER_PROBLEM_LEN];
    int r;

    if (!job_fill(keeper))
        return;
    keeper->began_ms = budgets_now(keeper->budgets);
    r = keeper->runner->start(keeper->runner, keeper->job);
    if (r < 0) {
        snprintf(problem, sizeof(problem), "whoever writes it down cannot begin: %s", strerror(-r));
        failed(keeper, problem);
        return;
    }
    keeper->is_running = true;
    timer_start(&keeper->timer, LEDGER_SLOW_MS);
}

static void timer_fire(void *owner)
{
    struct bookkeeper *keeper = owner;

    if (keeper->is_running)
        takes_long(keeper);
    else
        begin(keeper);
}

/* Each may want more at once, which is for the next job. */
static void tell_posted(struct bookkeeper *keeper)
{
    struct list posted, *node;

    list_init(&posted);
    list_splice(&posted, &keeper->posted);
    while ((node = list_take_first(&posted)) != NULL)
        budget_written(budget_of(node));
}

static void job_done(void *owner)
{
    struct bookkeeper *keeper = owner;
    struct ledger_job *job = keeper->job;

    keeper->is_running = false;
    keeper->took_ms = budgets_now(keeper->budgets) - keeper->began_ms;
    timer_stop(&keeper->timer);
    if (job->result < 0) {
        failed(keeper, job->problem);
        return;
    }
    if (job->result == LEDGER_OPENED) {
        keeper->is_read = true;
        budgets_found(keeper->budgets, &job->found, job->problem);
    }
    keeper->is_all = job->result != LEDGER_DONE;
    if (keeper->is_all) {
        take_back(keeper);
        return;
    }
    works(keeper);
    tell_posted(keeper);
    if (!list_is_empty(&keeper->wanting))
        schedule(keeper);
}

/* ---- the end ---- */

/* What was reserved and not spent is given back. True: the job is ours again. */
static bool end(struct bookkeeper *keeper)
{
    struct ledger_runner *runner = keeper->runner;

    if (keeper->is_running && !runner->wait(runner, LEDGER_END_MS))
        return false;
    if (!keeper->is_read)
        return true;
    job_clear(keeper->job);
    keeper->job->is_all = true;
    budgets_write_all(keeper->budgets, keeper->job);
    return runner->start(runner, keeper->job) < 0 || runner->wait(runner, LEDGER_END_MS);
}

void bookkeeper_deinit(struct bookkeeper *keeper)
{
    if (keeper->job != NULL) {
        if (end(keeper))
            ledger_job_free(keeper->job);
        else
            keeper->runner->abandon(keeper->runner);
    }
    while (list_take_first(&keeper->wanting) != NULL || list_take_first(&keeper->posted) != NULL)
        continue;
    timer_deinit(&keeper->timer);
    *keeper = (struct bookkeeper){0};
}
