/* SPDX-License-Identifier: MIT
 *
 * sending_options: from the options about what the daemon says of its own accord to a target.
 * Neighbours: options and option_rules before it, open_request fills targets.
 * Invariant: what was checked makes a heartbeat of which each part has the other that it needs.
 */
#ifndef WSPLEX_DAEMON_SENDING_OPTIONS_H
#define WSPLEX_DAEMON_SENDING_OPTIONS_H

#include "daemon/options.h"

/* 0; -ENOMEM, with the target half filled in. */
int sending_options_fill(struct target *target, const struct endpoint_options *options);

#endif
