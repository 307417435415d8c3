/* SPDX-License-Identifier: MIT
 *
 * credential_places: where in a configuration credentials may be named, and whether those that are can
 * be read.
 * Neighbours: config judges texts by it as it reads them; server and --check-config try them.
 * Invariant: what is judged well here is expanded wherever it is said, and what nobody expands is not.
 */
#ifndef WSPLEX_DAEMON_CREDENTIAL_PLACES_H
#define WSPLEX_DAEMON_CREDENTIAL_PLACES_H

#include "daemon/config.h"

/* A value of the configuration: 0; -ENOMEM; 1 with a problem, as option_set has it. Of a url, which has
 * been parsed, parsed is what came out; else NULL. */
int credential_places_judge(const struct option_row *row, struct wsp_view text,
                            const struct wsp_url *parsed, char ret_problem[OPTION_TEXT_LEN]);

/* Reads every credential that the configuration names, and reports each that would not do now. Their
 * number, or -ENOMEM. */
int credential_places_check(const struct config *config, const char *directory,
                            struct config_reporter *reporter);

#endif
