/* SPDX-License-Identifier: MIT
 *
 * loop: the one event base; see loop.h. The only file that includes libevent.
 * Neighbours: epoll below; every room that waits for a descriptor, a time or a signal above.
 * Invariant: callbacks run one after another in turns; after each turn turn_end has run.
 */
#include "daemon/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "daemon/limits.h"
#include "daemon/list.h"

enum {
    N_MS_PER_SECOND = 1000,
    N_US_PER_MS = 1000,
    N_NS_PER_MS = 1000000,
    /* How often a descriptor that the kernel had no room to watch is tried again. */
    REFUSED_RETRY_MS = 100
};

struct loop {
    struct clock clock;
    struct turn turn;
    struct event_base *base;
    uint64_t now_ms; /* 0: not looked at in this turn */
    struct list signals;
    struct list refused; /* watches of which epoll could not be told yet */
    struct timer retry;
    int error;
    bool is_stopped;
    uint8_t scratch[MAX_READ_PER_TURN];
};

struct signal_watch {
    struct list link;
    struct event *event;
    void (*fire)(void *owner, int signal);
    void *owner;
};

/* Two events, because telling libevent of one direction more or less is then one epoll_ctl. */
struct watch_impl {
    struct event *readable, *writable;
    struct list refused_link;
    struct watch *watch;
};

/* --- the clock --- */

static struct loop *loop_of_clock(struct clock *clock)
{
    return (struct loop *)(void *)((char *)clock - offsetof(struct loop, clock));
}

static uint64_t clock_of_loop_now_ms(struct clock *clock)
{
    struct loop *loop = loop_of_clock(clock);

    if (loop->now_ms == 0) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        loop->now_ms =
            (uint64_t)now.tv_sec * N_MS_PER_SECOND + (uint64_t)(now.tv_nsec / N_NS_PER_MS);
    }
    return loop->now_ms;
}

/* libevent's own time comes from the kernel's coarse clock, which is behind by up to a tick: with it a timer may be
 * woken too soon. (Its precise one costs a system call in every turn.) So each knows when it is due. */
struct loop_timer {
    struct timer *timer;
    struct event *event;
    uint64_t due_ms;
};

static void loop_timer_add(struct loop_timer *t, uint64_t delay_ms)
{
    struct timeval delay = {
        .tv_sec = (time_t)(delay_ms / N_MS_PER_SECOND),
        .tv_usec = (suseconds_t)(delay_ms % N_MS_PER_SECOND * N_US_PER_MS),
    };

    /* The array of pointers in which libevent sorts timers has to grow now and then. A daemon that has no memory even
     * for that could keep no deadline, so it stops. */
    if (evtimer_add(t->event, &delay) < 0)
        loop_of_clock(t->timer->clock)->error = -ENOMEM;
}

static void loop_timer_woken(evutil_socket_t fd, short what, void *data)
{
    struct loop_timer *t = data;
    uint64_t now_ms = clock_now_ms(t->timer->clock);

    (void)fd;
    (void)what;
    if (now_ms < t->due_ms)
        loop_timer_add(t, t->due_ms - now_ms);
    else
        t->timer->fire(t->timer->owner);
}

