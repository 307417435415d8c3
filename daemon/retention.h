/* SPDX-License-Identifier: MIT
 *
 * retention: how much of what has come is kept, or wanted: at most so many messages, and at most so
 * many bytes of cost (entry_cost).
 * Neighbours: target says it, log does it.
 * Invariant: nothing is kept or wanted where one of them is 0.
 */
#ifndef WSPLEX_DAEMON_RETENTION_H
#define WSPLEX_DAEMON_RETENTION_H

#include <stdint.h>

struct retention {
    uint64_t messages, bytes;
};

#endif
