/* SPDX-License-Identifier: MIT
 *
 * ledger_thread: a desk with a loop on one side and a thread on the other; see ledger_thread.h.
 * Between bookkeeper and ledger_job. Invariant: see ledger_thread.h.
 *
 *  desk  | who       | next  | what happens
 *  EMPTY | the loop  | GIVEN | a job lies there: it is the thread's
 *  GIVEN | the thread| OVER  | the job is run, and the loop woken: it is the loop's
 *  OVER  | the loop  | EMPTY | done is called; or, at the end, not
 *  GIVEN | the loop  | LEFT  | nobody comes back for it: desk and job are the thread's
 */
#include "daemon/ledger_thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/loop.h"

struct desk {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum { DESK_EMPTY, DESK_GIVEN, DESK_OVER, DESK_LEFT } state;
    bool is_closing; /* the thread may go */
    struct ledger_job *job;
    int wake; /* an eventfd; the loop's */
};

struct ledger_thread {
    struct ledger_runner runner;
    struct desk *desk; /* NULL: left */
    struct watch watch;
    int wake;
    bool is_started;
    pthread_t thread;
};

/* ---- the thread ---- */

static struct desk *desk_free(struct desk *desk)
{
    pthread_cond_destroy(&desk->changed);
    pthread_mutex_destroy(&desk->lock);
    free(desk);
    return NULL;
}

/* Waits for a job. False: there will be none. */
static bool desk_wait(struct desk *desk)
{
    while (desk->state != DESK_GIVEN && !desk->is_closing)
        pthread_cond_wait(&desk->changed, &desk->lock);
    return desk->state == DESK_GIVEN;
}

static void *work(void *data)
{
    struct desk *desk = data;
    bool is_left = false;

    pthread_mutex_lock(&desk->lock);
    while (!is_left && desk_wait(desk)) {
        pthread_mutex_unlock(&desk->lock);
        ledger_job_run(desk->job);
        pthread_mutex_lock(&desk->lock);
        is_left = desk->state == DESK_LEFT;
        if (!is_left) {
            desk->state = DESK_OVER;
            pthread_cond_broadcast(&desk->changed);
            eventfd_write(desk->wake, 1);
        }
    }
    pthread_mutex_unlock(&desk->lock);
    if (is_left) {
        ledger_job_free(desk->job);
        desk_free(desk);
    }
    return NULL;
}

/* 0, or a negative errno. */
static int thread_start(struct ledger_thread *thread)
{
    sigset_t all, before;
    int r;

    if (thread->is_started)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&thread->thread, NULL, work, thread->desk);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0)
        return -r;
    pthread_setname_np(thread->thread, "ledger");
    thread->is_started = true;
    return 0;
}

/* ---- the loop's side ---- */

static struct ledger_thread *thread_of(struct ledger_runner *runner)
{
    return (struct ledger_thread *)(void *)runner;
}

static int thread_run(struct ledger_runner *runner, struct ledger_job *job)
{
    struct ledger_thread *thread = thread_of(runner);
    int r = thread_start(thread);

    if (r < 0)
        return r;
    pthread_mutex_lock(&thread->desk->lock);
    thread->desk->job = job;
    thread->desk->state = DESK_GIVEN;
    pthread_cond_broadcast(&thread->desk->changed);
    pthread_mutex_unlock(&thread->desk->lock);
    return 0;
}

/* True: a job was over, and is the loop's. */
static bool take_over(struct desk *desk)
{
    bool is_over;

    pthread_mutex_lock(&desk->lock);
    is_over = desk->state == DESK_OVER;
    if (is_over)
        desk->state = DESK_EMPTY;
    pthread_mutex_unlock(&desk->lock);
    return is_over;
}

static void woken(void *owner, unsigned events)
{
    struct ledger_thread *thread = owner;
    eventfd_t n;

    (void)events;
    eventfd_read(thread->wake, &n);
    if (take_over(thread->desk))
        thread->runner.done(thread->runner.owner);
}

static bool thread_wait(struct ledger_runner *runner, unsigned max_ms)
{
    struct desk *desk = thread_of(runner)->desk;
    struct timespec until;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(max_ms % 1000) * 1000000;
    until.tv_sec += (time_t)(max_ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&desk->lock);
    while (desk->state == DESK_GIVEN && r == 0)
        r = pthread_cond_timedwait(&desk->changed, &desk->lock, &until);
    pthread_mutex_unlock(&desk->lock);
    return take_over(desk);
}

/* It may be over just now. */
static void thread_abandon(struct ledger_runner *runner)
{
    struct ledger_thread *thread = thread_of(runner);
    struct desk *desk = thread->desk;

    pthread_mutex_lock(&desk->lock);
    if (desk->state == DESK_GIVEN) {
        desk->state = DESK_LEFT;
        thread->desk = NULL;
        pthread_detach(thread->thread);
    } else {
        desk->job = ledger_job_free(desk->job);
        desk->state = DESK_EMPTY;
    }
    pthread_mutex_unlock(&desk->lock);
}

/* ---- beginning and end ---- */

static int desk_new(int wake, struct desk **ret_desk)
{
    struct desk *desk = malloc(sizeof(*desk));
    pthread_condattr_t attributes;

    if (desk == NULL)
        return -ENOMEM;
    *desk = (struct desk){.state = DESK_EMPTY, .wake = wake};
    pthread_mutex_init(&desk->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&desk->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    *ret_desk = desk;
    return 0;
}

int ledger_thread_new(struct loop *loop, struct ledger_thread **ret_thread)
{
    struct ledger_thread *thread = malloc(sizeof(*thread));
    int r = -ENOMEM;

    if (thread == NULL)
        return -ENOMEM;
    *thread = (struct ledger_thread){
        .runner = {.start = thread_run, .wait = thread_wait, .abandon = thread_abandon}};
    thread->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->wake < 0) {
        r = -errno;
        goto free_thread;
    }
    r = desk_new(thread->wake, &thread->desk);
    if (r < 0)
        goto free_thread;
    r = watch_init(&thread->watch, loop, thread->wake, woken, thread);
    if (r < 0)
        goto free_thread;
    watch_want(&thread->watch, WATCH_READABLE);
    *ret_thread = thread;
    return 0;

free_thread:
    ledger_thread_free(thread);
    return r;
}

struct ledger_thread *ledger_thread_free(struct ledger_thread *thread)
{
    if (thread == NULL)
        return NULL;
    if (thread->desk != NULL && thread->is_started) {
        pthread_mutex_lock(&thread->desk->lock);
        thread->desk->is_closing = true;
        pthread_cond_broadcast(&thread->desk->changed);
        pthread_mutex_unlock(&thread->desk->lock);
        pthread_join(thread->thread, NULL);
    }
    if (thread->desk != NULL)
        desk_free(thread->desk);
    watch_deinit(&thread->watch);
    if (thread->wake >= 0)
        close(thread->wake);
    free(thread);
    return NULL;
}

struct ledger_runner *ledger_thread_runner(struct ledger_thread *thread)
{
    return &thread->runner;
}
