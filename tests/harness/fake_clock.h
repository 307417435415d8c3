/*
 * fake_clock: a clock that a test moves by hand; no test sleeps.
 *
 * Between a test and whatever waits on a struct timer.
 *
 * Invariant: timers fire in the order of their times, those of the same time in the order in which they were started,
 * each while the clock shows its time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WSP_TESTS_HARNESS_FAKE_CLOCK_H
#define WSP_TESTS_HARNESS_FAKE_CLOCK_H

#include "daemon/clock.h"
#include "daemon/list.h"
#include "daemon/turn.h"

struct fake_clock {
    struct clock clock;
    struct turn *turn; /* may be NULL */
    uint64_t now_ms;
    struct list timers; /* started, soonest first */
};

/* Begins at a time that is not 0. With a turn, each timer that fires has a turn of its own. */
void fake_clock_init(struct fake_clock *fake, struct turn *turn);

/* Lets time pass. What timers start on the way fires too, if its time comes. */
void fake_clock_advance(struct fake_clock *fake, uint64_t ms);

/* Milliseconds until the next timer fires; UINT64_MAX: none is started. */
uint64_t fake_clock_next_ms(const struct fake_clock *fake);

#endif
