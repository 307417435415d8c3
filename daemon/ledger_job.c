/* SPDX-License-Identifier: MIT
 *
 * ledger_job: the work on the ledger's file; see ledger_job.h.
 * Between bookkeeper and ledger. Invariant: see ledger_job.h.
 */
#include "daemon/ledger_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ledger_job_new(const char *directory, const struct ledger_clock *clock,
                   struct ledger_job **ret_job)
{
    struct ledger_job *job = malloc(sizeof(*job));

    if (job == NULL)
        return -ENOMEM;
    *job = (struct ledger_job){.clock = clock, .directory = strdup(directory)};
    ledger_sheet_init(&job->sheet);
    ledger_sheet_init(&job->found);
    if (job->directory == NULL) {
        ledger_job_free(job);
        return -ENOMEM;
    }
    *ret_job = job;
    return 0;
}

struct ledger_job *ledger_job_free(struct ledger_job *job)
{
    if (job == NULL)
        return NULL;
    ledger_close(job->ledger);
    ledger_sheet_deinit(&job->sheet);
    ledger_sheet_deinit(&job->found);
    free(job->directory);
    free(job);
    return NULL;
}

static int open_it(struct ledger_job *job)
{
    int r = ledger_open(job->directory, job->clock, &job->found, &job->ledger, job->problem);

    return r < 0 ? r : LEDGER_OPENED;
}

static int failed(struct ledger_job *job, int r)
{
    if (r < 0)
        snprintf(job->problem, sizeof(job->problem), "the state directory %s: %s", job->directory,
                 strerror(-r));
    return r;
}

static int write_it(struct ledger_job *job)
{
    int r;

    if (job->sheet.error < 0)
        return job->sheet.error;
    if (job->is_all)
        return ledger_rewrite(job->ledger, &job->sheet);
    if (ledger_wants_rewriting(job->ledger))
        return LEDGER_WANTS_ALL;
    r = ledger_append(job->ledger, &job->sheet);
    return r == 0 && job->is_synced ? ledger_sync(job->ledger) : r;
}

void ledger_job_run(struct ledger_job *job)
{
    job->problem[0] = '\0';
    job->result = job->ledger == NULL ? open_it(job) : failed(job, write_it(job));
}
