/* SPDX-License-Identifier: MIT
 *
 * spending: how much was spent, and when, as far as a rate may still ask for it.
 * Neighbours: budget, which asks; ledger, where it is written down.
 * Invariant: nothing that was spent ever looks earlier than it was.
 *
 * It is a staircase: each step says that until its time so much was spent in all. To take a step out
 * makes what it stood for look as late as the next one, which can only make a rate wait longer; so the
 * staircase is kept short by taking out steps that are old, until two that stand together are as far
 * apart as a small part of their age. What a period of any length has seen can then be told to within
 * that part of the period, from some hundred steps.
 */
#ifndef WSPLEX_DAEMON_SPENDING_H
#define WSPLEX_DAEMON_SPENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spending_step {
    uint64_t at_ms;
    uint64_t total; /* of all that was spent until then, since the beginning */
};

struct spending {
    struct spending_step *steps; /* both rise from each to the next */
    size_t n_steps, capacity;
    uint64_t base; /* the total before the first of them */
};

/* Steps are up to a part of 2 to the power of this of their age apart. */
enum { SPENDING_GRAIN = 5 };

int spending_init(struct spending *spending); /* 0, -ENOMEM */
void spending_deinit(struct spending *spending);

/* n more are spent at that time, or, where that is before what was spent last, together with that.
 * Cannot fail: where there is no memory for more steps the grain gets coarser. What is older than keep_ms may be forgotten. */
void spending_add(struct spending *spending, uint64_t at_ms, uint64_t n, uint64_t keep_ms);

/* What was spent after that time. */
uint64_t spending_after(const struct spending *spending, uint64_t since_ms);

/* The earliest time after which no more than n were spent; 0: ever. */
uint64_t spending_when(const struct spending *spending, uint64_t n);

/* When something was spent last; 0: never, or it is forgotten. */
uint64_t spending_last(const struct spending *spending);

/* Takes out what is older than keep_ms, and steps down to the grain. */
void spending_thin(struct spending *spending, uint64_t now_ms, uint64_t keep_ms, unsigned grain);

#endif
