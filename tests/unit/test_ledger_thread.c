/*
 * test_ledger_thread: the contract of daemon/ledger_thread.h: jobs beside a loop, and one that never ends.
 *
 * What hangs is the clock that a job asks, until the test lets it go on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/ledger_thread.h"
#include "daemon/loop.h"
#include "tests/harness/unit.h"

#include <dirent.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct loop *loop;
static struct ledger_thread *thread;
static struct ledger_runner *runner;
static struct ledger_job *job;
static char directory[64];
static unsigned n_done;
static bool is_hanging;
static sem_t entered, go_on;

static int64_t elapsed_ms(void *context)
{
    (void)context;
    if (is_hanging) {
        sem_post(&entered);
        sem_wait(&go_on);
    }
    return 100000;
}

static int64_t wall_ms(void *context)
{
    (void)context;
    return INT64_C(1700000000000);
}

static void boot(void *context, char ret_boot[LEDGER_BOOT_LEN])
{
    (void)context;
    strcpy(ret_boot, LEDGER_NO_BOOT);
}

static const struct ledger_clock machine = {elapsed_ms, wall_ms, boot, NULL};

static void done(void *owner)
{
    ck_assert_ptr_eq(owner, &n_done);
    n_done++;
    loop_stop(loop);
}

static void setup(void)
{
    strcpy(directory, "/tmp/ledger_thread.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(loop_new(&loop), 0);
    ck_assert_int_eq(ledger_thread_new(loop, &thread), 0);
    runner = ledger_thread_runner(thread);
    runner->done = done;
    runner->owner = &n_done;
    ck_assert_int_eq(ledger_job_new(directory, &machine, &job), 0);
    ck_assert_int_eq(sem_init(&entered, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go_on, 0, 0), 0);
    n_done = 0;
    is_hanging = false;
}

static void teardown(void)
{
    char command[100];

    ledger_job_free(job);
    ledger_thread_free(thread);
    loop_free(loop);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

/* Of ours: sanitizers have some of their own. */
static unsigned n_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    char path[64], name[32];
    unsigned n = 0;
    FILE *from;

    ck_assert_ptr_nonnull(tasks);
    while ((entry = readdir(tasks)) != NULL) {
        snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", entry->d_name);
        from = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (from == NULL)
            continue;
        n += fgets(name, sizeof(name), from) != NULL && strcmp(name, "ledger\n") == 0;
        fclose(from);
    }
    closedir(tasks);
    return n;
}

/* Also one that was joined is seen for a moment. */
static void has_no_thread(void)
{
    while (n_threads() > 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void runs(void)
{
    unsigned n_before = n_done;

    ck_assert_int_eq(runner->start(runner, job), 0);
    ck_assert_int_eq(loop_run(loop), 0);
    ck_assert_uint_eq(n_done, n_before + 1);
}

START_TEST(jobs_are_done_one_after_the_other)
{
    ck_assert_uint_eq(n_threads(), 0);
    runs();
    ck_assert_int_eq(job->result, LEDGER_OPENED);
    ck_assert_uint_eq(n_threads(), 1);
    runs();
    ck_assert_int_eq(job->result, LEDGER_WANTS_ALL);
    job->is_all = true;
    runs();
    ck_assert_int_eq(job->result, LEDGER_DONE);
    job->is_all = false;
    job->is_synced = true;
    for (int i = 0; i < 100; i++) {
        ledger_sheet_deinit(&job->sheet);
        ledger_sheet_init(&job->sheet);
        ledger_sheet_spent(&job->sheet, BUDGET_SEND, "endpoint a", i, 1);
        runs();
        ck_assert_int_eq(job->result, LEDGER_DONE);
    }
    ck_assert_uint_eq(n_threads(), 1);
    thread = ledger_thread_free(thread);
    has_no_thread();
}
END_TEST

START_TEST(what_is_waited_for_is_not_told_of)
{
    ck_assert_int_eq(runner->start(runner, job), 0);
    ck_assert(runner->wait(runner, 30000));
    ck_assert_int_eq(job->result, LEDGER_OPENED);
    ck_assert_uint_eq(n_done, 0);
    /* What woke the loop for it wakes nobody. */
    runs();
    ck_assert_uint_eq(n_done, 1);
}
END_TEST

/* The one that the loop alone is to get is not taken by the thread. */
START_TEST(signals_are_not_for_the_thread)
{
    unsigned long long blocked = 0;
    char line[256], path[300];
    DIR *tasks;
    const struct dirent *entry;
    FILE *from;

    runs();
    tasks = opendir("/proc/self/task");
    while ((entry = readdir(tasks)) != NULL) {
        bool is_ours = false;

        snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", entry->d_name);
        from = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (from != NULL && fgets(line, sizeof(line), from) != NULL) {
            is_ours |= strcmp(line, "Name:\tledger\n") == 0;
            if (is_ours && strncmp(line, "SigBlk:", 7) == 0)
                blocked = strtoull(line + 7, NULL, 16);
        }
        if (from != NULL)
            fclose(from);
    }
    closedir(tasks);
    for (int signal = SIGHUP; signal < SIGSYS; signal++)
        if (signal != SIGKILL && signal != SIGSTOP)
            ck_assert_msg(blocked >> (signal - 1) & 1, "signal %d", signal);
}
END_TEST

/* Loop test: left behind, it ends later by itself, or just before. */
START_TEST(a_job_that_hangs_is_left_behind)
{
    is_hanging = true;
    ck_assert_int_eq(runner->start(runner, job), 0);
    sem_wait(&entered);
    ck_assert(!runner->wait(runner, 20));
    if (_i == 1) {
        is_hanging = false;
        sem_post(&go_on);
    }
    runner->abandon(runner);
    job = NULL;
    thread = ledger_thread_free(thread);
    is_hanging = false;
    if (_i == 0)
        sem_post(&go_on);
    /* With it go the descriptors that the job had, for which the end of the test looks. */
    has_no_thread();
    ck_assert_uint_eq(n_done, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *suite = suite_create("ledger_thread");
    TCase *jobs = unit_case(suite, "jobs");

    tcase_add_checked_fixture(jobs, setup, teardown);
    tcase_add_test(jobs, jobs_are_done_one_after_the_other);
    tcase_add_test(jobs, what_is_waited_for_is_not_told_of);
    tcase_add_test(jobs, signals_are_not_for_the_thread);
    tcase_add_loop_test(jobs, a_job_that_hangs_is_left_behind, 0, 2);
    return suite;
}
