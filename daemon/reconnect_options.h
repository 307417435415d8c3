/* SPDX-License-Identifier: MIT
 *
 * reconnect_options: from the options about coming back to a target.
 * Neighbours: config checks endpoints with it, open_request fills targets, autostart asks who is to be
 * connected.
 * Invariant: what was checked does not say two things at once.
 */
#ifndef WSPLEX_DAEMON_RECONNECT_OPTIONS_H
#define WSPLEX_DAEMON_RECONNECT_OPTIONS_H

#include "daemon/options.h"

/* Whether the options agree with each other. 0; a positive number with the problem. */
int reconnect_options_check(const struct endpoint_options *options,
                            char ret_problem[OPTION_TEXT_LEN]);

/* 0; -ENOMEM, with the target half filled in. */
int reconnect_options_fill(struct target *target, const struct endpoint_options *options);

#endif
