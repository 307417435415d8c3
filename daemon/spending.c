/* SPDX-License-Identifier: MIT
 *
 * spending: a staircase of what was spent; see spending.h.
 * Between budget and its arithmetic. Invariant: times and totals of the steps both rise.
 */
#include "daemon/spending.h"

#include <errno.h>
#include <stdlib.h>

enum {
    FIRST_STEPS = 8,
    /* What the grain leaves of a month that was spent evenly is a little less. */
    MAX_STEPS = 1024,
};

int spending_init(struct spending *spending)
{
    *spending = (struct spending){.capacity = FIRST_STEPS};
    spending->steps = reallocarray(NULL, FIRST_STEPS, sizeof(*spending->steps));
    return spending->steps == NULL ? -ENOMEM : 0;
}

void spending_deinit(struct spending *spending)
{
    free(spending->steps);
    *spending = (struct spending){0};
}

static uint64_t total_of(const struct spending *spending)
{
    return spending->n_steps == 0 ? spending->base : spending->steps[spending->n_steps - 1].total;
}

/* The number of steps whose time is at most at_ms. */
static size_t steps_until(const struct spending *spending, uint64_t at_ms)
{
    size_t low = 0, high = spending->n_steps;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (spending->steps[middle].at_ms <= at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t spending_after(const struct spending *spending, uint64_t since_ms)
{
    size_t n = steps_until(spending, since_ms);

    return total_of(spending) - (n == 0 ? spending->base : spending->steps[n - 1].total);
}

uint64_t spending_when(const struct spending *spending, uint64_t n)
{
    uint64_t total = total_of(spending);
    size_t low = 0, high = spending->n_steps;

    if (total - spending->base <= n)
        return 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (total - spending->steps[middle].total <= n)
            high = middle;
        else
            low = middle + 1;
    }
    return spending->steps[low].at_ms;
}

uint64_t spending_last(const struct spending *spending)
{
    return spending->n_steps == 0 ? 0 : spending->steps[spending->n_steps - 1].at_ms;
}

void spending_thin(struct spending *spending, uint64_t now_ms, uint64_t keep_ms, unsigned grain)
{
    size_t n_old = now_ms > keep_ms ? steps_until(spending, now_ms - keep_ms) : 0;
    size_t n_kept = 0;
    uint64_t before_ms = 0; /* the time of the last step that stays */

    if (n_old > 0)
        spending->base = spending->steps[n_old - 1].total;
    for (size_t i = n_old; i < spending->n_steps; i++) {
        const struct spending_step *next = &spending->steps[i + 1];

        /* Of what has no step before it nobody knows how early it was: the first one stays. */
        if (n_kept > 0 && i + 1 < spending->n_steps && next->at_ms <= now_ms &&
            next->at_ms - before_ms <= (now_ms - next->at_ms) >> grain)
            continue;
        before_ms = spending->steps[i].at_ms;
        spending->steps[n_kept++] = spending->steps[i];
    }
    spending->n_steps = n_kept;
}

/* Room for one more step, whatever it takes; of a full staircase the grain gets coarser. */
static void make_room(struct spending *spending, uint64_t now_ms, uint64_t keep_ms)
{
    unsigned grain = SPENDING_GRAIN;
    struct spending_step *grown = NULL;

    if (spending->n_steps < spending->capacity)
        return;
    spending_thin(spending, now_ms, keep_ms, grain);
    if (spending->n_steps <= spending->capacity / 2)
        return;
    if (spending->capacity < MAX_STEPS)
        grown = reallocarray(spending->steps, 2 * spending->capacity, sizeof(*spending->steps));
    if (grown != NULL) {
        spending->steps = grown;
        spending->capacity *= 2;
        return;
    }
    while (grain > 0 && spending->n_steps > spending->capacity / 2)
        spending_thin(spending, now_ms, keep_ms, --grain);
}

void spending_add(struct spending *spending, uint64_t at_ms, uint64_t n, uint64_t keep_ms)
{
    uint64_t last_ms = spending_last(spending);
    struct spending_step *last;

    if (at_ms < last_ms)
        at_ms = last_ms;
    if (spending->n_steps == 0 || at_ms > last_ms)
        make_room(spending, at_ms, keep_ms);
    if (spending->n_steps == 0 || (at_ms > last_ms && spending->n_steps < spending->capacity)) {
        spending->steps[spending->n_steps] = (struct spending_step){at_ms, total_of(spending) + n};
        spending->n_steps++;
        return;
    }
    last = &spending->steps[spending->n_steps - 1];
    last->at_ms = at_ms;
    last->total += n;
}
