/* SPDX-License-Identifier: MIT
 *
 * tls_options: from the options that concern TLS to a target's settings.
 * Neighbours: options and option_rules before it, open_request fills targets.
 * Invariant: nothing but an endpoint's own configuration, with the endpoint's name in it, makes
 * settings that do not verify.
 */
#ifndef WSPLEX_DAEMON_TLS_OPTIONS_H
#define WSPLEX_DAEMON_TLS_OPTIONS_H

#include "daemon/options.h"

/* Trust that is not given is the daemon's: ca_file and ca_path, both of which may be NULL. 0; -ENOMEM,
 * with settings half filled in. */
int tls_options_fill(struct tls_settings *settings, const struct endpoint_options *options,
                     const char *ca_file, const char *ca_path);

#endif
