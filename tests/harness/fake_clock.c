/*
 * fake_clock: a clock that a test moves by hand; see fake_clock.h.
 *
 * Between a test and whatever waits on a struct timer.
 *
 * Invariant: fake->timers is sorted by time, and stable.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/harness/fake_clock.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { FIRST_MS = 1000000 };

struct fake_timer {
    struct list link;
    struct timer *timer;
    uint64_t at_ms;
};

static struct fake_clock *fake_of(struct clock *clock)
{
    return LIST_ENTRY(clock, struct fake_clock, clock);
}

static uint64_t fake_now_ms(struct clock *clock)
{
    return fake_of(clock)->now_ms;
}

static int fake_timer_init(struct timer *timer)
{
    struct fake_timer *t = malloc(sizeof(*t));

    if (t == NULL)
        return -ENOMEM;
    t->timer = timer;
    list_init(&t->link);
    timer->impl = t;
    return 0;
}

static void fake_timer_stop(struct timer *timer)
{
    if (timer->impl != NULL)
        list_remove(&((struct fake_timer *)timer->impl)->link);
}

static void fake_timer_deinit(struct timer *timer)
{
    fake_timer_stop(timer);
    free(timer->impl);
}

static void fake_timer_start(struct timer *timer, uint64_t delay_ms)
{
    struct fake_clock *fake = fake_of(timer->clock);
    struct fake_timer *t = timer->impl;
    struct list *before;

    list_remove(&t->link);
    t->at_ms = fake->now_ms + delay_ms;
    before = fake->timers.next;
    while (before != &fake->timers &&
           LIST_ENTRY(before, struct fake_timer, link)->at_ms <= t->at_ms)
        before = before->next;
    list_append(before, &t->link);
}

static const struct clock_ops fake_clock_ops = {
    .now_ms = fake_now_ms,
    .timer_init = fake_timer_init,
    .timer_deinit = fake_timer_deinit,
    .timer_start = fake_timer_start,
    .timer_stop = fake_timer_stop,
};

void fake_clock_init(struct fake_clock *fake, struct turn *turn)
{
    fake->clock.ops = &fake_clock_ops;
    fake->turn = turn;
    fake->now_ms = FIRST_MS;
    list_init(&fake->timers);
}

uint64_t fake_clock_next_ms(const struct fake_clock *fake)
{
    if (list_is_empty(&fake->timers))
        return UINT64_MAX;
    return LIST_ENTRY(fake->timers.next, struct fake_timer, link)->at_ms - fake->now_ms;
}

void fake_clock_advance(struct fake_clock *fake, uint64_t ms)
{
    uint64_t until_ms = fake->now_ms + ms;

    while (fake_clock_next_ms(fake) <= until_ms - fake->now_ms) {
        struct fake_timer *t = LIST_ENTRY(fake->timers.next, struct fake_timer, link);

        fake->now_ms = t->at_ms;
        list_remove(&t->link);
        if (fake->turn != NULL)
            turn_begin(fake->turn);
        t->timer->fire(t->timer->owner);
        if (fake->turn != NULL)
            turn_end(fake->turn);
    }
    fake->now_ms = until_ms;
}
