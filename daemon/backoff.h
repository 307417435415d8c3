/* SPDX-License-Identifier: MIT
 *
 * backoff: how long to wait before the next attempt: exponential, with full jitter. The arithmetic
 * alone; what an attempt is, and when a new series of them begins, is reconnect's to know.
 * Neighbours: reconnect asks it. It has no clock and no randomness of its own.
 * Invariant: no delay is longer than max_ms.
 *
 * The delay is anything between nothing and the bound, each as likely as the other; the bound is
 * min_ms at first and doubles with each attempt up to max_ms. So many who lost the same server at
 * the same moment come back spread evenly over the whole of it, not in a crowd behind each power of
 * two.
 */
#ifndef WSPLEX_DAEMON_BACKOFF_H
#define WSPLEX_DAEMON_BACKOFF_H

#include <stdint.h>

/* All zero: a new series. */
struct backoff {
    unsigned n_delays; /* asked for in this series */
};

/* The bound of the next delay; at least 1 ms. */
uint64_t backoff_bound_ms(const struct backoff *backoff, uint64_t min_ms, uint64_t max_ms);

/* The next delay of the series, 0 to its bound; random is 64 random bits. */
uint64_t backoff_next_ms(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms,
                         uint64_t random);

#endif
