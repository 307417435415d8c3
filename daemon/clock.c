/* SPDX-License-Identifier: MIT
 *
 * clock: the dispatch from timers to the clock that they were made with.
 * Between whoever waits and the loop's clock, or the one of the scenario tests. Invariant: a zeroed timer reaches no clock.
 */
#include "daemon/clock.h"

#include <stddef.h>

uint64_t clock_now_ms(struct clock *clock)
{
    return clock->ops->now_ms(clock);
}

int timer_init(struct timer *timer, struct clock *clock, void (*fire)(void *owner), void *owner)
{
    int r;

    *timer = (struct timer){.clock = clock, .fire = fire, .owner = owner};
    r = clock->ops->timer_init(timer);
    if (r < 0)
        *timer = (struct timer){0};
    return r;
}

void timer_deinit(struct timer *timer)
{
    if (timer->clock == NULL)
        return;
    timer->clock->ops->timer_deinit(timer);
    *timer = (struct timer){0};
}

void timer_start(struct timer *timer, uint64_t delay_ms)
{
    timer->clock->ops->timer_start(timer, delay_ms);
}

void timer_stop(struct timer *timer)
{
    if (timer->clock != NULL)
        timer->clock->ops->timer_stop(timer);
}
