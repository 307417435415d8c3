/* SPDX-License-Identifier: MIT
 *
 * pace: the least time between two messages that the daemon sends of its own accord, so that a
 * server that counts them is not overrun when everything is said anew after a reconnection.
 * Neighbours: greeting and subscriptions speak by it, sending is told when the next may go.
 * Invariant: the timer runs exactly while the pace holds something back.
 */
#ifndef WSPLEX_DAEMON_PACE_H
#define WSPLEX_DAEMON_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/clock.h"

struct pace {
    uint64_t interval_ms; /* 0: nothing is ever held back */
    struct timer timer;
    bool is_holding;
    void (*over)(void *owner);
    void *owner;
};

/* over is called when the next may go, from the clock. 0, -ENOMEM. */
int pace_init(struct pace *pace, struct clock *clock, uint64_t interval_ms,
              void (*over)(void *owner), void *owner);
/* Another interval, from the next message on. 0, -ENOMEM. */
int pace_tune(struct pace *pace, struct clock *clock, uint64_t interval_ms);
void pace_deinit(struct pace *pace); /* takes a zeroed one */

/* Something has been said. */
void pace_said(struct pace *pace);

/* Nothing is held back any more: the server is another one now. over is not called. */
void pace_forget(struct pace *pace);

static inline bool pace_is_free(const struct pace *pace)
{
    return !pace->is_holding;
}

#endif
