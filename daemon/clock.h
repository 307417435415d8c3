/* SPDX-License-Identifier: MIT
 *
 * clock: time and timers as the policy rooms know them. The daemon's loop gives the real ones
 * (libevent), the scenario tests a clock that they move by hand. Everything that waits in the
 * daemon waits on a struct timer.
 * Invariant: a timer fires at most once per timer_start, from the loop and never from within
 * timer_start.
 */
#ifndef WSPLEX_DAEMON_CLOCK_H
#define WSPLEX_DAEMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct timer;

/* What a clock is made of; timer->impl belongs to it. */
struct clock_ops {
    uint64_t (*now_ms)(struct clock *clock);
    int (*timer_init)(struct timer *timer); /* 0, -ENOMEM */
    void (*timer_deinit)(struct timer *timer);
    void (*timer_start)(struct timer *timer, uint64_t delay_ms);
    void (*timer_stop)(struct timer *timer);
};

struct clock {
    const struct clock_ops *ops;
};

/* Embedded in its owner. All zero is a valid "never initialised" timer for timer_deinit and
 * timer_stop. */
struct timer {
    struct clock *clock;
    void (*fire)(void *owner);
    void *owner;
    void *impl;
};

/* Monotonic milliseconds; constant within one turn of the loop. */
uint64_t clock_now_ms(struct clock *clock);

/* Prepares a timer that calls fire(owner). Returns 0 or -ENOMEM. */
int timer_init(struct timer *timer, struct clock *clock, void (*fire)(void *owner), void *owner);

/* Stops the timer and gives back what it holds. Accepts a zeroed timer. */
void timer_deinit(struct timer *timer);

/* (Re)starts the timer: it fires once, delay_ms from now. Cannot fail. */
void timer_start(struct timer *timer, uint64_t delay_ms);

/* The timer does not fire any more. Accepts a zeroed or stopped timer. */
void timer_stop(struct timer *timer);

#endif
