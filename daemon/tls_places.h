/* SPDX-License-Identifier: MIT
 *
 * tls_places: where in a configuration certificates and keys are named, and whether those that are can be used.
 * Neighbours: server and --check-config try them before anybody connects; tls reads them.
 * Invariant: what passes here makes a context for TLS, as long as nobody changes the files.
 */
#ifndef WSPLEX_DAEMON_TLS_PLACES_H
#define WSPLEX_DAEMON_TLS_PLACES_H

#include "daemon/config.h"

/* Reads every file that an option of the configuration names, and reports those that would not do, each with the place of its
 * option. ca_file: the command line's, or NULL. Their number, or -ENOMEM. */
int tls_places_check(const struct config *config, const char *ca_file,
                     struct config_reporter *reporter);

#endif
