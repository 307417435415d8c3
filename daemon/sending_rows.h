/* SPDX-License-Identifier: MIT
 *
 * sending_rows: what the daemon says of its own accord to a server, as JSON.
 * Neighbours: control_rows, which asks for it with the rest of an upstream. Invariant: no text of an
 * endpoint is in it, and those of programs only for their owner.
 */
#ifndef WSPLEX_DAEMON_SENDING_ROWS_H
#define WSPLEX_DAEMON_SENDING_ROWS_H

#include <jansson.h>
#include <stdbool.h>

struct share;

/* Members for an upstream's details; NULL: no memory. */
json_t *sending_members(const struct share *share, bool is_owner);

#endif
