/* SPDX-License-Identifier: MIT
 *
 * option_rules: what options say together, where each by itself is right.
 * Neighbours: config asks of what stands in a file, open_request of what a program gives; the rules stand in
 * option_rules.def.
 * Invariant: the answer depends on the configuration alone, on no file, no name server and no clock.
 */
#ifndef WSPLEX_DAEMON_OPTION_RULES_H
#define WSPLEX_DAEMON_OPTION_RULES_H

#include <stdbool.h>

#include "daemon/access.h"
#include "daemon/destination.h"
#include "daemon/options.h"
#include "proto/url.h"

/* What the rules of an endpoint are about. Lent. */
struct option_subject {
    const struct endpoint_options *options;
    const char *name;
    const struct wsp_url *url;
    const struct access *access;
    const struct destination *destination; /* NULL: anywhere */
};

/* What is wrong with a given option beside the others: a text to stand behind its name, without a full stop; NULL:
 * nothing. Static. */
const char *daemon_rules_flaw(const struct daemon_options *options, bool is_machine,
                              enum daemon_option_row row);
const char *endpoint_rules_flaw(const struct option_subject *subject, enum endpoint_option_row row);

#endif