static int clock_of_loop_timer_init(struct timer *timer)
{
    struct loop_timer *t = malloc(sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->timer = timer;
    t->event = evtimer_new(loop_of_clock(timer->clock)->base, loop_timer_woken, t);
    if (t->event == NULL) {
        free(t);
        return -ENOMEM;
    }
    timer->impl = t;
    return 0;
}

static void clock_of_loop_timer_deinit(struct timer *timer)
{
    struct loop_timer *t = timer->impl;

    event_free(t->event);
    free(t);
}

static void clock_of_loop_timer_start(struct timer *timer, uint64_t delay_ms)
{
    struct loop_timer *t = timer->impl;

    t->due_ms = clock_now_ms(timer->clock) + delay_ms;
    loop_timer_add(t, delay_ms);
}

static void clock_of_loop_timer_stop(struct timer *timer)
{
    struct loop_timer *t = timer->impl;

    event_del(t->event);
}

static const struct clock_ops clock_of_loop_ops = {
    .now_ms = clock_of_loop_now_ms,
    .timer_init = clock_of_loop_timer_init,
    .timer_deinit = clock_of_loop_timer_deinit,
    .timer_start = clock_of_loop_timer_start,
    .timer_stop = clock_of_loop_timer_stop,
};

/* --- descriptors --- */

static void watch_event_fired(evutil_socket_t fd, short what, void *data)
{
    struct watch *watch = data;
    unsigned events =
        (what & EV_READ ? WATCH_READABLE : 0u) | (what & EV_WRITE ? WATCH_WRITABLE : 0u);

    (void)fd;
    watch->ready(watch->owner, events);
}

/* Tells epoll what has changed. Where the kernel has no room for one more, the watch is tried again from time to time:
 * what it waits for comes late, but it comes. */
static void watch_apply(struct watch *watch)
{
    struct watch_impl *impl = watch->impl;
    bool is_refused = false;

    if (watch->wanted & WATCH_READABLE)
        is_refused |= event_add(impl->readable, NULL) < 0;
    else
        event_del(impl->readable);
    if (watch->wanted & WATCH_WRITABLE)
        is_refused |= event_add(impl->writable, NULL) < 0;
    else
        event_del(impl->writable);

    if (!is_refused) {
        list_remove(&impl->refused_link);
        return;
    }
    list_append(&watch->loop->refused, &impl->refused_link);
    timer_start(&watch->loop->retry, REFUSED_RETRY_MS);
}

static void loop_retry_refused(void *owner)
{
    struct loop *loop = owner;
    struct list again;

    list_init(&again);
    while (!list_is_empty(&loop->refused))
        list_append(&again, loop->refused.next);
    LIST_FOR_EACH (node, &again)
        watch_apply(LIST_ENTRY(node, struct watch_impl, refused_link)->watch);
}

static void watch_impl_free(struct watch_impl *impl)
{
    if (impl->readable != NULL)
        event_free(impl->readable);
    if (impl->writable != NULL)
        event_free(impl->writable);
    list_remove(&impl->refused_link);
    free(impl);
}

int watch_init(struct watch *watch, struct loop *loop, int fd,
               void (*ready)(void *owner, unsigned events), void *owner)
{
    struct watch_impl *impl = malloc(sizeof(*impl));

    if (impl == NULL)
        return -ENOMEM;
    impl->watch = watch;
    list_init(&impl->refused_link);
    impl->readable = event_new(loop->base, fd, EV_READ | EV_PERSIST, watch_event_fired, watch);
    impl->writable = event_new(loop->base, fd, EV_WRITE | EV_PERSIST, watch_event_fired, watch);
    if (impl->readable == NULL || impl->writable == NULL) {
        watch_impl_free(impl);
        return -ENOMEM;
    }
    *watch = (struct watch){.loop = loop, .ready = ready, .owner = owner, .impl = impl, .fd = fd};
    return 0;
}

void watch_want(struct watch *watch, unsigned events)
{
    if (watch->wanted == events)
        return;
    watch->wanted = events;
    watch_apply(watch);
}

void watch_deinit(struct watch *watch)
{
    if (watch->impl == NULL)
        return;
    watch_impl_free(watch->impl);
    watch->impl = NULL;
    watch->wanted = 0;
}

/* --- signals --- */

static void signal_arrived(evutil_socket_t signal, short what, void *data)
{
    struct signal_watch *watch = data;

    (void)what;
    watch->fire(watch->owner, (int)signal);
}

static void signal_watch_free(struct signal_watch *watch)
{
    if (watch->event != NULL)
        event_free(watch->event);
    list_remove(&watch->link);
    free(watch);
}

int loop_on_signal(struct loop *loop, int signal, void (*fire)(void *owner, int signal),
                   void *owner)
{
    struct signal_watch *watch = malloc(sizeof(*watch));

    if (watch == NULL)
        return -ENOMEM;
    watch->fire = fire;
    watch->owner = owner;
    list_init(&watch->link);
    watch->event = evsignal_new(loop->base, signal, signal_arrived, watch);
    if (watch->event == NULL || evsignal_add(watch->event, NULL) < 0) {
        signal_watch_free(watch);
        return -ENOMEM;
    }
    list_append(&loop->signals, &watch->link);
    return 0;
}

/* --- the loop itself --- */

static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config == NULL)
        return NULL;
    /* One thread needs no locks. */
    if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
        base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

int loop_new(struct loop **ret_loop)
{
    struct loop *loop = malloc(sizeof(*loop));
    int r;

    if (loop == NULL)
        return -ENOMEM;
    /* All but the scratch, whose pages are the kernel's until they are needed. */
    memset(loop, 0, offsetof(struct loop, scratch));
    loop->clock.ops = &clock_of_loop_ops;
    turn_init(&loop->turn);
    list_init(&loop->signals);
    list_init(&loop->refused);
    loop->base = base_new();
    if (loop->base == NULL) {
        r = -ENOMEM;
        goto free_loop;
    }
    r = timer_init(&loop->retry, &loop->clock, loop_retry_refused, loop);
    if (r < 0)
        goto free_loop;
    *ret_loop = loop;
    return 0;

free_loop:
    loop_free(loop);
    return r;
}

struct loop *loop_free(struct loop *loop)
{
    if (loop == NULL)
        return NULL;
    LIST_FOR_EACH (node, &loop->signals)
        signal_watch_free(LIST_ENTRY(node, struct signal_watch, link));
    timer_deinit(&loop->retry);
    if (loop->base != NULL)
        event_base_free(loop->base);
    free(loop);
    return NULL;
}

struct clock *loop_clock(struct loop *loop)
{
    return &loop->clock;
}

struct turn *loop_turn(struct loop *loop)
{
    return &loop->turn;
}

uint8_t *loop_scratch(struct loop *loop, size_t *ret_len)
{
    *ret_len = sizeof(loop->scratch);
    return loop->scratch;
}

int loop_run(struct loop *loop)
{
    loop->is_stopped = false;
    turn_end(&loop->turn); /* what was scheduled before the first turn */
    while (!loop->is_stopped) {
        int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

        /* Work left over from the last turn may mark others for the end of this one: no sleep in between. */
        if (turn_has_next(&loop->turn))
            flags |= EVLOOP_NONBLOCK;
        turn_begin(&loop->turn);
        loop->now_ms = 0;
        if (event_base_loop(loop->base, flags) < 0)
            return errno > 0 ? -errno : -EIO;
        turn_end(&loop->turn);
        if (loop->error < 0)
            return loop->error;
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopped = true;
}
