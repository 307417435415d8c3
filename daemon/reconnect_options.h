/* SPDX-License-Identifier: MIT
 *
 * reconnect_options: from the options about coming back to a target.
 * Neighbours: options and option_rules before it, open_request fills targets, autostart asks who is to be
 * connected.
 * Invariant: what is given without its place in the target is not lost silently: option_rules refuses it before.
 */
#ifndef WSPLEX_DAEMON_RECONNECT_OPTIONS_H
#define WSPLEX_DAEMON_RECONNECT_OPTIONS_H

#include "daemon/options.h"

/* 0; -ENOMEM, with the target half filled in. */
int reconnect_options_fill(struct target *target, const struct endpoint_options *options);

#endif
