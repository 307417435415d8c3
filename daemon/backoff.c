/* SPDX-License-Identifier: MIT
 *
 * backoff: exponential delays with full jitter; see backoff.h.
 * Neighbours: reconnect. Invariant: no delay is longer than max_ms.
 */
#include "daemon/backoff.h"

uint64_t backoff_bound_ms(const struct backoff *backoff, uint64_t min_ms, uint64_t max_ms)
{
    uint64_t bound_ms = min_ms > 0 ? min_ms : 1;

    for (unsigned i = 0; i < backoff->n_delays && bound_ms < max_ms; i++)
        bound_ms = bound_ms > max_ms / 2 ? max_ms : 2 * bound_ms;
    return bound_ms < max_ms ? bound_ms : max_ms;
}

uint64_t backoff_next_ms(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms, uint64_t random)
{
    uint64_t bound_ms = backoff_bound_ms(backoff, min_ms, max_ms);

    backoff->n_delays++;
    return random % (bound_ms + 1);
}
