/* SPDX-License-Identifier: MIT
 *
 * open_request: from what a program asked for in OPEN, and what the configuration says, to a
 * target. Here is decided what a program may choose: with a free URL all that is not the
 * administrator's; with an endpoint only what that lists.
 * Neighbours: client_requests has the OPEN, shares take the target.
 * Invariant: no credential of an endpoint ever goes where the program, and not the configuration,
 * says.
 */
#ifndef WSPLEX_DAEMON_OPEN_REQUEST_H
#define WSPLEX_DAEMON_OPEN_REQUEST_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/failure.h"
#include "daemon/peer.h"
#include "daemon/target.h"
#include "proto/local/message.h"

struct endpoint;
struct server;

/* 0 with a target, which the caller owns, and whether it is to be shared; -ENOMEM; a positive
 * number with *ret_failure when what was asked for cannot be. */
int open_request_resolve(const struct server *server, const struct client_peer *peer,
                         const struct wsp_local_open *open, struct target **ret_target,
                         bool *ret_is_shared, struct failure *ret_failure);

/* The same for the daemon itself, which opens the endpoint for all who may use it: with each other where the
 * configuration lets users join, else as the daemon's own user. It is to be shared. */
int open_request_resolve_own(const struct server *server, const struct endpoint *endpoint,
                             struct target **ret_target, struct failure *ret_failure);

#endif
