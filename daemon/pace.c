/* SPDX-License-Identifier: MIT
 *
 * pace: the least time between two messages of the daemon's own; see pace.h.
 * Neighbours: sending above, a clock below. Invariant: the timer runs exactly while the pace holds something back.
 */
#include "daemon/pace.h"

#include <stddef.h>

static void pace_over(void *owner)
{
    struct pace *pace = owner;

    pace->is_holding = false;
    pace->over(pace->owner);
}

int pace_init(struct pace *pace, struct clock *clock, uint64_t interval_ms,
              void (*over)(void *owner), void *owner)
{
    *pace = (struct pace){.over = over, .owner = owner};
    return pace_tune(pace, clock, interval_ms);
}

int pace_tune(struct pace *pace, struct clock *clock, uint64_t interval_ms)
{
    bool has_timer = pace->timer.clock != NULL;

    pace->interval_ms = interval_ms;
    return interval_ms == 0 || has_timer ? 0 : timer_init(&pace->timer, clock, pace_over, pace);
}

void pace_deinit(struct pace *pace)
{
    timer_deinit(&pace->timer);
    pace->is_holding = false;
}

void pace_said(struct pace *pace)
{
    if (pace->interval_ms == 0)
        return;
    pace->is_holding = true;
    timer_start(&pace->timer, pace->interval_ms);
}

void pace_forget(struct pace *pace)
{
    pace->is_holding = false;
    timer_stop(&pace->timer);
}
