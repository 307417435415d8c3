/* SPDX-License-Identifier: MIT
 *
 * sending_options: from the options about what the daemon says of its own accord to a target.
 * Neighbours: config checks endpoints with it, open_request fills targets.
 * Invariant: what was checked makes a heartbeat of which each part has the other that it needs.
 */
#ifndef WSPLEX_DAEMON_SENDING_OPTIONS_H
#define WSPLEX_DAEMON_SENDING_OPTIONS_H

#include "daemon/options.h"

/* Whether the options agree with each other. 0; a positive number with the problem. */
int sending_options_check(const struct endpoint_options *options,
                          char ret_problem[OPTION_TEXT_LEN]);

/* 0; -ENOMEM, with the target half filled in. */
int sending_options_fill(struct target *target, const struct endpoint_options *options);

#endif
